/* sql_expr.c - bound expressions as trees: walking, comparing, copying, folding constants. */
#include "sql_expr.h"

bool sql_expr_walk(struct sql_expr *expr, bool (*visit)(void *arg, struct sql_expr *node),
                   void *arg) {
    if (!visit(arg, expr)) return false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!sql_expr_walk(expr->args[i], visit, arg)) return false;
    }
    if (expr->kind == SQL_EXPR_AGGREGATE && expr->aggregate.filter != NULL) {
        return sql_expr_walk(expr->aggregate.filter, visit, arg);
    }
    return true;
}

const struct sql_expr *sql_expr_strip_relabel(const struct sql_expr *expr) {
    while (expr->kind == SQL_EXPR_CAST && expr->typmod < 0 &&
           (expr->cast.cast == NULL || expr->cast.cast->function == NULL)) {
        expr = expr->args[0];
    }
    return expr;
}

bool sql_expr_is_runtime_constant(const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_COLUMN || expr->kind == SQL_EXPR_AGGREGATE) return false;
    if (expr->kind == SQL_EXPR_CALL && expr->call.function->volatility == SQL_VOLATILE)
        return false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!sql_expr_is_runtime_constant(expr->args[i])) return false;
    }
    return true;
}

bool sql_expr_is_constant(const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_COLUMN || expr->kind == SQL_EXPR_AGGREGATE) return false;
    if (expr->kind == SQL_EXPR_PARAM) return false;
    if (expr->kind == SQL_EXPR_CALL && expr->call.function->volatility != SQL_IMMUTABLE) {
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (!sql_expr_is_constant(expr->args[i])) return false;
    }
    return true;
}

uint32_t sql_expr_cost(const struct sql_expr *expr) {
    uint32_t cost = expr->kind == SQL_EXPR_CALL;
    if (expr->kind == SQL_EXPR_CAST) cost = sql_expr_strip_relabel(expr) == expr;
    if (expr->kind == SQL_EXPR_IN) cost = expr->arg_count - 1;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        cost += sql_expr_cost(expr->args[i]);
    }
    return cost;
}

/* ---- equality ------------------------------------------------------------------------------- */

/* Not `=`: 1.0 and 1.00 are different constants, because they print differently. */
static bool same_constant(const struct sql_datum *a, const struct sql_datum *b) {
    if (a->is_null || b->is_null) return a->is_null && b->is_null;
    if (sql_datum_compare(a, b) != 0) return false;
    return a->type != SQL_NUMERIC || a->numeric.scale == b->numeric.scale;
}

static bool same_node(const struct sql_expr *a, const struct sql_expr *b) {
    switch (a->kind) {
    case SQL_EXPR_CONST:
        return same_constant(&a->constant, &b->constant);
    case SQL_EXPR_COLUMN:
        return a->column.index == b->column.index && a->column.relation == b->column.relation;
    case SQL_EXPR_PARAM:
        return a->param == b->param;
    case SQL_EXPR_CALL:
        return a->call.function == b->call.function;
    case SQL_EXPR_CAST:
        return a->cast.cast == b->cast.cast && a->cast.context == b->cast.context;
    case SQL_EXPR_AGGREGATE:
        if ((a->aggregate.filter == NULL) != (b->aggregate.filter == NULL)) return false;
        if (a->aggregate.filter != NULL &&
            !sql_expr_equal(a->aggregate.filter, b->aggregate.filter)) {
            return false;
        }
        return a->aggregate.aggregate == b->aggregate.aggregate &&
               a->aggregate.distinct == b->aggregate.distinct &&
               a->aggregate.star == b->aggregate.star;
    default:
        return true;
    }
}

bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b) {
    if (a->kind != b->kind || a->type != b->type || a->typmod != b->typmod) return false;
    if (a->negated != b->negated || a->arg_count != b->arg_count || !same_node(a, b)) return false;
    for (uint32_t i = 0; i < a->arg_count; i++) {
        if (!sql_expr_equal(a->args[i], b->args[i])) return false;
    }
    return true;
}

struct sql_expr *sql_expr_copy(struct arena *arena, const struct sql_expr *expr) {
    struct sql_expr *copy = arena_dup(arena, expr, sizeof *expr);
    copy->args = ARENA_ARRAY(arena, struct sql_expr *, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        copy->args[i] = sql_expr_copy(arena, expr->args[i]);
    }
    if (expr->kind == SQL_EXPR_CONST) copy->constant = sql_datum_dup(arena, &expr->constant);
    if (expr->kind == SQL_EXPR_AGGREGATE && expr->aggregate.filter != NULL) {
        copy->aggregate.filter = sql_expr_copy(arena, expr->aggregate.filter);
    }
    return copy;
}

