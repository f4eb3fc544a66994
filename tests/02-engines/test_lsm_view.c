/* test_lsm_view.c - what a reader of the LSM tree sees: one key, and all in order. */
#include "lsm_view.h"

#include <stdio.h>

#include "lsm_fixture.h"
#include "mem.h"
#include "prng.h"

enum { NOTES_BYTES = 2048 };

static const struct block_access alone = {0};

/* NULL: must not be there. */
static void expect_at(struct lsm_fixture *f, uint64_t sequence, const char *key,
                      const char *value) {
    enum status status = lsm_view_get(f->snapshot.view, &alone, slice_of_string(key), sequence,
                                      false, &f->value, &f->error);
    if (status != (value == NULL ? STATUS_NOT_FOUND : STATUS_OK))
        print_error("get \"%s\" at %llu\n", key, (unsigned long long)sequence);
    if (value == NULL) {
        assert_status(STATUS_NOT_FOUND, status);
        return;
    }
    assert_ok(status, status != STATUS_NOT_FOUND ? &f->error : NULL);
    assert_slice_equal(slice_of_string(value), buf_slice(&f->value));
}

static void expect(struct lsm_fixture *f, const char *key, const char *value) {
    expect_at(f, f->snapshot.sequence, key, value);
}

/* The keys that an iterator meets, forwards and backwards. */
static void expect_keys(struct lsm_fixture *f, const char *lower, const char *upper,
                        const char *forwards, const char *backwards) {
    struct engine_iterator_options options = {.lower = slice_of_string(lower),
                                              .upper = slice_of_string(upper)};
    struct engine_iterator *it = lsm_iterator_new(&f->snapshot, NULL, &alone, &options);
    char met[NOTES_BYTES] = "";
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        lsm_note_user(met, sizeof(met), engine_iterator_key(it));
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    assert_string_equal(forwards, met);
    met[0] = '\0';
    for (bool valid = engine_iterator_seek_last(it); valid; valid = engine_iterator_prev(it))
        lsm_note_user(met, sizeof(met), engine_iterator_key(it));
    assert_ok(engine_iterator_status(it, &f->error), &f->error);
    assert_string_equal(backwards, met);
    engine_iterator_free(it);
}

/* ---- one key -------------------------------------------------------------------------------- */

TEST("3", 1, newest_version_is_found_wherever_it_lies) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 2, "a1=level2 b1=level2 c1=level2 d1=level2 e1=level2 x1=level2");
    lsm_add_table(&f, 1, "a2=level1 b2=level1 c2=level1 d2=level1");
    lsm_add_table(&f, 0, "a3=older b3=older c3=older");
    lsm_add_table(&f, 0, "a4=newer b4=newer");
    lsm_add_memtable(&f, "a6=memory a5=old");
    lsm_view_at(&f, 9);
    expect(&f, "a", "memory");
    expect(&f, "b", "newer");
    expect(&f, "c", "older");
    expect(&f, "d", "level1");
    expect(&f, "e", "level2");
    expect(&f, "m", NULL);
    expect(&f, "z", NULL);
    lsm_teardown(&f);
}

TEST("3", 1, key_is_found_in_the_table_of_a_level_that_takes_it_in) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "b1=1 d2=2");
    lsm_add_table(&f, 1, "f3=3 h4=4");
    lsm_add_table(&f, 1, "j5=5 l6=6");
    lsm_view_at(&f, 9);
    static const char *const values[] = {NULL, "1",  NULL, "2",  NULL, "3", NULL,
                                         "4",  NULL, "5",  NULL, "6",  NULL};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        expect(&f, (char[]){(char)('a' + i), '\0'}, values[i]);
    lsm_teardown(&f);
}

TEST("3", 2, deletion_hides_what_lies_below_it) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 2, "a1=v b1=v c1=v d1=v");
    lsm_add_table(&f, 1, "c2-");
    lsm_add_table(&f, 0, "b3-");
    lsm_add_memtable(&f, "a4-");
    lsm_view_at(&f, 9);
    expect(&f, "a", NULL);
    expect(&f, "b", NULL);
    expect(&f, "c", NULL);
    expect(&f, "d", "v");
    expect_keys(&f, "", "", "d ", "d ");
    lsm_teardown(&f);
}

