/* raft_quorum.h - what a majority of voters has: pure arithmetic on small arrays.
 *
 * Any two majorities share a voter: elections, commitment, reads and check-quorum all rest on
 * nothing else. A later way to form quorums (joint consensus) replaces this module only. */
#ifndef CAIRN_RAFT_QUORUM_H
#define CAIRN_RAFT_QUORUM_H

#include <stddef.h>
#include <stdint.h>

/* How many of `voters` make a majority. */
size_t raft_quorum_size(size_t voters);

/* The largest value that a majority of the voters has reached: the commit index from their match
 * indexes, the confirmed read round from their echoes, the moment up to which a majority was heard
 * from. 1 <= count <= RAFT_MAX_VOTERS. */
uint64_t raft_quorum_reached(const uint64_t *values, size_t count);

enum raft_vote { RAFT_VOTE_MISSING, RAFT_VOTE_GRANTED, RAFT_VOTE_REFUSED };
enum raft_election { RAFT_ELECTION_OPEN, RAFT_ELECTION_WON, RAFT_ELECTION_LOST };

/* LOST: a majority can no longer be had. */
enum raft_election raft_quorum_votes(const enum raft_vote *votes, size_t count);

#endif
