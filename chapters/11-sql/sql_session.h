/* sql_session.h - one client's conversation in SQL: statements in, rows and tags out.
 *
 * What a wire protocol (chapter 12), a prompt (this chapter's node) and tests speak to. A session
 * runs on a coroutine; it owns the client's transaction, its settings, prepared statements and
 * portals. It knows nothing of bytes on the wire.
 *
 * Invariants
 *  1. Transaction states as PostgreSQL has them: IDLE (each statement commits by itself), OPEN
 *     (after BEGIN), FAILED (a statement of an open transaction failed: until ROLLBACK or COMMIT
 *     all else is refused, 25P02).
 *  2. A row or a tag that reports a write is given out only when the write is committed (or, in an
 *     open transaction, buffered). What was given out is never taken back: a statement is repeated
 *     after a conflict (40001) only while nothing of it, nor of its transaction, was given out.
 *  3. Every statement ends by its tag or by one error.
 *
 * Functions that run statements suspend the coroutine. A session is used by one coroutine at a
 * time, except sql_session_cancel, which the loop may call. */
#ifndef CAIRN_SQL_SESSION_H
#define CAIRN_SQL_SESSION_H

#include "arena.h"
#include "co.h"
#include "env.h"
#include "metrics.h"
#include "sql_batch.h"
#include "sql_error.h"
#include "txn.h"

/* ---- the node's side ------------------------------------------------------------------------- */

struct sql_server;

struct sql_server_options {
    struct env *env;
    struct txn_manager *txns;
    struct hlc *clock;
    struct metrics *metrics;
    uint64_t node_id;
    /* for deleting the rows of dropped tables; NULL: left to other nodes */
    struct co_pool *coroutines;
    uint64_t statement_memory_bytes; /* of one statement; above: 53200. 0: 256 MiB */
    /* without a setting of the client; 0: 60 s to find a leader, no other limit */
    uint64_t statement_timeout_ns;
};
struct sql_server *sql_server_new(const struct sql_server_options *options);
/* All sessions must be freed. Not on a coroutine. */
void sql_server_free(struct sql_server *server);

/* ---- sessions -------------------------------------------------------------------------------- */

struct sql_session;

enum sql_notice_severity { SQL_NOTICE, SQL_WARNING };

/* One column of a result, as RowDescription needs it. */
struct sql_result_column {
    const char *name;
    struct sql_typed type;
    uint64_t table_id;  /* 0: an expression */
    uint32_t column_id; /* 0: an expression */
};

/* How a session speaks to its client. All run on the session's coroutine; a status other than OK
 * ends the statement with it (CLOSED: the client has gone). Borrowed arguments are valid during the
 * call. */
struct sql_sink_ops {
    /* The shape of the rows that follow; once for each statement that returns rows, before them.
     * Not called for portals: their client has asked by sql_prepared_columns. Optional. */
    enum status (*columns)(void *arg, const struct sql_result_column *columns, size_t count);
    /* Rows: those selected in the batch. May suspend until the client has taken some. */
    enum status (*rows)(void *arg, const struct sql_batch *batch);
    /* A statement of sql_session_run has ended well: "INSERT 0 1", "SELECT 3", "BEGIN"; "" for an
     * empty statement. */
    enum status (*tag)(void *arg, const char *tag);
    void (*notice)(void *arg, enum sql_notice_severity severity, const struct sql_error *notice);
    /* A setting that clients are told about has changed (application_name, client_encoding, ...).
     * Optional. */
    void (*parameter)(void *arg, const char *name, const char *value);
};

/* user, database: shown by current_user and current_database(); copied. */
struct sql_session *sql_session_new(struct sql_server *server, const char *user,
                                    const char *database, const struct sql_sink_ops *sink,
                                    void *sink_arg);
/* Rolls back. On the session's coroutine or on the loop when none runs; never suspends. */
void sql_session_free(struct sql_session *session);

