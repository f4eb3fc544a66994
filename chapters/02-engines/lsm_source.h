/* lsm_source.h - one sorted run of versions: a memtable, or the tables of a level. What merges and
 * compactions read.
 *
 * Invariants
 *  1. Keys are internal keys, each met once, in order.
 *  2. After every move `valid`, `key` and `value` describe where it stands; they hold until the
 *     next move. When it is not valid, `status` says why: OK at the end, WOULD_BLOCK, IO, CORRUPT.
 *  3. A source borrows what it reads from; the owner keeps that. */
#ifndef CAIRN_LSM_SOURCE_H
#define CAIRN_LSM_SOURCE_H

#include "lsm_version.h"
#include "memtable.h"
#include "sstable_reader.h"

struct lsm_source;

struct lsm_source_ops {
    void (*free)(struct lsm_source *source);
    void (*seek_first)(struct lsm_source *source);
    void (*seek_last)(struct lsm_source *source);
    void (*seek)(struct lsm_source *source, struct slice key);          /* first >= key */
    void (*seek_for_prev)(struct lsm_source *source, struct slice key); /* last <= key */
    void (*next)(struct lsm_source *source);
    void (*prev)(struct lsm_source *source);
};

struct lsm_source {
    const struct lsm_source_ops *ops;
    bool valid;
    struct slice key;
    struct slice value;
    enum status status;
    struct error error;
};

/* Any thread, if the memtable is concurrent or at rest. */
struct lsm_source *lsm_source_of_memtable(const struct memtable *table);
/* Over `count` tables in order, that do not overlap: a level above 0, or a single table. */
struct lsm_source *lsm_source_of_tables(struct lsm_table *const *tables, size_t count,
                                        const struct block_access *access);

#endif
