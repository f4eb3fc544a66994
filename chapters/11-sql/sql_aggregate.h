/* sql_aggregate.h - count, sum, avg, min, max, bool_and, bool_or, every, string_agg.
 *
 * An aggregate folds rows into a state of fixed size, one per group. States live in an arena of the
 * operator; text and digits that a state keeps are copied there. Types of results are PostgreSQL's:
 * sum(int4) is bigint, sum(int8) and avg of integers are numeric. Pure. */
#ifndef CAIRN_SQL_AGGREGATE_H
#define CAIRN_SQL_AGGREGATE_H

#include "sql_batch.h"

struct sql_aggregate {
    const char *name;
    uint8_t arg_count;     /* 0: count(*) */
    enum sql_type args[2]; /* SQL_ANY for count */
    enum sql_type result;
    uint32_t state_size_bytes; /* zero-filled is the state of no rows */
    /* Folds the selected rows of `args` (arg_count columns) into states[i], one per selected row
     * (rows.count of them, in order; the same state may occur often). Skips NULLs. What a state
     * keeps is copied into `arena`. */
    enum status (*update)(void *const *states, const struct sql_column *const *args,
                          struct sql_selection rows, struct arena *arena, struct sql_error *error);
    /* The result; may allocate in `arena`. out->type is set. */
    enum status (*finish)(const void *state, struct arena *arena, struct sql_datum *out,
                          struct sql_error *error);
};

/* 42883 and 42725 as for functions. arg_types (arg_count entries) receives what to cast the
 * arguments to. `star`: count(*). Call only if sql_aggregate_exists. */
enum status sql_resolve_aggregate(struct slice name, const enum sql_type *args, uint32_t arg_count,
                                  bool star, int position, const struct sql_aggregate **out,
                                  enum sql_type *arg_types, struct sql_error *error) MUST_CHECK;
bool sql_aggregate_exists(struct slice name);

#endif
