/* node.c - chapter 05's node: a key-value store on several machines that survives kill -9 of any,
 * and of all.
 *
 *     node --node-id=1 --port=9001 --data=data/n1
 *     --join=127.0.0.1:9001,127.0.0.1:9002,127.0.0.1:9003
 *
 * The client is chapter 03's: build/03-rpc/node --client 127.0.0.1:9001 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock_bound.h"
#include "cluster.h"
#include "env_uv.h"
#include "mem.h"
#include "peers.h"
#include "port.h"
#include "replicated_kv.h"

enum { GROUP = 1, PATH_BYTES = 512 };

struct node {
    struct env *env;
    uint64_t node_id;
    uint16_t port_number;
    const char *data, *engine_kind;
    const char *join[RAFT_MAX_VOTERS];
    size_t join_count;
    char address[64], log_dir[PATH_BYTES], engine_dir[PATH_BYTES], snapshot_dir[PATH_BYTES];

    struct metrics *metrics;
    struct hlc clock;
    struct dir_lock *lock;
    struct log_store *log;
    struct engine *engine;
    struct clock_bound *clock_bound;
    struct rpc_context rpc;
    struct rpc_server *server;
    struct port *port;
    struct cluster *cluster;
    struct peers *peers;
    struct replica_set *set;
    struct replica *replica;
    struct replicated_kv *kv;
};

static const char *value_of(const char *argument, const char *name) {
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static void parse_join(struct node *node, char *text) {
    char *rest = text;
    for (char *part; (part = strsep(&rest, ",")) != NULL && node->join_count < RAFT_MAX_VOTERS;) {
        node->join[node->join_count++] = part;
    }
}

static bool parse_options(int argc, char **argv, struct node *node) {
    for (int i = 1; i < argc; i++) {
        const char *value;
        if ((value = value_of(argv[i], "--node-id")) != NULL) {
            node->node_id = strtoull(value, NULL, 10);
        } else if ((value = value_of(argv[i], "--port")) != NULL) {
            node->port_number = (uint16_t)strtoul(value, NULL, 10);
        } else if ((value = value_of(argv[i], "--data")) != NULL) {
            node->data = value;
        } else if ((value = value_of(argv[i], "--engine")) != NULL) {
            node->engine_kind = value;
        } else if ((value = value_of(argv[i], "--join")) != NULL) {
            parse_join(node, argv[i] + (value - argv[i]));
        } else {
            return false;
        }
    }
    return node->node_id > 0 && node->port_number > 0 && node->data != NULL &&
           strlen(node->data) < PATH_BYTES - 16;
}

/* ---- opening, from the disk up --------------------------------------------------------------- */

static enum status open_files(struct node *node, struct error *error) {
    snprintf(node->log_dir, PATH_BYTES, "%s/log", node->data);
    snprintf(node->engine_dir, PATH_BYTES, "%s/engine", node->data);
    snprintf(node->snapshot_dir, PATH_BYTES, "%s/snapshots", node->data);
    struct engine_options engine = {.dir = node->engine_dir, .own_log = false};
    TRY(env_dir_create(node->env, node->data, error));
    TRY(env_dir_lock(node->env, node->data, &node->lock, error));
    TRY(log_store_open(node->env, node->log_dir, 0, node->metrics, &node->log, error));
    return engine_open(node->env, node->engine_kind, &engine, &node->engine, error);
}

static enum status open_group(struct node *node, const struct node_state *state,
                              struct error *error) {
    if (log_store_group(node->log, GROUP) == NULL) {
        struct group_state group = {.group = GROUP, .voter_count = state->member_count};
        for (size_t i = 0; i < state->member_count; i++)
            group.voters[i] = state->members[i].node_id;
        log_store_create_group(node->log, &group);
    }
    struct replica_set_options set = {.env = node->env,
                                      .log = node->log,
                                      .engine = node->engine,
                                      .metrics = node->metrics,
                                      .snapshot_dir = node->snapshot_dir,
                                      .node_id = node->node_id,
                                      .transport = &peers_transport_ops,
                                      .transport_arg = node->peers};
    node->set = replica_set_new(&set);
    struct replica_options replica = {.group = GROUP,
                                      .data_start = REPLICA_LOCAL_KEYS_END,
                                      .data_end = SLICE_LITERAL("\xff"),
                                      .machine = &replicated_kv_machine,
                                      .machine_arg = node->kv};
    return replica_open(node->set, &replica, &node->replica, error);
}

