/* engine_btree.c - the B+tree as an engine: batches, snapshots, recovery, checkpoint. What lives
 * here: engine.h's functions in terms of tree, pager and log. What must not: pages. */
#include "engine_btree.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>

#include "btree_iterator.h"
#include "btree_tree.h"
#include "mem.h"

#define FLUSH_BYTES_DEFAULT ((size_t)32 * 1024 * 1024)
#define CACHE_BYTES_DEFAULT ((size_t)64 * 1024 * 1024)
enum { WAL_RECORD_BATCH = 1, MEMORY_PER_FLUSH = 4, COPY_BATCH_BYTES = 1024 * 1024 };

struct engine_snapshot {
    struct btree_view *view;
};

static struct engine_btree *btree_of(struct engine *base) {
    return CONTAINER_OF(base, struct engine_btree, base);
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum status apply(struct engine_btree *engine, struct slice encoded, struct error *error) {
    struct write_op op;
    btree_begin_write(engine->pager);
    while (write_batch_next(&encoded, &op)) {
        switch (op.kind) {
        case WRITE_PUT:
            TRY(btree_put(engine->pager, op.key, op.value, error));
            break;
        case WRITE_DELETE:
            TRY(btree_delete(engine->pager, op.key, error));
            break;
        case WRITE_DELETE_RANGE:
            TRY(btree_delete_range(engine->pager, op.key, op.value, error));
            break;
        }
    }
    return STATUS_OK;
}

static size_t dirty_bytes(const struct engine_btree *engine) {
    return engine->pager->dirty.len / sizeof(uint32_t) * BTREE_PAGE_BYTES;
}

static size_t memory_bytes(const struct engine_btree *engine) {
    return engine->pager->frame_count * BTREE_PAGE_BYTES;
}

static enum status btree_engine_write(struct engine *base, const struct write_batch *batch,
                                      struct error *error) {
    struct engine_btree *engine = btree_of(base);
    struct slice encoded = write_batch_encoded(batch);
    if (dirty_bytes(engine) >= engine->flush_bytes) btree_engine_flush_soon(engine);
    if (memory_bytes(engine) >= engine->memory_bytes)
        return error_set(error, STATUS_BUSY,
                         "%zu bytes of pages wait to be written, the limit is %zu",
                         memory_bytes(engine), engine->memory_bytes);
    if (engine->wal != NULL) TRY(wal_append(engine->wal, WAL_RECORD_BATCH, encoded, NULL, error));
    return apply(engine, encoded, error);
}

/* With a log, who syncs is ready to wait: a good moment for a checkpoint, if no loop runs that
 * would do it in the background. */
static enum status btree_engine_sync(struct engine *base, struct error *error) {
    struct engine_btree *engine = btree_of(base);
    if (engine->wal == NULL) return btree_engine_flush(base, error);
    TRY(wal_sync_blocking(engine->wal, error));
    if (dirty_bytes(engine) < engine->flush_bytes || engine->background != NULL) return STATUS_OK;
    return btree_engine_flush(base, error);
}

/* ---- reading -------------------------------------------------------------------------------- */

static struct btree_tree tree_of(struct engine_btree *engine,
                                 const struct engine_snapshot *snapshot, unsigned flags) {
    struct btree_tree tree = snapshot != NULL ? btree_of_view(engine->pager, snapshot->view)
                                              : btree_newest(engine->pager);
    tree.no_wait = (flags & ENGINE_NO_WAIT) != 0;
    return tree;
}

static enum status btree_engine_get(struct engine *base, const struct engine_snapshot *snapshot,
                                    struct slice key, unsigned flags, struct buf *out,
                                    struct error *error) {
    struct btree_tree tree = tree_of(btree_of(base), snapshot, flags);
    return btree_get(&tree, key, out, error);
}

static enum status btree_engine_persisted_get(struct engine *base, struct slice key,
                                              struct buf *out, struct error *error) {
    struct engine_btree *engine = btree_of(base);
    if (engine->wal != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "an engine with its own log persists by it");
    struct btree_tree tree = btree_of_view(engine->pager, engine->pager->durable);
    return btree_get(&tree, key, out, error);
}

static struct engine_snapshot *btree_engine_snapshot_new(struct engine *base) {
    struct engine_snapshot *snapshot = MEM_NEW(struct engine_snapshot);
    snapshot->view = btree_view_new(btree_of(base)->pager, true);
    return snapshot;
}

static void btree_engine_snapshot_release(struct engine *base, struct engine_snapshot *snapshot) {
    btree_view_release(btree_of(base)->pager, snapshot->view);
    mem_free(snapshot);
}

static struct engine_iterator *
btree_engine_iterator_new(struct engine *base, const struct engine_iterator_options *options) {
    struct engine_btree *engine = btree_of(base);
    struct btree_tree tree = tree_of(engine, options->snapshot, options->flags);
    struct btree_view *own = NULL;
    if (options->snapshot == NULL) own = btree_view_new(engine->pager, true);
    return btree_iterator_new(&tree, own, options);
}

/* ---- upkeep --------------------------------------------------------------------------------- */

/* Which part of the tree lies below `key`, from 0 to 1: the index in each branch on the way. Stops
 * at a page that is not in memory. */
static double part_below(struct engine_btree *engine, struct slice key) {
    struct btree_tree tree = tree_of(engine, NULL, ENGINE_NO_WAIT);
    struct btree_ref ref;
    double part = 0, width = 1;
    uint32_t number = tree.root;
    while (number != 0 && btree_read_node(&tree, number, UINT_MAX, &ref, NULL) == STATUS_OK) {
        size_t i = 0;
        bool exact, leaf = btree_page_level(ref.page) == 0;
        enum status status = leaf ? btree_leaf_index(&tree, ref.page, key, &i, &exact, NULL)
                                  : btree_child_index(&tree, ref.page, key, &i, NULL);
        width /= (double)btree_page_count(ref.page);
        if (status == STATUS_OK) part += width * (double)i;
        number = leaf || status != STATUS_OK ? 0 : btree_page_cell(ref.page, i).child;
        btree_release(&ref);
    }
    return part;
}

static uint64_t btree_engine_size_estimate(struct engine *base, struct slice start,
                                           struct slice end) {
    struct engine_btree *engine = btree_of(base);
    double from = part_below(engine, start);
    double to = end.len > 0 ? part_below(engine, end) : 1;
    double bytes = (double)btree_live_pages(engine->pager) * BTREE_PAGE_BYTES;
    return to > from ? (uint64_t)((to - from) * bytes) : 0;
}

static enum status copy_all(struct engine *from, struct engine *to, struct error *error) {
    struct write_batch batch;
    write_batch_init(&batch);
    struct engine_iterator *it = engine_iterator_new(from, NULL);
    enum status status = STATUS_OK;
    bool valid = engine_iterator_seek_first(it);
    while (status == STATUS_OK && valid) {
        write_batch_put(&batch, engine_iterator_key(it), engine_iterator_value(it));
        valid = engine_iterator_next(it);
        if (valid && write_batch_encoded(&batch).len < COPY_BATCH_BYTES) continue;
        status = engine_write(to, &batch, error);
        if (status == STATUS_OK) status = engine_flush(to, error);
        write_batch_clear(&batch);
    }
    if (status == STATUS_OK) status = engine_iterator_status(it, error);
    engine_iterator_free(it);
    write_batch_deinit(&batch);
    return status == STATUS_OK ? engine_flush(to, error) : status;
}

/* A copy of keys, not of pages: without what is free, each page well filled. */
static enum status btree_engine_checkpoint(struct engine *base, const char *dir,
                                           struct error *error) {
    struct engine_btree *engine = btree_of(base);
    struct engine *copy;
    if (env_file_exists(engine->env, dir))
        return error_set(error, STATUS_EXISTS, "%s exists already", dir);
    TRY(base->ops->open(engine->env, &(struct engine_options){.dir = dir}, &copy, error));
    enum status status = copy_all(base, copy, error);
    engine_close(copy);
    return status;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void btree_engine_close(struct engine *base) {
    struct engine_btree *engine = btree_of(base);
    bool pager_is_busy = btree_engine_flush_give_up(engine);
    if (!pager_is_busy) btree_pager_close(engine->pager);
    wal_close(engine->wal);
    if (engine->lock != NULL) dir_unlock(engine->lock);
    mem_free(engine);
}

static enum status replay_batch(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                struct error *error) {
    struct engine_btree *engine = arg;
    (void)type;
    if (position < engine->pager->meta.log_position) return STATUS_OK;
    if (write_batch_validate(payload, NULL, error) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT,
                         "%s: the log holds a malformed batch at position %llu",
                         file_path(engine->pager->file), (unsigned long long)position);
    return apply(engine, payload, error);
}

/* A log that begins above the place where the tree ends was cut for a tree that is newer: its meta
 * page is damaged. */
static enum status check_no_gap(const struct engine_btree *engine, struct error *error) {
    uint64_t position = engine->pager->meta.log_position;
    if (engine->wal == NULL || wal_start(engine->wal) <= position) return STATUS_OK;
    return error_set(error, STATUS_CORRUPT,
                     "%s: its newest meta page is lost; it ends at position %llu of the log, which "
                     "begins at %llu",
                     file_path(engine->pager->file), (unsigned long long)position,
                     (unsigned long long)wal_start(engine->wal));
}

static size_t or_default(size_t option, size_t value) { return option > 0 ? option : value; }

static enum status btree_engine_open(struct env *env, const struct engine_options *options,
                                     struct engine **out, struct error *error) {
    struct engine_btree *engine = MEM_NEW(struct engine_btree);
    engine->base.ops = &engine_btree_ops;
    engine->env = env;
    engine->flush_bytes = or_default(options->write_buffer_bytes, FLUSH_BYTES_DEFAULT);
    engine->memory_bytes =
        or_default(options->memory_limit_bytes, MEMORY_PER_FLUSH * engine->flush_bytes);
    enum status status = env_dir_create(env, options->dir, error);
    if (status == STATUS_OK) status = env_dir_lock(env, options->dir, &engine->lock, error);
    if (status == STATUS_OK)
        status = btree_pager_open(env, options->dir,
                                  or_default(options->cache_bytes, CACHE_BYTES_DEFAULT),
                                  &engine->pager, error);
    if (status == STATUS_OK)
        status = engine_open_log(engine->env, options, replay_batch, engine, &engine->wal, error);
    if (status == STATUS_OK) status = check_no_gap(engine, error);
    if (status != STATUS_OK) {
        btree_engine_close(&engine->base);
        return status;
    }
    *out = &engine->base;
    return STATUS_OK;
}

const struct engine_ops engine_btree_ops = {
    .kind = "btree",
    .open = btree_engine_open,
    .close = btree_engine_close,
    .write = btree_engine_write,
    .sync = btree_engine_sync,
    .flush_start = btree_engine_flush_start,
    .flush = btree_engine_flush,
    .get = btree_engine_get,
    .persisted_get = btree_engine_persisted_get,
    .snapshot_new = btree_engine_snapshot_new,
    .snapshot_release = btree_engine_snapshot_release,
    .iterator_new = btree_engine_iterator_new,
    .checkpoint = btree_engine_checkpoint,
    .size_estimate = btree_engine_size_estimate,
    .draw = btree_draw,
};
