/* sql_exec_scan.c - the scan: storage's pages of keys and values become batches of columns.
 *
 * A batch holds the rows of one page, so that text can be borrowed from it. */
#include "row_codec.h"
#include "sql_exec_internal.h"

struct scan_state {
    struct row_decoder decoder;
    struct sql_expr_state *filter; /* NULL: none */
    enum sql_type *types;
    uint32_t capacity; /* of the batch's columns */
    struct sql_span *spans;
    void *cursor; /* NULL: not open */
    bool done;
};

static enum status scan_init(struct sql_node *node, struct sql_error *error) {
    (void)error;
    const struct sql_plan *plan = node->plan;
    const struct sql_table *table = plan->scan.table;
    struct arena *arena = &node->exec->arena;
    struct scan_state *state = ARENA_NEW(arena, struct scan_state);
    uint32_t *key_ids = ARENA_ARRAY(arena, uint32_t, table->key_count);
    enum sql_type *key_types = ARENA_ARRAY(arena, enum sql_type, table->key_count);
    uint32_t *wanted = ARENA_ARRAY(arena, uint32_t, plan->column_count + 1);
    for (uint32_t k = 0; k < table->key_count; k++) {
        key_ids[k] = table->columns[table->key[k]].id;
        key_types[k] = table->columns[table->key[k]].type.type;
    }
    for (uint32_t c = 0; c < plan->column_count; c++) {
        wanted[c] = table->columns[plan->scan.columns[c]].id;
    }
    state->types = sql_exec_types(node->exec, plan);
    row_decoder_init(&state->decoder, arena, table->id, key_ids, key_types, table->key_count,
                     wanted, state->types, plan->column_count);
    if (plan->scan.filter != NULL) state->filter = sql_expr_state_new(arena, plan->scan.filter);
    node->batch.column_count = plan->column_count;
    node->state = state;
    return STATUS_OK;
}

static enum status open_cursor(struct sql_node *node, struct sql_error *error) {
    struct scan_state *state = node->state;
    const struct sql_row_source *source = node->exec->source;
    const struct sql_plan_scan *scan = &node->plan->scan;
    size_t span_count;
    uint64_t wanted;
    struct sql_eval_context context = node->context; /* the spans outlive a batch */
    context.arena = &node->memory;
    TRY(sql_spans_compute(&node->memory, scan, &context, &state->spans, &span_count, error));
    TRY(sql_exec_rows_wanted(node, scan->limit, scan->offset, &wanted, error));
    state->done = span_count == 0 || wanted == 0;
    if (state->done) return STATUS_OK;
    return source->scan_open(source->context, scan, state->spans, span_count,
                             wanted == UINT64_MAX ? 0 : wanted, &state->cursor, error);
}

static void make_room(struct sql_node *node, uint32_t rows) {
    struct scan_state *state = node->state;
    if (state->capacity >= rows) return;
    uint32_t capacity = 1;
    while (capacity < rows)
        capacity *= 4;
    state->capacity = capacity < SQL_BATCH_ROWS ? capacity : SQL_BATCH_ROWS;
    sql_batch_init(&node->batch, &node->exec->arena, state->types, node->plan->column_count,
                   state->capacity);
}

static enum status decode_page(struct sql_node *node, const struct sql_row_page *page,
                               struct sql_error *error) {
    struct scan_state *state = node->state;
    make_room(node, page->count);
    for (uint32_t row = 0; row < page->count; row++) {
        struct error lower = {.status = STATUS_OK};
        enum status status = row_decode(&state->decoder, page->keys[row], page->values[row],
                                        &node->batch, row, &node->scratch, &lower);
        if (status != STATUS_OK) return sql_error_from(error, &lower);
    }
    sql_batch_set_rows(&node->batch, page->count);
    return STATUS_OK;
}

/* A pause must not come between reading a page and using it up: it is made before the page is asked
 * for. */
static enum status scan_next(struct sql_node *node, struct sql_batch **out,
                             struct sql_error *error) {
    struct scan_state *state = node->state;
    const struct sql_row_source *source = node->exec->source;
    *out = NULL;
    if (state->cursor == NULL && !state->done) TRY(open_cursor(node, error));
    while (!state->done) {
        struct sql_row_page page = {NULL, NULL, 0};
        arena_reset(&node->scratch);
        TRY(source->scan_next(state->cursor, SQL_BATCH_ROWS, &page, error));
        if (page.count == 0) {
            state->done = true;
            break;
        }
        TRY(decode_page(node, &page, error));
        if (state->filter != NULL) {
            TRY(sql_expr_filter(state->filter, &node->context, &node->batch, sql_exec_rows(node),
                                error));
        }
        TRY(sql_exec_check_memory(node, error));
        if (node->batch.selection.count > 0) {
            *out = &node->batch;
            return STATUS_OK;
        }
        TRY(sql_exec_pause(node, page.count, error));
    }
    return STATUS_OK;
}

static void scan_end(struct sql_node *node) {
    struct scan_state *state = node->state;
    if (state == NULL || state->cursor == NULL) return;
    node->exec->source->scan_close(state->cursor);
    state->cursor = NULL;
}

static void scan_rescan(struct sql_node *node) {
    struct scan_state *state = node->state;
    scan_end(node);
    arena_reset(&node->memory);
    state->done = false;
}

const struct sql_node_ops sql_exec_scan = {scan_init, scan_next, scan_rescan, scan_end};