static void on_member(void *arg, const struct node_state *state) {
    struct node *node = arg;
    struct error error;
    node->peers = peers_new(&node->rpc, state);
    node->kv = replicated_kv_new(node->engine, state);
    if (open_group(node, state, &error) != STATUS_OK) {
        env_fatal(node->env, "cannot open the data: %s", error.message);
        return;
    }
    peers_attach(node->peers, node->set, node->server);
    replicated_kv_serve(node->kv, replica_replicator(node->replica), node->server);
}

static void on_clock_ready(void *arg) {
    struct node *node = arg;
    cluster_start(node->cluster);
}

static enum status open_network(struct node *node, struct error *error) {
    struct port_options port = port_options_default();
    port.host = "127.0.0.1";
    port.port = node->port_number;
    TRY(port_listen(node->env, &port, &node->port, error));
    snprintf(node->address, sizeof node->address, "127.0.0.1:%u", node->port_number);
    rpc_context_init(&node->rpc, node->env, &node->clock, node->metrics);
    node->server = rpc_server_new(&node->rpc);
    struct port_protocol protocol = rpc_server_protocol(node->server);
    port_add(node->port, &protocol);
    struct cluster_options cluster = {.env = node->env,
                                      .log = node->log,
                                      .rpc = &node->rpc,
                                      .node_id = node->node_id,
                                      .address = node->address,
                                      .join = node->join,
                                      .join_count = node->join_count,
                                      .on_ready = on_member,
                                      .arg = node};
    TRY(cluster_new(&cluster, &node->cluster, error));
    cluster_register(node->cluster, node->server);
    struct clock_bound_options bound = {.env = node->env,
                                        .log = node->log,
                                        .clock = &node->clock,
                                        .on_ready = on_clock_ready,
                                        .arg = node};
    node->clock_bound = clock_bound_new(&bound);
    return STATUS_OK;
}

static void close_node(struct node *node) {
    rpc_server_free(node->server);
    peers_free(node->peers); /* ends the calls that carry snapshots: the replicas hear of it */
    replica_set_free(node->set);
    replicated_kv_free(node->kv);
    cluster_free(node->cluster);
    port_free(node->port);
    clock_bound_free(node->clock_bound);
    engine_close(node->engine);
    log_store_close(node->log);
    if (node->lock != NULL) dir_unlock(node->lock);
    metrics_free(node->metrics);
}

static void stop(void *env) { env_stop(env); }

int main(int argc, char **argv) {
    struct node node = {.engine_kind = "mem"};
    if (!parse_options(argc, argv, &node)) {
        fprintf(
            stderr,
            "usage: node --node-id=N --port=P --data=DIR [--join=HOST:PORT,...] [--engine=KIND]\n");
        return 2;
    }
    struct log log;
    struct error error;
    log_init_stderr(&log, LOG_INFO);
    log.node_id = node.node_id;
    node.env = env_uv_new(&log);
    node.metrics = metrics_new();
    hlc_init(&node.clock, 500 * NS_PER_MS);
    enum status status = open_files(&node, &error);
    if (status == STATUS_OK) status = open_network(&node, &error);
    if (status == STATUS_OK) {
        env_uv_on_terminate(node.env, stop, node.env);
        env_run(node.env);
    } else {
        fprintf(stderr, "node: %s\n", error.message);
    }
    close_node(&node);
    env_uv_free(node.env);
    return status == STATUS_OK ? 0 : 1;
}
