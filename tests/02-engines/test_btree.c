/* test_btree.c - the parts of the B+tree: pages, cache, tree, free list, against simple models,
 * the invariants checked after every step. White box. */
#include <stdio.h>
#include <stdlib.h>

#include "btree_flush.h"
#include "btree_tree.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

struct shelf {
    struct env *env;
    struct btree_pager *pager;
    char dir[512];
    struct error error;
    struct prng prng;
    struct buf key, value, found;
};

static void open_pager(struct shelf *s, size_t cache_bytes) {
    assert_ok(btree_pager_open(s->env, s->dir, cache_bytes, &s->pager, &s->error), &s->error);
}

static void setup(struct shelf *s) {
    memset(s, 0, sizeof(*s));
    struct log log;
    log_init_null(&log);
    s->env = env_uv_new(&log);
    snprintf(s->dir, sizeof(s->dir), "%s", harness_memory_tmpdir());
    prng_seed(&s->prng, 7);
    open_pager(s, 64 * BTREE_PAGE_BYTES);
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

static void flush(struct shelf *s) {
    bool done;
    struct btree_flush *flush = btree_flush_begin(s->pager, 0);
    if (flush == NULL) return;
    assert_ok(btree_flush_write(flush, SIZE_MAX, &done, &s->error), &s->error);
    assert_true(done);
    assert_ok(btree_flush_sync(flush, &s->error), &s->error);
    assert_ok(btree_flush_write_meta(flush, &s->error), &s->error);
    assert_ok(btree_flush_sync(flush, &s->error), &s->error);
    btree_flush_end(flush, true);
}

static void reopen(struct shelf *s) {
    btree_pager_close(s->pager);
    s->pager = NULL;
    open_pager(s, 64 * BTREE_PAGE_BYTES);
}

/* ---- pages ---------------------------------------------------------------------------------- */

TEST("2.1", 1, page_keeps_the_order_of_its_cells_and_uses_every_gap) {
    uint8_t page[BTREE_PAGE_BYTES], cell[BTREE_CELL_MAX];
    int model[BTREE_PAGE_CELLS_MAX];
    size_t count = 0, lens[BTREE_PAGE_CELLS_MAX], live = 0;
    static const uint8_t filler[BTREE_CELL_MAX];
    struct prng prng;
    prng_seed(&prng, 1);
    btree_page_init(page, BTREE_LEAF, 0, 5, 1);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)prng_below(&prng, count + 1);
        if (prng_below(&prng, 5) < 3) {
            struct btree_field key = {.bytes = slice_of(&step, sizeof(step))};
            struct btree_field value = {.bytes = slice_of(filler, prng_below(&prng, 300))};
            size_t len = btree_leaf_cell(cell, key, value);
            bool fits = live + len + BTREE_SLOT_BYTES <= BTREE_PAGE_CAPACITY;
            assert_int_equal(fits, btree_page_insert(page, i, slice_of(cell, len)));
            if (!fits) continue;
            memmove(model + i + 1, model + i, (count - i) * sizeof(model[0]));
            memmove(lens + i + 1, lens + i, (count - i) * sizeof(lens[0]));
            model[i] = step;
            lens[i] = len + BTREE_SLOT_BYTES;
            live += lens[i];
            count++;
        } else if (i < count) {
            btree_page_remove(page, i);
            live -= lens[i];
            memmove(model + i, model + i + 1, (count - i - 1) * sizeof(model[0]));
            memmove(lens + i, lens + i + 1, (count - i - 1) * sizeof(lens[0]));
            count--;
        }
        assert_int_equal(live, btree_page_live_bytes(page));
        assert_int_equal(count, btree_page_count(page));
        for (size_t k = 0; k < count; k++)
            assert_slice_equal(slice_of(&model[k], sizeof(int)),
                               btree_page_cell(page, k).key.bytes);
    }
}

