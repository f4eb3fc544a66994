/* test_engine.c - one suite for every kind of engine: what engine.h says. */
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec.h"
#include "engine_fixture.h"
#include "env_uv.h"
#include "mem.h"
#include "prng.h"

/* NULL: must not be there. */
static void expect_at(struct fixture *f, const struct engine_snapshot *snapshot, const char *key,
                      const char *value) {
    enum status status = engine_get(f->engine, snapshot, text(key), 0, &f->value, &f->error);
    if (status != (value == NULL ? STATUS_NOT_FOUND : STATUS_OK))
        print_error("get \"%s\"%s\n", key, snapshot != NULL ? ", on the snapshot" : "");
    if (value == NULL) {
        assert_status(STATUS_NOT_FOUND, status);
        return;
    }
    assert_ok(status, status != STATUS_NOT_FOUND ? &f->error : NULL);
    assert_slice_equal(text(value), buf_slice(&f->value));
}

static void expect(struct fixture *f, const char *key, const char *value) {
    expect_at(f, NULL, key, value);
}

/* The keys that an iterator meets, forwards and backwards, as one string each. */
static void expect_keys(struct fixture *f, const struct engine_iterator_options *options,
                        const char *forwards, const char *backwards) {
    char met[200] = "";
    struct engine_iterator *it = engine_iterator_new(f->engine, options);
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        strncat(met, (const char *)engine_iterator_key(it).data, engine_iterator_key(it).len);
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    assert_string_equal(forwards, met);
    met[0] = '\0';
    for (bool valid = engine_iterator_seek_last(it); valid; valid = engine_iterator_prev(it))
        strncat(met, (const char *)engine_iterator_key(it).data, engine_iterator_key(it).len);
    assert_string_equal(backwards, met);
    engine_iterator_free(it);
}

/* ---- writing and reading -------------------------------------------------------------------- */

TEST(MEM_STEP, 0, unknown_kind_is_refused_and_the_known_ones_are_named) {
    struct fixture f;
    setup(&f, "mem");
    struct engine *engine;
    assert_status(STATUS_INVALID, engine_open(f.env, "paper", &f.options, &engine, &f.error));
    assert_non_null(strstr(f.error.message, "paper"));
    assert_non_null(strstr(f.error.message, engine_kinds()));
    assert_string_equal("mem", engine_kind_of(f.engine));
    teardown(&f);
}

EVERY_ENGINE(1, value_that_was_put_is_got_until_it_is_replaced_or_deleted) {
    struct fixture f;
    setup(&f, kind);
    expect(&f, "a", NULL);
    put(&f, "a", "1");
    expect(&f, "a", "1");
    put(&f, "a", "2");
    expect(&f, "a", "2");
    write_batch_delete(&f.batch, text("a"));
    commit(&f);
    expect(&f, "a", NULL);
    teardown(&f);
}

EVERY_ENGINE(1, later_operation_of_a_batch_wins) {
    struct fixture f;
    setup(&f, kind);
    put(&f, "c", "old");
    write_batch_put(&f.batch, text("a"), text("1"));
    write_batch_delete(&f.batch, text("a"));
    write_batch_delete(&f.batch, text("b"));
    write_batch_put(&f.batch, text("b"), text("2"));
    write_batch_put(&f.batch, text("d"), text("in range"));
    write_batch_delete_range(&f.batch, text("c"), text("e"));
    write_batch_put(&f.batch, text("dd"), text("after range"));
    commit(&f);
    expect(&f, "a", NULL);
    expect(&f, "b", "2");
    expect(&f, "c", NULL);
    expect(&f, "d", NULL);
    expect(&f, "dd", "after range");
    teardown(&f);
}

EVERY_ENGINE(1, empty_and_large_keys_and_values_are_kept) {
    struct fixture f;
    setup(&f, kind);
    size_t size = 1u << 20;
    uint8_t *large = mem_zalloc(size);
    write_batch_put(&f.batch, SLICE_EMPTY, SLICE_EMPTY);
    write_batch_put(&f.batch, slice_of(large, WRITE_KEY_MAX), slice_of(large, size));
    commit(&f);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    reopen(&f);
    assert_ok(engine_get(f.engine, NULL, SLICE_EMPTY, 0, &f.value, &f.error), &f.error);
    assert_int_equal(0, f.value.len);
    assert_ok(engine_get(f.engine, NULL, slice_of(large, WRITE_KEY_MAX), 0, &f.value, &f.error),
              &f.error);
    assert_slice_equal(slice_of(large, size), buf_slice(&f.value));
    mem_free(large);
    teardown(&f);
}

