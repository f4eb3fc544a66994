/* test_rpc_connection.c - connections lost, refused, or fed with garbage, over loopback. */
#include <stdio.h>

#include "mem.h"
#include "rpc_fixture.h"

#define HELLO SLICE_LITERAL("hello")

/* ---- lost connections ----------------------------------------------------------------------- */

TEST("3", 2, call_that_was_sent_when_the_connection_broke_has_an_unknown_outcome) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, fixture_holds_a_call, &f);
    fixture_stop_server(&f);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_UNKNOWN_OUTCOME, outcome.status);
    assert_true(rpc_call_request(f.held[0])->cancel->cancelled);
    rpc_reply(f.held[0], HELLO); /* nobody is there any more; the call ends all the same */
    rpc_client_free(client);
    fixture_start_server(&f);
    fixture_deinit(&f);
}

TEST("3", 2, call_to_a_peer_that_cannot_be_reached_is_unavailable) {
    struct fixture f;
    fixture_init(&f);
    fixture_stop_server(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_UNAVAILABLE, outcome.status);
    assert_true(outcome.error.retryable);
    assert_false(rpc_send(client, METHOD_COLLECT, HELLO));

    struct outcome second = {0}; /* between two attempts: at once */
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &second);
    fixture_run(&f, outcome_known, &second);
    assert_status(STATUS_UNAVAILABLE, second.status);
    rpc_client_free(client);
    fixture_start_server(&f);
    fixture_deinit(&f);
}

TEST("3", 0, client_connects_again_after_a_loss) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client_options options = rpc_client_options_default();
    options.wait_for_ready = true;
    struct rpc_client *client = fixture_client(&f, &options);
    fixture_connect(&f, client);
    fixture_stop_server(&f);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_start_server(&f);
    fixture_run(&f, outcome_known, &outcome);
    /* It was given to the broken connection, or it waited for the new one. */
    if (outcome.status != STATUS_OK) assert_status(STATUS_UNKNOWN_OUTCOME, outcome.status);
    fixture_connect(&f, client);
    struct outcome second = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &second);
    fixture_run(&f, outcome_known, &second);
    assert_status(STATUS_OK, second.status);
    buf_deinit(&outcome.reply);
    buf_deinit(&second.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

struct refusals {
    struct env *env;
    uint64_t at_ns[6];
    size_t count;
};

static void hang_up(void *arg, struct stream *stream) {
    struct refusals *refusals = arg;
    if (refusals->count < ARRAY_LEN(refusals->at_ns))
        refusals->at_ns[refusals->count++] = env_now_ns(refusals->env);
    stream_abort(stream);
}

static bool all_refused(void *arg) {
    struct refusals *refusals = arg;
    return refusals->count == ARRAY_LEN(refusals->at_ns);
}

TEST("3", 0, waits_between_attempts_to_connect_grow) {
    struct fixture f;
    fixture_init(&f);
    struct refusals refusals = {.env = f.env};
    struct listener *listener;
    struct error error;
    assert_ok(env_listen(f.env, "127.0.0.1", 0, hang_up, &refusals, &listener, &error), &error);
    struct rpc_client *client =
        rpc_client_new(&f.client_context, "127.0.0.1", listener_port(listener), NULL);
    fixture_run(&f, all_refused, &refusals);
    for (size_t i = 1; i < ARRAY_LEN(refusals.at_ns); i++) {
        uint64_t shortest_ns = (20 * NS_PER_MS << (i - 1)) / 2;
        /* Both ends of a wait are seen through the loop, to a millisecond. */
        assert_true(refusals.at_ns[i] - refusals.at_ns[i - 1] + 2 * NS_PER_MS >= shortest_ns);
    }
    rpc_client_free(client);
    listener_close(listener);
    fixture_deinit(&f);
}

TEST("2", 2, silence_of_a_peer_ends_the_connection) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.ping_interval_ns = 10 * NS_PER_MS;
    f.server_context.silence_timeout_ns = 50 * NS_PER_MS;
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    raw_peer_send_handshake(&peer);
    /* Half a frame, and not another byte. */
    uint8_t header[FRAME_HEADER_BYTES];
    frame_encode_header(&(struct frame){.kind = FRAME_REQUEST, .method = 1}, 100, header);
    stream_write(peer.stream, slice_of(header, sizeof header));
    stream_write(peer.stream, HELLO);
    fixture_run(&f, raw_peer_closed, &peer);
    assert_int_equal(0, rpc_server_connections(f.server));
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

TEST("2", 3, idle_connection_is_kept_up_by_pings) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.ping_interval_ns = f.client_context.ping_interval_ns = 20 * NS_PER_MS;
    f.server_context.silence_timeout_ns = f.client_context.silence_timeout_ns = 200 * NS_PER_MS;
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    uint64_t frames = f.client_context.frames_out->value;
    fixture_run_for(&f, 600 * NS_PER_MS);
    assert_true(rpc_client_connected(client));
    assert_true(f.client_context.frames_out->value > frames);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- handshakes ----------------------------------------------------------------------------- */

/* Introduces itself as `identity` at `clock`; expects to be turned away, with `why` in the
 * message. */
static void assert_refused(struct fixture *f, const struct rpc_identity *identity,
                           hlc_timestamp clock, const char *why) {
    struct raw_peer peer;
    raw_peer_dial(f, &peer);
    raw_peer_introduce(&peer, identity, clock);
    fixture_run(f, raw_peer_closed, &peer);
    buf_append_byte(&peer.received, 0);
    assert_non_null(memmem(peer.received.data, peer.received.len, why, strlen(why)));
    raw_peer_deinit(&peer);
}

TEST("2", 1, node_of_another_cluster_is_refused_and_told_why) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.self.cluster_id = 1;
    struct rpc_identity stranger = {.cluster_id = 2, .protocol_version = RPC_PROTOCOL_VERSION};
    assert_refused(&f, &stranger, 0, "another cluster");
    fixture_deinit(&f);
}

