/* sql_planner.c - plans a statement: what stands on top of the joins, from grouping to LIMIT.
 *
 * The stack of a query, from below: joins and filters, AGGREGATE, FILTER (HAVING), PROJECT (the
 * select list and what is only sorted by), DISTINCT, SORT, LIMIT, PROJECT (the visible columns).
 * Whatever would do nothing is left out. */
#include "sql_planner.h"

#include <assert.h>

#include "sql_planner_internal.h"

/* ---- nodes ---------------------------------------------------------------------------------- */

struct sql_plan *planner_node(struct planner *planner, enum sql_plan_kind kind,
                              struct sql_plan *left, struct sql_plan *right) {
    struct sql_plan *plan = ARENA_NEW(planner->arena, struct sql_plan);
    plan->kind = kind;
    plan->left = left;
    plan->right = right;
    return plan;
}

void planner_same_columns(struct sql_plan *plan) {
    plan->columns = plan->left->columns;
    plan->column_count = plan->left->column_count;
}

struct sql_plan *planner_filter(struct planner *planner, struct sql_plan *input,
                                struct sql_expr *condition) {
    if (condition == NULL) return input;
    if (input->kind == SQL_PLAN_SCAN && input->scan.filter == NULL) {
        input->scan.filter = condition;
        planner_estimate(input);
        return input;
    }
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_FILTER, input, NULL);
    plan->filter = condition;
    planner_same_columns(plan);
    planner_estimate(plan);
    return plan;
}

/* ---- the conditions ------------------------------------------------------------------------- */

static bool is_never(const struct sql_expr *expr) {
    return expr->kind == SQL_EXPR_CONST && (expr->constant.is_null || !expr->constant.boolean);
}

static bool is_always(const struct sql_expr *expr) {
    return expr->kind == SQL_EXPR_CONST && !expr->constant.is_null && expr->constant.boolean;
}

/* Folding may turn one conjunct into several (or none). */
static void add_folded(struct planner *planner, struct sql_expr *expr) {
    if (expr->kind == SQL_EXPR_AND) {
        for (uint32_t i = 0; i < expr->arg_count; i++)
            add_folded(planner, expr->args[i]);
        return;
    }
    if (is_always(expr)) return;
    if (is_never(expr)) planner->never = true;
    planner_add_conjunct(planner, expr);
}

/* Which columns the part above the joins uses. */
static void need_above(struct planner *planner) {
    const struct bound_select *select = planner->select;
    for (uint32_t i = 0; i < select->output_count; i++) {
        if (select->outputs[i].expr != NULL) planner_need(planner, select->outputs[i].expr);
    }
    for (uint32_t i = 0; i < select->group_count; i++)
        planner_need(planner, select->groups[i]);
    if (select->having != NULL) planner_need(planner, select->having);
}

enum status planner_init(struct planner *planner, struct arena *arena,
                         const struct bound_select *select, struct sql_error *error) {
    *planner = (struct planner){.arena = arena, .error = error, .select = select};
    if (select->relation_count > PLANNER_RELATIONS_MAX) {
        return sql_error_set(error, SQLSTATE_STATEMENT_TOO_COMPLEX,
                             "a query joins at most %d tables", PLANNER_RELATIONS_MAX);
    }
    for (uint32_t i = 0; i < select->conjunct_count; i++) {
        add_folded(planner, sql_expr_fold(arena, select->conjuncts[i]));
    }
    for (uint32_t i = 0; i < select->relation_count; i++) {
        planner->needed[i] = ARENA_ARRAY(arena, bool, select->relations[i].column_count + 1);
    }
    need_above(planner);
    planner_derive(planner);
    return STATUS_OK;
}

/* ---- VALUES --------------------------------------------------------------------------------- */

static void output_columns(struct planner *planner, struct sql_plan *plan, uint32_t count) {
    const struct bound_select *select = planner->select;
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const struct bound_column *column = &select->outputs[i].column;
        columns[i] = (struct sql_plan_column){.type = column->type, .name = column->name};
    }
    plan->columns = columns;
    plan->column_count = count;
}

