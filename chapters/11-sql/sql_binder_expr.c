/* sql_binder_expr.c - expressions: walks a syntax tree and has each node built with its type.
 *
 * Resolution of operators and functions and all casts are sql_build's; here is which builder a node
 * calls, where aggregates may stand, and what a column is called when nobody says. Recursion is
 * bounded by the parser (SQL_DEPTH_MAX). */
#include <assert.h>

#include "mem.h"
#include "sql_binder_internal.h"

/* ---- types ---------------------------------------------------------------------------------- */

/* Types that PostgreSQL has and we have not: a better answer than "does not exist". By the name in
 * the catalog; as format_type prints it where that is another. NULL: not one of these. */
static const char *foreign_type(const char *name) {
    static const struct {
        const char *name, *shown;
    } types[] = {
        {"float4", "real"},
        {"bpchar", "character"},
        {"timestamp", "timestamp without time zone"},
        {"timestamptz", "timestamp with time zone"},
        {"time", "time without time zone"},
        {"timetz", "time with time zone"},
        {"varbit", "bit varying"},
    };
    static const char *const others[] = {
        "char",      "date",        "interval", "bytea",   "json",      "jsonb",     "uuid",
        "xml",       "money",       "bit",      "inet",    "cidr",      "oid",       "name",
        "regclass",  "regtype",     "point",    "serial",  "serial4",   "serial8",   "bigserial",
        "tsvector",  "smallserial", "macaddr",  "regproc", "tsquery",   "int4range", "int8range",
        "daterange", "numrange",    "tsrange",  "box",     "circle",    "line",      "lseg",
        "path",      "polygon",     "jsonpath", "record",  "tstzrange", "pg_lsn",    "void",
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (strcmp(types[i].name, name) == 0) return types[i].shown;
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (strcmp(others[i], name) == 0) return others[i];
    }
    return NULL;
}

enum status bind_type(struct binder *binder, const struct ast_type *type, struct sql_typed *out) {
    bool ours = type->schema == NULL || strcmp(type->schema, "pg_catalog") == 0;
    bool found = ours && sql_type_by_name(slice_of_string(type->name), &out->type);
    const char *foreign = ours && !found ? foreign_type(type->name) : NULL;
    if (foreign != NULL) {
        return sql_error_set_at(binder->error, type->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "type %s is not supported", foreign);
    }
    if (!ours) {
        return sql_error_set_at(binder->error, type->position, "3F000",
                                "schema \"%s\" does not exist", type->schema);
    }
    if (!found) {
        return sql_error_set_at(binder->error, type->position, SQLSTATE_UNDEFINED_OBJECT,
                                "type \"%s\" does not exist", type->name);
    }
    if (type->array) {
        return sql_error_set_at(binder->error, type->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "arrays are not supported");
    }
    return sql_type_make_typmod(out->type, type->modifiers, type->modifier_count, type->position,
                                &out->typmod, binder->error);
}

/* ---- leaves --------------------------------------------------------------------------------- */

static enum status bind_integer(struct binder *binder, const struct ast_expr *expr,
                                struct sql_expr **out) {
    bool small = expr->integer >= INT32_MIN && expr->integer <= INT32_MAX;
    struct sql_datum value = sql_datum_int(small ? SQL_INT4 : SQL_INT8, expr->integer);
    *out = sql_build_const(binder->build, value, expr->position);
    return STATUS_OK;
}

static enum status bind_leaf(struct binder *binder, const struct ast_expr *expr,
                             struct sql_expr **out) {
    switch (expr->kind) {
    case AST_INTEGER:
        return bind_integer(binder, expr, out);
    case AST_NUMERIC:
        return sql_build_number(binder->build, expr->text, expr->position, out, binder->error);
    case AST_STRING:
        *out = sql_build_string(binder->build, expr->text, expr->position);
        return STATUS_OK;
    case AST_BOOLEAN:
        *out = sql_build_const(binder->build, sql_datum_bool(expr->truth), expr->position);
        return STATUS_OK;
    case AST_NULL:
        *out = sql_build_null(binder->build, expr->position);
        return STATUS_OK;
    case AST_PARAM:
        return sql_build_param(binder->build, expr->param_number, expr->position, out,
                               binder->error);
    case AST_COLUMN:
        return bind_column(binder, expr, out);
    case AST_STAR:
        return sql_error_set_at(binder->error, expr->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "references to a whole row are not supported");
    default:
        assert(expr->kind == AST_DEFAULT);
        return sql_error_set_at(binder->error, expr->position, SQLSTATE_SYNTAX_ERROR,
                                "DEFAULT is not allowed in this context");
    }
}

