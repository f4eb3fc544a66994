/* sql_binder_select.c - SELECT and VALUES: FROM and its joins, the select list, WHERE, limits.
 *
 * Clauses are bound in PostgreSQL's order, since the first error is the one reported: FROM, select
 * list, WHERE, HAVING, ORDER BY, GROUP BY, DISTINCT, OFFSET, LIMIT; the rules of grouping come
 * last. Ordering and grouping are in sql_binder_group.c. */
#include "sql_binder_internal.h"

/* ---- joins ---------------------------------------------------------------------------------- */

static enum status bind_from_item(struct binder *binder, const struct ast_from *from,
                                  struct scope *scope);

/* Where in `scope` a column named in USING is; 42703 or 42702 (as in PostgreSQL, without
 * position). */
static enum status using_column(struct binder *binder, const struct scope *scope, const char *name,
                                const char *side, size_t *out) {
    size_t found = 0;
    for (size_t i = 0; i < scope->column_count; i++) {
        if (strcmp(scope->columns[i].name, name) != 0) continue;
        *out = i;
        found++;
    }
    if (found == 1) return STATUS_OK;
    if (found == 0) {
        return sql_error_set(binder->error, SQLSTATE_UNDEFINED_COLUMN,
                             "column \"%s\" specified in USING clause does not exist in %s table",
                             name, side);
    }
    return sql_error_set(binder->error, SQLSTATE_AMBIGUOUS_COLUMN,
                         "common column name \"%s\" appears more than once in %s table", name,
                         side);
}

/* left.x = right.x, brought to a common type. */
static enum status using_condition(struct binder *binder, const struct scope_column *left,
                                   const struct scope_column *right) {
    struct bound_select *select = binder->block->select;
    struct sql_expr *sides[2] = {scope_column_expr(binder, left, 0),
                                 scope_column_expr(binder, right, 0)};
    struct sql_typed common;
    TRY(sql_build_common(binder->build, sides, 2, "JOIN/USING", &common, binder->error));
    struct sql_expr *equal = NULL;
    TRY(sql_build_operator(binder->build, SLICE_LITERAL("="), sides[0], sides[1], 0, &equal,
                           binder->error));
    BIND_APPEND(binder, select->conjuncts, select->conjunct_count, equal);
    return STATUS_OK;
}

/* Of a JOIN ... USING, `*` shows the common columns first and once, then the others. */
static enum status bind_using(struct binder *binder, const struct ast_names *names,
                              const struct scope *left, const struct scope *right,
                              struct scope *both) {
    struct scope_column *columns =
        ARENA_ARRAY(binder->arena, struct scope_column, both->column_count + 1);
    bool *merged = ARENA_ARRAY(binder->arena, bool, both->column_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->items[i];
        size_t at_left = 0;
        size_t at_right = 0;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names->items[j], name) != 0) continue;
            return sql_error_set(binder->error, SQLSTATE_DUPLICATE_COLUMN,
                                 "column name \"%s\" appears more than once in USING clause", name);
        }
        TRY(using_column(binder, left, name, "left", &at_left));
        TRY(using_column(binder, right, name, "right", &at_right));
        TRY(using_condition(binder, &left->columns[at_left], &right->columns[at_right]));
        merged[at_left] = merged[left->column_count + at_right] = true;
        columns[count++] = left->columns[at_left];
    }
    for (size_t i = 0; i < both->column_count; i++) {
        if (!merged[i]) columns[count++] = both->columns[i];
    }
    both->columns = columns;
    both->column_count = count;
    return STATUS_OK;
}

static enum status bind_join(struct binder *binder, const struct ast_from *join,
                             struct scope *scope) {
    struct block *block = binder->block;
    struct scope left;
    struct scope right;
    TRY(bind_from_item(binder, join->left, &left));
    TRY(bind_from_item(binder, join->right, &right));
    TRY(scope_concat(binder, &left, &right, scope));
    if (join->using_columns.count > 0) {
        return bind_using(binder, &join->using_columns, &left, &right, scope);
    }
    if (join->on == NULL) return STATUS_OK;
    struct scope outer = block->scope;
    block->scope = *scope;
    enum status status = bind_condition(binder, join->on, "JOIN/ON", "JOIN conditions",
                                        &block->select->conjuncts, &block->select->conjunct_count);
    block->scope = outer;
    return status;
}

