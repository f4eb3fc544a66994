/* store_internal.h - what store.c, store_execute.c and store_apply.c share. For no one else. */
#ifndef CAIRN_STORE_INTERNAL_H
#define CAIRN_STORE_INTERNAL_H

#include "latch.h"
#include "store.h"

/* Where a command is in its life. */
#define OPERATION_STATE_LIST(X)                                                                    \
    X(NEW)      /* being set up */                                                                 \
    X(LATCHING) /* waits for latches */                                                            \
    X(LOCKING)  /* waits in the queue of a lock */                                                 \
    X(BARRIER)  /* waits for the read barrier */                                                   \
    X(READY)    /* in the ready list: what it waited for is there, or has failed */                \
    X(RUNNING)  /* being evaluated on the loop */                                                  \
    X(LANE)     /* being evaluated on the read lane */                                             \
    X(PROPOSED) /* its effect is with the replicator */                                            \
    X(DONE)

enum operation_state {
#define OPERATION_STATE_ENUM(name) OPERATION_##name,
    OPERATION_STATE_LIST(OPERATION_STATE_ENUM)
#undef OPERATION_STATE_ENUM
};

struct txn_effect {
    struct txn_id txn;
    bool release; /* else: touch */
    struct txn_effect *next;
};

struct wanted_lock {
    struct txn_id txn;
    struct slice key; /* in the arena */
    struct wanted_lock *next;
};

/* One request under way. Pooled. */
struct operation {
    struct store *store;
    struct evaluation evaluation;
    enum operation_state state;
    uint64_t term; /* of the leadership it began in */
    uint64_t started_ns;

    struct arena arena;
    struct buf payload, reply;
    struct write_batch batch;
    struct request request;
    store_callback callback;
    void *arg;

    struct latch_guard guard;
    size_t latch_capacity;

    struct wanted_lock *wanted, **wanted_end; /* by the last evaluation */
    struct txn_effect *effects;               /* of the last evaluation */
    struct lock_wait lock_wait;

    bool barrier_passed;
    bool evaluated;     /* a WRITE with nothing to propose, whose answer waits for the barrier */
    unsigned lane_runs; /* how often the engine said WOULD_BLOCK */
    hlc_timestamp timestamp; /* allotted; 0: none */
    bool rejected;           /* its entry had no effect */
    uint64_t sequence;       /* of its proposal */
    enum status final;       /* evaluated: the answer */
    enum status outcome;     /* what it waited for, or the lane's evaluation, ended with */

    struct read_barrier barrier;
    struct proposal proposal;
    struct env_work work;
    struct engine_snapshot *snapshot;
    struct env_timer deadline;
    struct cancel_waiter cancel;
    bool armed; /* deadline and cancel waiter are */

    struct error error;
    struct operation *next, *prev; /* all that are under way, in order of arrival */
    struct operation *ready_next;  /* READY; or in the pool */
};

enum { COMMAND_BUCKETS = 64, OPERATION_POOL_MAX = 1024 };

struct store {
    struct store_options options;
    struct env *env;
    struct engine *engine;
    struct replicator *replicator;
    const struct command *commands[COMMAND_BUCKETS]; /* open addressing by id */
    size_t command_count;

    bool leads;
    uint64_t term;
    hlc_timestamp applied_timestamp, applying_timestamp, allotted_timestamp;
    hlc_timestamp bound; /* store_apply.c */
    uint64_t proposal_sequence;

    struct latches latches;
    struct lock_table *locks;
    struct env_timer expiry;

    struct operation *first, *last;
    size_t request_count, request_bytes;
    struct operation *ready_first, **ready_end;
    struct env_task ready_task;
    struct operation *pool;
    size_t pool_count;

    struct buf entry; /* scratch: a packed StoreEntry */
    struct arena apply_arena;

    struct counter *commands_total, *proposals_total, *rejected_total;
    struct counter *latch_waits_total, *lock_waits_total, *deadlocks_total, *lane_total;
    struct histogram *command_ns;
};

/* store.c: NULL if there is none. */
const struct command *store_command(struct store *store, uint32_t id);

/* store_execute.c */

/* What an operation waited for has come to an end: it goes on (or fails with `outcome`) later in
 * this turn. */
void operation_ready(struct operation *operation, enum status outcome);
/* Leadership was lost: whoever waits for latches or locks is told. */
void operations_abandon(struct store *store);
/* For store_free: answers CANCELLED and frees, the pool included. */
void operations_free_all(struct store *store);
/* The task that runs what is ready. */
void operations_run_ready(void *arg);

/* store_apply.c */
struct slice store_pack_entry(struct store *store, const struct operation *operation);
enum status store_load_bound(struct store *store, struct error *error) MUST_CHECK;

#endif
