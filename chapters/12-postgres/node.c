/* node.c - chapter 12's node: a SQL database on one machine that psql connects to.
 *
 *     node --port=5433 --data=data/12-postgres
 *     psql -h 127.0.0.1 -p 5433
 *
 * Everything below is wired here once, for one node: the same layers that final/ wires for many. */
#include <stdio.h>
#include <stdlib.h>

#include "clock_bound.h"
#include "env_uv.h"
#include "kv.h"
#include "mem.h"
#include "mvcc_commands.h"
#include "pg_server.h"
#include "recent_writes.h"
#include "replica.h"
#include "store.h"
#include "txn_commands.h"

enum {
    GROUP = 1,
    NODE_ID = 1,
    MAX_COROUTINES = 600,
    REMEMBERED_WRITES = 64 * 1024,
    PATH_BYTES = 4096
};

struct options {
    const char *host;
    uint16_t port;
    const char *data;
    const char *engine;
};

struct node {
    struct options options;
    struct env *env;
    struct metrics *metrics;
    struct dir_lock *lock;
    struct hlc clock;
    struct log_store *log;
    struct clock_bound *clock_bound;
    struct engine *engine;
    struct replica_set *replicas;
    struct store *store;
    struct recent_writes *recent;
    struct mvcc_commands mvcc;
    struct txn_commands commands;
    struct kv *kv;
    struct txn_manager *txns;
    struct co_pool *coroutines;
    struct sql_server *sql;
    struct pg_server *pg;
    struct port *port;
};

/* ---- options -------------------------------------------------------------------------------- */

static int usage(void) {
    fprintf(stderr,
            "usage: node [--host=127.0.0.1] [--port=5433] [--data=data/12-postgres] "
            "[--engine=KIND]\nengines: %s\n",
            engine_kinds());
    return 2;
}