TEST("3", 2, reader_sees_nothing_that_is_newer_than_its_sequence_number) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 0, "a1=first b2=b");
    lsm_add_memtable(&f, "a7=third a5- a4=second c6=c");
    lsm_view_at(&f, 5);
    expect_at(&f, 3, "a", "first");
    expect_at(&f, 4, "a", "second");
    expect_at(&f, 5, "a", NULL);
    expect_at(&f, 6, "a", NULL);
    expect_at(&f, 7, "a", "third");
    expect_at(&f, 5, "c", NULL);
    expect_at(&f, 6, "c", "c");
    expect_keys(&f, "", "", "b ", "b ");
    lsm_teardown(&f);
}

TEST("3", 2, range_tombstone_hides_what_is_older_in_its_range) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=v b1=v c1=v d1=v e1=v f1=v");
    lsm_add_table(&f, 0, "c6=after d4=before");
    struct lsm_memtable *memtable = lsm_add_memtable(&f, "e9=again");
    struct lsm_tombstone *tombstone =
        lsm_tombstone_new(slice_of_string("b"), slice_of_string("e"), 5);
    lsm_version_add_tombstone(f.version, tombstone);
    assert_ok(memtable_put(memtable->ranges,
                           internal_key_make(&f.key, slice_of_string("e"), 8, WRITE_DELETE_RANGE),
                           slice_of_string("f")),
              NULL);
    lsm_view_at(&f, 9);
    expect(&f, "a", "v");
    expect(&f, "b", NULL);
    expect(&f, "c", "after");
    expect(&f, "d", NULL);
    expect(&f, "e", "again");
    expect(&f, "f", "v");
    expect_keys(&f, "", "", "a c e f ", "f e c a ");
    lsm_teardown(&f);
}

TEST("3", 0, reader_of_what_is_flushed_does_not_see_the_memtables) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 0, "a1=flushed");
    lsm_add_memtable(&f, "a3=new b4=new");
    lsm_view_at(&f, 9);
    const struct lsm_view *view = f.snapshot.view;
    assert_ok(lsm_view_get(view, &alone, slice_of_string("a"), 9, true, &f.value, &f.error),
              &f.error);
    assert_slice_equal(slice_of_string("flushed"), buf_slice(&f.value));
    assert_status(STATUS_NOT_FOUND,
                  lsm_view_get(view, &alone, slice_of_string("b"), 9, true, &f.value, &f.error));
    lsm_teardown(&f);
}

TEST("3", 3, damaged_table_ends_the_search_instead_of_showing_what_is_older) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=old");
    struct lsm_table *damaged = lsm_add_table(&f, 0, "a2=new");
    lsm_view_at(&f, 9);
    lsm_damage(&f, damaged);
    assert_status(STATUS_CORRUPT, lsm_view_get(f.snapshot.view, &alone, slice_of_string("a"), 9,
                                               false, &f.value, &f.error));
    assert_non_null(strstr(f.error.message, "000002.sst"));
    lsm_teardown(&f);
}

/* ---- all in order --------------------------------------------------------------------------- */

TEST("3", 1, iterator_shows_each_key_once_in_both_directions) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=v b1=v c1=v");
    lsm_add_table(&f, 1, "d1=v e1=v");
    lsm_add_table(&f, 0, "b2=v d2=v");
    lsm_add_memtable(&f, "b5=v b4- b3=v c6=v");
    lsm_view_at(&f, 9);
    expect_keys(&f, "", "", "a b c d e ", "e d c b a ");
    expect_keys(&f, "b", "d", "b c ", "c b ");
    expect_keys(&f, "aa", "dd", "b c d ", "d c b ");
    expect_keys(&f, "x", "", "", "");
    lsm_teardown(&f);
}

