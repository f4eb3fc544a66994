/* Many clients, whole nodes, every fault there is, at random. CAIRN_SEED=n replays one history,
 * CAIRN_SEEDS=n runs that many. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "campaign.h"
#include "harness.h"

enum { SEEDS = 6, NODES = 3, WORKERS = 6, FAULTS = 40 };

struct chaos {
    struct sim_cluster cluster;
    struct campaign *campaign;
    bool down[NODES + 1]; /* by us */
    int crashes, cuts, jumps;
};

static struct prng *dice(struct chaos *chaos) { return sim_prng(chaos->cluster.sim); }

static void crash(struct chaos *chaos, uint64_t node) {
    static const enum crash_loss losses[] = {LOSE_ALL_UNSYNCED, LOSE_SOME, LOSE_NONE};
    sim_crash(chaos->cluster.sim, node, losses[prng_below(dice(chaos), 3)]);
    chaos->down[node] = true;
    chaos->crashes++;
}

static void restart_all(struct chaos *chaos) {
    for (uint64_t node = 1; node <= NODES; node++) {
        if (!chaos->down[node]) continue;
        sim_cluster_restart(&chaos->cluster, node);
        chaos->down[node] = false;
    }
}

static void isolate(struct chaos *chaos, uint64_t node, bool cut) {
    for (uint64_t other = 1; other <= NODES; other++)
        if (other != node) sim_cut(chaos->cluster.sim, node, other, cut);
}

static uint64_t any_node(struct chaos *chaos) {
    uint64_t leader = sim_cluster_leader(&chaos->cluster);
    if (leader != 0 && prng_below(dice(chaos), 2) == 0) return leader;
    return prng_between(dice(chaos), 1, NODES);
}

static void fault(struct chaos *chaos) {
    struct sim *sim = chaos->cluster.sim;
    uint64_t node = any_node(chaos), other = 1 + node % NODES;
    switch (prng_below(dice(chaos), 16)) {
    case 0:
    case 1:
    case 2:
        if (!chaos->down[node]) crash(chaos, node);
        break;
    case 3:
        for (uint64_t each = 1; each <= NODES; each++)
            if (!chaos->down[each]) crash(chaos, each);
        break;
    case 4:
        isolate(chaos, node, true);
        chaos->cuts++;
        break;
    case 5:
        sim_cut(sim, node, other, true);
        chaos->cuts++;
        break;
    case 6:
    case 8:
        sim_heal(sim);
        break;
    case 7:
        sim_set_wall_offset(sim, node,
                            (int64_t)prng_below(dice(chaos), 360 * NS_PER_MS) -
                                (int64_t)(180 * NS_PER_MS));
        chaos->jumps++;
        break;
    default:
        restart_all(chaos);
        if (prng_below(dice(chaos), 2) == 0) sim_heal(sim);
        break;
    }
}

static void check_alive(struct chaos *chaos) {
    for (uint64_t node = 1; node <= NODES; node++)
        if (!chaos->down[node] && !sim_is_up(chaos->cluster.sim, node))
            fail_msg("node %" PRIu64 " ended by itself", node);
    sim_cluster_check(&chaos->cluster);
}

/* Small logs, so that they are compacted and followers need snapshots; a machine of one kind or
 * another. */
static void start(struct chaos *chaos, uint64_t seed) {
    struct prng prng;
    prng_seed(&prng, seed ^ UINT64_C(0x5ca1ab1e));
    struct sim_options options = {.seed = seed};
    if (prng_below(&prng, 3) == 0) options.sync_max_ns = 40 * NS_PER_MS;
    if (prng_below(&prng, 3) == 0) options.latency_max_ns = 15 * NS_PER_MS;
    sim_cluster_prepare(&chaos->cluster, &options, NODES);
    bool small = prng_below(&prng, 4) > 0, slow = prng_below(&prng, 2) == 0;
    for (uint64_t node = 1; node <= NODES; node++) {
        struct cairn_node_options *node_options = &chaos->cluster.options[node];
        node_options->log_segment_bytes = small ? 8 * 1024 : 1024 * 1024;
        node_options->flush_log_bytes = small ? 16 * 1024 : 256 * 1024;
        node_options->keep_log_bytes = small && slow ? 1 : 0;
        node_options->engine_would_block_percent = slow ? 10 : 0;
        node_options->engine_busy_percent = slow ? 20 : 0;
    }
    sim_cluster_form(&chaos->cluster);
}

