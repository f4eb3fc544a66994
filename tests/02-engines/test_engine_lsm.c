/* test_engine_lsm.c - what only the LSM tree promises: its manifest, what compaction keeps and
 * drops, when files go, waiting and not waiting. */
#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "engine_faulty.h"
#include "engine_lsm.h"
#include "internal_key.h"
#include "mem.h"

/* ---- the manifest --------------------------------------------------------------------------- */

static struct lsm_table *table_of(uint64_t number, const char *smallest, const char *largest) {
    struct lsm_table *table = lsm_table_new(number);
    internal_key_make(&table->meta.smallest, faulty_text(smallest), 9, WRITE_PUT);
    internal_key_make(&table->meta.largest, faulty_text(largest), 1, WRITE_PUT);
    table->meta.size_bytes = 100;
    table->meta.clean_sequence = 10;
    return table;
}

static void manifest_setup(struct faulty *f) {
    faulty_setup_in(f, "lsm", harness_memory_tmpdir(), 1);
    assert_ok(env_dir_create(f->env, f->dir, &f->error), &f->error);
}

static void append(struct faulty *f, struct lsm_manifest *manifest, uint64_t number) {
    struct lsm_edit edit;
    lsm_edit_init(&edit);
    lsm_edit_add(&edit, 0, table_of(number, "a", "b"));
    assert_ok(lsm_manifest_append(manifest, &edit, &f->error), &f->error);
    assert_ok(lsm_manifest_sync(manifest, &f->error), &f->error);
    lsm_manifest_synced(manifest);
    lsm_edit_deinit(&edit);
}

static enum status note_edit(void *arg, struct lsm_edit *edit, struct error *error) {
    char *met = arg;
    size_t len = strlen(met);
    (void)error;
    for (size_t i = 0; i < edit->added_count; i++)
        snprintf(met + len, 20, "%llu ", (unsigned long long)edit->added[i].table->meta.number);
    return STATUS_OK;
}

static void write_three_edits(struct faulty *f, uint64_t ends[4]) {
    struct lsm_manifest *manifest;
    struct lsm_edit empty;
    struct file *file;
    lsm_edit_init(&empty);
    assert_ok(lsm_manifest_create(f->env, f->dir, 1, &empty, &manifest, &f->error), &f->error);
    char *path = lsm_manifest_path(f->dir, 1);
    for (uint64_t i = 0; i <= 3; i++) {
        if (i > 0) append(f, manifest, i);
        assert_ok(env_file_open(f->env, path, FILE_READ, &file, &f->error), &f->error);
        assert_ok(file_size(file, &ends[i], &f->error), &f->error);
        file_close(file);
    }
    mem_free(path);
    lsm_manifest_unref(manifest);
}

static void expect_edits(struct faulty *f, const char *expected) {
    char met[200] = "";
    assert_ok(lsm_manifest_read(f->env, f->dir, note_edit, met, &f->error), &f->error);
    assert_string_equal(expected, met);
}

TEST("2.5", 1, manifest_gives_back_its_edits_and_cuts_a_torn_one) {
    struct faulty f;
    uint64_t ends[4];
    manifest_setup(&f);
    assert_status(STATUS_NOT_FOUND, lsm_manifest_read(f.env, f.dir, note_edit, NULL, &f.error));
    write_three_edits(&f, ends);
    expect_edits(&f, "1 2 3 ");
    char *path = lsm_manifest_path(f.dir, 1);
    for (uint64_t size = ends[3] - 1; size >= ends[0]; size--) {
        struct file *file;
        assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
        assert_ok(file_truncate(file, size, &f.error), &f.error);
        file_close(file);
        /* The padding of a record may be gone: its payload is what counts. */
        char met[200] = "";
        assert_ok(lsm_manifest_read(f.env, f.dir, note_edit, met, &f.error), &f.error);
        size_t least = size >= ends[2] ? 2 : size >= ends[1] ? 1 : 0;
        assert_in_range(strlen(met), 2 * least, 2 * least + 2);
    }
    mem_free(path);
    faulty_teardown(&f);
}

