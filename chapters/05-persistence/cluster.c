/* cluster.c - identity of the node, and the forming of a cluster.
 *
 * What members say to each other afterwards is peers.c. */
#include "cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define ASK_INTERVAL_NS (200 * NS_PER_MS)
#define WHAT_TO_DO "start the node with the directory it joined with"
enum { COMPLAIN_EVERY_ASKS = 25 };

/* One address of --join while the cluster is being formed. */
struct candidate {
    struct cluster *cluster;
    struct rpc_client *client;
    struct rpc_pending *call;
    bool answered;
    struct rpc_identity identity;
    struct node_state state;
};

struct cluster {
    struct cluster_options options;
    char address[MEMBER_ADDRESS_MAX];
    struct candidate *candidates;
    size_t candidate_count;
    struct env_timer timer;
    unsigned asks;
};

enum status address_parse(const char *text, char *host, uint16_t *port, struct error *error) {
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    unsigned long number = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    if (len == 0 || len >= MEMBER_ADDRESS_MAX || *end != '\0' || number == 0 ||
        number > UINT16_MAX) {
        return error_set(error, STATUS_INVALID, "\"%s\" is not an address of the form host:port",
                         text);
    }
    memcpy(host, text, len);
    host[len] = '\0';
    *port = (uint16_t)number;
    return STATUS_OK;
}

/* ---- identity -------------------------------------------------------------------------------- */

static void publish_identity(struct cluster *cluster) {
    const struct node_state *state = cluster_state(cluster);
    struct rpc_identity *self = &cluster->options.rpc->self;
    self->cluster_id = state->cluster_id;
    self->node_id = state->node_id;
    self->instance_id = state->instance_id;
    snprintf(self->listen_address, sizeof self->listen_address, "%s", cluster->address);
}

/* Invariant 2: EXISTS, which a node that is being formed understands. Clients (node id 0) are
 * welcome. */
static enum status check_peer(void *arg, const struct rpc_identity *peer, struct error *error) {
    const struct node_state *state = cluster_state(arg);
    if (peer->node_id == 0 || state->cluster_id == 0) return STATUS_OK;
    const struct member *member = node_state_member(state, peer->node_id);
    if (member == NULL) {
        return error_set(error, STATUS_EXISTS, "node %" PRIu64 " is not a member of this cluster",
                         peer->node_id);
    }
    if (member->instance_id == peer->instance_id) return STATUS_OK;
    return error_set(error, STATUS_EXISTS,
                     "node %" PRIu64
                     " comes with another data directory than the one it joined with",
                     peer->node_id);
}

static enum status make_identity(struct cluster *cluster, struct error *error) {
    const struct cluster_options *options = &cluster->options;
    struct node_state state = {.node_id = options->node_id};
    while (state.instance_id == 0) {
        env_random_bytes(options->env, &state.instance_id, sizeof state.instance_id);
    }
    log_store_set_node(options->log, &state);
    return log_store_sync_blocking(options->log, error);
}

static enum status check_join(const struct cluster_options *options, struct error *error) {
    char host[MEMBER_ADDRESS_MAX];
    uint16_t port;
    if (options->join_count > RAFT_MAX_VOTERS) {
        return error_set(error, STATUS_INVALID, "at most %d nodes can form a cluster",
                         RAFT_MAX_VOTERS);
    }
    size_t others = 0;
    for (size_t i = 0; i < options->join_count; i++) {
        TRY(address_parse(options->join[i], host, &port, error));
        if (strcmp(options->join[i], options->address) != 0) others++;
    }
    if (others >= RAFT_MAX_VOTERS) {
        return error_set(error, STATUS_INVALID, "at most %d nodes can form a cluster",
                         RAFT_MAX_VOTERS);
    }
    return address_parse(options->address, host, &port, error);
}

enum status cluster_new(const struct cluster_options *options, struct cluster **out,
                        struct error *error) {
    TRY(check_join(options, error));
    const struct node_state *state = log_store_node(options->log);
    if (state->node_id != 0 && state->node_id != options->node_id) {
        return error_set(error, STATUS_INVALID,
                         "the data directory belongs to node %" PRIu64 ", not to node %" PRIu64,
                         state->node_id, options->node_id);
    }
    struct cluster *cluster = MEM_NEW(struct cluster);
    cluster->options = *options;
    snprintf(cluster->address, sizeof cluster->address, "%s", options->address);
    enum status status = state->node_id == 0 ? make_identity(cluster, error) : STATUS_OK;
    if (status != STATUS_OK) {
        mem_free(cluster);
        return status;
    }
    publish_identity(cluster);
    options->rpc->check = check_peer;
    options->rpc->check_arg = cluster;
    *out = cluster;
    return STATUS_OK;
}

