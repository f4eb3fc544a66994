/* btree_open.c - from a directory to a tree that can be read: the file, the meta page that counts,
 * the free list. What lives here: opening and recovery. What must not: reading pages of the tree;
 * there is nothing to repair in them. */
#include <stdio.h>

#include "btree_pager.h"
#include "codec.h"
#include "mem.h"

static void push_number(struct buf *numbers, uint32_t number) {
    buf_append(numbers, &number, sizeof(number));
}

static enum status read_free_list(struct btree_pager *pager, struct error *error) {
    uint64_t newest = pager->meta.generation;
    for (uint32_t number = pager->meta.free_list, next; number != 0; number = next) {
        struct btree_ref ref;
        TRY(btree_read(pager, newest, number, false, &ref, error));
        next = btree_page_next(ref.page);
        push_number(&pager->chain, number);
        bool right = btree_page_type(ref.page) == BTREE_FREE_LIST &&
                     pager->chain.len <= (size_t)pager->page_count * sizeof(uint32_t);
        for (size_t i = 0; right && i < btree_page_count(ref.page); i++)
            push_number(&pager->free, load_u32le(ref.page + BTREE_PAGE_HEADER + 4 * i));
        btree_release(&ref);
        if (!right)
            return error_set(error, STATUS_CORRUPT, "%s: page %u at offset %llu is not a free list",
                             file_path(pager->file), number,
                             (unsigned long long)number * BTREE_PAGE_BYTES);
    }
    return STATUS_OK;
}

static enum status open_file(struct btree_pager *pager, const char *dir, struct error *error) {
    size_t size = strlen(dir) + sizeof("/btree.db");
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/btree.db", dir);
    enum status status = STATUS_OK;
    if (!env_file_exists(pager->env, path))
        status = btree_meta_create(pager->env, dir, path, error);
    if (status == STATUS_OK)
        status = env_file_open(pager->env, path, FILE_READ_WRITE, &pager->file, error);
    mem_free(path);
    return status;
}

static enum status recover(struct btree_pager *pager, struct error *error) {
    TRY(file_size(pager->file, &pager->file_bytes, error));
    TRY(btree_meta_read(pager->file, &pager->meta, error));
    pager->root = pager->meta.root;
    pager->page_count = pager->meta.page_count;
    pager->generation = pager->meta.generation;
    pager->durable->root = pager->root;
    pager->durable->generation = pager->generation;
    return read_free_list(pager, error);
}

enum status btree_pager_open(struct env *env, const char *dir, size_t cache_bytes,
                             struct btree_pager **out, struct error *error) {
    struct btree_pager *pager = btree_pager_new(env, cache_bytes);
    enum status status = open_file(pager, dir, error);
    if (status == STATUS_OK) status = recover(pager, error);
    if (status != STATUS_OK) {
        btree_pager_close(pager);
        return status;
    }
    *out = pager;
    return STATUS_OK;
}
