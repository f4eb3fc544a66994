/* sql_parser_expr.c - operators, by precedence climbing over PostgreSQL's table.
 *
 * An expression is a primary followed by operators; an operator takes what stands to its left and,
 * by recursion, all that binds more tightly to its right (Pratt 1973). The table is that of
 * PostgreSQL's gram.y; "nonassoc" means that two of a level in a row are a syntax error. What
 * stands between operators is in sql_parser_primary.c. */

#include "mem.h"
#include "sql_parser_internal.h"

/* From loosest to tightest. */
enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_NOT,
    PRECEDENCE_IS,         /* nonassoc; IS, ISNULL, NOTNULL */
    PRECEDENCE_COMPARISON, /* nonassoc; < > = <= >= <> */
    PRECEDENCE_MATCH,      /* nonassoc; BETWEEN IN LIKE ILIKE SIMILAR */
    PRECEDENCE_OTHER,      /* any other operator, native or not */
    PRECEDENCE_ADD,        /* + - */
    PRECEDENCE_MULTIPLY,   /* * / % */
    PRECEDENCE_POWER,      /* ^, left-associative */
    PRECEDENCE_AT,         /* AT TIME ZONE */
    PRECEDENCE_COLLATE,
    PRECEDENCE_SIGN, /* unary + - */
    PRECEDENCE_CAST  /* :: [ ] . */
};

/* What the loop over operators carries. */
struct climb {
    struct ast_expr *left;
    bool restricted;         /* b_expr */
    enum precedence minimum; /* operators that bind less tightly are the caller's */
    enum precedence blocked; /* the nonassoc level that must not follow itself; or NONE */
};

static struct ast_expr *climb(struct parser *parser, enum precedence minimum, bool restricted);

struct ast_expr *parser_expr(struct parser *parser) {
    return climb(parser, PRECEDENCE_NONE, false);
}

struct ast_expr *parser_restricted_expr(struct parser *parser) {
    return climb(parser, PRECEDENCE_NONE, true);
}

struct ast_exprs parser_expr_list(struct parser *parser) {
    struct ast_exprs list = {0};
    do {
        parser_append(parser, &list, parser_expr(parser));
    } while (parser_accept_self(parser, ','));
    return list;
}

/* ---- which operator stands here ------------------------------------------------------------- */

static enum precedence precedence_of_operator(const char *name) {
    static const char *const comparisons[] = {"<", ">", "=", "<=", ">=", "<>"};
    for (size_t i = 0; i < ARRAY_LEN(comparisons); i++) {
        if (strcmp(name, comparisons[i]) == 0) return PRECEDENCE_COMPARISON;
    }
    if (name[1] != '\0') return PRECEDENCE_OTHER;
    if (name[0] == '+' || name[0] == '-') return PRECEDENCE_ADD;
    if (name[0] == '*' || name[0] == '/' || name[0] == '%') return PRECEDENCE_MULTIPLY;
    if (name[0] == '^') return PRECEDENCE_POWER;
    return PRECEDENCE_OTHER;
}

static enum precedence precedence_of_keyword(struct parser *parser, enum sql_keyword keyword,
                                             bool restricted) {
    if (keyword == KW_IS && restricted) {
        /* b_expr has IS DISTINCT FROM and IS NOT DISTINCT FROM only. */
        uint32_t n = parser_at_ahead(parser, 1, KW_NOT) ? 2 : 1;
        return parser_at_ahead(parser, n, KW_DISTINCT) ? PRECEDENCE_IS : PRECEDENCE_NONE;
    }
    if (restricted) return PRECEDENCE_NONE;
    switch (keyword) {
    case KW_OR:
        return PRECEDENCE_OR;
    case KW_AND:
        return PRECEDENCE_AND;
    case KW_IS:
    case KW_ISNULL:
    case KW_NOTNULL:
        return PRECEDENCE_IS;
    case KW_BETWEEN:
    case KW_IN:
    case KW_LIKE:
    case KW_ILIKE:
    case KW_SIMILAR:
        return PRECEDENCE_MATCH;
    case KW_NOT:
        return parser_at_ahead(parser, 1, KW_BETWEEN) || parser_at_ahead(parser, 1, KW_IN) ||
                       parser_at_ahead(parser, 1, KW_LIKE) ||
                       parser_at_ahead(parser, 1, KW_ILIKE) ||
                       parser_at_ahead(parser, 1, KW_SIMILAR)
                   ? PRECEDENCE_MATCH
                   : PRECEDENCE_NONE;
    case KW_AT:
        return PRECEDENCE_AT;
    case KW_COLLATE:
        return PRECEDENCE_COLLATE;
    case KW_OVERLAPS:
        return PRECEDENCE_OTHER;
    default:
        return PRECEDENCE_NONE;
    }
}

