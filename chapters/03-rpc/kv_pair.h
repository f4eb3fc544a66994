/* kv_pair.h - SimpleKv on two nodes: primary_backup.h on connections, timers and an engine.
 *
 * The primary answers, the backup names the primary. The backup is told where the primary is; the
 * primary learns where its backup is from the backup's handshake.
 *
 * Invariants
 *  1. A write is applied to the engine and synced before it is answered, or acknowledged to the
 *     other node. The writes of one turn of the loop share one sync.
 *  2. A copy travels in one frame: a primary whose store does not fit (64 MiB) goes on without a
 *     backup, and the log says so. */
#ifndef CAIRN_KV_PAIR_H
#define CAIRN_KV_PAIR_H

#include "primary_backup.h"
#include "simple_kv.h"

enum { KV_PAIR_SILENCE_MS = 2000, KV_PAIR_TICKS_PER_SILENCE = 8 };

struct kv_pair_options {
    struct rpc_context *rpc; /* self.listen_address must be set: the other node dials it */
    struct engine *engine;   /* with a log of its own */
    struct rpc_server *server;
    const char *backup_of; /* HOST:PORT of the primary; NULL: be the primary */
    bool wait_for_backup;
    uint64_t silence_ns; /* 0: KV_PAIR_SILENCE_MS */
};

struct kv_pair;

/* Registers the methods with the server; what `options` point to outlives the pair. INVALID:
 * backup_of is malformed. */
enum status kv_pair_new(const struct kv_pair_options *options, struct kv_pair **out,
                        struct error *error) MUST_CHECK;
/* The server must be freed first. NULL is fine. */
void kv_pair_free(struct kv_pair *pair);

enum pb_role kv_pair_role(const struct kv_pair *pair);
/* A primary that no backup follows. */
bool kv_pair_alone(const struct kv_pair *pair);

#endif
