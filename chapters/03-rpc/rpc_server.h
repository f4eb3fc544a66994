/* rpc_server.h - answers calls that arrive on connections.
 *
 * Methods are registered by number; a later layer brings its own and this one knows none of them.
 * Connections are handed in (by the port, port.h) with all their bytes unread.
 *
 * Invariants
 *  1. A handler answers each call exactly once, at once or later; the call lives until then, also
 *     when its connection is gone (the answer is then dropped).
 *  2. At most max_calls_per_connection calls of a connection are in flight: more are answered BUSY
 *     without reaching a handler.
 *  3. A call's cancel token fires when the caller cancels or the connection ends, never after the
 *     answer.
 *  4. A peer that does not read its answers is not read from either; one whose answers fill
 *     output_limit_bytes is cut off. */
#ifndef CAIRN_RPC_SERVER_H
#define CAIRN_RPC_SERVER_H

#include "port.h"
#include "request.h"
#include "rpc.h"

struct rpc_server;
struct rpc_call;

struct rpc_method {
    uint32_t id;      /* from the enum of the service's .proto; unique in a server */
    const char *name; /* for logs; static */
    /* A call. `payload` is valid until it returns. NULL: calls are answered UNSUPPORTED. */
    void (*on_call)(void *arg, struct rpc_call *call, struct slice payload);
    /* A one-way message. NULL: dropped. `peer` and `payload` are valid until it returns. */
    void (*on_message)(void *arg, const struct rpc_identity *peer, struct slice payload);
    void *arg;
};

struct rpc_server *rpc_server_new(struct rpc_context *context);
/* Closes all connections (which fires the cancel tokens of their calls). Calls that are still
 * unanswered stay valid until they are answered. */
void rpc_server_free(struct rpc_server *server);

/* Copied. A number registered twice is an assert. */
void rpc_server_register(struct rpc_server *server, const struct rpc_method *method);

/* Takes over a stream; input may be unread. */
void rpc_server_accept(struct rpc_server *server, struct stream *stream);
size_t rpc_server_connections(const struct rpc_server *server);

/* The row for port_add: recognizes FRAME_PREFACE and hands streams to `server`. */
struct port_protocol rpc_server_protocol(struct rpc_server *server);

/* ---- for handlers --------------------------------------------------------------------------- */

/* Deadline on our own clock, cancel token, trace id, priority. Valid until the answer. */
const struct request *rpc_call_request(const struct rpc_call *call);
/* Who calls. Valid until the answer. */
const struct rpc_identity *rpc_call_peer(const struct rpc_call *call);

/* Each ends the call: the pointer is dead afterwards. `reply` is copied. A reply over the payload
 * limit is answered as TOO_LARGE. */
void rpc_reply(struct rpc_call *call, struct slice reply);
void rpc_reply_message(struct rpc_call *call, const ProtobufCMessage *reply);
void rpc_reply_error(struct rpc_call *call, const struct error *error);

#endif
