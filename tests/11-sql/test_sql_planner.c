/* test_sql_planner.c - plans as EXPLAIN shows them, and the spans that bounds become. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "prng.h"
#include "sql_fixture.h"
#include "sql_planner.h"
#include "sql_spans.h"

static const char tables[] = "create table t (a int primary key, b text, c float8, d bool);"
                             "create table u (x int, y int, z text, primary key (x, y));"
                             "create table v (a int, k text);"
                             "create table s (name text primary key, n smallint)";

static struct sql_plan *plan_of(struct sql_fixture *fixture, const char *text) {
    struct bound_statement *bound = NULL;
    struct sql_plan *plan = NULL;
    if (sql_fixture_bind(fixture, text, &bound) != STATUS_OK) {
        fail_msg("%s: %s", text, fixture->error.message);
    }
    assert_int_equal(STATUS_OK, sql_plan_statement(&fixture->arena, bound, &plan, &fixture->error));
    return plan;
}

/* The plan's lines with "|" between them, without indentation and arrows. */
static const char *explain(const char *text) {
    static char out[2048];
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct sql_plan *plan = plan_of(&fixture, text);
    struct sql_explain_options options = {.costs = false};
    struct slice *lines = NULL;
    size_t count = 0;
    sql_explain(&fixture.arena, plan, options, &lines, &count);
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t skip = 0;
        while (skip < lines[i].len && strchr(" ->", lines[i].data[skip]) != NULL)
            skip++;
        struct slice rest = slice_from(lines[i], skip);
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s", i > 0 ? "|" : "",
                                (int)rest.len, (const char *)rest.data);
    }
    sql_fixture_deinit(&fixture);
    return out;
}

/* ---- bounds --------------------------------------------------------------------------------- */

TEST("4", 3, conditions_on_a_prefix_of_the_key_become_bounds) {
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = 1)",
                        explain("select * from t where a = 1"));
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = 1)",
                        explain("select * from t where 1 = a"));
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = '5'::bigint)",
                        explain("select * from t where a = 5::bigint"));
    assert_string_equal(
        "Index Scan using u_pkey on u|Index Cond: ((x = 1) AND (y > 2) AND (y <= 9))",
        explain("select * from u where y > 2 and x = 1 and y <= 9"));
    assert_string_equal("Index Scan using u_pkey on u|Index Cond: ((x IN (1, 2, 3)) AND (y = 4))",
                        explain("select * from u where (x = 1 or x in (2, 3)) and y = 4"));
    assert_string_equal(
        "Index Scan using u_pkey on u|Index Cond: ((x >= 1) AND (x <= 5))|Filter: (y = 2)",
        explain("select * from u where x between 1 and 5 and y = 2"));
    assert_string_equal("Index Scan using s_pkey on s|Index Cond: (name = $1)",
                        explain("select * from s where name = $1"));
}

TEST("4", 3, comparisons_of_rows_bound_the_key) {
    assert_string_equal(
        "Limit|Index Scan using u_pkey on u|Index Cond: (x >= 1)|Filter: ((x > 1) OR "
        "((x = 1) AND (y > 2)))",
        explain("select * from u where (x, y) > (1, 2) order by x, y limit 3"));
    assert_string_equal("Index Scan using u_pkey on u|Index Cond: ((x = 1) AND (y = 2))",
                        explain("select * from u where (x, y) = (1, 2)"));
}

TEST("4", 3, what_bounds_cannot_say_stays_a_filter) {
    assert_string_equal("Seq Scan on u|Filter: (y = 1)", explain("select * from u where y = 1"));
    assert_string_equal("Seq Scan on t|Filter: ((a = 1) OR (b = 'x'::text))",
                        explain("select * from t where a = 1 or b = 'x'"));
    assert_string_equal("Seq Scan on t|Filter: ((a + 1) = 2)",
                        explain("select * from t where a + 1 = 2"));
    assert_string_equal("Seq Scan on u|Filter: (x = y)", explain("select * from u where x = y"));
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = 1)|Filter: (a = 2)",
                        explain("select * from t where a = 1 and a = 2"));
    assert_string_equal("Seq Scan on t|Filter: ((a)::numeric = 1.5)",
                        explain("select * from t where a = 1.5"));
}

TEST("4", 0, constants_are_folded_before_anything_is_chosen) {
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = 3)",
                        explain("select * from t where a = 1 + 2 and 1 < 2"));
    assert_string_equal("Result|One-Time Filter: false",
                        explain("select * from t where a = 1 and false"));
    assert_string_equal("Aggregate|Result|One-Time Filter: false",
                        explain("select count(*) from t where null"));
}

/* ---- order ---------------------------------------------------------------------------------- */

