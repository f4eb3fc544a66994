/* test_rpc.c - calls and messages between a client and a server, over loopback. */
#include "co.h"
#include "mem.h"
#include "rpc_fixture.h"

#define HELLO SLICE_LITERAL("hello")

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
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    f.client_context.payload_limit_bytes = 4;
    struct outcome outcome = {0};
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_TOO_LARGE, outcome.status);
    rpc_client_free(client);
    fixture_deinit(&f);
}

/* ---- what a server makes of a request ------------------------------------------------------- */

/* A caller that speaks bytes; its first call is held when this returns. */
static struct rpc_call *raw_request(struct fixture *f, struct raw_peer *peer, uint32_t timeout_ms) {
    raw_peer_dial(f, peer);
    raw_peer_send_handshake(peer);
    struct buf bytes = BUF_INIT;
    frame_append(&bytes, &(struct frame){.kind = FRAME_REQUEST,
                                         .method = METHOD_HOLD,
                                         .timeout_ms = timeout_ms,
                                         .request_id = 5});
    stream_write(peer->stream, buf_slice(&bytes));
    buf_deinit(&bytes);
    fixture_run(f, fixture_holds_a_call, f);
    return f->held[0];
}

TEST("2", 0, time_left_in_a_request_is_a_deadline_on_the_clock_of_the_server) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    uint64_t before_ns = env_now_ns(f.env);
    struct rpc_call *call = raw_request(&f, &peer, 60000);
    uint64_t deadline_ns = rpc_call_request(call)->deadline_ns;
    assert_true(deadline_ns >= before_ns + 60000 * NS_PER_MS);
    assert_true(deadline_ns <= env_now_ns(f.env) + 60000 * NS_PER_MS);
    rpc_reply(call, HELLO);
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

static bool is_cancelled(void *call) { return rpc_call_request(call)->cancel->cancelled; }

TEST("2", 3, cancel_frame_fires_the_token_of_its_call_and_no_answer_is_sent) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    struct rpc_call *call = raw_request(&f, &peer, 0);
    struct buf bytes = BUF_INIT;
    frame_append(&bytes, &(struct frame){.kind = FRAME_CANCEL, .request_id = 6});
    frame_append(&bytes, &(struct frame){.kind = FRAME_CANCEL, .request_id = 5});
    stream_write(peer.stream, buf_slice(&bytes));
    fixture_run(&f, is_cancelled, call);
    uint64_t frames = f.server_context.frames_out->value;
    rpc_reply(call, HELLO);
    assert_int_equal(frames, f.server_context.frames_out->value);
    buf_deinit(&bytes);
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

static bool echo_is_back(void *peer) {
    const struct buf *received = &((struct raw_peer *)peer)->received;
    return received->len > 0 && memmem(received->data, received->len, "hello", 5);
}

TEST("2", 2, request_id_in_use_is_refused_and_the_first_call_lives) {
    struct fixture f;
    fixture_init(&f);
    struct raw_peer peer;
    struct rpc_call *call = raw_request(&f, &peer, 0);
    struct buf bytes = BUF_INIT;
    frame_append(&bytes,
                 &(struct frame){.kind = FRAME_REQUEST, .method = METHOD_HOLD, .request_id = 5});
    frame_append(&bytes, &(struct frame){.kind = FRAME_REQUEST,
                                         .method = METHOD_ECHO,
                                         .request_id = 6,
                                         .payload = HELLO});
    stream_write(peer.stream, buf_slice(&bytes));
    fixture_run(&f, echo_is_back, &peer);
    assert_int_equal(1, f.held_count);
    assert_false(is_cancelled(call));
    rpc_reply(call, HELLO);
    buf_deinit(&bytes);
    raw_peer_deinit(&peer);
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
    fixture_run(&f, fixture_holds_a_call, &f);
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

TEST("2", 1, call_whose_deadline_has_passed_already_is_not_sent) {
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

TEST("2", 0, request_without_a_deadline_arrives_without_one) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    struct request request = request_init(REQUEST_NO_DEADLINE);
    request.trace_id = 77;
    request.priority = PRIORITY_HIGH;
    rpc_call(client, METHOD_HOLD, HELLO, &request, outcome_record, &outcome);
    fixture_run(&f, fixture_holds_a_call, &f);
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
    fixture_run(&f, fixture_holds_a_call, &f);
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

static bool two_are_held(void *arg) { return ((struct fixture *)arg)->held_count == 2; }

TEST("3", 1, answer_that_crosses_its_cancel_is_nobodys) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    fixture_connect(&f, client);
    struct outcome first = {0};
    struct outcome second = {0};
    struct rpc_pending *pending =
        rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &first);
    rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &second);
    fixture_run(&f, two_are_held, &f);
    rpc_reply(f.held[0], SLICE_LITERAL("for the first"));
    rpc_cancel(pending);
    struct outcome after = {0}; /* its answer follows that of the first */
    rpc_call(client, METHOD_ECHO, HELLO, NULL, outcome_record, &after);
    fixture_run(&f, outcome_known, &after);
    assert_int_equal(0, first.count + second.count);
    assert_slice_equal(HELLO, buf_slice(&after.reply));
    rpc_reply(f.held[1], SLICE_LITERAL("for the second"));
    fixture_run(&f, outcome_known, &second);
    assert_slice_equal(SLICE_LITERAL("for the second"), buf_slice(&second.reply));
    buf_deinit(&after.reply);
    buf_deinit(&second.reply);
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
    fixture_run(&f, fixture_holds_a_call, &f);
    cancel_token_cancel(&token);
    assert_int_equal(0, outcome.count); /* in a later step */
    fixture_run(&f, outcome_known, &outcome);
    assert_status(STATUS_CANCELLED, outcome.status);
    rpc_reply(f.held[0], HELLO);
    rpc_client_free(client);
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

