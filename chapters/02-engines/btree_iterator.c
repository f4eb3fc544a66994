/* btree_iterator.c - walking the leaves by a stack of pages. What lives here: positions. What must
 * not: changing anything; comparing keys inside pages (btree_tree.c). */
#include "btree_iterator.h"

#include <limits.h>

#include "mem.h"

struct step {
    struct btree_ref ref;
    size_t index;
};

struct btree_iterator {
    struct engine_iterator base;
    struct btree_tree tree;
    struct btree_view *own_view;
    struct step path[BTREE_LEVELS_MAX]; /* by level: 0 is the leaf */
    unsigned height;                    /* levels held, from the root down; 0: no position */
    bool valid;
    enum status status;
    struct error error;
    struct slice key, value; /* of where it stands; in the leaf, or in: */
    struct buf long_key, long_value;
};

static struct btree_iterator *iterator_of(struct engine_iterator *base) {
    return CONTAINER_OF(base, struct btree_iterator, base);
}

static const struct btree_iterator *const_iterator_of(const struct engine_iterator *base) {
    return (const struct btree_iterator *)(const void *)base;
}

static void let_go(struct btree_iterator *it) {
    for (size_t level = 0; level < BTREE_LEVELS_MAX; level++)
        btree_release(&it->path[level].ref);
    it->height = 0;
    it->valid = false;
}

static bool fails(struct btree_iterator *it, enum status status) {
    if (status == STATUS_OK) return false;
    it->status = status;
    let_go(it);
    return true;
}

static size_t count_at(const struct btree_iterator *it, unsigned level) {
    return btree_page_count(it->path[level].ref.page);
}

/* ---- down ----------------------------------------------------------------------------------- */

enum way { LEFTMOST, RIGHTMOST, TOWARDS };

static enum status choose(struct btree_iterator *it, unsigned level, enum way way,
                          struct slice key) {
    struct step *step = &it->path[level];
    bool exact;
    step->index = way == RIGHTMOST ? count_at(it, level) - 1 : 0;
    if (way != TOWARDS) return STATUS_OK;
    if (level == 0)
        return btree_leaf_index(&it->tree, step->ref.page, key, &step->index, &exact, &it->error);
    return btree_child_index(&it->tree, step->ref.page, key, &step->index, &it->error);
}

/* From the page on `level` down to a leaf. False: failed. */
static bool descend(struct btree_iterator *it, unsigned level, enum way way, struct slice key) {
    if (fails(it, choose(it, level, way, key))) return false;
    while (level > 0) {
        uint32_t child = btree_page_cell(it->path[level].ref.page, it->path[level].index).child;
        level--;
        btree_release(&it->path[level].ref);
        if (fails(it, btree_read_node(&it->tree, child, level, &it->path[level].ref, &it->error)))
            return false;
        if (fails(it, choose(it, level, way, key))) return false;
    }
    return true;
}

/* From the root. The index in the leaf may be one beyond its last cell. */
static bool start(struct btree_iterator *it, enum way way, struct slice key) {
    let_go(it);
    it->status = STATUS_OK;
    if (it->tree.root == 0) return false;
    struct btree_ref root;
    if (fails(it, btree_read_node(&it->tree, it->tree.root, UINT_MAX, &root, &it->error)))
        return false;
    unsigned level = btree_page_level(root.page);
    it->path[level].ref = root;
    it->height = level + 1;
    return descend(it, level, way, key);
}

/* ---- along ---------------------------------------------------------------------------------- */

/* To the first cell of the next leaf; false at the end of the tree, or failed. */
static bool next_leaf(struct btree_iterator *it) {
    for (unsigned level = 1; level < it->height; level++) {
        if (it->path[level].index + 1 >= count_at(it, level)) continue;
        it->path[level].index++;
        uint32_t child = btree_page_cell(it->path[level].ref.page, it->path[level].index).child;
        btree_release(&it->path[level - 1].ref);
        if (fails(it, btree_read_node(&it->tree, child, level - 1, &it->path[level - 1].ref,
                                      &it->error)))
            return false;
        return descend(it, level - 1, LEFTMOST, SLICE_EMPTY);
    }
    return false;
}

static bool previous_leaf(struct btree_iterator *it) {
    for (unsigned level = 1; level < it->height; level++) {
        if (it->path[level].index == 0) continue;
        it->path[level].index--;
        uint32_t child = btree_page_cell(it->path[level].ref.page, it->path[level].index).child;
        btree_release(&it->path[level - 1].ref);
        if (fails(it, btree_read_node(&it->tree, child, level - 1, &it->path[level - 1].ref,
                                      &it->error)))
            return false;
        return descend(it, level - 1, RIGHTMOST, SLICE_EMPTY);
    }
    return false;
}

