/* lsm_merge.c - merging sorted runs, both ways. What lives here: choosing the next source, turning
 * round. What must not: versions and visibility (lsm_iterator.c, lsm_compaction.c). */
#include "lsm_merge.h"

#include <assert.h>

#include "internal_key.h"
#include "mem.h"

void lsm_merge_init(struct lsm_merge *merge) { *merge = (struct lsm_merge){.forward = true}; }

void lsm_merge_deinit(struct lsm_merge *merge) {
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i]->ops->free(merge->sources[i]);
    mem_free(merge->sources);
    buf_deinit(&merge->scratch);
}

void lsm_merge_add(struct lsm_merge *merge, struct lsm_source *source) {
    merge->sources = mem_realloc(merge->sources, (merge->count + 1) * sizeof(struct lsm_source *));
    merge->sources[merge->count++] = source;
}

/* Invariant 2: false if a source failed. */
static bool all_well(struct lsm_merge *merge) {
    merge->current = NULL;
    merge->status = STATUS_OK;
    for (size_t i = 0; i < merge->count; i++) {
        if (merge->sources[i]->status == STATUS_OK) continue;
        merge->status = merge->sources[i]->status;
        merge->error = merge->sources[i]->error;
        return false;
    }
    return true;
}

static void choose_smallest(struct lsm_merge *merge) {
    merge->forward = true;
    if (!all_well(merge)) return;
    for (size_t i = 0; i < merge->count; i++) {
        struct lsm_source *source = merge->sources[i];
        if (!source->valid) continue;
        if (merge->current == NULL || internal_key_compare(source->key, merge->current->key) < 0)
            merge->current = source;
    }
}

static void choose_largest(struct lsm_merge *merge) {
    merge->forward = false;
    if (!all_well(merge)) return;
    for (size_t i = 0; i < merge->count; i++) {
        struct lsm_source *source = merge->sources[i];
        if (!source->valid) continue;
        if (merge->current == NULL || internal_key_compare(source->key, merge->current->key) > 0)
            merge->current = source;
    }
}

void lsm_merge_seek_first(struct lsm_merge *merge) {
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i]->ops->seek_first(merge->sources[i]);
    choose_smallest(merge);
}

void lsm_merge_seek_last(struct lsm_merge *merge) {
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i]->ops->seek_last(merge->sources[i]);
    choose_largest(merge);
}

void lsm_merge_seek(struct lsm_merge *merge, struct slice key) {
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i]->ops->seek(merge->sources[i], key);
    choose_smallest(merge);
}

void lsm_merge_seek_for_prev(struct lsm_merge *merge, struct slice key) {
    for (size_t i = 0; i < merge->count; i++)
        merge->sources[i]->ops->seek_for_prev(merge->sources[i], key);
    choose_largest(merge);
}

/* Invariant 3, after a change of direction: the others go to the other side of the current key,
 * which they do not hold. */
static void turn_round(struct lsm_merge *merge, bool forward) {
    buf_clear(&merge->scratch);
    buf_append_slice(&merge->scratch, merge->current->key);
    struct slice key = buf_slice(&merge->scratch);
    for (size_t i = 0; i < merge->count; i++) {
        struct lsm_source *source = merge->sources[i];
        if (source == merge->current) continue;
        if (forward)
            source->ops->seek(source, key);
        else
            source->ops->seek_for_prev(source, key);
    }
}

void lsm_merge_next(struct lsm_merge *merge) {
    assert(merge->current != NULL);
    if (!merge->forward) turn_round(merge, true);
    merge->current->ops->next(merge->current);
    choose_smallest(merge);
}

void lsm_merge_prev(struct lsm_merge *merge) {
    assert(merge->current != NULL);
    if (merge->forward) turn_round(merge, false);
    merge->current->ops->prev(merge->current);
    choose_largest(merge);
}
