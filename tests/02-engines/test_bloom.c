/* test_bloom.c - filters: what they deny, and what they must not. */
#include "bloom.h"

#include "harness.h"
#include "mem.h"

enum { FILTER_KEYS = 10000 };

static uint64_t hash_of_number(uint64_t number) {
    return bloom_hash(slice_of(&number, sizeof(number)));
}

static void build_filter(struct buf *filter) {
    uint64_t *hashes = mem_alloc(FILTER_KEYS * sizeof(uint64_t));
    for (uint64_t i = 0; i < FILTER_KEYS; i++)
        hashes[i] = hash_of_number(i);
    bloom_build(hashes, FILTER_KEYS, filter);
    mem_free(hashes);
}

TEST("2", 1, filter_never_denies_a_key_that_was_added) {
    struct buf filter = BUF_INIT;
    build_filter(&filter);
    for (uint64_t i = 0; i < FILTER_KEYS; i++)
        assert_true(bloom_may_contain(buf_slice(&filter), hash_of_number(i)));
    buf_deinit(&filter);
}

TEST("2", 1, filter_of_any_number_of_keys_denies_none_of_them) {
    uint64_t hashes[130];
    for (uint64_t i = 0; i < 130; i++)
        hashes[i] = hash_of_number(i);
    for (size_t count = 1; count <= 130; count++) {
        struct buf filter = BUF_INIT;
        bloom_build(hashes, count, &filter);
        for (size_t i = 0; i < count; i++)
            assert_true(bloom_may_contain(buf_slice(&filter), hashes[i]));
        buf_deinit(&filter);
    }
}

TEST("2", 2, filter_denies_ninety_eight_of_a_hundred_other_keys) {
    struct buf filter = BUF_INIT;
    uint64_t wrong = 0;
    build_filter(&filter);
    for (uint64_t i = FILTER_KEYS; i < 11 * FILTER_KEYS; i++)
        wrong += bloom_may_contain(buf_slice(&filter), hash_of_number(i));
    assert_in_range(wrong, 1, 10 * FILTER_KEYS * 2 / 100);
    assert_in_range(filter.len, 1, FILTER_KEYS * 10 / 8 + 16);
    buf_deinit(&filter);
}

TEST("2", 3, bytes_that_are_no_filter_deny_nothing) {
    assert_true(bloom_may_contain(SLICE_EMPTY, 1));
    assert_true(bloom_may_contain(SLICE_LITERAL("\0\0\0"), 1));
    assert_true(bloom_may_contain(SLICE_LITERAL("\0\0\xff"), 1));
}
