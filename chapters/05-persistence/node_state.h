/* node_state.h - who a node is, and to which cluster it belongs. Plain data and its encoding. */
#ifndef CAIRN_NODE_STATE_H
#define CAIRN_NODE_STATE_H

#include "buf.h"
#include "hlc.h"
#include "raft.h"
#include "slice.h"
#include "status.h"

enum { MEMBER_ADDRESS_MAX = 128 };

struct member {
    uint64_t node_id;
    /* random, made once for each data directory: a wiped node is not the same node */
    uint64_t instance_id;
    char address[MEMBER_ADDRESS_MAX]; /* host:port */
};

struct node_state {
    uint64_t node_id; /* 0: a new data directory */
    uint64_t instance_id;
    uint64_t cluster_id; /* 0: not yet part of a cluster; members are then unknown */
    struct member members[RAFT_MAX_VOTERS];
    size_t member_count;
    hlc_timestamp hlc_bound; /* no timestamp above it was issued before a restart */
};

/* NULL: no such member. */
const struct member *node_state_member(const struct node_state *state, uint64_t node_id);

/* As raft_log.proto's NodeState; appends. */
void node_state_encode(const struct node_state *state, struct buf *out);
/* INVALID: malformed, or over a limit. */
enum status node_state_decode(struct slice bytes, struct node_state *out) MUST_CHECK;

#endif
