/* rpc_pool.h - several connections to several addresses, and which of them a call takes.
 *
 * For a service that many nodes offer, of which one may be the right one to ask: the pool keeps to
 * the address that answered last, moves on when it is told to, and follows redirects.
 *
 * Invariants
 *  1. A connection that is broken is handed out only if the address has none that is up: calls on
 *     it fail at once and harmlessly (UNAVAILABLE) or wait for the dial that is under way.
 *  2. Of several connections the one with the fewest calls under way is taken. Another one is
 *     opened only when every one of the address is in use: one large answer must not delay the
 *     small ones behind it (head-of-line blocking).
 *  3. Bounded: RPC_POOL_ADDRESSES_MAX addresses, connections_per_address connections to each. */
#ifndef CAIRN_RPC_POOL_H
#define CAIRN_RPC_POOL_H

#include "rpc_client.h"

enum { RPC_POOL_ADDRESSES_MAX = 16, RPC_POOL_CONNECTIONS_MAX = 8 };

struct rpc_pool;

struct rpc_pool_options {
    size_t connections_per_address; /* 1 to RPC_POOL_CONNECTIONS_MAX */
    struct rpc_client_options client;
};

struct rpc_pool_options rpc_pool_options_default(void); /* two connections, the client's defaults */

/* `options` may be NULL: the defaults. */
struct rpc_pool *rpc_pool_new(struct rpc_context *context, const struct rpc_pool_options *options);
/* Closes the connections; calls under way end with CANCELLED, inside. NULL is fine. */
void rpc_pool_free(struct rpc_pool *pool);

/* "host:port", copied; nothing is dialled yet. OK also if it is there already. INVALID: malformed;
 * TOO_LARGE: RPC_POOL_ADDRESSES_MAX are known. */
enum status rpc_pool_add(struct rpc_pool *pool, const char *address,
                         struct error *error) MUST_CHECK;
size_t rpc_pool_addresses(const struct rpc_pool *pool);
/* Of all addresses together, also of those that are down. */
size_t rpc_pool_connections(const struct rpc_pool *pool);

/* The connection to take for the next call; the pool's, valid until rpc_pool_free. At least one
 * address must have been added. */
struct rpc_client *rpc_pool_pick(struct rpc_pool *pool);
/* `client` did not help: the next pick is of the address behind its own, unless the pool has moved
 * on from there already. */
void rpc_pool_move_on(struct rpc_pool *pool, const struct rpc_client *client);
/* The next picks are of this address, which is added if it is unknown. INVALID and TOO_LARGE as
 * rpc_pool_add: nothing changed. */
enum status rpc_pool_prefer(struct rpc_pool *pool, const char *address,
                            struct error *error) MUST_CHECK;

#endif
