/* test_env_fault.c - what a power failure leaves, and how operations fail when told to. */
#include <stdio.h>

#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"

static struct env *machine;
static struct env *env;
static struct error error;
static const char *dir;

static void start(uint64_t seed) {
    if (dir == NULL) dir = harness_tmpdir();
    struct log log;
    log_init_null(&log);
    machine = env_uv_new(&log);
    env = env_fault_new(machine, seed);
}

static void finish(void) {
    env_fault_free(env);
    env_uv_free(machine);
}

static const char *path_of(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void sync_dir(void) { assert_ok(env_dir_sync(env, dir, &error), &error); }

static struct file *open_file(const char *name, enum file_mode mode) {
    struct file *file;
    assert_ok(env_file_open(env, path_of(name), mode, &file, &error), &error);
    return file;
}

static void write_at(struct file *file, uint64_t offset, const char *text) {
    assert_ok(file_write_at(file, offset, slice_of_string(text), &error), &error);
}

static void sync_file(struct file *file) { assert_ok(file_sync(file, &error), &error); }

/* A file whose name and content are durable. */
static void make_durable(const char *name, const char *text) {
    struct file *file = open_file(name, FILE_CREATE);
    write_at(file, 0, text);
    sync_file(file);
    file_close(file);
    sync_dir();
}

static void assert_content(const char *name, const char *expected) {
    struct file *file = open_file(name, FILE_READ);
    char content[256];
    size_t len;
    assert_ok(file_read_at(file, 0, content, sizeof(content), &len, &error), &error);
    assert_slice_equal(slice_of_string(expected), slice_of(content, len));
    file_close(file);
}

static bool exists(const char *name) { return env_file_exists(env, path_of(name)); }

/* ---- power loss --------------------------------------------------------------------------- */

TEST("1", 0, a_power_failure_takes_back_what_is_not_synced) {
    start(1);
    make_durable("a", "first");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "FIRST");
    write_at(file, 5, " and more");
    file_close(file);
    assert_content("a", "FIRST and more");
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "first");
    finish();
}

TEST("1", 0, what_is_synced_survives_what_was_written_after_it_does_not) {
    start(1);
    make_durable("a", "first");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "FIRST");
    sync_file(file);
    write_at(file, 0, "later");
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "FIRST");
    finish();
}

TEST("1", 0, a_truncation_is_taken_back) {
    start(1);
    make_durable("a", "a long text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    assert_ok(file_truncate(file, 2, &error), &error);
    write_at(file, 4, "x");
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "a long text");
    finish();
}

TEST("1", 0, kill_9_loses_nothing) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE);
    write_at(file, 0, "text");
    file_close(file);
    env_fault_power_loss(env, LOSE_NONE);
    assert_content("a", "text");
    finish();
}

TEST("1", 0, a_file_whose_directory_is_not_synced_is_gone) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE);
    write_at(file, 0, "text");
    sync_file(file);
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_false(exists("a"));
    finish();
}

TEST("1", 0, a_synced_directory_holds_a_file_that_was_not_synced_empty) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE);
    sync_dir();
    write_at(file, 0, "text");
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "");
    finish();
}

TEST("1", 0, an_unsynced_rename_is_taken_back_with_the_file_it_replaced) {
    start(1);
    make_durable("a", "old");
    make_durable("a.new", "new");
    assert_ok(env_file_rename(env, path_of("a.new"), path_of("a"), &error), &error);
    assert_content("a", "new");
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "old");
    assert_content("a.new", "new");
    finish();
}

TEST("1", 0, a_rename_of_unsynced_content_leaves_an_empty_file) {
    start(1);
    struct file *file = open_file("a.new", FILE_CREATE);
    write_at(file, 0, "text");
    file_close(file);
    assert_ok(env_file_rename(env, path_of("a.new"), path_of("a"), &error), &error);
    sync_dir();
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "");
    assert_false(exists("a.new"));
    finish();
}

