/* The operators, on plans made by hand: each against what a loop over the same rows computes. */
#include "exec_fixture.h"

static const uint32_t sizes[] = {0, 1, 7, 1023, 1024, 1025, 3000};

/* ---- operators ------------------------------------------------------------------------------- */

TEST("5", 0, values_give_their_rows_in_batches) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 1, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++)
            hand_print_row(&expected, &f.rows[i]);
        hand_expect(&f, hand_plan_values(&f), &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, a_filter_keeps_the_rows_for_which_the_condition_is_true) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 2, sizes[s]);
        struct sql_plan *plan = hand_plan_like(&f, SQL_PLAN_FILTER, hand_plan_values(&f));
        plan->filter =
            hand_operator(&f, ">", hand_column(&f, 0, SQL_INT4), hand_integer(&f, SQL_INT4, 10));
        for (uint32_t i = 0; i < f.count; i++) {
            if (!f.rows[i].a_null && f.rows[i].a > 10) hand_print_row(&expected, &f.rows[i]);
        }
        hand_expect(&f, plan, &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, a_projection_above_a_filter_computes_only_rows_that_are_left) {
    struct exec_fixture f;
    struct buf expected = BUF_INIT;
    exec_fixture_init(&f, 3, 3000);
    struct sql_plan *filter = hand_plan_like(&f, SQL_PLAN_FILTER, hand_plan_values(&f));
    filter->filter =
        hand_operator(&f, "<>", hand_column(&f, 0, SQL_INT4), hand_integer(&f, SQL_INT4, 0));
    const enum sql_type type = SQL_INT4;
    struct sql_plan *plan = hand_plan_new(&f, SQL_PLAN_PROJECT, filter, &type, 1);
    struct sql_expr *quotient =
        hand_operator(&f, "/", hand_integer(&f, SQL_INT4, 100), hand_column(&f, 0, SQL_INT4));
    plan->project.exprs = &quotient;
    for (uint32_t i = 0; i < f.count; i++) {
        if (f.rows[i].a_null || f.rows[i].a == 0) continue;
        buf_printf(&expected, "%d\n", 100 / f.rows[i].a);
    }
    hand_expect(&f, plan, &expected);
    buf_deinit(&expected);
    exec_fixture_deinit(&f);
}

TEST("5", 0, limit_and_offset_cut_across_batches) {
    static const int64_t cuts[][2] = {{0, 0},     {5, 0},       {1500, 0},
                                      {10, 1020}, {5000, 2999}, {1, 4000}};
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 4, 3000);
        struct sql_plan *plan = hand_plan_like(&f, SQL_PLAN_LIMIT, hand_plan_values(&f));
        plan->limit.limit = hand_integer(&f, SQL_INT8, cuts[i][0]);
        plan->limit.offset = hand_integer(&f, SQL_INT8, cuts[i][1]);
        for (int64_t r = cuts[i][1]; r < cuts[i][1] + cuts[i][0] && r < f.count; r++) {
            hand_print_row(&expected, &f.rows[r]);
        }
        hand_expect(&f, plan, &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, a_negative_limit_is_refused) {
    struct exec_fixture f;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 4, 3);
    struct sql_plan *plan = hand_plan_like(&f, SQL_PLAN_LIMIT, hand_plan_values(&f));
    plan->limit.limit = hand_integer(&f, SQL_INT8, -1);
    struct sql_exec_options options = {.plan = plan};
    assert_status(STATUS_INVALID, hand_run_with(&f, &options, &out));
    assert_string_equal("2201W", f.error.sqlstate);
    assert_string_equal("LIMIT must not be negative", f.error.message);
    exec_fixture_deinit(&f);
}

/* ---- sorting --------------------------------------------------------------------------------- */

TEST("5", 0, a_sort_orders_by_all_its_keys_and_places_nulls) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 5, sizes[s]);
        struct sql_plan *plan = hand_plan_sort(&f);
        hand_sort_model(f.rows, f.count);
        for (uint32_t i = 0; i < f.count; i++)
            hand_print_row(&expected, &f.rows[i]);
        hand_expect(&f, plan, &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, a_sort_is_stable) {
    struct exec_fixture f;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 6, 3000);
    for (uint32_t i = 0; i < f.count; i++)
        f.rows[i].a_null = false, f.rows[i].a = 1;
    struct sql_plan *plan = hand_plan_sort(&f);
    static const struct sql_sort_key key = {0, false, false};
    plan->sort.keys = &key;
    plan->sort.key_count = 1;
    struct buf expected = BUF_INIT;
    for (uint32_t i = 0; i < f.count; i++)
        hand_print_row(&expected, &f.rows[i]);
    hand_expect(&f, plan, &expected);
    buf_deinit(&expected);
    buf_deinit(&out);
    exec_fixture_deinit(&f);
}

