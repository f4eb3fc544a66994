/* Aggregates, through binder, planner and executor: values, types of results and errors. */
#include "aggregate_cases.h"
#include "harness.h"
#include "mem.h"
#include "sql_exec.h"
#include "sql_parser.h"
#include "sql_planner.h"

static enum status no_tables(void *context, const char *schema, const char *name,
                             const struct sql_table **out, struct sql_error *error) {
    (void)context;
    (void)schema;
    (void)name;
    (void)out;
    (void)error;
    return STATUS_NOT_FOUND;
}

static enum status plan_query(struct arena *arena, const char *text, struct sql_plan **out,
                              struct sql_error *error) {
    struct ast_script script;
    struct bound_statement *bound;
    struct sql_build build = {.arena = arena};
    struct sql_catalog catalog = {NULL, no_tables};
    struct slice query = slice_of_string(arena_printf(arena, "select %s", text));
    TRY(sql_parse(arena, query, &script, error));
    TRY(sql_bind(&build, &catalog, script.statements[0], &bound, error));
    return sql_plan_statement(arena, bound, out, error);
}

static void print_batch(const struct sql_batch *batch, struct buf *out) {
    for (uint32_t i = 0; i < batch->selection.count; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            uint32_t row = sql_selected(batch->selection, i);
            struct sql_datum value = sql_column_get(&batch->columns[c], row);
            if (c > 0) buf_append_byte(out, '|');
            if (value.is_null)
                buf_append_string(out, "NULL");
            else
                sql_datum_print(&value, out);
        }
        buf_append_byte(out, '\n');
    }
}

static enum status run(struct arena *arena, const char *text, struct buf *out,
                       struct sql_error *error) {
    struct sql_plan *plan;
    struct sql_exec *exec;
    TRY(plan_query(arena, text, &plan, error));
    struct sql_exec_options options = {.plan = plan};
    TRY(sql_exec_open(&options, &exec, error));
    struct sql_batch *batch = NULL;
    enum status status;
    do {
        status = sql_exec_next(exec, &batch, error);
        if (status == STATUS_OK && batch != NULL) print_batch(batch, out);
    } while (status == STATUS_OK && batch != NULL);
    sql_exec_close(exec);
    return status;
}

TEST("5", 0, aggregates_give_what_postgresql_gives) {
    TEST_LIMIT(60000);
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(aggregate_cases); i++) {
        struct arena arena;
        struct sql_error error;
        struct buf out = BUF_INIT;
        arena_init(&arena, 0);
        if (run(&arena, aggregate_cases[i].text, &out, &error) != STATUS_OK) {
            buf_clear(&out);
            buf_printf(&out, "%s %s\n", error.sqlstate, error.message);
        }
        if (!slice_equal(buf_slice(&out), slice_of_string(aggregate_cases[i].expected))) {
            print_message("%s:\n%.*s, not\n%s", aggregate_cases[i].text, (int)out.len,
                          (char *)out.data, aggregate_cases[i].expected);
            wrong++;
        }
        buf_deinit(&out);
        arena_deinit(&arena);
    }
    assert_int_equal(0, wrong);
}
