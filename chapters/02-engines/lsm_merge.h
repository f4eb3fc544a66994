/* lsm_merge.h - many sorted runs read as one.
 *
 * Invariants
 *  1. Keys come in order of internal_key_compare; no two sources hold the same internal key.
 *  2. If a source fails, the merge is not valid and has its status: it never goes on without it,
 *     for what that source hides or holds would be missed.
 *  3. Moving forward every source but the current one stands on its first key beyond the current
 *     key; moving backward on its last key before it. Turning round repositions them.
 *
 * There are as many sources as memtables, tables of level 0 and levels: about ten. A linear search
 * for the smallest beats a heap at that size. Any thread; one at a time. */
#ifndef CAIRN_LSM_MERGE_H
#define CAIRN_LSM_MERGE_H

#include "lsm_source.h"

struct lsm_merge {
    struct lsm_source **sources; /* owned */
    size_t count;
    struct lsm_source *current; /* NULL: not valid */
    bool forward;
    enum status status;
    struct error error;
    struct buf scratch; /* the key that it turns round at */
};

void lsm_merge_init(struct lsm_merge *merge);
void lsm_merge_deinit(struct lsm_merge *merge); /* frees the sources */
/* Takes the source over. Before the first seek. */
void lsm_merge_add(struct lsm_merge *merge, struct lsm_source *source);
static inline bool lsm_merge_valid(const struct lsm_merge *merge) { return merge->current != NULL; }
static inline struct slice lsm_merge_key(const struct lsm_merge *merge) {
    return merge->current->key;
}
static inline struct slice lsm_merge_value(const struct lsm_merge *merge) {
    return merge->current->value;
}
void lsm_merge_seek_first(struct lsm_merge *merge);
void lsm_merge_seek_last(struct lsm_merge *merge);
void lsm_merge_seek(struct lsm_merge *merge, struct slice key);
void lsm_merge_seek_for_prev(struct lsm_merge *merge, struct slice key);
void lsm_merge_next(struct lsm_merge *merge); /* only when valid */
void lsm_merge_prev(struct lsm_merge *merge);

#endif
