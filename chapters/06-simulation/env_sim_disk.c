/* env_sim_disk.c - files in memory: what the page cache of a machine shows.
 *
 * What of it is durable is not known here: env_fault stands above and takes back at a crash what
 * was not synced. Pages of zeros take no memory, since logs fill their segments ahead. */
#include <stdio.h>
#include <string.h>

#include "env_sim_impl.h"
#include "mem.h"

enum { PAGE_BYTES = 4096 };

struct inode {
    uint64_t size;
    uint8_t **pages; /* NULL: zeros */
    size_t page_count;
    unsigned references; /* its name, open files */
    bool is_directory;
};

struct name {
    char *path;
    struct inode *inode;
};

struct sim_disk {
    struct name *names; /* by path */
    size_t count, capacity;
    struct sim_lock *locks;
};

struct sim_file {
    struct file base;
    struct inode *inode;
    bool writable;
};

struct sim_lock {
    struct dir_lock base;
    char *path;
    struct sim_lock *next;
    struct sim_disk *disk; /* NULL: dropped at a crash */
};

static struct sim_disk *disk_of(struct env *env) { return sim_machine_of(env)->disk; }

/* ---- inodes --------------------------------------------------------------------------------- */

static struct inode *inode_new(bool is_directory) {
    struct inode *inode = MEM_NEW(struct inode);
    inode->is_directory = is_directory;
    inode->references = 1;
    return inode;
}

static void inode_release(struct inode *inode) {
    if (--inode->references > 0) return;
    for (size_t i = 0; i < inode->page_count; i++)
        mem_free(inode->pages[i]);
    mem_free(inode->pages);
    mem_free(inode);
}

static bool all_zeros(const uint8_t *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (data[i] != 0) return false;
    return true;
}

static void write_page(struct inode *inode, size_t page, size_t offset, const uint8_t *data,
                       size_t len) {
    if (page >= inode->page_count) {
        size_t count = page + 1 + inode->page_count / 2;
        inode->pages = mem_realloc(inode->pages, count * sizeof(*inode->pages));
        memset(inode->pages + inode->page_count, 0,
               (count - inode->page_count) * sizeof(*inode->pages));
        inode->page_count = count;
    }
    if (!inode->pages[page]) {
        if (all_zeros(data, len)) return;
        inode->pages[page] = mem_zalloc(PAGE_BYTES);
    }
    memcpy(inode->pages[page] + offset, data, len);
}

static void inode_write(struct inode *inode, uint64_t offset, struct slice data) {
    while (data.len > 0) {
        size_t in_page = (size_t)(offset % PAGE_BYTES);
        size_t len = data.len < PAGE_BYTES - in_page ? data.len : PAGE_BYTES - in_page;
        write_page(inode, (size_t)(offset / PAGE_BYTES), in_page, data.data, len);
        data = slice_from(data, len);
        offset += len;
    }
    if (offset > inode->size) inode->size = offset;
}

static void inode_read(const struct inode *inode, uint64_t offset, uint8_t *out, size_t len) {
    while (len > 0) {
        size_t page = (size_t)(offset / PAGE_BYTES), in_page = (size_t)(offset % PAGE_BYTES);
        size_t part = len < PAGE_BYTES - in_page ? len : PAGE_BYTES - in_page;
        if (page < inode->page_count && inode->pages[page])
            memcpy(out, inode->pages[page] + in_page, part);
        else
            memset(out, 0, part);
        out += part;
        offset += part;
        len -= part;
    }
}

