/* test_rpc_caller.c - calls over their attempts and addresses (rpc_caller.h, rpc_pool.h). */
#include "rpc_caller.h"

#include <stdio.h>

#include "mem.h"
#include "redirect.h"
#include "rpc_fixture.h"

#define HELLO SLICE_LITERAL("hello")

enum { METHOD_SCRIPT = 9 };

/* A service that fails as often as it is told, then answers with who it is. */
struct scripted {
    struct fixture f;
    enum status failure;
    char redirect[RPC_ADDRESS_MAX];
    unsigned failures, calls;
    uint64_t deadline_ns[64]; /* of the calls that arrived */
};

static void on_script(void *arg, struct rpc_call *call, struct slice payload) {
    struct scripted *s = arg;
    struct error error;
    s->deadline_ns[s->calls++ % ARRAY_LEN(s->deadline_ns)] = rpc_call_request(call)->deadline_ns;
    if (s->calls > s->failures) {
        rpc_reply(call, payload);
        return;
    }
    if (s->failure == STATUS_NOT_LEADER)
        (void)redirect_set(&error, 2, s->redirect);
    else
        (void)error_set(&error, s->failure, "as the script says");
    rpc_reply_error(call, &error);
}

static struct scripted *scripted_new(void) {
    struct scripted *s = MEM_NEW(struct scripted);
    fixture_init(&s->f);
    struct rpc_method method = {METHOD_SCRIPT, "script", on_script, NULL, s};
    rpc_server_register(s->f.server, &method);
    return s;
}

static void scripted_free(struct scripted *s) {
    fixture_deinit(&s->f);
    mem_free(s);
}

/* A caller at the addresses of the fixture, with short waits. */
struct rig {
    struct scripted *s;
    struct rpc_pool *pool;
    struct rpc_caller *caller;
    struct outcome outcome;
};

static void add_port(struct rpc_pool *pool, unsigned port) {
    char address[RPC_ADDRESS_MAX];
    struct error error;
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
    assert_ok(rpc_pool_add(pool, address, &error), &error);
}

static struct retry_policy quick(void) {
    struct retry_policy policy = retry_policy_default();
    policy.backoff_min_ns = NS_PER_MS;
    policy.backoff_max_ns = 4 * NS_PER_MS;
    return policy;
}

static void rig_init(struct rig *rig, const struct retry_policy *policy) {
    struct retry_policy short_waits = quick();
    *rig = (struct rig){.s = scripted_new()};
    rig->pool = rpc_pool_new(&rig->s->f.client_context, NULL);
    rig->caller =
        rpc_caller_new(&rig->s->f.client_context, rig->pool, policy ? policy : &short_waits);
}

static void rig_deinit(struct rig *rig) {
    rpc_caller_free(rig->caller);
    rpc_pool_free(rig->pool);
    buf_deinit(&rig->outcome.reply);
    scripted_free(rig->s);
}

static void call_and_wait(struct rig *rig, uint32_t method, enum rpc_repeat repeat,
                          const struct request *request) {
    rig->outcome.count = 0;
    rpc_caller_call(rig->caller, method, HELLO, repeat, request, outcome_record, &rig->outcome);
    fixture_run(&rig->s->f, outcome_known, &rig->outcome);
}

TEST("3", 1, call_that_is_refused_for_a_while_is_answered_in_the_end) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_BUSY;
    rig.s->failures = 3;
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_status(STATUS_OK, rig.outcome.status);
    assert_slice_equal(HELLO, buf_slice(&rig.outcome.reply));
    assert_int_equal(4, rig.s->calls);
    assert_int_equal(3, rpc_caller_repetitions(rig.caller));
    assert_int_equal(0, rpc_caller_calls(rig.caller));
    rig_deinit(&rig);
}

TEST("3", 1, failure_after_the_last_attempt_is_the_one_that_is_told) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_BUSY;
    rig.s->failures = 100;
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_status(STATUS_BUSY, rig.outcome.status);
    assert_string_equal("as the script says", rig.outcome.error.message);
    assert_int_equal(retry_policy_default().max_attempts, rig.s->calls);
    rig_deinit(&rig);
}

