/* sql_planner_scan.c - which part of a table's primary key a condition lets through.
 *
 * Key columns are taken in order: as long as a conjunct says that the column equals one of some
 * values, the values go into bounds.equal; the first column without such a conjunct may still have
 * a lower and an upper bound; there it ends (Selinger et al. 1979: matching index predicates).
 * A conjunct that became a bound is done with, all others stay filters. */
#include "sql_planner_internal.h"

/* What one conjunct says about a key column. */
struct key_term {
    const char *op;         /* "=", "<", "<=", ">", ">="; "=" for IN and OR too */
    struct sql_expr **args; /* the values */
    uint32_t count;
};

/* The column below harmless casts, if it is one of `relation`; else NULL. */
static const struct sql_expr *key_column(const struct sql_expr *expr, uint32_t relation,
                                         uint32_t column) {
    expr = planner_strip(expr);
    bool matches = expr->kind == SQL_EXPR_COLUMN && expr->column.relation == relation &&
                   expr->column.index == column;
    return matches ? expr : NULL;
}

/* Can a value of this expression be found in the column's key order? Casts of the column were
 * looked through, so that types may differ: integers of any size compare alike, and so do texts. */
static bool is_key_value(const struct sql_expr *value, enum sql_type column) {
    if (!sql_expr_is_runtime_constant(value)) return false;
    if (value->type == column) return true;
    if (sql_type_is_integer(value->type) && sql_type_is_integer(column)) return true;
    return sql_type_is_string(value->type) && sql_type_is_string(column);
}

static const char *mirrored(const char *op) {
    if (strcmp(op, "<") == 0) return ">";
    if (strcmp(op, "<=") == 0) return ">=";
    if (strcmp(op, ">") == 0) return "<";
    if (strcmp(op, ">=") == 0) return "<=";
    return op;
}

static bool is_comparison(const char *op) {
    return strcmp(op, "=") == 0 || strcmp(op, "<") == 0 || strcmp(op, "<=") == 0 ||
           strcmp(op, ">") == 0 || strcmp(op, ">=") == 0;
}

static bool match_comparison(struct planner *planner, const struct sql_expr *expr,
                             uint32_t relation, uint32_t column, struct key_term *out) {
    const char *op = planner_operator(expr);
    if (op == NULL || !is_comparison(op)) return false;
    const struct sql_expr *found = key_column(expr->args[0], relation, column);
    struct sql_expr *value = expr->args[1];
    if (found == NULL) {
        found = key_column(expr->args[1], relation, column);
        value = expr->args[0];
        op = mirrored(op);
    }
    if (found == NULL || !is_key_value(value, found->type)) return false;
    *out = (struct key_term){.op = op, .count = 1};
    out->args = ARENA_ARRAY(planner->arena, struct sql_expr *, 1);
    out->args[0] = value;
    return true;
}

static bool match_in(const struct sql_expr *expr, uint32_t relation, uint32_t column,
                     struct key_term *out) {
    if (expr->kind != SQL_EXPR_IN || expr->negated) return false;
    const struct sql_expr *found = key_column(expr->args[0], relation, column);
    if (found == NULL) return false;
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        if (!is_key_value(expr->args[i], found->type)) return false;
    }
    *out = (struct key_term){.op = "=", .args = expr->args + 1, .count = expr->arg_count - 1};
    return true;
}

/* a = 1 OR a = 2 OR a IN (3, 4) */
static bool match_or(struct planner *planner, const struct sql_expr *expr, uint32_t relation,
                     uint32_t column, struct key_term *out) {
    if (expr->kind != SQL_EXPR_OR) return false;
    struct key_term *parts = ARENA_ARRAY(planner->arena, struct key_term, expr->arg_count);
    uint32_t total = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        const struct sql_expr *arm = expr->args[i];
        if (!match_comparison(planner, arm, relation, column, &parts[i]) &&
            !match_in(arm, relation, column, &parts[i])) {
            return false;
        }
        if (strcmp(parts[i].op, "=") != 0) return false;
        total += parts[i].count;
    }
    *out = (struct key_term){.op = "="};
    out->args = ARENA_ARRAY(planner->arena, struct sql_expr *, total);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        for (uint32_t j = 0; j < parts[i].count; j++)
            out->args[out->count++] = parts[i].args[j];
    }
    return true;
}

