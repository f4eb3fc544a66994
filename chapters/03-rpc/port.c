/* port.c - the listener that tells protocols apart (port.h). Must not know any protocol. */
#include "port.h"

#include <assert.h>
#include <inttypes.h>

#include "log_limit.h"
#include "mem.h"

/* A stream whose protocol is not known yet. */
struct undecided {
    struct port *port;
    struct stream *stream;
    struct env_timer timer;
    struct undecided *next, *prev;
};

struct port {
    struct env *env;
    struct listener *listener;
    size_t max_connections;
    uint64_t first_bytes_timeout_ns;
    struct port_protocol protocols[PORT_MAX_PROTOCOLS];
    size_t protocol_count;
    struct undecided *undecided;
    size_t undecided_count;
    struct log_limit log_limit;
};

struct port_options port_options_default(void) {
    return (struct port_options){
        .max_connections = PORT_MAX_CONNECTIONS_DEFAULT,
        .first_bytes_timeout_ns = 10 * NS_PER_S,
    };
}

static void complain(struct port *port, const struct stream *stream, const char *what,
                     struct slice bytes) {
    uint64_t suppressed;
    if (!log_limit_allow(&port->log_limit, env_now_ns(port->env), &suppressed)) return;
    char text[64];
    log_warn(env_log(port->env), "port",
             "connection closed peer=%s reason=\"%s\" bytes=\"%s\" suppressed=%" PRIu64,
             stream_peer(stream), what, slice_print(bytes, text, sizeof text), suppressed);
}

/* Forgets the stream; what becomes of it is the caller's. */
static struct stream *forget(struct undecided *undecided) {
    struct port *port = undecided->port;
    struct stream *stream = undecided->stream;
    env_timer_stop(&undecided->timer);
    if (undecided->prev)
        undecided->prev->next = undecided->next;
    else
        port->undecided = undecided->next;
    if (undecided->next) undecided->next->prev = undecided->prev;
    port->undecided_count--;
    mem_free(undecided);
    return stream;
}

static void give_up(struct undecided *undecided, const char *why) {
    complain(undecided->port, undecided->stream, why, stream_input(undecided->stream));
    stream_close(forget(undecided));
}

/* YES: *out is the protocol. NO: none can match whatever follows. */
static enum port_match recognize(const struct port *port, struct slice first,
                                 const struct port_protocol **out) {
    enum port_match best = PORT_NO;
    for (size_t i = 0; i < port->protocol_count; i++) {
        enum port_match match = port->protocols[i].recognize(first);
        if (match == PORT_YES) {
            *out = &port->protocols[i];
            return PORT_YES;
        }
        if (match == PORT_NEED_MORE) best = PORT_NEED_MORE;
    }
    return best;
}

static void on_input(void *arg, struct stream *stream) {
    struct undecided *undecided = arg;
    struct slice first = stream_input(stream);
    if (first.len == 0) return;
    bool enough = first.len >= PORT_MAX_FIRST_BYTES;
    if (enough) first.len = PORT_MAX_FIRST_BYTES;
    const struct port_protocol *protocol = NULL;
    switch (recognize(undecided->port, first, &protocol)) {
    case PORT_YES: {
        struct stream *handed_over = forget(undecided);
        protocol->accept(protocol->arg, handed_over);
        break;
    }
    case PORT_NEED_MORE:
        if (enough) give_up(undecided, "protocol not recognized");
        break;
    case PORT_NO:
        give_up(undecided, "protocol not recognized");
        break;
    }
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    (void)stream;
    (void)reason; /* a client that leaves without a word: a health check, mostly */
    (void)forget(arg);
}

static void on_timeout(void *arg) { give_up(arg, "no protocol shown in time"); }

static const struct stream_handler undecided_handler = {NULL, on_input, NULL, on_close};

static void on_accept(void *arg, struct stream *stream) {
    struct port *port = arg;
    if (port_connections(port) >= port->max_connections) {
        complain(port, stream, "too many connections", SLICE_EMPTY);
        stream_close(stream);
        return;
    }
    struct undecided *undecided = MEM_NEW(struct undecided);
    undecided->port = port;
    undecided->stream = stream;
    undecided->next = port->undecided;
    if (undecided->next) undecided->next->prev = undecided;
    port->undecided = undecided;
    port->undecided_count++;
    stream_set_handler(stream, &undecided_handler, undecided);
    env_timer_init(&undecided->timer, on_timeout, undecided);
    env_timer_start(port->env, &undecided->timer,
                    env_now_ns(port->env) + port->first_bytes_timeout_ns);
}

enum status port_listen(struct env *env, const struct port_options *options, struct port **out,
                        struct error *error) {
    struct port *port = MEM_NEW(struct port);
    port->env = env;
    port->max_connections = options->max_connections;
    port->first_bytes_timeout_ns = options->first_bytes_timeout_ns;
    enum status status = env_listen(env, options->host ? options->host : "", options->port,
                                    on_accept, port, &port->listener, error);
    if (status != STATUS_OK) {
        mem_free(port);
        return status;
    }
    *out = port;
    return STATUS_OK;
}

void port_free(struct port *port) {
    if (!port) return;
    listener_close(port->listener);
    while (port->undecided)
        stream_close(forget(port->undecided));
    mem_free(port);
}

void port_add(struct port *port, const struct port_protocol *protocol) {
    assert(port->protocol_count < PORT_MAX_PROTOCOLS);
    port->protocols[port->protocol_count++] = *protocol;
}

uint16_t port_number(const struct port *port) { return listener_port(port->listener); }

size_t port_connections(const struct port *port) {
    size_t count = port->undecided_count;
    for (size_t i = 0; i < port->protocol_count; i++) {
        const struct port_protocol *protocol = &port->protocols[i];
        if (protocol->connections) count += protocol->connections(protocol->arg);
    }
    return count;
}
