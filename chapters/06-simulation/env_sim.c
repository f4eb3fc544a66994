/* env_sim.c - the loop over all machines: one heap of events, turns, clocks, randomness, lanes, and
 * the life of a machine. Streams are in env_sim_net.c, files in env_sim_disk.c. */
#include "env_sim.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "env_sim_impl.h"
#include "mem.h"

#define WALL_START_NS UINT64_C(1767225600000000000) /* 2026-01-01 */
enum { TURN_MIN_NS = 1000, TURN_MAX_NS = 10000, SETTLE_ROUNDS_MAX = 100000 };

/* ---- events --------------------------------------------------------------------------------- */

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->sequence < b->sequence);
}

void sim_schedule(struct sim *sim, struct sim_event event) {
    event.sequence = sim->sequence++;
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity ? sim->heap_capacity * 2 : 256;
        sim->heap = mem_realloc(sim->heap, sim->heap_capacity * sizeof(*sim->heap));
    }
    size_t at = sim->heap_count++;
    for (; at > 0 && before(&event, &sim->heap[(at - 1) / 2]); at = (at - 1) / 2)
        sim->heap[at] = sim->heap[(at - 1) / 2];
    sim->heap[at] = event;
}

static struct sim_event take_next(struct sim *sim) {
    struct sim_event next = sim->heap[0], moved = sim->heap[--sim->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= sim->heap_count) break;
        if (child + 1 < sim->heap_count && before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (!before(&sim->heap[child], &moved)) break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = moved;
    return next;
}

static void drop_event(const struct sim_event *event) {
    if (event->drop) event->drop(event->arg);
}

static void trace(struct sim *sim, const struct sim_event *event) {
    uint64_t facts[] = {event->at_ns, (uint64_t)event->kind, event->machine->id, event->boot,
                        event->detail};
    sim->trace_hash = checksum64(slice_of(facts, sizeof(facts)), sim->trace_hash);
    sim->event_count++;
}

uint64_t sim_draw_latency(struct sim *sim) {
    return prng_between(&sim->prng, sim->options.latency_min_ns, sim->options.latency_max_ns);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void schedule_turn(struct sim_machine *machine, uint64_t at_ns) {
    if (at_ns < machine->busy_until_ns) at_ns = machine->busy_until_ns;
    if (machine->turn_ns <= at_ns) return;
    machine->turn_ns = at_ns;
    sim_schedule(machine->sim,
                 (struct sim_event){
                     .at_ns = at_ns, .kind = SIM_TURN, .machine = machine, .boot = machine->boot});
}

void sim_wake(struct sim_machine *machine) {
    if (machine->up && !machine->in_turn) schedule_turn(machine, machine->sim->now_ns);
}

static void put_in_inbox(struct sim_machine *machine, const struct sim_event *event) {
    if (machine->inbox_count == machine->inbox_capacity) {
        machine->inbox_capacity = machine->inbox_capacity ? machine->inbox_capacity * 2 : 16;
        machine->inbox =
            mem_realloc(machine->inbox, machine->inbox_capacity * sizeof(*machine->inbox));
    }
    machine->inbox[machine->inbox_count++] = *event;
    schedule_turn(machine, machine->sim->now_ns);
}

static uint64_t machine_now_ns(struct env *env) {
    const struct sim_machine *machine = sim_machine_of(env);
    return machine->sim->now_ns + machine->clock_offset_ns;
}

static void schedule_next_turn(struct sim_machine *machine) {
    if (machine->inbox_count > 0 || env_core_has_tasks(&machine->core) || machine->dirty ||
        machine->dead) {
        schedule_turn(machine, machine->sim->now_ns);
        return;
    }
    uint64_t deadline_ns = env_core_next_deadline_ns(&machine->core);
    if (deadline_ns == UINT64_MAX) return;
    uint64_t now_ns = machine_now_ns(&machine->base);
    uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    schedule_turn(machine, machine->sim->now_ns + wait_ns);
}

/* env.h, invariant 3. */
static void run_turn(struct sim_machine *machine) {
    struct sim *sim = machine->sim;
    machine->turn_ns = SIM_NEVER;
    machine->in_turn = true;
    machine->busy_until_ns = sim->now_ns + prng_between(&sim->prng, TURN_MIN_NS, TURN_MAX_NS);
    struct sim_event *inbox = machine->inbox;
    size_t count = machine->inbox_count, capacity = machine->inbox_capacity;
    machine->inbox = NULL;
    machine->inbox_count = machine->inbox_capacity = 0;
    for (size_t i = 0; i < count; i++)
        inbox[i].deliver(inbox[i].arg);
    env_core_fire_timers(&machine->core, machine_now_ns(&machine->base));
    env_core_run_turn(&machine->core);
    bool died = machine->env && env_fault_died(machine->env);
    if (!died) sim_net_flush(machine);
    machine->in_turn = false;
    if (machine->inbox_count == 0) {
        mem_free(machine->inbox);
        machine->inbox = inbox;
        machine->inbox_capacity = capacity;
    } else {
        mem_free(inbox);
    }
    if (died)
        sim_crash(sim, machine->id, LOSE_NONE);
    else if (machine->wants_stop)
        sim_stop(sim, machine->id);
    else
        schedule_next_turn(machine);
}

/* One event. What is for a machine waits for its next turn, work ends beside it. */
static void run_next(struct sim *sim) {
    struct sim_event event = take_next(sim);
    struct sim_machine *machine = event.machine;
    sim->now_ns = event.at_ns;
    if (!machine->up || (event.boot != 0 && event.boot != machine->boot)) {
        drop_event(&event);
        return;
    }
    if (event.kind == SIM_TURN) {
        if (event.at_ns != machine->turn_ns) return; /* another came first */
        trace(sim, &event);
        run_turn(machine);
        return;
    }
    trace(sim, &event);
    if (event.kind == SIM_WORK_RUN)
        event.deliver(event.arg);
    else
        put_in_inbox(machine, &event);
}

/* A test may have posted, started or written something since. */
static void wake_all(struct sim *sim) {
    for (uint64_t id = 1; id <= sim->machine_count; id++)
        if (sim->machines[id]->up) schedule_next_turn(sim->machines[id]);
}

void sim_run(struct sim *sim, uint64_t duration_ns) {
    uint64_t end_ns = sim->now_ns + duration_ns;
    wake_all(sim);
    while (sim->heap_count > 0 && sim->heap[0].at_ns <= end_ns)
        run_next(sim);
    sim->now_ns = end_ns;
}

bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg, uint64_t limit_ns) {
    uint64_t end_ns = sim->now_ns + limit_ns;
    wake_all(sim);
    while (!done(arg)) {
        if (sim->heap_count == 0 || sim->heap[0].at_ns > end_ns) {
            sim->now_ns = end_ns;
            return false;
        }
        run_next(sim);
    }
    return true;
}

/* ---- what an env offers --------------------------------------------------------------------- */

static uint64_t machine_wall_ns(struct env *env) {
    const struct sim_machine *machine = sim_machine_of(env);
    return WALL_START_NS + machine->sim->now_ns + (uint64_t)machine->wall_offset_ns;
}

static uint64_t log_wall_ns(void *arg) { return machine_wall_ns(arg); }

static uint64_t machine_seed(const struct sim_machine *machine, struct slice name) {
    uint64_t facts[] = {machine->sim->options.seed, machine->id, machine->boot};
    return checksum64(name, checksum64(slice_of(facts, sizeof(facts)), 0));
}

static void machine_random(struct env *env, const char *component, struct prng *out) {
    prng_seed(out, machine_seed(sim_machine_of(env), slice_of_string(component)));
}

static void machine_random_bytes(struct env *env, void *out, size_t len) {
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)prng_u64(&sim_machine_of(env)->prng);
}

