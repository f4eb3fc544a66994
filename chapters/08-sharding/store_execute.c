/* store_execute.c - the life of one command, from store_execute to its answer.
 *
 *   NEW -> LATCHING -> RUNNING -> PROPOSED -> DONE         writes
 *   NEW -> BARRIER -> RUNNING -> DONE                      reads
 *   NEW -> BARRIER -> RUNNING <-> LOCKING -> DONE          locking reads
 *   RUNNING -> LANE -> ...                                 the engine would have had to wait
 *
 * Whatever ends a wait only puts the operation on the ready list; it goes on from a task of its
 * own. So no callback of latches, locks or replicator ever calls back into them. */
#include <assert.h>

#include "mem.h"
#include "store_internal.h"

enum {
    KEEP_BYTES = 64 * 1024, /* of a buffer, when an operation goes back to the pool */
    MAX_REHEARSALS = 2      /* after so many runs on the lane, the loop waits for the disk itself */
};

static void advance(struct operation *operation);

/* ---- making and answering ------------------------------------------------------------------- */

static void on_deadline(void *arg);
static void on_cancel(struct cancel_waiter *waiter);
static void on_latched(struct latch_guard *guard);
static void on_locked(struct lock_wait *wait, enum status status);
static void on_barrier(struct read_barrier *barrier, enum status status);
static void on_proposed(struct proposal *proposal, enum status status, uint64_t index);

static struct operation *operation_new(struct store *store) {
    struct operation *operation = store->pool;
    if (operation != NULL) {
        store->pool = operation->ready_next;
        store->pool_count--;
    } else {
        operation = MEM_NEW(struct operation);
        arena_init(&operation->arena, 0);
        write_batch_init(&operation->batch);
        env_timer_init(&operation->deadline, on_deadline, operation);
        operation->cancel.on_cancel = on_cancel;
        operation->guard.granted = on_latched;
        operation->guard.arg = operation;
        operation->lock_wait.done = on_locked;
        operation->lock_wait.arg = operation;
        operation->barrier.done = on_barrier;
        operation->barrier.arg = operation;
        operation->proposal.done = on_proposed;
        operation->proposal.arg = operation;
    }
    operation->store = store;
    operation->state = OPERATION_NEW;
    operation->prev = store->last;
    operation->next = NULL;
    if (store->last != NULL)
        store->last->next = operation;
    else
        store->first = operation;
    store->last = operation;
    return operation;
}

static void operation_destroy(struct operation *operation) {
    arena_deinit(&operation->arena);
    buf_deinit(&operation->payload);
    buf_deinit(&operation->reply);
    write_batch_deinit(&operation->batch);
    mem_free(operation->guard.latches);
    mem_free(operation);
}

static void shrink(struct buf *buf) {
    if (buf->capacity > KEEP_BYTES)
        buf_deinit(buf);
    else
        buf_clear(buf);
}

/* Back to the pool; what grew large is freed. */
static void operation_recycle(struct operation *operation) {
    struct store *store = operation->store;
    if (store->pool_count >= OPERATION_POOL_MAX || operation->latch_capacity > 256) {
        operation_destroy(operation);
        return;
    }
    arena_reset(&operation->arena);
    shrink(&operation->payload);
    shrink(&operation->reply);
    write_batch_clear(&operation->batch);
    shrink(&operation->batch.bytes);
    operation->guard.count = 0;
    operation->wanted = NULL;
    operation->effects = NULL;
    operation->barrier_passed = operation->evaluated = operation->rejected = false;
    operation->lane_runs = 0;
    operation->timestamp = 0;
    operation->ready_next = store->pool;
    store->pool = operation;
    store->pool_count++;
}

static void disarm(struct operation *operation) {
    if (!operation->armed) return;
    operation->armed = false;
    env_timer_stop(&operation->deadline);
    cancel_token_unwait(operation->request.cancel, &operation->cancel);
}

