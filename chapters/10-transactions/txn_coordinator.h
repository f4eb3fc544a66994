/* txn_coordinator.h - what the gateway-side sources of this chapter share. For no one else. */
#ifndef CAIRN_TXN_COORDINATOR_H
#define CAIRN_TXN_COORDINATOR_H

#include "kv.pb-c.h"
#include "lock_table.h"
#include "prng.h"
#include "read_set.h"
#include "txn.h"
#include "txn.pb-c.h"
#include "write_set.h"

struct txn_manager {
    struct txn_manager_options options;
    struct prng prng;
    struct txn *first; /* all transactions */
    size_t count;
    struct env_timer heartbeat;
    struct notice *notices; /* under way */
    struct counter *begun, *refreshed, *dead, *retried, *unknown;
};

/* A key that is to be unchanged since a moment before the first read. */
struct expectation {
    struct slice key; /* in the transaction's arena */
    hlc_timestamp since;
    struct expectation *next;
};

struct txn {
    struct txn_manager *manager;
    struct txn *next, *prev;
    struct txn_id id;
    struct request request;
    bool finished;      /* committed or rolled back */
    bool busy;          /* a call that suspends is under way */
    bool has_locks;     /* or may have */
    struct error death; /* status OK while it is alive */

    hlc_timestamp read_timestamp, commit_timestamp;
    struct read_set reads;
    struct write_set writes;
    struct expectation *expectations;
    size_t expectation_count;
    size_t cursors;

    struct arena arena;      /* lives as long as the transaction */
    struct arena call_arena; /* of one call */
    struct buf payload, reply;
    struct slice failed_key; /* in the arena */
};

/* ---- txn.c ---------------------------------------------------------------------------------- */

/* Every suspending call starts with enter (the reason, if the transaction is dead or the request
 * over) and ends with leave, which passes its status on. */
enum status txn_enter(struct txn *txn, struct error *error) MUST_CHECK;
enum status txn_leave(struct txn *txn, enum status status);
/* The transaction is dead from now on; gives up its locks. Returns `status`. */
enum status txn_die(struct txn *txn, struct error *error, enum status status, const char *reason);
/* One command, suspending: packs, calls, unpacks. *reply is in the arena. */
enum status txn_call(struct txn *txn, uint32_t command, const ProtobufCMessage *message,
                     const ProtobufCMessageDescriptor *reply_type, struct arena *arena,
                     ProtobufCMessage **reply, struct error *error) MUST_CHECK;
/* The ids' message for a TxnId field. */
void txn_fill_id(Cairn__TxnId *out, struct txn_id id);

/* ---- txn_manager.c -------------------------------------------------------------------------- */

/* Tells the leader that the locks are given up; nobody waits for the answer. */
void txn_send_release(struct txn_manager *manager, struct txn_id id);
void txn_start_heartbeat(struct txn_manager *manager);

/* ---- txn_read.c ----------------------------------------------------------------------------- */

/* Expectations to send with a first read; after it they are reads like others. */
Cairn__KvUnchanged **txn_pack_expectations(struct txn *txn, size_t *count);
/* What a first read brought: its timestamp, and whether the expectations hold. */
enum status txn_adopt_timestamp(struct txn *txn, hlc_timestamp timestamp, bool changed,
                                struct error *error) MUST_CHECK;
/* Moves the read timestamp up to `to`, if nothing that was read changed; else the transaction
 * dies. */
enum status txn_refresh(struct txn *txn, hlc_timestamp to, struct error *error) MUST_CHECK;
/* The read set as a message, in the arena. */
Cairn__TxnSpan **txn_pack_reads(struct txn *txn, struct arena *arena, size_t *count);

#endif
