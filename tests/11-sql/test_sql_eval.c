/* Evaluation by the batch: what is not selected is not computed, and a batch gives what its rows
 * give one by one. */
#include "expr_fixture.h"
#include "mem.h"
#include "prng.h"

/* Parameters $1 .. $4 stand for columns of these types: a bound text becomes one over columns. */
static enum sql_type column_types[] = {SQL_INT4, SQL_TEXT, SQL_NUMERIC, SQL_BOOL};

static bool param_to_column(void *arg, struct sql_expr *node) {
    (void)arg;
    if (node->kind == SQL_EXPR_PARAM) {
        uint32_t index = node->param;
        node->kind = SQL_EXPR_COLUMN;
        memset(&node->column, 0, sizeof node->column);
        node->column.index = index;
    }
    return true;
}

static struct sql_expr *bind(struct arena *arena, const char *text, bool columns) {
    struct sql_error error;
    struct sql_expr *expr;
    struct sql_build build = {.arena = arena,
                              .param_types = arena_dup(arena, column_types, sizeof column_types),
                              .param_count = ARRAY_LEN(column_types)};
    assert_ok(fixture_bind(arena, text, &build, &expr, &error), NULL);
    if (columns) (void)sql_expr_walk(expr, param_to_column, NULL);
    return expr;
}

static struct sql_datum random_value(struct prng *prng, struct arena *arena, enum sql_type type) {
    static const char *const texts[] = {"", "a", "abc", "b%", "12", "zz\xC3\xA9"};
    static const char *const numbers[] = {"0", "1.50", "-2", "100.125", "NaN"};
    struct numeric numeric;
    if (prng_below(prng, 5) == 0) return sql_datum_null(type);
    switch (type) {
    case SQL_INT4:
        return sql_datum_int(type, (int64_t)prng_below(prng, 7) - 3);
    case SQL_BOOL:
        return sql_datum_bool(prng_below(prng, 2) == 1);
    case SQL_TEXT:
        return sql_datum_text(type, slice_of_string(texts[prng_below(prng, ARRAY_LEN(texts))]));
    default:
        break;
    }
    const char *text = numbers[prng_below(prng, ARRAY_LEN(numbers))];
    assert_ok(numeric_parse(arena, slice_of_string(text), &numeric), NULL);
    return sql_datum_numeric(numeric);
}

static void random_batch(struct prng *prng, struct arena *arena, struct sql_batch *batch,
                         uint32_t rows) {
    sql_batch_init(batch, arena, column_types, ARRAY_LEN(column_types), rows > 0 ? rows : 1);
    for (uint32_t c = 0; c < batch->column_count; c++) {
        for (uint32_t row = 0; row < rows; row++) {
            struct sql_datum value = random_value(prng, arena, column_types[c]);
            sql_column_set(&batch->columns[c], row, &value);
        }
    }
    sql_batch_set_rows(batch, rows);
    if (prng_below(prng, 2) == 0) return;
    uint16_t *selected = ARENA_ARRAY(arena, uint16_t, rows + 1);
    uint32_t count = 0;
    for (uint32_t row = 0; row < rows; row++) {
        if (prng_below(prng, 3) > 0) selected[count++] = (uint16_t)row;
    }
    batch->selection = (struct sql_selection){selected, count};
}

/* None of these fails for any row. */
static const char *const texts[] = {
    "$1 + 1",
    "$1 * $1 - $1",
    "CASE WHEN $1 <> 0 THEN 100 / $1 ELSE -1 END",
    "$1 <> 0 AND 10 / $1 > 2",
    "$1 = 0 OR 10 / $1 > 2",
    "$1 IS NULL OR $1 = 0 OR 10 / $1 > 2",
    "coalesce(nullif($1, 0), 7)",
    "coalesce($1, length($2), 5)",
    "100 / coalesce(nullif($1, 0), 7)",
    "$1 IN (1, 2, NULL)",
    "$1 NOT IN (1, 2)",
    "$1 IN ($1, 3)",
    "$1 IN (-1, length($2))",
    "$3 IN (1.5, 100.125)",
    "$1 BETWEEN -1 AND length($2)",
    "$2 || '!' || $1",
    "upper($2) LIKE '%A%'",
    "concat($2, $1, $4)",
    "length($2) > $1 AND $4",
    "NOT $4",
    "$4 IS TRUE",
    "$4 IS NOT FALSE",
    "$4 IS UNKNOWN",
    "$1 IS DISTINCT FROM length($2)",
    "greatest($1, length($2), 0)",
    "least($3, $1)",
    "$3 * 2 + $1",
    "round($3, 1)",
    "CASE $1 WHEN 1 THEN $2 WHEN 2 THEN $2 || $2 END",
    "CASE WHEN $4 THEN $3 WHEN $1 > 0 THEN 1 ELSE $1 END",
    "$1::text || $3::text",
    "($1::bigint + 1)::text",
    "CASE WHEN $2 = '12' THEN $2::int ELSE 0 END",
    "$4 AND ($4 OR $1 > 0) AND NOT ($1 = 1)",
    "substr($2, 2)",
    "1 + 1",
    "NULL::int + $1",
};