/* Signs of life always count; releases too, whatever the answer. */
static void carry_out_effects(struct operation *operation) {
    struct store *store = operation->store;
    uint64_t now_ns = env_now_ns(store->env);
    for (struct txn_effect *effect = operation->effects; effect != NULL; effect = effect->next) {
        if (effect->release)
            lock_table_release(store->locks, effect->txn, now_ns);
        else
            lock_table_touch(store->locks, effect->txn, now_ns);
    }
    operation->effects = NULL;
}

static void describe(struct operation *operation, enum status status) {
    const char *name = operation->evaluation.command->name;
    switch (status) {
    case STATUS_OK:
        break;
    case STATUS_NOT_LEADER:
        error_set(&operation->error, status, "%s: this node does not lead the range", name);
        break;
    case STATUS_DEADLOCK:
        error_set(&operation->error, status, "waiting for the lock would close a cycle");
        break;
    case STATUS_UNKNOWN_OUTCOME:
        error_set(&operation->error, status,
                  "%s: leadership was lost before it was known to be committed", name);
        break;
    default:
        error_set(&operation->error, status, "%s: %s", name, status_text(status));
    }
}

/* The one exit. operation->error must be filled in unless it is OK. */
static void answer(struct operation *operation, enum status status) {
    struct store *store = operation->store;
    assert(operation->state != OPERATION_DONE);
    operation->state = OPERATION_DONE;
    disarm(operation);
    latches_release(&store->latches, &operation->guard);
    lock_table_cancel(store->locks, &operation->lock_wait);
    carry_out_effects(operation);
    if (operation->prev != NULL)
        operation->prev->next = operation->next;
    else
        store->first = operation->next;
    if (operation->next != NULL)
        operation->next->prev = operation->prev;
    else
        store->last = operation->prev;
    store->request_count--;
    store->request_bytes -= operation->payload.len;
    histogram_record(store->command_ns, env_now_ns(store->env) - operation->started_ns);

    struct store_result result = {.status = status, .error = &operation->error};
    if (status == STATUS_OK) {
        result.reply = buf_slice(&operation->reply);
        operation->error.status = STATUS_OK;
    } else if (status == STATUS_NOT_LEADER) {
        (void)store_leads(store, &result.leader);
    }
    operation->callback(operation->arg, &result);
    operation_recycle(operation);
}

static void answer_plain(struct operation *operation, enum status status) {
    describe(operation, status);
    answer(operation, status);
}

/* ---- waiting -------------------------------------------------------------------------------- */

void operation_ready(struct operation *operation, enum status outcome) {
    struct store *store = operation->store;
    assert(operation->state != OPERATION_READY && operation->state != OPERATION_DONE);
    operation->state = OPERATION_READY;
    operation->outcome = outcome;
    operation->ready_next = NULL;
    *store->ready_end = operation;
    store->ready_end = &operation->ready_next;
    env_post(store->env, &store->ready_task);
}

void operations_run_ready(void *arg) {
    struct store *store = arg;
    while (store->ready_first != NULL) {
        struct operation *operation = store->ready_first;
        store->ready_first = operation->ready_next;
        if (store->ready_first == NULL) store->ready_end = &store->ready_first;
        disarm(operation);
        if (operation->outcome != STATUS_OK)
            answer_plain(operation, operation->outcome);
        else
            advance(operation);
    }
}

/* From now on the deadline and the cancel token can end the wait (latches, locks). */
static void arm(struct operation *operation) {
    operation->armed = true;
    if (operation->request.deadline_ns != REQUEST_NO_DEADLINE)
        env_timer_start(operation->store->env, &operation->deadline,
                        operation->request.deadline_ns);
    cancel_token_wait(operation->request.cancel, &operation->cancel);
}

static void stop_waiting(struct operation *operation, enum status status) {
    struct store *store = operation->store;
    if (operation->state != OPERATION_LATCHING && operation->state != OPERATION_LOCKING) return;
    latches_release(&store->latches, &operation->guard);
    lock_table_cancel(store->locks, &operation->lock_wait);
    operation_ready(operation, status);
}

