/* rpc.c - the shared context of a node's connections, and protobuf payloads in bufs and arenas.
 * Must not touch streams: those are rpc_link.c's. */
#include "rpc.h"

void rpc_context_init(struct rpc_context *context, struct env *env, struct hlc *clock,
                      struct metrics *metrics) {
    *context = (struct rpc_context){
        .env = env,
        .clock = clock,
        .self = {.protocol_version = RPC_PROTOCOL_VERSION},
        .payload_limit_bytes = FRAME_PAYLOAD_LIMIT_DEFAULT,
        .output_limit_bytes = RPC_OUTPUT_LIMIT_DEFAULT,
        .max_calls_per_connection = RPC_CALLS_PER_CONNECTION_DEFAULT,
        .handshake_timeout_ns = 5 * NS_PER_S,
        .ping_interval_ns = NS_PER_S,
        .silence_timeout_ns = 5 * NS_PER_S,
        .frames_in = metrics_counter(metrics, "cairn_rpc_frames_in_total", "Frames received."),
        .frames_out = metrics_counter(metrics, "cairn_rpc_frames_out_total", "Frames sent."),
        .bytes_in =
            metrics_counter(metrics, "cairn_rpc_bytes_in_total", "Bytes of frames received."),
        .bytes_out = metrics_counter(metrics, "cairn_rpc_bytes_out_total", "Bytes of frames sent."),
        .calls_failed = metrics_counter(metrics, "cairn_rpc_calls_failed_total",
                                        "Calls made that ended without a reply."),
        .messages_dropped = metrics_counter(metrics, "cairn_rpc_messages_dropped_total",
                                            "One-way messages that were not sent."),
        .connections_refused =
            metrics_counter(metrics, "cairn_rpc_connections_refused_total",
                            "Connections ended over a protocol error or a check."),
    };
}

void rpc_pack(struct buf *out, const ProtobufCMessage *message) {
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > 0) protobuf_c_message_pack(message, buf_extend(out, size));
}

static void *arena_allocate(void *arena, size_t size) {
    void *memory = arena_alloc(arena, size);
    /* NULL makes protobuf-c give up on the message, which bounds what hostile bytes cost. */
    return ((struct arena *)arena)->over_budget ? NULL : memory;
}

static void arena_ignore_free(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *descriptor, struct slice bytes,
                             struct arena *arena) {
    ProtobufCAllocator allocator = {arena_allocate, arena_ignore_free, arena};
    return protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
}
