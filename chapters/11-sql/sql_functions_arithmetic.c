/* sql_functions_arithmetic.c - operators on integers: + - * / % and bits, abs, mod.
 *
 * A kernel computes in 64 bits and checks the range of the result's type, so that one kernel serves
 * all widths. Division truncates towards zero, as C's does. */
#include "sql_registry.h"

static enum status division_by_zero(struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_DIVISION_BY_ZERO, "division by zero");
}

/* One kernel for two integers: `compute` sets `result` or returns. */
#define KERNEL(name, compute)                                                                      \
    static enum status name(struct sql_eval_context *context,                                      \
                            const struct sql_column *const *args, struct sql_selection rows,       \
                            struct sql_column *out, struct sql_error *error) {                     \
        (void)context;                                                                             \
        int64_t low, high;                                                                         \
        sql_integer_range(out->type, &low, &high);                                                 \
        for (uint32_t i = 0; i < rows.count; i++) {                                                \
            uint32_t row = sql_selected(rows, i);                                                  \
            int64_t a = args[0]->integers[sql_column_at(args[0], row)];                            \
            int64_t b = args[1]->integers[sql_column_at(args[1], row)];                            \
            int64_t result;                                                                        \
            bool overflow = false;                                                                 \
            compute;                                                                               \
            if (overflow || result < low || result > high) {                                       \
                return sql_integer_range_error(out->type, error);                                  \
            }                                                                                      \
            out->integers[row] = result;                                                           \
        }                                                                                          \
        return STATUS_OK;                                                                          \
    }

KERNEL(add, overflow = __builtin_add_overflow(a, b, &result))
KERNEL(subtract, overflow = __builtin_sub_overflow(a, b, &result))
KERNEL(multiply, overflow = __builtin_mul_overflow(a, b, &result))
KERNEL(divide, {
    if (b == 0) return division_by_zero(error);
    if (b == -1)
        overflow = __builtin_sub_overflow((int64_t)0, a, &result);
    else
        result = a / b;
})
KERNEL(modulo, {
    if (b == 0) return division_by_zero(error);
    result = b == -1 ? 0 : a % b;
})
KERNEL(bit_and, result = a & b)
KERNEL(bit_or, result = a | b)
KERNEL(bit_xor, result = a ^ b)

/* Shifts work on the width of the left operand and take the count modulo that width, as
 * PostgreSQL's do on common hardware. Two-byte values shift as four-byte ones and are cut. */
static int64_t cut_to_width(enum sql_type type, uint64_t bits) {
    if (type == SQL_INT2) return (int16_t)(uint16_t)bits;
    if (type == SQL_INT4) return (int32_t)(uint32_t)bits;
    return (int64_t)bits;
}

KERNEL(shift_left, {
    uint32_t width = out->type == SQL_INT8 ? 64 : 32;
    result = cut_to_width(out->type, (uint64_t)a << ((uint32_t)b & (width - 1)));
})
KERNEL(shift_right, {
    uint32_t width = out->type == SQL_INT8 ? 64 : 32;
    result = a >> ((uint32_t)b & (width - 1));
})

static enum status same(struct sql_eval_context *context, const struct sql_datum *args,
                        uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)arg_count;
    (void)error;
    out->integer = args[0].integer;
    return STATUS_OK;
}

static enum status negate(struct sql_eval_context *context, const struct sql_datum *args,
                          uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)arg_count;
    int64_t low, high;
    sql_integer_range(out->type, &low, &high);
    if (args[0].integer == low) return sql_integer_range_error(out->type, error);
    out->integer = -args[0].integer;
    return STATUS_OK;
}

static enum status absolute(struct sql_eval_context *context, const struct sql_datum *args,
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    if (args[0].integer < 0) return negate(context, args, arg_count, out, error);
    out->integer = args[0].integer;
    return STATUS_OK;
}

static enum status bit_not(struct sql_eval_context *context, const struct sql_datum *args,
                           uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)arg_count;
    (void)error;
    out->integer = ~args[0].integer;
    return STATUS_OK;
}

