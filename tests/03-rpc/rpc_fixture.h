/* rpc_fixture.h - a server behind a port, and what tests need to call it, on the real loop. */
#ifndef CAIRN_RPC_FIXTURE_H
#define CAIRN_RPC_FIXTURE_H

#include "env_uv.h"
#include "harness.h"
#include "port.h"
#include "rpc_client.h"
#include "rpc_server.h"

enum { METHOD_ECHO = 1, METHOD_FAIL = 2, METHOD_HOLD = 3, METHOD_COLLECT = 4 };

struct fixture {
    struct env *env;
    struct metrics *metrics;
    struct hlc server_clock, client_clock;
    struct rpc_context server_context, client_context;
    struct rpc_server *server;
    struct port *port;
    uint16_t port_number;

    struct rpc_call *held[16]; /* METHOD_HOLD puts calls here */
    size_t held_count;
    struct buf collected; /* METHOD_COLLECT appends its payloads */
    size_t collected_count;

    struct env_turn_hook hook;
    struct env_timer guard;
    bool (*until)(void *arg);
    void *until_arg;
    bool timed_out;
};

void fixture_init(struct fixture *fixture);
void fixture_deinit(struct fixture *fixture);
/* The server and its port go away, or come back on the same port. */
void fixture_stop_server(struct fixture *fixture);
void fixture_start_server(struct fixture *fixture);
struct rpc_client *fixture_client(struct fixture *fixture,
                                  const struct rpc_client_options *options);

/* Runs the loop until `until(arg)` holds at the end of a turn; fails the test after 8 s. */
void fixture_run(struct fixture *fixture, bool (*until)(void *arg), void *arg);
void fixture_run_for(struct fixture *fixture, uint64_t duration_ns);
bool fixture_holds_a_call(void *fixture);
void fixture_connect(struct fixture *fixture, struct rpc_client *client);

/* What a call came to. */
struct outcome {
    size_t count;
    enum status status;
    struct error error;
    struct buf reply;
};
void outcome_record(void *outcome, enum status status, struct slice reply,
                    const struct error *error);
bool outcome_known(void *outcome);

/* A peer that speaks bytes: what it sends is up to the test, what it gets is kept. */
struct raw_peer {
    struct stream *stream; /* NULL: closed by the other end */
    bool open;
    struct buf received;
};
void raw_peer_dial(struct fixture *fixture, struct raw_peer *peer);
void raw_peer_deinit(struct raw_peer *peer);
bool raw_peer_open(void *peer);
bool raw_peer_closed(void *peer);
/* Preface and handshake, as that node, at that clock. */
void raw_peer_introduce(struct raw_peer *peer, const struct rpc_identity *identity,
                        hlc_timestamp clock);
/* The same for a client of version 1. */
void raw_peer_send_handshake(struct raw_peer *peer);

#endif
