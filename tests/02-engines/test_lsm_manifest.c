/* test_lsm_manifest.c - the manifest: edits come back as they were written, a torn one is cut, a
 * damaged one is named, and CURRENT always names a whole one. */
#include "lsm_manifest.h"

#include <stdio.h>

#include "engine_faulty.h"
#include "mem.h"

static struct lsm_table *table_of(uint64_t number, const char *smallest, const char *largest) {
    struct lsm_table *table = lsm_table_new(number);
    internal_key_make(&table->meta.smallest, faulty_text(smallest), 9, WRITE_PUT);
    internal_key_make(&table->meta.largest, faulty_text(largest), 1, WRITE_PUT);
    table->meta.size_bytes = 100;
    table->meta.clean_sequence = 10;
    return table;
}

static void manifest_setup_in(struct faulty *f, const char *dir, uint64_t seed) {
    faulty_setup_in(f, "lsm", dir, seed);
    assert_ok(env_dir_create(f->env, f->dir, &f->error), &f->error);
}

static void manifest_setup(struct faulty *f) { manifest_setup_in(f, harness_memory_tmpdir(), 1); }

/* An edit that adds one table. */
static enum status append(struct faulty *f, struct lsm_manifest *manifest, uint64_t number) {
    struct lsm_edit edit;
    lsm_edit_init(&edit);
    lsm_edit_add(&edit, 0, table_of(number, "a", "b"));
    enum status status = lsm_manifest_append(manifest, &edit, &f->error);
    if (status == STATUS_OK) status = lsm_manifest_sync(manifest, &f->error);
    if (status == STATUS_OK) lsm_manifest_synced(manifest);
    lsm_edit_deinit(&edit);
    return status;
}

static enum status create(struct faulty *f, uint64_t number, uint64_t table,
                          struct lsm_manifest **out) {
    struct lsm_edit whole;
    lsm_edit_init(&whole);
    lsm_edit_add(&whole, 0, table_of(table, "a", "b"));
    enum status status = lsm_manifest_create(f->env, f->dir, number, &whole, out, &f->error);
    lsm_edit_deinit(&whole);
    return status;
}

static enum status note_tables(void *arg, struct lsm_edit *edit, struct error *error) {
    char *met = arg;
    size_t len = strlen(met);
    (void)error;
    for (size_t i = 0; i < edit->added_count; i++)
        snprintf(met + len, 20, "%llu ", (unsigned long long)edit->added[i].table->meta.number);
    return STATUS_OK;
}

static void expect_tables(struct faulty *f, const char *expected) {
    char met[200] = "";
    assert_ok(lsm_manifest_read(f->env, f->dir, note_tables, met, &f->error), &f->error);
    assert_string_equal(expected, met);
}

static uint64_t size_of_manifest(struct faulty *f, uint64_t number) {
    struct file *file;
    uint64_t size;
    char *path = lsm_manifest_path(f->dir, number);
    assert_ok(env_file_open(f->env, path, FILE_READ, &file, &f->error), &f->error);
    assert_ok(file_size(file, &size, &f->error), &f->error);
    file_close(file);
    mem_free(path);
    return size;
}

/* Tables 1 to 4, an edit each; where each edit ends. */
static void write_four_edits(struct faulty *f, uint64_t ends[4]) {
    struct lsm_manifest *manifest;
    assert_ok(create(f, 1, 1, &manifest), &f->error);
    ends[0] = size_of_manifest(f, 1);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_ok(append(f, manifest, i + 1), &f->error);
        ends[i] = size_of_manifest(f, 1);
    }
    lsm_manifest_unref(manifest);
}

TEST("4", 0, directory_without_a_store_has_no_manifest_and_a_new_one_is_found) {
    struct faulty f;
    struct lsm_manifest *manifest;
    manifest_setup(&f);
    assert_status(STATUS_NOT_FOUND, lsm_manifest_read(f.env, f.dir, note_tables, NULL, &f.error));
    assert_ok(create(&f, 7, 42, &manifest), &f.error);
    assert_int_equal(7, lsm_manifest_number(manifest));
    lsm_manifest_unref(manifest);
    expect_tables(&f, "42 ");
    faulty_teardown(&f);
}

static enum status compare_edit(void *arg, struct lsm_edit *edit, struct error *error) {
    size_t *edits = arg;
    (void)error;
    if ((*edits)++ > 0) return STATUS_OK;
    assert_int_equal(11, edit->flushed_sequence);
    assert_int_equal(12, edit->log_position);
    assert_int_equal(13, edit->next_number);
    assert_int_equal(2, edit->added_count);
    assert_int_equal(3, edit->added[1].level);
    assert_int_equal(8, edit->added[1].table->meta.number);
    assert_int_equal(10, edit->added[1].table->meta.clean_sequence);
    assert_slice_equal(faulty_text("c"), lsm_table_smallest_user(edit->added[1].table));
    assert_slice_equal(faulty_text("d"), lsm_table_largest_user(edit->added[1].table));
    assert_int_equal(1, edit->removed_count);
    assert_int_equal(5, edit->removed[0]);
    assert_int_equal(1, edit->tombstone_count);
    assert_int_equal(77, edit->tombstones[0]->sequence);
    assert_slice_equal(faulty_text("e"), buf_slice(&edit->tombstones[0]->start));
    assert_slice_equal(faulty_text("f"), buf_slice(&edit->tombstones[0]->end));
    return STATUS_OK;
}

