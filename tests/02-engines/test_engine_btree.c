/* test_engine_btree.c - the B+tree as an engine: crashes at every operation on its files, disks
 * that fill up, flushes beside writes, reads that must not wait. */
#include "engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "btree_tree.h"
#include "codec.h"
#include "engine_faulty.h"

enum { CACHE_BYTES = 256 * 1024 };

static void setup_in(struct faulty *f, const char *dir, uint64_t seed) {
    faulty_setup_in(f, "btree", dir, seed);
    f->options.cache_bytes = CACHE_BYTES;
}

static void setup(struct faulty *f) {
    setup_in(f, harness_memory_tmpdir(), 1);
    assert_ok(faulty_open(f), &f->error);
}

static void close_engine(struct faulty *f) {
    engine_close(f->engine);
    f->engine = NULL;
}

/* Of the tree in the file, which the engine must have closed. */
static void check_file(struct faulty *f) {
    struct btree_pager *pager;
    assert_ok(btree_pager_open(f->env, f->dir, CACHE_BYTES, &pager, &f->error), &f->error);
    assert_ok(btree_check_invariants(pager, &f->error), &f->error);
    btree_pager_close(pager);
}

static struct slice text(const char *string) { return slice_of_string(string); }

static enum status put_sized(struct faulty *f, uint64_t key, uint64_t number, size_t size) {
    char name[16];
    snprintf(name, sizeof(name), "%06llu", (unsigned long long)key);
    struct buf value = BUF_INIT;
    put_u64be(&value, number);
    memset(buf_extend(&value, size), (int)number, size);
    write_batch_clear(&f->batch);
    write_batch_put(&f->batch, text(name), buf_slice(&value));
    buf_deinit(&value);
    return engine_write(f->engine, &f->batch, &f->error);
}

static void expect_number(struct faulty *f, uint64_t key, uint64_t number) {
    char name[16];
    snprintf(name, sizeof(name), "%06llu", (unsigned long long)key);
    assert_ok(engine_get(f->engine, NULL, text(name), 0, &f->value, &f->error), &f->error);
    assert_int_equal(number, load_u64be(f->value.data));
}

/* ---- flushes -------------------------------------------------------------------------------- */

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

TEST("7", 2, flush_in_the_background_holds_what_was_there_when_it_began) {
    struct faulty f;
    setup(&f);
    struct flush flush;
    for (uint64_t i = 0; i < 5000; i++)
        assert_ok(put_sized(&f, i, 1, 300), &f.error);
    flush_on_loop(&f, &flush);
    assert_status(STATUS_BUSY, engine_flush(f.engine, &f.error));
    for (uint64_t i = 4000; i < 6000; i++)
        assert_ok(put_sized(&f, i, 2, 300), &f.error);
    assert_status(STATUS_COUNT, flush.status); /* not inside the call */
    env_run(f.env);
    assert_status(STATUS_OK, flush.status);
    expect_number(&f, 4500, 2);
    close_engine(&f);
    check_file(&f);
    assert_ok(faulty_open(&f), &f.error);
    expect_number(&f, 4500, 1);
    assert_status(STATUS_NOT_FOUND,
                  engine_get(f.engine, NULL, text("005500"), 0, &f.value, &f.error));
    faulty_teardown(&f);
}

