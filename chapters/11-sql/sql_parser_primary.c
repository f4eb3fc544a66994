/* sql_parser_primary.c - what operators work on: constants, columns, calls, CASE, parentheses.
 *
 * PostgreSQL's c_expr and func_expr, with the calls that have a syntax of their own: these become
 * plain calls or nodes here, so that nobody behind the parser knows how they were written. */
#include "mem.h"
#include "sql_parser_internal.h"

static void refuse_if_select(struct parser *parser, int position) {
    if (parser_at_select(parser, 0)) {
        parser_refuse(parser, position, "subqueries in expressions are");
    }
}

/* ---- constants ------------------------------------------------------------------------------ */

static struct ast_expr *string_node(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind != TOKEN_STRING) parser_syntax_error(parser);
    struct ast_expr *node = parser_node(parser, AST_STRING, token->position);
    node->text = token->value;
    parser_advance(parser);
    return node;
}

static struct ast_expr *constant(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_STRING) return string_node(parser);
    enum ast_expr_kind kind = token->kind == TOKEN_INTEGER ? AST_INTEGER : AST_NUMERIC;
    struct ast_expr *node = parser_node(parser, kind, token->position);
    node->text = token->value;
    node->integer = kind == AST_INTEGER ? token->integer : 0;
    parser_advance(parser);
    return node;
}

static struct ast_expr *param(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    struct ast_expr *node = parser_node(parser, AST_PARAM, token->position);
    if (token->integer < 1 || token->integer > SQL_PARAM_MAX) {
        parser_error(parser, token->position, SQLSTATE_UNDEFINED_PARAMETER,
                     "there is no parameter $%lld", (long long)token->integer);
        return NULL;
    }
    node->param_number = (uint32_t)token->integer;
    if (node->param_number > parser->param_count) parser->param_count = node->param_number;
    parser_advance(parser);
    return node;
}

static struct ast_expr *word(struct parser *parser, enum ast_expr_kind kind, bool truth) {
    struct ast_expr *node = parser_node(parser, kind, parser_position(parser));
    if (kind == AST_BOOLEAN) node->truth = truth;
    parser_advance(parser);
    return node;
}

