/* test_lsm_tree.c - the LSM tree with compactions: the same answers as before, from fewer files and
 * fewer bytes. */
#include "engine.h"

#include <stdio.h>

#include "codec.h"
#include "lsm_store.h"
#include "mem.h"

TEST("5", 3, snapshot_reads_what_compactions_have_replaced_and_its_files_go_after_it) {
    struct faulty f;
    lsm_store_setup(&f);
    lsm_store_fill(&f, 0, 2000, 1);
    lsm_store_flush(&f);
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    for (uint64_t round = 2; round < 6; round++)
        lsm_store_fill(&f, 0, 2000, round);
    lsm_store_flush(&f);
    for (uint64_t i = 0; i < 2000; i += 7) {
        lsm_store_expect(&f, snapshot, i, 1);
        lsm_store_expect(&f, NULL, i, 5);
    }
    engine_snapshot_release(f.engine, snapshot);
    lsm_store_settle(&f);
    lsm_store_expect(&f, NULL, 77, 5);
    faulty_teardown(&f);
}

TEST("5", 3, iterator_walks_on_while_its_tables_are_compacted_away) {
    struct faulty f;
    lsm_store_setup(&f);
    lsm_store_fill(&f, 0, 1000, 1);
    lsm_store_flush(&f);
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_true(engine_iterator_seek_first(it));
    uint64_t walked = 0;
    for (bool valid = true; valid; valid = engine_iterator_next(it), walked++) {
        assert_int_equal(1, load_u64be(engine_iterator_value(it).data));
        if (walked % 250 == 0) lsm_store_fill(&f, 0, 1000, 2 + walked / 250);
        if (walked % 250 == 0) lsm_store_flush(&f);
    }
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    assert_int_equal(1000, walked);
    engine_iterator_free(it);
    lsm_store_settle(&f);
    faulty_teardown(&f);
}

TEST("5", 0, tree_grows_levels_and_gives_back_every_key_after_a_restart) {
    struct faulty f;
    lsm_store_setup(&f);
    for (uint64_t i = 0; i < 6000; i++)
        lsm_store_fill(&f, i * 7919 % 6000, i * 7919 % 6000 + 1, i * 7919 % 6000);
    lsm_store_flush(&f);
    struct lsm_version *version = lsm_store_version(&f);
    assert_true(version->table_count[2] > 0);
    assert_true(version->table_count[0] < 4);
    lsm_version_unref(version, NULL, NULL);
    lsm_store_reopen(&f);
    for (uint64_t i = 0; i < 6000; i++)
        lsm_store_expect(&f, NULL, i, i);
    faulty_teardown(&f);
}

TEST("5", 0, overwritten_values_leave_the_disk) {
    struct faulty f;
    lsm_store_setup(&f);
    lsm_store_fill(&f, 0, 1000, 0);
    lsm_store_flush(&f);
    uint64_t once = engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY);
    for (uint64_t round = 1; round <= 20; round++)
        lsm_store_fill(&f, 0, 1000, round);
    lsm_store_flush(&f);
    assert_in_range(engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY), 1, 3 * once);
    lsm_store_settle(&f);
    faulty_teardown(&f);
}

static void delete_keys(struct faulty *f, uint64_t from, uint64_t to, uint64_t stride) {
    char key[16];
    for (uint64_t i = from; i < to; i += stride) {
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        write_batch_clear(&f->batch);
        write_batch_delete(&f->batch, faulty_text(key));
        while ((status = engine_write(f->engine, &f->batch, &f->error)) == STATUS_BUSY)
            lsm_store_flush(f);
        assert_ok(status, &f->error);
    }
}

/* A queue: what comes in at one end is deleted at the other. */
TEST("5", 3, deleted_keys_leave_the_disk_and_so_do_their_marks) {
    struct faulty f;
    lsm_store_setup(&f);
    uint64_t first = 0;
    for (uint64_t at = 0; at < 30000; at += 1000) {
        lsm_store_fill(&f, at, at + 1000, 1);
        lsm_store_flush(&f);
        delete_keys(&f, at, at + 1000, 1);
        lsm_store_flush(&f);
        uint64_t size = engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY);
        if (first == 0) first = size;
        assert_in_range(size, 0, 4 * first);
    }
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_false(engine_iterator_seek_first(it));
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    engine_iterator_free(it);
    faulty_teardown(&f);
}

