/* lsm_compaction.c - choosing tables to merge, and versions to keep. What lives here: scores,
 * overlaps, the three rules of dropping. What must not: reading, writing, waiting (lsm_job.c). */
#include "lsm_compaction.h"

#include "mem.h"

enum { LEVEL_FACTOR = 10 };

/* ---- inputs --------------------------------------------------------------------------------- */

static void add_input(struct lsm_compaction *compaction, int side, struct lsm_table *table) {
    size_t count = compaction->counts[side]++;
    compaction->inputs[side] =
        mem_realloc(compaction->inputs[side], (count + 1) * sizeof(struct lsm_table *));
    compaction->inputs[side][count] = table;
}

static void add_overlapping(const struct lsm_version *version, struct lsm_compaction *compaction,
                            struct slice smallest, struct slice largest) {
    unsigned level = compaction->output_level;
    for (size_t i = 0; i < version->table_count[level]; i++)
        if (lsm_table_overlaps(version->tables[level][i], smallest, largest))
            add_input(compaction, 1, version->tables[level][i]);
}

/* Of the tables of a side; false if there is none. */
static bool range_of(const struct lsm_compaction *compaction, int side, struct slice *smallest,
                     struct slice *largest) {
    for (size_t i = 0; i < compaction->counts[side]; i++) {
        struct slice first = lsm_table_smallest_user(compaction->inputs[side][i]);
        struct slice last = lsm_table_largest_user(compaction->inputs[side][i]);
        if (i == 0 || slice_compare(first, *smallest) < 0) *smallest = first;
        if (i == 0 || slice_compare(last, *largest) > 0) *largest = last;
    }
    return compaction->counts[side] > 0;
}

static bool overlap_each_other(const struct lsm_compaction *compaction) {
    for (size_t i = 0; i < compaction->counts[0]; i++)
        for (size_t k = 0; k < i; k++)
            if (lsm_table_overlaps(compaction->inputs[0][i],
                                   lsm_table_smallest_user(compaction->inputs[0][k]),
                                   lsm_table_largest_user(compaction->inputs[0][k])))
                return true;
    return false;
}

static void complete(const struct lsm_version *version, struct lsm_compaction *compaction) {
    struct slice smallest = SLICE_EMPTY, largest = SLICE_EMPTY;
    if (compaction->output_level == compaction->level) return;
    if (range_of(compaction, 0, &smallest, &largest))
        add_overlapping(version, compaction, smallest, largest);
    compaction->is_move = compaction->counts[1] == 0 && !overlap_each_other(compaction);
}

static void take_level(const struct lsm_version *version, unsigned level,
                       struct lsm_compaction *out) {
    for (size_t i = 0; i < version->table_count[level]; i++)
        add_input(out, 0, version->tables[level][i]);
}

/* Round robin over the keys, so that every part of the level gets its turn. */
static void take_next_table(const struct lsm_version *version, unsigned level,
                            struct lsm_compaction_cursor *cursor, struct lsm_compaction *out) {
    struct lsm_table *chosen = version->tables[level][0];
    struct slice after = buf_slice(&cursor->largest[level]);
    for (size_t i = 0; i < version->table_count[level]; i++) {
        struct lsm_table *table = version->tables[level][i];
        if (after.len == 0 || internal_key_compare(buf_slice(&table->meta.smallest), after) <= 0)
            continue;
        chosen = table;
        break;
    }
    add_input(out, 0, chosen);
    buf_clear(&cursor->largest[level]);
    buf_append_slice(&cursor->largest[level], buf_slice(&chosen->meta.largest));
}

/* ---- picking -------------------------------------------------------------------------------- */

/* 1.0 and more: the level has outgrown its share. */
static double score_of(const struct lsm_version *version, const struct lsm_shape *shape,
                       unsigned level) {
    if (level == 0) return (double)version->table_count[0] / (double)shape->l0_tables;
    double share = (double)shape->level1_bytes;
    for (unsigned above = 1; above < level; above++)
        share *= LEVEL_FACTOR;
    return (double)lsm_version_level_bytes(version, level) / share;
}

