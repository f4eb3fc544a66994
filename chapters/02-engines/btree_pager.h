/* btree_pager.h - pages by number: those in memory that the file has not seen, those in the cache,
 * those in the file; and which numbers are free. Internal to the B+tree engine.
 *
 * A page that may be seen by anyone else is never changed: its copy takes another number
 * (copy-on-write; Lorie 1977, Rodeh, "B-trees, Shadowing, and Clones", 2008). Time is counted in
 * *generations*. A page carries the generation in which it was made, its birth. A *view* is an old
 * root that someone needs: a snapshot, an iterator, the durable tree, the tree of a flush under
 * way. Making a view ends a generation.
 *
 *   a page is visible to a view if   birth <= the view's generation < the one that freed the page
 *
 * Invariants
 *  1. Only a page of the running generation is changed in place; no view sees it.
 *  2. A freed page number waits at the newest view that sees the page. When that view goes, it
 *     moves to the next older one that does, or else is free to be used again. So a number is
 *     reused exactly when neither a reader, nor the durable tree, nor a flush knows it.
 *  3. Each page number from 2 on is exactly one of: reachable from the newest root; waiting at a
 *     view; in `free`; part of the durable free list's chain.
 *  4. A page that the file does not hold is in `frames`, whose lookups may run on any thread. Its
 *     memory goes when no reading view that could have found it is left.
 *
 * Everything is called on the loop, except btree_read and btree_release with a view's
 * generation, which may run on any thread while the view lives. */
#ifndef CAIRN_BTREE_PAGER_H
#define CAIRN_BTREE_PAGER_H

#include "btree_cache.h"
#include "btree_frames.h"
#include "btree_meta.h"
#include "btree_page.h"
#include "env.h"

enum { BTREE_FIRST_PAGE = 2 };

struct btree_view {
    struct btree_view *older;
    struct btree_view *newer;
    uint64_t generation;
    uint32_t root;
    bool reader;       /* other threads may read through it */
    struct buf pages;  /* struct btree_freed_page: wait for this view */
    struct buf frames; /* struct btree_frame *: the file has them by now */
};

struct btree_freed_page {
    uint64_t birth;
    uint32_t number;
};

struct btree_pager {
    struct env *env;
    struct file *file;
    struct btree_cache *cache;
    struct btree_frames *frames;
    size_t frame_count; /* alive: what the pager holds in memory besides the cache */
    struct buf dirty;   /* uint32_t: numbers of pages made since the last flush; may repeat */

    uint64_t generation; /* the running one */
    uint32_t root;       /* of the newest tree; 0: empty */
    uint32_t page_count; /* numbers given out so far, below this */
    struct buf free;     /* uint32_t: a stack */
    struct btree_view *newest;
    struct btree_view *durable;
    struct buf chain;       /* uint32_t: pages of the durable free list */
    struct btree_meta meta; /* the durable one */
    uint64_t file_bytes;
};

/* An empty tree without a file: all its pages are in memory, there is nothing to read. */
struct btree_pager *btree_pager_new(struct env *env, size_t cache_bytes);
/* btree_open.c. Opens the file, makes it if there is none, reads the free list. CORRUPT, IO,
 * NO_SPACE. */
enum status btree_pager_open(struct env *env, const char *dir, size_t cache_bytes,
                             struct btree_pager **out, struct error *error) MUST_CHECK;
/* All views but the durable one have gone. NULL is fine. */
void btree_pager_close(struct btree_pager *pager);

/* ---- reading -------------------------------------------------------------------------------- */

/* A page that somebody is looking at; zero-filled: none. */
struct btree_ref {
    const uint8_t *page;
    struct btree_cache_frame *frame; /* pinned, or */
    uint8_t *owned;                  /* a copy, when the cache was full of pins */
};

/* The page `number` as a tree of generation `newest` sees it. With `no_wait`: WOULD_BLOCK rather
 * than read the file. IO; CORRUPT with file and offset. The page stays until btree_release; pages
 * of the newest tree, without a view, until the next write. */
enum status btree_read(struct btree_pager *pager, uint64_t newest, uint32_t number, bool no_wait,
                       struct btree_ref *ref, struct error *error) MUST_CHECK;
void btree_release(struct btree_ref *ref);

/* ---- writing -------------------------------------------------------------------------------- */

/* Before the first change after a view was made: begins a generation. */
void btree_begin_write(struct btree_pager *pager);
/* A new, empty page of the running generation. */
uint8_t *btree_new_page(struct btree_pager *pager, enum btree_page_type type, unsigned level);
/* The page for changing: itself if it is of this generation, else a copy with another number, and
 * the old one is freed. IO, CORRUPT. */
enum status btree_edit(struct btree_pager *pager, uint32_t number, uint8_t **page,
                       struct error *error) MUST_CHECK;
/* The newest tree no longer holds this page. The bytes may be gone when it returns. */
void btree_free_page(struct btree_pager *pager, const uint8_t *page);

/* ---- views ---------------------------------------------------------------------------------- */

struct btree_view *btree_view_new(struct btree_pager *pager, bool reader);
void btree_view_release(struct btree_pager *pager, struct btree_view *view);
/* The frame's page is in the file now. */
void btree_retire_frame(struct btree_pager *pager, struct btree_frame *frame);

/* Pages of the newest tree, about. */
uint64_t btree_live_pages(const struct btree_pager *pager);

#endif