TEST("2.1", 3, page_with_any_bit_flipped_or_in_another_place_is_corrupt) {
    uint8_t page[BTREE_PAGE_BYTES], cell[BTREE_CELL_MAX];
    btree_page_init(page, BTREE_LEAF, 0, 5, 9);
    struct btree_field key = {.bytes = slice_of("key", 3)};
    assert_true(btree_page_insert(page, 0, slice_of(cell, btree_leaf_cell(cell, key, key))));
    btree_page_seal(page);
    assert_ok(btree_page_verify(page, 5, 9, NULL), NULL);
    assert_status(STATUS_CORRUPT, btree_page_verify(page, 6, 9, NULL));
    assert_status(STATUS_CORRUPT, btree_page_verify(page, 5, 8, NULL));
    for (size_t bit = 0; bit < BTREE_PAGE_BYTES * 8; bit += 7) {
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_status(STATUS_CORRUPT, btree_page_verify(page, 5, 9, NULL));
        page[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

/* ---- cache ---------------------------------------------------------------------------------- */

static void fill(struct btree_cache *cache, uint32_t number) {
    struct btree_cache_frame *frame;
    uint8_t *page = btree_cache_claim(cache, number, &frame);
    if (page == NULL) return;
    memset(page, (int)number, BTREE_PAGE_BYTES);
    btree_cache_publish(frame, number);
    btree_cache_unpin(frame);
}

TEST("2.2", 2, pinned_page_stays_however_many_others_come) {
    struct btree_cache *cache = btree_cache_new(8 * BTREE_PAGE_BYTES);
    struct btree_cache_frame *pinned, *frame;
    fill(cache, 7);
    const uint8_t *page = btree_cache_pin(cache, 7, &pinned);
    assert_non_null(page);
    size_t here = 0;
    for (uint32_t number = 100; number < 200; number++)
        fill(cache, number);
    for (uint32_t number = 100; number < 200; number++)
        if (btree_cache_pin(cache, number, &frame) != NULL) {
            btree_cache_unpin(frame);
            here++;
        }
    assert_int_equal(7, here); /* bounded: eight frames, one of them pinned */
    for (size_t i = 0; i < BTREE_PAGE_BYTES; i++)
        assert_int_equal(7, page[i]);
    btree_cache_unpin(pinned);
    btree_cache_forget(cache, 7);
    assert_null(btree_cache_pin(cache, 7, &frame));
    btree_cache_free(cache);
}

/* ---- the tree against a model --------------------------------------------------------------- */

enum { KEYS = 300, ABSENT = -1 };

struct tree_model {
    int values[KEYS];
};

/* Ascending with i, of lengths up to far beyond a page, many with a long common prefix. */
static struct slice key_of(struct shelf *s, size_t i) {
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

static struct slice value_of(struct shelf *s, int seed) {
    static const size_t lens[] = {0, 3, 40, 200, 450, 950, 1000, 4064, 4065, 20000};
    size_t len = lens[(size_t)seed % ARRAY_LEN(lens)];
    buf_clear(&s->value);
    memset(buf_extend(&s->value, len), seed, len);
    buf_append(&s->value, &seed, sizeof(seed));
    return buf_slice(&s->value);
}

static void expect_tree(struct shelf *s, const struct btree_tree *tree, const int *values) {
    for (size_t i = 0; i < KEYS; i++) {
        enum status status = btree_get(tree, key_of(s, i), &s->found, &s->error);
        assert_status(values[i] == ABSENT ? STATUS_NOT_FOUND : STATUS_OK, status);
        if (values[i] != ABSENT) assert_slice_equal(value_of(s, values[i]), buf_slice(&s->found));
    }
}

static void random_change(struct shelf *s, struct tree_model *model, int step, unsigned deletes) {
    size_t i = (size_t)prng_below(&s->prng, KEYS);
    uint64_t what = prng_below(&s->prng, 100);
    btree_begin_write(s->pager);
    if (what >= deletes) {
        model->values[i] = step;
        assert_ok(btree_put(s->pager, key_of(s, i), value_of(s, step), &s->error), &s->error);
    } else if (what > 1) {
        model->values[i] = ABSENT;
        assert_ok(btree_delete(s->pager, key_of(s, i), &s->error), &s->error);
    } else {
        size_t end = i + (size_t)prng_below(&s->prng, 60);
        if (end >= KEYS) end = KEYS - 1;
        struct buf start = BUF_INIT;
        buf_append_slice(&start, key_of(s, i));
        if (end > i)
            assert_ok(btree_delete_range(s->pager, buf_slice(&start), key_of(s, end), &s->error),
                      &s->error);
        for (; i < end; i++)
            model->values[i] = ABSENT;
        buf_deinit(&start);
    }
}

static void model_init(struct tree_model *model) {
    for (size_t i = 0; i < KEYS; i++)
        model->values[i] = ABSENT;
}

TEST("2.3", 3, tree_keeps_its_invariants_through_every_random_change) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct tree_model model;
    setup(&s);
    model_init(&model);
    int steps = harness_sanitized() ? 1500 : 6000;
    for (int step = 0; step < steps; step++) {
        /* The tree grows, shrinks and grows again. */
        random_change(&s, &model, step, step / 500 % 2 == 0 ? 20 : 70);
        check(&s);
        if (step % 100 == 0) {
            struct btree_tree tree = btree_newest(s.pager);
            expect_tree(&s, &tree, model.values);
        }
        if (step % 250 == 249) flush(&s);
        if (step % 500 == 499) reopen(&s);
    }
    struct btree_tree tree = btree_newest(s.pager);
    expect_tree(&s, &tree, model.values);
    teardown(&s);
}

TEST("2.3", 1, many_small_keys_make_and_unmake_a_tree_of_several_levels) {
    struct shelf s;
    setup(&s);
    enum { MANY = 20000 };
    btree_begin_write(s.pager);
    for (uint32_t i = 0; i < MANY; i++) {
        char key[80];
        snprintf(key, sizeof(key), "%060u", i * 7919u % MANY);
        assert_ok(btree_put(s.pager, slice_of_string(key), SLICE_LITERAL("v"), &s.error), &s.error);
    }
    check(&s);
    struct btree_tree tree = btree_newest(s.pager);
    struct btree_ref root;
    assert_ok(btree_read(s.pager, tree.generation, tree.root, false, &root, &s.error), &s.error);
    assert_true(btree_page_level(root.page) >= 2);
    btree_release(&root);
    for (uint32_t i = 0; i < MANY; i++) {
        char key[80];
        snprintf(key, sizeof(key), "%060u", i * 4513u % MANY);
        assert_ok(btree_delete(s.pager, slice_of_string(key), &s.error), &s.error);
        if (i % 500 == 0) check(&s);
    }
    assert_int_equal(0, s.pager->root);
    assert_int_equal(0, btree_live_pages(s.pager));
    teardown(&s);
}

/* ---- views and reuse ------------------------------------------------------------------------ */

struct held {
    struct btree_view *view;
    int values[KEYS];
};

TEST("2.4", 2, views_keep_their_trees_and_every_page_stays_accounted_for) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct tree_model model;
    struct held held[4] = {0};
    setup(&s);
    model_init(&model);
    int steps = harness_sanitized() ? 800 : 2500;
    for (int step = 0; step < steps; step++) {
        struct held *one = &held[prng_below(&s.prng, ARRAY_LEN(held))];
        random_change(&s, &model, step, 40);
        if (prng_below(&s.prng, 20) == 0) {
            if (one->view != NULL) {
                struct btree_tree tree = btree_of_view(s.pager, one->view);
                expect_tree(&s, &tree, one->values);
                btree_view_release(s.pager, one->view);
                one->view = NULL;
            } else {
                one->view = btree_view_new(s.pager, true);
                memcpy(one->values, model.values, sizeof(model.values));
            }
        }
        if (prng_below(&s.prng, 40) == 0) flush(&s);
        check(&s);
    }
    for (size_t i = 0; i < ARRAY_LEN(held); i++)
        if (held[i].view != NULL) btree_view_release(s.pager, held[i].view);
    flush(&s);
    check(&s);
    assert_int_equal(0, s.pager->frame_count); /* nothing is held in memory but the cache */
    teardown(&s);
}

TEST("2.4", 2, file_does_not_grow_while_its_content_does_not) {
    TEST_LIMIT(60000);
    struct shelf s;
    setup(&s);
    uint32_t after_first = 0;
    for (int round = 0; round < 60; round++) {
        for (int i = 0; i < 400; i++) {
            char key[16];
            snprintf(key, sizeof(key), "%05u", (unsigned)prng_below(&s.prng, 1000));
            btree_begin_write(s.pager);
            assert_ok(btree_put(s.pager, slice_of_string(key), value_of(&s, 3), &s.error),
                      &s.error);
            /* A reader that comes and goes makes a generation each time. */
            btree_view_release(s.pager, btree_view_new(s.pager, true));
        }
        flush(&s);
        check(&s);
        if (round == 9) after_first = s.pager->page_count;
        if (round % 20 == 19) reopen(&s);
    }
    assert_in_range(s.pager->page_count, 1, after_first + after_first / 2);
    teardown(&s);
}

TEST("2.4", 1, flush_that_fails_leaves_everything_for_the_next) {
    struct shelf s;
    struct tree_model model;
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
    struct btree_tree tree = btree_newest(s.pager);
    expect_tree(&s, &tree, model.values);
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

TEST("2.5", 3, damaged_page_is_reported_with_its_place_and_never_read) {
    TEST_LIMIT(60000);
    struct shelf s;
    struct tree_model model;
    setup(&s);
    model_init(&model);
    for (int step = 0; step < 300; step++)
        random_change(&s, &model, step, 5);
    flush(&s);
    uint32_t pages = s.pager->page_count;
    char path[600];
    snprintf(path, sizeof(path), "%s/btree.db", s.dir);
    uint64_t reported = 0, live = btree_live_pages(s.pager);
    for (uint32_t number = BTREE_FIRST_PAGE; number < pages; number++) {
        struct file *file;
        uint8_t byte;
        size_t read;
        uint64_t at = (uint64_t)number * BTREE_PAGE_BYTES + prng_below(&s.prng, BTREE_PAGE_BYTES);
        assert_ok(env_file_open(s.env, path, FILE_READ_WRITE, &file, &s.error), &s.error);
        assert_ok(file_read_at(file, at, &byte, 1, &read, &s.error), &s.error);
        byte ^= 0x10;
        assert_ok(file_write_at(file, at, slice_of(&byte, 1), &s.error), &s.error);
        btree_pager_close(s.pager);
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
        byte ^= 0x10;
        assert_ok(file_write_at(file, at, slice_of(&byte, 1), &s.error), &s.error);
        file_close(file);
    }
    assert_in_range(reported, live, pages); /* the tree, and the free list's chain */
    teardown(&s);
}
