/* test_internal_key.c - the order that everything stored with a version relies on. */
#include "internal_key.h"

#include "harness.h"

static struct slice text(const char *string) { return slice_of_string(string); }

/* -1, 0 or 1: how the first version compares with the second. */
static int order(const char *a, uint64_t a_sequence, const char *b, uint64_t b_sequence) {
    struct buf first = BUF_INIT, second = BUF_INIT;
    int result = internal_key_compare(internal_key_make(&first, text(a), a_sequence, WRITE_PUT),
                                      internal_key_make(&second, text(b), b_sequence, WRITE_PUT));
    buf_deinit(&first);
    buf_deinit(&second);
    return (result > 0) - (result < 0);
}

TEST("1", 1, versions_of_one_key_stand_newest_first) {
    assert_int_equal(-1, order("chalk", 2, "chalk", 1));
    assert_int_equal(1, order("chalk", 1, "chalk", 2));
    assert_int_equal(0, order("chalk", 2, "chalk", 2));
}

TEST("1", 1, users_keys_come_before_sequence_numbers_in_the_order) {
    assert_int_equal(-1, order("chalk", 1, "slate", 2));
    assert_int_equal(1, order("slate", 2, "chalk", 1));
    assert_int_equal(-1, order("a", 1, "ab", 2));
    assert_int_equal(-1, order("a", UINT64_MAX, "ab", 1));
    assert_int_equal(1, order("ab", 1, "a", UINT64_MAX));
}

TEST("1", 2, search_places_of_a_key_enclose_its_versions_however_far_the_numbers_are_apart) {
    assert_int_equal(-1, order("chalk", UINT64_MAX, "chalk", 1));
    assert_int_equal(1, order("chalk", 0, "chalk", 1));
    assert_int_equal(1, order("chalk", 1, "chalk", UINT64_MAX));
    assert_int_equal(-1, order("chalk", (uint64_t)1 << 32, "chalk", 0));
    assert_int_equal(1, order("chalk", 0, "chalk", (uint64_t)1 << 63));
}

TEST("1", 1, kind_takes_no_part_in_the_order) {
    struct buf put = BUF_INIT, gone = BUF_INIT;
    struct slice a = internal_key_make(&put, text("chalk"), 5, WRITE_PUT);
    struct slice b = internal_key_make(&gone, text("chalk"), 5, WRITE_DELETE);
    assert_int_equal(0, internal_key_compare(a, b));
    buf_deinit(&put);
    buf_deinit(&gone);
}
