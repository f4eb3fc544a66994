/* test_latch.c - latches: conflicts, fairness, and a model of the interval tree. */
#include "harness.h"
#include "latch.h"
#include "prng.h"

enum { MAX_LATCHES = 3 };

struct holder {
    struct latch_guard guard;
    struct latch latches[MAX_LATCHES];
    char keys[MAX_LATCHES][2];
    bool granted;
};

static void on_granted(struct latch_guard *guard) { ((struct holder *)guard->arg)->granted = true; }

static void add_span(struct holder *holder, struct span span, enum span_access access) {
    holder->guard.latches = holder->latches;
    holder->guard.granted = on_granted;
    holder->guard.arg = holder;
    holder->latches[holder->guard.count++] = (struct latch){.span = span, .access = access};
}

static void add(struct holder *holder, const char *start, const char *end,
                enum span_access access) {
    struct slice first = slice_of_string(start);
    add_span(holder,
             end == NULL ? span_point(1, first) : span_range(1, first, slice_of_string(end)),
             access);
}

static bool acquire(struct latches *latches, struct holder *holder) {
    holder->granted = latches_acquire(latches, &holder->guard);
    latches_check_invariants(latches);
    return holder->granted;
}

static void release(struct latches *latches, struct holder *holder) {
    latches_release(latches, &holder->guard);
    latches_check_invariants(latches);
}

TEST("1", 1, readers_of_one_key_share_it) {
    struct latches latches;
    latches_init(&latches);
    struct holder a = {0}, b = {0};
    add(&a, "k", NULL, SPAN_READ);
    add(&b, "a", "z", SPAN_READ);
    assert_true(acquire(&latches, &a));
    assert_true(acquire(&latches, &b));
}

TEST("1", 1, a_writer_waits_for_the_readers_of_its_key) {
    struct latches latches;
    latches_init(&latches);
    struct holder a = {0}, b = {0}, writer = {0};
    add(&a, "k", NULL, SPAN_READ);
    add(&b, "a", "z", SPAN_READ);
    add(&writer, "k", NULL, SPAN_WRITE);
    assert_true(acquire(&latches, &a));
    assert_true(acquire(&latches, &b));
    assert_false(acquire(&latches, &writer));
    release(&latches, &a);
    assert_false(writer.granted);
    release(&latches, &b);
    assert_true(writer.granted);
}

TEST("1", 1, a_range_ends_before_its_end) {
    struct latches latches;
    latches_init(&latches);
    struct holder range = {0}, at_end = {0}, last = {0}, beyond = {0};
    add(&range, "b", "d", SPAN_WRITE);
    add(&at_end, "d", NULL, SPAN_WRITE);
    add(&last, "czz", NULL, SPAN_WRITE);
    add(&beyond, "a", "b", SPAN_WRITE);
    assert_true(acquire(&latches, &range));
    assert_true(acquire(&latches, &at_end));
    assert_true(acquire(&latches, &beyond));
    assert_false(acquire(&latches, &last));
}

TEST("1", 1, keys_of_different_spaces_never_meet) {
    struct latches latches;
    latches_init(&latches);
    struct holder a = {0}, b = {0};
    add_span(&a, span_point(1, SLICE_LITERAL("k")), SPAN_WRITE);
    add_span(&b, span_range(2, SLICE_EMPTY, SLICE_EMPTY), SPAN_WRITE);
    assert_true(acquire(&latches, &a));
    assert_true(acquire(&latches, &b));
}

TEST("1", 2, a_reader_does_not_overtake_a_writer_that_waits) {
    struct latches latches;
    latches_init(&latches);
    struct holder first = {0}, writer = {0}, late = {0};
    add(&first, "k", NULL, SPAN_READ);
    add(&writer, "k", NULL, SPAN_WRITE);
    add(&late, "k", NULL, SPAN_READ);
    assert_true(acquire(&latches, &first));
    assert_false(acquire(&latches, &writer));
    assert_false(acquire(&latches, &late));
    release(&latches, &first);
    assert_true(writer.granted);
    assert_false(late.granted);
    release(&latches, &writer);
    assert_true(late.granted);
}

TEST("1", 2, one_that_gives_up_waiting_blocks_no_one) {
    struct latches latches;
    latches_init(&latches);
    struct holder first = {0}, writer = {0}, late = {0};
    add(&first, "k", NULL, SPAN_READ);
    add(&writer, "k", NULL, SPAN_WRITE);
    add(&late, "k", NULL, SPAN_READ);
    assert_true(acquire(&latches, &first));
    assert_false(acquire(&latches, &writer));
    assert_false(acquire(&latches, &late));
    release(&latches, &writer);
    assert_true(late.granted);
    assert_int_equal(latches.waiting, 0);
}

/* The model: a list of guards in order of arrival; one is granted if nothing earlier conflicts. */
static bool pair_conflicts(const struct latch *a, const struct latch *b) {
    return (a->access == SPAN_WRITE || b->access == SPAN_WRITE) &&
           span_overlaps(&a->span, &b->span);
}

static bool model_granted(struct holder **order, size_t at) {
    for (size_t i = 0; i < at; i++) {
        for (size_t x = 0; x < order[i]->guard.count; x++) {
            for (size_t y = 0; y < order[at]->guard.count; y++) {
                if (pair_conflicts(&order[i]->latches[x], &order[at]->latches[y])) return false;
            }
        }
    }
    return true;
}

static void fill_at_random(struct holder *holder, struct prng *prng) {
    *holder = (struct holder){0};
    size_t count = prng_between(prng, 1, MAX_LATCHES);
    for (size_t i = 0; i < count; i++) {
        holder->keys[i][0] = (char)('a' + prng_below(prng, 20));
        holder->keys[i][1] = (char)('a' + prng_below(prng, 20));
        struct slice start = slice_of(&holder->keys[i][0], 1),
                     end = slice_of(&holder->keys[i][1], 1);
        struct span span = span_point(1, start);
        if (prng_below(prng, 3) == 0 && slice_compare(start, end) < 0)
            span = span_range(1, start, end);
        else if (prng_below(prng, 20) == 0)
            span = span_range(1, start, SLICE_EMPTY);
        add_span(holder, span, prng_below(prng, 2) == 0 ? SPAN_READ : SPAN_WRITE);
    }
}

TEST("1", 3, random_guards_are_granted_as_a_list_in_order_of_arrival_would) {
    enum { HOLDERS = 40, STEPS = 4000 };
    struct latches latches;
    latches_init(&latches);
    struct holder holders[HOLDERS];
    struct holder *order[HOLDERS], *idle[HOLDERS];
    size_t active = 0, free_count = HOLDERS;
    for (size_t i = 0; i < HOLDERS; i++)
        idle[i] = &holders[i];
    struct prng prng;
    prng_seed(&prng, 7);
    for (int step = 0; step < STEPS; step++) {
        if (free_count > 0 && prng_below(&prng, 2) == 0) {
            struct holder *holder = idle[--free_count];
            fill_at_random(holder, &prng);
            order[active++] = holder;
            holder->granted = latches_acquire(&latches, &holder->guard);
        } else if (active > 0) {
            size_t at = prng_below(&prng, active);
            latches_release(&latches, &order[at]->guard);
            idle[free_count++] = order[at];
            for (size_t i = at + 1; i < active; i++)
                order[i - 1] = order[i];
            active--;
        }
        for (size_t i = 0; i < active; i++)
            assert_int_equal(model_granted(order, i), order[i]->granted);
        latches_check_invariants(&latches);
    }
}
