/* test_btree.c - the tree: search, insertion and split in memory, walks both ways, deletion; the
 * invariants checked all the way. */
#include "btree_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "btree_iterator.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

struct shelf {
    struct env *env;
    struct btree_pager *pager;
    struct error error;
    struct prng prng;
    struct buf key, value, found;
};

static void setup(struct shelf *s, bool with_file) {
    memset(s, 0, sizeof(*s));
    struct log log;
    log_init_null(&log);
    s->env = env_uv_new(&log);
    prng_seed(&s->prng, 7);
    if (!with_file)
        s->pager = btree_pager_new(s->env, 64 * BTREE_PAGE_BYTES);
    else
        assert_ok(btree_pager_open(s->env, harness_memory_tmpdir(), 64 * BTREE_PAGE_BYTES,
                                   &s->pager, &s->error),
                  &s->error);
    btree_begin_write(s->pager);
}

static void teardown(struct shelf *s) {
    btree_pager_close(s->pager);
    env_uv_free(s->env);
    buf_deinit(&s->key);
    buf_deinit(&s->value);
    buf_deinit(&s->found);
}

static void check(struct shelf *s) {
    assert_ok(btree_check_invariants(s->pager, &s->error), &s->error);
}

static void put(struct shelf *s, struct slice key, struct slice value) {
    assert_ok(btree_put(s->pager, key, value, &s->error), &s->error);
}

/* Keys in order of their number. */
static struct slice key_of(struct shelf *s, uint32_t number) {
    buf_clear(&s->key);
    buf_printf(&s->key, "%06u", number);
    return buf_slice(&s->key);
}

/* A value of `len` bytes that tells its number. */
static struct slice value_of(struct shelf *s, uint32_t number, size_t len) {
    buf_clear(&s->value);
    memset(buf_extend(&s->value, len), (int)number, len);
    buf_append(&s->value, &number, sizeof(number));
    return buf_slice(&s->value);
}

static void expect(struct shelf *s, uint32_t number, size_t len) {
    struct btree_tree tree = btree_newest(s->pager);
    enum status status = btree_get(&tree, key_of(s, number), &s->found, &s->error);
    if (status == STATUS_NOT_FOUND)
        error_set(&s->error, status, "key %06u was put, and is not found", number);
    assert_ok(status, &s->error);
    assert_slice_equal(value_of(s, number, len), buf_slice(&s->found));
}

static void expect_absent(struct shelf *s, uint32_t number) {
    struct btree_tree tree = btree_newest(s->pager);
    assert_status(STATUS_NOT_FOUND, btree_get(&tree, key_of(s, number), &s->found, &s->error));
}

static unsigned root_level(struct shelf *s) {
    struct btree_ref root;
    assert_ok(btree_read(s->pager, s->pager->generation, s->pager->root, false, &root, &s->error),
              &s->error);
    unsigned level = btree_page_level(root.page);
    btree_release(&root);
    return level;
}

/* ---- search, insertion, split --------------------------------------------------------------- */

TEST("6", 2, every_key_is_found_after_every_split) {
    struct shelf s;
    setup(&s, false);
    enum { MANY = 600 };
    expect_absent(&s, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t number = i * 7919u % MANY;
        put(&s, key_of(&s, number), value_of(&s, number, number % 300));
        check(&s);
        for (uint32_t k = 0; k <= i; k += 1 + i / 50)
            expect(&s, k * 7919u % MANY, k * 7919u % MANY % 300);
        if (i + 1 < MANY) expect_absent(&s, (i + 1) * 7919u % MANY);
    }
    assert_true(root_level(&s) >= 1);
    teardown(&s);
}

static void fill_in_order(uint32_t count, uint32_t first, uint32_t stride) {
    struct shelf s;
    setup(&s, false);
    for (uint32_t i = 0, number = first; i < count; i++, number = (number + stride) % count) {
        put(&s, key_of(&s, number), value_of(&s, number, 40));
        if (i % 100 == 0) check(&s);
    }
    check(&s);
    for (uint32_t number = 0; number < count; number++)
        expect(&s, number, 40);
    assert_true(root_level(&s) >= 2);
    teardown(&s);
}

TEST("6", 1, tree_of_several_levels_grows_from_ascending_keys) { fill_in_order(20000, 0, 1); }

TEST("6", 1, tree_of_several_levels_grows_from_descending_keys) {
    fill_in_order(20000, 19999, 19999);
}

TEST("6", 1, tree_of_several_levels_grows_from_keys_in_random_order) {
    fill_in_order(20000, 0, 7919);
}

