/* btree_frames.c - the table of pages in memory. What lives here: lookup beside one writer. What
 * must not: when a frame may be freed (btree_pager.c). */
#include "btree_frames.h"

#include <stdatomic.h>

#include "mem.h"

enum { CHUNK_ENTRIES = 1024, FIRST_CHUNKS = 64 };

struct chunk {
    _Atomic(struct btree_frame *) entries[CHUNK_ENTRIES];
};

struct top {
    struct top *outgrown;
    size_t count;
    _Atomic(struct chunk *) chunks[];
};

struct btree_frames {
    _Atomic(struct top *) top;
};

static struct top *new_top(size_t count, struct top *outgrown) {
    struct top *top = mem_zalloc(sizeof(*top) + count * sizeof(top->chunks[0]));
    top->count = count;
    top->outgrown = outgrown;
    for (size_t i = 0; outgrown != NULL && i < outgrown->count; i++)
        atomic_store(&top->chunks[i], atomic_load(&outgrown->chunks[i]));
    return top;
}

struct btree_frames *btree_frames_new(void) {
    struct btree_frames *frames = MEM_NEW(struct btree_frames);
    atomic_store(&frames->top, new_top(FIRST_CHUNKS, NULL));
    return frames;
}

void btree_frames_free(struct btree_frames *frames) {
    if (frames == NULL) return;
    struct top *top = atomic_load(&frames->top);
    for (size_t i = 0; i < top->count; i++)
        mem_free(atomic_load(&top->chunks[i]));
    while (top != NULL) {
        struct top *outgrown = top->outgrown;
        mem_free(top);
        top = outgrown;
    }
    mem_free(frames);
}

struct btree_frame *btree_frames_get(struct btree_frames *frames, uint32_t number) {
    struct top *top = atomic_load(&frames->top);
    size_t i = number / CHUNK_ENTRIES;
    struct chunk *chunk = i < top->count ? atomic_load(&top->chunks[i]) : NULL;
    return chunk != NULL ? atomic_load(&chunk->entries[number % CHUNK_ENTRIES]) : NULL;
}

void btree_frames_set(struct btree_frames *frames, uint32_t number, struct btree_frame *frame) {
    struct top *top = atomic_load(&frames->top);
    size_t i = number / CHUNK_ENTRIES;
    if (i >= top->count) {
        size_t count = top->count * 2;
        top = new_top(count > i ? count : i + 1, top);
        atomic_store(&frames->top, top);
    }
    struct chunk *chunk = atomic_load(&top->chunks[i]);
    if (chunk == NULL) {
        chunk = MEM_NEW(struct chunk);
        atomic_store(&top->chunks[i], chunk);
    }
    atomic_store(&chunk->entries[number % CHUNK_ENTRIES], frame);
}
