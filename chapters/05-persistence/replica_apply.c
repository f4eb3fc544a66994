/* replica_apply.c - committed entries into the engine, and what follows: answers, reads, flush,
 * compaction.
 *
 * Entries are applied only when they are durable in our own log as well: else a crash could leave
 * an engine that is ahead of the log it recovers from. */
#include <assert.h>
#include <inttypes.h>

#include "codec.h"
#include "mem.h"
#include "replica_internal.h"

enum {
    APPLY_BYTES_PER_TURN = 4 * 1024 * 1024,
    APPLY_ENTRIES_PER_TURN = 4096,
    CACHE_BYTES = 8 * 1024 * 1024
};

/* ---- the applied index ----------------------------------------------------------------------- */

/* 00 'a' group: below every data key. */
void replica_applied_key(uint64_t group, struct buf *out) {
    put_u8(out, 0);
    put_u8(out, 'a');
    put_u64be(out, group);
}

void replica_applied_value(uint64_t index, uint64_t term, struct buf *out) {
    put_u64le(out, index);
    put_u64le(out, term);
}

bool replica_applied_parse(struct slice value, uint64_t *index, uint64_t *term) {
    struct reader reader = reader_of(value);
    *index = get_u64le(&reader);
    *term = get_u64le(&reader);
    return reader_done(&reader);
}

static void put_applied(struct replica *replica, struct write_batch *batch) {
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    replica_applied_key(replica->group, &key);
    replica_applied_value(replica->collected, replica->collected_term, &value);
    write_batch_put(batch, buf_slice(&key), buf_slice(&value));
    buf_deinit(&key);
    buf_deinit(&value);
}

/* ---- applying -------------------------------------------------------------------------------- */

static uint64_t may_apply_to(const struct replica *replica) {
    if (replica->installing) return replica->collected;
    uint64_t persisted = raft_status(replica->raft).persisted;
    return replica->commit < persisted ? replica->commit : persisted;
}

static void apply_entry(struct replica *replica, uint64_t index, struct buf *scratch) {
    struct replica_set *set = replica->set;
    struct raft_entry entry;
    if (!raft_entry_at(replica->raft, index, &entry)) assert(false);
    if (entry.type == RAFT_ENTRY_NORMAL) {
        bool own = replica->proposals != NULL && replica->proposals->index <= index &&
                   entry.term == replica->leads_term && replica->leads;
        struct applied_entry applied = {.index = index,
                                        .term = entry.term,
                                        .payload = replica_payload(replica, index, scratch),
                                        .own = own};
        struct error error;
        enum status status =
            replica->machine->apply(replica->machine_arg, &applied, set->batch, &error);
        if (status != STATUS_OK) {
            env_fatal(set->env, "group %" PRIu64 ": cannot apply entry %" PRIu64 ": %s",
                      replica->group, index, error.message);
        }
    }
    replica->collected = index;
    replica->collected_term = entry.term;
    counter_add(set->applied_entries, 1);
}

/* Puts what is due into the turn's batch; true if there was anything. */
static bool collect(struct replica *replica) {
    uint64_t until = may_apply_to(replica);
    if (until <= replica->collected) return false;
    struct buf scratch = BUF_INIT;
    size_t limit = replica->set->batch->bytes.len + APPLY_BYTES_PER_TURN;
    for (int n = 0; replica->collected < until; n++) {
        if (n == APPLY_ENTRIES_PER_TURN || replica->set->batch->bytes.len > limit) {
            /* The rest in the next turn, so that one long catch-up does not hold up the others. */
            env_timer_start(replica->set->env, &replica->set->retry_timer,
                            env_now_ns(replica->set->env));
            break;
        }
        apply_entry(replica, replica->collected + 1, &scratch);
    }
    buf_deinit(&scratch);
    put_applied(replica, replica->set->batch);
    return true;
}

/* ---- after the batch is in ------------------------------------------------------------------- */

static void finish_proposals(struct replica *replica) {
    while (replica->proposals != NULL && replica->proposals->index <= replica->applied) {
        struct proposal *proposal = replica->proposals;
        replica->proposals = proposal->next;
        if (replica->proposals == NULL) replica->proposals_tail = &replica->proposals;
        replica->proposal_bytes -= proposal->payload.len;
        proposal->done(proposal, STATUS_OK, proposal->index);
    }
}

void replica_release_barriers(struct replica *replica) {
    struct read_barrier *waiting = replica->ready_barriers;
    replica->ready_barriers = NULL;
    while (waiting != NULL) {
        struct read_barrier *barrier = waiting;
        waiting = barrier->next;
        if (barrier->index <= replica->applied) {
            barrier->done(barrier, STATUS_OK);
        } else {
            barrier->next = replica->ready_barriers;
            replica->ready_barriers = barrier;
        }
    }
}

