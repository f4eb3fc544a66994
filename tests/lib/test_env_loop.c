/* test_env_loop.c - turns of the real machine: timers, tasks, hooks, work lanes. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "env_uv.h"
#include "harness.h"
#include "prng.h"

static struct env *env;
static struct buf trace; /* one letter an event */

static void start(void) {
    struct log log;
    log_init_null(&log);
    env = env_uv_new(&log);
}

static void finish(const char *expected) {
    assert_slice_equal(slice_of_string(expected), buf_slice(&trace));
    buf_deinit(&trace);
    env_uv_free(env);
}

static void note(void *arg) { buf_append_string(&trace, arg); }

static void note_and_stop(void *arg) {
    note(arg);
    env_stop(env);
}

/* ---- timers -------------------------------------------------------------------------------- */

TEST("1", 2, timers_fire_in_order_of_deadline_then_of_start) {
    start();
    static struct env_timer timers[5];
    static char *const names[] = {"a", "b", "c", "d", "e"};
    static const uint64_t delays_ms[] = {6, 2, 4, 2, 0};
    uint64_t now = env_now_ns(env);
    for (int i = 0; i < 5; i++) {
        env_timer_init(&timers[i], i == 0 ? note_and_stop : note, names[i]);
        env_timer_start(env, &timers[i], now + delays_ms[i] * NS_PER_MS);
    }
    assert_int_equal(0, trace.len);
    env_run(env);
    finish("ebdca");
}

static uint64_t fired_at;

static void note_time(void *arg) {
    (void)arg;
    fired_at = env_now_ns(env);
    env_stop(env);
}

TEST("1", 0, a_timer_never_fires_early) {
    start();
    struct env_timer timer;
    env_timer_init(&timer, note_time, NULL);
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t deadline = env_now_ns(env) + i * 137 * NS_PER_US;
        env_timer_start(env, &timer, deadline);
        env_run(env);
        assert_true(fired_at >= deadline);
    }
    finish("");
}

TEST("1", 0, a_stopped_timer_does_not_fire_and_a_restarted_one_fires_once) {
    start();
    struct env_timer stopped, restarted, last;
    uint64_t now = env_now_ns(env);
    env_timer_init(&stopped, note, "s");
    env_timer_init(&restarted, note, "r");
    env_timer_init(&last, note_and_stop, "l");
    env_timer_stop(&stopped);
    env_timer_start(env, &stopped, now);
    env_timer_start(env, &restarted, now);
    env_timer_start(env, &last, now + 3 * NS_PER_MS);
    env_timer_start(env, &restarted, now + NS_PER_MS);
    assert_true(env_timer_started(&stopped));
    env_timer_stop(&stopped);
    assert_false(env_timer_started(&stopped));
    env_run(env);
    assert_false(env_timer_started(&restarted));
    finish("rl");
}

static struct env_timer rounds_timer;
static int rounds;

static void start_again(void *arg) {
    (void)arg;
    if (++rounds == 100) env_stop(env);
    env_timer_start(env, &rounds_timer, env_now_ns(env));
}

TEST("1", 3, a_timer_that_is_always_due_lets_the_turns_go_on) {
    start();
    env_timer_init(&rounds_timer, start_again, NULL);
    env_timer_start(env, &rounds_timer, 0);
    env_run(env);
    assert_in_range(rounds, 100, 101); /* the stop ends a turn, not the loop within it */
    finish("");
}

enum { MANY = 500 };
static struct env_timer many[MANY];
static uint64_t last_deadline;
static int many_fired;

static void check_order(void *arg) {
    struct env_timer *timer = arg;
    assert_true(timer->deadline_ns >= last_deadline);
    last_deadline = timer->deadline_ns;
    many_fired++;
}

