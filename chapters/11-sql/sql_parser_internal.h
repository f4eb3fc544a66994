/* sql_parser_internal.h - what the files of the parser share; nobody else includes it.
 *
 * Failing is sticky: the first error is kept, from then on every token is TOKEN_END, so that all
 * loops end and all functions return. A function returns whatever it has (perhaps NULL); sql_parse
 * looks at `status` in the end. Whoever dereferences a result asks parser_failed before. */
#ifndef CAIRN_SQL_PARSER_INTERNAL_H
#define CAIRN_SQL_PARSER_INTERNAL_H

#include "sql_lexer.h"
#include "sql_parser.h"

enum { PARSER_LOOKAHEAD = 3 };

struct parser {
    struct arena *arena;
    struct sql_lexer lexer;
    struct sql_error *error;
    enum status status;                        /* of the first failure */
    struct sql_token tokens[PARSER_LOOKAHEAD]; /* a ring; tokens[first] is the current one */
    uint32_t first;
    uint32_t token_count; /* read ahead */
    uint32_t depth;
    uint32_t param_count;
    size_t last_end; /* byte behind the token consumed last */
};

static inline bool parser_failed(const struct parser *parser) {
    return parser->status != STATUS_OK;
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* The token `n` places ahead; 0 is the current one. */
const struct sql_token *parser_peek(struct parser *parser, uint32_t n);
void parser_advance(struct parser *parser);

bool parser_at(struct parser *parser, enum sql_keyword keyword);
bool parser_at_self(struct parser *parser, char self);
bool parser_at_operator(struct parser *parser, const char *name);
bool parser_at_ahead(struct parser *parser, uint32_t n, enum sql_keyword keyword);
/* Consume it if it is there. */
bool parser_accept(struct parser *parser, enum sql_keyword keyword);
bool parser_accept_self(struct parser *parser, char self);
bool parser_accept_operator(struct parser *parser, const char *name);
/* Consume it or fail. */
void parser_expect(struct parser *parser, enum sql_keyword keyword);
void parser_expect_self(struct parser *parser, char self);
int parser_position(struct parser *parser);

/* ---- failing -------------------------------------------------------------------------------- */

/* 42601 'syntax error at or near "x"', at the current token. */
void parser_syntax_error(struct parser *parser);
/* 0A000 "WHAT is not supported". */
void parser_refuse(struct parser *parser, int position, const char *what);
/* If the keyword is the current token. */
void parser_refuse_if(struct parser *parser, enum sql_keyword keyword, const char *what);
void parser_error(struct parser *parser, int position, const char *sqlstate, const char *format,
                  ...) PRINTF_LIKE(4, 5);
/* Around every function that recurses. parser_enter fails with 54001 at the bound. */
void parser_enter(struct parser *parser);
void parser_leave(struct parser *parser);

/* ---- names: PostgreSQL's ColId, type_function_name, ColLabel --------------------------------- */

bool parser_at_name(struct parser *parser);
bool parser_at_name_ahead(struct parser *parser, uint32_t n);
bool parser_at_function_name(struct parser *parser);
const char *parser_name(struct parser *parser);
const char *parser_label(struct parser *parser);
struct ast_relation parser_relation(struct parser *parser);
/* (a, b, c) */
struct ast_names parser_name_list(struct parser *parser);

/* ---- lists ---------------------------------------------------------------------------------- */

/* Room for one more item: returns `items`, or a larger copy. Capacities are 4, 8, 16... */
void *parser_grow(struct parser *parser, void *items, size_t count, size_t item_size);
void parser_append(struct parser *parser, struct ast_exprs *list, struct ast_expr *expr);

/* ---- nodes ---------------------------------------------------------------------------------- */

struct ast_expr *parser_node(struct parser *parser, enum ast_expr_kind kind, int position);
/* Appends an argument; keeps the depth. */
void parser_add_arg(struct parser *parser, struct ast_expr *node, struct ast_expr *arg);
/* Accounts for a child that is not among the args; fails with 54001 when the tree gets too deep. */
void parser_account(struct parser *parser, struct ast_expr *node, const struct ast_expr *child);
struct ast_expr *parser_unary(struct parser *parser, enum ast_expr_kind kind, int position,
                              struct ast_expr *arg);
struct ast_expr *parser_binary(struct parser *parser, enum ast_expr_kind kind, int position,
                               struct ast_expr *left, struct ast_expr *right);

/* ---- the grammar ---------------------------------------------------------------------------- */

/* a_expr */
struct ast_expr *parser_expr(struct parser *parser);
/* b_expr: no AND, OR, NOT, IS, IN, LIKE, BETWEEN outside parentheses. */
struct ast_expr *parser_restricted_expr(struct parser *parser);
/* c_expr */
struct ast_expr *parser_primary(struct parser *parser);
/* One or more, separated by commas. */
struct ast_exprs parser_expr_list(struct parser *parser);
/* Typename */
const struct ast_type *parser_type(struct parser *parser);
/* A type that the grammar spells in words of its own (INTEGER, DOUBLE PRECISION...) starts here. */
bool parser_at_type_keyword(struct parser *parser);

bool parser_at_select(struct parser *parser, uint32_t n);
struct ast_select *parser_select(struct parser *parser);
/* AS label, or a bare label, behind a target. */
void parser_targets(struct parser *parser, struct ast_target **targets, size_t *count);

void parser_insert(struct parser *parser, struct ast_statement *statement);
void parser_update(struct parser *parser, struct ast_statement *statement);
void parser_delete(struct parser *parser, struct ast_statement *statement);
void parser_create(struct parser *parser, struct ast_statement *statement);
void parser_drop(struct parser *parser, struct ast_statement *statement);
/* BEGIN, SET, SHOW, EXPLAIN... False (nothing consumed) if the statement is none of these. */
bool parser_session_statement(struct parser *parser, struct ast_statement *statement);
/* Any statement, and what it is. */
struct ast_statement *parser_statement(struct parser *parser);

#endif
