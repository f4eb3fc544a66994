/* test_replica.c - groups on real files: what is acknowledged survives, who was away catches up. */
#include <stdio.h>

#include "harness.h"
#include "replica_cluster.h"

static void put(struct replica_cluster *cluster, const char *key, const char *value) {
    assert_status(STATUS_OK, replica_cluster_put(cluster, key, value));
}

static void put_many(struct replica_cluster *cluster, int first, int last) {
    char key[32], value[240];
    for (int i = first; i <= last; i++) {
        snprintf(key, sizeof key, "key %d", i);
        snprintf(value, sizeof value, "%0200d", i);
        put(cluster, key, value);
    }
}

static void assert_many(struct cluster_node *node, int first, int last) {
    char key[32], value[240];
    for (int i = first; i <= last; i++) {
        snprintf(key, sizeof key, "key %d", i);
        snprintf(value, sizeof value, "%0200d", i);
        assert_string_equal(value, cluster_node_get(node, key));
    }
}

TEST("1", 1, an_entry_is_applied_on_every_node) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put(&cluster, "k", "v");
    replica_cluster_converge(&cluster);
    for (uint64_t id = 1; id <= 3; id++)
        assert_string_equal("v", cluster_node_get(&cluster.nodes[id], "k"));
    replica_cluster_stop(&cluster);
}

TEST("1", 1, a_single_node_commits_by_itself) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 1);
    put(&cluster, "k", "v");
    assert_string_equal("v", cluster_node_get(&cluster.nodes[1], "k"));
    replica_cluster_stop(&cluster);
}

TEST("2", 1, what_was_acknowledged_survives_a_power_loss_of_all_nodes) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put_many(&cluster, 1, 50);
    for (uint64_t id = 1; id <= 3; id++)
        cluster_node_down(&cluster, id);
    for (uint64_t id = 1; id <= 3; id++)
        cluster_node_up(&cluster, id);
    put(&cluster, "after", "restart");
    replica_cluster_converge(&cluster);
    for (uint64_t id = 1; id <= 3; id++)
        assert_many(&cluster.nodes[id], 1, 50);
    replica_cluster_stop(&cluster);
}

TEST("2", 1, the_cluster_goes_on_without_its_leader) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put_many(&cluster, 1, 10);
    uint64_t old = replica_cluster_leader(&cluster)->id;
    cluster_node_down(&cluster, old);
    put_many(&cluster, 11, 20);
    assert_true(replica_cluster_leader(&cluster)->id != old);
    cluster_node_up(&cluster, old);
    replica_cluster_converge(&cluster);
    assert_many(&cluster.nodes[old], 1, 20);
    replica_cluster_stop(&cluster);
}

static uint64_t follower(struct replica_cluster *cluster) {
    uint64_t leader = replica_cluster_leader(cluster)->id;
    return leader == 1 ? 2 : 1;
}

struct compacted {
    struct replica_cluster *cluster;
    uint64_t index;
};

static bool leader_compacted(void *arg) {
    struct compacted *wanted = arg;
    struct cluster_node *leader = replica_cluster_leader(wanted->cluster);
    return replica_raft_status(leader->replica).first_index > wanted->index;
}

TEST("3", 4, a_follower_that_the_log_no_longer_reaches_gets_a_snapshot) {
    struct replica_cluster cluster = {.flush_log_bytes = 64 * 1024, .keep_log_bytes = 1};
    replica_cluster_start(&cluster, 3);
    put_many(&cluster, 1, 5);
    uint64_t away = follower(&cluster);
    cluster_node_down(&cluster, away);
    put_many(&cluster, 6, 600);
    struct compacted wanted = {&cluster, 20};
    replica_cluster_until(&cluster, leader_compacted, &wanted, "the leader to compact its log");
    cluster_node_up(&cluster, away);
    replica_cluster_converge(&cluster);
    assert_true(cluster.nodes[away].restored > 0);
    assert_many(&cluster.nodes[away], 1, 600);

    /* The snapshot is durable before the engine has flushed it. */
    cluster_node_down(&cluster, away);
    cluster_node_up(&cluster, away);
    assert_many(&cluster.nodes[away], 1, 500);
    put_many(&cluster, 601, 610);
    replica_cluster_converge(&cluster);
    assert_many(&cluster.nodes[away], 1, 610);
    replica_cluster_stop(&cluster);
}

