/* lsm_recover.c - from files to a running engine. What lives here: reading the manifest, opening
 * its tables, beginning the next manifest, removing orphans, replaying the own log. What must not:
 * anything that runs later. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine_lsm.h"
#include "mem.h"

static char *path_in(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

/* ---- the manifest --------------------------------------------------------------------------- */

struct recovery {
    struct lsm_version *version;
    uint64_t next_number;
};

static enum status apply_edit(void *arg, struct lsm_edit *edit, struct error *error) {
    struct recovery *recovery = arg;
    uint64_t next_number = edit->next_number;
    struct lsm_version *version = lsm_version_apply(recovery->version, edit, error);
    if (version == NULL) return STATUS_CORRUPT;
    lsm_version_unref(recovery->version, NULL, NULL);
    recovery->version = version;
    if (next_number > recovery->next_number) recovery->next_number = next_number;
    return STATUS_OK;
}

static enum status open_table(struct env *env, const char *dir, struct lsm_table *table,
                              struct error *error) {
    struct file *file;
    uint64_t size = 0;
    char *path = lsm_table_path(dir, table->meta.number);
    enum status status = env_file_open(env, path, FILE_READ, &file, error);
    if (status == STATUS_NOT_FOUND)
        status =
            error_set(error, STATUS_CORRUPT, "%s: the manifest names it, but it is missing", path);
    else if (status == STATUS_OK) {
        status = file_size(file, &size, error);
        if (status == STATUS_OK && size != table->meta.size_bytes)
            status =
                error_set(error, STATUS_CORRUPT, "%s: %llu bytes, the manifest says %llu", path,
                          (unsigned long long)size, (unsigned long long)table->meta.size_bytes);
        if (status == STATUS_OK)
            status = sstable_open(file, table->meta.number, &table->reader, error);
        if (status != STATUS_OK) file_close(file);
    }
    mem_free(path);
    return status;
}

static enum status open_tables(struct engine_lsm *engine, const struct lsm_version *version,
                               struct error *error) {
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            TRY(open_table(engine->env, engine->dir, version->tables[level][i], error));
    return STATUS_OK;
}

/* ---- orphans -------------------------------------------------------------------------------- */

struct orphans {
    struct engine_lsm *engine;
    struct buf names; /* each ends with a NUL */
};

static bool is_table_of(const struct lsm_version *version, uint64_t number) {
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            if (version->tables[level][i]->meta.number == number) return true;
    return false;
}

/* What a crash left behind: tables and manifests that the current manifest does not know. */
static void judge(void *arg, const char *name) {
    struct orphans *orphans = arg;
    struct engine_lsm *engine = orphans->engine;
    size_t len = strlen(name);
    bool orphan = false;
    if (len > 4 && strcmp(name + len - 4, ".sst") == 0)
        orphan = !is_table_of(engine->view->version, strtoull(name, NULL, 10));
    else if (strncmp(name, "MANIFEST-", 9) == 0)
        orphan = strtoull(name + 9, NULL, 10) != lsm_manifest_number(engine->manifest);
    else
        orphan = strcmp(name, "CURRENT.tmp") == 0;
    if (orphan) buf_append(&orphans->names, name, len + 1);
}

static enum status remove_orphans(struct engine_lsm *engine, struct error *error) {
    struct orphans orphans = {.engine = engine};
    enum status status = env_dir_list(engine->env, engine->dir, judge, &orphans, error);
    for (size_t at = 0; status == STATUS_OK && at < orphans.names.len;) {
        const char *name = (const char *)orphans.names.data + at;
        char *path = path_in(engine->dir, name);
        status = env_file_remove(engine->env, path, error);
        mem_free(path);
        at += strlen(name) + 1;
    }
    buf_deinit(&orphans.names);
    return status;
}

/* ---- the own log ---------------------------------------------------------------------------- */

static enum status replay_batch(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                struct error *error) {
    struct engine_lsm *engine = arg;
    (void)type;
    if (position < engine->view->version->log_position) return STATUS_OK;
    if (write_batch_validate(payload, NULL, error) != STATUS_OK)
        return error_set(error, STATUS_CORRUPT,
                         "%s: the log holds a malformed batch at position %llu", engine->dir,
                         (unsigned long long)position);
    lsm_apply(engine, payload);
    return STATUS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* An edit that makes the version out of nothing. Only for writing: it is taken apart again by
 * forget_whole, for it borrows. */
static void describe_whole(const struct lsm_version *version, uint64_t next_number,
                           uint64_t log_position, struct lsm_edit *out) {
    lsm_edit_init(out);
    out->flushed_sequence = version->flushed_sequence;
    out->log_position = log_position;
    out->next_number = next_number;
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            lsm_edit_add(out, level, version->tables[level][i]);
    for (size_t i = 0; i < version->tombstone_count; i++)
        lsm_edit_add_tombstone(out, buf_slice(&version->tombstones[i]->start),
                               buf_slice(&version->tombstones[i]->end),
                               version->tombstones[i]->sequence);
}

static void forget_whole(struct lsm_edit *edit) {
    edit->added_count = 0;
    lsm_edit_deinit(edit);
}

enum status lsm_write_manifest(struct engine_lsm *engine, const char *dir, uint64_t log_position,
                               struct lsm_manifest **out, struct error *error) {
    struct lsm_edit whole;
    uint64_t number = engine->next_number++;
    describe_whole(engine->view->version, engine->next_number, log_position, &whole);
    enum status status = lsm_manifest_create(engine->env, dir, number, &whole, out, error);
    forget_whole(&whole);
    return status;
}

/* Each opening begins a manifest: a torn tail of the old one is never appended to. */
static enum status begin_manifest(struct engine_lsm *engine, struct error *error) {
    uint64_t log_position = engine->view->version->log_position;
    return lsm_write_manifest(engine, engine->dir, log_position, &engine->manifest, error);
}

static void begin_view(struct engine_lsm *engine, struct lsm_version *version) {
    struct lsm_memtable *active = lsm_memtable_new(prng_u64(&engine->prng));
    lsm_set_view(engine, lsm_view_new(version, &active, 1));
    engine->sequence = version->flushed_sequence;
}

enum status lsm_recover(struct engine_lsm *engine, const struct engine_options *options,
                        struct error *error) {
    struct recovery recovery = {.version = lsm_version_new(), .next_number = 1};
    enum status status = lsm_manifest_read(engine->env, engine->dir, apply_edit, &recovery, error);
    if (status == STATUS_NOT_FOUND) status = STATUS_OK;
    if (status == STATUS_OK) status = open_tables(engine, recovery.version, error);
    begin_view(engine, recovery.version);
    lsm_version_unref(recovery.version, NULL, NULL);
    engine->next_number = recovery.next_number;
    if (status == STATUS_OK) status = begin_manifest(engine, error);
    if (status == STATUS_OK) status = remove_orphans(engine, error);
    if (status == STATUS_OK)
        status = engine_open_log(engine->env, options, replay_batch, engine, &engine->wal, error);
    return status;
}
