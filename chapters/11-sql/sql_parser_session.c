/* sql_parser_session.c - statements about the session: transactions, SET and SHOW, EXPLAIN; and the
 * choice of what a statement is by its first word.
 *
 * What a variable means is the session's matter; here a value is a text. */
#include "buf.h"
#include "mem.h"
#include "sql_parser_internal.h"

/* ---- transactions --------------------------------------------------------------------------- */

static enum ast_isolation isolation_level(struct parser *parser) {
    if (parser_accept(parser, KW_SERIALIZABLE)) return AST_SERIALIZABLE;
    if (parser_accept(parser, KW_REPEATABLE)) {
        parser_expect(parser, KW_READ);
        return AST_REPEATABLE_READ;
    }
    parser_expect(parser, KW_READ);
    if (parser_accept(parser, KW_COMMITTED)) return AST_READ_COMMITTED;
    parser_expect(parser, KW_UNCOMMITTED);
    return AST_READ_UNCOMMITTED;
}

/* One mode; false if there is none here. */
static bool transaction_mode(struct parser *parser, struct ast_transaction *transaction) {
    if (parser_accept(parser, KW_ISOLATION)) {
        parser_expect(parser, KW_LEVEL);
        transaction->isolation = isolation_level(parser);
    } else if (parser_at(parser, KW_READ)) {
        parser_advance(parser);
        if (parser_accept(parser, KW_ONLY)) {
            transaction->access = AST_READ_ONLY;
        } else {
            parser_expect(parser, KW_WRITE);
            transaction->access = AST_READ_WRITE;
        }
    } else if (parser_at(parser, KW_NOT)) {
        parser_advance(parser);
        parser_expect(parser, KW_DEFERRABLE);
    } else {
        return parser_accept(parser, KW_DEFERRABLE);
    }
    return true;
}

/* Modes, with or without commas between them. */
static void transaction_modes(struct parser *parser, struct ast_transaction *transaction,
                              bool required) {
    if (!transaction_mode(parser, transaction)) {
        if (required) parser_syntax_error(parser);
        return;
    }
    for (;;) {
        bool comma = parser_accept_self(parser, ',');
        if (!transaction_mode(parser, transaction)) {
            if (comma) parser_syntax_error(parser);
            return;
        }
    }
}

static struct ast_transaction *transaction_node(struct parser *parser,
                                                struct ast_statement *statement,
                                                enum ast_statement_kind kind) {
    statement->kind = kind;
    statement->transaction = ARENA_NEW(parser->arena, struct ast_transaction);
    return statement->transaction;
}

static void work_or_transaction(struct parser *parser) {
    if (!parser_accept(parser, KW_WORK)) (void)parser_accept(parser, KW_TRANSACTION);
}

static void begin_statement(struct parser *parser, struct ast_statement *statement) {
    struct ast_transaction *transaction = transaction_node(parser, statement, AST_BEGIN);
    transaction->start = parser_at(parser, KW_START);
    parser_advance(parser);
    if (transaction->start) {
        parser_expect(parser, KW_TRANSACTION);
    } else {
        work_or_transaction(parser);
    }
    transaction_modes(parser, transaction, false);
}

/* COMMIT, END, ROLLBACK, ABORT. */
static void end_statement(struct parser *parser, struct ast_statement *statement, bool commit) {
    struct ast_transaction *transaction =
        transaction_node(parser, statement, commit ? AST_COMMIT : AST_ROLLBACK);
    int position = parser_position(parser);
    parser_advance(parser);
    if (parser_at(parser, KW_PREPARED)) parser_refuse(parser, position, "two-phase commit is");
    work_or_transaction(parser);
    if (!commit && parser_at(parser, KW_TO)) parser_refuse(parser, position, "SAVEPOINT is");
    if (parser_accept(parser, KW_AND)) {
        transaction->chain = !parser_accept(parser, KW_NO);
        parser_expect(parser, KW_CHAIN);
    }
}

/* ---- variables ------------------------------------------------------------------------------ */

static struct ast_variable *variable_node(struct parser *parser, struct ast_statement *statement,
                                          enum ast_statement_kind kind) {
    statement->kind = kind;
    statement->variable = ARENA_NEW(parser->arena, struct ast_variable);
    statement->variable->position = parser_position(parser);
    return statement->variable;
}

/* name, or prefix.name for variables of extensions. Variables ignore case even when quoted. */
static const char *variable_name(struct parser *parser) {
    char *name = arena_strdup(parser->arena, parser_name(parser));
    while (parser_accept_self(parser, '.')) {
        name = arena_printf(parser->arena, "%s.%s", name, parser_name(parser));
    }
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    }
    return name;
}

