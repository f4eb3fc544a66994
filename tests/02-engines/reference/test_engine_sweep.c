/* test_engine_sweep.c - a long recorded workload, cut by a power failure at every write, sync,
 * rename and removal that it causes; then the store is opened, compared with a model, written to
 * and opened again. By default a sample of the cuts; CAIRN_CUTS=all makes every one (minutes:
 * `make soak`) and says how many there were. */
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "engine_faulty.h"
#include "prng.h"

enum { KEYS = 48, VALUE_BYTES_MAX = 3000, REOPEN_EVERY = 97, SAMPLED_CUTS = 40 };

struct sweep {
    const char *kind;
    bool own_log;
    enum crash_loss loss;
    uint64_t batches;
};

static bool every_cut(void) {
    const char *cuts = getenv("CAIRN_CUTS");
    return cuts && strcmp(cuts, "all") == 0;
}

/* ---- the workload: batch i follows from i alone ---------------------------------------------- */

/* What each key was last written by; 0: it is not there. */
struct model {
    uint64_t written_by[KEYS];
};

static struct slice key_of(uint64_t number, uint8_t bytes[3]) {
    bytes[0] = 'k';
    bytes[1] = (uint8_t)('0' + number / 10);
    bytes[2] = (uint8_t)('0' + number % 10);
    return slice_of(bytes, 3);
}

/* Most are short; some need overflow pages, or a block of their own. */
static void value_of(uint64_t batch, uint64_t number, struct buf *out) {
    struct prng prng;
    prng_seed(&prng, batch * KEYS + number);
    size_t len = (size_t)prng_below(&prng, prng_below(&prng, 8) == 0 ? VALUE_BYTES_MAX : 200);
    buf_clear(out);
    put_u64be(out, batch);
    while (out->len < len)
        put_u64be(out, prng_u64(&prng));
}

static void put_one(uint64_t i, uint64_t number, struct write_batch *batch, struct model *model) {
    uint8_t bytes[3];
    struct buf value = BUF_INIT;
    value_of(i, number, &value);
    if (batch) write_batch_put(batch, key_of(number, bytes), buf_slice(&value));
    model->written_by[number] = i;
    buf_deinit(&value);
}

static void delete_from(uint64_t number, uint64_t count, struct write_batch *batch,
                        struct model *model) {
    uint8_t start[3], end[3];
    if (batch && count == 1) write_batch_delete(batch, key_of(number, start));
    if (batch && count > 1)
        write_batch_delete_range(batch, key_of(number, start), key_of(number + count, end));
    for (uint64_t k = number; k < number + count && k < KEYS; k++)
        model->written_by[k] = 0;
}

/* `batch` NULL: only the model. */
static void make_batch(uint64_t i, struct write_batch *batch, struct model *model) {
    struct prng prng;
    prng_seed(&prng, i);
    if (batch) write_batch_clear(batch);
    for (uint64_t n = prng_between(&prng, 1, 4); n > 0; n--) {
        uint64_t number = prng_below(&prng, KEYS), what = prng_below(&prng, 20);
        if (what < 15)
            put_one(i, number, batch, model);
        else
            delete_from(number, what < 19 ? 1 : prng_between(&prng, 2, 6), batch, model);
    }
    struct buf last = BUF_INIT;
    put_u64be(&last, i);
    if (batch) write_batch_put(batch, faulty_text("~last"), buf_slice(&last));
    buf_deinit(&last);
}

/* ---- running it ------------------------------------------------------------------------------ */

static void stop_loop(void *arg) { env_stop(arg); }

static void run_loop(struct faulty *f, uint64_t ns) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f->env);
    env_timer_start(f->env, &timer, env_now_ns(f->env) + ns);
    env_run(f->env);
    env_timer_stop(&timer); /* a fatal error stops the loop, too */
}

static enum status write_one(struct faulty *f, uint64_t i) {
    struct model ignored = {0};
    make_batch(i, &f->batch, &ignored);
    enum status status;
    while ((status = engine_write(f->engine, &f->batch, &f->error)) == STATUS_BUSY)
        run_loop(f, NS_PER_MS / 4);
    return status;
}

static enum status sync_now(struct faulty *f) {
    enum status status;
    while ((status = engine_sync(f->engine, &f->error)) == STATUS_BUSY)
        run_loop(f, NS_PER_MS / 4);
    return status;
}

static enum status reopen(struct faulty *f) {
    engine_close(f->engine);
    f->engine = NULL;
    run_loop(f, NS_PER_MS / 4); /* the lanes let go of their files */
    return faulty_open(f);
}

/* Writes the batches after `from`; returns the last one that was promised to survive. */
static uint64_t run_workload(struct faulty *f, const struct sweep *sweep, uint64_t from,
                             bool *crashed) {
    uint64_t promised = from;
    *crashed = true;
    for (uint64_t i = from + 1; i <= sweep->batches; i++) {
        if (write_one(f, i) != STATUS_OK) return promised;
        bool sync = sweep->own_log ? i % 3 == 0 : i % 8 == 0;
        if (sync || i % REOPEN_EVERY == 0) {
            if (sync_now(f) != STATUS_OK) return promised;
            promised = i;
        }
        if (i % REOPEN_EVERY == 0 && reopen(f) != STATUS_OK) return promised;
        if (i % 5 == 0) run_loop(f, 0);
    }
    *crashed = false;
    return promised;
}

/* ---- what is left ---------------------------------------------------------------------------- */

