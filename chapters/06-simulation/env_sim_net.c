/* env_sim_net.c - connections between machines: segments that take time, arrive in order, and are
 * held behind a cut. A transport of streams (env_impl.h), as TCP is on the real machine.
 *
 * Each end of a connection has a window: what was sent to it and not yet taken by its owner is
 * bounded, so that a reader that pauses is felt by its writer. */
#include <string.h>

#include "codec.h"
#include "env_sim_impl.h"
#include "mem.h"

enum { WINDOW_BYTES = 256 * 1024, FINISH_TIMEOUT_S = 5 };

struct sim_listener {
    struct listener base;
    uint16_t port;
    void (*on_accept)(void *arg, struct stream *stream);
    void *arg;
    struct sim_listener *next;
};

struct sim_end {
    struct sim_machine *machine;
    struct sim_stream *stream; /* NULL: gone, or not there yet */
    uint64_t last_arrival_ns;  /* of what was sent to it: order */
    size_t in_network;         /* sent to it, not yet taken by the owner */
    struct buf received;       /* arrived, not yet taken */
    bool ended;                /* after that comes the end */
    enum status end_reason;
    bool pumping; /* a SIM_PUMP is under way */
};

/* Lives until both streams and all segments are gone. */
struct connection {
    struct sim_end ends[2]; /* 0: the dialler */
    uint16_t port;
    unsigned references;
};

struct sim_stream {
    struct stream base;
    struct sim_machine *machine;
    struct connection *connection;
    int side;
    bool finishing, released, is_dirty;
    struct env_timer deadline; /* of the dial, of finishing */
    struct sim_stream *next, *prev, *next_dirty, *next_dead;
};

enum segment_kind { SYN, SYN_ACK, DATA, FIN, RESET, WINDOW };

struct sim_segment {
    struct connection *connection;
    int to; /* side */
    enum segment_kind kind;
    struct buf data;
    struct sim_segment *next; /* held */
};

static const struct stream_ops sim_stream_ops;
static void release(struct sim_stream *stream);

/* ---- segments ------------------------------------------------------------------------------- */

static void unref(struct connection *connection) {
    if (--connection->references > 0) return;
    buf_deinit(&connection->ends[0].received);
    buf_deinit(&connection->ends[1].received);
    mem_free(connection);
}

static void segment_free(struct sim_segment *segment) {
    unref(segment->connection);
    buf_deinit(&segment->data);
    mem_free(segment);
}

static void drop_segment(void *arg) { segment_free(arg); }
static void deliver_segment(void *arg);

static bool behind_cut(const struct sim *sim, const struct sim_segment *segment) {
    const struct sim_end *ends = segment->connection->ends;
    return sim->cut[ends[0].machine->id][ends[1].machine->id];
}

static void put_on_wire(struct sim *sim, struct sim_segment *segment) {
    struct sim_end *to = &segment->connection->ends[segment->to];
    uint64_t at_ns = sim->now_ns + sim_draw_latency(sim);
    if (at_ns < to->last_arrival_ns) at_ns = to->last_arrival_ns;
    to->last_arrival_ns = at_ns;
    sim_schedule(sim, (struct sim_event){
                          .at_ns = at_ns,
                          .kind = SIM_SEGMENT,
                          .machine = to->machine,
                          .detail = checksum64(buf_slice(&segment->data), (uint64_t)segment->kind),
                          .deliver = deliver_segment,
                          .drop = drop_segment,
                          .arg = segment});
}

static void send_segment(struct connection *connection, int to, enum segment_kind kind,
                         struct slice data) {
    struct sim *sim = connection->ends[0].machine->sim;
    if (!connection->ends[1 - to].machine->up) return; /* what a dying node still says */
    struct sim_segment *segment = MEM_NEW(struct sim_segment);
    segment->connection = connection;
    segment->to = to;
    segment->kind = kind;
    if (data.len > 0) buf_append_slice(&segment->data, data);
    connection->references++;
    if (!behind_cut(sim, segment)) {
        put_on_wire(sim, segment);
    } else if (kind == SYN) {
        segment_free(segment); /* the dial times out */
    } else {
        *sim->held_tail = segment;
        sim->held_tail = &segment->next;
    }
}

