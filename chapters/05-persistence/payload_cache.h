/* payload_cache.h - the payloads of a group's newest log entries, by index.
 *
 * The Raft core knows terms and sizes; the bytes are here until they are applied, and a while
 * longer for followers that are a little behind. Older ones are read back from the log store.
 * Indexes in the cache are contiguous. */
#ifndef CAIRN_PAYLOAD_CACHE_H
#define CAIRN_PAYLOAD_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

struct payload_cache {
    struct slice *ring; /* owned bytes; capacity is a power of two */
    uint64_t first;     /* index of the oldest; first == end: empty */
    uint64_t end;       /* one past the newest */
    uint64_t capacity;
    uint64_t bytes;
};

void payload_cache_init(struct payload_cache *cache);
void payload_cache_deinit(struct payload_cache *cache);
/* Copies. Everything at and above `index` is dropped first; a gap below it empties the cache. */
void payload_cache_put(struct payload_cache *cache, uint64_t index, struct slice payload);
/* Valid until the entry is dropped or replaced. */
bool payload_cache_get(const struct payload_cache *cache, uint64_t index, struct slice *out);
/* Drops the oldest entries, but none above `applied`, until at most limit_bytes are left. */
void payload_cache_trim(struct payload_cache *cache, uint64_t applied, uint64_t limit_bytes);
void payload_cache_clear(struct payload_cache *cache);

#endif
