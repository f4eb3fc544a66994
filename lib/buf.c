/* buf.c - the growing byte buffer. Growth doubles, so that appending n bytes costs O(n). */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "mem.h"

enum { BUF_FIRST_CAPACITY = 64 };

void buf_init(struct buf *buf) { *buf = BUF_INIT; }

void buf_deinit(struct buf *buf) {
    mem_free(buf->data);
    *buf = BUF_INIT;
}

void buf_clear(struct buf *buf) { buf->len = 0; }

void buf_reserve(struct buf *buf, size_t extra_bytes) {
    if (buf->data != NULL && buf->capacity - buf->len >= extra_bytes) return;
    assert(extra_bytes <= SIZE_MAX / 4 && buf->len <= SIZE_MAX / 4);
    size_t needed = buf->len + extra_bytes;
    size_t capacity = buf->capacity > 0 ? buf->capacity * 2 : BUF_FIRST_CAPACITY;
    if (capacity < needed) capacity = needed;
    buf->data = mem_realloc(buf->data, capacity);
    buf->capacity = capacity;
}

uint8_t *buf_extend(struct buf *buf, size_t len) {
    buf_reserve(buf, len);
    uint8_t *at = buf->data + buf->len;
    buf->len += len;
    return at;
}

void buf_append(struct buf *buf, const void *data, size_t len) {
    if (len > 0) memcpy(buf_extend(buf, len), data, len);
}

void buf_append_slice(struct buf *buf, struct slice slice) {
    buf_append(buf, slice.data, slice.len);
}

void buf_append_byte(struct buf *buf, uint8_t byte) { *buf_extend(buf, 1) = byte; }

void buf_append_string(struct buf *buf, const char *text) { buf_append(buf, text, strlen(text)); }

void buf_append_zeros(struct buf *buf, size_t len) {
    if (len > 0) memset(buf_extend(buf, len), 0, len);
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = buf->capacity - buf->len;
    int printed =
        vsnprintf(room > 0 ? (char *)buf->data + buf->len : NULL, room, format, arguments);
    va_end(arguments);
    assert(printed >= 0);
    size_t len = (size_t)printed;
    if (len >= room) { /* one more byte for the NUL, which does not stay */
        buf_reserve(buf, len + 1);
        vsnprintf((char *)buf->data + buf->len, len + 1, format, again);
    }
    va_end(again);
    buf->len += len;
}

void buf_consume(struct buf *buf, size_t len) {
    assert(len <= buf->len);
    buf->len -= len;
    if (buf->len > 0 && len > 0) memmove(buf->data, buf->data + len, buf->len);
}

void buf_swap(struct buf *a, struct buf *b) {
    struct buf old = *a;
    *a = *b;
    *b = old;
}
