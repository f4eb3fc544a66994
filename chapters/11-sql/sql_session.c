/* sql_session.c - sessions: their life, simple queries, portals.
 *
 * What one statement does is sql_statement.c; the states of transactions are sql_transaction.c. */
#include "sql_session.h"

#include <stdio.h>
#include <string.h>

#include "mem.h"
#include "sql_parser.h"
#include "sql_session_internal.h"

#define DEFAULT_STATEMENT_MEMORY (UINT64_C(256) * 1024 * 1024)

/* ---- the server ------------------------------------------------------------------------------ */

struct sql_server *sql_server_new(const struct sql_server_options *options) {
    struct sql_server *server = MEM_NEW(struct sql_server);
    server->options = *options;
    if (server->options.statement_memory_bytes == 0)
        server->options.statement_memory_bytes = DEFAULT_STATEMENT_MEMORY;
    server->catalog = sql_catalog_cache_new();
    env_random(options->env, "sql", &server->prng);
    server->statements = metrics_counter(options->metrics, "cairn_sql_statements_total",
                                         "SQL statements that ended, well or not.");
    server->errors =
        metrics_counter(options->metrics, "cairn_sql_errors_total", "SQL statements that failed.");
    server->retries =
        metrics_counter(options->metrics, "cairn_sql_retries_total",
                        "Statements repeated after a conflict, unseen by the client.");
    server->latency_ns = metrics_histogram(options->metrics, "cairn_sql_latency_ns",
                                           "From a statement's start to its end.");
    sql_sweep_start(server);
    return server;
}

