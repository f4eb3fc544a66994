/* txn_manager.c - a gateway's transactions together: signs of life for their locks, and notices
 * that locks are given up. */
#include <assert.h>

#include "mem.h"
#include "rpc.h"
#include "txn_commands.h"
#include "txn_coordinator.h"

#define DEFAULT_HEARTBEAT_NS NS_PER_S
#define DEFAULT_MAX_WRITE_BYTES ((size_t)64 * 1024 * 1024)
#define NOTICE_DEADLINE_NS (2 * NS_PER_S)

/* A call whose answer nobody waits for. */
struct notice {
    struct kv_call call;
    struct txn_manager *manager; /* NULL: gone */
    struct buf payload;
    struct notice *next, *prev;
};

static void beat(void *arg);

struct txn_manager *txn_manager_new(const struct txn_manager_options *options) {
    struct txn_manager *manager = MEM_NEW(struct txn_manager);
    manager->options = *options;
    if (manager->options.heartbeat_interval_ns == 0)
        manager->options.heartbeat_interval_ns = DEFAULT_HEARTBEAT_NS;
    if (manager->options.max_write_bytes == 0)
        manager->options.max_write_bytes = DEFAULT_MAX_WRITE_BYTES;
    env_random(options->env, "txn", &manager->prng);
    env_timer_init(&manager->heartbeat, beat, manager);
    struct metrics *metrics = options->metrics;
    manager->begun =
        metrics_counter(metrics, "cairn_txn_begun_total", "Transactions begun on this node.");
    manager->refreshed = metrics_counter(metrics, "cairn_txn_refreshes_total",
                                         "Read timestamps moved up behind a lock.");
    manager->dead = metrics_counter(metrics, "cairn_txn_died_total",
                                    "Transactions ended by a conflict or a deadlock.");
    manager->retried = metrics_counter(metrics, "cairn_txn_commit_retries_total",
                                       "Commits sent again because the answer was lost.");
    manager->unknown = metrics_counter(metrics, "cairn_txn_unknown_outcomes_total",
                                       "Commits whose outcome could not be learnt in time.");
    return manager;
}

void txn_manager_free(struct txn_manager *manager) {
    if (manager == NULL) return;
    assert(manager->count == 0);
    env_timer_stop(&manager->heartbeat);
    for (struct notice *notice = manager->notices; notice != NULL; notice = notice->next)
        notice->manager = NULL;
    mem_free(manager);
}

/* ---- notices -------------------------------------------------------------------------------- */

static void notice_done(struct kv_call *call, enum status status, struct slice reply,
                        const struct error *error) {
    (void)status, (void)reply, (void)error; /* locks that are not released expire */
    struct notice *notice = call->arg;
    if (notice->manager != NULL) {
        if (notice->prev != NULL)
            notice->prev->next = notice->next;
        else
            notice->manager->notices = notice->next;
        if (notice->next != NULL) notice->next->prev = notice->prev;
    }
    buf_deinit(&notice->payload);
    mem_free(notice);
}

static void send_notice(struct txn_manager *manager, uint32_t command, const Cairn__TxnIds *ids) {
    struct notice *notice = MEM_NEW(struct notice);
    rpc_pack(&notice->payload, &ids->base);
    notice->call = (struct kv_call){
        .command = command,
        .payload = buf_slice(&notice->payload),
        .idempotent = true,
        .request = request_init(env_now_ns(manager->options.env) + NOTICE_DEADLINE_NS),
        .done = notice_done,
        .arg = notice};
    notice->manager = manager;
    notice->next = manager->notices;
    if (manager->notices != NULL) manager->notices->prev = notice;
    manager->notices = notice;
    kv_start(manager->options.kv, &notice->call);
}

void txn_send_release(struct txn_manager *manager, struct txn_id id) {
    Cairn__TxnId message;
    txn_fill_id(&message, id);
    Cairn__TxnId *list[] = {&message};
    Cairn__TxnIds ids = CAIRN__TXN_IDS__INIT;
    ids.n_ids = 1;
    ids.ids = list;
    send_notice(manager, TXN_RELEASE, &ids);
}

/* ---- heartbeats ----------------------------------------------------------------------------- */

static void beat(void *arg) {
    struct txn_manager *manager = arg;
    struct arena arena;
    arena_init(&arena, 0);
    Cairn__TxnIds ids = CAIRN__TXN_IDS__INIT;
    ids.ids = ARENA_ARRAY(&arena, Cairn__TxnId *, manager->count);
    for (struct txn *txn = manager->first; txn != NULL; txn = txn->next) {
        if (!txn->has_locks) continue;
        ids.ids[ids.n_ids] = ARENA_NEW(&arena, Cairn__TxnId);
        txn_fill_id(ids.ids[ids.n_ids++], txn->id);
    }
    if (ids.n_ids > 0) { /* without locks the timer rests until someone takes one */
        send_notice(manager, TXN_HEARTBEAT, &ids);
        txn_start_heartbeat(manager);
    }
    arena_deinit(&arena);
}

void txn_start_heartbeat(struct txn_manager *manager) {
    if (env_timer_started(&manager->heartbeat)) return;
    struct env *env = manager->options.env;
    env_timer_start(env, &manager->heartbeat,
                    env_now_ns(env) + manager->options.heartbeat_interval_ns);
}
