/* sql_utility.c - statements without a plan: CREATE and DROP TABLE, SET, SHOW, DISCARD, EXPLAIN.
 *
 * Transaction control is sql_transaction.c; the settings themselves are sql_settings.c. */
#include <stdio.h>
#include <strings.h>

#include "mem.h"
#include "sql_session_internal.h"

static void set_tag(char *tag, const char *text) { snprintf(tag, SQL_TAG_MAX, "%s", text); }

/* relation "t" already exists, skipping */
static void notice_skip(struct sql_session *session, const char *sqlstate, const char *what,
                        const char *name, const char *why) {
    char message[SQL_MESSAGE_MAX];
    snprintf(message, sizeof message, "%s \"%s\" %s, skipping", what, name, why);
    sql_notice(session, SQL_NOTICE, sqlstate, message);
}

/* ---- rows of text ---------------------------------------------------------------------------- */

/* A result that is made here: rows[i][column]; NULL is NULL. */
struct text_rows {
    struct arena *arena;
    const char ***rows;
    size_t count, capacity;
    size_t column_count;
};

static const char **add_row(struct text_rows *rows) {
    if (rows->count == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? 16 : rows->capacity * 2;
        const char ***grown = ARENA_ARRAY(rows->arena, const char **, capacity);
        if (rows->count > 0) memcpy(grown, rows->rows, rows->count * sizeof *grown);
        rows->rows = grown;
        rows->capacity = capacity;
    }
    const char **row = ARENA_ARRAY(rows->arena, const char *, rows->column_count);
    rows->rows[rows->count++] = row;
    return row;
}

static enum status give_batch(struct sql_session *session, const struct text_rows *rows,
                              size_t first, uint32_t count, struct sql_error *error) {
    uint32_t column_count = (uint32_t)rows->column_count;
    enum sql_type *types = ARENA_ARRAY(rows->arena, enum sql_type, column_count);
    struct sql_batch batch;
    for (uint32_t c = 0; c < column_count; c++)
        types[c] = SQL_TEXT;
    sql_batch_init(&batch, rows->arena, types, column_count, count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t c = 0; c < column_count; c++) {
            const char *text = rows->rows[first + i][c];
            struct sql_datum datum = text == NULL ? sql_datum_null(SQL_TEXT)
                                                  : sql_datum_text(SQL_TEXT, slice_of_string(text));
            sql_column_set(&batch.columns[c], i, &datum);
        }
    }
    sql_batch_set_rows(&batch, count);
    return sql_give_rows(session, &batch, error);
}

static enum status give_texts(struct sql_session *session,
                              const struct sql_execution_request *request,
                              const struct text_rows *rows, struct sql_error *error) {
    if (request->describe) TRY(sql_give_columns(session, request->prepared, error));
    for (size_t first = 0; first < rows->count; first += SQL_BATCH_ROWS) {
        size_t count = rows->count - first;
        if (count > SQL_BATCH_ROWS) count = SQL_BATCH_ROWS;
        TRY(give_batch(session, rows, first, (uint32_t)count, error));
    }
    return STATUS_OK;
}

/* ---- what a statement returns ---------------------------------------------------------------- */

static const char *const show_all_columns[] = {"name", "setting", "description"};
static const char *const show_tables_columns[] = {"schema", "name"};
static const char *const show_columns_columns[] = {"column", "type", "nullable", "default",
                                                   "primary_key"};

/* As PostgreSQL writes the setting's name. */
static const char *setting_title(const char *name) {
    for (size_t i = 0; i < sql_settings_count(); i++) {
        if (strcasecmp(sql_settings_name(i), name) == 0) return sql_settings_name(i);
    }
    return name;
}

static void describe(struct sql_prepared *prepared, const char *const *names, size_t count) {
    prepared->columns = ARENA_ARRAY(&prepared->arena, struct sql_result_column, count + 1);
    prepared->column_count = count;
    for (size_t i = 0; i < count; i++) {
        prepared->columns[i] =
            (struct sql_result_column){.name = names[i], .type = SQL_TYPED(SQL_TEXT)};
    }
}

