/* engine.c - the kinds of engine there are, and the thin calls through their tables. What lives
 * here: what is the same for every kind (choosing by name, clamping seeks to bounds). What must
 * not: any kind. */
#include <assert.h>
#include <stdio.h>

#include "engine_impl.h"
#include "mem.h"

static const struct engine_ops *const kinds[] = {&engine_mem_ops, &engine_lsm_ops,
                                                 &engine_btree_ops, &engine_rocksdb_ops};
enum { KIND_COUNT = sizeof(kinds) / sizeof(kinds[0]) };

const char *engine_kinds(void) { return "mem, lsm, btree, rocksdb"; }

enum status engine_open(struct env *env, const char *kind, const struct engine_options *options,
                        struct engine **out, struct error *error) {
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strcmp(kinds[i]->kind, kind) == 0) return kinds[i]->open(env, options, out, error);
    return error_set(error, STATUS_INVALID, "there is no engine \"%s\"; choose one of: %s", kind,
                     engine_kinds());
}

enum status engine_open_log(struct env *env, const struct engine_options *options,
                            wal_replay replay, void *arg, struct wal **out, struct error *error) {
    size_t size = strlen(options->dir) + sizeof("/log");
    char *dir = mem_alloc(size);
    snprintf(dir, size, "%s/log", options->dir);
    struct wal_options log_options = {.segment_bytes = options->log_segment_bytes};
    enum status status = STATUS_OK;
    if (options->own_log)
        status = wal_open(env, dir, &log_options, replay, arg, out, error);
    else if (env_file_exists(env, dir))
        status =
            error_set(error, STATUS_INVALID,
                      "%s was made with a log of its own and must be opened with it", options->dir);
    mem_free(dir);
    return status;
}

void engine_close(struct engine *engine) {
    if (engine != NULL) engine->ops->close(engine);
}

const char *engine_kind_of(const struct engine *engine) { return engine->ops->kind; }

enum status engine_write(struct engine *engine, const struct write_batch *batch,
                         struct error *error) {
    return batch->count > 0 ? engine->ops->write(engine, batch, error) : STATUS_OK;
}

enum status engine_writable(struct engine *engine) {
    return engine->ops->writable == NULL ? STATUS_OK : engine->ops->writable(engine);
}

enum status engine_sync(struct engine *engine, struct error *error) {
    return engine->ops->sync(engine, error);
}

void engine_flush_start(struct engine *engine, struct engine_flush_op *op) {
    op->engine = engine;
    op->next = NULL;
    op->status = STATUS_OK;
    engine->ops->flush_start(engine, op);
}

enum status engine_flush(struct engine *engine, struct error *error) {
    return engine->ops->flush(engine, error);
}

enum status engine_get(struct engine *engine, const struct engine_snapshot *snapshot,
                       struct slice key, unsigned flags, struct buf *out, struct error *error) {
    return engine->ops->get(engine, snapshot, key, flags, out, error);
}

enum status engine_persisted_get(struct engine *engine, struct slice key, struct buf *out,
                                 struct error *error) {
    return engine->ops->persisted_get(engine, key, out, error);
}

struct engine_snapshot *engine_snapshot_new(struct engine *engine) {
    return engine->ops->snapshot_new(engine);
}

void engine_snapshot_release(struct engine *engine, struct engine_snapshot *snapshot) {
    if (snapshot != NULL) engine->ops->snapshot_release(engine, snapshot);
}

enum status engine_checkpoint(struct engine *engine, const char *dir, struct error *error) {
    return engine->ops->checkpoint(engine, dir, error);
}

uint64_t engine_size_estimate(struct engine *engine, struct slice start, struct slice end) {
    if (end.len > 0 && slice_compare(start, end) >= 0) return 0;
    return engine->ops->size_estimate(engine, start, end);
}

/* ---- iterators ------------------------------------------------------------------------------ */

void engine_iterator_init(struct engine_iterator *it, const struct engine_iterator_ops *ops,
                          const struct engine_iterator_options *options) {
    it->ops = ops;
    it->lower = BUF_INIT;
    it->upper = BUF_INIT;
    buf_append_slice(&it->lower, options->lower);
    buf_append_slice(&it->upper, options->upper);
}

void engine_iterator_deinit(struct engine_iterator *it) {
    buf_deinit(&it->lower);
    buf_deinit(&it->upper);
}

struct engine_iterator *engine_iterator_new(struct engine *engine,
                                            const struct engine_iterator_options *options) {
    static const struct engine_iterator_options everything = {0};
    return engine->ops->iterator_new(engine, options != NULL ? options : &everything);
}

void engine_iterator_free(struct engine_iterator *it) {
    if (it != NULL) it->ops->free(it);
}

bool engine_iterator_seek_first(struct engine_iterator *it) {
    it->ops->seek_first(it);
    return it->ops->valid(it);
}

bool engine_iterator_seek_last(struct engine_iterator *it) {
    it->ops->seek_last(it);
    return it->ops->valid(it);
}

bool engine_iterator_seek(struct engine_iterator *it, struct slice key) {
    if (slice_compare(key, buf_slice(&it->lower)) <= 0) return engine_iterator_seek_first(it);
    it->ops->seek(it, key);
    return it->ops->valid(it);
}

bool engine_iterator_seek_for_prev(struct engine_iterator *it, struct slice key) {
    if (it->upper.len > 0 && slice_compare(key, buf_slice(&it->upper)) >= 0)
        return engine_iterator_seek_last(it);
    it->ops->seek_for_prev(it, key);
    return it->ops->valid(it);
}

bool engine_iterator_next(struct engine_iterator *it) {
    assert(it->ops->valid(it));
    it->ops->next(it);
    return it->ops->valid(it);
}

bool engine_iterator_prev(struct engine_iterator *it) {
    assert(it->ops->valid(it));
    it->ops->prev(it);
    return it->ops->valid(it);
}

bool engine_iterator_valid(const struct engine_iterator *it) { return it->ops->valid(it); }

struct slice engine_iterator_key(const struct engine_iterator *it) {
    assert(it->ops->valid(it));
    return it->ops->key(it);
}

struct slice engine_iterator_value(const struct engine_iterator *it) {
    assert(it->ops->valid(it));
    return it->ops->value(it);
}

enum status engine_iterator_status(const struct engine_iterator *it, struct error *error) {
    return it->ops->status(it, error);
}
