/* span.c - comparing pieces of the key space.
 *
 * The end of a point is its own key, included; the end of a range is excluded. With equal bytes
 * the point therefore ends later. No I/O, no state. */
#include "span.h"

static int compare_space(const struct span *a, const struct span *b) {
    return (a->space > b->space) - (a->space < b->space);
}

int span_compare_start(const struct span *a, const struct span *b) {
    int order = compare_space(a, b);
    return order != 0 ? order : slice_compare(a->start, b->start);
}

static bool unbounded(const struct span *span) { return !span->point && span->end.len == 0; }

int span_compare_end(const struct span *a, const struct span *b) {
    int order = compare_space(a, b);
    if (order != 0) return order;
    if (unbounded(a) || unbounded(b)) return (int)unbounded(a) - (int)unbounded(b);
    order = slice_compare(a->point ? a->start : a->end, b->point ? b->start : b->end);
    return order != 0 ? order : (int)a->point - (int)b->point;
}

bool span_is_before(const struct span *a, const struct span *b) {
    if (a->space != b->space) return a->space < b->space;
    if (unbounded(a)) return false;
    if (a->point) return slice_compare(a->start, b->start) < 0;
    return slice_compare(a->end, b->start) <= 0;
}

bool span_overlaps(const struct span *a, const struct span *b) {
    return !span_is_before(a, b) && !span_is_before(b, a);
}

bool span_contains(const struct span *span, struct slice key) {
    struct span point = span_point(span->space, key);
    return span_overlaps(span, &point);
}
