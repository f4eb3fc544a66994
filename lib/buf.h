/* buf.h - owned bytes that grow.
 *
 * `buf` has no bound of its own: whoever appends data from outside checks a limit first.
 * `data` moves when it grows, so a slice of a buf dies at the next append. */
#ifndef CAIRN_BUF_H
#define CAIRN_BUF_H

#include "slice.h"
#include "status.h"

struct buf {
    uint8_t *data; /* NULL until the first append */
    size_t len;
    size_t capacity;
};

#define BUF_INIT ((struct buf){NULL, 0, 0})

void buf_init(struct buf *buf);
void buf_deinit(struct buf *buf); /* frees; the buf is as after buf_init */
void buf_clear(struct buf *buf);  /* len = 0, memory kept */
void buf_reserve(struct buf *buf, size_t extra_bytes);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_slice(struct buf *buf, struct slice slice);
void buf_append_byte(struct buf *buf, uint8_t byte);
void buf_append_string(struct buf *buf, const char *text);
void buf_append_zeros(struct buf *buf, size_t len);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* len += len bytes whose content the caller writes; returns where. */
uint8_t *buf_extend(struct buf *buf, size_t len);
/* Drops the first `len` bytes (moves the rest). */
void buf_consume(struct buf *buf, size_t len);
void buf_swap(struct buf *a, struct buf *b);

static inline struct slice buf_slice(const struct buf *buf) {
    return slice_of(buf->data, buf->len);
}

#endif