EVERY_ENGINE(1, range_is_deleted_with_its_start_and_without_its_end) {
    struct fixture f;
    setup(&f, kind);
    for (const char *key = "abcdef"; *key != '\0'; key++) {
        write_batch_put(&f.batch, slice_of(key, 1), text("v"));
        commit(&f);
    }
    write_batch_delete_range(&f.batch, text("b"), text("e"));
    commit(&f);
    expect_keys(&f, NULL, "aef", "fea");
    put(&f, "c", "again");
    expect_keys(&f, NULL, "acef", "feca");
    teardown(&f);
}

/* ---- iterators and snapshots ---------------------------------------------------------------- */

EVERY_ENGINE(1, iterator_stays_inside_its_bounds_in_both_directions) {
    struct fixture f;
    setup(&f, kind);
    for (const char *key = "acegik"; *key != '\0'; key++)
        write_batch_put(&f.batch, slice_of(key, 1), text("v"));
    commit(&f);
    struct engine_iterator_options bounds = {.lower = text("c"), .upper = text("i")};
    expect_keys(&f, &bounds, "ceg", "gec");
    expect_keys(&f, NULL, "acegik", "kigeca");
    expect_keys(&f, &(struct engine_iterator_options){.lower = text("x")}, "", "");
    struct engine_iterator *it = engine_iterator_new(f.engine, &bounds);
    assert_true(engine_iterator_seek(it, text("a")));
    assert_slice_equal(text("c"), engine_iterator_key(it));
    assert_true(engine_iterator_seek(it, text("d")));
    assert_slice_equal(text("e"), engine_iterator_key(it));
    assert_false(engine_iterator_seek(it, text("h")));
    assert_false(engine_iterator_seek(it, text("z")));
    assert_true(engine_iterator_seek_for_prev(it, text("z")));
    assert_slice_equal(text("g"), engine_iterator_key(it));
    assert_true(engine_iterator_seek_for_prev(it, text("g")));
    assert_slice_equal(text("g"), engine_iterator_key(it));
    assert_true(engine_iterator_seek_for_prev(it, text("f")));
    assert_slice_equal(text("e"), engine_iterator_key(it));
    assert_false(engine_iterator_seek_for_prev(it, text("b")));
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    engine_iterator_free(it);
    teardown(&f);
}

EVERY_ENGINE(1, iterator_turns_round_in_the_middle) {
    struct fixture f;
    setup(&f, kind);
    for (const char *key = "abcd"; *key != '\0'; key++)
        write_batch_put(&f.batch, slice_of(key, 1), text("v"));
    write_batch_delete(&f.batch, text("c"));
    commit(&f);
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_true(engine_iterator_seek(it, text("b")));
    assert_true(engine_iterator_next(it));
    assert_slice_equal(text("d"), engine_iterator_key(it));
    assert_true(engine_iterator_prev(it));
    assert_slice_equal(text("b"), engine_iterator_key(it));
    assert_true(engine_iterator_prev(it));
    assert_true(engine_iterator_next(it));
    assert_slice_equal(text("b"), engine_iterator_key(it));
    engine_iterator_free(it);
    teardown(&f);
}

EVERY_ENGINE(3, snapshot_sees_nothing_that_was_written_after_it) {
    struct fixture f;
    setup(&f, kind);
    put(&f, "a", "1");
    put(&f, "b", "1");
    put(&f, "c", "1");
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    put(&f, "a", "2");
    write_batch_delete(&f.batch, text("b"));
    write_batch_put(&f.batch, text("bb"), text("2"));
    commit(&f);
    write_batch_delete_range(&f.batch, text("c"), text("d"));
    commit(&f);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    expect_at(&f, snapshot, "a", "1");
    expect_at(&f, snapshot, "b", "1");
    expect_at(&f, snapshot, "c", "1");
    expect_at(&f, snapshot, "bb", NULL);
    expect_keys(&f, &(struct engine_iterator_options){.snapshot = snapshot}, "abc", "cba");
    expect_keys(&f, NULL, "abb", "bba");
    engine_snapshot_release(f.engine, snapshot);
    expect(&f, "a", "2");
    expect(&f, "c", NULL);
    teardown(&f);
}

