/* env_sim.h - a whole cluster in one process: virtual time, a network and disks in memory, faults,
 * everything driven by one seed.
 *
 * A sim holds machines, numbered from 1. Each has an env (env.h) that node code runs on unchanged,
 * a disk that outlives its crashes, and an address "10.0.0.<number>". One loop takes the earliest
 * event of all machines, so that there is one order of events, and time passes only between them.
 *
 * Invariants
 *  1. The same seed and the same calls give the same history: the same trace hash.
 *  2. A stream delivers bytes in order, or breaks. A partition delays them; a crash breaks them, at
 *     once or only when the other side next sends (the machine is gone without a word).
 *  3. After a crash the disk holds what was synced, and of the rest what enum crash_loss says.
 *  4. What a crashed node still does, until it is freed, reaches neither disk nor network: the
 *     answers to its work are given to it, as on the real machine, before its memory goes.
 *  5. A turn of a machine takes virtual time, so that no loop of events stands still.
 *
 * Everything on one thread. (The idea: FoundationDB, Zhou et al., 2021; Will Wilson's "Testing
 * Distributed Systems w/ Deterministic Simulation", 2014.) */
#ifndef CAIRN_ENV_SIM_H
#define CAIRN_ENV_SIM_H

#include "env.h"
#include "env_fault.h"

struct sim;

enum { SIM_MAX_MACHINES = 16 };

struct sim_options {
    uint64_t seed;
    /* 0: the default. Each is drawn uniformly from its range. */
    uint64_t latency_min_ns, latency_max_ns; /* of the network, one way; 50 us to 500 us */
    uint64_t sync_min_ns, sync_max_ns;       /* of a disk's sync; 200 us to 2 ms */
    uint64_t work_min_ns, work_max_ns;       /* of work on the other lanes; 20 us to 500 us */
    struct log log; /* copied for each machine, with its number and clock; write NULL: discarded */
};

/* What runs on a machine. */
struct node_ops {
    /* Starts the node; NULL and `error` if it cannot. `options` is what sim_add was given. */
    void *(*start)(struct env *env, const void *options, struct error *error);
    /* An orderly end: frees the node. Work under way has reported; streams that it closes still
     * send what they hold. */
    void (*stop)(void *node);
    /* The machine has lost its power: frees the node. Work under way has reported (files fail);
     * whatever it asks of its env has no effect; its timers, tasks, hooks, streams and files must
     * be given back as always. NULL: the node's memory is abandoned. */
    void (*crash)(void *node);
};

struct sim *sim_new(const struct sim_options *options);
/* Crashes what is up, then frees everything. */
void sim_free(struct sim *sim);

/* ---- machines ------------------------------------------------------------------------------- */

/* Its number. It is off until sim_start. ops NULL: a machine without a node, up at once, on whose
 * env a test runs its clients. `options` must outlive the sim. */
uint64_t sim_add(struct sim *sim, const struct node_ops *ops, const void *options);
/* Valid while the machine is up, and anew after each start. */
struct env *sim_env(struct sim *sim, uint64_t machine);
const char *sim_address(const struct sim *sim, uint64_t machine);
/* The running node; NULL while the machine is off. */
void *sim_node(const struct sim *sim, uint64_t machine);
bool sim_is_up(const struct sim *sim, uint64_t machine);

/* Never from inside a node's callbacks. Statuses of start: IO with the node's error. */
enum status sim_start(struct sim *sim, uint64_t machine, struct error *error) MUST_CHECK;
void sim_stop(struct sim *sim, uint64_t machine);
/* No-op if it is off. A node that calls env_fatal crashes so, with LOSE_NONE, and stays off. */
void sim_crash(struct sim *sim, uint64_t machine, enum crash_loss loss);

/* While cut, nothing passes between the two, and new connections are not answered. What was sent
 * meanwhile arrives when the cut is healed. */
void sim_cut(struct sim *sim, uint64_t a, uint64_t b, bool cut);
/* Ends all cuts. */
void sim_heal(struct sim *sim);
/* Moves the machine's wall clock. */
void sim_set_wall_offset(struct sim *sim, uint64_t machine, int64_t offset_ns);

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t sim_now_ns(const struct sim *sim);
void sim_run(struct sim *sim, uint64_t duration_ns);
/* Runs until `done` says so, asked after each event; false if the time is up before. */
bool sim_run_until(struct sim *sim, bool (*done)(void *arg), void *arg,
                   uint64_t limit_ns) MUST_CHECK;

/* For the scenario's own choices: one more stream of the seed. */
struct prng *sim_prng(struct sim *sim);

/* Of all events so far: their times, machines, kinds and bytes. */
uint64_t sim_trace_hash(const struct sim *sim);
uint64_t sim_event_count(const struct sim *sim);

#endif
