/* txn.h - transactions, as the layers above use them. Runs on the gateway: the node the client
 * chose.
 *
 * Serializable, by optimistic validation at the leader (FoundationDB, SIGMOD 2021, section 2.4)
 * with pessimistic queueing on rows that are about to be written:
 *
 *  - read_ts is the timestamp of the last commit applied at the leader, fetched with the first
 * read. All reads see the database as of read_ts, plus this transaction's own writes.
 *  - Writes stay in a buffer here until commit. Commit is one command: the leader, under latches,
 * refuses it (CONFLICT) if anything in a span that was read has a version newer than read_ts, and
 * otherwise gives all writes one commit timestamp, above every other. Spans, not rows: no phantoms.
 *  - A read FOR UPDATE queues for the row's lock at the leader and then sees the newest version. If
 * that is newer than read_ts, the transaction asks the leader whether all it read before is
 * unchanged and moves read_ts up; if not, CONFLICT. Hot rows queue in this way instead of aborting.
 *  - The transaction's id is written with its commit, so a commit whose answer was lost is asked
 * for again.
 *
 * Invariants
 *  1. After CONFLICT, DEADLOCK or any error that says so below the transaction is dead: every
 * further call but txn_rollback and txn_free returns the same status.
 *  2. A read never misses a commit that was acknowledged, anywhere, before the first read began.
 *  3. UNKNOWN_OUTCOME is returned by txn_commit alone.
 *
 * Everything here runs on a coroutine and may suspend it unless said otherwise. A transaction is
 * used by one coroutine at a time. `error` may be NULL. Statuses every suspending call may also
 * return: DEADLINE, CANCELLED (the transaction lives on, nothing was changed by the call),
 * UNAVAILABLE, BUSY, CORRUPT, INVALID. */
#ifndef CAIRN_TXN_H
#define CAIRN_TXN_H

#include "arena.h"
#include "buf.h"
#include "env.h"
#include "hlc.h"
#include "kv.h"
#include "metrics.h"
#include "request.h"
#include "slice.h"
#include "status.h"

/* ---- the gateway's side: one per node ------------------------------------------------------- */

struct txn_manager;

struct txn_manager_options {
    struct kv *kv;
    struct env *env;
    struct hlc *hlc;
    struct metrics *metrics;
    uint64_t heartbeat_interval_ns; /* while locks are held; 0: 1 s */
    size_t max_write_bytes;         /* of one transaction's buffer; 0: 64 MiB */
};
struct txn_manager *txn_manager_new(const struct txn_manager_options *options);
/* All transactions must be freed. */
void txn_manager_free(struct txn_manager *manager);

/* ---- a transaction -------------------------------------------------------------------------- */

struct txn;

/* Never suspends. The request (copied; its cancel token must live as long as the transaction or
 * until replaced) gives deadline and priority of the calls that follow. */
struct txn *txn_begin(struct txn_manager *manager, const struct request *request);
/* For the next statement. Never suspends. */
void txn_set_request(struct txn *txn, const struct request *request);
/* Before the first read: the commit is also to fail with CONFLICT if `key` has a version newer than
 * `since`, a timestamp at which the caller knows its value from an earlier transaction (a cached
 * catalog). A transaction that only writes thus needs no read. With the first read, read_ts is
 * taken as always and the leader asked whether the key is unchanged up to it: CONFLICT if not.
 * Copies the key. Never suspends. */
void txn_expect_unchanged(struct txn *txn, struct slice key, hlc_timestamp since);
/* Rolls back if it is neither committed nor rolled back. Cursors must be closed. Never suspends. */
void txn_free(struct txn *txn);

enum txn_flags {
    TXN_FOR_UPDATE = 1 << 0, /* reads: queue for the row's lock, read the newest version */
    TXN_IMMEDIATE = 1 << 1   /* txn_put_absent: find out now, not at commit */
};

/* OK, NOT_FOUND, CONFLICT, DEADLOCK. `value` is overwritten. */
enum status txn_get(struct txn *txn, struct slice key, unsigned flags, struct buf *value,
                    struct error *error) MUST_CHECK;

struct txn_value {
    bool found;
    struct slice value; /* in the arena */
};
/* One round trip for every 1,024 keys, which need not be sorted or distinct; `values` has room
 * for `count`. OK, CONFLICT, DEADLOCK, TOO_LARGE (values over 32 MiB in one round trip). */
