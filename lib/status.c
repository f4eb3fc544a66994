/* status.c - names of the outcomes and the message that goes with a failure.
 *
 * No I/O here: whoever serves a person (a log, a client's connection) prints the message. */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} descriptions[STATUS_COUNT] = {
#define STATUS_DESCRIPTION(name, text) {#name, text},
    STATUS_LIST(STATUS_DESCRIPTION)
#undef STATUS_DESCRIPTION
};

static bool status_known(enum status status) { return (unsigned)status < (unsigned)STATUS_COUNT; }

const char *status_name(enum status status) {
    return status_known(status) ? descriptions[status].name : "UNKNOWN_STATUS";
}

const char *status_text(enum status status) {
    return status_known(status) ? descriptions[status].text : "a status that this version lacks";
}

enum status status_from_errno(int error_number) {
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return STATUS_NO_SPACE;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case EEXIST:
        return STATUS_EXISTS;
    case EADDRINUSE:
        return STATUS_IN_USE;
    default:
        return STATUS_IO;
    }
}

static bool status_retryable(enum status status) {
    switch (status) {
    case STATUS_BUSY:
    case STATUS_UNAVAILABLE:
    case STATUS_NOT_LEADER:
    case STATUS_CONFLICT:
    case STATUS_DEADLOCK:
    case STATUS_DEADLINE:
        return true;
    default:
        return false;
    }
}

enum status error_set(struct error *error, enum status status, const char *format, ...) {
    if (error == NULL) return status;
    /* The arguments may point into the message that is replaced. */
    char message[ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    memcpy(error->message, message, sizeof(message));
    error->status = status;
    error->retryable = status_retryable(status);
    return status;
}

enum status error_prefix(struct error *error, const char *format, ...) {
    char old[ERROR_MESSAGE_MAX];
    memcpy(old, error->message, sizeof(old));
    old[sizeof(old) - 1] = '\0';

    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);

    size_t len = strlen(error->message);
    const char *parts[] = {": ", old};
    for (size_t i = 0; i < 2; i++) {
        size_t room = sizeof(error->message) - 1 - len;
        size_t take = strlen(parts[i]) < room ? strlen(parts[i]) : room;
        memcpy(error->message + len, parts[i], take);
        len += take;
    }
    error->message[len] = '\0';
    return error->status;
}
