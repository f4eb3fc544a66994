/* txn_fixture.c - building and driving the node of the transaction tests. */
#include "txn_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "mem.h"

void node_start(struct node *node, const struct node_options *options) {
    struct node_options none = {0};
    if (options == NULL) options = &none;
    *node = (struct node){0};
    struct log log;
    log_init_null(&log);
    node->env = env_uv_new(&log);
    struct error error;
    struct engine_options engine_options = {.dir = harness_tmpdir(),
                                            .would_block_percent = options->would_block_percent};
    assert_ok(engine_open(node->env, "mem", &engine_options, &node->engine, &error), &error);
    node->metrics = metrics_new();
    hlc_init(&node->hlc, NS_PER_S);
    struct store_options store_options = {.env = node->env,
                                          .engine = node->engine,
                                          .hlc = &node->hlc,
                                          .metrics = node->metrics,
                                          .lock_timeout_ns = options->lock_timeout_ns};
    node->store = store_new(&store_options);
    node->recent =
        recent_writes_new(options->remembered_writes ? options->remembered_writes : 1024);
    mvcc_commands_init(&node->mvcc, node->recent);
    mvcc_commands_register(&node->mvcc, node->store);
    txn_commands_init(&node->commands, node->recent, node->metrics);
    txn_commands_register(&node->commands, node->store);
    node->solo = solo_replicator_new(node->env, node->engine, &store_state_machine, node->store);
    assert_ok(store_attach(node->store, solo_replicator_replicator(node->solo), &error), &error);
    node->kv = kv_local_new(node->store);
    struct txn_manager_options txn_options = {.kv = node->kv,
                                              .env = node->env,
                                              .hlc = &node->hlc,
                                              .metrics = node->metrics,
                                              .heartbeat_interval_ns =
                                                  options->heartbeat_interval_ns};
    node->txns = txn_manager_new(&txn_options);
    node->pool = co_pool_new(node->env, 1024);
    solo_replicator_pace(node->solo, options->pace);
    solo_replicator_lead(node->solo);
}

void node_stop(struct node *node) {
    co_pool_free(node->pool);
    txn_manager_free(node->txns);
    store_free(node->store);
    solo_replicator_free(node->solo);
    kv_local_free(node->kv);
    recent_writes_free(node->recent);
    engine_close(node->engine);
    metrics_free(node->metrics);
    env_uv_free(node->env);
}

void node_lead(struct node *node) { solo_replicator_lead(node->solo); }

/* ---- coroutines ----------------------------------------------------------------------------- */

struct start {
    struct node *node;
    void (*body)(void *arg);
    void *arg;
};

static void run_body(void *arg) {
    struct start start = *(struct start *)arg;
    mem_free(arg);
    start.body(start.arg);
    if (--start.node->running == 0) env_stop(start.node->env);
}

void node_spawn(struct node *node, void (*body)(void *arg), void *arg) {
    struct start *start = mem_alloc(sizeof *start);
    *start = (struct start){node, body, arg};
    node->running++;
    assert_status(STATUS_OK, co_spawn(node->pool, run_body, start, NULL));
}

void node_run(struct node *node) {
    if (node->running > 0) env_run(node->env);
    assert_int_equal(node->running, 0);
}

/* ---- transactions --------------------------------------------------------------------------- */

struct request node_request(struct node *node) {
    return request_init(env_now_ns(node->env) + 20 * NS_PER_S);
}

struct txn *node_begin(struct node *node) {
    struct request request = node_request(node);
    return txn_begin(node->txns, &request);
}

enum status get(struct txn *txn, const char *key, unsigned flags, char *out) {
    struct buf value = BUF_INIT;
    enum status status = txn_get(txn, slice_of_string(key), flags, &value, NULL);
    if (out != NULL) {
        if (status == STATUS_OK) memcpy(out, value.data, value.len);
        out[status == STATUS_OK ? value.len : 0] = '\0';
    }
    buf_deinit(&value);
    return status;
}

enum status put(struct txn *txn, const char *key, const char *value) {
    return txn_put(txn, slice_of_string(key), slice_of_string(value), NULL);
}

void put_alone(struct node *node, const char *key, const char *value) {
    struct txn *txn = node_begin(node);
    struct error error;
    assert_status(STATUS_OK, put(txn, key, value));
    assert_ok(txn_commit(txn, &error), &error);
    txn_free(txn);
}

const char *get_alone(struct node *node, const char *key, char *out) {
    struct txn *txn = node_begin(node);
    enum status status = get(txn, key, 0, out);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    txn_free(txn);
    return out;
}

static void append_row(char *out, const struct txn_row *row) {
    size_t len = strlen(out);
    snprintf(out + len, SCAN_TEXT_MAX - len, "%.*s=%.*s ", (int)row->key.len,
             (const char *)row->key.data, (int)row->value.len, (const char *)row->value.data);
}

int to_int(const char *text) { return (int)strtol(text, NULL, 10); }

enum status scan(struct txn *txn, const struct txn_scan *options, char *out) {
    struct txn_cursor *cursor = txn_scan_open(txn, options);
    enum status status;
    size_t count = 0;
    *out = '\0';
    do {
        const struct txn_row *rows;
        status = txn_scan_next(cursor, &rows, &count, NULL);
        for (size_t i = 0; i < count; i++) {
            append_row(out, &rows[i]);
        }
    } while (status == STATUS_OK && count > 0);
    txn_scan_close(cursor);
    return status;
}
