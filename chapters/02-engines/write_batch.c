/* write_batch.c - building, checking and walking lists of writes. What lives here: their encoding.
 * What must not: any engine. */
#include "write_batch.h"

#include <assert.h>

#include "codec.h"

void write_batch_init(struct write_batch *batch) { *batch = (struct write_batch){BUF_INIT, 0}; }

void write_batch_deinit(struct write_batch *batch) {
    buf_deinit(&batch->bytes);
    batch->count = 0;
}

void write_batch_clear(struct write_batch *batch) {
    buf_clear(&batch->bytes);
    batch->count = 0;
}

static void add(struct write_batch *batch, enum write_kind kind, struct slice key) {
    assert(key.len <= WRITE_KEY_MAX);
    put_u8(&batch->bytes, (uint8_t)kind);
    put_bytes(&batch->bytes, key);
    batch->count++;
}

void write_batch_put(struct write_batch *batch, struct slice key, struct slice value) {
    assert(value.len <= WRITE_VALUE_MAX);
    add(batch, WRITE_PUT, key);
    put_bytes(&batch->bytes, value);
}

void write_batch_delete(struct write_batch *batch, struct slice key) {
    add(batch, WRITE_DELETE, key);
}

void write_batch_delete_range(struct write_batch *batch, struct slice start, struct slice end) {
    assert(end.len <= WRITE_KEY_MAX);
    if (slice_compare(start, end) >= 0) return;
    add(batch, WRITE_DELETE_RANGE, start);
    put_bytes(&batch->bytes, end);
}

void write_batch_append(struct write_batch *batch, const struct write_batch *other) {
    buf_append_slice(&batch->bytes, buf_slice(&other->bytes));
    batch->count += other->count;
}

struct slice write_batch_encoded(const struct write_batch *batch) {
    return buf_slice(&batch->bytes);
}

/* Reads one operation, all of `op`. False if it is cut short or of no known kind. */
static bool read_op(struct reader *reader, struct write_op *op) {
    uint8_t kind = get_u8(reader);
    op->kind = (enum write_kind)kind;
    op->key = get_bytes(reader);
    op->value = kind == WRITE_DELETE ? SLICE_EMPTY : get_bytes(reader);
    return reader_ok(reader) &&
           (kind == WRITE_PUT || kind == WRITE_DELETE || kind == WRITE_DELETE_RANGE);
}

static enum status check_op(const struct write_op *op, size_t index, struct error *error) {
    size_t value_max = op->kind == WRITE_DELETE_RANGE ? WRITE_KEY_MAX : WRITE_VALUE_MAX;
    if (op->key.len > WRITE_KEY_MAX || op->value.len > value_max)
        return error_set(error, STATUS_TOO_LARGE,
                         "operation %zu of the batch has a key of %zu and a value of %zu bytes",
                         index, op->key.len, op->value.len);
    if (op->kind == WRITE_DELETE_RANGE && slice_compare(op->key, op->value) >= 0)
        return error_set(error, STATUS_INVALID,
                         "operation %zu deletes a range that ends at its start", index);
    return STATUS_OK;
}

enum status write_batch_validate(struct slice encoded, size_t *count, struct error *error) {
    struct reader reader = reader_of(encoded);
    size_t index = 0;
    for (; reader.len > 0; index++) {
        struct write_op op;
        if (!read_op(&reader, &op))
            return error_set(error, STATUS_INVALID, "operation %zu of the batch is malformed",
                             index);
        TRY(check_op(&op, index, error));
    }
    if (count != NULL) *count = index;
    return STATUS_OK;
}

enum status write_batch_append_encoded(struct write_batch *batch, struct slice encoded,
                                       struct error *error) {
    size_t count;
    TRY(write_batch_validate(encoded, &count, error));
    buf_append_slice(&batch->bytes, encoded);
    batch->count += count;
    return STATUS_OK;
}

bool write_batch_next(struct slice *rest, struct write_op *op) {
    if (rest->len == 0) return false;
    struct reader reader = reader_of(*rest);
    bool good = read_op(&reader, op);
    assert(good);
    *rest = slice_of(reader.data, reader.len);
    return good;
}
