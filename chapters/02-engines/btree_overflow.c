/* btree_overflow.c - chains of overflow pages. What lives here: writing, reading and freeing them.
 * What must not: which cell refers to them. */
#include "btree_overflow.h"

#include <assert.h>

#include "codec.h"

void btree_overflow_write(struct btree_pager *pager, struct slice bytes, uint8_t *reference) {
    uint8_t *previous = NULL;
    store_u32le(reference, (uint32_t)bytes.len);
    while (bytes.len > 0) {
        size_t len = bytes.len < BTREE_PAGE_CAPACITY ? bytes.len : BTREE_PAGE_CAPACITY;
        uint8_t *page = btree_new_page(pager, BTREE_OVERFLOW, 0);
        memcpy(page + BTREE_PAGE_HEADER, bytes.data, len);
        btree_page_set_count(page, len);
        if (previous == NULL)
            store_u32le(reference + 4, btree_page_number(page));
        else
            btree_page_set_next(previous, btree_page_number(page));
        previous = page;
        bytes = slice_from(bytes, len);
    }
}

static enum status not_a_chain(struct btree_pager *pager, uint32_t number, struct error *error) {
    return error_set(error, STATUS_CORRUPT, "%s: page %u at offset %llu breaks an overflow chain",
                     file_path(pager->file), number, (unsigned long long)number * BTREE_PAGE_BYTES);
}

enum status btree_overflow_read(struct btree_pager *pager, uint64_t newest,
                                struct btree_field field, bool no_wait, struct buf *out,
                                struct error *error) {
    size_t left = btree_reference_length(field);
    uint32_t number = btree_reference_page(field);
    buf_clear(out);
    while (left > 0) {
        struct btree_ref ref;
        TRY(btree_read(pager, newest, number, no_wait, &ref, error));
        size_t len = btree_page_count(ref.page);
        bool right = btree_page_type(ref.page) == BTREE_OVERFLOW && len > 0 && len <= left;
        if (right) buf_append(out, ref.page + BTREE_PAGE_HEADER, len);
        uint32_t next = btree_page_next(ref.page);
        btree_release(&ref);
        if (!right) return not_a_chain(pager, number, error);
        left -= len;
        number = next;
    }
    return STATUS_OK;
}

enum status btree_overflow_free(struct btree_pager *pager, struct btree_field field,
                                struct error *error) {
    if (!field.overflow) return STATUS_OK;
    size_t left = btree_reference_length(field);
    uint32_t number = btree_reference_page(field);
    while (left > 0) {
        struct btree_ref ref;
        TRY(btree_read(pager, pager->generation, number, false, &ref, error));
        size_t len = btree_page_count(ref.page);
        bool right = btree_page_type(ref.page) == BTREE_OVERFLOW && len > 0 && len <= left;
        uint32_t next = btree_page_next(ref.page);
        if (right) btree_free_page(pager, ref.page);
        btree_release(&ref);
        if (!right) return not_a_chain(pager, number, error);
        left -= len;
        number = next;
    }
    return STATUS_OK;
}

struct btree_field btree_key_field(struct btree_pager *pager, struct slice key, uint8_t *space) {
    if (key.len <= BTREE_KEY_INLINE_MAX) return (struct btree_field){.bytes = key};
    btree_overflow_write(pager, key, space);
    memcpy(space + BTREE_REFERENCE_BYTES, key.data, BTREE_KEY_PREFIX);
    return (struct btree_field){.overflow = true,
                                .bytes = slice_of(space, BTREE_REFERENCE_BYTES + BTREE_KEY_PREFIX)};
}

struct btree_field btree_value_field(struct btree_pager *pager, struct slice value, size_t room,
                                     uint8_t *space) {
    assert(room >= BTREE_REFERENCE_BYTES);
    if (value.len <= room) return (struct btree_field){.bytes = value};
    btree_overflow_write(pager, value, space);
    return (struct btree_field){.overflow = true, .bytes = slice_of(space, BTREE_REFERENCE_BYTES)};
}

enum status btree_field_bytes(struct btree_pager *pager, uint64_t newest, struct btree_field field,
                              bool no_wait, struct buf *scratch, struct slice *out,
                              struct error *error) {
    *out = field.bytes;
    if (!field.overflow) return STATUS_OK;
    TRY(btree_overflow_read(pager, newest, field, no_wait, scratch, error));
    *out = buf_slice(scratch);
    return STATUS_OK;
}
