/* sql_transaction.c - the session's transaction: its states as PostgreSQL has them, begin, commit,
 * rollback. */
#include <stdio.h>

#include "sql_session_internal.h"

void sql_notice(struct sql_session *session, enum sql_notice_severity severity,
                const char *sqlstate, const char *message) {
    struct sql_error notice = {0};
    if (session->sink->notice == NULL) return;
    (void)sql_error_set(&notice, sqlstate, "%s", message);
    session->sink->notice(session->sink_arg, severity, &notice);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct txn *sql_transaction(struct sql_session *session) {
    if (session->txn != NULL) return session->txn;
    session->txn = txn_begin(session->server->options.txns, &session->request);
    session->statements_done = 0;
    sql_catalog_view_begin(&session->catalog, session->txn, true);
    return session->txn;
}

static void drop(struct sql_session *session) {
    if (session->txn == NULL) return;
    txn_free(session->txn);
    session->txn = NULL;
    session->statements_done = 0;
    session->gave_out = false;
}

static void drop_portals(struct sql_session *session) {
    while (session->portals != NULL)
        sql_session_close_portal(session, session->portals->name);
}

void sql_transaction_rollback(struct sql_session *session) {
    drop_portals(session);
    drop(session);
}

void sql_transaction_fail(struct sql_session *session) {
    if (session->state == TRANSACTION_OPEN) session->state = TRANSACTION_FAILED;
    sql_transaction_rollback(session);
    sql_settings_end_transaction(session, false);
}

/* Only the transaction goes: portals stay, one of them is being executed. */
void sql_transaction_restart(struct sql_session *session) {
    if (session->catalog.trusted) sql_catalog_cache_invalidate(session->server->catalog);
    drop(session);
    counter_add(session->server->retries, 1);
}

/* A cached catalog that turned out to be old is the likeliest reason for a conflict of a short
 * transaction. */
static void doubt_catalog(struct sql_session *session, enum status status) {
    if (status == STATUS_CONFLICT && session->catalog.trusted) {
        sql_catalog_cache_invalidate(session->server->catalog);
    }
}

enum status sql_transaction_commit(struct sql_session *session, const struct sql_table *table,
                                   struct sql_error *error) {
    struct error lower = {0};
    enum status status = session->txn == NULL ? STATUS_OK : txn_commit(session->txn, &lower);
    sql_settings_end_transaction(session, status == STATUS_OK);
    if (session->txn == NULL) return STATUS_OK;
    if (status == STATUS_OK && session->catalog.changed) {
        sql_catalog_cache_invalidate(session->server->catalog);
        sql_sweep_wake(session->server);
    } else if (status == STATUS_OK) {
        sql_catalog_view_committed(&session->catalog, txn_commit_timestamp(session->txn));
    }
    doubt_catalog(session, status);
    if (status == STATUS_EXISTS && table != NULL) {
        status = sql_duplicate_key_error(table, txn_failed_key(session->txn), error);
    } else if (status == STATUS_EXISTS) {
        status = sql_error_set(error, SQLSTATE_UNIQUE_VIOLATION,
                               "duplicate key value violates unique constraint");
    } else if (status != STATUS_OK) {
        sql_error_from(error, &lower);
    }
    drop(session);
    return status;
}

/* ---- commands -------------------------------------------------------------------------------- */

bool sql_is_transaction_command(const struct ast_statement *statement) {
    switch (statement->kind) {
    case AST_BEGIN:
    case AST_COMMIT:
    case AST_ROLLBACK:
    case AST_SET_TRANSACTION:
    case AST_SET_SESSION_CHARACTERISTICS:
        return true;
    default:
        return false;
    }
}

static void set_tag(char *tag, const char *text) { snprintf(tag, SQL_TAG_MAX, "%s", text); }

static enum status begin(struct sql_session *session, const struct ast_transaction *begin,
                         char *tag) {
    if (session->state == TRANSACTION_OPEN) {
        sql_notice(session, SQL_WARNING, SQLSTATE_ACTIVE_TRANSACTION,
                   "there is already a transaction in progress");
    }
    session->state = TRANSACTION_OPEN;
    set_tag(tag, begin->start ? "START TRANSACTION" : "BEGIN");
    return STATUS_OK;
}

static void warn_idle(struct sql_session *session) {
    sql_notice(session, SQL_WARNING, SQLSTATE_NO_ACTIVE_TRANSACTION,
               "there is no transaction in progress");
}

/* COMMIT of a failed transaction is its ROLLBACK. */
static enum status commit(struct sql_session *session, char *tag, struct sql_error *error) {
    enum transaction_state state = session->state;
    if (state == TRANSACTION_IDLE) warn_idle(session);
    session->state = TRANSACTION_IDLE;
    set_tag(tag, state == TRANSACTION_FAILED ? "ROLLBACK" : "COMMIT");
    drop_portals(session);
    if (state == TRANSACTION_FAILED) {
        sql_transaction_rollback(session);
        return STATUS_OK;
    }
    return sql_transaction_commit(session, NULL, error);
}

static void rollback(struct sql_session *session, char *tag) {
    if (session->state == TRANSACTION_IDLE) warn_idle(session);
    session->state = TRANSACTION_IDLE;
    set_tag(tag, "ROLLBACK");
    sql_transaction_rollback(session);
    sql_settings_end_transaction(session, false);
}

/* Everything runs serializable, which is at least what was asked for. */
static enum status set_transaction(const struct ast_transaction *settings,
                                   struct sql_error *error) {
    if (settings->access == AST_READ_ONLY) {
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                             "READ ONLY transactions are not supported");
    }
    return STATUS_OK;
}

enum status sql_transaction_command(struct sql_session *session,
                                    const struct ast_statement *statement, char *tag,
                                    struct sql_error *error) {
    const struct ast_transaction *settings = statement->transaction;
    bool ends = statement->kind == AST_COMMIT || statement->kind == AST_ROLLBACK;
    if (session->state == TRANSACTION_FAILED && !ends) return sql_refuse_failed(error);
    if (settings->chain) {
        return sql_error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "AND CHAIN is not supported");
    }
    switch (statement->kind) {
    case AST_BEGIN:
        TRY(set_transaction(settings, error));
        return begin(session, settings, tag);
    case AST_COMMIT:
        return commit(session, tag, error);
    case AST_ROLLBACK:
        rollback(session, tag);
        return STATUS_OK;
    default:
        set_tag(tag, "SET");
        return set_transaction(settings, error);
    }
}
