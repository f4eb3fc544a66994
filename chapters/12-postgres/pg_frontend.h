/* pg_frontend.h - the client's half of PostgreSQL's protocol 3.0, as bytes: messages of the
 * frontend written, messages of the backend read.
 *
 * Pure, like pg_wire.h, whose mirror it is. For our own clients: the command line, benchmarks,
 * tests, and the clients inside a simulation. */
#ifndef CAIRN_PG_FRONTEND_H
#define CAIRN_PG_FRONTEND_H

#include "pg_wire.h"

/* ---- what a client sends; each appends one message ------------------------------------------ */

/* `settings`: name, value, name, value, NULL; may be NULL. */
void pg_send_startup(struct buf *out, const char *user, const char *database,
                     const char *const *settings);
void pg_send_cancel(struct buf *out, uint32_t pid, uint32_t key);
void pg_send_ssl_request(struct buf *out);
void pg_send_query(struct buf *out, struct slice script);
void pg_send_parse(struct buf *out, const char *statement, struct slice query,
                   const uint32_t *type_oids, uint16_t type_count);
/* Values in text format; data NULL: SQL's NULL. All result columns in `result_format`. */
void pg_send_bind(struct buf *out, const char *portal, const char *statement,
                  const struct slice *values, uint16_t value_count, enum pg_format result_format);
/* kind: 'S' statement, 'P' portal. */
void pg_send_describe(struct buf *out, char kind, const char *name);
void pg_send_close(struct buf *out, char kind, const char *name);
void pg_send_execute(struct buf *out, const char *portal, int32_t max_rows);
void pg_send_sync(struct buf *out);
void pg_send_terminate(struct buf *out);

/* ---- what a client gets --------------------------------------------------------------------- */

struct pg_answer {
    uint8_t
        type; /* 'T' RowDescription, 'D' DataRow, 'C' CommandComplete, 'E' error, 'Z' ready ... */
    struct slice body;
};

/* As pg_message_decode: OK, WOULD_BLOCK, TOO_LARGE, INVALID. */
enum status pg_answer_decode(struct slice input, size_t limit, struct pg_answer *out,
                             size_t *size_bytes, struct error *error) MUST_CHECK;

/* A field of an ErrorResponse or NoticeResponse: 'C' SQLSTATE, 'M' message, 'D', 'H', 'P', 'S'.
 * Empty if it is not there. */
struct slice pg_answer_field(struct slice body, char field);

/* RowDescription and DataRow: the count, then the rest to walk. False: malformed. */
bool pg_answer_count(struct slice body, uint16_t *count, struct slice *rest) MUST_CHECK;
bool pg_answer_next_column(struct slice *rest, struct pg_column *out) MUST_CHECK;
bool pg_answer_next_value(struct slice *rest, bool *is_null, struct slice *value) MUST_CHECK;

/* CommandComplete, ParameterStatus (name and value): the strings. False: malformed. */
bool pg_answer_strings(struct slice body, struct slice *first, struct slice *second) MUST_CHECK;
/* BackendKeyData. */
bool pg_answer_key(struct slice body, uint32_t *pid, uint32_t *key) MUST_CHECK;

#endif
