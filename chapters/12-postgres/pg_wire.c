/* pg_wire.c - reading what a client of PostgreSQL sends (pg_wire.h).
 *
 * Must not know what the messages mean. Everything here faces bytes from strangers: lengths are
 * checked before they are believed, and every body is walked to its end before it is accepted. */
#include "pg_wire.h"

#include "codec.h"

enum {
    CODE_CANCEL = 80877102, /* 1234 << 16 | 5678 */
    CODE_SSL = 80877103,
    CODE_GSSENC = 80877104,
    STARTUP_HEADER_BYTES = 8, /* length and code */
    CANCEL_BYTES = 16,
    MESSAGE_HEADER_BYTES = 5 /* type and length */
};

/* ---- the first message ---------------------------------------------------------------------- */

static bool code_is_known(uint32_t code) {
    if (code == CODE_CANCEL || code == CODE_SSL || code == CODE_GSSENC) return true;
    /* Version 1 and 2 are refused later, with an answer that their clients understand. */
    return code >> 16 >= 1 && code >> 16 <= 3;
}

bool pg_startup_recognize(struct slice first, bool *certain) {
    *certain = false;
    /* A length under 10,000 begins with two zero bytes, which no other protocol here does. */
    if (first.data[0] != 0) return false;
    if (first.len >= 2 && first.data[1] != 0) return false;
    if (first.len >= 4) {
        uint32_t length = load_u32be(first.data);
        if (length < STARTUP_HEADER_BYTES || length > PG_STARTUP_LIMIT) return false;
    }
    if (first.len < STARTUP_HEADER_BYTES) return true;
    *certain = code_is_known(load_u32be(first.data + 4));
    return *certain;
}

/* Pairs of strings, each ended by a NUL, and a NUL at the end. */
static bool parameters_are_sound(struct slice parameters) {
    struct reader reader = reader_of(parameters);
    while (reader_ok(&reader)) {
        struct slice name = get_cstring(&reader);
        if (!reader_ok(&reader)) return false;
        if (name.len == 0) return reader_done(&reader);
        (void)get_cstring(&reader);
    }
    return false;
}

enum status pg_startup_decode(struct slice input, struct pg_startup *out, size_t *size_bytes,
                              struct error *error) {
    *size_bytes = STARTUP_HEADER_BYTES;
    if (input.len < 4) return STATUS_WOULD_BLOCK;
    uint32_t length = load_u32be(input.data);
    if (length < STARTUP_HEADER_BYTES)
        return error_set(error, STATUS_INVALID, "invalid length of startup packet");
    if (length > PG_STARTUP_LIMIT)
        return error_set(error, STATUS_TOO_LARGE, "invalid length of startup packet");
    *size_bytes = length;
    if (input.len < length) return STATUS_WOULD_BLOCK;

    struct reader reader = reader_of(slice_of(input.data + 4, length - 4));
    uint32_t code = get_u32be(&reader);
    *out = (struct pg_startup){.kind = PG_STARTUP};
    if (code == CODE_SSL || code == CODE_GSSENC) {
        out->kind = code == CODE_SSL ? PG_SSL_REQUEST : PG_GSSENC_REQUEST;
    } else if (code == CODE_CANCEL) {
        out->kind = PG_CANCEL_REQUEST;
        out->cancel_pid = get_u32be(&reader);
        out->cancel_key = get_u32be(&reader);
    } else {
        out->major = (uint16_t)(code >> 16);
        out->minor = (uint16_t)(code & 0xffff);
        out->parameters = get_raw(&reader, reader.len);
        if (out->major == 3 && !parameters_are_sound(out->parameters))
            return error_set(error, STATUS_INVALID,
                             "invalid startup packet layout: expected terminator as last byte");
        return STATUS_OK;
    }
    if (!reader_done(&reader))
        return error_set(error, STATUS_INVALID, "invalid length of startup packet");
    return STATUS_OK;
}

bool pg_startup_next(struct slice *rest, struct slice *name, struct slice *value) {
    struct reader reader = reader_of(*rest);
    *name = get_cstring(&reader);
    if (!reader_ok(&reader) || name->len == 0) return false;
    *value = get_cstring(&reader);
    *rest = slice_of(reader.data, reader.len);
    return reader_ok(&reader);
}

/* ---- messages ------------------------------------------------------------------------------- */