/* ---- operators and predicates --------------------------------------------------------------- */

enum status bind_args(struct binder *binder, const struct ast_expr *expr, struct sql_expr ***out) {
    *out = ARENA_ARRAY(binder->arena, struct sql_expr *, expr->args.count + 1);
    for (size_t i = 0; i < expr->args.count; i++) {
        TRY(bind_expr(binder, expr->args.items[i], &(*out)[i]));
    }
    return STATUS_OK;
}

/* x BETWEEN SYMMETRIC a AND b: between a and b, or between b and a. */
static enum status bind_symmetric(struct binder *binder, const struct ast_expr *expr,
                                  struct sql_expr **args, struct sql_expr **out) {
    struct sql_build *build = binder->build;
    struct sql_expr *both[2];
    TRY(sql_build_between(build, args[0], args[1], args[2], false, expr->position, &both[0],
                          binder->error));
    TRY(sql_build_between(build, args[0], args[2], args[1], false, expr->position, &both[1],
                          binder->error));
    TRY(sql_build_or(build, both, 2, expr->position, out, binder->error));
    if (!expr->negated) return STATUS_OK;
    return sql_build_not(build, *out, expr->position, out, binder->error);
}

static enum status bind_predicate(struct binder *binder, const struct ast_expr *expr,
                                  struct sql_expr **args, struct sql_expr **out) {
    struct sql_build *build = binder->build;
    struct sql_error *error = binder->error;
    int at = expr->position;
    bool negated = expr->negated;
    switch (expr->kind) {
    case AST_IS_NULL:
        return sql_build_test(build, SQL_EXPR_IS_NULL, negated, false, args[0], at, out, error);
    case AST_IS_UNKNOWN:
        return sql_build_test(build, SQL_EXPR_IS_NULL, negated, true, args[0], at, out, error);
    case AST_IS_TRUE:
        return sql_build_test(build, SQL_EXPR_IS_TRUE, negated, false, args[0], at, out, error);
    case AST_IS_FALSE:
        return sql_build_test(build, SQL_EXPR_IS_FALSE, negated, false, args[0], at, out, error);
    case AST_DISTINCT_FROM:
        return sql_build_distinct(build, args[0], args[1], negated, at, out, error);
    case AST_BETWEEN:
        if (expr->symmetric) return bind_symmetric(binder, expr, args, out);
        return sql_build_between(build, args[0], args[1], args[2], negated, at, out, error);
    default:
        assert(expr->kind == AST_IN);
        return sql_build_in(build, args[0], args + 1, (uint32_t)(expr->args.count - 1), negated, at,
                            out, error);
    }
}

static enum status bind_operator(struct binder *binder, const struct ast_expr *expr,
                                 struct sql_expr **args, struct sql_expr **out) {
    struct sql_build *build = binder->build;
    struct sql_error *error = binder->error;
    uint32_t count = (uint32_t)expr->args.count;
    switch (expr->kind) {
    case AST_UNARY:
        return sql_build_operator(build, slice_of_string(expr->op), NULL, args[0], expr->position,
                                  out, error);
    case AST_BINARY:
        return sql_build_operator(build, slice_of_string(expr->op), args[0], args[1],
                                  expr->position, out, error);
    case AST_AND:
        return sql_build_and(build, args, count, expr->position, out, error);
    case AST_OR:
        return sql_build_or(build, args, count, expr->position, out, error);
    default:
        assert(expr->kind == AST_NOT);
        return sql_build_not(build, args[0], expr->position, out, error);
    }
}

/* ---- calls ---------------------------------------------------------------------------------- */

static bool is_aggregate(const struct ast_expr *expr) {
    return sql_aggregate_exists(slice_of_string(expr->name));
}

/* Called with the aggregate that was just built. */
static enum status check_aggregate(struct binder *binder, const struct sql_expr *aggregate) {
    struct block *block = binder->block;
    for (uint32_t i = 0; i < aggregate->arg_count; i++) {
        const struct sql_expr *inner = bound_find_aggregate(aggregate->args[i]);
        if (inner == NULL) continue;
        return sql_error_set_at(binder->error, inner->position, SQLSTATE_GROUPING_ERROR,
                                "aggregate function calls cannot be nested");
    }
    if (block->clause != NULL) {
        return sql_error_set_at(binder->error, aggregate->position, SQLSTATE_GROUPING_ERROR,
                                "aggregate functions are not allowed in %s", block->clause);
    }
    block->has_aggregates = true;
    return STATUS_OK;
}

