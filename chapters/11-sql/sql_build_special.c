/* sql_build_special.c - AND, OR, NOT, IS ..., BETWEEN, IN, CASE. */
#include "sql_build_internal.h"

static enum status build_list(struct sql_build *build, enum sql_expr_kind kind, const char *what,
                              struct sql_expr **args, uint32_t count, int position,
                              struct sql_expr **out, struct sql_error *error) {
    struct sql_expr *expr = sql_build_node(build, kind, SQL_BOOL, count, position);
    for (uint32_t i = 0; i < count; i++) {
        TRY(sql_build_boolean(build, args[i], what, &expr->args[i], error));
    }
    *out = expr;
    return STATUS_OK;
}

enum status sql_build_and(struct sql_build *build, struct sql_expr **args, uint32_t count,
                          int position, struct sql_expr **out, struct sql_error *error) {
    return build_list(build, SQL_EXPR_AND, "AND", args, count, position, out, error);
}

enum status sql_build_or(struct sql_build *build, struct sql_expr **args, uint32_t count,
                         int position, struct sql_expr **out, struct sql_error *error) {
    return build_list(build, SQL_EXPR_OR, "OR", args, count, position, out, error);
}

enum status sql_build_not(struct sql_build *build, struct sql_expr *arg, int position,
                          struct sql_expr **out, struct sql_error *error) {
    return build_list(build, SQL_EXPR_NOT, "NOT", &arg, 1, position, out, error);
}

static const char *test_name(enum sql_expr_kind kind, bool negated, bool is_unknown) {
    if (is_unknown) return negated ? "IS NOT UNKNOWN" : "IS UNKNOWN";
    if (kind == SQL_EXPR_IS_TRUE) return negated ? "IS NOT TRUE" : "IS TRUE";
    return negated ? "IS NOT FALSE" : "IS FALSE";
}

enum status sql_build_test(struct sql_build *build, enum sql_expr_kind kind, bool negated,
                           bool is_unknown, struct sql_expr *arg, int position,
                           struct sql_expr **out, struct sql_error *error) {
    if (kind != SQL_EXPR_IS_NULL || is_unknown) {
        TRY(sql_build_boolean(build, arg, test_name(kind, negated, is_unknown), &arg, error));
    }
    struct sql_expr *expr = sql_build_node(build, kind, SQL_BOOL, 1, position);
    expr->negated = negated;
    expr->args[0] = arg;
    *out = expr;
    return STATUS_OK;
}

enum status sql_build_distinct(struct sql_build *build, struct sql_expr *left,
                               struct sql_expr *right, bool negated, int position,
                               struct sql_expr **out, struct sql_error *error) {
    TRY(sql_build_operator(build, SLICE_LITERAL("="), left, right, position, out, error));
    (*out)->kind = SQL_EXPR_DISTINCT;
    (*out)->negated = negated;
    return STATUS_OK;
}

enum status sql_build_between(struct sql_build *build, struct sql_expr *value, struct sql_expr *low,
                              struct sql_expr *high, bool negated, int position,
                              struct sql_expr **out, struct sql_error *error) {
    struct slice above = negated ? SLICE_LITERAL("<") : SLICE_LITERAL(">=");
    struct slice below = negated ? SLICE_LITERAL(">") : SLICE_LITERAL("<=");
    struct sql_expr *sides[2];
    TRY(sql_build_operator(build, above, value, low, position, &sides[0], error));
    TRY(sql_build_operator(build, below, value, high, position, &sides[1], error));
    if (negated) return sql_build_or(build, sides, 2, position, out, error);
    return sql_build_and(build, sides, 2, position, out, error);
}

/* ---- IN ------------------------------------------------------------------------------------- */

/* Items without a common type: each is compared by the operator that fits it. */
static enum status in_as_comparisons(struct sql_build *build, struct sql_expr *value,
                                     struct sql_expr **items, uint32_t count, bool negated,
                                     int position, struct sql_expr **out, struct sql_error *error) {
    struct slice name = negated ? SLICE_LITERAL("<>") : SLICE_LITERAL("=");
    struct sql_expr **parts = ARENA_ARRAY(build->arena, struct sql_expr *, count);
    for (uint32_t i = 0; i < count; i++) {
        TRY(sql_build_operator(build, name, value, items[i], position, &parts[i], error));
    }
    *out = parts[0];
    if (count == 1) return STATUS_OK;
    if (negated) return sql_build_and(build, parts, count, position, out, error);
    return sql_build_or(build, parts, count, position, out, error);
}

enum status sql_build_in(struct sql_build *build, struct sql_expr *value, struct sql_expr **items,
                         uint32_t count, bool negated, int position, struct sql_expr **out,
                         struct sql_error *error) {
    struct sql_expr *expr = sql_build_node(build, SQL_EXPR_IN, SQL_BOOL, count + 1, position);
    enum sql_type *types = ARENA_ARRAY(build->arena, enum sql_type, count + 1);
    struct sql_error ignored;
    enum sql_type common;
    expr->negated = negated;
    expr->args[0] = value;
    memcpy(expr->args + 1, items, count * sizeof *items);
    for (uint32_t i = 0; i <= count; i++)
        types[i] = sql_build_type(build, expr->args[i]);
    if (count == 1 ||
        sql_resolve_common_type(types, count + 1, "IN", &common, NULL, &ignored) != STATUS_OK) {
        return in_as_comparisons(build, value, items, count, negated, position, out, error);
    }
    for (uint32_t i = 0; i <= count; i++) {
        TRY(sql_build_implicit(build, expr->args[i], common, &expr->args[i], error));
    }
    *out = expr;
    return STATUS_OK;
}

/* ---- CASE ----------------------------------------------------------------------------------- */

static enum status build_condition(struct sql_build *build, struct sql_expr *operand,
                                   struct sql_expr *when, struct sql_expr **out,
                                   struct sql_error *error) {
    if (operand != NULL) {
        TRY(sql_build_operator(build, SLICE_LITERAL("="), operand, when, when->position, &when,
                               error));
    }
    return sql_build_boolean(build, when, "CASE/WHEN", out, error);
}

enum status sql_build_case(struct sql_build *build, struct sql_expr *operand,
                           struct sql_expr **whens, struct sql_expr **thens, uint32_t count,
                           struct sql_expr *otherwise, int position, struct sql_expr **out,
                           struct sql_error *error) {
    struct sql_expr *expr =
        sql_build_node(build, SQL_EXPR_CASE, SQL_UNKNOWN, 2 * count + 1, position);
    if (operand != NULL) TRY(sql_build_output(build, operand, &operand, error));
    /* The common type is sought with ELSE first, as PostgreSQL does: it shows in errors. */
    struct sql_expr **results = ARENA_ARRAY(build->arena, struct sql_expr *, count + 1);
    results[0] = otherwise != NULL ? otherwise : sql_build_null(build, position);
    for (uint32_t i = 0; i < count; i++) {
        TRY(build_condition(build, operand, whens[i], &expr->args[2 * i], error));
        results[i + 1] = thens[i];
    }
    struct sql_typed common;
    TRY(sql_build_common(build, results, count + 1, "CASE", &common, error));
    for (uint32_t i = 0; i < count; i++)
        expr->args[2 * i + 1] = results[i + 1];
    expr->args[2 * count] = results[0];
    expr->type = common.type;
    expr->typmod = common.typmod;
    *out = expr;
    return STATUS_OK;
}
