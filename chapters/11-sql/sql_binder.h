/* sql_binder.h - from a syntax tree to a bound statement: names found, types settled, rules
 * checked.
 *
 * Every SELECT becomes one flat block: since only inner joins exist, all join conditions and WHERE
 * are one list of conjuncts over the FROM items. Pure, but for catalog.find_table, which may
 * suspend the coroutine. Errors have PostgreSQL's codes, wording and positions.
 *
 *  1. A bound expression's column is (relation, index): a FROM item of its own block and a column
 *     of that. There are no correlated subqueries, so no other block is ever meant.
 *  2. Expressions are fully typed; casts are nodes. No output has type UNKNOWN.
 *  3. In a grouped block, outputs and having use columns only below aggregates or as (parts of) a
 *     group expression.
 *  4. All parameters have types in the end, or binding fails (42P18). */
#ifndef CAIRN_SQL_BINDER_H
#define CAIRN_SQL_BINDER_H

#include "sql_ast.h"
#include "sql_build.h"
#include "sql_catalog.h"
#include "sql_plan.h"

/* ---- queries -------------------------------------------------------------------------------- */

enum bound_relation_kind { BOUND_TABLE, BOUND_SUBQUERY };

struct bound_column {
    const char *name;
    struct sql_typed type;
    uint64_t table_id;  /* 0: an expression */
    uint32_t column_id; /* 0: an expression */
};

/* An item of FROM. */
struct bound_relation {
    enum bound_relation_kind kind;
    const char *name; /* the alias, or the table's name */
    const struct sql_table *table;
    const struct bound_select *subquery;
    const struct bound_column *columns; /* of a table: all, in the descriptor's order */
    uint32_t column_count;
};

/* An output column; those from `visible_count` on serve ORDER BY only. */
struct bound_output {
    struct sql_expr *expr;
    struct bound_column column;
};

struct bound_select {
    struct bound_relation *relations;
    uint32_t relation_count;
    struct sql_expr **conjuncts; /* of JOIN ... ON, USING and WHERE: all must be true */
    uint32_t conjunct_count;
    bool grouped; /* GROUP BY, HAVING or an aggregate */
    struct sql_expr **groups;
    uint32_t group_count;
    struct sql_expr *having;
    struct sql_expr ***rows; /* VALUES: rows[i][output]; then there are no relations */
    size_t row_count;
    struct bound_output *outputs;
    uint32_t output_count, visible_count;
    bool distinct;
    struct sql_sort_key *order; /* column: an output */
    uint32_t order_count;
    struct sql_expr *limit, *offset; /* BIGINT runtime constants, or NULL */
};

/* ---- statements ----------------------------------------------------------------------------- */

/* The source yields the visible columns of the table, in order, converted to their types. */
struct bound_insert {
    const struct sql_table *table;
    struct bound_select *source;
};

/* `rows` is a block over the table alone (relation 0); its outputs play no part. */
struct bound_update {
    const struct sql_table *table;
    struct bound_select *rows;
    struct sql_plan_assignment *assignments; /* values over relation 0 */
    uint32_t assignment_count;
};

struct bound_delete {
    const struct sql_table *table;
    struct bound_select *rows;
};

/* `table` is complete but for ids and versions, the hidden key column included. */
struct bound_create_table {
    bool if_not_exists;
    struct sql_table *table;
    int position; /* of the name */
};

struct bound_statement {
    enum ast_statement_kind kind; /* SELECT, INSERT, UPDATE, DELETE or CREATE_TABLE */
    struct sql_build *build;      /* the parameters' types */
    union {
        struct bound_select *select;
        struct bound_insert *insert;
        struct bound_update *update;
        struct bound_delete *delete_;
        struct bound_create_table *create_table;
    };
};

/* ---- functions ------------------------------------------------------------------------------ */

/* Binds SELECT, INSERT, UPDATE, DELETE, CREATE TABLE (42P07 is left to whoever creates it); other
 * kinds need no binding. `build` holds the types declared for parameters (UNKNOWN: to be inferred)
 * and receives the inferred ones; it and the result live in build->arena. */
enum status sql_bind(struct sql_build *build, const struct sql_catalog *catalog,
                     const struct ast_statement *statement, struct bound_statement **out,
                     struct sql_error *error) MUST_CHECK;

/* The columns that a statement returns: of SELECT; none for the others. */
const struct bound_column *bound_statement_columns(struct arena *arena,
                                                   const struct bound_statement *statement,
                                                   uint32_t *count);

#endif
