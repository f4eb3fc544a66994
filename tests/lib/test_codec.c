/* test_codec.c - round trips, order, and hostile input. */
#include <math.h>

#include "codec.h"
#include "harness.h"
#include "prng.h"

enum { ROUNDS = 20000 };

static struct prng prng;

/* Numbers of every length, and those around powers of two. */
static uint64_t any_u64(void) {
    uint64_t x = prng_u64(&prng) >> prng_below(&prng, 64);
    return prng_below(&prng, 4) == 0 ? (UINT64_C(1) << prng_below(&prng, 64)) - (x & 1) : x;
}

static double any_double(void) {
    static const double special[] = {0.0, -0.0, 1.0, -1.0, INFINITY, -INFINITY, 5e-324, -5e-324};
    double value;
    uint64_t bits = prng_u64(&prng);
    memcpy(&value, &bits, sizeof(value));
    if (prng_below(&prng, 4) == 0) value = special[prng_below(&prng, 8)];
    return value;
}

/* Short strings over few bytes, so that prefixes, zeros and FFs meet. */
static void any_bytes(struct buf *out) {
    static const uint8_t alphabet[] = {0x00, 0x01, 0x02, 'a', 0xfe, 0xff};
    buf_clear(out);
    for (uint64_t left = prng_below(&prng, 6); left > 0; left--) {
        buf_append_byte(out, alphabet[prng_below(&prng, sizeof(alphabet))]);
    }
}

static int sign(int order) { return (order > 0) - (order < 0); }

/* ---- round trips --------------------------------------------------------------------------- */

TEST("1", 0, integers_come_back_as_they_were) {
    prng_seed(&prng, 1);
    struct buf buf = BUF_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t x = any_u64();
        buf_clear(&buf);
        put_u8(&buf, (uint8_t)x);
        put_u16le(&buf, (uint16_t)x);
        put_u32le(&buf, (uint32_t)x);
        put_u64le(&buf, x);
        put_u16be(&buf, (uint16_t)x);
        put_u32be(&buf, (uint32_t)x);
        put_u64be(&buf, x);
        put_varint(&buf, x);
        put_ordered_u64(&buf, x);
        put_ordered_u64_desc(&buf, x);
        put_ordered_i64(&buf, (int64_t)x);
        struct reader reader = reader_of(buf_slice(&buf));
        assert_int_equal((uint8_t)x, get_u8(&reader));
        assert_int_equal((uint16_t)x, get_u16le(&reader));
        assert_int_equal((uint32_t)x, get_u32le(&reader));
        assert_int_equal(x, get_u64le(&reader));
        assert_int_equal((uint16_t)x, get_u16be(&reader));
        assert_int_equal((uint32_t)x, get_u32be(&reader));
        assert_int_equal(x, get_u64be(&reader));
        assert_int_equal(x, get_varint(&reader));
        assert_int_equal(x, get_ordered_u64(&reader));
        assert_int_equal(x, get_ordered_u64_desc(&reader));
        assert_int_equal((int64_t)x, get_ordered_i64(&reader));
        assert_true(reader_done(&reader));
    }
    buf_deinit(&buf);
}

TEST("1", 0, bytes_come_back_as_they_were) {
    prng_seed(&prng, 2);
    struct buf buf = BUF_INIT, bytes = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        any_bytes(&bytes);
        buf_clear(&buf);
        buf_clear(&out);
        put_bytes(&buf, buf_slice(&bytes));
        put_ordered_bytes(&buf, buf_slice(&bytes));
        struct reader reader = reader_of(buf_slice(&buf));
        assert_slice_equal(buf_slice(&bytes), get_bytes(&reader));
        get_ordered_bytes(&reader, &out);
        assert_slice_equal(buf_slice(&bytes), buf_slice(&out));
        assert_true(reader_done(&reader));
    }
    buf_deinit(&buf);
    buf_deinit(&bytes);
    buf_deinit(&out);
}

TEST("1", 0, byte_order_is_as_named) {
    struct buf buf = BUF_INIT;
    put_u32le(&buf, 0x01020304);
    put_u32be(&buf, 0x01020304);
    put_u16le(&buf, 0x0102);
    put_u16be(&buf, 0x0102);
    assert_slice_equal(SLICE_LITERAL("\4\3\2\1\1\2\3\4\2\1\1\2"), buf_slice(&buf));
    store_u32le(buf.data, 0x0a0b0c0d);
    assert_int_equal(0x0a0b0c0d, load_u32le(buf.data));
    assert_int_equal(0x0d0c0b0a, load_u32be(buf.data));
    buf_deinit(&buf);
}

