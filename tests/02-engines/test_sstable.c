/* test_sstable.c - tables: written, read both ways, damaged, read without waiting. */
#include "sstable_format.h"

#include <stdio.h>

#include "env_uv.h"
#include "harness.h"
#include "internal_key.h"
#include "sstable_reader.h"
#include "sstable_writer.h"

/* Key 2i of 00000..: odd numbers are never there. */
static struct slice key_of(struct buf *out, size_t i) {
    char user[16];
    int len = snprintf(user, sizeof(user), "key%05zu", i);
    return internal_key_make(out, slice_of(user, (size_t)len), 7, WRITE_PUT);
}

enum { TABLE_KEYS = 2000 };

struct shelf_of_tables {
    struct env *env;
    char path[512];
    struct error error;
    struct buf bytes;
};

static void write_file(struct shelf_of_tables *f, struct slice bytes, struct file **file) {
    assert_ok(env_file_open(f->env, f->path, FILE_READ_WRITE, file, &f->error), &f->error);
    assert_ok(file_truncate(*file, 0, &f->error), &f->error);
    assert_ok(file_write_at(*file, 0, bytes, &f->error), &f->error);
}

static void setup(struct shelf_of_tables *f) {
    memset(f, 0, sizeof(*f));
    struct log log;
    log_init_null(&log);
    f->env = env_uv_new(&log);
    snprintf(f->path, sizeof(f->path), "%s/000001.sst", harness_memory_tmpdir());
    struct sstable_writer writer;
    struct buf key = BUF_INIT;
    sstable_writer_init(&writer);
    for (size_t i = 0; i < TABLE_KEYS; i++)
        sstable_writer_add(&writer, key_of(&key, 2 * i), slice_of(&i, sizeof(i)));
    sstable_writer_finish(&writer);
    assert_int_equal(writer.out.len, sstable_writer_bytes(&writer));
    buf_swap(&f->bytes, &writer.out);
    buf_deinit(&key);
    sstable_writer_deinit(&writer);
}

static void teardown(struct shelf_of_tables *f) {
    buf_deinit(&f->bytes);
    env_uv_free(f->env);
}

static struct sstable *open_table(struct shelf_of_tables *f) {
    struct file *file;
    struct sstable *table;
    write_file(f, buf_slice(&f->bytes), &file);
    assert_ok(sstable_open(file, 1, &table, &f->error), &f->error);
    return table;
}

static const struct block_access alone = {0};

TEST("2", 1, table_gives_back_its_entries_both_ways) {
    struct shelf_of_tables f;
    setup(&f);
    struct sstable *table = open_table(&f);
    struct sstable_iterator it;
    struct buf key = BUF_INIT;
    assert_int_equal(TABLE_KEYS, sstable_entries(table));
    sstable_iterator_init(&it, table, &alone);
    size_t i = 0;
    for (sstable_iterator_seek_first(&it); it.valid; sstable_iterator_next(&it), i++)
        assert_slice_equal(key_of(&key, 2 * i), sstable_iterator_key(&it));
    assert_int_equal(TABLE_KEYS, i);
    for (sstable_iterator_seek_last(&it); it.valid; sstable_iterator_prev(&it))
        assert_slice_equal(key_of(&key, 2 * --i), sstable_iterator_key(&it));
    assert_int_equal(0, i);
    for (size_t k = 0; k < 2 * TABLE_KEYS; k++) {
        sstable_iterator_seek(&it, key_of(&key, k));
        assert_int_equal(k < 2 * TABLE_KEYS - 1, it.valid);
        if (it.valid) assert_slice_equal(key_of(&key, (k + 1) / 2 * 2), sstable_iterator_key(&it));
        sstable_iterator_seek_for_prev(&it, key_of(&key, k));
        assert_true(it.valid);
        assert_slice_equal(key_of(&key, k / 2 * 2), sstable_iterator_key(&it));
    }
    assert_status(STATUS_OK, it.status);
    sstable_iterator_deinit(&it);
    buf_deinit(&key);
    sstable_close(table);
    teardown(&f);
}

