/* row_codec.c - rows to bytes and back. Knows types and ids, not tables or transactions. */
#include "row_codec.h"

#include <assert.h>
#include <math.h>

/* ---- keys ----------------------------------------------------------------------------------- */

enum key_marker { KEY_VALUE = 0x01, KEY_NULL = 0xFE };

void row_key_prefix(struct buf *out, uint64_t table_id, uint32_t index_id) {
    put_ordered_u64(out, table_id);
    put_u32be(out, index_id);
}

bool row_key_read_prefix(struct slice key, uint64_t *table_id, uint32_t *index_id) {
    struct reader reader = reader_of(key);
    *table_id = get_ordered_u64(&reader);
    *index_id = get_u32be(&reader);
    return reader_ok(&reader);
}

void row_key_put(struct buf *out, const struct sql_datum *value) {
    put_u8(out, value->is_null ? KEY_NULL : KEY_VALUE);
    if (value->is_null) return;
    switch (sql_type_storage(value->type)) {
    case SQL_STORE_INT:
        put_ordered_i64(out, value->integer);
        break;
    case SQL_STORE_FLOAT:
        put_ordered_f64(out, value->float8);
        break;
    case SQL_STORE_BOOL:
        put_u8(out, value->boolean);
        break;
    case SQL_STORE_NUMERIC:
        put_ordered_numeric(out, &value->numeric);
        break;
    case SQL_STORE_BYTES:
        put_ordered_bytes(out, value->text);
        break;
    }
}

bool row_key_is_exact(const struct sql_datum *value) {
    if (value->is_null) return true;
    if (sql_type_storage(value->type) == SQL_STORE_FLOAT) {
        return value->float8 != 0 || !signbit(value->float8);
    }
    if (sql_type_storage(value->type) != SQL_STORE_NUMERIC) return true;
    struct buf key = BUF_INIT;
    struct buf exact = BUF_INIT;
    struct buf again = BUF_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    put_ordered_numeric(&key, &value->numeric);
    struct reader reader = reader_of(buf_slice(&key));
    struct numeric read = get_ordered_numeric(&reader, &arena);
    put_numeric(&exact, &value->numeric);
    put_numeric(&again, &read);
    bool same = slice_equal(buf_slice(&exact), buf_slice(&again));
    buf_deinit(&key);
    buf_deinit(&exact);
    buf_deinit(&again);
    arena_deinit(&arena);
    return same;
}

static bool integer_fits(enum sql_type type, int64_t value) {
    if (type == SQL_INT2) return value == (int16_t)value;
    if (type == SQL_INT4) return value == (int32_t)value;
    return true;
}

/* put_ordered_bytes without its escapes: text holds no zero byte, so it lies in the key as it
 * is. */
static struct slice get_key_text(struct reader *reader) {
    const uint8_t *end = reader->len == 0 ? NULL : memchr(reader->data, 0, reader->len);
    size_t len = end == NULL ? 0 : (size_t)(end - reader->data);
    if (end == NULL || reader->len < len + 2 || end[1] != 0x01) {
        reader->failed = true;
        return SLICE_EMPTY;
    }
    struct slice text = get_raw(reader, len);
    (void)get_raw(reader, 2);
    return text;
}

static uint8_t get_bool(struct reader *reader) {
    uint8_t value = get_u8(reader);
    reader->failed |= value > 1;
    return value & 1;
}

struct sql_datum row_key_get(struct reader *reader, enum sql_type type, struct arena *arena) {
    struct sql_datum datum = {.type = type};
    uint8_t marker = get_u8(reader);
    if (marker == KEY_NULL) return sql_datum_null(type);
    reader->failed |= marker != KEY_VALUE;
    if (!reader_ok(reader)) return sql_datum_null(type);
    switch (sql_type_storage(type)) {
    case SQL_STORE_INT:
        datum.integer = get_ordered_i64(reader);
        reader->failed |= !integer_fits(type, datum.integer);
        break;
    case SQL_STORE_FLOAT:
        datum.float8 = get_ordered_f64(reader);
        break;
    case SQL_STORE_BOOL:
        datum.boolean = get_bool(reader);
        break;
    case SQL_STORE_NUMERIC:
        datum.numeric = get_ordered_numeric(reader, arena);
        break;
    case SQL_STORE_BYTES:
        datum.text = get_key_text(reader);
        break;
    }
    return reader_ok(reader) ? datum : sql_datum_null(type);
}

/* ---- values --------------------------------------------------------------------------------- */

enum { VALUE_VERSION = 1, KIND_BITS = 3, KIND_MASK = (1 << KIND_BITS) - 1 };

/* How a value is stored; the same for all types of one storage class, so that widening an integer
 * column rewrites nothing. */
