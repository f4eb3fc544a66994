/* sql_aggregate.c - the aggregates: their states, and which one a call means.
 *
 * Sums of integers are exact in 128 bits, sums of decimals in numeric_sum; averages divide once at
 * the end, as PostgreSQL's do. */
#include "sql_aggregate.h"

#include <math.h>

#include "sql_registry.h"

/* The states' loop: `body` folds `row` into `state`. */
#define UPDATE(name, state_type, body)                                                             \
    static enum status name(void *const *states, const struct sql_column *const *args,             \
                            struct sql_selection rows, struct arena *arena,                        \
                            struct sql_error *error) {                                             \
        (void)arena;                                                                               \
        (void)error;                                                                               \
        for (uint32_t i = 0; i < rows.count; i++) {                                                \
            uint32_t row = sql_selected(rows, i);                                                  \
            if (sql_column_is_null(args[0], row)) continue;                                        \
            uint32_t at = sql_column_at(args[0], row);                                             \
            state_type *state = states[i];                                                         \
            body;                                                                                  \
        }                                                                                          \
        return STATUS_OK;                                                                          \
    }

#define FINISH(name)                                                                               \
    static enum status name(const void *opaque, struct arena *arena, struct sql_datum *out,        \
                            struct sql_error *error)

/* ---- count ---------------------------------------------------------------------------------- */

struct count_state {
    int64_t count;
};

static enum status count_rows(void *const *states, const struct sql_column *const *args,
                              struct sql_selection rows, struct arena *arena,
                              struct sql_error *error) {
    (void)args;
    (void)arena;
    (void)error;
    for (uint32_t i = 0; i < rows.count; i++)
        ((struct count_state *)states[i])->count++;
    return STATUS_OK;
}

UPDATE(count_values, struct count_state, {
    (void)at;
    state->count++;
})

FINISH(count_finish) {
    const struct count_state *state = opaque;
    (void)arena;
    (void)error;
    out->integer = state->count;
    return STATUS_OK;
}

/* ---- sums of integers ----------------------------------------------------------------------- */

struct integer_state {
    __int128 sum;
    int64_t count;
};

UPDATE(integer_add, struct integer_state, {
    state->sum += args[0]->integers[at];
    state->count++;
})

FINISH(integer_sum_narrow) {
    const struct integer_state *state = opaque;
    (void)arena;
    out->is_null = state->count == 0;
    out->integer = (int64_t)state->sum;
    bool inside = state->sum >= INT64_MIN && state->sum <= INT64_MAX;
    return inside ? STATUS_OK : sql_integer_range_error(SQL_INT8, error);
}

/* 2^127 has 39 digits: two halves of 18 digits and a rest. */
static struct numeric numeric_from_wide(struct arena *arena, __int128 value) {
    const int64_t half = INT64_C(1000000000000000000);
    struct numeric factor = numeric_from_int64(arena, half);
    struct numeric result = numeric_from_int64(arena, (int64_t)(value / half / half));
    int64_t parts[2] = {(int64_t)(value / half % half), (int64_t)(value % half)};
    for (int i = 0; i < 2; i++) {
        struct numeric part = numeric_from_int64(arena, parts[i]);
        struct numeric product;
        /* 40 digits do not overflow a numeric. */
        if (numeric_mul(arena, &result, &factor, &product) != STATUS_OK) return numeric_nan;
        if (numeric_add(arena, &product, &part, &result) != STATUS_OK) return numeric_nan;
    }
    return result;
}

FINISH(integer_sum_wide) {
    const struct integer_state *state = opaque;
    (void)error;
    out->is_null = state->count == 0;
    if (!out->is_null) out->numeric = numeric_from_wide(arena, state->sum);
    return STATUS_OK;
}

static enum status average(struct arena *arena, const struct numeric *sum, int64_t count,
                           struct sql_datum *out, struct sql_error *error) {
    struct numeric divisor = numeric_from_int64(arena, count);
    enum status status = numeric_div(arena, sum, &divisor, &out->numeric);
    return sql_numeric_status(status, SQLSTATE_DIVISION_BY_ZERO, "division by zero", error);
}

FINISH(integer_average) {
    const struct integer_state *state = opaque;
    out->is_null = state->count == 0;
    if (out->is_null) return STATUS_OK;
    struct numeric sum = numeric_from_wide(arena, state->sum);
    return average(arena, &sum, state->count, out, error);
}

/* ---- sums of decimals ----------------------------------------------------------------------- */

UPDATE(numeric_accumulate, struct numeric_sum,
       numeric_sum_add(state, arena, &args[0]->numerics[at]))

FINISH(numeric_total) {
    const struct numeric_sum *state = opaque;
    out->is_null = state->count == 0;
    if (out->is_null) return STATUS_OK;
    enum status status = numeric_sum_result(state, arena, &out->numeric);
    return sql_numeric_status(status, SQLSTATE_INTERNAL_ERROR, "sum failed", error);
}