static struct sql_plan *plan_values(struct planner *planner) {
    const struct bound_select *select = planner->select;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_VALUES, NULL, NULL);
    output_columns(planner, plan, select->output_count);
    for (size_t i = 0; i < select->row_count; i++) {
        for (uint32_t j = 0; j < select->output_count; j++) {
            struct sql_expr **value = &select->rows[i][j];
            if ((*value)->kind != SQL_EXPR_CONST) *value = sql_expr_fold(planner->arena, *value);
        }
    }
    plan->values.rows = select->rows;
    plan->values.row_count = select->row_count;
    planner_estimate(plan);
    return plan;
}

/* No rows, but with the columns that the part above wants. */
static void plan_never(struct planner *planner, struct planned *out) {
    const struct bound_select *select = planner->select;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_VALUES, NULL, NULL);
    uint32_t total = 0;
    for (uint32_t i = 0; i < select->relation_count; i++) {
        total += select->relations[i].column_count;
    }
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, total + 1);
    out->layout = ARENA_ARRAY(planner->arena, struct layout_column, total + 1);
    for (uint32_t i = 0; i < select->relation_count; i++) {
        for (uint32_t j = 0; j < select->relations[i].column_count; j++) {
            const struct bound_column *column = &select->relations[i].columns[j];
            if (!planner->needed[i][j]) continue;
            out->layout[plan->column_count] = (struct layout_column){i, j};
            columns[plan->column_count++] =
                (struct sql_plan_column){column->type, column->name, select->relations[i].name};
        }
    }
    plan->columns = columns;
    planner_estimate(plan);
    out->plan = plan;
}

/* ---- grouping ------------------------------------------------------------------------------- */

/* The aggregates of outputs and HAVING, each once. */
struct aggregates {
    struct sql_expr **items;
    uint32_t count, capacity;
};

static void collect_aggregates(struct planner *planner, struct sql_expr *expr,
                               struct aggregates *list) {
    if (expr->kind != SQL_EXPR_AGGREGATE) {
        for (uint32_t i = 0; i < expr->arg_count; i++) {
            collect_aggregates(planner, expr->args[i], list);
        }
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        if (sql_expr_equal(list->items[i], expr)) return;
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity * 2 + 4;
        struct sql_expr **larger = ARENA_ARRAY(planner->arena, struct sql_expr *, capacity);
        if (list->count > 0) memcpy(larger, list->items, sizeof(*larger) * list->count);
        list->items = larger;
        list->capacity = capacity;
    }
    list->items[list->count++] = expr;
}

/* What stands above the grouping, over the columns of the AGGREGATE node. */
static struct sql_expr *above_groups(struct planner *planner, const struct sql_expr *expr,
                                     const struct aggregates *aggregates,
                                     const struct sql_plan *plan) {
    const struct bound_select *select = planner->select;
    for (uint32_t i = 0; i < select->group_count; i++) {
        if (sql_expr_equal(select->groups[i], expr)) return planner_column(planner, plan, i);
    }
    for (uint32_t i = 0; i < aggregates->count && expr->kind == SQL_EXPR_AGGREGATE; i++) {
        if (!sql_expr_equal(aggregates->items[i], expr)) continue;
        return planner_column(planner, plan, select->group_count + i);
    }
    assert(expr->kind != SQL_EXPR_COLUMN && expr->kind != SQL_EXPR_AGGREGATE);
    struct sql_expr *copy = arena_dup(planner->arena, expr, sizeof(*expr));
    copy->args = ARENA_ARRAY(planner->arena, struct sql_expr *, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        copy->args[i] = above_groups(planner, expr->args[i], aggregates, plan);
    }
    return copy;
}

