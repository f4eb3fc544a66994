/* btree_delete.c - deletion, of a key or of a range. What lives here: finding the leaves that hold
 * keys of the range, removing their cells. What must not: splitting (btree_tree.c), mending pages
 * that have grown too small (btree_change.c). */
#include <limits.h>

#include "btree_tree.h"

/* Of one leaf: cells [first, end). */
static enum status erase_cells(struct btree_pager *pager, uint8_t *page, size_t first, size_t end,
                               struct btree_result *result, struct error *error) {
    for (size_t i = first; i < end; i++) {
        struct btree_cell cell = btree_page_cell(page, first);
        TRY(btree_overflow_free(pager, cell.key, error));
        TRY(btree_overflow_free(pager, cell.value, error));
        btree_page_remove(page, first);
    }
    *result = (struct btree_result){.count = 1, .pages = {btree_page_number(page)}};
    if (btree_page_count(page) > 0) return STATUS_OK;
    btree_free_page(pager, page);
    result->count = 0;
    return STATUS_OK;
}

/* The cells of [start, end) in a leaf. */
static enum status range_in_leaf(const struct btree_tree *tree, const uint8_t *page,
                                 struct slice start, struct slice end, size_t *first,
                                 size_t *beyond, struct error *error) {
    bool exact;
    TRY(btree_leaf_index(tree, page, start, first, &exact, error));
    return btree_leaf_index(tree, page, end, beyond, &exact, error);
}

static enum status erase_below(struct btree_pager *pager, uint32_t number, struct slice start,
                               struct slice end, struct btree_result *result, struct error *error) {
    struct btree_tree tree = btree_newest(pager);
    uint8_t *page;
    size_t i, beyond;
    TRY(btree_edit(pager, number, &page, error));
    if (btree_page_level(page) == 0) {
        TRY(range_in_leaf(&tree, page, start, end, &i, &beyond, error));
        return erase_cells(pager, page, i, beyond, result, error);
    }
    struct btree_result child;
    TRY(btree_child_index(&tree, page, start, &i, error));
    TRY(erase_below(pager, btree_page_cell(page, i).child, start, end, &child, error));
    return btree_replace_child(pager, page, i, &child, result, error);
}

/* The key of the next cell: where the neighbour begins. Fences of lower levels are nearer. */
static enum status keep_fence(const struct btree_tree *tree, const uint8_t *page, size_t next,
                              struct buf *fence, struct error *error) {
    struct buf scratch = BUF_INIT;
    struct slice key;
    if (next >= btree_page_count(page)) return STATUS_OK;
    enum status status =
        btree_field_bytes(tree->pager, tree->generation, btree_page_cell(page, next).key, false,
                          &scratch, &key, error);
    buf_clear(fence);
    if (status == STATUS_OK) buf_append_slice(fence, key);
    buf_deinit(&scratch);
    return status;
}

/* Looks, without changing anything, at the leaf where `start` belongs: does it hold keys of the
 * range, and where does the next leaf begin (fence; empty: there is none)? */
static enum status look(const struct btree_tree *tree, struct slice start, struct slice end,
                        bool *any, struct buf *fence, struct error *error) {
    struct btree_ref ref;
    buf_clear(fence);
    TRY(btree_read_node(tree, tree->root, UINT_MAX, &ref, error));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && btree_page_level(ref.page) > 0) {
        size_t i = 0;
        unsigned level = btree_page_level(ref.page) - 1;
        status = btree_child_index(tree, ref.page, start, &i, error);
        if (status == STATUS_OK) status = keep_fence(tree, ref.page, i + 1, fence, error);
        uint32_t child = btree_page_cell(ref.page, i).child;
        btree_release(&ref);
        if (status == STATUS_OK) status = btree_read_node(tree, child, level, &ref, error);
    }
    if (status != STATUS_OK) return status;
    size_t first, beyond;
    status = range_in_leaf(tree, ref.page, start, end, &first, &beyond, error);
    *any = status == STATUS_OK && beyond > first;
    btree_release(&ref);
    return status;
}

static enum status erase_leaf_by_leaf(struct btree_pager *pager, struct slice start,
                                      struct slice end, struct buf *fence, struct error *error) {
    struct buf from = BUF_INIT;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && pager->root != 0) {
        struct btree_tree tree = btree_newest(pager);
        struct btree_result result;
        bool any = false;
        status = look(&tree, start, end, &any, fence, error);
        if (status == STATUS_OK && any) {
            status = erase_below(pager, pager->root, start, end, &result, error);
            if (status == STATUS_OK) status = btree_set_root(pager, &result, error);
        }
        if (fence->len == 0 || slice_compare(buf_slice(fence), end) >= 0) break;
        buf_swap(&from, fence);
        start = buf_slice(&from);
    }
    buf_deinit(&from);
    return status;
}

enum status btree_delete_range(struct btree_pager *pager, struct slice start, struct slice end,
                               struct error *error) {
    struct buf fence = BUF_INIT;
    enum status status = erase_leaf_by_leaf(pager, start, end, &fence, error);
    buf_deinit(&fence);
    return status;
}

enum status btree_delete(struct btree_pager *pager, struct slice key, struct error *error) {
    struct buf end = BUF_INIT;
    buf_append_slice(&end, key);
    buf_append_byte(&end, 0); /* the key's successor */
    enum status status = btree_delete_range(pager, key, buf_slice(&end), error);
    buf_deinit(&end);
    return status;
}