TEST("5", 0, a_sort_of_the_first_rows_keeps_few_and_finds_the_right_ones) {
    struct exec_fixture f;
    struct buf expected = BUF_INIT;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 7, 20000);
    struct sql_plan *plan = hand_plan_sort(&f);
    plan->sort.limit = hand_integer(&f, SQL_INT8, 20);
    plan->sort.offset = hand_integer(&f, SQL_INT8, 5);
    struct sql_exec_options options = {.plan = plan, .memory_bytes = 1 << 20};
    assert_ok(hand_run_with(&f, &options, &out), NULL);
    hand_sort_model(f.rows, f.count);
    for (uint32_t i = 0; i < 25; i++)
        hand_print_row(&expected, &f.rows[i]);
    assert_true(slice_has_prefix(buf_slice(&out), buf_slice(&expected)));
    buf_deinit(&expected);
    buf_deinit(&out);
    exec_fixture_deinit(&f);
}

TEST("5", 3, a_sort_over_its_memory_is_refused) {
    struct exec_fixture f;
    struct buf out = BUF_INIT;
    exec_fixture_init(&f, 7, 20000);
    struct sql_exec_options options = {.plan = hand_plan_sort(&f), .memory_bytes = 256 << 10};
    assert_status(STATUS_INVALID, hand_run_with(&f, &options, &out));
    assert_string_equal("53200", f.error.sqlstate);
    buf_deinit(&out);
    exec_fixture_deinit(&f);
}

/* ---- grouping -------------------------------------------------------------------------------- */

static struct sql_expr *aggregate(struct exec_fixture *f, const char *name, struct sql_expr *arg,
                                  struct sql_call_options options) {
    struct sql_expr *out;
    options.star = arg == NULL;
    assert_ok(sql_build_function(&f->build, slice_of_string(name), &arg, arg != NULL, options, 0,
                                 &out, &f->error),
              NULL);
    return out;
}

static bool same_b(const struct hand_row *a, const struct hand_row *b) {
    return a->b_null == b->b_null && (a->b_null || strcmp(a->b, b->b) == 0);
}

/* What one group (of rows like `like`, or all if NULL) aggregates to. */
static void print_group(struct exec_fixture *f, const struct hand_row *like, struct buf *out) {
    int64_t rows = 0, values = 0, sum = 0, distinct = 0, positive = 0;
    int least = 0;
    bool seen[64] = {false};
    for (uint32_t i = 0; i < f->count; i++) {
        const struct hand_row *row = &f->rows[i];
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

static struct sql_plan *plan_aggregate(struct exec_fixture *f, bool grouped) {
    static const enum sql_type types[] = {SQL_TEXT, SQL_INT8, SQL_INT8, SQL_INT8,
                                          SQL_INT4, SQL_INT8, SQL_INT8};
    struct sql_plan *plan = hand_plan_new(f, SQL_PLAN_AGGREGATE, hand_plan_values(f),
                                          grouped ? types : types + 1, grouped ? 7 : 6);
    struct sql_expr **list = ARENA_ARRAY(&f->arena, struct sql_expr *, 8);
    struct sql_expr *a = hand_column(f, 0, SQL_INT4);
    list[0] = aggregate(f, "count", NULL, (struct sql_call_options){0});
    list[1] = aggregate(f, "count", a, (struct sql_call_options){0});
    list[2] = aggregate(f, "sum", a, (struct sql_call_options){0});
    list[3] = aggregate(f, "min", a, (struct sql_call_options){0});
    list[4] = aggregate(f, "count", a, (struct sql_call_options){.distinct = true});
    list[5] = aggregate(f, "count", a,
                        (struct sql_call_options){
                            .filter = hand_operator(f, ">", a, hand_integer(f, SQL_INT4, 0))});
    list[6] = hand_column(f, 1, SQL_TEXT);
    plan->aggregate.aggregates = list;
    plan->aggregate.aggregate_count = 6;
    plan->aggregate.groups = list + 6;
    plan->aggregate.group_count = grouped ? 1 : 0;
    return plan;
}

TEST("5", 0, aggregates_without_groups_give_one_row_even_of_no_rows) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 8, sizes[s]);
        print_group(&f, NULL, &expected);
        hand_expect(&f, plan_aggregate(&f, false), &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, groups_come_in_the_order_first_seen_and_null_is_a_group) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 9, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++) {
            bool seen = false;
            for (uint32_t j = 0; j < i && !seen; j++)
                seen = same_b(&f.rows[i], &f.rows[j]);
            if (seen) continue;
            buf_printf(&expected, "%s|", f.rows[i].b_null ? "~" : f.rows[i].b);
            print_group(&f, &f.rows[i], &expected);
        }
        hand_expect(&f, plan_aggregate(&f, true), &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

TEST("5", 0, distinct_gives_each_row_once_and_takes_nulls_as_alike) {
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        struct exec_fixture f;
        struct buf expected = BUF_INIT;
        exec_fixture_init(&f, 10, sizes[s]);
        for (uint32_t i = 0; i < f.count; i++) {
            bool seen = false;
            for (uint32_t j = 0; j < i && !seen; j++) {
                bool same_a = f.rows[i].a_null == f.rows[j].a_null &&
                              (f.rows[i].a_null || f.rows[i].a == f.rows[j].a);
                seen = same_a && same_b(&f.rows[i], &f.rows[j]);
            }
            if (!seen) hand_print_row(&expected, &f.rows[i]);
        }
        hand_expect(&f, hand_plan_like(&f, SQL_PLAN_DISTINCT, hand_plan_values(&f)), &expected);
        buf_deinit(&expected);
        exec_fixture_deinit(&f);
    }
}

