/* test_env_stream.c - streams over loopback: delivery, pauses, watermarks, ends. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "env_uv.h"
#include "harness.h"

/* One end of a connection, with everything that happened to it. */
struct end {
    struct stream *stream;
    struct buf received; /* what was consumed */
    size_t inputs;
    size_t drains;
    bool keep_unread; /* on_input leaves everything */
    bool echo;
    bool open;
    bool closed;
    enum status reason;
    size_t to_send; /* pumped as the watermarks allow */
    size_t sent;
    size_t stop_at; /* received bytes at which the loop stops */
};

static struct env *env;
static struct error error;
static struct listener *listener;
static struct end server, client;
static bool stop_on_close;

/* ---- handlers ------------------------------------------------------------------------------ */

static uint8_t byte_at(size_t position) { return (uint8_t)(position * 31 + position / 251); }

static void pump(struct end *end) {
    uint8_t chunk[40000];
    while (end->sent < end->to_send && stream_writable(end->stream)) {
        size_t len = end->to_send - end->sent;
        if (len > sizeof(chunk)) len = sizeof(chunk);
        for (size_t i = 0; i < len; i++) {
            chunk[i] = byte_at(end->sent + i);
        }
        stream_write(end->stream, slice_of(chunk, len));
        end->sent += len;
    }
}

static void on_open(void *arg, struct stream *stream) {
    struct end *end = arg;
    (void)stream;
    end->open = true;
    pump(end);
}

static void on_input(void *arg, struct stream *stream) {
    struct end *end = arg;
    assert_false(end->closed);
    end->inputs++;
    if (end->keep_unread) return;
    struct slice input = stream_input(stream);
    buf_append_slice(&end->received, input);
    if (end->echo) stream_write(stream, input);
    stream_consume(stream, input.len);
    if (end->stop_at > 0 && end->received.len >= end->stop_at) env_stop(env);
}

static void on_drain(void *arg, struct stream *stream) {
    struct end *end = arg;
    end->drains++;
    assert_true(stream_pending(stream) < STREAM_LOW_WATERMARK);
    pump(end);
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct end *end = arg;
    assert_ptr_equal(end->stream, stream);
    assert_false(end->closed);
    end->closed = true;
    end->stream = NULL;
    end->reason = reason;
    if (stop_on_close) env_stop(env);
}

static const struct stream_handler handler = {on_open, on_input, on_drain, on_close};

static void on_accept(void *arg, struct stream *stream) {
    struct end *end = arg;
    end->stream = stream;
    end->open = true;
    stream_set_handler(stream, &handler, end);
    if (client.open) env_stop(env);
}

/* The client's on_open, until both ends are there. */
static void on_open_first(void *arg, struct stream *stream) {
    on_open(arg, stream);
    if (server.open) env_stop(env);
}

/* ---- arranging ----------------------------------------------------------------------------- */

static void start(void) {
    struct log log;
    log_init_null(&log);
    env = env_uv_new(&log);
    stop_on_close = true;
    assert_ok(env_listen(env, "127.0.0.1", 0, on_accept, &server, &listener, &error), &error);
}

/* Both ends open, no bytes exchanged yet. */
static void connect_ends(void) {
    static const struct stream_handler first = {on_open_first, on_input, on_drain, on_close};
    client.stream = env_dial(env, "127.0.0.1", listener_port(listener), NS_PER_S, &first, &client);
    env_run(env);
    assert_true(client.open && server.open);
    stream_set_handler(client.stream, &handler, &client);
}

static void finish(void) {
    listener_close(listener);
    env_uv_free(env);
    buf_deinit(&server.received);
    buf_deinit(&client.received);
}

static void stop(void *arg) {
    (void)arg;
    env_stop(env);
}

/* Runs until nothing more is on its way over loopback. Only to show that something does not
 * happen; where something must, the tests wait for it. */
static void run_for(uint64_t ms) {
    struct env_timer timer;
    env_timer_init(&timer, stop, NULL);
    env_timer_start(env, &timer, env_now_ns(env) + ms * NS_PER_MS);
    env_run(env);
    env_timer_stop(&timer);
}

