/* sql_build_internal.h - what the files of sql_build.h share. */
#ifndef CAIRN_SQL_BUILD_INTERNAL_H
#define CAIRN_SQL_BUILD_INTERNAL_H

#include "sql_build.h"

/* A node with room for its arguments (NULL). */
struct sql_expr *sql_build_node(struct sql_build *build, enum sql_expr_kind kind,
                                enum sql_type type, uint32_t arg_count, int position);
/* As sql_build_coerce with an implicit cast that is known to exist. */
enum status sql_build_implicit(struct sql_build *build, struct sql_expr *arg, enum sql_type type,
                               struct sql_expr **out, struct sql_error *error) MUST_CHECK;

/* The type of an argument. A parameter may have got one since the node was made. */
enum sql_type sql_build_type(const struct sql_build *build, struct sql_expr *arg);

#endif
