/* solo_replicator.c - committing at once: the queue of proposals is one turn long. */
#include "solo_replicator.h"

#include "mem.h"

/* A copy of what was proposed, in order. */
struct held {
    struct proposal *proposal;
    struct held *next;
    uint64_t term;
    size_t len;
    uint8_t payload[];
};

struct solo_replicator {
    struct replicator replicator;
    struct env *env;
    struct engine *engine;
    const struct state_machine_ops *machine;
    void *machine_arg;
    struct env_task task;
    struct held *first, **end;
    size_t count, pace;
    struct env_timer again; /* the rest, when there is a pace */
    struct read_barrier *barriers, **barriers_end;
    uint64_t index, term;
    bool leads, hold, sync;
};

static void apply_one(struct solo_replicator *solo, const struct held *held, bool own,
                      struct write_batch *batch) {
    struct applied_entry entry = {.index = ++solo->index,
                                  .term = held->term,
                                  .payload = slice_of(held->payload, held->len),
                                  .own = own};
    struct error error;
    if (solo->machine->apply(solo->machine_arg, &entry, batch, &error) != STATUS_OK)
        env_fatal(solo->env, "entry %llu cannot be applied: %s", (unsigned long long)entry.index,
                  error.message);
}

/* Takes the first `max` of the queue (0: all). */
static struct held *take(struct solo_replicator *solo, size_t max) {
    struct held *first = solo->first, **end = &solo->first;
    size_t taken = 0;
    while (*end != NULL && (max == 0 || taken < max)) {
        end = &(*end)->next;
        taken++;
    }
    solo->first = *end;
    *end = NULL;
    if (solo->first == NULL) solo->end = &solo->first;
    solo->count -= taken;
    return taken > 0 ? first : NULL;
}

/* Applies the head of the queue as one batch, then answers. */
static void apply_queue(struct solo_replicator *solo, size_t max, bool own, enum status answer) {
    struct held *first = take(solo, max);
    if (first == NULL) return;
    uint64_t index = solo->index;
    struct write_batch batch;
    write_batch_init(&batch);
    for (struct held *held = first; held != NULL; held = held->next)
        apply_one(solo, held, own, &batch);
    struct error error;
    if (batch.count > 0 && engine_write(solo->engine, &batch, &error) != STATUS_OK)
        env_fatal(solo->env, "the engine does not take a batch: %s", error.message);
    if (solo->sync && engine_sync(solo->engine, &error) != STATUS_OK)
        env_fatal(solo->env, "the engine's log cannot be synced: %s", error.message);
    write_batch_deinit(&batch);
    solo->machine->applied(solo->machine_arg, solo->index);
    for (struct held *held = first, *next; held != NULL; held = next) {
        next = held->next;
        held->proposal->done(held->proposal, answer, ++index);
        mem_free(held);
    }
}

static void end_barriers(struct solo_replicator *solo, enum status status) {
    struct read_barrier *barrier = solo->barriers;
    solo->barriers = NULL;
    solo->barriers_end = &solo->barriers;
    for (struct read_barrier *next; barrier != NULL; barrier = next) {
        next = barrier->next;
        barrier->done(barrier, status);
    }
}

static void run(void *arg) {
    struct solo_replicator *solo = arg;
    if (solo->hold) return;
    apply_queue(solo, solo->pace, true, STATUS_OK);
    if (solo->first != NULL) env_timer_start(solo->env, &solo->again, env_now_ns(solo->env));
    end_barriers(solo, solo->leads ? STATUS_OK : STATUS_NOT_LEADER);
}

static void propose(struct replicator *self, struct proposal *proposal) {
    struct solo_replicator *solo = CONTAINER_OF(self, struct solo_replicator, replicator);
    struct held *held = mem_alloc(sizeof *held + proposal->payload.len);
    *held = (struct held){.proposal = proposal, .term = solo->term, .len = proposal->payload.len};
    memcpy(held->payload, proposal->payload.data, proposal->payload.len);
    *solo->end = held;
    solo->end = &held->next;
    solo->count++;
    env_post(solo->env, &solo->task);
}

static void ask_barrier(struct replicator *self, struct read_barrier *barrier) {
    struct solo_replicator *solo = CONTAINER_OF(self, struct solo_replicator, replicator);
    barrier->next = NULL;
    *solo->barriers_end = barrier;
    solo->barriers_end = &barrier->next;
    env_post(solo->env, &solo->task);
}

static bool leads(struct replicator *self, uint64_t *leader) {
    const struct solo_replicator *solo = CONTAINER_OF(self, struct solo_replicator, replicator);
    if (leader != NULL) *leader = solo->leads ? 1 : 0;
    return solo->leads;
}

struct solo_replicator *solo_replicator_new(struct env *env, struct engine *engine,
                                            const struct state_machine_ops *machine,
                                            void *machine_arg) {
    static const struct replicator_ops ops = {
        .propose = propose, .read_barrier = ask_barrier, .leads = leads};
    struct solo_replicator *solo = MEM_NEW(struct solo_replicator);
    solo->replicator.ops = &ops;
    solo->env = env;
    solo->engine = engine;
    solo->machine = machine;
    solo->machine_arg = machine_arg;
    solo->task = (struct env_task){.callback = run, .arg = solo};
    env_timer_init(&solo->again, run, solo);
    solo->end = &solo->first;
    solo->barriers_end = &solo->barriers;
    return solo;
}

void solo_replicator_free(struct solo_replicator *solo) {
    if (solo == NULL) return;
    env_unpost(solo->env, &solo->task);
    env_timer_stop(&solo->again);
    for (struct held *held = solo->first, *next; held != NULL; held = next) {
        next = held->next;
        mem_free(held);
    }
    mem_free(solo);
}

struct replicator *solo_replicator_replicator(struct solo_replicator *solo) {
    return &solo->replicator;
}

void solo_replicator_lead(struct solo_replicator *solo) {
    solo->leads = true;
    solo->term++;
    solo->machine->on_leader(solo->machine_arg, true, solo->term);
}

void solo_replicator_pace(struct solo_replicator *solo, size_t entries_per_step) {
    solo->pace = entries_per_step;
}

void solo_replicator_sync(struct solo_replicator *solo, bool sync) { solo->sync = sync; }

void solo_replicator_hold(struct solo_replicator *solo, bool hold) {
    solo->hold = hold;
    if (!hold) env_post(solo->env, &solo->task);
}

size_t solo_replicator_held(const struct solo_replicator *solo) { return solo->count; }

void solo_replicator_depose(struct solo_replicator *solo, bool commit_held) {
    solo->leads = false;
    solo->machine->on_leader(solo->machine_arg, false, solo->term);
    if (commit_held) apply_queue(solo, 0, false, STATUS_UNKNOWN_OUTCOME);
    while (solo->first != NULL) {
        struct held *held = solo->first;
        solo->first = held->next;
        if (solo->first == NULL) solo->end = &solo->first;
        solo->count--;
        held->proposal->done(held->proposal, STATUS_UNKNOWN_OUTCOME, 0);
        mem_free(held);
    }
    end_barriers(solo, STATUS_UNAVAILABLE);
}