void sql_server_free(struct sql_server *server) {
    if (server == NULL) return;
    sql_sweep_stop(server);
    sql_catalog_cache_free(server->catalog);
    mem_free(server);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static void on_statement_timeout(void *arg) {
    struct sql_session *session = arg;
    session->timed_out = true;
    cancel_token_cancel(&session->cancel);
}

struct sql_session *sql_session_new(struct sql_server *server, const char *user,
                                    const char *database, const struct sql_sink_ops *sink,
                                    void *sink_arg) {
    struct sql_session *session = MEM_NEW(struct sql_session);
    session->server = server;
    session->sink = sink;
    session->sink_arg = sink_arg;
    session->user = mem_strdup(user);
    session->database = mem_strdup(database);
    sql_catalog_view_init(&session->catalog, server->catalog);
    env_timer_init(&session->timeout, on_statement_timeout, session);
    cancel_token_init(&session->cancel);
    server->sessions++;
    return session;
}

void sql_session_free(struct sql_session *session) {
    if (session == NULL) return;
    sql_transaction_rollback(session);
    while (session->prepared != NULL)
        sql_session_close_prepared(session, session->prepared->name);
    env_timer_stop(&session->timeout);
    sql_settings_deinit(session);
    session->server->sessions--;
    mem_free(session->user);
    mem_free(session->database);
    mem_free(session);
}

char sql_session_transaction_status(const struct sql_session *session) {
    return session->state == TRANSACTION_OPEN     ? 'T'
           : session->state == TRANSACTION_FAILED ? 'E'
                                                  : 'I';
}

void sql_session_cancel(struct sql_session *session) {
    if (!session->running) return;
    session->user_cancel = true;
    cancel_token_cancel(&session->cancel);
}

void sql_session_disconnect(struct sql_session *session) {
    session->disconnected = true;
    cancel_token_cancel(&session->cancel);
}

void sql_session_fail(struct sql_session *session) { sql_transaction_fail(session); }

/* ---- running a statement --------------------------------------------------------------------- */

/* The statement's start and end around its execution; a failure ends its transaction. */
static enum status execute(struct sql_session *session, const struct sql_execution_request *request,
                           bool *suspended, char *tag, struct sql_error *error) {
    struct sql_server *server = session->server;
    uint64_t start_ns = env_now_ns(server->options.env);
    sql_statement_begin(session);
    enum status status = sql_statement_execute(session, request, suspended, tag, error);
    status = sql_statement_end(session, status, error);
    counter_add(server->statements, 1);
    histogram_record(server->latency_ns, env_now_ns(server->options.env) - start_ns);
    if (status == STATUS_OK) return STATUS_OK;
    counter_add(server->errors, 1);
    sql_transaction_fail(session);
    return status;
}

static enum status give_tag(struct sql_session *session, const char *tag, struct sql_error *error) {
    enum status status = session->sink->tag(session->sink_arg, tag);
    if (status != STATUS_OK) sql_error_from_status(error, status);
    return status;
}

static enum status run_statement(struct sql_session *session, const struct ast_statement *statement,
                                 bool last, struct sql_error *error) {
    char tag[SQL_TAG_MAX] = "";
    bool suspended;
    struct sql_prepared *prepared = sql_prepared_new(session->server, "", statement);
    prepared->simple = true;
    struct sql_execution_request request = {.prepared = prepared, .describe = true, .last = last};
    enum status status = execute(session, &request, &suspended, tag, error);
    sql_prepared_release(prepared);
    TRY(status);
    return give_tag(session, tag, error);
}

enum status sql_session_run(struct sql_session *session, struct slice text,
                            struct sql_error *error) {
    struct arena arena;
    struct ast_script script;
    arena_init(&arena, session->server->options.statement_memory_bytes);
    enum status status = sql_parse(&arena, text, &script, error);
    if (status != STATUS_OK) sql_transaction_fail(session);
    if (status == STATUS_OK && script.count == 0) status = give_tag(session, "", error);
    for (size_t i = 0; i < script.count && status == STATUS_OK; i++) {
        status = run_statement(session, script.statements[i], i + 1 == script.count, error);
    }
    /* A block that ended in the middle of the script may have left an implicit transaction
     * behind. */
    if (status == STATUS_OK && session->state == TRANSACTION_IDLE)
        status = sql_session_sync(session, error);
    arena_deinit(&arena);
    return status;
}

/* ---- portals --------------------------------------------------------------------------------- */

struct sql_portal *sql_session_portal(struct sql_session *session, const char *name) {
    struct sql_portal *portal = session->portals;
    while (portal != NULL && strcmp(portal->name, name) != 0)
        portal = portal->next;
    return portal;
}

void sql_session_close_portal(struct sql_session *session, const char *name) {
    for (struct sql_portal **at = &session->portals; *at != NULL; at = &(*at)->next) {
        struct sql_portal *portal = *at;
        if (strcmp(portal->name, name) != 0) continue;
        *at = portal->next;
        sql_run_free(portal->run);
        sql_prepared_release(portal->prepared);
        arena_deinit(&portal->values_arena);
        mem_free(portal->name);
        mem_free(portal);
        return;
    }
}

enum status sql_session_bind(struct sql_session *session, const char *name,
                             struct sql_prepared *prepared, const struct sql_datum *values,
                             struct sql_portal **out, struct sql_error *error) {
    if (session->state == TRANSACTION_FAILED && prepared->statement != NULL &&
        prepared->statement->kind != AST_COMMIT && prepared->statement->kind != AST_ROLLBACK) {
        return sql_refuse_failed(error);
    }
    if (name[0] != '\0' && sql_session_portal(session, name) != NULL) {
        sql_transaction_fail(session);
        return sql_error_set(error, "42P03", "portal \"%s\" already exists", name);
    }
    sql_session_close_portal(session, name);
    struct sql_portal *portal = MEM_NEW(struct sql_portal);
    size_t count = sql_prepared_parameter_count(prepared);
    arena_init(&portal->values_arena, 0);
    portal->values = ARENA_ARRAY(&portal->values_arena, struct sql_datum, count + 1);
    for (size_t i = 0; i < count; i++)
        portal->values[i] = sql_datum_dup(&portal->values_arena, &values[i]);
    portal->session = session;
    portal->name = mem_strdup(name);
    portal->prepared = prepared;
    prepared->references++;
    portal->next = session->portals;
    session->portals = portal;
    *out = portal;
    return STATUS_OK;
}

const struct sql_prepared *sql_portal_prepared(const struct sql_portal *portal) {
    return portal->prepared;
}

/* COMMIT and ROLLBACK free the portals, this one too: nothing of it is touched after they ran. */
static enum status execute_portal(struct sql_portal *portal,
                                  const struct sql_execution_request *request, bool *suspended,
                                  char *tag, struct sql_error *error) {
    struct sql_session *session = portal->session;
    bool control = sql_is_transaction_command(portal->prepared->statement);
    enum status status = execute(session, request, suspended, tag, error);
    if (control || status != STATUS_OK || *suspended) return status;
    portal->done = true;
    snprintf(portal->tag, sizeof portal->tag, "%s", tag);
    return STATUS_OK;
}

enum status sql_portal_execute(struct sql_portal *portal, uint64_t max_rows, bool last,
                               bool *suspended, char *tag, struct sql_error *error) {
    *suspended = false;
    tag[0] = '\0';
    if (portal->prepared->statement == NULL) return STATUS_OK;
    if (portal
            /* PostgreSQL: a portal that has given all its rows gives none when asked again */
            ->done) {
        snprintf(tag, SQL_TAG_MAX, "%s",
                 portal->prepared->statement->kind == AST_SELECT ? "SELECT 0" : portal->tag);
        return STATUS_OK;
    }
    struct sql_execution_request request = {.prepared = portal->prepared,
                                            .values = portal->values,
                                            .last = last,
                                            .portal = portal,
                                            .max_rows = max_rows};
    return execute_portal(portal, &request, suspended, tag, error);
}

enum status sql_session_sync(struct sql_session *session, struct sql_error *error) {
    if (session->state != TRANSACTION_IDLE) return STATUS_OK;
    while (session->portals != NULL)
        sql_session_close_portal(session, session->portals->name);
    if (session->txn == NULL) return STATUS_OK;
    sql_statement_begin(session);
    enum status status = sql_transaction_commit(session, NULL, error);
    return sql_statement_end(session, status, error);
}