TEST("3", 2, iterator_steps_over_a_deleted_key_and_shows_the_one_behind_it) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=v b1=v c1=v d1=v");
    lsm_add_memtable(&f, "b5- b4=v c6-");
    lsm_view_at(&f, 9);
    expect_keys(&f, "", "", "a d ", "d a ");
    lsm_teardown(&f);
}

TEST("3", 2, iterator_turned_round_shows_the_values_that_it_shows_when_it_comes_straight) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=old b1=old c1=old");
    lsm_add_memtable(&f, "b7=hidden b5=new c4-");
    lsm_view_at(&f, 6);
    struct engine_iterator *it =
        lsm_iterator_new(&f.snapshot, NULL, &alone, &(struct engine_iterator_options){0});
    assert_true(engine_iterator_seek_last(it));
    assert_slice_equal(slice_of_string("new"), engine_iterator_value(it));
    assert_true(engine_iterator_prev(it));
    assert_slice_equal(slice_of_string("a"), engine_iterator_key(it));
    assert_true(engine_iterator_next(it));
    assert_slice_equal(slice_of_string("b"), engine_iterator_key(it));
    assert_slice_equal(slice_of_string("new"), engine_iterator_value(it));
    assert_true(engine_iterator_prev(it));
    assert_slice_equal(slice_of_string("old"), engine_iterator_value(it));
    assert_false(engine_iterator_prev(it));
    engine_iterator_free(it);
    lsm_teardown(&f);
}

