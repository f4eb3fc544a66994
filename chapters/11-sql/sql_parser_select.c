/* sql_parser_select.c - SELECT and VALUES: targets, FROM, grouping, order, limits.
 *
 * Nesting (subqueries in FROM, parentheses around joins and around whole queries) counts toward the
 * same bound as expressions do. */
#include "mem.h"
#include "sql_parser_internal.h"

static struct ast_from *from_item(struct parser *parser);

/* ---- targets -------------------------------------------------------------------------------- */

/* AS label; or, without AS, a name that cannot be taken for something else. */
static const char *target_label(struct parser *parser) {
    if (parser_accept(parser, KW_AS)) return parser_label(parser);
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_IDENTIFIER) return parser_label(parser);
    if (token->kind == TOKEN_KEYWORD && sql_keyword_is_bare_label(token->keyword)) {
        return parser_label(parser);
    }
    return NULL;
}

static struct ast_target target(struct parser *parser) {
    struct ast_target result = {.position = parser_position(parser)};
    if (parser_accept_operator(parser, "*")) {
        result.value = parser_node(parser, AST_STAR, result.position);
        return result;
    }
    result.value = parser_expr(parser);
    if (parser_failed(parser) || result.value->kind == AST_STAR) return result;
    result.name = target_label(parser);
    return result;
}

void parser_targets(struct parser *parser, struct ast_target **targets, size_t *count) {
    do {
        *targets = parser_grow(parser, *targets, *count, sizeof(struct ast_target));
        (*targets)[(*count)++] = target(parser);
    } while (parser_accept_self(parser, ','));
}

/* ---- FROM ----------------------------------------------------------------------------------- */

static struct ast_from *from_node(struct parser *parser, enum ast_from_kind kind) {
    struct ast_from *node = ARENA_NEW(parser->arena, struct ast_from);
    node->kind = kind;
    node->position = parser_position(parser);
    node->depth = 1;
    return node;
}

/* [AS] alias [(columns)] */
static void from_alias(struct parser *parser, struct ast_from *node) {
    bool as = parser_accept(parser, KW_AS);
    if (!as && !parser_at_name(parser)) return;
    node->alias = parser_name(parser);
    if (parser_at_self(parser, '(')) node->alias_columns = parser_name_list(parser);
}

static struct ast_from *from_table(struct parser *parser) {
    struct ast_from *node = from_node(parser, AST_FROM_TABLE);
    (void)parser_accept(parser, KW_ONLY);
    node->relation = parser_relation(parser);
    if (parser_at_self(parser, '(')) {
        parser_refuse(parser, node->position, "functions in FROM are");
    }
    (void)parser_accept_operator(parser, "*");
    from_alias(parser, node);
    parser_refuse_if(parser, KW_TABLESAMPLE, "TABLESAMPLE is");
    return node;
}

static struct ast_from *from_subquery(struct parser *parser) {
    struct ast_from *node = from_node(parser, AST_FROM_SUBQUERY);
    parser_expect_self(parser, '(');
    node->subquery = parser_select(parser);
    parser_expect_self(parser, ')');
    from_alias(parser, node);
    if (!parser_failed(parser) && node->alias == NULL) {
        bool values = node->subquery->rows != NULL;
        parser_error(parser, node->position, SQLSTATE_SYNTAX_ERROR, "%s in FROM must have an alias",
                     values ? "VALUES" : "subquery");
        sql_error_hint(parser->error, "For example, FROM (%s ...) [AS] foo.",
                       values ? "VALUES" : "SELECT");
    }
    return node;
}

/* Does the parenthesis here hold a query? Behind further parentheses it may also be a join. */
static bool at_subquery(struct parser *parser) {
    uint32_t n = 1;
    while (n < PARSER_LOOKAHEAD - 1 && parser_peek(parser, n)->self == '(')
        n++;
    return parser_at_select(parser, n);
}