TEST("2", 3, hundred_thousand_pipelined_calls_are_answered_in_order) {
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

TEST("2", 2, calls_over_the_bound_of_a_connection_are_busy) {
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

TEST("2", 3, messages_arrive_in_the_order_in_which_they_were_sent) {
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

static bool all_are_held(void *arg) { return ((struct fixture *)arg)->held_count == 16; }
static bool nobody_is_connected(void *arg) {
    return rpc_server_connections(((struct fixture *)arg)->server) == 0;
}

static bool forty_megabytes_are_back(void *peer) {
    return ((struct raw_peer *)peer)->received.len >= (size_t)40 * 1024 * 1024;
}

/* A caller that sends and never reads. */
TEST("2", 4, peer_that_does_not_read_its_answers_is_not_read_from) {
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
    uint64_t answered;
    do { /* until nothing moves any more */
        answered = f.server_context.bytes_out->value;
        fixture_run_for(&f, 200 * NS_PER_MS);
    } while (f.server_context.bytes_out->value > answered || answered == 0);
    assert_true(answered < 40 * (uint64_t)payload.len);
    stream_resume(peer.stream);
    fixture_run(&f, forty_megabytes_are_back, &peer); /* and then it goes on */
    buf_deinit(&payload);
    raw_peer_deinit(&peer);
    fixture_deinit(&f);
}

TEST("2", 4, peer_whose_unread_answers_fill_the_output_is_cut_off) {
    struct fixture f;
    fixture_init(&f);
    f.server_context.output_limit_bytes = 1024 * 1024;
    struct raw_peer peer;
    raw_peer_dial(&f, &peer);
    stream_pause(peer.stream);
    raw_peer_send_handshake(&peer);
    for (uint64_t id = 1; id <= 16; id++) {
        struct buf frame = BUF_INIT;
        frame_append(&frame, &(struct frame){
                                 .kind = FRAME_REQUEST, .method = METHOD_HOLD, .request_id = id});
        stream_write(peer.stream, buf_slice(&frame));
        buf_deinit(&frame);
    }
    fixture_run(&f, all_are_held, &f);
    struct buf answer = BUF_INIT;
    buf_append_zeros(&answer, 1024 * 1024);
    for (size_t i = 0; i < 16; i++)
        rpc_reply(f.held[i], buf_slice(&answer));
    fixture_run(&f, nobody_is_connected, &f);
    assert_true(f.server_context.bytes_out->value < 8 * (uint64_t)answer.len);
    buf_deinit(&answer);
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

TEST("2", 1, client_may_be_freed_in_a_callback_and_the_other_calls_are_cancelled) {
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

TEST("2", 1, call_outlives_its_server) {
    struct fixture f;
    fixture_init(&f);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct outcome outcome = {0};
    rpc_call(client, METHOD_HOLD, HELLO, NULL, outcome_record, &outcome);
    fixture_run(&f, fixture_holds_a_call, &f);
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

TEST("2", 0, coroutine_awaits_the_answer_of_a_call) {
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

TEST("3", 1, cancelled_coroutine_gives_up_its_call) {
    struct fixture f;
    fixture_init(&f);
    struct co_pool *pool = co_pool_new(f.env, 4);
    struct rpc_client *client = fixture_client(&f, NULL);
    struct awaiting awaiting = {.client = client, .method = METHOD_HOLD};
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, await_answer, &awaiting, &co));
    fixture_run(&f, fixture_holds_a_call, &f);
    co_cancel(co);
    fixture_run(&f, outcome_known, &awaiting.outcome);
    assert_status(STATUS_CANCELLED, awaiting.outcome.status);
    rpc_reply(f.held[0], HELLO);
    rpc_client_free(client);
    co_pool_free(pool);
    fixture_deinit(&f);
}