TEST("7", 2, flushes_started_during_a_flush_are_served_by_the_next) {
    struct faulty f;
    setup(&f);
    struct flush first, second;
    assert_ok(put_sized(&f, 1, 1, 10), &f.error);
    flush_on_loop(&f, &first);
    assert_ok(put_sized(&f, 2, 2, 10), &f.error);
    flush_on_loop(&f, &second);
    while (second.status == STATUS_COUNT)
        env_run(f.env);
    assert_status(STATUS_OK, first.status);
    assert_status(STATUS_OK, second.status);
    assert_ok(engine_persisted_get(f.engine, text("000002"), &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

TEST("7", 0, full_disk_fails_the_flush_and_the_store_goes_on) {
    struct faulty f;
    setup(&f);
    struct flush flush;
    assert_ok(put_sized(&f, 1, 1, 9000), &f.error);
    env_fault_arm(f.env, FAULT_NO_SPACE, 0);
    flush_on_loop(&f, &flush);
    env_run(f.env);
    assert_status(STATUS_NO_SPACE, flush.status);
    assert_status(STATUS_NO_SPACE, engine_flush(f.engine, &f.error));
    env_fault_clear(f.env);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_ok(engine_persisted_get(f.engine, text("000001"), &f.value, &f.error), &f.error);
    close_engine(&f);
    check_file(&f);
    faulty_teardown(&f);
}

TEST("7", 0, failed_sync_is_never_retried) {
    struct faulty f;
    setup(&f);
    assert_ok(put_sized(&f, 1, 1, 10), &f.error);
    env_fault_arm(f.env, FAULT_SYNC_ERROR, 0);
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    env_fault_clear(f.env);
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    struct flush flush;
    flush_on_loop(&f, &flush);
    env_run(f.env);
    assert_status(STATUS_IO, flush.status);
    faulty_teardown(&f);
}

static void stop_loop(void *arg) { env_stop(arg); }

TEST("7", 0, engine_may_be_closed_at_any_stage_of_a_flush) {
    const char *dir = harness_memory_tmpdir();
    for (uint64_t delay_us = 0; delay_us < 4000; delay_us += 200) {
        struct faulty f;
        setup_in(&f, dir, delay_us);
        assert_ok(faulty_open(&f), &f.error);
        struct flush flush;
        struct env_timer timer = {0};
        for (uint64_t i = 0; i < 500; i++)
            assert_ok(put_sized(&f, i, 1, 300), &f.error);
        flush_on_loop(&f, &flush);
        env_timer_init(&timer, stop_loop, f.env);
        env_timer_start(f.env, &timer, env_now_ns(f.env) + delay_us * NS_PER_US);
        env_run(f.env);
        close_engine(&f);
        env_timer_stop(&timer);
        faulty_teardown(&f);
    }
}

TEST("7", 0, writes_beyond_the_limit_are_busy_until_a_flush_that_begins_by_itself_ends) {
    struct faulty f;
    setup_in(&f, harness_memory_tmpdir(), 1);
    f.options.write_buffer_bytes = 256 * 1024;
    assert_ok(faulty_open(&f), &f.error);
    uint64_t i = 0;
    while (put_sized(&f, i, i, 3000) == STATUS_OK)
        assert_true(++i < 2000);
    assert_int_equal(STATUS_BUSY, f.error.status);
    assert_true(f.error.retryable);
    assert_in_range(i, 64, 600);
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f.env);
    enum status status = STATUS_BUSY;
    for (int wait = 0; wait < 1000 && status == STATUS_BUSY; wait++) {
        env_timer_start(f.env, &timer, env_now_ns(f.env) + NS_PER_MS);
        env_run(f.env);
        status = put_sized(&f, i, i, 3000);
    }
    assert_ok(status, &f.error);
    assert_ok(engine_persisted_get(f.engine, text("000000"), &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

/* ---- reading without waiting ---------------------------------------------------------------- */

TEST("7", 0, page_that_is_only_on_disk_is_would_block_until_someone_has_waited_for_it) {
    struct faulty f;
    setup(&f);
    for (uint64_t i = 0; i < 2000; i++)
        assert_ok(put_sized(&f, i, i, 100), &f.error);
    char key[] = "001000";
    assert_ok(engine_get(f.engine, NULL, text(key), ENGINE_NO_WAIT, &f.value, &f.error), &f.error);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    close_engine(&f);
    assert_ok(faulty_open(&f), &f.error);
    assert_status(STATUS_WOULD_BLOCK,
                  engine_get(f.engine, NULL, text(key), ENGINE_NO_WAIT, &f.value, &f.error));
    struct engine_iterator *it =
        engine_iterator_new(f.engine, &(struct engine_iterator_options){.flags = ENGINE_NO_WAIT});
    assert_false(engine_iterator_seek(it, text(key)));
    assert_status(STATUS_WOULD_BLOCK, engine_iterator_status(it, &f.error));
    expect_number(&f, 1000, 1000);
    assert_ok(engine_get(f.engine, NULL, text(key), ENGINE_NO_WAIT, &f.value, &f.error), &f.error);
    assert_true(engine_iterator_seek(it, text(key)));
    assert_slice_equal(text(key), engine_iterator_key(it));
    engine_iterator_free(it);
    faulty_teardown(&f);
}

/* ---- a worker reads while the loop writes and flushes ---------------------------------------- */

struct reading {
    struct faulty *f;
    struct engine_snapshot *snapshot;
    struct env_work work;
    uint64_t wrong;
    bool done;
};

static void read_snapshot(void *arg) {
    struct reading *reading = arg;
    for (int round = 0; round < 200; round++) {
        struct engine_iterator *it = engine_iterator_new(
            reading->f->engine, &(struct engine_iterator_options){.snapshot = reading->snapshot});
        uint64_t count = 0;
        for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it)) {
            if (load_u64be(engine_iterator_value(it).data) != 1) reading->wrong++;
            count++;
        }
        if (count != 1000 || engine_iterator_status(it, NULL) != STATUS_OK) reading->wrong++;
        engine_iterator_free(it);
    }
}

static void reading_done(void *arg) {
    struct reading *reading = arg;
    reading->done = true;
    env_stop(reading->f->env);
}

TEST("7", 4, worker_sees_its_snapshot_through_writes_and_flushes) {
    TEST_LIMIT(60000);
    struct faulty f;
    setup(&f);
    for (uint64_t i = 0; i < 1000; i++)
        assert_ok(put_sized(&f, i, 1, i % 10 == 0 ? 6000 : 100), &f.error);
    struct reading reading = {.f = &f, .snapshot = engine_snapshot_new(f.engine)};
    reading.work = (struct env_work){.run = read_snapshot, .done = reading_done, .arg = &reading};
    env_work_submit(f.env, LANE_READ, &reading.work);
    for (uint64_t i = 0; !reading.done; i++) {
        for (uint64_t k = 0; k < 200; k++)
            assert_ok(put_sized(&f, (i * 200 + k * 7) % 1500, 2 + i, 150), &f.error);
        struct flush flush;
        flush_on_loop(&f, &flush);
        while (flush.status == STATUS_COUNT)
            env_run(f.env);
        assert_status(STATUS_OK, flush.status);
    }
    assert_int_equal(0, reading.wrong);
    engine_snapshot_release(f.engine, reading.snapshot);
    close_engine(&f);
    check_file(&f);
    faulty_teardown(&f);
}

/* ---- crashes -------------------------------------------------------------------------------- */

enum { BATCHES = 36 };

/* Batch i writes i under "last" and under a key of its own, some of them large; the key of batch
 * i-10 is deleted, or a range that ends there. */
static enum status write_numbered(struct faulty *f, uint64_t i) {
    struct buf key = BUF_INIT, old = BUF_INIT, value = BUF_INIT;
    write_batch_clear(&f->batch);
    put_u64be(&key, i);
    size_t size = i % 5 == 0 ? 9000 : 700;
    memset(buf_extend(&value, size), (int)i, size);
    write_batch_put(&f->batch, buf_slice(&key), buf_slice(&value));
    write_batch_put(&f->batch, text("~last"), buf_slice(&key));
    put_u64be(&old, i - 9);
    if (i > 10) write_batch_delete_range(&f->batch, SLICE_EMPTY, buf_slice(&old));
    buf_deinit(&key);
    buf_deinit(&old);
    buf_deinit(&value);
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
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it)) {
        struct slice value = engine_iterator_value(it);
        assert_int_equal(expected, load_u64be(engine_iterator_key(it).data));
        assert_int_equal(expected % 5 == 0 ? 9000 : 700, value.len);
        assert_int_equal(expected & 0xff, value.data[value.len - 1]);
        expected++;
    }
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    assert_int_equal(last + 1, expected);
    engine_iterator_free(it);
    return last;
}

/* The next flush: waiting for it, or in the background with a write beside it. */
static enum status flush_either_way(struct faulty *f, bool on_loop) {
    if (!on_loop) return engine_flush(f->engine, &f->error);
    struct flush flush;
    flush_on_loop(f, &flush);
    if (put_sized(f, 1, 1, 5000) != STATUS_OK) return STATUS_IO;
    while (flush.status == STATUS_COUNT)
        env_run(f->env);
    return flush.status;
}

/* Goes on from what is there. Returns how many batches were promised before the disk failed. */
static uint64_t run_until_crash(struct faulty *f, uint64_t from, bool on_loop, bool *crashed) {
    uint64_t promised = from;
    *crashed = true;
    for (uint64_t i = from + 1; i <= from + BATCHES; i++) {
        if (write_numbered(f, i) != STATUS_OK) return promised;
        if (i % 3 == 0 && engine_sync(f->engine, &f->error) != STATUS_OK) return promised;
        if (i % 3 == 0) promised = i;
        if (i % 10 == 5 && flush_either_way(f, on_loop) != STATUS_OK) return promised;
        if (i % 10 == 5) promised = i;
        write_batch_clear(&f->batch);
        write_batch_delete(&f->batch, text("000001")); /* what was written beside the flush */
        if (engine_write(f->engine, &f->batch, &f->error) != STATUS_OK) return promised;
    }
    *crashed = false;
    return promised;
}

/* A crash at operation `at`, the recovery, more writes on what was recovered, the end. */
static bool crash_once(const char *dir, bool own_log, bool on_loop, enum crash_loss loss,
                       uint64_t at) {
    struct faulty f;
    bool crashed = true, again;
    uint64_t promised = 0;
    setup_in(&f, dir, at);
    f.options.own_log = own_log;
    f.options.log_segment_bytes = 64 * 1024;
    env_fault_arm(f.env, FAULT_CRASH, at);
    if (faulty_open(&f) == STATUS_OK) promised = run_until_crash(&f, 0, on_loop, &crashed);
    close_engine(&f);
    env_fault_power_loss(f.env, loss);
    env_fault_clear(f.env);
    if (env_file_exists(f.env, f.dir)) check_file(&f);
    assert_ok(faulty_open(&f), &f.error);
    uint64_t found = check_prefix(&f);
    assert_in_range(found, promised, BATCHES);
    if (!own_log && crashed) assert_true(found == promised || found % 3 == 0 || found % 10 == 5);
    promised = run_until_crash(&f, found, on_loop, &again);
    assert_false(again);
    close_engine(&f);
    env_fault_power_loss(f.env, loss);
    check_file(&f);
    assert_ok(faulty_open(&f), &f.error);
    assert_in_range(check_prefix(&f), promised, found + BATCHES);
    faulty_teardown(&f);
    return crashed;
}

static void crash_everywhere(bool own_log, bool on_loop, enum crash_loss loss) {
    TEST_LIMIT(120000);
    const char *dir = harness_memory_tmpdir();
    uint64_t stride = harness_sanitized() ? 5 : 1, at = 0;
    while (crash_once(dir, own_log, on_loop, loss, at))
        at += stride;
    printf("cut at %llu operations\n", (unsigned long long)(at / stride));
    assert_true(at > 60);
}

TEST("7", 2, crash_at_every_operation_without_a_log_leaves_the_prefix_up_to_the_last_flush) {
    crash_everywhere(false, false, LOSE_ALL_UNSYNCED);
}

TEST("7", 2, torn_writes_without_a_log_leave_the_prefix_up_to_the_last_flush) {
    crash_everywhere(false, false, LOSE_SOME);
}

TEST("7", 2, crash_at_every_operation_of_flushes_in_the_background_leaves_the_same) {
    crash_everywhere(false, true, LOSE_ALL_UNSYNCED);
    crash_everywhere(false, true, LOSE_SOME);
}

TEST("7", 2, crash_at_every_operation_with_its_own_log_leaves_all_that_was_synced) {
    crash_everywhere(true, false, LOSE_ALL_UNSYNCED);
}

TEST("7", 2, torn_writes_with_its_own_log_leave_all_that_was_synced) {
    crash_everywhere(true, false, LOSE_SOME);
}

TEST("7", 0, store_made_with_a_log_is_not_opened_without_it) {
    struct faulty f;
    setup_in(&f, harness_memory_tmpdir(), 1);
    f.options.own_log = true;
    assert_ok(faulty_open(&f), &f.error);
    close_engine(&f);
    f.options.own_log = false;
    assert_status(STATUS_INVALID, faulty_open(&f));
    faulty_teardown(&f);
}

static void damage(struct faulty *f, uint64_t offset) {
    char path[600];
    struct file *file;
    snprintf(path, sizeof(path), "%s/btree.db", f->dir);
    assert_ok(env_file_open(f->env, path, FILE_READ_WRITE, &file, &f->error), &f->error);
    assert_ok(file_write_at(file, offset, text("rot"), &f->error), &f->error);
    file_close(file);
}

TEST("7", 2, log_that_was_cut_for_a_tree_whose_meta_page_is_lost_is_not_replayed_on_the_older) {
    struct faulty f;
    setup_in(&f, harness_memory_tmpdir(), 1);
    f.options.own_log = true;
    f.options.log_segment_bytes = 64 * 1024;
    assert_ok(faulty_open(&f), &f.error);
    for (uint64_t i = 0; i < 100; i++) {
        assert_ok(put_sized(&f, i, i, 3000), &f.error);
        if (i == 50) assert_ok(engine_flush(f.engine, &f.error), &f.error);
    }
    struct flush flush; /* on the loop: the log is cut behind it */
    flush_on_loop(&f, &flush);
    env_run(f.env);
    assert_status(STATUS_OK, flush.status);
    close_engine(&f);
    damage(&f, BTREE_PAGE_BYTES + 100); /* turn 3 stands in page 1 */
    enum status status = faulty_open(&f);
    if (status == STATUS_OK) /* the log was not cut yet */
        for (uint64_t i = 0; i < 100; i++)
            expect_number(&f, i, i);
    else
        assert_status(STATUS_CORRUPT, status);
    faulty_teardown(&f);
}

TEST("7", 0, damaged_meta_pages_are_corrupt_and_one_is_enough) {
    struct faulty f;
    setup(&f);
    assert_ok(put_sized(&f, 1, 1, 10), &f.error);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    close_engine(&f);
    for (uint64_t page = 2; page-- > 0;) {
        damage(&f, page * BTREE_PAGE_BYTES + 100);
        if (page == 0) break;
        assert_ok(faulty_open(&f), &f.error); /* turn 2 stands in page 0 */
        expect_number(&f, 1, 1);
        close_engine(&f);
    }
    assert_status(STATUS_CORRUPT, faulty_open(&f));
    assert_non_null(strstr(f.error.message, "btree.db"));
    faulty_teardown(&f);
}
