/* wal_segments.c - which segments there are: the list, the one that holds a position, and the next
 * one, made before it is needed. What must not live here: the records in them, and which of the old
 * ones may go (wal_trim.c). */
#include <assert.h>

#include "mem.h"
#include "wal_internal.h"

#define RETRY_DELAY_NS NS_PER_S
enum { SEGMENT_ROUNDING_BYTES = 4096 };

void wal_segments_add(struct wal_segment_list *list, struct wal_segment *segment) {
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? 2 * list->capacity : 8;
        list->items = mem_realloc(list->items, list->capacity * sizeof(*list->items));
    }
    list->items[list->count++] = segment;
}

struct wal_segment *wal_segments_take(struct wal_segment_list *list, size_t index) {
    assert(index < list->count);
    struct wal_segment *segment = list->items[index];
    list->count--;
    for (size_t i = index; i < list->count; i++)
        list->items[i] = list->items[i + 1];
    return segment;
}

struct wal_segment *wal_segment_of(const struct wal *wal, uint64_t position) {
    size_t low = 0, high = wal->segments.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct wal_segment *segment = wal->segments.items[middle];
        if (position < segment->header.base)
            high = middle;
        else if (position >= wal_segment_limit(segment))
            low = middle + 1;
        else
            return segment;
    }
    return NULL;
}

/* ---- the next segment ----------------------------------------------------------------------- */

static void prepared(void *arg, enum status status, const struct error *error) {
    struct wal *wal = arg;
    wal->no_space = status == STATUS_NO_SPACE;
    if (wal->closed) {
        wal_release(wal);
    } else if (status == STATUS_CANCELLED) {
        wal_prepare_next(wal);
    } else if (status == STATUS_NO_SPACE) {
        log_warn(env_log(wal->env), "wal", "no space for the next segment dir=%s", wal->dir);
        env_timer_start(wal->env, &wal->retry_timer, env_now_ns(wal->env) + RETRY_DELAY_NS);
    } else if (status != STATUS_OK) {
        wal_fail(wal, "cannot prepare a segment", error);
    } else if (wal->preparation.segment == NULL) {
        wal_prepare_next(wal); /* it was taken before it was quite ready */
    }
}

void wal_prepare_next(struct wal *wal) {
    if (!wal->options.on_loop || wal->failed || wal->closed) return;
    struct wal_preparation *preparation = &wal->preparation;
    if (preparation->running || preparation->segment != NULL) return;
    preparation->env = wal->env;
    preparation->dir = wal->dir;
    preparation->done = prepared;
    preparation->arg = wal;
    wal_preparation_start(preparation, wal_segment_limit(wal_current(wal)),
                          wal->options.segment_bytes);
}

/* A large record gets a segment with room for it behind the preamble. */
static uint64_t capacity_for(const struct wal *wal, uint64_t record_bytes) {
    uint64_t capacity = wal->options.segment_bytes;
    if (record_bytes > capacity / 2) capacity += record_bytes;
    return (capacity + SEGMENT_ROUNDING_BYTES - 1) / SEGMENT_ROUNDING_BYTES *
           SEGMENT_ROUNDING_BYTES;
}

enum status wal_add_segment(struct wal *wal, uint64_t record_bytes, struct error *error) {
    struct wal_segment *current = wal_current(wal);
    uint64_t base = current != NULL ? wal_segment_limit(current) : 0;
    uint64_t capacity = capacity_for(wal, record_bytes);
    struct wal_segment *segment;
    TRY(wal_preparation_take(&wal->preparation, &segment, error));
    if (segment != NULL && segment->header.capacity < capacity) {
        TRY(wal_segment_remove(wal->env, segment, error));
        segment = NULL;
    }
    if (segment == NULL)
        TRY(wal_segment_create(wal->env, wal->dir, base, capacity, &segment, error));
    assert(segment->header.base == base);
    wal_segments_add(&wal->segments, segment);
    wal_prepare_next(wal);
    return STATUS_OK;
}
