/* slice.c - comparing and printing borrowed bytes. Nothing here allocates. */
#include "slice.h"

#include <assert.h>

int slice_compare(struct slice a, struct slice b) {
    size_t common = a.len < b.len ? a.len : b.len;
    /* memcmp must not see NULL, not even with length 0. */
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_equal(struct slice a, struct slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_has_prefix(struct slice slice, struct slice prefix) {
    return slice.len >= prefix.len && slice_equal(slice_of(slice.data, prefix.len), prefix);
}

struct slice slice_from(struct slice slice, size_t offset) {
    assert(offset <= slice.len);
    if (offset == 0) return slice;
    return slice_of(slice.data + offset, slice.len - offset);
}

/* Writes the printable form of one byte (up to 4 characters); returns its length. */
static size_t print_byte(uint8_t byte, char out[4]) {
    static const char digits[] = "0123456789abcdef";
    if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

char *slice_print(struct slice slice, char *out, size_t size) {
    static const char ellipsis[] = "...";
    if (size == 0) return out;
    size_t used = 0;
    size_t cut = 0; /* how much of `out` still leaves room for the ellipsis */
    for (size_t i = 0; i < slice.len; i++) {
        char printed[4];
        size_t len = print_byte(slice.data[i], printed);
        if (used + len + 1 > size) {
            size_t dots = size - 1 - cut < 3 ? size - 1 - cut : 3;
            memcpy(out + cut, ellipsis, dots);
            used = cut + dots;
            break;
        }
        memcpy(out + used, printed, len);
        used += len;
        if (used + sizeof(ellipsis) <= size) cut = used;
    }
    out[used] = '\0';
    return out;
}
