/* test_rpc.c - calls and messages between a client and a server, over loopback. */
#include "co.h"
#include "mem.h"
#include "rpc_fixture.h"

#include <stdio.h>

#define HELLO SLICE_LITERAL("hello")

static bool one_is_held(void *arg) { return ((struct fixture *)arg)->held_count > 0; }

static struct error cancelled_error(void) {
    struct error error;
    (void)error_set(&error, STATUS_CANCELLED, "cancelled");
    return error;
}

TEST("2", 1, call_is_answered_with_what_the_handler_replies) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    assert_int_equal(0, outcome.count); /* never inside the call */
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_OK, outcome.status);
    assert_slice_equal(HELLO, buf_slice(&outcome.reply));
    assert_int_equal(1, rpc_client_peer(client)->node_id);
    buf_deinit(&outcome.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 4, call_made_before_the_connection_is_up_is_sent_when_it_is) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_OK, outcome.status);
    assert_slice_equal(HELLO, buf_slice(&outcome.reply));
    buf_deinit(&outcome.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 1, error_of_a_handler_reaches_the_caller_whole) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_FAIL, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_NOT_FOUND, outcome.status);
    assert_string_equal("no key 7", outcome.error.message);
    assert_true(outcome.error.retryable);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 0, unknown_method_is_answered_unsupported) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, 999, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_UNSUPPORTED, outcome.status);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 0, payload_of_eight_megabytes_goes_there_and_back) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct buf big = BUF_INIT;
    for (uint32_t i = 0; i < 2 * 1024 * 1024; i++)
        buf_append(&big, &i, sizeof i);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, buf_slice(&big), NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_OK, outcome.status);
    assert_true(slice_equal(buf_slice(&big), buf_slice(&outcome.reply)));
    buf_deinit(&big);
    buf_deinit(&outcome.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 2, call_over_the_payload_limit_is_refused_before_it_is_sent) {
    struct fixture f;
    fixture_init(&f);
    f.client_context.payload_limit_bytes = 4;
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_TOO_LARGE, outcome.status);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- deadlines and cancellation ------------------------------------------------------------- */

