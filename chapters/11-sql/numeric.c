/* numeric.c - exact decimals: making, comparing, adding, multiplying, rounding.
 *
 * Schoolbook algorithms on digits of base 10,000, like PostgreSQL's numeric.c. Division is in
 * numeric_divide.c, functions such as sqrt and ln in numeric_math.c, text in numeric_text.c, bytes
 * in numeric_codec.c. Nothing here knows of SQL. */
#include "numeric.h"

#include <assert.h>

#include "numeric_internal.h"

const struct numeric numeric_zero = {NULL, 0, 0, 0, NUMERIC_POSITIVE};
const struct numeric numeric_nan = {NULL, 0, 0, 0, NUMERIC_NAN};

struct numeric numeric_special(enum numeric_sign sign) {
    return (struct numeric){NULL, 0, 0, 0, (uint8_t)sign};
}

struct numeric numeric_make(uint16_t *digits, uint32_t count, int32_t weight, uint8_t sign,
                            int32_t scale) {
    while (count > 0 && digits[0] == 0) {
        digits++;
        count--;
        weight--;
    }
    while (count > 0 && digits[count - 1] == 0)
        count--;
    assert(scale >= 0 && scale <= UINT16_MAX);
    struct numeric value = {digits, count, weight, (uint16_t)scale, sign};
    if (count == 0) {
        value.digits = NULL;
        value.weight = 0;
        value.sign = NUMERIC_POSITIVE;
    }
    return value;
}

enum status numeric_finish(struct arena *arena, struct numeric value, struct numeric *out) {
    if (value.scale > NUMERIC_MAX_SCALE) value = numeric_round(arena, &value, NUMERIC_MAX_SCALE);
    *out = value;
    return value.weight > NUMERIC_MAX_WEIGHT ? STATUS_TOO_LARGE : STATUS_OK;
}

uint16_t numeric_digit_at(const struct numeric *value, int64_t weight) {
    int64_t index = value->weight - weight;
    return index >= 0 && index < (int64_t)value->digit_count ? value->digits[index] : 0;
}

struct numeric numeric_dup(struct arena *arena, const struct numeric *value) {
    struct numeric copy = *value;
    copy.digits = value->digit_count == 0
                      ? NULL
                      : arena_dup(arena, value->digits, value->digit_count * sizeof(uint16_t));
    return copy;
}

/* ---- comparison ----------------------------------------------------------------------------- */

int numeric_sign_of(const struct numeric *value) {
    switch ((enum numeric_sign)value->sign) {
    case NUMERIC_POSITIVE:
        return value->digit_count > 0;
    case NUMERIC_NEGATIVE:
        return -1;
    case NUMERIC_INF:
        return 1;
    case NUMERIC_NEG_INF:
        return -1;
    case NUMERIC_NAN:
        break;
    }
    return 0;
}

int numeric_compare_magnitude(const struct numeric *a, const struct numeric *b) {
    if (a->digit_count == 0 || b->digit_count == 0) {
        return (a->digit_count > 0) - (b->digit_count > 0);
    }
    if (a->weight != b->weight) return a->weight > b->weight ? 1 : -1;
    for (uint32_t i = 0; i < a->digit_count && i < b->digit_count; i++) {
        if (a->digits[i] != b->digits[i]) return a->digits[i] > b->digits[i] ? 1 : -1;
    }
    return (a->digit_count > b->digit_count) - (a->digit_count < b->digit_count);
}

/* Rank of the classes that are not told apart by their digits. */
static int class_of(const struct numeric *value) {
    switch ((enum numeric_sign)value->sign) {
    case NUMERIC_NEG_INF:
        return 0;
    case NUMERIC_NEGATIVE:
        return 1;
    case NUMERIC_POSITIVE:
        return 2;
    case NUMERIC_INF:
        return 3;
    case NUMERIC_NAN:
        break;
    }
    return 4;
}

int numeric_compare(const struct numeric *a, const struct numeric *b) {
    int a_class = class_of(a);
    int b_class = class_of(b);
    if (a_class != b_class) return a_class < b_class ? -1 : 1;
    if (a->sign == NUMERIC_POSITIVE) return numeric_compare_magnitude(a, b);
    if (a->sign == NUMERIC_NEGATIVE) return numeric_compare_magnitude(b, a);
    return 0;
}

uint64_t numeric_hash(const struct numeric *value) {
    uint64_t seed = (uint64_t)value->sign << 32 ^ (uint32_t)value->weight;
    return checksum64(slice_of(value->digits, value->digit_count * sizeof(uint16_t)), seed);
}

/* ---- sums ----------------------------------------------------------------------------------- */