FINISH(numeric_average) {
    const struct numeric_sum *state = opaque;
    out->is_null = state->count == 0;
    if (out->is_null) return STATUS_OK;
    struct numeric sum;
    enum status status = numeric_sum_result(state, arena, &sum);
    TRY(sql_numeric_status(status, SQLSTATE_INTERNAL_ERROR, "sum failed", error));
    return average(arena, &sum, (int64_t)state->count, out, error);
}

/* ---- sums of doubles ------------------------------------------------------------------------ */

struct float_state {
    double sum;
    int64_t count;
    bool infinite_input;
};

UPDATE(float_add, struct float_state, {
    double value = args[0]->floats[at];
    state->sum += value;
    state->count++;
    state->infinite_input |= isinf(value) != 0;
    if (isinf(state->sum) && !state->infinite_input) {
        return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                             "value out of range: overflow");
    }
})

FINISH(float_sum) {
    const struct float_state *state = opaque;
    (void)arena;
    (void)error;
    out->is_null = state->count == 0;
    out->float8 = state->sum;
    return STATUS_OK;
}

FINISH(float_average) {
    const struct float_state *state = opaque;
    (void)arena;
    (void)error;
    out->is_null = state->count == 0;
    out->float8 = state->count == 0 ? 0 : state->sum / (double)state->count;
    return STATUS_OK;
}

/* ---- least and greatest --------------------------------------------------------------------- */

struct extreme_state {
    bool any;
    struct sql_datum value;
    void *room; /* for the value's text or digits; reused as the value changes */
    size_t room_bytes;
};

static const void *keep_bytes(struct extreme_state *state, struct arena *arena, const void *data,
                              size_t len) {
    if (len == 0) return NULL;
    if (state->room_bytes < len) {
        state->room_bytes = len * 2;
        state->room = arena_alloc(arena, state->room_bytes);
    }
    memcpy(state->room, data, len);
    return state->room;
}

static void keep(struct extreme_state *state, struct arena *arena, const struct sql_datum *value) {
    state->any = true;
    state->value = *value;
    if (sql_type_storage(value->type) == SQL_STORE_BYTES) {
        state->value.text.data = keep_bytes(state, arena, value->text.data, value->text.len);
    }
    if (sql_type_storage(value->type) == SQL_STORE_NUMERIC) {
        const struct numeric *numeric = &value->numeric;
        state->value.numeric.digits =
            keep_bytes(state, arena, numeric->digits, numeric->digit_count * sizeof(uint16_t));
    }
}

#define EXTREME(name, better)                                                                      \
    UPDATE(name, struct extreme_state, {                                                           \
        (void)at;                                                                                  \
        struct sql_datum value = sql_column_get(args[0], row);                                     \
        if (!state->any || sql_datum_compare(&value, &state->value) better) {                      \
            keep(state, arena, &value);                                                            \
        }                                                                                          \
    })

EXTREME(keep_least, < 0)
EXTREME(keep_greatest, > 0)

FINISH(extreme_finish) {
    const struct extreme_state *state = opaque;
    (void)error;
    enum sql_type type = out->type;
    *out = state->any ? sql_datum_dup(arena, &state->value) : sql_datum_null(type);
    out->type = type;
    return STATUS_OK;
}

/* ---- booleans ------------------------------------------------------------------------------- */

struct bool_state {
    bool any, has_true, has_false;
};

UPDATE(bool_note, struct bool_state, {
    state->any = true;
    if (args[0]->booleans[at] != 0)
        state->has_true = true;
    else
        state->has_false = true;
})

FINISH(bool_all) {
    const struct bool_state *state = opaque;
    (void)arena;
    (void)error;
    out->is_null = !state->any;
    out->boolean = !state->has_false;
    return STATUS_OK;
}

FINISH(bool_some) {
    const struct bool_state *state = opaque;
    (void)arena;
    (void)error;
    out->is_null = !state->any;
    out->boolean = state->has_true;
    return STATUS_OK;
}

/* ---- string_agg ----------------------------------------------------------------------------- */

struct string_state {
    bool any;
    uint8_t *text;
    size_t len, capacity;
};

static void append(struct string_state *state, struct arena *arena, struct slice text) {
    if (text.len == 0) return;
    if (state->capacity - state->len < text.len) {
        state->capacity = (state->len + text.len) * 2;
        uint8_t *grown = arena_alloc(arena, state->capacity);
        if (state->len > 0) memcpy(grown, state->text, state->len);
        state->text = grown;
    }
    memcpy(state->text + state->len, text.data, text.len);
    state->len += text.len;
}

UPDATE(string_append, struct string_state, {
    if (state->any && !sql_column_is_null(args[1], row)) {
        append(state, arena, args[1]->texts[sql_column_at(args[1], row)]);
    }
    append(state, arena, args[0]->texts[at]);
    state->any = true;
})

