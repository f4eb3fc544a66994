/* lsm_version.c - versions, and what an edit makes of one. What lives here: the order of tables in
 * levels, references, range tombstones. What must not: when to compact (lsm_compaction.c), how an
 * edit is written down (lsm_manifest.c). */
#include "lsm_version.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal_key.h"
#include "mem.h"

char *lsm_table_path(const char *dir, uint64_t number) {
    size_t size = strlen(dir) + 32;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%06llu.sst", dir, (unsigned long long)number);
    return path;
}

/* ---- tables and tombstones ------------------------------------------------------------------ */

struct lsm_table *lsm_table_new(uint64_t number) {
    struct lsm_table *table = MEM_NEW(struct lsm_table);
    table->meta.number = number;
    return table;
}

void lsm_table_free(struct lsm_table *table) {
    sstable_close(table->reader);
    buf_deinit(&table->meta.smallest);
    buf_deinit(&table->meta.largest);
    mem_free(table);
}

static struct slice smallest_user(const struct lsm_table *table) {
    return internal_key_user(buf_slice(&table->meta.smallest));
}

static struct slice largest_user(const struct lsm_table *table) {
    return internal_key_user(buf_slice(&table->meta.largest));
}

bool lsm_table_overlaps(const struct lsm_table *table, struct slice smallest,
                        struct slice largest) {
    return slice_compare(smallest_user(table), largest) <= 0 &&
           slice_compare(smallest, largest_user(table)) <= 0;
}

static void tombstone_free(struct lsm_tombstone *tombstone) {
    buf_deinit(&tombstone->start);
    buf_deinit(&tombstone->end);
    mem_free(tombstone);
}

static bool tombstone_hides(const struct lsm_tombstone *tombstone, struct slice user_key) {
    return slice_compare(buf_slice(&tombstone->start), user_key) <= 0 &&
           slice_compare(user_key, buf_slice(&tombstone->end)) < 0;
}

/* ---- edits ---------------------------------------------------------------------------------- */

void lsm_edit_init(struct lsm_edit *edit) { *edit = (struct lsm_edit){0}; }

void lsm_edit_deinit(struct lsm_edit *edit) {
    for (size_t i = 0; i < edit->added_count; i++)
        lsm_table_free(edit->added[i].table);
    for (size_t i = 0; i < edit->tombstone_count; i++)
        tombstone_free(edit->tombstones[i]);
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
    struct lsm_tombstone *tombstone = MEM_NEW(struct lsm_tombstone);
    buf_append_slice(&tombstone->start, start);
    buf_append_slice(&tombstone->end, end);
    tombstone->sequence = sequence;
    edit->tombstones =
        mem_realloc(edit->tombstones, (edit->tombstone_count + 1) * sizeof(struct lsm_tombstone *));
    edit->tombstones[edit->tombstone_count++] = tombstone;
}

/* ---- building a version --------------------------------------------------------------------- */

struct lsm_version *lsm_version_new(void) {
    struct lsm_version *version = MEM_NEW(struct lsm_version);
    version->refs = 1;
    return version;
}

static void append_table(struct lsm_version *version, unsigned level, struct lsm_table *table) {
    size_t count = version->table_count[level]++;
    version->tables[level] =
        mem_realloc(version->tables[level], (count + 1) * sizeof(struct lsm_table *));
    version->tables[level][count] = table;
    table->refs++;
}

static void append_tombstone(struct lsm_version *version, struct lsm_tombstone *tombstone) {
    size_t count = version->tombstone_count++;
    version->tombstones =
        mem_realloc(version->tombstones, (count + 1) * sizeof(struct lsm_tombstone *));
    version->tombstones[count] = tombstone;
    tombstone->refs++;
}

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

static bool is_in_order(const struct lsm_version *version) {
    for (unsigned level = 1; level < LSM_LEVELS; level++)
        for (size_t i = 1; i < version->table_count[level]; i++)
            if (slice_compare(largest_user(version->tables[level][i - 1]),
                              smallest_user(version->tables[level][i])) >= 0)
                return false;
    return true;
}

