/* test_mvcc.c - versions against a model: every write ever made, in a sorted array. */
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "env_uv.h"
#include "harness.h"
#include "mvcc.h"
#include "prng.h"

struct shelf {
    struct env *env;
    struct engine *engine;
    struct store_reader reader;
};

static void shelf_start(struct shelf *shelf) {
    struct log log;
    log_init_null(&log);
    shelf->env = env_uv_new(&log);
    struct engine_options options = {.dir = harness_tmpdir()};
    struct error error;
    assert_ok(engine_open(shelf->env, "mem", &options, &shelf->engine, &error), &error);
    shelf->reader = (struct store_reader){shelf->engine, NULL, false};
}

static void shelf_stop(struct shelf *shelf) {
    engine_close(shelf->engine);
    env_uv_free(shelf->env);
}

static void write_version(struct shelf *shelf, const char *key, hlc_timestamp timestamp,
                          const char *value) {
    struct write_batch batch;
    write_batch_init(&batch);
    if (value != NULL)
        mvcc_write_put(&batch, slice_of_string(key), timestamp, slice_of_string(value));
    else
        mvcc_write_delete(&batch, slice_of_string(key), timestamp);
    struct error error;
    assert_ok(engine_write(shelf->engine, &batch, &error), &error);
    write_batch_deinit(&batch);
}

/* The value at a timestamp, "-" for none. */
static const char *read_at(struct shelf *shelf, const char *key, hlc_timestamp timestamp,
                           char *out) {
    struct mvcc_points points;
    mvcc_points_init(&points, &shelf->reader);
    struct mvcc_version version;
    struct error error;
    assert_ok(mvcc_points_read(&points, slice_of_string(key), timestamp, &version, &error), &error);
    snprintf(out, 16, "%.*s", version.found ? (int)version.value.len : 1,
             version.found ? (const char *)version.value.data : "-");
    mvcc_points_deinit(&points);
    return out;
}

/* ---- keys ----------------------------------------------------------------------------------- */

TEST("1", 0, an_engine_key_comes_apart_into_key_and_timestamp) {
    static const char raw[] = "a\0b\xff";
    struct slice key = slice_of(raw, sizeof raw - 1);
    struct buf encoded = BUF_INIT, decoded = BUF_INIT;
    hlc_timestamp timestamp;
    mvcc_encode(&encoded, key, 42);
    assert_true(mvcc_decode(buf_slice(&encoded), &decoded, &timestamp));
    assert_slice_equal(key, buf_slice(&decoded));
    assert_true(timestamp == 42);
    encoded.len--;
    assert_false(mvcc_decode(buf_slice(&encoded), &decoded, &timestamp));
    buf_deinit(&encoded);
    buf_deinit(&decoded);
}

TEST("1", 0, keys_order_by_user_key_then_newest_first) {
    static const char *const keys[] = {"a", "a\x01", "ab", "b"};
    struct buf previous = BUF_INIT, next = BUF_INIT;
    for (size_t i = 0; i < 4; i++) {
        for (hlc_timestamp timestamp = 300; timestamp > 0; timestamp -= 100) {
            buf_clear(&next);
            mvcc_encode(&next, slice_of_string(keys[i]), timestamp);
            assert_true(slice_compare(buf_slice(&previous), buf_slice(&next)) < 0);
            buf_swap(&previous, &next);
        }
    }
    buf_deinit(&previous);
    buf_deinit(&next);
}

/* ---- reading -------------------------------------------------------------------------------- */

TEST("2", 2, a_read_sees_the_newest_version_at_or_below_its_timestamp) {
    struct shelf shelf;
    shelf_start(&shelf);
    write_version(&shelf, "k", 10, "ten");
    write_version(&shelf, "k", 20, NULL);
    write_version(&shelf, "k", 30, "thirty");
    char out[16];
    assert_string_equal("-", read_at(&shelf, "k", 9, out));
    assert_string_equal("ten", read_at(&shelf, "k", 10, out));
    assert_string_equal("ten", read_at(&shelf, "k", 19, out));
    assert_string_equal("-", read_at(&shelf, "k", 20, out));
    assert_string_equal("thirty", read_at(&shelf, "k", HLC_MAX, out));
    assert_string_equal("-", read_at(&shelf, "k2", HLC_MAX, out));
    assert_string_equal("-", read_at(&shelf, "j", HLC_MAX, out));
    shelf_stop(&shelf);
}

