/* pg_server.c - the connections of a node: accepting, counting, cancelling, ending them. */
#include "pg_server.h"

#include "mem.h"
#include "pg_connection.h"

#define SQLSTATE_ADMIN_SHUTDOWN "57P01"

struct pg_server {
    struct env *env;
    struct co_pool *coroutines;
    struct sql_server *sql;
    size_t max_connections;
    uint64_t startup_timeout_ns;
    struct pg_connection *connections;
    size_t connection_count;
    uint32_t last_pid;
    bool shutting_down;
    struct env_task shut_down;
    struct counter *accepted, *refused;
    struct counter *open; /* gauge */
};

struct pg_server *pg_server_new(const struct pg_server_options *options) {
    struct pg_server *server = MEM_NEW(struct pg_server);
    server->env = options->env;
    server->coroutines = options->coroutines;
    server->sql = options->sql;
    server->max_connections = options->max_connections ? options->max_connections : 500;
    server->startup_timeout_ns =
        options->startup_timeout_ns ? options->startup_timeout_ns : 10 * NS_PER_S;
    server->accepted = metrics_counter(options->metrics, "cairn_pg_connections_total",
                                       "Connections of PostgreSQL clients accepted.");
    server->refused = metrics_counter(options->metrics, "cairn_pg_connections_refused_total",
                                      "Connections of PostgreSQL clients refused: too many.");
    server->open = metrics_gauge(options->metrics, "cairn_pg_connections",
                                 "Connections of PostgreSQL clients that are open.");
    return server;
}

void pg_server_attach(struct pg_server *server, struct sql_server *sql) { server->sql = sql; }

/* ---- for connections ------------------------------------------------------------------------ */

struct sql_server *pg_server_sql(const struct pg_server *server) {
    return server->sql;
}

bool pg_server_full(const struct pg_server *server) {
    bool full = server->connection_count > server->max_connections;
    if (full) counter_add(server->refused, 1);
    return full;
}

void pg_server_cancel(struct pg_server *server, uint32_t pid, uint32_t cancel_key) {
    for (struct pg_connection *c = server->connections; c; c = c->next) {
        if (c->pid != pid || c->cancel_key != cancel_key) continue;
        if (c->session) sql_session_cancel(c->session);
        c->cancelled = true;
        if (c->awaiting == PG_AWAIT_DRAIN) co_wake(c->co);
        return;
    }
}

static void maybe_shut_down(struct pg_server *server) {
    if (server->shutting_down && server->connection_count == 0 && server->shut_down.callback)
        env_post(server->env, &server->shut_down);
}

void pg_server_forget(struct pg_connection *connection) {
    struct pg_server *server = connection->server;
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next) connection->next->prev = connection->prev;
    server->connection_count--;
    server->open->value = server->connection_count;
    if (connection->stream) stream_close(connection->stream);
    buf_deinit(&connection->message);
    buf_deinit(&connection->out);
    mem_free(connection);
    maybe_shut_down(server);
}

/* ---- accepting ------------------------------------------------------------------------------ */

/* Reads no more messages; a running statement ends. */
static void end_connection(struct pg_connection *connection) {
    connection->ending = true;
    if (connection->session) sql_session_disconnect(connection->session);
    if (connection->awaiting != PG_AWAIT_NOTHING) co_wake(connection->co);
}

static void on_startup_timeout(void *arg) { end_connection(arg); }

static void refuse(struct pg_server *server, struct stream *stream, const char *sqlstate,
                   const char *why) {
    struct sql_error error;
    struct buf out = BUF_INIT;
    (void)sql_error_set(&error, sqlstate, "%s", why);
    pg_put_error(&out, "FATAL", &error);
    stream_write(stream, buf_slice(&out));
    buf_deinit(&out);
    stream_close(stream);
    counter_add(server->refused, 1);
}

void pg_server_accept(struct pg_server *server, struct stream *stream) {
    if (server->shutting_down) {
        refuse(server, stream, "57P03", "the database system is shutting down");
        return;
    }
    struct pg_connection *connection = MEM_NEW(struct pg_connection);
    if (co_spawn(server->coroutines, pg_connection_main, connection, &connection->co) !=
        STATUS_OK) {
        refuse(server, stream, SQLSTATE_TOO_MANY_CONNECTIONS, "sorry, too many clients already");
        mem_free(connection);
        return;
    }
    connection->server = server;
    connection->stream = stream;
    connection->read_limit = STREAM_READ_LIMIT_DEFAULT;
    connection->pid = ++server->last_pid;
    env_random_bytes(server->env, &connection->cancel_key, sizeof connection->cancel_key);
    connection->next = server->connections;
    if (connection->next) connection->next->prev = connection;
    server->connections = connection;
    server->connection_count++;
    server->open->value = server->connection_count;
    counter_add(server->accepted, 1);
    stream_set_handler(stream, &pg_stream_handler, connection);
    env_timer_init(&connection->startup_timer, on_startup_timeout, connection);
    env_timer_start(server->env, &connection->startup_timer,
                    env_now_ns(server->env) + server->startup_timeout_ns);
}

void pg_server_free(struct pg_server *server) {
    if (!server) return;
    server->shutting_down = true;
    server->shut_down.callback = NULL;
    while (server->connections) {
        struct pg_connection *connection = server->connections;
        end_connection(connection);
        co_finish(connection->co);
    }
    env_unpost(server->env, &server->shut_down);
    mem_free(server);
}

size_t pg_server_connections(const struct pg_server *server) { return server->connection_count; }

void pg_server_shutdown(struct pg_server *server, void (*done)(void *arg), void *arg) {
    server->shutting_down = true;
    server->shut_down = (struct env_task){.callback = done, .arg = arg};
    for (struct pg_connection *c = server->connections; c; c = c->next) {
        (void)sql_error_set(&c->farewell, SQLSTATE_ADMIN_SHUTDOWN,
                            "terminating connection due to administrator command");
        end_connection(c);
    }
    maybe_shut_down(server);
}

/* ---- as a protocol of a port ---------------------------------------------------------------- */

static enum port_match recognize(struct slice first) {
    bool certain;
    if (!pg_startup_recognize(first, &certain)) return PORT_NO;
    return certain ? PORT_YES : PORT_NEED_MORE;
}

static void protocol_accept(void *server, struct stream *stream) {
    pg_server_accept(server, stream);
}
static size_t protocol_connections(void *server) { return pg_server_connections(server); }

struct port_protocol pg_server_protocol(struct pg_server *server) {
    return (struct port_protocol){"postgresql", recognize, protocol_accept, protocol_connections,
                                  server};
}
