/* test_env_file.c - files, directories and locks of the real machine. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "env_uv.h"
#include "harness.h"

static struct env *env;
static struct error error;
static const char *dir;

static void start(void) {
    struct log log;
    log_init_null(&log);
    env = env_uv_new(&log);
    dir = harness_tmpdir();
}

static const char *path_of(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static struct file *open_file(const char *name, enum file_mode mode) {
    struct file *file;
    assert_ok(env_file_open(env, path_of(name), mode, &file, &error), &error);
    return file;
}

TEST("1", 0, what_is_written_is_read_also_past_holes) {
    start();
    struct file *file = open_file("a", FILE_CREATE);
    assert_ok(file_write_at(file, 10, SLICE_LITERAL("text"), &error), &error);
    char content[32];
    size_t len;
    uint64_t size;
    assert_ok(file_read_at(file, 8, content, sizeof(content), &len, &error), &error);
    assert_slice_equal(SLICE_LITERAL("\0\0text"), slice_of(content, len));
    assert_ok(file_truncate(file, 12, &error), &error);
    assert_ok(file_size(file, &size, &error), &error);
    assert_int_equal(12, size);
    assert_ok(file_read_at(file, 12, content, 1, &len, &error), &error);
    assert_int_equal(0, len);
    assert_ok(file_sync(file, &error), &error);
    assert_ok(file_sync(file, &error), &error);
    assert_string_equal(path_of("a"), file_path(file));
    file_close(file);
    env_uv_free(env);
}

TEST("1", 0, open_modes_say_what_is_wrong_and_name_the_path) {
    start();
    struct file *file;
    assert_status(STATUS_NOT_FOUND, env_file_open(env, path_of("a"), FILE_READ, &file, &error));
    assert_non_null(strstr(error.message, path_of("a")));
    file_close(open_file("a", FILE_READ_WRITE));
    assert_status(STATUS_EXISTS, env_file_open(env, path_of("a"), FILE_CREATE, &file, &error));
    assert_non_null(strstr(error.message, path_of("a")));
    file = open_file("a", FILE_READ);
    assert_status(STATUS_IO, file_write_at(file, 0, SLICE_LITERAL("x"), &error));
    file_close(file);
    env_uv_free(env);
}

static void on_synced(void *arg, enum status status, const struct error *sync_error) {
    assert_ok(status, sync_error);
    *(int *)arg += 1;
    env_stop(env);
}

TEST("1", 0, a_sync_on_the_lane_reports_once) {
    start();
    struct file *file = open_file("a", FILE_CREATE);
    int done = 0;
    struct file_sync_op op = {.done = on_synced, .arg = &done};
    assert_ok(file_write_at(file, 0, SLICE_LITERAL("text"), &error), &error);
    file_sync_start(file, &op);
    assert_int_equal(0, done);
    env_run(env);
    assert_int_equal(1, done);
    file_close(file);
    env_uv_free(env);
}

TEST("2", 0, a_disk_says_how_much_room_it_has) {
    start();
    uint64_t room = env_disk_free_bytes(env, dir);
    assert_true(room > 0 && room < UINT64_MAX);
    assert_true(env_disk_free_bytes(env, path_of("none")) == UINT64_MAX);
    env_uv_free(env);
}

TEST("2", 0, names_can_be_changed_and_removed) {
    start();
    file_close(open_file("a", FILE_CREATE));
    assert_ok(env_file_rename(env, path_of("a"), path_of("b"), &error), &error);
    assert_false(env_file_exists(env, path_of("a")));
    assert_true(env_file_exists(env, path_of("b")));
    assert_ok(env_file_remove(env, path_of("b"), &error), &error);
    assert_status(STATUS_NOT_FOUND, env_file_remove(env, path_of("b"), &error));
    assert_status(STATUS_NOT_FOUND, env_file_rename(env, path_of("a"), path_of("b"), &error));
    assert_ok(env_dir_sync(env, dir, &error), &error);
    assert_status(STATUS_NOT_FOUND, env_dir_sync(env, path_of("none"), &error));
    env_uv_free(env);
}

static void append_name(void *arg, const char *name) { buf_printf(arg, "%s ", name); }

TEST("2", 0, a_directory_lists_its_entries_in_order) {
    start();
    struct buf names = BUF_INIT;
    static const char *const files[] = {"b", "a10", "c", "a2"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        file_close(open_file(files[i], FILE_CREATE));
    }
    assert_ok(env_dir_list(env, dir, append_name, &names, &error), &error);
    assert_slice_equal(SLICE_LITERAL("a10 a2 b c "), buf_slice(&names));
    assert_status(STATUS_NOT_FOUND,
                  env_dir_list(env, path_of("none"), append_name, &names, &error));
    buf_deinit(&names);
    env_uv_free(env);
}

TEST("2", 0, directories_are_created_with_their_parents) {
    start();
    assert_ok(env_dir_create(env, path_of("x/y/z"), &error), &error);
    assert_ok(env_dir_create(env, path_of("x/y/z/"), &error), &error);
    assert_true(env_file_exists(env, path_of("x/y/z")));
    file_close(open_file("file", FILE_CREATE));
    assert_status(STATUS_IO, env_dir_create(env, path_of("file/x"), &error));
    assert_status(STATUS_IO, env_dir_create(env, path_of("file"), &error));
    env_uv_free(env);
}

TEST("2", 0, a_directory_that_may_not_be_read_is_an_error) {
    start();
    if (geteuid() == 0) { /* root may read everything: show the same by what is no directory */
        file_close(open_file("d", FILE_CREATE));
    } else {
        assert_int_equal(0, mkdir(path_of("d"), 0));
    }
    struct dir_lock *lock;
    assert_status(STATUS_IO, env_dir_list(env, path_of("d"), append_name, NULL, &error));
    assert_status(STATUS_IO, env_dir_lock(env, path_of("d"), &lock, &error));
    assert_non_null(strstr(error.message, path_of("d")));
    env_uv_free(env);
}

TEST("3", 0, a_locked_directory_is_refused_with_the_holders_pid) {
    start();
    struct dir_lock *lock, *second;
    char pid[24];
    snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    assert_ok(env_dir_lock(env, dir, &lock, &error), &error);
    assert_status(STATUS_IN_USE, env_dir_lock(env, dir, &second, &error));
    assert_non_null(strstr(error.message, pid));
    assert_non_null(strstr(error.message, dir));
    dir_unlock(lock);
    assert_ok(env_dir_lock(env, dir, &second, &error), &error);
    dir_unlock(second);
    env_uv_free(env);
}
