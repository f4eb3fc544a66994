/* test_store.c - commands: latched, evaluated, proposed, applied, answered once. */

#include "harness.h"
#include "prng.h"
#include "rpc.h"
#include "store.pb-c.h"
#include "store_fixture.h"

TEST("3", 0, what_was_written_is_read) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask write, read;
    ask(&box, &write, CMD_APPEND, "k=v");
    box_settle(&box);
    ask(&box, &read, CMD_READ, "k");
    box_settle(&box);
    assert_status(STATUS_OK, write.status);
    assert_string_equal("v", read.reply);
    box_stop(&box);
}

TEST("3", 2, commands_on_one_key_are_evaluated_one_after_another) {
    enum { COUNT = 50 };
    struct box box;
    box_start(&box, NULL, 0);
    struct ask asks[COUNT];
    for (int i = 0; i < COUNT; i++)
        ask(&box, &asks[i], CMD_APPEND, "k=x");
    box_settle(&box);
    for (size_t i = 0; i < COUNT; i++) {
        assert_status(STATUS_OK, asks[i].status);
        assert_int_equal(i + 1, strlen(asks[i].reply));
        if (i > 0) assert_true(asks[i].order > asks[i - 1].order);
    }
    assert_int_equal(0, store_status(box.store).latches);
    box_stop(&box);
}

TEST("3", 2, commands_on_different_keys_are_proposed_together) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask a, b, again;
    ask(&box, &a, CMD_APPEND, "a=1");
    ask(&box, &b, CMD_APPEND, "b=1");
    ask(&box, &again, CMD_APPEND, "a=2");
    box_turns(&box, 3);
    assert_int_equal(2, solo_replicator_held(box.solo));
    solo_replicator_hold(box.solo, false);
    box_settle(&box);
    assert_string_equal("12", again.reply);
    box_stop(&box);
}

TEST("3", 3, random_commands_are_each_answered_once_whether_the_engine_waits_or_not) {
    enum { COUNT = 400 };
    for (unsigned percent = 0; percent <= 60; percent += 30) {
        struct box box;
        box_start(&box, NULL, percent);
        static struct ask asks[COUNT];
        struct prng prng;
        prng_seed(&prng, percent);
        size_t appended = 0;
        for (int i = 0; i < COUNT; i++) {
            bool append = prng_below(&prng, 2) == 0;
            ask(&box, &asks[i], append ? CMD_APPEND : CMD_READ, append ? "k=x" : "k");
            appended += append;
            if (prng_below(&prng, 8) == 0) box_turns(&box, 1);
        }
        box_settle(&box);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(1, asks[i].answers);
        assert_int_equal(appended, box.evaluations);
        assert_int_equal(0, store_status(box.store).requests);
        box_stop(&box);
    }
}

TEST("3", 0, an_unknown_command_and_a_malformed_one_are_refused) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask unknown, malformed;
    ask(&box, &unknown, 999, "");
    ask(&box, &malformed, CMD_APPEND, "no equals sign");
    assert_status(STATUS_UNSUPPORTED, unknown.status);
    assert_status(STATUS_INVALID, malformed.status);
    box_stop(&box);
}

TEST("3", 0, beyond_its_bound_the_store_is_busy) {
    struct box box;
    box_start(&box, &(struct store_options){.max_requests = 2}, 0);
    solo_replicator_hold(box.solo, true);
    struct ask a, b, c;
    ask(&box, &a, CMD_APPEND, "a=1");
    ask(&box, &b, CMD_APPEND, "b=1");
    ask(&box, &c, CMD_APPEND, "c=1");
    assert_status(STATUS_BUSY, c.status);
    solo_replicator_hold(box.solo, false);
    box_settle(&box);
    assert_status(STATUS_OK, a.status);
    box_stop(&box);
}

/* ---- leadership ----------------------------------------------------------------------------- */

TEST("4", 4, without_leadership_commands_are_refused_and_the_leader_is_named) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_depose(box.solo, false);
    struct ask write, read;
    ask(&box, &write, CMD_APPEND, "k=v");
    ask(&box, &read, CMD_READ, "k");
    assert_status(STATUS_NOT_LEADER, write.status);
    assert_status(STATUS_NOT_LEADER, read.status);
    assert_int_equal(0, read.leader);
    box_stop(&box);
}

