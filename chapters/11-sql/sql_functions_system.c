/* sql_functions_system.c - functions that ask about the session. */
#include "sql_registry.h"

static enum status context_text(const char *text, struct sql_datum *out) {
    out->text = slice_of_string(text != NULL ? text : "");
    return STATUS_OK;
}

#define FUNCTION(name, member)                                                                     \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)args;                                                                                \
        (void)arg_count;                                                                           \
        (void)error;                                                                               \
        return context_text(context->member, out);                                                 \
    }

FUNCTION(version, version)
FUNCTION(current_database, database)
FUNCTION(current_schema, schema)
FUNCTION(current_user, user)

static enum status type_of(struct sql_eval_context *context, const struct sql_datum *args,
                           uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)arg_count;
    (void)error;
    out->text = slice_of_string(sql_type_info(args[0].type)->format_name);
    return STATUS_OK;
}

#define ROW(spelled, function)                                                                     \
    { .name = (spelled), .result = SQL_TEXT, .volatility = SQL_STABLE, .scalar = (function) }

static const struct sql_function functions[] = {
    ROW("version", version),
    ROW("current_database", current_database),
    ROW("current_catalog", current_database),
    ROW("current_schema", current_schema),
    ROW("current_user", current_user),
    ROW("session_user", current_user),
    ROW("user", current_user),
    {.name = "pg_typeof",
     .result = SQL_TEXT,
     .arg_count = 1,
     .args = {SQL_ANY},
     .not_strict = true,
     .scalar = type_of},
};

const struct sql_function_table sql_functions_system = {functions, ARRAY_LEN(functions)};
