/* write_set.h - the writes of a transaction that is not committed yet, in order of key.
 *
 * Each write is a *version* with a number. Versions of a key stay as long as someone may need them:
 * a savepoint to go back to, or a cursor that sees the writes made before it was opened. With
 * neither in between, a later write replaces the earlier one.
 *
 * Invariants
 *  1. Numbers increase: along a key's versions and along the log that undoes them.
 *  2. A version numbered at or below the barrier is neither changed nor freed, except by
 *     write_set_undo.
 *
 * Pure; loop or coroutine. Nothing suspends. */
#ifndef CAIRN_WRITE_SET_H
#define CAIRN_WRITE_SET_H

#include "memtable.h"
#include "slice.h"
#include "status.h"

struct write_version {
    struct write_version *older;
    uint64_t number;
    bool deleted;
    bool must_be_absent; /* the key had no version of ours before the first one that says so */
    size_t value_len;
    uint8_t value[];
};

static inline struct slice write_version_value(const struct write_version *version) {
    return slice_of(version->value, version->value_len);
}

struct write_entry;

struct write_set {
    struct memtable *entries; /* key -> struct write_entry *; NULL until the first write */
    struct write_entry **log; /* one for each version, in order */
    size_t log_len, log_capacity;
    uint64_t number, barrier;
    uint64_t seed;
    size_t bytes, limit_bytes;
};

void write_set_init(struct write_set *set, uint64_t seed, size_t limit_bytes);
void write_set_deinit(struct write_set *set);
/* TOO_LARGE: over limit_bytes, nothing changed. Copies. must_be_absent is inherited by later
 * versions. */
enum status write_set_add(struct write_set *set, struct slice key, struct slice value, bool deleted,
                          bool must_be_absent, struct error *error) MUST_CHECK;
/* The newest version with a number <= `upto`; NULL if there is none. */
const struct write_version *write_set_find(const struct write_set *set, struct slice key,
                                           uint64_t upto);
/* The number of the last write; from now on it is protected (invariant 2). */
uint64_t write_set_mark(struct write_set *set);
/* Drops every version numbered above `number`. */
void write_set_undo(struct write_set *set, uint64_t number);
bool write_set_empty(const struct write_set *set);

/* ---- in order ------------------------------------------------------------------------------- */

struct write_iterator {
    struct memtable_iterator at;
    uint64_t upto;
};

/* To the first key >= `key` (reverse: < `key`, or the last if `key` is empty) that has a version
 * <= upto. */
struct write_iterator write_set_seek(const struct write_set *set, struct slice key, bool reverse,
                                     uint64_t upto);
bool write_iterator_valid(const struct write_iterator *it);
void write_iterator_next(struct write_iterator *it, bool reverse);
struct slice write_iterator_key(const struct write_iterator *it);
const struct write_version *write_iterator_version(const struct write_iterator *it);

#endif
