/* env_uv_stream.c - TCP as a transport of streams: reading into their input, writing their output
 * once a turn, and ending without losing what was sent.
 *
 * The rules of streams are in env_stream.c; making connections is in env_uv_net.c. A stream's
 * memory goes when libuv has let go of its handle and of its name look-up. */
#include <assert.h>
#include <limits.h>

#include "env_uv_impl.h"
#include "mem.h"

enum { FINISH_TIMEOUT_S = 5, SENDING_KEPT_CAPACITY = 512 * 1024 };

static void finish_if_sent(struct uv_stream *stream);

/* ---- life ----------------------------------------------------------------------------------- */

void uv_stream_free_if_unused(struct uv_stream *stream) {
    if (!stream->released || !stream->tcp_closed || stream->resolving) return;
    struct uv_machine *machine = stream->machine;
    if (stream->prev != NULL) {
        stream->prev->next = stream->next;
    } else {
        machine->streams = stream->next;
    }
    if (stream->next != NULL) stream->next->prev = stream->prev;
    if (stream->addresses != NULL) uv_freeaddrinfo(stream->addresses);
    stream_deinit(&stream->base);
    buf_deinit(&stream->sending);
    mem_free(stream);
}

static void on_tcp_closed(uv_handle_t *handle) {
    struct uv_stream *stream = handle->data;
    stream->tcp_closed = true;
    uv_stream_free_if_unused(stream);
}

void uv_stream_release(struct uv_stream *stream) {
    if (stream->released) return;
    stream->released = true;
    env_timer_stop(&stream->deadline);
    if (stream->dirty) { /* rare: a stream that is released in the turn in which it was written */
        struct uv_stream **at = &stream->machine->dirty;
        while (*at != stream) {
            at = &(*at)->next_dirty;
        }
        *at = stream->next_dirty;
        stream->dirty = false;
    }
    if (stream->resolving) uv_cancel((uv_req_t *)&stream->resolve);
    /* A dial between two addresses is closing its handle already. */
    if (!uv_is_closing((uv_handle_t *)&stream->tcp)) {
        uv_close((uv_handle_t *)&stream->tcp, on_tcp_closed);
    }
}

/* The connection is of no use any more. */
void uv_stream_broke(struct uv_stream *stream) {
    if (stream->base.closing) {
        uv_stream_release(stream);
    } else {
        stream_ended(&stream->base, STATUS_IO);
    }
}

/* ---- input ---------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    struct uv_stream *stream = handle->data;
    size_t len;
    uint8_t *space = stream_input_space(&stream->base, &len);
    *out = uv_buf_init((char *)space, (unsigned)len);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buffer) {
    (void)buffer;
    struct uv_stream *stream = handle->data;
    if (count > 0) {
        stream_received(&stream->base, (size_t)count); /* dropped if its owner has closed it */
    } else if (count < 0 && stream->base.closing) {
        uv_read_stop(handle);
        stream->base.ended = true;
        if (stream->shut_down || count != UV_EOF) uv_stream_release(stream);
    } else if (count == UV_EOF) {
        stream_ended(&stream->base, STATUS_CLOSED);
    } else if (count < 0) {
        uv_stream_broke(stream);
    }
}

static void stream_read(struct stream *base, bool on) {
    struct uv_stream *stream = (struct uv_stream *)base;
    if (on) {
        uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    } else {
        uv_read_stop((uv_stream_t *)&stream->tcp);
    }
}

/* ---- output --------------------------------------------------------------------------------- */

static void stream_flush(struct stream *base) {
    struct uv_stream *stream = (struct uv_stream *)base;
    if (stream->dirty || stream->released) return;
    stream->dirty = true;
    stream->next_dirty = stream->machine->dirty;
    stream->machine->dirty = stream;
}

