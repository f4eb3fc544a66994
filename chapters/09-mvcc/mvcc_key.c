/* mvcc_key.c - how a user key and a timestamp become an engine key, and writes of versions.
 *
 * Timestamps are inverted, so that a key's newest version comes first. Reading: mvcc_read.c. */
#include <assert.h>

#include "codec.h"
#include "mvcc_internal.h"

void mvcc_encode_prefix(struct buf *out, struct slice key) {
    put_u8(out, STORE_SPACE_DATA);
    put_ordered_bytes(out, key);
}

void mvcc_encode(struct buf *out, struct slice key, hlc_timestamp timestamp) {
    mvcc_encode_prefix(out, key);
    put_ordered_u64_desc(out, timestamp);
}

bool mvcc_decode(struct slice encoded, struct buf *key, hlc_timestamp *timestamp) {
    struct reader reader = reader_of(encoded);
    if (get_u8(&reader) != STORE_SPACE_DATA) return false;
    get_ordered_bytes(&reader, key);
    *timestamp = get_ordered_u64_desc(&reader);
    return reader_done(&reader);
}

bool mvcc_split(struct slice encoded, struct slice *prefix, hlc_timestamp *timestamp) {
    if (encoded.len < 1 + 2 + 8 || encoded.data[0] != STORE_SPACE_DATA) return false;
    prefix->data = encoded.data;
    prefix->len = encoded.len - 8;
    *timestamp = ~load_u64be(encoded.data + prefix->len);
    return true;
}

static void write_version(struct write_batch *batch, struct slice key, hlc_timestamp timestamp,
                          enum mvcc_kind kind, struct slice value) {
    assert(timestamp > 0);
    struct buf encoded = BUF_INIT, stored = BUF_INIT;
    mvcc_encode(&encoded, key, timestamp);
    buf_reserve(&stored, 1 + value.len);
    put_u8(&stored, (uint8_t)kind);
    buf_append_slice(&stored, value);
    write_batch_put(batch, buf_slice(&encoded), buf_slice(&stored));
    buf_deinit(&encoded);
    buf_deinit(&stored);
}

void mvcc_write_put(struct write_batch *batch, struct slice key, hlc_timestamp timestamp,
                    struct slice value) {
    write_version(batch, key, timestamp, MVCC_VALUE, value);
}

void mvcc_write_delete(struct write_batch *batch, struct slice key, hlc_timestamp timestamp) {
    write_version(batch, key, timestamp, MVCC_TOMBSTONE, SLICE_EMPTY);
}