#define DESCRIBE(prepared, names) describe((prepared), (names), ARRAY_LEN(names))

enum status sql_utility_describe(struct sql_prepared *prepared, struct sql_error *error) {
    (void)error;
    const struct ast_statement *statement = prepared->statement;
    prepared->column_count = 0;
    if (statement->kind == AST_SHOW_TABLES) {
        DESCRIBE(prepared, show_tables_columns);
    } else if (statement->kind == AST_SHOW_COLUMNS) {
        DESCRIBE(prepared, show_columns_columns);
    } else if (statement->kind == AST_SHOW && strcmp(statement->variable->name, "all") == 0) {
        DESCRIBE(prepared, show_all_columns);
    } else if (statement->kind == AST_SHOW) {
        const char *title = setting_title(statement->variable->name);
        describe(prepared, &title, 1);
    }
    return STATUS_OK;
}

/* ---- tables ---------------------------------------------------------------------------------- */

static enum status find_table(struct sql_session *session, struct sql_catalog_pins *pins,
                              const struct ast_relation *relation, const struct sql_table **out,
                              struct sql_error *error) {
    session->catalog.pins = pins;
    enum status status =
        sql_catalog_view_find(&session->catalog, relation->schema, relation->name, out, error);
    session->catalog.pins = NULL;
    return status;
}

static enum status create_table(struct sql_session *session, const struct sql_prepared *prepared,
                                char *tag, struct sql_error *error) {
    const struct bound_create_table *create = prepared->bound->create_table;
    struct sql_catalog_pins pins = {0};
    struct ast_relation name = {.schema = create->table->schema, .name = create->table->name};
    const struct sql_table *existing;
    enum status status = find_table(session, &pins, &name, &existing, error);
    sql_catalog_pins_release(&pins);
    set_tag(tag, "CREATE TABLE");
    if (status == STATUS_NOT_FOUND) {
        return sql_catalog_create_table(&session->catalog, create->table, error);
    }
    TRY(status);
    if (!create->if_not_exists) {
        return sql_error_set(error, SQLSTATE_DUPLICATE_TABLE, "relation \"%s\" already exists",
                             name.name);
    }
    notice_skip(session, SQLSTATE_DUPLICATE_TABLE, "relation", name.name, "already exists");
    return STATUS_OK;
}

/* All names are looked up before the first table goes. */
static enum status drop_tables(struct sql_session *session, const struct ast_drop_table *drop,
                               struct sql_catalog_pins *pins, struct arena *arena,
                               struct sql_error *error) {
    const struct sql_table **tables =
        ARENA_ARRAY(arena, const struct sql_table *, drop->relation_count);
    size_t count = 0;
    for (size_t i = 0; i < drop->relation_count; i++) {
        const char *name = drop->relations[i].name;
        const struct sql_table *table = NULL;
        enum status status = find_table(session, pins, &drop->relations[i], &table, error);
        if (status == STATUS_NOT_FOUND && !drop->if_exists) {
            return sql_error_set(error, SQLSTATE_UNDEFINED_TABLE, "table \"%s\" does not exist",
                                 name);
        }
        if (status == STATUS_NOT_FOUND) {
            notice_skip(session, "00000", "table", name, "does not exist");
            continue;
        }
        TRY(status);
        bool twice = false;
        for (size_t t = 0; t < count; t++)
            twice |= tables[t]->id == table->id;
        if (!twice) tables[count++] = table;
    }
    for (size_t t = 0; t < count; t++)
        TRY(sql_catalog_drop_table(&session->catalog, tables[t], error));
    return STATUS_OK;
}

static enum status drop_table(struct sql_session *session, const struct ast_drop_table *drop,
                              struct arena *arena, char *tag, struct sql_error *error) {
    struct sql_catalog_pins pins = {0};
    enum status status = drop_tables(session, drop, &pins, arena, error);
    sql_catalog_pins_release(&pins);
    set_tag(tag, "DROP TABLE");
    return status;
}

