/* sql_expr_logic.c - AND, OR, NOT, IS ..., IS DISTINCT FROM, IN: three-valued logic.
 *
 * AND and OR evaluate an argument only for the rows that the arguments before it left open, as
 * PostgreSQL's executor does row by row. */
#include <stdlib.h>

#include "sql_expr_internal.h"

/* AND is decided by false, OR by true. NULL leaves the row open. */
enum status sql_evaluate_and_or(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    bool deciding = expr->kind == SQL_EXPR_OR;
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        column->booleans[row] = !deciding;
        column->nulls[row] = 0;
    }
    struct sql_selection open = rows;
    for (uint32_t a = 0; a < expr->arg_count && open.count > 0; a++) {
        const struct sql_column *arg;
        TRY(sql_evaluate(state->args[a], evaluation, open, &arg));
        uint32_t count = 0;
        for (uint32_t i = 0; i < open.count; i++) {
            uint32_t row = sql_selected(open, i);
            bool null = sql_column_is_null(arg, row);
            if (!null && (arg->booleans[sql_column_at(arg, row)] != 0) == deciding) {
                column->booleans[row] = deciding;
                column->nulls[row] = 0;
                continue;
            }
            if (null) column->nulls[row] = 1;
            column->may_be_null |= null;
            state->rows[count++] = (uint16_t)row;
        }
        open = (struct sql_selection){state->rows, count};
    }
    return STATUS_OK;
}

enum status sql_evaluate_not(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                             struct sql_selection rows, const struct sql_column **out) {
    const struct sql_column *arg;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &arg));
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    column->may_be_null = arg->may_be_null;
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        column->nulls[row] = sql_column_is_null(arg, row);
        column->booleans[row] = !arg->booleans[sql_column_at(arg, row)];
    }
    *out = column;
    return STATUS_OK;
}

/* IS [NOT] NULL, IS [NOT] TRUE, IS [NOT] FALSE: never NULL themselves. */
enum status sql_evaluate_test(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                              struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    const struct sql_column *arg;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &arg));
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        bool null = sql_column_is_null(arg, row);
        bool result = null;
        if (expr->kind != SQL_EXPR_IS_NULL) {
            bool wanted = expr->kind == SQL_EXPR_IS_TRUE;
            result = !null && (arg->booleans[sql_column_at(arg, row)] != 0) == wanted;
        }
        column->booleans[row] = result != expr->negated;
    }
    *out = column;
    return STATUS_OK;
}

enum status sql_evaluate_distinct(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                  struct sql_selection rows, const struct sql_column **out) {
    const struct sql_column *left, *right;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &left));
    TRY(sql_evaluate(state->args[1], evaluation, rows, &right));
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        bool left_null = sql_column_is_null(left, row);
        bool right_null = sql_column_is_null(right, row);
        bool distinct = left_null != right_null;
        if (!left_null && !right_null) distinct = sql_column_compare(left, row, right, row) != 0;
        column->booleans[row] = distinct != state->expr->negated;
    }
    *out = column;
    return STATUS_OK;
}

/* ---- IN ------------------------------------------------------------------------------------- */

static int compare_members(const void *a, const void *b) { return sql_datum_compare(a, b); }

/* A list of constants and parameters is sorted once; then each row is a binary search. */
static enum status make_members(struct sql_expr_state *state, struct sql_evaluation *evaluation) {
    const struct sql_expr *expr = state->expr;
    state->members = ARENA_ARRAY(state->arena, struct sql_datum, expr->arg_count);
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        const struct sql_column *value;
        struct sql_selection one = {NULL, 1};
        TRY(sql_evaluate(state->args[i], evaluation, one, &value));
        struct sql_datum datum = sql_column_get(value, 0);
        state->has_null_member |= datum.is_null;
        if (!datum.is_null) {
            state->members[state->member_count++] = sql_datum_dup(state->arena, &datum);
        }
    }
    if (state->member_count > 0) {
        qsort(state->members, state->member_count, sizeof *state->members, compare_members);
    }
    state->ready = true;
    return STATUS_OK;
}

static bool is_member(const struct sql_expr_state *state, const struct sql_datum *value) {
    return state->member_count > 0 && bsearch(value, state->members, state->member_count,
                                              sizeof *state->members, compare_members) != NULL;
}

static void set_in(struct sql_expr_state *state, uint32_t row, bool found, bool null) {
    state->column.nulls[row] = !found && null;
    state->column.may_be_null |= !found && null;
    state->column.booleans[row] = found != state->expr->negated;
}

static void find_in_members(struct sql_expr_state *state, const struct sql_column *value,
                            struct sql_selection rows) {
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        struct sql_datum datum = sql_column_get(value, row);
        bool found = !datum.is_null && is_member(state, &datum);
        set_in(state, row, found, datum.is_null || state->has_null_member);
    }
}

/* Items that differ by row: each is evaluated for the rows that have found no match yet. */
static enum status find_in_columns(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                   const struct sql_column *value, struct sql_selection rows) {
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        set_in(state, row, false, sql_column_is_null(value, row));
    }
    struct sql_selection open = rows;
    for (uint32_t a = 1; a < state->expr->arg_count && open.count > 0; a++) {
        const struct sql_column *item;
        TRY(sql_evaluate(state->args[a], evaluation, open, &item));
        uint32_t count = 0;
        for (uint32_t i = 0; i < open.count; i++) {
            uint32_t row = sql_selected(open, i);
            bool null = sql_column_is_null(value, row) || sql_column_is_null(item, row);
            if (!null && sql_column_compare(value, row, item, row) == 0) {
                set_in(state, row, true, false);
                continue;
            }
            if (null) set_in(state, row, false, true);
            state->rows[count++] = (uint16_t)row;
        }
        open = (struct sql_selection){state->rows, count};
    }
    return STATUS_OK;
}

enum status sql_evaluate_in(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                            struct sql_selection rows, const struct sql_column **out) {
    const struct sql_expr *expr = state->expr;
    const struct sql_column *value;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &value));
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    bool constant = true;
    for (uint32_t i = 1; i < expr->arg_count && constant; i++) {
        enum sql_expr_kind kind = expr->args[i]->kind;
        constant = kind == SQL_EXPR_CONST || kind == SQL_EXPR_PARAM;
    }
    if (!constant) return find_in_columns(state, evaluation, value, rows);
    if (!state->ready) TRY(make_members(state, evaluation));
    find_in_members(state, value, rows);
    return STATUS_OK;
}
