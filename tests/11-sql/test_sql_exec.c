/* The operators, on plans made by hand: each against what a loop over the same rows computes. */
#include "sql_exec.h"

#include "harness.h"
#include "mem.h"
#include "prng.h"
#include "row_codec.h"
#include "sql_build.h"

/* ---- plans by hand
 * ---------------------------------------------------------------------------- */

/* Rows (a int4, b text), either may be NULL, in the order given. */
struct row {
    bool a_null, b_null;
    int a;
    char b[8];
};

struct fixture {
    struct arena arena;
    struct sql_build build;
    struct sql_error error;
    struct row *rows;
    uint32_t count;
};

static void fixture_init(struct fixture *f, uint64_t seed, uint32_t count) {
    struct prng prng;
    prng_seed(&prng, seed);
    *f = (struct fixture){.count = count};
    arena_init(&f->arena, 0);
    f->build.arena = &f->arena;
    f->rows = ARENA_ARRAY(&f->arena, struct row, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        struct row *row = &f->rows[i];
        row->a_null = prng_below(&prng, 10) == 0;
        row->b_null = prng_below(&prng, 10) == 0;
        row->a = (int)prng_below(&prng, 50) - 25;
        row->b[0] = (char)('a' + prng_below(&prng, 5));
        row->b[1] = (char)('a' + prng_below(&prng, 5));
    }
}

static void fixture_deinit(struct fixture *f) { arena_deinit(&f->arena); }

static struct sql_plan *plan_new(struct fixture *f, enum sql_plan_kind kind, struct sql_plan *left,
                                 const enum sql_type *types, uint32_t count) {
    struct sql_plan *plan = ARENA_NEW(&f->arena, struct sql_plan);
    struct sql_plan_column *columns = ARENA_ARRAY(&f->arena, struct sql_plan_column, count + 1);
    for (uint32_t i = 0; i < count; i++)
        columns[i].type = SQL_TYPED(types[i]);
    plan->kind = kind;
    plan->left = left;
    plan->columns = columns;
    plan->column_count = count;
    return plan;
}

/* A node whose output is shaped like its input's. */
static struct sql_plan *plan_like(struct fixture *f, enum sql_plan_kind kind,
                                  struct sql_plan *left) {
    struct sql_plan *plan = ARENA_NEW(&f->arena, struct sql_plan);
    plan->kind = kind;
    plan->left = left;
    plan->columns = left->columns;
    plan->column_count = left->column_count;
    return plan;
}

static const enum sql_type row_types[] = {SQL_INT4, SQL_TEXT};

static struct sql_expr *constant(struct fixture *f, struct sql_datum value) {
    return sql_build_const(&f->build, value, 0);
}
static struct sql_expr *integer(struct fixture *f, enum sql_type type, int64_t value) {
    return constant(f, sql_datum_int(type, value));
}
static struct sql_expr *column(struct fixture *f, uint32_t index, enum sql_type type) {
    return sql_build_column(&f->build, 0, index, SQL_TYPED(type), "c", 0);
}
static struct sql_expr *operator(struct fixture *f, const char *name, struct sql_expr *left,
                                 struct sql_expr *right) {
    struct sql_expr *out;
    assert_ok(sql_build_operator(&f->build, slice_of_string(name), left, right, 0, &out, &f->error),
              NULL);
    return out;
}

static struct sql_plan *plan_values(struct fixture *f) {
    struct sql_plan *plan = plan_new(f, SQL_PLAN_VALUES, NULL, row_types, 2);
    plan->values.row_count = f->count;
    plan->values.rows = ARENA_ARRAY(&f->arena, struct sql_expr **, f->count + 1);
    for (uint32_t i = 0; i < f->count; i++) {
        const struct row *row = &f->rows[i];
        struct sql_expr **exprs = ARENA_ARRAY(&f->arena, struct sql_expr *, 2);
        /* The test sorts its rows later: the text must stay. */
        struct sql_datum b =
            sql_datum_text(SQL_TEXT, slice_of_string(arena_strdup(&f->arena, row->b)));
        exprs[0] =
            row->a_null ? constant(f, sql_datum_null(SQL_INT4)) : integer(f, SQL_INT4, row->a);
        exprs[1] = constant(f, row->b_null ? sql_datum_null(SQL_TEXT) : b);
        plan->values.rows[i] = exprs;
    }
    return plan;
}

/* ---- running
 * ---------------------------------------------------------------------------------- */

