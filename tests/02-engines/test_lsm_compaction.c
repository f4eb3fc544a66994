/* test_lsm_compaction.c - choosing what to merge and what to drop, without an engine: whatever the
 * choice, no reader may see another value than before. */
#include "lsm_compaction.h"

#include <stdio.h>

#include "lsm_edit.h"
#include "lsm_fixture.h"
#include "mem.h"
#include "prng.h"

static struct slice text(const char *string) { return slice_of_string(string); }

static struct lsm_table *table_of(uint64_t number, const char *smallest, const char *largest) {
    struct lsm_table *table = lsm_table_new(number);
    internal_key_make(&table->meta.smallest, text(smallest), 9, WRITE_PUT);
    internal_key_make(&table->meta.largest, text(largest), 1, WRITE_PUT);
    table->meta.size_bytes = 100;
    table->meta.clean_sequence = 10;
    return table;
}

/* "0 a-c d-f | 2 b-d": levels with the ranges of their tables, numbered from 1 on. */
static struct lsm_version *version_of(const char *levels) {
    struct lsm_version *empty = lsm_version_new();
    struct lsm_edit edit;
    struct error error;
    unsigned level = 0;
    uint64_t number = 1;
    lsm_edit_init(&edit);
    for (const char *at = levels; *at != '\0'; at += at[0] == '\0' ? 0 : 1) {
        char smallest[2] = {at[0], '\0'}, largest[2] = {'\0', '\0'};
        if (at[0] >= '0' && at[0] <= '9') level = (unsigned)(at[0] - '0');
        if (at[0] < 'a' || at[0] > 'z') continue;
        largest[0] = at[2];
        at += 2;
        lsm_edit_add(&edit, level, table_of(number++, smallest, largest));
    }
    struct lsm_version *version = lsm_version_apply(empty, &edit, &error);
    assert_non_null(version);
    lsm_version_unref(empty, NULL, NULL);
    lsm_edit_deinit(&edit);
    return version;
}

/* ---- choosing ------------------------------------------------------------------------------- */

struct choosing {
    struct lsm_version *version;
    struct lsm_shape shape;
    struct lsm_compaction_cursor cursor;
    struct lsm_compaction chosen;
};

static void choose(struct choosing *c, const char *levels) {
    memset(c, 0, sizeof(*c));
    c->version = version_of(levels);
    c->shape = (struct lsm_shape){.l0_tables = 2, .level1_bytes = 200, .tombstones = 9};
    assert_true(lsm_compaction_pick(c->version, &c->shape, &c->cursor, &c->chosen));
}

static void chosen_end(struct choosing *c) {
    lsm_compaction_deinit(&c->chosen);
    lsm_compaction_cursor_deinit(&c->cursor);
    lsm_version_unref(c->version, NULL, NULL);
}

static bool is_input(const struct lsm_compaction *compaction, int side, uint64_t number) {
    for (size_t i = 0; i < compaction->counts[side]; i++)
        if (compaction->inputs[side][i]->meta.number == number) return true;
    return false;
}

TEST("5", 0, tree_in_shape_is_left_alone) {
    struct lsm_version *version = version_of("0 a-z 1 a-b 2 c-d");
    struct lsm_shape shape = {.l0_tables = 2, .level1_bytes = 200, .tombstones = 9};
    struct lsm_compaction_cursor cursor = {0};
    struct lsm_compaction compaction;
    assert_false(lsm_compaction_pick(version, &shape, &cursor, &compaction));
    lsm_version_unref(version, NULL, NULL);
}

TEST("5", 0, full_level_0_is_merged_with_what_it_overlaps_below) {
    struct choosing c;
    choose(&c, "0 c-d e-g 1 a-b d-e h-i");
    assert_int_equal(0, c.chosen.level);
    assert_int_equal(1, c.chosen.output_level);
    assert_int_equal(1, c.chosen.counts[1]);
    assert_true(is_input(&c.chosen, 1, 4));
    assert_false(c.chosen.is_move);
    chosen_end(&c);
}

TEST("5", 0, tables_that_meet_in_one_key_overlap) {
    struct choosing c;
    choose(&c, "0 d-h e-g 1 a-d e-e h-k");
    assert_int_equal(3, c.chosen.counts[1]);
    chosen_end(&c);
}

