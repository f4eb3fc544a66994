/* campaign.c - see campaign.h. Each worker runs one small script after the other: a script is a
 * function from the step to its SQL. */
#include "campaign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "engine.h"
#include "harness.h"
#include "mem.h"
#include "store.h"

enum { WORKERS_MAX = 16, COUNTERS = 3, ACCOUNTS = 5, BALANCE = 100, ROWS_MAX = 20000 };
#define STATEMENT_TIMEOUT_NS (2 * NS_PER_S)

enum fate { FATE_NEVER, FATE_ACKNOWLEDGED, FATE_MAYBE };

#define SCRIPT_LIST(X)                                                                             \
    X(insert)                                                                                      \
    X(insert_hidden)                                                                               \
    X(increment)                                                                                   \
    X(read_modify_write)                                                                           \
    X(read_counter)                                                                                \
    X(transfer)                                                                                    \
    X(sum)                                                                                         \
    X(duty)                                                                                        \
    X(phantom)                                                                                     \
    X(remake)                                                                                      \
    X(read_remade)

enum script {
#define SCRIPT_ENUM(name) SCRIPT_##name,
    SCRIPT_LIST(SCRIPT_ENUM)
#undef SCRIPT_ENUM
        SCRIPT_COUNT
};

struct worker {
    struct campaign *campaign;
    struct sim_client client;
    bool busy, rolling_back;
    enum script script;
    uint64_t node;
    int step;
    int64_t a, b; /* the script's choices */
    int64_t low;  /* read_counter: what the read must see at least */
    char sql[256];
};

struct campaign {
    struct sim_cluster *cluster;
    size_t worker_count;
    struct worker workers[WORKERS_MAX];
    int64_t next_row;
    enum fate keyed[ROWS_MAX], hidden[ROWS_MAX];
    int64_t started[COUNTERS], acknowledged[COUNTERS], maybe[COUNTERS], seen[COUNTERS];
    int64_t generation_tried, generation; /* of the table that is made anew */
    bool remaking;
    uint64_t counts[SCRIPT_COUNT][3];
};

static const char *const script_names[] = {
#define SCRIPT_NAME(name) #name,
    SCRIPT_LIST(SCRIPT_NAME)
#undef SCRIPT_NAME
};

static struct prng *choices(const struct campaign *campaign) {
    return sim_prng(campaign->cluster->sim);
}

static int64_t first_number(const struct sim_client *client) {
    char text[32];
    size_t len = client->rows.len < sizeof text - 1 ? client->rows.len : sizeof text - 1;
    memcpy(text, client->rows.data, len);
    text[len] = '\0';
    return strtoll(text, NULL, 10);
}

/* ---- scripts: the SQL of a step; NULL: there is none ---------------------------------------- */

#define SAY(...) (snprintf(worker->sql, sizeof worker->sql, __VA_ARGS__), worker->sql)

static const char *say_insert(struct worker *worker) {
    if (worker->step > 0) return NULL;
    return SAY("INSERT INTO t VALUES (%" PRId64 ", 'row %" PRId64 "')", worker->a, worker->a);
}

static const char *say_insert_hidden(struct worker *worker) {
    if (worker->step > 0) return NULL;
    return SAY("INSERT INTO h VALUES (%" PRId64 ")", worker->a);
}

static const char *say_increment(struct worker *worker) {
    if (worker->step > 0) return NULL;
    return SAY("UPDATE counters SET v = v + 1 WHERE id = %" PRId64, worker->a);
}

static const char *say_read_modify_write(struct worker *worker) {
    switch (worker->step) {
    case 0:
        return "BEGIN";
    case 1:
        return SAY("SELECT v FROM counters WHERE id = %" PRId64, worker->a);
    case 2:
        return SAY("UPDATE counters SET v = %" PRId64 " WHERE id = %" PRId64, worker->b + 1,
                   worker->a);
    case 3:
        return "COMMIT";
    default:
        return NULL;
    }
}

static const char *say_read_counter(struct worker *worker) {
    if (worker->step > 0) return NULL;
    return SAY("SELECT v FROM counters WHERE id = %" PRId64, worker->a);
}

