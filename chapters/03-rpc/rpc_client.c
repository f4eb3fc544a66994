/* rpc_client.c - the calling end: the connection that is kept up, and the calls made over it.
 * Must not know streams (rpc_link.c) or methods; repeats no call.
 *
 * A call is in one list at a time: `queued` (no connection has seen it), `sent` (a connection has),
 * `ending` (its failure is known; the callback runs in the next task, so that no callback runs
 * inside the function that made the call). */
#include "rpc_client.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "id_map.h"
#include "mem.h"
#include "retry.h"
#include "rpc_link.h"

struct pending_list {
    struct rpc_pending *first, *last;
};

struct rpc_pending {
    struct id_node node; /* in client->sent_by_id while in `sent` */
    struct rpc_client *client;
    struct pending_list *list;
    struct rpc_pending *next, *prev;
    rpc_callback callback;
    void *arg;
    uint64_t deadline_ns;
    struct env_timer timer;
    struct cancel_token *token;
    struct cancel_waiter waiter;
    enum status failure; /* while in `ending` */
    struct frame frame;  /* as it goes out; its payload is `payload` while queued */
    struct buf payload;  /* while queued */
};

struct rpc_client {
    struct rpc_context *context;
    struct rpc_client_options options;
    char *host;
    char *address;
    uint16_t port;

    struct rpc_link *link; /* NULL while waiting to dial again */
    bool ready;
    struct rpc_identity peer;
    struct error last_error;
    struct env_timer backoff;
    unsigned failures; /* in a row */
    struct prng prng;

    uint64_t last_id;
    size_t call_count;
    size_t queued_bytes;
    struct pending_list queued, sent, ending;
    struct id_map sent_by_id;
    struct rpc_pending *pool;
    struct env_task end_task;
    struct buf scratch;
    bool freeing;
};

struct rpc_client_options rpc_client_options_default(void) {
    return (struct rpc_client_options){
        .dial_timeout_ns = 2 * NS_PER_S,
        .backoff_min_ns = 20 * NS_PER_MS,
        .backoff_max_ns = NS_PER_S,
        .max_calls = 200000,
    };
}

/* ---- the lists ------------------------------------------------------------------------------ */

static void list_append(struct pending_list *list, struct rpc_pending *pending) {
    pending->list = list;
    pending->next = NULL;
    pending->prev = list->last;
    if (list->last)
        list->last->next = pending;
    else
        list->first = pending;
    list->last = pending;
}

static void list_remove(struct rpc_pending *pending) {
    struct pending_list *list = pending->list;
    if (pending->prev)
        pending->prev->next = pending->next;
    else
        list->first = pending->next;
    if (pending->next)
        pending->next->prev = pending->prev;
    else
        list->last = pending->prev;
    pending->list = NULL;
}

/* Out of its list, and out of what belongs to being there. */
static void take_out(struct rpc_pending *pending) {
    struct rpc_client *client = pending->client;
    if (pending->list == &client->sent) (void)id_map_remove(&client->sent_by_id, pending->node.id);
    if (pending->list == &client->queued) client->queued_bytes -= pending->payload.len;
    list_remove(pending);
}

/* ---- the end of a call ---------------------------------------------------------------------- */

static void pending_free(struct rpc_pending *pending) {
    struct rpc_client *client = pending->client;
    take_out(pending);
    env_timer_stop(&pending->timer);
    cancel_token_unwait(pending->token, &pending->waiter);
    buf_deinit(&pending->payload);
    pending->next = client->pool;
    client->pool = pending;
    client->call_count--;
}

/* The callback may free the client: nothing may be touched afterwards. */
static void finish(struct rpc_pending *pending, enum status status, struct slice reply,
                   const struct error *error) {
    rpc_callback callback = pending->callback;
    void *arg = pending->arg;
    if (status != STATUS_OK) counter_add(pending->client->context->calls_failed, 1);
    pending_free(pending);
    callback(arg, status, reply, error);
}

/* Decides the outcome now; the callback runs in a task. */
static void fail_later(struct rpc_pending *pending, enum status status) {
    struct rpc_client *client = pending->client;
    if (pending->list) take_out(pending);
    env_timer_stop(&pending->timer);
    cancel_token_unwait(pending->token, &pending->waiter);
    pending->failure = status;
    list_append(&client->ending, pending);
    env_post(client->context->env, &client->end_task);
}

