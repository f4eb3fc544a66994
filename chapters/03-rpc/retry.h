/* retry.h - whether a call that failed is made again, and when.
 *
 * Pure: the time and the randomness are arguments. Who makes the calls is rpc_caller.h.
 *
 * Invariants
 *  1. What may have taken effect already is repeated only if it is idempotent.
 *  2. The wait before a repetition is drawn evenly from 0 to a ceiling that doubles with every
 *     failure and stops at backoff_max_ns ("full jitter"; Brooker, "Exponential Backoff And
 *     Jitter", AWS Architecture Blog 2015).
 *  3. No wait outlives the deadline: where it would, the failure is told at once.
 *  4. The attempts of a call are bounded, and the repetitions of all calls together: one for every
 *     RETRY_BUDGET_CALLS calls, after a reserve of RETRY_BUDGET_RESERVE (a retry budget: Beyer et
 *     al., "Site Reliability Engineering" 2016, ch. 21). */
#ifndef CAIRN_RETRY_H
#define CAIRN_RETRY_H

#include <stdbool.h>

#include "prng.h"
#include "status.h"

enum { RETRY_BUDGET_CALLS = 10, RETRY_BUDGET_RESERVE = 20 };

struct retry_policy {
    unsigned max_attempts;       /* of a call, the first included; at least 1 */
    uint64_t backoff_min_ns;     /* ceiling of the first wait */
    uint64_t backoff_max_ns;     /* no ceiling is higher */
    uint64_t attempt_timeout_ns; /* an attempt is given up after so long; 0: at the deadline */
};

/* 5 attempts, 20 ms to 1 s, attempts that last until the deadline. */
struct retry_policy retry_policy_default(void);

/* Shared by the calls of one caller. A call pays in one, a repetition takes out
 * RETRY_BUDGET_CALLS. */
struct retry_budget {
    unsigned saved; /* at most RETRY_BUDGET_CALLS * RETRY_BUDGET_RESERVE, which is how it starts */
};

void retry_budget_init(struct retry_budget *budget);
void retry_budget_pay_in(struct retry_budget *budget);
/* False, and unchanged, if there is too little. */
bool retry_budget_take_out(struct retry_budget *budget);

/* min_ns doubled `failures` times, at most max_ns; never overflows. */
uint64_t backoff_ceiling_ns(uint64_t min_ns, uint64_t max_ns, unsigned failures);

/* Whether a call that ended with `status` may be made again without harm. UNAVAILABLE, BUSY and
 * NOT_LEADER: nobody has done it. UNKNOWN_OUTCOME, DEADLINE and CLOSED: somebody may have. All
 * others: the answer would be the same. */
bool retry_is_safe(enum status status, bool idempotent);

/* A call that has just failed. */
struct retry_failure {
    enum status status;
    bool idempotent;
    unsigned attempts; /* made so far, this one included */
    uint64_t now_ns;
    uint64_t deadline_ns;
};

/* True: call again at *at_ns, which is before the deadline; the budget has been charged. False:
 * tell the caller. Only a true answer costs the budget anything. */
bool retry_decide(const struct retry_policy *policy, struct retry_budget *budget, struct prng *prng,
                  const struct retry_failure *failure, uint64_t *at_ns);

#endif
