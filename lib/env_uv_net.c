/* env_uv_net.c - how connections come to be: listening and dialling over TCP.
 *
 * A dial tries the addresses of its host one after the other until one answers or the time is up.
 * What happens on a connection afterwards is in env_uv_stream.c. */
#include <assert.h>
#include <stdio.h>

#include "env_uv_impl.h"
#include "mem.h"

enum { LISTEN_BACKLOG = 1024, KEEPALIVE_S = 60 };

static void set_options(uv_tcp_t *tcp) {
    /* We write once a turn ourselves: delaying small segments would only add latency. */
    uv_tcp_nodelay(tcp, 1);
    uv_tcp_keepalive(tcp, 1, KEEPALIVE_S);
}

/* False if `host` is a name. */
static bool parse_address(const char *host, uint16_t port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof(*out));
    return uv_ip4_addr(host, port, (struct sockaddr_in *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)out) == 0;
}

static uint16_t address_port(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    }
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* ---- listen --------------------------------------------------------------------------------- */

static void set_accepted_peer(struct uv_stream *stream) {
    struct sockaddr_storage address;
    int len = sizeof(address);
    char host[48] = "unknown";
    memset(&address, 0, sizeof(address));
    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &len) == 0) {
        uv_ip_name((const struct sockaddr *)&address, host, sizeof(host));
    }
    stream_set_peer(&stream->base, host, address_port(&address));
}

static void on_connection(uv_stream_t *handle, int result) {
    struct uv_listener *listener = handle->data;
    struct uv_machine *machine = listener->machine;
    if (result != 0) {
        log_warn(&machine->log, "env", "cannot accept a connection port=%u error=%s",
                 (unsigned)listener->port, uv_err_name(result));
        return;
    }
    struct uv_stream *stream = uv_stream_new(machine);
    if (uv_accept(handle, (uv_stream_t *)&stream->tcp) != 0) {
        uv_stream_release(stream);
        return;
    }
    set_options(&stream->tcp);
    set_accepted_peer(stream);
    listener->on_accept(listener->arg, &stream->base);
    if (!stream->base.closing) stream_opened(&stream->base, false);
}

static enum status listen_error(struct error *error, const char *host, uint16_t port, int result) {
    if (result == UV_EADDRINUSE) {
        return error_set(error, STATUS_IN_USE, "port %u is in use by another process",
                         (unsigned)port);
    }
    return error_set(error, STATUS_IO, "cannot listen on %s:%u: %s", host, (unsigned)port,
                     uv_strerror(result));
}

/* Addresses of names are looked up at once: nothing runs yet when a node starts to listen. */
static int resolve_now(struct uv_machine *machine, const char *host, uint16_t port,
                       struct sockaddr_storage *out) {
    uv_getaddrinfo_t request;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    int result = uv_getaddrinfo(&machine->loop, &request, NULL, host, service, &hints);
    if (result != 0) return result;
    memset(out, 0, sizeof(*out));
    memcpy(out, request.addrinfo->ai_addr, request.addrinfo->ai_addrlen);
    uv_freeaddrinfo(request.addrinfo);
    return 0;
}

static int bind_and_listen(struct uv_listener *listener, const char *host, uint16_t port) {
    struct sockaddr_storage address;
    if (!parse_address(host, port, &address)) {
        int result = resolve_now(listener->machine, host, port, &address);
        if (result != 0) return result;
    }
    /* libuv sets SO_REUSEADDR, so that a restart need not wait; a socket that is listening on the
     * port still refuses us, at the latest in uv_listen. */
    int result = uv_tcp_bind(&listener->tcp, (const struct sockaddr *)&address, 0);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&listener->tcp, LISTEN_BACKLOG, on_connection);
    if (result != 0) return result;
    int len = sizeof(address);
    result = uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&address, &len);
    if (result == 0) listener->port = address_port(&address);
    return result;
}

static void on_listener_closed(uv_handle_t *handle) { mem_free(handle->data); }

enum status machine_listen(struct env *env, const char *host, uint16_t port,
                           void (*on_accept)(void *arg, struct stream *stream), void *arg,
                           struct listener **out, struct error *error) {
    struct uv_machine *machine = machine_of(env);
    if (host[0] == '\0') host = "0.0.0.0";
    struct uv_listener *listener = MEM_NEW(struct uv_listener);
    listener->base.env = env;
    listener->machine = machine;
    listener->on_accept = on_accept;
    listener->arg = arg;
    int result = uv_tcp_init(&machine->loop, &listener->tcp);
    assert(result == 0);
    listener->tcp.data = listener;
    result = bind_and_listen(listener, host, port);
    if (result != 0) {
        uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
        return listen_error(error, host, port, result);
    }
    listener->next = machine->listeners;
    if (listener->next != NULL) listener->next->prev = listener;
    machine->listeners = listener;
    *out = &listener->base;
    return STATUS_OK;
}

