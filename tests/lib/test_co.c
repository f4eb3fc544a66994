/* test_co.c - coroutines on the real loop: states, wakes, cancellation, stacks. */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "co.h"
#include "env_uv.h"
#include "harness.h"
#include "mem.h"

static struct env *env;
static struct co_pool *pool;

static void start(size_t max_coroutines) {
    struct log log;
    log_init_null(&log);
    env = env_uv_new(&log);
    pool = co_pool_new(env, max_coroutines);
}

static void finish(void) {
    co_pool_free(pool);
    env_uv_free(env);
}

/* A task that wakes or cancels somebody from the loop's own stack. */
struct poke {
    struct env_task task;
    struct co *co;
    void (*what)(struct co *co);
};

static void on_poke(void *arg) {
    struct poke *poke = arg;
    poke->what(poke->co);
}

static void poke_later(struct poke *poke, struct co *co, void (*what)(struct co *co)) {
    *poke = (struct poke){.task = {.callback = on_poke, .arg = poke}, .co = co, .what = what};
    env_post(env, &poke->task);
}

/* ---- states ------------------------------------------------------------------------------- */

static int step;

static void note_and_stop(void *arg) {
    *(int *)arg = ++step;
    env_stop(env);
}

TEST("1", 1, spawn_runs_nothing_inside_the_call) {
    start(1);
    int ran_at = 0;
    assert_status(STATUS_OK, co_spawn(pool, note_and_stop, &ran_at, NULL));
    assert_int_equal(0, ran_at);
    assert_int_equal(1, co_pool_live(pool));
    env_run(env);
    assert_int_equal(1, ran_at);
    assert_int_equal(0, co_pool_live(pool));
    finish();
}

TEST("1", 1, spawn_is_busy_when_all_coroutines_are_alive) {
    start(1);
    int ran_at = 0;
    assert_status(STATUS_OK, co_spawn(pool, note_and_stop, &ran_at, NULL));
    assert_status(STATUS_BUSY, co_spawn(pool, note_and_stop, &ran_at, NULL));
    env_run(env);
    assert_status(STATUS_OK, co_spawn(pool, note_and_stop, &ran_at, NULL));
    env_run(env);
    finish();
}

static void check_self(void *arg) {
    *(struct co **)arg = co_self();
    env_stop(env);
}

TEST("1", 1, self_is_the_running_coroutine_and_null_on_the_loop) {
    start(1);
    struct co *handle = NULL, *self = NULL;
    assert_status(STATUS_OK, co_spawn(pool, check_self, &self, &handle));
    env_run(env);
    assert_ptr_equal(handle, self);
    assert_null(co_self());
    finish();
}

/* ---- finish ------------------------------------------------------------------------------- */

static void await_three_times(void *arg) {
    int *cancelled = arg;
    for (int i = 0; i < 3; i++)
        *cancelled += co_await() == STATUS_CANCELLED;
}

static void stop_loop(void *arg) {
    (void)arg;
    env_stop(env);
}

TEST("1", 3, finish_returns_when_the_function_has_with_every_await_cancelled) {
    start(2);
    int waiting = 0, fresh = 0;
    struct co *waiter, *unstarted;
    assert_status(STATUS_OK, co_spawn(pool, await_three_times, &waiting, &waiter));
    struct env_task stop = {.callback = stop_loop};
    env_post(env, &stop);
    env_run(env);
    assert_status(STATUS_OK, co_spawn(pool, await_three_times, &fresh, &unstarted));
    co_finish(waiter);
    co_finish(unstarted);
    assert_int_equal(3, waiting);
    assert_int_equal(3, fresh);
    assert_int_equal(0, co_pool_live(pool));
    finish();
}

/* ---- wakes -------------------------------------------------------------------------------- */

static void await_a_poke(void *arg) {
    struct poke poke;
    poke_later(&poke, co_self(), co_wake);
    *(enum status *)arg = co_await();
    env_stop(env);
}

TEST("2", 2, a_wake_from_the_loop_ends_the_await) {
    start(1);
    enum status status = STATUS_INVALID;
    assert_status(STATUS_OK, co_spawn(pool, await_a_poke, &status, NULL));
    env_run(env);
    assert_status(STATUS_OK, status);
    finish();
}

static void wake_then_await(void *arg) {
    co_wake(co_self());
    co_wake(co_self());
    *(int *)arg = 1;
    (void)!co_await(); /* the answer came before the question: no suspension */
    *(int *)arg = 2;
    (void)!co_await(); /* two wakes were one: this one waits */
    *(int *)arg = 3;
}

