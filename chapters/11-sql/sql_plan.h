/* sql_plan.h - the physical plan: a read-only tree of operators that the executor mirrors by
 * states.
 *
 * Plain data in the arena that the planner was given; it may be executed many times (a prepared
 * statement), each time with other parameters. It borrows table descriptors from the catalog.
 *
 *  1. A node's output is a batch of `column_count` columns of the types in `columns`. An expression
 *     of a node refers (SQL_EXPR_COLUMN, column.index) to the columns of the node's input; of a
 *     join, to the left input's columns followed by the right input's. A scan's expressions refer
 *     to the scan's own output.
 *  2. No expression holds an aggregate; an AGGREGATE node computes them, the nodes above it refer
 *     to its columns.
 *  3. What a scan's `bounds` say is guaranteed by whoever reads the spans; the conditions that the
 *     bounds express exactly are in no filter any more.
 *  4. A scan gives rows in the order of the primary key; sorting by a prefix of that costs nothing,
 *     so a SORT stands only where the order is not there yet.
 *
 * The tree's expressions have had their constants folded. */
#ifndef CAIRN_SQL_PLAN_H
#define CAIRN_SQL_PLAN_H

#include "sql_aggregate.h"
#include "sql_catalog.h"
#include "sql_expr.h"

enum sql_plan_kind {
    SQL_PLAN_RESULT,      /* one row of no columns: SELECT without FROM */
    SQL_PLAN_VALUES,      /* rows of expressions */
    SQL_PLAN_SCAN,        /* rows of a table, in the order of its primary key */
    SQL_PLAN_FILTER,      /* the rows of `left` for which a condition is true */
    SQL_PLAN_PROJECT,     /* expressions over the rows of `left` */
    SQL_PLAN_AGGREGATE,   /* one row per group of `left` */
    SQL_PLAN_DISTINCT,    /* the rows of `left`, each once; NULLs are alike */
    SQL_PLAN_SORT,        /* stable */
    SQL_PLAN_LIMIT,       /* some rows of `left` */
    SQL_PLAN_HASH_JOIN,   /* pairs with equal keys; `right` is the side to build from */
    SQL_PLAN_NESTED_LOOP, /* pairs that meet a condition; `right` is read once and kept */
    SQL_PLAN_INSERT,      /* writes the rows of `left` */
    SQL_PLAN_UPDATE,      /* `left` is a SCAN, perhaps below a FILTER */
    SQL_PLAN_DELETE       /* the same */
};

/* ---- scans ---------------------------------------------------------------------------------- */

/* Which part of a table's key is read. The first `equal_count` columns of the primary key are each
 * equal to one of a list of values; the next one, if `low` or `high` is there, lies between them.
 * Nothing at all (all zero): the whole table.
 *
 * The values are runtime constants (no columns: literals, parameters, calls of these) of the key
 * column's type or, for integer columns, of any integer type: they are evaluated once, when the
 * execution starts. The executor does not look in here: it calls sql_spans_compute (sql_spans.h),
 * which evaluates them, drops what cannot match (NULL, out of range), sorts and removes doubles. */
struct sql_key_values {
    uint32_t count; /* at least 1 */
    struct sql_expr **values;
};

struct sql_scan_bounds {
    const struct sql_key_values *equal;
    uint32_t equal_count;
    struct sql_expr *low; /* NULL: from the start */
    bool low_inclusive;
    struct sql_expr *high; /* NULL: to the end */
    bool high_inclusive;
};

struct sql_plan_scan {
    const struct sql_table *table;
    const char *name;        /* the alias in the statement, for EXPLAIN */
    const uint32_t *columns; /* indexes into table->columns: the output, in order */
    struct sql_scan_bounds bounds;
    struct sql_expr *filter; /* over the output; or NULL */
    bool reverse;            /* descending primary key */
    bool points;             /* every key column is in bounds.equal: gets rather than scans */
    bool for_write;          /* the rows will be updated or deleted: lock them, read the latest */
    /* Rows that will be asked for, if known beforehand (LIMIT + OFFSET, runtime constants, either
     * may be NULL); only a hint for how much to fetch at a time. Both NULL: all. */
    struct sql_expr *limit, *offset;
};

/* ---- the other operators -------------------------------------------------------------------- */

struct sql_plan_values {
    struct sql_expr ***rows; /* rows[i][column]: runtime constants */
    size_t row_count;
};

struct sql_plan_project {
    struct sql_expr **exprs; /* column_count of them */
};

/* Output: the values of the groups, then the aggregates. No groups: exactly one row. */
struct sql_plan_aggregate {
    struct sql_expr **groups;
    uint32_t group_count;
    struct sql_expr **aggregates; /* SQL_EXPR_AGGREGATE: args and filter are over the input */
    uint32_t aggregate_count;
};

struct sql_sort_key {
    uint32_t column; /* of the input */
    bool descending;
    bool nulls_first;
};

struct sql_plan_sort {
    const struct sql_sort_key *keys;
    uint32_t key_count;
    /* At most limit + offset rows will be asked for: keep no more (top-n). Runtime constants, both
     * NULL: all. */
    struct sql_expr *limit, *offset;
};

/* BIGINT runtime constants; NULL, or a NULL value: no limit, offset 0. Negative: 2201W, 2201X. */
struct sql_plan_limit {
    struct sql_expr *limit, *offset;
};

struct sql_plan_join {
    struct sql_expr **left_keys;  /* over the left input; none for a NESTED_LOOP */
    struct sql_expr **right_keys; /* over the right input; of the same types, pairwise */
    uint32_t key_count;
    struct sql_expr *condition; /* the rest, over left and right columns; or NULL */
};

/* The input has all visible columns of the table, in order, in their types with modifiers applied.
 * Not null and the key's uniqueness are checked by the operator. */
struct sql_plan_insert {
    const struct sql_table *table;
};

struct sql_plan_assignment {
    uint32_t column;        /* index into table->columns */
    struct sql_expr *value; /* over the input; of the column's type, modifier applied */
};

/* The input has all columns of the table, the hidden one too, in the descriptor's order. */
struct sql_plan_update {
    const struct sql_table *table;
    const struct sql_plan_assignment *assignments;
    uint32_t assignment_count;
    bool changes_key; /* a column of the primary key is assigned: rows may move */
};

/* The input has at least the key columns; key_columns[i] is the input's column of table->key[i]. */
struct sql_plan_delete {
    const struct sql_table *table;
    const uint32_t *key_columns;
};

/* ---- the tree ------------------------------------------------------------------------------- */

struct sql_plan_column {
    struct sql_typed type;
    const char *name;   /* for EXPLAIN; may be NULL */
    const char *origin; /* the FROM item it comes from; may be NULL */
};

struct sql_plan {
    enum sql_plan_kind kind;
    struct sql_plan *left, *right; /* NULL where there is none */
    uint32_t column_count;
    const struct sql_plan_column *columns;
    double rows, cost; /* estimates: sql_planner_cost.c */
    union {
        struct sql_plan_scan scan;
        struct sql_plan_values values;
        struct sql_expr *filter;
        struct sql_plan_project project;
        struct sql_plan_aggregate aggregate;
        struct sql_plan_sort sort;
        struct sql_plan_limit limit;
        struct sql_plan_join join;
        struct sql_plan_insert insert;
        struct sql_plan_update update;
        struct sql_plan_delete delete_;
    };
};

#endif
