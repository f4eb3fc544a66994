/* lock_table.h - row locks of transactions, held by the leader in memory, with queues.
 *
 * They keep transactions that are about to write the same row from aborting each other. Nothing
 * relies on them for correctness (validation at commit does), so they are not replicated and are
 * dropped when leadership is lost.
 *
 * Invariants
 *  1. A key is locked by at most one transaction; its queue is first in, first out.
 *  2. The waits-for graph (a waiter waits for the holder and for all ahead of it in the queue)
 *     has no cycle: the request that would close one is refused. Granting adds no edge, so that
 *     checking at enqueue is enough.
 *  3. A queue exists only where there is a holder.
 *
 * Loop only; waiting is a callback. No I/O; time is passed in. */
#ifndef CAIRN_LOCK_TABLE_H
#define CAIRN_LOCK_TABLE_H

#include <stddef.h>

#include "hlc.h"
#include "slice.h"
#include "status.h"

struct lock_table;

/* A transaction, as locks and records know it: when it began, and random bits. */
struct txn_id {
    hlc_timestamp begin;
    uint64_t random;
};

static inline bool txn_id_equal(struct txn_id a, struct txn_id b) {
    return a.begin == b.begin && a.random == b.random;
}

/* Embedded in its owner, which must live until `done` or lock_table_cancel. */
struct lock_wait {
    /* OK: the lock is held. CANCELLED: its transaction was released. NOT_LEADER:
     * lock_table_clear. Runs inside a call of this table; it may note what happened, and calls
     * nothing of the table. */
    void (*done)(struct lock_wait *wait, enum status status);
    void *arg;
    /* the table's: */
    struct lock *lock; /* NULL when not waiting */
    struct lock_txn *txn;
    uint64_t sequence;
    struct lock_wait *next, *prev;         /* in the lock's queue */
    struct lock_wait *txn_next, *txn_prev; /* of the same transaction */
};

/* timeout_ns: a holder not heard of for so long loses its locks. */
struct lock_table *lock_table_new(uint64_t timeout_ns, size_t max_locks);
void lock_table_free(struct lock_table *table); /* no one may wait */

/* OK: held now (also when it was before). WOULD_BLOCK: queued, `done` follows. DEADLOCK: not
 * queued. BUSY: max_locks are held, and this key is not among them. Being granted counts as a
 * sign of life. */
enum status lock_table_acquire(struct lock_table *table, struct txn_id txn, struct slice key,
                               uint64_t now_ns, struct lock_wait *wait) MUST_CHECK;
/* The same without queueing: OK, WOULD_BLOCK, BUSY. */
enum status lock_table_try(struct lock_table *table, struct txn_id txn, struct slice key,
                           uint64_t now_ns) MUST_CHECK;
/* A sign of life. No-op for a transaction without locks. */
void lock_table_touch(struct lock_table *table, struct txn_id txn, uint64_t now_ns);
/* Ends the transaction's waits with CANCELLED and hands its locks to the next in their queues. */
void lock_table_release(struct lock_table *table, struct txn_id txn, uint64_t now_ns);
/* Leaves the queue; no-op if not waiting. */
void lock_table_cancel(struct lock_table *table, struct lock_wait *wait);
/* Takes the locks of transactions not heard of for the timeout; their waits stay. Returns how
 * many transactions. */
size_t lock_table_expire(struct lock_table *table, uint64_t now_ns);
/* Drops every lock; all waits end with NOT_LEADER. */
void lock_table_clear(struct lock_table *table);

bool lock_table_holds(const struct lock_table *table, struct txn_id txn, struct slice key);
size_t lock_table_locks(const struct lock_table *table);
size_t lock_table_waiters(const struct lock_table *table);
/* Asserts invariants 1 and 3 and the counts. */
void lock_table_check_invariants(const struct lock_table *table);

#endif
