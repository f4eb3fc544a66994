/* raft.c - a group's life, the tables that lead each event and message to its rule, and the end of
 * a turn. No rule of the protocol stands here but the one about terms (Raft 5.1). */
#include "raft.h"

#include <assert.h>

#include "mem.h"
#include "raft_internal.h"

enum {
    HEARTBEAT_INTERVAL_MS = 50,
    ELECTION_TIMEOUT_MS = 250,
    MAX_APPEND_BYTES = 1024 * 1024,
    MAX_INFLIGHT_APPENDS = 16,
    MAX_INFLIGHT_BYTES = 8 * 1024 * 1024
};
#define MS_NS UINT64_C(1000000)

/* ---- life ----------------------------------------------------------------------------------- */

static enum status check_voters(const struct raft_options *options, struct error *error) {
    bool found = false;
    if (options->node_id == 0) return error_set(error, STATUS_INVALID, "node id 0");
    if (options->voter_count == 0 || options->voter_count > RAFT_MAX_VOTERS)
        return error_set(error, STATUS_INVALID, "%zu voters: 1 to %d are possible",
                         options->voter_count, RAFT_MAX_VOTERS);
    for (size_t i = 0; i < options->voter_count; i++) {
        if (options->voters[i] == 0) return error_set(error, STATUS_INVALID, "a voter has id 0");
        for (size_t j = 0; j < i; j++)
            if (options->voters[i] == options->voters[j])
                return error_set(error, STATUS_INVALID, "voter %llu is named twice",
                                 (unsigned long long)options->voters[i]);
        if (options->voters[i] == options->node_id) found = true;
    }
    if (!found)
        return error_set(error, STATUS_INVALID, "node %llu is not among the voters",
                         (unsigned long long)options->node_id);
    return STATUS_OK;
}

static enum status check_state(const struct raft_options *options, struct error *error) {
    uint64_t last = options->log_start_index + options->entry_count;
    uint64_t term = options->log_start_term;
    if ((options->log_start_index == 0) != (options->log_start_term == 0))
        return error_set(error, STATUS_INVALID, "the log's start has an index or a term, not both");
    for (size_t i = 0; i < options->entry_count; i++) {
        if (options->entries[i].term < term)
            return error_set(error, STATUS_INVALID, "the term falls at entry %llu",
                             (unsigned long long)(options->log_start_index + 1 + i));
        term = options->entries[i].term;
    }
    if (term > options->hard_state.term)
        return error_set(error, STATUS_INVALID, "the log is of term %llu, the hard state of %llu",
                         (unsigned long long)term, (unsigned long long)options->hard_state.term);
    if (options->applied_index < options->log_start_index || options->applied_index > last)
        return error_set(error, STATUS_INVALID,
                         "applied up to %llu, but the log holds (%llu, %llu]",
                         (unsigned long long)options->applied_index,
                         (unsigned long long)options->log_start_index, (unsigned long long)last);
    return STATUS_OK;
}

static void set_options(struct raft *raft, const struct raft_options *options) {
    raft->node_id = options->node_id;
    raft->voter_count = options->voter_count;
    raft->heartbeat_interval_ns = options->heartbeat_interval_ns ? options->heartbeat_interval_ns
                                                                 : HEARTBEAT_INTERVAL_MS * MS_NS;
    raft->election_timeout_ns =
        options->election_timeout_ns ? options->election_timeout_ns : ELECTION_TIMEOUT_MS * MS_NS;
    raft->max_append_bytes =
        options->max_append_bytes ? options->max_append_bytes : MAX_APPEND_BYTES;
    size_t window =
        options->max_inflight_appends ? options->max_inflight_appends : MAX_INFLIGHT_APPENDS;
    uint64_t window_bytes =
        options->max_inflight_bytes ? options->max_inflight_bytes : MAX_INFLIGHT_BYTES;
    for (size_t i = 0; i < options->voter_count; i++) {
        raft->voters[i] = options->voters[i];
        if (options->voters[i] == options->node_id)
            raft->self = i;
        else
            progress_init(&raft->progress[i], options->voters[i], window, window_bytes);
    }
}

