/* sql_binder_scope.c - names of tables and columns: what is visible where, and what is meant.
 *
 * A scope lists the columns that an unqualified name may mean, in the order of `*`, and the
 * relations that a qualifier may name. JOIN ... ON sees what its two sides bring; everything else
 * sees what the whole FROM brings. */
#include "sql_binder_internal.h"

void *bind_grow(struct binder *binder, void *items, size_t count, size_t item_size) {
    bool full = count == 0 || (count >= 4 && (count & (count - 1)) == 0);
    if (!full) return items;
    size_t capacity = count == 0 ? 4 : count * 2;
    void *larger = arena_zalloc(binder->arena, capacity * item_size);
    if (count > 0) memcpy(larger, items, count * item_size);
    return larger;
}

/* ---- relations ------------------------------------------------------------------------------ */

struct bound_relation bound_table_relation(struct binder *binder, const struct sql_table *table,
                                           const char *alias) {
    struct bound_column *columns =
        ARENA_ARRAY(binder->arena, struct bound_column, table->column_count + 1);
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i] = (struct bound_column){.name = table->columns[i].name,
                                           .type = table->columns[i].type,
                                           .table_id = table->id,
                                           .column_id = table->columns[i].id};
    }
    return (struct bound_relation){.kind = BOUND_TABLE,
                                   .name = alias != NULL ? alias : table->name,
                                   .table = table,
                                   .columns = columns,
                                   .column_count = table->column_count};
}

struct bound_relation bound_subquery_relation(struct binder *binder,
                                              const struct bound_select *subquery,
                                              const char *alias) {
    struct bound_column *columns =
        ARENA_ARRAY(binder->arena, struct bound_column, subquery->visible_count + 1);
    for (uint32_t i = 0; i < subquery->visible_count; i++) {
        columns[i] = subquery->outputs[i].column;
    }
    return (struct bound_relation){.kind = BOUND_SUBQUERY,
                                   .name = alias,
                                   .subquery = subquery,
                                   .columns = columns,
                                   .column_count = subquery->visible_count};
}

static bool is_hidden(const struct bound_relation *relation, uint32_t column) {
    return relation->kind == BOUND_TABLE && relation->table->columns[column].hidden;
}

static uint32_t visible_count(const struct bound_relation *relation) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < relation->column_count; i++)
        count += !is_hidden(relation, i);
    return count;
}

/* FROM t AS a(x, y): the columns' names from the left. */
static enum status rename_columns(struct binder *binder, struct bound_relation *relation,
                                  const struct ast_names *names) {
    uint32_t available = visible_count(relation);
    if (names->count > available) {
        return sql_error_set(binder->error, SQLSTATE_INVALID_COLUMN_REFERENCE,
                             "table \"%s\" has %u columns available but %zu columns specified",
                             relation->name, available, names->count);
    }
    struct bound_column *columns = arena_dup(binder->arena, relation->columns,
                                             sizeof(*columns) * (relation->column_count + 1));
    for (size_t i = 0; i < names->count; i++)
        columns[i].name = names->items[i];
    relation->columns = columns;
    return STATUS_OK;
}

enum status scope_of_relation(struct binder *binder, struct bound_relation relation,
                              const struct ast_names *alias_columns, struct scope *scope) {
    struct bound_select *select = binder->block->select;
    if (alias_columns != NULL && alias_columns->count > 0) {
        TRY(rename_columns(binder, &relation, alias_columns));
    }
    uint32_t number = select->relation_count;
    BIND_APPEND(binder, select->relations, select->relation_count, relation);
    *scope = (struct scope){0};
    scope->columns =
        ARENA_ARRAY(binder->arena, struct scope_column, (size_t)relation.column_count + 1);
    for (uint32_t i = 0; i < relation.column_count; i++) {
        if (is_hidden(&relation, i)) continue;
        scope->columns[scope->column_count++] =
            (struct scope_column){relation.columns[i].name, number, i};
    }
    scope->relations = ARENA_ARRAY(binder->arena, uint32_t, 1);
    scope->relations[0] = number;
    scope->relation_count = 1;
    return STATUS_OK;
}

static const struct bound_relation *relation_at(const struct binder *binder, uint32_t number) {
    return &binder->block->select->relations[number];
}

/* Two tables of the same name in different schemas may stand side by side if neither has an
 * alias. */
static bool names_conflict(const struct bound_relation *a, const struct bound_relation *b) {
    if (strcmp(a->name, b->name) != 0) return false;
    bool plain = a->kind == BOUND_TABLE && b->kind == BOUND_TABLE && a->name == a->table->name &&
                 b->name == b->table->name;
    return !plain || a->table->id == b->table->id;
}

