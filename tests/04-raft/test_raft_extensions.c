/* What Cairn's core does beyond Figure 2: pre-vote, stickiness, check-quorum, what may be claimed
 * before it is durable, pipelining, linearizable reads, snapshots, refusal of nonsense. */
#include "raft_fixture.h"

/* ---- pre-vote and stickiness (Thesis 4.2.3, 9.6) -------------------------------------------- */

static bool would_vote(struct fixture *f, uint64_t from, uint64_t term, uint64_t log_index,
                       uint64_t log_term) {
    fixture_clear(f);
    assert_status(STATUS_OK, fixture_receive(f, (struct raft_message){.type = RAFT_MESSAGE_PRE_VOTE,
                                                                      .from = from,
                                                                      .term = term,
                                                                      .log_index = log_index,
                                                                      .log_term = log_term}));
    const struct raft_message *reply = fixture_sent(f, RAFT_MESSAGE_PRE_VOTE_REPLY, from);
    assert_int_equal(reply->reject ? raft_status(f->raft).term : term, reply->term);
    return !reply->reject;
}

TEST("5", 0, a_pre_vote_changes_nothing_at_either_side) {
    struct fixture f = fixture_new(3, 4, 0, "", 0);
    assert_true(would_vote(&f, 2, 5, 0, 0));
    assert_true(would_vote(&f, 3, 5, 0, 0)); /* it may be given to several */
    fixture_time_out(&f);
    assert_role(&f, RAFT_PRE_CANDIDATE, 4);
    assert_int_equal(0, raft_status(f.raft).vote);
    assert_false(f.update.hard_state_changed);
    fixture_free(&f);
}

TEST("5", 0, a_pre_vote_asks_for_the_next_term) {
    struct fixture f = fixture_new(3, 4, 0, "1 3", 0);
    fixture_time_out(&f);
    const struct raft_message *ask = fixture_sent(&f, RAFT_MESSAGE_PRE_VOTE, 3);
    assert_int_equal(5, ask->term);
    assert_int_equal(2, ask->log_index);
    assert_int_equal(3, ask->log_term);
    fixture_free(&f);
}

TEST("5", 0, a_node_without_pre_votes_never_raises_its_term) {
    struct fixture f = fixture_new(3, 4, 0, "", 0);
    for (int i = 0; i < 20; i++)
        fixture_time_out(&f);
    assert_role(&f, RAFT_PRE_CANDIDATE, 4);
    fixture_free(&f);
}

TEST("5", 0, a_pre_vote_is_refused_to_a_log_that_is_behind) {
    struct fixture f = fixture_new(3, 2, 0, "2 2", 0);
    assert_false(would_vote(&f, 2, 3, 1, 2));
    fixture_free(&f);
}

TEST("5", 0, a_pre_candidate_that_is_behind_learns_the_term_from_a_refusal) {
    struct fixture f = fixture_new(3, 2, 0, "", 0);
    fixture_time_out(&f);
    struct raft_message refusal = {
        .type = RAFT_MESSAGE_PRE_VOTE_REPLY, .from = 2, .term = 7, .reject = true};
    assert_status(STATUS_OK, fixture_receive(&f, refusal));
    assert_role(&f, RAFT_FOLLOWER, 7);
    fixture_free(&f);
}

TEST("5", 0, who_hears_from_a_leader_refuses_pre_votes) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "", 0));
    f.now_ns += 249 * MS;
    assert_false(would_vote(&f, 3, 2, 0, 0));
    f.now_ns += 1 * MS;
    assert_true(would_vote(&f, 3, 2, 0, 0));
    fixture_free(&f);
}

TEST("5", 0, who_hears_from_a_leader_does_not_take_over_a_term_from_a_vote) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "", 0));
    fixture_clear(&f);
    struct raft_message vote = {.type = RAFT_MESSAGE_VOTE, .from = 3, .term = 9};
    assert_status(STATUS_OK, fixture_receive(&f, vote));
    assert_role(&f, RAFT_FOLLOWER, 1);
    assert_int_equal(0, f.update.message_count);
    fixture_free(&f);
}