TEST("3", 3, call_with_an_unknown_outcome_is_made_again_only_if_it_is_idempotent) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_UNKNOWN_OUTCOME;
    rig.s->failures = 1;
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_status(STATUS_UNKNOWN_OUTCOME, rig.outcome.status);
    assert_int_equal(1, rig.s->calls);
    rig.s->failures = 2;
    call_and_wait(&rig, METHOD_SCRIPT, RPC_IDEMPOTENT, NULL);
    assert_status(STATUS_OK, rig.outcome.status);
    assert_int_equal(3, rig.s->calls);
    rig_deinit(&rig);
}

TEST("3", 2, attempts_share_the_deadline_of_their_call) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_BUSY;
    rig.s->failures = 4;
    struct request request = request_init(env_now_ns(rig.s->f.env) + 5 * NS_PER_S + NS_PER_MS - 1);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, &request);
    assert_status(STATUS_OK, rig.outcome.status);
    assert_int_equal(5, rig.s->calls);
    for (unsigned i = 0; i < rig.s->calls; i++) {
        uint64_t seen_ns = rig.s->deadline_ns[i]; /* told as time left, in ms rounded up */
        assert_true(seen_ns != REQUEST_NO_DEADLINE);
        assert_true(seen_ns >= request.deadline_ns);
        assert_true(seen_ns < request.deadline_ns + 500 * NS_PER_MS);
    }
    rig_deinit(&rig);
}

TEST("3", 2, call_ends_at_its_deadline_while_it_waits_for_an_answer) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL); /* connected: the time is the handler's */
    struct request request = request_init(env_now_ns(rig.s->f.env) + 60 * NS_PER_MS);
    call_and_wait(&rig, METHOD_HOLD, RPC_IDEMPOTENT, &request);
    assert_status(STATUS_DEADLINE, rig.outcome.status);
    assert_true(env_now_ns(rig.s->f.env) >= request.deadline_ns);
    assert_int_equal(0, rpc_caller_repetitions(rig.caller));
    if (rig.s->f.held_count > 0) rpc_reply(rig.s->f.held[0], HELLO);
    rig_deinit(&rig);
}

static bool held_or_known(void *arg) {
    struct rig *rig = arg;
    return rig->s->f.held_count > 0 || rig->outcome.count > 0;
}

static void answer_held(struct rig *rig) {
    for (size_t i = 0; i < rig->s->f.held_count; i++)
        rpc_reply(rig->s->f.held[i], HELLO);
    rig->s->f.held_count = 0;
}

/* The first attempt hangs in a node that answers nothing; its time is not the call's. */
TEST("3", 2, attempt_that_hangs_is_given_up_before_the_deadline_and_made_elsewhere) {
    struct retry_policy policy = quick();
    policy.attempt_timeout_ns = 50 * NS_PER_MS;
    struct rig rig;
    rig_init(&rig, &policy);
    add_port(rig.pool, rig.s->f.port_number);
    struct request request = request_init(env_now_ns(rig.s->f.env) + 5 * NS_PER_S);
    rpc_caller_call(rig.caller, METHOD_HOLD, HELLO, RPC_IDEMPOTENT, &request, outcome_record,
                    &rig.outcome);
    fixture_run(&rig.s->f, fixture_holds_a_call, &rig.s->f);
    struct rpc_call *hung = rig.s->f.held[0];
    rig.s->f.held_count--; /* on a slow machine the second has come, too */
    memmove(rig.s->f.held, rig.s->f.held + 1, rig.s->f.held_count * sizeof(struct rpc_call *));
    fixture_run(&rig.s->f, fixture_holds_a_call, &rig.s->f); /* the second attempt */
    assert_int_equal(0, rig.outcome.count);
    assert_true(rpc_call_request(hung)->cancel->cancelled);
    rpc_reply(hung, SLICE_LITERAL("too late"));
    while (rig.outcome.count == 0) { /* on a slow machine a third attempt may be needed */
        answer_held(&rig);
        fixture_run(&rig.s->f, held_or_known, &rig);
    }
    answer_held(&rig);
    assert_status(STATUS_OK, rig.outcome.status);
    assert_slice_equal(HELLO, buf_slice(&rig.outcome.reply));
    rig_deinit(&rig);
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* A port on which nobody listens. */
static unsigned dead_port(struct fixture *f) {
    struct listener *listener;
    struct error error;
    assert_ok(env_listen(f->env, "127.0.0.1", 0, NULL, NULL, &listener, &error), &error);
    unsigned port = listener_port(listener);
    listener_close(listener);
    return port;
}

TEST("3", 0, call_moves_on_to_the_next_address_when_one_cannot_be_reached) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, dead_port(&rig.s->f));
    add_port(rig.pool, rig.s->f.port_number);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_status(STATUS_OK, rig.outcome.status);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_int_equal(1, rpc_caller_repetitions(rig.caller)); /* the second knew where to ask */
    rig_deinit(&rig);
}

