/* sql_exec_aggregate.c - grouping by a hash table, and DISTINCT.
 *
 * Groups come out in the order in which they were first seen, so that the same input gives the same
 * output on every node. */
#include <assert.h>

#include "sql_exec_internal.h"

enum { STATE_ALIGNMENT = 16 };

/* One aggregate of the plan. */
struct aggregate {
    const struct sql_expr *expr;
    const struct sql_aggregate *function;
    struct sql_expr_state *args[2];
    struct sql_expr_state *filter; /* NULL: none */
    uint32_t offset;               /* of its state within a group's */
    struct sql_row_store seen;     /* DISTINCT: group number and arguments */
    struct sql_row_index seen_index;
    enum sql_type seen_types[3];
};

struct aggregate_state {
    struct sql_expr_state **groups;
    struct aggregate *aggregates;
    enum sql_type *types;              /* of the output */
    const struct sql_column **columns; /* the groups' values of a batch */
    struct sql_row_store store;        /* groups, in node->memory */
    struct sql_row_index index;
    uint8_t **states; /* by group number */
    uint32_t state_capacity, state_size_bytes;
    struct sql_column numbers; /* group number of each row of a batch, as integers */
    void **row_states;         /* of each selected row */
    uint16_t *narrowed;        /* rows that a FILTER or DISTINCT left */
    uint32_t given, capacity;  /* groups given out; room in the output batch */
    bool done;
};

/* ---- init ------------------------------------------------------------------------------------ */

static void start_seen(struct sql_node *node, struct aggregate *aggregate) {
    uint32_t columns = 1 + aggregate->function->arg_count;
    sql_row_store_init(&aggregate->seen, &node->memory, aggregate->seen_types, columns);
    sql_row_index_init(&aggregate->seen_index, &node->memory);
}

static void init_aggregate(struct sql_node *node, struct aggregate *aggregate,
                           const struct sql_expr *expr) {
    struct aggregate_state *state = node->state;
    struct arena *arena = &node->exec->arena;
    assert(expr->kind == SQL_EXPR_AGGREGATE && expr->arg_count <= 2);
    aggregate->expr = expr;
    aggregate->function = expr->aggregate.aggregate;
    aggregate->seen_types[0] = SQL_INT8;
    for (uint32_t a = 0; a < expr->arg_count; a++) {
        aggregate->args[a] = sql_expr_state_new(arena, expr->args[a]);
        aggregate->seen_types[1 + a] = expr->args[a]->type;
    }
    if (expr->aggregate.filter != NULL) {
        aggregate->filter = sql_expr_state_new(arena, expr->aggregate.filter);
    }
    aggregate->offset = state->state_size_bytes;
    uint32_t size = aggregate->function->state_size_bytes;
    state->state_size_bytes += (size + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
}

static void start(struct sql_node *node) {
    struct aggregate_state *state = node->state;
    sql_row_store_init(&state->store, &node->memory, state->types,
                       node->plan->aggregate.group_count);
    sql_row_index_init(&state->index, &node->memory);
    for (uint32_t a = 0; a < node->plan->aggregate.aggregate_count; a++) {
        start_seen(node, &state->aggregates[a]);
    }
    state->states = NULL;
    state->state_capacity = 0;
    state->given = 0;
    state->done = false;
}

static enum status aggregate_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    const struct sql_plan_aggregate *plan = &node->plan->aggregate;
    struct arena *arena = &node->exec->arena;
    struct aggregate_state *state = ARENA_NEW(arena, struct aggregate_state);
    node->state = state;
    state->groups = sql_exec_exprs(node->exec, plan->groups, plan->group_count);
    state->aggregates = ARENA_ARRAY(arena, struct aggregate, plan->aggregate_count + 1);
    state->types = sql_exec_types(node->exec, node->plan);
    state->columns = ARENA_ARRAY(arena, const struct sql_column *, plan->group_count + 1);
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        init_aggregate(node, &state->aggregates[a], plan->aggregates[a]);
    }
    start(node);
    return STATUS_OK;
}

/* ---- folding a batch ------------------------------------------------------------------------- */

