/* frame.c - the codec of frames (frame.h): header layout, check, limits.
 *
 * Must not know streams, clocks or what payloads mean. Why a check on 40 bytes that TCP has
 * checksummed already: not against noise, but against ourselves. A reader that is one byte out of
 * step would take a length from the middle of a payload and wait for it forever; the check turns
 * that into an error at once. Payloads are checked where they come to rest (the WAL, the SSTables).
 */
#include "frame.h"

#include "codec.h"

enum {
    OFFSET_LENGTH = 0,
    OFFSET_KIND = 4,
    OFFSET_FLAGS = 5,
    OFFSET_CHECK = 6,
    OFFSET_METHOD = 8,
    OFFSET_TIMEOUT = 12,
    OFFSET_REQUEST_ID = 16,
    OFFSET_CLOCK = 24,
    OFFSET_TRACE_ID = 32
};

static uint16_t header_check(const uint8_t header[FRAME_HEADER_BYTES]) {
    uint8_t copy[FRAME_HEADER_BYTES];
    memcpy(copy, header, sizeof copy);
    copy[OFFSET_CHECK] = 0;
    copy[OFFSET_CHECK + 1] = 0;
    return (uint16_t)checksum64(slice_of(copy, sizeof copy), 0);
}

void frame_encode_header(const struct frame *frame, size_t payload_len,
                         uint8_t out[FRAME_HEADER_BYTES]) {
    store_u32le(out + OFFSET_LENGTH, (uint32_t)payload_len);
    out[OFFSET_KIND] = (uint8_t)frame->kind;
    out[OFFSET_FLAGS] = frame->flags;
    out[OFFSET_CHECK] = 0;
    out[OFFSET_CHECK + 1] = 0;
    store_u32le(out + OFFSET_METHOD, frame->method);
    store_u32le(out + OFFSET_TIMEOUT, frame->timeout_ms);
    store_u64le(out + OFFSET_REQUEST_ID, frame->request_id);
    store_u64le(out + OFFSET_CLOCK, frame->clock);
    store_u64le(out + OFFSET_TRACE_ID, frame->trace_id);
    uint16_t check = header_check(out);
    out[OFFSET_CHECK] = (uint8_t)(check & 0xff);
    out[OFFSET_CHECK + 1] = (uint8_t)(check >> 8);
}

void frame_append(struct buf *out, const struct frame *frame) {
    frame_encode_header(frame, frame->payload.len, buf_extend(out, FRAME_HEADER_BYTES));
    buf_append_slice(out, frame->payload);
}

enum status frame_decode(struct slice input, size_t limit, struct frame *out, size_t *size_bytes,
                         struct error *error) {
    *size_bytes = FRAME_HEADER_BYTES;
    if (input.len < FRAME_HEADER_BYTES) return STATUS_WOULD_BLOCK;

    const uint8_t *header = input.data;
    uint16_t check = (uint16_t)(header[OFFSET_CHECK] | header[OFFSET_CHECK + 1] << 8);
    if (check != header_check(header))
        return error_set(error, STATUS_INVALID,
                         "frame header fails its check: not our protocol, "
                         "or out of step");
    unsigned kind = header[OFFSET_KIND];
    if (kind < FRAME_HANDSHAKE || kind >= FRAME_KIND_END)
        return error_set(error, STATUS_INVALID, "unknown frame kind %u", kind);
    if (header[OFFSET_FLAGS] & ~(unsigned)FRAME_FLAG_PRIORITY_MASK)
        return error_set(error, STATUS_INVALID, "unknown frame flags 0x%02x", header[OFFSET_FLAGS]);
    size_t payload_len = load_u32le(header + OFFSET_LENGTH);
    if (payload_len > limit)
        return error_set(error, STATUS_TOO_LARGE, "frame of %zu bytes, the limit is %zu",
                         payload_len, limit);

    *size_bytes = FRAME_HEADER_BYTES + payload_len;
    if (input.len < *size_bytes) return STATUS_WOULD_BLOCK;
    *out = (struct frame){
        .kind = (enum frame_kind)kind,
        .flags = header[OFFSET_FLAGS],
        .method = load_u32le(header + OFFSET_METHOD),
        .timeout_ms = load_u32le(header + OFFSET_TIMEOUT),
        .request_id = load_u64le(header + OFFSET_REQUEST_ID),
        .clock = load_u64le(header + OFFSET_CLOCK),
        .trace_id = load_u64le(header + OFFSET_TRACE_ID),
        .payload = slice_of(header + FRAME_HEADER_BYTES, payload_len),
    };
    return STATUS_OK;
}

const char *frame_kind_name(enum frame_kind kind) {
    static const char *const names[FRAME_KIND_END] = {
        [FRAME_HANDSHAKE] = "HANDSHAKE", [FRAME_REFUSAL] = "REFUSAL", [FRAME_REQUEST] = "REQUEST",
        [FRAME_REPLY] = "REPLY",         [FRAME_ERROR] = "ERROR",     [FRAME_CANCEL] = "CANCEL",
        [FRAME_MESSAGE] = "MESSAGE",     [FRAME_PING] = "PING",       [FRAME_PONG] = "PONG"};
    if (kind < FRAME_HANDSHAKE || kind >= FRAME_KIND_END) return "?";
    return names[kind];
}
