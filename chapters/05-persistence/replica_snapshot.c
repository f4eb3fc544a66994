/* replica_snapshot.c - a group's whole data to a follower that the log no longer reaches.
 *
 * Sender: walks an engine snapshot, one chunk under way per follower. Receiver: appends chunks to a
 * staging file; when the last one is synced, the core is told. Installer: once the log says that
 * the staged snapshot is the state, its records go into the engine, one a turn; a crash in between
 * repeats it from the file.
 *
 * Staging file: records {length u32, checksum u64, write batch}, closed by a record of length 0. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "mem.h"
#include "raft_message.pb-c.h"
#include "replica_internal.h"

enum {
    CHUNK_BYTES = 512 * 1024,
    RECORD_HEADER_BYTES = 12,
    RECORD_MAX_BYTES = 128 * 1024 * 1024,
    REINSTALL_TRIES = 100000 /* while the engine is busy with what it was given before */
};

static void staged_path(const struct replica *replica, uint64_t index, const char *suffix,
                        char *out, size_t size) {
    snprintf(out, size, "%s/group-%" PRIu64 "-%" PRIu64 ".%s", replica->set->options.snapshot_dir,
             replica->group, index, suffix);
}

/* ---- sending --------------------------------------------------------------------------------- */

static void sender_free(struct snapshot_sender *sender) {
    for (struct snapshot_sender **at = &sender->replica->senders; *at != NULL; at = &(*at)->next) {
        if (*at != sender) continue;
        *at = sender->next;
        break;
    }
    engine_snapshot_release(sender->replica->set->options.engine, sender->snapshot);
    buf_deinit(&sender->resume_key);
    mem_free(sender);
}

/* The next pairs into `batch`; true if these were the last. */
static bool fill_chunk(struct snapshot_sender *sender, struct write_batch *batch) {
    struct replica *replica = sender->replica;
    struct engine_iterator_options bounds = {.lower = buf_slice(&sender->resume_key),
                                             .upper = buf_slice(&replica->data_end),
                                             .snapshot = sender->snapshot};
    struct engine_iterator *it = engine_iterator_new(replica->set->options.engine, &bounds);
    bool more = engine_iterator_seek_first(it);
    while (more && batch->bytes.len < CHUNK_BYTES) {
        write_batch_put(batch, engine_iterator_key(it), engine_iterator_value(it));
        more = engine_iterator_next(it);
    }
    struct error error;
    if (more) {
        buf_clear(&sender->resume_key);
        buf_append_slice(&sender->resume_key, engine_iterator_key(it));
    } else if (engine_iterator_status(it, &error) != STATUS_OK) {
        env_fatal(replica->set->env, "the engine failed: %s", error.message);
    }
    engine_iterator_free(it);
    return !more;
}

static void chunk_done(void *arg, enum status status);

static void send_next_chunk(struct snapshot_sender *sender) {
    struct replica *replica = sender->replica;
    struct write_batch batch;
    write_batch_init(&batch);
    sender->last_sent = fill_chunk(sender, &batch);
    SnapshotChunk wire = SNAPSHOT_CHUNK__INIT;
    wire.group = replica->group;
    wire.term = sender->term;
    wire.from = replica->set->options.node_id;
    wire.index = sender->index;
    wire.index_term = sender->index_term;
    wire.sequence = sender->sequence++;
    wire.pairs.len = batch.bytes.len;
    wire.pairs.data = batch.bytes.data;
    wire.last = sender->last_sent;
    struct buf bytes = BUF_INIT;
    snapshot_chunk__pack(&wire, buf_extend(&bytes, snapshot_chunk__get_packed_size(&wire)));
    replica->set->options.transport->send_chunk(replica->set->options.transport_arg, sender->to,
                                                buf_slice(&bytes), chunk_done, sender);
    buf_deinit(&bytes);
    write_batch_deinit(&batch);
}

static void chunk_done(void *arg, enum status status) {
    struct snapshot_sender *sender = arg;
    struct replica *replica = sender->replica;
    if (!sender->abandoned && status == STATUS_OK && !sender->last_sent) {
        send_next_chunk(sender);
        return;
    }
    uint64_t to = sender->to;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_SENT,
                               .node = to,
                               .index = sender->index,
                               .term = sender->index_term,
                               .ok = status == STATUS_OK};
    bool report = !sender->abandoned;
    if (status != STATUS_OK) {
        log_warn(env_log(replica->set->env), "replica",
                 "snapshot not sent group=%" PRIu64 " to=%" PRIu64 " status=%s", replica->group, to,
                 status_name(status));
    } else if (report) {
        counter_add(replica->set->snapshots_sent, 1);
    }
    sender_free(sender);
    if (!report) return;
    if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
}

