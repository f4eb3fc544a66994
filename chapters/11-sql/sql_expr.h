/* sql_expr.h - bound expressions: names are resolved, every node has a type, casts are explicit.
 *
 * The tree is read-only once built, plain data in the statement's arena, and may be shared by many
 * executions (a prepared statement). Executions have a *state* each that mirrors it and owns the
 * scratch columns.
 *
 * Evaluation works on a batch at a time and has SQL's semantics row by row: AND, OR, CASE,
 * COALESCE and IN evaluate a part only for the rows that still need it, by narrowing the
 * selection, so that `CASE WHEN x <> 0 THEN 1 / x END` never divides by zero. Three-valued logic
 * throughout. Runs on the loop or on a coroutine; never suspends. */
#ifndef CAIRN_SQL_EXPR_H
#define CAIRN_SQL_EXPR_H

#include "sql_function.h"

struct sql_aggregate;

enum sql_expr_kind {
    SQL_EXPR_CONST,
    SQL_EXPR_COLUMN,
    SQL_EXPR_PARAM,
    SQL_EXPR_CALL,
    SQL_EXPR_CAST, /* args[0]; then the node's typmod is applied */
    SQL_EXPR_AND,  /* two or more args */
    SQL_EXPR_OR,   /* two or more args */
    SQL_EXPR_NOT,
    SQL_EXPR_IS_NULL,  /* `negated`: IS NOT NULL */
    SQL_EXPR_IS_TRUE,  /* IS [NOT] TRUE */
    SQL_EXPR_IS_FALSE, /* IS [NOT] FALSE; IS [NOT] UNKNOWN is IS_NULL */
    SQL_EXPR_DISTINCT, /* IS [NOT] DISTINCT FROM; call.function is the "=" operator */
    SQL_EXPR_CASE,     /* args: when, then, when, then, ..., else (always there) */
    SQL_EXPR_COALESCE,
    SQL_EXPR_NULLIF, /* args: result, left, right; call.function is "=" */
    SQL_EXPR_GREATEST,
    SQL_EXPR_LEAST,
    SQL_EXPR_IN,       /* args[0] IN (args[1..]), all of one type; `negated`: NOT IN */
    SQL_EXPR_AGGREGATE /* only before planning: the planner replaces it by a COLUMN */
};

struct sql_expr {
    enum sql_expr_kind kind;
    enum sql_type type;
    int32_t typmod;
    int position; /* 1-based character in the statement; 0: none */
    bool negated;
    uint32_t arg_count;
    struct sql_expr **args;
    union {
        struct sql_datum constant;
        struct {
            uint32_t index;    /* in the input batch (planned), or in the relation (bound) */
            uint32_t relation; /* bound: which FROM item; the planner's alone */
            const char *name;  /* for EXPLAIN and errors; may be NULL */
        } column;
        uint32_t param; /* 0 is $1 */
        struct {
            const struct sql_function *function;
            /* Written as an operator, for EXPLAIN. */
            bool is_operator;
        } call;
        struct {
            const struct sql_cast *cast; /* NULL: only the modifier is applied */
            enum sql_cast_context context;
        } cast;
        struct {
            const struct sql_aggregate *aggregate;
            bool distinct;
            bool star;               /* count(*) */
            struct sql_expr *filter; /* FILTER (WHERE ...), or NULL */
        } aggregate;
    };
};

/* What an execution knows. Plain data, owned by the executor; one per execution. */
struct sql_eval_context {
    const struct sql_datum *params; /* of the types that the binder settled */
    uint32_t param_count;
    struct arena *arena; /* results: text, digits; whoever consumes the batch resets it */
    /* For version(), current_database(), current_schema(), current_user. NULL: empty text. */
    const char *version, *database, *schema, *user;
};

/* ---- evaluation ----------------------------------------------------------------------------- */

struct sql_expr_state;

/* State for one execution, in `arena` (which outlives it; there is nothing to free). */
struct sql_expr_state *sql_expr_state_new(struct arena *arena, const struct sql_expr *expr);

/* Computes the selected rows of `batch`. `*out` is owned by the state (or is a column of the batch)
 * and valid until the next evaluation of the same state, its text and digits until context->arena
 * is reset. Rows that are not selected are unspecified. batch may be NULL: one row, no columns. */
enum status sql_expr_eval(struct sql_expr_state *state, struct sql_eval_context *context,
                          const struct sql_batch *batch, const struct sql_column **out,
                          struct sql_error *error) MUST_CHECK;
/* Keeps the rows of batch->selection for which the expression is true: writes them to `rows`
 * (room for SQL_BATCH_ROWS) and points batch->selection there. NULL counts as false. */
enum status sql_expr_filter(struct sql_expr_state *state, struct sql_eval_context *context,
                            struct sql_batch *batch, uint16_t *rows,
                            struct sql_error *error) MUST_CHECK;
/* One value of an expression without columns: defaults, LIMIT, VALUES, bounds of scans. */
enum status sql_expr_eval_datum(const struct sql_expr *expr, struct sql_eval_context *context,
                                struct sql_datum *out, struct sql_error *error) MUST_CHECK;

/* ---- shape ---------------------------------------------------------------------------------- */

/* Calls `visit` on the node and everything below, parents first; stops and returns false when
 * visit does. */
bool sql_expr_walk(struct sql_expr *expr, bool (*visit)(void *arg, struct sql_expr *node),
                   void *arg);
/* The same value in every evaluation: no columns, params, aggregates, volatile or stable calls. */
bool sql_expr_is_constant(const struct sql_expr *expr);
/* No columns and no aggregates: known before the first row is read (params may occur). */
bool sql_expr_is_runtime_constant(const struct sql_expr *expr);
/* What is below casts that leave value and order as they are (varchar to text, int4 to int8): the
 * planner looks through them for a key column. */
const struct sql_expr *sql_expr_strip_relabel(const struct sql_expr *expr);
/* Work for one row, in calls of functions: which of several conditions to try first. */
uint32_t sql_expr_cost(const struct sql_expr *expr);
/* The same tree: kinds, types, functions, constants, columns; positions do not count. */
bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b);
struct sql_expr *sql_expr_copy(struct arena *arena, const struct sql_expr *expr);

/* Replaces constant parts by their values, in place. A part that fails (1/0) is left as it is, so
 * that the error comes when, and only if, it is evaluated. AND, OR and CASE drop decided parts. */
struct sql_expr *sql_expr_fold(struct arena *arena, struct sql_expr *expr);

#endif