static void on_deadline(void *arg) { stop_waiting(arg, STATUS_DEADLINE); }

static void on_cancel(struct cancel_waiter *waiter) {
    stop_waiting(CONTAINER_OF(waiter, struct operation, cancel), STATUS_CANCELLED);
}

static void on_latched(struct latch_guard *guard) { operation_ready(guard->arg, STATUS_OK); }

static void on_locked(struct lock_wait *wait, enum status status) {
    operation_ready(wait->arg, status);
}

static void on_barrier(struct read_barrier *barrier, enum status status) {
    struct operation *operation = barrier->arg;
    operation->barrier_passed = true;
    operation_ready(operation, status);
}

void operations_abandon(struct store *store) {
    for (struct operation *operation = store->first; operation != NULL; operation = operation->next)
        stop_waiting(operation, STATUS_NOT_LEADER);
}

void operations_free_all(struct store *store) {
    lock_table_clear(store->locks);
    while (store->first != NULL) {
        struct operation *operation = store->first;
        bool proposed = operation->state == OPERATION_PROPOSED;
        /* Of work on the lane that will never report, as in a simulated crash. */
        if (operation->snapshot != NULL)
            engine_snapshot_release(store->engine, operation->snapshot);
        operation->snapshot = NULL;
        answer_plain(operation, proposed ? STATUS_UNKNOWN_OUTCOME : STATUS_CANCELLED);
    }
    while (store->pool != NULL) {
        struct operation *operation = store->pool;
        store->pool = operation->ready_next;
        operation_destroy(operation);
    }
}

/* ---- what declare and evaluate may ask for -------------------------------------------------- */

void declaration_add(struct evaluation *evaluation, struct span span, enum span_access access) {
    struct operation *operation = evaluation->operation;
    struct latch_guard *guard = &operation->guard;
    if (guard->count == operation->latch_capacity) {
        operation->latch_capacity =
            operation->latch_capacity > 0 ? operation->latch_capacity * 2 : 4;
        guard->latches =
            mem_realloc(guard->latches, operation->latch_capacity * sizeof(struct latch));
    }
    guard->latches[guard->count++] = (struct latch){.span = span, .access = access};
}

hlc_timestamp evaluation_allot_timestamp(struct evaluation *evaluation) {
    struct operation *operation = evaluation->operation;
    struct store *store = operation->store;
    if (evaluation->rehearsal) return HLC_MAX;
    if (operation->timestamp != 0) return operation->timestamp;
    hlc_timestamp now = hlc_now(store->options.hlc, env_wall_ns(store->env));
    assert(now > store->allotted_timestamp); /* on_leader advanced the clock */
    store->allotted_timestamp = operation->timestamp = now;
    return now;
}

bool evaluation_lock(struct evaluation *evaluation, struct txn_id txn, struct slice key) {
    if (evaluation->rehearsal) return true;
    struct operation *operation = evaluation->operation;
    struct store *store = operation->store;
    assert(evaluation->command->kind == COMMAND_LOCK);
    /* Once one key is to be waited for, the following are taken after it, in their order: requests
     * that name their keys in one order then never wait for each other in a circle. */
    if (operation->wanted == NULL &&
        lock_table_try(store->locks, txn, key, env_now_ns(store->env)) != STATUS_WOULD_BLOCK)
        return true;
    struct wanted_lock *wanted = ARENA_NEW(evaluation->arena, struct wanted_lock);
    *wanted = (struct wanted_lock){.txn = txn, .key = arena_dup_slice(evaluation->arena, key)};
    *operation->wanted_end = wanted;
    operation->wanted_end = &wanted->next;
    return false;
}

static void add_effect(struct evaluation *evaluation, struct txn_id txn, bool release) {
    if (evaluation->rehearsal) return;
    struct txn_effect *effect = ARENA_NEW(evaluation->arena, struct txn_effect);
    *effect = (struct txn_effect){txn, release, evaluation->operation->effects};
    evaluation->operation->effects = effect;
}