void replica_snapshot_send(struct replica *replica, uint64_t to) {
    for (struct snapshot_sender *each = replica->senders; each != NULL; each = each->next) {
        if (each->to == to && !each->abandoned) return;
    }
    struct snapshot_sender *sender = MEM_NEW(struct snapshot_sender);
    sender->replica = replica;
    sender->to = to;
    sender->term = raft_status(replica->raft).term;
    sender->index = replica->applied;
    sender->index_term = replica->applied_term;
    sender->snapshot = engine_snapshot_new(replica->set->options.engine);
    buf_append_slice(&sender->resume_key, buf_slice(&replica->data_start));
    sender->next = replica->senders;
    replica->senders = sender;
    log_info(env_log(replica->set->env), "replica",
             "sending snapshot group=%" PRIu64 " to=%" PRIu64 " index=%" PRIu64, replica->group, to,
             sender->index);
    send_next_chunk(sender);
}

/* A sender is freed when its chunk under way is answered. */
void replica_snapshot_abandon_sends(struct replica *replica) {
    for (struct snapshot_sender *each = replica->senders; each != NULL; each = each->next)
        each->abandoned = true;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void receiver_reset(struct replica *replica) {
    struct snapshot_receiver *receiver = &replica->receiver;
    if (receiver->file != NULL) file_close(receiver->file);
    receiver->file = NULL;
}

/* What cannot be completed gives its space back. */
static void receiver_abandon(struct replica *replica) {
    struct error error;
    receiver_reset(replica);
    if (env_file_remove(replica->set->env, replica->receiver.path, &error) != STATUS_OK)
        log_warn(env_log(replica->set->env), "replica", "%s", error.message);
}

static enum status receiver_start(struct replica *replica, const SnapshotChunk *chunk,
                                  struct error *error) {
    struct snapshot_receiver *receiver = &replica->receiver;
    struct env *env = replica->set->env;
    receiver_reset(replica);
    TRY(env_dir_create(env, replica->set->options.snapshot_dir, error));
    staged_path(replica, chunk->index, "part", receiver->path, sizeof receiver->path);
    TRY(env_file_open(env, receiver->path, FILE_READ_WRITE, &receiver->file, error));
    enum status status = file_truncate(receiver->file, 0, error);
    if (status != STATUS_OK) {
        receiver_reset(replica);
        return status;
    }
    receiver->from = chunk->from;
    receiver->term = chunk->term;
    receiver->index = chunk->index;
    receiver->index_term = chunk->index_term;
    receiver->next_sequence = 0;
    receiver->offset = 0;
    return STATUS_OK;
}

static enum status write_record(struct snapshot_receiver *receiver, struct slice batch,
                                struct error *error) {
    struct buf record = BUF_INIT;
    put_u32le(&record, (uint32_t)batch.len);
    put_u64le(&record, checksum64(batch, receiver->offset));
    buf_append_slice(&record, batch);
    enum status status = file_write_at(receiver->file, receiver->offset, buf_slice(&record), error);
    receiver->offset += record.len;
    buf_deinit(&record);
    return status;
}

/* Everything has arrived: the file gets its name, and the core decides whether it still wants the
 * snapshot. */
static enum status receiver_finish(struct replica *replica, struct error *error) {
    struct snapshot_receiver *receiver = &replica->receiver;
    struct env *env = replica->set->env;
    char path[512];
    TRY(write_record(receiver, SLICE_EMPTY, error));
    TRY(file_sync(receiver->file, error));
    receiver_reset(replica);
    staged_path(replica, receiver->index, "snapshot", path, sizeof path);
    TRY(env_file_rename(env, receiver->path, path, error));
    TRY(env_dir_sync(env, replica->set->options.snapshot_dir, error));
    struct raft_message message = {.type = RAFT_MESSAGE_SNAPSHOT,
                                   .from = receiver->from,
                                   .to = replica->set->options.node_id,
                                   .term = receiver->term,
                                   .log_index = receiver->index,
                                   .log_term = receiver->index_term};
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &message};
    return replica_step(replica, &event, NULL);
}

static enum status receive(struct replica *replica, const SnapshotChunk *chunk,
                           struct error *error) {
    struct snapshot_receiver *receiver = &replica->receiver;
    if (chunk->term < raft_status(replica->raft).term) {
        return error_set(error, STATUS_INVALID, "snapshot from a stale leader (term %" PRIu64 ")",
                         chunk->term);
    }
    if (replica->installing) {
        return error_set(error, STATUS_BUSY, "another snapshot is being installed");
    }
    if (chunk->sequence == 0) TRY(receiver_start(replica, chunk, error));
    bool expected = receiver->file != NULL && chunk->sequence == receiver->next_sequence &&
                    chunk->index == receiver->index && chunk->from == receiver->from &&
                    chunk->term == receiver->term;
    if (!expected)
        return error_set(error, STATUS_INVALID, "snapshot chunk %" PRIu64 " out of order",
                         chunk->sequence);
    struct slice pairs = slice_of(chunk->pairs.data, chunk->pairs.len);
    TRY(write_batch_validate(pairs, NULL, error));
    enum status status = pairs.len > 0 ? write_record(receiver, pairs, error) : STATUS_OK;
    if (status != STATUS_OK) {
        receiver_abandon(replica);
        return status;
    }
    receiver->next_sequence++;
    if (!chunk->last) return STATUS_OK;
    status = receiver_finish(replica, error);
    if (receiver->file != NULL) receiver_abandon(replica);
    return status;
}

