/* sql_planner_internal.h - what the files of the planner share; nobody else includes it. */
#ifndef CAIRN_SQL_PLANNER_INTERNAL_H
#define CAIRN_SQL_PLANNER_INTERNAL_H

#include "sql_planner.h"

enum { PLANNER_RELATIONS_MAX = 64 }; /* of one block: sets of relations are words */

typedef uint64_t relation_set;

/* Where the columns of a plan's output come from: (relation, index) of the bound block. */
struct layout_column {
    uint32_t relation, index;
};

/* A plan on the way, with what expressions over it need to know. */
struct planned {
    struct sql_plan *plan;
    struct layout_column *layout; /* plan->column_count of them */
    relation_set relations;
};

/* A condition of the block. */
struct conjunct {
    struct sql_expr *expr;
    relation_set relations; /* that it speaks of */
    bool used;              /* expressed by bounds, a join or a filter already */
};

struct planner {
    struct arena *arena;
    struct sql_error *error;
    const struct bound_select *select;
    struct conjunct *conjuncts;
    uint32_t conjunct_count, conjunct_capacity;
    bool never;                          /* a conjunct is false whatever the rows: there are none */
    bool *needed[PLANNER_RELATIONS_MAX]; /* per relation and column: does anything above use it? */
};

/* ---- expressions ---------------------------------------------------------------------------- */

relation_set planner_relations(const struct sql_expr *expr);
/* Marks the columns that an expression uses in planner->needed. */
void planner_need(struct planner *planner, const struct sql_expr *expr);
/* The expression over the columns of `input`: a copy, so that one bound expression may serve
 * twice. */
struct sql_expr *planner_remap(struct planner *planner, const struct sql_expr *expr,
                               const struct planned *input);
/* NULL if there is none, the expression itself if there is one, else an AND. */
struct sql_expr *planner_conjunction(struct planner *planner, struct sql_expr **list,
                                     uint32_t count);
/* A column of a plan's output. */
struct sql_expr *planner_column(struct planner *planner, const struct sql_plan *plan,
                                uint32_t index);
/* Below casts that change nothing in the order of values: relabels, wider integers. */
const struct sql_expr *planner_strip(const struct sql_expr *expr);
/* "=", "<"... if it is a call of that operator, else NULL. */
const char *planner_operator(const struct sql_expr *expr);

/* ---- nodes ---------------------------------------------------------------------------------- */

struct sql_plan *planner_node(struct planner *planner, enum sql_plan_kind kind,
                              struct sql_plan *left, struct sql_plan *right);
/* Gives a node the columns of its left input. */
void planner_same_columns(struct sql_plan *plan);
/* The condition as a FILTER, or as (part of) the filter of a scan. NULL: the input as it is. */
struct sql_plan *planner_filter(struct planner *planner, struct sql_plan *input,
                                struct sql_expr *condition);

/* ---- parts ---------------------------------------------------------------------------------- */

/* A scan of a table: takes the conjuncts that it can express as bounds, and filters by the others
 * that speak of it alone. `for_write`: all columns. */
struct planned planner_scan(struct planner *planner, uint32_t relation, bool for_write);
/* Plans a query. */
enum status planner_select(struct arena *arena, const struct bound_select *select,
                           struct sql_plan **out, struct sql_error *error) MUST_CHECK;
/* FROM and WHERE: all relations joined. */
enum status planner_joins(struct planner *planner, bool for_write, struct planned *out) MUST_CHECK;
/* Folds and classifies the conjuncts. */
enum status planner_init(struct planner *planner, struct arena *arena,
                         const struct bound_select *select, struct sql_error *error) MUST_CHECK;

/* ---- conditions (sql_planner_derive.c) ------------------------------------------------------- */

void planner_add_conjunct(struct planner *planner, struct sql_expr *expr);
/* Adds what follows from equalities: t.a = u.x AND t.a = 5 gives u.x = 5. */
void planner_derive(struct planner *planner);

/* ---- costs (sql_planner_cost.c): the only place with numbers in it --------------------------- */

/* Fills in plan->rows and plan->cost from those of the inputs. */
void planner_estimate(struct sql_plan *plan);
/* Rows that a join of the two would yield. */
double planner_join_rows(const struct sql_plan *left, const struct sql_plan *right,
                         uint32_t key_count);
/* May a list of `count` values for the next key column multiply `points` spans? */
bool planner_worth_points(size_t points, size_t count);

#endif
