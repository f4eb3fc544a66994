/* rpc_pool.c - the table of addresses and connections, and the choice among them (rpc_pool.h).
 * Must not know methods, nor whether a call may be repeated (rpc_caller.c). */
#include "rpc_pool.h"

#include <assert.h>

#include "mem.h"
#include "redirect.h"

struct pool_address {
    char *text;
    char host[RPC_ADDRESS_MAX];
    uint16_t port;
    struct rpc_client *clients[RPC_POOL_CONNECTIONS_MAX];
    size_t client_count;
};

struct rpc_pool {
    struct rpc_context *context;
    struct rpc_pool_options options;
    struct pool_address addresses[RPC_POOL_ADDRESSES_MAX];
    size_t address_count;
    size_t current; /* the address that is asked */
};

struct rpc_pool_options rpc_pool_options_default(void) {
    return (struct rpc_pool_options){.connections_per_address = 2,
                                     .client = rpc_client_options_default()};
}

struct rpc_pool *rpc_pool_new(struct rpc_context *context, const struct rpc_pool_options *options) {
    struct rpc_pool *pool = MEM_NEW(struct rpc_pool);
    pool->context = context;
    pool->options = options ? *options : rpc_pool_options_default();
    assert(pool->options.connections_per_address >= 1 &&
           pool->options.connections_per_address <= RPC_POOL_CONNECTIONS_MAX);
    return pool;
}

void rpc_pool_free(struct rpc_pool *pool) {
    if (!pool) return;
    for (size_t i = 0; i < pool->address_count; i++) {
        struct pool_address *address = &pool->addresses[i];
        for (size_t k = 0; k < address->client_count; k++)
            rpc_client_free(address->clients[k]);
        mem_free(address->text);
    }
    mem_free(pool);
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* Its index, or address_count. */
static size_t find(const struct rpc_pool *pool, const char *text) {
    size_t i = 0;
    while (i < pool->address_count && strcmp(pool->addresses[i].text, text) != 0)
        i++;
    return i;
}

enum status rpc_pool_add(struct rpc_pool *pool, const char *text, struct error *error) {
    if (find(pool, text) < pool->address_count) return STATUS_OK;
    struct pool_address address = {0};
    if (!address_split(text, address.host, &address.port))
        return error_set(error, STATUS_INVALID, "\"%s\" is no HOST:PORT", text);
    if (pool->address_count == RPC_POOL_ADDRESSES_MAX)
        return error_set(error, STATUS_TOO_LARGE, "more than %d addresses", RPC_POOL_ADDRESSES_MAX);
    address.text = mem_strdup(text);
    pool->addresses[pool->address_count++] = address;
    return STATUS_OK;
}

enum status rpc_pool_prefer(struct rpc_pool *pool, const char *text, struct error *error) {
    TRY(rpc_pool_add(pool, text, error));
    pool->current = find(pool, text);
    return STATUS_OK;
}

size_t rpc_pool_addresses(const struct rpc_pool *pool) { return pool->address_count; }

size_t rpc_pool_connections(const struct rpc_pool *pool) {
    size_t count = 0;
    for (size_t i = 0; i < pool->address_count; i++)
        count += pool->addresses[i].client_count;
    return count;
}

/* ---- connections ---------------------------------------------------------------------------- */

static struct rpc_client *open_client(struct rpc_pool *pool, struct pool_address *address) {
    struct rpc_client *client =
        rpc_client_new(pool->context, address->host, address->port, &pool->options.client);
    address->clients[address->client_count++] = client;
    return client;
}

/* The one that is up and has the least to do; NULL if none is up. */
static struct rpc_client *least_busy(const struct pool_address *address) {
    struct rpc_client *best = NULL;
    for (size_t i = 0; i < address->client_count; i++) {
        struct rpc_client *client = address->clients[i];
        if (!rpc_client_connected(client)) continue;
        if (!best || rpc_client_calls(client) < rpc_client_calls(best)) best = client;
    }
    return best;
}

struct rpc_client *rpc_pool_pick(struct rpc_pool *pool) {
    assert(pool->address_count > 0);
    struct pool_address *address = &pool->addresses[pool->current];
    if (address->client_count == 0) return open_client(pool, address);
    struct rpc_client *best = least_busy(address);
    if (!best) return address->clients[0];
    if (rpc_client_calls(best) > 0 && address->client_count < pool->options.connections_per_address)
        (void)open_client(pool, address); /* for the calls to come: it is not up yet */
    return best;
}

void rpc_pool_move_on(struct rpc_pool *pool, const struct rpc_client *client) {
    const struct pool_address *address = &pool->addresses[pool->current];
    for (size_t i = 0; i < address->client_count; i++) {
        if (address->clients[i] != client) continue;
        pool->current = (pool->current + 1) % pool->address_count;
        return;
    }
}
