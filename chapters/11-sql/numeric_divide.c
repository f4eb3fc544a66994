/* numeric_divide.c - division and remainder of exact decimals.
 *
 * Long division in base 10,000 (Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D), and
 * the choice of a quotient's scale. */
#include <assert.h>

#include "numeric.h"
#include "numeric_internal.h"

/* The quotient of one estimate too large at most twice: subtracts q * divisor from the `n + 1`
 * digits at `at`; returns true if that went below zero. */
static bool subtract_multiple(uint32_t *at, const uint32_t *divisor, uint32_t n, uint32_t q) {
    int64_t borrow = 0;
    for (uint32_t i = n; i-- > 0;) {
        int64_t digit = (int64_t)at[i + 1] - (int64_t)q * divisor[i] + borrow;
        borrow = digit < 0 ? -((-digit + NUMERIC_BASE - 1) / NUMERIC_BASE) : 0;
        at[i + 1] = (uint32_t)(digit - borrow * NUMERIC_BASE);
    }
    int64_t digit = (int64_t)at[0] + borrow;
    at[0] = (uint32_t)(digit < 0 ? digit + NUMERIC_BASE : digit);
    return digit < 0;
}

static void add_back(uint32_t *at, const uint32_t *divisor, uint32_t n) {
    uint32_t carry = 0;
    for (uint32_t i = n; i-- > 0;) {
        carry += at[i + 1] + divisor[i];
        at[i + 1] = carry % NUMERIC_BASE;
        carry /= NUMERIC_BASE;
    }
    at[0] = (at[0] + carry) % NUMERIC_BASE;
}

/* quotient[0 .. count) of the digits in `work` (count + n of them, the first zero). */
static void divide_long(uint32_t *work, const uint32_t *divisor, uint32_t n, uint16_t *quotient,
                        uint32_t count) {
    uint32_t second = n > 1 ? divisor[1] : 0;
    for (uint32_t j = 0; j < count; j++) {
        uint64_t top = (uint64_t)work[j] * NUMERIC_BASE + work[j + 1];
        uint64_t q = top / divisor[0];
        uint64_t r = top % divisor[0];
        uint32_t third = n > 1 ? work[j + 2] : 0;
        while (q >= NUMERIC_BASE || q * second > r * NUMERIC_BASE + third) {
            q--;
            r += divisor[0];
            if (r >= NUMERIC_BASE) break;
        }
        if (subtract_multiple(work + j, divisor, n, (uint32_t)q)) {
            q--;
            add_back(work + j, divisor, n);
        }
        quotient[j] = (uint16_t)q;
    }
}

/* Copies `value` times `factor` to `out`, whose first digit takes the carry. */
static void scale_digits(const struct numeric *value, uint32_t factor, uint32_t *out) {
    uint32_t carry = 0;
    for (uint32_t i = value->digit_count; i-- > 0;) {
        carry += value->digits[i] * factor;
        out[i + 1] = carry % NUMERIC_BASE;
        carry /= NUMERIC_BASE;
    }
    out[0] = carry;
}

struct numeric numeric_div_scale(struct arena *arena, const struct numeric *a,
                                 const struct numeric *b, int32_t scale, bool round) {
    assert(b->digit_count > 0);
    /* Digits of the quotient: from weight `high` down to one decimal digit below the scale. */
    int32_t high = a->weight - b->weight;
    int64_t count64 = (int64_t)high + 2 + (scale + NUMERIC_BASE_DIGITS) / NUMERIC_BASE_DIGITS;
    if (a->digit_count == 0 || count64 <= 0) {
        return numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, scale > 0 ? scale : 0);
    }
    uint32_t count = (uint32_t)count64;
    uint32_t n = b->digit_count;
    uint32_t work_len = count + n + a->digit_count + 2;
    uint32_t *work = ARENA_ARRAY(arena, uint32_t, work_len);
    uint32_t *divisor = ARENA_ARRAY(arena, uint32_t, n + 1);
    uint16_t *quotient = ARENA_ARRAY(arena, uint16_t, count);
    /* Normalize so that the divisor's first digit is at least half the base. */
    uint32_t factor = NUMERIC_BASE / ((uint32_t)b->digits[0] + 1);
    scale_digits(b, factor, divisor);
    assert(divisor[0] == 0);
    scale_digits(a, factor, work);
    divide_long(work, divisor + 1, n, quotient, count);
    uint8_t sign = a->sign == b->sign ? NUMERIC_POSITIVE : NUMERIC_NEGATIVE;
    struct numeric exact = numeric_make(quotient, count, high, sign, 0);
    return round ? numeric_round(arena, &exact, scale) : numeric_trunc(arena, &exact, scale);
}

/* PostgreSQL's select_div_scale: at least 16 significant digits, never fewer decimal places than
 * either operand shows. */
static int32_t quotient_scale(const struct numeric *a, const struct numeric *b) {
    int32_t a_first = a->digit_count > 0 ? a->digits[0] : 0;
    int32_t weight = a->weight - b->weight;
    if (a_first <= b->digits[0]) weight--;
    int32_t scale = NUMERIC_MIN_SIGNIFICANT_DIGITS - weight * NUMERIC_BASE_DIGITS;
    if (scale < a->scale) scale = a->scale;
    if (scale < b->scale) scale = b->scale;
    if (scale < 0) scale = 0;
    return scale > NUMERIC_MAX_DISPLAY_SCALE ? NUMERIC_MAX_DISPLAY_SCALE : scale;
}

/* Division where one of the two is NaN or infinite; b is not zero. */
static struct numeric divide_special(const struct numeric *a, const struct numeric *b) {
    if (numeric_is_nan(a) || numeric_is_nan(b)) return numeric_nan;
    if (numeric_is_special(a) && numeric_is_special(b)) return numeric_nan;
    if (numeric_is_special(b)) return numeric_zero;
    bool positive = numeric_sign_of(a) == numeric_sign_of(b);
    return numeric_special(positive ? NUMERIC_INF : NUMERIC_NEG_INF);
}

enum status numeric_div(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) {
    *out = numeric_nan;
    if (numeric_is_nan(a)) return STATUS_OK;
    if (numeric_is_zero(b)) return STATUS_INVALID;
    if (numeric_is_special(a) || numeric_is_special(b)) {
        *out = divide_special(a, b);
        return STATUS_OK;
    }
    return numeric_finish(arena, numeric_div_scale(arena, a, b, quotient_scale(a, b), true), out);
}

enum status numeric_mod(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) {
    *out = numeric_nan;
    if (numeric_is_nan(a) || numeric_is_nan(b)) return STATUS_OK;
    if (numeric_is_zero(b)) return STATUS_INVALID;
    if (numeric_is_special(a)) return STATUS_OK;
    if (numeric_is_special(b)) {
        *out = *a;
        return STATUS_OK;
    }
    struct numeric whole = numeric_div_scale(arena, a, b, 0, false);
    struct numeric multiple;
    TRY(numeric_mul(arena, &whole, b, &multiple));
    return numeric_finish(arena, numeric_sub_finite(arena, a, &multiple), out);
}
