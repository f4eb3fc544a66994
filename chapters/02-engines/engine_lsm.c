/* engine_lsm.c - the LSM tree as an engine: writes and their back-pressure, snapshots, point reads,
 * open and close. What must not live here: jobs (lsm_job.c), recovery (lsm_recover.c), reading in
 * order (lsm_iterator.c). */
#include "engine_lsm.h"

#include <assert.h>

#include "internal_key.h"
#include "mem.h"

enum {
    WRITE_BUFFER_DEFAULT = 32 * 1024 * 1024,
    CACHE_DEFAULT = 64 * 1024 * 1024,
    WRITE_BUFFER_MIN = 4096,
    WAL_RECORD_BATCH = 1,
    L0_TABLES = 4,      /* start a compaction */
    L0_STOP = 12,       /* stop the writers */
    LEVEL1_BUFFERS = 4, /* level 1 may be this many write buffers */
    TABLES_PER_BUFFER = 4,
    RANGES_MAX = 64,     /* range tombstones that a memtable takes before it is sealed */
    TOMBSTONES_MAX = 16, /* that a version keeps before they start a compaction */
    SHELF_SHARE = 4      /* a snapshot's shelf takes at most this part of the cache */
};

/* ---- snapshots ------------------------------------------------------------------------------ */

static struct engine_snapshot *lsm_snapshot_new(struct engine *base) {
    struct engine_lsm *engine = lsm_of(base);
    struct engine_snapshot *snapshot = MEM_NEW(struct engine_snapshot);
    snapshot->sequence = engine->sequence;
    snapshot->view = engine->view;
    snapshot->view->refs++;
    snapshot->shelf.limit_bytes = engine->cache_bytes / SHELF_SHARE;
    engine->snapshots++;
    return snapshot;
}

static void lsm_snapshot_release(struct engine *base, struct engine_snapshot *snapshot) {
    struct engine_lsm *engine = lsm_of(base);
    block_shelf_empty_into(&snapshot->shelf, engine->cache);
    lsm_view_unref(snapshot->view, engine->env, engine->dir);
    engine->snapshots--;
    mem_free(snapshot);
}

/* ---- writing -------------------------------------------------------------------------------- */

static bool is_full(const struct engine_lsm *engine) {
    const struct lsm_memtable *active = engine->view->memtables[0];
    return lsm_memtable_bytes(active) >= engine->write_buffer_bytes ||
           memtable_count(active->ranges) >= RANGES_MAX;
}

/* A place for the next batch. BUSY while flush or compaction are behind. */
static enum status make_room(struct engine_lsm *engine, struct error *error) {
    if (!is_full(engine)) return STATUS_OK;
    bool behind = engine->view->memtable_count > LSM_SEALED_MAX ||
                  engine->view->version->table_count[0] >= engine->l0_stop;
    if (!behind) lsm_seal(engine);
    lsm_schedule(engine);
    return behind
               ? error_set(error, STATUS_BUSY,
                           "the LSM tree is behind: %zu memtables wait, level 0 has %zu tables",
                           engine->view->memtable_count - 1, engine->view->version->table_count[0])
               : STATUS_OK;
}

static enum status say_broken(const struct engine_lsm *engine, struct error *error) {
    if (engine->broken != STATUS_OK && error != NULL) *error = engine->broken_error;
    return engine->broken;
}

static enum status lsm_write(struct engine *base, const struct write_batch *batch,
                             struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    struct slice encoded = write_batch_encoded(batch);
    TRY(say_broken(engine, error));
    TRY(make_room(engine, error));
    if (engine->wal != NULL) TRY(wal_append(engine->wal, WAL_RECORD_BATCH, encoded, NULL, error));
    lsm_apply(engine, encoded);
    return STATUS_OK;
}

