/* rpc_server.c - the answering end: finds the method, keeps the calls in flight, sends answers.
 * Must not know streams (rpc_link.c) or any method. */
#include "rpc_server.h"

#include <assert.h>
#include <inttypes.h>

#include "id_map.h"
#include "log_limit.h"
#include "mem.h"
#include "rpc_link.h"

struct rpc_call {
    struct id_node node; /* in connection->calls until answered or orphaned */
    struct connection *connection;
    struct rpc_call *next, *prev; /* connection's list; free list: next only */
    struct request request;
    struct cancel_token token;
};

/* Lives until its link is gone and its last call is answered. */
struct connection {
    struct rpc_server *server;
    struct rpc_link *link; /* NULL: gone */
    struct rpc_identity peer;
    struct id_map calls;
    struct rpc_call *first_call;
    size_t unanswered; /* calls that point here, orphans too */
    struct env_task give_up;
    struct connection *next, *prev;
};

struct rpc_server {
    struct rpc_context *context;
    struct rpc_method *methods; /* ordered by id */
    size_t method_count;
    struct connection *connections;
    size_t connection_count;
    size_t call_count; /* unanswered, of all connections, also of gone ones */
    struct rpc_call *free_calls;
    struct log_limit log_limit;
    bool freed; /* rpc_server_free was called while calls were unanswered */
};

/* ---- methods -------------------------------------------------------------------------------- */