/* Appends "a|b\n" for each row; NULL is "~". */
static enum status run_with(struct fixture *f, const struct sql_exec_options *options,
                            struct buf *out) {
    struct sql_exec *exec;
    TRY(sql_exec_open(options, &exec, &f->error));
    for (;;) {
        struct sql_batch *batch;
        enum status status = sql_exec_next(exec, &batch, &f->error);
        if (status != STATUS_OK || batch == NULL) {
            sql_exec_close(exec);
            return status;
        }
        for (uint32_t i = 0; i < batch->selection.count; i++) {
            for (uint32_t c = 0; c < batch->column_count; c++) {
                struct sql_datum value =
                    sql_column_get(&batch->columns[c], sql_selected(batch->selection, i));
                if (c > 0) buf_append_byte(out, '|');
                if (value.is_null)
                    buf_append_byte(out, '~');
                else
                    sql_datum_print(&value, out);
            }
            buf_append_byte(out, '\n');
        }
    }
}

static void run(struct fixture *f, const struct sql_plan *plan, struct buf *out) {
    struct sql_exec_options options = {.plan = plan};
    assert_ok(run_with(f, &options, out), NULL);
}

static void expect(struct fixture *f, const struct sql_plan *plan, const struct buf *expected) {
    struct buf out = BUF_INIT;
    run(f, plan, &out);
    assert_slice_equal(buf_slice(expected), buf_slice(&out));
    buf_deinit(&out);
}

static void print_row(struct buf *out, const struct row *row) {
    if (row->a_null)
        buf_append_string(out, "~|");
    else
        buf_printf(out, "%d|", row->a);
    buf_append_string(out, row->b_null ? "~" : row->b);
    buf_append_byte(out, '\n');
}

static const uint32_t sizes[] = {0, 1, 7, 1023, 1024, 1025, 3000};

/* ---- operators
 * -------------------------------------------------------------------------------- */

TEST("5", 0, values_give_their_rows_in_batches) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 1, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++)
            print_row(&expected, &f.rows[i]);
        expect(&f, plan_values(&f), &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, a_filter_keeps_the_rows_for_which_the_condition_is_true) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 2, sizes[s]);
        struct sql_plan *plan = plan_like(&f, SQL_PLAN_FILTER, plan_values(&f));
        plan->filter = operator(&f, ">", column(&f, 0, SQL_INT4), integer(&f, SQL_INT4, 10));
        for (uint32_t i = 0; i < f.count; i++) {
            if (!f.rows[i].a_null && f.rows[i].a > 10) print_row(&expected, &f.rows[i]);
        }
        expect(&f, plan, &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, a_projection_above_a_filter_computes_only_rows_that_are_left) {
    struct fixture f;
    struct buf expected = BUF_INIT;
    fixture_init(&f, 3, 3000);
    struct sql_plan *filter = plan_like(&f, SQL_PLAN_FILTER, plan_values(&f));
    filter->filter = operator(&f, "<>", column(&f, 0, SQL_INT4), integer(&f, SQL_INT4, 0));
    const enum sql_type type = SQL_INT4;
    struct sql_plan *plan = plan_new(&f, SQL_PLAN_PROJECT, filter, &type, 1);
    struct sql_expr *quotient = operator(&f, "/", integer(&f, SQL_INT4, 100),
                                         column(&f, 0, SQL_INT4));
    plan->project.exprs = &quotient;
    for (uint32_t i = 0; i < f.count; i++) {
        if (f.rows[i].a_null || f.rows[i].a == 0) continue;
        buf_printf(&expected, "%d\n", 100 / f.rows[i].a);
    }
    expect(&f, plan, &expected);
    buf_deinit(&expected);
    fixture_deinit(&f);
}

