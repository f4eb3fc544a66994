/* sql_row_writer.c - rows into keys and values, NOT NULL, free keys, row ids. Where rows come from
 * is not known here. */
#include "sql_row_writer.h"

#include "mem.h"

static bool is_key_column(const struct sql_table *table, uint32_t column) {
    for (uint32_t k = 0; k < table->key_count; k++) {
        if (table->key[k] == column) return true;
    }
    return false;
}

static bool key_may_be_inexact(enum sql_type type) {
    return sql_type_storage(type) == SQL_STORE_FLOAT || sql_type_storage(type) == SQL_STORE_NUMERIC;
}

/* Descriptors list columns by ascending id (sql_catalog.h, rule 2), so fields are in order. */
void sql_row_writer_init(struct sql_row_writer *writer, struct arena *arena, struct txn *txn,
                         const struct sql_table *table, bool alone, uint64_t memory_bytes) {
    *writer = (struct sql_row_writer){.txn = txn, .table = table, .alone = alone};
    writer->fields = ARENA_ARRAY(arena, struct row_field, table->column_count);
    writer->field_columns = ARENA_ARRAY(arena, uint32_t, table->column_count);
    writer->in_key = ARENA_ARRAY(arena, bool, table->column_count);
    for (uint32_t c = 0; c < table->column_count; c++) {
        bool in_key = is_key_column(table, c);
        if (in_key && !key_may_be_inexact(table->columns[c].type.type)) continue;
        writer->in_key[writer->field_count] = in_key;
        writer->fields[writer->field_count].column_id = table->columns[c].id;
        writer->field_columns[writer->field_count++] = c;
    }
    arena_init(&writer->pending_arena, (size_t)memory_bytes);
}

void sql_row_writer_deinit(struct sql_row_writer *writer) {
    arena_deinit(&writer->pending_arena);
    mem_free(writer->pending);
    buf_deinit(&writer->key);
    buf_deinit(&writer->value);
}

/* ---- NOT NULL -------------------------------------------------------------------------------- */

enum { SHOWN_BYTES_MAX = 64 }; /* of one value: PostgreSQL's ExecBuildSlotValueDescription */

/* The length of the longest prefix of whole characters within the limit. */
static size_t cut_at_character(struct slice text, size_t limit) {
    if (text.len <= limit) return text.len;
    while (limit > 0 && (text.data[limit] & 0xC0) == 0x80)
        limit--;
    return limit;
}

static void print_row(const struct sql_table *table, const struct sql_datum *row, struct buf *out) {
    struct buf text = BUF_INIT;
    const char *separator = "";
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (table->columns[c].hidden) continue;
        buf_clear(&text);
        if (row[c].is_null) {
            buf_append_string(&text, "null");
        } else {
            sql_datum_print(&row[c], &text);
        }
        size_t len = cut_at_character(buf_slice(&text), SHOWN_BYTES_MAX);
        buf_append_string(out, separator);
        buf_append(out, text.data, len);
        if (len < text.len) buf_append_string(out, "...");
        separator = ", ";
    }
    buf_deinit(&text);
}

static enum status null_error(const struct sql_row_writer *writer, const struct sql_datum *row,
                              uint32_t column, struct sql_error *error) {
    struct buf shown = BUF_INIT;
    print_row(writer->table, row, &shown);
    (void)sql_error_set(
        error, SQLSTATE_NOT_NULL_VIOLATION,
        "null value in column \"%s\" of relation \"%s\" violates not-null constraint",
        writer->table->columns[column].name, writer->table->name);
    sql_error_detail(error, "Failing row contains (%.*s).", (int)shown.len,
                     (const char *)shown.data);
    buf_deinit(&shown);
    return STATUS_INVALID;
}

