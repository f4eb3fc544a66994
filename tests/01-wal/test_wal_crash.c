/* test_wal_crash.c - a power failure at every write and every sync of a workload: what was
 * acknowledged is there, in order, and nothing that was never written. */
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>

#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

struct world {
    struct env *inner;
    struct env *env;
    char dir[512];
    struct wal *wal;
    struct error error;
    uint64_t acknowledged; /* records 1..n were synced */
    uint64_t appended;
    uint64_t replayed;  /* the number of the last record replayed */
    uint64_t truncated; /* records below may be gone */
};

static const struct wal_options small_segments = {.segment_bytes = 8192};

/* Record i is i, followed by a number of bytes that depends on i. */
static struct slice record(uint64_t i, uint8_t out[1024]) {
    size_t len = 8 + (size_t)(i * 37 % 700);
    memset(out, (int)(i & 0xff), len);
    memcpy(out, &i, sizeof(i));
    return slice_of(out, len);
}

static enum status check_record(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                struct error *error) {
    struct world *world = arg;
    uint8_t expected[1024];
    uint64_t i;
    (void)position, (void)type, (void)error;
    assert_true(payload.len >= sizeof(i));
    memcpy(&i, payload.data, sizeof(i));
    if (world->replayed != 0) assert_int_equal(world->replayed + 1, i);
    assert_slice_equal(record(i, expected), payload);
    world->replayed = i;
    return STATUS_OK;
}

/* Goes on from what is there: groups of records, a sync after each; now and then a truncation. Ends
 * early when the disk does. */
static void workload(struct world *world, uint64_t groups) {
    uint64_t position = 0;
    for (uint64_t group = 0; group < groups; group++) {
        for (uint64_t i = 0; i < 1 + group % 3; i++) {
            uint8_t bytes[1024];
            struct slice payload = record(world->appended + 1, bytes);
            if (wal_append(world->wal, 1, payload, &position, &world->error) != STATUS_OK) return;
            world->appended++;
        }
        if (wal_sync_blocking(world->wal, &world->error) != STATUS_OK) return;
        world->acknowledged = world->appended;
        if (group % 16 == 15) {
            world->truncated = world->acknowledged;
            wal_truncate_before(world->wal, position);
        }
    }
}

static enum status open_world(struct world *world) {
    world->replayed = 0;
    enum status status = wal_open(world->env, world->dir, &small_segments, check_record, world,
                                  &world->wal, &world->error);
    if (status == STATUS_OK && world->replayed > world->appended)
        fail_msg("record %llu was never appended", (unsigned long long)world->replayed);
    return status;
}

/* After the power failure, on a disk that works again. */
static void check_survivors(struct world *world, const char *when, uint64_t at) {
    env_fault_clear(world->env);
    assert_ok(open_world(world), &world->error);
    uint64_t kept = world->acknowledged > world->truncated ? world->acknowledged : 0;
    if (world->replayed < kept)
        fail_msg("%s %llu: record %llu of %llu acknowledged ones is gone", when,
                 (unsigned long long)at, (unsigned long long)world->replayed,
                 (unsigned long long)world->acknowledged);
    if (world->replayed > 0) world->appended = world->replayed;
    workload(world, 3); /* and the log is good for more */
    assert_int_equal(world->appended, world->acknowledged);
    wal_close(world->wal);
    assert_ok(open_world(world), &world->error);
    assert_int_equal(world->appended, world->replayed);
    wal_close(world->wal);
}

static void world_init(struct world *world, const char *dir, uint64_t seed) {
    memset(world, 0, sizeof(*world));
    struct log log;
    log_init_null(&log);
    world->inner = env_uv_new(&log);
    world->env = env_fault_new(world->inner, seed);
    snprintf(world->dir, sizeof(world->dir), "%s/wal-%llu", dir, (unsigned long long)seed);
}

static void world_deinit(struct world *world) {
    env_fault_free(world->env);
    env_uv_free(world->inner);
}

static uint64_t count_operations(const char *dir, uint64_t groups) {
    struct world world;
    world_init(&world, dir, 1000000);
    assert_ok(open_world(&world), &world.error);
    workload(&world, groups);
    wal_close(world.wal);
    uint64_t operations = env_fault_operations(world.env);
    world_deinit(&world);
    return operations;
}

