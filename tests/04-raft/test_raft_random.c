/* Clusters of cores under random faults: each seed is one history. A failure prints its seed;
 * CAIRN_SEED=n runs that one alone, CAIRN_SEEDS=n so many of each kind. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "raft_world.h"

#define MS UINT64_C(1000000)

static unsigned long from_environment(const char *name, unsigned long otherwise) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : otherwise;
}

static struct world_options mild(uint64_t seed, size_t nodes) {
    return (struct world_options){.seed = seed,
                                  .nodes = nodes,
                                  .max_delay_ns = 2 * MS,
                                  .max_sync_ns = 3 * MS,
                                  .compact = 50,
                                  .proposal_interval_ns = 8 * MS};
}

static void add(struct world_counts *sum, struct world_counts more) {
    sum->steps += more.steps;
    sum->elections += more.elections;
    sum->committed += more.committed;
    sum->reads += more.reads;
    sum->crashes += more.crashes;
    sum->snapshots += more.snapshots;
    sum->messages += more.messages;
    sum->lost_entries += more.lost_entries;
}

static void run_seeds(struct world_options options, uint64_t duration_ns, unsigned long seeds) {
    unsigned long only = from_environment("CAIRN_SEED", 0);
    unsigned long first = only ? only : 1;
    unsigned long last = only ? only : from_environment("CAIRN_SEEDS", seeds);
    struct world_counts sum = {0};
    for (unsigned long seed = first; seed <= last; seed++) {
        options.seed = seed;
        struct world *world = world_new(&options);
        world_run(world, duration_ns);
        world_heal(world);
        world_check_progress(world);
        add(&sum, world_counts(world));
        world_free(world);
    }
    printf("%lu seeds, %zu nodes: %llu steps, %llu messages, %llu elections, %llu committed, "
           "%llu reads, %llu crashes, %llu entries lost with a disk, %llu snapshots\n",
           last - first + 1, options.nodes, (unsigned long long)sum.steps,
           (unsigned long long)sum.messages, (unsigned long long)sum.elections,
           (unsigned long long)sum.committed, (unsigned long long)sum.reads,
           (unsigned long long)sum.crashes, (unsigned long long)sum.lost_entries,
           (unsigned long long)sum.snapshots);
    assert_true(only || (sum.committed > 0 && sum.reads > 0));
}

TEST("8", 4, nothing_is_lost_when_the_network_drops_and_duplicates) {
    TEST_LIMIT(60000);
    struct world_options options = mild(0, 3);
    options.drop = 100;
    options.duplicate = 100;
    options.max_delay_ns = 30 * MS;
    run_seeds(options, 3000 * MS, 150);
}

TEST("8", 4, nothing_is_lost_when_nodes_crash_without_what_they_had_not_synced) {
    TEST_LIMIT(60000);
    struct world_options options = mild(0, 3);
    options.crash = 300;
    options.max_sync_ns = 20 * MS;
    run_seeds(options, 5000 * MS, 150);
}

TEST("8", 1, partitions_never_give_a_term_two_leaders) {
    TEST_LIMIT(60000);
    struct world_options options = mild(0, 5);
    options.partition = 200;
    run_seeds(options, 5000 * MS, 80);
}

/* Sizes are random too small windows and appends, so that every path is taken. */
static struct world_options everything(size_t nodes) {
    struct world_options options = mild(0, nodes);
    options.drop = 50;
    options.duplicate = 50;
    options.max_delay_ns = 15 * MS;
    options.max_sync_ns = 15 * MS;
    options.crash = 150;
    options.partition = 100;
    options.compact = 200;
    options.max_append_bytes = 2000;
    options.max_inflight_appends = 3;
    options.proposal_interval_ns = 5 * MS;
    return options;
}

TEST("8", 5, one_node_survives_all_faults_at_once) {
    TEST_LIMIT(60000);
    run_seeds(everything(1), 4000 * MS, 100);
}
TEST("8", 5, three_nodes_survive_all_faults_at_once) {
    TEST_LIMIT(60000);
    run_seeds(everything(3), 4000 * MS, 200);
}
TEST("8", 5, five_nodes_survive_all_faults_at_once) {
    TEST_LIMIT(60000);
    run_seeds(everything(5), 4000 * MS, 80);
}
TEST("8", 5, seven_nodes_survive_all_faults_at_once) {
    TEST_LIMIT(60000);
    run_seeds(everything(7), 4000 * MS, 40);
}
