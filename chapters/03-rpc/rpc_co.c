/* rpc_co.c - a call as straight-line code: rpc_call for coroutines. Nothing else of RPC may
 * suspend. */
#include <assert.h>

#include "co.h"
#include "rpc_client.h"

struct awaited_call {
    struct co *co;
    bool done;
    enum status status;
    struct buf *reply;
    struct error *error;
};

static void on_answer(void *arg, enum status status, struct slice reply,
                      const struct error *error) {
    struct awaited_call *call = arg;
    call->done = true;
    call->status = status;
    if (status == STATUS_OK)
        buf_append_slice(call->reply, reply);
    else if (call->error)
        *call->error = *error;
    co_wake(call->co);
}

enum status rpc_call_co(struct rpc_client *client, uint32_t method, struct slice payload,
                        const struct request *request, struct buf *reply, struct error *error) {
    struct awaited_call call = {.co = co_self(), .reply = reply, .error = error};
    assert(call.co);
    struct rpc_pending *pending = rpc_call(client, method, payload, request, on_answer, &call);
    while (!call.done) {
        if (co_await() == STATUS_OK) continue;
        if (call.done) break;
        rpc_cancel(pending);
        return error_set(error, STATUS_CANCELLED, "cancelled while waiting for an answer");
    }
    return call.status;
}