static void machine_run(struct env *env) {
    (void)env;
    assert(false); /* the sim runs the loop */
}

/* A node's own wish to end; after env_fatal it only ends the turn. */
static void machine_stop(struct env *env) { sim_machine_of(env)->wants_stop = true; }

static void machine_fatal(struct env *env) {
    (void)env;
    assert(false); /* env_fault answers for it */
}

/* ---- lanes ---------------------------------------------------------------------------------- */

/* Work that was submitted and has not reported. */
struct sim_work {
    struct sim_machine *machine;
    enum work_lane lane;
    struct env_work *work;
    bool started, ran, settled; /* settled: out of the list, an event still points here */
    struct sim_work *next, **at;
};

static void unlink_work(struct sim_work *work) {
    *work->at = work->next;
    if (work->next)
        work->next->at = work->at;
    else
        work->machine->works_tail = work->at;
}

static void drop_work(void *arg) {
    struct sim_work *work = arg;
    if (!work->settled) unlink_work(work);
    mem_free(work);
}

static void on_work_done(void *arg) {
    struct sim_work *work = arg;
    struct env_work *ended = work->work;
    if (!work->settled) unlink_work(work);
    bool report = !work->settled;
    mem_free(work);
    if (report) ended->done(ended->arg);
}

static void schedule_work(struct sim_work *work, enum sim_event_kind kind, uint64_t after_ns,
                          void (*deliver)(void *arg)) {
    struct sim *sim = work->machine->sim;
    sim_schedule(sim, (struct sim_event){.at_ns = sim->now_ns + after_ns,
                                         .kind = kind,
                                         .machine = work->machine,
                                         .boot = work->machine->boot,
                                         .detail = (uint64_t)work->lane,
                                         .deliver = deliver,
                                         .drop = drop_work,
                                         .arg = work});
}

