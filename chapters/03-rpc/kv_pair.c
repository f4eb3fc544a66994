/* kv_pair.c - carries out the effects of primary_backup.h: engine, connections, clients, timer.
 * Must not decide anything about roles. */
#include "kv_pair.h"

#include <inttypes.h>

#include "mem.h"
#include "primary_backup.pb-c.h"
#include "redirect.h"
#include "rpc_client.h"

/* What waits for the sync at the end of the turn: a message to the other node, or an answer. */
struct outgoing {
    struct rpc_call *call; /* NULL: a message */
    enum status status;
    struct buf message;
};

struct kv_pair {
    struct rpc_context *rpc;
    struct engine *engine;
    struct simple_kv *kv; /* reads */
    struct primary_backup *pb;
    struct rpc_client *other; /* NULL: a primary that no backup has called yet */
    struct pb_effects effects;
    struct outgoing *outgoing;
    size_t outgoing_count, outgoing_capacity;
    bool unsynced;
    bool rival_said; /* in the log: once is enough */
    uint64_t tick_ns;
    struct env_timer timer;
    struct env_turn_hook hook;
};

static struct log *log_of(const struct kv_pair *pair) { return env_log(pair->rpc->env); }

static uint64_t now_ns(const struct kv_pair *pair) { return env_now_ns(pair->rpc->env); }

static const char *other_address(const struct kv_pair *pair) {
    return pair->other ? rpc_client_address(pair->other) : "";
}

/* ---- the store ------------------------------------------------------------------------------ */

/* OK, BUSY or NO_SPACE; a node whose engine is beyond use must stop. */
static enum status write_engine(struct kv_pair *pair, const struct write_batch *batch) {
    struct error error;
    enum status status = engine_write(pair->engine, batch, &error);
    if (status == STATUS_OK)
        pair->unsynced = true;
    else if (status != STATUS_BUSY && status != STATUS_NO_SPACE)
        env_fatal(pair->rpc->env, "cannot apply a write: %s", error.message);
    return status;
}

static enum status apply(struct kv_pair *pair, struct slice write) {
    struct error error;
    struct write_batch batch;
    write_batch_init(&batch);
    enum status status = write_batch_append_encoded(&batch, write, &error);
    if (status == STATUS_OK)
        status = write_engine(pair, &batch);
    else
        env_fatal(pair->rpc->env, "the other node sent a malformed write: %s", error.message);
    write_batch_deinit(&batch);
    return status;
}

/* Adds a put, or with `deletes` a deletion, of every key that is there. */
static void add_all(const struct kv_pair *pair, struct write_batch *batch, bool deletes) {
    const struct engine_iterator_options everything = {0};
    struct engine_iterator *it = engine_iterator_new(pair->engine, &everything);
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it)) {
        if (deletes)
            write_batch_delete(batch, engine_iterator_key(it));
        else
            write_batch_put(batch, engine_iterator_key(it), engine_iterator_value(it));
    }
    struct error error;
    if (engine_iterator_status(it, &error) != STATUS_OK)
        env_fatal(pair->rpc->env, "cannot read the store: %s", error.message);
    engine_iterator_free(it);
}

/* Everything that only this node had is gone afterwards, answered or not. */
static enum status load_copy(struct kv_pair *pair, struct slice copy) {
    struct error error;
    struct write_batch batch;
    write_batch_init(&batch);
    add_all(pair, &batch, true);
    size_t before = batch.count;
    enum status status = write_batch_append_encoded(&batch, copy, &error);
    if (status == STATUS_OK)
        status = write_engine(pair, &batch);
    else
        env_fatal(pair->rpc->env, "the other node sent a malformed copy: %s", error.message);
    if (status == STATUS_OK)
        log_info(log_of(pair), "pair", "copy loaded keys=%zu before=%zu", batch.count - before,
                 before);
    write_batch_deinit(&batch);
    return status;
}

/* ---- effects -------------------------------------------------------------------------------- */

