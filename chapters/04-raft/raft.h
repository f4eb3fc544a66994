/* raft.h - the consensus core: Raft without I/O, clock or randomness of its own.
 *
 * (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", 2014, cited as
 * Raft; Ongaro's thesis, 2014, cited as Thesis.)
 *
 * Events go in by raft_step; what is to be done gathers in an update, which the shell takes at the
 * end of its turn by raft_finish and carries out:
 *
 *   raft_step(raft, &event, &update);   any number of times in a turn
 *   raft_finish(raft, &update);         forms the appends to followers, the read round, the
 * deadline
 *   ... send the messages that may go at once, persist, send the rest, apply, answer reads ...
 *   (an outgoing APPEND names indexes: serialize it before the next step may cut the log)
 *   raft_update_clear(&update);
 *
 * The core knows terms, types and sizes of entries, never their payloads: an append names a range
 * of indexes, and the shell supplies the bytes.
 *
 * Invariants (Raft, Figure 3), checked by raft_check_invariants or by the simulator across nodes
 *  1. Election safety: at most one leader in a term.
 *  2. Leader append-only: a leader never overwrites or deletes entries of its log.
 *  3. Log matching: entries with equal index and term are equal, and so is all before them.
 *  4. Leader completeness: a committed entry is in the log of every later leader.
 *  5. State machine safety: no two nodes apply different entries at an index.
 *  6. Term, vote and commit index never go back; commit <= last index; applied <= commit.
 *
 * Called on the loop only; nothing here suspends. */
#ifndef CAIRN_RAFT_H
#define CAIRN_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "status.h"

enum { RAFT_MAX_VOTERS = 15 };

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };
const char *raft_role_name(enum raft_role role);

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 0, /* what a new leader appends first (Raft 8); no payload */
    RAFT_ENTRY_NORMAL = 1,
    RAFT_ENTRY_CONFIGURATION = 2 /* reserved for membership changes */
};

/* What the core keeps of an entry. */
struct raft_entry {
    uint64_t term;
    uint32_t size_bytes; /* of the payload, for batching and flow control */
    uint8_t type;        /* enum raft_entry_type */
};

/* Survives a crash (Raft, Figure 2: persistent state). */
struct raft_hard_state {
    uint64_t term;
    uint64_t vote; /* node id, 0: none */
};

/* ---- messages ------------------------------------------------------------------------------- */

#define RAFT_MESSAGE_LIST(X)                                                                       \
    X(PRE_VOTE) /* would you vote for me? changes nothing at the receiver (Thesis 9.6) */          \
    X(PRE_VOTE_REPLY)                                                                              \
    X(VOTE) /* RequestVote */                                                                      \
    X(VOTE_REPLY)                                                                                  \
    X(APPEND) /* AppendEntries; without entries it is a heartbeat */                               \
    X(APPEND_REPLY)                                                                                \
    X(SNAPSHOT)    /* to a follower too far behind: the shell has staged a snapshot there */       \
    X(TIMEOUT_NOW) /* leadership transfer (Thesis 3.10): reserved */

enum raft_message_type {
#define RAFT_MESSAGE_ENUM(name) RAFT_MESSAGE_##name,
    RAFT_MESSAGE_LIST(RAFT_MESSAGE_ENUM)
#undef RAFT_MESSAGE_ENUM
        RAFT_MESSAGE_COUNT
};
const char *raft_message_name(enum raft_message_type type);

/* One struct for all messages; fields that a type does not use are 0. */
struct raft_message {
    enum raft_message_type type;
    uint64_t from, to; /* node ids */
    uint64_t term;
    /* (PRE_)VOTE: the candidate's last entry. APPEND: the entry before the first one sent
     * (prevLogIndex); APPEND_REPLY: its index, echoed. SNAPSHOT: the last entry that the snapshot
     * covers. */
    uint64_t log_index, log_term;
    uint64_t commit;      /* APPEND: leader's commit index, cut to what the message proves */
    uint64_t first_index; /* APPEND: entries [first_index, first_index + entry_count) */
    uint32_t entry_count;
    const struct raft_entry *entries; /* incoming APPEND only: borrowed, entry_count of them */
    bool reject;                      /* replies */
    /* APPEND_REPLY accepted: the log equals the leader's up to here, durably. */
    uint64_t match_index;
    /* APPEND_REPLY rejected: where to try next (Raft 5.3, end). Accepted: hint_index is that of the
     * snapshot being installed. */
    uint64_t hint_index, hint_term;
    /* APPEND, SNAPSHOT: the leader's latest read round; APPEND_REPLY: echoed (Thesis 6.4). */
    uint64_t read_round;
};

/* ---- events --------------------------------------------------------------------------------- */

enum raft_event_type {
    RAFT_EVENT_MESSAGE, /* .message */
    RAFT_EVENT_TICK, /* time passed: .now_ns (every event carries it; a tick does nothing else) */
    RAFT_EVENT_PROPOSE,            /* .propose */
    RAFT_EVENT_PERSISTED,          /* entries up to .index, the last of .term, are durable */
    RAFT_EVENT_APPLIED,            /* entries up to .index are applied */
    RAFT_EVENT_READ,               /* .read_id: a linearizable read asks to proceed */
    RAFT_EVENT_COMPACT,            /* the shell dropped its entries up to .index (<= applied) */
    RAFT_EVENT_SNAPSHOT_INSTALLED, /* update.install was carried out: .index, .term */
    RAFT_EVENT_SNAPSHOT_SENT,      /* to .node: staged there up to .index, .term (.ok), or failed */
    RAFT_EVENT_UNREACHABLE,        /* messages to .node were dropped: probe instead of streaming */
    RAFT_EVENT_COUNT
};