static const char *say_transfer(struct worker *worker) {
    switch (worker->step) {
    case 0:
        return "BEGIN";
    case 1:
        return SAY("UPDATE accounts SET v = v - 7 WHERE id = %" PRId64, worker->a);
    case 2:
        return SAY("UPDATE accounts SET v = v + 7 WHERE id = %" PRId64, worker->b);
    case 3:
        return "COMMIT";
    default:
        return NULL;
    }
}

static const char *say_sum(struct worker *worker) {
    return worker->step > 0 ? NULL : "SELECT sum(v), count(*) FROM accounts";
}

static const char *say_duty(struct worker *worker) {
    switch (worker->step) {
    case 0:
        return "BEGIN";
    case 1:
        return "SELECT sum(v) FROM duty";
    case 2:
        if (worker->b == 2) return SAY("UPDATE duty SET v = 0 WHERE id = %" PRId64, worker->a);
        return "UPDATE duty SET v = 1 WHERE v = 0";
    case 3:
        return "COMMIT";
    default:
        return NULL;
    }
}

static const char *say_phantom(struct worker *worker) {
    switch (worker->step) {
    case 0:
        return "BEGIN";
    case 1:
        return SAY("SELECT count(*) FROM groups WHERE g = %" PRId64, worker->a);
    case 2:
        if (worker->b > 0) return "COMMIT";
        return SAY("INSERT INTO groups VALUES (%" PRId64 ")", worker->a);
    case 3:
        return worker->b > 0 ? NULL : "COMMIT";
    default:
        return NULL;
    }
}

static const char *say_remake(struct worker *worker) {
    switch (worker->step) {
    case 0:
        return "BEGIN";
    case 1:
        return "DROP TABLE remade";
    case 2:
        return SAY("CREATE TABLE remade (id INT PRIMARY KEY, v%" PRId64 " INT)", worker->a);
    case 3:
        return "COMMIT";
    default:
        return NULL;
    }
}

static const char *say_read_remade(struct worker *worker) {
    if (worker->step > 0) return NULL;
    return SAY("SELECT v%" PRId64 " FROM remade", worker->a);
}

static const char *say(struct worker *worker) {
    switch (worker->script) {
#define SCRIPT_SAY(name)                                                                           \
    case SCRIPT_##name:                                                                            \
        return say_##name(worker);
        SCRIPT_LIST(SCRIPT_SAY)
#undef SCRIPT_SAY
    case SCRIPT_COUNT:
        break;
    }
    return NULL;
}

/* ---- before and after ----------------------------------------------------------------------- */

static void choose(struct worker *worker) {
    struct campaign *campaign = worker->campaign;
    struct prng *prng = choices(campaign);
    worker->script = (enum script)prng_below(prng, SCRIPT_COUNT);
    worker->step = 0;
    worker->low = 0;
    worker->rolling_back = false;
    if (prng_below(prng, 4) == 0 || worker->node == 0)
        worker->node = prng_between(prng, 1, campaign->cluster->node_count);
    switch (worker->script) {
    case SCRIPT_insert:
    case SCRIPT_insert_hidden:
    case SCRIPT_phantom:
        assert_true(campaign->next_row < ROWS_MAX);
        worker->a = campaign->next_row++;
        if (worker->script == SCRIPT_phantom) worker->a /= 16;
        break;
    case SCRIPT_increment:
    case SCRIPT_read_modify_write:
    case SCRIPT_read_counter:
        worker->a = (int64_t)prng_below(prng, COUNTERS);
        break;
    case SCRIPT_transfer:
        worker->a = (int64_t)prng_below(prng, ACCOUNTS);
        worker->b = (worker->a + 1 + (int64_t)prng_below(prng, ACCOUNTS - 1)) % ACCOUNTS;
        break;
    case SCRIPT_duty:
        worker->a = (int64_t)prng_below(prng, 2);
        break;
    case SCRIPT_remake:
        if (campaign->remaking || prng_below(prng, 4) > 0) {
            worker->script = SCRIPT_sum;
            break;
        }
        campaign->remaking = true;
        worker->a = ++campaign->generation_tried;
        break;
    case SCRIPT_read_remade:
        worker->low = campaign->generation;
        worker->a = (int64_t)prng_below(prng, (uint64_t)campaign->generation_tried + 1);
        break;
    case SCRIPT_sum:
    case SCRIPT_COUNT:
        break;
    }
}

static bool reads_counter(const struct worker *worker) {
    return worker->script == SCRIPT_read_counter ||
           (worker->script == SCRIPT_read_modify_write && worker->step == 1);
}