static struct outgoing *queue(struct kv_pair *pair) {
    if (pair->outgoing_count == pair->outgoing_capacity) {
        pair->outgoing_capacity = pair->outgoing_capacity ? 2 * pair->outgoing_capacity : 64;
        pair->outgoing =
            mem_realloc(pair->outgoing, pair->outgoing_capacity * sizeof *pair->outgoing);
    }
    struct outgoing *outgoing = &pair->outgoing[pair->outgoing_count++];
    *outgoing = (struct outgoing){0};
    return outgoing;
}

static void queue_message(struct kv_pair *pair, const struct pb_message *message,
                          struct slice payload) {
    PrimaryBackupMessage packed = PRIMARY_BACKUP_MESSAGE__INIT;
    packed.kind = message->kind;
    packed.history = message->history;
    packed.position = message->position;
    packed.payload = rpc_bytes(payload);
    rpc_pack(&queue(pair)->message, &packed.base);
}

/* TOO_LARGE, and said, if it does not fit into a frame. */
static enum status queue_copy(struct kv_pair *pair, const struct pb_message *message) {
    struct write_batch batch;
    write_batch_init(&batch);
    add_all(pair, &batch, false);
    struct slice copy = write_batch_encoded(&batch);
    bool fits = copy.len + FRAME_HANDSHAKE_LIMIT <= pair->rpc->payload_limit_bytes;
    if (fits)
        queue_message(pair, message, copy);
    else
        log_error(log_of(pair), "pair",
                  "no copy for the backup: %zu bytes do not fit into a frame of %zu", copy.len,
                  pair->rpc->payload_limit_bytes);
    write_batch_deinit(&batch);
    return fits ? STATUS_OK : STATUS_TOO_LARGE;
}

static void queue_answer(struct kv_pair *pair, const struct pb_effect *effect) {
    struct outgoing *outgoing = queue(pair);
    outgoing->call = (struct rpc_call *)(uintptr_t)effect->request;
    outgoing->status = effect->status;
}

static void say(struct kv_pair *pair, const struct pb_effect *effect) {
    const char *other = other_address(pair);
    switch (effect->kind) {
    case PB_TAKE_OVER:
        log_warn(log_of(pair), "pair", "taking over position=%" PRIu64 ": nothing heard from %s",
                 pb_position(pair->pb), other);
        break;
    case PB_ALONE:
        log_warn(log_of(pair), "pair", "going on without the backup at %s", other);
        break;
    case PB_JOINED:
        log_info(log_of(pair), "pair", "the backup at %s follows position=%" PRIu64, other,
                 pb_position(pair->pb));
        break;
    default: /* PB_RIVAL */
        if (!pair->rival_said)
            log_error(log_of(pair), "pair",
                      "%s says that it is the primary, and so am I: the data may differ", other);
        pair->rival_said = true;
        break;
    }
}

static enum status carry_out_one(struct kv_pair *pair, const struct pb_effect *effect) {
    switch (effect->kind) {
    case PB_APPLY:
        return apply(pair, effect->message.payload);
    case PB_SEND_COPY:
        return queue_copy(pair, &effect->message);
    case PB_LOAD_COPY:
        return load_copy(pair, effect->message.payload);
    case PB_ANSWER:
        queue_answer(pair, effect);
        break;
    case PB_SEND:
        queue_message(pair, &effect->message, effect->message.payload);
        break;
    case PB_TAKE_OVER:
    case PB_ALONE:
    case PB_JOINED:
    case PB_RIVAL:
        say(pair, effect);
        break;
    }
    return STATUS_OK;
}

/* Of one event. Not OK: why the write or the copy that it led to could not be done. */
static enum status carry_out(struct kv_pair *pair) {
    enum status result = STATUS_OK;
    for (size_t i = 0; i < pair->effects.count; i++) {
        struct pb_effect effect = pair->effects.items[i];
        enum status status = carry_out_one(pair, &effect);
        if (status == STATUS_OK) continue;
        pair->effects.count = i + 1;
        pb_not_done(pair->pb, effect.kind, &pair->effects);
        result = status;
    }
    pb_effects_clear(&pair->effects);
    return result;
}

