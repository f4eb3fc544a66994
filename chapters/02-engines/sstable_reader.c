/* sstable_reader.c - blocks from a file, checked, and the walk over them. What lives here: footer,
 * index and filter of an open table; fetching and letting go of blocks. What must not: what the
 * keys mean beyond their order. */
#include "sstable_reader.h"

#include <assert.h>

#include "bloom.h"
#include "codec.h"
#include "internal_key.h"
#include "mem.h"

struct sstable {
    struct file *file;
    uint64_t number;
    uint64_t entries;
    uint64_t data_end; /* where the blocks end and the filter begins */
    struct buf index;
    struct buf filter;
};

/* ---- blocks of a file ----------------------------------------------------------------------- */

static enum status damaged(struct file *file, uint64_t offset, struct error *error) {
    return error_set(error, STATUS_CORRUPT, "%s: damaged at offset %llu", file_path(file),
                     (unsigned long long)offset);
}

/* Reads a block's content, checked, into `out`. */
static enum status read_block(struct file *file, struct sstable_place place, struct buf *out,
                              struct error *error) {
    size_t len = (size_t)place.len + SSTABLE_CHECKSUM_BYTES, read = 0;
    buf_clear(out);
    uint8_t *at = buf_extend(out, len);
    TRY(file_read_at(file, place.offset, at, len, &read, error));
    if (read != len) return damaged(file, place.offset, error);
    uint64_t expected = load_u64le(at + place.len);
    out->len = (size_t)place.len;
    if (checksum64(buf_slice(out), place.offset) != expected)
        return damaged(file, place.offset, error);
    return STATUS_OK;
}

/* ---- opening -------------------------------------------------------------------------------- */

static bool fits(struct sstable_place place, uint64_t end) {
    return place.offset <= end && place.len <= end - place.offset &&
           end - place.offset - place.len >= SSTABLE_CHECKSUM_BYTES;
}

static enum status read_footer(struct sstable *table, struct file *file, uint64_t size,
                               struct sstable_place *filter, struct sstable_place *index,
                               struct error *error) {
    uint8_t footer[SSTABLE_FOOTER_BYTES];
    size_t read = 0;
    if (size < SSTABLE_FOOTER_BYTES) return damaged(file, 0, error);
    uint64_t offset = size - SSTABLE_FOOTER_BYTES;
    TRY(file_read_at(file, offset, footer, sizeof(footer), &read, error));
    struct slice fields = slice_of(footer, SSTABLE_FOOTER_BYTES - SSTABLE_CHECKSUM_BYTES);
    if (read != sizeof(footer) || load_u64le(footer) != SSTABLE_MAGIC ||
        load_u64le(footer + fields.len) != checksum64(fields, offset) ||
        load_u64le(footer + 8) != SSTABLE_VERSION)
        return damaged(file, offset, error);
    *filter = (struct sstable_place){load_u64le(footer + 16), load_u64le(footer + 24)};
    *index = (struct sstable_place){load_u64le(footer + 32), load_u64le(footer + 40)};
    table->entries = load_u64le(footer + 48);
    table->data_end = filter->offset;
    return fits(*filter, offset) && fits(*index, offset) ? STATUS_OK : damaged(file, offset, error);
}

enum status sstable_open(struct file *file, uint64_t number, struct sstable **out,
                         struct error *error) {
    struct sstable *table = MEM_NEW(struct sstable);
    struct sstable_place filter, index;
    uint64_t size = 0;
    table->number = number;
    enum status status = file_size(file, &size, error);
    if (status == STATUS_OK) status = read_footer(table, file, size, &filter, &index, error);
    if (status == STATUS_OK) status = read_block(file, filter, &table->filter, error);
    if (status == STATUS_OK) status = read_block(file, index, &table->index, error);
    if (status != STATUS_OK) {
        sstable_close(table);
        return status;
    }
    table->file = file;
    *out = table;
    return STATUS_OK;
}

void sstable_close(struct sstable *table) {
    if (table == NULL) return;
    if (table->file != NULL) file_close(table->file);
    buf_deinit(&table->index);
    buf_deinit(&table->filter);
    mem_free(table);
}

uint64_t sstable_entries(const struct sstable *table) { return table->entries; }

bool sstable_may_contain(const struct sstable *table, struct slice user_key) {
    return bloom_may_contain(buf_slice(&table->filter), bloom_hash(user_key));
}

static bool decode_place(struct slice value, struct sstable_place *out) {
    struct reader reader = reader_of(value);
    out->offset = get_varint(&reader);
    out->len = get_varint(&reader);
    return reader_done(&reader);
}

uint64_t sstable_offset_of(const struct sstable *table, struct slice key) {
    struct block_iterator index = {0};
    struct sstable_place place = {table->data_end, 0};
    block_iterator_init(&index, buf_slice(&table->index));
    block_iterator_seek(&index, key);
    if (index.valid && !decode_place(index.value, &place)) place.offset = table->data_end;
    block_iterator_deinit(&index);
    return place.offset;
}