static uint64_t magnitude(int64_t value) {
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static uint64_t greatest_common_divisor(int64_t x, int64_t y) {
    uint64_t a = magnitude(x);
    uint64_t b = magnitude(y);
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

KERNEL(gcd, {
    uint64_t divisor = greatest_common_divisor(a, b);
    overflow = divisor > INT64_MAX;
    result = (int64_t)divisor;
})
KERNEL(lcm, {
    uint64_t divisor = greatest_common_divisor(a, b);
    uint64_t product = 0;
    if (divisor != 0) {
        overflow = __builtin_mul_overflow(magnitude(a) / divisor, magnitude(b), &product);
    }
    overflow = overflow || product > INT64_MAX;
    result = (int64_t)product;
})

#define ROW2(spelled, left, right, to, kernel)                                                     \
    { .name = (spelled), .result = (to), .arg_count = 2, .args = {left, right}, .vector = (kernel) }
#define ROW1(spelled, type, function)                                                              \
    { .name = (spelled), .result = (type), .arg_count = 1, .args = {type}, .scalar = (function) }

/* The wider operand's type is the result's. */
#define WIDTHS(spelled, kernel)                                                                    \
    ROW2(spelled, SQL_INT4, SQL_INT4, SQL_INT4, kernel),                                           \
        ROW2(spelled, SQL_INT8, SQL_INT8, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT8, SQL_INT4, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT4, SQL_INT8, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT2, SQL_INT2, SQL_INT2, kernel),                                       \
        ROW2(spelled, SQL_INT2, SQL_INT4, SQL_INT4, kernel),                                       \
        ROW2(spelled, SQL_INT4, SQL_INT2, SQL_INT4, kernel),                                       \
        ROW2(spelled, SQL_INT2, SQL_INT8, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT8, SQL_INT2, SQL_INT8, kernel)

#define SAME_WIDTH(spelled, kernel)                                                                \
    ROW2(spelled, SQL_INT4, SQL_INT4, SQL_INT4, kernel),                                           \
        ROW2(spelled, SQL_INT8, SQL_INT8, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT2, SQL_INT2, SQL_INT2, kernel)

#define FOUR_AND_EIGHT(spelled, kernel)                                                            \
    ROW2(spelled, SQL_INT4, SQL_INT4, SQL_INT4, kernel),                                           \
        ROW2(spelled, SQL_INT8, SQL_INT8, SQL_INT8, kernel)

#define SHIFTS(spelled, kernel)                                                                    \
    ROW2(spelled, SQL_INT4, SQL_INT4, SQL_INT4, kernel),                                           \
        ROW2(spelled, SQL_INT8, SQL_INT4, SQL_INT8, kernel),                                       \
        ROW2(spelled, SQL_INT2, SQL_INT4, SQL_INT2, kernel)

#define UNARY(spelled, function)                                                                   \
    ROW1(spelled, SQL_INT4, function), ROW1(spelled, SQL_INT8, function),                          \
        ROW1(spelled, SQL_INT2, function)

static const struct sql_function functions[] = {
    WIDTHS("+", add),           WIDTHS("-", subtract),     WIDTHS("*", multiply),
    WIDTHS("/", divide),        SAME_WIDTH("%", modulo),   SAME_WIDTH("mod", modulo),
    SAME_WIDTH("&", bit_and),   SAME_WIDTH("|", bit_or),   SAME_WIDTH("#", bit_xor),
    SHIFTS("<<", shift_left),   SHIFTS(">>", shift_right), FOUR_AND_EIGHT("gcd", gcd),
    FOUR_AND_EIGHT("lcm", lcm), UNARY("+", same),          UNARY("-", negate),
    UNARY("~", bit_not),        UNARY("@", absolute),      UNARY("abs", absolute),
};

const struct sql_function_table sql_functions_arithmetic = {functions, ARRAY_LEN(functions)};
