/* test_lock_table.c - row locks: queues, deadlocks, expiry. */
#include "harness.h"
#include "lock_table.h"
#include "prng.h"

enum { TIMEOUT_NS = 5000 };

struct waiter {
    struct lock_wait wait;
    int answers;
    enum status status;
};

static void on_done(struct lock_wait *wait, enum status status) {
    struct waiter *waiter = wait->arg;
    waiter->answers++;
    waiter->status = status;
}

static struct txn_id id(uint64_t n) { return (struct txn_id){n, n}; }

static enum status lock(struct lock_table *table, uint64_t txn, const char *key,
                        struct waiter *waiter) {
    waiter->wait.done = on_done;
    waiter->wait.arg = waiter;
    enum status status = lock_table_acquire(table, id(txn), slice_of_string(key), 0, &waiter->wait);
    lock_table_check_invariants(table);
    return status;
}

static bool holds(struct lock_table *table, uint64_t txn, const char *key) {
    return lock_table_holds(table, id(txn), slice_of_string(key));
}

TEST("2", 1, a_lock_passes_along_its_queue_in_order) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[4] = {0};
    assert_status(STATUS_OK, lock(table, 1, "k", &w[1]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "k", &w[2]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 3, "k", &w[3]));
    lock_table_release(table, id(1), 0);
    assert_true(holds(table, 2, "k"));
    assert_int_equal(w[2].answers, 1);
    assert_int_equal(w[3].answers, 0);
    lock_table_release(table, id(2), 0);
    assert_true(holds(table, 3, "k"));
    lock_table_release(table, id(3), 0);
    assert_int_equal(lock_table_locks(table), 0);
    lock_table_check_invariants(table);
    lock_table_free(table);
}

TEST("2", 1, a_transaction_takes_its_own_lock_again) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w = {0};
    assert_status(STATUS_OK, lock(table, 1, "k", &w));
    assert_status(STATUS_OK, lock(table, 1, "k", &w));
    assert_int_equal(lock_table_locks(table), 1);
    lock_table_release(table, id(1), 0);
    lock_table_free(table);
}

TEST("2", 1, trying_never_queues) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 1);
    assert_status(STATUS_OK, lock_table_try(table, id(1), SLICE_LITERAL("k"), 0));
    assert_status(STATUS_WOULD_BLOCK, lock_table_try(table, id(2), SLICE_LITERAL("k"), 0));
    assert_status(STATUS_BUSY, lock_table_try(table, id(2), SLICE_LITERAL("other"), 0));
    assert_int_equal(lock_table_waiters(table), 0);
    lock_table_check_invariants(table);
    lock_table_release(table, id(1), 0);
    lock_table_free(table);
}

TEST("2", 2, a_cycle_of_two_is_refused_to_the_one_who_closes_it) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[4] = {0};
    assert_status(STATUS_OK, lock(table, 1, "a", &w[0]));
    assert_status(STATUS_OK, lock(table, 2, "b", &w[1]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 1, "b", &w[2]));
    assert_status(STATUS_DEADLOCK, lock(table, 2, "a", &w[3]));
    lock_table_release(table, id(2), 0);
    assert_true(holds(table, 1, "b"));
    assert_int_equal(w[3].answers, 0);
    lock_table_release(table, id(1), 0);
    lock_table_free(table);
}

TEST("2", 2, a_cycle_of_three_is_refused) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[6] = {0};
    assert_status(STATUS_OK, lock(table, 1, "a", &w[0]));
    assert_status(STATUS_OK, lock(table, 2, "b", &w[1]));
    assert_status(STATUS_OK, lock(table, 3, "c", &w[2]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 1, "b", &w[3]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "c", &w[4]));
    assert_status(STATUS_DEADLOCK, lock(table, 3, "a", &w[5]));
    for (uint64_t i = 1; i <= 3; i++)
        lock_table_release(table, id(i), 0);
    lock_table_free(table);
}

TEST("2", 2, a_cycle_through_a_place_in_a_queue_is_refused) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[6] = {0};
    assert_status(STATUS_OK, lock(table, 1, "a", &w[0]));
    assert_status(STATUS_OK, lock(table, 3, "b", &w[1]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "a", &w[2]));
    /* 3 would wait for 1, and for 2 ahead of it in the queue: */
    assert_status(STATUS_WOULD_BLOCK, lock(table, 3, "a", &w[3]));
    assert_status(STATUS_DEADLOCK, lock(table, 2, "b", &w[4]));
    for (uint64_t i = 1; i <= 3; i++)
        lock_table_release(table, id(i), 0);
    lock_table_free(table);
}

