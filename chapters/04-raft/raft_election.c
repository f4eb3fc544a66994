/* raft_election.c - who leads: timeouts, pre-vote, votes, check-quorum (Raft 5.2, 5.4.1; Thesis
 * 4.2.3, 6.2, 9.6). Everything that changes role, term or vote happens here.
 *
 *                    timeout                majority would          majority
 *   FOLLOWER ---------------> PRE_CANDIDATE ---------> CANDIDATE ----------> LEADER
 *      ^                        |    timeout: again       |                    |
 *      +------------------------+-------------------------+--------------------+
 *        a newer term, a leader of this term, a majority refused, no majority heard from
 *
 * Pre-vote keeps a node that cannot win from raising the term of those it disturbs. Stickiness
 * keeps a working leader: who heard from one within the election timeout gives no vote of either
 * kind and takes over no term from a VOTE. Check-quorum is the other half: a leader that no
 * majority answers stands down, so that stickiness cannot hold on to a leader that nobody hears. */
#include <assert.h>

#include "raft_internal.h"

void raft_set_hard_state(struct raft *raft, uint64_t term, uint64_t vote,
                         struct raft_update *update) {
    assert(term >= raft->term);
    assert(term > raft->term || raft->vote == 0 || raft->vote == vote); /* one vote a term */
    raft->term = term;
    raft->vote = vote;
    update->hard_state_changed = true;
    update->hard_state = (struct raft_hard_state){term, vote};
}

/* Randomized in [t, 2t), so that rarely two nodes stand at once (Raft 5.2). */
void raft_reset_election_deadline(struct raft *raft) {
    raft->election_deadline_ns = raft->now_ns + raft->election_timeout_ns +
                                 prng_below(&raft->prng, raft->election_timeout_ns);
}

bool raft_leader_is_alive(const struct raft *raft) {
    if (raft->role == RAFT_LEADER) return true; /* check-quorum sees to it */
    return raft->leader != 0 && raft->now_ns < raft->leader_heard_ns + raft->election_timeout_ns;
}

/* ---- changes of role ------------------------------------------------------------------------ */

void raft_become_follower(struct raft *raft, uint64_t term, uint64_t leader,
                          struct raft_update *update) {
    if (term > raft->term) raft_set_hard_state(raft, term, 0, update);
    if (raft->role == RAFT_LEADER) raft_fail_reads(raft, update);
    if (raft->role != RAFT_FOLLOWER) raft_reset_election_deadline(raft);
    raft->role = RAFT_FOLLOWER;
    raft->leader = leader;
}

enum status raft_follow(struct raft *raft, uint64_t leader, struct raft_update *update) {
    if (raft->role == RAFT_LEADER) return STATUS_INVALID;
    if (raft->leader != 0 && raft->leader != leader) return STATUS_INVALID;
    raft_become_follower(raft, raft->term, leader, update);
    raft->leader_heard_ns = raft->now_ns;
    raft_reset_election_deadline(raft);
    return STATUS_OK;
}

static void become_leader(struct raft *raft, struct raft_update *update) {
    raft->role = RAFT_LEADER;
    raft->leader = raft->node_id;
    raft->read_round = 0;
    for (size_t i = 0; i < raft->voter_count; i++) {
        if (i == raft->self) continue;
        progress_reset(&raft->progress[i], raft_log_last(&raft->log) + 1, raft->now_ns);
    }
    /* A leader learns what is committed only by committing an entry of its own term (Raft 8). */
    struct raft_entry noop = {.term = raft->term, .type = RAFT_ENTRY_NOOP};
    raft_store(raft, &noop, update);
    raft->noop_index = raft_log_last(&raft->log);
}

static void ask_for_votes(struct raft *raft, enum raft_message_type type, uint64_t term,
                          bool after_persist, struct raft_update *update) {
    for (size_t i = 0; i < raft->voter_count; i++) {
        raft->votes[i] = i == raft->self ? RAFT_VOTE_GRANTED : RAFT_VOTE_MISSING;
        if (i == raft->self) continue;
        struct raft_message *message =
            raft_post(raft, update, type, raft->voters[i], after_persist);
        message->term = term;
        message->log_index = raft_log_last(&raft->log);
        message->log_term = raft_log_last_term(&raft->log);
    }
}

/* Figure 2, candidates: raise the term, vote for oneself, ask the others. They are asked only when
 * the own vote is durable, so that the answers find it counted rightly. */
static void stand(struct raft *raft, struct raft_update *update) {
    raft->role = RAFT_CANDIDATE;
    raft->leader = 0;
    raft_set_hard_state(raft, raft->term + 1, raft->node_id, update);
    raft_reset_election_deadline(raft);
    ask_for_votes(raft, RAFT_MESSAGE_VOTE, raft->term, true, update);
    if (raft->voter_count == 1) become_leader(raft, update);
}