TEST("2", 2, a_wake_before_the_await_is_remembered_once) {
    start(1);
    int at = 0;
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, wake_then_await, &at, &co));
    env_stop(env);
    env_run(env);
    assert_int_equal(2, at);
    co_wake(co);
    co_wake(co);
    env_stop(env);
    env_run(env);
    assert_int_equal(3, at);
    finish();
}

struct pair {
    struct co *other;
    int turns;
};

static void play(void *arg) {
    struct pair *pair = arg;
    for (int i = 0; i < 10000; i++) {
        pair->turns++;
        co_wake(pair->other);
        (void)!co_await();
    }
    if (co_pool_live(pool) == 2) co_wake(pair->other);
    if (co_pool_live(pool) == 1) env_stop(env);
}

TEST("2", 2, two_coroutines_wake_each_other_in_turn) {
    start(2);
    struct pair a = {0}, b = {0};
    struct co *first, *second;
    assert_status(STATUS_OK, co_spawn(pool, play, &a, &first));
    assert_status(STATUS_OK, co_spawn(pool, play, &b, &second));
    a.other = second;
    b.other = first;
    env_run(env);
    assert_int_equal(10000, a.turns);
    assert_int_equal(10000, b.turns);
    finish();
}

/* ---- cancel ------------------------------------------------------------------------------- */

struct outcome {
    enum status first;
    enum status second;
    bool cancelled;
};

static void await_then_sleep(void *arg) {
    struct outcome *outcome = arg;
    outcome->first = co_await();
    outcome->cancelled = co_cancelled(co_self());
    outcome->second = co_sleep(env, NS_PER_MS); /* cleaning up may await */
    env_stop(env);
}

TEST("3", 3, cancel_ends_the_current_await_only) {
    start(1);
    struct outcome outcome = {STATUS_INVALID, STATUS_INVALID, false};
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, await_then_sleep, &outcome, &co));
    env_stop(env);
    env_run(env);
    co_cancel(co);
    env_run(env);
    assert_status(STATUS_CANCELLED, outcome.first);
    assert_true(outcome.cancelled);
    assert_status(STATUS_OK, outcome.second);
    finish();
}

static void sleep_long(void *arg) {
    *(enum status *)arg = co_sleep(env, 3600 * NS_PER_S);
    env_stop(env);
}

TEST("3", 3, cancel_before_the_first_run_ends_the_first_await) {
    start(1);
    enum status status = STATUS_INVALID;
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, sleep_long, &status, &co));
    co_cancel(co);
    env_run(env);
    assert_status(STATUS_CANCELLED, status);
    finish();
}

TEST("3", 3, cancel_ends_a_sleep_and_its_timer) {
    start(1);
    enum status status = STATUS_INVALID;
    struct co *co;
    assert_status(STATUS_OK, co_spawn(pool, sleep_long, &status, &co));
    env_stop(env);
    env_run(env);
    co_cancel(co);
    env_run(env);
    assert_status(STATUS_CANCELLED, status);
    finish();
}

/* ---- sleep and yield ------------------------------------------------------------------------ */

struct nap {
    uint64_t duration_ns;
    uint64_t slept_ns;
    struct poke poke;
};

static void nap(void *arg) {
    struct nap *self = arg;
    uint64_t before = env_now_ns(env);
    poke_later(&self->poke, co_self(), co_wake); /* a wake is not the end of a sleep */
    assert_status(STATUS_OK, co_sleep(env, self->duration_ns));
    self->slept_ns = env_now_ns(env) - before;
    if (co_pool_live(pool) == 1) env_stop(env);
}

TEST("4", 2, sleep_lasts_as_long_as_asked_whatever_wakes_come) {
    start(3);
    struct nap naps[3] = {
        {.duration_ns = 9 * NS_PER_MS}, {.duration_ns = 3 * NS_PER_MS}, {.duration_ns = 0}};
    for (int i = 0; i < 3; i++) {
        assert_status(STATUS_OK, co_spawn(pool, nap, &naps[i], NULL));
    }
    env_run(env);
    for (int i = 0; i < 3; i++) {
        assert_true(naps[i].slept_ns >= naps[i].duration_ns);
    }
    finish();
}

static bool timer_fired;

static void on_timer(void *arg) {
    (void)arg;
    timer_fired = true;
}

static void yield_until_timer(void *arg) {
    (void)arg;
    while (!timer_fired) {
        assert_status(STATUS_OK, co_yield());
    }
    env_stop(env);
}