TEST("5", 0, limit_and_offset_cut_across_batches) {
    static const int64_t cuts[][2] = {{0, 0},     {5, 0},       {1500, 0},
                                      {10, 1020}, {5000, 2999}, {1, 4000}};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 4, 3000);
        struct sql_plan *plan = plan_like(&f, SQL_PLAN_LIMIT, plan_values(&f));
        plan->limit.limit = integer(&f, SQL_INT8, cuts[i][0]);
        plan->limit.offset = integer(&f, SQL_INT8, cuts[i][1]);
        for (int64_t r = cuts[i][1]; r < cuts[i][1] + cuts[i][0] && r < f.count; r++) {
            print_row(&expected, &f.rows[r]);
        }
        expect(&f, plan, &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, a_negative_limit_is_refused) {
    struct fixture f;
    struct buf out = BUF_INIT;
    fixture_init(&f, 4, 3);
    struct sql_plan *plan = plan_like(&f, SQL_PLAN_LIMIT, plan_values(&f));
    plan->limit.limit = integer(&f, SQL_INT8, -1);
    struct sql_exec_options options = {.plan = plan};
    assert_status(STATUS_INVALID, run_with(&f, &options, &out));
    assert_string_equal("2201W", f.error.sqlstate);
    assert_string_equal("LIMIT must not be negative", f.error.message);
    fixture_deinit(&f);
}

/* ---- sorting
 * ---------------------------------------------------------------------------------- */

static int compare_nullable(bool a_null, bool b_null, int order, bool descending,
                            bool nulls_first) {
    if (a_null || b_null) return nulls_first ? b_null - a_null : a_null - b_null;
    return descending ? -order : order;
}

/* By a descending with NULLs first, then b ascending. */
static int compare_rows(const struct row *a, const struct row *b) {
    int order = compare_nullable(a->a_null, b->a_null, (a->a > b->a) - (a->a < b->a), true, true);
    if (order != 0) return order;
    return compare_nullable(a->b_null, b->b_null, strcmp(a->b, b->b), false, false);
}