TEST("6", 3, split_leaves_enough_on_both_pages_whatever_the_lengths) {
    struct shelf s;
    setup(&s, false);
    static const size_t lens[] = {0, 900, 3, 500, 980, 40, 700, 1};
    for (uint32_t i = 0; i < 1200; i++) {
        uint32_t number = (uint32_t)prng_below(&s.prng, 100) * 10000 + i; /* in bursts */
        size_t len = lens[prng_below(&s.prng, ARRAY_LEN(lens))];
        put(&s, key_of(&s, number), value_of(&s, number, len));
        check(&s);
        expect(&s, number, len);
    }
    teardown(&s);
}

TEST("6", 2, value_is_replaced_in_its_place) {
    struct shelf s;
    setup(&s, false);
    for (uint32_t i = 0; i < 2000; i++)
        put(&s, key_of(&s, i), value_of(&s, i, 40));
    uint64_t pages = btree_live_pages(s.pager);
    for (uint32_t i = 0; i < 2000; i++)
        put(&s, key_of(&s, i), value_of(&s, i + 7, 40));
    check(&s);
    assert_int_equal(pages, btree_live_pages(s.pager));
    struct btree_tree tree = btree_newest(s.pager);
    for (uint32_t i = 0; i < 2000; i++) {
        assert_ok(btree_get(&tree, key_of(&s, i), &s.found, &s.error), &s.error);
        assert_slice_equal(value_of(&s, i + 7, 40), buf_slice(&s.found));
    }
    teardown(&s);
}

TEST("6", 4, separators_are_as_short_as_can_be) {
    struct shelf s;
    struct btree_ref root;
    setup(&s, false);
    for (uint32_t i = 0; i < 300; i++) { /* told apart by six bytes of 206 */
        key_of(&s, i * 3571u % 300);
        memset(buf_extend(&s.key, 200), 'x', 200);
        put(&s, buf_slice(&s.key), SLICE_EMPTY);
    }
    check(&s);
    assert_ok(btree_read(s.pager, s.pager->generation, s.pager->root, false, &root, &s.error),
              &s.error);
    assert_int_equal(1, btree_page_level(root.page));
    for (size_t i = 1; i < btree_page_count(root.page); i++)
        assert_in_range(btree_page_cell(root.page, i).key.bytes.len, 1, 6);
    btree_release(&root);
    teardown(&s);
}

TEST("6", 2, keys_that_are_prefixes_of_one_another_stay_apart) {
    struct shelf s;
    setup(&s, false);
    uint8_t bytes[300] = {0};
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        put(&s, slice_of(bytes, len), value_of(&s, (uint32_t)len, 20));
        check(&s);
    }
    struct btree_tree tree = btree_newest(s.pager);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        assert_ok(btree_get(&tree, slice_of(bytes, len), &s.found, &s.error), &s.error);
        assert_slice_equal(value_of(&s, (uint32_t)len, 20), buf_slice(&s.found));
    }
    teardown(&s);
}

/* ---- walks ---------------------------------------------------------------------------------- */

enum { WALKED = 5000 };

/* Even numbers below 2 * WALKED. */
static struct engine_iterator *begin_walk(struct shelf *s,
                                          const struct engine_iterator_options *o) {
    setup(s, false);
    for (uint32_t i = 0; i < WALKED; i++) {
        uint32_t number = i * 3571u % WALKED * 2;
        put(s, key_of(s, number), value_of(s, number, 40));
    }
    struct btree_tree tree = btree_newest(s->pager);
    static const struct engine_iterator_options everything = {0};
    return btree_iterator_new(&tree, NULL, o != NULL ? o : &everything);
}

static void expect_here(struct shelf *s, struct engine_iterator *it, uint32_t number) {
    assert_ok(engine_iterator_status(it, &s->error), &s->error);
    assert_true(engine_iterator_valid(it));
    assert_slice_equal(key_of(s, number), engine_iterator_key(it));
    assert_slice_equal(value_of(s, number, 40), engine_iterator_value(it));
}

static void end_walk(struct shelf *s, struct engine_iterator *it) {
    assert_ok(engine_iterator_status(it, &s->error), &s->error);
    engine_iterator_free(it);
    teardown(s);
}

TEST("6", 2, walk_meets_every_key_once_in_both_directions) {
    struct shelf s;
    struct engine_iterator *it = begin_walk(&s, NULL);
    uint32_t number = 0;
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it)) {
        expect_here(&s, it, number);
        number += 2;
    }
    assert_int_equal(2 * WALKED, number);
    for (bool valid = engine_iterator_seek_last(it); valid; valid = engine_iterator_prev(it)) {
        number -= 2;
        expect_here(&s, it, number);
    }
    assert_int_equal(0, number);
    end_walk(&s, it);
}

