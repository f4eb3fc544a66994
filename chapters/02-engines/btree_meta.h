/* btree_meta.h - the two meta pages: which tree is the durable one.
 *
 * Pages 0 and 1 of the file take turns. A commit writes the page that is not in use, so that a
 * write that is torn leaves the other one, with all it refers to. (Shadow paging: Lorie, "Physical
 * Integrity in a Large Segmented Database", 1977; the two pages: Gray and Reuter, "Transaction
 * Processing", 1993; LMDB.)
 *
 *   page header | "CAIRNBTR" | version 4 | root 4 | pages 4 | first page of the free list 4
 * | log position 8 | turn 8
 *
 * Invariants
 *  1. The valid meta page of the higher turn describes the tree that is durable.
 *  2. Commit number t, `turn`, is written to page t mod 2.
 *  3. A damaged newer meta page cannot be told from one whose writing was cut off: the older one
 *     is taken. A page newer than the tree that refers to it is CORRUPT, so reused pages do not go
 *     unnoticed; nor does a log that was cut for the newer tree (engine_btree.c). */
#ifndef CAIRN_BTREE_META_H
#define CAIRN_BTREE_META_H

#include "env.h"

struct btree_meta {
    uint64_t generation;   /* of the newest write that the tree holds */
    uint64_t turn;         /* commits since the file was made; its parity is the page */
    uint32_t root;         /* 0: the tree is empty */
    uint32_t page_count;   /* of the file, those of the free list included */
    uint32_t free_list;    /* first page of it; 0: empty */
    uint64_t log_position; /* the own log's records from here on are not in the tree */
};

/* Makes the file, with an empty tree; durable, complete or not there. */
enum status btree_meta_create(struct env *env, const char *dir, const char *path,
                              struct error *error) MUST_CHECK;
/* The newest valid one. CORRUPT, naming the file, if neither page is. */
enum status btree_meta_read(struct file *file, struct btree_meta *meta,
                            struct error *error) MUST_CHECK;
/* Writes the page whose turn it is; not synced. */
enum status btree_meta_write(struct file *file, const struct btree_meta *meta,
                             struct error *error) MUST_CHECK;

#endif