TEST("1", 0, a_varint_takes_one_byte_for_seven_bits) {
    struct buf buf = BUF_INIT;
    for (unsigned bits = 0; bits < 64; bits++) {
        buf_clear(&buf);
        put_varint(&buf, UINT64_C(1) << bits);
        assert_int_equal(bits / 7 + 1, buf.len);
    }
    buf_deinit(&buf);
}

/* ---- order --------------------------------------------------------------------------------- */

/* The order of the encodings of a pair of values, each by `put` into a buf of its own. */
static struct buf left, right;

static int encoded_order(void) {
    int order = sign(slice_compare(buf_slice(&left), buf_slice(&right)));
    buf_deinit(&left);
    buf_deinit(&right);
    return order;
}

TEST("2", 0, ordered_integers_compare_as_their_values) {
    prng_seed(&prng, 3);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t a = any_u64(), b = any_u64();
        put_ordered_u64(&left, a);
        put_ordered_u64(&right, b);
        assert_int_equal((a > b) - (a < b), encoded_order());
        put_ordered_u64_desc(&left, a);
        put_ordered_u64_desc(&right, b);
        assert_int_equal((a < b) - (a > b), encoded_order());
        int64_t x = (int64_t)(a ^ prng_u64(&prng)), y = (int64_t)b;
        put_ordered_i64(&left, x);
        put_ordered_i64(&right, y);
        assert_int_equal((x > y) - (x < y), encoded_order());
    }
}

TEST("2", 0, ordered_doubles_compare_as_their_values_with_nan_last) {
    prng_seed(&prng, 4);
    for (int i = 0; i < ROUNDS; i++) {
        double a = any_double(), b = any_double();
        put_ordered_f64(&left, a);
        put_ordered_f64(&right, b);
        int expected = isnan(a) || isnan(b) ? (isnan(a) != 0) - (isnan(b) != 0) : (a > b) - (a < b);
        assert_int_equal(expected, encoded_order());
    }
}

TEST("2", 0, a_double_comes_back_and_negative_zero_as_zero) {
    static const double values[] = {1.5, -1.5, INFINITY, -INFINITY, 5e-324, 1e308, -0.0};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf buf = BUF_INIT;
        put_ordered_f64(&buf, values[i]);
        struct reader reader = reader_of(buf_slice(&buf));
        double back = get_ordered_f64(&reader);
        assert_true(back == values[i]);
        assert_true(back != 0 || !signbit(back));
        buf_deinit(&buf);
    }
}

TEST("2", 0, ordered_bytes_compare_as_the_bytes_whatever_follows) {
    prng_seed(&prng, 5);
    struct buf a = BUF_INIT, b = BUF_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        any_bytes(&a);
        any_bytes(&b);
        int expected = sign(slice_compare(buf_slice(&a), buf_slice(&b)));
        put_ordered_bytes(&left, buf_slice(&a));
        put_ordered_bytes(&right, buf_slice(&b));
        /* A second column must not matter unless the first is equal. */
        put_ordered_u64(&left, expected < 0 ? 9 : 1);
        put_ordered_u64(&right, expected < 0 ? 1 : expected == 0 ? 1 : 9);
        assert_int_equal(expected, encoded_order());
    }
    buf_deinit(&a);
    buf_deinit(&b);
}

TEST("2", 0, prefix_end_is_the_least_key_above_all_with_the_prefix) {
    prng_seed(&prng, 6);
    struct buf prefix = BUF_INIT, end = BUF_INIT, key = BUF_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        any_bytes(&prefix);
        any_bytes(&key);
        buf_clear(&end);
        bool has_end = put_prefix_end(&end, buf_slice(&prefix));
        bool inside = slice_has_prefix(buf_slice(&key), buf_slice(&prefix));
        bool at_least = slice_compare(buf_slice(&key), buf_slice(&prefix)) >= 0;
        bool below_end = !has_end || slice_compare(buf_slice(&key), buf_slice(&end)) < 0;
        assert_int_equal(inside, at_least && below_end);
    }
    buf_deinit(&prefix);
    buf_deinit(&end);
    buf_deinit(&key);
}

