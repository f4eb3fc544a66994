/* sql_error.h - what went wrong with a statement, as a client of PostgreSQL reads it.
 *
 * Every function of chapter 11 that can fail for a reason the client should read takes a
 * `struct sql_error`, owned by the caller, and returns `enum status`:
 *
 *   STATUS_INVALID    the statement is at fault (syntax, types, a value, a constraint)
 *   anything else     what the layers below answered, already translated by sql_error_from
 *
 * Whenever the status is not OK the error is filled in, SQLSTATE included, so that the session can
 * send it as it is. Codes are those of PostgreSQL 15, appendix A. Plain data; callable anywhere. */
#ifndef CAIRN_SQL_ERROR_H
#define CAIRN_SQL_ERROR_H

#include "slice.h"
#include "status.h"

enum { SQL_MESSAGE_MAX = 512 };

struct sql_error {
    char sqlstate[6];              /* five characters and a NUL; "" when nothing was set */
    int position;                  /* 1-based character of the statement; 0: none */
    char message[SQL_MESSAGE_MAX]; /* one line, no full stop */
    char detail[SQL_MESSAGE_MAX];  /* "" when there is none */
    char hint[SQL_MESSAGE_MAX];    /* "" when there is none */
};

/* SQLSTATEs by their condition names in PostgreSQL's appendix A. */
#define SQLSTATE_CONNECTION_DOES_NOT_EXIST "08003"
#define SQLSTATE_PROTOCOL_VIOLATION "08P01"
#define SQLSTATE_FEATURE_NOT_SUPPORTED "0A000"
#define SQLSTATE_CARDINALITY_VIOLATION "21000"
#define SQLSTATE_STRING_DATA_RIGHT_TRUNCATION "22001"
#define SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE "22003"
#define SQLSTATE_NULL_VALUE_NOT_ALLOWED "22004"
#define SQLSTATE_DIVISION_BY_ZERO "22012"
#define SQLSTATE_INVALID_ESCAPE_SEQUENCE "22025"
#define SQLSTATE_SUBSTRING_ERROR "22011"
#define SQLSTATE_INVALID_ARGUMENT_FOR_LOGARITHM "2201E"
#define SQLSTATE_INVALID_ARGUMENT_FOR_POWER_FUNCTION "2201F"
#define SQLSTATE_INVALID_ROW_COUNT_IN_LIMIT "2201W"
#define SQLSTATE_INVALID_ROW_COUNT_IN_OFFSET "2201X"
#define SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE "22021"
#define SQLSTATE_INVALID_PARAMETER_VALUE "22023"
#define SQLSTATE_INVALID_TEXT_REPRESENTATION "22P02"
#define SQLSTATE_INVALID_BINARY_REPRESENTATION "22P03"
#define SQLSTATE_NOT_NULL_VIOLATION "23502"
#define SQLSTATE_UNIQUE_VIOLATION "23505"
#define SQLSTATE_CHECK_VIOLATION "23514"
#define SQLSTATE_IN_FAILED_TRANSACTION "25P02"
#define SQLSTATE_NO_ACTIVE_TRANSACTION "25P01"
#define SQLSTATE_ACTIVE_TRANSACTION "25001"
#define SQLSTATE_READ_ONLY_TRANSACTION "25006"
#define SQLSTATE_INVALID_STATEMENT_NAME "26000"
#define SQLSTATE_DEPENDENT_OBJECTS_STILL_EXIST "2BP01"
#define SQLSTATE_INVALID_CURSOR_NAME "34000"
#define SQLSTATE_SERIALIZATION_FAILURE "40001"
#define SQLSTATE_STATEMENT_COMPLETION_UNKNOWN "40003"
#define SQLSTATE_DEADLOCK_DETECTED "40P01"
#define SQLSTATE_SYNTAX_ERROR "42601"
#define SQLSTATE_INSUFFICIENT_PRIVILEGE "42501"
#define SQLSTATE_DUPLICATE_COLUMN "42701"
#define SQLSTATE_AMBIGUOUS_COLUMN "42702"
#define SQLSTATE_UNDEFINED_COLUMN "42703"
#define SQLSTATE_UNDEFINED_OBJECT "42704"
#define SQLSTATE_DUPLICATE_ALIAS "42712"
#define SQLSTATE_AMBIGUOUS_FUNCTION "42725"
#define SQLSTATE_GROUPING_ERROR "42803"
#define SQLSTATE_DATATYPE_MISMATCH "42804"
#define SQLSTATE_WRONG_OBJECT_TYPE "42809"
#define SQLSTATE_CANNOT_COERCE "42846"
#define SQLSTATE_UNDEFINED_FUNCTION "42883"
#define SQLSTATE_RESERVED_NAME "42939"
#define SQLSTATE_UNDEFINED_TABLE "42P01"
#define SQLSTATE_UNDEFINED_PARAMETER "42P02"
#define SQLSTATE_DUPLICATE_PREPARED_STATEMENT "42P05"
#define SQLSTATE_DUPLICATE_TABLE "42P07"
#define SQLSTATE_AMBIGUOUS_PARAMETER "42P08"
#define SQLSTATE_INVALID_COLUMN_REFERENCE "42P10"
#define SQLSTATE_INVALID_TABLE_DEFINITION "42P16"
#define SQLSTATE_INDETERMINATE_DATATYPE "42P18"
#define SQLSTATE_DISK_FULL "53100"
#define SQLSTATE_OUT_OF_MEMORY "53200"
#define SQLSTATE_TOO_MANY_CONNECTIONS "53300"
#define SQLSTATE_PROGRAM_LIMIT_EXCEEDED "54000"
#define SQLSTATE_STATEMENT_TOO_COMPLEX "54001"
#define SQLSTATE_TOO_MANY_COLUMNS "54011"
#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_CANNOT_CONNECT_NOW "57P03"
#define SQLSTATE_IO_ERROR "58030"
#define SQLSTATE_INTERNAL_ERROR "XX000"
#define SQLSTATE_DATA_CORRUPTED "XX001"

/* Empties it. A `struct sql_error` starts out zero-filled or cleared. */
void sql_error_clear(struct sql_error *error);

/* Fills in code and message (cut at a character boundary), clears detail, hint and position.
 * `error` may be NULL. Returns STATUS_INVALID, so that a function can write
 * `return sql_error_set(error, SQLSTATE_DIVISION_BY_ZERO, "division by zero");` */
enum status sql_error_set(struct sql_error *error, const char *sqlstate, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same with a position: a character of the statement, counted from 1; 0 for none. */
enum status sql_error_set_at(struct sql_error *error, int position, const char *sqlstate,
                             const char *format, ...) PRINTF_LIKE(4, 5);
/* Add to an error that is set. */
void sql_error_detail(struct sql_error *error, const char *format, ...) PRINTF_LIKE(2, 3);
void sql_error_hint(struct sql_error *error, const char *format, ...) PRINTF_LIKE(2, 3);
/* Sets the position if there is none yet: the innermost expression knows best. */
void sql_error_locate(struct sql_error *error, int position);

/* Translates what a layer below answered: code by sqlstate_of_status, message as it is (or the
 * status's text if it is empty). Returns lower->status. */
enum status sql_error_from(struct sql_error *error, const struct error *lower);
/* The same for a bare status. Returns `status`. */
enum status sql_error_from_status(struct sql_error *error, enum status status);
/* "40001" for CONFLICT, and so on; "XX000" for a status that should not reach a client. */
const char *sqlstate_of_status(enum status status);

#endif