static struct ast_from *from_primary(struct parser *parser) {
    parser_refuse_if(parser, KW_LATERAL, "LATERAL is");
    if (parser_at(parser, KW_ROWS) && parser_at_ahead(parser, 1, KW_FROM)) {
        parser_refuse(parser, parser_position(parser), "functions in FROM are");
    }
    if (!parser_at_self(parser, '(')) return from_table(parser);
    if (at_subquery(parser)) return from_subquery(parser);
    int position = parser_position(parser);
    parser_advance(parser);
    struct ast_from *node = from_item(parser);
    if (!parser_failed(parser) && node->kind != AST_FROM_JOIN) parser_syntax_error(parser);
    parser_expect_self(parser, ')');
    if (parser_at(parser, KW_AS) || parser_at_name(parser)) {
        parser_refuse(parser, position, "an alias for a join is");
    }
    return node;
}

/* A word that starts a join we have not. */
static void refuse_join(struct parser *parser) {
    parser_refuse_if(parser, KW_LEFT, "LEFT JOIN is");
    parser_refuse_if(parser, KW_RIGHT, "RIGHT JOIN is");
    parser_refuse_if(parser, KW_FULL, "FULL JOIN is");
    parser_refuse_if(parser, KW_NATURAL, "NATURAL JOIN is");
}

/* ON or USING, which every join but CROSS JOIN has. */
static void join_condition(struct parser *parser, struct ast_from *join) {
    if (parser_accept(parser, KW_ON)) {
        join->on = parser_expr(parser);
    } else {
        parser_expect(parser, KW_USING);
        join->using_columns = parser_name_list(parser);
        parser_refuse_if(parser, KW_AS, "an alias for JOIN USING is");
    }
}

static void join_account(struct parser *parser, struct ast_from *join) {
    if (parser_failed(parser)) return;
    uint32_t deeper =
        join->left->depth > join->right->depth ? join->left->depth : join->right->depth;
    join->depth = deeper + 1;
    if (join->depth > SQL_DEPTH_MAX) {
        parser_error(parser, 0, SQLSTATE_STATEMENT_TOO_COMPLEX, "stack depth limit exceeded");
        sql_error_hint(parser->error, "At most %d tables may be joined.", SQL_DEPTH_MAX);
    }
}

/* a JOIN b ON x JOIN c ON y; the conditions may also come late: a JOIN b JOIN c ON y ON x. */
static struct ast_from *from_item(struct parser *parser) {
    parser_enter(parser);
    struct ast_from *left = from_primary(parser);
    while (!parser_failed(parser)) {
        refuse_join(parser);
        bool cross = parser_at(parser, KW_CROSS);
        if (!cross && !parser_at(parser, KW_INNER) && !parser_at(parser, KW_JOIN)) break;
        struct ast_from *join = from_node(parser, AST_FROM_JOIN);
        join->left = left;
        if (cross || parser_at(parser, KW_INNER)) parser_advance(parser);
        parser_expect(parser, KW_JOIN);
        /* Without its condition yet, the right side may be a join itself. */
        join->right = from_primary(parser);
        bool nested = parser_at(parser, KW_JOIN) || parser_at(parser, KW_INNER) ||
                      parser_at(parser, KW_CROSS);
        if (!cross && nested) {
            parser_refuse(parser, parser_position(parser),
                          "a join as the right side of a join without parentheses is");
        }
        if (!cross) join_condition(parser, join);
        join_account(parser, join);
        left = join;
    }
    parser_leave(parser);
    return left;
}

static void from_clause(struct parser *parser, struct ast_select *select) {
    do {
        select->from =
            parser_grow(parser, select->from, select->from_count, sizeof(struct ast_from *));
        select->from[select->from_count++] = from_item(parser);
    } while (parser_accept_self(parser, ','));
}

/* ---- grouping, order, limits ---------------------------------------------------------------- */

static void group_clause(struct parser *parser, struct ast_select *select) {
    parser_expect(parser, KW_BY);
    parser_refuse_if(parser, KW_ROLLUP, "ROLLUP is");
    parser_refuse_if(parser, KW_CUBE, "CUBE is");
    parser_refuse_if(parser, KW_DISTINCT, "GROUP BY DISTINCT is");
    if (parser_at(parser, KW_GROUPING)) {
        parser_refuse(parser, parser_position(parser), "GROUPING SETS is");
    }
    select->group_by = parser_expr_list(parser);
}

