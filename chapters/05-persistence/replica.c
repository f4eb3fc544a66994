/* replica.c - the set of groups of a node: opening, proposals, reads, messages.
 *
 * Everything here only steps the core and marks the group as touched; what follows from it happens
 * at the end of the turn (replica_turn.c, replica_apply.c). */
#include "replica.h"

#include <assert.h>
#include <inttypes.h>

#include "mem.h"
#include "raft_wire.h"
#include "replica_internal.h"

enum {
    MIB = 1024 * 1024,
    MESSAGE_ARENA_BUDGET = 256 * MIB,
    FLUSH_LOG_BYTES_DEFAULT = 64 * MIB,
    KEEP_LOG_BYTES_DEFAULT = 256 * MIB,
    PROPOSAL_QUOTA_DEFAULT = 32 * MIB
};

/* ---- stepping -------------------------------------------------------------------------------- */

void replica_touch(struct replica *replica) {
    if (replica->touched) return;
    replica->touched = true;
    replica->next_touched = replica->set->touched;
    replica->set->touched = replica;
}

enum status replica_step(struct replica *replica, struct raft_event *event,
                         const struct slice *payloads) {
    event->now_ns = env_now_ns(replica->set->env);
    enum status status = raft_step(replica->raft, event, &replica->update);
    replica_touch(replica);
    struct raft_range stored = raft_stored(replica->raft);
    bool append = event->type == RAFT_EVENT_MESSAGE && event->message->type == RAFT_MESSAGE_APPEND;
    uint64_t first = append ? event->message->first_index : stored.first;
    bool has_payloads = append || event->type == RAFT_EVENT_PROPOSE;
    for (uint64_t i = stored.first; i <= stored.last && status == STATUS_OK; i++) {
        /* A step that makes us leader stores the no-op, which has none. */
        payload_cache_put(&replica->cache, i, has_payloads ? payloads[i - first] : SLICE_EMPTY);
    }
    return status;
}

static void on_timer(void *arg) {
    struct replica *replica = arg;
    struct raft_event tick = {.type = RAFT_EVENT_TICK};
    if (replica_step(replica, &tick, NULL) != STATUS_OK) assert(false);
}

struct slice replica_payload(struct replica *replica, uint64_t index, struct buf *scratch) {
    struct slice payload;
    if (payload_cache_get(&replica->cache, index, &payload)) return payload;
    struct error error;
    buf_clear(scratch);
    if (log_store_read(replica->set->options.log, replica->group, index, scratch, &error) !=
        STATUS_OK) {
        env_fatal(replica->set->env, "group %" PRIu64 ": %s", replica->group, error.message);
    }
    return buf_slice(scratch);
}

/* ---- answers --------------------------------------------------------------------------------- */

static void give_answers(void *arg) {
    struct replica_set *set = arg;
    struct deferred_answer *answer = set->answers;
    set->answers = NULL;
    set->answers_tail = &set->answers;
    while (answer != NULL) {
        struct deferred_answer *next = answer->next;
        if (answer->proposal != NULL) answer->proposal->done(answer->proposal, answer->status, 0);
        if (answer->barrier != NULL) answer->barrier->done(answer->barrier, answer->status);
        mem_free(answer);
        answer = next;
    }
}

void replica_set_answer(struct replica_set *set, struct proposal *proposal,
                        struct read_barrier *barrier, enum status status) {
    struct deferred_answer *answer = MEM_NEW(struct deferred_answer);
    *answer = (struct deferred_answer){.proposal = proposal, .barrier = barrier, .status = status};
    *set->answers_tail = answer;
    set->answers_tail = &answer->next;
    env_post(set->env, &set->answer_task);
}

/* ---- the replicator's side ------------------------------------------------------------------- */

static struct replica *from_base(struct replicator *base) {
    return CONTAINER_OF(base, struct replica, base);
}

/* NO_SPACE, BUSY: nothing more may be taken into the log. */
static enum status has_room(struct replica_set *set) {
    TRY(engine_writable(set->options.engine));
    return log_store_writable(set->options.log);
}

/* OK, or why the proposal may not enter now. */
static enum status admit(const struct replica *replica, const struct proposal *proposal) {
    if (!replica->leads) return STATUS_NOT_LEADER;
    if (replica->set->engine_full) return STATUS_NO_SPACE;
    uint64_t quota = replica->set->options.proposal_quota_bytes;
    bool over =
        replica->proposal_bytes + proposal->payload.len > quota && replica->proposals != NULL;
    if (over) return STATUS_BUSY;
    return has_room(replica->set);
}

