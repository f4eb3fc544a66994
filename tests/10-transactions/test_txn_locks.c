/* test_txn_locks.c - rows about to be written queue instead of aborting. */
#include <stdio.h>

#include "harness.h"
#include "txn_fixture.h"

enum { CLIENTS = 64 };

/* ---- the hot counter ------------------------------------------------------------------------ */

struct counter_client {
    struct node *node;
    int rounds;
    int done, conflicts;
    bool scan;
};

static enum status increment(struct counter_client *client) {
    struct txn *txn = node_begin(client->node);
    char value[64];
    enum status status;
    if (client->scan) {
        char rows[SCAN_TEXT_MAX];
        struct txn_scan range = {.start = SLICE_LITERAL("hot"),
                                 .end = SLICE_LITERAL("hot\x01"),
                                 .flags = TXN_FOR_UPDATE};
        status = scan(txn, &range, rows);
        if (status == STATUS_OK) snprintf(value, sizeof value, "%d", to_int(rows + 4) + 1);
    } else {
        status = get(txn, "hot", TXN_FOR_UPDATE, value);
        if (status == STATUS_OK) snprintf(value, sizeof value, "%d", to_int(value) + 1);
    }
    if (status == STATUS_OK) status = put(txn, "hot", value);
    if (status == STATUS_OK) status = txn_commit(txn, NULL);
    txn_free(txn);
    return status;
}

static void count_up(void *arg) {
    struct counter_client *client = arg;
    while (client->done < client->rounds) {
        enum status status = increment(client);
        if (status == STATUS_OK)
            client->done++;
        else if (status == STATUS_CONFLICT)
            client->conflicts++;
        else
            fail_msg("increment: %s", status_name(status));
    }
}

static void put_zero(void *arg) { put_alone(arg, "hot", "0"); }

static int final_count;
static void read_count(void *arg) {
    char value[16];
    final_count = to_int(get_alone(arg, "hot", value));
}

static void run_counters(bool scan, unsigned would_block_percent) {
    struct node node;
    node_start(&node, &(struct node_options){.would_block_percent = would_block_percent});
    node_spawn(&node, put_zero, &node);
    node_run(&node);
    struct counter_client clients[CLIENTS] = {0};
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct counter_client){.node = &node, .rounds = 5, .scan = scan};
        node_spawn(&node, count_up, &clients[i]);
    }
    node_run(&node);
    int conflicts = 0;
    for (int i = 0; i < CLIENTS; i++)
        conflicts += clients[i].conflicts;
    node_spawn(&node, read_count, &node);
    node_run(&node);
    assert_int_equal(CLIENTS * 5, final_count);
    assert_int_equal(0, conflicts);
    assert_int_equal(0, store_status(node.store).locks);
    node_stop(&node);
}

TEST("7", 0, clients_that_increment_one_row_queue_and_none_is_refused) { run_counters(false, 0); }
TEST("7", 0, clients_that_scan_for_update_queue_and_none_is_refused) { run_counters(true, 0); }
TEST("7", 0, queueing_works_when_the_engine_would_have_to_wait) { run_counters(false, 30); }

/* ---- two transactions, step by step --------------------------------------------------------- */

struct pair {
    struct node node;
    struct co *sleeper; /* waits until the other side has gone far enough */
    int stage;
    enum status first, second;
    char value[16];
};

static void wait_for_stage(struct pair *pair, int stage) {
    while (pair->stage < stage) {
        pair->sleeper = co_self();
        assert_status(STATUS_OK, co_await());
    }
}

static void enter_stage(struct pair *pair, int stage) {
    pair->stage = stage;
    if (pair->sleeper != NULL) co_wake(pair->sleeper);
}

static void wait_for_lock_waiters(struct pair *pair, size_t count) {
    while (store_status(pair->node.store).lock_waiters < count)
        assert_status(STATUS_OK, co_yield());
}

