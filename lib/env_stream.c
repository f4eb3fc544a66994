/* env_stream.c - the rules of streams, the same for every transport: when input is announced, when
 * reading pauses, what a hand-over does, when on_drain and on_close come.
 *
 * A transport moves bytes and reports events (env_impl.h); it never calls a handler itself.
 *
 * Pausing does not stop the transport before the read limit: it costs no system calls, memory
 * stays bounded, and the end of the stream is still noticed. */
#include <assert.h>
#include <stdio.h>

#include "env_impl.h"
#include "mem.h"

enum {
    INPUT_FIRST_CAPACITY = 16 * 1024,
    INPUT_BULK_CAPACITY = 128 * 1024,
    INPUT_MIN_SPACE = 4 * 1024,
    KEPT_CAPACITY = 512 * 1024 /* a buffer that grew beyond this is given back when empty */
};

static void on_task(void *arg);

void stream_init(struct stream *stream, const struct stream_ops *ops, struct env *env) {
    *stream = (struct stream){
        .ops = ops,
        .env = env,
        .read_limit = STREAM_READ_LIMIT_DEFAULT,
        .output = BUF_INIT,
    };
    stream->task = (struct env_task){.callback = on_task, .arg = stream};
}

void stream_deinit(struct stream *stream) {
    env_unpost(stream->env, &stream->task);
    mem_free(stream->input);
    buf_deinit(&stream->output);
}

void stream_set_peer(struct stream *stream, const char *host, uint16_t port) {
    snprintf(stream->peer, sizeof(stream->peer), "%s:%u", host, (unsigned)port);
}

const char *stream_peer(const struct stream *stream) { return stream->peer; }

static size_t unread(const struct stream *stream) {
    return stream->input_end - stream->input_start;
}

/* Reading follows from the state; asked once per event, so that the transport is not switched to
 * and fro within one. */
static void update_reading(struct stream *stream) {
    if (stream->delivering || stream->closing || !stream->opened) return;
    bool wanted = !stream->ended && unread(stream) < stream->read_limit;
    if (wanted == stream->reading) return;
    stream->reading = wanted;
    stream->ops->read(stream, wanted);
}

/* ---- callbacks ------------------------------------------------------------------------------ */

static void report_end(struct stream *stream) {
    struct stream_handler handler = stream->handler;
    /* What the owner does to the stream inside its last callback has no effect. */
    stream->closing = true;
    if (handler.on_close != NULL) handler.on_close(stream->arg, stream, stream->end_reason);
    stream->ops->close(stream, stream->end_reason != STATUS_CLOSED);
}

/* One callback, if one is due; returns whether there was one. Each may close the stream or hand it
 * over, hence one at a time. */
static bool deliver_one(struct stream *stream) {
    const struct stream_handler *handler = &stream->handler;
    if (stream->opened && !stream->open_announced) {
        stream->open_announced = true;
        if (handler->on_open != NULL) handler->on_open(stream->arg, stream);
        return true;
    }
    if (stream->unannounced && !stream->paused && handler->on_input != NULL) {
        stream->unannounced = false;
        if (unread(stream) > 0) handler->on_input(stream->arg, stream);
        return true;
    }
    if (stream->drained) {
        stream->drained = false;
        if (stream_pending(stream) >= STREAM_LOW_WATERMARK) {
            stream->above_high = true; /* written to meanwhile: still owed */
        } else if (handler->on_drain != NULL) {
            handler->on_drain(stream->arg, stream);
        }
        return true;
    }
    return false;
}

static void deliver(struct stream *stream) {
    assert(!stream->delivering);
    stream->delivering = true;
    while (!stream->closing && !stream->task.queued && deliver_one(stream)) {
    }
    stream->delivering = false;
    if (stream->closing || stream->task.queued) return;
    /* A broken stream is reported even to an owner that has paused: it may be waiting for on_drain,
     * which will never come. */
    bool all_announced = !stream->unannounced || stream->end_reason != STATUS_CLOSED;
    if (stream->ended && all_announced) {
        report_end(stream);
    } else {
        update_reading(stream);
    }
}

static void on_task(void *arg) {
    struct stream *stream = arg;
    if (!stream->closing) deliver(stream);
}

/* ---- from the transport --------------------------------------------------------------------- */

void stream_opened(struct stream *stream, bool announce) {
    stream->opened = true;
    stream->open_announced = !announce;
    if (stream->output.len > 0) stream->ops->flush(stream);
    if (announce) {
        deliver(stream);
    } else {
        update_reading(stream);
    }
}

static void give_back_input(struct stream *stream) {
    mem_free(stream->input);
    stream->input = NULL;
    stream->input_capacity = stream->input_start = stream->input_end = 0;
}

