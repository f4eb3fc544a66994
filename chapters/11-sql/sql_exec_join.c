/* sql_exec_join.c - inner joins: by hash of equal keys, and by trying all pairs.
 *
 * Both keep the rows of the right input in memory and pass over the left one once. */
#include "sql_exec_internal.h"

struct join_state {
    struct sql_row_store store; /* the right rows; of a hash join followed by their keys */
    struct sql_row_index index; /* of a hash join */
    enum sql_type *stored_types;
    uint32_t stored_count;
    struct sql_expr_state **left_keys, **right_keys;
    struct sql_expr_state *condition;
    const struct sql_column **columns, **keys; /* of the batch at hand */
    struct sql_batch *left;                    /* the left rows at hand; NULL: get more */
    uint32_t left_next;                        /* in its selection */
    uint32_t match;                            /* hash: the right row to pair next */
    uint32_t chunk;                            /* nested loop: the right chunk to pair next */
    enum sql_type *types;                      /* of the output */
    uint32_t capacity;
    bool built;
};

static enum status join_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    const struct sql_plan *plan = node->plan;
    struct arena *arena = &node->exec->arena;
    struct join_state *state = ARENA_NEW(arena, struct join_state);
    uint32_t right_count = plan->right->column_count;
    node->state = state;
    state->stored_count = right_count + plan->join.key_count;
    state->stored_types = ARENA_ARRAY(arena, enum sql_type, state->stored_count + 1);
    for (uint32_t c = 0; c < right_count; c++) {
        state->stored_types[c] = plan->right->columns[c].type.type;
    }
    for (uint32_t k = 0; k < plan->join.key_count; k++) {
        state->stored_types[right_count + k] = plan->join.right_keys[k]->type;
    }
    state->left_keys = sql_exec_exprs(node->exec, plan->join.left_keys, plan->join.key_count);
    state->right_keys = sql_exec_exprs(node->exec, plan->join.right_keys, plan->join.key_count);
    if (plan->join.condition != NULL) {
        state->condition = sql_expr_state_new(arena, plan->join.condition);
    }
    state->columns = ARENA_ARRAY(arena, const struct sql_column *, state->stored_count + 1);
    state->keys = ARENA_ARRAY(arena, const struct sql_column *, plan->join.key_count + 1);
    state->types = sql_exec_types(node->exec, plan);
    state->match = SQL_ROW_NONE;
    node->batch.column_count = plan->column_count;
    return STATUS_OK;
}

static void join_rescan(struct sql_node *node) {
    struct join_state *state = node->state;
    arena_reset(&node->memory);
    state->built = false;
    state->left = NULL;
    state->match = SQL_ROW_NONE;
}

/* ---- the right side -------------------------------------------------------------------------- */

static bool has_null(const struct sql_column *const *columns, uint32_t count, uint32_t row) {
    for (uint32_t c = 0; c < count; c++) {
        if (sql_column_is_null(columns[c], row)) return true;
    }
    return false;
}

/* Keeps the right rows; of a hash join only those whose keys are not NULL, as NULL equals
 * nothing. */
static enum status build(struct sql_node *node, struct sql_error *error) {
    struct join_state *state = node->state;
    uint32_t right_count = node->plan->right->column_count;
    uint32_t key_count = node->plan->join.key_count;
    sql_row_store_init(&state->store, &node->memory, state->stored_types, state->stored_count);
    sql_row_index_init(&state->index, &node->memory);
    for (;;) {
        struct sql_batch *input;
        TRY(sql_exec_pull(node, node->right, &input, error));
        if (input == NULL) break;
        for (uint32_t c = 0; c < right_count; c++)
            state->columns[c] = &input->columns[c];
        const struct sql_column **keys = state->columns + right_count;
        for (uint32_t k = 0; k < key_count; k++) {
            TRY(sql_expr_eval(state->right_keys[k], &node->context, input, &keys[k], error));
        }
        for (uint32_t i = 0; i < input->selection.count; i++) {
            uint32_t row = sql_selected(input->selection, i);
            if (has_null(keys, key_count, row)) continue;
            uint32_t number =
                sql_row_store_append(&state->store, state->columns, state->stored_count, row);
            if (key_count == 0) continue;
            sql_row_index_add(&state->index, number, sql_row_hash(keys, key_count, row));
        }
        TRY(sql_exec_check_memory(node, error));
    }
    state->built = true;
    return STATUS_OK;
}

/* The next left rows and their keys. */
static enum status pull_left(struct sql_node *node, struct sql_error *error) {
    struct join_state *state = node->state;
    TRY(sql_exec_pull(node, node->left, &state->left, error));
    state->left_next = 0;
    state->chunk = 0;
    for (uint32_t k = 0; state->left != NULL && k < node->plan->join.key_count; k++) {
        TRY(sql_expr_eval(state->left_keys[k], &node->context, state->left, &state->keys[k],
                          error));
    }
    return STATUS_OK;
}

/* ---- hash join ------------------------------------------------------------------------------- */

/* The first or next right row with the keys of left row `row`. */
static uint32_t find_match(const struct sql_node *node, uint32_t row, uint32_t after) {
    const struct join_state *state = node->state;
    uint32_t first_key = node->plan->right->column_count;
    uint32_t key_count = node->plan->join.key_count;
    uint32_t number;
    if (after != SQL_ROW_NONE) {
        number = sql_row_index_next(&state->index, after);
    } else {
        if (has_null(state->keys, key_count, row)) return SQL_ROW_NONE;
        number = sql_row_index_first(&state->index, sql_row_hash(state->keys, key_count, row));
    }
    while (number != SQL_ROW_NONE &&
           !sql_row_store_equals(&state->store, number, first_key, state->keys, key_count, row)) {
        number = sql_row_index_next(&state->index, number);
    }
    return number;
}

