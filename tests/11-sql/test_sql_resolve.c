/* Which operator, function, cast or common type is meant, for every combination of types. */
#include "expr_fixture.h"
#include "mem.h"
#include "type_cases.h"

TEST("2", 0, every_combination_of_types_resolves_as_in_postgresql) {
    TEST_LIMIT(60000);
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(type_cases); i++) {
        struct arena arena;
        struct sql_error error = {.position = 0};
        struct sql_expr *expr;
        arena_init(&arena, 0);
        struct sql_build build = {.arena = &arena};
        enum status status = fixture_bind(&arena, type_cases[i].text, &build, &expr, &error);
        const char *text = status == STATUS_OK
                               ? sql_type_info(expr->type)->format_name
                               : arena_printf(&arena, "%s %s", error.sqlstate, error.message);
        if (strcmp(text, type_cases[i].expected) != 0) {
            print_message("%s: %s, not %s\n", type_cases[i].text, text, type_cases[i].expected);
            wrong++;
        }
        arena_deinit(&arena);
    }
    assert_int_equal(0, wrong);
}
