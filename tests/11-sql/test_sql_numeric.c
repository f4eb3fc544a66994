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
