/* engine.h - a store of ordered bytes on one machine; the layer everything above stands on.
 *
 * Kinds are registered by name: "mem" (a skip list with versions, flushed to env files; the one
 * that simulation runs), "lsm" (a log-structured merge tree) and "btree" (a B+tree of copied
 * pages), both by hand on env files, and "rocksdb" (the production engine, real machine only). One
 * conformance suite (tests/02-engines) runs against all of them.
 *
 * Invariants
 *  1. Keys are ordered by memcmp, a prefix first. A batch is atomic for readers and for crashes.
 *  2. Writes form one order. After a crash the engine holds exactly a prefix of that order, over
 *     all keys: without a log of its own at least up to the last flush that reported OK; with one
 *     also up to the last engine_sync that returned OK.
 *  3. A snapshot, and an iterator, see the writes before their creation and none after.
 *  4. Reads on a snapshot (get and iterators with `snapshot` set) may run on any thread, one thread
 *     per iterator; everything else is called on the loop. The snapshot outlives them.
 *
 * Copying a range out and in (Raft snapshots, backup) has no function of its own: out is an
 * iterator on a snapshot; in is a batch with write_batch_delete_range followed by batches of puts.
 */
#ifndef CAIRN_ENGINE_H
#define CAIRN_ENGINE_H

#include "buf.h"
#include "env.h"
#include "slice.h"
#include "status.h"
#include "write_batch.h"

struct engine;
struct engine_snapshot;
struct engine_iterator;

struct engine_options {
    const char *dir;           /* created if missing; the engine locks it: IN_USE */
    bool own_log;              /* durability mode, invariant 2; fixed when the store is created */
    size_t write_buffer_bytes; /* lsm, rocksdb: memtable; btree: new pages; 0: 32 MiB */
    size_t cache_bytes;        /* lsm, rocksdb: blocks; btree: pages; 0: 64 MiB */
    size_t log_segment_bytes;  /* mem, lsm, btree: of its own log; 0: the log's default */
    /* Above it writes are BUSY. mem: all it holds, 0: 1 GiB. btree: pages that are not yet in the
     * file, 0: four write buffers. */
    size_t memory_limit_bytes;
    /* mem: this percentage of ENGINE_NO_WAIT reads says WOULD_BLOCK, so that simulation walks the
     * paths that a slow disk would; 0: none. */
    unsigned would_block_percent;
    unsigned busy_percent; /* mem: likewise, this percentage of writes says BUSY */
    /* lsm: tables stay as the flushes left them, however many, and nobody is told BUSY for them: to
     * see what compaction is for. */
    bool no_compaction;
};

/* Rather WOULD_BLOCK than wait for the disk. On the loop only, also with a snapshot. */
enum engine_flags { ENGINE_NO_WAIT = 1 };

/* Opens the store in options->dir with the engine named `kind`; recovers. INVALID, naming the kinds
 * there are, for an unknown one; IN_USE; CORRUPT with file; IO; NO_SPACE. */
enum status engine_open(struct env *env, const char *kind, const struct engine_options *options,
                        struct engine **out, struct error *error) MUST_CHECK;
/* Iterators and snapshots must be gone. Neither flushes nor syncs. A flush under way does not
 * report; one of RocksDB holds the directory's lock, and its engine_flush_op, until it ends. NULL
 * is fine. */
void engine_close(struct engine *engine);
/* "mem, lsm, btree, rocksdb": for usage lines. */
const char *engine_kinds(void);
const char *engine_kind_of(const struct engine *engine);

/* ---- writing -------------------------------------------------------------------------------- */

/* Applies the batch: visible at once, durable as invariant 2 says. BUSY while the engine cannot
 * keep up, NO_SPACE while its files find no room: nothing was applied, pause and try again. IO,
 * CORRUPT: the engine is beyond use, the node must stop. */
enum status engine_write(struct engine *engine, const struct write_batch *batch,
                         struct error *error) MUST_CHECK;
/* OK; NO_SPACE while the disk has less room than the engine may need to flush what is in memory.
 * Ask before taking work in: engine_write itself does not refuse for it. */
