/* replicated_kv.c - the smallest state machine there is: an entry is a write batch. */
#include "replicated_kv.h"

#include "mem.h"
#include "redirect.h"
#include "simple_kv.pb-c.h"

enum { SCAN_LIMIT = 1000, REQUEST_BUDGET = 64 * 1024 * 1024 };

/* Data keys lie above the replica's own (REPLICA_LOCAL_KEYS_END). */
static const uint8_t data_prefix = 0x30;

struct replicated_kv {
    struct engine *engine;
    const struct node_state *members;
    struct replicator *replicator;
};

/* A call until its answer. */
struct kv_request {
    struct replicated_kv *kv;
    struct rpc_call *call;
    uint32_t method;
    struct arena arena;
    SimpleKvRequest *message;
    struct write_batch batch;
    struct proposal proposal;
    struct read_barrier barrier;
};

/* ---- the state machine ----------------------------------------------------------------------- */

static enum status apply(void *self, const struct applied_entry *entry, struct write_batch *batch,
                         struct error *error) {
    (void)self;
    return write_batch_append_encoded(batch, entry->payload, error);
}

static void applied(void *self, uint64_t index) {
    (void)self;
    (void)index;
}

static void on_leader(void *self, bool leads, uint64_t term) {
    (void)self;
    (void)leads;
    (void)term;
}

const struct state_machine_ops replicated_kv_machine = {
    .apply = apply, .applied = applied, .on_leader = on_leader, .restored = applied};

/* ---- answers --------------------------------------------------------------------------------- */

static void finish(struct kv_request *request, const SimpleKvReply *reply,
                   const struct error *error) {
    if (reply != NULL) {
        rpc_reply_message(request->call, &reply->base);
    } else {
        rpc_reply_error(request->call, error);
    }
    write_batch_deinit(&request->batch);
    arena_deinit(&request->arena);
    mem_free(request);
}

static void fail(struct kv_request *request, enum status status) {
    struct error error;
    uint64_t leader = 0;
    request->kv->replicator->ops->leads(request->kv->replicator, &leader);
    const struct member *member = node_state_member(request->kv->members, leader);
    if (status == STATUS_NOT_LEADER && member != NULL) {
        redirect_set(&error, leader, member->address);
    } else {
        error_set(&error, status, "%s", status_text(status));
    }
    finish(request, NULL, &error);
}

static void put_key(struct buf *out, ProtobufCBinaryData key) {
    buf_append_byte(out, data_prefix);
    buf_append(out, key.data, key.len);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void on_proposed(struct proposal *proposal, enum status status, uint64_t index) {
    SimpleKvReply reply = SIMPLE_KV_REPLY__INIT;
    (void)index;
    if (status == STATUS_OK) {
        finish(proposal->arg, &reply, NULL);
    } else {
        fail(proposal->arg, status);
    }
}

static void start_write(struct kv_request *request) {
    struct buf key = BUF_INIT;
    put_key(&key, request->message->key);
    if (request->method == SIMPLE_KV_METHOD__SIMPLE_KV_PUT) {
        write_batch_put(&request->batch, buf_slice(&key), rpc_slice(request->message->value));
    } else {
        write_batch_delete(&request->batch, buf_slice(&key));
    }
    buf_deinit(&key);
    request->proposal.payload = write_batch_encoded(&request->batch);
    request->proposal.done = on_proposed;
    request->proposal.arg = request;
    request->kv->replicator->ops->propose(request->kv->replicator, &request->proposal);
}

/* ---- reading --------------------------------------------------------------------------------- */

static SimpleKvPair *new_pair(struct arena *arena, struct slice key, struct slice value) {
    SimpleKvPair *pair = ARENA_NEW(arena, SimpleKvPair);
    simple_kv_pair__init(pair);
    pair->key = rpc_bytes(arena_dup_slice(arena, key));
    pair->value = rpc_bytes(arena_dup_slice(arena, value));
    return pair;
}

static void answer_get(struct kv_request *request) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    struct error error;
    SimpleKvReply reply = SIMPLE_KV_REPLY__INIT;
    SimpleKvPair *pairs[1];
    put_key(&key, request->message->key);
    enum status status = engine_get(request->kv->engine, NULL, buf_slice(&key), 0, &value, &error);
    if (status == STATUS_NOT_FOUND) error_set(&error, status, "no such key");
    pairs[0] = new_pair(&request->arena, rpc_slice(request->message->key), buf_slice(&value));
    reply.pairs = pairs;
    reply.n_pairs = 1;
    finish(request, status == STATUS_OK ? &reply : NULL, &error);
    buf_deinit(&key);
    buf_deinit(&value);
}

