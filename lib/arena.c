/* arena.c - bump allocation in blocks that are freed together.
 *
 * Small allocations share a block; a large one gets a block of its own behind the current one, so
 * that the rest of the current block is not wasted. */
#include "arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>

#include "mem.h"

/* Under AddressSanitizer what is not handed out may not be touched: a pointer that outlives a reset
 * is found as a use after free would be. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#endif

enum {
    ARENA_FIRST_BLOCK = 4 * 1024,
    ARENA_MAX_BLOCK = 256 * 1024,
    ARENA_ALIGNMENT = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *next;
    size_t capacity;
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, size_t budget_bytes) {
    *arena = (struct arena){.budget_bytes = budget_bytes};
}

static void block_free(struct arena_block *block) {
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->capacity);
    mem_free(block);
}

static void free_blocks(struct arena_block *block) {
    while (block != NULL) {
        struct arena_block *next = block->next;
        block_free(block);
        block = next;
    }
}

void arena_deinit(struct arena *arena) {
    free_blocks(arena->blocks);
    *arena = (struct arena){.budget_bytes = arena->budget_bytes};
}

void arena_reset(struct arena *arena) {
    struct arena_block *kept = arena->blocks;
    if (kept != NULL) {
        free_blocks(kept->next);
        kept->next = NULL;
        kept->used = 0;
        ASAN_POISON_MEMORY_REGION(kept->data, kept->capacity);
        if (kept->capacity > ARENA_MAX_BLOCK) {
            block_free(kept);
            kept = NULL;
        }
    }
    *arena = (struct arena){.blocks = kept, .budget_bytes = arena->budget_bytes};
}

static struct arena_block *block_new(size_t capacity) {
    struct arena_block *block = mem_alloc(sizeof(struct arena_block) + capacity);
    block->next = NULL;
    block->capacity = capacity;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->data, capacity);
    return block;
}

/* A block with room for `size` bytes. */
static struct arena_block *find_room(struct arena *arena, size_t size) {
    struct arena_block *current = arena->blocks;
    if (current != NULL && current->capacity - current->used >= size) return current;
    size_t capacity = current == NULL ? ARENA_FIRST_BLOCK : current->capacity * 2;
    if (capacity > ARENA_MAX_BLOCK) capacity = ARENA_MAX_BLOCK;
    if (current != NULL && size > capacity / 4) {
        struct arena_block *own = block_new(size);
        own->next = current->next;
        current->next = own;
        return own;
    }
    struct arena_block *block = block_new(size > capacity ? size : capacity);
    block->next = current;
    arena->blocks = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size_bytes) {
    assert(size_bytes < SIZE_MAX / 4);
    size_t size = (size_bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    struct arena_block *block = find_room(arena, size);
    void *memory = block->data + block->used;
    ASAN_UNPOISON_MEMORY_REGION(memory, size_bytes);
    block->used += size;
    arena->used_bytes += size;
    if (arena->budget_bytes > 0 && arena->used_bytes > arena->budget_bytes) {
        arena->over_budget = true;
    }
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size_bytes) {
    return memset(arena_alloc(arena, size_bytes), 0, size_bytes);
}

void *arena_dup(struct arena *arena, const void *data, size_t size_bytes) {
    void *copy = arena_alloc(arena, size_bytes);
    if (size_bytes > 0) memcpy(copy, data, size_bytes);
    return copy;
}

struct slice arena_dup_slice(struct arena *arena, struct slice slice) {
    return slice_of(arena_dup(arena, slice.data, slice.len), slice.len);
}

char *arena_strdup(struct arena *arena, const char *text) {
    return arena_dup(arena, text, strlen(text) + 1);
}

char *arena_string(struct arena *arena, struct slice slice) {
    char *text = arena_alloc(arena, slice.len + 1);
    if (slice.len > 0) memcpy(text, slice.data, slice.len);
    text[slice.len] = '\0';
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    assert(len >= 0);
    char *text = arena_alloc(arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

enum status arena_check(const struct arena *arena, struct error *error) {
    if (!arena->over_budget) return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE, "out of memory budget: %zu bytes used, %zu allowed",
                     arena->used_bytes, arena->budget_bytes);
}
