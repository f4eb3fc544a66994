/* sql_expr_case.c - CASE, COALESCE, NULLIF, GREATEST, LEAST.
 *
 * Rows flow through the branches: each branch is evaluated for the rows that reach it and for no
 * others, so that an error in a branch not taken never happens. */
#include "sql_expr_internal.h"

static void copy_rows(struct sql_column *to, const struct sql_column *from,
                      struct sql_selection rows) {
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        sql_column_copy(to, row, from, row, NULL);
    }
}

/* Splits `open` by the truth of a condition: true to state->matched, the others to state->rows. */
static struct sql_selection split(struct sql_expr_state *state, const struct sql_column *condition,
                                  struct sql_selection *open) {
    uint32_t matched = 0;
    uint32_t left = 0;
    for (uint32_t i = 0; i < open->count; i++) {
        uint32_t row = sql_selected(*open, i);
        if (sql_column_is_true(condition, row))
            state->matched[matched++] = (uint16_t)row;
        else
            state->rows[left++] = (uint16_t)row;
    }
    *open = (struct sql_selection){state->rows, left};
    return (struct sql_selection){state->matched, matched};
}

enum status sql_evaluate_case(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                              struct sql_selection rows, const struct sql_column **out) {
    uint32_t arg_count = state->expr->arg_count;
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    struct sql_selection open = rows;
    const struct sql_column *result;
    *out = column;
    for (uint32_t a = 0; a + 1 < arg_count && open.count > 0; a += 2) {
        const struct sql_column *condition;
        TRY(sql_evaluate(state->args[a], evaluation, open, &condition));
        struct sql_selection taken = split(state, condition, &open);
        if (taken.count == 0) continue;
        TRY(sql_evaluate(state->args[a + 1], evaluation, taken, &result));
        copy_rows(column, result, taken);
    }
    if (open.count == 0) return STATUS_OK;
    TRY(sql_evaluate(state->args[arg_count - 1], evaluation, open, &result));
    copy_rows(column, result, open);
    return STATUS_OK;
}

enum status sql_evaluate_coalesce(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                  struct sql_selection rows, const struct sql_column **out) {
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    struct sql_selection open = rows;
    *out = column;
    for (uint32_t a = 0; a < state->expr->arg_count && open.count > 0; a++) {
        const struct sql_column *value;
        TRY(sql_evaluate(state->args[a], evaluation, open, &value));
        copy_rows(column, value, open); /* a NULL is overwritten by the next */
        uint32_t count = 0;
        for (uint32_t i = 0; i < open.count; i++) {
            uint32_t row = sql_selected(open, i);
            if (sql_column_is_null(value, row)) state->rows[count++] = (uint16_t)row;
        }
        open = (struct sql_selection){state->rows, count};
    }
    return STATUS_OK;
}

/* args: the result, and the two sides brought to one type for the comparison. */
enum status sql_evaluate_nullif(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                struct sql_selection rows, const struct sql_column **out) {
    const struct sql_column *result, *left, *right;
    TRY(sql_evaluate(state->args[0], evaluation, rows, &result));
    TRY(sql_evaluate(state->args[1], evaluation, rows, &left));
    TRY(sql_evaluate(state->args[2], evaluation, rows, &right));
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    copy_rows(column, result, rows);
    for (uint32_t i = 0; i < rows.count; i++) {
        uint32_t row = sql_selected(rows, i);
        if (sql_column_is_null(left, row) || sql_column_is_null(right, row)) continue;
        if (sql_column_compare(left, row, right, row) == 0) sql_column_set_null(column, row);
    }
    return STATUS_OK;
}

/* GREATEST and LEAST pass over NULLs; NULL only if all are. */
enum status sql_evaluate_extreme(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                                 struct sql_selection rows, const struct sql_column **out) {
    bool greatest = state->expr->kind == SQL_EXPR_GREATEST;
    struct sql_column *column = sql_evaluate_into(state, evaluation);
    *out = column;
    for (uint32_t a = 0; a < state->expr->arg_count; a++) {
        const struct sql_column *value;
        TRY(sql_evaluate(state->args[a], evaluation, rows, &value));
        for (uint32_t i = 0; i < rows.count; i++) {
            uint32_t row = sql_selected(rows, i);
            bool first = a == 0 || sql_column_is_null(column, row);
            if (!first && sql_column_is_null(value, row)) continue;
            if (!first) {
                int order = sql_column_compare(value, row, column, row);
                if (greatest ? order <= 0 : order >= 0) continue;
            }
            sql_column_copy(column, row, value, row, NULL);
        }
    }
    return STATUS_OK;
}
