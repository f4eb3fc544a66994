/* Expressions: values, types and errors as PostgreSQL has them. */
#include "expr_cases.h"
#include "expr_fixture.h"
#include "mem.h"

enum { PREFIX = sizeof "select " - 1 };

TEST("3", 0, expressions_give_what_postgresql_gives) {
    TEST_LIMIT(60000);
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(expr_cases); i++) {
        struct arena arena;
        struct sql_error error;
        arena_init(&arena, 0);
        const char *text = fixture_eval(&arena, expr_cases[i].text, &error);
        int position = error.position > 0 ? error.position - PREFIX : 0;
        bool same = strcmp(text, expr_cases[i].expected) == 0 &&
                    strcmp(error.sqlstate, expr_cases[i].sqlstate) == 0 &&
                    position == expr_cases[i].position;
        if (!same) {
            print_message("%s: %s %s @%d, not %s %s @%d\n", expr_cases[i].text, error.sqlstate,
                          text, position, expr_cases[i].sqlstate, expr_cases[i].expected,
                          expr_cases[i].position);
            wrong++;
        }
        arena_deinit(&arena);
    }
    assert_int_equal(0, wrong);
}
