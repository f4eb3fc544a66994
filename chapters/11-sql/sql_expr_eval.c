/* sql_expr_eval.c - evaluating expressions a batch at a time: states, dispatch, calls and casts.
 *
 * The interpreter walks the tree once per batch, not once per row (MonetDB/X100: Boncz, Zukowski,
 * Nes, CIDR 2005). Nodes that decide what else is evaluated are in sql_expr_logic.c and
 * sql_expr_case.c. */
#include <assert.h>

#include "sql_expr_internal.h"

/* ---- states --------------------------------------------------------------------------------- */

struct sql_expr_state *sql_expr_state_new(struct arena *arena, const struct sql_expr *expr) {
    struct sql_expr_state *state = ARENA_NEW(arena, struct sql_expr_state);
    state->expr = expr;
    state->arena = arena;
    state->args = ARENA_ARRAY(arena, struct sql_expr_state *, expr->arg_count + 1);
    state->inputs = ARENA_ARRAY(arena, const struct sql_column *, expr->arg_count + 1);
    state->values = ARENA_ARRAY(arena, struct sql_datum, expr->arg_count + 1);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        state->args[i] = sql_expr_state_new(arena, expr->args[i]);
    }
    return state;
}

/* Room for `rows` rows: small statements should not pay for a thousand. */
static uint32_t capacity_for(uint32_t rows) {
    uint32_t capacity = 1;
    while (capacity < rows)
        capacity *= 4;
    return capacity < SQL_BATCH_ROWS ? capacity : SQL_BATCH_ROWS;
}

struct sql_column *sql_evaluate_into(struct sql_expr_state *state,
                                     const struct sql_evaluation *evaluation) {
    if (state->capacity < evaluation->row_count) {
        state->capacity = capacity_for(evaluation->row_count);
        sql_column_init(&state->column, state->arena, state->expr->type, state->capacity);
        state->rows = ARENA_ARRAY(state->arena, uint16_t, state->capacity);
        state->matched = ARENA_ARRAY(state->arena, uint16_t, state->capacity);
    }
    state->column.constant = false;
    state->column.may_be_null = false;
    return &state->column;
}

/* ---- leaves --------------------------------------------------------------------------------- */

static enum status evaluate_constant(struct sql_expr_state *state,
                                     struct sql_evaluation *evaluation,
                                     const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    if (!state->ready) {
        const struct sql_datum *value = &expr->constant;
        if (expr->kind == SQL_EXPR_PARAM) {
            assert(expr->param < evaluation->context->param_count);
            value = &evaluation->context->params[expr->param];
            assert(value->type == expr->type || value->is_null);
        }
        struct sql_datum typed = *value;
        typed.type = expr->type;
        sql_column_init_constant(&state->column, state->arena, &typed);
        state->ready = true;
    }
    *out = &state->column;
    return STATUS_OK;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static bool all_constant(const struct sql_column *const *columns, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!columns[i]->constant) return false;
    }
    return true;
}

/* Marks rows with a NULL argument and leaves the others in state->rows. */
static struct sql_selection skip_nulls(struct sql_expr_state *state, struct sql_selection rows,
                                       uint32_t arg_count) {
    bool possible = false;
    for (uint32_t i = 0; i < arg_count; i++)
        possible |= state->inputs[i]->may_be_null;
    if (!possible) return rows;
    uint32_t count = 0;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        bool null = false;
        for (uint32_t a = 0; a < arg_count; a++)
            null |= sql_column_is_null(state->inputs[a], row);
        state->column.nulls[row] = null;
        if (!null) state->rows[count++] = (uint16_t)row;
    }
    state->column.may_be_null = count < rows.count;
    return (struct sql_selection){state->rows, count};
}

static enum status call_scalar(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                               struct sql_selection rows) {
    const struct sql_expr *expr = state->expr;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        for (uint32_t a = 0; a < expr->arg_count; a++) {
            state->values[a] = sql_column_get(state->inputs[a], row);
        }
        struct sql_datum result = {.type = expr->type};
        TRY(expr->call.function->scalar(evaluation->context, state->values, expr->arg_count,
                                        &result, evaluation->error));
        sql_column_set(&state->column, row, &result);
    }
    return STATUS_OK;
}

enum status sql_evaluate_call(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                              struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    const struct sql_function *function = expr->call.function;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        TRY(sql_evaluate(state->args[i], evaluation, rows, &state->inputs[i]));
    }
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    /* Constant arguments: one row stands for all. */
    bool once = function->volatility != SQL_VOLATILE && rows.count > 0 &&
                all_constant(state->inputs, expr->arg_count);
    if (once) rows = (struct sql_selection){NULL, 1};
    if (!function->not_strict) rows = skip_nulls(state, rows, expr->arg_count);
    if (function->vector != NULL) {
        TRY(function->vector(evaluation->context, state->inputs, rows, column, evaluation->error));
    } else {
        TRY(call_scalar(state, evaluation, rows));
    }
    column->constant = once;
    return STATUS_OK;
}

/* ---- casts ---------------------------------------------------------------------------------- */

