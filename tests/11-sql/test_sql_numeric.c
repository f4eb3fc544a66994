/* Exact decimals. */
#include "harness.h"

#include <stdlib.h>

#include "mem.h"
#include "numeric.h"
#include "numeric_cases.h"
#include "prng.h"

static struct numeric parse(struct arena *arena, const char *text) {
    struct numeric value;
    assert_ok(numeric_parse(arena, slice_of_string(text), &value), NULL);
    return value;
}

static const char *print(struct arena *arena, const struct numeric *value) {
    struct buf text = BUF_INIT;
    numeric_print(value, &text);
    const char *copy = arena_string(arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

static enum status compute(struct arena *arena, const struct numeric_case *c, struct numeric *out) {
    struct numeric a = parse(arena, c->a);
    struct numeric b = *c->b != 0 ? parse(arena, c->b) : numeric_zero;
    if (is(c->op, "+")) return numeric_add(arena, &a, &b, out);
    if (is(c->op, "-")) return numeric_sub(arena, &a, &b, out);
    if (is(c->op, "*")) return numeric_mul(arena, &a, &b, out);
    if (is(c->op, "/")) return numeric_div(arena, &a, &b, out);
    if (is(c->op, "%")) return numeric_mod(arena, &a, &b, out);
    if (is(c->op, "ceil")) return numeric_ceil(arena, &a, out);
    if (is(c->op, "floor")) return numeric_floor(arena, &a, out);
    if (is(c->op, "sqrt")) return numeric_sqrt(arena, &a, out);
    if (is(c->op, "ln")) return numeric_ln(arena, &a, out);
    if (is(c->op, "exp")) return numeric_exp(arena, &a, out);
    if (is(c->op, "log")) return numeric_log(arena, &a, &b, out);
    if (is(c->op, "power")) return numeric_power(arena, &a, &b, out);
    if (is(c->op, "abs")) *out = numeric_abs(&a);
    if (is(c->op, "round")) *out = numeric_round(arena, &a, (int32_t)strtol(c->b, NULL, 10));
    if (is(c->op, "trunc")) *out = numeric_trunc(arena, &a, (int32_t)strtol(c->b, NULL, 10));
    if (is(c->op, "<=>")) {
        int order = numeric_compare(&a, &b);
        *out = numeric_from_int64(arena, (order > 0) - (order < 0));
    }
    return STATUS_OK;
}

TEST("2", 0, operations_print_what_postgresql_prints) {
    TEST_LIMIT(60000);
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(numeric_cases); i++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct numeric result = numeric_zero;
        enum status status = compute(&arena, &numeric_cases[i], &result);
        const char *text = status == STATUS_OK ? print(&arena, &result) : "!";
        bool same = numeric_cases[i].expected[0] == '!' ? status != STATUS_OK
                                                        : is(text, numeric_cases[i].expected);
        if (!same) {
            print_message("%s %s %s: %s, not %s\n", numeric_cases[i].a, numeric_cases[i].op,
                          numeric_cases[i].b, text, numeric_cases[i].expected);
            wrong++;
        }
        arena_deinit(&arena);
    }
    assert_int_equal(0, wrong);
}

static struct numeric random_whole(struct prng *prng, struct arena *arena, uint64_t digits) {
    struct buf text = BUF_INIT;
    buf_append_byte(&text, (uint8_t)('1' + prng_below(prng, 9)));
    while (text.len < digits)
        buf_append_byte(&text, (uint8_t)('0' + prng_below(prng, 10)));
    buf_append_byte(&text, 0);
    struct numeric value = parse(arena, (const char *)text.data);
    buf_deinit(&text);
    return value;
}

TEST("2", 0, long_products_divide_back_and_distribute) {
    struct prng prng;
    prng_seed(&prng, 41);
    for (int round = 0; round < 300; round++) {
        struct arena arena;
        struct numeric product, quotient, rest, next, difference;
        arena_init(&arena, 0);
        struct numeric a = random_whole(&prng, &arena, prng_between(&prng, 1, 900));
        struct numeric b = random_whole(&prng, &arena, prng_between(&prng, 1, 900));
        struct numeric one = numeric_from_int64(&arena, 1);
        assert_ok(numeric_mul(&arena, &a, &b, &product), NULL);
        assert_ok(numeric_div(&arena, &product, &b, &quotient), NULL);
        assert_int_equal(0, numeric_compare(&a, &quotient));
        assert_ok(numeric_mod(&arena, &product, &a, &rest), NULL);
        assert_true(numeric_is_zero(&rest));
        assert_ok(numeric_add(&arena, &a, &one, &next), NULL);
        assert_ok(numeric_mul(&arena, &next, &b, &next), NULL);
        assert_ok(numeric_sub(&arena, &next, &product, &difference), NULL);
        assert_int_equal(0, numeric_compare(&b, &difference));
        arena_deinit(&arena);
    }
}

TEST("2", 0, a_square_root_is_the_nearest_with_its_digits) {
    struct prng prng;
    prng_seed(&prng, 42);
    for (int round = 0; round < 200; round++) {
        struct arena arena;
        struct numeric root, square;
        arena_init(&arena, 0);
        struct numeric a = random_whole(&prng, &arena, prng_between(&prng, 1, 200));
        assert_ok(numeric_mul(&arena, &a, &a, &square), NULL);
        assert_ok(numeric_sqrt(&arena, &square, &root), NULL);
        assert_int_equal(0, numeric_compare(&a, &root));
        arena_deinit(&arena);
    }
}

TEST("2", 0, functions_of_the_largest_and_smallest_numbers_end_soon) {
    struct arena arena;
    struct numeric value, result;
    arena_init(&arena, 0);
    value = parse(&arena, "1e131071");
    assert_ok(numeric_ln(&arena, &value, &result), NULL);
    assert_string_equal("301802.13072382256", print(&arena, &result));
    value = parse(&arena, "1e-16383");
    assert_ok(numeric_ln(&arena, &value, &result), NULL);
    assert_true(numeric_sign_of(&result) < 0);
    assert_ok(numeric_sqrt(&arena, &value, &result), NULL);
    arena_deinit(&arena);
}