enum status scope_concat(struct binder *binder, const struct scope *left, const struct scope *right,
                         struct scope *out) {
    for (size_t i = 0; i < left->relation_count; i++) {
        for (size_t j = 0; j < right->relation_count; j++) {
            const struct bound_relation *a = relation_at(binder, left->relations[i]);
            const struct bound_relation *b = relation_at(binder, right->relations[j]);
            if (!names_conflict(a, b)) continue;
            return sql_error_set(binder->error, SQLSTATE_DUPLICATE_ALIAS,
                                 "table name \"%s\" specified more than once", b->name);
        }
    }
    struct scope both = {0};
    both.column_count = left->column_count + right->column_count;
    both.columns = ARENA_ARRAY(binder->arena, struct scope_column, both.column_count + 1);
    both.relation_count = left->relation_count + right->relation_count;
    both.relations = ARENA_ARRAY(binder->arena, uint32_t, both.relation_count + 1);
    for (size_t i = 0; i < both.column_count; i++) {
        both.columns[i] =
            i < left->column_count ? left->columns[i] : right->columns[i - left->column_count];
    }
    for (size_t i = 0; i < both.relation_count; i++) {
        both.relations[i] = i < left->relation_count ? left->relations[i]
                                                     : right->relations[i - left->relation_count];
    }
    *out = both;
    return STATUS_OK;
}

/* ---- tables --------------------------------------------------------------------------------- */

enum status bind_table(struct binder *binder, const struct ast_relation *relation,
                       const struct sql_table **out) {
    enum status status = binder->catalog->find_table(binder->catalog->context, relation->schema,
                                                     relation->name, out, binder->error);
    if (status == STATUS_OK) return STATUS_OK;
    if (status != STATUS_NOT_FOUND) return status;
    if (relation->schema != NULL) {
        return sql_error_set_at(binder->error, relation->position, SQLSTATE_UNDEFINED_TABLE,
                                "relation \"%s.%s\" does not exist", relation->schema,
                                relation->name);
    }
    return sql_error_set_at(binder->error, relation->position, SQLSTATE_UNDEFINED_TABLE,
                            "relation \"%s\" does not exist", relation->name);
}

enum status bind_target_column(struct binder *binder, const struct sql_table *table,
                               const char *name, int position, uint32_t *out) {
    int index = sql_table_find_column(table, name);
    if (index < 0) {
        return sql_error_set_at(binder->error, position, SQLSTATE_UNDEFINED_COLUMN,
                                "column \"%s\" of relation \"%s\" does not exist", name,
                                table->name);
    }
    *out = (uint32_t)index;
    return STATUS_OK;
}

/* Does `qualifier`, perhaps with a schema, name this relation? */
static bool is_named(const struct bound_relation *relation, const char *schema,
                     const char *qualifier) {
    if (schema == NULL) return strcmp(relation->name, qualifier) == 0;
    return relation->kind == BOUND_TABLE && relation->name == relation->table->name &&
           strcmp(relation->table->schema, schema) == 0 && strcmp(relation->name, qualifier) == 0;
}

static enum status invalid_reference(struct binder *binder, const struct ast_expr *name,
                                     const char *alias) {
    (void)sql_error_set_at(binder->error, name->position, SQLSTATE_UNDEFINED_TABLE,
                           "invalid reference to FROM-clause entry for table \"%s\"", name->table);
    if (alias != NULL) {
        sql_error_hint(binder->error, "Perhaps you meant to reference the table alias \"%s\".",
                       alias);
    } else {
        sql_error_hint(binder->error,
                       "There is an entry for table \"%s\", but it cannot be referenced from this "
                       "part of the query.",
                       name->table);
    }
    return STATUS_INVALID;
}

/* Nothing in scope has this name: perhaps it is elsewhere in FROM, or hidden by its alias. */
static enum status missing_relation(struct binder *binder, const struct ast_expr *name) {
    const struct block *block = binder->block;
    const struct bound_select *select = block->select;
    for (uint32_t i = 0; select != NULL && i < select->relation_count; i++) {
        const struct bound_relation *relation = &select->relations[i];
        if (is_named(relation, name->schema, name->table)) {
            return invalid_reference(binder, name, NULL);
        }
        if (relation->kind == BOUND_TABLE && strcmp(relation->table->name, name->table) == 0) {
            return invalid_reference(binder, name, relation->name);
        }
    }
    if (block->target != NULL && strcmp(block->target->name, name->table) == 0) {
        return invalid_reference(binder, name, NULL);
    }
    return sql_error_set_at(binder->error, name->position, SQLSTATE_UNDEFINED_TABLE,
                            "missing FROM-clause entry for table \"%s\"", name->table);
}

