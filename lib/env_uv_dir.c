/* env_uv_dir.c - names and directories: rename, remove, create, list, sync, lock. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "env_uv_impl.h"
#include "mem.h"

struct posix_dir_lock {
    struct dir_lock base;
    int descriptor;
};

enum status machine_file_rename(struct env *env, const char *from, const char *to,
                                struct error *error) {
    (void)env;
    return rename(from, to) == 0 ? STATUS_OK : error_from_errno(error, "rename", from);
}

enum status machine_file_remove(struct env *env, const char *path, struct error *error) {
    (void)env;
    return unlink(path) == 0 ? STATUS_OK : error_from_errno(error, "remove", path);
}

bool machine_file_exists(struct env *env, const char *path) {
    (void)env;
    return access(path, F_OK) == 0;
}

/* True if `path` is a directory now, made by us or there before. */
static bool make_directory(const char *path) {
    struct stat info;
    if (mkdir(path, 0700) == 0) return true;
    if (errno != EEXIST) return false;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return true;
    errno = ENOTDIR;
    return false;
}

enum status machine_dir_create(struct env *env, const char *path, struct error *error) {
    (void)env;
    char *prefix = mem_strdup(path);
    bool made = true;
    for (size_t i = 1; made && prefix[i - 1] != '\0'; i++) {
        if (prefix[i] != '/' && prefix[i] != '\0') continue;
        char end = prefix[i];
        prefix[i] = '\0';
        made = make_directory(prefix);
        prefix[i] = end;
    }
    enum status status = STATUS_OK;
    if (!made) status = error_from_errno(error, "create directory", path);
    mem_free(prefix);
    return status;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **list;
    size_t count;
    size_t capacity;
};

static void names_add(struct names *names, const char *name) {
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : 16;
        names->list = mem_realloc(names->list, names->capacity * sizeof(char *));
    }
    names->list[names->count++] = mem_strdup(name);
}

static void names_free(struct names *names) {
    for (size_t i = 0; i < names->count; i++) {
        mem_free(names->list[i]);
    }
    mem_free(names->list);
}

static enum status read_names(const char *path, struct names *out, struct error *error) {
    DIR *dir = opendir(path);
    if (dir == NULL) return error_from_errno(error, "list", path);
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (entry == NULL) break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            names_add(out, entry->d_name);
        }
    }
    enum status status = errno == 0 ? STATUS_OK : error_from_errno(error, "list", path);
    closedir(dir);
    if (out->count > 0) qsort(out->list, out->count, sizeof(char *), compare_names);
    return status;
}

enum status machine_dir_list(struct env *env, const char *path,
                             void (*visit)(void *arg, const char *name), void *arg,
                             struct error *error) {
    (void)env;
    struct names names = {0};
    enum status status = read_names(path, &names, error);
    for (size_t i = 0; status == STATUS_OK && i < names.count; i++) {
        visit(arg, names.list[i]);
    }
    names_free(&names);
    return status;
}

uint64_t machine_disk_free_bytes(struct env *env, const char *path) {
    struct statvfs info;
    (void)env;
    return statvfs(path, &info) == 0 ? (uint64_t)info.f_bavail * info.f_frsize : UINT64_MAX;
}

enum status machine_dir_sync(struct env *env, const char *path, struct error *error) {
    (void)env;
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return error_from_errno(error, "open directory", path);
    enum status status = STATUS_OK;
    if (sync_descriptor(descriptor) != 0) {
        status = error_from_errno(error, "sync directory", path);
    }
    close(descriptor);
    return status;
}

/* ---- lock ----------------------------------------------------------------------------------- */

static enum status lock_error(int descriptor, const char *dir, const char *path,
                              struct error *error) {
    if (errno != EWOULDBLOCK) return error_from_errno(error, "lock", path);
    char holder[24] = "";
    ssize_t len = pread(descriptor, holder, sizeof(holder) - 1, 0);
    long pid = len > 0 ? strtol(holder, NULL, 10) : 0;
    if (pid > 0) {
        return error_set(error, STATUS_IN_USE, "directory %s is in use by process %ld", dir, pid);
    }
    return error_set(error, STATUS_IN_USE, "directory %s is in use by another process", dir);
}

/* The file stays when the lock goes: removing it would let two processes lock two files of the same
 * name. The system drops the lock of a process that dies. */
enum status machine_dir_lock(struct env *env, const char *dir, struct dir_lock **out,
                             struct error *error) {
    struct buf name = BUF_INIT;
    buf_printf(&name, "%s/LOCK", dir);
    buf_append_byte(&name, 0);
    const char *path = (const char *)name.data;
    enum status status = STATUS_OK;
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        status = error_from_errno(error, "open", path);
    } else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        status = lock_error(descriptor, dir, path, error);
        close(descriptor);
    } else {
        char pid[24];
        int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
        /* For people only: a full disk is no reason not to start. */
        if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, pid, (size_t)len, 0) < 0) {
            log_warn(env->log, "env", "cannot note the process id path=%s", path);
        }
        struct posix_dir_lock *lock = MEM_NEW(struct posix_dir_lock);
        lock->base.env = env;
        lock->descriptor = descriptor;
        *out = &lock->base;
    }
    buf_deinit(&name);
    return status;
}

void machine_dir_unlock(struct dir_lock *base) {
    struct posix_dir_lock *lock = (struct posix_dir_lock *)base;
    close(lock->descriptor);
    mem_free(lock);
}
