/* log_store.c - Raft logs of all groups in one WAL: an index in memory over records on disk.
 *
 * Per group: its state, the entries' terms and sizes, and where each entry's record lies. Replay
 * rebuilds exactly that. Payloads stay on disk. What Raft wants to persist, and when, is decided
 * above. */
#include "log_store.h"

#include <assert.h>
#include <inttypes.h>

#include "mem.h"
#include "raft_log.pb-c.h"
#include "wal.h"

struct group_log {
    struct group_state state;
    struct raft_entry *entries; /* entries[i] has index log_start_index + 1 + i */
    uint64_t *positions;
    size_t count, capacity;
    /* Replay: what lies before the first entry seen is behind a log start that a later record must
     * state. */
    bool start_is_guessed;
};

struct log_store {
    struct env *env;
    struct wal *wal;
    struct node_state node;
    struct group_log **groups; /* ascending by id */
    size_t group_count;
    struct buf scratch;
    void (*on_synced)(void *arg, uint64_t synced);
    void *on_synced_arg;
    uint64_t truncate_to, truncate_after; /* drop below the first once the second is synced */
};

/* ---- groups in memory ------------------------------------------------------------------------ */

static struct group_log *find_group(const struct log_store *store, uint64_t group) {
    for (size_t i = 0; i < store->group_count; i++) {
        if (store->groups[i]->state.group == group) return store->groups[i];
    }
    return NULL;
}

static struct group_log *add_group(struct log_store *store, uint64_t group) {
    struct group_log *log = MEM_NEW(struct group_log);
    log->state.group = group;
    store->groups =
        mem_realloc(store->groups, (store->group_count + 1) * sizeof(struct group_log *));
    size_t at = store->group_count++;
    for (; at > 0 && store->groups[at - 1]->state.group > group; at--) {
        store->groups[at] = store->groups[at - 1];
    }
    store->groups[at] = log;
    return log;
}

static uint64_t last_index(const struct group_log *log) {
    return log->state.log_start_index + log->count;
}

static void truncate_entries(struct group_log *log, uint64_t from_index) {
    uint64_t keep = from_index - log->state.log_start_index - 1;
    if (keep < log->count) log->count = (size_t)keep;
}

static void push_entry(struct group_log *log, struct raft_entry entry, uint64_t position) {
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 256 : log->capacity * 2;
        log->entries = mem_realloc(log->entries, log->capacity * sizeof *log->entries);
        log->positions = mem_realloc(log->positions, log->capacity * sizeof *log->positions);
    }
    log->entries[log->count] = entry;
    log->positions[log->count++] = position;
}

/* Forgets entries up to `index`, which becomes the log start. */
static void move_log_start(struct group_log *log, uint64_t index, uint64_t term) {
    uint64_t drop = index - log->state.log_start_index;
    if (drop >= log->count) {
        log->count = 0;
    } else {
        log->count -= (size_t)drop;
        memmove(log->entries, log->entries + drop, log->count * sizeof *log->entries);
        memmove(log->positions, log->positions + drop, log->count * sizeof *log->positions);
    }
    log->state.log_start_index = index;
    log->state.log_start_term = term;
}

/* ---- records --------------------------------------------------------------------------------- */

static uint64_t append_encoded(struct log_store *store, enum log_record type) {
    struct error error;
    uint64_t position = 0;
    if (wal_append(store->wal, (uint8_t)type, buf_slice(&store->scratch), &position, &error) !=
        STATUS_OK) {
        env_fatal(store->env, "cannot append to the log: %s", error.message);
    }
    return position;
}

static uint64_t append_record(struct log_store *store, enum log_record type,
                              const ProtobufCMessage *message) {
    buf_clear(&store->scratch);
    protobuf_c_message_pack(
        message, buf_extend(&store->scratch, protobuf_c_message_get_packed_size(message)));
    return append_encoded(store, type);
}

static uint64_t write_node(struct log_store *store) {
    buf_clear(&store->scratch);
    node_state_encode(&store->node, &store->scratch);
    return append_encoded(store, LOG_RECORD_NODE);
}

