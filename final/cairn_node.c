/* cairn_node.c - opens the layers from the disk up and hands each to the next. */
#include "cairn_node.h"

#include <stdio.h>
#include <string.h>

#include "clock_bound.h"
#include "cluster.h"
#include "co.h"
#include "kv_router.h"
#include "mem.h"
#include "mvcc_commands.h"
#include "node_status.pb-c.h"
#include "peers.h"
#include "pg_server.h"
#include "port.h"
#include "recent_writes.h"
#include "sql_session.h"
#include "store.h"
#include "txn.h"
#include "txn_commands.h"

#define MAX_CLOCK_OFFSET_NS (500 * NS_PER_MS)
#define FAREWELL_NS (5 * NS_PER_S)
enum { MAX_COROUTINES = 4096, PATH_BYTES = 512, MAX_CONNECTIONS = 2048, RECENT_WRITES = 65536 };

struct cairn_node {
    struct env *env;
    struct cairn_node_options options;
    char *strings[4 + RAFT_MAX_VOTERS]; /* the options' */
    char address[MEMBER_ADDRESS_MAX];
    char log_dir[PATH_BYTES], engine_dir[PATH_BYTES], snapshot_dir[PATH_BYTES];
    uint64_t started_ns;

    struct metrics *metrics;
    struct dir_lock *lock;
    struct hlc clock;
    struct log_store *log;
    struct clock_bound *clock_bound;
    struct engine *engine;
    struct co_pool *coroutines;
    struct rpc_context rpc;
    struct rpc_server *rpc_server;
    struct port *port;
    struct cluster *cluster;

    /* From here on: NULL until the cluster is formed. */
    struct peers *peers;
    struct replica_set *replicas;
    struct replica *replica;
    struct store *store;
    struct recent_writes *recent;
    struct mvcc_commands mvcc;
    struct txn_commands txn_commands;
    struct txn_collector *collector;
    struct kv *router;
    struct txn_manager *txns;
    struct sql_server *sql;
    struct pg_server *pg;

    struct env_timer farewell; /* how long a shutdown waits */
    void (*shutdown_done)(void *arg);
    void *shutdown_arg;
};

/* ---- options --------------------------------------------------------------------------------- */

static const char *keep(struct cairn_node *node, size_t slot, const char *text) {
    node->strings[slot] = text == NULL ? NULL : mem_strdup(text);
    return node->strings[slot];
}

static enum status copy_options(struct cairn_node *node, const struct cairn_node_options *options,
                                struct error *error) {
    if (options->node_id == 0)
        return error_set(error, STATUS_INVALID, "the node id must be 1 or more");
    if (options->join_count > RAFT_MAX_VOTERS) {
        return error_set(error, STATUS_INVALID, "at most %d nodes can form a cluster",
                         RAFT_MAX_VOTERS);
    }
    if (strlen(options->data_dir) > PATH_BYTES - 64) {
        return error_set(error, STATUS_INVALID, "the path of the data directory is too long");
    }
    node->options = *options;
    node->options.host = keep(node, 0, options->host == NULL ? "127.0.0.1" : options->host);
    node->options.data_dir = keep(node, 1, options->data_dir);
    node->options.engine = keep(node, 2, options->engine == NULL ? "rocksdb" : options->engine);
    node->options.advertise = keep(node, 3, options->advertise);
    for (size_t i = 0; i < options->join_count; i++)
        keep(node, 4 + i, options->join[i]);
    node->options.join = (const char *const *)&node->strings[4];
    snprintf(node->log_dir, PATH_BYTES, "%s/log", options->data_dir);
    snprintf(node->engine_dir, PATH_BYTES, "%s/engine", options->data_dir);
    snprintf(node->snapshot_dir, PATH_BYTES, "%s/snapshots", options->data_dir);
    return STATUS_OK;
}

static void set_address(struct cairn_node *node) {
    if (node->options.advertise != NULL) {
        snprintf(node->address, sizeof node->address, "%s", node->options.advertise);
        return;
    }
    bool all = strcmp(node->options.host, "") == 0 || strcmp(node->options.host, "0.0.0.0") == 0;
    snprintf(node->address, sizeof node->address, "%.100s:%u",
             all ? "127.0.0.1" : node->options.host, (unsigned)port_number(node->port));
}

