/* fuzz_frame.c - the bytes are taken for a stream: frames come off its front until one is
 * incomplete or wrong, as in rpc_link.c. Checked besides memory (ASan): what is decoded, encoded
 * again, is what was there; a prefix never decodes; the sizes asked for are true. */
#include "fuzz_frame.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec.h"
#include "frame.h"
#include "mem.h"

enum { LIMIT = 4096 };

#define MUST_HOLD(condition)                                                                       \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "fuzz_frame: does not hold: %s\n", #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_frame(struct slice input, const struct frame *frame, size_t size_bytes) {
    MUST_HOLD(size_bytes <= input.len);
    MUST_HOLD(size_bytes == FRAME_HEADER_BYTES + frame->payload.len);
    MUST_HOLD(frame->payload.len <= LIMIT);
    MUST_HOLD(frame->kind >= FRAME_HANDSHAKE && frame->kind < FRAME_KIND_END);
    struct buf again = BUF_INIT;
    frame_append(&again, frame);
    MUST_HOLD(slice_equal(buf_slice(&again), slice_of(input.data, size_bytes)));
    buf_deinit(&again);
    struct frame prefix;
    size_t need;
    MUST_HOLD(frame_decode(slice_of(input.data, size_bytes - 1), LIMIT, &prefix, &need, NULL) ==
              STATUS_WOULD_BLOCK);
    MUST_HOLD(need == size_bytes ||
              (need == FRAME_HEADER_BYTES && size_bytes == FRAME_HEADER_BYTES));
}

static void decode_all(struct slice rest) {
    for (;;) {
        struct frame frame;
        struct error error = {0};
        size_t size_bytes = 0;
        enum status status = frame_decode(rest, LIMIT, &frame, &size_bytes, &error);
        if (status == STATUS_WOULD_BLOCK) {
            MUST_HOLD(size_bytes > rest.len && size_bytes <= FRAME_HEADER_BYTES + LIMIT);
            return;
        }
        if (status != STATUS_OK) {
            MUST_HOLD(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
            MUST_HOLD(error.status == status && error.message[0] != 0);
            MUST_HOLD(rest.len >= FRAME_HEADER_BYTES);
            return;
        }
        check_frame(rest, &frame, size_bytes);
        rest = slice_from(rest, size_bytes);
    }
}

/* Makes the check of the first header right: what lies behind it is reached by luck only once in
 * 65,536 times otherwise. */
static void mend(uint8_t header[FRAME_HEADER_BYTES]) {
    struct frame frame = {.kind = (enum frame_kind)header[4],
                          .flags = header[5],
                          .method = load_u32le(header + 8),
                          .timeout_ms = load_u32le(header + 12),
                          .request_id = load_u64le(header + 16),
                          .clock = load_u64le(header + 24),
                          .trace_id = load_u64le(header + 32)};
    frame_encode_header(&frame, load_u32le(header), header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* A copy of just this size, so that a read beyond its end is seen. */
    uint8_t *copy = mem_dup(data, size);
    decode_all(slice_of(copy, size));
    if (size >= FRAME_HEADER_BYTES) {
        mend(copy);
        decode_all(slice_of(copy, size));
    }
    mem_free(copy);
    return 0;
}
