/* co.h - coroutines: straight-line code that awaits, on the node's one thread.
 *
 * A coroutine runs until it awaits or returns; the loop resumes it after co_wake. Stacks are
 * mapped with a guard page below, pooled, 256 KiB (STACK_BYTES). Under AddressSanitizer switches
 * are annotated (fiber API), under valgrind stacks are registered.
 *
 * Invariants
 *  1. A coroutine is in one state: READY (queued to run), RUNNING, WAITING, DONE.
 *  2. co_wake moves WAITING to READY once; a wake before the await is remembered, so that
 *     "start the operation, then await" never loses the answer.
 *  3. Cancel makes the current or next co_await return CANCELLED, that one only, so that cleaning
 *     up may await; co_cancelled stays true. Stacks are never unwound: the function returns by
 *     itself and frees what it owns.
 *  4. Hold no iterator, borrowed slice or pointer into a growable array across an await unless
 *     its owner promises it. */
#ifndef CAIRN_CO_H
#define CAIRN_CO_H

#include "env.h"
#include "status.h"

struct co;
struct co_pool;

/* Stacks and the run queue of one node. Uses env_post to resume on the loop. */
struct co_pool *co_pool_new(struct env *env, size_t max_coroutines);
/* Every coroutine must be done. */
void co_pool_free(struct co_pool *pool);
size_t co_pool_live(const struct co_pool *pool);

/* Starts `function(arg)` on a coroutine of its own at the next turn of the run queue (not inside
 * this call). BUSY if max_coroutines are alive. `out` may be NULL; the handle is valid until
 * the function returns. */
enum status co_spawn(struct co_pool *pool, void (*function)(void *arg), void *arg,
                     struct co **out) MUST_CHECK;

/* The running coroutine, or NULL on the loop's own stack. */
struct co *co_self(void);

/* Suspends the running coroutine until co_wake (OK) or co_cancel (CANCELLED). Call only on a
 * coroutine. Loop on your own condition: a wake says "look again", not what happened. */
enum status co_await(void) MUST_CHECK;

/* From the loop or another coroutine. Idempotent until the coroutine runs. */
void co_wake(struct co *co);
void co_cancel(struct co *co);
bool co_cancelled(const struct co *co);

/* From the loop, when what the coroutine serves is taken down at once: resumes it, with every await
 * returning CANCELLED, until its function has returned. The function must end under that. */
void co_finish(struct co *co);

/* Lets others run; returns as co_await does. For long loops (1 ms or 256 rows). */
enum status co_yield(void) MUST_CHECK;
/* Suspends for a time. OK or CANCELLED. */
enum status co_sleep(struct env *env, uint64_t duration_ns) MUST_CHECK;

#endif