TEST("3", 0, node_that_names_the_leader_is_believed) {
    struct rig rig;
    rig_init(&rig, NULL);
    struct port *leader; /* the same service, at an address that the caller was not given */
    struct port_options options = port_options_default();
    options.host = "127.0.0.1";
    struct error error;
    assert_ok(port_listen(rig.s->f.env, &options, &leader, &error), &error);
    struct port_protocol protocol = rpc_server_protocol(rig.s->f.server);
    port_add(leader, &protocol);
    add_port(rig.pool, rig.s->f.port_number);
    add_port(rig.pool, dead_port(&rig.s->f)); /* where it would move on to */
    rig.s->failure = STATUS_NOT_LEADER;
    rig.s->failures = 1;
    (void)snprintf(rig.s->redirect, sizeof rig.s->redirect, "127.0.0.1:%u",
                   (unsigned)port_number(leader));
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_status(STATUS_OK, rig.outcome.status);
    assert_int_equal(1, rpc_caller_repetitions(rig.caller));
    assert_int_equal(3, rpc_pool_addresses(rig.pool));
    assert_string_equal(rig.s->redirect, rpc_client_address(rpc_pool_pick(rig.pool)));
    port_free(leader);
    rig_deinit(&rig);
}

TEST("3", 0, malformed_address_is_refused_and_their_number_is_bounded) {
    struct rig rig;
    rig_init(&rig, NULL);
    struct error error;
    const char *const malformed[] = {"", "host", "host:", ":1", "host:0", "host:70000", "host:1x"};
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
        assert_status(STATUS_INVALID, rpc_pool_add(rig.pool, malformed[i], &error));
    add_port(rig.pool, rig.s->f.port_number);
    add_port(rig.pool, rig.s->f.port_number); /* again: the same */
    for (unsigned port = 1; port < RPC_POOL_ADDRESSES_MAX; port++)
        add_port(rig.pool, port);
    assert_int_equal(RPC_POOL_ADDRESSES_MAX, rpc_pool_addresses(rig.pool));
    assert_status(STATUS_TOO_LARGE, rpc_pool_add(rig.pool, "one.more:1", &error));
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL); /* the first one is still asked first */
    assert_status(STATUS_OK, rig.outcome.status);
    rig_deinit(&rig);
}

/* ---- connections ---------------------------------------------------------------------------- */

static bool two_are_held(void *arg) { return ((struct fixture *)arg)->held_count == 2; }
static bool two_are_open(void *arg) {
    return rpc_server_connections(((struct fixture *)arg)->server) == 2;
}

TEST("3", 0, second_connection_is_opened_when_the_first_is_in_use_and_no_third) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    assert_int_equal(1, rpc_pool_connections(rig.pool)); /* one after the other: one is enough */
    struct outcome held[3] = {{0}};
    for (size_t i = 0; i < 3; i++)
        rpc_caller_call(rig.caller, METHOD_HOLD, HELLO, RPC_ONCE, NULL, outcome_record, &held[i]);
    assert_int_equal(2, rpc_pool_connections(rig.pool));
    fixture_run(&rig.s->f, two_are_open, &rig.s->f);
    rpc_caller_free(rig.caller);
    rig.caller = NULL;
    for (size_t i = 0; i < 3; i++)
        assert_status(STATUS_CANCELLED, held[i].status);
    for (size_t i = 0; i < rig.s->f.held_count; i++)
        rpc_reply(rig.s->f.held[i], HELLO);
    rig_deinit(&rig);
}