static void stand_if_others_would_vote(struct raft *raft, struct raft_update *update) {
    raft->role = RAFT_PRE_CANDIDATE;
    raft->leader = 0;
    raft_reset_election_deadline(raft);
    ask_for_votes(raft, RAFT_MESSAGE_PRE_VOTE, raft->term + 1, false, update);
    if (raft->voter_count == 1) stand(raft, update);
}

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t raft_quorum_deadline(const struct raft *raft) {
    uint64_t heard_ns[RAFT_MAX_VOTERS];
    for (size_t i = 0; i < raft->voter_count; i++)
        heard_ns[i] = i == raft->self ? raft->now_ns : raft->progress[i].heard_ns;
    return raft_quorum_reached(heard_ns, raft->voter_count) + raft->election_timeout_ns;
}

enum status raft_on_tick(struct raft *raft, const struct raft_event *event,
                         struct raft_update *update) {
    (void)event;
    if (raft->role == RAFT_LEADER) {
        if (raft->now_ns >= raft_quorum_deadline(raft))
            raft_become_follower(raft, raft->term, 0, update);
    } else if (raft->now_ns >= raft->election_deadline_ns) {
        /* The log is about to be replaced by a snapshot: nothing to stand on. */
        if (raft->install_index > 0)
            raft_reset_election_deadline(raft);
        else
            stand_if_others_would_vote(raft, update);
    }
    return STATUS_OK;
}

/* ---- pre-vote: a question that changes nothing ---------------------------------------------- */

/* The message's term is the one in which the sender would stand; a grant repeats it, a refusal
 * carries our own, from which a sender that is behind learns. */
enum status raft_on_pre_vote(struct raft *raft, const struct raft_message *message,
                             struct raft_update *update) {
    bool grant = message->term > raft->term && !raft_leader_is_alive(raft) &&
                 raft_log_up_to_date(&raft->log, message->log_index, message->log_term);
    struct raft_message *reply =
        raft_post(raft, update, RAFT_MESSAGE_PRE_VOTE_REPLY, message->from, false);
    reply->reject = !grant;
    if (grant) reply->term = message->term;
    return STATUS_OK;
}

static enum raft_election tally(struct raft *raft, const struct raft_message *message) {
    for (size_t i = 0; i < raft->voter_count; i++) {
        if (raft->voters[i] != message->from) continue;
        /* The first answer of a voter counts: a duplicate says the same. */
        if (raft->votes[i] == RAFT_VOTE_MISSING)
            raft->votes[i] = message->reject ? RAFT_VOTE_REFUSED : RAFT_VOTE_GRANTED;
    }
    return raft_quorum_votes(raft->votes, raft->voter_count);
}

enum status raft_on_pre_vote_reply(struct raft *raft, const struct raft_message *message,
                                   struct raft_update *update) {
    if (raft->role != RAFT_PRE_CANDIDATE) return STATUS_OK;
    /* A grant is of the election that we asked about, or it is late. */
    if (!message->reject && message->term != raft->term + 1) return STATUS_OK;
    switch (tally(raft, message)) {
    case RAFT_ELECTION_WON:
        stand(raft, update);
        break;
    case RAFT_ELECTION_LOST:
        raft_become_follower(raft, raft->term, 0, update);
        break;
    case RAFT_ELECTION_OPEN:
        break;
    }
    return STATUS_OK;
}

/* ---- votes ---------------------------------------------------------------------------------- */

/* Figure 2, RequestVote: the term equals ours, or is older, by now. */
enum status raft_on_vote(struct raft *raft, const struct raft_message *message,
                         struct raft_update *update) {
    bool free_to_vote = raft->vote == message->from || (raft->vote == 0 && raft->leader == 0);
    bool grant = message->term == raft->term && free_to_vote &&
                 raft_log_up_to_date(&raft->log, message->log_index, message->log_term);
    if (grant) {
        if (raft->vote == 0) raft_set_hard_state(raft, raft->term, message->from, update);
        raft_reset_election_deadline(raft);
    }
    struct raft_message *reply =
        raft_post(raft, update, RAFT_MESSAGE_VOTE_REPLY, message->from, true);
    reply->reject = !grant;
    return STATUS_OK;
}

enum status raft_on_vote_reply(struct raft *raft, const struct raft_message *message,
                               struct raft_update *update) {
    if (raft->role != RAFT_CANDIDATE) return STATUS_OK;
    switch (tally(raft, message)) {
    case RAFT_ELECTION_WON:
        become_leader(raft, update);
        break;
    case RAFT_ELECTION_LOST:
        raft_become_follower(raft, raft->term, 0, update);
        break;
    case RAFT_ELECTION_OPEN:
        break;
    }
    return STATUS_OK;
}
