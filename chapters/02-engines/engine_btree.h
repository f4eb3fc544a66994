/* engine_btree.h - what the files of the B+tree engine share. Internal to it.
 *
 * Writes change pages in memory. A flush makes the tree durable as it is at one moment (see
 * btree_flush.h), so that what a crash leaves is a prefix of the order of writes. With a log of its
 * own, each batch goes there first, and a flush is a checkpoint: the log before it may go.
 *
 * Invariants
 *  1. The meta page names a log position only after the log is durable up to there.
 *  2. One flush at a time. It writes into the page cache in slices on the loop, and waits for the
 *     disk on the background lane. (env.h: only one thread may write to a file.)
 *  3. A write may read pages from the disk on its way down: a B+tree pays at the write what a
 *     log-structured tree pays at the compaction. */
#ifndef CAIRN_ENGINE_BTREE_H
#define CAIRN_ENGINE_BTREE_H

#include "btree_flush.h"
#include "btree_pager.h"
#include "engine_impl.h"
#include "wal.h"

/* A flush on its way; outlives the engine if that is closed while the disk is busy. */
struct btree_background {
    struct engine_btree *engine; /* NULL: closed */
    struct btree_pager *pager;
    struct btree_flush *flush; /* NULL: there was nothing to write */
    uint64_t log_position;
    bool meta_written;
    bool on_lane;
    struct env_timer timer;
    struct env_work work;
    enum status status;
    struct error error;
};

struct engine_btree {
    struct engine base;
    struct env *env;
    struct dir_lock *lock;
    struct btree_pager *pager;
    struct wal *wal;     /* NULL: no log of its own */
    size_t flush_bytes;  /* of new pages: a flush begins by itself */
    size_t memory_bytes; /* of pages not in the file: writes are BUSY */

    struct engine_flush_op *first; /* those that the flush under way serves */
    struct engine_flush_op *waiting_first;
    struct engine_flush_op *waiting_last;
    struct btree_background *background; /* NULL: no flush is under way */
    struct env_task automatic;           /* begins one */
    bool broken;                         /* what is on the disk is unknown: no more flushes */
};

/* engine_btree_flush.c */
void btree_engine_flush_start(struct engine *base, struct engine_flush_op *op);
enum status btree_engine_flush(struct engine *base, struct error *error);
/* Asks for a flush that nobody waits for. */
void btree_engine_flush_soon(struct engine_btree *engine);
/* The engine closes. True: the pager belongs to the flush that is still at the disk. */
bool btree_engine_flush_give_up(struct engine_btree *engine);

/* btree_draw.c */
enum status btree_draw(struct engine *base, struct buf *out, struct error *error);

#endif
