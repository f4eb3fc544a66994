/* kv.h - how a client of commands reaches the leader.
 *
 * A `kv` takes a command (store.h) to wherever it is evaluated. Two implementations: local (this
 * node's store and no other) and routing (kv_router.h: this node's store if it leads, else the
 * leader over RPC).
 *
 * Retries: NOT_LEADER, UNAVAILABLE and BUSY are retried by the router, with backoff, until the
 * request's deadline: they say that nothing happened. A write whose fate is unknown (the
 * connection broke after it was sent) ends with UNKNOWN_OUTCOME, unless the call is marked
 * idempotent: then it is repeated too.
 *
 * On the loop; only kv_await suspends. */
#ifndef CAIRN_KV_H
#define CAIRN_KV_H

#include "buf.h"
#include "env.h"
#include "request.h"
#include "slice.h"
#include "status.h"

struct kv;
struct store;

/* Embedded in its owner, which must live until `done`. Zero what is not set. */
struct kv_call {
    uint32_t command;
    struct slice payload; /* borrowed until done */
    bool idempotent; /* repeating it is harmless: reads, and writes that recognise themselves */
    struct request request; /* the deadline also bounds the retries */
    /* Once; possibly before kv_start returns. reply: OK only, valid during the call. */
    void (*done)(struct kv_call *call, enum status status, struct slice reply,
                 const struct error *error);
    void *arg;
    void *state; /* the kv's */
};

struct kv_ops {
    void (*start)(struct kv *self, struct kv_call *call);
};

struct kv {
    const struct kv_ops *ops;
};

static inline void kv_start(struct kv *kv, struct kv_call *call) { kv->ops->start(kv, call); }

/* The same for a coroutine: suspends until the answer. `reply` is overwritten. CANCELLED when the
 * coroutine is cancelled: for a write that has the sense of UNKNOWN_OUTCOME. `error` may be NULL.
 */
enum status kv_await(struct kv *kv, uint32_t command, struct slice payload, bool idempotent,
                     const struct request *request, struct buf *reply,
                     struct error *error) MUST_CHECK;

/* Local: calls go to `store`, or fail with NOT_LEADER. */
struct kv *kv_local_new(struct store *store);
void kv_local_free(struct kv *kv);

#endif
