/* sql_build_convert.c - bringing expressions to a type: PostgreSQL's parse_coerce.c.
 *
 * Here literals in quotes get their type and are parsed, and parameters without a type get one. */
#include "sql_build_internal.h"

struct sql_expr *sql_build_node(struct sql_build *build, enum sql_expr_kind kind,
                                enum sql_type type, uint32_t arg_count, int position) {
    struct sql_expr *expr = ARENA_NEW(build->arena, struct sql_expr);
    expr->kind = kind;
    expr->type = type;
    expr->typmod = -1;
    expr->position = position;
    expr->arg_count = arg_count;
    expr->args = ARENA_ARRAY(build->arena, struct sql_expr *, arg_count + 1);
    return expr;
}

enum sql_type sql_build_type(const struct sql_build *build, struct sql_expr *arg) {
    if (arg->kind == SQL_EXPR_PARAM && arg->type == SQL_UNKNOWN) {
        arg->type = build->param_types[arg->param];
    }
    return arg->type;
}

/* ---- unknown becomes known ------------------------------------------------------------------ */

static enum status settle_literal(struct sql_build *build, struct sql_expr *arg,
                                  struct sql_typed type, bool explicit_cast, struct sql_expr **out,
                                  struct sql_error *error) {
    struct sql_expr *constant = sql_build_node(build, SQL_EXPR_CONST, type.type, 0, arg->position);
    constant->typmod = type.typmod;
    constant->constant = sql_datum_null(type.type);
    *out = constant;
    if (arg->constant.is_null) return STATUS_OK;
    enum status status = sql_datum_parse(build->arena, SQL_TYPED(type.type), arg->constant.text,
                                         &constant->constant, error);
    if (status != STATUS_OK) {
        sql_error_locate(error, arg->position);
        return status;
    }
    return sql_datum_apply_typmod(build->arena, type.typmod, explicit_cast, &constant->constant,
                                  error);
}

static enum status settle_param(struct sql_build *build, struct sql_expr *arg, enum sql_type type,
                                struct sql_error *error) {
    enum sql_type *settled = &build->param_types[arg->param];
    if (*settled == SQL_UNKNOWN) *settled = type;
    if (*settled != type) {
        (void)sql_error_set_at(error, arg->position, SQLSTATE_AMBIGUOUS_PARAMETER,
                               "inconsistent types deduced for parameter $%u", arg->param + 1);
        sql_error_detail(error, "%s versus %s", sql_type_info(*settled)->format_name,
                         sql_type_info(type)->format_name);
        return STATUS_INVALID;
    }
    arg->type = type;
    return STATUS_OK;
}

/* ---- conversion ----------------------------------------------------------------------------- */

static struct sql_expr *cast_node(struct sql_build *build, struct sql_expr *arg,
                                  const struct sql_cast *cast, struct sql_typed type,
                                  enum sql_cast_context context) {
    struct sql_expr *node = sql_build_node(build, SQL_EXPR_CAST, type.type, 1, arg->position);
    node->typmod = type.typmod;
    node->args[0] = arg;
    node->cast.cast = cast;
    node->cast.context = context;
    return node;
}

enum status sql_build_coerce(struct sql_build *build, struct sql_expr *arg, struct sql_typed type,
                             enum sql_cast_context context, struct sql_expr **out,
                             struct sql_error *error) {
    bool explicit_cast = context == SQL_CAST_EXPLICIT;
    *out = arg;
    if (type.type >= SQL_TYPE_COUNT) return STATUS_OK; /* a pseudo type takes all */
    if (sql_build_type(build, arg) == SQL_UNKNOWN && type.type != SQL_UNKNOWN) {
        if (arg->kind == SQL_EXPR_CONST) {
            return settle_literal(build, arg, type, explicit_cast, out, error);
        }
        if (arg->kind == SQL_EXPR_PARAM) TRY(settle_param(build, arg, type.type, error));
    }
    const struct sql_cast *cast = NULL;
    if (arg->type != type.type) {
        cast = sql_find_cast(arg->type, type.type, context);
        *out = NULL;
        if (cast == NULL) return STATUS_OK;
    }
    bool needs_typmod = type.typmod >= 0 && (cast != NULL || arg->typmod != type.typmod);
    *out = arg;
    if (cast == NULL && !needs_typmod) return STATUS_OK;
    *out = cast_node(build, arg, cast, type, context);
    return STATUS_OK;
}

enum status sql_build_implicit(struct sql_build *build, struct sql_expr *arg, enum sql_type type,
                               struct sql_expr **out, struct sql_error *error) {
    TRY(sql_build_coerce(build, arg, SQL_TYPED(type), SQL_CAST_IMPLICIT, out, error));
    if (*out != NULL) return STATUS_OK;
    return sql_error_set_at(error, arg->position, SQLSTATE_CANNOT_COERCE,
                            "cannot cast type %s to %s", sql_type_info(arg->type)->format_name,
                            sql_type_info(type)->format_name);
}

