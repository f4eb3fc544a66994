/* txn_validate.c - has anything that was read been written since?
 *
 * Backward validation (Haerder, "Observations on Optimistic Concurrency Control Schemes", 1984):
 * the reads of the one who commits against the writes of those who committed meanwhile. First
 * against the ring of recent writes; where it does not reach back, against the versions in the
 * engine. */
#include "txn_internal.h"

struct span txn_span_of(const Cairn__TxnSpan *span) {
    if (span->point) return span_point(STORE_SPACE_DATA, rpc_slice(span->start));
    return span_range(STORE_SPACE_DATA, rpc_slice(span->start), rpc_slice(span->end));
}

enum status txn_check_span(const Cairn__TxnSpan *span, struct error *error) {
    if (span->start.len <= MVCC_MAX_KEY_BYTES + 1 && span->end.len <= MVCC_MAX_KEY_BYTES + 1)
        return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE, "the bound of a span is over %d bytes",
                     MVCC_MAX_KEY_BYTES);
}

/* The ring belongs to the loop. */
static bool may_use_ring(const struct evaluation *evaluation) {
    const struct txn_commands *commands = evaluation->command->context;
    return commands->recent != NULL && evaluation->reader.snapshot == NULL;
}

static enum recent_answer ask_ring(struct evaluation *evaluation, Cairn__TxnSpan *const *spans,
                                   size_t count, hlc_timestamp after, hlc_timestamp upto,
                                   struct slice *key) {
    struct txn_commands *commands = evaluation->command->context;
    struct span *plain = ARENA_ARRAY(evaluation->arena, struct span, count);
    for (size_t i = 0; i < count; i++) {
        if (spans[i]->since != 0 && spans[i]->since < after) after = spans[i]->since;
        plain[i] = txn_span_of(spans[i]);
    }
    recent_writes_enter_term(commands->recent, evaluation->term, evaluation->applied_timestamp);
    return recent_writes_changed(commands->recent, plain, count, after, upto, key);
}

static bool same_since(Cairn__TxnSpan *const *spans, size_t count, hlc_timestamp *after) {
    hlc_timestamp since = spans[0]->since != 0 ? spans[0]->since : *after;
    for (size_t i = 1; i < count; i++) {
        if ((spans[i]->since != 0 ? spans[i]->since : *after) != since) return false;
    }
    *after = since;
    return true;
}

enum status txn_spans_changed(struct evaluation *evaluation, Cairn__TxnSpan *const *spans,
                              size_t count, hlc_timestamp after, hlc_timestamp upto, bool *changed,
                              struct slice *key, struct error *error) {
    *changed = false;
    if (count == 0) return STATUS_OK;
    hlc_timestamp common = after;
    if (may_use_ring(evaluation) && same_since(spans, count, &common)) {
        enum recent_answer answer = ask_ring(evaluation, spans, count, common, upto, key);
        struct txn_commands *commands = evaluation->command->context;
        if (answer != RECENT_UNKNOWN) counter_add(commands->validated_in_memory, 1);
        if (answer == RECENT_CHANGED) *key = arena_dup_slice(evaluation->arena, *key);
        *changed = answer == RECENT_CHANGED;
        if (answer != RECENT_UNKNOWN) return STATUS_OK;
    }
    struct mvcc_points points;
    mvcc_points_init(&points, &evaluation->reader);
    struct buf found = BUF_INIT;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK && !*changed; i++) {
        struct span span = txn_span_of(spans[i]);
        status = mvcc_changed(&points, &span, spans[i]->since != 0 ? spans[i]->since : after, upto,
                              changed, &found, error);
    }
    if (*changed) *key = arena_dup_slice(evaluation->arena, buf_slice(&found));
    buf_deinit(&found);
    mvcc_points_deinit(&points);
    return status;
}
