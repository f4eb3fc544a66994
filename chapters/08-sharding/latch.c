/* latch.c - latches as an interval tree: a treap by start of span (Seidel and Aragon, "Randomized
 * Search Trees", 1996), each node augmented by the furthest end of its subtree (Cormen et al.,
 * 14.3).
 *
 * No edges between guards are kept. A guard counts the conflicting pairs with latches that came
 * before its own; when one of these goes, the same search finds the pairs that end with it. */
#include "latch.h"

#include <assert.h>
#include <stddef.h>

void latches_init(struct latches *latches) { *latches = (struct latches){NULL, 0, 0, 0}; }

/* ---- the treap ------------------------------------------------------------------------------ */

/* A bijection that scatters (splitmix64's finalizer): distinct sequences have distinct
 * priorities. */
static uint64_t scatter(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int compare(const struct latch *a, const struct latch *b) {
    int order = span_compare_start(&a->span, &b->span);
    if (order != 0) return order;
    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static const struct latch *further(const struct latch *a, const struct latch *b) {
    return b != NULL && span_compare_end(&b->span, &a->span) > 0 ? b : a;
}

static void refresh(struct latch *node) {
    node->furthest = node;
    if (node->left != NULL) node->furthest = further(node->furthest, node->left->furthest);
    if (node->right != NULL) node->furthest = further(node->furthest, node->right->furthest);
}

/* Splits into what is below `pivot` and the rest. */
static void split(struct latch *node, const struct latch *pivot, struct latch **below,
                  struct latch **above) {
    if (node == NULL) {
        *below = *above = NULL;
    } else if (compare(node, pivot) < 0) {
        split(node->right, pivot, &node->right, above);
        *below = node;
        refresh(node);
    } else {
        split(node->left, pivot, below, &node->left);
        *above = node;
        refresh(node);
    }
}

static struct latch *merge(struct latch *below, struct latch *above) {
    if (below == NULL) return above;
    if (above == NULL) return below;
    if (below->priority > above->priority) {
        below->right = merge(below->right, above);
        refresh(below);
        return below;
    }
    above->left = merge(below, above->left);
    refresh(above);
    return above;
}

static struct latch *insert(struct latch *node, struct latch *latch) {
    if (node == NULL || latch->priority > node->priority) {
        split(node, latch, &latch->left, &latch->right);
        refresh(latch);
        return latch;
    }
    if (compare(latch, node) < 0)
        node->left = insert(node->left, latch);
    else
        node->right = insert(node->right, latch);
    refresh(node);
    return node;
}

static struct latch *removed(struct latch *node, const struct latch *latch) {
    assert(node != NULL);
    if (node == latch) return merge(node->left, node->right);
    if (compare(latch, node) < 0)
        node->left = removed(node->left, latch);
    else
        node->right = removed(node->right, latch);
    refresh(node);
    return node;
}

/* ---- conflicts ------------------------------------------------------------------------------ */

static bool conflicts(const struct latch *a, const struct latch *b) {
    if (a->guard == b->guard) return false;
    if (a->access == SPAN_READ && b->access == SPAN_READ) return false;
    return span_overlaps(&a->span, &b->span);
}

static size_t count_earlier(const struct latch *node, const struct latch *latch) {
    if (node == NULL || span_is_before(&node->furthest->span, &latch->span)) return 0;
    size_t count = count_earlier(node->left, latch);
    if (span_is_before(&latch->span, &node->span)) return count; /* as is everything to the right */
    if (node->sequence < latch->sequence && conflicts(node, latch)) count++;
    return count + count_earlier(node->right, latch);
}

/* `latch` is gone: those that came later no longer wait for it. */
static void unblock_later(struct latches *latches, struct latch *node, const struct latch *latch) {
    if (node == NULL || span_is_before(&node->furthest->span, &latch->span)) return;
    unblock_later(latches, node->left, latch);
    if (span_is_before(&latch->span, &node->span)) return;
    if (node->sequence > latch->sequence && conflicts(node, latch)) {
        struct latch_guard *guard = node->guard;
        assert(guard->blockers > 0);
        if (--guard->blockers == 0) {
            latches->waiting--;
            guard->granted(guard);
        }
    }
    unblock_later(latches, node->right, latch);
}

bool latches_acquire(struct latches *latches, struct latch_guard *guard) {
    assert(!guard->active);
    guard->active = true;
    guard->blockers = 0;
    for (size_t i = 0; i < guard->count; i++) {
        struct latch *latch = &guard->latches[i];
        latch->guard = guard;
        latch->sequence = latches->sequence++;
        latch->priority = scatter(latch->sequence);
        guard->blockers += count_earlier(latches->root, latch);
        latches->root = insert(latches->root, latch);
    }
    latches->count += guard->count;
    if (guard->blockers > 0) latches->waiting++;
    return guard->blockers == 0;
}

void latches_release(struct latches *latches, struct latch_guard *guard) {
    if (!guard->active) return;
    guard->active = false;
    if (guard->blockers > 0) latches->waiting--;
    for (size_t i = 0; i < guard->count; i++)
        latches->root = removed(latches->root, &guard->latches[i]);
    latches->count -= guard->count;
    for (size_t i = 0; i < guard->count; i++)
        unblock_later(latches, latches->root, &guard->latches[i]);
}

/* ---- checking ------------------------------------------------------------------------------- */

static size_t check_node(const struct latches *latches, const struct latch *node) {
    if (node == NULL) return 0;
    const struct latch *furthest = node;
    if (node->left != NULL) {
        assert(compare(node->left, node) < 0 && node->left->priority < node->priority);
        furthest = further(furthest, node->left->furthest);
    }
    if (node->right != NULL) {
        assert(compare(node, node->right) < 0 && node->right->priority < node->priority);
        furthest = further(furthest, node->right->furthest);
    }
    assert(span_compare_end(&furthest->span, &node->furthest->span) == 0);
    assert(node->guard->active);
    if (node->guard->blockers == 0) assert(count_earlier(latches->root, node) == 0);
    return 1 + check_node(latches, node->left) + check_node(latches, node->right);
}

void latches_check_invariants(const struct latches *latches) {
    size_t count = check_node(latches, latches->root);
    assert(count == latches->count);
    (void)count;
}
