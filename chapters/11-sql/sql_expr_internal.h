/* sql_expr_internal.h - what the files of the evaluator share. Nobody else includes it. */
#ifndef CAIRN_SQL_EXPR_INTERNAL_H
#define CAIRN_SQL_EXPR_INTERNAL_H

#include "sql_expr.h"

/* Mirrors one node of the tree; lives as long as the execution. */
struct sql_expr_state {
    const struct sql_expr *expr;
    struct sql_expr_state **args;
    struct arena *arena;
    struct sql_column column;         /* the result, unless it is another column as it is */
    const struct sql_column **inputs; /* results of args, while a call runs */
    struct sql_datum *values;         /* one row of arguments */
    uint16_t *rows, *matched;         /* scratch selections */
    uint32_t capacity;                /* rows that the above hold */
    struct sql_datum *members;        /* IN: the list's values, sorted, when all are constant */
    uint32_t member_count;
    bool has_null_member;
    bool ready; /* column (of a constant) or members are made */
};

/* One evaluation on its way through the tree. */
struct sql_evaluation {
    struct sql_eval_context *context;
    const struct sql_batch *batch; /* NULL: one row without columns */
    uint32_t row_count;            /* rows in the batch's arrays, at least 1 */
    struct sql_error *error;
};

/* Computes `rows`. */
enum status sql_evaluate(struct sql_expr_state *state, struct sql_evaluation *evaluation,
                         struct sql_selection rows, const struct sql_column **out) MUST_CHECK;
/* The state's own column with room for the batch, empty. */
struct sql_column *sql_evaluate_into(struct sql_expr_state *state,
                                     const struct sql_evaluation *evaluation);

/* One function per family of nodes. */
typedef enum status sql_evaluate_node(struct sql_expr_state *state,
                                      struct sql_evaluation *evaluation, struct sql_selection rows,
                                      const struct sql_column **out);
sql_evaluate_node sql_evaluate_call, sql_evaluate_cast;
sql_evaluate_node sql_evaluate_and_or, sql_evaluate_not, sql_evaluate_test, sql_evaluate_distinct;
sql_evaluate_node sql_evaluate_in;
sql_evaluate_node sql_evaluate_case, sql_evaluate_coalesce, sql_evaluate_nullif;
sql_evaluate_node sql_evaluate_extreme;

/* Is the boolean of this row true (not NULL)? */
static inline bool sql_column_is_true(const struct sql_column *column, uint32_t row) {
    return !sql_column_is_null(column, row) && column->booleans[sql_column_at(column, row)] != 0;
}

#endif
