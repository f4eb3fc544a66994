/* btree_pager.c - where a page is, who may still see it, and which number is free. What lives here:
 * reading through cache and file, copy-on-write, views. What must not: what the pages mean
 * (btree_tree.c), opening the file (btree_open.c), making a tree durable (btree_flush.c). */
#include "btree_pager.h"

#include <assert.h>

#include "mem.h"

static void push_number(struct buf *numbers, uint32_t number) {
    buf_append(numbers, &number, sizeof(number));
}

static bool pop_number(struct buf *numbers, uint32_t *number) {
    if (numbers->len == 0) return false;
    numbers->len -= sizeof(*number);
    memcpy(number, numbers->data + numbers->len, sizeof(*number));
    return true;
}

/* ---- reading -------------------------------------------------------------------------------- */

static enum status read_file_page(struct btree_pager *pager, uint64_t newest, uint32_t number,
                                  uint8_t *page, struct error *error) {
    uint64_t offset = (uint64_t)number * BTREE_PAGE_BYTES;
    size_t read;
    TRY(file_read_at(pager->file, offset, page, BTREE_PAGE_BYTES, &read, error));
    struct error why = {0};
    enum status status = STATUS_OK;
    if (read < BTREE_PAGE_BYTES)
        status = error_set(&why, STATUS_CORRUPT, "the file ends before it");
    else
        status = btree_page_verify(page, number, newest, &why);
    if (status == STATUS_OK) return status;
    return error_set(error, status, "%s: page %u at offset %llu is damaged: %s",
                     file_path(pager->file), number, (unsigned long long)offset, why.message);
}

enum status btree_read(struct btree_pager *pager, uint64_t newest, uint32_t number, bool no_wait,
                       struct btree_ref *ref, struct error *error) {
    *ref = (struct btree_ref){0};
    struct btree_frame *dirty = btree_frames_get(pager->frames, number);
    if (dirty != NULL) {
        ref->page = dirty->bytes;
        return STATUS_OK;
    }
    ref->page = btree_cache_pin(pager->cache, number, &ref->frame);
    if (ref->page != NULL) return STATUS_OK;
    if (no_wait) return STATUS_WOULD_BLOCK;
    uint8_t *page = btree_cache_claim(pager->cache, number, &ref->frame);
    if (page == NULL) page = ref->owned = mem_alloc(BTREE_PAGE_BYTES);
    enum status status = read_file_page(pager, newest, number, page, error);
    if (ref->frame != NULL && status == STATUS_OK) btree_cache_publish(ref->frame, number);
    if (ref->frame != NULL && status != STATUS_OK) btree_cache_abandon(ref->frame);
    if (status != STATUS_OK) {
        mem_free(ref->owned);
        *ref = (struct btree_ref){0};
        return status;
    }
    ref->page = page;
    return STATUS_OK;
}

void btree_release(struct btree_ref *ref) {
    if (ref->frame != NULL) btree_cache_unpin(ref->frame);
    mem_free(ref->owned);
    *ref = (struct btree_ref){0};
}

/* ---- numbers and frames --------------------------------------------------------------------- */

static void free_frame(struct btree_pager *pager, struct btree_frame *frame) {
    pager->frame_count--;
    mem_free(frame);
}

/* Nobody sees the page any more. */
static void reuse(struct btree_pager *pager, uint32_t number) {
    struct btree_frame *frame = btree_frames_get(pager->frames, number);
    if (frame != NULL) {
        btree_frames_set(pager->frames, number, NULL);
        free_frame(pager, frame);
    }
    push_number(&pager->free, number);
}

static struct btree_frame *new_frame(struct btree_pager *pager) {
    uint32_t number;
    if (!pop_number(&pager->free, &number)) {
        assert(pager->page_count < UINT32_MAX);
        number = pager->page_count++;
    }
    btree_cache_forget(pager->cache, number); /* what the page was before */
    struct btree_frame *frame = MEM_NEW(struct btree_frame);
    pager->frame_count++;
    btree_page_rename(frame->bytes, number, pager->generation);
    btree_frames_set(pager->frames, number, frame);
    push_number(&pager->dirty, number);
    return frame;
}

/* ---- writing -------------------------------------------------------------------------------- */

void btree_begin_write(struct btree_pager *pager) {
    if (pager->newest->generation == pager->generation) pager->generation++;
}

uint8_t *btree_new_page(struct btree_pager *pager, enum btree_page_type type, unsigned level) {
    struct btree_frame *frame = new_frame(pager);
    btree_page_init(frame->bytes, type, level, btree_page_number(frame->bytes), pager->generation);
    return frame->bytes;
}

/* The copy takes another number, is of the running generation, and stands for the page from here
 * on. */
static uint8_t *copy_page(struct btree_pager *pager, const uint8_t *page) {
    struct btree_frame *copy = new_frame(pager);
    uint32_t number = btree_page_number(copy->bytes);
    memcpy(copy->bytes, page, BTREE_PAGE_BYTES);
    btree_page_rename(copy->bytes, number, pager->generation);
    btree_free_page(pager, page);
    return copy->bytes;
}

