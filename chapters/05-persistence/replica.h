/* replica.h - Raft groups made durable: the shell around raft.h.
 *
 * A replica_set is all the groups that this node takes part in. It owns the turn (DESIGN: "a loop
 * turn batches"): messages and proposals that arrive in a turn only step the core; at the end of
 * the turn
 *
 *   TURN_RAFT   every group touched: form the update, send what may go at once (a leader's appends
 *   travel
 *               while its own disk works, Thesis 10.2.1), append entries and hard states to the log
 *               store
 *   TURN_WAL    one write, one sync for all groups
 *   TURN_APPLY  committed entries of all groups, one engine batch; then answers
 *
 * When a sync completes, what waited for it (votes, acknowledgements, PERSISTED) goes out.
 *
 * Invariants (with those of raft.h)
 *  1. No vote and no acknowledgement leaves before what it promises is synced.
 *  2. The engine's applied index and the effects of the entries up to it are written in one batch.
 *  3. The log is compacted only below the applied index that the engine has *flushed*.
 *  4. A snapshot is staged in a synced file; one log record makes it current; installing it is
 *     repeated after a crash until the engine's flushed applied index reaches it.
 *
 * On the loop; nothing suspends. */
#ifndef CAIRN_REPLICA_H
#define CAIRN_REPLICA_H

#include "engine.h"
#include "env.h"
#include "log_store.h"
#include "metrics.h"
#include "raft.h"
#include "replicator.h"

struct replica_set;
struct replica;

/* How messages leave. Implemented by peers.h; tests connect sets directly. */
struct raft_transport_ops {
    /* One way; false when it was dropped (not connected, or the peer's queue is full). */
    bool (*send)(void *self, uint64_t to, struct slice message);
    /* A piece of a snapshot; `done` comes once, in a later step. */
    void (*send_chunk)(void *self, uint64_t to, struct slice chunk,
                       void (*done)(void *arg, enum status status), void *arg);
};

struct replica_set_options {
    struct env *env;
    struct log_store *log;
    struct engine *engine;
    struct metrics *metrics;
    const char *snapshot_dir; /* staged snapshots; created if missing */
    uint64_t node_id;
    const struct raft_transport_ops *transport;
    void *transport_arg;
    uint64_t heartbeat_interval_ns, election_timeout_ns; /* 0: raft.h's */
    uint64_t flush_log_bytes; /* flush the engine and compact when the log is larger; 0: 64 MiB */
    uint64_t keep_log_bytes;  /* of log kept for a follower that lags; 0: 256 MiB */
    uint64_t proposal_quota_bytes; /* proposals under way per group, above: BUSY; 0: 32 MiB */
};

struct replica_set *replica_set_new(const struct replica_set_options *options);
/* Proposals and reads under way are not answered. No chunk may be under way: free the transport
 * first. */
void replica_set_free(struct replica_set *set);

struct replica_options {
    uint64_t group;
    struct slice data_start,
        data_end; /* the engine keys that belong to the group; a snapshot carries them */
    const struct state_machine_ops *machine;
    void *machine_arg;
};

/* Brings up a group that the log store knows (log_store_create_group). Repeats a snapshot's
 * installation if the crash came in between. CORRUPT: log and engine do not fit together. */
enum status replica_open(struct replica_set *set, const struct replica_options *options,
                         struct replica **out, struct error *error) MUST_CHECK;
struct replicator *replica_replicator(struct replica *replica);

/* From the network; `from` is whose connection it came over. Malformed or misdirected messages, and
 * those that claim to be another node's, are counted and dropped. */
void replica_set_receive(struct replica_set *set, uint64_t from, struct slice message);
/* A chunk of a snapshot: answers OK with the next sequence number expected, or why it was
 * refused. */
enum status replica_set_receive_chunk(struct replica_set *set, uint64_t from, struct slice chunk,
                                      uint64_t *next_sequence, struct error *error) MUST_CHECK;
/* A peer's connection came or went: stop or resume streaming appends to it. */
void replica_set_peer_connected(struct replica_set *set, uint64_t node_id, bool connected);

struct raft_status replica_raft_status(const struct replica *replica);
size_t replica_progress(const struct replica *replica, struct raft_progress_view *out,
                        size_t capacity);
const struct raft *replica_raft(const struct replica *replica);

/* Local keys of the engine: the applied index of each group. Data keys must lie above. */
#define REPLICA_LOCAL_KEYS_END SLICE_LITERAL("\x01")

#endif
