/* test_kv_router.c - finding the leader from another node, over real connections. */
#include <stdio.h>

#include "harness.h"
#include "kv_router.h"
#include "mem.h"
#include "port.h"
#include "store_fixture.h"

/* Node 1 is the box, reached over loopback; node 2 only routes; node 3 does not exist. */
struct two_nodes {
    struct box box;
    struct rpc_context server_context, client_context;
    struct rpc_server *server;
    struct port *port;
    struct rpc_client *client;
    struct kv *kv;
};

static struct rpc_client *client_of(void *arg, uint64_t node_id) {
    struct two_nodes *nodes = arg;
    return node_id == 1 ? nodes->client : NULL;
}

static void start_node(struct two_nodes *nodes, bool serving) {
    box_start(&nodes->box, NULL, 0);
    struct env *env = nodes->box.env;
    rpc_context_init(&nodes->server_context, env, &nodes->box.hlc, nodes->box.metrics);
    rpc_context_init(&nodes->client_context, env, &nodes->box.hlc, nodes->box.metrics);
    nodes->server = rpc_server_new(&nodes->server_context);
    if (serving) kv_server_register(nodes->server, nodes->box.store);
    struct port_options port_options = port_options_default();
    port_options.host = "127.0.0.1";
    struct error error;
    assert_ok(port_listen(env, &port_options, &nodes->port, &error), &error);
    struct port_protocol protocol = rpc_server_protocol(nodes->server);
    port_add(nodes->port, &protocol);
    nodes->client =
        rpc_client_new(&nodes->client_context, "127.0.0.1", port_number(nodes->port), NULL);
    static const uint64_t members[] = {2, 3, 1};
    struct kv_router_options options = {.env = env,
                                        .metrics = nodes->box.metrics,
                                        .node_id = 2,
                                        .members = members,
                                        .member_count = 3,
                                        .client = client_of,
                                        .client_arg = nodes};
    nodes->kv = kv_router_new(&options);
}

static void start(struct two_nodes *nodes) { start_node(nodes, true); }

static void finish(struct two_nodes *nodes) {
    kv_router_free(nodes->kv);
    rpc_client_free(nodes->client);
    port_free(nodes->port);
    box_turns(&nodes->box, 2);
    rpc_server_free(nodes->server);
    box_stop(&nodes->box);
}

struct call {
    struct kv_call call;
    struct two_nodes *nodes;
    int answers;
    enum status status;
    char reply[64];
};

static void on_done(struct kv_call *kv_call, enum status status, struct slice reply,
                    const struct error *error) {
    struct call *call = kv_call->arg;
    (void)error;
    call->answers++;
    call->status = status;
    snprintf(call->reply, sizeof call->reply, "%.*s", (int)reply.len, (const char *)reply.data);
}

static void send_call(struct two_nodes *nodes, struct call *call, uint32_t command,
                      const char *payload, bool idempotent, uint64_t timeout_ns) {
    *call = (struct call){.nodes = nodes};
    call->call = (struct kv_call){.command = command,
                                  .payload = slice_of_string(payload),
                                  .idempotent = idempotent,
                                  .request = request_init(env_now_ns(nodes->box.env) + timeout_ns),
                                  .done = on_done,
                                  .arg = call};
    kv_start(nodes->kv, &call->call);
}

static void await_answer(struct call *call) {
    while (call->answers == 0)
        box_turns(&call->nodes->box, 1);
    assert_int_equal(1, call->answers);
}

TEST("7", 0, a_command_reaches_the_leader_on_another_node) {
    struct two_nodes nodes;
    start(&nodes);
    struct call write, read;
    send_call(&nodes, &write, CMD_APPEND, "k=v", false, 5 * NS_PER_S);
    await_answer(&write);
    assert_status(STATUS_OK, write.status);
    send_call(&nodes, &read, CMD_READ, "k", true, 5 * NS_PER_S);
    await_answer(&read);
    assert_string_equal("v", read.reply);
    finish(&nodes);
}