TEST("5", 0, deleted_ranges_leave_the_disk) {
    struct faulty f;
    lsm_store_setup(&f);
    lsm_store_fill(&f, 0, 5000, 1);
    lsm_store_flush(&f);
    uint64_t full = engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY);
    char start[16], end[16];
    for (uint64_t i = 0; i < 5000; i += 100) { /* more ranges than a version keeps for long */
        snprintf(start, sizeof(start), "%06llu", (unsigned long long)i);
        snprintf(end, sizeof(end), "%06llu", (unsigned long long)i + 100);
        write_batch_clear(&f.batch);
        write_batch_delete_range(&f.batch, faulty_text(start), faulty_text(end));
        assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    }
    lsm_store_flush(&f);
    assert_true(engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY) < full / 2);
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_false(engine_iterator_seek_first(it));
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    engine_iterator_free(it);
    faulty_teardown(&f);
}

/* Tables that overlap nothing may change levels as they are: nothing was applied to them. */
TEST("5", 3, deleted_range_hides_tables_that_only_moved_after_restarts_too) {
    struct faulty f;
    lsm_store_setup(&f);
    for (uint64_t i = 0; i < 3; i++) {
        lsm_store_fill(&f, 10 * i, 10 * i + 10, 1);
        lsm_store_flush(&f);
    }
    write_batch_clear(&f.batch);
    write_batch_delete_range(&f.batch, faulty_text("000005"), faulty_text("000015"));
    assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    lsm_store_fill(&f, 40, 50, 1);
    lsm_store_flush(&f);
    assert_true(lsm_store_tables(&f, 0) < 4);
    for (uint64_t restarts = 0; restarts < 3; restarts++) {
        lsm_store_reopen(&f);
        lsm_store_fill(&f, 60 + restarts, 61 + restarts, 1);
        lsm_store_flush(&f); /* tombstones that nobody needs are forgotten */
        assert_status(STATUS_NOT_FOUND,
                      engine_get(f.engine, NULL, faulty_text("000005"), 0, &f.value, &f.error));
        lsm_store_expect(&f, NULL, 4, 1);
        lsm_store_expect(&f, NULL, 15, 1);
    }
    faulty_teardown(&f);
}

/* Old versions in lower levels, deletions above, and values again above those. */
TEST("5", 3, deleted_keys_stay_deleted_however_deep_their_old_versions_lie) {
    struct faulty f;
    lsm_store_setup(&f);
    char key[16];
    for (uint64_t round = 0; round < 3; round++) {
        lsm_store_fill(&f, 0, 3000, round);
        delete_keys(&f, round, 3000, 3);
        for (uint64_t more = 0; more < 4; more++) { /* pushes the deletions down */
            lsm_store_fill(&f, 5000 + 500 * more, 5500 + 500 * more, round);
            lsm_store_flush(&f);
        }
        for (uint64_t i = 0; i < 3000; i++) {
            snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
            enum status expected = i % 3 == round ? STATUS_NOT_FOUND : STATUS_OK;
            assert_status(expected,
                          engine_get(f.engine, NULL, faulty_text(key), 0, &f.value, &f.error));
        }
    }
    faulty_teardown(&f);
}

TEST("5", 0, lsm_is_busy_while_it_is_behind_and_takes_the_write_later) {
    struct faulty f;
    lsm_store_setup(&f);
    size_t busy = 0;
    char key[16];
    for (uint64_t i = 0; i < 3000; i++) { /* nobody runs the loop: nothing ends by itself */
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        while ((status = faulty_put_number(&f, key, i)) == STATUS_BUSY) {
            assert_status(STATUS_NOT_FOUND,
                          engine_get(f.engine, NULL, faulty_text(key), 0, &f.value, &f.error));
            lsm_store_flush(&f);
            busy++;
        }
        assert_ok(status, &f.error);
        lsm_store_expect(&f, NULL, i, i);
    }
    assert_true(busy > 5);
    faulty_teardown(&f);
}

TEST("5", 0, background_flushes_and_compactions_keep_up_while_the_loop_runs) {
    struct faulty f;
    lsm_store_setup(&f);
    char key[16];
    for (uint64_t i = 0; i < 4000; i++) {
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)(i * 7919 % 4000));
        while ((status = faulty_put_number(&f, key, i)) == STATUS_BUSY)
            lsm_store_run_loop(&f, NS_PER_MS / 10);
        assert_ok(status, &f.error);
    }
    while (lsm_store_tables(&f, 0) >= 4 || lsm_store_tables(&f, 1) == 0)
        lsm_store_run_loop(&f, NS_PER_MS);
    for (uint64_t i = 0; i < 4000; i++)
        lsm_store_expect(&f, NULL, i * 7919 % 4000, i);
    lsm_store_settle(&f);
    faulty_teardown(&f);
}

