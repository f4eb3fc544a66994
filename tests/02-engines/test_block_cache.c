/* test_block_cache.c - blocks in memory: the bound, the order of leaving, the shelf. */
#include "block_cache.h"

#include "harness.h"

static void insert(struct block_cache *cache, uint64_t offset) {
    struct cached_block *block = cached_block_new(1, offset);
    buf_append_zeros(&block->content, 1000);
    block_cache_insert(cache, block);
    block_cache_release(block);
}

static bool has(struct block_cache *cache, uint64_t offset) {
    struct cached_block *block = block_cache_find(cache, 1, offset);
    if (block != NULL) block_cache_release(block);
    return block != NULL;
}

TEST("2", 3, cache_keeps_its_bound_and_lets_the_least_recently_used_go) {
    struct block_cache *cache = block_cache_new(20000);
    for (uint64_t i = 0; i < 1000; i++) {
        insert(cache, i);
        assert_true(has(cache, 0)); /* used all the time */
        assert_in_range(block_cache_bytes(cache), 1, 20000);
    }
    assert_true(has(cache, 999));
    assert_false(has(cache, 500));
    block_cache_free(cache);
}

TEST("2", 3, block_that_a_reader_holds_outlives_its_eviction) {
    struct block_cache *cache = block_cache_new(5000);
    insert(cache, 1);
    struct cached_block *held = block_cache_find(cache, 1, 1);
    for (uint64_t i = 2; i < 100; i++)
        insert(cache, i);
    assert_false(has(cache, 1));
    assert_int_equal(0, held->content.data[999]);
    block_cache_release(held);
    block_cache_free(cache);
}

TEST("2", 2, shelf_over_its_limit_frees_what_it_is_given) {
    struct block_shelf shelf = {.limit_bytes = 3000};
    struct block_cache *cache = block_cache_new(100000);
    for (uint64_t i = 0; i < 10; i++) {
        struct cached_block *block = cached_block_new(1, i);
        buf_append_zeros(&block->content, 1000);
        block_shelf_push(&shelf, block);
    }
    block_shelf_empty_into(&shelf, cache);
    assert_in_range(block_cache_bytes(cache), 1000, 3000);
    block_cache_free(cache);
}
