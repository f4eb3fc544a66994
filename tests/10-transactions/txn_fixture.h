/* txn_fixture.h - one node in a process: engine, store, transactions, coroutines. */
#ifndef CAIRN_TXN_FIXTURE_H
#define CAIRN_TXN_FIXTURE_H

#include "co.h"
#include "engine.h"
#include "env_uv.h"
#include "kv.h"
#include "mvcc_commands.h"
#include "recent_writes.h"
#include "solo_replicator.h"
#include "store.h"
#include "txn.h"
#include "txn_commands.h"

struct node {
    struct env *env;
    struct engine *engine;
    struct metrics *metrics;
    struct hlc hlc;
    struct store *store;
    struct solo_replicator *solo;
    struct recent_writes *recent;
    struct mvcc_commands mvcc;
    struct txn_commands commands;
    struct kv *kv;
    struct txn_manager *txns;
    struct co_pool *pool;
    size_t running; /* coroutines; the loop stops at none */
};

struct node_options {
    unsigned would_block_percent;
    size_t remembered_writes; /* 0: 1024 */
    size_t pace;              /* entries committed in one step; 0: all */
    uint64_t lock_timeout_ns, heartbeat_interval_ns;
};

void node_start(struct node *node, const struct node_options *options);
void node_stop(struct node *node);

/* Runs `body(arg)` on a coroutine, with others that were spawned, until all have returned. */
void node_spawn(struct node *node, void (*body)(void *arg), void *arg);
void node_run(struct node *node);

struct request node_request(struct node *node); /* 20 s */
struct txn *node_begin(struct node *node);
void node_lead(struct node *node);

/* Short forms for string keys and values. */
enum status get(struct txn *txn, const char *key, unsigned flags, char *out);
enum status put(struct txn *txn, const char *key, const char *value);
/* In a transaction of its own; asserts that it commits. */
void put_alone(struct node *node, const char *key, const char *value);
/* "" when it is not there. */
const char *get_alone(struct node *node, const char *key, char *out);
int to_int(const char *text);
/* "a=1 b=2 " of [start, end); `out` has room for SCAN_TEXT_MAX bytes. */
enum { SCAN_TEXT_MAX = 256 };
enum status scan(struct txn *txn, const struct txn_scan *options, char *out);

#endif
