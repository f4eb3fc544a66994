/* ast_print.c - syntax trees as SQL, for tests. Output re-parses to the same tree. */
#include "ast_print.h"

static void print_select(const struct ast_select *select, struct buf *out);

static void print_name(const char *name, struct buf *out) {
    buf_append_byte(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') buf_append_byte(out, '"');
        buf_append_byte(out, (uint8_t)*name);
    }
    buf_append_byte(out, '"');
}

static void print_string(struct slice text, struct buf *out) {
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'') buf_append_byte(out, '\'');
        buf_append_byte(out, text.data[i]);
    }
    buf_append_byte(out, '\'');
}

static void print_list(const struct ast_expr *const *items, size_t count, const char *separator,
                       struct buf *out) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_append_string(out, separator);
        ast_print_expr(items[i], out);
    }
}

static void print_args(const struct ast_expr *expr, const char *separator, struct buf *out) {
    buf_append_byte(out, '(');
    print_list((const struct ast_expr *const *)expr->args.items, expr->args.count, separator, out);
    buf_append_byte(out, ')');
}

static void print_type(const struct ast_type *type, struct buf *out) {
    if (type->schema != NULL) buf_printf(out, "\"%s\".", type->schema);
    buf_printf(out, "\"%s\"", type->name);
    for (size_t i = 0; i < type->modifier_count; i++) {
        buf_printf(out, "%s%lld", i == 0 ? "(" : ", ", (long long)type->modifiers[i]);
    }
    if (type->modifier_count > 0) buf_append_byte(out, ')');
    if (type->array) buf_append_string(out, "[]");
}

static void print_qualified(const struct ast_expr *expr, struct buf *out) {
    if (expr->schema != NULL) print_name(expr->schema, out);
    if (expr->schema != NULL) buf_append_byte(out, '.');
    if (expr->kind != AST_CALL && expr->table != NULL) {
        print_name(expr->table, out);
        buf_append_byte(out, '.');
    }
    if (expr->kind == AST_STAR) {
        buf_append_byte(out, '*');
    } else {
        print_name(expr->name, out);
    }
}

static void print_call(const struct ast_expr *expr, struct buf *out) {
    print_qualified(expr, out);
    buf_append_byte(out, '(');
    if (expr->star) buf_append_byte(out, '*');
    if (expr->distinct) buf_append_string(out, "DISTINCT ");
    print_list((const struct ast_expr *const *)expr->args.items, expr->args.count, ", ", out);
    buf_append_byte(out, ')');
    if (expr->filter != NULL) {
        buf_append_string(out, " FILTER (WHERE ");
        ast_print_expr(expr->filter, out);
        buf_append_byte(out, ')');
    }
}

static void print_case(const struct ast_expr *expr, struct buf *out) {
    buf_append_string(out, "CASE");
    if (expr->operand != NULL) {
        buf_append_byte(out, ' ');
        ast_print_expr(expr->operand, out);
    }
    for (size_t i = 0; i < expr->args.count; i += 2) {
        buf_append_string(out, " WHEN ");
        ast_print_expr(expr->args.items[i], out);
        buf_append_string(out, " THEN ");
        ast_print_expr(expr->args.items[i + 1], out);
    }
    if (expr->else_result != NULL) {
        buf_append_string(out, " ELSE ");
        ast_print_expr(expr->else_result, out);
    }
    buf_append_string(out, " END");
}

static void print_between(const struct ast_expr *expr, struct buf *out) {
    buf_append_byte(out, '(');
    ast_print_expr(expr->args.items[0], out);
    buf_printf(out, " %sBETWEEN %s", expr->negated ? "NOT " : "",
               expr->symmetric ? "SYMMETRIC " : "");
    ast_print_expr(expr->args.items[1], out);
    buf_append_string(out, " AND ");
    ast_print_expr(expr->args.items[2], out);
    buf_append_byte(out, ')');
}

static void print_in(const struct ast_expr *expr, struct buf *out) {
    buf_append_byte(out, '(');
    ast_print_expr(expr->args.items[0], out);
    buf_append_string(out, expr->negated ? " NOT IN (" : " IN (");
    print_list((const struct ast_expr *const *)expr->args.items + 1, expr->args.count - 1, ", ",
               out);
    buf_append_string(out, "))");
}

static void print_test(const struct ast_expr *expr, const char *what, struct buf *out) {
    buf_append_byte(out, '(');
    ast_print_expr(expr->args.items[0], out);
    buf_printf(out, " IS %s%s", expr->negated ? "NOT " : "", what);
    if (expr->kind == AST_DISTINCT_FROM) {
        buf_append_byte(out, ' ');
        ast_print_expr(expr->args.items[1], out);
    }
    buf_append_byte(out, ')');
}