static void run_until_received(struct end *end, size_t len) {
    end->stop_at = len;
    if (end->received.len < len) env_run(env);
    end->stop_at = 0;
    assert_true(end->received.len >= len);
}

/* ---- delivery ------------------------------------------------------------------------------ */

TEST("1", 0, ten_megabytes_each_way_arrive_in_order) {
    enum { TOTAL = 10 * 1024 * 1024 };
    start();
    connect_ends();
    server.echo = true;
    client.to_send = TOTAL;
    pump(&client);
    run_until_received(&client, TOTAL);
    assert_int_equal(TOTAL, client.received.len);
    assert_int_equal(TOTAL, server.received.len);
    for (size_t i = 0; i < TOTAL; i++) {
        if (client.received.data[i] != byte_at(i)) fail_msg("byte %zu differs", i);
    }
    assert_true(client.drains > 0);
    finish();
}

TEST("1", 2, no_callback_runs_inside_a_call) {
    start();
    client.stream =
        env_dial(env, "127.0.0.1", listener_port(listener), NS_PER_S, &handler, &client);
    assert_false(client.open);
    stream_write(client.stream, SLICE_LITERAL("early")); /* before the connection: kept */
    assert_int_equal(5, stream_pending(client.stream));
    run_until_received(&server, 5);
    server.keep_unread = true;
    size_t before = server.inputs;
    stream_write(client.stream, SLICE_LITERAL("more"));
    while (server.inputs == before) {
        run_for(1);
    }
    before = server.inputs;
    stream_set_handler(server.stream, &handler, &server);
    stream_resume(server.stream);
    assert_int_equal(before, server.inputs);
    finish();
}

TEST("1", 3, writes_of_one_turn_leave_as_one) {
    start();
    connect_ends();
    for (int i = 0; i < 100; i++) {
        stream_write(client.stream, SLICE_LITERAL("0123456789"));
    }
    assert_int_equal(1000, stream_pending(client.stream));
    run_until_received(&server, 1000);
    assert_int_equal(1, server.inputs);
    finish();
}

TEST("1", 0, the_peer_is_named_for_logs) {
    start();
    connect_ends();
    assert_memory_equal("127.0.0.1:", stream_peer(server.stream), 10);
    assert_memory_equal("127.0.0.1:", stream_peer(client.stream), 10);
    finish();
}

/* ---- unread input, pauses, limits ----------------------------------------------------------- */

TEST("2", 0, unread_input_is_kept_and_announced_again_after_a_hand_over) {
    start();
    connect_ends();
    server.keep_unread = true;
    stream_write(client.stream, SLICE_LITERAL("peeked at"));
    while (server.inputs == 0) {
        run_for(1);
    }
    assert_slice_equal(SLICE_LITERAL("peeked at"), stream_input(server.stream));
    run_for(5);
    assert_int_equal(1, server.inputs); /* not again by itself */
    struct end next = {.stream = server.stream, .stop_at = 4};
    stream_consume(server.stream, 5);
    stream_set_handler(server.stream, &handler, &next);
    env_run(env);
    assert_slice_equal(SLICE_LITERAL("d at"), buf_slice(&next.received));
    buf_deinit(&next.received);
    finish();
}

TEST("2", 0, a_paused_stream_is_silent_until_resumed) {
    start();
    connect_ends();
    stream_pause(server.stream);
    stream_write(client.stream, SLICE_LITERAL("hello"));
    run_for(10);
    assert_int_equal(0, server.inputs);
    stream_resume(server.stream);
    run_until_received(&server, 5);
    assert_int_equal(1, server.inputs);
    finish();
}

TEST("2", 0, reading_stops_at_the_limit_and_goes_on_when_consumed) {
    enum { TOTAL = 8 * 1024 * 1024, LIMIT = 64 * 1024 };
    start();
    connect_ends();
    server.keep_unread = true;
    stream_set_read_limit(server.stream, LIMIT);
    client.to_send = TOTAL;
    pump(&client);
    while (stream_input(server.stream).len < LIMIT) {
        run_for(1);
    }
    run_for(20);
    assert_true(stream_input(server.stream).len < 4 * LIMIT);
    assert_true(stream_pending(client.stream) > 0); /* the sender is held back */
    server.keep_unread = false;
    stream_resume(server.stream);
    run_until_received(&server, TOTAL);
    for (size_t i = 0; i < TOTAL; i++) {
        if (server.received.data[i] != byte_at(i)) fail_msg("byte %zu differs", i);
    }
    finish();
}

