/* memtable.c - the skip list. What lives here: finding, linking and unlinking nodes, and keeping
 * unlinked nodes until no reader can stand on them. What must not: any notion of versions or
 * deletion marks; chapter 02 puts those into keys and values.
 *
 * Links are atomic: the writer publishes a node with a release store after filling it in, a reader
 * follows links with acquire loads (Herlihy and Shavit, "The Art of Multiprocessor Programming",
 * chapter 14, reduced to a single writer). */
#include "memtable.h"

#include <assert.h>
#include <stdatomic.h>

#include "mem.h"
#include "prng.h"

/* Each level has a quarter of the nodes of the one below: 4^12 nodes before searches degrade. */
enum { HEIGHT_MAX = 12, BRANCHING = 4 };

typedef _Atomic(struct memtable_node *) link_t;

struct memtable_node {
    uint32_t key_len;
    uint32_t value_len;
    uint32_t height;
    uint32_t unused;
    uint64_t retired_at;                /* the mark when it was unlinked */
    struct memtable_node *next_retired; /* first in, first out */
    link_t next[];                      /* `height` links, then the key, then the value */
};

struct memtable {
    memtable_compare compare;
    size_t limit_bytes;
    bool concurrent;
    struct prng prng;
    size_t count;
    size_t bytes;
    uint64_t mark; /* grows with each removal */
    struct memtable_node *retired_first;
    struct memtable_node *retired_last;
    struct memtable_node *head; /* a node of full height, without key */
};

static size_t node_size(uint32_t height, size_t key_len, size_t value_len) {
    return sizeof(struct memtable_node) + height * sizeof(link_t) + key_len + value_len;
}

static uint8_t *node_bytes(const struct memtable_node *node) {
    return (uint8_t *)(uintptr_t)&node->next[node->height];
}

static struct slice node_key(const struct memtable_node *node) {
    return slice_of(node_bytes(node), node->key_len);
}

static struct slice node_value(const struct memtable_node *node) {
    return slice_of(node_bytes(node) + node->key_len, node->value_len);
}

static struct memtable_node *next_of(const struct memtable_node *node, uint32_t level) {
    /* Atomic loads take a pointer to non-const before C23. */
    link_t *link = (link_t *)(uintptr_t)&node->next[level];
    return atomic_load_explicit(link, memory_order_acquire);
}

static void link_to(struct memtable_node *node, uint32_t level, struct memtable_node *next) {
    atomic_store_explicit(&node->next[level], next, memory_order_release);
}

static struct memtable_node *node_new(uint32_t height, struct slice key, struct slice value) {
    struct memtable_node *node = mem_alloc(node_size(height, key.len, value.len));
    node->key_len = (uint32_t)key.len;
    node->value_len = (uint32_t)value.len;
    node->height = height;
    node->retired_at = 0;
    node->next_retired = NULL;
    for (uint32_t level = 0; level < height; level++)
        atomic_init(&node->next[level], NULL);
    if (key.len > 0) memcpy(node_bytes(node), key.data, key.len);
    if (value.len > 0) memcpy(node_bytes(node) + key.len, value.data, value.len);
    return node;
}

struct memtable *memtable_new(const struct memtable_options *options) {
    static const struct memtable_options defaults = {0};
    if (options == NULL) options = &defaults;
    struct memtable *table = MEM_NEW(struct memtable);
    table->compare = options->compare != NULL ? options->compare : slice_compare;
    table->limit_bytes = options->limit_bytes;
    table->concurrent = (options->flags & MEMTABLE_CONCURRENT) != 0;
    prng_seed(&table->prng, options->seed);
    table->head = node_new(HEIGHT_MAX, SLICE_EMPTY, SLICE_EMPTY);
    return table;
}

static void node_free(struct memtable *table, struct memtable_node *node) {
    table->bytes -= node_size(node->height, node->key_len, node->value_len);
    mem_free(node);
}

