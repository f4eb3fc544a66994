/* sql_spans.c - evaluates a scan's bounds: lists of values become points, points become spans.
 *
 * Each list is sorted and rid of doubles by itself; their product, taken in order, is then in the
 * order of the key. */
#include "sql_spans.h"

#include <assert.h>
#include <stdlib.h>

/* The values that one key column may have. */
struct value_list {
    struct sql_datum *values;
    uint32_t count;
};

enum fit { FIT_OK, FIT_TOO_SMALL, FIT_TOO_LARGE };

/* As a value of the key column's type: only integers can be out of its range. */
static enum fit fit_type(struct sql_datum *value, enum sql_type type) {
    assert(sql_type_storage(value->type) == sql_type_storage(type));
    if (type == SQL_INT2 && value->integer > INT16_MAX) return FIT_TOO_LARGE;
    if (type == SQL_INT2 && value->integer < INT16_MIN) return FIT_TOO_SMALL;
    if (type == SQL_INT4 && value->integer > INT32_MAX) return FIT_TOO_LARGE;
    if (type == SQL_INT4 && value->integer < INT32_MIN) return FIT_TOO_SMALL;
    value->type = type;
    return FIT_OK;
}

static int compare_values(const void *a, const void *b) { return sql_datum_compare(a, b); }

static enum status compute_list(struct arena *arena, const struct sql_key_values *list,
                                enum sql_type type, struct sql_eval_context *context,
                                struct value_list *out, struct sql_error *error) {
    out->values = ARENA_ARRAY(arena, struct sql_datum, list->count + 1);
    out->count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        struct sql_datum value;
        TRY(sql_expr_eval_datum(list->values[i], context, &value, error));
        if (value.is_null || fit_type(&value, type) != FIT_OK) continue;
        out->values[out->count++] = value;
    }
    if (out->count > 1) qsort(out->values, out->count, sizeof(*out->values), compare_values);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        if (i > 0 && sql_datum_compare(&out->values[kept - 1], &out->values[i]) == 0) continue;
        out->values[kept++] = out->values[i];
    }
    out->count = kept;
    return STATUS_OK;
}

/* The bounds of the column behind the prefix, into `span`. *empty: nothing lies between them. */
static enum status compute_range(struct arena *arena, const struct sql_scan_bounds *bounds,
                                 enum sql_type type, struct sql_eval_context *context,
                                 struct sql_span *span, bool *empty, struct sql_error *error) {
    span->low_inclusive = bounds->low_inclusive;
    span->high_inclusive = bounds->high_inclusive;
    if (bounds->low != NULL) {
        struct sql_datum value;
        TRY(sql_expr_eval_datum(bounds->low, context, &value, error));
        enum fit fit = value.is_null ? FIT_TOO_LARGE : fit_type(&value, type);
        if (fit == FIT_TOO_LARGE) *empty = true;
        if (fit == FIT_OK) span->low = arena_dup(arena, &value, sizeof(value));
    }
    if (bounds->high != NULL) {
        struct sql_datum value;
        TRY(sql_expr_eval_datum(bounds->high, context, &value, error));
        enum fit fit = value.is_null ? FIT_TOO_SMALL : fit_type(&value, type);
        if (fit == FIT_TOO_SMALL) *empty = true;
        if (fit == FIT_OK) span->high = arena_dup(arena, &value, sizeof(value));
    }
    if (*empty || span->low == NULL || span->high == NULL) return STATUS_OK;
    int order = sql_datum_compare(span->low, span->high);
    *empty = order > 0 || (order == 0 && !(span->low_inclusive && span->high_inclusive));
    return STATUS_OK;
}

static enum sql_type key_type(const struct sql_table *table, uint32_t i) {
    return table->columns[table->key[i]].type.type;
}

/* The product of the lists, each with the same range behind it. */
static void expand(struct arena *arena, const struct value_list *lists, uint32_t list_count,
                   const struct sql_span *pattern, size_t total, struct sql_span **out) {
    struct sql_span *spans = ARENA_ARRAY(arena, struct sql_span, total);
    struct sql_datum *values = ARENA_ARRAY(arena, struct sql_datum, total * list_count + 1);
    for (size_t i = 0; i < total; i++) {
        size_t rest = i;
        for (uint32_t j = list_count; j > 0; j--) {
            values[i * list_count + j - 1] = lists[j - 1].values[rest % lists[j - 1].count];
            rest /= lists[j - 1].count;
        }
        spans[i] = *pattern;
        spans[i].prefix = values + i * list_count;
        spans[i].prefix_count = list_count;
    }
    *out = spans;
}

enum status sql_spans_compute(struct arena *arena, const struct sql_plan_scan *scan,
                              struct sql_eval_context *context, struct sql_span **out,
                              size_t *count, struct sql_error *error) {
    const struct sql_scan_bounds *bounds = &scan->bounds;
    struct value_list *lists = ARENA_ARRAY(arena, struct value_list, bounds->equal_count + 1);
    struct sql_span pattern = {0};
    size_t total = 1;
    bool empty = false;
    for (uint32_t i = 0; i < bounds->equal_count; i++) {
        TRY(compute_list(arena, &bounds->equal[i], key_type(scan->table, i), context, &lists[i],
                         error));
        total *= lists[i].count;
        if (total > SQL_SPANS_MAX) {
            return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                                 "the conditions on table \"%s\" name more than %d keys",
                                 scan->table->name, SQL_SPANS_MAX);
        }
    }
    if (bounds->low != NULL || bounds->high != NULL) {
        TRY(compute_range(arena, bounds, key_type(scan->table, bounds->equal_count), context,
                          &pattern, &empty, error));
    }
    *count = empty ? 0 : total;
    *out = NULL;
    if (*count > 0) expand(arena, lists, bounds->equal_count, &pattern, total, out);
    return STATUS_OK;
}