void evaluation_touch(struct evaluation *evaluation, struct txn_id txn) {
    add_effect(evaluation, txn, false);
}

void evaluation_release(struct evaluation *evaluation, struct txn_id txn) {
    add_effect(evaluation, txn, true);
}

/* ---- evaluating ----------------------------------------------------------------------------- */

static enum status evaluate(struct operation *operation) {
    struct evaluation *evaluation = &operation->evaluation;
    buf_clear(&operation->reply);
    write_batch_clear(&operation->batch);
    operation->wanted = NULL;
    operation->wanted_end = &operation->wanted;
    operation->effects = NULL;
    return evaluation->command->evaluate(evaluation, &operation->error);
}

/* On a thread of the read lane: touches this operation, the snapshot and nothing else. */
static void run_on_lane(void *arg) {
    struct operation *operation = arg;
    operation->outcome = evaluate(operation);
}

static void lane_done(void *arg) {
    struct operation *operation = arg;
    struct store *store = operation->store;
    engine_snapshot_release(store->engine, operation->snapshot);
    operation->snapshot = NULL;
    operation->evaluation.rehearsal = false;
    operation->state = OPERATION_RUNNING;
    if (!store->leads || store->term != operation->term) {
        answer_plain(operation, STATUS_NOT_LEADER);
    } else if (operation->evaluation.command->kind == COMMAND_READ) {
        answer(operation, operation->outcome);
    } else {
        advance(operation); /* with the blocks in the cache now */
    }
}

static void go_to_lane(struct operation *operation) {
    struct store *store = operation->store;
    struct evaluation *evaluation = &operation->evaluation;
    operation->state = OPERATION_LANE;
    operation->lane_runs++;
    operation->snapshot = engine_snapshot_new(store->engine);
    evaluation->reader = (struct store_reader){store->engine, operation->snapshot, false};
    evaluation->rehearsal = evaluation->command->kind != COMMAND_READ;
    operation->work = (struct env_work){.run = run_on_lane, .done = lane_done, .arg = operation};
    counter_add(store->lane_total, 1);
    env_work_submit(store->env, LANE_READ, &operation->work);
}

/* Takes the locks that the last evaluation lacked, one by one. False: it waits, or was answered. */
static bool take_locks(struct operation *operation) {
    struct store *store = operation->store;
    while (operation->wanted != NULL) {
        struct wanted_lock *wanted = operation->wanted;
        operation->wanted = wanted->next;
        enum status status = lock_table_acquire(store->locks, wanted->txn, wanted->key,
                                                env_now_ns(store->env), &operation->lock_wait);
        if (status == STATUS_WOULD_BLOCK) {
            counter_add(store->lock_waits_total, 1);
            operation->state = OPERATION_LOCKING;
            arm(operation);
            return false;
        }
        if (status == STATUS_DEADLOCK) {
            counter_add(store->deadlocks_total, 1);
            answer_plain(operation, status);
            return false;
        }
    }
    return true;
}

static void propose(struct operation *operation) {
    struct store *store = operation->store;
    operation->state = OPERATION_PROPOSED;
    operation->sequence = ++store->proposal_sequence;
    operation->proposal.payload = store_pack_entry(store, operation);
    counter_add(store->proposals_total, 1);
    store->replicator->ops->propose(store->replicator, &operation->proposal);
}

static void on_proposed(struct proposal *proposal, enum status status, uint64_t index) {
    struct operation *operation = proposal->arg;
    (void)index;
    if (status == STATUS_OK && operation->rejected) status = STATUS_NOT_LEADER;
    answer_plain(operation, status);
}

static void ask_barrier(struct operation *operation) {
    struct store *store = operation->store;
    operation->state = OPERATION_BARRIER;
    store->replicator->ops->read_barrier(store->replicator, &operation->barrier);
}

/* Evaluated, nothing more to wait for. */
static void conclude(struct operation *operation, enum status status) {
    bool write = operation->evaluation.command->kind == COMMAND_WRITE;
    if (status == STATUS_OK && write && operation->batch.count > 0) {
        propose(operation);
    } else if (write && operation->evaluation.needs_barrier && !operation->barrier_passed) {
        operation->evaluated = true;
        operation->final = status;
        ask_barrier(operation);
    } else {
        answer(operation, status);
    }
}

