/* raft_world_impl.h - the state of a world, for raft_world.c and its checks alone. */
#ifndef CAIRN_RAFT_WORLD_IMPL_H
#define CAIRN_RAFT_WORLD_IMPL_H

#include "prng.h"
#include "raft_world.h"

#define MS UINT64_C(1000000)
enum { MAX_NODES = 7, MAX_TERMS = 100000 };

#define CHECK(world, condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) world_violation((world), #condition, __FILE__, __LINE__);                \
    } while (0)

/* ---- state ---------------------------------------------------------------------------------- */

enum happening_kind { DELIVER, SYNCED, WAKE, STAGED, PROPOSE, FAULTS };

struct happening {
    uint64_t at_ns, sequence;
    enum happening_kind kind;
    uint64_t node, incarnation;
    struct raft_message message;
    struct raft_entry *entries; /* owned */
    uint64_t term;              /* STAGED: of the leader that asked */
};

/* An update that waits for the disk. */
struct write {
    bool hard_state_changed;
    struct raft_hard_state hard_state;
    uint64_t first, last;
    struct raft_entry *entries;
    uint64_t install_index, install_term;
    struct raft_outgoing *messages;
    size_t message_count;
    struct write *next;
};

struct terms { /* entries (start, start + count] */
    struct raft_entry *entries;
    size_t count, capacity;
    uint64_t start, start_term;
};

struct node {
    uint64_t id, incarnation;
    bool up;
    struct raft *raft;
    struct raft_update update;
    bool touched;
    uint64_t wake_ns;
    /* The disk. */
    struct raft_hard_state hard_state;
    struct terms log;
    uint64_t flushed;
    struct write *writes, **writes_tail;
    bool syncing;
    uint64_t applied;
    uint64_t staged_index, staged_term; /* the newest snapshot that a leader put here */
    /* What was seen before the step, for the checks. */
    struct raft_status seen;
    uint64_t told_commit;
};

struct committed_entry {
    struct raft_entry entry;
    uint64_t by_term; /* the term in which it was first seen committed */
};

struct pending_read {
    uint64_t id, least_index;
};

struct world {
    struct world_options options;
    struct prng prng;
    uint64_t now_ns, sequence;
    struct node nodes[MAX_NODES + 1];
    uint64_t voters[MAX_NODES];
    struct happening *heap;
    size_t heap_count, heap_capacity;
    unsigned side_mask;
    uint64_t *leaders; /* by term */
    struct committed_entry *committed;
    size_t committed_count, committed_capacity;
    struct pending_read *reads;
    size_t read_count, read_capacity;
    uint64_t next_read, next_payload;
    struct world_counts counts;
};

/* Names the seed and what every node holds, and ends the test. */
void world_violation(const struct world *world, const char *condition, const char *file, int line);
/* After a step of the node: invariants 1 to 4 and 6, and what is committed is put on record. */
void world_check_step(struct world *world, struct node *node);
bool world_same_entry(const struct raft_entry *a, const struct raft_entry *b);

#endif