/* Opens and reads all; the first failure. */
static enum status read_all(struct shelf_of_tables *f, struct slice bytes) {
    struct file *file;
    struct sstable *table;
    write_file(f, bytes, &file);
    enum status status = sstable_open(file, 1, &table, &f->error);
    if (status != STATUS_OK) {
        file_close(file);
        return status;
    }
    struct sstable_iterator it;
    sstable_iterator_init(&it, table, &alone);
    for (sstable_iterator_seek_first(&it); it.valid; sstable_iterator_next(&it)) {
    }
    status = it.status;
    if (status != STATUS_OK) f->error = it.error;
    sstable_iterator_deinit(&it);
    sstable_close(table);
    return status;
}

TEST("2", 3, damage_anywhere_in_a_table_is_corrupt_and_names_file_and_offset) {
    struct shelf_of_tables f;
    setup(&f);
    size_t step = f.bytes.len / 300;
    assert_status(STATUS_OK, read_all(&f, buf_slice(&f.bytes)));
    for (size_t at = 0; at<f.bytes.len; at += at + 80> f.bytes.len ? 1 : step) {
        f.bytes.data[at] ^= 0x40;
        assert_status(STATUS_CORRUPT, read_all(&f, buf_slice(&f.bytes)));
        assert_non_null(strstr(f.error.message, "000001.sst"));
        assert_non_null(strstr(f.error.message, "offset"));
        f.bytes.data[at] ^= 0x40;
    }
    for (size_t cut = 1; cut < f.bytes.len; cut += step)
        assert_status(STATUS_CORRUPT, read_all(&f, slice_of(f.bytes.data, f.bytes.len - cut)));
    teardown(&f);
}

/* Two data blocks of the same length, checksums included. */
static void find_alike(size_t *first, size_t *second, size_t *len) {
    size_t starts[TABLE_KEYS], count = 0;
    struct sstable_writer writer;
    struct buf key = BUF_INIT;
    sstable_writer_init(&writer);
    starts[count++] = 0;
    for (size_t i = 0; i < TABLE_KEYS; i++) {
        sstable_writer_add(&writer, key_of(&key, 2 * i), slice_of(&i, sizeof(i)));
        if (writer.out.len > starts[count - 1]) starts[count++] = writer.out.len;
    }
    sstable_writer_deinit(&writer);
    buf_deinit(&key);
    for (size_t a = 0; a + 1 < count; a++) {
        for (size_t b = a + 1; b + 1 < count; b++) {
            *first = starts[a], *second = starts[b], *len = starts[a + 1] - starts[a];
            if (starts[b + 1] - starts[b] == *len) return;
        }
    }
    fail_msg("no two blocks of the table are alike");
}

TEST("2", 3, block_that_lies_in_the_place_of_another_is_corrupt) {
    struct shelf_of_tables f;
    setup(&f);
    size_t first = 0, second = 0, len = 0;
    find_alike(&first, &second, &len);
    memmove(f.bytes.data + second, f.bytes.data + first, len);
    assert_status(STATUS_CORRUPT, read_all(&f, buf_slice(&f.bytes)));
    teardown(&f);
}

TEST("2", 0, reader_without_wait_gets_only_what_is_in_the_cache) {
    struct shelf_of_tables f;
    setup(&f);
    struct sstable *table = open_table(&f);
    struct block_cache *cache = block_cache_new(1 << 20);
    struct block_shelf shelf = {.limit_bytes = 1 << 20};
    struct sstable_iterator it;
    struct buf key = BUF_INIT;
    struct block_access no_wait = {.cache = cache, .no_wait = true};
    sstable_iterator_init(&it, table, &no_wait);
    sstable_iterator_seek(&it, key_of(&key, 10));
    assert_status(STATUS_WOULD_BLOCK, it.status);
    struct sstable_iterator worker;
    sstable_iterator_init(&worker, table, &(struct block_access){.shelf = &shelf});
    sstable_iterator_seek(&worker, key_of(&key, 10));
    assert_true(worker.valid);
    sstable_iterator_deinit(&worker);
    block_shelf_empty_into(&shelf, cache);
    sstable_iterator_seek(&it, key_of(&key, 10));
    assert_true(it.valid);
    sstable_iterator_seek(&it, key_of(&key, 2 * TABLE_KEYS - 2));
    assert_status(STATUS_WOULD_BLOCK, it.status);
    sstable_iterator_deinit(&it);
    buf_deinit(&key);
    block_cache_free(cache);
    sstable_close(table);
    teardown(&f);
}
