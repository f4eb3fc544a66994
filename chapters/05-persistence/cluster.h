/* cluster.h - who belongs to the cluster: this node's identity, the members, and how a cluster is
 * formed.
 *
 * Forming. Every node is started with the same list of addresses (--join). Each asks all of them
 * who they are; when all have answered, the one with the lowest node id fixes the membership (node
 * ids, addresses, and the random instance id of each data directory) under a new cluster id, syncs
 * it, and the others adopt it from there.
 *
 * Invariants
 *  1. A membership is fixed once, by one node, before any vote is cast.
 *  2. A node takes part only with the data directory that the membership names: one that lost its
 *     promises (its directory was wiped) is refused, because it might vote twice in a term.
 *  3. Nothing is told to others about a cluster before it is synced here.
 *
 * On the loop; nothing suspends. */
#ifndef CAIRN_CLUSTER_H
#define CAIRN_CLUSTER_H

#include "env.h"
#include "log_store.h"
#include "node_state.h"
#include "rpc_client.h"
#include "rpc_server.h"

struct cluster;

/* Numbers of the methods that chapter 05 adds to the node's RPC server; never reused. */
enum cluster_method {
    METHOD_CLUSTER_STATE = 0x0501,
    METHOD_RAFT_MESSAGE = 0x0502,
    METHOD_SNAPSHOT_CHUNK = 0x0503
};

struct cluster_options {
    struct env *env;
    struct log_store *log;
    struct rpc_context *rpc; /* its `self` and `check` are set here */
    uint64_t node_id;        /* > 0 */
    const char *address;     /* host:port at which others reach this node */
    const char *const
        *join; /* host:port of all nodes of the cluster; with or without this one; may be empty */
    size_t join_count;
    /* The membership is known and durable; called once, in a later step than cluster_start. */
    void (*on_ready)(void *arg, const struct node_state *state);
    void *arg;
};

/* Checks the identity in the log store against the options; writes (and waits for) a new one.
 * INVALID: the data directory belongs to another node; or an address is malformed. */
enum status cluster_new(const struct cluster_options *options, struct cluster **out,
                        struct error *error) MUST_CHECK;
void cluster_free(struct cluster *cluster);
/* Registers METHOD_CLUSTER_STATE. */
void cluster_register(struct cluster *cluster, struct rpc_server *server);
/* Forms or joins the cluster if that has not happened yet, then on_ready. A cluster that exists
 * without this node ends it (env_fatal). */
void cluster_start(struct cluster *cluster);
const struct node_state *cluster_state(const struct cluster *cluster);

/* Splits "host:port"; INVALID with a message that names the text. host: at least MEMBER_ADDRESS_MAX
 * bytes. */
enum status address_parse(const char *text, char *host, uint16_t *port,
                          struct error *error) MUST_CHECK;

#endif
