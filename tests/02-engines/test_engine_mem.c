/* test_engine_mem.c - what only the in-memory engine promises: crashes at every write to its files,
 * and memory that does not grow with overwriting. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "engine.h"
#include "engine_mem.h"
#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"

struct faulty {
    struct env *inner;
    struct env *env; /* with faults */
    struct engine *engine;
    struct engine_options options;
    char dir[512];
    struct error error;
    struct buf value;
    struct write_batch batch;
};

static void faulty_setup_in(struct faulty *f, const char *dir, uint64_t seed) {
    memset(f, 0, sizeof(*f));
    struct log log;
    log_init_null(&log);
    f->inner = env_uv_new(&log);
    f->env = env_fault_new(f->inner, seed);
    snprintf(f->dir, sizeof(f->dir), "%s/store-%llu", dir, (unsigned long long)seed);
    f->options.dir = f->dir;
    write_batch_init(&f->batch);
}

static enum status open_engine(struct faulty *f) {
    return engine_open(f->env, "mem", &f->options, &f->engine, &f->error);
}

static void setup(struct faulty *f) {
    faulty_setup_in(f, harness_tmpdir(), 1);
    assert_ok(open_engine(f), &f->error);
}

static void teardown(struct faulty *f) {
    engine_close(f->engine);
    env_uv_free(f->inner); /* waits for what is under way */
    env_fault_free(f->env);
    buf_deinit(&f->value);
    write_batch_deinit(&f->batch);
}

static struct slice text(const char *string) { return slice_of_string(string); }

static enum status put_number(struct faulty *f, const char *key, uint64_t number) {
    struct buf value = BUF_INIT;
    put_u64be(&value, number);
    write_batch_clear(&f->batch);
    write_batch_put(&f->batch, text(key), buf_slice(&value));
    buf_deinit(&value);
    return engine_write(f->engine, &f->batch, &f->error);
}

static size_t memory(const struct faulty *f) {
    const struct engine_mem *engine = (const struct engine_mem *)(const void *)f->engine;
    return memtable_bytes(engine->table);
}

TEST("3.1", 2, overwriting_a_key_does_not_take_more_memory) {
    struct faulty f;
    setup(&f);
    assert_ok(put_number(&f, "key", 0), &f.error);
    size_t before = memory(&f);
    for (uint64_t i = 0; i < 10000; i++)
        assert_ok(put_number(&f, "key", i), &f.error);
    assert_in_range(memory(&f), 1, before + 200);
    write_batch_clear(&f.batch);
    write_batch_delete(&f.batch, text("key"));
    assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    assert_int_equal(0, memory(&f));
    teardown(&f);
}

TEST("3.1", 2, versions_kept_for_snapshots_go_when_the_snapshots_have_gone) {
    struct faulty f;
    setup(&f);
    char key[16];
    struct engine_snapshot *snapshots[10];
    for (uint64_t s = 0; s < 10; s++) {
        for (uint64_t i = 0; i < 20; i++) {
            snprintf(key, sizeof(key), "%02llu", (unsigned long long)i);
            assert_ok(put_number(&f, key, s), &f.error);
        }
        snapshots[s] = engine_snapshot_new(f.engine);
    }
    size_t with_all = memory(&f);
    for (uint64_t s = 0; s < 10; s++) {
        assert_ok(engine_get(f.engine, snapshots[s], text("07"), 0, &f.value, &f.error), &f.error);
        assert_int_equal(s, load_u64be(f.value.data));
    }
    for (uint64_t s = 0; s < 10; s++)
        engine_snapshot_release(f.engine, snapshots[s]);
    for (int i = 0; i < 20; i++)
        assert_ok(put_number(&f, "other", 0), &f.error);
    assert_true(memory(&f) < with_all / 5);
    teardown(&f);
}

TEST("3.2", 0, write_beyond_the_memory_limit_is_busy_and_not_applied) {
    struct faulty f;
    faulty_setup_in(&f, harness_tmpdir(), 1);
    f.options.memory_limit_bytes = 1000;
    assert_ok(open_engine(&f), &f.error);
    static const uint8_t big[2000];
    write_batch_put(&f.batch, text("big"), slice_of(big, sizeof(big)));
    assert_status(STATUS_BUSY, engine_write(f.engine, &f.batch, &f.error));
    assert_status(STATUS_NOT_FOUND, engine_get(f.engine, NULL, text("big"), 0, &f.value, &f.error));
    teardown(&f);
}

