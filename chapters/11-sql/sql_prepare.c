/* sql_prepare.c - prepared statements: a text's tree, and its binding to the catalog as a
 * transaction sees it.
 *
 * The tree is made once. The binding (types, plan) is made again whenever the catalog has changed,
 * which a client notices only if the result would have other columns than it was told. */
#include <string.h>

#include "mem.h"
#include "sql_parser.h"
#include "sql_session_internal.h"

struct sql_prepared *sql_prepared_new(const struct sql_server *server, const char *name,
                                      const struct ast_statement *statement) {
    struct sql_prepared *prepared = MEM_NEW(struct sql_prepared);
    prepared->references = 1;
    prepared->name = mem_strdup(name);
    prepared->statement = statement;
    arena_init(&prepared->syntax, server->options.statement_memory_bytes);
    arena_init(&prepared->arena, server->options.statement_memory_bytes);
    arena_init(&prepared->told_arena, 0);
    return prepared;
}

void sql_prepared_release(struct sql_prepared *prepared) {
    if (--prepared->references > 0) return;
    sql_catalog_pins_release(&prepared->pins);
    arena_deinit(&prepared->arena);
    arena_deinit(&prepared->told_arena);
    arena_deinit(&prepared->syntax);
    buf_deinit(&prepared->text);
    mem_free(prepared->type_oids);
    mem_free(prepared->name);
    mem_free(prepared);
}

/* ---- binding --------------------------------------------------------------------------------- */

static enum status declare_parameters(struct sql_prepared *prepared, struct sql_error *error) {
    struct sql_build *build = &prepared->build;
    uint32_t count = prepared->simple ? 0 : prepared->statement->param_count;
    if (prepared->type_count > count) count = prepared->type_count;
    *build = (struct sql_build){
        .arena = &prepared->arena, .param_count = count, .params_fixed = prepared->simple};
    build->param_types = ARENA_ARRAY(&prepared->arena, enum sql_type, (size_t)count + 1);
    for (uint32_t i = 0; i < count; i++) {
        build->param_types[i] = SQL_UNKNOWN;
        if (i >= prepared->type_count || prepared->type_oids[i] == 0) continue;
        if (sql_type_by_oid(prepared->type_oids[i], &build->param_types[i])) continue;
        return sql_error_set(error, SQLSTATE_UNDEFINED_OBJECT, "type with OID %u does not exist",
                             prepared->type_oids[i]);
    }
    return STATUS_OK;
}

static void take_columns(struct sql_prepared *prepared, const struct bound_statement *bound) {
    uint32_t count = 0;
    const struct bound_column *columns = bound_statement_columns(&prepared->arena, bound, &count);
    prepared->columns = ARENA_ARRAY(&prepared->arena, struct sql_result_column, (size_t)count + 1);
    prepared->column_count = count;
    for (uint32_t i = 0; i < count; i++) {
        prepared->columns[i] = (struct sql_result_column){.name = columns[i].name,
                                                          .type = columns[i].type,
                                                          .table_id = columns[i].table_id,
                                                          .column_id = columns[i].column_id};
    }
}

/* EXPLAIN and SHOW return one column of text. */
static void text_column(struct sql_prepared *prepared, const char *name) {
    prepared->columns = ARENA_NEW(&prepared->arena, struct sql_result_column);
    prepared->columns[0] = (struct sql_result_column){.name = name, .type = SQL_TYPED(SQL_TEXT)};
    prepared->column_count = 1;
}

static enum status bind_planned(struct sql_session *session, struct sql_prepared *prepared,
                                const struct ast_statement *statement, struct sql_error *error) {
    struct sql_catalog catalog = {.context = &session->catalog,
                                  .find_table = sql_catalog_view_find};
    session->catalog.pins = &prepared->pins;
    enum status status = sql_bind(&prepared->build, &catalog, statement, &prepared->bound, error);
    session->catalog.pins = NULL;
    TRY(status);
    take_columns(prepared, prepared->bound);
    if (prepared->bound->kind == AST_CREATE_TABLE) return STATUS_OK;
    return sql_plan_statement(&prepared->arena, prepared->bound, &prepared->plan, error);
}

