/* btree_page.c - the bytes of a page. What lives here: header, slots, cells, checksum. What must
 * not: comparing keys (they may lie in other pages), files, trees. */
#include "btree_page.h"

#include <assert.h>

#include "codec.h"

enum {
    AT_GENERATION = 8,
    AT_NUMBER = 16,
    AT_TYPE = 20,
    AT_LEVEL = 21,
    AT_COUNT = 22,
    AT_CELLS = 24,
    AT_LIVE = 26,
    AT_NEXT = 28,
    OVERFLOW_BIT = 0x8000
};

static uint16_t load_u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static void store_u16(uint8_t *at, size_t value) {
    assert(value <= UINT16_MAX);
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* ---- header --------------------------------------------------------------------------------- */

void btree_page_init(uint8_t *page, enum btree_page_type type, unsigned level, uint32_t number,
                     uint64_t generation) {
    memset(page, 0, BTREE_PAGE_BYTES);
    page[AT_TYPE] = (uint8_t)type;
    page[AT_LEVEL] = (uint8_t)level;
    store_u16(page + AT_CELLS, BTREE_PAGE_BYTES);
    btree_page_rename(page, number, generation);
}

enum btree_page_type btree_page_type(const uint8_t *page) {
    return (enum btree_page_type)page[AT_TYPE];
}

unsigned btree_page_level(const uint8_t *page) { return page[AT_LEVEL]; }

size_t btree_page_count(const uint8_t *page) { return load_u16(page + AT_COUNT); }

void btree_page_set_count(uint8_t *page, size_t count) { store_u16(page + AT_COUNT, count); }

uint32_t btree_page_number(const uint8_t *page) { return load_u32le(page + AT_NUMBER); }

uint64_t btree_page_generation(const uint8_t *page) { return load_u64le(page + AT_GENERATION); }

void btree_page_rename(uint8_t *page, uint32_t number, uint64_t generation) {
    store_u32le(page + AT_NUMBER, number);
    store_u64le(page + AT_GENERATION, generation);
}

uint32_t btree_page_next(const uint8_t *page) { return load_u32le(page + AT_NEXT); }

void btree_page_set_next(uint8_t *page, uint32_t next) { store_u32le(page + AT_NEXT, next); }

size_t btree_page_live_bytes(const uint8_t *page) { return load_u16(page + AT_LIVE); }

/* ---- cells ---------------------------------------------------------------------------------- */

static uint8_t *slot_at(uint8_t *page, size_t i) {
    return page + BTREE_PAGE_HEADER + i * BTREE_SLOT_BYTES;
}

static size_t cell_offset(const uint8_t *page, size_t i) {
    return load_u16(page + BTREE_PAGE_HEADER + i * BTREE_SLOT_BYTES);
}

static bool is_leaf(const uint8_t *page) { return btree_page_type(page) == BTREE_LEAF; }

static size_t field_length(const uint8_t *at) { return load_u16(at) & (size_t)(OVERFLOW_BIT - 1); }

static size_t cell_length(const uint8_t *page, const uint8_t *cell) {
    if (is_leaf(page)) return BTREE_LEAF_HEADER + field_length(cell) + field_length(cell + 2);
    return BTREE_BRANCH_HEADER + field_length(cell);
}

struct slice btree_page_cell_bytes(const uint8_t *page, size_t i) {
    assert(i < btree_page_count(page));
    const uint8_t *cell = page + cell_offset(page, i);
    return slice_of(cell, cell_length(page, cell));
}

static struct btree_field field_of(const uint8_t *length_at, const uint8_t *bytes) {
    return (struct btree_field){.overflow = (load_u16(length_at) & OVERFLOW_BIT) != 0,
                                .bytes = slice_of(bytes, field_length(length_at))};
}

struct btree_cell btree_page_cell(const uint8_t *page, size_t i) {
    const uint8_t *at = btree_page_cell_bytes(page, i).data;
    struct btree_cell cell = {0};
    if (is_leaf(page)) {
        cell.key = field_of(at, at + BTREE_LEAF_HEADER);
        cell.value = field_of(at + 2, at + BTREE_LEAF_HEADER + cell.key.bytes.len);
    } else {
        cell.key = field_of(at, at + BTREE_BRANCH_HEADER);
        cell.child = load_u32le(at + 4);
    }
    return cell;
}

static uint8_t *store_bytes(uint8_t *at, struct slice bytes) {
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

static size_t length_word(struct btree_field field) {
    assert(field.bytes.len < BTREE_CELL_MAX);
    return field.bytes.len | (field.overflow ? (size_t)OVERFLOW_BIT : 0);
}

size_t btree_leaf_cell(uint8_t *out, struct btree_field key, struct btree_field value) {
    assert(BTREE_LEAF_HEADER + key.bytes.len + value.bytes.len <= BTREE_CELL_MAX);
    store_u16(out, length_word(key));
    store_u16(out + 2, length_word(value));
    uint8_t *end = store_bytes(store_bytes(out + BTREE_LEAF_HEADER, key.bytes), value.bytes);
    return (size_t)(end - out);
}

size_t btree_branch_cell(uint8_t *out, struct btree_field key, uint32_t child) {
    store_u16(out, length_word(key));
    store_u16(out + 2, 0);
    store_u32le(out + 4, child);
    return (size_t)(store_bytes(out + BTREE_BRANCH_HEADER, key.bytes) - out);
}

/* Moves the cells together at the back: what removed ones left becomes one gap. */
static void compact(uint8_t *page) {
    uint8_t copy[BTREE_PAGE_BYTES];
    memcpy(copy, page, sizeof(copy));
    size_t start = BTREE_PAGE_BYTES;
    for (size_t i = 0; i < btree_page_count(page); i++) {
        struct slice cell = btree_page_cell_bytes(copy, i);
        start -= cell.len;
        memcpy(page + start, cell.data, cell.len);
        store_u16(slot_at(page, i), start);
    }
    store_u16(page + AT_CELLS, start);
}

bool btree_page_insert(uint8_t *page, size_t i, struct slice cell) {
    size_t count = btree_page_count(page), live = btree_page_live_bytes(page);
    assert(i <= count && cell.len <= BTREE_CELL_MAX);
    if (live + cell.len + BTREE_SLOT_BYTES > BTREE_PAGE_CAPACITY) return false;
    size_t slots_end = BTREE_PAGE_HEADER + (count + 1) * BTREE_SLOT_BYTES;
    if (slots_end + cell.len > load_u16(page + AT_CELLS)) compact(page);
    size_t start = load_u16(page + AT_CELLS) - cell.len;
    memcpy(page + start, cell.data, cell.len);
    memmove(slot_at(page, i + 1), slot_at(page, i), (count - i) * BTREE_SLOT_BYTES);
    store_u16(slot_at(page, i), start);
    store_u16(page + AT_CELLS, start);
    store_u16(page + AT_LIVE, live + cell.len + BTREE_SLOT_BYTES);
    btree_page_set_count(page, count + 1);
    return true;
}

void btree_page_remove(uint8_t *page, size_t i) {
    size_t count = btree_page_count(page), len = btree_page_cell_bytes(page, i).len;
    memmove(slot_at(page, i), slot_at(page, i + 1), (count - i - 1) * BTREE_SLOT_BYTES);
    store_u16(page + AT_LIVE, btree_page_live_bytes(page) - len - BTREE_SLOT_BYTES);
    btree_page_set_count(page, count - 1);
}

void btree_page_set_child(uint8_t *page, size_t i, uint32_t child) {
    assert(i < btree_page_count(page) && !is_leaf(page));
    store_u32le(page + cell_offset(page, i) + 4, child);
}

uint32_t btree_reference_length(struct btree_field field) {
    assert(field.overflow);
    return load_u32le(field.bytes.data);
}

uint32_t btree_reference_page(struct btree_field field) {
    assert(field.overflow);
    return load_u32le(field.bytes.data + 4);
}

/* ---- integrity ------------------------------------------------------------------------------ */

static uint64_t page_checksum(const uint8_t *page) {
    return checksum64(slice_of(page + AT_GENERATION, BTREE_PAGE_BYTES - AT_GENERATION),
                      btree_page_number(page));
}

void btree_page_seal(uint8_t *page) { store_u64le(page, page_checksum(page)); }

/* Is every cell inside the page, behind the slots? */
static bool cells_lie_inside(const uint8_t *page) {
    size_t count = btree_page_count(page);
    size_t slots_end = BTREE_PAGE_HEADER + count * BTREE_SLOT_BYTES;
    size_t header = is_leaf(page) ? BTREE_LEAF_HEADER : BTREE_BRANCH_HEADER;
    if (count > BTREE_PAGE_CELLS_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        size_t offset = cell_offset(page, i);
        if (offset < slots_end || offset + header > BTREE_PAGE_BYTES) return false;
        if (offset + cell_length(page, page + offset) > BTREE_PAGE_BYTES) return false;
    }
    return true;
}

static bool content_fits(const uint8_t *page) {
    switch (btree_page_type(page)) {
    case BTREE_BRANCH:
    case BTREE_LEAF:
        return cells_lie_inside(page);
    case BTREE_OVERFLOW:
        return btree_page_count(page) <= BTREE_PAGE_CAPACITY;
    case BTREE_FREE_LIST:
        return btree_page_count(page) <= BTREE_PAGE_CAPACITY / sizeof(uint32_t);
    case BTREE_META:
        return true;
    }
    return false;
}

enum status btree_page_verify(const uint8_t *page, uint32_t number, uint64_t newest,
                              struct error *error) {
    if (load_u64le(page) != page_checksum(page) || btree_page_number(page) != number)
        return error_set(error, STATUS_CORRUPT, "the checksum does not match");
    if (btree_page_generation(page) > newest)
        return error_set(error, STATUS_CORRUPT, "it is newer than the tree that refers to it");
    if (!content_fits(page))
        return error_set(error, STATUS_CORRUPT, "its cells do not lie inside it");
    return STATUS_OK;
}
