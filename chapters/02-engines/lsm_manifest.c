/* lsm_manifest.c - writing edits down and reading them back. What lives here: records, the torn
 * tail, CURRENT. What must not: what an edit does to a version. */
#include "lsm_manifest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "internal_key.h"
#include "mem.h"

#define MANIFEST_MAGIC UINT64_C(0x54534546494e414d) /* "MANIFEST" */
enum {
    FORMAT_VERSION = 1,
    HEADER_BYTES = 16,
    RECORD_HEADER_BYTES = 16,
    ALIGNMENT = 8,
    /* A record of more is damage: a table takes at most twice a key's limit and some. */
    MANIFEST_MAX_BYTES = 1 << 30
};

enum edit_field {
    FIELD_FLUSHED = 1,
    FIELD_LOG_POSITION = 2,
    FIELD_NEXT_NUMBER = 3,
    FIELD_ADDED = 4,
    FIELD_REMOVED = 5,
    FIELD_TOMBSTONE = 6
};

struct lsm_manifest {
    struct file *file;
    uint64_t number;
    uint64_t end;
    uint64_t synced;
    unsigned refs;
};

static char *path_of(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

char *lsm_manifest_path(const char *dir, uint64_t number) {
    char name[40];
    snprintf(name, sizeof(name), "MANIFEST-%06llu", (unsigned long long)number);
    return path_of(dir, name);
}

/* ---- edits as bytes ------------------------------------------------------------------------- */

static void put_number(struct buf *out, enum edit_field field, uint64_t number) {
    put_u8(out, (uint8_t)field);
    put_varint(out, number);
}

void lsm_edit_encode(const struct lsm_edit *edit, struct buf *out) {
    put_number(out, FIELD_FLUSHED, edit->flushed_sequence);
    put_number(out, FIELD_LOG_POSITION, edit->log_position);
    put_number(out, FIELD_NEXT_NUMBER, edit->next_number);
    for (size_t i = 0; i < edit->removed_count; i++)
        put_number(out, FIELD_REMOVED, edit->removed[i]);
    for (size_t i = 0; i < edit->added_count; i++) {
        const struct lsm_table_meta *meta = &edit->added[i].table->meta;
        put_number(out, FIELD_ADDED, edit->added[i].level);
        put_varint(out, meta->number);
        put_varint(out, meta->size_bytes);
        put_varint(out, meta->clean_sequence);
        put_bytes(out, buf_slice(&meta->smallest));
        put_bytes(out, buf_slice(&meta->largest));
    }
    for (size_t i = 0; i < edit->tombstone_count; i++) {
        put_number(out, FIELD_TOMBSTONE, edit->tombstones[i]->sequence);
        put_bytes(out, buf_slice(&edit->tombstones[i]->start));
        put_bytes(out, buf_slice(&edit->tombstones[i]->end));
    }
}

static bool decode_table(struct reader *reader, uint64_t level, struct lsm_edit *out) {
    struct lsm_table *table = lsm_table_new(get_varint(reader));
    table->meta.size_bytes = get_varint(reader);
    table->meta.clean_sequence = get_varint(reader);
    struct slice smallest = get_bytes(reader), largest = get_bytes(reader);
    if (!reader_ok(reader) || level >= LSM_LEVELS || smallest.len < INTERNAL_KEY_TRAILER_BYTES ||
        largest.len < INTERNAL_KEY_TRAILER_BYTES || internal_key_compare(smallest, largest) > 0) {
        lsm_table_free(table);
        return false;
    }
    buf_append_slice(&table->meta.smallest, smallest);
    buf_append_slice(&table->meta.largest, largest);
    lsm_edit_add(out, (unsigned)level, table);
    return true;
}

static bool decode_field(struct reader *reader, struct lsm_edit *out) {
    uint8_t field = get_u8(reader);
    uint64_t number = get_varint(reader);
    switch (field) {
    case FIELD_FLUSHED:
        out->flushed_sequence = number;
        break;
    case FIELD_LOG_POSITION:
        out->log_position = number;
        break;
    case FIELD_NEXT_NUMBER:
        out->next_number = number;
        break;
    case FIELD_REMOVED:
        lsm_edit_remove(out, number);
        break;
    case FIELD_ADDED:
        return decode_table(reader, number, out);
    case FIELD_TOMBSTONE: {
        struct slice start = get_bytes(reader), end = get_bytes(reader);
        if (reader_ok(reader)) lsm_edit_add_tombstone(out, start, end, number);
        break;
    }
    default:
        return false;
    }
    return reader_ok(reader);
}

bool lsm_edit_decode(struct slice payload, struct lsm_edit *out) {
    struct reader reader = reader_of(payload);
    lsm_edit_init(out);
    while (reader.len > 0) {
        if (decode_field(&reader, out)) continue;
        lsm_edit_deinit(out);
        return false;
    }
    return true;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void put_record(struct buf *out, uint64_t offset, const struct lsm_edit *edit) {
    size_t start = out->len;
    buf_append_zeros(out, RECORD_HEADER_BYTES);
    lsm_edit_encode(edit, out);
    size_t len = out->len - start - RECORD_HEADER_BYTES;
    store_u32le(out->data + start, (uint32_t)len);
    struct slice payload = slice_of(out->data + start + RECORD_HEADER_BYTES, len);
    store_u64le(out->data + start + 8, checksum64(payload, offset));
    buf_append_zeros(out, (ALIGNMENT - len % ALIGNMENT) % ALIGNMENT);
}

enum status lsm_manifest_append(struct lsm_manifest *manifest, const struct lsm_edit *edit,
                                struct error *error) {
    struct buf record = BUF_INIT;
    assert(manifest->synced == manifest->end);
    put_record(&record, manifest->end, edit);
    enum status status = file_write_at(manifest->file, manifest->end, buf_slice(&record), error);
    manifest->end += record.len;
    buf_deinit(&record);
    return status;
}

enum status lsm_manifest_sync(struct lsm_manifest *manifest, struct error *error) {
    return file_sync(manifest->file, error);
}

void lsm_manifest_synced(struct lsm_manifest *manifest) { manifest->synced = manifest->end; }

static enum status write_file(struct env *env, const char *path, struct slice bytes,
                              struct error *error) {
    struct file *file;
    TRY(env_file_open(env, path, FILE_READ_WRITE, &file, error));
    enum status status = file_truncate(file, 0, error);
    if (status == STATUS_OK) status = file_write_at(file, 0, bytes, error);
    if (status == STATUS_OK) status = file_sync(file, error);
    file_close(file);
    return status;
}

/* CURRENT, by way of a file of another name: at every moment there is one that is whole. */
static enum status point_current(struct env *env, const char *dir, uint64_t number,
                                 struct error *error) {
    char line[40];
    int len = snprintf(line, sizeof(line), "MANIFEST-%06llu\n", (unsigned long long)number);
    char *path = path_of(dir, "CURRENT"), *temporary = path_of(dir, "CURRENT.tmp");
    enum status status = write_file(env, temporary, slice_of(line, (size_t)len), error);
    if (status == STATUS_OK) status = env_file_rename(env, temporary, path, error);
    if (status == STATUS_OK) status = env_dir_sync(env, dir, error);
    mem_free(path);
    mem_free(temporary);
    return status;
}

static enum status write_first(struct lsm_manifest *manifest, const struct lsm_edit *whole,
                               struct error *error) {
    uint8_t header[HEADER_BYTES];
    store_u64le(header, MANIFEST_MAGIC);
    store_u64le(header + 8, FORMAT_VERSION);
    TRY(file_truncate(manifest->file, 0, error));
    TRY(file_write_at(manifest->file, 0, slice_of(header, sizeof(header)), error));
    manifest->end = manifest->synced = HEADER_BYTES;
    TRY(lsm_manifest_append(manifest, whole, error));
    TRY(lsm_manifest_sync(manifest, error));
    lsm_manifest_synced(manifest);
    return STATUS_OK;
}

enum status lsm_manifest_create(struct env *env, const char *dir, uint64_t number,
                                const struct lsm_edit *whole, struct lsm_manifest **out,
                                struct error *error) {
    struct lsm_manifest *manifest = MEM_NEW(struct lsm_manifest);
    manifest->number = number;
    manifest->refs = 1;
    char *path = lsm_manifest_path(dir, number);
    enum status status = env_file_open(env, path, FILE_READ_WRITE, &manifest->file, error);
    mem_free(path);
    if (status == STATUS_OK) status = write_first(manifest, whole, error);
    if (status == STATUS_OK) status = env_dir_sync(env, dir, error);
    if (status == STATUS_OK) status = point_current(env, dir, number, error);
    if (status != STATUS_OK) {
        lsm_manifest_unref(manifest);
        return status;
    }
    *out = manifest;
    return STATUS_OK;
}

uint64_t lsm_manifest_number(const struct lsm_manifest *manifest) { return manifest->number; }

void lsm_manifest_ref(struct lsm_manifest *manifest) { manifest->refs++; }

void lsm_manifest_unref(struct lsm_manifest *manifest) {
    if (manifest == NULL || --manifest->refs > 0) return;
    if (manifest->file != NULL) file_close(manifest->file);
    mem_free(manifest);
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum status read_whole(struct env *env, const char *path, struct buf *out,
                              struct error *error) {
    struct file *file;
    uint64_t size = 0;
    size_t read = 0;
    TRY(env_file_open(env, path, FILE_READ, &file, error));
    enum status status = file_size(file, &size, error);
    if (status == STATUS_OK && size > MANIFEST_MAX_BYTES)
        status = error_set(error, STATUS_CORRUPT, "%s: larger than it can be", path);
    if (status == STATUS_OK)
        status = file_read_at(file, 0, buf_extend(out, (size_t)size), (size_t)size, &read, error);
    if (status == STATUS_OK) out->len = read;
    file_close(file);
    return status;
}

static enum status read_current(struct env *env, const char *dir, char **manifest_path,
                                struct error *error) {
    static const char prefix[] = "MANIFEST-";
    struct buf line = BUF_INIT;
    char *path = path_of(dir, "CURRENT");
    enum status status = read_whole(env, path, &line, error);
    if (status == STATUS_OK) {
        bool good = line.len > sizeof(prefix) && line.len < 40 &&
                    memcmp(line.data, prefix, sizeof(prefix) - 1) == 0 &&
                    line.data[line.len - 1] == '\n';
        if (good) {
            line.data[line.len - 1] = '\0';
            *manifest_path = path_of(dir, (const char *)line.data);
        } else {
            status = error_set(error, STATUS_CORRUPT, "%s: names no manifest", path);
        }
    }
    buf_deinit(&line);
    mem_free(path);
    return status;
}

/* Is there a good record at this offset? */
static bool record_at(struct slice file, size_t offset, struct slice *payload) {
    if (offset > file.len || file.len - offset < RECORD_HEADER_BYTES) return false;
    const uint8_t *at = file.data + offset;
    size_t len = load_u32le(at);
    if (len == 0 || load_u32le(at + 4) != 0 || len > file.len - offset - RECORD_HEADER_BYTES)
        return false;
    *payload = slice_of(at + RECORD_HEADER_BYTES, len);
    return checksum64(*payload, offset) == load_u64le(at + 8);
}

/* Invariant 1: what stands behind a torn record is never good. */
static bool good_record_behind(struct slice file, size_t offset) {
    struct slice payload;
    for (size_t at = offset + ALIGNMENT; at < file.len; at += ALIGNMENT)
        if (record_at(file, at, &payload)) return true;
    return false;
}

static enum status replay(struct slice file, const char *path,
                          enum status (*apply)(void *arg, struct lsm_edit *edit,
                                               struct error *error),
                          void *arg, size_t *end, struct error *error) {
    size_t offset = HEADER_BYTES;
    struct slice payload;
    while (record_at(file, offset, &payload)) {
        struct lsm_edit edit;
        if (!lsm_edit_decode(payload, &edit))
            return error_set(error, STATUS_CORRUPT, "%s: malformed at offset %zu", path, offset);
        enum status status = apply(arg, &edit, error);
        lsm_edit_deinit(&edit);
        if (status != STATUS_OK) return status;
        offset += RECORD_HEADER_BYTES + (payload.len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    *end = offset < file.len ? offset : file.len;
    /* The first record was synced before CURRENT named the file. */
    if (offset == HEADER_BYTES || good_record_behind(file, offset))
        return error_set(error, STATUS_CORRUPT, "%s: damaged at offset %zu", path, offset);
    return STATUS_OK;
}

enum status lsm_manifest_read(struct env *env, const char *dir,
                              enum status (*apply)(void *arg, struct lsm_edit *edit,
                                                   struct error *error),
                              void *arg, struct error *error) {
    char *path = NULL;
    struct buf file = BUF_INIT;
    size_t end = 0;
    TRY(read_current(env, dir, &path, error));
    enum status status = read_whole(env, path, &file, error);
    if (status == STATUS_NOT_FOUND)
        status = error_set(error, STATUS_CORRUPT, "%s: CURRENT names it, but it is missing", path);
    if (status == STATUS_OK &&
        (file.len < HEADER_BYTES || load_u64le(file.data) != MANIFEST_MAGIC ||
         load_u64le(file.data + 8) != FORMAT_VERSION))
        status = error_set(error, STATUS_CORRUPT, "%s: damaged at offset 0", path);
    if (status == STATUS_OK) status = replay(buf_slice(&file), path, apply, arg, &end, error);
    if (status == STATUS_OK && end < file.len)
        log_warn(env_log(env), "lsm", "cut a torn edit file=%s offset=%zu", path, end);
    buf_deinit(&file);
    mem_free(path);
    return status;
}