TEST("1", 0, the_heap_survives_random_starts_and_stops) {
    start();
    struct prng prng;
    prng_seed(&prng, 1);
    uint64_t now = env_now_ns(env);
    for (int i = 0; i < MANY; i++) {
        env_timer_init(&many[i], check_order, &many[i]);
    }
    for (int i = 0; i < 20000; i++) {
        struct env_timer *timer = &many[prng_below(&prng, MANY)];
        if (prng_below(&prng, 3) == 0) {
            env_timer_stop(timer);
        } else {
            env_timer_start(env, timer, now + prng_below(&prng, 1000));
        }
    }
    int started = 0;
    for (int i = 0; i < MANY; i++) {
        started += env_timer_started(&many[i]);
    }
    struct env_timer last;
    env_timer_init(&last, note_and_stop, "x");
    env_timer_start(env, &last, now + 2 * NS_PER_MS);
    env_run(env);
    assert_int_equal(started, many_fired);
    finish("x");
}

/* ---- tasks and hooks ----------------------------------------------------------------------- */

static struct env_task task_a, task_b, task_c;

static void post_b(void *arg) {
    note(arg);
    env_post(env, &task_b);
}

TEST("2", 3, tasks_run_in_order_and_those_they_post_in_the_same_turn) {
    start();
    task_a = (struct env_task){.callback = post_b, .arg = "a"};
    task_b = (struct env_task){.callback = note, .arg = "b"};
    task_c = (struct env_task){.callback = note_and_stop, .arg = "c"};
    env_post(env, &task_a);
    env_post(env, &task_c);
    env_post(env, &task_a);
    assert_int_equal(0, trace.len);
    env_run(env);
    finish("acb");
}

TEST("2", 0, an_unposted_task_does_not_run) {
    start();
    task_a = (struct env_task){.callback = note, .arg = "a"};
    task_b = (struct env_task){.callback = note, .arg = "b"};
    task_c = (struct env_task){.callback = note_and_stop, .arg = "c"};
    env_post(env, &task_a);
    env_post(env, &task_b);
    env_unpost(env, &task_b);
    env_unpost(env, &task_b);
    env_post(env, &task_c);
    env_unpost(env, &task_a);
    env_run(env);
    finish("c");
}

static struct env_turn_hook hook_raft, hook_wal, hook_reply;
static bool posted_from_hook;

static void wal_hook(void *arg) {
    note(arg);
    if (!posted_from_hook) env_post(env, &task_b);
    posted_from_hook = true;
}

static void last_hook(void *arg) {
    note(arg);
    env_turn_hook_remove(env, &hook_reply);
    env_turn_hook_remove(env, &hook_raft);
    env_stop(env);
}

TEST("2", 3, hooks_run_in_order_and_again_while_tasks_are_posted) {
    start();
    hook_reply = (struct env_turn_hook){.callback = note, .arg = "r", .order = TURN_REPLY};
    hook_raft = (struct env_turn_hook){.callback = note, .arg = "f", .order = TURN_RAFT};
    hook_wal = (struct env_turn_hook){.callback = wal_hook, .arg = "w", .order = TURN_WAL};
    task_a = (struct env_task){.callback = note_and_stop, .arg = "a"};
    task_b = (struct env_task){.callback = note, .arg = "b"};
    env_turn_hook_add(env, &hook_reply);
    env_turn_hook_add(env, &hook_raft);
    env_turn_hook_add(env, &hook_wal);
    env_post(env, &task_a);
    env_stop(env);
    env_run(env); /* one turn */
    finish("afwrbfwr");
}

TEST("2", 0, a_hook_may_remove_hooks_and_itself) {
    start();
    hook_raft = (struct env_turn_hook){.callback = note, .arg = "f", .order = TURN_RAFT};
    hook_wal = (struct env_turn_hook){.callback = last_hook, .arg = "w", .order = TURN_WAL};
    hook_reply = (struct env_turn_hook){.callback = note, .arg = "r", .order = TURN_REPLY};
    env_turn_hook_add(env, &hook_raft);
    env_turn_hook_add(env, &hook_wal);
    env_turn_hook_add(env, &hook_reply);
    env_stop(env);
    env_run(env);
    env_turn_hook_remove(env, &hook_wal);
    env_run(env);
    finish("fw");
}

/* ---- work ---------------------------------------------------------------------------------- */

