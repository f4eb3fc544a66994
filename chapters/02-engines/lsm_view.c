/* lsm_view.c - what a reader sees: memtables and a version, and one key in them. What lives here:
 * the order of the search, references. What must not: walking in order (lsm_iterator.c). */
#include "lsm_view.h"

#include "mem.h"

/* ---- memtables ------------------------------------------------------------------------------ */

struct lsm_memtable *lsm_memtable_new(uint64_t seed) {
    struct lsm_memtable *memtable = MEM_NEW(struct lsm_memtable);
    struct memtable_options options = {
        .compare = internal_key_compare, .seed = seed, .flags = MEMTABLE_CONCURRENT};
    memtable->table = memtable_new(&options);
    memtable->ranges = memtable_new(&options);
    return memtable;
}

bool lsm_memtable_is_empty(const struct lsm_memtable *memtable) {
    return memtable_count(memtable->table) == 0 && memtable_count(memtable->ranges) == 0;
}

size_t lsm_memtable_bytes(const struct lsm_memtable *memtable) {
    return memtable_bytes(memtable->table) + memtable_bytes(memtable->ranges);
}

static void memtable_unref(struct lsm_memtable *memtable) {
    if (--memtable->refs > 0) return;
    memtable_free(memtable->table);
    memtable_free(memtable->ranges);
    mem_free(memtable);
}

/* ---- range tombstones ----------------------------------------------------------------------- */

uint64_t lsm_ranges_hidden_at(const struct memtable *ranges, struct slice user_key,
                              uint64_t sequence) {
    uint64_t newest = 0;
    struct memtable_iterator it = memtable_iterator_of(ranges);
    for (memtable_seek_first(&it); memtable_valid(&it); memtable_next(&it)) {
        struct slice start = memtable_key(&it);
        if (slice_compare(internal_key_user(start), user_key) > 0) break;
        uint64_t at = internal_key_sequence(start);
        if (at > newest && at <= sequence && slice_compare(user_key, memtable_value(&it)) < 0)
            newest = at;
    }
    return newest;
}

uint64_t lsm_view_hidden_at(const struct lsm_view *view, struct slice key, uint64_t sequence) {
    uint64_t newest = lsm_version_hidden_at(view->version, key, sequence);
    for (size_t i = 0; i < view->memtable_count; i++) {
        uint64_t at = lsm_ranges_hidden_at(view->memtables[i]->ranges, key, sequence);
        if (at > newest) newest = at;
    }
    return newest;
}

/* ---- views ---------------------------------------------------------------------------------- */

struct lsm_view *lsm_view_new(struct lsm_version *version, struct lsm_memtable *const *memtables,
                              size_t count) {
    struct lsm_view *view =
        mem_zalloc(sizeof(struct lsm_view) + count * sizeof(struct lsm_memtable *));
    view->refs = 1;
    view->version = version;
    lsm_version_ref(version);
    view->memtable_count = count;
    for (size_t i = 0; i < count; i++) {
        view->memtables[i] = memtables[i];
        memtables[i]->refs++;
    }
    return view;
}

void lsm_view_unref(struct lsm_view *view, struct env *env, const char *dir) {
    if (--view->refs > 0) return;
    for (size_t i = 0; i < view->memtable_count; i++)
        memtable_unref(view->memtables[i]);
    lsm_version_unref(view->version, env, dir);
    mem_free(view);
}

void lsm_view_add_sources(const struct lsm_view *view, const struct block_access *access,
                          struct lsm_merge *merge) {
    const struct lsm_version *version = view->version;
    for (size_t i = 0; i < view->memtable_count; i++)
        lsm_merge_add(merge, lsm_source_of_memtable(view->memtables[i]->table));
    for (size_t i = 0; i < version->table_count[0]; i++)
        lsm_merge_add(merge, lsm_source_of_tables(&version->tables[0][i], 1, access));
    for (unsigned level = 1; level < LSM_LEVELS; level++)
        if (version->table_count[level] > 0)
            lsm_merge_add(merge, lsm_source_of_tables(version->tables[level],
                                                      version->table_count[level], access));
}

/* ---- blocks --------------------------------------------------------------------------------- */

