/* snapshot_file.c - writing and reading a map as one file. What lives here: the format and the
 * order of write, sync, rename, directory sync. What must not: what the map means, or when to write
 * one. */
#include "snapshot_file.h"

#include <stdio.h>

#include "codec.h"
#include "mem.h"

static const char MAGIC[8] = {'C', 'A', 'I', 'R', 'N', 'M', 'A', 'P'};
enum {
    FORMAT_VERSION = 1,
    HEADER_BYTES = 32,
    BLOCK_HEADER_BYTES = 16,
    BLOCK_TARGET_BYTES = 64 * 1024,
    /* One entry may be larger than the target; more than this is damage. */
    BLOCK_MAX_BYTES = 256 * 1024 * 1024,
    BLOCK_ENTRIES = 1,
    BLOCK_END = 2
};

struct snapshot_writer {
    struct env *env;
    char *path;
    char *temporary;
    struct file *file;
    uint64_t offset;
    uint64_t entries;
    struct buf block; /* header, then entries */
    void (*done)(void *arg, enum status status, const struct error *error);
    void *arg;
    bool cancelled;
    enum status status;
    struct error error;
    struct env_work work;
};

static char *printed(const char *format, const char *path) {
    size_t size = strlen(path) + 8;
    char *text = mem_alloc(size);
    snprintf(text, size, format, path);
    return text;
}

static void writer_free(struct snapshot_writer *writer) {
    if (writer->file != NULL) file_close(writer->file);
    buf_deinit(&writer->block);
    mem_free(writer->path);
    mem_free(writer->temporary);
    mem_free(writer);
}

void snapshot_writer_abandon(struct snapshot_writer *writer) {
    struct error ignored;
    if (writer->file != NULL) file_close(writer->file);
    writer->file = NULL;
    if (env_file_remove(writer->env, writer->temporary, &ignored) != STATUS_OK)
        log_debug(env_log(writer->env), "snapshot", "could not remove file=%s", writer->temporary);
    writer_free(writer);
}

static void block_begin(struct snapshot_writer *writer) {
    buf_clear(&writer->block);
    buf_append_zeros(&writer->block, BLOCK_HEADER_BYTES);
}

static enum status block_write(struct snapshot_writer *writer, uint32_t kind, struct error *error) {
    uint8_t *at = writer->block.data;
    size_t body_bytes = writer->block.len - BLOCK_HEADER_BYTES;
    store_u32le(at, kind);
    store_u32le(at + 4, (uint32_t)body_bytes);
    store_u64le(at + 8,
                checksum64(slice_of(at + BLOCK_HEADER_BYTES, body_bytes), writer->offset ^ kind));
    TRY(file_write_at(writer->file, writer->offset, buf_slice(&writer->block), error));
    writer->offset += writer->block.len;
    block_begin(writer);
    return STATUS_OK;
}

enum status snapshot_writer_open(struct env *env, const char *path, uint64_t mark,
                                 struct snapshot_writer **out, struct error *error) {
    struct snapshot_writer *writer = MEM_NEW(struct snapshot_writer);
    writer->env = env;
    writer->path = printed("%s", path);
    writer->temporary = printed("%s.tmp", path);
    uint8_t header[HEADER_BYTES];
    memcpy(header, MAGIC, sizeof(MAGIC));
    store_u64le(header + 8, FORMAT_VERSION);
    store_u64le(header + 16, mark);
    store_u64le(header + 24, checksum64(slice_of(header, 24), 0));
    enum status status =
        env_file_open(env, writer->temporary, FILE_READ_WRITE, &writer->file, error);
    if (status == STATUS_OK) status = file_truncate(writer->file, 0, error);
    if (status == STATUS_OK)
        status = file_write_at(writer->file, 0, slice_of(header, sizeof(header)), error);
    if (status != STATUS_OK) {
        snapshot_writer_abandon(writer);
        return status;
    }
    writer->offset = HEADER_BYTES;
    block_begin(writer);
    *out = writer;
    return STATUS_OK;
}

