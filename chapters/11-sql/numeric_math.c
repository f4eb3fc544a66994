/* numeric_math.c - square root, exponential, logarithm and power of exact decimals.
 *
 * Each picks the result's scale as PostgreSQL 15's numeric.c does, computes with guard digits and
 * rounds once. Intermediate values live in an arena of their own. */
#include <math.h>

#include "numeric.h"
#include "numeric_internal.h"

enum { GUARD_DIGITS = 10 };

static int32_t clamp(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : value > high ? high : value;
}

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Hands a result that lives in a scratch arena to the caller's; ends the scratch arena. */
static enum status deliver(struct arena *scratch, struct arena *arena, struct numeric value,
                           struct numeric *out) {
    struct numeric copy = numeric_dup(arena, &value);
    arena_deinit(scratch);
    return numeric_finish(arena, copy, out);
}

/* ---- square root ---------------------------------------------------------------------------- */

/* 10^-scale. */
static struct numeric unit_of(struct arena *arena, int32_t scale) {
    struct numeric one = numeric_small(arena, 1);
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, 1);
    static const uint16_t places[] = {1, 1000, 100, 10};
    int32_t weight = -((scale + NUMERIC_BASE_DIGITS - 1) / NUMERIC_BASE_DIGITS);
    digits[0] = places[scale % NUMERIC_BASE_DIGITS];
    return scale == 0 ? one : numeric_make(digits, 1, weight, NUMERIC_POSITIVE, scale);
}

static struct numeric sqrt_guess(struct arena *arena, const struct numeric *value) {
    /* sqrt(m * 10000^w) = sqrt(m') * 10000^(w/2), w even. */
    struct numeric head = *value;
    int32_t half = value->weight >= 0 ? value->weight / 2 : -((1 - value->weight) / 2);
    head.weight = value->weight - 2 * half;
    head.digit_count = value->digit_count < 6 ? value->digit_count : 6;
    head.scale = 24;
    struct numeric guess = numeric_from_double(arena, sqrt(numeric_approximate(&head)));
    guess.weight += half;
    return guess;
}

/* The root to about `scale` places. Newton's iteration doubles the digits that are right, so each
 * step computes with twice as many as the one before: all together cost little more than the
 * last. */
static struct numeric sqrt_newton(struct arena *arena, const struct numeric *value, int32_t scale) {
    enum { GUESS_DIGITS = 14 };
    static const uint16_t five = 5000;
    struct numeric half = {&five, 1, -1, 1, NUMERIC_POSITIVE};
    struct numeric limit = unit_of(arena, scale - 1);
    struct numeric guess = sqrt_guess(arena, value);
    int32_t before_point = (guess.weight + 1) * NUMERIC_BASE_DIGITS;
    int64_t digits = GUESS_DIGITS;
    for (;;) {
        digits *= 2;
        int64_t places = digits - before_point;
        bool last = places >= scale;
        int32_t now = last ? scale : (int32_t)places;
        struct numeric ratio = numeric_div_scale(arena, value, &guess, now, true);
        struct numeric sum = numeric_add_finite(arena, &guess, &ratio);
        struct numeric next = numeric_mul_scale(arena, &sum, &half, now);
        struct numeric step = numeric_sub_finite(arena, &next, &guess);
        guess = next;
        if (last && numeric_compare_magnitude(&step, &limit) <= 0) return guess;
    }
}

/* The largest multiple of 10^-scale whose square is at most `value`. Being exact here makes the
 * rounding of the last digit exact. */
static struct numeric sqrt_floor(struct arena *arena, const struct numeric *value, int32_t scale) {
    struct numeric guess = sqrt_newton(arena, value, scale + 2);
    struct numeric unit = unit_of(arena, scale);
    struct numeric root = numeric_trunc(arena, &guess, scale);
    for (;;) {
        struct numeric square = numeric_mul_scale(arena, &root, &root, 2 * scale);
        if (numeric_compare(&square, value) <= 0) break;
        root = numeric_sub_finite(arena, &root, &unit);
    }
    for (;;) {
        struct numeric next = numeric_add_finite(arena, &root, &unit);
        struct numeric square = numeric_mul_scale(arena, &next, &next, 2 * scale);
        if (numeric_compare(&square, value) > 0) return root;
        root = next;
    }
}

