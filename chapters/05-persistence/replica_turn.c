/* replica_turn.c - the end of a turn: what the groups touched want persisted and sent.
 *
 * An update becomes log records at once. What must not be said before they are durable waits in a
 * ticket that carries the log position; tickets are in order of position, so that one look at the
 * synced position tells which are due. */
#include <assert.h>
#include <inttypes.h>

#include "mem.h"
#include "raft_wire.h"
#include "replica_internal.h"

enum { PAYLOADS_ON_STACK = 256 };

/* ---- sending --------------------------------------------------------------------------------- */

/* Entries that have left the cache are read back into the arena of the set. */
static struct slice payload_for_send(struct replica *replica, uint64_t index) {
    struct slice payload;
    if (payload_cache_get(&replica->cache, index, &payload)) return payload;
    struct buf scratch = BUF_INIT;
    payload = arena_dup_slice(&replica->set->arena, replica_payload(replica, index, &scratch));
    buf_deinit(&scratch);
    return payload;
}

void replica_send(struct replica *replica, const struct raft_message *message) {
    struct replica_set *set = replica->set;
    uint32_t count = message->type == RAFT_MESSAGE_APPEND ? message->entry_count : 0;
    struct slice stack_payloads[PAYLOADS_ON_STACK];
    struct raft_entry stack_entries[PAYLOADS_ON_STACK];
    bool on_heap = count > PAYLOADS_ON_STACK;
    struct slice *payloads = on_heap ? mem_alloc(count * sizeof *payloads) : stack_payloads;
    struct raft_entry *entries = on_heap ? mem_alloc(count * sizeof *entries) : stack_entries;
    arena_reset(&set->arena);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = message->first_index + i;
        if (!raft_entry_at(replica->raft, index, &entries[i])) assert(false);
        payloads[i] = payload_for_send(replica, index);
    }
    buf_clear(&set->scratch);
    raft_wire_encode(replica->group, message, entries, payloads, &set->scratch);
    if (on_heap) {
        mem_free(payloads);
        mem_free(entries);
    }
    bool sent = set->options.transport->send(set->options.transport_arg, message->to,
                                             buf_slice(&set->scratch));
    counter_add(sent ? set->messages_out : set->messages_dropped, 1);
    if (sent || count == 0) return;
    struct raft_event event = {.type = RAFT_EVENT_UNREACHABLE, .node = message->to};
    if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
}

/* ---- persisting ------------------------------------------------------------------------------ */

/* Appends the update's records; returns the position of the last one, 0 if there were none. */
static uint64_t persist(struct replica *replica, const struct raft_update *update) {
    struct log_store *log = replica->set->options.log;
    uint64_t position = 0;
    if (update->hard_state_changed) {
        position = log_store_set_hard_state(log, replica->group, update->hard_state);
    }
    struct buf scratch = BUF_INIT;
    for (uint64_t i = update->persist_first; i <= update->persist_last && i != 0; i++) {
        struct raft_entry entry;
        struct error error;
        if (!raft_entry_at(replica->raft, i, &entry)) assert(false);
        struct slice payload = SLICE_EMPTY;
        if (!payload_cache_get(&replica->cache, i, &payload)) assert(entry.size_bytes == 0);
        if (log_store_append(log, replica->group, i, entry, payload, &position, &error) !=
            STATUS_OK) {
            env_fatal(replica->set->env, "group %" PRIu64 ": cannot append entry %" PRIu64 ": %s",
                      replica->group, i, error.message);
            break;
        }
    }
    buf_deinit(&scratch);
    return position;
}

static size_t count_deferred(const struct raft_update *update) {
    size_t count = 0;
    for (size_t i = 0; i < update->message_count; i++)
        count += update->messages[i].after_persist ? 1 : 0;
    return count;
}

static void send_messages(struct replica *replica, const struct raft_update *update,
                          bool after_persist) {
    for (size_t i = 0; i < update->message_count; i++) {
        if (update->messages[i].after_persist == after_persist)
            replica_send(replica, &update->messages[i].message);
    }
}

static void add_ticket(struct replica *replica, const struct raft_update *update, uint64_t position,
                       size_t deferred) {
    struct replica_set *set = replica->set;
    struct persist_ticket *ticket =
        mem_zalloc(sizeof *ticket + deferred * sizeof(struct raft_message));
    ticket->replica = replica;
    ticket->position = position;
    ticket->install = update->install.index != 0;
    if (update->persist_last >= update->persist_first && update->persist_last != 0) {
        struct raft_entry last;
        if (!raft_entry_at(replica->raft, update->persist_last, &last)) assert(false);
        ticket->last_index = update->persist_last;
        ticket->last_term = last.term;
    } else if (ticket->install) {
        ticket->last_index = update->install.index;
        ticket->last_term = update->install.term;
    }
    for (size_t i = 0; i < update->message_count; i++) {
        if (update->messages[i].after_persist) {
            ticket->messages[ticket->message_count++] = update->messages[i].message;
        }
    }
    *set->tickets_tail = ticket;
    set->tickets_tail = &ticket->next;
}

static void redeem(struct persist_ticket *ticket) {
    struct replica *replica = ticket->replica;
    for (size_t i = 0; i < ticket->message_count; i++)
        replica_send(replica, &ticket->messages[i]);
    if (ticket->install) {
        replica_snapshot_install_start(replica, ticket->last_index, ticket->last_term);
    } else if (ticket->last_index != 0) {
        struct raft_event event = {
            .type = RAFT_EVENT_PERSISTED, .index = ticket->last_index, .term = ticket->last_term};
        if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
    }
    mem_free(ticket);
}

