/* test_hlc.c - the hybrid logical clock: monotonic, causal, close to the wall clock. */
#include "harness.h"
#include "hlc.h"
#include "prng.h"

#define MS UINT64_C(1000000)
#define NOON UINT64_C(1769860800000000000) /* 2026-01-31 12:00 UTC, in ns */

static struct hlc hlc;

static void start(void) { hlc_init(&hlc, 500 * MS); }

TEST("1", 0, a_timestamp_is_the_wall_clock_within_16_microseconds) {
    start();
    uint64_t back = hlc_to_wall_ns(hlc_now(&hlc, NOON + 123456789));
    assert_true(back <= NOON + 123456789);
    assert_true(NOON + 123456789 - back < 16000);
}

TEST("1", 0, timestamps_grow_while_the_wall_clock_stands_still) {
    start();
    hlc_timestamp last = hlc_now(&hlc, NOON);
    for (int i = 0; i < 1000; i++) {
        hlc_timestamp now = hlc_now(&hlc, NOON);
        assert_true(now > last);
        last = now;
    }
}

TEST("1", 0, timestamps_grow_while_the_wall_clock_goes_back) {
    start();
    hlc_timestamp last = hlc_now(&hlc, NOON);
    for (uint64_t i = 1; i < 1000; i++) {
        hlc_timestamp now = hlc_now(&hlc, NOON - i * MS);
        assert_int_equal(last + 1, now);
        last = now;
    }
}

TEST("1", 0, a_full_counter_carries_into_the_wall_part) {
    start();
    hlc_timestamp first = hlc_now(&hlc, NOON);
    for (int i = 0; i < 65536; i++) {
        (void)hlc_now(&hlc, NOON);
    }
    assert_int_equal(first + 65536, hlc.latest);
    assert_true(hlc_to_wall_ns(hlc.latest) > hlc_to_wall_ns(first));
    assert_true(hlc_to_wall_ns(hlc.latest) - hlc_to_wall_ns(first) < 16000);
}

TEST("2", 0, what_follows_a_received_timestamp_is_above_it) {
    start();
    hlc_timestamp received = hlc_from_wall(NOON + 300 * MS) + 7;
    assert_status(STATUS_OK, hlc_receive(&hlc, received, NOON));
    assert_true(hlc_now(&hlc, NOON) > received);
}

TEST("2", 0, an_older_timestamp_changes_nothing) {
    start();
    hlc_timestamp latest = hlc_now(&hlc, NOON);
    assert_status(STATUS_OK, hlc_receive(&hlc, hlc_from_wall(NOON - 3600 * 1000 * MS), NOON));
    assert_int_equal(latest, hlc.latest);
}

TEST("2", 0, a_timestamp_too_far_ahead_is_refused_and_changes_nothing) {
    start();
    hlc_timestamp latest = hlc_now(&hlc, NOON);
    assert_status(STATUS_INVALID, hlc_receive(&hlc, hlc_from_wall(NOON + 501 * MS), NOON));
    assert_status(STATUS_INVALID, hlc_receive(&hlc, HLC_MAX, NOON));
    assert_int_equal(latest, hlc.latest);
    assert_status(STATUS_OK, hlc_receive(&hlc, hlc_from_wall(NOON + 500 * MS), NOON));
}

TEST("2", 0, advance_never_moves_back) {
    start();
    hlc_advance(&hlc, 1000);
    hlc_advance(&hlc, 10);
    assert_int_equal(1000, hlc.latest);
    assert_true(hlc_now(&hlc, 0) > 1000);
}

TEST("3", 0, conversion_keeps_order_and_loses_at_most_one_unit) {
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t a = prng_below(&prng, UINT64_C(4294967295000000000));
        uint64_t b = a + prng_below(&prng, 100000);
        assert_true(hlc_from_wall(a) <= hlc_from_wall(b));
        assert_true(hlc_to_wall_ns(hlc_from_wall(a)) <= a);
        assert_true(a - hlc_to_wall_ns(hlc_from_wall(a)) <= 15259);
    }
    assert_true(hlc_from_wall(UINT64_MAX) >= hlc_from_wall(UINT64_C(4294967295000000000)));
}
