/* expr_fixture.c - binding and evaluating an expression, for tests. */
#include "expr_fixture.h"

#include "sql_parser.h"

static enum status no_tables(void *context, const char *schema, const char *name,
                             const struct sql_table **out, struct sql_error *error) {
    (void)context;
    (void)schema;
    (void)name;
    (void)out;
    (void)error;
    return STATUS_NOT_FOUND;
}

enum status fixture_bind(struct arena *arena, const char *text, struct sql_build *build,
                         struct sql_expr **out, struct sql_error *error) {
    struct ast_script script;
    struct bound_statement *bound;
    struct sql_catalog catalog = {NULL, no_tables};
    struct slice query = slice_of_string(arena_printf(arena, "select %s", text));
    TRY(sql_parse(arena, query, &script, error));
    build->arena = arena;
    TRY(sql_bind(build, &catalog, script.statements[0], &bound, error));
    *out = bound->select->outputs[0].expr;
    return STATUS_OK;
}

const char *fixture_print(struct arena *arena, const struct sql_datum *datum) {
    if (datum->is_null) return "NULL";
    struct buf text = BUF_INIT;
    sql_datum_print(datum, &text);
    const char *copy = arena_string(arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

const char *fixture_eval(struct arena *arena, const char *text, struct sql_error *error) {
    struct sql_build build = {.arena = arena};
    struct sql_expr *expr;
    struct sql_datum value;
    struct sql_eval_context context = {.arena = arena};
    sql_error_clear(error);
    if (fixture_bind(arena, text, &build, &expr, error) != STATUS_OK) return error->message;
    struct sql_expr *folded = sql_expr_fold(arena, sql_expr_copy(arena, expr));
    enum status status = sql_expr_eval_datum(expr, &context, &value, error);
    const char *shown = status == STATUS_OK ? fixture_print(arena, &value) : error->message;
    struct sql_error folded_error = {.position = 0};
    enum status folded_status = sql_expr_eval_datum(folded, &context, &value, &folded_error);
    if (folded_status == STATUS_OK)
        assert_string_equal(shown, fixture_print(arena, &value));
    else
        assert_string_equal(shown, folded_error.message);
    return shown;
}