static bool adds_to_counter(const struct worker *worker) {
    return (worker->script == SCRIPT_increment && worker->step == 0) ||
           (worker->script == SCRIPT_read_modify_write && worker->step == 3);
}

static void before_step(struct worker *worker) {
    struct campaign *campaign = worker->campaign;
    if (reads_counter(worker)) {
        int64_t acknowledged = campaign->acknowledged[worker->a], seen = campaign->seen[worker->a];
        worker->low = acknowledged > seen ? acknowledged : seen;
    }
    if (adds_to_counter(worker)) campaign->started[worker->a]++;
}

static void check_counter(struct worker *worker) {
    struct campaign *campaign = worker->campaign;
    int64_t value = first_number(&worker->client);
    if (value < worker->low)
        fail_msg("stale read of counter %" PRId64 " at node %" PRIu64 ": %" PRId64 ", but %" PRId64
                 " were acknowledged or seen before it began",
                 worker->a, worker->node, value, worker->low);
    if (value > campaign->started[worker->a])
        fail_msg("counter %" PRId64 " counts %" PRId64 " of %" PRId64 " increments", worker->a,
                 value, campaign->started[worker->a]);
    if (value > campaign->seen[worker->a]) campaign->seen[worker->a] = value;
    worker->b = value;
}

static void after_read(struct worker *worker) {
    const char *row = (const char *)worker->client.rows.data;
    size_t len = worker->client.rows.len;
    if (reads_counter(worker)) check_counter(worker);
    if (worker->script == SCRIPT_sum && (len != 6 || memcmp(row, "500|5\n", 6) != 0))
        fail_msg("the sum of all accounts was read as %.*s", (int)len, row);
    if (worker->script == SCRIPT_duty && worker->step == 1) {
        worker->b = first_number(&worker->client);
        if (worker->b < 1 || worker->b > 2) fail_msg("%" PRId64 " are on duty", worker->b);
    }
    if (worker->script == SCRIPT_phantom && worker->step == 1) {
        worker->b = first_number(&worker->client);
        if (worker->b > 1) fail_msg("group %" PRId64 " was inserted twice", worker->a);
    }
    if (worker->script == SCRIPT_read_remade && worker->a < worker->low)
        fail_msg("generation %" PRId64 " of a table was read after %" PRId64 " had replaced it",
                 worker->a, worker->low);
}

/* The script has ended. */
static void conclude(struct worker *worker, enum fate fate) {
    struct campaign *campaign = worker->campaign;
    worker->busy = false;
    campaign->counts[worker->script][fate]++;
    switch (worker->script) {
    case SCRIPT_insert:
        campaign->keyed[worker->a] = fate;
        break;
    case SCRIPT_insert_hidden:
        campaign->hidden[worker->a] = fate;
        break;
    case SCRIPT_increment:
    case SCRIPT_read_modify_write:
        if (fate == FATE_ACKNOWLEDGED) campaign->acknowledged[worker->a]++;
        if (fate == FATE_MAYBE) campaign->maybe[worker->a]++;
        break;
    case SCRIPT_remake:
        campaign->remaking = false;
        if (fate == FATE_ACKNOWLEDGED) campaign->generation = worker->a;
        break;
    default:
        break;
    }
}

static bool in_transaction(const struct worker *worker) {
    return worker->step > 0; /* scripts of one step are statements by themselves */
}

static bool is_commit(const struct worker *worker) {
    return slice_equal(buf_slice(&worker->client.sql), SLICE_LITERAL("COMMIT"));
}

static void next_step(struct worker *worker) {
    const char *sql = say(worker);
    if (sql == NULL) {
        conclude(worker, FATE_ACKNOWLEDGED);
        return;
    }
    before_step(worker);
    worker->busy = true;
    sim_client_start(&worker->client, worker->node, sql, STATEMENT_TIMEOUT_NS);
}

/* A statement of a transaction failed: the script ends with its rollback. */
static void roll_back(struct worker *worker) {
    conclude(worker, FATE_NEVER);
    worker->busy = worker->rolling_back = true;
    sim_client_start(&worker->client, worker->node, "ROLLBACK", STATEMENT_TIMEOUT_NS);
}

