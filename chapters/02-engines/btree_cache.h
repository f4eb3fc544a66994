/* btree_cache.h - a bounded cache of clean pages that any thread may read and fill, without locks.
 *
 * Frames stand in sets of eight; a page number belongs to one set, as in a processor's cache. A
 * frame's memory is never given back while the cache lives, so a reader may look at a frame that is
 * just being replaced: it pins first and checks the number after. The state of a frame is its
 * number of pins, or -1 while one thread fills it.
 *
 * Invariants
 *  1. The bytes of a frame change only while its state is -1, and its number is 0 then.
 *  2. A pinned frame keeps its bytes. If all frames of a set are pinned, the cache just does not
 *     take another page of that set.
 *  3. A page number that is used anew was forgotten first (btree_cache_forget), when nobody could
 *     ask for its old content any more. */
#ifndef CAIRN_BTREE_CACHE_H
#define CAIRN_BTREE_CACHE_H

#include "btree_page.h"

struct btree_cache;
struct btree_cache_frame;

struct btree_cache *btree_cache_new(size_t bytes);
void btree_cache_free(struct btree_cache *cache);

/* The page, pinned: *frame goes to btree_cache_unpin. NULL if it is not here. */
const uint8_t *btree_cache_pin(struct btree_cache *cache, uint32_t number,
                               struct btree_cache_frame **frame);
void btree_cache_unpin(struct btree_cache_frame *frame);

/* A frame for the caller to fill, 4 KiB; NULL if none is free. Then either publish (it stays pinned
 * by the caller), or abandon. What was asked for lately outlives what was not. */
uint8_t *btree_cache_claim(struct btree_cache *cache, uint32_t number,
                           struct btree_cache_frame **frame);
void btree_cache_publish(struct btree_cache_frame *frame, uint32_t number);
void btree_cache_abandon(struct btree_cache_frame *frame);

void btree_cache_forget(struct btree_cache *cache, uint32_t number);

#endif
