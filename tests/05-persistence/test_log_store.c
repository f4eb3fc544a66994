/* test_log_store.c - many groups' logs in one WAL: what was synced is there again, compaction
 * forgets no more than it may. */
#include "log_store.h"

#include <stdio.h>

#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"

struct fixture {
    struct env *machine, *env; /* env is machine behind env_fault */
    char dir[512];
    struct metrics *metrics;
    struct log_store *store;
    struct error error;
};

static void open_store(struct fixture *f) {
    assert_ok(log_store_open(f->env, f->dir, 16384, f->metrics, &f->store, &f->error), &f->error);
}

static void setup(struct fixture *f) {
    struct log log;
    log_init_stderr(&log, LOG_ERROR);
    f->machine = env_uv_new(&log);
    f->env = env_fault_new(f->machine, 1);
    f->metrics = metrics_new();
    snprintf(f->dir, sizeof f->dir, "%s/log", harness_tmpdir());
    open_store(f);
}

static void teardown(struct fixture *f) {
    log_store_close(f->store);
    metrics_free(f->metrics);
    env_uv_free(f->machine); /* waits for work under way, which still knows the wrapper */
    env_fault_free(f->env);
}

/* The machine loses power: what was not synced is gone. */
static void power_loss(struct fixture *f) {
    log_store_close(f->store);
    env_fault_power_loss(f->env, LOSE_ALL_UNSYNCED);
    open_store(f);
}

static void reopen(struct fixture *f) {
    assert_ok(log_store_sync_blocking(f->store, &f->error), &f->error);
    power_loss(f);
}

static void create_group(struct fixture *f, uint64_t group) {
    struct group_state state = {.group = group, .voter_count = 3, .voters = {1, 2, 3}};
    log_store_create_group(f->store, &state);
}

static void append(struct fixture *f, uint64_t group, uint64_t index, uint64_t term,
                   const char *payload) {
    struct raft_entry entry = {
        .term = term, .size_bytes = (uint32_t)strlen(payload), .type = RAFT_ENTRY_NORMAL};
    uint64_t position;
    assert_ok(log_store_append(f->store, group, index, entry, slice_of_string(payload), &position,
                               &f->error),
              &f->error);
}

static void assert_entry(struct fixture *f, uint64_t group, uint64_t index, uint64_t term,
                         const char *payload) {
    size_t count;
    const struct raft_entry *entries = log_store_entries(f->store, group, &count);
    uint64_t start = log_store_group(f->store, group)->log_start_index;
    assert_true(index > start && index <= start + count);
    assert_int_equal(term, entries[index - start - 1].term);
    struct buf out = BUF_INIT;
    assert_ok(log_store_read(f->store, group, index, &out, &f->error), &f->error);
    assert_slice_equal(slice_of_string(payload), buf_slice(&out));
    buf_deinit(&out);
}

TEST("2", 4, synced_entries_and_promises_survive_a_power_loss) {
    struct fixture f;
    setup(&f);
    create_group(&f, 7);
    log_store_set_hard_state(f.store, 7, (struct raft_hard_state){.term = 3, .vote = 2});
    append(&f, 7, 1, 2, "one");
    append(&f, 7, 2, 3, "two");
    reopen(&f);
    const struct group_state *state = log_store_group(f.store, 7);
    assert_non_null(state);
    assert_int_equal(3, state->hard_state.term);
    assert_int_equal(2, state->hard_state.vote);
    assert_int_equal(3, state->voter_count);
    assert_entry(&f, 7, 1, 2, "one");
    assert_entry(&f, 7, 2, 3, "two");
    teardown(&f);
}

TEST("2", 4, what_was_not_synced_is_not_reported_as_synced) {
    struct fixture f;
    setup(&f);
    create_group(&f, 7);
    assert_ok(log_store_sync_blocking(f.store, &f.error), &f.error);
    append(&f, 7, 1, 1, "unsynced");
    assert_true(log_store_synced(f.store) < log_store_end(f.store));
    power_loss(&f);
    size_t count;
    log_store_entries(f.store, 7, &count);
    assert_int_equal(0, count);
    teardown(&f);
}

