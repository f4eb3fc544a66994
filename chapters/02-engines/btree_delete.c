/* btree_delete.c - deletion, and mending pages that have grown too small. What lives here: removing
 * cells, merging a page with its neighbour or refilling it from there. What must not: splitting
 * (btree_tree.c).
 *
 * A page that falls below its minimum is put together with a neighbour under the same parent:
 * either both fit on one page, or their cells are spread evenly on two (Bayer and McCreight 1972,
 * section 4, "catenation" and "underflow"). */
#include <assert.h>
#include <limits.h>

#include "btree_tree.h"
#include "mem.h"

/* ---- too small ------------------------------------------------------------------------------ */

/* The two children's cells in order. A right branch's empty first key becomes the separator again,
 * and takes over its chain; that of leaves has served. */
static enum status gather(struct btree_pager *pager, const uint8_t *left, const uint8_t *right,
                          struct btree_field separator, struct btree_cells *cells,
                          struct error *error) {
    btree_cells_add_page(cells, left);
    if (btree_page_type(right) == BTREE_LEAF) {
        btree_cells_add_page(cells, right);
        return btree_overflow_free(pager, separator, error);
    }
    uint8_t cell[BTREE_CELL_MAX];
    size_t len = btree_branch_cell(cell, separator, btree_page_cell(right, 0).child);
    btree_cells_add(cells, slice_of(cell, len));
    for (size_t i = 1; i < btree_page_count(right); i++)
        btree_cells_add(cells, btree_page_cell_bytes(right, i));
    return STATUS_OK;
}

static enum status join_children(struct btree_pager *pager, uint8_t *page, size_t i,
                                 struct btree_result *joined, struct error *error) {
    uint8_t *left, *right;
    TRY(btree_edit(pager, btree_page_cell(page, i).child, &left, error));
    TRY(btree_edit(pager, btree_page_cell(page, i + 1).child, &right, error));
    struct btree_cells *cells = MEM_NEW(struct btree_cells);
    enum status status = gather(pager, left, right, btree_page_cell(page, i + 1).key, cells, error);
    if (status == STATUS_OK)
        status = btree_distribute(pager, cells, left, right, false, joined, error);
    mem_free(cells);
    return status;
}

static enum status insert_right(struct btree_pager *pager, uint8_t *page, size_t i,
                                const struct btree_result *child, struct btree_result *result,
                                struct error *error) {
    uint8_t cell[BTREE_CELL_MAX];
    struct btree_field separator = {.overflow = child->separator_overflow,
                                    .bytes = slice_of(child->separator, child->separator_len)};
    size_t len = btree_branch_cell(cell, separator, child->pages[1]);
    return btree_insert_cell(pager, page, i, slice_of(cell, len), result, error);
}

/* Child i is too small: joins it with the one before, or behind if it is the first. */
static enum status mend_child(struct btree_pager *pager, uint8_t *page, size_t i,
                              struct btree_result *result, struct error *error) {
    struct btree_result joined;
    size_t first = i > 0 ? i - 1 : 0;
    TRY(join_children(pager, page, first, &joined, error));
    btree_page_set_child(page, first, joined.pages[0]);
    btree_page_remove(page, first + 1);
    if (joined.count == 2) return insert_right(pager, page, first + 1, &joined, result, error);
    return STATUS_OK;
}

static enum status remove_child(struct btree_pager *pager, uint8_t *page, size_t i,
                                struct error *error) {
    TRY(btree_overflow_free(pager, btree_page_cell(page, i).key, error));
    btree_page_remove(page, i);
    if (i > 0 || btree_page_count(page) == 0) return STATUS_OK;
    struct btree_cell first = btree_page_cell(page, 0); /* is now below everything */
    TRY(btree_overflow_free(pager, first.key, error));
    uint8_t cell[BTREE_BRANCH_HEADER];
    size_t len = btree_branch_cell(cell, (struct btree_field){0}, first.child);
    btree_page_remove(page, 0);
    bool fits = btree_page_insert(page, 0, slice_of(cell, len));
    assert(fits);
    (void)fits;
    return STATUS_OK;
}

static bool is_too_small(struct btree_pager *pager, uint32_t number) {
    const struct btree_frame *frame = btree_frames_get(pager->frames, number);
    return btree_page_live_bytes(frame->bytes) < BTREE_MIN_FILL;
}

enum status btree_replace_child(struct btree_pager *pager, uint8_t *page, size_t i,
                                const struct btree_result *child, struct btree_result *result,
                                struct error *error) {
    result->count = 1;
    result->pages[0] = btree_page_number(page);
    if (child->count == 0) {
        TRY(remove_child(pager, page, i, error));
        if (btree_page_count(page) > 0) return STATUS_OK;
        btree_free_page(pager, page);
        result->count = 0;
        return STATUS_OK;
    }
    btree_page_set_child(page, i, child->pages[0]);
    if (child->count == 2) return insert_right(pager, page, i + 1, child, result, error);
    if (!is_too_small(pager, child->pages[0]) || btree_page_count(page) == 1) return STATUS_OK;
    return mend_child(pager, page, i, result, error);
}

/* ---- deletion ------------------------------------------------------------------------------- */

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
