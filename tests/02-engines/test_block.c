/* test_block.c - blocks: built, walked, searched, damaged. */
#include "block.h"

#include <stdio.h>

#include "harness.h"
#include "internal_key.h"
#include "mem.h"
#include "prng.h"

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

TEST("2", 1, block_gives_back_its_entries_both_ways_for_any_number_of_them) {
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

TEST("2", 1, block_finds_the_nearest_key_on_either_side) {
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

TEST("2", 2, keys_that_begin_alike_take_less_room) {
    struct block_builder builder;
    build_block(&builder, 100);
    size_t plain = 100 * (8 + INTERNAL_KEY_TRAILER_BYTES + sizeof(size_t) + 3);
    assert_true(block_builder_bytes(&builder) < plain);
    block_builder_deinit(&builder);
}

TEST("2", 3, no_damage_to_a_block_leads_outside_it) {
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
