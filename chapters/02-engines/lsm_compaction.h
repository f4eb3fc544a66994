/* lsm_compaction.h - what to merge next, and what a merge may drop. Pure: no I/O, no time.
 *
 * A level that has outgrown its share is merged into the next one, a table at a time, together with
 * the tables there that it overlaps (levelled compaction: LevelDB's "Compactions"; the idea of
 * rolling merges between ever larger components is O'Neil's, 1996, section 2).
 *
 * What may be dropped
 *  1. A version, when the merge meets a newer one of the same key. Snapshots do not matter: each
 *     pins the memtables and the version of the store that it was made on, and never reads others.
 *  2. A version that a range tombstone of the store hides.
 *  3. A deletion mark, when no level below the output can hold the key: nothing is left to hide.
 *     Above the output there are only newer versions, which hide it themselves. */
#ifndef CAIRN_LSM_COMPACTION_H
#define CAIRN_LSM_COMPACTION_H

#include "lsm_filter.h"
#include "lsm_merge.h"
#include "lsm_version.h"

struct lsm_shape {
    size_t l0_tables;      /* so many flushed tables start a compaction */
    uint64_t level1_bytes; /* the share of level 1; each further level has ten times as much */
    uint64_t table_bytes;  /* a table is ended when it is as large */
    size_t tombstones;     /* more range tombstones than this start a compaction */
};

/* A merge of `inputs[0]`, tables of `level`, and `inputs[1]`, tables of `output_level`. */
struct lsm_compaction {
    unsigned level;
    unsigned output_level;
    struct lsm_table **inputs[2];
    size_t counts[2];
    bool is_move; /* nothing overlaps: the tables may change levels as they are */
};

/* Where the last compaction of a level ended: the next takes the table behind. */
struct lsm_compaction_cursor {
    struct buf largest[LSM_LEVELS];
};

/* Is there a level beyond its share, or are there too many range tombstones? */
bool lsm_compaction_is_due(const struct lsm_version *version, const struct lsm_shape *shape);
/* False: nothing to do. The tables belong to the version. */
bool lsm_compaction_pick(const struct lsm_version *version, const struct lsm_shape *shape,
                         struct lsm_compaction_cursor *cursor, struct lsm_compaction *out);
void lsm_compaction_deinit(struct lsm_compaction *compaction);
void lsm_compaction_cursor_deinit(struct lsm_compaction_cursor *cursor);
/* The sources of the merge, for `merge`, with blocks read by the caller alone. */
void lsm_compaction_add_sources(const struct lsm_compaction *compaction, struct lsm_merge *merge);

/* True: the version goes into the output of a merge of tables of `version`. Asked once for each, in
 * the order of the merge. `level_below`: from there on, older versions of a key may be outside of
 * the merge. Any thread. */
bool lsm_compaction_keeps(struct lsm_filter *filter, const struct lsm_version *version,
                          unsigned level_below, struct slice internal_key);

#endif