static enum status show_tables(struct sql_session *session,
                               const struct sql_execution_request *request, struct text_rows *rows,
                               struct sql_error *error) {
    const char **names;
    size_t count;
    sql_transaction(session);
    TRY(sql_catalog_list_tables(&session->catalog, rows->arena, &names, &count, error));
    for (size_t i = 0; i < count; i++) {
        const char **row = add_row(rows);
        row[0] = "public";
        row[1] = names[i];
    }
    return give_texts(session, request, rows, error);
}

static const char *key_position(const struct sql_table *table, uint32_t column,
                                struct arena *arena) {
    for (uint32_t k = 0; k < table->key_count; k++) {
        if (table->key[k] == column) return arena_printf(arena, "%u", k + 1);
    }
    return NULL;
}

static enum status show_columns(struct sql_session *session,
                                const struct sql_execution_request *request, struct text_rows *rows,
                                struct sql_error *error) {
    const struct ast_relation *relation = request->prepared->statement->relation;
    struct sql_catalog_pins pins = {0};
    const struct sql_table *table;
    sql_transaction(session);
    enum status status = find_table(session, &pins, relation, &table, error);
    if (status == STATUS_NOT_FOUND) {
        return sql_error_set_at(error, relation->position, SQLSTATE_UNDEFINED_TABLE,
                                "relation \"%s\" does not exist", relation->name);
    }
    TRY(status);
    for (uint32_t c = 0; c < table->column_count; c++) {
        const struct sql_table_column *column = &table->columns[c];
        if (column->hidden) continue;
        const char **row = add_row(rows);
        row[0] = column->name;
        row[1] = sql_type_format(rows->arena, column->type.type, column->type.typmod);
        row[2] = column->not_null ? "not null" : "";
        row[3] = column->default_text;
        row[4] = key_position(table, c, rows->arena);
    }
    status = give_texts(session, request, rows, error);
    sql_catalog_pins_release(&pins);
    return status;
}

/* ---- settings -------------------------------------------------------------------------------- */

static enum status set_variable(struct sql_session *session, const struct ast_variable *variable,
                                char *tag, struct sql_error *error) {
    set_tag(tag, "SET");
    if (variable->local && session->state == TRANSACTION_IDLE) {
        sql_notice(session, SQL_WARNING, SQLSTATE_NO_ACTIVE_TRANSACTION,
                   "SET LOCAL can only be used in transaction blocks");
        return STATUS_OK;
    }
    sql_settings_remember(session, variable->name, variable->local);
    if (variable->value == NULL) return sql_settings_reset(session, variable->name, error);
    return sql_session_set(session, variable->name, variable->value, error);
}

static enum status reset_variable(struct sql_session *session, const struct ast_variable *variable,
                                  char *tag, struct sql_error *error) {
    set_tag(tag, "RESET");
    bool all = strcmp(variable->name, "all") == 0;
    sql_settings_remember(session, all ? NULL : variable->name, false);
    if (!all) return sql_settings_reset(session, variable->name, error);
    sql_settings_reset_all(session);
    return STATUS_OK;
}

static enum status show_all(struct sql_session *session,
                            const struct sql_execution_request *request, struct text_rows *rows,
                            struct sql_error *error) {
    for (size_t i = 0; i < sql_settings_count(); i++) {
        const char **row = add_row(rows);
        row[0] = sql_settings_name(i);
        row[1] = sql_session_show(session, row[0]);
        row[2] = "";
    }
    return give_texts(session, request, rows, error);
}

