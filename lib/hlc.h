/* hlc.h - hybrid logical clocks (Kulkarni et al., "Logical Physical Clocks", 2014).
 *
 * A timestamp is 64 bits: 48 bits of wall time in units of 2^-16 s (about 15.3 us, as in the
 * paper's section 4) above 16 bits of logical counter. It is at least as large as every timestamp
 * that could have caused it and close to the wall clock. A full counter carries into the wall
 * part. */
#ifndef CAIRN_HLC_H
#define CAIRN_HLC_H

#include "status.h"

typedef uint64_t hlc_timestamp; /* 0 is before everything */
#define HLC_MAX UINT64_MAX

struct hlc {
    hlc_timestamp latest;   /* the largest issued or received */
    uint64_t max_offset_ns; /* how far ahead of our wall clock a received timestamp may be */
};

void hlc_init(struct hlc *hlc, uint64_t max_offset_ns);
/* A timestamp above every earlier one. wall_ns: nanoseconds since 1970, from env_wall_ns. */
hlc_timestamp hlc_now(struct hlc *hlc, uint64_t wall_ns);
/* Takes note of a timestamp received from another node. INVALID if it is more than
 * max_offset_ns ahead of wall_ns; the clock is then unchanged. */
enum status hlc_receive(struct hlc *hlc, hlc_timestamp received, uint64_t wall_ns) MUST_CHECK;
/* Moves the clock up to at least `bound` (restart, lease start). Never back. */
void hlc_advance(struct hlc *hlc, hlc_timestamp bound);

hlc_timestamp hlc_from_wall(uint64_t wall_ns);
uint64_t hlc_to_wall_ns(hlc_timestamp timestamp);

#endif
