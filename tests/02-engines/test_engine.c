/* test_engine.c - one suite for every kind of engine: what engine.h says, against a model. */
#include "engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "prng.h"

/* The test once for each kind. */
#define EVERY_ENGINE(step, invariant, name)                                                        \
    static void name(const char *kind);                                                            \
    TEST(step, invariant, mem_##name) { name("mem"); }                                             \
    TEST(step, invariant, rocksdb_##name) { name("rocksdb"); }                                     \
    static void name(const char *kind)

struct fixture {
    const char *kind;
    struct env *env;
    struct engine *engine;
    struct engine_options options;
    char dir[512];
    struct error error;
    struct buf value;
    struct write_batch batch;
};

static void open_engine(struct fixture *f) {
    assert_ok(engine_open(f->env, f->kind, &f->options, &f->engine, &f->error), &f->error);
}

/* dir NULL: a fresh one. */
static void setup_in(struct fixture *f, const char *kind, bool own_log, const char *dir) {
    memset(f, 0, sizeof(*f));
    f->kind = kind;
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    f->env = env_uv_new(&log);
    snprintf(f->dir, sizeof(f->dir), "%s/store", dir != NULL ? dir : harness_tmpdir());
    f->options.dir = f->dir;
    f->options.own_log = own_log;
    write_batch_init(&f->batch);
    open_engine(f);
}

static void setup_with(struct fixture *f, const char *kind, bool own_log) {
    setup_in(f, kind, own_log, NULL);
}

static void setup(struct fixture *f, const char *kind) { setup_with(f, kind, false); }

static void teardown(struct fixture *f) {
    engine_close(f->engine);
    env_uv_free(f->env);
    buf_deinit(&f->value);
    write_batch_deinit(&f->batch);
}

static void reopen(struct fixture *f) {
    engine_close(f->engine);
    f->engine = NULL;
    open_engine(f);
}

static struct slice text(const char *string) { return slice_of_string(string); }

static void commit(struct fixture *f) {
    assert_ok(engine_write(f->engine, &f->batch, &f->error), &f->error);
    write_batch_clear(&f->batch);
}

static void put(struct fixture *f, const char *key, const char *value) {
    write_batch_put(&f->batch, text(key), text(value));
    commit(f);
}

/* NULL: must not be there. */
static void expect_at(struct fixture *f, const struct engine_snapshot *snapshot, const char *key,
                      const char *value) {
    enum status status = engine_get(f->engine, snapshot, text(key), 0, &f->value, &f->error);
    if (value == NULL) {
        assert_status(STATUS_NOT_FOUND, status);
        return;
    }
    assert_ok(status, &f->error);
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

TEST("2.1", 0, unknown_kind_is_refused_and_the_known_ones_are_named) {
    struct fixture f;
    setup(&f, "mem");
    struct engine *engine;
    assert_status(STATUS_INVALID, engine_open(f.env, "paper", &f.options, &engine, &f.error));
    assert_non_null(strstr(f.error.message, "paper"));
    assert_non_null(strstr(f.error.message, engine_kinds()));
    assert_string_equal("mem", engine_kind_of(f.engine));
    teardown(&f);
}

EVERY_ENGINE("2.1", 1, value_that_was_put_is_got_until_it_is_replaced_or_deleted) {
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

EVERY_ENGINE("2.1", 1, later_operation_of_a_batch_wins) {
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

EVERY_ENGINE("2.1", 1, empty_and_large_keys_and_values_are_kept) {
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

EVERY_ENGINE("2.2", 1, range_is_deleted_with_its_start_and_without_its_end) {
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

EVERY_ENGINE("2.3", 1, iterator_stays_inside_its_bounds_in_both_directions) {
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

EVERY_ENGINE("2.3", 1, iterator_turns_round_in_the_middle) {
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

EVERY_ENGINE("2.4", 3, snapshot_sees_nothing_that_was_written_after_it) {
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

EVERY_ENGINE("2.4", 3, iterator_keeps_the_state_of_its_creation) {
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
}

static void reading_done(void *arg) {
    struct reading *reading = arg;
    reading->done = true;
    env_stop(reading->f->env);
}

EVERY_ENGINE("2.4", 4, worker_reads_a_snapshot_while_the_loop_writes) {
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
    for (int i = 0; i < 5000; i++) {
        snprintf(key, sizeof(key), "%04d", i % 700);
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

EVERY_ENGINE("2.5", 2, flush_reports_on_the_loop_and_makes_earlier_writes_durable) {
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

EVERY_ENGINE("2.5", 2, persisted_get_reads_only_what_is_flushed) {
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

EVERY_ENGINE("2.6", 2, store_without_log_holds_a_prefix_up_to_the_last_flush_after_kill) {
    check_killed(kind, false);
}

EVERY_ENGINE("2.6", 2, store_with_its_own_log_holds_all_that_was_synced_after_kill) {
    check_killed(kind, true);
}

EVERY_ENGINE("2.6", 0, directory_in_use_is_refused) {
    struct fixture f;
    setup(&f, kind);
    struct engine *second;
    assert_status(STATUS_IN_USE, engine_open(f.env, kind, &f.options, &second, &f.error));
    teardown(&f);
}

EVERY_ENGINE("2.7", 0, checkpoint_is_a_store_of_its_own_with_the_writes_so_far) {
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

EVERY_ENGINE("2.7", 0, size_estimate_follows_the_size_of_the_range) {
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
    assert_in_range(all, 1500000, 4000000);
    assert_in_range(half, all / 4, all * 3 / 4);
    assert_int_equal(0, engine_size_estimate(f.engine, text("b"), text("a")));
    assert_true(engine_size_estimate(f.engine, text("x"), text("y")) < all / 10);
    teardown(&f);
}

/* ---- against a model ------------------------------------------------------------------------ */

/* All strings of 1 to 4 bytes over four bytes that sort and escape badly. */
enum { MODEL_KEYS = 4 + 16 + 64 + 256, MODEL_SNAPSHOTS = 3 };

struct model {
    uint8_t keys[MODEL_KEYS][4];
    size_t lens[MODEL_KEYS];
    int values[MODEL_KEYS]; /* -1: not there */
};

static struct slice model_key(const struct model *model, size_t i) {
    return slice_of(model->keys[i], model->lens[i]);
}

static void model_init(struct model *model) {
    static const uint8_t letters[4] = {0x00, 0x01, 'a', 0xff};
    size_t n = 0;
    /* In order: a depth-first walk of the tree of strings. */
    for (unsigned code = 0; code < 5 * 5 * 5 * 5; code++) {
        unsigned digits[4] = {code / 125, code / 25 % 5, code / 5 % 5, code % 5};
        size_t len = 0;
        while (len < 4 && digits[len] > 0)
            len++;
        bool well_formed = len > 0;
        for (size_t i = len; i < 4; i++)
            well_formed = well_formed && digits[i] == 0;
        if (!well_formed) continue;
        for (size_t i = 0; i < len; i++)
            model->keys[n][i] = letters[digits[i] - 1];
        model->lens[n] = len;
        model->values[n++] = -1;
    }
    assert_int_equal(MODEL_KEYS, n);
}

static void compare_get(struct fixture *f, const struct engine_snapshot *snapshot,
                        const struct model *model, const int *values, size_t i) {
    enum status status = engine_get(f->engine, snapshot, model_key(model, i), 0, &f->value, NULL);
    assert_status(values[i] >= 0 ? STATUS_OK : STATUS_NOT_FOUND, status);
    if (values[i] >= 0) assert_slice_equal(slice_of(&values[i], sizeof(int)), buf_slice(&f->value));
}

static void expect_position(const struct engine_iterator *it, const struct model *model,
                            const int *values, long i, long low, long high) {
    if (i < low || i >= high) {
        assert_false(engine_iterator_valid(it));
        return;
    }
    assert_true(engine_iterator_valid(it));
    assert_slice_equal(model_key(model, (size_t)i), engine_iterator_key(it));
    assert_slice_equal(slice_of(&values[i], sizeof(int)), engine_iterator_value(it));
}

static long step(const int *values, long i, long direction, long low, long high) {
    do
        i += direction;
    while (i >= low && i < high && values[i] < 0);
    return i;
}

/* A walk of random steps from a random place inside random bounds. */
static void compare_walk(struct fixture *f, const struct engine_snapshot *snapshot,
                         const struct model *model, const int *values, struct prng *prng) {
    long low = (long)prng_below(prng, MODEL_KEYS), high = (long)prng_below(prng, MODEL_KEYS);
    if (low > high) {
        long swap = low;
        low = high;
        high = swap;
    }
    struct engine_iterator *it = engine_iterator_new(
        f->engine, &(struct engine_iterator_options){.lower = model_key(model, (size_t)low),
                                                     .upper = model_key(model, (size_t)high),
                                                     .snapshot = snapshot});
    long at = (long)prng_below(prng, MODEL_KEYS);
    bool forwards = prng_below(prng, 2) == 0;
    struct slice key = model_key(model, (size_t)at);
    if (forwards) {
        engine_iterator_seek(it, key);
        at = step(values, (at < low ? low : at) - 1, 1, low, high);
    } else {
        engine_iterator_seek_for_prev(it, key);
        at = step(values, (at >= high ? high - 1 : at) + 1, -1, low, high);
    }
    expect_position(it, model, values, at, low, high);
    for (int i = 0; i < 20 && engine_iterator_valid(it); i++) {
        if (prng_below(prng, 8) == 0) forwards = !forwards;
        if (forwards)
            engine_iterator_next(it);
        else
            engine_iterator_prev(it);
        at = step(values, at, forwards ? 1 : -1, low, high);
        expect_position(it, model, values, at, low, high);
    }
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    engine_iterator_free(it);
}

static void random_batch(struct fixture *f, struct model *model, struct prng *prng, int number) {
    size_t operations = 1 + (size_t)prng_below(prng, 6);
    for (size_t k = 0; k < operations; k++) {
        size_t i = (size_t)prng_below(prng, MODEL_KEYS);
        uint64_t what = prng_below(prng, 20);
        if (what < 12) {
            model->values[i] = number * 10 + (int)k;
            write_batch_put(&f->batch, model_key(model, i),
                            slice_of(&model->values[i], sizeof(int)));
        } else if (what < 19) {
            model->values[i] = -1;
            write_batch_delete(&f->batch, model_key(model, i));
        } else {
            size_t end = i + (size_t)prng_below(prng, 40);
            if (end >= MODEL_KEYS) end = MODEL_KEYS - 1;
            write_batch_delete_range(&f->batch, model_key(model, i), model_key(model, end));
            for (size_t d = i; d < end; d++)
                model->values[d] = -1;
        }
    }
    commit(f);
}

struct held {
    struct engine_snapshot *snapshot;
    int values[MODEL_KEYS];
};

static void toggle_snapshot(struct fixture *f, const struct model *model, struct held *held) {
    if (held->snapshot != NULL) {
        engine_snapshot_release(f->engine, held->snapshot);
        held->snapshot = NULL;
        return;
    }
    held->snapshot = engine_snapshot_new(f->engine);
    memcpy(held->values, model->values, sizeof(held->values));
}

static void sync_and_reopen(struct fixture *f, struct held *held) {
    for (int i = 0; i < MODEL_SNAPSHOTS; i++) {
        engine_snapshot_release(f->engine, held[i].snapshot);
        held[i].snapshot = NULL;
    }
    assert_ok(engine_sync(f->engine, &f->error), &f->error);
    reopen(f);
}

static void run_against_model(const char *kind, bool own_log, uint64_t seed) {
    TEST_LIMIT(60000);
    struct fixture f;
    struct model *model = MEM_NEW(struct model);
    struct held *held = mem_zalloc(sizeof(struct held) * MODEL_SNAPSHOTS);
    struct prng prng;
    setup_with(&f, kind, own_log);
    model_init(model);
    prng_seed(&prng, seed);
    for (int i = 0; i < 3000; i++) {
        struct held *one = &held[prng_below(&prng, MODEL_SNAPSHOTS)];
        const int *values = one->snapshot != NULL ? one->values : model->values;
        uint64_t what = prng_below(&prng, 1000);
        if (what < 500)
            random_batch(&f, model, &prng, i);
        else if (what < 700)
            compare_get(&f, one->snapshot, model, values, (size_t)prng_below(&prng, MODEL_KEYS));
        else if (what < 950)
            compare_walk(&f, one->snapshot, model, values, &prng);
        else if (what < 990)
            toggle_snapshot(&f, model, one);
        else if (what < 997)
            assert_ok(engine_flush(f.engine, &f.error), &f.error);
        else
            sync_and_reopen(&f, held);
    }
    sync_and_reopen(&f, held);
    for (size_t i = 0; i < MODEL_KEYS; i++)
        compare_get(&f, NULL, model, model->values, i);
    teardown(&f);
    mem_free(held);
    mem_free(model);
}

EVERY_ENGINE("2.8", 3, random_operations_agree_with_the_model) {
    run_against_model(kind, false, 11);
}

EVERY_ENGINE("2.8", 3, random_operations_agree_with_the_model_with_an_own_log) {
    run_against_model(kind, true, 12);
}

TEST("2.9", 0, rocksdb_says_would_block_for_what_is_only_on_disk) {
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
