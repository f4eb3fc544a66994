/* pg_wire_write.c - writing what a server of PostgreSQL's protocol says (pg_wire.h).
 * Must not know when each message is due: that is pg_connection.c's. */
#include <stdio.h>

#include "codec.h"
#include "pg_wire.h"

/* Type byte and room for the length, which message_end fills in. */
static size_t message_begin(struct buf *out, char type) {
    buf_append_byte(out, (uint8_t)type);
    size_t at = out->len;
    put_u32be(out, 0);
    return at;
}

static void message_end(struct buf *out, size_t at) {
    store_u32be(out->data + at, (uint32_t)(out->len - at));
}

static void put_empty_message(struct buf *out, char type) {
    message_end(out, message_begin(out, type));
}

static void put_cstring(struct buf *out, const char *text) {
    buf_append(out, text, strlen(text) + 1);
}

void pg_put_authentication_ok(struct buf *out) {
    size_t at = message_begin(out, 'R');
    put_u32be(out, 0);
    message_end(out, at);
}

void pg_put_parameter_status(struct buf *out, const char *name, const char *value) {
    size_t at = message_begin(out, 'S');
    put_cstring(out, name);
    put_cstring(out, value);
    message_end(out, at);
}

void pg_put_backend_key(struct buf *out, uint32_t pid, uint32_t key) {
    size_t at = message_begin(out, 'K');
    put_u32be(out, pid);
    put_u32be(out, key);
    message_end(out, at);
}

void pg_put_negotiate_version(struct buf *out, const struct slice *options, uint32_t option_count) {
    size_t at = message_begin(out, 'v');
    put_u32be(out, 0);
    put_u32be(out, option_count);
    for (uint32_t i = 0; i < option_count; i++) {
        buf_append_slice(out, options[i]);
        buf_append_byte(out, 0);
    }
    message_end(out, at);
}

void pg_put_ready(struct buf *out, char transaction_status) {
    size_t at = message_begin(out, 'Z');
    buf_append_byte(out, (uint8_t)transaction_status);
    message_end(out, at);
}

void pg_put_row_description(struct buf *out, const struct pg_column *columns, uint16_t count) {
    size_t at = message_begin(out, 'T');
    put_u16be(out, count);
    for (uint16_t i = 0; i < count; i++) {
        const struct pg_column *column = &columns[i];
        buf_append_slice(out, column->name);
        buf_append_byte(out, 0);
        put_u32be(out, column->table_oid);
        put_u16be(out, column->column_number);
        put_u32be(out, column->type_oid);
        put_u16be(out, (uint16_t)column->type_length);
        put_u32be(out, (uint32_t)column->typmod);
        put_u16be(out, column->format);
    }
    message_end(out, at);
}

size_t pg_row_begin(struct buf *out, uint16_t column_count) {
    size_t at = message_begin(out, 'D');
    put_u16be(out, column_count);
    return at;
}

void pg_row_null(struct buf *out) { put_u32be(out, UINT32_MAX); }

size_t pg_value_begin(struct buf *out) {
    size_t at = out->len;
    put_u32be(out, 0);
    return at;
}

void pg_value_end(struct buf *out, size_t at) {
    store_u32be(out->data + at, (uint32_t)(out->len - at - 4));
}

void pg_row_end(struct buf *out, size_t at) { message_end(out, at); }

void pg_put_command_complete(struct buf *out, const char *tag) {
    size_t at = message_begin(out, 'C');
    put_cstring(out, tag);
    message_end(out, at);
}

void pg_put_empty_query(struct buf *out) { put_empty_message(out, 'I'); }
void pg_put_parse_complete(struct buf *out) { put_empty_message(out, '1'); }
void pg_put_bind_complete(struct buf *out) { put_empty_message(out, '2'); }
void pg_put_close_complete(struct buf *out) { put_empty_message(out, '3'); }
void pg_put_no_data(struct buf *out) { put_empty_message(out, 'n'); }
void pg_put_portal_suspended(struct buf *out) { put_empty_message(out, 's'); }

void pg_put_parameter_description(struct buf *out, const uint32_t *type_oids, uint16_t count) {
    size_t at = message_begin(out, 't');
    put_u16be(out, count);
    for (uint16_t i = 0; i < count; i++)
        put_u32be(out, type_oids[i]);
    message_end(out, at);
}

static void put_field(struct buf *out, char field, const char *value) {
    buf_append_byte(out, (uint8_t)field);
    put_cstring(out, value);
}

static void put_report(struct buf *out, char type, const char *severity,
                       const struct sql_error *report) {
    size_t at = message_begin(out, type);
    put_field(out, 'S', severity);
    put_field(out, 'V', severity); /* the same, never translated; since 9.6 */
    put_field(out, 'C', report->sqlstate[0] ? report->sqlstate : SQLSTATE_INTERNAL_ERROR);
    put_field(out, 'M', report->message);
    if (report->detail[0]) put_field(out, 'D', report->detail);
    if (report->hint[0]) put_field(out, 'H', report->hint);
    if (report->position > 0) {
        char position[16];
        (void)snprintf(position, sizeof position, "%d", report->position);
        put_field(out, 'P', position);
    }
    buf_append_byte(out, 0);
    message_end(out, at);
}

void pg_put_error(struct buf *out, const char *severity, const struct sql_error *error) {
    put_report(out, 'E', severity, error);
}

void pg_put_notice(struct buf *out, const char *severity, const struct sql_error *notice) {
    put_report(out, 'N', severity, notice);
}