static void answer_scan(struct kv_request *request) {
    struct buf lower = BUF_INIT;
    struct buf upper = BUF_INIT;
    struct error error;
    SimpleKvReply reply = SIMPLE_KV_REPLY__INIT;
    uint32_t limit = request->message->limit;
    if (limit == 0 || limit > SCAN_LIMIT) limit = SCAN_LIMIT;
    reply.pairs = ARENA_ARRAY(&request->arena, SimpleKvPair *, limit);
    put_key(&lower, request->message->key);
    put_key(&upper, request->message->end);
    if (request->message->end.len == 0) upper.data[0]++;
    struct engine_iterator_options bounds = {.lower = buf_slice(&lower),
                                             .upper = buf_slice(&upper)};
    struct engine_iterator *it = engine_iterator_new(request->kv->engine, &bounds);
    bool valid = engine_iterator_seek_first(it);
    for (; valid && reply.n_pairs < limit; valid = engine_iterator_next(it)) {
        reply.pairs[reply.n_pairs++] = new_pair(
            &request->arena, slice_from(engine_iterator_key(it), 1), engine_iterator_value(it));
    }
    reply.more = valid;
    enum status status = valid ? STATUS_OK : engine_iterator_status(it, &error);
    engine_iterator_free(it);
    buf_deinit(&lower);
    buf_deinit(&upper);
    finish(request, status == STATUS_OK ? &reply : NULL, &error);
}

static void on_barrier(struct read_barrier *barrier, enum status status) {
    struct kv_request *request = barrier->arg;
    if (status != STATUS_OK) {
        fail(request, status);
    } else if (request->method == SIMPLE_KV_METHOD__SIMPLE_KV_GET) {
        answer_get(request);
    } else {
        answer_scan(request);
    }
}

static void start_read(struct kv_request *request) {
    request->barrier.done = on_barrier;
    request->barrier.arg = request;
    request->kv->replicator->ops->read_barrier(request->kv->replicator, &request->barrier);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void on_call(struct replicated_kv *kv, struct rpc_call *call, uint32_t method,
                    struct slice payload) {
    struct kv_request *request = MEM_NEW(struct kv_request);
    struct error error;
    request->kv = kv;
    request->call = call;
    request->method = method;
    write_batch_init(&request->batch);
    arena_init(&request->arena, REQUEST_BUDGET);
    request->message =
        (SimpleKvRequest *)rpc_unpack(&simple_kv_request__descriptor, payload, &request->arena);
    if (request->message == NULL || request->message->key.len >= WRITE_KEY_MAX) {
        error_set(&error, STATUS_INVALID, "malformed request, or too long a key");
        finish(request, NULL, &error);
    } else if (method == SIMPLE_KV_METHOD__SIMPLE_KV_PUT ||
               method == SIMPLE_KV_METHOD__SIMPLE_KV_DELETE) {
        start_write(request);
    } else {
        start_read(request);
    }
}

static void on_get(void *arg, struct rpc_call *call, struct slice payload) {
    on_call(arg, call, SIMPLE_KV_METHOD__SIMPLE_KV_GET, payload);
}

static void on_put(void *arg, struct rpc_call *call, struct slice payload) {
    on_call(arg, call, SIMPLE_KV_METHOD__SIMPLE_KV_PUT, payload);
}

static void on_delete(void *arg, struct rpc_call *call, struct slice payload) {
    on_call(arg, call, SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, payload);
}

static void on_scan(void *arg, struct rpc_call *call, struct slice payload) {
    on_call(arg, call, SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, payload);
}

struct replicated_kv *replicated_kv_new(struct engine *engine, const struct node_state *members) {
    struct replicated_kv *kv = MEM_NEW(struct replicated_kv);
    kv->engine = engine;
    kv->members = members;
    return kv;
}

void replicated_kv_free(struct replicated_kv *kv) { mem_free(kv); }

void replicated_kv_serve(struct replicated_kv *kv, struct replicator *replicator,
                         struct rpc_server *server) {
    const struct rpc_method methods[] = {
        {.id = SIMPLE_KV_METHOD__SIMPLE_KV_GET, .name = "get", .on_call = on_get, .arg = kv},
        {.id = SIMPLE_KV_METHOD__SIMPLE_KV_PUT, .name = "put", .on_call = on_put, .arg = kv},
        {.id = SIMPLE_KV_METHOD__SIMPLE_KV_DELETE,
         .name = "delete",
         .on_call = on_delete,
         .arg = kv},
        {.id = SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, .name = "scan", .on_call = on_scan, .arg = kv},
    };
    kv->replicator = replicator;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        rpc_server_register(server, &methods[i]);
}
