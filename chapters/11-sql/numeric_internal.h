/* numeric_internal.h - what the files of numeric.h share: making values, arithmetic at a scale.
 *
 * Nobody else includes it. The operations here take finite values only. */
#ifndef CAIRN_NUMERIC_INTERNAL_H
#define CAIRN_NUMERIC_INTERNAL_H

#include "numeric.h"

enum {
    NUMERIC_MAX_WEIGHT = NUMERIC_MAX_WEIGHT_DIGITS / NUMERIC_BASE_DIGITS - 1,
    NUMERIC_MAX_DISPLAY_SCALE = 1000, /* of results whose scale we choose */
    NUMERIC_MAX_RESULT_SCALE = 2000
};

/* From digits that may have zeros at the ends; takes the array over. */
struct numeric numeric_make(uint16_t *digits, uint32_t count, int32_t weight, uint8_t sign,
                            int32_t scale);
struct numeric numeric_special(enum numeric_sign sign);
/* TOO_LARGE if the weight is over the format's limit; else cuts a scale that is. */
enum status numeric_finish(struct arena *arena, struct numeric value,
                           struct numeric *out) MUST_CHECK;
/* The digit that stands for 10000^weight; 0 outside of the digits stored. */
uint16_t numeric_digit_at(const struct numeric *value, int64_t weight);
/* |a| against |b|. */
int numeric_compare_magnitude(const struct numeric *a, const struct numeric *b);

struct numeric numeric_add_finite(struct arena *arena, const struct numeric *a,
                                  const struct numeric *b);
struct numeric numeric_sub_finite(struct arena *arena, const struct numeric *a,
                                  const struct numeric *b);
/* Rounded to `scale`. */
struct numeric numeric_mul_scale(struct arena *arena, const struct numeric *a,
                                 const struct numeric *b, int32_t scale);
/* Rounded to `scale` if `round`, else cut. b is not zero. */
struct numeric numeric_div_scale(struct arena *arena, const struct numeric *a,
                                 const struct numeric *b, int32_t scale, bool round);
struct numeric numeric_small(struct arena *arena, int64_t value);
/* As a double, infinite when out of range. */
double numeric_approximate(const struct numeric *value);

#endif