enum status replica_set_receive_chunk(struct replica_set *set, uint64_t from, struct slice bytes,
                                      uint64_t *next_sequence, struct error *error) {
    SnapshotChunk *chunk = snapshot_chunk__unpack(NULL, bytes.len, bytes.data);
    if (chunk == NULL) return error_set(error, STATUS_INVALID, "malformed snapshot chunk");
    if (chunk->from != from || from == 0) {
        snapshot_chunk__free_unpacked(chunk, NULL);
        return error_set(error, STATUS_INVALID, "a snapshot comes from its leader alone");
    }
    struct replica *replica = replica_set_find(set, chunk->group);
    enum status status = replica == NULL ? error_set(error, STATUS_NOT_FOUND,
                                                     "no group %" PRIu64 " here", chunk->group)
                                         : receive(replica, chunk, error);
    *next_sequence = replica == NULL ? 0 : replica->receiver.next_sequence;
    snapshot_chunk__free_unpacked(chunk, NULL);
    return status;
}

/* ---- installing ------------------------------------------------------------------------------ */

/* Reads the record at the installer's offset. An empty batch is the end. */
static enum status read_record(struct snapshot_installer *installer, struct buf *batch,
                               struct error *error) {
    uint8_t header[RECORD_HEADER_BYTES];
    size_t got = 0;
    TRY(file_read_at(installer->file, installer->offset, header, sizeof header, &got, error));
    uint32_t len = got == sizeof header ? load_u32le(header) : UINT32_MAX;
    bool intact = len <= RECORD_MAX_BYTES;
    buf_clear(batch);
    if (intact) {
        uint8_t *data = buf_extend(batch, len);
        TRY(file_read_at(installer->file, installer->offset + sizeof header, data, len, &got,
                         error));
        intact =
            got == len && checksum64(buf_slice(batch), installer->offset) == load_u64le(header + 4);
    }
    if (!intact) {
        return error_set(error, STATUS_CORRUPT, "staged snapshot %s is damaged at offset %" PRIu64,
                         file_path(installer->file), installer->offset);
    }
    installer->offset += sizeof header + len;
    return STATUS_OK;
}

bool replica_snapshot_is_staged(const struct replica *replica, uint64_t index) {
    char path[512];
    staged_path(replica, index, "snapshot", path, sizeof path);
    return env_file_exists(replica->set->env, path);
}

static enum status installer_open(struct replica *replica, uint64_t index, uint64_t term,
                                  struct error *error) {
    char path[512];
    staged_path(replica, index, "snapshot", path, sizeof path);
    replica->installer = (struct snapshot_installer){.index = index, .term = term};
    replica->installing = true;
    return env_file_open(replica->set->env, path, FILE_READ, &replica->installer.file, error);
}

/* While records go in, the applied index is 0: a crash finds the engine older than the snapshot. */
static void begin_replacing(struct replica *replica, struct write_batch *batch) {
    struct buf key = BUF_INIT;
    replica_applied_key(replica->group, &key);
    write_batch_delete(batch, buf_slice(&key));
    write_batch_delete_range(batch, buf_slice(&replica->data_start), buf_slice(&replica->data_end));
    buf_deinit(&key);
}

static void end_replacing(struct replica *replica, struct write_batch *batch) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    replica_applied_key(replica->group, &key);
    replica_applied_value(replica->installer.index, replica->installer.term, &value);
    write_batch_put(batch, buf_slice(&key), buf_slice(&value));
    buf_deinit(&key);
    buf_deinit(&value);
}

/* One record of the file into the engine. `done` is set after the last. BUSY: call again later. */
static enum status install_record(struct replica *replica, bool *done, struct error *error) {
    struct snapshot_installer *installer = &replica->installer;
    uint64_t offset = installer->offset;
    struct buf record = BUF_INIT;
    struct write_batch batch;
    write_batch_init(&batch);
    if (offset == 0) begin_replacing(replica, &batch);
    enum status status = read_record(installer, &record, error);
    *done = status == STATUS_OK && record.len == 0;
    if (*done) end_replacing(replica, &batch);
    if (status == STATUS_OK) status = write_batch_append_encoded(&batch, buf_slice(&record), error);
    if (status == STATUS_OK) status = engine_write(replica->set->options.engine, &batch, error);
    if (status == STATUS_BUSY || status == STATUS_NO_SPACE) {
        installer->offset = offset;
        *done = false;
    }
    write_batch_deinit(&batch);
    buf_deinit(&record);
    return status;
}