TEST("4", 3, losing_leadership_answers_everyone) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask proposed, latched, reading, locked, waiting;
    ask(&box, &proposed, CMD_APPEND, "k=1");
    ask(&box, &latched, CMD_APPEND, "k=2");
    ask(&box, &reading, CMD_READ, "k");
    ask(&box, &locked, CMD_LOCK, "1:row");
    ask(&box, &waiting, CMD_LOCK, "2:row");
    box_turns(&box, 2);
    solo_replicator_depose(box.solo, false);
    box_settle(&box);
    assert_status(STATUS_UNKNOWN_OUTCOME, proposed.status);
    assert_status(STATUS_NOT_LEADER, latched.status);
    assert_status(STATUS_UNAVAILABLE, reading.status);
    assert_status(STATUS_OK, locked.status);
    assert_status(STATUS_NOT_LEADER, waiting.status);
    assert_int_equal(0, store_status(box.store).locks);
    assert_int_equal(0, store_status(box.store).latches);
    box_stop(&box);
}

TEST("4", 1, timestamps_of_a_new_leader_are_above_those_of_the_old_one) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask a, b;
    ask(&box, &a, CMD_APPEND, "k=1");
    box_settle(&box);
    hlc_timestamp first = box.last_timestamp;
    assert_true(store_applied_timestamp(box.store) == first);
    solo_replicator_depose(box.solo, false);
    box.hlc.latest = 0; /* another node, whose clock is far behind */
    solo_replicator_lead(box.solo);
    assert_true(store_applied_timestamp(box.store) >= first);
    ask(&box, &b, CMD_APPEND, "k=2");
    box_settle(&box);
    assert_true(box.last_timestamp > first);
    box_stop(&box);
}

/* Applies an entry with one put; returns how many operations came into the batch. */
static size_t apply_entry(struct box *box, uint64_t evaluated, uint64_t logged, uint64_t epoch) {
    struct write_batch put, batch;
    write_batch_init(&put);
    write_batch_init(&batch);
    write_batch_put(&put, SLICE_LITERAL("\x30k"), SLICE_LITERAL("v"));
    Cairn__StoreEntry message = CAIRN__STORE_ENTRY__INIT;
    message.term = evaluated;
    message.epoch = epoch;
    message.batch = rpc_bytes(write_batch_encoded(&put));
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, &message.base);
    struct applied_entry entry = {.index = 1, .term = logged, .payload = buf_slice(&payload)};
    struct error error;
    assert_ok(store_state_machine.apply(box->store, &entry, &batch, &error), &error);
    size_t count = batch.count;
    buf_deinit(&payload);
    write_batch_deinit(&put);
    write_batch_deinit(&batch);
    return count;
}

TEST("4", 4, an_entry_of_another_term_has_no_effect) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask write, read;
    ask(&box, &write, CMD_APPEND, "k=1");
    box_turns(&box, 1);
    /* The store is led again before its proposal is logged: what it read may be out of date. */
    store_state_machine.on_leader(box.store, false, 1);
    store_state_machine.on_leader(box.store, true, 2);
    assert_int_equal(1, apply_entry(&box, 1, 1, 0));
    assert_int_equal(0, apply_entry(&box, 1, 2, 0));
    assert_int_equal(0, apply_entry(&box, 1, 1, 7)); /* of another epoch of the range */
    solo_replicator_hold(box.solo, false);
    box_settle(&box);
    ask(&box, &read, CMD_READ, "k");
    box_settle(&box);
    box_stop(&box);
}

TEST("4", 0, an_entry_that_is_not_the_stores_is_corruption) {
    struct box box;
    box_start(&box, NULL, 0);
    struct write_batch batch;
    write_batch_init(&batch);
    struct error error;
    struct applied_entry entry = {.index = 1, .term = 1, .payload = SLICE_LITERAL("\xff\xff")};
    assert_status(STATUS_CORRUPT, store_state_machine.apply(box.store, &entry, &batch, &error));
    /* term 1, and a batch that is cut short */
    entry.payload = SLICE_LITERAL("\x10\x01\x2a\x03\x01\x05k");
    assert_status(STATUS_CORRUPT, store_state_machine.apply(box.store, &entry, &batch, &error));
    write_batch_deinit(&batch);
    box_stop(&box);
}

/* ---- waiting -------------------------------------------------------------------------------- */

TEST("5", 0, a_wait_for_a_latch_ends_at_the_deadline_without_effect) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask first, late, next;
    ask(&box, &first, CMD_APPEND, "k=1");
    struct request request = request_init(env_now_ns(box.env) + 10 * NS_PER_MS);
    ask_with(&box, &late, CMD_APPEND, "k=2", &request);
    while (late.answers == 0)
        box_turns(&box, 1);
    assert_status(STATUS_DEADLINE, late.status);
    ask(&box, &next, CMD_APPEND, "k=3");
    solo_replicator_hold(box.solo, false);
    box_settle(&box);
    assert_string_equal("13", next.reply);
    box_stop(&box);
}

