/* Figure 2 of "In Search of an Understandable Consensus Algorithm", statement by statement, in its
 * order. What Cairn adds to it (pre-vote, stickiness, pipelining) is tested elsewhere; here a node
 * that times out is carried through its pre-votes by the fixture. */
#include "raft_fixture.h"

/* ---- State ---------------------------------------------------------------------------------- */

TEST("4.1", 6, current_term_starts_at_0_and_increases_only) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    assert_int_equal(0, raft_status(f.raft).term);
    assert_status(STATUS_OK, fixture_append(&f, 7, 0, 0, "", 0));
    assert_status(STATUS_OK, fixture_append(&f, 3, 0, 0, "", 0));
    assert_int_equal(7, raft_status(f.raft).term);
    fixture_free(&f);
}

TEST("4.1", 6, a_new_term_begins_without_a_vote) {
    struct fixture f = fixture_new(3, 4, 3, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 5, 0, 0, "", 0));
    assert_int_equal(0, raft_status(f.raft).vote);
    fixture_free(&f);
}

TEST("4.1", 0, term_and_vote_survive_a_restart) {
    struct fixture f = fixture_new(3, 4, 3, "", 0);
    assert_role(&f, RAFT_FOLLOWER, 4);
    assert_int_equal(3, raft_status(f.raft).vote);
    fixture_free(&f);
}

TEST("4.1", 0, the_first_index_is_1) {
    struct fixture f = fixture_new(1, 0, 0, "", 0);
    fixture_become_leader(&f);
    assert_int_equal(1, raft_status(f.raft).first_index);
    assert_int_equal(1, raft_status(f.raft).last_index);
    fixture_free(&f);
}

TEST("4.1", 0, a_vote_is_on_stable_storage_before_it_is_given) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    assert_status(STATUS_OK,
                  fixture_receive(
                      &f, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 3, .term = 1}));
    assert_true(f.update.hard_state_changed);
    assert_int_equal(1, f.update.hard_state.term);
    assert_int_equal(3, f.update.hard_state.vote);
    assert_true(fixture_find(&f, RAFT_MESSAGE_VOTE_REPLY, 3)->after_persist);
    fixture_free(&f);
}

TEST("4.1", 0, entries_are_on_stable_storage_before_they_are_acknowledged) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1 1", 0));
    assert_int_equal(1, f.update.persist_first);
    assert_int_equal(2, f.update.persist_last);
    const struct raft_outgoing *reply = fixture_find(&f, RAFT_MESSAGE_APPEND_REPLY, 2);
    assert_true(reply->after_persist);
    assert_int_equal(2, reply->message.match_index);
    fixture_free(&f);
}

TEST("4.1", 6, commit_and_applied_index_start_at_0_and_increase_only) {
    struct fixture f = fixture_new(3, 1, 0, "1 1 1", 0);
    assert_int_equal(0, raft_status(f.raft).commit);
    assert_int_equal(0, raft_status(f.raft).applied);
    assert_status(STATUS_OK, fixture_append(&f, 1, 3, 1, "", 2));
    fixture_applied(&f, 2);
    assert_status(STATUS_OK, fixture_append(&f, 1, 3, 1, "", 1));
    fixture_applied(&f, 1);
    assert_int_equal(2, raft_status(f.raft).commit);
    assert_int_equal(2, raft_status(f.raft).applied);
    fixture_free(&f);
}

TEST("4.1", 0, a_new_leader_begins_with_next_after_its_last_entry_and_match_0) {
    struct fixture f = fixture_new(3, 1, 0, "1 1 1", 0);
    fixture_become_leader(&f);
    struct raft_progress_view view[2];
    assert_int_equal(2, raft_progress(f.raft, view, 2));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(4, view[i].next); /* its no-op is the first entry to send */
        assert_int_equal(0, view[i].match);
    }
    fixture_free(&f);
}

/* ---- AppendEntries, receiver ---------------------------------------------------------------- */

TEST("4.2", 0, append_1_is_refused_if_its_term_is_older) {
    struct fixture f = fixture_new(3, 2, 0, "1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 1, 1, "1", 0));
    const struct raft_message *reply = fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2);
    assert_true(reply->reject);
    assert_int_equal(2, reply->term);
    assert_log(&f, "1");
    fixture_free(&f);
}

