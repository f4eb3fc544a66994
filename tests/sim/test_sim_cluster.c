/* Complete nodes under simulation: SQL from a client's bytes to the sectors of the log, through
 * crashes in which what was not synced is lost. CAIRN_SEED=n replays one history. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "sim_cluster.h"

enum { ROWS = 120, SEEDS = 4 };

/* What a client knows of each row it tried to insert. */
enum fate { NOT_TRIED, ACKNOWLEDGED, MAYBE, NEVER };

struct history {
    struct sim_cluster cluster;
    struct sim_client client;
    enum fate rows[ROWS];
    int counts[4];
};

static void insert(struct history *history, int row) {
    struct sim *sim = history->cluster.sim;
    char sql[128];
    uint64_t node = prng_between(sim_prng(sim), 1, history->cluster.node_count);
    snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d, 'row %d')", row, row);
    enum fate fate = NEVER;
    switch (sim_client_run(&history->client, node, sql, 2 * NS_PER_S)) {
    case SIM_OK:
        fate = ACKNOWLEDGED;
        break;
    case SIM_UNKNOWN:
        fate = MAYBE;
        break;
    case SIM_FAILED:
    case SIM_REFUSED:
        break;
    }
    sim_cluster_check(&history->cluster);
    history->rows[row] = fate;
    history->counts[fate]++;
}

/* Every acknowledged row is there once, none that failed, as seen from this node. */
static void check_rows(struct history *history, uint64_t node) {
    int seen[ROWS] = {0};
    enum sim_outcome outcome = SIM_REFUSED;
    for (int try = 0; try < 100 && outcome != SIM_OK; try++) {
        outcome =
            sim_client_run(&history->client, node, "SELECT id, v FROM t ORDER BY id", 5 * NS_PER_S);
        if (outcome != SIM_OK) sim_run(history->cluster.sim, 100 * NS_PER_MS);
    }
    assert_int_equal(SIM_OK, outcome);
    buf_append_byte(&history->client.rows, 0);
    const char *line = (const char *)history->client.rows.data;
    for (; *line; line = strchr(line, '\n') + 1) {
        int row = -1, again = -2;
        assert_int_equal(2, sscanf(line, "%d|row %d", &row, &again));
        assert_int_equal(row, again);
        assert_true(row >= 0 && row < ROWS);
        seen[row]++;
    }
    for (int row = 0; row < ROWS; row++) {
        assert_true(seen[row] <= 1);
        assert_true(seen[row] == 1 || history->rows[row] != ACKNOWLEDGED);
        assert_true(seen[row] == 0 || history->rows[row] == ACKNOWLEDGED ||
                    history->rows[row] == MAYBE);
    }
}

static void begin(struct history *history, uint64_t seed) {
    memset(history, 0, sizeof(*history));
    struct sim_options options = {.seed = seed};
    sim_cluster_start(&history->cluster, &options, 3);
    sim_client_init(&history->client, &history->cluster);
    sim_client_surely(&history->client, "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)");
}

static uint64_t end(struct history *history) {
    for (uint64_t node = 1; node <= 3; node++)
        check_rows(history, node);
    sim_client_deinit(&history->client);
    uint64_t hash = sim_trace_hash(history->cluster.sim);
    printf("%llu events, %.1f s, %d acknowledged, %d unknown, %d not taken\n",
           (unsigned long long)sim_event_count(history->cluster.sim),
           (double)sim_now_ns(history->cluster.sim) / 1e9, history->counts[ACKNOWLEDGED],
           history->counts[MAYBE], history->counts[NEVER]);
    sim_cluster_stop(&history->cluster);
    return hash;
}

/* A power failure of the leader in the middle of the inserts; it comes back a little later. */
static uint64_t leader_crashes(uint64_t seed) {
    struct history history;
    begin(&history, seed);
    struct sim *sim = history.cluster.sim;
    uint64_t victim = 0;
    for (int row = 0; row < ROWS; row++) {
        if (row == ROWS / 3) {
            victim = sim_cluster_leader(&history.cluster);
            assert_true(victim != 0);
            sim_crash(sim, victim, LOSE_ALL_UNSYNCED);
        }
        if (row == 2 * ROWS / 3) sim_cluster_restart(&history.cluster, victim);
        insert(&history, row);
        sim_run(sim, prng_below(sim_prng(sim), 20 * NS_PER_MS));
    }
    assert_true(history.counts[ACKNOWLEDGED] > ROWS / 3);
    return end(&history);
}

static uint64_t seeds_from(uint64_t *first) {
    const char *only = getenv("CAIRN_SEED");
    *first = only ? strtoull(only, NULL, 10) : 1;
    return only ? *first : SEEDS;
}

TEST("1", 0, no_acknowledged_row_is_lost_when_the_leader_loses_its_power) {
    TEST_LIMIT(120000);
    uint64_t first, last = seeds_from(&first);
    for (uint64_t seed = first; seed <= last; seed++)
        leader_crashes(seed);
}

TEST("1", 0, the_same_seed_gives_the_same_history_of_a_whole_cluster) {
    TEST_LIMIT(120000);
    uint64_t once = leader_crashes(11), again = leader_crashes(11), other = leader_crashes(12);
    assert_true(once == again);
    assert_true(once != other);
}

TEST("1", 0, no_acknowledged_row_is_lost_when_all_nodes_lose_their_power_at_once) {
    TEST_LIMIT(120000);
    uint64_t first, last = seeds_from(&first);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct history history;
        begin(&history, seed);
        struct sim *sim = history.cluster.sim;
        for (int row = 0; row < ROWS; row++) {
            if (row % (ROWS / 3) == ROWS / 4) {
                for (uint64_t node = 1; node <= 3; node++)
                    sim_crash(sim, node, LOSE_SOME);
                sim_run(sim, NS_PER_S);
                for (uint64_t node = 1; node <= 3; node++)
                    sim_cluster_restart(&history.cluster, node);
            }
            insert(&history, row);
            sim_run(sim, prng_below(sim_prng(sim), 20 * NS_PER_MS));
        }
        assert_true(history.counts[ACKNOWLEDGED] > ROWS / 3);
        end(&history);
    }
}

TEST("1", 0, a_minority_that_is_cut_off_loses_and_invents_nothing) {
    TEST_LIMIT(120000);
    uint64_t first, last = seeds_from(&first);
    for (uint64_t seed = first; seed <= last; seed++) {
        struct history history;
        begin(&history, seed);
        struct sim *sim = history.cluster.sim;
        for (int row = 0; row < ROWS; row++) {
            uint64_t away = sim_cluster_leader(&history.cluster);
            if (row % (ROWS / 3) == ROWS / 4 && away != 0)
                for (uint64_t node = 1; node <= 3; node++)
                    if (node != away) sim_cut(sim, away, node, true);
            if (row % (ROWS / 3) == 0) sim_heal(sim);
            insert(&history, row);
            sim_run(sim, prng_below(sim_prng(sim), 20 * NS_PER_MS));
        }
        sim_heal(sim);
        assert_true(history.counts[ACKNOWLEDGED] > ROWS / 3);
        end(&history);
    }
}