TEST("5", 0, a_leader_with_a_majority_is_not_disturbed) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_false(would_vote(&f, 3, 2, 5, 1));
    assert_role(&f, RAFT_LEADER, 1);
    fixture_free(&f);
}

/* ---- check-quorum (Thesis 6.2) -------------------------------------------------------------- */

TEST("5", 0, a_leader_that_hears_from_no_majority_stands_down) {
    struct fixture f = fixture_new(5, 0, 0, "", 0);
    fixture_become_ready(&f);
    fixture_pass(&f, 100 * MS);
    fixture_accept(&f, 2, 1); /* two of five: one other is not enough */
    fixture_pass(&f, 149 * MS);
    assert_role(&f, RAFT_LEADER, 1);
    fixture_pass(&f, 1 * MS);
    assert_role(&f, RAFT_FOLLOWER, 1);
    assert_int_equal(0, raft_status(f.raft).leader);
    fixture_free(&f);
}

TEST("5", 0, a_leader_that_hears_from_a_majority_stays) {
    struct fixture f = fixture_new(5, 0, 0, "", 0);
    fixture_become_ready(&f);
    for (int i = 0; i < 20; i++) {
        fixture_pass(&f, 200 * MS);
        fixture_accept(&f, 2, 1);
        fixture_accept(&f, 5, 1);
    }
    assert_role(&f, RAFT_LEADER, 1);
    fixture_free(&f);
}

TEST("5", 0, a_single_voter_leads_at_once_and_stays) {
    struct fixture f = fixture_new(1, 0, 0, "", 0);
    fixture_time_out(&f);
    assert_role(&f, RAFT_LEADER, 1);
    for (int i = 0; i < 20; i++)
        fixture_pass(&f, 200 * MS);
    assert_role(&f, RAFT_LEADER, 1);
    fixture_free(&f);
}

/* ---- what is durable (Thesis 10.2.1) -------------------------------------------------------- */

TEST("6", 5, a_leader_counts_itself_only_when_its_entries_are_durable) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    fixture_accept(&f, 2, 1);
    assert_int_equal(0, raft_status(f.raft).commit);
    fixture_persisted(&f);
    assert_int_equal(1, raft_status(f.raft).commit);
    fixture_free(&f);
}

TEST("6", 5, a_majority_of_followers_commits_without_the_leaders_disk) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    fixture_accept(&f, 2, 1);
    fixture_accept(&f, 3, 1);
    assert_int_equal(1, raft_status(f.raft).commit);
    fixture_finish(&f);
    assert_int_equal(0, f.update.commit); /* but it is applied only when it is durable here */
    fixture_persisted(&f);
    fixture_finish(&f);
    assert_int_equal(1, f.update.commit);
    fixture_free(&f);
}

TEST("6", 0, a_leader_sends_entries_while_its_own_disk_writes_them) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_finish(&f);
    assert_false(fixture_find(&f, RAFT_MESSAGE_APPEND, 2)->after_persist);
    fixture_free(&f);
}

TEST("6", 5, a_duplicate_of_entries_that_are_being_written_claims_only_what_is_durable) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1 1", 0));
    fixture_persisted(&f);
    assert_status(STATUS_OK, fixture_append(&f, 1, 2, 1, "1 1", 0));
    fixture_finish(&f);
    fixture_clear(&f); /* 3 and 4 are on their way to the disk */
    assert_status(STATUS_OK, fixture_append(&f, 1, 2, 1, "1 1", 0));
    const struct raft_outgoing *reply = fixture_find(&f, RAFT_MESSAGE_APPEND_REPLY, 2);
    assert_false(reply->after_persist);
    assert_int_equal(2, reply->message.match_index);
    fixture_free(&f);
}

