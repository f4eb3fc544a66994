/* sql_source.c - spans to keys, keys and cursors to pages of rows. What rows mean is the executor's
 * business. */
#include "sql_source.h"

#include "mem.h"
#include "row_codec.h"
#include "sql_catalog_store.h"

struct source_cursor {
    struct sql_source *source;
    const struct sql_plan_scan *scan;
    const struct sql_span *spans;
    size_t span_count, next_span; /* counted in the direction of the scan */
    uint64_t wanted;              /* rows still likely to be asked for; 0: all */
    struct buf start, end;

    /* ranges */
    struct txn_cursor *range; /* NULL: none is open */
    const struct txn_row *rows;
    size_t row_count, row_at;

    /* points */
    struct arena arena;
    struct slice *keys, *values; /* SQL_BATCH_ROWS of each; the page that is given */
};

static enum status lower_error(struct sql_error *error, enum status status,
                               const struct error *lower) {
    return status == STATUS_OK ? status : sql_error_from(error, lower);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void put_prefix(struct buf *out, const struct sql_plan_scan *scan,
                       const struct sql_span *span) {
    buf_clear(out);
    row_key_prefix(out, scan->table->id, SQL_PRIMARY_INDEX_ID);
    for (uint32_t i = 0; i < span->prefix_count; i++)
        row_key_put(out, &span->prefix[i]);
}

/* The end of what starts with the bytes that are in `out`: instead of them. */
static void to_prefix_end(struct buf *out) {
    struct buf end = BUF_INIT;
    bool below = put_prefix_end(&end, buf_slice(out));
    if (!below) buf_clear(&end); /* the end of the keyspace */
    buf_swap(out, &end);
    buf_deinit(&end);
}

/* [start, end) holds the keys of the span and no others. */
static void put_range(struct source_cursor *cursor, const struct sql_span *span) {
    put_prefix(&cursor->start, cursor->scan, span);
    put_prefix(&cursor->end, cursor->scan, span);
    if (span->low != NULL) {
        row_key_put(&cursor->start, span->low);
        if (!span->low_inclusive) to_prefix_end(&cursor->start);
    }
    if (span->high != NULL) row_key_put(&cursor->end, span->high);
    if (span->high == NULL || span->high_inclusive) to_prefix_end(&cursor->end);
}

static const struct sql_span *take_span(struct source_cursor *cursor) {
    size_t i = cursor->next_span++;
    return &cursor->spans[cursor->scan->reverse ? cursor->span_count - 1 - i : i];
}

/* ---- points ---------------------------------------------------------------------------------- */

/* Reads the keys of the next `count` spans; those found are the page. */
static enum status get_points(struct source_cursor *cursor, uint32_t count,
                              struct sql_row_page *page, struct sql_error *error) {
    struct error lower = {.status = STATUS_OK};
    arena_reset(&cursor->arena);
    for (uint32_t i = 0; i < count; i++) {
        put_prefix(&cursor->start, cursor->scan, take_span(cursor));
        cursor->keys[i] = arena_dup_slice(&cursor->arena, buf_slice(&cursor->start));
    }
    struct txn_value *found = ARENA_ARRAY(&cursor->arena, struct txn_value, count);
    unsigned flags = cursor->scan->for_write ? TXN_FOR_UPDATE : 0;
    enum status status = txn_get_many(cursor->source->txn, cursor->keys, count, flags,
                                      &cursor->arena, found, &lower);
    TRY(lower_error(error, status, &lower));
    uint32_t rows = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!found[i].found) continue;
        cursor->keys[rows] = cursor->keys[i];
        cursor->values[rows++] = found[i].value;
    }
    *page = (struct sql_row_page){cursor->keys, cursor->values, rows};
    return STATUS_OK;
}