enum status sql_row_writer_check(const struct sql_row_writer *writer, const struct sql_datum *row,
                                 struct sql_error *error) {
    const struct sql_table *table = writer->table;
    for (uint32_t c = 0; c < table->column_count; c++) {
        if (row[c].is_null && table->columns[c].not_null) return null_error(writer, row, c, error);
    }
    return STATUS_OK;
}

/* ---- encoding -------------------------------------------------------------------------------- */

struct slice sql_row_writer_key(struct sql_row_writer *writer, const struct sql_datum *row) {
    const struct sql_table *table = writer->table;
    buf_clear(&writer->key);
    row_key_prefix(&writer->key, table->id, SQL_PRIMARY_INDEX_ID);
    for (uint32_t k = 0; k < table->key_count; k++)
        row_key_put(&writer->key, &row[table->key[k]]);
    return buf_slice(&writer->key);
}

struct slice sql_row_writer_value(struct sql_row_writer *writer, const struct sql_datum *row) {
    buf_clear(&writer->value);
    for (uint32_t i = 0; i < writer->field_count; i++) {
        struct sql_datum value = row[writer->field_columns[i]];
        if (writer->in_key[i] && row_key_is_exact(&value)) value = sql_datum_null(value.type);
        writer->fields[i].value = value; /* NULL is left out */
    }
    row_value_encode(&writer->value, writer->fields, writer->field_count);
    return buf_slice(&writer->value);
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum status lower_error(struct sql_error *error, enum status status,
                               const struct error *lower) {
    return status == STATUS_OK ? status : sql_error_from(error, lower);
}

enum status sql_row_writer_put(struct sql_row_writer *writer, struct slice key, struct slice value,
                               struct sql_error *error) {
    struct error lower = {.status = STATUS_OK};
    return lower_error(error, txn_put(writer->txn, key, value, &lower), &lower);
}

enum status sql_row_writer_delete(struct sql_row_writer *writer, struct slice key,
                                  struct sql_error *error) {
    struct error lower = {.status = STATUS_OK};
    return lower_error(error, txn_delete(writer->txn, key, &lower), &lower);
}

enum status sql_row_writer_add(struct sql_row_writer *writer, struct slice key, struct slice value,
                               struct sql_error *error) {
    if (writer->pending_arena.over_budget) {
        return sql_error_set(error, SQLSTATE_OUT_OF_MEMORY, "out of memory");
    }
    if (writer->pending_count == writer->pending_capacity) {
        writer->pending_capacity =
            writer->pending_capacity == 0 ? 16 : writer->pending_capacity * 2;
        writer->pending =
            mem_realloc(writer->pending, writer->pending_capacity * sizeof *writer->pending);
    }
    writer->pending[writer->pending_count++] =
        (struct pending_row){arena_dup_slice(&writer->pending_arena, key),
                             arena_dup_slice(&writer->pending_arena, value)};
    return STATUS_OK;
}

/* Which of the keys are taken, all asked in one round trip. NULL when the commit will ask. */
static enum status read_pending(struct sql_row_writer *writer, struct txn_value **found,
                                struct sql_error *error) {
    struct error lower = {.status = STATUS_OK};
    uint32_t count = writer->pending_count;
    bool hidden = writer->table->key_name == NULL;
    *found = NULL;
    if (writer->alone || hidden || count == 0) return STATUS_OK;
    struct arena *arena = &writer->pending_arena;
    struct slice *keys = ARENA_ARRAY(arena, struct slice, count);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = writer->pending[i].key;
    *found = ARENA_ARRAY(arena, struct txn_value, count);
    enum status status = txn_get_many(writer->txn, keys, count, 0, arena, *found, &lower);
    return lower_error(error, status, &lower);
}

enum status sql_row_writer_flush(struct sql_row_writer *writer, struct sql_error *error) {
    struct txn_value *found;
    TRY(read_pending(writer, &found, error));
    for (uint32_t i = 0; i < writer->pending_count; i++) {
        struct error lower = {.status = STATUS_OK};
        struct slice key = writer->pending[i].key;
        enum status status = STATUS_EXISTS;
        if (found == NULL || !found[i].found) {
            status = txn_put_absent(writer->txn, key, writer->pending[i].value, 0, &lower);
        }
        if (status == STATUS_EXISTS) return sql_duplicate_key_error(writer->table, key, error);
        TRY(lower_error(error, status, &lower));
    }
    writer->pending_count = 0;
    arena_reset(&writer->pending_arena);
    return STATUS_OK;
}

/* ---- a key that is there already ------------------------------------------------------------- */

static void print_key(const struct sql_table *table, struct slice key, struct buf *names,
                      struct buf *values) {
    struct arena arena;
    arena_init(&arena, 0);
    struct reader reader = reader_of(slice_from(key, ROW_KEY_PREFIX_BYTES));
    for (uint32_t k = 0; k < table->key_count; k++) {
        const struct sql_table_column *column = &table->columns[table->key[k]];
        struct sql_datum value = row_key_get(&reader, column->type.type, &arena);
        buf_printf(names, "%s%s", k > 0 ? ", " : "", column->name);
        if (k > 0) buf_append_string(values, ", ");
        if (!value.is_null) sql_datum_print(&value, values);
    }
    arena_deinit(&arena);
}

enum status sql_duplicate_key_error(const struct sql_table *table, struct slice key,
                                    struct sql_error *error) {
    uint64_t table_id;
    uint32_t index_id;
    bool of_table = row_key_read_prefix(key, &table_id, &index_id) && table_id == table->id;
    if (table->key_name == NULL || !of_table) { /* an earlier statement's key can only be hidden */
        (void)sql_error_set(error, SQLSTATE_SERIALIZATION_FAILURE,
                            "a row with the same hidden key exists");
        return STATUS_CONFLICT;
    }
    struct buf names = BUF_INIT;
    struct buf values = BUF_INIT;
    print_key(table, key, &names, &values);
    (void)sql_error_set(error, SQLSTATE_UNIQUE_VIOLATION,
                        "duplicate key value violates unique constraint \"%s\"", table->key_name);
    sql_error_detail(error, "Key (%.*s)=(%.*s) already exists.", (int)names.len,
                     (const char *)names.data, (int)values.len, (const char *)values.data);
    buf_deinit(&names);
    buf_deinit(&values);
    return STATUS_INVALID;
}

/* ---- row ids --------------------------------------------------------------------------------- */

/* 63 bits: 47 of time, 4 of a counter within one tick of the clock, 12 of the node. Time is the
 * hybrid clock's, which never goes back, not even at a restart (DESIGN 5): ticks of 15.3 us since
 * 2020, enough until 2088. More than 16 rows a tick (a million rows a second) run ahead of the
 * clock. Were two nodes' ids to agree in their low bits and both to draw the same number, the later
 * commit would find the key taken and be repeated with another. */
enum { ROWID_COUNTER_BITS = 4, ROWID_NODE_BITS = 12, HLC_LOGICAL_BITS = 16 };
#define ROWID_EPOCH_SECONDS UINT64_C(1577836800)

int64_t sql_rowid_next(struct sql_server *server) {
    hlc_timestamp now = hlc_now(server->options.clock, env_wall_ns(server->options.env));
    uint64_t epoch = hlc_from_wall(ROWID_EPOCH_SECONDS * NS_PER_S);
    uint64_t ticks = now > epoch ? (now - epoch) >> HLC_LOGICAL_BITS : 0;
    uint64_t time = ticks << ROWID_COUNTER_BITS;
    if (time <= server->last_rowid_time) time = server->last_rowid_time + 1;
    server->last_rowid_time = time;
    uint64_t node = server->options.node_id & ((UINT64_C(1) << ROWID_NODE_BITS) - 1);
    return (int64_t)((time << ROWID_NODE_BITS | node) & INT64_MAX);
}
