/* test_kv_pair.c - a pair of nodes on real connections and engines (kv_pair.h). */
#include "kv_pair.h"

#include <stdio.h>

#include "mem.h"
#include "rpc_fixture.h"

/* One node; both run on the fixture's loop. */
struct side {
    struct fixture *f;
    struct hlc clock;
    struct rpc_context context;
    struct rpc_server *server;
    struct port *port;
    uint16_t port_number;
    char dir[512];
    struct engine *engine;
    unsigned busy_percent; /* of the engine's writes */
    struct kv_pair *pair;
};

enum { SILENCE_MS = 1000 };

static void side_start(struct side *side, const char *backup_of, bool wait_for_backup) {
    struct env *env = side->f->env;
    struct error error;
    hlc_init(&side->clock, 500 * NS_PER_MS);
    rpc_context_init(&side->context, env, &side->clock, side->f->metrics);
    side->context.self.node_id = backup_of ? 2 : 1;
    struct port_options port = port_options_default();
    port.host = "127.0.0.1";
    port.port = side->port_number;
    assert_ok(port_listen(env, &port, &side->port, &error), &error);
    side->port_number = port_number(side->port);
    (void)snprintf(side->context.self.listen_address, RPC_ADDRESS_MAX, "127.0.0.1:%u",
                   (unsigned)side->port_number);
    side->server = rpc_server_new(&side->context);
    struct port_protocol protocol = rpc_server_protocol(side->server);
    port_add(side->port, &protocol);
    struct engine_options engine = {
        .dir = side->dir, .own_log = true, .busy_percent = side->busy_percent};
    assert_ok(engine_open(env, "mem", &engine, &side->engine, &error), &error);
    struct kv_pair_options options = {.rpc = &side->context,
                                      .engine = side->engine,
                                      .server = side->server,
                                      .backup_of = backup_of,
                                      .wait_for_backup = wait_for_backup,
                                      .silence_ns = SILENCE_MS * NS_PER_MS};
    assert_ok(kv_pair_new(&options, &side->pair, &error), &error);
}

/* As a crash would: neither flushes nor says goodbye to its clients. */
static void side_stop(struct side *side) {
    if (!side->pair) return;
    port_free(side->port);
    rpc_server_free(side->server);
    kv_pair_free(side->pair);
    engine_close(side->engine);
    side->pair = NULL;
}

struct pair_fixture {
    struct fixture f;
    struct side a, b;
    char address_a[RPC_ADDRESS_MAX];
    struct outcome outcome;
};

/* ... the primary on this side. */
static bool backup_follows(void *side) { return !kv_pair_alone(((struct side *)side)->pair); }
static bool b_leads(void *arg) {
    return kv_pair_role(((struct pair_fixture *)arg)->b.pair) == PB_PRIMARY;
}

static void pair_init(struct pair_fixture *p, bool wait_for_backup) {
    *p = (struct pair_fixture){0};
    fixture_init(&p->f);
    p->a.f = p->b.f = &p->f;
    const char *dir = harness_tmpdir();
    (void)snprintf(p->a.dir, sizeof p->a.dir, "%s/a", dir);
    (void)snprintf(p->b.dir, sizeof p->b.dir, "%s/b", dir);
    side_start(&p->a, NULL, wait_for_backup);
    (void)snprintf(p->address_a, sizeof p->address_a, "%s", p->a.context.self.listen_address);
    side_start(&p->b, p->address_a, wait_for_backup);
    fixture_run(&p->f, backup_follows, &p->a);
}

static void pair_deinit(struct pair_fixture *p) {
    side_stop(&p->a);
    side_stop(&p->b);
    buf_deinit(&p->outcome.reply);
    fixture_deinit(&p->f);
}

static enum status ask(struct pair_fixture *p, const struct side *side, uint32_t method,
                       const char *key, const char *value) {
    SimpleKvRequest message = SIMPLE_KV_REQUEST__INIT;
    message.key = rpc_bytes(slice_of_string(key));
    message.value = rpc_bytes(slice_of_string(value));
    struct rpc_client *client =
        rpc_client_new(&p->f.client_context, "127.0.0.1", side->port_number, NULL);
    p->outcome.count = 0;
    rpc_call_message(client, method, &message.base, NULL, outcome_record, &p->outcome);
    fixture_run(&p->f, outcome_known, &p->outcome);
    rpc_client_free(client);
    return p->outcome.status;
}

static enum status put(struct pair_fixture *p, const struct side *side, const char *key,
                       const char *value) {
    return ask(p, side, SIMPLE_KV_METHOD__SIMPLE_KV_PUT, key, value);
}

