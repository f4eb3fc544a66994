/* sql_printer.h - a session's answers as plain text, for this chapter's prompt and for tests.
 *
 *   id|name
 *   1|ann
 *   SELECT 1
 *   ERROR:  42P01: relation "x" does not exist at character 15
 *
 * Values in PostgreSQL's text format, NULL as "null". */
#ifndef CAIRN_SQL_PRINTER_H
#define CAIRN_SQL_PRINTER_H

#include "sql_session.h"

/* Embedded in its owner. */
struct sql_printer {
    struct buf out;
    bool quiet; /* no names of columns */
};

/* With the printer as the session's sink_arg. Appends to `out`; never suspends. */
extern const struct sql_sink_ops sql_printer_sink;
void sql_printer_error(struct sql_printer *printer, const struct sql_error *error);

#endif
