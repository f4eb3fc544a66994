/* test_lsm_recovery.c - flushes of the LSM tree and what is found after them: by the next start, by
 * a crash anywhere, on a disk that fails. No store here has enough tables to be compacted. */
#include "engine.h"

#include <stdio.h>

#include "codec.h"
#include "lsm_store.h"
#include "mem.h"

static void setup_large(struct faulty *f, bool own_log) {
    faulty_setup_in(f, "lsm", harness_memory_tmpdir(), 1);
    f->options.own_log = own_log;
    f->options.log_segment_bytes = 8192;
    assert_ok(faulty_open(f), &f->error);
}

static void put_number(struct faulty *f, const char *key, uint64_t number) {
    assert_ok(faulty_put_number(f, key, number), &f->error);
}

static void delete_key(struct faulty *f, const char *key) {
    write_batch_clear(&f->batch);
    write_batch_delete(&f->batch, faulty_text(key));
    assert_ok(engine_write(f->engine, &f->batch, &f->error), &f->error);
}

static void expect_number(struct faulty *f, const char *key, uint64_t number) {
    assert_ok(engine_get(f->engine, NULL, faulty_text(key), 0, &f->value, &f->error), &f->error);
    assert_int_equal(number, load_u64be(f->value.data));
}

static void expect_none(struct faulty *f, const char *key) {
    assert_status(STATUS_NOT_FOUND,
                  engine_get(f->engine, NULL, faulty_text(key), 0, &f->value, &f->error));
}

/* ---- restarts ------------------------------------------------------------------------------- */

TEST("4", 2, what_was_flushed_is_there_after_a_restart_and_what_was_not_is_gone) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 500, 1);
    lsm_store_flush(&f);
    lsm_store_fill(&f, 400, 600, 2);
    lsm_store_reopen(&f);
    for (uint64_t i = 0; i < 500; i++)
        lsm_store_expect(&f, NULL, i, 1);
    expect_none(&f, "000555");
    faulty_teardown(&f);
}

TEST("4", 2, newest_of_several_tables_wins_after_a_restart_too) {
    struct faulty f;
    setup_large(&f, false);
    put_number(&f, "both", 1);
    put_number(&f, "first", 1);
    put_number(&f, "gone", 1);
    lsm_store_flush(&f);
    put_number(&f, "a", 2); /* the newer table has the smaller first key */
    put_number(&f, "both", 2);
    delete_key(&f, "gone");
    lsm_store_flush(&f);
    for (int restarts = 0; restarts < 3; restarts++) {
        expect_number(&f, "a", 2);
        expect_number(&f, "both", 2);
        expect_number(&f, "first", 1);
        expect_none(&f, "gone");
        lsm_store_reopen(&f);
    }
    faulty_teardown(&f);
}

TEST("4", 2, writes_after_a_restart_are_newer_than_all_before) {
    struct faulty f;
    setup_large(&f, false);
    for (uint64_t i = 0; i < 100; i++)
        put_number(&f, "k", i);
    lsm_store_flush(&f);
    lsm_store_reopen(&f);
    put_number(&f, "k", 1000);
    expect_number(&f, "k", 1000);
    lsm_store_flush(&f); /* into a file of a number of its own */
    expect_number(&f, "k", 1000);
    lsm_store_reopen(&f);
    expect_number(&f, "k", 1000);
    assert_int_equal(2, lsm_store_tables(&f, 0));
    faulty_teardown(&f);
}

TEST("4", 2, deleted_range_hides_older_tables_and_nothing_newer_after_a_restart) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 100, 1);
    lsm_store_flush(&f);
    write_batch_clear(&f.batch);
    write_batch_delete_range(&f.batch, faulty_text("000010"), faulty_text("000020"));
    assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    lsm_store_fill(&f, 15, 16, 2);
    for (int restarts = 0; restarts < 2; restarts++) {
        lsm_store_flush(&f);
        expect_none(&f, "000010");
        expect_none(&f, "000019");
        lsm_store_expect(&f, NULL, 9, 1);
        lsm_store_expect(&f, NULL, 15, 2);
        lsm_store_expect(&f, NULL, 20, 1);
        lsm_store_reopen(&f);
    }
    faulty_teardown(&f);
}

/* ---- what a flush writes -------------------------------------------------------------------- */