/* Of the operator that the current token is, or starts; NONE if it is none. */
static enum precedence precedence_here(struct parser *parser, bool restricted) {
    const struct sql_token *token = parser_peek(parser, 0);
    switch (token->kind) {
    case TOKEN_TYPECAST:
        return PRECEDENCE_CAST;
    case TOKEN_OPERATOR:
        return precedence_of_operator(token->name);
    case TOKEN_SELF:
        return token->self == '[' ? PRECEDENCE_CAST : PRECEDENCE_NONE;
    case TOKEN_KEYWORD:
        return precedence_of_keyword(parser, token->keyword, restricted);
    case TOKEN_IDENTIFIER:
        /* OPERATOR(schema.op): the word is no keyword of ours. */
        return strcmp(token->name, "operator") == 0 && parser_peek(parser, 1)->self == '('
                   ? PRECEDENCE_OTHER
                   : PRECEDENCE_NONE;
    default:
        return PRECEDENCE_NONE;
    }
}

/* ---- what operators make -------------------------------------------------------------------- */

static struct ast_expr *operator_node(struct parser *parser, const char *op, int position,
                                      struct ast_expr *left, struct ast_expr *right) {
    struct ast_expr *node = parser_binary(parser, AST_BINARY, position, left, right);
    if (node != NULL) node->op = op;
    return node;
}

/* AND and OR chains are one node, however long. */
static void climb_chain(struct parser *parser, struct climb *state, enum ast_expr_kind kind,
                        enum precedence precedence) {
    enum sql_keyword keyword = kind == AST_AND ? KW_AND : KW_OR;
    struct ast_expr *node = parser_node(parser, kind, parser_position(parser));
    parser_add_arg(parser, node, state->left);
    while (parser_accept(parser, keyword)) {
        parser_add_arg(parser, node, climb(parser, precedence + 1, false));
    }
    state->left = node;
}

static void climb_is(struct parser *parser, struct climb *state) {
    int position = parser_position(parser);
    parser_advance(parser);
    bool negated = parser_accept(parser, KW_NOT);
    enum ast_expr_kind kind = AST_IS_NULL;
    if (parser_accept(parser, KW_DISTINCT)) {
        parser_expect(parser, KW_FROM);
        struct ast_expr *right = climb(parser, PRECEDENCE_IS + 1, state->restricted);
        state->left = parser_binary(parser, AST_DISTINCT_FROM, position, state->left, right);
        if (state->left != NULL) state->left->negated = negated;
        state->blocked = PRECEDENCE_IS;
        return;
    }
    if (parser_accept(parser, KW_NULL)) {
        kind = AST_IS_NULL;
    } else if (parser_accept(parser, KW_TRUE)) {
        kind = AST_IS_TRUE;
    } else if (parser_accept(parser, KW_FALSE)) {
        kind = AST_IS_FALSE;
    } else if (parser_accept(parser, KW_UNKNOWN)) {
        kind = AST_IS_UNKNOWN;
    } else {
        parser_syntax_error(parser);
    }
    state->left = parser_unary(parser, kind, position, state->left);
    if (state->left != NULL) state->left->negated = negated;
}

static void climb_between(struct parser *parser, struct climb *state, int position, bool negated) {
    parser_advance(parser);
    bool symmetric = parser_accept(parser, KW_SYMMETRIC);
    if (!symmetric) (void)parser_accept(parser, KW_ASYMMETRIC);
    struct ast_expr *node = parser_node(parser, AST_BETWEEN, position);
    node->negated = negated;
    node->symmetric = symmetric;
    parser_add_arg(parser, node, state->left);
    parser_add_arg(parser, node, parser_restricted_expr(parser));
    parser_expect(parser, KW_AND);
    parser_add_arg(parser, node, climb(parser, PRECEDENCE_MATCH + 1, false));
    state->left = node;
    state->blocked = PRECEDENCE_MATCH;
}

static void climb_in(struct parser *parser, struct climb *state, int position, bool negated) {
    parser_advance(parser);
    int list = parser_position(parser);
    parser_expect_self(parser, '(');
    if (parser_at_select(parser, 0)) parser_refuse(parser, list, "subqueries in expressions are");
    struct ast_expr *node = parser_node(parser, AST_IN, position);
    node->negated = negated;
    parser_add_arg(parser, node, state->left);
    do {
        parser_add_arg(parser, node, parser_expr(parser));
    } while (parser_accept_self(parser, ','));
    parser_expect_self(parser, ')');
    state->left = node;
}

