/* sql_explain_expr.c - bound expressions as SQL text, in the manner of PostgreSQL's ruleutils.c. */
#include "sql_explain_internal.h"

static void print_list(const struct sql_expr *expr, uint32_t from, const char *separator,
                       const struct explain_scope *scope, struct buf *out) {
    for (uint32_t i = from; i < expr->arg_count; i++) {
        if (i > from) buf_append_string(out, separator);
        explain_expr(expr->args[i], scope, out);
    }
}

static void print_quoted(struct slice text, struct buf *out) {
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\'') buf_append_byte(out, '\'');
        buf_append_byte(out, text.data[i]);
    }
    buf_append_byte(out, '\'');
}

static void print_type(enum sql_type type, int32_t typmod, struct buf *out) {
    struct arena arena;
    arena_init(&arena, 0);
    buf_append_string(out, sql_type_format(&arena, type, typmod));
    arena_deinit(&arena);
}

/* Numbers and booleans speak for themselves, all else says its type. */
static void print_constant(const struct sql_expr *expr, struct buf *out) {
    const struct sql_datum *value = &expr->constant;
    bool plain = expr->type == SQL_INT4 || expr->type == SQL_BOOL || expr->type == SQL_NUMERIC;
    if (value->is_null) {
        buf_append_string(out, "NULL");
        plain = false;
    } else if (plain) {
        sql_datum_print(value, out);
        /* PostgreSQL prints t and f only in results. */
        if (expr->type == SQL_BOOL) {
            out->len--;
            buf_append_string(out, value->boolean ? "true" : "false");
        }
    } else {
        struct buf text = BUF_INIT;
        sql_datum_print(value, &text);
        print_quoted(buf_slice(&text), out);
        buf_deinit(&text);
    }
    if (plain) return;
    buf_append_string(out, "::");
    print_type(expr->type, expr->typmod, out);
}

static void print_call(const struct sql_expr *expr, const struct explain_scope *scope,
                       struct buf *out) {
    const char *name = expr->call.function->name;
    if (!expr->call.is_operator) {
        buf_append_string(out, name);
        buf_append_byte(out, '(');
        print_list(expr, 0, ", ", scope, out);
        buf_append_byte(out, ')');
        return;
    }
    buf_append_byte(out, '(');
    if (expr->arg_count == 2) {
        explain_expr(expr->args[0], scope, out);
        buf_append_byte(out, ' ');
    }
    buf_append_string(out, name);
    buf_append_byte(out, ' ');
    explain_expr(expr->args[expr->arg_count - 1], scope, out);
    buf_append_byte(out, ')');
}

/* (x)::type; casts that were not written are not shown, as long as they change nothing visible. */
static void print_cast(const struct sql_expr *expr, const struct explain_scope *scope,
                       struct buf *out) {
    if (expr->cast.context != SQL_CAST_EXPLICIT && expr->cast.cast != NULL &&
        sql_type_storage(expr->type) == sql_type_storage(expr->args[0]->type)) {
        explain_expr(expr->args[0], scope, out);
        return;
    }
    buf_append_byte(out, '(');
    explain_expr(expr->args[0], scope, out);
    buf_append_string(out, ")::");
    print_type(expr->type, expr->typmod, out);
}

static void print_case(const struct sql_expr *expr, const struct explain_scope *scope,
                       struct buf *out) {
    buf_append_string(out, "CASE");
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        buf_append_string(out, " WHEN ");
        explain_expr(expr->args[i], scope, out);
        buf_append_string(out, " THEN ");
        explain_expr(expr->args[i + 1], scope, out);
    }
    buf_append_string(out, " ELSE ");
    explain_expr(expr->args[expr->arg_count - 1], scope, out);
    buf_append_string(out, " END");
}

static void print_aggregate(const struct sql_expr *expr, const struct explain_scope *scope,
                            struct buf *out) {
    buf_append_string(out, expr->aggregate.aggregate->name);
    buf_append_byte(out, '(');
    if (expr->aggregate.distinct) buf_append_string(out, "DISTINCT ");
    if (expr->aggregate.star) buf_append_byte(out, '*');
    print_list(expr, 0, ", ", scope, out);
    buf_append_byte(out, ')');
    if (expr->aggregate.filter == NULL) return;
    buf_append_string(out, " FILTER (WHERE ");
    explain_expr(expr->aggregate.filter, scope, out);
    buf_append_byte(out, ')');
}

static void print_test(const struct sql_expr *expr, const char *what,
                       const struct explain_scope *scope, struct buf *out) {
    buf_append_byte(out, '(');
    explain_expr(expr->args[0], scope, out);
    buf_printf(out, " IS %s%s", expr->negated ? "NOT " : "", what);
    if (expr->kind == SQL_EXPR_DISTINCT) {
        buf_append_byte(out, ' ');
        explain_expr(expr->args[1], scope, out);
    }
    buf_append_byte(out, ')');
}

