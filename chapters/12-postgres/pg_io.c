/* pg_io.c - messages in and out of the stream, for a coroutine that waits for them.
 * Must not know what a message means. */
#include "pg_connection.h"

#include "co.h"

enum {
    OUT_BYTES = 16 * 1024,    /* so much output is handed to the stream at a time */
    KEPT_CAPACITY = 64 * 1024 /* an idle connection keeps no larger buffer */
};

/* ---- the stream's side ---------------------------------------------------------------------- */

static void wake_if(struct pg_connection *connection, enum pg_awaiting awaiting) {
    if (connection->awaiting == awaiting) co_wake(connection->co);
}

static void on_input(void *connection, struct stream *stream) {
    (void)stream;
    wake_if(connection, PG_AWAIT_INPUT);
}

static void on_drain(void *connection, struct stream *stream) {
    (void)stream;
    wake_if(connection, PG_AWAIT_DRAIN);
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct pg_connection *connection = arg;
    (void)stream;
    (void)reason;
    connection->stream = NULL;
    if (connection->session) sql_session_disconnect(connection->session);
    if (connection->awaiting != PG_AWAIT_NOTHING) co_wake(connection->co);
}

const struct stream_handler pg_stream_handler = {NULL, on_input, on_drain, on_close};

/* ---- out ------------------------------------------------------------------------------------ */

void pg_flush(struct pg_connection *connection) {
    if (connection->stream && connection->out.len > 0)
        stream_write(connection->stream, buf_slice(&connection->out));
    buf_clear(&connection->out);
}

enum status pg_write_some(struct pg_connection *connection) {
    if (!connection->stream || connection->ending) return STATUS_CLOSED;
    if (connection->out.len < OUT_BYTES) return STATUS_OK;
    pg_flush(connection);
    enum status status = STATUS_OK;
    connection->awaiting = PG_AWAIT_DRAIN;
    connection->cancelled = false;
    while (status == STATUS_OK && connection->stream && !connection->ending &&
           !stream_writable(connection->stream))
        status = co_await() == STATUS_OK && !connection->cancelled ? STATUS_OK : STATUS_CANCELLED;
    connection->awaiting = PG_AWAIT_NOTHING;
    return connection->stream && !connection->ending ? status : STATUS_CLOSED;
}

void pg_trim(struct pg_connection *connection) {
    if (connection->out.len == 0 && connection->out.capacity > KEPT_CAPACITY)
        buf_deinit(&connection->out);
    if (connection->message.capacity > KEPT_CAPACITY) buf_deinit(&connection->message);
}

/* ---- in ------------------------------------------------------------------------------------- */

size_t pg_unread(const struct pg_connection *connection) {
    return connection->stream ? stream_input(connection->stream).len : 0;
}

bool pg_sync_is_next(const struct pg_connection *connection) {
    if (pg_unread(connection) == 0) return false;
    return stream_input(connection->stream).data[0] == PG_SYNC;
}

/* Waits until more than `have` bytes are unread; they will have to grow to `need`. */
static enum status await_input(struct pg_connection *connection, size_t have, size_t need) {
    pg_flush(connection);
    if (need > connection->read_limit) {
        connection->read_limit = need;
        stream_set_read_limit(connection->stream, need);
    }
    connection->awaiting = PG_AWAIT_INPUT;
    while (connection->stream && !connection->ending && pg_unread(connection) <= have) {
        /* CANCELLED: a cancel request that came between two statements has nothing to end. */
        if (co_await() != STATUS_OK) continue;
    }
    connection->awaiting = PG_AWAIT_NOTHING;
    return connection->stream && !connection->ending ? STATUS_OK : STATUS_CLOSED;
}

/* Moves the first message from the stream to connection->message. */
static struct slice take(struct pg_connection *connection, size_t size_bytes) {
    buf_clear(&connection->message);
    buf_append(&connection->message, stream_input(connection->stream).data, size_bytes);
    stream_consume(connection->stream, size_bytes);
    if (connection->read_limit > STREAM_READ_LIMIT_DEFAULT) {
        connection->read_limit = STREAM_READ_LIMIT_DEFAULT;
        stream_set_read_limit(connection->stream, connection->read_limit);
    }
    return buf_slice(&connection->message);
}

/* Consumes `size_bytes` as they come. */
static enum status drop(struct pg_connection *connection, size_t size_bytes) {
    for (;;) {
        size_t have = pg_unread(connection);
        size_t part = have < size_bytes ? have : size_bytes;
        if (part > 0) stream_consume(connection->stream, part);
        size_bytes -= part;
        if (size_bytes == 0) return STATUS_OK;
        TRY(await_input(connection, 0, 1));
    }
}

/* INVALID and TOO_LARGE of a decoder, as the client is told. */
static enum status refuse(struct sql_error *error, const struct error *lower) {
    const char *sqlstate = lower->status == STATUS_TOO_LARGE ? SQLSTATE_PROGRAM_LIMIT_EXCEEDED
                                                             : SQLSTATE_PROTOCOL_VIOLATION;
    (void)sql_error_set(error, sqlstate, "%s", lower->message);
    return lower->status;
}

enum status pg_read_startup(struct pg_connection *connection, struct pg_startup *out,
                            struct sql_error *error) {
    for (;;) {
        if (!connection->stream || connection->ending) return STATUS_CLOSED;
        struct slice input = stream_input(connection->stream);
        size_t size_bytes;
        struct error lower;
        enum status status = pg_startup_decode(input, out, &size_bytes, &lower);
        if (status == STATUS_OK)
            return pg_startup_decode(take(connection, size_bytes), out, &size_bytes, &lower);
        if (status != STATUS_WOULD_BLOCK) return refuse(error, &lower);
        TRY(await_input(connection, input.len, size_bytes));
    }
}

enum status pg_read_message(struct pg_connection *connection, struct pg_message *out,
                            struct sql_error *error) {
    for (;;) {
        if (!connection->stream || connection->ending) return STATUS_CLOSED;
        struct slice input = stream_input(connection->stream);
        size_t size_bytes;
        struct error lower;
        enum status status = pg_message_decode(input, PG_MESSAGE_LIMIT, out, &size_bytes, &lower);
        if (status == STATUS_OK)
            return pg_message_decode(take(connection, size_bytes), PG_MESSAGE_LIMIT, out,
                                     &size_bytes, &lower);
        if (status == STATUS_TOO_LARGE) TRY(drop(connection, size_bytes));
        if (status != STATUS_WOULD_BLOCK) return refuse(error, &lower);
        pg_trim(connection);
        TRY(await_input(connection, input.len, size_bytes));
    }
}
