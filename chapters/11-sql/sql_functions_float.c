/* sql_functions_float.c - double precision: operators and functions.
 *
 * A result that overflows to infinity, or vanishes to zero, from finite operands is an error, as in
 * PostgreSQL's float.c. */
#include <math.h>

#include "sql_registry.h"

static enum status overflow_error(struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                         "value out of range: overflow");
}

static enum status underflow_error(struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                         "value out of range: underflow");
}

/* ---- operators ------------------------------------------------------------------------------ */

#define KERNEL(name, compute)                                                                      \
    static enum status name(struct sql_eval_context *context,                                      \
                            const struct sql_column *const *args, struct sql_selection rows,       \
                            struct sql_column *out, struct sql_error *error) {                     \
        (void)context;                                                                             \
        for (uint32_t i = 0; i < rows.count; i++) {                                                \
            uint32_t row = sql_selected(rows, i);                                                  \
            double a = args[0]->floats[sql_column_at(args[0], row)];                               \
            double b = args[1]->floats[sql_column_at(args[1], row)];                               \
            double result;                                                                         \
            compute;                                                                               \
            if (isinf(result) && !isinf(a) && !isinf(b)) return overflow_error(error);             \
            out->floats[row] = result;                                                             \
        }                                                                                          \
        return STATUS_OK;                                                                          \
    }

KERNEL(add, result = a + b)
KERNEL(subtract, result = a - b)
KERNEL(multiply, {
    result = a * b;
    if (result == 0 && a != 0 && b != 0) return underflow_error(error);
})
KERNEL(divide, {
    if (b == 0 && !isnan(a)) {
        return sql_error_set(error, SQLSTATE_DIVISION_BY_ZERO, "division by zero");
    }
    result = a / b;
    if (result == 0 && a != 0 && !isinf(b)) return underflow_error(error);
})

static enum status raise(double base, double exponent, double *out, struct sql_error *error) {
    if (base == 0 && exponent < 0) {
        return sql_error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                             "zero raised to a negative power is undefined");
    }
    if (base < 0 && floor(exponent) != exponent && !isnan(exponent) && !isinf(base)) {
        return sql_error_set(
            error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "a negative number raised to a non-integer power yields a complex result");
    }
    *out = pow(base, exponent);
    bool finite = isfinite(base) && isfinite(exponent);
    if (finite && *out == 0 && base != 0) return underflow_error(error);
    return STATUS_OK;
}

KERNEL(power, {
    result = 0;
    enum status status = raise(a, b, &result, error);
    if (status != STATUS_OK) return status;
})

/* ---- functions of one argument --------------------------------------------------------------- */

#define FUNCTION(name, compute)                                                                    \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)context;                                                                             \
        (void)arg_count;                                                                           \
        double x = args[0].float8;                                                                 \
        double result;                                                                             \
        compute;                                                                                   \
        if (isinf(result) && !isinf(x)) return overflow_error(error);                              \
        out->float8 = result;                                                                      \
        return STATUS_OK;                                                                          \
    }

static enum status check_logarithm(double x, struct sql_error *error) {
    if (x > 0 || isnan(x)) return STATUS_OK;
    return sql_error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_LOGARITHM,
                         "cannot take logarithm of %s", x == 0 ? "zero" : "a negative number");
}

FUNCTION(same, result = x)
FUNCTION(negate, result = -x)
FUNCTION(absolute, result = fabs(x))
FUNCTION(sign, result = isnan(x) ? x : (x > 0) - (x < 0))
FUNCTION(round_even, result = rint(x))
FUNCTION(truncate_whole, result = trunc(x))
FUNCTION(ceiling, result = ceil(x))
FUNCTION(floor_whole, result = floor(x))
FUNCTION(cube_root, result = cbrt(x))
FUNCTION(square_root, {
    if (x < 0) {
        return sql_error_set(error, SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION,
                             "cannot take square root of a negative number");
    }
    result = sqrt(x);
})
FUNCTION(exponential, {
    result = exp(x);
    if (result == 0 && isfinite(x)) return underflow_error(error);
})
FUNCTION(natural_logarithm, {
    enum status status = check_logarithm(x, error);
    if (status != STATUS_OK) return status;
    result = log(x);
})
FUNCTION(decimal_logarithm, {
    enum status status = check_logarithm(x, error);
    if (status != STATUS_OK) return status;
    result = log10(x);
})
FUNCTION(degrees, result = x / (M_PI / 180))
FUNCTION(radians, result = x * (M_PI / 180))

static enum status pi(struct sql_eval_context *context, const struct sql_datum *args,
                      uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)context;
    (void)args;
    (void)arg_count;
    (void)error;
    out->float8 = M_PI;
    return STATUS_OK;
}

#define ROW2(spelled, kernel)                                                                      \
    {                                                                                              \
        .name = (spelled), .result = SQL_FLOAT8, .arg_count = 2, .args = {SQL_FLOAT8, SQL_FLOAT8}, \
        .vector = (kernel)                                                                         \
    }
#define ROW1(spelled, function)                                                                    \
    {                                                                                              \
        .name = (spelled), .result = SQL_FLOAT8, .arg_count = 1, .args = {SQL_FLOAT8},             \
        .scalar = (function)                                                                       \
    }

static const struct sql_function functions[] = {
    ROW2("+", add),
    ROW2("-", subtract),
    ROW2("*", multiply),
    ROW2("/", divide),
    ROW2("^", power),
    ROW2("power", power),
    ROW2("pow", power),
    ROW1("+", same),
    ROW1("-", negate),
    ROW1("@", absolute),
    ROW1("|/", square_root),
    ROW1("||/", cube_root),
    ROW1("abs", absolute),
    ROW1("sign", sign),
    ROW1("round", round_even),
    ROW1("trunc", truncate_whole),
    ROW1("ceil", ceiling),
    ROW1("ceiling", ceiling),
    ROW1("floor", floor_whole),
    ROW1("sqrt", square_root),
    ROW1("cbrt", cube_root),
    ROW1("exp", exponential),
    ROW1("ln", natural_logarithm),
    ROW1("log", decimal_logarithm),
    ROW1("log10", decimal_logarithm),
    ROW1("degrees", degrees),
    ROW1("radians", radians),
    {.name = "pi", .result = SQL_FLOAT8, .arg_count = 0, .scalar = pi},
};

const struct sql_function_table sql_functions_float = {functions, ARRAY_LEN(functions)};