static uint64_t write_group(struct log_store *store, const struct group_state *state) {
    GroupState wire = GROUP_STATE__INIT;
    wire.group = state->group;
    wire.term = state->hard_state.term;
    wire.vote = state->hard_state.vote;
    wire.log_start_index = state->log_start_index;
    wire.log_start_term = state->log_start_term;
    wire.n_voters = state->voter_count;
    wire.voters = (uint64_t *)(uintptr_t)state->voters;
    wire.snapshot_index = state->snapshot_index;
    wire.snapshot_term = state->snapshot_term;
    return append_record(store, LOG_RECORD_GROUP, &wire.base);
}

/* A new segment opens with everything that the older ones would be needed for, entries aside. */
static void write_preamble(void *arg, struct wal *wal) {
    struct log_store *store = arg;
    (void)wal;
    struct buf scratch = store->scratch; /* in use by the record that caused the new segment */
    store->scratch = BUF_INIT;
    if (store->node.node_id != 0) write_node(store);
    for (size_t i = 0; i < store->group_count; i++)
        write_group(store, &store->groups[i]->state);
    buf_deinit(&store->scratch);
    store->scratch = scratch;
}

/* ---- replay ---------------------------------------------------------------------------------- */

static enum status replay_node(struct log_store *store, struct slice payload) {
    return node_state_decode(payload, &store->node) == STATUS_OK ? STATUS_OK : STATUS_CORRUPT;
}

static enum status replay_group(struct log_store *store, struct slice payload) {
    GroupState *wire = group_state__unpack(NULL, payload.len, payload.data);
    if (wire == NULL) return STATUS_CORRUPT;
    if (wire->n_voters > RAFT_MAX_VOTERS) {
        group_state__free_unpacked(wire, NULL);
        return STATUS_CORRUPT;
    }
    struct group_log *log = find_group(store, wire->group);
    if (log == NULL) {
        log = add_group(store, wire->group);
        log->state.log_start_index = wire->log_start_index;
        log->state.log_start_term = wire->log_start_term;
    }
    struct group_state *state = &log->state;
    /* A snapshot's record makes the log empty even if older entries reach beyond it: they may
     * differ. */
    bool snapshot = wire->snapshot_index > state->snapshot_index &&
                    wire->snapshot_index == wire->log_start_index;
    bool confirmed = log->start_is_guessed && wire->log_start_index == state->log_start_index;
    if (snapshot) log->count = 0;
    if (snapshot || confirmed) {
        state->log_start_index = wire->log_start_index;
        state->log_start_term = wire->log_start_term;
        log->start_is_guessed = false;
    } else if (wire->log_start_index > state->log_start_index) {
        move_log_start(log, wire->log_start_index, wire->log_start_term);
        log->start_is_guessed = false;
    }
    state->hard_state = (struct raft_hard_state){.term = wire->term, .vote = wire->vote};
    state->voter_count = wire->n_voters;
    memcpy(state->voters, wire->voters, wire->n_voters * sizeof *wire->voters);
    state->snapshot_index = wire->snapshot_index;
    state->snapshot_term = wire->snapshot_term;
    group_state__free_unpacked(wire, NULL);
    return STATUS_OK;
}

static enum status replay_hard_state(struct log_store *store, struct slice payload) {
    HardState *wire = hard_state__unpack(NULL, payload.len, payload.data);
    if (wire == NULL) return STATUS_CORRUPT;
    struct group_log *log = find_group(store, wire->group);
    if (log != NULL) {
        log->state.hard_state = (struct raft_hard_state){.term = wire->term, .vote = wire->vote};
    }
    hard_state__free_unpacked(wire, NULL);
    return log == NULL ? STATUS_CORRUPT : STATUS_OK;
}

/* The first segment kept may begin after entries that its preamble still counts: they are behind a
 * log start that a later record states. What is seen first may also be entries that were replaced
 * from further below: each entry replaces all from its index on, so a lower one moves the guess. */
static void replay_entry_at(struct group_log *log, const LogEntry *wire, uint64_t position) {
    struct raft_entry entry = {
        .term = wire->term, .size_bytes = (uint32_t)wire->payload.len, .type = (uint8_t)wire->type};
    bool below = wire->index <= log->state.log_start_index;
    if (below && !log->start_is_guessed) return;
    if (below || wire->index > last_index(log) + 1) {
        log->start_is_guessed = true;
        log->count = 0;
        log->state.log_start_index = wire->index - 1;
        log->state.log_start_term = 0;
    }
    truncate_entries(log, wire->index);
    push_entry(log, entry, position);
}