static void make_room(struct sql_node *node) {
    struct join_state *state = node->state;
    uint32_t wanted =
        state->left->selection.count <= 1 && state->store.row_count <= 8 ? 8 : SQL_BATCH_ROWS;
    if (state->capacity >= wanted) return;
    sql_batch_init(&node->batch, &node->exec->arena, state->types, node->plan->column_count,
                   wanted);
    state->capacity = wanted;
}

static void put_pair(struct sql_node *node, uint32_t at, uint32_t left_row, uint32_t number) {
    struct join_state *state = node->state;
    uint32_t left_count = node->plan->left->column_count;
    for (uint32_t c = 0; c < node->batch.column_count; c++) {
        if (c < left_count) {
            sql_column_copy(&node->batch.columns[c], at, &state->left->columns[c], left_row, NULL);
        } else {
            sql_column_copy(&node->batch.columns[c], at,
                            sql_row_store_column(&state->store, number, c - left_count),
                            number % SQL_BATCH_ROWS, NULL);
        }
    }
}

/* Pairs until the batch is full or the left rows at hand are used up: the pairs borrow from
 * these. */
static uint32_t pair_rows(struct sql_node *node) {
    struct join_state *state = node->state;
    uint32_t count = 0;
    make_room(node);
    while (count < state->capacity && state->left_next < state->left->selection.count) {
        uint32_t row = sql_selected(state->left->selection, state->left_next);
        state->match = find_match(node, row, state->match);
        if (state->match == SQL_ROW_NONE)
            state->left_next++;
        else
            put_pair(node, count++, row, state->match);
    }
    sql_batch_set_rows(&node->batch, count);
    return count;
}

static enum status apply_condition(struct sql_node *node, struct sql_error *error) {
    struct join_state *state = node->state;
    if (state->condition != NULL) {
        TRY(sql_expr_filter(state->condition, &node->context, &node->batch, sql_exec_rows(node),
                            error));
    }
    return sql_exec_check_memory(node, error);
}

static enum status hash_join_next(struct sql_node *node, struct sql_batch **out,
                                  struct sql_error *error) {
    struct join_state *state = node->state;
    *out = NULL;
    if (!state->built) TRY(build(node, error));
    for (;;) {
        if (state->store.row_count == 0) return STATUS_OK;
        if (state->left == NULL || state->left_next == state->left->selection.count) {
            TRY(pull_left(node, error));
            if (state->left == NULL) return STATUS_OK;
        }
        uint32_t count = pair_rows(node);
        TRY(sql_exec_pause(node, count, error));
        if (count == 0) continue;
        TRY(apply_condition(node, error));
        if (node->batch.selection.count == 0) continue;
        *out = &node->batch;
        return STATUS_OK;
    }
}

const struct sql_node_ops sql_exec_hash_join = {join_init, hash_join_next, join_rescan, NULL};

/* ---- nested loop ----------------------------------------------------------------------------- */

/* One left row against one chunk of right rows: the left columns become constants, the right ones
 * are the chunk's own. Nothing is copied. */
static void pair_chunk(struct sql_node *node, uint32_t left_row, const struct sql_batch *chunk) {
    struct join_state *state = node->state;
    uint32_t left_count = node->plan->left->column_count;
    if (node->batch.columns == NULL) {
        node->batch.columns =
            ARENA_ARRAY(&node->exec->arena, struct sql_column, node->batch.column_count + 1);
        for (uint32_t c = 0; c < left_count; c++) {
            sql_column_init(&node->batch.columns[c], &node->exec->arena, state->types[c], 1);
        }
    }
    for (uint32_t c = 0; c < left_count; c++) {
        struct sql_column *column = &node->batch.columns[c];
        column->constant = false;
        column->may_be_null = false;
        sql_column_copy(column, 0, &state->left->columns[c], left_row, NULL);
        column->constant = true;
    }
    for (uint32_t c = left_count; c < node->batch.column_count; c++) {
        node->batch.columns[c] = chunk->columns[c - left_count];
    }
    sql_batch_set_rows(&node->batch, chunk->row_count);
}

static enum status nested_loop_next(struct sql_node *node, struct sql_batch **out,
                                    struct sql_error *error) {
    struct join_state *state = node->state;
    *out = NULL;
    if (!state->built) TRY(build(node, error));
    for (;;) {
        if (state->store.row_count == 0) return STATUS_OK;
        if (state->left == NULL || state->left_next == state->left->selection.count) {
            TRY(pull_left(node, error));
            if (state->left == NULL) return STATUS_OK;
        }
        uint32_t row = sql_selected(state->left->selection, state->left_next);
        arena_reset(&node->scratch); /* of the pairs before */
        pair_chunk(node, row, state->store.chunks[state->chunk++]);
        if (state->chunk == state->store.chunk_count) {
            state->chunk = 0;
            state->left_next++;
        }
        TRY(sql_exec_pause(node, node->batch.row_count, error));
        TRY(apply_condition(node, error));
        if (node->batch.selection.count == 0) continue;
        *out = &node->batch;
        return STATUS_OK;
    }
}

const struct sql_node_ops sql_exec_nested_loop = {join_init, nested_loop_next, join_rescan, NULL};
