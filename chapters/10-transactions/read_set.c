/* read_set.c - collecting and joining the spans that were read. */
#include "read_set.h"

#include <stdlib.h>

#include "mem.h"

void read_set_init(struct read_set *set) {
    *set = (struct read_set){0};
    arena_init(&set->arena, 0);
}

void read_set_deinit(struct read_set *set) {
    mem_free(set->spans);
    arena_deinit(&set->arena);
    *set = (struct read_set){0};
}

static int by_start(const void *a, const void *b) {
    const struct span *left = a, *right = b;
    int order = span_compare_start(left, right);
    return order != 0 ? order : -span_compare_end(left, right); /* the longer one first */
}

/* `a` starts no later than `b`: both, and the gap between them. */
static struct span join(struct arena *arena, const struct span *a, const struct span *b) {
    const struct span *last = span_compare_end(a, b) >= 0 ? a : b;
    if (last == a) return *a;
    if (!last->point) return span_range(a->space, a->start, last->end);
    uint8_t *end = arena_alloc(arena, last->start.len + 1); /* just behind the point */
    if (last->start.len > 0) memcpy(end, last->start.data, last->start.len);
    end[last->start.len] = 0;
    return span_range(a->space, a->start, slice_of(end, last->start.len + 1));
}

void read_set_compact(struct read_set *set) {
    if (set->count < 2) return;
    qsort(set->spans, set->count, sizeof *set->spans, by_start);
    size_t kept = 1;
    for (size_t i = 1; i < set->count; i++) {
        struct span *last = &set->spans[kept - 1];
        if (span_compare_end(&set->spans[i], last) <= 0) continue; /* contained */
        if (span_overlaps(last, &set->spans[i]))
            *last = join(&set->arena, last, &set->spans[i]);
        else
            set->spans[kept++] = set->spans[i];
    }
    set->count = kept;
}

/* Every two neighbours become one. */
static void halve(struct read_set *set) {
    read_set_compact(set);
    if (set->count <= READ_SET_MAX / 2) return;
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i += 2) {
        set->spans[kept++] = i + 1 < set->count
                                 ? join(&set->arena, &set->spans[i], &set->spans[i + 1])
                                 : set->spans[i];
    }
    set->count = kept;
    struct arena fresh;
    arena_init(&fresh, 0);
    for (size_t i = 0; i < set->count; i++) {
        set->spans[i].start = arena_dup_slice(&fresh, set->spans[i].start);
        set->spans[i].end = arena_dup_slice(&fresh, set->spans[i].end);
    }
    arena_deinit(&set->arena);
    set->arena = fresh;
}

static void add(struct read_set *set, struct span span) {
    if (set->count == READ_SET_MAX) halve(set);
    if (set->count == set->capacity) {
        set->capacity = set->capacity > 0 ? set->capacity * 2 : 8;
        set->spans = mem_realloc(set->spans, set->capacity * sizeof *set->spans);
    }
    span.start = arena_dup_slice(&set->arena, span.start);
    span.end = arena_dup_slice(&set->arena, span.end);
    set->spans[set->count++] = span;
}

void read_set_add_key(struct read_set *set, struct slice key) { add(set, span_point(0, key)); }

void read_set_add_range(struct read_set *set, struct slice start, struct slice end) {
    if (set->count > 0) {
        struct span *last = &set->spans[set->count - 1];
        if (!last->point && last->end.len > 0 && slice_equal(last->end, start)) {
            last->end = arena_dup_slice(&set->arena, end);
            return;
        }
        if (!last->point && end.len > 0 && slice_equal(last->start, end)) {
            last->start = arena_dup_slice(&set->arena, start);
            return;
        }
    }
    add(set, span_range(0, start, end));
}
