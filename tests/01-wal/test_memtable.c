/* test_memtable.c - the skip list against a sorted array, and its promises to readers beside a
 * writer. */
#include "memtable.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "mem.h"
#include "prng.h"

static struct slice text(const char *string) { return slice_of_string(string); }

static void put(struct memtable *table, const char *key, const char *value) {
    assert_status(STATUS_OK, memtable_put(table, text(key), text(value)));
}

TEST("1.1", 1, value_that_was_put_is_found_and_a_second_put_replaces_it) {
    struct memtable *table = memtable_new(NULL);
    struct slice value;
    put(table, "stone", "grey");
    assert_true(memtable_get(table, text("stone"), &value));
    assert_slice_equal(text("grey"), value);
    put(table, "stone", "white");
    assert_true(memtable_get(table, text("stone"), &value));
    assert_slice_equal(text("white"), value);
    assert_int_equal(1, memtable_count(table));
    memtable_free(table);
}

TEST("1.1", 1, removed_key_is_gone_and_its_neighbours_stay) {
    struct memtable *table = memtable_new(NULL);
    struct slice value;
    put(table, "a", "1");
    put(table, "b", "2");
    put(table, "c", "3");
    assert_true(memtable_remove(table, text("b")));
    assert_false(memtable_remove(table, text("b")));
    assert_false(memtable_get(table, text("b"), &value));
    assert_true(memtable_get(table, text("a"), &value));
    assert_true(memtable_get(table, text("c"), &value));
    memtable_free(table);
}

TEST("1.1", 1, keys_with_zero_bytes_empty_keys_and_prefixes_are_told_apart) {
    struct memtable *table = memtable_new(NULL);
    const struct slice keys[] = {SLICE_EMPTY,        SLICE_LITERAL("\0"),  SLICE_LITERAL("\0\0"),
                                 SLICE_LITERAL("a"), SLICE_LITERAL("a\0"), SLICE_LITERAL("\xff")};
    for (size_t i = ARRAY_LEN(keys); i-- > 0;)
        assert_status(STATUS_OK, memtable_put(table, keys[i], keys[i]));
    struct memtable_iterator it = memtable_iterator_of(table);
    memtable_seek_first(&it);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++, memtable_next(&it))
        assert_slice_equal(keys[i], memtable_key(&it));
    assert_false(memtable_valid(&it));
    memtable_free(table);
}

TEST("1.2", 0, iterator_seeks_to_the_nearest_key_in_either_direction) {
    struct memtable *table = memtable_new(NULL);
    put(table, "b", "");
    put(table, "d", "");
    struct memtable_iterator it = memtable_iterator_of(table);
    memtable_seek(&it, text("c"));
    assert_slice_equal(text("d"), memtable_key(&it));
    memtable_seek_for_prev(&it, text("c"));
    assert_slice_equal(text("b"), memtable_key(&it));
    memtable_seek_for_prev(&it, text("d"));
    assert_slice_equal(text("d"), memtable_key(&it));
    memtable_seek_before(&it, text("d"));
    assert_slice_equal(text("b"), memtable_key(&it));
    memtable_prev(&it);
    assert_false(memtable_valid(&it));
    memtable_seek(&it, text("e"));
    assert_false(memtable_valid(&it));
    memtable_seek_last(&it);
    assert_slice_equal(text("d"), memtable_key(&it));
    memtable_free(table);
}

TEST("1.3", 0, put_beyond_the_limit_is_refused_and_changes_nothing) {
    struct memtable *table = memtable_new(&(struct memtable_options){.limit_bytes = 1000});
    uint8_t big[950] = {0};
    put(table, "a", "1");
    assert_status(STATUS_BUSY, memtable_put(table, text("a"), slice_of(big, sizeof(big))));
    struct slice value;
    assert_true(memtable_get(table, text("a"), &value));
    assert_slice_equal(text("1"), value);
    memtable_free(table);
}

/* The model: one entry per possible key. */
enum { MODEL_KEYS = 300 };

static struct slice model_key(unsigned i, char out[16]) {
    return slice_of(out, (size_t)snprintf(out, 16, "%05u", i));
}

static void compare_with_model(const struct memtable *table, const int *model) {
    struct memtable_iterator it = memtable_iterator_of(table);
    memtable_seek_first(&it);
    size_t count = 0;
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        if (model[i] < 0) continue;
        char key[16];
        assert_true(memtable_valid(&it));
        assert_slice_equal(model_key(i, key), memtable_key(&it));
        assert_slice_equal(slice_of(&model[i], sizeof(int)), memtable_value(&it));
        memtable_next(&it);
        count++;
    }
    assert_false(memtable_valid(&it));
    assert_int_equal(count, memtable_count(table));
}

TEST("1.1", 1, ten_thousand_random_operations_agree_with_a_sorted_array) {
    struct memtable *table = memtable_new(&(struct memtable_options){.seed = 7});
    int model[MODEL_KEYS];
    for (size_t i = 0; i < MODEL_KEYS; i++)
        model[i] = -1;
    struct prng prng;
    prng_seed(&prng, 42);
    for (int step = 0; step < 10000; step++) {
        unsigned i = (unsigned)prng_below(&prng, MODEL_KEYS);
        char key[16];
        struct slice k = model_key(i, key);
        if (prng_below(&prng, 3) == 0) {
            assert_int_equal(model[i] >= 0, memtable_remove(table, k));
            model[i] = -1;
        } else {
            assert_status(STATUS_OK, memtable_put(table, k, slice_of(&step, sizeof(step))));
            model[i] = step;
        }
        if (step % 500 == 0) compare_with_model(table, model);
    }
    compare_with_model(table, model);
    memtable_check_invariants(table);
    memtable_clear(table);
    assert_int_equal(0, memtable_bytes(table));
    memtable_free(table);
}

TEST("1.4", 3, reader_on_an_unlinked_node_of_a_concurrent_table_finds_its_way_forward) {
    struct memtable *table = memtable_new(&(struct memtable_options){.flags = MEMTABLE_CONCURRENT});
    put(table, "a", "");
    put(table, "b", "");
    put(table, "c", "");
    put(table, "d", "");
    uint64_t mark = memtable_mark(table);
    struct memtable_iterator it = memtable_iterator_of(table);
    memtable_seek(&it, text("b"));
    assert_true(memtable_remove(table, text("b")));
    assert_true(memtable_remove(table, text("c")));
    memtable_reclaim(table, mark); /* the reader's mark is the oldest: nothing may be freed */
    assert_slice_equal(text("b"), memtable_key(&it));
    memtable_next(&it);
    memtable_next(&it);
    assert_slice_equal(text("d"), memtable_key(&it));
    size_t before = memtable_bytes(table);
    memtable_reclaim(table, UINT64_MAX);
    assert_true(memtable_bytes(table) < before);
    memtable_free(table);
}