TEST("3", 0, a_batch_gives_what_its_rows_give_one_by_one) {
    struct prng prng;
    prng_seed(&prng, 31);
    static const uint32_t sizes[] = {0, 1, 5, 64, 1024};
    for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
        struct arena arena, results;
        arena_init(&arena, 0);
        arena_init(&results, 0);
        struct sql_expr_state *state = sql_expr_state_new(&arena, bind(&arena, texts[t], true));
        struct sql_expr *single = bind(&arena, texts[t], false);
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) { /* the state is used again and again */
            struct sql_batch batch;
            struct sql_error error;
            const struct sql_column *column;
            struct sql_eval_context context = {.arena = &results};
            arena_reset(&results);
            random_batch(&prng, &arena, &batch, sizes[s]);
            assert_ok(sql_expr_eval(state, &context, &batch, &column, &error), NULL);
            for (uint32_t i = 0; i < batch.selection.count; i++) {
                uint32_t row = sql_selected(batch.selection, i);
                struct sql_datum params[ARRAY_LEN(column_types)];
                for (uint32_t c = 0; c < batch.column_count; c++) {
                    params[c] = sql_column_get(&batch.columns[c], row);
                }
                struct sql_eval_context one = {
                    .arena = &results, .params = params, .param_count = batch.column_count};
                struct sql_datum expected;
                assert_ok(sql_expr_eval_datum(single, &one, &expected, &error), NULL);
                struct sql_datum value = sql_column_get(column, row);
                assert_int_equal(expected.type, value.type);
                assert_string_equal(fixture_print(&results, &expected),
                                    fixture_print(&results, &value));
            }
        }
        arena_deinit(&arena);
        arena_deinit(&results);
    }
}

TEST("3", 0, a_row_that_is_not_selected_cannot_fail) {
    struct arena arena;
    struct sql_error error;
    const struct sql_column *column;
    struct sql_batch batch;
    arena_init(&arena, 0);
    sql_batch_init(&batch, &arena, column_types, ARRAY_LEN(column_types), 3);
    for (uint32_t row = 0; row < 3; row++) {
        struct sql_datum value = sql_datum_int(SQL_INT4, row);
        sql_column_set(&batch.columns[0], row, &value);
    }
    sql_batch_set_rows(&batch, 3);
    struct sql_eval_context context = {.arena = &arena};
    struct sql_expr_state *state = sql_expr_state_new(&arena, bind(&arena, "10 / $1", true));
    assert_status(STATUS_INVALID, sql_expr_eval(state, &context, &batch, &column, &error));
    assert_string_equal("22012", error.sqlstate);
    const uint16_t rows[] = {1, 2};
    batch.selection = (struct sql_selection){rows, 2};
    assert_ok(sql_expr_eval(state, &context, &batch, &column, &error), NULL);
    assert_int_equal(5, sql_column_get(column, 2).integer);
    arena_deinit(&arena);
}

TEST("3", 0, a_filter_takes_null_as_false) {
    struct arena arena;
    struct sql_error error;
    struct sql_batch batch;
    struct prng prng;
    uint16_t rows[SQL_BATCH_ROWS];
    prng_seed(&prng, 32);
    arena_init(&arena, 0);
    random_batch(&prng, &arena, &batch, 500);
    sql_batch_set_rows(&batch, 500);
    struct sql_eval_context context = {.arena = &arena};
    struct sql_expr_state *state = sql_expr_state_new(&arena, bind(&arena, "$1 > 0", true));
    assert_ok(sql_expr_filter(state, &context, &batch, rows, &error), NULL);
    uint32_t expected = 0;
    for (uint32_t row = 0; row < 500; row++) {
        struct sql_datum value = sql_column_get(&batch.columns[0], row);
        if (value.is_null || value.integer <= 0) continue;
        assert_int_equal(row, rows[expected++]);
    }
    assert_int_equal(expected, batch.selection.count);
    arena_deinit(&arena);
}

/* ---- parameters ------------------------------------------------------------------------------ */

