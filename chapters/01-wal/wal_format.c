/* wal_format.c - encoding and checking segment headers, batches and records. What lives here: every
 * byte offset inside them. What must not: files, and what to do about damage. */
#include "wal_format.h"

#include <assert.h>

static const uint8_t MAGIC[8] = {'C', 'A', 'I', 'R', 'N', 'W', 'A', 'L'};
enum { FORMAT_VERSION = 1 };

void wal_segment_header_encode(uint8_t out[WAL_SEGMENT_HEADER_BYTES],
                               const struct wal_segment_header *header) {
    memcpy(out, MAGIC, sizeof(MAGIC));
    store_u64le(out + 8, FORMAT_VERSION);
    store_u64le(out + 16, header->base);
    store_u64le(out + 24, header->capacity);
    store_u64le(out + 32, header->salt);
    store_u64le(out + 40, checksum64(slice_of(out, 40), 0));
}

bool wal_segment_header_decode(const uint8_t in[WAL_SEGMENT_HEADER_BYTES],
                               struct wal_segment_header *out) {
    if (memcmp(in, MAGIC, sizeof(MAGIC)) != 0) return false;
    if (load_u64le(in + 40) != checksum64(slice_of(in, 40), 0)) return false;
    if (load_u64le(in + 8) != FORMAT_VERSION) return false;
    out->base = load_u64le(in + 16);
    out->capacity = load_u64le(in + 24);
    out->salt = load_u64le(in + 32);
    return out->capacity >= WAL_SEGMENT_DATA_OFFSET;
}

static uint64_t batch_checksum(const uint8_t *batch, uint32_t body_bytes, uint64_t position) {
    return checksum64(slice_of(batch + 16, WAL_BATCH_HEADER_BYTES - 16 + (size_t)body_bytes),
                      position);
}

void wal_batch_seal(uint8_t *batch, uint64_t salt, uint64_t position,
                    const struct wal_batch_header *header) {
    store_u64le(batch, salt);
    store_u64le(batch + 16, header->sequence);
    store_u64le(batch + 24, header->synced);
    store_u32le(batch + 32, header->body_bytes);
    store_u32le(batch + 36, 0);
    store_u64le(batch + 8, batch_checksum(batch, header->body_bytes, position));
}

bool wal_batch_decode(struct slice bytes, uint64_t salt, uint64_t position,
                      struct wal_batch_header *out) {
    if (bytes.len < WAL_BATCH_HEADER_BYTES || load_u64le(bytes.data) != salt) return false;
    uint32_t body_bytes = load_u32le(bytes.data + 32);
    if (body_bytes > bytes.len - WAL_BATCH_HEADER_BYTES) return false;
    if (load_u64le(bytes.data + 8) != batch_checksum(bytes.data, body_bytes, position))
        return false;
    out->sequence = load_u64le(bytes.data + 16);
    out->synced = load_u64le(bytes.data + 24);
    out->body_bytes = body_bytes;
    return true;
}

/* A batch's checksum already covers its records; this one serves reading a single record back. */
static uint32_t record_checksum(const uint8_t *payload, size_t payload_bytes, uint8_t type,
                                uint64_t position) {
    uint64_t seed = position ^ ((uint64_t)type << 56);
    return (uint32_t)(checksum64(slice_of(payload, payload_bytes), seed) & UINT32_MAX);
}

void wal_record_seal(uint8_t *at, uint8_t type, size_t payload_bytes, uint64_t position) {
    assert(payload_bytes <= UINT32_MAX);
    store_u32le(at, (uint32_t)payload_bytes);
    store_u32le(at + 4,
                record_checksum(at + WAL_RECORD_HEADER_BYTES, payload_bytes, type, position));
    at[8] = type;
}

uint32_t wal_record_length(const uint8_t *at) { return load_u32le(at); }

bool wal_record_decode(struct slice bytes, uint64_t position, struct wal_record *out) {
    if (bytes.len < WAL_RECORD_HEADER_BYTES) return false;
    uint32_t length = wal_record_length(bytes.data);
    if (length > bytes.len - WAL_RECORD_HEADER_BYTES) return false;
    out->type = bytes.data[8];
    out->payload = slice_of(bytes.data + WAL_RECORD_HEADER_BYTES, length);
    return load_u32le(bytes.data + 4) ==
           record_checksum(out->payload.data, length, out->type, position);
}
