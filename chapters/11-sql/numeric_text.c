/* numeric_text.c - exact decimals to and from text, integers and doubles. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "numeric.h"
#include "numeric_internal.h"

static const uint16_t place_values[] = {1000, 100, 10, 1};

/* ---- from text ------------------------------------------------------------------------------ */

static bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static struct slice trim(struct slice text) {
    while (text.len > 0 && is_blank(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static bool equals_word(struct slice text, const char *word) {
    if (text.len != strlen(word)) return false;
    for (size_t i = 0; i < text.len; i++) {
        if ((text.data[i] | 0x20) != word[i]) return false;
    }
    return true;
}

/* What the text says before it becomes digits of base 10,000. */
struct decimal {
    struct slice whole, fraction; /* decimal digits */
    int64_t exponent;
    uint8_t sign;
};

static struct slice take_digits(struct slice *text) {
    struct slice digits = *text;
    while (text->len > 0 && is_digit(text->data[0]))
        *text = slice_from(*text, 1);
    digits.len -= text->len;
    return digits;
}

/* Any exponent beyond this is out of range, however many digits there are. */
enum { EXPONENT_LIMIT = 1000000000 };

static bool take_exponent(struct slice *text, int64_t *exponent) {
    bool negative = false;
    *text = slice_from(*text, 1);
    if (text->len > 0 && (text->data[0] == '+' || text->data[0] == '-')) {
        negative = text->data[0] == '-';
        *text = slice_from(*text, 1);
    }
    struct slice digits = take_digits(text);
    int64_t value = 0;
    for (size_t i = 0; i < digits.len && value < EXPONENT_LIMIT; i++) {
        value = value * 10 + (digits.data[i] - '0');
    }
    *exponent = negative ? -value : value;
    return digits.len > 0;
}

static bool scan_decimal(struct slice text, struct decimal *out) {
    out->whole = take_digits(&text);
    out->fraction = SLICE_EMPTY;
    out->exponent = 0;
    if (text.len > 0 && text.data[0] == '.') {
        text = slice_from(text, 1);
        out->fraction = take_digits(&text);
    }
    if (out->whole.len + out->fraction.len == 0) return false;
    if (text.len > 0 && (text.data[0] | 0x20) == 'e' && !take_exponent(&text, &out->exponent)) {
        return false;
    }
    return text.len == 0;
}

/* Floor division for positions left and right of the point. */
static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

static enum status assemble(struct arena *arena, const struct decimal *decimal,
                            struct numeric *out) {
    *out = numeric_zero;
    int64_t scale = (int64_t)decimal->fraction.len - decimal->exponent;
    if (scale < 0) scale = 0;
    if (scale > NUMERIC_MAX_SCALE) return STATUS_TOO_LARGE;
    size_t total = decimal->whole.len + decimal->fraction.len;
    size_t first = 0; /* leading zeros are no digits */
#define DECIMAL_AT(i)                                                                              \
    ((uint8_t)(((i) < decimal->whole.len ? decimal->whole.data[i]                                  \
                                         : decimal->fraction.data[(i)-decimal->whole.len]) -       \
               '0'))
    while (first < total && DECIMAL_AT(first) == 0)
        first++;
    out->scale = (uint16_t)scale;
    if (first == total) return STATUS_OK;
    /* Power of ten of the first digit, then of its base 10,000 digit. */
    int64_t power = (int64_t)decimal->whole.len - 1 - (int64_t)first + decimal->exponent;
    int64_t weight = floor_div(power, NUMERIC_BASE_DIGITS);
    if (weight > NUMERIC_MAX_WEIGHT) return STATUS_TOO_LARGE;
    uint32_t offset = (uint32_t)(NUMERIC_BASE_DIGITS - 1 - (power - weight * NUMERIC_BASE_DIGITS));
    size_t count = (total - first + offset + NUMERIC_BASE_DIGITS - 1) / NUMERIC_BASE_DIGITS;
    if (count > NUMERIC_MAX_WEIGHT + NUMERIC_MAX_SCALE) return STATUS_TOO_LARGE;
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, count);
    for (size_t i = first, at = offset; i < total; i++, at++) {
        uint16_t *digit = &digits[at / NUMERIC_BASE_DIGITS];
        *digit = (uint16_t)(*digit + DECIMAL_AT(i) * place_values[at % NUMERIC_BASE_DIGITS]);
    }
#undef DECIMAL_AT
    *out = numeric_make(digits, (uint32_t)count, (int32_t)weight, decimal->sign, (int32_t)scale);
    return STATUS_OK;
}

enum status numeric_parse(struct arena *arena, struct slice text, struct numeric *out) {
    struct decimal decimal = {.sign = NUMERIC_POSITIVE};
    text = trim(text);
    *out = numeric_nan;
    if (equals_word(text, "nan")) return STATUS_OK;
    if (text.len > 0 && (text.data[0] == '+' || text.data[0] == '-')) {
        if (text.data[0] == '-') decimal.sign = NUMERIC_NEGATIVE;
        text = slice_from(text, 1);
    }
    if (equals_word(text, "infinity") || equals_word(text, "inf")) {
        *out = numeric_special(decimal.sign == NUMERIC_NEGATIVE ? NUMERIC_NEG_INF : NUMERIC_INF);
        return STATUS_OK;
    }
    if (!scan_decimal(text, &decimal)) return STATUS_INVALID;
    return assemble(arena, &decimal, out);
}

/* ---- to text -------------------------------------------------------------------------------- */

static void print_digit(uint16_t digit, uint32_t from_place, uint32_t count, struct buf *out) {
    for (uint32_t i = from_place; i < from_place + count; i++) {
        buf_append_byte(out, (uint8_t)('0' + digit / place_values[i] % 10));
    }
}

static void print_whole(const struct numeric *value, struct buf *out) {
    if (value->digit_count == 0 || value->weight < 0) {
        buf_append_byte(out, '0');
        return;
    }
    uint32_t skip = 0; /* leading zeros of the first digit */
    while (value->digits[0] < place_values[skip])
        skip++;
    print_digit(value->digits[0], skip, NUMERIC_BASE_DIGITS - skip, out);
    for (int64_t weight = (int64_t)value->weight - 1; weight >= 0; weight--) {
        print_digit(numeric_digit_at(value, weight), 0, NUMERIC_BASE_DIGITS, out);
    }
}

void numeric_print(const struct numeric *value, struct buf *out) {
    switch ((enum numeric_sign)value->sign) {
    case NUMERIC_NAN:
        buf_append_string(out, "NaN");
        return;
    case NUMERIC_INF:
        buf_append_string(out, "Infinity");
        return;
    case NUMERIC_NEG_INF:
        buf_append_string(out, "-Infinity");
        return;
    case NUMERIC_NEGATIVE:
        buf_append_byte(out, '-');
        break;
    case NUMERIC_POSITIVE:
        break;
    }
    print_whole(value, out);
    if (value->scale == 0) return;
    buf_append_byte(out, '.');
    int64_t weight = -1;
    for (uint32_t left = value->scale; left > 0; weight--) {
        uint32_t count = left < NUMERIC_BASE_DIGITS ? left : NUMERIC_BASE_DIGITS;
        print_digit(numeric_digit_at(value, weight), 0, count, out);
        left -= count;
    }
}

/* ---- integers and doubles ------------------------------------------------------------------- */

struct numeric numeric_from_int64(struct arena *arena, int64_t value) {
    enum { DIGITS = 5 }; /* 2^63 has 19 decimal digits */
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, DIGITS);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    for (int i = DIGITS - 1; i >= 0; i--) {
        digits[i] = (uint16_t)(rest % NUMERIC_BASE);
        rest /= NUMERIC_BASE;
    }
    return numeric_make(digits, DIGITS, DIGITS - 1, value < 0 ? NUMERIC_NEGATIVE : NUMERIC_POSITIVE,
                        0);
}

struct numeric numeric_small(struct arena *arena, int64_t value) {
    return numeric_from_int64(arena, value);
}

struct numeric numeric_from_double(struct arena *arena, double value) {
    if (isnan(value)) return numeric_nan;
    if (isinf(value)) return numeric_special(value > 0 ? NUMERIC_INF : NUMERIC_NEG_INF);
    char text[40];
    (void)snprintf(text, sizeof text, "%.15g", value); /* DBL_DIG, as float8_numeric has it */
    struct numeric result;
    enum status status = numeric_parse(arena, slice_of_string(text), &result);
    return status == STATUS_OK ? result : numeric_zero;
}

enum status numeric_to_int64(const struct numeric *value, int64_t *out) {
    *out = 0;
    if (numeric_is_special(value)) return STATUS_INVALID;
    if (value->digit_count > 0 && value->weight > 4) return STATUS_TOO_LARGE;
    /* Built up below zero, because that side reaches one further. */
    int64_t result = 0;
    for (int32_t weight = value->weight; weight >= 0 && value->digit_count > 0; weight--) {
        if (__builtin_mul_overflow(result, (int64_t)NUMERIC_BASE, &result) ||
            __builtin_sub_overflow(result, (int64_t)numeric_digit_at(value, weight), &result)) {
            return STATUS_TOO_LARGE;
        }
    }
    if (numeric_digit_at(value, -1) >= NUMERIC_BASE / 2 &&
        __builtin_sub_overflow(result, (int64_t)1, &result)) {
        return STATUS_TOO_LARGE;
    }
    if (value->sign == NUMERIC_NEGATIVE) {
        *out = result;
        return STATUS_OK;
    }
    return __builtin_sub_overflow((int64_t)0, result, out) ? STATUS_TOO_LARGE : STATUS_OK;
}

double numeric_approximate(const struct numeric *value) {
    if (value->sign == NUMERIC_NAN) return NAN;
    if (numeric_is_special(value)) return value->sign == NUMERIC_INF ? INFINITY : -INFINITY;
    struct buf text = BUF_INIT;
    numeric_print(value, &text);
    buf_append_byte(&text, 0);
    double result = strtod((const char *)text.data, NULL);
    buf_deinit(&text);
    return result;
}

enum status numeric_to_double(const struct numeric *value, double *out) {
    *out = numeric_approximate(value);
    if (numeric_is_special(value)) return STATUS_OK;
    bool underflow = *out == 0 && !numeric_is_zero(value);
    return isinf(*out) || underflow ? STATUS_TOO_LARGE : STATUS_OK;
}