TEST("3", 3, iterator_that_meets_damage_stops_and_says_where) {
    struct lsm_fixture f;
    lsm_setup(&f);
    lsm_add_table(&f, 1, "a1=v b1=v");
    struct lsm_table *damaged = lsm_add_table(&f, 1, "c1=v d1=v");
    lsm_view_at(&f, 9);
    lsm_damage(&f, damaged);
    struct engine_iterator *it =
        lsm_iterator_new(&f.snapshot, NULL, &alone, &(struct engine_iterator_options){0});
    assert_true(engine_iterator_seek_first(it));
    while (engine_iterator_valid(it))
        engine_iterator_next(it);
    assert_status(STATUS_CORRUPT, engine_iterator_status(it, &f.error));
    assert_non_null(strstr(f.error.message, "000002.sst"));
    assert_false(engine_iterator_seek_for_prev(it, slice_of_string("c")));
    assert_status(STATUS_CORRUPT, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    lsm_teardown(&f);
}

/* Backward the oldest version of a key comes first: when the table that held it cannot go on, the
 * newer one that waits elsewhere was not seen. */
TEST("3", 3, iterator_that_fails_before_the_newest_version_of_a_key_does_not_show_an_older_one) {
    struct lsm_fixture f;
    lsm_setup(&f);
    char run[2 * 4200 + 32];
    size_t used = (size_t)snprintf(run, sizeof(run), "a1=");
    memset(run + used, 'v', 4200); /* a block of its own */
    snprintf(run + used + 4200, sizeof(run) - used - 4200, " b1=old");
    struct lsm_table *table = lsm_add_table(&f, 1, run);
    lsm_add_memtable(&f, "b5=new");
    lsm_view_at(&f, 9);
    lsm_damage(&f, table);
    struct engine_iterator *it =
        lsm_iterator_new(&f.snapshot, NULL, &alone, &(struct engine_iterator_options){0});
    assert_false(engine_iterator_seek_last(it));
    assert_status(STATUS_CORRUPT, engine_iterator_status(it, &f.error));
    engine_iterator_free(it);
    lsm_teardown(&f);
}

/* ---- many ----------------------------------------------------------------------------------- */

enum { KEYS = 150, RUNS = 7, NEVER = -1 };

/* Newest first: one memtable, three tables of level 0, levels 1 to 3 in tables of a few keys. */
static void add_run(struct lsm_fixture *f, unsigned run, char *text) {
    static const unsigned levels[RUNS] = {0, 0, 0, 0, 1, 2, 3};
    if (run == 0) {
        lsm_add_memtable(f, text);
    } else if (levels[run] == 0) {
        lsm_add_table(f, 0, text);
    } else { /* cut between two versions */
        for (char *at = text; *at != '\0';) {
            char *cut = at;
            for (int i = 0; i < 9 && *cut != '\0'; i++)
                cut += strcspn(cut, " ") + 1;
            char kept = *cut;
            *cut = '\0';
            lsm_add_table(f, levels[run], at);
            *cut = kept;
            at = cut;
        }
    }
}

/* Runs from old to new; what the last of them leaves is the model: sequence number, or NEVER. */
static void build(struct lsm_fixture *f, struct prng *prng, long model[KEYS]) {
    for (size_t i = 0; i < KEYS; i++)
        model[i] = NEVER;
    for (unsigned run = RUNS; run-- > 0;) {
        char text[KEYS * 24] = "";
        size_t used = 0;
        for (size_t i = 0; i < KEYS; i++) {
            uint64_t what = prng_below(prng, 10);
            unsigned sequence = RUNS - run;
            if (what > 4) continue;
            model[i] = what == 0 ? NEVER : (long)sequence;
            int len = what == 0 ? snprintf(text + used, sizeof(text) - used, "%c%c%u- ",
                                           (char)('a' + i / 26), (char)('a' + i % 26), sequence)
                                : snprintf(text + used, sizeof(text) - used, "%c%c%u=%u ",
                                           (char)('a' + i / 26), (char)('a' + i % 26), sequence,
                                           sequence);
            used += (size_t)len;
        }
        add_run(f, run, text);
    }
}

static void expect_position(const struct engine_iterator *it, const long model[KEYS], long at) {
    assert_int_equal(at >= 0 && at < KEYS, engine_iterator_valid(it));
    if (!engine_iterator_valid(it)) return;
    char name[] = {(char)('a' + at / 26), (char)('a' + at % 26), '\0'};
    assert_slice_equal(slice_of_string(name), engine_iterator_key(it));
    char value[24];
    snprintf(value, sizeof(value), "%ld", model[at]);
    assert_slice_equal(slice_of_string(value), engine_iterator_value(it));
}

static long step(const long model[KEYS], long at, long direction) {
    do
        at += direction;
    while (at >= 0 && at < KEYS && model[at] == NEVER);
    return at;
}

TEST("3", 1, random_trees_agree_with_a_sorted_array_through_walks_and_turns) {
    struct prng prng;
    prng_seed(&prng, 9);
    for (int round = 0; round < 12; round++) {
        struct lsm_fixture f;
        long model[KEYS];
        lsm_setup(&f);
        build(&f, &prng, model);
        lsm_view_at(&f, 100);
        for (long i = 0; i < KEYS; i++) {
            char name[] = {(char)('a' + i / 26), (char)('a' + i % 26), '\0'}, value[24];
            snprintf(value, sizeof(value), "%ld", model[i]);
            expect(&f, name, model[i] == NEVER ? NULL : value);
        }
        struct engine_iterator *it =
            lsm_iterator_new(&f.snapshot, NULL, &alone, &(struct engine_iterator_options){0});
        for (int walk = 0; walk < 40; walk++) {
            long at = (long)prng_below(&prng, KEYS);
            char name[] = {(char)('a' + at / 26), (char)('a' + at % 26), '\0'};
            long direction = prng_below(&prng, 2) == 0 ? 1 : -1;
            if (direction > 0)
                engine_iterator_seek(it, slice_of_string(name));
            else
                engine_iterator_seek_for_prev(it, slice_of_string(name));
            if (model[at] == NEVER) at = step(model, at, direction);
            expect_position(it, model, at);
            for (int i = 0; i < 25 && engine_iterator_valid(it); i++) {
                if (prng_below(&prng, 4) == 0) direction = -direction;
                if (direction > 0)
                    engine_iterator_next(it);
                else
                    engine_iterator_prev(it);
                at = step(model, at, direction);
                expect_position(it, model, at);
            }
        }
        engine_iterator_free(it);
        lsm_teardown(&f);
    }
}