static struct sql_plan *aggregate_node(struct planner *planner, const struct planned *input,
                                       const struct aggregates *aggregates) {
    const struct bound_select *select = planner->select;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_AGGREGATE, input->plan, NULL);
    struct sql_plan_aggregate *node = &plan->aggregate;
    uint32_t count = select->group_count + aggregates->count;
    struct sql_plan_column *columns =
        ARENA_ARRAY(planner->arena, struct sql_plan_column, count + 1);
    node->groups = ARENA_ARRAY(planner->arena, struct sql_expr *, select->group_count + 1);
    node->aggregates = ARENA_ARRAY(planner->arena, struct sql_expr *, aggregates->count + 1);
    node->group_count = select->group_count;
    node->aggregate_count = aggregates->count;
    for (uint32_t i = 0; i < count; i++) {
        bool group = i < select->group_count;
        const struct sql_expr *bound =
            group ? select->groups[i] : aggregates->items[i - select->group_count];
        struct sql_expr *expr = sql_expr_fold(planner->arena, planner_remap(planner, bound, input));
        columns[i] = (struct sql_plan_column){.type = {bound->type, bound->typmod}};
        if (group) {
            node->groups[i] = expr;
        } else {
            node->aggregates[i - select->group_count] = expr;
        }
        if (expr->kind == SQL_EXPR_COLUMN) columns[i] = input->plan->columns[expr->column.index];
    }
    plan->columns = columns;
    plan->column_count = count;
    planner_estimate(plan);
    return plan;
}

/* The outputs, over the columns of what *plan becomes: grouped and filtered by HAVING if need
 * be. */
static struct sql_expr **plan_groups(struct planner *planner, const struct planned *input,
                                     struct sql_plan **plan) {
    const struct bound_select *select = planner->select;
    struct sql_expr **outputs =
        ARENA_ARRAY(planner->arena, struct sql_expr *, select->output_count + 1);
    struct aggregates aggregates = {0};
    if (select->grouped) {
        for (uint32_t i = 0; i < select->output_count; i++) {
            collect_aggregates(planner, select->outputs[i].expr, &aggregates);
        }
        if (select->having != NULL) collect_aggregates(planner, select->having, &aggregates);
        *plan = aggregate_node(planner, input, &aggregates);
    }
    const struct sql_plan *groups = *plan;
    for (uint32_t i = 0; i < select->output_count; i++) {
        const struct sql_expr *expr = select->outputs[i].expr;
        outputs[i] = select->grouped ? above_groups(planner, expr, &aggregates, groups)
                                     : planner_remap(planner, expr, input);
        outputs[i] = sql_expr_fold(planner->arena, outputs[i]);
    }
    if (select->having != NULL) {
        struct sql_expr *having = above_groups(planner, select->having, &aggregates, groups);
        having = sql_expr_fold(planner->arena, having);
        if (!is_always(having)) *plan = planner_filter(planner, *plan, having);
    }
    return outputs;
}

/* ---- select list, order, limits ------------------------------------------------------------- */

static bool is_identity(struct sql_expr *const *exprs, uint32_t count,
                        const struct sql_plan *input) {
    if (count != input->column_count) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (exprs[i]->kind != SQL_EXPR_COLUMN || exprs[i]->column.index != i) return false;
    }
    return true;
}

static struct sql_plan *plan_project(struct planner *planner, struct sql_plan *input,
                                     struct sql_expr **exprs, uint32_t count) {
    if (is_identity(exprs, count, input)) return input;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_PROJECT, input, NULL);
    plan->project.exprs = exprs;
    output_columns(planner, plan, count);
    planner_estimate(plan);
    return plan;
}

/* Does the scan below give the order already, forwards or backwards? Key columns that are fixed to
 * one value are in any order. Then *reverse says which way. */
static bool is_sorted(const struct planner *planner, const struct sql_plan_scan *scan,
                      bool *reverse) {
    const struct bound_select *select = planner->select;
    const struct sql_table *table = scan->table;
    uint32_t at = 0; /* of the key */
    bool directed = false;
    *reverse = false;
    for (uint32_t i = 0; i < select->order_count; i++) {
        const struct sql_sort_key *sort = &select->order[i];
        const struct sql_expr *expr = planner_strip(select->outputs[sort->column].expr);
        if (expr->kind != SQL_EXPR_COLUMN) return false;
        bool fixed = false;
        for (uint32_t j = 0; j < scan->bounds.equal_count; j++) {
            if (scan->bounds.equal[j].count == 1 && table->key[j] == expr->column.index)
                fixed = true;
        }
        if (fixed) continue;
        while (at < scan->bounds.equal_count && scan->bounds.equal[at].count == 1)
            at++;
        if (at == table->key_count) return true; /* at most one row for what is fixed so far */
        if (table->key[at] != expr->column.index) return false;
        if (directed && sort->descending != *reverse) return false;
        directed = true;
        *reverse = sort->descending;
        if (++at == table->key_count) return true; /* unique: nothing is left to be ordered */
    }
    return true;
}