static void describe_failure(const struct rpc_pending *pending, struct error *error) {
    const struct rpc_client *client = pending->client;
    const char *address = client->address;
    switch (pending->failure) {
    case STATUS_UNKNOWN_OUTCOME:
        (void)error_set(error, STATUS_UNKNOWN_OUTCOME, "no answer: %s", client->last_error.message);
        break;
    case STATUS_UNAVAILABLE:
        (void)error_set(error, STATUS_UNAVAILABLE, "%s", client->last_error.message);
        break;
    case STATUS_BUSY:
        (void)error_set(error, STATUS_BUSY, "too much is queued for %s", address);
        break;
    case STATUS_DEADLINE:
        (void)error_set(error, STATUS_DEADLINE, "no answer from %s before the deadline", address);
        break;
    case STATUS_TOO_LARGE:
        (void)error_set(error, STATUS_TOO_LARGE, "call to %s over the limit of %zu bytes", address,
                        client->context->payload_limit_bytes);
        break;
    default:
        (void)error_set(error, pending->failure, "%s", status_text(pending->failure));
        break;
    }
}

/* One a task: the callback may free the client, and with it the list. */
static void run_ending(void *arg) {
    struct rpc_client *client = arg;
    struct rpc_pending *pending = client->ending.first;
    if (!pending) return; /* rpc_cancel was faster */
    if (pending->next) env_post(client->context->env, &client->end_task);
    struct error error;
    describe_failure(pending, &error);
    finish(pending, pending->failure, SLICE_EMPTY, &error);
}

static void tell_cancelled(struct rpc_pending *pending) {
    struct rpc_client *client = pending->client;
    if (pending->list != &client->sent || !client->ready) return;
    struct frame frame = {.kind = FRAME_CANCEL, .request_id = pending->node.id};
    rpc_link_send(client->link, &frame, SLICE_EMPTY, SLICE_EMPTY);
}

void rpc_cancel(struct rpc_pending *pending) {
    tell_cancelled(pending);
    pending_free(pending);
}

static void on_deadline(void *arg) {
    struct rpc_pending *pending = arg;
    tell_cancelled(pending);
    fail_later(pending, STATUS_DEADLINE);
}

static void on_token(struct cancel_waiter *waiter) {
    struct rpc_pending *pending = CONTAINER_OF(waiter, struct rpc_pending, waiter);
    tell_cancelled(pending);
    fail_later(pending, STATUS_CANCELLED);
}

/* ---- making calls --------------------------------------------------------------------------- */

static struct rpc_pending *pending_new(struct rpc_client *client) {
    struct rpc_pending *pending = client->pool;
    if (pending)
        client->pool = pending->next;
    else
        pending = mem_alloc(sizeof *pending);
    *pending = (struct rpc_pending){.client = client, .node = {.id = ++client->last_id}};
    env_timer_init(&pending->timer, on_deadline, pending);
    pending->waiter.on_cancel = on_token;
    client->call_count++;
    return pending;
}

/* What is left of the caller's time, rounded up: 0 would say "no deadline". */
static uint32_t timeout_ms_left(uint64_t deadline_ns, uint64_t now_ns) {
    if (deadline_ns == REQUEST_NO_DEADLINE) return 0;
    if (deadline_ns <= now_ns) return 1;
    uint64_t left_ms = (deadline_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
    return left_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)left_ms;
}

static void transmit(struct rpc_pending *pending, struct slice payload) {
    struct rpc_client *client = pending->client;
    if (pending->deadline_ns != REQUEST_NO_DEADLINE)
        pending->frame.timeout_ms =
            timeout_ms_left(pending->deadline_ns, env_now_ns(client->context->env));
    rpc_link_send(client->link, &pending->frame, payload, SLICE_EMPTY);
    (void)id_map_put(&client->sent_by_id, &pending->node);
    list_append(&client->sent, pending);
}