static enum status lsm_sync(struct engine *base, struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    return engine->wal != NULL ? wal_sync_blocking(engine->wal, error) : lsm_flush(base, error);
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum status lsm_get(struct engine *base, const struct engine_snapshot *snapshot,
                           struct slice key, unsigned flags, struct buf *out, struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    struct block_access access = lsm_access(engine->cache, snapshot, flags);
    if (snapshot != NULL)
        return lsm_view_get(snapshot->view, &access, key, snapshot->sequence, false, out, error);
    return lsm_view_get(engine->view, &access, key, engine->sequence, false, out, error);
}

static enum status lsm_persisted_get(struct engine *base, struct slice key, struct buf *out,
                                     struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    struct block_access access = lsm_access(engine->cache, NULL, 0);
    if (engine->wal != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "an engine with its own log persists by it");
    return lsm_view_get(engine->view, &access, key, UINT64_MAX, true, out, error);
}

/* Without a snapshot it is given one of its own. */
static struct engine_iterator *new_iterator(struct engine *base,
                                            const struct engine_iterator_options *options) {
    struct block_access access = lsm_access(lsm_of(base)->cache, options->snapshot, options->flags);
    if (options->snapshot != NULL)
        return lsm_iterator_new(options->snapshot, NULL, &access, options);
    return lsm_iterator_new(lsm_snapshot_new(base), base, &access, options);
}

static uint64_t table_part(const struct lsm_table *table, struct slice from, struct slice to) {
    uint64_t start = sstable_offset_of(table->reader, from);
    uint64_t end = to.len > 0 ? sstable_offset_of(table->reader, to) : table->meta.size_bytes;
    return end > start ? end - start : 0;
}

/* Of the tables, by their indexes; the memtables are not counted. */
static uint64_t lsm_size_estimate(struct engine *base, struct slice start, struct slice end) {
    const struct lsm_version *version = lsm_of(base)->view->version;
    struct buf from = BUF_INIT, to = BUF_INIT;
    uint64_t bytes = 0;
    internal_key_make(&from, start, UINT64_MAX, WRITE_PUT);
    if (end.len > 0) internal_key_make(&to, end, UINT64_MAX, WRITE_PUT);
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            bytes += table_part(version->tables[level][i], buf_slice(&from), buf_slice(&to));
    buf_deinit(&from);
    buf_deinit(&to);
    return bytes;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void lsm_close(struct engine *base) {
    struct engine_lsm *engine = lsm_of(base);
    assert(engine->snapshots == 0);
    lsm_give_up(engine);
    wal_close(engine->wal);
    if (engine->view != NULL) lsm_view_unref(engine->view, engine->env, NULL);
    lsm_manifest_unref(engine->manifest);
    lsm_compaction_cursor_deinit(&engine->cursor);
    block_cache_free(engine->cache);
    buf_deinit(&engine->scratch);
    if (engine->lock != NULL) dir_unlock(engine->lock);
    mem_free(engine->dir);
    mem_free(engine);
}

static size_t or_default(size_t value, size_t otherwise) { return value > 0 ? value : otherwise; }

static void set_sizes(struct engine_lsm *engine, const struct engine_options *options) {
    size_t buffer = or_default(options->write_buffer_bytes, WRITE_BUFFER_DEFAULT);
    if (buffer < WRITE_BUFFER_MIN) buffer = WRITE_BUFFER_MIN;
    engine->write_buffer_bytes = buffer;
    engine->cache_bytes = or_default(options->cache_bytes, CACHE_DEFAULT);
    engine->l0_stop = L0_STOP;
    engine->shape = (struct lsm_shape){.l0_tables = L0_TABLES,
                                       .level1_bytes = buffer * LEVEL1_BUFFERS,
                                       .table_bytes = buffer / TABLES_PER_BUFFER,
                                       .tombstones = TOMBSTONES_MAX};
    if (!options->no_compaction) return;
    engine->l0_stop = SIZE_MAX; /* nothing ever outgrows its share */
    engine->shape.l0_tables = engine->shape.tombstones = SIZE_MAX;
    engine->shape.level1_bytes = UINT64_MAX;
}

static enum status lsm_open(struct env *env, const struct engine_options *options,
                            struct engine **out, struct error *error) {
    struct engine_lsm *engine = MEM_NEW(struct engine_lsm);
    engine->base.ops = &engine_lsm_ops;
    engine->env = env;
    engine->dir = mem_strdup(options->dir);
    set_sizes(engine, options);
    engine->cache = block_cache_new(engine->cache_bytes);
    env_random(env, "engine_lsm", &engine->prng);
    enum status status = env_dir_create(env, options->dir, error);
    if (status == STATUS_OK) status = env_dir_lock(env, options->dir, &engine->lock, error);
    if (status == STATUS_OK) status = lsm_recover(engine, options, error);
    if (status != STATUS_OK) {
        lsm_close(&engine->base);
        return status;
    }
    lsm_schedule(engine);
    *out = &engine->base;
    return STATUS_OK;
}

const struct engine_ops engine_lsm_ops = {
    .kind = "lsm",
    .open = lsm_open,
    .close = lsm_close,
    .write = lsm_write,
    .sync = lsm_sync,
    .flush_start = lsm_flush_start,
    .flush = lsm_flush,
    .get = lsm_get,
    .persisted_get = lsm_persisted_get,
    .snapshot_new = lsm_snapshot_new,
    .snapshot_release = lsm_snapshot_release,
    .iterator_new = new_iterator,
    .checkpoint = lsm_checkpoint,
    .size_estimate = lsm_size_estimate,
    .draw = lsm_draw,
};
