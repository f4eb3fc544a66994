/* lsm_version.h - which tables make up the store: an immutable list. What leads from one list to
 * the next is an edit (lsm_edit.h).
 *
 * Level 0 holds tables as the flushes left them: they overlap, the newer one wins. From level 1 on
 * the tables of a level do not overlap, and each level may be ten times as large as the one above.
 * What is newer stands higher: of two versions of a key the one in the lower-numbered level wins.
 *
 * Deletions of whole ranges are not in tables: a *range tombstone* (start, end, sequence) belongs
 * to the version, in memory and in the manifest. It hides what is older than itself. A table
 * remembers up to which sequence number tombstones were applied to it when it was made
 * (`clean_sequence`); a tombstone to which no table in its range is left unclean is forgotten. That
 * replaces cutting tombstones to the bounds of tables, which is the hard part of RocksDB's
 * DeleteRange.
 *
 * Invariants
 *  1. Level 0 is in order of age, oldest first; levels from 1 on are in order of keys and their
 *     tables do not overlap, not even in user keys.
 *  2. A table holds at most one version of a user key.
 *  3. A version never changes. It is made and freed on the loop, which counts references; any
 *     thread may read it while somebody holds one.
 *  4. A table's file is removed when the table has left the newest version and nobody holds a
 *     version with it any more.
 *  5. `flushed_sequence` is the last write in the tables: they and the tombstones are exactly the
 *     writes up to it. */
#ifndef CAIRN_LSM_VERSION_H
#define CAIRN_LSM_VERSION_H

#include "env.h"
#include "internal_key.h"
#include "sstable_reader.h"

enum { LSM_LEVELS = 7 };

/* What the manifest says of a table. */
struct lsm_table_meta {
    uint64_t number;
    uint64_t size_bytes;
    uint64_t clean_sequence;
    struct buf smallest; /* internal keys */
    struct buf largest;
};

struct lsm_table {
    struct lsm_table_meta meta;
    struct sstable *reader;
    unsigned refs; /* of versions */
    bool obsolete; /* it has left the newest version */
};

struct lsm_tombstone {
    struct buf start;
    struct buf end;
    uint64_t sequence;
    unsigned refs; /* of versions */
};

struct lsm_version {
    unsigned refs;
    uint64_t flushed_sequence;
    uint64_t log_position; /* of the own log: replay from here */
    struct lsm_table **tables[LSM_LEVELS];
    size_t table_count[LSM_LEVELS];
    struct lsm_tombstone **tombstones;
    size_t tombstone_count;
};

/* ---- tables and tombstones ------------------------------------------------------------------ */

/* Zeroed but for its number; owned. */
struct lsm_table *lsm_table_new(uint64_t number);
void lsm_table_free(struct lsm_table *table);
static inline struct slice lsm_table_smallest_user(const struct lsm_table *table) {
    return internal_key_user(buf_slice(&table->meta.smallest));
}
static inline struct slice lsm_table_largest_user(const struct lsm_table *table) {
    return internal_key_user(buf_slice(&table->meta.largest));
}
/* No reference yet; copies. */
struct lsm_tombstone *lsm_tombstone_new(struct slice start, struct slice end, uint64_t sequence);
void lsm_tombstone_free(struct lsm_tombstone *tombstone);
/* Frees it with the last reference. */
void lsm_tombstone_unref(struct lsm_tombstone *tombstone);

/* ---- versions ------------------------------------------------------------------------------- */

struct lsm_version *lsm_version_new(void); /* empty, one reference */
/* While a version is being built: takes a reference of its own. Tables come in the order of
 * invariant 1. */
void lsm_version_add_table(struct lsm_version *version, unsigned level, struct lsm_table *table);
void lsm_version_add_tombstone(struct lsm_version *version, struct lsm_tombstone *tombstone);
/* Invariant 1, but for the age of level 0. */
bool lsm_version_is_in_order(const struct lsm_version *version);
void lsm_version_ref(struct lsm_version *version);
/* `dir` NULL: files stay where they are. */
void lsm_version_unref(struct lsm_version *version, struct env *env, const char *dir);

uint64_t lsm_version_level_bytes(const struct lsm_version *version, unsigned level);
/* The newest tombstone <= `sequence` that hides `user_key`, or 0. Any thread. */
uint64_t lsm_version_hidden_at(const struct lsm_version *version, struct slice user_key,
                               uint64_t sequence);
/* Is there a table at `level` or below (higher numbers) whose range takes in the user key? */
bool lsm_version_may_hold(const struct lsm_version *version, unsigned level, struct slice user_key);

/* Of tables in order: the index of the first whose largest key is >= `key` (internal), or count. */
size_t lsm_find_table(struct lsm_table *const *tables, size_t count, struct slice key);
bool lsm_table_overlaps(const struct lsm_table *table, struct slice smallest_user,
                        struct slice largest_user);

/* Walks the version and asserts invariant 1. */
void lsm_version_check_invariants(const struct lsm_version *version);

/* dir/000012.sst */
char *lsm_table_path(const char *dir, uint64_t number);

#endif