/* ---- fetching ------------------------------------------------------------------------------- */

static enum status fetch(struct sstable_iterator *it, struct sstable_place place,
                         struct cached_block **out, struct error *error) {
    const struct sstable *table = it->table;
    if (it->access.cache != NULL) {
        *out = block_cache_find(it->access.cache, table->number, place.offset);
        if (*out != NULL) return STATUS_OK;
    }
    if (it->access.no_wait) return STATUS_WOULD_BLOCK;
    struct cached_block *block = cached_block_new(table->number, place.offset);
    enum status status = read_block(table->file, place, &block->content, error);
    if (status != STATUS_OK) {
        cached_block_free(block);
        return status;
    }
    if (it->access.cache != NULL) block_cache_insert(it->access.cache, block);
    *out = block;
    return STATUS_OK;
}

static void let_go(struct sstable_iterator *it) {
    struct cached_block *block = it->loaded;
    it->loaded = NULL;
    if (block == NULL) return;
    if (it->access.cache != NULL)
        block_cache_release(block);
    else if (it->access.shelf != NULL)
        block_shelf_push(it->access.shelf, block);
    else
        cached_block_free(block);
}

/* ---- iterating ------------------------------------------------------------------------------ */

void sstable_iterator_init(struct sstable_iterator *it, const struct sstable *table,
                           const struct block_access *access) {
    *it = (struct sstable_iterator){.table = table, .access = *access};
    block_iterator_init(&it->index, buf_slice(&table->index));
}

void sstable_iterator_deinit(struct sstable_iterator *it) {
    let_go(it);
    block_iterator_deinit(&it->index);
    block_iterator_deinit(&it->block);
}

static void fail(struct sstable_iterator *it, enum status status) {
    it->status = status;
    it->valid = false;
}

/* Loads the block that the index stands on. False: there is none, or it failed. */
static bool load(struct sstable_iterator *it) {
    struct sstable_place place;
    it->valid = false;
    it->status = STATUS_OK;
    if (it->index.corrupt || (it->index.valid && !decode_place(it->index.value, &place)) ||
        (it->index.valid && !fits(place, it->table->data_end))) {
        fail(it, damaged(it->table->file, it->table->data_end, &it->error));
        return false;
    }
    if (!it->index.valid) return false;
    if (it->loaded != NULL && it->loaded->offset == place.offset) return true;
    struct cached_block *block = NULL;
    enum status status = fetch(it, place, &block, &it->error);
    if (status != STATUS_OK) {
        fail(it, status);
        return false;
    }
    let_go(it);
    it->loaded = block;
    block_iterator_init(&it->block, buf_slice(&block->content));
    return true;
}

/* After a move inside a block. */
static void settle(struct sstable_iterator *it) {
    it->valid = it->block.valid;
    if (it->block.corrupt) fail(it, damaged(it->table->file, it->loaded->offset, &it->error));
}

void sstable_iterator_seek_first(struct sstable_iterator *it) {
    block_iterator_seek_first(&it->index);
    if (!load(it)) return;
    block_iterator_seek_first(&it->block);
    settle(it);
}

void sstable_iterator_seek_last(struct sstable_iterator *it) {
    block_iterator_seek_last(&it->index);
    if (!load(it)) return;
    block_iterator_seek_last(&it->block);
    settle(it);
}

void sstable_iterator_seek(struct sstable_iterator *it, struct slice key) {
    block_iterator_seek(&it->index, key); /* the first block whose last key is >= key */
    if (!load(it)) return;
    block_iterator_seek(&it->block, key);
    settle(it);
}

static void to_block_before(struct sstable_iterator *it) {
    block_iterator_prev(&it->index);
    if (!load(it)) return;
    block_iterator_seek_last(&it->block);
    settle(it);
}

void sstable_iterator_seek_for_prev(struct sstable_iterator *it, struct slice key) {
    block_iterator_seek(&it->index, key);
    if (!it->index.valid && !it->index.corrupt) {
        sstable_iterator_seek_last(it); /* every key is smaller */
        return;
    }
    if (!load(it)) return;
    block_iterator_seek_for_prev(&it->block, key);
    settle(it);
    if (!it->valid && it->status == STATUS_OK) to_block_before(it);
}

void sstable_iterator_next(struct sstable_iterator *it) {
    assert(it->valid);
    block_iterator_next(&it->block);
    settle(it);
    if (it->valid || it->status != STATUS_OK) return;
    block_iterator_next(&it->index);
    if (!load(it)) return;
    block_iterator_seek_first(&it->block);
    settle(it);
}

void sstable_iterator_prev(struct sstable_iterator *it) {
    assert(it->valid);
    block_iterator_prev(&it->block);
    settle(it);
    if (!it->valid && it->status == STATUS_OK) to_block_before(it);
}
