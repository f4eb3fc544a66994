/* hlc.c - the hybrid logical clock: pure arithmetic on 64 bits.
 *
 * Wall and logical parts are one number on purpose: "one more" is the next logical tick, and a full
 * counter carries into the wall part by itself. Reading the wall clock is the caller's. */
#include "hlc.h"

enum { LOGICAL_BITS = 16, FRACTION_BITS = 16 };
#define NS_PER_SECOND UINT64_C(1000000000)
#define WALL_MAX ((UINT64_C(1) << 48) - 1)

hlc_timestamp hlc_from_wall(uint64_t wall_ns) {
    uint64_t seconds = wall_ns / NS_PER_SECOND;
    uint64_t fraction = ((wall_ns % NS_PER_SECOND) << FRACTION_BITS) / NS_PER_SECOND;
    uint64_t wall = (seconds << FRACTION_BITS) | fraction;
    if (wall > WALL_MAX) wall = WALL_MAX; /* the year 2106 */
    return wall << LOGICAL_BITS;
}

uint64_t hlc_to_wall_ns(hlc_timestamp timestamp) {
    uint64_t wall = timestamp >> LOGICAL_BITS;
    uint64_t seconds = wall >> FRACTION_BITS;
    uint64_t fraction = wall & ((UINT64_C(1) << FRACTION_BITS) - 1);
    return seconds * NS_PER_SECOND + ((fraction * NS_PER_SECOND) >> FRACTION_BITS);
}

void hlc_init(struct hlc *hlc, uint64_t max_offset_ns) {
    hlc->latest = 0;
    hlc->max_offset_ns = max_offset_ns;
}

hlc_timestamp hlc_now(struct hlc *hlc, uint64_t wall_ns) {
    hlc_timestamp wall = hlc_from_wall(wall_ns);
    hlc->latest = wall > hlc->latest ? wall : hlc->latest + 1;
    return hlc->latest;
}

enum status hlc_receive(struct hlc *hlc, hlc_timestamp received, uint64_t wall_ns) {
    uint64_t received_ns = hlc_to_wall_ns(received);
    if (received_ns > wall_ns && received_ns - wall_ns > hlc->max_offset_ns) return STATUS_INVALID;
    hlc_advance(hlc, received);
    return STATUS_OK;
}

void hlc_advance(struct hlc *hlc, hlc_timestamp bound) {
    if (bound > hlc->latest) hlc->latest = bound;
}