TEST("6", 5, an_answer_waits_for_the_disk_while_the_term_may_not_be_durable) {
    struct fixture f = fixture_new(3, 1, 0, "1 1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 2, 2, 1, "", 0));
    assert_true(fixture_find(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->after_persist);
    fixture_free(&f);
}

static void persisted(struct fixture *f, uint64_t index, uint64_t term) {
    assert_status(STATUS_OK, fixture_event(f, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                                                  .index = index,
                                                                  .term = term}));
}

TEST("6", 5, a_report_of_an_entry_that_was_replaced_is_ignored) {
    struct fixture f = fixture_new(3, 1, 0, "1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 1, 1, "1 1", 0));
    assert_status(STATUS_OK, fixture_append(&f, 2, 1, 1, "2 2", 0));
    persisted(&f, 3, 1);
    assert_int_equal(1, raft_status(f.raft).persisted);
    persisted(&f, 3, 2);
    assert_int_equal(3, raft_status(f.raft).persisted);
    fixture_free(&f);
}

/* Entries 2 and 3 of term 1 are cut by the leader of term 2 and restored by that of term 3; the
 * report of their first writing says nothing of the second. */
TEST("6", 5, a_report_of_an_entry_that_was_replaced_and_restored_is_ignored) {
    struct fixture f = fixture_new(3, 1, 0, "1", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 1, 1, "1 1", 0));
    assert_status(STATUS_OK, fixture_append(&f, 2, 1, 1, "2", 0));
    struct raft_entry entries[3] = {{.term = 1}, {.term = 1}, {.term = 3}};
    struct raft_message restore = {.type = RAFT_MESSAGE_APPEND,
                                   .from = 3,
                                   .term = 3,
                                   .log_index = 1,
                                   .log_term = 1,
                                   .first_index = 2,
                                   .entries = entries,
                                   .entry_count = 3};
    assert_status(STATUS_OK, fixture_receive(&f, restore));
    assert_log(&f, "1 1 1 3");
    persisted(&f, 3, 1); /* of the first writing */
    assert_int_equal(1, raft_status(f.raft).persisted);
    persisted(&f, 4, 3);
    assert_int_equal(4, raft_status(f.raft).persisted);
    fixture_free(&f);
}

/* ---- replication (Thesis 10.2) -------------------------------------------------------------- */

TEST("7", 0, all_proposals_of_a_turn_leave_as_one_append) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    for (int i = 0; i < 5; i++)
        assert_status(STATUS_OK, fixture_propose(&f, 2));
    fixture_finish(&f);
    assert_int_equal(10, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->entry_count);
    fixture_free(&f);
}

TEST("7", 0, appends_follow_each_other_without_waiting_for_answers) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    for (uint64_t i = 0; i < 5; i++) {
        fixture_clear(&f);
        assert_status(STATUS_OK, fixture_propose(&f, 1));
        fixture_finish(&f);
        assert_int_equal(2 + i, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->first_index);
    }
    fixture_free(&f);
}

TEST("7", 0, answers_of_a_turn_become_one) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    assert_status(STATUS_OK, fixture_append(&f, 1, 0, 0, "1", 0));
    assert_status(STATUS_OK, fixture_append(&f, 1, 1, 1, "1 1", 0));
    assert_int_equal(3, fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->match_index);
    fixture_free(&f);
}

TEST("7", 0, an_append_counts_as_a_heartbeat) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    fixture_pass(&f, 40 * MS);
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_finish(&f);
    fixture_clear(&f);
    fixture_pass(&f, 40 * MS);
    fixture_finish(&f);
    assert_int_equal(0, fixture_count(&f, RAFT_MESSAGE_APPEND));
    fixture_free(&f);
}

TEST("7", 0, a_commit_index_travels_with_the_next_append) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_finish(&f);
    fixture_persisted(&f);
    fixture_accept(&f, 2, 2);
    fixture_clear(&f);
    fixture_finish(&f);
    assert_int_equal(0, fixture_count(&f, RAFT_MESSAGE_APPEND)); /* no message of its own yet */
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_finish(&f);
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->commit);
    fixture_free(&f);
}

