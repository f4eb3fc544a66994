/* lsm_iterator.c - the keys and values that a reader sees, in order, both ways. What lives here:
 * choosing, among the versions that the merge delivers, the visible one. What must not: merging
 * itself (lsm_merge.c). With a snapshot this runs on any thread. */
#include "lsm_view.h"

#include "mem.h"

struct lsm_iterator {
    struct engine_iterator base;
    const struct engine_snapshot *snapshot;
    struct engine *owner; /* that the snapshot is released to; NULL: it is not ours */
    struct lsm_merge merge;
    bool valid;
    /* Forward the merge stands on the visible version. Backward it stands before all versions of
     * the key, whose value was copied on the way. */
    bool forward;
    struct buf key;
    struct buf copied;
    struct buf scratch;
};

static struct lsm_iterator *iterator_of(struct engine_iterator *base) {
    return CONTAINER_OF(base, struct lsm_iterator, base);
}

static const struct lsm_iterator *iterator_of_const(const struct engine_iterator *base) {
    return (const struct lsm_iterator *)(const void *)base;
}

static void set_buf(struct buf *out, struct slice bytes) {
    buf_clear(out);
    buf_append_slice(out, bytes);
}

/* A visible version that is a value, not deleted by itself or by a range. */
static bool is_value(const struct lsm_iterator *it, struct slice internal) {
    return internal_key_kind(internal) == WRITE_PUT &&
           lsm_view_hidden_at(it->snapshot->view, internal_key_user(internal),
                              it->snapshot->sequence) <= internal_key_sequence(internal);
}

/* From where the merge stands, forward to the first visible value inside the bounds. `skip`: the
 * versions of it->key are done with. */
static void settle_forward(struct lsm_iterator *it, bool skip) {
    struct slice upper = buf_slice(&it->base.upper);
    it->valid = false;
    it->forward = true;
    for (; lsm_merge_valid(&it->merge); lsm_merge_next(&it->merge)) {
        struct slice internal = lsm_merge_key(&it->merge);
        struct slice user = internal_key_user(internal);
        if (upper.len > 0 && slice_compare(user, upper) >= 0) return;
        if (internal_key_sequence(internal) > it->snapshot->sequence) continue;
        if (skip && slice_equal(user, buf_slice(&it->key))) continue;
        set_buf(&it->key, user); /* its newest visible version */
        skip = true;
        if (!is_value(it, internal)) continue;
        it->valid = true;
        return;
    }
}

/* From where the merge stands, backward. Versions of a key come oldest first: the last visible one
 * before the next key counts. */
static void settle_backward(struct lsm_iterator *it) {
    struct slice lower = buf_slice(&it->base.lower);
    it->valid = false;
    it->forward = false;
    for (; lsm_merge_valid(&it->merge); lsm_merge_prev(&it->merge)) {
        struct slice internal = lsm_merge_key(&it->merge);
        struct slice user = internal_key_user(internal);
        if (it->valid && !slice_equal(user, buf_slice(&it->key))) return;
        if (slice_compare(user, lower) < 0) return;
        if (internal_key_sequence(internal) > it->snapshot->sequence) continue;
        it->valid = is_value(it, internal);
        if (!it->valid) continue;
        set_buf(&it->key, user);
        set_buf(&it->copied, lsm_merge_value(&it->merge));
    }
    /* The merge failed: an older version may not be the last word. */
    if (it->merge.status != STATUS_OK) it->valid = false;
}

static void lsm_seek(struct engine_iterator *base, struct slice key) {
    struct lsm_iterator *it = iterator_of(base);
    lsm_merge_seek(&it->merge,
                   internal_key_make(&it->scratch, key, it->snapshot->sequence, WRITE_PUT));
    settle_forward(it, false);
}

static void lsm_seek_first(struct engine_iterator *base) {
    lsm_seek(base, buf_slice(&base->lower));
}

static void lsm_seek_for_prev(struct engine_iterator *base, struct slice key) {
    struct lsm_iterator *it = iterator_of(base);
    lsm_merge_seek_for_prev(&it->merge, internal_key_make(&it->scratch, key, 0, WRITE_PUT));
    settle_backward(it);
}

static void lsm_seek_last(struct engine_iterator *base) {
    struct lsm_iterator *it = iterator_of(base);
    if (base->upper.len > 0) /* (upper, max) stands before every version of upper */
        lsm_merge_seek_for_prev(&it->merge, internal_key_make(&it->scratch, buf_slice(&base->upper),
                                                              UINT64_MAX, WRITE_PUT));
    else
        lsm_merge_seek_last(&it->merge);
    settle_backward(it);
}

static void lsm_next(struct engine_iterator *base) {
    struct lsm_iterator *it = iterator_of(base);
    if (it->forward)
        lsm_merge_next(&it->merge);
    else
        lsm_merge_seek(&it->merge,
                       internal_key_make(&it->scratch, buf_slice(&it->key), 0, WRITE_PUT));
    settle_forward(it, true);
}

static void lsm_prev(struct engine_iterator *base) {
    struct lsm_iterator *it = iterator_of(base);
    if (it->forward)
        lsm_merge_seek_for_prev(&it->merge, internal_key_make(&it->scratch, buf_slice(&it->key),
                                                              UINT64_MAX, WRITE_PUT));
    settle_backward(it);
}

static bool lsm_valid(const struct engine_iterator *base) { return iterator_of_const(base)->valid; }

static struct slice lsm_key(const struct engine_iterator *base) {
    return buf_slice(&iterator_of_const(base)->key);
}

static struct slice lsm_value(const struct engine_iterator *base) {
    const struct lsm_iterator *it = iterator_of_const(base);
    return it->forward ? lsm_merge_value(&it->merge) : buf_slice(&it->copied);
}

static enum status lsm_status(const struct engine_iterator *base, struct error *error) {
    const struct lsm_iterator *it = iterator_of_const(base);
    if (it->valid) return STATUS_OK;
    if (error != NULL && it->merge.status != STATUS_OK && it->merge.status != STATUS_WOULD_BLOCK)
        *error = it->merge.error;
    return it->merge.status;
}

static void lsm_iterator_free(struct engine_iterator *base) {
    struct lsm_iterator *it = iterator_of(base);
    lsm_merge_deinit(&it->merge); /* lets go of blocks, and reads the view until then */
    if (it->owner != NULL)
        engine_snapshot_release(it->owner, (struct engine_snapshot *)(uintptr_t)it->snapshot);
    engine_iterator_deinit(base);
    buf_deinit(&it->key);
    buf_deinit(&it->copied);
    buf_deinit(&it->scratch);
    mem_free(it);
}

static const struct engine_iterator_ops iterator_ops = {
    .free = lsm_iterator_free,
    .seek_first = lsm_seek_first,
    .seek_last = lsm_seek_last,
    .seek = lsm_seek,
    .seek_for_prev = lsm_seek_for_prev,
    .next = lsm_next,
    .prev = lsm_prev,
    .valid = lsm_valid,
    .key = lsm_key,
    .value = lsm_value,
    .status = lsm_status,
};

struct engine_iterator *lsm_iterator_new(const struct engine_snapshot *snapshot,
                                         struct engine *owner, const struct block_access *access,
                                         const struct engine_iterator_options *options) {
    struct lsm_iterator *it = MEM_NEW(struct lsm_iterator);
    engine_iterator_init(&it->base, &iterator_ops, options);
    it->snapshot = snapshot;
    it->owner = owner;
    lsm_merge_init(&it->merge);
    lsm_view_add_sources(snapshot->view, access, &it->merge);
    return &it->base;
}
