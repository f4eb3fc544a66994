/* wal_format.h - the bytes of the log: segment headers, batches, records. Pure: no I/O.
 *
 * All integers are little-endian. A checksum is seeded with the position of what it covers, so that
 * a copy of a batch at another place is not taken for one. */
#ifndef CAIRN_WAL_FORMAT_H
#define CAIRN_WAL_FORMAT_H

#include "codec.h"
#include "slice.h"

enum {
    WAL_SEGMENT_HEADER_BYTES = 48,
    /* Batches start in a sector of their own: the header is never rewritten. */
    WAL_SEGMENT_DATA_OFFSET = 512,
    /* salt 8, checksum 8 (of all that follows), sequence 8, synced 8, body length 4, zero 4 */
    WAL_BATCH_HEADER_BYTES = 40,
    /* payload length 4, checksum 4, type 1 */
    WAL_RECORD_HEADER_BYTES = 9,
    WAL_BATCH_ALIGNMENT = 8
};

struct wal_segment_header {
    uint64_t base;     /* position of the first byte of the file */
    uint64_t capacity; /* size of the file */
    uint64_t salt;     /* random: tells this segment's batches from anything else */
};

void wal_segment_header_encode(uint8_t out[WAL_SEGMENT_HEADER_BYTES],
                               const struct wal_segment_header *header);
bool wal_segment_header_decode(const uint8_t in[WAL_SEGMENT_HEADER_BYTES],
                               struct wal_segment_header *out);

struct wal_batch_header {
    uint64_t sequence;
    uint64_t synced; /* everything below this position was synced when the batch was written */
    uint32_t body_bytes;
};

static inline uint64_t wal_align(uint64_t offset) {
    return (offset + WAL_BATCH_ALIGNMENT - 1) / WAL_BATCH_ALIGNMENT * WAL_BATCH_ALIGNMENT;
}

/* Fills in the header in front of `header->body_bytes` bytes of records. */
void wal_batch_seal(uint8_t *batch, uint64_t salt, uint64_t position,
                    const struct wal_batch_header *header);
/* True if a whole batch of the segment starts at `bytes`, which is at `position`. */
bool wal_batch_decode(struct slice bytes, uint64_t salt, uint64_t position,
                      struct wal_batch_header *out);

struct wal_record {
    uint8_t type;
    struct slice payload;
};

/* The header of a record whose payload is `payload_bytes` long, at buf->len -
 * WAL_RECORD_HEADER_BYTES - payload_bytes; `at` points there. Computes the checksum. */
void wal_record_seal(uint8_t *at, uint8_t type, size_t payload_bytes, uint64_t position);
/* The payload's length, as the record's header says; the header alone is not checked. */
uint32_t wal_record_length(const uint8_t *at);
/* False if `bytes` is too short or damaged. */
bool wal_record_decode(struct slice bytes, uint64_t position, struct wal_record *out);

#endif