TEST("2", 0, output_above_the_high_watermark_is_followed_by_one_on_drain) {
    start();
    connect_ends();
    stream_pause(server.stream);
    stream_set_read_limit(server.stream, 1024);
    client.to_send = 6 * 1024 * 1024;
    while (client.sent < client.to_send) { /* without heed to the watermark */
        stream_write(client.stream, SLICE_LITERAL("0123456789abcdef"));
        client.sent += 16;
    }
    assert_false(stream_writable(client.stream));
    run_for(5);
    assert_int_equal(0, client.drains);
    stream_set_read_limit(server.stream, STREAM_READ_LIMIT_DEFAULT);
    stream_resume(server.stream);
    run_until_received(&server, client.to_send);
    while (client.drains == 0) {
        run_for(1);
    }
    run_for(5);
    assert_int_equal(1, client.drains);
    finish();
}

/* ---- ends ---------------------------------------------------------------------------------- */

TEST("3", 0, close_sends_what_is_pending_first) {
    enum { TOTAL = 4 * 1024 * 1024 };
    start();
    connect_ends();
    client.to_send = TOTAL;
    while (client.sent < TOTAL) {
        stream_write(client.stream, SLICE_LITERAL("0123456789abcdef"));
        client.sent += 16;
    }
    stream_close(client.stream);
    while (!server.closed) {
        env_run(env);
    }
    assert_int_equal(TOTAL, server.received.len);
    assert_status(STATUS_CLOSED, server.reason);
    assert_false(client.closed); /* no callback after our own close */
    finish();
}

TEST("3", 0, an_answer_arrives_though_the_request_was_not_read_to_its_end) {
    start();
    connect_ends();
    server.keep_unread = true;
    client.to_send = 900 * 1024;
    pump(&client);
    while (server.inputs == 0) {
        run_for(1);
    }
    stream_write(server.stream, SLICE_LITERAL("too large"));
    stream_close(server.stream);
    while (!client.closed) {
        env_run(env);
    }
    assert_slice_equal(SLICE_LITERAL("too large"), buf_slice(&client.received));
    assert_status(STATUS_CLOSED, client.reason);
    finish();
}

TEST("3", 0, the_end_comes_after_the_input_and_does_not_wait_for_its_consumption) {
    start();
    connect_ends();
    server.keep_unread = true;
    stream_write(client.stream, SLICE_LITERAL("half a mess"));
    stream_close(client.stream);
    while (!server.closed) {
        env_run(env);
    }
    assert_int_equal(1, server.inputs);
    assert_status(STATUS_CLOSED, server.reason);
    finish();
}

TEST("3", 0, a_paused_owner_gets_the_input_before_the_end) {
    start();
    connect_ends();
    stream_pause(server.stream);
    stream_write(client.stream, SLICE_LITERAL("goodbye"));
    stream_close(client.stream);
    run_for(10);
    assert_false(server.closed);
    stream_resume(server.stream);
    while (!server.closed) {
        env_run(env);
    }
    assert_slice_equal(SLICE_LITERAL("goodbye"), buf_slice(&server.received));
    finish();
}

TEST("3", 0, a_paused_owner_without_input_learns_of_the_end_at_once) {
    start();
    connect_ends();
    stream_pause(server.stream);
    stream_close(client.stream);
    while (!server.closed) {
        env_run(env);
    }
    assert_status(STATUS_CLOSED, server.reason);
    finish();
}

TEST("3", 0, an_answer_written_when_the_peer_has_ended_its_side_is_sent) {
    start();
    connect_ends();
    server.echo = true;
    stream_write(client.stream, SLICE_LITERAL("last words"));
    stream_close(client.stream); /* ends its side, then listens for ours */
    while (!server.closed) {
        env_run(env);
    }
    assert_slice_equal(SLICE_LITERAL("last words"), buf_slice(&server.received));
    finish();
}