static enum status replay_entry(struct log_store *store, struct slice payload, uint64_t position) {
    LogEntry *wire = log_entry__unpack(NULL, payload.len, payload.data);
    if (wire == NULL) return STATUS_CORRUPT;
    struct group_log *log = find_group(store, wire->group);
    bool valid = log != NULL && wire->index > 0 && wire->type <= UINT8_MAX;
    if (valid) replay_entry_at(log, wire, position);
    log_entry__free_unpacked(wire, NULL);
    return valid ? STATUS_OK : STATUS_CORRUPT;
}

static enum status replay(void *arg, uint64_t position, uint8_t type, struct slice payload,
                          struct error *error) {
    struct log_store *store = arg;
    enum status status = STATUS_CORRUPT;
    switch (type) {
    case LOG_RECORD_NODE:
        status = replay_node(store, payload);
        break;
    case LOG_RECORD_GROUP:
        status = replay_group(store, payload);
        break;
    case LOG_RECORD_HARD_STATE:
        status = replay_hard_state(store, payload);
        break;
    case LOG_RECORD_ENTRY:
        status = replay_entry(store, payload, position);
        break;
    default:
        break;
    }
    if (status == STATUS_OK) return STATUS_OK;
    return error_set(error, status, "record of type %u at log position %" PRIu64 " makes no sense",
                     type, position);
}

static enum status check_replayed(const struct log_store *store, struct error *error) {
    for (size_t i = 0; i < store->group_count; i++) {
        const struct group_log *log = store->groups[i];
        if (!log->start_is_guessed) continue;
        return error_set(error, STATUS_CORRUPT,
                         "group %" PRIu64 ": log entries before %" PRIu64 " are missing",
                         log->state.group, log->state.log_start_index + 1);
    }
    return STATUS_OK;
}

/* ---- opening --------------------------------------------------------------------------------- */

/* Removing a segment must wait until the log start that allows it is durable. */
static void on_synced(void *arg, uint64_t synced) {
    struct log_store *store = arg;
    if (store->truncate_to != 0 && synced > store->truncate_after) {
        wal_truncate_before(store->wal, store->truncate_to);
        store->truncate_to = 0;
    }
    if (store->on_synced != NULL) store->on_synced(store->on_synced_arg, synced);
}

enum status log_store_open(struct env *env, const char *dir, uint64_t segment_bytes,
                           struct metrics *metrics, struct log_store **out, struct error *error) {
    struct log_store *store = MEM_NEW(struct log_store);
    store->env = env;
    struct wal_options options = {
        .segment_bytes = (size_t)segment_bytes, .on_loop = true, .metrics = metrics};
    enum status status = wal_open(env, dir, &options, replay, store, &store->wal, error);
    if (status == STATUS_OK) status = check_replayed(store, error);
    if (status != STATUS_OK) {
        log_store_close(store);
        return status;
    }
    wal_set_segment_preamble(store->wal, write_preamble, store);
    wal_on_synced(store->wal, on_synced, store);
    *out = store;
    return STATUS_OK;
}