TEST("4", 0, flush_writes_one_version_of_a_key) {
    struct faulty f;
    setup_large(&f, false);
    for (uint64_t i = 0; i < 2000; i++)
        put_number(&f, i % 2 == 0 ? "a" : "b", i);
    lsm_store_flush(&f);
    assert_int_equal(1, lsm_store_files(&f, ".", ".sst"));
    assert_in_range(engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY), 1, 1000);
    expect_number(&f, "a", 1998);
    expect_number(&f, "b", 1999);
    faulty_teardown(&f);
}

TEST("4", 0, key_that_came_and_went_in_memory_leaves_no_table) {
    struct faulty f;
    setup_large(&f, false);
    for (uint64_t i = 0; i < 10; i++) {
        put_number(&f, "k", i);
        delete_key(&f, "k");
    }
    lsm_store_flush(&f);
    assert_int_equal(0, lsm_store_files(&f, ".", ".sst"));
    put_number(&f, "k", 1);
    lsm_store_flush(&f);
    delete_key(&f, "k"); /* this one has something to hide */
    lsm_store_flush(&f);
    expect_none(&f, "k");
    lsm_store_reopen(&f);
    expect_none(&f, "k");
    faulty_teardown(&f);
}

TEST("4", 2, log_is_given_up_once_its_writes_are_in_tables) {
    struct faulty f;
    setup_large(&f, true);
    for (uint64_t round = 0; round < 3; round++) {
        lsm_store_fill(&f, 0, 1000, round);
        assert_ok(engine_sync(f.engine, &f.error), &f.error);
        assert_true(lsm_store_files(&f, "log", ".seg") > 3);
        lsm_store_flush(&f);
        while (lsm_store_files(&f, "log", ".seg") > 2) /* they go in the background */
            lsm_store_run_loop(&f, NS_PER_MS);
        lsm_store_reopen(&f);
        lsm_store_expect(&f, NULL, 7, round);
    }
    faulty_teardown(&f);
}

TEST("4", 3, snapshot_reads_the_memtables_that_a_flush_has_replaced) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 100, 1);
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    lsm_store_fill(&f, 0, 100, 2);
    lsm_store_flush(&f);
    for (uint64_t i = 0; i < 100; i++) {
        lsm_store_expect(&f, snapshot, i, 1);
        lsm_store_expect(&f, NULL, i, 2);
    }
    engine_snapshot_release(f.engine, snapshot);
    faulty_teardown(&f);
}

TEST("4", 0, lsm_says_would_block_until_somebody_has_waited_for_the_block) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 10, 1);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    struct slice key = faulty_text("000005");
    assert_status(STATUS_WOULD_BLOCK,
                  engine_get(f.engine, NULL, key, ENGINE_NO_WAIT, &f.value, &f.error));
    struct engine_iterator *it =
        engine_iterator_new(f.engine, &(struct engine_iterator_options){.flags = ENGINE_NO_WAIT});
    assert_false(engine_iterator_seek_first(it));
    assert_status(STATUS_WOULD_BLOCK, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine); /* as for a worker */
    assert_ok(engine_get(f.engine, snapshot, key, 0, &f.value, &f.error), &f.error);
    engine_snapshot_release(f.engine, snapshot);
    assert_ok(engine_get(f.engine, NULL, key, ENGINE_NO_WAIT, &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

/* ---- what a crash or a bad disk leaves ------------------------------------------------------ */

TEST("4", 0, orphans_of_a_crash_are_removed_when_the_store_opens) {
    struct faulty f;
    struct file *file;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 500, 1);
    lsm_store_flush(&f);
    engine_close(f.engine);
    f.engine = NULL;
    char *table = lsm_table_path(f.dir, 999), *manifest = lsm_manifest_path(f.dir, 999);
    assert_ok(env_file_open(f.env, table, FILE_CREATE, &file, &f.error), &f.error);
    file_close(file);
    assert_ok(env_file_open(f.env, manifest, FILE_CREATE, &file, &f.error), &f.error);
    file_close(file);
    assert_ok(faulty_open(&f), &f.error);
    assert_false(env_file_exists(f.env, table));
    assert_false(env_file_exists(f.env, manifest));
    assert_int_equal(1, lsm_store_files(&f, ".", ".sst"));
    lsm_store_expect(&f, NULL, 77, 1);
    mem_free(table);
    mem_free(manifest);
    faulty_teardown(&f);
}

static char *only_table(struct faulty *f) {
    struct lsm_version *version = lsm_store_version(f);
    char *path = lsm_table_path(f->dir, version->tables[0][0]->meta.number);
    lsm_version_unref(version, NULL, NULL);
    return path;
}

TEST("4", 0, missing_or_shortened_table_is_corrupt_and_named) {
    struct faulty f;
    struct file *file;
    uint64_t size;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 500, 1);
    lsm_store_flush(&f);
    engine_close(f.engine);
    f.engine = NULL;
    char *path = only_table(&f);
    assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
    assert_ok(file_size(file, &size, &f.error), &f.error);
    assert_ok(file_truncate(file, size - 1, &f.error), &f.error);
    file_close(file);
    assert_status(STATUS_CORRUPT, faulty_open(&f));
    assert_non_null(strstr(f.error.message, path));
    assert_ok(env_file_remove(f.env, path, &f.error), &f.error);
    assert_status(STATUS_CORRUPT, faulty_open(&f));
    assert_non_null(strstr(f.error.message, path));
    mem_free(path);
    faulty_teardown(&f);
}

