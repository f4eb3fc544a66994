/* engine_lsm.h - what the files of the LSM tree share. Internal to it.
 *
 * A write goes to the active memtable (and before that to the own log, if there is one). A full
 * memtable is sealed and flushed to a table of level 0; compactions move tables down the levels.
 * (O'Neil et al., "The Log-Structured Merge-Tree", 1996; the shape is LevelDB's.)
 *
 * What readers see is a *view* (lsm_view.h): memtables, newest first, and a version of the tables.
 * Every seal, flush and compaction makes a new one; a snapshot pins the one that was current when
 * it was made, so compaction need not know of snapshots.
 *
 * Invariants
 *  1. Every operation has a sequence number of its own; those of a batch follow one another and go
 *     into one memtable. `sequence` moves when a batch is complete.
 *  2. Memtables are flushed in the order in which they were sealed, all that are sealed at once. So
 *     the tables and tombstones of a version are exactly the writes up to its flushed_sequence.
 *  3. At most one flush and one compaction are under way, and one of them commits at a time.
 *  4. References are counted on the loop. A job (lsm_job.c) outlives the engine if a lane works on
 *     it; it then touches only what it holds.
 *  5. After a failed sync, or damage found in the background, the engine is `broken`: every write
 *     says why. */
#ifndef CAIRN_ENGINE_LSM_H
#define CAIRN_ENGINE_LSM_H

#include "engine_impl.h"
#include "lsm_compaction.h"
#include "lsm_manifest.h"
#include "lsm_view.h"
#include "prng.h"
#include "wal.h"

enum { LSM_SEALED_MAX = 2 }; /* memtables waiting for their flush, before writes are BUSY */

struct lsm_ops { /* a queue of struct engine_flush_op */
    struct engine_flush_op *first;
    struct engine_flush_op *last;
};

struct lsm_job;

struct engine_lsm {
    struct engine base;
    struct env *env;
    char *dir;
    struct dir_lock *lock;
    struct wal *wal; /* NULL: no log of its own */
    size_t write_buffer_bytes;
    size_t l0_stop; /* so many tables of level 0, and writes are BUSY */
    struct lsm_shape shape;
    struct prng prng;
    struct block_cache *cache;
    size_t cache_bytes;

    uint64_t sequence;
    struct lsm_view *view;
    size_t snapshots;
    struct buf scratch; /* an internal key */

    struct lsm_manifest *manifest;
    uint64_t next_number; /* of files */
    struct lsm_compaction_cursor cursor;
    struct lsm_job *flush;
    struct lsm_job *compaction;
    struct lsm_job *committing; /* its edit is appended, not yet known to be synced */
    struct lsm_job *parked;     /* waits for that one */
    struct lsm_job *overtaken;  /* still on the lane */
    struct lsm_ops serving;     /* by `flush` */
    struct lsm_ops waiting;
    enum status broken;
    struct error broken_error;
    uint64_t written_bytes; /* to tables, for write amplification */
};

static inline struct engine_lsm *lsm_of(struct engine *base) { return (struct engine_lsm *)base; }

/* ---- lsm_memory.c --------------------------------------------------------------------------- */

/* Makes a new view current. */
void lsm_set_view(struct engine_lsm *engine, struct lsm_view *view);
/* Seals the active memtable, unless it is empty. */
void lsm_seal(struct engine_lsm *engine);
void lsm_apply(struct engine_lsm *engine, struct slice encoded);

/* ---- lsm_schedule.c -------------------------------------------------------------------------- */

/* Starts what is due and not under way. */
void lsm_schedule(struct engine_lsm *engine);
void lsm_flush_start(struct engine *base, struct engine_flush_op *op);
enum status lsm_flush(struct engine *base, struct error *error);
/* Flushes, waiting, whatever is under way; its flush ops report all the same. */
enum status lsm_flush_now(struct engine_lsm *engine, struct error *error);
/* The engine closes: nothing is reported any more. */
void lsm_give_up(struct engine_lsm *engine);

/* ---- lsm_recover.c -------------------------------------------------------------------------- */

enum status lsm_recover(struct engine_lsm *engine, const struct engine_options *options,
                        struct error *error);
/* Writes a manifest in `dir` that names what the current version has, waiting; makes it current. */
enum status lsm_write_manifest(struct engine_lsm *engine, const char *dir, uint64_t log_position,
                               struct lsm_manifest **out, struct error *error);

/* ---- lsm_checkpoint.c ------------------------------------------------------------------------ */

enum status lsm_checkpoint(struct engine *base, const char *dir, struct error *error);

/* ---- lsm_draw.c ----------------------------------------------------------------------------- */

enum status lsm_draw(struct engine *base, struct buf *out, struct error *error);

#endif