/* ---- joins ----------------------------------------------------------------------------------- */

static struct sql_plan *plan_join(struct exec_fixture *f, struct exec_fixture *right, bool hash) {
    static const enum sql_type types[] = {SQL_INT4, SQL_TEXT, SQL_INT4, SQL_TEXT};
    struct sql_plan *plan = hand_plan_new(f, hash ? SQL_PLAN_HASH_JOIN : SQL_PLAN_NESTED_LOOP,
                                          hand_plan_values(f), types, 4);
    struct sql_expr **keys = ARENA_ARRAY(&f->arena, struct sql_expr *, 2);
    plan->right = hand_plan_values(right);
    plan->join.condition =
        hand_operator(f, "<", hand_column(f, 1, SQL_TEXT), hand_column(f, 3, SQL_TEXT));
    keys[0] = hand_column(f, 0, SQL_INT4);
    keys[1] = hand_column(f, 0, SQL_INT4);
    if (hash) {
        plan->join.left_keys = keys;
        plan->join.right_keys = keys + 1;
        plan->join.key_count = 1;
    } else {
        struct sql_expr *parts[] = {
            plan->join.condition,
            hand_operator(f, "=", hand_column(f, 0, SQL_INT4), hand_column(f, 2, SQL_INT4))};
        assert_ok(sql_build_and(&f->build, parts, 2, 0, &plan->join.condition, &f->error), NULL);
    }
    return plan;
}

static void check_join(bool hash, uint32_t left_count, uint32_t right_count) {
    struct exec_fixture left, right;
    struct buf expected = BUF_INIT;
    exec_fixture_init(&left, 11, left_count);
    exec_fixture_init(&right, 12, right_count);
    for (uint32_t i = 0; i < left.count; i++) {
        for (uint32_t j = 0; j < right.count; j++) {
            const struct hand_row *l = &left.rows[i];
            const struct hand_row *r = &right.rows[j];
            if (l->a_null || r->a_null || l->a != r->a) continue;
            if (l->b_null || r->b_null || strcmp(l->b, r->b) >= 0) continue;
            buf_printf(&expected, "%d|%s|%d|%s\n", l->a, l->b, r->a, r->b);
        }
    }
    struct buf out = BUF_INIT;
    hand_run(&left, plan_join(&left, &right, hash), &out);
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
    exec_fixture_deinit(&left);
    exec_fixture_deinit(&right);
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

TEST("5", 0, a_rescan_gives_the_same_rows_again) {
    struct exec_fixture f, right;
    exec_fixture_init(&f, 16, 500);
    exec_fixture_init(&right, 17, 400);
    struct sql_plan *join = plan_join(&f, &right, true);
    struct sql_plan *distinct = hand_plan_like(&f, SQL_PLAN_DISTINCT, join);
    struct sql_plan *sort = hand_plan_like(&f, SQL_PLAN_SORT, distinct);
    static const struct sql_sort_key keys[] = {
        {0, false, false}, {1, false, false}, {3, true, false}};
    sort->sort.keys = keys;
    sort->sort.key_count = 3;
    struct sql_plan *plan = hand_plan_like(&f, SQL_PLAN_LIMIT, sort);
    plan->limit.limit = hand_integer(&f, SQL_INT8, 100);
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
    exec_fixture_deinit(&f);
    exec_fixture_deinit(&right);
}
