/* pg_result.c - what a session gives out, as messages: columns, rows, tags, notices. */
#include "mem.h"
#include "pg_connection.h"

static uint16_t format_of(const struct pg_portal_formats *formats, size_t column) {
    if (!formats) return PG_TEXT;
    return pg_format_at(buf_slice(&formats->codes), formats->count, (uint16_t)column);
}

void pg_describe_columns(struct pg_connection *connection, const struct sql_result_column *columns,
                         size_t count, const struct pg_portal_formats *formats) {
    if (count == 0) {
        pg_put_no_data(&connection->out);
        return;
    }
    struct pg_column *described = mem_alloc(count * sizeof *described);
    for (size_t i = 0; i < count; i++) {
        const struct sql_type_info *type = sql_type_info(columns[i].type.type);
        described[i] = (struct pg_column){
            .name = slice_of_string(columns[i].name),
            .table_oid = (uint32_t)columns[i].table_id,
            .column_number = (uint16_t)columns[i].column_id,
            .type_oid = type->oid,
            .type_length = type->length_bytes,
            .typmod = columns[i].type.typmod,
            .format = format_of(formats, i),
        };
    }
    pg_put_row_description(&connection->out, described, (uint16_t)count);
    mem_free(described);
}

static enum status on_columns(void *arg, const struct sql_result_column *columns, size_t count) {
    struct pg_connection *connection = arg;
    if (count > 0) {
        pg_describe_columns(connection, columns, count, NULL);
    } else { /* SELECT without a list: rows of no columns */
        pg_put_row_description(&connection->out, NULL, 0);
    }
    return pg_write_some(connection);
}

static void put_row(struct pg_connection *connection, const struct sql_batch *batch, uint32_t row) {
    struct buf *out = &connection->out;
    size_t at = pg_row_begin(out, (uint16_t)batch->column_count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const struct sql_column *column = &batch->columns[i];
        if (sql_column_is_null(column, row)) {
            pg_row_null(out);
            continue;
        }
        struct sql_datum value = sql_column_get(column, row);
        size_t value_at = pg_value_begin(out);
        if (format_of(connection->formats, i) == PG_BINARY)
            sql_datum_send(&value, out);
        else
            sql_datum_print(&value, out);
        pg_value_end(out, value_at);
    }
    pg_row_end(out, at);
}

static enum status on_rows(void *arg, const struct sql_batch *batch) {
    struct pg_connection *connection = arg;
    for (uint32_t i = 0; i < batch->selection.count; i++) {
        put_row(connection, batch, sql_selected(batch->selection, i));
        TRY(pg_write_some(connection));
    }
    return STATUS_OK;
}

static enum status on_tag(void *arg, const char *tag) {
    struct pg_connection *connection = arg;
    if (tag[0])
        pg_put_command_complete(&connection->out, tag);
    else
        pg_put_empty_query(&connection->out);
    return pg_write_some(connection);
}

static void on_notice(void *arg, enum sql_notice_severity severity,
                      const struct sql_error *notice) {
    struct pg_connection *connection = arg;
    pg_put_notice(&connection->out, severity == SQL_WARNING ? "WARNING" : "NOTICE", notice);
}

static void on_parameter(void *arg, const char *name, const char *value) {
    struct pg_connection *connection = arg;
    if (connection->started) pg_put_parameter_status(&connection->out, name, value);
}

const struct sql_sink_ops pg_sink = {on_columns, on_rows, on_tag, on_notice, on_parameter};
