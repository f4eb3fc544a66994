/* sql_exec_sort.c - sort: keeps all rows, or the first n of them, and gives them out in order.
 *
 * A stable merge sort of row numbers, bottom-up, so that it can pause between rows. When only n
 * rows are wanted, rows are dropped each time twice as many (and a batch) have come together:
 * memory stays proportional to n. */
#include "sql_exec_internal.h"

struct sort_state {
    struct sql_row_store store; /* in node->memory */
    enum sql_type *types;
    const struct sql_column **columns; /* of the batch being kept */
    uint32_t *order;                   /* row numbers, sorted */
    uint32_t given;                    /* rows given out */
    uint32_t capacity;                 /* of the output batch */
    bool sorted;
};

static enum status sort_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    struct arena *arena = &node->exec->arena;
    struct sort_state *state = ARENA_NEW(arena, struct sort_state);
    state->types = sql_exec_types(node->exec, node->plan);
    state->columns = ARENA_ARRAY(arena, const struct sql_column *, node->plan->column_count + 1);
    sql_row_store_init(&state->store, &node->memory, state->types, node->plan->column_count);
    node->batch.column_count = node->plan->column_count;
    node->state = state;
    return STATUS_OK;
}

/* ---- order ----------------------------------------------------------------------------------- */

static int compare_by(const struct sql_row_store *store, const struct sql_sort_key *key, uint32_t a,
                      uint32_t b) {
    const struct sql_column *a_column = sql_row_store_column(store, a, key->column);
    const struct sql_column *b_column = sql_row_store_column(store, b, key->column);
    uint32_t a_row = a % SQL_BATCH_ROWS;
    uint32_t b_row = b % SQL_BATCH_ROWS;
    bool a_null = sql_column_is_null(a_column, a_row);
    bool b_null = sql_column_is_null(b_column, b_row);
    if (a_null || b_null) {
        int order = a_null - b_null;
        return key->nulls_first ? -order : order;
    }
    int order = sql_column_compare(a_column, a_row, b_column, b_row);
    return key->descending ? -order : order;
}

static int compare_rows(const struct sql_node *node, uint32_t a, uint32_t b) {
    const struct sort_state *state = node->state;
    const struct sql_plan_sort *sort = &node->plan->sort;
    for (uint32_t k = 0; k < sort->key_count; k++) {
        int order = compare_by(&state->store, &sort->keys[k], a, b);
        if (order != 0) return order;
    }
    return 0;
}

/* Merges from[low, middle) and from[middle, high) into `to`; equal rows keep their order. */
static enum status merge(struct sql_node *node, const uint32_t *from, uint32_t *to, uint32_t low,
                         uint32_t middle, uint32_t high, struct sql_error *error) {
    uint32_t a = low;
    uint32_t b = middle;
    for (uint32_t i = low; i < high; i++) {
        bool left = a < middle && (b == high || compare_rows(node, from[a], from[b]) <= 0);
        to[i] = left ? from[a++] : from[b++];
    }
    return sql_exec_pause(node, high - low, error);
}

static enum status sort_rows(struct sql_node *node, struct sql_error *error) {
    struct sort_state *state = node->state;
    uint32_t count = state->store.row_count;
    uint32_t *from = ARENA_ARRAY(&node->memory, uint32_t, (size_t)count + 1);
    uint32_t *to = ARENA_ARRAY(&node->memory, uint32_t, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++)
        from[i] = i;
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t low = 0; low < count; low += 2 * width) {
            uint64_t middle = low + width < count ? low + width : count;
            uint64_t high = middle + width < count ? middle + width : count;
            TRY(merge(node, from, to, (uint32_t)low, (uint32_t)middle, (uint32_t)high, error));
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    state->order = from;
    return STATUS_OK;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/* Sorts what is there and drops all but the first `wanted` rows, with their memory. */
static enum status cut_to(struct sql_node *node, uint64_t wanted, struct sql_error *error) {
    struct sort_state *state = node->state;
    TRY(sort_rows(node, error));
    struct arena fresh;
    struct sql_row_store kept;
    arena_init(&fresh, node->exec->memory_limit);
    sql_row_store_init(&kept, &fresh, state->types, node->plan->column_count);
    for (uint32_t i = 0; i < wanted && i < state->store.row_count; i++) {
        const struct sql_batch *chunk = sql_row_store_chunk(&state->store, state->order[i]);
        for (uint32_t c = 0; c < chunk->column_count; c++)
            state->columns[c] = &chunk->columns[c];
        (void)sql_row_store_append(&kept, state->columns, chunk->column_count,
                                   state->order[i] % SQL_BATCH_ROWS);
    }
    arena_deinit(&node->memory);
    node->memory = fresh;
    state->store = kept;
    state->store.arena = &node->memory;
    state->order = NULL;
    return STATUS_OK;
}

static void keep_batch(struct sort_state *state, const struct sql_batch *input) {
    for (uint32_t c = 0; c < input->column_count; c++)
        state->columns[c] = &input->columns[c];
    for (uint32_t i = 0; i < input->selection.count; i++) {
        (void)sql_row_store_append(&state->store, state->columns, input->column_count,
                                   sql_selected(input->selection, i));
    }
}

static enum status keep_all(struct sql_node *node, struct sql_error *error) {
    struct sort_state *state = node->state;
    uint64_t wanted;
    TRY(sql_exec_rows_wanted(node, node->plan->sort.limit, node->plan->sort.offset, &wanted,
                             error));
    for (;;) {
        struct sql_batch *input;
        TRY(sql_exec_pull(node, node->left, &input, error));
        if (input == NULL) break;
        keep_batch(state, input);
        TRY(sql_exec_check_memory(node, error));
        if (wanted < UINT32_MAX && state->store.row_count > 2 * wanted + SQL_BATCH_ROWS) {
            TRY(cut_to(node, wanted, error));
        }
    }
    TRY(sort_rows(node, error));
    state->sorted = true;
    return sql_exec_check_memory(node, error);
}

static enum status sort_next(struct sql_node *node, struct sql_batch **out,
                             struct sql_error *error) {
    struct sort_state *state = node->state;
    *out = NULL;
    if (!state->sorted) TRY(keep_all(node, error));
    uint32_t left = state->store.row_count - state->given;
    uint32_t count = left < SQL_BATCH_ROWS ? left : SQL_BATCH_ROWS;
    if (count == 0) return STATUS_OK;
    if (state->capacity < count) {
        sql_batch_init(&node->batch, &node->exec->arena, state->types, node->plan->column_count,
                       count);
        state->capacity = count;
    }
    for (uint32_t row = 0; row < count; row++) {
        uint32_t number = state->order[state->given++];
        for (uint32_t c = 0; c < node->batch.column_count; c++) {
            sql_column_copy(&node->batch.columns[c], row,
                            sql_row_store_column(&state->store, number, c), number % SQL_BATCH_ROWS,
                            NULL);
        }
    }
    sql_batch_set_rows(&node->batch, count);
    *out = &node->batch;
    return sql_exec_pause(node, count, error);
}

static void sort_rescan(struct sql_node *node) {
    struct sort_state *state = node->state;
    arena_reset(&node->memory);
    sql_row_store_init(&state->store, &node->memory, state->types, node->plan->column_count);
    state->sorted = false;
    state->given = 0;
}

const struct sql_node_ops sql_exec_sort = {sort_init, sort_next, sort_rescan, NULL};