/* The value if `argument` is --name=value. */
static const char *value_of(const char *argument, const char *name) {
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static bool parse_options(int argc, char **argv, struct options *out) {
    *out = (struct options){"127.0.0.1", 5433, "data/12-postgres", "rocksdb"};
    for (int i = 1; i < argc; i++) {
        const char *value;
        if ((value = value_of(argv[i], "--host"))) {
            out->host = value;
        } else if ((value = value_of(argv[i], "--data"))) {
            out->data = value;
        } else if ((value = value_of(argv[i], "--engine"))) {
            out->engine = value;
        } else if ((value = value_of(argv[i], "--port"))) {
            char *end;
            unsigned long port = strtoul(value, &end, 10);
            if (*value == 0 || *end != 0 || port > UINT16_MAX) return false;
            out->port = (uint16_t)port;
        } else {
            return false;
        }
    }
    return strlen(out->data) < PATH_BYTES - 16;
}

/* ---- the layers, from the disk up ----------------------------------------------------------- */

/* A group of one sends to nobody. */
static bool send_nowhere(void *self, uint64_t to, struct slice message) {
    (void)self;
    (void)to;
    (void)message;
    return false;
}
static const struct raft_transport_ops nowhere = {.send = send_nowhere};

static enum status open_files(struct node *node, struct error *error) {
    char log_dir[PATH_BYTES], engine_dir[PATH_BYTES];
    (void)snprintf(log_dir, sizeof log_dir, "%.4000s/log", node->options.data);
    (void)snprintf(engine_dir, sizeof engine_dir, "%.4000s/engine", node->options.data);
    struct engine_options engine = {.dir = engine_dir, .own_log = false};
    TRY(env_dir_create(node->env, node->options.data, error));
    TRY(env_dir_lock(node->env, node->options.data, &node->lock, error));
    TRY(log_store_open(node->env, log_dir, 0, node->metrics, &node->log, error));
    return engine_open(node->env, node->options.engine, &engine, &node->engine, error);
}

static void open_store(struct node *node) {
    struct store_options options = {
        .env = node->env, .engine = node->engine, .hlc = &node->clock, .metrics = node->metrics};
    node->store = store_new(&options);
    node->recent = recent_writes_new(REMEMBERED_WRITES);
    mvcc_commands_init(&node->mvcc, node->recent);
    mvcc_commands_register(&node->mvcc, node->store);
    txn_commands_init(&node->commands, node->recent, node->metrics);
    txn_commands_register(&node->commands, node->store);
}

static enum status open_replica(struct node *node, struct error *error) {
    char snapshot_dir[PATH_BYTES];
    (void)snprintf(snapshot_dir, sizeof snapshot_dir, "%.4000s/snapshots", node->options.data);
    if (!log_store_group(node->log, GROUP)) {
        struct group_state group = {.group = GROUP, .voters = {NODE_ID}, .voter_count = 1};
        log_store_create_group(node->log, &group);
        TRY(log_store_sync_blocking(node->log, error));
    }
    struct replica_set_options set = {.env = node->env,
                                      .log = node->log,
                                      .engine = node->engine,
                                      .metrics = node->metrics,
                                      .snapshot_dir = snapshot_dir,
                                      .node_id = NODE_ID,
                                      .transport = &nowhere};
    node->replicas = replica_set_new(&set);
    struct replica_options options = {.group = GROUP,
                                      .data_start = REPLICA_LOCAL_KEYS_END,
                                      .data_end = SLICE_LITERAL("\xff"),
                                      .machine = &store_state_machine,
                                      .machine_arg = node->store};
    struct replica *replica;
    TRY(replica_open(node->replicas, &options, &replica, error));
    return store_attach(node->store, replica_replicator(replica), error);
}

static void open_sql(struct node *node) {
    node->kv = kv_local_new(node->store);
    struct txn_manager_options txns = {
        .kv = node->kv, .env = node->env, .hlc = &node->clock, .metrics = node->metrics};
    node->txns = txn_manager_new(&txns);
    node->coroutines = co_pool_new(node->env, MAX_COROUTINES);
    struct sql_server_options sql = {.env = node->env,
                                     .txns = node->txns,
                                     .clock = &node->clock,
                                     .metrics = node->metrics,
                                     .node_id = NODE_ID,
                                     .coroutines = node->coroutines};
    node->sql = sql_server_new(&sql);
}

static enum status open_port(struct node *node, struct error *error) {
    struct port_options options = port_options_default();
    options.host = node->options.host;
    options.port = node->options.port;
    TRY(port_listen(node->env, &options, &node->port, error));
    struct pg_server_options pg = {
        .env = node->env, .coroutines = node->coroutines, .metrics = node->metrics};
    node->pg = pg_server_new(&pg);
    struct port_protocol protocol = pg_server_protocol(node->pg);
    port_add(node->port, &protocol);
    return STATUS_OK;
}

/* The clock is above everything that was issued before a restart: from now on there is a leader. */
static void on_clock_ready(void *arg) {
    struct node *node = arg;
    struct error error;
    if (open_replica(node, &error) != STATUS_OK) {
        env_fatal(node->env, "cannot open the data: %s", error.message);
        return;
    }
    pg_server_attach(node->pg, node->sql);
    log_info(env_log(node->env), "node", "ready port=%u", (unsigned)port_number(node->port));
}

static enum status node_open(struct node *node, struct error *error) {
    TRY(open_files(node, error));
    open_store(node);
    open_sql(node);
    TRY(open_port(node, error));
    struct clock_bound_options clock = {.env = node->env,
                                        .log = node->log,
                                        .clock = &node->clock,
                                        .on_ready = on_clock_ready,
                                        .arg = node};
    node->clock_bound = clock_bound_new(&clock);
    return STATUS_OK;
}

static void node_close(struct node *node) {
    port_free(node->port);
    pg_server_free(node->pg);
    sql_server_free(node->sql);
    txn_manager_free(node->txns);
    kv_local_free(node->kv);
    replica_set_free(node->replicas);
    store_free(node->store);
    recent_writes_free(node->recent);
    engine_close(node->engine);
    clock_bound_free(node->clock_bound);
    log_store_close(node->log);
    co_pool_free(node->coroutines);
    if (node->lock) dir_unlock(node->lock);
}

/* ---- running -------------------------------------------------------------------------------- */

static void on_clients_gone(void *env) { env_stop(env); }

static void on_terminate(void *arg) {
    struct node *node = arg;
    pg_server_shutdown(node->pg, on_clients_gone, node->env);
}

int main(int argc, char **argv) {
    struct node node = {0};
    if (!parse_options(argc, argv, &node.options)) return usage();
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    node.env = env_uv_new(&log);
    node.metrics = metrics_new();
    hlc_init(&node.clock, 500 * NS_PER_MS);
    struct error error;
    bool opened = node_open(&node, &error) == STATUS_OK;
    if (opened) {
        env_uv_on_terminate(node.env, on_terminate, &node);
        env_run(node.env);
    } else {
        log_error(env_log(node.env), "node", "cannot start: %s", error.message);
    }
    node_close(&node);
    env_uv_free(node.env);
    metrics_free(node.metrics);
    return opened ? 0 : 1;
}