static void abort_inside(void *arg, struct stream *stream) {
    struct end *end = arg;
    end->inputs++;
    end->stream = NULL;
    stream_abort(stream);
    stream_write(stream, SLICE_LITERAL("into the void")); /* valid until we return */
    env_stop(env);
}

TEST("3", 0, a_stream_may_be_aborted_inside_its_callback) {
    static const struct stream_handler aborting = {.on_input = abort_inside, .on_close = on_close};
    start();
    connect_ends();
    stream_set_handler(server.stream, &aborting, &server);
    stream_write(client.stream, SLICE_LITERAL("x"));
    env_run(env);
    while (!client.closed) {
        env_run(env);
    }
    assert_int_equal(1, server.inputs);
    assert_false(server.closed);
    finish();
}

TEST("3", 0, writing_to_a_peer_that_is_gone_ends_in_on_close) {
    start();
    connect_ends();
    stream_abort(server.stream);
    for (int i = 0; i < 100 && !client.closed; i++) {
        stream_write(client.stream, SLICE_LITERAL("anybody there?"));
        run_for(1);
    }
    assert_true(client.closed);
    finish();
}

TEST("3", 0, a_reset_breaks_the_stream_even_of_a_paused_owner) {
    start();
    connect_ends();
    server.keep_unread = true;
    stream_set_read_limit(server.stream, 1);
    client.to_send = 900 * 1024;
    pump(&client);
    while (server.inputs == 0) {
        run_for(1);
    }
    stream_write(server.stream, SLICE_LITERAL("unread"));
    stream_pause(client.stream);
    while (stream_input(client.stream).len == 0) {
        run_for(1);
    }
    stream_abort(server.stream); /* with input unread: the system sends a reset */
    while (!client.closed) {
        env_run(env);
    }
    assert_status(STATUS_IO, client.reason);
    finish();
}

TEST("3", 0, a_stream_may_be_aborted_in_the_turn_in_which_it_was_written) {
    start();
    connect_ends();
    stream_write(client.stream, SLICE_LITERAL("never sent"));
    stream_write(server.stream, SLICE_LITERAL("sent"));
    stream_abort(client.stream);
    while (!server.closed) {
        env_run(env);
    }
    assert_int_equal(0, server.received.len);
    finish();
}

/* ---- dial and listen ------------------------------------------------------------------------ */

TEST("4", 2, a_refused_dial_is_unavailable_in_a_later_step) {
    start();
    uint16_t port = listener_port(listener);
    listener_close(listener);
    client.stream = env_dial(env, "127.0.0.1", port, NS_PER_S, &handler, &client);
    assert_false(client.closed);
    env_run(env);
    assert_true(client.closed);
    assert_false(client.open);
    assert_status(STATUS_UNAVAILABLE, client.reason);
    listener = NULL;
    finish();
}