static enum status bind_statement(struct sql_session *session, struct sql_prepared *prepared,
                                  struct sql_error *error) {
    const struct ast_statement *statement = prepared->statement;
    TRY(declare_parameters(prepared, error));
    switch (statement->kind) {
    case AST_SELECT:
    case AST_INSERT:
    case AST_UPDATE:
    case AST_DELETE:
    case AST_CREATE_TABLE:
        return bind_planned(session, prepared, statement, error);
    case AST_EXPLAIN:
        TRY(bind_planned(session, prepared, statement->explain->statement, error));
        text_column(prepared, "QUERY PLAN");
        return STATUS_OK;
    default:
        return sql_utility_describe(prepared, error);
    }
}

/* ---- binding again --------------------------------------------------------------------------- */

/* What a client was told by the first binding; it outlives the later ones. */
static void remember(struct sql_prepared *prepared) {
    struct arena *arena = &prepared->told_arena;
    prepared->told_count = prepared->column_count;
    prepared->told = ARENA_ARRAY(arena, struct sql_result_column, prepared->told_count + 1);
    for (size_t i = 0; i < prepared->told_count; i++) {
        prepared->told[i] = prepared->columns[i];
        prepared->told[i].name = arena_strdup(arena, prepared->columns[i].name);
    }
}

static bool still_true(const struct sql_prepared *prepared) {
    if (prepared->column_count != prepared->told_count) return false;
    for (size_t i = 0; i < prepared->told_count; i++) {
        const struct sql_result_column *now = &prepared->columns[i];
        const struct sql_result_column *told = &prepared->told[i];
        bool same = now->type.type == told->type.type && now->type.typmod == told->type.typmod &&
                    strcmp(now->name, told->name) == 0;
        if (!same) return false;
    }
    return true;
}

static void unbind(struct sql_prepared *prepared) {
    prepared->catalog_version = 0;
    sql_catalog_pins_release(&prepared->pins);
    arena_reset(&prepared->arena);
    prepared->plan = NULL;
    prepared->bound = NULL;
    prepared->columns = NULL;
    prepared->column_count = 0;
}

/* A suspended portal still needs the plan. */
static bool in_use(const struct sql_session *session, const struct sql_prepared *prepared) {
    for (const struct sql_portal *portal = session->portals; portal != NULL;
         portal = portal->next) {
        if (portal->prepared == prepared && portal->run != NULL) return true;
    }
    return false;
}

enum status sql_prepared_bind(struct sql_session *session, struct sql_prepared *prepared,
                              struct sql_error *error) {
    uint64_t version;
    if (prepared->statement == NULL) return STATUS_OK;
    sql_transaction(session);
    TRY(sql_catalog_view_version(&session->catalog, &version, error));
    if (prepared->catalog_version == version && !session->catalog.changed) return STATUS_OK;
    if (in_use(session, prepared)) {
        return sql_error_set(error, "55006",
                             "cannot plan the statement again while a portal of it is open");
    }
    unbind(prepared);
    TRY(bind_statement(session, prepared, error));
    if (prepared->told == NULL) {
        remember(prepared);
    } else if (!still_true(prepared)) {
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                             "cached plan must not change result type");
    }
    /* Looking up a table that was not cached may have told a newer version. */
    prepared->catalog_version = session->catalog.changed ? 0 : session->catalog.version;
    return STATUS_OK;
}

/* ---- the session's list ---------------------------------------------------------------------- */

struct sql_prepared *sql_session_prepared(struct sql_session *session, const char *name) {
    struct sql_prepared *prepared = session->prepared;
    while (prepared != NULL && strcmp(prepared->name, name) != 0)
        prepared = prepared->next;
    return prepared;
}