enum status engine_writable(struct engine *engine) MUST_CHECK;
/* Returns when every write before it is durable: one sync of the own log, or, without one, a flush.
 */
enum status engine_sync(struct engine *engine, struct error *error) MUST_CHECK;

/* Makes every write before the call durable in the engine's files. `done` runs on the loop, never
 * inside the call. Flushes report in the order in which they were started. Embedded in its owner,
 * who keeps it until `done`. */
struct engine_flush_op {
    void (*done)(void *arg, enum status status, const struct error *error);
    void *arg;
    struct engine *engine; /* engine's, from here on */
    struct engine_flush_op *next;
    enum status status;
    struct error error;
    struct env_work work;
};
void engine_flush_start(struct engine *engine, struct engine_flush_op *op);
/* The same, waiting. Not while one is under way: BUSY. */
enum status engine_flush(struct engine *engine, struct error *error) MUST_CHECK;

/* ---- reading -------------------------------------------------------------------------------- */

/* Puts the value into `out` (replacing what it held). snapshot NULL: the newest state. OK,
 * NOT_FOUND, WOULD_BLOCK (only with ENGINE_NO_WAIT), IO, CORRUPT. NOT_FOUND and WOULD_BLOCK leave
 * `error` alone. */
enum status engine_get(struct engine *engine, const struct engine_snapshot *snapshot,
                       struct slice key, unsigned flags, struct buf *out,
                       struct error *error) MUST_CHECK;
/* Reads only what is flushed: what a crash at this moment would leave. UNSUPPORTED with its own
 * log. */
enum status engine_persisted_get(struct engine *engine, struct slice key, struct buf *out,
                                 struct error *error) MUST_CHECK;

struct engine_snapshot *engine_snapshot_new(struct engine *engine);
/* NULL is fine. */
void engine_snapshot_release(struct engine *engine, struct engine_snapshot *snapshot);

struct engine_iterator_options {
    struct slice lower;                     /* first key; copied; empty: none */
    struct slice upper;                     /* first key beyond; copied; empty: none */
    const struct engine_snapshot *snapshot; /* NULL: the state at creation */
    unsigned flags;
};

/* Created on the loop, or with a snapshot on any thread; freed on the thread that used it, before
 * its snapshot is released. Not positioned. */
struct engine_iterator *engine_iterator_new(struct engine *engine,
                                            const struct engine_iterator_options *options);
void engine_iterator_free(struct engine_iterator *it);
/* Each returns engine_iterator_valid. Never leaves the bounds: seeking outside goes to the nearest
 * key inside in the direction of the seek. */
bool engine_iterator_seek_first(struct engine_iterator *it);
bool engine_iterator_seek_last(struct engine_iterator *it);
bool engine_iterator_seek(struct engine_iterator *it, struct slice key);          /* first >= key */
bool engine_iterator_seek_for_prev(struct engine_iterator *it, struct slice key); /* last <= key */
bool engine_iterator_next(struct engine_iterator *it); /* only when valid */
bool engine_iterator_prev(struct engine_iterator *it);
bool engine_iterator_valid(const struct engine_iterator *it);
/* Valid until the iterator moves. */
struct slice engine_iterator_key(const struct engine_iterator *it);
struct slice engine_iterator_value(const struct engine_iterator *it);
/* Why it is not valid: OK at the end; WOULD_BLOCK (seek again, waiting, from the last key seen);
 * IO; CORRUPT. Ask after every loop. */
enum status engine_iterator_status(const struct engine_iterator *it,
                                   struct error *error) MUST_CHECK;

/* ---- upkeep --------------------------------------------------------------------------------- */

/* Makes a store of its own in `dir` (must not exist: EXISTS) with the writes so far; cheap where
 * the files can be shared. May wait for the disk. */
enum status engine_checkpoint(struct engine *engine, const char *dir,
                              struct error *error) MUST_CHECK;
/* About how many bytes [start, end) takes; an empty end: to the last key. Recent writes may be
 * missing. */
uint64_t engine_size_estimate(struct engine *engine, struct slice start, struct slice end);

#endif