/* ---- status ---------------------------------------------------------------------------------- */

static void on_status_asked(void *arg, struct rpc_call *call, struct slice payload) {
    struct cairn_node *node = arg;
    (void)payload;
    NodeStatus status = NODE_STATUS__INIT;
    GroupStatus group = GROUP_STATUS__INIT;
    GroupStatus *groups[] = {&group};
    FollowerStatus followers[RAFT_MAX_VOTERS];
    FollowerStatus *follower_pointers[RAFT_MAX_VOTERS];
    struct raft_progress_view progress[RAFT_MAX_VOTERS];
    status.node_id = node->options.node_id;
    status.cluster_id = cluster_state(node->cluster)->cluster_id;
    status.address = node->address;
    status.engine = (char *)(uintptr_t)node->options.engine;
    status.uptime_ms = (env_now_ns(node->env) - node->started_ns) / NS_PER_MS;
    status.log_bytes = log_store_size_bytes(node->log);
    if (node->replica != NULL) {
        struct raft_status raft = replica_raft_status(node->replica);
        group.group = CAIRN_GROUP;
        group.role = (char *)(uintptr_t)raft_role_name(raft.role);
        group.term = raft.term;
        group.leader = raft.leader;
        group.commit_index = raft.commit;
        group.applied_index = raft.applied;
        group.last_index = raft.last_index;
        group.first_index = raft.first_index;
        group.n_followers = replica_progress(node->replica, progress, RAFT_MAX_VOTERS);
        group.followers = follower_pointers;
        for (size_t i = 0; i < group.n_followers; i++) {
            follower_status__init(&followers[i]);
            followers[i].node_id = progress[i].node;
            followers[i].match_index = progress[i].match;
            followers[i].active = progress[i].active;
            followers[i].snapshot = progress[i].snapshot;
            follower_pointers[i] = &followers[i];
        }
        status.groups = groups;
        status.n_groups = 1;
    }
    rpc_reply_message(call, &status.base);
}

/* ---- when the cluster is formed -------------------------------------------------------------- */

static void create_group(struct cairn_node *node, const struct node_state *state) {
    if (log_store_group(node->log, CAIRN_GROUP) != NULL) return;
    struct group_state group = {.group = CAIRN_GROUP, .voter_count = state->member_count};
    for (size_t i = 0; i < state->member_count; i++)
        group.voters[i] = state->members[i].node_id;
    log_store_create_group(node->log, &group);
}

static enum status open_replica(struct cairn_node *node, const struct node_state *state,
                                struct error *error) {
    struct replica_set_options set = {.env = node->env,
                                      .log = node->log,
                                      .engine = node->engine,
                                      .metrics = node->metrics,
                                      .snapshot_dir = node->snapshot_dir,
                                      .node_id = node->options.node_id,
                                      .transport = &peers_transport_ops,
                                      .transport_arg = node->peers,
                                      .heartbeat_interval_ns = node->options.heartbeat_interval_ns,
                                      .election_timeout_ns = node->options.election_timeout_ns,
                                      .flush_log_bytes = node->options.flush_log_bytes,
                                      .keep_log_bytes = node->options.keep_log_bytes};
    create_group(node, state);
    node->replicas = replica_set_new(&set);
    struct replica_options replica = {.group = CAIRN_GROUP,
                                      .data_start = REPLICA_LOCAL_KEYS_END,
                                      .data_end = SLICE_LITERAL("\xff"),
                                      .machine = &store_state_machine,
                                      .machine_arg = node->store};
    TRY(replica_open(node->replicas, &replica, &node->replica, error));
    TRY(store_attach(node->store, replica_replicator(node->replica), error));
    peers_attach(node->peers, node->replicas, node->rpc_server);
    return STATUS_OK;
}

static struct rpc_client *client_of(void *arg, uint64_t node_id) {
    struct cairn_node *node = arg;
    return peers_client(node->peers, node_id);
}

