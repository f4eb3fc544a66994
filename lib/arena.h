/* arena.h - memory for what dies together: a statement, a batch, an RPC.
 *
 * Nothing is freed singly. An arena has a budget; going over it is reported, because the size of
 * a statement's memory is chosen by a client. */
#ifndef CAIRN_ARENA_H
#define CAIRN_ARENA_H

#include "slice.h"
#include "status.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes;          /* handed out since the last reset */
    size_t budget_bytes;        /* 0: none */
    bool over_budget;           /* sticky until reset: checked by whoever serves the client */
};

void arena_init(struct arena *arena, size_t budget_bytes);
void arena_deinit(struct arena *arena);
/* Forgets all allocations; keeps one block for reuse. */
void arena_reset(struct arena *arena);

/* Aligned for any type. Never NULL: over budget it still succeeds and sets `over_budget`, so that
 * code in the middle of building a tree needs no error path; loops over client data check it. */
void *arena_alloc(struct arena *arena, size_t size_bytes);
void *arena_zalloc(struct arena *arena, size_t size_bytes);
void *arena_dup(struct arena *arena, const void *data, size_t size_bytes);
struct slice arena_dup_slice(struct arena *arena, struct slice slice);
char *arena_strdup(struct arena *arena, const char *text);
/* NUL-terminated copy of a slice. */
char *arena_string(struct arena *arena, struct slice slice);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_NEW(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_zalloc((arena), sizeof(type) * (count)))

/* STATUS_TOO_LARGE with a message when the budget is exceeded, else STATUS_OK. */
enum status arena_check(const struct arena *arena, struct error *error) MUST_CHECK;

#endif
