/* test_kvstore.c - the key-value store: what was committed is there after any crash, and nothing
 * else is. */
#include "kvstore.h"

#include <stdio.h>
#include <stdlib.h>

#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"

struct fixture {
    struct env *inner;
    struct env *env; /* with faults */
    char dir[512];
    struct kvstore *store;
    struct kvstore_options options;
    struct error error;
};

static void setup_in(struct fixture *f, const char *dir, uint64_t seed) {
    memset(f, 0, sizeof(*f));
    struct log log;
    log_init_null(&log);
    f->inner = env_uv_new(&log);
    f->env = env_fault_new(f->inner, seed);
    snprintf(f->dir, sizeof(f->dir), "%s/store-%llu", dir, (unsigned long long)seed);
    f->options.dir = f->dir;
    f->options.segment_bytes = 8192;
}

static void setup(struct fixture *f) {
    setup_in(f, harness_tmpdir(), 1);
    assert_ok(kvstore_open(f->env, &f->options, &f->store, &f->error), &f->error);
}

static void teardown(struct fixture *f) {
    kvstore_close(f->store);
    env_uv_free(f->inner); /* waits for what is under way */
    env_fault_free(f->env);
}

static void reopen(struct fixture *f) {
    kvstore_close(f->store);
    f->store = NULL;
    assert_ok(kvstore_open(f->env, &f->options, &f->store, &f->error), &f->error);
}

static struct slice text(const char *string) { return slice_of_string(string); }

static void put(struct fixture *f, const char *key, const char *value) {
    assert_ok(kvstore_put(f->store, text(key), text(value), &f->error), &f->error);
}

static void expect(struct fixture *f, const char *key, const char *value) {
    struct slice found;
    enum status status = kvstore_get(f->store, text(key), &found);
    assert_status(value != NULL ? STATUS_OK : STATUS_NOT_FOUND, status);
    if (value != NULL) assert_slice_equal(text(value), found);
}

static bool append_key(void *arg, struct slice key, struct slice value) {
    (void)value;
    strncat(arg, (const char *)key.data, key.len);
    return true;
}

TEST("4.2", 1, committed_writes_are_there_after_reopening) {
    struct fixture f;
    setup(&f);
    put(&f, "a", "1");
    put(&f, "b", "");
    put(&f, "c", "3");
    assert_ok(kvstore_delete(f.store, text("c"), &f.error), &f.error);
    assert_status(STATUS_NOT_FOUND, kvstore_delete(f.store, text("x"), &f.error));
    assert_ok(kvstore_commit(f.store, &f.error), &f.error);
    reopen(&f);
    expect(&f, "a", "1");
    expect(&f, "b", "");
    expect(&f, "c", NULL);
    assert_int_equal(2, kvstore_count(f.store));
    teardown(&f);
}

TEST("2.5", 0, scan_visits_the_range_in_order_without_its_end) {
    struct fixture f;
    setup(&f);
    for (const char *key = "dbeac"; *key != '\0'; key++)
        assert_ok(kvstore_put(f.store, slice_of(key, 1), text("v"), &f.error), &f.error);
    char met[20] = "";
    kvstore_scan(f.store, text("b"), text("d"), append_key, met);
    assert_string_equal("bc", met);
    met[0] = '\0';
    kvstore_scan(f.store, SLICE_EMPTY, SLICE_EMPTY, append_key, met);
    assert_string_equal("abcde", met);
    teardown(&f);
}

TEST("4.3", 3, snapshot_replaces_the_log_before_it) {
    struct fixture f;
    setup(&f);
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "%d", i % 10);
        put(&f, key, "some value that takes room in the log");
    }
    put(&f, "last", "before the snapshot");
    assert_ok(kvstore_snapshot(f.store, &f.error), &f.error);
    assert_int_equal(0, kvstore_log_bytes(f.store));
    put(&f, "last", "after the snapshot");
    assert_ok(kvstore_commit(f.store, &f.error), &f.error);
    reopen(&f);
    assert_int_equal(11, kvstore_count(f.store));
    expect(&f, "last", "after the snapshot");
    assert_true(kvstore_log_bytes(f.store) < 100);
    teardown(&f);
}