/* The cell in hand: its key and value, unless it lies outside the bounds. */
static void arrive(struct btree_iterator *it, bool there) {
    it->valid = false;
    if (!there || it->status != STATUS_OK) return;
    const struct btree_tree *tree = &it->tree;
    struct btree_cell cell = btree_page_cell(it->path[0].ref.page, it->path[0].index);
    if (fails(it, btree_field_bytes(tree->pager, tree->generation, cell.key, tree->no_wait,
                                    &it->long_key, &it->key, &it->error)))
        return;
    if (slice_compare(it->key, buf_slice(&it->base.lower)) < 0) return;
    if (it->base.upper.len > 0 && slice_compare(it->key, buf_slice(&it->base.upper)) >= 0) return;
    if (fails(it, btree_field_bytes(tree->pager, tree->generation, cell.value, tree->no_wait,
                                    &it->long_value, &it->value, &it->error)))
        return;
    it->valid = true;
}

static void step_back(struct btree_iterator *it) {
    if (it->path[0].index > 0) {
        it->path[0].index--;
        arrive(it, true);
    } else {
        arrive(it, previous_leaf(it));
    }
}

/* ---- the table ------------------------------------------------------------------------------ */

static void iterator_seek(struct engine_iterator *base, struct slice key) {
    struct btree_iterator *it = iterator_of(base);
    bool there = start(it, TOWARDS, key);
    if (there && it->path[0].index >= count_at(it, 0)) there = next_leaf(it);
    arrive(it, there);
}

static void iterator_seek_for_prev(struct engine_iterator *base, struct slice key) {
    struct btree_iterator *it = iterator_of(base);
    if (!start(it, TOWARDS, key)) {
        arrive(it, false);
        return;
    }
    if (it->path[0].index < count_at(it, 0)) {
        arrive(it, true);
        if (it->status != STATUS_OK || (it->valid && slice_equal(it->key, key))) return;
    }
    step_back(it);
}

static void iterator_seek_first(struct engine_iterator *base) {
    iterator_seek(base, buf_slice(&base->lower));
}

static void iterator_seek_last(struct engine_iterator *base) {
    struct btree_iterator *it = iterator_of(base);
    if (base->upper.len == 0)
        arrive(it, start(it, RIGHTMOST, SLICE_EMPTY));
    else if (start(it, TOWARDS, buf_slice(&base->upper)))
        step_back(it);
}

static void iterator_next(struct engine_iterator *base) {
    struct btree_iterator *it = iterator_of(base);
    it->path[0].index++;
    arrive(it, it->path[0].index < count_at(it, 0) || next_leaf(it));
}

static void iterator_prev(struct engine_iterator *base) { step_back(iterator_of(base)); }

static bool iterator_valid(const struct engine_iterator *base) {
    return const_iterator_of(base)->valid;
}

static struct slice iterator_key(const struct engine_iterator *base) {
    return const_iterator_of(base)->key;
}

static struct slice iterator_value(const struct engine_iterator *base) {
    return const_iterator_of(base)->value;
}

static enum status iterator_status(const struct engine_iterator *base, struct error *error) {
    const struct btree_iterator *it = const_iterator_of(base);
    if (it->status != STATUS_OK && it->status != STATUS_WOULD_BLOCK && error != NULL)
        *error = it->error;
    return it->status;
}

static void iterator_free(struct engine_iterator *base) {
    struct btree_iterator *it = iterator_of(base);
    let_go(it);
    if (it->own_view != NULL) btree_view_release(it->tree.pager, it->own_view);
    buf_deinit(&it->long_key);
    buf_deinit(&it->long_value);
    engine_iterator_deinit(base);
    mem_free(it);
}

static const struct engine_iterator_ops iterator_ops = {
    .free = iterator_free,
    .seek_first = iterator_seek_first,
    .seek_last = iterator_seek_last,
    .seek = iterator_seek,
    .seek_for_prev = iterator_seek_for_prev,
    .next = iterator_next,
    .prev = iterator_prev,
    .valid = iterator_valid,
    .key = iterator_key,
    .value = iterator_value,
    .status = iterator_status,
};

struct engine_iterator *btree_iterator_new(const struct btree_tree *tree,
                                           struct btree_view *own_view,
                                           const struct engine_iterator_options *options) {
    struct btree_iterator *it = MEM_NEW(struct btree_iterator);
    engine_iterator_init(&it->base, &iterator_ops, options);
    it->tree = *tree;
    it->own_view = own_view;
    return &it->base;
}
