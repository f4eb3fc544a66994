/* test_sql_binder.c - names, types and rules, with PostgreSQL 15's messages and positions.
 *
 * Expected errors and result types were taken from PostgreSQL 15 running the same statements on the
 * same tables. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "refusal_cases.h"
#include "sql_fixture.h"

static const char tables[] =
    "create table t (a int primary key, b text, c float8, d bool, e bigint not null default 5,"
    "                f varchar(5), g numeric(8,2), h smallint);"
    "create table u (x int, y int, z text, primary key (x, y));"
    "create table v (a int, k text default 'q');"
    "create table w (id bigint primary key, x int not null, name text not null)";

struct expectation {
    const char *text, *expected;
};

/* "42703@8 message", or the output columns "a:integer, b:text"; "OK" if there are none. */
static void answer(const char *text, char *out, size_t size) {
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    struct bound_statement *bound = NULL;
    if (sql_fixture_bind(&fixture, text, &bound) != STATUS_OK) {
        snprintf(out, size, "%s@%d %s", fixture.error.sqlstate, fixture.error.position,
                 fixture.error.message);
    } else {
        uint32_t count = 0;
        const struct bound_column *columns = bound_statement_columns(&fixture.arena, bound, &count);
        size_t len = 0;
        snprintf(out, size, "OK");
        for (uint32_t i = 0; i < count; i++) {
            const char *type =
                sql_type_format(&fixture.arena, columns[i].type.type, columns[i].type.typmod);
            len += (size_t)snprintf(out + len, size - len, "%s%s:%s", i > 0 ? ", " : "",
                                    columns[i].name, type);
        }
    }
    sql_fixture_deinit(&fixture);
}

static void expect_all(const struct expectation *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        char got[1024];
        answer(cases[i].text, got, sizeof(got));
        if (strcmp(cases[i].expected, got) != 0) print_message("%s\n", cases[i].text);
        assert_string_equal(cases[i].expected, got);
    }
}
#define EXPECT(cases) expect_all((cases), sizeof(cases) / sizeof((cases)[0]))

/* ---- results -------------------------------------------------------------------------------- */

TEST("3", 2, outputs_have_postgresqls_names_and_types) {
    static const struct expectation cases[] = {
        {"select 1, 1.5, 'x', true, null, 99999999999",
         "?column?:integer, ?column?:numeric, ?column?:text, ?column?:boolean, ?column?:text, "
         "?column?:bigint"},
        {"select * from u", "x:integer, y:integer, z:text"},
        {"select t.a as q, f, g from t", "q:integer, f:character varying(5), g:numeric(8,2)"},
        {"select a + h, a + e, a + g, c + g, h + h from t",
         "?column?:integer, ?column?:bigint, ?column?:numeric, ?column?:double precision, "
         "?column?:smallint"},
        {"select count(*), sum(a), sum(e), avg(a), avg(c), max(f) from t",
         "count:bigint, sum:bigint, sum:numeric, avg:numeric, avg:double precision, max:text"},
        {"select lower(b), a::text, cast(b as varchar(3)), bigint '5', coalesce(a, e) from t",
         "lower:text, a:text, b:character varying(3), int8:bigint, coalesce:bigint"},
        {"select case when d then a else e end, case when d then b end from t",
         "e:bigint, case:text"},
        {"values (1, 'a'), (2.5, null)", "column1:numeric, column2:text"},
        {"select * from v join t using (a) join u on true",
         "a:integer, k:text, b:text, c:double precision, d:boolean, e:bigint, f:character "
         "varying(5), g:numeric(8,2), h:smallint, x:integer, y:integer, z:text"},
        {"select p.m from (select a + 1 from t) p(m)", "m:integer"},
    };
    EXPECT(cases);
}

TEST("3", 0, hidden_columns_are_found_by_no_name) {
    static const struct expectation cases[] = {
        {"select * from v", "a:integer, k:text"},
        {"select rowid from v", "42703@8 column \"rowid\" does not exist"},
        {"select v.rowid from v", "42703@8 column v.rowid does not exist"},
        {"insert into v (rowid) values (1)",
         "42703@16 column \"rowid\" of relation \"v\" does not exist"},
    };
    EXPECT(cases);
}

/* ---- names ---------------------------------------------------------------------------------- */

