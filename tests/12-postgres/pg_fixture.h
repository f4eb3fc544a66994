/* pg_fixture.h - a SQL server on a port of the real loop, and clients that speak bytes to it.
 *
 * What a client gets is written down line by line, so that a test compares conversations:
 *     T a:23 b:25        RowDescription: names and type OIDs; "/b" behind one in binary format
 *     D 1|x|NULL         DataRow; binary values as \x and hex digits
 *     C SELECT 1         CommandComplete
 *     E 42601 message @8 ErrorResponse, @position; "E FATAL 08P01 ..." for a fatal one
 *     N NOTICE 00000 ... NoticeResponse
 *     Z I                ReadyForQuery
 *     t 23 25            ParameterDescription
 *     1 2 3 n s I R K v  the messages of one letter, and S name=value
 *     closed             the connection ended */
#ifndef CAIRN_PG_FIXTURE_H
#define CAIRN_PG_FIXTURE_H

#include "env_uv.h"
#include "harness.h"
#include "pg_frontend.h"
#include "pg_server.h"
#include "sql_solo.h"

struct pg_fixture {
    struct env *env;
    struct sql_solo *sql;
    struct pg_server *server;
    struct port *port;
    uint16_t port_number;

    struct env_turn_hook hook;
    struct env_timer guard;
    bool (*until)(void *arg);
    void *until_arg;
    bool timed_out;
};

struct pg_peer {
    struct pg_fixture *fixture;
    struct stream *stream; /* NULL: closed */
    bool open;
    bool raw;            /* do not decode: the answer to an SSLRequest has no header */
    struct buf received; /* not decoded yet */
    struct buf transcript;
    size_t ready_count, wanted;
    uint32_t pid, key;
};

/* max_connections 0: the default. */
void pg_fixture_init(struct pg_fixture *fixture, size_t max_connections);
/* Ends all connections. */
void pg_fixture_deinit(struct pg_fixture *fixture);
/* Runs the loop until `until(arg)`; fails the test after 8 s. */
void pg_fixture_run(struct pg_fixture *fixture, bool (*until)(void *arg), void *arg);

/* Dials and says nothing. */
void pg_peer_dial(struct pg_fixture *fixture, struct pg_peer *peer);
/* Dials, introduces itself, waits for the first ReadyForQuery and forgets what was said. */
void pg_peer_connect(struct pg_fixture *fixture, struct pg_peer *peer);
void pg_peer_deinit(struct pg_peer *peer);
bool pg_peer_closed(void *peer);
/* Sends and empties `bytes`. */
void pg_peer_send(struct pg_peer *peer, struct buf *bytes);

/* Waits until as many ReadyForQuery have come as `expected` has, or the connection ended; then the
 * transcript must be `expected`. It is emptied. */
void pg_peer_expect(struct pg_peer *peer, const char *expected);
/* Sends a simple query and expects. */
void pg_peer_query(struct pg_peer *peer, const char *script, const char *expected);

#endif