TEST("1", 0, an_unsynced_removal_is_taken_back) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "TEXT");
    file_close(file);
    assert_ok(env_file_remove(env, path_of("a"), &error), &error);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "text");
    finish();
}

TEST("1", 0, a_synced_removal_stays) {
    start(1);
    make_durable("a", "text");
    assert_ok(env_file_remove(env, path_of("a"), &error), &error);
    sync_dir();
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_false(exists("a"));
    finish();
}

TEST("1", 0, after_a_power_failure_the_survivors_are_durable) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "TEXT");
    file_close(file);
    env_fault_power_loss(env, LOSE_NONE);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "TEXT");
    finish();
}

/* ---- torn writes -------------------------------------------------------------------------- */

enum { SECTOR = 512, SECTORS = 64 };

/* Overwrites SECTORS sectors of 'o' with 'n', fails the power, and counts the new ones. */
static int torn_sectors(uint64_t seed) {
    static uint8_t bytes[SECTOR * SECTORS];
    char name[32];
    size_t len;
    snprintf(name, sizeof(name), "torn-%llu", (unsigned long long)seed);
    start(seed);
    struct file *file = open_file(name, FILE_CREATE);
    memset(bytes, 'o', sizeof(bytes));
    assert_ok(file_write_at(file, 0, slice_of(bytes, sizeof(bytes)), &error), &error);
    sync_file(file);
    sync_dir();
    memset(bytes, 'n', sizeof(bytes));
    assert_ok(file_write_at(file, 0, slice_of(bytes, sizeof(bytes)), &error), &error);
    file_close(file);
    env_fault_power_loss(env, LOSE_SOME);
    file = open_file(name, FILE_READ);
    assert_ok(file_read_at(file, 0, bytes, sizeof(bytes), &len, &error), &error);
    assert_int_equal(sizeof(bytes), len);
    file_close(file);
    int new_sectors = 0;
    for (size_t i = 0; i < SECTORS; i++) {
        for (size_t k = 1; k < SECTOR; k++) {
            assert_int_equal(bytes[i * SECTOR], bytes[i * SECTOR + k]);
        }
        new_sectors += bytes[i * SECTOR] == 'n';
    }
    finish();
    return new_sectors;
}

TEST("2", 0, a_torn_write_keeps_some_whole_sectors_by_the_seed) {
    int first = torn_sectors(7);
    assert_in_range(first, 1, SECTORS - 1);
    char path[512];
    snprintf(path, sizeof(path), "%s/torn-7", dir);
    assert_int_equal(0, remove(path));
    assert_int_equal(first, torn_sectors(7));
}

/* ---- faults ------------------------------------------------------------------------------- */

TEST("3", 0, operations_are_counted_reads_are_not) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE); /* 0 */
    write_at(file, 0, "text");                       /* 1 */
    sync_file(file);                                 /* 2 */
    char byte;
    size_t len;
    assert_ok(file_read_at(file, 0, &byte, 1, &len, &error), &error);
    assert_int_equal(3, env_fault_operations(env));
    file_close(file);
    finish();
}

TEST("3", 0, after_a_crash_everything_fails_and_changes_nothing) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    env_fault_arm(env, FAULT_CRASH, env_fault_operations(env) + 1);
    write_at(file, 0, "T");
    assert_status(STATUS_IO, file_write_at(file, 0, SLICE_LITERAL("U"), &error));
    assert_status(STATUS_IO, file_sync(file, &error));
    assert_status(STATUS_IO, env_file_remove(env, path_of("a"), &error));
    assert_status(STATUS_IO, env_file_rename(env, path_of("a"), path_of("b"), &error));
    file_close(file);
    env_fault_clear(env);
    assert_content("a", "Text");
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "text");
    finish();
}

TEST("3", 0, a_full_disk_refuses_writes_until_cleared) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE);
    env_fault_arm(env, FAULT_NO_SPACE, 0);
    assert_status(STATUS_NO_SPACE, file_write_at(file, 0, SLICE_LITERAL("x"), &error));
    assert_status(STATUS_NO_SPACE, file_write_at(file, 0, SLICE_LITERAL("x"), &error));
    sync_file(file);
    env_fault_clear(env);
    write_at(file, 0, "x");
    file_close(file);
    finish();
}

