/* sql_column.h - a column of values: what operators and expressions work on.
 *
 * One array of values by storage class and one array of NULL bytes. A *constant* column holds one
 * value that stands for every row; read through sql_column_at. Values of rows that are NULL, or not
 * selected, are unspecified. Text and digits are borrowed: the batch's producer keeps them alive
 * until it is asked for the next batch. */
#ifndef CAIRN_SQL_COLUMN_H
#define CAIRN_SQL_COLUMN_H

#include "sql_datum.h"

enum { SQL_BATCH_ROWS = 1024 };

struct sql_column {
    enum sql_type type;
    bool constant;     /* index 0 stands for all rows */
    bool may_be_null;  /* false: the NULL bytes are all 0 and need no look */
    uint32_t capacity; /* rows that the arrays hold */
    uint8_t *nulls;    /* 1: NULL */
    union {
        int64_t *integers;
        double *floats;
        uint8_t *booleans;
        struct slice *texts;
        struct numeric *numerics;
        void *values;
    };
};

/* Which rows of a batch count, in ascending order. rows NULL: rows 0 .. count-1. */
struct sql_selection {
    const uint16_t *rows;
    uint32_t count;
};

static inline uint32_t sql_selected(struct sql_selection selection, uint32_t i) {
    return selection.rows != NULL ? selection.rows[i] : i;
}
static inline uint32_t sql_column_at(const struct sql_column *column, uint32_t row) {
    return column->constant ? 0 : row;
}
static inline bool sql_column_is_null(const struct sql_column *column, uint32_t row) {
    return column->may_be_null && column->nulls[sql_column_at(column, row)] != 0;
}

/* Arrays for `capacity` rows (1 .. SQL_BATCH_ROWS) in `arena`, zeroed. */
void sql_column_init(struct sql_column *column, struct arena *arena, enum sql_type type,
                     uint32_t capacity);
/* A constant column of one value (borrowed). */
void sql_column_init_constant(struct sql_column *column, struct arena *arena,
                              const struct sql_datum *value);
/* The value of a row; borrows what the column borrows. */
struct sql_datum sql_column_get(const struct sql_column *column, uint32_t row);
/* datum->type has the column's storage class. Borrows. Not on a constant column. */
void sql_column_set(struct sql_column *column, uint32_t row, const struct sql_datum *datum);
void sql_column_set_null(struct sql_column *column, uint32_t row);
/* Copies one value; text and digits are copied into `arena` unless it is NULL (then borrowed). */
void sql_column_copy(struct sql_column *to, uint32_t to_row, const struct sql_column *from,
                     uint32_t from_row, struct arena *arena);
/* <0, 0, >0. Both not NULL, same storage. */
int sql_column_compare(const struct sql_column *a, uint32_t a_row, const struct sql_column *b,
                       uint32_t b_row);
uint64_t sql_column_hash(const struct sql_column *column, uint32_t row);

#endif