struct block_access lsm_access(struct block_cache *cache, const struct engine_snapshot *snapshot,
                               unsigned flags) {
    bool no_wait = (flags & ENGINE_NO_WAIT) != 0;
    if (snapshot == NULL || no_wait)
        return (struct block_access){.cache = cache, .no_wait = no_wait};
    struct engine_snapshot *own = (struct engine_snapshot *)(uintptr_t)snapshot;
    return (struct block_access){.shelf = &own->shelf};
}

/* ---- one key -------------------------------------------------------------------------------- */

/* The newest version of a key, wherever it was found. */
struct lookup {
    struct slice internal; /* that is searched: the key at the reader's sequence */
    uint64_t hidden_at;    /* what is older than this is deleted */
    struct buf *out;       /* receives the value */
};

/* It is what the reader sees, be it a value or a deletion. */
static enum status answer(const struct lookup *lookup, struct slice found, struct slice value) {
    if (internal_key_kind(found) != WRITE_PUT || internal_key_sequence(found) < lookup->hidden_at)
        return STATUS_NOT_FOUND;
    buf_clear(lookup->out);
    buf_append_slice(lookup->out, value);
    return STATUS_OK;
}

static bool is_same_key(const struct lookup *lookup, struct slice found) {
    return slice_equal(internal_key_user(found), internal_key_user(lookup->internal));
}

/* True: `status` is the outcome of the whole search. */
static bool look_in_memtable(const struct lookup *lookup, const struct memtable *table,
                             enum status *status) {
    struct memtable_iterator it = memtable_iterator_of(table);
    memtable_seek(&it, lookup->internal);
    if (!memtable_valid(&it) || !is_same_key(lookup, memtable_key(&it))) return false;
    *status = answer(lookup, memtable_key(&it), memtable_value(&it));
    return true;
}

static bool look_in_table(const struct lookup *lookup, const struct lsm_table *table,
                          const struct block_access *access, enum status *status,
                          struct error *error) {
    struct slice user = internal_key_user(lookup->internal);
    if (!lsm_table_overlaps(table, user, user) || !sstable_may_contain(table->reader, user))
        return false;
    struct sstable_iterator it;
    sstable_iterator_init(&it, table->reader, access);
    sstable_iterator_seek(&it, lookup->internal);
    bool settled = false;
    if (it.valid && is_same_key(lookup, sstable_iterator_key(&it))) {
        *status = answer(lookup, sstable_iterator_key(&it), sstable_iterator_value(&it));
        settled = true;
    } else if (!it.valid && it.status != STATUS_OK) {
        *status = it.status;
        if (error != NULL && it.status != STATUS_WOULD_BLOCK) *error = it.error;
        settled = true;
    }
    sstable_iterator_deinit(&it);
    return settled;
}

static enum status look_in_tables(const struct lookup *lookup, const struct lsm_version *version,
                                  const struct block_access *access, struct error *error) {
    enum status status = STATUS_NOT_FOUND;
    for (size_t i = version->table_count[0]; i-- > 0;) /* the newest first */
        if (look_in_table(lookup, version->tables[0][i], access, &status, error)) return status;
    for (unsigned level = 1; level < LSM_LEVELS; level++) {
        size_t count = version->table_count[level];
        size_t index = lsm_find_table(version->tables[level], count, lookup->internal);
        if (index < count &&
            look_in_table(lookup, version->tables[level][index], access, &status, error))
            return status;
    }
    return STATUS_NOT_FOUND;
}

enum status lsm_view_get(const struct lsm_view *view, const struct block_access *access,
                         struct slice key, uint64_t sequence, bool flushed_only, struct buf *out,
                         struct error *error) {
    struct buf internal = BUF_INIT;
    struct lookup lookup = {.out = out};
    lookup.internal = internal_key_make(&internal, key, sequence, WRITE_PUT);
    lookup.hidden_at = flushed_only ? lsm_version_hidden_at(view->version, key, sequence)
                                    : lsm_view_hidden_at(view, key, sequence);
    enum status status = STATUS_NOT_FOUND;
    bool settled = false;
    for (size_t i = 0; i < view->memtable_count && !flushed_only && !settled; i++)
        settled = look_in_memtable(&lookup, view->memtables[i]->table, &status);
    if (!settled) status = look_in_tables(&lookup, view->version, access, error);
    buf_deinit(&internal);
    return status;
}
