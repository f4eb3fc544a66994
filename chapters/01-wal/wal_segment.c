/* wal_segment.c - the files of the log. What lives here: creating, opening, preparing and removing
 * segments. What must not: batches, and any decision about which segment is needed. */
#include "wal_segment.h"

#include <assert.h>
#include <stdio.h>

#include "mem.h"

enum { ZERO_CHUNK_BYTES = 1024 * 1024 };
static const char TEMPORARY[] = "wal-next.tmp";         /* prepared in the background */
static const char TEMPORARY_NOW[] = "wal-next-now.tmp"; /* made while the owner waits */

bool wal_segment_is_name(const char *name) {
    if (strlen(name) != 24 || strncmp(name, "wal-", 4) != 0 || strcmp(name + 20, ".seg") != 0)
        return false;
    return strspn(name + 4, "0123456789abcdef") == 16;
}

bool wal_segment_is_temporary(const char *name) {
    return strcmp(name, TEMPORARY) == 0 || strcmp(name, TEMPORARY_NOW) == 0;
}

static char *join(const char *dir, const char *name) {
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static char *segment_path(const char *dir, uint64_t base) {
    char name[32];
    snprintf(name, sizeof(name), "wal-%016llx.seg", (unsigned long long)base);
    return join(dir, name);
}

void wal_segment_close(struct wal_segment *segment) {
    if (segment == NULL) return;
    if (segment->file != NULL) file_close(segment->file);
    mem_free(segment->path);
    mem_free(segment);
}

enum status wal_segment_remove(struct env *env, struct wal_segment *segment, struct error *error) {
    file_close(segment->file);
    segment->file = NULL;
    enum status status = env_file_remove(env, segment->path, error);
    wal_segment_close(segment);
    return status;
}

/* Opens an empty temporary file and writes the header. segment->path is the temporary's. */
static enum status begin(struct env *env, const char *dir, const char *temporary, uint64_t base,
                         uint64_t capacity, struct wal_segment **out, struct error *error) {
    struct wal_segment *segment = MEM_NEW(struct wal_segment);
    segment->path = join(dir, temporary);
    segment->header = (struct wal_segment_header){.base = base, .capacity = capacity};
    env_random_bytes(env, &segment->header.salt, sizeof(segment->header.salt));
    if (segment->header.salt == 0)
        segment->header.salt = 1; /* zero is what unwritten space reads as */
    uint8_t header[WAL_SEGMENT_HEADER_BYTES];
    wal_segment_header_encode(header, &segment->header);
    enum status status = env_file_open(env, segment->path, FILE_READ_WRITE, &segment->file, error);
    if (status == STATUS_OK) status = file_truncate(segment->file, 0, error);
    if (status == STATUS_OK)
        status = file_write_at(segment->file, 0, slice_of(header, sizeof(header)), error);
    *out = segment;
    return status;
}

/* Extends the file with zeros by one chunk; *zeroed is how far it got. */
static enum status zero_chunk(struct wal_segment *segment, uint64_t *zeroed, struct error *error) {
    if (*zeroed < WAL_SEGMENT_HEADER_BYTES) *zeroed = WAL_SEGMENT_HEADER_BYTES;
    uint64_t left = segment->header.capacity - *zeroed;
    size_t len = left < ZERO_CHUNK_BYTES ? (size_t)left : ZERO_CHUNK_BYTES;
    uint8_t *zeros = mem_zalloc(len);
    enum status status = file_write_at(segment->file, *zeroed, slice_of(zeros, len), error);
    mem_free(zeros);
    *zeroed += len;
    return status;
}

/* The file is complete and synced: it gets its name. The directory is not synced yet. */
static enum status finish(struct env *env, const char *dir, struct wal_segment *segment,
                          struct error *error) {
    char *path = segment_path(dir, segment->header.base);
    file_close(segment->file);
    segment->file = NULL;
    enum status status = env_file_rename(env, segment->path, path, error);
    mem_free(segment->path);
    segment->path = path;
    if (status != STATUS_OK) return status;
    return env_file_open(env, path, FILE_READ_WRITE, &segment->file, error);
}

/* Gives back the space that a segment that could not be completed takes. */
static void abandon(struct env *env, struct wal_segment *segment) {
    struct error ignored;
    if (segment->file != NULL) file_close(segment->file);
    segment->file = NULL;
    if (env_file_remove(env, segment->path, &ignored) != STATUS_OK)
        log_debug(env_log(env), "wal", "could not remove an incomplete segment file=%s",
                  segment->path);
    wal_segment_close(segment);
}

enum status wal_segment_create(struct env *env, const char *dir, uint64_t base, uint64_t capacity,
                               struct wal_segment **out, struct error *error) {
    struct wal_segment *segment;
    uint64_t zeroed = 0;
    enum status status = begin(env, dir, TEMPORARY_NOW, base, capacity, &segment, error);
    while (status == STATUS_OK && zeroed < capacity)
        status = zero_chunk(segment, &zeroed, error);
    if (status == STATUS_OK) status = file_sync(segment->file, error);
    if (status == STATUS_OK) status = finish(env, dir, segment, error);
    if (status == STATUS_OK) status = env_dir_sync(env, dir, error);
    if (status != STATUS_OK) {
        abandon(env, segment);
        return status;
    }
    *out = segment;
    return STATUS_OK;
}

enum status wal_segment_open(struct env *env, const char *dir, const char *name,
                             struct wal_segment **out, struct error *error) {
    struct wal_segment *segment = MEM_NEW(struct wal_segment);
    segment->path = join(dir, name);
    uint8_t header[WAL_SEGMENT_HEADER_BYTES];
    size_t read = 0;
    uint64_t size = 0;
    enum status status = env_file_open(env, segment->path, FILE_READ_WRITE, &segment->file, error);
    if (status == STATUS_OK) status = file_size(segment->file, &size, error);
    if (status == STATUS_OK)
        status = file_read_at(segment->file, 0, header, sizeof(header), &read, error);
    if (status == STATUS_OK) {
        char *expected = NULL;
        bool good = read == sizeof(header) && wal_segment_header_decode(header, &segment->header);
        if (good) expected = segment_path(dir, segment->header.base);
        if (!good || strcmp(expected, segment->path) != 0)
            status = error_set(error, STATUS_CORRUPT,
                               "%s: the segment's header is damaged at offset 0", segment->path);
        else if (size != segment->header.capacity)
            status =
                error_set(error, STATUS_CORRUPT, "%s: the segment is %llu bytes long, not %llu",
                          segment->path, (unsigned long long)size,
                          (unsigned long long)segment->header.capacity);
        mem_free(expected);
    }
    if (status != STATUS_OK) {
        wal_segment_close(segment);
        return status;
    }
    *out = segment;
    return STATUS_OK;
}

/* ---- preparation ---------------------------------------------------------------------------- */

static void prepare_next_chunk(struct wal_preparation *preparation);

static void preparation_end(struct wal_preparation *preparation, enum status status) {
    preparation->running = false;
    if (status != STATUS_OK && preparation->segment != NULL) {
        if (preparation->detached)
            wal_segment_close(preparation->segment);
        else
            abandon(preparation->env, preparation->segment);
        preparation->segment = NULL;
    }
    preparation->done(preparation->arg, status, &preparation->error);
}

static void run_sync(void *arg) {
    struct wal_preparation *preparation = arg;
    if (preparation->status == STATUS_OK)
        preparation->status = file_sync(preparation->segment->file, &preparation->error);
}

static void run_dir_sync(void *arg) {
    struct wal_preparation *preparation = arg;
    preparation->status = env_dir_sync(preparation->env, preparation->dir, &preparation->error);
}

static void dir_synced(void *arg) {
    struct wal_preparation *preparation = arg;
    preparation_end(preparation, preparation->status);
}

static void chunk_synced(void *arg) {
    struct wal_preparation *preparation = arg;
    if (preparation->status == STATUS_OK && (preparation->cancelled || preparation->detached))
        preparation->status =
            error_set(&preparation->error, STATUS_CANCELLED, "the segment is not needed");
    if (preparation->status != STATUS_OK) {
        preparation_end(preparation, preparation->status);
        return;
    }
    if (preparation->zeroed < preparation->segment->header.capacity) {
        prepare_next_chunk(preparation);
        return;
    }
    enum status status =
        finish(preparation->env, preparation->dir, preparation->segment, &preparation->error);
    if (status != STATUS_OK) {
        preparation_end(preparation, status);
        return;
    }
    preparation->named = true;
    preparation->work =
        (struct env_work){.run = run_dir_sync, .done = dir_synced, .arg = preparation};
    env_work_submit(preparation->env, LANE_BACKGROUND, &preparation->work);
}

static void prepare_next_chunk(struct wal_preparation *preparation) {
    preparation->status =
        zero_chunk(preparation->segment, &preparation->zeroed, &preparation->error);
    preparation->work =
        (struct env_work){.run = run_sync, .done = chunk_synced, .arg = preparation};
    env_work_submit(preparation->env, LANE_BACKGROUND, &preparation->work);
}

void wal_preparation_start(struct wal_preparation *preparation, uint64_t base, uint64_t capacity) {
    assert(!preparation->running && preparation->segment == NULL);
    preparation->running = true;
    preparation->named = false;
    preparation->cancelled = false;
    preparation->zeroed = 0;
    preparation->status = begin(preparation->env, preparation->dir, TEMPORARY, base, capacity,
                                &preparation->segment, &preparation->error);
    if (preparation->status == STATUS_OK) {
        prepare_next_chunk(preparation);
        return;
    }
    /* The failure, too, is reported in a later step. */
    preparation->work =
        (struct env_work){.run = run_sync, .done = chunk_synced, .arg = preparation};
    env_work_submit(preparation->env, LANE_BACKGROUND, &preparation->work);
}

enum status wal_preparation_take(struct wal_preparation *preparation, struct wal_segment **out,
                                 struct error *error) {
    *out = NULL;
    if (preparation->running && !preparation->named) {
        preparation->cancelled = true;
        return STATUS_OK;
    }
    if (preparation->running) TRY(env_dir_sync(preparation->env, preparation->dir, error));
    *out = preparation->segment;
    preparation->segment = NULL;
    return STATUS_OK;
}