static int32_t max_scale(const struct numeric *a, const struct numeric *b) {
    return a->scale > b->scale ? a->scale : b->scale;
}

/* The weights from which and down to which either value has digits. */
static void span_of(const struct numeric *a, const struct numeric *b, int32_t *high, int32_t *low) {
    int32_t a_low = a->weight - (int32_t)a->digit_count + 1;
    int32_t b_low = b->weight - (int32_t)b->digit_count + 1;
    *high = a->weight > b->weight ? a->weight : b->weight;
    *low = a_low < b_low ? a_low : b_low;
}

static struct numeric add_magnitudes(struct arena *arena, const struct numeric *a,
                                     const struct numeric *b, uint8_t sign) {
    int32_t high, low;
    span_of(a, b, &high, &low);
    high++; /* for the carry */
    uint32_t count = (uint32_t)(high - low + 1);
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count);
    uint32_t carry = 0;
    for (int32_t weight = low; weight <= high; weight++) {
        carry += (uint32_t)numeric_digit_at(a, weight) + numeric_digit_at(b, weight);
        digits[high - weight] = (uint16_t)(carry % NUMERIC_BASE);
        carry /= NUMERIC_BASE;
    }
    return numeric_make(digits, count, high, sign, max_scale(a, b));
}

/* |a| >= |b|. */
static struct numeric sub_magnitudes(struct arena *arena, const struct numeric *a,
                                     const struct numeric *b, uint8_t sign) {
    int32_t high, low;
    span_of(a, b, &high, &low);
    uint32_t count = (uint32_t)(high - low + 1);
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count);
    int32_t borrow = 0;
    for (int32_t weight = low; weight <= high; weight++) {
        int32_t digit = (int32_t)numeric_digit_at(a, weight) - numeric_digit_at(b, weight) - borrow;
        borrow = digit < 0;
        digits[high - weight] = (uint16_t)(digit + borrow * NUMERIC_BASE);
    }
    assert(borrow == 0);
    return numeric_make(digits, count, high, sign, max_scale(a, b));
}

/* a + b, where b counts with sign b_sign. */
static struct numeric add_signed(struct arena *arena, const struct numeric *a,
                                 const struct numeric *b, uint8_t b_sign) {
    if (b->digit_count == 0 || a->digit_count == 0) {
        struct numeric value = b->digit_count == 0 ? *a : *b;
        if (a->digit_count == 0 && b->digit_count > 0) value.sign = b_sign;
        value.scale = (uint16_t)max_scale(a, b);
        return value;
    }
    if (a->sign == b_sign) return add_magnitudes(arena, a, b, a->sign);
    if (numeric_compare_magnitude(a, b) >= 0) return sub_magnitudes(arena, a, b, a->sign);
    return sub_magnitudes(arena, b, a, b_sign);
}

static uint8_t opposite(uint8_t sign) {
    switch ((enum numeric_sign)sign) {
    case NUMERIC_POSITIVE:
        return NUMERIC_NEGATIVE;
    case NUMERIC_NEGATIVE:
        return NUMERIC_POSITIVE;
    case NUMERIC_INF:
        return NUMERIC_NEG_INF;
    case NUMERIC_NEG_INF:
        return NUMERIC_INF;
    case NUMERIC_NAN:
        break;
    }
    return NUMERIC_NAN;
}

struct numeric numeric_add_finite(struct arena *arena, const struct numeric *a,
                                  const struct numeric *b) {
    return add_signed(arena, a, b, b->sign);
}

struct numeric numeric_sub_finite(struct arena *arena, const struct numeric *a,
                                  const struct numeric *b) {
    return add_signed(arena, a, b, opposite(b->sign));
}

/* The sum where one of the two is NaN or infinite. */
static struct numeric add_special(const struct numeric *a, const struct numeric *b) {
    if (numeric_is_nan(a) || numeric_is_nan(b)) return numeric_nan;
    if (!numeric_is_special(b)) return numeric_special(a->sign);
    if (!numeric_is_special(a) || a->sign == b->sign) return numeric_special(b->sign);
    return numeric_nan;
}

enum status numeric_add(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) {
    if (numeric_is_special(a) || numeric_is_special(b)) {
        *out = add_special(a, b);
        return STATUS_OK;
    }
    return numeric_finish(arena, numeric_add_finite(arena, a, b), out);
}

enum status numeric_sub(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) {
    struct numeric minus = numeric_negate(b);
    return numeric_add(arena, a, &minus, out);
}

struct numeric numeric_negate(const struct numeric *value) {
    struct numeric result = *value;
    if (!numeric_is_zero(value)) result.sign = opposite(value->sign);
    return result;
}

