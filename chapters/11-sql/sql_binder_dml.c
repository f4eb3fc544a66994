/* sql_binder_dml.c - INSERT, UPDATE, DELETE: which columns are written, and by which values.
 *
 * An INSERT's source is made to yield all visible columns of the table in order, so that whoever
 * executes it knows nothing of column lists and defaults. */
#include "sql_binder_internal.h"
#include "sql_parser.h"

static enum status refuse_returning(struct binder *binder, const struct ast_target *targets,
                                    size_t count) {
    if (count == 0) return STATUS_OK;
    return sql_error_set_at(binder->error, targets[0].position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                            "RETURNING is not supported");
}

/* ---- defaults ------------------------------------------------------------------------------- */

enum status bind_column_default(struct binder *binder, const struct sql_table_column *column,
                                struct sql_expr **out) {
    struct sql_expr *expr = NULL;
    if (column->default_text == NULL) {
        expr = sql_build_null(binder->build, 0);
    } else {
        struct ast_expr *parsed = NULL;
        struct block *outer = binder->block;
        struct block alone = {.clause = "DEFAULT expressions", .in_default = true};
        TRY(sql_parse_expression(binder->arena, slice_of_string(column->default_text), &parsed,
                                 binder->error));
        binder->block = &alone;
        enum status status = bind_expr(binder, parsed, &expr);
        binder->block = outer;
        if (status != STATUS_OK) return status;
    }
    return sql_build_assignment(binder->build, expr, column->type, column->name, out,
                                binder->error);
}

/* ---- INSERT --------------------------------------------------------------------------------- */

/* Where each visible column's value comes from. */
struct insert_map {
    const struct sql_table *table;
    uint32_t visible_count;
    uint32_t *targets; /* columns that are given, in the order written */
    uint32_t target_count;
    int *sources;               /* per visible column: which of the given values, or -1: default */
    struct sql_expr **defaults; /* per visible column; bound when first needed */
};

static enum status map_default(struct binder *binder, struct insert_map *map, uint32_t column,
                               struct sql_expr **out) {
    if (map->defaults[column] == NULL) {
        TRY(bind_column_default(binder, &map->table->columns[column], &map->defaults[column]));
    }
    *out = map->defaults[column];
    return STATUS_OK;
}

static enum status map_columns(struct binder *binder, const struct ast_insert *insert,
                               struct insert_map *map) {
    const struct sql_table *table = map->table;
    map->sources = ARENA_ARRAY(binder->arena, int, table->column_count + 1);
    map->targets = ARENA_ARRAY(binder->arena, uint32_t, table->column_count + 1);
    map->defaults = ARENA_ARRAY(binder->arena, struct sql_expr *, table->column_count + 1);
    for (uint32_t i = 0; i < table->column_count; i++) {
        map->sources[i] = -1;
        if (!table->columns[i].hidden) map->visible_count++;
    }
    if (insert->columns.count == 0) {
        for (uint32_t i = 0; i < map->visible_count; i++)
            map->targets[map->target_count++] = i;
    }
    for (size_t i = 0; i < insert->columns.count; i++) {
        uint32_t column = 0;
        const char *name = insert->columns.items[i];
        int position = insert->columns.positions[i];
        TRY(bind_target_column(binder, table, name, position, &column));
        if (map->sources[column] >= 0) {
            return sql_error_set_at(binder->error, position, SQLSTATE_DUPLICATE_COLUMN,
                                    "column \"%s\" specified more than once", name);
        }
        map->sources[column] = (int)i;
        map->targets[map->target_count++] = column;
    }
    return STATUS_OK;
}

/* Where an expression's text starts: an operator stands behind its first operand. */
static int ast_start(const struct ast_expr *expr) {
    int start = expr->position;
    for (size_t i = 0; i < expr->args.count; i++) {
        int first = ast_start(expr->args.items[i]);
        if (first < start) start = first;
    }
    return start;
}

/* Settles how many of the targets are given: fewer only without a column list. `extra` is the
 * position of the first value too many. */
static enum status map_width(struct binder *binder, const struct ast_insert *insert,
                             struct insert_map *map, size_t width, int extra) {
    if (width > map->target_count) {
        return sql_error_set_at(binder->error, extra, SQLSTATE_SYNTAX_ERROR,
                                "INSERT has more expressions than target columns");
    }
    if (insert->columns.count > width) {
        return sql_error_set_at(binder->error, insert->columns.positions[width],
                                SQLSTATE_SYNTAX_ERROR,
                                "INSERT has more target columns than expressions");
    }
    for (uint32_t i = 0; i < map->target_count; i++) {
        map->sources[map->targets[i]] = i < width ? (int)i : -1;
    }
    return STATUS_OK;
}