TEST("4.3", 3, commit_takes_a_snapshot_when_the_log_has_grown) {
    struct fixture f;
    setup_in(&f, harness_tmpdir(), 1);
    f.options.snapshot_log_bytes = 20000;
    assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
    for (int i = 0; i < 2000; i++) {
        put(&f, "key", "forty bytes of value, or perhaps a few more");
        assert_ok(kvstore_commit(f.store, &f.error), &f.error);
        assert_true(kvstore_log_bytes(f.store) < 20000);
    }
    teardown(&f);
}

TEST("2.5", 0, limits_are_refused_with_a_message_and_change_nothing) {
    struct fixture f;
    setup_in(&f, harness_tmpdir(), 1);
    f.options.memory_limit_bytes = 4000;
    assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
    static const uint8_t big[KVSTORE_KEY_MAX + 1];
    assert_status(STATUS_TOO_LARGE,
                  kvstore_put(f.store, slice_of(big, sizeof(big)), text("v"), &f.error));
    put(&f, "a", "1");
    assert_status(STATUS_BUSY, kvstore_put(f.store, text("a"), slice_of(big, 4000), &f.error));
    expect(&f, "a", "1");
    struct kvstore *second;
    assert_status(STATUS_IN_USE, kvstore_open(f.env, &f.options, &second, &f.error));
    teardown(&f);
}

/* ---- group commit --------------------------------------------------------------------------- */

struct client {
    struct fixture *f;
    struct kvstore_commit_op op;
    char key[16];
    int left;
    int *running;
};

static void client_next(void *arg) {
    struct client *client = arg;
    if (client->left-- == 0) {
        if (--*client->running == 0) env_stop(client->f->env);
        return;
    }
    snprintf(client->key + 4, sizeof(client->key) - 4, "%d", client->left);
    put(client->f, client->key, "v");
    kvstore_commit_start(client->f->store, &client->op);
}

TEST("4.2", 1, many_clients_share_a_sync) {
    struct fixture f;
    setup_in(&f, harness_tmpdir(), 1);
    f.options.on_loop = true;
    assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
    struct client clients[20];
    int running = 20;
    for (int i = 0; i < 20; i++) {
        clients[i] = (struct client){.f = &f, .left = 25, .running = &running};
        clients[i].op = (struct kvstore_commit_op){.done = client_next, .arg = &clients[i]};
        snprintf(clients[i].key, sizeof(clients[i].key), "%03d-", i);
        client_next(&clients[i]);
    }
    uint64_t before = env_fault_operations(f.env);
    env_run(f.env);
    assert_true(env_fault_operations(f.env) - before < 200); /* not 500 writes and 500 syncs */
    f.options.on_loop = false;
    reopen(&f);
    assert_int_equal(500, kvstore_count(f.store));
    teardown(&f);
}

static void count_done(void *arg) {
    struct fixture *f = ((struct client *)arg)->f;
    env_stop(f->env);
}

TEST("2.5", 0, commit_with_nothing_to_sync_reports_too) {
    struct fixture f;
    setup_in(&f, harness_tmpdir(), 1);
    f.options.on_loop = true;
    assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
    struct client client = {.f = &f};
    client.op = (struct kvstore_commit_op){.done = count_done, .arg = &client};
    kvstore_commit_start(f.store, &client.op);
    env_run(f.env);
    teardown(&f);
}

/* ---- crashes -------------------------------------------------------------------------------- */

/* Step i sets key i%13 to i, or deletes it; a commit every third step, a snapshot every 25th. */
static enum status one_step(struct kvstore *store, uint64_t i, struct error *error) {
    char key[16], value[200];
    snprintf(key, sizeof(key), "%llu", (unsigned long long)(i % 13));
    int len = snprintf(value, sizeof(value), "%0*llu", 1 + (int)(i % 150), (unsigned long long)i);
    if (i % 5 == 4) {
        enum status status = kvstore_delete(store, text(key), error);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND) return status;
    } else {
        TRY(kvstore_put(store, text(key), slice_of(value, (size_t)len), error));
    }
    if (i % 25 == 24) return kvstore_snapshot(store, error);
    return i % 3 == 2 ? kvstore_commit(store, error) : STATUS_OK;
}

