/* store_apply.c - the store as a state machine: what the replicator calls.
 *
 * Applying is mechanical: the leader has evaluated, every node appends the batch. What is kept
 * beside the data is a *bound* on all commit timestamps so far. It is written only when a
 * timestamp passes it, and then a step ahead, so that it costs next to nothing: a node that
 * restarts takes the bound for the last timestamp, which is harmless, because later ones have to
 * be larger than either. Every node writes the same bounds at the same entries, because they
 * depend on the entries alone. */
#include "codec.h"
#include "rpc.h"
#include "store.pb-c.h"
#include "store_internal.h"

/* 100 ms of the clock's wall part (hlc.h: units of 2^-16 s above 16 bits of counter). */
#define BOUND_STEP ((UINT64_C(65536) / 10) << 16)

static const uint8_t bound_key[] = {STORE_SPACE_META, 't', 's'};

struct slice store_pack_entry(struct store *store, const struct operation *operation) {
    Cairn__StoreEntry entry = CAIRN__STORE_ENTRY__INIT;
    entry.command = operation->evaluation.command->id;
    entry.term = store->term;
    entry.epoch = store->options.epoch;
    entry.commit_timestamp = operation->timestamp;
    entry.batch = rpc_bytes(write_batch_encoded(&operation->batch));
    entry.sequence = operation->sequence;
    buf_clear(&store->entry);
    rpc_pack(&store->entry, &entry.base);
    return buf_slice(&store->entry);
}

enum status store_load_bound(struct store *store, struct error *error) {
    struct buf value = BUF_INIT;
    struct slice key = slice_of(bound_key, sizeof bound_key);
    enum status status = engine_get(store->engine, NULL, key, 0, &value, error);
    if (status == STATUS_OK && value.len != 8) {
        status = error_set(error, STATUS_CORRUPT, "the timestamp bound has %zu bytes", value.len);
    } else if (status == STATUS_OK) {
        store->bound = load_u64le(value.data);
    } else if (status == STATUS_NOT_FOUND) {
        store->bound = 0;
        status = STATUS_OK;
    }
    if (status == STATUS_OK && store->bound > store->applied_timestamp) {
        store->applied_timestamp = store->applying_timestamp = store->bound;
    }
    buf_deinit(&value);
    return status;
}

static void raise_bound(struct store *store, hlc_timestamp timestamp, struct write_batch *batch) {
    if (timestamp <= store->bound) return;
    store->bound = timestamp + BOUND_STEP;
    uint8_t value[8];
    store_u64le(value, store->bound);
    write_batch_put(batch, slice_of(bound_key, sizeof bound_key), slice_of(value, sizeof value));
}

/* The entry of this node's operation has no effect: its answer is to say so. */
static void note_rejection(struct store *store, const struct applied_entry *applied,
                           const Cairn__StoreEntry *entry) {
    counter_add(store->rejected_total, 1);
    log_warn(env_log(store->env), "store", "entry of another term or epoch index=%llu",
             (unsigned long long)applied->index);
    if (!applied->own) return;
    for (struct operation *o = store->first; o != NULL; o = o->next) {
        if (o->state == OPERATION_PROPOSED && o->sequence == entry->sequence) o->rejected = true;
    }
}

static enum status apply(void *self, const struct applied_entry *applied, struct write_batch *batch,
                         struct error *error) {
    struct store *store = self;
    arena_reset(&store->apply_arena);
    Cairn__StoreEntry *entry = (Cairn__StoreEntry *)rpc_unpack(
        &cairn__store_entry__descriptor, applied->payload, &store->apply_arena);
    if (entry == NULL) {
        return error_set(error, STATUS_CORRUPT, "entry %llu of the log is not one of the store's",
                         (unsigned long long)applied->index);
    }
    if (entry->term != applied->term || entry->epoch != store->options.epoch) {
        note_rejection(store, applied, entry);
        return STATUS_OK;
    }
    if (write_batch_append_encoded(batch, rpc_slice(entry->batch), error) != STATUS_OK) {
        if (error != NULL) error->status = STATUS_CORRUPT;
        (void)error_prefix(error, "entry %llu of the log", (unsigned long long)applied->index);
        return STATUS_CORRUPT;
    }
    raise_bound(store, entry->commit_timestamp, batch);
    if (entry->commit_timestamp > store->applying_timestamp)
        store->applying_timestamp = entry->commit_timestamp;
    return STATUS_OK;
}

static void applied(void *self, uint64_t index) {
    struct store *store = self;
    (void)index;
    store->applied_timestamp = store->applying_timestamp;
}

static void on_leader(void *self, bool leads, uint64_t term) {
    struct store *store = self;
    store->leads = leads;
    if (!leads) {
        env_timer_stop(&store->expiry);
        lock_table_clear(store->locks);
        operations_abandon(store);
        return;
    }
    store->term = term;
    /* Every earlier leader read at or below the bound that it knew, and ours is at least that:
     * going on from the bound, no commit can slip in below a timestamp that was read at. */
    hlc_timestamp floor = store->bound > 0 ? store->bound : 1;
    if (store->applied_timestamp < floor)
        store->applied_timestamp = store->applying_timestamp = floor;
    if (store->allotted_timestamp < store->applied_timestamp)
        store->allotted_timestamp = store->applied_timestamp;
    hlc_advance(store->options.hlc, store->allotted_timestamp);
    env_timer_start(store->env, &store->expiry,
                    env_now_ns(store->env) + store->options.lock_timeout_ns / 5);
}

static void restored(void *self, uint64_t index) {
    struct store *store = self;
    (void)index;
    struct error error;
    if (store_load_bound(store, &error) != STATUS_OK)
        env_fatal(store->env, "the timestamp bound cannot be read: %s", error.message);
}

const struct state_machine_ops store_state_machine = {
    .apply = apply, .applied = applied, .on_leader = on_leader, .restored = restored};
