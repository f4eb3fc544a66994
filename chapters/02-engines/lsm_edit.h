/* lsm_edit.h - from one version of the store to the next: tables that come, tables that go, deleted
 * ranges. What the manifest writes down (lsm_manifest.h) and a flush or a compaction ends with.
 *
 * Invariants
 *  1. A version is never changed: an edit applied to it makes another one (lsm_version.h 3).
 *  2. The numbers of an edit only grow: flushed_sequence, log_position, next_number.
 *  3. A tombstone is in the next version as long as a table in its range is unclean, and no newer
 *     tombstone covers it. */
#ifndef CAIRN_LSM_EDIT_H
#define CAIRN_LSM_EDIT_H

#include "lsm_version.h"

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

/* The version after the edit, with one reference for the caller; takes tables and tombstones out of
 * the edit. NULL, and the message says so, if the edit removes a table that is not there or adds
 * one that overlaps its level: CORRUPT. Tables that go are marked obsolete. */
struct lsm_version *lsm_version_apply(const struct lsm_version *version, struct lsm_edit *edit,
                                      struct error *error);

#endif
