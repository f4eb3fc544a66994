/* sql_build.c - bound expressions from their parts: leaves, operators, functions, aggregates.
 *
 * Conversions are in sql_build_convert.c, constructs with a syntax of their own (CASE, IN, BETWEEN)
 * in sql_build_special.c. */
#include "sql_build_internal.h"

/* ---- leaves --------------------------------------------------------------------------------- */

struct sql_expr *sql_build_const(struct sql_build *build, struct sql_datum value, int position) {
    struct sql_expr *expr = sql_build_node(build, SQL_EXPR_CONST, value.type, 0, position);
    expr->constant = value;
    return expr;
}

struct sql_expr *sql_build_null(struct sql_build *build, int position) {
    return sql_build_const(build, sql_datum_null(SQL_UNKNOWN), position);
}

struct sql_expr *sql_build_string(struct sql_build *build, struct slice text, int position) {
    return sql_build_const(build, sql_datum_text(SQL_UNKNOWN, text), position);
}

static bool is_whole_number(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        bool sign = i == 0 && text.data[i] == '-';
        if (!sign && (text.data[i] < '0' || text.data[i] > '9')) return false;
    }
    return true;
}

enum status sql_build_number(struct sql_build *build, struct slice text, int position,
                             struct sql_expr **out, struct sql_error *error) {
    struct sql_datum value;
    if (is_whole_number(text)) {
        struct sql_error ignored;
        enum sql_type types[] = {SQL_INT4, SQL_INT8};
        for (int i = 0; i < 2; i++) {
            if (sql_datum_parse(build->arena, SQL_TYPED(types[i]), text, &value, &ignored) ==
                STATUS_OK) {
                *out = sql_build_const(build, value, position);
                return STATUS_OK;
            }
        }
    }
    enum status status = sql_datum_parse(build->arena, SQL_TYPED(SQL_NUMERIC), text, &value, error);
    if (status != STATUS_OK) {
        sql_error_locate(error, position);
        return status;
    }
    *out = sql_build_const(build, value, position);
    return STATUS_OK;
}

struct sql_expr *sql_build_column(struct sql_build *build, uint32_t relation, uint32_t index,
                                  struct sql_typed type, const char *name, int position) {
    struct sql_expr *expr = sql_build_node(build, SQL_EXPR_COLUMN, type.type, 0, position);
    expr->typmod = type.typmod;
    expr->column.relation = relation;
    expr->column.index = index;
    expr->column.name = name;
    return expr;
}

enum { PARAMS_MAX = 65535 }; /* as the wire protocol counts them */

enum status sql_build_param(struct sql_build *build, uint32_t number, int position,
                            struct sql_expr **out, struct sql_error *error) {
    bool allowed = number >= 1 && number <= PARAMS_MAX;
    if (!allowed || (build->params_fixed && number > build->param_count)) {
        return sql_error_set_at(error, position, SQLSTATE_UNDEFINED_PARAMETER,
                                "there is no parameter $%u", number);
    }
    if (number > build->param_count) {
        enum sql_type *grown = ARENA_ARRAY(build->arena, enum sql_type, number);
        for (uint32_t i = 0; i < number; i++) {
            grown[i] = i < build->param_count ? build->param_types[i] : SQL_UNKNOWN;
        }
        build->param_types = grown;
        build->param_count = number;
    }
    enum sql_type type = build->param_types[number - 1];
    struct sql_expr *expr = sql_build_node(build, SQL_EXPR_PARAM, type, 0, position);
    expr->param = number - 1;
    *out = expr;
    return STATUS_OK;
}

/* ---- operators ------------------------------------------------------------------------------ */

static enum status make_call(struct sql_build *build, const struct sql_resolved *resolved,
                             struct sql_expr *const *args, uint32_t arg_count, int position,
                             struct sql_expr **out, struct sql_error *error) {
    struct sql_expr *call =
        sql_build_node(build, SQL_EXPR_CALL, resolved->result, arg_count, position);
    call->call.function = resolved->function;
    for (uint32_t i = 0; i < arg_count; i++) {
        TRY(sql_build_implicit(build, args[i], resolved->arg_types[i], &call->args[i], error));
    }
    *out = call;
    return STATUS_OK;
}

enum status sql_build_operator(struct sql_build *build, struct slice name, struct sql_expr *left,
                               struct sql_expr *right, int position, struct sql_expr **out,
                               struct sql_error *error) {
    struct sql_resolved resolved;
    enum sql_type right_type = sql_build_type(build, right);
    enum sql_type left_type = left != NULL ? sql_build_type(build, left) : SQL_UNKNOWN;
    TRY(sql_resolve_operator(name, left != NULL ? &left_type : NULL, right_type, position,
                             &resolved, error));
    struct sql_expr *args[2] = {left != NULL ? left : right, right};
    TRY(make_call(build, &resolved, args, left != NULL ? 2 : 1, position, out, error));
    (*out)->call.is_operator = true;
    return STATUS_OK;
}

/* ---- functions ------------------------------------------------------------------------------ */

static enum status not_an_aggregate(struct slice name, struct sql_call_options options,
                                    int position, struct sql_error *error) {
    int len = (int)name.len;
    const char *text = (const char *)name.data;
    if (options.star) {
        return sql_error_set_at(error, position, SQLSTATE_WRONG_OBJECT_TYPE,
                                "%.*s(*) specified, but %.*s is not an aggregate function", len,
                                text, len, text);
    }
    return sql_error_set_at(error, position, SQLSTATE_WRONG_OBJECT_TYPE,
                            "%s specified, but %.*s is not an aggregate function",
                            options.distinct ? "DISTINCT" : "FILTER", len, text);
}

