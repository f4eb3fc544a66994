/* sql_binder.c - binds a statement: dispatch, and what concerns the statement as a whole.
 *
 * The binder's parts: sql_binder_scope.c (names), _expr.c (expressions), _select.c (queries),
 * _group.c (ORDER BY, GROUP BY), _dml.c and _ddl.c. */
#include "sql_binder.h"

#include <assert.h>

#include "sql_binder_internal.h"

static enum status bind_kind(struct binder *binder, const struct ast_statement *statement,
                             struct bound_statement *out) {
    out->kind = statement->kind;
    switch (statement->kind) {
    case AST_SELECT:
        return bind_select(binder, statement->select, 0, &out->select);
    case AST_INSERT:
        return bind_insert(binder, statement->insert, &out->insert);
    case AST_UPDATE:
        return bind_update(binder, statement->update, &out->update);
    case AST_DELETE:
        return bind_delete(binder, statement->delete_, &out->delete_);
    default:
        assert(statement->kind == AST_CREATE_TABLE);
        return bind_create_table(binder, statement->create_table, &out->create_table);
    }
}

enum status sql_bind(struct sql_build *build, const struct sql_catalog *catalog,
                     const struct ast_statement *statement, struct bound_statement **out,
                     struct sql_error *error) {
    struct binder binder = {.build = build,
                            .arena = build->arena,
                            .catalog = catalog,
                            .error = error,
                            .nodes_left = BIND_NODES_MAX};
    *out = ARENA_NEW(build->arena, struct bound_statement);
    (*out)->build = build;
    TRY(bind_kind(&binder, statement, *out));
    TRY(sql_build_check_params(build, error));
    struct error lower = {0};
    if (arena_check(build->arena, &lower) != STATUS_OK) return sql_error_from(error, &lower);
    return STATUS_OK;
}

const struct bound_column *bound_statement_columns(struct arena *arena,
                                                   const struct bound_statement *statement,
                                                   uint32_t *count) {
    *count = 0;
    if (statement->kind != AST_SELECT) return NULL;
    const struct bound_select *select = statement->select;
    struct bound_column *columns =
        ARENA_ARRAY(arena, struct bound_column, select->visible_count + 1);
    for (uint32_t i = 0; i < select->visible_count; i++)
        columns[i] = select->outputs[i].column;
    *count = select->visible_count;
    return columns;
}
