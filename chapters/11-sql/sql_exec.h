/* sql_exec.h - runs a plan: a tree of states that mirrors the read-only tree of sql_plan.h.
 *
 * Each operator has init, next, rescan and end, as in PostgreSQL's executor, but `next` gives a
 * batch of up to 1,024 rows (Graefe's Volcano, 1994, made vectorized by MonetDB/X100, 2005).
 *
 * Invariants
 *  1. A batch, and all it points to, is valid until the next call of next, rescan or close.
 *  2. Only scans (and a pause every 256 rows or so) may suspend the coroutine. What a scan borrows
 *     from a page is held across that: the page's owner promises it.
 *  3. Memory that grows with the data (sorting, grouping, joining) is counted and limited: 53200.
 *
 * INSERT, UPDATE and DELETE nodes are not run here: whoever owns the transaction runs their input
 * and writes. Runs on a coroutine, or outside of one if storage does not suspend. */
#ifndef CAIRN_SQL_EXEC_H
#define CAIRN_SQL_EXEC_H

#include "sql_plan.h"
#include "sql_spans.h"

/* ---- the seam to storage -------------------------------------------------------------------- */

/* Rows as stored (row_codec.h), in the order asked for. */
struct sql_row_page {
    const struct slice *keys; /* whole keys, table and index included */
    const struct slice *values;
    uint32_t count;
};

/* How scans read. All may suspend but scan_close; a status other than OK comes with `error`. */
struct sql_row_source {
    void *context;
    /* Begins to read the rows of the spans (ascending; descending if scan->reverse), as the scan's
     * for_write and points say. rows_wanted: a hint how many will be asked for; 0: all. Spans and
     * scan outlive the cursor. */
    enum status (*scan_open)(void *context, const struct sql_plan_scan *scan,
                             const struct sql_span *spans, size_t span_count, uint64_t rows_wanted,
                             void **cursor, struct sql_error *error);
    /* At most max_rows (1 .. SQL_BATCH_ROWS) rows; fewer do not mean the end, none does. The page
     * is valid until the next call or close. */
    enum status (*scan_next)(void *cursor, uint32_t max_rows, struct sql_row_page *page,
                             struct sql_error *error);
    void (*scan_close)(void *cursor);
    /* May the statement go on? Asked after each pause. Optional. */
    enum status (*check)(void *context, struct sql_error *error);
};

/* ---- running -------------------------------------------------------------------------------- */

struct sql_exec;

struct sql_exec_options {
    const struct sql_plan *plan;         /* outlives the execution; no INSERT, UPDATE, DELETE */
    const struct sql_row_source *source; /* may be NULL if the plan has no scans */
    const struct sql_eval_context *eval; /* params and the like; its arena is not used */
    uint64_t memory_bytes;               /* of all operators together; 0: 256 MiB */
};

/* Makes the states. Reads nothing yet. Free with sql_exec_close, on error too is *out NULL. */
enum status sql_exec_open(const struct sql_exec_options *options, struct sql_exec **out,
                          struct sql_error *error) MUST_CHECK;
/* The next rows: *out has at least one selected row; NULL at the end. After the end or an error
 * only rescan and close may be called. */
enum status sql_exec_next(struct sql_exec *exec, struct sql_batch **out,
                          struct sql_error *error) MUST_CHECK;
/* From the beginning again, with the same parameters. */
enum status sql_exec_rescan(struct sql_exec *exec, struct sql_error *error) MUST_CHECK;
/* Closes cursors, frees everything. NULL is fine. Never suspends. */
void sql_exec_close(struct sql_exec *exec);

#endif