/* ---- folding -------------------------------------------------------------------------------- */

static bool is_bool_constant(const struct sql_expr *expr, bool value) {
    return expr->kind == SQL_EXPR_CONST && !expr->constant.is_null &&
           expr->constant.boolean == value;
}

static struct sql_expr *make_constant(struct arena *arena, const struct sql_expr *at,
                                      struct sql_datum value) {
    struct sql_expr *constant = ARENA_NEW(arena, struct sql_expr);
    *constant = (struct sql_expr){.kind = SQL_EXPR_CONST,
                                  .type = at->type,
                                  .typmod = at->typmod,
                                  .position = at->position,
                                  .constant = value};
    constant->constant.type = at->type;
    return constant;
}

/* Drops what does not matter (true in AND). A deciding part decides the whole, wherever it stands,
 * as in PostgreSQL: the order of evaluation is not promised. */
static struct sql_expr *fold_and_or(struct arena *arena, struct sql_expr *expr) {
    bool deciding = expr->kind == SQL_EXPR_OR;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (is_bool_constant(expr->args[i], deciding))
            return make_constant(arena, expr, sql_datum_bool(deciding));
        if (!is_bool_constant(expr->args[i], !deciding)) expr->args[kept++] = expr->args[i];
    }
    expr->arg_count = kept;
    if (kept == 0) return make_constant(arena, expr, sql_datum_bool(!deciding));
    return kept == 1 ? expr->args[0] : expr;
}

/* Drops branches that are never taken, and all after one that always is. */
static struct sql_expr *fold_case(struct sql_expr *expr) {
    uint32_t kept = 0;
    uint32_t last = expr->arg_count - 1;
    struct sql_expr *otherwise = expr->args[last];
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        struct sql_expr *when = expr->args[i];
        bool never = is_bool_constant(when, false) ||
                     (when->kind == SQL_EXPR_CONST && when->constant.is_null);
        if (never) continue;
        if (is_bool_constant(when, true)) {
            otherwise = expr->args[i + 1];
            break;
        }
        expr->args[kept++] = when;
        expr->args[kept++] = expr->args[i + 1];
    }
    expr->args[kept++] = otherwise;
    expr->arg_count = kept;
    return kept == 1 ? otherwise : expr;
}

/* A strict function of a NULL is NULL, whatever its other arguments are. */
static bool is_null_call(const struct sql_expr *expr) {
    bool strict = expr->kind == SQL_EXPR_CAST;
    if (expr->kind == SQL_EXPR_CALL) {
        const struct sql_function *function = expr->call.function;
        strict = !function->not_strict && function->volatility != SQL_VOLATILE;
    }
    for (uint32_t i = 0; strict && i < expr->arg_count; i++) {
        const struct sql_expr *arg = expr->args[i];
        if (arg->kind == SQL_EXPR_CONST && arg->constant.is_null) return true;
    }
    return false;
}

/* A constant in place of an expression that is one; the expression itself if evaluating it fails.
 * Not inlined: its error would otherwise lie in every frame of the recursion below. */
__attribute__((noinline)) static struct sql_expr *fold_to_constant(struct arena *arena,
                                                                   struct sql_expr *expr) {
    enum { FOLD_MEMORY_BYTES = 1 << 20 }; /* repeat('x', 1000000000) is not for a plan to keep */
    struct arena scratch;
    arena_init(&scratch, FOLD_MEMORY_BYTES);
    struct sql_eval_context context = {.arena = &scratch};
    struct sql_error ignored;
    struct sql_datum value;
    enum status status = sql_expr_eval_datum(expr, &context, &value, &ignored);
    if (status == STATUS_OK && !scratch.over_budget) {
        expr = make_constant(arena, expr, sql_datum_dup(arena, &value));
    }
    arena_deinit(&scratch);
    return expr;
}

struct sql_expr *sql_expr_fold(struct arena *arena, struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_CONST) return expr;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        expr->args[i] = sql_expr_fold(arena, expr->args[i]);
    }
    if (expr->kind == SQL_EXPR_AND || expr->kind == SQL_EXPR_OR) expr = fold_and_or(arena, expr);
    if (expr->kind == SQL_EXPR_CASE) expr = fold_case(expr);
    if (is_null_call(expr)) return make_constant(arena, expr, sql_datum_null(expr->type));
    bool done = expr->kind == SQL_EXPR_CONST || !sql_expr_is_constant(expr);
    return done ? expr : fold_to_constant(arena, expr);
}
