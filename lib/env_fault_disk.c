/* env_fault_disk.c - see env_fault_disk.h. No faults are decided here; this is the memory of what
 * a power failure would take back, and the taking back.
 *
 * Which loss is realistic: sectors of 512 bytes are written whole, in any order; a file's size may
 * or may not have reached the disk; a journal keeps the changes of a directory in order, so that a
 * prefix of them survives. (Pillai et al., "All File Systems Are Not Created Equal", 2014, shows
 * that file systems do all of this.) */
#include "env_fault_disk.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { SECTOR_BYTES = 512 };

/* The old bytes at `offset`, and the old size. */
struct fault_undo {
    struct fault_undo *older;
    uint64_t sequence;
    uint64_t offset;
    uint64_t old_size;
    struct buf old_bytes; /* shorter than what was written where the file ended */
};

struct fault_inode {
    struct fault_inode *next;
    struct fault_disk *disk;
    char *path; /* NULL: it has no name any more, and nothing of it can come back */
    struct fault_undo *newest;
    /* A sync may be on another thread: these two are all that it touches. */
    atomic_uint_least64_t sequence;        /* of the newest write */
    atomic_uint_least64_t synced_sequence; /* up to here everything is durable */
};

enum entry_kind { ENTRY_CREATE, ENTRY_RENAME, ENTRY_REMOVE };

struct fault_entry {
    struct fault_entry *older;
    uint64_t sequence;
    enum entry_kind kind;
    char *path;       /* created, removed, or the new name */
    char *from;       /* the old name; NULL unless renamed */
    bool had_content; /* a file was removed or replaced: `content` is its durable state */
    struct buf content;
    bool kept; /* by a power failure that loses some */
};

/* A sync of a directory that is over; the loop has yet to forget the entries that it covers. */
struct synced_dir {
    struct synced_dir *next;
    char *path;
    uint64_t sequence;
};

struct fault_disk {
    struct env *inner;
    struct fault_inode *inodes;
    struct fault_entry *newest;
    /* A sync may be on another thread: these two are all that it touches. */
    atomic_uint_least64_t sequence; /* of the newest entry */
    _Atomic(struct synced_dir *) synced_dirs;
};

static void must(enum status status, const struct error *error) {
    if (status == STATUS_OK) return;
    fprintf(stderr, "the disk below env_fault failed by itself: %s\n", error->message);
    abort();
}

/* ---- life ----------------------------------------------------------------------------------- */

struct fault_disk *fault_disk_new(struct env *inner) {
    struct fault_disk *disk = MEM_NEW(struct fault_disk);
    disk->inner = inner;
    return disk;
}

static void undo_free(struct fault_undo *undo) {
    buf_deinit(&undo->old_bytes);
    mem_free(undo);
}

static void entry_free(struct fault_entry *entry) {
    mem_free(entry->path);
    mem_free(entry->from);
    buf_deinit(&entry->content);
    mem_free(entry);
}

/* Drops the ways back up to `sequence`: that state is durable. */
static void forget_undo(struct fault_inode *inode, uint64_t sequence) {
    struct fault_undo **at = &inode->newest;
    while (*at != NULL && (*at)->sequence > sequence) {
        at = &(*at)->older;
    }
    struct fault_undo *undo = *at;
    *at = NULL;
    while (undo != NULL) {
        struct fault_undo *older = undo->older;
        undo_free(undo);
        undo = older;
    }
}

static void forget_synced(struct fault_inode *inode) {
    forget_undo(inode, atomic_load(&inode->synced_sequence));
}

static void forget_entries(struct fault_disk *disk) {
    while (disk->newest != NULL) {
        struct fault_entry *entry = disk->newest;
        disk->newest = entry->older;
        entry_free(entry);
    }
}

static void forget_synced_dirs(struct fault_disk *disk);