void sim_net_release_held(struct sim *sim) {
    struct sim_segment *held = sim->held;
    sim->held = NULL;
    sim->held_tail = &sim->held;
    while (held) {
        struct sim_segment *segment = held;
        held = segment->next;
        segment->next = NULL;
        if (!behind_cut(sim, segment)) {
            put_on_wire(sim, segment);
        } else {
            *sim->held_tail = segment;
            sim->held_tail = &segment->next;
        }
    }
}

void sim_net_drop_held(struct sim *sim) {
    while (sim->held) {
        struct sim_segment *segment = sim->held;
        sim->held = segment->next;
        segment_free(segment);
    }
    sim->held_tail = &sim->held;
}

/* ---- streams -------------------------------------------------------------------------------- */

static struct sim_stream *stream_new(struct sim_machine *machine, struct connection *connection,
                                     int side) {
    struct sim_stream *stream = MEM_NEW(struct sim_stream);
    stream_init(&stream->base, &sim_stream_ops, &machine->base);
    stream->machine = machine;
    stream->connection = connection;
    stream->side = side;
    connection->references++;
    connection->ends[side].stream = stream;
    stream->next = machine->streams;
    if (stream->next) stream->next->prev = stream;
    machine->streams = stream;
    return stream;
}

/* Out of use: freed at the end of the turn, when no call of its owner is under way. */
static void release(struct sim_stream *stream) {
    if (stream->released) return;
    stream->released = true;
    struct sim_machine *machine = stream->machine;
    env_timer_stop(&stream->deadline);
    stream->connection->ends[stream->side].stream = NULL;
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        machine->streams = stream->next;
    if (stream->next) stream->next->prev = stream->prev;
    stream->next_dead = machine->dead;
    machine->dead = stream;
    sim_wake(machine);
}

static void mark_dirty(struct sim_stream *stream) {
    if (stream->is_dirty || stream->released) return;
    stream->is_dirty = true;
    stream->next_dirty = stream->machine->dirty;
    stream->machine->dirty = stream;
    sim_wake(stream->machine);
}

static void write_output(struct sim_stream *stream) {
    struct connection *connection = stream->connection;
    struct sim_end *peer = &connection->ends[1 - stream->side];
    struct buf *output = &stream->base.output;
    size_t room = peer->in_network < WINDOW_BYTES ? WINDOW_BYTES - peer->in_network : 0;
    size_t len = output->len < room ? output->len : room;
    if (len > 0) {
        peer->in_network += len;
        send_segment(connection, 1 - stream->side, DATA, slice_of(output->data, len));
        buf_consume(output, len);
        stream_sent(&stream->base);
    }
    if (stream->finishing && output->len == 0) {
        send_segment(connection, 1 - stream->side, FIN, SLICE_EMPTY);
        release(stream);
    }
}

void sim_net_flush(struct sim_machine *machine) {
    while (machine->dirty) {
        struct sim_stream *stream = machine->dirty;
        machine->dirty = stream->next_dirty;
        stream->is_dirty = false;
        if (!stream->released) write_output(stream);
    }
    while (machine->dead) {
        struct sim_stream *stream = machine->dead;
        machine->dead = stream->next_dead;
        unref(stream->connection);
        stream_deinit(&stream->base);
        mem_free(stream);
    }
}

/* Hands arrived bytes to the owner as long as it reads, then the end. */
static void pump(struct sim_end *end, int side, struct connection *connection) {
    size_t taken = 0;
    connection->references++;
    while (end->stream && end->received.len > taken &&
           (end->stream->base.reading || end->stream->base.closing)) {
        size_t len = end->received.len - taken, space;
        if (!end->stream->base.closing) {
            uint8_t *to = stream_input_space(&end->stream->base, &space);
            if (len > space) len = space;
            memcpy(to, end->received.data + taken, len);
            stream_received(&end->stream->base, len);
        }
        taken += len;
    }
    if (taken > 0) {
        end->in_network -= taken;
        buf_consume(&end->received, taken);
        send_segment(connection, 1 - side, WINDOW, SLICE_EMPTY);
    }
    if (end->stream && end->ended && end->received.len == 0 && !end->stream->base.ended)
        stream_ended(&end->stream->base, end->end_reason);
    unref(connection);
}

static void on_pump(void *arg) {
    struct sim_segment *segment = arg;
    struct sim_end *end = &segment->connection->ends[segment->to];
    end->pumping = false;
    pump(end, segment->to, segment->connection);
    segment_free(segment);
}