const struct node_state *cluster_state(const struct cluster *cluster) {
    return log_store_node(cluster->options.log);
}

/* ---- forming --------------------------------------------------------------------------------- */

static void drop_candidates(struct cluster *cluster) {
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        struct candidate *candidate = &cluster->candidates[i];
        if (candidate->call != NULL) rpc_cancel(candidate->call);
        candidate->call = NULL;
        rpc_client_free(candidate->client);
    }
    mem_free(cluster->candidates);
    cluster->candidates = NULL;
    cluster->candidate_count = 0;
}

static void ready(struct cluster *cluster) {
    env_timer_stop(&cluster->timer);
    drop_candidates(cluster);
    publish_identity(cluster);
    const struct node_state *state = cluster_state(cluster);
    log_info(env_log(cluster->options.env), "cluster",
             "member of cluster=%016" PRIx64 " members=%zu", state->cluster_id,
             state->member_count);
    cluster->options.on_ready(cluster->options.arg, state);
}

/* Invariant 3: synced before anything follows from it. */
static void adopt(struct cluster *cluster, const struct node_state *state) {
    struct error error;
    log_store_set_node(cluster->options.log, state);
    if (log_store_sync_blocking(cluster->options.log, &error) != STATUS_OK) {
        env_fatal(cluster->options.env, "cannot record the membership: %s", error.message);
        return;
    }
    ready(cluster);
}

static bool is_self(const struct cluster *cluster, const struct rpc_identity *identity) {
    const struct node_state *state = cluster_state(cluster);
    return identity->node_id == state->node_id && identity->instance_id == state->instance_id;
}

static void form(struct cluster *cluster) {
    struct node_state state = *cluster_state(cluster);
    while (state.cluster_id == 0) {
        env_random_bytes(cluster->options.env, &state.cluster_id, sizeof state.cluster_id);
    }
    struct member *self = &state.members[state.member_count++];
    *self = (struct member){.node_id = state.node_id, .instance_id = state.instance_id};
    snprintf(self->address, sizeof self->address, "%s", cluster->address);
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        const struct rpc_identity *identity = &cluster->candidates[i].identity;
        if (node_state_member(&state, identity->node_id) != NULL) continue;
        struct member *member = &state.members[state.member_count++];
        *member =
            (struct member){.node_id = identity->node_id, .instance_id = identity->instance_id};
        snprintf(member->address, sizeof member->address, "%s", identity->listen_address);
    }
    adopt(cluster, &state);
}

/* Two directories that claim one node id must not go on. */
static bool conflict(const struct cluster *cluster, const struct candidate *candidate) {
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        const struct candidate *other = &cluster->candidates[i];
        if (other->answered && other->identity.node_id == candidate->identity.node_id &&
            other->identity.instance_id != candidate->identity.instance_id) {
            return true;
        }
    }
    return candidate->identity.node_id == cluster->options.node_id &&
           !is_self(cluster, &candidate->identity);
}

static void adopt_from(struct cluster *cluster, const struct candidate *candidate) {
    struct node_state state = *cluster_state(cluster);
    const struct member *self = node_state_member(&candidate->state, state.node_id);
    if (self == NULL || self->instance_id != state.instance_id) {
        env_fatal(cluster->options.env,
                  "the cluster at %s was formed without this data directory of node %" PRIu64
                  "; " WHAT_TO_DO,
                  candidate->identity.listen_address, state.node_id);
        return;
    }
    state.cluster_id = candidate->state.cluster_id;
    state.member_count = candidate->state.member_count;
    memcpy(state.members, candidate->state.members, sizeof state.members);
    adopt(cluster, &state);
}

static void consider(struct cluster *cluster) {
    bool lowest = true;
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        const struct candidate *candidate = &cluster->candidates[i];
        if (!candidate->answered) return;
        if (conflict(cluster, candidate)) {
            env_fatal(cluster->options.env,
                      "two nodes were started with --node-id=%" PRIu64 " (one is at %s)",
                      candidate->identity.node_id, candidate->identity.listen_address);
            return;
        }
        if (candidate->identity.node_id < cluster->options.node_id) lowest = false;
    }
    if (lowest) form(cluster);
}

