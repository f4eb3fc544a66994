/* The pure parts of the core, each alone: quorums, the log, the progress of a follower. */
#include <stdlib.h>

#include "harness.h"
#include "prng.h"
#include "raft_log.h"
#include "raft_progress.h"
#include "raft_quorum.h"

/* ---- quorums -------------------------------------------------------------------------------- */

TEST("2", 0, two_majorities_always_share_a_voter) {
    for (size_t voters = 1; voters <= RAFT_MAX_VOTERS; voters++)
        assert_true(2 * raft_quorum_size(voters) > voters);
}

TEST("2", 0, a_majority_is_no_larger_than_needed) {
    assert_int_equal(1, raft_quorum_size(1));
    assert_int_equal(2, raft_quorum_size(2));
    assert_int_equal(2, raft_quorum_size(3));
    assert_int_equal(3, raft_quorum_size(4));
    assert_int_equal(3, raft_quorum_size(5));
}

/* By its definition: the largest value that at least a majority of the others reach. */
static uint64_t reached_slowly(const uint64_t *values, size_t count) {
    uint64_t best = 0;
    for (size_t i = 0; i < count; i++) {
        size_t reach = 0;
        for (size_t j = 0; j < count; j++)
            reach += values[j] >= values[i];
        if (reach >= raft_quorum_size(count) && values[i] > best) best = values[i];
    }
    return best;
}

TEST("2", 0, what_a_majority_has_reached_agrees_with_its_definition) {
    struct prng prng;
    prng_seed(&prng, 4);
    for (int round = 0; round < 20000; round++) {
        uint64_t values[RAFT_MAX_VOTERS];
        size_t count = (size_t)prng_between(&prng, 1, RAFT_MAX_VOTERS);
        for (size_t i = 0; i < count; i++)
            values[i] = prng_below(&prng, 12);
        assert_int_equal(reached_slowly(values, count), raft_quorum_reached(values, count));
    }
}

TEST("2", 0, an_election_is_won_by_a_majority_of_all_voters_not_of_those_who_answered) {
    enum raft_vote votes[5] = {RAFT_VOTE_GRANTED, RAFT_VOTE_GRANTED};
    assert_int_equal(RAFT_ELECTION_OPEN, raft_quorum_votes(votes, 5));
    votes[4] = RAFT_VOTE_GRANTED;
    assert_int_equal(RAFT_ELECTION_WON, raft_quorum_votes(votes, 5));
}

TEST("2", 0, an_election_is_lost_when_a_majority_can_no_longer_be_had) {
    enum raft_vote votes[4] = {RAFT_VOTE_GRANTED, RAFT_VOTE_REFUSED};
    assert_int_equal(RAFT_ELECTION_OPEN, raft_quorum_votes(votes, 4));
    votes[2] = RAFT_VOTE_REFUSED; /* two of four cannot be three */
    assert_int_equal(RAFT_ELECTION_LOST, raft_quorum_votes(votes, 4));
}

/* ---- the log -------------------------------------------------------------------------------- */

static void append_terms(struct raft_log *log, const char *terms) {
    char *end;
    for (;; terms = end) {
        struct raft_entry entry = {.term = strtoul(terms, &end, 10)};
        if (end == terms) return;
        raft_log_append(log, &entry);
    }
}

TEST("1", 0, the_term_of_the_last_compacted_entry_stays_known) {
    struct raft_log log;
    uint64_t term = 0;
    raft_log_init(&log, 0, 0, NULL, 0);
    append_terms(&log, "1 1 2 3");
    raft_log_compact(&log, 3);
    assert_false(raft_log_term(&log, 2, &term));
    assert_true(raft_log_term(&log, 3, &term));
    assert_int_equal(2, term);
    assert_int_equal(4, raft_log_last(&log));
    raft_log_deinit(&log);
}

TEST("1", 0, an_empty_log_ends_where_it_starts) {
    struct raft_log log;
    raft_log_init(&log, 7, 3, NULL, 0);
    assert_int_equal(7, raft_log_last(&log));
    assert_int_equal(3, raft_log_last_term(&log));
    raft_log_deinit(&log);
}

TEST("1", 0, entries_below_the_start_count_as_here) {
    struct raft_log log;
    struct raft_entry entries[4] = {{.term = 1}, {.term = 1}, {.term = 2}, {.term = 3}};
    raft_log_init(&log, 0, 0, entries, 3);
    raft_log_compact(&log, 2);
    assert_int_equal(3, raft_log_matching(&log, 1, entries, 4));
    assert_int_equal(1, raft_log_matching(&log, 1, entries, 1));
    raft_log_deinit(&log);
}