enum status numeric_sqrt(struct arena *arena, const struct numeric *value, struct numeric *out) {
    *out = *value;
    if (numeric_is_nan(value) || value->sign == NUMERIC_INF) return STATUS_OK;
    if (numeric_sign_of(value) < 0) return STATUS_INVALID;
    int32_t weight = (value->weight + 1) * NUMERIC_BASE_DIGITS / 2 - 1;
    int32_t scale = larger(NUMERIC_MIN_SIGNIFICANT_DIGITS - weight, value->scale);
    scale = clamp(scale, 0, NUMERIC_MAX_DISPLAY_SCALE);
    if (numeric_is_zero(value)) {
        out->scale = (uint16_t)scale;
        return STATUS_OK;
    }
    struct arena scratch;
    arena_init(&scratch, 0);
    struct numeric root = sqrt_floor(&scratch, value, scale + 1);
    return deliver(&scratch, arena, numeric_round(&scratch, &root, scale), out);
}

/* ---- exponential ---------------------------------------------------------------------------- */

/* e^value to `scale` places, |value| moderate. Taylor series of value / 2^n, squared n times. */
static struct numeric exp_finite(struct arena *arena, const struct numeric *value, int32_t scale) {
    double approximate = numeric_approximate(value);
    int32_t halvings = 0;
    for (double x = fabs(approximate); x > 0.01; x /= 2)
        halvings++;
    /* Squaring loses a bit each time, and the result's own digits before the point count too. */
    int32_t before_point = approximate > 0 ? (int32_t)(approximate * 0.4342944819) + 1 : 0;
    int32_t work = scale + before_point + halvings / 2 + GUARD_DIGITS;
    struct numeric divisor = numeric_small(arena, (int64_t)1 << halvings);
    struct numeric x = numeric_div_scale(arena, value, &divisor, work, true);
    struct numeric sum = numeric_small(arena, 1);
    struct numeric term = sum;
    for (int64_t n = 1; !numeric_is_zero(&term); n++) {
        struct numeric index = numeric_small(arena, n);
        term = numeric_mul_scale(arena, &term, &x, work);
        term = numeric_div_scale(arena, &term, &index, work, true);
        sum = numeric_add_finite(arena, &sum, &term);
    }
    while (halvings-- > 0)
        sum = numeric_mul_scale(arena, &sum, &sum, work);
    return numeric_round(arena, &sum, scale);
}

enum status numeric_exp(struct arena *arena, const struct numeric *value, struct numeric *out) {
    *out = value->sign == NUMERIC_NEG_INF ? numeric_zero : *value;
    if (numeric_is_special(value)) return STATUS_OK;
    double approximate = numeric_approximate(value);
    double places = approximate * 0.434294481903252;
    if (places > NUMERIC_MAX_RESULT_SCALE) places = NUMERIC_MAX_RESULT_SCALE;
    if (places < -NUMERIC_MAX_RESULT_SCALE) places = -NUMERIC_MAX_RESULT_SCALE;
    int32_t scale = larger(NUMERIC_MIN_SIGNIFICANT_DIGITS - (int32_t)places, value->scale);
    scale = clamp(scale, 0, NUMERIC_MAX_DISPLAY_SCALE);
    if (fabs(approximate) >= NUMERIC_MAX_RESULT_SCALE * 3) {
        *out = numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, scale);
        return approximate > 0 ? STATUS_TOO_LARGE : STATUS_OK;
    }
    struct arena scratch;
    arena_init(&scratch, 0);
    return deliver(&scratch, arena, exp_finite(&scratch, value, scale), out);
}

/* ---- logarithm ------------------------------------------------------------------------------ */

/* Power of ten of ln(value), roughly: PostgreSQL's estimate_ln_dweight. */
static int32_t ln_weight(struct arena *arena, const struct numeric *value) {
    if (numeric_sign_of(value) <= 0) return 0;
    double approximate = numeric_approximate(value);
    if (approximate >= 0.9 && approximate <= 1.1) {
        struct numeric one = numeric_small(arena, 1);
        struct numeric x = numeric_sub_finite(arena, value, &one);
        if (numeric_is_zero(&x)) return 0;
        return x.weight * NUMERIC_BASE_DIGITS + (int32_t)log10(x.digits[0]);
    }
    double digits = value->digits[0];
    int32_t weight = value->weight * NUMERIC_BASE_DIGITS;
    if (value->digit_count > 1) {
        digits = digits * NUMERIC_BASE + value->digits[1];
        weight -= NUMERIC_BASE_DIGITS;
    }
    return (int32_t)log10(fabs(log(digits) + weight * 2.302585092994046));
}