TEST("7", 0, a_commit_index_that_nothing_carries_is_sent_alone_soon) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_finish(&f);
    fixture_persisted(&f);
    fixture_accept(&f, 2, 2);
    fixture_clear(&f);
    fixture_finish(&f);
    assert_true(f.update.deadline_ns <= f.now_ns + 10 * MS);
    fixture_pass(&f, f.update.deadline_ns - f.now_ns);
    fixture_finish(&f);
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->commit);
    fixture_free(&f);
}

TEST("7", 3, a_lost_append_is_found_by_the_next_heartbeat) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 2));
    fixture_finish(&f); /* entries 2 and 3 are lost on their way to node 2 */
    fixture_clear(&f);
    fixture_pass(&f, 50 * MS);
    fixture_finish(&f);
    assert_int_equal(3, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->log_index);
    fixture_clear(&f);
    fixture_refuse(&f, 2, 3, 1, 1);
    fixture_finish(&f);
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->first_index);
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->entry_count);
    fixture_free(&f);
}

TEST("7", 0, an_append_holds_no_more_bytes_than_allowed_but_at_least_one_entry) {
    uint64_t ids[] = {1, 2, 3};
    struct raft_options options = {.node_id = 1,
                                   .voters = ids,
                                   .voter_count = 3,
                                   .now_ns = 1000 * MS,
                                   .max_append_bytes = 100};
    struct fixture f = fixture_from(&options);
    fixture_become_ready(&f);
    struct raft_entry large[2] = {{.type = RAFT_ENTRY_NORMAL, .size_bytes = 5000},
                                  {.type = RAFT_ENTRY_NORMAL, .size_bytes = 5}};
    assert_status(STATUS_OK, fixture_event(&f, (struct raft_event){.type = RAFT_EVENT_PROPOSE,
                                                                   .propose = {large, 2}}));
    fixture_finish(&f);
    assert_int_equal(4, fixture_count(&f, RAFT_MESSAGE_APPEND)); /* two for each follower */
    fixture_free(&f);
}

/* ---- linearizable reads (Thesis 6.4) -------------------------------------------------------- */

static void echo(struct fixture *f, uint64_t from, uint64_t round) {
    assert_status(STATUS_OK,
                  fixture_receive(f, (struct raft_message){.type = RAFT_MESSAGE_APPEND_REPLY,
                                                           .from = from,
                                                           .term = raft_status(f->raft).term,
                                                           .log_index = 1,
                                                           .read_round = round}));
}

TEST("8", 0, one_round_serves_all_reads_of_a_turn) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    for (uint64_t id = 1; id <= 3; id++)
        assert_status(STATUS_OK, fixture_read(&f, id));
    fixture_finish(&f);
    assert_int_equal(1, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->read_round);
    assert_int_equal(0, f.update.read_count);
    echo(&f, 3, 1);
    assert_int_equal(3, f.update.read_count);
    assert_int_equal(1, f.update.reads[0].index);
    fixture_free(&f);
}

TEST("8", 0, a_read_is_not_released_by_an_echo_of_an_earlier_round) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_read(&f, 1));
    fixture_finish(&f);
    assert_status(STATUS_OK, fixture_read(&f, 2));
    fixture_finish(&f);
    echo(&f, 3, 1);
    assert_int_equal(1, f.update.read_count);
    assert_int_equal(1, f.update.reads[0].read_id);
    fixture_free(&f);
}

TEST("8", 0, a_read_waits_until_the_leader_has_committed_in_its_term) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    assert_status(STATUS_OK, fixture_read(&f, 1));
    fixture_clear(&f);
    fixture_finish(&f);
    assert_int_equal(0, fixture_count(&f, RAFT_MESSAGE_APPEND)); /* no round begins */
    fixture_persisted(&f);
    fixture_accept(&f, 2, 1);
    fixture_finish(&f);
    assert_int_equal(1, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->read_round);
    fixture_free(&f);
}

TEST("8", 0, reads_fail_when_the_leader_stands_down) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_read(&f, 7));
    fixture_finish(&f);
    assert_status(STATUS_OK, fixture_append(&f, 2, 0, 0, "", 0));
    assert_int_equal(1, f.update.failed_read_count);
    assert_int_equal(7, f.update.failed_reads[0]);
    fixture_free(&f);
}

