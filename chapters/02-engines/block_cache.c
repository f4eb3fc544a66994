/* block_cache.c - the cache and the shelf. What lives here: lookup by name, the list by use,
 * eviction. What must not: reading files. */
#include "block_cache.h"

#include <assert.h>

#include "mem.h"

enum { BUCKETS_MIN = 64, BLOCK_BYTES_GUESS = 4096 };

struct block_cache {
    size_t capacity_bytes;
    size_t bytes;
    size_t bucket_mask; /* their number - 1; a power of two */
    struct cached_block **buckets;
    struct cached_block *newest;
    struct cached_block *oldest;
};

/* ---- blocks --------------------------------------------------------------------------------- */

struct cached_block *cached_block_new(uint64_t table, uint64_t offset) {
    struct cached_block *block = MEM_NEW(struct cached_block);
    block->table = table;
    block->offset = offset;
    return block;
}

void cached_block_free(struct cached_block *block) {
    buf_deinit(&block->content);
    mem_free(block);
}

static size_t cost_of(const struct cached_block *block) {
    return sizeof(*block) + block->content.capacity;
}

/* ---- the cache ------------------------------------------------------------------------------ */

struct block_cache *block_cache_new(size_t capacity_bytes) {
    struct block_cache *cache = MEM_NEW(struct block_cache);
    size_t buckets = BUCKETS_MIN;
    while (buckets < capacity_bytes / BLOCK_BYTES_GUESS)
        buckets *= 2;
    cache->capacity_bytes = capacity_bytes;
    cache->bucket_mask = buckets - 1;
    cache->buckets = mem_zalloc(buckets * sizeof(*cache->buckets));
    return cache;
}

static struct cached_block **bucket_of(struct block_cache *cache, uint64_t table, uint64_t offset) {
    uint64_t mixed =
        (table * UINT64_C(0x9e3779b97f4a7c15)) ^ (offset * UINT64_C(0xff51afd7ed558ccd));
    return &cache->buckets[(mixed >> 32) & cache->bucket_mask];
}

static void unlink_from_list(struct block_cache *cache, struct cached_block *block) {
    *(block->newer != NULL ? &block->newer->older : &cache->newest) = block->older;
    *(block->older != NULL ? &block->older->newer : &cache->oldest) = block->newer;
    block->newer = block->older = NULL;
}

static void link_as_newest(struct block_cache *cache, struct cached_block *block) {
    block->older = cache->newest;
    block->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = block;
    cache->newest = block;
}

static void evict(struct block_cache *cache, struct cached_block *block) {
    struct cached_block **at = bucket_of(cache, block->table, block->offset);
    while (*at != block)
        at = &(*at)->chain;
    *at = block->chain;
    unlink_from_list(cache, block);
    cache->bytes -= cost_of(block);
    block->in_cache = false;
    block_cache_release(block);
}

void block_cache_free(struct block_cache *cache) {
    if (cache == NULL) return;
    while (cache->oldest != NULL) {
        assert(cache->oldest->refs == 1);
        evict(cache, cache->oldest);
    }
    mem_free(cache->buckets);
    mem_free(cache);
}

struct cached_block *block_cache_find(struct block_cache *cache, uint64_t table, uint64_t offset) {
    struct cached_block *block = *bucket_of(cache, table, offset);
    while (block != NULL && (block->table != table || block->offset != offset))
        block = block->chain;
    if (block == NULL) return NULL;
    unlink_from_list(cache, block);
    link_as_newest(cache, block);
    block->refs++;
    return block;
}

void block_cache_insert(struct block_cache *cache, struct cached_block *block) {
    struct cached_block **bucket = bucket_of(cache, block->table, block->offset);
    block->refs = 2;
    block->in_cache = true;
    block->chain = *bucket;
    *bucket = block;
    link_as_newest(cache, block);
    cache->bytes += cost_of(block);
    while (cache->bytes > cache->capacity_bytes && cache->oldest != block)
        evict(cache, cache->oldest);
}

void block_cache_release(struct cached_block *block) {
    assert(block->refs > 0);
    if (--block->refs == 0) cached_block_free(block);
}

size_t block_cache_bytes(const struct block_cache *cache) { return cache->bytes; }

/* ---- the shelf ------------------------------------------------------------------------------ */

void block_shelf_push(struct block_shelf *shelf, struct cached_block *block) {
    size_t cost = cost_of(block);
    if (atomic_fetch_add(&shelf->bytes, cost) + cost > shelf->limit_bytes) {
        atomic_fetch_sub(&shelf->bytes, cost);
        cached_block_free(block);
        return;
    }
    block->chain = atomic_load(&shelf->top);
    while (!atomic_compare_exchange_weak(&shelf->top, &block->chain, block)) {
    }
}

void block_shelf_empty_into(struct block_shelf *shelf, struct block_cache *cache) {
    struct cached_block *block = atomic_exchange(&shelf->top, NULL);
    atomic_store(&shelf->bytes, 0);
    while (block != NULL) {
        struct cached_block *next = block->chain;
        struct cached_block *known = block_cache_find(cache, block->table, block->offset);
        if (known != NULL) {
            cached_block_free(block);
            block_cache_release(known);
        } else {
            block_cache_insert(cache, block);
            block_cache_release(block);
        }
        block = next;
    }
}
