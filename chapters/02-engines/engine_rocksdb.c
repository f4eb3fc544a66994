/* engine_rocksdb.c - RocksDB through its C API: the engine for the real machine. What lives here:
 * the translation of engine.h into RocksDB's calls, and its tuning. What must not: env's files and
 * lanes for RocksDB's own work; it does its I/O by itself, on threads of its own.
 *
 * Tuned for several nodes on one machine of few cores: two background jobs, 32 MiB of memtable.
 * Without a log of its own every write bypasses RocksDB's log, and there is one column family, so
 * that the flushed files are a prefix of the order of writes. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_impl.h"
#include "mem.h"

enum {
    WRITE_BUFFER_DEFAULT = 32 * 1024 * 1024,
    CACHE_DEFAULT = 64 * 1024 * 1024,
    WRITE_BUFFERS = 3,
    BACKGROUND_JOBS = 2,
    BLOOM_BITS_PER_KEY = 10, /* about 1 percent of false positives */
    BLOCK_BYTES = 16 * 1024,
    INFO_LOG_BYTES = 1024 * 1024,
    INFO_LOG_FILES = 2,
    INFO_LOG_LEVEL_WARN = 2,
    TIER_ALL = 0,
    TIER_BLOCK_CACHE = 1, /* only what is in memory, else Incomplete */
    TIER_PERSISTED = 2,   /* skips memtables that no log covers */
    TIER_COUNT = 3
};

#define LOOK_INTERVAL_NS (10 * NS_PER_MS)

struct engine_snapshot {
    const rocksdb_snapshot_t *handle;
};

struct engine_rocksdb {
    struct engine base;
    struct env *env;
    bool own_log;
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_writeoptions_t *write_options;
    rocksdb_flushoptions_t *flush_options;
    rocksdb_readoptions_t *newest[TIER_COUNT]; /* for point reads of the newest state */
    char *dir;
    uint64_t reserve_bytes;            /* of the disk: all memtables must find room */
    uint64_t look_ns, disk_free_bytes; /* when to look again, and what was seen */
    size_t flushes;                    /* under way */
    bool closed;                       /* freed when the last of them has ended */
};

struct rocksdb_iterator {
    struct engine_iterator base;
    rocksdb_iterator_t *handle;
    rocksdb_readoptions_t *options;
};

static struct engine_rocksdb *rocksdb_of(struct engine *base) {
    return CONTAINER_OF(base, struct engine_rocksdb, base);
}

static const char *text_of(struct slice slice) {
    return slice.len > 0 ? (const char *)slice.data : "";
}

/* ---- errors --------------------------------------------------------------------------------- */

static bool contains(const char *text, const char *part) { return strstr(text, part) != NULL; }

/* The C API reports errors as text; these are the words of rocksdb/util/status.cc. */
static enum status status_of(const char *message) {
    if (contains(message, "Corruption")) return STATUS_CORRUPT;
    if (contains(message, "No space left")) return STATUS_NO_SPACE;
    if (contains(message, "While lock file") || contains(message, "lock hold by"))
        return STATUS_IN_USE;
    if (contains(message, "Result incomplete")) return STATUS_WOULD_BLOCK;
    return STATUS_IO;
}

/* Takes and frees RocksDB's message; NULL is success. */
static enum status take_error(char *message, struct error *error) {
    if (message == NULL) return STATUS_OK;
    enum status status = status_of(message);
    if (status != STATUS_WOULD_BLOCK) error_set(error, status, "rocksdb: %s", message);
    rocksdb_free(message);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum status db_write(struct engine *base, const struct write_batch *batch,
                            struct error *error) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    rocksdb_writebatch_t *writes = rocksdb_writebatch_create();
    struct slice rest = write_batch_encoded(batch);
    struct write_op op;
    while (write_batch_next(&rest, &op)) {
        const char *key = text_of(op.key), *value = text_of(op.value);
        if (op.kind == WRITE_PUT)
            rocksdb_writebatch_put(writes, key, op.key.len, value, op.value.len);
        else if (op.kind == WRITE_DELETE)
            rocksdb_writebatch_delete(writes, key, op.key.len);
        else
            rocksdb_writebatch_delete_range(writes, key, op.key.len, value, op.value.len);
    }
    char *message = NULL;
    rocksdb_write(engine->db, engine->write_options, writes, &message);
    rocksdb_writebatch_destroy(writes);
    enum status status = take_error(message, error);
    /* no_slowdown: a write that would have to wait for flush or compaction is refused instead. */
    if (status == STATUS_WOULD_BLOCK)
        return error_set(error, STATUS_BUSY, "rocksdb is behind with flushing and compacting");
    return status;
}