static void open_transactions(struct cairn_node *node, const struct node_state *state) {
    uint64_t nodes[RAFT_MAX_VOTERS];
    for (size_t i = 0; i < state->member_count; i++)
        nodes[i] = state->members[i].node_id;
    struct kv_router_options router = {.env = node->env,
                                       .metrics = node->metrics,
                                       .store = node->store,
                                       .node_id = node->options.node_id,
                                       .members = nodes,
                                       .member_count = state->member_count,
                                       .client = client_of,
                                       .client_arg = node};
    node->router = kv_router_new(&router);
    kv_server_register(node->rpc_server, node->store);
    struct txn_manager_options txns = {
        .kv = node->router, .env = node->env, .hlc = &node->clock, .metrics = node->metrics};
    node->txns = txn_manager_new(&txns);
}

static void open_store(struct cairn_node *node) {
    struct store_options options = {
        .env = node->env, .engine = node->engine, .hlc = &node->clock, .metrics = node->metrics};
    node->store = store_new(&options);
    node->recent = recent_writes_new(RECENT_WRITES);
    mvcc_commands_init(&node->mvcc, node->recent);
    mvcc_commands_register(&node->mvcc, node->store);
    txn_commands_init(&node->txn_commands, node->recent, node->metrics);
    txn_commands_register(&node->txn_commands, node->store);
    node->collector = txn_collector_new(node->env, node->store);
}

static void open_sql(struct cairn_node *node) {
    struct sql_server_options sql = {.env = node->env,
                                     .txns = node->txns,
                                     .clock = &node->clock,
                                     .metrics = node->metrics,
                                     .node_id = node->options.node_id,
                                     .coroutines = node->coroutines};
    node->sql = sql_server_new(&sql);
    pg_server_attach(node->pg, node->sql);
}

static void on_ready(void *arg, const struct node_state *state) {
    struct cairn_node *node = arg;
    struct error error;
    node->peers = peers_new(&node->rpc, state);
    open_store(node);
    if (open_replica(node, state, &error) != STATUS_OK) {
        env_fatal(node->env, "cannot open the data: %s", error.message);
        return;
    }
    open_transactions(node, state);
    open_sql(node);
}

/* ---- start and stop -------------------------------------------------------------------------- */

static enum status open_files(struct cairn_node *node, struct error *error) {
    const struct cairn_node_options *options = &node->options;
    struct engine_options engine = {.dir = node->engine_dir,
                                    .own_log = false,
                                    .would_block_percent = options->engine_would_block_percent,
                                    .busy_percent = options->engine_busy_percent};
    TRY(env_dir_create(node->env, options->data_dir, error));
    TRY(env_dir_lock(node->env, options->data_dir, &node->lock, error));
    TRY(log_store_open(node->env, node->log_dir, options->log_segment_bytes, node->metrics,
                       &node->log, error));
    return engine_open(node->env, options->engine, &engine, &node->engine, error);
}

static enum status open_network(struct cairn_node *node, struct error *error) {
    struct port_options port = port_options_default();
    port.host = node->options.host;
    port.port = node->options.port;
    port.max_connections = MAX_CONNECTIONS;
    TRY(port_listen(node->env, &port, &node->port, error));
    set_address(node);
    rpc_context_init(&node->rpc, node->env, &node->clock, node->metrics);
    node->rpc_server = rpc_server_new(&node->rpc);
    struct port_protocol rpc = rpc_server_protocol(node->rpc_server);
    port_add(node->port, &rpc);
    struct rpc_method status = {
        .id = METHOD_NODE_STATUS, .name = "node status", .on_call = on_status_asked, .arg = node};
    rpc_server_register(node->rpc_server, &status);
    struct pg_server_options pg = {
        .env = node->env, .coroutines = node->coroutines, .metrics = node->metrics};
    node->pg = pg_server_new(&pg);
    struct port_protocol postgres = pg_server_protocol(node->pg);
    port_add(node->port, &postgres);
    return STATUS_OK;
}

