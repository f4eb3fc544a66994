/* Complete nodes under simulation: SQL from clients' bytes to the sectors of the log, through power
 * failures in which what was not synced is lost, and through cuts of the network. CAIRN_SEED=n
 * replays one history of each kind, CAIRN_SEEDS=n runs so many. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "mem.h"
#include "sim_cluster.h"

enum { NODES = 3, CLIENTS = 4, ROWS = 500 };

/* What a client knows of each row it tried to insert. */
enum fate { NOT_TRIED, ACKNOWLEDGED, MAYBE };

struct history {
    struct sim_cluster cluster;
    struct sim_client clients[CLIENTS];
    int inserting[CLIENTS];     /* the row; -1: idle */
    bool reading[CLIENTS];      /* the row, which is acknowledged, instead of inserting it */
    uint64_t retry_ns[CLIENTS]; /* when it is tried again; 0: under way */
    enum fate rows[ROWS];
    int counts[3], refusals, reads, next_row;
    uint64_t next_fault_ns;
};

/* ---- inserting ------------------------------------------------------------------------------ */

static void start_insert(struct history *history, int client, int row) {
    struct sim *sim = history->cluster.sim;
    char sql[128];
    snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d, 'row %d')", row, row);
    history->inserting[client] = row;
    history->retry_ns[client] = 0;
    sim_client_start(&history->clients[client], prng_between(sim_prng(sim), 1, NODES), sql,
                     2 * NS_PER_S);
}

/* Picks a row that is acknowledged: whoever is asked must know it by now. */
static void start_read(struct history *history, int client) {
    struct sim *sim = history->cluster.sim;
    int row = (int)prng_below(sim_prng(sim), (uint64_t)history->next_row);
    char sql[128];
    if (history->rows[row] != ACKNOWLEDGED) return;
    snprintf(sql, sizeof(sql), "SELECT v FROM t WHERE id = %d", row);
    history->inserting[client] = row;
    history->reading[client] = true;
    sim_client_start(&history->clients[client], prng_between(sim_prng(sim), 1, NODES), sql,
                     2 * NS_PER_S);
}

static void look_at_read(struct history *history, int client) {
    char expected[32];
    enum sim_outcome outcome = sim_client_look(&history->clients[client]);
    if (outcome == SIM_RUNNING) return;
    history->reading[client] = false;
    snprintf(expected, sizeof(expected), "row %d\n", history->inserting[client]);
    history->inserting[client] = -1;
    if (outcome != SIM_OK) return;
    assert_slice_equal(slice_of_string(expected), buf_slice(&history->clients[client].rows));
    history->reads++;
}

/* What surely did not happen is tried again: that it did not is checked by the primary key. */
static void look(struct history *history, int client) {
    struct sim *sim = history->cluster.sim;
    int row = history->inserting[client];
    if (history->reading[client]) {
        look_at_read(history, client);
        return;
    }
    if (row < 0 || sim_now_ns(sim) < history->retry_ns[client]) return;
    if (history->retry_ns[client] > 0) start_insert(history, client, row);
    switch (sim_client_look(&history->clients[client])) {
    case SIM_RUNNING:
        return;
    case SIM_OK:
        history->rows[row] = ACKNOWLEDGED;
        break;
    case SIM_UNKNOWN:
        history->rows[row] = MAYBE;
        break;
    case SIM_FAILED:
        assert_string_not_equal("23505", history->clients[client].sqlstate); /* it is there */
        /* fallthrough */
    case SIM_REFUSED:
        history->refusals++;
        history->retry_ns[client] = sim_now_ns(sim) + 20 * NS_PER_MS;
        return;
    }
    history->inserting[client] = -1;
    history->counts[history->rows[row]]++;
}

static bool busy(const struct history *history) {
    for (int i = 0; i < CLIENTS; i++)
        if (history->inserting[i] >= 0) return true;
    return history->next_row < ROWS;
}