TEST("2.5", 1, damage_to_an_edit_with_another_behind_it_is_corrupt) {
    struct faulty f;
    uint64_t ends[4];
    manifest_setup(&f);
    write_three_edits(&f, ends);
    char *path = lsm_manifest_path(f.dir, 1);
    struct file *file;
    assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
    for (uint64_t at = ends[0]; at < ends[1] + 16; at++) {
        uint8_t byte;
        size_t read;
        char met[200] = "";
        assert_ok(file_read_at(file, at, &byte, 1, &read, &f.error), &f.error);
        uint8_t damaged = byte ^ 0x10;
        if (at >= ends[1] - 8 && byte == 0) continue; /* padding carries nothing */
        assert_ok(file_write_at(file, at, slice_of(&damaged, 1), &f.error), &f.error);
        assert_status(STATUS_CORRUPT, lsm_manifest_read(f.env, f.dir, note_edit, met, &f.error));
        assert_non_null(strstr(f.error.message, "MANIFEST-000001"));
        assert_ok(file_write_at(file, at, slice_of(&byte, 1), &f.error), &f.error);
    }
    file_close(file);
    mem_free(path);
    faulty_teardown(&f);
}

/* ---- versions and compactions --------------------------------------------------------------- */

static struct lsm_version *version_with(const char *tables[][3], size_t count) {
    struct lsm_version *empty = lsm_version_new();
    struct lsm_edit edit;
    struct error error;
    lsm_edit_init(&edit);
    for (size_t i = 0; i < count; i++)
        lsm_edit_add(&edit, (unsigned)strtoul(tables[i][0], NULL, 10),
                     table_of(i + 1, tables[i][1], tables[i][2]));
    struct lsm_version *version = lsm_version_apply(empty, &edit, &error);
    lsm_version_unref(empty, NULL, NULL);
    lsm_edit_deinit(&edit);
    return version;
}

TEST("2.6", 1, edit_that_makes_tables_of_a_level_overlap_is_refused) {
    const char *good[][3] = {{"0", "a", "m"}, {"0", "c", "z"}, {"1", "a", "c"}, {"1", "d", "f"}};
    const char *bad[][3] = {{"1", "a", "d"}, {"1", "d", "f"}};
    struct lsm_version *version = version_with(good, 4);
    assert_non_null(version);
    lsm_version_check_invariants(version);
    lsm_version_unref(version, NULL, NULL);
    assert_null(version_with(bad, 2));
}

TEST("2.6", 0, full_level_0_is_merged_with_what_it_overlaps_below) {
    const char *tables[][3] = {
        {"0", "c", "d"}, {"0", "e", "g"}, {"1", "a", "b"}, {"1", "d", "e"}, {"1", "h", "i"}};
    struct lsm_version *version = version_with(tables, 5);
    struct lsm_compaction_cursor cursor = {0};
    struct lsm_compaction compaction;
    struct lsm_shape shape = {.l0_tables = 2, .level1_bytes = 1000, .tombstones = 9};
    assert_true(lsm_compaction_pick(version, &shape, &cursor, &compaction));
    assert_int_equal(0, compaction.level);
    assert_int_equal(2, compaction.counts[0]);
    assert_int_equal(1, compaction.counts[1]);
    assert_int_equal(4, compaction.inputs[1][0]->meta.number);
    assert_false(compaction.is_move);
    lsm_compaction_deinit(&compaction);
    shape.l0_tables = 4;
    assert_false(lsm_compaction_pick(version, &shape, &cursor, &compaction));
    shape.level1_bytes = 200;
    const uint64_t turns[] = {3, 4, 5, 3}; /* each table gets its turn */
    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        assert_true(lsm_compaction_pick(version, &shape, &cursor, &compaction));
        assert_int_equal(turns[i], compaction.inputs[0][0]->meta.number);
        assert_true(compaction.is_move);
        lsm_compaction_deinit(&compaction);
    }
    lsm_compaction_cursor_deinit(&cursor);
    lsm_version_unref(version, NULL, NULL);
}

struct dropping {
    struct lsm_filter filter;
    const struct lsm_version *version;
    unsigned level_below;
};

static bool keeps(struct dropping *d, const char *key, uint64_t sequence, enum write_kind kind) {
    struct buf internal = BUF_INIT;
    bool kept =
        lsm_compaction_keeps(&d->filter, d->version, d->level_below,
                             internal_key_make(&internal, faulty_text(key), sequence, kind));
    buf_deinit(&internal);
    return kept;
}

