/* rpc_fixture.c - see rpc_fixture.h. */
#include "rpc_fixture.h"

#include "mem.h"
#include "rpc.pb-c.h"

static void on_echo(void *arg, struct rpc_call *call, struct slice payload) {
    (void)arg;
    rpc_reply(call, payload);
}

static void on_fail(void *arg, struct rpc_call *call, struct slice payload) {
    (void)arg;
    (void)payload;
    struct error error;
    (void)error_set(&error, STATUS_NOT_FOUND, "no key %d", 7);
    error.retryable = true;
    rpc_reply_error(call, &error);
}

static void on_hold(void *arg, struct rpc_call *call, struct slice payload) {
    struct fixture *fixture = arg;
    (void)payload;
    fixture->held[fixture->held_count++] = call;
}

static void on_collect(void *arg, const struct rpc_identity *peer, struct slice payload) {
    struct fixture *fixture = arg;
    (void)peer;
    buf_append_slice(&fixture->collected, payload);
    fixture->collected_count++;
}

static void on_guard(void *arg) {
    struct fixture *fixture = arg;
    fixture->timed_out = true;
    env_stop(fixture->env);
}

static void on_turn(void *arg) {
    struct fixture *fixture = arg;
    if (!fixture->until || !fixture->until(fixture->until_arg)) return;
    fixture->until = NULL; /* one stop a run */
    env_stop(fixture->env);
}

void fixture_init(struct fixture *fixture) {
    *fixture = (struct fixture){0};
    struct log log;
    log_init_stderr(&log, LOG_DEBUG);
    fixture->env = env_uv_new(&log);
    fixture->metrics = metrics_new();
    hlc_init(&fixture->server_clock, 500 * NS_PER_MS);
    hlc_init(&fixture->client_clock, 500 * NS_PER_MS);
    rpc_context_init(&fixture->server_context, fixture->env, &fixture->server_clock,
                     fixture->metrics);
    rpc_context_init(&fixture->client_context, fixture->env, &fixture->client_clock,
                     fixture->metrics);
    fixture->server_context.self.node_id = 1;
    fixture->hook =
        (struct env_turn_hook){.callback = on_turn, .arg = fixture, .order = TURN_REPLY};
    env_turn_hook_add(fixture->env, &fixture->hook);
    env_timer_init(&fixture->guard, on_guard, fixture);
    fixture_start_server(fixture);
}

void fixture_start_server(struct fixture *fixture) {
    const struct rpc_method methods[] = {
        {METHOD_ECHO, "echo", on_echo, NULL, fixture},
        {METHOD_HOLD, "hold", on_hold, NULL, fixture},
        {METHOD_FAIL, "fail", on_fail, NULL, fixture},
        {METHOD_COLLECT, "collect", NULL, on_collect, fixture},
    };
    fixture->server = rpc_server_new(&fixture->server_context);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        rpc_server_register(fixture->server, &methods[i]);
    struct port_options options = port_options_default();
    options.host = "127.0.0.1";
    options.port = fixture->port_number;
    struct error error;
    assert_ok(port_listen(fixture->env, &options, &fixture->port, &error), &error);
    fixture->port_number = port_number(fixture->port);
    struct port_protocol protocol = rpc_server_protocol(fixture->server);
    port_add(fixture->port, &protocol);
}

void fixture_stop_server(struct fixture *fixture) {
    port_free(fixture->port);
    rpc_server_free(fixture->server);
    fixture->port = NULL;
    fixture->server = NULL;
}

void fixture_deinit(struct fixture *fixture) {
    fixture_stop_server(fixture);
    env_turn_hook_remove(fixture->env, &fixture->hook);
    env_timer_stop(&fixture->guard);
    env_uv_free(fixture->env);
    metrics_free(fixture->metrics);
    buf_deinit(&fixture->collected);
}

struct rpc_client *fixture_client(struct fixture *fixture,
                                  const struct rpc_client_options *options) {
    return rpc_client_new(&fixture->client_context, "127.0.0.1", fixture->port_number, options);
}

