/* kv_bench.c - raw replicated puts, below SQL: how fast the log, Raft and the engine are by
 * themselves.
 *
 *   kv_bench PORT NODES CONNECTIONS REQUESTS_IN_FLIGHT SECONDS
 *
 * Each connection keeps so many puts of 100 bytes to random keys under way at the leader. Prints
 * puts a second and the latency seen by the client. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"
#include "kv.pb-c.h"
#include "kv_router.h"
#include "mem.h"
#include "mvcc.h"
#include "rpc_client.h"
#include "store.pb-c.h"

enum { KEY_SPACE = 1000000, VALUE_BYTES = 100, NODES_MAX = 15 };

struct bench {
    struct env *env;
    struct hlc clock;
    struct metrics *metrics;
    struct rpc_context rpc;
    struct rpc_client **clients; /* to the leader */
    size_t connections, in_flight;
    uint64_t end_ns;
    struct prng prng;
    struct histogram *latency_ns;
    uint64_t done, failed;
    size_t running;
};

struct slot {
    struct bench *bench;
    struct rpc_client *client;
    uint64_t started_ns;
};

static void pack_put(struct bench *bench, struct buf *out) {
    char key[32];
    uint8_t value[VALUE_BYTES] = {0};
    struct buf put_bytes = BUF_INIT;
    uint64_t number = prng_below(&bench->prng, KEY_SPACE);
    int len = snprintf(key, sizeof key, "bench/%010" PRIu64, number);
    memcpy(value, &number, sizeof number);
    Cairn__KvPut put = CAIRN__KV_PUT__INIT;
    put.key = rpc_bytes(slice_of(key, (size_t)len));
    put.value = rpc_bytes(slice_of(value, sizeof value));
    rpc_pack(&put_bytes, &put.base);
    Cairn__StoreExecute execute = CAIRN__STORE_EXECUTE__INIT;
    execute.command = MVCC_PUT;
    execute.payload = rpc_bytes(buf_slice(&put_bytes));
    rpc_pack(out, &execute.base);
    buf_deinit(&put_bytes);
}

static void start(struct slot *slot);

static void on_reply(void *arg, enum status status, struct slice reply, const struct error *error) {
    struct slot *slot = arg;
    struct bench *bench = slot->bench;
    (void)reply;
    if (status == STATUS_OK) {
        bench->done++;
        histogram_record(bench->latency_ns, env_now_ns(bench->env) - slot->started_ns);
    } else if (bench->failed++ == 0) {
        fprintf(stderr, "kv_bench: %s\n", error->message);
    }
    start(slot);
}

static void start(struct slot *slot) {
    struct bench *bench = slot->bench;
    slot->started_ns = env_now_ns(bench->env);
    if (slot->started_ns >= bench->end_ns) {
        if (--bench->running == 0) env_stop(bench->env);
        return;
    }
    struct buf request = BUF_INIT;
    pack_put(bench, &request);
    rpc_call(slot->client, METHOD_STORE_EXECUTE, buf_slice(&request), NULL, on_reply, slot);
    buf_deinit(&request);
}

/* ---- finding the leader ---------------------------------------------------------------------- */

struct probe {
    struct bench *bench;
    bool answered, leads;
};

static void on_probe(void *arg, enum status status, struct slice reply, const struct error *error) {
    struct probe *probe = arg;
    (void)error;
    probe->answered = true;
    Cairn__StoreExecuteReply *answer =
        status == STATUS_OK ? cairn__store_execute_reply__unpack(NULL, reply.len, reply.data)
                            : NULL;
    probe->leads = answer != NULL && !answer->not_leader;
    if (answer != NULL) cairn__store_execute_reply__free_unpacked(answer, NULL);
    env_stop(probe->bench->env);
}