TEST("4", 4, the_keys_order_replaces_a_sort) {
    assert_string_equal("Seq Scan on u", explain("select * from u order by x, y"));
    assert_string_equal("Index Scan Backward using u_pkey on u",
                        explain("select * from u order by x desc, y desc"));
    assert_string_equal("Index Scan using u_pkey on u|Index Cond: (x = 1)",
                        explain("select * from u where x = 1 order by y"));
    assert_string_equal("Index Scan using t_pkey on t|Index Cond: (a = 1)",
                        explain("select * from t where a = 1 order by b, c"));
    assert_string_equal("Seq Scan on t", explain("select * from t order by a, b"));
}

TEST("4", 4, other_orders_are_sorted) {
    assert_string_equal("Sort|Sort Key: x, y DESC|Seq Scan on u",
                        explain("select * from u order by x, y desc"));
    assert_string_equal("Sort|Sort Key: y|Seq Scan on u", explain("select * from u order by y"));
    assert_string_equal("Sort|Sort Key: y|Index Scan using u_pkey on u|Index Cond: (x IN (1, 2))",
                        explain("select * from u where x in (1, 2) order by y"));
    assert_string_equal("Limit|Top-N Sort|Sort Key: b DESC NULLS LAST|Seq Scan on t",
                        explain("select a from t order by b desc nulls last limit 3"));
}

TEST("4", 0, a_limit_reaches_the_scan_that_feeds_it) {
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct sql_plan *plan = plan_of(&fixture, "select b from t where a > 3 limit 5 offset 2");
    assert_int_equal(SQL_PLAN_LIMIT, plan->kind);
    assert_int_equal(SQL_PLAN_SCAN, plan->left->kind);
    assert_int_equal(5, plan->left->scan.limit->constant.integer);
    assert_int_equal(2, plan->left->scan.offset->constant.integer);
    plan = plan_of(&fixture, "select b from t where b = 'x' limit 5");
    assert_null(plan->left->scan.limit);
    sql_fixture_deinit(&fixture);
}

TEST("4", 0, scans_read_only_the_columns_that_are_used) {
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct sql_plan *plan = plan_of(&fixture, "select c from t where a = 1");
    assert_int_equal(1, plan->column_count);
    assert_int_equal(2, plan->scan.columns[0]);
    assert_true(plan->scan.points);
    plan = plan_of(&fixture, "select count(*) from t");
    assert_int_equal(0, plan->left->column_count);
    plan = plan_of(&fixture, "update v set k = 'x' where a = 1");
    assert_int_equal(3, plan->left->column_count);
    assert_true(plan->left->scan.for_write);
    plan = plan_of(&fixture, "delete from u where z = 'x'");
    assert_int_equal(0, plan->delete_.key_columns[0]);
    assert_int_equal(1, plan->delete_.key_columns[1]);
    sql_fixture_deinit(&fixture);
}

/* ---- joins and groups ----------------------------------------------------------------------- */

TEST("4", 1, equalities_between_tables_become_hash_joins) {
    assert_string_equal("Hash Join|Hash Cond: (t.a = v.a)|Seq Scan on t|Seq Scan on v",
                        explain("select * from t join v using (a)"));
    assert_string_equal(
        "Hash Join|Hash Cond: (t.a = v.a)|Join Filter: (t.d OR (v.k = 'x'::text))|Seq Scan on "
        "t|Seq Scan on v",
        explain("select * from t join v on t.a = v.a and (t.d or v.k = 'x')"));
    assert_string_equal("Nested Loop|Join Filter: (t.a < v.a)|Seq Scan on t|Seq Scan on v",
                        explain("select * from t, v where t.a < v.a"));
    assert_string_equal("Hash Join|Hash Cond: (v.a = t.a)|Seq Scan on v|Filter: (v.a = 1)|Index "
                        "Scan using t_pkey on "
                        "t|Index Cond: (t.a = 1)",
                        explain("select * from t, v where t.a = v.a and t.a = 1"));
}

TEST("4", 1, what_is_said_of_a_column_is_said_of_its_equals) {
    assert_string_equal("Hash Join|Hash Cond: (u.x = t.a)|Index Scan using u_pkey on u|Index Cond: "
                        "(u.x = 7)|Index Scan using t_pkey on t|Index Cond: (t.a = 7)",
                        explain("select * from t join u on t.a = u.x where t.a = 7"));
    assert_string_equal("Hash Join|Hash Cond: (t.a = u.x)|Index Scan using t_pkey on t|Index Cond: "
                        "(t.a < $1)|Index Scan using u_pkey on u|Index Cond: (u.x < $1)",
                        explain("select * from t join u on t.a = u.x where $1 > u.x"));
}

