/* pg_frontend.c - the codec of pg_frontend.h. Must not know when a client says what. */
#include "pg_frontend.h"

#include "codec.h"

enum { VERSION_3_0 = 196608, CODE_CANCEL = 80877102, CODE_SSL = 80877103, HEADER_BYTES = 5 };

/* ---- sending -------------------------------------------------------------------------------- */

static size_t begin_untyped(struct buf *out) {
    size_t at = out->len;
    put_u32be(out, 0);
    return at;
}

static size_t begin(struct buf *out, enum pg_frontend type) {
    buf_append_byte(out, (uint8_t)type);
    return begin_untyped(out);
}

static void end(struct buf *out, size_t at) {
    store_u32be(out->data + at, (uint32_t)(out->len - at));
}

static void put_text(struct buf *out, const char *text) { buf_append(out, text, strlen(text) + 1); }

void pg_send_startup(struct buf *out, const char *user, const char *database,
                     const char *const *settings) {
    size_t at = begin_untyped(out);
    put_u32be(out, VERSION_3_0);
    put_text(out, "user");
    put_text(out, user);
    put_text(out, "database");
    put_text(out, database);
    for (; settings && *settings; settings++)
        put_text(out, *settings);
    buf_append_byte(out, 0);
    end(out, at);
}

void pg_send_cancel(struct buf *out, uint32_t pid, uint32_t key) {
    size_t at = begin_untyped(out);
    put_u32be(out, CODE_CANCEL);
    put_u32be(out, pid);
    put_u32be(out, key);
    end(out, at);
}

void pg_send_ssl_request(struct buf *out) {
    size_t at = begin_untyped(out);
    put_u32be(out, CODE_SSL);
    end(out, at);
}

void pg_send_query(struct buf *out, struct slice script) {
    size_t at = begin(out, PG_QUERY);
    buf_append_slice(out, script);
    buf_append_byte(out, 0);
    end(out, at);
}

void pg_send_parse(struct buf *out, const char *statement, struct slice query,
                   const uint32_t *type_oids, uint16_t type_count) {
    size_t at = begin(out, PG_PARSE);
    put_text(out, statement);
    buf_append_slice(out, query);
    buf_append_byte(out, 0);
    put_u16be(out, type_count);
    for (uint16_t i = 0; i < type_count; i++)
        put_u32be(out, type_oids[i]);
    end(out, at);
}

void pg_send_bind(struct buf *out, const char *portal, const char *statement,
                  const struct slice *values, uint16_t value_count, enum pg_format result_format) {
    size_t at = begin(out, PG_BIND);
    put_text(out, portal);
    put_text(out, statement);
    put_u16be(out, 0); /* all values as text */
    put_u16be(out, value_count);
    for (uint16_t i = 0; i < value_count; i++) {
        put_u32be(out, values[i].data ? (uint32_t)values[i].len : UINT32_MAX);
        buf_append_slice(out, values[i]);
    }
    put_u16be(out, 1);
    put_u16be(out, (uint16_t)result_format);
    end(out, at);
}

static void send_target(struct buf *out, enum pg_frontend type, char kind, const char *name) {
    size_t at = begin(out, type);
    buf_append_byte(out, (uint8_t)kind);
    put_text(out, name);
    end(out, at);
}

void pg_send_describe(struct buf *out, char kind, const char *name) {
    send_target(out, PG_DESCRIBE, kind, name);
}

void pg_send_close(struct buf *out, char kind, const char *name) {
    send_target(out, PG_CLOSE, kind, name);
}

void pg_send_execute(struct buf *out, const char *portal, int32_t max_rows) {
    size_t at = begin(out, PG_EXECUTE);
    put_text(out, portal);
    put_u32be(out, (uint32_t)max_rows);
    end(out, at);
}

void pg_send_sync(struct buf *out) { end(out, begin(out, PG_SYNC)); }
void pg_send_terminate(struct buf *out) { end(out, begin(out, PG_TERMINATE)); }

/* ---- receiving ------------------------------------------------------------------------------ */

enum status pg_answer_decode(struct slice input, size_t limit, struct pg_answer *out,
                             size_t *size_bytes, struct error *error) {
    *size_bytes = HEADER_BYTES;
    if (input.len < HEADER_BYTES) return STATUS_WOULD_BLOCK;
    uint32_t length = load_u32be(input.data + 1);
    if (length < 4) return error_set(error, STATUS_INVALID, "invalid message length");
    if (length > limit)
        return error_set(error, STATUS_TOO_LARGE, "message of %u bytes, the limit is %zu", length,
                         limit);
    *size_bytes = (size_t)length + 1;
    if (input.len < *size_bytes) return STATUS_WOULD_BLOCK;
    out->type = input.data[0];
    out->body = slice_of(input.data + HEADER_BYTES, length - 4);
    return STATUS_OK;
}

struct slice pg_answer_field(struct slice body, char field) {
    struct reader reader = reader_of(body);
    while (reader_ok(&reader)) {
        uint8_t kind = get_u8(&reader);
        if (kind == 0) break;
        struct slice value = get_cstring(&reader);
        if (reader_ok(&reader) && kind == (uint8_t)field) return value;
    }
    return SLICE_EMPTY;
}

bool pg_answer_count(struct slice body, uint16_t *count, struct slice *rest) {
    struct reader reader = reader_of(body);
    *count = get_u16be(&reader);
    *rest = slice_of(reader.data, reader.len);
    return reader_ok(&reader);
}

bool pg_answer_next_column(struct slice *rest, struct pg_column *out) {
    struct reader reader = reader_of(*rest);
    out->name = get_cstring(&reader);
    out->table_oid = get_u32be(&reader);
    out->column_number = get_u16be(&reader);
    out->type_oid = get_u32be(&reader);
    out->type_length = (int16_t)get_u16be(&reader);
    out->typmod = (int32_t)get_u32be(&reader);
    out->format = get_u16be(&reader);
    *rest = slice_of(reader.data, reader.len);
    return reader_ok(&reader);
}

bool pg_answer_next_value(struct slice *rest, bool *is_null, struct slice *value) {
    return pg_value_next(rest, is_null, value);
}

bool pg_answer_strings(struct slice body, struct slice *first, struct slice *second) {
    struct reader reader = reader_of(body);
    *first = get_cstring(&reader);
    *second = reader.len > 0 ? get_cstring(&reader) : SLICE_EMPTY;
    return reader_done(&reader);
}

bool pg_answer_key(struct slice body, uint32_t *pid, uint32_t *key) {
    struct reader reader = reader_of(body);
    *pid = get_u32be(&reader);
    *key = get_u32be(&reader);
    return reader_done(&reader);
}