static void crash_everywhere(enum crash_loss loss, uint64_t groups, bool twice) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    uint64_t operations = count_operations(dir, groups);
    uint64_t stride = harness_sanitized() ? 3 : 1;
    for (uint64_t at = 0; at < operations; at += stride) {
        struct world world;
        world_init(&world, dir, at);
        env_fault_arm(world.env, FAULT_CRASH, at);
        if (open_world(&world) == STATUS_OK) {
            workload(&world, groups);
            wal_close(world.wal);
        }
        env_fault_power_loss(world.env, loss);
        if (twice) { /* and again while it recovers */
            env_fault_clear(world.env);
            env_fault_arm(world.env, FAULT_CRASH, env_fault_operations(world.env) + at % 7);
            if (open_world(&world) == STATUS_OK) wal_close(world.wal);
            env_fault_power_loss(world.env, loss);
        }
        check_survivors(&world, "crash at operation", at);
        world_deinit(&world);
    }
}

TEST("3.4", 1, crash_at_every_operation_that_loses_all_unsynced_keeps_what_was_acknowledged) {
    crash_everywhere(LOSE_ALL_UNSYNCED, 12, false);
}

TEST("3.4", 1, crash_at_every_operation_that_tears_writes_keeps_what_was_acknowledged) {
    crash_everywhere(LOSE_SOME, 12, false);
}

TEST("3.4", 1, kill_at_every_operation_keeps_what_was_acknowledged) {
    crash_everywhere(LOSE_NONE, 12, false);
}

TEST("3.4", 4, second_crash_during_recovery_keeps_what_was_acknowledged) {
    crash_everywhere(LOSE_SOME, 12, true);
}

/* The sixteenth group truncates. */
TEST("4.4", 1, crash_while_old_segments_are_removed_keeps_what_was_acknowledged) {
    crash_everywhere(LOSE_ALL_UNSYNCED, 20, false);
}

TEST("4.4", 1, torn_writes_while_old_segments_are_removed_keep_what_was_acknowledged) {
    crash_everywhere(LOSE_SOME, 20, false);
}

/* ---- on the loop, where segments are prepared and removed in the background ------------------ */

enum { LOOP_RECORDS = 120, TYPE_RECORD = 1, TYPE_PREAMBLE = 2 };

struct loop_world {
    struct world world;
    uint64_t positions[LOOP_RECORDS + 1];
    bool first_is_preamble; /* of what was replayed */
    bool any;
};

static void append_preamble(void *arg, struct wal *wal) {
    struct loop_world *loop = arg;
    struct error error;
    uint64_t appended = loop->world.appended;
    if (wal_append(wal, TYPE_PREAMBLE, slice_of(&appended, 8), NULL, &error) != STATUS_OK)
        fail_msg("the preamble does not fit: %s", error.message);
}

/* A few records; the next few come when these are synced. */
static void append_some(struct loop_world *loop) {
    struct world *world = &loop->world;
    for (int i = 0; i < 3 && world->appended < LOOP_RECORDS; i++) {
        uint8_t bytes[1024];
        uint64_t next = world->appended + 1;
        if (wal_append(world->wal, TYPE_RECORD, record(next, bytes), &loop->positions[next],
                       &world->error) != STATUS_OK) {
            env_stop(world->env);
            return;
        }
        world->appended = next;
    }
}

static void loop_synced(void *arg, uint64_t synced) {
    struct loop_world *loop = arg;
    struct world *world = &loop->world;
    while (world->acknowledged < world->appended &&
           loop->positions[world->acknowledged + 1] < synced)
        world->acknowledged++;
    if (world->acknowledged == LOOP_RECORDS) {
        env_stop(world->env);
        return;
    }
    if (world->acknowledged > 20) { /* all but the last twenty may go */
        world->truncated = world->acknowledged - 20;
        wal_truncate_before(world->wal, loop->positions[world->truncated]);
    }
    append_some(loop);
}

static enum status check_loop_record(void *arg, uint64_t position, uint8_t type,
                                     struct slice payload, struct error *error) {
    struct loop_world *loop = arg;
    if (!loop->any) loop->first_is_preamble = type == TYPE_PREAMBLE;
    loop->any = true;
    if (type == TYPE_PREAMBLE) return STATUS_OK;
    return check_record(&loop->world, position, type, payload, error);
}

