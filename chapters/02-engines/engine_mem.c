/* engine_mem.c - the in-memory engine: versions of keys in a skip list. What lives here: writing,
 * dropping versions, snapshots, point reads, open and close. What must not: iterators and files,
 * which have their own. */
#include "engine_mem.h"

#include <assert.h>

#include "codec.h"
#include "mem.h"

#define MEMORY_LIMIT_DEFAULT ((size_t)1024 * 1024 * 1024)
enum { COLLECT_KEYS = 64, WAL_RECORD_BATCH = 1 };

static struct engine_mem *mem_of(struct engine *base) {
    return CONTAINER_OF(base, struct engine_mem, base);
}

/* ---- versions ------------------------------------------------------------------------------- */

/* Is there a reader s with low <= s < high: a snapshot, the flushed state, a flush under way? */
static bool is_needed(const struct engine_mem *engine, uint64_t low, uint64_t high) {
    if (engine->flushed_any && engine->flushed >= low && engine->flushed < high) return true;
    /* Of a flush under way: from its end on persisted_get reads there. */
    uint64_t flushing = engine->flush.sequence;
    if (engine->flush.running && flushing >= low && flushing < high) return true;
    for (const struct engine_snapshot *snapshot = engine->newest; snapshot != NULL;
         snapshot = snapshot->previous) {
        if (snapshot->sequence < low) return false;
        if (snapshot->sequence < high) return true;
    }
    return false;
}

static bool stands_on(const struct memtable_iterator *it, struct slice key) {
    return memtable_valid(it) && slice_equal(internal_key_user(memtable_key(it)), key);
}

static void remove_version(struct engine_mem *engine, struct slice internal) {
    bool removed = memtable_remove(engine->table, internal);
    assert(removed);
    (void)removed;
}

/* Drops the versions of the key that nobody can see; a deletion mark without anything below it
 * goes, too. Returns how many versions older than the newest remain. The mark goes
 * last, so that a reader on another thread never meets a version whose mark is gone. */
static size_t drop_versions(struct engine_mem *engine, struct slice key) {
    struct memtable_iterator it = memtable_iterator_of(engine->table);
    memtable_seek(&it, internal_key_make(&engine->scratch, key, UINT64_MAX, WRITE_PUT));
    if (!stands_on(&it, key)) return 0;
    struct slice newest = memtable_key(&it);
    uint64_t newer = internal_key_sequence(newest);
    size_t kept = 0;
    for (memtable_next(&it); stands_on(&it, key); memtable_next(&it)) {
        struct slice version = memtable_key(&it);
        uint64_t sequence = internal_key_sequence(version);
        /* The node stays in memory until the reclaim: `it` goes on from it. */
        if (is_needed(engine, sequence, newer))
            kept++;
        else
            remove_version(engine, version);
        newer = sequence;
    }
    if (kept == 0 && internal_key_kind(newest) == WRITE_DELETE) remove_version(engine, newest);
    return kept;
}

static void write_version(struct engine_mem *engine, struct slice key, uint64_t sequence,
                          enum write_kind kind, struct slice value) {
    struct slice internal = internal_key_make(&engine->scratch, key, sequence, kind);
    enum status status = memtable_put(engine->table, internal, value);
    assert(status == STATUS_OK); /* the table itself has no limit */
    (void)status;
    if (drop_versions(engine, key) > 0) put_bytes(&engine->revisit, key);
}

static void delete_range(struct engine_mem *engine, struct slice start, struct slice end,
                         uint64_t sequence) {
    struct buf key = BUF_INIT;
    struct memtable_iterator it = memtable_iterator_of(engine->table);
    memtable_seek(&it, internal_key_make(&engine->scratch, start, UINT64_MAX, WRITE_PUT));
    while (memtable_valid(&it) && slice_compare(internal_key_user(memtable_key(&it)), end) < 0) {
        struct slice newest = memtable_key(&it);
        buf_clear(&key);
        buf_append_slice(&key, internal_key_user(newest));
        if (internal_key_kind(newest) == WRITE_PUT)
            write_version(engine, buf_slice(&key), sequence, WRITE_DELETE, SLICE_EMPTY);
        memtable_seek(&it, internal_key_make(&engine->scratch, buf_slice(&key), 0, WRITE_PUT));
    }
    buf_deinit(&key);
}