enum status raft_new(const struct raft_options *options, struct raft **out, struct error *error) {
    TRY(check_voters(options, error));
    TRY(check_state(options, error));
    struct raft *raft = MEM_NEW(struct raft);
    set_options(raft, options);
    raft_log_init(&raft->log, options->log_start_index, options->log_start_term, options->entries,
                  options->entry_count);
    raft->term = raft->told_term = options->hard_state.term;
    raft->vote = options->hard_state.vote;
    raft->persisted = raft_log_last(&raft->log);
    raft->commit = raft->applied = options->applied_index;
    raft->stored = (struct raft_range){1, 0};
    raft->now_ns = options->now_ns;
    prng_seed(&raft->prng, options->seed);
    raft_reset_election_deadline(raft);
    *out = raft;
    return STATUS_OK;
}

void raft_free(struct raft *raft) {
    if (!raft) return;
    for (size_t i = 0; i < raft->voter_count; i++)
        if (i != raft->self) progress_deinit(&raft->progress[i]);
    raft_log_deinit(&raft->log);
    mem_free(raft->reads);
    mem_free(raft);
}

/* ---- messages ------------------------------------------------------------------------------- */

typedef enum status (*message_rule)(struct raft *, const struct raft_message *,
                                    struct raft_update *);

/* Raft 5.1: a newer term is taken over, with it the role of a follower. */
static bool always(const struct raft *raft, const struct raft_message *message) {
    (void)raft;
    (void)message;
    return true;
}

/* A grant carries the term asked for, which nobody has entered. */
static bool if_refused(const struct raft *raft, const struct raft_message *message) {
    (void)raft;
    return message->reject;
}

static bool unless_leader_alive(const struct raft *raft, const struct raft_message *message) {
    (void)message;
    return !raft_leader_is_alive(raft);
}

/* What is done with a message whose term is newer than ours, ours, or older. */
struct message_row {
    bool (*adopt_newer)(const struct raft *, const struct raft_message *);
    message_rule newer; /* where the term was not adopted; NULL: dropped */
    message_rule same;
    message_rule older; /* NULL: dropped */
};

static const struct message_row message_rows[RAFT_MESSAGE_COUNT] = {
    [RAFT_MESSAGE_PRE_VOTE] = {NULL, raft_on_pre_vote, raft_on_pre_vote, raft_on_pre_vote},
    [RAFT_MESSAGE_PRE_VOTE_REPLY] = {if_refused, raft_on_pre_vote_reply, raft_on_pre_vote_reply,
                                     NULL},
    [RAFT_MESSAGE_VOTE] = {unless_leader_alive, NULL, raft_on_vote, raft_on_vote},
    [RAFT_MESSAGE_VOTE_REPLY] = {always, NULL, raft_on_vote_reply, NULL},
    [RAFT_MESSAGE_APPEND] = {always, NULL, raft_on_append, raft_on_old_leader},
    [RAFT_MESSAGE_APPEND_REPLY] = {always, NULL, raft_on_append_reply, NULL},
    [RAFT_MESSAGE_SNAPSHOT] = {always, NULL, raft_on_snapshot, raft_on_old_leader},
};

static bool is_voter(const struct raft *raft, uint64_t node) {
    for (size_t i = 0; i < raft->voter_count; i++)
        if (raft->voters[i] == node) return true;
    return false;
}

static enum status on_message(struct raft *raft, const struct raft_event *event,
                              struct raft_update *update) {
    const struct raft_message *message = event->message;
    if ((unsigned)message->type >= RAFT_MESSAGE_COUNT) return STATUS_INVALID;
    if (message->to != raft->node_id || message->from == raft->node_id || message->term == 0 ||
        !is_voter(raft, message->from))
        return STATUS_INVALID;
    const struct message_row *row = &message_rows[message->type];
    message_rule rule = row->same;
    if (!rule) return STATUS_INVALID;
    if (message->term > raft->term) {
        if (row->adopt_newer && row->adopt_newer(raft, message))
            raft_become_follower(raft, message->term, 0, update);
        else
            rule = row->newer;
    } else if (message->term < raft->term) {
        rule = row->older;
    }
    return rule ? rule(raft, message, update) : STATUS_OK;
}

/* ---- events --------------------------------------------------------------------------------- */

typedef enum status (*event_rule)(struct raft *, const struct raft_event *, struct raft_update *);