static void *add_group(struct sql_node *node, uint32_t number) {
    struct aggregate_state *state = node->state;
    if (number == state->state_capacity) {
        uint32_t capacity = number == 0 ? 8 : number * 2;
        uint8_t **states = ARENA_ARRAY(&node->memory, uint8_t *, capacity);
        if (number > 0) memcpy(states, state->states, number * sizeof *states);
        state->states = states;
        state->state_capacity = capacity;
    }
    state->states[number] = arena_zalloc(&node->memory, state->state_size_bytes + 1);
    return state->states[number];
}

static void make_scratch(struct sql_node *node, const struct sql_batch *input) {
    struct aggregate_state *state = node->state;
    if (state->numbers.capacity >= input->row_count && state->row_states != NULL) return;
    uint32_t capacity = input->row_count < 8 ? 8 : SQL_BATCH_ROWS;
    sql_column_init(&state->numbers, &node->exec->arena, SQL_INT8, capacity);
    state->row_states = ARENA_ARRAY(&node->exec->arena, void *, capacity);
    state->narrowed = ARENA_ARRAY(&node->exec->arena, uint16_t, capacity);
}

/* Finds or makes the group of each row. */
static enum status find_groups(struct sql_node *node, const struct sql_batch *input,
                               struct sql_error *error) {
    struct aggregate_state *state = node->state;
    uint32_t group_count = node->plan->aggregate.group_count;
    for (uint32_t g = 0; g < group_count; g++) {
        TRY(sql_expr_eval(state->groups[g], &node->context, input, &state->columns[g], error));
    }
    for (uint32_t i = 0; i < input->selection.count; i++) {
        uint32_t row = sql_selected(input->selection, i);
        uint32_t number = 0;
        if (group_count > 0 &&
            sql_row_set_add(&state->store, &state->index, state->columns, row, &number)) {
            (void)add_group(node, number);
        }
        state->numbers.integers[row] = number;
    }
    return STATUS_OK;
}

/* Leaves the rows whose arguments this group has not seen yet. NULLs never count. */
static struct sql_selection leave_unseen(struct aggregate_state *state, struct aggregate *aggregate,
                                         const struct sql_column *const *args,
                                         struct sql_selection rows) {
    const struct sql_column *columns[3] = {&state->numbers, args[0], args[1]};
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        uint32_t number;
        if (sql_column_is_null(args[0], row)) continue;
        if (sql_row_set_add(&aggregate->seen, &aggregate->seen_index, columns, row, &number)) {
            state->narrowed[count++] = (uint16_t)row;
        }
    }
    return (struct sql_selection){state->narrowed, count};
}

static enum status fold(struct sql_node *node, struct aggregate *aggregate,
                        const struct sql_batch *input, struct sql_error *error) {
    struct aggregate_state *state = node->state;
    struct sql_batch batch = *input;
    const struct sql_column *args[2] = {NULL, NULL};
    if (aggregate->filter != NULL) {
        TRY(sql_expr_filter(aggregate->filter, &node->context, &batch, state->narrowed, error));
    }
    for (uint32_t a = 0; a < aggregate->expr->arg_count; a++) {
        TRY(sql_expr_eval(aggregate->args[a], &node->context, &batch, &args[a], error));
    }
    struct sql_selection rows = batch.selection;
    if (aggregate->expr->aggregate.distinct && args[0] != NULL) {
        rows = leave_unseen(state, aggregate, args, rows);
    }
    for (uint32_t i = 0; i < rows.count; i++) {
        int64_t number = state->numbers.integers[sql_selected(rows, i)];
        state->row_states[i] = state->states[number] + aggregate->offset;
    }
    return aggregate->function->update(state->row_states, args, rows, &node->memory, error);
}

static enum status fold_all(struct sql_node *node, struct sql_error *error) {
    struct aggregate_state *state = node->state;
    const struct sql_plan_aggregate *plan = &node->plan->aggregate;
    if (plan->group_count == 0) { /* one group, rows or not */
        (void)sql_row_store_append(&state->store, NULL, 0, 0);
        (void)add_group(node, 0);
    }
    for (;;) {
        struct sql_batch *input;
        TRY(sql_exec_pull(node, node->left, &input, error));
        if (input == NULL) break;
        make_scratch(node, input);
        TRY(find_groups(node, input, error));
        for (uint32_t a = 0; a < plan->aggregate_count; a++) {
            TRY(fold(node, &state->aggregates[a], input, error));
        }
        TRY(sql_exec_check_memory(node, error));
    }
    state->done = true;
    return STATUS_OK;
}