TEST("2", 1, other_protocol_version_is_refused) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_identity newer = {.protocol_version = 9};
    assert_refused(&f, &newer, 0, "protocol version 9");
    fixture_deinit(&f);
}

static enum status refuse_node_7(void *arg, const struct rpc_identity *peer, struct error *error) {
    *(struct rpc_identity *)arg = *peer;
    if (peer->node_id == 7) return error_set(error, STATUS_EXISTS, "node 7 is taken");
    return STATUS_OK;
}

TEST("2", 1, check_of_the_owner_may_refuse_and_sees_the_whole_handshake) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_identity seen = {0};
    f.server_context.check = refuse_node_7;
    f.server_context.check_arg = &seen;
    struct rpc_identity seven = {.node_id = 7,
                                 .instance_id = UINT64_C(0x1234567812345678),
                                 .listen_address = "10.0.0.7:9001",
                                 .protocol_version = RPC_PROTOCOL_VERSION,
                                 .feature_level = 3};
    assert_refused(&f, &seven, 0, "node 7 is taken");
    assert_memory_equal(&seven, &seen, sizeof seen);
    fixture_deinit(&f);
}

TEST("2", 1, clock_too_far_ahead_is_refused) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_identity client = {.protocol_version = RPC_PROTOCOL_VERSION};
    assert_refused(&f, &client, hlc_from_wall(env_wall_ns(f.env) + 3600 * NS_PER_S), "clock");
    fixture_deinit(&f);
}

static bool has_error(void *client) { return rpc_client_last_error(client)->status != STATUS_OK; }