/* One row of VALUES as a row of the table. */
static enum status insert_row(struct binder *binder, struct insert_map *map,
                              const struct ast_exprs *row, struct sql_expr **out) {
    for (size_t i = 0; i < row->count; i++) {
        uint32_t column = map->targets[i];
        const struct sql_table_column *target = &map->table->columns[column];
        if (row->items[i]->kind == AST_DEFAULT) {
            TRY(map_default(binder, map, column, &out[column]));
            continue;
        }
        struct sql_expr *value = NULL;
        TRY(bind_expr_in(binder, row->items[i], "VALUES", &value));
        TRY(sql_build_assignment(binder->build, value, target->type, target->name, &out[column],
                                 binder->error));
    }
    for (uint32_t column = 0; column < map->visible_count; column++) {
        if (map->sources[column] >= 0) continue;
        TRY(map_default(binder, map, column, &out[column]));
    }
    return STATUS_OK;
}

static void insert_outputs(struct binder *binder, const struct insert_map *map) {
    for (uint32_t i = 0; i < map->visible_count; i++) {
        struct bound_output *output = bind_add_output(binder, NULL, map->table->columns[i].name);
        output->column.type = map->table->columns[i].type;
    }
    binder->block->select->visible_count = map->visible_count;
}

static enum status insert_values(struct binder *binder, const struct ast_insert *insert,
                                 struct insert_map *map) {
    static const struct ast_exprs no_values = {0};
    struct bound_select *source = binder->block->select;
    const struct ast_exprs *rows = insert->source != NULL ? insert->source->rows : &no_values;
    size_t width = rows[0].count;
    source->row_count = insert->source != NULL ? insert->source->row_count : 1;
    for (size_t i = 0; i < source->row_count; i++) {
        if (rows[i].count == width) continue;
        return sql_error_set_at(binder->error, ast_start(rows[i].items[0]), SQLSTATE_SYNTAX_ERROR,
                                "VALUES lists must all be the same length");
    }
    int extra = width > map->target_count ? ast_start(rows[0].items[map->target_count]) : 0;
    TRY(map_width(binder, insert, map, width, extra));
    source->rows = ARENA_ARRAY(binder->arena, struct sql_expr **, source->row_count);
    for (size_t i = 0; i < source->row_count; i++) {
        source->rows[i] = ARENA_ARRAY(binder->arena, struct sql_expr *, map->visible_count + 1);
        TRY(insert_row(binder, map, &rows[i], source->rows[i]));
        if (binder->arena->over_budget) break;
    }
    insert_outputs(binder, map);
    return STATUS_OK;
}

/* A column of the query as a value for a column of the table. A literal that the query left untyped
 * takes the table's type. */
static enum status query_value(struct binder *binder, struct bound_select *query, uint32_t index,
                               const struct sql_table_column *target, struct sql_expr **out) {
    struct bound_output *output = &query->outputs[index];
    struct sql_expr *value = NULL;
    if (output->expr != NULL && output->expr->type == SQL_UNKNOWN) {
        value = output->expr;
        TRY(sql_build_assignment(binder->build, value, target->type, target->name, out,
                                 binder->error));
        TRY(sql_build_output(binder->build, output->expr, &output->expr, binder->error));
        output->column.type = (struct sql_typed){output->expr->type, output->expr->typmod};
        return STATUS_OK;
    }
    int position = output->expr != NULL ? output->expr->position : 0;
    value = sql_build_column(binder->build, 0, index, output->column.type, output->column.name,
                             position);
    return sql_build_assignment(binder->build, value, target->type, target->name, out,
                                binder->error);
}

static enum status insert_query(struct binder *binder, const struct ast_insert *insert,
                                struct insert_map *map) {
    struct bound_select *query = NULL;
    struct scope scope;
    TRY(bind_select(binder, insert->source, SELECT_KEEP_UNKNOWN, &query));
    uint32_t width = query->visible_count;
    const struct sql_expr *first_extra =
        width > map->target_count ? query->outputs[map->target_count].expr : NULL;
    TRY(map_width(binder, insert, map, width, first_extra != NULL ? bound_start(first_extra) : 0));
    struct sql_expr **values = ARENA_ARRAY(binder->arena, struct sql_expr *, width + 1);
    for (uint32_t i = 0; i < width; i++) {
        TRY(query_value(binder, query, i, &map->table->columns[map->targets[i]], &values[i]));
    }
    TRY(scope_of_relation(binder, bound_subquery_relation(binder, query, "*SELECT*"), NULL,
                          &scope));
    for (uint32_t column = 0; column < map->visible_count; column++) {
        struct sql_expr *value = NULL;
        if (map->sources[column] >= 0) {
            value = values[map->sources[column]];
        } else {
            TRY(map_default(binder, map, column, &value));
        }
        bind_add_output(binder, value, map->table->columns[column].name);
    }
    binder->block->select->visible_count = map->visible_count;
    return STATUS_OK;
}