TEST("3", 1, call_past_its_deadline_ends_with_deadline_and_the_handler_is_cancelled) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome outcome = {0};
    struct request request = request_init(env_now_ns(f.env) + 30 * NS_PER_MS);
    rpc_call(client, METHOD_HOLD, HELLO, &request, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
    const struct request *seen = rpc_call_request(f.held[0]);
    assert_true(seen->deadline_ns != REQUEST_NO_DEADLINE);
    assert_false(seen->cancel->cancelled);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_DEADLINE, outcome.status);
    assert_true(env_now_ns(f.env) >= request.deadline_ns);

    struct outcome after = {0}; /* follows the cancel frame on the same connection */
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &after);
    fixture_run(&f, outcome_known, &after);
    assert_true(seen->cancel->cancelled);
    rpc_reply(f.held[0], HELLO);
    assert_int_equal(1, outcome.count);
    buf_deinit(&after.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("3", 1, call_whose_deadline_has_passed_already_is_not_sent) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome outcome = {0};
    struct request request = request_init(env_now_ns(f.env));
    rpc_call(client, METHOD_HOLD, HELLO, &request, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_DEADLINE, outcome.status);
    assert_int_equal(0, f.held_count);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("3", 0, request_without_a_deadline_arrives_without_one) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.trace_id = 77;
    request.priority = PRIORITY_HIGH;
    rpc_call(client, METHOD_HOLD, HELLO, &request, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
    assert_true(rpc_call_request(f.held[0])->deadline_ns == REQUEST_NO_DEADLINE);
    assert_int_equal(77, rpc_call_request(f.held[0])->trace_id);
    assert_int_equal(PRIORITY_HIGH, rpc_call_request(f.held[0])->priority);
    rpc_reply(f.held[0], HELLO);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_OK, outcome.status);
    buf_deinit(&outcome.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("3", 1, cancelled_call_has_no_callback_and_its_handler_is_told) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome outcome = {0};
    struct rpc_pending *pending =
        rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
    rpc_cancel(pending);
    struct outcome after = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &after);
    fixture_run(&f, outcome_known, &after);
    assert_true(rpc_call_request(f.held[0])->cancel->cancelled);
    struct error error = cancelled_error();
    rpc_reply_error(f.held[0], &error);
    assert_int_equal(0, outcome.count);
    buf_deinit(&after.reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("3", 1, token_of_the_request_cancels_the_call) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct cancel_token token;
    cancel_token_init(&token);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.cancel = &token;
    struct outcome outcome = {0};
    rpc_call(client, METHOD_HOLD, HELLO, &request, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
    cancel_token_cancel(&token);
    assert_int_equal(0, outcome.count); /* in a later step */
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_CANCELLED, outcome.status);
    rpc_reply(f.held[0], HELLO);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- lost connections ----------------------------------------------------------------------- */

TEST("3", 2, call_that_was_sent_when_the_connection_broke_has_an_unknown_outcome) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
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

TEST("3", 2, silence_of_a_peer_ends_the_connection) {
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

static bool time_is_up(void *arg) {
    struct env_timer *timer = arg;
    return !env_timer_started(timer);
}
static void do_nothing(void *arg) { (void)arg; }

TEST("3", 3, idle_connection_is_kept_up_by_pings) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.ping_interval_ns = f.client_context.ping_interval_ns = 20 * NS_PER_MS;
    f.server_context.silence_timeout_ns = f.client_context.silence_timeout_ns = 200 * NS_PER_MS;
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    uint64_t frames = f.client_context.frames_out->value;
    struct env_timer timer;
    memset(&timer, 0, sizeof timer);
    env_timer_init(&timer, do_nothing, NULL);
    env_timer_start(f.env, &timer, env_now_ns(f.env) + 600 * NS_PER_MS);
    fixture_run(&f, time_is_up, &timer);
    assert_true(rpc_client_connected(client));
    assert_true(f.client_context.frames_out->value > frames);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- handshakes ----------------------------------------------------------------------------- */

static bool has_error(void *client) { return rpc_client_last_error(client)->status != STATUS_OK; }

TEST("2", 1, node_of_another_cluster_is_refused_and_told_why) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.self.cluster_id = 1;
    f.client_context.self.cluster_id = 2;
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_run(&f, has_error, client);
    assert_non_null(strstr(rpc_client_last_error(client)->message, "another cluster"));
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 1, other_protocol_version_is_refused) {
    struct fixture f;
    fixture_init(&f);
    f.client_context.self.protocol_version = 9;
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_run(&f, has_error, client);
    assert_status(STATUS_UNSUPPORTED, rpc_client_last_error(client)->status);
    rpc_client_free(client);
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
    f.client_context.self.node_id = 7;
    f.client_context.self.instance_id = UINT64_C(0x1234567812345678);
    f.client_context.self.feature_level = 3;
    snprintf(f.client_context.self.listen_address, sizeof(f.client_context.self.listen_address),
             "10.0.0.7:9001");
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_UNAVAILABLE, outcome.status);
    assert_non_null(strstr(outcome.error.message, "node 7 is taken"));
    assert_true(seen.instance_id == UINT64_C(0x1234567812345678));
    assert_int_equal(3, seen.feature_level);
    assert_string_equal("10.0.0.7:9001", seen.listen_address);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("2", 1, clock_too_far_ahead_is_refused) {
    struct fixture f;
    fixture_init(&f);
    hlc_advance(&f.client_clock, hlc_from_wall(env_wall_ns(f.env) + 3600 * NS_PER_S));
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_run(&f, has_error, client);
    assert_non_null(strstr(rpc_client_last_error(client)->message, "clock"));
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

/* ---- many ----------------------------------------------------------------------------------- */

enum { PIPELINED = 100000 };

struct pipeline {
    uint64_t next; /* answers come in the order of the calls: the handler answers at once */
    uint64_t failed;
};

static void on_pipelined(void *arg, enum status status, struct slice reply,
                         const struct error *error) {
    struct pipeline *pipeline = arg;
    (void)error;
    uint64_t value = 0;
    if (reply.len == sizeof value) memcpy(&value, reply.data, sizeof value);
    if (status != STATUS_OK || value != pipeline->next) pipeline->failed++;
    pipeline->next++;
}

static bool pipeline_done(void *arg) { return ((struct pipeline *)arg)->next == PIPELINED; }

TEST("4", 3, hundred_thousand_pipelined_calls_are_answered_in_order) {
    TEST_LIMIT(30000);
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct pipeline pipeline = {0};
    uint64_t started_ns = env_now_ns(f.env);
    for (uint64_t i = 0; i < PIPELINED; i++)
        rpc_call(client, METHOD_ECHO, slice_of(&i, sizeof i), NULL, on_pipelined, &pipeline);
    fixture_run(&f, pipeline_done, &pipeline);
    print_message("%d calls in %llu ms\n", PIPELINED,
                  (unsigned long long)((env_now_ns(f.env) - started_ns) / NS_PER_MS));
    assert_int_equal(0, pipeline.failed);
    rpc_client_free(client);
    fixture_deinit(&f);
}

TEST("4", 2, calls_over_the_bound_of_a_connection_are_busy) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.max_calls_per_connection = 2;
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome outcomes[3] = {{0}};
    for (size_t i = 0; i < 3; i++)
        rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcomes[i]);
    fixture_run(&f, outcome_known, &outcomes[2]);
    assert_status(STATUS_BUSY, outcomes[2].status);
    assert_int_equal(2, f.held_count);
    rpc_reply(f.held[0], HELLO);
    rpc_reply(f.held[1], HELLO);
    fixture_run(&f, outcome_known, &outcomes[1]);
    assert_status(STATUS_OK, outcomes[1].status);
    for (size_t i = 0; i < 3; i++)
        buf_deinit(&outcomes[i].reply);
    rpc_client_free(client);
    fixture_deinit(&f);
}

static bool thousand_collected(void *arg) {
    return ((struct fixture *)arg)->collected_count == 1000;
}

TEST("4", 3, messages_arrive_in_the_order_in_which_they_were_sent) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct buf expected = BUF_INIT;
    for (uint32_t i = 0; i < 1000; i++) {
        struct slice number = slice_of(&i, sizeof i);
        buf_append_slice(&expected, number);
        buf_append_slice(&expected, HELLO);
        assert_true(rpc_send2(client, METHOD_COLLECT, number, HELLO));
    }
    fixture_run(&f, thousand_collected, &f);
    assert_true(slice_equal(buf_slice(&expected), buf_slice(&f.collected)));
    buf_deinit(&expected);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* A caller that sends and never reads. */
TEST("4", 4, peer_that_does_not_read_its_answers_is_not_read_from) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    stream_pause(peer.stream);
    raw_peer_send_handshake(&peer);
    struct buf payload = BUF_INIT;
    buf_append_zeros(&payload, 1024 * 1024);
    for (uint64_t id = 1; id <= 40; id++) {
        struct buf frame = BUF_INIT;
        frame_append(&frame, &(struct frame){.kind = FRAME_REQUEST,
                                             .method = METHOD_ECHO,
                                             .request_id = id,
                                             .payload = buf_slice(&payload)});
        stream_write(peer.stream, buf_slice(&frame));
        buf_deinit(&frame);
    }
    struct env_timer timer;
    memset(&timer, 0, sizeof timer);
    env_timer_init(&timer, do_nothing, NULL);
    env_timer_start(f.env, &timer, env_now_ns(f.env) + 300 * NS_PER_MS);
    fixture_run(&f, time_is_up, &timer);
    uint64_t answered = f.server_context.bytes_out->value;
    assert_true(answered < 40 * (uint64_t)payload.len);
    stream_resume(peer.stream);
    buf_deinit(&payload);
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

/* ---- owners that go away -------------------------------------------------------------------- */

struct suicide {
    struct rpc_client *client;
    struct outcome outcome;
};

static void free_the_client(void *arg, enum status status, struct slice reply,
                            const struct error *error) {
    struct suicide *suicide = arg;
    struct rpc_client *client = suicide->client;
    suicide->client = NULL;
    if (client) rpc_client_free(client);
    outcome_record(&suicide->outcome, status, reply, error);
}

TEST("4", 1, client_may_be_freed_in_a_callback_and_the_other_calls_are_cancelled) {
    struct fixture f;
    fixture_init(&f);
    struct suicide suicide = {.client = fixture_client(&f, NULL)};
    fixture_connect(&f, suicide.client);
    rpc_call(suicide.client, METHOD_ECHO, HELLO, NULL, free_the_client, &suicide);
    struct outcome other = {0};
    rpc_call(suicide.client, METHOD_ECHO, HELLO, NULL, outcome_record, &other);
    fixture_run(&f, outcome_known, &suicide.outcome);
    assert_status(STATUS_OK, suicide.outcome.status);
    assert_slice_equal(HELLO, buf_slice(&suicide.outcome.reply));
    assert_status(STATUS_CANCELLED, other.status);
    buf_deinit(&suicide.outcome.reply);
    fixture_deinit(&f);
}

TEST("4", 1, call_outlives_its_server) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, one_is_held, &f);
    rpc_client_free(client);
    assert_status(STATUS_CANCELLED, outcome.status);
    fixture_deinit(&f);
    rpc_reply(f.held[0], HELLO);
}

