/* rpc_link.h - one connection between two nodes, either end: preface, handshakes, frames, liveness.
 *
 * rpc_server.c and rpc_client.c are built on it; nothing else uses it.
 *
 * States: OPENING -> GREETING -> READY -> CLOSED, and from each to CLOSED.
 *
 * Invariants
 *  1. on_ready comes once, after both handshakes were accepted, and before any on_frame.
 *  2. on_close comes once and last, unless the owner closes the link first; then nothing follows.
 *  3. A peer that is silent for silence_timeout_ns is taken for dead. A dialled link asks (PING)
 * when it has heard nothing for a while, so that a live peer is never silent. */
#ifndef CAIRN_RPC_LINK_H
#define CAIRN_RPC_LINK_H

#include "rpc.h"

struct rpc_link;

struct rpc_link_handler {
    void (*on_ready)(void *arg, const struct rpc_identity *peer);
    /* REQUEST, REPLY, ERROR, CANCEL and MESSAGE only. The payload is valid until it returns. */
    void (*on_frame)(void *arg, const struct frame *frame);
    /* The link is freed when it returns. */
    void (*on_close)(void *arg, const struct error *reason);
};

/* The end that was dialled. Takes over the stream. */
struct rpc_link *rpc_link_accept(struct rpc_context *context, struct stream *stream,
                                 const struct rpc_link_handler *handler, void *arg);
/* The end that dials. */
struct rpc_link *rpc_link_dial(struct rpc_context *context, const char *host, uint16_t port,
                               uint64_t timeout_ns, const struct rpc_link_handler *handler,
                               void *arg);
/* Sends what is pending, then closes. No callback follows. Allowed inside its callbacks. */
void rpc_link_close(struct rpc_link *link);

/* Only when READY. Fills in frame->clock; the payload is `head` followed by `tail`. */
void rpc_link_send(struct rpc_link *link, struct frame *frame, struct slice head,
                   struct slice tail);
size_t rpc_link_pending(const struct rpc_link *link);

/* The payload of ERROR and REFUSAL. */
void rpc_error_pack(struct buf *out, const struct error *error);
/* Malformed bytes give INVALID. */
void rpc_error_unpack(struct slice bytes, struct error *out);

#endif
