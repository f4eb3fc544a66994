/* test_engine_mem.c - what only the in-memory engine promises: memory that does not grow with
 * overwriting, flushes in slices, readers beside the writer. */
#include "engine.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "engine_faulty.h"
#include "engine_fixture.h"

/* A store that may hold this much: what it does not let go of makes the next write BUSY. */
static void setup_small(struct faulty *f, size_t limit_bytes) {
    faulty_setup_in(f, "mem", harness_tmpdir(), 1);
    f->options.memory_limit_bytes = limit_bytes;
    assert_ok(faulty_open(f), &f->error);
}

TEST(MEM_STEP, 0, mem_overwriting_a_key_does_not_take_more_memory) {
    struct faulty f;
    setup_small(&f, 4096);
    for (uint64_t i = 0; i < 10000; i++)
        assert_ok(faulty_put_number(&f, "key", i), &f.error);
    faulty_teardown(&f);
}

TEST(MEM_STEP, 0, mem_deleted_keys_leave_nothing_behind) {
    struct faulty f;
    setup_small(&f, 4096);
    for (uint64_t i = 0; i < 10000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%05llu", (unsigned long long)i);
        assert_ok(faulty_put_number(&f, key, i), &f.error);
        write_batch_clear(&f.batch);
        write_batch_delete(&f.batch, faulty_text(key));
        assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    }
    faulty_teardown(&f);
}

TEST(MEM_STEP, 3, mem_versions_are_kept_for_snapshots_and_go_with_them) {
    struct faulty f;
    setup_small(&f, 64 * 1024);
    for (uint64_t round = 0; round < 20; round++) {
        char key[16];
        struct engine_snapshot *snapshots[10];
        for (uint64_t s = 0; s < 10; s++) {
            for (uint64_t i = 0; i < 20; i++) {
                snprintf(key, sizeof(key), "%02llu", (unsigned long long)i);
                assert_ok(faulty_put_number(&f, key, s), &f.error);
            }
            snapshots[s] = engine_snapshot_new(f.engine);
        }
        for (uint64_t s = 0; s < 10; s++) {
            assert_ok(engine_get(f.engine, snapshots[s], faulty_text("07"), 0, &f.value, &f.error),
                      &f.error);
            assert_int_equal(s, load_u64be(f.value.data));
        }
        for (uint64_t s = 0; s < 10; s++)
            engine_snapshot_release(f.engine, snapshots[s]);
    }
    faulty_teardown(&f);
}

TEST(MEM_STEP, 0, mem_write_beyond_the_memory_limit_is_busy_and_not_applied) {
    struct faulty f;
    faulty_setup_in(&f, "mem", harness_tmpdir(), 1);
    f.options.memory_limit_bytes = 1000;
    assert_ok(faulty_open(&f), &f.error);
    static const uint8_t big[2000];
    write_batch_put(&f.batch, faulty_text("big"), slice_of(big, sizeof(big)));
    assert_status(STATUS_BUSY, engine_write(f.engine, &f.batch, &f.error));
    assert_status(STATUS_NOT_FOUND,
                  engine_get(f.engine, NULL, faulty_text("big"), 0, &f.value, &f.error));
    faulty_teardown(&f);
}