/* ---- from a coroutine ----------------------------------------------------------------------- */

struct awaiting {
    struct rpc_client *client;
    uint32_t method;
    struct outcome outcome;
};

static void await_answer(void *arg) {
    struct awaiting *awaiting = arg;
    awaiting->outcome.status = rpc_call_co(awaiting->client, awaiting->method, HELLO, NULL,
                                           &awaiting->outcome.reply, &awaiting->outcome.error);
    awaiting->outcome.count++;
}

TEST("4", 0, coroutine_awaits_the_answer_of_a_call) {
    struct fixture f;
    fixture_init(&f);
    struct co_pool *pool = co_pool_new(f.env, 4);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct awaiting good = {.client = client, .method = METHOD_ECHO};
    struct awaiting bad = {.client = client, .method = METHOD_FAIL};
    assert_status(STATUS_OK, co_spawn(pool, await_answer, &good, NULL));
    assert_status(STATUS_OK, co_spawn(pool, await_answer, &bad, NULL));
    fixture_run(&f, outcome_known, &good.outcome);
    fixture_run(&f, outcome_known, &bad.outcome);
    assert_status(STATUS_OK, good.outcome.status);
    assert_slice_equal(HELLO, buf_slice(&good.outcome.reply));
    assert_status(STATUS_NOT_FOUND, bad.outcome.status);
    assert_string_equal("no key 7", bad.outcome.error.message);
    buf_deinit(&good.outcome.reply);
    rpc_client_free(client);
    co_pool_free(pool);
    fixture_deinit(&f);
}

TEST("4", 1, cancelled_coroutine_gives_up_its_call) {
    struct fixture f;
    fixture_init(&f);
    struct co_pool *pool = co_pool_new(f.env, 4);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct awaiting awaiting = {.client = client, .method = METHOD_HOLD};
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, await_answer, &awaiting, &co));
    fixture_run(&f, one_is_held, &f);
    co_cancel(co);
    fixture_run(&f, outcome_known, &awaiting.outcome);
    assert_status(STATUS_CANCELLED, awaiting.outcome.status);
    rpc_reply(f.held[0], HELLO);
    rpc_client_free(client);
    co_pool_free(pool);
    fixture_deinit(&f);
}