TEST("4", 0, edit_is_read_back_with_all_that_was_written) {
    struct faulty f;
    struct lsm_manifest *manifest;
    struct lsm_edit edit;
    size_t edits = 0;
    manifest_setup(&f);
    lsm_edit_init(&edit);
    edit.flushed_sequence = 11;
    edit.log_position = 12;
    edit.next_number = 13;
    lsm_edit_add(&edit, 0, table_of(7, "a", "b"));
    lsm_edit_add(&edit, 3, table_of(8, "c", "d"));
    lsm_edit_remove(&edit, 5);
    lsm_edit_add_tombstone(&edit, faulty_text("e"), faulty_text("f"), 77);
    assert_ok(lsm_manifest_create(f.env, f.dir, 1, &edit, &manifest, &f.error), &f.error);
    lsm_edit_deinit(&edit);
    lsm_manifest_unref(manifest);
    assert_ok(lsm_manifest_read(f.env, f.dir, compare_edit, &edits, &f.error), &f.error);
    assert_int_equal(1, edits);
    faulty_teardown(&f);
}

TEST("4", 1, edits_come_back_in_order_and_a_torn_last_one_is_cut) {
    struct faulty f;
    uint64_t ends[4];
    manifest_setup(&f);
    write_four_edits(&f, ends);
    expect_tables(&f, "1 2 3 4 ");
    char *path = lsm_manifest_path(f.dir, 1);
    for (uint64_t size = ends[3] - 1; size >= ends[0]; size--) {
        struct file *file;
        char met[200] = "";
        assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
        assert_ok(file_truncate(file, size, &f.error), &f.error);
        file_close(file);
        assert_ok(lsm_manifest_read(f.env, f.dir, note_tables, met, &f.error), &f.error);
        /* The padding of the last one may be gone: its payload is what counts. */
        size_t least = size >= ends[2] ? 3 : size >= ends[1] ? 2 : 1;
        assert_in_range(strlen(met), 2 * least, 2 * least + 2);
    }
    mem_free(path);
    faulty_teardown(&f);
}

TEST("4", 1, damage_to_an_edit_with_another_behind_it_is_corrupt_and_named) {
    struct faulty f;
    uint64_t ends[4];
    manifest_setup(&f);
    write_four_edits(&f, ends);
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
        assert_status(STATUS_CORRUPT, lsm_manifest_read(f.env, f.dir, note_tables, met, &f.error));
        assert_non_null(strstr(f.error.message, "MANIFEST-000001"));
        assert_ok(file_write_at(file, at, slice_of(&byte, 1), &f.error), &f.error);
    }
    file_close(file);
    mem_free(path);
    faulty_teardown(&f);
}

TEST("4", 1, manifest_whose_first_edit_is_gone_is_corrupt) {
    struct faulty f;
    uint64_t ends[4];
    struct file *file;
    char met[200] = "";
    manifest_setup(&f);
    write_four_edits(&f, ends);
    char *path = lsm_manifest_path(f.dir, 1);
    assert_ok(env_file_open(f.env, path, FILE_READ_WRITE, &file, &f.error), &f.error);
    assert_ok(file_truncate(file, ends[0] - 16, &f.error), &f.error);
    file_close(file);
    assert_status(STATUS_CORRUPT, lsm_manifest_read(f.env, f.dir, note_tables, met, &f.error));
    mem_free(path);
    faulty_teardown(&f);
}

static enum status refuse_table_3(void *arg, struct lsm_edit *edit, struct error *error) {
    ++*(size_t *)arg;
    if (edit->added[0].table->meta.number < 3) return STATUS_OK;
    return error_set(error, STATUS_CORRUPT, "it does not fit");
}

TEST("4", 0, edit_that_is_refused_ends_the_reading) {
    struct faulty f;
    uint64_t ends[4];
    size_t edits = 0;
    manifest_setup(&f);
    write_four_edits(&f, ends);
    assert_status(STATUS_CORRUPT,
                  lsm_manifest_read(f.env, f.dir, refuse_table_3, &edits, &f.error));
    assert_int_equal(3, edits);
    faulty_teardown(&f);
}

/* A store with table 1; the next manifest names table 2, then 3 is added. What is read back after
 * a crash anywhere in between must be one of the three states. */
static void switch_manifests(struct faulty *f, uint64_t at, bool *crashed, size_t *promised) {
    struct lsm_manifest *first, *second = NULL;
    assert_ok(create(f, 1, 1, &first), &f->error);
    lsm_manifest_unref(first);
    env_fault_arm(f->env, FAULT_CRASH, env_fault_operations(f->env) + at);
    *promised = 1;
    *crashed = create(f, 2, 2, &second) != STATUS_OK;
    if (*crashed) return;
    *promised = 2;
    *crashed = append(f, second, 3) != STATUS_OK;
    if (!*crashed) *promised = 3;
    lsm_manifest_unref(second);
}

static void crash_between_manifests(enum crash_loss loss) {
    const char *dir = harness_memory_tmpdir();
    static const char *const states[] = {"1 ", "2 ", "2 3 "};
    bool crashed = true;
    uint64_t at = 0;
    for (; crashed; at++) {
        struct faulty f;
        char met[200] = "";
        size_t promised, state = 0;
        manifest_setup_in(&f, dir, at + 100 * (uint64_t)loss);
        switch_manifests(&f, at, &crashed, &promised);
        env_fault_power_loss(f.env, loss);
        env_fault_clear(f.env);
        assert_ok(lsm_manifest_read(f.env, f.dir, note_tables, met, &f.error), &f.error);
        while (state < 3 && strcmp(states[state], met) != 0)
            state++;
        assert_in_range(state + 1, promised, 3);
        faulty_teardown(&f);
    }
    assert_true(at > 8);
}

TEST("4", 2, after_a_crash_anywhere_current_names_a_whole_manifest) {
    crash_between_manifests(LOSE_ALL_UNSYNCED);
    crash_between_manifests(LOSE_SOME);
}