TEST("5", 0, a_wait_for_a_latch_ends_when_it_is_cancelled) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask first, cancelled;
    ask(&box, &first, CMD_APPEND, "k=1");
    struct cancel_token token;
    cancel_token_init(&token);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.cancel = &token;
    ask_with(&box, &cancelled, CMD_APPEND, "k=2", &request);
    cancel_token_cancel(&token);
    box_turns(&box, 1);
    assert_status(STATUS_CANCELLED, cancelled.status);
    solo_replicator_hold(box.solo, false);
    box_settle(&box);
    box_stop(&box);
}

TEST("5", 0, a_request_that_is_over_already_is_not_taken) {
    struct box box;
    box_start(&box, NULL, 0);
    struct request request = request_init(env_now_ns(box.env));
    struct ask late;
    ask_with(&box, &late, CMD_APPEND, "k=1", &request);
    assert_status(STATUS_DEADLINE, late.status);
    assert_int_equal(0, box.evaluations);
    box_stop(&box);
}

TEST("5", 0, locks_are_taken_in_the_order_of_the_request_and_queue) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask one, two, three, release;
    ask(&box, &one, CMD_LOCK, "1:a,b");
    ask(&box, &two, CMD_LOCK, "2:a,b");
    ask(&box, &three, CMD_LOCK, "3:b,c");
    box_turns(&box, 1);
    assert_int_equal(1, one.answers);
    assert_int_equal(0, two.answers + three.answers);
    ask(&box, &release, CMD_UNLOCK, "1:");
    box_turns(&box, 1);
    /* 2 got a, and waits for b behind 3, which had asked for it earlier. */
    assert_int_equal(0, two.answers);
    assert_int_equal(1, three.answers);
    ask(&box, &release, CMD_UNLOCK, "3:");
    box_settle(&box);
    assert_status(STATUS_OK, two.status);
    box_stop(&box);
}

TEST("5", 0, a_deadlock_is_refused) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask asks[6];
    ask(&box, &asks[0], CMD_LOCK, "1:a");
    ask(&box, &asks[1], CMD_LOCK, "2:b");
    ask(&box, &asks[2], CMD_LOCK, "1:b");
    ask(&box, &asks[3], CMD_LOCK, "2:a");
    assert_status(STATUS_DEADLOCK, asks[3].status);
    ask(&box, &asks[4], CMD_UNLOCK, "2:");
    box_settle(&box);
    assert_status(STATUS_OK, asks[2].status);
    box_stop(&box);
}

TEST("5", 0, a_full_lock_table_lets_requests_through_without_locks) {
    struct box box;
    box_start(&box, &(struct store_options){.max_locks = 1}, 0);
    struct ask one, two;
    ask(&box, &one, CMD_LOCK, "1:a");
    ask(&box, &two, CMD_LOCK, "2:b");
    assert_status(STATUS_OK, two.status);
    assert_int_equal(1, store_status(box.store).locks);
    box_stop(&box);
}

TEST("5", 0, silent_transactions_lose_their_locks) {
    struct box box;
    box_start(&box, &(struct store_options){.lock_timeout_ns = 10 * NS_PER_MS}, 0);
    struct ask one, two;
    ask(&box, &one, CMD_LOCK, "1:a");
    ask(&box, &two, CMD_LOCK, "2:a");
    box_settle(&box);
    assert_status(STATUS_OK, two.status);
    box_stop(&box);
}

TEST("5", 3, freeing_the_store_answers_who_still_waits) {
    struct box box;
    box_start(&box, NULL, 0);
    solo_replicator_hold(box.solo, true);
    struct ask proposed, latched, locked, waiting;
    ask(&box, &proposed, CMD_APPEND, "k=1");
    ask(&box, &latched, CMD_APPEND, "k=2");
    ask(&box, &locked, CMD_LOCK, "1:a");
    ask(&box, &waiting, CMD_LOCK, "2:a");
    box_stop(&box);
    assert_status(STATUS_UNKNOWN_OUTCOME, proposed.status);
    assert_status(STATUS_CANCELLED, latched.status);
    assert_status(STATUS_CANCELLED, waiting.status);
}

/* ---- the bound of timestamps ---------------------------------------------------------------- */

TEST("6", 1, a_restarted_store_goes_on_above_every_timestamp) {
    struct box box;
    box_start(&box, NULL, 0);
    struct ask write;
    ask(&box, &write, CMD_APPEND, "k=1");
    box_settle(&box);
    hlc_timestamp last = box.last_timestamp;
    struct hlc hlc;
    hlc_init(&hlc, NS_PER_S);
    struct metrics *metrics = metrics_new();
    struct store_options options = {
        .env = box.env, .engine = box.engine, .hlc = &hlc, .metrics = metrics};
    struct store *again = store_new(&options);
    struct error error;
    assert_ok(store_attach(again, solo_replicator_replicator(box.solo), &error), &error);
    assert_true(store_applied_timestamp(again) >= last);
    store_free(again);
    metrics_free(metrics);
    box_stop(&box);
}
