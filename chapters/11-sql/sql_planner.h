/* sql_planner.h - from a bound statement to a physical plan.
 *
 * By rules: conditions sink to the relation they speak of; equalities and ranges on a prefix of the
 * primary key become the scan's bounds; equalities between relations become hash joins, in an order
 * chosen greedily by estimated sizes; the key's order replaces sorts; LIMIT reaches down to what
 * can stop early. What is a choice by cost is in sql_planner_cost.c. Pure. */
#ifndef CAIRN_SQL_PLANNER_H
#define CAIRN_SQL_PLANNER_H

#include "sql_binder.h"
#include "sql_plan.h"

/* Plans SELECT, INSERT, UPDATE, DELETE. The plan lives in `arena` and borrows from the bound
 * statement and the catalog; the bound statement's expressions are rewritten and must not be used
 * again. */
enum status sql_plan_statement(struct arena *arena, const struct bound_statement *statement,
                               struct sql_plan **out, struct sql_error *error) MUST_CHECK;

/* ---- EXPLAIN -------------------------------------------------------------------------------- */

struct sql_explain_options {
    bool costs;
    bool verbose;
};

/* The tree as PostgreSQL's EXPLAIN prints it: `*lines` are `*count` texts in `arena`. */
void sql_explain(struct arena *arena, const struct sql_plan *plan,
                 struct sql_explain_options options, struct slice **lines, size_t *count);

#endif