TEST("8", 0, only_leaders_take_reads) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    assert_status(STATUS_NOT_LEADER, fixture_read(&f, 1));
    fixture_free(&f);
}

TEST("8", 0, a_single_voter_confirms_itself) {
    struct fixture f = fixture_new(1, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_read(&f, 1));
    fixture_finish(&f);
    assert_int_equal(1, f.update.read_count);
    fixture_free(&f);
}

TEST("8", 0, a_follower_echoes_a_read_round_without_waiting_for_its_disk) {
    struct fixture f = fixture_new(3, 1, 0, "", 0);
    struct raft_entry entry = {.term = 1};
    struct raft_message append = {.type = RAFT_MESSAGE_APPEND,
                                  .from = 2,
                                  .term = 1,
                                  .first_index = 1,
                                  .entries = &entry,
                                  .entry_count = 1,
                                  .read_round = 4};
    assert_status(STATUS_OK, fixture_receive(&f, append));
    assert_int_equal(2, f.update.message_count);
    assert_false(f.update.messages[0].after_persist);
    assert_int_equal(4, f.update.messages[0].message.read_round);
    assert_int_equal(0, f.update.messages[0].message.match_index);
    assert_true(f.update.messages[1].after_persist);
    assert_int_equal(1, f.update.messages[1].message.match_index);
    fixture_free(&f);
}

/* ---- snapshots (Raft 7) --------------------------------------------------------------------- */

/* A leader whose log starts at entry 3, and a follower that has none of it. */
static struct fixture leader_with_compacted_log(void) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_ready(&f);
    assert_status(STATUS_OK, fixture_propose(&f, 3));
    fixture_persisted(&f);
    fixture_finish(&f);
    fixture_accept(&f, 3, 4);
    fixture_applied(&f, 4);
    fixture_clear(&f);
    assert_status(STATUS_OK,
                  fixture_event(&f, (struct raft_event){.type = RAFT_EVENT_COMPACT, .index = 3}));
    fixture_refuse(&f, 2, 4, 0, 0);
    return f;
}

static void staged(struct fixture *f, bool ok) {
    assert_status(
        STATUS_OK,
        fixture_event(
            f, (struct raft_event){
                   .type = RAFT_EVENT_SNAPSHOT_SENT, .node = 2, .index = 4, .term = 1, .ok = ok}));
}

TEST("9", 0, a_follower_behind_the_log_is_named_for_a_snapshot_once) {
    struct fixture f = leader_with_compacted_log();
    /* Entry 1 was acknowledged, 2 and 3 are gone. */
    fixture_finish(&f);
    assert_int_equal(1, f.update.snapshot_to_count);
    assert_int_equal(2, f.update.snapshot_to[0]);
    assert_null(fixture_find(&f, RAFT_MESSAGE_APPEND, 2));
    fixture_clear(&f);
    fixture_finish(&f);
    assert_int_equal(0, f.update.snapshot_to_count);
    fixture_free(&f);
}

TEST("9", 0, a_staged_snapshot_is_announced_then_replication_goes_on_behind_it) {
    struct fixture f = leader_with_compacted_log();
    fixture_finish(&f);
    fixture_clear(&f);
    staged(&f, true);
    assert_int_equal(4, fixture_sent(&f, RAFT_MESSAGE_SNAPSHOT, 2)->log_index);
    assert_int_equal(1, fixture_sent(&f, RAFT_MESSAGE_SNAPSHOT, 2)->log_term);
    fixture_accept(&f, 2, 4);
    assert_status(STATUS_OK, fixture_propose(&f, 1));
    fixture_clear(&f);
    fixture_finish(&f);
    assert_int_equal(5, fixture_sent(&f, RAFT_MESSAGE_APPEND, 2)->first_index);
    fixture_free(&f);
}