enum status bind_insert(struct binder *binder, const struct ast_insert *insert,
                        struct bound_insert **out) {
    struct block block = {.select = ARENA_NEW(binder->arena, struct bound_select)};
    struct insert_map map = {0};
    TRY(bind_table(binder, &insert->relation, &map.table));
    TRY(map_columns(binder, insert, &map));
    TRY(refuse_returning(binder, insert->returning, insert->returning_count));
    const struct ast_select *source = insert->source;
    bool values = source == NULL || (source->rows != NULL && source->order_count == 0 &&
                                     source->limit == NULL && source->offset == NULL);
    block.target = map.table;
    binder->block = &block;
    enum status status =
        values ? insert_values(binder, insert, &map) : insert_query(binder, insert, &map);
    binder->block = NULL;
    if (status != STATUS_OK) return status;
    *out = ARENA_NEW(binder->arena, struct bound_insert);
    (*out)->table = map.table;
    (*out)->source = block.select;
    return STATUS_OK;
}

/* ---- UPDATE and DELETE ---------------------------------------------------------------------- */

/* A block over one table, with a condition. */
static enum status bind_rows_of(struct binder *binder, const struct ast_relation *relation,
                                const char *alias, const struct ast_expr *where,
                                const struct sql_table **table) {
    struct block *block = binder->block;
    TRY(bind_table(binder, relation, table));
    TRY(scope_of_relation(binder, bound_table_relation(binder, *table, alias), NULL,
                          &block->scope));
    if (where == NULL) return STATUS_OK;
    return bind_condition(binder, where, "WHERE", "WHERE", &block->select->conjuncts,
                          &block->select->conjunct_count);
}

static enum status bind_assignment(struct binder *binder, const struct sql_table *table,
                                   const struct ast_assignment *assignment,
                                   struct sql_plan_assignment *out) {
    TRY(bind_target_column(binder, table, assignment->column, assignment->position, &out->column));
    const struct sql_table_column *target = &table->columns[out->column];
    if (assignment->value->kind == AST_DEFAULT) {
        return bind_column_default(binder, target, &out->value);
    }
    struct sql_expr *value = NULL;
    TRY(bind_expr_in(binder, assignment->value, "UPDATE", &value));
    return sql_build_assignment(binder->build, value, target->type, target->name, &out->value,
                                binder->error);
}

static enum status bind_update_block(struct binder *binder, const struct ast_update *update,
                                     struct bound_update *out) {
    TRY(bind_rows_of(binder, &update->relation, update->alias, update->where, &out->table));
    TRY(refuse_returning(binder, update->returning, update->returning_count));
    out->assignments =
        ARENA_ARRAY(binder->arena, struct sql_plan_assignment, update->assignment_count);
    for (size_t i = 0; i < update->assignment_count; i++) {
        struct sql_plan_assignment *assignment = &out->assignments[i];
        TRY(bind_assignment(binder, out->table, &update->assignments[i], assignment));
        for (uint32_t j = 0; j < out->assignment_count; j++) {
            if (out->assignments[j].column != assignment->column) continue;
            return sql_error_set(binder->error, SQLSTATE_SYNTAX_ERROR,
                                 "multiple assignments to same column \"%s\"",
                                 update->assignments[i].column);
        }
        out->assignment_count++;
    }
    return STATUS_OK;
}

enum status bind_update(struct binder *binder, const struct ast_update *update,
                        struct bound_update **out) {
    struct block block = {.select = ARENA_NEW(binder->arena, struct bound_select)};
    *out = ARENA_NEW(binder->arena, struct bound_update);
    (*out)->rows = block.select;
    binder->block = &block;
    enum status status = bind_update_block(binder, update, *out);
    binder->block = NULL;
    return status;
}

enum status bind_delete(struct binder *binder, const struct ast_delete *delete_,
                        struct bound_delete **out) {
    struct block block = {.select = ARENA_NEW(binder->arena, struct bound_select)};
    *out = ARENA_NEW(binder->arena, struct bound_delete);
    (*out)->rows = block.select;
    binder->block = &block;
    enum status status =
        bind_rows_of(binder, &delete_->relation, delete_->alias, delete_->where, &(*out)->table);
    binder->block = NULL;
    if (status != STATUS_OK) return status;
    return refuse_returning(binder, delete_->returning, delete_->returning_count);
}