static const event_rule event_rules[RAFT_EVENT_COUNT] = {
    [RAFT_EVENT_MESSAGE] = on_message,
    [RAFT_EVENT_TICK] = raft_on_tick,
    [RAFT_EVENT_PROPOSE] = raft_on_propose,
    [RAFT_EVENT_PERSISTED] = raft_on_persisted,
    [RAFT_EVENT_APPLIED] = raft_on_applied,
    [RAFT_EVENT_READ] = raft_on_read,
    [RAFT_EVENT_COMPACT] = raft_on_compact,
    [RAFT_EVENT_SNAPSHOT_INSTALLED] = raft_on_snapshot_installed,
    [RAFT_EVENT_SNAPSHOT_SENT] = raft_on_snapshot_sent,
    [RAFT_EVENT_UNREACHABLE] = raft_on_unreachable,
};

enum status raft_step(struct raft *raft, const struct raft_event *event,
                      struct raft_update *update) {
    assert((unsigned)event->type < RAFT_EVENT_COUNT);
    if (event->now_ns > raft->now_ns) raft->now_ns = event->now_ns;
    raft->stored = (struct raft_range){1, 0};
    return event_rules[event->type](raft, event, update);
}

struct raft_range raft_stored(const struct raft *raft) {
    return raft->stored;
}

void raft_finish(struct raft *raft, struct raft_update *update) {
    if (raft->role == RAFT_LEADER) {
        raft_begin_read_round(raft, update);
        raft_send_appends(raft, update);
        uint64_t send_ns = raft_send_deadline(raft), quorum_ns = raft_quorum_deadline(raft);
        update->deadline_ns = send_ns < quorum_ns ? send_ns : quorum_ns;
    } else {
        update->deadline_ns = raft->election_deadline_ns;
    }
    update->commit = raft->commit < raft->persisted ? raft->commit : raft->persisted;
    update->role_changed = raft->role != raft->told_role || raft->term != raft->told_term ||
                           raft->leader != raft->told_leader;
    raft->told_role = raft->role;
    raft->told_term = raft->term;
    raft->told_leader = raft->leader;
}

/* ---- looking -------------------------------------------------------------------------------- */

struct raft_status raft_status(const struct raft *raft) {
    return (struct raft_status){.role = raft->role,
                                .term = raft->term,
                                .vote = raft->vote,
                                .leader = raft->leader,
                                .commit = raft->commit,
                                .applied = raft->applied,
                                .persisted = raft->persisted,
                                .first_index = raft->log.start_index + 1,
                                .last_index = raft_log_last(&raft->log),
                                .last_term = raft_log_last_term(&raft->log),
                                .leader_ready = raft_leader_ready(raft)};
}

size_t raft_progress(const struct raft *raft, struct raft_progress_view *out, size_t capacity) {
    size_t peers = 0;
    if (raft->role != RAFT_LEADER) return 0;
    for (size_t i = 0; i < raft->voter_count; i++) {
        if (i == raft->self) continue;
        const struct progress *progress = &raft->progress[i];
        if (peers < capacity)
            out[peers] = (struct raft_progress_view){
                .node = progress->node,
                .match = progress->match,
                .next = progress->next,
                .active = raft->now_ns < progress->heard_ns + raft->election_timeout_ns,
                .snapshot = progress->state == PROGRESS_SNAPSHOT};
        peers++;
    }
    return peers;
}

bool raft_entry_at(const struct raft *raft, uint64_t index, struct raft_entry *out) {
    if (index <= raft->log.start_index || index > raft_log_last(&raft->log)) return false;
    *out = *raft_log_at(&raft->log, index);
    return true;
}

void raft_check_invariants(const struct raft *raft) {
    uint64_t last = raft_log_last(&raft->log);
    assert(raft->log.start_index <= raft->applied && raft->applied <= raft->commit);
    assert(raft->commit <= last && raft->persisted <= last);
    assert(raft->persisted >= raft->log.start_index);
    assert(raft_log_last_term(&raft->log) <= raft->term);
    assert(raft->stored.first > raft->stored.last || raft->stored.last <= last);
    assert((raft->role == RAFT_LEADER) == (raft->leader == raft->node_id));
    assert(raft->role == RAFT_LEADER || raft->read_count == 0);
    assert(raft->role != RAFT_CANDIDATE || raft->vote == raft->node_id);
    if (raft->role != RAFT_LEADER) return;
    assert(raft->vote == raft->node_id && raft->install_index == 0);
    for (size_t i = 0; i < raft->voter_count; i++) {
        if (i == raft->self) continue;
        assert(raft->progress[i].match <= last && raft->progress[i].next <= last + 1);
        progress_check(&raft->progress[i]);
    }
}
