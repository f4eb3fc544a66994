/* solo_replicator.h - a replicator of one node, without a log: what is proposed is committed at
 * once.
 *
 * For prompts on one node and for tests: a store on it behaves as on Raft, and a test can hold
 * proposals back and let the leadership change under them. What the engine does not keep is
 * lost at a crash.
 *
 * Loop only. Proposals and barriers end in a task of their own, never inside the call. */
#ifndef CAIRN_SOLO_REPLICATOR_H
#define CAIRN_SOLO_REPLICATOR_H

#include "engine.h"
#include "replicator.h"

struct solo_replicator;

struct solo_replicator *solo_replicator_new(struct env *env, struct engine *engine,
                                            const struct state_machine_ops *machine,
                                            void *machine_arg);
/* Proposals under way are not answered. */
void solo_replicator_free(struct solo_replicator *solo);
struct replicator *solo_replicator_replicator(struct solo_replicator *solo);

/* Every batch is synced to the engine's own log before it is answered; off at first. */
void solo_replicator_sync(struct solo_replicator *solo, bool sync);

/* At most so many entries are committed in one step of the loop; 0 (at first): all. */
void solo_replicator_pace(struct solo_replicator *solo, size_t entries_per_step);

/* Becomes leader of the next term; on_leader(true) runs inside. */
void solo_replicator_lead(struct solo_replicator *solo);
/* Holds proposals and barriers back until it is false again. */
void solo_replicator_hold(struct solo_replicator *solo, bool hold);
size_t solo_replicator_held(const struct solo_replicator *solo);
/* Leadership is lost: barriers fail, held proposals end with UNKNOWN_OUTCOME; another leader then
 * commits them, or not. Nobody leads until solo_replicator_lead. */
void solo_replicator_depose(struct solo_replicator *solo, bool commit_held);

#endif