TEST("4.2", 3, append_2_is_refused_if_the_log_lacks_the_entry_before) {
    struct fixture f = fixture_new(3, 1, 0, "1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 2, 1, "1", 0));
    assert_true(fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->reject);
    assert_log(&f, "1");
    fixture_free(&f);
}

TEST("4.2", 3, append_2_is_refused_if_the_entry_before_is_of_another_term) {
    struct fixture f = fixture_new(3, 3, 0, "1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 3, 2, 2, "3", 0));
    assert_true(fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->reject);
    assert_log(&f, "1 1");
    fixture_free(&f);
}

TEST("4.2", 3, append_3_deletes_conflicting_entries_and_all_that_follow) {
    struct fixture f = fixture_new(3, 3, 0, "1 2 2 2", 0);
    assert_status(STATUS_OK, fixture_append(&f, 3, 1, 1, "3", 0));
    assert_log(&f, "1 3");
    assert_int_equal(2, f.update.persist_first);
    assert_int_equal(2, f.update.persist_last);
    fixture_free(&f);
}

TEST("4.2", 3, append_3_keeps_entries_that_follow_without_conflict) {
    struct fixture f = fixture_new(3, 1, 0, "1 1 1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1 1", 0));
    assert_log(&f, "1 1 1 1");
    fixture_free(&f);
}

TEST("4.2", 0, append_4_adds_only_entries_that_are_not_there) {
    struct fixture f = fixture_new(3, 2, 0, "1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 2, 0, 0, "1 1 2 2", 0));
    assert_log(&f, "1 1 2 2");
    assert_int_equal(3, raft_stored(f.raft).first);
    assert_int_equal(4, raft_stored(f.raft).last);
    fixture_free(&f);
}

TEST("4.2", 0, append_5_commits_up_to_the_leaders_commit_index) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1 1 1", 2));
    assert_int_equal(2, raft_status(f.raft).commit);
    fixture_free(&f);
}

TEST("4.2", 5, append_5_commits_no_further_than_the_last_new_entry) {
    struct fixture f = fixture_new(3, 1, 0, "1 1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1", 3)); /* 2 and 3 are not confirmed */
    assert_int_equal(1, raft_status(f.raft).commit);
    fixture_free(&f);
}

/* ---- RequestVote, receiver ------------------------------------------------------------------ */

static bool votes_for(struct fixture *f, uint64_t from, uint64_t term, uint64_t log_index,
                      uint64_t log_term) {
    fixture_clear(f);
    assert_status(STATUS_OK, fixture_receive(f, (struct raft_message){.type = RAFT_MESSAGE_VOTE,
                                                                      .from = from,
                                                                      .term = term,
                                                                      .log_index = log_index,
                                                                      .log_term = log_term}));
    return !fixture_sent(f, RAFT_MESSAGE_VOTE_REPLY, from)->reject;
}

TEST("4.3", 0, vote_1_is_refused_if_its_term_is_older) {
    struct fixture f = fixture_new(3, 2, 0, "", 0);
    assert_false(votes_for(&f, 2, 1, 9, 1));
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_VOTE_REPLY, 2)->term);
    fixture_free(&f);
}

TEST("4.3", 1, vote_2_goes_to_one_candidate_a_term) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_true(votes_for(&f, 2, 1, 0, 0));
    assert_false(votes_for(&f, 3, 1, 0, 0));
    assert_true(votes_for(&f, 2, 1, 0, 0));
    fixture_free(&f);
}

TEST("4.3", 1, vote_2_is_remembered_over_a_restart) {
    struct fixture f = fixture_new(3, 1, 2, "", 0);
    assert_false(votes_for(&f, 3, 1, 0, 0));
    assert_true(votes_for(&f, 2, 1, 0, 0));
    fixture_free(&f);
}

TEST("4.3", 4, vote_2_is_refused_if_the_candidates_last_term_is_older) {
    struct fixture f = fixture_new(3, 2, 0, "2", 0);
    assert_false(votes_for(&f, 2, 3, 5, 1));
    fixture_free(&f);
}

TEST("4.3", 4, vote_2_is_refused_if_the_candidates_log_is_shorter_in_the_same_term) {
    struct fixture f = fixture_new(3, 2, 0, "2 2", 0);
    assert_false(votes_for(&f, 2, 3, 1, 2));
    fixture_free(&f);
}

TEST("4.3", 4, vote_2_is_granted_to_a_log_as_up_to_date_and_to_a_newer_one) {
    struct fixture f = fixture_new(3, 2, 0, "1 2", 0);
    assert_true(votes_for(&f, 2, 3, 2, 2));
    assert_true(votes_for(&f, 3, 4, 1, 3)); /* shorter, but its last term is newer */
    fixture_free(&f);
}

/* ---- Rules for all servers ------------------------------------------------------------------ */

TEST("4.4", 0, all_what_is_committed_is_to_be_applied) {
    struct fixture f = fixture_new(3, 1, 0, "1 1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 3, 1, "", 2));
    fixture_finish(&f);
    assert_int_equal(2, f.update.commit);
    fixture_free(&f);
}

TEST("4.4", 6, all_take_over_a_newer_term_from_a_request_and_follow) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_become_candidate(&f);
    assert_role(&f, RAFT_CANDIDATE, 2);
    assert_status(STATUS_OK,
                  fixture_receive(
                      &f, (struct raft_message){.type = RAFT_MESSAGE_VOTE, .from = 3, .term = 9}));
    assert_role(&f, RAFT_FOLLOWER, 9);
    fixture_free(&f);
}

