/* test_primary_backup.c - a pair of nodes (primary_backup.h): what it keeps, and what it does not.
 *
 * The second half asserts that things go wrong. Those tests are no mistake, and no change to
 * primary_backup.c turns them round without losing something else: they are why chapter 04 exists.
 */
#include "primary_backup.h"

#include <stdio.h>

#include "mem.h"
#include "pair_world.h"

/* Large: not on the stack. */
static struct pair_world *world_new(bool wait_for_backup) {
    struct pair_world *world = mem_alloc(sizeof *world);
    world_init(world, wait_for_backup);
    return world;
}

static void world_free(struct pair_world *world) {
    world_deinit(world);
    mem_free(world);
}

/* ---- what holds ----------------------------------------------------------------------------- */

TEST("4", 1, backup_applies_the_writes_of_its_primary_in_their_order) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    world_write(w, A, "x=2");
    world_write(w, A, "x=3");
    world_run_ms(w, 10);
    assert_store(w, A, "x=1 x=2 x=3");
    assert_store(w, B, "x=1 x=2 x=3");
    assert_int_equal(0, pb_unacked(w->nodes[A].pb));
    world_free(w);
}

TEST("4", 1, write_that_arrives_twice_is_applied_once) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    struct pb_message again = w->nodes[B].inbox[w->nodes[B].inbox_len - 1].message;
    again.payload = SLICE_LITERAL("x=1");
    world_run_ms(w, 10);
    world_inject(w, B, &again);
    world_run_ms(w, 10);
    assert_store(w, B, "x=1");
    assert_int_equal(pb_position(w->nodes[A].pb), pb_position(w->nodes[B].pb));
    world_free(w);
}

TEST("4", 1, write_behind_a_gap_waits_until_the_lost_one_is_sent_again) {
    struct pair_world *w = world_new(false);
    w->cut[B] = true;
    world_write(w, A, "x=1");
    w->cut[B] = false;
    world_write(w, A, "x=2");
    world_run_ms(w, 5);
    assert_store(w, B, "");
    world_run_ms(w, (uint64_t)4 * TICK_MS);
    assert_store(w, B, "x=1 x=2");
    assert_int_equal(0, pb_unacked(w->nodes[A].pb));
    world_free(w);
}

TEST("4", 1, write_of_another_history_is_not_applied) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    world_run_ms(w, 10);
    struct pb_message stray = {PB_UPDATE, 7, pb_position(w->nodes[B].pb) + 1, SLICE_LITERAL("y")};
    world_inject(w, B, &stray);
    assert_store(w, B, "x=1");
    world_free(w);
}

TEST("4", 2, without_waiting_a_write_is_answered_at_once) {
    struct pair_world *w = world_new(false);
    assert_true(world_acknowledged(w, world_write(w, A, "x=1")));
    world_free(w);
}

TEST("4", 2, with_waiting_a_write_is_answered_when_the_backup_has_it) {
    struct pair_world *w = world_new(true);
    w->delay_ns = (uint64_t)10 * MS;
    uint64_t request = world_write(w, A, "x=1");
    world_run_ms(w, 19);
    assert_true(world_holds(w, B, "x=1"));
    assert_false(world_acknowledged(w, request));
    world_run_ms(w, 2);
    assert_true(world_acknowledged(w, request));
    world_free(w);
}

TEST("4", 2, with_waiting_a_write_behind_a_gap_is_answered_when_the_gap_is_closed) {
    struct pair_world *w = world_new(true);
    w->cut[B] = true;
    uint64_t lost = world_write(w, A, "x=1");
    w->cut[B] = false;
    uint64_t behind = world_write(w, A, "x=2");
    world_run_ms(w, 5);
    assert_false(world_acknowledged(w, lost));
    assert_false(world_acknowledged(w, behind));
    world_run_ms(w, (uint64_t)4 * TICK_MS);
    assert_true(world_acknowledged(w, lost));
    assert_true(world_acknowledged(w, behind));
    assert_store(w, B, "x=1 x=2");
    world_free(w);
}

TEST("4", 2, primary_gives_a_silent_backup_up_and_answers_who_waits) {
    struct pair_world *w = world_new(true);
    world_kill(w, B);
    uint64_t request = world_write(w, A, "x=1");
    world_run_ms(w, SILENCE_MS / 2);
    assert_false(world_acknowledged(w, request));
    world_run_ms(w, SILENCE_MS);
    assert_true(world_acknowledged(w, request));
    assert_true(pb_alone(w->nodes[A].pb));
    assert_true(world_acknowledged(w, world_write(w, A, "x=2"))); /* alone: at once */
    world_free(w);
}

