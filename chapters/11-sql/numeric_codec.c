/* numeric_codec.c - exact decimals as bytes: PostgreSQL's binary format, keys, stored values.
 *
 * All three read bytes that may be damaged or hostile: anything that is not a valid value makes
 * the reader fail. */
#include "numeric.h"
#include "numeric_internal.h"

/* ---- PostgreSQL's binary format (numeric_send, numeric_recv) --------------------------------- */

enum {
    WIRE_POSITIVE = 0x0000,
    WIRE_NEGATIVE = 0x4000,
    WIRE_NAN = 0xC000,
    WIRE_INF = 0xD000,
    WIRE_NEG_INF = 0xF000
};

static const uint16_t wire_signs[] = {
    [NUMERIC_POSITIVE] = WIRE_POSITIVE, [NUMERIC_NEGATIVE] = WIRE_NEGATIVE,
    [NUMERIC_NAN] = WIRE_NAN,           [NUMERIC_INF] = WIRE_INF,
    [NUMERIC_NEG_INF] = WIRE_NEG_INF,
};

void numeric_send(const struct numeric *value, struct buf *out) {
    put_u16be(out, (uint16_t)value->digit_count);
    put_u16be(out, (uint16_t)(int16_t)value->weight);
    put_u16be(out, wire_signs[value->sign]);
    put_u16be(out, value->scale);
    for (uint32_t i = 0; i < value->digit_count; i++)
        put_u16be(out, value->digits[i]);
}

static bool sign_from_wire(uint16_t wire, uint8_t *out) {
    for (unsigned sign = 0; sign <= NUMERIC_NEG_INF; sign++) {
        if (wire_signs[sign] == wire) {
            *out = (uint8_t)sign;
            return true;
        }
    }
    return false;
}

enum status numeric_recv(struct arena *arena, struct slice bytes, struct numeric *out) {
    struct reader reader = reader_of(bytes);
    uint16_t count = get_u16be(&reader);
    int16_t weight = (int16_t)get_u16be(&reader);
    uint8_t sign = 0;
    bool known = sign_from_wire(get_u16be(&reader), &sign);
    uint16_t scale = get_u16be(&reader);
    *out = numeric_zero;
    if (!reader_ok(&reader) || !known || scale > NUMERIC_MAX_SCALE) return STATUS_INVALID;
    if (reader.len != (size_t)count * 2) return STATUS_INVALID;
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, (size_t)count + 1);
    for (uint16_t i = 0; i < count; i++) {
        digits[i] = get_u16be(&reader);
        if (digits[i] >= NUMERIC_BASE) return STATUS_INVALID;
    }
    if (sign >= NUMERIC_NAN) {
        *out = numeric_special((enum numeric_sign)sign);
        return STATUS_OK;
    }
    /* Digits beyond the scale are cut, as numeric_recv does. */
    struct numeric value = numeric_make(digits, count, weight, sign, scale);
    *out = numeric_trunc(arena, &value, scale);
    return STATUS_OK;
}

/* ---- keys ------------------------------------------------------------------------------------ */

/* class byte; for finite values other than zero: weight (16 bits, biased), digits + 1 (16 bits
 * each), 0000. Below zero everything after the class is complemented, so that larger magnitudes
 * sort first. No zero digit stands at either end, hence one encoding per value. */
enum key_class {
    KEY_NEG_INF = 0x01,
    KEY_NEGATIVE = 0x02,
    KEY_ZERO = 0x03,
    KEY_POSITIVE = 0x04,
    KEY_INF = 0x05,
    KEY_NAN = 0x06
};

enum { WEIGHT_BIAS = 0x8000 };

static enum key_class key_class_of(const struct numeric *value) {
    switch ((enum numeric_sign)value->sign) {
    case NUMERIC_NEG_INF:
        return KEY_NEG_INF;
    case NUMERIC_NEGATIVE:
        return KEY_NEGATIVE;
    case NUMERIC_POSITIVE:
        return value->digit_count == 0 ? KEY_ZERO : KEY_POSITIVE;
    case NUMERIC_INF:
        return KEY_INF;
    case NUMERIC_NAN:
        break;
    }
    return KEY_NAN;
}