TEST("9", 0, an_announcement_is_repeated_and_given_up_if_the_follower_is_silent_about_it) {
    struct fixture f = leader_with_compacted_log();
    fixture_finish(&f);
    staged(&f, true);
    for (int ms = 0; ms < 2500; ms += 50) {
        fixture_clear(&f);
        fixture_accept(&f, 3, 4);
        if (ms > 0) assert_int_equal(0, f.update.snapshot_to_count);
        fixture_pass(&f, 50 * MS);
        fixture_finish(&f);
        if (ms < 2400) assert_non_null(fixture_find(&f, RAFT_MESSAGE_SNAPSHOT, 2));
    }
    fixture_clear(&f);
    fixture_accept(&f, 2, 0); /* it answers a heartbeat: so it is there, without the snapshot */
    fixture_finish(&f);
    assert_int_equal(1, f.update.snapshot_to_count);
    fixture_free(&f);
}

TEST("9", 0, a_failed_snapshot_is_asked_for_again_when_the_follower_answers) {
    struct fixture f = leader_with_compacted_log();
    fixture_finish(&f);
    staged(&f, false);
    fixture_clear(&f);
    fixture_finish(&f);
    assert_int_equal(0, f.update.snapshot_to_count);
    fixture_accept(&f, 2, 0);
    fixture_finish(&f);
    assert_int_equal(1, f.update.snapshot_to_count);
    fixture_free(&f);
}

static enum status receive_snapshot(struct fixture *f, uint64_t index, uint64_t term) {
    return fixture_receive(f, (struct raft_message){.type = RAFT_MESSAGE_SNAPSHOT,
                                                    .from = 2,
                                                    .term = 5,
                                                    .log_index = index,
                                                    .log_term = term});
}

TEST("9", 5, a_follower_installs_a_snapshot_and_its_log_begins_behind_it) {
    struct fixture f = fixture_new(3, 5, 0, "1 1", 1);
    assert_status(STATUS_OK, receive_snapshot(&f, 9, 4));
    assert_int_equal(9, f.update.install.index);
    assert_int_equal(4, f.update.install.term);
    fixture_finish(&f);
    fixture_clear(&f);
    assert_log(&f, "1 1"); /* until it is done */
    assert_status(
        STATUS_OK,
        fixture_event(
            &f, (struct raft_event){.type = RAFT_EVENT_SNAPSHOT_INSTALLED, .index = 9, .term = 4}));
    assert_log(&f, "");
    assert_int_equal(10, raft_status(f.raft).first_index);
    assert_int_equal(9, raft_status(f.raft).commit);
    assert_int_equal(9, fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->match_index);
    assert_status(STATUS_OK, fixture_append(&f, 5, 9, 4, "5", 9));
    assert_log(&f, "5");
    fixture_free(&f);
}

TEST("9", 5, nothing_is_stored_while_a_snapshot_is_installed) {
    struct fixture f = fixture_new(3, 5, 0, "1 1", 1);
    assert_status(STATUS_OK, receive_snapshot(&f, 9, 4));
    fixture_clear(&f);
    assert_status(STATUS_OK, fixture_append(&f, 5, 2, 1, "4 4", 2));
    assert_log(&f, "1 1");
    const struct raft_message *reply = fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2);
    assert_int_equal(0, reply->match_index);
    assert_int_equal(9, reply->hint_index);
    fixture_free(&f);
}

TEST("9", 3, a_snapshot_of_what_the_log_has_only_commits) {
    struct fixture f = fixture_new(3, 5, 0, "1 4 4 5", 0);
    assert_status(STATUS_OK, receive_snapshot(&f, 3, 4));
    assert_int_equal(0, f.update.install.index);
    assert_log(&f, "1 4 4 5");
    assert_int_equal(3, raft_status(f.raft).commit);
    fixture_free(&f);
}

TEST("9", 6, an_old_snapshot_is_answered_without_installing_it) {
    struct fixture f = fixture_new(3, 5, 0, "1 4 4 5", 3);
    assert_status(STATUS_OK, receive_snapshot(&f, 2, 4));
    assert_int_equal(0, f.update.install.index);
    assert_int_equal(2, fixture_sent(&f, RAFT_MESSAGE_APPEND_REPLY, 2)->match_index);
    fixture_free(&f);
}