TEST("4", 3, more_unacknowledged_writes_than_the_bound_are_busy) {
    struct pair_world *w = world_new(true);
    w->cut[B] = true;
    uint64_t request = 0;
    for (int i = 0; i < PB_UNACKED_MAX + 1; i++)
        request = world_write(w, A, "x");
    assert_true(w->answered[request]);
    assert_status(STATUS_BUSY, w->answers[request]);
    assert_int_equal(PB_UNACKED_MAX, pb_unacked(w->nodes[A].pb));
    assert_int_equal(PB_UNACKED_MAX, w->nodes[A].store_len);
    world_free(w);
}

/* More writes than the list holds: none of them may be kept for a copy that never comes. */
TEST("4", 3, primary_whose_copy_cannot_be_sent_goes_on_alone_and_is_never_busy) {
    struct pair_world *w = world_new(true);
    world_kill(w, B);
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);
    struct pb_message nothing_yet = {.kind = PB_ACK};
    struct pb_effects effects = {0};
    pb_receive(w->nodes[A].pb, &nothing_yet, w->now_ns, &effects);
    assert_int_equal(1, effects.count);
    assert_int_equal(PB_SEND_COPY, effects.items[0].kind);
    pb_not_done(w->nodes[A].pb, PB_SEND_COPY, &effects);
    for (int i = 0; i < PB_UNACKED_MAX + 1; i++)
        assert_true(world_acknowledged(w, world_write(w, A, "x")));
    assert_int_equal(0, pb_unacked(w->nodes[A].pb));

    pb_effects_clear(&effects);
    pb_receive(w->nodes[A].pb, &nothing_yet, w->now_ns, &effects);
    assert_int_equal(0, effects.count); /* not again at once */
    pb_receive(w->nodes[A].pb, &nothing_yet, w->now_ns + (uint64_t)SILENCE_MS * MS, &effects);
    assert_int_equal(1, effects.count);
    assert_int_equal(PB_SEND_COPY, effects.items[0].kind);
    pb_effects_deinit(&effects);
    world_free(w);
}

TEST("4", 2, write_that_the_store_refuses_was_never_numbered) {
    struct pair_world *w = world_new(true);
    uint64_t before = pb_position(w->nodes[A].pb);
    struct pb_effects effects = {0};
    pb_write(w->nodes[A].pb, 1, SLICE_LITERAL("x=refused"), &effects);
    assert_int_equal(PB_APPLY, effects.items[0].kind);
    pb_not_done(w->nodes[A].pb, PB_APPLY, &effects);
    pb_effects_deinit(&effects);
    assert_int_equal(before, pb_position(w->nodes[A].pb));
    assert_int_equal(0, pb_unacked(w->nodes[A].pb));
    uint64_t next = world_write(w, A, "x=1");
    world_run_ms(w, 10);
    assert_true(world_acknowledged(w, next));
    assert_store(w, B, "x=1");
    world_free(w);
}

TEST("4", 0, backup_refuses_writes) {
    struct pair_world *w = world_new(false);
    uint64_t request = world_write(w, B, "x=1");
    assert_status(STATUS_NOT_LEADER, w->answers[request]);
    assert_store(w, B, "");
    world_free(w);
}

TEST("4", 0, backup_takes_over_when_the_primary_dies_and_has_everything_it_acknowledged) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    world_run_ms(w, 10);
    world_kill(w, A);
    world_run_ms(w, SILENCE_MS / 2);
    assert_false(world_primary(w, B));
    world_run_ms(w, SILENCE_MS);
    assert_true(world_primary(w, B));
    assert_true(world_acknowledged(w, world_write(w, B, "x=2")));
    assert_store(w, B, "x=1 x=2");
    world_free(w);
}

TEST("4", 4, backup_without_a_copy_never_takes_over) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    world_kill(w, B);
    world_run_ms(w, 10);
    world_kill(w, A);
    world_start(w, B, PB_BACKUP, false);
    world_run_ms(w, (uint64_t)10 * SILENCE_MS);
    assert_false(world_primary(w, B));
    world_free(w);
}

TEST("4", 1, backup_that_comes_back_gets_a_copy_and_follows_though_writes_go_on) {
    struct pair_world *w = world_new(false);
    world_kill(w, B);
    world_write(w, A, "x=1");
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);
    world_start(w, B, PB_BACKUP, false);
    char write[16];
    for (int i = 2; i <= 100; i++) {
        (void)snprintf(write, sizeof write, "x=%d", i);
        world_write(w, A, write);
        world_run_ms(w, 1);
    }
    world_run_ms(w, (uint64_t)4 * TICK_MS);
    assert_false(pb_alone(w->nodes[A].pb));
    assert_int_equal(100, w->nodes[B].store_len);
    assert_string_equal("x=100", world_read(w, B));
    world_free(w);
}

