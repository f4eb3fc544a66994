/* lsm_checkpoint.c - a copy of the store in another directory: its tables, and a manifest that
 * names them. What must not live here: recovery (lsm_recover.c), which is what opens the copy. */
#include "engine_lsm.h"
#include "mem.h"

enum { COPY_BYTES = 256 * 1024 };

static enum status copy_bytes(struct file *from, struct file *to, struct error *error) {
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    enum status status = STATUS_OK;
    size_t read = COPY_BYTES;
    for (uint64_t offset = 0; status == STATUS_OK && read == COPY_BYTES; offset += read) {
        status = file_read_at(from, offset, bytes, COPY_BYTES, &read, error);
        if (status == STATUS_OK) status = file_write_at(to, offset, slice_of(bytes, read), error);
    }
    mem_free(bytes);
    return status == STATUS_OK ? file_sync(to, error) : status;
}

static enum status copy_table(struct engine_lsm *engine, const char *dir, uint64_t number,
                              struct error *error) {
    struct file *from = NULL, *to = NULL;
    char *from_path = lsm_table_path(engine->dir, number), *to_path = lsm_table_path(dir, number);
    enum status status = env_file_open(engine->env, from_path, FILE_READ, &from, error);
    if (status == STATUS_OK) status = env_file_open(engine->env, to_path, FILE_CREATE, &to, error);
    if (status == STATUS_OK) status = copy_bytes(from, to, error);
    if (from != NULL) file_close(from);
    if (to != NULL) file_close(to);
    mem_free(from_path);
    mem_free(to_path);
    return status;
}

static enum status copy_tables(struct engine_lsm *engine, const char *dir, struct error *error) {
    const struct lsm_version *version = engine->view->version;
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            TRY(copy_table(engine, dir, version->tables[level][i]->meta.number, error));
    return STATUS_OK;
}

enum status lsm_checkpoint(struct engine *base, const char *dir, struct error *error) {
    struct engine_lsm *engine = lsm_of(base);
    struct lsm_manifest *manifest = NULL;
    if (env_file_exists(engine->env, dir))
        return error_set(error, STATUS_EXISTS, "%s exists already", dir);
    TRY(lsm_flush_now(engine, error));
    TRY(env_dir_create(engine->env, dir, error));
    TRY(copy_tables(engine, dir, error));
    enum status status = lsm_write_manifest(engine, dir, 0, &manifest, error);
    lsm_manifest_unref(manifest);
    return status;
}
