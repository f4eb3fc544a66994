/* btree_overflow.h - bytes too long for a cell, in a chain of pages of their own.
 *
 * A chain belongs to the field that refers to it. A field may move to another page, or up to a
 * parent, and takes its chain along; the chain is freed when the newest tree drops the field. */
#ifndef CAIRN_BTREE_OVERFLOW_H
#define CAIRN_BTREE_OVERFLOW_H

#include "btree_pager.h"

/* Stores the bytes in new pages; writes the reference, BTREE_REFERENCE_BYTES, to `reference`. */
void btree_overflow_write(struct btree_pager *pager, struct slice bytes, uint8_t *reference);
/* What the field stands for, from its chain, into `out` (replaced). As btree_read. */
enum status btree_overflow_read(struct btree_pager *pager, uint64_t newest,
                                struct btree_field field, bool no_wait, struct buf *out,
                                struct error *error) MUST_CHECK;
/* Frees the field's chain, if it has one. IO, CORRUPT: the chain is read on the way. */
enum status btree_overflow_free(struct btree_pager *pager, struct btree_field field,
                                struct error *error) MUST_CHECK;

/* A key as a field: as it is, or, if it is long, with a chain. `space` has BTREE_KEY_PREFIX +
 * BTREE_REFERENCE_BYTES bytes and must live as long as the field. */
struct btree_field btree_key_field(struct btree_pager *pager, struct slice key, uint8_t *space);
/* The same for a value that may take at most `room` bytes in its cell. */
struct btree_field btree_value_field(struct btree_pager *pager, struct slice value, size_t room,
                                     uint8_t *space);
/* The whole key of a field: a slice of it, or of `scratch`. */
enum status btree_field_bytes(struct btree_pager *pager, uint64_t newest, struct btree_field field,
                              bool no_wait, struct buf *scratch, struct slice *out,
                              struct error *error) MUST_CHECK;

#endif
