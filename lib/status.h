/* status.h - the outcome of an operation that can fail.
 *
 * An expected failure is a status, a bug is an assert, and running out of memory aborts
 * (mem.h). Every function that returns `enum status` must be checked: the compiler warns.
 * Where a person will read the reason, the caller passes a `struct error` to be filled in.
 */
#ifndef CAIRN_STATUS_H
#define CAIRN_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/*        name            meaning */
#define STATUS_LIST(X)                                                                             \
    X(OK, "success")                                                                               \
    X(NOT_FOUND, "the thing asked for does not exist")                                             \
    X(EXISTS, "the thing to be created exists already")                                            \
    X(INVALID, "an argument or a message is malformed")                                            \
    X(UNSUPPORTED, "well-formed, but not offered here")                                            \
    X(TOO_LARGE, "over a limit that the message names")                                            \
    X(CORRUPT, "stored data fails its checksum or its invariants; the node must stop")             \
    X(IO, "the operating system reported an error")                                                \
    X(NO_SPACE, "the disk is full")                                                                \
    X(IN_USE, "the port or the directory belongs to another process")                              \
    X(WOULD_BLOCK, "the answer is not in memory; finish on a work lane")                           \
    X(BUSY, "a queue is at its bound; retry later")                                                \
    X(CANCELLED, "the request was cancelled")                                                      \
    X(DEADLINE, "the deadline passed before the answer was known")                                 \
    X(CLOSED, "the connection was closed")                                                         \
    X(UNAVAILABLE, "no node can serve this now; retry")                                            \
    X(NOT_LEADER, "another replica leads the group; the reply may name it")                        \
    X(CONFLICT, "a concurrent transaction changed what this one read; restart it")                 \
    X(DEADLOCK, "waiting would close a cycle of transactions")                                     \
    X(UNKNOWN_OUTCOME, "the write may or may not have happened")

enum status {
#define STATUS_ENUM(name, text) STATUS_##name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
        STATUS_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

enum { ERROR_MESSAGE_MAX = 256 };

/* What went wrong, for a person. Owned by the caller; a failing function fills it in. */
struct error {
    enum status status;
    bool retryable; /* the same request may succeed later, unchanged */
    char message[ERROR_MESSAGE_MAX];
};

/* "NOT_FOUND". Never NULL. */
const char *status_name(enum status status);
/* The meaning as in the list above. Never NULL. */
const char *status_text(enum status status);
/* The status that stands for an errno value: ENOSPC and EDQUOT -> NO_SPACE, ENOENT -> NOT_FOUND,
 * EEXIST -> EXISTS, EADDRINUSE -> IN_USE, everything else -> IO. */
enum status status_from_errno(int error_number);

/* Fills in `error` (which may be NULL) and returns `status`, so that a function can write
 * `return error_set(error, STATUS_IO, "cannot open %s: %s", path, strerror(errno));`
 * Longer messages are cut. `retryable` follows from the status (BUSY, UNAVAILABLE, NOT_LEADER,
 * CONFLICT, DEADLOCK, DEADLINE are); set it afterwards where that is wrong. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Puts "prefix: " in front of the message that is there already; returns error->status. */
enum status error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* In a function returning enum status: return early unless the expression is STATUS_OK. */
#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum status try_status_ = (expression);                                                    \
        if (try_status_ != STATUS_OK) return try_status_;                                          \
    } while (0)

#endif