/* ---- hostile input ------------------------------------------------------------------------- */

TEST("3", 0, reading_past_the_end_fails_and_stays_failed) {
    struct reader reader = reader_of(SLICE_LITERAL("\1\2\3"));
    assert_int_equal(0, get_u32le(&reader));
    assert_false(reader_ok(&reader));
    assert_int_equal(0, get_u8(&reader));
    assert_int_equal(0, get_bytes(&reader).len);
    assert_false(reader_done(&reader));
}

TEST("3", 0, a_varint_of_more_than_64_bits_is_refused) {
    struct reader eleven = reader_of(SLICE_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
    assert_int_equal(0, get_varint(&eleven));
    assert_false(reader_ok(&eleven));
    struct reader too_large = reader_of(SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    assert_int_equal(0, get_varint(&too_large));
    assert_false(reader_ok(&too_large));
    struct reader largest = reader_of(SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(UINT64_MAX, get_varint(&largest));
    assert_true(reader_done(&largest));
}

TEST("3", 0, a_length_beyond_the_end_is_refused) {
    struct buf buf = BUF_INIT;
    put_varint(&buf, UINT64_MAX);
    put_u8(&buf, 1);
    struct reader reader = reader_of(buf_slice(&buf));
    assert_int_equal(0, get_bytes(&reader).len);
    assert_false(reader_ok(&reader));
    buf_deinit(&buf);
}

TEST("3", 0, a_cstring_needs_its_nul) {
    struct reader reader = reader_of(SLICE_LITERAL("user\0name"));
    assert_slice_equal(SLICE_LITERAL("user"), get_cstring(&reader));
    assert_int_equal(0, get_cstring(&reader).len);
    assert_false(reader_ok(&reader));
}

TEST("3", 0, ordered_bytes_without_a_terminator_leave_the_output_alone) {
    static const struct slice bad[] = {{(const uint8_t *)"ab", 2},
                                       {(const uint8_t *)"a\0", 2},
                                       {(const uint8_t *)"a\0\2b", 4},
                                       {(const uint8_t *)"", 0}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf out = BUF_INIT;
        buf_append_string(&out, "kept");
        struct reader reader = reader_of(bad[i]);
        get_ordered_bytes(&reader, &out);
        assert_false(reader_ok(&reader));
        assert_slice_equal(SLICE_LITERAL("kept"), buf_slice(&out));
        buf_deinit(&out);
    }
}

TEST("3", 0, random_bytes_never_read_out_of_bounds) {
    prng_seed(&prng, 7);
    struct buf out = BUF_INIT;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t bytes[24];
        size_t len = (size_t)prng_below(&prng, sizeof(bytes) + 1);
        for (size_t k = 0; k < len; k++) {
            bytes[k] = (uint8_t)(prng_below(&prng, 3) == 0 ? 0 : prng_u64(&prng));
        }
        struct slice *exact = test_malloc(sizeof(struct slice) + len); /* guarded by cmocka */
        memcpy(exact + 1, bytes, len);
        struct reader reader = reader_of(slice_of(exact + 1, len));
        while (reader.len > 0 && reader_ok(&reader)) {
            buf_clear(&out);
            switch (prng_below(&prng, 6)) {
            case 0:
                (void)get_varint(&reader);
                break;
            case 1:
                (void)get_bytes(&reader);
                break;
            case 2:
                (void)get_cstring(&reader);
                break;
            case 3:
                get_ordered_bytes(&reader, &out);
                break;
            case 4:
                (void)get_ordered_f64(&reader);
                break;
            default:
                (void)get_u16be(&reader);
                break;
            }
        }
        test_free(exact);
    }
    buf_deinit(&out);
}

TEST("4", 0, the_checksum_sees_every_bit_and_the_seed) {
    uint8_t data[100] = {0};
    uint64_t before = checksum64(slice_of(data, sizeof(data)), 1);
    assert_int_equal(before, checksum64(slice_of(data, sizeof(data)), 1));
    assert_int_not_equal(before, checksum64(slice_of(data, sizeof(data)), 2));
    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(before, checksum64(slice_of(data, sizeof(data)), 1));
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(checksum64(SLICE_EMPTY, 3), checksum64(slice_of(data, 0), 3));
}