/* ---- giving out ------------------------------------------------------------------------------ */

static enum status give_group(struct sql_node *node, uint32_t row, uint32_t number,
                              struct sql_error *error) {
    struct aggregate_state *state = node->state;
    const struct sql_plan_aggregate *plan = &node->plan->aggregate;
    for (uint32_t g = 0; g < plan->group_count; g++) {
        sql_column_copy(&node->batch.columns[g], row,
                        sql_row_store_column(&state->store, number, g), number % SQL_BATCH_ROWS,
                        NULL);
    }
    for (uint32_t a = 0; a < plan->aggregate_count; a++) {
        const struct aggregate *aggregate = &state->aggregates[a];
        struct sql_column *column = &node->batch.columns[plan->group_count + a];
        struct sql_datum value = {.type = column->type};
        TRY(aggregate->function->finish(state->states[number] + aggregate->offset, &node->scratch,
                                        &value, error));
        sql_column_set(column, row, &value);
    }
    return STATUS_OK;
}

static enum status aggregate_next(struct sql_node *node, struct sql_batch **out,
                                  struct sql_error *error) {
    struct aggregate_state *state = node->state;
    *out = NULL;
    if (!state->done) TRY(fold_all(node, error));
    arena_reset(&node->scratch);
    uint32_t left = state->store.row_count - state->given;
    uint32_t count = left < SQL_BATCH_ROWS ? left : SQL_BATCH_ROWS;
    if (count == 0) return STATUS_OK;
    if (state->capacity < count) {
        sql_batch_init(&node->batch, &node->exec->arena, state->types, node->plan->column_count,
                       count);
        state->capacity = count;
    }
    for (uint32_t row = 0; row < count; row++) {
        TRY(give_group(node, row, state->given++, error));
    }
    sql_batch_set_rows(&node->batch, count);
    *out = &node->batch;
    return sql_exec_pause(node, count, error);
}

static void aggregate_rescan(struct sql_node *node) {
    arena_reset(&node->memory);
    start(node);
}

const struct sql_node_ops sql_exec_aggregate = {aggregate_init, aggregate_next, aggregate_rescan,
                                                NULL};

/* ---- distinct -------------------------------------------------------------------------------- */

struct distinct_state {
    enum sql_type *types;
    const struct sql_column **columns;
    struct sql_row_store store;
    struct sql_row_index index;
};

static void distinct_rescan(struct sql_node *node) {
    struct distinct_state *state = node->state;
    arena_reset(&node->memory);
    sql_row_store_init(&state->store, &node->memory, state->types, node->plan->column_count);
    sql_row_index_init(&state->index, &node->memory);
}

static enum status distinct_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    struct distinct_state *state = ARENA_NEW(&node->exec->arena, struct distinct_state);
    node->state = state;
    state->types = sql_exec_types(node->exec, node->plan);
    state->columns =
        ARENA_ARRAY(&node->exec->arena, const struct sql_column *, node->plan->column_count + 1);
    distinct_rescan(node);
    return STATUS_OK;
}

static enum status distinct_next(struct sql_node *node, struct sql_batch **out,
                                 struct sql_error *error) {
    struct distinct_state *state = node->state;
    uint32_t count = 0;
    *out = NULL;
    while (count == 0) {
        struct sql_batch *input;
        TRY(sql_exec_pull(node, node->left, &input, error));
        if (input == NULL) return STATUS_OK;
        node->batch = *input;
        uint16_t *rows = sql_exec_rows(node);
        for (uint32_t c = 0; c < input->column_count; c++)
            state->columns[c] = &input->columns[c];
        for (uint32_t i = 0; i < input->selection.count; i++) {
            uint32_t row = sql_selected(input->selection, i);
            uint32_t number;
            if (sql_row_set_add(&state->store, &state->index, state->columns, row, &number)) {
                rows[count++] = (uint16_t)row;
            }
        }
        node->batch.selection = (struct sql_selection){rows, count};
        TRY(sql_exec_check_memory(node, error));
    }
    *out = &node->batch;
    return STATUS_OK;
}

const struct sql_node_ops sql_exec_distinct = {distinct_init, distinct_next, distinct_rescan, NULL};