static void on_written(uv_write_t *write, int result) {
    struct uv_stream *stream = write->data;
    stream->base.in_flight = 0;
    buf_clear(&stream->sending);
    if (stream->sending.capacity > SENDING_KEPT_CAPACITY) buf_deinit(&stream->sending);
    if (stream->released) return;
    if (result != 0) {
        uv_stream_broke(stream);
        return;
    }
    stream_sent(&stream->base);
    if (stream->base.output.len > 0) stream_flush(&stream->base);
    finish_if_sent(stream);
}

/* As much as the system takes at once, the rest when it takes more. */
static void write_output(struct uv_stream *stream) {
    struct buf *output = &stream->base.output;
    if (stream->base.in_flight > 0 || output->len == 0) return; /* on_written goes on */
    assert(output->len <= UINT_MAX);                            /* far above the high watermark */
    uv_buf_t data = uv_buf_init((char *)output->data, (unsigned)output->len);
    int result = uv_try_write((uv_stream_t *)&stream->tcp, &data, 1);
    if (result < 0 && result != UV_EAGAIN) {
        uv_stream_broke(stream);
        return;
    }
    size_t written = result > 0 ? (size_t)result : 0;
    if (written < output->len) {
        buf_swap(output, &stream->sending);
        stream->base.in_flight = stream->sending.len - written;
        data =
            uv_buf_init((char *)stream->sending.data + written, (unsigned)stream->base.in_flight);
        stream->write.data = stream;
        result = uv_write(&stream->write, (uv_stream_t *)&stream->tcp, &data, 1, on_written);
        if (result != 0) {
            stream->base.in_flight = 0;
            uv_stream_broke(stream);
            return;
        }
    }
    buf_clear(output);
    stream_sent(&stream->base);
    finish_if_sent(stream);
}

void machine_flush(struct uv_machine *machine) {
    while (machine->dirty != NULL) {
        struct uv_stream *stream = machine->dirty;
        machine->dirty = stream->next_dirty;
        stream->dirty = false;
        write_output(stream);
    }
}

/* ---- ending --------------------------------------------------------------------------------- */

static void on_finish_timeout(void *arg) { uv_stream_release(arg); }

static void on_shut_down(uv_shutdown_t *shutdown, int result) {
    struct uv_stream *stream = shutdown->data;
    if (stream->released) return;
    stream->shut_down = true;
    if (result != 0 || stream->base.ended) uv_stream_release(stream);
}

/* Closing a socket with input unread makes the system send a reset, which may overtake the last
 * answer at the peer. So we end our side, and discard input until the peer ends its own. */
static void finish_if_sent(struct uv_stream *stream) {
    if (!stream->finishing || stream->released || stream_pending(&stream->base) > 0) return;
    stream->finishing = false;
    if (stream->base.ended) {
        uv_stream_release(stream);
        return;
    }
    stream->shutdown.data = stream;
    if (uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, on_shut_down) != 0 ||
        uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read) < 0) {
        uv_stream_release(stream);
    }
}

static void stream_close_transport(struct stream *base, bool at_once) {
    struct uv_stream *stream = (struct uv_stream *)base;
    if (at_once) {
        uv_stream_release(stream);
        return;
    }
    uv_read_stop((uv_stream_t *)&stream->tcp);
    base->input_start = base->input_end; /* nobody will read it */
    stream->finishing = true;
    env_timer_init(&stream->deadline, on_finish_timeout, stream);
    env_timer_start(base->env, &stream->deadline,
                    env_now_ns(base->env) + FINISH_TIMEOUT_S * NS_PER_S);
    finish_if_sent(stream);
}

static const struct stream_ops tcp_ops = {
    .read = stream_read,
    .flush = stream_flush,
    .close = stream_close_transport,
};

struct uv_stream *uv_stream_new(struct uv_machine *machine) {
    struct uv_stream *stream = MEM_NEW(struct uv_stream);
    stream_init(&stream->base, &tcp_ops, &machine->base);
    stream->machine = machine;
    int result = uv_tcp_init(&machine->loop, &stream->tcp);
    assert(result == 0);
    (void)result;
    stream->tcp.data = stream;
    stream->next = machine->streams;
    if (stream->next != NULL) stream->next->prev = stream;
    machine->streams = stream;
    return stream;
}