static bool type_is_known(uint8_t type) {
    static const char known[] = {PG_BIND,          PG_CLOSE,    PG_COPY_DATA, PG_COPY_DONE,
                                 PG_COPY_FAIL,     PG_EXECUTE,  PG_DESCRIBE,  PG_FLUSH,
                                 PG_FUNCTION_CALL, PG_PARSE,    PG_PASSWORD,  PG_QUERY,
                                 PG_SYNC,          PG_TERMINATE};
    return memchr(known, type, sizeof known) != NULL;
}

enum status pg_message_decode(struct slice input, size_t limit, struct pg_message *out,
                              size_t *size_bytes, struct error *error) {
    *size_bytes = MESSAGE_HEADER_BYTES;
    if (input.len == 0) return STATUS_WOULD_BLOCK;
    uint8_t type = input.data[0];
    if (!type_is_known(type))
        return error_set(error, STATUS_INVALID, "invalid frontend message type %u", type);
    if (input.len < MESSAGE_HEADER_BYTES) return STATUS_WOULD_BLOCK;
    uint32_t length = load_u32be(input.data + 1);
    if (length < 4 || length > PG_LENGTH_LIMIT)
        return error_set(error, STATUS_INVALID, "invalid message length");
    *size_bytes = (size_t)length + 1;
    out->type = (enum pg_frontend)type;
    if (length > limit)
        return error_set(error, STATUS_TOO_LARGE, "message of %u bytes, the limit is %zu", length,
                         limit);
    if (input.len < *size_bytes) return STATUS_WOULD_BLOCK;
    out->body = slice_of(input.data + MESSAGE_HEADER_BYTES, length - 4);
    return STATUS_OK;
}

bool pg_query_decode(struct slice body, struct slice *query) {
    struct reader reader = reader_of(body);
    *query = get_cstring(&reader);
    return reader_done(&reader);
}

bool pg_parse_decode(struct slice body, struct pg_parse *out) {
    struct reader reader = reader_of(body);
    out->statement = get_cstring(&reader);
    out->query = get_cstring(&reader);
    out->type_count = get_u16be(&reader);
    out->types = get_raw(&reader, (size_t)out->type_count * 4);
    return reader_done(&reader);
}

uint32_t pg_type_at(const struct pg_parse *parse, uint16_t index) {
    return load_u32be(parse->types.data + (size_t)index * 4);
}

static const uint32_t NULL_VALUE = UINT32_MAX; /* the length -1 */

/* The part of the reader's input that holds `count` values. */
static struct slice skip_values(struct reader *reader, uint16_t count) {
    const uint8_t *start = reader->data;
    for (uint16_t i = 0; i < count && reader_ok(reader); i++) {
        uint32_t length = get_u32be(reader);
        if (length != NULL_VALUE) (void)get_raw(reader, length);
    }
    return reader_ok(reader) ? slice_of(start, (size_t)(reader->data - start)) : SLICE_EMPTY;
}

bool pg_bind_decode(struct slice body, struct pg_bind *out) {
    struct reader reader = reader_of(body);
    out->portal = get_cstring(&reader);
    out->statement = get_cstring(&reader);
    out->format_count = get_u16be(&reader);
    out->formats = get_raw(&reader, (size_t)out->format_count * 2);
    out->value_count = get_u16be(&reader);
    out->values = skip_values(&reader, out->value_count);
    out->result_format_count = get_u16be(&reader);
    out->result_formats = get_raw(&reader, (size_t)out->result_format_count * 2);
    return reader_done(&reader);
}

bool pg_value_next(struct slice *rest, bool *is_null, struct slice *value) {
    if (rest->len == 0) return false;
    struct reader reader = reader_of(*rest);
    uint32_t length = get_u32be(&reader);
    *is_null = length == NULL_VALUE;
    *value = *is_null ? SLICE_EMPTY : get_raw(&reader, length);
    *rest = slice_of(reader.data, reader.len);
    return reader_ok(&reader);
}

uint16_t pg_format_at(struct slice formats, uint16_t count, uint16_t index) {
    if (count == 0) return PG_TEXT;
    size_t at = count == 1 ? 0 : index;
    return load_u16be(formats.data + at * 2);
}

bool pg_target_decode(struct slice body, struct pg_target *out) {
    struct reader reader = reader_of(body);
    out->kind = get_u8(&reader);
    out->name = get_cstring(&reader);
    return reader_done(&reader) && (out->kind == 'S' || out->kind == 'P');
}

bool pg_execute_decode(struct slice body, struct pg_execute *out) {
    struct reader reader = reader_of(body);
    out->portal = get_cstring(&reader);
    out->max_rows = (int32_t)get_u32be(&reader);
    return reader_done(&reader);
}
