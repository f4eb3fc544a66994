/* sql_planner_expr.c - expressions on their way from (relation, column) to a place in a batch. */
#include <assert.h>

#include "sql_planner_internal.h"

relation_set planner_relations(const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_COLUMN) return (relation_set)1 << expr->column.relation;
    relation_set relations = 0;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        relations |= planner_relations(expr->args[i]);
    if (expr->kind == SQL_EXPR_AGGREGATE && expr->aggregate.filter != NULL) {
        relations |= planner_relations(expr->aggregate.filter);
    }
    return relations;
}

void planner_need(struct planner *planner, const struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_COLUMN) {
        planner->needed[expr->column.relation][expr->column.index] = true;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        planner_need(planner, expr->args[i]);
    if (expr->kind == SQL_EXPR_AGGREGATE && expr->aggregate.filter != NULL) {
        planner_need(planner, expr->aggregate.filter);
    }
}

struct sql_expr *planner_remap(struct planner *planner, const struct sql_expr *expr,
                               const struct planned *input) {
    struct sql_expr *copy = arena_dup(planner->arena, expr, sizeof(*expr));
    if (expr->kind == SQL_EXPR_COLUMN) {
        uint32_t i = 0;
        while (input->layout[i].relation != expr->column.relation ||
               input->layout[i].index != expr->column.index) {
            i++;
            assert(i < input->plan->column_count);
        }
        copy->column.relation = 0;
        copy->column.index = i;
        return copy;
    }
    copy->args = ARENA_ARRAY(planner->arena, struct sql_expr *, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        copy->args[i] = planner_remap(planner, expr->args[i], input);
    }
    if (expr->kind == SQL_EXPR_AGGREGATE && expr->aggregate.filter != NULL) {
        copy->aggregate.filter = planner_remap(planner, expr->aggregate.filter, input);
    }
    return copy;
}

struct sql_expr *planner_conjunction(struct planner *planner, struct sql_expr **list,
                                     uint32_t count) {
    if (count == 0) return NULL;
    if (count == 1) return list[0];
    struct sql_expr *both = ARENA_NEW(planner->arena, struct sql_expr);
    *both =
        (struct sql_expr){.kind = SQL_EXPR_AND, .type = SQL_BOOL, .typmod = -1, .arg_count = count};
    both->args = ARENA_ARRAY(planner->arena, struct sql_expr *, count);
    /* Cheap conditions first, equal ones as written: PostgreSQL's order_qual_clauses. It is seen
     * when a condition fails for rows that another one drops. */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = i;
        for (; at > 0 && sql_expr_cost(both->args[at - 1]) > sql_expr_cost(list[i]); at--) {
            both->args[at] = both->args[at - 1];
        }
        both->args[at] = list[i];
    }
    return both;
}

struct sql_expr *planner_column(struct planner *planner, const struct sql_plan *plan,
                                uint32_t index) {
    const struct sql_plan_column *column = &plan->columns[index];
    struct sql_expr *expr = ARENA_NEW(planner->arena, struct sql_expr);
    *expr = (struct sql_expr){
        .kind = SQL_EXPR_COLUMN, .type = column->type.type, .typmod = column->type.typmod};
    expr->column.index = index;
    expr->column.name = column->name;
    return expr;
}

const struct sql_expr *planner_strip(const struct sql_expr *expr) {
    while (expr->kind == SQL_EXPR_CAST) {
        const struct sql_expr *arg = expr->args[0];
        bool relabel = expr->cast.cast != NULL && expr->cast.cast->function == NULL &&
                       sql_type_storage(expr->type) == sql_type_storage(arg->type);
        bool wider =
            sql_type_is_integer(expr->type) && sql_type_is_integer(arg->type) &&
            sql_type_info(expr->type)->length_bytes > sql_type_info(arg->type)->length_bytes;
        if (expr->typmod >= 0 || (!relabel && !wider)) break;
        expr = arg;
    }
    return expr;
}

const char *planner_operator(const struct sql_expr *expr) {
    if (expr->kind != SQL_EXPR_CALL || !expr->call.is_operator || expr->arg_count != 2) return NULL;
    return expr->call.function->name;
}