static void run_pair(struct pair *pair, void (*first)(void *arg), void (*second)(void *arg),
                     const struct node_options *options) {
    node_start(&pair->node, options);
    node_spawn(&pair->node, put_zero, &pair->node);
    node_run(&pair->node);
    node_spawn(&pair->node, first, pair);
    node_spawn(&pair->node, second, pair);
    node_run(&pair->node);
    assert_int_equal(0, store_status(pair->node.store).lock_waiters);
    node_stop(&pair->node);
}

static void lock_then_commit_when_awaited(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, NULL));
    enter_stage(pair, 1);
    wait_for_lock_waiters(pair, 1);
    assert_status(STATUS_OK, put(txn, "hot", "1"));
    pair->first = txn_commit(txn, NULL);
    txn_free(txn);
}

static void read_another_key_then_lock(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_NOT_FOUND, get(txn, "other", 0, NULL));
    wait_for_stage(pair, 1);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, pair->value));
    assert_status(STATUS_OK, put(txn, "hot", "2"));
    pair->second = txn_commit(txn, NULL);
    txn_free(txn);
}

TEST("7", 0, a_read_behind_a_lock_is_refreshed_to_the_newest_version) {
    struct pair pair = {0};
    run_pair(&pair, lock_then_commit_when_awaited, read_another_key_then_lock, NULL);
    assert_status(STATUS_OK, pair.first);
    assert_status(STATUS_OK, pair.second);
    assert_string_equal("1", pair.value);
}

static void read_the_key_then_lock_it(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", 0, NULL));
    wait_for_stage(pair, 1);
    pair->second = get(txn, "hot", TXN_FOR_UPDATE, pair->value);
    txn_free(txn);
}

TEST("7", 0, a_refresh_over_a_key_that_changed_is_a_conflict) {
    struct pair pair = {0};
    run_pair(&pair, lock_then_commit_when_awaited, read_the_key_then_lock_it, NULL);
    assert_status(STATUS_OK, pair.first);
    assert_status(STATUS_CONFLICT, pair.second);
}

static void lock_then_roll_back_when_awaited(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, NULL));
    enter_stage(pair, 1);
    wait_for_lock_waiters(pair, 1);
    txn_rollback(txn);
    txn_free(txn);
}

TEST("7", 0, a_rollback_passes_the_lock_on) {
    struct pair pair = {0};
    run_pair(&pair, lock_then_roll_back_when_awaited, read_another_key_then_lock, NULL);
    assert_status(STATUS_OK, pair.second);
    assert_string_equal("0", pair.value);
}

/* ---- deadlock ------------------------------------------------------------------------------- */

static void lock_two(struct pair *pair, const char *one, const char *two, int stage,
                     enum status *outcome) {
    struct txn *txn = node_begin(&pair->node);
    assert_true(get(txn, one, TXN_FOR_UPDATE, NULL) != STATUS_DEADLOCK);
    enter_stage(pair, pair->stage + 1);
    wait_for_stage(pair, stage);
    enum status status = get(txn, two, TXN_FOR_UPDATE, NULL);
    if (status == STATUS_NOT_FOUND || status == STATUS_OK) {
        assert_status(STATUS_OK, put(txn, two, "x"));
        status = txn_commit(txn, NULL);
    }
    *outcome = status;
    txn_free(txn);
}

static void lock_a_then_b(void *arg) {
    struct pair *pair = arg;
    lock_two(pair, "a", "b", 2, &pair->first);
}

static void lock_b_then_a(void *arg) {
    struct pair *pair = arg;
    lock_two(pair, "b", "a", 2, &pair->second);
}

TEST("7", 0, a_deadlock_ends_with_one_victim_and_the_other_commits) {
    struct pair pair = {0};
    run_pair(&pair, lock_a_then_b, lock_b_then_a, NULL);
    int victims = (pair.first == STATUS_DEADLOCK) + (pair.second == STATUS_DEADLOCK);
    int committed = (pair.first == STATUS_OK) + (pair.second == STATUS_OK);
    assert_int_equal(1, victims);
    assert_int_equal(1, committed);
}