/* ln(x) to about `work` places, x moderate. Square roots bring it close to 1, where
 * ln x = 2 artanh((x - 1) / (x + 1)) converges fast. */
static struct numeric ln_series(struct arena *arena, struct numeric x, int32_t work) {
    struct numeric one = numeric_small(arena, 1);
    struct numeric factor = numeric_small(arena, 2);
    while (numeric_approximate(&x) < 0.9 || numeric_approximate(&x) > 1.1) {
        x = sqrt_floor(arena, &x, work);
        factor = numeric_add_finite(arena, &factor, &factor);
    }
    struct numeric minus = numeric_sub_finite(arena, &x, &one);
    struct numeric plus = numeric_add_finite(arena, &x, &one);
    struct numeric ratio = numeric_div_scale(arena, &minus, &plus, work, true);
    struct numeric square = numeric_mul_scale(arena, &ratio, &ratio, work);
    struct numeric sum = ratio;
    struct numeric power = ratio;
    for (int64_t n = 3; !numeric_is_zero(&power); n += 2) {
        struct numeric index = numeric_small(arena, n);
        power = numeric_mul_scale(arena, &power, &square, work);
        struct numeric term = numeric_div_scale(arena, &power, &index, work, true);
        sum = numeric_add_finite(arena, &sum, &term);
    }
    return numeric_mul_scale(arena, &sum, &factor, work);
}

/* ln(value) to `scale` places: of m * 10000^w it is ln m + w ln 10000, so that neither the size of
 * a number nor digits that do not matter cost anything. */
static struct numeric ln_finite(struct arena *arena, const struct numeric *value, int32_t scale) {
    int32_t work = scale + GUARD_DIGITS;
    double approximate = numeric_approximate(value);
    if (value->weight == 0 || (approximate >= 0.9 && approximate <= 1.1)) {
        struct numeric near = ln_series(arena, *value, work);
        return numeric_round(arena, &near, scale);
    }
    struct numeric head = *value;
    head.weight = 0;
    head = numeric_round(arena, &head, work + GUARD_DIGITS);
    struct numeric result = ln_series(arena, head, work);
    struct numeric base = numeric_small(arena, NUMERIC_BASE);
    struct numeric ln_base = ln_series(arena, base, work);
    struct numeric weight = numeric_small(arena, value->weight);
    struct numeric shift = numeric_mul_scale(arena, &ln_base, &weight, work);
    result = numeric_add_finite(arena, &result, &shift);
    return numeric_round(arena, &result, scale);
}

static enum status check_ln(const struct numeric *value, struct numeric *out, bool *done) {
    *done = true;
    *out = *value;
    if (numeric_is_nan(value)) return STATUS_OK;
    if (numeric_sign_of(value) <= 0) return STATUS_INVALID;
    if (value->sign == NUMERIC_INF) return STATUS_OK;
    *done = false;
    return STATUS_OK;
}

enum status numeric_ln(struct arena *arena, const struct numeric *value, struct numeric *out) {
    bool done;
    enum status status = check_ln(value, out, &done);
    if (done) return status;
    struct arena scratch;
    arena_init(&scratch, 0);
    int32_t scale = NUMERIC_MIN_SIGNIFICANT_DIGITS - ln_weight(&scratch, value);
    scale = clamp(larger(scale, value->scale), 0, NUMERIC_MAX_DISPLAY_SCALE);
    return deliver(&scratch, arena, ln_finite(&scratch, value, scale), out);
}

