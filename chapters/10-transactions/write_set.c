/* write_set.c - the buffer of a transaction's writes: chapter 01's memtable, from keys to chains of
 * versions. An entry, once made, stays until the end; undone writes leave it without versions. */
#include "write_set.h"

#include <assert.h>

#include "mem.h"

struct write_entry {
    struct write_version *newest; /* NULL: all undone */
};

enum { ENTRY_OVERHEAD_BYTES = 128 };

void write_set_init(struct write_set *set, uint64_t seed, size_t limit_bytes) {
    *set = (struct write_set){.seed = seed, .limit_bytes = limit_bytes};
}

static struct write_entry *entry_of(struct slice value) {
    struct write_entry *entry;
    assert(value.len == sizeof entry);
    memcpy(&entry, value.data, sizeof entry);
    return entry;
}

void write_set_deinit(struct write_set *set) {
    if (set->entries == NULL) return;
    struct memtable_iterator it = memtable_iterator_of(set->entries);
    for (memtable_seek_first(&it); memtable_valid(&it); memtable_next(&it)) {
        struct write_entry *entry = entry_of(memtable_value(&it));
        for (struct write_version *version = entry->newest, *older; version; version = older) {
            older = version->older;
            mem_free(version);
        }
        mem_free(entry);
    }
    memtable_free(set->entries);
    mem_free(set->log);
    *set = (struct write_set){0};
}

static struct write_entry *find_entry(const struct write_set *set, struct slice key) {
    struct slice value;
    if (set->entries == NULL || !memtable_get(set->entries, key, &value)) return NULL;
    return entry_of(value);
}

static struct write_entry *get_or_add_entry(struct write_set *set, struct slice key) {
    struct write_entry *entry = find_entry(set, key);
    if (entry != NULL) return entry;
    if (set->entries == NULL) {
        struct memtable_options options = {.seed = set->seed};
        set->entries = memtable_new(&options);
    }
    entry = MEM_NEW(struct write_entry);
    enum status status = memtable_put(set->entries, key, slice_of(&entry, sizeof entry));
    assert(status == STATUS_OK); /* it has no limit */
    (void)status;
    return entry;
}

static void log_add(struct write_set *set, struct write_entry *entry) {
    if (set->log_len == set->log_capacity) {
        set->log_capacity = set->log_capacity > 0 ? set->log_capacity * 2 : 8;
        set->log = mem_realloc(set->log, set->log_capacity * sizeof *set->log);
    }
    set->log[set->log_len++] = entry;
}

enum status write_set_add(struct write_set *set, struct slice key, struct slice value, bool deleted,
                          bool must_be_absent, struct error *error) {
    if (set->bytes + key.len + value.len + ENTRY_OVERHEAD_BYTES > set->limit_bytes) {
        return error_set(error, STATUS_TOO_LARGE,
                         "the transaction's writes are over its limit of %zu bytes",
                         set->limit_bytes);
    }
    struct write_entry *entry = get_or_add_entry(set, key);
    struct write_version *newest = entry->newest;
    bool replace = newest != NULL && newest->number > set->barrier;
    struct write_version *version = mem_alloc(sizeof *version + value.len);
    *version = (struct write_version){.older = replace ? newest->older : newest,
                                      .number = replace ? newest->number : ++set->number,
                                      .deleted = deleted,
                                      .must_be_absent = must_be_absent ||
                                                        (newest != NULL && newest->must_be_absent),
                                      .value_len = value.len};
    if (value.len > 0) memcpy(version->value, value.data, value.len);
    entry->newest = version;
    set->bytes += value.len;
    if (replace) {
        set->bytes -= newest->value_len;
        mem_free(newest);
    } else {
        set->bytes += key.len + ENTRY_OVERHEAD_BYTES;
        log_add(set, entry);
    }
    return STATUS_OK;
}

static const struct write_version *newest_upto(const struct write_entry *entry, uint64_t upto) {
    const struct write_version *version = entry->newest;
    while (version != NULL && version->number > upto)
        version = version->older;
    return version;
}

const struct write_version *write_set_find(const struct write_set *set, struct slice key,
                                           uint64_t upto) {
    const struct write_entry *entry = find_entry(set, key);
    return entry == NULL ? NULL : newest_upto(entry, upto);
}

uint64_t write_set_mark(struct write_set *set) {
    set->barrier = set->number;
    return set->number;
}

void write_set_undo(struct write_set *set, uint64_t number) {
    while (set->log_len > 0) {
        struct write_entry *entry = set->log[set->log_len - 1];
        struct write_version *version = entry->newest;
        if (version->number <= number) break;
        entry->newest = version->older;
        /* The key's length was counted with the version; what stays counted is on the safe side. */
        set->bytes -= version->value_len;
        mem_free(version);
        set->log_len--;
    }
    /* A number, once used, is not used again: cursors and savepoints compare them. */
}

bool write_set_empty(const struct write_set *set) { return set->log_len == 0; }

/* ---- in order ------------------------------------------------------------------------------- */

static void skip_invisible(struct write_iterator *it, bool reverse) {
    while (memtable_valid(&it->at) &&
           newest_upto(entry_of(memtable_value(&it->at)), it->upto) == NULL) {
        if (reverse)
            memtable_prev(&it->at);
        else
            memtable_next(&it->at);
    }
}

struct write_iterator write_set_seek(const struct write_set *set, struct slice key, bool reverse,
                                     uint64_t upto) {
    struct write_iterator it = {.upto = upto};
    if (set->entries == NULL) return it;
    it.at = memtable_iterator_of(set->entries);
    if (!reverse)
        memtable_seek(&it.at, key);
    else if (key.len > 0)
        memtable_seek_before(&it.at, key);
    else
        memtable_seek_last(&it.at);
    skip_invisible(&it, reverse);
    return it;
}

bool write_iterator_valid(const struct write_iterator *it) { return memtable_valid(&it->at); }

void write_iterator_next(struct write_iterator *it, bool reverse) {
    if (reverse)
        memtable_prev(&it->at);
    else
        memtable_next(&it->at);
    skip_invisible(it, reverse);
}

struct slice write_iterator_key(const struct write_iterator *it) {
    return memtable_key(&it->at);
}

const struct write_version *write_iterator_version(const struct write_iterator *it) {
    return newest_upto(entry_of(memtable_value(&it->at)), it->upto);
}