static void order_clause(struct parser *parser, struct ast_select *select) {
    parser_expect(parser, KW_BY);
    do {
        struct ast_order item = {.value = parser_expr(parser)};
        if (parser_accept(parser, KW_DESC)) {
            item.descending = true;
        } else if (!parser_accept(parser, KW_ASC)) {
            parser_refuse_if(parser, KW_USING, "ORDER BY USING is");
        }
        if (parser_accept(parser, KW_NULLS)) {
            if (parser_accept(parser, KW_FIRST)) {
                item.nulls = AST_NULLS_FIRST;
            } else {
                parser_expect(parser, KW_LAST);
                item.nulls = AST_NULLS_LAST;
            }
        }
        select->order_by = parser_grow(parser, select->order_by, select->order_count, sizeof(item));
        select->order_by[select->order_count++] = item;
    } while (parser_accept_self(parser, ','));
}

/* One clause of a kind: a second one at the same level is a syntax error, one behind a query in
 * parentheses that has its own is an error of its own. */
static void once(struct parser *parser, bool *seen_here, const struct ast_expr *seen,
                 const char *what) {
    if (*seen_here) parser_syntax_error(parser);
    *seen_here = true;
    if (seen == NULL) return;
    parser_error(parser, parser_position(parser), SQLSTATE_SYNTAX_ERROR,
                 "multiple %s clauses not allowed", what);
}

/* FETCH FIRST [n] ROWS ONLY, the standard's LIMIT. */
static struct ast_expr *fetch_clause(struct parser *parser) {
    int position = parser_position(parser);
    if (!parser_accept(parser, KW_FIRST)) parser_expect(parser, KW_NEXT);
    struct ast_expr *count = NULL;
    if (parser_at(parser, KW_ROW) || parser_at(parser, KW_ROWS)) {
        count = parser_node(parser, AST_INTEGER, position);
        count->integer = 1;
        count->text = SLICE_LITERAL("1");
    } else if (parser_at_operator(parser, "+") || parser_at_operator(parser, "-")) {
        count = parser_restricted_expr(parser);
    } else {
        count = parser_primary(parser);
    }
    if (!parser_accept(parser, KW_ROW)) parser_expect(parser, KW_ROWS);
    parser_refuse_if(parser, KW_WITH, "FETCH WITH TIES is");
    parser_expect(parser, KW_ONLY);
    return count;
}

static void limit_clause(struct parser *parser, struct ast_select *select) {
    int position = parser_position(parser);
    parser_advance(parser);
    if (parser_accept(parser, KW_ALL)) return;
    select->limit = parser_expr(parser);
    if (parser_at_self(parser, ',')) {
        parser_error(parser, position, SQLSTATE_SYNTAX_ERROR, "LIMIT #,# syntax is not supported");
        sql_error_hint(parser->error, "Use separate LIMIT and OFFSET clauses.");
    }
}

/* LIMIT and OFFSET in either order. */
static void limit_clauses(struct parser *parser, struct ast_select *select) {
    bool limit_here = false;
    bool offset_here = false;
    while (!parser_failed(parser)) {
        if (parser_at(parser, KW_LIMIT)) {
            once(parser, &limit_here, select->limit, "LIMIT");
            limit_clause(parser, select);
        } else if (parser_at(parser, KW_FETCH)) {
            once(parser, &limit_here, select->limit, "LIMIT");
            parser_advance(parser);
            select->limit = fetch_clause(parser);
        } else if (parser_at(parser, KW_OFFSET)) {
            once(parser, &offset_here, select->offset, "OFFSET");
            parser_advance(parser);
            select->offset = parser_expr(parser);
            if (!parser_accept(parser, KW_ROW)) (void)parser_accept(parser, KW_ROWS);
        } else {
            return;
        }
    }
}

/* ---- queries -------------------------------------------------------------------------------- */

bool parser_at_select(struct parser *parser, uint32_t n) {
    const struct sql_token *token = parser_peek(parser, n);
    if (token->kind != TOKEN_KEYWORD) return false;
    return token->keyword == KW_SELECT || token->keyword == KW_VALUES ||
           token->keyword == KW_WITH || token->keyword == KW_TABLE;
}

static void values_clause(struct parser *parser, struct ast_select *select) {
    do {
        struct ast_exprs row = {0};
        parser_expect_self(parser, '(');
        row = parser_expr_list(parser);
        parser_expect_self(parser, ')');
        select->rows = parser_grow(parser, select->rows, select->row_count, sizeof(row));
        select->rows[select->row_count++] = row;
    } while (parser_accept_self(parser, ','));
}

