/* txn_commit.c - the gateway's side of commit: one command, sent again until its outcome is known.
 *
 * Sending again is safe because the command recognises itself by its commit id (txn_record.c). A
 * commit that could not be asked about in time has an unknown outcome: SQLSTATE 40003. */

#include "co.h"
#include "rpc.h"
#include "txn_commands.h"
#include "txn_coordinator.h"

#define RETRY_PAUSE_NS (20 * NS_PER_MS)
#define RETRY_PAUSE_MAX_NS (500 * NS_PER_MS)
/* How long an unknown outcome is asked for when the request has no deadline. */
#define RETRY_WITHOUT_DEADLINE_NS (30 * NS_PER_S)

/* ---- the message ---------------------------------------------------------------------------- */

/* Nothing was read: what was expected stands for it. */
static Cairn__TxnSpan **pack_expectations(struct txn *txn, size_t *count) {
    Cairn__TxnSpan **list = ARENA_ARRAY(&txn->call_arena, Cairn__TxnSpan *, txn->expectation_count);
    *count = 0;
    for (struct expectation *e = txn->expectations; e != NULL; e = e->next) {
        Cairn__TxnSpan *span = list[(*count)++] = ARENA_NEW(&txn->call_arena, Cairn__TxnSpan);
        cairn__txn_span__init(span);
        span->start = rpc_bytes(e->key);
        span->point = true;
        span->since = e->since;
    }
    return list;
}

static Cairn__TxnWrite **pack_writes(struct txn *txn, size_t *count) {
    Cairn__TxnWrite **list = ARENA_ARRAY(&txn->call_arena, Cairn__TxnWrite *, txn->writes.log_len);
    *count = 0;
    struct write_iterator it = write_set_seek(&txn->writes, SLICE_EMPTY, false, UINT64_MAX);
    for (; write_iterator_valid(&it); write_iterator_next(&it, false)) {
        const struct write_version *version = write_iterator_version(&it);
        Cairn__TxnWrite *write = list[(*count)++] = ARENA_NEW(&txn->call_arena, Cairn__TxnWrite);
        cairn__txn_write__init(write);
        write->key = rpc_bytes(write_iterator_key(&it));
        write->value = rpc_bytes(write_version_value(version));
        write->deleted = version->deleted;
        write->must_be_absent = version->must_be_absent;
        write->skip = version->deleted && version->must_be_absent; /* there is nothing to delete */
    }
    return list;
}

