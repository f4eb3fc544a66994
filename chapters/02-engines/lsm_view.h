/* lsm_view.h - what a reader of the LSM tree sees: memtables, newest first, and a version of the
 * tables; one key in it, or all in order.
 *
 * Nothing in a view changes but the active memtable, which one writer and many readers may use at
 * once. A snapshot pins the view that was current when it was made, and a sequence number: so its
 * readers need no lock, on any thread. What a snapshot costs is memory and disk, since what it pins
 * cannot go.
 *
 * Invariants
 *  1. What is newer stands earlier: every version of a key in a memtable is newer than those of it
 *     in the memtables behind and in the tables; a table of level 0 is newer than those before it
 *     in the list; a level is newer than the levels with higher numbers. The first version <= s
 *     that a search in this order meets is the one that a reader at s sees.
 *  2. A reader at sequence s sees the newest version <= s of a key. If that is a deletion, or if a
 *     range tombstone <= s that is newer covers it, the key is not there.
 *  3. A source that fails ends the read: no key is shown that it might have hidden.
 *  4. References are counted on the loop. */
#ifndef CAIRN_LSM_VIEW_H
#define CAIRN_LSM_VIEW_H

#include "engine_impl.h"
#include "lsm_merge.h"
#include "lsm_version.h"
#include "memtable.h"

struct lsm_memtable {
    unsigned refs;           /* of views */
    struct memtable *table;  /* internal key -> value */
    struct memtable *ranges; /* of range tombstones: start (internal key) -> end */
    uint64_t last_sequence;
    uint64_t log_position; /* when sealed: what comes later stands at or above this */
};

struct lsm_view {
    unsigned refs;
    struct lsm_version *version;
    size_t memtable_count;
    struct lsm_memtable *memtables[]; /* newest first; [0] takes the writes */
};

/* engine.h's. Its shelf takes the blocks that its readers read, so a reader changes it. */
struct engine_snapshot {
    uint64_t sequence;
    struct lsm_view *view;
    struct block_shelf shelf;
};

struct lsm_memtable *lsm_memtable_new(uint64_t seed);
bool lsm_memtable_is_empty(const struct lsm_memtable *memtable);
size_t lsm_memtable_bytes(const struct lsm_memtable *memtable);
/* One reference for the caller; takes references of its own to the version and the memtables. */
struct lsm_view *lsm_view_new(struct lsm_version *version, struct lsm_memtable *const *memtables,
                              size_t count);
/* dir NULL: files stay. */
void lsm_view_unref(struct lsm_view *view, struct env *env, const char *dir);
/* The newest value of `key` at `sequence`. `flushed_only`: as if the memtables were lost. OK,
 * NOT_FOUND, WOULD_BLOCK, IO, CORRUPT. Any thread, as `access` allows. */
enum status lsm_view_get(const struct lsm_view *view, const struct block_access *access,
                         struct slice key, uint64_t sequence, bool flushed_only, struct buf *out,
                         struct error *error) MUST_CHECK;
/* The newest range tombstone <= sequence that hides the key, or 0. Any thread. */
uint64_t lsm_view_hidden_at(const struct lsm_view *view, struct slice key, uint64_t sequence);
/* All runs of the view. */
void lsm_view_add_sources(const struct lsm_view *view, const struct block_access *access,
                          struct lsm_merge *merge);
/* The newest range tombstone <= `sequence` of a memtable's that hides the key, or 0. Any thread. */
uint64_t lsm_ranges_hidden_at(const struct memtable *ranges, struct slice user_key,
                              uint64_t sequence);
/* How a read comes by blocks. A read on a snapshot may be on any thread, unless it does not want to
 * wait: those are the loop's. snapshot NULL: the loop's, too. */
struct block_access lsm_access(struct block_cache *cache, const struct engine_snapshot *snapshot,
                               unsigned flags);

/* The keys and values of the snapshot in the bounds of `options`, both ways. Any thread, as
 * `access` allows. `owner` NULL: the snapshot outlives the iterator; else it is released to that
 * engine when the iterator is freed. */
struct engine_iterator *lsm_iterator_new(const struct engine_snapshot *snapshot,
                                         struct engine *owner, const struct block_access *access,
                                         const struct engine_iterator_options *options);

#endif
