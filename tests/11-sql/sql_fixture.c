/* sql_fixture.c - see sql_fixture.h. */
#include "sql_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status find_table(void *context, const char *schema, const char *name,
                              const struct sql_table **out, struct sql_error *error) {
    struct sql_fixture *fixture = context;
    (void)error;
    if (schema != NULL && strcmp(schema, "public") != 0) return STATUS_NOT_FOUND;
    for (size_t i = 0; i < fixture->table_count; i++) {
        if (strcmp(fixture->tables[i]->name, name) != 0) continue;
        *out = fixture->tables[i];
        return STATUS_OK;
    }
    return STATUS_NOT_FOUND;
}

enum status sql_fixture_bind_parsed(struct sql_fixture *fixture,
                                    const struct ast_statement *statement,
                                    struct bound_statement **out) {
    if (statement->kind > AST_CREATE_TABLE) return STATUS_OK;
    fixture->build = (struct sql_build){.arena = &fixture->arena};
    return sql_bind(&fixture->build, &fixture->catalog, statement, out, &fixture->error);
}

void sql_fixture_init(struct sql_fixture *fixture, const char *ddl) {
    *fixture = (struct sql_fixture){0};
    arena_init(&fixture->arena, 0);
    fixture->catalog = (struct sql_catalog){fixture, find_table};
    struct ast_script script;
    enum status status = sql_parse(&fixture->arena, slice_of_string(ddl), &script, &fixture->error);
    for (size_t i = 0; status == STATUS_OK && i < script.count; i++) {
        struct bound_statement *bound = NULL;
        status = sql_fixture_bind_parsed(fixture, script.statements[i], &bound);
        if (status != STATUS_OK) break;
        struct sql_table *table = bound->create_table->table;
        struct sql_table_column *columns =
            arena_dup(&fixture->arena, table->columns, sizeof(*columns) * table->column_count);
        for (uint32_t j = 0; j < table->column_count; j++)
            columns[j].id = j + 1;
        table->columns = columns;
        table->id = i + 1;
        fixture->tables[fixture->table_count++] = table;
    }
    if (status == STATUS_OK) return;
    fprintf(stderr, "fixture: %s\n", fixture->error.message);
    abort();
}

void sql_fixture_deinit(struct sql_fixture *fixture) { arena_deinit(&fixture->arena); }

enum status sql_fixture_bind(struct sql_fixture *fixture, const char *text,
                             struct bound_statement **out) {
    struct ast_script script;
    sql_error_clear(&fixture->error);
    TRY(sql_parse(&fixture->arena, slice_of_string(text), &script, &fixture->error));
    if (script.count != 1) abort();
    return sql_fixture_bind_parsed(fixture, script.statements[0], out);
}
