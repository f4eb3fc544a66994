/* btree_tree.h - the B+tree: search, insertion, deletion on copy-on-write pages.
 *
 * All keys and values are in the leaves; branches guide (Bayer and McCreight, "Organization and
 * Maintenance of Large Ordered Indexes", 1972; the B+tree: Comer 1979). A change descends to one
 * leaf and returns with what the parent must put in the child's place: nothing, one page, or two
 * with a separator between them. Since every page on the way is copied anyway, there are no parent
 * pointers and no links between leaves.
 *
 * Invariants
 *  1. All leaves are on level 0, a branch's children one level below it.
 *  2. The keys below child i of a branch are >= key i and < key i+1.
 *  3. Every page but the root holds at least BTREE_MIN_FILL bytes; a root branch has two children.
 *  4. A separator is the shortest string that tells its two leaves apart (prefix B-trees: Bayer and
 *     Unterauer, 1977). It is nobody's key: deleting a key leaves it alone.
 *
 * Writing is on the loop and changes the pager's root. After an error (IO, CORRUPT) the newest tree
 * is beyond use; older views and the durable tree are as they were. */
#ifndef CAIRN_BTREE_TREE_H
#define CAIRN_BTREE_TREE_H

#include "btree_overflow.h"
#include "btree_pager.h"

/* What one reads: a root, and the newest generation that may turn up below it. */
struct btree_tree {
    struct btree_pager *pager;
    uint64_t generation;
    uint32_t root;
    bool no_wait;
};

struct btree_tree btree_newest(struct btree_pager *pager);
struct btree_tree btree_of_view(struct btree_pager *pager, const struct btree_view *view);

/* ---- the work ------------------------------------------------------------------------------- */

/* Between btree_begin_write and whatever makes a view. Delete: btree_delete.c. */
enum status btree_put(struct btree_pager *pager, struct slice key, struct slice value,
                      struct error *error) MUST_CHECK;
/* Removes the keys of [start, end). */
enum status btree_delete_range(struct btree_pager *pager, struct slice start, struct slice end,
                               struct error *error) MUST_CHECK;
enum status btree_delete(struct btree_pager *pager, struct slice key,
                         struct error *error) MUST_CHECK;

/* Any thread, on a view. The value into `out` (replaced). OK, NOT_FOUND, WOULD_BLOCK, IO,
 * CORRUPT. */
enum status btree_get(const struct btree_tree *tree, struct slice key, struct buf *out,
                      struct error *error) MUST_CHECK;

/* Walks the newest tree and accounts for every page: order, bounds, levels, fill; each page number
 * reachable, waiting, free or in the free list's chain, and only one of these. CORRUPT with the
 * reason. Reads everything: for tests and for the doubtful. (btree_check.c) */
enum status btree_check_invariants(struct btree_pager *pager, struct error *error) MUST_CHECK;

/* ---- for the tree's own files --------------------------------------------------------------- */

/* Leaf: the first cell whose key is >= `key`; *exact if it is equal. */
enum status btree_leaf_index(const struct btree_tree *tree, const uint8_t *page, struct slice key,
                             size_t *index, bool *exact, struct error *error) MUST_CHECK;
/* Branch: the child under which `key` belongs. */
enum status btree_child_index(const struct btree_tree *tree, const uint8_t *page, struct slice key,
                              size_t *index, struct error *error) MUST_CHECK;
/* Reads a page that must be on `level`; UINT_MAX: any. CORRUPT otherwise. */
enum status btree_read_node(const struct btree_tree *tree, uint32_t number, unsigned level,
                            struct btree_ref *ref, struct error *error) MUST_CHECK;

/* What a subtree became: the parent replaces its cell by these. */
struct btree_result {
    size_t count; /* 0, 1 or 2 pages */
    uint32_t pages[2];
    uint8_t separator[BTREE_KEY_INLINE_MAX]; /* between the two: a field */
    size_t separator_len;
    bool separator_overflow;
};

/* Cells on their way to other pages. Two full pages and one more cell at most. */
enum { BTREE_CELLS_MAX = 2 * BTREE_PAGE_CELLS_MAX + 1 };
struct btree_cells {
    size_t count;
    size_t bytes; /* with their slots */
    size_t used;  /* of space */
    struct slice cells[BTREE_CELLS_MAX];
    uint8_t space[2 * BTREE_PAGE_BYTES + BTREE_CELL_MAX];
};

void btree_cells_add(struct btree_cells *cells, struct slice cell);
void btree_cells_add_page(struct btree_cells *cells, const uint8_t *page);
/* Puts the cells onto `left`, and `right` (NULL: a new page if they need one) behind it; the two
 * pages are emptied first. A right page that is not needed is freed. `appending`: most go left,
 * since the next keys are likely to come behind these. */
enum status btree_distribute(struct btree_pager *pager, const struct btree_cells *cells,
                             uint8_t *left, uint8_t *right, bool appending,
                             struct btree_result *result, struct error *error) MUST_CHECK;
/* Inserts a cell into a page of the running generation, splitting it if need be. */
enum status btree_insert_cell(struct btree_pager *pager, uint8_t *page, size_t i, struct slice cell,
                              struct btree_result *result, struct error *error) MUST_CHECK;
/* btree_change.c. The child at i became `child`: puts that in its place and mends what has grown
 * too small. */
enum status btree_replace_child(struct btree_pager *pager, uint8_t *page, size_t i,
                                const struct btree_result *child, struct btree_result *result,
                                struct error *error) MUST_CHECK;
/* The whole tree became `result`. */
enum status btree_set_root(struct btree_pager *pager, const struct btree_result *result,
                           struct error *error) MUST_CHECK;

#endif
