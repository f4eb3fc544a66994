/* sql_catalog.h - what the binder and the planner may know about tables: a reading contract.
 *
 * Whoever stores the catalog implements it; binder and planner see only these structs.
 *
 *  1. A descriptor is immutable. A change of the table's shape makes a new one with a higher
 *     `version`; a plan names the version that it was made for.
 *  2. Column ids are never reused within a table: rows on disk name columns by id, so that a
 *     dropped column leaves no ghost.
 *  3. Every table has a primary key. One declared without gets a hidden column "rowid" (INT8, not
 *     null, value chosen by the executor), always the last, which is then the key. `*` does not
 *     show hidden columns, and no name in a statement finds them.
 *  4. Key columns are not null and are stored in the key in the order of `key`. */
#ifndef CAIRN_SQL_CATALOG_H
#define CAIRN_SQL_CATALOG_H

#include "sql_type.h"

struct sql_table_column {
    uint32_t id; /* stable, from 1 */
    const char *name;
    struct sql_typed type;
    bool not_null;
    bool hidden;
    const char *default_text; /* an expression in SQL, or NULL: default NULL */
};

struct sql_table {
    uint64_t id; /* never reused */
    uint64_t version;
    const char *schema; /* "public" */
    const char *name;
    const struct sql_table_column *columns; /* in order of declaration */
    uint32_t column_count;
    const uint32_t *key;  /* indexes into `columns` */
    uint32_t key_count;   /* at least 1 */
    const char *key_name; /* of the constraint, "t_pkey"; NULL if the key is the hidden column */
};

struct sql_catalog {
    void *context;
    /* The table visible to the current transaction under this name; `schema` NULL: along the search
     * path. STATUS_NOT_FOUND if there is none (error untouched), else a failure with `error` filled
     * in. What it returns lives at least as long as the statement's arena. May suspend. */
    enum status (*find_table)(void *context, const char *schema, const char *name,
                              const struct sql_table **out, struct sql_error *error);
};

/* Of the hidden column; a visible one may have the same name (rule 3). */
#define SQL_ROWID_NAME "rowid"

/* Index of a visible column by name, or -1. */
static inline int sql_table_find_column(const struct sql_table *table, const char *name) {
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (!table->columns[i].hidden && strcmp(table->columns[i].name, name) == 0) return (int)i;
    }
    return -1;
}

#endif