TEST("3", 1, names_that_mean_nothing_are_refused) {
    static const struct expectation cases[] = {
        {"select * from nope", "42P01@15 relation \"nope\" does not exist"},
        {"select * from s.nope", "42P01@15 relation \"s.nope\" does not exist"},
        {"select nope from t", "42703@8 column \"nope\" does not exist"},
        {"select t.nope from t", "42703@8 column t.nope does not exist"},
        {"select q.a from t", "42P01@8 missing FROM-clause entry for table \"q\""},
        {"select t.a from t x", "42P01@8 invalid reference to FROM-clause entry for table \"t\""},
        {"select nope(1)", "42883@8 function nope(integer) does not exist"},
        {"select 1::nope", "42704@11 type \"nope\" does not exist"},
        {"select *", "42601@8 SELECT * with no tables specified is not valid"},
        {"update t set nope = 1", "42703@14 column \"nope\" of relation \"t\" does not exist"},
    };
    EXPECT(cases);
}

TEST("3", 1, names_that_mean_two_things_are_refused) {
    static const struct expectation cases[] = {
        {"select a from t, v", "42702@8 column reference \"a\" is ambiguous"},
        {"select * from t, t", "42712@0 table name \"t\" specified more than once"},
        {"select b as x, c as x from t order by x", "42702@39 ORDER BY \"x\" is ambiguous"},
        {"select * from t x join v y on x.a = y.a join w z on q.a = 1",
         "42P01@53 missing FROM-clause entry for table \"q\""},
        {"select * from t x join v y on z.id = y.a join w z on true",
         "42P01@31 missing FROM-clause entry for table \"z\""},
        {"select * from t join v using (b)",
         "42703@0 column \"b\" specified in USING clause does not exist in right table"},
        {"select * from (select a from t) x(p, q)",
         "42P10@0 table \"x\" has 1 columns available but 2 columns specified"},
    };
    EXPECT(cases);
}

TEST("3", 0, misspelt_names_get_a_hint) {
    struct sql_fixture fixture;
    struct bound_statement *bound = NULL;
    sql_fixture_init(&fixture, tables);
    assert_int_equal(STATUS_INVALID, sql_fixture_bind(&fixture, "select naem from w", &bound));
    assert_string_equal("Perhaps you meant to reference the column \"w.name\".",
                        fixture.error.hint);
    assert_int_equal(STATUS_INVALID,
                     sql_fixture_bind(&fixture, "select naem from w, w w2", &bound));
    assert_string_equal("Perhaps you meant to reference the column \"w.name\" or the column "
                        "\"w2.name\".",
                        fixture.error.hint);
    assert_int_equal(STATUS_INVALID, sql_fixture_bind(&fixture, "select zzzz from w", &bound));
    assert_string_equal("", fixture.error.hint);
    assert_int_equal(STATUS_INVALID,
                     sql_fixture_bind(&fixture, "insert into w (name) values (x)", &bound));
    assert_string_equal("There is a column named \"x\" in table \"w\", but it cannot be referenced "
                        "from this part of the query.",
                        fixture.error.hint);
    sql_fixture_deinit(&fixture);
}

/* ---- types ---------------------------------------------------------------------------------- */

TEST("3", 2, types_that_do_not_meet_are_refused) {
    static const struct expectation cases[] = {
        {"select a from t where b = 1", "42883@25 operator does not exist: text = integer"},
        {"select a from t where a = 'x'", "22P02@27 invalid input syntax for type integer: \"x\""},
        {"select a from t where a", "42804@23 argument of WHERE must be type boolean, not type "
                                    "integer"},
        {"select not 1", "42804@12 argument of NOT must be type boolean, not type integer"},
        {"select case when true then 1 else true end",
         "42804@28 CASE types boolean and integer cannot be matched"},
        {"values (1), (true)", "42804@14 VALUES types integer and boolean cannot be matched"},
        {"select cast(d as float8) from t", "42846@8 cannot cast type boolean to double precision"},
        {"insert into t (a) values (true)",
         "42804@27 column \"a\" is of type integer but expression is of type boolean"},
        {"update t set d = 1", "42804@18 column \"d\" is of type boolean but expression is of type "
                               "integer"},
        {"select b from t limit true",
         "42804@23 argument of LIMIT must be type bigint, not type boolean"},
        {"select b from t limit a", "42P10@23 argument of LIMIT must not contain variables"},
        {"select 1::varchar(0)", "22023@11 length for type varchar must be at least 1"},
    };
    EXPECT(cases);
}