void replica_on_synced(void *arg, uint64_t synced) {
    struct replica_set *set = arg;
    while (set->tickets != NULL && set->tickets->position < synced) {
        struct persist_ticket *ticket = set->tickets;
        set->tickets = ticket->next;
        if (set->tickets == NULL) set->tickets_tail = &set->tickets;
        redeem(ticket);
    }
}

/* ---- reads and leadership -------------------------------------------------------------------- */

static struct read_barrier *take_barrier(struct replica *replica, uint64_t id) {
    for (struct read_barrier **at = &replica->barriers; *at != NULL; at = &(*at)->next) {
        if ((*at)->id != id) continue;
        struct read_barrier *barrier = *at;
        *at = barrier->next;
        return barrier;
    }
    return NULL;
}

static void settle_reads(struct replica *replica, const struct raft_update *update) {
    for (size_t i = 0; i < update->read_count; i++) {
        struct read_barrier *barrier = take_barrier(replica, update->reads[i].read_id);
        if (barrier == NULL) continue;
        barrier->index = update->reads[i].index;
        barrier->next = replica->ready_barriers;
        replica->ready_barriers = barrier;
    }
    for (size_t i = 0; i < update->failed_read_count; i++) {
        struct read_barrier *barrier = take_barrier(replica, update->failed_reads[i]);
        if (barrier != NULL) replica_set_answer(replica->set, NULL, barrier, STATUS_UNAVAILABLE);
    }
}

void replica_step_down(struct replica *replica) {
    struct replica_set *set = replica->set;
    replica_snapshot_abandon_sends(replica);
    while (replica->proposals != NULL) {
        struct proposal *proposal = replica->proposals;
        replica->proposals = proposal->next;
        replica_set_answer(set, proposal, NULL, STATUS_UNKNOWN_OUTCOME);
    }
    replica->proposals_tail = &replica->proposals;
    replica->proposal_bytes = 0;
    while (replica->barriers != NULL) {
        struct read_barrier *barrier = replica->barriers;
        replica->barriers = barrier->next;
        replica_set_answer(set, NULL, barrier, STATUS_UNAVAILABLE);
    }
    if (!replica->leads) return;
    replica->leads = false;
    replica->machine->on_leader(replica->machine_arg, false, replica->leads_term);
}

/* Leading begins for the state machine when an entry of the own term is applied: all older ones
 * are, too. */
void replica_check_leadership(struct replica *replica) {
    struct raft_status status = raft_status(replica->raft);
    bool leading = status.role == RAFT_LEADER;
    if (replica->leads && (!leading || status.term != replica->leads_term))
        replica_step_down(replica);
    if (!leading || replica->leads || replica->applied_term != status.term) return;
    replica->leads = true;
    replica->leads_term = status.term;
    counter_add(replica->set->leader_changes, 1);
    replica->machine->on_leader(replica->machine_arg, true, status.term);
}

static void log_role(struct replica *replica) {
    struct raft_status status = raft_status(replica->raft);
    log_info(env_log(replica->set->env), "raft",
             "role changed group=%" PRIu64 " role=%s term=%" PRIu64 " leader=%" PRIu64
             " last=%" PRIu64 " commit=%" PRIu64,
             replica->group, raft_role_name(status.role), status.term, status.leader,
             status.last_index, status.commit);
}

/* ---- the turn -------------------------------------------------------------------------------- */

static void take_update(struct replica *replica) {
    struct replica_set *set = replica->set;
    struct raft_update update = replica->update;
    raft_update_init(&replica->update); /* sending may step the core again */
    uint64_t position = persist(replica, &update);
    if (update.install.index != 0) {
        position = log_store_install_snapshot(set->options.log, replica->group,
                                              update.install.index, update.install.term);
        payload_cache_clear(&replica->cache);
        replica->installing = true; /* nothing is applied or compacted until that is done */
    }
    if (update.role_changed) log_role(replica);
    send_messages(replica, &update, false);
    size_t deferred = count_deferred(&update);
    if (position != 0) {
        add_ticket(replica, &update, position, deferred);
    } else if (deferred > 0 && set->tickets != NULL) {
        add_ticket(replica, &update, log_store_end(set->options.log) - 1, deferred);
    } else {
        send_messages(replica, &update, true);
    }
    settle_reads(replica, &update);
    for (size_t i = 0; i < update.snapshot_to_count; i++)
        replica_snapshot_send(replica, update.snapshot_to[i]);
    if (update.commit > replica->commit) replica->commit = update.commit;
    replica_check_leadership(replica);
    env_timer_start(set->env, &replica->timer, update.deadline_ns);
    raft_update_clear(&update);
    if (replica->update.messages == NULL && !replica->touched) {
        replica->update = update; /* keeps its memory */
    } else {
        raft_update_deinit(&update);
    }
}

void replica_turn_raft(void *arg) {
    struct replica_set *set = arg;
    for (int round = 0; set->touched != NULL && round < 8; round++) {
        struct replica *replica = set->touched;
        set->touched = NULL;
        while (replica != NULL) {
            struct replica *next = replica->next_touched;
            replica->touched = false;
            raft_finish(replica->raft, &replica->update);
            take_update(replica);
            replica = next;
        }
    }
    if (set->touched != NULL) env_post(set->env, &set->again_task);
}