enum { WORKS = 100 };

static struct job {
    struct env_work work;
    enum work_lane lane;
    pthread_t ran_on;
    int order;
} jobs[WORKS];

static atomic_int ran;
static int reported;
static pthread_t loop_thread;

static void run_job(void *arg) {
    struct job *job = arg;
    job->ran_on = pthread_self();
    job->order = atomic_fetch_add(&ran, 1);
}

static void job_done(void *arg) {
    (void)arg;
    assert_true(pthread_equal(loop_thread, pthread_self()));
    if (++reported == WORKS) env_stop(env);
}

TEST("3", 0, work_runs_on_threads_of_its_lane_and_reports_on_the_loop) {
    start();
    loop_thread = pthread_self();
    for (int i = 0; i < WORKS; i++) {
        jobs[i].lane = (enum work_lane)(i % LANE_COUNT);
        jobs[i].work = (struct env_work){.run = run_job, .done = job_done, .arg = &jobs[i]};
        env_work_submit(env, jobs[i].lane, &jobs[i].work);
    }
    assert_int_equal(0, reported);
    env_run(env);
    assert_int_equal(WORKS, reported);
    for (int i = 0; i < WORKS; i++) {
        assert_false(pthread_equal(loop_thread, jobs[i].ran_on));
        if (jobs[i].lane == LANE_READ) continue; /* two threads: no order */
        for (int k = 0; k < i; k++) {
            if (jobs[k].lane == jobs[i].lane) assert_true(jobs[k].order < jobs[i].order);
        }
    }
    finish("");
}

static atomic_bool gate_open;

static void wait_for_gate(void *arg) {
    (void)arg;
    while (!atomic_load(&gate_open)) {
        usleep(100);
    }
}

static void open_gate(void *arg) {
    note(arg);
    atomic_store(&gate_open, true);
}

static void run_nothing(void *arg) { (void)arg; }

TEST("3", 0, a_long_job_on_one_lane_does_not_delay_another) {
    start();
    struct env_work slow = {.run = wait_for_gate, .done = note_and_stop, .arg = "b"};
    struct env_work fast = {.run = run_nothing, .done = open_gate, .arg = "s"};
    env_work_submit(env, LANE_BACKGROUND, &slow);
    env_work_submit(env, LANE_SYNC, &fast);
    env_run(env);
    finish("sb");
}

TEST("3", 0, freeing_the_env_waits_for_work_and_reports_it) {
    start();
    struct env_work work = {.run = run_nothing, .done = note, .arg = "d"};
    env_work_submit(env, LANE_BACKGROUND, &work);
    env_uv_free(env);
    assert_slice_equal(SLICE_LITERAL("d"), buf_slice(&trace));
    buf_deinit(&trace);
}

/* ---- the rest ------------------------------------------------------------------------------ */

TEST("4", 0, random_streams_differ_and_the_wall_clock_is_of_this_age) {
    start();
    struct prng a, b;
    uint64_t bytes[2] = {0, 0};
    env_random(env, "raft", &a);
    env_random(env, "raft", &b);
    assert_int_not_equal(prng_u64(&a), prng_u64(&b));
    env_random_bytes(env, bytes, sizeof(bytes));
    assert_int_not_equal(bytes[0], bytes[1]);
    assert_true(env_wall_ns(env) > UINT64_C(1700000000) * NS_PER_S);
    finish("");
}

TEST("4", 0, a_signal_to_terminate_calls_back_on_the_loop) {
    start();
    env_uv_on_terminate(env, note_and_stop, "t");
    assert_int_equal(0, raise(SIGTERM));
    env_run(env);
    finish("t");
}

TEST("4", 0, fatal_ends_the_process_with_status_1) {
    pid_t child = fork();
    if (child == 0) {
        start();
        env_fatal(env, "disk %d is gone", 3);
        _exit(0);
    }
    int ended = 0;
    assert_int_equal(child, waitpid(child, &ended, 0));
    assert_true(WIFEXITED(ended) && WEXITSTATUS(ended) == 1);
}
