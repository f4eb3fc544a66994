/* sql_parser_dml.c - INSERT, UPDATE, DELETE. */
#include "sql_parser_internal.h"

static void returning(struct parser *parser, struct ast_target **targets, size_t *count) {
    if (parser_accept(parser, KW_RETURNING)) parser_targets(parser, targets, count);
}

/* A column to be assigned. Fields and elements of it are PostgreSQL's, not ours. */
static const char *assigned_column(struct parser *parser) {
    const char *name = parser_name(parser);
    if (parser_at_self(parser, '.') || parser_at_self(parser, '[')) {
        parser_refuse(parser, parser_position(parser), "assigning to a part of a column is");
    }
    return name;
}

static void insert_columns(struct parser *parser, struct ast_insert *insert) {
    struct ast_names *names = &insert->columns;
    parser_expect_self(parser, '(');
    do {
        names->items = parser_grow(parser, names->items, names->count, sizeof(*names->items));
        names->positions =
            parser_grow(parser, names->positions, names->count, sizeof(*names->positions));
        names->positions[names->count] = parser_position(parser);
        names->items[names->count++] = assigned_column(parser);
    } while (parser_accept_self(parser, ','));
    parser_expect_self(parser, ')');
}

void parser_insert(struct parser *parser, struct ast_statement *statement) {
    struct ast_insert *insert = ARENA_NEW(parser->arena, struct ast_insert);
    statement->kind = AST_INSERT;
    statement->insert = insert;
    parser_expect(parser, KW_INSERT);
    parser_expect(parser, KW_INTO);
    insert->relation = parser_relation(parser);
    if (parser_accept(parser, KW_AS)) insert->alias = parser_name(parser);
    /* A parenthesis opens the columns or a query. */
    const struct sql_token *behind = parser_peek(parser, 1);
    if (parser_at_self(parser, '(') && !parser_at_select(parser, 1) && behind->self != '(') {
        insert_columns(parser, insert);
    }
    parser_refuse_if(parser, KW_OVERRIDING, "OVERRIDING is");
    if (parser_at(parser, KW_DEFAULT) && insert->columns.count == 0) {
        parser_advance(parser);
        parser_expect(parser, KW_VALUES);
    } else {
        insert->source = parser_select(parser);
    }
    if (parser_at(parser, KW_ON)) {
        parser_refuse(parser, parser_position(parser), "ON CONFLICT is");
    }
    returning(parser, &insert->returning, &insert->returning_count);
}

/* UPDATE t x SET, DELETE FROM t x: the alias needs no AS. */
static const char *target_alias(struct parser *parser) {
    if (parser_accept(parser, KW_AS)) return parser_name(parser);
    if (parser_at(parser, KW_SET) || !parser_at_name(parser)) return NULL;
    return parser_name(parser);
}

static struct ast_relation target_relation(struct parser *parser) {
    (void)parser_accept(parser, KW_ONLY);
    struct ast_relation relation = parser_relation(parser);
    (void)parser_accept_operator(parser, "*");
    return relation;
}

static struct ast_expr *where(struct parser *parser) {
    if (!parser_accept(parser, KW_WHERE)) return NULL;
    if (parser_at(parser, KW_CURRENT) && parser_at_ahead(parser, 1, KW_OF)) {
        parser_refuse(parser, parser_position(parser), "WHERE CURRENT OF is");
    }
    return parser_expr(parser);
}

void parser_update(struct parser *parser, struct ast_statement *statement) {
    struct ast_update *update = ARENA_NEW(parser->arena, struct ast_update);
    statement->kind = AST_UPDATE;
    statement->update = update;
    parser_expect(parser, KW_UPDATE);
    update->relation = target_relation(parser);
    update->alias = target_alias(parser);
    parser_expect(parser, KW_SET);
    do {
        struct ast_assignment assignment = {.position = parser_position(parser)};
        if (parser_at_self(parser, '(')) {
            parser_refuse(parser, assignment.position, "assigning to a list of columns is");
        }
        assignment.column = assigned_column(parser);
        if (!parser_accept_operator(parser, "=")) parser_syntax_error(parser);
        assignment.value = parser_expr(parser);
        update->assignments =
            parser_grow(parser, update->assignments, update->assignment_count, sizeof(assignment));
        update->assignments[update->assignment_count++] = assignment;
    } while (parser_accept_self(parser, ','));
    parser_refuse_if(parser, KW_FROM, "UPDATE ... FROM is");
    update->where = where(parser);
    returning(parser, &update->returning, &update->returning_count);
}

void parser_delete(struct parser *parser, struct ast_statement *statement) {
    struct ast_delete *delete_ = ARENA_NEW(parser->arena, struct ast_delete);
    statement->kind = AST_DELETE;
    statement->delete_ = delete_;
    parser_expect(parser, KW_DELETE);
    parser_expect(parser, KW_FROM);
    delete_->relation = target_relation(parser);
    delete_->alias = target_alias(parser);
    parser_refuse_if(parser, KW_USING, "DELETE ... USING is");
    delete_->where = where(parser);
    returning(parser, &delete_->returning, &delete_->returning_count);
}
