/* sql_spans.h - from a scan's bounds to what is to be read, at the start of an execution.
 *
 * Pure: evaluates runtime constants, then sorts. Knows nothing of how keys are encoded: a span is
 * said in values of the key columns, and the reader encodes them. */
#ifndef CAIRN_SQL_SPANS_H
#define CAIRN_SQL_SPANS_H

#include "sql_plan.h"

enum { SQL_SPANS_MAX = 1000000 }; /* of one scan: the product of its lists; above: 54000 */

/* Keys that start with `prefix` (values of the first key columns, of these columns' types) and
 * whose next column lies between low and high. A NULL bound is none. prefix_count == key_count: one
 * row. */
struct sql_span {
    const struct sql_datum *prefix;
    uint32_t prefix_count;
    const struct sql_datum *low;
    const struct sql_datum *high;
    bool low_inclusive, high_inclusive;
};

/* In ascending order of the primary key, disjoint; count 0: nothing can match. Values of text live
 * as long as context->arena or the plan. Fails as evaluation does. */
enum status sql_spans_compute(struct arena *arena, const struct sql_plan_scan *scan,
                              struct sql_eval_context *context, struct sql_span **out,
                              size_t *count, struct sql_error *error) MUST_CHECK;

#endif
