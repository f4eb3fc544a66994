/* env_fault.h - a wrapper around another env whose files fail the way disks do.
 *
 * Every write is kept apart as "not yet synced" until its file is synced; a crash drops or tears
 * what is not. Everything but files is passed through. The order of the calls is a number (the
 * "operation"), so that a test can cut a recorded workload at every write and every sync. */
#ifndef CAIRN_ENV_FAULT_H
#define CAIRN_ENV_FAULT_H

#include "env.h"

struct env *env_fault_new(struct env *inner, uint64_t seed);
void env_fault_free(struct env *env);

/* Writes, syncs, renames, removals, creations and truncations so far. */
uint64_t env_fault_operations(struct env *env);

enum fault_kind {
    FAULT_CRASH,       /* this and every later operation fails with IO and changes nothing */
    FAULT_NO_SPACE,    /* writes fail with NO_SPACE until env_fault_clear */
    FAULT_WRITE_ERROR, /* this write fails with IO */
    FAULT_SYNC_ERROR,  /* this sync fails with IO; what it covered may or may not be on disk */
    FAULT_SYNC_LIES    /* syncs say OK and make nothing durable, until env_fault_clear */
};
/* From operation number `at` on: the one before which env_fault_operations says `at`. One fault at
 * a time; FAULT_WRITE_ERROR and FAULT_SYNC_ERROR strike once, at the first write or sync from there
 * on. */
void env_fault_arm(struct env *env, enum fault_kind kind, uint64_t at);
void env_fault_clear(struct env *env);

/* Whether env_fatal was called. It does not end the process: it stops the loop and returns, as in
 * simulation. */
bool env_fault_died(struct env *env);

enum crash_loss {
    LOSE_ALL_UNSYNCED, /* each file is as at its last sync; unsynced directory changes are undone */
    LOSE_SOME, /* each unsynced 512-byte sector is kept or lost, by the seed (torn writes) */
    LOSE_NONE  /* what kill -9 does: the page cache survives */
};
/* Rewrites the files under the inner env to what a power failure leaves. All files must be closed.
 */
void env_fault_power_loss(struct env *env, enum crash_loss loss);

#endif