static enum status bind_from_item(struct binder *binder, const struct ast_from *from,
                                  struct scope *scope) {
    if (from->kind == AST_FROM_JOIN) return bind_join(binder, from, scope);
    struct bound_relation relation;
    if (from->kind == AST_FROM_TABLE) {
        const struct sql_table *table = NULL;
        TRY(bind_table(binder, &from->relation, &table));
        relation = bound_table_relation(binder, table, from->alias);
    } else {
        struct bound_select *subquery = NULL;
        TRY(bind_select(binder, from->subquery, 0, &subquery));
        relation = bound_subquery_relation(binder, subquery, from->alias);
    }
    return scope_of_relation(binder, relation, &from->alias_columns, scope);
}

enum status bind_from(struct binder *binder, const struct ast_select *select) {
    struct scope all = {0};
    for (size_t i = 0; i < select->from_count; i++) {
        struct scope item;
        struct scope joined;
        TRY(bind_from_item(binder, select->from[i], &item));
        TRY(scope_concat(binder, &all, &item, &joined));
        all = joined;
    }
    binder->block->scope = all;
    return STATUS_OK;
}

/* ---- the select list ------------------------------------------------------------------------ */

struct bound_output *bind_add_output(struct binder *binder, struct sql_expr *expr,
                                     const char *name) {
    struct bound_select *select = binder->block->select;
    struct bound_output output = {.expr = expr, .column = {.name = name}};
    if (expr != NULL && expr->kind == SQL_EXPR_COLUMN) {
        const struct bound_relation *relation = &select->relations[expr->column.relation];
        output.column = relation->columns[expr->column.index];
        output.column.name = name;
    }
    if (expr != NULL) output.column.type = (struct sql_typed){expr->type, expr->typmod};
    BIND_APPEND(binder, select->outputs, select->output_count, output);
    return &select->outputs[select->output_count - 1];
}

static enum status bind_star(struct binder *binder, const struct ast_expr *star) {
    struct scope_column *columns = NULL;
    size_t count = 0;
    TRY(scope_star(binder, star, &columns, &count));
    for (size_t i = 0; i < count; i++) {
        bind_add_output(binder, scope_column_expr(binder, &columns[i], star->position),
                        columns[i].name);
    }
    return STATUS_OK;
}

static enum status bind_targets(struct binder *binder, const struct ast_select *select) {
    for (size_t i = 0; i < select->target_count; i++) {
        const struct ast_target *target = &select->targets[i];
        if (target->value->kind == AST_STAR) {
            TRY(bind_star(binder, target->value));
            continue;
        }
        struct sql_expr *expr = NULL;
        TRY(bind_expr(binder, target->value, &expr));
        const char *name = target->name != NULL ? target->name : bind_output_name(target->value);
        bind_add_output(binder, expr, name);
    }
    binder->block->select->visible_count = binder->block->select->output_count;
    if (binder->block->select->visible_count <= 1664) return STATUS_OK;
    return sql_error_set(binder->error, SQLSTATE_TOO_MANY_COLUMNS,
                         "target lists can have at most 1664 entries");
}

/* Literals that nothing gave a type are text. */
static enum status settle_outputs(struct binder *binder) {
    struct bound_select *select = binder->block->select;
    for (uint32_t i = 0; i < select->output_count; i++) {
        struct bound_output *output = &select->outputs[i];
        TRY(sql_build_output(binder->build, output->expr, &output->expr, binder->error));
        output->column.type = (struct sql_typed){output->expr->type, output->expr->typmod};
    }
    return STATUS_OK;
}

/* ---- limits --------------------------------------------------------------------------------- */

static enum status bind_count(struct binder *binder, const struct ast_expr *expr,
                              const char *clause, struct sql_expr **out) {
    if (expr == NULL) return STATUS_OK;
    TRY(bind_expr_in(binder, expr, clause, out));
    TRY(sql_build_bigint(binder->build, *out, clause, out, binder->error));
    const struct sql_expr *column = bound_find_column(*out);
    if (column == NULL) return STATUS_OK;
    return sql_error_set_at(binder->error, column->position, SQLSTATE_INVALID_COLUMN_REFERENCE,
                            "argument of %s must not contain variables", clause);
}

static enum status bind_limits(struct binder *binder, const struct ast_select *select) {
    struct bound_select *bound = binder->block->select;
    TRY(bind_count(binder, select->offset, "OFFSET", &bound->offset));
    return bind_count(binder, select->limit, "LIMIT", &bound->limit);
}

/* ---- VALUES --------------------------------------------------------------------------------- */

