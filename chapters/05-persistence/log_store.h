/* log_store.h - the Raft logs of all groups of a node, in one write-ahead log.
 *
 * One WAL means one sync for everything that a turn produced, however many groups it touched. The
 * WAL is the truth about which groups exist here, what they promised (term, vote) and what their
 * logs hold; the engine, which has no log of its own, is brought up from it.
 *
 * Invariants
 *  1. Every segment opens with the node state and the state of every group, so that older segments
 *     may go.
 *  2. An entry record replaces everything of its group from its index on.
 *  3. A segment goes only when every group's log start lies beyond it (log_store_compact).
 *  4. What the callback of log_store_on_synced has announced survives a crash.
 *
 * On the loop; nothing suspends. Entry reads may touch the disk. */
#ifndef CAIRN_LOG_STORE_H
#define CAIRN_LOG_STORE_H

#include "env.h"
#include "metrics.h"
#include "node_state.h"
#include "raft.h"
#include "slice.h"
#include "status.h"

struct log_store;

/* The type byte of a WAL record. Numbers are on disk: never reused. */
enum log_record {
    LOG_RECORD_NODE = 1,
    LOG_RECORD_GROUP = 2,
    LOG_RECORD_HARD_STATE = 3,
    LOG_RECORD_ENTRY = 4
};

struct group_state {
    uint64_t group;
    struct raft_hard_state hard_state;
    uint64_t log_start_index, log_start_term;
    uint64_t voters[RAFT_MAX_VOTERS];
    size_t voter_count;
    uint64_t snapshot_index,
        snapshot_term; /* a snapshot to be installed (again) if the engine is older; 0: none */
};

/* Opens the WAL in `dir` and replays it. CORRUPT (file and offset in the message), IN_USE never
 * (the caller holds the directory's lock), IO, NO_SPACE. segment_bytes 0: the WAL's default. */
enum status log_store_open(struct env *env, const char *dir, uint64_t segment_bytes,
                           struct metrics *metrics, struct log_store **out,
                           struct error *error) MUST_CHECK;
/* What is not synced is lost, as in a crash. */
void log_store_close(struct log_store *store);

/* As recovered or last written; node_id 0: a new directory. */
const struct node_state *log_store_node(const struct log_store *store);
/* Replaces the node state. Durable when log_store_synced is above the position returned. */
uint64_t log_store_set_node(struct log_store *store, const struct node_state *node);

/* Group ids in ascending order. */
size_t log_store_group_count(const struct log_store *store);
uint64_t log_store_group_at(const struct log_store *store, size_t i);
/* NULL: no such group here. Valid until the next call that changes the store. */
const struct group_state *log_store_group(const struct log_store *store, uint64_t group);
/* The entries after the log start; entry i has index log_start_index + 1 + i. Borrowed likewise. */
const struct raft_entry *log_store_entries(const struct log_store *store, uint64_t group,
                                           size_t *count);

/* Each appends to the batch of this turn and returns the record's position: durable once
 * log_store_synced is above it. A disk without room for these small records ends the node
 * (env_fatal): log_store_writable warned. */
uint64_t log_store_create_group(struct log_store *store, const struct group_state *state);
uint64_t log_store_set_hard_state(struct log_store *store, uint64_t group,
                                  struct raft_hard_state state);
/* index: at most last + 1 and above the log start. payload is copied. TOO_LARGE: over the WAL's
 * record limit; NO_SPACE: nothing was appended. */
enum status log_store_append(struct log_store *store, uint64_t group, uint64_t index,
                             struct raft_entry entry, struct slice payload, uint64_t *position,
                             struct error *error) MUST_CHECK;
/* A staged snapshot up to (index, term) becomes the state: the group's log is empty after it. */
uint64_t log_store_install_snapshot(struct log_store *store, uint64_t group, uint64_t index,
                                    uint64_t term);
/* Entries up to `index` are in the engine's files: forgets them and removes segments that nobody
 * needs. */
void log_store_compact(struct log_store *store, uint64_t group, uint64_t index, uint64_t term);

/* The payload of an entry, appended to `out`. NOT_FOUND: compacted or beyond the end. */
enum status log_store_read(struct log_store *store, uint64_t group, uint64_t index, struct buf *out,
                           struct error *error) MUST_CHECK;

/* Waits until everything appended is durable: for the start of a node, before its loop runs. */
enum status log_store_sync_blocking(struct log_store *store, struct error *error) MUST_CHECK;
/* Called on the loop whenever the synced position grew: records below it are durable. */
void log_store_on_synced(struct log_store *store, void (*callback)(void *arg, uint64_t synced),
                         void *arg);
uint64_t log_store_synced(const struct log_store *store);
uint64_t log_store_end(const struct log_store *store);
/* OK; NO_SPACE: the disk is full; BUSY: too much waits for the disk. Ask before taking work in. */
enum status log_store_writable(const struct log_store *store) MUST_CHECK;
/* Bytes of log on disk, for deciding when to flush the engine. */
uint64_t log_store_size_bytes(const struct log_store *store);

#endif