/* What the side's engine holds, whatever the node would answer; "" if nothing. */
static void assert_held(const struct side *side, const char *key, const char *expected) {
    struct buf value = BUF_INIT;
    struct error error;
    enum status status = engine_get(side->engine, NULL, slice_of_string(key), 0, &value, &error);
    if (status == STATUS_NOT_FOUND)
        buf_clear(&value);
    else
        assert_ok(status, &error);
    assert_slice_equal(slice_of_string(expected), buf_slice(&value));
    buf_deinit(&value);
}

TEST("4", 1, what_the_primary_acknowledged_after_waiting_is_in_both_stores) {
    struct pair_fixture p;
    pair_init(&p, true);
    assert_status(STATUS_OK, put(&p, &p.a, "x", "1"));
    assert_held(&p.a, "x", "1");
    assert_held(&p.b, "x", "1");
    assert_status(STATUS_OK, ask(&p, &p.a, SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, "x", ""));
    assert_held(&p.b, "x", "");
    pair_deinit(&p);
}

/* Most of what the backup is sent it has to be sent again. */
TEST("4", 2, backup_whose_engine_is_behind_gets_its_writes_again) {
    struct pair_fixture p;
    pair_init(&p, true);
    side_stop(&p.b);
    p.b.busy_percent = 50;
    side_start(&p.b, p.address_a, true);
    fixture_run(&p.f, backup_follows, &p.a);
    for (int i = 0; i < 4; i++)
        assert_status(STATUS_OK, put(&p, &p.a, (char[]){(char)('a' + i), 0}, "1"));
    assert_held(&p.b, "a", "1");
    assert_held(&p.b, "d", "1");
    pair_deinit(&p);
}

TEST("4", 0, primary_whose_engine_is_behind_says_busy_and_goes_on) {
    struct pair_fixture p;
    pair_init(&p, true);
    side_stop(&p.b);
    side_stop(&p.a);
    p.a.busy_percent = 100;
    side_start(&p.a, NULL, true);
    assert_status(STATUS_BUSY, put(&p, &p.a, "x", "1"));
    assert_status(STATUS_NOT_FOUND, ask(&p, &p.a, SIMPLE_KV_METHOD__SIMPLE_KV_GET, "x", ""));
    pair_deinit(&p);
}

TEST("4", 0, backup_names_the_primary_to_those_who_ask_it) {
    struct pair_fixture p;
    pair_init(&p, true);
    assert_status(STATUS_NOT_LEADER, put(&p, &p.b, "x", "1"));
    assert_non_null(strstr(p.outcome.error.message, p.address_a));
    assert_status(STATUS_NOT_LEADER, ask(&p, &p.b, SIMPLE_KV_METHOD__SIMPLE_KV_GET, "x", ""));
    assert_status(STATUS_NOT_LEADER, ask(&p, &p.b, SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, "", ""));
    pair_deinit(&p);
}

TEST("4", 0, backup_takes_over_from_a_primary_that_stopped_and_goes_on) {
    struct pair_fixture p;
    pair_init(&p, true);
    assert_status(STATUS_OK, put(&p, &p.a, "x", "1"));
    side_stop(&p.a);
    fixture_run(&p.f, b_leads, &p);
    assert_status(STATUS_OK, ask(&p, &p.b, SIMPLE_KV_METHOD__SIMPLE_KV_GET, "x", ""));
    assert_status(STATUS_OK, put(&p, &p.b, "y", "2"));
    assert_held(&p.b, "y", "2");
    pair_deinit(&p);
}

TEST("4", 0, anomaly_primary_that_comes_back_is_a_second_one_and_mending_it_loses_a_write) {
    struct pair_fixture p;
    pair_init(&p, false);
    assert_status(STATUS_OK, put(&p, &p.a, "x", "1"));
    side_stop(&p.a);
    fixture_run(&p.f, b_leads, &p);
    side_start(&p.a, NULL, false);
    assert_status(STATUS_OK, put(&p, &p.a, "x", "from a"));
    assert_status(STATUS_OK, put(&p, &p.b, "x", "from b"));
    assert_held(&p.a, "x", "from a");
    assert_held(&p.b, "x", "from b");

    char address_b[RPC_ADDRESS_MAX];
    (void)snprintf(address_b, sizeof address_b, "%s", p.b.context.self.listen_address);
    side_stop(&p.a);
    side_start(&p.a, address_b, false);
    fixture_run(&p.f, backup_follows, &p.b);
    assert_held(&p.a, "x", "from b");
    pair_deinit(&p);
}