static enum status show_variable(struct sql_session *session,
                                 const struct sql_execution_request *request,
                                 struct text_rows *rows, struct sql_error *error) {
    const struct ast_variable *variable = request->prepared->statement->variable;
    if (strcmp(variable->name, "all") == 0) return show_all(session, request, rows, error);
    const char *value = sql_session_show(session, variable->name);
    if (value == NULL) {
        return sql_error_set(error, SQLSTATE_UNDEFINED_OBJECT,
                             "unrecognized configuration parameter \"%s\"", variable->name);
    }
    add_row(rows)[0] = value;
    return give_texts(session, request, rows, error);
}

static bool ends_with_word(struct slice text, const char *word) {
    size_t len = strlen(word);
    return text.len > len && strncasecmp((const char *)text.data + text.len - len, word, len) == 0;
}

/* Of plans, sequences and temporary tables there is nothing to discard. The running statement is
 * not in the session's list, or a portal holds it. */
static enum status discard(struct sql_session *session, const struct ast_statement *statement,
                           char *tag, struct sql_error *error) {
    set_tag(tag, statement->discard_all                         ? "DISCARD ALL"
                 : ends_with_word(statement->text, "plans")     ? "DISCARD PLANS"
                 : ends_with_word(statement->text, "sequences") ? "DISCARD SEQUENCES"
                                                                : "DISCARD TEMP");
    if (!statement->discard_all) return STATUS_OK;
    if (session->state != TRANSACTION_IDLE) {
        return sql_error_set(error, SQLSTATE_ACTIVE_TRANSACTION,
                             "DISCARD ALL cannot run inside a transaction block");
    }
    while (session->prepared != NULL)
        sql_session_close_prepared(session, session->prepared->name);
    sql_settings_reset_all(session);
    return STATUS_OK;
}

/* ---- EXPLAIN --------------------------------------------------------------------------------- */

static enum status explain(struct sql_session *session, const struct sql_execution_request *request,
                           struct text_rows *rows, struct sql_error *error) {
    const struct ast_explain *explain = request->prepared->statement->explain;
    struct sql_explain_options options = {.costs = explain->costs, .verbose = explain->verbose};
    struct slice *lines;
    size_t count;
    if (explain->analyze) {
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                             "EXPLAIN ANALYZE is not supported");
    }
    sql_explain(rows->arena, request->prepared->plan, options, &lines, &count);
    for (size_t i = 0; i < count; i++)
        add_row(rows)[0] = arena_string(rows->arena, lines[i]);
    return give_texts(session, request, rows, error);
}

/* ---- which ----------------------------------------------------------------------------------- */

static enum status execute(struct sql_session *session, const struct sql_execution_request *request,
                           struct arena *arena, char *tag, struct sql_error *error) {
    const struct ast_statement *statement = request->prepared->statement;
    struct text_rows rows = {.arena = arena, .column_count = request->prepared->column_count};
    switch (statement->kind) {
    case AST_CREATE_TABLE:
        return create_table(session, request->prepared, tag, error);
    case AST_DROP_TABLE:
        return drop_table(session, statement->drop_table, arena, tag, error);
    case AST_SET:
        return set_variable(session, statement->variable, tag, error);
    case AST_RESET:
        return reset_variable(session, statement->variable, tag, error);
    case AST_DISCARD:
        return discard(session, statement, tag, error);
    case AST_SHOW:
        set_tag(tag, "SHOW");
        return show_variable(session, request, &rows, error);
    case AST_SHOW_TABLES:
        set_tag(tag, "SHOW");
        return show_tables(session, request, &rows, error);
    case AST_SHOW_COLUMNS:
        set_tag(tag, "SHOW");
        return show_columns(session, request, &rows, error);
    case AST_EXPLAIN:
        set_tag(tag, "EXPLAIN");
        return explain(session, request, &rows, error);
    default:
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                             "this statement is not supported");
    }
}

enum status sql_utility_execute(struct sql_session *session,
                                const struct sql_execution_request *request, char *tag,
                                struct sql_error *error) {
    struct arena arena;
    arena_init(&arena, session->server->options.statement_memory_bytes);
    enum status status = execute(session, request, &arena, tag, error);
    arena_deinit(&arena);
    return status;
}
