/* test_btree_file.c - the tree in its file: views, which page numbers are free, what a flush
 * leaves, damage. */
#include "btree_pager.h"

#include <stdio.h>
#include <stdlib.h>

#include "btree_flush.h"
#include "btree_tree.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

enum { CACHE_BYTES = 64 * BTREE_PAGE_BYTES, KEYS = 400, ABSENT = -1 };

struct shelf {
    struct env *env;
    struct btree_pager *pager;
    char dir[512];
    struct error error;
    struct prng prng;
    struct buf key, value, found;
};

static void open_pager(struct shelf *s) {
    assert_ok(btree_pager_open(s->env, s->dir, CACHE_BYTES, &s->pager, &s->error), &s->error);
}

static void setup(struct shelf *s) {
    memset(s, 0, sizeof(*s));
    struct log log;
    log_init_null(&log);
    s->env = env_uv_new(&log);
    snprintf(s->dir, sizeof(s->dir), "%s", harness_memory_tmpdir());
    prng_seed(&s->prng, 7);
    open_pager(s);
}

static void teardown(struct shelf *s) {
    btree_pager_close(s->pager);
    env_uv_free(s->env);
    buf_deinit(&s->key);
    buf_deinit(&s->value);
    buf_deinit(&s->found);
}

static void reopen(struct shelf *s) {
    btree_pager_close(s->pager);
    s->pager = NULL;
    open_pager(s);
}

static void check(struct shelf *s) {
    assert_ok(btree_check_invariants(s->pager, &s->error), &s->error);
}

static void finish(struct shelf *s, struct btree_flush *flush) {
    bool done;
    assert_ok(btree_flush_write(flush, SIZE_MAX, &done, &s->error), &s->error);
    assert_true(done);
    assert_ok(btree_flush_sync(flush, &s->error), &s->error);
    assert_ok(btree_flush_write_meta(flush, &s->error), &s->error);
    assert_ok(btree_flush_sync(flush, &s->error), &s->error);
    btree_flush_end(flush, true);
}

static void flush(struct shelf *s) {
    struct btree_flush *flush = btree_flush_begin(s->pager, 0);
    if (flush != NULL) finish(s, flush);
}

/* ---- a model -------------------------------------------------------------------------------- */

struct model {
    int values[KEYS];
};

static void model_init(struct model *model) {
    for (size_t i = 0; i < KEYS; i++)
        model->values[i] = ABSENT;
}

static struct slice key_of(struct shelf *s, size_t i) {
    buf_clear(&s->key);
    buf_printf(&s->key, "%03zu", i);
    size_t len = i % 3 == 0 ? 700 : 40; /* long ones have pages of their own */
    memset(buf_extend(&s->key, len), 'y', len);
    return buf_slice(&s->key);
}

static struct slice value_of(struct shelf *s, int number) {
    static const size_t lens[] = {0, 40, 200, 450, 950, 5000};
    size_t len = lens[(size_t)number % ARRAY_LEN(lens)];
    buf_clear(&s->value);
    memset(buf_extend(&s->value, len), number, len);
    buf_append(&s->value, &number, sizeof(number));
    return buf_slice(&s->value);
}

static void expect_tree(struct shelf *s, const struct btree_tree *tree, const int *values) {
    for (size_t i = 0; i < KEYS; i++) {
        enum status status = btree_get(tree, key_of(s, i), &s->found, &s->error);
        assert_status(values[i] == ABSENT ? STATUS_NOT_FOUND : STATUS_OK, status);
        if (values[i] != ABSENT) assert_slice_equal(value_of(s, values[i]), buf_slice(&s->found));
    }
}

static void expect_newest(struct shelf *s, const struct model *model) {
    struct btree_tree tree = btree_newest(s->pager);
    expect_tree(s, &tree, model->values);
}

static void random_change(struct shelf *s, struct model *model, int step, unsigned deletes) {
    size_t i = (size_t)prng_below(&s->prng, KEYS);
    btree_begin_write(s->pager);
    if (prng_below(&s->prng, 100) < deletes) {
        model->values[i] = ABSENT;
        assert_ok(btree_delete(s->pager, key_of(s, i), &s->error), &s->error);
    } else {
        model->values[i] = step;
        assert_ok(btree_put(s->pager, key_of(s, i), value_of(s, step), &s->error), &s->error);
    }
}

/* ---- views ---------------------------------------------------------------------------------- */

struct held {
    struct btree_view *view;
    int values[KEYS];
};

static void release(struct shelf *s, struct held *held) {
    struct btree_tree tree = btree_of_view(s->pager, held->view);
    expect_tree(s, &tree, held->values);
    btree_view_release(s->pager, held->view);
    held->view = NULL;
}

