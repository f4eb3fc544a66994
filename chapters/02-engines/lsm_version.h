/* lsm_version.h - which tables make up the store: an immutable list, and the edits between lists.
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

/* ---- edits ---------------------------------------------------------------------------------- */

struct lsm_added_table {
    unsigned level;
    struct lsm_table *table; /* the reader may be missing in an edit that was read back */
};

/* From one version to the next. Owns its tables and tombstones until they are applied. */
struct lsm_edit {
    uint64_t flushed_sequence; /* these three only grow: 0 leaves them */
    uint64_t log_position;
    uint64_t next_number; /* of files */
    struct lsm_added_table *added;
    size_t added_count;
    uint64_t *removed; /* numbers of tables */
    size_t removed_count;
    struct lsm_tombstone **tombstones;
    size_t tombstone_count;
};

void lsm_edit_init(struct lsm_edit *edit);
void lsm_edit_deinit(struct lsm_edit *edit);
/* Takes the table over. */
void lsm_edit_add(struct lsm_edit *edit, unsigned level, struct lsm_table *table);
void lsm_edit_remove(struct lsm_edit *edit, uint64_t number);
void lsm_edit_add_tombstone(struct lsm_edit *edit, struct slice start, struct slice end,
                            uint64_t sequence);
/* Zeroed but for its number; owned. */
struct lsm_table *lsm_table_new(uint64_t number);
void lsm_table_free(struct lsm_table *table);

/* ---- versions ------------------------------------------------------------------------------- */

struct lsm_version *lsm_version_new(void); /* empty, one reference */
/* The version after the edit, with one reference for the caller; takes tables and tombstones out of
 * the edit. NULL, and the message says so, if the edit removes a table that is not there or adds
 * one that overlaps its level: CORRUPT. Tables that go are marked obsolete. */
struct lsm_version *lsm_version_apply(const struct lsm_version *version, struct lsm_edit *edit,
                                      struct error *error);
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