/* ---- nonsense from peers -------------------------------------------------------------------- */

TEST("10", 0, a_message_that_no_peer_would_send_is_refused) {
    struct fixture f = fixture_new(3, 1, 0, "1", 1);
    struct raft_message stranger = {.type = RAFT_MESSAGE_APPEND, .from = 9, .term = 1};
    assert_status(STATUS_INVALID, fixture_receive(&f, stranger));
    struct raft_message misled = {.type = RAFT_MESSAGE_APPEND, .from = 2, .to = 3, .term = 1};
    assert_status(STATUS_INVALID, fixture_receive(&f, misled));
    struct raft_message reserved = {.type = RAFT_MESSAGE_TIMEOUT_NOW, .from = 2, .term = 1};
    assert_status(STATUS_INVALID, fixture_receive(&f, reserved));
    struct raft_message unknown = {.type = (enum raft_message_type)99, .from = 2, .term = 1};
    assert_status(STATUS_INVALID, fixture_receive(&f, unknown));
    assert_log(&f, "1");
    fixture_free(&f);
}

TEST("10", 5, an_append_that_contradicts_what_is_committed_is_refused) {
    struct fixture f = fixture_new(3, 3, 0, "1 1 1", 2);
    assert_status(STATUS_INVALID, fixture_append(&f, 3, 1, 1, "3", 0));
    assert_status(STATUS_INVALID, fixture_append(&f, 3, 2, 3, "3", 0));
    assert_log(&f, "1 1 1");
    fixture_free(&f);
}

TEST("10", 3, an_append_whose_terms_fall_is_refused) {
    struct fixture f = fixture_new(3, 3, 0, "1", 0);
    assert_status(STATUS_INVALID, fixture_append(&f, 3, 1, 1, "3 2", 0));
    assert_status(STATUS_INVALID, fixture_append(&f, 3, 1, 1, "4", 0)); /* above its sender's */
    fixture_free(&f);
}

TEST("10", 1, a_second_leader_in_a_term_is_refused) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    assert_status(STATUS_INVALID, fixture_append(&f, 1, 0, 0, "", 0));
    assert_role(&f, RAFT_LEADER, 1);
    fixture_free(&f);
}

TEST("10", 0, an_answer_that_claims_more_than_the_leader_has_is_refused) {
    struct fixture f = fixture_new(3, 0, 0, "", 0);
    fixture_become_leader(&f);
    struct raft_message claim = {
        .type = RAFT_MESSAGE_APPEND_REPLY, .from = 2, .term = 1, .match_index = 5};
    assert_status(STATUS_INVALID, fixture_receive(&f, claim));
    fixture_free(&f);
}

static void refused(struct raft_options options, const char *message) {
    struct raft *raft = NULL;
    struct error error;
    assert_status(STATUS_INVALID, raft_new(&options, &raft, &error));
    assert_string_equal(message, error.message);
}

TEST("10", 0, options_that_contradict_each_other_are_refused) {
    uint64_t ids[] = {1, 2, 3}, twice[] = {1, 2, 2};
    struct raft_entry falling[] = {{.term = 2}, {.term = 1}};
    struct raft_options good = {.node_id = 1, .voters = ids, .voter_count = 3}, bad;
    bad = good, bad.node_id = 4;
    refused(bad, "node 4 is not among the voters");
    bad = good, bad.voters = twice;
    refused(bad, "voter 2 is named twice");
    bad = good, bad.voter_count = 0;
    refused(bad, "0 voters: 1 to 15 are possible");
    bad = good, bad.entries = falling, bad.entry_count = 2, bad.hard_state.term = 2;
    refused(bad, "the term falls at entry 2");
    bad = good, bad.entries = falling, bad.entry_count = 1, bad.hard_state.term = 1;
    refused(bad, "the log is of term 2, the hard state of 1");
    bad = good, bad.applied_index = 3;
    refused(bad, "applied up to 3, but the log holds (0, 0]");
}