static void send_answer(const struct kv_pair *pair, const struct outgoing *outgoing) {
    struct error error;
    if (outgoing->status == STATUS_OK) {
        rpc_reply(outgoing->call, SLICE_EMPTY);
        return;
    }
    if (outgoing->status == STATUS_NOT_LEADER)
        (void)redirect_set(&error, 1, other_address(pair));
    else
        (void)error_set(&error, outgoing->status, "%s", status_text(outgoing->status));
    rpc_reply_error(outgoing->call, &error);
}

/* Invariant 1: nothing leaves before the sync. What cannot be sent is dropped, and sent again by a
 * later tick. */
static void on_turn_end(void *arg) {
    struct kv_pair *pair = arg;
    struct error error;
    if (pair->unsynced && engine_sync(pair->engine, &error) != STATUS_OK) {
        env_fatal(pair->rpc->env, "cannot make writes durable: %s", error.message);
        return;
    }
    pair->unsynced = false;
    for (size_t i = 0; i < pair->outgoing_count; i++) {
        struct outgoing *outgoing = &pair->outgoing[i];
        if (outgoing->call)
            send_answer(pair, outgoing);
        else if (pair->other)
            (void)rpc_send(pair->other, PRIMARY_BACKUP_METHOD__PRIMARY_BACKUP_MESSAGE,
                           buf_slice(&outgoing->message));
        buf_deinit(&outgoing->message);
    }
    pair->outgoing_count = 0;
}

/* ---- events --------------------------------------------------------------------------------- */

static void on_tick(void *arg) {
    struct kv_pair *pair = arg;
    pb_tick(pair->pb, now_ns(pair), &pair->effects);
    (void)carry_out(pair);
    env_timer_start(pair->rpc->env, &pair->timer, now_ns(pair) + pair->tick_ns);
}

static enum status dial(struct kv_pair *pair, const char *address, struct error *error) {
    char host[RPC_ADDRESS_MAX];
    uint16_t port;
    if (!address_split(address, host, &port))
        return error_set(error, STATUS_INVALID, "\"%s\" is no HOST:PORT", address);
    rpc_client_free(pair->other);
    pair->other = rpc_client_new(pair->rpc, host, port, NULL);
    return STATUS_OK;
}

static void on_message(void *arg, const struct rpc_identity *peer, struct slice payload) {
    struct kv_pair *pair = arg;
    struct error error;
    if (peer->listen_address[0] == 0) return; /* a client */
    if (strcmp(peer->listen_address, other_address(pair)) != 0 &&
        dial(pair, peer->listen_address, &error) != STATUS_OK)
        return;
    if (!rpc_client_connected(pair->other)) return; /* it says so again, when we can answer */
    struct arena arena;
    arena_init(&arena, 2 * pair->rpc->payload_limit_bytes);
    const PrimaryBackupMessage *packed = (const PrimaryBackupMessage *)rpc_unpack(
        &primary_backup_message__descriptor, payload, &arena);
    if (packed && packed->kind >= PB_UPDATE && packed->kind <= PB_COPY) {
        struct pb_message message = {(enum pb_message_kind)packed->kind, packed->history,
                                     packed->position, rpc_slice(packed->payload)};
        pb_receive(pair->pb, &message, now_ns(pair), &pair->effects);
        (void)carry_out(pair); /* what was not done is sent again */
    }
    arena_deinit(&arena);
}

static void write_one(struct kv_pair *pair, struct rpc_call *call, struct slice payload,
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
    enum status status = engine_writable(pair->engine);
    if (status == STATUS_OK) {
        pb_write(pair->pb, (uint64_t)(uintptr_t)call, write_batch_encoded(&batch), &pair->effects);
        status = carry_out(pair);
    }
    if (status != STATUS_OK) {
        (void)error_set(&error, status, "%s", status_text(status));
        rpc_reply_error(call, &error);
    }
    write_batch_deinit(&batch);
    arena_deinit(&arena);
}

static void on_put(void *arg, struct rpc_call *call, struct slice payload) {
    write_one(arg, call, payload, false);
}

static void on_delete(void *arg, struct rpc_call *call, struct slice payload) {
    write_one(arg, call, payload, true);
}

