/* btree_iterator.h - a walk over the B+tree's leaves, both ways.
 *
 * The iterator holds the path from the root to its leaf, a page and an index a level: the way to
 * the next leaf goes up to the first page that has another child, and down again. Links between
 * leaves, as in most textbooks, would not survive copy-on-write: changing one leaf would copy its
 * neighbours, their neighbours, and so on.
 *
 * Invariants
 *  1. A valid iterator stands inside its bounds; the pages of its path are held.
 *  2. It reads one tree, that of its view, whatever is written meanwhile. */
#ifndef CAIRN_BTREE_ITERATOR_H
#define CAIRN_BTREE_ITERATOR_H

#include "btree_tree.h"
#include "engine_impl.h"

/* On `tree`. own_view (may be NULL) is released with the iterator. */
struct engine_iterator *btree_iterator_new(const struct btree_tree *tree,
                                           struct btree_view *own_view,
                                           const struct engine_iterator_options *options);

#endif
