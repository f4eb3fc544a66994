/* engine_mem_flush.c - the in-memory engine's file. What lives here: flush, checkpoint, recovery.
 * What must not: the order of sync and rename (snapshot_file.c) or versions (engine_mem.c).
 *
 * A flush writes the whole map as it is when the flush begins, a slice per turn of the loop, so
 * that the file is a prefix of the order of writes by construction. */
#include "engine_mem.h"

#include <stdio.h>

#include "mem.h"

enum { SLICE_BYTES = 256 * 1024 };

static char *path_in(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

char *mem_flushed_path(const char *dir) { return path_in(dir, "engine.map"); }

/* ---- flush ---------------------------------------------------------------------------------- */

static void begin_next(struct engine_mem *engine);

/* Writes entries from where the iterator stands, about `budget` bytes; *ended at the last one. */
static enum status write_slice(struct snapshot_writer *writer, struct engine_iterator *it,
                               size_t budget, bool *ended, struct error *error) {
    size_t written = 0;
    while (engine_iterator_valid(it) && written < budget) {
        struct slice key = engine_iterator_key(it), value = engine_iterator_value(it);
        TRY(snapshot_writer_add(writer, key, value, error));
        written += key.len + value.len;
        engine_iterator_next(it);
    }
    *ended = !engine_iterator_valid(it);
    return STATUS_OK;
}

/* The file is complete: persisted_get reads it from now on, and the log before it may go. */
static void adopt(struct engine_mem *engine, uint64_t sequence, uint64_t position) {
    engine->flushed_any = true;
    engine->flushed = sequence;
    if (engine->wal != NULL) wal_truncate_before(engine->wal, position);
    mem_collect_later(engine);
}

/* Records appended from now on stand at or above this. */
static uint64_t log_position(const struct engine_mem *engine) {
    return engine->wal != NULL ? wal_end(engine->wal) : 0;
}

/* The log must reach the position that the file will name: after a crash positions below it could
 * be given out again, to records that the replay would then skip. */
static enum status sync_log(struct engine_mem *engine, struct error *error) {
    return engine->wal != NULL ? wal_sync_blocking(engine->wal, error) : STATUS_OK;
}

static void end_reading(struct mem_flush *flush) {
    engine_iterator_free(flush->iterator);
    flush->iterator = NULL;
}

static void flush_ended(void *arg, enum status status, const struct error *error) {
    struct engine_mem *engine = arg;
    struct mem_flush *flush = &engine->flush;
    flush->running = flush->committing = false;
    flush->writer = NULL;
    if (status == STATUS_OK) adopt(engine, flush->sequence, flush->log_position);
    struct engine_flush_op *op = flush->first;
    flush->first = flush->last = NULL;
    if (flush->waiting_first != NULL) begin_next(engine);
    while (op != NULL) { /* `done` may close the engine, or free the op */
        struct engine_flush_op *next = op->next;
        op->done(op->arg, status, error);
        op = next;
    }
}

static void flush_failed(struct engine_mem *engine, enum status status, const struct error *error) {
    end_reading(&engine->flush);
    if (engine->flush.writer != NULL) snapshot_writer_abandon(engine->flush.writer);
    engine->flush.writer = NULL;
    flush_ended(engine, status, error);
}

static void flush_slice(void *arg) {
    struct engine_mem *engine = arg;
    struct mem_flush *flush = &engine->flush;
    struct error error = {0};
    enum status status = STATUS_OK;
    bool ended = false;
    if (flush->writer == NULL) {
        status = sync_log(engine, &error);
        if (status == STATUS_OK)
            status = snapshot_writer_open(engine->env, engine->path, flush->log_position,
                                          &flush->writer, &error);
    }
    if (status == STATUS_OK)
        status = write_slice(flush->writer, flush->iterator, SLICE_BYTES, &ended, &error);
    if (status != STATUS_OK) {
        flush_failed(engine, status, &error);
    } else if (!ended) {
        env_timer_start(engine->env, &flush->timer, env_now_ns(engine->env));
    } else {
        end_reading(flush);
        flush->committing = true;
        snapshot_writer_commit_start(flush->writer, flush_ended, engine);
    }
}

/* One flush serves all that wait for one. */
static void begin_next(struct engine_mem *engine) {
    struct mem_flush *flush = &engine->flush;
    flush->first = flush->waiting_first;
    flush->last = flush->waiting_last;
    flush->waiting_first = flush->waiting_last = NULL;
    flush->running = true;
    flush->sequence = engine->sequence;
    flush->log_position = log_position(engine);
    flush->iterator = engine_iterator_new(&engine->base, NULL);
    engine_iterator_seek_first(flush->iterator);
    env_timer_init(&flush->timer, flush_slice, engine);
    env_timer_start(engine->env, &flush->timer, env_now_ns(engine->env));
}

void mem_flush_start(struct engine *base, struct engine_flush_op *op) {
    struct engine_mem *engine = CONTAINER_OF(base, struct engine_mem, base);
    struct mem_flush *flush = &engine->flush;
    if (flush->waiting_last != NULL)
        flush->waiting_last->next = op;
    else
        flush->waiting_first = op;
    flush->waiting_last = op;
    if (!flush->running) begin_next(engine);
}

void mem_flush_give_up(struct engine_mem *engine) {
    struct mem_flush *flush = &engine->flush;
    if (flush->committing) {
        snapshot_writer_cancel(flush->writer);
    } else if (flush->running) {
        env_timer_stop(&flush->timer);
        end_reading(flush);
        if (flush->writer != NULL) snapshot_writer_abandon(flush->writer);
    }
}

/* Writes the map as it is now to `path`, waiting. */
static enum status write_file(struct engine_mem *engine, const char *path, uint64_t position,
                              struct error *error) {
    struct snapshot_writer *writer;
    bool ended;
    TRY(snapshot_writer_open(engine->env, path, position, &writer, error));
    struct engine_iterator *it = engine_iterator_new(&engine->base, NULL);
    engine_iterator_seek_first(it);
    enum status status = write_slice(writer, it, SIZE_MAX, &ended, error);
    engine_iterator_free(it);
    if (status == STATUS_OK) return snapshot_writer_commit(writer, error);
    snapshot_writer_abandon(writer);
    return status;
}

enum status mem_flush(struct engine *base, struct error *error) {
    struct engine_mem *engine = CONTAINER_OF(base, struct engine_mem, base);
    if (engine->flush.running) return error_set(error, STATUS_BUSY, "a flush is under way");
    uint64_t position = log_position(engine);
    TRY(sync_log(engine, error));
    TRY(write_file(engine, engine->path, position, error));
    adopt(engine, engine->sequence, position);
    return STATUS_OK;
}

enum status mem_checkpoint(struct engine *base, const char *dir, struct error *error) {
    struct engine_mem *engine = CONTAINER_OF(base, struct engine_mem, base);
    if (env_file_exists(engine->env, dir))
        return error_set(error, STATUS_EXISTS, "%s exists already", dir);
    TRY(env_dir_create(engine->env, dir, error));
    char *path = mem_flushed_path(dir);
    enum status status = write_file(engine, path, 0, error);
    mem_free(path);
    return status;
}

/* ---- recovery ------------------------------------------------------------------------------- */

struct loading {
    struct engine_mem *engine;
    struct write_batch batch;
    uint64_t log_position;
};

static enum status load_entry(void *arg, struct slice key, struct slice value,
                              struct error *error) {
    struct loading *loading = arg;
    if (key.len > WRITE_KEY_MAX || value.len > WRITE_VALUE_MAX)
        return error_set(error, STATUS_CORRUPT, "%s: an entry is larger than any can be",
                         loading->engine->path);
    write_batch_clear(&loading->batch);
    write_batch_put(&loading->batch, key, value);
    mem_apply(loading->engine, write_batch_encoded(&loading->batch));
    return STATUS_OK;
}

static enum status replay_batch(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                struct error *error) {
    struct loading *loading = arg;
    (void)type;
    if (position < loading->log_position) return STATUS_OK;
    if (write_batch_validate(payload, NULL, error) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT,
                         "%s: the log holds a malformed batch at position %llu",
                         loading->engine->path, (unsigned long long)position);
    mem_apply(loading->engine, payload);
    return STATUS_OK;
}

enum status mem_recover(struct engine_mem *engine, const struct engine_options *options,
                        struct error *error) {
    struct loading loading = {.engine = engine};
    enum status status = snapshot_file_read(engine->env, engine->path, load_entry, &loading,
                                            &loading.log_position, error);
    if (status == STATUS_OK) {
        engine->flushed_any = true;
        engine->flushed = engine->sequence;
    } else if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = engine_open_log(engine->env, options, replay_batch, &loading, &engine->wal, error);
    write_batch_deinit(&loading.batch);
    return status;
}
