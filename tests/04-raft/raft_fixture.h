/* raft_fixture.h - one core under test, and short ways to speak to it.
 *
 * The node is number 1 unless said otherwise; its voters are 1..n. Time starts at 1 s and is moved
 * by the test. The update gathers until fixture_clear. */
#ifndef CAIRN_RAFT_FIXTURE_H
#define CAIRN_RAFT_FIXTURE_H

#include "harness.h"
#include "raft.h"

#define MS UINT64_C(1000000)

struct fixture {
    struct raft *raft;
    struct raft_update update;
    uint64_t now_ns;
    size_t voters;
};

/* A node that was in `term`, voted for `vote`, and has a log of these terms ("1 1 2"; "" for none),
 * of which `applied` are applied. */
struct fixture fixture_new(size_t voters, uint64_t term, uint64_t vote, const char *log_terms,
                           uint64_t applied);
/* The same from options that the test filled in. */
struct fixture fixture_from(const struct raft_options *options);
void fixture_free(struct fixture *fixture);

/* Each steps the core once at the present time. */
enum status fixture_event(struct fixture *fixture, struct raft_event event);
enum status fixture_receive(struct fixture *fixture, struct raft_message message);
void fixture_pass(struct fixture *fixture, uint64_t ns); /* moves the time and ticks */
enum status fixture_propose(struct fixture *fixture, uint32_t count);
void fixture_persisted(struct fixture *fixture); /* all that is in the log */
void fixture_applied(struct fixture *fixture, uint64_t index);
enum status fixture_read(struct fixture *fixture, uint64_t read_id);
void fixture_finish(struct fixture *fixture);
void fixture_clear(struct fixture *fixture); /* the update is carried out and gone */

/* An append from node 2 in `term`: entries of these terms after (index, index_term). */
enum status fixture_append(struct fixture *fixture, uint64_t term, uint64_t index,
                           uint64_t index_term, const char *terms, uint64_t commit);
/* Node `from` has everything up to `match`, or refuses what came after `after`. */
void fixture_accept(struct fixture *fixture, uint64_t from, uint64_t match);
void fixture_refuse(struct fixture *fixture, uint64_t from, uint64_t after, uint64_t hint_index,
                    uint64_t hint_term);

/* Waits for the election timeout; the node is then a pre-candidate. */
void fixture_time_out(struct fixture *fixture);
/* The node becomes candidate by the pre-votes of all others; then leader by their votes. Updates
 * are cleared on the way, the one of becoming leader is finished and left. */
void fixture_become_candidate(struct fixture *fixture);
void fixture_become_leader(struct fixture *fixture);
/* Its no-op is committed by all, updates cleared. */
void fixture_become_ready(struct fixture *fixture);

/* The only message of that type to that node in the update (fails if there are more); NULL. */
const struct raft_outgoing *fixture_find(const struct fixture *fixture, enum raft_message_type type,
                                         uint64_t to);
/* The same, which must be there. */
const struct raft_message *fixture_sent(const struct fixture *fixture, enum raft_message_type type,
                                        uint64_t to);
size_t fixture_count(const struct fixture *fixture, enum raft_message_type type);

void assert_role(const struct fixture *fixture, enum raft_role role, uint64_t term);
/* The terms of the entries that are in memory. */
void assert_log(const struct fixture *fixture, const char *terms);

#endif