void fixture_run(struct fixture *fixture, bool (*until)(void *arg), void *arg) {
    if (until(arg)) return;
    fixture->until = until;
    fixture->until_arg = arg;
    env_timer_start(fixture->env, &fixture->guard, env_now_ns(fixture->env) + 8 * NS_PER_S);
    env_run(fixture->env);
    env_timer_stop(&fixture->guard);
    fixture->until = NULL;
    assert_false(fixture->timed_out);
}

static bool is_over(void *timer) { return !env_timer_started(timer); }
static void do_nothing(void *arg) { (void)arg; }

void fixture_run_for(struct fixture *fixture, uint64_t duration_ns) {
    struct env_timer timer;
    memset(&timer, 0, sizeof timer);
    env_timer_init(&timer, do_nothing, NULL);
    env_timer_start(fixture->env, &timer, env_now_ns(fixture->env) + duration_ns);
    fixture_run(fixture, is_over, &timer);
}

bool fixture_holds_a_call(void *fixture) { return ((struct fixture *)fixture)->held_count > 0; }

static bool is_connected(void *client) { return rpc_client_connected(client); }

void fixture_connect(struct fixture *fixture, struct rpc_client *client) {
    fixture_run(fixture, is_connected, client);
}

void outcome_record(void *arg, enum status status, struct slice reply, const struct error *error) {
    struct outcome *outcome = arg;
    outcome->count++;
    outcome->status = status;
    buf_clear(&outcome->reply);
    if (status == STATUS_OK)
        buf_append_slice(&outcome->reply, reply);
    else
        outcome->error = *error;
}

bool outcome_known(void *outcome) { return ((struct outcome *)outcome)->count > 0; }

static void raw_on_open(void *arg, struct stream *stream) {
    (void)stream;
    ((struct raw_peer *)arg)->open = true;
}

static void raw_on_input(void *arg, struct stream *stream) {
    struct raw_peer *peer = arg;
    struct slice input = stream_input(stream);
    buf_append_slice(&peer->received, input);
    stream_consume(stream, input.len);
}

static void raw_on_close(void *arg, struct stream *stream, enum status reason) {
    (void)stream;
    (void)reason;
    ((struct raw_peer *)arg)->stream = NULL;
}

static const struct stream_handler raw_handler = {raw_on_open, raw_on_input, NULL, raw_on_close};

void raw_peer_dial(struct fixture *fixture, struct raw_peer *peer) {
    *peer = (struct raw_peer){0};
    peer->stream =
        env_dial(fixture->env, "127.0.0.1", fixture->port_number, 2 * NS_PER_S, &raw_handler, peer);
    fixture_run(fixture, raw_peer_open, peer);
}

void raw_peer_deinit(struct raw_peer *peer) {
    if (peer->stream) stream_abort(peer->stream);
    buf_deinit(&peer->received);
}

bool raw_peer_open(void *peer) { return ((struct raw_peer *)peer)->open; }
bool raw_peer_closed(void *peer) { return !((struct raw_peer *)peer)->stream; }

void raw_peer_introduce(struct raw_peer *peer, const struct rpc_identity *identity,
                        hlc_timestamp clock) {
    RpcHandshake message = RPC_HANDSHAKE__INIT;
    message.cluster_id = identity->cluster_id;
    message.node_id = identity->node_id;
    message.instance_id = identity->instance_id;
    message.listen_address = (char *)(uintptr_t)identity->listen_address;
    message.protocol_version = identity->protocol_version;
    message.feature_level = identity->feature_level;
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, &message.base);
    struct buf bytes = BUF_INIT;
    buf_append_string(&bytes, FRAME_PREFACE);
    frame_append(
        &bytes,
        &(struct frame){.kind = FRAME_HANDSHAKE, .clock = clock, .payload = buf_slice(&payload)});
    stream_write(peer->stream, buf_slice(&bytes));
    buf_deinit(&bytes);
    buf_deinit(&payload);
}

void raw_peer_send_handshake(struct raw_peer *peer) {
    raw_peer_introduce(peer, &(struct rpc_identity){.protocol_version = RPC_PROTOCOL_VERSION}, 0);
}