/* The last step whose writes are committed when one_step(i) returned OK. */
static bool commits(uint64_t i) { return i % 25 == 24 || i % 3 == 2; }

static bool append_pair(void *arg, struct slice key, struct slice value) {
    struct buf *out = arg;
    buf_append_slice(out, key);
    buf_append_byte(out, '=');
    buf_append_slice(out, value);
    buf_append_byte(out, '\n');
    return true;
}

enum { STEPS = 55 };

struct states {
    struct buf after[STEPS + 1]; /* after[n]: everything, after n steps */
};

static void record_states(struct states *states, const char *dir) {
    struct fixture f;
    setup_in(&f, dir, 1000000);
    assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
    for (uint64_t i = 0; i <= STEPS; i++) {
        kvstore_scan(f.store, SLICE_EMPTY, SLICE_EMPTY, append_pair, &states->after[i]);
        if (i < STEPS) assert_ok(one_step(f.store, i, &f.error), &f.error);
    }
    teardown(&f);
}

/* Runs until the disk fails; returns how many steps are committed. *ended is false if it never
 * failed. */
static uint64_t run_until_crash(struct fixture *f, bool *ended) {
    uint64_t committed = 0;
    *ended = true;
    if (kvstore_open(f->env, &f->options, &f->store, &f->error) != STATUS_OK) return 0;
    for (uint64_t i = 0; i < STEPS; i++) {
        if (one_step(f->store, i, &f->error) != STATUS_OK) return committed;
        if (commits(i)) committed = i + 1;
    }
    *ended = false;
    return committed;
}

static void expect_prefix(struct fixture *f, const struct states *states, uint64_t committed,
                          uint64_t at) {
    struct buf now = BUF_INIT;
    kvstore_scan(f->store, SLICE_EMPTY, SLICE_EMPTY, append_pair, &now);
    bool found = false;
    for (uint64_t n = committed; n <= STEPS && !found; n++)
        found = slice_equal(buf_slice(&now), buf_slice(&states->after[n]));
    if (!found)
        fail_msg("crash at operation %llu: not the state after %llu steps or more",
                 (unsigned long long)at, (unsigned long long)committed);
    buf_deinit(&now);
}

static void crash_everywhere(enum crash_loss loss) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    struct states states = {0};
    record_states(&states, dir);
    bool crashed = true;
    uint64_t stride = harness_sanitized() ? 3 : 1;
    uint64_t rounds = 0;
    for (uint64_t at = 0; crashed; at += stride, rounds++) {
        struct fixture f;
        setup_in(&f, dir, at);
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t committed = run_until_crash(&f, &crashed);
        kvstore_close(f.store);
        f.store = NULL;
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(kvstore_open(f.env, &f.options, &f.store, &f.error), &f.error);
        expect_prefix(&f, &states, committed, at);
        teardown(&f);
    }
    assert_true(rounds * stride > 50);
    for (size_t i = 0; i <= STEPS; i++)
        buf_deinit(&states.after[i]);
}

TEST("4.4", 2, crash_at_every_operation_leaves_a_prefix_with_all_that_was_committed) {
    crash_everywhere(LOSE_ALL_UNSYNCED);
}

TEST("4.4", 2, torn_writes_at_every_operation_leave_a_prefix_with_all_that_was_committed) {
    crash_everywhere(LOSE_SOME);
}

TEST("4.3", 0, flipped_byte_in_the_snapshot_is_reported_with_file_and_offset) {
    struct fixture f;
    setup(&f);
    put(&f, "key", "value");
    assert_ok(kvstore_snapshot(f.store, &f.error), &f.error);
    kvstore_close(f.store);
    f.store = NULL;
    char path[600];
    snprintf(path, sizeof(path), "%s/snapshot.map", f.dir);
    for (long offset = 0; offset < 80; offset += 3) {
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, offset, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, offset, SEEK_SET);
        fputc(byte ^ 1, file);
        fclose(file);
        assert_status(STATUS_CORRUPT, kvstore_open(f.env, &f.options, &f.store, &f.error));
        assert_non_null(strstr(f.error.message, path));
        file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, offset, SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
    reopen(&f);
    expect(&f, "key", "value");
    teardown(&f);
}
