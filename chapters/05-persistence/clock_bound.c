/* clock_bound.c - a timer that keeps the bound in the log ahead of the clock. */
#include "clock_bound.h"

#include "mem.h"

#define AHEAD_NS (3 * NS_PER_S)
#define RAISE_BELOW_NS (1500 * NS_PER_MS)
#define CHECK_INTERVAL_NS (500 * NS_PER_MS)

struct clock_bound {
    struct clock_bound_options options;
    struct env_timer timer;
};

static void raise_bound(struct clock_bound *bound, hlc_timestamp now) {
    struct node_state state = *log_store_node(bound->options.log);
    state.hlc_bound = hlc_from_wall(hlc_to_wall_ns(now) + AHEAD_NS);
    log_store_set_node(bound->options.log, &state);
}

static void check(void *arg) {
    struct clock_bound *bound = arg;
    struct env *env = bound->options.env;
    hlc_timestamp now = hlc_now(bound->options.clock, env_wall_ns(env));
    hlc_timestamp logged = log_store_node(bound->options.log)->hlc_bound;
    if (hlc_to_wall_ns(now) + RAISE_BELOW_NS > hlc_to_wall_ns(logged)) {
        if (now > logged) log_warn(env_log(env), "clock", "the wall clock jumped ahead");
        raise_bound(bound, now);
    }
    env_timer_start(env, &bound->timer, env_deadline_ns(env, CHECK_INTERVAL_NS));
}

/* The sync of the first bound is not waited for: nothing is issued under it before a vote or an
 * entry is synced, and these come later in the same log. */
static void begin(void *arg) {
    struct clock_bound *bound = arg;
    struct env *env = bound->options.env;
    hlc_advance(bound->options.clock, log_store_node(bound->options.log)->hlc_bound);
    raise_bound(bound, hlc_now(bound->options.clock, env_wall_ns(env)));
    env_timer_init(&bound->timer, check, bound);
    env_timer_start(env, &bound->timer, env_deadline_ns(env, CHECK_INTERVAL_NS));
    bound->options.on_ready(bound->options.arg);
}

struct clock_bound *clock_bound_new(const struct clock_bound_options *options) {
    struct clock_bound *bound = MEM_NEW(struct clock_bound);
    struct env *env = options->env;
    bound->options = *options;
    uint64_t logged_ns = hlc_to_wall_ns(log_store_node(options->log)->hlc_bound);
    uint64_t near_ns = env_wall_ns(env) + options->clock->max_offset_ns * 4 / 5;
    uint64_t wait_ns = logged_ns > near_ns ? logged_ns - near_ns : 0;
    if (wait_ns > AHEAD_NS) {
        log_warn(env_log(env), "clock", "the wall clock went back: waiting for it seconds=%.1f",
                 (double)wait_ns / (double)NS_PER_S);
    }
    env_timer_init(&bound->timer, begin, bound);
    env_timer_start(env, &bound->timer, env_deadline_ns(env, wait_ns));
    return bound;
}

void clock_bound_free(struct clock_bound *bound) {
    if (bound == NULL) return;
    env_timer_stop(&bound->timer);
    mem_free(bound);
}
