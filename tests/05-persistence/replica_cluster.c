/* replica_cluster.c - see the header. */
#include "replica_cluster.h"

#include <stdio.h>

#include "env_fault.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"

#define GIVE_UP_NS (40 * NS_PER_S)
enum { GROUP = 1 };

/* ---- the state machine ----------------------------------------------------------------------- */

static enum status apply(void *self, const struct applied_entry *entry, struct write_batch *batch,
                         struct error *error) {
    (void)self;
    return write_batch_append_encoded(batch, entry->payload, error);
}

static void applied(void *self, uint64_t index) {
    (void)self;
    (void)index;
}

static void on_leader(void *self, bool leads, uint64_t term) {
    (void)term;
    ((struct cluster_node *)self)->leads = leads;
}

static void restored(void *self, uint64_t index) {
    ((struct cluster_node *)self)->restored = index;
}

static const struct state_machine_ops machine_ops = {
    .apply = apply, .applied = applied, .on_leader = on_leader, .restored = restored};

/* ---- messages -------------------------------------------------------------------------------- */

static struct cluster_message *enqueue(struct cluster_node *from, uint64_t to, struct slice data) {
    struct replica_cluster *cluster = from->cluster;
    struct cluster_message *message = mem_zalloc(sizeof *message + data.len);
    message->from = from->id;
    message->to = to;
    message->len = data.len;
    memcpy(message->data, data.data, data.len);
    *cluster->messages_tail = message;
    cluster->messages_tail = &message->next;
    env_timer_start(cluster->machine, &cluster->deliver, env_now_ns(cluster->machine));
    return message;
}

static bool send_message(void *self, uint64_t to, struct slice data) {
    enqueue(self, to, data);
    return true;
}

static void send_chunk(void *self, uint64_t to, struct slice data,
                       void (*done)(void *arg, enum status status), void *arg) {
    struct cluster_message *message = enqueue(self, to, data);
    message->chunk = true;
    message->done = done;
    message->arg = arg;
}

static const struct raft_transport_ops transport_ops = {.send = send_message,
                                                        .send_chunk = send_chunk};

static void deliver_one(struct replica_cluster *cluster, struct cluster_message *message) {
    struct cluster_node *from = &cluster->nodes[message->from];
    struct cluster_node *to = &cluster->nodes[message->to];
    bool reaches = from->up && to->up && !from->cut && !to->cut;
    struct slice data = slice_of(message->data, message->len);
    if (!message->chunk) {
        if (reaches) replica_set_receive(to->set, message->from, data);
        return;
    }
    enum status status = STATUS_UNAVAILABLE;
    uint64_t next;
    struct error error;
    if (reaches) status = replica_set_receive_chunk(to->set, message->from, data, &next, &error);
    if (from->up) message->done(message->arg, status);
}

static void deliver_all(void *arg) {
    struct replica_cluster *cluster = arg;
    struct cluster_message *message = cluster->messages;
    cluster->messages = NULL;
    cluster->messages_tail = &cluster->messages;
    while (message != NULL) {
        struct cluster_message *next = message->next;
        deliver_one(cluster, message);
        mem_free(message);
        message = next;
    }
}

/* ---- nodes ----------------------------------------------------------------------------------- */

void cluster_node_up(struct replica_cluster *cluster, uint64_t id) {
    struct cluster_node *node = &cluster->nodes[id];
    struct error error;
    node->metrics = metrics_new();
    assert_ok(
        log_store_open(node->env, node->log_dir, 64 * 1024, node->metrics, &node->log, &error),
        &error);
    struct engine_options engine = {.dir = node->engine_dir};
    assert_ok(engine_open(node->env, "mem", &engine, &node->engine, &error), &error);
    if (log_store_group(node->log, GROUP) == NULL) {
        struct group_state state = {.group = GROUP, .voter_count = cluster->count};
        for (uint64_t i = 0; i < cluster->count; i++)
            state.voters[i] = i + 1;
        log_store_create_group(node->log, &state);
    }
    struct replica_set_options options = {.env = node->env,
                                          .log = node->log,
                                          .engine = node->engine,
                                          .metrics = node->metrics,
                                          .snapshot_dir = node->snapshot_dir,
                                          .node_id = id,
                                          .transport = &transport_ops,
                                          .transport_arg = node,
                                          .heartbeat_interval_ns = 10 * NS_PER_MS,
                                          .election_timeout_ns = 100 * NS_PER_MS,
                                          .flush_log_bytes = cluster->flush_log_bytes,
                                          .keep_log_bytes = cluster->keep_log_bytes};
    node->set = replica_set_new(&options);
    struct replica_options replica = {.group = GROUP,
                                      .data_start = REPLICA_LOCAL_KEYS_END,
                                      .data_end = SLICE_LITERAL("\xff"),
                                      .machine = &machine_ops,
                                      .machine_arg = node};
    assert_ok(replica_open(node->set, &replica, &node->replica, &error), &error);
    node->up = true;
}

static void close_node(struct cluster_node *node) {
    replica_set_free(node->set);
    engine_close(node->engine);
    log_store_close(node->log);
    metrics_free(node->metrics);
    node->up = node->leads = false;
    node->replica = NULL;
}

static void drop_messages(struct replica_cluster *cluster) {
    while (cluster->messages != NULL) {
        struct cluster_message *message = cluster->messages;
        cluster->messages = message->next;
        mem_free(message);
    }
    cluster->messages_tail = &cluster->messages;
}

void cluster_node_down(struct replica_cluster *cluster, uint64_t id) {
    struct cluster_node *node = &cluster->nodes[id];
    drop_messages(cluster);
    close_node(node);
    env_fault_power_loss(node->env, LOSE_ALL_UNSYNCED);
}