static uint64_t run(uint64_t seed) {
    struct chaos chaos = {0};
    start(&chaos, seed);
    chaos.campaign = campaign_new(&chaos.cluster, WORKERS);
    for (int i = 0; i < FAULTS; i++) {
        campaign_run(chaos.campaign, prng_between(dice(&chaos), 20, 900) * NS_PER_MS, true);
        check_alive(&chaos);
        fault(&chaos);
    }
    sim_heal(chaos.cluster.sim);
    restart_all(&chaos);
    uint64_t before = campaign_acknowledged(chaos.campaign);
    campaign_run(chaos.campaign, 5 * NS_PER_S, true); /* waits for its clock, at most */
    assert_true(campaign_acknowledged(chaos.campaign) > before + 20);
    campaign_run(chaos.campaign, 70 * NS_PER_S, false);
    check_alive(&chaos);
    campaign_check(chaos.campaign);
    check_alive(&chaos);
    printf("%d crashes, %d cuts, %d clock jumps, %.1f s;", chaos.crashes, chaos.cuts, chaos.jumps,
           (double)sim_now_ns(chaos.cluster.sim) / 1e9);
    campaign_print(chaos.campaign);
    uint64_t hash = sim_trace_hash(chaos.cluster.sim);
    campaign_free(chaos.campaign);
    sim_cluster_stop(&chaos.cluster);
    return hash;
}

static void for_each_seed(void (*history)(uint64_t seed)) {
    const char *only = getenv("CAIRN_SEED"), *many = getenv("CAIRN_SEEDS");
    uint64_t first = only ? strtoull(only, NULL, 10) : 1;
    uint64_t count = many ? strtoull(many, NULL, 10) : only ? 1 : SEEDS;
    for (uint64_t seed = first; seed < first + count; seed++) {
        printf("seed %" PRIu64 "\n", seed);
        fflush(stdout);
        history(seed);
    }
}

static void run_one(uint64_t seed) { run(seed); }

TEST("1", 0, clients_never_see_what_faults_do_underneath) {
    TEST_LIMIT(600000);
    for_each_seed(run_one);
}

TEST("1", 0, the_same_seed_gives_the_same_campaign) {
    TEST_LIMIT(120000);
    uint64_t once = run(1001), again = run(1001);
    assert_true(once == again);
}

/* Nodes that do not know each other yet lose their power again and again. Two memberships would
 * show as nodes that do not answer, or do not know the table. */
static void form_among_crashes(uint64_t seed) {
    struct chaos chaos = {0};
    struct sim_options options = {.seed = seed};
    sim_cluster_prepare(&chaos.cluster, &options, NODES);
    for (uint64_t node = 1; node <= NODES; node++)
        chaos.down[node] = true;
    for (int i = 0; i < 12; i++) {
        uint64_t node = prng_between(dice(&chaos), 1, NODES);
        if (chaos.down[node])
            sim_cluster_restart(&chaos.cluster, node);
        else
            sim_crash(chaos.cluster.sim, node, LOSE_SOME);
        chaos.down[node] = !chaos.down[node];
        sim_run(chaos.cluster.sim, prng_between(dice(&chaos), 1, 400) * NS_PER_MS);
        check_alive(&chaos);
    }
    restart_all(&chaos);
    chaos.campaign = campaign_new(&chaos.cluster, WORKERS);
    campaign_run(chaos.campaign, NS_PER_S, true);
    campaign_run(chaos.campaign, 10 * NS_PER_S, false);
    campaign_check(chaos.campaign);
    check_alive(&chaos);
    campaign_free(chaos.campaign);
    sim_cluster_stop(&chaos.cluster);
}

TEST("1", 0, a_cluster_is_formed_once_however_often_its_nodes_crash_meanwhile) {
    TEST_LIMIT(600000);
    for_each_seed(form_among_crashes);
}