static void print_in(const struct sql_expr *expr, const struct explain_scope *scope,
                     struct buf *out) {
    buf_append_byte(out, '(');
    explain_expr(expr->args[0], scope, out);
    buf_append_string(out, expr->negated ? " NOT IN (" : " IN (");
    print_list(expr, 1, ", ", scope, out);
    buf_append_string(out, "))");
}

static void print_named(const struct sql_expr *expr, const char *name, uint32_t from,
                        const struct explain_scope *scope, struct buf *out) {
    buf_append_string(out, name);
    buf_append_byte(out, '(');
    print_list(expr, from, ", ", scope, out);
    buf_append_byte(out, ')');
}

static void print_infix(const struct sql_expr *expr, const char *separator,
                        const struct explain_scope *scope, struct buf *out) {
    buf_append_byte(out, '(');
    print_list(expr, 0, separator, scope, out);
    buf_append_byte(out, ')');
}

static void print_scoped_column(const struct sql_expr *expr, const struct explain_scope *scope,
                                struct buf *out) {
    uint32_t index = expr->column.index;
    const struct sql_plan *plan = scope->left;
    if (plan != NULL && index >= plan->column_count && scope->right != NULL) {
        index -= plan->column_count;
        plan = scope->right;
    }
    if (plan == NULL || index >= plan->column_count) {
        buf_append_string(out, expr->column.name != NULL ? expr->column.name : "?column?");
        return;
    }
    explain_column(plan, index, scope->qualify, out);
}

void explain_expr(const struct sql_expr *expr, const struct explain_scope *scope, struct buf *out) {
    switch (expr->kind) {
    case SQL_EXPR_CONST:
        print_constant(expr, out);
        break;
    case SQL_EXPR_COLUMN:
        print_scoped_column(expr, scope, out);
        break;
    case SQL_EXPR_PARAM:
        buf_printf(out, "$%u", expr->param + 1);
        break;
    case SQL_EXPR_CALL:
        print_call(expr, scope, out);
        break;
    case SQL_EXPR_CAST:
        print_cast(expr, scope, out);
        break;
    case SQL_EXPR_AND:
        print_infix(expr, " AND ", scope, out);
        break;
    case SQL_EXPR_OR:
        print_infix(expr, " OR ", scope, out);
        break;
    case SQL_EXPR_NOT:
        buf_append_string(out, "(NOT ");
        explain_expr(expr->args[0], scope, out);
        buf_append_byte(out, ')');
        break;
    case SQL_EXPR_IS_NULL:
        print_test(expr, "NULL", scope, out);
        break;
    case SQL_EXPR_IS_TRUE:
        print_test(expr, "TRUE", scope, out);
        break;
    case SQL_EXPR_IS_FALSE:
        print_test(expr, "FALSE", scope, out);
        break;
    case SQL_EXPR_DISTINCT:
        print_test(expr, "DISTINCT FROM", scope, out);
        break;
    case SQL_EXPR_CASE:
        print_case(expr, scope, out);
        break;
    case SQL_EXPR_COALESCE:
        print_named(expr, "COALESCE", 0, scope, out);
        break;
    case SQL_EXPR_NULLIF: /* args[0] is the result, again */
        print_named(expr, "NULLIF", 1, scope, out);
        break;
    case SQL_EXPR_GREATEST:
        print_named(expr, "GREATEST", 0, scope, out);
        break;
    case SQL_EXPR_LEAST:
        print_named(expr, "LEAST", 0, scope, out);
        break;
    case SQL_EXPR_IN:
        print_in(expr, scope, out);
        break;
    case SQL_EXPR_AGGREGATE:
        print_aggregate(expr, scope, out);
        break;
    }
}

void explain_column(const struct sql_plan *plan, uint32_t index, bool qualify, struct buf *out) {
    const struct sql_plan_column *column = &plan->columns[index];
    if (column->name != NULL) {
        if (qualify && column->origin != NULL) buf_printf(out, "%s.", column->origin);
        buf_append_string(out, column->name);
        return;
    }
    while (plan->left != NULL && plan->kind != SQL_PLAN_AGGREGATE)
        plan = plan->left;
    if (plan->kind != SQL_PLAN_AGGREGATE) {
        buf_append_string(out, "?column?");
        return;
    }
    const struct sql_plan_aggregate *node = &plan->aggregate;
    struct explain_scope scope = {.left = plan->left, .qualify = qualify};
    const struct sql_expr *expr = index < node->group_count
                                      ? node->groups[index]
                                      : node->aggregates[index - node->group_count];
    buf_append_byte(out, '(');
    explain_expr(expr, &scope, out);
    buf_append_byte(out, ')');
}
