/* clock_bound.h - keeps a node from issuing timestamps below those it issued before a restart.
 *
 * The wall clock may have gone back, or the node's clock may have been pushed ahead by others. So
 * the log holds a bound that the clock has not reached; it is raised ahead of need, and a node that
 * starts waits until its wall clock is near the bound (2.6 s at most, if the wall clock did not go
 * back), then moves its clock above it. Waiting rather than jumping keeps it within the offset that
 * other nodes tolerate.
 *
 * Invariant: the clock never passes the bound that is in the log; a jump of the wall clock is said.
 * On the loop. */
#ifndef CAIRN_CLOCK_BOUND_H
#define CAIRN_CLOCK_BOUND_H

#include "env.h"
#include "hlc.h"
#include "log_store.h"

struct clock_bound;

struct clock_bound_options {
    struct env *env;
    struct log_store *log;
    struct hlc *clock;
    /* The clock is above everything issued before the restart: the node may take part. Called once,
     * in a later step. */
    void (*on_ready)(void *arg);
    void *arg;
};

struct clock_bound *clock_bound_new(const struct clock_bound_options *options);
void clock_bound_free(struct clock_bound *bound);

#endif