static bool match(struct planner *planner, const struct sql_expr *expr, uint32_t relation,
                  uint32_t column, struct key_term *out) {
    return match_comparison(planner, expr, relation, column, out) ||
           match_in(expr, relation, column, out) || match_or(planner, expr, relation, column, out);
}

/* An equality for one key column; the shortest list if there are several. */
static struct conjunct *find_equality(struct planner *planner, uint32_t relation, uint32_t column,
                                      struct key_term *out) {
    struct conjunct *best = NULL;
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        struct conjunct *conjunct = &planner->conjuncts[i];
        struct key_term term;
        if (conjunct->used || conjunct->relations != (relation_set)1 << relation) continue;
        if (!match(planner, conjunct->expr, relation, column, &term)) continue;
        if (strcmp(term.op, "=") != 0 || (best != NULL && term.count >= out->count)) continue;
        best = conjunct;
        *out = term;
    }
    return best;
}

/* One bound on each side; further ones stay filters. */
static void find_range(struct planner *planner, uint32_t relation, uint32_t column,
                       struct sql_scan_bounds *bounds) {
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        struct conjunct *conjunct = &planner->conjuncts[i];
        struct key_term term;
        if (conjunct->used || conjunct->relations != (relation_set)1 << relation) continue;
        if (!match_comparison(planner, conjunct->expr, relation, column, &term)) continue;
        bool low = term.op[0] == '>';
        if (term.op[0] == '=' || (low ? bounds->low : bounds->high) != NULL) continue;
        bool inclusive = term.op[1] == '=';
        if (low) {
            bounds->low = term.args[0];
            bounds->low_inclusive = inclusive;
        } else {
            bounds->high = term.args[0];
            bounds->high_inclusive = inclusive;
        }
        conjunct->used = true;
    }
}

static void find_bounds(struct planner *planner, uint32_t relation, struct sql_plan_scan *scan) {
    const struct sql_table *table = scan->table;
    struct sql_key_values *equal =
        ARENA_ARRAY(planner->arena, struct sql_key_values, table->key_count);
    struct sql_scan_bounds *bounds = &scan->bounds;
    size_t points = 1;
    bounds->equal = equal;
    while (bounds->equal_count < table->key_count) {
        uint32_t column = table->key[bounds->equal_count];
        struct key_term term = {0};
        struct conjunct *conjunct = find_equality(planner, relation, column, &term);
        bool affordable = bounds->equal_count == 0 || planner_worth_points(points, term.count);
        if (conjunct == NULL || !affordable) {
            find_range(planner, relation, column, bounds);
            return;
        }
        conjunct->used = true;
        points *= term.count;
        equal[bounds->equal_count++] =
            (struct sql_key_values){.count = term.count, .values = term.args};
    }
    scan->points = true;
}

/* The needed columns in the table's order; all of them for a write. */
static void scan_columns(struct planner *planner, uint32_t relation, bool all,
                         struct planned *out) {
    const struct bound_relation *bound = &planner->select->relations[relation];
    uint32_t *indexes = ARENA_ARRAY(planner->arena, uint32_t, bound->column_count + 1);
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, bound->column_count + 1);
    out->layout = ARENA_ARRAY(planner->arena, struct layout_column, bound->column_count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < bound->column_count; i++) {
        if (!all && !planner->needed[relation][i]) continue;
        columns[count] = (struct sql_plan_column){
            .type = bound->columns[i].type, .name = bound->columns[i].name, .origin = bound->name};
        out->layout[count] = (struct layout_column){relation, i};
        indexes[count++] = i;
    }
    out->plan->columns = columns;
    out->plan->column_count = count;
    out->plan->scan.columns = indexes;
}

struct planned planner_scan(struct planner *planner, uint32_t relation, bool for_write) {
    const struct bound_relation *bound = &planner->select->relations[relation];
    struct planned out = {.relations = (relation_set)1 << relation};
    out.plan = planner_node(planner, SQL_PLAN_SCAN, NULL, NULL);
    out.plan->scan.table = bound->table;
    out.plan->scan.name = bound->name;
    out.plan->scan.for_write = for_write;
    find_bounds(planner, relation, &out.plan->scan);
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        const struct conjunct *conjunct = &planner->conjuncts[i];
        bool mine = (conjunct->relations & out.relations) != 0;
        if (mine && !conjunct->used) planner_need(planner, conjunct->expr);
    }
    scan_columns(planner, relation, for_write, &out);
    planner_estimate(out.plan);
    return out;
}
