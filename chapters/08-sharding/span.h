/* span.h - a piece of the key space: one key, or [start, end). Pure. */
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

/* <0, 0, >0: by space, then by where they start. */
int span_compare_start(const struct span *a, const struct span *b);
/* <0, 0, >0: by space, then by where they end. */
int span_compare_end(const struct span *a, const struct span *b);
/* True if every key of `a` is below every key of `b`. */
bool span_is_before(const struct span *a, const struct span *b);
/* True if some key may lie in both. */
bool span_overlaps(const struct span *a, const struct span *b);
/* `key` is of the span's space. */
bool span_contains(const struct span *span, struct slice key);

#endif