static void lane_reached(void *arg) { (void)arg; }

static void lane_empty(void *arg) {
    struct loop_world *loop = arg;
    if (++loop->positions[0] == 2) env_stop(loop->world.env);
}

/* A closed log may still have work under way; lanes are first in, first out. */
static void wait_for_lanes(struct loop_world *loop) {
    struct env_work works[2];
    loop->positions[0] = 0;
    for (int i = 0; i < 2; i++) {
        works[i] = (struct env_work){.run = lane_reached, .done = lane_empty, .arg = loop};
        env_work_submit(loop->world.env, i == 0 ? LANE_SYNC : LANE_BACKGROUND, &works[i]);
    }
    while (loop->positions[0] < 2)
        env_run(loop->world.env); /* a stop may be left from before */
}

/* True if the disk failed before the work was done. */
static bool run_on_loop(struct loop_world *loop) {
    struct world *world = &loop->world;
    struct wal_options options = {.segment_bytes = 8192, .on_loop = true};
    if (wal_open(world->env, world->dir, &options, NULL, NULL, &world->wal, &world->error) !=
        STATUS_OK)
        return true;
    wal_set_segment_preamble(world->wal, append_preamble, loop);
    wal_on_synced(world->wal, loop_synced, loop);
    append_some(loop);
    env_run(world->env);
    wal_close(world->wal);
    wait_for_lanes(loop);
    return world->acknowledged < LOOP_RECORDS;
}

static void check_after_loop(struct loop_world *loop, uint64_t at) {
    struct world *world = &loop->world;
    world->replayed = 0;
    loop->any = false;
    enum status status = wal_open(world->env, world->dir, &small_segments, check_loop_record, loop,
                                  &world->wal, &world->error);
    if (status != STATUS_OK)
        fail_msg("crash at operation %llu: %s", (unsigned long long)at, world->error.message);
    if (world->replayed < world->acknowledged || world->replayed > world->appended)
        fail_msg("crash at operation %llu: the last record is %llu of %llu acknowledged",
                 (unsigned long long)at, (unsigned long long)world->replayed,
                 (unsigned long long)world->acknowledged);
    if (wal_start(world->wal) > 0 && loop->any) assert_true(loop->first_is_preamble);
    wal_close(world->wal);
}

TEST("4.4", 1, crash_while_segments_come_and_go_in_the_background_keeps_what_was_acknowledged) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t at = 0;
    for (; crashed; at += harness_sanitized() ? 5 : 2) {
        struct loop_world loop = {0};
        world_init(&loop.world, dir, at);
        env_fault_arm(loop.world.env, FAULT_CRASH, at);
        crashed = run_on_loop(&loop);
        env_fault_power_loss(loop.world.env, at % 4 == 0 ? LOSE_ALL_UNSYNCED : LOSE_SOME);
        env_fault_clear(loop.world.env);
        check_after_loop(&loop, at);
        world_deinit(&loop.world);
    }
    assert_true(at > 100);
}

static void stop_loop(void *arg) { env_stop(arg); }

TEST("3.5", 0, full_disk_under_a_log_on_the_loop_is_said_by_wal_writable_and_passes) {
    struct loop_world loop = {0};
    struct world *world = &loop.world;
    world_init(world, harness_tmpdir(), 1);
    assert_ok(open_world(world), &world->error); /* the first segment is there */
    wal_close(world->wal);
    env_fault_arm(world->env, FAULT_NO_SPACE, 0);
    struct wal_options options = {.segment_bytes = 8192, .on_loop = true};
    assert_ok(wal_open(world->env, world->dir, &options, NULL, NULL, &world->wal, &world->error),
              &world->error);
    wait_for_lanes(&loop);
    assert_status(STATUS_NO_SPACE, wal_writable(world->wal));
    uint8_t bytes[1024]; /* what cannot wait still goes in */
    assert_ok(wal_append(world->wal, TYPE_RECORD, record(1, bytes), NULL, &world->error),
              &world->error);
    env_fault_clear(world->env);
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, world->env);
    env_timer_start(world->env, &timer, env_now_ns(world->env) + 1500 * NS_PER_MS);
    env_run(world->env);
    assert_status(STATUS_OK, wal_writable(world->wal));
    assert_true(wal_synced(world->wal) > 512);
    wal_close(world->wal);
    wait_for_lanes(&loop);
    world_deinit(world);
}