TEST("7", 2, views_keep_their_trees_and_every_page_stays_accounted_for) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct model model;
    struct held held[4] = {0};
    setup(&s);
    model_init(&model);
    int steps = harness_sanitized() ? 800 : 2500;
    for (int step = 0; step < steps; step++) {
        struct held *one = &held[prng_below(&s.prng, ARRAY_LEN(held))];
        random_change(&s, &model, step, 40);
        if (prng_below(&s.prng, 20) == 0 && one->view != NULL) {
            release(&s, one);
        } else if (one->view == NULL && prng_below(&s.prng, 20) == 0) {
            one->view = btree_view_new(s.pager, true);
            memcpy(one->values, model.values, sizeof(model.values));
        }
        if (prng_below(&s.prng, 40) == 0) flush(&s);
        check(&s);
    }
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        if (held[i].view != NULL) release(&s, &held[i]);
    flush(&s);
    check(&s);
    expect_newest(&s, &model);
    assert_int_equal(0, s.pager->frame_count); /* nothing is held in memory but the cache */
    teardown(&s);
}

TEST("7", 1, page_that_a_view_sees_is_never_changed) {
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    for (int step = 0; step < 500; step++)
        random_change(&s, &model, step, 0);
    struct held held = {.view = btree_view_new(s.pager, true)};
    memcpy(held.values, model.values, sizeof(held.values));
    for (int step = 500; step < 700; step++) {
        random_change(&s, &model, step, 30);
        struct btree_tree tree = btree_of_view(s.pager, held.view);
        if (step % 10 == 0) expect_tree(&s, &tree, held.values);
    }
    release(&s, &held);
    expect_newest(&s, &model);
    teardown(&s);
}

/* ---- the free list -------------------------------------------------------------------------- */

static void overwrite_some(struct shelf *s) {
    for (int i = 0; i < 400; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%05u", (unsigned)prng_below(&s->prng, 1000));
        btree_begin_write(s->pager);
        assert_ok(btree_put(s->pager, slice_of_string(key), value_of(s, 3), &s->error), &s->error);
        /* A reader that comes and goes makes a generation each time. */
        btree_view_release(s->pager, btree_view_new(s->pager, true));
    }
}

TEST("7", 2, file_does_not_grow_while_its_content_does_not) {
    TEST_LIMIT(60000);
    struct shelf s;
    setup(&s);
    uint32_t after_first = 0;
    for (int round = 0; round < 60; round++) {
        overwrite_some(&s);
        flush(&s);
        check(&s);
        if (round == 9) after_first = s.pager->page_count;
        if (round % 20 == 19) reopen(&s);
        check(&s);
    }
    assert_in_range(s.pager->page_count, 1, after_first + after_first / 2);
    teardown(&s);
}

TEST("7", 3, free_list_of_several_pages_survives_a_restart) {
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    static const uint8_t large[1 << 20];
    for (int i = 0; i < 20; i++) { /* 5,000 pages, and then none */
        char key[24];
        snprintf(key, sizeof(key), "large %02d", i);
        btree_begin_write(s.pager);
        assert_ok(
            btree_put(s.pager, slice_of_string(key), slice_of(large, sizeof(large)), &s.error),
            &s.error);
    }
    flush(&s);
    uint32_t pages = s.pager->page_count;
    btree_begin_write(s.pager);
    assert_ok(btree_delete_range(s.pager, slice_of_string("large"), slice_of_string("m"), &s.error),
              &s.error);
    for (int step = 0; step < 100; step++)
        random_change(&s, &model, step, 0);
    flush(&s);
    check(&s);
    reopen(&s);
    check(&s); /* each number is in the tree, free, or in the list's chain: once */
    assert_in_range(btree_live_pages(s.pager), 1, 400);
    for (int step = 0; step < 2000; step++)
        random_change(&s, &model, step, 30);
    check(&s);
    expect_newest(&s, &model);
    assert_in_range(s.pager->page_count, 1, pages + 500); /* the old pages are used again */
    teardown(&s);
}

/* ---- flushes -------------------------------------------------------------------------------- */

TEST("7", 2, tree_of_the_last_flush_is_read_from_the_file_whatever_was_written_since) {
    struct shelf s;
    struct model model, flushed;
    setup(&s);
    model_init(&model);
    for (int round = 0; round < 30; round++) {
        for (int step = 0; step < 60; step++)
            random_change(&s, &model, round * 100 + step, 40);
        flush(&s);
        flushed = model;
        for (int step = 60; step < 100; step++)
            random_change(&s, &model, round * 100 + step, 40);
        reopen(&s);
        check(&s);
        expect_newest(&s, &flushed);
        model = flushed;
    }
    teardown(&s);
}

TEST("7", 2, flush_writes_the_tree_of_its_beginning_though_writing_goes_on) {
    struct shelf s;
    struct model model, begun;
    setup(&s);
    model_init(&model);
    for (int round = 0; round < 30; round++) {
        for (int step = 0; step < 60; step++)
            random_change(&s, &model, round * 200 + step, 40);
        begun = model;
        struct btree_flush *flush = btree_flush_begin(s.pager, 0);
        for (int step = 60; step < 120; step++)
            random_change(&s, &model, round * 200 + step, 40);
        finish(&s, flush);
        check(&s);
        expect_newest(&s, &model);
        reopen(&s);
        check(&s);
        expect_newest(&s, &begun);
        model = begun;
    }
    teardown(&s);
}

