/* lock_table.c - two hash tables, of locks by key and of transactions by id, and the lists that
 * link them: a transaction's locks and waits, a lock's queue. Deadlocks: lock_deadlock.c.
 *
 * No order in memory is ever visible: what is walked are the lists. */
#include <assert.h>
#include <stdlib.h>

#include "codec.h"
#include "lock_internal.h"
#include "mem.h"

enum { FIRST_BUCKETS = 64 };

/* ---- hashing -------------------------------------------------------------------------------- */

static uint64_t hash_txn(struct txn_id id) {
    return id.random ^ (id.begin * UINT64_C(0x9e3779b97f4a7c15));
}
static uint64_t hash_key(struct slice key) { return checksum64(key, 0); }

static struct lock **find_lock(const struct lock_table *table, struct slice key, uint64_t hash) {
    struct lock **at = &table->locks[hash & (table->lock_buckets - 1)];
    while (*at != NULL &&
           !((*at)->hash == hash && slice_equal(slice_of((*at)->key, (*at)->key_len), key)))
        at = &(*at)->hash_next;
    return at;
}

static struct lock_txn **find_txn(const struct lock_table *table, struct txn_id id) {
    struct lock_txn **at = &table->txns[hash_txn(id) & (table->txn_buckets - 1)];
    while (*at != NULL && !txn_id_equal((*at)->id, id))
        at = &(*at)->hash_next;
    return at;
}

static void grow_locks(struct lock_table *table) {
    size_t buckets = table->lock_buckets * 2;
    struct lock **grown = mem_zalloc(buckets * sizeof(*grown));
    for (size_t i = 0; i < table->lock_buckets; i++) {
        for (struct lock *lock = table->locks[i], *next; lock != NULL; lock = next) {
            next = lock->hash_next;
            struct lock **at = &grown[lock->hash & (buckets - 1)];
            lock->hash_next = *at;
            *at = lock;
        }
    }
    mem_free(table->locks);
    table->locks = grown;
    table->lock_buckets = buckets;
}

static void grow_txns(struct lock_table *table) {
    size_t buckets = table->txn_buckets * 2;
    struct lock_txn **grown = mem_zalloc(buckets * sizeof(*grown));
    for (struct lock_txn *txn = table->first_txn; txn != NULL; txn = txn->next) {
        struct lock_txn **at = &grown[hash_txn(txn->id) & (buckets - 1)];
        txn->hash_next = *at;
        *at = txn;
    }
    mem_free(table->txns);
    table->txns = grown;
    table->txn_buckets = buckets;
}

/* ---- making and dropping -------------------------------------------------------------------- */

struct lock_table *lock_table_new(uint64_t timeout_ns, size_t max_locks) {
    struct lock_table *table = MEM_NEW(struct lock_table);
    table->timeout_ns = timeout_ns;
    table->max_locks = max_locks;
    table->lock_buckets = table->txn_buckets = FIRST_BUCKETS;
    table->locks = mem_zalloc(FIRST_BUCKETS * sizeof(*table->locks));
    table->txns = mem_zalloc(FIRST_BUCKETS * sizeof(*table->txns));
    return table;
}

void lock_table_free(struct lock_table *table) {
    if (table == NULL) return;
    assert(table->waiter_count == 0);
    lock_table_clear(table);
    mem_free(table->locks);
    mem_free(table->txns);
    mem_free(table->stack);
    mem_free(table);
}

static struct lock_txn *txn_get_or_add(struct lock_table *table, struct txn_id id,
                                       uint64_t now_ns) {
    struct lock_txn **at = find_txn(table, id);
    if (*at != NULL) return *at;
    if (table->txn_count >= table->txn_buckets) {
        grow_txns(table);
        at = find_txn(table, id);
    }
    struct lock_txn *txn = MEM_NEW(struct lock_txn);
    txn->id = id;
    txn->heard_ns = now_ns;
    txn->prev = table->last_txn;
    if (table->last_txn != NULL)
        table->last_txn->next = txn;
    else
        table->first_txn = txn;
    table->last_txn = txn;
    *at = txn;
    table->txn_count++;
    return txn;
}

static void txn_drop_if_idle(struct lock_table *table, struct lock_txn *txn) {
    if (txn->locks != NULL || txn->waits != NULL) return;
    struct lock_txn **at = find_txn(table, txn->id);
    assert(*at == txn);
    *at = txn->hash_next;
    if (txn->prev != NULL)
        txn->prev->next = txn->next;
    else
        table->first_txn = txn->next;
    if (txn->next != NULL)
        txn->next->prev = txn->prev;
    else
        table->last_txn = txn->prev;
    table->txn_count--;
    mem_free(txn);
}