void memtable_clear(struct memtable *table) {
    struct memtable_node *node = next_of(table->head, 0);
    while (node != NULL) {
        struct memtable_node *next = next_of(node, 0);
        node_free(table, node);
        node = next;
    }
    for (uint32_t level = 0; level < HEIGHT_MAX; level++)
        link_to(table->head, level, NULL);
    memtable_reclaim(table, UINT64_MAX);
    table->count = 0;
    assert(table->bytes == 0);
}

void memtable_free(struct memtable *table) {
    if (table == NULL) return;
    memtable_clear(table);
    mem_free(table->head);
    mem_free(table);
}

/* Where a key stands among the nodes. */
struct place {
    struct memtable_node *before; /* the last node < key (or <= key if inclusive), or the head */
    /* The node behind it, as the search saw it: a reader that followed the link again could come
     * upon a node that the writer has put in between, before the key. */
    struct memtable_node *behind;
};

/* `path`, unless NULL, receives the last node before the key on every level: where a node would be
 * linked in. */
static struct place find_place(const struct memtable *table, struct slice key, bool inclusive,
                               struct memtable_node *path[HEIGHT_MAX]) {
    struct memtable_node *at = table->head;
    struct memtable_node *behind = NULL; /* known to be beyond: saves comparing one level down */
    for (uint32_t level = HEIGHT_MAX; level-- > 0;) {
        struct memtable_node *next = next_of(at, level);
        while (next != NULL && next != behind) {
            int order = table->compare(node_key(next), key);
            if (order > 0 || (order == 0 && !inclusive)) break;
            at = next;
            next = next_of(at, level);
        }
        behind = next;
        if (path != NULL) path[level] = at;
    }
    return (struct place){at, behind};
}

static struct memtable_node *find_equal(const struct memtable *table, struct slice key,
                                        struct memtable_node *path[HEIGHT_MAX]) {
    struct memtable_node *node = find_place(table, key, false, path).behind;
    return node != NULL && table->compare(node_key(node), key) == 0 ? node : NULL;
}

static uint32_t draw_height(struct memtable *table) {
    uint32_t height = 1;
    uint64_t bits = prng_u64(&table->prng);
    while (height < HEIGHT_MAX && bits % BRANCHING == 0) {
        height++;
        bits /= BRANCHING;
    }
    return height;
}

/* From the top down, so that a reader that still finds the node on a level finds it below too. */
static void unlink_node(struct memtable *table, struct memtable_node *node,
                        struct memtable_node *path[HEIGHT_MAX]) {
    for (uint32_t level = node->height; level-- > 0;) {
        assert(next_of(path[level], level) == node);
        link_to(path[level], level, next_of(node, level));
    }
    table->count--;
    table->mark++;
    if (!table->concurrent) {
        node_free(table, node);
        return;
    }
    node->retired_at = table->mark;
    if (table->retired_last != NULL) table->retired_last->next_retired = node;
    if (table->retired_first == NULL) table->retired_first = node;
    table->retired_last = node;
}

enum status memtable_put(struct memtable *table, struct slice key, struct slice value) {
    assert(key.len <= UINT32_MAX && value.len <= UINT32_MAX);
    struct memtable_node *path[HEIGHT_MAX];
    struct memtable_node *old = find_equal(table, key, path);
    uint32_t height = old != NULL ? old->height : draw_height(table);
    size_t size = node_size(height, key.len, value.len);
    if (table->limit_bytes > 0 && table->bytes + size > table->limit_bytes) return STATUS_BUSY;
    struct memtable_node *node = node_new(height, key, value);
    table->bytes += size;
    table->count++;
    /* A replacement stands in front of the old node until that is unlinked: readers find either. */
    for (uint32_t level = 0; level < height; level++) {
        link_to(node, level, next_of(path[level], level));
        link_to(path[level], level, node);
        if (old != NULL) path[level] = node;
    }
    if (old != NULL) unlink_node(table, old, path);
    return STATUS_OK;
}

bool memtable_remove(struct memtable *table, struct slice key) {
    struct memtable_node *path[HEIGHT_MAX];
    struct memtable_node *node = find_equal(table, key, path);
    if (node == NULL) return false;
    unlink_node(table, node, path);
    return true;
}

