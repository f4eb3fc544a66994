/* sql_registry.c - which tables of functions there are, and what their writers share. */
#include "sql_registry.h"

static const struct sql_function_table the_end = {NULL, 0};

const struct sql_function_table *const sql_function_tables[] = {
    &sql_functions_compare, &sql_functions_arithmetic,
    &sql_functions_float,   &sql_functions_numeric,
    &sql_functions_text,    &sql_functions_pattern,
    &sql_functions_system,  &the_end,
};

enum { TEXT_MAX_BYTES = 1 << 30 }; /* as PostgreSQL's MaxAllocSize */

enum status sql_text_room(struct sql_eval_context *context, uint64_t len, uint8_t **out,
                          struct sql_error *error) {
    *out = NULL;
    if (len >= TEXT_MAX_BYTES) {
        return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED, "requested length too large");
    }
    const struct arena *arena = context->arena;
    if (arena->budget_bytes != 0 && arena->used_bytes + len > arena->budget_bytes) {
        return sql_error_set(error, SQLSTATE_OUT_OF_MEMORY,
                             "a text of %llu bytes exceeds the statement's memory of %zu bytes",
                             (unsigned long long)len, arena->budget_bytes);
    }
    *out = arena_alloc(context->arena, len + 1);
    return STATUS_OK;
}

enum status sql_text_result(struct sql_eval_context *context, struct slice text,
                            struct sql_datum *out, struct sql_error *error) {
    uint8_t *room;
    TRY(sql_text_room(context, text.len, &room, error));
    if (text.len > 0) memcpy(room, text.data, text.len);
    out->text = slice_of(room, text.len);
    return STATUS_OK;
}

void sql_integer_range(enum sql_type type, int64_t *low, int64_t *high) {
    *low = type == SQL_INT2 ? INT16_MIN : type == SQL_INT4 ? INT32_MIN : INT64_MIN;
    *high = type == SQL_INT2 ? INT16_MAX : type == SQL_INT4 ? INT32_MAX : INT64_MAX;
}

enum status sql_integer_range_error(enum sql_type type, struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "%s out of range",
                         sql_type_info(type)->format_name);
}

enum status sql_numeric_status(enum status status, const char *sqlstate, const char *text,
                               struct sql_error *error) {
    if (status == STATUS_OK) return STATUS_OK;
    if (status == STATUS_INVALID) return sql_error_set(error, sqlstate, "%s", text);
    return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                         "value overflows numeric format");
}

size_t sql_utf8_length(struct slice text) {
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += (text.data[i] & 0xC0) != 0x80;
    return count;
}

size_t sql_utf8_offset(struct slice text, size_t count) {
    size_t at = 0;
    for (; at < text.len; at++) {
        if ((text.data[at] & 0xC0) == 0x80) continue;
        if (count-- == 0) break;
    }
    return at;
}
