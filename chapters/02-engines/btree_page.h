/* btree_page.h - a page of the B+tree: 4 KiB, with cells kept in order by an array of slots.
 *
 * The slotted page is as old as System R: slots grow from the front, cells from the back, so that a
 * cell of any length is added without moving the others, and order costs two bytes a cell. (Comer,
 * "The Ubiquitous B-Tree", 1979; Hellerstein, Stonebraker, Hamilton, "Architecture of a Database
 * System", 2007, section 4.)
 *
 *   header 32: checksum 8 | generation 8 | page number 4 | type 1 | level 1 | count 2
 *              | start of cells 2 | live bytes 2 | next page 4
 *   slots:     offset of each cell, 2 bytes, in order of key
 *   ... free ...
 *   cells, of a leaf:   key length 2 | value length 2 | key | value
 *          of a branch: key length 2 | 0 0 | child 4 | key
 *   overflow page: header, whose count is the number of bytes | bytes
 *   free list:     header, whose count is the number of entries | page numbers, 4 each
 *
 * The top bit of a length says that the bytes do not lie here: in their place stand the full length
 * (4), the first overflow page (4), and of a key its first KEY_PREFIX bytes.
 *
 * Invariants
 *  1. Cells are in ascending order of key. The first cell of a branch has an empty key, which
 *     stands for "below everything": child i holds the keys from key i up to key i+1.
 *  2. live bytes = bytes of the cells + 2 for each: what a compacted page would hold.
 *  3. The checksum covers the page from byte 8 on, seeded with its number: a page written to the
 *     wrong place fails as a damaged one does. It is set when the page is written to the file.
 *
 * No function here knows files, caches or trees. All numbers little-endian. */
#ifndef CAIRN_BTREE_PAGE_H
#define CAIRN_BTREE_PAGE_H

#include "slice.h"
#include "status.h"

enum {
    BTREE_PAGE_BYTES = 4096,
    BTREE_PAGE_HEADER = 32,
    BTREE_PAGE_CAPACITY = BTREE_PAGE_BYTES - BTREE_PAGE_HEADER,
    BTREE_SLOT_BYTES = 2,
    BTREE_LEAF_HEADER = 4,
    BTREE_BRANCH_HEADER = 8,
    /* Four cells fit a page, so that a split in two is always enough. */
    BTREE_CELL_MAX = 1000,
    BTREE_KEY_INLINE_MAX = 480, /* longer keys go to overflow pages */
    BTREE_KEY_PREFIX = 64,
    BTREE_REFERENCE_BYTES = 8, /* length and first page of what lies elsewhere */
    /* A page other than the root with fewer live bytes is merged, or refilled from a neighbour. A
     * fifth, not the half of the textbook: cells differ in length. */
    BTREE_MIN_FILL = BTREE_PAGE_CAPACITY / 5,
    BTREE_PAGE_CELLS_MAX = BTREE_PAGE_CAPACITY / (BTREE_LEAF_HEADER + BTREE_SLOT_BYTES),
    BTREE_LEVELS_MAX = 16
};

enum btree_page_type {
    BTREE_META = 1,
    BTREE_BRANCH = 2,
    BTREE_LEAF = 3,
    BTREE_OVERFLOW = 4,
    BTREE_FREE_LIST = 5
};

/* A key or value as a cell holds it; borrows from the page, or from whoever built it. */
struct btree_field {
    bool overflow;
    struct slice bytes; /* overflow: the reference, and of a key its prefix */
};

struct btree_cell {
    struct btree_field key;
    struct btree_field value; /* of a leaf */
    uint32_t child;           /* of a branch */
};

/* ---- header --------------------------------------------------------------------------------- */

/* Empties the page. */
void btree_page_init(uint8_t *page, enum btree_page_type type, unsigned level, uint32_t number,
                     uint64_t generation);
enum btree_page_type btree_page_type(const uint8_t *page);
unsigned btree_page_level(const uint8_t *page); /* 0: leaf */
size_t btree_page_count(const uint8_t *page);
void btree_page_set_count(uint8_t *page, size_t count);
uint32_t btree_page_number(const uint8_t *page);
uint64_t btree_page_generation(const uint8_t *page);
/* Of a copy that takes another place in the file. */
void btree_page_rename(uint8_t *page, uint32_t number, uint64_t generation);
uint32_t btree_page_next(const uint8_t *page);
void btree_page_set_next(uint8_t *page, uint32_t next);
size_t btree_page_live_bytes(const uint8_t *page);

/* ---- cells ---------------------------------------------------------------------------------- */

/* The cell's bytes, and its parts; i < count. */
struct slice btree_page_cell_bytes(const uint8_t *page, size_t i);
struct btree_cell btree_page_cell(const uint8_t *page, size_t i);
/* Writes the cell to `out`, of at least BTREE_CELL_MAX bytes, and returns its length. */
size_t btree_leaf_cell(uint8_t *out, struct btree_field key, struct btree_field value);
size_t btree_branch_cell(uint8_t *out, struct btree_field key, uint32_t child);
/* Puts a cell before the i-th; false, and nothing changed, if it does not fit. */
bool btree_page_insert(uint8_t *page, size_t i, struct slice cell);
void btree_page_remove(uint8_t *page, size_t i);
void btree_page_set_child(uint8_t *page, size_t i, uint32_t child);

/* Of a field that overflows. */
uint32_t btree_reference_length(struct btree_field field);
uint32_t btree_reference_page(struct btree_field field);

/* ---- integrity ------------------------------------------------------------------------------ */

void btree_page_seal(uint8_t *page);
/* Checks a page read from the file: checksum, number, a generation of at most `newest`, the place
 * of every cell. CORRUPT; the message says which, the caller adds file and page. */
enum status btree_page_verify(const uint8_t *page, uint32_t number, uint64_t newest,
                              struct error *error) MUST_CHECK;

#endif