/* type 'text': the string is a constant of that type. */
static struct ast_expr *typed_string(struct parser *parser, const struct ast_type *type) {
    struct ast_expr *text = string_node(parser);
    if (parser_failed(parser)) return NULL;
    struct ast_expr *node = parser_unary(parser, AST_CAST, type->position, text);
    if (node != NULL) node->type = type;
    return node;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct ast_expr *call_node(struct parser *parser, const char *name, int position) {
    struct ast_expr *node = parser_node(parser, AST_CALL, position);
    node->name = name;
    return node;
}

/* FILTER (WHERE ...) and OVER, behind the closing parenthesis. */
static void call_suffix(struct parser *parser, struct ast_expr *node) {
    if (parser_at(parser, KW_WITHIN)) {
        parser_refuse(parser, parser_position(parser), "WITHIN GROUP is");
    }
    if (parser_at(parser, KW_FILTER) && parser_peek(parser, 1)->self == '(') {
        parser_advance(parser);
        parser_advance(parser);
        parser_expect(parser, KW_WHERE);
        struct ast_expr *filter = parser_expr(parser);
        parser_expect_self(parser, ')');
        if (parser_failed(parser)) return;
        node->filter = filter;
        parser_account(parser, node, filter);
    }
    parser_refuse_if(parser, KW_OVER, "window functions are");
}

/* At the opening parenthesis. */
static struct ast_expr *call(struct parser *parser, const char *schema, const char *name,
                             int position) {
    struct ast_expr *node = call_node(parser, name, position);
    node->schema = schema;
    parser_expect_self(parser, '(');
    if (parser_accept_operator(parser, "*")) {
        node->star = true;
    } else if (!parser_at_self(parser, ')')) {
        parser_refuse_if(parser, KW_VARIADIC, "VARIADIC is");
        node->distinct = parser_accept(parser, KW_DISTINCT);
        if (!node->distinct) (void)parser_accept(parser, KW_ALL);
        refuse_if_select(parser, parser_position(parser));
        do {
            parser_add_arg(parser, node, parser_expr(parser));
        } while (parser_accept_self(parser, ','));
        parser_refuse_if(parser, KW_ORDER, "ORDER BY in an aggregate is");
    }
    parser_expect_self(parser, ')');
    call_suffix(parser, node);
    return node;
}

/* COALESCE, GREATEST, LEAST, NULLIF. */
static struct ast_expr *conditional(struct parser *parser, enum ast_expr_kind kind) {
    struct ast_expr *node = parser_node(parser, kind, parser_position(parser));
    parser_advance(parser);
    parser_expect_self(parser, '(');
    parser_add_arg(parser, node, parser_expr(parser));
    if (kind == AST_NULLIF) {
        parser_expect_self(parser, ',');
        parser_add_arg(parser, node, parser_expr(parser));
    } else {
        while (parser_accept_self(parser, ','))
            parser_add_arg(parser, node, parser_expr(parser));
    }
    parser_expect_self(parser, ')');
    return node;
}

static struct ast_expr *cast(struct parser *parser) {
    int position = parser_position(parser);
    parser_advance(parser);
    parser_expect_self(parser, '(');
    struct ast_expr *arg = parser_expr(parser);
    parser_expect(parser, KW_AS);
    const struct ast_type *type = parser_type(parser);
    parser_expect_self(parser, ')');
    struct ast_expr *node = parser_unary(parser, AST_CAST, position, arg);
    if (node != NULL) node->type = type;
    return node;
}

/* position(needle IN text): the function takes the text first. */
static struct ast_expr *position_call(struct parser *parser) {
    struct ast_expr *node = call_node(parser, "position", parser_position(parser));
    parser_advance(parser);
    parser_expect_self(parser, '(');
    struct ast_expr *needle = parser_restricted_expr(parser);
    parser_expect(parser, KW_IN);
    parser_add_arg(parser, node, parser_restricted_expr(parser));
    parser_add_arg(parser, node, needle);
    parser_expect_self(parser, ')');
    return node;
}

/* substring(text FROM start FOR length), substring(text, start, length). */
static struct ast_expr *substring_call(struct parser *parser) {
    struct ast_expr *node = call_node(parser, "substring", parser_position(parser));
    parser_advance(parser);
    parser_expect_self(parser, '(');
    parser_add_arg(parser, node, parser_expr(parser));
    if (parser_accept(parser, KW_FROM)) {
        parser_add_arg(parser, node, parser_expr(parser));
        if (parser_accept(parser, KW_FOR)) parser_add_arg(parser, node, parser_expr(parser));
    } else if (parser_at(parser, KW_FOR)) {
        parser_advance(parser);
        struct ast_expr *one = parser_node(parser, AST_INTEGER, parser_position(parser));
        one->integer = 1;
        one->text = SLICE_LITERAL("1");
        parser_add_arg(parser, node, one);
        parser_add_arg(parser, node, parser_expr(parser));
    } else {
        parser_refuse_if(parser, KW_SIMILAR, "SUBSTRING SIMILAR is");
        while (parser_accept_self(parser, ','))
            parser_add_arg(parser, node, parser_expr(parser));
    }
    parser_expect_self(parser, ')');
    return node;
}

/* trim([BOTH | LEADING | TRAILING] [characters] FROM text), trim(text, characters). */
static struct ast_expr *trim_call(struct parser *parser) {
    struct ast_expr *node = call_node(parser, "btrim", parser_position(parser));
    parser_advance(parser);
    parser_expect_self(parser, '(');
    if (parser_accept(parser, KW_LEADING)) {
        node->name = "ltrim";
    } else if (parser_accept(parser, KW_TRAILING)) {
        node->name = "rtrim";
    } else {
        (void)parser_accept(parser, KW_BOTH);
    }
    struct ast_expr *characters = NULL;
    if (!parser_at(parser, KW_FROM)) {
        characters = parser_expr(parser);
    }
    if (parser_accept(parser, KW_FROM)) {
        parser_add_arg(parser, node, parser_expr(parser));
        if (characters != NULL) parser_add_arg(parser, node, characters);
    } else {
        parser_add_arg(parser, node, characters);
    }
    while (parser_accept_self(parser, ','))
        parser_add_arg(parser, node, parser_expr(parser));
    parser_expect_self(parser, ')');
    return node;
}

/* CURRENT_USER and the like: calls without parentheses. */
static struct ast_expr *bare_call(struct parser *parser, const char *name) {
    struct ast_expr *node = call_node(parser, name, parser_position(parser));
    parser_advance(parser);
    return node;
}

/* Words that start an expression by a syntax of their own. NULL if this is not one. */
static struct ast_expr *special_call(struct parser *parser, enum sql_keyword keyword) {
    switch (keyword) {
    case KW_COALESCE:
        return conditional(parser, AST_COALESCE);
    case KW_GREATEST:
        return conditional(parser, AST_GREATEST);
    case KW_LEAST:
        return conditional(parser, AST_LEAST);
    case KW_NULLIF:
        return conditional(parser, AST_NULLIF);
    case KW_CAST:
    case KW_TREAT:
        return cast(parser);
    case KW_POSITION:
        return position_call(parser);
    case KW_SUBSTRING:
        return substring_call(parser);
    case KW_TRIM:
        return trim_call(parser);
    case KW_CURRENT_USER:
    case KW_CURRENT_ROLE:
        return bare_call(parser, "current_user");
    case KW_USER:
    case KW_SESSION_USER:
    case KW_CURRENT_CATALOG:
        return bare_call(parser, sql_keyword_spelling(keyword));
    default:
        return NULL;
    }
}

/* Expressions that PostgreSQL has and we have not. */
static void refuse_special(struct parser *parser, enum sql_keyword keyword) {
    static const struct {
        enum sql_keyword keyword;
        const char *what;
    } refused[] = {
        {KW_EXISTS, "EXISTS is"},
        {KW_ARRAY, "arrays are"},
        {KW_GROUPING, "GROUPING is"},
        {KW_EXTRACT, "EXTRACT is"},
        {KW_OVERLAY, "OVERLAY is"},
        {KW_NORMALIZE, "NORMALIZE is"},
        {KW_CURRENT_DATE, "CURRENT_DATE is"},
        {KW_CURRENT_TIME, "CURRENT_TIME is"},
        {KW_CURRENT_TIMESTAMP, "CURRENT_TIMESTAMP is"},
        {KW_LOCALTIME, "LOCALTIME is"},
        {KW_LOCALTIMESTAMP, "LOCALTIMESTAMP is"},
        {KW_XMLCONCAT, "XML is"},
        {KW_XMLELEMENT, "XML is"},
        {KW_XMLEXISTS, "XML is"},
        {KW_XMLFOREST, "XML is"},
        {KW_XMLPARSE, "XML is"},
        {KW_XMLPI, "XML is"},
        {KW_XMLROOT, "XML is"},
        {KW_XMLSERIALIZE, "XML is"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (refused[i].keyword == keyword) {
            parser_refuse(parser, parser_position(parser), refused[i].what);
        }
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

/* a, a.b, a.b.c, a.*, f(...), a.f(...), t 'text': all start with a name. */
static struct ast_expr *name_expr(struct parser *parser) {
    int position = parser_position(parser);
    const char *names[3] = {NULL, NULL, NULL};
    size_t count = 0;
    bool star = false;
    bool function = parser_at_function_name(parser);
    bool column = parser_at_name(parser);
    names[count++] = parser_label(parser);
    while (!star && parser_accept_self(parser, '.')) {
        column = function = true;
        if (parser_accept_operator(parser, "*")) {
            star = true;
        } else if (count < ARRAY_LEN(names)) {
            names[count++] = parser_label(parser);
        } else {
            parser_refuse(parser, position, "cross-database references are");
        }
    }
    const char *name = names[count - 1];
    const char *qualifier = count > 1 ? names[count - 2] : NULL;
    if (!star && function && parser_at_self(parser, '(')) {
        return call(parser, qualifier, name, position);
    }
    if (!column) parser_syntax_error(parser);
    struct ast_expr *node = parser_node(parser, star ? AST_STAR : AST_COLUMN, position);
    node->name = star ? NULL : name;
    node->table = star ? name : qualifier;
    node->schema = star ? qualifier : count > 2 ? names[0] : NULL;
    return node;
}

/* `name 'text'` and `name(3) 'text'` are typed constants. */
static struct ast_expr *name_or_typed_string(struct parser *parser) {
    if (parser_at_function_name(parser) && parser_peek(parser, 1)->kind == TOKEN_STRING) {
        const struct ast_type *type = parser_type(parser);
        return parser_failed(parser) ? NULL : typed_string(parser, type);
    }
    return name_expr(parser);
}

/* ---- the rest ------------------------------------------------------------------------------- */

static struct ast_expr *case_expr(struct parser *parser) {
    struct ast_expr *node = parser_node(parser, AST_CASE, parser_position(parser));
    parser_advance(parser);
    if (!parser_at(parser, KW_WHEN)) {
        node->operand = parser_expr(parser);
        parser_account(parser, node, node->operand);
    }
    if (!parser_at(parser, KW_WHEN)) parser_syntax_error(parser);
    while (parser_accept(parser, KW_WHEN)) {
        parser_add_arg(parser, node, parser_expr(parser));
        parser_expect(parser, KW_THEN);
        parser_add_arg(parser, node, parser_expr(parser));
    }
    if (parser_accept(parser, KW_ELSE)) {
        node->else_result = parser_expr(parser);
        parser_account(parser, node, node->else_result);
    }
    parser_expect(parser, KW_END);
    return node;
}

/* What follows the first value of (a, b) or ROW(a, b). */
static struct ast_expr *row_rest(struct parser *parser, struct ast_expr *first, int position) {
    struct ast_expr *row = parser_node(parser, AST_ROW, position);
    parser_add_arg(parser, row, first);
    while (parser_accept_self(parser, ','))
        parser_add_arg(parser, row, parser_expr(parser));
    return row;
}

static struct ast_expr *parenthesised(struct parser *parser) {
    int position = parser_position(parser);
    parser_advance(parser);
    refuse_if_select(parser, position);
    struct ast_expr *inner = parser_expr(parser);
    if (parser_at_self(parser, ',')) inner = row_rest(parser, inner, position);
    parser_expect_self(parser, ')');
    if (parser_at_self(parser, '.')) {
        parser_refuse(parser, parser_position(parser), "selecting a field of a value is");
    }
    return inner;
}

static struct ast_expr *row_constructor(struct parser *parser) {
    int position = parser_position(parser);
    parser_advance(parser);
    parser_expect_self(parser, '(');
    if (parser_at_self(parser, ')')) parser_refuse(parser, position, "empty row expressions are");
    struct ast_expr *row = row_rest(parser, parser_expr(parser), position);
    parser_expect_self(parser, ')');
    return row;
}

static struct ast_expr *keyword_expr(struct parser *parser, enum sql_keyword keyword) {
    switch (keyword) {
    case KW_NULL:
        return word(parser, AST_NULL, false);
    case KW_TRUE:
        return word(parser, AST_BOOLEAN, true);
    case KW_FALSE:
        return word(parser, AST_BOOLEAN, false);
    case KW_DEFAULT:
        return word(parser, AST_DEFAULT, false);
    case KW_CASE:
        return case_expr(parser);
    default:
        break;
    }
    enum sql_keyword_class class = sql_keyword_class(keyword);
    bool call_follows = parser_peek(parser, 1)->self == '(';
    if (keyword == KW_ROW && call_follows) return row_constructor(parser);
    if (class == SQL_KEYWORD_RESERVED || call_follows) {
        struct ast_expr *node = special_call(parser, keyword);
        if (node != NULL) return node;
        refuse_special(parser, keyword);
    }
    if (keyword == KW_CURRENT_SCHEMA && !call_follows) return bare_call(parser, "current_schema");
    if (class == SQL_KEYWORD_RESERVED) {
        parser_syntax_error(parser);
        return NULL;
    }
    if (parser_at_type_keyword(parser) && parser_peek(parser, 1)->self != '.') {
        /* INTEGER '1'; but also a column named "time", which is no reserved word. */
        bool literal = call_follows || parser_peek(parser, 1)->kind == TOKEN_STRING ||
                       keyword == KW_DOUBLE || parser_at_ahead(parser, 1, KW_VARYING);
        if (keyword == KW_DOUBLE) literal = parser_at_ahead(parser, 1, KW_PRECISION);
        if (literal) {
            const struct ast_type *type = parser_type(parser);
            return parser_failed(parser) ? NULL : typed_string(parser, type);
        }
    }
    return name_or_typed_string(parser);
}

struct ast_expr *parser_primary(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    switch (token->kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMERIC:
    case TOKEN_STRING:
        return constant(parser);
    case TOKEN_PARAM:
        return param(parser);
    case TOKEN_IDENTIFIER:
        return name_or_typed_string(parser);
    case TOKEN_KEYWORD:
        return keyword_expr(parser, token->keyword);
    case TOKEN_SELF:
        if (token->self == '(') return parenthesised(parser);
        break;
    default:
        break;
    }
    parser_syntax_error(parser);
    return NULL;
}