static void start_work(struct sim_machine *machine, enum work_lane lane);

static void on_work_end(void *arg) {
    struct sim_work *work = arg;
    work->work->run(work->work->arg);
    work->ran = true;
    work->machine->lanes_busy[work->lane]--;
    schedule_work(work, SIM_WORK_DONE, 0, on_work_done);
    start_work(work->machine, work->lane);
}

static void start_work(struct sim_machine *machine, enum work_lane lane) {
    static const unsigned threads[LANE_COUNT] = {
        [LANE_SYNC] = 1, [LANE_READ] = 2, [LANE_BACKGROUND] = 1};
    struct sim *sim = machine->sim;
    struct sim_work *work = machine->works;
    while (work && (work->started || work->lane != lane))
        work = work->next;
    if (!work || machine->settling || machine->lanes_busy[lane] == threads[lane]) return;
    work->started = true;
    machine->lanes_busy[lane]++;
    bool sync = lane == LANE_SYNC;
    uint64_t took_ns =
        prng_between(&sim->prng, sync ? sim->options.sync_min_ns : sim->options.work_min_ns,
                     sync ? sim->options.sync_max_ns : sim->options.work_max_ns);
    schedule_work(work, SIM_WORK_RUN, took_ns, on_work_end);
}

static void machine_work_submit(struct env *env, enum work_lane lane, struct env_work *work) {
    struct sim_machine *machine = sim_machine_of(env);
    struct sim_work *waiting = MEM_NEW(struct sim_work);
    waiting->machine = machine;
    waiting->lane = lane;
    waiting->work = work;
    waiting->at = machine->works_tail;
    *machine->works_tail = waiting;
    machine->works_tail = &waiting->next;
    start_work(machine, lane);
}

/* Ends all work, and what it leads to, at once: its owners are about to be freed, and on the real
 * machine they wait for that (env_uv_settle). After a crash the disk is dead by then, and what the
 * node does about the answers reaches nobody. */
static void settle_work(struct sim_machine *machine) {
    machine->settling = true;
    for (int rounds = 0; machine->works; rounds++) {
        assert(rounds < SETTLE_ROUNDS_MAX);
        struct sim_work *work = machine->works;
        struct env_work *ended = work->work;
        bool ran = work->ran;
        unlink_work(work);
        work->settled = true;
        if (!work->started) mem_free(work);
        if (!ran) ended->run(ended->arg);
        ended->done(ended->arg);
    }
    machine->settling = false;
}

/* ---- machines ------------------------------------------------------------------------------- */

