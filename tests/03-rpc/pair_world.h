/* pair_world.h - two nodes of primary_backup.h in one process: a clock that moves when the test
 * says so, a network that loses and delays what the test says, and a store that is a list of
 * writes.
 *
 * Nothing here is random and nothing waits: the same test is the same history, every time. */
#ifndef CAIRN_PAIR_WORLD_H
#define CAIRN_PAIR_WORLD_H

#include "harness.h"
#include "primary_backup.h"

enum { A = 0, B = 1, NODES = 2, WRITES_MAX = 2048, REQUESTS_MAX = 2048, MESSAGES_MAX = 8192 };

enum { MS = 1000000, SILENCE_MS = 200, TICK_MS = 25 };

/* A message on its way; the network is a queue for each direction. */
struct flight {
    uint64_t arrives_ns;
    struct pb_message message;
    struct buf payload;
};

struct pair_node {
    struct primary_backup *pb;
    bool down;
    char *store[WRITES_MAX]; /* the writes applied here, in order */
    size_t store_len;
    bool took_over, rival_seen;
    size_t joined;
    struct flight inbox[MESSAGES_MAX];
    size_t inbox_len;
};

struct pair_world {
    uint64_t now_ns, next_tick_ns;
    uint64_t delay_ns; /* of every message sent from now on */
    bool cut[NODES];   /* messages to this node are lost */
    struct pair_node nodes[NODES];
    uint64_t requests;
    bool answered[REQUESTS_MAX];
    enum status answers[REQUESTS_MAX];
};

/* A is the primary, B the backup; B follows (has a copy) when this returns. */
void world_init(struct pair_world *world, bool wait_for_backup);
void world_deinit(struct pair_world *world);

/* Lets that much time pass: deliveries and ticks in their order. */
void world_run_ms(struct pair_world *world, uint64_t duration_ms);
/* Both directions. */
void world_partition(struct pair_world *world);
void world_heal(struct pair_world *world);
/* The node stops; what it had not sent is lost, and so is what is on its way to it. */
void world_kill(struct pair_world *world, int node);
/* Starts it again with what its store held, in the role given. */
void world_start(struct pair_world *world, int node, enum pb_role role, bool wait_for_backup);

/* A client's write at a node; returns its number. The answer, if any, is in `answers`. */
uint64_t world_write(struct pair_world *world, int node, const char *write);
/* OK was answered. */
bool world_acknowledged(const struct pair_world *world, uint64_t request);
/* What a client reads at the node: the last write of its store; "" if there is none. */
const char *world_read(const struct pair_world *world, int node);
bool world_holds(const struct pair_world *world, int node, const char *write);
bool world_primary(const struct pair_world *world, int node);
/* "x=1 x=2" */
void assert_store(const struct pair_world *world, int node, const char *expected);

/* A message as if the network had kept it, out of turn. */
void world_inject(struct pair_world *world, int to, const struct pb_message *message);

#endif
