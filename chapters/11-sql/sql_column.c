/* sql_column.c - vectors of values and batches of them: memory, access, comparison. */
#include "sql_column.h"

#include <assert.h>

#include "sql_batch.h"

static size_t value_size(enum sql_type type) {
    switch (sql_type_storage(type)) {
    case SQL_STORE_INT:
        return sizeof(int64_t);
    case SQL_STORE_FLOAT:
        return sizeof(double);
    case SQL_STORE_BOOL:
        return sizeof(uint8_t);
    case SQL_STORE_NUMERIC:
        return sizeof(struct numeric);
    case SQL_STORE_BYTES:
        break;
    }
    return sizeof(struct slice);
}

void sql_column_init(struct sql_column *column, struct arena *arena, enum sql_type type,
                     uint32_t capacity) {
    assert(capacity >= 1 && capacity <= SQL_BATCH_ROWS);
    *column = (struct sql_column){.type = type, .capacity = capacity};
    column->nulls = arena_zalloc(arena, capacity);
    column->values = arena_zalloc(arena, capacity * value_size(type));
}

void sql_column_init_constant(struct sql_column *column, struct arena *arena,
                              const struct sql_datum *value) {
    sql_column_init(column, arena, value->type, 1);
    sql_column_set(column, 0, value);
    column->constant = true;
}

struct sql_datum sql_column_get(const struct sql_column *column, uint32_t row) {
    uint32_t at = sql_column_at(column, row);
    struct sql_datum datum = {.type = column->type, .is_null = sql_column_is_null(column, row)};
    if (datum.is_null) return datum;
    switch (sql_type_storage(column->type)) {
    case SQL_STORE_INT:
        datum.integer = column->integers[at];
        break;
    case SQL_STORE_FLOAT:
        datum.float8 = column->floats[at];
        break;
    case SQL_STORE_BOOL:
        datum.boolean = column->booleans[at] != 0;
        break;
    case SQL_STORE_NUMERIC:
        datum.numeric = column->numerics[at];
        break;
    case SQL_STORE_BYTES:
        datum.text = column->texts[at];
        break;
    }
    return datum;
}

void sql_column_set_null(struct sql_column *column, uint32_t row) {
    assert(row < column->capacity && !column->constant);
    column->nulls[row] = 1;
    column->may_be_null = true;
}

void sql_column_set(struct sql_column *column, uint32_t row, const struct sql_datum *datum) {
    assert(row < column->capacity && !column->constant);
    column->nulls[row] = datum->is_null;
    if (datum->is_null) {
        column->may_be_null = true;
        return;
    }
    switch (sql_type_storage(column->type)) {
    case SQL_STORE_INT:
        column->integers[row] = datum->integer;
        break;
    case SQL_STORE_FLOAT:
        column->floats[row] = datum->float8;
        break;
    case SQL_STORE_BOOL:
        column->booleans[row] = datum->boolean;
        break;
    case SQL_STORE_NUMERIC:
        column->numerics[row] = datum->numeric;
        break;
    case SQL_STORE_BYTES:
        column->texts[row] = datum->text;
        break;
    }
}

void sql_column_copy(struct sql_column *to, uint32_t to_row, const struct sql_column *from,
                     uint32_t from_row, struct arena *arena) {
    assert(to_row < to->capacity && !to->constant);
    uint32_t at = sql_column_at(from, from_row);
    bool null = sql_column_is_null(from, from_row);
    to->nulls[to_row] = null;
    to->may_be_null |= null;
    if (null) return;
    switch (sql_type_storage(to->type)) {
    case SQL_STORE_INT:
        to->integers[to_row] = from->integers[at];
        break;
    case SQL_STORE_FLOAT:
        to->floats[to_row] = from->floats[at];
        break;
    case SQL_STORE_BOOL:
        to->booleans[to_row] = from->booleans[at];
        break;
    case SQL_STORE_NUMERIC:
        to->numerics[to_row] =
            arena != NULL ? numeric_dup(arena, &from->numerics[at]) : from->numerics[at];
        break;
    case SQL_STORE_BYTES:
        to->texts[to_row] =
            arena != NULL ? arena_dup_slice(arena, from->texts[at]) : from->texts[at];
        break;
    }
}

/* As sql_datum_compare and sql_datum_hash, without making datums: sorts and joins live here. */
int sql_column_compare(const struct sql_column *a, uint32_t a_row, const struct sql_column *b,
                       uint32_t b_row) {
    uint32_t i = sql_column_at(a, a_row);
    uint32_t j = sql_column_at(b, b_row);
    switch (sql_type_storage(a->type)) {
    case SQL_STORE_INT:
        return (a->integers[i] > b->integers[j]) - (a->integers[i] < b->integers[j]);
    case SQL_STORE_FLOAT:
        return sql_float8_compare(a->floats[i], b->floats[j]);
    case SQL_STORE_BOOL:
        return a->booleans[i] - b->booleans[j];
    case SQL_STORE_NUMERIC:
        return numeric_compare(&a->numerics[i], &b->numerics[j]);
    case SQL_STORE_BYTES:
        break;
    }
    return slice_compare(a->texts[i], b->texts[j]);
}

uint64_t sql_column_hash(const struct sql_column *column, uint32_t row) {
    uint32_t at = sql_column_at(column, row);
    if (!sql_column_is_null(column, row)) {
        switch (sql_type_storage(column->type)) {
        case SQL_STORE_INT:
            return sql_integer_hash(column->integers[at]);
        case SQL_STORE_FLOAT:
            return sql_float8_hash(column->floats[at]);
        case SQL_STORE_BYTES:
            return checksum64(column->texts[at], 0);
        case SQL_STORE_BOOL:
        case SQL_STORE_NUMERIC:
            break;
        }
    }
    struct sql_datum datum = sql_column_get(column, row);
    return sql_datum_hash(&datum);
}

/* ---- batches -------------------------------------------------------------------------------- */

void sql_batch_init(struct sql_batch *batch, struct arena *arena, const enum sql_type *types,
                    uint32_t column_count, uint32_t capacity) {
    *batch = (struct sql_batch){.column_count = column_count};
    batch->columns = ARENA_ARRAY(arena, struct sql_column, column_count + 1);
    for (uint32_t i = 0; i < column_count; i++) {
        sql_column_init(&batch->columns[i], arena, types[i], capacity);
    }
}

void sql_batch_set_rows(struct sql_batch *batch, uint32_t row_count) {
    assert(row_count <= SQL_BATCH_ROWS);
    batch->row_count = row_count;
    batch->selection = (struct sql_selection){NULL, row_count};
}