enum value_kind { KIND_INT, KIND_FLOAT, KIND_FALSE, KIND_TRUE, KIND_BYTES, KIND_NUMERIC };

static enum value_kind kind_of(const struct sql_datum *value) {
    switch (sql_type_storage(value->type)) {
    case SQL_STORE_INT:
        return KIND_INT;
    case SQL_STORE_FLOAT:
        return KIND_FLOAT;
    case SQL_STORE_BOOL:
        return value->boolean ? KIND_TRUE : KIND_FALSE;
    case SQL_STORE_NUMERIC:
        return KIND_NUMERIC;
    case SQL_STORE_BYTES:
        break;
    }
    return KIND_BYTES;
}

/* Small magnitudes of either sign become small varints. */
static uint64_t zigzag(int64_t value) { return (uint64_t)value << 1 ^ (uint64_t)(value >> 63); }
static int64_t unzigzag(uint64_t value) { return (int64_t)(value >> 1 ^ (0 - (value & 1))); }

static void put_value(struct buf *out, enum value_kind kind, const struct sql_datum *value) {
    struct buf digits = BUF_INIT;
    uint64_t bits;
    switch (kind) {
    case KIND_INT:
        put_varint(out, zigzag(value->integer));
        break;
    case KIND_FLOAT:
        memcpy(&bits, &value->float8, sizeof bits);
        put_u64le(out, bits);
        break;
    case KIND_FALSE:
    case KIND_TRUE:
        break; /* the kind says it */
    case KIND_BYTES:
        put_bytes(out, value->text);
        break;
    case KIND_NUMERIC: /* with its length, so that it can be passed over */
        put_numeric(&digits, &value->numeric);
        put_bytes(out, buf_slice(&digits));
        buf_deinit(&digits);
        break;
    }
}

void row_value_encode(struct buf *out, const struct row_field *fields, uint32_t count) {
    put_u8(out, VALUE_VERSION);
    uint32_t last_id = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (fields[i].value.is_null) continue;
        assert(fields[i].column_id > last_id);
        enum value_kind kind = kind_of(&fields[i].value);
        uint64_t distance = fields[i].column_id - last_id;
        put_varint(out, distance << KIND_BITS | kind);
        put_value(out, kind, &fields[i].value);
        last_id = fields[i].column_id;
    }
}

static bool kind_fits(enum value_kind kind, enum sql_type type) {
    switch (sql_type_storage(type)) {
    case SQL_STORE_INT:
        return kind == KIND_INT;
    case SQL_STORE_FLOAT:
        return kind == KIND_FLOAT;
    case SQL_STORE_BOOL:
        return kind == KIND_FALSE || kind == KIND_TRUE;
    case SQL_STORE_NUMERIC:
        return kind == KIND_NUMERIC;
    case SQL_STORE_BYTES:
        break;
    }
    return kind == KIND_BYTES;
}

static void skip_value(struct reader *reader, enum value_kind kind) {
    switch (kind) {
    case KIND_INT:
        (void)get_varint(reader);
        return;
    case KIND_FLOAT:
        (void)get_u64le(reader);
        return;
    case KIND_FALSE:
    case KIND_TRUE:
        return;
    case KIND_BYTES:
    case KIND_NUMERIC:
        (void)get_bytes(reader);
        return;
    }
    reader->failed = true;
}

static void get_value(struct reader *reader, enum value_kind kind, enum sql_type type,
                      struct arena *arena, struct sql_datum *out) {
    *out = (struct sql_datum){.type = type};
    if (!kind_fits(kind, type)) {
        reader->failed = true;
        return;
    }
    struct reader digits;
    uint64_t bits;
    switch (kind) {
    case KIND_INT:
        out->integer = unzigzag(get_varint(reader));
        reader->failed |= !integer_fits(type, out->integer);
        break;
    case KIND_FLOAT:
        bits = get_u64le(reader);
        memcpy(&out->float8, &bits, sizeof bits);
        break;
    case KIND_FALSE:
    case KIND_TRUE:
        out->boolean = kind == KIND_TRUE;
        break;
    case KIND_BYTES:
        out->text = get_bytes(reader);
        break;
    case KIND_NUMERIC:
        digits = reader_of(get_bytes(reader));
        out->numeric = get_numeric(&digits, arena);
        reader->failed |= !reader_done(&digits);
        break;
    }
}

/* ---- decoding into columns ------------------------------------------------------------------- */

static void sort_by_id(struct row_column *columns, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) { /* mostly sorted already, and few */
        struct row_column column = columns[i];
        uint32_t at = i;
        for (; at > 0 && columns[at - 1].column_id > column.column_id; at--) {
            columns[at] = columns[at - 1];
        }
        columns[at] = column;
    }
}

