/* sql_exec_row.c - operators that pass rows on one batch at a time: result, values, filter,
 * project, limit. */
#include "sql_exec_internal.h"

static uint32_t smaller(uint32_t a, uint64_t b) { return a < b ? a : (uint32_t)b; }

/* ---- result ---------------------------------------------------------------------------------- */

struct result_state {
    bool done;
};

static enum status result_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    node->state = ARENA_NEW(&node->exec->arena, struct result_state);
    return STATUS_OK;
}

static enum status result_next(struct sql_node *node, struct sql_batch **out,
                               struct sql_error *error) {
    (void)error;
    struct result_state *state = node->state;
    *out = state->done ? NULL : &node->batch;
    state->done = true;
    sql_batch_set_rows(&node->batch, 1);
    return STATUS_OK;
}

static void result_rescan(struct sql_node *node) {
    ((struct result_state *)node->state)->done = false;
}

const struct sql_node_ops sql_exec_result = {result_init, result_next, result_rescan, NULL};

/* ---- values ---------------------------------------------------------------------------------- */

struct values_state {
    size_t next_row;
};

static enum status values_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    const struct sql_plan *plan = node->plan;
    node->state = ARENA_NEW(&node->exec->arena, struct values_state);
    uint32_t capacity = smaller(SQL_BATCH_ROWS, plan->values.row_count);
    sql_batch_init(&node->batch, &node->exec->arena, sql_exec_types(node->exec, plan),
                   plan->column_count, capacity > 0 ? capacity : 1);
    return STATUS_OK;
}

static enum status values_next(struct sql_node *node, struct sql_batch **out,
                               struct sql_error *error) {
    struct values_state *state = node->state;
    const struct sql_plan *plan = node->plan;
    uint32_t count = smaller(SQL_BATCH_ROWS, plan->values.row_count - state->next_row);
    arena_reset(&node->scratch);
    for (uint32_t row = 0; row < count; row++) {
        struct sql_expr **exprs = plan->values.rows[state->next_row++];
        for (uint32_t c = 0; c < plan->column_count; c++) {
            struct sql_datum value;
            TRY(sql_expr_eval_datum(exprs[c], &node->context, &value, error));
            sql_column_set(&node->batch.columns[c], row, &value);
        }
        TRY(sql_exec_pause(node, 1, error));
    }
    TRY(sql_exec_check_memory(node, error));
    sql_batch_set_rows(&node->batch, count);
    *out = count > 0 ? &node->batch : NULL;
    return STATUS_OK;
}

static void values_rescan(struct sql_node *node) {
    ((struct values_state *)node->state)->next_row = 0;
}

const struct sql_node_ops sql_exec_values = {values_init, values_next, values_rescan, NULL};

/* ---- filter ---------------------------------------------------------------------------------- */

static enum status filter_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    node->state = sql_expr_state_new(&node->exec->arena, node->plan->filter);
    return STATUS_OK;
}

static enum status filter_next(struct sql_node *node, struct sql_batch **out,
                               struct sql_error *error) {
    do {
        struct sql_batch *input;
        *out = NULL;
        TRY(sql_exec_pull(node, node->left, &input, error));
        if (input == NULL) return STATUS_OK;
        node->batch = *input;
        TRY(sql_expr_filter(node->state, &node->context, &node->batch, sql_exec_rows(node), error));
        TRY(sql_exec_check_memory(node, error));
    } while (node->batch.selection.count == 0);
    *out = &node->batch;
    return STATUS_OK;
}

static void no_progress(struct sql_node *node) { (void)node; }

const struct sql_node_ops sql_exec_filter = {filter_init, filter_next, no_progress, NULL};

/* ---- project --------------------------------------------------------------------------------- */

static enum status project_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    const struct sql_plan *plan = node->plan;
    node->state = sql_exec_exprs(node->exec, plan->project.exprs, plan->column_count);
    node->batch.column_count = plan->column_count;
    node->batch.columns =
        ARENA_ARRAY(&node->exec->arena, struct sql_column, plan->column_count + 1);
    return STATUS_OK;
}

static enum status project_next(struct sql_node *node, struct sql_batch **out,
                                struct sql_error *error) {
    struct sql_expr_state **states = (struct sql_expr_state **)node->state;
    struct sql_batch *input;
    *out = NULL;
    TRY(sql_exec_pull(node, node->left, &input, error));
    if (input == NULL) return STATUS_OK;
    for (uint32_t c = 0; c < node->plan->column_count; c++) {
        const struct sql_column *column;
        TRY(sql_expr_eval(states[c], &node->context, input, &column, error));
        node->batch.columns[c] = *column; /* the arrays are shared, not copied */
    }
    TRY(sql_exec_check_memory(node, error));
    node->batch.row_count = input->row_count;
    node->batch.selection = input->selection;
    *out = &node->batch;
    return STATUS_OK;
}

const struct sql_node_ops sql_exec_project = {project_init, project_next, no_progress, NULL};

/* ---- limit ----------------------------------------------------------------------------------- */

struct limit_state {
    bool known; /* the expressions have been evaluated */
    uint64_t skip, left;
};

static enum status limit_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    node->state = ARENA_NEW(&node->exec->arena, struct limit_state);
    return STATUS_OK;
}

/* Selects `count` rows of the input's selection from the `first` one on. */
static void select_part(struct sql_node *node, const struct sql_batch *input, uint32_t first,
                        uint32_t count) {
    node->batch = *input;
    uint16_t *rows = sql_exec_rows(node);
    for (uint32_t i = 0; i < count; i++) {
        rows[i] = (uint16_t)sql_selected(input->selection, first + i);
    }
    node->batch.selection = (struct sql_selection){rows, count};
}

static enum status limit_next(struct sql_node *node, struct sql_batch **out,
                              struct sql_error *error) {
    struct limit_state *state = node->state;
    const struct sql_plan_limit *limit = &node->plan->limit;
    *out = NULL;
    if (!state->known) {
        TRY(sql_exec_count(node, limit->limit, "LIMIT", UINT64_MAX, &state->left, error));
        TRY(sql_exec_count(node, limit->offset, "OFFSET", 0, &state->skip, error));
        state->known = true;
    }
    while (state->left > 0) {
        struct sql_batch *input;
        TRY(sql_exec_pull(node, node->left, &input, error));
        if (input == NULL) return STATUS_OK;
        uint32_t skipped = smaller(input->selection.count, state->skip);
        uint32_t count = smaller(input->selection.count - skipped, state->left);
        state->skip -= skipped;
        if (count == 0) continue;
        if (state->left != UINT64_MAX) state->left -= count;
        select_part(node, input, skipped, count);
        *out = &node->batch;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static void limit_rescan(struct sql_node *node) {
    ((struct limit_state *)node->state)->known = false;
}

const struct sql_node_ops sql_exec_limit = {limit_init, limit_next, limit_rescan, NULL};