/* All clients insert, each as fast as it is answered; steps are short, so that faults strike
 * between any two messages. */
static void insert_all(struct history *history, void (*fault)(struct history *history)) {
    struct sim *sim = history->cluster.sim;
    while (busy(history)) {
        for (int i = 0; i < CLIENTS; i++) {
            look(history, i);
            if (history->inserting[i] < 0 && history->next_row > 0 && history->next_row < ROWS &&
                prng_below(sim_prng(sim), 4) == 0)
                start_read(history, i);
            if (history->inserting[i] < 0 && history->next_row < ROWS)
                start_insert(history, i, history->next_row++);
        }
        if (sim_now_ns(sim) >= history->next_fault_ns) fault(history);
        sim_cluster_check(&history->cluster);
        sim_run(sim, prng_between(sim_prng(sim), 20 * NS_PER_US, 400 * NS_PER_US));
    }
}

/* ---- checking ------------------------------------------------------------------------------- */

static void read_all(struct history *history, uint64_t node) {
    struct sim_client *client = &history->clients[0];
    for (int try = 0; try < 100; try++) {
        if (sim_client_run(client, node, "SELECT id, v FROM t ORDER BY id", 5 * NS_PER_S) == SIM_OK)
            return;
        sim_run(history->cluster.sim, 100 * NS_PER_MS);
    }
    fail_msg("node %d does not answer", (int)node);
}

/* Every acknowledged row is there once, none that failed, as seen from this node. */
static void check_rows(struct history *history, uint64_t node) {
    int seen[ROWS] = {0};
    read_all(history, node);
    buf_append_byte(&history->clients[0].rows, 0);
    const char *line = (const char *)history->clients[0].rows.data;
    for (; *line; line = strchr(line, '\n') + 1) {
        int row = -1, again = -2;
        assert_int_equal(2, sscanf(line, "%d|row %d", &row, &again));
        assert_int_equal(row, again);
        assert_true(row >= 0 && row < ROWS);
        seen[row]++;
    }
    for (int row = 0; row < ROWS; row++) {
        enum fate fate = history->rows[row];
        if (seen[row] > 1 || (seen[row] == 0 && fate == ACKNOWLEDGED) ||
            (seen[row] == 1 && fate != ACKNOWLEDGED && fate != MAYBE))
            fail_msg("seed %llu: node %d has row %d %d times, its fate is %d",
                     (unsigned long long)history->cluster.seed, (int)node, row, seen[row], fate);
    }
}

/* ---- histories ------------------------------------------------------------------------------ */

static void next_fault_in(struct history *history, uint64_t least_ns, uint64_t most_ns) {
    struct sim *sim = history->cluster.sim;
    history->next_fault_ns = sim_now_ns(sim) + prng_between(sim_prng(sim), least_ns, most_ns);
}

static struct history *begin(uint64_t seed) {
    struct history *history = MEM_NEW(struct history);
    struct sim_options options = {.seed = seed};
    sim_cluster_start(&history->cluster, &options, NODES);
    for (int i = 0; i < CLIENTS; i++) {
        sim_client_init(&history->clients[i], &history->cluster);
        history->inserting[i] = -1;
    }
    sim_client_surely(&history->clients[0], "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)");
    next_fault_in(history, 1, 50 * NS_PER_MS);
    return history;
}

static uint64_t end(struct history *history) {
    struct sim *sim = history->cluster.sim;
    sim_heal(sim);
    for (uint64_t node = 1; node <= NODES; node++)
        if (!sim_is_up(sim, node)) sim_cluster_restart(&history->cluster, node);
    for (uint64_t node = 1; node <= NODES; node++)
        check_rows(history, node);
    for (int i = 0; i < CLIENTS; i++)
        sim_client_deinit(&history->clients[i]);
    uint64_t hash = sim_trace_hash(sim);
    printf("%llu events, %.1f s, %d acknowledged, %d unknown, %d refusals, %d reads\n",
           (unsigned long long)sim_event_count(sim), (double)sim_now_ns(sim) / 1e9,
           history->counts[ACKNOWLEDGED], history->counts[MAYBE], history->refusals,
           history->reads);
    assert_true(history->counts[ACKNOWLEDGED] > 0 && history->reads > 0);
    sim_cluster_stop(&history->cluster);
    mem_free(history);
    return hash;
}