TEST("3", 2, client_that_was_refused_says_why_and_its_calls_are_unavailable) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.self.cluster_id = 1;
    f.client_context.self.cluster_id = 2;
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_UNAVAILABLE, outcome.status);
    assert_non_null(strstr(outcome.error.message, "another cluster"));
    fixture_run(&f, has_error, client);
    assert_non_null(strstr(rpc_client_last_error(client)->message, "another cluster"));
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 1, frames_carry_clocks_forward) {
    struct fixture f;
    fixture_init(&f);
    hlc_timestamp ahead = hlc_from_wall(env_wall_ns(f.env) + 300 * NS_PER_MS);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    hlc_advance(&f.client_clock, ahead);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_true(f.server_clock.latest > ahead);
    buf_deinit(&outcome.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- bad input ------------------------------------------------------------------------------ */

TEST("2", 2, oversize_frame_closes_the_connection_with_a_clear_message) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.payload_limit_bytes = 1000;
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    raw_peer_send_handshake(&peer);
    uint8_t header[FRAME_HEADER_BYTES];
    frame_encode_header(&(struct frame){.kind = FRAME_REQUEST, .method = 1}, 1001, header);
    stream_write(peer.stream, slice_of(header, sizeof header));
    fixture_run(&f, raw_peer_closed, &peer);
    buf_append_byte(&peer.received, 0);
    const char *message = "frame of 1001 bytes, the limit is 1000";
    assert_non_null(memmem(peer.received.data, peer.received.len, message, strlen(message)));
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

TEST("2", 2, stranger_before_the_handshake_gets_no_memory) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    uint8_t header[FRAME_HEADER_BYTES];
    frame_encode_header(&(struct frame){.kind = FRAME_HANDSHAKE}, FRAME_HANDSHAKE_LIMIT + 1,
                        header);
    stream_write(peer.stream, slice_of(FRAME_PREFACE, FRAME_PREFACE_BYTES));
    stream_write(peer.stream, slice_of(header, sizeof header));
    fixture_run(&f, raw_peer_closed, &peer);
    /* For its size, and not because the time for a handshake was over. */
    char message[64];
    (void)snprintf(message, sizeof message, "the limit is %d", FRAME_HANDSHAKE_LIMIT);
    assert_non_null(memmem(peer.received.data, peer.received.len, message, strlen(message)));
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

TEST("2", 3, garbage_behind_the_preface_closes_the_connection_and_the_server_lives) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    stream_write(peer.stream, SLICE_LITERAL(FRAME_PREFACE));
    struct prng prng;
    prng_seed(&prng, 11);
    for (int i = 0; i < 100; i++) {
        uint64_t noise = prng_u64(&prng);
        stream_write(peer.stream, slice_of(&noise, sizeof noise));
    }
    fixture_run(&f, raw_peer_closed, &peer);
    raw_peer_deinit(&peer);

    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 1, call_before_the_handshake_is_refused) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    struct buf bytes = BUF_INIT;
    buf_append_string(&bytes, FRAME_PREFACE);
    frame_append(&bytes, &(struct frame){.kind = FRAME_REQUEST, .method = METHOD_HOLD});
    stream_write(peer.stream, buf_slice(&bytes));
    fixture_run(&f, raw_peer_closed, &peer);
    assert_int_equal(0, f.held_count);
    buf_deinit(&bytes);
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

struct dribble {
    struct fixture *fixture;
    struct raw_peer peer;
    struct buf bytes;
    size_t sent;
    struct env_timer timer;
};

static void send_one_byte(void *arg) {
    struct dribble *dribble = arg;
    if (dribble->sent == dribble->bytes.len || !dribble->peer.stream) return;
    stream_write(dribble->peer.stream, slice_of(dribble->bytes.data + dribble->sent++, 1));
    env_timer_start(dribble->fixture->env, &dribble->timer, env_now_ns(dribble->fixture->env));
}

static bool something_collected(void *arg) { return ((struct fixture *)arg)->collected_count > 0; }

TEST("2", 0, connection_whose_bytes_come_one_by_one_works) {
    struct fixture f;
    fixture_init(&f);
    struct dribble dribble = {.fixture = &f};
    raw_peer_dial(&f, &dribble.peer);
    /* Everything a client would say, cut into single bytes. */
    struct buf payload = BUF_INIT;
    buf_append(&payload, (const uint8_t[]){0x28, 0x01}, 2); /* RpcHandshake.protocol_version = 1 */
    buf_append_string(&dribble.bytes, FRAME_PREFACE);
    frame_append(&dribble.bytes,
                 &(struct frame){.kind = FRAME_HANDSHAKE, .payload = buf_slice(&payload)});
    frame_append(
        &dribble.bytes,
        &(struct frame){.kind = FRAME_MESSAGE, .method = METHOD_COLLECT, .payload = HELLO});
    env_timer_init(&dribble.timer, send_one_byte, &dribble);
    send_one_byte(&dribble);
    fixture_run(&f, something_collected, &f);
    assert_slice_equal(HELLO, buf_slice(&f.collected));
    env_timer_stop(&dribble.timer);
    buf_deinit(&payload);
    buf_deinit(&dribble.bytes);
    raw_peer_deinit(&dribble.peer);
    fixture_deinit(&f);
}
