/* raft_replication.c - log replication (Raft 5.3, 5.4.2; Thesis 10.2): proposals, appends and their
 * answers, commitment.
 *
 * The leader sends entries to its followers while its own disk still writes them, and counts itself
 * only when PERSISTED has come (Thesis 10.2.1). Appends are formed once, at the end of a turn, so
 * that all that a turn brought leaves as one message a follower.
 *
 * What a follower may claim. An answer that says "I have all up to m" lets the leader commit, so it
 * must not leave before m is durable. Two kinds keep to that:
 *   - The answer to an append that put entries into the log claims them all and is marked
 *     after_persist. The shell then sends it when what this and all earlier updates persist is
 *     durable, and every entry of the log was in one of these.
 *   - Any other answer (to a heartbeat, to a duplicate of entries that an earlier update is still
 *     writing) goes at once, so that reads and check-quorum do not wait for a disk, and claims no
 *     more than `persisted`. If the entry there is of an older term, our term may not be durable
 *     itself; then this answer waits like the first kind.
 * A delayed answer may leave after a new leader has cut the log below m. It does no harm: it counts
 * as given when it was formed; had it completed a majority then, a voter of that majority would
 * have refused its vote to a leader that lacks m (Raft 5.4.3). */
#include <assert.h>

#include "raft_internal.h"

/* ---- the own log ---------------------------------------------------------------------------- */

void raft_store(struct raft *raft, const struct raft_entry *entry, struct raft_update *update) {
    raft_log_append(&raft->log, entry);
    uint64_t index = raft_log_last(&raft->log);
    if (raft->stored.first > raft->stored.last) raft->stored.first = index;
    raft->stored.last = index;
    if (update->persist_first > update->persist_last || index < update->persist_first)
        update->persist_first = index;
    update->persist_last = index;
}

/* Removes the entries from `index` on, which conflict with the leader's (Raft 5.3). */
static void cut_log(struct raft *raft, uint64_t index) {
    assert(index > raft->commit && raft->role != RAFT_LEADER);
    raft_log_truncate(&raft->log, index);
    if (raft->persisted >= index) raft->persisted = index - 1;
    raft->persisted_term_floor = raft->term;
}

/* A report may name entries that were cut since, and even entries that were cut and then came back
 * from a later leader, of whose second writing it says nothing. The second kind is told by its
 * term: what was cut under the leader of a term is older than that term, and each leader ends its
 * log with entries of its own, whose reports are then believed. */
enum status raft_on_persisted(struct raft *raft, const struct raft_event *event,
                              struct raft_update *update) {
    (void)update;
    if (event->term < raft->persisted_term_floor) return STATUS_OK;
    if (!raft_log_has(&raft->log, event->index, event->term)) return STATUS_OK;
    if (event->index > raft->persisted) raft->persisted = event->index;
    raft_maybe_commit(raft);
    return STATUS_OK;
}

enum status raft_on_applied(struct raft *raft, const struct raft_event *event,
                            struct raft_update *update) {
    (void)update;
    assert(event->index <= raft->commit);
    if (event->index > raft->applied) raft->applied = event->index;
    return STATUS_OK;
}

enum status raft_on_propose(struct raft *raft, const struct raft_event *event,
                            struct raft_update *update) {
    if (raft->role != RAFT_LEADER) return STATUS_NOT_LEADER;
    for (uint32_t i = 0; i < event->propose.count; i++) {
        struct raft_entry entry = event->propose.entries[i];
        entry.term = raft->term;
        raft_store(raft, &entry, update);
    }
    return STATUS_OK;
}

/* Figure 2, leaders, last rule: a majority has it, and it is of this term (Raft 5.4.2); what is
 * before it is then committed as well. */
void raft_maybe_commit(struct raft *raft) {
    if (raft->role != RAFT_LEADER) return;
    uint64_t match[RAFT_MAX_VOTERS];
    for (size_t i = 0; i < raft->voter_count; i++)
        match[i] = i == raft->self ? raft->persisted : raft->progress[i].match;
    uint64_t index = raft_quorum_reached(match, raft->voter_count);
    if (index <= raft->commit || !raft_log_has(&raft->log, index, raft->term)) return;
    raft->commit = index;
    raft->commit_due_ns = raft->now_ns + raft->heartbeat_interval_ns / RAFT_COMMIT_DELAY_DIVISOR;
}

struct progress *raft_progress_of(struct raft *raft, uint64_t node) {
    for (size_t i = 0; i < raft->voter_count; i++)
        if (raft->voters[i] == node && i != raft->self) return &raft->progress[i];
    return NULL;
}

enum status raft_on_unreachable(struct raft *raft, const struct raft_event *event,
                                struct raft_update *update) {
    (void)update;
    struct progress *progress = raft_progress_of(raft, event->node);
    if (raft->role == RAFT_LEADER && progress) progress_unreachable(progress);
    return STATUS_OK;
}

/* ---- leader: sending ------------------------------------------------------------------------ */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* An append of `count` entries from `first` on; with none it is a heartbeat. The entry before it
 * may be compacted away (the follower waits for a snapshot): then it follows the beginning of the
 * log, which always matches, and proves nothing. */