static void lose_some_node(struct history *history) {
    struct sim *sim = history->cluster.sim;
    for (uint64_t node = 1; node <= NODES; node++) {
        if (sim_is_up(sim, node)) continue;
        sim_cluster_restart(&history->cluster, node);
        next_fault_in(history, 1, 1500 * NS_PER_MS);
        return;
    }
    uint64_t victim = sim_cluster_leader(&history->cluster);
    if (victim == 0 || prng_below(sim_prng(sim), 4) == 0)
        victim = prng_between(sim_prng(sim), 1, NODES);
    sim_crash(sim, victim, LOSE_ALL_UNSYNCED);
    next_fault_in(history, 1, 1000 * NS_PER_MS);
}

static void lose_all_nodes(struct history *history) {
    struct sim *sim = history->cluster.sim;
    for (uint64_t node = 1; node <= NODES; node++)
        sim_crash(sim, node, LOSE_SOME);
    sim_run(sim, prng_below(sim_prng(sim), NS_PER_S));
    for (uint64_t node = 1; node <= NODES; node++)
        sim_cluster_restart(&history->cluster, node);
    next_fault_in(history, 500 * NS_PER_MS, 900 * NS_PER_MS);
}

static void cut_some_node(struct history *history) {
    struct sim *sim = history->cluster.sim;
    uint64_t away = sim_cluster_leader(&history->cluster);
    sim_heal(sim);
    if (away == 0 || prng_below(sim_prng(sim), 3) == 0)
        away = prng_between(sim_prng(sim), 1, NODES);
    if (prng_below(sim_prng(sim), 3) > 0)
        for (uint64_t node = 1; node <= NODES; node++)
            if (node != away) sim_cut(sim, away, node, true);
    next_fault_in(history, 1, 700 * NS_PER_MS);
}

static void anything(struct history *history) {
    struct prng *prng = sim_prng(history->cluster.sim);
    uint64_t kind = prng_below(prng, 20);
    if (kind == 0)
        lose_all_nodes(history);
    else if (kind < 10)
        lose_some_node(history);
    else
        cut_some_node(history);
}

static uint64_t run_history(uint64_t seed, void (*fault)(struct history *history)) {
    struct history *history = begin(seed);
    history->cluster.seed = seed;
    insert_all(history, fault);
    return end(history);
}

static uint64_t seeds_to_run(uint64_t usually, uint64_t *last) {
    const char *only = getenv("CAIRN_SEED"), *count = getenv("CAIRN_SEEDS");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    *last = only ? first : count ? strtoull(count, NULL, 10) : usually;
    return first;
}

static void run_seeds(uint64_t usually, void (*fault)(struct history *history)) {
    TEST_LIMIT(300000);
    uint64_t last, first = seeds_to_run(usually, &last);
    for (uint64_t seed = first; seed <= last; seed++)
        run_history(seed, fault);
}

TEST("1", 0, no_acknowledged_row_is_lost_when_nodes_lose_their_power) {
    run_seeds(5, lose_some_node);
}

TEST("1", 0, no_acknowledged_row_is_lost_when_all_nodes_lose_their_power_at_once) {
    run_seeds(5, lose_all_nodes);
}

TEST("1", 0, nothing_is_lost_or_invented_when_a_node_is_cut_off) { run_seeds(5, cut_some_node); }

TEST("1", 0, nothing_is_lost_or_invented_when_everything_happens) { run_seeds(20, anything); }

/* ---- snapshots ------------------------------------------------------------------------------ */