static void check_entry(const struct engine_iterator *it, const struct model *model,
                        uint64_t number) {
    uint8_t bytes[3];
    struct buf value = BUF_INIT;
    assert_true(slice_equal(key_of(number, bytes), engine_iterator_key(it)));
    value_of(model->written_by[number], number, &value);
    assert_true(slice_equal(buf_slice(&value), engine_iterator_value(it)));
    buf_deinit(&value);
}

/* The number of batches of which the store is the outcome; that of no number is a failure. */
static uint64_t check_prefix(struct faulty *f) {
    struct model model = {0};
    uint64_t last = 0;
    if (engine_get(f->engine, NULL, faulty_text("~last"), 0, &f->value, &f->error) == STATUS_OK)
        last = load_u64be(f->value.data);
    for (uint64_t i = 1; i <= last; i++)
        make_batch(i, NULL, &model);
    struct engine_iterator *it = engine_iterator_new(
        f->engine, &(struct engine_iterator_options){.upper = faulty_text("~")});
    bool valid = engine_iterator_seek_first(it);
    for (uint64_t number = 0; number < KEYS; number++) {
        if (model.written_by[number] == 0) continue;
        assert_true(valid);
        check_entry(it, &model, number);
        valid = engine_iterator_next(it);
    }
    assert_false(valid);
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    engine_iterator_free(it);
    return last;
}

static void crash_and_open(struct faulty *f, const struct sweep *sweep) {
    engine_close(f->engine);
    f->engine = NULL;
    run_loop(f, NS_PER_MS); /* what was on the lanes lets go of its files */
    env_fault_power_loss(f->env, sweep->loss);
    env_fault_clear(f->env);
    assert_ok(faulty_open(f), &f->error);
}

static void setup(struct faulty *f, const struct sweep *sweep, const char *dir, uint64_t seed) {
    faulty_setup_in(f, sweep->kind, dir, seed);
    f->options.own_log = sweep->own_log;
    f->options.log_segment_bytes = 8192;
    f->options.write_buffer_bytes = 16384;
}

/* One cut. False: the workload ended before it. */
static bool cut_at(const struct sweep *sweep, const char *dir, uint64_t at) {
    struct faulty f;
    bool crashed = true;
    uint64_t promised = 0;
    setup(&f, sweep, dir, at);
    env_fault_arm(f.env, FAULT_CRASH, at);
    if (faulty_open(&f) == STATUS_OK) promised = run_workload(&f, sweep, 0, &crashed);
    crash_and_open(&f, sweep);
    uint64_t kept = check_prefix(&f);
    assert_in_range(kept, promised, sweep->batches);
    /* What was recovered carries on: some more batches, and they are there after a restart. */
    struct sweep more = *sweep;
    more.batches = kept + 9;
    uint64_t written = run_workload(&f, &more, kept, &(bool){false});
    assert_int_equal(STATUS_OK, reopen(&f));
    assert_in_range(check_prefix(&f), written, more.batches);
    faulty_teardown(&f);
    return crashed;
}

/* How many operations the workload is when nothing fails. */
static uint64_t operations_of(const struct sweep *sweep, const char *dir) {
    struct faulty f;
    bool crashed;
    setup(&f, sweep, dir, UINT32_MAX);
    assert_ok(faulty_open(&f), &f.error);
    run_workload(&f, sweep, 0, &crashed);
    assert_false(crashed);
    uint64_t operations = env_fault_operations(f.env);
    faulty_teardown(&f);
    return operations;
}

static void sweep_engine(const char *kind, bool own_log, enum crash_loss loss) {
    TEST_LIMIT(every_cut() ? 3600000 : 60000);
    const char *dir = harness_memory_tmpdir();
    struct sweep sweep = {kind, own_log, loss, every_cut() ? 1600 : 200};
    uint64_t operations = operations_of(&sweep, dir), cuts = 0;
    uint64_t stride = every_cut() ? 1 : operations / SAMPLED_CUTS;
    assert_in_range(operations, SAMPLED_CUTS, UINT32_MAX - 1);
    for (uint64_t at = every_cut() ? 0 : operations % stride; cut_at(&sweep, dir, at); at += stride)
        cuts++;
    assert_in_range(cuts, every_cut() ? 1000 : SAMPLED_CUTS / 2, UINT32_MAX);
    printf("%llu cuts, each recovered as promised\n", (unsigned long long)cuts);
}

#define EVERY_MODE(kind)                                                                           \
    TEST("5", 2, kind##_without_a_log_is_a_prefix_wherever_it_is_cut) {                            \
        sweep_engine(#kind, false, LOSE_ALL_UNSYNCED);                                             \
    }                                                                                              \
    TEST("5", 2, kind##_without_a_log_is_a_prefix_wherever_it_is_torn) {                           \
        sweep_engine(#kind, false, LOSE_SOME);                                                     \
    }                                                                                              \
    TEST("5", 2, kind##_with_its_log_keeps_what_was_synced_wherever_it_is_cut) {                   \
        sweep_engine(#kind, true, LOSE_ALL_UNSYNCED);                                              \
    }                                                                                              \
    TEST("5", 2, kind##_with_its_log_keeps_what_was_synced_wherever_it_is_torn) {                  \
        sweep_engine(#kind, true, LOSE_SOME);                                                      \
    }

EVERY_MODE(mem)
EVERY_MODE(lsm)
EVERY_MODE(btree)
