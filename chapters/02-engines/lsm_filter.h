/* lsm_filter.h - which versions of a merge are the newest of their keys. What else a flush or a
 * compaction may leave out stands with them (lsm_flush.c, lsm_compaction.h). */
#ifndef CAIRN_LSM_FILTER_H
#define CAIRN_LSM_FILTER_H

#include "buf.h"
#include "slice.h"

/* Zero-filled: nothing was met. */
struct lsm_filter {
    bool started;
    struct buf user; /* the key that was met last */
};

void lsm_filter_deinit(struct lsm_filter *filter);
/* Asked once for each version, in the order of the merge: true if the one before was of the same
 * key, hence newer. */
bool lsm_filter_is_shadowed(struct lsm_filter *filter, struct slice user_key);

#endif