/* One value: a word, a string, a number. */
static const char *variable_value(struct parser *parser) {
    const char *sign = "";
    if (parser_accept_operator(parser, "-")) {
        sign = "-";
    } else {
        (void)parser_accept_operator(parser, "+");
    }
    const struct sql_token *token = parser_peek(parser, 0);
    bool number = token->kind == TOKEN_INTEGER || token->kind == TOKEN_NUMERIC;
    if (number || (token->kind == TOKEN_STRING && sign[0] == '\0')) {
        const char *text = arena_string(parser->arena, token->value);
        parser_advance(parser);
        return sign[0] == '\0' ? text : arena_printf(parser->arena, "-%s", text);
    }
    bool is_boolean =
        parser_at(parser, KW_TRUE) || parser_at(parser, KW_FALSE) || parser_at(parser, KW_ON);
    if (sign[0] != '\0' ||
        (!is_boolean && !parser_at_function_name(parser) && !parser_at_name(parser))) {
        parser_syntax_error(parser);
    }
    return parser_label(parser);
}

static const char *variable_values(struct parser *parser) {
    const char *first = variable_value(parser);
    if (!parser_at_self(parser, ',')) return first;
    struct buf all = BUF_INIT;
    buf_append_string(&all, first);
    while (parser_accept_self(parser, ',')) {
        buf_append_string(&all, ", ");
        buf_append_string(&all, variable_value(parser));
    }
    const char *joined = arena_string(parser->arena, buf_slice(&all));
    buf_deinit(&all);
    return joined;
}

/* SET TIME ZONE x, SET NAMES x, SET SCHEMA x: spellings of their own. False if it is none. */
static bool set_special(struct parser *parser, struct ast_variable *variable) {
    if (parser_at(parser, KW_TIME) && parser_at_ahead(parser, 1, KW_ZONE)) {
        parser_advance(parser);
        parser_advance(parser);
        variable->name = "timezone";
        bool to_default = parser_accept(parser, KW_DEFAULT) || parser_accept(parser, KW_LOCAL);
        if (!to_default) variable->value = variable_value(parser);
        return true;
    }
    if (parser_at(parser, KW_NAMES)) {
        parser_advance(parser);
        variable->name = "client_encoding";
        bool value = parser_peek(parser, 0)->kind == TOKEN_STRING;
        if (value) variable->value = variable_value(parser);
        if (!value) (void)parser_accept(parser, KW_DEFAULT);
        return true;
    }
    if (parser_at(parser, KW_SCHEMA) && parser_peek(parser, 1)->kind == TOKEN_STRING) {
        parser_advance(parser);
        variable->name = "search_path";
        variable->value = variable_value(parser);
        return true;
    }
    return false;
}

static void set_variable(struct parser *parser, struct ast_variable *variable) {
    if (set_special(parser, variable)) return;
    variable->position = parser_position(parser);
    variable->name = variable_name(parser);
    if (!parser_accept(parser, KW_TO) && !parser_accept_operator(parser, "=")) {
        parser_syntax_error(parser);
    }
    if (!parser_accept(parser, KW_DEFAULT)) variable->value = variable_values(parser);
}

static void set_statement(struct parser *parser, struct ast_statement *statement) {
    parser_advance(parser);
    if (parser_at(parser, KW_TRANSACTION)) {
        parser_advance(parser);
        if (parser_at(parser, KW_SNAPSHOT)) {
            parser_refuse(parser, parser_position(parser), "SET TRANSACTION SNAPSHOT is");
        }
        transaction_modes(parser, transaction_node(parser, statement, AST_SET_TRANSACTION), true);
        return;
    }
    bool local = parser_accept(parser, KW_LOCAL);
    bool session = !local && parser_at(parser, KW_SESSION) && parser_at_name_ahead(parser, 1);
    if (session) parser_advance(parser);
    if (session && parser_at(parser, KW_CHARACTERISTICS)) {
        parser_advance(parser);
        parser_expect(parser, KW_AS);
        parser_expect(parser, KW_TRANSACTION);
        transaction_modes(
            parser, transaction_node(parser, statement, AST_SET_SESSION_CHARACTERISTICS), true);
        return;
    }
    if (parser_at(parser, KW_CONSTRAINTS)) {
        parser_refuse(parser, parser_position(parser), "SET CONSTRAINTS is");
    }
    if (parser_at(parser, KW_SESSION) && parser_at_ahead(parser, 1, KW_AUTHORIZATION)) {
        parser_refuse(parser, parser_position(parser), "SET SESSION AUTHORIZATION is");
    }
    struct ast_variable *variable = variable_node(parser, statement, AST_SET);
    variable->local = local;
    set_variable(parser, variable);
}

static bool at_word(struct parser *parser, const char *word) {
    const struct sql_token *token = parser_peek(parser, 0);
    return token->kind == TOKEN_IDENTIFIER && strcmp(token->name, word) == 0;
}

