/* rpc_link.c - the life of one connection: who may talk (handshake), is it alive (ping), what
 * arrived (frames). What frames mean is decided by the owner; must not know calls or methods. */
#include "rpc_link.h"

#include <assert.h>
#include <inttypes.h>

#include "mem.h"
#include "rpc.pb-c.h"

enum link_state { LINK_OPENING, LINK_GREETING, LINK_READY, LINK_CLOSED };

struct rpc_link {
    struct rpc_context *context;
    struct stream *stream;
    const struct rpc_link_handler *handler;
    void *arg;
    enum link_state state;
    bool dialled;
    bool preface_seen;
    bool in_input; /* frames are being handed out: CLOSED defers the free to the end of that */
    bool paused;   /* the peer does not read, so we do not either */
    struct rpc_identity peer;
    struct env_timer timer; /* the handshake's time limit; once READY, liveness */
    uint64_t heard_ns;
    size_t paused_pending; /* output at the last tick while paused: less of it is a sign of life */
    size_t read_limit;
};

/* ---- errors as payload ---------------------------------------------------------------------- */

void rpc_error_pack(struct buf *out, const struct error *error) {
    RpcError message = RPC_ERROR__INIT;
    message.status = (char *)(uintptr_t)status_name(error->status);
    message.message = (char *)(uintptr_t)error->message;
    message.retryable = error->retryable;
    rpc_pack(out, &message.base);
}

static enum status status_by_name(const char *name) {
    for (int status = 0; status < STATUS_COUNT; status++)
        if (strcmp(name, status_name((enum status)status)) == 0) return (enum status)status;
    return STATUS_INVALID; /* a newer peer's; its message still says what it is */
}

void rpc_error_unpack(struct slice bytes, struct error *out) {
    struct arena arena;
    arena_init(&arena, FRAME_HANDSHAKE_LIMIT);
    RpcError *message = (RpcError *)rpc_unpack(&rpc_error__descriptor, bytes, &arena);
    enum status status = message ? status_by_name(message->status) : STATUS_INVALID;
    if (status == STATUS_OK) status = STATUS_INVALID; /* an error that says OK is none we know */
    (void)error_set(out, status, "%s",
                    message ? message->message : "malformed error from the peer");
    if (message) out->retryable = message->retryable;
    arena_deinit(&arena);
}

/* ---- closing -------------------------------------------------------------------------------- */

static void release(struct rpc_link *link) {
    link->state = LINK_CLOSED;
    env_timer_stop(&link->timer);
    if (!link->in_input) mem_free(link);
}

void rpc_link_close(struct rpc_link *link) {
    assert(link->state != LINK_CLOSED);
    stream_close(link->stream);
    release(link);
}

/* Ends the link from our side and says so to the owner. */
static void break_link(struct rpc_link *link, const struct error *reason) {
    stream_close(link->stream);
    link->state = LINK_CLOSED;
    link->handler->on_close(link->arg, reason);
    release(link);
}

static void protocol_error(struct rpc_link *link, const struct error *reason) {
    counter_add(link->context->connections_refused, 1);
    break_link(link, reason);
}

/* ---- sending -------------------------------------------------------------------------------- */

static void send_frame(struct rpc_link *link, struct frame *frame, struct slice head,
                       struct slice tail) {
    struct rpc_context *context = link->context;
    uint8_t header[FRAME_HEADER_BYTES];
    frame->clock = hlc_now(context->clock, env_wall_ns(context->env));
    frame_encode_header(frame, head.len + tail.len, header);
    stream_write(link->stream, slice_of(header, sizeof header));
    if (head.len > 0) stream_write(link->stream, head);
    if (tail.len > 0) stream_write(link->stream, tail);
    counter_add(context->frames_out, 1);
    counter_add(context->bytes_out, sizeof header + head.len + tail.len);
}

void rpc_link_send(struct rpc_link *link, struct frame *frame, struct slice head,
                   struct slice tail) {
    assert(link->state == LINK_READY);
    send_frame(link, frame, head, tail);
    /* Only the accepting end stops reading: were both to, neither would ever drain. */
    if (!link->dialled && !link->paused && !stream_writable(link->stream)) {
        link->paused = true;
        link->paused_pending = stream_pending(link->stream);
        stream_pause(link->stream);
    }
}

size_t rpc_link_pending(const struct rpc_link *link) { return stream_pending(link->stream); }