/* ---- a gateway that dies -------------------------------------------------------------------- */

static void lock_and_fall_silent(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, NULL));
    enter_stage(pair, 1);
    while (pair->stage < 2)
        assert_status(STATUS_OK, co_sleep(pair->node.env, NS_PER_MS));
    txn_free(txn);
}

static void take_over(void *arg) {
    struct pair *pair = arg;
    wait_for_stage(pair, 1);
    struct txn *txn = node_begin(&pair->node);
    pair->second = get(txn, "hot", TXN_FOR_UPDATE, pair->value);
    pair->stage = 2;
    txn_free(txn);
}

TEST("7", 0, the_lock_of_a_gateway_that_fell_silent_passes_on) {
    struct pair pair = {0};
    struct node_options options = {.lock_timeout_ns = 50 * NS_PER_MS,
                                   .heartbeat_interval_ns = 3600 * NS_PER_S};
    run_pair(&pair, lock_and_fall_silent, take_over, &options);
    assert_status(STATUS_OK, pair.second);
}

static void hold_for_long_while_beating(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, NULL));
    enter_stage(pair, 1);
    wait_for_lock_waiters(pair, 1);
    assert_status(STATUS_OK, co_sleep(pair->node.env, 400 * NS_PER_MS));
    pair->first = store_status(pair->node.store).lock_waiters == 1 ? STATUS_OK : STATUS_INVALID;
    txn_free(txn);
}

TEST("7", 0, heartbeats_keep_the_lock_of_a_slow_transaction) {
    struct pair pair = {0};
    struct node_options options = {.lock_timeout_ns = 150 * NS_PER_MS,
                                   .heartbeat_interval_ns = 20 * NS_PER_MS};
    run_pair(&pair, hold_for_long_while_beating, take_over, &options);
    assert_status(STATUS_OK, pair.first);
    assert_status(STATUS_OK, pair.second);
}

/* ---- waiting that ends otherwise ------------------------------------------------------------ */

static void wait_past_the_deadline(void *arg) {
    struct pair *pair = arg;
    wait_for_stage(pair, 1);
    struct request request = request_init(env_now_ns(pair->node.env) + 20 * NS_PER_MS);
    struct txn *txn = txn_begin(pair->node.txns, &request);
    pair->second = get(txn, "hot", TXN_FOR_UPDATE, NULL);
    assert_status(STATUS_OK, txn_state(txn));
    pair->stage = 2;
    txn_free(txn);
}

TEST("7", 0, waiting_for_a_lock_ends_at_the_deadline) {
    struct pair pair = {0};
    run_pair(&pair, lock_and_fall_silent, wait_past_the_deadline, NULL);
    assert_status(STATUS_DEADLINE, pair.second);
}

static struct cancel_token token;

static void wait_until_cancelled(void *arg) {
    struct pair *pair = arg;
    wait_for_stage(pair, 1);
    cancel_token_init(&token);
    struct request request = node_request(&pair->node);
    request.cancel = &token;
    struct txn *txn = txn_begin(pair->node.txns, &request);
    pair->second = get(txn, "hot", TXN_FOR_UPDATE, NULL);
    txn_free(txn);
}

static void lock_and_cancel_the_other(void *arg) {
    struct pair *pair = arg;
    struct txn *txn = node_begin(&pair->node);
    assert_status(STATUS_OK, get(txn, "hot", TXN_FOR_UPDATE, NULL));
    enter_stage(pair, 1);
    wait_for_lock_waiters(pair, 1);
    cancel_token_cancel(&token);
    while (store_status(pair->node.store).lock_waiters > 0)
        assert_status(STATUS_OK, co_yield());
    txn_free(txn);
}

TEST("7", 0, waiting_for_a_lock_ends_when_the_request_is_cancelled) {
    struct pair pair = {0};
    run_pair(&pair, lock_and_cancel_the_other, wait_until_cancelled, NULL);
    assert_status(STATUS_CANCELLED, pair.second);
}
