/* node_state.c - struct node_state to bytes and back. */
#include "node_state.h"

#include <string.h>

#include "raft_log.pb-c.h"

const struct member *node_state_member(const struct node_state *state, uint64_t node_id) {
    for (size_t i = 0; i < state->member_count; i++) {
        if (state->members[i].node_id == node_id) return &state->members[i];
    }
    return NULL;
}

void node_state_encode(const struct node_state *state, struct buf *out) {
    Member members[RAFT_MAX_VOTERS];
    Member *pointers[RAFT_MAX_VOTERS];
    for (size_t i = 0; i < state->member_count; i++) {
        member__init(&members[i]);
        members[i].node_id = state->members[i].node_id;
        members[i].instance_id = state->members[i].instance_id;
        members[i].address = (char *)(uintptr_t)state->members[i].address;
        pointers[i] = &members[i];
    }
    NodeState wire = NODE_STATE__INIT;
    wire.node_id = state->node_id;
    wire.instance_id = state->instance_id;
    wire.cluster_id = state->cluster_id;
    wire.n_members = state->member_count;
    wire.members = pointers;
    wire.hlc_bound = state->hlc_bound;
    node_state__pack(&wire, buf_extend(out, node_state__get_packed_size(&wire)));
}

static enum status copy_members(const NodeState *wire, struct node_state *out) {
    if (wire->n_members > RAFT_MAX_VOTERS) return STATUS_INVALID;
    for (size_t i = 0; i < wire->n_members; i++) {
        const Member *from = wire->members[i];
        struct member *to = &out->members[i];
        size_t len = strlen(from->address);
        if (len >= MEMBER_ADDRESS_MAX) return STATUS_INVALID;
        to->node_id = from->node_id;
        to->instance_id = from->instance_id;
        memcpy(to->address, from->address, len + 1);
    }
    out->member_count = wire->n_members;
    return STATUS_OK;
}

enum status node_state_decode(struct slice bytes, struct node_state *out) {
    NodeState *wire = node_state__unpack(NULL, bytes.len, bytes.data);
    if (wire == NULL) return STATUS_INVALID;
    *out = (struct node_state){.node_id = wire->node_id,
                               .instance_id = wire->instance_id,
                               .cluster_id = wire->cluster_id,
                               .hlc_bound = wire->hlc_bound};
    enum status status = copy_members(wire, out);
    node_state__free_unpacked(wire, NULL);
    return status;
}