TEST("4.4", 6, all_take_over_a_newer_term_from_a_response_and_follow) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_become_leader(&f);
    struct raft_message reply = {
        .type = RAFT_MESSAGE_APPEND_REPLY, .from = 2, .term = 9, .reject = true};
    assert_status(STATUS_OK, fixture_receive(&f, reply));
    assert_role(&f, RAFT_FOLLOWER, 9);
    assert_true(f.update.hard_state_changed);
    fixture_free(&f);
}

/* ---- Followers ------------------------------------------------------------------------------ */

TEST("4.5", 0, followers_answer_candidates_and_leaders) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_true(votes_for(&f, 2, 1, 0, 0));
    fixture_clear(&f);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "", 0));
    assert_false(fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->reject);
    fixture_free(&f);
}

TEST("4.5", 0, followers_stand_after_an_election_timeout_without_a_leader) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_pass(&f, 249 * MS); /* the least timeout is 250 ms */
    assert_role(&f, RAFT_FOLLOWER, 1);
    fixture_pass(&f, 251 * MS); /* the greatest 500 ms */
    assert_role(&f, RAFT_PRE_CANDIDATE, 1);
    fixture_free(&f);
}

TEST("4.5", 0, followers_do_not_stand_while_appends_come) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    for (int i = 0; i < 20; i++) {
        fixture_pass(&f, 200 * MS);
        assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "", 0));
    }
    assert_role(&f, RAFT_FOLLOWER, 1);
    fixture_free(&f);
}

TEST("4.5", 0, followers_that_gave_a_vote_wait_for_another_timeout) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    for (uint64_t term = 2; term < 20; term++) {
        fixture_pass(&f, 200 * MS);
        assert_true(votes_for(&f, 2, term, 0, 0));
    }
    assert_int_equal(RAFT_FOLLOWER, raft_status(f.raft).role);
    fixture_free(&f);
}

/* ---- Candidates ----------------------------------------------------------------------------- */

TEST("4.6", 0, candidates_raise_the_term_vote_for_themselves_and_ask_all_others) {
    struct fixture f = fixture_new(5, 3, 0, "1 3", 0);
    fixture_become_candidate(&f);
    assert_role(&f, RAFT_CANDIDATE, 4);
    assert_int_equal(1, raft_status(f.raft).vote);
    assert_true(f.update.hard_state_changed);
    for (uint64_t to = 2; to <= 5; to++) {
        const struct raft_message *vote = fixture_sent(&f, RAFT_MESSAGE_VOTE, to);
        assert_int_equal(4, vote->term);
        assert_int_equal(2, vote->log_index);
        assert_int_equal(3, vote->log_term);
    }
    fixture_free(&f);
}

TEST("4.6", 0, candidates_ask_only_when_their_own_vote_is_durable) {
    struct fixture f = fixture_new(3, 3, 0, "", 0);
    fixture_become_candidate(&f);
    assert_true(fixture_find(&f, RAFT_MESSAGE_VOTE, 2)->after_persist);
    fixture_free(&f);
}

TEST("4.6", 0, candidates_reset_the_election_timer) {
    struct fixture f = fixture_new(3, 3, 0, "", 0);
    fixture_become_candidate(&f);
    fixture_finish(&f);
    assert_true(f.update.deadline_ns >= f.now_ns + 250 * MS);
    assert_true(f.update.deadline_ns < f.now_ns + 500 * MS);
    fixture_free(&f);
}

static void vote_reply(struct fixture *f, uint64_t from, bool reject) {
    assert_status(STATUS_OK,
                  fixture_receive(f, (struct raft_message){.type = RAFT_MESSAGE_VOTE_REPLY,
                                                           .from = from,
                                                           .term = raft_status(f->raft).term,
                                                           .reject = reject}));
}

TEST("4.6", 1, candidates_lead_with_the_votes_of_a_majority) {
    struct fixture f = fixture_new(5, 0, 0, "", 0);
    fixture_become_candidate(&f);
    vote_reply(&f, 2, false);
    assert_role(&f, RAFT_CANDIDATE, 1);
    vote_reply(&f, 2, false); /* a duplicate is no second vote */
    assert_role(&f, RAFT_CANDIDATE, 1);
    vote_reply(&f, 3, false);
    assert_role(&f, RAFT_LEADER, 1);
    fixture_free(&f);
}

TEST("4.6", 1, candidates_do_not_count_votes_of_an_older_term) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_become_candidate(&f);
    struct raft_message late = {.type = RAFT_MESSAGE_VOTE_REPLY, .from = 2, .term = 1};
    assert_status(STATUS_OK, fixture_receive(&f, late));
    assert_role(&f, RAFT_CANDIDATE, 2);
    fixture_free(&f);
}