/* The index of the first method whose id is not below `id`. */
static size_t method_index(const struct rpc_server *server, uint32_t id) {
    size_t low = 0;
    size_t high = server->method_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (server->methods[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct rpc_method *method_find(const struct rpc_server *server, uint32_t id) {
    size_t index = method_index(server, id);
    if (index == server->method_count || server->methods[index].id != id) return NULL;
    return &server->methods[index];
}

void rpc_server_register(struct rpc_server *server, const struct rpc_method *method) {
    assert(!method_find(server, method->id));
    size_t index = method_index(server, method->id);
    size_t bytes = (server->method_count + 1) * sizeof *server->methods;
    server->methods = mem_realloc(server->methods, bytes);
    memmove(&server->methods[index + 1], &server->methods[index],
            (server->method_count - index) * sizeof *server->methods);
    server->methods[index] = *method;
    server->method_count++;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void release_server(struct rpc_server *server) {
    while (server->free_calls) {
        struct rpc_call *next = server->free_calls->next;
        mem_free(server->free_calls);
        server->free_calls = next;
    }
    mem_free(server->methods);
    mem_free(server);
}

static void release_connection(struct connection *connection) {
    if (connection->link || connection->unanswered > 0) return;
    id_map_deinit(&connection->calls);
    mem_free(connection);
}

/* A frame carries the time that is left, not the time of day: the clocks of two machines differ,
 * and what is lost on the way (the message's own travel) makes the deadline late, never early. */
static uint64_t deadline_of(const struct frame *frame, uint64_t now_ns) {
    if (frame->timeout_ms == 0) return REQUEST_NO_DEADLINE;
    return now_ns + frame->timeout_ms * NS_PER_MS;
}

static struct rpc_call *call_new(struct connection *connection, const struct frame *frame) {
    struct rpc_server *server = connection->server;
    struct rpc_call *call = server->free_calls;
    if (call)
        server->free_calls = call->next;
    else
        call = mem_alloc(sizeof *call);
    *call = (struct rpc_call){.node = {.id = frame->request_id}, .connection = connection};
    cancel_token_init(&call->token);
    call->request = request_init(deadline_of(frame, env_now_ns(server->context->env)));
    call->request.cancel = &call->token;
    call->request.trace_id = frame->trace_id;
    call->request.priority = (enum request_priority)(frame->flags & FRAME_FLAG_PRIORITY_MASK);

    call->next = connection->first_call;
    if (call->next) call->next->prev = call;
    connection->first_call = call;
    connection->unanswered++;
    server->call_count++;
    return call;
}

/* Takes the call out of its connection's reach: no answer can be sent any more. */
static void call_unlink(struct rpc_call *call) {
    struct connection *connection = call->connection;
    if (!id_map_remove(&connection->calls, call->node.id)) return;
    if (call->prev)
        call->prev->next = call->next;
    else
        connection->first_call = call->next;
    if (call->next) call->next->prev = call->prev;
    call->next = call->prev = NULL;
}

static void call_free(struct rpc_call *call) {
    struct connection *connection = call->connection;
    struct rpc_server *server = connection->server;
    call_unlink(call);
    connection->unanswered--;
    server->call_count--;
    call->next = server->free_calls;
    server->free_calls = call;
    release_connection(connection);
    if (server->freed && server->call_count == 0) release_server(server);
}

/* Whether the caller can still be reached, and has not cancelled. */
static bool call_awaited(const struct rpc_call *call) {
    return call->connection->link && !call->token.cancelled;
}

const struct request *rpc_call_request(const struct rpc_call *call) { return &call->request; }
const struct rpc_identity *rpc_call_peer(const struct rpc_call *call) {
    return &call->connection->peer;
}

/* Answers that nobody reads have filled the output: the peer must not believe that they are still
 * coming. Its calls end with UNKNOWN_OUTCOME, which is the truth. */
static bool make_room(struct connection *connection) {
    const struct rpc_context *context = connection->server->context;
    if (rpc_link_pending(connection->link) <= context->output_limit_bytes) return true;
    env_post(context->env, &connection->give_up);
    return false;
}

static void send_error(struct connection *connection, uint64_t request_id,
                       const struct error *error) {
    struct buf payload = BUF_INIT;
    rpc_error_pack(&payload, error);
    struct frame frame = {.kind = FRAME_ERROR, .request_id = request_id};
    rpc_link_send(connection->link, &frame, buf_slice(&payload), SLICE_EMPTY);
    buf_deinit(&payload);
}

void rpc_reply(struct rpc_call *call, struct slice reply) {
    size_t limit = call->connection->server->context->payload_limit_bytes;
    if (reply.len > limit) {
        struct error error;
        (void)error_set(&error, STATUS_TOO_LARGE, "reply of %zu bytes, the limit is %zu", reply.len,
                        limit);
        rpc_reply_error(call, &error);
        return;
    }
    if (call_awaited(call) && make_room(call->connection)) {
        struct frame frame = {.kind = FRAME_REPLY, .request_id = call->node.id};
        rpc_link_send(call->connection->link, &frame, reply, SLICE_EMPTY);
    }
    call_free(call);
}

void rpc_reply_message(struct rpc_call *call, const ProtobufCMessage *reply) {
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, reply);
    rpc_reply(call, buf_slice(&payload));
    buf_deinit(&payload);
}

void rpc_reply_error(struct rpc_call *call, const struct error *error) {
    if (call_awaited(call) && make_room(call->connection))
        send_error(call->connection, call->node.id, error);
    call_free(call);
}

/* ---- frames --------------------------------------------------------------------------------- */

static void refuse_call(struct connection *connection, const struct frame *frame,
                        enum status status, const char *why) {
    struct error error;
    (void)error_set(&error, status, "%s (method 0x%" PRIx32 ")", why, frame->method);
    send_error(connection, frame->request_id, &error);
}

static void on_request(struct connection *connection, const struct frame *frame) {
    struct rpc_server *server = connection->server;
    const struct rpc_method *method = method_find(server, frame->method);
    if (!method || !method->on_call) {
        refuse_call(connection, frame, STATUS_UNSUPPORTED, "this node has no such method");
        return;
    }
    if (connection->calls.count >= server->context->max_calls_per_connection) {
        refuse_call(connection, frame, STATUS_BUSY, "too many calls in flight on this connection");
        return;
    }
    if (id_map_get(&connection->calls, frame->request_id)) {
        refuse_call(connection, frame, STATUS_INVALID, "request id is in use");
        return;
    }
    struct rpc_call *call = call_new(connection, frame);
    (void)id_map_put(&connection->calls, &call->node);
    method->on_call(method->arg, call, frame->payload);
}

static void on_cancel(struct connection *connection, const struct frame *frame) {
    struct id_node *node = id_map_get(&connection->calls, frame->request_id);
    if (!node) return; /* the answer crossed the cancel */
    struct rpc_call *call = CONTAINER_OF(node, struct rpc_call, node);
    cancel_token_cancel(&call->token);
}

static void on_frame(void *arg, const struct frame *frame) {
    struct connection *connection = arg;
    const struct rpc_method *method;
    switch (frame->kind) {
    case FRAME_REQUEST:
        on_request(connection, frame);
        break;
    case FRAME_CANCEL:
        on_cancel(connection, frame);
        break;
    case FRAME_MESSAGE:
        method = method_find(connection->server, frame->method);
        if (method && method->on_message)
            method->on_message(method->arg, &connection->peer, frame->payload);
        break;
    default:
        break; /* REPLY, ERROR: we have asked nothing on this connection */
    }
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_ready(void *arg, const struct rpc_identity *peer) {
    struct connection *connection = arg;
    connection->peer = *peer;
}

/* The link is gone: cancels what is in flight. A handler may answer inside its cancel callback. */
static void disconnect(struct connection *connection) {
    struct rpc_server *server = connection->server;
    connection->link = NULL;
    env_unpost(server->context->env, &connection->give_up);
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next) connection->next->prev = connection->prev;
    server->connection_count--;

    connection->unanswered++; /* keeps the connection, and with it the server, while we loop */
    server->call_count++;
    while (connection->first_call) {
        struct rpc_call *call = connection->first_call;
        call_unlink(call);
        cancel_token_cancel(&call->token);
    }
    connection->unanswered--;
    server->call_count--;
    release_connection(connection);
}

static void complain(struct connection *connection, const char *reason) {
    struct rpc_server *server = connection->server;
    uint64_t suppressed;
    if (log_limit_allow(&server->log_limit, env_now_ns(server->context->env), &suppressed))
        log_warn(env_log(server->context->env), "rpc",
                 "connection ended node=%" PRIu64 " reason=\"%s\" suppressed=%" PRIu64,
                 connection->peer.node_id, reason, suppressed);
}

static void on_close(void *arg, const struct error *reason) {
    struct connection *connection = arg;
    if (reason->status != STATUS_CLOSED) complain(connection, reason->message);
    disconnect(connection);
}

static void on_give_up(void *arg) {
    struct connection *connection = arg;
    complain(connection, "the peer does not read its answers");
    rpc_link_close(connection->link);
    disconnect(connection);
}

static const struct rpc_link_handler link_handler = {on_ready, on_frame, on_close};

void rpc_server_accept(struct rpc_server *server, struct stream *stream) {
    struct connection *connection = MEM_NEW(struct connection);
    connection->server = server;
    connection->give_up = (struct env_task){.callback = on_give_up, .arg = connection};
    connection->next = server->connections;
    if (connection->next) connection->next->prev = connection;
    server->connections = connection;
    server->connection_count++;
    connection->link = rpc_link_accept(server->context, stream, &link_handler, connection);
}

struct rpc_server *rpc_server_new(struct rpc_context *context) {
    struct rpc_server *server = MEM_NEW(struct rpc_server);
    server->context = context;
    return server;
}

void rpc_server_free(struct rpc_server *server) {
    if (!server) return;
    while (server->connections) {
        struct connection *connection = server->connections;
        rpc_link_close(connection->link);
        disconnect(connection);
    }
    server->freed = true;
    if (server->call_count == 0) release_server(server);
}

size_t rpc_server_connections(const struct rpc_server *server) { return server->connection_count; }

/* ---- as a protocol of a port ---------------------------------------------------------------- */

static enum port_match recognize(struct slice first) {
    size_t have = first.len < FRAME_PREFACE_BYTES ? first.len : FRAME_PREFACE_BYTES;
    if (memcmp(first.data, FRAME_PREFACE, have) != 0) return PORT_NO;
    return have == FRAME_PREFACE_BYTES ? PORT_YES : PORT_NEED_MORE;
}

static void protocol_accept(void *server, struct stream *stream) {
    rpc_server_accept(server, stream);
}
static size_t protocol_connections(void *server) { return rpc_server_connections(server); }

struct port_protocol rpc_server_protocol(struct rpc_server *server) {
    return (struct port_protocol){"cairn rpc", recognize, protocol_accept, protocol_connections,
                                  server};
}