enum status numeric_log(struct arena *arena, const struct numeric *base,
                        const struct numeric *value, struct numeric *out) {
    bool done;
    *out = numeric_nan;
    if (numeric_is_nan(base) || numeric_is_nan(value)) return STATUS_OK;
    TRY(check_ln(base, out, &done));
    if (done) {
        *out = value->sign == NUMERIC_INF ? numeric_nan : numeric_zero;
        return numeric_sign_of(value) <= 0 ? STATUS_INVALID : STATUS_OK;
    }
    enum status status = check_ln(value, out, &done);
    if (done) return status;
    struct arena scratch;
    arena_init(&scratch, 0);
    int32_t base_weight = ln_weight(&scratch, base);
    int32_t value_weight = ln_weight(&scratch, value);
    int32_t weight = value_weight - base_weight;
    int32_t scale =
        larger(NUMERIC_MIN_SIGNIFICANT_DIGITS - weight, larger(base->scale, value->scale));
    scale = clamp(scale, 0, NUMERIC_MAX_DISPLAY_SCALE);
    int32_t base_scale = larger(scale + weight - base_weight + 8, 0);
    int32_t value_scale = larger(scale + weight - value_weight + 8, 0);
    struct numeric ln_base = ln_finite(&scratch, base, base_scale);
    struct numeric ln_value = ln_finite(&scratch, value, value_scale);
    if (numeric_is_zero(&ln_base)) {
        arena_deinit(&scratch);
        return STATUS_INVALID;
    }
    return deliver(&scratch, arena, numeric_div_scale(&scratch, &ln_value, &ln_base, scale, true),
                   out);
}

/* ---- power ---------------------------------------------------------------------------------- */

static bool is_whole(const struct numeric *value) {
    return (int64_t)value->digit_count <= (int64_t)value->weight + 1;
}

/* Power of ten of |value|, fractional. */
static double decimal_exponent(const struct numeric *value) {
    double head = value->digits[0];
    int32_t power = value->weight * NUMERIC_BASE_DIGITS;
    for (uint32_t i = 1; i < value->digit_count && i < 4; i++) {
        head = head * NUMERIC_BASE + value->digits[i];
        power -= NUMERIC_BASE_DIGITS;
    }
    return log10(head) + power;
}

/* Keeps `significant` decimal digits, so that products do not grow without end. */
static struct numeric keep_digits(struct arena *arena, struct numeric value, int32_t significant) {
    if (value.digit_count == 0) return value;
    int32_t scale = significant - value.weight * NUMERIC_BASE_DIGITS;
    return scale < value.scale ? numeric_round(arena, &value, scale) : value;
}

static enum status power_whole(struct arena *arena, const struct numeric *value, int64_t exponent,
                               int32_t scale, struct numeric *out) {
    if (exponent == 0 || numeric_is_zero(value)) {
        *out = exponent == 0 ? numeric_small(arena, 1) : numeric_zero;
        out->scale = (uint16_t)scale;
        return STATUS_OK;
    }
    double size = (double)exponent * decimal_exponent(value);
    if (size > (double)(NUMERIC_MAX_WEIGHT + 1) * NUMERIC_BASE_DIGITS) return STATUS_TOO_LARGE;
    if (size + 1 < -scale) {
        *out = numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, scale);
        return STATUS_OK;
    }
    uint64_t left = exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent;
    int32_t significant = 1 + scale + (int32_t)fabs(size) + (int32_t)log2((double)left + 1) + 12;
    struct arena scratch;
    arena_init(&scratch, 0);
    struct numeric result = numeric_small(&scratch, 1);
    struct numeric square = *value;
    for (; left > 0; left >>= 1) {
        if (left & 1) {
            result = numeric_mul_scale(&scratch, &result, &square, NUMERIC_MAX_SCALE);
            result = keep_digits(&scratch, result, significant);
        }
        if (left == 1) break;
        square = numeric_mul_scale(&scratch, &square, &square, NUMERIC_MAX_SCALE);
        square = keep_digits(&scratch, square, significant);
        if (square.digit_count == 0 || square.weight > NUMERIC_MAX_WEIGHT) break;
    }
    if (exponent < 0) {
        struct numeric one = numeric_small(&scratch, 1);
        if (numeric_is_zero(&result)) {
            arena_deinit(&scratch);
            return STATUS_TOO_LARGE;
        }
        result = numeric_div_scale(&scratch, &one, &result, scale, true);
    }
    return deliver(&scratch, arena, numeric_round(&scratch, &result, scale), out);
}