/* Brings one column of all rows to its common type. */
static enum status settle_values_column(struct binder *binder, struct bound_select *values,
                                        uint32_t column, struct sql_expr **scratch,
                                        struct sql_typed *type) {
    for (size_t i = 0; i < values->row_count; i++)
        scratch[i] = values->rows[i][column];
    TRY(sql_build_common(binder->build, scratch, (uint32_t)values->row_count, "VALUES", type,
                         binder->error));
    for (size_t i = 0; i < values->row_count; i++)
        values->rows[i][column] = scratch[i];
    return STATUS_OK;
}

/* The rows alone: outputs have no expressions, the rows have. */
static enum status bind_rows(struct binder *binder, const struct ast_select *select) {
    struct bound_select *values = binder->block->select;
    size_t width = select->rows[0].count;
    values->row_count = select->row_count;
    values->rows = ARENA_ARRAY(binder->arena, struct sql_expr **, select->row_count);
    for (size_t i = 0; i < select->row_count; i++) {
        const struct ast_exprs *row = &select->rows[i];
        if (row->count != width) {
            return sql_error_set_at(binder->error, row->items[0]->position, SQLSTATE_SYNTAX_ERROR,
                                    "VALUES lists must all be the same length");
        }
        values->rows[i] = ARENA_ARRAY(binder->arena, struct sql_expr *, width);
        for (size_t j = 0; j < width; j++) {
            TRY(bind_expr_in(binder, row->items[j], "VALUES", &values->rows[i][j]));
        }
    }
    struct sql_expr **scratch = ARENA_ARRAY(binder->arena, struct sql_expr *, values->row_count);
    for (uint32_t j = 0; j < width; j++) {
        struct sql_typed type;
        TRY(settle_values_column(binder, values, j, scratch, &type));
        const char *name = arena_printf(binder->arena, "column%u", j + 1);
        bind_add_output(binder, NULL, name)->column.type = type;
    }
    values->visible_count = values->output_count;
    return STATUS_OK;
}

/* VALUES with ORDER BY or LIMIT: SELECT * FROM (VALUES ...). */
static enum status wrap_values(struct binder *binder, const struct ast_select *select,
                               const struct bound_select *values) {
    static const struct ast_expr star = {.kind = AST_STAR, .depth = 1};
    struct bound_relation relation = bound_subquery_relation(binder, values, "*VALUES*");
    TRY(scope_of_relation(binder, relation, NULL, &binder->block->scope));
    TRY(bind_star(binder, &star));
    binder->block->select->visible_count = binder->block->select->output_count;
    TRY(bind_order(binder, select));
    return bind_limits(binder, select);
}

/* ---- any query ------------------------------------------------------------------------------ */

static enum status bind_query(struct binder *binder, const struct ast_select *select,
                              unsigned flags) {
    struct bound_select *bound = binder->block->select;
    TRY(bind_from(binder, select));
    TRY(bind_targets(binder, select));
    if (select->where != NULL) {
        TRY(bind_condition(binder, select->where, "WHERE", "WHERE", &bound->conjuncts,
                           &bound->conjunct_count));
    }
    if (select->having != NULL) {
        TRY(bind_expr(binder, select->having, &bound->having));
        TRY(sql_build_boolean(binder->build, bound->having, "HAVING", &bound->having,
                              binder->error));
    }
    TRY(bind_order(binder, select));
    TRY(bind_groups(binder, select));
    bound->distinct = select->distinct;
    TRY(bind_check_distinct(binder));
    TRY(bind_limits(binder, select));
    if ((flags & SELECT_KEEP_UNKNOWN) == 0) TRY(settle_outputs(binder));
    return bind_check_groups(binder);
}

static enum status bind_values(struct binder *binder, const struct ast_select *select) {
    bool wrapped = select->order_count > 0 || select->limit != NULL || select->offset != NULL;
    if (!wrapped) return bind_rows(binder, select);
    struct block *outer = binder->block;
    struct block inner = {.select = ARENA_NEW(binder->arena, struct bound_select)};
    binder->block = &inner;
    enum status status = bind_rows(binder, select);
    binder->block = outer;
    if (status != STATUS_OK) return status;
    return wrap_values(binder, select, inner.select);
}

enum status bind_select(struct binder *binder, const struct ast_select *select, unsigned flags,
                        struct bound_select **out) {
    struct block *outer = binder->block;
    struct block *block = ARENA_NEW(binder->arena, struct block);
    block->select = ARENA_NEW(binder->arena, struct bound_select);
    binder->block = block;
    enum status status =
        select->rows != NULL ? bind_values(binder, select) : bind_query(binder, select, flags);
    binder->block = outer;
    *out = block->select;
    return status;
}