static void sort_model(struct row *rows, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) { /* by insertion: stable */
        struct row row = rows[i];
        uint32_t at = i;
        for (; at > 0 && compare_rows(&rows[at - 1], &row) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

static struct sql_plan *plan_sort(struct fixture *f) {
    static const struct sql_sort_key keys[] = {{0, true, true}, {1, false, false}};
    struct sql_plan *plan = plan_like(f, SQL_PLAN_SORT, plan_values(f));
    plan->sort.keys = keys;
    plan->sort.key_count = 2;
    return plan;
}

TEST("5", 0, a_sort_orders_by_all_its_keys_and_places_nulls) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 5, sizes[s]);
        struct sql_plan *plan = plan_sort(&f);
        sort_model(f.rows, f.count);
        for (uint32_t i = 0; i < f.count; i++)
            print_row(&expected, &f.rows[i]);
        expect(&f, plan, &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, a_sort_is_stable) {
    struct fixture f;
    struct buf out = BUF_INIT;
    fixture_init(&f, 6, 3000);
    for (uint32_t i = 0; i < f.count; i++)
        f.rows[i].a_null = false, f.rows[i].a = 1;
    struct sql_plan *plan = plan_sort(&f);
    static const struct sql_sort_key key = {0, false, false};
    plan->sort.keys = &key;
    plan->sort.key_count = 1;
    struct buf expected = BUF_INIT;
    for (uint32_t i = 0; i < f.count; i++)
        print_row(&expected, &f.rows[i]);
    expect(&f, plan, &expected);
    buf_deinit(&expected);
    buf_deinit(&out);
    fixture_deinit(&f);
}

TEST("5", 0, a_sort_of_the_first_rows_keeps_few_and_finds_the_right_ones) {
    struct fixture f;
    struct buf expected = BUF_INIT;
    struct buf out = BUF_INIT;
    fixture_init(&f, 7, 20000);
    struct sql_plan *plan = plan_sort(&f);
    plan->sort.limit = integer(&f, SQL_INT8, 20);
    plan->sort.offset = integer(&f, SQL_INT8, 5);
    struct sql_exec_options options = {.plan = plan, .memory_bytes = 1 << 20};
    assert_ok(run_with(&f, &options, &out), NULL);
    sort_model(f.rows, f.count);
    for (uint32_t i = 0; i < 25; i++)
        print_row(&expected, &f.rows[i]);
    assert_true(slice_has_prefix(buf_slice(&out), buf_slice(&expected)));
    buf_deinit(&expected);
    buf_deinit(&out);
    fixture_deinit(&f);
}

TEST("5", 3, a_sort_over_its_memory_is_refused) {
    struct fixture f;
    struct buf out = BUF_INIT;
    fixture_init(&f, 7, 20000);
    struct sql_exec_options options = {.plan = plan_sort(&f), .memory_bytes = 256 << 10};
    assert_status(STATUS_INVALID, run_with(&f, &options, &out));
    assert_string_equal("53200", f.error.sqlstate);
    buf_deinit(&out);
    fixture_deinit(&f);
}

/* ---- grouping
 * --------------------------------------------------------------------------------- */

static struct sql_expr *aggregate(struct fixture *f, const char *name, struct sql_expr *arg,
                                  struct sql_call_options options) {
    struct sql_expr *out;
    options.star = arg == NULL;
    assert_ok(sql_build_function(&f->build, slice_of_string(name), &arg, arg != NULL, options, 0,
                                 &out, &f->error),
              NULL);
    return out;
}

static bool same_b(const struct row *a, const struct row *b) {
    return a->b_null == b->b_null && (a->b_null || strcmp(a->b, b->b) == 0);
}

/* What one group (of rows like `like`, or all if NULL) aggregates to. */
static void print_group(struct fixture *f, const struct row *like, struct buf *out) {
    int64_t rows = 0, values = 0, sum = 0, distinct = 0, positive = 0;
    int least = 0;
    bool seen[64] = {false};
    for (uint32_t i = 0; i < f->count; i++) {
        const struct row *row = &f->rows[i];
        if (like != NULL && !same_b(like, row)) continue;
        rows++;
        if (row->a_null) continue;
        if (values == 0 || row->a < least) least = row->a;
        values++;
        sum += row->a;
        if (!seen[row->a + 25]) distinct++;
        seen[row->a + 25] = true;
        if (row->a > 0) positive++;
    }
    buf_printf(out, "%d|%d|", (int)rows, (int)values);
    if (values == 0)
        buf_append_string(out, "~|~|");
    else
        buf_printf(out, "%d|%d|", (int)sum, least);
    buf_printf(out, "%d|%d\n", (int)distinct, (int)positive);
}

static struct sql_plan *plan_aggregate(struct fixture *f, bool grouped) {
    static const enum sql_type types[] = {SQL_TEXT, SQL_INT8, SQL_INT8, SQL_INT8,
                                          SQL_INT4, SQL_INT8, SQL_INT8};
    struct sql_plan *plan = plan_new(f, SQL_PLAN_AGGREGATE, plan_values(f),
                                     grouped ? types : types + 1, grouped ? 7 : 6);
    struct sql_expr **list = ARENA_ARRAY(&f->arena, struct sql_expr *, 8);
    struct sql_expr *a = column(f, 0, SQL_INT4);
    list[0] = aggregate(f, "count", NULL, (struct sql_call_options){0});
    list[1] = aggregate(f, "count", a, (struct sql_call_options){0});
    list[2] = aggregate(f, "sum", a, (struct sql_call_options){0});
    list[3] = aggregate(f, "min", a, (struct sql_call_options){0});
    list[4] = aggregate(f, "count", a, (struct sql_call_options){.distinct = true});
    list[5] = aggregate(
        f, "count", a,
        (struct sql_call_options){.filter = operator(f, ">", a, integer(f, SQL_INT4, 0))});
    list[6] = column(f, 1, SQL_TEXT);
    plan->aggregate.aggregates = list;
    plan->aggregate.aggregate_count = 6;
    plan->aggregate.groups = list + 6;
    plan->aggregate.group_count = grouped ? 1 : 0;
    return plan;
}

TEST("5", 0, aggregates_without_groups_give_one_row_even_of_no_rows) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 8, sizes[s]);
        print_group(&f, NULL, &expected);
        expect(&f, plan_aggregate(&f, false), &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, groups_come_in_the_order_first_seen_and_null_is_a_group) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 9, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++) {
            bool seen = false;
            for (uint32_t j = 0; j < i && !seen; j++)
                seen = same_b(&f.rows[i], &f.rows[j]);
            if (seen) continue;
            buf_printf(&expected, "%s|", f.rows[i].b_null ? "~" : f.rows[i].b);
            print_group(&f, &f.rows[i], &expected);
        }
        expect(&f, plan_aggregate(&f, true), &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

TEST("5", 0, distinct_gives_each_row_once_and_takes_nulls_as_alike) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct fixture f;
        struct buf expected = BUF_INIT;
        fixture_init(&f, 10, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++) {
            bool seen = false;
            for (uint32_t j = 0; j < i && !seen; j++) {
                bool same_a = f.rows[i].a_null == f.rows[j].a_null &&
                              (f.rows[i].a_null || f.rows[i].a == f.rows[j].a);
                seen = same_a && same_b(&f.rows[i], &f.rows[j]);
            }
            if (!seen) print_row(&expected, &f.rows[i]);
        }
        expect(&f, plan_like(&f, SQL_PLAN_DISTINCT, plan_values(&f)), &expected);
        buf_deinit(&expected);
        fixture_deinit(&f);
    }
}