/* The operation may take its next step: it waits for nothing. */
static void advance(struct operation *operation) {
    struct store *store = operation->store;
    struct evaluation *evaluation = &operation->evaluation;
    bool write = evaluation->command->kind == COMMAND_WRITE;
    if (!store->leads || store->term != operation->term) {
        answer_plain(operation, STATUS_NOT_LEADER);
        return;
    }
    if (operation->evaluated) {
        answer(operation, operation->final);
        return;
    }
    if (!write && evaluation->needs_barrier && !operation->barrier_passed) {
        ask_barrier(operation);
        return;
    }
    operation->state = OPERATION_RUNNING;
    for (;;) {
        if (!take_locks(operation)) return;
        bool no_wait = operation->lane_runs < MAX_REHEARSALS;
        evaluation->reader = (struct store_reader){store->engine, NULL, no_wait};
        evaluation->applied_timestamp = store->applied_timestamp;
        enum status status = evaluate(operation);
        if (status == STATUS_WOULD_BLOCK) {
            go_to_lane(operation);
            return;
        }
        if (status != STATUS_OK || operation->wanted == NULL) {
            conclude(operation, status);
            return;
        }
    }
}

/* ---- the entrance --------------------------------------------------------------------------- */

static void refuse(struct store *store, store_callback callback, void *arg, struct error *error) {
    struct store_result result = {.status = error->status, .error = error};
    if (error->status == STATUS_NOT_LEADER) (void)store_leads(store, &result.leader);
    callback(arg, &result);
}

static enum status admit(struct store *store, uint32_t command_id, size_t payload_len,
                         const struct request *request, struct error *error) {
    if (store_command(store, command_id) == NULL)
        return error_set(error, STATUS_UNSUPPORTED, "no command %u", command_id);
    if (!store->leads)
        return error_set(error, STATUS_NOT_LEADER, "this node does not lead the range");
    enum status status = request_check(request, env_now_ns(store->env));
    if (status != STATUS_OK) return error_set(error, status, "%s", status_text(status));
    if (store->request_count >= store->options.max_requests ||
        (store->request_count > 0 &&
         store->request_bytes + payload_len > store->options.max_request_bytes))
        return error_set(error, STATUS_BUSY, "the range works on %zu requests of %zu bytes",
                         store->request_count, store->request_bytes);
    return STATUS_OK;
}

void store_execute(struct store *store, uint32_t command_id, struct slice payload,
                   const struct request *request, store_callback callback, void *arg) {
    struct error error;
    if (admit(store, command_id, payload.len, request, &error) != STATUS_OK) {
        refuse(store, callback, arg, &error);
        return;
    }
    counter_add(store->commands_total, 1);
    struct operation *operation = operation_new(store);
    operation->term = store->term;
    operation->started_ns = env_now_ns(store->env);
    operation->request = *request;
    operation->callback = callback;
    operation->arg = arg;
    buf_append_slice(&operation->payload, payload);
    store->request_count++;
    store->request_bytes += payload.len;
    const struct command *command = store_command(store, command_id);
    operation->evaluation = (struct evaluation){
        .command = command,
        .payload = buf_slice(&operation->payload),
        .arena = &operation->arena,
        .term = store->term,
        .reply = &operation->reply,
        .batch = command->kind == COMMAND_WRITE ? &operation->batch : NULL,
        .operation = operation,
    };
    enum status status = command->declare(&operation->evaluation, &operation->error);
    if (status != STATUS_OK) {
        answer(operation, status);
    } else if (command->kind == COMMAND_WRITE &&
               !latches_acquire(&store->latches, &operation->guard)) {
        counter_add(store->latch_waits_total, 1);
        operation->state = OPERATION_LATCHING;
        arm(operation);
    } else {
        advance(operation);
    }
}