/* Is there a target list? It may be left out: SELECT FROM t. */
static bool at_targets(struct parser *parser) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind == TOKEN_END) return false;
    if (token->kind == TOKEN_SELF) return token->self == '(';
    if (token->kind != TOKEN_KEYWORD) return true;
    switch (token->keyword) {
    case KW_FROM:
    case KW_WHERE:
    case KW_GROUP:
    case KW_HAVING:
    case KW_ORDER:
    case KW_LIMIT:
    case KW_OFFSET:
    case KW_FETCH:
    case KW_FOR:
    case KW_WINDOW:
    case KW_UNION:
    case KW_INTERSECT:
    case KW_EXCEPT:
    case KW_INTO:
        return false;
    default:
        return true;
    }
}

static void select_clauses(struct parser *parser, struct ast_select *select) {
    if (parser_accept(parser, KW_DISTINCT)) {
        select->distinct = true;
        parser_refuse_if(parser, KW_ON, "DISTINCT ON is");
    } else {
        (void)parser_accept(parser, KW_ALL);
    }
    if (at_targets(parser)) {
        parser_targets(parser, &select->targets, &select->target_count);
    } else if (select->distinct) {
        parser_syntax_error(parser);
    }
    parser_refuse_if(parser, KW_INTO, "SELECT INTO is");
    if (parser_accept(parser, KW_FROM)) from_clause(parser, select);
    if (parser_accept(parser, KW_WHERE)) select->where = parser_expr(parser);
    if (parser_accept(parser, KW_GROUP)) group_clause(parser, select);
    if (parser_accept(parser, KW_HAVING)) select->having = parser_expr(parser);
    parser_refuse_if(parser, KW_WINDOW, "WINDOW is");
}

static void table_command(struct parser *parser, struct ast_select *select) {
    struct ast_from *node = from_node(parser, AST_FROM_TABLE);
    node->relation = parser_relation(parser);
    select->from = ARENA_ARRAY(parser->arena, struct ast_from *, 1);
    select->from[0] = node;
    select->from_count = 1;
    select->targets = ARENA_NEW(parser->arena, struct ast_target);
    select->targets[0].value = parser_node(parser, AST_STAR, node->position);
    select->target_count = 1;
}

static void refuse_set_operation(struct parser *parser) {
    parser_refuse_if(parser, KW_UNION, "UNION is");
    parser_refuse_if(parser, KW_INTERSECT, "INTERSECT is");
    parser_refuse_if(parser, KW_EXCEPT, "EXCEPT is");
}

struct ast_select *parser_select(struct parser *parser) {
    parser_enter(parser);
    struct ast_select *select = NULL;
    int position = parser_position(parser);
    parser_refuse_if(parser, KW_WITH, "WITH is");
    if (parser_accept_self(parser, '(')) {
        if (!parser_at_self(parser, '(') && !parser_at_select(parser, 0)) {
            parser_syntax_error(parser);
        }
        select = parser_failed(parser) ? NULL : parser_select(parser);
        parser_expect_self(parser, ')');
    }
    if (select == NULL) {
        select = ARENA_NEW(parser->arena, struct ast_select);
        select->position = position;
        if (parser_accept(parser, KW_SELECT)) {
            select_clauses(parser, select);
        } else if (parser_accept(parser, KW_VALUES)) {
            values_clause(parser, select);
        } else if (parser_accept(parser, KW_TABLE)) {
            table_command(parser, select);
        } else {
            parser_syntax_error(parser);
        }
    }
    refuse_set_operation(parser);
    int order = parser_position(parser);
    if (parser_accept(parser, KW_ORDER)) {
        if (select->order_count > 0) {
            parser_error(parser, order, SQLSTATE_SYNTAX_ERROR,
                         "multiple ORDER BY clauses not allowed");
        }
        order_clause(parser, select);
    }
    limit_clauses(parser, select);
    if (parser_at(parser, KW_FOR)) {
        bool share = parser_at_ahead(parser, 1, KW_SHARE);
        parser_refuse(parser, parser_position(parser), share ? "FOR SHARE is" : "FOR UPDATE is");
    }
    parser_leave(parser);
    return select;
}
