/* sql_build.h - makes bound expressions: resolves, inserts casts, settles unknown types.
 *
 * What the binder calls for each node of the syntax tree. Arguments are bound expressions; a
 * literal in quotes and NULL come as constants of type UNKNOWN, `$1` as a PARAM of the type settled
 * so far. Every function reports PostgreSQL's error with the position where PostgreSQL has it. */
#ifndef CAIRN_SQL_BUILD_H
#define CAIRN_SQL_BUILD_H

#include "sql_aggregate.h"
#include "sql_expr.h"

struct sql_build {
    struct arena *arena;        /* of the statement */
    enum sql_type *param_types; /* UNKNOWN until something settles it; grows in `arena` */
    uint32_t param_count;
    bool params_fixed; /* true: a number above param_count is an error */
};

/* ---- leaves --------------------------------------------------------------------------------- */

struct sql_expr *sql_build_const(struct sql_build *build, struct sql_datum value, int position);
struct sql_expr *sql_build_null(struct sql_build *build, int position); /* type UNKNOWN */
/* 'abc': UNKNOWN until the context decides. `text` is borrowed. */
struct sql_expr *sql_build_string(struct sql_build *build, struct slice text, int position);
/* 12, 1.5, 1e3: INT4, INT8 or NUMERIC, as PostgreSQL's make_const. */
enum status sql_build_number(struct sql_build *build, struct slice text, int position,
                             struct sql_expr **out, struct sql_error *error) MUST_CHECK;
struct sql_expr *sql_build_column(struct sql_build *build, uint32_t relation, uint32_t index,
                                  struct sql_typed type, const char *name, int position);
/* number counts from 1. 42P02 "there is no parameter $1" if params are fixed and it is above. */
enum status sql_build_param(struct sql_build *build, uint32_t number, int position,
                            struct sql_expr **out, struct sql_error *error) MUST_CHECK;

/* ---- operators and functions ---------------------------------------------------------------- */

/* left NULL: prefix operator. Also LIKE ("~~"), NOT LIKE ("!~~"), ILIKE ("~~*", "!~~*"). */
enum status sql_build_operator(struct sql_build *build, struct slice name, struct sql_expr *left,
                               struct sql_expr *right, int position, struct sql_expr **out,
                               struct sql_error *error) MUST_CHECK;
/* A function or an aggregate. `distinct`, `star` and `filter` only for aggregates (42809 else). The
 * array of args is borrowed for the call only. Also coalesce, nullif, greatest, least. */
struct sql_call_options {
    bool distinct, star;
    struct sql_expr *filter;
};
enum status sql_build_function(struct sql_build *build, struct slice name, struct sql_expr **args,
                               uint32_t arg_count, struct sql_call_options options, int position,
                               struct sql_expr **out, struct sql_error *error) MUST_CHECK;
enum status sql_build_and(struct sql_build *build, struct sql_expr **args, uint32_t count,
                          int position, struct sql_expr **out, struct sql_error *error) MUST_CHECK;
enum status sql_build_or(struct sql_build *build, struct sql_expr **args, uint32_t count,
                         int position, struct sql_expr **out, struct sql_error *error) MUST_CHECK;
enum status sql_build_not(struct sql_build *build, struct sql_expr *arg, int position,
                          struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* kind: IS_NULL, IS_TRUE, IS_FALSE. IS UNKNOWN: pass kind IS_NULL and is_unknown. */
enum status sql_build_test(struct sql_build *build, enum sql_expr_kind kind, bool negated,
                           bool is_unknown, struct sql_expr *arg, int position,
                           struct sql_expr **out, struct sql_error *error) MUST_CHECK;
enum status sql_build_distinct(struct sql_build *build, struct sql_expr *left,
                               struct sql_expr *right, bool negated, int position,
                               struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* x BETWEEN a AND b: x >= a AND x <= b. */
enum status sql_build_between(struct sql_build *build, struct sql_expr *value, struct sql_expr *low,
                              struct sql_expr *high, bool negated, int position,
                              struct sql_expr **out, struct sql_error *error) MUST_CHECK;
enum status sql_build_in(struct sql_build *build, struct sql_expr *value, struct sql_expr **items,
                         uint32_t count, bool negated, int position, struct sql_expr **out,
                         struct sql_error *error) MUST_CHECK;
/* operand NULL: searched CASE. otherwise NULL: ELSE NULL. */
enum status sql_build_case(struct sql_build *build, struct sql_expr *operand,
                           struct sql_expr **whens, struct sql_expr **thens, uint32_t count,
                           struct sql_expr *otherwise, int position, struct sql_expr **out,
                           struct sql_error *error) MUST_CHECK;

/* ---- conversion ----------------------------------------------------------------------------- */

/* CAST(arg AS type), arg::type. 42846 "cannot cast type boolean to double precision". */
enum status sql_build_cast(struct sql_build *build, struct sql_expr *arg, struct sql_typed type,
                           int position, struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* Converts if `context` allows it, else *out = NULL and OK: the caller words the error. Settles
 * literals (parsed here: 22P02 at the literal's position) and parameters (42P08). */
enum status sql_build_coerce(struct sql_build *build, struct sql_expr *arg, struct sql_typed type,
                             enum sql_cast_context context, struct sql_expr **out,
                             struct sql_error *error) MUST_CHECK;
/* A value for a column: 42804 "column "a" is of type integer but expression is of type text". */
enum status sql_build_assignment(struct sql_build *build, struct sql_expr *arg,
                                 struct sql_typed type, const char *column_name,
                                 struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* Of WHERE, HAVING, ON, AND: 42804 "argument of WHERE must be type boolean, not type integer". */
enum status sql_build_boolean(struct sql_build *build, struct sql_expr *arg, const char *what,
                              struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* LIMIT, OFFSET: BIGINT by assignment rules. 42804 "argument of LIMIT must be type bigint, ...". */
enum status sql_build_bigint(struct sql_build *build, struct sql_expr *arg, const char *what,
                             struct sql_expr **out, struct sql_error *error) MUST_CHECK;
/* A select list's column that is still UNKNOWN becomes TEXT. */
enum status sql_build_output(struct sql_build *build, struct sql_expr *arg, struct sql_expr **out,
                             struct sql_error *error) MUST_CHECK;
/* Brings `count` expressions to their common type, in place (UNION, VALUES columns, join USING).
 * *typmod: the common one, or -1. 42804 "VALUES types text and integer cannot be matched". */
enum status sql_build_common(struct sql_build *build, struct sql_expr **args, uint32_t count,
                             const char *what, struct sql_typed *out,
                             struct sql_error *error) MUST_CHECK;
/* After binding: every parameter has a type, or 42P18 "could not determine data type of parameter
 * $1". */
enum status sql_build_check_params(const struct sql_build *build,
                                   struct sql_error *error) MUST_CHECK;

#endif