/* RocksDB does not live through a flush for which the disk has no room. So the room is kept. */
static enum status db_writable(struct engine *base) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    uint64_t now_ns = env_now_ns(engine->env);
    if (now_ns >= engine->look_ns) {
        engine->disk_free_bytes = env_disk_free_bytes(engine->env, engine->dir);
        engine->look_ns = now_ns + LOOK_INTERVAL_NS;
    }
    return engine->disk_free_bytes < engine->reserve_bytes ? STATUS_NO_SPACE : STATUS_OK;
}

/* Any thread. */
static enum status flush_now(struct engine_rocksdb *engine, struct error *error) {
    char *message = NULL;
    rocksdb_flush(engine->db, engine->flush_options, &message);
    return take_error(message, error);
}

static enum status db_flush(struct engine *base, struct error *error) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    if (engine->flushes > 0) return error_set(error, STATUS_BUSY, "a flush is under way");
    return flush_now(engine, error);
}

static enum status db_sync(struct engine *base, struct error *error) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    if (!engine->own_log) return db_flush(base, error);
    char *message = NULL;
    rocksdb_flush_wal(engine->db, 1, &message);
    return take_error(message, error);
}

static void run_flush(void *arg) {
    struct engine_flush_op *op = arg;
    op->status = flush_now(rocksdb_of(op->engine), &op->error);
}

static void free_closed(struct engine_rocksdb *engine);

static void flush_done(void *arg) {
    struct engine_flush_op *op = arg;
    struct engine_rocksdb *engine = rocksdb_of(op->engine);
    engine->flushes--;
    if (!engine->closed)
        op->done(op->arg, op->status, &op->error);
    else if (engine->flushes == 0)
        free_closed(engine);
}

static void db_flush_start(struct engine *base, struct engine_flush_op *op) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    engine->flushes++;
    op->work = (struct env_work){.run = run_flush, .done = flush_done, .arg = op};
    env_work_submit(engine->env, LANE_BACKGROUND, &op->work);
}

/* ---- reading -------------------------------------------------------------------------------- */

static rocksdb_readoptions_t *read_options(const struct engine_snapshot *snapshot, int tier) {
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    if (snapshot != NULL) rocksdb_readoptions_set_snapshot(options, snapshot->handle);
    if (tier != TIER_ALL) rocksdb_readoptions_set_read_tier(options, tier);
    return options;
}

static enum status get_from(struct engine_rocksdb *engine, const struct engine_snapshot *snapshot,
                            int tier, struct slice key, struct buf *out, struct error *error) {
    char *message = NULL;
    rocksdb_readoptions_t *options =
        snapshot != NULL ? read_options(snapshot, tier) : engine->newest[tier];
    rocksdb_pinnableslice_t *pinned =
        rocksdb_get_pinned(engine->db, options, text_of(key), key.len, &message);
    if (snapshot != NULL) rocksdb_readoptions_destroy(options);
    if (message != NULL) return take_error(message, error);
    if (pinned == NULL) return STATUS_NOT_FOUND;
    size_t len;
    const char *value = rocksdb_pinnableslice_value(pinned, &len);
    buf_clear(out);
    buf_append(out, value, len);
    rocksdb_pinnableslice_destroy(pinned);
    return STATUS_OK;
}

static enum status db_get(struct engine *base, const struct engine_snapshot *snapshot,
                          struct slice key, unsigned flags, struct buf *out, struct error *error) {
    int tier = (flags & ENGINE_NO_WAIT) != 0 ? TIER_BLOCK_CACHE : TIER_ALL;
    return get_from(rocksdb_of(base), snapshot, tier, key, out, error);
}

static enum status db_persisted_get(struct engine *base, struct slice key, struct buf *out,
                                    struct error *error) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    if (engine->own_log)
        return error_set(error, STATUS_UNSUPPORTED, "an engine with its own log persists by it");
    return get_from(engine, NULL, TIER_PERSISTED, key, out, error);
}

static struct engine_snapshot *db_snapshot_new(struct engine *base) {
    struct engine_snapshot *snapshot = MEM_NEW(struct engine_snapshot);
    snapshot->handle = rocksdb_create_snapshot(rocksdb_of(base)->db);
    return snapshot;
}

static void db_snapshot_release(struct engine *base, struct engine_snapshot *snapshot) {
    rocksdb_release_snapshot(rocksdb_of(base)->db, snapshot->handle);
    mem_free(snapshot);
}

/* ---- iterators ------------------------------------------------------------------------------ */

static rocksdb_iterator_t *handle_of(const struct engine_iterator *base) {
    return ((const struct rocksdb_iterator *)(const void *)base)->handle;
}

