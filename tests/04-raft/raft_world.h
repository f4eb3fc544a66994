/* raft_world.h - a cluster of cores in memory: virtual time, a network and disks that fail.
 *
 * Each node gets the shell that raft.h asks for, reduced to what matters: a disk with one sync
 * under way at a time, a queue of updates behind it, messages that wait for it, a state machine
 * that is flushed now and then. What is not synced is lost at a crash, or a part of it survives.
 *
 * After every step the invariants of raft.h are checked, inside the node and across all nodes. A
 * violation fails the test and names the seed. */
#ifndef CAIRN_RAFT_WORLD_H
#define CAIRN_RAFT_WORLD_H

#include "raft.h"

struct world;

struct world_options {
    uint64_t seed;
    size_t nodes; /* 1 to 7 */
    /* In thousandths. */
    unsigned drop, duplicate;
    uint64_t max_delay_ns; /* of a message; at least 0.1 ms */
    uint64_t max_sync_ns;
    unsigned crash;     /* a chance each 50 ms that some node stops, or a stopped one starts */
    unsigned partition; /* a chance each 50 ms that the network is cut anew, or healed */
    unsigned compact;   /* a chance at each apply that the log is compacted */
    uint32_t max_append_bytes;
    uint32_t max_inflight_appends;
    uint64_t proposal_interval_ns;
};

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

/* Runs for so long, with the faults of the options. */
void world_run(struct world *world, uint64_t duration_ns);
/* All faults end and all nodes start. */
void world_heal(struct world *world);
/* After healing: fails unless there is one leader, a new entry commits, and all nodes apply it. */
void world_check_progress(struct world *world);

struct world_counts {
    uint64_t steps, elections, committed, reads, crashes, snapshots, messages, lost_entries;
};
struct world_counts world_counts(const struct world *world);

/* For scenarios. Nodes are counted from 1. */
uint64_t world_leader(const struct world *world); /* of the newest term, among those up; or 0 */
struct raft_status world_status(const struct world *world, uint64_t node);
void world_crash(struct world *world, uint64_t node);
void world_start(struct world *world, uint64_t node);
/* Messages between nodes of different sides are lost; side_mask has bit 1 << node. */
void world_cut(struct world *world, unsigned side_mask);
bool world_propose(struct world *world, uint64_t node, uint32_t count);
uint64_t world_committed(const struct world *world);
uint64_t world_now(const struct world *world);

#endif
