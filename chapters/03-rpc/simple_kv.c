/* simple_kv.c - the handlers of simple_kv.h: unpack, do it on the engine, pack.
 * Must not know frames or connections. */
#include "simple_kv.h"

#include "mem.h"

struct simple_kv {
    struct env *env;
    struct engine *engine;
    struct rpc_call **unsynced; /* writes of this turn, to be answered when they are durable */
    size_t unsynced_count, unsynced_capacity;
    struct env_turn_hook hook;
};

/* A request that is too large for this has not fitted into a frame either. */
enum { REQUEST_MEMORY = 2 * FRAME_PAYLOAD_LIMIT_DEFAULT };

static void reply_error(struct rpc_call *call, enum status status, const char *message) {
    struct error error;
    (void)error_set(&error, status, "%s", message);
    rpc_reply_error(call, &error);
}

const SimpleKvRequest *simple_kv_unpack(struct rpc_call *call, struct slice payload,
                                        struct arena *arena) {
    arena_init(arena, REQUEST_MEMORY);
    const SimpleKvRequest *request =
        (const SimpleKvRequest *)rpc_unpack(&simple_kv_request__descriptor, payload, arena);
    if (request && request->key.len <= WRITE_KEY_MAX) return request;
    reply_error(call, STATUS_INVALID, request ? "key too long" : "malformed request");
    arena_deinit(arena);
    return NULL;
}

/* ---- reading -------------------------------------------------------------------------------- */

void simple_kv_get(void *arg, struct rpc_call *call, struct slice payload) {
    struct simple_kv *kv = arg;
    struct arena arena;
    const SimpleKvRequest *request = simple_kv_unpack(call, payload, &arena);
    if (!request) return;
    struct buf value = BUF_INIT;
    struct error error;
    enum status status = engine_get(kv->engine, NULL, rpc_slice(request->key), 0, &value, &error);
    if (status == STATUS_NOT_FOUND) {
        reply_error(call, STATUS_NOT_FOUND, "no such key");
    } else if (status != STATUS_OK) {
        rpc_reply_error(call, &error);
    } else {
        SimpleKvPair pair = SIMPLE_KV_PAIR__INIT;
        SimpleKvPair *pairs[] = {&pair};
        SimpleKvReply reply = SIMPLE_KV_REPLY__INIT;
        pair.key = request->key;
        pair.value = rpc_bytes(buf_slice(&value));
        reply.pairs = pairs;
        reply.n_pairs = 1;
        rpc_reply_message(call, &reply.base);
    }
    buf_deinit(&value);
    arena_deinit(&arena);
}

static SimpleKvPair *copy_pair(struct arena *arena, const struct engine_iterator *it) {
    SimpleKvPair *pair = ARENA_NEW(arena, SimpleKvPair);
    simple_kv_pair__init(pair);
    pair->key = rpc_bytes(arena_dup_slice(arena, engine_iterator_key(it)));
    pair->value = rpc_bytes(arena_dup_slice(arena, engine_iterator_value(it)));
    return pair;
}

void simple_kv_scan(void *arg, struct rpc_call *call, struct slice payload) {
    struct simple_kv *kv = arg;
    struct arena arena;
    const SimpleKvRequest *request = simple_kv_unpack(call, payload, &arena);
    if (!request) return;
    size_t limit = SIMPLE_KV_SCAN_LIMIT;
    if (request->limit > 0 && request->limit < limit) limit = request->limit;
    SimpleKvReply reply = SIMPLE_KV_REPLY__INIT;
    reply.pairs = ARENA_ARRAY(&arena, SimpleKvPair *, limit);
    struct engine_iterator_options options = {.lower = rpc_slice(request->key),
                                              .upper = rpc_slice(request->end)};
    struct engine_iterator *it = engine_iterator_new(kv->engine, &options);
    bool valid = engine_iterator_seek_first(it);
    while (valid && reply.n_pairs < limit && !arena.over_budget) {
        reply.pairs[reply.n_pairs++] = copy_pair(&arena, it);
        valid = engine_iterator_next(it);
    }
    reply.more = valid;
    struct error error;
    if (!valid && engine_iterator_status(it, &error) != STATUS_OK)
        rpc_reply_error(call, &error);
    else
        rpc_reply_message(call, &reply.base);
    engine_iterator_free(it);
    arena_deinit(&arena);
}

