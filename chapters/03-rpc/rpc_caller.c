/* rpc_caller.c - a call over its attempts: attempt, failure, wait, attempt (rpc_caller.h).
 * Must not decide: whether and when is retry.c's, where is rpc_pool.c's. */
#include "rpc_caller.h"

#include "mem.h"
#include "redirect.h"

struct rpc_caller {
    struct rpc_context *context;
    struct rpc_pool *pool;
    struct retry_policy policy;
    struct retry_budget budget;
    struct prng prng;
    struct rpc_retried *first;
    size_t count;
    uint64_t repetitions;
};

struct rpc_retried {
    struct rpc_caller *caller;
    struct rpc_retried *next, *prev;
    uint32_t method;
    struct buf payload;
    bool idempotent;
    struct request request; /* the caller's, or one without a deadline */
    rpc_callback callback;
    void *arg;

    unsigned attempts;           /* that have failed */
    struct rpc_client *client;   /* of the attempt */
    struct rpc_pending *attempt; /* NULL while waiting for the next one */
    struct env_timer timer;      /* started while waiting */
    struct cancel_waiter waiter; /* registered while waiting; an attempt has its own */
};

/* ---- the end of a call ---------------------------------------------------------------------- */

static void release(struct rpc_retried *call) {
    struct rpc_caller *caller = call->caller;
    env_timer_stop(&call->timer);
    cancel_token_unwait(call->request.cancel, &call->waiter);
    if (call->prev)
        call->prev->next = call->next;
    else
        caller->first = call->next;
    if (call->next) call->next->prev = call->prev;
    caller->count--;
    buf_deinit(&call->payload);
    mem_free(call);
}

/* The callback may free the caller: nothing may be touched afterwards. */
static void finish(struct rpc_retried *call, enum status status, struct slice reply,
                   const struct error *error) {
    rpc_callback callback = call->callback;
    void *arg = call->arg;
    release(call);
    callback(arg, status, reply, error);
}

static void finish_cancelled(struct rpc_retried *call) {
    struct error error;
    (void)error_set(&error, STATUS_CANCELLED, "%s", status_text(STATUS_CANCELLED));
    finish(call, STATUS_CANCELLED, SLICE_EMPTY, &error);
}

void rpc_caller_cancel(struct rpc_retried *call) {
    if (call->attempt) rpc_cancel(call->attempt);
    release(call);
}

/* ---- attempts ------------------------------------------------------------------------------- */

static void on_answer(void *arg, enum status status, struct slice reply, const struct error *error);

static void start_attempt(struct rpc_retried *call) {
    struct rpc_caller *caller = call->caller;
    struct request request = call->request;
    if (caller->policy.attempt_timeout_ns > 0) {
        uint64_t until_ns =
            env_deadline_ns(caller->context->env, caller->policy.attempt_timeout_ns);
        if (until_ns < request.deadline_ns) request.deadline_ns = until_ns;
    }
    call->client = rpc_pool_pick(caller->pool);
    call->attempt =
        rpc_call(call->client, call->method, buf_slice(&call->payload), &request, on_answer, call);
}

/* Where the next attempt goes. */
static void choose_address(struct rpc_retried *call, const struct error *error) {
    char address[RPC_ADDRESS_MAX];
    if (redirect_address(error, address) &&
        rpc_pool_prefer(call->caller->pool, address, NULL) == STATUS_OK)
        return;
    rpc_pool_move_on(call->caller->pool, call->client);
}

static void on_answer(void *arg, enum status status, struct slice reply,
                      const struct error *error) {
    struct rpc_retried *call = arg;
    struct rpc_caller *caller = call->caller;
    call->attempt = NULL;
    call->attempts++;
    if (status != STATUS_OK && retry_is_safe(status, call->idempotent)) choose_address(call, error);
    struct retry_failure failure = {.status = status,
                                    .idempotent = call->idempotent,
                                    .attempts = call->attempts,
                                    .now_ns = env_now_ns(caller->context->env),
                                    .deadline_ns = call->request.deadline_ns};
    uint64_t at_ns;
    if (status == STATUS_OK ||
        !retry_decide(&caller->policy, &caller->budget, &caller->prng, &failure, &at_ns)) {
        finish(call, status, reply, error);
        return;
    }
    caller->repetitions++;
    env_timer_start(caller->context->env, &call->timer, at_ns);
    cancel_token_wait(call->request.cancel, &call->waiter);
}

static bool is_cancelled(const struct rpc_retried *call) {
    return call->request.cancel && call->request.cancel->cancelled;
}

static void on_timer(void *arg) {
    struct rpc_retried *call = arg;
    cancel_token_unwait(call->request.cancel, &call->waiter);
    if (is_cancelled(call))
        finish_cancelled(call);
    else
        start_attempt(call);
}

/* Ends the wait; the callback must not run inside whatever cancels the token. */
static void on_token(struct cancel_waiter *waiter) {
    struct rpc_retried *call = CONTAINER_OF(waiter, struct rpc_retried, waiter);
    struct env *env = call->caller->context->env;
    env_timer_start(env, &call->timer, env_now_ns(env));
}

struct rpc_retried *rpc_caller_call(struct rpc_caller *caller, uint32_t method,
                                    struct slice payload, enum rpc_repeat repeat,
                                    const struct request *request, rpc_callback callback,
                                    void *arg) {
    struct rpc_retried *call = MEM_NEW(struct rpc_retried);
    call->caller = caller;
    call->method = method;
    buf_append_slice(&call->payload, payload);
    call->idempotent = repeat == RPC_IDEMPOTENT;
    call->request = request ? *request : request_init(REQUEST_NO_DEADLINE);
    call->callback = callback;
    call->arg = arg;
    env_timer_init(&call->timer, on_timer, call);
    call->waiter.on_cancel = on_token;
    call->next = caller->first;
    if (call->next) call->next->prev = call;
    caller->first = call;
    caller->count++;
    retry_budget_pay_in(&caller->budget);
    start_attempt(call);
    return call;
}

/* ---- lifetime ------------------------------------------------------------------------------- */

struct rpc_caller *rpc_caller_new(struct rpc_context *context, struct rpc_pool *pool,
                                  const struct retry_policy *policy) {
    struct rpc_caller *caller = MEM_NEW(struct rpc_caller);
    caller->context = context;
    caller->pool = pool;
    caller->policy = policy ? *policy : retry_policy_default();
    retry_budget_init(&caller->budget);
    env_random(context->env, "rpc_caller", &caller->prng);
    return caller;
}

void rpc_caller_free(struct rpc_caller *caller) {
    if (!caller) return;
    while (caller->first) {
        struct rpc_retried *call = caller->first;
        if (call->attempt) rpc_cancel(call->attempt);
        finish_cancelled(call);
    }
    mem_free(caller);
}

size_t rpc_caller_calls(const struct rpc_caller *caller) { return caller->count; }
uint64_t rpc_caller_repetitions(const struct rpc_caller *caller) { return caller->repetitions; }