TEST("4", 2, what_stands_above_a_grouping_uses_its_columns) {
    assert_string_equal(
        "Sort|Sort Key: (count(*))|Filter|Filter: ((count(*)) > 1)|HashAggregate|Group Key: "
        "b|Seq Scan on t",
        explain("select b, count(*) as n from t group by b having count(*) > 1 "
                "order by count(*)"));
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct sql_plan *plan =
        plan_of(&fixture, "select sum(a) + count(*), sum(a) from t group by b having count(*) > 1");
    while (plan->kind != SQL_PLAN_AGGREGATE)
        plan = plan->left;
    assert_int_equal(2, plan->aggregate.aggregate_count);
    assert_int_equal(1, plan->aggregate.group_count);
    sql_fixture_deinit(&fixture);
}

/* ---- spans ---------------------------------------------------------------------------------- */

/* The spans of a scan: "[1,2) [3,4,(5..9]]": values of the prefix, then the range. */
static const char *spans_of(const char *text, const struct sql_datum *params, uint32_t count) {
    static char out[1024];
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct sql_plan *plan = plan_of(&fixture, text);
    while (plan->kind != SQL_PLAN_SCAN)
        plan = plan->left;
    struct sql_eval_context context = {
        .params = params, .param_count = count, .arena = &fixture.arena};
    struct sql_span *spans = NULL;
    size_t span_count = 0;
    assert_int_equal(STATUS_OK, sql_spans_compute(&fixture.arena, &plan->scan, &context, &spans,
                                                  &span_count, &fixture.error));
    struct buf text_out = BUF_INIT;
    for (size_t i = 0; i < span_count; i++) {
        buf_append_string(&text_out, i > 0 ? " {" : "{");
        for (uint32_t j = 0; j < spans[i].prefix_count; j++) {
            if (j > 0) buf_append_byte(&text_out, ',');
            sql_datum_print(&spans[i].prefix[j], &text_out);
        }
        if (spans[i].low != NULL || spans[i].high != NULL) {
            buf_append_string(&text_out, spans[i].low_inclusive ? " [" : " (");
            if (spans[i].low != NULL) sql_datum_print(spans[i].low, &text_out);
            buf_append_string(&text_out, "..");
            if (spans[i].high != NULL) sql_datum_print(spans[i].high, &text_out);
            buf_append_byte(&text_out, spans[i].high_inclusive ? ']' : ')');
        }
        buf_append_byte(&text_out, '}');
    }
    snprintf(out, sizeof(out), "%.*s", (int)text_out.len,
             text_out.data != NULL ? (const char *)text_out.data : "");
    buf_deinit(&text_out);
    sql_fixture_deinit(&fixture);
    return out;
}

TEST("4", 3, lists_become_points_in_the_keys_order_without_doubles) {
    assert_string_equal("{1} {2} {3}",
                        spans_of("select * from t where a in (3, 1, 2, 1, 3)", NULL, 0));
    assert_string_equal("{1,4} {1,5} {2,4} {2,5}",
                        spans_of("select * from u where y in (5, 4) and x in (2, 1)", NULL, 0));
    assert_string_equal("{}", spans_of("select * from t", NULL, 0));
    assert_string_equal("{a} {b}", spans_of("select * from s where name in ('b', 'a')", NULL, 0));
}

TEST("4", 3, parameters_are_evaluated_when_the_execution_starts) {
    struct sql_datum two[] = {sql_datum_int(SQL_INT4, 7), sql_datum_int(SQL_INT4, 9)};
    assert_string_equal("{7 (8..)}",
                        spans_of("select * from u where x = $1 and y > $2 - 1", two, 2));
    assert_string_equal("{ [7..9)}", spans_of("select * from t where a >= $1 and a < $2", two, 2));
}

TEST("4", 3, what_cannot_match_reads_nothing) {
    struct sql_datum null = sql_datum_null(SQL_INT4);
    assert_string_equal("", spans_of("select * from t where a = $1", &null, 1));
    assert_string_equal("", spans_of("select * from t where a > $1", &null, 1));
    assert_string_equal("", spans_of("select * from t where a = 5000000000", NULL, 0));
    assert_string_equal("", spans_of("select * from t where a > 5000000000", NULL, 0));
    assert_string_equal("{}", spans_of("select * from t where a < 5000000000", NULL, 0));
    assert_string_equal("", spans_of("select * from t where a > 3 and a < 3", NULL, 0));
    assert_string_equal("{2}",
                        spans_of("select * from t where a in (2, 5000000000, null)", NULL, 0));
}

/* ---- random statements ---------------------------------------------------------------------- */