static void send_handshake(struct rpc_link *link) {
    struct rpc_identity *self = &link->context->self;
    RpcHandshake message = RPC_HANDSHAKE__INIT;
    message.cluster_id = self->cluster_id;
    message.node_id = self->node_id;
    message.instance_id = self->instance_id;
    message.listen_address = self->listen_address;
    message.protocol_version = self->protocol_version;
    message.feature_level = self->feature_level;
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, &message.base);
    stream_write(link->stream, slice_of(FRAME_PREFACE, FRAME_PREFACE_BYTES));
    send_frame(link, &(struct frame){.kind = FRAME_HANDSHAKE}, buf_slice(&payload), SLICE_EMPTY);
    buf_deinit(&payload);
}

/* Tells the peer why, then closes. */
static void refuse(struct rpc_link *link, const struct error *reason) {
    struct buf payload = BUF_INIT;
    rpc_error_pack(&payload, reason);
    /* The dialling end has sent its preface with its handshake, the accepting one has not yet. */
    if (!link->dialled && link->state == LINK_GREETING)
        stream_write(link->stream, slice_of(FRAME_PREFACE, FRAME_PREFACE_BYTES));
    send_frame(link, &(struct frame){.kind = FRAME_REFUSAL}, buf_slice(&payload), SLICE_EMPTY);
    buf_deinit(&payload);
    protocol_error(link, reason);
}

/* ---- handshake ------------------------------------------------------------------------------ */

static bool decode_handshake(struct slice payload, struct rpc_identity *out) {
    struct arena arena;
    arena_init(&arena, 2 * FRAME_HANDSHAKE_LIMIT);
    RpcHandshake *message = (RpcHandshake *)rpc_unpack(&rpc_handshake__descriptor, payload, &arena);
    bool ok = message && strlen(message->listen_address) < sizeof out->listen_address;
    if (ok) {
        *out = (struct rpc_identity){
            .cluster_id = message->cluster_id,
            .node_id = message->node_id,
            .instance_id = message->instance_id,
            .protocol_version = message->protocol_version,
            .feature_level = message->feature_level,
        };
        memcpy(out->listen_address, message->listen_address, strlen(message->listen_address) + 1);
    }
    arena_deinit(&arena);
    return ok;
}

static enum status check_peer(struct rpc_link *link, struct error *error) {
    struct rpc_context *context = link->context;
    const struct rpc_identity *self = &context->self;
    const struct rpc_identity *peer = &link->peer;
    if (peer->protocol_version != self->protocol_version)
        return error_set(error, STATUS_UNSUPPORTED,
                         "protocol version %" PRIu32 ", ours is %" PRIu32, peer->protocol_version,
                         self->protocol_version);
    if (peer->cluster_id && self->cluster_id && peer->cluster_id != self->cluster_id)
        return error_set(error, STATUS_INVALID,
                         "node of another cluster: %016" PRIx64 ", ours is %016" PRIx64,
                         peer->cluster_id, self->cluster_id);
    if (!context->check) return STATUS_OK;
    return context->check(context->check_arg, peer, error);
}

/* What is left to do when the peer's handshake is acceptable, at either end. */
static void become_ready(struct rpc_link *link) {
    struct rpc_context *context = link->context;
    if (!link->dialled) send_handshake(link);
    link->state = LINK_READY;
    env_timer_start(context->env, &link->timer,
                    env_now_ns(context->env) + context->ping_interval_ns);
    link->handler->on_ready(link->arg, &link->peer);
}

static void on_greeting(struct rpc_link *link, const struct frame *frame) {
    struct error error = {0};
    if (frame->kind == FRAME_REFUSAL) {
        rpc_error_unpack(frame->payload, &error);
        (void)error_prefix(&error, "refused by %s", stream_peer(link->stream));
        break_link(link, &error);
    } else if (frame->kind != FRAME_HANDSHAKE) {
        (void)error_set(&error, STATUS_INVALID, "%s frame before the handshake",
                        frame_kind_name(frame->kind));
        refuse(link, &error);
    } else if (!decode_handshake(frame->payload, &link->peer)) {
        (void)error_set(&error, STATUS_INVALID, "malformed handshake");
        refuse(link, &error);
    } else if (check_peer(link, &error) != STATUS_OK) {
        refuse(link, &error);
    } else {
        become_ready(link);
    }
}

