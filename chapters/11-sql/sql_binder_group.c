/* sql_binder_group.c - ORDER BY, GROUP BY, DISTINCT: what their items mean, and what they forbid.
 *
 * An item is an output's name, an output's number, or an expression: SQL-92's rule first, then
 * SQL-99's, as PostgreSQL's findTargetlistEntrySQL92 has it. */
#include "sql_binder_internal.h"

/* ---- what an item means --------------------------------------------------------------------- */

/* The visible output of that name, or -1; 42702 if two different ones have it. */
static enum status output_by_name(struct binder *binder, const struct ast_expr *name,
                                  const char *clause, int *out) {
    const struct bound_select *select = binder->block->select;
    *out = -1;
    for (uint32_t i = 0; i < select->visible_count; i++) {
        if (strcmp(select->outputs[i].column.name, name->name) != 0) continue;
        if (*out >= 0 && !sql_expr_equal(select->outputs[*out].expr, select->outputs[i].expr)) {
            return sql_error_set_at(binder->error, name->position, SQLSTATE_AMBIGUOUS_COLUMN,
                                    "%s \"%s\" is ambiguous", clause, name->name);
        }
        if (*out < 0) *out = (int)i;
    }
    return STATUS_OK;
}

static enum status output_by_number(struct binder *binder, const struct ast_expr *number,
                                    const char *clause, int *out) {
    const struct bound_select *select = binder->block->select;
    if (number->kind != AST_INTEGER || number->integer != (int32_t)number->integer) {
        return sql_error_set_at(binder->error, number->position, SQLSTATE_SYNTAX_ERROR,
                                "non-integer constant in %s", clause);
    }
    if (number->integer < 1 || number->integer > select->visible_count) {
        return sql_error_set_at(binder->error, number->position, SQLSTATE_INVALID_COLUMN_REFERENCE,
                                "%s position %lld is not in select list", clause,
                                (long long)number->integer);
    }
    *out = (int)number->integer - 1;
    return STATUS_OK;
}

static bool is_constant(const struct ast_expr *item) {
    return item->kind == AST_INTEGER || item->kind == AST_NUMERIC || item->kind == AST_STRING ||
           item->kind == AST_NULL;
}

static bool names_input(const struct binder *binder, const char *name) {
    const struct scope *scope = &binder->block->scope;
    for (size_t i = 0; i < scope->column_count; i++) {
        if (strcmp(scope->columns[i].name, name) == 0) return true;
    }
    return false;
}