static const char *like_word(const char *op) {
    if (strcmp(op, "~~") == 0) return "LIKE";
    if (strcmp(op, "!~~") == 0) return "NOT LIKE";
    if (strcmp(op, "~~*") == 0) return "ILIKE";
    if (strcmp(op, "!~~*") == 0) return "NOT ILIKE";
    return op;
}

static void print_operator(const struct ast_expr *expr, struct buf *out) {
    buf_append_byte(out, '(');
    if (expr->kind == AST_BINARY) {
        ast_print_expr(expr->args.items[0], out);
        buf_append_byte(out, ' ');
    }
    buf_printf(out, "%s ", like_word(expr->op));
    ast_print_expr(expr->args.items[expr->kind == AST_BINARY ? 1 : 0], out);
    buf_append_byte(out, ')');
}

static void print_leaf(const struct ast_expr *expr, struct buf *out) {
    switch (expr->kind) {
    case AST_INTEGER:
    case AST_NUMERIC:
        buf_append_slice(out, expr->text);
        break;
    case AST_STRING:
        print_string(expr->text, out);
        break;
    case AST_BOOLEAN:
        buf_append_string(out, expr->truth ? "TRUE" : "FALSE");
        break;
    case AST_NULL:
        buf_append_string(out, "NULL");
        break;
    case AST_PARAM:
        buf_printf(out, "$%u", expr->param_number);
        break;
    case AST_DEFAULT:
        buf_append_string(out, "DEFAULT");
        break;
    default:
        print_qualified(expr, out);
        break;
    }
}

static void print_cast(const struct ast_expr *expr, struct buf *out) {
    buf_append_string(out, "CAST(");
    ast_print_expr(expr->args.items[0], out);
    buf_append_string(out, " AS ");
    print_type(expr->type, out);
    buf_append_byte(out, ')');
}

/* A word in front of its arguments in parentheses. */
static bool print_worded(const struct ast_expr *expr, struct buf *out) {
    const char *word = expr->kind == AST_COALESCE   ? "COALESCE"
                       : expr->kind == AST_NULLIF   ? "NULLIF"
                       : expr->kind == AST_GREATEST ? "GREATEST"
                       : expr->kind == AST_LEAST    ? "LEAST"
                                                    : NULL;
    if (word == NULL) return false;
    buf_append_string(out, word);
    print_args(expr, ", ", out);
    return true;
}

static bool print_predicate(const struct ast_expr *expr, struct buf *out) {
    const char *what = expr->kind == AST_IS_NULL         ? "NULL"
                       : expr->kind == AST_IS_TRUE       ? "TRUE"
                       : expr->kind == AST_IS_FALSE      ? "FALSE"
                       : expr->kind == AST_IS_UNKNOWN    ? "UNKNOWN"
                       : expr->kind == AST_DISTINCT_FROM ? "DISTINCT FROM"
                                                         : NULL;
    if (what != NULL) print_test(expr, what, out);
    return what != NULL;
}

void ast_print_expr(const struct ast_expr *expr, struct buf *out) {
    if (expr->kind <= AST_DEFAULT) {
        print_leaf(expr, out);
        return;
    }
    if (print_worded(expr, out) || print_predicate(expr, out)) return;
    switch (expr->kind) {
    case AST_AND:
        print_args(expr, " AND ", out);
        break;
    case AST_OR:
        print_args(expr, " OR ", out);
        break;
    case AST_NOT:
        buf_append_string(out, "(NOT ");
        ast_print_expr(expr->args.items[0], out);
        buf_append_byte(out, ')');
        break;
    case AST_BETWEEN:
        print_between(expr, out);
        break;
    case AST_IN:
        print_in(expr, out);
        break;
    case AST_CASE:
        print_case(expr, out);
        break;
    case AST_CAST:
        print_cast(expr, out);
        break;
    case AST_CALL:
        print_call(expr, out);
        break;
    case AST_ROW:
        buf_append_string(out, "ROW");
        print_args(expr, ", ", out);
        break;
    default:
        print_operator(expr, out);
        break;
    }
}

static void print_relation(const struct ast_relation *relation, struct buf *out) {
    if (relation->schema != NULL) print_name(relation->schema, out);
    if (relation->schema != NULL) buf_append_byte(out, '.');
    print_name(relation->name, out);
}

static void print_names(const struct ast_names *names, struct buf *out) {
    buf_append_byte(out, '(');
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0) buf_append_string(out, ", ");
        print_name(names->items[i], out);
    }
    buf_append_byte(out, ')');
}

static void print_alias(const char *alias, struct buf *out) {
    if (alias == NULL) return;
    buf_append_string(out, " AS ");
    print_name(alias, out);
}

