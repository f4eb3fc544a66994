/* test_port.c - one port, several protocols (port.h). */
#include <stdio.h>

#include "mem.h"
#include "rpc_fixture.h"

/* A protocol whose clients begin with a certain word; keeps what it is given. */
struct word_protocol {
    size_t accepted;
    struct stream *stream;
    struct buf first_bytes;
};

static enum port_match match_word(struct slice first, const char *word) {
    size_t have = first.len < strlen(word) ? first.len : strlen(word);
    if (memcmp(first.data, word, have) != 0) return PORT_NO;
    return have == strlen(word) ? PORT_YES : PORT_NEED_MORE;
}
static enum port_match match_get(struct slice first) { return match_word(first, "GET "); }
static enum port_match match_gex(struct slice first) { return match_word(first, "GEX"); }

static void word_on_input(void *arg, struct stream *stream) {
    struct word_protocol *protocol = arg;
    buf_append_slice(&protocol->first_bytes, stream_input(stream));
    stream_consume(stream, stream_input(stream).len);
}
static void word_on_close(void *arg, struct stream *stream, enum status reason) {
    (void)stream;
    (void)reason;
    ((struct word_protocol *)arg)->stream = NULL;
}
static const struct stream_handler word_handler = {NULL, word_on_input, NULL, word_on_close};

static void word_accept(void *arg, struct stream *stream) {
    struct word_protocol *protocol = arg;
    protocol->accepted++;
    protocol->stream = stream;
    stream_set_handler(stream, &word_handler, protocol);
}
static size_t word_connections(void *arg) { return ((struct word_protocol *)arg)->stream ? 1 : 0; }

struct word_port {
    struct fixture fixture; /* its own server is not used */
    struct port *port;
    struct word_protocol get, gex;
};

static void word_port_init(struct word_port *w, const struct port_options *base) {
    *w = (struct word_port){0};
    fixture_init(&w->fixture);
    struct port_options options = base ? *base : port_options_default();
    options.host = "127.0.0.1";
    struct error error;
    assert_ok(port_listen(w->fixture.env, &options, &w->port, &error), &error);
    port_add(w->port,
             &(struct port_protocol){"get", match_get, word_accept, word_connections, &w->get});
    port_add(w->port,
             &(struct port_protocol){"gex", match_gex, word_accept, word_connections, &w->gex});
    w->fixture.port_number = port_number(w->port);
}

static void word_port_deinit(struct word_port *w) {
    if (w->get.stream) stream_abort(w->get.stream);
    if (w->gex.stream) stream_abort(w->gex.stream);
    buf_deinit(&w->get.first_bytes);
    buf_deinit(&w->gex.first_bytes);
    port_free(w->port);
    fixture_deinit(&w->fixture);
}

static bool get_has_bytes(void *arg) { return ((struct word_port *)arg)->get.first_bytes.len > 0; }
static bool gex_has_bytes(void *arg) { return ((struct word_port *)arg)->gex.first_bytes.len > 0; }

TEST("1", 1, each_protocol_gets_its_streams_with_all_their_bytes) {
    struct word_port w;
    word_port_init(&w, NULL);
    struct raw_peer one, two;
    raw_peer_dial(&w.fixture, &one);
    raw_peer_dial(&w.fixture, &two);
    stream_write(one.stream, SLICE_LITERAL("GET / HTTP/1.1"));
    stream_write(two.stream, SLICE_LITERAL("GEX and more"));
    fixture_run(&w.fixture, get_has_bytes, &w);
    fixture_run(&w.fixture, gex_has_bytes, &w);
    assert_slice_equal(SLICE_LITERAL("GET / HTTP/1.1"), buf_slice(&w.get.first_bytes));
    assert_slice_equal(SLICE_LITERAL("GEX and more"), buf_slice(&w.gex.first_bytes));
    assert_int_equal(2, port_connections(w.port));
    raw_peer_deinit(&one);
    raw_peer_deinit(&two);
    word_port_deinit(&w);
}

struct typist {
    struct word_port *port;
    struct raw_peer peer;
    const char *text;
    size_t typed;
    struct env_timer timer;
};

static void type_one(void *arg) {
    struct typist *typist = arg;
    if (!typist->text[typist->typed] || !typist->peer.stream) return;
    stream_write(typist->peer.stream, slice_of(typist->text + typist->typed++, 1));
    env_timer_start(typist->port->fixture.env, &typist->timer,
                    env_now_ns(typist->port->fixture.env) + NS_PER_MS);
}