/* The cluster exists and does not know this directory: waiting would not help. */
static bool refused(const struct candidate *candidate) {
    const struct error *error = rpc_client_last_error(candidate->client);
    if (error->status != STATUS_EXISTS) return false;
    env_fatal(candidate->cluster->options.env, "%.150s; " WHAT_TO_DO, error->message);
    return true;
}

static void on_answer(void *arg, enum status status, struct slice reply,
                      const struct error *error) {
    struct candidate *candidate = arg;
    struct cluster *cluster = candidate->cluster;
    (void)error;
    candidate->call = NULL;
    if (status != STATUS_OK && refused(candidate)) return;
    const struct rpc_identity *peer = rpc_client_peer(candidate->client);
    if (status != STATUS_OK || peer == NULL ||
        node_state_decode(reply, &candidate->state) != STATUS_OK)
        return;
    candidate->identity = *peer;
    candidate->answered = true;
    if (candidate->state.cluster_id != 0) {
        adopt_from(cluster, candidate);
    } else {
        consider(cluster);
    }
}

static void complain(const struct cluster *cluster) {
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        const struct candidate *candidate = &cluster->candidates[i];
        if (candidate->answered) continue;
        log_info(env_log(cluster->options.env), "cluster", "waiting for %s: %s",
                 rpc_client_address(candidate->client),
                 rpc_client_last_error(candidate->client)->message);
    }
}

static void ask_all(void *arg) {
    struct cluster *cluster = arg;
    if (cluster->candidate_count == 0) {
        form(cluster);
        return;
    }
    if (++cluster->asks % COMPLAIN_EVERY_ASKS == 0) complain(cluster);
    struct request request = request_init(env_now_ns(cluster->options.env) + NS_PER_S);
    for (size_t i = 0; i < cluster->candidate_count; i++) {
        struct candidate *candidate = &cluster->candidates[i];
        if (candidate->call != NULL) continue;
        candidate->call = rpc_call(candidate->client, METHOD_CLUSTER_STATE, SLICE_EMPTY, &request,
                                   on_answer, candidate);
    }
    env_timer_start(cluster->options.env, &cluster->timer,
                    env_now_ns(cluster->options.env) + ASK_INTERVAL_NS);
}

static void ready_later(void *arg) { ready(arg); }

void cluster_start(struct cluster *cluster) {
    const struct cluster_options *options = &cluster->options;
    uint64_t now_ns = env_now_ns(options->env);
    if (cluster_state(cluster)->cluster_id != 0) {
        env_timer_init(&cluster->timer, ready_later, cluster);
        env_timer_start(options->env, &cluster->timer, now_ns);
        return;
    }
    cluster->candidates = mem_zalloc(options->join_count * sizeof *cluster->candidates);
    for (size_t i = 0; i < options->join_count; i++) {
        char host[MEMBER_ADDRESS_MAX];
        uint16_t port = 0;
        struct error error;
        if (strcmp(options->join[i], cluster->address) == 0) continue;
        if (address_parse(options->join[i], host, &port, &error) != STATUS_OK) continue;
        struct candidate *candidate = &cluster->candidates[cluster->candidate_count++];
        candidate->cluster = cluster;
        candidate->client = rpc_client_new(options->rpc, host, port, NULL);
    }
    env_timer_init(&cluster->timer, ask_all, cluster);
    env_timer_start(options->env, &cluster->timer, now_ns);
}

void cluster_free(struct cluster *cluster) {
    if (cluster == NULL) return;
    env_timer_stop(&cluster->timer);
    drop_candidates(cluster);
    cluster->options.rpc->check = NULL;
    mem_free(cluster);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void on_state_asked(void *arg, struct rpc_call *call, struct slice payload) {
    struct buf reply = BUF_INIT;
    (void)payload;
    node_state_encode(cluster_state(arg), &reply);
    rpc_reply(call, buf_slice(&reply));
    buf_deinit(&reply);
}

void cluster_register(struct cluster *cluster, struct rpc_server *server) {
    struct rpc_method method = {.id = METHOD_CLUSTER_STATE,
                                .name = "cluster state",
                                .on_call = on_state_asked,
                                .arg = cluster};
    rpc_server_register(server, &method);
}
