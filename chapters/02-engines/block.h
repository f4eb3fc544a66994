/* block.h - a sorted run of entries in a few kilobytes: the unit in which a table is read, checked
 * and cached.
 *
 * Neighbours in a sorted run share the beginnings of their keys, so an entry stores only where it
 * differs from the one before (prefix compression, as in LevelDB's table format). Every 16th entry,
 * a *restart point*, stores its whole key: a search jumps between those by bisection and walks at
 * most 16 entries from there.
 *
 *   block: entry | entry | ... | offset of each restart point (4 bytes) | their number (4 bytes)
 *   entry: bytes shared with the key before, bytes not shared, bytes of the value (varints) |
 *          the part not shared | value
 *
 * Invariants
 *  1. Keys are internal keys (internal_key.h) in strictly ascending order.
 *  2. The first entry is a restart point; a restart point shares nothing.
 *  3. An iterator trusts nothing: it never reads outside the block, and a malformed one makes it
 *     `corrupt` and invalid.
 *
 * Any thread; a builder or an iterator belongs to one at a time. */
#ifndef CAIRN_BLOCK_H
#define CAIRN_BLOCK_H

#include "buf.h"

enum { BLOCK_RESTART_INTERVAL = 16 };

struct block_builder {
    struct buf bytes;
    struct buf restarts; /* offsets, 4 bytes each */
    struct buf last_key;
    size_t count;
};

void block_builder_init(struct block_builder *builder);
void block_builder_deinit(struct block_builder *builder);
void block_builder_clear(struct block_builder *builder); /* begins the next block */
/* Copies. The key is greater than the one before (asserted). */
void block_builder_add(struct block_builder *builder, struct slice key, struct slice value);
/* What the block takes if it ends here. */
size_t block_builder_bytes(const struct block_builder *builder);
/* Appends the restart points. The block is valid until the builder is cleared. */
struct slice block_builder_finish(struct block_builder *builder);

/* An iterator over a block that its owner keeps in memory. */
struct block_iterator {
    struct slice entries;  /* without the restart points */
    struct slice restarts; /* their offsets */
    size_t at;             /* where the current entry begins */
    size_t next;           /* where the one behind it begins */
    bool valid;
    bool corrupt;
    struct buf key;     /* the current key, put together */
    struct slice value; /* borrows from the block */
};

/* Zero-filled is fine for init; init again moves it to another block, keeping its memory. */
void block_iterator_init(struct block_iterator *it, struct slice block);
void block_iterator_deinit(struct block_iterator *it);
void block_iterator_seek_first(struct block_iterator *it);
void block_iterator_seek_last(struct block_iterator *it);
void block_iterator_seek(struct block_iterator *it, struct slice key);          /* first >= key */
void block_iterator_seek_for_prev(struct block_iterator *it, struct slice key); /* last <= key */
/* Only when valid. prev walks from the restart point before. */
void block_iterator_next(struct block_iterator *it);
void block_iterator_prev(struct block_iterator *it);

#endif
