/* sql_row_writer.h - rows on their way into a table: checked, encoded, put into the transaction.
 *
 * What INSERT, UPDATE and DELETE share. A row is an array of values, one for each column of the
 * table's descriptor, hidden ones included, of the columns' types with modifiers applied. */
#ifndef CAIRN_SQL_ROW_WRITER_H
#define CAIRN_SQL_ROW_WRITER_H

#include "row_codec.h"
#include "sql_session_internal.h"

struct sql_row_writer {
    struct txn *txn;
    const struct sql_table *table;
    bool alone;               /* new keys are checked by the commit */
    struct row_field *fields; /* of the value, by column id */
    bool *in_key;             /* fields[i] is stored only where the key is not exact */
    uint32_t *field_columns;  /* fields[i] is this column of the table */
    uint32_t field_count;
    struct buf key, value;

    /* New rows whose keys must be free; checked and put together. */
    struct arena pending_arena;
    struct pending_row {
        struct slice key, value;
    } * pending;
    uint32_t pending_count, pending_capacity;
};

/* arena: outlives the writer. memory_bytes: of rows added and not flushed. */
void sql_row_writer_init(struct sql_row_writer *writer, struct arena *arena, struct txn *txn,
                         const struct sql_table *table, bool alone, uint64_t memory_bytes);
void sql_row_writer_deinit(struct sql_row_writer *writer);

/* 23502, with the row as detail. */
enum status sql_row_writer_check(const struct sql_row_writer *writer, const struct sql_datum *row,
                                 struct sql_error *error) MUST_CHECK;
/* The key of a row; valid until the next call for this writer. */
struct slice sql_row_writer_key(struct sql_row_writer *writer, const struct sql_datum *row);
struct slice sql_row_writer_value(struct sql_row_writer *writer, const struct sql_datum *row);

/* Replaces, deletes: never suspend. */
enum status sql_row_writer_put(struct sql_row_writer *writer, struct slice key, struct slice value,
                               struct sql_error *error) MUST_CHECK;
enum status sql_row_writer_delete(struct sql_row_writer *writer, struct slice key,
                                  struct sql_error *error) MUST_CHECK;
/* A row whose key must be free; copied. It is written by the flush. 53200: over the memory
 * given. */
enum status sql_row_writer_add(struct sql_row_writer *writer, struct slice key, struct slice value,
                               struct sql_error *error) MUST_CHECK;
/* Writes what was added: 23505. May suspend (one round trip, unless `alone` or the key is
 * hidden). */
enum status sql_row_writer_flush(struct sql_row_writer *writer, struct sql_error *error) MUST_CHECK;

/* A value for the hidden key: unique in the cluster, increasing on this node. */
int64_t sql_rowid_next(struct sql_server *server);

#endif