static void name_directories(struct cluster_node *node, const char *dir) {
    snprintf(node->dir, sizeof node->dir, "%.400s/n%d", dir, (int)node->id);
    snprintf(node->log_dir, sizeof node->log_dir, "%s/log", node->dir);
    snprintf(node->engine_dir, sizeof node->engine_dir, "%s/engine", node->dir);
    snprintf(node->snapshot_dir, sizeof node->snapshot_dir, "%s/snapshots", node->dir);
}

void replica_cluster_start(struct replica_cluster *cluster, size_t count) {
    harness_limit(60000); /* a verdict must not depend on how busy the machine is */
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    cluster->machine = env_uv_new(&log);
    cluster->count = count;
    cluster->messages_tail = &cluster->messages;
    env_timer_init(&cluster->deliver, deliver_all, cluster);
    const char *dir = harness_tmpdir();
    for (uint64_t id = 1; id <= count; id++) {
        struct cluster_node *node = &cluster->nodes[id];
        node->cluster = cluster;
        node->id = id;
        node->env = env_fault_new(cluster->machine, id);
        name_directories(node, dir);
        cluster_node_up(cluster, id);
    }
}

void replica_cluster_stop(struct replica_cluster *cluster) {
    drop_messages(cluster);
    for (uint64_t id = 1; id <= cluster->count; id++) {
        if (cluster->nodes[id].up) close_node(&cluster->nodes[id]);
    }
    env_uv_free(cluster->machine);
    for (uint64_t id = 1; id <= cluster->count; id++)
        env_fault_free(cluster->nodes[id].env);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wake(void *arg) { env_stop(arg); }

void replica_cluster_until(struct replica_cluster *cluster, bool (*condition)(void *arg), void *arg,
                           const char *what) {
    struct env *env = cluster->machine;
    uint64_t give_up = env_now_ns(env) + GIVE_UP_NS;
    struct env_timer timer = {0};
    env_timer_init(&timer, wake, env);
    while (!condition(arg)) {
        if (env_now_ns(env) > give_up) fail_msg("waited in vain for %s", what);
        env_timer_start(env, &timer, env_now_ns(env) + NS_PER_MS);
        env_run(env);
    }
    env_timer_stop(&timer);
}

static struct cluster_node *find_leader(struct replica_cluster *cluster) {
    struct cluster_node *leader = NULL;
    uint64_t term = 0;
    for (uint64_t id = 1; id <= cluster->count; id++) {
        struct cluster_node *node = &cluster->nodes[id];
        if (!node->up || node->cut || !node->leads) continue;
        if (replica_raft_status(node->replica).term < term) continue;
        term = replica_raft_status(node->replica).term;
        leader = node;
    }
    return leader;
}

static bool has_leader(void *arg) { return find_leader(arg) != NULL; }

struct cluster_node *replica_cluster_leader(struct replica_cluster *cluster) {
    replica_cluster_until(cluster, has_leader, cluster, "a leader");
    return find_leader(cluster);
}

/* ---- clients --------------------------------------------------------------------------------- */

struct put {
    struct proposal proposal;
    bool done;
    enum status status;
};

static void on_put_done(struct proposal *proposal, enum status status, uint64_t index) {
    struct put *put = proposal->arg;
    (void)index;
    put->done = true;
    put->status = status;
}

static bool put_done(void *arg) { return ((struct put *)arg)->done; }

static enum status put_once(struct replica_cluster *cluster, const char *key, const char *value) {
    struct cluster_node *leader = replica_cluster_leader(cluster);
    struct replicator *replicator = replica_replicator(leader->replica);
    struct write_batch batch;
    write_batch_init(&batch);
    write_batch_put(&batch, slice_of_string(key), slice_of_string(value));
    struct put put = {.proposal = {.payload = write_batch_encoded(&batch), .done = on_put_done}};
    put.proposal.arg = &put;
    replicator->ops->propose(replicator, &put.proposal);
    replica_cluster_until(cluster, put_done, &put, "a proposal's end");
    write_batch_deinit(&batch);
    return put.status;
}

/* On a busy machine a leader may lose its followers for a moment: a put may be repeated. */
enum status replica_cluster_put(struct replica_cluster *cluster, const char *key,
                                const char *value) {
    enum status status;
    do
        status = put_once(cluster, key, value);
    while (status == STATUS_UNKNOWN_OUTCOME || status == STATUS_NOT_LEADER);
    return status;
}

const char *cluster_node_get(struct cluster_node *node, const char *key) {
    static char text[256];
    struct buf value = BUF_INIT;
    struct error error;
    enum status status = engine_get(node->engine, NULL, slice_of_string(key), 0, &value, &error);
    snprintf(text, sizeof text, "%.*s", status == STATUS_OK ? (int)value.len : 0,
             (const char *)value.data);
    buf_deinit(&value);
    return text;
}

static bool converged(void *arg) {
    struct replica_cluster *cluster = arg;
    struct cluster_node *leader = find_leader(cluster);
    if (leader == NULL) return false;
    uint64_t last = replica_raft_status(leader->replica).last_index;
    for (uint64_t id = 1; id <= cluster->count; id++) {
        struct cluster_node *node = &cluster->nodes[id];
        if (node->up && !node->cut && replica_raft_status(node->replica).applied < last)
            return false;
    }
    return true;
}

void replica_cluster_converge(struct replica_cluster *cluster) {
    replica_cluster_until(cluster, converged, cluster, "all nodes to apply everything");
}
