/* Scans: pages of stored rows become batches; what is kept of them; cancelling. */
#include "exec_fixture.h"
#include "row_codec.h"

static const uint32_t sizes[] = {0, 1, 7, 1023, 1024, 1025, 3000};

/* ---- scans ----------------------------------------------------------------------------------- */

/* Storage that knows one table: pages of a few rows, each in memory of its own that is scrubbed
 * when the next page is asked for. */
struct storage {
    struct exec_fixture *f;
    struct prng prng;
    uint32_t next;
    uint32_t opened, closed;
    uint64_t wanted;
    struct buf bytes;
    struct slice keys[SQL_BATCH_ROWS], values[SQL_BATCH_ROWS];
    uint32_t checks_left; /* then the statement is cancelled */
};

static enum status storage_open(void *context, const struct sql_plan_scan *scan,
                                const struct sql_span *spans, size_t span_count,
                                uint64_t rows_wanted, void **cursor, struct sql_error *error) {
    struct storage *storage = context;
    (void)scan;
    (void)error;
    assert_int_equal(1, span_count);
    assert_int_equal(0, spans[0].prefix_count);
    storage->next = 0;
    storage->wanted = rows_wanted;
    storage->opened++;
    *cursor = storage;
    return STATUS_OK;
}

static enum status storage_next(void *cursor, uint32_t max_rows, struct sql_row_page *page,
                                struct sql_error *error) {
    struct storage *storage = cursor;
    (void)error;
    memset(storage->bytes.data, 0xEE, storage->bytes.len);
    buf_clear(&storage->bytes);
    buf_reserve(&storage->bytes, 64 * SQL_BATCH_ROWS);
    uint32_t count = (uint32_t)prng_between(&storage->prng, 1, max_rows);
    page->count = 0;
    while (page->count < count && storage->next < storage->f->count) {
        const struct hand_row *row = &storage->f->rows[storage->next];
        struct sql_datum id = sql_datum_int(SQL_INT8, storage->next++);
        struct row_field fields[2] = {{2, sql_datum_int(SQL_INT4, row->a)},
                                      {3, sql_datum_text(SQL_TEXT, slice_of_string(row->b))}};
        fields[0].value.is_null = row->a_null;
        fields[1].value.is_null = row->b_null;
        size_t start = storage->bytes.len;
        row_key_prefix(&storage->bytes, 5, 1);
        row_key_put(&storage->bytes, &id);
        size_t middle = storage->bytes.len;
        row_value_encode(&storage->bytes, fields, 2);
        storage->keys[page->count] = slice_of(storage->bytes.data + start, middle - start);
        storage->values[page->count++] =
            slice_of(storage->bytes.data + middle, storage->bytes.len - middle);
    }
    page->keys = storage->keys;
    page->values = storage->values;
    return STATUS_OK;
}

static void storage_close(void *cursor) {
    struct storage *storage = cursor;
    storage->closed++;
}

static enum status storage_check(void *context, struct sql_error *error) {
    struct storage *storage = context;
    if (storage->checks_left-- > 0) return STATUS_OK;
    storage->checks_left = 0;
    (void)sql_error_set(error, SQLSTATE_QUERY_CANCELED, "canceling statement due to user request");
    return STATUS_CANCELLED;
}

static const struct sql_table_column table_columns[] = {
    {.id = 1, .name = "id", .type = {SQL_INT8, -1}, .not_null = true},
    {.id = 2, .name = "a", .type = {SQL_INT4, -1}},
    {.id = 3, .name = "b", .type = {SQL_TEXT, -1}},
};
static const uint32_t table_key = 0;
static const struct sql_table table = {.id = 5,
                                       .name = "t",
                                       .columns = table_columns,
                                       .column_count = 3,
                                       .key = &table_key,
                                       .key_count = 1};

static struct sql_plan *plan_scan(struct exec_fixture *f) {
    static const uint32_t columns[] = {1, 2};
    struct sql_plan *plan = hand_plan_new(f, SQL_PLAN_SCAN, NULL, hand_row_types, 2);
    plan->scan.table = &table;
    plan->scan.columns = columns;
    return plan;
}

static void storage_init(struct storage *storage, struct exec_fixture *f) {
    *storage = (struct storage){.f = f, .checks_left = UINT32_MAX};
    prng_seed(&storage->prng, 99);
    buf_reserve(&storage->bytes, 64 * SQL_BATCH_ROWS);
}

static struct sql_row_source source_of(struct storage *storage) {
    return (struct sql_row_source){storage, storage_open, storage_next, storage_close,
                                   storage_check};
}

TEST("5", 1, a_scan_decodes_pages_and_filters_them) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct storage storage;
        struct buf expected = BUF_INIT;
        struct buf out = BUF_INIT;
        exec_fixture_init(&f, 13, sizes[s]);
        storage_init(&storage, &f);
        struct sql_row_source source = source_of(&storage);
        struct sql_plan *plan = plan_scan(&f);
        plan->scan.filter =
            hand_operator(&f, "<", hand_column(&f, 0, SQL_INT4), hand_integer(&f, SQL_INT4, 3));
        for (uint32_t i = 0; i < f.count; i++) {
            if (!f.rows[i].a_null && f.rows[i].a < 3) hand_print_row(&expected, &f.rows[i]);
        }
        struct sql_exec_options options = {.plan = plan, .source = &source};
        assert_ok(hand_run_with(&f, &options, &out), NULL);
        assert_slice_equal(buf_slice(&expected), buf_slice(&out));
        assert_int_equal(storage.opened, storage.closed);
        buf_deinit(&storage.bytes);
        buf_deinit(&expected);
        buf_deinit(&out);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 1, what_is_kept_of_a_scan_does_not_borrow_from_its_pages) {
    struct exec_fixture f;
    struct storage storage;
    struct buf expected = BUF_INIT;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 14, 3000);
    storage_init(&storage, &f);
    struct sql_row_source source = source_of(&storage);
    struct sql_plan *plan = hand_plan_sort(&f);
    plan->left = plan_scan(&f);
    struct sql_exec_options options = {.plan = plan, .source = &source};
    assert_ok(hand_run_with(&f, &options, &out), NULL);
    hand_sort_model(f.rows, f.count);
    for (uint32_t i = 0; i < f.count; i++)
        hand_print_row(&expected, &f.rows[i]);
    assert_slice_equal(buf_slice(&expected), buf_slice(&out));
    buf_deinit(&storage.bytes);
    buf_deinit(&expected);
    buf_deinit(&out);
    exec_fixture_deinit(&f);
}

TEST("5", 2, a_cancelled_statement_ends_and_closes_its_cursors) {
    struct exec_fixture f;
    struct storage storage;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 15, 3000);
    storage_init(&storage, &f);
    storage.checks_left = 3;
    struct sql_row_source source = source_of(&storage);
    struct sql_plan *plan = hand_plan_sort(&f);
    plan->left = plan_scan(&f);
    struct sql_exec_options options = {.plan = plan, .source = &source};
    assert_status(STATUS_CANCELLED, hand_run_with(&f, &options, &out));
    assert_string_equal("57014", f.error.sqlstate);
    assert_int_equal(1, storage.opened);
    assert_int_equal(1, storage.closed);
    assert_int_equal(0, out.len);
    buf_deinit(&storage.bytes);
    exec_fixture_deinit(&f);
}
