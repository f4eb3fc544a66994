/* co.c - coroutines: their states, their stacks, and how they get on and off the loop.
 *
 * A coroutine is resumed by a task of env, so that it always runs from the loop's own stack and at
 * most one runs at a time. The switch itself is in co_switch.c; what sanitizers and valgrind must
 * be told about stacks is in co_stack.c. */
#include "co.h"

#include <assert.h>

#include "co_stack.h"
#include "co_switch.h"
#include "env_impl.h"
#include "mem.h"

enum co_state { CO_READY, CO_RUNNING, CO_WAITING, CO_DONE };

struct co {
    struct co_pool *pool;
    enum co_state state;
    bool wake_pending;   /* a wake came while it ran */
    bool cancel_pending; /* the next await returns CANCELLED */
    bool cancelled;      /* ever */
    void (*function)(void *arg);
    void *arg;
    struct env_task resume;
    struct co_stack stack;
    struct co_context own;
    struct co_context loop;
    struct co *next_free;
};

struct co_pool {
    struct env *env;
    size_t max_coroutines;
    size_t live;
    struct co *free_list; /* with their stacks */
};

/* One thread runs coroutines, one at a time: this is a register of the processor, so to speak. */
static _Thread_local struct co *running;

struct co *co_self(void) {
    return running;
}

/* ---- switching --------------------------------------------------------------------------- */

static void leave(struct co *co) {
    running = NULL;
    co_stack_before_leave(&co->stack, co->state == CO_DONE);
    co_context_switch(&co->own, &co->loop);
    co_stack_after_enter(&co->stack);
    running = co;
}

static void co_main(void) {
    struct co *co = running;
    co_stack_after_enter(&co->stack);
    co->function(co->arg);
    co->state = CO_DONE;
    leave(co);
    assert(false); /* a coroutine that is done is never resumed */
}

static void recycle(struct co *co) {
    struct co_pool *pool = co->pool;
    co_stack_reset(&co->stack);
    co->next_free = pool->free_list;
    pool->free_list = co;
    pool->live--;
}

static void on_resume(void *arg) {
    struct co *co = arg;
    assert(running == NULL && co->state == CO_READY);
    co->state = CO_RUNNING;
    running = co;
    co_stack_before_enter(&co->stack);
    co_context_switch(&co->loop, &co->own);
    co_stack_after_leave(&co->stack);
    if (co->state == CO_DONE) recycle(co);
}

/* ---- pool -------------------------------------------------------------------------------- */

struct co_pool *co_pool_new(struct env *env, size_t max_coroutines) {
    struct co_pool *pool = MEM_NEW(struct co_pool);
    pool->env = env;
    pool->max_coroutines = max_coroutines;
    return pool;
}

void co_pool_free(struct co_pool *pool) {
    if (pool == NULL) return;
    assert(pool->live == 0);
    while (pool->free_list != NULL) {
        struct co *co = pool->free_list;
        pool->free_list = co->next_free;
        co_stack_unmap(&co->stack);
        mem_free(co);
    }
    mem_free(pool);
}

size_t co_pool_live(const struct co_pool *pool) { return pool->live; }

/* A coroutine with a stack, from the pool or fresh; NULL if the system has no memory to map. */
static struct co *take(struct co_pool *pool) {
    struct co *co = pool->free_list;
    if (co != NULL) {
        pool->free_list = co->next_free;
        return co;
    }
    struct co_stack stack;
    if (!co_stack_map(&stack)) return NULL;
    co = MEM_NEW(struct co);
    co->stack = stack;
    return co;
}

enum status co_spawn(struct co_pool *pool, void (*function)(void *arg), void *arg,
                     struct co **out) {
    if (pool->live >= pool->max_coroutines) return STATUS_BUSY;
    struct co *co = take(pool);
    if (co == NULL) return STATUS_BUSY;
    *co = (struct co){
        .pool = pool,
        .state = CO_READY,
        .function = function,
        .arg = arg,
        .resume = {.callback = on_resume, .arg = co},
        .stack = co->stack,
    };
    co_context_init(&co->own, co->stack.bottom, co->stack.size_bytes, co_main);
    pool->live++;
    env_post(pool->env, &co->resume);
    if (out != NULL) *out = co;
    return STATUS_OK;
}

/* ---- await and wake ---------------------------------------------------------------------- */

enum status co_await(void) {
    struct co *co = running;
    assert(co != NULL && co->state == CO_RUNNING);
    if (!co->cancel_pending && !co->wake_pending) {
        co->state = CO_WAITING;
        leave(co);
    }
    if (co->cancel_pending) {
        co->cancel_pending = false;
        return STATUS_CANCELLED;
    }
    co->wake_pending = false;
    return STATUS_OK;
}

static void make_ready(struct co *co) {
    co->state = CO_READY;
    env_post(co->pool->env, &co->resume);
}

void co_wake(struct co *co) {
    assert(co->state != CO_DONE);
    if (co->state == CO_WAITING) {
        make_ready(co);
    } else if (co->state == CO_RUNNING) {
        co->wake_pending = true;
    }
}

void co_cancel(struct co *co) {
    assert(co->state != CO_DONE);
    co->cancelled = true;
    co->cancel_pending = true;
    if (co->state == CO_WAITING) make_ready(co);
}

bool co_cancelled(const struct co *co) { return co->cancelled; }

void co_finish(struct co *co) {
    assert(running == NULL);
    while (co->state != CO_DONE) {
        env_unpost(co->pool->env, &co->resume);
        co->cancelled = true;
        co->cancel_pending = true;
        co->state = CO_READY;
        on_resume(co);
    }
}

/* ---- time -------------------------------------------------------------------------------- */

struct sleeper {
    struct co *co;
    bool over;
};

static void on_sleep_over(void *arg) {
    struct sleeper *sleeper = arg;
    sleeper->over = true;
    co_wake(sleeper->co);
}

enum status co_sleep(struct env *env, uint64_t duration_ns) {
    struct sleeper sleeper = {.co = co_self(), .over = false};
    struct env_timer timer;
    env_timer_init(&timer, on_sleep_over, &sleeper);
    env_timer_start(env, &timer, env_deadline_ns(env, duration_ns));
    enum status status = STATUS_OK;
    while (!sleeper.over && status == STATUS_OK) {
        status = co_await();
    }
    env_timer_stop(&timer);
    return status;
}

enum status co_yield(void) {
    /* By a timer that is due, not by a task: tasks run until none is left, so that a task that
     * posts itself would keep input waiting for ever. */
    return co_sleep(co_self()->pool->env, 0);
}
