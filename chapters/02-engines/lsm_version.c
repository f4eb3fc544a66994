/* lsm_version.c - the list of tables: references, order, and what may hold a key. What lives here:
 * building a list and asking it. What must not: what comes after it (lsm_edit.c), when to compact
 * (lsm_compaction.c). */
#include "lsm_version.h"

#include <assert.h>
#include <stdio.h>

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

bool lsm_table_overlaps(const struct lsm_table *table, struct slice smallest,
                        struct slice largest) {
    return slice_compare(lsm_table_smallest_user(table), largest) <= 0 &&
           slice_compare(smallest, lsm_table_largest_user(table)) <= 0;
}

struct lsm_tombstone *lsm_tombstone_new(struct slice start, struct slice end, uint64_t sequence) {
    struct lsm_tombstone *tombstone = MEM_NEW(struct lsm_tombstone);
    buf_append_slice(&tombstone->start, start);
    buf_append_slice(&tombstone->end, end);
    tombstone->sequence = sequence;
    return tombstone;
}

void lsm_tombstone_free(struct lsm_tombstone *tombstone) {
    buf_deinit(&tombstone->start);
    buf_deinit(&tombstone->end);
    mem_free(tombstone);
}

void lsm_tombstone_unref(struct lsm_tombstone *tombstone) {
    if (--tombstone->refs == 0) lsm_tombstone_free(tombstone);
}

static bool tombstone_hides(const struct lsm_tombstone *tombstone, struct slice user_key) {
    return slice_compare(buf_slice(&tombstone->start), user_key) <= 0 &&
           slice_compare(user_key, buf_slice(&tombstone->end)) < 0;
}

/* ---- building a version --------------------------------------------------------------------- */

struct lsm_version *lsm_version_new(void) {
    struct lsm_version *version = MEM_NEW(struct lsm_version);
    version->refs = 1;
    return version;
}

void lsm_version_add_table(struct lsm_version *version, unsigned level, struct lsm_table *table) {
    size_t count = version->table_count[level]++;
    version->tables[level] =
        mem_realloc(version->tables[level], (count + 1) * sizeof(struct lsm_table *));
    version->tables[level][count] = table;
    table->refs++;
}

void lsm_version_add_tombstone(struct lsm_version *version, struct lsm_tombstone *tombstone) {
    size_t count = version->tombstone_count++;
    version->tombstones =
        mem_realloc(version->tombstones, (count + 1) * sizeof(struct lsm_tombstone *));
    version->tombstones[count] = tombstone;
    tombstone->refs++;
}

bool lsm_version_is_in_order(const struct lsm_version *version) {
    for (unsigned level = 1; level < LSM_LEVELS; level++)
        for (size_t i = 1; i < version->table_count[level]; i++)
            if (slice_compare(lsm_table_largest_user(version->tables[level][i - 1]),
                              lsm_table_smallest_user(version->tables[level][i])) >= 0)
                return false;
    return true;
}

void lsm_version_check_invariants(const struct lsm_version *version) {
    assert(lsm_version_is_in_order(version));
    for (size_t i = 1; i < version->table_count[0]; i++)
        assert(version->tables[0][i - 1]->meta.number < version->tables[0][i]->meta.number);
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
        lsm_tombstone_unref(version->tombstones[i]);
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
        if (slice_compare(lsm_table_largest_user(tables[middle]), key) < 0)
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