/* e^(exponent * ln value), value above zero. */
static enum status power_fraction(struct arena *arena, const struct numeric *value,
                                  const struct numeric *exponent, struct numeric *out) {
    struct arena scratch;
    arena_init(&scratch, 0);
    int32_t weight = ln_weight(&scratch, value);
    int32_t rough_scale = larger(8 - weight, 0);
    struct numeric ln = ln_finite(&scratch, value, rough_scale);
    struct numeric product = numeric_mul_scale(&scratch, &ln, exponent, rough_scale);
    double rough = numeric_approximate(&product);
    if (fabs(rough) > NUMERIC_MAX_RESULT_SCALE * 3.01) {
        arena_deinit(&scratch);
        *out = numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, NUMERIC_MAX_DISPLAY_SCALE);
        return rough > 0 ? STATUS_TOO_LARGE : STATUS_OK;
    }
    int32_t places = (int32_t)(rough * 0.434294481903252);
    int32_t scale =
        larger(NUMERIC_MIN_SIGNIFICANT_DIGITS - places, larger(value->scale, exponent->scale));
    scale = clamp(scale, 0, NUMERIC_MAX_DISPLAY_SCALE);
    int32_t ln_scale = larger(scale + places - weight + 8, 0) + larger(exponent->weight, 0) * 4;
    ln = ln_finite(&scratch, value, ln_scale);
    product = numeric_mul_scale(&scratch, &ln, exponent, ln_scale);
    return deliver(&scratch, arena, exp_finite(&scratch, &product, scale), out);
}

/* Powers with NaN or an infinity among the operands, as POSIX pow(3) and PostgreSQL have it. */
static enum status power_special(struct arena *arena, const struct numeric *value,
                                 const struct numeric *exponent, struct numeric *out) {
    struct numeric one = numeric_small(arena, 1);
    *out = one;
    if (numeric_is_zero(exponent) || numeric_compare(value, &one) == 0) return STATUS_OK;
    *out = numeric_nan;
    if (numeric_is_nan(value) || numeric_is_nan(exponent)) return STATUS_OK;
    int sign = numeric_sign_of(exponent);
    if (numeric_is_special(exponent)) {
        struct numeric magnitude = numeric_abs(value);
        int growth = numeric_compare(&magnitude, &one);
        if (growth == 0)
            *out = one;
        else
            *out = (growth > 0) == (sign > 0) ? numeric_special(NUMERIC_INF) : numeric_zero;
        return numeric_is_zero(value) && sign < 0 ? STATUS_INVALID : STATUS_OK;
    }
    /* value is infinite, exponent finite and not zero */
    if (sign < 0) {
        *out = numeric_zero;
        return STATUS_OK;
    }
    bool odd = is_whole(exponent) && (numeric_digit_at(exponent, 0) & 1) != 0;
    if (value->sign == NUMERIC_NEG_INF && !is_whole(exponent)) return STATUS_INVALID;
    *out = numeric_special(value->sign == NUMERIC_NEG_INF && odd ? NUMERIC_NEG_INF : NUMERIC_INF);
    return STATUS_OK;
}

enum status numeric_power(struct arena *arena, const struct numeric *value,
                          const struct numeric *exponent, struct numeric *out) {
    if (numeric_is_special(value) || numeric_is_special(exponent)) {
        return power_special(arena, value, exponent, out);
    }
    *out = numeric_zero;
    if (numeric_is_zero(value) && numeric_sign_of(exponent) < 0) return STATUS_INVALID;
    int64_t whole;
    if (numeric_is_zero(exponent) || is_whole(exponent)) {
        if (numeric_to_int64(exponent, &whole) == STATUS_OK && whole >= INT32_MIN &&
            whole <= INT32_MAX) {
            int32_t scale = larger(NUMERIC_MIN_SIGNIFICANT_DIGITS, value->scale);
            return power_whole(arena, value, whole, clamp(scale, 0, NUMERIC_MAX_DISPLAY_SCALE),
                               out);
        }
    }
    if (numeric_is_zero(value)) {
        out->scale = NUMERIC_MIN_SIGNIFICANT_DIGITS;
        return STATUS_OK;
    }
    if (numeric_sign_of(value) > 0) return power_fraction(arena, value, exponent, out);
    if (!is_whole(exponent)) return STATUS_INVALID;
    struct numeric magnitude = numeric_abs(value);
    TRY(power_fraction(arena, &magnitude, exponent, out));
    if ((numeric_digit_at(exponent, 0) & 1) != 0) *out = numeric_negate(out);
    return STATUS_OK;
}
