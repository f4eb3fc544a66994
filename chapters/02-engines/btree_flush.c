/* btree_flush.c - what a flush writes, in which order. What lives here: the frozen tree's pages,
 * the free list, the change of the durable tree. What must not: threads and timers
 * (engine_btree_flush.c). */
#include "btree_flush.h"

#include <assert.h>
#include <stdlib.h>

#include "codec.h"
#include "mem.h"

enum {
    GROW_BYTES = 1024 * 1024,
    RUN_PAGES = 64, /* neighbours that go out in one write */
    FREE_LIST_ENTRIES = BTREE_PAGE_CAPACITY / 4
};

struct btree_flush {
    struct btree_pager *pager;
    struct btree_view *view;
    struct buf frames; /* struct btree_frame *, by page number */
    size_t written;    /* of them */
    struct buf chain;  /* uint32_t: pages of the new free list */
    struct btree_meta meta;
    struct buf run;
};

static size_t number_count(const struct buf *numbers) { return numbers->len / sizeof(uint32_t); }

static uint32_t number_at(const struct buf *numbers, size_t i) {
    uint32_t number;
    memcpy(&number, numbers->data + i * sizeof(number), sizeof(number));
    return number;
}

static struct btree_frame *frame_at(const struct btree_flush *flush, size_t i) {
    struct btree_frame *frame;
    memcpy(&frame, flush->frames.data + i * sizeof(frame), sizeof(frame)); // NOLINT: the pointer
    return frame;
}

static size_t frame_count(const struct btree_flush *flush) {
    return flush->frames.len / sizeof(struct btree_frame *);
}

/* ---- freezing ------------------------------------------------------------------------------- */

/* The numbers that will be free once this tree is durable and, after a crash, no one else reads. */
static void gather_unused(struct btree_pager *pager, struct buf *out) {
    buf_append_slice(out, buf_slice(&pager->free));
    buf_append_slice(out, buf_slice(&pager->chain));
    for (const struct btree_view *view = pager->newest; view != NULL; view = view->older)
        for (size_t at = 0; at < view->pages.len; at += sizeof(struct btree_freed_page)) {
            struct btree_freed_page freed;
            memcpy(&freed, view->pages.data + at, sizeof(freed));
            buf_append(out, &freed.number, sizeof(freed.number));
        }
}

/* Pages for the list are taken from the list itself, so they are taken first; there may be one
 * too many then, which stays empty. */
static void write_free_list(struct btree_flush *flush) {
    struct btree_pager *pager = flush->pager;
    struct buf unused = BUF_INIT;
    gather_unused(pager, &unused);
    size_t pages = (number_count(&unused) + FREE_LIST_ENTRIES - 1) / FREE_LIST_ENTRIES;
    uint32_t next = 0;
    for (size_t i = 0; i < pages; i++) {
        uint8_t *page = btree_new_page(pager, BTREE_FREE_LIST, 0);
        btree_page_set_next(page, next);
        next = btree_page_number(page);
        buf_append(&flush->chain, &next, sizeof(next));
    }
    buf_clear(&unused);
    gather_unused(pager, &unused);
    for (size_t i = 0; i < number_count(&unused); i++) {
        uint32_t number = number_at(&flush->chain, i / FREE_LIST_ENTRIES);
        uint8_t *page = btree_frames_get(pager->frames, number)->bytes;
        size_t entry = i % FREE_LIST_ENTRIES;
        store_u32le(page + BTREE_PAGE_HEADER + 4 * entry, number_at(&unused, i));
        btree_page_set_count(page, entry + 1);
    }
    flush->meta.free_list = next;
    buf_deinit(&unused);
}

static int compare_numbers(const void *a, const void *b) {
    uint32_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return (x > y) - (x < y);
}

/* The pages made since the last flush that the tree still holds, in order of their place. */
static void gather_frames(struct btree_flush *flush) {
    struct buf *dirty = &flush->pager->dirty;
    size_t count = number_count(dirty);
    if (count > 0) qsort(dirty->data, count, sizeof(uint32_t), compare_numbers);
    for (size_t i = 0; i < count; i++) {
        uint32_t number = number_at(dirty, i);
        if (i > 0 && number == number_at(dirty, i - 1)) continue;
        struct btree_frame *frame = btree_frames_get(flush->pager->frames, number);
        if (frame != NULL && !frame->freed)
            buf_append(&flush->frames, &frame, sizeof(frame)); // NOLINT: the pointer itself
    }
    buf_clear(dirty);
}

