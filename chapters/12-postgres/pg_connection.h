/* pg_connection.h - one client of pg_server: what its files share. Nothing else includes this.
 *
 * pg_io.c moves messages, pg_startup.c says hello, pg_connection.c is the loop over messages,
 * pg_result.c turns rows into bytes, pg_extended.c prepares, binds and executes. */
#ifndef CAIRN_PG_CONNECTION_H
#define CAIRN_PG_CONNECTION_H

#include "pg_server.h"
#include "pg_wire.h"

enum pg_awaiting { PG_AWAIT_NOTHING, PG_AWAIT_INPUT, PG_AWAIT_DRAIN };

/* The result formats that a client asked for when it bound a portal. */
struct pg_portal_formats {
    char *portal;
    uint16_t count; /* as in pg_bind */
    struct buf codes;
    struct pg_portal_formats *next;
};

struct pg_connection {
    struct pg_server *server;
    struct stream *stream; /* NULL: the client is gone */
    struct co *co;
    enum pg_awaiting awaiting;
    bool ending; /* read no more messages: shutdown, or too late with the first ones */
    struct sql_error farewell; /* why, if it is we who end it; sent as FATAL */
    bool cancelled;            /* a cancel request came while output waited for the client */
    size_t read_limit;
    struct buf message; /* the message in hand: input may move while it is worked on */
    struct buf out;     /* messages on their way to the stream */

    uint32_t pid, cancel_key;
    struct sql_session *session; /* NULL until the client has said who it is */
    bool started;                /* parameters may be reported */
    bool skip_to_sync;           /* invariant 2 */
    struct env_timer startup_timer;
    struct pg_portal_formats *portal_formats;
    const struct pg_portal_formats *formats; /* of the portal that is executed; NULL: text */

    struct pg_connection *next, *prev; /* the server's */
};

/* ---- pg_server.c ---------------------------------------------------------------------------- */

/* NULL: not attached yet. */
struct sql_server *pg_server_sql(const struct pg_server *server);
bool pg_server_full(const struct pg_server *server);
/* The running statement of the connection that has this key, if there is one. */
void pg_server_cancel(struct pg_server *server, uint32_t pid, uint32_t cancel_key);
/* The connection's coroutine is about to return: forgets and frees it. */
void pg_server_forget(struct pg_connection *connection);

/* ---- pg_io.c -------------------------------------------------------------------------------- */

extern const struct stream_handler pg_stream_handler;

/* Each waits for a whole message and copies it: it is valid until the next read. Output is handed
 * over first. CLOSED: the client is gone, or connection->ending. INVALID, and TOO_LARGE of the
 * first message: `error` says what is wrong, and the connection must end. TOO_LARGE of another: it
 * was dropped as it came; out->type and `error` are set. */
enum status pg_read_startup(struct pg_connection *connection, struct pg_startup *out,
                            struct sql_error *error) MUST_CHECK;
enum status pg_read_message(struct pg_connection *connection, struct pg_message *out,
                            struct sql_error *error) MUST_CHECK;
/* Bytes received beyond the message in hand. */
size_t pg_unread(const struct pg_connection *connection);
/* A Sync has arrived behind the message in hand. Most drivers send it in one piece with Execute. */
bool pg_sync_is_next(const struct pg_connection *connection);
/* Hands connection->out to the stream; does not wait. */
void pg_flush(struct pg_connection *connection);
/* For producers of much output: hands over what has become much, and waits while the client does
 * not take it. CLOSED: the client is gone. CANCELLED. */
enum status pg_write_some(struct pg_connection *connection) MUST_CHECK;
/* Gives back memory that an unusually large message took. */
void pg_trim(struct pg_connection *connection);

/* ---- pg_startup.c --------------------------------------------------------------------------- */

/* From the first byte to the first ReadyForQuery. False: the connection ends. */
bool pg_start(struct pg_connection *connection);

/* ---- pg_connection.c ------------------------------------------------------------------------ */

/* The body of the coroutine. */
void pg_connection_main(void *connection);
/* An ErrorResponse, and what follows from it. */
void pg_report_fatal(struct pg_connection *connection, const struct sql_error *error);

/* ---- pg_result.c ---------------------------------------------------------------------------- */

/* What the session calls; the argument is the connection. */
extern const struct sql_sink_ops pg_sink;
/* RowDescription, or NoData without columns. formats NULL: all text. */
void pg_describe_columns(struct pg_connection *connection, const struct sql_result_column *columns,
                         size_t count, const struct pg_portal_formats *formats);

/* ---- pg_extended.c -------------------------------------------------------------------------- */

/* Parse, Bind, Describe, Execute, Close. False: the error must be reported, and messages skipped up
 * to Sync. */
bool pg_extended_message(struct pg_connection *connection, const struct pg_message *message,
                         struct sql_error *error);
/* Those of portals that no longer exist. */
void pg_forget_formats(struct pg_connection *connection);

#endif
