/* test_lsm_edit.c - what an edit makes of a version: order, references, deleted ranges. */
#include "lsm_edit.h"

#include <stdlib.h>

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

/* {level, smallest, largest}; the first has number 1. */
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

/* Takes the version's reference; the edit is used up. */
static struct lsm_version *applied(struct lsm_version *version, struct lsm_edit *edit) {
    struct error error;
    struct lsm_version *next = lsm_version_apply(version, edit, &error);
    assert_non_null(next);
    lsm_version_unref(version, NULL, NULL);
    lsm_edit_deinit(edit);
    return next;
}

TEST("4", 1, version_before_an_edit_stays_as_it_was) {
    const char *tables[][3] = {{"0", "a", "m"}, {"1", "a", "c"}};
    struct lsm_version *version = version_with(tables, 2);
    struct lsm_edit edit;
    struct error error;
    lsm_edit_init(&edit);
    lsm_edit_remove(&edit, 1);
    lsm_edit_add(&edit, 1, table_of(3, "d", "z"));
    struct lsm_version *next = lsm_version_apply(version, &edit, &error);
    lsm_edit_deinit(&edit);
    assert_non_null(next);
    assert_int_equal(1, version->table_count[0]);
    assert_int_equal(1, version->table_count[1]);
    assert_int_equal(0, next->table_count[0]);
    assert_int_equal(2, next->table_count[1]);
    assert_ptr_equal(version->tables[1][0], next->tables[1][0]); /* shared, not copied */
    assert_true(version->tables[0][0]->obsolete);
    assert_false(next->tables[1][0]->obsolete);
    lsm_version_unref(version, NULL, NULL);
    lsm_version_unref(next, NULL, NULL);
}

TEST("4", 1, level_0_is_in_order_of_age_and_the_others_in_order_of_keys) {
    const char *tables[][3] = {{"0", "m", "z"}, {"0", "a", "c"}, {"1", "p", "q"}, {"1", "a", "b"}};
    struct lsm_version *version = version_with(tables, 4);
    assert_non_null(version);
    assert_int_equal(1, version->tables[0][0]->meta.number);
    assert_int_equal(2, version->tables[0][1]->meta.number);
    assert_int_equal(4, version->tables[1][0]->meta.number);
    assert_int_equal(3, version->tables[1][1]->meta.number);
    lsm_version_check_invariants(version);
    lsm_version_unref(version, NULL, NULL);
}

TEST("4", 0, edit_that_makes_tables_of_a_level_overlap_is_refused) {
    const char *good[][3] = {{"0", "a", "m"}, {"0", "c", "z"}, {"1", "a", "c"}, {"1", "d", "f"}};
    const char *bad[][3] = {{"1", "a", "d"}, {"1", "d", "f"}};
    struct lsm_version *version = version_with(good, 4);
    assert_non_null(version);
    lsm_version_unref(version, NULL, NULL);
    assert_null(version_with(bad, 2));
}

TEST("4", 0, edit_that_removes_a_table_that_is_not_there_is_refused) {
    const char *tables[][3] = {{"1", "a", "c"}};
    struct lsm_version *version = version_with(tables, 1);
    struct lsm_edit edit;
    struct error error;
    lsm_edit_init(&edit);
    lsm_edit_remove(&edit, 1);
    lsm_edit_remove(&edit, 2);
    assert_null(lsm_version_apply(version, &edit, &error));
    assert_int_equal(STATUS_CORRUPT, error.status);
    lsm_edit_deinit(&edit);
    lsm_version_unref(version, NULL, NULL);
}

TEST("4", 2, numbers_of_a_version_never_go_back) {
    const char *tables[][3] = {{"1", "a", "c"}};
    struct lsm_version *version = version_with(tables, 1);
    struct lsm_edit edit;
    lsm_edit_init(&edit);
    edit.flushed_sequence = 30;
    edit.log_position = 4000;
    version = applied(version, &edit);
    lsm_edit_init(&edit);
    edit.flushed_sequence = 20;
    version = applied(version, &edit);
    assert_int_equal(30, version->flushed_sequence);
    assert_int_equal(4000, version->log_position);
    lsm_version_unref(version, NULL, NULL);
}

TEST("4", 3, range_tombstone_is_kept_until_no_table_in_its_range_needs_it) {
    const char *tables[][3] = {{"1", "a", "c"}, {"1", "x", "z"}};
    struct lsm_version *version = version_with(tables, 2);
    struct lsm_edit edit;
    lsm_edit_init(&edit);
    edit.flushed_sequence = 30;
    lsm_edit_add_tombstone(&edit, faulty_text("b"), faulty_text("d"), 20);
    lsm_edit_add_tombstone(&edit, faulty_text("m"), faulty_text("n"), 21); /* hides nothing */
    version = applied(version, &edit);
    assert_int_equal(1, version->tombstone_count);
    assert_int_equal(20, lsm_version_hidden_at(version, faulty_text("b"), UINT64_MAX));
    assert_int_equal(0, lsm_version_hidden_at(version, faulty_text("b"), 19));
    assert_int_equal(0, lsm_version_hidden_at(version, faulty_text("d"), UINT64_MAX));
    lsm_edit_remove(&edit, 1); /* rewritten with the tombstone applied */
    lsm_edit_add(&edit, 2, table_of(9, "a", "c"));
    edit.added[0].table->meta.clean_sequence = 30;
    version = applied(version, &edit);
    assert_int_equal(0, version->tombstone_count);
    lsm_version_unref(version, NULL, NULL);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void make_file(struct faulty *f, uint64_t number) {
    struct file *file;
    char *path = lsm_table_path(f->dir, number);
    assert_ok(env_file_open(f->env, path, FILE_CREATE, &file, &f->error), &f->error);
    file_close(file);
    mem_free(path);
}

static bool has_file(struct faulty *f, uint64_t number) {
    char *path = lsm_table_path(f->dir, number);
    bool has = env_file_exists(f->env, path);
    mem_free(path);
    return has;
}

TEST("4", 0, file_of_a_table_goes_with_the_last_version_that_has_it) {
    struct faulty f;
    faulty_setup_in(&f, "lsm", harness_memory_tmpdir(), 1);
    assert_ok(env_dir_create(f.env, f.dir, &f.error), &f.error);
    const char *tables[][3] = {{"0", "a", "c"}, {"0", "d", "f"}};
    struct lsm_version *read = version_with(tables, 2);
    struct lsm_edit edit;
    make_file(&f, 1);
    make_file(&f, 2);
    lsm_edit_init(&edit);
    lsm_edit_remove(&edit, 1);
    lsm_edit_remove(&edit, 2); /* 2 only moves to another level */
    lsm_edit_add(&edit, 1, table_of(2, "d", "f"));
    struct lsm_version *newest = lsm_version_apply(read, &edit, &f.error);
    lsm_edit_deinit(&edit);
    assert_non_null(newest);
    assert_true(has_file(&f, 1));
    lsm_version_ref(newest);
    lsm_version_unref(newest, f.env, f.dir);
    assert_true(has_file(&f, 1));
    lsm_version_unref(read, f.env, f.dir); /* its last reader */
    assert_false(has_file(&f, 1));
    assert_true(has_file(&f, 2));
    lsm_version_unref(newest, f.env, f.dir); /* the store closes: files of the newest stay */
    assert_true(has_file(&f, 2));
    faulty_teardown(&f);
}
