/* engine_btree_flush.c - the B+tree engine's flushes, in the background and waiting. What lives
 * here: slices, the lane, who is told. What must not: what is written (btree_flush.c). */
#include <assert.h>

#include "engine_btree.h"
#include "mem.h"

enum { SLICE_PAGES = 64 };

static void slice_due(void *arg);

static enum status refuse_if_broken(const struct engine_btree *engine, struct error *error) {
    if (!engine->broken) return STATUS_OK;
    return error_set(error, STATUS_IO, "an earlier flush failed; what is on the disk is unknown");
}

/* Everything the frozen tree holds must be in the log's durable part: after a crash, positions
 * above it would be given out again, to records that the replay would then skip. */
static enum status sync_log(struct engine_btree *engine, struct error *error) {
    return engine->wal != NULL ? wal_sync_blocking(engine->wal, error) : STATUS_OK;
}

static uint64_t log_position(const struct engine_btree *engine) {
    return engine->wal != NULL ? wal_end(engine->wal) : 0;
}

/* Out of space before the meta page was touched changes nothing; all else leaves the file unknown
 * (Rebello et al. 2020: a failed sync is never retried). */
static void ended(struct engine_btree *engine, struct btree_flush *flush, uint64_t position,
                  bool meta_written, enum status status) {
    if (status != STATUS_OK && (meta_written || status != STATUS_NO_SPACE)) engine->broken = true;
    if (flush != NULL) btree_flush_end(flush, status == STATUS_OK);
    if (status == STATUS_OK && engine->wal != NULL) wal_truncate_before(engine->wal, position);
}

/* ---- in the background ---------------------------------------------------------------------- */

static void begin(struct engine_btree *engine) {
    struct btree_background *background = MEM_NEW(struct btree_background);
    env_unpost(engine->env, &engine->automatic);
    engine->first = engine->waiting_first;
    engine->waiting_first = engine->waiting_last = NULL;
    engine->background = background;
    background->engine = engine;
    background->pager = engine->pager;
    background->status = refuse_if_broken(engine, &background->error);
    if (background->status == STATUS_OK) background->status = sync_log(engine, &background->error);
    background->log_position = log_position(engine);
    if (background->status == STATUS_OK)
        background->flush = btree_flush_begin(engine->pager, background->log_position);
    env_timer_init(&background->timer, slice_due, background);
    env_timer_start(engine->env, &background->timer, env_now_ns(engine->env));
}

static void report(struct btree_background *background) {
    struct engine_btree *engine = background->engine;
    enum status status = background->status;
    ended(engine, background->flush, background->log_position, background->meta_written, status);
    struct engine_flush_op *op = engine->first;
    engine->first = NULL;
    engine->background = NULL;
    if (engine->waiting_first != NULL) begin(engine);
    while (op != NULL) { /* `done` may close the engine, or free the op */
        struct engine_flush_op *next = op->next;
        op->done(op->arg, status, &background->error);
        op = next;
    }
    mem_free(background);
}

static void sync_on_lane(void *arg) {
    struct btree_background *background = arg;
    background->status = btree_flush_sync(background->flush, &background->error);
}

static void synced(void *arg);

static void submit_sync(struct btree_background *background) {
    background->on_lane = true;
    background->work = (struct env_work){.run = sync_on_lane, .done = synced, .arg = background};
    env_work_submit(background->pager->env, LANE_BACKGROUND, &background->work);
}

/* After the first sync comes the meta page; after the second, the end. */
static void synced(void *arg) {
    struct btree_background *background = arg;
    background->on_lane = false;
    if (background->engine == NULL) {
        btree_flush_end(background->flush, false);
        btree_pager_close(background->pager);
        mem_free(background);
        return;
    }
    if (background->status != STATUS_OK || background->meta_written) {
        report(background);
        return;
    }
    background->meta_written = true;
    background->status = btree_flush_write_meta(background->flush, &background->error);
    if (background->status == STATUS_OK)
        submit_sync(background);
    else
        report(background);
}

static void slice_due(void *arg) {
    struct btree_background *background = arg;
    bool done = false;
    if (background->status == STATUS_OK && background->flush != NULL)
        background->status =
            btree_flush_write(background->flush, SLICE_PAGES, &done, &background->error);
    if (background->status != STATUS_OK || background->flush == NULL)
        report(background);
    else if (done)
        submit_sync(background);
    else
        env_timer_start(background->pager->env, &background->timer,
                        env_now_ns(background->pager->env));
}

void btree_engine_flush_start(struct engine *base, struct engine_flush_op *op) {
    struct engine_btree *engine = CONTAINER_OF(base, struct engine_btree, base);
    if (engine->waiting_last != NULL)
        engine->waiting_last->next = op;
    else
        engine->waiting_first = op;
    engine->waiting_last = op;
    if (engine->background == NULL) begin(engine);
}

static void automatic_due(void *arg) {
    struct engine_btree *engine = arg;
    if (engine->background == NULL) begin(engine);
}

void btree_engine_flush_soon(struct engine_btree *engine) {
    if (engine->background != NULL || engine->broken) return;
    engine->automatic.callback = automatic_due;
    engine->automatic.arg = engine;
    env_post(engine->env, &engine->automatic);
}

bool btree_engine_flush_give_up(struct engine_btree *engine) {
    struct btree_background *background = engine->background;
    env_unpost(engine->env, &engine->automatic);
    if (background == NULL) return false;
    background->engine = NULL;
    if (background->on_lane) return true;
    env_timer_stop(&background->timer);
    if (background->flush != NULL) btree_flush_end(background->flush, false);
    mem_free(background);
    return false;
}

/* ---- waiting -------------------------------------------------------------------------------- */

static enum status write_tree(struct btree_flush *flush, bool *meta_written, struct error *error) {
    bool done;
    TRY(btree_flush_write(flush, SIZE_MAX, &done, error));
    TRY(btree_flush_sync(flush, error));
    *meta_written = true;
    TRY(btree_flush_write_meta(flush, error));
    return btree_flush_sync(flush, error);
}

enum status btree_engine_flush(struct engine *base, struct error *error) {
    struct engine_btree *engine = CONTAINER_OF(base, struct engine_btree, base);
    if (engine->background != NULL) return error_set(error, STATUS_BUSY, "a flush is under way");
    TRY(refuse_if_broken(engine, error));
    env_unpost(engine->env, &engine->automatic);
    TRY(sync_log(engine, error));
    uint64_t position = log_position(engine);
    bool meta_written = false;
    struct btree_flush *flush = btree_flush_begin(engine->pager, position);
    enum status status = flush != NULL ? write_tree(flush, &meta_written, error) : STATUS_OK;
    ended(engine, flush, position, meta_written, status);
    return status;
}