static void post_append(struct raft *raft, struct progress *progress, uint64_t first,
                        uint32_t count, struct raft_update *update) {
    struct raft_message *message =
        raft_post(raft, update, RAFT_MESSAGE_APPEND, progress->node, false);
    if (raft_log_term(&raft->log, first - 1, &message->log_term)) message->log_index = first - 1;
    message->first_index = message->log_index + 1;
    message->entry_count = count;
    message->commit = least(raft->commit, message->log_index + count);
    message->read_round = raft->read_round;
    progress->sent_ns = raft->now_ns;
    progress->sent_round = raft->read_round;
    if (message->commit > progress->sent_commit) progress->sent_commit = message->commit;
}

/* As many entries as one append holds, at least one. */
static void send_entries(struct raft *raft, struct progress *progress, struct raft_update *update) {
    uint64_t last = raft_log_last(&raft->log), index = progress->next, size_bytes = 0;
    for (; index <= last; index++) {
        uint64_t entry_bytes =
            raft_log_at(&raft->log, index)->size_bytes + (uint64_t)RAFT_ENTRY_OVERHEAD_BYTES;
        if (size_bytes > 0 && size_bytes + entry_bytes > raft->max_append_bytes) break;
        size_bytes += entry_bytes;
    }
    post_append(raft, progress, progress->next, (uint32_t)(index - progress->next), update);
    progress_sent(progress, index - 1, size_bytes);
}

/* The commit index that a heartbeat would bring, beyond what was sent. */
static bool commit_unsent(const struct raft *raft, const struct progress *progress) {
    return progress->state == PROGRESS_REPLICATE &&
           least(raft->commit, progress->next - 1) > progress->sent_commit;
}

static bool heartbeat_due(const struct raft *raft, const struct progress *progress) {
    if (raft->now_ns >= progress->sent_ns + raft->heartbeat_interval_ns) return true;
    if (raft->read_round > progress->sent_round) return true;
    if (progress->state == PROGRESS_PROBE && !progress->probe_sent) return true;
    return commit_unsent(raft, progress) && raft->now_ns >= raft->commit_due_ns;
}

static void send_heartbeat(struct raft *raft, struct progress *progress,
                           struct raft_update *update) {
    if (progress->state == PROGRESS_PROBE) progress->probe_sent = true;
    post_append(raft, progress, progress->next, 0, update);
}

/* The entry to send next, or the one before it, is compacted away, and the follower is there to get
 * a snapshot: it answers appends, or has just answered a probe. */
static bool needs_snapshot(const struct raft *raft, const struct progress *progress) {
    if (progress->next > raft->log.start_index) return false;
    return progress->state == PROGRESS_REPLICATE ||
           (progress->state == PROGRESS_PROBE && !progress->probe_sent);
}

static void send_to(struct raft *raft, struct progress *progress, struct raft_update *update) {
    bool sent = false;
    if (needs_snapshot(raft, progress)) raft_request_snapshot(raft, progress, update);
    while (progress->next <= raft_log_last(&raft->log) && progress_may_send(progress)) {
        send_entries(raft, progress, update);
        sent = true;
    }
    if (sent || !heartbeat_due(raft, progress)) return;
    if (raft_remind_of_snapshot(raft, progress, update)) return;
    send_heartbeat(raft, progress, update);
}

void raft_send_appends(struct raft *raft, struct raft_update *update) {
    for (size_t i = 0; i < raft->voter_count; i++)
        if (i != raft->self) send_to(raft, &raft->progress[i], update);
}

uint64_t raft_send_deadline(const struct raft *raft) {
    uint64_t deadline_ns = UINT64_MAX;
    for (size_t i = 0; i < raft->voter_count; i++) {
        if (i == raft->self) continue;
        const struct progress *progress = &raft->progress[i];
        deadline_ns = least(deadline_ns, progress->sent_ns + raft->heartbeat_interval_ns);
        if (commit_unsent(raft, progress)) deadline_ns = least(deadline_ns, raft->commit_due_ns);
    }
    return deadline_ns;
}

/* ---- leader: answers ------------------------------------------------------------------------ */

enum status raft_on_append_reply(struct raft *raft, const struct raft_message *message,
                                 struct raft_update *update) {
    if (raft->role != RAFT_LEADER) return STATUS_OK;
    struct progress *progress = raft_progress_of(raft, message->from);
    if (!progress || message->read_round > raft->read_round ||
        message->match_index > raft_log_last(&raft->log))
        return STATUS_INVALID;
    progress->heard_ns = raft->now_ns;
    if (message->read_round > progress->read_round) {
        progress->read_round = message->read_round;
        raft_release_reads(raft, update);
    }
    if (message->reject) {
        /* The logs cannot agree beyond this; what is compacted away cannot be compared. */
        uint64_t agree = message->hint_index;
        if (agree > raft->log.start_index)
            agree = raft_log_conflict(&raft->log, agree, message->hint_term);
        progress_refused(progress, message->log_index, agree);
        return STATUS_OK;
    }
    if (message->hint_index > 0 && message->hint_index == progress->snapshot_index)
        progress->snapshot_ns = raft->now_ns; /* it is installing */
    if (progress_accepted(progress, message->log_index, message->match_index))
        raft_maybe_commit(raft);
    return STATUS_OK;
}