static const struct env_ops machine_ops = {
    .now_ns = machine_now_ns,
    .wall_ns = machine_wall_ns,
    .random = machine_random,
    .random_bytes = machine_random_bytes,
    .work_submit = machine_work_submit,
    .listen = sim_listen,
    .listener_port = sim_listener_port,
    .listener_close = sim_listener_close,
    .dial = sim_dial,
    .file_open = sim_file_open,
    .file_rename = sim_file_rename,
    .file_remove = sim_file_remove,
    .file_exists = sim_file_exists,
    .dir_create = sim_dir_create,
    .dir_list = sim_dir_list,
    .dir_sync = sim_dir_sync,
    .disk_free_bytes = sim_disk_free_bytes,
    .dir_lock = sim_dir_lock,
    .dir_unlock = sim_dir_unlock,
    .run = machine_run,
    .stop = machine_stop,
    .fatal = machine_fatal,
};

static struct sim_machine *machine_at(const struct sim *sim, uint64_t id) {
    assert(id >= 1 && id <= sim->machine_count);
    return sim->machines[id];
}

/* The power is on; nothing runs yet. */
static void boot(struct sim_machine *machine) {
    machine->boot++;
    machine->up = true;
    machine->wants_stop = machine->silent = false;
    machine->turn_ns = SIM_NEVER;
    machine->busy_until_ns = 0;
    machine->next_port = SIM_FIRST_FREE_PORT;
    machine->clock_offset_ns = prng_below(&machine->sim->prng, 1000 * NS_PER_S);
    prng_seed(&machine->prng, machine_seed(machine, slice_of_string("bytes")));
    env_core_init(&machine->core);
    memset(machine->lanes_busy, 0, sizeof(machine->lanes_busy));
    if (!machine->env)
        machine->env =
            env_fault_new(&machine->base, machine_seed(machine, slice_of_string("disk")));
}

uint64_t sim_add(struct sim *sim, const struct node_ops *ops, const void *options) {
    assert(sim->machine_count < SIM_MAX_MACHINES);
    struct sim_machine *machine = MEM_NEW(struct sim_machine);
    machine->id = ++sim->machine_count;
    sim->machines[machine->id] = machine;
    machine->sim = sim;
    machine->ops = ops;
    machine->options = options;
    machine->works_tail = &machine->works;
    machine->disk = sim_disk_new();
    machine->log = sim->options.log;
    machine->log.node_id = machine->id;
    machine->log.wall_ns = log_wall_ns;
    machine->log.wall_arg = &machine->base;
    machine->base = (struct env){&machine_ops, &machine->core, &machine->log};
    snprintf(machine->address, sizeof(machine->address), "10.0.0.%u", (unsigned)machine->id);
    if (!ops) boot(machine);
    return machine->id;
}

struct env *sim_env(struct sim *sim, uint64_t id) {
    return machine_at(sim, id)->env;
}

const char *sim_address(const struct sim *sim, uint64_t id) { return machine_at(sim, id)->address; }

void *sim_node(const struct sim *sim, uint64_t id) { return machine_at(sim, id)->node; }

bool sim_is_up(const struct sim *sim, uint64_t id) { return machine_at(sim, id)->up; }

enum status sim_start(struct sim *sim, uint64_t id, struct error *error) {
    struct sim_machine *machine = machine_at(sim, id);
    assert(!machine->up && machine->ops);
    boot(machine);
    machine->node = machine->ops->start(machine->env, machine->options, error);
    if (!machine->node || env_fault_died(machine->env)) {
        sim_crash(sim, id, LOSE_NONE);
        return STATUS_IO;
    }
    sim_wake(machine);
    return STATUS_OK;
}

static void drop_inbox(struct sim_machine *machine) {
    for (size_t i = 0; i < machine->inbox_count; i++)
        drop_event(&machine->inbox[i]);
    mem_free(machine->inbox);
    machine->inbox = NULL;
    machine->inbox_count = machine->inbox_capacity = 0;
}

/* The node is gone; nothing of it stays but its disk. */
static void power_off(struct sim_machine *machine) {
    machine->up = false;
    machine->node = NULL;
    drop_inbox(machine);
    sim_net_clear(machine);
    sim_disk_unlock_all(machine->disk);
    env_core_deinit(&machine->core);
}

