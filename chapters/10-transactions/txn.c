/* txn.c - a transaction's life on its gateway: begin, buffered writes, savepoints, end.
 *
 * Reads are in txn_read.c and txn_scan.c, commit is in txn_commit.c. */
#include "txn.h"

#include <assert.h>

#include "mem.h"
#include "rpc.h"
#include "txn_coordinator.h"

void txn_fill_id(Cairn__TxnId *out, struct txn_id id) {
    cairn__txn_id__init(out);
    out->begin = id.begin;
    out->random = id.random;
}

/* ---- begin and end -------------------------------------------------------------------------- */

struct txn *txn_begin(struct txn_manager *manager, const struct request *request) {
    struct txn *txn = MEM_NEW(struct txn);
    struct env *env = manager->options.env;
    txn->manager = manager;
    txn->id.begin = hlc_now(manager->options.hlc, env_wall_ns(env));
    txn->id.random = prng_u64(&manager->prng);
    txn->request = *request;
    arena_init(&txn->arena, 0);
    arena_init(&txn->call_arena, 0);
    read_set_init(&txn->reads);
    write_set_init(&txn->writes, prng_u64(&manager->prng), manager->options.max_write_bytes);
    txn->next = manager->first;
    if (manager->first != NULL) manager->first->prev = txn;
    manager->first = txn;
    manager->count++;
    counter_add(manager->begun, 1);
    return txn;
}

void txn_set_request(struct txn *txn, const struct request *request) { txn->request = *request; }

static void give_up_locks(struct txn *txn) {
    if (!txn->has_locks) return;
    txn->has_locks = false;
    txn_send_release(txn->manager, txn->id);
}

void txn_rollback(struct txn *txn) {
    assert(!txn->busy);
    give_up_locks(txn);
    if (txn->finished) return;
    txn->finished = true;
    if (txn->death.status == STATUS_OK)
        error_set(&txn->death, STATUS_INVALID, "the transaction is over");
}

void txn_free(struct txn *txn) {
    if (txn == NULL) return;
    assert(txn->cursors == 0);
    txn_rollback(txn);
    if (txn->prev != NULL)
        txn->prev->next = txn->next;
    else
        txn->manager->first = txn->next;
    if (txn->next != NULL) txn->next->prev = txn->prev;
    txn->manager->count--;
    read_set_deinit(&txn->reads);
    write_set_deinit(&txn->writes);
    arena_deinit(&txn->arena);
    arena_deinit(&txn->call_arena);
    buf_deinit(&txn->payload);
    buf_deinit(&txn->reply);
    mem_free(txn);
}

void txn_expect_unchanged(struct txn *txn, struct slice key, hlc_timestamp since) {
    assert(txn->read_timestamp == 0 && since > 0);
    struct expectation *expectation = ARENA_NEW(&txn->arena, struct expectation);
    *expectation =
        (struct expectation){arena_dup_slice(&txn->arena, key), since, txn->expectations};
    txn->expectations = expectation;
    txn->expectation_count++;
}

/* ---- for the calls that suspend ------------------------------------------------------------- */

static enum status check_alive(const struct txn *txn, struct error *error) {
    if (txn->death.status == STATUS_OK) return STATUS_OK;
    if (error != NULL) *error = txn->death;
    return txn->death.status;
}

enum status txn_enter(struct txn *txn, struct error *error) {
    assert(!txn->busy);
    TRY(check_alive(txn, error));
    enum status status = request_check(&txn->request, env_now_ns(txn->manager->options.env));
    if (status != STATUS_OK) return error_set(error, status, "%s", status_text(status));
    txn->busy = true;
    return STATUS_OK;
}

enum status txn_leave(struct txn *txn, enum status status) {
    txn->busy = false;
    return status;
}

enum status txn_die(struct txn *txn, struct error *error, enum status status, const char *reason) {
    error_set(&txn->death, status, "%s", reason);
    if (error != NULL) *error = txn->death;
    counter_add(txn->manager->dead, 1);
    give_up_locks(txn);
    return status;
}

enum status txn_call(struct txn *txn, uint32_t command, const ProtobufCMessage *message,
                     const ProtobufCMessageDescriptor *reply_type, struct arena *arena,
                     ProtobufCMessage **reply, struct error *error) {
    buf_clear(&txn->payload);
    rpc_pack(&txn->payload, message);
    TRY(kv_await(txn->manager->options.kv, command, buf_slice(&txn->payload), true, &txn->request,
                 &txn->reply, error));
    *reply = rpc_unpack(reply_type, buf_slice(&txn->reply), arena);
    if (*reply == NULL) return error_set(error, STATUS_INVALID, "the leader's answer is malformed");
    return STATUS_OK;
}

/* ---- writes --------------------------------------------------------------------------------- */

static enum status check_write(const struct txn *txn, struct slice key, struct slice value,
                               struct error *error) {
    TRY(check_alive(txn, error));
    if (key.len == 0) return error_set(error, STATUS_INVALID, "a key may not be empty");
    if (key.len > TXN_MAX_KEY_BYTES)
        return error_set(error, STATUS_TOO_LARGE, "a key of %zu bytes; the limit is %d", key.len,
                         TXN_MAX_KEY_BYTES);
    if (value.len > TXN_MAX_VALUE_BYTES)
        return error_set(error, STATUS_TOO_LARGE, "a value of %zu bytes; the limit is %d",
                         value.len, TXN_MAX_VALUE_BYTES);
    return STATUS_OK;
}

enum status txn_put(struct txn *txn, struct slice key, struct slice value, struct error *error) {
    TRY(check_write(txn, key, value, error));
    return write_set_add(&txn->writes, key, value, false, false, error);
}

enum status txn_delete(struct txn *txn, struct slice key, struct error *error) {
    TRY(check_write(txn, key, SLICE_EMPTY, error));
    return write_set_add(&txn->writes, key, SLICE_EMPTY, true, false, error);
}

static enum status key_exists(struct error *error) {
    return error_set(error, STATUS_EXISTS, "the key exists already");
}

enum status txn_put_absent(struct txn *txn, struct slice key, struct slice value, unsigned flags,
                           struct error *error) {
    TRY(check_write(txn, key, value, error));
    const struct write_version *own = write_set_find(&txn->writes, key, UINT64_MAX);
    if (own != NULL && !own->deleted) return key_exists(error);
    bool check_at_commit = own == NULL;
    if (own == NULL && (flags & TXN_IMMEDIATE)) {
        struct buf existing = BUF_INIT;
        enum status status = txn_get(txn, key, 0, &existing, error);
        buf_deinit(&existing);
        if (status == STATUS_OK) return key_exists(error);
        if (status != STATUS_NOT_FOUND) return status;
        check_at_commit = false; /* it is among the reads now */
    }
    return write_set_add(&txn->writes, key, value, false, check_at_commit, error);
}

txn_savepoint_id txn_savepoint(struct txn *txn) { return write_set_mark(&txn->writes); }

void txn_rollback_to(struct txn *txn, txn_savepoint_id savepoint) {
    write_set_undo(&txn->writes, savepoint);
}

/* ---- looking -------------------------------------------------------------------------------- */

struct slice txn_failed_key(const struct txn *txn) {
    return txn->failed_key;
}
hlc_timestamp txn_read_timestamp(const struct txn *txn) { return txn->read_timestamp; }
hlc_timestamp txn_commit_timestamp(const struct txn *txn) { return txn->commit_timestamp; }
bool txn_has_writes(const struct txn *txn) { return !write_set_empty(&txn->writes); }
enum status txn_state(const struct txn *txn) { return txn->death.status; }