TEST("2", 2, an_entry_replaces_everything_from_its_index_on) {
    struct fixture f;
    setup(&f);
    create_group(&f, 7);
    append(&f, 7, 1, 1, "a");
    append(&f, 7, 2, 1, "b");
    append(&f, 7, 3, 1, "c");
    append(&f, 7, 2, 2, "B");
    size_t count;
    log_store_entries(f.store, 7, &count);
    assert_int_equal(2, count);
    reopen(&f);
    log_store_entries(f.store, 7, &count);
    assert_int_equal(2, count);
    assert_entry(&f, 7, 1, 1, "a");
    assert_entry(&f, 7, 2, 2, "B");
    teardown(&f);
}

TEST("2", 0, groups_share_a_log_and_do_not_mix) {
    struct fixture f;
    setup(&f);
    create_group(&f, 9);
    create_group(&f, 3);
    append(&f, 9, 1, 1, "nine");
    append(&f, 3, 1, 5, "three");
    append(&f, 9, 2, 1, "nine again");
    reopen(&f);
    assert_int_equal(2, log_store_group_count(f.store));
    assert_int_equal(3, log_store_group_at(f.store, 0));
    assert_entry(&f, 3, 1, 5, "three");
    assert_entry(&f, 9, 1, 1, "nine");
    assert_entry(&f, 9, 2, 1, "nine again");
    teardown(&f);
}

/* Enough to fill several segments of 16 KiB. */
static void append_many(struct fixture *f, uint64_t group, uint64_t first, uint64_t last) {
    char payload[256];
    for (uint64_t i = first; i <= last; i++) {
        snprintf(payload, sizeof payload, "%0200d", (int)i);
        append(f, group, i, 1, payload);
        if (i % 10 == 0) assert_ok(log_store_sync_blocking(f->store, &f->error), &f->error);
    }
    assert_ok(log_store_sync_blocking(f->store, &f->error), &f->error);
}

static void stop_env(void *arg) { env_stop(arg); }

/* Compaction takes effect when its record is synced, which the loop reports. */
static void run_for_a_moment(struct fixture *f) {
    struct env_timer timer = {0};
    env_timer_init(&timer, stop_env, f->machine);
    env_timer_start(f->machine, &timer, env_now_ns(f->machine) + 200 * NS_PER_MS);
    env_run(f->machine);
    env_timer_stop(&timer);
}

TEST("3", 3, compaction_frees_disk_only_below_every_groups_log_start) {
    struct fixture f;
    setup(&f);
    create_group(&f, 1);
    create_group(&f, 2);
    append(&f, 2, 1, 1, "needed by group two");
    append_many(&f, 1, 1, 1000);
    uint64_t full = log_store_size_bytes(f.store);
    log_store_compact(f.store, 1, 990, 1);
    run_for_a_moment(&f);
    assert_int_equal(full / 16384, log_store_size_bytes(f.store) / 16384);
    assert_entry(&f, 2, 1, 1, "needed by group two");

    log_store_compact(f.store, 2, 1, 1);
    append(&f, 1, 1001, 1, "another turn");
    run_for_a_moment(&f);
    assert_true(log_store_size_bytes(f.store) < full / 4);
    teardown(&f);
}

TEST("3", 1, what_compaction_keeps_is_there_after_a_restart) {
    struct fixture f;
    setup(&f);
    create_group(&f, 1);
    log_store_set_hard_state(f.store, 1, (struct raft_hard_state){.term = 4, .vote = 1});
    struct node_state node = {.node_id = 5, .instance_id = 77, .cluster_id = 99, .member_count = 1};
    node.members[0] = (struct member){.node_id = 5, .instance_id = 77, .address = "127.0.0.1:9001"};
    log_store_set_node(f.store, &node);
    append_many(&f, 1, 1, 1000);
    log_store_compact(f.store, 1, 990, 1);
    run_for_a_moment(&f);
    reopen(&f);
    assert_int_equal(990, log_store_group(f.store, 1)->log_start_index);
    assert_int_equal(4, log_store_group(f.store, 1)->hard_state.term);
    assert_int_equal(5, log_store_node(f.store)->node_id);
    assert_int_equal(99, log_store_node(f.store)->cluster_id);
    assert_string_equal("127.0.0.1:9001", log_store_node(f.store)->members[0].address);
    size_t count;
    log_store_entries(f.store, 1, &count);
    assert_int_equal(10, count);
    struct buf out = BUF_INIT;
    assert_status(STATUS_NOT_FOUND, log_store_read(f.store, 1, 990, &out, &f.error));
    buf_deinit(&out);
    teardown(&f);
}

