/* txn_commands.h - the leader's side of transactions: commit, locking reads, refresh, records.
 *
 *   TXN_COMMIT     TxnCommit   -> TxnCommitReply   validate, then write everything at one timestamp
 *   TXN_LOCK_GET   TxnLockGet  -> KvGetReply       lock some keys, then read their newest versions
 *   TXN_LOCK_SCAN  TxnLockScan -> KvScanReply      the same for the rows of a page
 *   TXN_REFRESH    TxnRefresh  -> TxnRefreshReply  did these spans change between two moments?
 *   TXN_HEARTBEAT  TxnIds      -> TxnEmptyReply    they are alive: their locks stay
 *   TXN_RELEASE    TxnIds      -> TxnEmptyReply    they are over: their locks go
 *   TXN_COLLECT    TxnCollect  -> TxnEmptyReply    forget the records of old commits
 *
 * Invariants
 *  1. A commit takes effect at most once, however often it is sent: its record is looked up under
 *     the latch of its id, and a commit whose record may have been collected is refused.
 *  2. At its commit timestamp nothing that it read has changed since it was read.
 *
 * Loop only. */
#ifndef CAIRN_TXN_COMMANDS_H
#define CAIRN_TXN_COMMANDS_H

#include "env.h"
#include "recent_writes.h"
#include "store.h"

/* Ids of this chapter's commands. */
enum {
    TXN_COMMIT = 16,
    TXN_LOCK_GET = 17,
    TXN_LOCK_SCAN = 18,
    TXN_REFRESH = 19,
    TXN_HEARTBEAT = 20,
    TXN_RELEASE = 21,
    TXN_COLLECT = 22
};

/* What the commands keep in memory. Embedded in its owner, who keeps it as long as the store. */
struct txn_commands {
    struct command table[7];
    struct recent_writes *recent;
    hlc_timestamp floor; /* commit ids begun below it are refused; of `floor_term` */
    uint64_t floor_term;
    struct counter *committed, *conflicts, *exists, *recognised, *validated_in_memory;
};

/* `recent` is borrowed, and must be the one that mvcc_commands has. */
void txn_commands_init(struct txn_commands *commands, struct recent_writes *recent,
                       struct metrics *metrics);
void txn_commands_register(struct txn_commands *commands, struct store *store);

/* ---- collection of records ------------------------------------------------------------------ */

/* Runs TXN_COLLECT once a minute while this node leads: records older than ten minutes go. */
struct txn_collector;
struct txn_collector *txn_collector_new(struct env *env, struct store *store);
/* Before the store is freed; one under way is answered when the store is, or earlier. */
void txn_collector_free(struct txn_collector *collector);

#endif