TEST("3", 4, parameters_take_their_types_from_where_they_stand) {
    struct sql_fixture fixture;
    struct bound_statement *bound = NULL;
    sql_fixture_init(&fixture, tables);
    assert_int_equal(
        STATUS_OK, sql_fixture_bind(&fixture,
                                    "select $5::text from t where a = $1 and b like $2 and c < $3 "
                                    "limit $4",
                                    &bound));
    static const enum sql_type expected[] = {SQL_INT4, SQL_TEXT, SQL_FLOAT8, SQL_INT8, SQL_TEXT};
    assert_int_equal(5, fixture.build.param_count);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(expected[i], fixture.build.param_types[i]);
    assert_int_equal(STATUS_OK,
                     sql_fixture_bind(&fixture, "insert into w values ($1, $2, $3)", &bound));
    assert_int_equal(SQL_INT8, fixture.build.param_types[0]);
    assert_int_equal(SQL_INT4, fixture.build.param_types[1]);
    assert_int_equal(SQL_TEXT, fixture.build.param_types[2]);
    assert_int_equal(STATUS_INVALID, sql_fixture_bind(&fixture, "select $2::int + 1", &bound));
    assert_string_equal("42P18", fixture.error.sqlstate);
    assert_string_equal("could not determine data type of parameter $1", fixture.error.message);
    sql_fixture_deinit(&fixture);
}

/* ---- grouping and order --------------------------------------------------------------------- */

TEST("3", 3, grouped_queries_obey_the_rules_of_grouping) {
    static const struct expectation cases[] = {
        {"select a, count(*) from t",
         "42803@8 column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate "
         "function"},
        {"select a + 1 from t group by a + 2",
         "42803@8 column \"t.a\" must appear in the GROUP BY clause or be used in an aggregate "
         "function"},
        {"select a + 1 as q from t group by a + 1", "q:integer"},
        {"select * from v group by a",
         "42803@8 column \"v.k\" must appear in the GROUP BY clause or be used in an aggregate "
         "function"},
        {"select t.a, t.b, count(*) from t group by t.a", "a:integer, b:text, count:bigint"},
        {"select k from v group by k order by a",
         "42803@37 column \"v.a\" must appear in the GROUP BY clause or be used in an aggregate "
         "function"},
        {"select k from v group by k having max(a) > 1 order by count(a)", "k:text"},
        {"select a from t where count(*) > 1",
         "42803@23 aggregate functions are not allowed in WHERE"},
        {"select * from v join u on count(*) = 1",
         "42803@27 aggregate functions are not allowed in JOIN conditions"},
        {"select a from t group by count(*)",
         "42803@26 aggregate functions are not allowed in GROUP BY"},
        {"select count(count(*)) from t", "42803@14 aggregate function calls cannot be nested"},
        {"update t set a = count(*)", "42803@18 aggregate functions are not allowed in UPDATE"},
    };
    EXPECT(cases);
}

TEST("3", 0, order_and_group_items_are_names_numbers_or_expressions) {
    static const struct expectation cases[] = {
        {"select b from t order by 2", "42P10@26 ORDER BY position 2 is not in select list"},
        {"select b from t order by 'x'", "42601@26 non-integer constant in ORDER BY"},
        {"select b from t group by 2", "42P10@26 GROUP BY position 2 is not in select list"},
        {"select length(b) as l, count(*) from t group by l order by l desc",
         "l:integer, count:bigint"},
        {"select a as b, b as c from t order by b", "b:integer, c:text"},
        {"select distinct b from t order by c",
         "42P10@35 for SELECT DISTINCT, ORDER BY expressions must appear in select list"},
        {"select distinct b from t order by b || 'x'",
         "42P10@35 for SELECT DISTINCT, ORDER BY expressions must appear in select list"},
    };
    EXPECT(cases);
}

/* ---- writes --------------------------------------------------------------------------------- */

TEST("3", 0, inserts_match_values_with_columns) {
    static const struct expectation cases[] = {
        {"insert into t (a, a) values (1, 2)", "42701@19 column \"a\" specified more than once"},
        {"insert into t (a, b) values (1)",
         "42601@19 INSERT has more target columns than expressions"},
        {"insert into t (a) values (1, 2)",
         "42601@30 INSERT has more expressions than target columns"},
        {"insert into t (a, b) select a from t",
         "42601@19 INSERT has more target columns than expressions"},
        {"insert into v values (1), (2, 'b')", "42601@28 VALUES lists must all be the same length"},
        {"insert into t (a) values (1 + default)",
         "42601@31 DEFAULT is not allowed in this context"},
        {"insert into t (a) select b from t",
         "42804@26 column \"a\" is of type integer but expression is of type text"},
        {"insert into t (a) select '7'", "OK"},
        {"insert into t values (1)", "OK"},
        {"insert into t default values", "OK"},
        {"update t set a = 1, a = 2", "42601@0 multiple assignments to same column \"a\""},
        {"insert into t values (1) returning a", "0A000@36 RETURNING is not supported"},
    };
    EXPECT(cases);
}