static const char *const words[] = {
    "a",       "b",      "c",        "d",      "x",       "y",      "z",    "k",        "t.a",
    "u.x",     "v.k",    "1",        "2.5",    "'7'",     "'x'",    "null", "true",     "$1",
    "$2",      "+",      "-",        "*",      "||",      "=",      "<",    ">=",       "<>",
    "and",     "or",     "not",      "is",     "null",    "in",     "(",    ")",        ",",
    "between", "like",   "case",     "when",   "then",    "end",    "else", "count(*)", "sum(a)",
    "max(b)",  "abs(a)", "lower(b)", "::int",  "::text",  "group",  "by",   "order",    "having",
    "limit",   "desc",   "distinct", "where",  "from",    "t",      "u",    "v",        "join",
    "on",      "using",  "(a)",      "select", "default", "values", "*",    "t.*",      "offset",
};

/* A sentence that is right, with some words exchanged. */
static void random_statement(struct prng *prng, struct buf *out) {
    static const char *const seeds[] = {
        "select a , b from t where a = 1 and b like 'x' order by a desc limit 3",
        "select b , count(*) , sum(a) from t where d group by b having count(*) > 1 order by 2",
        "select t.a , u.x , v.k from t join u on t.a = u.x and u.y < 3 join v using ( a )",
        "select x , y from u where x in ( 1 , 2 , $1 ) and y between $2 and 9 order by x , y",
        "insert into u ( x , y , z ) values ( 1 , 2 , 'a' ) , ( $1 , default , null )",
        "insert into v select x , z from u where x = 1 or x = 2",
        "update t set b = b || 'x' , c = c * 2 where a >= 3 and a < $1",
        "delete from u where x = 1 and y = 2",
        "select s.q from ( select a + 1 as q , b from t where a > 1 ) as s where s.q < 9",
        "select distinct case when a > 1 then b else k end from t , v order by 1",
    };
    const char *seed = seeds[prng_below(prng, sizeof(seeds) / sizeof(seeds[0]))];
    buf_clear(out);
    while (*seed != '\0') {
        size_t len = strcspn(seed, " ");
        if (prng_below(prng, 16) == 0) {
            buf_append_string(out, words[prng_below(prng, sizeof(words) / sizeof(words[0]))]);
        } else {
            buf_append(out, seed, len);
        }
        buf_append_byte(out, ' ');
        seed += len + (seed[len] == ' ' ? 1 : 0);
    }
    buf_append_byte(out, '\0');
}

/* Plans and explains it if it can be bound; true if so. */
static bool try_statement(struct sql_fixture *fixture, const char *text) {
    struct ast_script script;
    struct bound_statement *bound = NULL;
    struct sql_plan *plan = NULL;
    struct sql_explain_options options = {.costs = true, .verbose = true};
    struct slice *lines = NULL;
    size_t count = 0;
    struct sql_error *error = &fixture->error;
    sql_error_clear(error);
    enum status status = sql_parse(&fixture->arena, slice_of_string(text), &script, error);
    if (status == STATUS_OK && script.count != 1) return false;
    if (status == STATUS_OK) {
        status = sql_fixture_bind_parsed(fixture, script.statements[0], &bound);
    }
    if (status == STATUS_OK) status = sql_plan_statement(&fixture->arena, bound, &plan, error);
    if (status != STATUS_OK) {
        assert_int_equal(5, strlen(error->sqlstate));
        assert_string_not_equal("XX000", error->sqlstate);
        return false;
    }
    sql_explain(&fixture->arena, plan, options, &lines, &count);
    assert_true(count > 0);
    return true;
}

TEST("4", 0, random_statements_are_planned_or_refused_cleanly) {
    struct prng prng;
    struct buf text = BUF_INIT;
    size_t planned = 0;
    prng_seed(&prng, 4);
    for (int round = 0; round < 20; round++) {
        struct sql_fixture fixture;
        sql_fixture_init(&fixture, tables);
        for (int i = 0; i < 500; i++) {
            random_statement(&prng, &text);
            planned += try_statement(&fixture, (const char *)text.data);
        }
        sql_fixture_deinit(&fixture);
    }
    assert_true(planned > 1000);
    buf_deinit(&text);
}

TEST("4", 0, operands_that_multiply_are_bounded) {
    struct sql_fixture fixture;
    struct buf text = BUF_INIT;
    sql_fixture_init(&fixture, tables);
    buf_append_string(&text, "select ");
    for (int i = 0; i < 60; i++)
        buf_append_byte(&text, '(');
    buf_append_string(&text, "d");
    for (int i = 0; i < 60; i++)
        buf_append_string(&text, " between symmetric d and true)");
    buf_append_string(&text, " from t");
    buf_append_byte(&text, '\0');
    assert_false(try_statement(&fixture, (const char *)text.data));
    assert_string_equal("54001", fixture.error.sqlstate);
    buf_deinit(&text);
    sql_fixture_deinit(&fixture);
}