enum { BIG_ROWS = 150 };

static void insert_big_rows(struct history *history) {
    char sql[4200], value[4000];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (int row = 0; row < BIG_ROWS; row++) {
        snprintf(sql, sizeof(sql), "INSERT INTO big VALUES (%d, '%s')", row, value);
        sim_client_surely(&history->clients[0], sql);
    }
}

static struct raft_status status_of(const struct history *history, uint64_t node) {
    struct replica *replica = cairn_node_replica(sim_node(history->cluster.sim, node));
    return replica ? replica_raft_status(replica) : (struct raft_status){0};
}

/* All that are up have applied what the leader has. */
static bool caught_up(void *arg) {
    const struct history *history = arg;
    uint64_t leader = sim_cluster_leader(&history->cluster);
    if (leader == 0) return false;
    for (uint64_t node = 1; node <= NODES; node++)
        if (sim_is_up(history->cluster.sim, node) &&
            status_of(history, node).applied < status_of(history, leader).last_index)
            return false;
    return true;
}

static void wait_until_caught_up(struct history *history) {
    assert_true(sim_run_until(history->cluster.sim, caught_up, history, 60 * NS_PER_S));
}

/* Crashes leaders until this node leads. */
static void make_lead(struct history *history, uint64_t node) {
    struct sim *sim = history->cluster.sim;
    for (int try = 0; try < 30; try++) {
        wait_until_caught_up(history);
        uint64_t leader = sim_cluster_leader(&history->cluster);
        if (leader == node) return;
        sim_crash(sim, leader, LOSE_ALL_UNSYNCED);
        sim_run(sim, NS_PER_S);
        sim_cluster_restart(&history->cluster, leader);
    }
    fail_msg("node %d never leads", (int)node);
}

/* The node loses its power once more while it catches up. */
static void come_back(struct history *history, uint64_t node) {
    struct sim *sim = history->cluster.sim;
    sim_cluster_restart(&history->cluster, node);
    sim_run(sim, prng_below(sim_prng(sim), 1500 * NS_PER_MS));
    sim_crash(sim, node, LOSE_SOME);
    sim_cluster_restart(&history->cluster, node);
    wait_until_caught_up(history);
}

static void away_for_long(uint64_t seed) {
    struct history *history = begin(seed);
    struct sim *sim = history->cluster.sim;
    sim_client_surely(&history->clients[0], "CREATE TABLE big (id INT PRIMARY KEY, v TEXT)");
    uint64_t away = sim_cluster_leader(&history->cluster) % NODES + 1;
    sim_crash(sim, away, LOSE_ALL_UNSYNCED);
    insert_big_rows(history);
    sim_run(sim, 5 * NS_PER_S); /* flushes, compacts */
    come_back(history, away);
    assert_true(status_of(history, away).first_index > BIG_ROWS / 4);
    make_lead(history, away);
    sim_client_surely(&history->clients[0], "SELECT count(*), min(id), max(id) FROM big");
    assert_slice_equal(SLICE_LITERAL("150|0|149\n"), buf_slice(&history->clients[0].rows));
    for (int i = 0; i < CLIENTS; i++)
        sim_client_deinit(&history->clients[i]);
    sim_cluster_stop(&history->cluster);
    mem_free(history);
}

TEST("1", 0, a_node_that_was_away_for_long_catches_up_by_a_snapshot_and_serves_from_it) {
    TEST_LIMIT(300000);
    uint64_t last, first = seeds_to_run(4, &last);
    for (uint64_t seed = first; seed <= last; seed++)
        away_for_long(seed);
}

TEST("1", 0, the_same_seed_gives_the_same_history_of_a_whole_cluster) {
    TEST_LIMIT(120000);
    uint64_t once = run_history(11, lose_some_node), again = run_history(11, lose_some_node);
    uint64_t other = run_history(12, lose_some_node);
    assert_true(once == again);
    assert_true(once != other);
}