void mem_collect_later(struct engine_mem *engine) { engine->revisit_goal = engine->revisit.len; }

/* Looks at up to `limit` overwritten keys. Those with versions still needed go to the end of the
 * list. */
static void collect(struct engine_mem *engine, size_t limit) {
    for (size_t i = 0; i < limit && engine->revisit_start < engine->revisit_goal; i++) {
        struct slice rest = slice_from(buf_slice(&engine->revisit), engine->revisit_start);
        struct reader reader = reader_of(rest);
        struct slice key = get_bytes(&reader);
        engine->revisit_start += rest.len - reader.len;
        if (drop_versions(engine, key) == 0) continue;
        struct buf again = BUF_INIT; /* `key` lies in the buffer that grows */
        put_bytes(&again, key);
        buf_append_slice(&engine->revisit, buf_slice(&again));
        buf_deinit(&again);
    }
    if (engine->revisit_start > engine->revisit.len / 2) {
        buf_consume(&engine->revisit, engine->revisit_start);
        engine->revisit_goal -= engine->revisit_start;
        engine->revisit_start = 0;
    }
    memtable_reclaim(engine->table, engine->oldest != NULL ? engine->oldest->mark : UINT64_MAX);
}

void mem_apply(struct engine_mem *engine, struct slice encoded) {
    uint64_t sequence = engine->sequence + 1;
    struct write_op op;
    while (write_batch_next(&encoded, &op)) {
        if (op.kind == WRITE_DELETE_RANGE)
            delete_range(engine, op.key, op.value, sequence);
        else
            write_version(engine, op.key, sequence, op.kind, op.value);
    }
    engine->sequence = sequence;
    collect(engine, COLLECT_KEYS);
}

static enum status mem_write(struct engine *base, const struct write_batch *batch,
                             struct error *error) {
    struct engine_mem *engine = mem_of(base);
    struct slice encoded = write_batch_encoded(batch);
    if (engine->busy_percent > 0 && prng_below(&engine->prng, 100) < engine->busy_percent)
        return error_set(error, STATUS_BUSY, "the in-memory engine plays busy");
    if (memtable_bytes(engine->table) + encoded.len > engine->memory_limit_bytes)
        return error_set(error, STATUS_BUSY, "the in-memory engine is at its limit of %zu bytes",
                         engine->memory_limit_bytes);
    if (engine->wal != NULL) TRY(wal_append(engine->wal, WAL_RECORD_BATCH, encoded, NULL, error));
    mem_apply(engine, encoded);
    return STATUS_OK;
}

static enum status mem_sync(struct engine *base, struct error *error) {
    struct engine_mem *engine = mem_of(base);
    return engine->wal != NULL ? wal_sync_blocking(engine->wal, error) : mem_flush(base, error);
}

/* ---- snapshots and point reads -------------------------------------------------------------- */

struct engine_snapshot *mem_snapshot_new(struct engine *base) {
    struct engine_mem *engine = mem_of(base);
    struct engine_snapshot *snapshot = MEM_NEW(struct engine_snapshot);
    snapshot->sequence = engine->sequence;
    snapshot->mark = memtable_mark(engine->table);
    snapshot->previous = engine->newest;
    if (engine->newest != NULL)
        engine->newest->next = snapshot;
    else
        engine->oldest = snapshot;
    engine->newest = snapshot;
    return snapshot;
}

void mem_snapshot_release(struct engine *base, struct engine_snapshot *snapshot) {
    struct engine_mem *engine = mem_of(base);
    mem_collect_later(engine);
    if (snapshot->previous != NULL)
        snapshot->previous->next = snapshot->next;
    else
        engine->oldest = snapshot->next;
    if (snapshot->next != NULL)
        snapshot->next->previous = snapshot->previous;
    else
        engine->newest = snapshot->previous;
    mem_free(snapshot);
    collect(engine, COLLECT_KEYS);
}

static bool says_would_block(struct engine_mem *engine, unsigned flags) {
    return (flags & ENGINE_NO_WAIT) != 0 && engine->would_block_percent > 0 &&
           prng_below(&engine->prng, 100) < engine->would_block_percent;
}