static void climb_like(struct parser *parser, struct climb *state, int position, bool negated) {
    bool fold = parser_at(parser, KW_ILIKE);
    parser_advance(parser);
    parser_refuse_if(parser, KW_ANY, "LIKE ANY is");
    parser_refuse_if(parser, KW_ALL, "LIKE ALL is");
    struct ast_expr *right = climb(parser, PRECEDENCE_MATCH + 1, false);
    if (parser_at(parser, KW_ESCAPE)) {
        /* As PostgreSQL: the pattern passes through like_escape first. */
        int escape = parser_position(parser);
        parser_advance(parser);
        struct ast_expr *call = parser_node(parser, AST_CALL, escape);
        call->name = "like_escape";
        parser_add_arg(parser, call, right);
        parser_add_arg(parser, call, climb(parser, PRECEDENCE_MATCH + 1, false));
        right = call;
    }
    const char *op = fold ? (negated ? "!~~*" : "~~*") : (negated ? "!~~" : "~~");
    state->left = operator_node(parser, op, position, state->left, right);
    state->blocked = PRECEDENCE_MATCH;
}

/* BETWEEN, IN, LIKE, ILIKE, SIMILAR, perhaps behind NOT. */
static void climb_match(struct parser *parser, struct climb *state) {
    int position = parser_position(parser);
    bool negated = parser_accept(parser, KW_NOT);
    if (parser_at(parser, KW_BETWEEN)) {
        climb_between(parser, state, position, negated);
    } else if (parser_at(parser, KW_IN)) {
        climb_in(parser, state, position, negated);
    } else if (parser_at(parser, KW_SIMILAR)) {
        parser_refuse(parser, position, "SIMILAR TO is");
    } else {
        climb_like(parser, state, position, negated);
    }
}

/* OPERATOR(pg_catalog.+): the name of the operator. */
static const char *qualified_operator(struct parser *parser) {
    parser_advance(parser);
    parser_expect_self(parser, '(');
    while (parser_at_name(parser)) {
        (void)parser_name(parser);
        parser_expect_self(parser, '.');
    }
    const struct sql_token *token = parser_peek(parser, 0);
    const char *name = token->name;
    if (token->kind != TOKEN_OPERATOR) parser_syntax_error(parser);
    parser_advance(parser);
    parser_expect_self(parser, ')');
    return name;
}

/* A binary operator written in symbols. */
static void climb_operator(struct parser *parser, struct climb *state, enum precedence precedence) {
    int position = parser_position(parser);
    const char *op = parser_peek(parser, 0)->name;
    if (parser_peek(parser, 0)->kind == TOKEN_IDENTIFIER) {
        op = qualified_operator(parser);
    } else {
        parser_advance(parser);
    }
    if (!state->restricted) {
        parser_refuse_if(parser, KW_ANY, "op ANY/ALL is");
        parser_refuse_if(parser, KW_SOME, "op ANY/ALL is");
        parser_refuse_if(parser, KW_ALL, "op ANY/ALL is");
    }
    struct ast_expr *right = climb(parser, precedence + 1, state->restricted);
    state->left = operator_node(parser, op, position, state->left, right);
    if (precedence == PRECEDENCE_COMPARISON) state->blocked = precedence;
}

static void climb_cast(struct parser *parser, struct climb *state) {
    int position = parser_position(parser);
    if (parser_at_self(parser, '[')) {
        parser_refuse(parser, position, "arrays are");
        return;
    }
    parser_advance(parser);
    const struct ast_type *type = parser_type(parser);
    state->left = parser_unary(parser, AST_CAST, position, state->left);
    if (state->left != NULL) state->left->type = type;
}