static void print_from(const struct ast_from *from, struct buf *out) {
    if (from->kind == AST_FROM_JOIN) {
        bool cross = from->on == NULL && from->using_columns.count == 0;
        buf_append_byte(out, '(');
        print_from(from->left, out);
        buf_append_string(out, cross ? " CROSS JOIN " : " JOIN ");
        print_from(from->right, out);
        if (from->on != NULL) {
            buf_append_string(out, " ON ");
            ast_print_expr(from->on, out);
        } else if (!cross) {
            buf_append_string(out, " USING ");
            print_names(&from->using_columns, out);
        }
        buf_append_byte(out, ')');
        return;
    }
    if (from->kind == AST_FROM_TABLE) {
        print_relation(&from->relation, out);
    } else {
        buf_append_byte(out, '(');
        print_select(from->subquery, out);
        buf_append_byte(out, ')');
    }
    print_alias(from->alias, out);
    if (from->alias_columns.count > 0) print_names(&from->alias_columns, out);
}

static void print_targets(const struct ast_target *targets, size_t count, struct buf *out) {
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_append_byte(out, ',');
        buf_append_byte(out, ' ');
        ast_print_expr(targets[i].value, out);
        print_alias(targets[i].name, out);
    }
}

static void print_clause(const char *word, const struct ast_expr *expr, struct buf *out) {
    if (expr == NULL) return;
    buf_printf(out, " %s ", word);
    ast_print_expr(expr, out);
}

static void print_order(const struct ast_select *select, struct buf *out) {
    for (size_t i = 0; i < select->order_count; i++) {
        const struct ast_order *order = &select->order_by[i];
        buf_append_string(out, i == 0 ? " ORDER BY " : ", ");
        ast_print_expr(order->value, out);
        if (order->descending) buf_append_string(out, " DESC");
        if (order->nulls == AST_NULLS_FIRST) buf_append_string(out, " NULLS FIRST");
        if (order->nulls == AST_NULLS_LAST) buf_append_string(out, " NULLS LAST");
    }
}

static void print_select(const struct ast_select *select, struct buf *out) {
    if (select->rows != NULL) {
        buf_append_string(out, "VALUES");
        for (size_t i = 0; i < select->row_count; i++) {
            buf_append_string(out, i > 0 ? ", (" : " (");
            print_list((const struct ast_expr *const *)select->rows[i].items, select->rows[i].count,
                       ", ", out);
            buf_append_byte(out, ')');
        }
    } else {
        buf_append_string(out, select->distinct ? "SELECT DISTINCT" : "SELECT");
        print_targets(select->targets, select->target_count, out);
    }
    for (size_t i = 0; i < select->from_count; i++) {
        buf_append_string(out, i == 0 ? " FROM " : ", ");
        print_from(select->from[i], out);
    }
    print_clause("WHERE", select->where, out);
    if (select->group_by.count > 0) {
        buf_append_string(out, " GROUP BY ");
        print_list((const struct ast_expr *const *)select->group_by.items, select->group_by.count,
                   ", ", out);
    }
    print_clause("HAVING", select->having, out);
    print_order(select, out);
    print_clause("LIMIT", select->limit, out);
    print_clause("OFFSET", select->offset, out);
}

static void print_returning(const struct ast_target *targets, size_t count, struct buf *out) {
    if (count == 0) return;
    buf_append_string(out, " RETURNING");
    print_targets(targets, count, out);
}

static void print_insert(const struct ast_insert *insert, struct buf *out) {
    buf_append_string(out, "INSERT INTO ");
    print_relation(&insert->relation, out);
    print_alias(insert->alias, out);
    if (insert->columns.count > 0) {
        buf_append_byte(out, ' ');
        print_names(&insert->columns, out);
    }
    buf_append_byte(out, ' ');
    if (insert->source == NULL) {
        buf_append_string(out, "DEFAULT VALUES");
    } else {
        print_select(insert->source, out);
    }
    print_returning(insert->returning, insert->returning_count, out);
}

static void print_update(const struct ast_update *update, struct buf *out) {
    buf_append_string(out, "UPDATE ");
    print_relation(&update->relation, out);
    print_alias(update->alias, out);
    for (size_t i = 0; i < update->assignment_count; i++) {
        buf_append_string(out, i == 0 ? " SET " : ", ");
        print_name(update->assignments[i].column, out);
        buf_append_string(out, " = ");
        ast_print_expr(update->assignments[i].value, out);
    }
    print_clause("WHERE", update->where, out);
    print_returning(update->returning, update->returning_count, out);
}