struct numeric numeric_abs(const struct numeric *value) {
    return numeric_sign_of(value) < 0 ? numeric_negate(value) : *value;
}

/* ---- product -------------------------------------------------------------------------------- */

enum {
    WIDE_BASE = NUMERIC_BASE * NUMERIC_BASE,
    WIDE_FROM_DIGITS = 40,   /* operands from this length on are multiplied in the wide base */
    WIDE_PRODUCTS_MAX = 1024 /* products below 10^16 that fit 64 bits before a carry */
};

/* Pairs of digits, least significant first; an odd count is filled up at the low end. */
static uint64_t *widen(struct arena *arena, const struct numeric *value, uint32_t *count) {
    *count = (value->digit_count + 1) / 2;
    uint64_t *wide = ARENA_ARRAY(arena, uint64_t, *count);
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t at = 2 * (*count - 1 - i);
        uint32_t low = at + 1 < value->digit_count ? value->digits[at + 1] : 0;
        wide[i] = (uint64_t)value->digits[at] * NUMERIC_BASE + low;
    }
    return wide;
}

/* One column of the product: the sum of a[i] * b[k - i], added to `carry`; returns its last
 * digit. */
static uint32_t multiply_column(const uint64_t *a, uint32_t a_count, const uint64_t *b,
                                uint32_t b_count, uint32_t k, uint64_t *carry) {
    uint32_t i = k < b_count ? 0 : k - b_count + 1;
    uint32_t end = k < a_count ? k + 1 : a_count;
    uint64_t high = 0; /* whole multiples of the base, beyond `sum` */
    uint64_t sum = *carry;
    while (i < end) {
        uint32_t stop = end - i > WIDE_PRODUCTS_MAX ? i + WIDE_PRODUCTS_MAX : end;
        for (; i < stop; i++)
            sum += a[i] * b[k - i];
        high += sum / WIDE_BASE;
        sum %= WIDE_BASE;
    }
    *carry = high + sum / WIDE_BASE;
    return (uint32_t)(sum % WIDE_BASE);
}

/* Long operands: a quarter of the steps, and a division per column instead of one per step. */
static struct numeric multiply_wide(struct arena *arena, const struct numeric *a,
                                    const struct numeric *b, uint8_t sign) {
    struct arena scratch;
    uint32_t a_count, b_count;
    arena_init(&scratch, 0);
    uint64_t *a_wide = widen(&scratch, a, &a_count);
    uint64_t *b_wide = widen(&scratch, b, &b_count);
    uint32_t count = a_count + b_count;
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, 2 * (size_t)count);
    uint64_t carry = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t wide = multiply_column(a_wide, a_count, b_wide, b_count, k, &carry);
        digits[2 * (count - 1 - k)] = (uint16_t)(wide / NUMERIC_BASE);
        digits[2 * (count - 1 - k) + 1] = (uint16_t)(wide % NUMERIC_BASE);
    }
    arena_deinit(&scratch);
    return numeric_make(digits, 2 * count, a->weight + b->weight + 1, sign, a->scale + b->scale);
}

static struct numeric multiply(struct arena *arena, const struct numeric *a,
                               const struct numeric *b) {
    uint8_t sign = a->sign == b->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE;
    if (a->digit_count >= WIDE_FROM_DIGITS && b->digit_count >= WIDE_FROM_DIGITS) {
        return multiply_wide(arena, a, b, sign);
    }
    uint32_t count = a->digit_count + b->digit_count;
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count + 1);
    for (uint32_t i = a->digit_count; i-- > 0;) {
        uint32_t carry = 0;
        for (uint32_t j = b->digit_count; j-- > 0;) {
            carry += (uint32_t)a->digits[i] * b->digits[j] + digits[i + j + 1];
            digits[i + j + 1] = (uint16_t)(carry % NUMERIC_BASE);
            carry /= NUMERIC_BASE;
        }
        digits[i] = (uint16_t)(digits[i] + carry);
    }
    return numeric_make(digits, count, a->weight + b->weight + 1, sign, a->scale + b->scale);
}

struct numeric numeric_mul_scale(struct arena *arena, const struct numeric *a,
                                 const struct numeric *b, int32_t scale) {
    struct numeric product = multiply(arena, a, b);
    return numeric_round(arena, &product, scale);
}

enum status numeric_mul(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) {
    if (!numeric_is_special(a) && !numeric_is_special(b)) {
        return numeric_finish(arena, multiply(arena, a, b), out);
    }
    int sign = numeric_sign_of(a) * numeric_sign_of(b);
    if (numeric_is_nan(a) || numeric_is_nan(b) || sign == 0) {
        *out = numeric_nan; /* infinity times zero */
    } else {
        *out = numeric_special(sign > 0 ? NUMERIC_INF : NUMERIC_NEG_INF);
    }
    return STATUS_OK;
}

