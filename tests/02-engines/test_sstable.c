/* test_sstable.c - filters, blocks, tables and the cache: what the LSM tree is built of. */
#include <stdio.h>
#include <stdlib.h>

#include "block.h"
#include "block_cache.h"
#include "bloom.h"
#include "env_uv.h"
#include "harness.h"
#include "internal_key.h"
#include "mem.h"
#include "prng.h"
#include "sstable_reader.h"
#include "sstable_writer.h"

/* ---- Bloom filters -------------------------------------------------------------------------- */

enum { FILTER_KEYS = 10000 };

static uint64_t hash_of_number(uint64_t number) {
    return bloom_hash(slice_of(&number, sizeof(number)));
}

static void build_filter(struct buf *filter) {
    uint64_t *hashes = mem_alloc(FILTER_KEYS * sizeof(uint64_t));
    for (uint64_t i = 0; i < FILTER_KEYS; i++)
        hashes[i] = hash_of_number(i);
    bloom_build(hashes, FILTER_KEYS, filter);
    mem_free(hashes);
}

TEST("2.2", 1, filter_never_denies_a_key_that_was_added) {
    struct buf filter = BUF_INIT;
    build_filter(&filter);
    for (uint64_t i = 0; i < FILTER_KEYS; i++)
        assert_true(bloom_may_contain(buf_slice(&filter), hash_of_number(i)));
    buf_deinit(&filter);
}

TEST("2.2", 2, filter_denies_ninety_eight_of_a_hundred_other_keys) {
    struct buf filter = BUF_INIT;
    uint64_t wrong = 0;
    build_filter(&filter);
    for (uint64_t i = FILTER_KEYS; i < 11 * FILTER_KEYS; i++)
        wrong += bloom_may_contain(buf_slice(&filter), hash_of_number(i));
    assert_in_range(wrong, 1, 10 * FILTER_KEYS * 2 / 100);
    assert_in_range(filter.len, 1, FILTER_KEYS * 10 / 8 + 16);
    buf_deinit(&filter);
}

TEST("2.2", 3, bytes_that_are_no_filter_deny_nothing) {
    assert_true(bloom_may_contain(SLICE_EMPTY, 1));
    assert_true(bloom_may_contain(SLICE_LITERAL("\0\0\0"), 1));
    assert_true(bloom_may_contain(SLICE_LITERAL("\0\0\xff"), 1));
}

/* ---- blocks --------------------------------------------------------------------------------- */

/* Key 2i of 00000..: odd numbers are never there. */
static struct slice key_of(struct buf *out, size_t i) {
    char user[16];
    int len = snprintf(user, sizeof(user), "key%05zu", i);
    return internal_key_make(out, slice_of(user, (size_t)len), 7, WRITE_PUT);
}

static void build_block(struct block_builder *builder, size_t count) {
    struct buf key = BUF_INIT;
    block_builder_init(builder);
    for (size_t i = 0; i < count; i++)
        block_builder_add(builder, key_of(&key, 2 * i), slice_of(&i, sizeof(i)));
    buf_deinit(&key);
}

static void expect_entry(const struct block_iterator *it, size_t count, long i) {
    struct buf key = BUF_INIT;
    assert_int_equal(i >= 0 && i < (long)count, it->valid);
    assert_false(it->corrupt);
    if (it->valid) {
        assert_slice_equal(key_of(&key, 2 * (size_t)i), buf_slice(&it->key));
        assert_slice_equal(slice_of(&i, sizeof(i)), it->value);
    }
    buf_deinit(&key);
}

TEST("2.1", 1, block_gives_back_its_entries_both_ways_for_any_number_of_them) {
    static const size_t counts[] = {0, 1, 2, 15, 16, 17, 32, 33, 100};
    for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
        struct block_builder builder;
        struct block_iterator it = {0};
        long count = (long)counts[c];
        build_block(&builder, counts[c]);
        size_t expected = block_builder_bytes(&builder);
        struct slice block = block_builder_finish(&builder);
        assert_int_equal(expected, block.len);
        block_iterator_init(&it, block);
        long i = 0;
        for (block_iterator_seek_first(&it); it.valid; block_iterator_next(&it))
            expect_entry(&it, counts[c], i++);
        assert_int_equal(count, i);
        for (block_iterator_seek_last(&it); it.valid; block_iterator_prev(&it))
            expect_entry(&it, counts[c], --i);
        assert_int_equal(0, i);
        block_iterator_deinit(&it);
        block_builder_deinit(&builder);
    }
}

