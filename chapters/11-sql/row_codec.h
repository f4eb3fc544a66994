/* row_codec.h - rows as keys and values of the key-value layer.
 *
 * Key:   table id (8 bytes), index id (4 bytes), the key columns. memcmp of two keys of one index
 *        orders as their columns do, ascending, NULLs last. Each column is self-delimiting, so that
 *        a prefix of the columns is a prefix of the key.
 * Value: a version byte, then the columns that are not NULL and not in the key, or not exactly (-0,
 *        the last zero of 1.50), by ascending column id: a header (id's distance from the one
 *        before, kind of value) and the value. A column that is absent is NULL, or what the key
 *        says: a column that was added later needs no rewriting, one that was dropped is passed
 *        over.
 *
 * Bytes that break these rules are CORRUPT, with a message, never a crash. Pure. */
#ifndef CAIRN_ROW_CODEC_H
#define CAIRN_ROW_CODEC_H

#include "codec.h"
#include "sql_batch.h"

enum { ROW_KEY_PREFIX_BYTES = 12 };

/* ---- keys ----------------------------------------------------------------------------------- */

/* Appends table and index. All rows of the index lie in [prefix, put_prefix_end of it). */
void row_key_prefix(struct buf *out, uint64_t table_id, uint32_t index_id);
/* False if the key is shorter than a prefix. */
bool row_key_read_prefix(struct slice key, uint64_t *table_id, uint32_t *index_id) MUST_CHECK;
/* Appends one key column. -0 becomes 0 and a numeric loses its scale: equal values have one key. */
void row_key_put(struct buf *out, const struct sql_datum *value);
/* Does the key lose nothing of it? Otherwise the row's value has the column too. */
bool row_key_is_exact(const struct sql_datum *value);
/* Reads one key column. Text borrows from the reader's bytes. On malformed bytes the reader fails
 * and the result is NULL. */
struct sql_datum row_key_get(struct reader *reader, enum sql_type type, struct arena *arena);

/* ---- values --------------------------------------------------------------------------------- */

struct row_field {
    uint32_t column_id; /* from 1 */
    struct sql_datum value;
};

/* Appends the value of a row. Fields by ascending column id; NULLs are left out. */
void row_value_encode(struct buf *out, const struct row_field *fields, uint32_t count);

/* ---- decoding into columns ------------------------------------------------------------------- */

/* A column wanted from stored rows: where it is stored, and which output column it fills. */
struct row_column {
    uint32_t column_id;
    enum sql_type type;
    uint32_t output; /* index in the batch */
    bool in_key;     /* filled from the key; the value may say it more exactly */
};

/* What a scan decodes. Built once; the arrays live in the arena given. */
struct row_decoder {
    uint64_t table_id; /* for messages */
    enum sql_type *key_types;
    int32_t *key_outputs;      /* -1: not wanted */
    uint32_t key_count;        /* columns to read: up to the last wanted one */
    struct row_column *values; /* wanted ones that the value may have, by column id */
    uint32_t value_count;
};

/* key_ids, key_types: all columns of the key, in order. wanted, wanted_types: the output's columns,
 * in the order of the batch; those among key_ids come from the key. */
void row_decoder_init(struct row_decoder *decoder, struct arena *arena, uint64_t table_id,
                      const uint32_t *key_ids, const enum sql_type *key_types, uint32_t key_count,
                      const uint32_t *wanted, const enum sql_type *wanted_types,
                      uint32_t wanted_count);

/* Fills row `row` of the batch's columns. Text borrows from key and value, digits are in `arena`.
 * The key includes its prefix. OK or CORRUPT. */
enum status row_decode(const struct row_decoder *decoder, struct slice key, struct slice value,
                       struct sql_batch *batch, uint32_t row, struct arena *arena,
                       struct error *error) MUST_CHECK;

#endif
