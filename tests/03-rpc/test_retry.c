/* test_retry.c - which calls are made again, and when (retry.h). */
#include "retry.h"

#include "harness.h"
#include "mem.h"

enum { MS = 1000000 };

static const struct retry_policy policy = {
    .max_attempts = 4, .backoff_min_ns = 20 * MS, .backoff_max_ns = 100 * MS};

struct decider {
    struct prng prng;
    struct retry_budget budget;
    uint64_t at_ns;
};

static struct decider decider(void) {
    struct decider d = {.at_ns = 0};
    prng_seed(&d.prng, 7);
    retry_budget_init(&d.budget);
    return d;
}

static bool decide(struct decider *d, enum status status, bool idempotent, unsigned attempts,
                   uint64_t now_ns, uint64_t deadline_ns) {
    struct retry_failure failure = {status, idempotent, attempts, now_ns, deadline_ns};
    return retry_decide(&policy, &d->budget, &d->prng, &failure, &d->at_ns);
}

TEST("3", 1, call_that_nobody_has_seen_is_made_again) {
    struct decider d = decider();
    const enum status never_done[] = {STATUS_UNAVAILABLE, STATUS_BUSY, STATUS_NOT_LEADER};
    for (size_t i = 0; i < ARRAY_LEN(never_done); i++) {
        assert_true(decide(&d, never_done[i], false, 1, 0, UINT64_MAX));
        assert_true(decide(&d, never_done[i], true, 1, 0, UINT64_MAX));
    }
}

TEST("3", 1, call_that_may_have_taken_effect_is_made_again_only_if_it_is_idempotent) {
    struct decider d = decider();
    const enum status perhaps_done[] = {STATUS_UNKNOWN_OUTCOME, STATUS_DEADLINE, STATUS_CLOSED};
    for (size_t i = 0; i < ARRAY_LEN(perhaps_done); i++) {
        assert_false(decide(&d, perhaps_done[i], false, 1, 0, UINT64_MAX));
        assert_true(decide(&d, perhaps_done[i], true, 1, 0, UINT64_MAX));
    }
}

TEST("3", 1, answer_that_would_be_the_same_again_is_told) {
    struct decider d = decider();
    const enum status final[] = {STATUS_OK,          STATUS_NOT_FOUND, STATUS_INVALID,
                                 STATUS_UNSUPPORTED, STATUS_TOO_LARGE, STATUS_CANCELLED,
                                 STATUS_CONFLICT,    STATUS_CORRUPT};
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        assert_false(decide(&d, final[i], true, 1, 0, UINT64_MAX));
}

TEST("3", 2, ceiling_of_the_wait_doubles_up_to_its_maximum) {
    assert_int_equal(20, backoff_ceiling_ns(20, 1000, 0));
    assert_int_equal(40, backoff_ceiling_ns(20, 1000, 1));
    assert_int_equal(640, backoff_ceiling_ns(20, 1000, 5));
    assert_int_equal(1000, backoff_ceiling_ns(20, 1000, 6));
    assert_int_equal(1000, backoff_ceiling_ns(20, 1000, 1000000));
    assert_int_equal(10, backoff_ceiling_ns(20, 10, 0));
    assert_true(backoff_ceiling_ns(3, UINT64_MAX, 200) == UINT64_MAX); /* does not wrap around */
}

TEST("3", 2, waits_are_spread_from_nothing_to_the_ceiling) {
    enum { DRAWS = 2000 };
    const uint64_t ceilings_ms[] = {20, 40, 80};
    for (unsigned attempts = 1; attempts <= ARRAY_LEN(ceilings_ms); attempts++) {
        struct decider d = decider();
        uint64_t ceiling_ns = ceilings_ms[attempts - 1] * MS;
        size_t quarters[4] = {0};
        for (int i = 0; i < DRAWS; i++) {
            retry_budget_init(&d.budget);
            assert_true(decide(&d, STATUS_BUSY, false, attempts, 1000, UINT64_MAX));
            assert_true(d.at_ns >= 1000 && d.at_ns <= 1000 + ceiling_ns);
            quarters[(d.at_ns - 1000) * 4 / (ceiling_ns + 1)]++;
        }
        for (size_t i = 0; i < 4; i++)
            assert_true(quarters[i] > DRAWS / 6); /* each has a quarter, give or take */
    }
}

TEST("3", 3, wait_that_would_outlive_the_deadline_is_not_begun) {
    for (uint64_t left_ms = 0; left_ms <= 20; left_ms++) {
        struct decider d = decider();
        for (int i = 0; i < 50; i++) {
            retry_budget_init(&d.budget);
            uint64_t now_ns = 5000 * (uint64_t)MS;
            uint64_t deadline_ns = now_ns + left_ms * MS;
            if (decide(&d, STATUS_BUSY, false, 1, now_ns, deadline_ns))
                assert_true(d.at_ns < deadline_ns);
            else
                assert_true(left_ms < 20);
        }
    }
}

TEST("3", 3, nothing_is_repeated_when_the_deadline_has_passed) {
    struct decider d = decider();
    assert_false(decide(&d, STATUS_DEADLINE, true, 1, 100, 100));
    assert_false(decide(&d, STATUS_DEADLINE, true, 1, 200, 100));
}

TEST("3", 4, attempts_of_a_call_are_bounded) {
    struct decider d = decider();
    assert_true(decide(&d, STATUS_BUSY, true, policy.max_attempts - 1, 0, UINT64_MAX));
    assert_false(decide(&d, STATUS_BUSY, true, policy.max_attempts, 0, UINT64_MAX));
}

/* A service that is down must not get a multiple of its load. */
TEST("3", 4, when_everything_fails_repetitions_are_a_tenth_of_the_calls) {
    struct decider d = decider();
    size_t repetitions = 0;
    for (int call = 0; call < 10000; call++) {
        retry_budget_pay_in(&d.budget);
        for (unsigned attempts = 1; decide(&d, STATUS_UNAVAILABLE, true, attempts, 0, UINT64_MAX);
             attempts++)
            repetitions++;
    }
    assert_in_range(repetitions, 1000, 1000 + RETRY_BUDGET_RESERVE);
}

TEST("3", 4, failure_that_is_told_costs_the_budget_nothing) {
    struct decider d = decider();
    unsigned saved = d.budget.saved;
    assert_false(decide(&d, STATUS_INVALID, true, 1, 0, UINT64_MAX));
    assert_false(decide(&d, STATUS_BUSY, true, policy.max_attempts, 0, UINT64_MAX));
    assert_false(decide(&d, STATUS_BUSY, true, 1, 10, 10));
    assert_int_equal(saved, d.budget.saved);
    assert_true(decide(&d, STATUS_BUSY, true, 1, 0, UINT64_MAX));
    assert_int_equal(saved - RETRY_BUDGET_CALLS, d.budget.saved);
}