/* 'I' idle, 'T' in a transaction, 'E' in a failed one. */
char sql_session_transaction_status(const struct sql_session *session);
/* SET and the startup packet: INVALID 22023 or 42704 with the error. Unknown names with a dot are
 * custom settings and accepted. Never suspends. */
enum status sql_session_set(struct sql_session *session, const char *name, const char *value,
                            struct sql_error *error) MUST_CHECK;
/* NULL: no such setting. Valid until it changes. */
const char *sql_session_show(const struct sql_session *session, const char *name);
/* From the loop: the running statement ends with 57014; none running: nothing. */
void sql_session_cancel(struct sql_session *session);
/* From the loop, when the connection is lost: the running statement ends, later ones are
 * refused. */
void sql_session_disconnect(struct sql_session *session);

/* ---- simple queries -------------------------------------------------------------------------- */

/* Runs the statements of a script in order: each result goes to the sink and ends with its tag.
 * Outside BEGIN the statements of one script are one transaction (PostgreSQL 55.2.2.1). At the
 * first error the rest is dropped. A script without a statement gives one empty tag. */
enum status sql_session_run(struct sql_session *session, struct slice script,
                            struct sql_error *error) MUST_CHECK;

/* ---- prepared statements and portals (the extended protocol) --------------------------------- */

struct sql_prepared;
struct sql_portal;

/* Prepares one statement (42601 if there are several; none is allowed: it does nothing). name "":
 * the unnamed one, replaced silently; others 42P05 if they exist. type_oids: of $1..; 0 or missing:
 * inferred (42P18 if that fails). */
enum status sql_session_prepare(struct sql_session *session, const char *name, struct slice text,
                                const uint32_t *type_oids, size_t type_count,
                                struct sql_prepared **out, struct sql_error *error) MUST_CHECK;
/* NULL: no such statement. Never suspends. Valid until it is closed or replaced. */
struct sql_prepared *sql_session_prepared(struct sql_session *session, const char *name);
size_t sql_prepared_parameter_count(const struct sql_prepared *prepared);
struct sql_typed sql_prepared_parameter(const struct sql_prepared *prepared, size_t i); /* from 0 */
/* Result columns; count 0: it returns no rows. */
const struct sql_result_column *sql_prepared_columns(const struct sql_prepared *prepared,
                                                     size_t *count);

/* Binds values (count as the statement has; typed as its parameters; copied). name as above, 42P03
 * if it exists. Portals end with their transaction. */
enum status sql_session_bind(struct sql_session *session, const char *name,
                             struct sql_prepared *prepared, const struct sql_datum *values,
                             struct sql_portal **out, struct sql_error *error) MUST_CHECK;
struct sql_portal *sql_session_portal(struct sql_session *session, const char *name);
const struct sql_prepared *sql_portal_prepared(const struct sql_portal *portal);

/* Runs a portal or goes on with it: at most max_rows rows (0: all) to the sink. *suspended: more
 * may follow; otherwise tag (at least SQL_TAG_MAX bytes) is set. last: Sync comes next; then,
 * outside a transaction block, what the pipeline did is committed before the tag is given out. */
enum { SQL_TAG_MAX = 64 };
enum status sql_portal_execute(struct sql_portal *portal, uint64_t max_rows, bool last,
                               bool *suspended, char *tag, struct sql_error *error) MUST_CHECK;
/* Sync: ends the implicit transaction of a pipeline (commits; its error is a statement's error),
 * frees portals unless a transaction block is open. */
enum status sql_session_sync(struct sql_session *session, struct sql_error *error) MUST_CHECK;
/* An error that the protocol found (a malformed Bind, say) inside a transaction: the transaction
 * fails. */
void sql_session_fail(struct sql_session *session);

/* No-ops if there is none of that name. */
void sql_session_close_prepared(struct sql_session *session, const char *name);
void sql_session_close_portal(struct sql_session *session, const char *name);

#endif
