/* test_txn_outcome.c - commits whose answer is lost, at a leader that is lost. */

#include "harness.h"
#include "rpc.h"
#include "txn.pb-c.h"
#include "txn_fixture.h"

struct scene {
    struct node node;
    bool committed_by_next_leader;
    bool no_next_leader;
    bool with_read, absent;
    enum status status;
    char value[16];
};

static void commit_one(void *arg) {
    struct scene *scene = arg;
    struct request request = node_request(&scene->node);
    if (scene->no_next_leader) request.deadline_ns = env_now_ns(scene->node.env) + 100 * NS_PER_MS;
    struct txn *txn = txn_begin(scene->node.txns, &request);
    if (scene->with_read) assert_status(STATUS_OK, get(txn, "k", 0, NULL));
    if (scene->absent) {
        assert_status(STATUS_OK,
                      txn_put_absent(txn, SLICE_LITERAL("new"), SLICE_LITERAL("v"), 0, NULL));
    } else {
        assert_status(STATUS_OK, put(txn, "k", "new"));
    }
    solo_replicator_hold(scene->node.solo, true);
    scene->status = txn_commit(txn, NULL);
    txn_free(txn);
    if (!scene->no_next_leader) get_alone(&scene->node, scene->absent ? "new" : "k", scene->value);
}

static void change_leader(void *arg) {
    struct scene *scene = arg;
    while (solo_replicator_held(scene->node.solo) == 0)
        assert_status(STATUS_OK, co_yield());
    solo_replicator_depose(scene->node.solo, scene->committed_by_next_leader);
    solo_replicator_hold(scene->node.solo, false);
    if (!scene->no_next_leader) node_lead(&scene->node);
}

static void put_old(void *arg) { put_alone(arg, "k", "old"); }

static void run_scene(struct scene *scene) {
    node_start(&scene->node, NULL);
    node_spawn(&scene->node, put_old, &scene->node);
    node_run(&scene->node);
    node_spawn(&scene->node, commit_one, scene);
    node_spawn(&scene->node, change_leader, scene);
    node_run(&scene->node);
    node_stop(&scene->node);
}

TEST("8", 0, a_commit_that_the_next_leader_made_is_recognised) {
    struct scene scene = {.committed_by_next_leader = true, .with_read = true};
    run_scene(&scene);
    assert_status(STATUS_OK, scene.status);
    assert_string_equal("new", scene.value);
}

TEST("8", 0, a_commit_that_was_dropped_is_made_again) {
    struct scene scene = {.with_read = true};
    run_scene(&scene);
    assert_status(STATUS_OK, scene.status);
    assert_string_equal("new", scene.value);
}

TEST("8", 0, an_insert_that_the_next_leader_made_is_no_duplicate_of_itself) {
    struct scene scene = {.committed_by_next_leader = true, .absent = true};
    run_scene(&scene);
    assert_status(STATUS_OK, scene.status);
    assert_string_equal("v", scene.value);
}

TEST("8", 0, an_outcome_that_nobody_can_tell_in_time_is_unknown) {
    struct scene scene = {.no_next_leader = true};
    run_scene(&scene);
    assert_status(STATUS_UNKNOWN_OUTCOME, scene.status);
}

/* ---- an answer that is a read ---------------------------------------------------------------- */

static void insert_existing(void *arg) {
    struct scene *scene = arg;
    struct txn *txn = node_begin(&scene->node);
    assert_status(STATUS_OK, txn_put_absent(txn, SLICE_LITERAL("k"), SLICE_LITERAL("v"), 0, NULL));
    solo_replicator_hold(scene->node.solo, true);
    scene->status = STATUS_BUSY; /* no answer yet */
    scene->status = txn_commit(txn, NULL);
    txn_free(txn);
}

static void release_after_a_while(void *arg) {
    struct scene *scene = arg;
    while (store_status(scene->node.store).requests == 0)
        assert_status(STATUS_OK, co_yield());
    for (int i = 0; i < 20; i++)
        assert_status(STATUS_OK, co_yield());
    /* It may be deposed, and the key deleted, without its knowing: only the barrier tells. */
    assert_status(STATUS_BUSY, scene->status);
    solo_replicator_hold(scene->node.solo, false);
}

