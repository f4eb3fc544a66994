/* env_uv_file.c - files by POSIX calls. They block: the loop makes those that stay in the page
 * cache, the lanes make those that wait for the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env_uv_impl.h"
#include "mem.h"

struct posix_file {
    struct file base;
    int descriptor;
    /* After a creation everything about the file has to reach the disk, later only its data and
     * size. Atomic, because a sync may come from any thread. */
    atomic_bool synced_once;
};

enum status error_from_errno(struct error *error, const char *verb, const char *path) {
    int number = errno;
    return error_set(error, status_from_errno(number), "cannot %s %s: %s", verb, path,
                     strerror(number));
}

int sync_descriptor(int descriptor) {
#ifdef __APPLE__
    /* fsync leaves the data in the drive's cache there. */
    if (fcntl(descriptor, F_FULLFSYNC) == 0) return 0;
#endif
    return fsync(descriptor);
}

static int descriptor_of(struct file *file) { return ((struct posix_file *)file)->descriptor; }

static void posix_close(struct file *base) {
    struct posix_file *file = (struct posix_file *)base;
    close(file->descriptor);
    mem_free(base->path);
    mem_free(file);
}

static enum status posix_write_at(struct file *file, uint64_t offset, struct slice data,
                                  struct error *error) {
    while (data.len > 0) {
        ssize_t written = pwrite(descriptor_of(file), data.data, data.len, (off_t)offset);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return error_from_errno(error, "write", file->path);
        offset += (uint64_t)written;
        data = slice_from(data, (size_t)written);
    }
    return STATUS_OK;
}

static enum status posix_read_at(struct file *file, uint64_t offset, void *out, size_t len,
                                 size_t *read, struct error *error) {
    uint8_t *at = out;
    *read = 0;
    while (*read < len) {
        ssize_t count =
            pread(descriptor_of(file), at + *read, len - *read, (off_t)(offset + *read));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return error_from_errno(error, "read", file->path);
        if (count == 0) break;
        *read += (size_t)count;
    }
    return STATUS_OK;
}

static enum status posix_size(struct file *file, uint64_t *out, struct error *error) {
    struct stat info;
    if (fstat(descriptor_of(file), &info) != 0) {
        return error_from_errno(error, "get the size of", file->path);
    }
    *out = (uint64_t)info.st_size;
    return STATUS_OK;
}

static enum status posix_truncate(struct file *file, uint64_t size, struct error *error) {
    int result;
    do {
        result = ftruncate(descriptor_of(file), (off_t)size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? STATUS_OK : error_from_errno(error, "truncate", file->path);
}

static int sync_data(int descriptor) {
#ifdef __linux__
    return fdatasync(descriptor);
#else
    return sync_descriptor(descriptor);
#endif
}

static enum status posix_sync(struct file *base, struct error *error) {
    struct posix_file *file = (struct posix_file *)base;
    int result = atomic_load(&file->synced_once) ? sync_data(file->descriptor)
                                                 : sync_descriptor(file->descriptor);
    /* Never repeated, not even after EINTR: a failed sync may have dropped the dirty pages, and the
     * next one would succeed without them (Rebello et al., "Can Applications Recover from fsync
     * Failures?", 2020). */
    if (result != 0) return error_from_errno(error, "sync", base->path);
    atomic_store(&file->synced_once, true);
    return STATUS_OK;
}

static const struct file_ops posix_file_ops = {
    .close = posix_close,
    .write_at = posix_write_at,
    .read_at = posix_read_at,
    .size = posix_size,
    .truncate = posix_truncate,
    .sync = posix_sync,
    .sync_start = file_sync_start_on_lane,
};

enum status machine_file_open(struct env *env, const char *path, enum file_mode mode,
                              struct file **out, struct error *error) {
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_READ_WRITE] = O_RDWR | O_CREAT,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
    };
    int descriptor;
    do {
        descriptor = open(path, flags[mode] | O_CLOEXEC, 0600);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        return error_from_errno(error, mode == FILE_CREATE ? "create" : "open", path);
    }
    struct posix_file *file = MEM_NEW(struct posix_file);
    file->base = (struct file){&posix_file_ops, env, mem_strdup(path)};
    file->descriptor = descriptor;
    atomic_init(&file->synced_once, false);
    *out = &file->base;
    return STATUS_OK;
}
