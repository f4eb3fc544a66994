/* btree_meta.c - writing and choosing meta pages. What lives here: their format. What must not:
 * when to write them (btree_flush.c). */
#include "btree_meta.h"

#include <stdio.h>

#include "btree_page.h"
#include "codec.h"
#include "mem.h"

enum { FORMAT_VERSION = 1, META_PAGES = 2 };
static const char magic[8] = {'C', 'A', 'I', 'R', 'N', 'B', 'T', 'R'};

static void encode(const struct btree_meta *meta, uint8_t *page) {
    btree_page_init(page, BTREE_META, 0, (uint32_t)(meta->turn % META_PAGES), meta->generation);
    uint8_t *at = page + BTREE_PAGE_HEADER;
    memcpy(at, magic, sizeof(magic));
    store_u32le(at + 8, FORMAT_VERSION);
    store_u32le(at + 12, meta->root);
    store_u32le(at + 16, meta->page_count);
    store_u32le(at + 20, meta->free_list);
    store_u64le(at + 24, meta->log_position);
    store_u64le(at + 32, meta->turn);
    btree_page_seal(page);
}

static bool decode(const uint8_t *page, uint32_t number, struct btree_meta *meta) {
    const uint8_t *at = page + BTREE_PAGE_HEADER;
    if (btree_page_verify(page, number, UINT64_MAX, NULL) != STATUS_OK) return false;
    if (memcmp(at, magic, sizeof(magic)) != 0 || load_u32le(at + 8) != FORMAT_VERSION) return false;
    *meta = (struct btree_meta){.generation = btree_page_generation(page),
                                .turn = load_u64le(at + 32),
                                .root = load_u32le(at + 12),
                                .page_count = load_u32le(at + 16),
                                .free_list = load_u32le(at + 20),
                                .log_position = load_u64le(at + 24)};
    return true;
}

enum status btree_meta_write(struct file *file, const struct btree_meta *meta,
                             struct error *error) {
    uint8_t page[BTREE_PAGE_BYTES];
    encode(meta, page);
    return file_write_at(file, meta->turn % META_PAGES * BTREE_PAGE_BYTES,
                         slice_of(page, sizeof(page)), error);
}

/* *valid: it was written whole. */
static enum status read_one(struct file *file, uint32_t number, struct btree_meta *meta,
                            bool *valid, struct error *error) {
    uint8_t page[BTREE_PAGE_BYTES];
    size_t read;
    TRY(file_read_at(file, (uint64_t)number * BTREE_PAGE_BYTES, page, sizeof(page), &read, error));
    *valid = read == sizeof(page) && decode(page, number, meta);
    return STATUS_OK;
}

static enum status neither_is_valid(struct file *file, struct error *error) {
    return error_set(error, STATUS_CORRUPT,
                     "%s: neither of the meta pages (offsets 0, %d) is valid", file_path(file),
                     BTREE_PAGE_BYTES);
}

enum status btree_meta_read(struct file *file, struct btree_meta *meta, struct error *error) {
    bool found = false;
    for (uint32_t number = 0; number < META_PAGES; number++) {
        struct btree_meta one;
        bool valid;
        TRY(read_one(file, number, &one, &valid, error));
        if (!valid || (found && one.turn < meta->turn)) continue;
        *meta = one;
        found = true;
    }
    return found ? STATUS_OK : neither_is_valid(file, error);
}

static enum status write_first(struct file *file, struct error *error) {
    struct btree_meta meta = {.page_count = META_PAGES};
    TRY(btree_meta_write(file, &meta, error));
    meta.turn = 1;
    TRY(btree_meta_write(file, &meta, error));
    return file_sync(file, error);
}

enum status btree_meta_create(struct env *env, const char *dir, const char *path,
                              struct error *error) {
    size_t size = strlen(path) + sizeof(".tmp");
    char *temporary = mem_alloc(size);
    struct file *file = NULL;
    snprintf(temporary, size, "%s.tmp", path);
    enum status status = env_file_open(env, temporary, FILE_READ_WRITE, &file, error);
    if (status == STATUS_OK) {
        status = write_first(file, error);
        file_close(file);
    }
    if (status == STATUS_OK) status = env_file_rename(env, temporary, path, error);
    if (status == STATUS_OK) status = env_dir_sync(env, dir, error);
    mem_free(temporary);
    return status;
}
