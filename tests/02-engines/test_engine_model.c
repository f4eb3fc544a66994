/* test_engine_model.c - random operations on every kind of engine, against a sorted array. */
#include "engine.h"

#include <stdlib.h>

#define LSM_STEP "5"
#include "engine_fixture.h"
#include "mem.h"
#include "prng.h"

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

static void stop_loop(void *arg) { env_stop(arg); }

/* Lets what is under way in the background take a step or a few. */
static void run_loop(struct fixture *f) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f->env);
    env_timer_start(f->env, &timer, env_now_ns(f->env) + NS_PER_MS / 10);
    env_run(f->env);
}

/* write_buffer_bytes 0: the default, which this never fills. */
static void run_against_model(const char *kind, bool own_log, uint64_t seed,
                              size_t write_buffer_bytes) {
    TEST_LIMIT(60000);
    struct fixture f;
    struct model *model = MEM_NEW(struct model);
    struct held *held = mem_zalloc(sizeof(struct held) * MODEL_SNAPSHOTS);
    struct prng prng;
    setup_in(&f, kind, own_log, harness_memory_tmpdir());
    f.options.write_buffer_bytes = write_buffer_bytes;
    reopen(&f);
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
        else if (what < 993 && write_buffer_bytes > 0)
            run_loop(&f);
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

EVERY_ENGINE(3, random_operations_agree_with_the_model) { run_against_model(kind, false, 11, 0); }

EVERY_ENGINE(3, random_operations_agree_with_the_model_with_an_own_log) {
    run_against_model(kind, true, 12, 0);
}

TEST(LSM_STEP, 3, lsm_of_small_tables_agrees_with_the_model) {
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_against_model("lsm", seed % 2 == 0, seed, 4096);
}
