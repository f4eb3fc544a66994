/* lsm_schedule.c - when jobs run, and who hears of their end. What lives here: at most one flush
 * and one compaction, commits one by one, flush ops, those who wait. What must not: what a job
 * does. */
#include <assert.h>

#include "lsm_job.h"
#include "mem.h"

static void drive(struct lsm_job *job);

/* ---- flush ops ------------------------------------------------------------------------------ */

static void queue_op(struct lsm_ops *ops, struct engine_flush_op *op) {
    op->next = NULL;
    *(ops->last != NULL ? &ops->last->next : &ops->first) = op;
    ops->last = op;
}

/* `behind` follows; both end up in `ops`. */
static void join_ops(struct lsm_ops *ops, struct lsm_ops *behind) {
    if (behind->first == NULL) return;
    *(ops->last != NULL ? &ops->last->next : &ops->first) = behind->first;
    ops->last = behind->last;
    *behind = (struct lsm_ops){0};
}

/* `done` may close the engine: nothing here touches it any more. */
static void report(struct lsm_ops ops, enum status status, const struct error *error) {
    for (struct engine_flush_op *op = ops.first; op != NULL;) {
        struct engine_flush_op *next = op->next;
        op->done(op->arg, status, error);
        op = next;
    }
}

/* ---- the ends of jobs ----------------------------------------------------------------------- */

static void forget(struct engine_lsm *engine, struct lsm_job *job) {
    if (engine->flush == job) engine->flush = NULL;
    if (engine->compaction == job) engine->compaction = NULL;
    if (engine->committing == job) engine->committing = NULL;
    if (engine->parked == job) engine->parked = NULL;
}

/* A full disk while tables are written may have room later. Nothing else can be mended by trying
 * again: a sync that failed, an edit half written, a disk in error, damage. */
static bool breaks(const struct lsm_job *job) {
    return job->stage != LSM_PRODUCE || job->status != STATUS_NO_SPACE;
}

static void fail(struct lsm_job *job) {
    struct engine_lsm *engine = job->engine;
    log_error(env_log(engine->env), "lsm", "%s failed: %s", job->kind->name, job->error.message);
    if (breaks(job) && engine->broken == STATUS_OK) {
        engine->broken = job->status;
        engine->broken_error = job->error;
    }
    if (job->stage != LSM_COMMIT) lsm_job_remove_outputs(job);
}

static void resume_parked(struct engine_lsm *engine) {
    struct lsm_job *job = engine->parked;
    engine->parked = NULL;
    if (job != NULL) drive(job);
}

/* On the loop. The job is freed; flush ops hear of it last. */
static void end(struct lsm_job *job) {
    struct engine_lsm *engine = job->engine;
    enum status status = job->status;
    struct error error = job->error;
    struct lsm_ops served = {0};
    if (status != STATUS_OK) fail(job);
    if (engine->flush == job) {
        served = engine->serving;
        engine->serving = (struct lsm_ops){0};
    }
    forget(engine, job);
    lsm_job_free(job);
    resume_parked(engine);
    if (status == STATUS_OK || engine->waiting.first != NULL) lsm_schedule(engine);
    report(served, status, &error);
}

/* ---- in the background ---------------------------------------------------------------------- */

static void on_lane(void *arg) { lsm_job_work(arg); }

/* Of a job that was overtaken: whatever it made and did not commit goes. */
static void bury(struct lsm_job *job) {
    struct lsm_job **at = &job->engine->overtaken;
    while (*at != job)
        at = &(*at)->next_overtaken;
    *at = job->next_overtaken;
    lsm_job_remove_outputs(job);
    lsm_job_free(job);
}

static void lane_done(void *arg) {
    struct lsm_job *job = arg;
    job->on_lane = false;
    if (job->engine == NULL)
        lsm_job_free(job);
    else if (job->overtaken)
        bury(job);
    else
        drive(job);
}

static void submit(struct lsm_job *job) {
    job->on_lane = true;
    job->work = (struct env_work){.run = on_lane, .done = lane_done, .arg = job};
    env_work_submit(job->env, LANE_BACKGROUND, &job->work);
}

/* The loop's part of a stage, then back to the lane, or the end. */
static void drive(struct lsm_job *job) {
    struct engine_lsm *engine = job->engine;
    if (job->status == STATUS_OK && engine->broken != STATUS_OK) { /* by the other job */
        job->status = engine->broken;
        job->error = engine->broken_error;
    }
    bool at_end = job->status != STATUS_OK;
    if (!at_end && job->stage == LSM_COMMIT) {
        job->status = lsm_job_install(job, &job->error);
        at_end = true;
    }
    if (!at_end && job->stage == LSM_SYNC && engine->committing != NULL) {
        engine->parked = job;
        return;
    }
    if (!at_end) at_end = lsm_job_advance(job) || job->status != STATUS_OK;
    if (at_end) {
        end(job);
        return;
    }
    if (job->stage == LSM_COMMIT) engine->committing = job;
    submit(job);
}

