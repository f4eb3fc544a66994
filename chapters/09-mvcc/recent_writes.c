/* recent_writes.c - the ring of recent writes. The newest are looked at first. */
#include "recent_writes.h"

#include <assert.h>

#include "mem.h"

/* Comparisons that one question may cost: about what some tens of seeks in an engine cost. */
enum { MAX_COMPARISONS = 4096 };

struct recent_write {
    hlc_timestamp timestamp;
    uint8_t *key;
    size_t key_len;
    size_t key_capacity;
};

struct recent_writes {
    struct recent_write *ring;
    size_t capacity, count, next; /* next: where the next write goes */
    hlc_timestamp oldest;
    uint64_t term;
};

struct recent_writes *recent_writes_new(size_t capacity) {
    struct recent_writes *recent = MEM_NEW(struct recent_writes);
    recent->ring = mem_zalloc(capacity * sizeof(*recent->ring));
    recent->capacity = capacity;
    recent->oldest = HLC_MAX;
    return recent;
}

void recent_writes_free(struct recent_writes *recent) {
    if (recent == NULL) return;
    for (size_t i = 0; i < recent->capacity; i++)
        mem_free(recent->ring[i].key);
    mem_free(recent->ring);
    mem_free(recent);
}

void recent_writes_enter_term(struct recent_writes *recent, uint64_t term, hlc_timestamp applied) {
    if (term == recent->term) return;
    recent->term = term;
    recent->count = 0;
    recent->oldest = applied; /* nothing of this term was evaluated yet */
}

void recent_writes_add(struct recent_writes *recent, struct slice key, hlc_timestamp timestamp) {
    struct recent_write *write = &recent->ring[recent->next];
    if (recent->count == recent->capacity) {
        assert(write->timestamp >= recent->oldest);
        recent->oldest = write->timestamp;
    } else {
        recent->count++;
    }
    recent->next = (recent->next + 1) % recent->capacity;
    if (key.len > write->key_capacity) {
        write->key = mem_realloc(write->key, key.len);
        write->key_capacity = key.len;
    }
    if (key.len > 0) memcpy(write->key, key.data, key.len);
    write->key_len = key.len;
    write->timestamp = timestamp;
}

void recent_writes_forget(struct recent_writes *recent, hlc_timestamp timestamp) {
    recent->count = 0;
    recent->oldest = timestamp;
}

enum recent_answer recent_writes_changed(const struct recent_writes *recent,
                                         const struct span *spans, size_t count,
                                         hlc_timestamp after, hlc_timestamp upto,
                                         struct slice *key) {
    if (after < recent->oldest) return RECENT_UNKNOWN;
    size_t comparisons = 0;
    for (size_t i = 1; i <= recent->count; i++) {
        const struct recent_write *write =
            &recent->ring[(recent->next + recent->capacity - i) % recent->capacity];
        if (write->timestamp <= after) break;
        if (write->timestamp > upto) continue;
        comparisons += count;
        if (comparisons > MAX_COMPARISONS) return RECENT_UNKNOWN;
        struct slice written = slice_of(write->key, write->key_len);
        for (size_t s = 0; s < count; s++) {
            if (!span_contains(&spans[s], written)) continue;
            *key = written;
            return RECENT_CHANGED;
        }
    }
    return RECENT_UNCHANGED;
}