static void step_ended(struct worker *worker, enum sim_outcome outcome) {
    bool decides = !in_transaction(worker) || is_commit(worker);
    if (worker->rolling_back) {
        worker->rolling_back = worker->busy = false;
        return;
    }
    if (outcome == SIM_OK) {
        after_read(worker);
        worker->step++;
        next_step(worker);
    } else if (outcome == SIM_UNKNOWN && decides) {
        conclude(worker, FATE_MAYBE);
    } else if (outcome == SIM_FAILED && in_transaction(worker) && !is_commit(worker)) {
        roll_back(worker);
    } else {
        conclude(worker, FATE_NEVER);
    }
}

/* ---- running -------------------------------------------------------------------------------- */

void campaign_run(struct campaign *campaign, uint64_t duration_ns, bool working) {
    struct sim *sim = campaign->cluster->sim;
    uint64_t end_ns = sim_now_ns(sim) + duration_ns;
    for (bool any = true; sim_now_ns(sim) < end_ns && (working || any);) {
        any = false;
        for (size_t i = 0; i < campaign->worker_count; i++) {
            struct worker *worker = &campaign->workers[i];
            enum sim_outcome outcome = SIM_RUNNING;
            if (worker->busy) outcome = sim_client_look(&worker->client);
            if (outcome != SIM_RUNNING) step_ended(worker, outcome);
            if (!worker->busy && working && prng_below(choices(campaign), 8) == 0) {
                choose(worker);
                next_step(worker);
            }
            any = any || worker->busy;
        }
        sim_run(sim, prng_between(choices(campaign), NS_PER_MS / 4, 2 * NS_PER_MS));
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

static void ask_surely(struct campaign *campaign, struct sim_client *client, uint64_t node,
                       const char *sql) {
    enum sim_outcome outcome = SIM_REFUSED;
    for (int try = 0; try < 200 && outcome != SIM_OK; try++) {
        outcome = sim_client_run(client, node, sql, 20 * NS_PER_S);
        if (outcome != SIM_OK) sim_run(campaign->cluster->sim, 100 * NS_PER_MS);
    }
    if (outcome != SIM_OK)
        fail_msg("node %" PRIu64 " does not answer (SQLSTATE %s): %s", node, client->sqlstate, sql);
    buf_append_byte(&client->rows, 0);
}

static void check_rows(struct campaign *campaign, const char *rows, const enum fate *fates,
                       const char *table, uint64_t node) {
    unsigned *seen = mem_zalloc(ROWS_MAX * sizeof *seen);
    for (const char *line = rows; *line; line = strchr(line, '\n') + 1) {
        long long row = strtoll(line, NULL, 10);
        assert_true(row >= 0 && row < campaign->next_row);
        seen[row]++;
    }
    for (int64_t row = 0; row < campaign->next_row; row++) {
        if (seen[row] > 1)
            fail_msg("row %" PRId64 " of %s is there %u times", row, table, seen[row]);
        if (seen[row] == 0 && fates[row] == FATE_ACKNOWLEDGED)
            fail_msg("row %" PRId64 " of %s was acknowledged and is lost at node %" PRIu64, row,
                     table, node);
        if (seen[row] == 1 && fates[row] == FATE_NEVER)
            fail_msg("row %" PRId64 " of %s was refused and is there", row, table);
    }
    mem_free(seen);
}

static void check_node(struct campaign *campaign, struct sim_client *client, uint64_t node) {
    char sql[96];
    ask_surely(campaign, client, node, "SELECT id FROM t");
    check_rows(campaign, (const char *)client->rows.data, campaign->keyed, "t", node);
    ask_surely(campaign, client, node, "SELECT v FROM h");
    check_rows(campaign, (const char *)client->rows.data, campaign->hidden, "h", node);
    for (int64_t i = 0; i < COUNTERS; i++) {
        snprintf(sql, sizeof sql, "SELECT v FROM counters WHERE id = %" PRId64, i);
        ask_surely(campaign, client, node, sql);
        int64_t value = first_number(client);
        if (value < campaign->acknowledged[i] ||
            value > campaign->acknowledged[i] + campaign->maybe[i])
            fail_msg("counter %" PRId64 " is %" PRId64 " after %" PRId64
                     " acknowledged and %" PRId64 " unknown increments",
                     i, value, campaign->acknowledged[i], campaign->maybe[i]);
    }
    ask_surely(campaign, client, node, "SELECT g FROM groups GROUP BY g HAVING count(*) > 1");
    assert_string_equal("", (const char *)client->rows.data);
    ask_surely(campaign, client, node, "SELECT sum(v), count(*) FROM accounts");
    assert_string_equal("500|5\n", (const char *)client->rows.data);
}

static uint64_t applied_at(const struct campaign *campaign, uint64_t node) {
    struct cairn_node *running = sim_node(campaign->cluster->sim, node);
    struct replica *replica = running ? cairn_node_replica(running) : NULL;
    return replica ? replica_raft_status(replica).applied : 0;
}

static bool all_applied(void *arg) {
    const struct campaign *campaign = arg;
    uint64_t most = 0, least = UINT64_MAX;
    for (uint64_t node = 1; node <= campaign->cluster->node_count; node++) {
        uint64_t applied = applied_at(campaign, node);
        if (applied > most) most = applied;
        if (applied < least) least = applied;
    }
    return most == least && most > 0;
}

static uint64_t content_checksum(struct engine *engine) {
    uint64_t sum = 0;
    struct error error;
    struct engine_iterator_options all = {.lower = REPLICA_LOCAL_KEYS_END};
    struct engine_iterator *it = engine_iterator_new(engine, &all);
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it)) {
        sum = checksum64(engine_iterator_key(it), sum);
        sum = checksum64(engine_iterator_value(it), sum);
    }
    assert_status(STATUS_OK, engine_iterator_status(it, &error));
    engine_iterator_free(it);
    return sum;
}

