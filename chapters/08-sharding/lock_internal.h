/* lock_internal.h - what lock_table.c and lock_deadlock.c share. For no one else. */
#ifndef CAIRN_LOCK_INTERNAL_H
#define CAIRN_LOCK_INTERNAL_H

#include "lock_table.h"

struct lock {
    struct lock *hash_next;
    uint64_t hash;
    struct lock_txn *holder;
    struct lock *txn_next, *txn_prev; /* locks of the same holder */
    struct lock_wait *queue_first, *queue_last;
    /* Of the search for deadlocks: in search `visit` everyone in the queue up to `visit_sequence`
     * has been looked at. */
    uint64_t visit, visit_sequence;
    size_t key_len;
    uint8_t key[];
};

struct lock_txn {
    struct txn_id id;
    uint64_t heard_ns;
    struct lock_txn *hash_next;
    struct lock_txn *next, *prev; /* all, in order of arrival */
    struct lock *locks;
    struct lock_wait *waits;
    uint64_t visit; /* of the search for deadlocks */
};

struct lock_table {
    uint64_t timeout_ns;
    size_t max_locks;
    struct lock **locks;
    size_t lock_buckets, lock_count;
    struct lock_txn **txns;
    size_t txn_buckets, txn_count;
    struct lock_txn *first_txn, *last_txn;
    size_t waiter_count;
    uint64_t sequence, visit;
    struct lock_txn **stack; /* of the search for deadlocks */
    size_t stack_len, stack_capacity;
};

/* Would a cycle close if `txn` waited at the end of the lock's queue? */
bool lock_would_deadlock(struct lock_table *table, struct lock_txn *txn, struct lock *lock);

#endif
