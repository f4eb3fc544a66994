/* sql_batch.h - rows on their way between operators: up to 1,024 of them, stored by column.
 *
 * A batch has `row_count` rows in its arrays, of which `selection` says which count. Filters narrow
 * the selection and move no data (MonetDB/X100, Boncz et al. 2005). */
#ifndef CAIRN_SQL_BATCH_H
#define CAIRN_SQL_BATCH_H

#include "sql_column.h"

struct sql_batch {
    uint32_t row_count; /* rows in the arrays, 0 .. SQL_BATCH_ROWS */
    uint32_t column_count;
    struct sql_column *columns;
    struct sql_selection selection; /* the rows that count */
};

/* Columns of the given types with room for `capacity` rows, in `arena`; no rows yet. */
void sql_batch_init(struct sql_batch *batch, struct arena *arena, const enum sql_type *types,
                    uint32_t column_count, uint32_t capacity);
/* Sets row_count and selects all of them. */
void sql_batch_set_rows(struct sql_batch *batch, uint32_t row_count);
/* Rows that count. */
static inline uint32_t sql_batch_rows(const struct sql_batch *batch) {
    return batch->selection.count;
}

#endif