uint16_t machine_listener_port(const struct listener *base) {
    return ((const struct uv_listener *)base)->port;
}

void machine_listener_close(struct listener *base) {
    struct uv_listener *listener = (struct uv_listener *)base;
    if (listener->prev != NULL) {
        listener->prev->next = listener->next;
    } else {
        listener->machine->listeners = listener->next;
    }
    if (listener->next != NULL) listener->next->prev = listener->prev;
    uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}

/* ---- dial ----------------------------------------------------------------------------------- */

static void connect_next(struct uv_stream *stream);

static bool dial_is_over(const struct uv_stream *stream) {
    return stream->base.closing || stream->base.ended;
}

static void on_dial_timeout(void *arg) {
    struct uv_stream *stream = arg;
    stream_ended(&stream->base, STATUS_DEADLINE);
}

/* The handle of a failed attempt is closed: the next address gets a fresh one. */
static void on_attempt_closed(uv_handle_t *handle) {
    struct uv_stream *stream = handle->data;
    int result = uv_tcp_init(&stream->machine->loop, &stream->tcp);
    assert(result == 0);
    (void)result;
    if (stream->released) {
        stream->released = false; /* now that there is a handle to close, for good */
        uv_stream_release(stream);
    } else {
        connect_next(stream);
    }
}

static void on_connected(uv_connect_t *connect, int result) {
    struct uv_stream *stream = connect->data;
    if (stream->released || dial_is_over(stream)) return;
    if (result != 0) {
        uv_close((uv_handle_t *)&stream->tcp, on_attempt_closed);
        return;
    }
    env_timer_stop(&stream->deadline);
    set_options(&stream->tcp);
    stream_opened(&stream->base, true);
}

static const struct sockaddr *take_address(struct uv_stream *stream) {
    if (stream->try_numeric) {
        stream->try_numeric = false;
        return (const struct sockaddr *)&stream->numeric;
    }
    struct addrinfo *address = stream->next_address;
    if (address == NULL) return NULL;
    stream->next_address = address->ai_next;
    return address->ai_addr;
}

static void connect_next(struct uv_stream *stream) {
    if (dial_is_over(stream)) return;
    const struct sockaddr *address = take_address(stream);
    if (address == NULL) {
        env_timer_stop(&stream->deadline);
        stream_ended(&stream->base, STATUS_UNAVAILABLE);
        return;
    }
    stream->connect.data = stream;
    if (uv_tcp_connect(&stream->connect, &stream->tcp, address, on_connected) != 0) {
        uv_close((uv_handle_t *)&stream->tcp, on_attempt_closed);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int result, struct addrinfo *addresses) {
    struct uv_stream *stream = request->data;
    stream->resolving = false;
    if (result == 0) {
        stream->addresses = addresses;
        stream->next_address = addresses;
    }
    if (stream->released) {
        /* Its handle may be closed already, in which case nobody else frees it. */
        uv_stream_free_if_unused(stream);
    } else {
        connect_next(stream);
    }
}

static void start_dial(struct uv_stream *stream, const char *host, uint16_t port) {
    if (parse_address(host, port, &stream->numeric)) {
        stream->try_numeric = true;
        connect_next(stream);
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    stream->resolve.data = stream;
    stream->resolving = uv_getaddrinfo(&stream->machine->loop, &stream->resolve, on_resolved, host,
                                       service, &hints) == 0;
    if (!stream->resolving) stream_ended(&stream->base, STATUS_UNAVAILABLE);
}

struct stream *machine_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                            const struct stream_handler *handler, void *arg) {
    struct uv_stream *stream = uv_stream_new(machine_of(env));
    stream_set_handler(&stream->base, handler, arg);
    stream_set_peer(&stream->base, host, port);
    env_timer_init(&stream->deadline, on_dial_timeout, stream);
    env_timer_start(env, &stream->deadline, env_deadline_ns(env, timeout_ns));
    start_dial(stream, host, port);
    return &stream->base;
}
