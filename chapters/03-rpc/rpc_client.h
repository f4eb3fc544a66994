/* rpc_client.h - one connection to one peer, kept up, and the calls made over it.
 *
 * Dials at once and again after every loss, waiting longer each time (exponential backoff with
 * jitter). Nothing is retried here: whether a call may be repeated only its maker knows.
 *
 * Invariants
 *  1. Every call ends exactly once: by its callback or by rpc_cancel; the callback never runs
 * inside the function that made the call.
 *  2. UNKNOWN_OUTCOME is said only of a call whose bytes were given to a connection that broke
 *     before the answer; UNAVAILABLE and BUSY only of one that no peer has seen.
 *  3. Order: calls and messages leave in the order in which they were made.
 *  4. A call is given to a connection only after both handshakes were accepted. */
#ifndef CAIRN_RPC_CLIENT_H
#define CAIRN_RPC_CLIENT_H

#include "request.h"
#include "rpc.h"

struct rpc_client;
struct rpc_pending; /* a call under way; valid until its callback runs or rpc_cancel */

struct rpc_client_options {
    uint64_t dial_timeout_ns; /* 2 s */
    uint64_t backoff_min_ns;  /* 20 ms: the first wait; doubles at every failure */
    uint64_t backoff_max_ns;  /* 1 s */
    /* false: while the peer cannot be reached, calls fail at once with UNAVAILABLE, so that the
     * caller can ask another node. true: they wait for a connection until their deadline. */
    bool wait_for_ready;
    size_t max_calls; /* queued and in flight; above it BUSY. 200,000 */
    /* The connection came up (peer is set) or was lost (peer is NULL, reason says why). Optional.
     */
    void (*on_state)(void *arg, struct rpc_client *client, const struct rpc_identity *peer,
                     const struct error *reason);
    void *on_state_arg;
};

struct rpc_client_options rpc_client_options_default(void);

/* `host` is copied. `options` may be NULL: the defaults. */
struct rpc_client *rpc_client_new(struct rpc_context *context, const char *host, uint16_t port,
                                  const struct rpc_client_options *options);
/* Closes the connection. Calls that are under way end with CANCELLED (their callbacks run inside).
 * May be called from a callback of this client. */
void rpc_client_free(struct rpc_client *client);

bool rpc_client_connected(const struct rpc_client *client);
/* The peer's handshake; NULL unless connected. Valid until the loop's next step. */
const struct rpc_identity *rpc_client_peer(const struct rpc_client *client);
/* The address that is dialled, as "host:port". Valid as long as the client. */
const char *rpc_client_address(const struct rpc_client *client);
/* Queued and in flight. */
size_t rpc_client_calls(const struct rpc_client *client);
/* Why there is no connection; STATUS_OK in it when there is one, or when none was tried yet. */
const struct error *rpc_client_last_error(const struct rpc_client *client);

/* The answer, or why there is none: `reply` is set when status is OK, `error` otherwise; both valid
 * until it returns. Statuses besides those of the handler: DEADLINE (whether it took effect is
 * unknown), CANCELLED (by the request's token, or the client was freed), UNKNOWN_OUTCOME,
 * UNAVAILABLE, BUSY, TOO_LARGE (the payload is over the limit). */
typedef void (*rpc_callback)(void *arg, enum status status, struct slice reply,
                             const struct error *error);

/* Calls `method` with a copy of `payload`. `request` may be NULL: no deadline; what it points to
 * (the cancel token) must outlive the call. */
struct rpc_pending *rpc_call(struct rpc_client *client, uint32_t method, struct slice payload,
                             const struct request *request, rpc_callback callback, void *arg);
/* The same with a protobuf for payload. */
struct rpc_pending *rpc_call_message(struct rpc_client *client, uint32_t method,
                                     const ProtobufCMessage *payload, const struct request *request,
                                     rpc_callback callback, void *arg);
/* The caller no longer waits: no callback. The peer is told if it had the call. */
void rpc_cancel(struct rpc_pending *pending);

/* On a coroutine: calls and suspends until the answer, which is appended to `reply`. Statuses as of
 * rpc_callback; CANCELLED also when the coroutine is cancelled. `request` and `error` may be NULL.
 */
enum status rpc_call_co(struct rpc_client *client, uint32_t method, struct slice payload,
                        const struct request *request, struct buf *reply,
                        struct error *error) MUST_CHECK;

/* One way. False if it was dropped: not connected, the output is at its limit, or it is too large.
 * True means only that the connection has it. */
bool rpc_send(struct rpc_client *client, uint32_t method, struct slice payload);
/* The payload is `head` followed by `tail`: saves joining them first. */
bool rpc_send2(struct rpc_client *client, uint32_t method, struct slice head, struct slice tail);

#endif