static enum status bind_filter(struct binder *binder, const struct ast_expr *expr,
                               struct sql_expr **out) {
    struct sql_expr *filter = NULL;
    TRY(bind_expr_in(binder, expr, "FILTER", &filter));
    return sql_build_boolean(binder->build, filter, "FILTER", out, binder->error);
}

static enum status bind_call(struct binder *binder, const struct ast_expr *expr,
                             struct sql_expr **out) {
    struct sql_call_options options = {.distinct = expr->distinct, .star = expr->star};
    struct sql_expr **args = NULL;
    TRY(bind_args(binder, expr, &args));
    if (expr->filter != NULL) TRY(bind_filter(binder, expr->filter, &options.filter));
    if (expr->schema != NULL && strcmp(expr->schema, "pg_catalog") != 0) {
        return sql_error_set_at(binder->error, expr->position, "3F000",
                                "schema \"%s\" does not exist", expr->schema);
    }
    if (expr->args.count > SQL_FUNCTION_ARGS_MAX) {
        return sql_error_set_at(binder->error, expr->position, "54023",
                                "cannot pass more than %d arguments to a function",
                                SQL_FUNCTION_ARGS_MAX);
    }
    TRY(sql_build_function(binder->build, slice_of_string(expr->name), args,
                           (uint32_t)expr->args.count, options, expr->position, out,
                           binder->error));
    if (is_aggregate(expr) && (*out)->kind == SQL_EXPR_AGGREGATE) {
        return check_aggregate(binder, *out);
    }
    return STATUS_OK;
}

static enum status bind_conditional(struct binder *binder, const struct ast_expr *expr,
                                    struct sql_expr **args, struct sql_expr **out) {
    static const struct sql_call_options none = {0};
    const char *name = bind_output_name(expr);
    return sql_build_function(binder->build, slice_of_string(name), args,
                              (uint32_t)expr->args.count, none, expr->position, out, binder->error);
}

static enum status bind_case(struct binder *binder, const struct ast_expr *expr,
                             struct sql_expr **out) {
    uint32_t count = (uint32_t)(expr->args.count / 2);
    struct sql_expr *operand = NULL;
    struct sql_expr *otherwise = NULL;
    struct sql_expr **whens = ARENA_ARRAY(binder->arena, struct sql_expr *, count);
    struct sql_expr **thens = ARENA_ARRAY(binder->arena, struct sql_expr *, count);
    if (expr->operand != NULL) TRY(bind_expr(binder, expr->operand, &operand));
    for (uint32_t i = 0; i < count; i++) {
        TRY(bind_expr(binder, expr->args.items[2 * i], &whens[i]));
        TRY(bind_expr(binder, expr->args.items[2 * i + 1], &thens[i]));
    }
    if (expr->else_result != NULL) TRY(bind_expr(binder, expr->else_result, &otherwise));
    return sql_build_case(binder->build, operand, whens, thens, count, otherwise, expr->position,
                          out, binder->error);
}

static enum status bind_cast(struct binder *binder, const struct ast_expr *expr,
                             struct sql_expr **out) {
    struct sql_typed type;
    struct sql_expr *arg = NULL;
    TRY(bind_type(binder, expr->type, &type));
    TRY(bind_expr(binder, expr->args.items[0], &arg));
    return sql_build_cast(binder->build, arg, type, expr->position, out, binder->error);
}

/* ---- any expression ------------------------------------------------------------------------- */

static enum status bind_inner(struct binder *binder, const struct ast_expr *expr,
                              struct sql_expr **out) {
    struct sql_expr **args = NULL;
    TRY(bind_args(binder, expr, &args));
    switch (expr->kind) {
    case AST_UNARY:
    case AST_BINARY:
    case AST_AND:
    case AST_OR:
    case AST_NOT:
        return bind_operator(binder, expr, args, out);
    case AST_COALESCE:
    case AST_NULLIF:
    case AST_GREATEST:
    case AST_LEAST:
        return bind_conditional(binder, expr, args, out);
    default:
        return bind_predicate(binder, expr, args, out);
    }
}