void log_store_close(struct log_store *store) {
    if (store == NULL) return;
    wal_close(store->wal);
    for (size_t i = 0; i < store->group_count; i++) {
        mem_free(store->groups[i]->entries);
        mem_free(store->groups[i]->positions);
        mem_free(store->groups[i]);
    }
    mem_free(store->groups);
    buf_deinit(&store->scratch);
    mem_free(store);
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct node_state *log_store_node(const struct log_store *store) { return &store->node; }

size_t log_store_group_count(const struct log_store *store) { return store->group_count; }

uint64_t log_store_group_at(const struct log_store *store, size_t i) {
    return store->groups[i]->state.group;
}

const struct group_state *log_store_group(const struct log_store *store, uint64_t group) {
    const struct group_log *log = find_group(store, group);
    return log == NULL ? NULL : &log->state;
}

const struct raft_entry *log_store_entries(const struct log_store *store, uint64_t group,
                                           size_t *count) {
    const struct group_log *log = find_group(store, group);
    *count = log == NULL ? 0 : log->count;
    return log == NULL ? NULL : log->entries;
}

enum status log_store_read(struct log_store *store, uint64_t group, uint64_t index, struct buf *out,
                           struct error *error) {
    const struct group_log *log = find_group(store, group);
    if (log == NULL || index <= log->state.log_start_index || index > last_index(log)) {
        return error_set(error, STATUS_NOT_FOUND, "group %" PRIu64 " has no entry %" PRIu64, group,
                         index);
    }
    uint64_t position = log->positions[index - log->state.log_start_index - 1];
    uint8_t type = 0;
    TRY(wal_read(store->wal, position, &type, &store->scratch, error));
    LogEntry *wire = log_entry__unpack(NULL, store->scratch.len, store->scratch.data);
    if (type != LOG_RECORD_ENTRY || wire == NULL || wire->group != group || wire->index != index) {
        if (wire != NULL) log_entry__free_unpacked(wire, NULL);
        return error_set(error, STATUS_CORRUPT,
                         "log position %" PRIu64 " should hold entry %" PRIu64, position, index);
    }
    buf_append(out, wire->payload.data, wire->payload.len);
    log_entry__free_unpacked(wire, NULL);
    return STATUS_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

uint64_t log_store_set_node(struct log_store *store, const struct node_state *node) {
    store->node = *node;
    return write_node(store);
}

uint64_t log_store_create_group(struct log_store *store, const struct group_state *state) {
    assert(find_group(store, state->group) == NULL);
    struct group_log *log = add_group(store, state->group);
    log->state = *state;
    return write_group(store, &log->state);
}

uint64_t log_store_set_hard_state(struct log_store *store, uint64_t group,
                                  struct raft_hard_state state) {
    struct group_log *log = find_group(store, group);
    log->state.hard_state = state;
    HardState wire = HARD_STATE__INIT;
    wire.group = group;
    wire.term = state.term;
    wire.vote = state.vote;
    return append_record(store, LOG_RECORD_HARD_STATE, &wire.base);
}

enum status log_store_append(struct log_store *store, uint64_t group, uint64_t index,
                             struct raft_entry entry, struct slice payload, uint64_t *position,
                             struct error *error) {
    struct group_log *log = find_group(store, group);
    assert(index > log->state.log_start_index && index <= last_index(log) + 1);
    LogEntry wire = LOG_ENTRY__INIT;
    wire.group = group;
    wire.index = index;
    wire.term = entry.term;
    wire.type = entry.type;
    wire.payload.len = payload.len;
    wire.payload.data = (uint8_t *)(uintptr_t)payload.data;
    buf_clear(&store->scratch);
    log_entry__pack(&wire, buf_extend(&store->scratch, log_entry__get_packed_size(&wire)));
    TRY(wal_append(store->wal, LOG_RECORD_ENTRY, buf_slice(&store->scratch), position, error));
    truncate_entries(log, index);
    push_entry(log, entry, *position);
    return STATUS_OK;
}

uint64_t log_store_install_snapshot(struct log_store *store, uint64_t group, uint64_t index,
                                    uint64_t term) {
    struct group_log *log = find_group(store, group);
    log->count = 0;
    log->state.log_start_index = index;
    log->state.log_start_term = term;
    log->state.snapshot_index = index;
    log->state.snapshot_term = term;
    return write_group(store, &log->state);
}

void log_store_compact(struct log_store *store, uint64_t group, uint64_t index, uint64_t term) {
    struct group_log *log = find_group(store, group);
    assert(index >= log->state.log_start_index && index <= last_index(log));
    if (index >= log->state.snapshot_index)
        log->state.snapshot_index = log->state.snapshot_term = 0;
    move_log_start(log, index, term);
    uint64_t position = write_group(store, &log->state);
    uint64_t needed = position;
    for (size_t i = 0; i < store->group_count; i++) {
        const struct group_log *each = store->groups[i];
        if (each->count > 0 && each->positions[0] < needed) needed = each->positions[0];
    }
    store->truncate_to = needed;
    store->truncate_after = position;
}

/* ---- durability ------------------------------------------------------------------------------ */

enum status log_store_sync_blocking(struct log_store *store, struct error *error) {
    return wal_sync_blocking(store->wal, error);
}

void log_store_on_synced(struct log_store *store, void (*callback)(void *arg, uint64_t synced),
                         void *arg) {
    store->on_synced = callback;
    store->on_synced_arg = arg;
}

uint64_t log_store_synced(const struct log_store *store) { return wal_synced(store->wal); }

uint64_t log_store_end(const struct log_store *store) { return wal_end(store->wal); }

enum status log_store_writable(const struct log_store *store) { return wal_writable(store->wal); }

uint64_t log_store_size_bytes(const struct log_store *store) {
    return wal_end(store->wal) - wal_start(store->wal);
}