struct btree_flush *btree_flush_begin(struct btree_pager *pager, uint64_t log_position) {
    if (pager->generation == pager->durable->generation) return NULL;
    struct btree_flush *flush = MEM_NEW(struct btree_flush);
    flush->pager = pager;
    flush->view = btree_view_new(pager, false);
    write_free_list(flush);
    gather_frames(flush);
    flush->meta.generation = flush->view->generation;
    flush->meta.turn = pager->meta.turn + 1;
    flush->meta.root = pager->root;
    flush->meta.page_count = pager->page_count;
    flush->meta.log_position = log_position;
    return flush;
}

/* ---- writing -------------------------------------------------------------------------------- */

static enum status grow(struct btree_flush *flush, struct error *error) {
    struct btree_pager *pager = flush->pager;
    uint64_t needed = (uint64_t)flush->meta.page_count * BTREE_PAGE_BYTES;
    if (needed <= pager->file_bytes) return STATUS_OK;
    uint64_t size = (needed + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;
    TRY(file_truncate(pager->file, size, error));
    pager->file_bytes = size;
    return STATUS_OK;
}

/* One write: pages whose numbers follow one another. They are sealed in a copy: the originals may
 * be under the eyes of other threads. */
static enum status write_run(struct btree_flush *flush, size_t *count, struct error *error) {
    uint32_t first = btree_page_number(frame_at(flush, flush->written)->bytes);
    buf_clear(&flush->run);
    for (*count = 0; *count < RUN_PAGES && flush->written + *count < frame_count(flush);
         (*count)++) {
        const struct btree_frame *frame = frame_at(flush, flush->written + *count);
        if (btree_page_number(frame->bytes) != first + *count) break;
        uint8_t *copy = buf_extend(&flush->run, BTREE_PAGE_BYTES);
        memcpy(copy, frame->bytes, BTREE_PAGE_BYTES);
        btree_page_seal(copy);
    }
    return file_write_at(flush->pager->file, (uint64_t)first * BTREE_PAGE_BYTES,
                         buf_slice(&flush->run), error);
}

enum status btree_flush_write(struct btree_flush *flush, size_t limit, bool *done,
                              struct error *error) {
    TRY(grow(flush, error));
    for (size_t pages = 0, count; pages < limit && flush->written < frame_count(flush);
         pages += count, flush->written += count)
        TRY(write_run(flush, &count, error));
    *done = flush->written == frame_count(flush);
    return STATUS_OK;
}

enum status btree_flush_sync(struct btree_flush *flush, struct error *error) {
    return file_sync(flush->pager->file, error);
}

enum status btree_flush_write_meta(struct btree_flush *flush, struct error *error) {
    return btree_meta_write(flush->pager->file, &flush->meta, error);
}

/* ---- the end -------------------------------------------------------------------------------- */

/* A page that was just written is likely to be read. */
static void keep_in_cache(struct btree_pager *pager, const struct btree_frame *frame) {
    struct btree_cache_frame *cached;
    uint32_t number = btree_page_number(frame->bytes);
    uint8_t *page = frame->freed ? NULL : btree_cache_claim(pager->cache, number, &cached);
    if (page == NULL) return;
    memcpy(page, frame->bytes, BTREE_PAGE_BYTES);
    btree_cache_publish(cached, number);
    btree_cache_unpin(cached);
}

static void adopt(struct btree_flush *flush) {
    struct btree_pager *pager = flush->pager;
    struct btree_view *old = pager->durable;
    pager->durable = flush->view;
    pager->meta = flush->meta;
    for (size_t i = 0; i < frame_count(flush); i++) {
        struct btree_frame *frame = frame_at(flush, i);
        keep_in_cache(pager, frame);
        btree_frames_set(pager->frames, btree_page_number(frame->bytes), NULL);
        btree_retire_frame(pager, frame);
    }
    buf_append_slice(&pager->free, buf_slice(&pager->chain));
    buf_swap(&pager->chain, &flush->chain);
    btree_view_release(pager, old);
}

static void take_back(struct btree_flush *flush) {
    struct btree_pager *pager = flush->pager;
    for (size_t i = 0; i < frame_count(flush); i++) {
        uint32_t number = btree_page_number(frame_at(flush, i)->bytes);
        buf_append(&pager->dirty, &number, sizeof(number));
    }
    for (size_t i = 0; i < number_count(&flush->chain); i++)
        btree_free_page(pager, btree_frames_get(pager->frames, number_at(&flush->chain, i))->bytes);
    btree_view_release(pager, flush->view);
}

void btree_flush_end(struct btree_flush *flush, bool durable) {
    if (durable)
        adopt(flush);
    else
        take_back(flush);
    buf_deinit(&flush->frames);
    buf_deinit(&flush->chain);
    buf_deinit(&flush->run);
    mem_free(flush);
}
