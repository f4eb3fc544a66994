/* raft_dump.c - the core as text: names, and one line a fact for golden transcripts and logs. */
#include <inttypes.h>

#include "raft_internal.h"

const char *raft_role_name(enum raft_role role) {
    static const char *const names[] = {"follower", "pre-candidate", "candidate", "leader"};
    return names[role];
}

const char *raft_message_name(enum raft_message_type type) {
    static const char *const names[] = {
#define RAFT_MESSAGE_TEXT(name) #name,
        RAFT_MESSAGE_LIST(RAFT_MESSAGE_TEXT)
#undef RAFT_MESSAGE_TEXT
    };
    return (unsigned)type < RAFT_MESSAGE_COUNT ? names[type] : "?";
}

static void dump_log(const struct raft_log *log, struct buf *out) {
    buf_printf(out, "log start=%" PRIu64 "/%" PRIu64 " last=%" PRIu64 "/%" PRIu64 "\n",
               log->start_index, log->start_term, raft_log_last(log), raft_log_last_term(log));
}

static void dump_progress(const struct progress *progress, struct buf *out) {
    buf_printf(out, "peer %" PRIu64 " %s match=%" PRIu64 " next=%" PRIu64, progress->node,
               progress_state_name(progress->state), progress->match, progress->next);
    if (progress->state == PROGRESS_PROBE && progress->probe_sent)
        buf_append_string(out, " waiting");
    if (progress->window_count > 0)
        buf_printf(out, " inflight=%zu/%" PRIu64 "B", progress->window_count,
                   progress->window_bytes);
    if (progress->snapshot_index > 0) buf_printf(out, " staged=%" PRIu64, progress->snapshot_index);
    buf_append_byte(out, '\n');
}

void raft_dump(const struct raft *raft, struct buf *out) {
    buf_printf(out, "node %" PRIu64 " %s term=%" PRIu64 " vote=%" PRIu64 " leader=%" PRIu64 "\n",
               raft->node_id, raft_role_name(raft->role), raft->term, raft->vote, raft->leader);
    buf_printf(out, "index commit=%" PRIu64 " applied=%" PRIu64 " persisted=%" PRIu64 "\n",
               raft->commit, raft->applied, raft->persisted);
    dump_log(&raft->log, out);
    if (raft->install_index > 0)
        buf_printf(out, "installing %" PRIu64 "/%" PRIu64 "\n", raft->install_index,
                   raft->install_term);
    if (raft->role != RAFT_LEADER) return;
    if (raft->read_count > 0)
        buf_printf(out, "reads waiting=%zu round=%" PRIu64 "\n", raft->read_count,
                   raft->read_round);
    for (size_t i = 0; i < raft->voter_count; i++)
        if (i != raft->self) dump_progress(&raft->progress[i], out);
}

static void dump_append(const struct raft_message *message, struct buf *out) {
    buf_printf(out, " after=%" PRIu64 "/%" PRIu64, message->log_index, message->log_term);
    if (message->entry_count > 0)
        buf_printf(out, " entries=%" PRIu64 "..%" PRIu64, message->first_index,
                   message->first_index + message->entry_count - 1);
    for (uint32_t i = 0; message->entries && i < message->entry_count; i++)
        buf_printf(out, "%s%" PRIu64, i == 0 ? " terms=" : ",", message->entries[i].term);
    buf_printf(out, " commit=%" PRIu64, message->commit);
}

static void dump_append_reply(const struct raft_message *message, struct buf *out) {
    buf_printf(out, " after=%" PRIu64, message->log_index);
    if (message->reject)
        buf_printf(out, " refused hint=%" PRIu64 "/%" PRIu64, message->hint_index,
                   message->hint_term);
    else
        buf_printf(out, " match=%" PRIu64, message->match_index);
    if (!message->reject && message->hint_index > 0)
        buf_printf(out, " installing=%" PRIu64, message->hint_index);
}

void raft_message_dump(const struct raft_message *message, struct buf *out) {
    buf_printf(out, "%" PRIu64 "->%" PRIu64 " %s term=%" PRIu64, message->from, message->to,
               raft_message_name(message->type), message->term);
    switch (message->type) {
    case RAFT_MESSAGE_PRE_VOTE:
    case RAFT_MESSAGE_VOTE:
    case RAFT_MESSAGE_SNAPSHOT:
        buf_printf(out, " last=%" PRIu64 "/%" PRIu64, message->log_index, message->log_term);
        break;
    case RAFT_MESSAGE_PRE_VOTE_REPLY:
    case RAFT_MESSAGE_VOTE_REPLY:
        buf_append_string(out, message->reject ? " refused" : " granted");
        break;
    case RAFT_MESSAGE_APPEND:
        dump_append(message, out);
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        dump_append_reply(message, out);
        break;
    case RAFT_MESSAGE_TIMEOUT_NOW:
    case RAFT_MESSAGE_COUNT:
        break;
    }
    if (message->read_round > 0) buf_printf(out, " round=%" PRIu64, message->read_round);
    buf_append_byte(out, '\n');
}
