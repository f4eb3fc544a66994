/* replica_internal.h - what the files of the replica share. Not for other modules. */
#ifndef CAIRN_REPLICA_INTERNAL_H
#define CAIRN_REPLICA_INTERNAL_H

#include "arena.h"
#include "payload_cache.h"
#include "replica.h"
#include "write_batch.h"

/* Messages, and entries to be reported as PERSISTED, that wait until the log is synced up to
 * `position`. */
struct persist_ticket {
    struct persist_ticket *next;
    struct replica *replica;
    uint64_t position;
    uint64_t last_index, last_term; /* 0: no entries */
    bool install;                   /* the snapshot record is now durable: install it */
    size_t message_count;
    struct raft_message messages[];
};

/* A snapshot on its way to one follower. */
struct snapshot_sender {
    struct replica *replica;
    struct snapshot_sender *next;
    uint64_t to;
    uint64_t term, index, index_term;
    struct engine_snapshot *snapshot;
    struct buf resume_key; /* the next chunk starts here */
    uint64_t sequence;
    bool last_sent;
    bool abandoned; /* no longer leader: freed at the next answer */
};

/* A snapshot arriving here. */
struct snapshot_receiver {
    struct file *file; /* NULL: none under way */
    uint64_t from, term, index, index_term;
    uint64_t next_sequence;
    uint64_t offset;
    char path[512];
};

/* A staged snapshot on its way into the engine, one record a turn. */
struct snapshot_installer {
    struct file *file; /* NULL: none under way */
    uint64_t index, term;
    uint64_t offset;
};

struct replica {
    struct replicator base;
    struct replica_set *set;
    struct replica *next;
    uint64_t group;
    const struct state_machine_ops *machine;
    void *machine_arg;
    struct buf data_start, data_end;

    struct raft *raft;
    struct raft_update update;
    struct env_timer timer;
    bool touched;
    struct replica *next_touched;
    struct payload_cache cache;

    uint64_t applied, applied_term;     /* what the engine holds */
    uint64_t collected, collected_term; /* and the turn's batch, which may wait for the engine */
    uint64_t commit;
    bool leads; /* announced to the state machine */
    uint64_t leads_term;

    struct proposal *proposals, **proposals_tail; /* by index */
    uint64_t proposal_bytes;
    struct read_barrier *barriers;       /* asked, not confirmed */
    struct read_barrier *ready_barriers; /* confirmed, wait for apply; any order */
    uint64_t next_read_id;

    struct snapshot_sender *senders;
    struct snapshot_receiver receiver;
    struct snapshot_installer installer;
    /* The log says that a snapshot is the state, and the engine does not hold it yet. */
    bool installing;
};

/* An answer that must not be given inside the call that asked. */
struct deferred_answer {
    struct deferred_answer *next;
    struct proposal *proposal; /* one of the two */
    struct read_barrier *barrier;
    enum status status;
};

struct replica_set {
    struct replica_set_options options;
    struct env *env;
    struct replica *replicas;
    struct replica *touched;
    struct persist_ticket *tickets, **tickets_tail;
    struct deferred_answer *answers, **answers_tail;
    struct env_task answer_task, again_task;
    struct env_turn_hook raft_hook, wal_hook, apply_hook;
    struct env_timer flush_timer, retry_timer;
    struct arena arena;        /* of the message being received */
    struct buf scratch;        /* of the message being sent */
    struct write_batch *batch; /* of the turn */
    bool engine_full;          /* the last batch was refused for lack of disk */
    bool batch_pending;        /* the engine was busy: write it again before anything else */
    struct env_timer install_timer;

    struct engine_flush_op *flush; /* under way */
    uint64_t flushed_log_end;
    struct buf persisted_key;

    struct counter *proposals, *applied_entries, *messages_out, *messages_in, *messages_dropped;
    struct counter *snapshots_sent, *snapshots_installed, *leader_changes;
    struct histogram *commit_latency_ns;
};

/* replica.c */
void replica_touch(struct replica *replica);
/* Steps the core and touches the replica; stores payloads of new entries (payloads may be NULL). */
enum status replica_step(struct replica *replica, struct raft_event *event,
                         const struct slice *payloads);
struct replica *replica_set_find(struct replica_set *set, uint64_t group);
void replica_set_answer(struct replica_set *set, struct proposal *proposal,
                        struct read_barrier *barrier, enum status status);
/* The payload of an entry: from the cache, else read into `scratch` (replaced). Fatal if the log
 * lost it. */
struct slice replica_payload(struct replica *replica, uint64_t index, struct buf *scratch);

/* replica_turn.c */
void replica_turn_raft(void *set);
void replica_on_synced(void *set, uint64_t position);
void replica_send(struct replica *replica, const struct raft_message *message);
void replica_check_leadership(struct replica *replica);
void replica_step_down(struct replica *replica);

/* replica_apply.c */
void replica_turn_apply(void *set);
void replica_applied_key(uint64_t group, struct buf *out);
void replica_applied_value(uint64_t index, uint64_t term, struct buf *out);
bool replica_applied_parse(struct slice value, uint64_t *index, uint64_t *term);
void replica_release_barriers(struct replica *replica);
void replica_set_maybe_flush(void *set);

/* replica_snapshot.c */
void replica_snapshot_send(struct replica *replica, uint64_t to);
void replica_snapshot_abandon_sends(struct replica *replica);
/* Whether a snapshot up to `index` waits in its file. */
bool replica_snapshot_is_staged(const struct replica *replica, uint64_t index);
void replica_snapshot_install_start(struct replica *replica, uint64_t index, uint64_t term);
void replica_snapshot_install_step(void *set);
/* At open: blocks until the staged snapshot is in the engine. */
enum status replica_snapshot_reinstall(struct replica *replica, uint64_t index, uint64_t term,
                                       struct error *error) MUST_CHECK;
void replica_snapshot_forget(struct replica *replica, uint64_t up_to_index);
void replica_snapshot_deinit(struct replica *replica);

#endif
