/* cairn_node.h - the node that people run: every chapter's layer, wired.
 *
 * What lives here is order: what is opened before what, who is given to whom, and the way back.
 * Logic lives in the chapters. The same node runs on the real machine (cairnd.c) and in simulation.
 *
 *   data/log        the write-ahead log of all Raft groups, and who this node is
 *   data/engine     the engine
 *   data/snapshots  snapshots on their way in */
#ifndef CAIRN_CAIRN_NODE_H
#define CAIRN_CAIRN_NODE_H

#include "env.h"
#include "replica.h"
#include "status.h"

struct cairn_node;

/* The one group of this version, and the method that answers with NodeStatus
 * (node_status.proto). */
enum { CAIRN_GROUP = 1, METHOD_NODE_STATUS = 0x0F01 };

struct cairn_node_options {
    uint64_t node_id;
    const char *host;      /* to listen on; "" or NULL: 127.0.0.1 */
    uint16_t port;         /* one port for everything */
    const char *advertise; /* host:port for the other nodes; NULL: host and port */
    const char *data_dir;
    const char *engine;      /* kind; NULL: "rocksdb" */
    const char *const *join; /* addresses of all nodes; empty: a cluster of one */
    size_t join_count;
    uint64_t election_timeout_ns, heartbeat_interval_ns; /* 0: Raft's */
    uint64_t log_segment_bytes, flush_log_bytes;         /* 0: the defaults */
    uint64_t keep_log_bytes;                             /* replica.h; 0: the default */
    /* engine.h: how often the in-memory engine plays a slow disk in simulation. */
    unsigned engine_would_block_percent, engine_busy_percent;
};

/* Opens and recovers everything, listens, and goes on by itself from there: clients are served when
 * the cluster has a leader. Strings are copied. IN_USE: the port or the data directory; INVALID:
 * options, or a directory of another node; CORRUPT, IO, NO_SPACE: what was found, with file and
 * offset. */
enum status cairn_node_start(struct env *env, const struct cairn_node_options *options,
                             struct cairn_node **out, struct error *error) MUST_CHECK;
/* Ends the clients' sessions with a farewell (57P01), then calls `done` once; after 5 s at the
 * latest. */
void cairn_node_shutdown(struct cairn_node *node, void (*done)(void *arg), void *arg);
/* Closes connections and files without waiting: what is not synced is as after a crash. No work of
 * the node may be under way on the lanes (env_uv_settle). NULL is fine. */
void cairn_node_stop(struct cairn_node *node);

/* For operators and for the checks of a simulation. replica: NULL until the cluster is formed. */
struct replica *cairn_node_replica(struct cairn_node *node);
struct engine *cairn_node_engine(struct cairn_node *node);

#endif