TEST("2.6", 3, deletion_is_dropped_only_where_nothing_older_can_lie_below) {
    const char *tables[][3] = {{"1", "a", "c"}, {"3", "e", "g"}};
    struct lsm_version *version = version_with(tables, 2);
    struct dropping dropping = {.version = version, .level_below = 2};
    assert_false(keeps(&dropping, "b", 20, WRITE_DELETE)); /* what level 1 has is in the merge */
    assert_true(keeps(&dropping, "f", 20, WRITE_DELETE));
    assert_false(keeps(&dropping, "f", 19, WRITE_PUT)); /* shadowed */
    assert_true(keeps(&dropping, "h", 20, WRITE_PUT));
    assert_false(keeps(&dropping, "h", 19, WRITE_DELETE));
    lsm_filter_deinit(&dropping.filter);
    lsm_version_unref(version, NULL, NULL);
}

TEST("2.6", 0, range_tombstone_is_kept_until_no_table_in_its_range_needs_it) {
    const char *tables[][3] = {{"1", "a", "c"}, {"1", "x", "z"}};
    struct lsm_version *version = version_with(tables, 2), *next;
    struct lsm_edit edit;
    struct error error;
    lsm_edit_init(&edit);
    edit.flushed_sequence = 30;
    lsm_edit_add_tombstone(&edit, faulty_text("b"), faulty_text("d"), 20);
    lsm_edit_add_tombstone(&edit, faulty_text("m"), faulty_text("n"), 21); /* hides nothing */
    next = lsm_version_apply(version, &edit, &error);
    lsm_edit_deinit(&edit);
    assert_int_equal(1, next->tombstone_count);
    assert_int_equal(20, lsm_version_hidden_at(next, faulty_text("b"), UINT64_MAX));
    assert_int_equal(0, lsm_version_hidden_at(next, faulty_text("b"), 19));
    assert_int_equal(0, lsm_version_hidden_at(next, faulty_text("d"), UINT64_MAX));
    lsm_version_unref(version, NULL, NULL);
    lsm_edit_remove(&edit, 1); /* rewritten with the tombstone applied */
    lsm_edit_add(&edit, 2, table_of(9, "a", "c"));
    edit.added[0].table->meta.clean_sequence = 30;
    version = lsm_version_apply(next, &edit, &error);
    lsm_edit_deinit(&edit);
    assert_int_equal(0, version->tombstone_count);
    lsm_version_unref(next, NULL, NULL);
    lsm_version_unref(version, NULL, NULL);
}

/* ---- the engine ----------------------------------------------------------------------------- */

static void stop_loop(void *arg) { env_stop(arg); }

static void run_loop(struct faulty *f, uint64_t ns) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f->env);
    env_timer_start(f->env, &timer, env_now_ns(f->env) + ns);
    env_run(f->env);
    env_timer_stop(&timer);
}

/* Until no job is under way, nor one on the lane that was overtaken. */
static void let_jobs_end(struct faulty *f) {
    const struct engine_lsm *engine = lsm_of(f->engine);
    while (engine->flush != NULL || engine->compaction != NULL || engine->overtaken != NULL)
        run_loop(f, NS_PER_MS);
}

static void setup_small(struct faulty *f) {
    faulty_setup_in(f, "lsm", harness_memory_tmpdir(), 1);
    f->options.write_buffer_bytes = 4096;
    assert_ok(faulty_open(f), &f->error);
}

static void fill(struct faulty *f, uint64_t from, uint64_t to, uint64_t value) {
    char key[16];
    for (uint64_t i = from; i < to; i++) {
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        while ((status = faulty_put_number(f, key, value)) == STATUS_BUSY)
            assert_ok(engine_flush(f->engine, &f->error), &f->error);
        assert_ok(status, &f->error);
    }
}

static void expect_number(struct faulty *f, const struct engine_snapshot *snapshot, uint64_t i,
                          uint64_t value) {
    char key[16];
    snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
    assert_ok(engine_get(f->engine, snapshot, faulty_text(key), 0, &f->value, &f->error),
              &f->error);
    assert_int_equal(value, load_u64be(f->value.data));
}

