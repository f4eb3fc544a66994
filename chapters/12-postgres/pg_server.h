/* pg_server.h - serves SQL sessions (sql_session.h) to clients of PostgreSQL's protocol 3.0.
 *
 * A connection is a coroutine that reads messages, lets its session run them and writes what comes
 * of it. The protocol is that of PostgreSQL 15, chapter 55: simple and extended queries, text and
 * binary values, cancel requests. Encryption is refused ('N'), so clients that prefer it go on in
 * clear text; whoever connects is who they say they are.
 *
 * Left out, each with a clear error: COPY, function calls, replication, protocol 2.
 *
 * Invariants
 *  1. Every Query and every Sync is answered by one ReadyForQuery, after all that it caused.
 *  2. After an error in the extended protocol, messages are dropped until Sync.
 *  3. A client that goes away takes its statement and its transaction with it.
 *  4. A client that does not read its rows stops its own statement, and nothing else.
 *  5. A cancel request needs the key that only the connection's client was told. */
#ifndef CAIRN_PG_SERVER_H
#define CAIRN_PG_SERVER_H

#include "co.h"
#include "metrics.h"
#include "port.h"
#include "sql_session.h"

struct pg_server;

struct pg_server_options {
    struct env *env;
    struct co_pool *coroutines;
    /* NULL: clients are told that the node starts up, until pg_server_attach */
    struct sql_server *sql;
    struct metrics *metrics;
    size_t max_connections;      /* above it 53300; 0: 500 */
    uint64_t startup_timeout_ns; /* for the first messages; 0: 10 s */
};

struct pg_server *pg_server_new(const struct pg_server_options *options);
/* Ends every connection at once: when it returns, their coroutines are done and their sessions
 * freed. Not on a coroutine. For a farewell to the clients: pg_server_shutdown first. */
void pg_server_free(struct pg_server *server);

/* From now on, clients are served. */
void pg_server_attach(struct pg_server *server, struct sql_server *sql);

/* Takes over a stream; input may be unread. */
void pg_server_accept(struct pg_server *server, struct stream *stream);
/* The row for port_add. */
struct port_protocol pg_server_protocol(struct pg_server *server);
size_t pg_server_connections(const struct pg_server *server);

/* Refuses new connections and ends the others: 57P01, running statements are cancelled. `done` runs
 * when the last one is gone, never inside the call; NULL: nobody waits. */
void pg_server_shutdown(struct pg_server *server, void (*done)(void *arg), void *arg);

#endif
