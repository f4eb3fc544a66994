/* lsm_source.c - memtables and levels as sorted runs. What lives here: stepping from one table of a
 * level to the next. What must not: merging (lsm_merge.c). */
#include "lsm_source.h"

#include "internal_key.h"
#include "mem.h"

/* ---- a memtable ----------------------------------------------------------------------------- */

struct memtable_source {
    struct lsm_source base;
    struct memtable_iterator it;
};

static struct memtable_source *memtable_source_of(struct lsm_source *source) {
    return CONTAINER_OF(source, struct memtable_source, base);
}

static void describe_memtable(struct memtable_source *source) {
    source->base.valid = memtable_valid(&source->it);
    if (!source->base.valid) return;
    source->base.key = memtable_key(&source->it);
    source->base.value = memtable_value(&source->it);
}

static void memtable_source_free(struct lsm_source *base) { mem_free(memtable_source_of(base)); }

static void memtable_source_seek_first(struct lsm_source *base) {
    memtable_seek_first(&memtable_source_of(base)->it);
    describe_memtable(memtable_source_of(base));
}

static void memtable_source_seek_last(struct lsm_source *base) {
    memtable_seek_last(&memtable_source_of(base)->it);
    describe_memtable(memtable_source_of(base));
}

static void memtable_source_seek(struct lsm_source *base, struct slice key) {
    memtable_seek(&memtable_source_of(base)->it, key);
    describe_memtable(memtable_source_of(base));
}

static void memtable_source_seek_for_prev(struct lsm_source *base, struct slice key) {
    memtable_seek_for_prev(&memtable_source_of(base)->it, key);
    describe_memtable(memtable_source_of(base));
}

static void memtable_source_next(struct lsm_source *base) {
    memtable_next(&memtable_source_of(base)->it);
    describe_memtable(memtable_source_of(base));
}

static void memtable_source_prev(struct lsm_source *base) {
    memtable_prev(&memtable_source_of(base)->it);
    describe_memtable(memtable_source_of(base));
}

static const struct lsm_source_ops memtable_source_ops = {
    .free = memtable_source_free,
    .seek_first = memtable_source_seek_first,
    .seek_last = memtable_source_seek_last,
    .seek = memtable_source_seek,
    .seek_for_prev = memtable_source_seek_for_prev,
    .next = memtable_source_next,
    .prev = memtable_source_prev,
};

struct lsm_source *lsm_source_of_memtable(const struct memtable *table) {
    struct memtable_source *source = MEM_NEW(struct memtable_source);
    source->base.ops = &memtable_source_ops;
    source->it = memtable_iterator_of(table);
    return &source->base;
}

/* ---- tables --------------------------------------------------------------------------------- */

struct table_source {
    struct lsm_source base;
    struct lsm_table *const *tables;
    size_t count;
    struct block_access access;
    bool open; /* `it` stands in tables[at] */
    size_t at;
    struct sstable_iterator it;
};

static struct table_source *table_source_of(struct lsm_source *source) {
    return CONTAINER_OF(source, struct table_source, base);
}

static void close_table(struct table_source *source) {
    if (source->open) sstable_iterator_deinit(&source->it);
    source->open = false;
}

static void open_table(struct table_source *source, size_t index) {
    if (source->open && source->at == index) return;
    close_table(source);
    sstable_iterator_init(&source->it, source->tables[index]->reader, &source->access);
    source->at = index;
    source->open = true;
}

static void describe(struct table_source *source) {
    struct lsm_source *base = &source->base;
    base->valid = source->it.valid;
    base->status = source->it.status;
    if (base->valid) {
        base->key = sstable_iterator_key(&source->it);
        base->value = sstable_iterator_value(&source->it);
    } else if (base->status != STATUS_OK) {
        base->error = source->it.error;
    }
}

static void stand_nowhere(struct table_source *source) {
    source->base.valid = false;
    source->base.status = STATUS_OK;
}

/* A table holds at least one entry: standing at its end means the next one begins. */
static void step_on(struct table_source *source) {
    describe(source);
    if (source->base.valid || source->base.status != STATUS_OK) return;
    if (source->at + 1 >= source->count) return;
    open_table(source, source->at + 1);
    sstable_iterator_seek_first(&source->it);
    describe(source);
}

static void step_back(struct table_source *source) {
    describe(source);
    if (source->base.valid || source->base.status != STATUS_OK) return;
    if (source->at == 0) return;
    open_table(source, source->at - 1);
    sstable_iterator_seek_last(&source->it);
    describe(source);
}

static void tables_free(struct lsm_source *base) {
    close_table(table_source_of(base));
    mem_free(table_source_of(base));
}

static void tables_seek_first(struct lsm_source *base) {
    struct table_source *source = table_source_of(base);
    stand_nowhere(source);
    if (source->count == 0) return;
    open_table(source, 0);
    sstable_iterator_seek_first(&source->it);
    step_on(source);
}

static void tables_seek_last(struct lsm_source *base) {
    struct table_source *source = table_source_of(base);
    stand_nowhere(source);
    if (source->count == 0) return;
    open_table(source, source->count - 1);
    sstable_iterator_seek_last(&source->it);
    step_back(source);
}

static void tables_seek(struct lsm_source *base, struct slice key) {
    struct table_source *source = table_source_of(base);
    size_t index = lsm_find_table(source->tables, source->count, key);
    stand_nowhere(source);
    if (index == source->count) return;
    open_table(source, index);
    sstable_iterator_seek(&source->it, key);
    step_on(source);
}

static void tables_seek_for_prev(struct lsm_source *base, struct slice key) {
    struct table_source *source = table_source_of(base);
    size_t index = lsm_find_table(source->tables, source->count, key);
    stand_nowhere(source);
    if (source->count == 0) return;
    open_table(source, index == source->count ? index - 1 : index);
    sstable_iterator_seek_for_prev(&source->it, key);
    step_back(source);
}

static void tables_next(struct lsm_source *base) {
    sstable_iterator_next(&table_source_of(base)->it);
    step_on(table_source_of(base));
}

static void tables_prev(struct lsm_source *base) {
    sstable_iterator_prev(&table_source_of(base)->it);
    step_back(table_source_of(base));
}

static const struct lsm_source_ops table_source_ops = {
    .free = tables_free,
    .seek_first = tables_seek_first,
    .seek_last = tables_seek_last,
    .seek = tables_seek,
    .seek_for_prev = tables_seek_for_prev,
    .next = tables_next,
    .prev = tables_prev,
};

struct lsm_source *lsm_source_of_tables(struct lsm_table *const *tables, size_t count,
                                        const struct block_access *access) {
    struct table_source *source = MEM_NEW(struct table_source);
    source->base.ops = &table_source_ops;
    source->tables = tables;
    source->count = count;
    source->access = *access;
    return &source->base;
}