static void count_table(void *arg, const char *name) {
    if (strstr(name, ".sst") != NULL) ++*(size_t *)arg;
}

static size_t tables_on_disk(struct faulty *f) {
    size_t count = 0;
    assert_ok(env_dir_list(f->env, f->dir, count_table, &count, &f->error), &f->error);
    return count;
}

static size_t tables_in_version(struct faulty *f) {
    const struct lsm_version *version = lsm_of(f->engine)->view->version;
    size_t count = 0;
    lsm_version_check_invariants(version);
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        count += version->table_count[level];
    return count;
}

TEST("3.1", 3, snapshot_reads_what_compactions_have_replaced_and_its_files_go_after_it) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 2000, 1);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    struct engine_snapshot *snapshot = engine_snapshot_new(f.engine);
    for (uint64_t round = 2; round < 6; round++)
        fill(&f, 0, 2000, round);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    for (uint64_t i = 0; i < 2000; i += 7) {
        expect_number(&f, snapshot, i, 1);
        expect_number(&f, NULL, i, 5);
    }
    assert_true(tables_on_disk(&f) > tables_in_version(&f));
    engine_snapshot_release(f.engine, snapshot);
    let_jobs_end(&f);
    assert_int_equal(tables_in_version(&f), tables_on_disk(&f));
    faulty_teardown(&f);
}

TEST("3.1", 0, tree_grows_levels_and_gives_back_every_key_after_a_restart) {
    struct faulty f;
    setup_small(&f);
    for (uint64_t i = 0; i < 6000; i++)
        fill(&f, i * 7919 % 6000, i * 7919 % 6000 + 1, i * 7919 % 6000);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    const struct lsm_version *version = lsm_of(f.engine)->view->version;
    assert_true(version->table_count[2] > 0);
    assert_true(version->table_count[0] < 4);
    engine_close(f.engine);
    f.engine = NULL;
    assert_ok(faulty_open(&f), &f.error);
    for (uint64_t i = 0; i < 6000; i++)
        expect_number(&f, NULL, i, i);
    faulty_teardown(&f);
}

TEST("3.1", 0, deleted_data_leaves_the_disk) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 5000, 1);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    uint64_t full = engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY);
    char start[16], end[16];
    for (uint64_t i = 0; i < 5000; i += 100) { /* more ranges than a version keeps for long */
        snprintf(start, sizeof(start), "%06llu", (unsigned long long)i);
        snprintf(end, sizeof(end), "%06llu", (unsigned long long)i + 100);
        write_batch_clear(&f.batch);
        write_batch_delete_range(&f.batch, faulty_text(start), faulty_text(end));
        assert_ok(engine_write(f.engine, &f.batch, &f.error), &f.error);
    }
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_true(engine_size_estimate(f.engine, SLICE_EMPTY, SLICE_EMPTY) < full / 2);
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_false(engine_iterator_seek_first(it));
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    engine_iterator_free(it);
    faulty_teardown(&f);
}

TEST("3.2", 0, orphans_of_a_crash_are_removed_when_the_store_opens) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 500, 1);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    engine_close(f.engine);
    f.engine = NULL;
    struct file *file;
    char *path = lsm_table_path(f.dir, 999);
    assert_ok(env_file_open(f.env, path, FILE_CREATE, &file, &f.error), &f.error);
    file_close(file);
    assert_ok(faulty_open(&f), &f.error);
    assert_false(env_file_exists(f.env, path));
    assert_int_equal(tables_in_version(&f), tables_on_disk(&f));
    expect_number(&f, NULL, 77, 1);
    mem_free(path);
    faulty_teardown(&f);
}

TEST("3.2", 0, missing_or_damaged_table_is_corrupt_and_named) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 100, 1);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    char *path = lsm_table_path(f.dir, lsm_of(f.engine)->view->version->tables[0][0]->meta.number);
    engine_close(f.engine);
    f.engine = NULL;
    struct file *file;
    assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
    assert_ok(file_write_at(file, 40, slice_of("?", 1), &f.error), &f.error);
    file_close(file);
    assert_ok(faulty_open(&f), &f.error); /* a data block is read when it is needed */
    assert_status(STATUS_CORRUPT,
                  engine_get(f.engine, NULL, faulty_text("000000"), 0, &f.value, &f.error));
    assert_non_null(strstr(f.error.message, path));
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    assert_false(engine_iterator_seek_first(it));
    assert_status(STATUS_CORRUPT, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    engine_close(f.engine);
    f.engine = NULL;
    assert_ok(env_file_remove(f.env, path, &f.error), &f.error);
    assert_status(STATUS_CORRUPT, faulty_open(&f));
    mem_free(path);
    faulty_teardown(&f);
}

