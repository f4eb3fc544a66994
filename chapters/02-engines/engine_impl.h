/* engine_impl.h - for those who implement an engine: the tables and the base structs. Nobody else
 * includes this. A new kind is a new file and a row in engine.c. */
#ifndef CAIRN_ENGINE_IMPL_H
#define CAIRN_ENGINE_IMPL_H

#include "engine.h"
#include "wal.h"

/* Each entry is the function of engine.h with the same name. */
struct engine_ops {
    const char *kind;
    enum status (*open)(struct env *env, const struct engine_options *options, struct engine **out,
                        struct error *error);
    void (*close)(struct engine *engine);
    enum status (*write)(struct engine *engine, const struct write_batch *batch,
                         struct error *error);
    enum status (*writable)(struct engine *engine); /* NULL: always */
    enum status (*sync)(struct engine *engine, struct error *error);
    void (*flush_start)(struct engine *engine, struct engine_flush_op *op);
    enum status (*flush)(struct engine *engine, struct error *error);
    enum status (*get)(struct engine *engine, const struct engine_snapshot *snapshot,
                       struct slice key, unsigned flags, struct buf *out, struct error *error);
    enum status (*persisted_get)(struct engine *engine, struct slice key, struct buf *out,
                                 struct error *error);
    struct engine_snapshot *(*snapshot_new)(struct engine *engine);
    void (*snapshot_release)(struct engine *engine, struct engine_snapshot *snapshot);
    struct engine_iterator *(*iterator_new)(struct engine *engine,
                                            const struct engine_iterator_options *options);
    enum status (*checkpoint)(struct engine *engine, const char *dir, struct error *error);
    uint64_t (*size_estimate)(struct engine *engine, struct slice start, struct slice end);
    /* NULL: no picture (engine_draw.h) */
    enum status (*draw)(struct engine *engine, struct buf *out, struct error *error);
};

/* Keys handed to seek and seek_for_prev lie inside the bounds; both ends of the bounds are handled
 * by engine.c, except that an iterator must not run beyond them. */
struct engine_iterator_ops {
    void (*free)(struct engine_iterator *it);
    void (*seek_first)(struct engine_iterator *it);
    void (*seek_last)(struct engine_iterator *it);
    void (*seek)(struct engine_iterator *it, struct slice key);
    void (*seek_for_prev)(struct engine_iterator *it, struct slice key);
    void (*next)(struct engine_iterator *it);
    void (*prev)(struct engine_iterator *it);
    bool (*valid)(const struct engine_iterator *it);
    struct slice (*key)(const struct engine_iterator *it);
    struct slice (*value)(const struct engine_iterator *it);
    enum status (*status)(const struct engine_iterator *it, struct error *error);
};

/* Embedded first in each engine's own structs. */
struct engine {
    const struct engine_ops *ops;
};

struct engine_iterator {
    const struct engine_iterator_ops *ops;
    struct buf lower; /* empty: none */
    struct buf upper; /* empty: none */
};

void engine_iterator_init(struct engine_iterator *it, const struct engine_iterator_ops *ops,
                          const struct engine_iterator_options *options);
void engine_iterator_deinit(struct engine_iterator *it);

/* For the kinds that keep chapter 01's log: opens DIR/log and replays it when the store has a log
 * of its own (*out stays as it is otherwise). INVALID when the store was made in the other mode;
 * and what wal_open says. */
enum status engine_open_log(struct env *env, const struct engine_options *options,
                            wal_replay replay, void *arg, struct wal **out,
                            struct error *error) MUST_CHECK;

extern const struct engine_ops engine_lsm_ops;
extern const struct engine_ops engine_mem_ops;
extern const struct engine_ops engine_btree_ops;
extern const struct engine_ops engine_rocksdb_ops;

#endif