TEST("5", 0, engine_closes_with_its_jobs_under_way) {
    const char *dir = harness_memory_tmpdir();
    for (int rounds = 0; rounds < 20; rounds++) {
        struct faulty f;
        faulty_setup_in(&f, "lsm", dir, (uint64_t)rounds);
        f.options.write_buffer_bytes = 4096;
        assert_ok(faulty_open(&f), &f.error);
        lsm_store_fill(&f, 0, 50 * (uint64_t)rounds, 1);
        lsm_store_reopen(&f); /* while the old jobs may still be on the lane */
        lsm_store_fill(&f, 0, 100, 2);
        lsm_store_flush(&f);
        lsm_store_expect(&f, NULL, 99, 2);
        faulty_teardown(&f);
    }
}

/* ---- crashes -------------------------------------------------------------------------------- */

enum { ROUNDS = 9, ROUND_KEYS = 120, RESTART_AT = 6 };

/* Round r overwrites every key with r and deletes the r-th tenth of them; then a flush, with all
 * compactions that it makes due. Returns how many rounds were promised. */
static uint64_t run_rounds(struct faulty *f, bool *crashed) {
    char key[16];
    *crashed = true;
    if (faulty_open(f) != STATUS_OK) return 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        write_batch_clear(&f->batch);
        for (uint64_t i = 0; i < ROUND_KEYS; i++) {
            struct buf value = BUF_INIT;
            put_u64be(&value, round);
            snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
            if (i % 10 == round)
                write_batch_delete(&f->batch, faulty_text(key));
            else
                write_batch_put(&f->batch, faulty_text(key), buf_slice(&value));
            buf_deinit(&value);
        }
        if (engine_write(f->engine, &f->batch, &f->error) != STATUS_OK) return round - 1;
        if (engine_flush(f->engine, &f->error) != STATUS_OK) return round - 1;
        if (round != RESTART_AT) continue;
        engine_close(f->engine);
        f->engine = NULL;
        if (faulty_open(f) != STATUS_OK) return round;
    }
    *crashed = false;
    return ROUNDS;
}

/* All of one round, not older than was promised. */
static void check_round(struct faulty *f, uint64_t promised) {
    char key[16];
    uint64_t round = 0;
    if (engine_get(f->engine, NULL, faulty_text("000000"), 0, &f->value, &f->error) == STATUS_OK)
        round = load_u64be(f->value.data);
    assert_in_range(round, promised, ROUNDS);
    for (uint64_t i = 0; i < ROUND_KEYS && round > 0; i++) {
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        if (i % 10 != round)
            lsm_store_expect(f, NULL, i, round);
        else
            assert_status(STATUS_NOT_FOUND,
                          engine_get(f->engine, NULL, faulty_text(key), 0, &f->value, &f->error));
    }
    lsm_version_unref(lsm_store_version(f), NULL, NULL); /* its levels are in order */
}

static void crash_in_compactions(enum crash_loss loss) {
    TEST_LIMIT(60000);
    const char *dir = harness_memory_tmpdir();
    bool crashed = true;
    uint64_t at = 0, stride = harness_sanitized() ? 3 : 1;
    for (; crashed; at += stride) {
        struct faulty f;
        faulty_setup_in(&f, "lsm", dir, at + 1000 * (uint64_t)loss);
        f.options.write_buffer_bytes = 4096;
        env_fault_arm(f.env, FAULT_CRASH, at);
        uint64_t promised = run_rounds(&f, &crashed);
        engine_close(f.engine);
        f.engine = NULL;
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(faulty_open(&f), &f.error);
        check_round(&f, promised);
        lsm_store_reopen(&f);
        check_round(&f, promised);
        faulty_teardown(&f);
    }
    assert_true(at > 60);
}

TEST("5", 2, crash_at_any_operation_of_a_compaction_leaves_every_key_as_it_was_flushed) {
    crash_in_compactions(LOSE_ALL_UNSYNCED);
    crash_in_compactions(LOSE_SOME);
}
