/* sim_cluster.c - see sim_cluster.h. */
#include "sim_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pg_frontend.h"

enum { PORT = 9001, ANSWER_LIMIT = 16 * 1024 * 1024 };

/* ---- nodes ---------------------------------------------------------------------------------- */

static void *start_node(struct env *env, const void *options, struct error *error) {
    struct cairn_node *node = NULL;
    return cairn_node_start(env, options, &node, error) == STATUS_OK ? node : NULL;
}

static void stop_node(void *node) { cairn_node_stop(node); }

static const struct node_ops node_ops = {start_node, stop_node, stop_node};

static void set_log(struct sim_options *options) {
    const char *level = getenv("CAIRN_SIM_LOG");
    if (!level) return;
    log_init_stderr(&options->log, LOG_INFO);
    assert_true(log_level_parse(level, &options->log.level));
}

void sim_cluster_prepare(struct sim_cluster *cluster, const struct sim_options *options,
                         uint64_t nodes) {
    struct sim_options with_log = *options;
    set_log(&with_log);
    *cluster = (struct sim_cluster){.sim = sim_new(&with_log), .node_count = nodes};
    for (uint64_t id = 1; id <= nodes; id++) {
        assert_int_equal(id, sim_add(cluster->sim, &node_ops, &cluster->options[id]));
        snprintf(cluster->addresses[id - 1], sizeof(cluster->addresses[0]), "%s:%d",
                 sim_address(cluster->sim, id), PORT);
        cluster->join[id - 1] = cluster->addresses[id - 1];
        cluster->options[id] = (struct cairn_node_options){.node_id = id,
                                                           .host = "",
                                                           .port = PORT,
                                                           .advertise = cluster->addresses[id - 1],
                                                           .data_dir = "data",
                                                           .engine = "mem",
                                                           .join = cluster->join,
                                                           .join_count = nodes,
                                                           .log_segment_bytes = 256 * 1024,
                                                           .flush_log_bytes = 64 * 1024};
    }
    cluster->client_machine = sim_add(cluster->sim, NULL, NULL);
}

void sim_cluster_form(struct sim_cluster *cluster) {
    for (uint64_t id = 1; id <= cluster->node_count; id++)
        sim_cluster_restart(cluster, id);
    struct sim_client client;
    sim_client_init(&client, cluster);
    sim_client_surely(&client, "SELECT 1");
    sim_client_deinit(&client);
}

void sim_cluster_start(struct sim_cluster *cluster, const struct sim_options *options,
                       uint64_t nodes) {
    sim_cluster_prepare(cluster, options, nodes);
    sim_cluster_form(cluster);
}

void sim_cluster_stop(struct sim_cluster *cluster) { sim_free(cluster->sim); }

void sim_cluster_restart(struct sim_cluster *cluster, uint64_t node) {
    struct error error = {0};
    assert_ok(sim_start(cluster->sim, node, &error), &error);
}

static const struct raft *raft_of(const struct sim_cluster *cluster, uint64_t id) {
    struct cairn_node *node = sim_node(cluster->sim, id);
    struct replica *replica = node ? cairn_node_replica(node) : NULL;
    return replica ? replica_raft(replica) : NULL;
}

static void check_pair(const struct raft *a, const struct raft *b) {
    struct raft_status sa = raft_status(a), sb = raft_status(b);
    assert_false(sa.role == RAFT_LEADER && sb.role == RAFT_LEADER && sa.term == sb.term);
    uint64_t index = sa.last_index < sb.last_index ? sa.last_index : sb.last_index;
    struct raft_entry ea, eb;
    for (bool equal = false; raft_entry_at(a, index, &ea) && raft_entry_at(b, index, &eb);
         index--) {
        equal = equal || ea.term == eb.term;
        assert_true(!equal || (ea.term == eb.term && ea.size_bytes == eb.size_bytes));
    }
}

void sim_cluster_check(const struct sim_cluster *cluster) {
    for (uint64_t id = 1; id <= cluster->node_count; id++) {
        const struct raft *raft = raft_of(cluster, id);
        if (!raft) continue;
        raft_check_invariants(raft);
        for (uint64_t other = 1; other < id; other++)
            if (raft_of(cluster, other)) check_pair(raft, raft_of(cluster, other));
    }
}

uint64_t sim_cluster_leader(const struct sim_cluster *cluster) {
    uint64_t leader = 0, term = 0;
    for (uint64_t id = 1; id <= cluster->node_count; id++) {
        if (!raft_of(cluster, id)) continue;
        struct raft_status status = raft_status(raft_of(cluster, id));
        if (status.role != RAFT_LEADER || status.term <= term) continue;
        leader = id;
        term = status.term;
    }
    return leader;
}

/* ---- the client ----------------------------------------------------------------------------- */

static void keep_row(struct sim_client *client, struct slice body) {
    uint16_t count;
    bool is_null;
    struct slice rest, value;
    assert_true(pg_answer_count(body, &count, &rest));
    for (uint16_t i = 0; i < count; i++) {
        assert_true(pg_answer_next_value(&rest, &is_null, &value));
        if (i > 0) buf_append_byte(&client->rows, '|');
        buf_append_slice(&client->rows, is_null ? SLICE_LITERAL("~") : value);
    }
    buf_append_byte(&client->rows, '\n');
}

