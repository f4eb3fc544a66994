/* kvstore.c - memtable, log and snapshot put together. What lives here: the order in which they are
 * written and read back. What must not: the formats, which each of the three keeps to itself. */
#include "kvstore.h"

#include <assert.h>
#include <stdio.h>

#include "mem.h"
#include "memtable.h"
#include "snapshot_file.h"
#include "wal.h"
#include "wal_record.pb-c.h"

#define MEMORY_LIMIT_DEFAULT ((size_t)1024 * 1024 * 1024)
#define SNAPSHOT_LOG_DEFAULT ((uint64_t)64 * 1024 * 1024)
enum { RECORD_KV_WRITE = 1, NODE_OVERHEAD_BYTES = 256 };

struct kvstore {
    struct env *env;
    struct dir_lock *lock;
    char *log_dir;
    char *snapshot_path;
    size_t memory_limit_bytes;
    uint64_t snapshot_log_bytes;
    uint64_t snapshot_position; /* the log is replayed from here */
    uint64_t log_bytes;         /* of the records above it */
    struct memtable *table;
    struct wal *wal;
    struct buf record;
    struct kvstore_commit_op *first; /* in the order of their positions */
    struct kvstore_commit_op *last;
    struct env_task nothing_to_sync;
};

static char *path_in(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* value NULL: a deletion. */
static enum status log_write_of(struct kvstore *store, struct slice key, const struct slice *value,
                                struct error *error) {
    KvWrite write = KV_WRITE__INIT;
    /* protobuf-c takes pointers to non-const and only reads them. */
    write.key = (ProtobufCBinaryData){key.len, (uint8_t *)(uintptr_t)key.data};
    write.deleted = value == NULL;
    if (value != NULL)
        write.value = (ProtobufCBinaryData){value->len, (uint8_t *)(uintptr_t)value->data};
    buf_clear(&store->record);
    kv_write__pack(&write, buf_extend(&store->record, kv_write__get_packed_size(&write)));
    TRY(wal_append(store->wal, RECORD_KV_WRITE, buf_slice(&store->record), NULL, error));
    store->log_bytes += store->record.len;
    return STATUS_OK;
}

static void apply(struct kvstore *store, struct slice key, const struct slice *value) {
    if (value == NULL) {
        memtable_remove(store->table, key);
        return;
    }
    enum status status = memtable_put(store->table, key, *value);
    assert(status == STATUS_OK); /* the table has no limit of its own */
    (void)status;
}

enum status kvstore_put(struct kvstore *store, struct slice key, struct slice value,
                        struct error *error) {
    if (key.len > KVSTORE_KEY_MAX || value.len > KVSTORE_VALUE_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "a key of %zu bytes (limit %d), a value of %zu (%d)", key.len,
                         KVSTORE_KEY_MAX, value.len, KVSTORE_VALUE_MAX);
    size_t after = memtable_bytes(store->table) + key.len + value.len + NODE_OVERHEAD_BYTES;
    if (after > store->memory_limit_bytes)
        return error_set(error, STATUS_BUSY, "the store is at its limit of %zu bytes",
                         store->memory_limit_bytes);
    TRY(log_write_of(store, key, &value, error));
    apply(store, key, &value);
    return STATUS_OK;
}

enum status kvstore_delete(struct kvstore *store, struct slice key, struct error *error) {
    struct slice value;
    if (!memtable_get(store->table, key, &value))
        return error_set(error, STATUS_NOT_FOUND, "no such key");
    TRY(log_write_of(store, key, NULL, error));
    apply(store, key, NULL);
    return STATUS_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

enum status kvstore_get(const struct kvstore *store, struct slice key, struct slice *value) {
    return memtable_get(store->table, key, value) ? STATUS_OK : STATUS_NOT_FOUND;
}

void kvstore_scan(const struct kvstore *store, struct slice start, struct slice end,
                  bool (*visit)(void *arg, struct slice key, struct slice value), void *arg) {
    struct memtable_iterator it = memtable_iterator_of(store->table);
    for (memtable_seek(&it, start); memtable_valid(&it); memtable_next(&it)) {
        struct slice key = memtable_key(&it);
        if (end.len > 0 && slice_compare(key, end) >= 0) return;
        if (!visit(arg, key, memtable_value(&it))) return;
    }
}

size_t kvstore_count(const struct kvstore *store) { return memtable_count(store->table); }

uint64_t kvstore_log_bytes(const struct kvstore *store) { return store->log_bytes; }

/* ---- durability ----------------------------------------------------------------------------- */

enum status kvstore_commit(struct kvstore *store, struct error *error) {
    TRY(wal_sync_blocking(store->wal, error));
    return store->log_bytes < store->snapshot_log_bytes ? STATUS_OK
                                                        : kvstore_snapshot(store, error);
}

static void finish_commits(void *arg, uint64_t synced) {
    struct kvstore *store = arg;
    while (store->first != NULL && store->first->position <= synced) {
        struct kvstore_commit_op *op = store->first;
        store->first = op->next;
        if (store->first == NULL) store->last = NULL;
        op->done(op->arg);
    }
}

void kvstore_commit_start(struct kvstore *store, struct kvstore_commit_op *op) {
    op->position = wal_end(store->wal);
    op->next = NULL;
    if (store->last != NULL)
        store->last->next = op;
    else
        store->first = op;
    store->last = op;
    if (op->position <= wal_synced(store->wal)) env_post(store->env, &store->nothing_to_sync);
}

static void finish_synced(void *arg) {
    struct kvstore *store = arg;
    finish_commits(store, wal_synced(store->wal));
}

static enum status write_snapshot(struct kvstore *store, uint64_t position, struct error *error) {
    struct snapshot_writer *writer;
    TRY(snapshot_writer_open(store->env, store->snapshot_path, position, &writer, error));
    struct memtable_iterator it = memtable_iterator_of(store->table);
    for (memtable_seek_first(&it); memtable_valid(&it); memtable_next(&it)) {
        enum status status =
            snapshot_writer_add(writer, memtable_key(&it), memtable_value(&it), error);
        if (status == STATUS_OK) continue;
        snapshot_writer_abandon(writer);
        return status;
    }
    return snapshot_writer_commit(writer, error);
}

/* The log is synced first: the position that the snapshot names must not be given out a second
 * time. The new segment lets the log be cut at once. */
enum status kvstore_snapshot(struct kvstore *store, struct error *error) {
    TRY(wal_sync_blocking(store->wal, error));
    uint64_t position = wal_end(store->wal);
    TRY(write_snapshot(store, position, error));
    store->snapshot_position = position;
    store->log_bytes = 0;
    TRY(wal_roll(store->wal, error));
    TRY(wal_sync_blocking(store->wal, error));
    wal_truncate_before(store->wal, wal_end(store->wal)); /* in the new segment: the old one goes */
    return STATUS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum status load_entry(void *arg, struct slice key, struct slice value,
                              struct error *error) {
    (void)error;
    apply(arg, key, &value);
    return STATUS_OK;
}

static enum status replay_record(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                 struct error *error) {
    struct kvstore *store = arg;
    if (position < store->snapshot_position) return STATUS_OK;
    KvWrite *write =
        type == RECORD_KV_WRITE ? kv_write__unpack(NULL, payload.len, payload.data) : NULL;
    if (write == NULL)
        return error_set(error, STATUS_CORRUPT, "%s: the record at position %llu is malformed",
                         store->log_dir, (unsigned long long)position);
    struct slice value = slice_of(write->value.data, write->value.len);
    apply(store, slice_of(write->key.data, write->key.len), write->deleted ? NULL : &value);
    kv_write__free_unpacked(write, NULL);
    store->log_bytes += payload.len;
    return STATUS_OK;
}

static enum status load(struct kvstore *store, const struct kvstore_options *options,
                        struct error *error) {
    TRY(env_dir_create(store->env, options->dir, error));
    TRY(env_dir_lock(store->env, options->dir, &store->lock, error));
    enum status status = snapshot_file_read(store->env, store->snapshot_path, load_entry, store,
                                            &store->snapshot_position, error);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    struct wal_options wal_options = {.segment_bytes = options->segment_bytes,
                                      .on_loop = options->on_loop};
    return wal_open(store->env, store->log_dir, &wal_options, replay_record, store, &store->wal,
                    error);
}

static void free_store(struct kvstore *store) {
    env_unpost(store->env, &store->nothing_to_sync);
    wal_close(store->wal);
    memtable_free(store->table);
    buf_deinit(&store->record);
    if (store->lock != NULL) dir_unlock(store->lock);
    mem_free(store->log_dir);
    mem_free(store->snapshot_path);
    mem_free(store);
}

enum status kvstore_open(struct env *env, const struct kvstore_options *options,
                         struct kvstore **out, struct error *error) {
    struct kvstore *store = MEM_NEW(struct kvstore);
    struct prng prng;
    env_random(env, "kvstore", &prng);
    store->env = env;
    store->log_dir = path_in(options->dir, "log");
    store->snapshot_path = path_in(options->dir, "snapshot.map");
    store->memory_limit_bytes =
        options->memory_limit_bytes > 0 ? options->memory_limit_bytes : MEMORY_LIMIT_DEFAULT;
    store->snapshot_log_bytes =
        options->snapshot_log_bytes > 0 ? options->snapshot_log_bytes : SNAPSHOT_LOG_DEFAULT;
    store->table = memtable_new(&(struct memtable_options){.seed = prng_u64(&prng)});
    enum status status = load(store, options, error);
    if (status != STATUS_OK) {
        free_store(store);
        return status;
    }
    wal_on_synced(store->wal, finish_commits, store);
    store->nothing_to_sync = (struct env_task){.callback = finish_synced, .arg = store};
    *out = store;
    return STATUS_OK;
}

void kvstore_close(struct kvstore *store) {
    if (store == NULL) return;
    struct error error;
    if (wal_writable(store->wal) == STATUS_OK && wal_mark(store->wal, &error) != STATUS_OK)
        log_warn(env_log(store->env), "kvstore", "the log is not marked: %s", error.message);
    free_store(store);
}
