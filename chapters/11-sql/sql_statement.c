/* sql_statement.c - one statement from its start to its tag: cancel and time limit, retries,
 * commit.
 *
 * A statement that fails for a conflict is repeated from the beginning of its transaction as long
 * as the client has seen nothing of it: that is, when it is the transaction's first. */
#include <inttypes.h>
#include <stdio.h>

#include "co.h"
#include "sql_session_internal.h"

enum { ATTEMPTS_MAX = 30 };
#define FIRST_BACKOFF_NS (1 * NS_PER_MS)
#define LAST_BACKOFF_NS (64 * NS_PER_MS)
#define DEFAULT_TIMEOUT_NS (60 * NS_PER_S)

/* ---- limits ---------------------------------------------------------------------------------- */

void sql_statement_begin(struct sql_session *session) {
    struct env *env = session->server->options.env;
    uint64_t limit_ns = sql_settings_statement_timeout_ns(session);
    uint64_t deadline_ns = session->server->options.statement_timeout_ns;
    session->user_cancel = session->timed_out = false;
    cancel_token_init(&session->cancel);
    if (session->disconnected) cancel_token_cancel(&session->cancel);
    session->request =
        request_init(env_deadline_ns(env, deadline_ns == 0 ? DEFAULT_TIMEOUT_NS : deadline_ns));
    session->request.cancel = &session->cancel;
    session->request.principal = session->user;
    session->running = true;
    if (limit_ns > 0) env_timer_start(env, &session->timeout, env_deadline_ns(env, limit_ns));
    if (session->txn != NULL) txn_set_request(session->txn, &session->request);
}

enum status sql_statement_end(struct sql_session *session, enum status status,
                              struct sql_error *error) {
    env_timer_stop(&session->timeout);
    session->running = false;
    bool cancelled = session->timed_out || session->user_cancel || session->disconnected;
    bool unknown = status == STATUS_UNKNOWN_OUTCOME;
    if (status == STATUS_OK || !cancelled || unknown || !session->cancel.cancelled) return status;
    if (status != STATUS_CANCELLED && status != STATUS_DEADLINE) return status;
    (void)sql_error_set(error, SQLSTATE_QUERY_CANCELED, "canceling statement due to %s",
                        session->timed_out     ? "statement timeout"
                        : session->user_cancel ? "user request"
                                               : "lost connection");
    return STATUS_CANCELLED;
}

/* An error that only an old catalog made up ("no such column") must not reach the client. */
enum status sql_statement_confirm(struct sql_session *session, enum status status,
                                  struct sql_error *error) {
    struct sql_error doubt = {0};
    bool judged = status == STATUS_INVALID || status == STATUS_UNSUPPORTED;
    if (!judged || session->txn == NULL) return status;
    enum status confirmed = sql_catalog_view_confirm(&session->catalog, &doubt);
    if (confirmed == STATUS_OK) return status;
    *error = doubt;
    return confirmed;
}

