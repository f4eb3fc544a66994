/* sstable_format.h - the file of a table: sorted, immutable, every byte under a checksum.
 *
 *   file:   data block | data block | ... | filter | index | footer
 *   block:  content | checksum of content and offset (8 bytes)
 *   index:  a block (block.h) with an entry per data block: its last key -> its place
 *   place:  offset, length of the content (varints)
 *   footer: magic, version, place of filter and index, number of entries, checksum; fixed size
 *
 * "SSTable" is Bigtable's word (Chang et al., OSDI 2006, section 4); the layout follows LevelDB's.
 * The order of an LSM tree's files, one big sorted run per level, is O'Neil's ("The Log-Structured
 * Merge-Tree", 1996).
 *
 * Invariants
 *  1. Entries are in strict order of internal_key_compare, over all blocks.
 *  2. A data block ends with the first entry that takes it to SSTABLE_BLOCK_BYTES or more.
 *  3. The checksum's seed is the block's offset: a block that landed in the wrong place is damage,
 *     too. Damage is CORRUPT, with file and offset; it is never skipped.
 *  4. The filter is a Bloom filter (bloom.h) of all user keys. */
#ifndef CAIRN_SSTABLE_FORMAT_H
#define CAIRN_SSTABLE_FORMAT_H

#include <stdint.h>

enum {
    SSTABLE_BLOCK_BYTES = 4096,
    SSTABLE_CHECKSUM_BYTES = 8,
    SSTABLE_FOOTER_BYTES = 64,
    SSTABLE_VERSION = 1
};

#define SSTABLE_MAGIC UINT64_C(0x454c4241544e5243) /* "CRNTABLE" */

struct sstable_place {
    uint64_t offset;
    uint64_t len; /* of the content, without the checksum */
};

#endif
