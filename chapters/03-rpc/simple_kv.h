/* simple_kv.h - the service of this chapter's node: get, put, delete and scan on an engine.
 *
 * An example of a service: each method is a row (rpc_server.h), its payloads are protobufs.
 *
 * Invariants
 *  1. A put or delete is answered only when it is durable. The writes of one turn of the loop share
 *     one sync.
 *  2. A get sees every write that was answered before it was asked. */
#ifndef CAIRN_SIMPLE_KV_H
#define CAIRN_SIMPLE_KV_H

#include "engine.h"
#include "rpc_server.h"
#include "simple_kv.pb-c.h"

enum { SIMPLE_KV_SCAN_LIMIT = 1000 };

struct simple_kv;

/* Registers the methods with `server`; NULL: with none, the caller routes calls to it. The engine
 * has a log of its own; all outlive the service. */
struct simple_kv *simple_kv_new(struct env *env, struct engine *engine, struct rpc_server *server);
/* The server must be freed first. */
void simple_kv_free(struct simple_kv *kv);

/* For services that read as this one does but write in a way of their own. */

/* NULL: the call was answered with an error. Else the request, in `arena`, which is the caller's to
 * end. */
const SimpleKvRequest *simple_kv_unpack(struct rpc_call *call, struct slice payload,
                                        struct arena *arena);
/* Handlers (struct rpc_method); `kv` is a struct simple_kv. */
void simple_kv_get(void *kv, struct rpc_call *call, struct slice payload);
void simple_kv_scan(void *kv, struct rpc_call *call, struct slice payload);

#endif
