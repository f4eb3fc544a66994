/* peers.c - Raft's transport over chapter 03's RPC. */
#include "peers.h"

#include <inttypes.h>

#include "mem.h"
#include "raft_message.pb-c.h"

#define CHUNK_TIMEOUT_NS (30 * NS_PER_S)

struct peer {
    struct peers *peers;
    uint64_t node_id;
    struct rpc_client *client;
};

struct peers {
    struct rpc_context *rpc;
    struct replica_set *set;
    struct peer peers[RAFT_MAX_VOTERS];
    size_t count;
};

static void on_state(void *arg, struct rpc_client *client, const struct rpc_identity *identity,
                     const struct error *reason) {
    struct peer *peer = arg;
    if (identity != NULL) {
        log_info(env_log(peer->peers->rpc->env), "peers", "connected to node=%" PRIu64 " at %s",
                 peer->node_id, rpc_client_address(client));
    } else {
        log_info(env_log(peer->peers->rpc->env), "peers", "lost node=%" PRIu64 " at %s: %s",
                 peer->node_id, rpc_client_address(client), reason->message);
    }
    if (peer->peers->set != NULL)
        replica_set_peer_connected(peer->peers->set, peer->node_id, identity != NULL);
}

struct peers *peers_new(struct rpc_context *rpc, const struct node_state *state) {
    struct peers *peers = MEM_NEW(struct peers);
    peers->rpc = rpc;
    for (size_t i = 0; i < state->member_count; i++) {
        char host[MEMBER_ADDRESS_MAX];
        uint16_t port;
        struct error error;
        const struct member *member = &state->members[i];
        if (member->node_id == state->node_id) continue;
        if (address_parse(member->address, host, &port, &error) != STATUS_OK) {
            log_error(env_log(rpc->env), "peers", "node=%" PRIu64 ": %s", member->node_id,
                      error.message);
            continue;
        }
        struct peer *peer = &peers->peers[peers->count++];
        *peer = (struct peer){.peers = peers, .node_id = member->node_id};
        struct rpc_client_options options = rpc_client_options_default();
        options.on_state = on_state;
        options.on_state_arg = peer;
        peer->client = rpc_client_new(rpc, host, port, &options);
    }
    return peers;
}

void peers_free(struct peers *peers) {
    if (peers == NULL) return;
    peers->set = NULL;
    for (size_t i = 0; i < peers->count; i++)
        rpc_client_free(peers->peers[i].client);
    mem_free(peers);
}

struct rpc_client *peers_client(struct peers *peers, uint64_t node_id) {
    for (size_t i = 0; i < peers->count; i++) {
        if (peers->peers[i].node_id == node_id) return peers->peers[i].client;
    }
    return NULL;
}

/* ---- out ------------------------------------------------------------------------------------- */

static bool send(void *self, uint64_t to, struct slice message) {
    struct rpc_client *client = peers_client(self, to);
    return client != NULL && rpc_send(client, METHOD_RAFT_MESSAGE, message);
}

struct chunk_call {
    void (*done)(void *arg, enum status status);
    void *arg;
};

static void on_chunk_reply(void *arg, enum status status, struct slice reply,
                           const struct error *error) {
    struct chunk_call call = *(struct chunk_call *)arg;
    (void)reply;
    (void)error;
    mem_free(arg);
    call.done(call.arg, status);
}

static void send_chunk(void *self, uint64_t to, struct slice chunk,
                       void (*done)(void *arg, enum status status), void *arg) {
    struct peers *peers = self;
    struct chunk_call *call = MEM_NEW(struct chunk_call);
    *call = (struct chunk_call){.done = done, .arg = arg};
    struct request request = request_init(env_now_ns(peers->rpc->env) + CHUNK_TIMEOUT_NS);
    rpc_call(peers_client(peers, to), METHOD_SNAPSHOT_CHUNK, chunk, &request, on_chunk_reply, call);
}

const struct raft_transport_ops peers_transport_ops = {.send = send, .send_chunk = send_chunk};

/* ---- in -------------------------------------------------------------------------------------- */

static void on_raft_message(void *arg, const struct rpc_identity *from, struct slice payload) {
    struct peers *peers = arg;
    if (from->node_id != 0) replica_set_receive(peers->set, from->node_id, payload);
}

static void on_chunk(void *arg, struct rpc_call *call, struct slice payload) {
    struct peers *peers = arg;
    SnapshotChunkReply reply = SNAPSHOT_CHUNK_REPLY__INIT;
    struct error error;
    uint64_t from = rpc_call_peer(call)->node_id;
    if (replica_set_receive_chunk(peers->set, from, payload, &reply.next_sequence, &error) ==
        STATUS_OK) {
        rpc_reply_message(call, &reply.base);
    } else {
        rpc_reply_error(call, &error);
    }
}

void peers_attach(struct peers *peers, struct replica_set *set, struct rpc_server *server) {
    peers->set = set;
    struct rpc_method message = {.id = METHOD_RAFT_MESSAGE,
                                 .name = "raft message",
                                 .on_message = on_raft_message,
                                 .arg = peers};
    struct rpc_method chunk = {
        .id = METHOD_SNAPSHOT_CHUNK, .name = "snapshot chunk", .on_call = on_chunk, .arg = peers};
    rpc_server_register(server, &message);
    rpc_server_register(server, &chunk);
}