/* SHOW TABLES, SHOW COLUMNS FROM t: words that are no keywords of PostgreSQL's. */
static bool show_catalog(struct parser *parser, struct ast_statement *statement) {
    if (at_word(parser, "tables")) {
        parser_advance(parser);
        statement->kind = AST_SHOW_TABLES;
        return true;
    }
    if (!at_word(parser, "columns") || !parser_at_ahead(parser, 1, KW_FROM)) return false;
    parser_advance(parser);
    parser_advance(parser);
    statement->kind = AST_SHOW_COLUMNS;
    statement->relation = ARENA_NEW(parser->arena, struct ast_relation);
    *statement->relation = parser_relation(parser);
    return true;
}

static void show_statement(struct parser *parser, struct ast_statement *statement,
                           enum ast_statement_kind kind) {
    parser_advance(parser);
    if (kind == AST_SHOW && show_catalog(parser, statement)) return;
    struct ast_variable *variable = variable_node(parser, statement, kind);
    if (parser_accept(parser, KW_ALL)) {
        variable->name = "all";
    } else if (parser_at(parser, KW_TIME) && parser_at_ahead(parser, 1, KW_ZONE)) {
        parser_advance(parser);
        parser_advance(parser);
        variable->name = "timezone";
    } else if (parser_at(parser, KW_TRANSACTION) && parser_at_ahead(parser, 1, KW_ISOLATION)) {
        parser_advance(parser);
        parser_advance(parser);
        parser_expect(parser, KW_LEVEL);
        variable->name = "transaction_isolation";
    } else {
        variable->name = variable_name(parser);
    }
}

static void discard_statement(struct parser *parser, struct ast_statement *statement) {
    parser_advance(parser);
    statement->kind = AST_DISCARD;
    if (parser_accept(parser, KW_PLANS) || parser_accept(parser, KW_SEQUENCES) ||
        parser_accept(parser, KW_TEMP) || parser_accept(parser, KW_TEMPORARY)) {
        statement->discard_all = false;
        return;
    }
    parser_expect(parser, KW_ALL);
    statement->discard_all = true;
}

/* ---- EXPLAIN -------------------------------------------------------------------------------- */

static bool explain_boolean(struct parser *parser, const char *option) {
    if (parser_at_self(parser, ',') || parser_at_self(parser, ')')) return true;
    const char *value = variable_value(parser);
    if (parser_failed(parser)) return false;
    if (strcmp(value, "true") == 0 || strcmp(value, "on") == 0 || strcmp(value, "1") == 0) {
        return true;
    }
    if (strcmp(value, "false") != 0 && strcmp(value, "off") != 0 && strcmp(value, "0") != 0) {
        parser_error(parser, 0, SQLSTATE_SYNTAX_ERROR, "%s requires a Boolean value", option);
    }
    return false;
}

static void explain_option(struct parser *parser, struct ast_explain *explain) {
    int position = parser_position(parser);
    static const char *const ignored[] = {"buffers", "timing", "summary", "settings", "wal"};
    /* ANALYZE is a reserved word. */
    const char *name = parser_at(parser, KW_ANALYZE) || parser_at(parser, KW_ANALYSE)
                           ? "analyze"
                           : (parser_at(parser, KW_VERBOSE) ? "verbose" : NULL);
    if (name != NULL) {
        parser_advance(parser);
    } else {
        name = parser_name(parser);
    }
    if (strcmp(name, "analyze") == 0) {
        explain->analyze = explain_boolean(parser, name);
    } else if (strcmp(name, "verbose") == 0) {
        explain->verbose = explain_boolean(parser, name);
    } else if (strcmp(name, "costs") == 0) {
        explain->costs = explain_boolean(parser, name);
    } else if (strcmp(name, "format") == 0) {
        const char *format = variable_value(parser);
        if (!parser_failed(parser) && strcmp(format, "text") != 0) {
            parser_refuse(parser, position, "EXPLAIN in another format than TEXT is");
        }
    } else {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
            if (strcmp(name, ignored[i]) == 0) known = true;
        }
        if (known) {
            (void)explain_boolean(parser, name);
        } else {
            parser_error(parser, position, SQLSTATE_SYNTAX_ERROR,
                         "unrecognized EXPLAIN option \"%s\"", name);
        }
    }
}

