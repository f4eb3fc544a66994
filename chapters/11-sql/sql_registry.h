/* sql_registry.h - the tables of functions, and small tools for those who write functions.
 *
 * Included by sql_functions_*.c and sql_resolve.c only. A new family of functions is a new file and
 * a row in sql_registry.c. */
#ifndef CAIRN_SQL_REGISTRY_H
#define CAIRN_SQL_REGISTRY_H

#include "mem.h"
#include "sql_expr.h"
#include "sql_function.h"

struct sql_function_table {
    const struct sql_function *functions;
    size_t count;
};

/* All tables, ended by one without functions. */
extern const struct sql_function_table *const sql_function_tables[];

extern const struct sql_function_table sql_functions_arithmetic;
extern const struct sql_function_table sql_functions_compare;
extern const struct sql_function_table sql_functions_float;
extern const struct sql_function_table sql_functions_numeric;
extern const struct sql_function_table sql_functions_text;
extern const struct sql_function_table sql_functions_pattern;
extern const struct sql_function_table sql_functions_system;

/* sql_resolve_function over the given tables (ended like sql_function_tables). */
enum status sql_resolve_among(const struct sql_function_table *const *tables, struct slice name,
                              const enum sql_type *args, uint32_t arg_count, int position,
                              struct sql_resolved *out, struct sql_error *error) MUST_CHECK;

/* Room for a text result: 54000 when it is longer than any value may be, 53200 when the statement's
 * memory does not allow it. */
enum status sql_text_room(struct sql_eval_context *context, uint64_t len, uint8_t **out,
                          struct sql_error *error) MUST_CHECK;
/* A text result that is a copy of `text`. */
enum status sql_text_result(struct sql_eval_context *context, struct slice text,
                            struct sql_datum *out, struct sql_error *error) MUST_CHECK;

/* 22003 "integer out of range" for the type. */
enum status sql_integer_range_error(enum sql_type type, struct sql_error *error);
void sql_integer_range(enum sql_type type, int64_t *low, int64_t *high);
/* Translates what numeric.h answers: TOO_LARGE is 22003, INVALID the SQLSTATE and text given. */
enum status sql_numeric_status(enum status status, const char *sqlstate, const char *text,
                               struct sql_error *error) MUST_CHECK;

/* Characters of valid UTF-8. */
size_t sql_utf8_length(struct slice text);
/* Bytes of the first `count` characters. */
size_t sql_utf8_offset(struct slice text, size_t count);

#endif