static void applied(struct replica *replica) {
    replica->applied = replica->collected;
    replica->applied_term = replica->collected_term;
    struct raft_event event = {.type = RAFT_EVENT_APPLIED, .index = replica->applied};
    if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
    replica->machine->applied(replica->machine_arg, replica->applied);
    finish_proposals(replica);
    replica_check_leadership(replica);
    payload_cache_trim(&replica->cache, replica->applied, CACHE_BYTES);
}

/* An engine without room for its files refuses writes until there is some. Nothing is lost
 * meanwhile: the log has everything. */
static void note_engine(struct replica_set *set, enum status status, const struct error *error) {
    bool full = status == STATUS_NO_SPACE;
    if (full && !set->engine_full) {
        log_warn(env_log(set->env), "replica", "the engine waits for room on the disk error=\"%s\"",
                 error->message);
    } else if (!full && set->engine_full) {
        log_info(env_log(set->env), "replica", "the engine has room again");
    }
    set->engine_full = full;
}

static bool write_turn_batch(struct replica_set *set) {
    struct error error;
    enum status status = engine_write(set->options.engine, set->batch, &error);
    set->batch_pending = status == STATUS_BUSY || status == STATUS_NO_SPACE;
    note_engine(set, status, &error);
    if (set->batch_pending) {
        uint64_t pause_ns = set->engine_full ? 200 * NS_PER_MS : 10 * NS_PER_MS;
        env_timer_start(set->env, &set->retry_timer, env_now_ns(set->env) + pause_ns);
        return false;
    }
    if (status != STATUS_OK) env_fatal(set->env, "the engine failed: %s", error.message);
    write_batch_clear(set->batch);
    return status == STATUS_OK;
}

void replica_turn_apply(void *arg) {
    struct replica_set *set = arg;
    bool any = set->batch_pending;
    if (!set->batch_pending) {
        for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next) {
            any = collect(replica) || any;
        }
    }
    if (any && !write_turn_batch(set)) return;
    for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next) {
        if (any) applied(replica);
        if (replica->ready_barriers != NULL) replica_release_barriers(replica);
    }
    /* Answers may have stepped the core: their updates belong to this turn, too. */
    if (set->touched != NULL) env_post(set->env, &set->again_task);
}

/* ---- flush and compaction -------------------------------------------------------------------- */

/* A follower that answers should not need a snapshot only because we are tidy; one that is far
 * behind shall. */
static uint64_t keep_for_followers(const struct replica *replica, uint64_t index) {
    struct raft_progress_view peers[RAFT_MAX_VOTERS];
    size_t count = raft_progress(replica->raft, peers, RAFT_MAX_VOTERS);
    const struct replica_set *set = replica->set;
    if (log_store_size_bytes(set->options.log) > set->options.keep_log_bytes) return index;
    for (size_t i = 0; i < count; i++) {
        if (peers[i].active && !peers[i].snapshot && peers[i].match < index) index = peers[i].match;
    }
    return index;
}

static void compact(struct replica *replica) {
    struct replica_set *set = replica->set;
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    struct error error;
    uint64_t index = 0;
    uint64_t term = 0;
    replica_applied_key(replica->group, &key);
    enum status status = engine_persisted_get(set->options.engine, buf_slice(&key), &value, &error);
    bool known = status == STATUS_OK && replica_applied_parse(buf_slice(&value), &index, &term);
    if (!known && status != STATUS_NOT_FOUND) {
        env_fatal(set->env, "cannot read the flushed applied index: %s",
                  status == STATUS_OK ? "malformed" : error.message);
    }
    buf_deinit(&key);
    buf_deinit(&value);
    if (!known || replica->installing) return;
    replica_snapshot_forget(replica, index);
    index = keep_for_followers(replica, index);
    if (index <= raft_status(replica->raft).first_index - 1) return;
    struct raft_entry entry;
    if (!raft_entry_at(replica->raft, index, &entry)) return;
    log_store_compact(set->options.log, replica->group, index, entry.term);
    struct raft_event event = {.type = RAFT_EVENT_COMPACT, .index = index};
    if (replica_step(replica, &event, NULL) != STATUS_OK) assert(false);
}

static void flushed(void *arg, enum status status, const struct error *error) {
    struct replica_set *set = arg;
    mem_free(set->flush);
    set->flush = NULL;
    if (status != STATUS_OK) {
        /* The log still has everything: try again at the next look. */
        set->flushed_log_end = 0;
        log_warn(env_log(set->env), "replica", "cannot flush the engine error=\"%s\"",
                 error->message);
        return;
    }
    for (struct replica *replica = set->replicas; replica != NULL; replica = replica->next)
        compact(replica);
}

void replica_set_maybe_flush(void *arg) {
    struct replica_set *set = arg;
    uint64_t end = log_store_end(set->options.log);
    if (set->flush != NULL || end - set->flushed_log_end < set->options.flush_log_bytes) return;
    set->flushed_log_end = end;
    set->flush = MEM_NEW(struct engine_flush_op);
    set->flush->done = flushed;
    set->flush->arg = set;
    engine_flush_start(set->options.engine, set->flush);
}