static void explain_statement(struct parser *parser, struct ast_statement *statement) {
    struct ast_explain *explain = ARENA_NEW(parser->arena, struct ast_explain);
    statement->kind = AST_EXPLAIN;
    statement->explain = explain;
    explain->costs = true;
    parser_advance(parser);
    if (parser_at_self(parser, '(') && !parser_at_select(parser, 1) &&
        parser_peek(parser, 1)->self != '(') {
        parser_advance(parser);
        do {
            explain_option(parser, explain);
        } while (parser_accept_self(parser, ','));
        parser_expect_self(parser, ')');
    } else {
        if (parser_accept(parser, KW_ANALYZE) || parser_accept(parser, KW_ANALYSE)) {
            explain->analyze = true;
        }
        if (parser_accept(parser, KW_VERBOSE)) explain->verbose = true;
    }
    bool explainable = parser_at_select(parser, 0) || parser_at_self(parser, '(') ||
                       parser_at(parser, KW_INSERT) || parser_at(parser, KW_UPDATE) ||
                       parser_at(parser, KW_DELETE);
    if (!explainable) parser_syntax_error(parser);
    if (!parser_failed(parser)) explain->statement = parser_statement(parser);
}

/* ---- which statement ------------------------------------------------------------------------ */

/* Statements of PostgreSQL that we have not. */
static void refuse_statement(struct parser *parser, enum sql_keyword keyword) {
    static const struct {
        enum sql_keyword keyword;
        const char *what;
    } refused[] = {
        {KW_ALTER, "ALTER is"},
        {KW_ANALYZE, "ANALYZE is"},
        {KW_CALL, "CALL is"},
        {KW_CHECKPOINT, "CHECKPOINT is"},
        {KW_CLOSE, "cursors are"},
        {KW_CLUSTER, "CLUSTER is"},
        {KW_COMMENT, "COMMENT is"},
        {KW_COPY, "COPY is"},
        {KW_DEALLOCATE, "DEALLOCATE is"},
        {KW_DECLARE, "cursors are"},
        {KW_DO, "DO is"},
        {KW_EXECUTE, "EXECUTE is"},
        {KW_FETCH, "cursors are"},
        {KW_GRANT, "GRANT is"},
        {KW_IMPORT, "IMPORT is"},
        {KW_LISTEN, "LISTEN is"},
        {KW_LOAD, "LOAD is"},
        {KW_LOCK, "LOCK is"},
        {KW_MOVE, "cursors are"},
        {KW_NOTIFY, "NOTIFY is"},
        {KW_PREPARE, "PREPARE is"},
        {KW_REASSIGN, "REASSIGN is"},
        {KW_REFRESH, "REFRESH is"},
        {KW_REINDEX, "REINDEX is"},
        {KW_RELEASE, "SAVEPOINT is"},
        {KW_REVOKE, "REVOKE is"},
        {KW_SAVEPOINT, "SAVEPOINT is"},
        {KW_SECURITY, "SECURITY LABEL is"},
        {KW_TRUNCATE, "TRUNCATE is"},
        {KW_UNLISTEN, "UNLISTEN is"},
        {KW_VACUUM, "VACUUM is"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (refused[i].keyword != keyword) continue;
        parser_refuse(parser, parser_position(parser), refused[i].what);
        return;
    }
    parser_syntax_error(parser);
}

bool parser_session_statement(struct parser *parser, struct ast_statement *statement) {
    switch (parser_peek(parser, 0)->keyword) {
    case KW_BEGIN:
    case KW_START:
        begin_statement(parser, statement);
        return true;
    case KW_COMMIT:
    case KW_END:
        end_statement(parser, statement, true);
        return true;
    case KW_ROLLBACK:
    case KW_ABORT:
        end_statement(parser, statement, false);
        return true;
    case KW_SET:
        set_statement(parser, statement);
        return true;
    case KW_SHOW:
        show_statement(parser, statement, AST_SHOW);
        return true;
    case KW_RESET:
        show_statement(parser, statement, AST_RESET);
        return true;
    case KW_DISCARD:
        discard_statement(parser, statement);
        return true;
    case KW_EXPLAIN:
        explain_statement(parser, statement);
        return true;
    default:
        return false;
    }
}

struct ast_statement *parser_statement(struct parser *parser) {
    struct ast_statement *statement = ARENA_NEW(parser->arena, struct ast_statement);
    parser_enter(parser);
    enum sql_keyword keyword = parser_peek(parser, 0)->keyword;
    if (parser_at_select(parser, 0) || parser_at_self(parser, '(')) {
        statement->kind = AST_SELECT;
        statement->select = parser_select(parser);
    } else if (keyword == KW_INSERT) {
        parser_insert(parser, statement);
    } else if (keyword == KW_UPDATE) {
        parser_update(parser, statement);
    } else if (keyword == KW_DELETE) {
        parser_delete(parser, statement);
    } else if (keyword == KW_CREATE) {
        parser_create(parser, statement);
    } else if (keyword == KW_DROP) {
        parser_drop(parser, statement);
    } else if (!parser_session_statement(parser, statement)) {
        refuse_statement(parser, keyword);
    }
    parser_leave(parser);
    return statement;
}