TEST("3", 0, call_takes_the_connection_with_the_fewest_calls_under_way) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    struct rpc_client *first = rpc_pool_pick(rig.pool);
    struct outcome held[2] = {{0}};
    rpc_call(first, METHOD_HOLD, HELLO, NULL, outcome_record, &held[0]);
    (void)rpc_pool_pick(rig.pool); /* opens the second */
    fixture_run(&rig.s->f, two_are_open, &rig.s->f);
    struct rpc_client *second = rpc_pool_pick(rig.pool);
    while (!rpc_client_connected(second) || second == first) {
        fixture_run_for(&rig.s->f, NS_PER_MS);
        second = rpc_pool_pick(rig.pool);
    }
    rpc_call(second, METHOD_HOLD, HELLO, NULL, outcome_record, &held[1]);
    fixture_run(&rig.s->f, two_are_held, &rig.s->f);
    rpc_reply(rig.s->f.held[0], HELLO);
    fixture_run(&rig.s->f, outcome_known, &held[0]);
    assert_ptr_equal(first, rpc_pool_pick(rig.pool));
    rpc_reply(rig.s->f.held[1], HELLO);
    fixture_run(&rig.s->f, outcome_known, &held[1]);
    buf_deinit(&held[0].reply);
    buf_deinit(&held[1].reply);
    rpc_caller_free(rig.caller);
    rig.caller = NULL;
    rig_deinit(&rig);
}

static enum status refuse_all(void *arg, const struct rpc_identity *peer, struct error *error) {
    ++*(unsigned *)arg;
    (void)peer;
    return error_set(error, STATUS_BUSY, "no more connections");
}

static bool has_refused(void *count) { return *(unsigned *)count > 0; }

TEST("3", 0, broken_connection_is_not_handed_out_while_another_is_up) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    call_and_wait(&rig, METHOD_SCRIPT, RPC_ONCE, NULL);
    struct rpc_client *first = rpc_pool_pick(rig.pool);
    unsigned refused = 0;
    rig.s->f.server_context.check = refuse_all;
    rig.s->f.server_context.check_arg = &refused;
    struct outcome held = {0};
    rpc_call(first, METHOD_HOLD, HELLO, NULL, outcome_record, &held);
    assert_ptr_equal(first, rpc_pool_pick(rig.pool)); /* opens the second, which never comes up */
    assert_int_equal(2, rpc_pool_connections(rig.pool));
    fixture_run(&rig.s->f, has_refused, &refused);
    for (int i = 0; i < 20; i++) {
        assert_ptr_equal(first, rpc_pool_pick(rig.pool));
        fixture_run_for(&rig.s->f, NS_PER_MS);
    }
    rpc_reply(rig.s->f.held[0], HELLO);
    fixture_run(&rig.s->f, outcome_known, &held);
    buf_deinit(&held.reply);
    rig_deinit(&rig);
}

/* ---- cancellation --------------------------------------------------------------------------- */

static struct retry_policy patient(void) {
    struct retry_policy policy = retry_policy_default();
    policy.backoff_min_ns = policy.backoff_max_ns = 3600 * NS_PER_S;
    return policy;
}

static bool one_failed(void *arg) { return rpc_caller_repetitions(arg) > 0; }

TEST("3", 4, token_ends_a_call_that_waits_for_its_next_attempt) {
    struct retry_policy policy = patient();
    struct rig rig;
    rig_init(&rig, &policy);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_BUSY;
    rig.s->failures = 100;
    struct cancel_token token;
    cancel_token_init(&token);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.cancel = &token;
    rpc_caller_call(rig.caller, METHOD_SCRIPT, HELLO, RPC_ONCE, &request, outcome_record,
                    &rig.outcome);
    fixture_run(&rig.s->f, one_failed, rig.caller);
    cancel_token_cancel(&token);
    assert_int_equal(0, rig.outcome.count); /* in a later step */
    fixture_run(&rig.s->f, outcome_known, &rig.outcome);
    assert_status(STATUS_CANCELLED, rig.outcome.status);
    assert_int_equal(0, rpc_caller_calls(rig.caller));
    assert_null(token.waiters);
    rig_deinit(&rig);
}

