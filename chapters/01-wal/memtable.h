/* memtable.h - an ordered map in memory, bytes to bytes: a skip list (Pugh, "Skip Lists: A
 * Probabilistic Alternative to Balanced Trees", CACM 1990).
 *
 * The key-value store of this chapter keeps its data in one; the in-memory engine and the LSM tree
 * of chapter 02 keep their newest writes in one.
 *
 * Invariants
 *  1. Keys are in strict order of `compare`; a key is there at most once.
 *  2. A node's key and value never change after it is linked in; a new value is a new node.
 *  3. One writer, the loop. Readers on other threads are fine on a table made with
 *     MEMTABLE_CONCURRENT, which frees an unlinked node only in memtable_reclaim: a reader that
 *     stands on such a node still finds its way forward.
 *  4. Finding, adding and removing take O(log n) steps on average, whatever the order of the keys.
 */
#ifndef CAIRN_MEMTABLE_H
#define CAIRN_MEMTABLE_H

#include "slice.h"
#include "status.h"

struct memtable;
struct memtable_node;

/* <0, 0 or >0, as slice_compare, which NULL stands for. */
typedef int (*memtable_compare)(struct slice a, struct slice b);

enum memtable_flags { MEMTABLE_CONCURRENT = 1 };

struct memtable_options {
    memtable_compare compare; /* NULL: slice_compare */
    uint64_t seed;            /* for the heights of the nodes; from env_random */
    size_t limit_bytes;       /* memtable_bytes never passes it; 0: no limit */
    unsigned flags;
};

/* NULL: all defaults. */
struct memtable *memtable_new(const struct memtable_options *options);
/* No iterator may be in use. NULL is fine. */
void memtable_free(struct memtable *table);

/* Copies key and value; replaces the value of a key that is there. BUSY, and nothing changed, if it
 * would pass limit_bytes. */
enum status memtable_put(struct memtable *table, struct slice key, struct slice value) MUST_CHECK;
/* False if the key was not there. */
bool memtable_remove(struct memtable *table, struct slice key);
/* `value` borrows from the table: valid until the key is written or removed (concurrent tables:
 * until memtable_reclaim). */
bool memtable_get(const struct memtable *table, struct slice key, struct slice *value);
void memtable_clear(struct memtable *table);

size_t memtable_count(const struct memtable *table);
/* Memory taken: keys, values and nodes, those not yet reclaimed included. */
size_t memtable_bytes(const struct memtable *table);

/* Concurrent tables. A reader notes the mark before it starts; nodes removed before the oldest mark
 * still in use may be freed: memtable_reclaim(table, oldest mark). UINT64_MAX frees all. */
uint64_t memtable_mark(const struct memtable *table);
void memtable_reclaim(struct memtable *table, uint64_t oldest_mark);

/* An open struct: copy it, drop it, nothing to free. It stays on its node while others are added;
 * removing the node it stands on ends it, except in a concurrent table. */
struct memtable_iterator {
    const struct memtable *table;
    const struct memtable_node *node; /* NULL: before the first or after the last */
};

struct memtable_iterator memtable_iterator_of(const struct memtable *table);
static inline bool memtable_valid(const struct memtable_iterator *it) { return it->node != NULL; }
void memtable_seek_first(struct memtable_iterator *it);
void memtable_seek_last(struct memtable_iterator *it);
/* To the first key >= `key`. */
void memtable_seek(struct memtable_iterator *it, struct slice key);
/* To the last key <= `key`, or < `key`. */
void memtable_seek_for_prev(struct memtable_iterator *it, struct slice key);
void memtable_seek_before(struct memtable_iterator *it, struct slice key);
/* Only when valid. prev costs a search: nodes link forward only, which is what lets readers run
 * beside the writer. */
void memtable_next(struct memtable_iterator *it);
void memtable_prev(struct memtable_iterator *it);
struct slice memtable_key(const struct memtable_iterator *it);
struct slice memtable_value(const struct memtable_iterator *it);

/* About how many keys lie in [start, end): counted on a level with few nodes, so O(log n). An empty
 * `end`: to the last key. */
size_t memtable_estimate_count(const struct memtable *table, struct slice start, struct slice end);

/* Walks the whole table and asserts invariant 1 and the links of every level. For tests. */
void memtable_check_invariants(const struct memtable *table);

#endif