/* Raft 5.3: the follower's log of the paper's Figure 7 (f), the leader's at the top of it. */
TEST("1", 0, a_conflict_is_found_in_one_step_a_term) {
    struct raft_log leader, follower;
    raft_log_init(&leader, 0, 0, NULL, 0);
    raft_log_init(&follower, 0, 0, NULL, 0);
    append_terms(&leader, "1 1 1 4 4 5 5 6 6 6");
    append_terms(&follower, "1 1 1 2 2 2 3 3 3 3 3");
    uint64_t hint = raft_log_conflict(&follower, 10, 6); /* refuses what comes after (10, 6) */
    assert_int_equal(10, hint);
    uint64_t agree = raft_log_conflict(&leader, hint, 3);
    assert_int_equal(3, agree);
    assert_true(raft_log_has(&follower, agree, 1));
    raft_log_deinit(&leader);
    raft_log_deinit(&follower);
}

static uint64_t conflict_slowly(const struct raft_log *log, uint64_t index, uint64_t term) {
    uint64_t at = index < raft_log_last(log) ? index : raft_log_last(log);
    while (at > log->start_index && raft_log_at(log, at)->term > term)
        at--;
    return at > log->start_index ? at : log->start_index;
}

TEST("1", 1, the_log_agrees_with_a_plain_array) {
    enum { LIMIT = 4000 };
    struct prng prng;
    struct raft_log log;
    static uint64_t model[LIMIT]; /* terms by index */
    prng_seed(&prng, 9);
    raft_log_init(&log, 0, 0, NULL, 0);
    uint64_t start = 0, last = 0, term = 1;
    model[0] = 0;
    for (int round = 0; round < 30000; round++) {
        uint64_t kind = prng_below(&prng, 100);
        if (kind < 80 && last + 1 < LIMIT) {
            term += prng_below(&prng, 10) == 0;
            struct raft_entry entry = {.term = term};
            raft_log_append(&log, &entry);
            model[++last] = term;
        } else if (kind < 90 && last > start) {
            last = prng_between(&prng, start + 1, last) - 1;
            raft_log_truncate(&log, last + 1);
        } else if (kind < 95) {
            start = prng_between(&prng, start, last);
            raft_log_compact(&log, start);
        }
        assert_int_equal(start, log.start_index);
        assert_int_equal(last, raft_log_last(&log));
        assert_int_equal(model[last], raft_log_last_term(&log));
        uint64_t index = prng_between(&prng, start, last), found = 0;
        assert_true(raft_log_term(&log, index, &found));
        assert_int_equal(model[index], found);
        uint64_t about = prng_between(&prng, index, last + 3), of = prng_below(&prng, term + 1);
        assert_int_equal(conflict_slowly(&log, about, of), raft_log_conflict(&log, about, of));
        assert_false(raft_log_term(&log, last + 1, &found));
    }
    raft_log_deinit(&log);
}

TEST("1", 2, a_log_that_is_compacted_as_it_grows_keeps_its_memory) {
    struct raft_log log;
    raft_log_init(&log, 0, 0, NULL, 0);
    for (uint64_t i = 1; i <= 100000; i++) {
        struct raft_entry entry = {.term = 1};
        raft_log_append(&log, &entry);
        if (i > 50) raft_log_compact(&log, i - 50);
    }
    assert_true(log.capacity <= 256);
    raft_log_deinit(&log);
}

TEST("1", 0, a_log_is_up_to_date_by_its_last_term_first_and_its_length_second) {
    struct raft_log log;
    raft_log_init(&log, 0, 0, NULL, 0);
    append_terms(&log, "1 2 2");
    assert_true(raft_log_up_to_date(&log, 3, 2));
    assert_true(raft_log_up_to_date(&log, 1, 3));
    assert_false(raft_log_up_to_date(&log, 2, 2));
    assert_false(raft_log_up_to_date(&log, 9, 1));
    raft_log_deinit(&log);
}

/* ---- progress ------------------------------------------------------------------------------- */

static struct progress new_progress(size_t window, uint64_t window_bytes, uint64_t next) {
    struct progress progress;
    progress_init(&progress, 2, window, window_bytes);
    progress_reset(&progress, next, 0);
    return progress;
}

TEST("3", 0, a_probe_is_sent_once_until_it_is_answered) {
    struct progress p = new_progress(4, 1000, 5);
    assert_true(progress_may_send(&p));
    progress_sent(&p, 6, 10);
    assert_false(progress_may_send(&p));
    assert_int_equal(5, p.next);
    assert_true(progress_accepted(&p, 4, 6));
    assert_int_equal(PROGRESS_REPLICATE, p.state);
    assert_int_equal(7, p.next);
    progress_deinit(&p);
}

TEST("3", 0, a_refused_probe_goes_back_to_where_the_logs_may_agree) {
    struct progress p = new_progress(4, 1000, 9);
    progress_sent(&p, 9, 10);
    assert_true(progress_refused(&p, 8, 3));
    assert_int_equal(4, p.next);
    assert_true(progress_may_send(&p));
    progress_deinit(&p);
}