enum status snapshot_writer_add(struct snapshot_writer *writer, struct slice key,
                                struct slice value, struct error *error) {
    put_bytes(&writer->block, key);
    put_bytes(&writer->block, value);
    writer->entries++;
    if (writer->block.len < BLOCK_TARGET_BYTES) return STATUS_OK;
    return block_write(writer, BLOCK_ENTRIES, error);
}

static enum status write_end(struct snapshot_writer *writer, struct error *error) {
    if (writer->block.len > BLOCK_HEADER_BYTES) TRY(block_write(writer, BLOCK_ENTRIES, error));
    put_u64le(&writer->block, writer->entries);
    return block_write(writer, BLOCK_END, error);
}

/* Any thread for sync and directory sync; the rename is the loop's. */
static enum status give_name(struct snapshot_writer *writer, struct error *error) {
    file_close(writer->file);
    writer->file = NULL;
    return env_file_rename(writer->env, writer->temporary, writer->path, error);
}

static enum status sync_dir_of(struct env *env, const char *path, struct error *error) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) return env_dir_sync(env, ".", error);
    char *dir = mem_strdup(path);
    dir[slash == path ? 1 : slash - path] = '\0';
    enum status status = env_dir_sync(env, dir, error);
    mem_free(dir);
    return status;
}

enum status snapshot_writer_commit(struct snapshot_writer *writer, struct error *error) {
    enum status status = write_end(writer, error);
    if (status == STATUS_OK) status = file_sync(writer->file, error);
    if (status != STATUS_OK) {
        snapshot_writer_abandon(writer);
        return status;
    }
    status = give_name(writer, error);
    if (status == STATUS_OK) status = sync_dir_of(writer->env, writer->path, error);
    writer_free(writer);
    return status;
}

/* ---- commit in the background --------------------------------------------------------------- */

/* A cancelled writer leaves its temporary file to whoever writes the next under the same name. */
static void report(struct snapshot_writer *writer) {
    bool incomplete = writer->status != STATUS_OK && writer->file != NULL;
    if (!writer->cancelled) writer->done(writer->arg, writer->status, &writer->error);
    if (incomplete && !writer->cancelled)
        snapshot_writer_abandon(writer);
    else
        writer_free(writer);
}

void snapshot_writer_cancel(struct snapshot_writer *writer) { writer->cancelled = true; }

static void run_dir_sync(void *arg) {
    struct snapshot_writer *writer = arg;
    writer->status = sync_dir_of(writer->env, writer->path, &writer->error);
}

static void dir_synced(void *arg) { report(arg); }

static void run_sync(void *arg) {
    struct snapshot_writer *writer = arg;
    if (writer->status == STATUS_OK) writer->status = file_sync(writer->file, &writer->error);
}

static void file_synced(void *arg) {
    struct snapshot_writer *writer = arg;
    if (writer->status == STATUS_OK && !writer->cancelled)
        writer->status = give_name(writer, &writer->error);
    if (writer->status != STATUS_OK || writer->cancelled) {
        report(writer);
        return;
    }
    writer->work = (struct env_work){.run = run_dir_sync, .done = dir_synced, .arg = writer};
    env_work_submit(writer->env, LANE_BACKGROUND, &writer->work);
}

void snapshot_writer_commit_start(struct snapshot_writer *writer,
                                  void (*done)(void *arg, enum status status,
                                               const struct error *error),
                                  void *arg) {
    writer->done = done;
    writer->arg = arg;
    writer->status = write_end(writer, &writer->error);
    writer->work = (struct env_work){.run = run_sync, .done = file_synced, .arg = writer};
    env_work_submit(writer->env, LANE_BACKGROUND, &writer->work);
}

/* ---- reading -------------------------------------------------------------------------------- */

struct snapshot_reader {
    struct file *file;
    uint64_t offset;
    uint64_t entries;
    bool ended;
    struct buf block;
    enum status (*entry)(void *arg, struct slice key, struct slice value, struct error *error);
    void *arg;
};

