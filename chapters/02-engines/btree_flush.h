/* btree_flush.h - making a tree durable: its new pages, a sync, the meta page, a sync.
 *
 * The tree to be written is a view: its pages do not change while they are on their way, and
 * writing goes on beside it, copying what it touches. The free list of the new tree is written
 * with it: all numbers that no view but this one and its successors will know.
 *
 * Invariants
 *  1. The meta page is written only after all that it refers to is on the disk.
 *  2. Nothing that the durable tree refers to is overwritten until the next one is durable: its
 *     numbers wait at its view.
 *  3. The file grows in steps of 1 MiB, so that most syncs need not write its size. */
#ifndef CAIRN_BTREE_FLUSH_H
#define CAIRN_BTREE_FLUSH_H

#include "btree_pager.h"

struct btree_flush;

/* Freezes the newest tree. NULL: it is durable already. One at a time. On the loop. */
struct btree_flush *btree_flush_begin(struct btree_pager *pager, uint64_t log_position);
/* Writes up to `limit` pages into the page cache; *done after the last. On the loop. */
enum status btree_flush_write(struct btree_flush *flush, size_t limit, bool *done,
                              struct error *error) MUST_CHECK;
/* Any thread. */
enum status btree_flush_sync(struct btree_flush *flush, struct error *error) MUST_CHECK;
enum status btree_flush_write_meta(struct btree_flush *flush, struct error *error) MUST_CHECK;
/* Frees the flush. durable: the second sync succeeded, this is the durable tree now. Otherwise its
 * pages go into the next flush. On the loop. */
void btree_flush_end(struct btree_flush *flush, bool durable);

#endif