TEST("4.6", 0, candidates_follow_a_leader_of_their_term) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_become_candidate(&f);
    assert_status(STATUS_OK, fixture_append(&f, 2, 0, 0, "", 0));
    assert_role(&f, RAFT_FOLLOWER, 2);
    assert_int_equal(2, raft_status(f.raft).leader);
    fixture_free(&f);
}

TEST("4.6", 0, candidates_start_over_when_an_election_times_out) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    fixture_become_candidate(&f);
    fixture_become_candidate(&f);
    assert_role(&f, RAFT_CANDIDATE, 3);
    fixture_free(&f);
}

/* ---- Leaders -------------------------------------------------------------------------------- */

TEST("4.7", 0, leaders_send_appends_to_all_upon_election) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    assert_non_null(fixture_find(&f, RAFT_MESSAGE_APPEND, 2));
    assert_non_null(fixture_find(&f, RAFT_MESSAGE_APPEND, 3));
    fixture_free(&f);
}

TEST("4.7", 0, leaders_repeat_heartbeats_while_idle) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    fixture_pass(&f, 49 * MS);
    fixture_finish(&f);
    assert_int_equal(0, fixture_count(&f, RAFT_MESSAGE_APPEND));
    fixture_pass(&f, 1 * MS);
    fixture_finish(&f);
    assert_int_equal(0, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->entry_count);
    assert_int_equal(0, fixture_sent(&f, RAFT_MESSAGE_APPEND, 3)->entry_count);
    fixture_free(&f);
}

TEST("4.7", 2, leaders_append_what_clients_propose_to_their_own_log) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 2));
    assert_log(&f, "1 1 1");
    assert_int_equal(2, f.update.persist_first);
    assert_int_equal(3, f.update.persist_last);
    fixture_free(&f);
}

TEST("4.7", 0, only_leaders_take_proposals) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    assert_status(STATUS_NOT_LEADER, fixture_propose(&f, 1));
    assert_log(&f, "");
    fixture_free(&f);
}

TEST("4.7", 0, leaders_send_each_follower_the_entries_from_its_next_index_on) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 2));
    fixture_finish(&f);
    const struct raft_message *append = fixture_sent(&f, RAFT_MESSAGE_APPEND, 3);
    assert_int_equal(1, append->log_index);
    assert_int_equal(1, append->log_term);
    assert_int_equal(2, append->first_index);
    assert_int_equal(2, append->entry_count);
    fixture_free(&f);
}

TEST("4.7", 0, leaders_advance_next_and_match_when_a_follower_accepts) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 2));
    fixture_finish(&f);
    fixture_accept(&f, 2, 3);
    struct raft_progress_view view[2];
    assert_int_equal(2, raft_progress(f.raft, view, 2));
    assert_int_equal(3, view[0].match);
    assert_int_equal(4, view[0].next);
    fixture_free(&f);
}

TEST("4.7", 3, leaders_go_back_and_retry_when_a_follower_refuses) {
    struct fixture f = fixture_new(3, 5, 0, "1 1 4 4", 0);
    fixture_become_leader(&f);
    fixture_clear(&f);
    fixture_refuse(&f, 2, 4, 2, 1); /* its log ends at 2, in term 1 */
    fixture_finish(&f);
    const struct raft_message *append = fixture_sent(&f, RAFT_MESSAGE_APPEND, 2);
    assert_int_equal(2, append->log_index);
    assert_int_equal(1, append->log_term);
    assert_int_equal(3, append->entry_count);
    fixture_free(&f);
}

TEST("4.7", 4, leaders_commit_what_a_majority_has_in_their_term) {
    struct fixture f = fixture_new(5, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 2));
    fixture_persisted(&f);
    fixture_finish(&f);
    fixture_accept(&f, 2, 3);
    assert_int_equal(1, raft_status(f.raft).commit);
    fixture_accept(&f, 3, 2);
    assert_int_equal(2, raft_status(f.raft).commit);
    fixture_accept(&f, 4, 3);
    assert_int_equal(3, raft_status(f.raft).commit);
    fixture_free(&f);
}

/* Figure 8 of the paper: (c) replicated by a majority is not enough, (e) an own entry is. */
TEST("4.7", 4, leaders_do_not_commit_an_entry_of_an_older_term_by_counting) {
    struct fixture f = fixture_new(3, 3, 0, "1 2", 0);
    fixture_become_leader(&f); /* term 4; its no-op is entry 3 */
    fixture_persisted(&f);
    fixture_accept(&f, 2, 2);
    assert_int_equal(0, raft_status(f.raft).commit);
    fixture_accept(&f, 2, 3);
    assert_int_equal(3, raft_status(f.raft).commit);
    fixture_free(&f);
}