/* A transport that fills the whole space has more: a bigger buffer saves it calls. */
static size_t first_capacity(const struct stream *stream) {
    if (!stream->filled_up) return INPUT_FIRST_CAPACITY;
    return stream->read_limit < INPUT_BULK_CAPACITY ? INPUT_FIRST_CAPACITY : INPUT_BULK_CAPACITY;
}

uint8_t *stream_input_space(struct stream *stream, size_t *len) {
    if (stream->input_start == stream->input_end) {
        stream->input_start = 0;
        stream->input_end = 0;
        if (stream->input_capacity < first_capacity(stream)) give_back_input(stream);
    }
    if (stream->input_capacity - stream->input_end < INPUT_MIN_SPACE && stream->input_start > 0) {
        memmove(stream->input, stream->input + stream->input_start, unread(stream));
        stream->input_end = unread(stream);
        stream->input_start = 0;
    }
    if (stream->input_capacity - stream->input_end < INPUT_MIN_SPACE) {
        size_t capacity =
            stream->input_capacity > 0 ? stream->input_capacity * 2 : first_capacity(stream);
        stream->input = mem_realloc(stream->input, capacity);
        stream->input_capacity = capacity;
    }
    *len = stream->input_capacity - stream->input_end;
    return stream->input + stream->input_end;
}

void stream_received(struct stream *stream, size_t len) {
    if (stream->closing || len == 0) return;
    assert(len <= stream->input_capacity - stream->input_end);
    stream->input_end += len;
    stream->filled_up |= stream->input_end == stream->input_capacity;
    stream->unannounced = true;
    /* With a task queued (a hand-over, a resume) the announcement comes from there. */
    if (!stream->task.queued) deliver(stream);
}

void stream_sent(struct stream *stream) {
    if (stream->output.len == 0 && stream->output.capacity > KEPT_CAPACITY) {
        buf_deinit(&stream->output);
    }
    if (stream->closing) return;
    if (stream->above_high && stream_pending(stream) < STREAM_LOW_WATERMARK) {
        stream->above_high = false;
        stream->drained = true;
        env_post(stream->env, &stream->task);
    }
}

void stream_ended(struct stream *stream, enum status reason) {
    if (stream->closing || (stream->ended && stream->end_reason != STATUS_CLOSED)) return;
    stream->ended = true;
    stream->end_reason = reason;
    if (stream->reading) {
        stream->reading = false;
        stream->ops->read(stream, false);
    }
    env_post(stream->env, &stream->task);
}

/* ---- from the owner ------------------------------------------------------------------------- */

void stream_set_handler(struct stream *stream, const struct stream_handler *handler, void *arg) {
    stream->handler = *handler;
    stream->arg = arg;
    stream->paused = false;
    if (unread(stream) > 0) stream->unannounced = true;
    if (stream->unannounced || stream->ended) env_post(stream->env, &stream->task);
}

struct slice stream_input(const struct stream *stream) {
    if (unread(stream) == 0) return SLICE_EMPTY;
    return slice_of(stream->input + stream->input_start, unread(stream));
}

void stream_consume(struct stream *stream, size_t len) {
    assert(len <= unread(stream));
    stream->input_start += len;
    if (unread(stream) == 0) {
        stream->unannounced = false;
        if (stream->input_capacity > KEPT_CAPACITY && !stream->delivering) {
            give_back_input(stream);
        }
        /* The end may have waited for this input to be announced. */
        if (stream->ended) env_post(stream->env, &stream->task);
    }
    update_reading(stream);
}

void stream_set_read_limit(struct stream *stream, size_t limit_bytes) {
    stream->read_limit = limit_bytes;
    update_reading(stream);
}

void stream_pause(struct stream *stream) { stream->paused = true; }

void stream_resume(struct stream *stream) {
    stream->paused = false;
    if (unread(stream) > 0) stream->unannounced = true;
    if (stream->unannounced || stream->ended) env_post(stream->env, &stream->task);
}

void stream_write(struct stream *stream, struct slice data) {
    if (stream->closing || data.len == 0) return;
    /* Nobody will read it; on_close is on its way. */
    if (stream->ended && stream->end_reason != STATUS_CLOSED) return;
    bool was_empty = stream->output.len == 0;
    buf_append_slice(&stream->output, data);
    if (!stream_writable(stream)) stream->above_high = true;
    if (was_empty && stream->opened) stream->ops->flush(stream);
}

size_t stream_pending(const struct stream *stream) {
    return stream->output.len + stream->in_flight;
}

bool stream_writable(const struct stream *stream) {
    return stream_pending(stream) < STREAM_HIGH_WATERMARK;
}

static void close_by_owner(struct stream *stream, bool at_once) {
    if (stream->closing) return;
    stream->closing = true;
    env_unpost(stream->env, &stream->task);
    stream->ops->close(stream, at_once || !stream->opened);
}

void stream_close(struct stream *stream) {
    if (stream != NULL) close_by_owner(stream, false);
}

void stream_abort(struct stream *stream) {
    if (stream != NULL) close_by_owner(stream, true);
}
