/* btree_tree.c - search, insertion, split. What lives here: the way down, and what happens to a
 * page that is too full. What must not: pages that are too empty (btree_change.c), iteration. */
#include "btree_tree.h"

#include <assert.h>
#include <limits.h>

#include "mem.h"

struct btree_tree btree_newest(struct btree_pager *pager) {
    return (struct btree_tree){
        .pager = pager, .generation = pager->generation, .root = pager->root};
}

struct btree_tree btree_of_view(struct btree_pager *pager, const struct btree_view *view) {
    return (struct btree_tree){.pager = pager, .generation = view->generation, .root = view->root};
}

/* ---- search --------------------------------------------------------------------------------- */

/* <0, 0, >0 as the key is below, at, above the field's. A long key's prefix decides most cases. */
static enum status compare(const struct btree_tree *tree, struct slice key,
                           struct btree_field field, int *order, struct error *error) {
    *order = slice_compare(key, field.bytes);
    if (!field.overflow) return STATUS_OK;
    struct slice prefix = slice_from(field.bytes, BTREE_REFERENCE_BYTES);
    if (!slice_has_prefix(key, prefix)) {
        *order = slice_compare(key, prefix);
        return STATUS_OK;
    }
    struct buf whole = BUF_INIT;
    enum status status =
        btree_overflow_read(tree->pager, tree->generation, field, tree->no_wait, &whole, error);
    *order = slice_compare(key, buf_slice(&whole));
    buf_deinit(&whole);
    return status;
}

/* The first cell from `low` on whose key is >= `key`. */
static enum status lower_bound(const struct btree_tree *tree, const uint8_t *page, size_t low,
                               struct slice key, size_t *index, bool *exact, struct error *error) {
    size_t high = btree_page_count(page);
    *exact = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order;
        TRY(compare(tree, key, btree_page_cell(page, middle).key, &order, error));
        if (order == 0) *exact = true;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    *index = low;
    return STATUS_OK;
}

enum status btree_leaf_index(const struct btree_tree *tree, const uint8_t *page, struct slice key,
                             size_t *index, bool *exact, struct error *error) {
    return lower_bound(tree, page, 0, key, index, exact, error);
}

enum status btree_child_index(const struct btree_tree *tree, const uint8_t *page, struct slice key,
                              size_t *index, struct error *error) {
    bool exact;
    TRY(lower_bound(tree, page, 1, key, index, &exact, error));
    if (!exact) (*index)--; /* the first key stands for "below everything" */
    return STATUS_OK;
}

enum status btree_read_node(const struct btree_tree *tree, uint32_t number, unsigned level,
                            struct btree_ref *ref, struct error *error) {
    TRY(btree_read(tree->pager, tree->generation, number, tree->no_wait, ref, error));
    enum btree_page_type type = btree_page_type(ref->page);
    unsigned found = btree_page_level(ref->page);
    if (type == (found == 0 ? BTREE_LEAF : BTREE_BRANCH) && found < BTREE_LEVELS_MAX &&
        (level == UINT_MAX || level == found) && btree_page_count(ref->page) > 0)
        return STATUS_OK;
    btree_release(ref);
    return error_set(error, STATUS_CORRUPT, "%s: page %u at offset %llu has no place in the tree",
                     file_path(tree->pager->file), number,
                     (unsigned long long)number * BTREE_PAGE_BYTES);
}

static enum status find_leaf(const struct btree_tree *tree, struct slice key, struct btree_ref *ref,
                             struct error *error) {
    TRY(btree_read_node(tree, tree->root, UINT_MAX, ref, error));
    while (btree_page_level(ref->page) > 0) {
        size_t i;
        enum status status = btree_child_index(tree, ref->page, key, &i, error);
        unsigned level = btree_page_level(ref->page) - 1;
        uint32_t child = status == STATUS_OK ? btree_page_cell(ref->page, i).child : 0;
        btree_release(ref);
        if (status != STATUS_OK) return status;
        TRY(btree_read_node(tree, child, level, ref, error));
    }
    return STATUS_OK;
}

static enum status copy_value(const struct btree_tree *tree, struct btree_field value,
                              struct buf *out, struct error *error) {
    if (value.overflow)
        return btree_overflow_read(tree->pager, tree->generation, value, tree->no_wait, out, error);
    buf_clear(out);
    buf_append_slice(out, value.bytes);
    return STATUS_OK;
}

enum status btree_get(const struct btree_tree *tree, struct slice key, struct buf *out,
                      struct error *error) {
    struct btree_ref ref;
    size_t i;
    bool exact;
    if (tree->root == 0) return STATUS_NOT_FOUND;
    TRY(find_leaf(tree, key, &ref, error));
    enum status status = btree_leaf_index(tree, ref.page, key, &i, &exact, error);
    if (status == STATUS_OK && !exact) status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = copy_value(tree, btree_page_cell(ref.page, i).value, out, error);
    btree_release(&ref);
    return status;
}

/* ---- cells from page to page ---------------------------------------------------------------- */

