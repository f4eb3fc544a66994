/* sql_row_store.c - rows in memory, in chunks by column, and a hash index over them. */
#include "sql_row_store.h"

#include <assert.h>

void sql_row_store_init(struct sql_row_store *store, struct arena *arena,
                        const enum sql_type *types, uint32_t column_count) {
    *store = (struct sql_row_store){.arena = arena, .column_count = column_count};
    store->types = arena_dup(arena, types, column_count * sizeof *types);
}

/* The first chunk starts small: most groups and joins of small statements have few rows. */
static uint32_t grown_capacity(uint32_t capacity) {
    uint32_t grown = capacity == 0 ? 8 : capacity * 4;
    return grown < SQL_BATCH_ROWS ? grown : SQL_BATCH_ROWS;
}

static void grow_chunk(struct sql_row_store *store, struct sql_batch *chunk, uint32_t capacity) {
    struct sql_batch grown;
    sql_batch_init(&grown, store->arena, store->types, store->column_count, capacity);
    for (uint32_t c = 0; c < store->column_count; c++) {
        for (uint32_t row = 0; row < chunk->row_count; row++) {
            sql_column_copy(&grown.columns[c], row, &chunk->columns[c], row, NULL);
        }
    }
    sql_batch_set_rows(&grown, chunk->row_count);
    *chunk = grown;
}

static struct sql_batch *chunk_with_room(struct sql_row_store *store) {
    uint32_t used = store->row_count % SQL_BATCH_ROWS;
    if (used == 0) { /* a new chunk */
        if (store->chunk_count == store->chunk_capacity) {
            store->chunk_capacity = store->chunk_capacity == 0 ? 4 : store->chunk_capacity * 2;
            struct sql_batch **chunks =
                ARENA_ARRAY(store->arena, struct sql_batch *, store->chunk_capacity);
            if (store->chunk_count > 0) {
                memcpy(chunks, store->chunks, store->chunk_count * sizeof *chunks);
            }
            store->chunks = chunks;
        }
        struct sql_batch *chunk = ARENA_NEW(store->arena, struct sql_batch);
        uint32_t capacity = store->chunk_count == 0 ? grown_capacity(0) : SQL_BATCH_ROWS;
        sql_batch_init(chunk, store->arena, store->types, store->column_count, capacity);
        store->chunks[store->chunk_count++] = chunk;
        return chunk;
    }
    struct sql_batch *chunk = store->chunks[store->chunk_count - 1];
    bool full = store->column_count > 0 && used == chunk->columns[0].capacity;
    if (full) grow_chunk(store, chunk, grown_capacity(used));
    return chunk;
}

uint32_t sql_row_store_append(struct sql_row_store *store, const struct sql_column *const *columns,
                              uint32_t count, uint32_t row) {
    assert(count <= store->column_count && store->row_count < SQL_ROW_NONE);
    struct sql_batch *chunk = chunk_with_room(store);
    uint32_t at = chunk->row_count;
    sql_batch_set_rows(chunk, at + 1);
    for (uint32_t c = 0; c < count; c++) {
        sql_column_copy(&chunk->columns[c], at, columns[c], row, store->arena);
    }
    return store->row_count++;
}

/* ---- hash index ------------------------------------------------------------------------------ */

void sql_row_index_init(struct sql_row_index *index, struct arena *arena) {
    *index = (struct sql_row_index){.arena = arena};
}

static void link_row(struct sql_row_index *index, uint32_t number) {
    uint32_t *head = &index->heads[index->hashes[number] & (index->head_count - 1)];
    index->next[number] = *head;
    *head = number;
}

/* Doubles and links all rows again. */
static void grow_index(struct sql_row_index *index) {
    uint32_t capacity = index->capacity == 0 ? 16 : index->capacity * 2;
    uint32_t *next = ARENA_ARRAY(index->arena, uint32_t, capacity);
    uint64_t *hashes = ARENA_ARRAY(index->arena, uint64_t, capacity);
    if (index->count > 0) memcpy(hashes, index->hashes, index->count * sizeof *hashes);
    index->next = next;
    index->hashes = hashes;
    index->capacity = capacity;
    index->head_count = capacity;
    index->heads = arena_alloc(index->arena, capacity * sizeof *index->heads);
    memset(index->heads, 0xFF, capacity * sizeof *index->heads);
    for (uint32_t number = 0; number < index->count; number++)
        link_row(index, number);
}

void sql_row_index_add(struct sql_row_index *index, uint32_t number, uint64_t hash) {
    assert(number == index->count);
    if (index->count == index->capacity) grow_index(index);
    index->hashes[number] = hash;
    index->count++;
    link_row(index, number);
}

static uint32_t same_hash(const struct sql_row_index *index, uint32_t number, uint64_t hash) {
    while (number != SQL_ROW_NONE && index->hashes[number] != hash)
        number = index->next[number];
    return number;
}

uint32_t sql_row_index_first(const struct sql_row_index *index, uint64_t hash) {
    if (index->count == 0) return SQL_ROW_NONE;
    return same_hash(index, index->heads[hash & (index->head_count - 1)], hash);
}

uint32_t sql_row_index_next(const struct sql_row_index *index, uint32_t number) {
    return same_hash(index, index->next[number], index->hashes[number]);
}

uint64_t sql_row_hash(const struct sql_column *const *columns, uint32_t count, uint32_t row) {
    uint64_t hash = 0;
    for (uint32_t c = 0; c < count; c++) {
        hash = (hash ^ sql_column_hash(columns[c], row)) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return hash;
}

bool sql_row_store_equals(const struct sql_row_store *store, uint32_t number, uint32_t first,
                          const struct sql_column *const *columns, uint32_t count, uint32_t row) {
    for (uint32_t c = 0; c < count; c++) {
        const struct sql_column *stored = sql_row_store_column(store, number, first + c);
        uint32_t at = number % SQL_BATCH_ROWS;
        bool stored_null = sql_column_is_null(stored, at);
        bool null = sql_column_is_null(columns[c], row);
        if (stored_null != null) return false;
        if (!null && sql_column_compare(stored, at, columns[c], row) != 0) return false;
    }
    return true;
}

bool sql_row_set_add(struct sql_row_store *store, struct sql_row_index *index,
                     const struct sql_column *const *columns, uint32_t row, uint32_t *number) {
    uint32_t count = store->column_count;
    uint64_t hash = sql_row_hash(columns, count, row);
    for (*number = sql_row_index_first(index, hash); *number != SQL_ROW_NONE;
         *number = sql_row_index_next(index, *number)) {
        if (sql_row_store_equals(store, *number, 0, columns, count, row)) return false;
    }
    *number = sql_row_store_append(store, columns, count, row);
    sql_row_index_add(index, *number, hash);
    return true;
}