TEST("3.3", 0, lsm_says_would_block_until_somebody_has_waited_for_the_block) {
    struct faulty f;
    faulty_setup(&f, "lsm");
    fill(&f, 0, 10, 1);
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

TEST("3.3", 0, lsm_is_busy_while_it_is_behind_and_takes_the_write_later) {
    struct faulty f;
    setup_small(&f);
    size_t busy = 0;
    char key[16];
    for (uint64_t i = 0; i < 3000; i++) { /* nobody runs the loop: nothing ends by itself */
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        while ((status = faulty_put_number(&f, key, i)) == STATUS_BUSY) {
            assert_status(STATUS_NOT_FOUND,
                          engine_get(f.engine, NULL, faulty_text(key), 0, &f.value, &f.error));
            assert_ok(engine_flush(f.engine, &f.error), &f.error);
            busy++;
        }
        assert_ok(status, &f.error);
        expect_number(&f, NULL, i, i);
    }
    assert_true(busy > 5);
    faulty_teardown(&f);
}

TEST("3.3", 0, full_disk_fails_the_flush_and_nothing_else) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 20, 1);
    env_fault_arm(f.env, FAULT_NO_SPACE, 0);
    assert_status(STATUS_NO_SPACE, engine_flush(f.engine, &f.error));
    expect_number(&f, NULL, 7, 1);
    env_fault_clear(f.env);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_int_equal(1, tables_on_disk(&f));
    assert_ok(engine_persisted_get(f.engine, faulty_text("000007"), &f.value, &f.error), &f.error);
    faulty_teardown(&f);
}

TEST("3.3", 0, failed_sync_stops_the_engine) {
    struct faulty f;
    setup_small(&f);
    fill(&f, 0, 20, 1);
    env_fault_arm(f.env, FAULT_SYNC_ERROR, 0);
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    assert_status(STATUS_IO, faulty_put_number(&f, "a", 1));
    assert_status(STATUS_IO, engine_flush(f.engine, &f.error));
    faulty_teardown(&f);
}

TEST("3.4", 0, background_flushes_and_compactions_keep_up_while_the_loop_runs) {
    struct faulty f;
    setup_small(&f);
    char key[16];
    for (uint64_t i = 0; i < 4000; i++) {
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)(i * 7919 % 4000));
        while ((status = faulty_put_number(&f, key, i)) == STATUS_BUSY)
            run_loop(&f, NS_PER_MS / 10);
        assert_ok(status, &f.error);
    }
    let_jobs_end(&f);
    assert_true(lsm_of(f.engine)->view->version->table_count[1] > 0);
    assert_true(lsm_of(f.engine)->view->version->table_count[0] < 4);
    assert_int_equal(tables_in_version(&f), tables_on_disk(&f));
    for (uint64_t i = 0; i < 4000; i++)
        expect_number(&f, NULL, i * 7919 % 4000, i);
    faulty_teardown(&f);
}

TEST("3.4", 0, engine_closes_with_its_jobs_under_way) {
    const char *dir = harness_memory_tmpdir();
    for (int rounds = 0; rounds < 20; rounds++) {
        struct faulty f;
        faulty_setup_in(&f, "lsm", dir, (uint64_t)rounds);
        f.options.write_buffer_bytes = 4096;
        assert_ok(faulty_open(&f), &f.error);
        fill(&f, 0, 50 * (uint64_t)rounds, 1);
        engine_close(f.engine);
        f.engine = NULL;
        assert_ok(faulty_open(&f), &f.error); /* while the old jobs may still be on the lane */
        fill(&f, 0, 100, 2);
        assert_ok(engine_flush(f.engine, &f.error), &f.error);
        expect_number(&f, NULL, 99, 2);
        faulty_teardown(&f);
    }
}