enum status btree_edit(struct btree_pager *pager, uint32_t number, uint8_t **page,
                       struct error *error) {
    struct btree_frame *frame = btree_frames_get(pager->frames, number);
    if (frame != NULL && btree_page_generation(frame->bytes) == pager->generation) {
        *page = frame->bytes;
        return STATUS_OK;
    }
    struct btree_ref old;
    TRY(btree_read(pager, pager->generation, number, false, &old, error));
    *page = copy_page(pager, old.page);
    btree_release(&old);
    return STATUS_OK;
}

/* ---- views ---------------------------------------------------------------------------------- */

/* The newest view at or before `view` that sees pages of this birth; NULL if none does. Views are
 * in order of generation: where one is too old, so are those before it. */
static struct btree_view *seer(struct btree_view *view, uint64_t birth, bool only_readers) {
    for (; view != NULL && view->generation >= birth; view = view->older)
        if (view->reader || !only_readers) return view;
    return NULL;
}

static void await_page(struct btree_pager *pager, struct btree_view *from,
                       struct btree_freed_page freed) {
    struct btree_view *view = seer(from, freed.birth, false);
    if (view != NULL)
        buf_append(&view->pages, &freed, sizeof(freed));
    else
        reuse(pager, freed.number);
}

static void await_frame(struct btree_pager *pager, struct btree_view *from,
                        struct btree_frame *frame) {
    struct btree_view *view = seer(from, btree_page_generation(frame->bytes), true);
    if (view != NULL)
        buf_append(&view->frames, &frame, sizeof(frame)); // NOLINT: the pointer itself
    else
        free_frame(pager, frame);
}

void btree_free_page(struct btree_pager *pager, const uint8_t *page) {
    struct btree_freed_page freed = {.birth = btree_page_generation(page),
                                     .number = btree_page_number(page)};
    struct btree_frame *frame = btree_frames_get(pager->frames, freed.number);
    if (frame != NULL) frame->freed = true;
    await_page(pager, pager->newest, freed);
}

void btree_retire_frame(struct btree_pager *pager, struct btree_frame *frame) {
    await_frame(pager, pager->newest, frame);
}

struct btree_view *btree_view_new(struct btree_pager *pager, bool reader) {
    struct btree_view *view = MEM_NEW(struct btree_view);
    view->generation = pager->generation;
    view->root = pager->root;
    view->reader = reader;
    view->older = pager->newest;
    if (pager->newest != NULL) pager->newest->newer = view;
    pager->newest = view;
    return view;
}

void btree_view_release(struct btree_pager *pager, struct btree_view *view) {
    if (view->newer != NULL)
        view->newer->older = view->older;
    else
        pager->newest = view->older;
    if (view->older != NULL) view->older->newer = view->newer;
    for (size_t at = 0; at < view->pages.len; at += sizeof(struct btree_freed_page)) {
        struct btree_freed_page freed;
        memcpy(&freed, view->pages.data + at, sizeof(freed));
        await_page(pager, view->older, freed);
    }
    for (size_t at = 0; at < view->frames.len; at += sizeof(struct btree_frame *)) {
        struct btree_frame *frame;
        memcpy(&frame, view->frames.data + at, sizeof(frame)); // NOLINT: the pointer itself
        await_frame(pager, view->older, frame);
    }
    buf_deinit(&view->pages);
    buf_deinit(&view->frames);
    mem_free(view);
}

uint64_t btree_live_pages(const struct btree_pager *pager) {
    uint64_t unused = BTREE_FIRST_PAGE + (pager->free.len + pager->chain.len) / sizeof(uint32_t);
    for (const struct btree_view *view = pager->newest; view != NULL; view = view->older)
        unused += view->pages.len / sizeof(struct btree_freed_page);
    return pager->page_count > unused ? pager->page_count - unused : 0;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct btree_pager *btree_pager_new(struct env *env, size_t cache_bytes) {
    struct btree_pager *pager = MEM_NEW(struct btree_pager);
    pager->env = env;
    pager->cache = btree_cache_new(cache_bytes);
    pager->frames = btree_frames_new();
    pager->page_count = BTREE_FIRST_PAGE;
    pager->durable = btree_view_new(pager, false);
    return pager;
}

static void drop_frames(struct btree_pager *pager) {
    for (uint32_t number = 0; number < pager->page_count && pager->frame_count > 0; number++) {
        struct btree_frame *frame = btree_frames_get(pager->frames, number);
        if (frame != NULL) free_frame(pager, frame);
    }
}

void btree_pager_close(struct btree_pager *pager) {
    if (pager == NULL) return;
    assert(pager->newest == pager->durable && pager->durable->older == NULL);
    btree_view_release(pager, pager->durable);
    drop_frames(pager);
    assert(pager->frame_count == 0);
    if (pager->file != NULL) file_close(pager->file);
    btree_cache_free(pager->cache);
    btree_frames_free(pager->frames);
    buf_deinit(&pager->dirty);
    buf_deinit(&pager->free);
    buf_deinit(&pager->chain);
    mem_free(pager);
}