/* A port whose queue of connections is full: the system answers no more of them. */
static uint16_t fill_a_port(int sockets[16]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    sockets[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(0, bind(sockets[0], (struct sockaddr *)&address, len));
    assert_int_equal(0, listen(sockets[0], 0));
    assert_int_equal(0, getsockname(sockets[0], (struct sockaddr *)&address, &len));
    for (int i = 1; i < 16; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(0, fcntl(sockets[i], F_SETFL, O_NONBLOCK));
        (void)!connect(sockets[i], (struct sockaddr *)&address, len);
    }
    return ntohs(address.sin_port);
}

TEST("4", 0, a_dial_that_nobody_answers_ends_at_its_deadline) {
    int sockets[16];
    start();
    uint16_t port = fill_a_port(sockets);
    uint64_t before = env_now_ns(env);
    client.stream = env_dial(env, "127.0.0.1", port, 20 * NS_PER_MS, &handler, &client);
    env_run(env);
    assert_status(STATUS_DEADLINE, client.reason);
    assert_true(env_now_ns(env) - before >= 20 * NS_PER_MS);
    for (int i = 0; i < 16; i++) {
        close(sockets[i]);
    }
    finish();
}

TEST("4", 0, a_dial_without_a_limit_of_time_works) {
    start();
    client.stream =
        env_dial(env, "127.0.0.1", listener_port(listener), UINT64_MAX, &handler, &client);
    stream_write(client.stream, SLICE_LITERAL("hello"));
    run_until_received(&server, 5);
    finish();
}

TEST("4", 0, a_listener_may_be_given_a_name) {
    start();
    struct listener *named;
    assert_ok(env_listen(env, "localhost", 0, on_accept, &server, &named, &error), &error);
    client.stream = env_dial(env, "localhost", listener_port(named), NS_PER_S, &handler, &client);
    stream_write(client.stream, SLICE_LITERAL("hello"));
    run_until_received(&server, 5);
    listener_close(named);
    assert_status(STATUS_IO,
                  env_listen(env, "no-such-host.invalid", 0, on_accept, &server, &named, &error));
    finish();
}

TEST("4", 0, a_name_is_looked_up_and_its_addresses_tried_in_turn) {
    start();
    client.stream =
        env_dial(env, "localhost", listener_port(listener), NS_PER_S, &handler, &client);
    stream_write(client.stream, SLICE_LITERAL("hello"));
    run_until_received(&server, 5);
    assert_true(client.open);
    finish();
}

TEST("4", 0, a_name_that_does_not_exist_is_unavailable) {
    start();
    client.stream = env_dial(env, "no-such-host.invalid", 1, 9 * NS_PER_S, &handler, &client);
    env_run(env);
    assert_status(STATUS_UNAVAILABLE, client.reason);
    finish();
}

TEST("4", 0, a_dial_may_be_closed_at_any_time) {
    static const char *const hosts[] = {"127.0.0.1", "localhost", "192.0.2.1"};
    start();
    for (size_t i = 0; i < 3; i++) {
        client.stream =
            env_dial(env, hosts[i], listener_port(listener), NS_PER_S, &handler, &client);
        stream_write(client.stream, SLICE_LITERAL("never sent"));
        if (i != 1) run_for(1);
        if (client.stream != NULL) stream_close(client.stream);
        client.open = false;
    }
    run_for(5);
    finish();
}

TEST("4", 0, a_port_in_use_is_refused_by_name) {
    start();
    struct listener *second;
    char port[16];
    snprintf(port, sizeof(port), "port %u", (unsigned)listener_port(listener));
    assert_status(STATUS_IN_USE, env_listen(env, "127.0.0.1", listener_port(listener), on_accept,
                                            &server, &second, &error));
    assert_non_null(strstr(error.message, port));
    assert_status(STATUS_IN_USE, env_listen(env, "", listener_port(listener), on_accept, &server,
                                            &second, &error));
    finish();
}

TEST("4", 0, a_closed_port_can_be_listened_on_again_at_once) {
    start();
    connect_ends();
    uint16_t port = listener_port(listener);
    listener_close(listener);
    stream_abort(server.stream); /* leaves the connection in TIME_WAIT or the like */
    run_for(1);
    assert_ok(env_listen(env, "127.0.0.1", port, on_accept, &server, &listener, &error), &error);
    finish();
}

TEST("4", 0, an_address_that_is_not_ours_cannot_be_listened_on) {
    start();
    struct listener *second;
    assert_status(STATUS_IO, env_listen(env, "192.0.2.1", 0, on_accept, &server, &second, &error));
    assert_non_null(strstr(error.message, "192.0.2.1"));
    finish();
}

/* ---- the end of the env --------------------------------------------------------------------- */

TEST("5", 0, freeing_the_env_drops_whatever_is_open_without_callbacks) {
    static struct end dialling[4];
    static const char *const hosts[] = {"127.0.0.1", "localhost", "192.0.2.1", "no-such.invalid"};
    start();
    connect_ends();
    stream_write(client.stream, SLICE_LITERAL("never sent"));
    stream_write(server.stream, SLICE_LITERAL("closing"));
    stream_close(server.stream);
    for (size_t i = 0; i < 4; i++) {
        dialling[i].stream =
            env_dial(env, hosts[i], listener_port(listener), NS_PER_S, &handler, &dialling[i]);
    }
    struct env_timer timer = {.callback = stop};
    env_timer_start(env, &timer, 0);
    env_uv_free(env);
    assert_false(env_timer_started(&timer));
    assert_false(client.closed);
    for (size_t i = 0; i < 4; i++) {
        assert_false(dialling[i].open || dialling[i].closed);
    }
}