static void print_create(const struct ast_create_table *create, struct buf *out) {
    buf_append_string(out, create->if_not_exists ? "CREATE TABLE IF NOT EXISTS " : "CREATE TABLE ");
    print_relation(&create->relation, out);
    buf_append_string(out, " (");
    for (size_t i = 0; i < create->column_count; i++) {
        const struct ast_column_def *column = &create->columns[i];
        if (i > 0) buf_append_string(out, ", ");
        print_name(column->name, out);
        buf_append_byte(out, ' ');
        print_type(column->type, out);
        if (column->not_null) buf_append_string(out, " NOT NULL");
        if (column->null) buf_append_string(out, " NULL");
        if (column->default_value != NULL) {
            buf_append_string(out, " DEFAULT ");
            ast_print_expr(column->default_value, out);
        }
        if (column->primary_key) buf_append_string(out, " PRIMARY KEY");
    }
    if (create->primary_key.count > 0) {
        if (create->column_count > 0) buf_append_string(out, ", ");
        if (create->primary_key_name != NULL) {
            buf_append_string(out, "CONSTRAINT ");
            print_name(create->primary_key_name, out);
            buf_append_byte(out, ' ');
        }
        buf_append_string(out, "PRIMARY KEY ");
        print_names(&create->primary_key, out);
    }
    buf_append_byte(out, ')');
}

static void print_drop(const struct ast_drop_table *drop, struct buf *out) {
    buf_append_string(out, drop->if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
    for (size_t i = 0; i < drop->relation_count; i++) {
        if (i > 0) buf_append_string(out, ", ");
        print_relation(&drop->relations[i], out);
    }
}

static void print_modes(const char *words, const struct ast_transaction *transaction,
                        struct buf *out) {
    static const char *const levels[] = {
        "", " ISOLATION LEVEL READ UNCOMMITTED", " ISOLATION LEVEL READ COMMITTED",
        " ISOLATION LEVEL REPEATABLE READ", " ISOLATION LEVEL SERIALIZABLE"};
    static const char *const accesses[] = {"", " READ WRITE", " READ ONLY"};
    buf_printf(out, "%s%s%s%s", words, levels[transaction->isolation],
               accesses[transaction->access], transaction->chain ? " AND CHAIN" : "");
}

static void print_variable(const char *word, const struct ast_variable *variable, struct buf *out) {
    buf_printf(out, "%s%s ", word, variable->local ? " LOCAL" : "");
    if (strcmp(variable->name, "all") == 0) {
        buf_append_string(out, "ALL");
    } else {
        print_name(variable->name, out);
    }
    if (strcmp(word, "SET") != 0) return;
    buf_append_string(out, " TO ");
    if (variable->value == NULL) {
        buf_append_string(out, "DEFAULT");
    } else {
        print_string(slice_of_string(variable->value), out);
    }
}

void ast_print_statement(const struct ast_statement *statement, struct buf *out) {
    switch (statement->kind) {
    case AST_SELECT:
        print_select(statement->select, out);
        break;
    case AST_INSERT:
        print_insert(statement->insert, out);
        break;
    case AST_UPDATE:
        print_update(statement->update, out);
        break;
    case AST_DELETE:
        buf_append_string(out, "DELETE FROM ");
        print_relation(&statement->delete_->relation, out);
        print_alias(statement->delete_->alias, out);
        print_clause("WHERE", statement->delete_->where, out);
        print_returning(statement->delete_->returning, statement->delete_->returning_count, out);
        break;
    case AST_CREATE_TABLE:
        print_create(statement->create_table, out);
        break;
    case AST_DROP_TABLE:
        print_drop(statement->drop_table, out);
        break;
    case AST_BEGIN:
        print_modes(statement->transaction->start ? "START TRANSACTION" : "BEGIN",
                    statement->transaction, out);
        break;
    case AST_COMMIT:
        print_modes("COMMIT", statement->transaction, out);
        break;
    case AST_ROLLBACK:
        print_modes("ROLLBACK", statement->transaction, out);
        break;
    case AST_SET_TRANSACTION:
        print_modes("SET TRANSACTION", statement->transaction, out);
        break;
    case AST_SET_SESSION_CHARACTERISTICS:
        print_modes("SET SESSION CHARACTERISTICS AS TRANSACTION", statement->transaction, out);
        break;
    case AST_SET:
        print_variable("SET", statement->variable, out);
        break;
    case AST_RESET:
        print_variable("RESET", statement->variable, out);
        break;
    case AST_SHOW:
        print_variable("SHOW", statement->variable, out);
        break;
    case AST_SHOW_TABLES:
        buf_append_string(out, "SHOW TABLES");
        break;
    case AST_SHOW_COLUMNS:
        buf_append_string(out, "SHOW COLUMNS FROM ");
        print_relation(statement->relation, out);
        break;
    case AST_DISCARD:
        buf_append_string(out, statement->discard_all ? "DISCARD ALL" : "DISCARD PLANS");
        break;
    case AST_EXPLAIN:
        buf_printf(out, "EXPLAIN (ANALYZE %d, VERBOSE %d, COSTS %d) ", statement->explain->analyze,
                   statement->explain->verbose, statement->explain->costs);
        ast_print_statement(statement->explain->statement, out);
        break;
    }
}
