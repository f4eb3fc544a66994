/* replica_cluster.h - nodes of chapter 05 in one process: real files behind env_fault, messages by
 * hand.
 *
 * Each node's state machine puts the write batch that it is given into the engine. */
#ifndef CAIRN_REPLICA_CLUSTER_H
#define CAIRN_REPLICA_CLUSTER_H

#include "env.h"
#include "replica.h"

enum { CLUSTER_NODES_MAX = 5 };

struct cluster_node {
    struct replica_cluster *cluster;
    uint64_t id;
    bool up;
    bool cut; /* no message reaches or leaves it */
    struct env *env;
    char dir[512], log_dir[560], engine_dir[560], snapshot_dir[560];
    struct metrics *metrics;
    struct log_store *log;
    struct engine *engine;
    struct replica_set *set;
    struct replica *replica;
    bool leads;
    uint64_t restored; /* index of the last snapshot installed */
};

struct cluster_message {
    struct cluster_message *next;
    uint64_t from, to;
    bool chunk;
    void (*done)(void *arg, enum status status);
    void *arg;
    size_t len;
    uint8_t data[];
};

struct replica_cluster {
    struct env *machine;
    size_t count;
    struct cluster_node nodes[CLUSTER_NODES_MAX + 1]; /* by id */
    struct cluster_message *messages, **messages_tail;
    struct env_timer deliver;
    uint64_t flush_log_bytes;
    uint64_t keep_log_bytes;
};

void replica_cluster_start(struct replica_cluster *cluster, size_t count);
void replica_cluster_stop(struct replica_cluster *cluster);
void cluster_node_up(struct replica_cluster *cluster, uint64_t id);
/* As by a power failure: what is not synced is lost. */
void cluster_node_down(struct replica_cluster *cluster, uint64_t id);

/* Runs the loop until the condition holds; fails the test after 40 s. */
void replica_cluster_until(struct replica_cluster *cluster, bool (*condition)(void *arg), void *arg,
                           const char *what);
/* Waits for a leader among the nodes that are up and not cut. */
struct cluster_node *replica_cluster_leader(struct replica_cluster *cluster);

/* Proposes a put at the leader and waits, again if leadership was lost meanwhile; what came out. */
enum status replica_cluster_put(struct replica_cluster *cluster, const char *key,
                                const char *value);
/* What a node's engine holds; "" if nothing. Valid until the next call. */
const char *cluster_node_get(struct cluster_node *node, const char *key);
/* Waits until all nodes that are up have applied what the leader has. */
void replica_cluster_converge(struct replica_cluster *cluster);

#endif
