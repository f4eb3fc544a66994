/* sql_binder_internal.h - what the files of the binder share; nobody else includes it. */
#ifndef CAIRN_SQL_BINDER_INTERNAL_H
#define CAIRN_SQL_BINDER_INTERNAL_H

#include "sql_binder.h"

/* ---- scopes: what names may refer to -------------------------------------------------------- */

/* A column that an unqualified name or `*` may mean. JOIN ... USING leaves one of two. */
struct scope_column {
    const char *name;
    uint32_t relation;
    uint32_t index;
};

struct scope {
    struct scope_column *columns; /* in the order of `*` */
    size_t column_count;
    uint32_t *relations; /* that a qualified name may mean */
    size_t relation_count;
};

/* The query block that is being bound. */
struct block {
    struct bound_select *select; /* its relations; NULL if there can be none */
    struct scope scope;
    const char *clause; /* what aggregates are forbidden in, "WHERE"; NULL: they are allowed */
    bool in_default;    /* columns are forbidden too */
    bool has_aggregates;
    const struct sql_table *target; /* of an INSERT: not in scope, but known to hints */
};

enum { BIND_NODES_MAX = 1000000 }; /* in all expressions of a statement; leaves do not count */

struct binder {
    struct sql_build *build;
    struct arena *arena;
    const struct sql_catalog *catalog;
    struct sql_error *error;
    struct block *block; /* innermost */
    uint32_t nesting;    /* calls of bind_expr under way */
    uint32_t nodes_left; /* of the statement's BIND_NODES_MAX */
};

/* Adds a relation to the block's select; *scope is what it brings. */
enum status scope_of_relation(struct binder *binder, struct bound_relation relation,
                              const struct ast_names *alias_columns,
                              struct scope *scope) MUST_CHECK;
/* `left` and what `right` has; 42712 if a name is in both. */
enum status scope_concat(struct binder *binder, const struct scope *left, const struct scope *right,
                         struct scope *out) MUST_CHECK;
/* The relations of a table. */
struct bound_relation bound_table_relation(struct binder *binder, const struct sql_table *table,
                                           const char *alias);
struct bound_relation bound_subquery_relation(struct binder *binder,
                                              const struct bound_select *subquery,
                                              const char *alias);
/* 42P01 if there is none. */
enum status bind_table(struct binder *binder, const struct ast_relation *relation,
                       const struct sql_table **out) MUST_CHECK;
enum status bind_column(struct binder *binder, const struct ast_expr *name,
                        struct sql_expr **out) MUST_CHECK;
/* Adds PostgreSQL's hint to "column does not exist": what may have been meant. */
void hint_column(struct binder *binder, const struct ast_expr *name);
/* The columns that `*` or `t.*` stands for, as positions in scope.columns. */
enum status scope_star(struct binder *binder, const struct ast_expr *star,
                       struct scope_column **out, size_t *count) MUST_CHECK;
struct sql_expr *scope_column_expr(struct binder *binder, const struct scope_column *column,
                                   int position);
/* Index of a visible column of `table`, 42703 'column "x" of relation "t" does not exist'. */
enum status bind_target_column(struct binder *binder, const struct sql_table *table,
                               const char *name, int position, uint32_t *out) MUST_CHECK;

/* ---- expressions ---------------------------------------------------------------------------- */

enum status bind_expr(struct binder *binder, const struct ast_expr *expr,
                      struct sql_expr **out) MUST_CHECK;
/* In a clause that takes no aggregates: restores binder->block->clause. */
enum status bind_expr_in(struct binder *binder, const struct ast_expr *expr, const char *clause,
                         struct sql_expr **out) MUST_CHECK;
/* (a, b) = (c, d), (a, b) IN ((c, d), (e, f)) and the like: sql_binder_row.c. */
bool is_row_comparison(const struct ast_expr *expr);
enum status bind_row_comparison(struct binder *binder, const struct ast_expr *expr,
                                struct sql_expr **out) MUST_CHECK;
/* All arguments, into an array of the arena. */
enum status bind_args(struct binder *binder, const struct ast_expr *expr,
                      struct sql_expr ***out) MUST_CHECK;
/* A condition, which must be boolean; ANDs are taken apart and appended to *list. */
enum status bind_condition(struct binder *binder, const struct ast_expr *expr, const char *clause,
                           const char *aggregate_clause, struct sql_expr ***list,
                           uint32_t *count) MUST_CHECK;
enum status bind_type(struct binder *binder, const struct ast_type *type,
                      struct sql_typed *out) MUST_CHECK;
/* PostgreSQL's FigureColname: "?column?" if nothing better. */
const char *bind_output_name(const struct ast_expr *expr);
/* Where an expression's text starts: the leftmost position in it; 0 if there is none. */
int bound_start(const struct sql_expr *expr);
/* The first such node, parents before children; NULL if there is none. */
const struct sql_expr *bound_find_aggregate(const struct sql_expr *expr);
const struct sql_expr *bound_find_column(const struct sql_expr *expr);

/* ---- queries -------------------------------------------------------------------------------- */

enum { SELECT_KEEP_UNKNOWN = 1 }; /* outputs of type UNKNOWN stay so: INSERT ... SELECT */

enum status bind_select(struct binder *binder, const struct ast_select *select, unsigned flags,
                        struct bound_select **out) MUST_CHECK;
enum status bind_from(struct binder *binder, const struct ast_select *select) MUST_CHECK;
/* Sort, group, distinct: sql_binder_group.c. */
enum status bind_order(struct binder *binder, const struct ast_select *select) MUST_CHECK;
enum status bind_groups(struct binder *binder, const struct ast_select *select) MUST_CHECK;
enum status bind_check_distinct(struct binder *binder) MUST_CHECK;
enum status bind_check_groups(struct binder *binder) MUST_CHECK;
/* Appends an output. */
struct bound_output *bind_add_output(struct binder *binder, struct sql_expr *expr,
                                     const char *name);

enum status bind_insert(struct binder *binder, const struct ast_insert *insert,
                        struct bound_insert **out) MUST_CHECK;
enum status bind_update(struct binder *binder, const struct ast_update *update,
                        struct bound_update **out) MUST_CHECK;
enum status bind_delete(struct binder *binder, const struct ast_delete *delete_,
                        struct bound_delete **out) MUST_CHECK;
enum status bind_create_table(struct binder *binder, const struct ast_create_table *create,
                              struct bound_create_table **out) MUST_CHECK;
/* The value of a column that is not given: its default, or NULL. */
enum status bind_column_default(struct binder *binder, const struct sql_table_column *column,
                                struct sql_expr **out) MUST_CHECK;

/* Room for one more: capacities 4, 8, 16... as in the parser. */
void *bind_grow(struct binder *binder, void *items, size_t count, size_t item_size);
#define BIND_APPEND(binder, items, count, item)                                                    \
    ((items) = bind_grow((binder), (items), (count), sizeof(*(items))), (items)[(count)++] = (item))

#endif