void fault_disk_free(struct fault_disk *disk) {
    forget_synced_dirs(disk);
    forget_entries(disk);
    while (disk->inodes != NULL) {
        struct fault_inode *inode = disk->inodes;
        disk->inodes = inode->next;
        forget_undo(inode, UINT64_MAX);
        mem_free(inode->path);
        mem_free(inode);
    }
    mem_free(disk);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct fault_inode *find_inode(struct fault_disk *disk, const char *path) {
    struct fault_inode *inode = disk->inodes;
    while (inode != NULL && (inode->path == NULL || strcmp(inode->path, path) != 0)) {
        inode = inode->next;
    }
    return inode;
}

struct fault_inode *fault_disk_inode(struct fault_disk *disk, const char *path) {
    struct fault_inode *inode = find_inode(disk, path);
    if (inode != NULL) return inode;
    inode = MEM_NEW(struct fault_inode);
    inode->disk = disk;
    inode->path = mem_strdup(path);
    inode->next = disk->inodes;
    disk->inodes = inode;
    return inode;
}

static void keep_old_bytes(struct fault_inode *inode, struct file *file, uint64_t offset,
                           uint64_t len) {
    forget_synced(inode);
    struct error error;
    struct fault_undo *undo = MEM_NEW(struct fault_undo);
    undo->offset = offset;
    must(file_size(file, &undo->old_size, &error), &error);
    if (offset < undo->old_size) {
        uint64_t there = undo->old_size - offset;
        size_t want = (size_t)(len < there ? len : there);
        size_t got;
        must(file_read_at(file, offset, buf_extend(&undo->old_bytes, want), want, &got, &error),
             &error);
        assert(got == want);
    }
    undo->sequence = atomic_fetch_add(&inode->sequence, 1) + 1;
    undo->older = inode->newest;
    inode->newest = undo;
}

void fault_inode_will_write(struct fault_inode *inode, struct file *file, uint64_t offset,
                            uint64_t len) {
    keep_old_bytes(inode, file, offset, len);
}

void fault_inode_will_truncate(struct fault_inode *inode, struct file *file, uint64_t size) {
    keep_old_bytes(inode, file, size, UINT64_MAX);
}

uint64_t fault_inode_sequence(struct fault_inode *inode) { return atomic_load(&inode->sequence); }

void fault_inode_synced(struct fault_inode *inode, uint64_t sequence) {
    uint_least64_t before = atomic_load(&inode->synced_sequence);
    while (before < sequence &&
           !atomic_compare_exchange_weak(&inode->synced_sequence, &before, sequence)) {
    }
}

/* ---- images of whole files ------------------------------------------------------------------ */

static void read_file(struct env *env, const char *path, struct buf *out) {
    struct error error;
    struct file *file;
    uint64_t size;
    size_t got = 0;
    must(env_file_open(env, path, FILE_READ, &file, &error), &error);
    must(file_size(file, &size, &error), &error);
    if (size > 0) {
        must(file_read_at(file, 0, buf_extend(out, (size_t)size), (size_t)size, &got, &error),
             &error);
    }
    assert(got == size);
    file_close(file);
}

static void write_file(struct env *env, const char *path, struct slice content) {
    struct error error;
    struct file *file;
    must(env_file_open(env, path, FILE_READ_WRITE, &file, &error), &error);
    must(file_truncate(file, 0, &error), &error);
    must(file_write_at(file, 0, content, &error), &error);
    file_close(file);
}

static void resize(struct buf *image, uint64_t size) {
    if (image->len < size) {
        buf_append_zeros(image, (size_t)size - image->len);
    } else {
        image->len = (size_t)size;
    }
}

/* Takes an image of the file as it is back to its durable state. */
static void take_back(const struct fault_inode *inode, struct buf *image) {
    for (const struct fault_undo *undo = inode->newest; undo != NULL; undo = undo->older) {
        resize(image, undo->old_size);
        if (undo->old_bytes.len > 0) {
            memcpy(image->data + undo->offset, undo->old_bytes.data, undo->old_bytes.len);
        }
    }
}

/* Each sector that differs is as it was or as it is; so is the size. */
static void tear(struct buf *durable, const struct buf *current, struct prng *prng) {
    if (prng_below(prng, 2) == 0) resize(durable, current->len);
    size_t common = durable->len < current->len ? durable->len : current->len;
    for (size_t at = 0; at < common; at += SECTOR_BYTES) {
        size_t len = common - at < SECTOR_BYTES ? common - at : SECTOR_BYTES;
        if (memcmp(durable->data + at, current->data + at, len) == 0) continue;
        if (prng_below(prng, 2) == 0) memcpy(durable->data + at, current->data + at, len);
    }
}

static void file_loses_power(struct fault_inode *inode, enum crash_loss loss, struct prng *prng) {
    struct env *inner = inode->disk->inner;
    forget_synced(inode);
    bool changed = inode->newest != NULL && inode->path != NULL && loss != LOSE_NONE &&
                   env_file_exists(inner, inode->path);
    if (changed) {
        struct buf current = BUF_INIT, durable = BUF_INIT;
        read_file(inner, inode->path, &current);
        buf_append_slice(&durable, buf_slice(&current));
        take_back(inode, &durable);
        if (loss == LOSE_SOME) tear(&durable, &current, prng);
        write_file(inner, inode->path, buf_slice(&durable));
        buf_deinit(&current);
        buf_deinit(&durable);
    }
    forget_undo(inode, UINT64_MAX);
}

/* ---- directories ---------------------------------------------------------------------------- */

static struct fault_entry *entry_new(enum entry_kind kind, const char *path) {
    struct fault_entry *entry = MEM_NEW(struct fault_entry);
    entry->kind = kind;
    entry->path = mem_strdup(path);
    return entry;
}

/* The file at `path` is about to lose its name. */
static void keep_content(struct fault_disk *disk, struct fault_entry *entry) {
    if (!env_file_exists(disk->inner, entry->path)) return;
    entry->had_content = true;
    read_file(disk->inner, entry->path, &entry->content);
    struct fault_inode *inode = find_inode(disk, entry->path);
    if (inode == NULL) return;
    forget_synced(inode);
    take_back(inode, &entry->content);
}

struct fault_entry *fault_disk_will_create(struct fault_disk *disk, const char *path) {
    (void)disk;
    return entry_new(ENTRY_CREATE, path);
}

struct fault_entry *fault_disk_will_rename(struct fault_disk *disk, const char *from,
                                           const char *to) {
    struct fault_entry *entry = entry_new(ENTRY_RENAME, to);
    entry->from = mem_strdup(from);
    keep_content(disk, entry);
    return entry;
}

struct fault_entry *fault_disk_will_remove(struct fault_disk *disk, const char *path) {
    struct fault_entry *entry = entry_new(ENTRY_REMOVE, path);
    keep_content(disk, entry);
    return entry;
}

static void lose_name(struct fault_disk *disk, const char *path) {
    struct fault_inode *inode = find_inode(disk, path);
    if (inode == NULL) return;
    mem_free(inode->path);
    inode->path = NULL;
    forget_undo(inode, UINT64_MAX);
}

static void change_name(struct fault_disk *disk, const char *from, const char *to) {
    struct fault_inode *inode = find_inode(disk, from);
    if (inode == NULL) return;
    mem_free(inode->path);
    inode->path = mem_strdup(to);
}

/* The directory part of a path, without a slash at its end; "." if there is none. */
static struct slice dir_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? SLICE_LITERAL(".") : slice_of(path, (size_t)(slash - path));
}

