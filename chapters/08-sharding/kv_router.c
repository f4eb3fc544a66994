/* kv_router.c - choosing a node for a command, and what its answer means for the next attempt.
 *
 * An attempt is either local or one RPC. Between attempts there is a pause, which doubles, except
 * after the first answer that names a leader not yet asked. */
#include "kv_router.h"

#include "mem.h"
#include "prng.h"
#include "store.pb-c.h"

#define DEFAULT_BACKOFF_MIN_NS (5 * NS_PER_MS)
#define DEFAULT_BACKOFF_MAX_NS (100 * NS_PER_MS)
#define DEFAULT_TIMEOUT_NS (30 * NS_PER_S)
#define WATCH_INTERVAL_NS (100 * NS_PER_MS)

struct kv_router {
    struct kv kv;
    struct kv_router_options options;
    uint64_t *members;
    size_t next_member;
    uint64_t leader; /* as the last answer named it; 0: unknown */
    struct prng prng;
    struct routed *first;   /* calls under way */
    struct env_timer watch; /* runs while there are any */
    struct buf scratch;
    struct counter *local, *remote, *retries;
};

/* One call under way. */
struct routed {
    struct kv_router *router;
    struct kv_call *call;
    struct routed *next, *prev;
    struct request request;
    struct rpc_pending *pending; /* the attempt under way, if it is remote */
    bool in_store;               /* the attempt under way is local */
    bool orphan;                 /* the router is gone: free it when the store answers */
    uint64_t target;             /* of the attempt */
    uint64_t pause_ns;
    bool followed; /* a hint, without a pause */
    struct env_timer timer;
    struct cancel_waiter cancel;
    struct error error; /* of the last attempt */
};

static void attempt(struct routed *routed);

/* ---- ending --------------------------------------------------------------------------------- */

static void routed_unlink(struct routed *routed) {
    struct kv_router *router = routed->router;
    env_timer_stop(&routed->timer);
    cancel_token_unwait(routed->request.cancel, &routed->cancel);
    if (routed->prev != NULL)
        routed->prev->next = routed->next;
    else
        router->first = routed->next;
    if (routed->next != NULL) routed->next->prev = routed->prev;
}

static void finish(struct routed *routed, enum status status, struct slice reply) {
    struct kv_call *call = routed->call;
    routed_unlink(routed);
    call->done(call, status, reply, &routed->error);
    mem_free(routed);
}

static void finish_error(struct routed *routed) {
    finish(routed, routed->error.status, SLICE_EMPTY);
}

/* ---- again ---------------------------------------------------------------------------------- */

static void on_timer(void *arg) { attempt(arg); }

static void on_cancel(struct cancel_waiter *waiter) {
    struct routed *routed = CONTAINER_OF(waiter, struct routed, cancel);
    if (!env_timer_started(&routed->timer)) return; /* an attempt is under way: it is told itself */
    error_set(&routed->error, STATUS_CANCELLED, "%s", status_text(STATUS_CANCELLED));
    finish_error(routed);
}

static void pause_then_retry(struct routed *routed) {
    struct kv_router *router = routed->router;
    uint64_t now_ns = env_now_ns(router->options.env);
    uint64_t half = routed->pause_ns / 2;
    uint64_t pause_ns = half + prng_below(&router->prng, half + 1);
    routed->pause_ns *= 2;
    if (routed->pause_ns > router->options.backoff_max_ns)
        routed->pause_ns = router->options.backoff_max_ns;
    if (now_ns + pause_ns >= routed->request.deadline_ns) {
        char cause[ERROR_MESSAGE_MAX];
        memcpy(cause, routed->error.message, sizeof cause);
        error_set(&routed->error, STATUS_DEADLINE, "no leader answered in time: %.200s", cause);
        finish_error(routed);
        return;
    }
    env_timer_start(router->options.env, &routed->timer, now_ns + pause_ns);
}

