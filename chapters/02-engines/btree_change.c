/* btree_change.c - what a branch does when a child of it has changed: nothing, one page or two
 * stand in the child's place, and one that has grown too small is mended. What lives here:
 * replacing, merging a page with its neighbour, refilling it from there. What must not: the way
 * down (btree_tree.c, btree_delete.c).
 *
 * A page that falls below its minimum is put together with a neighbour under the same parent:
 * either both fit on one page, or their cells are spread evenly on two (Bayer and McCreight 1972,
 * section 4, "catenation" and "underflow"). */
#include <assert.h>

#include "btree_tree.h"
#include "mem.h"

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