/* True if the call may be read for here; else it has been answered. */
static bool serves_reads(struct kv_pair *pair, struct rpc_call *call) {
    if (pb_role(pair->pb) == PB_PRIMARY) return true;
    struct error error;
    (void)redirect_set(&error, 1, other_address(pair));
    rpc_reply_error(call, &error);
    return false;
}

static void on_get(void *arg, struct rpc_call *call, struct slice payload) {
    struct kv_pair *pair = arg;
    if (serves_reads(pair, call)) simple_kv_get(pair->kv, call, payload);
}

static void on_scan(void *arg, struct rpc_call *call, struct slice payload) {
    struct kv_pair *pair = arg;
    if (serves_reads(pair, call)) simple_kv_scan(pair->kv, call, payload);
}

/* ---- lifetime ------------------------------------------------------------------------------- */

static void register_methods(struct kv_pair *pair, struct rpc_server *server) {
    const struct rpc_method methods[] = {
        {SIMPLE_KV_METHOD__SIMPLE_KV_GET, "get", on_get, NULL, pair},
        {SIMPLE_KV_METHOD__SIMPLE_KV_PUT, "put", on_put, NULL, pair},
        {SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, "delete", on_delete, NULL, pair},
        {SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, "scan", on_scan, NULL, pair},
        {PRIMARY_BACKUP_METHOD__PRIMARY_BACKUP_MESSAGE, "pair", NULL, on_message, pair},
    };
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        rpc_server_register(server, &methods[i]);
}

enum status kv_pair_new(const struct kv_pair_options *options, struct kv_pair **out,
                        struct error *error) {
    struct kv_pair *pair = MEM_NEW(struct kv_pair);
    struct env *env = options->rpc->env;
    uint64_t silence_ns =
        options->silence_ns ? options->silence_ns : KV_PAIR_SILENCE_MS * NS_PER_MS;
    struct pb_options pb = {.role = options->backup_of ? PB_BACKUP : PB_PRIMARY,
                            .wait_for_backup = options->wait_for_backup,
                            .silence_ns = silence_ns};
    while (pb.history == 0)
        env_random_bytes(env, &pb.history, sizeof pb.history);
    pair->rpc = options->rpc;
    pair->engine = options->engine;
    pair->tick_ns = silence_ns / KV_PAIR_TICKS_PER_SILENCE;
    if (options->backup_of && dial(pair, options->backup_of, error) != STATUS_OK) {
        mem_free(pair);
        return STATUS_INVALID;
    }
    pair->kv = simple_kv_new(env, options->engine, NULL);
    pair->pb = pb_new(&pb, now_ns(pair));
    register_methods(pair, options->server);
    pair->hook = (struct env_turn_hook){.callback = on_turn_end, .arg = pair, .order = TURN_REPLY};
    env_turn_hook_add(env, &pair->hook);
    env_timer_init(&pair->timer, on_tick, pair);
    env_timer_start(env, &pair->timer, now_ns(pair) + pair->tick_ns);
    *out = pair;
    return STATUS_OK;
}

void kv_pair_free(struct kv_pair *pair) {
    if (!pair) return;
    env_timer_stop(&pair->timer);
    env_turn_hook_remove(pair->rpc->env, &pair->hook);
    rpc_client_free(pair->other);
    pb_stop(pair->pb, &pair->effects);
    (void)carry_out(pair);
    struct error error;
    (void)error_set(&error, STATUS_UNKNOWN_OUTCOME, "the node stopped before the write was done");
    for (size_t i = 0; i < pair->outgoing_count; i++) {
        if (pair->outgoing[i].call) rpc_reply_error(pair->outgoing[i].call, &error);
        buf_deinit(&pair->outgoing[i].message);
    }
    mem_free(pair->outgoing);
    pb_effects_deinit(&pair->effects);
    pb_free(pair->pb);
    simple_kv_free(pair->kv);
    mem_free(pair);
}

enum pb_role kv_pair_role(const struct kv_pair *pair) { return pb_role(pair->pb); }
bool kv_pair_alone(const struct kv_pair *pair) { return pb_alone(pair->pb); }