TEST("6", 2, seek_finds_the_nearest_key_on_its_side_at_every_place) {
    struct shelf s;
    struct engine_iterator *it = begin_walk(&s, NULL);
    for (uint32_t number = 0; number < 2 * WALKED; number++) {
        bool odd = number % 2 != 0, last = number == 2 * WALKED - 1;
        assert_int_equal(!last, engine_iterator_seek(it, key_of(&s, number)));
        if (!last) expect_here(&s, it, odd ? number + 1 : number);
        assert_true(engine_iterator_seek_for_prev(it, key_of(&s, number)));
        expect_here(&s, it, odd ? number - 1 : number);
    }
    end_walk(&s, it);
}

TEST("6", 2, walk_turns_round_at_every_key) {
    struct shelf s;
    struct engine_iterator *it = begin_walk(&s, NULL);
    assert_true(engine_iterator_seek_first(it));
    for (uint32_t number = 2; number + 2 < 2 * WALKED; number += 2) {
        assert_true(engine_iterator_next(it));
        assert_true(engine_iterator_next(it));
        expect_here(&s, it, number + 2);
        assert_true(engine_iterator_prev(it));
        expect_here(&s, it, number);
    }
    end_walk(&s, it);
}

TEST("6", 2, walk_ends_at_its_bounds_wherever_they_lie) {
    struct shelf s;
    setup(&s, false);
    for (uint32_t number = 0; number < 1000; number++)
        put(&s, key_of(&s, number), value_of(&s, number, 40));
    struct btree_tree tree = btree_newest(s.pager);
    for (int round = 0; round < 300; round++) {
        char lower[16], upper[16];
        uint32_t low = (uint32_t)prng_below(&s.prng, 1000);
        uint32_t high = low + 1 + (uint32_t)prng_below(&s.prng, 1000 - low), number = low;
        snprintf(lower, sizeof(lower), "%06u", low);
        snprintf(upper, sizeof(upper), "%06u", high);
        struct engine_iterator *it =
            btree_iterator_new(&tree, NULL,
                               &(struct engine_iterator_options){.lower = slice_of_string(lower),
                                                                 .upper = slice_of_string(upper)});
        for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
            expect_here(&s, it, number++);
        assert_int_equal(high, number);
        for (bool valid = engine_iterator_seek_last(it); valid; valid = engine_iterator_prev(it))
            expect_here(&s, it, --number);
        assert_int_equal(low, number);
        engine_iterator_free(it);
    }
    teardown(&s);
}

/* ---- deletion ------------------------------------------------------------------------------- */

enum { KEYS = 300, ABSENT = -1 };

struct tree_model {
    int values[KEYS];
};

/* Ascending with i, of lengths up to far beyond a page, many with a long common prefix. */
static struct slice wild_key(struct shelf *s, size_t i) {
    static const size_t lens[] = {0, 10, 300, 476, 477, 900, 5000};
    buf_clear(&s->key);
    buf_printf(&s->key, "%c", 'a' + (char)(i / 100));
    size_t len = i / 100 == 1 ? 700 : 0; /* the middle third shares a long prefix */
    memset(buf_extend(&s->key, len), 'x', len);
    buf_printf(&s->key, "%03zu", i);
    len = lens[i % ARRAY_LEN(lens)];
    memset(buf_extend(&s->key, len), 'y', len);
    return buf_slice(&s->key);
}

static struct slice wild_value(struct shelf *s, int seed) {
    static const size_t lens[] = {0, 3, 40, 200, 450, 950, 1000, 4064, 4065, 20000};
    return value_of(s, (uint32_t)seed, lens[(size_t)seed % ARRAY_LEN(lens)]);
}

static void expect_tree(struct shelf *s, const int *values) {
    struct btree_tree tree = btree_newest(s->pager);
    for (size_t i = 0; i < KEYS; i++) {
        enum status status = btree_get(&tree, wild_key(s, i), &s->found, &s->error);
        assert_status(values[i] == ABSENT ? STATUS_NOT_FOUND : STATUS_OK, status);
        if (values[i] != ABSENT) assert_slice_equal(wild_value(s, values[i]), buf_slice(&s->found));
    }
}

static void delete_range(struct shelf *s, struct tree_model *model, size_t first, size_t end) {
    struct buf start = BUF_INIT;
    buf_append_slice(&start, wild_key(s, first));
    assert_ok(btree_delete_range(s->pager, buf_slice(&start), wild_key(s, end), &s->error),
              &s->error);
    for (size_t i = first; i < end; i++)
        model->values[i] = ABSENT;
    buf_deinit(&start);
}

