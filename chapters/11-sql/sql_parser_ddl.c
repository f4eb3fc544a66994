/* sql_parser_ddl.c - CREATE TABLE and DROP TABLE; the other CREATEs and DROPs are refused by name.
 *
 * What two clauses say against each other within one column (NULL and NOT NULL, two defaults) is
 * found by whoever binds the statement, as in PostgreSQL, where these are no syntax errors. */
#include "mem.h"
#include "sql_parser_internal.h"

struct refusal {
    enum sql_keyword keyword;
    const char *what;
};

static void refuse_any(struct parser *parser, const struct refusal *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        parser_refuse_if(parser, list[i].keyword, list[i].what);
}

/* DEFERRABLE and the like, behind a constraint. */
static void refuse_constraint_attributes(struct parser *parser) {
    parser_refuse_if(parser, KW_DEFERRABLE, "DEFERRABLE is");
    parser_refuse_if(parser, KW_INITIALLY, "INITIALLY DEFERRED is");
    if (parser_at(parser, KW_NOT) && parser_at_ahead(parser, 1, KW_DEFERRABLE)) {
        parser_advance(parser);
        parser_advance(parser);
    }
}

static const struct refusal constraint_refusals[] = {
    {KW_UNIQUE, "UNIQUE constraints are"},
    {KW_CHECK, "CHECK constraints are"},
    {KW_REFERENCES, "FOREIGN KEY constraints are"},
    {KW_FOREIGN, "FOREIGN KEY constraints are"},
    {KW_EXCLUDE, "EXCLUDE constraints are"},
    {KW_GENERATED, "GENERATED columns are"},
    {KW_COLLATE, "COLLATE is"},
};

static void column_default(struct parser *parser, struct ast_column_def *column, const char *table,
                           int position) {
    if (column->default_value != NULL) {
        parser_error(parser, position, SQLSTATE_SYNTAX_ERROR,
                     "multiple default values specified for column \"%s\" of table \"%s\"",
                     column->name, table);
    }
    size_t begin = (size_t)(parser_peek(parser, 0)->source.data - parser->lexer.text.data);
    column->default_value = parser_restricted_expr(parser);
    if (parser_failed(parser)) return;
    column->default_text = slice_of(parser->lexer.text.data + begin, parser->last_end - begin);
}

/* One constraint of a column; false if there is none here. */
static bool column_constraint(struct parser *parser, struct ast_column_def *column,
                              const char *table) {
    const char *name = NULL;
    if (parser_accept(parser, KW_CONSTRAINT)) name = parser_name(parser);
    int position = parser_position(parser);
    if (parser_accept(parser, KW_NOT)) {
        parser_expect(parser, KW_NULL);
        column->not_null = true;
    } else if (parser_accept(parser, KW_NULL)) {
        column->null = true;
    } else if (parser_accept(parser, KW_DEFAULT)) {
        column_default(parser, column, table, position);
    } else if (parser_accept(parser, KW_PRIMARY)) {
        parser_expect(parser, KW_KEY);
        if (column->primary_key && !parser_failed(parser)) column->primary_key_twice = true;
        column->primary_key = true;
        column->primary_key_position = position;
        column->primary_key_name = name;
        refuse_constraint_attributes(parser);
    } else {
        refuse_any(parser, constraint_refusals, ARRAY_LEN(constraint_refusals));
        if (name != NULL) parser_syntax_error(parser);
        return false;
    }
    if (column->null && column->not_null) {
        parser_error(parser, position, SQLSTATE_SYNTAX_ERROR,
                     "conflicting NULL/NOT NULL declarations for column \"%s\" of table \"%s\"",
                     column->name, table);
    }
    return !parser_failed(parser);
}

static void column_def(struct parser *parser, struct ast_create_table *create) {
    struct ast_column_def column = {.position = parser_position(parser)};
    column.name = parser_name(parser);
    column.type = parser_type(parser);
    while (column_constraint(parser, &column, create->relation.name)) {
    }
    create->columns = parser_grow(parser, create->columns, create->column_count, sizeof(column));
    create->columns[create->column_count++] = column;
}

static void table_constraint(struct parser *parser, struct ast_create_table *create) {
    int position = parser_position(parser);
    const char *name = NULL;
    if (parser_accept(parser, KW_CONSTRAINT)) name = parser_name(parser);
    refuse_any(parser, constraint_refusals, ARRAY_LEN(constraint_refusals));
    parser_expect(parser, KW_PRIMARY);
    parser_expect(parser, KW_KEY);
    if (create->primary_key.count > 0) create->primary_key_twice_position = position;
    create->primary_key = parser_name_list(parser);
    create->primary_key_name = name;
    create->primary_key_position = position;
    refuse_constraint_attributes(parser);
}

static bool at_table_constraint(struct parser *parser) {
    return parser_at(parser, KW_CONSTRAINT) || parser_at(parser, KW_PRIMARY) ||
           parser_at(parser, KW_UNIQUE) || parser_at(parser, KW_CHECK) ||
           parser_at(parser, KW_FOREIGN) ||
           (parser_at(parser, KW_EXCLUDE) && !parser_at_name_ahead(parser, 1));
}

