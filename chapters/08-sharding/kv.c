/* kv.c - the kv that is this node's store, and waiting for a call on a coroutine.
 *
 * Routing to other nodes is in kv_router.c. */
#include "kv.h"

#include <assert.h>

#include "co.h"
#include "mem.h"
#include "store.h"

/* ---- local ---------------------------------------------------------------------------------- */

struct kv_local {
    struct kv kv;
    struct store *store;
};

static void local_done(void *arg, const struct store_result *result) {
    struct kv_call *call = arg;
    call->done(call, result->status, result->reply, result->error);
}

static void local_start(struct kv *kv, struct kv_call *call) {
    struct kv_local *local = CONTAINER_OF(kv, struct kv_local, kv);
    store_execute(local->store, call->command, call->payload, &call->request, local_done, call);
}

struct kv *kv_local_new(struct store *store) {
    static const struct kv_ops ops = {.start = local_start};
    struct kv_local *local = MEM_NEW(struct kv_local);
    local->kv.ops = &ops;
    local->store = store;
    return &local->kv;
}

void kv_local_free(struct kv *kv) {
    if (kv != NULL) mem_free(CONTAINER_OF(kv, struct kv_local, kv));
}

/* ---- on a coroutine ------------------------------------------------------------------------- */

/* Lives until the call is done, even if the coroutine has left: calls cannot be taken back. */
struct awaited_call {
    struct kv_call call;
    struct cancel_token cancel; /* passes the coroutine's cancellation on to who waits for us */
    struct cancel_waiter from_request;
    struct cancel_token *request_cancel;
    struct co *waiter; /* NULL: it has left */
    bool leaving, done;
    enum status status;
    struct buf *reply;
    struct error *error;
    void *payload; /* our copy, once the coroutine has left */
};

static void request_cancelled(struct cancel_waiter *waiter) {
    struct awaited_call *awaited = CONTAINER_OF(waiter, struct awaited_call, from_request);
    cancel_token_cancel(&awaited->cancel);
}

static void awaited_free(struct awaited_call *awaited) {
    mem_free(awaited->payload);
    mem_free(awaited);
}

static void awaited_done(struct kv_call *call, enum status status, struct slice reply,
                         const struct error *error) {
    struct awaited_call *awaited = call->arg;
    awaited->done = true;
    awaited->status = status;
    if (awaited->waiter == NULL) {
        if (!awaited->leaving) awaited_free(awaited);
        return;
    }
    buf_clear(awaited->reply);
    if (status == STATUS_OK)
        buf_append_slice(awaited->reply, reply);
    else if (awaited->error != NULL)
        *awaited->error = *error;
    co_wake(awaited->waiter);
}

/* The coroutine leaves before the answer: what it lent is copied. */
static void leave(struct awaited_call *awaited) {
    cancel_token_unwait(awaited->request_cancel, &awaited->from_request);
    awaited->payload = mem_dup(awaited->call.payload.data, awaited->call.payload.len);
    awaited->call.payload.data = awaited->payload;
    awaited->waiter = NULL;
    awaited->leaving = true; /* the call may end inside */
    cancel_token_cancel(&awaited->cancel);
    awaited->leaving = false;
    if (awaited->done) awaited_free(awaited);
}

enum status kv_await(struct kv *kv, uint32_t command, struct slice payload, bool idempotent,
                     const struct request *request, struct buf *reply, struct error *error) {
    assert(co_self() != NULL);
    struct awaited_call *awaited = MEM_NEW(struct awaited_call);
    awaited->call = (struct kv_call){.command = command,
                                     .payload = payload,
                                     .idempotent = idempotent,
                                     .request = *request,
                                     .done = awaited_done,
                                     .arg = awaited};
    cancel_token_init(&awaited->cancel);
    awaited->call.request.cancel = &awaited->cancel;
    awaited->request_cancel = request->cancel;
    awaited->from_request.on_cancel = request_cancelled;
    awaited->waiter = co_self();
    awaited->reply = reply;
    awaited->error = error;
    cancel_token_wait(request->cancel, &awaited->from_request);
    kv_start(kv, &awaited->call);
    while (!awaited->done) {
        if (co_await() == STATUS_OK || awaited->done) continue;
        leave(awaited);
        return error_set(error, STATUS_CANCELLED, "cancelled while waiting for the leader");
    }
    enum status status = awaited->status;
    cancel_token_unwait(request->cancel, &awaited->from_request);
    awaited_free(awaited);
    return status;
}