/* ---- joins
 * ------------------------------------------------------------------------------------ */

static struct sql_plan *plan_join(struct fixture *f, struct fixture *right, bool hash) {
    static const enum sql_type types[] = {SQL_INT4, SQL_TEXT, SQL_INT4, SQL_TEXT};
    struct sql_plan *plan =
        plan_new(f, hash ? SQL_PLAN_HASH_JOIN : SQL_PLAN_NESTED_LOOP, plan_values(f), types, 4);
    struct sql_expr **keys = ARENA_ARRAY(&f->arena, struct sql_expr *, 2);
    plan->right = plan_values(right);
    plan->join.condition = operator(f, "<", column(f, 1, SQL_TEXT), column(f, 3, SQL_TEXT));
    keys[0] = column(f, 0, SQL_INT4);
    keys[1] = column(f, 0, SQL_INT4);
    if (hash) {
        plan->join.left_keys = keys;
        plan->join.right_keys = keys + 1;
        plan->join.key_count = 1;
    } else {
        struct sql_expr *parts[] = {
            plan->join.condition, operator(f, "=", column(f, 0, SQL_INT4), column(f, 2, SQL_INT4))};
        assert_ok(sql_build_and(&f->build, parts, 2, 0, &plan->join.condition, &f->error), NULL);
    }
    return plan;
}

static void check_join(bool hash, uint32_t left_count, uint32_t right_count) {
    struct fixture left, right;
    struct buf expected = BUF_INIT;
    fixture_init(&left, 11, left_count);
    fixture_init(&right, 12, right_count);
    for (uint32_t i = 0; i < left.count; i++) {
        for (uint32_t j = 0; j < right.count; j++) {
            const struct row *l = &left.rows[i];
            const struct row *r = &right.rows[j];
            if (l->a_null || r->a_null || l->a != r->a) continue;
            if (l->b_null || r->b_null || strcmp(l->b, r->b) >= 0) continue;
            buf_printf(&expected, "%d|%s|%d|%s\n", l->a, l->b, r->a, r->b);
        }
    }
    struct buf out = BUF_INIT;
    run(&left, plan_join(&left, &right, hash), &out);
    /* A hash join may give the matches of one row in another order: compare as multisets. */
    uint64_t sums[2] = {0, 0};
    const struct buf *bufs[2] = {&expected, &out};
    for (int side = 0; side < 2; side++) {
        struct slice rest = buf_slice(bufs[side]);
        while (rest.len > 0) {
            const uint8_t *end = memchr(rest.data, '\n', rest.len);
            size_t len = (size_t)(end - rest.data) + 1;
            sums[side] += checksum64(slice_of(rest.data, len), 0);
            rest = slice_from(rest, len);
        }
    }
    assert_int_equal(expected.len, out.len);
    assert_int_equal(sums[0], sums[1]);
    buf_deinit(&expected);
    buf_deinit(&out);
    fixture_deinit(&left);
    fixture_deinit(&right);
}

TEST("5", 0, a_hash_join_finds_the_pairs_with_equal_keys) {
    check_join(true, 0, 10);
    check_join(true, 10, 0);
    check_join(true, 1, 1);
    check_join(true, 1500, 1100);
}

TEST("5", 0, a_nested_loop_finds_the_pairs_that_meet_the_condition) {
    check_join(false, 0, 10);
    check_join(false, 10, 0);
    check_join(false, 1, 1);
    check_join(false, 300, 1100);
}

/* ---- scans
 * ------------------------------------------------------------------------------------ */

/* Storage that knows one table: pages of a few rows, each in memory of its own that is scrubbed
 * when the next page is asked for. */