/* (a, b): names without types begin CREATE TABLE ... AS, which is refused behind them. */
static bool names_without_types(struct parser *parser) {
    if (!parser_at_self(parser, '(') || !parser_at_name_ahead(parser, 1)) return false;
    const struct sql_token *after = parser_peek(parser, 2);
    if (after->self != ',' && after->self != ')') return false;
    (void)parser_name_list(parser);
    if (!parser_at(parser, KW_AS)) parser_syntax_error(parser);
    return true;
}

static void table_elements(struct parser *parser, struct ast_create_table *create) {
    if (names_without_types(parser)) return;
    parser_expect_self(parser, '(');
    if (parser_accept_self(parser, ')')) return;
    do {
        parser_refuse_if(parser, KW_LIKE, "CREATE TABLE ... LIKE is");
        if (at_table_constraint(parser)) {
            table_constraint(parser, create);
        } else {
            column_def(parser, create);
        }
    } while (parser_accept_self(parser, ','));
    parser_expect_self(parser, ')');
}

static void create_table(struct parser *parser, struct ast_statement *statement) {
    struct ast_create_table *create = ARENA_NEW(parser->arena, struct ast_create_table);
    statement->kind = AST_CREATE_TABLE;
    statement->create_table = create;
    if (parser_at(parser, KW_IF) && parser_at_ahead(parser, 1, KW_NOT)) {
        parser_advance(parser);
        parser_advance(parser);
        parser_expect(parser, KW_EXISTS);
        create->if_not_exists = true;
    }
    create->relation = parser_relation(parser);
    parser_refuse_if(parser, KW_AS, "CREATE TABLE AS is");
    parser_refuse_if(parser, KW_OF, "CREATE TABLE ... OF is");
    parser_refuse_if(parser, KW_PARTITION, "PARTITION OF is");
    table_elements(parser, create);
    static const struct refusal suffixes[] = {
        {KW_AS, "CREATE TABLE AS is"},
        {KW_PARTITION, "PARTITION BY is"},
        {KW_WITH, "WITH (storage parameters) is"},
        {KW_ON, "ON COMMIT is"},
        {KW_USING, "USING (access method) is"},
    };
    refuse_any(parser, suffixes, ARRAY_LEN(suffixes));
}

/* Refuses "CREATE INDEX" with that name: the command and the words behind it. */
static void refuse_object(struct parser *parser, int position, const char *command) {
    const struct sql_token *token = parser_peek(parser, 0);
    if (token->kind != TOKEN_IDENTIFIER && token->kind != TOKEN_KEYWORD) {
        parser_syntax_error(parser);
        return;
    }
    char what[SQL_NAME_MAX + 1];
    size_t len = strlen(token->name);
    for (size_t i = 0; i <= len; i++) {
        char c = token->name[i];
        what[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    parser_error(parser, position, SQLSTATE_FEATURE_NOT_SUPPORTED, "%s %s is not supported",
                 command, what);
}

void parser_create(struct parser *parser, struct ast_statement *statement) {
    int position = parser_position(parser);
    parser_expect(parser, KW_CREATE);
    static const struct refusal kinds[] = {
        {KW_TEMPORARY, "CREATE TEMPORARY TABLE is"}, {KW_TEMP, "CREATE TEMPORARY TABLE is"},
        {KW_LOCAL, "CREATE TEMPORARY TABLE is"},     {KW_GLOBAL, "CREATE TEMPORARY TABLE is"},
        {KW_UNLOGGED, "CREATE UNLOGGED TABLE is"},
    };
    refuse_any(parser, kinds, ARRAY_LEN(kinds));
    if (parser_accept(parser, KW_TABLE)) {
        create_table(parser, statement);
    } else {
        refuse_object(parser, position, "CREATE");
    }
}

void parser_drop(struct parser *parser, struct ast_statement *statement) {
    int position = parser_position(parser);
    parser_expect(parser, KW_DROP);
    if (!parser_accept(parser, KW_TABLE)) {
        refuse_object(parser, position, "DROP");
        return;
    }
    struct ast_drop_table *drop = ARENA_NEW(parser->arena, struct ast_drop_table);
    statement->kind = AST_DROP_TABLE;
    statement->drop_table = drop;
    if (parser_at(parser, KW_IF) && parser_at_ahead(parser, 1, KW_EXISTS)) {
        parser_advance(parser);
        parser_advance(parser);
        drop->if_exists = true;
    }
    do {
        drop->relations =
            parser_grow(parser, drop->relations, drop->relation_count, sizeof(struct ast_relation));
        drop->relations[drop->relation_count++] = parser_relation(parser);
    } while (parser_accept_self(parser, ','));
    /* Nothing depends on a table yet that CASCADE could drop or RESTRICT protect. */
    if (!parser_accept(parser, KW_CASCADE)) (void)parser_accept(parser, KW_RESTRICT);
}