/* Whether a call of this size may be taken on now; OK or why not. */
static enum status admit(const struct rpc_client *client, const struct rpc_pending *pending,
                         size_t payload_len) {
    const struct rpc_context *context = client->context;
    if (payload_len > context->payload_limit_bytes) return STATUS_TOO_LARGE;
    if (pending->token && pending->token->cancelled) return STATUS_CANCELLED;
    if (pending->deadline_ns != REQUEST_NO_DEADLINE &&
        pending->deadline_ns <= env_now_ns(context->env))
        return STATUS_DEADLINE;
    if (client->call_count > client->options.max_calls) return STATUS_BUSY;
    if (client->ready)
        return rpc_link_pending(client->link) > context->output_limit_bytes ? STATUS_BUSY
                                                                            : STATUS_OK;
    if (!client->link && !client->options.wait_for_ready) return STATUS_UNAVAILABLE;
    return client->queued_bytes + payload_len > context->output_limit_bytes ? STATUS_BUSY
                                                                            : STATUS_OK;
}

struct rpc_pending *rpc_call(struct rpc_client *client, uint32_t method, struct slice payload,
                             const struct request *request, rpc_callback callback, void *arg) {
    assert(!client->freeing);
    struct rpc_pending *pending = pending_new(client);
    pending->callback = callback;
    pending->arg = arg;
    pending->deadline_ns = request ? request->deadline_ns : REQUEST_NO_DEADLINE;
    pending->token = request ? request->cancel : NULL;
    pending->frame = (struct frame){
        .kind = FRAME_REQUEST,
        .flags = (uint8_t)(request ? request->priority : PRIORITY_NORMAL),
        .method = method,
        .request_id = pending->node.id,
        .trace_id = request ? request->trace_id : 0,
    };
    enum status status = admit(client, pending, payload.len);
    if (status != STATUS_OK) {
        fail_later(pending, status);
        return pending;
    }
    if (client->ready) {
        transmit(pending, payload);
    } else {
        buf_append_slice(&pending->payload, payload);
        client->queued_bytes += payload.len;
        list_append(&client->queued, pending);
    }
    cancel_token_wait(pending->token, &pending->waiter);
    if (pending->deadline_ns != REQUEST_NO_DEADLINE)
        env_timer_start(client->context->env, &pending->timer, pending->deadline_ns);
    return pending;
}

struct rpc_pending *rpc_call_message(struct rpc_client *client, uint32_t method,
                                     const ProtobufCMessage *payload, const struct request *request,
                                     rpc_callback callback, void *arg) {
    buf_clear(&client->scratch);
    rpc_pack(&client->scratch, payload);
    return rpc_call(client, method, buf_slice(&client->scratch), request, callback, arg);
}

bool rpc_send2(struct rpc_client *client, uint32_t method, struct slice head, struct slice tail) {
    const struct rpc_context *context = client->context;
    if (!client->ready || head.len + tail.len > context->payload_limit_bytes ||
        rpc_link_pending(client->link) > context->output_limit_bytes) {
        counter_add(context->messages_dropped, 1);
        return false;
    }
    struct frame frame = {.kind = FRAME_MESSAGE, .method = method};
    rpc_link_send(client->link, &frame, head, tail);
    return true;
}