static void inode_truncate(struct inode *inode, uint64_t size) {
    size_t keep = (size_t)((size + PAGE_BYTES - 1) / PAGE_BYTES);
    for (size_t i = keep; i < inode->page_count; i++) {
        mem_free(inode->pages[i]);
        inode->pages[i] = NULL;
    }
    size_t in_page = (size_t)(size % PAGE_BYTES);
    if (in_page > 0 && keep <= inode->page_count && inode->pages[keep - 1])
        memset(inode->pages[keep - 1] + in_page, 0, PAGE_BYTES - in_page);
    inode->size = size;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* The first name that is not before `path`. */
static size_t find_place(const struct sim_disk *disk, const char *path) {
    size_t low = 0, high = disk->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(disk->names[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct inode *find(const struct sim_disk *disk, const char *path) {
    size_t at = find_place(disk, path);
    bool found = at < disk->count && strcmp(disk->names[at].path, path) == 0;
    return found ? disk->names[at].inode : NULL;
}

static void add_name(struct sim_disk *disk, const char *path, struct inode *inode) {
    size_t at = find_place(disk, path);
    if (disk->count == disk->capacity) {
        disk->capacity = disk->capacity ? disk->capacity * 2 : 32;
        disk->names = mem_realloc(disk->names, disk->capacity * sizeof(*disk->names));
    }
    memmove(&disk->names[at + 1], &disk->names[at], (disk->count - at) * sizeof(*disk->names));
    disk->names[at] = (struct name){mem_strdup(path), inode};
    disk->count++;
}

/* The inode keeps the reference of its name. */
static struct inode *take_name(struct sim_disk *disk, const char *path) {
    size_t at = find_place(disk, path);
    struct inode *inode = disk->names[at].inode;
    mem_free(disk->names[at].path);
    disk->count--;
    memmove(&disk->names[at], &disk->names[at + 1], (disk->count - at) * sizeof(*disk->names));
    return inode;
}

/* The root and the working directory are always there. */
static bool is_directory(const struct sim_disk *disk, const char *path, size_t len) {
    if (len == 0 || (len == 1 && path[0] == '.')) return true;
    char *prefix = mem_dup(path, len + 1);
    prefix[len] = '\0';
    const struct inode *inode = find(disk, prefix);
    mem_free(prefix);
    return inode && inode->is_directory;
}

static bool parent_exists(const struct sim_disk *disk, const char *path) {
    const char *slash = strrchr(path, '/');
    return is_directory(disk, path, slash ? (size_t)(slash - path) : 0);
}

static enum status missing(struct error *error, const char *verb, const char *path) {
    return error_set(error, STATUS_NOT_FOUND, "cannot %s %s: no such file or directory", verb,
                     path);
}

/* As large as it needs to be. */
uint64_t sim_disk_free_bytes(struct env *env, const char *path) {
    (void)env;
    (void)path;
    return UINT64_MAX;
}

bool sim_file_exists(struct env *env, const char *path) {
    return is_directory(disk_of(env), path, strlen(path)) || find(disk_of(env), path);
}

enum status sim_file_rename(struct env *env, const char *from, const char *to,
                            struct error *error) {
    struct sim_disk *disk = disk_of(env);
    if (!find(disk, from) || !parent_exists(disk, to)) return missing(error, "rename", from);
    struct inode *moved = take_name(disk, from);
    if (find(disk, to)) inode_release(take_name(disk, to));
    add_name(disk, to, moved);
    return STATUS_OK;
}

enum status sim_file_remove(struct env *env, const char *path, struct error *error) {
    struct sim_disk *disk = disk_of(env);
    if (!find(disk, path)) return missing(error, "remove", path);
    inode_release(take_name(disk, path));
    return STATUS_OK;
}

enum status sim_dir_create(struct env *env, const char *path, struct error *error) {
    struct sim_disk *disk = disk_of(env);
    size_t len = strlen(path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        if (is_directory(disk, path, i)) continue;
        char *prefix = mem_strdup(path);
        prefix[i] = '\0';
        bool taken = find(disk, prefix) != NULL;
        if (!taken) add_name(disk, prefix, inode_new(true));
        mem_free(prefix);
        if (taken)
            return error_set(error, STATUS_IO, "cannot create directory %s: not a directory", path);
    }
    return STATUS_OK;
}

enum status sim_dir_list(struct env *env, const char *path,
                         void (*visit)(void *arg, const char *name), void *arg,
                         struct error *error) {
    struct sim_disk *disk = disk_of(env);
    size_t len = strlen(path);
    if (!is_directory(disk, path, len)) return missing(error, "list", path);
    /* Visitors may remove files: the names are copied first. */
    char **names = mem_alloc((disk->count + 1) * sizeof(*names));
    size_t count = 0;
    for (size_t i = 0; i < disk->count; i++) {
        const char *each = disk->names[i].path;
        if (strncmp(each, path, len) != 0 || each[len] != '/') continue;
        if (!strchr(each + len + 1, '/')) names[count++] = mem_strdup(each + len + 1);
    }
    for (size_t i = 0; i < count; i++) {
        visit(arg, names[i]);
        mem_free(names[i]);
    }
    mem_free(names);
    return STATUS_OK;
}

enum status sim_dir_sync(struct env *env, const char *path, struct error *error) {
    if (!is_directory(disk_of(env), path, strlen(path))) return missing(error, "sync", path);
    return STATUS_OK;
}

/* ---- locks ---------------------------------------------------------------------------------- */

enum status sim_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                         struct error *error) {
    struct sim_disk *disk = disk_of(env);
    if (!is_directory(disk, path, strlen(path))) return missing(error, "lock", path);
    for (struct sim_lock *each = disk->locks; each; each = each->next)
        if (strcmp(each->path, path) == 0)
            return error_set(error, STATUS_IN_USE, "directory %s is in use by another node", path);
    struct sim_lock *lock = MEM_NEW(struct sim_lock);
    *lock = (struct sim_lock){{env}, mem_strdup(path), disk->locks, disk};
    disk->locks = lock;
    *out = &lock->base;
    return STATUS_OK;
}

static void unlink_lock(struct sim_lock *lock) {
    struct sim_lock **at = &lock->disk->locks;
    while (*at != lock)
        at = &(*at)->next;
    *at = lock->next;
    lock->disk = NULL;
}

void sim_dir_unlock(struct dir_lock *base) {
    struct sim_lock *lock = (struct sim_lock *)base;
    if (lock->disk) unlink_lock(lock);
    mem_free(lock->path);
    mem_free(lock);
}

void sim_disk_unlock_all(struct sim_disk *disk) {
    while (disk->locks)
        sim_dir_unlock(&disk->locks->base);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct sim_file *file_of(struct file *file) { return (struct sim_file *)file; }

static void memory_close(struct file *base) {
    inode_release(file_of(base)->inode);
    mem_free(base->path);
    mem_free(base);
}

static enum status memory_write_at(struct file *base, uint64_t offset, struct slice data,
                                   struct error *error) {
    if (!file_of(base)->writable)
        return error_set(error, STATUS_IO, "cannot write %s: opened for reading", base->path);
    inode_write(file_of(base)->inode, offset, data);
    return STATUS_OK;
}

static enum status memory_read_at(struct file *base, uint64_t offset, void *out, size_t len,
                                  size_t *read, struct error *error) {
    (void)error;
    const struct inode *inode = file_of(base)->inode;
    uint64_t left = offset < inode->size ? inode->size - offset : 0;
    *read = left < len ? (size_t)left : len;
    inode_read(inode, offset, out, *read);
    return STATUS_OK;
}

static enum status memory_size(struct file *base, uint64_t *out, struct error *error) {
    (void)error;
    *out = file_of(base)->inode->size;
    return STATUS_OK;
}

static enum status memory_truncate(struct file *base, uint64_t size, struct error *error) {
    (void)error;
    inode_truncate(file_of(base)->inode, size);
    return STATUS_OK;
}

/* A sync on the loop itself holds the machine up. */
static enum status memory_sync(struct file *base, struct error *error) {
    (void)error;
    struct sim_machine *machine = sim_machine_of(base->env);
    struct sim *sim = machine->sim;
    if (machine->in_turn)
        machine->busy_until_ns +=
            prng_between(&sim->prng, sim->options.sync_min_ns, sim->options.sync_max_ns);
    return STATUS_OK;
}

static const struct file_ops memory_file_ops = {
    .close = memory_close,
    .write_at = memory_write_at,
    .read_at = memory_read_at,
    .size = memory_size,
    .truncate = memory_truncate,
    .sync = memory_sync,
    .sync_start = file_sync_start_on_lane,
};

enum status sim_file_open(struct env *env, const char *path, enum file_mode mode, struct file **out,
                          struct error *error) {
    struct sim_disk *disk = disk_of(env);
    struct inode *inode = find(disk, path);
    if (inode && inode->is_directory)
        return error_set(error, STATUS_IO, "cannot open %s: it is a directory", path);
    if (inode && mode == FILE_CREATE)
        return error_set(error, STATUS_EXISTS, "cannot create %s: it exists", path);
    if (!inode) {
        if (mode == FILE_READ || !parent_exists(disk, path)) return missing(error, "open", path);
        inode = inode_new(false);
        add_name(disk, path, inode);
    }
    inode->references++;
    struct sim_file *file = MEM_NEW(struct sim_file);
    file->base = (struct file){&memory_file_ops, env, mem_strdup(path)};
    file->inode = inode;
    file->writable = mode != FILE_READ;
    *out = &file->base;
    return STATUS_OK;
}

/* ---- the disk ------------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(void) {
    return MEM_NEW(struct sim_disk);
}

void sim_disk_free(struct sim_disk *disk) {
    sim_disk_unlock_all(disk);
    for (size_t i = 0; i < disk->count; i++) {
        inode_release(disk->names[i].inode);
        mem_free(disk->names[i].path);
    }
    mem_free(disk->names);
    mem_free(disk);
}