FINISH(string_finish) {
    const struct string_state *state = opaque;
    (void)error;
    out->is_null = !state->any;
    out->text = arena_dup_slice(arena, slice_of(state->text, state->len));
    return STATUS_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

#define ROW(spelled, from, to, state_type, update_function, finish_function)                       \
    {                                                                                              \
        .name = (spelled), .arg_count = 1, .args = {from}, .result = (to),                         \
        .state_size_bytes = sizeof(struct state_type), .update = (update_function),                \
        .finish = (finish_function)                                                                \
    }
#define EXTREMES(type)                                                                             \
    ROW("min", type, type, extreme_state, keep_least, extreme_finish),                             \
        ROW("max", type, type, extreme_state, keep_greatest, extreme_finish)

static const struct sql_aggregate aggregates[] = {
    {.name = "count",
     .result = SQL_INT8,
     .state_size_bytes = sizeof(struct count_state),
     .update = count_rows,
     .finish = count_finish},
    ROW("count", SQL_ANY, SQL_INT8, count_state, count_values, count_finish),
    ROW("sum", SQL_INT4, SQL_INT8, integer_state, integer_add, integer_sum_narrow),
    ROW("sum", SQL_INT8, SQL_NUMERIC, integer_state, integer_add, integer_sum_wide),
    ROW("sum", SQL_INT2, SQL_INT8, integer_state, integer_add, integer_sum_narrow),
    ROW("sum", SQL_FLOAT8, SQL_FLOAT8, float_state, float_add, float_sum),
    ROW("sum", SQL_NUMERIC, SQL_NUMERIC, numeric_sum, numeric_accumulate, numeric_total),
    ROW("avg", SQL_INT4, SQL_NUMERIC, integer_state, integer_add, integer_average),
    ROW("avg", SQL_INT8, SQL_NUMERIC, integer_state, integer_add, integer_average),
    ROW("avg", SQL_INT2, SQL_NUMERIC, integer_state, integer_add, integer_average),
    ROW("avg", SQL_FLOAT8, SQL_FLOAT8, float_state, float_add, float_average),
    ROW("avg", SQL_NUMERIC, SQL_NUMERIC, numeric_sum, numeric_accumulate, numeric_average),
    EXTREMES(SQL_INT4),
    EXTREMES(SQL_INT8),
    EXTREMES(SQL_INT2),
    EXTREMES(SQL_FLOAT8),
    EXTREMES(SQL_NUMERIC),
    EXTREMES(SQL_TEXT),
    ROW("bool_and", SQL_BOOL, SQL_BOOL, bool_state, bool_note, bool_all),
    ROW("every", SQL_BOOL, SQL_BOOL, bool_state, bool_note, bool_all),
    ROW("bool_or", SQL_BOOL, SQL_BOOL, bool_state, bool_note, bool_some),
    {.name = "string_agg",
     .arg_count = 2,
     .args = {SQL_TEXT, SQL_TEXT},
     .result = SQL_TEXT,
     .state_size_bytes = sizeof(struct string_state),
     .update = string_append,
     .finish = string_finish},
};

/* ---- resolution ----------------------------------------------------------------------------- */

bool sql_aggregate_exists(struct slice name) {
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        if (slice_equal(name, slice_of_string(aggregates[i].name))) return true;
    }
    return false;
}

/* PostgreSQL resolves aggregates as it resolves functions: so the table is shown as functions. */
enum status sql_resolve_aggregate(struct slice name, const enum sql_type *args, uint32_t arg_count,
                                  bool star, int position, const struct sql_aggregate **out,
                                  enum sql_type *arg_types, struct sql_error *error) {
    struct sql_function functions[ARRAY_LEN(aggregates)];
    memset(functions, 0, sizeof functions);
    for (size_t i = 0; i < ARRAY_LEN(aggregates); i++) {
        functions[i].name = aggregates[i].name;
        functions[i].arg_count = aggregates[i].arg_count;
        memcpy(functions[i].args, aggregates[i].args, sizeof aggregates[i].args);
    }
    if (arg_count == 0 && !star && slice_equal(name, SLICE_LITERAL("count"))) {
        return sql_error_set_at(error, position, SQLSTATE_WRONG_OBJECT_TYPE,
                                "count(*) must be used to call a parameterless aggregate function");
    }
    const struct sql_function_table table = {functions, ARRAY_LEN(functions)};
    const struct sql_function_table end = {NULL, 0};
    const struct sql_function_table *const tables[] = {&table, &end};
    struct sql_resolved resolved;
    TRY(sql_resolve_among(tables, name, args, arg_count, position, &resolved, error));
    *out = &aggregates[resolved.function - functions];
    memcpy(arg_types, resolved.arg_types, arg_count * sizeof *arg_types);
    return STATUS_OK;
}