TEST("4", 0, full_disk_fails_the_flush_and_nothing_else) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 20, 1);
    env_fault_arm(f.env, FAULT_NO_SPACE, 0);
    assert_status(STATUS_NO_SPACE, engine_flush(f.engine, &f.error));
    lsm_store_expect(&f, NULL, 7, 1);
    env_fault_clear(f.env);
    lsm_store_flush(&f);
    assert_int_equal(1, lsm_store_files(&f, ".", ".sst"));
    assert_ok(engine_persisted_get(f.engine, faulty_text("000007"), &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

TEST("4", 0, failed_sync_stops_the_engine) {
    struct faulty f;
    setup_large(&f, false);
    lsm_store_fill(&f, 0, 20, 1);
    env_fault_arm(f.env, FAULT_SYNC_ERROR, 0);
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    assert_status(STATUS_IO, faulty_put_number(&f, "a", 1));
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    faulty_teardown(&f);
}

enum { WRITES = 24, FLUSH_EVERY = 10, RESTART_AT = 15 };

/* Write i puts i under "last". How many were promised when the disk failed. */
static uint64_t run_until_crash(struct faulty *f, bool *crashed) {
    uint64_t promised = 0;
    *crashed = true;
    if (faulty_open(f) != STATUS_OK) return 0;
    for (uint64_t i = 1; i <= WRITES; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        if (faulty_put_number(f, key, i) != STATUS_OK) return promised;
        if (faulty_put_number(f, "last", i) != STATUS_OK) return promised;
        if (f->options.own_log && i % 4 == 0) {
            if (engine_sync(f->engine, &f->error) != STATUS_OK) return promised;
            promised = i;
        }
        if (i % FLUSH_EVERY == 0) {
            if (engine_flush(f->engine, &f->error) != STATUS_OK) return promised;
            promised = i;
        }
        if (i == RESTART_AT) {
            if (engine_sync(f->engine, &f->error) != STATUS_OK) return promised;
            promised = i;
            engine_close(f->engine);
            f->engine = NULL;
            if (faulty_open(f) != STATUS_OK) return promised;
        }
    }
    *crashed = false;
    return promised;
}

static void check_prefix(struct faulty *f, uint64_t promised) {
    uint64_t last = 0;
    if (engine_get(f->engine, NULL, faulty_text("last"), 0, &f->value, &f->error) == STATUS_OK)
        last = load_u64be(f->value.data);
    assert_in_range(last, promised, WRITES);
    for (uint64_t i = 1; i <= last; i++)
        lsm_store_expect(f, NULL, i, i);
}

static void crash_everywhere(bool own_log, enum crash_loss loss) {
    TEST_LIMIT(60000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t at = 0, stride = harness_sanitized() ? 3 : 1;
    for (; crashed; at += stride) {
        struct faulty f;
        faulty_setup_in(&f, "lsm", dir, at + 1000 * (uint64_t)loss);
        f.options.own_log = own_log;
        f.options.log_segment_bytes = 4096;
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t promised = run_until_crash(&f, &crashed);
        engine_close(f.engine);
        f.engine = NULL;
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(faulty_open(&f), &f.error);
        check_prefix(&f, promised);
        lsm_store_reopen(&f); /* what recovery itself wrote is sound, too */
        check_prefix(&f, promised);
        faulty_teardown(&f);
    }
    assert_true(at > 25);
}

TEST("4", 2, crash_at_any_operation_of_flush_and_recovery_leaves_what_was_flushed) {
    crash_everywhere(false, LOSE_ALL_UNSYNCED);
    crash_everywhere(false, LOSE_SOME);
}

TEST("4", 2, crash_at_any_operation_with_an_own_log_leaves_what_was_synced) {
    crash_everywhere(true, LOSE_ALL_UNSYNCED);
    crash_everywhere(true, LOSE_SOME);
}