static enum status cast_rows(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                             struct sql_selection rows) {
    const struct sql_expr *expr = state->expr;
    const struct sql_cast *cast = expr->cast.cast;
    bool explicit_cast = expr->cast.context == SQL_CAST_EXPLICIT;
    struct arena *arena = evaluation->context->arena;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        struct sql_datum from = sql_column_get(state->inputs[0], row);
        struct sql_datum result = from;
        result.type = expr->type;
        if (cast != NULL && cast->function != NULL) {
            TRY(cast->function(evaluation->context, &from, &result, evaluation->error));
        }
        TRY(sql_datum_apply_typmod(arena, expr->typmod, explicit_cast, &result, evaluation->error));
        sql_column_set(&state->column, row, &result);
    }
    return STATUS_OK;
}

enum status sql_evaluate_cast(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                              struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    const struct sql_cast *cast = expr->cast.cast;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &state->inputs[0]));
    bool only_relabel = (cast == NULL || cast->function == NULL) && expr->typmod < 0;
    if (only_relabel) { /* the same values under another type */
        struct sql_column *alias = &state->column;
        *alias = *state->inputs[0];
        alias->type = expr->type;
        *out = alias;
        return STATUS_OK;
    }
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    bool once = rows.count > 0 && state->inputs[0]->constant;
    if (once) rows = (struct sql_selection){NULL, 1};
    rows = skip_nulls(state, rows, 1);
    if (cast != NULL && cast->vector != NULL && expr->typmod < 0) {
        TRY(cast->vector(evaluation->context, state->inputs, rows, column, evaluation->error));
    } else {
        TRY(cast_rows(state, evaluation, rows));
    }
    column->constant = once;
    return STATUS_OK;
}

/* ---- dispatch ------------------------------------------------------------------------------- */

enum status sql_evaluate(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                         struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    switch (expr->kind) {
    case SQL_EXPR_CONST:
    case SQL_EXPR_PARAM:
        return evaluate_constant(state, evaluation, out);
    case SQL_EXPR_COLUMN:
        assert(evaluation->batch != NULL && expr->column.index < evaluation->batch->column_count);
        *out = &evaluation->batch->columns[expr->column.index];
        return STATUS_OK;
    case SQL_EXPR_CALL:
        return sql_evaluate_call(state, evaluation, rows, out);
    case SQL_EXPR_CAST:
        return sql_evaluate_cast(state, evaluation, rows, out);
    case SQL_EXPR_AND:
    case SQL_EXPR_OR:
        return sql_evaluate_and_or(state, evaluation, rows, out);
    case SQL_EXPR_NOT:
        return sql_evaluate_not(state, evaluation, rows, out);
    case SQL_EXPR_IS_NULL:
    case SQL_EXPR_IS_TRUE:
    case SQL_EXPR_IS_FALSE:
        return sql_evaluate_test(state, evaluation, rows, out);
    case SQL_EXPR_DISTINCT:
        return sql_evaluate_distinct(state, evaluation, rows, out);
    case SQL_EXPR_CASE:
        return sql_evaluate_case(state, evaluation, rows, out);
    case SQL_EXPR_COALESCE:
        return sql_evaluate_coalesce(state, evaluation, rows, out);
    case SQL_EXPR_NULLIF:
        return sql_evaluate_nullif(state, evaluation, rows, out);
    case SQL_EXPR_GREATEST:
    case SQL_EXPR_LEAST:
        return sql_evaluate_extreme(state, evaluation, rows, out);
    case SQL_EXPR_IN:
        return sql_evaluate_in(state, evaluation, rows, out);
    case SQL_EXPR_AGGREGATE:
        break; /* an operator computes it; the plan refers to its column */
    }
    assert(expr->kind != SQL_EXPR_AGGREGATE);
    return STATUS_INVALID;
}

enum status sql_expr_eval(struct sql_expr_state *state, struct sql_eval_context *context,
                          const struct sql_batch *batch, const struct sql_column **out,
                          struct sql_error *error) {
    struct sql_evaluation evaluation = {context, batch, 1, error};
    struct sql_selection rows = {NULL, 1};
    if (batch != NULL) {
        evaluation.row_count = batch->row_count > 0 ? batch->row_count : 1;
        rows = batch->selection;
    }
    return sql_evaluate(state, &evaluation, rows, out);
}

enum status sql_expr_filter(struct sql_expr_state *state, struct sql_eval_context *context,
                            struct sql_batch *batch, uint16_t *rows, struct sql_error *error) {
    const struct sql_column *truth;
    TRY(sql_expr_eval(state, context, batch, &truth, error));
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selection.count; i++) {
        uint32_t row = sql_selected(batch->selection, i);
        if (sql_column_is_true(truth, row)) rows[count++] = (uint16_t)row;
    }
    batch->selection = (struct sql_selection){rows, count};
    return STATUS_OK;
}

enum status sql_expr_eval_datum(const struct sql_expr *expr, struct sql_eval_context *context,
                                struct sql_datum *out, struct sql_error *error) {
    if (expr->kind == SQL_EXPR_CONST) {
        *out = expr->constant;
        return STATUS_OK;
    }
    const struct sql_column *column;
    struct sql_expr_state *state = sql_expr_state_new(context->arena, expr);
    TRY(sql_expr_eval(state, context, NULL, &column, error));
    *out = sql_column_get(column, 0);
    return STATUS_OK;
}
