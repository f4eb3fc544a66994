/* internal_key.h - a key with its version: what engines store to give readers a past to read.
 *
 *   internal key: the user's key | sequence number (8 bytes) | kind (1 byte)
 *
 * Every write is a new version with a higher sequence number; a reader at sequence s sees, of each
 * key, the newest version <= s (multi-version concurrency control, Reed 1978, in the form that
 * LevelDB gave it).
 *
 * Invariants
 *  1. Order: by user key, ascending; of one key the newest version first. The kind does not count.
 *  2. Sequence numbers begin at 1: (key, 0) sorts behind every version of the key, and
 *     (key, UINT64_MAX) before them. */
#ifndef CAIRN_INTERNAL_KEY_H
#define CAIRN_INTERNAL_KEY_H

#include "write_batch.h"

enum { INTERNAL_KEY_TRAILER_BYTES = 9 };

/* Builds the internal key in `out`, which is cleared; valid until `out` changes. */
struct slice internal_key_make(struct buf *out, struct slice key, uint64_t sequence,
                               enum write_kind kind);
/* `internal` has at least the trailer's length (asserted). */
struct slice internal_key_user(struct slice internal);
uint64_t internal_key_sequence(struct slice internal);
enum write_kind internal_key_kind(struct slice internal);
/* Invariant 1: <0, 0 or >0. */
int internal_key_compare(struct slice a, struct slice b);

#endif
