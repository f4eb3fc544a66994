/* numeric_sum.c - adding up many exact decimals without making a number for each step.
 *
 * One signed 64-bit accumulator per base 10,000 digit: a digit adds at most 9,999, so carries can
 * wait until the end (more rows than fit a table would be needed to overflow). */
#include "numeric_internal.h"

enum { SLACK_DIGITS = 4 };

/* Makes the accumulators cover weights high .. low. */
static void cover(struct numeric_sum *sum, struct arena *arena, int32_t high, int32_t low) {
    if (sum->digits != NULL && high <= sum->high && low >= sum->low) return;
    if (sum->digits != NULL) {
        high = high > sum->high ? high + SLACK_DIGITS : sum->high;
        low = low < sum->low ? low - SLACK_DIGITS : sum->low;
    }
    int64_t *digits = ARENA_ARRAY(arena, int64_t, (size_t)(high - low + 1));
    for (int32_t w = sum->low; sum->digits != NULL && w <= sum->high; w++) {
        digits[w - low] = sum->digits[w - sum->low];
    }
    sum->digits = digits;
    sum->high = high;
    sum->low = low;
}

void numeric_sum_add(struct numeric_sum *sum, struct arena *arena, const struct numeric *value) {
    sum->count++;
    switch ((enum numeric_sign)value->sign) {
    case NUMERIC_NAN:
        sum->nans++;
        return;
    case NUMERIC_INF:
        sum->infinities++;
        return;
    case NUMERIC_NEG_INF:
        sum->negative_infinities++;
        return;
    case NUMERIC_POSITIVE:
    case NUMERIC_NEGATIVE:
        break;
    }
    if (value->scale > sum->scale) sum->scale = value->scale;
    if (value->digit_count == 0) return;
    cover(sum, arena, value->weight, value->weight - (int32_t)value->digit_count + 1);
    for (uint32_t i = 0; i < value->digit_count; i++) {
        int64_t *digit = &sum->digits[value->weight - (int32_t)i - sum->low];
        *digit += value->sign == NUMERIC_NEGATIVE ? -(int64_t)value->digits[i] : value->digits[i];
    }
}

/* Brings `digits` (least significant first) into 0..9999 with a carry at most -1 or up. */
static int64_t propagate(int64_t *digits, size_t count) {
    int64_t carry = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t digit = digits[i] + carry;
        carry = digit / NUMERIC_BASE;
        digit %= NUMERIC_BASE;
        if (digit < 0) {
            digit += NUMERIC_BASE;
            carry--;
        }
        digits[i] = digit;
    }
    return carry;
}

static struct numeric finite_result(const struct numeric_sum *sum, struct arena *arena) {
    enum { TOP_DIGITS = 5 }; /* a 64-bit carry */
    if (sum->digits == NULL) return numeric_make(NULL, 0, 0, NUMERIC_POSITIVE, sum->scale);
    size_t count = (size_t)(sum->high - sum->low + 1);
    size_t total = count + TOP_DIGITS;
    int64_t *work = ARENA_ARRAY(arena, int64_t, total);
    memcpy(work, sum->digits, count * sizeof *work);
    uint8_t sign = NUMERIC_POSITIVE;
    if (propagate(work, total) < 0) { /* below zero: start again from the negated digits */
        sign = NUMERIC_NEGATIVE;
        for (size_t i = 0; i < total; i++)
            work[i] = i < count ? -sum->digits[i] : 0;
        (void)propagate(work, total);
    }
    uint16_t *digits = ARENA_ARRAY(arena, uint16_t, total);
    for (size_t i = 0; i < total; i++)
        digits[i] = (uint16_t)work[total - 1 - i];
    return numeric_make(digits, (uint32_t)total, sum->high + TOP_DIGITS, sign, sum->scale);
}

enum status numeric_sum_result(const struct numeric_sum *sum, struct arena *arena,
                               struct numeric *out) {
    bool both = sum->infinities > 0 && sum->negative_infinities > 0;
    *out = numeric_nan;
    if (sum->nans > 0 || both) return STATUS_OK;
    if (sum->infinities > 0) *out = numeric_special(NUMERIC_INF);
    if (sum->negative_infinities > 0) *out = numeric_special(NUMERIC_NEG_INF);
    if (numeric_is_nan(out)) return numeric_finish(arena, finite_result(sum, arena), out);
    return STATUS_OK;
}
