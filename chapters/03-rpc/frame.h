/* frame.h - what travels on a connection between nodes: frames, as bytes.
 *
 * Pure: bytes in, bytes out; no stream, no clock. A connection starts, in both directions, with
 * the preface (8 bytes, by which the port tells the protocol from others), then frames follow. A
 * frame is a header of fixed size and a payload. All integers are little-endian:
 *
 *   0  u32 payload length      8  u32 method         24 u64 clock (hlc of the sender)
 *   4  u8  kind               12  u32 timeout in ms  32 u64 trace id
 *   5  u8  flags              16  u64 request id
 *   6  u16 check: low bits of checksum64 over the 40 bytes, these two taken as 0
 *
 * Invariants
 *  1. Every frame carries its sender's clock; the receiver moves its own up before it looks at the
 *     payload (Lamport 1978; Kulkarni et al. 2014).
 *  2. A length over the limit is found from the header alone, before any memory is spent on it.
 *  3. A header that is damaged or out of step is found by its check: such a stream cannot be
 *     resynchronized and must be closed. */
#ifndef CAIRN_FRAME_H
#define CAIRN_FRAME_H

#include "buf.h"
#include "hlc.h"
#include "slice.h"
#include "status.h"

#define FRAME_PREFACE "CAIRNRPC"

enum {
    FRAME_PREFACE_BYTES = 8,
    FRAME_HEADER_BYTES = 40,
    FRAME_PAYLOAD_LIMIT_DEFAULT = 64 * 1024 * 1024,
    FRAME_HANDSHAKE_LIMIT = 16 * 1024 /* a peer that has not introduced itself gets no more */
};

enum frame_kind {
    FRAME_HANDSHAKE = 1, /* the first frame each way */
    FRAME_REFUSAL,       /* instead of it, or later: why the connection is closed now */
    FRAME_REQUEST,       /* a call; answered by REPLY or ERROR with the same request id */
    FRAME_REPLY,
    FRAME_ERROR,   /* payload: RpcError */
    FRAME_CANCEL,  /* the caller no longer waits for this request id */
    FRAME_MESSAGE, /* one way, no answer */
    FRAME_PING,    /* answered by PONG; both carry clocks only */
    FRAME_PONG,
    FRAME_KIND_END
};

enum { FRAME_FLAG_PRIORITY_MASK = 3 }; /* enum request_priority; the other bits are 0 */

struct frame {
    enum frame_kind kind;
    uint8_t flags;
    uint32_t method;     /* REQUEST, MESSAGE */
    uint32_t timeout_ms; /* REQUEST: what is left of the caller's time; 0: no deadline */
    uint64_t request_id; /* REQUEST, REPLY, ERROR, CANCEL */
    hlc_timestamp clock;
    uint64_t trace_id;
    struct slice payload; /* decoded: borrows from the input */
};

/* Writes the header of a frame whose payload will be `payload_len` bytes; frame->payload is not
 * looked at, so that a payload may be written in parts. */
void frame_encode_header(const struct frame *frame, size_t payload_len,
                         uint8_t out[FRAME_HEADER_BYTES]);

/* Appends the whole frame. */
void frame_append(struct buf *out, const struct frame *frame);

/* Takes one frame from the front of `input`.
 *   OK           *out is filled in; *size_bytes is what the frame occupies in `input`
 *   WOULD_BLOCK  incomplete: nothing is known unless `input` grows to *size_bytes (the whole frame
 *                once its header is there, the header before)
 *   TOO_LARGE    the payload is over `limit`; `error` says both numbers
 *   INVALID      not a frame: wrong check, unknown kind or flags */
enum status frame_decode(struct slice input, size_t limit, struct frame *out, size_t *size_bytes,
                         struct error *error) MUST_CHECK;

/* "REQUEST"; "?" for what is none. */
const char *frame_kind_name(enum frame_kind kind);

#endif
