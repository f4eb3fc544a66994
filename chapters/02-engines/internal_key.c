/* internal_key.c - building, taking apart and ordering versions of keys. What lives here: their
 * layout. What must not: which versions are kept. */
#include "internal_key.h"

#include <assert.h>

#include "codec.h"

struct slice internal_key_make(struct buf *out, struct slice key, uint64_t sequence,
                               enum write_kind kind) {
    buf_clear(out);
    buf_append_slice(out, key);
    put_u64le(out, sequence);
    put_u8(out, (uint8_t)kind);
    return buf_slice(out);
}

struct slice internal_key_user(struct slice internal) {
    assert(internal.len >= INTERNAL_KEY_TRAILER_BYTES);
    return slice_of(internal.data, internal.len - INTERNAL_KEY_TRAILER_BYTES);
}

uint64_t internal_key_sequence(struct slice internal) {
    return load_u64le(internal.data + internal.len - INTERNAL_KEY_TRAILER_BYTES);
}

enum write_kind internal_key_kind(struct slice internal) {
    return (enum write_kind)internal.data[internal.len - 1];
}

int internal_key_compare(struct slice a, struct slice b) {
    int order = slice_compare(internal_key_user(a), internal_key_user(b));
    if (order != 0) return order;
    uint64_t a_sequence = internal_key_sequence(a), b_sequence = internal_key_sequence(b);
    return (a_sequence < b_sequence) - (a_sequence > b_sequence);
}
