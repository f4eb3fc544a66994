/* span.h - a piece of the key space: one key, or [start, end). */
#ifndef CAIRN_SPAN_H
#define CAIRN_SPAN_H

#include "slice.h"

enum span_access { SPAN_READ, SPAN_WRITE };

struct span {
    uint8_t space;      /* keys of different spaces never meet */
    bool point;         /* the key `start` alone; `end` is unused */
    struct slice start; /* inclusive */
    struct slice end;   /* exclusive; empty: no upper bound */
};

static inline struct span span_point(uint8_t space, struct slice key) {
    return (struct span){space, true, key, SLICE_EMPTY};
}
static inline struct span span_range(uint8_t space, struct slice start, struct slice end) {
    return (struct span){space, false, start, end};
}

/* True if some key lies in both. */
bool span_overlaps(const struct span *a, const struct span *b);
bool span_contains(const struct span *span, struct slice key);
/* Orders by where spans end: <0, 0, >0. */
int span_compare_end(const struct span *a, const struct span *b);
/* True if `span` ends at or before `key` (of the same space). */
bool span_ends_before(const struct span *span, struct slice key);

#endif
