/* txn_commands.c - the table of this chapter's commands, and the small ones.
 *
 * Commit is in txn_commit_command.c, records and their collection in txn_record.c. */
#include "txn_commands.h"

#include "txn_internal.h"

enum status txn_decode(struct evaluation *evaluation, const ProtobufCMessageDescriptor *type,
                       struct error *error) {
    evaluation->decoded = rpc_unpack(type, evaluation->payload, evaluation->arena);
    if (evaluation->decoded != NULL) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "malformed %s", evaluation->command->name);
}

/* They see the newest versions, but never less than the transaction has seen already (its read
 * timestamp stands in the message): what an old leader does not know could otherwise be read as if
 * it had not happened, and validation, which starts at the read timestamp, would not notice. */

/* ---- locking reads -------------------------------------------------------------------------- */

static enum status lock_get_declare(struct evaluation *evaluation, struct error *error) {
    TRY(txn_decode(evaluation, &cairn__txn_lock_get__descriptor, error));
    const Cairn__TxnLockGet *request = evaluation->decoded;
    if (request->id == NULL || request->get == NULL)
        return error_set(error, STATUS_INVALID, "a locking read without id or keys");
    evaluation->needs_barrier = request->linearizable;
    return mvcc_check_get(request->get, error);
}

static enum status lock_get_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__TxnLockGet *request = evaluation->decoded;
    struct txn_id txn = txn_id_of(request->id);
    bool locked = true;
    TRY(mvcc_check_applied(evaluation, request->get->read_timestamp, error));
    for (size_t i = 0; i < request->get->n_keys; i++) {
        if (!evaluation_lock(evaluation, txn, rpc_slice(request->get->keys[i]))) locked = false;
    }
    if (!locked) return STATUS_OK; /* and again when they are ours */
    evaluation_touch(evaluation, txn);
    return mvcc_evaluate_get(evaluation, evaluation->applied_timestamp, request->get, error);
}

static enum status lock_scan_declare(struct evaluation *evaluation, struct error *error) {
    TRY(txn_decode(evaluation, &cairn__txn_lock_scan__descriptor, error));
    const Cairn__TxnLockScan *request = evaluation->decoded;
    if (request->id == NULL || request->scan == NULL)
        return error_set(error, STATUS_INVALID, "a locking scan without id or bounds");
    evaluation->needs_barrier = request->linearizable;
    return mvcc_check_scan(request->scan, error);
}

/* Which rows there are is known only after reading: those found are locked, and if that took a
 * wait, everything is read again. */
static enum status lock_scan_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__TxnLockScan *request = evaluation->decoded;
    struct txn_id txn = txn_id_of(request->id);
    Cairn__KvScanReply reply;
    TRY(mvcc_check_applied(evaluation, request->scan->read_timestamp, error));
    TRY(mvcc_evaluate_scan(evaluation, evaluation->applied_timestamp, request->scan, &reply,
                           error));
    for (size_t i = 0; i < reply.n_rows; i++)
        (void)evaluation_lock(evaluation, txn, rpc_slice(reply.rows[i]->key));
    evaluation_touch(evaluation, txn);
    rpc_pack(evaluation->reply, &reply.base);
    return STATUS_OK;
}

/* ---- refresh -------------------------------------------------------------------------------- */

static enum status refresh_declare(struct evaluation *evaluation, struct error *error) {
    TRY(txn_decode(evaluation, &cairn__txn_refresh__descriptor, error));
    const Cairn__TxnRefresh *refresh = evaluation->decoded;
    for (size_t i = 0; i < refresh->n_reads; i++)
        TRY(txn_check_span(refresh->reads[i], error));
    return STATUS_OK;
}

static enum status refresh_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__TxnRefresh *refresh = evaluation->decoded;
    TRY(mvcc_check_applied(evaluation, refresh->to, error));
    bool changed;
    struct slice key = SLICE_EMPTY;
    TRY(txn_spans_changed(evaluation, refresh->reads, refresh->n_reads, refresh->from, refresh->to,
                          &changed, &key, error));
    Cairn__TxnRefreshReply reply = CAIRN__TXN_REFRESH_REPLY__INIT;
    reply.changed = changed;
    reply.key = rpc_bytes(key);
    rpc_pack(evaluation->reply, &reply.base);
    return STATUS_OK;
}

/* ---- signs of life, and of the end ---------------------------------------------------------- */

static enum status ids_declare(struct evaluation *evaluation, struct error *error) {
    return txn_decode(evaluation, &cairn__txn_ids__descriptor, error);
}

static enum status heartbeat_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    const Cairn__TxnIds *ids = evaluation->decoded;
    for (size_t i = 0; i < ids->n_ids; i++)
        evaluation_touch(evaluation, txn_id_of(ids->ids[i]));
    return STATUS_OK;
}

static enum status release_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    const Cairn__TxnIds *ids = evaluation->decoded;
    for (size_t i = 0; i < ids->n_ids; i++)
        evaluation_release(evaluation, txn_id_of(ids->ids[i]));
    return STATUS_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

void txn_commands_init(struct txn_commands *commands, struct recent_writes *recent,
                       struct metrics *metrics) {
    *commands = (struct txn_commands){
        .table = {
            {TXN_COMMIT, COMMAND_WRITE, "txn_commit", commands, txn_commit_declare,
             txn_commit_evaluate},
            {TXN_LOCK_GET, COMMAND_LOCK, "txn_lock_get", commands, lock_get_declare,
             lock_get_evaluate},
            {TXN_LOCK_SCAN, COMMAND_LOCK, "txn_lock_scan", commands, lock_scan_declare,
             lock_scan_evaluate},
            {TXN_REFRESH, COMMAND_READ, "txn_refresh", commands, refresh_declare, refresh_evaluate},
            {TXN_HEARTBEAT, COMMAND_LOCK, "txn_heartbeat", commands, ids_declare,
             heartbeat_evaluate},
            {TXN_RELEASE, COMMAND_LOCK, "txn_release", commands, ids_declare, release_evaluate},
            {TXN_COLLECT, COMMAND_WRITE, "txn_collect", commands, txn_collect_declare,
             txn_collect_evaluate},
        }};
    commands->recent = recent;
    commands->committed =
        metrics_counter(metrics, "cairn_txn_commits_total", "Transactions that were committed.");
    commands->conflicts = metrics_counter(metrics, "cairn_txn_conflicts_total",
                                          "Commits refused: what was read had changed.");
    commands->exists = metrics_counter(metrics, "cairn_txn_duplicate_keys_total",
                                       "Commits refused: a key to be inserted existed.");
    commands->recognised = metrics_counter(metrics, "cairn_txn_recognised_total",
                                           "Commits sent again whose outcome was on record.");
    commands->validated_in_memory =
        metrics_counter(metrics, "cairn_txn_validations_in_memory_total",
                        "Validations answered by the ring of recent writes.");
}

void txn_commands_register(struct txn_commands *commands, struct store *store) {
    for (size_t i = 0; i < sizeof commands->table / sizeof commands->table[0]; i++)
        store_register(store, &commands->table[i]);
}