void campaign_check(struct campaign *campaign) {
    struct sim *sim = campaign->cluster->sim;
    struct sim_client client;
    sim_client_init(&client, campaign->cluster);
    for (uint64_t node = 1; node <= campaign->cluster->node_count; node++)
        check_node(campaign, &client, node);
    sim_client_deinit(&client);
    if (!sim_run_until(sim, all_applied, campaign, 30 * NS_PER_S))
        fail_msg("the nodes do not come to the same applied index");
    uint64_t first = 0;
    for (uint64_t node = 1; node <= campaign->cluster->node_count; node++) {
        uint64_t sum = content_checksum(cairn_node_engine(sim_node(sim, node)));
        if (node == 1) first = sum;
        if (sum != first) fail_msg("node %" PRIu64 " holds other data than node 1", node);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

struct campaign *campaign_new(struct sim_cluster *cluster, size_t workers) {
    static const char *const statements[] = {
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT)",
        "CREATE TABLE h (v INT)",
        "CREATE TABLE counters (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE accounts (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE duty (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE groups (g INT)",
        "CREATE TABLE remade (id INT PRIMARY KEY, v0 INT)",
        "INSERT INTO counters VALUES (0, 0), (1, 0), (2, 0)",
        "INSERT INTO accounts VALUES (0, 100), (1, 100), (2, 100), (3, 100), (4, 100)",
        "INSERT INTO duty VALUES (0, 1), (1, 1)"};
    struct campaign *campaign = MEM_NEW(struct campaign);
    struct sim_client client;
    campaign->cluster = cluster;
    campaign->worker_count = workers < WORKERS_MAX ? workers : WORKERS_MAX;
    sim_client_init(&client, cluster);
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        sim_client_surely(&client, statements[i]);
    sim_client_deinit(&client);
    for (size_t i = 0; i < campaign->worker_count; i++) {
        campaign->workers[i].campaign = campaign;
        sim_client_init(&campaign->workers[i].client, cluster);
    }
    return campaign;
}

void campaign_free(struct campaign *campaign) {
    for (size_t i = 0; i < campaign->worker_count; i++)
        sim_client_deinit(&campaign->workers[i].client);
    mem_free(campaign);
}

uint64_t campaign_acknowledged(const struct campaign *campaign) {
    uint64_t total = 0;
    for (int script = 0; script < SCRIPT_COUNT; script++)
        total += campaign->counts[script][FATE_ACKNOWLEDGED];
    return total;
}

void campaign_print(const struct campaign *campaign) {
    for (int script = 0; script < SCRIPT_COUNT; script++) {
        const uint64_t *counts = campaign->counts[script];
        printf(" %s %" PRIu64 "/%" PRIu64 "/%" PRIu64, script_names[script],
               counts[FATE_ACKNOWLEDGED], counts[FATE_MAYBE], counts[FATE_NEVER]);
    }
    printf("\n");
}
