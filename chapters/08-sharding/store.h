/* store.h - one range's state machine: the leader evaluates commands, Raft carries their effect.
 *
 * A *command* is a small procedure over the range's data. Layers above register theirs; the store
 * knows none of them. The life of one that writes:
 *
 *   declare   which spans it will read and write
 *   latch     those spans (latch.h): nothing it looks at changes before its effect is applied
 *   evaluate  against the engine: a reply, a write batch, a commit timestamp
 *   propose   the batch (store.proto) through the replicator
 *   apply     on every node: append the batch; nothing is computed again
 *   answer    release the latches, then the locks that it gave up, then call back
 *
 * One that only reads takes no latch: it asks the replicator for a read barrier (unless it reads
 * at a timestamp that is applied already) and evaluates. A command that locks rows (lock_table.h)
 * is evaluated, waits in the queues of the locks that it lacks, and is evaluated again.
 *
 * (Evaluate, then replicate: CockroachDB, RFC "Proposer-evaluated KV", 2016; its spanlatch.)
 *
 * Invariants
 *  1. Commit timestamps are allotted in the order of proposals, so they strictly increase along
 *     the log. Everything up to `applied_timestamp` is applied here: a read at or below it needs
 *     no latch, and every later commit is above it.
 *  2. Two commands whose latches conflict are never between evaluation and apply at once.
 *  3. A command is answered exactly once.
 *  4. Commands are evaluated only between on_leader(true) and on_leader(false); an entry
 *     evaluated in another term than the one it is logged in has no effect.
 *
 * Everything on the loop, nothing suspends; `evaluate` alone may run on a thread of the read
 * lane. */
#ifndef CAIRN_STORE_H
#define CAIRN_STORE_H

#include "arena.h"
#include "buf.h"
#include "engine.h"
#include "env.h"
#include "hlc.h"
#include "lock_table.h"
#include "metrics.h"
#include "replicator.h"
#include "request.h"
#include "slice.h"
#include "span.h"
#include "status.h"
#include "write_batch.h"

struct store;
struct evaluation;
struct operation;

/* ---- commands ------------------------------------------------------------------------------- */

enum command_kind {
    COMMAND_READ,  /* never writes: may be evaluated on the read lane, on a snapshot */
    COMMAND_WRITE, /* evaluated on the loop, under latches */
    COMMAND_LOCK   /* takes or releases row locks, writes nothing: on the loop, no latches */
};

/* Registered once, at start. Static or outliving the store. */
struct command {
    uint32_t id; /* stands in requests and in the log: never reused */
    enum command_kind kind;
    const char *name;
    void *context; /* passed through; READ commands must not change it in evaluate */

    /* Decodes `payload` into the arena (evaluation->decoded, for `evaluate`) and names the spans
     * to latch (WRITE) by declaration_add. Sets evaluation->needs_barrier when it must see every
     * write acknowledged before it. INVALID with a message when the payload is malformed. */
    enum status (*declare)(struct evaluation *evaluation, struct error *error);

    /* Reads by evaluation->reader, fills in `reply` and, WRITE only, `batch`. May be called
     * several times for one request, each time with empty outputs; it must be a function of its
     * inputs alone. An empty batch: the reply is given at once, nothing is proposed. Anything but
     * OK: no effect, and the status is the answer; WOULD_BLOCK from the engine is passed on and
     * makes the store try again on a lane. */
    enum status (*evaluate)(struct evaluation *evaluation, struct error *error);
};

/* How a command reads the engine: by the no-wait form on the loop, on a snapshot on a lane. */
struct store_reader {
    struct engine *engine;
    struct engine_snapshot *snapshot; /* NULL on the loop: the newest state */
    bool no_wait;
};

/* What a command's functions get. */
struct evaluation {
    const struct command *command;
    struct slice payload; /* valid until the answer */
    void *decoded;        /* declare's, in the arena */
    struct arena *arena;  /* dies with the request */
    /* declare: this command must see every write acknowledged before it began. A WRITE command's
     * evaluate sets it when its batch is empty and its answer tells what is there. */
    bool needs_barrier;

    struct store_reader reader;
    hlc_timestamp applied_timestamp; /* see invariant 1 */
    uint64_t term;                   /* of this leadership */
    bool rehearsal; /* on a lane to warm the cache: outputs and locks are discarded; change no
                       context */

    struct buf *reply;
    struct write_batch *batch;   /* NULL for READ and LOCK */
    struct operation *operation; /* the store's */
};