enum status txn_get_many(struct txn *txn, const struct slice *keys, size_t count, unsigned flags,
                         struct arena *arena, struct txn_value *values,
                         struct error *error) MUST_CHECK;

/* Writes are buffered; these never suspend. Keys may not be empty and are at most TXN_MAX_KEY_BYTES
 * long, values TXN_MAX_VALUE_BYTES: INVALID, TOO_LARGE. TOO_LARGE also when the buffer is over
 * max_write_bytes. */
enum { TXN_MAX_KEY_BYTES = 16 * 1024, TXN_MAX_VALUE_BYTES = 16 * 1024 * 1024 };
enum status txn_put(struct txn *txn, struct slice key, struct slice value,
                    struct error *error) MUST_CHECK;
enum status txn_delete(struct txn *txn, struct slice key, struct error *error) MUST_CHECK;
/* Puts a key that must not exist. EXISTS at once when this transaction's own buffer has it.
 * Otherwise the leader checks at commit, which then returns EXISTS and the key; with TXN_IMMEDIATE
 * it is read now (suspends; EXISTS, CONFLICT, and then the buffer is unchanged and the transaction
 * lives). */
enum status txn_put_absent(struct txn *txn, struct slice key, struct slice value, unsigned flags,
                           struct error *error) MUST_CHECK;

/* OK: committed, durable, seen by every later transaction. Otherwise nothing was written, and the
 * transaction is dead: CONFLICT: retry from the beginning. EXISTS: txn_failed_key has the key of a
 * txn_put_absent. UNKNOWN_OUTCOME (SQLSTATE 40003): it may have been committed, or may be yet; the
 * leader could not be asked in time. A transaction that wrote nothing commits without a round trip.
 * DEADLINE, CANCELLED and the like mean, as everywhere, that nothing was written: a commit under
 * way is not cancelled any more. */
enum status txn_commit(struct txn *txn, struct error *error) MUST_CHECK;
/* Never suspends: locks are released behind its back. */
void txn_rollback(struct txn *txn);
/* After EXISTS, else empty. Valid until txn_free. */
struct slice txn_failed_key(const struct txn *txn);

/* ---- looking (none suspends) ---------------------------------------------------------------- */

/* 0 before the first read. */
hlc_timestamp txn_read_timestamp(const struct txn *txn);
/* 0 unless committed with writes. */
hlc_timestamp txn_commit_timestamp(const struct txn *txn);
bool txn_has_writes(const struct txn *txn);
/* OK while it is alive, else why it is dead. */
enum status txn_state(const struct txn *txn);

/* ---- savepoints (none suspends) ------------------------------------------------------------- */

/* A moment in the sequence of this transaction's writes. */
typedef uint64_t txn_savepoint_id;
txn_savepoint_id txn_savepoint(struct txn *txn);
/* Undoes the writes made since. What was read stays read, locks stay held. Later savepoints are
 * void; cursors opened since must be closed. */
void txn_rollback_to(struct txn *txn, txn_savepoint_id savepoint);

/* ---- scans ---------------------------------------------------------------------------------- */

struct txn_cursor;

struct txn_scan {
    struct slice start;  /* inclusive */
    struct slice end;    /* exclusive; empty: to the end of the keyspace */
    bool reverse;        /* from end down to start */
    uint64_t limit;      /* rows in all; 0: no limit. Read ahead is cut to it */
    unsigned flags;      /* TXN_FOR_UPDATE: each row that is returned is locked */
    uint32_t page_rows;  /* 0: 256. Largest page; the first is smaller when limit is */
    uint32_t page_bytes; /* 0: 1 MiB */
};

struct txn_row {
    struct slice key, value;
};

/* Copies start and end. Never suspends, reads nothing yet. The cursor sees the writes this
 * transaction made before it was opened, and none made since (so an UPDATE never meets its own new
 * rows). */
struct txn_cursor *txn_scan_open(struct txn *txn, const struct txn_scan *scan);
/* The next page, in key order (descending if reverse): *count rows, 0 at the end. They are valid
 * until the next call for this cursor. OK, CONFLICT, DEADLOCK. */
enum status txn_scan_next(struct txn_cursor *cursor, const struct txn_row **rows, size_t *count,
                          struct error *error) MUST_CHECK;
/* Never suspends. */
void txn_scan_close(struct txn_cursor *cursor);

#endif
