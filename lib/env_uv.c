/* env_uv.c - the real machine: clocks, randomness, and the turns of libuv's loop.
 *
 * libuv delivers input while it polls; everything else of a turn (env.h, invariant 3) happens in a
 * prepare handle, which runs just before the next poll. One libuv timer wakes the poll for the
 * earliest deadline of our own heap.
 *
 * Streams, files and lanes are in files of their own. */
#include "env_uv.h"

#include <assert.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "env_uv_impl.h"
#include "mem.h"

/* ---- clocks and randomness ------------------------------------------------------------------ */

static uint64_t machine_now_ns(struct env *env) {
    (void)env;
    return uv_hrtime();
}

static uint64_t machine_wall_ns(struct env *env) {
    (void)env;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t log_wall_ns(void *arg) { return machine_wall_ns(arg); }

static void machine_random_bytes(struct env *env, void *out, size_t len) {
    int result = uv_random(NULL, NULL, out, len, 0, NULL);
    if (result != 0) env_fatal(env, "no randomness: %s", uv_strerror(result));
}

static void machine_random(struct env *env, const char *component, struct prng *out) {
    (void)component;
    uint64_t seed;
    machine_random_bytes(env, &seed, sizeof(seed));
    prng_seed(out, seed);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void on_wake_timer(uv_timer_t *timer) {
    /* It only ends the poll: the turn that follows fires what is due. */
    struct uv_machine *machine = timer->data;
    machine->armed_ms = UINT64_MAX;
}

static void on_busy(uv_idle_t *idle) {
    (void)idle; /* an active idle handle keeps the poll from waiting */
}

static void arm_wake_timer(struct uv_machine *machine) {
    uint64_t deadline_ns = env_core_next_deadline_ns(&machine->core);
    uint64_t due_ms = deadline_ns == UINT64_MAX
                          ? UINT64_MAX
                          : deadline_ns / NS_PER_MS + (deadline_ns % NS_PER_MS != 0 ? 1 : 0);
    if (due_ms == machine->armed_ms && due_ms != UINT64_MAX) {
        uv_update_time(&machine->loop);
        return;
    }
    machine->armed_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        uv_timer_stop(&machine->wake_timer);
        return;
    }
    /* The poll counts from the loop's idea of now, which dates from before this turn's work. */
    uv_update_time(&machine->loop);
    uint64_t now_ms = uv_now(&machine->loop);
    uv_timer_start(&machine->wake_timer, on_wake_timer, due_ms > now_ms ? due_ms - now_ms : 0, 0);
}

static void run_turn(struct uv_machine *machine) {
    if (env_core_next_deadline_ns(&machine->core) != UINT64_MAX) {
        env_core_fire_timers(&machine->core, uv_hrtime());
    }
    env_core_run_turn(&machine->core);
    machine_flush(machine);
}

/* Something is due already: tasks that the writing posted (on_drain), or a timer that was set
 * to the present (co_yield), which libuv's milliseconds would round up. */
static bool must_not_wait(struct uv_machine *machine) {
    if (env_core_has_tasks(&machine->core)) return true;
    uint64_t deadline_ns = env_core_next_deadline_ns(&machine->core);
    return deadline_ns != UINT64_MAX && deadline_ns <= uv_hrtime();
}

static void on_turn_end(uv_prepare_t *prepare) {
    struct uv_machine *machine = prepare->data;
    run_turn(machine);
    if (must_not_wait(machine)) {
        uv_idle_start(&machine->busy, on_busy);
        return;
    }
    uv_idle_stop(&machine->busy);
    arm_wake_timer(machine);
}

static void machine_run(struct env *env) {
    struct uv_machine *machine = machine_of(env);
    while (!machine->stopped) {
        uv_run(&machine->loop, UV_RUN_DEFAULT);
    }
    machine->stopped = false;
    run_turn(machine); /* what the last input asked for is not left lying */
}

static void machine_stop(struct env *env) {
    struct uv_machine *machine = machine_of(env);
    machine->stopped = true;
    uv_stop(&machine->loop);
}

static void machine_fatal(struct env *env) {
    (void)env;
    _exit(1);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *signal, int number) {
    (void)number;
    struct uv_machine *machine = signal->data;
    machine->on_terminate(machine->terminate_arg);
}

void env_uv_on_terminate(struct env *env, void (*callback)(void *arg), void *arg) {
    static const int numbers[] = {SIGINT, SIGTERM};
    struct uv_machine *machine = machine_of(env);
    machine->on_terminate = callback;
    machine->terminate_arg = arg;
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        uv_signal_start(&machine->signals[i], on_signal, numbers[i]);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

static const struct env_ops machine_ops = {
    .now_ns = machine_now_ns,
    .wall_ns = machine_wall_ns,
    .random = machine_random,
    .random_bytes = machine_random_bytes,
    .work_submit = machine_work_submit,
    .listen = machine_listen,
    .listener_port = machine_listener_port,
    .listener_close = machine_listener_close,
    .dial = machine_dial,
    .file_open = machine_file_open,
    .file_rename = machine_file_rename,
    .file_remove = machine_file_remove,
    .file_exists = machine_file_exists,
    .dir_create = machine_dir_create,
    .dir_list = machine_dir_list,
    .dir_sync = machine_dir_sync,
    .disk_free_bytes = machine_disk_free_bytes,
    .dir_lock = machine_dir_lock,
    .dir_unlock = machine_dir_unlock,
    .run = machine_run,
    .stop = machine_stop,
    .fatal = machine_fatal,
};

static void check_uv(int result) {
    if (result == 0) return;
    fprintf(stderr, "cannot start the event loop: %s\n", uv_strerror(result));
    _exit(1);
}

struct env *env_uv_new(const struct log *log) {
    struct uv_machine *machine = MEM_NEW(struct uv_machine);
    env_core_init(&machine->core);
    machine->log = *log;
    if (machine->log.wall_ns == NULL) {
        machine->log.wall_ns = log_wall_ns;
        machine->log.wall_arg = &machine->base;
    }
    machine->base = (struct env){&machine_ops, &machine->core, &machine->log};
    machine->armed_ms = UINT64_MAX;

    signal(SIGPIPE, SIG_IGN);
    check_uv(uv_loop_init(&machine->loop));
    check_uv(uv_prepare_init(&machine->loop, &machine->turn_end));
    check_uv(uv_idle_init(&machine->loop, &machine->busy));
    check_uv(uv_timer_init(&machine->loop, &machine->wake_timer));
    for (size_t i = 0; i < ARRAY_LEN(machine->signals); i++) {
        check_uv(uv_signal_init(&machine->loop, &machine->signals[i]));
        machine->signals[i].data = machine;
    }
    machine->turn_end.data = machine;
    machine->wake_timer.data = machine;
    check_uv(uv_prepare_start(&machine->turn_end, on_turn_end));
    machine_work_start(machine);
    return &machine->base;
}

void env_uv_settle(struct env *env) {
    struct uv_machine *machine = machine_of(env);
    while (machine->work_under_way > 0)
        uv_run(&machine->loop, UV_RUN_ONCE);
}

void env_uv_free(struct env *env) {
    struct uv_machine *machine = machine_of(env);
    machine_work_stop(machine);
    while (machine->listeners != NULL) {
        machine_listener_close(&machine->listeners->base);
    }
    struct uv_stream *next;
    for (struct uv_stream *stream = machine->streams; stream != NULL; stream = next) {
        next = stream->next;
        stream->base.closing = true;
        uv_stream_release(stream);
    }
    for (size_t i = 0; i < ARRAY_LEN(machine->signals); i++) {
        uv_close((uv_handle_t *)&machine->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&machine->turn_end, NULL);
    uv_close((uv_handle_t *)&machine->busy, NULL);
    uv_close((uv_handle_t *)&machine->wake_timer, NULL);
    uv_close((uv_handle_t *)&machine->work_done, NULL);
    while (uv_run(&machine->loop, UV_RUN_DEFAULT) != 0) { /* a stop may still be on record */
    }
    assert(machine->streams == NULL);
    int result = uv_loop_close(&machine->loop);
    assert(result == 0);
    (void)result;
    uv_mutex_destroy(&machine->done_mutex);
    env_core_deinit(&machine->core);
    mem_free(machine);
}