static void transport_read(struct stream *base, bool on) {
    struct sim_stream *stream = (struct sim_stream *)base;
    struct sim_end *end = &stream->connection->ends[stream->side];
    if (!on || end->pumping || (end->received.len == 0 && !end->ended)) return;
    end->pumping = true;
    struct sim_segment *segment = MEM_NEW(struct sim_segment);
    segment->connection = stream->connection;
    segment->connection->references++;
    segment->to = stream->side;
    sim_schedule(stream->machine->sim, (struct sim_event){.at_ns = stream->machine->sim->now_ns,
                                                          .kind = SIM_PUMP,
                                                          .machine = stream->machine,
                                                          .boot = stream->machine->boot,
                                                          .deliver = on_pump,
                                                          .drop = drop_segment,
                                                          .arg = segment});
}

static void transport_flush(struct stream *base) { mark_dirty((struct sim_stream *)base); }

static void reset_and_release(struct sim_stream *stream) {
    if (stream->released) return;
    send_segment(stream->connection, 1 - stream->side, RESET, SLICE_EMPTY);
    release(stream);
}

static void on_finish_timeout(void *arg) { reset_and_release(arg); }

static void transport_close(struct stream *base, bool at_once) {
    struct sim_stream *stream = (struct sim_stream *)base;
    bool broken = base->ended && base->end_reason != STATUS_CLOSED;
    if (broken)
        release(stream);
    else if (at_once)
        reset_and_release(stream);
    else {
        stream->finishing = true;
        env_timer_init(&stream->deadline, on_finish_timeout, stream);
        env_timer_start(&stream->machine->base, &stream->deadline,
                        env_now_ns(&stream->machine->base) + FINISH_TIMEOUT_S * NS_PER_S);
        mark_dirty(stream);
    }
}

static const struct stream_ops sim_stream_ops = {
    .read = transport_read, .flush = transport_flush, .close = transport_close};

/* ---- what arrives --------------------------------------------------------------------------- */

static uint16_t take_port(struct sim_machine *machine) {
    if (machine->next_port < SIM_FIRST_FREE_PORT) machine->next_port = SIM_FIRST_FREE_PORT;
    return machine->next_port++;
}

static struct sim_listener *find_listener(const struct sim_machine *machine, uint16_t port) {
    struct sim_listener *listener = machine->listeners;
    while (listener && listener->port != port)
        listener = listener->next;
    return listener;
}

static void on_syn(struct connection *connection) {
    struct sim_machine *machine = connection->ends[1].machine;
    struct sim_listener *listener = find_listener(machine, connection->port);
    if (!listener) {
        send_segment(connection, 0, RESET, SLICE_EMPTY);
        return;
    }
    struct sim_stream *stream = stream_new(machine, connection, 1);
    stream_set_peer(&stream->base, connection->ends[0].machine->address, take_port(machine));
    send_segment(connection, 0, SYN_ACK, SLICE_EMPTY);
    listener->on_accept(listener->arg, &stream->base);
    if (!stream->base.closing) stream_opened(&stream->base, false);
}

static void on_reset(struct sim_end *end) {
    struct sim_stream *stream = end->stream;
    if (stream->base.closing)
        release(stream);
    else
        stream_ended(&stream->base, stream->base.opened ? STATUS_IO : STATUS_UNAVAILABLE);
}

static void deliver_to_stream(struct sim_segment *segment, struct sim_end *end) {
    switch (segment->kind) {
    case SYN:
        break;
    case SYN_ACK:
        if (end->stream->base.ended) break; /* the dial was given up */
        env_timer_stop(&end->stream->deadline);
        stream_opened(&end->stream->base, true);
        break;
    case DATA:
        buf_append_slice(&end->received, buf_slice(&segment->data));
        pump(end, segment->to, segment->connection);
        break;
    case FIN:
        end->ended = true;
        end->end_reason = STATUS_CLOSED;
        pump(end, segment->to, segment->connection);
        break;
    case RESET:
        on_reset(end);
        break;
    case WINDOW:
        if (end->stream->base.output.len > 0) mark_dirty(end->stream);
        break;
    }
}

/* A segment for a stream that is no more is answered by a reset. */
static void deliver_segment(void *arg) {
    struct sim_segment *segment = arg;
    struct connection *connection = segment->connection;
    struct sim_end *end = &connection->ends[segment->to];
    if (segment->kind == SYN)
        on_syn(connection);
    else if (end->stream)
        deliver_to_stream(segment, end);
    else if (segment->kind == DATA || segment->kind == SYN_ACK)
        send_segment(connection, 1 - segment->to, RESET, SLICE_EMPTY);
    segment_free(segment);
}