static enum status next_points(struct source_cursor *cursor, uint32_t max_rows,
                               struct sql_row_page *page, struct sql_error *error) {
    while (page->count == 0 && cursor->next_span < cursor->span_count) {
        size_t count = cursor->span_count - cursor->next_span;
        if (count > max_rows) count = max_rows;
        if (cursor->wanted > 0 && count > cursor->wanted) count = (size_t)cursor->wanted;
        TRY(get_points(cursor, (uint32_t)count, page, error));
    }
    return STATUS_OK;
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static void close_range(struct source_cursor *cursor) {
    if (cursor->range != NULL) txn_scan_close(cursor->range);
    cursor->range = NULL;
    cursor->row_count = cursor->row_at = 0;
}

static void open_range(struct source_cursor *cursor, const struct sql_span *span) {
    put_range(cursor, span);
    struct slice start = buf_slice(&cursor->start);
    struct slice end = buf_slice(&cursor->end);
    if (end.len > 0 && slice_compare(start, end) >= 0) return; /* nothing lies between */
    uint64_t page_rows =
        cursor->wanted == 0 || cursor->wanted > SQL_BATCH_ROWS ? SQL_BATCH_ROWS : cursor->wanted;
    struct txn_scan scan = {.start = start,
                            .end = end,
                            .reverse = cursor->scan->reverse,
                            .flags = cursor->scan->for_write ? TXN_FOR_UPDATE : 0,
                            .page_rows = (uint32_t)page_rows};
    cursor->range = txn_scan_open(cursor->source->txn, &scan);
}

/* The next page of the transaction's cursor, or of the next span's. */
static enum status fetch_rows(struct source_cursor *cursor, struct sql_error *error) {
    while (cursor->row_at == cursor->row_count) {
        if (cursor->range == NULL) {
            if (cursor->next_span == cursor->span_count) return STATUS_OK;
            open_range(cursor, take_span(cursor));
            continue;
        }
        struct error lower = {.status = STATUS_OK};
        cursor->row_at = cursor->row_count = 0;
        enum status status =
            txn_scan_next(cursor->range, &cursor->rows, &cursor->row_count, &lower);
        TRY(lower_error(error, status, &lower));
        if (cursor->row_count == 0) close_range(cursor);
    }
    return STATUS_OK;
}

static enum status next_rows(struct source_cursor *cursor, uint32_t max_rows,
                             struct sql_row_page *page, struct sql_error *error) {
    TRY(fetch_rows(cursor, error));
    uint32_t count = 0;
    while (count < max_rows && cursor->row_at < cursor->row_count) {
        cursor->keys[count] = cursor->rows[cursor->row_at].key;
        cursor->values[count++] = cursor->rows[cursor->row_at++].value;
    }
    *page = (struct sql_row_page){cursor->keys, cursor->values, count};
    return STATUS_OK;
}

/* ---- the seam -------------------------------------------------------------------------------- */

static enum status scan_open(void *context, const struct sql_plan_scan *scan,
                             const struct sql_span *spans, size_t span_count, uint64_t rows_wanted,
                             void **out, struct sql_error *error) {
    (void)error;
    struct source_cursor *cursor = MEM_NEW(struct source_cursor);
    cursor->source = context;
    cursor->scan = scan;
    cursor->spans = spans;
    cursor->span_count = span_count;
    cursor->wanted = rows_wanted;
    cursor->keys = mem_alloc(SQL_BATCH_ROWS * sizeof *cursor->keys);
    cursor->values = mem_alloc(SQL_BATCH_ROWS * sizeof *cursor->values);
    arena_init(&cursor->arena, 0);
    *out = cursor;
    return STATUS_OK;
}

static enum status scan_next(void *context, uint32_t max_rows, struct sql_row_page *page,
                             struct sql_error *error) {
    struct source_cursor *cursor = context;
    *page = (struct sql_row_page){NULL, NULL, 0};
    enum status status = cursor->scan->points ? next_points(cursor, max_rows, page, error)
                                              : next_rows(cursor, max_rows, page, error);
    /* Whoever asks for more than it said probably wants all. */
    cursor->wanted = cursor->wanted > page->count ? cursor->wanted - page->count : 0;
    return status;
}

static void scan_close(void *context) {
    struct source_cursor *cursor = context;
    close_range(cursor);
    arena_deinit(&cursor->arena);
    buf_deinit(&cursor->start);
    buf_deinit(&cursor->end);
    mem_free(cursor->keys);
    mem_free(cursor->values);
    mem_free(cursor);
}

static enum status check(void *context, struct sql_error *error) {
    const struct sql_source *source = context;
    enum status status = request_check(source->request, env_now_ns(source->env));
    return status == STATUS_OK ? status : sql_error_from_status(error, status);
}

struct sql_row_source sql_source_rows(struct sql_source *source) {
    return (struct sql_row_source){.context = source,
                                   .scan_open = scan_open,
                                   .scan_next = scan_next,
                                   .scan_close = scan_close,
                                   .check = check};
}
