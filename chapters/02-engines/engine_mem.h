/* engine_mem.h - what the files of the in-memory engine share. Internal to it.
 *
 * Every write makes a new version: the skip list's key is an internal key (internal_key.h). A
 * version is dropped as soon as no reader can see it.
 *
 * Invariants
 *  1. All operations of a batch carry one sequence number, published when the batch is complete.
 *  2. Of the versions v1 > v2 > ... of a key, v2 and older are there only while a snapshot s with
 *     v(i) <= s < v(i-1) exists, or the key is in `revisit`.
 *  3. `flushed` is what the file holds: a snapshot of sequence numbers, at which persisted_get
 *     reads.
 *  4. A snapshot pins the memory that was unlinked after it was made: its readers may run on any
 *     thread. */
#ifndef CAIRN_ENGINE_MEM_H
#define CAIRN_ENGINE_MEM_H

#include "engine_impl.h"
#include "internal_key.h"
#include "memtable.h"
#include "prng.h"
#include "snapshot_file.h"
#include "wal.h"

/* In the order of creation, so oldest first: sequences and marks never decrease along the list. */
struct engine_snapshot {
    struct engine_snapshot *previous;
    struct engine_snapshot *next;
    uint64_t sequence;
    uint64_t mark; /* memtable_mark at creation */
};

struct mem_flush {
    struct engine_flush_op *first; /* those that this flush serves */
    struct engine_flush_op *last;
    struct engine_flush_op *waiting_first; /* those started since */
    struct engine_flush_op *waiting_last;
    struct snapshot_writer *writer;
    struct engine_iterator *iterator; /* with a snapshot of its own */
    uint64_t sequence;                /* that it reads at */
    uint64_t log_position;
    struct env_timer timer; /* the next slice */
    bool running;
    bool committing; /* all is written; sync and rename are under way */
};

struct engine_mem {
    struct engine base;
    struct env *env;
    char *path; /* of the flushed file */
    struct dir_lock *lock;
    struct wal *wal; /* NULL: no log of its own */
    size_t memory_limit_bytes;
    unsigned would_block_percent, busy_percent;
    struct prng prng;

    struct memtable *table;
    uint64_t sequence;  /* of the last batch that is complete */
    struct buf scratch; /* an internal key */
    struct engine_snapshot *oldest;
    struct engine_snapshot *newest;
    bool flushed_any;
    uint64_t flushed; /* sequence, when flushed_any */
    /* Keys whose old versions were needed when they were overwritten; length and bytes each. */
    struct buf revisit;
    size_t revisit_start; /* below it they are done with */
    size_t revisit_goal;  /* up to here it is worth looking: a snapshot went after they came */

    struct mem_flush flush;
};

/* engine_mem.c */
void mem_apply(struct engine_mem *engine, struct slice encoded);
/* A snapshot went, or the flushed one moved on: old versions may have become useless. They are
 * dropped a few at a time, by writes and releases to come. */
void mem_collect_later(struct engine_mem *engine);
struct engine_snapshot *mem_snapshot_new(struct engine *base);
void mem_snapshot_release(struct engine *base, struct engine_snapshot *snapshot);

/* engine_mem_iterator.c */
struct engine_iterator *mem_iterator_new(struct engine *base,
                                         const struct engine_iterator_options *options);
/* True if the key has a value at `sequence`. Any thread; scratch is the caller's. */
bool mem_get_at(const struct engine_mem *engine, struct slice key, uint64_t sequence,
                struct buf *scratch, struct slice *value);

/* engine_mem_flush.c */
void mem_flush_start(struct engine *base, struct engine_flush_op *op);
enum status mem_flush(struct engine *base, struct error *error);
/* The engine closes: nothing is reported any more. */
void mem_flush_give_up(struct engine_mem *engine);
enum status mem_checkpoint(struct engine *base, const char *dir, struct error *error);
/* Loads the flushed file and replays the log. */
enum status mem_recover(struct engine_mem *engine, const struct engine_options *options,
                        struct error *error);
char *mem_flushed_path(const char *dir);

#endif
