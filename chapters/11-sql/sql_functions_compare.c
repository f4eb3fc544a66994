/* sql_functions_compare.c - = <> < <= > >= for every storage class, a column at a time.
 *
 * Integers of all widths share one representation and so one kernel. Text compares by bytes
 * (collation "C"). NaN equals itself and is greater than all other values. */
#include "sql_registry.h"

static int order_integers(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int order_booleans(uint8_t a, uint8_t b) { return a - b; }

static int order_texts(struct slice a, struct slice b) { return slice_compare(a, b); }

static int order_numerics(struct numeric a, struct numeric b) { return numeric_compare(&a, &b); }

/* One kernel: `test` is applied to the order of the two values of each selected row. */
#define KERNEL(name, member, order, test)                                                          \
    static enum status name(struct sql_eval_context *context,                                      \
                            const struct sql_column *const *args, struct sql_selection rows,       \
                            struct sql_column *out, struct sql_error *error) {                     \
        (void)context;                                                                             \
        (void)error;                                                                               \
        for (uint32_t i = 0; i < rows.count; i++) {                                                \
            uint32_t row = sql_selected(rows, i);                                                  \
            int compared = order(args[0]->member[sql_column_at(args[0], row)],                     \
                                 args[1]->member[sql_column_at(args[1], row)]);                    \
            out->booleans[row] = (uint8_t)(compared test);                                         \
        }                                                                                          \
        return STATUS_OK;                                                                          \
    }

#define KERNELS(prefix, member, order)                                                             \
    KERNEL(prefix##_eq, member, order, == 0)                                                       \
    KERNEL(prefix##_ne, member, order, != 0)                                                       \
    KERNEL(prefix##_lt, member, order, < 0)                                                        \
    KERNEL(prefix##_le, member, order, <= 0)                                                       \
    KERNEL(prefix##_gt, member, order, > 0)                                                        \
    KERNEL(prefix##_ge, member, order, >= 0)

KERNELS(integers, integers, order_integers)
KERNELS(floats, floats, sql_float8_compare)
KERNELS(booleans, booleans, order_booleans)
KERNELS(texts, texts, order_texts)
KERNELS(numerics, numerics, order_numerics)

#define ROW(spelled, left, right, kernel)                                                          \
    {                                                                                              \
        .name = (spelled), .result = SQL_BOOL, .arg_count = 2, .args = {left, right},              \
        .vector = (kernel)                                                                         \
    }

#define ROWS(left, right, prefix)                                                                  \
    ROW("=", left, right, prefix##_eq), ROW("<>", left, right, prefix##_ne),                       \
        ROW("<", left, right, prefix##_lt), ROW("<=", left, right, prefix##_le),                   \
        ROW(">", left, right, prefix##_gt), ROW(">=", left, right, prefix##_ge)

static const struct sql_function functions[] = {
    ROWS(SQL_INT4, SQL_INT4, integers),   ROWS(SQL_INT8, SQL_INT8, integers),
    ROWS(SQL_INT8, SQL_INT4, integers),   ROWS(SQL_INT4, SQL_INT8, integers),
    ROWS(SQL_TEXT, SQL_TEXT, texts),      ROWS(SQL_INT2, SQL_INT2, integers),
    ROWS(SQL_INT2, SQL_INT4, integers),   ROWS(SQL_INT2, SQL_INT8, integers),
    ROWS(SQL_INT4, SQL_INT2, integers),   ROWS(SQL_INT8, SQL_INT2, integers),
    ROWS(SQL_FLOAT8, SQL_FLOAT8, floats), ROWS(SQL_NUMERIC, SQL_NUMERIC, numerics),
    ROWS(SQL_BOOL, SQL_BOOL, booleans),
};

const struct sql_function_table sql_functions_compare = {functions, ARRAY_LEN(functions)};