/* ---- writing -------------------------------------------------------------------------------- */

static void answer_when_durable(struct simple_kv *kv, struct rpc_call *call) {
    if (kv->unsynced_count == kv->unsynced_capacity) {
        kv->unsynced_capacity = kv->unsynced_capacity ? kv->unsynced_capacity * 2 : 64;
        kv->unsynced = mem_realloc(kv->unsynced, kv->unsynced_capacity * sizeof(struct rpc_call *));
    }
    kv->unsynced[kv->unsynced_count++] = call;
}

static void write_one(struct simple_kv *kv, struct rpc_call *call, struct slice payload,
                      bool deletes) {
    struct arena arena;
    const SimpleKvRequest *request = simple_kv_unpack(call, payload, &arena);
    if (!request) return;
    struct write_batch batch;
    write_batch_init(&batch);
    if (deletes)
        write_batch_delete(&batch, rpc_slice(request->key));
    else
        write_batch_put(&batch, rpc_slice(request->key), rpc_slice(request->value));
    struct error error;
    if (engine_write(kv->engine, &batch, &error) == STATUS_OK)
        answer_when_durable(kv, call);
    else
        rpc_reply_error(call, &error);
    write_batch_deinit(&batch);
    arena_deinit(&arena);
}

static void on_put(void *arg, struct rpc_call *call, struct slice payload) {
    write_one(arg, call, payload, false);
}

static void on_delete(void *arg, struct rpc_call *call, struct slice payload) {
    write_one(arg, call, payload, true);
}

/* Group commit: one sync for all writes of the turn. It waits for the disk with the loop standing
 * still, which one machine's store can afford; chapter 05 moves it to a lane. */
static void on_turn_end(void *arg) {
    struct simple_kv *kv = arg;
    if (kv->unsynced_count == 0) return;
    struct error error;
    if (engine_sync(kv->engine, &error) != STATUS_OK) {
        env_fatal(kv->env, "cannot make writes durable: %s", error.message);
        return;
    }
    for (size_t i = 0; i < kv->unsynced_count; i++)
        rpc_reply(kv->unsynced[i], SLICE_EMPTY);
    kv->unsynced_count = 0;
}

/* ---- lifetime ------------------------------------------------------------------------------- */

struct simple_kv *simple_kv_new(struct env *env, struct engine *engine, struct rpc_server *server) {
    struct simple_kv *kv = MEM_NEW(struct simple_kv);
    kv->env = env;
    kv->engine = engine;
    const struct rpc_method methods[] = {
        {SIMPLE_KV_METHOD__SIMPLE_KV_GET, "get", simple_kv_get, NULL, kv},
        {SIMPLE_KV_METHOD__SIMPLE_KV_PUT, "put", on_put, NULL, kv},
        {SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, "delete", on_delete, NULL, kv},
        {SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, "scan", simple_kv_scan, NULL, kv},
    };
    for (size_t i = 0; server && i < ARRAY_LEN(methods); i++)
        rpc_server_register(server, &methods[i]);
    kv->hook = (struct env_turn_hook){.callback = on_turn_end, .arg = kv, .order = TURN_REPLY};
    env_turn_hook_add(env, &kv->hook);
    return kv;
}

void simple_kv_free(struct simple_kv *kv) {
    if (!kv) return;
    env_turn_hook_remove(kv->env, &kv->hook);
    struct error error;
    (void)error_set(&error, STATUS_UNKNOWN_OUTCOME,
                    "the node stopped before the write was durable");
    for (size_t i = 0; i < kv->unsynced_count; i++)
        rpc_reply_error(kv->unsynced[i], &error);
    mem_free(kv->unsynced);
    mem_free(kv);
}
