/* lock_deadlock.c - is there a path from those a transaction is about to wait for back to itself?
 *
 * The whole waits-for graph is on this leader, so a depth-first search at enqueue finds every
 * deadlock at the moment it would arise, and the one who closes the cycle is the victim (Gray and
 * Reuter, "Transaction Processing", 7.11.3). The queue of a lock is walked once per search,
 * however many of its waiters are reached. */
#include <assert.h>

#include "lock_internal.h"
#include "mem.h"

static void push(struct lock_table *table, struct lock_txn *txn) {
    if (txn->visit == table->visit) return;
    txn->visit = table->visit;
    if (table->stack_len == table->stack_capacity) {
        table->stack_capacity = table->stack_capacity > 0 ? table->stack_capacity * 2 : 64;
        table->stack = mem_realloc(table->stack, table->stack_capacity * sizeof(struct lock_txn *));
    }
    table->stack[table->stack_len++] = txn;
}

/* Whoever waits in this queue at `sequence` waits for the holder and for all who came before. */
static void push_ahead(struct lock_table *table, struct lock *lock, uint64_t sequence,
                       const struct lock_txn *requester) {
    push(table, lock->holder);
    bool seen = lock->visit == table->visit;
    if (seen && lock->visit_sequence >= sequence) return;
    uint64_t from = seen ? lock->visit_sequence : 0;
    lock->visit = table->visit;
    lock->visit_sequence = sequence;
    for (struct lock_wait *wait = lock->queue_first; wait != NULL; wait = wait->next) {
        if (wait->sequence >= sequence) break;
        if (wait->sequence >= from && wait->txn != requester) push(table, wait->txn);
    }
}

bool lock_would_deadlock(struct lock_table *table, struct lock_txn *txn, struct lock *lock) {
    assert(lock->holder != txn);
    if (txn->locks == NULL && txn->waits == NULL) return false; /* no one waits for it */
    table->visit++;
    table->stack_len = 0;
    push_ahead(table, lock, table->sequence, txn);
    while (table->stack_len > 0) {
        struct lock_txn *next = table->stack[--table->stack_len];
        if (next == txn) return true;
        for (struct lock_wait *wait = next->waits; wait != NULL; wait = wait->txn_next) {
            /* A request of ours ahead of it is an edge to us, which counts: */
            for (struct lock_wait *own = txn->waits; own != NULL; own = own->txn_next) {
                if (own->lock == wait->lock && own->sequence < wait->sequence) return true;
            }
            push_ahead(table, wait->lock, wait->sequence, txn);
        }
    }
    return false;
}