TEST("2", 0, a_change_is_a_version_after_one_moment_and_not_after_another) {
    struct shelf shelf;
    shelf_start(&shelf);
    write_version(&shelf, "a", 10, "1");
    write_version(&shelf, "b", 20, NULL);
    struct span point = span_point(STORE_SPACE_DATA, SLICE_LITERAL("b"));
    struct span range = span_range(STORE_SPACE_DATA, SLICE_LITERAL("a"), SLICE_LITERAL("c"));
    struct span beside = span_range(STORE_SPACE_DATA, SLICE_LITERAL("b\x01"), SLICE_EMPTY);
    struct {
        const struct span *span;
        hlc_timestamp after, upto;
        bool changed;
    } cases[] = {{&point, 19, 20, true},  {&point, 20, HLC_MAX, false}, {&point, 10, 19, false},
                 {&range, 5, 10, true},   {&range, 10, 19, false},      {&range, 10, 20, true},
                 {&range, 20, 99, false}, {&beside, 0, HLC_MAX, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool changed;
        struct error error;
        struct mvcc_points points;
        mvcc_points_init(&points, &shelf.reader);
        assert_ok(mvcc_changed(&points, cases[i].span, cases[i].after, cases[i].upto, &changed,
                               NULL, &error),
                  &error);
        mvcc_points_deinit(&points);
        assert_int_equal(cases[i].changed, changed);
    }
    shelf_stop(&shelf);
}

TEST("2", 3, a_scan_over_rows_with_many_versions_takes_few_steps) {
    enum { ROWS = 20, VERSIONS = 5000 };
    TEST_LIMIT(20000);
    struct shelf shelf;
    shelf_start(&shelf);
    struct write_batch batch;
    write_batch_init(&batch);
    char key[16];
    for (int row = 0; row < ROWS; row++) {
        snprintf(key, sizeof key, "k%02d", row);
        for (hlc_timestamp t = 1; t <= VERSIONS; t++)
            mvcc_write_put(&batch, slice_of_string(key), t, SLICE_LITERAL("v"));
    }
    struct error error;
    assert_ok(engine_write(shelf.engine, &batch, &error), &error);
    write_batch_deinit(&batch);
    for (int i = 0; i < 2; i++) {
        struct mvcc_scan_options options = {.reverse = i == 1, .timestamp = VERSIONS / 2};
        struct mvcc_scan *scan = mvcc_scan_new(&shelf.reader, &options);
        int rows = 0;
        while (mvcc_scan_next(scan))
            rows++;
        assert_int_equal(ROWS, rows);
        assert_true(mvcc_scan_moves(scan) < ROWS * 16);
        mvcc_scan_free(scan);
    }
    shelf_stop(&shelf);
}

/* ---- the model ------------------------------------------------------------------------------ */

enum { MODEL_KEYS = 24, MODEL_WRITES = 600 };

struct model_write {
    int key; /* -1: none */
    bool deleted;
    int value;
};

/* Index: the timestamp. */
static struct model_write model[MODEL_WRITES + 1];

static const struct model_write *model_at(int key, hlc_timestamp timestamp,
                                          hlc_timestamp *version) {
    for (*version = timestamp; *version > 0; (*version)--) {
        if (model[*version].key == key) return &model[*version];
    }
    return NULL;
}

static const char *const model_names[MODEL_KEYS] = {
    "a",  "aa", "ab", "b",  "b\x01", "bb", "c", "ca", "cb",    "d", "e", "ea",
    "eb", "f",  "fa", "fb", "g",     "h",  "i", "ia", "i\x7f", "j", "k", "l"};

static void check_scan(struct shelf *shelf, int from, int to, bool reverse, bool tombstones,
                       hlc_timestamp timestamp) {
    struct mvcc_scan_options options = {.start = slice_of_string(model_names[from]),
                                        .end = to < MODEL_KEYS ? slice_of_string(model_names[to])
                                                               : SLICE_EMPTY,
                                        .reverse = reverse,
                                        .tombstones = tombstones,
                                        .timestamp = timestamp};
    struct mvcc_scan *scan = mvcc_scan_new(&shelf->reader, &options);
    for (int i = 0; i < to - from; i++) {
        int key = reverse ? to - 1 - i : from + i;
        hlc_timestamp version;
        const struct model_write *write = model_at(key, timestamp, &version);
        if (write == NULL || (write->deleted && !tombstones)) continue;
        assert_true(mvcc_scan_next(scan));
        assert_slice_equal(slice_of_string(model_names[key]), mvcc_scan_key(scan));
        assert_true(mvcc_scan_version(scan) == version);
        assert_int_equal(write->deleted, mvcc_scan_is_tombstone(scan));
        char value[16];
        snprintf(value, sizeof value, "%d", write->value);
        if (!write->deleted) assert_slice_equal(slice_of_string(value), mvcc_scan_value(scan));
    }
    assert_false(mvcc_scan_next(scan));
    struct error error;
    assert_ok(mvcc_scan_status(scan, &error), &error);
    mvcc_scan_free(scan);
}

TEST("3", 2, random_versions_read_as_the_list_of_all_writes_says) {
    TEST_LIMIT(20000);
    struct shelf shelf;
    shelf_start(&shelf);
    struct prng prng;
    prng_seed(&prng, 3);
    model[0].key = -1;
    for (int t = 1; t <= MODEL_WRITES; t++) {
        /* Some keys are written often, so that they have many versions. */
        int key =
            (int)(prng_below(&prng, 2) == 0 ? prng_below(&prng, 3) : prng_below(&prng, MODEL_KEYS));
        model[t] = (struct model_write){key, prng_below(&prng, 4) == 0, t};
        char value[16];
        snprintf(value, sizeof value, "%d", t);
        write_version(&shelf, model_names[key], (hlc_timestamp)t, model[t].deleted ? NULL : value);
    }
    for (int i = 0; i < 1500; i++) {
        int from = (int)prng_below(&prng, MODEL_KEYS);
        int to = from + 1 + (int)prng_below(&prng, (uint64_t)(MODEL_KEYS - from));
        check_scan(&shelf, from, to, prng_below(&prng, 2) == 0, prng_below(&prng, 2) == 0,
                   prng_below(&prng, MODEL_WRITES + 1));
    }
    for (int i = 0; i < 2000; i++) {
        int key = (int)prng_below(&prng, MODEL_KEYS);
        hlc_timestamp timestamp = prng_below(&prng, MODEL_WRITES + 1), version;
        const struct model_write *write = model_at(key, timestamp, &version);
        char expected[16], out[16];
        snprintf(expected, sizeof expected, "%d", write == NULL ? 0 : write->value);
        if (write == NULL || write->deleted) snprintf(expected, sizeof expected, "-");
        assert_string_equal(expected, read_at(&shelf, model_names[key], timestamp, out));
    }
    shelf_stop(&shelf);
}