static void propose(struct replicator *base, struct proposal *proposal) {
    struct replica *replica = from_base(base);
    enum status status = admit(replica, proposal);
    if (status == STATUS_OK) {
        struct raft_entry entry = {.size_bytes = (uint32_t)proposal->payload.len,
                                   .type = RAFT_ENTRY_NORMAL};
        struct raft_event event = {.type = RAFT_EVENT_PROPOSE,
                                   .propose = {.entries = &entry, .count = 1}};
        status = replica_step(replica, &event, &proposal->payload);
    }
    if (status != STATUS_OK) {
        replica_set_answer(replica->set, proposal, NULL, status);
        return;
    }
    proposal->index = raft_stored(replica->raft).first;
    proposal->term = replica->leads_term;
    proposal->next = NULL;
    *replica->proposals_tail = proposal;
    replica->proposals_tail = &proposal->next;
    replica->proposal_bytes += proposal->payload.len;
    counter_add(replica->set->proposals, 1);
}

static void read_barrier(struct replicator *base, struct read_barrier *barrier) {
    struct replica *replica = from_base(base);
    barrier->id = ++replica->next_read_id;
    struct raft_event event = {.type = RAFT_EVENT_READ, .read_id = barrier->id};
    enum status status = replica->leads ? STATUS_OK : STATUS_NOT_LEADER;
    if (status == STATUS_OK && replica->set->engine_full) status = STATUS_NO_SPACE;
    if (status == STATUS_OK) status = replica_step(replica, &event, NULL);
    if (status != STATUS_OK) {
        replica_set_answer(replica->set, NULL, barrier, status);
        return;
    }
    barrier->next = replica->barriers;
    replica->barriers = barrier;
}

static bool leads(struct replicator *base, uint64_t *leader) {
    struct replica *replica = from_base(base);
    if (leader != NULL) *leader = raft_status(replica->raft).leader;
    return replica->leads;
}

static const struct replicator_ops replica_ops = {
    .propose = propose, .read_barrier = read_barrier, .leads = leads};

/* ---- messages -------------------------------------------------------------------------------- */

struct replica *replica_set_find(struct replica_set *set, uint64_t group) {
    struct replica *replica = set->replicas;
    while (replica != NULL && replica->group != group)
        replica = replica->next;
    return replica;
}

/* A new leader's empty entry brings none: with full disks, too, somebody must be able to lead, so
 * that reads are answered. */
static bool brings_data(const struct raft_message *message) {
    for (size_t i = 0; i < message->entry_count; i++) {
        if (message->entries[i].size_bytes > 0) return true;
    }
    return false;
}

void replica_set_receive(struct replica_set *set, uint64_t from, struct slice bytes) {
    struct raft_wire_message wire;
    arena_reset(&set->arena);
    counter_add(set->messages_in, 1);
    enum status status = raft_wire_decode(bytes, &set->arena, &wire);
    struct replica *replica = status == STATUS_OK ? replica_set_find(set, wire.group) : NULL;
    bool misdirected =
        replica == NULL || wire.message.to != set->options.node_id || wire.message.from != from;
    /* Without room a follower must not accept entries: the leader will send them again. */
    if (!misdirected && brings_data(&wire.message) && has_room(set) != STATUS_OK)
        misdirected = true;
    if (!misdirected && wire.message.type == RAFT_MESSAGE_SNAPSHOT &&
        wire.message.log_index > raft_status(replica->raft).commit) {
        /* Once the log names a snapshot there is no way back: it must be here. */
        misdirected = !replica_snapshot_is_staged(replica, wire.message.log_index);
    }
    if (misdirected) {
        counter_add(set->messages_dropped, 1);
        return;
    }
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &wire.message};
    status = replica_step(replica, &event, wire.payloads);
    if (status != STATUS_OK) {
        log_warn(env_log(set->env), "replica", "message refused from=%" PRIu64 " type=%s status=%s",
                 wire.message.from, raft_message_name(wire.message.type), status_name(status));
    }
}

void replica_set_peer_connected(struct replica_set *set, uint64_t node_id, bool connected) {
    if (connected) return;
    for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next) {
        struct raft_event event = {.type = RAFT_EVENT_UNREACHABLE, .node = node_id};
        if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
    }
}

/* ---- the set --------------------------------------------------------------------------------- */

static void flush_timer_fired(void *arg) {
    struct replica_set *set = arg;
    replica_set_maybe_flush(set);
    env_timer_start(set->env, &set->flush_timer, env_now_ns(set->env) + NS_PER_S);
}

