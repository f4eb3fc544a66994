/* kvstore.h - a key-value store that survives a crash: the memtable holds the data, the log makes
 * the writes durable, a snapshot lets the log be cut.
 *
 * A write goes to the log, then to the memtable (write-ahead: Mohan et al., "ARIES", 1992). Opening
 * reads the newest snapshot and replays the log from the position that it names. The directory
 * holds the folder `log` and the file `snapshot.map`.
 *
 * Invariants
 *  1. What kvstore_commit (or a commit's `done`) reported OK for is there after any crash.
 *  2. After a crash the store holds a prefix of its writes, in their order.
 *  3. The log is cut only below the position of a snapshot that is complete and synced. */
#ifndef CAIRN_KVSTORE_H
#define CAIRN_KVSTORE_H

#include "env.h"
#include "slice.h"
#include "status.h"

struct kvstore;

enum { KVSTORE_KEY_MAX = 64 * 1024, KVSTORE_VALUE_MAX = 16 * 1024 * 1024 };

struct kvstore_options {
    const char *dir;             /* created if missing; locked: IN_USE */
    size_t memory_limit_bytes;   /* 0: 1 GiB */
    size_t segment_bytes;        /* of the log; 0: its default */
    uint64_t snapshot_log_bytes; /* kvstore_commit takes a snapshot at this much log; 0: 64 MiB */
    bool on_loop;                /* as in wal.h: kvstore_commit_start needs it */
};

/* IN_USE, CORRUPT with file and offset, IO, NO_SPACE. */
enum status kvstore_open(struct env *env, const struct kvstore_options *options,
                         struct kvstore **out, struct error *error) MUST_CHECK;
/* Writes that were not committed may be lost. Marks the log if it can (wal.h, invariant 3). */
void kvstore_close(struct kvstore *store);

/* Visible at once, durable after a commit. TOO_LARGE; BUSY at the memory limit; NO_SPACE. */
enum status kvstore_put(struct kvstore *store, struct slice key, struct slice value,
                        struct error *error) MUST_CHECK;
/* NOT_FOUND, and nothing written, if the key is not there. */
enum status kvstore_delete(struct kvstore *store, struct slice key, struct error *error) MUST_CHECK;
/* The value is valid until the next write. OK or NOT_FOUND. */
enum status kvstore_get(const struct kvstore *store, struct slice key,
                        struct slice *value) MUST_CHECK;
/* Calls `visit` for the keys in [start, end), in order, until it returns false; an empty end: to
 * the last. It must not write to the store. */
void kvstore_scan(const struct kvstore *store, struct slice start, struct slice end,
                  bool (*visit)(void *arg, struct slice key, struct slice value), void *arg);

/* Waits until every write so far is durable: one sync for all of them. */
enum status kvstore_commit(struct kvstore *store, struct error *error) MUST_CHECK;

/* The same without waiting, for a store on a loop. `done` runs when the sync has covered every
 * write before the call; many commits share one sync (group commit). Embedded in its owner. */
struct kvstore_commit_op {
    void (*done)(void *arg);
    void *arg;
    uint64_t position;
    struct kvstore_commit_op *next;
};
void kvstore_commit_start(struct kvstore *store, struct kvstore_commit_op *op);

/* Writes all data to a file and cuts the log, waiting. */
enum status kvstore_snapshot(struct kvstore *store, struct error *error) MUST_CHECK;

size_t kvstore_count(const struct kvstore *store);
/* Bytes of log that a restart would replay. */
uint64_t kvstore_log_bytes(const struct kvstore *store);

#endif
