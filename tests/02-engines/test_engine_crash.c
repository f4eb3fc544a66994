/* test_engine_crash.c - a power failure at every operation on the disk, for the engines that do
 * their I/O through env: what is left is a prefix of the writes, as long as was promised. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "engine_faulty.h"
#define LSM_STEP "5"
#include "engine_fixture.h"

enum { BATCHES = 36, BACKGROUND_BATCHES = 120, REOPEN_AT = 70, PADDING_BYTES = 500 };

/* Batch i writes i under "last", and under a key of its own; batch i-10's key is deleted. */
static enum status write_numbered(struct faulty *f, uint64_t i) {
    struct buf key = BUF_INIT, old = BUF_INIT;
    write_batch_clear(&f->batch);
    put_u64be(&key, i);
    write_batch_put(&f->batch, buf_slice(&key), faulty_text("v"));
    write_batch_put(&f->batch, faulty_text("~last"), buf_slice(&key));
    put_u64be(&old, i - 10);
    if (i > 10) write_batch_delete(&f->batch, buf_slice(&old));
    buf_deinit(&key);
    buf_deinit(&old);
    return engine_write(f->engine, &f->batch, &f->error);
}

/* The number of batches of which the store is the outcome. */
static uint64_t check_prefix(struct faulty *f) {
    uint64_t last = 0;
    if (engine_get(f->engine, NULL, faulty_text("~last"), 0, &f->value, &f->error) == STATUS_OK)
        last = load_u64be(f->value.data);
    struct engine_iterator *it = engine_iterator_new(
        f->engine, &(struct engine_iterator_options){.upper = faulty_text("~")});
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
    if (faulty_open(f) != STATUS_OK) return 0;
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

static void crash_everywhere(const char *kind, bool own_log, enum crash_loss loss) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t stride = harness_sanitized() ? 3 : 1, at = 0;
    for (; crashed; at += stride) {
        struct faulty f;
        faulty_setup_in(&f, kind, dir, at);
        f.options.own_log = own_log;
        f.options.log_segment_bytes = 8192;
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t promised = run_until_crash(&f, &crashed);
        engine_close(f.engine);
        f.engine = NULL;
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(faulty_open(&f), &f.error);
        assert_in_range(check_prefix(&f), promised, BATCHES);
        faulty_teardown(&f);
    }
    assert_true(at > 50);
}

EVERY_ENGINE_OF_OURS(2, crash_anywhere_without_a_log_leaves_a_prefix_up_to_the_last_flush) {
    crash_everywhere(kind, false, LOSE_ALL_UNSYNCED);
    crash_everywhere(kind, false, LOSE_SOME);
}

EVERY_ENGINE_OF_OURS(2, crash_anywhere_with_its_own_log_leaves_all_that_was_synced) {
    crash_everywhere(kind, true, LOSE_ALL_UNSYNCED);
    crash_everywhere(kind, true, LOSE_SOME);
}

/* ---- with flushes and compactions in the background ----------------------------------------- */

struct promise {
    struct engine_flush_op op;
    struct faulty *f;
    bool under_way;
    uint64_t asked; /* the last batch when the flush was started */
    uint64_t promised;
};

static void promise_flushed(void *arg, enum status status, const struct error *error) {
    struct promise *promise = arg;
    (void)error;
    promise->under_way = false;
    if (status == STATUS_OK) promise->promised = promise->asked;
}

static void start_flush(struct promise *promise, uint64_t last) {
    if (promise->under_way) return;
    promise->op = (struct engine_flush_op){.done = promise_flushed, .arg = promise};
    promise->under_way = true;
    promise->asked = last;
    engine_flush_start(promise->f->engine, &promise->op);
}

static void stop_loop(void *arg) { env_stop(arg); }

static void run_loop(struct faulty *f, uint64_t ns) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f->env);
    env_timer_start(f->env, &timer, env_now_ns(f->env) + ns);
    env_run(f->env);
    env_timer_stop(&timer); /* a fatal error stops the loop, too */
}

