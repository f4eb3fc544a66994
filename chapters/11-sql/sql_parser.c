/* sql_parser.c - the parser's ground: tokens ahead, errors, names, lists, nodes; and the script.
 *
 * Nothing here knows a statement or an operator; the grammar is in the other sql_parser_*.c. */
#include "sql_parser.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "sql_parser_internal.h"

/* ---- failing -------------------------------------------------------------------------------- */

/* Every token from here on is the end. */
static void give_up(struct parser *parser, enum status status) {
    parser->status = status;
    parser->tokens[0] = (struct sql_token){.kind = TOKEN_END};
    parser->first = 0;
    parser->token_count = 1;
}

void parser_error(struct parser *parser, int position, const char *sqlstate, const char *format,
                  ...) {
    if (parser_failed(parser)) return;
    char message[SQL_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    give_up(parser, sql_error_set_at(parser->error, position, sqlstate, "%s", message));
}

void parser_syntax_error(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (parser_failed(parser)) return;
    if (token->kind == TOKEN_END) {
        parser_error(parser, token->position, SQLSTATE_SYNTAX_ERROR,
                     "syntax error at end of input");
        return;
    }
    size_t begin = (size_t)(token->source.data - parser->lexer.text.data);
    give_up(parser, sql_lexer_error(&parser->lexer, begin, begin + token->source.len,
                                    "syntax error", parser->error));
}

void parser_refuse(struct parser *parser, int position, const char *what) {
    parser_error(parser, position, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s not supported", what);
}

void parser_refuse_if(struct parser *parser, enum sql_keyword keyword, const char *what) {
    if (parser_at(parser, keyword)) parser_refuse(parser, parser_position(parser), what);
}

static void refuse_depth(struct parser *parser) {
    if (parser_failed(parser)) return;
    parser_error(parser, 0, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
    sql_error_hint(parser->error, "Expressions and subqueries nest at most %d levels deep.",
                   SQL_DEPTH_MAX);
}

/* Trees grow with the client's text: lists look whether the arena's budget is passed. */
static void check_budget(struct parser *parser) {
    struct error lower = {0};
    if (parser_failed(parser) || arena_check(parser->arena, &lower) == STATUS_OK) return;
    give_up(parser, sql_error_from(parser->error, &lower));
}

void parser_enter(struct parser *parser) {
    if (++parser->depth > SQL_DEPTH_MAX) refuse_depth(parser);
}

void parser_leave(struct parser *parser) {
    assert(parser->depth > 0);
    parser->depth--;
}

/* ---- tokens --------------------------------------------------------------------------------- */

const struct sql_token *parser_peek(struct parser *parser, uint32_t n) {
    assert(n < PARSER_LOOKAHEAD);
    if (parser_failed(parser)) return &parser->tokens[parser->first];
    while (parser->token_count <= n) {
        struct sql_token *slot =
            &parser->tokens[(parser->first + parser->token_count) % PARSER_LOOKAHEAD];
        enum status status = sql_lexer_next(&parser->lexer, slot, parser->error);
        if (status != STATUS_OK) {
            give_up(parser, status);
            return &parser->tokens[0];
        }
        parser->token_count++;
    }
    return &parser->tokens[(parser->first + n) % PARSER_LOOKAHEAD];
}

void parser_advance(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (parser_failed(parser) || token->kind == TOKEN_END) return;
    parser->last_end = (size_t)(token->source.data - parser->lexer.text.data) + token->source.len;
    parser->first = (parser->first + 1) % PARSER_LOOKAHEAD;
    parser->token_count--;
}

bool parser_at_ahead(struct parser *parser, uint32_t n, enum sql_keyword keyword) {
    const struct sql_token *token = parser_peek(parser, n);
    return token->kind == TOKEN_KEYWORD && token->keyword == keyword;
}

bool parser_at(struct parser *parser, enum sql_keyword keyword) {
    return parser_at_ahead(parser, 0, keyword);
}

bool parser_at_self(struct parser *parser, char self) {
    const struct sql_token *token = parser_peek(parser, 0);
    return token->kind == TOKEN_SELF && token->self == self;
}

bool parser_at_operator(struct parser *parser, const char *name) {
    const struct sql_token *token = parser_peek(parser, 0);
    return token->kind == TOKEN_OPERATOR && strcmp(token->name, name) == 0;
}

bool parser_accept(struct parser *parser, enum sql_keyword keyword) {
    bool found = parser_at(parser, keyword);
    if (found) parser_advance(parser);
    return found;
}

bool parser_accept_self(struct parser *parser, char self) {
    bool found = parser_at_self(parser, self);
    if (found) parser_advance(parser);
    return found;
}

bool parser_accept_operator(struct parser *parser, const char *name) {
    bool found = parser_at_operator(parser, name);
    if (found) parser_advance(parser);
    return found;
}

void parser_expect(struct parser *parser, enum sql_keyword keyword) {
    if (!parser_accept(parser, keyword)) parser_syntax_error(parser);
}

void parser_expect_self(struct parser *parser, char self) {
    if (!parser_accept_self(parser, self)) parser_syntax_error(parser);
}

int parser_position(struct parser *parser) { return parser_peek(parser, 0)->position; }

/* ---- names ---------------------------------------------------------------------------------- */

bool parser_at_name_ahead(struct parser *parser, uint32_t n) {
    const struct sql_token *token = parser_peek(parser, n);
    if (token->kind == TOKEN_IDENTIFIER) return true;
    if (token->kind != TOKEN_KEYWORD) return false;
    enum sql_keyword_class class = sql_keyword_class(token->keyword);
    return class == SQL_KEYWORD_UNRESERVED || class == SQL_KEYWORD_COLUMN_NAME;
}

bool parser_at_name(struct parser *parser) { return parser_at_name_ahead(parser, 0); }

bool parser_at_function_name(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_IDENTIFIER) return true;
    if (token->kind != TOKEN_KEYWORD) return false;
    enum sql_keyword_class class = sql_keyword_class(token->keyword);
    return class == SQL_KEYWORD_UNRESERVED || class == SQL_KEYWORD_TYPE_OR_FUNCTION;
}

static const char *take_name(struct parser *parser, bool allowed) {
    if (!allowed) parser_syntax_error(parser);
    const char *name = parser_peek(parser, 0)->name;
    parser_advance(parser);
    return parser_failed(parser) ? "" : name;
}

const char *parser_name(struct parser *parser) { return take_name(parser, parser_at_name(parser)); }

const char *parser_label(struct parser *parser) {
    enum sql_token_kind kind = parser_peek(parser, 0)->kind;
    return take_name(parser, kind == TOKEN_IDENTIFIER || kind == TOKEN_KEYWORD);
}

struct ast_relation parser_relation(struct parser *parser) {
    struct ast_relation relation = {.position = parser_position(parser)};
    relation.name = parser_name(parser);
    if (parser_accept_self(parser, '.')) {
        relation.schema = relation.name;
        relation.name = parser_label(parser);
    }
    if (parser_at_self(parser, '.')) {
        parser_refuse(parser, relation.position, "cross-database references are");
    }
    return relation;
}

struct ast_names parser_name_list(struct parser *parser) {
    struct ast_names names = {0};
    parser_expect_self(parser, '(');
    do {
        names.items = parser_grow(parser, names.items, names.count, sizeof(*names.items));
        names.positions =
            parser_grow(parser, names.positions, names.count, sizeof(*names.positions));
        names.positions[names.count] = parser_position(parser);
        names.items[names.count++] = parser_name(parser);
    } while (parser_accept_self(parser, ','));
    parser_expect_self(parser, ')');
    return names;
}

/* ---- lists ---------------------------------------------------------------------------------- */

void *parser_grow(struct parser *parser, void *items, size_t count, size_t item_size) {
    bool full = count == 0 || (count >= 4 && (count & (count - 1)) == 0);
    if (!full) return items;
    size_t capacity = count == 0 ? 4 : count * 2;
    check_budget(parser);
    void *larger = arena_zalloc(parser->arena, capacity * item_size);
    if (count > 0) memcpy(larger, items, count * item_size);
    return larger;
}

void parser_append(struct parser *parser, struct ast_exprs *list, struct ast_expr *expr) {
    list->items = parser_grow(parser, list->items, list->count, sizeof(struct ast_expr *));
    list->items[list->count++] = expr;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

struct ast_expr *parser_node(struct parser *parser, enum ast_expr_kind kind, int position) {
    struct ast_expr *node = ARENA_NEW(parser->arena, struct ast_expr);
    node->kind = kind;
    node->position = position;
    node->depth = 1;
    return node;
}

void parser_account(struct parser *parser, struct ast_expr *node, const struct ast_expr *child) {
    if (parser_failed(parser)) return;
    if (node->depth <= child->depth) node->depth = child->depth + 1;
    if (node->depth > SQL_DEPTH_MAX) refuse_depth(parser);
}

void parser_add_arg(struct parser *parser, struct ast_expr *node, struct ast_expr *arg) {
    if (parser_failed(parser)) return;
    parser_append(parser, &node->args, arg);
    parser_account(parser, node, arg);
}

struct ast_expr *parser_unary(struct parser *parser, enum ast_expr_kind kind, int position,
                              struct ast_expr *arg) {
    if (parser_failed(parser)) return NULL;
    struct ast_expr *node = parser_node(parser, kind, position);
    node->args.items = ARENA_ARRAY(parser->arena, struct ast_expr *, 1);
    node->args.items[0] = arg;
    node->args.count = 1;
    parser_account(parser, node, arg);
    return node;
}

struct ast_expr *parser_binary(struct parser *parser, enum ast_expr_kind kind, int position,
                               struct ast_expr *left, struct ast_expr *right) {
    if (parser_failed(parser)) return NULL;
    struct ast_expr *node = parser_node(parser, kind, position);
    node->args.items = ARENA_ARRAY(parser->arena, struct ast_expr *, 2);
    node->args.items[0] = left;
    node->args.items[1] = right;
    node->args.count = 2;
    parser_account(parser, node, left);
    parser_account(parser, node, right);
    return node;
}

/* ---- scripts -------------------------------------------------------------------------------- */

static void parser_init(struct parser *parser, struct arena *arena, struct slice text,
                        struct sql_error *error) {
    *parser = (struct parser){.arena = arena, .error = error};
    sql_lexer_init(&parser->lexer, arena, text);
}

enum status sql_parse(struct arena *arena, struct slice text, struct ast_script *out,
                      struct sql_error *error) {
    *out = (struct ast_script){0};
    TRY(sql_text_check(text, error));
    struct parser parser;
    parser_init(&parser, arena, text, error);
    while (parser_peek(&parser, 0)->kind != TOKEN_END) {
        if (parser_accept_self(&parser, ';')) continue;
        size_t begin = (size_t)(parser_peek(&parser, 0)->source.data - text.data);
        parser.param_count = 0;
        struct ast_statement *statement = parser_statement(&parser);
        if (parser_peek(&parser, 0)->kind != TOKEN_END && !parser_at_self(&parser, ';')) {
            parser_syntax_error(&parser);
        }
        if (parser_failed(&parser)) break;
        statement->text = slice_of(text.data + begin, parser.last_end - begin);
        statement->param_count = parser.param_count;
        out->statements = parser_grow(&parser, out->statements, out->count, sizeof(statement));
        out->statements[out->count++] = statement;
    }
    check_budget(&parser);
    return parser.status;
}

enum status sql_parse_expression(struct arena *arena, struct slice text, struct ast_expr **out,
                                 struct sql_error *error) {
    TRY(sql_text_check(text, error));
    struct parser parser;
    parser_init(&parser, arena, text, error);
    *out = parser_expr(&parser);
    if (parser_peek(&parser, 0)->kind != TOKEN_END) parser_syntax_error(&parser);
    check_budget(&parser);
    return parser.status;
}
