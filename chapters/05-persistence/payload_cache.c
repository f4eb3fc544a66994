/* payload_cache.c - a ring of owned byte strings, addressed by log index. */
#include "payload_cache.h"

#include "mem.h"

enum { INITIAL_CAPACITY = 64 };

void payload_cache_init(struct payload_cache *cache) { *cache = (struct payload_cache){0}; }

static struct slice *slot(const struct payload_cache *cache, uint64_t index) {
    return &cache->ring[index & (cache->capacity - 1)];
}

static void drop(struct payload_cache *cache, uint64_t index) {
    struct slice *payload = slot(cache, index);
    cache->bytes -= payload->len;
    mem_free((void *)(uintptr_t)payload->data);
    *payload = SLICE_EMPTY;
}

void payload_cache_clear(struct payload_cache *cache) {
    for (; cache->first < cache->end; cache->first++)
        drop(cache, cache->first);
}

void payload_cache_deinit(struct payload_cache *cache) {
    payload_cache_clear(cache);
    mem_free(cache->ring);
    payload_cache_init(cache);
}

static void grow(struct payload_cache *cache) {
    uint64_t capacity = cache->capacity == 0 ? INITIAL_CAPACITY : cache->capacity * 2;
    struct slice *ring = mem_zalloc(capacity * sizeof *ring);
    for (uint64_t i = cache->first; i < cache->end; i++)
        ring[i & (capacity - 1)] = *slot(cache, i);
    mem_free(cache->ring);
    cache->ring = ring;
    cache->capacity = capacity;
}

void payload_cache_put(struct payload_cache *cache, uint64_t index, struct slice payload) {
    while (cache->end > index && cache->end > cache->first)
        drop(cache, --cache->end);
    if (cache->end != index) {
        payload_cache_clear(cache);
        cache->first = cache->end = index;
    }
    if (cache->end - cache->first == cache->capacity) grow(cache);
    *slot(cache, index) = slice_of(mem_dup(payload.data, payload.len), payload.len);
    cache->bytes += payload.len;
    cache->end = index + 1;
}

bool payload_cache_get(const struct payload_cache *cache, uint64_t index, struct slice *out) {
    if (index < cache->first || index >= cache->end) return false;
    *out = *slot(cache, index);
    return true;
}

void payload_cache_trim(struct payload_cache *cache, uint64_t applied, uint64_t limit_bytes) {
    while (cache->bytes > limit_bytes && cache->first < cache->end && cache->first <= applied) {
        drop(cache, cache->first++);
    }
}