TEST("3", 0, an_old_refusal_does_not_disturb_a_probe) {
    struct progress p = new_progress(4, 1000, 9);
    progress_sent(&p, 9, 10);
    assert_false(progress_refused(&p, 5, 2));
    assert_int_equal(9, p.next);
    progress_deinit(&p);
}

static struct progress replicating(size_t window, uint64_t window_bytes) {
    struct progress p = new_progress(window, window_bytes, 1);
    progress_sent(&p, 1, 10);
    progress_accepted(&p, 0, 1);
    assert_int_equal(PROGRESS_REPLICATE, p.state);
    return p;
}

TEST("3", 2, appends_are_pipelined_up_to_a_number) {
    struct progress p = replicating(2, 1000);
    progress_sent(&p, 3, 10);
    assert_true(progress_may_send(&p));
    progress_sent(&p, 5, 10);
    assert_false(progress_may_send(&p));
    assert_int_equal(6, p.next);
    progress_accepted(&p, 3, 3);
    assert_true(progress_may_send(&p));
    progress_check(&p);
    progress_deinit(&p);
}

TEST("3", 2, appends_are_pipelined_up_to_so_many_bytes) {
    struct progress p = replicating(10, 100);
    progress_sent(&p, 3, 60);
    assert_true(progress_may_send(&p));
    progress_sent(&p, 5, 60);
    assert_false(progress_may_send(&p));
    progress_accepted(&p, 5, 5);
    assert_int_equal(0, p.window_bytes);
    assert_true(progress_may_send(&p));
    progress_deinit(&p);
}

TEST("3", 2, the_window_wraps_around) {
    struct progress p = replicating(3, 1000);
    for (uint64_t last = 2; last < 50; last++) {
        progress_sent(&p, last, 7);
        if (last > 3) progress_accepted(&p, last - 2, last - 2);
        progress_check(&p);
    }
    assert_int_equal(2, p.window_count);
    progress_deinit(&p);
}

TEST("3", 1, match_never_falls) {
    struct progress p = replicating(4, 1000);
    progress_sent(&p, 9, 10);
    assert_true(progress_accepted(&p, 8, 9));
    assert_false(progress_accepted(&p, 3, 4));
    assert_int_equal(9, p.match);
    progress_deinit(&p);
}

TEST("3", 0, a_refusal_while_replicating_means_that_something_was_lost) {
    struct progress p = replicating(4, 1000);
    progress_sent(&p, 5, 10);
    progress_sent(&p, 9, 10);
    assert_true(progress_refused(&p, 5, 1)); /* the first was lost, the second did not fit */
    assert_int_equal(PROGRESS_PROBE, p.state);
    assert_int_equal(2, p.next);
    assert_int_equal(0, p.window_count);
    progress_deinit(&p);
}

TEST("3", 1, a_refusal_from_before_what_was_accepted_is_ignored) {
    struct progress p = replicating(4, 1000);
    progress_sent(&p, 9, 10);
    progress_accepted(&p, 1, 9);
    assert_false(progress_refused(&p, 7, 2));
    assert_int_equal(PROGRESS_REPLICATE, p.state);
    progress_deinit(&p);
}

TEST("3", 0, an_unreachable_follower_is_probed_by_heartbeats_only) {
    struct progress p = replicating(4, 1000);
    progress_sent(&p, 9, 10);
    progress_unreachable(&p);
    assert_int_equal(PROGRESS_PROBE, p.state);
    assert_int_equal(2, p.next);
    assert_false(progress_may_send(&p));
    progress_accepted(&p, 1, 1);
    assert_int_equal(PROGRESS_REPLICATE, p.state);
    progress_deinit(&p);
}

TEST("3", 0, a_follower_that_waits_for_a_snapshot_gets_nothing_until_it_has_it) {
    struct progress p = replicating(4, 1000);
    progress_need_snapshot(&p);
    assert_false(progress_may_send(&p));
    progress_snapshot_staged(&p, 50, 2, 0);
    progress_accepted(&p, 0, 0); /* a heartbeat's answer */
    assert_int_equal(PROGRESS_SNAPSHOT, p.state);
    progress_accepted(&p, 0, 50);
    assert_int_equal(PROGRESS_REPLICATE, p.state);
    assert_int_equal(51, p.next);
    progress_deinit(&p);
}

TEST("3", 0, a_failed_snapshot_is_followed_by_a_probe) {
    struct progress p = replicating(4, 1000);
    progress_need_snapshot(&p);
    progress_snapshot_failed(&p);
    assert_int_equal(PROGRESS_PROBE, p.state);
    assert_false(progress_may_send(&p));
    progress_deinit(&p);
}
