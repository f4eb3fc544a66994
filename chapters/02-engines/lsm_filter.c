/* lsm_filter.c - the newest version of each key. What lives here: remembering the last key. What
 * must not: deletions, levels. */
#include "lsm_filter.h"

void lsm_filter_deinit(struct lsm_filter *filter) { buf_deinit(&filter->user); }

bool lsm_filter_is_shadowed(struct lsm_filter *filter, struct slice user_key) {
    if (filter->started && slice_equal(buf_slice(&filter->user), user_key)) return true;
    filter->started = true;
    buf_clear(&filter->user);
    buf_append_slice(&filter->user, user_key);
    return false;
}
