/* sstable_writer.c - laying entries out as a table. What lives here: when a block ends, what goes
 * into the index, the filter and the footer. What must not: I/O. */
#include "sstable_writer.h"

#include <assert.h>

#include "bloom.h"
#include "codec.h"
#include "internal_key.h"

void sstable_writer_init(struct sstable_writer *writer) {
    *writer = (struct sstable_writer){.smallest_sequence = UINT64_MAX};
}

void sstable_writer_deinit(struct sstable_writer *writer) {
    block_builder_deinit(&writer->data);
    block_builder_deinit(&writer->index);
    buf_deinit(&writer->hashes);
    buf_deinit(&writer->last_user);
    buf_deinit(&writer->smallest);
    buf_deinit(&writer->largest);
    buf_deinit(&writer->out);
}

static struct sstable_place append_block(struct sstable_writer *writer, struct slice content) {
    struct sstable_place place = {writer->offset, content.len};
    buf_append_slice(&writer->out, content);
    put_u64le(&writer->out, checksum64(content, place.offset));
    writer->offset += content.len + SSTABLE_CHECKSUM_BYTES;
    return place;
}

static void end_block(struct sstable_writer *writer) {
    if (writer->data.count == 0) return;
    struct sstable_place place = append_block(writer, block_builder_finish(&writer->data));
    struct buf value = BUF_INIT;
    put_varint(&value, place.offset);
    put_varint(&value, place.len);
    block_builder_add(&writer->index, buf_slice(&writer->largest), buf_slice(&value));
    buf_deinit(&value);
    block_builder_clear(&writer->data);
}

/* Versions of one key follow each other: it goes into the filter once. */
static void add_to_filter(struct sstable_writer *writer, struct slice user) {
    if (writer->entries > 0 && slice_equal(buf_slice(&writer->last_user), user)) return;
    uint64_t hash = bloom_hash(user);
    buf_append(&writer->hashes, &hash, sizeof(hash));
    buf_clear(&writer->last_user);
    buf_append_slice(&writer->last_user, user);
}

void sstable_writer_add(struct sstable_writer *writer, struct slice key, struct slice value) {
    assert(writer->entries == 0 || internal_key_compare(buf_slice(&writer->largest), key) < 0);
    add_to_filter(writer, internal_key_user(key));
    if (writer->entries == 0) buf_append_slice(&writer->smallest, key);
    buf_clear(&writer->largest);
    buf_append_slice(&writer->largest, key);
    uint64_t sequence = internal_key_sequence(key);
    if (sequence < writer->smallest_sequence) writer->smallest_sequence = sequence;
    writer->entries++;
    block_builder_add(&writer->data, key, value);
    if (block_builder_bytes(&writer->data) >= SSTABLE_BLOCK_BYTES) end_block(writer);
}

static struct sstable_place append_filter(struct sstable_writer *writer) {
    struct buf filter = BUF_INIT;
    bloom_build((const uint64_t *)(const void *)writer->hashes.data,
                writer->hashes.len / sizeof(uint64_t), &filter);
    struct sstable_place place = append_block(writer, buf_slice(&filter));
    buf_deinit(&filter);
    return place;
}

void sstable_writer_finish(struct sstable_writer *writer) {
    assert(writer->entries > 0);
    end_block(writer);
    struct sstable_place filter = append_filter(writer);
    struct sstable_place index = append_block(writer, block_builder_finish(&writer->index));
    size_t start = writer->out.len;
    put_u64le(&writer->out, SSTABLE_MAGIC);
    put_u64le(&writer->out, SSTABLE_VERSION);
    put_u64le(&writer->out, filter.offset);
    put_u64le(&writer->out, filter.len);
    put_u64le(&writer->out, index.offset);
    put_u64le(&writer->out, index.len);
    put_u64le(&writer->out, writer->entries);
    struct slice fields = slice_of(writer->out.data + start, writer->out.len - start);
    put_u64le(&writer->out, checksum64(fields, writer->offset));
    assert(writer->out.len - start == SSTABLE_FOOTER_BYTES);
    writer->offset += SSTABLE_FOOTER_BYTES;
}

uint64_t sstable_writer_bytes(const struct sstable_writer *writer) {
    return writer->offset + writer->data.bytes.len;
}