TEST("5", 0, tables_of_level_0_that_overlap_are_not_moved_together) {
    struct choosing c;
    choose(&c, "0 a-e c-g");
    assert_false(c.chosen.is_move && c.chosen.counts[0] > 1);
    chosen_end(&c);
}

TEST("5", 0, level_0_goes_first_and_else_the_level_furthest_beyond_its_share) {
    struct choosing c;
    choose(&c, "0 a-b c-d 1 a-b c-d e-f g-h i-j");
    assert_int_equal(0, c.chosen.level);
    chosen_end(&c);
    choose(&c, "1 a-b c-d e-f 2 g-h");
    assert_int_equal(1, c.chosen.level);
    chosen_end(&c);
    /* Level 1 has 3 of 2 tables, level 2 has 31 of 20: the larger part beyond is level 2's. */
    struct lsm_version *version = version_of("1 a-b c-d e-f");
    struct lsm_shape shape = {.l0_tables = 2, .level1_bytes = 200, .tombstones = 9};
    struct lsm_compaction_cursor cursor = {0};
    struct lsm_compaction compaction;
    struct lsm_table *large = table_of(9, "m", "n");
    large->meta.size_bytes = 3100;
    lsm_version_add_table(version, 2, large);
    assert_true(lsm_compaction_pick(version, &shape, &cursor, &compaction));
    assert_int_equal(2, compaction.level);
    lsm_compaction_deinit(&compaction);
    large->meta.size_bytes = 2900;
    assert_true(lsm_compaction_pick(version, &shape, &cursor, &compaction));
    assert_int_equal(1, compaction.level);
    lsm_compaction_deinit(&compaction);
    lsm_compaction_cursor_deinit(&cursor);
    lsm_version_unref(version, NULL, NULL);
}

/* A random tree of tables over the letters; levels from 1 on do not overlap. */
static struct lsm_version *random_version(struct prng *prng) {
    char levels[400];
    size_t len = 0;
    for (char level = '0'; level <= '3'; level++) {
        levels[len++] = level;
        if (level == '0') {
            for (uint64_t i = prng_below(prng, 5); i > 0; i--) {
                char first = (char)('a' + prng_below(prng, 26));
                char last = (char)(first + (int)prng_below(prng, (uint64_t)('z' - first) + 1));
                levels[len++] = first;
                levels[len++] = '-';
                levels[len++] = last;
            }
            continue;
        }
        for (int first = 'a' + (int)prng_below(prng, 6); first <= 'z';) {
            int last = first + (int)prng_below(prng, 4);
            if (last > 'z') last = 'z';
            levels[len++] = (char)first;
            levels[len++] = '-';
            levels[len++] = (char)last;
            first = last + 1 + (int)prng_below(prng, 8);
        }
    }
    levels[len] = '\0';
    return version_of(levels);
}

static bool overlap(const struct lsm_table *a, const struct lsm_table *b) {
    return lsm_table_overlaps(a, lsm_table_smallest_user(b), lsm_table_largest_user(b));
}

/* No version of a key may get below an older one. */
static void check_choice(const struct lsm_version *version, const struct lsm_compaction *c) {
    assert_int_equal(c->level + 1, c->output_level);
    assert_true(c->counts[0] > 0);
    for (size_t i = 0; i < c->counts[0]; i++) {
        const struct lsm_table *input = c->inputs[0][i];
        size_t below = version->table_count[c->output_level];
        for (size_t k = 0; k < below; k++) {
            const struct lsm_table *table = version->tables[c->output_level][k];
            if (overlap(input, table)) assert_true(is_input(c, 1, table->meta.number));
        }
        for (size_t k = 0; c->level == 0 && k < version->table_count[0]; k++) {
            const struct lsm_table *other = version->tables[0][k];
            if (other->meta.number < input->meta.number && overlap(input, other))
                assert_true(is_input(c, 0, other->meta.number));
            if (other != input && c->is_move && is_input(c, 0, other->meta.number))
                assert_false(overlap(input, other));
        }
    }
    if (c->is_move) assert_int_equal(0, c->counts[1]);
}

