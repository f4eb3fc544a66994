/* sql_explain_internal.h - expressions as text, for sql_explain.c. */
#ifndef CAIRN_SQL_EXPLAIN_INTERNAL_H
#define CAIRN_SQL_EXPLAIN_INTERNAL_H

#include "buf.h"
#include "sql_plan.h"

/* Where an expression's columns are: the left input's, then the right one's. */
struct explain_scope {
    const struct sql_plan *left, *right; /* either may be NULL */
    bool qualify;                        /* "t.a" rather than "a" */
};

/* As PostgreSQL's ruleutils prints it: every operator in parentheses. */
void explain_expr(const struct sql_expr *expr, const struct explain_scope *scope, struct buf *out);
/* A column of a plan's output; of an aggregation, what it was made from. */
void explain_column(const struct sql_plan *plan, uint32_t index, bool qualify, struct buf *out);

#endif
