/* lsm_job.h - a flush or a compaction: a merge that becomes tables. Internal to the LSM tree. The
 * stages are the same for both (lsm_job.c); what is particular stands in a table of functions, and
 * in lsm_flush.c and lsm_compaction_job.c.
 *
 * A job alternates between a lane and the loop, a slice at a time, because only the loop writes
 * files and only a lane may wait:
 *
 *   PRODUCE  lane: merges, filters, makes up to a slice of bytes;  loop: writes them to the file
 *   SYNC     lane: syncs the tables and the directory, opens them; loop: appends the edit
 *   COMMIT   lane: syncs the manifest;                             loop: makes the new view current
 *
 * A crash in between leaves files that no manifest names: recovery removes them. The same steps run
 * one after the other on the caller's thread when somebody waits (lsm_job_run).
 *
 * Invariants
 *  1. The lane's part touches the job and what it holds references to (a view that nobody changes);
 *     the loop touches the job only between those parts, but for `engine`.
 *  2. A job that was overtaken, or whose engine closed (`engine` NULL), ends when the lane is done
 *     with it. An overtaken one removes its files; of a closed engine they stay for recovery to
 *     remove, since their numbers may belong to another store's life by now. */
#ifndef CAIRN_LSM_JOB_H
#define CAIRN_LSM_JOB_H

#include "engine_lsm.h"
#include "sstable_writer.h"

enum lsm_job_stage { LSM_PRODUCE, LSM_SYNC, LSM_COMMIT };

struct lsm_output {
    struct file *file; /* NULL once its table is open */
    struct lsm_table *table;
};

struct lsm_job;

struct lsm_job_kind {
    const char *name;
    /* True: the version goes into the output. Called for each in the order of the merge, on a lane.
     */
    bool (*keeps)(struct lsm_job *job, struct slice internal_key);
    void (*deinit)(struct lsm_job *job); /* NULL: nothing of its own */
};

struct lsm_job {
    const struct lsm_job_kind *kind;
    struct engine_lsm *engine;
    struct env *env;
    char *dir;
    bool on_lane;
    bool overtaken;
    struct lsm_job *next_overtaken; /* of those that the lane has not let go of */
    enum lsm_job_stage stage;
    struct lsm_view *view; /* what it reads */
    size_t flushed;        /* so many of its memtables, the oldest: those of a flush */
    unsigned output_level;
    struct lsm_merge merge;
    struct lsm_filter filter;
    struct lsm_compaction compaction; /* of a compaction */
    uint64_t table_bytes;             /* a table is ended there; 0: one table takes all */
    uint64_t clean_sequence;
    bool started;
    bool exhausted; /* the merge is at its end */
    bool table_full;
    struct sstable_writer writer;
    struct file *file; /* of the table that is being made */
    uint64_t number;
    uint64_t written;
    struct lsm_output *outputs; /* complete tables */
    size_t output_count;
    struct lsm_edit edit;
    struct lsm_manifest *manifest; /* from the append on */
    enum status status;
    struct error error;
    struct env_work work;
};

/* On the view of now; the kind fills in what is its own. */
struct lsm_job *lsm_job_new(struct engine_lsm *engine, const struct lsm_job_kind *kind);
void lsm_job_free(struct lsm_job *job);
/* A flush of all sealed memtables, or of nothing. */
struct lsm_job *lsm_job_new_flush(struct engine_lsm *engine);
/* Takes the compaction over. */
struct lsm_job *lsm_job_new_compaction(struct engine_lsm *engine,
                                       struct lsm_compaction *compaction);

/* The lane's part of the stage. */
void lsm_job_work(struct lsm_job *job);
/* The loop's part after PRODUCE and SYNC; leads to the next stage. On failure job->status says so.
 * True: there is nothing to commit, the job is at its end. */
bool lsm_job_advance(struct lsm_job *job);
/* The loop's part after COMMIT: the edit is durable. */
enum status lsm_job_install(struct lsm_job *job, struct error *error) MUST_CHECK;
/* After a failure before COMMIT: removes what was written. */
void lsm_job_remove_outputs(struct lsm_job *job);

#endif