TEST("7", 2, flush_that_fails_leaves_everything_for_the_next) {
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    for (int step = 0; step < 400; step++) {
        random_change(&s, &model, step, 30);
        if (step % 20 != 0) continue;
        struct btree_flush *given_up = btree_flush_begin(s.pager, 0);
        random_change(&s, &model, step + 5, 30);
        if (given_up != NULL) btree_flush_end(given_up, false);
        check(&s);
        if (step % 100 == 0) flush(&s);
        check(&s);
    }
    flush(&s);
    reopen(&s);
    check(&s);
    expect_newest(&s, &model);
    teardown(&s);
}

/* ---- the two meta pages --------------------------------------------------------------------- */

/* Inverts a byte of the file, in place. */
static void flip(struct shelf *s, uint64_t at) {
    char path[600];
    struct file *file;
    uint8_t byte;
    size_t read;
    snprintf(path, sizeof(path), "%s/btree.db", s->dir);
    assert_ok(env_file_open(s->env, path, FILE_READ_WRITE, &file, &s->error), &s->error);
    assert_ok(file_read_at(file, at, &byte, 1, &read, &s->error), &s->error);
    byte ^= 0x10;
    assert_ok(file_write_at(file, at, slice_of(&byte, 1), &s->error), &s->error);
    file_close(file);
}

TEST("7", 0, newer_of_two_whole_meta_pages_counts_wherever_it_stands) {
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    for (int round = 0; round < 6; round++) {
        random_change(&s, &model, round, 0);
        flush(&s);
        reopen(&s);
        expect_newest(&s, &model);
    }
    teardown(&s);
}

TEST("7", 0, flush_cut_off_in_its_meta_page_leaves_the_tree_before_it) {
    struct shelf s;
    struct model model, before;
    setup(&s);
    model_init(&model);
    for (int round = 0; round < 8; round++) {
        for (int step = 0; step < 50; step++)
            random_change(&s, &model, round * 50 + step, 30);
        flush(&s);
        before = model;
        for (int step = 0; step < 5; step++)
            random_change(&s, &model, round * 50 + step, 30);
        flush(&s);
        /* Its page is the one of the turn's parity. */
        flip(&s, s.pager->meta.turn % 2 * BTREE_PAGE_BYTES + prng_below(&s.prng, BTREE_PAGE_BYTES));
        reopen(&s);
        check(&s);
        expect_newest(&s, &before);
        model = before;
    }
    teardown(&s);
}

TEST("7", 0, without_a_whole_meta_page_the_file_is_corrupt) {
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    random_change(&s, &model, 1, 0);
    flush(&s);
    flip(&s, 100);
    flip(&s, BTREE_PAGE_BYTES + 100);
    btree_pager_close(s.pager);
    assert_status(STATUS_CORRUPT, btree_pager_open(s.env, s.dir, CACHE_BYTES, &s.pager, &s.error));
    s.pager = NULL;
    assert_non_null(strstr(s.error.message, "btree.db"));
    teardown(&s);
}

/* ---- damage --------------------------------------------------------------------------------- */

static enum status read_everything(struct shelf *s) {
    struct btree_tree tree = btree_newest(s->pager);
    for (size_t i = 0; i < KEYS; i++) {
        enum status status = btree_get(&tree, key_of(s, i), &s->found, &s->error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    }
    return STATUS_OK;
}

TEST("7", 0, damaged_page_is_reported_with_its_place_and_never_read) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct model model;
    setup(&s);
    model_init(&model);
    for (int step = 0; step < 400; step++)
        random_change(&s, &model, step, 5);
    flush(&s);
    uint32_t pages = s.pager->page_count;
    uint64_t reported = 0, live = btree_live_pages(s.pager);
    for (uint32_t number = BTREE_FIRST_PAGE; number < pages; number++) {
        uint64_t at = (uint64_t)number * BTREE_PAGE_BYTES + prng_below(&s.prng, BTREE_PAGE_BYTES);
        btree_pager_close(s.pager);
        flip(&s, at);
        enum status status = btree_pager_open(s.env, s.dir, 1 << 20, &s.pager, &s.error);
        if (status != STATUS_OK) s.pager = NULL;
        if (status == STATUS_OK) status = read_everything(&s);
        if (status != STATUS_OK) {
            char place[40];
            assert_status(STATUS_CORRUPT, status);
            snprintf(place, sizeof(place), "page %u at offset %u", number,
                     number * BTREE_PAGE_BYTES);
            assert_non_null(strstr(s.error.message, place));
            assert_non_null(strstr(s.error.message, "btree.db"));
            reported++;
        }
        flip(&s, at);
    }
    assert_in_range(reported, live, pages); /* the tree, and the free list's chain */
    teardown(&s);
}