static void on_clock_ready(void *arg) {
    struct cairn_node *node = arg;
    cluster_start(node->cluster);
}

static enum status open_cluster(struct cairn_node *node, struct error *error) {
    struct cluster_options cluster = {.env = node->env,
                                      .log = node->log,
                                      .rpc = &node->rpc,
                                      .node_id = node->options.node_id,
                                      .address = node->address,
                                      .join = node->options.join,
                                      .join_count = node->options.join_count,
                                      .on_ready = on_ready,
                                      .arg = node};
    TRY(cluster_new(&cluster, &node->cluster, error));
    cluster_register(node->cluster, node->rpc_server);
    struct clock_bound_options bound = {.env = node->env,
                                        .log = node->log,
                                        .clock = &node->clock,
                                        .on_ready = on_clock_ready,
                                        .arg = node};
    node->clock_bound = clock_bound_new(&bound);
    return STATUS_OK;
}

enum status cairn_node_start(struct env *env, const struct cairn_node_options *options,
                             struct cairn_node **out, struct error *error) {
    struct cairn_node *node = MEM_NEW(struct cairn_node);
    node->env = env;
    node->started_ns = env_now_ns(env);
    node->metrics = metrics_new();
    node->coroutines = co_pool_new(env, MAX_COROUTINES);
    hlc_init(&node->clock, MAX_CLOCK_OFFSET_NS);
    enum status status = copy_options(node, options, error);
    if (status == STATUS_OK) status = open_files(node, error);
    if (status == STATUS_OK) status = open_network(node, error);
    if (status == STATUS_OK) status = open_cluster(node, error);
    if (status != STATUS_OK) {
        cairn_node_stop(node);
        return status;
    }
    log_info(env_log(env), "node", "listening on %s engine=%s data=%s", node->address,
             node->options.engine, node->options.data_dir);
    *out = node;
    return STATUS_OK;
}

static void shutdown_done(void *arg) {
    struct cairn_node *node = arg;
    void (*done)(void *arg) = node->shutdown_done;
    env_timer_stop(&node->farewell);
    node->shutdown_done = NULL;
    if (done != NULL) done(node->shutdown_arg);
}

void cairn_node_shutdown(struct cairn_node *node, void (*done)(void *arg), void *arg) {
    if (node->shutdown_done != NULL) return;
    node->shutdown_done = done;
    node->shutdown_arg = arg;
    env_timer_init(&node->farewell, shutdown_done, node);
    env_timer_start(node->env, &node->farewell, env_deadline_ns(node->env, FAREWELL_NS));
    pg_server_shutdown(node->pg, shutdown_done, node);
}

void cairn_node_stop(struct cairn_node *node) {
    if (node == NULL) return;
    if (node->shutdown_done != NULL) env_timer_stop(&node->farewell);
    if (node->pg != NULL)
        pg_server_free(node->pg); /* ends the sessions: their coroutines are done when it returns */
    sql_server_free(node->sql);
    txn_manager_free(node->txns);
    if (node->router != NULL) kv_router_free(node->router);
    if (node->rpc_server != NULL) rpc_server_free(node->rpc_server);
    if (node->collector != NULL) txn_collector_free(node->collector);
    peers_free(node->peers); /* ends the calls that carry snapshots: the replicas hear of it */
    replica_set_free(node->replicas);
    store_free(node->store);
    recent_writes_free(node->recent);
    cluster_free(node->cluster);
    if (node->port != NULL) port_free(node->port);
    clock_bound_free(node->clock_bound);
    engine_close(node->engine);
    log_store_close(node->log);
    co_pool_free(node->coroutines);
    if (node->lock != NULL) dir_unlock(node->lock);
    metrics_free(node->metrics);
    for (size_t i = 0; i < ARRAY_LEN(node->strings); i++)
        mem_free(node->strings[i]);
    mem_free(node);
}

/* ---- looking --------------------------------------------------------------------------------- */

struct replica *cairn_node_replica(struct cairn_node *node) {
    return node->replica;
}

struct engine *cairn_node_engine(struct cairn_node *node) {
    return node->engine;
}
