/* block_cache.h - blocks in memory, the least recently used go first; and how threads share them
 * without a lock.
 *
 * The cache belongs to the loop. A worker that reads on a snapshot cannot use it: it reads each
 * block for itself, and leaves what it has read on the snapshot's *shelf*, to which any number of
 * threads push without waiting (a stack of which only pushes are concurrent: Treiber, "Systems
 * Programming: Coping with Parallelism", 1986, without its hard half). When the snapshot is
 * released, on the loop, the shelf goes into the cache: the next read without waiting finds it.
 *
 * Invariants
 *  1. A block's content was checked (sstable_format.h 3) before it gets here, and never changes.
 *  2. A block has one owner: a reader on a worker, a shelf, or the loop, which counts references.
 *  3. The blocks in the cache take at most its capacity, but for one that is larger all by itself.
 *     Those that a reader still holds live on until it lets go. */
#ifndef CAIRN_BLOCK_CACHE_H
#define CAIRN_BLOCK_CACHE_H

#include <stdatomic.h>

#include "buf.h"

struct cached_block {
    struct buf content;
    uint64_t table; /* its number, and the offset: the name of the block */
    uint64_t offset;
    unsigned refs; /* the loop's: of readers, and one of the cache */
    bool in_cache;
    struct cached_block *newer; /* the cache's list by use */
    struct cached_block *older;
    struct cached_block *chain; /* the cache's bucket, or the shelf */
};

struct block_cache;

/* Loop only, all of these. */
struct block_cache *block_cache_new(size_t capacity_bytes);
/* No reader may hold a block. NULL is fine. */
void block_cache_free(struct block_cache *cache);
/* The block with a reference for the caller, now the most recently used; NULL if it is not here. */
struct cached_block *block_cache_find(struct block_cache *cache, uint64_t table, uint64_t offset);
/* Takes the block over; the caller keeps a reference. One of that name must not be here. */
void block_cache_insert(struct block_cache *cache, struct cached_block *block);
void block_cache_release(struct cached_block *block);
size_t block_cache_bytes(const struct block_cache *cache);

/* Any thread: a block of one owner. */
struct cached_block *cached_block_new(uint64_t table, uint64_t offset);
void cached_block_free(struct cached_block *block);

struct block_shelf {
    _Atomic(struct cached_block *) top;
    atomic_size_t bytes;
    size_t limit_bytes; /* above it blocks are freed instead */
};

/* Any thread; takes the block over. */
void block_shelf_push(struct block_shelf *shelf, struct cached_block *block);
/* Loop, when nobody pushes any more. Leaves the shelf empty. */
void block_shelf_empty_into(struct block_shelf *shelf, struct block_cache *cache);

#endif