static bool same_dir(const char *path, const char *other) {
    return slice_equal(dir_of(path), dir_of(other));
}

static void forget_dir(struct fault_disk *disk, const struct synced_dir *synced) {
    struct slice dir = slice_of_string(synced->path);
    while (dir.len > 1 && dir.data[dir.len - 1] == '/') {
        dir.len--;
    }
    struct fault_entry **at = &disk->newest;
    while (*at != NULL) {
        struct fault_entry *entry = *at;
        if (entry->sequence <= synced->sequence && slice_equal(dir_of(entry->path), dir)) {
            *at = entry->older;
            entry_free(entry);
        } else {
            at = &entry->older;
        }
    }
}

static void forget_synced_dirs(struct fault_disk *disk) {
    struct synced_dir *synced = atomic_exchange(&disk->synced_dirs, NULL);
    while (synced != NULL) {
        struct synced_dir *next = synced->next;
        forget_dir(disk, synced);
        mem_free(synced->path);
        mem_free(synced);
        synced = next;
    }
}

uint64_t fault_disk_sequence(struct fault_disk *disk) { return atomic_load(&disk->sequence); }

void fault_disk_dir_synced(struct fault_disk *disk, const char *path, uint64_t sequence) {
    struct synced_dir *synced = MEM_NEW(struct synced_dir);
    synced->path = mem_strdup(path);
    synced->sequence = sequence;
    synced->next = atomic_load(&disk->synced_dirs);
    while (!atomic_compare_exchange_weak(&disk->synced_dirs, &synced->next, synced)) {
    }
}

void fault_disk_changed(struct fault_disk *disk, struct fault_entry *entry, bool succeeded) {
    if (!succeeded) {
        entry_free(entry);
        return;
    }
    forget_synced_dirs(disk);
    if (entry->kind != ENTRY_CREATE) lose_name(disk, entry->path);
    if (entry->kind == ENTRY_RENAME) change_name(disk, entry->from, entry->path);
    entry->older = disk->newest;
    entry->sequence = atomic_fetch_add(&disk->sequence, 1) + 1;
    disk->newest = entry;
}

static void undo_entry(struct fault_disk *disk, const struct fault_entry *entry) {
    struct error error;
    if (entry->kind == ENTRY_CREATE && env_file_exists(disk->inner, entry->path)) {
        must(env_file_remove(disk->inner, entry->path, &error), &error);
    }
    if (entry->kind == ENTRY_RENAME && env_file_exists(disk->inner, entry->path)) {
        must(env_file_rename(disk->inner, entry->path, entry->from, &error), &error);
    }
    if (entry->had_content) write_file(disk->inner, entry->path, buf_slice(&entry->content));
}

/* Of each directory a prefix of its changes is kept: a cut is drawn at each change, newest first,
 * and what is older than a kept change is kept. */
static void choose_kept(struct fault_disk *disk, struct prng *prng) {
    for (struct fault_entry *entry = disk->newest; entry != NULL; entry = entry->older) {
        entry->kept = entry->kept || prng_below(prng, 2) == 0;
        if (!entry->kept) continue;
        for (struct fault_entry *older = entry->older; older != NULL; older = older->older) {
            if (same_dir(older->path, entry->path)) older->kept = true;
        }
    }
}

void fault_disk_power_loss(struct fault_disk *disk, enum crash_loss loss, struct prng *prng) {
    forget_synced_dirs(disk);
    for (struct fault_inode *inode = disk->inodes; inode != NULL; inode = inode->next) {
        file_loses_power(inode, loss, prng);
        mem_free(inode->path); /* names are about to change; the next open starts anew */
        inode->path = NULL;
    }
    if (loss == LOSE_SOME) choose_kept(disk, prng);
    for (struct fault_entry *entry = disk->newest; entry != NULL && loss != LOSE_NONE;
         entry = entry->older) {
        if (!entry->kept) undo_entry(disk, entry);
    }
    forget_entries(disk);
}
