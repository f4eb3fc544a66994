/* raft_fixture.c - see raft_fixture.h. */
#include "raft_fixture.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_TEST_ENTRIES = 64 };

static uint32_t parse_terms(const char *text, struct raft_entry *out) {
    uint32_t count = 0;
    char *end;
    for (;; text = end) {
        unsigned long term = strtoul(text, &end, 10);
        if (end == text) return count;
        out[count++] =
            (struct raft_entry){.term = term, .type = RAFT_ENTRY_NORMAL, .size_bytes = 8};
    }
}

struct fixture fixture_from(const struct raft_options *options) {
    struct fixture fixture = {.now_ns = options->now_ns, .voters = options->voter_count};
    struct error error;
    assert_ok(raft_new(options, &fixture.raft, &error), &error);
    raft_update_init(&fixture.update);
    return fixture;
}

struct fixture fixture_new(size_t voters, uint64_t term, uint64_t vote, const char *log_terms,
                           uint64_t applied) {
    uint64_t ids[RAFT_MAX_VOTERS];
    struct raft_entry entries[MAX_TEST_ENTRIES];
    for (size_t i = 0; i < voters; i++)
        ids[i] = i + 1;
    struct raft_options options = {.node_id = 1,
                                   .voters = ids,
                                   .voter_count = voters,
                                   .seed = 1,
                                   .now_ns = 1000 * MS,
                                   .hard_state = {term, vote},
                                   .entries = entries,
                                   .entry_count = parse_terms(log_terms, entries),
                                   .applied_index = applied};
    return fixture_from(&options);
}

void fixture_free(struct fixture *fixture) {
    raft_check_invariants(fixture->raft);
    raft_update_deinit(&fixture->update);
    raft_free(fixture->raft);
}

enum status fixture_event(struct fixture *fixture, struct raft_event event) {
    event.now_ns = fixture->now_ns;
    enum status status = raft_step(fixture->raft, &event, &fixture->update);
    raft_check_invariants(fixture->raft);
    return status;
}

enum status fixture_receive(struct fixture *fixture, struct raft_message message) {
    if (message.to == 0) message.to = 1;
    return fixture_event(fixture,
                         (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &message});
}

void fixture_pass(struct fixture *fixture, uint64_t ns) {
    fixture->now_ns += ns;
    assert_status(STATUS_OK, fixture_event(fixture, (struct raft_event){.type = RAFT_EVENT_TICK}));
}

enum status fixture_propose(struct fixture *fixture, uint32_t count) {
    struct raft_entry entries[MAX_TEST_ENTRIES];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.type = RAFT_ENTRY_NORMAL, .size_bytes = 8};
    return fixture_event(
        fixture, (struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {entries, count}});
}

void fixture_persisted(struct fixture *fixture) {
    struct raft_status status = raft_status(fixture->raft);
    assert_status(STATUS_OK,
                  fixture_event(fixture, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                                             .index = status.last_index,
                                                             .term = status.last_term}));
}

void fixture_applied(struct fixture *fixture, uint64_t index) {
    assert_status(STATUS_OK, fixture_event(fixture, (struct raft_event){.type = RAFT_EVENT_APPLIED,
                                                                        .index = index}));
}

enum status fixture_read(struct fixture *fixture, uint64_t read_id) {
    return fixture_event(fixture, (struct raft_event){.type = RAFT_EVENT_READ, .read_id = read_id});
}

void fixture_finish(struct fixture *fixture) {
    raft_finish(fixture->raft, &fixture->update);
    raft_check_invariants(fixture->raft);
}

void fixture_clear(struct fixture *fixture) { raft_update_clear(&fixture->update); }

enum status fixture_append(struct fixture *fixture, uint64_t term, uint64_t index,
                           uint64_t index_term, const char *terms, uint64_t commit) {
    struct raft_entry entries[MAX_TEST_ENTRIES];
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND,
                                   .from = 2,
                                   .term = term,
                                   .log_index = index,
                                   .log_term = index_term,
                                   .first_index = index + 1,
                                   .entries = entries,
                                   .entry_count = parse_terms(terms, entries),
                                   .commit = commit};
    return fixture_receive(fixture, message);
}

