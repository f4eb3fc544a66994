/* sstable_writer.h - makes the bytes of a table (sstable_format.h) from entries in order.
 *
 * It does no I/O: bytes gather in a buffer that the owner writes out whenever it likes. So a worker
 * thread can make them and the loop can write them. Any thread, one at a time. */
#ifndef CAIRN_SSTABLE_WRITER_H
#define CAIRN_SSTABLE_WRITER_H

#include "block.h"
#include "sstable_format.h"

struct sstable_writer {
    struct block_builder data;
    struct block_builder index;
    struct buf hashes;    /* bloom_hash of each user key, 8 bytes each */
    struct buf last_user; /* the user key that was hashed last */
    struct buf smallest;  /* internal keys */
    struct buf largest;
    struct buf out;  /* made, not yet taken */
    uint64_t offset; /* of the end of `out` in the file */
    uint64_t entries;
    uint64_t smallest_sequence;
};

void sstable_writer_init(struct sstable_writer *writer);
void sstable_writer_deinit(struct sstable_writer *writer);
/* Internal keys in ascending order (asserted). Copies. */
void sstable_writer_add(struct sstable_writer *writer, struct slice key, struct slice value);
/* Appends filter, index and footer: the file is complete. At least one entry was added. */
void sstable_writer_finish(struct sstable_writer *writer);
/* Bytes of the file so far; the block being built counts. */
uint64_t sstable_writer_bytes(const struct sstable_writer *writer);

#endif
