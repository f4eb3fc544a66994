/* lsm_memory.c - the part of the tree that is in memory: a batch goes into the active memtable, a
 * full one is sealed. What must not live here: the log, the tables. */
#include <assert.h>

#include "engine_lsm.h"
#include "internal_key.h"
#include "mem.h"

static void write_op(struct engine_lsm *engine, const struct write_op *op, uint64_t sequence) {
    struct lsm_memtable *active = engine->view->memtables[0];
    struct slice internal = internal_key_make(&engine->scratch, op->key, sequence, op->kind);
    struct memtable *table = op->kind == WRITE_DELETE_RANGE ? active->ranges : active->table;
    enum status status = memtable_put(table, internal, op->value);
    assert(status == STATUS_OK); /* the table itself has no limit */
    (void)status;
}

void lsm_apply(struct engine_lsm *engine, struct slice encoded) {
    uint64_t sequence = engine->sequence;
    struct write_op op;
    while (write_batch_next(&encoded, &op))
        write_op(engine, &op, ++sequence);
    engine->sequence = sequence;
}

void lsm_set_view(struct engine_lsm *engine, struct lsm_view *view) {
    if (engine->view != NULL) lsm_view_unref(engine->view, engine->env, engine->dir);
    engine->view = view;
}

void lsm_seal(struct engine_lsm *engine) {
    struct lsm_view *view = engine->view;
    struct lsm_memtable *active = view->memtables[0];
    if (lsm_memtable_is_empty(active)) return;
    active->last_sequence = engine->sequence;
    active->log_position = engine->wal != NULL ? wal_end(engine->wal) : 0;
    size_t count = view->memtable_count + 1;
    struct lsm_memtable **memtables = mem_alloc(count * sizeof(struct lsm_memtable *));
    memtables[0] = lsm_memtable_new(prng_u64(&engine->prng));
    memcpy(memtables + 1, view->memtables, view->memtable_count * sizeof(struct lsm_memtable *));
    lsm_set_view(engine, lsm_view_new(view->version, memtables, count));
    mem_free(memtables);
}