void fixture_accept(struct fixture *fixture, uint64_t from, uint64_t match) {
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND_REPLY,
                                   .from = from,
                                   .term = raft_status(fixture->raft).term,
                                   .log_index = match,
                                   .match_index = match};
    assert_status(STATUS_OK, fixture_receive(fixture, message));
}

void fixture_refuse(struct fixture *fixture, uint64_t from, uint64_t after, uint64_t hint_index,
                    uint64_t hint_term) {
    struct raft_message message = {.type = RAFT_MESSAGE_APPEND_REPLY,
                                   .from = from,
                                   .term = raft_status(fixture->raft).term,
                                   .log_index = after,
                                   .reject = true,
                                   .hint_index = hint_index,
                                   .hint_term = hint_term};
    assert_status(STATUS_OK, fixture_receive(fixture, message));
}

void fixture_time_out(struct fixture *fixture) { fixture_pass(fixture, 500 * MS); }

static void all_grant(struct fixture *fixture, enum raft_message_type type, uint64_t term) {
    for (uint64_t from = 2; from <= fixture->voters; from++)
        assert_status(STATUS_OK,
                      fixture_receive(fixture, (struct raft_message){
                                                   .type = type, .from = from, .term = term}));
}

void fixture_become_candidate(struct fixture *fixture) {
    fixture_time_out(fixture);
    fixture_clear(fixture);
    all_grant(fixture, RAFT_MESSAGE_PRE_VOTE_REPLY, raft_status(fixture->raft).term + 1);
}

void fixture_become_leader(struct fixture *fixture) {
    fixture_become_candidate(fixture);
    fixture_clear(fixture);
    all_grant(fixture, RAFT_MESSAGE_VOTE_REPLY, raft_status(fixture->raft).term);
    fixture_finish(fixture);
}

void fixture_become_ready(struct fixture *fixture) {
    fixture_become_leader(fixture);
    fixture_persisted(fixture);
    uint64_t last = raft_status(fixture->raft).last_index;
    for (uint64_t from = 2; from <= fixture->voters; from++)
        fixture_accept(fixture, from, last);
    fixture_applied(fixture, last);
    fixture_finish(fixture);
    fixture_clear(fixture);
    /* The followers learn that it is committed. */
    fixture_pass(fixture, 50 * MS);
    fixture_finish(fixture);
    fixture_clear(fixture);
    for (uint64_t from = 2; from <= fixture->voters; from++)
        fixture_accept(fixture, from, last);
    fixture_clear(fixture);
}

const struct raft_outgoing *fixture_find(const struct fixture *fixture, enum raft_message_type type,
                                         uint64_t to) {
    const struct raft_outgoing *found = NULL;
    for (size_t i = 0; i < fixture->update.message_count; i++) {
        const struct raft_outgoing *each = &fixture->update.messages[i];
        if (each->message.type != type || each->message.to != to) continue;
        assert_null(found);
        found = each;
    }
    return found;
}

const struct raft_message *fixture_sent(const struct fixture *fixture, enum raft_message_type type,
                                        uint64_t to) {
    const struct raft_outgoing *found = fixture_find(fixture, type, to);
    assert_non_null(found);
    return &found->message;
}

size_t fixture_count(const struct fixture *fixture, enum raft_message_type type) {
    size_t count = 0;
    for (size_t i = 0; i < fixture->update.message_count; i++)
        count += fixture->update.messages[i].message.type == type;
    return count;
}

void assert_role(const struct fixture *fixture, enum raft_role role, uint64_t term) {
    struct raft_status status = raft_status(fixture->raft);
    assert_string_equal(raft_role_name(role), raft_role_name(status.role));
    assert_int_equal(term, status.term);
}

void assert_log(const struct fixture *fixture, const char *terms) {
    struct buf text = BUF_INIT;
    struct raft_status status = raft_status(fixture->raft);
    for (uint64_t i = status.first_index; i <= status.last_index; i++) {
        struct raft_entry entry;
        assert_true(raft_entry_at(fixture->raft, i, &entry));
        buf_printf(&text, "%s%llu", text.len > 0 ? " " : "", (unsigned long long)entry.term);
    }
    assert_slice_equal(slice_of_string(terms), buf_slice(&text));
    buf_deinit(&text);
}