static void take_answer(struct sim_client *client, const struct pg_answer *answer) {
    if (answer->type == 'D') keep_row(client, answer->body);
    /* A statement that is repeated behind the scenes describes its rows once. */
    if (answer->type == 'T') assert_true(++client->descriptions == 1);
    if (answer->type == 'Z') client->ready = true;
    if (answer->type != 'E') return;
    struct slice state = pg_answer_field(answer->body, 'C');
    client->failed = true;
    snprintf(client->sqlstate, sizeof(client->sqlstate), "%.*s", (int)state.len,
             (const char *)state.data);
}

static void on_input(void *arg, struct stream *stream) {
    struct sim_client *client = arg;
    struct pg_answer answer;
    size_t size_bytes = 0;
    struct error error;
    while (pg_answer_decode(stream_input(stream), ANSWER_LIMIT, &answer, &size_bytes, &error) ==
           STATUS_OK) {
        take_answer(client, &answer);
        stream_consume(stream, size_bytes);
    }
}

static void on_close(void *arg, struct stream *stream, enum status reason) {
    struct sim_client *client = arg;
    (void)stream;
    (void)reason;
    client->stream = NULL;
    client->broken = true;
}

static const struct stream_handler handler = {.on_input = on_input, .on_close = on_close};

void sim_client_init(struct sim_client *client, struct sim_cluster *cluster) {
    *client = (struct sim_client){.cluster = cluster};
}

static void disconnect(struct sim_client *client) {
    stream_abort(client->stream);
    client->stream = NULL;
    client->node = 0;
}

void sim_client_deinit(struct sim_client *client) {
    disconnect(client);
    buf_deinit(&client->rows);
    buf_deinit(&client->sql);
}

static void forget_answer(struct sim_client *client) {
    client->ready = client->failed = client->broken = false;
    client->sqlstate[0] = '\0';
    client->descriptions = 0;
    buf_clear(&client->rows);
}

static void ask(struct sim_client *client) {
    struct buf query = BUF_INIT;
    forget_answer(client);
    client->asked = true;
    pg_send_query(&query, buf_slice(&client->sql));
    stream_write(client->stream, buf_slice(&query));
    buf_deinit(&query);
}

static void connect_to(struct sim_client *client, uint64_t node, uint64_t timeout_ns) {
    struct sim *sim = client->cluster->sim;
    struct buf startup = BUF_INIT;
    disconnect(client);
    forget_answer(client);
    client->node = node;
    client->stream = env_dial(sim_env(sim, client->cluster->client_machine), sim_address(sim, node),
                              PORT, timeout_ns, &handler, client);
    pg_send_startup(&startup, "sim", "sim", NULL);
    stream_write(client->stream, buf_slice(&startup));
    buf_deinit(&startup);
}

void sim_client_start(struct sim_client *client, uint64_t node, const char *sql,
                      uint64_t timeout_ns) {
    buf_clear(&client->sql);
    buf_append_string(&client->sql, sql);
    client->deadline_ns = sim_now_ns(client->cluster->sim) + timeout_ns;
    client->asked = false;
    if (client->stream && client->node == node)
        ask(client);
    else
        connect_to(client, node, timeout_ns);
}

static enum sim_outcome give_up(struct sim_client *client) {
    bool asked = client->asked;
    disconnect(client);
    return asked ? SIM_UNKNOWN : SIM_REFUSED;
}

enum sim_outcome sim_client_look(struct sim_client *client) {
    if (client->broken || sim_now_ns(client->cluster->sim) >= client->deadline_ns)
        return give_up(client);
    if (!client->ready) return SIM_RUNNING;
    if (!client->asked) {
        if (client->failed) return give_up(client);
        ask(client);
        return SIM_RUNNING;
    }
    if (!client->failed) return SIM_OK;
    return strcmp(client->sqlstate, "40003") == 0 ? SIM_UNKNOWN : SIM_FAILED;
}

static bool has_news(void *arg) {
    const struct sim_client *client = arg;
    return client->ready || client->broken;
}

enum sim_outcome sim_client_run(struct sim_client *client, uint64_t node, const char *sql,
                                uint64_t timeout_ns) {
    struct sim *sim = client->cluster->sim;
    enum sim_outcome outcome;
    sim_client_start(client, node, sql, timeout_ns);
    while ((outcome = sim_client_look(client)) == SIM_RUNNING) {
        uint64_t now_ns = sim_now_ns(sim);
        bool news = sim_run_until(sim, has_news, client, client->deadline_ns - now_ns);
        assert_true(news || sim_now_ns(sim) >= client->deadline_ns);
    }
    return outcome;
}

void sim_client_surely(struct sim_client *client, const char *sql) {
    struct sim *sim = client->cluster->sim;
    uint64_t give_up_ns = sim_now_ns(sim) + 60 * NS_PER_S;
    for (uint64_t try = 0; sim_now_ns(sim) < give_up_ns; try++) {
        uint64_t node = 1 + try % client->cluster->node_count;
        if (!sim_is_up(sim, node)) continue;
        if (sim_client_run(client, node, sql, 5 * NS_PER_S) == SIM_OK) return;
        sim_run(sim, 100 * NS_PER_MS);
    }
    fail_msg("no answer in a minute, last SQLSTATE %s: %s", client->sqlstate, sql);
}
