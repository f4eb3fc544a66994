/* pg_connection.c - the loop over a client's messages: which session call each becomes, and the
 * answers that the protocol owes (errors, ReadyForQuery, skipping up to Sync). */
#include "pg_connection.h"

#include "co.h"

/* So many messages in a row without a wait, then others have their turn. */
enum { MESSAGES_PER_SLICE = 32 };

void pg_report_fatal(struct pg_connection *connection, const struct sql_error *error) {
    pg_put_error(&connection->out, "FATAL", error);
    pg_flush(connection);
}

static void ready(struct pg_connection *connection) {
    pg_put_ready(&connection->out, sql_session_transaction_status(connection->session));
    pg_flush(connection);
    pg_trim(connection);
}

/* ---- simple queries ------------------------------------------------------------------------- */

static void on_query(struct pg_connection *connection, struct slice body) {
    struct sql_error error;
    sql_error_clear(&error);
    struct slice script;
    enum status status;
    if (pg_query_decode(body, &script)) {
        /* 55.2.3: a simple query drops the unnamed statement and the unnamed portal. */
        sql_session_close_portal(connection->session, "");
        sql_session_close_prepared(connection->session, "");
        status = sql_session_run(connection->session, script, &error);
    } else {
        status = sql_error_set(&error, SQLSTATE_PROTOCOL_VIOLATION, "invalid message format");
        sql_session_fail(connection->session);
    }
    if (status != STATUS_OK) pg_put_error(&connection->out, "ERROR", &error);
    ready(connection);
}

/* ---- the extended protocol ------------------------------------------------------------------ */

static void on_extended(struct pg_connection *connection, const struct pg_message *message) {
    struct sql_error error;
    sql_error_clear(&error);
    if (pg_extended_message(connection, message, &error)) return;
    sql_session_fail(connection->session);
    pg_put_error(&connection->out, "ERROR", &error);
    connection->skip_to_sync = true;
}

static void on_sync(struct pg_connection *connection) {
    struct sql_error error;
    sql_error_clear(&error);
    connection->skip_to_sync = false;
    if (sql_session_sync(connection->session, &error) != STATUS_OK)
        pg_put_error(&connection->out, "ERROR", &error);
    if (sql_session_transaction_status(connection->session) == 'I') pg_forget_formats(connection);
    ready(connection);
}

static void refuse_function_call(struct pg_connection *connection) {
    struct sql_error error;
    (void)sql_error_set(&error, SQLSTATE_FEATURE_NOT_SUPPORTED,
                        "function calls of the protocol are not supported");
    sql_error_hint(&error, "Call the function in a SELECT.");
    sql_session_fail(connection->session);
    pg_put_error(&connection->out, "ERROR", &error);
    ready(connection);
}

/* A message that was dropped: what it would have done has failed. False: there is no going on
 * without it. */
static bool on_dropped(struct pg_connection *connection, enum pg_frontend type,
                       const struct sql_error *error) {
    bool simple = type == PG_QUERY || type == PG_FUNCTION_CALL;
    bool extended = type == PG_PARSE || type == PG_BIND || type == PG_DESCRIBE ||
                    type == PG_EXECUTE || type == PG_CLOSE;
    if (!simple && !extended) return false;
    if (connection->skip_to_sync) return true;
    sql_session_fail(connection->session);
    pg_put_error(&connection->out, "ERROR", error);
    if (simple) ready(connection);
    connection->skip_to_sync = extended;
    return true;
}

/* ---- the loop ------------------------------------------------------------------------------- */

/* False: the client has said goodbye. */
static bool on_message(struct pg_connection *connection, const struct pg_message *message) {
    bool skip = connection->skip_to_sync;
    switch (message->type) {
    case PG_TERMINATE:
        return false;
    case PG_SYNC:
        on_sync(connection);
        break;
    case PG_QUERY:
        if (!skip) on_query(connection, message->body);
        break;
    case PG_FUNCTION_CALL:
        if (!skip) refuse_function_call(connection);
        break;
    case PG_PARSE:
    case PG_BIND:
    case PG_DESCRIBE:
    case PG_EXECUTE:
    case PG_CLOSE:
        if (!skip) on_extended(connection, message);
        break;
    case PG_FLUSH:
        pg_flush(connection);
        break;
    case PG_COPY_DATA:
    case PG_COPY_DONE:
    case PG_COPY_FAIL:
        break; /* 55.2.7: left over from a COPY that failed */
    case PG_PASSWORD:
        break; /* nobody asked */
    }
    return true;
}

static void converse(struct pg_connection *connection) {
    struct sql_error error;
    sql_error_clear(&error);
    for (unsigned count = 1;; count++) {
        struct pg_message message;
        enum status status = pg_read_message(connection, &message, &error);
        if (status == STATUS_CLOSED) return;
        if (status == STATUS_OK) {
            if (!on_message(connection, &message)) return;
        } else if (status != STATUS_TOO_LARGE || !on_dropped(connection, message.type, &error)) {
            pg_report_fatal(connection, &error);
            return;
        }
        if (pg_write_some(connection) == STATUS_CLOSED) return;
        /* CANCELLED: a cancel request that came too late. */
        if (count % MESSAGES_PER_SLICE == 0 && co_yield() != STATUS_OK) continue;
    }
}

void pg_connection_main(void *arg) {
    struct pg_connection *connection = arg;
    bool started = pg_start(connection);
    env_timer_stop(&connection->startup_timer);
    if (started) converse(connection);
    if (connection->farewell.sqlstate[0]) pg_report_fatal(connection, &connection->farewell);
    pg_flush(connection);
    if (connection->session) sql_session_free(connection->session);
    connection->session = NULL;
    pg_forget_formats(connection);
    pg_server_forget(connection);
}
