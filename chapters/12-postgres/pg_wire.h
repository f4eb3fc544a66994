/* pg_wire.h - the messages of PostgreSQL's frontend/backend protocol 3.0, as bytes.
 *
 * Pure: no stream, no session. Frontend messages are read, backend messages written, as PostgreSQL
 * 15's manual has them (chapter 55, "Frontend/Backend Protocol"). All integers are big-endian.
 * Except for the first, every message is a type byte, a length that counts itself but not the type,
 * and a body.
 *
 * Invariants
 *  1. A length over its limit is found from the header alone, before memory is spent on it.
 *  2. Decoded slices borrow from the input. What a decoder accepts, its iterators walk to the end.
 *  3. A body must be used up exactly: bytes left over are malformed. */
#ifndef CAIRN_PG_WIRE_H
#define CAIRN_PG_WIRE_H

#include "buf.h"
#include "slice.h"
#include "sql_error.h"
#include "status.h"

enum {
    PG_STARTUP_LIMIT = 10000,             /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH */
    PG_MESSAGE_LIMIT = 64 * 1024 * 1024,  /* type byte not counted */
    PG_LENGTH_LIMIT = 1024 * 1024 * 1024, /* no client means such a length */
};

/* ---- the first message ---------------------------------------------------------------------- */

enum pg_startup_kind { PG_STARTUP, PG_SSL_REQUEST, PG_GSSENC_REQUEST, PG_CANCEL_REQUEST };

struct pg_startup {
    enum pg_startup_kind kind;
    uint16_t major, minor;   /* PG_STARTUP; only major 3 has parameters that we can read */
    struct slice parameters; /* PG_STARTUP: walk with pg_startup_next */
    uint32_t cancel_pid;     /* PG_CANCEL_REQUEST */
    uint32_t cancel_key;
};

/* Takes the first message from the front of `input`. OK; WOULD_BLOCK (*size_bytes is what it
 * needs); TOO_LARGE (over PG_STARTUP_LIMIT); INVALID (malformed). */
enum status pg_startup_decode(struct slice input, struct pg_startup *out, size_t *size_bytes,
                              struct error *error) MUST_CHECK;
/* Walks the parameters: false at the end. */
bool pg_startup_next(struct slice *rest, struct slice *name, struct slice *value);

/* What the first bytes of a connection say: may this be PostgreSQL's protocol? `first` has at least
 * one byte. False as soon as it cannot; *certain when it surely is. */
bool pg_startup_recognize(struct slice first, bool *certain);

/* ---- the messages of a client --------------------------------------------------------------- */

enum pg_frontend {
    PG_BIND = 'B',
    PG_CLOSE = 'C',
    PG_COPY_DATA = 'd',
    PG_COPY_DONE = 'c',
    PG_COPY_FAIL = 'f',
    PG_DESCRIBE = 'D',
    PG_EXECUTE = 'E',
    PG_FLUSH = 'H',
    PG_FUNCTION_CALL = 'F',
    PG_PARSE = 'P',
    PG_PASSWORD = 'p',
    PG_QUERY = 'Q',
    PG_SYNC = 'S',
    PG_TERMINATE = 'X'
};

struct pg_message {
    enum pg_frontend type;
    struct slice body;
};

/* Takes one message. OK; WOULD_BLOCK (*size_bytes is what it needs); TOO_LARGE (the length is over
 * `limit`: out->type is set, and *size_bytes may be skipped to stay in step); INVALID (an unknown
 * type, or a length that cannot be meant: the stream is out of step, the connection must end). */
enum status pg_message_decode(struct slice input, size_t limit, struct pg_message *out,
                              size_t *size_bytes, struct error *error) MUST_CHECK;

struct pg_parse {
    struct slice statement; /* name; empty: the unnamed one */
    struct slice query;
    uint16_t type_count;
    struct slice types; /* pg_type_at */
};

struct pg_bind {
    struct slice portal, statement;
    uint16_t format_count; /* 0: all text; 1: for all; else one a parameter */
    struct slice formats;
    uint16_t value_count;
    struct slice values; /* walk with pg_value_next */
    uint16_t result_format_count;
    struct slice result_formats;
};

struct pg_target {
    uint8_t kind; /* 'S' statement, 'P' portal */
    struct slice name;
};

struct pg_execute {
    struct slice portal;
    int32_t max_rows; /* 0 or less: all */
};

enum pg_format { PG_TEXT = 0, PG_BINARY = 1 };

/* Each is false if the body is malformed ("invalid message format", 08P01). */
bool pg_query_decode(struct slice body, struct slice *query) MUST_CHECK;
bool pg_parse_decode(struct slice body, struct pg_parse *out) MUST_CHECK;
bool pg_bind_decode(struct slice body, struct pg_bind *out) MUST_CHECK;
bool pg_target_decode(struct slice body, struct pg_target *out) MUST_CHECK; /* Describe, Close */
bool pg_execute_decode(struct slice body, struct pg_execute *out) MUST_CHECK;

uint32_t pg_type_at(const struct pg_parse *parse, uint16_t index);
/* The next parameter value: false at the end. */
bool pg_value_next(struct slice *rest, bool *is_null, struct slice *value);
/* The format of value or column `index` of a list of `count` codes; codes other than 0 and 1 are
 * returned as they are. */
uint16_t pg_format_at(struct slice formats, uint16_t count, uint16_t index);

/* ---- the messages of the server ------------------------------------------------------------- */

/* Each appends one message. */
void pg_put_authentication_ok(struct buf *out);
void pg_put_parameter_status(struct buf *out, const char *name, const char *value);
void pg_put_backend_key(struct buf *out, uint32_t pid, uint32_t key);
/* The newest minor version of 3 that is spoken here (0), and the options that are not known. */
void pg_put_negotiate_version(struct buf *out, const struct slice *options, uint32_t option_count);
void pg_put_ready(struct buf *out, char transaction_status); /* 'I', 'T' or 'E' */

struct pg_column {
    struct slice name;
    uint32_t table_oid; /* 0: not a column of a table */
    uint16_t column_number;
    uint32_t type_oid;
    int16_t type_length;
    int32_t typmod;
    uint16_t format;
};
void pg_put_row_description(struct buf *out, const struct pg_column *columns, uint16_t count);

/* A DataRow is written value by value:
 *     size_t at = pg_row_begin(out, columns);
 *     pg_row_null(out);                          for a NULL
 *     size_t value = pg_value_begin(out); ... appends to out ...; pg_value_end(out, value);
 *     pg_row_end(out, at); */
size_t pg_row_begin(struct buf *out, uint16_t column_count);
void pg_row_null(struct buf *out);
size_t pg_value_begin(struct buf *out);
void pg_value_end(struct buf *out, size_t at);
void pg_row_end(struct buf *out, size_t at);

void pg_put_command_complete(struct buf *out, const char *tag); /* "INSERT 0 1" */
void pg_put_empty_query(struct buf *out);
void pg_put_parse_complete(struct buf *out);
void pg_put_bind_complete(struct buf *out);
void pg_put_close_complete(struct buf *out);
void pg_put_no_data(struct buf *out);
void pg_put_portal_suspended(struct buf *out);
void pg_put_parameter_description(struct buf *out, const uint32_t *type_oids, uint16_t count);

/* severity: "ERROR", "FATAL", "PANIC". An error without SQLSTATE is sent as XX000. */
void pg_put_error(struct buf *out, const char *severity, const struct sql_error *error);
/* severity: "WARNING", "NOTICE", "DEBUG", "INFO", "LOG". */
void pg_put_notice(struct buf *out, const char *severity, const struct sql_error *notice);

#endif