/* One operator with what stands to its right. */
static void climb_step(struct parser *parser, struct climb *state, enum precedence precedence) {
    enum precedence blocked = state->blocked;
    state->blocked = PRECEDENCE_NONE;
    if (precedence == blocked) {
        parser_syntax_error(parser);
        return;
    }
    switch (precedence) {
    case PRECEDENCE_OR:
        climb_chain(parser, state, AST_OR, precedence);
        return;
    case PRECEDENCE_AND:
        climb_chain(parser, state, AST_AND, precedence);
        return;
    case PRECEDENCE_IS:
        if (parser_at(parser, KW_IS)) {
            climb_is(parser, state);
        } else {
            bool negated = parser_at(parser, KW_NOTNULL);
            state->left = parser_unary(parser, AST_IS_NULL, parser_position(parser), state->left);
            if (state->left != NULL) state->left->negated = negated;
            parser_advance(parser);
        }
        return;
    case PRECEDENCE_MATCH:
        climb_match(parser, state);
        return;
    case PRECEDENCE_CAST:
        climb_cast(parser, state);
        return;
    case PRECEDENCE_AT:
        parser_refuse(parser, parser_position(parser), "AT TIME ZONE is");
        return;
    case PRECEDENCE_COLLATE:
        parser_refuse(parser, parser_position(parser), "COLLATE is");
        return;
    default:
        break;
    }
    if (parser_at(parser, KW_OVERLAPS)) {
        parser_refuse(parser, parser_position(parser), "OVERLAPS is");
        return;
    }
    climb_operator(parser, state, precedence);
}

/* ---- prefix operators ----------------------------------------------------------------------- */

/* `-` in front of a number makes a negative number, so that -9223372036854775808 is an int8. */
static struct ast_expr *negate(struct parser *parser, int position, struct ast_expr *arg) {
    if (arg->kind != AST_INTEGER && arg->kind != AST_NUMERIC) {
        struct ast_expr *node = parser_unary(parser, AST_UNARY, position, arg);
        if (node != NULL) node->op = "-";
        return node;
    }
    bool minus = arg->text.len > 0 && arg->text.data[0] == '-';
    if (minus) {
        arg->text = slice_from(arg->text, 1);
    } else {
        uint8_t *text = arena_alloc(parser->arena, arg->text.len + 1);
        text[0] = '-';
        memcpy(text + 1, arg->text.data, arg->text.len);
        arg->text = slice_of(text, arg->text.len + 1);
    }
    arg->position = position;
    if (arg->kind == AST_INTEGER && arg->integer != INT64_MIN) {
        arg->integer = -arg->integer;
    } else if (arg->kind == AST_INTEGER) {
        arg->kind = AST_NUMERIC;
    } else if (slice_equal(arg->text, SLICE_LITERAL("-9223372036854775808"))) {
        arg->kind = AST_INTEGER;
        arg->integer = INT64_MIN;
    }
    return arg;
}

static struct ast_expr *climb_prefix(struct parser *parser, bool restricted) {
    const struct sql_token *token = parser_peek(parser, 0);
    int position = token->position;
    if (parser_at(parser, KW_NOT) && !restricted) {
        parser_advance(parser);
        return parser_unary(parser, AST_NOT, position, climb(parser, PRECEDENCE_NOT, false));
    }
    bool qualified =
        token->kind == TOKEN_IDENTIFIER && precedence_here(parser, restricted) == PRECEDENCE_OTHER;
    if (token->kind != TOKEN_OPERATOR && !qualified) return parser_primary(parser);
    enum precedence precedence = precedence_of_operator(token->name);
    if (precedence == PRECEDENCE_ADD) {
        bool minus = token->name[0] == '-';
        parser_advance(parser);
        struct ast_expr *arg = climb(parser, PRECEDENCE_SIGN, restricted);
        if (parser_failed(parser)) return NULL;
        if (minus) return negate(parser, position, arg);
        struct ast_expr *node = parser_unary(parser, AST_UNARY, position, arg);
        if (node != NULL) node->op = "+";
        return node;
    }
    if (precedence != PRECEDENCE_OTHER) {
        parser_syntax_error(parser);
        return NULL;
    }
    const char *op = token->name;
    if (qualified) {
        op = qualified_operator(parser);
    } else {
        parser_advance(parser);
    }
    struct ast_expr *arg = climb(parser, PRECEDENCE_OTHER + 1, restricted);
    struct ast_expr *node = parser_unary(parser, AST_UNARY, position, arg);
    if (node != NULL) node->op = op;
    return node;
}

static struct ast_expr *climb(struct parser *parser, enum precedence minimum, bool restricted) {
    parser_enter(parser);
    struct climb state = {.minimum = minimum, .restricted = restricted};
    state.left = climb_prefix(parser, restricted);
    while (!parser_failed(parser)) {
        enum precedence precedence = precedence_here(parser, restricted);
        if (precedence == PRECEDENCE_NONE || precedence < minimum) break;
        climb_step(parser, &state, precedence);
    }
    parser_leave(parser);
    return parser_failed(parser) ? NULL : state.left;
}
