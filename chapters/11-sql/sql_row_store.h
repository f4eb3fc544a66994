/* sql_row_store.h - rows kept in memory by operators that must see all of them: sort, join, group.
 *
 * Rows are stored by column in chunks of 1,024, so that a chunk can be handed on as a batch. Text
 * and digits are copied. A hash index over some columns may be kept beside them. Everything lives
 * in one arena, which the owner resets. Pure. */
#ifndef CAIRN_SQL_ROW_STORE_H
#define CAIRN_SQL_ROW_STORE_H

#include "sql_batch.h"

enum { SQL_ROW_NONE = UINT32_MAX };

struct sql_row_store {
    struct arena *arena;
    enum sql_type *types;
    uint32_t column_count;
    struct sql_batch **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t row_count;
};

/* No rows. `types` is copied. To empty it: reset the arena and init again. */
void sql_row_store_init(struct sql_row_store *store, struct arena *arena,
                        const enum sql_type *types, uint32_t column_count);
/* Appends a row: its values from `count` columns at `row`. Returns its number. count may be less
 * than column_count: the others are not set. */
uint32_t sql_row_store_append(struct sql_row_store *store, const struct sql_column *const *columns,
                              uint32_t count, uint32_t row);

static inline const struct sql_batch *sql_row_store_chunk(const struct sql_row_store *store,
                                                          uint32_t number) {
    return store->chunks[number / SQL_BATCH_ROWS];
}
static inline const struct sql_column *sql_row_store_column(const struct sql_row_store *store,
                                                            uint32_t number, uint32_t column) {
    return &store->chunks[number / SQL_BATCH_ROWS]->columns[column];
}

/* ---- hash index ------------------------------------------------------------------------------ */

/* Chains of rows with the same hash. Rows are added in order of their numbers. */
struct sql_row_index {
    struct arena *arena;
    uint32_t *heads; /* by hash; SQL_ROW_NONE: empty */
    uint32_t head_count;
    uint32_t *next;   /* by row number */
    uint64_t *hashes; /* by row number */
    uint32_t capacity, count;
};

void sql_row_index_init(struct sql_row_index *index, struct arena *arena);
void sql_row_index_add(struct sql_row_index *index, uint32_t number, uint64_t hash);
/* The first row of this hash, then the next: SQL_ROW_NONE when there is none. Other hashes may
 * share a chain: these are skipped. */
uint32_t sql_row_index_first(const struct sql_row_index *index, uint64_t hash);
uint32_t sql_row_index_next(const struct sql_row_index *index, uint32_t number);

/* Hash of a row over several columns. */
uint64_t sql_row_hash(const struct sql_column *const *columns, uint32_t count, uint32_t row);
/* Does stored row `number` equal the given one, column by column from `first` on? NULLs are
 * alike. */
bool sql_row_store_equals(const struct sql_row_store *store, uint32_t number, uint32_t first,
                          const struct sql_column *const *columns, uint32_t count, uint32_t row);

/* A set of distinct rows: true if the row was not there yet (it is now; its number is in
 * *number). */
bool sql_row_set_add(struct sql_row_store *store, struct sql_row_index *index,
                     const struct sql_column *const *columns, uint32_t row, uint32_t *number);

#endif