TEST("3.2", 0, would_block_is_said_only_to_those_who_ask_not_to_wait) {
    struct faulty f;
    faulty_setup_in(&f, harness_tmpdir(), 1);
    f.options.would_block_percent = 100;
    assert_ok(open_engine(&f), &f.error);
    assert_ok(put_number(&f, "key", 1), &f.error);
    assert_status(STATUS_WOULD_BLOCK,
                  engine_get(f.engine, NULL, text("key"), ENGINE_NO_WAIT, &f.value, &f.error));
    assert_ok(engine_get(f.engine, NULL, text("key"), 0, &f.value, &f.error), &f.error);
    struct engine_iterator *it =
        engine_iterator_new(f.engine, &(struct engine_iterator_options){.flags = ENGINE_NO_WAIT});
    assert_false(engine_iterator_seek_first(it));
    assert_status(STATUS_WOULD_BLOCK, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    teardown(&f);
}

TEST("3.3", 0, store_made_with_a_log_is_not_opened_without_it) {
    struct faulty f;
    faulty_setup_in(&f, harness_tmpdir(), 1);
    f.options.own_log = true;
    assert_ok(open_engine(&f), &f.error);
    engine_close(f.engine);
    f.engine = NULL;
    f.options.own_log = false;
    assert_status(STATUS_INVALID, open_engine(&f));
    teardown(&f);
}

struct flush {
    struct engine_flush_op op;
    struct faulty *f;
    enum status status;
};

static void flushed(void *arg, enum status status, const struct error *error) {
    struct flush *flush = arg;
    (void)error;
    flush->status = status;
    env_stop(flush->f->env);
}

static void flush_on_loop(struct faulty *f, struct flush *flush) {
    *flush = (struct flush){.f = f, .status = STATUS_COUNT};
    flush->op = (struct engine_flush_op){.done = flushed, .arg = flush};
    engine_flush_start(f->engine, &flush->op);
}

TEST("3.4", 2, flush_in_the_background_holds_what_was_there_when_it_began) {
    struct faulty f;
    setup(&f);
    struct flush flush;
    for (uint64_t i = 0; i < 40000; i++) { /* several slices */
        char key[16];
        snprintf(key, sizeof(key), "%05llu", (unsigned long long)i);
        assert_ok(put_number(&f, key, 1), &f.error);
    }
    flush_on_loop(&f, &flush);
    assert_ok(put_number(&f, "39999", 2), &f.error);
    assert_ok(put_number(&f, "new", 2), &f.error);
    env_run(f.env);
    assert_status(STATUS_OK, flush.status);
    engine_close(f.engine);
    f.engine = NULL;
    assert_ok(open_engine(&f), &f.error);
    assert_ok(engine_get(f.engine, NULL, text("39999"), 0, &f.value, &f.error), &f.error);
    assert_int_equal(1, load_u64be(f.value.data));
    assert_status(STATUS_NOT_FOUND, engine_get(f.engine, NULL, text("new"), 0, &f.value, &f.error));
    teardown(&f);
}

TEST("3.4", 0, failed_flush_is_reported_and_the_store_goes_on) {
    struct faulty f;
    setup(&f);
    struct flush flush;
    assert_ok(put_number(&f, "key", 1), &f.error);
    env_fault_arm(f.env, FAULT_NO_SPACE, 0);
    flush_on_loop(&f, &flush);
    env_run(f.env);
    assert_status(STATUS_NO_SPACE, flush.status);
    env_fault_clear(f.env);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_ok(engine_persisted_get(f.engine, text("key"), &f.value, &f.error), &f.error);
    teardown(&f);
}

static void stop_loop(void *arg) { env_stop(arg); }

TEST("3.4", 0, engine_may_be_closed_at_any_stage_of_a_flush) {
    for (int stage = 0; stage < 3; stage++) {
        struct faulty f;
        faulty_setup_in(&f, harness_tmpdir(), 1);
        assert_ok(open_engine(&f), &f.error);
        struct flush flush;
        struct env_timer timer;
        assert_ok(put_number(&f, "key", 1), &f.error);
        flush_on_loop(&f, &flush);
        if (stage > 0) {
            env_timer_init(&timer, stop_loop, f.env);
            env_timer_start(f.env, &timer, env_now_ns(f.env));
            env_run(f.env);
        }
        engine_close(f.engine);
        f.engine = NULL;
        if (stage > 1) {
            env_timer_start(f.env, &timer, env_now_ns(f.env) + 50 * NS_PER_MS);
            env_run(f.env);
        }
        teardown(&f);
    }
}

/* ---- a reader at the writer's heels --------------------------------------------------------- */

enum { CHASED_KEYS = 30000 };

struct chase {
    struct faulty *f;
    const struct engine_snapshot *snapshot;
    atomic_int writing; /* the key that is being overwritten */
    atomic_bool stop;
    uint64_t wrong;
    struct env_work work;
};

static struct slice chased_key(int i, char out[16]) {
    return slice_of(out, (size_t)snprintf(out, 16, "%07d", i));
}

/* Reads, on the snapshot, the keys next to the one that is being overwritten for the first time:
 * there a new version comes to stand right in front of the one that the reader is after. */
static void chase_writer(void *arg) {
    struct chase *chase = arg;
    struct buf value = BUF_INIT;
    while (!atomic_load(&chase->stop)) {
        int first = atomic_load(&chase->writing);
        for (int i = first; i < first + 4 && i < CHASED_KEYS; i++) {
            char key[16];
            enum status status =
                engine_get(chase->f->engine, chase->snapshot, chased_key(i, key), 0, &value, NULL);
            if (status != STATUS_OK || load_u64be(value.data) != 1) chase->wrong++;
        }
    }
    buf_deinit(&value);
}

static void chase_ended(void *arg) {
    struct chase *chase = arg;
    env_stop(chase->f->env);
}

TEST("3.5", 4, reader_at_the_heels_of_the_writer_sees_its_snapshot_only) {
    struct faulty f;
    setup(&f);
    char key[16];
    for (int i = 0; i < CHASED_KEYS; i++) {
        chased_key(i, key);
        assert_ok(put_number(&f, key, 1), &f.error);
    }
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    struct chase chase = {.f = &f, .snapshot = snapshot};
    chase.work = (struct env_work){.run = chase_writer, .done = chase_ended, .arg = &chase};
    env_work_submit(f.env, LANE_READ, &chase.work);
    for (int i = 0; i < CHASED_KEYS; i++) {
        atomic_store(&chase.writing, i);
        chased_key(i, key);
        assert_ok(put_number(&f, key, 2), &f.error);
    }
    atomic_store(&chase.stop, true);
    env_run(f.env);
    assert_int_equal(0, chase.wrong);
    engine_snapshot_release(f.engine, snapshot);
    teardown(&f);
}

/* ---- crashes -------------------------------------------------------------------------------- */

enum { BATCHES = 30 };

/* Batch i writes i under "last", and under a key of its own; batch i-10's key is deleted. */
static enum status write_numbered(struct faulty *f, uint64_t i) {
    struct buf key = BUF_INIT, old = BUF_INIT;
    write_batch_clear(&f->batch);
    put_u64be(&key, i);
    write_batch_put(&f->batch, buf_slice(&key), text("v"));
    write_batch_put(&f->batch, text("~last"), buf_slice(&key));
    put_u64be(&old, i - 10);
    if (i > 10) write_batch_delete(&f->batch, buf_slice(&old));
    buf_deinit(&key);
    buf_deinit(&old);
    return engine_write(f->engine, &f->batch, &f->error);
}

/* The number of batches of which the store is the outcome. */
static uint64_t check_prefix(struct faulty *f) {
    uint64_t last = 0;
    if (engine_get(f->engine, NULL, text("~last"), 0, &f->value, &f->error) == STATUS_OK)
        last = load_u64be(f->value.data);
    struct engine_iterator *it =
        engine_iterator_new(f->engine, &(struct engine_iterator_options){.upper = text("~")});
    uint64_t expected = last > 10 ? last - 9 : 1;
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        assert_int_equal(expected++, load_u64be(engine_iterator_key(it).data));
    assert_int_equal(last + 1, expected);
    engine_iterator_free(it);
    return last;
}

/* Returns how many batches were promised before the disk failed. */
static uint64_t run_until_crash(struct faulty *f, bool *crashed) {
    uint64_t promised = 0;
    *crashed = true;
    if (open_engine(f) != STATUS_OK) return 0;
    for (uint64_t i = 1; i <= BATCHES; i++) {
        if (write_numbered(f, i) != STATUS_OK) return promised;
        if (i % 3 == 0 && engine_sync(f->engine, &f->error) != STATUS_OK) return promised;
        if (i % 3 == 0) promised = i;
        if (i % 10 == 5 && engine_flush(f->engine, &f->error) != STATUS_OK) return promised;
        if (i % 10 == 5) promised = i;
    }
    *crashed = false;
    return promised;
}

static void crash_everywhere(bool own_log, enum crash_loss loss) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t stride = harness_sanitized() ? 3 : 1, at = 0;
    for (; crashed; at += stride) {
        struct faulty f;
        faulty_setup_in(&f, dir, at);
        f.options.own_log = own_log;
        f.options.log_segment_bytes = 8192;
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t promised = run_until_crash(&f, &crashed);
        engine_close(f.engine);
        f.engine = NULL;
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(open_engine(&f), &f.error);
        assert_in_range(check_prefix(&f), promised, BATCHES);
        teardown(&f);
    }
    assert_true(at > 50);
}

TEST("3.5", 2, crash_at_every_operation_without_a_log_leaves_a_prefix_up_to_the_last_flush) {
    crash_everywhere(false, LOSE_ALL_UNSYNCED);
    crash_everywhere(false, LOSE_SOME);
}

TEST("3.5", 2, crash_at_every_operation_with_its_own_log_leaves_all_that_was_synced) {
    crash_everywhere(true, LOSE_ALL_UNSYNCED);
    crash_everywhere(true, LOSE_SOME);
}