struct raft_event {
    enum raft_event_type type;
    uint64_t now_ns; /* monotonic */
    const struct raft_message *message;
    struct {
        const struct raft_entry *entries; /* terms are ignored and set by the core */
        uint32_t count;
    } propose;
    uint64_t index, term;
    uint64_t read_id;
    uint64_t node;
    bool ok;
};

/* ---- the update ----------------------------------------------------------------------------- */

struct raft_outgoing {
    struct raft_message message;
    bool after_persist; /* send only when everything that this update persists is durable */
};

struct raft_read_ready {
    uint64_t read_id;
    uint64_t index; /* answer once this index is applied */
};

/* Owned by the shell, filled by the core; arrays grow and are reused. */
struct raft_update {
    /* To persist, in this order. Truncation comes with the new entries: everything in the stored
     * log from persist_first on is replaced. persist_first > persist_last: no entries. */
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    uint64_t persist_first, persist_last;

    struct raft_outgoing *messages;
    size_t message_count, message_capacity;

    /* What may be applied: entries up to here are committed, and durable here as well, so that no
     * applied state runs ahead of the own log. Never falls. */
    uint64_t commit;

    /* A snapshot (staged by the shell before it passed the SNAPSHOT message in) becomes the state:
     * the log is then empty after this entry. index 0: none. Answer by SNAPSHOT_INSTALLED. */
    struct {
        uint64_t index, term;
    } install;

    /* Nodes that need a snapshot: the shell stages there one of its choice, which reaches at least
     * to first_index - 1, and answers by SNAPSHOT_SENT; then the core sends SNAPSHOT. */
    uint64_t snapshot_to[RAFT_MAX_VOTERS];
    size_t snapshot_to_count;

    struct raft_read_ready *reads; /* may proceed */
    size_t read_count, read_capacity;
    uint64_t *failed_reads; /* read ids: no longer leader */
    size_t failed_read_count, failed_read_capacity;

    bool role_changed;    /* or the term, or the known leader */
    uint64_t deadline_ns; /* when the next TICK is due, at the latest */
};

void raft_update_init(struct raft_update *update);
void raft_update_deinit(struct raft_update *update);
void raft_update_clear(struct raft_update *update);

/* ---- the group ------------------------------------------------------------------------------ */

struct raft;

struct raft_options {
    uint64_t node_id;       /* > 0 */
    const uint64_t *voters; /* node ids, this one among them */
    size_t voter_count;     /* 1 to RAFT_MAX_VOTERS */
    uint64_t seed;          /* of the election timeouts */
    uint64_t now_ns;
    uint64_t heartbeat_interval_ns; /* 0: 50 ms */
    /* Randomized in [t, 2t); 0: 250 ms. Also the check-quorum interval. */
    uint64_t election_timeout_ns;
    uint32_t max_append_bytes;     /* payload of one APPEND; 0: 1 MiB (one entry may be larger) */
    uint32_t max_inflight_appends; /* per follower, pipelining; 0: 16 */
    uint32_t max_inflight_bytes;   /* per follower; 0: 8 MiB */
    /* What the node had before a restart; all 0 for a new group. */
    struct raft_hard_state hard_state;
    uint64_t log_start_index, log_start_term; /* the last compacted entry (0, 0: none) */
    const struct raft_entry *entries;         /* log_start_index + 1 .. + entry_count */
    size_t entry_count;
    uint64_t applied_index; /* also taken as committed */
};

/* INVALID with a message if the options contradict each other. */
enum status raft_new(const struct raft_options *options, struct raft **out,
                     struct error *error) MUST_CHECK;
void raft_free(struct raft *raft);

/* Takes one event. Returns OK, or for PROPOSE: NOT_LEADER (nothing was appended); for READ:
 * NOT_LEADER; for MESSAGE: INVALID when a peer breaks the protocol or speaks of what this core does
 * not know (logged by the shell, the message is dropped). When the step put entries into the log,
 * raft_stored tells which. */
enum status raft_step(struct raft *raft, const struct raft_event *event,
                      struct raft_update *update) MUST_CHECK;

/* The entries that the last raft_step put into the log: the shell keeps their payloads from now on.
 * For an APPEND message this may be a suffix of what the message carried (first > last: none). */
struct raft_range {
    uint64_t first, last;
};
struct raft_range raft_stored(const struct raft *raft);

/* Ends the turn: forms appends and the read round from what the steps left, sets deadline_ns. */
void raft_finish(struct raft *raft, struct raft_update *update);

/* ---- looking -------------------------------------------------------------------------------- */

struct raft_status {
    enum raft_role role;
    uint64_t term, vote, leader; /* leader 0: unknown */
    uint64_t commit, applied, persisted;
    uint64_t first_index, last_index, last_term;
    bool leader_ready; /* leader, and an entry of its own term is committed: may serve reads */
};
struct raft_status raft_status(const struct raft *raft);

/* Replication progress of a voter, for operators. */
struct raft_progress_view {
    uint64_t node, match, next;
    bool active;   /* heard from within an election timeout */
    bool snapshot; /* waits for a snapshot */
};
/* Leader only (0 otherwise): fills up to `capacity`, returns the number of peers. */
size_t raft_progress(const struct raft *raft, struct raft_progress_view *out, size_t capacity);

/* The entry at an index in (log start, last]; false outside. The term is known for log start, too.
 */
bool raft_entry_at(const struct raft *raft, uint64_t index, struct raft_entry *out) MUST_CHECK;

/* Asserts what must hold inside one node. */
void raft_check_invariants(const struct raft *raft);
/* One line a fact, stable, for golden transcripts. */
void raft_dump(const struct raft *raft, struct buf *out);
void raft_message_dump(const struct raft_message *message, struct buf *out);

#endif
