/* sql_source.h - tables as the executor reads them: through a transaction.
 *
 * Spans of key values become keys (row_codec.h). Points are read many at a time, one round trip a
 * page; ranges by one cursor after the other, in the scan's direction. Runs on a coroutine; pages
 * are valid until the next call for the same cursor, whatever else is awaited meanwhile. */
#ifndef CAIRN_SQL_SOURCE_H
#define CAIRN_SQL_SOURCE_H

#include "sql_exec.h"
#include "txn.h"

/* Embedded in its owner, which keeps transaction and request alive as long as cursors are open. */
struct sql_source {
    struct txn *txn;
    struct env *env;
    const struct request *request; /* of the running statement: may it go on? */
};

/* The seam for sql_exec_open; its context is `source`. */
struct sql_row_source sql_source_rows(struct sql_source *source);

#endif
