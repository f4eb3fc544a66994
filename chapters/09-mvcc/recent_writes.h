/* recent_writes.h - the last writes of a leadership, in memory: "did this span change since T?"
 *
 * Validating a commit against the engine costs a seek for every key it read, and a walk for every
 * span. But a transaction is usually young, and few writes are younger: those are kept here, in a
 * ring, and for a young transaction they are all there is to look at.
 *
 * Invariants
 *  1. Every version evaluated in this term with a timestamp above `oldest` is in the ring (and
 *     perhaps some that were never committed: that can cost a needless conflict, never a missed
 *     one).
 *  2. Timestamps do not decrease along the ring.
 *
 * Loop only, pure. All commands that write versioned keys of one store share one. */
#ifndef CAIRN_RECENT_WRITES_H
#define CAIRN_RECENT_WRITES_H

#include <stddef.h>

#include "hlc.h"
#include "span.h"

struct recent_writes;

/* capacity: writes that are remembered. */
struct recent_writes *recent_writes_new(size_t capacity);
void recent_writes_free(struct recent_writes *recent);

/* Before any use in an evaluation: in a new term everything is forgotten. `applied` as in
 * evaluation. */
void recent_writes_enter_term(struct recent_writes *recent, uint64_t term, hlc_timestamp applied);
void recent_writes_add(struct recent_writes *recent, struct slice key, hlc_timestamp timestamp);
/* A commit with too many keys to be worth remembering: all up to `timestamp` is forgotten. */
void recent_writes_forget(struct recent_writes *recent, hlc_timestamp timestamp);

enum recent_answer { RECENT_UNCHANGED, RECENT_CHANGED, RECENT_UNKNOWN };
/* Was a key in one of the spans written in (after, upto]? CHANGED: *key borrows until the next
 * add. UNKNOWN: `after` is too long ago, or there would be too much to compare: ask the engine. */
enum recent_answer recent_writes_changed(const struct recent_writes *recent,
                                         const struct span *spans, size_t count,
                                         hlc_timestamp after, hlc_timestamp upto,
                                         struct slice *key);

#endif
