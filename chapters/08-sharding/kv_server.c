/* kv_server.c - commands that arrive from other nodes: unpacked, given to the store, answered. */
#include "kv_router.h"
#include "store.pb-c.h"

static void on_result(void *arg, const struct store_result *result) {
    struct rpc_call *call = arg;
    Cairn__StoreExecuteReply reply = CAIRN__STORE_EXECUTE_REPLY__INIT;
    if (result->status == STATUS_OK) {
        reply.reply = rpc_bytes(result->reply);
        rpc_reply_message(call, &reply.base);
    } else if (result->status == STATUS_NOT_LEADER) {
        reply.not_leader = true;
        reply.leader = result->leader;
        rpc_reply_message(call, &reply.base);
    } else {
        rpc_reply_error(call, result->error);
    }
}

static void on_call(void *arg, struct rpc_call *call, struct slice payload) {
    struct store *store = arg;
    struct arena arena;
    arena_init(&arena, 0);
    Cairn__StoreExecute *execute =
        (Cairn__StoreExecute *)rpc_unpack(&cairn__store_execute__descriptor, payload, &arena);
    if (execute == NULL) {
        struct error error;
        error_set(&error, STATUS_INVALID, "malformed command");
        rpc_reply_error(call, &error);
    } else {
        store_execute(store, execute->command, rpc_slice(execute->payload), rpc_call_request(call),
                      on_result, call);
    }
    arena_deinit(&arena);
}

void kv_server_register(struct rpc_server *server, struct store *store) {
    struct rpc_method method = {
        .id = METHOD_STORE_EXECUTE, .name = "store_execute", .on_call = on_call, .arg = store};
    rpc_server_register(server, &method);
}
