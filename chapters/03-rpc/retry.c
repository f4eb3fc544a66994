/* retry.c - the decision of retry.h: safe? allowed? when?
 * Must not know connections, payloads or clocks. */
#include "retry.h"

struct retry_policy retry_policy_default(void) {
    return (struct retry_policy){
        .max_attempts = 5,
        .backoff_min_ns = UINT64_C(20000000),
        .backoff_max_ns = UINT64_C(1000000000),
    };
}

/* ---- the budget ----------------------------------------------------------------------------- */

void retry_budget_init(struct retry_budget *budget) {
    budget->saved = RETRY_BUDGET_CALLS * RETRY_BUDGET_RESERVE;
}

void retry_budget_pay_in(struct retry_budget *budget) {
    if (budget->saved < RETRY_BUDGET_CALLS * RETRY_BUDGET_RESERVE) budget->saved++;
}

bool retry_budget_take_out(struct retry_budget *budget) {
    if (budget->saved < RETRY_BUDGET_CALLS) return false;
    budget->saved -= RETRY_BUDGET_CALLS;
    return true;
}

/* ---- the decision --------------------------------------------------------------------------- */

uint64_t backoff_ceiling_ns(uint64_t min_ns, uint64_t max_ns, unsigned failures) {
    uint64_t ceiling_ns = min_ns;
    for (unsigned i = 0; i < failures && ceiling_ns < max_ns; i++)
        ceiling_ns = ceiling_ns > max_ns / 2 ? max_ns : ceiling_ns * 2;
    return ceiling_ns < max_ns ? ceiling_ns : max_ns;
}

bool retry_is_safe(enum status status, bool idempotent) {
    switch (status) {
    case STATUS_UNAVAILABLE:
    case STATUS_BUSY:
    case STATUS_NOT_LEADER:
        return true;
    case STATUS_UNKNOWN_OUTCOME:
    case STATUS_DEADLINE:
    case STATUS_CLOSED:
        return idempotent;
    default:
        return false;
    }
}

bool retry_decide(const struct retry_policy *policy, struct retry_budget *budget, struct prng *prng,
                  const struct retry_failure *failure, uint64_t *at_ns) {
    if (!retry_is_safe(failure->status, failure->idempotent)) return false;
    if (failure->attempts >= policy->max_attempts) return false;
    uint64_t ceiling_ns =
        backoff_ceiling_ns(policy->backoff_min_ns, policy->backoff_max_ns, failure->attempts - 1);
    uint64_t wait_ns = prng_between(prng, 0, ceiling_ns);
    if (failure->now_ns >= failure->deadline_ns ||
        wait_ns >= failure->deadline_ns - failure->now_ns)
        return false;
    if (!retry_budget_take_out(budget)) return false;
    *at_ns = failure->now_ns + wait_ns;
    return true;
}