/* ---- rounding ------------------------------------------------------------------------------- */

static const uint16_t powers_of_ten[] = {1, 10, 100, 1000};

/* Adds one unit to the last of `count` digits; digits[-1] exists and is zero. */
static void carry_into(uint16_t *digits, uint32_t count, uint32_t unit) {
    uint32_t carry = unit;
    for (int64_t i = (int64_t)count - 1; carry > 0; i--) {
        carry += digits[i];
        digits[i] = (uint16_t)(carry % NUMERIC_BASE);
        carry /= NUMERIC_BASE;
    }
}

static struct numeric cut(struct arena *arena, const struct numeric *value, int32_t scale,
                          bool round) {
    struct numeric result = *value;
    result.scale = (uint16_t)(scale > 0 ? scale : 0);
    int64_t keep = ((int64_t)value->weight + 1) * NUMERIC_BASE_DIGITS + scale; /* decimal digits */
    if (keep >= (int64_t)value->digit_count * NUMERIC_BASE_DIGITS) return result;
    if (keep < 0 || value->digit_count == 0) {
        return numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, result.scale);
    }
    uint32_t whole = (uint32_t)(keep / NUMERIC_BASE_DIGITS);
    uint32_t part = (uint32_t)(keep % NUMERIC_BASE_DIGITS);
    uint32_t count = whole + (part > 0);
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count + 2);
    digits++; /* room for a carry in front */
    if (count > 0) memcpy(digits, value->digits, count * sizeof(uint16_t));
    uint32_t unit = 1;
    bool up;
    if (part > 0) {
        unit = powers_of_ten[NUMERIC_BASE_DIGITS - part];
        uint32_t rest = digits[whole] % unit;
        digits[whole] = (uint16_t)(digits[whole] - rest);
        up = rest >= unit / 2;
    } else {
        up = value->digits[whole] >= NUMERIC_BASE / 2;
    }
    if (round && up) carry_into(digits, count, unit);
    return numeric_make(digits - 1, count + 1, value->weight + 1, value->sign, result.scale);
}

static int32_t clamp_scale(int32_t scale) {
    int32_t low = -(NUMERIC_MAX_WEIGHT_DIGITS + 1);
    if (scale < low) return low;
    return scale > NUMERIC_MAX_SCALE ? NUMERIC_MAX_SCALE : scale;
}

struct numeric numeric_round(struct arena *arena, const struct numeric *value, int32_t scale) {
    if (numeric_is_special(value)) return *value;
    return cut(arena, value, clamp_scale(scale), true);
}

struct numeric numeric_trunc(struct arena *arena, const struct numeric *value, int32_t scale) {
    if (numeric_is_special(value)) return *value;
    return cut(arena, value, clamp_scale(scale), false);
}

/* The whole number next to the value on the side of `direction`'s sign. */
static enum status step_whole(struct arena *arena, const struct numeric *value, int direction,
                              struct numeric *out) {
    struct numeric whole = numeric_trunc(arena, value, 0);
    if (numeric_is_special(value) || numeric_compare(&whole, value) == 0 ||
        numeric_sign_of(value) != direction) {
        *out = whole;
        return STATUS_OK;
    }
    struct numeric one = numeric_small(arena, direction);
    return numeric_add(arena, &whole, &one, out);
}

enum status numeric_ceil(struct arena *arena, const struct numeric *value, struct numeric *out) {
    return step_whole(arena, value, 1, out);
}

enum status numeric_floor(struct arena *arena, const struct numeric *value, struct numeric *out) {
    return step_whole(arena, value, -1, out);
}

/* Decimal digits before the point; 0 for values below one. */
static int64_t digits_before_point(const struct numeric *value) {
    if (value->digit_count == 0) return INT64_MIN;
    int64_t count = ((int64_t)value->weight + 1) * NUMERIC_BASE_DIGITS;
    for (uint16_t limit = NUMERIC_BASE / 10; limit > 0 && value->digits[0] < limit; limit /= 10) {
        count--;
    }
    return count;
}

enum status numeric_limit(struct arena *arena, const struct numeric *value, int32_t precision,
                          int32_t scale, struct numeric *out) {
    *out = *value;
    if (numeric_is_nan(value)) return STATUS_OK;
    if (numeric_is_special(value)) return STATUS_TOO_LARGE;
    *out = numeric_round(arena, value, scale);
    return digits_before_point(out) > precision - scale ? STATUS_TOO_LARGE : STATUS_OK;
}
