/* raft_log.c - the array of entries behind the core, compacted at its front and cut at its end.
 *
 * Knows nothing of roles, messages or what is durable. Compaction only moves `head`; the array is
 * moved down when an append needs the room, at most once per as many appends as it is long. */
#include "raft_log.h"

#include <assert.h>
#include <string.h>

#include "mem.h"

enum { RAFT_LOG_MIN_CAPACITY = 64 };

void raft_log_init(struct raft_log *log, uint64_t start_index, uint64_t start_term,
                   const struct raft_entry *entries, size_t count) {
    *log = (struct raft_log){.start_index = start_index, .start_term = start_term};
    log->capacity = count + RAFT_LOG_MIN_CAPACITY;
    log->entries = mem_alloc(log->capacity * sizeof(*log->entries));
    log->count = count;
    if (count > 0) memcpy(log->entries, entries, count * sizeof(*entries));
}

void raft_log_deinit(struct raft_log *log) {
    mem_free(log->entries);
    *log = (struct raft_log){0};
}

uint64_t raft_log_last_term(const struct raft_log *log) {
    return log->count > 0 ? log->entries[log->head + log->count - 1].term : log->start_term;
}

const struct raft_entry *raft_log_at(const struct raft_log *log, uint64_t index) {
    assert(index > log->start_index && index <= raft_log_last(log));
    return &log->entries[log->head + (size_t)(index - log->start_index - 1)];
}

bool raft_log_term(const struct raft_log *log, uint64_t index, uint64_t *term) {
    if (index < log->start_index || index > raft_log_last(log)) return false;
    *term = index == log->start_index ? log->start_term : raft_log_at(log, index)->term;
    return true;
}

bool raft_log_has(const struct raft_log *log, uint64_t index, uint64_t term) {
    uint64_t own;
    return raft_log_term(log, index, &own) && own == term;
}

static void make_room(struct raft_log *log) {
    if (log->head > log->capacity / 2) {
        memmove(log->entries, log->entries + log->head, log->count * sizeof(*log->entries));
        log->head = 0;
        return;
    }
    log->capacity *= 2;
    log->entries = mem_realloc(log->entries, log->capacity * sizeof(*log->entries));
}

void raft_log_append(struct raft_log *log, const struct raft_entry *entry) {
    assert(entry->term >= raft_log_last_term(log));
    if (log->head + log->count == log->capacity) make_room(log);
    log->entries[log->head + log->count++] = *entry;
}

void raft_log_truncate(struct raft_log *log, uint64_t index) {
    assert(index > log->start_index);
    if (index <= raft_log_last(log)) log->count = (size_t)(index - log->start_index - 1);
}

void raft_log_compact(struct raft_log *log, uint64_t index) {
    uint64_t term = 0;
    bool known = raft_log_term(log, index, &term);
    assert(known);
    if (!known) return;
    size_t dropped = (size_t)(index - log->start_index);
    log->head += dropped;
    log->count -= dropped;
    log->start_index = index;
    log->start_term = term;
}

void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term) {
    log->head = log->count = 0;
    log->start_index = index;
    log->start_term = term;
}

size_t raft_log_matching(const struct raft_log *log, uint64_t first,
                         const struct raft_entry *entries, size_t count) {
    size_t i = 0;
    if (first <= log->start_index) {
        uint64_t compacted = log->start_index - first + 1;
        i = compacted < count ? (size_t)compacted : count;
    }
    while (i < count && raft_log_has(log, first + i, entries[i].term))
        i++;
    return i;
}

uint64_t raft_log_conflict(const struct raft_log *log, uint64_t index, uint64_t term) {
    uint64_t low = log->start_index, last = raft_log_last(log);
    uint64_t high = index < last ? index : last;
    /* Invariant of the bisection: what is asked for lies in [low, high]. */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (raft_log_at(log, middle)->term <= term)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

bool raft_log_up_to_date(const struct raft_log *log, uint64_t index, uint64_t term) {
    uint64_t last_term = raft_log_last_term(log);
    return term > last_term || (term == last_term && index >= raft_log_last(log));
}
