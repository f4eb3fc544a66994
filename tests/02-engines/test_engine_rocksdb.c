/* test_engine_rocksdb.c - what RocksDB must be told, so that it keeps engine.h's promises. */
#include "engine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine_fixture.h"
#include "env_uv.h"
#include "mem.h"
#include "prng.h"

/* Bytes of the store's files whose name ends so; *count: how many. */
static uint64_t bytes_of_files(const struct fixture *f, const char *ending, size_t *count) {
    uint64_t bytes = 0;
    DIR *dir = opendir(f->dir);
    assert_non_null(dir);
    *count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[1024];
        struct stat info;
        size_t len = strlen(entry->d_name);
        if (len < strlen(ending) || strcmp(entry->d_name + len - strlen(ending), ending) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", f->dir, entry->d_name);
        if (stat(path, &info) != 0) continue; /* removed meanwhile */
        bytes += (uint64_t)info.st_size;
        (*count)++;
    }
    closedir(dir);
    return bytes;
}

static void fill_random(struct prng *prng, uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)prng_u64(prng);
}

/* `count` values of 1000 bytes that do not compress. */
static void put_many(struct fixture *f, unsigned count) {
    struct prng prng;
    prng_seed(&prng, 1);
    for (unsigned i = 0; i < count; i++) {
        char key[16];
        uint8_t value[1000];
        snprintf(key, sizeof(key), "%06u", i);
        fill_random(&prng, value, sizeof(value));
        write_batch_put(&f->batch, text(key), slice_of(value, sizeof(value)));
        commit(f);
    }
}

TEST("8", 2, rocksdb_without_an_own_log_writes_nothing_twice) {
    struct fixture f;
    size_t files;
    setup_with(&f, "rocksdb", false);
    put_many(&f, 300);
    assert_int_equal(0, bytes_of_files(&f, ".log", &files));
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_int_equal(0, bytes_of_files(&f, ".log", &files));
    teardown(&f);
}

TEST("8", 2, rocksdb_with_an_own_log_has_each_write_in_it_before_any_flush) {
    struct fixture f;
    size_t files;
    setup_with(&f, "rocksdb", true);
    put_many(&f, 300);
    assert_ok(engine_sync(f.engine, &f.error), &f.error);
    assert_in_range(bytes_of_files(&f, ".log", &files), 300 * 1000, 1000 * 1000);
    assert_int_equal(0, bytes_of_files(&f, ".sst", &files));
    assert_int_equal(0, files);
    teardown(&f);
}

TEST("8", 0, rocksdb_begins_a_table_when_its_write_buffer_is_full) {
    struct fixture f;
    size_t files;
    setup(&f, "rocksdb");
    f.options.write_buffer_bytes = 256 * 1024;
    reopen(&f);
    put_many(&f, 2000); /* eight buffers full */
    assert_in_range(bytes_of_files(&f, ".sst", &files), 256 * 1024, 4 * 1024 * 1024);
    assert_true(files > 0);
    teardown(&f);
}

TEST("8", 0, rocksdb_compresses_what_it_flushes) {
    struct fixture f;
    size_t files;
    uint8_t *zeros = mem_zalloc(100000);
    setup(&f, "rocksdb");
    for (char key = 'a'; key <= 'z'; key++)
        write_batch_put(&f.batch, slice_of(&key, 1), slice_of(zeros, 100000));
    commit(&f);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_in_range(bytes_of_files(&f, ".sst", &files), 1, 26 * 100000 / 4);
    mem_free(zeros);
    teardown(&f);
}

TEST("8", 3, rocksdb_iterator_keeps_bounds_that_its_caller_forgets) {
    struct fixture f;
    setup(&f, "rocksdb");
    for (const char *key = "abcdefgh"; *key != '\0'; key++)
        write_batch_put(&f.batch, slice_of(key, 1), text("v"));
    commit(&f);
    char bounds[2] = {'c', 'f'};
    struct engine_iterator *it = engine_iterator_new(f.engine, &(struct engine_iterator_options){
                                                                   .lower = slice_of(&bounds[0], 1),
                                                                   .upper = slice_of(&bounds[1], 1),
                                                               });
    memset(bounds, 'a', sizeof(bounds));
    char met[16] = "";
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        strncat(met, (const char *)engine_iterator_key(it).data, 1);
    assert_string_equal("cde", met);
    met[0] = '\0';
    for (bool valid = engine_iterator_seek_last(it); valid; valid = engine_iterator_prev(it))
        strncat(met, (const char *)engine_iterator_key(it).data, 1);
    assert_string_equal("edc", met);
    assert_ok(engine_iterator_status(it, &f.error), &f.error);
    engine_iterator_free(it);
    teardown(&f);
}

TEST("8", 3, rocksdb_iterator_without_a_snapshot_keeps_the_state_of_its_creation) {
    struct fixture f;
    setup(&f, "rocksdb");
    put(&f, "a", "1");
    struct engine_iterator *it = engine_iterator_new(f.engine, NULL);
    put(&f, "b", "2");
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    assert_true(engine_iterator_seek_first(it));
    assert_slice_equal(text("a"), engine_iterator_key(it));
    assert_false(engine_iterator_next(it));
    engine_iterator_free(it);
    teardown(&f);
}

TEST("8", 0, rocksdb_finds_in_memory_what_it_has_just_flushed) {
    struct fixture f;
    setup(&f, "rocksdb");
    put_many(&f, 200);
    assert_ok(engine_flush(f.engine, &f.error), &f.error);
    for (unsigned i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%06u", i);
        assert_ok(engine_get(f.engine, NULL, text(key), ENGINE_NO_WAIT, &f.value, &f.error),
                  &f.error);
        assert_int_equal(1000, f.value.len);
    }
    teardown(&f);
}

TEST("8", 0, rocksdb_keeps_room_on_the_disk_for_all_its_buffers) {
    struct fixture f;
    setup(&f, "rocksdb");
    assert_ok(engine_writable(f.engine), NULL);
    f.options.write_buffer_bytes = (size_t)1 << 50; /* no disk has room for that */
    reopen(&f);
    assert_status(STATUS_NO_SPACE, engine_writable(f.engine));
    teardown(&f);
}