static void it_seek_first(struct engine_iterator *base) {
    rocksdb_iter_seek_to_first(handle_of(base));
}

static void it_seek_last(struct engine_iterator *base) {
    rocksdb_iter_seek_to_last(handle_of(base));
}

static void it_seek(struct engine_iterator *base, struct slice key) {
    rocksdb_iter_seek(handle_of(base), text_of(key), key.len);
}

static void it_seek_for_prev(struct engine_iterator *base, struct slice key) {
    rocksdb_iter_seek_for_prev(handle_of(base), text_of(key), key.len);
}

static void it_next(struct engine_iterator *base) { rocksdb_iter_next(handle_of(base)); }

static void it_prev(struct engine_iterator *base) { rocksdb_iter_prev(handle_of(base)); }

static bool it_valid(const struct engine_iterator *base) {
    return rocksdb_iter_valid(handle_of(base)) != 0;
}

static struct slice it_key(const struct engine_iterator *base) {
    size_t len;
    const char *key = rocksdb_iter_key(handle_of(base), &len);
    return slice_of(key, len);
}

static struct slice it_value(const struct engine_iterator *base) {
    size_t len;
    const char *value = rocksdb_iter_value(handle_of(base), &len);
    return slice_of(value, len);
}

static enum status it_status(const struct engine_iterator *base, struct error *error) {
    char *message = NULL;
    rocksdb_iter_get_error(handle_of(base), &message);
    return take_error(message, error);
}

static void it_free(struct engine_iterator *base) {
    struct rocksdb_iterator *it = CONTAINER_OF(base, struct rocksdb_iterator, base);
    rocksdb_iter_destroy(it->handle);
    rocksdb_readoptions_destroy(it->options);
    engine_iterator_deinit(base);
    mem_free(it);
}

static const struct engine_iterator_ops iterator_ops = {
    .free = it_free,
    .seek_first = it_seek_first,
    .seek_last = it_seek_last,
    .seek = it_seek,
    .seek_for_prev = it_seek_for_prev,
    .next = it_next,
    .prev = it_prev,
    .valid = it_valid,
    .key = it_key,
    .value = it_value,
    .status = it_status,
};

static struct engine_iterator *db_iterator_new(struct engine *base,
                                               const struct engine_iterator_options *options) {
    struct rocksdb_iterator *it = MEM_NEW(struct rocksdb_iterator);
    engine_iterator_init(&it->base, &iterator_ops, options);
    bool no_wait = (options->flags & ENGINE_NO_WAIT) != 0;
    it->options = read_options(options->snapshot, no_wait ? TIER_BLOCK_CACHE : TIER_ALL);
    struct slice lower = buf_slice(&it->base.lower), upper = buf_slice(&it->base.upper);
    /* RocksDB keeps the pointers: the bounds live in the iterator. */
    if (lower.len > 0)
        rocksdb_readoptions_set_iterate_lower_bound(it->options, text_of(lower), lower.len);
    if (upper.len > 0)
        rocksdb_readoptions_set_iterate_upper_bound(it->options, text_of(upper), upper.len);
    it->handle = rocksdb_create_iterator(rocksdb_of(base)->db, it->options);
    return &it->base;
}

/* ---- upkeep --------------------------------------------------------------------------------- */

static enum status db_checkpoint(struct engine *base, const char *dir, struct error *error) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    char *message = NULL;
    if (env_file_exists(engine->env, dir))
        return error_set(error, STATUS_EXISTS, "%s exists already", dir);
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(engine->db, &message);
    TRY(take_error(message, error));
    /* 0: the memtable is flushed first, whatever its size. */
    rocksdb_checkpoint_create(checkpoint, dir, 0, &message);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return take_error(message, error);
}

