/* sql_function.h - functions, operators and casts, and how PostgreSQL chooses among them.
 *
 * One registry of rows (sql_functions_*.c). An operator is a function with an operator's name; a
 * function has a scalar form (one row at a time) or a vector form (a whole column), and the
 * evaluator deals with NULLs for the strict ones.
 *
 * Resolution follows PostgreSQL 15, chapter 10, "Type Conversion": exact match, then candidates
 * reachable by implicit casts, unknown literals taken as the other side's type, most exact
 * matches, preferred types, category of unknown literals. Errors and wording are PostgreSQL's.
 * Callers that build expressions use sql_build.h, which resolves and inserts the casts. */
#ifndef CAIRN_SQL_FUNCTION_H
#define CAIRN_SQL_FUNCTION_H

#include "sql_batch.h"

struct sql_eval_context;

enum { SQL_FUNCTION_ARGS_MAX = 100 };

enum sql_volatility {
    SQL_IMMUTABLE, /* may be folded to a constant */
    SQL_STABLE,    /* the same within a statement: current_user, now() */
    SQL_VOLATILE
};

/* Computes one row. Strict functions never see a NULL argument. `out->type` is set by the caller,
 * out->is_null is false on entry. Results live in context->arena. */
typedef enum status (*sql_scalar_function)(struct sql_eval_context *context,
                                           const struct sql_datum *args, uint32_t arg_count,
                                           struct sql_datum *out, struct sql_error *error);
/* Computes the selected rows of `out`, whose NULL bytes are set already; none of the selected rows
 * has a NULL argument. Only for strict functions. */
typedef enum status (*sql_vector_function)(struct sql_eval_context *context,
                                           const struct sql_column *const *args,
                                           struct sql_selection rows, struct sql_column *out,
                                           struct sql_error *error);

struct sql_function {
    const char *name; /* "lower", "+", "~~" */
    enum sql_type result;
    uint8_t arg_count;     /* declared; at most 4 */
    enum sql_type args[4]; /* SQL_ANY, SQL_ANYNONARRAY among them */
    bool variadic;         /* the last argument repeats */
    bool not_strict;       /* computes on NULL arguments too */
    enum sql_volatility volatility;
    sql_scalar_function scalar;
    sql_vector_function vector; /* either may be NULL, not both */
};

/* What resolution chose: cast each argument to arg_types[i] (implicitly), then call. */
struct sql_resolved {
    const struct sql_function *function;
    enum sql_type result;
    enum sql_type arg_types[SQL_FUNCTION_ARGS_MAX];
};

/* left is NULL for a prefix operator. 42883 "operator does not exist: text + integer" (with hint),
 * 42725 "operator is not unique: ...". */
enum status sql_resolve_operator(struct slice name, const enum sql_type *left, enum sql_type right,
                                 int position, struct sql_resolved *out,
                                 struct sql_error *error) MUST_CHECK;
/* 42883 "function f(integer, unknown) does not exist", 42725 "function ... is not unique". */
enum status sql_resolve_function(struct slice name, const enum sql_type *args, uint32_t arg_count,
                                 int position, struct sql_resolved *out,
                                 struct sql_error *error) MUST_CHECK;
/* Is there any function of this name (not an aggregate)? */
bool sql_function_exists(struct slice name);

/* The common type of UNION, CASE, VALUES, COALESCE, GREATEST, IN (chapter 10.5). All unknown:
 * TEXT. 42804 "CASE types text and integer cannot be matched"; `what` is the first word. `*which`
 * (may be NULL) says which entry the error is about. */
enum status sql_resolve_common_type(const enum sql_type *types, uint32_t count, const char *what,
                                    enum sql_type *out, uint32_t *which,
                                    struct sql_error *error) MUST_CHECK;

/* ---- casts ---------------------------------------------------------------------------------- */

enum sql_cast_context {
    SQL_CAST_IMPLICIT,   /* in any expression */
    SQL_CAST_ASSIGNMENT, /* INSERT, UPDATE */
    SQL_CAST_EXPLICIT    /* CAST(x AS t), x::t */
};

/* One row. The result obeys no modifier yet. */
typedef enum status (*sql_cast_function)(struct sql_eval_context *context,
                                         const struct sql_datum *from, struct sql_datum *out,
                                         struct sql_error *error);

struct sql_cast {
    enum sql_type from, to;
    enum sql_cast_context context; /* the least demanding one that allows it */
    sql_cast_function function;    /* NULL: the value stays as it is, only the type changes */
    sql_vector_function vector;    /* may be NULL */
};

/* NULL if there is none that `context` allows. from == to has none: nothing is to be done. Casts
 * from UNKNOWN are parsing and are not here. */
const struct sql_cast *sql_find_cast(enum sql_type from, enum sql_type to,
                                     enum sql_cast_context context);
/* May `from` become `to` in this context? True for from == to, for UNKNOWN, for pseudo types. */
bool sql_can_cast(enum sql_type from, enum sql_type to, enum sql_cast_context context);
/* Converts one value, UNKNOWN included, and applies the modifier of `to`. `context` decides how a
 * text too long is treated. 42846 if there is no such cast. */
enum status sql_cast_datum(struct sql_eval_context *context, const struct sql_datum *from,
                           struct sql_typed to, enum sql_cast_context cast_context,
                           struct sql_datum *out, struct sql_error *error) MUST_CHECK;

#endif
