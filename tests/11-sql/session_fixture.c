/* session_fixture.c - starting the node, running coroutines, collecting answers. */
#include "session_fixture.h"

#include "env_uv.h"
#include "harness.h"
#include "mem.h"

void fixture_start(struct fixture *fixture) {
    struct log log;
    struct error error;
    log_init_null(&log);
    *fixture = (struct fixture){.env = env_uv_new(&log)};
    struct engine_options engine = {.dir = harness_tmpdir()};
    assert_ok(sql_solo_open(fixture->env, "mem", &engine, &fixture->solo, &error), &error);
}

void fixture_stop(struct fixture *fixture) {
    sql_solo_close(fixture->solo);
    env_uv_free(fixture->env);
}

struct start {
    struct fixture *fixture;
    void (*body)(void *arg);
    void *arg;
};

static void run_body(void *arg) {
    struct start start = *(struct start *)arg;
    mem_free(arg);
    start.body(start.arg);
    if (--start.fixture->running == 0) env_stop(start.fixture->env);
}

void fixture_spawn(struct fixture *fixture, void (*body)(void *arg), void *arg) {
    struct start *start = mem_alloc(sizeof *start);
    *start = (struct start){fixture, body, arg};
    fixture->running++;
    assert_status(STATUS_OK, co_spawn(sql_solo_coroutines(fixture->solo), run_body, start, NULL));
}

void fixture_run(struct fixture *fixture) {
    if (fixture->running > 0) env_run(fixture->env);
    assert_int_equal(fixture->running, 0);
}

uint64_t fixture_retries(struct fixture *fixture) {
    struct metrics *metrics = sql_solo_metrics(fixture->solo);
    return metrics_counter(metrics, "cairn_sql_retries_total", "")->value;
}

struct test_body {
    struct client client;
    struct fixture fixture;
    void (*body)(struct client *client);
};

static void run_test_body(void *arg) {
    struct test_body *test = arg;
    client_open(&test->client, &test->fixture);
    test->body(&test->client);
    client_close(&test->client);
}

void fixture_test(void (*body)(struct client *client)) {
    struct test_body test = {.body = body};
    fixture_start(&test.fixture);
    fixture_spawn(&test.fixture, run_test_body, &test);
    fixture_run(&test.fixture);
    fixture_stop(&test.fixture);
}

void client_open(struct client *client, struct fixture *fixture) {
    *client = (struct client){.fixture = fixture};
    client->session = sql_session_new(sql_solo_server(fixture->solo), "tester", "test",
                                      &sql_printer_sink, &client->printer);
}

void client_close(struct client *client) {
    sql_session_free(client->session);
    buf_deinit(&client->printer.out);
}

const char *run(struct client *client, const char *script) {
    struct sql_error error = {0};
    struct buf *out = &client->printer.out;
    buf_clear(out);
    enum status status = sql_session_run(client->session, slice_of_string(script), &error);
    if (status != STATUS_OK) sql_printer_error(&client->printer, &error);
    buf_append_byte(out, 0);
    out->len--;
    return (const char *)out->data;
}

void client_assert_fails(struct client *client, const char *sqlstate, const char *script) {
    const char *error = strstr(run(client, script), "ERROR:  ");
    assert_non_null(error);
    char actual[6] = "";
    memcpy(actual, error + 8, 5);
    assert_string_equal(sqlstate, actual);
}