enum status sql_refuse_failed(struct sql_error *error) {
    return sql_error_set(
        error, SQLSTATE_IN_FAILED_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block");
}

/* ---- giving out ------------------------------------------------------------------------------ */

enum status sql_give_rows(struct sql_session *session, const struct sql_batch *batch,
                          struct sql_error *error) {
    session->gave_out = true;
    enum status status = session->sink->rows(session->sink_arg, batch);
    if (status != STATUS_OK) sql_error_from_status(error, status);
    return status;
}

enum status sql_give_columns(struct sql_session *session, const struct sql_prepared *prepared,
                             struct sql_error *error) {
    if (session->sink->columns == NULL) return STATUS_OK;
    enum status status =
        session->sink->columns(session->sink_arg, prepared->columns, prepared->column_count);
    if (status != STATUS_OK) sql_error_from_status(error, status);
    return status;
}

/* ---- plans that return rows ------------------------------------------------------------------ */

/* The selection of a batch, cut to what a portal may still give. */
static void cut(struct sql_batch *batch, uint64_t left) {
    if (left > 0 && batch->selection.count > left) batch->selection.count = (uint32_t)left;
}

/* The next page, and before the first one the columns. A conflict describes nothing: the statement
 * may be repeated, and then with other columns (its table was made anew), but is described once. */
static enum status fetch(struct sql_session *session, const struct sql_execution_request *request,
                         struct sql_run *run, uint64_t max_rows, bool *told,
                         const struct sql_batch **rows, struct sql_error *error) {
    enum status status = sql_run_next(run, max_rows, rows, error);
    if (*told || status == STATUS_CONFLICT) return status;
    struct sql_error lost;
    *told = true;
    enum status gave =
        sql_give_columns(session, request->prepared, status == STATUS_OK ? error : &lost);
    return status == STATUS_OK ? gave : status;
}

/* Rows of a page that a portal's limit has cut wait in the portal's run. */
static enum status give_until(struct sql_session *session,
                              const struct sql_execution_request *request, struct sql_run *run,
                              bool told, uint64_t *given, bool *more, struct sql_error *error) {
    uint64_t max_rows = request->max_rows;
    *more = true;
    while (max_rows == 0 || *given < max_rows) {
        const struct sql_batch *rows;
        uint64_t left = max_rows == 0 ? 0 : max_rows - *given;
        TRY(fetch(session, request, run, left, &told, &rows, error));
        struct sql_batch batch = *rows;
        if (batch.selection.count == 0) {
            *more = false;
            return STATUS_OK;
        }
        cut(&batch, left);
        *given += batch.selection.count;
        TRY(sql_give_rows(session, &batch, error));
    }
    return STATUS_OK;
}

static enum status select_rows(struct sql_session *session,
                               const struct sql_execution_request *request, bool *suspended,
                               char *tag, struct sql_error *error) {
    struct sql_portal *portal = request->portal;
    struct sql_run *run = portal == NULL ? NULL : portal->run;
    uint64_t given = 0;
    bool more = false;
    bool told = run != NULL || !request->describe;
    if (run == NULL) TRY(sql_run_start(session, request->prepared, request->values, &run, error));
    if (portal != NULL) portal->run = run;
    enum status status = give_until(session, request, run, told, &given, &more, error);
    *suspended = status == STATUS_OK && more;
    snprintf(tag, SQL_TAG_MAX, "SELECT %" PRIu64,
             given); /* of this Execute, as PostgreSQL counts */
    if (*suspended) return STATUS_OK;
    if (portal != NULL) portal->run = NULL;
    sql_run_free(run);
    return status;
}

/* ---- one attempt ----------------------------------------------------------------------------- */

static enum status write_rows(struct sql_session *session,
                              const struct sql_execution_request *request, char *tag,
                              struct sql_error *error) {
    uint64_t rows = 0;
    TRY(sql_dml_execute(session, request->prepared, request->values, request->last, &rows, error));
    const char *verb = request->prepared->plan->kind == SQL_PLAN_INSERT   ? "INSERT 0"
                       : request->prepared->plan->kind == SQL_PLAN_UPDATE ? "UPDATE"
                                                                          : "DELETE";
    snprintf(tag, SQL_TAG_MAX, "%s %" PRIu64, verb, rows);
    return STATUS_OK;
}

static const struct sql_table *written_table(const struct sql_prepared *prepared) {
    const struct sql_plan *plan = prepared->plan;
    if (plan == NULL || prepared->statement->kind == AST_EXPLAIN) return NULL;
    switch (plan->kind) {
    case SQL_PLAN_INSERT:
        return plan->insert.table;
    case SQL_PLAN_UPDATE:
        return plan->update.table;
    case SQL_PLAN_DELETE:
        return plan->delete_.table;
    default:
        return NULL;
    }
}

static enum status attempt(struct sql_session *session, const struct sql_execution_request *request,
                           bool *suspended, char *tag, struct sql_error *error) {
    struct sql_prepared *prepared = request->prepared;
    bool resumed = request->portal != NULL && request->portal->run != NULL;
    if (!resumed) TRY(sql_prepared_bind(session, prepared, error));
    enum ast_statement_kind kind = prepared->statement->kind;
    if (kind == AST_SELECT) {
        TRY(select_rows(session, request, suspended, tag, error));
    } else if (written_table(prepared) != NULL) {
        TRY(write_rows(session, request, tag, error));
    } else {
        TRY(sql_utility_execute(session, request, tag, error));
    }
    bool commit = session->state == TRANSACTION_IDLE && request->last && !*suspended;
    return commit ? sql_transaction_commit(session, written_table(prepared), error) : STATUS_OK;
}

/* ---- all attempts ---------------------------------------------------------------------------- */

static uint64_t backoff_ns(struct sql_session *session, unsigned attempts) {
    uint64_t most = FIRST_BACKOFF_NS << (attempts < 6 ? attempts : 6);
    if (most > LAST_BACKOFF_NS) most = LAST_BACKOFF_NS;
    return prng_between(&session->server->prng, most / 2, most);
}

enum status sql_statement_execute(struct sql_session *session,
                                  const struct sql_execution_request *request, bool *suspended,
                                  char *tag, struct sql_error *error) {
    enum status status = STATUS_OK;
    *suspended = false;
    if (sql_is_transaction_command(request->prepared->statement)) {
        return sql_transaction_command(session, request->prepared->statement, tag, error);
    }
    if (session->state == TRANSACTION_FAILED) return sql_refuse_failed(error);
    bool resumed = request->portal != NULL && request->portal->run != NULL;
    bool first = (session->txn == NULL || session->statements_done == 0) && !resumed;
    for (unsigned attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
        status = attempt(session, request, suspended, tag, error);
        status = sql_statement_confirm(session, status, error);
        if (status != STATUS_CONFLICT || !first || session->gave_out) break;
        if (request->portal != NULL && request->portal->run != NULL) {
            sql_run_free(request->portal->run);
            request->portal->run = NULL;
        }
        sql_transaction_restart(session);
        struct env *env = session->server->options.env;
        if (co_sleep(env, backoff_ns(session, attempts)) != STATUS_OK ||
            session->cancel.cancelled) {
            return sql_error_from_status(error, STATUS_CANCELLED);
        }
    }
    if (status == STATUS_OK && session->txn != NULL) {
        session->statements_done++;
        session->gave_out = true;
    }
    return status;
}
