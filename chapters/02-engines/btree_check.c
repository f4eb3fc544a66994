/* btree_check.c - the invariants of the whole tree, checked. What lives here: a walk over every
 * page, and the account of all page numbers. What must not: any repair. */
#include <limits.h>

#include "btree_tree.h"
#include "codec.h"
#include "mem.h"

struct check {
    struct btree_tree tree;
    uint8_t *seen; /* by page number: what it was found to be */
    struct error *error;
};

static enum status wrong(struct check *check, uint32_t number, const char *what) {
    return error_set(check->error, STATUS_CORRUPT, "page %u: %s", number, what);
}

static enum status mark(struct check *check, uint32_t number) {
    if (number < BTREE_FIRST_PAGE || number >= check->tree.pager->page_count)
        return wrong(check, number, "there is no such page");
    if (check->seen[number] != 0) return wrong(check, number, "it is used twice");
    check->seen[number] = 1;
    return STATUS_OK;
}

static enum status mark_chain(struct check *check, struct btree_field field) {
    size_t left = field.overflow ? btree_reference_length(field) : 0;
    uint32_t number = left > 0 ? btree_reference_page(field) : 0;
    while (left > 0) {
        struct btree_ref ref;
        TRY(mark(check, number));
        TRY(btree_read(check->tree.pager, check->tree.generation, number, false, &ref,
                       check->error));
        size_t len = btree_page_count(ref.page);
        bool right = btree_page_type(ref.page) == BTREE_OVERFLOW && len > 0 && len <= left;
        uint32_t next = btree_page_next(ref.page);
        btree_release(&ref);
        if (!right) return wrong(check, number, "it breaks an overflow chain");
        left -= len;
        number = next;
    }
    return STATUS_OK;
}

static enum status key_of(struct check *check, struct btree_field field, struct buf *out) {
    struct buf scratch = BUF_INIT;
    struct slice key;
    enum status status = btree_field_bytes(check->tree.pager, check->tree.generation, field, false,
                                           &scratch, &key, check->error);
    buf_clear(out);
    if (status == STATUS_OK) buf_append_slice(out, key);
    buf_deinit(&scratch);
    return status;
}

static enum status check_node(struct check *check, uint32_t number, unsigned level,
                              struct slice low, const struct slice *high);

/* Of cell i: its key at or above `low` and below that of the next cell, and what it refers to. */
static enum status check_cell(struct check *check, const uint8_t *page, size_t i, struct slice low,
                              const struct slice *high, struct buf *key, struct buf *next) {
    uint32_t number = btree_page_number(page);
    struct btree_cell cell = btree_page_cell(page, i);
    bool leaf = btree_page_level(page) == 0, last = i + 1 == btree_page_count(page);
    TRY(key_of(check, cell.key, key));
    if (!last) TRY(key_of(check, btree_page_cell(page, i + 1).key, next));
    struct slice lower = !leaf && i == 0 ? low : buf_slice(key), upper = buf_slice(next);
    const struct slice *beyond = last ? high : &upper;
    if (!leaf && i == 0 && key->len > 0) return wrong(check, number, "its first key is not empty");
    if (slice_compare(lower, low) < 0) return wrong(check, number, "a key is below its bound");
    if (beyond != NULL && slice_compare(lower, *beyond) >= 0)
        return wrong(check, number, "its keys are out of order");
    TRY(mark_chain(check, cell.key));
    if (leaf) return mark_chain(check, cell.value);
    return check_node(check, cell.child, btree_page_level(page) - 1, lower, beyond);
}

static enum status check_page(struct check *check, const uint8_t *page, struct slice low,
                              const struct slice *high) {
    uint32_t number = btree_page_number(page);
    size_t count = btree_page_count(page), live = 0;
    bool root = number == check->tree.root;
    for (size_t i = 0; i < count; i++)
        live += btree_page_cell_bytes(page, i).len + BTREE_SLOT_BYTES;
    if (live != btree_page_live_bytes(page)) return wrong(check, number, "its size is miscounted");
    if (!root && live < BTREE_MIN_FILL) return wrong(check, number, "it holds too little");
    if (btree_page_level(page) > 0 && count < 2) return wrong(check, number, "it has one child");
    struct buf key = BUF_INIT, next = BUF_INIT;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = check_cell(check, page, i, low, high, &key, &next);
    buf_deinit(&key);
    buf_deinit(&next);
    return status;
}

static enum status check_node(struct check *check, uint32_t number, unsigned level,
                              struct slice low, const struct slice *high) {
    struct btree_ref ref;
    TRY(mark(check, number));
    TRY(btree_read_node(&check->tree, number, level, &ref, check->error));
    enum status status = check_page(check, ref.page, low, high);
    btree_release(&ref);
    return status;
}

static enum status mark_numbers(struct check *check, const struct buf *numbers) {
    for (size_t at = 0; at < numbers->len; at += sizeof(uint32_t)) {
        uint32_t number;
        memcpy(&number, numbers->data + at, sizeof(number));
        TRY(mark(check, number));
    }
    return STATUS_OK;
}

/* Not during a flush, whose free list is nobody's yet. */
static enum status account(struct check *check) {
    struct btree_pager *pager = check->tree.pager;
    TRY(mark_numbers(check, &pager->free));
    TRY(mark_numbers(check, &pager->chain));
    for (const struct btree_view *view = pager->newest; view != NULL; view = view->older)
        for (size_t at = 0; at < view->pages.len; at += sizeof(struct btree_freed_page)) {
            struct btree_freed_page freed;
            memcpy(&freed, view->pages.data + at, sizeof(freed));
            if (freed.birth > view->generation)
                return wrong(check, freed.number, "it waits at a view that cannot see it");
            TRY(mark(check, freed.number));
        }
    for (uint32_t number = BTREE_FIRST_PAGE; number < pager->page_count; number++)
        if (check->seen[number] == 0) return wrong(check, number, "it is leaked");
    return STATUS_OK;
}

enum status btree_check_invariants(struct btree_pager *pager, struct error *error) {
    struct check check = {
        .tree = btree_newest(pager), .seen = mem_zalloc(pager->page_count), .error = error};
    enum status status = STATUS_OK;
    if (pager->root != 0) status = check_node(&check, pager->root, UINT_MAX, SLICE_EMPTY, NULL);
    if (status == STATUS_OK) status = account(&check);
    mem_free(check.seen);
    return status;
}