bool memtable_get(const struct memtable *table, struct slice key, struct slice *value) {
    const struct memtable_node *node = find_equal(table, key, NULL);
    if (node == NULL) return false;
    *value = node_value(node);
    return true;
}

size_t memtable_count(const struct memtable *table) { return table->count; }

size_t memtable_bytes(const struct memtable *table) { return table->bytes; }

uint64_t memtable_mark(const struct memtable *table) { return table->mark; }

void memtable_reclaim(struct memtable *table, uint64_t oldest_mark) {
    while (table->retired_first != NULL && table->retired_first->retired_at <= oldest_mark) {
        struct memtable_node *node = table->retired_first;
        table->retired_first = node->next_retired;
        node_free(table, node);
    }
    if (table->retired_first == NULL) table->retired_last = NULL;
}

/* ---- iterators ------------------------------------------------------------------------------ */

struct memtable_iterator memtable_iterator_of(const struct memtable *table) {
    return (struct memtable_iterator){table, NULL};
}

void memtable_seek_first(struct memtable_iterator *it) { it->node = next_of(it->table->head, 0); }

static void stand_on(struct memtable_iterator *it, const struct memtable_node *node) {
    it->node = node == it->table->head ? NULL : node;
}

void memtable_seek_last(struct memtable_iterator *it) {
    const struct memtable_node *at = it->table->head;
    for (uint32_t level = HEIGHT_MAX; level-- > 0;) {
        for (const struct memtable_node *next = next_of(at, level); next != NULL;
             next = next_of(at, level))
            at = next;
    }
    stand_on(it, at);
}

void memtable_seek(struct memtable_iterator *it, struct slice key) {
    it->node = find_place(it->table, key, false, NULL).behind;
}

void memtable_seek_for_prev(struct memtable_iterator *it, struct slice key) {
    stand_on(it, find_place(it->table, key, true, NULL).before);
}

void memtable_seek_before(struct memtable_iterator *it, struct slice key) {
    stand_on(it, find_place(it->table, key, false, NULL).before);
}

void memtable_next(struct memtable_iterator *it) {
    assert(it->node != NULL);
    it->node = next_of(it->node, 0);
}

void memtable_prev(struct memtable_iterator *it) {
    assert(it->node != NULL);
    memtable_seek_before(it, node_key(it->node));
}

struct slice memtable_key(const struct memtable_iterator *it) {
    assert(it->node != NULL);
    return node_key(it->node);
}

struct slice memtable_value(const struct memtable_iterator *it) {
    assert(it->node != NULL);
    return node_value(it->node);
}

size_t memtable_estimate_count(const struct memtable *table, struct slice start, struct slice end) {
    enum { ENOUGH = 64 };
    struct memtable_node *path[HEIGHT_MAX];
    find_place(table, start, false, path);
    size_t scale = 1;
    for (uint32_t level = 1; level < HEIGHT_MAX; level++)
        scale *= BRANCHING;
    for (uint32_t level = HEIGHT_MAX; level-- > 0; scale /= BRANCHING) {
        size_t count = 0;
        for (const struct memtable_node *node = next_of(path[level], level); node != NULL;
             node = next_of(node, level)) {
            if (end.len > 0 && table->compare(node_key(node), end) >= 0) break;
            count++;
        }
        if (count >= ENOUGH || level == 0) return count * scale;
    }
    return 0;
}

void memtable_check_invariants(const struct memtable *table) {
    size_t count = 0;
    for (uint32_t level = 0; level < HEIGHT_MAX; level++) {
        const struct memtable_node *before = table->head;
        for (const struct memtable_node *node = next_of(before, level); node != NULL;
             node = next_of(node, level)) {
            assert(node->height > level);
            /* Invariant 1. */
            assert(before == table->head || table->compare(node_key(before), node_key(node)) < 0);
            if (level == 0) count++;
            before = node;
        }
    }
    assert(count == table->count);
}