TEST("4", 2, clients_of_a_node_that_stops_learn_that_nobody_knows) {
    struct pair_world *w = world_new(true);
    uint64_t request = world_write(w, A, "x=1");
    struct pb_effects effects = {0};
    pb_stop(w->nodes[A].pb, &effects);
    assert_int_equal(1, effects.count);
    assert_int_equal(request, effects.items[0].request);
    assert_status(STATUS_UNKNOWN_OUTCOME, effects.items[0].status);
    pb_effects_deinit(&effects);
    world_free(w);
}

/* ---- what does not hold --------------------------------------------------------------------- */

/* The write was answered and on its way when the primary died. */
TEST("4", 0, anomaly_write_acknowledged_without_waiting_is_lost_when_the_primary_dies) {
    struct pair_world *w = world_new(false);
    world_write(w, A, "x=1");
    world_run_ms(w, 10);
    w->cut[B] = true; /* the last bytes of a dying machine */
    uint64_t lost = world_write(w, A, "x=2");
    world_kill(w, A);
    w->cut[B] = false;
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);

    assert_true(world_acknowledged(w, lost));
    assert_true(world_primary(w, B));
    assert_string_equal("x=1", world_read(w, B));
    world_free(w);
}

/* Waiting for the backup does not help: a primary that cannot reach it has to stop or go on. */
TEST("4", 0, anomaly_write_acknowledged_after_giving_up_the_backup_is_lost_when_the_primary_dies) {
    struct pair_world *w = world_new(true);
    world_partition(w);
    uint64_t lost = world_write(w, A, "x=1");
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);
    world_kill(w, A);
    world_heal(w);
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);

    assert_true(world_acknowledged(w, lost));
    assert_true(world_primary(w, B));
    assert_false(world_holds(w, B, "x=1"));
    world_free(w);
}

static void split_the_brain(struct pair_world *w) {
    world_write(w, A, "x=1");
    world_run_ms(w, 10);
    world_partition(w);
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);
}

TEST("4", 0, anomaly_both_nodes_are_primary_during_a_partition_and_both_accept_writes) {
    struct pair_world *w = world_new(true);
    split_the_brain(w);
    uint64_t at_a = world_write(w, A, "x=from a");
    uint64_t at_b = world_write(w, B, "x=from b");

    assert_true(world_primary(w, A) && world_primary(w, B));
    assert_true(world_acknowledged(w, at_a) && world_acknowledged(w, at_b));
    assert_store(w, A, "x=1 x=from a");
    assert_store(w, B, "x=1 x=from b");
    world_free(w);
}

TEST("4", 0, anomaly_histories_stay_apart_when_the_partition_heals) {
    struct pair_world *w = world_new(true);
    split_the_brain(w);
    world_write(w, A, "x=from a");
    world_write(w, B, "x=from b");
    world_heal(w);
    world_run_ms(w, (uint64_t)10 * SILENCE_MS);

    assert_true(w->nodes[A].rival_seen && w->nodes[B].rival_seen);
    assert_true(world_primary(w, A) && world_primary(w, B));
    assert_store(w, A, "x=1 x=from a");
    assert_store(w, B, "x=1 x=from b");
    world_free(w);
}

TEST("4", 0, anomaly_mending_the_split_by_hand_loses_what_one_side_acknowledged) {
    struct pair_world *w = world_new(true);
    split_the_brain(w);
    uint64_t at_a = world_write(w, A, "x=from a");
    world_write(w, B, "x=from b");
    world_heal(w);
    world_kill(w, A);
    world_start(w, A, PB_BACKUP, true); /* somebody has to be wrong */
    world_run_ms(w, (uint64_t)2 * SILENCE_MS);

    assert_true(world_acknowledged(w, at_a));
    assert_store(w, A, "x=1 x=from b");
    assert_store(w, B, "x=1 x=from b");
    world_free(w);
}

TEST("4", 0, anomaly_old_primary_gives_a_stale_read_after_the_new_one_acknowledged_a_write) {
    struct pair_world *w = world_new(true);
    split_the_brain(w);
    assert_true(world_acknowledged(w, world_write(w, B, "x=2")));

    assert_true(world_primary(w, A)); /* so it answers */
    assert_string_equal("x=1", world_read(w, A));
    world_free(w);
}

/* No message is lost and nobody dies: a pause longer than the timeout is enough. */
TEST("4", 0, anomaly_slow_network_alone_makes_two_primaries) {
    struct pair_world *w = world_new(false);
    w->delay_ns = (uint64_t)2 * SILENCE_MS * MS;
    world_run_ms(w, (uint64_t)3 * SILENCE_MS);
    assert_true(world_primary(w, A) && world_primary(w, B));
    world_free(w);
}