static void pack_commit(struct txn *txn, struct txn_id commit_id, bool retry) {
    Cairn__TxnId id, commit_id_message;
    txn_fill_id(&id, txn->id);
    txn_fill_id(&commit_id_message, commit_id);
    Cairn__TxnCommit commit = CAIRN__TXN_COMMIT__INIT;
    commit.id = &id;
    commit.commit_id = &commit_id_message;
    commit.retry = retry;
    commit.read_timestamp = txn->read_timestamp;
    arena_reset(&txn->call_arena);
    if (txn->read_timestamp != 0)
        commit.reads = txn_pack_reads(txn, &txn->call_arena, &commit.n_reads);
    else
        commit.reads = pack_expectations(txn, &commit.n_reads);
    commit.writes = pack_writes(txn, &commit.n_writes);
    buf_clear(&txn->payload);
    rpc_pack(&txn->payload, &commit.base);
    arena_reset(&txn->call_arena);
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Waits before the next attempt; false when there is no time left for one. */
static bool pause_before_retry(struct txn *txn, uint64_t give_up_ns, uint64_t *pause_ns) {
    struct env *env = txn->manager->options.env;
    if (env_now_ns(env) + *pause_ns >= give_up_ns) return false;
    if (co_sleep(env, *pause_ns) != STATUS_OK) return false;
    *pause_ns = *pause_ns * 2 < RETRY_PAUSE_MAX_NS ? *pause_ns * 2 : RETRY_PAUSE_MAX_NS;
    return true;
}

static enum status unknown(struct txn *txn, struct error *error, const struct error *cause) {
    counter_add(txn->manager->unknown, 1);
    return error_set(error, STATUS_UNKNOWN_OUTCOME, "the outcome of the commit is not known: %s",
                     cause->message);
}

/* Sends the commit until there is an answer to it, or its outcome stays unknown. */
static enum status send_commit(struct txn *txn, Cairn__TxnCommitReply **reply, bool *retried,
                               struct error *error) {
    struct env *env = txn->manager->options.env;
    struct txn_id commit_id = {hlc_now(txn->manager->options.hlc, env_wall_ns(env)),
                               txn->id.random};
    struct request request = txn->request;
    request.cancel = NULL; /* from here on cancelling could only lose the outcome */
    uint64_t give_up_ns = request.deadline_ns != REQUEST_NO_DEADLINE
                              ? request.deadline_ns
                              : env_now_ns(env) + RETRY_WITHOUT_DEADLINE_NS;
    uint64_t pause_ns = RETRY_PAUSE_NS;
    *retried = false;
    for (;;) {
        pack_commit(txn, commit_id, *retried);
        struct error cause;
        enum status status =
            kv_await(txn->manager->options.kv, TXN_COMMIT, buf_slice(&txn->payload), false,
                     &request, &txn->reply, &cause);
        if (status == STATUS_OK) {
            *reply = (Cairn__TxnCommitReply *)rpc_unpack(&cairn__txn_commit_reply__descriptor,
                                                         buf_slice(&txn->reply), &txn->call_arena);
            if (*reply != NULL) return STATUS_OK;
            return error_set(error, STATUS_UNKNOWN_OUTCOME, "the answer to a commit is malformed");
        }
        bool open = status == STATUS_UNKNOWN_OUTCOME || status == STATUS_CANCELLED;
        if (!open && !*retried) {
            if (error != NULL) *error = cause;
            return status; /* it surely did not happen */
        }
        if (!pause_before_retry(txn, give_up_ns, &pause_ns)) return unknown(txn, error, &cause);
        counter_add(txn->manager->retried, 1);
        *retried = true;
        request.deadline_ns = give_up_ns;
    }
}

static enum status conclude(struct txn *txn, const Cairn__TxnCommitReply *reply, bool retried,
                            struct error *error) {
    switch (reply->outcome) {
    case CAIRN__TXN_OUTCOME__TXN_COMMITTED:
        txn->commit_timestamp = reply->commit_timestamp;
        return STATUS_OK;
    case CAIRN__TXN_OUTCOME__TXN_CONFLICT:
        return error_set(error, STATUS_CONFLICT,
                         "a concurrent transaction changed what this one had read");
    case CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS:
        txn->failed_key = arena_dup_slice(&txn->arena, rpc_slice(reply->key));
        return error_set(error, STATUS_EXISTS, "a key that was to be inserted exists already");
    case CAIRN__TXN_OUTCOME__TXN_TOO_OLD:
        if (!retried)
            return error_set(error, STATUS_CONFLICT, "this node's clock is minutes behind");
        break;
    default:
        break;
    }
    counter_add(txn->manager->unknown, 1);
    return error_set(error, STATUS_UNKNOWN_OUTCOME, "the record of the commit is gone");
}

/* ---- the interface -------------------------------------------------------------------------- */

static enum status commit_writes(struct txn *txn, struct error *error) {
    Cairn__TxnCommitReply *reply;
    bool retried;
    enum status status = send_commit(txn, &reply, &retried, error);
    if (status == STATUS_OK) {
        txn->has_locks = false; /* the command released them */
        status = conclude(txn, reply, retried, error);
    }
    return status;
}

enum status txn_commit(struct txn *txn, struct error *error) {
    struct error local;
    if (error == NULL) error = &local;
    enum status status = txn_enter(txn, error);
    if (status == STATUS_OK) {
        if (txn_has_writes(txn)) status = commit_writes(txn, error);
        status = txn_leave(txn, status);
    }
    if (status != STATUS_OK && txn->death.status == STATUS_OK) txn->death = *error;
    txn_rollback(txn); /* the end, either way: locks that are left are given up */
    return status;
}