struct storage {
    struct fixture *f;
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
        const struct row *row = &storage->f->rows[storage->next];
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

static struct sql_plan *plan_scan(struct fixture *f) {
    static const uint32_t columns[] = {1, 2};
    struct sql_plan *plan = plan_new(f, SQL_PLAN_SCAN, NULL, row_types, 2);
    plan->scan.table = &table;
    plan->scan.columns = columns;
    return plan;
}

static void storage_init(struct storage *storage, struct fixture *f) {
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
        struct fixture f;
        struct storage storage;
        struct buf expected = BUF_INIT;
        struct buf out = BUF_INIT;
        fixture_init(&f, 13, sizes[s]);
        storage_init(&storage, &f);
        struct sql_row_source source = source_of(&storage);
        struct sql_plan *plan = plan_scan(&f);
        plan->scan.filter = operator(&f, "<", column(&f, 0, SQL_INT4), integer(&f, SQL_INT4, 3));
        for (uint32_t i = 0; i < f.count; i++) {
            if (!f.rows[i].a_null && f.rows[i].a < 3) print_row(&expected, &f.rows[i]);
        }
        struct sql_exec_options options = {.plan = plan, .source = &source};
        assert_ok(run_with(&f, &options, &out), NULL);
        assert_slice_equal(buf_slice(&expected), buf_slice(&out));
        assert_int_equal(storage.opened, storage.closed);
        buf_deinit(&storage.bytes);
        buf_deinit(&expected);
        buf_deinit(&out);
        fixture_deinit(&f);
    }
}

TEST("5", 1, what_is_kept_of_a_scan_does_not_borrow_from_its_pages) {
    struct fixture f;
    struct storage storage;
    struct buf expected = BUF_INIT;
    struct buf out = BUF_INIT;
    fixture_init(&f, 14, 3000);
    storage_init(&storage, &f);
    struct sql_row_source source = source_of(&storage);
    struct sql_plan *plan = plan_sort(&f);
    plan->left = plan_scan(&f);
    struct sql_exec_options options = {.plan = plan, .source = &source};
    assert_ok(run_with(&f, &options, &out), NULL);
    sort_model(f.rows, f.count);
    for (uint32_t i = 0; i < f.count; i++)
        print_row(&expected, &f.rows[i]);
    assert_slice_equal(buf_slice(&expected), buf_slice(&out));
    buf_deinit(&storage.bytes);
    buf_deinit(&expected);
    buf_deinit(&out);
    fixture_deinit(&f);
}

TEST("5", 2, a_cancelled_statement_ends_and_closes_its_cursors) {
    struct fixture f;
    struct storage storage;
    struct buf out = BUF_INIT;
    fixture_init(&f, 15, 3000);
    storage_init(&storage, &f);
    storage.checks_left = 3;
    struct sql_row_source source = source_of(&storage);
    struct sql_plan *plan = plan_sort(&f);
    plan->left = plan_scan(&f);
    struct sql_exec_options options = {.plan = plan, .source = &source};
    assert_status(STATUS_CANCELLED, run_with(&f, &options, &out));
    assert_string_equal("57014", f.error.sqlstate);
    assert_int_equal(1, storage.opened);
    assert_int_equal(1, storage.closed);
    assert_int_equal(0, out.len);
    buf_deinit(&storage.bytes);
    fixture_deinit(&f);
}

TEST("5", 0, a_rescan_gives_the_same_rows_again) {
    struct fixture f, right;
    fixture_init(&f, 16, 500);
    fixture_init(&right, 17, 400);
    struct sql_plan *join = plan_join(&f, &right, true);
    struct sql_plan *distinct = plan_like(&f, SQL_PLAN_DISTINCT, join);
    struct sql_plan *sort = plan_like(&f, SQL_PLAN_SORT, distinct);
    static const struct sql_sort_key keys[] = {
        {0, false, false}, {1, false, false}, {3, true, false}};
    sort->sort.keys = keys;
    sort->sort.key_count = 3;
    struct sql_plan *plan = plan_like(&f, SQL_PLAN_LIMIT, sort);
    plan->limit.limit = integer(&f, SQL_INT8, 100);
    struct sql_exec_options options = {.plan = plan};
    struct sql_exec *exec;
    uint32_t counts[2] = {0, 0};
    assert_ok(sql_exec_open(&options, &exec, &f.error), NULL);
    for (int pass = 0; pass < 2; pass++) {
        struct sql_batch *batch;
        for (;;) {
            assert_ok(sql_exec_next(exec, &batch, &f.error), NULL);
            if (batch == NULL) break;
            counts[pass] += sql_batch_rows(batch);
        }
        assert_ok(sql_exec_rescan(exec, &f.error), NULL);
    }
    assert_int_equal(100, counts[0]);
    assert_int_equal(100, counts[1]);
    sql_exec_close(exec);
    fixture_deinit(&f);
    fixture_deinit(&right);
}