EVERY_ENGINE(3, iterator_keeps_the_state_of_its_creation) {
    struct fixture f;
    setup(&f, kind);
    put(&f, "a", "1");
    put(&f, "c", "1");
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    put(&f, "b", "1");
    write_batch_delete(&f.batch, text("c"));
    commit(&f);
    assert_true(engine_iterator_seek_first(it));
    assert_true(engine_iterator_next(it));
    assert_slice_equal(text("c"), engine_iterator_key(it));
    assert_false(engine_iterator_next(it));
    engine_iterator_free(it);
    teardown(&f);
}

struct reading {
    struct fixture *f;
    const struct engine_snapshot *snapshot;
    struct env_work work;
    size_t count;
    uint64_t wrong;
    bool done;
};

static void read_all(void *arg) {
    struct reading *reading = arg;
    for (int round = 0; round < 20; round++) {
        struct engine_iterator *it = engine_iterator_new(
            reading->f->engine, &(struct engine_iterator_options){.snapshot = reading->snapshot});
        bool forwards = round % 2 == 0;
        bool valid = forwards ? engine_iterator_seek_first(it) : engine_iterator_seek_last(it);
        for (; valid; valid = forwards ? engine_iterator_next(it) : engine_iterator_prev(it)) {
            reading->count++;
            if (!slice_equal(engine_iterator_value(it), text("before"))) reading->wrong++;
        }
        engine_iterator_free(it);
    }
    struct buf value = BUF_INIT;
    for (int i = 0; i < 20000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%04d", i % 700);
        enum status status =
            engine_get(reading->f->engine, reading->snapshot, text(key), 0, &value, NULL);
        if (i % 700 >= 500 ? status != STATUS_NOT_FOUND
                           : !slice_equal(buf_slice(&value), text("before")))
            reading->wrong++;
    }
    buf_deinit(&value);
}

static void reading_done(void *arg) {
    struct reading *reading = arg;
    reading->done = true;
    env_stop(reading->f->env);
}

EVERY_ENGINE(4, worker_reads_a_snapshot_while_the_loop_writes) {
    struct fixture f;
    setup(&f, kind);
    char key[16];
    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "%04d", i);
        write_batch_put(&f.batch, text(key), text("before"));
    }
    commit(&f);
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    struct reading reading = {.f = &f, .snapshot = snapshot};
    reading.work = (struct env_work){.run = read_all, .done = reading_done, .arg = &reading};
    env_work_submit(f.env, LANE_READ, &reading.work);
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "%04d", i * 37 % 700);
        if (i % 3 == 0)
            write_batch_delete(&f.batch, text(key));
        else
            write_batch_put(&f.batch, text(key), text("after"));
        commit(&f);
    }
    env_run(f.env);
    assert_true(reading.done);
    assert_int_equal(500 * 20, reading.count);
    assert_int_equal(0, reading.wrong);
    engine_snapshot_release(f.engine, snapshot);
    teardown(&f);
}

/* ---- durability ----------------------------------------------------------------------------- */

struct flush_result {
    struct engine_flush_op op;
    struct fixture *f;
    enum status status;
    int order;
    int *finished;
    int stop_after;
};

static void flushed(void *arg, enum status status, const struct error *error) {
    struct flush_result *result = arg;
    (void)error;
    result->status = status;
    result->order = ++*result->finished;
    if (*result->finished == result->stop_after) env_stop(result->f->env);
}

