/* write_batch.h - a list of writes that an engine applies all or none.
 *
 * A batch is its encoding: the same bytes go into an engine, into its log, and from the leader of a
 * Raft group to its followers (chapter 08). So decoding trusts nothing: bytes from outside become a
 * batch only through write_batch_append_encoded, which checks them.
 *
 *   operation: kind (1 byte) | length and bytes of the key | length and bytes of the value, or of
 * the range's end; a delete has no second part. Lengths are varints.
 *
 * Invariants
 *  1. A struct write_batch is well-formed: it can be walked to its end.
 *  2. Operations take effect in order: a later one wins. */
#ifndef CAIRN_WRITE_BATCH_H
#define CAIRN_WRITE_BATCH_H

#include "buf.h"
#include "slice.h"
#include "status.h"

enum {
    WRITE_KEY_MAX = 64 * 1024,         /* bytes */
    WRITE_VALUE_MAX = 64 * 1024 * 1024 /* bytes */
};

/* Numbers are on disk and on the wire. */
enum write_kind { WRITE_PUT = 1, WRITE_DELETE = 2, WRITE_DELETE_RANGE = 3 };

struct write_op {
    enum write_kind kind;
    struct slice key;   /* of a range: its start */
    struct slice value; /* put: the value; range: its end, excluded; delete: empty */
};

struct write_batch {
    struct buf bytes;
    size_t count;
};

void write_batch_init(struct write_batch *batch);
void write_batch_deinit(struct write_batch *batch);
void write_batch_clear(struct write_batch *batch); /* keeps the memory */

/* Copy their arguments. Sizes over the limits above are asserted: callers bound what comes from
 * outside. A range with start >= end deletes nothing and is not recorded. */
void write_batch_put(struct write_batch *batch, struct slice key, struct slice value);
void write_batch_delete(struct write_batch *batch, struct slice key);
void write_batch_delete_range(struct write_batch *batch, struct slice start, struct slice end);

/* Adds the operations of another batch, or of an encoded one from outside: INVALID or TOO_LARGE
 * with a message if it is malformed, and nothing is added. */
void write_batch_append(struct write_batch *batch, const struct write_batch *other);
enum status write_batch_append_encoded(struct write_batch *batch, struct slice encoded,
                                       struct error *error) MUST_CHECK;

/* The encoding; valid until the batch changes. */
struct slice write_batch_encoded(const struct write_batch *batch);
/* INVALID or TOO_LARGE; `count` (may be NULL) receives the number of operations. */
enum status write_batch_validate(struct slice encoded, size_t *count,
                                 struct error *error) MUST_CHECK;

/* Walks an encoding that was validated, or that a struct write_batch holds:
 *     struct slice rest = write_batch_encoded(batch);
 *     struct write_op op;
 *     while (write_batch_next(&rest, &op)) ...
 * Slices of `op` borrow from the encoding. Asserts that it is well-formed. */
bool write_batch_next(struct slice *rest, struct write_op *op);

#endif