/* *output: which output the item is; -1: none, then *expr is a new expression. */
static enum status resolve_item(struct binder *binder, const struct ast_expr *item,
                                const char *clause, bool inputs_first, int *output,
                                struct sql_expr **expr) {
    *output = -1;
    if (item->kind == AST_COLUMN && item->table == NULL &&
        !(inputs_first && names_input(binder, item->name))) {
        TRY(output_by_name(binder, item, clause, output));
        if (*output >= 0) return STATUS_OK;
    }
    if (is_constant(item)) return output_by_number(binder, item, clause, output);
    TRY(bind_expr(binder, item, expr));
    const struct bound_select *select = binder->block->select;
    for (uint32_t i = 0; i < select->output_count; i++) {
        if (!sql_expr_equal(select->outputs[i].expr, *expr)) continue;
        *output = (int)i;
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* ---- ORDER BY ------------------------------------------------------------------------------- */

enum status bind_order(struct binder *binder, const struct ast_select *select) {
    struct bound_select *bound = binder->block->select;
    bound->order = ARENA_ARRAY(binder->arena, struct sql_sort_key, select->order_count + 1);
    for (size_t i = 0; i < select->order_count; i++) {
        const struct ast_order *item = &select->order_by[i];
        int output = -1;
        struct sql_expr *expr = NULL;
        TRY(resolve_item(binder, item->value, "ORDER BY", false, &output, &expr));
        if (output < 0) {
            output = (int)bound->output_count;
            TRY(sql_build_output(binder->build, expr, &expr, binder->error));
            bind_add_output(binder, expr, bind_output_name(item->value));
        }
        struct sql_sort_key key = {.column = (uint32_t)output, .descending = item->descending};
        key.nulls_first =
            item->nulls == AST_NULLS_DEFAULT ? item->descending : item->nulls == AST_NULLS_FIRST;
        bool repeated = false; /* sorting twice by the same changes nothing */
        for (uint32_t j = 0; j < bound->order_count; j++) {
            if (bound->order[j].column == key.column) repeated = true;
        }
        if (!repeated) bound->order[bound->order_count++] = key;
    }
    return STATUS_OK;
}

enum status bind_check_distinct(struct binder *binder) {
    const struct bound_select *bound = binder->block->select;
    if (!bound->distinct) return STATUS_OK;
    for (uint32_t i = 0; i < bound->order_count; i++) {
        if (bound->order[i].column < bound->visible_count) continue;
        const struct sql_expr *expr = bound->outputs[bound->order[i].column].expr;
        return sql_error_set_at(
            binder->error, bound_start(expr), SQLSTATE_INVALID_COLUMN_REFERENCE,
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
    }
    return STATUS_OK;
}

/* ---- GROUP BY ------------------------------------------------------------------------------- */

enum status bind_groups(struct binder *binder, const struct ast_select *select) {
    struct block *block = binder->block;
    struct bound_select *bound = block->select;
    for (size_t i = 0; i < select->group_by.count; i++) {
        const struct ast_expr *item = select->group_by.items[i];
        int output = -1;
        struct sql_expr *expr = NULL;
        const char *outer = block->clause;
        block->clause = "GROUP BY";
        enum status status = resolve_item(binder, item, "GROUP BY", true, &output, &expr);
        block->clause = outer;
        if (status != STATUS_OK) return status;
        if (output >= 0) {
            struct bound_output *found = &bound->outputs[output];
            TRY(sql_build_output(binder->build, found->expr, &found->expr, binder->error));
            expr = found->expr;
        } else {
            TRY(sql_build_output(binder->build, expr, &expr, binder->error));
        }
        const struct sql_expr *aggregate = bound_find_aggregate(expr);
        if (aggregate != NULL) {
            return sql_error_set_at(binder->error, aggregate->position, SQLSTATE_GROUPING_ERROR,
                                    "aggregate functions are not allowed in GROUP BY");
        }
        bool repeated = false;
        for (uint32_t j = 0; j < bound->group_count; j++) {
            if (sql_expr_equal(bound->groups[j], expr)) repeated = true;
        }
        if (!repeated) BIND_APPEND(binder, bound->groups, bound->group_count, expr);
    }
    bound->grouped = select->group_by.count > 0 || select->having != NULL || block->has_aggregates;
    return STATUS_OK;
}

static bool is_group(const struct bound_select *select, const struct sql_expr *expr) {
    for (uint32_t i = 0; i < select->group_count; i++) {
        if (sql_expr_equal(select->groups[i], expr)) return true;
    }
    return false;
}

/* All columns of a table follow from its primary key: if that is grouped by, they may stand alone
 * (SQL-99, feature T301). */
static bool follows_from_key(const struct bound_select *select, const struct sql_expr *column) {
    const struct bound_relation *relation = &select->relations[column->column.relation];
    if (relation->kind != BOUND_TABLE || relation->table->key_name == NULL) return false;
    for (uint32_t i = 0; i < relation->table->key_count; i++) {
        bool grouped = false;
        for (uint32_t j = 0; j < select->group_count; j++) {
            const struct sql_expr *group = select->groups[j];
            if (group->kind == SQL_EXPR_COLUMN &&
                group->column.relation == column->column.relation &&
                group->column.index == relation->table->key[i]) {
                grouped = true;
            }
        }
        if (!grouped) return false;
    }
    return true;
}

static enum status check_grouped(struct binder *binder, struct sql_expr *expr) {
    struct bound_select *select = binder->block->select;
    if (expr->kind == SQL_EXPR_AGGREGATE || is_group(select, expr)) return STATUS_OK;
    if (expr->kind == SQL_EXPR_COLUMN) {
        if (follows_from_key(select, expr)) {
            BIND_APPEND(binder, select->groups, select->group_count, expr);
            return STATUS_OK;
        }
        const struct bound_relation *relation = &select->relations[expr->column.relation];
        return sql_error_set_at(
            binder->error, expr->position, SQLSTATE_GROUPING_ERROR,
            "column \"%s.%s\" must appear in the GROUP BY clause or be used in an aggregate "
            "function",
            relation->name, relation->columns[expr->column.index].name);
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(check_grouped(binder, expr->args[i]));
    return STATUS_OK;
}

enum status bind_check_groups(struct binder *binder) {
    struct bound_select *select = binder->block->select;
    select->grouped = select->grouped || binder->block->has_aggregates;
    if (!select->grouped) return STATUS_OK;
    for (uint32_t i = 0; i < select->output_count; i++) {
        TRY(check_grouped(binder, select->outputs[i].expr));
    }
    return select->having != NULL ? check_grouped(binder, select->having) : STATUS_OK;
}