EVERY_ENGINE(2, flush_reports_on_the_loop_and_makes_earlier_writes_durable) {
    struct fixture f;
    setup(&f, kind);
    int finished = 0;
    struct flush_result results[3];
    for (int i = 0; i < 3; i++) {
        put(&f, i == 0 ? "a" : i == 1 ? "b" : "c", "v");
        results[i] = (struct flush_result){.f = &f, .finished = &finished, .stop_after = 3};
        results[i].op = (struct engine_flush_op){.done = flushed, .arg = &results[i]};
        engine_flush_start(f.engine, &results[i].op);
    }
    assert_int_equal(0, finished);
    env_run(f.env);
    for (int i = 0; i < 3; i++) {
        assert_status(STATUS_OK, results[i].status);
        assert_int_equal(i + 1, results[i].order);
    }
    for (const char *key = "abc"; *key != '\0'; key++)
        assert_ok(engine_persisted_get(f.engine, slice_of(key, 1), &f.value, &f.error), &f.error);
    teardown(&f);
}

EVERY_ENGINE(2, persisted_get_reads_only_what_is_flushed) {
    struct fixture f;
    setup(&f, kind);
    put(&f, "a", "1");
    assert_status(STATUS_NOT_FOUND, engine_persisted_get(f.engine, text("a"), &f.value, &f.error));
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    put(&f, "a", "2");
    put(&f, "b", "2");
    assert_ok(engine_persisted_get(f.engine, text("a"), &f.value, &f.error), &f.error);
    assert_slice_equal(text("1"), buf_slice(&f.value));
    assert_status(STATUS_NOT_FOUND, engine_persisted_get(f.engine, text("b"), &f.value, &f.error));
    expect(&f, "a", "2");
    assert_ok(engine_sync(f.engine, &f.error), &f.error);
    assert_ok(engine_persisted_get(f.engine, text("b"), &f.value, &f.error), &f.error);
    teardown(&f);
}

/* Batch i writes i under the key "last" and under a key of its own. */
static void write_numbered(struct fixture *f, uint64_t i) {
    struct buf key = BUF_INIT;
    put_u64be(&key, i);
    write_batch_put(&f->batch, buf_slice(&key), text("v"));
    write_batch_put(&f->batch, text("~last"), buf_slice(&key));
    commit(f);
    buf_deinit(&key);
}

/* The store holds exactly the batches 1..n; returns n. */
static uint64_t expect_prefix(struct fixture *f) {
    uint64_t last = 0, count = 0;
    enum status status = engine_get(f->engine, NULL, text("~last"), 0, &f->value, &f->error);
    if (status == STATUS_OK) last = load_u64be(f->value.data);
    struct engine_iterator *it =
        engine_iterator_new(f->engine, &(struct engine_iterator_options){.upper = text("~")});
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        assert_int_equal(++count, load_u64be(engine_iterator_key(it).data));
    engine_iterator_free(it);
    assert_int_equal(last, count);
    return last;
}

enum { SYNCED_BATCHES = 200, WRITTEN_BATCHES = 300 };

/* In a child that kills itself: nothing is closed, flushed or destroyed in order. */
static void write_and_die(const char *kind, bool own_log, const char *dir) {
    struct fixture f;
    setup_in(&f, kind, own_log, dir);
    for (uint64_t i = 1; i <= WRITTEN_BATCHES; i++) {
        write_numbered(&f, i);
        if (i == SYNCED_BATCHES && engine_sync(f.engine, &f.error) != STATUS_OK) _exit(1);
    }
    kill(getpid(), SIGKILL);
}

static void check_killed(const char *kind, bool own_log) {
    const char *dir = harness_tmpdir();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) write_and_die(kind, own_log, dir);
    int ended;
    assert_int_equal(child, waitpid(child, &ended, 0));
    assert_true(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    struct fixture f;
    setup_in(&f, kind, own_log, dir);
    assert_in_range(expect_prefix(&f), SYNCED_BATCHES, WRITTEN_BATCHES);
    teardown(&f);
}

EVERY_ENGINE(2, store_without_log_holds_a_prefix_up_to_the_last_flush_after_kill) {
    check_killed(kind, false);
}

EVERY_ENGINE(2, store_with_its_own_log_holds_all_that_was_synced_after_kill) {
    check_killed(kind, true);
}

EVERY_ENGINE(0, directory_in_use_is_refused) {
    struct fixture f;
    setup(&f, kind);
    struct engine *second;
    assert_status(STATUS_IN_USE, engine_open(f.env, kind, &f.options, &second, &f.error));
    teardown(&f);
}