/* The kernel outlives the process: it sends what streams still hold. What is not synced stays in
 * the page cache. */
void sim_stop(struct sim *sim, uint64_t id) {
    struct sim_machine *machine = machine_at(sim, id);
    if (!machine->up) return;
    settle_work(machine);
    if (machine->node) machine->ops->stop(machine->node);
    settle_work(machine);
    sim_net_flush(machine);
    sim_net_disconnect(machine);
    power_off(machine);
}

void sim_crash(struct sim *sim, uint64_t id, enum crash_loss loss) {
    struct sim_machine *machine = machine_at(sim, id);
    if (!machine->up) return;
    assert(!machine->in_turn);
    machine->silent = loss != LOSE_NONE && prng_below(&sim->prng, 2) == 0;
    sim_net_disconnect(machine);
    machine->up = false;                         /* nothing leaves it any more */
    env_fault_arm(machine->env, FAULT_CRASH, 0); /* files stay as the crash leaves them */
    env_fault_power_loss(machine->env, loss);
    settle_work(machine);
    if (machine->node && machine->ops->crash) machine->ops->crash(machine->node);
    settle_work(machine);
    power_off(machine);
    env_fault_free(machine->env);
    machine->env = NULL;
}

/* ---- faults --------------------------------------------------------------------------------- */

void sim_cut(struct sim *sim, uint64_t a, uint64_t b, bool cut) {
    sim->cut[a][b] = sim->cut[b][a] = cut;
    if (!cut) sim_net_release_held(sim);
}

void sim_heal(struct sim *sim) {
    memset(sim->cut, 0, sizeof(sim->cut));
    sim_net_release_held(sim);
}

void sim_set_wall_offset(struct sim *sim, uint64_t id, int64_t offset_ns) {
    machine_at(sim, id)->wall_offset_ns = offset_ns;
}

/* ---- the sim -------------------------------------------------------------------------------- */

static void set_default(uint64_t *low, uint64_t *high, uint64_t default_low,
                        uint64_t default_high) {
    if (*low == 0) *low = default_low;
    if (*high == 0) *high = default_high;
    if (*high < *low) *high = *low;
}

struct sim *sim_new(const struct sim_options *options) {
    struct sim *sim = MEM_NEW(struct sim);
    sim->options = *options;
    struct sim_options *set = &sim->options;
    set_default(&set->latency_min_ns, &set->latency_max_ns, 50 * NS_PER_US, 500 * NS_PER_US);
    set_default(&set->sync_min_ns, &set->sync_max_ns, 200 * NS_PER_US, 2 * NS_PER_MS);
    set_default(&set->work_min_ns, &set->work_max_ns, 20 * NS_PER_US, 500 * NS_PER_US);
    if (!set->log.write) log_init_null(&set->log);
    sim->now_ns = NS_PER_S;
    sim->held_tail = &sim->held;
    prng_seed(&sim->prng, options->seed);
    prng_seed(&sim->scenario_prng, ~options->seed);
    return sim;
}

void sim_free(struct sim *sim) {
    for (uint64_t id = 1; id <= sim->machine_count; id++)
        sim_crash(sim, id, LOSE_NONE);
    while (sim->heap_count > 0) {
        struct sim_event event = take_next(sim);
        drop_event(&event);
    }
    sim_net_drop_held(sim);
    for (uint64_t id = 1; id <= sim->machine_count; id++) {
        if (sim->machines[id]->env) env_fault_free(sim->machines[id]->env);
        sim_disk_free(sim->machines[id]->disk);
        mem_free(sim->machines[id]);
    }
    mem_free(sim->heap);
    mem_free(sim);
}

uint64_t sim_now_ns(const struct sim *sim) { return sim->now_ns; }
struct prng *sim_prng(struct sim *sim) {
    return &sim->scenario_prng;
}
uint64_t sim_trace_hash(const struct sim *sim) { return sim->trace_hash; }
uint64_t sim_event_count(const struct sim *sim) { return sim->event_count; }