TEST("4", 0, a_coroutine_that_yields_does_not_starve_the_loop) {
    start(1);
    struct env_timer timer;
    env_timer_init(&timer, on_timer, NULL);
    env_timer_start(env, &timer, env_now_ns(env) + 2 * NS_PER_MS);
    assert_status(STATUS_OK, co_spawn(pool, yield_until_timer, NULL, NULL));
    env_run(env);
    assert_true(timer_fired);
    finish();
}

static void yield_many(void *arg) {
    for (int i = 0; i < 3000; i++) {
        assert_status(STATUS_OK, co_yield());
        if (timer_fired) break;
        ++*(int *)arg;
    }
    env_stop(env);
}

TEST("4", 0, to_yield_is_not_to_sleep_for_a_tick_of_the_clock) {
    start(1);
    int yields = 0;
    struct env_timer timer;
    env_timer_init(&timer, on_timer, NULL);
    env_timer_start(env, &timer, env_now_ns(env) + 1500 * NS_PER_MS);
    assert_status(STATUS_OK, co_spawn(pool, yield_many, &yields, NULL));
    env_run(env);
    env_timer_stop(&timer);
    assert_int_equal(3000, yields); /* at a millisecond each, the timer would have come first */
    finish();
}

/* ---- stacks ------------------------------------------------------------------------------- */

static uint64_t dig(unsigned depth) {
    volatile uint8_t frame[256];
    for (size_t i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)(depth + i);
    }
    uint64_t below = depth > 0 ? dig(depth - 1) : 0;
    for (size_t i = 0; i < sizeof(frame); i++) {
        assert_int_equal((uint8_t)(depth + i), frame[i]);
    }
    return below + 1;
}

static void dig_deep(void *arg) {
    *(uint64_t *)arg = dig(500);
    env_stop(env);
}

TEST("5", 0, deep_recursion_fits_on_a_stack) {
    start(1);
    uint64_t depth = 0;
    assert_status(STATUS_OK, co_spawn(pool, dig_deep, &depth, NULL));
    env_run(env);
    assert_int_equal(501, depth);
    finish();
}

static void dig_too_deep(void *arg) { *(uint64_t *)arg = dig(100000); }

TEST("5", 0, an_overflow_stops_the_process_at_the_guard_page) {
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would report, at length */
        start(1);
        uint64_t depth;
        if (co_spawn(pool, dig_too_deep, &depth, NULL) == STATUS_OK) env_run(env);
        _exit(0);
    }
    int ended = 0;
    assert_int_equal(child, waitpid(child, &ended, 0));
    assert_true(WIFSIGNALED(ended));
}

enum { CROWD = 1000 };

struct member {
    int number;
    int rounds;
};

static int crowd_done;

static void join_crowd(void *arg) {
    struct member *member = arg;
    int on_stack[100];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 100; i++) {
            on_stack[i] = member->number * 1000 + round + i;
        }
        assert_status(STATUS_OK, co_sleep(env, (uint64_t)(member->number % 7) * 100 * NS_PER_US));
        for (int i = 0; i < 100; i++) {
            assert_int_equal(member->number * 1000 + round + i, on_stack[i]);
        }
        member->rounds++;
    }
    if (++crowd_done == CROWD) env_stop(env);
}

TEST("5", 0, a_thousand_coroutines_keep_their_own_locals) {
    start(CROWD);
    static struct member members[CROWD];
    for (int i = 0; i < CROWD; i++) {
        members[i].number = i;
        assert_status(STATUS_OK, co_spawn(pool, join_crowd, &members[i], NULL));
    }
    env_run(env);
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(10, members[i].rounds);
    }
    assert_int_equal(0, co_pool_live(pool));
    finish();
}

static void compute(void *arg) {
    double sum = 0;
    for (int i = 1; i <= 100; i++) {
        sum += 1.0 / i;
        assert_status(STATUS_OK, co_yield());
    }
    *(double *)arg = sum;
    if (co_pool_live(pool) == 1) env_stop(env);
}

TEST("5", 0, floating_point_survives_switches) {
    start(2);
    double sums[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        assert_status(STATUS_OK, co_spawn(pool, compute, &sums[i], NULL));
    }
    env_run(env);
    double expected = 0;
    for (int i = 1; i <= 100; i++) {
        expected += 1.0 / i;
    }
    assert_true(sums[0] == expected && sums[1] == expected);
    finish();
}