EVERY_ENGINE(0, checkpoint_is_a_store_of_its_own_with_the_writes_so_far) {
    struct fixture f;
    setup(&f, kind);
    char copy[600];
    snprintf(copy, sizeof(copy), "%s-copy", f.dir);
    put(&f, "a", "1");
    assert_ok(engine_checkpoint(f.engine, copy, &f.error), &f.error);
    assert_status(STATUS_EXISTS, engine_checkpoint(f.engine, copy, &f.error));
    put(&f, "a", "2");
    struct engine *second, *first = f.engine;
    assert_ok(engine_open(f.env, kind, &(struct engine_options){.dir = copy}, &second, &f.error),
              &f.error);
    f.engine = second;
    expect(&f, "a", "1");
    engine_close(second);
    f.engine = first;
    expect(&f, "a", "2");
    teardown(&f);
}

EVERY_ENGINE(0, size_estimate_follows_the_size_of_the_range) {
    struct fixture f;
    setup(&f, kind);
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 4000; i++) {
        char key[16];
        uint8_t value[500];
        snprintf(key, sizeof(key), "%04d", i);
        for (size_t k = 0; k < sizeof(value); k++)
            value[k] = (uint8_t)prng_u64(&prng);
        write_batch_put(&f.batch, text(key), slice_of(value, sizeof(value)));
    }
    commit(&f);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    uint64_t all = engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY);
    uint64_t half = engine_size_estimate(f.engine, text("0000"), text("2000"));
    assert_in_range(all, 1200000, 6000000);
    assert_in_range(half, all / 5, all * 4 / 5);
    assert_int_equal(0, engine_size_estimate(f.engine, text("b"), text("a")));
    assert_true(engine_size_estimate(f.engine, text("x"), text("y")) < all / 10);
    teardown(&f);
}

TEST(ROCKSDB_STEP, 0, rocksdb_says_would_block_for_what_is_only_on_disk) {
    struct fixture f;
    setup(&f, "rocksdb");
    put(&f, "a", "1");
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    reopen(&f);
    assert_status(STATUS_WOULD_BLOCK,
                  engine_get(f.engine, NULL, text("a"), ENGINE_NO_WAIT, &f.value, &f.error));
    struct engine_iterator *it =
        engine_iterator_new(f.engine, &(struct engine_iterator_options){.flags = ENGINE_NO_WAIT});
    assert_false(engine_iterator_seek_first(it));
    assert_status(STATUS_WOULD_BLOCK, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    expect(&f, "a", "1");
    assert_ok(engine_get(f.engine, NULL, text("a"), ENGINE_NO_WAIT, &f.value, &f.error), &f.error);
    teardown(&f);
}

TEST(ROCKSDB_STEP, 0, rocksdb_refuses_writes_that_it_cannot_keep_up_with_and_takes_them_later) {
    TEST_LIMIT(60000);
    struct fixture f;
    setup(&f, "rocksdb");
    f.options.write_buffer_bytes = 64 * 1024; /* a few writes fill what may wait for a flush */
    reopen(&f);
    size_t size = 60000, busy = 0;
    uint8_t *value = mem_zalloc(size);
    struct prng prng;
    prng_seed(&prng, 1);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)prng_u64(&prng);
    for (uint64_t i = 1; i <= 3000 && busy < 5; i++) {
        struct buf key = BUF_INIT;
        put_u64be(&key, i);
        write_batch_put(&f.batch, buf_slice(&key), slice_of(value, size));
        enum status status;
        while ((status = engine_write(f.engine, &f.batch, &f.error)) == STATUS_BUSY) {
            assert_status(STATUS_NOT_FOUND,
                          engine_get(f.engine, NULL, buf_slice(&key), 0, &f.value, &f.error));
            assert_true(f.error.retryable);
            assert_ok(engine_flush(f.engine, &f.error), &f.error);
            busy++;
        }
        assert_ok(status, &f.error);
        write_batch_clear(&f.batch);
        assert_ok(engine_get(f.engine, NULL, buf_slice(&key), 0, &f.value, &f.error), &f.error);
        buf_deinit(&key);
    }
    assert_true(busy > 0);
    mem_free(value);
    teardown(&f);
}