/* ---- follower ------------------------------------------------------------------------------- */

/* Answers of one turn to one leader that differ only in how much they accept become one. */
static struct raft_message *post_reply(struct raft *raft, const struct raft_message *message,
                                       bool after_persist, struct raft_update *update) {
    for (size_t i = update->message_count, tries = 0; i > 0 && tries < 2; i--, tries++) {
        struct raft_outgoing *earlier = &update->messages[i - 1];
        if (earlier->message.type == RAFT_MESSAGE_APPEND_REPLY && !earlier->message.reject &&
            earlier->message.to == message->from && earlier->message.term == raft->term &&
            earlier->after_persist == after_persist)
            return &earlier->message;
    }
    return raft_post(raft, update, RAFT_MESSAGE_APPEND_REPLY, message->from, after_persist);
}

static void post_accept(struct raft *raft, const struct raft_message *message, uint64_t match,
                        bool after_persist, struct raft_update *update) {
    struct raft_message *reply = post_reply(raft, message, after_persist, update);
    reply->log_index = message->log_index;
    if (match > reply->match_index) reply->match_index = match;
    if (message->read_round > reply->read_round) reply->read_round = message->read_round;
    reply->hint_index = raft->install_index;
}

static bool round_is_new(struct raft *raft, const struct raft_message *message) {
    uint64_t echoed = raft->echoed_term == raft->term ? raft->echoed_round : 0;
    raft->echoed_term = raft->term;
    raft->echoed_round = message->read_round > echoed ? message->read_round : echoed;
    return message->read_round > echoed;
}

/* See the head of this file. */
void raft_accept(struct raft *raft, const struct raft_message *message, uint64_t match,
                 struct raft_update *update) {
    bool stored = raft->stored.first <= raft->stored.last;
    bool term_durable = raft_log_has(&raft->log, raft->persisted, raft->term);
    if (!stored && (term_durable || match == 0)) {
        post_accept(raft, message, least(match, raft->persisted), false, update);
        return;
    }
    /* A new read round is echoed at once: that claims nothing about the log. */
    if (round_is_new(raft, message)) post_accept(raft, message, 0, false, update);
    post_accept(raft, message, match, true, update);
}

static void refuse(struct raft *raft, const struct raft_message *message,
                   struct raft_update *update) {
    struct raft_message *reply =
        raft_post(raft, update, RAFT_MESSAGE_APPEND_REPLY, message->from, false);
    reply->reject = true;
    reply->log_index = message->log_index;
    reply->read_round = message->read_round;
    reply->hint_index = raft_log_conflict(&raft->log, message->log_index, message->log_term);
    if (!raft_log_term(&raft->log, reply->hint_index, &reply->hint_term)) reply->hint_term = 0;
}

enum status raft_on_old_leader(struct raft *raft, const struct raft_message *message,
                               struct raft_update *update) {
    struct raft_message *reply =
        raft_post(raft, update, RAFT_MESSAGE_APPEND_REPLY, message->from, false);
    reply->reject = true;
    reply->log_index = message->log_index;
    return STATUS_OK;
}

static bool well_formed(const struct raft_message *message) {
    if (message->first_index != message->log_index + 1) return false;
    if (message->log_index == 0 && message->log_term != 0) return false;
    uint64_t term = message->log_term;
    for (uint32_t i = 0; i < message->entry_count; i++) {
        if (message->entries[i].term < term) return false;
        term = message->entries[i].term;
    }
    return term <= message->term;
}

/* Figure 2, AppendEntries, receiver, rules 2 to 5; rule 1 is the dispatcher's. */
enum status raft_on_append(struct raft *raft, const struct raft_message *message,
                           struct raft_update *update) {
    if (!well_formed(message)) return STATUS_INVALID;
    TRY(raft_follow(raft, message->from, update));
    if (raft->install_index > 0) { /* the log is about to be replaced */
        raft_accept(raft, message, 0, update);
        return STATUS_OK;
    }
    /* What is compacted away was committed, so it matches (Raft 5.4.3). */
    if (message->log_index >= raft->log.start_index &&
        !raft_log_has(&raft->log, message->log_index, message->log_term)) {
        if (message->log_index <= raft->commit) return STATUS_INVALID;
        refuse(raft, message, update);
        return STATUS_OK;
    }
    size_t here =
        raft_log_matching(&raft->log, message->first_index, message->entries, message->entry_count);
    if (here < message->entry_count) {
        uint64_t first = message->first_index + here;
        if (first <= raft->commit) return STATUS_INVALID;
        if (first <= raft_log_last(&raft->log)) cut_log(raft, first);
        for (size_t i = here; i < message->entry_count; i++)
            raft_store(raft, &message->entries[i], update);
    }
    uint64_t match = message->log_index + message->entry_count;
    uint64_t commit = least(message->commit, match);
    if (commit > raft->commit) raft->commit = commit;
    raft_accept(raft, message, match, update);
    return STATUS_OK;
}
