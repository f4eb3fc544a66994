/* test_frame.c - frames as bytes (frame.h). */
#include "frame.h"

#include "harness.h"
#include "prng.h"

static struct frame sample(struct slice payload) {
    return (struct frame){.kind = FRAME_REQUEST,
                          .flags = 2,
                          .method = 0x01020304,
                          .timeout_ms = 1500,
                          .request_id = UINT64_C(0x1122334455667788),
                          .clock = UINT64_C(0xfedcba9876543210),
                          .trace_id = 42,
                          .payload = payload};
}

TEST("1", 0, frame_comes_back_as_it_was_sent) {
    struct buf bytes = BUF_INIT;
    struct frame sent = sample(SLICE_LITERAL("hello"));
    frame_append(&bytes, &sent);

    struct frame got;
    size_t size;
    assert_status(STATUS_OK, frame_decode(buf_slice(&bytes), 100, &got, &size, NULL));
    assert_int_equal(bytes.len, size);
    assert_int_equal(sent.kind, got.kind);
    assert_int_equal(sent.flags, got.flags);
    assert_int_equal(sent.method, got.method);
    assert_int_equal(sent.timeout_ms, got.timeout_ms);
    assert_true(sent.request_id == got.request_id);
    assert_true(sent.clock == got.clock);
    assert_true(sent.trace_id == got.trace_id);
    assert_slice_equal(sent.payload, got.payload);
    buf_deinit(&bytes);
}

TEST("1", 0, payload_is_not_copied) {
    struct buf bytes = BUF_INIT;
    struct frame sent = sample(SLICE_LITERAL("hello"));
    frame_append(&bytes, &sent);
    struct frame got;
    size_t size;
    assert_status(STATUS_OK, frame_decode(buf_slice(&bytes), 100, &got, &size, NULL));
    assert_ptr_equal(bytes.data + FRAME_HEADER_BYTES, got.payload.data);
    buf_deinit(&bytes);
}

TEST("1", 0, frame_cut_at_any_byte_is_incomplete_and_says_how_much_it_needs) {
    struct buf bytes = BUF_INIT;
    struct frame sent = sample(SLICE_LITERAL("some payload of a frame"));
    frame_append(&bytes, &sent);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        struct frame got;
        size_t size;
        assert_status(STATUS_WOULD_BLOCK,
                      frame_decode(slice_of(bytes.data, cut), 100, &got, &size, NULL));
        assert_int_equal(cut < FRAME_HEADER_BYTES ? (size_t)FRAME_HEADER_BYTES : bytes.len, size);
    }
    buf_deinit(&bytes);
}

TEST("1", 0, frames_that_follow_one_another_come_out_one_by_one) {
    struct buf bytes = BUF_INIT;
    for (uint64_t i = 0; i < 10; i++) {
        struct frame sent = sample(slice_of("0123456789", i));
        sent.request_id = i;
        frame_append(&bytes, &sent);
    }
    struct slice rest = buf_slice(&bytes);
    for (uint64_t i = 0; i < 10; i++) {
        struct frame got;
        size_t size;
        assert_status(STATUS_OK, frame_decode(rest, 100, &got, &size, NULL));
        assert_true(got.request_id == i);
        assert_int_equal(i, got.payload.len);
        rest = slice_from(rest, size);
    }
    assert_int_equal(0, rest.len);
    buf_deinit(&bytes);
}

TEST("1", 2, oversize_frame_is_refused_from_its_header_alone) {
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame sent = sample(SLICE_EMPTY);
    frame_encode_header(&sent, 101, header);
    struct frame got;
    size_t size;
    struct error error;
    assert_status(STATUS_TOO_LARGE,
                  frame_decode(slice_of(header, sizeof header), 100, &got, &size, &error));
    assert_non_null(strstr(error.message, "101"));
    assert_non_null(strstr(error.message, "100"));
    frame_encode_header(&sent, 100, header);
    assert_status(STATUS_WOULD_BLOCK,
                  frame_decode(slice_of(header, sizeof header), 100, &got, &size, &error));
}

TEST("1", 3, header_with_any_bit_flipped_is_found) {
    struct buf bytes = BUF_INIT;
    struct frame sent = sample(SLICE_LITERAL("hello"));
    frame_append(&bytes, &sent);
    for (size_t bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct frame got;
        size_t size;
        assert_status(STATUS_INVALID, frame_decode(buf_slice(&bytes), 100, &got, &size, NULL));
        bytes.data[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    buf_deinit(&bytes);
}

TEST("1", 3, header_read_one_byte_out_of_step_is_found) {
    struct buf bytes = BUF_INIT;
    struct frame sent = sample(SLICE_LITERAL("hello"));
    frame_append(&bytes, &sent);
    frame_append(&bytes, &sent);
    for (size_t offset = 1; offset < FRAME_HEADER_BYTES; offset++) {
        struct frame got;
        size_t size;
        assert_status(STATUS_INVALID, frame_decode(slice_from(buf_slice(&bytes), offset), 1 << 20,
                                                   &got, &size, NULL));
    }
    buf_deinit(&bytes);
}

TEST("1", 3, unknown_kind_is_refused_even_with_a_right_check) {
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame sent = sample(SLICE_EMPTY);
    struct frame got;
    size_t size;
    sent.kind = FRAME_KIND_END;
    frame_encode_header(&sent, 0, header);
    assert_status(STATUS_INVALID,
                  frame_decode(slice_of(header, sizeof header), 100, &got, &size, NULL));
}

TEST("1", 3, unknown_flag_is_refused_even_with_a_right_check) {
    uint8_t header[FRAME_HEADER_BYTES];
    struct frame sent = sample(SLICE_EMPTY);
    struct frame got;
    size_t size;
    sent.flags = FRAME_FLAG_PRIORITY_MASK + 1;
    frame_encode_header(&sent, 0, header);
    assert_status(STATUS_INVALID,
                  frame_decode(slice_of(header, sizeof header), 100, &got, &size, NULL));
}

TEST("1", 3, random_bytes_are_no_frame) {
    struct prng prng;
    prng_seed(&prng, 3);
    for (int round = 0; round < 20000; round++) {
        uint64_t bytes[8];
        for (size_t i = 0; i < 8; i++)
            bytes[i] = prng_u64(&prng);
        struct frame got;
        size_t size;
        enum status status =
            frame_decode(slice_of(bytes, sizeof bytes), 1 << 20, &got, &size, NULL);
        assert_true(status != STATUS_OK);
    }
}
