/* raft_internal.h - the state of a group, shared by the files of the core and by nobody else.
 *
 * How the files divide the work:
 *   raft.c              life of a group, the dispatch tables, the end of a turn
 *   raft_election.c     timeouts, pre-vote, votes, check-quorum, changes of role
 *   raft_replication.c  proposals, appends both ways, commitment
 *   raft_read.c         linearizable reads
 *   raft_snapshot.c     compaction, snapshots both ways
 *   raft_update.c       what goes into an update
 *   raft_dump.c         text
 *   raft_log, raft_quorum, raft_progress: pure parts with headers of their own
 *
 * A feature comes as a file, a row in a table of raft.c, and fields here. */
#ifndef CAIRN_RAFT_INTERNAL_H
#define CAIRN_RAFT_INTERNAL_H

#include "prng.h"
#include "raft.h"
#include "raft_log.h"
#include "raft_progress.h"
#include "raft_quorum.h"

enum {
    /* Counted for each entry of an append beside its payload, so that empty ones are bounded too.
     */
    RAFT_ENTRY_OVERHEAD_BYTES = 32,
    /* A commit index that nothing carries to the followers is sent alone after this part of a
     * heartbeat interval. Under load an append carries it long before. */
    RAFT_COMMIT_DELAY_DIVISOR = 8,
    /* A follower that says nothing of a staged snapshot for so many election timeouts lost it. */
    RAFT_SNAPSHOT_PATIENCE = 10
};

/* A read that waits: first for its round to begin (round 0), then for a majority to echo it. */
struct raft_read {
    uint64_t id;
    uint64_t round;
    uint64_t index; /* the commit index when its round began */
};

struct raft {
    /* Settings. */
    uint64_t node_id;
    uint64_t voters[RAFT_MAX_VOTERS];
    size_t voter_count, self; /* voters[self] == node_id */
    uint64_t heartbeat_interval_ns, election_timeout_ns;
    uint32_t max_append_bytes;
    struct prng prng;

    uint64_t now_ns; /* of the latest event */

    /* Figure 2: persistent state. What of the log is durable is known by PERSISTED. */
    uint64_t term, vote;
    struct raft_log log;
    uint64_t persisted;
    uint64_t persisted_term_floor; /* see raft_on_persisted */

    /* Figure 2: volatile state. */
    enum raft_role role;
    uint64_t leader; /* 0: unknown */
    uint64_t commit, applied;

    /* Elections. */
    uint64_t election_deadline_ns; /* not for leaders */
    uint64_t leader_heard_ns;
    uint64_t echoed_term, echoed_round; /* the latest read round answered, and of which leader */
    enum raft_vote votes[RAFT_MAX_VOTERS];

    /* Leaders. */
    struct progress progress[RAFT_MAX_VOTERS]; /* by position in voters; [self] is not used */
    uint64_t noop_index;                       /* the first entry of this leadership */
    uint64_t commit_due_ns;                    /* when a commit index is sent alone */
    uint64_t read_round;                       /* the latest one begun */
    struct raft_read *reads;                   /* those at [read_head, read_head + read_count) */
    size_t read_head, read_count, read_capacity;

    /* A snapshot is being installed; index 0: none. */
    uint64_t install_index, install_term;

    /* Of this step and this turn. */
    struct raft_range stored;
    enum raft_role told_role; /* what the last update with role_changed said */
    uint64_t told_term, told_leader;
};

/* ---- raft_election.c ------------------------------------------------------------------------ */

void raft_set_hard_state(struct raft *raft, uint64_t term, uint64_t vote,
                         struct raft_update *update);
void raft_reset_election_deadline(struct raft *raft);
/* term >= raft->term. leader 0: not known. */
void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader,
                          struct raft_update *update);
/* A message of the leader of this term arrived. INVALID: it cannot be its leader. */
enum status raft_follow(struct raft *raft, uint64_t leader, struct raft_update *update) MUST_CHECK;
/* Heard from a leader less than an election timeout ago. */
bool raft_leader_is_alive(const struct raft *raft);
/* When check-quorum ends this leadership if nobody answers any more. */
uint64_t raft_quorum_deadline(const struct raft *raft);

enum status raft_on_tick(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_pre_vote(struct raft *, const struct raft_message *, struct raft_update *);
enum status raft_on_pre_vote_reply(struct raft *, const struct raft_message *,
                                   struct raft_update *);
enum status raft_on_vote(struct raft *, const struct raft_message *, struct raft_update *);
enum status raft_on_vote_reply(struct raft *, const struct raft_message *, struct raft_update *);

/* ---- raft_replication.c --------------------------------------------------------------------- */

/* Puts one entry into the log and the update. */
void raft_store(struct raft *raft, const struct raft_entry *entry, struct raft_update *update);
void raft_maybe_commit(struct raft *raft);
/* Follower: answers that the log equals the leader's up to `match`. */
void raft_accept(struct raft *raft, const struct raft_message *message, uint64_t match,
                 struct raft_update *update);
/* Leader, end of turn. */
void raft_send_appends(struct raft *raft, struct raft_update *update);
uint64_t raft_send_deadline(const struct raft *raft);
struct progress *raft_progress_of(struct raft *raft, uint64_t node);

enum status raft_on_propose(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_persisted(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_applied(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_unreachable(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_append(struct raft *, const struct raft_message *, struct raft_update *);
enum status raft_on_append_reply(struct raft *, const struct raft_message *, struct raft_update *);
/* An append or snapshot of an older term: tells its sender of the new one. */
enum status raft_on_old_leader(struct raft *, const struct raft_message *, struct raft_update *);

/* ---- raft_read.c ---------------------------------------------------------------------------- */

bool raft_leader_ready(const struct raft *raft);
/* Leader, end of turn: one round for all reads that wait for one. */
void raft_begin_read_round(struct raft *raft, struct raft_update *update);
/* After an echo: lets the reads go whose round a majority has echoed. */
void raft_release_reads(struct raft *raft, struct raft_update *update);
void raft_fail_reads(struct raft *raft, struct raft_update *update);

enum status raft_on_read(struct raft *, const struct raft_event *, struct raft_update *);

/* ---- raft_snapshot.c ------------------------------------------------------------------------ */

/* Leader: the follower needs entries that are compacted away. */
void raft_request_snapshot(struct raft *raft, struct progress *progress,
                           struct raft_update *update);
/* Leader, in place of a heartbeat: repeats the SNAPSHOT message if one is staged there (true), or
 * gives it up when the follower was silent about it for too long. */
bool raft_remind_of_snapshot(struct raft *raft, struct progress *progress,
                             struct raft_update *update);

enum status raft_on_compact(struct raft *, const struct raft_event *, struct raft_update *);
enum status raft_on_snapshot(struct raft *, const struct raft_message *, struct raft_update *);
enum status raft_on_snapshot_installed(struct raft *, const struct raft_event *,
                                       struct raft_update *);
enum status raft_on_snapshot_sent(struct raft *, const struct raft_event *, struct raft_update *);

/* ---- raft_update.c -------------------------------------------------------------------------- */

/* A message of this node in its term, to be filled in further; valid until the next one. */
struct raft_message *raft_post(const struct raft *raft, struct raft_update *update,
                               enum raft_message_type type, uint64_t to, bool after_persist);
void raft_update_read(struct raft_update *update, uint64_t read_id, uint64_t index);
void raft_update_failed_read(struct raft_update *update, uint64_t read_id);

#endif