TEST("3", 0, parameters_take_their_type_from_what_is_around_them) {
    static const struct {
        const char *text;
        enum sql_type type;
    } known[] = {
        {"$1 + 1", SQL_INT4},      {"$1 + 1.5", SQL_NUMERIC},  {"$1 || 'a'", SQL_TEXT},
        {"$1::int8", SQL_INT8},    {"NOT $1", SQL_BOOL},       {"coalesce($1, 2)", SQL_INT4},
        {"upper($1)", SQL_TEXT},   {"$1", SQL_TEXT},           {"1 IN (2, $1)", SQL_INT4},
        {"$1 AND true", SQL_BOOL}, {"$1 = 2::int8", SQL_INT8}, {"$1 + $1::int8", SQL_INT8}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena arena;
        struct sql_error error = {.position = 0};
        struct sql_expr *expr;
        arena_init(&arena, 0);
        struct sql_build build = {.arena = &arena};
        assert_ok(fixture_bind(&arena, known[i].text, &build, &expr, &error), NULL);
        assert_int_equal(1, build.param_count);
        assert_int_equal(known[i].type, build.param_types[0]);
        arena_deinit(&arena);
    }
}

TEST("3", 0, a_parameter_without_a_type_or_with_two_is_refused) {
    static const struct {
        const char *text, *sqlstate, *message;
    } known[] = {
        {"$1 IS NULL", "42P18", "could not determine data type of parameter $1"},
        {"$2 + 1", "42P18", "could not determine data type of parameter $1"},
        {"$1 + $1", "42725", "operator is not unique: unknown + unknown"},
        {"CASE WHEN $1 THEN $1 + 1 END", "42804",
         "argument of CASE/WHEN must be type boolean, not type integer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct arena arena;
        struct sql_error error = {.position = 0};
        struct sql_expr *expr;
        arena_init(&arena, 0);
        struct sql_build build = {.arena = &arena};
        assert_status(STATUS_INVALID, fixture_bind(&arena, known[i].text, &build, &expr, &error));
        assert_string_equal(known[i].message, error.message);
        assert_string_equal(known[i].sqlstate, error.sqlstate);
        arena_deinit(&arena);
    }
}

/* ---- folding --------------------------------------------------------------------------------- */

static enum sql_expr_kind folded_kind(struct arena *arena, const char *text) {
    return sql_expr_fold(arena, bind(arena, text, true))->kind;
}

TEST("3", 0, folding_computes_what_is_constant_and_leaves_what_fails) {
    struct arena arena;
    arena_init(&arena, 0);
    assert_int_equal(SQL_EXPR_CONST, folded_kind(&arena, "1 + 2 * 3"));
    assert_int_equal(SQL_EXPR_CALL, folded_kind(&arena, "1 / 0"));
    assert_int_equal(SQL_EXPR_CALL, folded_kind(&arena, "$1 + (1 + 2)"));
    assert_int_equal(SQL_EXPR_CONST, folded_kind(&arena, "$1 > 2 AND false"));
    assert_int_equal(SQL_EXPR_CALL, folded_kind(&arena, "$1 > 2 AND true"));
    assert_int_equal(SQL_EXPR_CONST, folded_kind(&arena, "$1 > 2 OR true"));
    assert_int_equal(SQL_EXPR_CONST, folded_kind(&arena, "CASE WHEN true THEN 1 ELSE 1/0 END"));
    assert_int_equal(SQL_EXPR_COLUMN, folded_kind(&arena, "CASE WHEN 1 = 2 THEN 7 ELSE $1 END"));
    assert_int_equal(SQL_EXPR_CALL, folded_kind(&arena, "current_user"));
    arena_deinit(&arena);
}

TEST("3", 0, expressions_are_equal_by_shape_not_by_position) {
    struct arena arena;
    arena_init(&arena, 0);
    assert_true(sql_expr_equal(bind(&arena, "$1 + 1", true), bind(&arena, "  $1  + 1", true)));
    assert_false(sql_expr_equal(bind(&arena, "$1 + 1", true), bind(&arena, "$1 + 2", true)));
    assert_false(sql_expr_equal(bind(&arena, "1.0", true), bind(&arena, "1.00", true)));
    assert_false(
        sql_expr_equal(bind(&arena, "$1 IS NULL", true), bind(&arena, "$1 IS NOT NULL", true)));
    assert_false(sql_expr_equal(bind(&arena, "$1::int8", true), bind(&arena, "$1::text", true)));
    struct sql_expr *expr = bind(&arena, "CASE WHEN $1 IN (1, 2) THEN upper($2) END", true);
    assert_true(sql_expr_equal(expr, sql_expr_copy(&arena, expr)));
    arena_deinit(&arena);
}
