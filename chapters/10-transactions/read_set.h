/* read_set.h - what a transaction has read: keys and spans, for validation.
 *
 * Bounded: beyond READ_SET_MAX spans neighbours are joined, which covers what was read and the gaps
 * between. That can cost a needless conflict, never a missed one.
 *
 * Pure; nothing suspends. */
#ifndef CAIRN_READ_SET_H
#define CAIRN_READ_SET_H

#include "arena.h"
#include "span.h"

enum { READ_SET_MAX = 16 * 1024 };

struct read_set {
    struct span *spans; /* space 0 */
    size_t count, capacity;
    struct arena arena; /* their bytes */
};

void read_set_init(struct read_set *set);
void read_set_deinit(struct read_set *set);
/* Copies. A range that continues the last one added, in either direction, makes it longer. */
void read_set_add_key(struct read_set *set, struct slice key);
void read_set_add_range(struct read_set *set, struct slice start, struct slice end);
/* Sorts, drops what is contained in another. */
void read_set_compact(struct read_set *set);

#endif
