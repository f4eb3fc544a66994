/* mem.c - allocation that cannot fail: out of memory aborts here and nowhere else.
 *
 * A database that limps on after a failed allocation is in a state that nobody has tested; a crash
 * is a state that recovery handles every day. */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *check(void *memory, size_t size_bytes) {
    if (memory == NULL) {
        fprintf(stderr, "out of memory: %zu bytes\n", size_bytes);
        abort();
    }
    return memory;
}

void *mem_alloc(size_t size_bytes) {
    return check(malloc(size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *mem_zalloc(size_t size_bytes) {
    return check(calloc(1, size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *mem_realloc(void *memory, size_t size_bytes) {
    return check(realloc(memory, size_bytes > 0 ? size_bytes : 1), size_bytes);
}

void *mem_dup(const void *data, size_t size_bytes) {
    void *copy = mem_alloc(size_bytes);
    if (size_bytes > 0) memcpy(copy, data, size_bytes);
    return copy;
}

char *mem_strdup(const char *text) { return mem_dup(text, strlen(text) + 1); }

void mem_free(void *memory) { free(memory); }
