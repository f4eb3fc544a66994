/* btree_cache.c - the cache of clean pages. What lives here: sets of frames, pins, replacement by
 * second chance. What must not: files, or pages that are not yet in the file (btree_pager.c). */
#include "btree_cache.h"

#include <assert.h>
#include <stdatomic.h>

#include "mem.h"

enum { WAYS = 8, FILLING = -1 };

struct btree_cache_frame {
    _Atomic int state; /* pins, or FILLING */
    _Atomic uint32_t number;
    _Atomic bool used; /* since replacement last came by */
    uint8_t *bytes;
};

struct btree_cache {
    struct btree_cache_frame *frames;
    uint8_t *memory;
    size_t sets;
};

struct btree_cache *btree_cache_new(size_t bytes) {
    struct btree_cache *cache = MEM_NEW(struct btree_cache);
    cache->sets = bytes / (WAYS * BTREE_PAGE_BYTES);
    if (cache->sets == 0) cache->sets = 1;
    size_t count = cache->sets * WAYS;
    cache->frames = mem_zalloc(count * sizeof(*cache->frames));
    cache->memory = mem_alloc(count * BTREE_PAGE_BYTES); /* the system backs it as it is touched */
    for (size_t i = 0; i < count; i++)
        cache->frames[i].bytes = cache->memory + i * BTREE_PAGE_BYTES;
    return cache;
}

void btree_cache_free(struct btree_cache *cache) {
    if (cache == NULL) return;
    mem_free(cache->frames);
    mem_free(cache->memory);
    mem_free(cache);
}

/* Neighbours go to different sets; the multiplier is Knuth's (TAOCP 3, section 6.4). */
static struct btree_cache_frame *set_of(struct btree_cache *cache, uint32_t number) {
    uint64_t hash = number * UINT64_C(11400714819323198485);
    return cache->frames + ((hash >> 32) % cache->sets) * WAYS;
}

static bool try_pin(struct btree_cache_frame *frame) {
    int state = atomic_load(&frame->state);
    while (state >= 0)
        if (atomic_compare_exchange_weak(&frame->state, &state, state + 1)) return true;
    return false;
}

const uint8_t *btree_cache_pin(struct btree_cache *cache, uint32_t number,
                               struct btree_cache_frame **out) {
    struct btree_cache_frame *set = set_of(cache, number);
    for (size_t way = 0; way < WAYS; way++) {
        struct btree_cache_frame *frame = &set[way];
        if (atomic_load(&frame->number) != number || !try_pin(frame)) continue;
        if (atomic_load(&frame->number) == number) {
            atomic_store(&frame->used, true);
            *out = frame;
            return frame->bytes;
        }
        btree_cache_unpin(frame); /* it was replaced in between */
    }
    return NULL;
}

void btree_cache_unpin(struct btree_cache_frame *frame) {
    int before = atomic_fetch_sub(&frame->state, 1);
    assert(before > 0);
    (void)before;
}

static bool try_claim(struct btree_cache_frame *frame) {
    int none = 0;
    if (!atomic_compare_exchange_strong(&frame->state, &none, FILLING)) return false;
    atomic_store(&frame->number, 0);
    return true;
}

/* First what nobody used since the last time round, then whatever is not pinned. */
uint8_t *btree_cache_claim(struct btree_cache *cache, uint32_t number,
                           struct btree_cache_frame **out) {
    struct btree_cache_frame *set = set_of(cache, number);
    for (size_t i = 0; i < 2 * WAYS; i++) {
        struct btree_cache_frame *frame = &set[i % WAYS];
        if (i < WAYS && atomic_exchange(&frame->used, false)) continue;
        if (!try_claim(frame)) continue;
        *out = frame;
        return frame->bytes;
    }
    return NULL;
}

void btree_cache_publish(struct btree_cache_frame *frame, uint32_t number) {
    atomic_store(&frame->used, true);
    atomic_store(&frame->number, number);
    atomic_store(&frame->state, 1);
}

void btree_cache_abandon(struct btree_cache_frame *frame) { atomic_store(&frame->state, 0); }

void btree_cache_forget(struct btree_cache *cache, uint32_t number) {
    struct btree_cache_frame *set = set_of(cache, number);
    for (size_t way = 0; way < WAYS; way++) {
        uint32_t expected = number;
        atomic_compare_exchange_strong(&set[way].number, &expected, 0);
    }
}