TEST("3", 3, a_log_is_compacted_only_below_what_the_engine_has_flushed) {
    struct replica_cluster cluster = {.flush_log_bytes = 64 * 1024, .keep_log_bytes = 1};
    replica_cluster_start(&cluster, 1);
    put_many(&cluster, 1, 600);
    struct compacted wanted = {&cluster, 20};
    replica_cluster_until(&cluster, leader_compacted, &wanted, "the log to be compacted");
    put_many(&cluster, 601, 620);
    cluster_node_down(&cluster, 1);
    cluster_node_up(&cluster, 1);
    put(&cluster, "k", "v");
    assert_many(&cluster.nodes[1], 1, 620);
    replica_cluster_stop(&cluster);
}

/* ---- reads and lost leadership --------------------------------------------------------------- */

struct outcome {
    struct read_barrier barrier;
    struct proposal proposal;
    bool done;
    enum status status;
};

static void on_barrier(struct read_barrier *barrier, enum status status) {
    struct outcome *outcome = barrier->arg;
    outcome->done = true;
    outcome->status = status;
}

static void on_proposal(struct proposal *proposal, enum status status, uint64_t index) {
    struct outcome *outcome = proposal->arg;
    (void)index;
    outcome->done = true;
    outcome->status = status;
}

static bool is_done(void *arg) { return ((struct outcome *)arg)->done; }

static enum status ask_barrier(struct replica_cluster *cluster, struct cluster_node *node) {
    struct outcome outcome = {.barrier = {.done = on_barrier}};
    outcome.barrier.arg = &outcome;
    struct replicator *replicator = replica_replicator(node->replica);
    replicator->ops->read_barrier(replicator, &outcome.barrier);
    replica_cluster_until(cluster, is_done, &outcome, "the read barrier");
    return outcome.status;
}

TEST("4", 0, only_a_leader_lets_reads_proceed) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put(&cluster, "k", "v");
    assert_status(STATUS_OK, ask_barrier(&cluster, replica_cluster_leader(&cluster)));
    assert_status(STATUS_NOT_LEADER, ask_barrier(&cluster, &cluster.nodes[follower(&cluster)]));
    replica_cluster_stop(&cluster);
}

TEST("4", 0, a_leader_cut_off_answers_no_read) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put(&cluster, "k", "v");
    struct cluster_node *old = replica_cluster_leader(&cluster);
    old->cut = true;
    assert_status(STATUS_UNAVAILABLE, ask_barrier(&cluster, old));
    replica_cluster_stop(&cluster);
}

TEST("4", 0, a_proposal_of_a_leader_cut_off_has_an_unknown_outcome) {
    struct replica_cluster cluster = {0};
    replica_cluster_start(&cluster, 3);
    put(&cluster, "k", "v");
    struct cluster_node *old = replica_cluster_leader(&cluster);
    old->cut = true;
    struct write_batch batch;
    write_batch_init(&batch);
    write_batch_put(&batch, SLICE_LITERAL("k"), SLICE_LITERAL("lost"));
    struct outcome outcome = {
        .proposal = {.payload = write_batch_encoded(&batch), .done = on_proposal}};
    outcome.proposal.arg = &outcome;
    struct replicator *replicator = replica_replicator(old->replica);
    replicator->ops->propose(replicator, &outcome.proposal);
    put(&cluster, "k", "new");
    replica_cluster_until(&cluster, is_done, &outcome, "the old leader to give up");
    assert_status(STATUS_UNKNOWN_OUTCOME, outcome.status);
    old->cut = false;
    replica_cluster_converge(&cluster);
    assert_string_equal("new", cluster_node_get(old, "k"));
    write_batch_deinit(&batch);
    replica_cluster_stop(&cluster);
}