/* The attempt had no effect. `leader`: whom the answer named, 0 if nobody. */
static void retry(struct routed *routed, uint64_t leader) {
    struct kv_router *router = routed->router;
    counter_add(router->retries, 1);
    if (leader == routed->target) leader = 0;
    if (leader != 0 || router->leader == routed->target) router->leader = leader;
    if (leader != 0 && !routed->followed) {
        routed->followed = true;
        attempt(routed);
    } else {
        pause_then_retry(routed);
    }
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool surely_without_effect(enum status status) {
    return status == STATUS_NOT_LEADER || status == STATUS_UNAVAILABLE || status == STATUS_BUSY;
}

static void failed(struct routed *routed, uint64_t leader) {
    enum status status = routed->error.status;
    bool idempotent = routed->call->idempotent;
    if (surely_without_effect(status) || (status == STATUS_UNKNOWN_OUTCOME && idempotent)) {
        retry(routed, leader);
        return;
    }
    finish_error(routed);
}

static void on_store(void *arg, const struct store_result *result) {
    struct routed *routed = arg;
    routed->in_store = false;
    if (routed->orphan) {
        mem_free(routed);
    } else if (result->status == STATUS_OK) {
        finish(routed, STATUS_OK, result->reply);
    } else {
        routed->error = *result->error;
        failed(routed, result->leader);
    }
}

static void on_reply(struct routed *routed, struct slice bytes) {
    struct arena arena;
    arena_init(&arena, 0);
    Cairn__StoreExecuteReply *reply = (Cairn__StoreExecuteReply *)rpc_unpack(
        &cairn__store_execute_reply__descriptor, bytes, &arena);
    if (reply == NULL) {
        error_set(&routed->error,
                  routed->call->idempotent ? STATUS_INVALID : STATUS_UNKNOWN_OUTCOME,
                  "the answer of node %llu is malformed", (unsigned long long)routed->target);
        finish_error(routed);
    } else if (reply->not_leader) {
        error_set(&routed->error, STATUS_NOT_LEADER, "node %llu does not lead the range",
                  (unsigned long long)routed->target);
        failed(routed, reply->leader);
    } else {
        finish(routed, STATUS_OK, rpc_slice(reply->reply));
    }
    arena_deinit(&arena);
}

static void on_rpc(void *arg, enum status status, struct slice reply, const struct error *error) {
    struct routed *routed = arg;
    routed->pending = NULL;
    if (status == STATUS_OK) {
        on_reply(routed, reply);
        return;
    }
    routed->error = *error;
    /* A node that has just started answers calls before it serves the range. */
    if (status == STATUS_UNSUPPORTED)
        error_set(&routed->error, STATUS_UNAVAILABLE, "node %llu does not serve the range: %.180s",
                  (unsigned long long)routed->target, error->message);
    /* Invariant 2: a deadline that passed while the leader had the call says nothing. */
    if ((status == STATUS_DEADLINE || status == STATUS_CANCELLED) && !routed->call->idempotent)
        error_set(&routed->error, STATUS_UNKNOWN_OUTCOME, "no answer from node %llu: %s",
                  (unsigned long long)routed->target, status_text(status));
    failed(routed, 0);
}

/* ---- a leader that does not answer ----------------------------------------------------------- */

/* A node that hangs, or is cut off, answers nothing, not even that it no longer leads. But the
 * others elect a new leader, and Raft tells us of it: then there is nothing to wait for from the
 * old one. */
static struct routed *find_stranded(struct kv_router *router, uint64_t leader) {
    struct routed *routed = router->first;
    while (routed != NULL && (routed->pending == NULL || routed->target == leader))
        routed = routed->next;
    return routed;
}

static void watch(void *arg) {
    struct kv_router *router = arg;
    uint64_t leader = 0;
    bool leads = router->options.store != NULL && store_leads(router->options.store, &leader);
    /* Elected, but not ready to serve: calls would be sent to the others again, for ever. */
    if (!leads && leader == router->options.node_id) leader = 0;
    /* Each ends, or goes on to the new leader: either way it is found no more. */
    for (struct routed *routed; leader != 0 && (routed = find_stranded(router, leader)) != NULL;) {
        rpc_cancel(routed->pending);
        routed->pending = NULL;
        routed->followed = false;
        error_set(&routed->error, STATUS_UNKNOWN_OUTCOME,
                  "node %llu did not answer, and node %llu leads now",
                  (unsigned long long)routed->target, (unsigned long long)leader);
        failed(routed, leader);
    }
    if (router->first != NULL)
        env_timer_start(router->options.env, &router->watch,
                        env_now_ns(router->options.env) + WATCH_INTERVAL_NS);
}

/* ---- attempts ------------------------------------------------------------------------------- */

static uint64_t choose_target(struct kv_router *router) {
    const struct kv_router_options *options = &router->options;
    uint64_t leader = 0;
    if (options->store != NULL && store_leads(options->store, &leader)) return options->node_id;
    /* May be this node, elected and not yet ready to serve: nobody else is worth asking. */
    if (leader != 0) return leader;
    if (router->leader != 0 && router->leader != options->node_id) return router->leader;
    for (size_t i = 0; i < options->member_count; i++) {
        uint64_t member = router->members[router->next_member++ % options->member_count];
        if (member != options->node_id) return member;
    }
    return options->node_id;
}

static void attempt_remote(struct routed *routed) {
    struct kv_router *router = routed->router;
    struct rpc_client *client = router->options.client(router->options.client_arg, routed->target);
    if (client == NULL) {
        error_set(&routed->error, STATUS_UNAVAILABLE, "no connection to node %llu",
                  (unsigned long long)routed->target);
        retry(routed, 0);
        return;
    }
    counter_add(router->remote, 1);
    Cairn__StoreExecute message = CAIRN__STORE_EXECUTE__INIT;
    message.command = routed->call->command;
    message.payload = rpc_bytes(routed->call->payload);
    buf_clear(&router->scratch);
    rpc_pack(&router->scratch, &message.base);
    routed->pending = rpc_call(client, METHOD_STORE_EXECUTE, buf_slice(&router->scratch),
                               &routed->request, on_rpc, routed);
}

static void attempt(struct routed *routed) {
    struct kv_router *router = routed->router;
    enum status status = request_check(&routed->request, env_now_ns(router->options.env));
    if (status != STATUS_OK) {
        error_set(&routed->error, status, "%s", status_text(status));
        finish_error(routed);
        return;
    }
    routed->target = choose_target(router);
    if (router->options.store != NULL && routed->target == router->options.node_id) {
        counter_add(router->local, 1);
        routed->in_store = true;
        store_execute(router->options.store, routed->call->command, routed->call->payload,
                      &routed->request, on_store, routed);
    } else {
        attempt_remote(routed);
    }
}

static void router_start(struct kv *kv, struct kv_call *call) {
    struct kv_router *router = CONTAINER_OF(kv, struct kv_router, kv);
    struct routed *routed = MEM_NEW(struct routed);
    routed->router = router;
    routed->call = call;
    routed->request = call->request;
    if (routed->request.deadline_ns == REQUEST_NO_DEADLINE)
        routed->request.deadline_ns =
            env_now_ns(router->options.env) + router->options.default_timeout_ns;
    routed->pause_ns = router->options.backoff_min_ns;
    env_timer_init(&routed->timer, on_timer, routed);
    routed->next = router->first;
    if (router->first != NULL) router->first->prev = routed;
    router->first = routed;
    if (!env_timer_started(&router->watch))
        env_timer_start(router->options.env, &router->watch,
                        env_now_ns(router->options.env) + WATCH_INTERVAL_NS);
    if (call->request.cancel != NULL && call->request.cancel->cancelled) {
        error_set(&routed->error, STATUS_CANCELLED, "%s", status_text(STATUS_CANCELLED));
        finish_error(routed);
        return;
    }
    routed->cancel.on_cancel = on_cancel;
    cancel_token_wait(routed->request.cancel, &routed->cancel);
    attempt(routed);
}

/* ---- making --------------------------------------------------------------------------------- */

struct kv *kv_router_new(const struct kv_router_options *options) {
    static const struct kv_ops ops = {.start = router_start};
    struct kv_router *router = MEM_NEW(struct kv_router);
    router->kv.ops = &ops;
    router->options = *options;
    struct kv_router_options *o = &router->options;
    if (o->backoff_min_ns == 0) o->backoff_min_ns = DEFAULT_BACKOFF_MIN_NS;
    if (o->backoff_max_ns == 0) o->backoff_max_ns = DEFAULT_BACKOFF_MAX_NS;
    if (o->default_timeout_ns == 0) o->default_timeout_ns = DEFAULT_TIMEOUT_NS;
    router->members = mem_dup(options->members, options->member_count * sizeof *options->members);
    env_random(options->env, "kv_router", &router->prng);
    env_timer_init(&router->watch, watch, router);
    router->local = metrics_counter(options->metrics, "cairn_kv_local_calls_total",
                                    "Commands given to this node's own store.");
    router->remote = metrics_counter(options->metrics, "cairn_kv_remote_calls_total",
                                     "Commands sent to another node.");
    router->retries = metrics_counter(options->metrics, "cairn_kv_retries_total",
                                      "Attempts that had no effect and were made again.");
    return &router->kv;
}

void kv_router_free(struct kv *kv) {
    if (kv == NULL) return;
    struct kv_router *router = CONTAINER_OF(kv, struct kv_router, kv);
    while (router->first != NULL) {
        struct routed *routed = router->first;
        struct kv_call *call = routed->call;
        routed_unlink(routed);
        if (routed->pending != NULL) rpc_cancel(routed->pending);
        error_set(&routed->error, STATUS_CANCELLED, "the node is stopping");
        call->done(call, STATUS_CANCELLED, SLICE_EMPTY, &routed->error);
        if (routed->in_store)
            routed->orphan = true;
        else
            mem_free(routed);
    }
    env_timer_stop(&router->watch);
    buf_deinit(&router->scratch);
    mem_free(router->members);
    mem_free(router);
}
