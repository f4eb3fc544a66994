/* txn_read.c - point reads, the read timestamp, and moving it up behind a lock. */

#include "mvcc.h"
#include "rpc.h"
#include "txn_commands.h"
#include "txn_coordinator.h"

enum { MAX_KEYS_PER_CALL = 1024 };

/* ---- the read timestamp --------------------------------------------------------------------- */

Cairn__KvUnchanged **txn_pack_expectations(struct txn *txn, size_t *count) {
    *count = txn->read_timestamp == 0 ? txn->expectation_count : 0;
    if (*count == 0) return NULL;
    Cairn__KvUnchanged **list = ARENA_ARRAY(&txn->call_arena, Cairn__KvUnchanged *, *count);
    size_t i = 0;
    for (struct expectation *e = txn->expectations; e != NULL; e = e->next) {
        list[i] = ARENA_NEW(&txn->call_arena, Cairn__KvUnchanged);
        cairn__kv_unchanged__init(list[i]);
        list[i]->key = rpc_bytes(e->key);
        list[i++]->since = e->since;
    }
    return list;
}

enum status txn_adopt_timestamp(struct txn *txn, hlc_timestamp timestamp, bool changed,
                                struct error *error) {
    if (txn->read_timestamp != 0) return STATUS_OK;
    if (changed)
        return txn_die(txn, error, STATUS_CONFLICT, "a key was changed before the first read");
    txn->read_timestamp = timestamp;
    for (struct expectation *e = txn->expectations; e != NULL; e = e->next)
        read_set_add_key(&txn->reads, e->key);
    return STATUS_OK;
}

Cairn__TxnSpan **txn_pack_reads(struct txn *txn, struct arena *arena, size_t *count) {
    read_set_compact(&txn->reads);
    *count = txn->reads.count;
    Cairn__TxnSpan **list = ARENA_ARRAY(arena, Cairn__TxnSpan *, *count);
    for (size_t i = 0; i < *count; i++) {
        const struct span *span = &txn->reads.spans[i];
        list[i] = ARENA_NEW(arena, Cairn__TxnSpan);
        cairn__txn_span__init(list[i]);
        list[i]->start = rpc_bytes(span->start);
        list[i]->end = rpc_bytes(span->end);
        list[i]->point = span->point;
    }
    return list;
}

enum status txn_refresh(struct txn *txn, hlc_timestamp to, struct error *error) {
    if (to <= txn->read_timestamp) return STATUS_OK;
    if (txn->reads.count > 0) {
        Cairn__TxnRefresh refresh = CAIRN__TXN_REFRESH__INIT;
        refresh.from = txn->read_timestamp;
        refresh.to = to;
        refresh.reads = txn_pack_reads(txn, &txn->call_arena, &refresh.n_reads);
        ProtobufCMessage *message;
        TRY(txn_call(txn, TXN_REFRESH, &refresh.base, &cairn__txn_refresh_reply__descriptor,
                     &txn->call_arena, &message, error));
        if (((Cairn__TxnRefreshReply *)message)->changed) {
            return txn_die(txn, error, STATUS_CONFLICT,
                           "a concurrent transaction changed what this one had read");
        }
        counter_add(txn->manager->refreshed, 1);
    }
    txn->read_timestamp = to;
    return STATUS_OK;
}

/* ---- asking the leader ---------------------------------------------------------------------- */

static enum status call_get(struct txn *txn, Cairn__KvGet *get, bool lock,
                            Cairn__KvGetReply **reply, struct error *error) {
    const ProtobufCMessageDescriptor *type = &cairn__kv_get_reply__descriptor;
    ProtobufCMessage *message = NULL;
    get->read_timestamp = txn->read_timestamp;
    if (!lock) {
        TRY(txn_call(txn, MVCC_GET, &get->base, type, &txn->call_arena, &message, error));
    } else {
        Cairn__TxnId id;
        txn_fill_id(&id, txn->id);
        Cairn__TxnLockGet request = CAIRN__TXN_LOCK_GET__INIT;
        request.id = &id;
        request.get = get;
        request.linearizable = txn->read_timestamp == 0;
        txn->has_locks = true;
        txn_start_heartbeat(txn->manager);
        enum status status =
            txn_call(txn, TXN_LOCK_GET, &request.base, type, &txn->call_arena, &message, error);
        if (status == STATUS_DEADLOCK) return txn_die(txn, error, status, "deadlock detected");
        if (status != STATUS_OK) return status;
    }
    *reply = (Cairn__KvGetReply *)message;
    if ((*reply)->n_values == get->n_keys) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "the leader answered for %zu of %zu keys",
                     (*reply)->n_values, get->n_keys);
}