TEST("2", 2, a_queue_reached_at_two_places_is_searched_up_to_the_later) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[12] = {0};
    enum { R = 1, A, B, C, D, H };
    assert_status(STATUS_OK, lock(table, H, "k1", &w[0]));
    assert_status(STATUS_OK, lock(table, C, "k0", &w[1]));
    assert_status(STATUS_OK, lock(table, R, "k2", &w[2]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, A, "k1", &w[3]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, B, "k1", &w[4]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, C, "k1", &w[5]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, B, "k2", &w[6])); /* a second request of B */
    /* D leads the search to A's place in the queue of k1 before it comes to C's: */
    assert_status(STATUS_OK, lock(table, A, "k3", &w[7]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, D, "k3", &w[9]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, D, "k0", &w[10]));
    /* R would wait for C, which waits behind B for k1, and B waits for R. */
    assert_status(STATUS_DEADLOCK, lock(table, R, "k0", &w[8]));
    for (uint64_t i = R; i <= H; i++)
        lock_table_release(table, id(i), 0);
    lock_table_free(table);
}

TEST("2", 2, waiting_for_the_same_row_is_no_cycle) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[64] = {0};
    for (uint64_t i = 0; i < 64; i++) {
        assert_status(i == 0 ? STATUS_OK : STATUS_WOULD_BLOCK, lock(table, i + 1, "hot", &w[i]));
    }
    for (uint64_t i = 1; i <= 64; i++) {
        assert_true(holds(table, i, "hot"));
        lock_table_release(table, id(i), 0);
    }
    lock_table_free(table);
}

TEST("2", 0, a_silent_holder_loses_its_locks_and_a_waiter_does_not_lose_its_place) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[3] = {0};
    assert_status(STATUS_OK, lock(table, 1, "k", &w[0]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "k", &w[1]));
    lock_table_touch(table, id(1), 3000);
    assert_int_equal(lock_table_expire(table, 7999), 0);
    assert_int_equal(lock_table_expire(table, 8000), 1);
    assert_true(holds(table, 2, "k"));
    assert_status(STATUS_OK, w[1].status);
    /* Being granted was a sign of life at 8000. */
    assert_int_equal(lock_table_expire(table, 12999), 0);
    assert_int_equal(lock_table_expire(table, 13000), 1);
    lock_table_free(table);
}

TEST("2", 0, release_ends_the_waits_of_the_transaction) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[3] = {0};
    assert_status(STATUS_OK, lock(table, 1, "k", &w[0]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "k", &w[1]));
    lock_table_release(table, id(2), 0);
    assert_int_equal(w[1].answers, 1);
    assert_status(STATUS_CANCELLED, w[1].status);
    assert_true(holds(table, 1, "k"));
    lock_table_release(table, id(1), 0);
    lock_table_free(table);
}

TEST("2", 0, clear_drops_everything_and_tells_who_waits) {
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[5] = {0};
    assert_status(STATUS_OK, lock(table, 1, "a", &w[0]));
    assert_status(STATUS_OK, lock(table, 2, "b", &w[1]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 2, "a", &w[2]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 3, "a", &w[3]));
    assert_status(STATUS_WOULD_BLOCK, lock(table, 3, "b", &w[4]));
    lock_table_clear(table);
    for (int i = 2; i < 5; i++)
        assert_status(STATUS_NOT_LEADER, w[i].status);
    assert_int_equal(lock_table_locks(table), 0);
    assert_int_equal(lock_table_waiters(table), 0);
    lock_table_check_invariants(table);
    lock_table_free(table);
}

TEST("2", 2, random_requests_never_end_with_everyone_waiting) {
    enum { TXNS = 8, KEYS = 5, STEPS = 20000 };
    struct lock_table *table = lock_table_new(TIMEOUT_NS, 100);
    struct waiter w[TXNS] = {0};
    struct prng prng;
    prng_seed(&prng, 11);
    static const char *const keys[KEYS] = {"a", "b", "c", "d", "e"};
    for (int step = 0; step < STEPS; step++) {
        uint64_t n = prng_below(&prng, TXNS);
        if (w[n].wait.lock != NULL) continue; /* it waits: its coroutine would do nothing */
        if (prng_below(&prng, 4) == 0 ||
            lock(table, n + 1, keys[prng_below(&prng, KEYS)], &w[n]) == STATUS_DEADLOCK)
            lock_table_release(table, id(n + 1), 0);
        lock_table_check_invariants(table);
        assert_true(lock_table_waiters(table) < TXNS);
    }
    for (uint64_t i = 1; i <= TXNS; i++)
        lock_table_release(table, id(i), 0);
    assert_int_equal(lock_table_locks(table), 0);
    lock_table_free(table);
}