TEST("1", 1, protocol_is_recognized_when_its_first_bytes_come_one_by_one) {
    struct word_port w;
    word_port_init(&w, NULL);
    struct typist typist = {.port = &w, .text = "GEX"};
    raw_peer_dial(&w.fixture, &typist.peer);
    env_timer_init(&typist.timer, type_one, &typist);
    type_one(&typist);
    fixture_run(&w.fixture, gex_has_bytes, &w);
    assert_int_equal(0, w.get.accepted);
    assert_int_equal(1, w.gex.accepted);
    env_timer_stop(&typist.timer);
    raw_peer_deinit(&typist.peer);
    word_port_deinit(&w);
}

TEST("1", 1, random_bytes_on_the_port_are_closed) {
    struct word_port w;
    word_port_init(&w, NULL);
    struct prng prng;
    prng_seed(&prng, 5);
    for (int i = 0; i < 30; i++) {
        uint64_t noise[16];
        for (size_t k = 0; k < ARRAY_LEN(noise); k++)
            noise[k] = prng_u64(&prng);
        struct raw_peer peer;
        raw_peer_dial(&w.fixture, &peer);
        stream_write(peer.stream, slice_of(noise, sizeof noise));
        fixture_run(&w.fixture, raw_peer_closed, &peer);
        raw_peer_deinit(&peer);
    }
    assert_int_equal(0, w.get.accepted + w.gex.accepted);
    assert_int_equal(0, port_connections(w.port));
    word_port_deinit(&w);
}

TEST("1", 2, client_that_shows_no_protocol_in_time_is_closed) {
    struct port_options options = port_options_default();
    options.first_bytes_timeout_ns = 30 * NS_PER_MS;
    struct word_port w;
    word_port_init(&w, &options);
    struct raw_peer silent, halting;
    raw_peer_dial(&w.fixture, &silent);
    raw_peer_dial(&w.fixture, &halting);
    stream_write(halting.stream, SLICE_LITERAL("GE"));
    fixture_run(&w.fixture, raw_peer_closed, &silent);
    fixture_run(&w.fixture, raw_peer_closed, &halting);
    assert_int_equal(0, port_connections(w.port));
    raw_peer_deinit(&silent);
    raw_peer_deinit(&halting);
    word_port_deinit(&w);
}

TEST("1", 3, connection_over_the_limit_is_refused_and_the_next_after_a_close_is_not) {
    struct port_options options = port_options_default();
    options.max_connections = 1;
    struct word_port w;
    word_port_init(&w, &options);
    struct raw_peer first, second, third;
    raw_peer_dial(&w.fixture, &first);
    stream_write(first.stream, SLICE_LITERAL("GET "));
    fixture_run(&w.fixture, get_has_bytes, &w);
    raw_peer_dial(&w.fixture, &second);
    fixture_run(&w.fixture, raw_peer_closed, &second);
    assert_non_null(first.stream);
    stream_abort(w.get.stream);
    w.get.stream = NULL;
    fixture_run(&w.fixture, raw_peer_closed, &first);
    raw_peer_dial(&w.fixture, &third);
    stream_write(third.stream, SLICE_LITERAL("GEX"));
    fixture_run(&w.fixture, gex_has_bytes, &w);
    raw_peer_deinit(&first);
    raw_peer_deinit(&second);
    raw_peer_deinit(&third);
    word_port_deinit(&w);
}

TEST("1", 0, port_that_is_taken_is_said_to_be_in_use_and_its_owner_goes_on) {
    struct word_port w;
    word_port_init(&w, NULL);
    struct port_options options = port_options_default();
    options.host = "127.0.0.1";
    options.port = w.fixture.port_number;
    struct port *port;
    struct error error;
    assert_status(STATUS_IN_USE, port_listen(w.fixture.env, &options, &port, &error));
    char number[8];
    snprintf(number, sizeof number, "%u", (unsigned)options.port);
    assert_non_null(strstr(error.message, number));
    struct raw_peer peer;
    raw_peer_dial(&w.fixture, &peer);
    stream_write(peer.stream, SLICE_LITERAL("GEX"));
    fixture_run(&w.fixture, gex_has_bytes, &w);
    raw_peer_deinit(&peer);
    word_port_deinit(&w);
}