/* declare: latches a span. The slices must live in the payload or the arena. */
void declaration_add(struct evaluation *evaluation, struct span span, enum span_access access);

/* evaluate, WRITE: the commit timestamp of this command, above every other. The same one when
 * called twice. */
hlc_timestamp evaluation_allot_timestamp(struct evaluation *evaluation);

/* evaluate, LOCK: asks for the exclusive lock on a key. True: held by txn now. False: the key is
 * noted, and after this evaluation (whose reply is dropped) the store queues for it and evaluates
 * again. Locks are a courtesy that makes hot rows queue; what keeps transactions apart is
 * validation at commit. When the table is full it therefore answers true without locking. */
bool evaluation_lock(struct evaluation *evaluation, struct txn_id txn, struct slice key);
/* The transaction is alive: its locks stay for another lock timeout. */
void evaluation_touch(struct evaluation *evaluation, struct txn_id txn);
/* The transaction is over: its locks are released once this command is answered, whatever the
 * answer; requests of its that still wait for a lock end with CANCELLED. */
void evaluation_release(struct evaluation *evaluation, struct txn_id txn);

/* ---- the store ------------------------------------------------------------------------------ */

struct store_options {
    struct env *env;
    struct engine *engine; /* the replicator's: the store only reads it */
    struct hlc *hlc;       /* the node's clock */
    struct metrics *metrics;
    uint64_t lock_timeout_ns; /* 0: 5 s since a transaction was last heard of */
    size_t max_requests;      /* being worked on; above it BUSY. 0: 16,384 */
    size_t max_request_bytes; /* payloads of these. 0: 256 MiB */
    size_t max_locks;         /* 0: 100,000 */
    uint64_t epoch;           /* of the range */
};

struct store *store_new(const struct store_options *options);
/* The replicator must be stopped (no callbacks follow) and work on the lanes settled
 * (env_uv_settle). Requests under way are answered, inside: UNKNOWN_OUTCOME if they are proposed,
 * else CANCELLED. */
void store_free(struct store *store);

/* The table and the `self` to give to the replicator. */
extern const struct state_machine_ops store_state_machine;

/* Once, when the engine is as recovery left it, before the replicator's first callback. The
 * replicator is borrowed. IO or CORRUPT when the engine cannot be read. */
enum status store_attach(struct store *store, struct replicator *replicator,
                         struct error *error) MUST_CHECK;
/* Registers a command. Two with one id: an assert. */
void store_register(struct store *store, const struct command *command);

struct store_result {
    enum status status;
    struct slice reply;        /* OK only; valid during the callback */
    uint64_t leader;           /* NOT_LEADER: node id of the leader as far as known, else 0 */
    const struct error *error; /* never NULL; says why when status is not OK */
};
typedef void (*store_callback)(void *arg, const struct store_result *result);

/* Executes a command. `payload` and `request` are copied; request->cancel must live until the
 * callback, which comes exactly once, possibly before this returns. Answers, beside those of the
 * command: NOT_LEADER (surely no effect), BUSY, INVALID, UNSUPPORTED (unknown command), CANCELLED
 * and DEADLINE (while waiting: no effect), DEADLOCK (lock wait), UNAVAILABLE (reads; leadership
 * was lost), UNKNOWN_OUTCOME (the proposal may yet be committed). */
void store_execute(struct store *store, uint32_t command_id, struct slice payload,
                   const struct request *request, store_callback callback, void *arg);

/* True while commands are evaluated here. `leader` (may be NULL) as replicator_ops.leads. */
bool store_leads(struct store *store, uint64_t *leader);
hlc_timestamp store_applied_timestamp(const struct store *store);

struct store_status {
    bool leads;
    uint64_t term;
    hlc_timestamp applied_timestamp, allotted_timestamp;
    size_t requests, request_bytes; /* under way */
    size_t latches, locks, lock_waiters;
};
struct store_status store_status(const struct store *store);

/* ---- the engine's key space ----------------------------------------------------------------- */

/* First byte of every key that is written through a store. Below it is the replicator's (applied
 * index). */
enum store_space {
    STORE_SPACE_META = 0x10,   /* this file's: the timestamp bound */
    STORE_SPACE_RECORD = 0x20, /* chapter 10: transaction records */
    STORE_SPACE_DATA = 0x30    /* chapter 09: versioned user keys */
};

#endif
