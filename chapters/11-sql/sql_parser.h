/* sql_parser.h - PostgreSQL's grammar, as much of it as Cairn speaks: text in, syntax trees out.
 *
 * A hand-written recursive-descent parser; expressions by precedence climbing over PostgreSQL's
 * table (its chapter 4.1.6). Pure.
 *
 *  1. A text is parsed whole or refused whole, as PostgreSQL does with a simple query: a syntax
 *     error in the last statement keeps the first from running.
 *  2. What PostgreSQL's grammar has and Cairn has not is recognised and refused by name (0A000
 *     "LEFT JOIN is not supported") at its position; everything else unknown is 42601.
 *  3. Recursion is bounded by SQL_DEPTH_MAX, independent of the text (54001). Lists cost no depth.
 *
 * Files: sql_parser_expr.c (operators), _primary.c (what operators work on), _type.c, _select.c,
 * _dml.c, _ddl.c, _session.c (transactions, variables, EXPLAIN). */
#ifndef CAIRN_SQL_PARSER_H
#define CAIRN_SQL_PARSER_H

#include "arena.h"
#include "sql_ast.h"
#include "sql_error.h"

/* Parses a query string. Trees and `out->statements` live in `arena` and borrow from `text`. On
 * failure `error` says why (22021, 42601, 0A000, 54001, 53200 when over the arena's budget). */
enum status sql_parse(struct arena *arena, struct slice text, struct ast_script *out,
                      struct sql_error *error) MUST_CHECK;

/* One expression and nothing else: what sql_table_column.default_text holds. */
enum status sql_parse_expression(struct arena *arena, struct slice text, struct ast_expr **out,
                                 struct sql_error *error) MUST_CHECK;

#endif