void lsm_version_check_invariants(const struct lsm_version *version) {
    assert(is_in_order(version));
    for (size_t i = 1; i < version->table_count[0]; i++)
        assert(version->tables[0][i - 1]->meta.number < version->tables[0][i]->meta.number);
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
        append_table(next, edit->added[i].level, known != NULL ? known : added);
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
                slice_compare(smallest_user(table), buf_slice(&tombstone->end)) < 0 &&
                slice_compare(buf_slice(&tombstone->start), largest_user(table)) <= 0)
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
        if (--version->tombstones[i]->refs == 0) tombstone_free(version->tombstones[i]);
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
                append_table(next, level, table);
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
        append_tombstone(next, version->tombstones[i]);
    for (size_t i = 0; i < edit->tombstone_count; i++)
        append_tombstone(next, edit->tombstones[i]);
    edit->tombstone_count = 0;
    sort_levels(next);
    if (removed == edit->removed_count && is_in_order(next)) {
        forget_tombstones(next);
        return next;
    }
    enum status status =
        error_set(error, STATUS_CORRUPT, "an edit of the manifest does not fit the one before it");
    (void)status;
    lsm_version_unref(next, NULL, NULL);
    return NULL;
}

void lsm_version_ref(struct lsm_version *version) { version->refs++; }

static void table_unref(struct lsm_table *table, struct env *env, const char *dir) {
    if (--table->refs > 0) return;
    struct error error;
    char *path = table->obsolete && dir != NULL ? lsm_table_path(dir, table->meta.number) : NULL;
    lsm_table_free(table); /* closes the file first */
    if (path != NULL && env_file_remove(env, path, &error) != STATUS_OK)
        log_warn(env_log(env), "lsm", "could not remove a table: %s", error.message);
    mem_free(path);
}

void lsm_version_unref(struct lsm_version *version, struct env *env, const char *dir) {
    assert(version->refs > 0);
    if (--version->refs > 0) return;
    for (unsigned level = 0; level < LSM_LEVELS; level++) {
        for (size_t i = 0; i < version->table_count[level]; i++)
            table_unref(version->tables[level][i], env, dir);
        mem_free(version->tables[level]);
    }
    for (size_t i = 0; i < version->tombstone_count; i++)
        if (--version->tombstones[i]->refs == 0) tombstone_free(version->tombstones[i]);
    mem_free(version->tombstones);
    mem_free(version);
}

/* ---- asking --------------------------------------------------------------------------------- */

uint64_t lsm_version_level_bytes(const struct lsm_version *version, unsigned level) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < version->table_count[level]; i++)
        bytes += version->tables[level][i]->meta.size_bytes;
    return bytes;
}

uint64_t lsm_version_hidden_at(const struct lsm_version *version, struct slice user_key,
                               uint64_t sequence) {
    uint64_t newest = 0;
    for (size_t i = 0; i < version->tombstone_count; i++) {
        const struct lsm_tombstone *tombstone = version->tombstones[i];
        if (tombstone->sequence > newest && tombstone->sequence <= sequence &&
            tombstone_hides(tombstone, user_key))
            newest = tombstone->sequence;
    }
    return newest;
}

size_t lsm_find_table(struct lsm_table *const *tables, size_t count, struct slice key) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (internal_key_compare(buf_slice(&tables[middle]->meta.largest), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool level_may_hold(const struct lsm_version *version, unsigned level, struct slice key) {
    struct lsm_table **tables = version->tables[level];
    size_t low = 0, high = version->table_count[level];
    if (level == 0) {
        for (size_t i = 0; i < high; i++)
            if (lsm_table_overlaps(tables[i], key, key)) return true;
        return false;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(largest_user(tables[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < version->table_count[level] && lsm_table_overlaps(tables[low], key, key);
}

bool lsm_version_may_hold(const struct lsm_version *version, unsigned level, struct slice key) {
    for (; level < LSM_LEVELS; level++)
        if (level_may_hold(version, level, key)) return true;
    return false;
}
