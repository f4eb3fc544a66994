/* mem.h - the one place where running out of memory is handled: it aborts.
 *
 * Callers never check for NULL. Sizes that come from outside are bounded by the caller before
 * they get here. */
#ifndef CAIRN_MEM_H
#define CAIRN_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size_bytes);  /* uninitialized; size 0 gives a valid pointer */
void *mem_zalloc(size_t size_bytes); /* zeroed */
void *mem_realloc(void *memory, size_t size_bytes); /* memory may be NULL */
void *mem_dup(const void *data, size_t size_bytes);
char *mem_strdup(const char *text);
void mem_free(void *memory); /* NULL is fine */

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

/* The struct that embeds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
