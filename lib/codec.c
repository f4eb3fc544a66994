/* codec.c - bytes to numbers and back. Every wire and disk format of ours is made of these.
 *
 * Loads and stores go byte by byte: compilers turn them into single moves, and they work at any
 * alignment on any machine. Decoders are total: any input gives a value or sets `failed`. */
#include "codec.h"

#include <xxhash.h>

/* ---- loads and stores -------------------------------------------------------------------- */

void store_u32le(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void store_u64le(uint8_t *at, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

void store_u32be(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

static void store_u64be(uint8_t *at, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        at[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static uint16_t load_u16le(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

uint32_t load_u32le(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

uint64_t load_u64le(const uint8_t *at) {
    return (uint64_t)load_u32le(at) | (uint64_t)load_u32le(at + 4) << 32;
}

uint16_t load_u16be(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

uint32_t load_u32be(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

uint64_t load_u64be(const uint8_t *at) {
    return (uint64_t)load_u32be(at) << 32 | (uint64_t)load_u32be(at + 4);
}

/* ---- encoders ---------------------------------------------------------------------------- */

void put_u8(struct buf *buf, uint8_t value) { buf_append_byte(buf, value); }

void put_u16le(struct buf *buf, uint16_t value) {
    uint8_t *at = buf_extend(buf, 2);
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void put_u32le(struct buf *buf, uint32_t value) { store_u32le(buf_extend(buf, 4), value); }

void put_u64le(struct buf *buf, uint64_t value) { store_u64le(buf_extend(buf, 8), value); }

void put_u16be(struct buf *buf, uint16_t value) {
    uint8_t *at = buf_extend(buf, 2);
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void put_u32be(struct buf *buf, uint32_t value) { store_u32be(buf_extend(buf, 4), value); }

void put_u64be(struct buf *buf, uint64_t value) { store_u64be(buf_extend(buf, 8), value); }

void put_varint(struct buf *buf, uint64_t value) {
    buf_reserve(buf, 10);
    while (value >= 0x80) {
        buf->data[buf->len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    buf->data[buf->len++] = (uint8_t)value;
}

void put_bytes(struct buf *buf, struct slice bytes) {
    put_varint(buf, bytes.len);
    buf_append_slice(buf, bytes);
}

/* ---- decoders ---------------------------------------------------------------------------- */

struct reader reader_of(struct slice slice) {
    return (struct reader){.data = slice.data, .len = slice.len, .failed = false};
}

bool reader_ok(const struct reader *reader) { return !reader->failed; }

bool reader_done(const struct reader *reader) { return !reader->failed && reader->len == 0; }

/* The next `len` bytes, or NULL after a failure. */
static const uint8_t *take(struct reader *reader, size_t len) {
    if (reader->failed || len > reader->len) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *at = reader->data;
    if (len > 0) reader->data += len;
    reader->len -= len;
    return at;
}

uint8_t get_u8(struct reader *reader) {
    const uint8_t *at = take(reader, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t get_u16le(struct reader *reader) {
    const uint8_t *at = take(reader, 2);
    return at != NULL ? load_u16le(at) : 0;
}

uint32_t get_u32le(struct reader *reader) {
    const uint8_t *at = take(reader, 4);
    return at != NULL ? load_u32le(at) : 0;
}

uint64_t get_u64le(struct reader *reader) {
    const uint8_t *at = take(reader, 8);
    return at != NULL ? load_u64le(at) : 0;
}

uint16_t get_u16be(struct reader *reader) {
    const uint8_t *at = take(reader, 2);
    return at != NULL ? load_u16be(at) : 0;
}

uint32_t get_u32be(struct reader *reader) {
    const uint8_t *at = take(reader, 4);
    return at != NULL ? load_u32be(at) : 0;
}

uint64_t get_u64be(struct reader *reader) {
    const uint8_t *at = take(reader, 8);
    return at != NULL ? load_u64be(at) : 0;
}

uint64_t get_varint(struct reader *reader) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t *at = take(reader, 1);
        if (at == NULL) return 0;
        /* The tenth byte has room for one bit. */
        if (shift == 63 && at[0] > 1) break;
        value |= (uint64_t)(at[0] & 0x7f) << shift;
        if (at[0] < 0x80) return value;
    }
    reader->failed = true;
    return 0;
}

struct slice get_raw(struct reader *reader, size_t len) {
    const uint8_t *at = take(reader, len);
    return at != NULL ? slice_of(at, len) : SLICE_EMPTY;
}

struct slice get_bytes(struct reader *reader) {
    uint64_t len = get_varint(reader);
    if (len > reader->len) reader->failed = true;
    return reader->failed ? SLICE_EMPTY : get_raw(reader, (size_t)len);
}

struct slice get_cstring(struct reader *reader) {
    const uint8_t *end =
        reader->failed || reader->len == 0 ? NULL : memchr(reader->data, 0, reader->len);
    if (end == NULL) {
        reader->failed = true;
        return SLICE_EMPTY;
    }
    struct slice text = get_raw(reader, (size_t)(end - reader->data));
    (void)get_u8(reader);
    return text;
}

/* ---- ordered ----------------------------------------------------------------------------- */

#define SIGN_BIT (UINT64_C(1) << 63)
#define CANONICAL_NAN UINT64_C(0x7ff8000000000000)

enum { ESCAPE = 0x00, ESCAPED_ZERO = 0xff, TERMINATOR = 0x01 };

void put_ordered_u64(struct buf *buf, uint64_t value) { put_u64be(buf, value); }

void put_ordered_u64_desc(struct buf *buf, uint64_t value) { put_u64be(buf, ~value); }

void put_ordered_i64(struct buf *buf, int64_t value) { put_u64be(buf, (uint64_t)value ^ SIGN_BIT); }

void put_ordered_f64(struct buf *buf, double value) {
    uint64_t bits;
    if (value == 0.0) value = 0.0; /* -0 == 0 */
    memcpy(&bits, &value, sizeof(bits));
    if (value != value) bits = CANONICAL_NAN;
    /* IEEE 754 orders as sign and magnitude: flip negatives wholly, positives in the sign. */
    put_u64be(buf, bits & SIGN_BIT ? ~bits : bits ^ SIGN_BIT);
}

void put_ordered_bytes(struct buf *buf, struct slice bytes) {
    buf_reserve(buf, bytes.len + 2);
    for (size_t i = 0; i < bytes.len; i++) {
        buf_append_byte(buf, bytes.data[i]);
        if (bytes.data[i] == ESCAPE) buf_append_byte(buf, ESCAPED_ZERO);
    }
    buf_append_byte(buf, ESCAPE);
    buf_append_byte(buf, TERMINATOR);
}

uint64_t get_ordered_u64(struct reader *reader) { return get_u64be(reader); }

uint64_t get_ordered_u64_desc(struct reader *reader) {
    uint64_t inverted = get_u64be(reader);
    return reader->failed ? 0 : ~inverted;
}

int64_t get_ordered_i64(struct reader *reader) {
    uint64_t flipped = get_u64be(reader);
    return reader->failed ? 0 : (int64_t)(flipped ^ SIGN_BIT);
}

double get_ordered_f64(struct reader *reader) {
    uint64_t bits = get_u64be(reader);
    if (reader->failed) return 0;
    bits = bits & SIGN_BIT ? bits ^ SIGN_BIT : ~bits;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

void get_ordered_bytes(struct reader *reader, struct buf *out) {
    size_t len_before = out->len;
    while (!reader->failed) {
        /* Runs without an escape are copied at once. */
        const uint8_t *escape = reader->len > 0 ? memchr(reader->data, ESCAPE, reader->len) : NULL;
        if (escape == NULL) break;
        buf_append_slice(out, get_raw(reader, (size_t)(escape - reader->data)));
        (void)get_u8(reader);
        uint8_t kind = get_u8(reader);
        if (reader->failed) break;
        if (kind == TERMINATOR) return;
        if (kind != ESCAPED_ZERO) break;
        buf_append_byte(out, 0);
    }
    reader->failed = true;
    out->len = len_before;
}

bool put_prefix_end(struct buf *out, struct slice prefix) {
    size_t len = prefix.len;
    while (len > 0 && prefix.data[len - 1] == 0xff) {
        len--;
    }
    if (len == 0) return false;
    buf_append(out, prefix.data, len);
    out->data[out->len - 1]++;
    return true;
}

/* ---- checksum ---------------------------------------------------------------------------- */

uint64_t checksum64(struct slice data, uint64_t seed) {
    return XXH3_64bits_withSeed(data.data, data.len, seed);
}
