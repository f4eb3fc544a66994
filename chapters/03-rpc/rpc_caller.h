/* rpc_caller.h - calls that are made again when that is safe: retry.h's decisions, carried out on a
 * pool of connections.
 *
 * Invariants
 *  1. Every call ends exactly once: by its callback or by rpc_caller_cancel; the callback never
 *     runs inside the function that made the call.
 *  2. All attempts of a call share its deadline and its trace id; one attempt is under way at a
 *     time.
 *  3. A call that may have taken effect is made again only if it is RPC_IDEMPOTENT.
 *  4. A call that ended, however it ended, leaves nothing behind: no attempt, no timer, no
 *     waiter on its token. */
#ifndef CAIRN_RPC_CALLER_H
#define CAIRN_RPC_CALLER_H

#include "retry.h"
#include "rpc_pool.h"

struct rpc_caller;
struct rpc_retried; /* a call under way; valid until its callback runs or rpc_caller_cancel */

/* What a repetition of the call would do. A put is not idempotent: between two executions of
 * "x = 1" somebody else may have written x = 2, and read it. */
enum rpc_repeat { RPC_ONCE, RPC_IDEMPOTENT };

/* The pool and the context outlive it. `policy` may be NULL: the defaults. */
struct rpc_caller *rpc_caller_new(struct rpc_context *context, struct rpc_pool *pool,
                                  const struct retry_policy *policy);
/* Calls under way end with CANCELLED, inside. NULL is fine. */
void rpc_caller_free(struct rpc_caller *caller);

/* As rpc_call, with a copy of `payload`. The failure that is told is the last attempt's. NOT_LEADER
 * with an address is followed; other failures that may be repeated go to the next address. */
struct rpc_retried *rpc_caller_call(struct rpc_caller *caller, uint32_t method,
                                    struct slice payload, enum rpc_repeat repeat,
                                    const struct request *request, rpc_callback callback,
                                    void *arg);
/* No callback. The node that works on it is told. */
void rpc_caller_cancel(struct rpc_retried *call);

/* How many calls are under way, waiting ones included; and how many repetitions were made. */
size_t rpc_caller_calls(const struct rpc_caller *caller);
uint64_t rpc_caller_repetitions(const struct rpc_caller *caller);

#endif
