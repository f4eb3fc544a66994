/* raft_log.h - what the core keeps of the log: term, type and size of each entry, by index.
 *
 * Pure. The log holds the entries (start_index, last]; of the entry at start_index, the last one
 * compacted away, the term is known too, because appends right after it must name it.
 *
 * Invariants
 *  1. Terms never fall from one entry to the next (Raft 5.3), so they can be searched by bisection.
 *  2. Appending costs O(1) amortised; memory grows to the longest log seen and is reused. */
#ifndef CAIRN_RAFT_LOG_H
#define CAIRN_RAFT_LOG_H

#include "raft.h"

struct raft_log {
    struct raft_entry *entries; /* those at [head, head + count) are the log */
    size_t head, count, capacity;
    uint64_t start_index, start_term;
};

/* Copies the entries. */
void raft_log_init(struct raft_log *log, uint64_t start_index, uint64_t start_term,
                   const struct raft_entry *entries, size_t count);
void raft_log_deinit(struct raft_log *log);

static inline uint64_t raft_log_last(const struct raft_log *log) {
    return log->start_index + log->count;
}
uint64_t raft_log_last_term(const struct raft_log *log);

/* The entry at an index in (start_index, last]; any other index is a bug. */
const struct raft_entry *raft_log_at(const struct raft_log *log, uint64_t index);
/* True and the term, for an index in [start_index, last]. */
bool raft_log_term(const struct raft_log *log, uint64_t index, uint64_t *term) MUST_CHECK;
/* True if the entry at `index` is known to be of `term`. */
bool raft_log_has(const struct raft_log *log, uint64_t index, uint64_t term) MUST_CHECK;

void raft_log_append(struct raft_log *log, const struct raft_entry *entry);
/* Drops the entries from `index` on; start_index < index. */
void raft_log_truncate(struct raft_log *log, uint64_t index);
/* Drops the entries up to `index`, which is in [start_index, last]. */
void raft_log_compact(struct raft_log *log, uint64_t index);
/* Forgets all entries: a snapshot up to `index` took their place. */
void raft_log_reset(struct raft_log *log, uint64_t index, uint64_t term);

/* How many of the `count` entries that stand at `first` and after in a leader's log are here
 * already, with the same terms. Those up to start_index count as here: they are committed. */
size_t raft_log_matching(const struct raft_log *log, uint64_t first,
                         const struct raft_entry *entries, size_t count);

/* The last index, not above `index`, whose term is not above `term` (start_index if there is none
 * after it). When an append after (index, term) does not fit, both sides use it to skip whole terms
 * that cannot match, one round trip a term instead of one an entry (Raft 5.3, end). */
uint64_t raft_log_conflict(const struct raft_log *log, uint64_t index, uint64_t term);

/* Is a log that ends in (index, term) at least as up to date as this one? (Raft 5.4.1) */
bool raft_log_up_to_date(const struct raft_log *log, uint64_t index, uint64_t term);

#endif
