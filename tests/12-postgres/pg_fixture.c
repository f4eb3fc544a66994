/* pg_fixture.c - see pg_fixture.h. */
#include "pg_fixture.h"

/* ---- the server ----------------------------------------------------------------------------- */

static void on_guard(void *arg) {
    struct pg_fixture *fixture = arg;
    fixture->timed_out = true;
    env_stop(fixture->env);
}

static void on_turn(void *arg) {
    struct pg_fixture *fixture = arg;
    if (!fixture->until || !fixture->until(fixture->until_arg)) return;
    fixture->until = NULL; /* one stop a run */
    env_stop(fixture->env);
}

void pg_fixture_init(struct pg_fixture *fixture, size_t max_connections) {
    *fixture = (struct pg_fixture){0};
    struct log log;
    log_init_stderr(&log, LOG_DEBUG);
    fixture->env = env_uv_new(&log);
    struct error error;
    struct engine_options engine = {.dir = harness_tmpdir()};
    assert_ok(sql_solo_open(fixture->env, "mem", &engine, &fixture->sql, &error), &error);
    struct pg_server_options options = {
        .env = fixture->env,
        .coroutines = sql_solo_coroutines(fixture->sql),
        .sql = sql_solo_server(fixture->sql),
        .metrics = sql_solo_metrics(fixture->sql),
        .max_connections = max_connections,
    };
    fixture->server = pg_server_new(&options);
    struct port_options port_options = port_options_default();
    port_options.host = "127.0.0.1";
    assert_ok(port_listen(fixture->env, &port_options, &fixture->port, &error), &error);
    fixture->port_number = port_number(fixture->port);
    struct port_protocol protocol = pg_server_protocol(fixture->server);
    port_add(fixture->port, &protocol);
    fixture->hook =
        (struct env_turn_hook){.callback = on_turn, .arg = fixture, .order = TURN_REPLY};
    env_turn_hook_add(fixture->env, &fixture->hook);
    env_timer_init(&fixture->guard, on_guard, fixture);
}

void pg_fixture_run(struct pg_fixture *fixture, bool (*until)(void *arg), void *arg) {
    if (until(arg)) return;
    fixture->until = until;
    fixture->until_arg = arg;
    env_timer_start(fixture->env, &fixture->guard, env_now_ns(fixture->env) + 8 * NS_PER_S);
    env_run(fixture->env);
    env_timer_stop(&fixture->guard);
    fixture->until = NULL;
    assert_false(fixture->timed_out);
}

static void on_shut_down(void *arg) { *(bool *)arg = true; }
static bool is_set(void *arg) { return *(bool *)arg; }

void pg_fixture_deinit(struct pg_fixture *fixture) {
    bool gone = false;
    pg_server_shutdown(fixture->server, on_shut_down, &gone);
    pg_fixture_run(fixture, is_set, &gone);
    port_free(fixture->port);
    pg_server_free(fixture->server);
    sql_solo_close(fixture->sql);
    env_turn_hook_remove(fixture->env, &fixture->hook);
    env_uv_free(fixture->env);
}

/* ---- writing down what comes ---------------------------------------------------------------- */

static void note_columns(struct buf *out, struct slice body) {
    uint16_t count;
    struct pg_column column;
    assert_true(pg_answer_count(body, &count, &body));
    buf_append_string(out, "T");
    for (uint16_t i = 0; i < count; i++) {
        assert_true(pg_answer_next_column(&body, &column));
        buf_printf(out, " %.*s:%u%s", (int)column.name.len, (const char *)column.name.data,
                   column.type_oid, column.format == PG_BINARY ? "/b" : "");
    }
}

static bool is_printable(struct slice value) {
    for (size_t i = 0; i < value.len; i++)
        if (value.data[i] < ' ') return false;
    return true;
}

static void note_row(struct buf *out, struct slice body) {
    uint16_t count;
    assert_true(pg_answer_count(body, &count, &body));
    buf_append_string(out, "D ");
    for (uint16_t i = 0; i < count; i++) {
        bool is_null;
        struct slice value;
        assert_true(pg_answer_next_value(&body, &is_null, &value));
        if (i > 0) buf_append_string(out, "|");
        if (is_null) {
            buf_append_string(out, "NULL");
        } else if (is_printable(value)) {
            buf_append_slice(out, value);
        } else {
            buf_append_string(out, "\\x");
            for (size_t k = 0; k < value.len; k++)
                buf_printf(out, "%02x", value.data[k]);
        }
    }
}

static void note_report(struct buf *out, char type, struct slice body) {
    struct slice severity = pg_answer_field(body, 'V');
    struct slice position = pg_answer_field(body, 'P');
    buf_printf(out, "%c ", type);
    if (!slice_equal(severity, SLICE_LITERAL("ERROR"))) {
        buf_append_slice(out, severity);
        buf_append_string(out, " ");
    }
    buf_append_slice(out, pg_answer_field(body, 'C'));
    buf_append_string(out, " ");
    buf_append_slice(out, pg_answer_field(body, 'M'));
    if (position.len > 0) buf_append_string(out, " @");
    buf_append_slice(out, position);
}