static enum status find_relation(struct binder *binder, const struct ast_expr *name,
                                 uint32_t *out) {
    const struct scope *scope = &binder->block->scope;
    size_t found = 0;
    for (size_t i = 0; i < scope->relation_count; i++) {
        if (!is_named(relation_at(binder, scope->relations[i]), name->schema, name->table))
            continue;
        *out = scope->relations[i];
        found++;
    }
    if (found == 1) return STATUS_OK;
    if (found == 0) return missing_relation(binder, name);
    return sql_error_set_at(binder->error, name->position, "42P09",
                            "table reference \"%s\" is ambiguous", name->table);
}

/* ---- columns -------------------------------------------------------------------------------- */

struct sql_expr *scope_column_expr(struct binder *binder, const struct scope_column *column,
                                   int position) {
    const struct bound_column *bound =
        &relation_at(binder, column->relation)->columns[column->index];
    return sql_build_column(binder->build, column->relation, column->index, bound->type,
                            bound->name, position);
}

static enum status bind_qualified(struct binder *binder, const struct ast_expr *name,
                                  struct sql_expr **out) {
    uint32_t number = 0;
    TRY(find_relation(binder, name, &number));
    const struct bound_relation *relation = relation_at(binder, number);
    struct scope_column column = {.relation = number};
    size_t found = 0;
    for (uint32_t i = 0; i < relation->column_count; i++) {
        if (is_hidden(relation, i) || strcmp(relation->columns[i].name, name->name) != 0) continue;
        column.index = i;
        found++;
    }
    if (found > 1) {
        return sql_error_set_at(binder->error, name->position, SQLSTATE_AMBIGUOUS_COLUMN,
                                "column reference \"%s\" is ambiguous", name->name);
    }
    if (found == 0) {
        (void)sql_error_set_at(binder->error, name->position, SQLSTATE_UNDEFINED_COLUMN,
                               "column %s.%s does not exist", name->table, name->name);
        hint_column(binder, name);
        return STATUS_INVALID;
    }
    *out = scope_column_expr(binder, &column, name->position);
    return STATUS_OK;
}

static enum status bind_unqualified(struct binder *binder, const struct ast_expr *name,
                                    struct sql_expr **out) {
    const struct scope *scope = &binder->block->scope;
    const struct scope_column *column = NULL;
    for (size_t i = 0; i < scope->column_count; i++) {
        if (strcmp(scope->columns[i].name, name->name) != 0) continue;
        if (column != NULL) {
            return sql_error_set_at(binder->error, name->position, SQLSTATE_AMBIGUOUS_COLUMN,
                                    "column reference \"%s\" is ambiguous", name->name);
        }
        column = &scope->columns[i];
    }
    if (column != NULL) {
        *out = scope_column_expr(binder, column, name->position);
        return STATUS_OK;
    }
    for (size_t i = 0; i < scope->relation_count; i++) {
        if (strcmp(relation_at(binder, scope->relations[i])->name, name->name) != 0) continue;
        return sql_error_set_at(binder->error, name->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "references to a whole row are not supported");
    }
    (void)sql_error_set_at(binder->error, name->position, SQLSTATE_UNDEFINED_COLUMN,
                           "column \"%s\" does not exist", name->name);
    hint_column(binder, name);
    return STATUS_INVALID;
}

enum status bind_column(struct binder *binder, const struct ast_expr *name, struct sql_expr **out) {
    if (binder->block->in_default) {
        return sql_error_set_at(binder->error, name->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                                "cannot use column reference in DEFAULT expression");
    }
    return name->table != NULL ? bind_qualified(binder, name, out)
                               : bind_unqualified(binder, name, out);
}

enum status scope_star(struct binder *binder, const struct ast_expr *star,
                       struct scope_column **out, size_t *count) {
    const struct scope *scope = &binder->block->scope;
    *out = scope->columns;
    *count = scope->column_count;
    if (star->table == NULL) {
        if (scope->relation_count > 0) return STATUS_OK;
        return sql_error_set_at(binder->error, star->position, SQLSTATE_SYNTAX_ERROR,
                                "SELECT * with no tables specified is not valid");
    }
    uint32_t number = 0;
    TRY(find_relation(binder, star, &number));
    const struct bound_relation *relation = relation_at(binder, number);
    *out = ARENA_ARRAY(binder->arena, struct scope_column, (size_t)relation->column_count + 1);
    *count = 0;
    for (uint32_t i = 0; i < relation->column_count; i++) {
        if (is_hidden(relation, i)) continue;
        (*out)[(*count)++] = (struct scope_column){relation->columns[i].name, number, i};
    }
    return STATUS_OK;
}