TEST("3", 0, a_write_error_strikes_once) {
    start(1);
    struct file *file = open_file("a", FILE_CREATE);
    env_fault_arm(env, FAULT_WRITE_ERROR, 0);
    assert_status(STATUS_IO, file_write_at(file, 0, SLICE_LITERAL("x"), &error));
    write_at(file, 0, "x");
    file_close(file);
    finish();
}

TEST("3", 0, a_sync_that_lies_says_ok_and_makes_nothing_durable) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    env_fault_arm(env, FAULT_SYNC_LIES, env_fault_operations(env));
    write_at(file, 0, "TEXT");
    sync_file(file);
    file_close(file);
    assert_content("a", "TEXT");
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "text");
    finish();
}

static enum status sync_status = STATUS_OK;

static void on_synced(void *arg, enum status status, const struct error *sync_error) {
    (void)arg;
    (void)sync_error;
    sync_status = status;
    env_stop(env);
}

TEST("3", 0, a_failed_sync_on_the_lane_leaves_the_data_unsynced) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "TEXT");
    env_fault_arm(env, FAULT_SYNC_ERROR, 0);
    struct file_sync_op op = {.done = on_synced};
    file_sync_start(file, &op);
    assert_status(STATUS_OK, sync_status); /* not inside the call */
    env_run(env);
    assert_status(STATUS_IO, sync_status);
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "text");
    finish();
}

TEST("3", 0, a_sync_on_the_lane_covers_what_was_written_before_it_was_asked_for) {
    start(1);
    make_durable("a", "text");
    struct file *file = open_file("a", FILE_READ_WRITE);
    write_at(file, 0, "TEXT");
    struct file_sync_op op = {.done = on_synced};
    sync_status = STATUS_INVALID;
    file_sync_start(file, &op);
    write_at(file, 0, "late");
    env_run(env);
    assert_status(STATUS_OK, sync_status);
    file_close(file);
    env_fault_power_loss(env, LOSE_ALL_UNSYNCED);
    assert_content("a", "TEXT");
    finish();
}

/* ---- the recipe of an atomic replacement, cut at every operation --------------------------- */

static enum status replace(void) {
    struct file *file;
    TRY(env_file_open(env, path_of("a.new"), FILE_READ_WRITE, &file, &error));
    enum status status = file_write_at(file, 0, SLICE_LITERAL("new"), &error);
    if (status == STATUS_OK) status = file_sync(file, &error);
    file_close(file);
    TRY(status);
    TRY(env_file_rename(env, path_of("a.new"), path_of("a"), &error));
    return env_dir_sync(env, dir, &error);
}

TEST("4", 0, write_sync_rename_sync_is_atomic_wherever_it_is_cut) {
    start(3);
    make_durable("a", "old");
    for (uint64_t cut = 0; cut <= 5; cut++) {
        for (int loss = LOSE_ALL_UNSYNCED; loss <= LOSE_NONE; loss++) {
            struct file *file = open_file("a", FILE_READ_WRITE);
            write_at(file, 0, "old");
            sync_file(file);
            file_close(file);
            if (exists("a.new")) {
                assert_ok(env_file_remove(env, path_of("a.new"), &error), &error);
            }
            sync_dir();
            env_fault_arm(env, FAULT_CRASH, env_fault_operations(env) + cut);
            bool done = replace() == STATUS_OK;
            env_fault_clear(env);
            env_fault_power_loss(env, (enum crash_loss)loss);
            assert_int_equal(cut >= 5, done);
            file = open_file("a", FILE_READ);
            char content[8];
            size_t len;
            assert_ok(file_read_at(file, 0, content, sizeof(content), &len, &error), &error);
            file_close(file);
            assert_int_equal(3, len);
            if (done) assert_memory_equal("new", content, 3);
            if (!done && content[0] != 'n') assert_memory_equal("old", content, 3);
        }
    }
    finish();
}
