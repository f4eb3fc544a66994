/* txn_internal.h - what the leader-side sources of this chapter share. For no one else. */
#ifndef CAIRN_TXN_INTERNAL_H
#define CAIRN_TXN_INTERNAL_H

#include "mvcc_commands.h"
#include "rpc.h"
#include "txn.pb-c.h"
#include "txn_commands.h"

static inline struct txn_id txn_id_of(const Cairn__TxnId *id) {
    return (struct txn_id){id->begin, id->random};
}

/* ---- txn_record.c --------------------------------------------------------------------------- */

/* Engine key of a record; ordered by when the commit id began. */
enum { TXN_RECORD_KEY_BYTES = 1 + 1 + 8 + 8 };
struct slice txn_record_key(struct txn_id commit_id, struct arena *arena);
/* Latches: of one record, of the floor. */
struct span txn_record_span(struct txn_id commit_id, struct arena *arena);
struct span txn_floor_span(void);

/* *record is NULL if there is none; else in the arena. */
enum status txn_record_read(struct evaluation *evaluation, struct txn_id commit_id,
                            Cairn__TxnRecord **record, struct error *error) MUST_CHECK;
void txn_record_write(struct evaluation *evaluation, struct txn_id commit_id,
                      const Cairn__TxnRecord *record);
/* Reads the floor once a term. */
enum status txn_floor(struct evaluation *evaluation, hlc_timestamp *floor,
                      struct error *error) MUST_CHECK;

enum status txn_collect_declare(struct evaluation *evaluation, struct error *error) MUST_CHECK;
enum status txn_collect_evaluate(struct evaluation *evaluation, struct error *error) MUST_CHECK;

/* ---- txn_validate.c ------------------------------------------------------------------------- */

/* Did one of the spans change in (its `since`, or `after`; upto]? *key is in the arena. */
enum status txn_spans_changed(struct evaluation *evaluation, Cairn__TxnSpan *const *spans,
                              size_t count, hlc_timestamp after, hlc_timestamp upto, bool *changed,
                              struct slice *key, struct error *error) MUST_CHECK;
struct span txn_span_of(const Cairn__TxnSpan *span);
enum status txn_check_span(const Cairn__TxnSpan *span, struct error *error) MUST_CHECK;

/* ---- txn_commit_command.c ------------------------------------------------------------------- */

enum status txn_commit_declare(struct evaluation *evaluation, struct error *error) MUST_CHECK;
enum status txn_commit_evaluate(struct evaluation *evaluation, struct error *error) MUST_CHECK;

/* ---- txn_commands.c ------------------------------------------------------------------------- */

/* Unpacks the payload into evaluation->decoded; INVALID. */
enum status txn_decode(struct evaluation *evaluation, const ProtobufCMessageDescriptor *type,
                       struct error *error) MUST_CHECK;

#endif
