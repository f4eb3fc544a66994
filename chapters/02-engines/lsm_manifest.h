/* lsm_manifest.h - the log of edits: which files are the store. CURRENT names the manifest.
 *
 *   manifest: header (magic, version) | record | record | ...
 *   record:   length (4 bytes), zero (4), checksum of payload and offset (8) | payload | padding to
 *   8
 *   payload:  an edit (lsm_version.h)
 *
 * Opening a store writes a new manifest with the whole version as its first edit, then points
 * CURRENT at it by a rename: at every moment CURRENT names a manifest that is complete.
 *
 * Invariants
 *  1. A record is appended only when the one before it is synced. So at most the last one can be
 *     torn: it is cut, and nothing was promised for it. A damaged record with a good one behind it
 *     is CORRUPT, with file and offset. (Of the very last record damage and torn tail cannot be
 *     told apart, as in a log's last batch: wal.h, invariant 3.)
 *  2. An edit names only files that are synced, with their names, before it is appended.
 *  3. After a failed append or sync the manifest is beyond use. */
#ifndef CAIRN_LSM_MANIFEST_H
#define CAIRN_LSM_MANIFEST_H

#include "lsm_edit.h"

struct lsm_manifest;

/* Calls `apply` for each edit of the manifest that CURRENT names, oldest first; it may take the
 * edit's tables out. NOT_FOUND: no CURRENT, a new store. CORRUPT with file and offset; IO; what
 * `apply` returned. */
enum status lsm_manifest_read(struct env *env, const char *dir,
                              enum status (*apply)(void *arg, struct lsm_edit *edit,
                                                   struct error *error),
                              void *arg, struct error *error) MUST_CHECK;
/* Writes a manifest of that number with `whole` as its first edit and makes it current, waiting. */
enum status lsm_manifest_create(struct env *env, const char *dir, uint64_t number,
                                const struct lsm_edit *whole, struct lsm_manifest **out,
                                struct error *error) MUST_CHECK;
/* The loop. The record before must be synced (asserted). Does not wait for the disk. */
enum status lsm_manifest_append(struct lsm_manifest *manifest, const struct lsm_edit *edit,
                                struct error *error) MUST_CHECK;
/* Any thread. */
enum status lsm_manifest_sync(struct lsm_manifest *manifest, struct error *error) MUST_CHECK;
/* The loop, after lsm_manifest_sync returned OK on whatever thread. */
void lsm_manifest_synced(struct lsm_manifest *manifest);
uint64_t lsm_manifest_number(const struct lsm_manifest *manifest);
/* Counts owners, on the loop: a sync under way keeps the file open. */
void lsm_manifest_ref(struct lsm_manifest *manifest);
void lsm_manifest_unref(struct lsm_manifest *manifest); /* NULL is fine */

/* dir/MANIFEST-000007 */
char *lsm_manifest_path(const char *dir, uint64_t number);

/* The payload of a record. Decoding trusts nothing: false if malformed. */
void lsm_edit_encode(const struct lsm_edit *edit, struct buf *out);
bool lsm_edit_decode(struct slice payload, struct lsm_edit *out) MUST_CHECK;

#endif
