/* test_lsm_merge.c - sorted runs read as one, both ways. */
#include "lsm_merge.h"

#include <stdio.h>

#include "lsm_fixture.h"
#include "mem.h"
#include "prng.h"

enum { NOTES_BYTES = 512 };

static const struct block_access alone = {0};

/* Runs as memtables, owned here, and as tables, owned by the fixture, in turn. */
struct runs {
    struct lsm_fixture f;
    struct memtable *memtables[8];
    size_t memtable_count;
    struct lsm_merge merge;
};

static void setup(struct runs *runs, const char *const *texts, size_t count) {
    memset(runs, 0, sizeof(*runs));
    lsm_setup(&runs->f);
    lsm_merge_init(&runs->merge);
    for (size_t i = 0; i < count; i++) {
        if (i % 2 == 0) {
            struct memtable *table = memtable_new(
                &(struct memtable_options){.compare = internal_key_compare, .seed = i});
            lsm_fill(&runs->f, table, texts[i]);
            runs->memtables[runs->memtable_count++] = table;
            lsm_merge_add(&runs->merge, lsm_source_of_memtable(table));
        } else {
            struct lsm_table *table = lsm_table_of(&runs->f, texts[i]);
            struct lsm_table *const *at = &runs->f.tables[runs->f.table_count - 1];
            assert_ptr_equal(table, *at);
            lsm_merge_add(&runs->merge, lsm_source_of_tables(at, 1, &alone));
        }
    }
}

static void teardown(struct runs *runs) {
    lsm_merge_deinit(&runs->merge);
    for (size_t i = 0; i < runs->memtable_count; i++)
        memtable_free(runs->memtables[i]);
    lsm_teardown(&runs->f);
}

static void note(struct runs *runs, char *out) {
    lsm_note_internal(out, NOTES_BYTES, lsm_merge_key(&runs->merge));
}

static const char *const three_runs[] = {"a9=1 c8- e7=1", "a3=1 b2=1 c1=1", "b6=1 d5=1 f4=1"};

TEST("3", 1, merge_meets_every_version_in_order_and_in_reverse) {
    struct runs runs;
    setup(&runs, three_runs, 3);
    char met[NOTES_BYTES] = "";
    for (lsm_merge_seek_first(&runs.merge); lsm_merge_valid(&runs.merge);
         lsm_merge_next(&runs.merge))
        note(&runs, met);
    assert_string_equal("a9 a3 b6 b2 c8 c1 d5 e7 f4 ", met);
    met[0] = '\0';
    for (lsm_merge_seek_last(&runs.merge); lsm_merge_valid(&runs.merge);
         lsm_merge_prev(&runs.merge))
        note(&runs, met);
    assert_string_equal("f4 e7 d5 c1 c8 b2 b6 a3 a9 ", met);
    assert_status(STATUS_OK, runs.merge.status);
    teardown(&runs);
}

TEST("3", 1, merge_of_nothing_is_at_its_end) {
    struct runs runs;
    setup(&runs, (const char *const[]){""}, 1);
    lsm_merge_seek_first(&runs.merge);
    assert_false(lsm_merge_valid(&runs.merge));
    lsm_merge_seek_last(&runs.merge);
    assert_false(lsm_merge_valid(&runs.merge));
    teardown(&runs);
}

TEST("3", 3, merge_turned_round_goes_to_the_neighbour_whichever_source_has_it) {
    struct runs runs;
    setup(&runs, three_runs, 3);
    char met[NOTES_BYTES] = "";
    lsm_merge_seek(&runs.merge,
                   internal_key_make(&runs.f.key, slice_of_string("c"), UINT64_MAX, WRITE_PUT));
    note(&runs, met); /* c8 of the first */
    lsm_merge_prev(&runs.merge);
    note(&runs, met);
    lsm_merge_prev(&runs.merge);
    note(&runs, met);
    lsm_merge_next(&runs.merge);
    note(&runs, met);
    lsm_merge_next(&runs.merge);
    note(&runs, met);
    lsm_merge_next(&runs.merge);
    note(&runs, met);
    lsm_merge_next(&runs.merge);
    note(&runs, met);
    lsm_merge_prev(&runs.merge);
    note(&runs, met);
    assert_string_equal("c8 b2 b6 b2 c8 c1 d5 c1 ", met);
    teardown(&runs);
}

/* ---- many ----------------------------------------------------------------------------------- */

enum { MANY = 300, MANY_RUNS = 6 };

static size_t key_number(struct slice internal) {
    struct slice user = internal_key_user(internal);
    return (size_t)(user.data[0] - 'a') * 26 + (size_t)(user.data[1] - 'a');
}

TEST("3", 3, merge_agrees_with_a_sorted_array_through_random_steps_and_turns) {
    struct runs runs;
    struct prng prng;
    static char texts[MANY_RUNS][MANY * 16];
    const char *pointers[MANY_RUNS];
    prng_seed(&prng, 5);
    memset(texts, 0, sizeof(texts));
    for (size_t i = 0; i < MANY; i++) { /* one version a key: its number says where it belongs */
        char *out = texts[prng_below(&prng, MANY_RUNS)];
        size_t used = strlen(out);
        snprintf(out + used, sizeof(texts[0]) - used, "%c%c1=v ", (char)('a' + i / 26),
                 (char)('a' + i % 26));
    }
    for (size_t i = 0; i < MANY_RUNS; i++)
        pointers[i] = texts[i];
    setup(&runs, pointers, MANY_RUNS);
    for (int round = 0; round < 200; round++) {
        size_t at = (size_t)prng_below(&prng, MANY);
        char name[] = {(char)('a' + at / 26), (char)('a' + at % 26), '\0'};
        struct slice key = internal_key_make(&runs.f.key, slice_of_string(name), 1, WRITE_PUT);
        bool forward = prng_below(&prng, 2) == 0;
        if (forward)
            lsm_merge_seek(&runs.merge, key);
        else
            lsm_merge_seek_for_prev(&runs.merge, key);
        for (int i = 0; i < 30; i++) {
            assert_true(lsm_merge_valid(&runs.merge));
            assert_int_equal(at, key_number(lsm_merge_key(&runs.merge)));
            if (prng_below(&prng, 4) == 0) forward = !forward;
            if (forward ? at + 1 == MANY : at == 0) break;
            if (forward)
                lsm_merge_next(&runs.merge);
            else
                lsm_merge_prev(&runs.merge);
            at = forward ? at + 1 : at - 1;
        }
    }
    teardown(&runs);
}

/* ---- a source that fails -------------------------------------------------------------------- */

TEST("3", 2, merge_that_loses_a_source_shows_nothing_and_says_why) {
    struct runs runs;
    setup(&runs, three_runs, 3);
    lsm_damage(&runs.f, runs.f.tables[0]);
    lsm_merge_seek_first(&runs.merge); /* a9 comes from a source that is well */
    assert_false(lsm_merge_valid(&runs.merge));
    assert_status(STATUS_CORRUPT, runs.merge.status);
    assert_non_null(strstr(runs.merge.error.message, "000001.sst"));
    lsm_merge_seek_last(&runs.merge);
    assert_false(lsm_merge_valid(&runs.merge));
    assert_status(STATUS_CORRUPT, runs.merge.status);
    teardown(&runs);
}
