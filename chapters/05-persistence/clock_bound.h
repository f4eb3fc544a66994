/* clock_bound.h - keeps a node from issuing timestamps below those it issued before a restart.
 *
 * The wall clock may have gone back, or the node's clock may have been pushed ahead by others. So the log holds a
 * bound that the clock has not reached; it is raised ahead of need, and a node starts above it.
 *
 * Invariant: the clock never passes the bound that is durable; if it is about to (a jump), the node says so and the
 * bound is raised first. On the loop. */
#ifndef CAIRN_CLOCK_BOUND_H
#define CAIRN_CLOCK_BOUND_H

#include "env.h"
#include "hlc.h"
#include "log_store.h"

struct clock_bound;

/* Moves `clock` above the bound in the log and writes the next one; waits for it once. */
enum status clock_bound_new(struct env *env, struct log_store *log, struct hlc *clock,
                            struct clock_bound **out, struct error *error) MUST_CHECK;
void clock_bound_free(struct clock_bound *bound);

#endif