/* Reads keys that this transaction has not written. The reply is in the call's arena. */
static enum status read_remote(struct txn *txn, ProtobufCBinaryData *keys, size_t count, bool lock,
                               Cairn__KvGetReply **out, struct error *error) {
    Cairn__KvGet get = CAIRN__KV_GET__INIT;
    get.keys = keys;
    get.n_keys = count;
    get.unchanged = txn_pack_expectations(txn, &get.n_unchanged);
    TRY(call_get(txn, &get, lock, out, error));
    Cairn__KvGetReply *reply = *out;
    TRY(txn_adopt_timestamp(txn, reply->read_timestamp, reply->changed, error));
    hlc_timestamp newest = 0;
    for (size_t i = 0; i < count; i++) {
        if (reply->values[i]->timestamp > newest) newest = reply->values[i]->timestamp;
    }
    /* Behind a lock the newest versions were read: if one is newer than our moment, we move. */
    if (lock && newest > txn->read_timestamp) TRY(txn_refresh(txn, reply->read_timestamp, error));
    for (size_t i = 0; i < count; i++)
        read_set_add_key(&txn->reads, rpc_slice(keys[i]));
    return STATUS_OK;
}

static enum status get_chunk(struct txn *txn, const struct slice *keys, size_t count, bool lock,
                             struct arena *arena, struct txn_value *values, struct error *error) {
    arena_reset(&txn->call_arena);
    ProtobufCBinaryData *missing = ARENA_ARRAY(&txn->call_arena, ProtobufCBinaryData, count);
    size_t missing_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct write_version *own = write_set_find(&txn->writes, keys[i], UINT64_MAX);
        values[i] = (struct txn_value){0};
        if (own == NULL) {
            missing[missing_count++] = rpc_bytes(keys[i]);
        } else if (!own->deleted) {
            values[i].found = true;
            values[i].value = arena_dup_slice(arena, write_version_value(own));
        }
    }
    if (missing_count == 0) return STATUS_OK;
    Cairn__KvGetReply *reply;
    TRY(read_remote(txn, missing, missing_count, lock, &reply, error));
    for (size_t i = 0, next = 0; i < count; i++) {
        if (write_set_find(&txn->writes, keys[i], UINT64_MAX) != NULL) continue;
        const Cairn__KvValue *value = reply->values[next++];
        if (!value->found) continue;
        values[i].found = true;
        values[i].value = arena_dup_slice(arena, rpc_slice(value->value));
    }
    return STATUS_OK;
}

/* ---- the interface -------------------------------------------------------------------------- */

enum status txn_get_many(struct txn *txn, const struct slice *keys, size_t count, unsigned flags,
                         struct arena *arena, struct txn_value *values, struct error *error) {
    TRY(txn_enter(txn, error));
    enum status status = STATUS_OK;
    for (size_t done = 0; done < count && status == STATUS_OK; done += MAX_KEYS_PER_CALL) {
        size_t chunk = count - done < MAX_KEYS_PER_CALL ? count - done : MAX_KEYS_PER_CALL;
        status = get_chunk(txn, keys + done, chunk, (flags & TXN_FOR_UPDATE) != 0, arena,
                           values + done, error);
    }
    return txn_leave(txn, status);
}

static enum status get_one(struct txn *txn, struct slice key, bool lock, struct buf *value,
                           struct error *error) {
    arena_reset(&txn->call_arena);
    buf_clear(value);
    const struct write_version *own = write_set_find(&txn->writes, key, UINT64_MAX);
    if (own != NULL) {
        if (own->deleted) return STATUS_NOT_FOUND;
        buf_append_slice(value, write_version_value(own));
        return STATUS_OK;
    }
    ProtobufCBinaryData keys[] = {rpc_bytes(key)};
    Cairn__KvGetReply *reply;
    TRY(read_remote(txn, keys, 1, lock, &reply, error));
    if (!reply->values[0]->found) return STATUS_NOT_FOUND;
    buf_append_slice(value, rpc_slice(reply->values[0]->value));
    return STATUS_OK;
}

enum status txn_get(struct txn *txn, struct slice key, unsigned flags, struct buf *value,
                    struct error *error) {
    TRY(txn_enter(txn, error));
    return txn_leave(txn, get_one(txn, key, (flags & TXN_FOR_UPDATE) != 0, value, error));
}
