/* cli_status.c - asks one node for the members, then every member for its status. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cairn_node.h"
#include "cli.h"
#include "cluster.h"
#include "env_uv.h"
#include "mem.h"
#include "node_status.pb-c.h"
#include "rpc_client.h"

#define ANSWER_TIMEOUT_NS (2 * NS_PER_S)

/* One call, waited for. */
struct ask {
    struct env *env;
    bool answered;
    enum status status;
    struct buf reply;
    struct error error;
};

static void on_answer(void *arg, enum status status, struct slice reply,
                      const struct error *error) {
    struct ask *ask = arg;
    ask->answered = true;
    ask->status = status;
    if (status == STATUS_OK) {
        buf_append_slice(&ask->reply, reply);
    } else {
        ask->error = *error;
    }
    env_stop(ask->env);
}

static enum status ask_node(struct rpc_context *rpc, const char *host, uint16_t port,
                            uint32_t method, struct buf *reply, struct error *error) {
    struct rpc_client_options options = rpc_client_options_default();
    options.wait_for_ready = true;
    struct rpc_client *client = rpc_client_new(rpc, host, port, &options);
    struct request request = request_init(env_now_ns(rpc->env) + ANSWER_TIMEOUT_NS);
    struct ask ask = {.env = rpc->env};
    rpc_call(client, method, SLICE_EMPTY, &request, on_answer, &ask);
    while (!ask.answered)
        env_run(rpc->env);
    if (ask.status == STATUS_DEADLINE) {
        error_set(error, STATUS_UNAVAILABLE, "nobody answers at %s:%u", host, port);
    } else if (ask.status != STATUS_OK) {
        *error = ask.error;
    }
    buf_swap(reply, &ask.reply);
    buf_deinit(&ask.reply);
    rpc_client_free(client);
    return ask.status;
}

/* ---- the table ------------------------------------------------------------------------------- */

struct seen {
    uint64_t leader_commit;
    NodeStatus *status[RAFT_MAX_VOTERS];
};

static void add_row(struct cli_table *table, const struct member *member, const NodeStatus *status,
                    uint64_t leader_commit) {
    cli_table_printf(table, "%" PRIu64, member->node_id);
    cli_table_printf(table, "%s", member->address);
    if (status == NULL) {
        cli_table_printf(table, "down");
        for (int i = 0; i < 5; i++)
            cli_table_printf(table, "-");
        return;
    }
    if (status->n_groups == 0) {
        cli_table_printf(table, "starting");
        for (int i = 0; i < 5; i++)
            cli_table_printf(table, "-");
        return;
    }
    const GroupStatus *group = status->groups[0];
    uint64_t lag = leader_commit > group->applied_index ? leader_commit - group->applied_index : 0;
    cli_table_printf(table, "%s", group->role);
    cli_table_printf(table, "%" PRIu64, group->term);
    cli_table_printf(table, "%" PRIu64, group->commit_index);
    cli_table_printf(table, "%" PRIu64, group->applied_index);
    cli_table_printf(table, "%" PRIu64, lag);
    cli_table_printf(table, "%.1f MiB", (double)status->log_bytes / (1024.0 * 1024.0));
}

static void print_table(const struct node_state *cluster, const struct seen *seen) {
    static const char *const header[] = {"node",   "address", "role", "term",
                                         "commit", "applied", "lag",  "log"};
    struct cli_table table;
    struct buf out = BUF_INIT;
    cli_table_init(&table, ARRAY_LEN(header));
    for (size_t c = 0; c < ARRAY_LEN(header); c++) {
        cli_table_printf(&table, "%s", header[c]);
        table.right_aligned[c] = c == 0 || c >= 3;
    }
    for (size_t i = 0; i < cluster->member_count; i++) {
        add_row(&table, &cluster->members[i], seen->status[i], seen->leader_commit);
    }
    cli_table_render(&table, false, &out);
    printf("cluster %016" PRIx64 "\n%.*s", cluster->cluster_id, (int)out.len,
           (const char *)out.data);
    buf_deinit(&out);
    cli_table_deinit(&table);
}

static void ask_members(struct rpc_context *rpc, const struct node_state *cluster,
                        struct seen *seen) {
    for (size_t i = 0; i < cluster->member_count; i++) {
        char host[MEMBER_ADDRESS_MAX];
        uint16_t port;
        struct error error;
        struct buf reply = BUF_INIT;
        bool answered =
            address_parse(cluster->members[i].address, host, &port, &error) == STATUS_OK &&
            ask_node(rpc, host, port, METHOD_NODE_STATUS, &reply, &error) == STATUS_OK;
        if (answered) seen->status[i] = node_status__unpack(NULL, reply.len, reply.data);
        buf_deinit(&reply);
        const NodeStatus *status = seen->status[i];
        if (status != NULL && status->n_groups > 0 &&
            status->groups[0]->commit_index > seen->leader_commit) {
            seen->leader_commit = status->groups[0]->commit_index;
        }
    }
}

/* Any node of the list may be the one that is up. */
static enum status find_cluster(struct rpc_context *rpc, const struct cli_options *options,
                                struct node_state *cluster, struct error *error) {
    enum status status = STATUS_UNAVAILABLE;
    for (unsigned k = 0; k < options->nodes && status != STATUS_OK; k++) {
        struct buf reply = BUF_INIT;
        status = ask_node(rpc, options->host, (uint16_t)(options->port + k), METHOD_CLUSTER_STATE,
                          &reply, error);
        if (status == STATUS_OK) status = node_state_decode(buf_slice(&reply), cluster);
        buf_deinit(&reply);
    }
    return status;
}

int cli_status(const struct cli_options *options) {
    struct log log;
    struct hlc clock;
    struct error error = {.message = ""};
    struct rpc_context rpc;
    struct node_state cluster = {0};
    struct seen seen = {0};
    log_init_null(&log);
    struct env *env = env_uv_new(&log);
    struct metrics *metrics = metrics_new();
    hlc_init(&clock, UINT64_MAX);
    rpc_context_init(&rpc, env, &clock, metrics);
    enum status status = find_cluster(&rpc, options, &cluster, &error);
    if (status != STATUS_OK) {
        fprintf(stderr, "cairn: %s\n", error.message);
    } else if (cluster.cluster_id == 0) {
        printf("the cluster is not formed yet: nodes wait for each other\n");
    } else {
        ask_members(&rpc, &cluster, &seen);
        print_table(&cluster, &seen);
        for (size_t i = 0; i < cluster.member_count; i++) {
            if (seen.status[i] != NULL) node_status__free_unpacked(seen.status[i], NULL);
        }
    }
    metrics_free(metrics);
    env_uv_free(env);
    return status == STATUS_OK ? 0 : 1;
}