TEST("3", 4, token_ends_a_call_that_waits_for_its_answer_and_the_node_is_told) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    struct cancel_token token;
    cancel_token_init(&token);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.cancel = &token;
    rpc_caller_call(rig.caller, METHOD_HOLD, HELLO, RPC_IDEMPOTENT, &request, outcome_record,
                    &rig.outcome);
    fixture_run(&rig.s->f, fixture_holds_a_call, &rig.s->f);
    cancel_token_cancel(&token);
    fixture_run(&rig.s->f, outcome_known, &rig.outcome);
    assert_status(STATUS_CANCELLED, rig.outcome.status);
    assert_int_equal(0, rpc_caller_repetitions(rig.caller));
    struct outcome after = {0}; /* follows the cancel frame on the same connection */
    rpc_call(rpc_pool_pick(rig.pool), METHOD_ECHO, HELLO, NULL, outcome_record, &after);
    fixture_run(&rig.s->f, outcome_known, &after);
    assert_true(rpc_call_request(rig.s->f.held[0])->cancel->cancelled);
    rpc_reply(rig.s->f.held[0], HELLO);
    buf_deinit(&after.reply);
    rig_deinit(&rig);
}

TEST("3", 4, cancelled_call_leaves_nothing_behind) {
    struct retry_policy policy = patient();
    struct rig rig;
    rig_init(&rig, &policy);
    add_port(rig.pool, rig.s->f.port_number);
    rig.s->failure = STATUS_BUSY;
    rig.s->failures = 100;
    struct cancel_token token;
    cancel_token_init(&token);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.cancel = &token;
    struct rpc_retried *waiting = rpc_caller_call(rig.caller, METHOD_SCRIPT, HELLO, RPC_ONCE,
                                                  &request, outcome_record, &rig.outcome);
    fixture_run(&rig.s->f, one_failed, rig.caller);
    struct rpc_retried *asked = rpc_caller_call(rig.caller, METHOD_HOLD, HELLO, RPC_ONCE, &request,
                                                outcome_record, &rig.outcome);
    fixture_run(&rig.s->f, fixture_holds_a_call, &rig.s->f);
    rpc_caller_cancel(waiting);
    rpc_caller_cancel(asked);
    assert_int_equal(0, rpc_caller_calls(rig.caller));
    assert_int_equal(0, rpc_client_calls(rpc_pool_pick(rig.pool)));
    assert_null(token.waiters);
    cancel_token_cancel(&token);
    rpc_reply(rig.s->f.held[0], HELLO); /* nobody listens */
    struct outcome after = {0};
    rpc_call(rpc_pool_pick(rig.pool), METHOD_ECHO, HELLO, NULL, outcome_record, &after);
    fixture_run(&rig.s->f, outcome_known, &after);
    assert_int_equal(0, rig.outcome.count);
    buf_deinit(&after.reply);
    rig_deinit(&rig);
}

TEST("3", 1, freeing_the_caller_ends_its_calls_with_cancelled) {
    struct rig rig;
    rig_init(&rig, NULL);
    add_port(rig.pool, rig.s->f.port_number);
    rpc_caller_call(rig.caller, METHOD_HOLD, HELLO, RPC_ONCE, NULL, outcome_record, &rig.outcome);
    fixture_run(&rig.s->f, fixture_holds_a_call, &rig.s->f);
    rpc_caller_free(rig.caller);
    rig.caller = NULL;
    assert_int_equal(1, rig.outcome.count);
    assert_status(STATUS_CANCELLED, rig.outcome.status);
    rpc_reply(rig.s->f.held[0], HELLO);
    rig_deinit(&rig);
}