/* The last level has no share: there is no further one. */
bool lsm_compaction_is_due(const struct lsm_version *version, const struct lsm_shape *shape) {
    for (unsigned level = 0; level + 1 < LSM_LEVELS; level++)
        if (score_of(version, shape, level) >= 1.0) return true;
    return version->tombstone_count > shape->tombstones;
}

/* The level that is furthest beyond its share, or LSM_LEVELS. Level 0 goes first: it slows every
 * read. */
static unsigned fullest_level(const struct lsm_version *version, const struct lsm_shape *shape) {
    if (score_of(version, shape, 0) >= 1.0) return 0;
    double best = 1.0;
    unsigned chosen = LSM_LEVELS;
    for (unsigned level = 1; level + 1 < LSM_LEVELS; level++) {
        double score = score_of(version, shape, level);
        if (score < best) continue;
        best = score;
        chosen = level;
    }
    return chosen;
}

static bool is_unclean(const struct lsm_table *table, const struct lsm_tombstone *tombstone) {
    return table->meta.clean_sequence < tombstone->sequence &&
           slice_compare(lsm_table_smallest_user(table), buf_slice(&tombstone->end)) < 0 &&
           slice_compare(buf_slice(&tombstone->start), lsm_table_largest_user(table)) <= 0;
}

/* A table that keeps the oldest range tombstone needed. In the last level it is merged in place. */
static bool pick_unclean(const struct lsm_version *version, struct lsm_compaction *out) {
    const struct lsm_tombstone *oldest = version->tombstones[0];
    for (unsigned level = 0; level < LSM_LEVELS; level++) {
        for (size_t i = 0; i < version->table_count[level]; i++) {
            if (!is_unclean(version->tables[level][i], oldest)) continue;
            out->level = level;
            out->output_level = level + 1 < LSM_LEVELS ? level + 1 : level;
            if (level == 0)
                take_level(version, 0, out);
            else
                add_input(out, 0, version->tables[level][i]);
            complete(version, out);
            out->is_move = false;
            return true;
        }
    }
    return false;
}

bool lsm_compaction_pick(const struct lsm_version *version, const struct lsm_shape *shape,
                         struct lsm_compaction_cursor *cursor, struct lsm_compaction *out) {
    *out = (struct lsm_compaction){0};
    unsigned level = fullest_level(version, shape);
    if (level == LSM_LEVELS)
        return version->tombstone_count > shape->tombstones && pick_unclean(version, out);
    out->level = level;
    out->output_level = level + 1;
    if (level == 0)
        take_level(version, 0, out);
    else
        take_next_table(version, level, cursor, out);
    complete(version, out);
    return true;
}

void lsm_compaction_deinit(struct lsm_compaction *compaction) {
    mem_free(compaction->inputs[0]);
    mem_free(compaction->inputs[1]);
    *compaction = (struct lsm_compaction){0};
}

void lsm_compaction_cursor_deinit(struct lsm_compaction_cursor *cursor) {
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        buf_deinit(&cursor->largest[level]);
}

/* Tables of level 0 overlap: each is a run of its own. */
void lsm_compaction_add_sources(const struct lsm_compaction *compaction, struct lsm_merge *merge) {
    static const struct block_access alone = {0};
    size_t runs = compaction->level == 0 ? compaction->counts[0] : 1;
    size_t per_run = compaction->level == 0 ? 1 : compaction->counts[0];
    for (size_t i = 0; i < runs; i++)
        lsm_merge_add(merge, lsm_source_of_tables(&compaction->inputs[0][i], per_run, &alone));
    if (compaction->counts[1] > 0)
        lsm_merge_add(merge,
                      lsm_source_of_tables(compaction->inputs[1], compaction->counts[1], &alone));
}

/* ---- dropping ------------------------------------------------------------------------------- */

bool lsm_compaction_keeps(struct lsm_filter *filter, const struct lsm_version *version,
                          unsigned level_below, struct slice internal_key) {
    struct slice user = internal_key_user(internal_key);
    uint64_t sequence = internal_key_sequence(internal_key);
    if (lsm_filter_is_shadowed(filter, user)) return false;                        /* rule 1 */
    if (lsm_version_hidden_at(version, user, UINT64_MAX) > sequence) return false; /* rule 2 */
    if (internal_key_kind(internal_key) == WRITE_PUT) return true;
    return lsm_version_may_hold(version, level_below, user); /* rule 3 */
}