static enum status get_at(const struct engine_mem *engine, struct slice key, uint64_t sequence,
                          struct buf *out) {
    struct slice value;
    /* `out` serves as scratch first: this may run on any thread. */
    if (!mem_get_at(engine, key, sequence, out, &value)) return STATUS_NOT_FOUND;
    buf_clear(out);
    buf_append_slice(out, value);
    return STATUS_OK;
}

static enum status mem_get(struct engine *base, const struct engine_snapshot *snapshot,
                           struct slice key, unsigned flags, struct buf *out, struct error *error) {
    struct engine_mem *engine = mem_of(base);
    (void)error;
    if (says_would_block(engine, flags)) return STATUS_WOULD_BLOCK;
    return get_at(engine, key, snapshot != NULL ? snapshot->sequence : engine->sequence, out);
}

static enum status mem_persisted_get(struct engine *base, struct slice key, struct buf *out,
                                     struct error *error) {
    struct engine_mem *engine = mem_of(base);
    if (engine->wal != NULL)
        return error_set(error, STATUS_UNSUPPORTED, "an engine with its own log persists by it");
    return engine->flushed_any ? get_at(engine, key, engine->flushed, out) : STATUS_NOT_FOUND;
}

static uint64_t mem_size_estimate(struct engine *base, struct slice start, struct slice end) {
    struct engine_mem *engine = mem_of(base);
    size_t count = memtable_count(engine->table);
    if (count == 0) return 0;
    struct buf from = BUF_INIT, to = BUF_INIT;
    internal_key_make(&from, start, UINT64_MAX, WRITE_PUT);
    if (end.len > 0) internal_key_make(&to, end, UINT64_MAX, WRITE_PUT);
    size_t inside = memtable_estimate_count(engine->table, buf_slice(&from), buf_slice(&to));
    buf_deinit(&from);
    buf_deinit(&to);
    return (uint64_t)(inside * (memtable_bytes(engine->table) / count));
}

/* ---- life ----------------------------------------------------------------------------------- */

static void mem_close(struct engine *base) {
    struct engine_mem *engine = mem_of(base);
    mem_flush_give_up(engine);
    assert(engine->oldest == NULL);
    wal_close(engine->wal);
    memtable_free(engine->table);
    buf_deinit(&engine->scratch);
    buf_deinit(&engine->revisit);
    if (engine->lock != NULL) dir_unlock(engine->lock);
    mem_free(engine->path);
    mem_free(engine);
}

static enum status mem_open(struct env *env, const struct engine_options *options,
                            struct engine **out, struct error *error) {
    struct engine_mem *engine = MEM_NEW(struct engine_mem);
    engine->base.ops = &engine_mem_ops;
    engine->env = env;
    engine->path = mem_flushed_path(options->dir);
    engine->would_block_percent = options->would_block_percent;
    engine->busy_percent = options->busy_percent;
    engine->memory_limit_bytes =
        options->memory_limit_bytes > 0 ? options->memory_limit_bytes : MEMORY_LIMIT_DEFAULT;
    env_random(env, "engine_mem", &engine->prng);
    engine->table = memtable_new(&(struct memtable_options){
        .compare = internal_key_compare,
        .seed = prng_u64(&engine->prng),
        .flags = MEMTABLE_CONCURRENT,
    });
    enum status status = env_dir_create(env, options->dir, error);
    if (status == STATUS_OK) status = env_dir_lock(env, options->dir, &engine->lock, error);
    if (status == STATUS_OK) status = mem_recover(engine, options, error);
    if (status != STATUS_OK) {
        mem_close(&engine->base);
        return status;
    }
    *out = &engine->base;
    return STATUS_OK;
}

const struct engine_ops engine_mem_ops = {
    .kind = "mem",
    .open = mem_open,
    .close = mem_close,
    .write = mem_write,
    .sync = mem_sync,
    .flush_start = mem_flush_start,
    .flush = mem_flush,
    .get = mem_get,
    .persisted_get = mem_persisted_get,
    .snapshot_new = mem_snapshot_new,
    .snapshot_release = mem_snapshot_release,
    .iterator_new = mem_iterator_new,
    .checkpoint = mem_checkpoint,
    .size_estimate = mem_size_estimate,
};