TEST("7", 0, an_error_of_the_command_is_passed_on) {
    struct two_nodes nodes;
    start(&nodes);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "malformed", false, 5 * NS_PER_S);
    await_answer(&call);
    assert_status(STATUS_INVALID, call.status);
    finish(&nodes);
}

TEST("7", 0, a_call_waits_for_a_leader_to_be_elected) {
    struct two_nodes nodes;
    start(&nodes);
    solo_replicator_depose(nodes.box.solo, false);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", false, 5 * NS_PER_S);
    uint64_t elected_ns = env_now_ns(nodes.box.env) + 30 * NS_PER_MS;
    while (env_now_ns(nodes.box.env) < elected_ns)
        box_turns(&nodes.box, 1);
    assert_int_equal(0, call.answers);
    solo_replicator_lead(nodes.box.solo);
    await_answer(&call);
    assert_status(STATUS_OK, call.status);
    assert_int_equal(1, nodes.box.evaluations);
    finish(&nodes);
}

TEST("7", 0, a_call_waits_for_a_node_that_is_still_starting) {
    struct two_nodes nodes;
    start_node(&nodes, false);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", false, 5 * NS_PER_S);
    uint64_t ready_ns = env_now_ns(nodes.box.env) + 30 * NS_PER_MS;
    while (env_now_ns(nodes.box.env) < ready_ns)
        box_turns(&nodes.box, 1);
    assert_int_equal(0, call.answers);
    kv_server_register(nodes.server, nodes.box.store);
    await_answer(&call);
    assert_status(STATUS_OK, call.status);
    finish(&nodes);
}

TEST("7", 2, without_a_leader_a_call_ends_at_its_deadline) {
    struct two_nodes nodes;
    start(&nodes);
    solo_replicator_depose(nodes.box.solo, false);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", false, 50 * NS_PER_MS);
    await_answer(&call);
    assert_status(STATUS_DEADLINE, call.status);
    finish(&nodes);
}

static void lose_leadership_under(struct two_nodes *nodes, struct call *call, bool idempotent) {
    solo_replicator_hold(nodes->box.solo, true);
    send_call(nodes, call, CMD_APPEND, "k=v", idempotent, 5 * NS_PER_S);
    while (solo_replicator_held(nodes->box.solo) == 0)
        box_turns(&nodes->box, 1);
    solo_replicator_depose(nodes->box.solo, false);
    solo_replicator_hold(nodes->box.solo, false);
    solo_replicator_lead(nodes->box.solo);
    await_answer(call);
}

TEST("7", 1, a_write_of_unknown_outcome_is_not_repeated) {
    struct two_nodes nodes;
    start(&nodes);
    struct call call;
    lose_leadership_under(&nodes, &call, false);
    assert_status(STATUS_UNKNOWN_OUTCOME, call.status);
    assert_int_equal(1, nodes.box.evaluations);
    finish(&nodes);
}

TEST("7", 1, an_idempotent_call_of_unknown_outcome_is_repeated) {
    struct two_nodes nodes;
    start(&nodes);
    struct call call;
    lose_leadership_under(&nodes, &call, true);
    assert_status(STATUS_OK, call.status);
    assert_int_equal(2, nodes.box.evaluations);
    finish(&nodes);
}

TEST("7", 2, a_write_that_is_not_answered_in_time_has_an_unknown_outcome) {
    struct two_nodes nodes;
    start(&nodes);
    solo_replicator_hold(nodes.box.solo, true);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", false, 200 * NS_PER_MS);
    await_answer(&call);
    assert_status(STATUS_UNKNOWN_OUTCOME, call.status);
    finish(&nodes);
}

/* A follower's replicator: it only knows who leads. */
struct follower {
    struct replicator base;
    uint64_t leader;
};

