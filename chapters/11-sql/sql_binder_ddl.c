/* sql_binder_ddl.c - CREATE TABLE: types, defaults and the primary key of a table to be. */

#include "sql_binder_internal.h"

enum { TABLE_COLUMNS_MAX = 1600 };

/* A default must bind without columns and fit the column's type by assignment. */
static enum status check_default(struct binder *binder, const struct ast_column_def *def,
                                 struct sql_typed type) {
    struct block alone = {.clause = "DEFAULT expressions", .in_default = true};
    struct sql_expr *expr = NULL;
    struct sql_expr *converted = NULL;
    binder->block = &alone;
    enum status status = bind_expr(binder, def->default_value, &expr);
    binder->block = NULL;
    if (status != STATUS_OK) return status;
    enum sql_type given = expr->type;
    TRY(sql_build_coerce(binder->build, expr, type, SQL_CAST_ASSIGNMENT, &converted,
                         binder->error));
    if (converted != NULL) return STATUS_OK;
    (void)sql_error_set(binder->error, SQLSTATE_DATATYPE_MISMATCH,
                        "column \"%s\" is of type %s but default expression is of type %s",
                        def->name, sql_type_format(binder->arena, type.type, -1),
                        sql_type_format(binder->arena, given, -1));
    sql_error_hint(binder->error, "You will need to rewrite or cast the expression.");
    return STATUS_INVALID;
}

static enum status bind_column_def(struct binder *binder, const struct ast_column_def *def,
                                   struct sql_table_column *out) {
    *out = (struct sql_table_column){.name = def->name, .not_null = def->not_null};
    TRY(bind_type(binder, def->type, &out->type));
    if (def->default_value == NULL) return STATUS_OK;
    TRY(check_default(binder, def, out->type));
    out->default_text = arena_string(binder->arena, def->default_text);
    return STATUS_OK;
}

static enum status bind_columns(struct binder *binder, const struct ast_create_table *create,
                                struct sql_table_column *columns) {
    if (create->column_count > TABLE_COLUMNS_MAX) {
        return sql_error_set(binder->error, SQLSTATE_TOO_MANY_COLUMNS,
                             "tables can have at most %d columns", TABLE_COLUMNS_MAX);
    }
    for (size_t i = 0; i < create->column_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(create->columns[i].name, create->columns[j].name) != 0) continue;
            return sql_error_set(binder->error, SQLSTATE_DUPLICATE_COLUMN,
                                 "column \"%s\" specified more than once", create->columns[i].name);
        }
        TRY(bind_column_def(binder, &create->columns[i], &columns[i]));
    }
    return STATUS_OK;
}

/* ---- the primary key ------------------------------------------------------------------------ */

/* Where the key is declared: at most once, at a column or by a constraint of the table. */
static enum status find_key(struct binder *binder, const struct ast_create_table *create,
                            struct ast_names *key, const char **name, int *position) {
    size_t keys = 0;
    for (size_t i = 0; i < create->column_count; i++) {
        const struct ast_column_def *column = &create->columns[i];
        if (!column->primary_key) continue;
        keys += column->primary_key_twice ? 2 : 1;
        *position = column->primary_key_position;
        *name = column->primary_key_name;
        key->count = 1;
        key->items = ARENA_ARRAY(binder->arena, const char *, 1);
        key->items[0] = column->name;
    }
    if (create->primary_key.count > 0) {
        keys += create->primary_key_twice_position > 0 ? 2 : 1;
        *position = create->primary_key_position;
        *name = create->primary_key_name;
        *key = create->primary_key;
    }
    if (keys <= 1) return STATUS_OK;
    return sql_error_set_at(binder->error, *position, SQLSTATE_INVALID_TABLE_DEFINITION,
                            "multiple primary keys for table \"%s\" are not allowed",
                            create->relation.name);
}

static enum status bind_key_column(struct binder *binder, struct sql_table *table,
                                   struct sql_table_column *columns, const char *name, int position,
                                   uint32_t *key) {
    int index = sql_table_find_column(table, name);
    if (index < 0) {
        return sql_error_set_at(binder->error, position, SQLSTATE_UNDEFINED_COLUMN,
                                "column \"%s\" named in key does not exist", name);
    }
    for (uint32_t i = 0; i < table->key_count; i++) {
        if (key[i] != (uint32_t)index) continue;
        return sql_error_set_at(binder->error, position, SQLSTATE_DUPLICATE_COLUMN,
                                "column \"%s\" appears twice in primary key constraint", name);
    }
    columns[index].not_null = true;
    key[table->key_count++] = (uint32_t)index;
    return STATUS_OK;
}

/* The constraint's name unless one is given: the table's, cut so that the whole fits. */
static const char *default_key_name(struct binder *binder, const char *table) {
    static const char suffix[] = "_pkey";
    int room = SQL_NAME_MAX - (int)sizeof(suffix) + 1;
    int len = (int)strlen(table) < room ? (int)strlen(table) : room;
    while (len > 0 && ((uint8_t)table[len] & 0xc0) == 0x80)
        len--;
    return arena_printf(binder->arena, "%.*s%s", len, table, suffix);
}

static enum status bind_key(struct binder *binder, const struct ast_create_table *create,
                            struct sql_table *table, struct sql_table_column *columns) {
    struct ast_names names = {0};
    const char *name = NULL;
    int position = 0;
    TRY(find_key(binder, create, &names, &name, &position));
    uint32_t *key = ARENA_ARRAY(binder->arena, uint32_t, names.count + 1);
    table->key = key;
    for (size_t i = 0; i < names.count; i++) {
        TRY(bind_key_column(binder, table, columns, names.items[i], position, key));
    }
    if (names.count > 0) {
        table->key_name = name != NULL ? name : default_key_name(binder, table->name);
        return STATUS_OK;
    }
    columns[table->column_count] = (struct sql_table_column){
        .name = SQL_ROWID_NAME, .type = SQL_TYPED(SQL_INT8), .not_null = true, .hidden = true};
    key[0] = table->column_count++;
    table->key_count = 1;
    return STATUS_OK;
}

enum status bind_create_table(struct binder *binder, const struct ast_create_table *create,
                              struct bound_create_table **out) {
    struct sql_table *table = ARENA_NEW(binder->arena, struct sql_table);
    struct sql_table_column *columns =
        ARENA_ARRAY(binder->arena, struct sql_table_column, create->column_count + 1);
    if (create->relation.schema != NULL && strcmp(create->relation.schema, "public") != 0) {
        return sql_error_set_at(binder->error, create->relation.position, "3F000",
                                "schema \"%s\" does not exist", create->relation.schema);
    }
    table->schema = "public";
    table->name = create->relation.name;
    table->columns = columns;
    TRY(bind_columns(binder, create, columns));
    table->column_count = (uint32_t)create->column_count;
    TRY(bind_key(binder, create, table, columns));
    *out = ARENA_NEW(binder->arena, struct bound_create_table);
    **out = (struct bound_create_table){.if_not_exists = create->if_not_exists,
                                        .table = table,
                                        .position = create->relation.position};
    return STATUS_OK;
}