void btree_cells_add(struct btree_cells *cells, struct slice cell) {
    assert(cells->count < BTREE_CELLS_MAX && cells->used + cell.len <= sizeof(cells->space));
    uint8_t *at = cells->space + cells->used;
    memcpy(at, cell.data, cell.len);
    cells->cells[cells->count++] = slice_of(at, cell.len);
    cells->used += cell.len;
    cells->bytes += cell.len + BTREE_SLOT_BYTES;
}

void btree_cells_add_page(struct btree_cells *cells, const uint8_t *page) {
    for (size_t i = 0; i < btree_page_count(page); i++)
        btree_cells_add(cells, btree_page_cell_bytes(page, i));
}

/* How many cells stay left: about half of the bytes, or, appending, as many as leave the right page
 * its minimum and a little more (its first key may become shorter). */
static size_t split_point(const struct btree_cells *cells, bool appending) {
    size_t goal = cells->bytes / 2, left = 0, n = 0;
    if (appending) goal = cells->bytes - 2 * (size_t)BTREE_MIN_FILL;
    if (goal > BTREE_PAGE_CAPACITY) goal = BTREE_PAGE_CAPACITY;
    while (n < cells->count - 1) {
        size_t size = cells->cells[n].len + BTREE_SLOT_BYTES;
        bool left_has_enough = left + size / 2 > goal;
        bool right_fits = cells->bytes - left <= BTREE_PAGE_CAPACITY;
        if ((left_has_enough && right_fits) || left + size > BTREE_PAGE_CAPACITY) break;
        left += size;
        n++;
    }
    assert(n > 0 && cells->bytes - left <= BTREE_PAGE_CAPACITY);
    return n;
}

static void empty_page(uint8_t *page) {
    btree_page_init(page, btree_page_type(page), btree_page_level(page), btree_page_number(page),
                    btree_page_generation(page));
}

static void fill_page(uint8_t *page, const struct slice *cells, size_t count) {
    for (size_t i = 0; i < count; i++) {
        bool fits = btree_page_insert(page, i, cells[i]);
        assert(fits);
        (void)fits;
    }
}

static void keep_separator(struct btree_result *result, struct btree_field field) {
    assert(field.bytes.len <= sizeof(result->separator));
    if (field.bytes.len > 0) memcpy(result->separator, field.bytes.data, field.bytes.len);
    result->separator_len = field.bytes.len;
    result->separator_overflow = field.overflow;
}

/* The shortest prefix of `right` that is above `left`. */
static struct slice shortest_separator(struct slice left, struct slice right) {
    size_t common = 0;
    while (common < left.len && common < right.len && left.data[common] == right.data[common])
        common++;
    assert(common < right.len);
    return slice_of(right.data, common + 1);
}

static enum status separate_leaves(struct btree_pager *pager, const uint8_t *left,
                                   const uint8_t *right, struct btree_result *result,
                                   struct error *error) {
    struct buf low = BUF_INIT, high = BUF_INIT;
    struct slice last, first;
    uint8_t space[BTREE_REFERENCE_BYTES + BTREE_KEY_PREFIX];
    struct btree_field last_field = btree_page_cell(left, btree_page_count(left) - 1).key;
    enum status status =
        btree_field_bytes(pager, pager->generation, last_field, false, &low, &last, error);
    if (status == STATUS_OK)
        status = btree_field_bytes(pager, pager->generation, btree_page_cell(right, 0).key, false,
                                   &high, &first, error);
    if (status == STATUS_OK)
        keep_separator(result, btree_key_field(pager, shortest_separator(last, first), space));
    buf_deinit(&low);
    buf_deinit(&high);
    return status;
}

/* The first key of the right branch goes up, with its chain; its cell gets the empty one. */
static void separate_branches(uint8_t *right, struct btree_result *result) {
    struct btree_cell first = btree_page_cell(right, 0);
    uint8_t cell[BTREE_BRANCH_HEADER];
    keep_separator(result, first.key);
    size_t len = btree_branch_cell(cell, (struct btree_field){0}, first.child);
    btree_page_remove(right, 0);
    bool fits = btree_page_insert(right, 0, slice_of(cell, len));
    assert(fits);
    (void)fits;
}

enum status btree_distribute(struct btree_pager *pager, const struct btree_cells *cells,
                             uint8_t *left, uint8_t *right, bool appending,
                             struct btree_result *result, struct error *error) {
    bool leaf = btree_page_type(left) == BTREE_LEAF;
    empty_page(left);
    result->pages[0] = btree_page_number(left);
    if (cells->bytes <= BTREE_PAGE_CAPACITY) {
        fill_page(left, cells->cells, cells->count);
        if (right != NULL) btree_free_page(pager, right);
        result->count = 1;
        return STATUS_OK;
    }
    if (right == NULL)
        right = btree_new_page(pager, btree_page_type(left), btree_page_level(left));
    else
        empty_page(right);
    size_t n = split_point(cells, appending);
    fill_page(left, cells->cells, n);
    fill_page(right, cells->cells + n, cells->count - n);
    result->count = 2;
    result->pages[1] = btree_page_number(right);
    if (leaf) return separate_leaves(pager, left, right, result, error);
    separate_branches(right, result);
    return STATUS_OK;
}

