/* store.c - a store's making, its registry of commands, and what one may ask about it.
 *
 * How a command runs is in store_execute.c; what Raft delivers is in store_apply.c. */
#include "store.h"

#include <assert.h>

#include "mem.h"
#include "store_internal.h"

enum {
    DEFAULT_MAX_REQUESTS = 16 * 1024,
    DEFAULT_MAX_REQUEST_BYTES = 256 * 1024 * 1024,
    DEFAULT_MAX_LOCKS = 100 * 1000
};
#define DEFAULT_LOCK_TIMEOUT_NS (5 * NS_PER_S)

static void expire_locks(void *arg) {
    struct store *store = arg;
    uint64_t now_ns = env_now_ns(store->env);
    size_t expired = lock_table_expire(store->locks, now_ns);
    if (expired > 0) {
        log_warn(env_log(store->env), "store", "took the locks of silent transactions count=%zu",
                 expired);
    }
    env_timer_start(store->env, &store->expiry, now_ns + store->options.lock_timeout_ns / 5);
}

static void register_metrics(struct store *store, struct metrics *metrics) {
    store->commands_total =
        metrics_counter(metrics, "cairn_store_commands_total", "Commands that were taken.");
    store->proposals_total =
        metrics_counter(metrics, "cairn_store_proposals_total", "Commands that were proposed.");
    store->rejected_total = metrics_counter(metrics, "cairn_store_entries_rejected_total",
                                            "Entries of another term or epoch: no effect.");
    store->latch_waits_total = metrics_counter(metrics, "cairn_store_latch_waits_total",
                                               "Commands that had to wait for latches.");
    store->lock_waits_total = metrics_counter(metrics, "cairn_store_lock_waits_total",
                                              "Waits in the queue of a row lock.");
    store->deadlocks_total =
        metrics_counter(metrics, "cairn_store_deadlocks_total", "Lock requests refused.");
    store->lane_total = metrics_counter(metrics, "cairn_store_lane_evaluations_total",
                                        "Evaluations that went to the read lane.");
    store->command_ns = metrics_histogram(metrics, "cairn_store_command_ns",
                                          "From taking a command to its answer, nanoseconds.");
}

struct store *store_new(const struct store_options *options) {
    struct store *store = MEM_NEW(struct store);
    store->options = *options;
    struct store_options *o = &store->options;
    if (o->lock_timeout_ns == 0) o->lock_timeout_ns = DEFAULT_LOCK_TIMEOUT_NS;
    if (o->max_requests == 0) o->max_requests = DEFAULT_MAX_REQUESTS;
    if (o->max_request_bytes == 0) o->max_request_bytes = DEFAULT_MAX_REQUEST_BYTES;
    if (o->max_locks == 0) o->max_locks = DEFAULT_MAX_LOCKS;
    store->env = o->env;
    store->engine = o->engine;
    latches_init(&store->latches);
    store->locks = lock_table_new(o->lock_timeout_ns, o->max_locks);
    env_timer_init(&store->expiry, expire_locks, store);
    store->ready_end = &store->ready_first;
    store->ready_task = (struct env_task){.callback = operations_run_ready, .arg = store};
    arena_init(&store->apply_arena, 0);
    register_metrics(store, o->metrics);
    return store;
}

void store_free(struct store *store) {
    if (store == NULL) return;
    store->leads = false;
    operations_free_all(store);
    env_timer_stop(&store->expiry);
    env_unpost(store->env, &store->ready_task);
    lock_table_free(store->locks);
    arena_deinit(&store->apply_arena);
    buf_deinit(&store->entry);
    mem_free(store);
}

enum status store_attach(struct store *store, struct replicator *replicator, struct error *error) {
    store->replicator = replicator;
    return store_load_bound(store, error);
}

/* ---- the registry --------------------------------------------------------------------------- */

static const struct command **find_command(struct store *store, uint32_t id) {
    size_t at = id % COMMAND_BUCKETS;
    while (store->commands[at] != NULL && store->commands[at]->id != id)
        at = (at + 1) % COMMAND_BUCKETS;
    return &store->commands[at];
}

void store_register(struct store *store, const struct command *command) {
    assert(store->command_count < COMMAND_BUCKETS - 1);
    const struct command **at = find_command(store, command->id);
    assert(*at == NULL);
    *at = command;
    store->command_count++;
}

const struct command *store_command(struct store *store, uint32_t id) {
    return *find_command(store, id);
}

/* ---- looking -------------------------------------------------------------------------------- */

bool store_leads(struct store *store, uint64_t *leader) {
    if (leader != NULL) {
        *leader = 0;
        if (store->replicator != NULL)
            (void)store->replicator->ops->leads(store->replicator, leader);
    }
    return store->leads;
}

hlc_timestamp store_applied_timestamp(const struct store *store) {
    return store->applied_timestamp;
}

struct store_status store_status(const struct store *store) {
    return (struct store_status){
        .leads = store->leads,
        .term = store->term,
        .applied_timestamp = store->applied_timestamp,
        .allotted_timestamp = store->allotted_timestamp,
        .requests = store->request_count,
        .request_bytes = store->request_bytes,
        .latches = store->latches.count,
        .locks = lock_table_locks(store->locks),
        .lock_waiters = lock_table_waiters(store->locks),
    };
}
