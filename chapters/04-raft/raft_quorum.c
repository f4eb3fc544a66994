/* raft_quorum.c - majorities. Pure; no state, no knowledge of what is being counted. */
#include "raft_quorum.h"

#include <assert.h>

#include "raft.h"

size_t raft_quorum_size(size_t voters) { return voters / 2 + 1; }

uint64_t raft_quorum_reached(const uint64_t *values, size_t count) {
    uint64_t sorted[RAFT_MAX_VOTERS]; /* falling */
    assert(count >= 1 && count <= RAFT_MAX_VOTERS);
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && sorted[at - 1] < values[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = values[i];
    }
    return sorted[raft_quorum_size(count) - 1];
}

enum raft_election raft_quorum_votes(const enum raft_vote *votes, size_t count) {
    size_t granted = 0, refused = 0;
    for (size_t i = 0; i < count; i++) {
        granted += votes[i] == RAFT_VOTE_GRANTED;
        refused += votes[i] == RAFT_VOTE_REFUSED;
    }
    if (granted >= raft_quorum_size(count)) return RAFT_ELECTION_WON;
    if (count - refused < raft_quorum_size(count)) return RAFT_ELECTION_LOST;
    return RAFT_ELECTION_OPEN;
}