static void touch_all(void *arg) {
    struct replica_set *set = arg;
    for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next) {
        replica_touch(replica);
    }
}

static void register_metrics(struct replica_set *set, struct metrics *metrics) {
    set->proposals =
        metrics_counter(metrics, "cairn_raft_proposals_total", "Entries proposed here.");
    set->applied_entries = metrics_counter(metrics, "cairn_raft_applied_total", "Entries applied.");
    set->messages_out =
        metrics_counter(metrics, "cairn_raft_messages_sent_total", "Raft messages sent.");
    set->messages_in =
        metrics_counter(metrics, "cairn_raft_messages_received_total", "Raft messages received.");
    set->messages_dropped = metrics_counter(metrics, "cairn_raft_messages_dropped_total",
                                            "Raft messages not sent, or refused on arrival.");
    set->snapshots_sent =
        metrics_counter(metrics, "cairn_raft_snapshots_sent_total", "Snapshots sent in full.");
    set->snapshots_installed =
        metrics_counter(metrics, "cairn_raft_snapshots_installed_total", "Snapshots installed.");
    set->leader_changes = metrics_counter(metrics, "cairn_raft_leader_changes_total",
                                          "Times this node began to lead a group.");
}

struct replica_set *replica_set_new(const struct replica_set_options *options) {
    struct replica_set *set = MEM_NEW(struct replica_set);
    set->options = *options;
    set->env = options->env;
    if (set->options.flush_log_bytes == 0) set->options.flush_log_bytes = FLUSH_LOG_BYTES_DEFAULT;
    if (set->options.keep_log_bytes == 0) set->options.keep_log_bytes = KEEP_LOG_BYTES_DEFAULT;
    if (set->options.proposal_quota_bytes == 0)
        set->options.proposal_quota_bytes = PROPOSAL_QUOTA_DEFAULT;
    set->tickets_tail = &set->tickets;
    set->answers_tail = &set->answers;
    arena_init(&set->arena, MESSAGE_ARENA_BUDGET);
    set->batch = MEM_NEW(struct write_batch);
    write_batch_init(set->batch);
    register_metrics(set, options->metrics);
    set->answer_task = (struct env_task){.callback = give_answers, .arg = set};
    set->again_task = (struct env_task){.callback = touch_all, .arg = set};
    set->raft_hook =
        (struct env_turn_hook){.callback = replica_turn_raft, .arg = set, .order = TURN_RAFT};
    set->apply_hook =
        (struct env_turn_hook){.callback = replica_turn_apply, .arg = set, .order = TURN_APPLY};
    env_turn_hook_add(set->env, &set->raft_hook);
    env_turn_hook_add(set->env, &set->apply_hook);
    env_timer_init(&set->flush_timer, flush_timer_fired, set);
    env_timer_start(set->env, &set->flush_timer, env_now_ns(set->env) + NS_PER_S);
    env_timer_init(&set->retry_timer, touch_all, set);
    env_timer_init(&set->install_timer, replica_snapshot_install_step, set);
    log_store_on_synced(options->log, replica_on_synced, set);
    set->flushed_log_end = log_store_end(options->log);
    return set;
}

static void replica_free(struct replica *replica) {
    replica_snapshot_deinit(replica);
    env_timer_stop(&replica->timer);
    raft_free(replica->raft);
    raft_update_deinit(&replica->update);
    payload_cache_deinit(&replica->cache);
    buf_deinit(&replica->data_start);
    buf_deinit(&replica->data_end);
    mem_free(replica);
}

void replica_set_free(struct replica_set *set) {
    if (set == NULL) return;
    log_store_on_synced(set->options.log, NULL, NULL);
    env_turn_hook_remove(set->env, &set->raft_hook);
    env_turn_hook_remove(set->env, &set->apply_hook);
    env_unpost(set->env, &set->answer_task);
    env_unpost(set->env, &set->again_task);
    env_timer_stop(&set->flush_timer);
    env_timer_stop(&set->retry_timer);
    env_timer_stop(&set->install_timer);
    for (struct replica *replica = set->replicas, *next; replica != NULL; replica = next) {
        next = replica->next;
        replica_free(replica);
    }
    for (struct persist_ticket *ticket = set->tickets, *next; ticket != NULL; ticket = next) {
        next = ticket->next;
        mem_free(ticket);
    }
    for (struct deferred_answer *answer = set->answers, *next; answer != NULL; answer = next) {
        next = answer->next;
        mem_free(answer);
    }
    write_batch_deinit(set->batch);
    mem_free(set->batch);
    arena_deinit(&set->arena);
    buf_deinit(&set->scratch);
    buf_deinit(&set->persisted_key);
    mem_free(set);
}