static void start_flush(struct engine_lsm *engine) {
    join_ops(&engine->serving, &engine->waiting);
    engine->flush = lsm_job_new_flush(engine);
    submit(engine->flush);
}

/* False: the tree is in shape. */
static bool pick(struct engine_lsm *engine, struct lsm_compaction *out) {
    const struct lsm_version *version = engine->view->version;
    return lsm_compaction_is_due(version, &engine->shape) &&
           lsm_compaction_pick(version, &engine->shape, &engine->cursor, out);
}

void lsm_schedule(struct engine_lsm *engine) {
    struct lsm_compaction compaction;
    bool wanted = engine->waiting.first != NULL || engine->view->memtable_count > 1;
    if (engine->flush == NULL && (wanted && engine->broken == STATUS_OK)) start_flush(engine);
    if (engine->compaction != NULL || engine->broken != STATUS_OK) return;
    if (!pick(engine, &compaction)) return;
    engine->compaction = lsm_job_new_compaction(engine, &compaction);
    submit(engine->compaction);
}

void lsm_flush_start(struct engine *base, struct engine_flush_op *op) {
    struct engine_lsm *engine = lsm_of(base);
    lsm_seal(engine);
    queue_op(&engine->waiting, op);
    if (engine->flush == NULL) start_flush(engine);
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* The job goes its way alone and ends when the lane lets go of it. */
static void abandon(struct engine_lsm *engine, struct lsm_job *job) {
    if (job == NULL) return;
    forget(engine, job);
    job->overtaken = true;
    job->next_overtaken = engine->overtaken;
    engine->overtaken = job;
    if (!job->on_lane) bury(job);
}

/* Brings a commit that is under way to its end, here. */
static enum status settle(struct engine_lsm *engine, struct error *error) {
    struct lsm_job *job = engine->committing;
    if (job == NULL) return STATUS_OK;
    enum status status = lsm_manifest_sync(job->manifest, error);
    if (status == STATUS_OK) status = lsm_job_install(job, error);
    if (status != STATUS_OK) {
        engine->broken = status;
        if (error != NULL) engine->broken_error = *error;
    }
    abandon(engine, job);
    return status;
}

/* Nothing is under way afterwards. Ops that were being served wait for the next flush. */
static enum status overtake(struct engine_lsm *engine, struct error *error) {
    struct lsm_ops waiting = engine->waiting;
    engine->waiting = engine->serving;
    engine->serving = (struct lsm_ops){0};
    join_ops(&engine->waiting, &waiting);
    enum status status = settle(engine, error);
    abandon(engine, engine->flush);
    abandon(engine, engine->compaction);
    return status;
}

/* All stages, on this thread. Frees the job. */
static enum status run_now(struct lsm_job *job, struct error *error) {
    bool at_end = false;
    while (!at_end && job->status == STATUS_OK) {
        lsm_job_work(job);
        if (job->status != STATUS_OK) break;
        at_end = job->stage == LSM_COMMIT;
        if (at_end)
            job->status = lsm_job_install(job, &job->error);
        else
            at_end = lsm_job_advance(job);
    }
    enum status status = job->status;
    if (status != STATUS_OK) {
        fail(job);
        if (error != NULL) *error = job->error;
    }
    lsm_job_free(job);
    return status;
}

/* All compactions that are due: whoever waits for a flush wants the tree in shape. */
static enum status compact_now(struct engine_lsm *engine, struct error *error) {
    struct lsm_compaction compaction;
    while (pick(engine, &compaction))
        TRY(run_now(lsm_job_new_compaction(engine, &compaction), error));
    return STATUS_OK;
}

enum status lsm_flush_now(struct engine_lsm *engine, struct error *error) {
    if (engine->broken != STATUS_OK) {
        if (error != NULL) *error = engine->broken_error;
        return engine->broken;
    }
    TRY(overtake(engine, error));
    lsm_seal(engine);
    enum status status = STATUS_OK;
    if (engine->view->memtable_count > 1) status = run_now(lsm_job_new_flush(engine), error);
    if (status == STATUS_OK) status = compact_now(engine, error);
    if (engine->waiting.first != NULL) start_flush(engine); /* reports, on the loop */
    return status;
}

enum status lsm_flush(struct engine *base, struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    if (engine->serving.first != NULL || engine->waiting.first != NULL)
        return error_set(error, STATUS_BUSY, "a flush is under way");
    return lsm_flush_now(engine, error);
}

void lsm_give_up(struct engine_lsm *engine) {
    abandon(engine, engine->flush);
    abandon(engine, engine->compaction);
    for (struct lsm_job *job = engine->overtaken; job != NULL; job = job->next_overtaken)
        job->engine = NULL;
}
