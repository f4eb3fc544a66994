/* replicated_kv.h - chapter 03's key-value service, on a Raft group: what one node acknowledged,
 * all keep.
 *
 * The same methods and messages (simple_kv.proto), so chapter 03's client works. Only the leader
 * answers; another node names it.
 *
 * Invariants
 *  1. A put or delete is answered when it is committed and applied here.
 *  2. A get or scan sees every write that was answered, by any node, before it was asked
 *     (ReadIndex). */
#ifndef CAIRN_REPLICATED_KV_H
#define CAIRN_REPLICATED_KV_H

#include "engine.h"
#include "node_state.h"
#include "replicator.h"
#include "rpc_server.h"

struct replicated_kv;

struct replicated_kv *replicated_kv_new(struct engine *engine, const struct node_state *members);
/* The replica and the server must be freed first. */
void replicated_kv_free(struct replicated_kv *kv);
/* The table and the `self` to give to the replica. */
extern const struct state_machine_ops replicated_kv_machine;
/* Registers the methods; calls are proposed to `replicator`. */
void replicated_kv_serve(struct replicated_kv *kv, struct replicator *replicator,
                         struct rpc_server *server);

#endif
