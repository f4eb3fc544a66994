/* sql_planner_derive.c - conditions that follow from others by way of equal columns.
 *
 * From t.a = u.x and t.a < 5 follows u.x < 5, which may bound the scan of u (SQL:1999 calls such
 * columns equivalent). Only inner joins exist, so that an equality holds for every row that
 * remains. What is derived is redundant: a filter at worst, never wrong. */
#include "sql_planner_internal.h"

enum { DERIVED_MAX = 64 }; /* conditions; the rest of what would follow is left unsaid */

void planner_add_conjunct(struct planner *planner, struct sql_expr *expr) {
    if (planner->conjunct_count == planner->conjunct_capacity) {
        uint32_t capacity = planner->conjunct_capacity * 2 + 8;
        struct conjunct *larger = ARENA_ARRAY(planner->arena, struct conjunct, capacity);
        if (planner->conjunct_count > 0) {
            memcpy(larger, planner->conjuncts, sizeof(*larger) * planner->conjunct_count);
        }
        planner->conjuncts = larger;
        planner->conjunct_capacity = capacity;
    }
    planner->conjuncts[planner->conjunct_count++] =
        (struct conjunct){.expr = expr, .relations = planner_relations(expr)};
}

/* a = b between columns of one type, of two relations. */
static bool is_equivalence(const struct conjunct *conjunct) {
    const struct sql_expr *expr = conjunct->expr;
    const char *op = planner_operator(expr);
    if (op == NULL || strcmp(op, "=") != 0) return false;
    const struct sql_expr *a = expr->args[0];
    const struct sql_expr *b = expr->args[1];
    return a->kind == SQL_EXPR_COLUMN && b->kind == SQL_EXPR_COLUMN && a->type == b->type &&
           a->column.relation != b->column.relation;
}

/* Which argument of a comparison with runtime constants is the column: its index, or -1. */
static int compared_column(const struct sql_expr *expr) {
    bool in = expr->kind == SQL_EXPR_IN && !expr->negated;
    const char *op = in ? "=" : planner_operator(expr);
    if (op == NULL || strpbrk(op, "=<>") == NULL || strlen(op) > 2 || strcmp(op, "<>") == 0) {
        return -1;
    }
    int column = -1;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (expr->args[i]->kind == SQL_EXPR_COLUMN && column < 0) {
            column = (int)i;
        } else if (!sql_expr_is_runtime_constant(expr->args[i])) {
            return -1;
        }
    }
    return in && column != 0 ? -1 : column;
}

static bool is_known(const struct planner *planner, const struct sql_expr *expr) {
    for (uint32_t i = 0; i < planner->conjunct_count; i++) {
        if (sql_expr_equal(planner->conjuncts[i].expr, expr)) return true;
    }
    return false;
}

/* The condition about `from`, said of `to`. */
static void derive(struct planner *planner, const struct sql_expr *condition, int column,
                   struct sql_expr *from, struct sql_expr *to) {
    if (!sql_expr_equal(condition->args[column], from)) return;
    struct sql_expr *derived = arena_dup(planner->arena, condition, sizeof(*condition));
    derived->args =
        arena_dup(planner->arena, condition->args, sizeof(*derived->args) * condition->arg_count);
    derived->args[column] = to;
    if (!is_known(planner, derived)) planner_add_conjunct(planner, derived);
}

/* Goes on through what it adds, so that a chain of equalities is followed to its end. */
void planner_derive(struct planner *planner) {
    uint32_t limit = planner->conjunct_count + DERIVED_MAX;
    if (planner->select->relation_count < 2 || planner->conjunct_count > DERIVED_MAX) return;
    for (uint32_t i = 0; i < planner->conjunct_count && planner->conjunct_count < limit; i++) {
        const struct sql_expr *condition = planner->conjuncts[i].expr;
        int column = compared_column(condition);
        if (column < 0) continue;
        for (uint32_t j = 0; j < planner->conjunct_count; j++) {
            if (!is_equivalence(&planner->conjuncts[j])) continue;
            struct sql_expr **sides = planner->conjuncts[j].expr->args;
            derive(planner, condition, column, sides[0], sides[1]);
            derive(planner, condition, column, sides[1], sides[0]);
        }
    }
}