static bool stop_at_aggregate(void *arg, struct sql_expr *node) {
    int *position = arg;
    if (node->kind != SQL_EXPR_AGGREGATE) return true;
    *position = node->position;
    return false;
}

static enum status build_aggregate(struct sql_build *build, struct slice name,
                                   struct sql_expr **args, const enum sql_type *types,
                                   uint32_t arg_count, struct sql_call_options options,
                                   int position, struct sql_expr **out, struct sql_error *error) {
    const struct sql_aggregate *aggregate;
    enum sql_type arg_types[SQL_FUNCTION_ARGS_MAX];
    for (uint32_t i = 0; i < arg_count; i++) {
        int inner = position;
        if (!sql_expr_walk(args[i], stop_at_aggregate, &inner)) {
            return sql_error_set_at(error, inner, SQLSTATE_GROUPING_ERROR,
                                    "aggregate function calls cannot be nested");
        }
    }
    TRY(sql_resolve_aggregate(name, types, arg_count, options.star, position, &aggregate, arg_types,
                              error));
    struct sql_expr *expr =
        sql_build_node(build, SQL_EXPR_AGGREGATE, aggregate->result, arg_count, position);
    for (uint32_t i = 0; i < arg_count; i++) {
        TRY(sql_build_implicit(build, args[i], arg_types[i], &expr->args[i], error));
    }
    expr->aggregate.aggregate = aggregate;
    expr->aggregate.distinct = options.distinct;
    expr->aggregate.star = options.star;
    if (options.filter != NULL) {
        TRY(sql_build_boolean(build, options.filter, "FILTER", &expr->aggregate.filter, error));
    }
    *out = expr;
    return STATUS_OK;
}

/* int4('7'), text(5): a type's catalog name called like a function is a cast (10.3, step 3). */
static bool is_cast_call(struct slice name, const enum sql_type *types, uint32_t arg_count,
                         enum sql_type *to) {
    if (arg_count != 1 || !sql_type_by_name(name, to)) return false;
    return sql_can_cast(types[0], *to, SQL_CAST_EXPLICIT);
}

static enum status build_extreme(struct sql_build *build, enum sql_expr_kind kind, const char *what,
                                 struct sql_expr **args, uint32_t arg_count, int position,
                                 struct sql_expr **out, struct sql_error *error) {
    struct sql_expr *expr = sql_build_node(build, kind, SQL_UNKNOWN, arg_count, position);
    memcpy(expr->args, args, arg_count * sizeof *args);
    struct sql_typed common;
    TRY(sql_build_common(build, expr->args, arg_count, what, &common, error));
    expr->type = common.type;
    expr->typmod = common.typmod;
    *out = expr;
    return STATUS_OK;
}

/* NULLIF's type is that of its left side as the operator = takes it. */
static enum status build_nullif(struct sql_build *build, struct sql_expr **args, int position,
                                struct sql_expr **out, struct sql_error *error) {
    struct sql_expr *equal;
    TRY(sql_build_operator(build, SLICE_LITERAL("="), args[0], args[1], position, &equal, error));
    struct sql_expr *left = equal->args[0];
    struct sql_expr *expr = sql_build_node(build, SQL_EXPR_NULLIF, left->type, 3, position);
    expr->typmod = left->typmod;
    expr->args[0] = left;
    expr->args[1] = left;
    expr->args[2] = equal->args[1];
    expr->call.function = equal->call.function;
    *out = expr;
    return STATUS_OK;
}

static const struct {
    const char *name, *what;
    enum sql_expr_kind kind;
} special_calls[] = {
    {"coalesce", "COALESCE", SQL_EXPR_COALESCE},
    {"greatest", "GREATEST", SQL_EXPR_GREATEST},
    {"least", "LEAST", SQL_EXPR_LEAST},
};

static enum status build_plain(struct sql_build *build, struct slice name, struct sql_expr **args,
                               const enum sql_type *types, uint32_t arg_count,
                               struct sql_call_options options, int position, struct sql_expr **out,
                               struct sql_error *error) {
    enum sql_type to;
    struct sql_resolved resolved;
    if (!sql_function_exists(name) && is_cast_call(name, types, arg_count, &to)) {
        return sql_build_cast(build, args[0], SQL_TYPED(to), position, out, error);
    }
    TRY(sql_resolve_function(name, types, arg_count, position, &resolved, error));
    if (options.star || options.distinct || options.filter != NULL) {
        return not_an_aggregate(name, options, position, error);
    }
    return make_call(build, &resolved, args, arg_count, position, out, error);
}

enum status sql_build_function(struct sql_build *build, struct slice name, struct sql_expr **args,
                               uint32_t arg_count, struct sql_call_options options, int position,
                               struct sql_expr **out, struct sql_error *error) {
    enum sql_type types[SQL_FUNCTION_ARGS_MAX];
    if (arg_count > SQL_FUNCTION_ARGS_MAX) {
        return sql_error_set_at(error, position, "54023",
                                "cannot pass more than %d arguments to a function",
                                SQL_FUNCTION_ARGS_MAX);
    }
    for (uint32_t i = 0; i < arg_count; i++)
        types[i] = sql_build_type(build, args[i]);
    if (sql_aggregate_exists(name)) {
        return build_aggregate(build, name, args, types, arg_count, options, position, out, error);
    }
    for (size_t i = 0; i < sizeof special_calls / sizeof special_calls[0] && arg_count > 0; i++) {
        if (!slice_equal(name, slice_of_string(special_calls[i].name))) continue;
        return build_extreme(build, special_calls[i].kind, special_calls[i].what, args, arg_count,
                             position, out, error);
    }
    if (arg_count == 2 && slice_equal(name, SLICE_LITERAL("nullif"))) {
        return build_nullif(build, args, position, out, error);
    }
    return build_plain(build, name, args, types, arg_count, options, position, out, error);
}