void sql_session_close_prepared(struct sql_session *session, const char *name) {
    for (struct sql_prepared **at = &session->prepared; *at != NULL; at = &(*at)->next) {
        if (strcmp((*at)->name, name) != 0) continue;
        struct sql_prepared *prepared = *at;
        *at = prepared->next;
        sql_prepared_release(prepared);
        return;
    }
}

static enum status parse_one(struct sql_prepared *prepared, struct slice text,
                             struct sql_error *error) {
    struct ast_script script;
    buf_append_slice(&prepared->text, text);
    TRY(sql_parse(&prepared->syntax, buf_slice(&prepared->text), &script, error));
    if (script.count > 1) {
        return sql_error_set(error, SQLSTATE_SYNTAX_ERROR,
                             "cannot insert multiple commands into a prepared statement");
    }
    prepared->statement = script.count == 0 ? NULL : script.statements[0];
    return STATUS_OK;
}

static void declare_types(struct sql_prepared *prepared, const uint32_t *type_oids, size_t count) {
    prepared->type_oids = mem_dup(type_oids, count * sizeof *type_oids);
    prepared->type_count = (uint32_t)count;
    for (size_t i = 0; i < count; i++) {
        if (prepared->type_oids[i] == sql_type_info(SQL_UNKNOWN)->oid) prepared->type_oids[i] = 0;
    }
}

/* Outside a transaction the binding trusts the cache: execution checks it. */
static enum status bind_first(struct sql_session *session, struct sql_prepared *prepared,
                              struct sql_error *error) {
    bool borrowed = session->txn != NULL;
    bool control = prepared->statement != NULL && sql_is_transaction_command(prepared->statement);
    if (prepared->statement == NULL || control) return STATUS_OK;
    if (session->state == TRANSACTION_FAILED) return sql_refuse_failed(error);
    enum status status = sql_prepared_bind(session, prepared, error);
    status = sql_statement_confirm(session, status, error);
    if (status == STATUS_CONFLICT && session->statements_done == 0) {
        sql_transaction_restart(session); /* the cache was out of date */
        status = sql_prepared_bind(session, prepared, error);
    }
    if (!borrowed && session->state == TRANSACTION_IDLE) sql_transaction_rollback(session);
    return status;
}

enum status sql_session_prepare(struct sql_session *session, const char *name, struct slice text,
                                const uint32_t *type_oids, size_t type_count,
                                struct sql_prepared **out, struct sql_error *error) {
    if (name[0] != '\0' && sql_session_prepared(session, name) != NULL) {
        sql_transaction_fail(session);
        return sql_error_set(error, SQLSTATE_DUPLICATE_PREPARED_STATEMENT,
                             "prepared statement \"%s\" already exists", name);
    }
    struct sql_prepared *prepared = sql_prepared_new(session->server, name, NULL);
    declare_types(prepared, type_oids, type_count);
    sql_statement_begin(session);
    enum status status = parse_one(prepared, text, error);
    if (status == STATUS_OK) status = bind_first(session, prepared, error);
    status = sql_statement_end(session, status, error);
    if (status != STATUS_OK) {
        sql_prepared_release(prepared);
        sql_transaction_fail(session);
        return status;
    }
    sql_session_close_prepared(session, name);
    prepared->next = session->prepared;
    session->prepared = prepared;
    *out = prepared;
    return STATUS_OK;
}

/* ---- looking --------------------------------------------------------------------------------- */

size_t sql_prepared_parameter_count(const struct sql_prepared *prepared) {
    return prepared->statement == NULL ? 0 : prepared->build.param_count;
}

struct sql_typed sql_prepared_parameter(const struct sql_prepared *prepared, size_t i) {
    return SQL_TYPED(prepared->build.param_types[i]);
}

const struct sql_result_column *sql_prepared_columns(const struct sql_prepared *prepared,
                                                     size_t *count) {
    *count = prepared->column_count;
    return prepared->columns;
}