static uint64_t db_size_estimate(struct engine *base, struct slice start, struct slice end) {
    /* No key is longer than WRITE_KEY_MAX; a prefix of FF bytes stands above those in use. */
    static const char beyond[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    const char *starts[] = {text_of(start)};
    const char *ends[] = {end.len > 0 ? text_of(end) : beyond};
    size_t start_lens[] = {start.len}, end_lens[] = {end.len > 0 ? end.len : sizeof(beyond) - 1};
    uint64_t size = 0;
    char *message = NULL;
    rocksdb_approximate_sizes(rocksdb_of(base)->db, 1, starts, start_lens, ends, end_lens, &size,
                              &message);
    return take_error(message, NULL) == STATUS_OK ? size : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

/* As text, because the C API has no call for prepopulate_block_cache: what a flush writes stays in
 * the cache, so that reads without waiting find it. */
static enum status set_table_options(struct engine_rocksdb *engine, size_t cache_bytes,
                                     struct error *error) {
    char text[256];
    char *message = NULL;
    snprintf(text, sizeof(text),
             "block_based_table_factory={block_cache=%zu;block_size=%d;"
             "filter_policy=bloomfilter:%d:false;prepopulate_block_cache=kFlushOnly}",
             cache_bytes, BLOCK_BYTES, BLOOM_BITS_PER_KEY);
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_get_options_from_string(engine->options, text, options, &message);
    rocksdb_options_destroy(engine->options);
    engine->options = options;
    return take_error(message, error);
}

/* How much is in memory, how it is merged, how much RocksDB says in its own log. */
static void set_db_options(struct engine_rocksdb *engine, size_t buffer_bytes) {
    rocksdb_options_t *o = engine->options = rocksdb_options_create();
    engine->reserve_bytes = (uint64_t)buffer_bytes * WRITE_BUFFERS;
    rocksdb_options_set_create_if_missing(o, 1);
    rocksdb_options_set_write_buffer_size(o, buffer_bytes);
    rocksdb_options_set_max_write_buffer_number(o, WRITE_BUFFERS);
    rocksdb_options_set_max_background_jobs(o, BACKGROUND_JOBS);
    rocksdb_options_set_compression(o, rocksdb_lz4_compression);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
    rocksdb_options_set_max_log_file_size(o, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(o, INFO_LOG_FILES);
    rocksdb_options_set_info_log_level(o, INFO_LOG_LEVEL_WARN);
    rocksdb_options_set_stats_dump_period_sec(o, 0);
}

/* What a write, a flush and a read of the newest state ask for. */
static void set_call_options(struct engine_rocksdb *engine) {
    engine->write_options = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(engine->write_options, !engine->own_log);
    rocksdb_writeoptions_set_no_slowdown(engine->write_options, 1);
    engine->flush_options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(engine->flush_options, 1);
    for (int tier = 0; tier < TIER_COUNT; tier++)
        engine->newest[tier] = read_options(NULL, tier);
}

static void free_closed(struct engine_rocksdb *engine) {
    if (engine->db != NULL) rocksdb_close(engine->db);
    for (int tier = 0; tier < TIER_COUNT; tier++)
        rocksdb_readoptions_destroy(engine->newest[tier]);
    rocksdb_flushoptions_destroy(engine->flush_options);
    rocksdb_writeoptions_destroy(engine->write_options);
    rocksdb_options_destroy(engine->options);
    mem_free(engine->dir);
    mem_free(engine);
}

static void db_close(struct engine *base) {
    struct engine_rocksdb *engine = rocksdb_of(base);
    engine->closed = true;
    if (engine->flushes == 0) free_closed(engine);
}

static enum status db_open(struct env *env, const struct engine_options *options,
                           struct engine **out, struct error *error) {
    TRY(env_dir_create(env, options->dir, error));
    struct engine_rocksdb *engine = MEM_NEW(struct engine_rocksdb);
    engine->base.ops = &engine_rocksdb_ops;
    engine->env = env;
    engine->own_log = options->own_log;
    engine->dir = mem_strdup(options->dir);
    size_t buffer = options->write_buffer_bytes;
    set_db_options(engine, buffer > 0 ? buffer : WRITE_BUFFER_DEFAULT);
    set_call_options(engine);
    size_t cache = options->cache_bytes > 0 ? options->cache_bytes : CACHE_DEFAULT;
    char *message = NULL;
    enum status status = set_table_options(engine, cache, error);
    if (status == STATUS_OK) engine->db = rocksdb_open(engine->options, options->dir, &message);
    if (message != NULL && contains(message, "ompression")) {
        /* A library built without LZ4 says so here. */
        rocksdb_free(message);
        message = NULL;
        rocksdb_options_set_compression(engine->options, rocksdb_no_compression);
        engine->db = rocksdb_open(engine->options, options->dir, &message);
    }
    if (status == STATUS_OK) status = take_error(message, error);
    if (status != STATUS_OK) {
        engine->db = NULL;
        free_closed(engine);
        return status;
    }
    *out = &engine->base;
    return STATUS_OK;
}

const struct engine_ops engine_rocksdb_ops = {
    .kind = "rocksdb",
    .open = db_open,
    .close = db_close,
    .write = db_write,
    .writable = db_writable,
    .sync = db_sync,
    .flush_start = db_flush_start,
    .flush = db_flush,
    .get = db_get,
    .persisted_get = db_persisted_get,
    .snapshot_new = db_snapshot_new,
    .snapshot_release = db_snapshot_release,
    .iterator_new = db_iterator_new,
    .checkpoint = db_checkpoint,
    .size_estimate = db_size_estimate,
};
