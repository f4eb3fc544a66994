/* latch.h - short holds on spans of keys, from the evaluation of a command until its effect is
 * applied.
 *
 * (After CockroachDB's spanlatch manager.) A guard holds all latches of one command. It is
 * granted when no conflicting latch of an earlier guard is left; two latches conflict if their
 * spans overlap and at least one of them writes.
 *
 * Invariants
 *  1. Two granted guards have no conflicting latches.
 *  2. First come, first served: a guard waits for every conflicting guard that came before it and
 *     for none that came after. So nobody starves, and no cycle of guards can wait for each
 *     other.
 *  3. Acquiring and releasing a latch costs O(log n + conflicts).
 *
 * Loop only; waiting is a callback. No I/O, no clock. */
#ifndef CAIRN_LATCH_H
#define CAIRN_LATCH_H

#include <stddef.h>

#include "span.h"

struct latch_guard;

/* Filled in by the guard's owner: span and access. Its slices live as long as it is held. */
struct latch {
    struct span span;
    enum span_access access;
    /* the manager's: a node of a treap ordered by start, which knows the furthest end below it */
    struct latch_guard *guard;
    uint64_t sequence; /* order of arrival */
    uint64_t priority;
    struct latch *left, *right;
    const struct latch *furthest;
};

/* Embedded in its owner. */
struct latch_guard {
    struct latch *latches;
    size_t count;
    /* Called once, inside latches_release of another guard, unless it was granted at once. It
     * must not acquire or release latches: it notes that the guard may go on. */
    void (*granted)(struct latch_guard *guard);
    void *arg;
    size_t blockers; /* the manager's: pairs of conflicting latches with earlier guards */
    bool active;
};

struct latches {
    struct latch *root;
    uint64_t sequence;
    size_t count;   /* latches */
    size_t waiting; /* guards */
};

void latches_init(struct latches *latches);

/* True: granted. False: it waits, and `granted` will be called. */
bool latches_acquire(struct latches *latches, struct latch_guard *guard);
/* A granted or a waiting guard. No-op if it is not active. */
void latches_release(struct latches *latches, struct latch_guard *guard);

/* Asserts the order, the furthest ends and invariant 1. */
void latches_check_invariants(const struct latches *latches);

#endif
