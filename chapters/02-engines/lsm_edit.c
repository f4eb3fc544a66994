/* lsm_edit.c - edits, and the version that one makes of another. What lives here: which tables and
 * tombstones the next version has. What must not: how an edit is written down (lsm_manifest.c). */
#include "lsm_edit.h"

#include <stdlib.h>

#include "mem.h"

void lsm_edit_init(struct lsm_edit *edit) { *edit = (struct lsm_edit){0}; }

void lsm_edit_deinit(struct lsm_edit *edit) {
    for (size_t i = 0; i < edit->added_count; i++)
        lsm_table_free(edit->added[i].table);
    for (size_t i = 0; i < edit->tombstone_count; i++)
        lsm_tombstone_free(edit->tombstones[i]);
    mem_free(edit->added);
    mem_free(edit->removed);
    mem_free(edit->tombstones);
    lsm_edit_init(edit);
}

void lsm_edit_add(struct lsm_edit *edit, unsigned level, struct lsm_table *table) {
    edit->added = mem_realloc(edit->added, (edit->added_count + 1) * sizeof(*edit->added));
    edit->added[edit->added_count++] = (struct lsm_added_table){level, table};
}

void lsm_edit_remove(struct lsm_edit *edit, uint64_t number) {
    edit->removed = mem_realloc(edit->removed, (edit->removed_count + 1) * sizeof(uint64_t));
    edit->removed[edit->removed_count++] = number;
}

void lsm_edit_add_tombstone(struct lsm_edit *edit, struct slice start, struct slice end,
                            uint64_t sequence) {
    edit->tombstones =
        mem_realloc(edit->tombstones, (edit->tombstone_count + 1) * sizeof(struct lsm_tombstone *));
    edit->tombstones[edit->tombstone_count++] = lsm_tombstone_new(start, end, sequence);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static bool edit_removes(const struct lsm_edit *edit, uint64_t number) {
    for (size_t i = 0; i < edit->removed_count; i++)
        if (edit->removed[i] == number) return true;
    return false;
}

/* An edit that moves a table to another level removes and adds the same number. */
static bool edit_adds(const struct lsm_edit *edit, uint64_t number) {
    for (size_t i = 0; i < edit->added_count; i++)
        if (edit->added[i].table->meta.number == number) return true;
    return false;
}

static int by_smallest(const void *a, const void *b) {
    const struct lsm_table *first = *(struct lsm_table *const *)a;
    const struct lsm_table *second = *(struct lsm_table *const *)b;
    return internal_key_compare(buf_slice(&first->meta.smallest),
                                buf_slice(&second->meta.smallest));
}

static int by_number(const void *a, const void *b) {
    uint64_t first = (*(struct lsm_table *const *)a)->meta.number;
    uint64_t second = (*(struct lsm_table *const *)b)->meta.number;
    return (first > second) - (first < second);
}

static void sort_levels(struct lsm_version *version) {
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        if (version->table_count[level] > 1)
            qsort(version->tables[level], version->table_count[level], sizeof(struct lsm_table *),
                  level == 0 ? by_number : by_smallest);
}

/* A table moved between levels, or read back from the manifest, keeps its reader. */
static struct lsm_table *known_table(const struct lsm_version *version, uint64_t number) {
    for (unsigned level = 0; level < LSM_LEVELS; level++)
        for (size_t i = 0; i < version->table_count[level]; i++)
            if (version->tables[level][i]->meta.number == number) return version->tables[level][i];
    return NULL;
}

static void add_tables(struct lsm_version *next, const struct lsm_version *version,
                       struct lsm_edit *edit) {
    for (size_t i = 0; i < edit->added_count; i++) {
        struct lsm_table *added = edit->added[i].table;
        struct lsm_table *known = known_table(version, added->meta.number);
        if (known != NULL) lsm_table_free(added);
        lsm_version_add_table(next, edit->added[i].level, known != NULL ? known : added);
    }
    edit->added_count = 0;
}

/* ---- forgetting tombstones ------------------------------------------------------------------ */

static bool has_unclean_table(const struct lsm_version *version,
                              const struct lsm_tombstone *tombstone) {
    for (unsigned level = 0; level < LSM_LEVELS; level++) {
        for (size_t i = 0; i < version->table_count[level]; i++) {
            const struct lsm_table *table = version->tables[level][i];
            if (table->meta.clean_sequence < tombstone->sequence &&
                slice_compare(lsm_table_smallest_user(table), buf_slice(&tombstone->end)) < 0 &&
                slice_compare(buf_slice(&tombstone->start), lsm_table_largest_user(table)) <= 0)
                return true;
        }
    }
    return false;
}

static bool covers(const struct lsm_tombstone *newer, const struct lsm_tombstone *older) {
    return newer->sequence > older->sequence &&
           slice_compare(buf_slice(&newer->start), buf_slice(&older->start)) <= 0 &&
           slice_compare(buf_slice(&older->end), buf_slice(&newer->end)) <= 0;
}

static bool is_needed(const struct lsm_version *version, const struct lsm_tombstone *tombstone) {
    for (size_t i = 0; i < version->tombstone_count; i++)
        if (covers(version->tombstones[i], tombstone)) return false;
    return has_unclean_table(version, tombstone);
}

static void forget_tombstones(struct lsm_version *version) {
    struct lsm_tombstone **needed = NULL;
    size_t count = 0;
    for (size_t i = 0; i < version->tombstone_count; i++) {
        if (!is_needed(version, version->tombstones[i])) continue;
        needed = mem_realloc(needed, (count + 1) * sizeof(struct lsm_tombstone *));
        needed[count++] = version->tombstones[i];
        needed[count - 1]->refs++;
    }
    for (size_t i = 0; i < version->tombstone_count; i++)
        lsm_tombstone_unref(version->tombstones[i]);
    mem_free(version->tombstones);
    version->tombstones = needed;
    version->tombstone_count = count;
}

/* ---- from version to version ---------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static size_t keep_tables(struct lsm_version *next, const struct lsm_version *version,
                          const struct lsm_edit *edit) {
    size_t removed = 0;
    for (unsigned level = 0; level < LSM_LEVELS; level++) {
        for (size_t i = 0; i < version->table_count[level]; i++) {
            struct lsm_table *table = version->tables[level][i];
            if (!edit_removes(edit, table->meta.number)) {
                lsm_version_add_table(next, level, table);
                continue;
            }
            removed++;
            table->obsolete = !edit_adds(edit, table->meta.number);
        }
    }
    return removed;
}

struct lsm_version *lsm_version_apply(const struct lsm_version *version, struct lsm_edit *edit,
                                      struct error *error) {
    struct lsm_version *next = lsm_version_new();
    next->flushed_sequence = larger(version->flushed_sequence, edit->flushed_sequence);
    next->log_position = larger(version->log_position, edit->log_position);
    size_t removed = keep_tables(next, version, edit);
    add_tables(next, version, edit);
    for (size_t i = 0; i < version->tombstone_count; i++)
        lsm_version_add_tombstone(next, version->tombstones[i]);
    for (size_t i = 0; i < edit->tombstone_count; i++)
        lsm_version_add_tombstone(next, edit->tombstones[i]);
    edit->tombstone_count = 0;
    sort_levels(next);
    if (removed == edit->removed_count && lsm_version_is_in_order(next)) {
        forget_tombstones(next);
        return next;
    }
    enum status status =
        error_set(error, STATUS_CORRUPT, "an edit of the manifest does not fit the one before it");
    (void)status;
    lsm_version_unref(next, NULL, NULL);
    return NULL;
}
