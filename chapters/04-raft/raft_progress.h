/* raft_progress.h - what a leader knows of one follower's log, and what it may send there.
 *
 * Pure. Three states, as in etcd-io/raft:
 *
 *             accepted                    too far behind
 *   PROBE ----------------> REPLICATE -------------------> SNAPSHOT
 *     ^  <----------------      |  (PROBE too)                |
 *     |   refused, unreachable  |                             |
 *     +---------------------------- failed, gave up ----------+   (installed: to REPLICATE)
 *
 * PROBE: where the logs part is being looked for; one append at a time. REPLICATE: the logs match
 * up to next - 1 unless messages were lost; appends are pipelined, each right behind the last,
 * bounded by a window in count and bytes. SNAPSHOT: the entries needed are gone; nothing is sent.
 *
 * Invariants
 *  1. match < next. match never falls within a term.
 *  2. The window holds the appends sent in REPLICATE that are not acknowledged, in order. */
#ifndef CAIRN_RAFT_PROGRESS_H
#define CAIRN_RAFT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_state { PROGRESS_PROBE, PROGRESS_REPLICATE, PROGRESS_SNAPSHOT };
const char *progress_state_name(enum progress_state state);

struct inflight_append {
    uint64_t last_index;
    uint64_t size_bytes;
};

struct progress {
    uint64_t node;
    enum progress_state state;
    uint64_t match;  /* the follower's log equals ours up to here, durably (Figure 2: matchIndex) */
    uint64_t next;   /* the entry to send next (Figure 2: nextIndex) */
    bool probe_sent; /* PROBE: wait for the answer; heartbeats repeat the question */

    /* SNAPSHOT: what is staged there; index 0 while the shell is still sending. */
    uint64_t snapshot_index, snapshot_term;
    uint64_t snapshot_ns; /* when it was staged, or the follower said that it is installing */

    uint64_t heard_ns;    /* when it last answered */
    uint64_t sent_ns;     /* when anything was last sent to it */
    uint64_t sent_commit; /* the highest commit index, and read round, sent to it */
    uint64_t sent_round;
    uint64_t read_round; /* the latest one it echoed */

    struct inflight_append *window; /* ring */
    size_t window_head, window_count, window_capacity;
    uint64_t window_bytes, window_limit_bytes;
};

void progress_init(struct progress *progress, uint64_t node, size_t window_capacity,
                   uint64_t window_limit_bytes);
void progress_deinit(struct progress *progress);

/* A term begins: nothing is known but that the follower may have all before `next`. */
void progress_reset(struct progress *progress, uint64_t next, uint64_t now_ns);

/* May an append with entries be sent now? */
bool progress_may_send(const struct progress *progress);
/* Entries up to last_index were sent. */
void progress_sent(struct progress *progress, uint64_t last_index, uint64_t size_bytes);

/* The follower accepted the append after `previous` and has `match` durably. True if match rose. */
bool progress_accepted(struct progress *progress, uint64_t previous, uint64_t match);
/* It refused the append after `previous`; the logs may agree up to `agree`. False: the refusal is
 * of an append that no longer matters. */
bool progress_refused(struct progress *progress, uint64_t previous, uint64_t agree);

/* Messages were lost: start over from what is known, by the next heartbeat. */
void progress_unreachable(struct progress *progress);
void progress_need_snapshot(struct progress *progress);
void progress_snapshot_staged(struct progress *progress, uint64_t index, uint64_t term,
                              uint64_t now_ns);
void progress_snapshot_failed(struct progress *progress);

void progress_check(const struct progress *progress);

#endif
