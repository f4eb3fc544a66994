/* expr_fixture.h - from SQL text to a bound expression and its value, for this chapter. */
#ifndef CAIRN_EXPR_FIXTURE_H
#define CAIRN_EXPR_FIXTURE_H

#include "harness.h"
#include "sql_binder.h"
#include "sql_expr.h"

/* "select <text>" bound without tables. Parameters may occur. */
enum status fixture_bind(struct arena *arena, const char *text, struct sql_build *build,
                         struct sql_expr **out, struct sql_error *error);
/* The value as psql prints it, "NULL" for NULL; on error its message. `error` is cleared first. */
const char *fixture_eval(struct arena *arena, const char *text, struct sql_error *error);
/* Text format; "NULL". */
const char *fixture_print(struct arena *arena, const struct sql_datum *datum);

#endif