/* The scan that the rows come from in order, if there is nothing but filters above it. */
static struct sql_plan *ordered_scan(const struct bound_select *select, struct sql_plan *plan) {
    if (select->grouped || select->distinct) return NULL;
    while (plan->kind == SQL_PLAN_FILTER)
        plan = plan->left;
    return plan->kind == SQL_PLAN_SCAN && select->relation_count == 1 ? plan : NULL;
}

static struct sql_plan *plan_sort(struct planner *planner, struct sql_plan *input) {
    const struct bound_select *select = planner->select;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_SORT, input, NULL);
    plan->sort = (struct sql_plan_sort){.keys = select->order,
                                        .key_count = select->order_count,
                                        .limit = select->limit,
                                        .offset = select->offset};
    if (select->limit == NULL) plan->sort.offset = NULL;
    planner_same_columns(plan);
    planner_estimate(plan);
    return plan;
}

/* `scan`: what feeds the rows one by one up to here, to be told how many will do. */
static struct sql_plan *plan_limit(struct planner *planner, struct sql_plan *input,
                                   struct sql_plan *scan) {
    const struct bound_select *select = planner->select;
    struct sql_plan *plan = planner_node(planner, SQL_PLAN_LIMIT, input, NULL);
    plan->limit = (struct sql_plan_limit){.limit = select->limit, .offset = select->offset};
    if (scan != NULL && scan->scan.filter == NULL && select->limit != NULL) {
        scan->scan.limit = select->limit;
        scan->scan.offset = select->offset;
    }
    planner_same_columns(plan);
    planner_estimate(plan);
    return plan;
}

/* Takes away what was only sorted by. */
static struct sql_plan *plan_visible(struct planner *planner, struct sql_plan *input) {
    uint32_t count = planner->select->visible_count;
    struct sql_expr **exprs = ARENA_ARRAY(planner->arena, struct sql_expr *, count + 1);
    for (uint32_t i = 0; i < count; i++)
        exprs[i] = planner_column(planner, input, i);
    return plan_project(planner, input, exprs, count);
}

static void fold_limits(struct arena *arena, const struct bound_select *select,
                        struct bound_select *out) {
    *out = *select;
    if (select->limit != NULL) out->limit = sql_expr_fold(arena, select->limit);
    if (select->offset != NULL) out->offset = sql_expr_fold(arena, select->offset);
    bool no_limit =
        out->limit != NULL && out->limit->kind == SQL_EXPR_CONST && out->limit->constant.is_null;
    if (no_limit) out->limit = NULL;
}

enum status planner_select(struct arena *arena, const struct bound_select *select,
                           struct sql_plan **out, struct sql_error *error) {
    struct planner *planner = ARENA_NEW(arena, struct planner);
    struct bound_select *folded = ARENA_NEW(arena, struct bound_select);
    fold_limits(arena, select, folded);
    TRY(planner_init(planner, arena, folded, error));
    if (select->rows != NULL) {
        *out = plan_values(planner);
        return STATUS_OK;
    }
    struct planned input = {0};
    if (planner->never) {
        plan_never(planner, &input);
    } else {
        TRY(planner_joins(planner, false, &input));
    }
    struct sql_plan *plan = input.plan;
    struct sql_expr **outputs = plan_groups(planner, &input, &plan);
    struct sql_plan *scan = ordered_scan(folded, plan);
    plan = plan_project(planner, plan, outputs, folded->output_count);
    if (folded->distinct) {
        plan = planner_node(planner, SQL_PLAN_DISTINCT, plan, NULL);
        planner_same_columns(plan);
        planner_estimate(plan);
    }
    bool reverse = false;
    bool sorted =
        folded->order_count == 0 || (scan != NULL && is_sorted(planner, &scan->scan, &reverse));
    if (sorted && scan != NULL) scan->scan.reverse = reverse;
    if (!sorted) plan = plan_sort(planner, plan);
    if (folded->limit != NULL || folded->offset != NULL) {
        bool direct = sorted && scan != NULL && (plan == scan || plan->left == scan);
        plan = plan_limit(planner, plan, direct ? scan : NULL);
    }
    *out = plan_visible(planner, plan);
    return STATUS_OK;
}