void put_ordered_numeric(struct buf *buf, const struct numeric *value) {
    enum key_class class = key_class_of(value);
    put_u8(buf, (uint8_t) class);
    if (class != KEY_POSITIVE && class != KEY_NEGATIVE) return;
    uint16_t mask = class == KEY_NEGATIVE ? 0xFFFF : 0;
    put_u16be(buf, (uint16_t)(value->weight + WEIGHT_BIAS) ^ mask);
    for (uint32_t i = 0; i < value->digit_count; i++) {
        put_u16be(buf, (uint16_t)(value->digits[i] + 1) ^ mask);
    }
    put_u16be(buf, mask);
}

static struct numeric fail(struct reader *reader) {
    reader->failed = true;
    return numeric_zero;
}

/* The least scale that shows all digits. */
static int32_t natural_scale(const uint16_t *digits, uint32_t count, int32_t weight) {
    int32_t scale = ((int32_t)count - 1 - weight) * NUMERIC_BASE_DIGITS;
    if (count == 0 || scale <= 0) return 0;
    for (uint32_t last = digits[count - 1]; last % 10 == 0; last /= 10)
        scale--;
    return scale;
}

/* Valid as a stored value: canonical digits, within the limits. */
static bool digits_valid(const uint16_t *digits, uint32_t count, int32_t weight) {
    if (weight > NUMERIC_MAX_WEIGHT) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (digits[i] >= NUMERIC_BASE) return false;
    }
    return count == 0 || (digits[0] != 0 && digits[count - 1] != 0);
}

static struct numeric get_ordered_digits(struct reader *reader, struct arena *arena, uint8_t sign) {
    uint16_t mask = sign == NUMERIC_NEGATIVE ? 0xFFFF : 0;
    int32_t weight = (uint16_t)(get_u16be(reader) ^ mask) - WEIGHT_BIAS;
    uint32_t count = 0;
    struct reader ahead = *reader;
    while ((uint16_t)(get_u16be(&ahead) ^ mask) != 0 && reader_ok(&ahead))
        count++;
    if (!reader_ok(&ahead) || count == 0) return fail(reader);
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count);
    for (uint32_t i = 0; i < count; i++) {
        digits[i] = (uint16_t)((uint16_t)(get_u16be(reader) ^ mask) - 1);
    }
    (void)get_u16be(reader);
    if (!digits_valid(digits, count, weight)) return fail(reader);
    int32_t scale = natural_scale(digits, count, weight);
    if (scale > NUMERIC_MAX_SCALE) return fail(reader);
    return numeric_make(digits, count, weight, sign, scale);
}

struct numeric get_ordered_numeric(struct reader *reader, struct arena *arena) {
    switch (get_u8(reader)) {
    case KEY_NEG_INF:
        return numeric_special(NUMERIC_NEG_INF);
    case KEY_NEGATIVE:
        return get_ordered_digits(reader, arena, NUMERIC_NEGATIVE);
    case KEY_ZERO:
        return numeric_zero;
    case KEY_POSITIVE:
        return get_ordered_digits(reader, arena, NUMERIC_POSITIVE);
    case KEY_INF:
        return numeric_special(NUMERIC_INF);
    case KEY_NAN:
        return numeric_nan;
    default:
        return fail(reader);
    }
}

/* ---- stored values --------------------------------------------------------------------------- */

/* sign; for finite values: scale and digit count (varints), weight (16 bits), digits (16 bits). */
void put_numeric(struct buf *buf, const struct numeric *value) {
    put_u8(buf, value->sign);
    if (numeric_is_special(value)) return;
    put_varint(buf, value->scale);
    put_varint(buf, value->digit_count);
    put_u16le(buf, (uint16_t)(int16_t)value->weight);
    for (uint32_t i = 0; i < value->digit_count; i++)
        put_u16le(buf, value->digits[i]);
}

struct numeric get_numeric(struct reader *reader, struct arena *arena) {
    uint8_t sign = get_u8(reader);
    if (sign > NUMERIC_NEG_INF) return fail(reader);
    if (sign >= NUMERIC_NAN) return numeric_special((enum numeric_sign)sign);
    uint64_t scale = get_varint(reader);
    uint64_t count = get_varint(reader);
    int32_t weight = (int16_t)get_u16le(reader);
    if (!reader_ok(reader) || scale > NUMERIC_MAX_SCALE || count > reader->len / 2) {
        return fail(reader);
    }
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count + 1);
    for (uint64_t i = 0; i < count; i++)
        digits[i] = get_u16le(reader);
    if (!digits_valid(digits, (uint32_t)count, weight)) return fail(reader);
    return numeric_make(digits, (uint32_t)count, weight, sign, (int32_t)scale);
}