static void random_change(struct shelf *s, struct tree_model *model, int step, unsigned deletes) {
    size_t i = (size_t)prng_below(&s->prng, KEYS - 1);
    uint64_t what = prng_below(&s->prng, 100);
    if (what >= deletes) {
        model->values[i] = step;
        put(s, wild_key(s, i), wild_value(s, step));
    } else if (what > 1) {
        model->values[i] = ABSENT;
        assert_ok(btree_delete(s->pager, wild_key(s, i), &s->error), &s->error);
    } else {
        size_t end = i + 1 + (size_t)prng_below(&s->prng, 60);
        delete_range(s, model, i, end < KEYS ? end : KEYS - 1);
    }
}

TEST("7", 3, tree_keeps_its_invariants_through_every_random_change) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct tree_model model;
    setup(&s, true);
    for (size_t i = 0; i < KEYS; i++)
        model.values[i] = ABSENT;
    int steps = harness_sanitized() ? 1500 : 5000;
    for (int step = 0; step < steps; step++) {
        /* The tree grows, shrinks and grows again. */
        random_change(&s, &model, step, step / 500 % 2 == 0 ? 20 : 70);
        check(&s);
        if (step % 100 == 0) expect_tree(&s, model.values);
    }
    expect_tree(&s, model.values);
    delete_range(&s, &model, 0, KEYS - 1);
    check(&s);
    expect_tree(&s, model.values);
    teardown(&s);
}

TEST("7", 3, tree_of_several_levels_shrinks_to_nothing) {
    struct shelf s;
    setup(&s, true);
    enum { MANY = 20000 };
    for (uint32_t i = 0; i < MANY; i++)
        put(&s, key_of(&s, i * 7919u % MANY), value_of(&s, i * 7919u % MANY, 60));
    check(&s);
    assert_true(root_level(&s) >= 2);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_ok(btree_delete(s.pager, key_of(&s, i * 4513u % MANY), &s.error), &s.error);
        if (i % 500 == 0) check(&s);
        if (i % 100 == 0 && i + 1 < MANY) expect(&s, (i + 1) * 4513u % MANY, 60);
    }
    assert_int_equal(0, s.pager->root);
    assert_int_equal(0, btree_live_pages(s.pager));
    teardown(&s);
}

TEST("7", 3, pages_that_were_emptied_are_given_back) {
    struct shelf s;
    setup(&s, true);
    for (uint32_t i = 0; i < 10000; i++)
        put(&s, key_of(&s, i), value_of(&s, i, 60));
    uint64_t full = btree_live_pages(s.pager);
    for (uint32_t i = 0; i < 10000; i++)
        if (i % 10 != 0) assert_ok(btree_delete(s.pager, key_of(&s, i), &s.error), &s.error);
    check(&s);
    for (uint32_t i = 0; i < 10000; i += 10)
        expect(&s, i, 60);
    /* A tenth is left, on pages a fifth full at the least. */
    assert_in_range(btree_live_pages(s.pager), full / 10, full * 6 / 10);
    teardown(&s);
}

TEST("7", 3, value_that_shrinks_does_not_leave_its_page_nearly_empty) {
    struct shelf s;
    setup(&s, true);
    for (uint32_t i = 0; i < 2000; i++)
        put(&s, key_of(&s, i), value_of(&s, i, 300));
    for (uint32_t i = 0; i < 2000; i++) {
        put(&s, key_of(&s, i), value_of(&s, i, 0));
        if (i % 10 == 0) check(&s);
    }
    for (uint32_t i = 0; i < 2000; i++)
        expect(&s, i, 0);
    teardown(&s);
}

/* ---- what is too long for a cell ------------------------------------------------------------ */

TEST("7", 0, long_keys_and_values_come_back_and_their_pages_are_freed) {
    struct shelf s;
    setup(&s, true);
    static const size_t lens[] = {995, 996, 997, 4063, 4064, 4065, 8128, 100000};
    for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
        size_t len = lens[i];
        uint8_t *bytes = buf_extend(&s.key, len);
        memset(bytes, 'k', len);
        bytes[len - 1] = (uint8_t)i;
        put(&s, buf_slice(&s.key), value_of(&s, (uint32_t)i, len));
        check(&s);
        struct btree_tree tree = btree_newest(s.pager);
        assert_ok(btree_get(&tree, buf_slice(&s.key), &s.found, &s.error), &s.error);
        assert_slice_equal(value_of(&s, (uint32_t)i, len), buf_slice(&s.found));
        put(&s, buf_slice(&s.key), SLICE_LITERAL("short")); /* its chain goes */
        check(&s);
        assert_in_range(btree_live_pages(s.pager), 1, 2 + len / 4000);
        assert_ok(btree_delete(s.pager, buf_slice(&s.key), &s.error), &s.error);
        check(&s);
        assert_int_equal(0, btree_live_pages(s.pager));
        buf_clear(&s.key);
    }
    teardown(&s);
}