/* Large enough that memtables fill, are flushed and compacted while the writes go on. */
static enum status write_padded(struct faulty *f, uint64_t i) {
    static const uint8_t padding[PADDING_BYTES];
    struct buf key = BUF_INIT, old = BUF_INIT;
    write_batch_clear(&f->batch);
    put_u64be(&key, i);
    write_batch_put(&f->batch, buf_slice(&key), slice_of(padding, sizeof(padding)));
    write_batch_put(&f->batch, faulty_text("~last"), buf_slice(&key));
    put_u64be(&old, i - 9);
    if (i > 10) write_batch_delete_range(&f->batch, SLICE_EMPTY, buf_slice(&old));
    buf_deinit(&key);
    buf_deinit(&old);
    enum status status;
    for (int tries = 0;; tries++) {
        status = engine_write(f->engine, &f->batch, &f->error);
        if (status != STATUS_BUSY || tries == 2000) return status;
        run_loop(f, NS_PER_MS / 2);
    }
}

/* So that a crash strikes the recovery of a store with tables, too. False: it did. */
static bool sync_and_reopen(struct faulty *f) {
    enum status status;
    while ((status = engine_sync(f->engine, &f->error)) == STATUS_BUSY)
        run_loop(f, NS_PER_MS / 2);
    if (status != STATUS_OK) return false;
    engine_close(f->engine);
    f->engine = NULL;
    run_loop(f, NS_PER_MS); /* the lanes let go of their files */
    return faulty_open(f) == STATUS_OK;
}

static uint64_t run_in_background(struct faulty *f, bool own_log, bool *crashed) {
    struct promise promise = {.f = f};
    uint64_t synced = 0;
    *crashed = true;
    if (faulty_open(f) != STATUS_OK) return 0;
    for (uint64_t i = 1; i <= BACKGROUND_BATCHES; i++) {
        if (write_padded(f, i) != STATUS_OK) goto ended;
        if (own_log && i % 7 == 0) {
            if (engine_sync(f->engine, &f->error) != STATUS_OK) goto ended;
            synced = i;
        }
        if (i % 20 == 0) start_flush(&promise, i);
        if (i == REOPEN_AT && !sync_and_reopen(f)) goto ended;
        if (i == REOPEN_AT) synced = i;
        if (i % 5 == 0) run_loop(f, 0);
    }
    *crashed = false;
ended:
    run_loop(f, NS_PER_MS);
    return synced > promise.promised ? synced : promise.promised;
}

static void crash_in_background(bool own_log, enum crash_loss loss) {
    TEST_LIMIT(240000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t stride = harness_sanitized() ? 7 : 2, at = 0;
    for (; crashed && at < 1500; at += stride) {
        struct faulty f;
        faulty_setup_in(&f, "lsm", dir, at);
        f.options.own_log = own_log;
        f.options.log_segment_bytes = 8192;
        f.options.write_buffer_bytes = 4096;
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t promised = run_in_background(&f, own_log, &crashed);
        engine_close(f.engine);
        f.engine = NULL;
        run_loop(&f, 2 * NS_PER_MS); /* what was on the lanes lets go of its files */
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(faulty_open(&f), &f.error);
        assert_in_range(check_prefix(&f), promised, BACKGROUND_BATCHES);
        faulty_teardown(&f);
    }
    assert_true(at > 100);
}

TEST(LSM_STEP, 2, lsm_crash_in_the_background_without_a_log_leaves_a_prefix_up_to_the_last_flush) {
    crash_in_background(false, LOSE_ALL_UNSYNCED);
    crash_in_background(false, LOSE_SOME);
}

TEST(LSM_STEP, 2, lsm_crash_in_the_background_with_its_own_log_leaves_all_that_was_synced) {
    crash_in_background(true, LOSE_ALL_UNSYNCED);
    crash_in_background(true, LOSE_SOME);
}