static void installer_close(struct replica *replica) {
    file_close(replica->installer.file);
    replica->installer.file = NULL;
    replica->installing = false;
    replica->applied = replica->collected = replica->installer.index;
    replica->applied_term = replica->collected_term = replica->installer.term;
    counter_add(replica->set->snapshots_installed, 1);
}

void replica_snapshot_install_start(struct replica *replica, uint64_t index, uint64_t term) {
    struct error error;
    if (installer_open(replica, index, term, &error) != STATUS_OK) {
        env_fatal(replica->set->env, "group %" PRIu64 ": cannot open its snapshot: %s",
                  replica->group, error.message);
        return;
    }
    env_timer_start(replica->set->env, &replica->set->install_timer, env_now_ns(replica->set->env));
}

static void installed(struct replica *replica) {
    installer_close(replica);
    if (replica->commit < replica->applied) replica->commit = replica->applied;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_INSTALLED,
                               .index = replica->installer.index,
                               .term = replica->installer.term};
    if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
    replica->machine->restored(replica->machine_arg, replica->applied);
    log_info(env_log(replica->set->env), "replica",
             "snapshot installed group=%" PRIu64 " index=%" PRIu64, replica->group,
             replica->applied);
}

/* A batch that the engine has refused goes in first: it may hold older entries of the same
 * group. */
void replica_snapshot_install_step(void *arg) {
    struct replica_set *set = arg;
    bool again = false, busy = set->batch_pending;
    for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next) {
        if (replica->installer.file == NULL) continue;
        struct error error;
        bool done = false;
        enum status status = STATUS_BUSY;
        if (!set->batch_pending) status = install_record(replica, &done, &error);
        bool refused = status == STATUS_BUSY || status == STATUS_NO_SPACE;
        busy = busy || refused;
        if (status != STATUS_OK && !refused) {
            env_fatal(set->env, "group %" PRIu64 ": %s", replica->group, error.message);
            return;
        }
        if (done) installed(replica);
        again = again || !done;
    }
    uint64_t pause_ns = busy ? 10 * NS_PER_MS : 0;
    if (again) env_timer_start(set->env, &set->install_timer, env_now_ns(set->env) + pause_ns);
}

enum status replica_snapshot_reinstall(struct replica *replica, uint64_t index, uint64_t term,
                                       struct error *error) {
    TRY(installer_open(replica, index, term, error));
    bool done = false;
    for (int tries = 0; !done; tries++) {
        enum status status = install_record(replica, &done, error);
        bool again = status == STATUS_BUSY && tries < REINSTALL_TRIES;
        if (status != STATUS_OK && !again) return status;
    }
    installer_close(replica);
    return STATUS_OK;
}

/* ---- tidying --------------------------------------------------------------------------------- */

struct forget {
    struct replica *replica;
    uint64_t up_to;
};

static void forget_entry(void *arg, const char *name) {
    struct forget *forget = arg;
    uint64_t group, index;
    char suffix[16];
    if (sscanf(name, "group-%" SCNu64 "-%" SCNu64 ".%15s", &group, &index, suffix) != 3) return;
    if (group != forget->replica->group || index > forget->up_to) return;
    char path[512];
    struct error error;
    snprintf(path, sizeof path, "%s/%s", forget->replica->set->options.snapshot_dir, name);
    const struct snapshot_receiver *receiver = &forget->replica->receiver;
    if (receiver->file != NULL && strcmp(receiver->path, path) == 0) return;
    if (env_file_remove(forget->replica->set->env, path, &error) != STATUS_OK) {
        log_warn(env_log(forget->replica->set->env), "replica", "%s", error.message);
    }
}

/* Staged files that the engine's own files have caught up with. */
void replica_snapshot_forget(struct replica *replica, uint64_t up_to_index) {
    struct forget forget = {.replica = replica, .up_to = up_to_index};
    const char *dir = replica->set->options.snapshot_dir;
    struct error error;
    if (!env_file_exists(replica->set->env, dir)) return;
    if (env_dir_list(replica->set->env, dir, forget_entry, &forget, &error) != STATUS_OK) {
        log_warn(env_log(replica->set->env), "replica", "%s", error.message);
    }
}

void replica_snapshot_deinit(struct replica *replica) {
    while (replica->senders != NULL)
        sender_free(replica->senders);
    receiver_reset(replica);
    if (replica->installer.file != NULL) file_close(replica->installer.file);
    replica->installer.file = NULL;
}