static void note_oids(struct buf *out, struct slice body) {
    buf_append_string(out, "t");
    for (size_t at = 2; at + 4 <= body.len; at += 4) {
        const uint8_t *oid = body.data + at;
        buf_printf(out, " %u", (unsigned)(oid[0] << 24 | oid[1] << 16 | oid[2] << 8 | oid[3]));
    }
}

static void note(struct pg_peer *peer, const struct pg_answer *answer) {
    struct buf *out = &peer->transcript;
    struct slice name, value;
    switch (answer->type) {
    case 'T':
        note_columns(out, answer->body);
        break;
    case 'D':
        note_row(out, answer->body);
        break;
    case 'E':
    case 'N':
        note_report(out, (char)answer->type, answer->body);
        break;
    case 't':
        note_oids(out, answer->body);
        break;
    case 'S':
        assert_true(pg_answer_strings(answer->body, &name, &value));
        buf_printf(out, "S %.*s=%.*s", (int)name.len, (const char *)name.data, (int)value.len,
                   (const char *)value.data);
        break;
    case 'C':
        assert_true(pg_answer_strings(answer->body, &name, &value));
        buf_printf(out, "C %.*s", (int)name.len, (const char *)name.data);
        break;
    case 'K':
        assert_true(pg_answer_key(answer->body, &peer->pid, &peer->key));
        buf_append_string(out, "K");
        break;
    case 'Z':
        buf_printf(out, "Z %c", answer->body.data[0]);
        peer->ready_count++;
        break;
    default:
        buf_append_byte(out, answer->type);
        break;
    }
    buf_append_string(out, "\n");
}

/* ---- a client ------------------------------------------------------------------------------- */

static void on_open(void *arg, struct stream *stream) {
    (void)stream;
    ((struct pg_peer *)arg)->open = true;
}

static void on_input(void *arg, struct stream *stream) {
    struct pg_peer *peer = arg;
    struct slice input = stream_input(stream);
    buf_append_slice(&peer->received, input);
    stream_consume(stream, input.len);
    struct pg_answer answer;
    size_t size;
    while (!peer->raw && pg_answer_decode(buf_slice(&peer->received), PG_MESSAGE_LIMIT, &answer,
                                          &size, NULL) == STATUS_OK) {
        note(peer, &answer);
        buf_consume(&peer->received, size);
    }
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct pg_peer *peer = arg;
    (void)stream;
    (void)reason;
    peer->stream = NULL;
    buf_append_string(&peer->transcript, "closed\n");
}

static const struct stream_handler peer_handler = {on_open, on_input, NULL, on_close};

static bool is_open(void *peer) { return ((struct pg_peer *)peer)->open; }
bool pg_peer_closed(void *peer) { return !((struct pg_peer *)peer)->stream; }

static bool is_answered(void *arg) {
    struct pg_peer *peer = arg;
    return !peer->stream || (peer->wanted > 0 && peer->ready_count >= peer->wanted);
}

void pg_peer_dial(struct pg_fixture *fixture, struct pg_peer *peer) {
    *peer = (struct pg_peer){.fixture = fixture};
    peer->stream = env_dial(fixture->env, "127.0.0.1", fixture->port_number, 2 * NS_PER_S,
                            &peer_handler, peer);
    pg_fixture_run(fixture, is_open, peer);
}

void pg_peer_connect(struct pg_fixture *fixture, struct pg_peer *peer) {
    pg_peer_dial(fixture, peer);
    struct buf bytes = BUF_INIT;
    pg_send_startup(&bytes, "tester", "test", NULL);
    pg_peer_send(peer, &bytes);
    peer->wanted = 1;
    pg_fixture_run(fixture, is_answered, peer);
    assert_non_null(peer->stream);
    peer->ready_count = 0;
    buf_clear(&peer->transcript);
    buf_deinit(&bytes);
}

void pg_peer_deinit(struct pg_peer *peer) {
    if (peer->stream) stream_abort(peer->stream);
    buf_deinit(&peer->received);
    buf_deinit(&peer->transcript);
}

void pg_peer_send(struct pg_peer *peer, struct buf *bytes) {
    stream_write(peer->stream, buf_slice(bytes));
    buf_clear(bytes);
}

static size_t count_ready(const char *text) {
    size_t count = 0;
    while ((text = strstr(text, "Z "))) {
        count++;
        text++;
    }
    return count;
}

void pg_peer_expect(struct pg_peer *peer, const char *expected) {
    peer->wanted = count_ready(expected);
    pg_fixture_run(peer->fixture, is_answered, peer);
    assert_slice_equal(slice_of_string(expected), buf_slice(&peer->transcript));
    peer->ready_count = 0;
    buf_clear(&peer->transcript);
}

void pg_peer_query(struct pg_peer *peer, const char *script, const char *expected) {
    struct buf bytes = BUF_INIT;
    pg_send_query(&bytes, slice_of_string(script));
    pg_peer_send(peer, &bytes);
    pg_peer_expect(peer, expected);
    buf_deinit(&bytes);
}
