/* sstable_reader.h - reading a table (sstable_format.h): one key, or in order both ways.
 *
 * An open table keeps its index and its filter in memory, so a key costs at most one block: index
 * says which, filter says whether to look at all.
 *
 * Invariants
 *  1. A table never changes, so any number of threads read it at once; each has its own iterator.
 *  2. Every byte that is used was checked against its checksum after it came from the file.
 *     Damage is CORRUPT, with file and offset, and ends the read: nothing is skipped.
 *  3. With `no_wait` the file is not read: a block that is not in the cache is WOULD_BLOCK. */
#ifndef CAIRN_SSTABLE_READER_H
#define CAIRN_SSTABLE_READER_H

#include "block.h"
#include "block_cache.h"
#include "env.h"
#include "sstable_format.h"

struct sstable;

/* How a reader comes by blocks. All NULL: reads each for itself and frees it. */
struct block_access {
    struct block_cache *cache; /* the loop only */
    struct block_shelf *shelf; /* any thread, when cache is NULL: takes the blocks that were read */
    bool no_wait;
};

/* Reads footer, index and filter. Takes `file` over if OK, else it stays the caller's. Any thread.
 * CORRUPT with file and offset; IO. */
enum status sstable_open(struct file *file, uint64_t number, struct sstable **out,
                         struct error *error) MUST_CHECK;
/* Closes the file, too. NULL is fine. */
void sstable_close(struct sstable *table);
uint64_t sstable_entries(const struct sstable *table);
/* About where in the file `key` (internal) stands or would stand. No I/O. */
uint64_t sstable_offset_of(const struct sstable *table, struct slice key);

/* Open, but its fields are the reader's business; key and value are good while it is valid and does
 * not move. */
struct sstable_iterator {
    const struct sstable *table;
    struct block_access access;
    struct block_iterator index;
    struct block_iterator block;
    struct cached_block *loaded; /* that `block` walks over */
    bool valid;
    enum status status; /* why it is not valid: OK at the end, WOULD_BLOCK, IO, CORRUPT */
    struct error error;
};

void sstable_iterator_init(struct sstable_iterator *it, const struct sstable *table,
                           const struct block_access *access);
void sstable_iterator_deinit(struct sstable_iterator *it);
void sstable_iterator_seek_first(struct sstable_iterator *it);
void sstable_iterator_seek_last(struct sstable_iterator *it);
void sstable_iterator_seek(struct sstable_iterator *it, struct slice key);          /* >= */
void sstable_iterator_seek_for_prev(struct sstable_iterator *it, struct slice key); /* <= */
void sstable_iterator_next(struct sstable_iterator *it); /* only when valid */
void sstable_iterator_prev(struct sstable_iterator *it);
static inline struct slice sstable_iterator_key(const struct sstable_iterator *it) {
    return buf_slice(&it->block.key);
}
static inline struct slice sstable_iterator_value(const struct sstable_iterator *it) {
    return it->block.value;
}

/* False: no version of the user key is in the table. Asks the filter; no I/O. */
bool sstable_may_contain(const struct sstable *table, struct slice user_key);

#endif