TEST("2.1", 1, block_finds_the_nearest_key_on_either_side) {
    enum { COUNT = 50 };
    struct block_builder builder;
    struct block_iterator it = {0};
    struct buf key = BUF_INIT;
    build_block(&builder, COUNT);
    block_iterator_init(&it, block_builder_finish(&builder));
    for (long k = 0; k < 2 * COUNT + 2; k++) {
        block_iterator_seek(&it, key_of(&key, (size_t)k));
        expect_entry(&it, COUNT, (k + 1) / 2);
        block_iterator_seek_for_prev(&it, key_of(&key, (size_t)k));
        expect_entry(&it, COUNT, k / 2 < COUNT ? k / 2 : COUNT - 1);
    }
    buf_deinit(&key);
    block_iterator_deinit(&it);
    block_builder_deinit(&builder);
}

TEST("2.1", 2, keys_that_begin_alike_take_less_room) {
    struct block_builder builder;
    build_block(&builder, 100);
    size_t plain = 100 * (8 + INTERNAL_KEY_TRAILER_BYTES + sizeof(size_t) + 3);
    assert_true(block_builder_bytes(&builder) < plain);
    block_builder_deinit(&builder);
}

TEST("2.1", 3, no_damage_to_a_block_leads_outside_it) {
    struct block_builder builder;
    struct prng prng;
    build_block(&builder, 40);
    prng_seed(&prng, 3);
    struct slice good = block_builder_finish(&builder);
    for (int round = 0; round < 3000; round++) {
        struct block_iterator it = {0};
        struct buf key = BUF_INIT;
        size_t len = round % 3 == 0 ? (size_t)prng_below(&prng, good.len) : good.len;
        uint8_t *bytes = mem_dup(good.data, len > 0 ? len : 1); /* its end is its end, for ASan */
        for (int k = 0; k < 3 && len > 0; k++)
            bytes[prng_below(&prng, len)] = (uint8_t)prng_u64(&prng);
        block_iterator_init(&it, slice_of(bytes, len));
        int steps = 0;
        for (block_iterator_seek_first(&it); it.valid && steps < 100; block_iterator_next(&it))
            steps++;
        block_iterator_seek(&it, key_of(&key, (size_t)prng_below(&prng, 90)));
        for (block_iterator_seek_last(&it); it.valid && steps < 200; block_iterator_prev(&it))
            steps++;
        block_iterator_deinit(&it);
        buf_deinit(&key);
        mem_free(bytes);
    }
    block_builder_deinit(&builder);
}

/* ---- tables --------------------------------------------------------------------------------- */

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
    snprintf(f->path, sizeof(f->path), "%s/000001.sst", harness_tmpdir());
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

TEST("2.3", 1, table_gives_back_its_entries_both_ways) {
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

TEST("2.3", 3, damage_anywhere_in_a_table_is_corrupt_and_names_file_and_offset) {
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

TEST("2.3", 3, reader_without_wait_gets_only_what_is_in_the_cache) {
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

/* ---- the cache ------------------------------------------------------------------------------ */

static void insert(struct block_cache *cache, uint64_t offset) {
    struct cached_block *block = cached_block_new(1, offset);
    buf_append_zeros(&block->content, 1000);
    block_cache_insert(cache, block);
    block_cache_release(block);
}

static bool has(struct block_cache *cache, uint64_t offset) {
    struct cached_block *block = block_cache_find(cache, 1, offset);
    if (block != NULL) block_cache_release(block);
    return block != NULL;
}

TEST("2.4", 3, cache_keeps_its_bound_and_lets_the_least_recently_used_go) {
    struct block_cache *cache = block_cache_new(20000);
    for (uint64_t i = 0; i < 1000; i++) {
        insert(cache, i);
        assert_true(has(cache, 0)); /* used all the time */
        assert_in_range(block_cache_bytes(cache), 1, 20000);
    }
    assert_true(has(cache, 999));
    assert_false(has(cache, 500));
    block_cache_free(cache);
}

TEST("2.4", 3, block_that_a_reader_holds_outlives_its_eviction) {
    struct block_cache *cache = block_cache_new(5000);
    insert(cache, 1);
    struct cached_block *held = block_cache_find(cache, 1, 1);
    for (uint64_t i = 2; i < 100; i++)
        insert(cache, i);
    assert_false(has(cache, 1));
    assert_int_equal(0, held->content.data[999]);
    block_cache_release(held);
    block_cache_free(cache);
}

TEST("2.4", 2, shelf_over_its_limit_frees_what_it_is_given) {
    struct block_shelf shelf = {.limit_bytes = 3000};
    struct block_cache *cache = block_cache_new(100000);
    for (uint64_t i = 0; i < 10; i++) {
        struct cached_block *block = cached_block_new(1, i);
        buf_append_zeros(&block->content, 1000);
        block_shelf_push(&shelf, block);
    }
    block_shelf_empty_into(&shelf, cache);
    assert_in_range(block_cache_bytes(cache), 1000, 3000);
    block_cache_free(cache);
}