static enum status damaged(const struct snapshot_reader *reader, struct error *error) {
    return error_set(error, STATUS_CORRUPT, "%s: damaged at offset %llu", file_path(reader->file),
                     (unsigned long long)reader->offset);
}

/* Exactly `len` bytes, or damage. */
static enum status read_exactly(struct snapshot_reader *reader, uint64_t offset, void *out,
                                size_t len, struct error *error) {
    size_t read = 0;
    TRY(file_read_at(reader->file, offset, out, len, &read, error));
    return read == len ? STATUS_OK : damaged(reader, error);
}

static enum status read_header(struct snapshot_reader *reader, uint64_t *mark,
                               struct error *error) {
    uint8_t header[HEADER_BYTES];
    TRY(read_exactly(reader, 0, header, sizeof(header), error));
    if (memcmp(header, MAGIC, sizeof(MAGIC)) != 0 || load_u64le(header + 8) != FORMAT_VERSION ||
        load_u64le(header + 24) != checksum64(slice_of(header, 24), 0))
        return damaged(reader, error);
    if (mark != NULL) *mark = load_u64le(header + 16);
    reader->offset = HEADER_BYTES;
    return STATUS_OK;
}

static enum status deliver_entries(struct snapshot_reader *reader, struct error *error) {
    struct reader bytes = reader_of(buf_slice(&reader->block));
    while (bytes.len > 0) {
        struct slice key = get_bytes(&bytes);
        struct slice value = get_bytes(&bytes);
        if (!reader_ok(&bytes)) return damaged(reader, error);
        TRY(reader->entry(reader->arg, key, value, error));
        reader->entries++;
    }
    return STATUS_OK;
}

static enum status read_block(struct snapshot_reader *reader, uint64_t size, struct error *error) {
    uint8_t header[BLOCK_HEADER_BYTES];
    TRY(read_exactly(reader, reader->offset, header, sizeof(header), error));
    uint32_t kind = load_u32le(header);
    uint32_t body_bytes = load_u32le(header + 4);
    uint64_t left = size - reader->offset - BLOCK_HEADER_BYTES;
    if (body_bytes > left || body_bytes > BLOCK_MAX_BYTES) return damaged(reader, error);
    buf_clear(&reader->block);
    uint8_t *body = buf_extend(&reader->block, body_bytes);
    TRY(read_exactly(reader, reader->offset + BLOCK_HEADER_BYTES, body, body_bytes, error));
    uint64_t checksum = checksum64(slice_of(body, body_bytes), reader->offset ^ kind);
    if (checksum != load_u64le(header + 8)) return damaged(reader, error);
    if (kind == BLOCK_ENTRIES) {
        TRY(deliver_entries(reader, error));
    } else if (kind == BLOCK_END) {
        if (body_bytes != 8 || load_u64le(body) != reader->entries || body_bytes != left)
            return damaged(reader, error);
        reader->ended = true;
    } else {
        return damaged(reader, error);
    }
    reader->offset += BLOCK_HEADER_BYTES + body_bytes;
    return STATUS_OK;
}

static enum status read_all(struct snapshot_reader *reader, uint64_t *mark, struct error *error) {
    uint64_t size = 0;
    TRY(file_size(reader->file, &size, error));
    TRY(read_header(reader, mark, error));
    while (!reader->ended)
        TRY(read_block(reader, size, error));
    return STATUS_OK;
}

enum status snapshot_file_read(struct env *env, const char *path,
                               enum status (*entry)(void *arg, struct slice key, struct slice value,
                                                    struct error *error),
                               void *arg, uint64_t *mark, struct error *error) {
    struct snapshot_reader reader = {.entry = entry, .arg = arg};
    TRY(env_file_open(env, path, FILE_READ, &reader.file, error));
    enum status status = read_all(&reader, mark, error);
    file_close(reader.file);
    buf_deinit(&reader.block);
    return status;
}
