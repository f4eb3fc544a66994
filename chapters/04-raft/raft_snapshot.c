/* raft_snapshot.c - what replaces the log's beginning (Raft 7).
 *
 * The core moves no snapshot bytes. On the leader it says who needs a snapshot; the shell stages
 * one at that node and reports it by SNAPSHOT_SENT, then the core sends SNAPSHOT. On the follower
 * the core answers that message by update.install; until SNAPSHOT_INSTALLED the old log stays as it
 * is, nothing is stored in it, and the node does not stand for election. */
#include <assert.h>

#include "raft_internal.h"

enum status raft_on_compact(struct raft *raft, const struct raft_event *event,
                            struct raft_update *update) {
    (void)update;
    assert(event->index <= raft->applied);
    if (event->index > raft->log.start_index) raft_log_compact(&raft->log, event->index);
    return STATUS_OK;
}

/* ---- leader --------------------------------------------------------------------------------- */

void raft_request_snapshot(struct raft *raft, struct progress *progress,
                           struct raft_update *update) {
    (void)raft;
    assert(update->snapshot_to_count < RAFT_MAX_VOTERS);
    progress_need_snapshot(progress);
    update->snapshot_to[update->snapshot_to_count++] = progress->node;
}

static void post_snapshot(struct raft *raft, struct progress *progress,
                          struct raft_update *update) {
    struct raft_message *message =
        raft_post(raft, update, RAFT_MESSAGE_SNAPSHOT, progress->node, false);
    message->log_index = progress->snapshot_index;
    message->log_term = progress->snapshot_term;
    message->read_round = raft->read_round;
    progress->sent_ns = raft->now_ns;
    progress->sent_round = raft->read_round;
}

enum status raft_on_snapshot_sent(struct raft *raft, const struct raft_event *event,
                                  struct raft_update *update) {
    struct progress *progress = raft_progress_of(raft, event->node);
    /* The report may come after a change of leader, or after the follower caught up. */
    if (raft->role != RAFT_LEADER || !progress || progress->state != PROGRESS_SNAPSHOT)
        return STATUS_OK;
    if (!event->ok) {
        progress_snapshot_failed(progress);
        return STATUS_OK;
    }
    assert(event->index > 0 && event->term > 0);
    progress_snapshot_staged(progress, event->index, event->term, raft->now_ns);
    post_snapshot(raft, progress, update);
    return STATUS_OK;
}

bool raft_remind_of_snapshot(struct raft *raft, struct progress *progress,
                             struct raft_update *update) {
    if (progress->state != PROGRESS_SNAPSHOT || progress->snapshot_index == 0) return false;
    uint64_t patience_ns = RAFT_SNAPSHOT_PATIENCE * raft->election_timeout_ns;
    if (raft->now_ns >= progress->snapshot_ns + patience_ns) {
        progress_snapshot_failed(progress);
        return false;
    }
    post_snapshot(raft, progress, update);
    return true;
}

/* ---- follower ------------------------------------------------------------------------------- */

enum status raft_on_snapshot(struct raft *raft, const struct raft_message *message,
                             struct raft_update *update) {
    if (message->log_index == 0 || message->log_term > message->term) return STATUS_INVALID;
    TRY(raft_follow(raft, message->from, update));
    /* An update either installs or persists entries; the leader reminds us. */
    if (update->persist_first <= update->persist_last) return STATUS_OK;
    /* Installing already: a repetition, or another leader's, which will ask again. */
    if (raft->install_index == 0 && message->log_index > raft->commit) {
        if (raft_log_has(&raft->log, message->log_index, message->log_term)) {
            /* The log has what the snapshot covers: keep it (Raft 7). */
            raft->commit = message->log_index;
        } else {
            raft->install_index = message->log_index;
            raft->install_term = message->log_term;
            update->install.index = message->log_index;
            update->install.term = message->log_term;
        }
    }
    uint64_t match = raft->install_index > 0 ? 0 : message->log_index;
    raft_accept(raft, message, match, update);
    return STATUS_OK;
}

enum status raft_on_snapshot_installed(struct raft *raft, const struct raft_event *event,
                                       struct raft_update *update) {
    assert(raft->install_index > 0 && event->index == raft->install_index &&
           event->term == raft->install_term);
    raft_log_reset(&raft->log, event->index, event->term);
    raft->commit = raft->applied = raft->persisted = event->index;
    raft->persisted_term_floor = raft->term;
    raft->install_index = raft->install_term = 0;
    if (raft->leader == 0 || raft->role == RAFT_LEADER) return STATUS_OK;
    struct raft_message *reply =
        raft_post(raft, update, RAFT_MESSAGE_APPEND_REPLY, raft->leader, true);
    reply->match_index = event->index;
    return STATUS_OK;
}