TEST("5", 0, no_choice_lets_a_version_pass_an_older_one) {
    struct prng prng;
    struct lsm_shape shape = {.l0_tables = 2, .level1_bytes = 300, .tombstones = 9};
    prng_seed(&prng, 5);
    for (int round = 0; round < 2000; round++) {
        struct lsm_version *version = random_version(&prng);
        struct lsm_compaction_cursor cursor = {0};
        struct lsm_compaction compaction;
        for (int turns = 0; turns < 3; turns++) {
            if (!lsm_compaction_pick(version, &shape, &cursor, &compaction)) break;
            check_choice(version, &compaction);
            lsm_compaction_deinit(&compaction);
        }
        lsm_compaction_cursor_deinit(&cursor);
        lsm_version_unref(version, NULL, NULL);
    }
}

/* As the engine does with a choice: what was read leaves, one table of the output comes. */
static struct lsm_version *after(struct lsm_version *version, const struct lsm_compaction *c,
                                 uint64_t number) {
    struct lsm_edit edit;
    struct error error;
    char smallest[2] = "z", largest[2] = "a";
    lsm_edit_init(&edit);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < c->counts[side]; i++) {
            const struct lsm_table *table = c->inputs[side][i];
            char first = (char)lsm_table_smallest_user(table).data[0];
            char last = (char)lsm_table_largest_user(table).data[0];
            if (first < smallest[0]) smallest[0] = first;
            if (last > largest[0]) largest[0] = last;
            lsm_edit_remove(&edit, table->meta.number);
        }
    }
    lsm_edit_add(&edit, c->output_level, table_of(number, smallest, largest));
    struct lsm_version *next = lsm_version_apply(version, &edit, &error);
    assert_non_null(next); /* or the output overlaps its level */
    lsm_edit_deinit(&edit);
    lsm_version_unref(version, NULL, NULL);
    return next;
}

TEST("5", 0, choices_bring_any_tree_into_shape) {
    struct prng prng;
    struct lsm_shape shape = {.l0_tables = 2, .level1_bytes = 300, .tombstones = 9};
    prng_seed(&prng, 6);
    for (int round = 0; round < 500; round++) {
        struct lsm_version *version = random_version(&prng);
        struct lsm_compaction_cursor cursor = {0};
        struct lsm_compaction compaction;
        uint64_t number = 1000;
        while (lsm_compaction_pick(version, &shape, &cursor, &compaction)) {
            version = after(version, &compaction, number++);
            lsm_compaction_deinit(&compaction);
            assert_true(number < 1100);
        }
        assert_true(version->table_count[0] < 2);
        assert_true(lsm_version_level_bytes(version, 1) < 300);
        lsm_compaction_cursor_deinit(&cursor);
        lsm_version_unref(version, NULL, NULL);
    }
}

/* ---- reading the inputs --------------------------------------------------------------------- */

TEST("5", 0, inputs_are_merged_in_order_whatever_level_they_come_from) {
    struct lsm_fixture f;
    lsm_setup(&f);
    struct lsm_table *level0[] = {lsm_table_of(&f, "a1=x m2=x z3=x"), lsm_table_of(&f, "b5=x m4-"),
                                  lsm_table_of(&f, "a8=x c7=x")};
    struct lsm_table *level1[] = {lsm_table_of(&f, "d1=x"), lsm_table_of(&f, "e1=x m1=x")};
    struct lsm_compaction compaction = {.level = 0, .output_level = 1, .counts = {3, 2}};
    compaction.inputs[0] = level0;
    compaction.inputs[1] = level1;
    struct lsm_merge merge;
    char met[200] = "";
    lsm_merge_init(&merge);
    lsm_compaction_add_sources(&compaction, &merge);
    for (lsm_merge_seek_first(&merge); lsm_merge_valid(&merge); lsm_merge_next(&merge))
        lsm_note_internal(met, sizeof(met), lsm_merge_key(&merge));
    assert_string_equal("a8 a1 b5 c7 d1 e1 m4 m2 m1 z3 ", met);
    lsm_merge_deinit(&merge);
    lsm_teardown(&f);
}