TEST(MEM_STEP, 0, mem_would_block_is_said_only_to_those_who_ask_not_to_wait) {
    struct faulty f;
    faulty_setup_in(&f, "mem", harness_tmpdir(), 1);
    f.options.would_block_percent = 100;
    assert_ok(faulty_open(&f), &f.error);
    assert_ok(faulty_put_number(&f, "key", 1), &f.error);
    assert_status(STATUS_WOULD_BLOCK, engine_get(f.engine, NULL, faulty_text("key"), ENGINE_NO_WAIT,
                                                 &f.value, &f.error));
    assert_ok(engine_get(f.engine, NULL, faulty_text("key"), 0, &f.value, &f.error), &f.error);
    struct engine_iterator *it =
        engine_iterator_new(f.engine, &(struct engine_iterator_options){.flags = ENGINE_NO_WAIT});
    assert_false(engine_iterator_seek_first(it));
    assert_status(STATUS_WOULD_BLOCK, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    faulty_teardown(&f);
}

TEST(MEM_STEP, 0, mem_store_made_with_a_log_is_not_opened_without_it) {
    struct faulty f;
    faulty_setup_in(&f, "mem", harness_tmpdir(), 1);
    f.options.own_log = true;
    assert_ok(faulty_open(&f), &f.error);
    engine_close(f.engine);
    f.engine = NULL;
    f.options.own_log = false;
    assert_status(STATUS_INVALID, faulty_open(&f));
    faulty_teardown(&f);
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

TEST(MEM_STEP, 2, mem_flush_in_the_background_holds_what_was_there_when_it_began) {
    struct faulty f;
    faulty_setup(&f, "mem");
    struct flush flush;
    for (uint64_t i = 0; i < 40000; i++) { /* several slices */
        char key[16];
        snprintf(key, sizeof(key), "%05llu", (unsigned long long)i);
        assert_ok(faulty_put_number(&f, key, 1), &f.error);
    }
    flush_on_loop(&f, &flush);
    assert_ok(faulty_put_number(&f, "39999", 2), &f.error);
    assert_ok(faulty_put_number(&f, "new", 2), &f.error);
    env_run(f.env);
    assert_status(STATUS_OK, flush.status);
    engine_close(f.engine);
    f.engine = NULL;
    assert_ok(faulty_open(&f), &f.error);
    assert_ok(engine_get(f.engine, NULL, faulty_text("39999"), 0, &f.value, &f.error), &f.error);
    assert_int_equal(1, load_u64be(f.value.data));
    assert_status(STATUS_NOT_FOUND,
                  engine_get(f.engine, NULL, faulty_text("new"), 0, &f.value, &f.error));
    faulty_teardown(&f);
}

TEST(MEM_STEP, 0, mem_failed_flush_is_reported_and_the_store_goes_on) {
    struct faulty f;
    faulty_setup(&f, "mem");
    struct flush flush;
    assert_ok(faulty_put_number(&f, "key", 1), &f.error);
    env_fault_arm(f.env, FAULT_NO_SPACE, 0);
    flush_on_loop(&f, &flush);
    env_run(f.env);
    assert_status(STATUS_NO_SPACE, flush.status);
    env_fault_clear(f.env);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_ok(engine_persisted_get(f.engine, faulty_text("key"), &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

static void stop_loop(void *arg) { env_stop(arg); }

TEST(MEM_STEP, 0, mem_engine_may_be_closed_at_any_stage_of_a_flush) {
    for (int stage = 0; stage < 3; stage++) {
        struct faulty f;
        faulty_setup_in(&f, "mem", harness_tmpdir(), 1);
        assert_ok(faulty_open(&f), &f.error);
        struct flush flush;
        struct env_timer timer;
        assert_ok(faulty_put_number(&f, "key", 1), &f.error);
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
        faulty_teardown(&f);
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

TEST(MEM_STEP, 4, mem_reader_at_the_heels_of_the_writer_sees_its_snapshot_only) {
    struct faulty f;
    faulty_setup(&f, "mem");
    char key[16];
    for (int i = 0; i < CHASED_KEYS; i++) {
        chased_key(i, key);
        assert_ok(faulty_put_number(&f, key, 1), &f.error);
    }
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    struct chase chase = {.f = &f, .snapshot = snapshot};
    chase.work = (struct env_work){.run = chase_writer, .done = chase_ended, .arg = &chase};
    env_work_submit(f.env, LANE_READ, &chase.work);
    for (int i = 0; i < CHASED_KEYS; i++) {
        atomic_store(&chase.writing, i);
        chased_key(i, key);
        assert_ok(faulty_put_number(&f, key, 2), &f.error);
    }
    atomic_store(&chase.stop, true);
    env_run(f.env);
    assert_int_equal(0, chase.wrong);
    engine_snapshot_release(f.engine, snapshot);
    faulty_teardown(&f);
}
