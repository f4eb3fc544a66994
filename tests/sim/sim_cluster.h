/* sim_cluster.h - complete nodes on simulated machines, and a client that speaks SQL to them byte
 * by byte.
 *
 * Machines 1..n run cairnd's node on port 9001 with the in-memory engine, whose files lie on the
 * simulated disks; one more machine runs the clients. */
#ifndef CAIRN_SIM_CLUSTER_H
#define CAIRN_SIM_CLUSTER_H

#include "buf.h"
#include "cairn_node.h"
#include "env_sim.h"

enum { SIM_CLUSTER_NODES_MAX = 5 };

struct sim_cluster {
    struct sim *sim;
    uint64_t seed, node_count, client_machine;
    struct cairn_node_options options[SIM_CLUSTER_NODES_MAX + 1];
    char addresses[SIM_CLUSTER_NODES_MAX][32];
    const char *join[SIM_CLUSTER_NODES_MAX];
};

/* Forms the cluster: returns when it answers SQL. CAIRN_SIM_LOG=info|debug shows the nodes'
 * logs. */
void sim_cluster_start(struct sim_cluster *cluster, const struct sim_options *options,
                       uint64_t nodes);
/* The same in two parts: `options` of each node may be changed in between. */
void sim_cluster_prepare(struct sim_cluster *cluster, const struct sim_options *options,
                         uint64_t nodes);
void sim_cluster_form(struct sim_cluster *cluster);
void sim_cluster_stop(struct sim_cluster *cluster);
void sim_cluster_restart(struct sim_cluster *cluster, uint64_t node);
/* The node that leads, as far as those that are up know; 0: none. */
uint64_t sim_cluster_leader(const struct sim_cluster *cluster);

/* The invariants of raft.h inside each node and across those that are up: one leader a term, equal
 * entries where terms are equal. */
void sim_cluster_check(const struct sim_cluster *cluster);

/* ---- clients -------------------------------------------------------------------------------- */

enum sim_outcome {
    SIM_RUNNING,
    SIM_OK,     /* the server said that the statement is complete */
    SIM_FAILED, /* it said that it failed: nothing happened */
    /* the connection broke, the time was up, or SQLSTATE 40003: it may have happened */
    SIM_UNKNOWN,
    SIM_REFUSED /* there was no connection: nothing was asked */
};

/* One connection at a time, one statement at a time. */
struct sim_client {
    struct sim_cluster *cluster;
    uint64_t node; /* connected to; 0: to none */
    struct stream *stream;
    struct buf sql;
    bool asked, ready, failed, broken;
    uint64_t deadline_ns; /* of the statement */
    char sqlstate[6];
    int descriptions; /* RowDescription messages of this answer */
    struct buf rows;  /* values joined by '|', rows ended by '\n'; NULL is "~" */
};

void sim_client_init(struct sim_client *client, struct sim_cluster *cluster);
void sim_client_deinit(struct sim_client *client);

/* Begins one statement on that node, connecting first if need be. Then run the sim and look. */
void sim_client_start(struct sim_client *client, uint64_t node, const char *sql,
                      uint64_t timeout_ns);
/* What became of it; once it is not SIM_RUNNING another may be started. Its yield is in `rows`. */
enum sim_outcome sim_client_look(struct sim_client *client);
/* Both, running the sim meanwhile. */
enum sim_outcome sim_client_run(struct sim_client *client, uint64_t node, const char *sql,
                                uint64_t timeout_ns);
/* Tries until it is OK, on any node that is up; fails the test after a minute. */
void sim_client_surely(struct sim_client *client, const char *sql);

#endif