TEST("5", 0, tables_of_a_level_are_one_run) {
    struct lsm_fixture f;
    lsm_setup(&f);
    struct lsm_table *level1[] = {lsm_table_of(&f, "a4=x b5=x"), lsm_table_of(&f, "m4=x")};
    struct lsm_table *level2[] = {lsm_table_of(&f, "b1=x"), lsm_table_of(&f, "k1=x"),
                                  lsm_table_of(&f, "m1=x")};
    struct lsm_compaction compaction = {.level = 1, .output_level = 2, .counts = {2, 3}};
    compaction.inputs[0] = level1;
    compaction.inputs[1] = level2;
    struct lsm_merge merge;
    char met[200] = "";
    lsm_merge_init(&merge);
    lsm_compaction_add_sources(&compaction, &merge);
    assert_int_equal(2, merge.count); /* one open block each, however many tables */
    for (lsm_merge_seek_first(&merge); lsm_merge_valid(&merge); lsm_merge_next(&merge))
        lsm_note_internal(met, sizeof(met), lsm_merge_key(&merge));
    assert_string_equal("a4 b5 b1 k1 m4 m1 ", met);
    lsm_merge_deinit(&merge);
    lsm_teardown(&f);
}

/* ---- dropping ------------------------------------------------------------------------------- */

struct dropping {
    struct lsm_filter filter;
    struct lsm_version *version;
    unsigned level_below;
};

static bool keeps(struct dropping *d, const char *key, uint64_t sequence, enum write_kind kind) {
    struct buf internal = BUF_INIT;
    bool kept = lsm_compaction_keeps(&d->filter, d->version, d->level_below,
                                     internal_key_make(&internal, text(key), sequence, kind));
    buf_deinit(&internal);
    return kept;
}

static void dropping_end(struct dropping *d) {
    lsm_filter_deinit(&d->filter);
    lsm_version_unref(d->version, NULL, NULL);
}

TEST("5", 1, of_each_key_the_newest_version_is_kept) {
    struct dropping d = {.version = version_of("1 a-c"), .level_below = 2};
    assert_true(keeps(&d, "a", 20, WRITE_PUT));
    assert_false(keeps(&d, "a", 19, WRITE_PUT));
    assert_false(keeps(&d, "a", 18, WRITE_DELETE));
    assert_true(keeps(&d, "aa", 3, WRITE_PUT)); /* another key, of the same beginning */
    assert_true(keeps(&d, "b", 1, WRITE_PUT));
    dropping_end(&d);
}

TEST("5", 1, what_a_dropped_deletion_shadows_is_dropped_with_it) {
    struct dropping d = {.version = version_of("1 a-c"), .level_below = 2};
    assert_false(keeps(&d, "a", 20, WRITE_DELETE));
    assert_false(keeps(&d, "a", 19, WRITE_PUT));
    dropping_end(&d);
}

TEST("5", 2, version_that_a_deleted_range_hides_is_dropped) {
    struct dropping d = {.version = version_of("1 a-z"), .level_below = 2};
    struct lsm_tombstone *tombstone = lsm_tombstone_new(text("f"), text("m"), 50);
    lsm_version_add_tombstone(d.version, tombstone);
    assert_true(keeps(&d, "e", 20, WRITE_PUT));
    assert_false(keeps(&d, "f", 49, WRITE_PUT));
    assert_true(keeps(&d, "g", 51, WRITE_PUT)); /* written after the range was deleted */
    assert_true(keeps(&d, "m", 20, WRITE_PUT));
    dropping_end(&d);
}

TEST("5", 3, deletion_is_dropped_only_where_nothing_older_can_lie_below) {
    struct dropping d = {.version = version_of("1 a-c 2 b-h 4 e-g"), .level_below = 3};
    assert_false(keeps(&d, "b", 20, WRITE_DELETE)); /* what levels 1 and 2 have is in the merge */
    assert_true(keeps(&d, "e", 20, WRITE_DELETE));
    assert_true(keeps(&d, "f", 20, WRITE_DELETE)); /* the table may hold it */
    assert_true(keeps(&d, "g", 20, WRITE_DELETE));
    assert_false(keeps(&d, "h", 19, WRITE_DELETE));
    dropping_end(&d);
}

TEST("5", 3, last_level_keeps_no_deletion) {
    struct dropping d = {.version = version_of("5 a-z 6 a-z"), .level_below = LSM_LEVELS};
    assert_false(keeps(&d, "b", 20, WRITE_DELETE));
    assert_true(keeps(&d, "c", 20, WRITE_PUT));
    dropping_end(&d);
}