TEST("3", 0, an_inserts_rows_have_all_visible_columns_in_order) {
    struct sql_fixture fixture;
    struct bound_statement *bound = NULL;
    sql_fixture_init(&fixture, tables);
    assert_int_equal(
        STATUS_OK, sql_fixture_bind(&fixture, "insert into v (k) values ('x'), (default)", &bound));
    const struct bound_select *source = bound->insert->source;
    assert_int_equal(2, source->output_count);
    assert_int_equal(2, source->row_count);
    assert_true(source->rows[0][0]->constant.is_null);
    assert_int_equal(SQL_INT4, source->rows[0][0]->type);
    assert_slice_equal(slice_of_string("x"), source->rows[0][1]->constant.text);
    assert_slice_equal(slice_of_string("q"), source->rows[1][1]->constant.text);
    sql_fixture_deinit(&fixture);
}

/* ---- rows ----------------------------------------------------------------------------------- */

TEST("3", 0, rows_are_compared_value_by_value) {
    static const struct expectation cases[] = {
        {"select (x, y) < (1, 2), row(x) = row(y), (x, y) in ((1, 2), (3, 4)) from u",
         "?column?:boolean, ?column?:boolean, ?column?:boolean"},
        {"select * from u where (x, y) = (1, 2, 3)",
         "42601@30 unequal number of entries in row expressions"},
        {"select * from u where (x, z) = (1, 2)",
         "42883@30 operator does not exist: text = integer"},
        {"select (1, 2)", "0A000@8 row expressions are not supported here"},
    };
    EXPECT(cases);
}

/* ---- tables --------------------------------------------------------------------------------- */

TEST("3", 0, tables_get_a_key) {
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, "create table k (a int, b text, constraint kk primary key (b, a));"
                               "create table n (a int)");
    const struct sql_table *keyed = fixture.tables[0];
    assert_int_equal(2, keyed->key_count);
    assert_int_equal(1, keyed->key[0]);
    assert_int_equal(0, keyed->key[1]);
    assert_string_equal("kk", keyed->key_name);
    assert_true(keyed->columns[0].not_null && keyed->columns[1].not_null);
    const struct sql_table *keyless = fixture.tables[1];
    assert_int_equal(2, keyless->column_count);
    assert_true(keyless->columns[1].hidden);
    assert_int_equal(1, keyless->key[0]);
    assert_null(keyless->key_name);
    sql_fixture_deinit(&fixture);
}

TEST("3", 0, impossible_tables_are_refused) {
    static const struct expectation cases[] = {
        {"create table x (a nope)", "42704@19 type \"nope\" does not exist"},
        {"create table x (a timestamp)",
         "0A000@19 type timestamp without time zone is not supported"},
        {"create table x (a int, a text)", "42701@0 column \"a\" specified more than once"},
        {"create table x (a int primary key, b int primary key)",
         "42P16@42 multiple primary keys for table \"x\" are not allowed"},
        {"create table x (a int, primary key (b))",
         "42703@24 column \"b\" named in key does not exist"},
        {"create table x (a int, primary key (a, a))",
         "42701@24 column \"a\" appears twice in primary key constraint"},
        {"create table x (a int default 'x')",
         "22P02@31 invalid input syntax for type integer: \"x\""},
        {"create table x (a int default b)",
         "0A000@31 cannot use column reference in DEFAULT expression"},
        {"create table x (a int default true)",
         "42804@0 column \"a\" is of type integer but default expression is of type boolean"},
        {"create table s.x (a int)", "3F000@14 schema \"s\" does not exist"},
    };
    EXPECT(cases);
}

/* ---- recorded refusals ---------------------------------------------------------------------- */

TEST("3", 0, statements_are_refused_in_postgresqls_words) {
    struct sql_fixture fixture;
    sql_fixture_init(&fixture, tables);
    for (size_t i = 0; i < sizeof(refusal_cases) / sizeof(refusal_cases[0]); i++) {
        const struct refusal_case *expected = &refusal_cases[i];
        struct ast_script script;
        struct bound_statement *bound = NULL;
        sql_error_clear(&fixture.error);
        enum status status =
            sql_parse(&fixture.arena, slice_of_string(expected->text), &script, &fixture.error);
        for (size_t j = 0; status == STATUS_OK && j < script.count; j++) {
            status = sql_fixture_bind_parsed(&fixture, script.statements[j], &bound);
        }
        if (status == STATUS_OK || strcmp(expected->message, fixture.error.message) != 0) {
            print_message("%s\n", expected->text);
        }
        assert_int_not_equal(STATUS_OK, status);
        assert_string_equal(expected->message, fixture.error.message);
        assert_string_equal(expected->sqlstate, fixture.error.sqlstate);
        assert_int_equal(expected->position, fixture.error.position);
        assert_string_equal(expected->hint, fixture.error.hint);
    }
    sql_fixture_deinit(&fixture);
}