/* ---- insertion ------------------------------------------------------------------------------ */

enum status btree_insert_cell(struct btree_pager *pager, uint8_t *page, size_t i, struct slice cell,
                              struct btree_result *result, struct error *error) {
    result->count = 1;
    result->pages[0] = btree_page_number(page);
    if (btree_page_insert(page, i, cell)) return STATUS_OK;
    struct btree_cells *cells = MEM_NEW(struct btree_cells);
    size_t count = btree_page_count(page);
    for (size_t k = 0; k <= count; k++) {
        if (k == i) btree_cells_add(cells, cell);
        if (k < count) btree_cells_add(cells, btree_page_cell_bytes(page, k));
    }
    enum status status = btree_distribute(pager, cells, page, NULL, i == count, result, error);
    mem_free(cells);
    return status;
}

/* Puts the pair into a leaf of the running generation. A key that is there keeps its field. */
static enum status put_in_leaf(struct btree_pager *pager, uint8_t *page, struct slice key,
                               struct slice value, struct btree_result *result,
                               struct error *error) {
    struct btree_tree tree = btree_newest(pager);
    uint8_t key_space[BTREE_KEY_INLINE_MAX], value_space[BTREE_REFERENCE_BYTES];
    uint8_t cell[BTREE_CELL_MAX];
    size_t i;
    bool exact;
    TRY(btree_leaf_index(&tree, page, key, &i, &exact, error));
    struct btree_field key_field;
    if (exact) {
        struct btree_cell old = btree_page_cell(page, i);
        TRY(btree_overflow_free(pager, old.value, error));
        if (old.key.bytes.len > 0) memcpy(key_space, old.key.bytes.data, old.key.bytes.len);
        key_field = (struct btree_field){.overflow = old.key.overflow,
                                         .bytes = slice_of(key_space, old.key.bytes.len)};
        btree_page_remove(page, i);
    } else {
        key_field = btree_key_field(pager, key, key_space);
    }
    size_t room = BTREE_CELL_MAX - BTREE_LEAF_HEADER - key_field.bytes.len;
    struct btree_field value_field = btree_value_field(pager, value, room, value_space);
    size_t len = btree_leaf_cell(cell, key_field, value_field);
    return btree_insert_cell(pager, page, i, slice_of(cell, len), result, error);
}

static enum status put_below(struct btree_pager *pager, uint32_t number, struct slice key,
                             struct slice value, struct btree_result *result, struct error *error) {
    struct btree_tree tree = btree_newest(pager);
    uint8_t *page;
    size_t i;
    TRY(btree_edit(pager, number, &page, error));
    if (btree_page_level(page) == 0) return put_in_leaf(pager, page, key, value, result, error);
    struct btree_result child;
    TRY(btree_child_index(&tree, page, key, &i, error));
    TRY(put_below(pager, btree_page_cell(page, i).child, key, value, &child, error));
    return btree_replace_child(pager, page, i, &child, result, error);
}

enum status btree_put(struct btree_pager *pager, struct slice key, struct slice value,
                      struct error *error) {
    struct btree_result result;
    if (pager->root == 0) pager->root = btree_page_number(btree_new_page(pager, BTREE_LEAF, 0));
    TRY(put_below(pager, pager->root, key, value, &result, error));
    return btree_set_root(pager, &result, error);
}

/* ---- the root ------------------------------------------------------------------------------- */

static void grow_root(struct btree_pager *pager, const struct btree_result *result) {
    const uint8_t *left = btree_frames_get(pager->frames, result->pages[0])->bytes;
    uint8_t *root = btree_new_page(pager, BTREE_BRANCH, btree_page_level(left) + 1);
    struct btree_field separator = {
        .overflow = result->separator_overflow,
        .bytes = slice_of(result->separator, result->separator_len),
    };
    uint8_t cell[BTREE_CELL_MAX];
    size_t len = btree_branch_cell(cell, (struct btree_field){0}, result->pages[0]);
    bool fits = btree_page_insert(root, 0, slice_of(cell, len));
    len = btree_branch_cell(cell, separator, result->pages[1]);
    fits = fits && btree_page_insert(root, 1, slice_of(cell, len));
    assert(fits);
    pager->root = btree_page_number(root);
}

enum status btree_set_root(struct btree_pager *pager, const struct btree_result *result,
                           struct error *error) {
    pager->root = result->count > 0 ? result->pages[0] : 0;
    if (result->count == 2) grow_root(pager, result);
    if (result->count != 1) return STATUS_OK;
    struct btree_tree tree = btree_newest(pager);
    struct btree_ref ref;
    TRY(btree_read_node(&tree, pager->root, UINT_MAX, &ref, error));
    while (btree_page_level(ref.page) > 0 && btree_page_count(ref.page) == 1) {
        pager->root = btree_page_cell(ref.page, 0).child; /* a root of one child is none */
        unsigned level = btree_page_level(ref.page) - 1;
        btree_free_page(pager, ref.page);
        btree_release(&ref);
        TRY(btree_read_node(&tree, pager->root, level, &ref, error));
    }
    btree_release(&ref);
    return STATUS_OK;
}