TEST("8", 0, a_leader_does_not_say_that_a_key_exists_before_it_knows_that_it_leads) {
    struct scene scene = {.status = STATUS_BUSY};
    node_start(&scene.node, NULL);
    node_spawn(&scene.node, put_old, &scene.node);
    node_run(&scene.node);
    node_spawn(&scene.node, insert_existing, &scene);
    node_spawn(&scene.node, release_after_a_while, &scene);
    node_run(&scene.node);
    node_stop(&scene.node);
    assert_status(STATUS_EXISTS, scene.status);
}

/* ---- the command itself --------------------------------------------------------------------- */

struct sent {
    struct node *node;
    Cairn__TxnOutcome outcome;
    hlc_timestamp timestamp;
};

static void send_commit(struct node *node, struct txn_id id, bool retry, bool absent,
                        const char *value, struct sent *out) {
    Cairn__TxnId message = CAIRN__TXN_ID__INIT;
    message.begin = id.begin;
    message.random = id.random;
    Cairn__TxnWrite write = CAIRN__TXN_WRITE__INIT;
    write.key = rpc_bytes(SLICE_LITERAL("k"));
    write.value = rpc_bytes(slice_of_string(value));
    write.must_be_absent = absent;
    Cairn__TxnWrite *writes[] = {&write};
    Cairn__TxnCommit commit = CAIRN__TXN_COMMIT__INIT;
    commit.id = commit.commit_id = &message;
    commit.retry = retry;
    commit.n_writes = 1;
    commit.writes = writes;
    struct buf payload = BUF_INIT, reply = BUF_INIT;
    rpc_pack(&payload, &commit.base);
    struct request request = node_request(node);
    struct error error;
    assert_ok(kv_await(node->kv, TXN_COMMIT, buf_slice(&payload), false, &request, &reply, &error),
              &error);
    struct arena arena;
    arena_init(&arena, 0);
    Cairn__TxnCommitReply *answer = (Cairn__TxnCommitReply *)rpc_unpack(
        &cairn__txn_commit_reply__descriptor, buf_slice(&reply), &arena);
    out->outcome = answer->outcome;
    out->timestamp = answer->commit_timestamp;
    arena_deinit(&arena);
    buf_deinit(&payload);
    buf_deinit(&reply);
}

static enum status collect(struct node *node, hlc_timestamp floor) {
    Cairn__TxnCollect message = CAIRN__TXN_COLLECT__INIT;
    message.floor = floor;
    struct buf payload = BUF_INIT, reply = BUF_INIT;
    rpc_pack(&payload, &message.base);
    struct request request = node_request(node);
    enum status status =
        kv_await(node->kv, TXN_COLLECT, buf_slice(&payload), true, &request, &reply, NULL);
    buf_deinit(&payload);
    buf_deinit(&reply);
    return status;
}

static void body_twice(void *arg) {
    struct node *node = arg;
    struct sent one, two;
    char value[16];
    send_commit(node, (struct txn_id){100, 1}, false, false, "first", &one);
    put_alone(node, "k", "between");
    send_commit(node, (struct txn_id){100, 1}, true, false, "first", &two);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_COMMITTED, two.outcome);
    assert_true(one.timestamp == two.timestamp);
    assert_string_equal("between", get_alone(node, "k", value));
}

static void run_body(void (*body)(void *arg)) {
    struct node node;
    node_start(&node, NULL);
    node_spawn(&node, body, &node);
    node_run(&node);
    node_stop(&node);
}

TEST("8", 1, a_commit_sent_twice_takes_effect_once) { run_body(body_twice); }