/* ---- frames that arrive --------------------------------------------------------------------- */

static void on_ready_frame(struct rpc_link *link, const struct frame *frame) {
    struct error error = {0};
    switch (frame->kind) {
    case FRAME_PING:
        rpc_link_send(link, &(struct frame){.kind = FRAME_PONG}, SLICE_EMPTY, SLICE_EMPTY);
        break;
    case FRAME_PONG:
        break;
    case FRAME_REFUSAL:
        rpc_error_unpack(frame->payload, &error);
        (void)error_prefix(&error, "refused by %s", stream_peer(link->stream));
        break_link(link, &error);
        break;
    case FRAME_REQUEST:
    case FRAME_REPLY:
    case FRAME_ERROR:
    case FRAME_CANCEL:
    case FRAME_MESSAGE:
        link->handler->on_frame(link->arg, frame);
        break;
    case FRAME_HANDSHAKE:
    case FRAME_KIND_END:
        (void)error_set(&error, STATUS_INVALID, "%s frame after the handshake",
                        frame_kind_name(frame->kind));
        refuse(link, &error);
        break;
    }
}

static void dispatch(struct rpc_link *link, const struct frame *frame) {
    struct rpc_context *context = link->context;
    counter_add(context->frames_in, 1);
    counter_add(context->bytes_in, FRAME_HEADER_BYTES + frame->payload.len);
    if (hlc_receive(context->clock, frame->clock, env_wall_ns(context->env)) != STATUS_OK) {
        struct error error;
        (void)error_set(&error, STATUS_INVALID,
                        "clock of %s is further ahead of ours than the maximum offset allows",
                        stream_peer(link->stream));
        refuse(link, &error);
    } else if (link->state == LINK_GREETING) {
        on_greeting(link, frame);
    } else {
        on_ready_frame(link, frame);
    }
}

/* False when it is incomplete, or wrong (the link is CLOSED then). */
static bool take_preface(struct rpc_link *link, struct slice input) {
    size_t have = input.len < FRAME_PREFACE_BYTES ? input.len : FRAME_PREFACE_BYTES;
    if (memcmp(input.data, FRAME_PREFACE, have) != 0) {
        struct error error;
        (void)error_set(&error, STATUS_INVALID, "%s does not speak Cairn's protocol",
                        stream_peer(link->stream));
        protocol_error(link, &error);
        return false;
    }
    link->preface_seen = have == FRAME_PREFACE_BYTES;
    return link->preface_seen;
}

/* A message must fit into the unread input as a whole, so that it is never copied. */
static void make_room(struct rpc_link *link, size_t size_bytes) {
    size_t limit = size_bytes > STREAM_READ_LIMIT_DEFAULT ? size_bytes : STREAM_READ_LIMIT_DEFAULT;
    if (limit == link->read_limit) return;
    link->read_limit = limit;
    stream_set_read_limit(link->stream, limit);
}

/* Hands out all whole frames of `input`; returns how many bytes were used up. *need_bytes: the size
 * of the frame that is still incomplete. */
static size_t take_frames(struct rpc_link *link, struct slice input, size_t *need_bytes) {
    size_t offset = 0;
    *need_bytes = FRAME_HEADER_BYTES;
    while (link->state != LINK_CLOSED && !link->paused) {
        size_t limit = link->state == LINK_READY ? link->context->payload_limit_bytes
                                                 : (size_t)FRAME_HANDSHAKE_LIMIT;
        struct frame frame;
        struct error error;
        enum status status =
            frame_decode(slice_from(input, offset), limit, &frame, need_bytes, &error);
        if (status == STATUS_WOULD_BLOCK) break;
        if (status != STATUS_OK) {
            (void)error_prefix(&error, "%s", stream_peer(link->stream));
            refuse(link, &error);
            break;
        }
        offset += *need_bytes;
        dispatch(link, &frame);
    }
    return offset;
}

static void on_input(void *arg, struct stream *stream) {
    struct rpc_link *link = arg;
    struct slice input = stream_input(stream);
    if (input.len == 0) return;
    link->heard_ns = env_now_ns(link->context->env);
    link->in_input = true;
    size_t used = 0;
    size_t need_bytes = FRAME_HEADER_BYTES;
    bool at_preface = !link->preface_seen;
    if (!at_preface || take_preface(link, input)) {
        used = at_preface ? FRAME_PREFACE_BYTES : 0;
        used += take_frames(link, slice_from(input, used), &need_bytes);
    }
    link->in_input = false;
    if (link->state == LINK_CLOSED) {
        mem_free(link);
        return;
    }
    stream_consume(stream, used);
    make_room(link, need_bytes);
}

