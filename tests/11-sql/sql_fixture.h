/* sql_fixture.h - a catalog made from CREATE TABLE statements, and statements bound against it. */
#ifndef CAIRN_SQL_FIXTURE_H
#define CAIRN_SQL_FIXTURE_H

#include "arena.h"
#include "sql_binder.h"
#include "sql_parser.h"

struct sql_fixture {
    struct arena arena; /* of the catalog and of what is bound */
    const struct sql_table *tables[16];
    size_t table_count;
    struct sql_catalog catalog;
    struct sql_build build; /* of the last statement */
    struct sql_error error;
};

/* Fails the test if a statement of `ddl` does not bind. */
void sql_fixture_init(struct sql_fixture *fixture, const char *ddl);
void sql_fixture_deinit(struct sql_fixture *fixture);
/* Parses and binds one statement; the error is in fixture->error. */
enum status sql_fixture_bind(struct sql_fixture *fixture, const char *text,
                             struct bound_statement **out);
/* Binds a statement that is parsed already; OK for those that need no binding. */
enum status sql_fixture_bind_parsed(struct sql_fixture *fixture,
                                    const struct ast_statement *statement,
                                    struct bound_statement **out);

#endif
