/* rpc.h - what the server and the clients of a node share: who we are, clock, limits, and protobuf
 * payloads.
 *
 * Remote calls after Birrell and Nelson, "Implementing Remote Procedure Calls" (1984), with what
 * practice added: deadlines that travel, cancellation, one-way messages, bounded queues. Everything
 * is event-driven, on the loop. Payloads are opaque bytes here; their callers pack protobufs. */
#ifndef CAIRN_RPC_H
#define CAIRN_RPC_H

#include <protobuf-c/protobuf-c.h>

#include "arena.h"
#include "env.h"
#include "frame.h"
#include "hlc.h"
#include "metrics.h"
#include "status.h"

enum {
    RPC_PROTOCOL_VERSION = 1,
    RPC_ADDRESS_MAX = 128,
    RPC_CALLS_PER_CONNECTION_DEFAULT = 4096,
    RPC_OUTPUT_LIMIT_DEFAULT = 64 * 1024 * 1024
};

/* What a node says of itself in the handshake. */
struct rpc_identity {
    uint64_t cluster_id;  /* 0: not known yet; else peers of another cluster are refused */
    uint64_t node_id;     /* 0: a client */
    uint64_t instance_id; /* of the data directory: tells a node from one that was wiped */
    char listen_address[RPC_ADDRESS_MAX]; /* host:port, "" for a client */
    uint32_t protocol_version;
    uint32_t feature_level;
};

/* One a node; outlives its servers and clients. Fields may be set until the first connection, and
 * `self` at any time (the next handshake sends it). */
struct rpc_context {
    struct env *env;
    struct hlc *clock;
    struct rpc_identity self;

    /* Called with the handshake of every peer, dialled or accepted, after the checks of our own
     * (version, cluster). Not OK: the message in `error` goes to the peer, then the connection is
     * closed. NULL: accept. */
    enum status (*check)(void *arg, const struct rpc_identity *peer, struct error *error);
    void *check_arg;

    size_t payload_limit_bytes; /* FRAME_PAYLOAD_LIMIT_DEFAULT */
    size_t output_limit_bytes;  /* of one connection; above it BUSY, and messages are dropped */
    size_t max_calls_per_connection; /* in flight; above it BUSY */
    uint64_t handshake_timeout_ns;   /* 5 s */
    uint64_t ping_interval_ns;       /* 1 s: a client that heard nothing for so long asks */
    uint64_t silence_timeout_ns;     /* 5 s: a connection that stays silent longer is dead */

    struct counter *frames_in, *frames_out, *bytes_in, *bytes_out;
    struct counter *calls_failed, *messages_dropped, *connections_refused;
};

void rpc_context_init(struct rpc_context *context, struct env *env, struct hlc *clock,
                      struct metrics *metrics);

/* Appends the packed message. */
void rpc_pack(struct buf *out, const ProtobufCMessage *message);

/* The message, in `arena`; NULL if the bytes are malformed or the arena's budget is exceeded.
 *     Foo *foo = (Foo *)rpc_unpack(&foo__descriptor, payload, &arena); */
ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *descriptor, struct slice bytes,
                             struct arena *arena);

/* Bytes fields borrow: valid as long as the slice. */
static inline ProtobufCBinaryData rpc_bytes(struct slice slice) {
    return (ProtobufCBinaryData){slice.len, (uint8_t *)(uintptr_t)slice.data};
}
static inline struct slice rpc_slice(ProtobufCBinaryData bytes) {
    return slice_of(bytes.data, bytes.len);
}

#endif
