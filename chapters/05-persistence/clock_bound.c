/* clock_bound.c - a timer that keeps the durable bound 10 to 15 seconds ahead of the clock. */
#include "clock_bound.h"

#include "mem.h"

#define AHEAD_NS (15 * NS_PER_S)
#define RAISE_BELOW_NS (10 * NS_PER_S)
#define CHECK_INTERVAL_NS (1 * NS_PER_S)

struct clock_bound {
    struct env *env;
    struct log_store *log;
    struct hlc *clock;
    struct env_timer timer;
};

static void raise_bound(struct clock_bound *bound, hlc_timestamp now) {
    struct node_state state = *log_store_node(bound->log);
    state.hlc_bound = hlc_from_wall(hlc_to_wall_ns(now) + AHEAD_NS);
    log_store_set_node(bound->log, &state);
}

static void check(void *arg) {
    struct clock_bound *bound = arg;
    hlc_timestamp now = hlc_now(bound->clock, env_wall_ns(bound->env));
    hlc_timestamp durable = log_store_node(bound->log)->hlc_bound;
    if (hlc_to_wall_ns(now) + RAISE_BELOW_NS > hlc_to_wall_ns(durable)) {
        if (now > durable)
            log_warn(env_log(bound->env), "clock",
                     "the wall clock jumped ahead of the durable bound");
        raise_bound(bound, now);
    }
    env_timer_start(bound->env, &bound->timer, env_now_ns(bound->env) + CHECK_INTERVAL_NS);
}

enum status clock_bound_new(struct env *env, struct log_store *log, struct hlc *clock,
                            struct clock_bound **out, struct error *error) {
    struct clock_bound *bound = MEM_NEW(struct clock_bound);
    *bound = (struct clock_bound){.env = env, .log = log, .clock = clock};
    hlc_advance(clock, log_store_node(log)->hlc_bound);
    raise_bound(bound, hlc_now(clock, env_wall_ns(env)));
    enum status status = log_store_sync_blocking(log, error);
    if (status != STATUS_OK) {
        mem_free(bound);
        return status;
    }
    env_timer_init(&bound->timer, check, bound);
    env_timer_start(env, &bound->timer, env_now_ns(env) + CHECK_INTERVAL_NS);
    *out = bound;
    return STATUS_OK;
}

void clock_bound_free(struct clock_bound *bound) {
    if (bound == NULL) return;
    env_timer_stop(&bound->timer);
    mem_free(bound);
}