static bool node_leads(struct bench *bench, uint16_t port) {
    struct rpc_client_options options = rpc_client_options_default();
    options.wait_for_ready = true;
    struct rpc_client *client = rpc_client_new(&bench->rpc, "127.0.0.1", port, &options);
    struct request request = request_init(env_deadline_ns(bench->env, 2 * NS_PER_S));
    struct probe probe = {.bench = bench};
    struct buf put = BUF_INIT;
    pack_put(bench, &put);
    rpc_call(client, METHOD_STORE_EXECUTE, buf_slice(&put), &request, on_probe, &probe);
    while (!probe.answered)
        env_run(bench->env);
    buf_deinit(&put);
    rpc_client_free(client);
    return probe.leads;
}

/* 0: none. */
static uint16_t find_leader(struct bench *bench, uint16_t port, unsigned nodes) {
    for (unsigned k = 0; k < nodes; k++) {
        if (node_leads(bench, (uint16_t)(port + k))) return (uint16_t)(port + k);
    }
    return 0;
}

/* ---- the run --------------------------------------------------------------------------------- */

static void run(struct bench *bench, uint16_t leader, uint64_t seconds) {
    struct rpc_client_options options = rpc_client_options_default();
    options.wait_for_ready = true;
    size_t slots = bench->connections * bench->in_flight;
    struct slot *all = mem_zalloc(slots * sizeof *all);
    bench->clients = mem_zalloc(bench->connections * sizeof(struct rpc_client *));
    bench->end_ns = env_deadline_ns(bench->env, seconds * NS_PER_S);
    bench->running = slots;
    uint64_t start_ns = env_now_ns(bench->env);
    for (size_t c = 0; c < bench->connections; c++) {
        bench->clients[c] = rpc_client_new(&bench->rpc, "127.0.0.1", leader, &options);
        for (size_t i = 0; i < bench->in_flight; i++) {
            struct slot *slot = &all[c * bench->in_flight + i];
            *slot = (struct slot){.bench = bench, .client = bench->clients[c]};
            start(slot);
        }
    }
    env_run(bench->env);
    double elapsed = (double)(env_now_ns(bench->env) - start_ns) / (double)NS_PER_S;
    printf("%zu connections x %zu: %.0f puts/s, latency p50 %.2f ms, p99 %.2f ms, failed %" PRIu64
           "\n",
           bench->connections, bench->in_flight, (double)bench->done / elapsed,
           (double)histogram_quantile(bench->latency_ns, 0.5) / (double)NS_PER_MS,
           (double)histogram_quantile(bench->latency_ns, 0.99) / (double)NS_PER_MS, bench->failed);
    for (size_t c = 0; c < bench->connections; c++)
        rpc_client_free(bench->clients[c]);
    mem_free(bench->clients);
    mem_free(all);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: kv_bench PORT NODES CONNECTIONS REQUESTS_IN_FLIGHT SECONDS\n");
        return 2;
    }
    struct log log;
    struct bench bench = {.connections = strtoul(argv[3], NULL, 10),
                          .in_flight = strtoul(argv[4], NULL, 10)};
    log_init_null(&log);
    bench.env = env_uv_new(&log);
    bench.metrics = metrics_new();
    bench.latency_ns = histogram_new();
    hlc_init(&bench.clock, UINT64_MAX);
    rpc_context_init(&bench.rpc, bench.env, &bench.clock, bench.metrics);
    env_random(bench.env, "bench", &bench.prng);
    uint16_t leader = find_leader(&bench, (uint16_t)strtoul(argv[1], NULL, 10),
                                  (unsigned)strtoul(argv[2], NULL, 10));
    if (leader != 0) {
        run(&bench, leader, strtoull(argv[5], NULL, 10));
    } else {
        fprintf(stderr, "kv_bench: no node leads\n");
    }
    histogram_free(bench.latency_ns);
    metrics_free(bench.metrics);
    env_uv_free(bench.env);
    return leader != 0 && bench.failed == 0 ? 0 : 1;
}