static void hold(struct lock *lock, struct lock_txn *txn) {
    lock->holder = txn;
    lock->txn_prev = NULL;
    lock->txn_next = txn->locks;
    if (txn->locks != NULL) txn->locks->txn_prev = lock;
    txn->locks = lock;
}

static void unhold(struct lock *lock) {
    if (lock->txn_prev != NULL)
        lock->txn_prev->txn_next = lock->txn_next;
    else
        lock->holder->locks = lock->txn_next;
    if (lock->txn_next != NULL) lock->txn_next->txn_prev = lock->txn_prev;
    lock->holder = NULL;
}

static void lock_add(struct lock_table *table, struct slice key, uint64_t hash,
                     struct lock_txn *txn) {
    if (table->lock_count >= table->lock_buckets) grow_locks(table);
    struct lock *lock = mem_alloc(sizeof(*lock) + key.len);
    *lock = (struct lock){.hash = hash, .key_len = key.len};
    if (key.len > 0) memcpy(lock->key, key.data, key.len);
    struct lock **at = &table->locks[hash & (table->lock_buckets - 1)];
    lock->hash_next = *at;
    *at = lock;
    table->lock_count++;
    hold(lock, txn);
}

static void lock_drop(struct lock_table *table, struct lock *lock) {
    struct lock **at = &table->locks[lock->hash & (table->lock_buckets - 1)];
    while (*at != lock)
        at = &(*at)->hash_next;
    *at = lock->hash_next;
    table->lock_count--;
    mem_free(lock);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static void enqueue(struct lock_table *table, struct lock *lock, struct lock_txn *txn,
                    struct lock_wait *wait) {
    wait->lock = lock;
    wait->txn = txn;
    wait->sequence = table->sequence++;
    wait->next = NULL;
    wait->prev = lock->queue_last;
    if (lock->queue_last != NULL)
        lock->queue_last->next = wait;
    else
        lock->queue_first = wait;
    lock->queue_last = wait;
    wait->txn_prev = NULL;
    wait->txn_next = txn->waits;
    if (txn->waits != NULL) txn->waits->txn_prev = wait;
    txn->waits = wait;
    table->waiter_count++;
}

static void dequeue(struct lock_table *table, struct lock_wait *wait) {
    struct lock *lock = wait->lock;
    if (wait->prev != NULL)
        wait->prev->next = wait->next;
    else
        lock->queue_first = wait->next;
    if (wait->next != NULL)
        wait->next->prev = wait->prev;
    else
        lock->queue_last = wait->prev;
    if (wait->txn_prev != NULL)
        wait->txn_prev->txn_next = wait->txn_next;
    else
        wait->txn->waits = wait->txn_next;
    if (wait->txn_next != NULL) wait->txn_next->txn_prev = wait->txn_prev;
    wait->lock = NULL;
    wait->txn = NULL;
    table->waiter_count--;
}

/* The lock has no holder: the first in the queue gets it, with every other request of the same
 * transaction; without a queue it goes away. */
static void pass_on(struct lock_table *table, struct lock *lock, uint64_t now_ns) {
    struct lock_wait *wait = lock->queue_first;
    if (wait == NULL) {
        lock_drop(table, lock);
        return;
    }
    struct lock_txn *txn = wait->txn;
    hold(lock, txn);
    txn->heard_ns = now_ns;
    for (struct lock_wait *next; wait != NULL; wait = next) {
        next = wait->next;
        if (wait->txn != txn) continue;
        dequeue(table, wait);
        wait->done(wait, STATUS_OK);
    }
}

/* ---- the interface -------------------------------------------------------------------------- */

enum status lock_table_acquire(struct lock_table *table, struct txn_id id, struct slice key,
                               uint64_t now_ns, struct lock_wait *wait) {
    assert(wait->lock == NULL);
    uint64_t hash = hash_key(key);
    struct lock *lock = *find_lock(table, key, hash);
    if (lock == NULL && table->lock_count >= table->max_locks) return STATUS_BUSY;
    struct lock_txn *txn = txn_get_or_add(table, id, now_ns);
    if (lock == NULL) {
        lock_add(table, key, hash, txn);
    } else if (lock->holder != txn) {
        if (lock_would_deadlock(table, txn, lock)) {
            txn_drop_if_idle(table, txn);
            return STATUS_DEADLOCK;
        }
        enqueue(table, lock, txn, wait);
        return STATUS_WOULD_BLOCK;
    }
    txn->heard_ns = now_ns;
    return STATUS_OK;
}

enum status lock_table_try(struct lock_table *table, struct txn_id id, struct slice key,
                           uint64_t now_ns) {
    const struct lock *lock = *find_lock(table, key, hash_key(key));
    if (lock != NULL && !txn_id_equal(lock->holder->id, id)) return STATUS_WOULD_BLOCK;
    struct lock_wait unused = {0};
    return lock_table_acquire(table, id, key, now_ns, &unused);
}

void lock_table_touch(struct lock_table *table, struct txn_id id, uint64_t now_ns) {
    struct lock_txn *txn = *find_txn(table, id);
    if (txn != NULL) txn->heard_ns = now_ns;
}

static void give_up_locks(struct lock_table *table, struct lock_txn *txn, uint64_t now_ns) {
    while (txn->locks != NULL) {
        struct lock *lock = txn->locks;
        unhold(lock);
        pass_on(table, lock, now_ns);
    }
}

void lock_table_release(struct lock_table *table, struct txn_id id, uint64_t now_ns) {
    struct lock_txn *txn = *find_txn(table, id);
    if (txn == NULL) return;
    while (txn->waits != NULL) {
        struct lock_wait *wait = txn->waits;
        dequeue(table, wait);
        wait->done(wait, STATUS_CANCELLED);
    }
    give_up_locks(table, txn, now_ns);
    txn_drop_if_idle(table, txn);
}

void lock_table_cancel(struct lock_table *table, struct lock_wait *wait) {
    if (wait->lock == NULL) return;
    struct lock_txn *txn = wait->txn;
    dequeue(table, wait);
    txn_drop_if_idle(table, txn);
}

size_t lock_table_expire(struct lock_table *table, uint64_t now_ns) {
    size_t expired = 0;
    for (struct lock_txn *txn = table->first_txn, *next; txn != NULL; txn = next) {
        next = txn->next; /* only `txn` can go away here: the others gain locks, they lose none */
        if (txn->locks == NULL || now_ns - txn->heard_ns < table->timeout_ns) continue;
        give_up_locks(table, txn, now_ns);
        txn_drop_if_idle(table, txn);
        expired++;
    }
    return expired;
}

void lock_table_clear(struct lock_table *table) {
    while (table->first_txn != NULL) {
        struct lock_txn *txn = table->first_txn;
        while (txn->locks != NULL) {
            struct lock *lock = txn->locks;
            unhold(lock);
            while (lock->queue_first != NULL) {
                struct lock_wait *wait = lock->queue_first;
                struct lock_txn *waiter = wait->txn;
                dequeue(table, wait);
                if (waiter != txn) txn_drop_if_idle(table, waiter);
                wait->done(wait, STATUS_NOT_LEADER);
            }
            lock_drop(table, lock);
        }
        /* What this one waited for is held by others, which are still to come. */
        while (txn->waits != NULL) {
            struct lock_wait *wait = txn->waits;
            dequeue(table, wait);
            wait->done(wait, STATUS_NOT_LEADER);
        }
        txn_drop_if_idle(table, txn);
    }
    assert(table->lock_count == 0 && table->waiter_count == 0 && table->txn_count == 0);
}

bool lock_table_holds(const struct lock_table *table, struct txn_id id, struct slice key) {
    const struct lock *lock = *find_lock(table, key, hash_key(key));
    return lock != NULL && txn_id_equal(lock->holder->id, id);
}

size_t lock_table_locks(const struct lock_table *table) { return table->lock_count; }
size_t lock_table_waiters(const struct lock_table *table) { return table->waiter_count; }

void lock_table_check_invariants(const struct lock_table *table) {
    size_t locks = 0, waiters = 0, own_waits = 0, held = 0, txns = 0;
    for (size_t i = 0; i < table->lock_buckets; i++) {
        for (const struct lock *lock = table->locks[i]; lock != NULL; lock = lock->hash_next) {
            locks++;
            assert(lock->holder != NULL);
            uint64_t previous = 0;
            for (const struct lock_wait *wait = lock->queue_first; wait != NULL;
                 wait = wait->next) {
                assert(wait->lock == lock && wait->txn != lock->holder);
                assert(wait->prev == NULL || wait->sequence > previous);
                previous = wait->sequence;
                waiters++;
            }
        }
    }
    for (const struct lock_txn *txn = table->first_txn; txn != NULL; txn = txn->next) {
        txns++;
        assert(txn->locks != NULL || txn->waits != NULL);
        for (const struct lock *lock = txn->locks; lock != NULL; lock = lock->txn_next)
            held++;
        for (const struct lock_wait *wait = txn->waits; wait != NULL; wait = wait->txn_next)
            own_waits++;
    }
    assert(locks == table->lock_count && held == locks && txns == table->txn_count);
    assert(waiters == table->waiter_count && own_waits == waiters);
    (void)locks, (void)waiters, (void)own_waits, (void)held, (void)txns;
}
