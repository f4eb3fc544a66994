/* test_btree_page.c - the parts below the tree: a page of cells, and the cache that keeps pages. */
#include "btree_page.h"

#include <stdlib.h>

#include "btree_cache.h"
#include "harness.h"
#include "prng.h"

static size_t leaf_cell(uint8_t *out, struct slice key, struct slice value) {
    return btree_leaf_cell(out, (struct btree_field){.bytes = key},
                           (struct btree_field){.bytes = value});
}

/* ---- pages ---------------------------------------------------------------------------------- */

TEST("6", 1, page_keeps_the_order_of_its_cells_and_uses_every_gap) {
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
            size_t len = leaf_cell(cell, slice_of(&step, sizeof(step)),
                                   slice_of(filler, prng_below(&prng, 300)));
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

TEST("6", 2, page_refuses_a_cell_that_does_not_fit_and_changes_nothing) {
    uint8_t page[BTREE_PAGE_BYTES], before[BTREE_PAGE_BYTES], cell[BTREE_CELL_MAX];
    static const uint8_t filler[BTREE_CELL_MAX];
    btree_page_init(page, BTREE_LEAF, 0, 5, 1);
    size_t len = leaf_cell(cell, slice_of("key", 3), slice_of(filler, 900));
    for (size_t i = 0; i < 4; i++)
        assert_true(btree_page_insert(page, i, slice_of(cell, len)));
    memcpy(before, page, sizeof(before));
    assert_false(btree_page_insert(page, 2, slice_of(cell, len)));
    assert_memory_equal(before, page, sizeof(before));
    /* To the last byte. */
    size_t room = BTREE_PAGE_CAPACITY - btree_page_live_bytes(page) - BTREE_SLOT_BYTES;
    len = leaf_cell(cell, SLICE_EMPTY, slice_of(filler, room - BTREE_LEAF_HEADER));
    assert_true(btree_page_insert(page, 0, slice_of(cell, len)));
    assert_int_equal(BTREE_PAGE_CAPACITY, btree_page_live_bytes(page));
}

TEST("6", 3, page_with_any_bit_flipped_or_in_another_place_is_corrupt) {
    uint8_t page[BTREE_PAGE_BYTES], cell[BTREE_CELL_MAX];
    btree_page_init(page, BTREE_LEAF, 0, 5, 9);
    size_t len = leaf_cell(cell, slice_of("key", 3), slice_of("key", 3));
    assert_true(btree_page_insert(page, 0, slice_of(cell, len)));
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

enum { FRAMES = 8 };

static bool fill(struct btree_cache *cache, uint32_t number, bool keep_pinned) {
    struct btree_cache_frame *frame;
    uint8_t *page = btree_cache_claim(cache, number, &frame);
    if (page == NULL) return false;
    memset(page, (int)number, BTREE_PAGE_BYTES);
    btree_cache_publish(frame, number);
    if (!keep_pinned) btree_cache_unpin(frame);
    return true;
}

static bool holds(struct btree_cache *cache, uint32_t number) {
    struct btree_cache_frame *frame;
    const uint8_t *page = btree_cache_pin(cache, number, &frame);
    if (page == NULL) return false;
    for (size_t i = 0; i < BTREE_PAGE_BYTES; i++)
        assert_int_equal((uint8_t)number, page[i]);
    btree_cache_unpin(frame);
    return true;
}

TEST("6", 0, cached_page_is_found_until_it_is_forgotten_and_the_newest_has_a_place) {
    struct btree_cache *cache = btree_cache_new(FRAMES * BTREE_PAGE_BYTES);
    assert_false(holds(cache, 7));
    for (uint32_t number = 7; number < 200; number++) {
        assert_true(fill(cache, number, false));
        assert_true(holds(cache, number));
    }
    btree_cache_forget(cache, 199);
    assert_false(holds(cache, 199));
    btree_cache_free(cache);
}

TEST("6", 0, pinned_page_stays_however_many_others_come) {
    struct btree_cache *cache = btree_cache_new(FRAMES * BTREE_PAGE_BYTES);
    struct btree_cache_frame *pinned;
    size_t here = 0;
    assert_true(fill(cache, 7, false));
    assert_non_null(btree_cache_pin(cache, 7, &pinned));
    for (uint32_t number = 100; number < 200; number++)
        fill(cache, number, false);
    for (uint32_t number = 100; number < 200; number++)
        if (holds(cache, number)) here++;
    assert_int_equal(FRAMES - 1, here); /* bounded: eight frames, one of them pinned */
    assert_true(holds(cache, 7));
    btree_cache_unpin(pinned);
    btree_cache_free(cache);
}

TEST("6", 0, cache_full_of_pinned_pages_takes_no_other) {
    struct btree_cache *cache = btree_cache_new(FRAMES * BTREE_PAGE_BYTES);
    for (uint32_t number = 1; number <= FRAMES; number++)
        assert_true(fill(cache, number, true));
    assert_false(fill(cache, 100, false));
    for (uint32_t number = 1; number <= FRAMES; number++)
        assert_true(holds(cache, number));
    assert_false(holds(cache, 100));
    btree_cache_free(cache);
}

TEST("6", 0, page_that_nobody_asked_for_again_makes_room_for_one_that_somebody_did) {
    struct btree_cache *cache = btree_cache_new(FRAMES * BTREE_PAGE_BYTES);
    for (uint32_t number = 1; number <= FRAMES; number++)
        assert_true(fill(cache, number, false));
    for (uint32_t number = 100; number < 200; number++) {
        assert_true(fill(cache, number, false)); /* a scan that comes by once */
        assert_true(number == 100 || holds(cache, 3));
        if (number == 100 && !holds(cache, 3)) assert_true(fill(cache, 3, false));
    }
    btree_cache_free(cache);
}