static enum status bind_node(struct binder *binder, const struct ast_expr *expr,
                             struct sql_expr **out) {
    if (expr->kind <= AST_DEFAULT) return bind_leaf(binder, expr, out);
    if (expr->kind == AST_CASE) return bind_case(binder, expr, out);
    if (expr->kind == AST_CAST) return bind_cast(binder, expr, out);
    if (expr->kind == AST_CALL) return bind_call(binder, expr, out);
    if (is_row_comparison(expr)) return bind_row_comparison(binder, expr, out);
    if (expr->kind == AST_ROW) {
        return sql_error_set_at(binder->error, expr->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "row expressions are not supported here");
    }
    return bind_inner(binder, expr, out);
}

/* Counts what has arguments, until *left is used up. */
static bool count_nodes(const struct sql_expr *expr, uint32_t *left) {
    if (expr->arg_count == 0) return true;
    if (*left == 0) return false;
    (*left)--;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!count_nodes(expr->args[i], left)) return false;
    }
    return true;
}

/* BETWEEN and CASE use an operand several times: nested in each other they make trees that are
 * exponentially larger than the text. Whoever walks a bound tree relies on this limit. */
enum status bind_expr(struct binder *binder, const struct ast_expr *expr, struct sql_expr **out) {
    if (expr->kind <= AST_DEFAULT) return bind_leaf(binder, expr, out);
    binder->nesting++;
    enum status status = bind_node(binder, expr, out);
    binder->nesting--;
    if (status != STATUS_OK || binder->nesting > 0) return status;
    if (count_nodes(*out, &binder->nodes_left)) return STATUS_OK;
    return sql_error_set_at(binder->error, expr->position, SQLSTATE_STATEMENT_TOO_COMPLEX,
                            "an expression has more than %d parts", BIND_NODES_MAX);
}

enum status bind_expr_in(struct binder *binder, const struct ast_expr *expr, const char *clause,
                         struct sql_expr **out) {
    const char *outer = binder->block->clause;
    binder->block->clause = clause;
    enum status status = bind_expr(binder, expr, out);
    binder->block->clause = outer;
    return status;
}

static void append_conjuncts(struct binder *binder, struct sql_expr *expr, struct sql_expr ***list,
                             uint32_t *count) {
    if (expr->kind != SQL_EXPR_AND) {
        BIND_APPEND(binder, *list, *count, expr);
        return;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        append_conjuncts(binder, expr->args[i], list, count);
    }
}

enum status bind_condition(struct binder *binder, const struct ast_expr *expr, const char *clause,
                           const char *aggregate_clause, struct sql_expr ***list, uint32_t *count) {
    struct sql_expr *condition = NULL;
    TRY(bind_expr_in(binder, expr, aggregate_clause, &condition));
    TRY(sql_build_boolean(binder->build, condition, clause, &condition, binder->error));
    append_conjuncts(binder, condition, list, count);
    return STATUS_OK;
}

/* ---- looking at what was built -------------------------------------------------------------- */

const struct sql_expr *bound_find_aggregate(const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_AGGREGATE) return expr;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const struct sql_expr *found = bound_find_aggregate(expr->args[i]);
        if (found != NULL) return found;
    }
    return NULL;
}

const struct sql_expr *bound_find_column(const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_COLUMN) return expr;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const struct sql_expr *found = bound_find_column(expr->args[i]);
        if (found != NULL) return found;
    }
    return NULL;
}

int bound_start(const struct sql_expr *expr) {
    int start = expr->position;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        int first = bound_start(expr->args[i]);
        if (first > 0 && (start == 0 || first < start)) start = first;
    }
    return start;
}

/* ---- names of outputs ----------------------------------------------------------------------- */

/* A name and how good it is: 0 none, 1 better than nothing, 2 certain. */
static int figure_name(const struct ast_expr *expr, const char **name) {
    int strength = 0;
    switch (expr->kind) {
    case AST_COLUMN:
    case AST_CALL:
        *name = expr->name;
        return 2;
    case AST_CAST:
        strength = figure_name(expr->args.items[0], name);
        if (strength > 1) return strength;
        *name = expr->type->name;
        return 1;
    case AST_CASE:
        if (expr->else_result != NULL) strength = figure_name(expr->else_result, name);
        if (strength > 1) return strength;
        *name = "case";
        return 1;
    case AST_COALESCE:
        *name = "coalesce";
        return 2;
    case AST_NULLIF:
        *name = "nullif";
        return 2;
    case AST_GREATEST:
        *name = "greatest";
        return 2;
    case AST_LEAST:
        *name = "least";
        return 2;
    default:
        return 0;
    }
}

const char *bind_output_name(const struct ast_expr *expr) {
    const char *name = "?column?";
    (void)figure_name(expr, &name);
    return name;
}