/* Three entries fill a segment. */
static void append_large(struct fixture *f, uint64_t first, uint64_t last, uint64_t term) {
    char payload[5001];
    for (uint64_t i = first; i <= last; i++) {
        snprintf(payload, sizeof payload, "%05000d", (int)(i * 100 + term));
        append(f, 1, i, term, payload);
        assert_ok(log_store_sync_blocking(f->store, &f->error), &f->error);
    }
}

static void assert_large(struct fixture *f, uint64_t index, uint64_t term) {
    char payload[5001];
    snprintf(payload, sizeof payload, "%05000d", (int)(index * 100 + term));
    assert_entry(f, 1, index, term, payload);
}

TEST("3", 3, a_log_start_may_lie_anywhere_in_a_segment) {
    for (uint64_t start = 20; start < 26; start++) {
        struct fixture f;
        setup(&f);
        create_group(&f, 1);
        append_large(&f, 1, 40, 1);
        log_store_compact(f.store, 1, start, 1);
        run_for_a_moment(&f);
        reopen(&f);
        assert_int_equal(start, log_store_group(f.store, 1)->log_start_index);
        assert_int_equal(1, log_store_group(f.store, 1)->log_start_term);
        assert_large(&f, start + 1, 1);
        assert_large(&f, 40, 1);
        teardown(&f);
    }
}

TEST("3", 2, replaced_entries_at_the_head_of_the_first_segment_kept_do_no_harm) {
    for (uint64_t last = 30; last < 33; last++) {
        struct fixture f;
        setup(&f);
        create_group(&f, 1);
        append_large(&f, 1, last, 1);
        append_large(&f, 21, 40, 2); /* another leader's, from further below */
        log_store_compact(f.store, 1, 20, 1);
        run_for_a_moment(&f);
        reopen(&f);
        assert_int_equal(20, log_store_group(f.store, 1)->log_start_index);
        for (uint64_t i = 21; i <= 40; i++)
            assert_large(&f, i, 2);
        teardown(&f);
    }
}

TEST("4", 2, a_snapshot_below_replaced_entries_is_the_log_start_after_a_restart) {
    for (uint64_t last = 30; last < 33; last++) {
        struct fixture f;
        setup(&f);
        create_group(&f, 1);
        append_large(&f, 1, last, 1);
        log_store_install_snapshot(f.store, 1, 25, 2);
        append_large(&f, 26, 28, 2);
        log_store_compact(f.store, 1, 25, 2);
        run_for_a_moment(&f);
        reopen(&f);
        assert_int_equal(25, log_store_group(f.store, 1)->log_start_index);
        assert_int_equal(2, log_store_group(f.store, 1)->log_start_term);
        for (uint64_t i = 26; i <= 28; i++)
            assert_large(&f, i, 2);
        teardown(&f);
    }
}

TEST("4", 0, an_installed_snapshot_empties_the_log_and_is_remembered) {
    struct fixture f;
    setup(&f);
    create_group(&f, 1);
    append_many(&f, 1, 1, 100);
    log_store_install_snapshot(f.store, 1, 50, 8);
    size_t count;
    log_store_entries(f.store, 1, &count);
    assert_int_equal(0, count);
    append(&f, 1, 51, 8, "after the snapshot");
    reopen(&f);
    const struct group_state *state = log_store_group(f.store, 1);
    assert_int_equal(50, state->log_start_index);
    assert_int_equal(8, state->log_start_term);
    assert_int_equal(50, state->snapshot_index);
    assert_entry(&f, 1, 51, 8, "after the snapshot");
    log_store_compact(f.store, 1, 51, 8);
    assert_int_equal(0, log_store_group(f.store, 1)->snapshot_index);
    teardown(&f);
}