/* ---- listening and dialling ----------------------------------------------------------------- */

enum status sim_listen(struct env *env, const char *host, uint16_t port,
                       void (*on_accept)(void *arg, struct stream *stream), void *arg,
                       struct listener **out, struct error *error) {
    (void)host; /* a machine has one address */
    struct sim_machine *machine = sim_machine_of(env);
    while (port == 0) {
        uint16_t free_port = take_port(machine);
        if (!find_listener(machine, free_port)) port = free_port;
    }
    if (find_listener(machine, port))
        return error_set(error, STATUS_IN_USE, "port %u is in use by another process",
                         (unsigned)port);
    struct sim_listener *listener = MEM_NEW(struct sim_listener);
    *listener = (struct sim_listener){{env}, port, on_accept, arg, machine->listeners};
    machine->listeners = listener;
    *out = &listener->base;
    return STATUS_OK;
}

uint16_t sim_listener_port(const struct listener *listener) {
    return ((const struct sim_listener *)listener)->port;
}

void sim_listener_close(struct listener *base) {
    struct sim_listener **at = &sim_machine_of(base->env)->listeners;
    while (&(*at)->base != base)
        at = &(*at)->next;
    *at = (*at)->next;
    mem_free(base);
}

static void on_dial_timeout(void *arg) {
    struct sim_stream *stream = arg;
    stream_ended(&stream->base, STATUS_DEADLINE);
}

/* The machine that has the address; "localhost" is the dialler itself. NULL: no such machine. */
static struct sim_machine *resolve(struct sim_machine *from, const char *host) {
    if (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0) return from;
    for (uint64_t id = 1; id <= from->sim->machine_count; id++)
        if (strcmp(from->sim->machines[id]->address, host) == 0) return from->sim->machines[id];
    return NULL;
}

static void dial_failed(void *arg) {
    struct sim_segment *segment = arg;
    struct sim_end *end = &segment->connection->ends[0];
    if (end->stream && !end->stream->base.closing)
        stream_ended(&end->stream->base, STATUS_UNAVAILABLE);
    segment_free(segment);
}

static void fail_dial(struct sim_stream *stream) {
    struct sim_segment *segment = MEM_NEW(struct sim_segment);
    segment->connection = stream->connection;
    segment->connection->references++;
    struct sim *sim = stream->machine->sim;
    sim_schedule(sim, (struct sim_event){.at_ns = sim->now_ns + sim_draw_latency(sim),
                                         .kind = SIM_DIAL_FAILED,
                                         .machine = stream->machine,
                                         .boot = stream->machine->boot,
                                         .deliver = dial_failed,
                                         .drop = drop_segment,
                                         .arg = segment});
}

struct stream *sim_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                        const struct stream_handler *handler, void *arg) {
    struct sim_machine *machine = sim_machine_of(env), *target = resolve(machine, host);
    struct connection *connection = MEM_NEW(struct connection);
    connection->port = port;
    connection->ends[0].machine = machine;
    connection->ends[1].machine = target ? target : machine;
    struct sim_stream *stream = stream_new(machine, connection, 0);
    stream_set_handler(&stream->base, handler, arg);
    stream_set_peer(&stream->base, host, port);
    env_timer_init(&stream->deadline, on_dial_timeout, stream);
    env_timer_start(env, &stream->deadline, env_deadline_ns(env, timeout_ns));
    if (target)
        send_segment(connection, 1, SYN, SLICE_EMPTY);
    else
        fail_dial(stream);
    return &stream->base;
}

/* ---- going off ------------------------------------------------------------------------------ */

void sim_net_disconnect(struct sim_machine *machine) {
    for (struct sim_stream *stream = machine->streams; stream; stream = stream->next) {
        if (!machine->silent)
            send_segment(stream->connection, 1 - stream->side, RESET, SLICE_EMPTY);
        stream->connection->ends[stream->side].stream = NULL;
    }
}

void sim_net_clear(struct sim_machine *machine) {
    while (machine->listeners)
        sim_listener_close(&machine->listeners->base);
    while (machine->streams)
        release(machine->streams);
    for (struct sim_stream *stream = machine->dirty; stream; stream = stream->next_dirty)
        stream->is_dirty = false;
    machine->dirty = NULL;
    sim_net_flush(machine);
}
