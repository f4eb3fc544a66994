/* peers.h - connections to the other members, and what travels over them.
 *
 * One RPC client per member, kept up. Raft messages are one-way: a lost one is sent again by Raft's
 * own timers. Snapshot chunks are calls. Other layers use the same connections for their calls
 * (peers_client). On the loop. */
#ifndef CAIRN_PEERS_H
#define CAIRN_PEERS_H

#include "cluster.h"
#include "replica.h"

struct peers;

/* Connects to every member but `self`. `set` may be given later. */
struct peers *peers_new(struct rpc_context *rpc, const struct node_state *state);
void peers_free(struct peers *peers);
/* Messages from the network go to `set`; loss of a connection is told to it. */
void peers_attach(struct peers *peers, struct replica_set *set, struct rpc_server *server);
/* For replica_set_options. */
extern const struct raft_transport_ops peers_transport_ops;

/* NULL: no such member, or this node itself. Valid as long as `peers`. */
struct rpc_client *peers_client(struct peers *peers, uint64_t node_id);

#endif
