/* test_recent_writes.c - the ring of recent writes never misses one it should know. */
#include "harness.h"
#include "prng.h"
#include "recent_writes.h"

static enum recent_answer ask(const struct recent_writes *recent, const char *start,
                              const char *end, hlc_timestamp after) {
    struct span span = end == NULL ? span_point(0, slice_of_string(start))
                                   : span_range(0, slice_of_string(start), slice_of_string(end));
    struct slice key;
    return recent_writes_changed(recent, &span, 1, after, HLC_MAX, &key);
}

TEST("4", 1, a_write_since_is_found_in_points_and_ranges) {
    struct recent_writes *recent = recent_writes_new(8);
    recent_writes_enter_term(recent, 1, 100);
    recent_writes_add(recent, SLICE_LITERAL("k"), 110);
    assert_int_equal(RECENT_CHANGED, ask(recent, "k", NULL, 109));
    assert_int_equal(RECENT_UNCHANGED, ask(recent, "k", NULL, 110));
    assert_int_equal(RECENT_CHANGED, ask(recent, "a", "z", 100));
    assert_int_equal(RECENT_UNCHANGED, ask(recent, "a", "k", 100));
    recent_writes_free(recent);
}

TEST("4", 1, what_lies_too_far_back_is_unknown) {
    struct recent_writes *recent = recent_writes_new(4);
    assert_int_equal(RECENT_UNKNOWN, ask(recent, "k", NULL, 100));
    recent_writes_enter_term(recent, 1, 100);
    assert_int_equal(RECENT_UNKNOWN, ask(recent, "k", NULL, 99));
    for (hlc_timestamp t = 101; t <= 106; t++)
        recent_writes_add(recent, SLICE_LITERAL("k"), t);
    assert_int_equal(RECENT_UNKNOWN, ask(recent, "x", NULL, 101));
    assert_int_equal(RECENT_UNCHANGED, ask(recent, "x", NULL, 102));
    recent_writes_enter_term(recent, 2, 200);
    assert_int_equal(RECENT_UNKNOWN, ask(recent, "x", NULL, 150));
    recent_writes_forget(recent, 210);
    assert_int_equal(RECENT_UNKNOWN, ask(recent, "x", NULL, 209));
    assert_int_equal(RECENT_UNCHANGED, ask(recent, "x", NULL, 210));
    recent_writes_free(recent);
}

TEST("4", 1, random_questions_are_answered_as_the_list_of_writes_says) {
    enum { WRITES = 2000, CAPACITY = 50 };
    struct recent_writes *recent = recent_writes_new(CAPACITY);
    recent_writes_enter_term(recent, 1, 0);
    char keys[WRITES + 1][2];
    struct prng prng;
    prng_seed(&prng, 5);
    for (size_t t = 1; t <= WRITES; t++) {
        keys[t][0] = (char)('a' + prng_below(&prng, 26));
        recent_writes_add(recent, slice_of(keys[t], 1), t);
        char from = (char)('a' + prng_below(&prng, 26)), to = (char)('a' + prng_below(&prng, 26));
        hlc_timestamp after = t - prng_below(&prng, t < 80 ? t : 80);
        struct span span = from < to ? span_range(0, slice_of(&from, 1), slice_of(&to, 1))
                                     : span_point(0, slice_of(&from, 1));
        struct slice key;
        enum recent_answer answer = recent_writes_changed(recent, &span, 1, after, HLC_MAX, &key);
        bool changed = false;
        for (size_t i = after + 1; i <= t; i++)
            changed = changed || span_contains(&span, slice_of(keys[i], 1));
        if (answer == RECENT_UNKNOWN)
            assert_true(t - after > CAPACITY);
        else
            assert_int_equal(changed ? RECENT_CHANGED : RECENT_UNCHANGED, answer);
    }
    recent_writes_free(recent);
}