void row_decoder_init(struct row_decoder *decoder, struct arena *arena, uint64_t table_id,
                      const uint32_t *key_ids, const enum sql_type *key_types, uint32_t key_count,
                      const uint32_t *wanted, const enum sql_type *wanted_types,
                      uint32_t wanted_count) {
    *decoder = (struct row_decoder){.table_id = table_id};
    decoder->key_types = ARENA_ARRAY(arena, enum sql_type, key_count + 1);
    decoder->key_outputs = ARENA_ARRAY(arena, int32_t, key_count + 1);
    decoder->values = ARENA_ARRAY(arena, struct row_column, wanted_count + 1);
    for (uint32_t k = 0; k < key_count; k++) {
        decoder->key_types[k] = key_types[k];
        decoder->key_outputs[k] = -1;
    }
    for (uint32_t w = 0; w < wanted_count; w++) {
        uint32_t k = 0;
        while (k < key_count && key_ids[k] != wanted[w])
            k++;
        if (k < key_count) {
            decoder->key_outputs[k] = (int32_t)w;
            if (decoder->key_count < k + 1) decoder->key_count = k + 1;
        }
        enum sql_storage storage = sql_type_storage(wanted_types[w]);
        bool in_key = k < key_count;
        if (in_key && storage != SQL_STORE_FLOAT && storage != SQL_STORE_NUMERIC) continue;
        decoder->values[decoder->value_count++] =
            (struct row_column){wanted[w], wanted_types[w], w, in_key};
    }
    sort_by_id(decoder->values, decoder->value_count);
}

static enum status corrupt(const struct row_decoder *decoder, const char *what, struct slice bytes,
                           struct error *error) {
    char text[100];
    return error_set(error, STATUS_CORRUPT, "malformed %s of a row of table %llu: %s", what,
                     (unsigned long long)decoder->table_id, slice_print(bytes, text, sizeof text));
}

static bool decode_key(const struct row_decoder *decoder, struct slice key, struct sql_batch *batch,
                       uint32_t row, struct arena *arena) {
    if (key.len < ROW_KEY_PREFIX_BYTES) return false;
    struct reader reader = reader_of(slice_from(key, ROW_KEY_PREFIX_BYTES));
    for (uint32_t k = 0; k < decoder->key_count; k++) {
        struct sql_datum datum = row_key_get(&reader, decoder->key_types[k], arena);
        if (decoder->key_outputs[k] < 0) continue;
        sql_column_set(&batch->columns[decoder->key_outputs[k]], row, &datum);
    }
    return reader_ok(&reader);
}

/* The value does not have the column. */
static void set_absent(const struct row_column *column, struct sql_batch *batch, uint32_t row) {
    if (!column->in_key) sql_column_set_null(&batch->columns[column->output], row);
}

/* Both lists go by column id: one pass. */
static bool decode_value(const struct row_decoder *decoder, struct slice value,
                         struct sql_batch *batch, uint32_t row, struct arena *arena) {
    struct reader reader = reader_of(value);
    if (get_u8(&reader) != VALUE_VERSION) return false;
    uint32_t w = 0;
    uint64_t id = 0;
    while (w < decoder->value_count && reader_ok(&reader) && reader.len > 0) {
        uint64_t header = get_varint(&reader);
        enum value_kind kind = (enum value_kind)(header & KIND_MASK);
        if (header >> KIND_BITS == 0 || header >> KIND_BITS > UINT32_MAX - id) return false;
        id += header >> KIND_BITS;
        while (w < decoder->value_count && decoder->values[w].column_id < id) {
            set_absent(&decoder->values[w++], batch, row);
        }
        if (w == decoder->value_count || decoder->values[w].column_id != id) {
            skip_value(&reader, kind);
            continue;
        }
        struct sql_datum datum;
        get_value(&reader, kind, decoder->values[w].type, arena, &datum);
        if (!reader_ok(&reader)) return false;
        sql_column_set(&batch->columns[decoder->values[w++].output], row, &datum);
    }
    for (; w < decoder->value_count; w++) {
        set_absent(&decoder->values[w], batch, row);
    }
    return reader_ok(&reader);
}

enum status row_decode(const struct row_decoder *decoder, struct slice key, struct slice value,
                       struct sql_batch *batch, uint32_t row, struct arena *arena,
                       struct error *error) {
    if (!decode_key(decoder, key, batch, row, arena)) {
        return corrupt(decoder, "key", key, error);
    }
    if (!decode_value(decoder, value, batch, row, arena)) {
        return corrupt(decoder, "value", value, error);
    }
    return STATUS_OK;
}
