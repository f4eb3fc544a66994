/* agree.h - the smallest shell around Raft's core: nodes that agree on a list of lines, in memory.
 *
 * It shows the whole of a shell's duty (raft.h) in one file: events in, an update taken at the end
 * of the turn, messages out, entries applied, reads answered. Only the disk is missing: everything
 * counts as durable at once. So a node that ends takes its promises with it, and must not come back
 * under its old number; chapter 05 puts that right.
 *
 * On the loop; nothing suspends. */
#ifndef CAIRN_AGREE_H
#define CAIRN_AGREE_H

#include "raft.h"
#include "rpc_client.h"
#include "rpc_server.h"

struct agree;

struct agree_peer {
    uint64_t node_id;
    const char *host;
    uint16_t port;
};

struct agree_options {
    struct env *env;
    struct rpc_context *rpc;
    struct rpc_server *server; /* the methods of agree.proto are registered here */
    uint64_t node_id;
    const struct agree_peer *peers; /* the other nodes; copied */
    size_t peer_count;
};

/* INVALID: too many peers, or one has our number. */
enum status agree_new(const struct agree_options *options, struct agree **out,
                      struct error *error) MUST_CHECK;
/* After the server: calls that are unanswered then are answered here. */
void agree_free(struct agree *agree);

/* What became of a request: OK and the reply, NOT_LEADER, UNAVAILABLE (no leader is known),
 * UNKNOWN_OUTCOME (leadership was lost meanwhile) or a status of rpc_client.h. `reply` is a packed
 * AgreeReply. */
typedef void (*agree_callback)(void *arg, enum status status, struct slice reply,
                               const struct error *error);

/* Adds a line, or reads all, at the leader, wherever it is. `done` comes in a later step. */
void agree_say(struct agree *agree, struct slice line, agree_callback done, void *arg);
void agree_read(struct agree *agree, agree_callback done, void *arg);

const struct raft *agree_raft(const struct agree *agree);

#endif
