/* engine_lsm.h - what the files of the LSM tree share. Internal to it.
 *
 * A write goes to the active memtable (and before that to the own log, if there is one). A full
 * memtable is sealed and flushed to a table of level 0; compactions move tables down the levels.
 * (O'Neil et al., "The Log-Structured Merge-Tree", 1996; the shape is LevelDB's.)
 *
 * What readers see is a *view*: memtables, newest first, and a version of the tables. Nothing in a
 * view changes but the active memtable, which one writer and many readers may use at once. A
 * snapshot pins the view that was current when it was made; so its readers need no lock, on any
 * thread, and compaction need not know of snapshots. What a snapshot costs is memory and disk: what
 * it pins cannot go.
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
#include "memtable.h"
#include "prng.h"
#include "wal.h"

enum { LSM_SEALED_MAX = 2 }; /* memtables waiting for their flush, before writes are BUSY */

struct lsm_memtable {
    unsigned refs;           /* of views */
    struct memtable *table;  /* internal key -> value */
    struct memtable *ranges; /* of range tombstones: start (internal key) -> end */
    uint64_t last_sequence;
    uint64_t log_position; /* when sealed: what comes later stands at or above this */
};

struct lsm_view {
    unsigned refs;
    struct lsm_version *version;
    size_t memtable_count;
    struct lsm_memtable *memtables[]; /* newest first; [0] takes the writes */
};

struct engine_snapshot {
    uint64_t sequence;
    struct lsm_view *view;
    struct block_shelf shelf;
};

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

/* ---- lsm_view.c ----------------------------------------------------------------------------- */

struct lsm_memtable *lsm_memtable_new(uint64_t seed);
bool lsm_memtable_is_empty(const struct lsm_memtable *memtable);
size_t lsm_memtable_bytes(const struct lsm_memtable *memtable);
/* One reference for the caller; takes references of its own to the version and the memtables. */
struct lsm_view *lsm_view_new(struct lsm_version *version, struct lsm_memtable *const *memtables,
                              size_t count);
/* dir NULL: files stay. */
void lsm_view_unref(struct lsm_view *view, struct env *env, const char *dir);
/* The newest value of `key` at `sequence`. `flushed_only`: as if the memtables were lost. OK,
 * NOT_FOUND, WOULD_BLOCK, IO, CORRUPT. Any thread, as `access` allows. */
enum status lsm_view_get(const struct lsm_view *view, const struct block_access *access,
                         struct slice key, uint64_t sequence, bool flushed_only, struct buf *out,
                         struct error *error) MUST_CHECK;
/* The newest range tombstone <= sequence that hides the key, or 0. Any thread. */
uint64_t lsm_view_hidden_at(const struct lsm_view *view, struct slice key, uint64_t sequence);
/* All runs of the view. */
void lsm_view_add_sources(const struct lsm_view *view, const struct block_access *access,
                          struct lsm_merge *merge);

/* ---- engine_lsm.c --------------------------------------------------------------------------- */

/* Makes a new view current. */
void lsm_set_view(struct engine_lsm *engine, struct lsm_view *view);
/* Seals the active memtable, unless it is empty. */
void lsm_seal(struct engine_lsm *engine);
void lsm_apply(struct engine_lsm *engine, struct slice encoded);
struct engine_snapshot *lsm_snapshot_new(struct engine *base);
void lsm_snapshot_release(struct engine *base, struct engine_snapshot *snapshot);
/* How a read on the snapshot (NULL: none) comes by blocks. */
struct block_access lsm_access(struct engine_lsm *engine, const struct engine_snapshot *snapshot,
                               unsigned flags);

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
enum status lsm_checkpoint(struct engine *base, const char *dir, struct error *error);

/* ---- lsm_iterator.c ------------------------------------------------------------------------- */

struct engine_iterator *lsm_iterator_new(struct engine *base,
                                         const struct engine_iterator_options *options);

#endif
