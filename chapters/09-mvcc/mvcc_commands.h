/* mvcc_commands.h - reads and blind writes of versioned keys as commands of a store.
 *
 *   MVCC_GET     KvGet     -> KvGetReply      some keys, as of a timestamp or now
 *   MVCC_SCAN    KvScan    -> KvScanReply     a page of a range, either direction
 *   MVCC_PUT     KvPut     -> KvWriteReply    one blind write, linearizable
 *   MVCC_DELETE  KvDelete  -> KvWriteReply
 *
 * "Now" (read timestamp 0) is linearizable: the read barrier comes first. A timestamp above the
 * last applied commit is UNAVAILABLE: only a leader that has been replaced is asked for one. What
 * evaluates a get or a scan is shared with chapter 10, whose locking reads are the same reads under
 * locks. */
#ifndef CAIRN_MVCC_COMMANDS_H
#define CAIRN_MVCC_COMMANDS_H

#include "kv.pb-c.h"
#include "mvcc.h"

struct recent_writes;

/* Embedded in its owner, who keeps it as long as the store. */
struct mvcc_commands {
    struct command table[4];
};

/* `recent` (may be NULL) learns of each write; borrowed. */
void mvcc_commands_init(struct mvcc_commands *commands, struct recent_writes *recent);
void mvcc_commands_register(struct mvcc_commands *commands, struct store *store);

/* INVALID, TOO_LARGE. */
enum status mvcc_check_key(struct slice key, struct error *error) MUST_CHECK;
enum status mvcc_check_value(struct slice value, struct error *error) MUST_CHECK;
enum status mvcc_check_get(const Cairn__KvGet *get, struct error *error) MUST_CHECK;
enum status mvcc_check_scan(const Cairn__KvScan *scan, struct error *error) MUST_CHECK;

/* UNAVAILABLE when not everything up to the timestamp is applied here: the reader has seen answers
 * of a later leader than this one. */
enum status mvcc_check_applied(const struct evaluation *evaluation, hlc_timestamp timestamp,
                               struct error *error) MUST_CHECK;

/* Appends a KvGetReply to evaluation->reply. request->read_timestamp is not looked at. TOO_LARGE
 * when the values are more than MVCC_MAX_REPLY_BYTES in all. */
enum status mvcc_evaluate_get(struct evaluation *evaluation, hlc_timestamp timestamp,
                              const Cairn__KvGet *request, struct error *error) MUST_CHECK;
/* Fills in the reply, in the evaluation's arena. request->read_timestamp is not looked at. */
enum status mvcc_evaluate_scan(struct evaluation *evaluation, hlc_timestamp timestamp,
                               const Cairn__KvScan *request, Cairn__KvScanReply *reply,
                               struct error *error) MUST_CHECK;

#endif
