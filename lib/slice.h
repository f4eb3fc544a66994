/* slice.h - borrowed bytes. Keys and values are slices, never NUL-terminated strings.
 *
 * A slice owns nothing: whoever hands one out says how long it stays valid. */
#ifndef CAIRN_SLICE_H
#define CAIRN_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *data; /* may be NULL when len is 0 */
    size_t len;
};

#define SLICE_EMPTY ((struct slice){NULL, 0})
/* From a string literal, without its NUL. */
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})

static inline struct slice slice_of(const void *data, size_t len) {
    return (struct slice){(const uint8_t *)data, len};
}
static inline struct slice slice_of_string(const char *text) {
    return slice_of(text, strlen(text));
}

/* Lexicographic by unsigned bytes; a prefix sorts first. <0, 0 or >0. */
int slice_compare(struct slice a, struct slice b);
bool slice_equal(struct slice a, struct slice b);
bool slice_has_prefix(struct slice slice, struct slice prefix);
/* The part from `offset` on; offset <= len. */
struct slice slice_from(struct slice slice, size_t offset);

/* Printable form for logs: printable ASCII as is, other bytes as \xNN; cut with "..." to fit.
 * Writes at most `size` bytes including the NUL; returns `out`. */
char *slice_print(struct slice slice, char *out, size_t size);

#endif