/* ---- the stream's other events -------------------------------------------------------------- */

static void on_open(void *arg, struct stream *stream) {
    struct rpc_link *link = arg;
    (void)stream;
    link->state = LINK_GREETING;
    send_handshake(link);
    env_timer_start(link->context->env, &link->timer,
                    env_now_ns(link->context->env) + link->context->handshake_timeout_ns);
}

static void on_drain(void *arg, struct stream *stream) {
    struct rpc_link *link = arg;
    if (!link->paused) return;
    link->paused = false;
    stream_resume(stream);
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct rpc_link *link = arg;
    struct error error;
    if (link->state != LINK_OPENING)
        (void)error_set(&error, reason, "connection to %s lost: %s", stream_peer(stream),
                        status_text(reason));
    else if (reason == STATUS_DEADLINE)
        (void)error_set(&error, reason, "cannot connect to %s in time", stream_peer(stream));
    else
        (void)error_set(&error, reason, "cannot connect to %s", stream_peer(stream));
    link->state = LINK_CLOSED;
    link->handler->on_close(link->arg, &error);
    release(link);
}

static void on_timer(void *arg) {
    struct rpc_link *link = arg;
    struct rpc_context *context = link->context;
    struct error error;
    uint64_t now_ns = env_now_ns(context->env);
    if (link->state != LINK_READY) {
        (void)error_set(&error, STATUS_DEADLINE, "no handshake from %s within %" PRIu64 " ms",
                        stream_peer(link->stream), context->handshake_timeout_ns / NS_PER_MS);
        protocol_error(link, &error);
        return;
    }
    if (link->paused && stream_pending(link->stream) != link->paused_pending) {
        link->paused_pending = stream_pending(link->stream);
        link->heard_ns = now_ns;
    }
    /* A tick that comes late says that we were stalled, not that the peer was silent: what it sent
     * meanwhile is still unread. */
    if (now_ns - link->timer.deadline_ns > context->ping_interval_ns) link->heard_ns = now_ns;
    uint64_t silent_ns = now_ns - link->heard_ns;
    if (silent_ns >= context->silence_timeout_ns) {
        (void)error_set(&error, STATUS_DEADLINE, "nothing heard from %s for %" PRIu64 " ms",
                        stream_peer(link->stream), silent_ns / NS_PER_MS);
        break_link(link, &error);
        return;
    }
    if (link->dialled && silent_ns >= context->ping_interval_ns)
        rpc_link_send(link, &(struct frame){.kind = FRAME_PING}, SLICE_EMPTY, SLICE_EMPTY);
    env_timer_start(context->env, &link->timer, now_ns + context->ping_interval_ns);
}

static const struct stream_handler stream_handler = {on_open, on_input, on_drain, on_close};

static struct rpc_link *link_new(struct rpc_context *context,
                                 const struct rpc_link_handler *handler, void *arg) {
    struct rpc_link *link = MEM_NEW(struct rpc_link);
    link->context = context;
    link->handler = handler;
    link->arg = arg;
    link->heard_ns = env_now_ns(context->env);
    link->read_limit = STREAM_READ_LIMIT_DEFAULT;
    env_timer_init(&link->timer, on_timer, link);
    return link;
}

struct rpc_link *rpc_link_accept(struct rpc_context *context, struct stream *stream,
                                 const struct rpc_link_handler *handler, void *arg) {
    struct rpc_link *link = link_new(context, handler, arg);
    link->state = LINK_GREETING;
    link->stream = stream;
    stream_set_handler(stream, &stream_handler, link);
    env_timer_start(context->env, &link->timer,
                    env_now_ns(context->env) + context->handshake_timeout_ns);
    return link;
}

struct rpc_link *rpc_link_dial(struct rpc_context *context, const char *host, uint16_t port,
                               uint64_t timeout_ns, const struct rpc_link_handler *handler,
                               void *arg) {
    struct rpc_link *link = link_new(context, handler, arg);
    link->dialled = true;
    link->stream = env_dial(context->env, host, port, timeout_ns, &stream_handler, link);
    return link;
}
