/* btree_frames.h - pages that only memory holds, by number: an array of arrays, in which the loop
 * writes while other threads look up, without locks.
 *
 * Invariants
 *  1. What a lookup found stays valid as long as the view through which the reader came (see
 *     btree_pager.h): the table owns no frame.
 *  2. The table never shrinks, and an outgrown upper array lives on until the table is freed: a
 *     reader may still stand in it. Eight bytes a page of the ranges that were ever written. */
#ifndef CAIRN_BTREE_FRAMES_H
#define CAIRN_BTREE_FRAMES_H

#include <stdalign.h>

#include "btree_page.h"

struct btree_frame {
    alignas(8) uint8_t bytes[BTREE_PAGE_BYTES];
    bool freed; /* the newest tree does not hold it any more: it need not be written */
};

struct btree_frames;

struct btree_frames *btree_frames_new(void);
/* Frees the table, not what it refers to. NULL is fine. */
void btree_frames_free(struct btree_frames *frames);
/* NULL: not in memory. Any thread. */
struct btree_frame *btree_frames_get(struct btree_frames *frames, uint32_t number);
void btree_frames_set(struct btree_frames *frames, uint32_t number, struct btree_frame *frame);

#endif