/* ---- opening a group ------------------------------------------------------------------------- */

static enum status read_applied(struct replica *replica, struct error *error) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    replica_applied_key(replica->group, &key);
    enum status status =
        engine_get(replica->set->options.engine, NULL, buf_slice(&key), 0, &value, error);
    if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    } else if (status == STATUS_OK && !replica_applied_parse(buf_slice(&value), &replica->applied,
                                                             &replica->applied_term)) {
        status = error_set(error, STATUS_CORRUPT,
                           "group %" PRIu64 ": the applied index is malformed", replica->group);
    }
    buf_deinit(&key);
    buf_deinit(&value);
    return status;
}

/* The engine must hold everything that the log no longer does, and nothing that the log does not
 * know. */
static enum status check_engine(const struct replica *replica, const struct group_state *state,
                                size_t entries, struct error *error) {
    uint64_t last = state->log_start_index + entries;
    if (replica->applied >= state->log_start_index && replica->applied <= last) return STATUS_OK;
    return error_set(error, STATUS_CORRUPT,
                     "group %" PRIu64 ": the engine is at entry %" PRIu64
                     ", but the log holds %" PRIu64 " to %" PRIu64,
                     replica->group, replica->applied, state->log_start_index + 1, last);
}

static enum status open_raft(struct replica *replica, struct error *error) {
    struct replica_set *set = replica->set;
    const struct group_state *state = log_store_group(set->options.log, replica->group);
    size_t entry_count;
    const struct raft_entry *entries =
        log_store_entries(set->options.log, replica->group, &entry_count);
    TRY(check_engine(replica, state, entry_count, error));
    struct prng prng;
    env_random(set->env, "raft", &prng);
    struct raft_options options = {
        .node_id = set->options.node_id,
        .voters = state->voters,
        .voter_count = state->voter_count,
        .seed = prng_u64(&prng) + replica->group,
        .now_ns = env_now_ns(set->env),
        .heartbeat_interval_ns = set->options.heartbeat_interval_ns,
        .election_timeout_ns = set->options.election_timeout_ns,
        .hard_state = state->hard_state,
        .log_start_index = state->log_start_index,
        .log_start_term = state->log_start_term,
        .entries = entries,
        .entry_count = entry_count,
        .applied_index = replica->applied,
    };
    return raft_new(&options, &replica->raft, error);
}

enum status replica_open(struct replica_set *set, const struct replica_options *options,
                         struct replica **out, struct error *error) {
    const struct group_state *state = log_store_group(set->options.log, options->group);
    assert(state != NULL);
    struct replica *replica = MEM_NEW(struct replica);
    replica->base.ops = &replica_ops;
    replica->set = set;
    replica->group = options->group;
    replica->machine = options->machine;
    replica->machine_arg = options->machine_arg;
    replica->proposals_tail = &replica->proposals;
    buf_append_slice(&replica->data_start, options->data_start);
    buf_append_slice(&replica->data_end, options->data_end);
    raft_update_init(&replica->update);
    payload_cache_init(&replica->cache);
    env_timer_init(&replica->timer, on_timer, replica);

    enum status status = read_applied(replica, error);
    if (status == STATUS_OK && state->snapshot_index > replica->applied) {
        status =
            replica_snapshot_reinstall(replica, state->snapshot_index, state->snapshot_term, error);
    }
    if (status == STATUS_OK) status = open_raft(replica, error);
    if (status != STATUS_OK) {
        replica_free(replica);
        return status;
    }
    replica->commit = replica->collected = replica->applied;
    replica->collected_term = replica->applied_term;
    replica->next = set->replicas;
    set->replicas = replica;
    replica_touch(replica);
    *out = replica;
    return STATUS_OK;
}

/* ---- looking --------------------------------------------------------------------------------- */

struct replicator *replica_replicator(struct replica *replica) {
    return &replica->base;
}

struct raft_status replica_raft_status(const struct replica *replica) {
    return raft_status(replica->raft);
}

size_t replica_progress(const struct replica *replica, struct raft_progress_view *out,
                        size_t capacity) {
    return raft_progress(replica->raft, out, capacity);
}

const struct raft *replica_raft(const struct replica *replica) { return replica->raft; }
