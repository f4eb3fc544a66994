/* codec.h - integers and bytes on the wire and on disk.
 *
 * Three families: fixed little-endian (headers of our own formats), big-endian (network
 * protocols), varint (compact); and *ordered* encodings, whose bytes compare as the values do
 * (keys). Encoders append to a buf. Decoders read through a `struct reader` that never runs past
 * the end: after the first malformed field every further read fails too, so that a caller may
 * check once at the end. */
#ifndef CAIRN_CODEC_H
#define CAIRN_CODEC_H

#include "buf.h"
#include "slice.h"
#include "status.h"

struct reader {
    const uint8_t *data;
    size_t len;  /* bytes left */
    bool failed; /* sticky */
};

struct reader reader_of(struct slice slice);
bool reader_ok(const struct reader *reader);   /* nothing malformed so far */
bool reader_done(const struct reader *reader); /* ok and nothing left */

void put_u8(struct buf *buf, uint8_t value);
void put_u16le(struct buf *buf, uint16_t value);
void put_u32le(struct buf *buf, uint32_t value);
void put_u64le(struct buf *buf, uint64_t value);
void put_u16be(struct buf *buf, uint16_t value);
void put_u32be(struct buf *buf, uint32_t value);
void put_u64be(struct buf *buf, uint64_t value);
void put_varint(struct buf *buf, uint64_t value);    /* LEB128, 1 to 10 bytes */
void put_bytes(struct buf *buf, struct slice bytes); /* varint length, then the bytes */

/* In place, for patching a length written earlier. */
void store_u32le(uint8_t *at, uint32_t value);
void store_u64le(uint8_t *at, uint64_t value);
void store_u32be(uint8_t *at, uint32_t value);
uint32_t load_u32le(const uint8_t *at);
uint64_t load_u64le(const uint8_t *at);
uint16_t load_u16be(const uint8_t *at);
uint32_t load_u32be(const uint8_t *at);
uint64_t load_u64be(const uint8_t *at);

/* On failure these return 0 (or an empty slice) and set reader->failed. */
uint8_t get_u8(struct reader *reader);
uint16_t get_u16le(struct reader *reader);
uint32_t get_u32le(struct reader *reader);
uint64_t get_u64le(struct reader *reader);
uint16_t get_u16be(struct reader *reader);
uint32_t get_u32be(struct reader *reader);
uint64_t get_u64be(struct reader *reader);
uint64_t get_varint(struct reader *reader);    /* refuses more than 10 bytes */
struct slice get_bytes(struct reader *reader); /* as put_bytes; borrows from the input */
struct slice get_raw(struct reader *reader, size_t len);
struct slice get_cstring(struct reader *reader); /* up to a NUL, which is consumed, not included */

/* Ordered encodings: memcmp of the encodings orders as the values do, and an encoding is
 * self-delimiting, so that several may follow one another in a key. */
void put_ordered_u64(struct buf *buf, uint64_t value);       /* big-endian */
void put_ordered_u64_desc(struct buf *buf, uint64_t value);  /* larger values first */
void put_ordered_i64(struct buf *buf, int64_t value);        /* sign bit flipped */
void put_ordered_f64(struct buf *buf, double value);         /* NaN last, -0 as 0 */
void put_ordered_bytes(struct buf *buf, struct slice bytes); /* 00 -> 00 FF; ends with 00 01 */
uint64_t get_ordered_u64(struct reader *reader);
uint64_t get_ordered_u64_desc(struct reader *reader);
int64_t get_ordered_i64(struct reader *reader);
double get_ordered_f64(struct reader *reader);
/* Unescapes into `out` (appended). */
void get_ordered_bytes(struct reader *reader, struct buf *out);

/* The smallest key that is greater than every key starting with `prefix`: appends it to `out`.
 * Returns false (nothing appended) if there is none, that is, if prefix is empty or all FF. */
bool put_prefix_end(struct buf *out, struct slice prefix) MUST_CHECK;

/* XXH3, 64 bits. The checksum of every format of ours. */
uint64_t checksum64(struct slice data, uint64_t seed);

#endif
