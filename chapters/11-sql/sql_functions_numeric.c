/* sql_functions_numeric.c - numeric: operators and functions, as calls of numeric.h. */
#include "sql_registry.h"

#define DIVISION SQLSTATE_DIVISION_BY_ZERO, "division by zero"
#define LOGARITHM SQLSTATE_INVALID_ARGUMENT_FOR_LOGARITHM
#define POWER SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION

/* ---- two operands --------------------------------------------------------------------------- */

#define BINARY(name, call, ...)                                                                    \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)arg_count;                                                                           \
        enum status status =                                                                       \
            call(context->arena, &args[0].numeric, &args[1].numeric, &out->numeric);               \
        return sql_numeric_status(status, __VA_ARGS__, error);                                     \
    }

BINARY(add, numeric_add, DIVISION)
BINARY(subtract, numeric_sub, DIVISION)
BINARY(multiply, numeric_mul, DIVISION)
BINARY(divide, numeric_div, DIVISION)
BINARY(modulo, numeric_mod, DIVISION)

static enum status divide_whole(struct sql_eval_context *context, const struct sql_datum *args,
                                uint32_t arg_count, struct sql_datum *out,
                                struct sql_error *error) {
    struct sql_datum rest = {.type = SQL_NUMERIC};
    TRY(modulo(context, args, arg_count, &rest, error));
    struct sql_datum whole[2] = {args[0], args[1]};
    enum status status =
        numeric_sub(context->arena, &args[0].numeric, &rest.numeric, &whole[0].numeric);
    TRY(sql_numeric_status(status, DIVISION, error));
    TRY(divide(context, whole, arg_count, out, error));
    out->numeric = numeric_trunc(context->arena, &out->numeric, 0);
    return STATUS_OK;
}

static enum status power(struct sql_eval_context *context, const struct sql_datum *args,
                         uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)arg_count;
    const char *text = numeric_is_zero(&args[0].numeric)
                           ? "zero raised to a negative power is undefined"
                           : "a negative number raised to a non-integer power yields a complex "
                             "result";
    enum status status =
        numeric_power(context->arena, &args[0].numeric, &args[1].numeric, &out->numeric);
    return sql_numeric_status(status, POWER, text, error);
}

static const char *logarithm_text(const struct numeric *value) {
    return numeric_is_zero(value) ? "cannot take logarithm of zero"
                                  : "cannot take logarithm of a negative number";
}

static enum status logarithm_to_base(struct sql_eval_context *context, const struct sql_datum *args,
                                     uint32_t arg_count, struct sql_datum *out,
                                     struct sql_error *error) {
    (void)arg_count;
    const struct numeric *base = &args[0].numeric;
    const struct numeric *value = &args[1].numeric;
    enum status status = numeric_log(context->arena, base, value, &out->numeric);
    if (status == STATUS_INVALID && numeric_sign_of(base) > 0 && numeric_sign_of(value) > 0) {
        return sql_numeric_status(status, DIVISION, error); /* base 1 */
    }
    const struct numeric *bad = numeric_sign_of(base) <= 0 ? base : value;
    return sql_numeric_status(status, LOGARITHM, logarithm_text(bad), error);
}

/* ---- one operand ---------------------------------------------------------------------------- */

#define UNARY(name, call, sqlstate, text)                                                          \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)arg_count;                                                                           \
        enum status status = call(context->arena, &args[0].numeric, &out->numeric);                \
        return sql_numeric_status(status, sqlstate, text, error);                                  \
    }

UNARY(ceiling, numeric_ceil, POWER, "")
UNARY(floor_whole, numeric_floor, POWER, "")
UNARY(square_root, numeric_sqrt, POWER, "cannot take square root of a negative number")
UNARY(exponential, numeric_exp, POWER, "")
UNARY(natural_logarithm, numeric_ln, LOGARITHM, logarithm_text(&args[0].numeric))

static enum status decimal_logarithm(struct sql_eval_context *context, const struct sql_datum *args,
                                     uint32_t arg_count, struct sql_datum *out,
                                     struct sql_error *error) {
    (void)arg_count;
    struct sql_datum both[2] = {sql_datum_numeric(numeric_from_int64(context->arena, 10)), args[0]};
    return logarithm_to_base(context, both, 2, out, error);
}

#define SIMPLE(name, compute)                                                                      \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)context;                                                                             \
        (void)arg_count;                                                                           \
        (void)error;                                                                               \
        const struct numeric *x = &args[0].numeric;                                                \
        compute;                                                                                   \
        return STATUS_OK;                                                                          \
    }

SIMPLE(same, out->numeric = *x)
SIMPLE(negate, out->numeric = numeric_negate(x))
SIMPLE(absolute, out->numeric = numeric_abs(x))
SIMPLE(sign, out->numeric = numeric_is_nan(x)
                                ? *x
                                : numeric_from_int64(context->arena, numeric_sign_of(x)))
SIMPLE(round_whole, out->numeric = numeric_round(context->arena, x, 0))
SIMPLE(truncate_whole, out->numeric = numeric_trunc(context->arena, x, 0))
SIMPLE(round_places, out->numeric = numeric_round(context->arena, x, (int32_t)args[1].integer))
SIMPLE(truncate_places, out->numeric = numeric_trunc(context->arena, x, (int32_t)args[1].integer))
SIMPLE(scale_of, out->integer = x->scale)

#define ROW1(spelled, function)                                                                    \
    {                                                                                              \
        .name = (spelled), .result = SQL_NUMERIC, .arg_count = 1, .args = {SQL_NUMERIC},           \
        .scalar = (function)                                                                       \
    }
#define ROW2(spelled, function)                                                                    \
    {                                                                                              \
        .name = (spelled), .result = SQL_NUMERIC, .arg_count = 2,                                  \
        .args = {SQL_NUMERIC, SQL_NUMERIC}, .scalar = (function)                                   \
    }
#define ROW_PLACES(spelled, function)                                                              \
    {                                                                                              \
        .name = (spelled), .result = SQL_NUMERIC, .arg_count = 2, .args = {SQL_NUMERIC, SQL_INT4}, \
        .scalar = (function)                                                                       \
    }

static const struct sql_function functions[] = {
    ROW2("+", add),
    ROW2("-", subtract),
    ROW2("*", multiply),
    ROW2("/", divide),
    ROW2("%", modulo),
    ROW2("^", power),
    ROW2("mod", modulo),
    ROW2("div", divide_whole),
    ROW2("power", power),
    ROW2("pow", power),
    ROW2("log", logarithm_to_base),
    ROW1("+", same),
    ROW1("-", negate),
    ROW1("@", absolute),
    ROW1("abs", absolute),
    ROW1("sign", sign),
    ROW1("round", round_whole),
    ROW1("trunc", truncate_whole),
    ROW_PLACES("round", round_places),
    ROW_PLACES("trunc", truncate_places),
    ROW1("ceil", ceiling),
    ROW1("ceiling", ceiling),
    ROW1("floor", floor_whole),
    ROW1("sqrt", square_root),
    ROW1("exp", exponential),
    ROW1("ln", natural_logarithm),
    ROW1("log", decimal_logarithm),
    ROW1("log10", decimal_logarithm),
    {.name = "scale",
     .result = SQL_INT4,
     .arg_count = 1,
     .args = {SQL_NUMERIC},
     .scalar = scale_of},
};

const struct sql_function_table sql_functions_numeric = {functions, ARRAY_LEN(functions)};