/* ---- writes --------------------------------------------------------------------------------- */

static enum status plan_insert(struct arena *arena, const struct bound_insert *insert,
                               struct sql_plan **out, struct sql_error *error) {
    struct planner planner = {.arena = arena};
    struct sql_plan *source = NULL;
    TRY(planner_select(arena, insert->source, &source, error));
    *out = planner_node(&planner, SQL_PLAN_INSERT, source, NULL);
    (*out)->insert.table = insert->table;
    planner_estimate(*out);
    return STATUS_OK;
}

/* The rows of one table that a condition lets through, to be written. */
static enum status plan_rows(struct planner *planner, bool all_columns, struct planned *out) {
    if (planner->never) {
        plan_never(planner, out);
        return STATUS_OK;
    }
    TRY(planner_joins(planner, all_columns, out));
    struct sql_plan *scan = out->plan;
    while (scan->kind == SQL_PLAN_FILTER)
        scan = scan->left;
    scan->scan.for_write = true;
    return STATUS_OK;
}

static void need_all(struct planner *planner, const struct sql_table *table) {
    for (uint32_t i = 0; i < table->column_count; i++)
        planner->needed[0][i] = true;
}

static bool is_key(const struct sql_table *table, uint32_t column) {
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (table->key[i] == column) return true;
    }
    return false;
}

static enum status plan_update(struct arena *arena, const struct bound_update *update,
                               struct sql_plan **out, struct sql_error *error) {
    struct planner *planner = ARENA_NEW(arena, struct planner);
    struct planned input = {0};
    TRY(planner_init(planner, arena, update->rows, error));
    need_all(planner, update->table);
    TRY(plan_rows(planner, true, &input));
    struct sql_plan_assignment *assignments =
        ARENA_ARRAY(arena, struct sql_plan_assignment, update->assignment_count + 1);
    *out = planner_node(planner, SQL_PLAN_UPDATE, input.plan, NULL);
    for (uint32_t i = 0; i < update->assignment_count; i++) {
        assignments[i].column = update->assignments[i].column;
        assignments[i].value = planner_remap(planner, update->assignments[i].value, &input);
        assignments[i].value = sql_expr_fold(arena, assignments[i].value);
        if (is_key(update->table, assignments[i].column)) (*out)->update.changes_key = true;
    }
    (*out)->update.table = update->table;
    (*out)->update.assignments = assignments;
    (*out)->update.assignment_count = update->assignment_count;
    planner_estimate(*out);
    return STATUS_OK;
}

static enum status plan_delete(struct arena *arena, const struct bound_delete *delete_,
                               struct sql_plan **out, struct sql_error *error) {
    const struct sql_table *table = delete_->table;
    struct planner *planner = ARENA_NEW(arena, struct planner);
    struct planned input = {0};
    TRY(planner_init(planner, arena, delete_->rows, error));
    for (uint32_t i = 0; i < table->key_count; i++)
        planner->needed[0][table->key[i]] = true;
    TRY(plan_rows(planner, false, &input));
    uint32_t *key_columns = ARENA_ARRAY(arena, uint32_t, table->key_count);
    for (uint32_t i = 0; i < table->key_count; i++) {
        while (input.layout[key_columns[i]].index != table->key[i])
            key_columns[i]++;
    }
    *out = planner_node(planner, SQL_PLAN_DELETE, input.plan, NULL);
    (*out)->delete_.table = table;
    (*out)->delete_.key_columns = key_columns;
    planner_estimate(*out);
    return STATUS_OK;
}

enum status sql_plan_statement(struct arena *arena, const struct bound_statement *statement,
                               struct sql_plan **out, struct sql_error *error) {
    switch (statement->kind) {
    case AST_SELECT:
        return planner_select(arena, statement->select, out, error);
    case AST_INSERT:
        return plan_insert(arena, statement->insert, out, error);
    case AST_UPDATE:
        return plan_update(arena, statement->update, out, error);
    default:
        assert(statement->kind == AST_DELETE);
        return plan_delete(arena, statement->delete_, out, error);
    }
}
