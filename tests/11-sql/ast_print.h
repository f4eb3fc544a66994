/* ast_print.h - writes a syntax tree as SQL again, every operator in parentheses.
 *
 * So that a test can say in one line how a text was understood, and that what was understood can be
 * parsed again to the same tree. */
#ifndef CAIRN_AST_PRINT_H
#define CAIRN_AST_PRINT_H

#include "buf.h"
#include "sql_ast.h"

void ast_print_expr(const struct ast_expr *expr, struct buf *out);
void ast_print_statement(const struct ast_statement *statement, struct buf *out);

#endif