static void body_refused(void *arg) {
    struct node *node = arg;
    struct sent sent;
    char value[16];
    put_alone(node, "k", "there");
    /* The retry overtakes the first sending, which arrives when the key is gone again. */
    send_commit(node, (struct txn_id){100, 1}, true, true, "v", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS, sent.outcome);
    struct txn *txn = node_begin(node);
    assert_status(STATUS_OK, txn_delete(txn, SLICE_LITERAL("k"), NULL));
    assert_status(STATUS_OK, txn_commit(txn, NULL));
    txn_free(txn);
    send_commit(node, (struct txn_id){100, 1}, false, true, "v", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS, sent.outcome);
    assert_string_equal("", get_alone(node, "k", value));
}

TEST("8", 1, a_retry_that_was_refused_refuses_the_first_sending_too) { run_body(body_refused); }

static void body_collected(void *arg) {
    struct node *node = arg;
    struct sent sent;
    send_commit(node, (struct txn_id){100, 1}, false, false, "v", &sent);
    send_commit(node, (struct txn_id){300, 1}, false, false, "w", &sent);
    assert_status(STATUS_OK, collect(node, 200));
    send_commit(node, (struct txn_id){100, 1}, true, false, "v", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_TOO_OLD, sent.outcome);
    send_commit(node, (struct txn_id){300, 1}, true, false, "w", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_COMMITTED, sent.outcome);
    /* The floor outlives the leadership. */
    solo_replicator_depose(node->solo, false);
    node_lead(node);
    send_commit(node, (struct txn_id){100, 1}, true, false, "v", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_TOO_OLD, sent.outcome);
    char value[16];
    assert_string_equal("w", get_alone(node, "k", value));
}

TEST("8", 1, a_commit_whose_record_was_collected_is_refused) { run_body(body_collected); }

static void drop_collection(void *arg) {
    struct node *node = arg;
    while (solo_replicator_held(node->solo) == 0)
        assert_status(STATUS_OK, co_yield());
    solo_replicator_depose(node->solo, false);
    solo_replicator_hold(node->solo, false);
    node_lead(node);
}

static void body_collection_lost(void *arg) {
    struct node *node = arg;
    struct sent sent;
    solo_replicator_hold(node->solo, true);
    node_spawn(node, drop_collection, node);
    assert_status(STATUS_UNKNOWN_OUTCOME, collect(node, 200));
    send_commit(node, (struct txn_id){100, 1}, false, false, "v", &sent);
    assert_int_equal(CAIRN__TXN_OUTCOME__TXN_COMMITTED, sent.outcome);
}

TEST("8", 0, a_floor_that_was_not_committed_is_forgotten_with_its_leader) {
    run_body(body_collection_lost);
}

/* ---- a leader that does not know of its successor yet ---------------------------------------- */

static enum status lock_get_at(struct node *node, hlc_timestamp read_timestamp) {
    Cairn__TxnId id = CAIRN__TXN_ID__INIT;
    Cairn__KvGet get_message = CAIRN__KV_GET__INIT;
    Cairn__TxnLockGet message = CAIRN__TXN_LOCK_GET__INIT;
    ProtobufCBinaryData keys[] = {rpc_bytes(SLICE_LITERAL("k"))};
    struct buf payload = BUF_INIT, reply = BUF_INIT;
    struct request request = node_request(node);
    id.begin = id.random = 1;
    get_message.n_keys = 1;
    get_message.keys = keys;
    get_message.read_timestamp = read_timestamp;
    message.id = &id;
    message.get = &get_message;
    rpc_pack(&payload, &message.base);
    enum status status =
        kv_await(node->kv, TXN_LOCK_GET, buf_slice(&payload), true, &request, &reply, NULL);
    buf_deinit(&payload);
    buf_deinit(&reply);
    return status;
}

static void lock_in_past_and_future(void *arg) {
    struct node *node = arg;
    hlc_timestamp applied = store_applied_timestamp(node->store);
    assert_status(STATUS_OK, lock_get_at(node, applied));
    assert_status(STATUS_UNAVAILABLE, lock_get_at(node, applied + 1));
}

TEST("7", 2, a_locking_read_never_sees_less_than_its_transaction_has_seen) {
    struct node node;
    node_start(&node, NULL);
    node_spawn(&node, put_old, &node);
    node_run(&node);
    node_spawn(&node, lock_in_past_and_future, &node);
    node_run(&node);
    node_stop(&node);
}
