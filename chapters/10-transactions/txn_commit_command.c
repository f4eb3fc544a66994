/* txn_commit_command.c - one command commits a transaction: look up, validate, stamp, write.
 *
 * Everything happens under latches on what was read and what is written, held until the batch is
 * applied: between the validation and the commit timestamp taking effect, nothing in these spans
 * moves. */
#include "txn_internal.h"

/* A commit of more keys makes the ring forget instead of flooding it. */
enum { MAX_REMEMBERED_KEYS = 1024 };

enum status txn_commit_declare(struct evaluation *evaluation, struct error *error) {
    TRY(txn_decode(evaluation, &cairn__txn_commit__descriptor, error));
    const Cairn__TxnCommit *commit = evaluation->decoded;
    if (commit->id == NULL || commit->commit_id == NULL)
        return error_set(error, STATUS_INVALID, "a commit without an id");
    declaration_add(evaluation, txn_floor_span(), SPAN_READ);
    declaration_add(evaluation, txn_record_span(txn_id_of(commit->commit_id), evaluation->arena),
                    SPAN_WRITE);
    for (size_t i = 0; i < commit->n_reads; i++) {
        TRY(txn_check_span(commit->reads[i], error));
        declaration_add(evaluation, txn_span_of(commit->reads[i]), SPAN_READ);
    }
    for (size_t i = 0; i < commit->n_writes; i++) {
        const Cairn__TxnWrite *write = commit->writes[i];
        TRY(mvcc_check_key(rpc_slice(write->key), error));
        TRY(mvcc_check_value(rpc_slice(write->value), error));
        declaration_add(evaluation, span_point(STORE_SPACE_DATA, rpc_slice(write->key)),
                        write->skip ? SPAN_READ : SPAN_WRITE);
    }
    return STATUS_OK;
}

/* An earlier sending, or the floor, may have decided already. */
static enum status look_up(struct evaluation *evaluation, const Cairn__TxnCommit *commit,
                           bool *decided, Cairn__TxnCommitReply *reply, struct error *error) {
    struct txn_commands *commands = evaluation->command->context;
    *decided = true;
    hlc_timestamp floor;
    TRY(txn_floor(evaluation, &floor, error));
    if (commit->commit_id->begin < floor) {
        reply->outcome = CAIRN__TXN_OUTCOME__TXN_TOO_OLD;
        return STATUS_OK;
    }
    Cairn__TxnRecord *record;
    TRY(txn_record_read(evaluation, txn_id_of(commit->commit_id), &record, error));
    if (record != NULL) {
        reply->outcome = record->outcome;
        reply->commit_timestamp = record->commit_timestamp;
        if (!evaluation->rehearsal) counter_add(commands->recognised, 1);
        return STATUS_OK;
    }
    *decided = false;
    return STATUS_OK;
}

/* Keys that must be absent, against their newest versions: the latches keep these the newest. */
static enum status check_absent(struct evaluation *evaluation, const Cairn__TxnCommit *commit,
                                Cairn__TxnCommitReply *reply, struct error *error) {
    struct mvcc_points points;
    mvcc_points_init(&points, &evaluation->reader);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < commit->n_writes && status == STATUS_OK; i++) {
        if (!commit->writes[i]->must_be_absent) continue;
        struct mvcc_version version;
        status =
            mvcc_points_read(&points, rpc_slice(commit->writes[i]->key), HLC_MAX, &version, error);
        if (!version.found) continue;
        reply->outcome = CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS;
        reply->key = commit->writes[i]->key;
        break;
    }
    mvcc_points_deinit(&points);
    return status;
}

static enum status validate(struct evaluation *evaluation, const Cairn__TxnCommit *commit,
                            Cairn__TxnCommitReply *reply, struct error *error) {
    bool changed;
    struct slice key;
    TRY(txn_spans_changed(evaluation, commit->reads, commit->n_reads, commit->read_timestamp,
                          HLC_MAX, &changed, &key, error));
    if (changed) {
        reply->outcome = CAIRN__TXN_OUTCOME__TXN_CONFLICT;
        reply->key = rpc_bytes(key);
        return STATUS_OK;
    }
    return check_absent(evaluation, commit, reply, error);
}

static void write_all(struct evaluation *evaluation, const Cairn__TxnCommit *commit,
                      hlc_timestamp timestamp) {
    struct txn_commands *commands = evaluation->command->context;
    bool remember = !evaluation->rehearsal && commands->recent != NULL;
    if (remember)
        recent_writes_enter_term(commands->recent, evaluation->term, evaluation->applied_timestamp);
    if (remember && commit->n_writes > MAX_REMEMBERED_KEYS)
        recent_writes_forget(commands->recent, timestamp);
    for (size_t i = 0; i < commit->n_writes; i++) {
        const Cairn__TxnWrite *write = commit->writes[i];
        struct slice key = rpc_slice(write->key);
        if (write->skip) continue;
        if (write->deleted)
            mvcc_write_delete(evaluation->batch, key, timestamp);
        else
            mvcc_write_put(evaluation->batch, key, timestamp, rpc_slice(write->value));
        if (remember && commit->n_writes <= MAX_REMEMBERED_KEYS)
            recent_writes_add(commands->recent, key, timestamp);
    }
}

static void count_outcome(struct evaluation *evaluation, Cairn__TxnOutcome outcome) {
    struct txn_commands *commands = evaluation->command->context;
    if (evaluation->rehearsal) return;
    if (outcome == CAIRN__TXN_OUTCOME__TXN_COMMITTED) counter_add(commands->committed, 1);
    if (outcome == CAIRN__TXN_OUTCOME__TXN_CONFLICT) counter_add(commands->conflicts, 1);
    if (outcome == CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS) counter_add(commands->exists, 1);
}

/* Validated: the batch holds the writes and the record. A refusal leaves no trace, unless this is a
 * retry: then it is recorded, so that the first sending, should it still be on its way, is
 * refused too. */
static void decide(struct evaluation *evaluation, const Cairn__TxnCommit *commit,
                   Cairn__TxnCommitReply *reply) {
    bool commits = reply->outcome == CAIRN__TXN_OUTCOME__TXN_COMMITTED;
    if (commits) {
        reply->commit_timestamp = evaluation_allot_timestamp(evaluation);
        write_all(evaluation, commit, reply->commit_timestamp);
    }
    if (commits || commit->retry) {
        Cairn__TxnRecord record = CAIRN__TXN_RECORD__INIT;
        record.outcome = reply->outcome;
        record.commit_timestamp = reply->commit_timestamp;
        txn_record_write(evaluation, txn_id_of(commit->commit_id), &record);
    } else {
        /* "It exists" is a read: it must not come from a leader that is none any more. */
        evaluation->needs_barrier = reply->outcome == CAIRN__TXN_OUTCOME__TXN_KEY_EXISTS;
    }
    count_outcome(evaluation, reply->outcome);
}

enum status txn_commit_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__TxnCommit *commit = evaluation->decoded;
    Cairn__TxnCommitReply reply = CAIRN__TXN_COMMIT_REPLY__INIT;
    evaluation_release(evaluation, txn_id_of(commit->id));
    bool decided;
    TRY(look_up(evaluation, commit, &decided, &reply, error));
    if (!decided) {
        TRY(validate(evaluation, commit, &reply, error));
        decide(evaluation, commit, &reply);
    }
    rpc_pack(evaluation->reply, &reply.base);
    return STATUS_OK;
}
