/* numeric.h - exact decimal numbers, as PostgreSQL's type numeric.
 *
 * A value is sign * sum(digits[i] * 10000^(weight - i)), with a display scale: the number of
 * decimal places shown and kept (1.50 differs from 1.5 in print only). NaN is a value: equal to
 * itself and greater than all others; infinities are values too.
 *
 * Invariants
 *  1. digits are base 10,000, most significant first, none of them zero at either end; zero has
 *     no digits, weight 0 and a positive sign.
 *  2. A numeric is plain data that borrows its digits, like a slice; results borrow from the arena
 *     given. Copying the struct copies no digits.
 *  3. At most 131,072 digits before the point and 16,383 after it; beyond that NUMERIC_OVERFLOW.
 *
 * Scales of results follow PostgreSQL's numeric.c (select_div_scale and its like), so that the
 * printed form of every operation is the same. Pure; callable anywhere. */
#ifndef CAIRN_NUMERIC_H
#define CAIRN_NUMERIC_H

#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "codec.h"

enum numeric_sign { NUMERIC_POSITIVE, NUMERIC_NEGATIVE, NUMERIC_NAN, NUMERIC_INF, NUMERIC_NEG_INF };

struct numeric {
    const uint16_t *digits; /* 0..9999 */
    uint32_t digit_count;
    int32_t weight; /* of digits[0], as a power of 10,000 */
    uint16_t scale; /* decimal places shown */
    uint8_t sign;   /* enum numeric_sign */
};

enum {
    NUMERIC_BASE = 10000,
    NUMERIC_BASE_DIGITS = 4,
    NUMERIC_MAX_PRECISION = 1000, /* of numeric(p,s) */
    NUMERIC_MAX_WEIGHT_DIGITS = 131072,
    NUMERIC_MAX_SCALE = 16383,
    NUMERIC_MIN_SIGNIFICANT_DIGITS = 16 /* a quotient shows at least these */
};

/* Statuses: OK; TOO_LARGE when the result overflows the format; INVALID where a function says so.
 */

extern const struct numeric numeric_zero;
extern const struct numeric numeric_nan;

struct numeric numeric_from_int64(struct arena *arena, int64_t value);
/* 15 significant digits, as PostgreSQL's cast from float8. NaN and infinities carry over. */
struct numeric numeric_from_double(struct arena *arena, double value);
/* Optional blanks around; sign, digits, point, exponent; "NaN", "Infinity", "inf". INVALID if
 * malformed, TOO_LARGE if out of the format's range. */
enum status numeric_parse(struct arena *arena, struct slice text, struct numeric *out) MUST_CHECK;
void numeric_print(const struct numeric *value, struct buf *out);

/* Rounds half away from zero. INVALID for NaN and infinities, TOO_LARGE if it does not fit. */
enum status numeric_to_int64(const struct numeric *value, int64_t *out) MUST_CHECK;
/* The nearest double; TOO_LARGE if it is beyond the range of double. */
enum status numeric_to_double(const struct numeric *value, double *out) MUST_CHECK;

static inline bool numeric_is_nan(const struct numeric *v) { return v->sign == NUMERIC_NAN; }
static inline bool numeric_is_special(const struct numeric *v) { return v->sign >= NUMERIC_NAN; }
static inline bool numeric_is_zero(const struct numeric *v) {
    return v->digit_count == 0 && !numeric_is_special(v);
}
/* -1, 0 or 1; 0 for NaN. */
int numeric_sign_of(const struct numeric *value);

/* <0, 0, >0. -Infinity < finite < Infinity < NaN. The scale does not count. */
int numeric_compare(const struct numeric *a, const struct numeric *b);
/* Equal values (also with other scales) hash equal. */
uint64_t numeric_hash(const struct numeric *value);

enum status numeric_add(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) MUST_CHECK;
enum status numeric_sub(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) MUST_CHECK;
enum status numeric_mul(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) MUST_CHECK;
/* Division and remainder: INVALID if b is zero. The scale is chosen as select_div_scale does. */
enum status numeric_div(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) MUST_CHECK;
/* Takes the sign of a. */
enum status numeric_mod(struct arena *arena, const struct numeric *a, const struct numeric *b,
                        struct numeric *out) MUST_CHECK;
struct numeric numeric_negate(const struct numeric *value);
struct numeric numeric_abs(const struct numeric *value);

/* To `scale` decimal places (negative: to tens, hundreds), half away from zero. */
struct numeric numeric_round(struct arena *arena, const struct numeric *value, int32_t scale);
struct numeric numeric_trunc(struct arena *arena, const struct numeric *value, int32_t scale);
enum status numeric_ceil(struct arena *arena, const struct numeric *value,
                         struct numeric *out) MUST_CHECK;
enum status numeric_floor(struct arena *arena, const struct numeric *value,
                          struct numeric *out) MUST_CHECK;
/* INVALID for a negative value. */
enum status numeric_sqrt(struct arena *arena, const struct numeric *value,
                         struct numeric *out) MUST_CHECK;
enum status numeric_exp(struct arena *arena, const struct numeric *value,
                        struct numeric *out) MUST_CHECK;
/* INVALID unless the value is above zero. */
enum status numeric_ln(struct arena *arena, const struct numeric *value,
                       struct numeric *out) MUST_CHECK;
/* Logarithm of `value` to `base`. INVALID unless both are above zero; INVALID for base 1. */
enum status numeric_log(struct arena *arena, const struct numeric *base,
                        const struct numeric *value, struct numeric *out) MUST_CHECK;
/* INVALID for zero to a negative power and for a negative value to a fraction. */
enum status numeric_power(struct arena *arena, const struct numeric *value,
                          const struct numeric *exponent, struct numeric *out) MUST_CHECK;

/* Rounds to `scale` places; TOO_LARGE if more than precision - scale digits stand before the
 * point. The result shows exactly max(scale, 0) places. */
enum status numeric_limit(struct arena *arena, const struct numeric *value, int32_t precision,
                          int32_t scale, struct numeric *out) MUST_CHECK;

/* Sum of many values; zero-filled is empty. Its memory is in the arena given, always the same. */
struct numeric_sum {
    int64_t *digits; /* least significant first, for weights low .. high */
    int32_t high, low;
    uint16_t scale;
    uint64_t count; /* of values added */
    uint64_t nans, infinities, negative_infinities;
};
void numeric_sum_add(struct numeric_sum *sum, struct arena *arena, const struct numeric *value);
enum status numeric_sum_result(const struct numeric_sum *sum, struct arena *arena,
                               struct numeric *out) MUST_CHECK;

/* Copies the digits into `arena`. */
struct numeric numeric_dup(struct arena *arena, const struct numeric *value);

/* PostgreSQL's binary format (ndigits, weight, sign, dscale, digits; 16 bits each, big-endian). */
void numeric_send(const struct numeric *value, struct buf *out);
/* INVALID if malformed. Reads all of `bytes`. */
enum status numeric_recv(struct arena *arena, struct slice bytes, struct numeric *out) MUST_CHECK;

/* Ordered: memcmp of the encodings orders as numeric_compare; equal values encode equal, so the
 * scale is lost. Self-delimiting. */
void put_ordered_numeric(struct buf *buf, const struct numeric *value);
/* Sets reader->failed and returns zero if malformed. The scale is the least that shows all. */
struct numeric get_ordered_numeric(struct reader *reader, struct arena *arena);

/* Compact and exact, scale included; for stored values. Self-delimiting. */
void put_numeric(struct buf *buf, const struct numeric *value);
struct numeric get_numeric(struct reader *reader, struct arena *arena);

#endif
