/* sql_solo.c - wiring, and nothing else: each layer is made with the one below it. */
#include "sql_solo.h"

#include "kv.h"
#include "mem.h"
#include "mvcc_commands.h"
#include "recent_writes.h"
#include "solo_replicator.h"
#include "store.h"
#include "txn_commands.h"

enum { REMEMBERED_WRITES = 64 * 1024, COROUTINES_MAX = 1024 };

struct sql_solo {
    struct engine *engine;
    struct metrics *metrics;
    struct hlc clock;
    struct store *store;
    struct recent_writes *recent;
    struct mvcc_commands mvcc;
    struct txn_commands commands;
    struct solo_replicator *solo;
    struct kv *kv;
    struct txn_manager *txns;
    struct co_pool *coroutines;
    struct sql_server *server;
};

static enum status make_store(struct sql_solo *solo, struct env *env, struct error *error) {
    struct store_options options = {
        .env = env, .engine = solo->engine, .hlc = &solo->clock, .metrics = solo->metrics};
    solo->store = store_new(&options);
    solo->recent = recent_writes_new(REMEMBERED_WRITES);
    mvcc_commands_init(&solo->mvcc, solo->recent);
    mvcc_commands_register(&solo->mvcc, solo->store);
    txn_commands_init(&solo->commands, solo->recent, solo->metrics);
    txn_commands_register(&solo->commands, solo->store);
    solo->solo = solo_replicator_new(env, solo->engine, &store_state_machine, solo->store);
    return store_attach(solo->store, solo_replicator_replicator(solo->solo), error);
}

static void make_server(struct sql_solo *solo, struct env *env) {
    solo->kv = kv_local_new(solo->store);
    struct txn_manager_options txns = {
        .kv = solo->kv, .env = env, .hlc = &solo->clock, .metrics = solo->metrics};
    solo->txns = txn_manager_new(&txns);
    solo->coroutines = co_pool_new(env, COROUTINES_MAX);
    struct sql_server_options server = {.env = env,
                                        .txns = solo->txns,
                                        .clock = &solo->clock,
                                        .metrics = solo->metrics,
                                        .node_id = 1,
                                        .coroutines = solo->coroutines};
    solo->server = sql_server_new(&server);
    solo_replicator_lead(solo->solo);
}

enum status sql_solo_open(struct env *env, const char *engine_kind,
                          const struct engine_options *engine, struct sql_solo **out,
                          struct error *error) {
    struct sql_solo *solo = MEM_NEW(struct sql_solo);
    *out = NULL;
    enum status status = engine_open(env, engine_kind, engine, &solo->engine, error);
    if (status != STATUS_OK) {
        mem_free(solo);
        return status;
    }
    solo->metrics = metrics_new();
    hlc_init(&solo->clock, NS_PER_S);
    status = make_store(solo, env, error);
    if (status == STATUS_OK) {
        make_server(solo, env);
        *out = solo;
    } else {
        sql_solo_close(solo);
    }
    return status;
}

void sql_solo_close(struct sql_solo *solo) {
    if (solo == NULL) return;
    sql_server_free(solo->server);
    if (solo->coroutines != NULL) co_pool_free(solo->coroutines);
    if (solo->txns != NULL) txn_manager_free(solo->txns);
    store_free(solo->store);
    solo_replicator_free(solo->solo);
    if (solo->kv != NULL) kv_local_free(solo->kv);
    recent_writes_free(solo->recent);
    engine_close(solo->engine);
    metrics_free(solo->metrics);
    mem_free(solo);
}

struct sql_server *sql_solo_server(struct sql_solo *solo) {
    return solo->server;
}
struct co_pool *sql_solo_coroutines(struct sql_solo *solo) {
    return solo->coroutines;
}
struct metrics *sql_solo_metrics(struct sql_solo *solo) {
    return solo->metrics;
}

enum status sql_solo_sync(struct sql_solo *solo, struct error *error) {
    return engine_sync(solo->engine, error);
}