enum status sql_build_cast(struct sql_build *build, struct sql_expr *arg, struct sql_typed type,
                           int position, struct sql_expr **out, struct sql_error *error) {
    enum sql_type from = sql_build_type(build, arg);
    TRY(sql_build_coerce(build, arg, type, SQL_CAST_EXPLICIT, out, error));
    if (*out != NULL) return STATUS_OK;
    return sql_error_set_at(error, position, SQLSTATE_CANNOT_COERCE, "cannot cast type %s to %s",
                            sql_type_info(from)->format_name,
                            sql_type_info(type.type)->format_name);
}

enum status sql_build_assignment(struct sql_build *build, struct sql_expr *arg,
                                 struct sql_typed type, const char *column_name,
                                 struct sql_expr **out, struct sql_error *error) {
    enum sql_type from = sql_build_type(build, arg);
    TRY(sql_build_coerce(build, arg, type, SQL_CAST_ASSIGNMENT, out, error));
    if (*out != NULL) return STATUS_OK;
    (void)sql_error_set_at(error, arg->position, SQLSTATE_DATATYPE_MISMATCH,
                           "column \"%s\" is of type %s but expression is of type %s", column_name,
                           sql_type_info(type.type)->format_name, sql_type_info(from)->format_name);
    sql_error_hint(error, "You will need to rewrite or cast the expression.");
    return STATUS_INVALID;
}

static enum status must_be(struct sql_build *build, struct sql_expr *arg, enum sql_type type,
                           const char *what, struct sql_expr **out, struct sql_error *error) {
    enum sql_type from = sql_build_type(build, arg);
    TRY(sql_build_coerce(build, arg, SQL_TYPED(type), SQL_CAST_ASSIGNMENT, out, error));
    if (*out != NULL) return STATUS_OK;
    return sql_error_set_at(error, arg->position, SQLSTATE_DATATYPE_MISMATCH,
                            "argument of %s must be type %s, not type %s", what,
                            sql_type_info(type)->format_name, sql_type_info(from)->format_name);
}

enum status sql_build_boolean(struct sql_build *build, struct sql_expr *arg, const char *what,
                              struct sql_expr **out, struct sql_error *error) {
    return must_be(build, arg, SQL_BOOL, what, out, error);
}

enum status sql_build_bigint(struct sql_build *build, struct sql_expr *arg, const char *what,
                             struct sql_expr **out, struct sql_error *error) {
    return must_be(build, arg, SQL_INT8, what, out, error);
}

enum status sql_build_output(struct sql_build *build, struct sql_expr *arg, struct sql_expr **out,
                             struct sql_error *error) {
    *out = arg;
    if (arg->type != SQL_UNKNOWN) return STATUS_OK;
    return sql_build_implicit(build, arg, SQL_TEXT, out, error);
}

enum status sql_build_common(struct sql_build *build, struct sql_expr **args, uint32_t count,
                             const char *what, struct sql_typed *out, struct sql_error *error) {
    enum sql_type *types = ARENA_ARRAY(build->arena, enum sql_type, count);
    uint32_t which = 0;
    for (uint32_t i = 0; i < count; i++)
        types[i] = sql_build_type(build, args[i]);
    enum status status = sql_resolve_common_type(types, count, what, &out->type, &which, error);
    if (status != STATUS_OK) {
        sql_error_locate(error, args[which]->position);
        return status;
    }
    out->typmod = args[0]->typmod;
    for (uint32_t i = 0; i < count; i++) {
        if (types[i] != out->type || args[i]->typmod != out->typmod) out->typmod = -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct sql_expr *coerced;
        TRY(sql_build_coerce(build, args[i], SQL_TYPED(out->type), SQL_CAST_IMPLICIT, &coerced,
                             error));
        if (coerced == NULL) {
            return sql_error_set_at(error, args[i]->position, SQLSTATE_CANNOT_COERCE,
                                    "%s could not convert type %s to %s", what,
                                    sql_type_info(types[i])->format_name,
                                    sql_type_info(out->type)->format_name);
        }
        args[i] = coerced;
    }
    return STATUS_OK;
}

enum status sql_build_check_params(const struct sql_build *build, struct sql_error *error) {
    for (uint32_t i = 0; i < build->param_count; i++) {
        if (build->param_types[i] != SQL_UNKNOWN) continue;
        return sql_error_set(error, SQLSTATE_INDETERMINATE_DATATYPE,
                             "could not determine data type of parameter $%u", i + 1);
    }
    return STATUS_OK;
}
