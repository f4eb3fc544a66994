/* replicator.h - the seam between a state machine and what replicates it.
 *
 * The state machine (chapter 08's store, chapter 05's plain key-value map) proposes payloads and is
 * told, in the same order on every node, what was committed. The replicator is a Raft group
 * (replica.h); tests use one that commits at once.
 *
 * Invariants
 *  1. apply is called once for each committed entry, in order of index, on every node. What it puts
 *     into the batch and the applied index become durable together or not at all.
 *  2. A proposal ends exactly once: OK (committed and applied here), NOT_LEADER (surely never
 *     committed by this proposal), BUSY (quota) and NO_SPACE (both: nothing was proposed), or
 *     UNKNOWN_OUTCOME (may be committed later by another leader).
 *  3. on_leader(true) comes after every entry of earlier terms is applied; only between it and
 *     on_leader(false) may the state machine evaluate commands.
 *
 * Everything on the loop; nothing here suspends. */
#ifndef CAIRN_REPLICATOR_H
#define CAIRN_REPLICATOR_H

#include "env.h"
#include "slice.h"
#include "status.h"
#include "write_batch.h"

/* Embedded in its owner, which must live until `done`. */
struct proposal {
    struct slice payload; /* copied by the replicator before propose returns */
    /* status as in invariant 2. index: where it was applied (OK only). */
    void (*done)(struct proposal *proposal, enum status status, uint64_t index);
    void *arg;
    /* the replicator's: */
    uint64_t index, term;
    struct proposal *next;
};

/* A linearizable read asks to proceed (ReadIndex, Thesis 6.4). Embedded in its owner. */
struct read_barrier {
    /* OK: this node led at some moment after the request, and everything committed before that
     * moment is applied here. NOT_LEADER, or UNAVAILABLE when leadership was lost meanwhile. */
    void (*done)(struct read_barrier *barrier, enum status status);
    void *arg;
    /* the replicator's: */
    uint64_t id, index;
    struct read_barrier *next;
};

struct replicator;

struct replicator_ops {
    /* Both may call `done` in a later step only, never inside the call. */
    void (*propose)(struct replicator *self, struct proposal *proposal);
    void (*read_barrier)(struct replicator *self, struct read_barrier *barrier);
    /* True between on_leader(true) and on_leader(false). `leader` (may be NULL): the node id of the
     * leader as far as it is known, else 0. */
    bool (*leads)(struct replicator *self, uint64_t *leader);
};

struct replicator {
    const struct replicator_ops *ops;
};

/* One committed entry. Entries without a payload (Raft's no-op) are not shown. */
struct applied_entry {
    uint64_t index, term;
    struct slice payload; /* borrowed for the call */
    bool own;             /* proposed by this node in this term: its `done` follows */
};

/* What a state machine gives to its replicator. */
struct state_machine_ops {
    /* Adds the entry's effect to the batch. The batch of a turn holds many entries and is written
     * once, so that an apply never reads what an earlier apply of the same batch wrote through the
     * engine: it is mechanical. CORRUPT stops the node. */
    enum status (*apply)(void *self, const struct applied_entry *entry, struct write_batch *batch,
                         struct error *error);
    /* The batch with everything up to `index` is in the engine: readers see it. */
    void (*applied)(void *self, uint64_t index);
    /* Invariant 3. term: this leadership's. */
    void (*on_leader)(void *self, bool leads, uint64_t term);
    /* The engine's content was replaced by a snapshot up to `index`: drop what is cached. */
    void (*restored)(void *self, uint64_t index);
};

#endif