static bool follower_leads(struct replicator *self, uint64_t *leader) {
    if (leader != NULL) *leader = CONTAINER_OF(self, struct follower, base)->leader;
    return false;
}

static void silent_leader(uint64_t elected, bool idempotent, enum status expected) {
    struct two_nodes nodes;
    start(&nodes);
    kv_router_free(nodes.kv);
    static const struct replicator_ops ops = {.leads = follower_leads};
    struct follower follower = {.base.ops = &ops, .leader = 1};
    struct hlc hlc;
    hlc_init(&hlc, NS_PER_S);
    struct store_options store_options = {.env = nodes.box.env,
                                          .engine = nodes.box.engine,
                                          .hlc = &hlc,
                                          .metrics = nodes.box.metrics};
    struct store *store = store_new(&store_options);
    for (size_t i = 0; i < ARRAY_LEN(nodes.box.commands); i++)
        store_register(store, &nodes.box.commands[i]);
    struct error error;
    assert_ok(store_attach(store, &follower.base, &error), &error);
    static const uint64_t members[] = {1, 2, 3};
    struct kv_router_options options = {.env = nodes.box.env,
                                        .metrics = nodes.box.metrics,
                                        .store = store,
                                        .node_id = 2,
                                        .members = members,
                                        .member_count = elected < 3 ? 2 : 3,
                                        .client = client_of,
                                        .client_arg = &nodes};
    nodes.kv = kv_router_new(&options);
    solo_replicator_hold(nodes.box.solo, true); /* node 1 answers nothing ... */
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", idempotent, 2 * NS_PER_S);
    while (solo_replicator_held(nodes.box.solo) == 0)
        box_turns(&nodes.box, 1);
    follower.leader = elected; /* ... and another one is elected, which does not serve yet */
    uint64_t back_ns = env_now_ns(nodes.box.env) + 400 * NS_PER_MS;
    while (env_now_ns(nodes.box.env) < back_ns)
        box_turns(&nodes.box, 1);
    solo_replicator_hold(nodes.box.solo, false);
    follower.leader = 1;
    await_answer(&call);
    assert_status(expected, call.status);
    kv_router_free(nodes.kv);
    nodes.kv = NULL;
    store_free(store);
    finish(&nodes);
}

TEST("7", 1, a_silent_leader_is_not_waited_for_when_another_is_known) {
    silent_leader(3, false, STATUS_UNKNOWN_OUTCOME);
}

TEST("7", 1, an_idempotent_call_goes_on_to_the_new_leader) { silent_leader(3, true, STATUS_OK); }

TEST("7", 0, a_call_waits_for_its_own_node_that_is_elected_and_not_ready_yet) {
    silent_leader(2, true, STATUS_OK);
}

TEST("7", 0, a_call_that_pauses_can_be_cancelled) {
    struct two_nodes nodes;
    start(&nodes);
    solo_replicator_depose(nodes.box.solo, false);
    struct cancel_token token;
    cancel_token_init(&token);
    struct call call = {.nodes = &nodes};
    call.call = (struct kv_call){.command = CMD_READ,
                                 .payload = SLICE_LITERAL("k"),
                                 .idempotent = true,
                                 .request = request_init(REQUEST_NO_DEADLINE),
                                 .done = on_done,
                                 .arg = &call};
    call.call.request.cancel = &token;
    kv_start(nodes.kv, &call.call);
    box_turns(&nodes.box, 3);
    cancel_token_cancel(&token);
    await_answer(&call);
    assert_status(STATUS_CANCELLED, call.status);
    finish(&nodes);
}

TEST("7", 0, freeing_the_router_ends_its_calls) {
    struct two_nodes nodes;
    start(&nodes);
    solo_replicator_hold(nodes.box.solo, true);
    struct call call;
    send_call(&nodes, &call, CMD_APPEND, "k=v", false, 5 * NS_PER_S);
    box_turns(&nodes.box, 3);
    finish(&nodes);
    assert_status(STATUS_CANCELLED, call.status);
}