TEST("3.4", 1, what_was_replayed_after_a_kill_survives_a_power_failure_right_after) {
    struct world world;
    world_init(&world, harness_tmpdir(), 1);
    assert_ok(open_world(&world), &world.error);
    /* The batch is written, the process ends at the sync. */
    env_fault_arm(world.env, FAULT_CRASH, env_fault_operations(world.env) + 1);
    workload(&world, 1);
    assert_true(env_fault_died(world.env));
    wal_close(world.wal);
    env_fault_clear(world.env);
    assert_ok(open_world(&world), &world.error);
    assert_int_equal(1, world.replayed);
    wal_close(world.wal);
    env_fault_power_loss(world.env, LOSE_ALL_UNSYNCED);
    assert_ok(open_world(&world), &world.error);
    assert_int_equal(1, world.replayed);
    wal_close(world.wal);
    world_deinit(&world);
}

static void stop_when_synced(void *arg, uint64_t synced) {
    struct world *world = arg;
    world->acknowledged = synced;
    env_stop(world->env);
}

static void append_one(struct world *world) {
    uint8_t bytes[1024];
    assert_ok(wal_append(world->wal, 1, record(++world->appended, bytes), NULL, &world->error),
              &world->error);
}

/* The report of a sync comes in a later step of the loop: until env_run, the first one runs. */
TEST("2.3", 1, second_sync_is_not_started_while_one_runs) {
    struct world world;
    world_init(&world, harness_tmpdir(), 1);
    assert_ok(open_world(&world), &world.error);
    wal_on_synced(world.wal, stop_when_synced, &world);
    append_one(&world);
    wal_flush(world.wal);
    uint64_t first_end = wal_end(world.wal);
    uint64_t operations = env_fault_operations(world.env);
    append_one(&world);
    wal_flush(world.wal);
    append_one(&world);
    wal_flush(world.wal);
    assert_int_equal(operations, env_fault_operations(world.env));
    env_run(world.env);
    assert_int_equal(first_end, world.acknowledged); /* the two others were not in it */
    wal_flush(world.wal);
    assert_int_equal(operations + 2, env_fault_operations(world.env)); /* one write, one sync */
    env_run(world.env);
    assert_int_equal(wal_end(world.wal), world.acknowledged);
    wal_close(world.wal);
    world_deinit(&world);
}

TEST("2.4", 5, failed_sync_is_fatal_and_never_retried) {
    struct world world;
    world_init(&world, harness_tmpdir(), 1);
    assert_ok(open_world(&world), &world.error);
    workload(&world, 2);
    uint64_t acknowledged = world.acknowledged;
    env_fault_arm(world.env, FAULT_SYNC_ERROR, 0);
    workload(&world, 2);
    assert_true(env_fault_died(world.env));
    assert_int_equal(acknowledged, world.acknowledged);
    assert_status(STATUS_IO, wal_sync_blocking(world.wal, &world.error));
    assert_status(STATUS_IO, wal_append(world.wal, 1, SLICE_EMPTY, NULL, &world.error));
    assert_status(STATUS_IO, wal_writable(world.wal));
    wal_close(world.wal);
    world_deinit(&world);
}

TEST("3.5", 0, full_disk_is_told_before_the_log_is_harmed) {
    struct world world;
    world_init(&world, harness_tmpdir(), 1);
    assert_ok(open_world(&world), &world.error);
    workload(&world, 2);
    env_fault_arm(world.env, FAULT_NO_SPACE, 0);
    enum status status = STATUS_OK;
    uint8_t bytes[1024];
    while (status == STATUS_OK) { /* appended, not written: the segment fills */
        status = wal_append(world.wal, 1, record(world.appended + 1, bytes), NULL, &world.error);
        if (status == STATUS_OK) world.appended++;
    }
    assert_status(STATUS_NO_SPACE, status);
    env_fault_clear(world.env);
    assert_ok(wal_append(world.wal, 1, record(world.appended + 1, bytes), NULL, &world.error),
              &world.error);
    world.appended++;
    assert_ok(wal_sync_blocking(world.wal, &world.error), &world.error);
    wal_close(world.wal);
    assert_ok(open_world(&world), &world.error);
    assert_int_equal(world.appended, world.replayed);
    wal_close(world.wal);
    world_deinit(&world);
}
