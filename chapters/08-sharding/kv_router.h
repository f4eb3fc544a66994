/* kv_router.h - a kv that finds the leader, wherever it is, and the server side that other nodes
 * call.
 *
 * The leader is this node's own store, or whom Raft names, or whom the last answer named, or the
 * next of the other members in turn. What surely had no effect (NOT_LEADER, UNAVAILABLE, BUSY, a
 * node that serves no store yet) is tried again, with backoff, until the request's deadline.
 *
 * A leader that falls silent is not waited for once Raft names another: the call then counts as
 * one whose outcome is unknown.
 *
 * Invariants
 *  1. A call that is not idempotent is repeated only after answers that exclude any effect of it.
 *  2. A call that is not idempotent ends with DEADLINE only if it surely had no effect; where
 *     that is not sure, with UNKNOWN_OUTCOME.
 *
 * Loop only; nothing suspends. */
#ifndef CAIRN_KV_ROUTER_H
#define CAIRN_KV_ROUTER_H

#include "kv.h"
#include "metrics.h"
#include "rpc_client.h"
#include "rpc_server.h"
#include "store.h"

/* Number of the method of the node's RPC server; never reused. */
enum { METHOD_STORE_EXECUTE = 0x0801 };

struct kv_router_options {
    struct env *env;
    struct metrics *metrics;
    struct store *store;     /* this node's; NULL: a client that has none */
    uint64_t node_id;        /* this node's; 0: none */
    const uint64_t *members; /* node ids, this one may be among them; copied */
    size_t member_count;
    /* The connection to a member; NULL: there is none. */
    struct rpc_client *(*client)(void *arg, uint64_t node_id);
    void *client_arg;
    uint64_t backoff_min_ns, backoff_max_ns; /* 0: 5 ms and 100 ms */
    uint64_t default_timeout_ns;             /* of requests without a deadline; 0: 30 s */
};

struct kv *kv_router_new(const struct kv_router_options *options);
/* Calls under way end with CANCELLED, inside. */
void kv_router_free(struct kv *kv);

/* Registers METHOD_STORE_EXECUTE: commands from other nodes go to `store`. */
void kv_server_register(struct rpc_server *server, struct store *store);

#endif
