/* sql_error.c - filling in what a client will read, and the SQLSTATE of what lower layers answer.
 */
#include "sql_error.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void sql_error_clear(struct sql_error *error) {
    error->sqlstate[0] = 0;
    error->position = 0;
    error->message[0] = 0;
    error->detail[0] = 0;
    error->hint[0] = 0;
}

/* A message that was cut must not end within a character: clients expect UTF-8. */
static void end_at_character(char *text, size_t len) {
    if (len < SQL_MESSAGE_MAX) return;
    size_t end = SQL_MESSAGE_MAX - 1;
    size_t start = end;
    while (start > 0 && ((uint8_t)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start > 0 && ((uint8_t)text[start - 1] & 0x80) != 0) start--;
    uint8_t lead = (uint8_t)text[start];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (start + need > end) text[start] = 0;
}

static void format_into(char *out, const char *format, va_list args) {
    int len = vsnprintf(out, SQL_MESSAGE_MAX, format, args);
    end_at_character(out, len < 0 ? 0 : (size_t)len);
}

static void set(struct sql_error *error, int position, const char *sqlstate, const char *format,
                va_list args) {
    if (error == NULL) return;
    assert(strlen(sqlstate) == 5);
    sql_error_clear(error);
    memcpy(error->sqlstate, sqlstate, sizeof error->sqlstate);
    error->position = position;
    format_into(error->message, format, args);
}

enum status sql_error_set(struct sql_error *error, const char *sqlstate, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(error, 0, sqlstate, format, args);
    va_end(args);
    return STATUS_INVALID;
}

enum status sql_error_set_at(struct sql_error *error, int position, const char *sqlstate,
                             const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(error, position, sqlstate, format, args);
    va_end(args);
    return STATUS_INVALID;
}

void sql_error_detail(struct sql_error *error, const char *format, ...) {
    if (error == NULL) return;
    va_list args;
    va_start(args, format);
    format_into(error->detail, format, args);
    va_end(args);
}

void sql_error_hint(struct sql_error *error, const char *format, ...) {
    if (error == NULL) return;
    va_list args;
    va_start(args, format);
    format_into(error->hint, format, args);
    va_end(args);
}

void sql_error_locate(struct sql_error *error, int position) {
    if (error != NULL && error->position == 0) error->position = position;
}

const char *sqlstate_of_status(enum status status) {
    switch (status) {
    case STATUS_CONFLICT:
        return SQLSTATE_SERIALIZATION_FAILURE;
    case STATUS_DEADLOCK:
        return SQLSTATE_DEADLOCK_DETECTED;
    case STATUS_UNKNOWN_OUTCOME:
        return SQLSTATE_STATEMENT_COMPLETION_UNKNOWN;
    case STATUS_CANCELLED:
    case STATUS_DEADLINE:
        return SQLSTATE_QUERY_CANCELED;
    case STATUS_UNAVAILABLE:
    case STATUS_NOT_LEADER:
    case STATUS_CLOSED:
        return SQLSTATE_CANNOT_CONNECT_NOW;
    case STATUS_BUSY:
        return SQLSTATE_TOO_MANY_CONNECTIONS;
    case STATUS_TOO_LARGE:
        return SQLSTATE_PROGRAM_LIMIT_EXCEEDED;
    case STATUS_NO_SPACE:
        return SQLSTATE_DISK_FULL;
    case STATUS_IO:
        return SQLSTATE_IO_ERROR;
    case STATUS_CORRUPT:
        return SQLSTATE_DATA_CORRUPTED;
    case STATUS_UNSUPPORTED:
        return SQLSTATE_FEATURE_NOT_SUPPORTED;
    case STATUS_OK:
    case STATUS_NOT_FOUND:
    case STATUS_EXISTS:
    case STATUS_INVALID:
    case STATUS_IN_USE:
    case STATUS_WOULD_BLOCK:
    case STATUS_COUNT:
        break;
    }
    return SQLSTATE_INTERNAL_ERROR;
}

enum status sql_error_from(struct sql_error *error, const struct error *lower) {
    const char *text = lower->message[0] != 0 ? lower->message : status_text(lower->status);
    (void)sql_error_set(error, sqlstate_of_status(lower->status), "%s", text);
    return lower->status;
}

enum status sql_error_from_status(struct sql_error *error, enum status status) {
    (void)sql_error_set(error, sqlstate_of_status(status), "%s", status_text(status));
    return status;
}
