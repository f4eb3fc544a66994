/* test_write_batch.c - a batch is its encoding, and what comes from outside is checked. */
#include "write_batch.h"

#include <stdlib.h>

#include "harness.h"
#include "mem.h"
#include "prng.h"

static struct slice text(const char *string) { return slice_of_string(string); }

static void fill(struct write_batch *batch) {
    write_batch_init(batch);
    write_batch_put(batch, text("key"), text("value"));
    write_batch_put(batch, SLICE_EMPTY, SLICE_EMPTY);
    write_batch_delete(batch, text("gone"));
    write_batch_delete_range(batch, text("a"), text("b"));
}

TEST("1", 1, operations_come_back_in_the_order_in_which_they_were_added) {
    struct write_batch batch;
    fill(&batch);
    struct slice rest = write_batch_encoded(&batch);
    struct write_op op;
    assert_true(write_batch_next(&rest, &op));
    assert_int_equal(WRITE_PUT, op.kind);
    assert_slice_equal(text("key"), op.key);
    assert_slice_equal(text("value"), op.value);
    assert_true(write_batch_next(&rest, &op));
    assert_int_equal(0, op.key.len);
    assert_true(write_batch_next(&rest, &op));
    assert_int_equal(WRITE_DELETE, op.kind);
    assert_slice_equal(text("gone"), op.key);
    assert_true(write_batch_next(&rest, &op));
    assert_int_equal(WRITE_DELETE_RANGE, op.kind);
    assert_slice_equal(text("b"), op.value);
    assert_false(write_batch_next(&rest, &op));
    write_batch_deinit(&batch);
}

TEST("1", 0, range_that_ends_at_its_start_is_not_recorded) {
    struct write_batch batch;
    write_batch_init(&batch);
    write_batch_delete_range(&batch, text("b"), text("b"));
    write_batch_delete_range(&batch, text("c"), text("b"));
    assert_int_equal(0, batch.count);
    write_batch_delete_range(&batch, text("b"), text("c"));
    struct slice rest = write_batch_encoded(&batch);
    struct write_op op;
    assert_true(write_batch_next(&rest, &op));
    assert_slice_equal(text("b"), op.key);
    assert_false(write_batch_next(&rest, &op));
    write_batch_deinit(&batch);
}

TEST("1", 1, encoded_batch_from_outside_is_taken_whole) {
    struct write_batch batch, copy;
    fill(&batch);
    write_batch_init(&copy);
    assert_status(STATUS_OK, write_batch_append_encoded(&copy, write_batch_encoded(&batch), NULL));
    write_batch_append(&copy, &batch);
    assert_int_equal(8, copy.count);
    size_t count;
    assert_status(STATUS_OK, write_batch_validate(write_batch_encoded(&copy), &count, NULL));
    assert_int_equal(8, count);
    write_batch_deinit(&batch);
    write_batch_deinit(&copy);
}

TEST("1", 1, batch_cut_at_any_byte_is_refused_or_ends_between_operations) {
    struct write_batch batch, copy;
    fill(&batch);
    write_batch_init(&copy);
    struct slice encoded = write_batch_encoded(&batch);
    size_t accepted = 0;
    for (size_t len = 0; len < encoded.len; len++) {
        size_t count;
        uint8_t *cut = mem_dup(encoded.data, len); /* its own memory: a sanitizer sees overruns */
        enum status status = write_batch_validate(slice_of(cut, len), &count, NULL);
        if (status == STATUS_OK) accepted++;
        mem_free(cut);
    }
    assert_int_equal(4, accepted); /* before each of the four */
    assert_status(STATUS_INVALID,
                  write_batch_append_encoded(&copy, slice_of(encoded.data, 3), NULL));
    assert_int_equal(0, copy.count);
    assert_int_equal(0, write_batch_encoded(&copy).len);
    write_batch_deinit(&batch);
    write_batch_deinit(&copy);
}

TEST("1", 1, random_bytes_are_refused_or_can_be_walked) {
    struct prng prng;
    prng_seed(&prng, 3);
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[24];
        size_t len = (size_t)prng_below(&prng, sizeof(bytes));
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)prng_below(&prng, 5);
        size_t count = 0, walked = 0;
        struct slice rest = slice_of(bytes, len);
        if (write_batch_validate(rest, &count, NULL) != STATUS_OK) continue;
        struct write_op op;
        while (write_batch_next(&rest, &op))
            walked++;
        assert_int_equal(count, walked);
    }
}

TEST("1", 1, range_without_keys_and_oversized_keys_from_outside_are_refused) {
    struct write_batch batch;
    write_batch_init(&batch);
    static const uint8_t backwards[] = {WRITE_DELETE_RANGE, 1, 'b', 1, 'a'};
    assert_status(STATUS_INVALID,
                  write_batch_append_encoded(&batch, slice_of(backwards, sizeof(backwards)), NULL));
    struct buf big = BUF_INIT;
    buf_append_byte(&big, WRITE_DELETE);
    buf_append(&big, "\x81\x80\x04", 3); /* 65537 */
    buf_append_zeros(&big, WRITE_KEY_MAX + 1);
    assert_status(STATUS_TOO_LARGE, write_batch_append_encoded(&batch, buf_slice(&big), NULL));
    buf_deinit(&big);
    write_batch_deinit(&batch);
}