bool rpc_send(struct rpc_client *client, uint32_t method, struct slice payload) {
    return rpc_send2(client, method, payload, SLICE_EMPTY);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void on_frame(void *arg, const struct frame *frame) {
    struct rpc_client *client = arg;
    if (frame->kind != FRAME_REPLY && frame->kind != FRAME_ERROR) return; /* nothing else is ours */
    struct id_node *node = id_map_get(&client->sent_by_id, frame->request_id);
    if (!node) return; /* cancelled, or past its deadline */
    struct rpc_pending *pending = CONTAINER_OF(node, struct rpc_pending, node);
    if (frame->kind == FRAME_REPLY) {
        finish(pending, STATUS_OK, frame->payload, NULL);
        return;
    }
    struct error error;
    rpc_error_unpack(frame->payload, &error);
    finish(pending, error.status, SLICE_EMPTY, &error);
}

static void on_ready(void *arg, const struct rpc_identity *peer) {
    struct rpc_client *client = arg;
    client->ready = true;
    client->failures = 0;
    client->peer = *peer;
    client->last_error = (struct error){0};
    while (client->queued.first) {
        struct rpc_pending *pending = client->queued.first;
        struct buf payload = pending->payload;
        take_out(pending);
        pending->payload = BUF_INIT;
        transmit(pending, buf_slice(&payload));
        buf_deinit(&payload);
    }
    if (client->options.on_state)
        client->options.on_state(client->options.on_state_arg, client, &client->peer, NULL);
}

/* Jitter on the upper half only: connections are dialled again for ever, so a wait must not be so
 * short that the waits add up to a flood. */
static uint64_t next_backoff_ns(struct rpc_client *client) {
    const struct rpc_client_options *options = &client->options;
    uint64_t ceiling_ns =
        backoff_ceiling_ns(options->backoff_min_ns, options->backoff_max_ns, client->failures++);
    return prng_between(&client->prng, ceiling_ns / 2, ceiling_ns);
}

static void fail_all(struct pending_list *list, enum status status) {
    while (list->first)
        fail_later(list->first, status);
}

static void on_close(void *arg, const struct error *reason) {
    struct rpc_client *client = arg;
    bool was_ready = client->ready;
    client->link = NULL;
    client->ready = false;
    client->last_error = *reason;
    fail_all(&client->sent, STATUS_UNKNOWN_OUTCOME);
    if (!client->options.wait_for_ready) fail_all(&client->queued, STATUS_UNAVAILABLE);
    struct env *env = client->context->env;
    env_timer_start(env, &client->backoff, env_now_ns(env) + next_backoff_ns(client));
    if (was_ready && client->options.on_state)
        client->options.on_state(client->options.on_state_arg, client, NULL, &client->last_error);
}

static const struct rpc_link_handler link_handler = {on_ready, on_frame, on_close};

static void dial(void *arg) {
    struct rpc_client *client = arg;
    client->link = rpc_link_dial(client->context, client->host, client->port,
                                 client->options.dial_timeout_ns, &link_handler, client);
}

/* ---- lifetime ------------------------------------------------------------------------------- */

struct rpc_client *rpc_client_new(struct rpc_context *context, const char *host, uint16_t port,
                                  const struct rpc_client_options *options) {
    struct rpc_client *client = MEM_NEW(struct rpc_client);
    client->context = context;
    client->options = options ? *options : rpc_client_options_default();
    client->host = mem_strdup(host);
    client->port = port;
    size_t size = strlen(host) + sizeof ":65535";
    client->address = mem_alloc(size);
    (void)snprintf(client->address, size, "%s:%u", host, (unsigned)port);
    env_random(context->env, client->address, &client->prng);
    env_timer_init(&client->backoff, dial, client);
    client->end_task.callback = run_ending;
    client->end_task.arg = client;
    dial(client);
    return client;
}

void rpc_client_free(struct rpc_client *client) {
    if (!client) return;
    client->freeing = true;
    client->ready = false;
    env_timer_stop(&client->backoff);
    if (client->link) rpc_link_close(client->link);
    fail_all(&client->sent, STATUS_CANCELLED);
    fail_all(&client->queued, STATUS_CANCELLED);
    env_unpost(client->context->env, &client->end_task);
    while (client->ending.first) {
        struct error error;
        describe_failure(client->ending.first, &error);
        finish(client->ending.first, client->ending.first->failure, SLICE_EMPTY, &error);
    }
    while (client->pool) {
        struct rpc_pending *next = client->pool->next;
        mem_free(client->pool);
        client->pool = next;
    }
    id_map_deinit(&client->sent_by_id);
    buf_deinit(&client->scratch);
    mem_free(client->address);
    mem_free(client->host);
    mem_free(client);
}

bool rpc_client_connected(const struct rpc_client *client) { return client->ready; }
const struct rpc_identity *rpc_client_peer(const struct rpc_client *client) {
    return client->ready ? &client->peer : NULL;
}
const char *rpc_client_address(const struct rpc_client *client) { return client->address; }
size_t rpc_client_calls(const struct rpc_client *client) { return client->call_count; }
const struct error *rpc_client_last_error(const struct rpc_client *client) {
    return &client->last_error;
}
