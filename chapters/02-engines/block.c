/* block.c - building blocks and finding entries in them. What lives here: prefix compression,
 * restart points, the bisection. What must not: files and checksums (sstable_reader.c). */
#include "block.h"

#include <assert.h>

#include "codec.h"
#include "internal_key.h"

/* ---- building ------------------------------------------------------------------------------- */

void block_builder_init(struct block_builder *builder) { *builder = (struct block_builder){0}; }

void block_builder_deinit(struct block_builder *builder) {
    buf_deinit(&builder->bytes);
    buf_deinit(&builder->restarts);
    buf_deinit(&builder->last_key);
}

void block_builder_clear(struct block_builder *builder) {
    buf_clear(&builder->bytes);
    buf_clear(&builder->restarts);
    buf_clear(&builder->last_key);
    builder->count = 0;
}

static size_t shared_prefix(struct slice a, struct slice b) {
    size_t max = a.len < b.len ? a.len : b.len, len = 0;
    while (len < max && a.data[len] == b.data[len])
        len++;
    return len;
}

void block_builder_add(struct block_builder *builder, struct slice key, struct slice value) {
    size_t shared = 0;
    assert(builder->count == 0 || internal_key_compare(buf_slice(&builder->last_key), key) < 0);
    if (builder->count % BLOCK_RESTART_INTERVAL == 0)
        put_u32le(&builder->restarts, (uint32_t)builder->bytes.len);
    else
        shared = shared_prefix(buf_slice(&builder->last_key), key);
    put_varint(&builder->bytes, shared);
    put_varint(&builder->bytes, key.len - shared);
    put_varint(&builder->bytes, value.len);
    buf_append_slice(&builder->bytes, slice_from(key, shared));
    buf_append_slice(&builder->bytes, value);
    buf_clear(&builder->last_key);
    buf_append_slice(&builder->last_key, key);
    builder->count++;
}

size_t block_builder_bytes(const struct block_builder *builder) {
    return builder->bytes.len + builder->restarts.len + sizeof(uint32_t);
}

struct slice block_builder_finish(struct block_builder *builder) {
    buf_append_slice(&builder->bytes, buf_slice(&builder->restarts));
    put_u32le(&builder->bytes, (uint32_t)(builder->restarts.len / sizeof(uint32_t)));
    return buf_slice(&builder->bytes);
}

/* ---- iterating ------------------------------------------------------------------------------ */

static void fail(struct block_iterator *it) {
    it->corrupt = true;
    it->valid = false;
}

void block_iterator_init(struct block_iterator *it, struct slice block) {
    struct buf key = it->key;
    *it = (struct block_iterator){.key = key};
    buf_clear(&it->key);
    if (block.len < sizeof(uint32_t)) {
        fail(it);
        return;
    }
    size_t count = load_u32le(block.data + block.len - sizeof(uint32_t));
    if (count > block.len / sizeof(uint32_t) - 1) {
        fail(it);
        return;
    }
    size_t restarts_bytes = count * sizeof(uint32_t);
    it->entries = slice_of(block.data, block.len - sizeof(uint32_t) - restarts_bytes);
    it->restarts = slice_of(block.data + it->entries.len, restarts_bytes);
}

void block_iterator_deinit(struct block_iterator *it) { buf_deinit(&it->key); }

/* Decodes the entry at `offset`; it->key holds the key before it. False at the end, or corrupt. */
static bool decode(struct block_iterator *it, size_t offset) {
    it->valid = false;
    if (it->corrupt || offset >= it->entries.len) return false;
    struct reader reader = reader_of(slice_from(it->entries, offset));
    uint64_t shared = get_varint(&reader);
    uint64_t unshared = get_varint(&reader);
    uint64_t value_len = get_varint(&reader);
    if (!reader_ok(&reader) || shared > it->key.len || unshared > reader.len ||
        value_len > reader.len - unshared || shared + unshared < INTERNAL_KEY_TRAILER_BYTES) {
        fail(it);
        return false;
    }
    it->key.len = (size_t)shared;
    buf_append_slice(&it->key, get_raw(&reader, (size_t)unshared));
    it->value = get_raw(&reader, (size_t)value_len);
    it->at = offset;
    it->next = (size_t)(reader.data - it->entries.data);
    it->valid = true;
    return true;
}

static size_t restart_count(const struct block_iterator *it) {
    return it->restarts.len / sizeof(uint32_t);
}

static size_t restart_offset(const struct block_iterator *it, size_t index) {
    return load_u32le(it->restarts.data + index * sizeof(uint32_t));
}

static bool decode_restart(struct block_iterator *it, size_t index) {
    buf_clear(&it->key);
    return decode(it, restart_offset(it, index));
}

void block_iterator_seek_first(struct block_iterator *it) {
    it->valid = false;
    if (restart_count(it) > 0) decode_restart(it, 0);
}

/* From a restart point to the last entry that begins before `end`. */
static void walk_to_last_before(struct block_iterator *it, size_t index, size_t end) {
    if (!decode_restart(it, index)) return;
    while (it->next < end)
        if (!decode(it, it->next)) return;
}

void block_iterator_seek_last(struct block_iterator *it) {
    it->valid = false;
    if (restart_count(it) > 0) walk_to_last_before(it, restart_count(it) - 1, it->entries.len);
}

/* The last restart point with a key < `key`, or the first of all. */
static size_t find_restart(struct block_iterator *it, struct slice key) {
    size_t low = 0, high = restart_count(it) - 1;
    while (low < high) {
        size_t middle = high - (high - low) / 2;
        if (!decode_restart(it, middle)) return 0;
        if (internal_key_compare(buf_slice(&it->key), key) < 0)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void block_iterator_seek(struct block_iterator *it, struct slice key) {
    it->valid = false;
    if (restart_count(it) == 0) return;
    if (!decode_restart(it, find_restart(it, key))) return;
    while (internal_key_compare(buf_slice(&it->key), key) < 0)
        if (!decode(it, it->next)) return;
}

void block_iterator_seek_for_prev(struct block_iterator *it, struct slice key) {
    block_iterator_seek(it, key);
    if (it->corrupt) return;
    if (!it->valid)
        block_iterator_seek_last(it);
    else if (internal_key_compare(buf_slice(&it->key), key) > 0)
        block_iterator_prev(it);
}

void block_iterator_next(struct block_iterator *it) {
    assert(it->valid);
    decode(it, it->next);
}

void block_iterator_prev(struct block_iterator *it) {
    assert(it->valid);
    size_t end = it->at, low = 0, high = restart_count(it);
    while (low < high) { /* the restart points below `end` */
        size_t middle = low + (high - low) / 2;
        if (restart_offset(it, middle) < end)
            low = middle + 1;
        else
            high = middle;
    }
    it->valid = false;
    if (low > 0) walk_to_last_before(it, low - 1, end);
}
