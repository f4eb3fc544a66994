/* test_sql_parser.c - what the grammar makes of a text, and how it refuses one.
 *
 * Trees are compared through ast_print, which puts every operator in parentheses. Expected messages
 * and positions were taken from PostgreSQL 15. */
#include <stdio.h>
#include <string.h>

#include "ast_print.h"
#include "harness.h"
#include "prng.h"
#include "sql_parser.h"

/* The statements as they were understood, or "SQLSTATE@position message". */
static const char *parse_slice(struct slice text) {
    static char out[8192];
    struct arena arena;
    arena_init(&arena, 0);
    struct ast_script script;
    struct sql_error error = {0};
    if (sql_parse(&arena, text, &script, &error) != STATUS_OK) {
        snprintf(out, sizeof(out), "%s@%d %s", error.sqlstate, error.position, error.message);
    } else {
        struct buf printed = BUF_INIT;
        for (size_t i = 0; i < script.count; i++) {
            if (i > 0) buf_append_string(&printed, "; ");
            ast_print_statement(script.statements[i], &printed);
        }
        snprintf(out, sizeof(out), "%.*s", (int)printed.len,
                 printed.data != NULL ? (const char *)printed.data : "");
        buf_deinit(&printed);
    }
    arena_deinit(&arena);
    return out;
}

static const char *parse(const char *text) { return parse_slice(slice_of_string(text)); }

/* Of one expression. */
static const char *parse_expr(const char *text) {
    char select[512];
    snprintf(select, sizeof(select), "select %s", text);
    const char *printed = parse(select);
    return strncmp(printed, "SELECT ", 7) == 0 ? printed + 7 : printed;
}

/* ---- operators ------------------------------------------------------------------------------ */

TEST("2", 0, operators_bind_as_in_postgresqls_table) {
    assert_string_equal("(1 + (2 * (3 ^ 2)))", parse_expr("1 + 2 * 3 ^ 2"));
    assert_string_equal("((1 - 2) - 3)", parse_expr("1 - 2 - 3"));
    assert_string_equal("((2 ^ 3) ^ 2)", parse_expr("2 ^ 3 ^ 2"));
    assert_string_equal("(\"a\" || (1 + 2))", parse_expr("a || 1 + 2"));
    assert_string_equal("((\"a\" || \"b\") < (\"c\" || \"d\"))", parse_expr("a || b < c || d"));
    assert_string_equal("(((NOT (\"a\" = \"b\")) AND \"c\") OR \"d\")",
                        parse_expr("not a = b and c or d"));
    assert_string_equal("((\"a\" < \"b\") IS NULL)", parse_expr("a < b is null"));
    assert_string_equal("((\"a\" LIKE \"b\") = \"c\")", parse_expr("a like b = c"));
    assert_string_equal("((@ (\"a\" + 1)) || \"b\")", parse_expr("@ a + 1 || b"));
}

TEST("2", 0, a_sign_binds_tighter_than_power_and_looser_than_a_cast) {
    assert_string_equal("(-2 ^ 2)", parse_expr("-2 ^ 2"));
    assert_string_equal("((- \"a\") ^ 2)", parse_expr("-a ^ 2"));
    assert_string_equal("(- CAST(1 AS \"int2\"))", parse_expr("-1::int2"));
}

TEST("2", 0, a_minus_and_a_number_are_one_constant) {
    assert_string_equal("-9223372036854775808", parse_expr("-9223372036854775808"));
    struct arena arena;
    arena_init(&arena, 0);
    struct ast_expr *expr = NULL;
    struct sql_error error = {0};
    assert_int_equal(
        STATUS_OK,
        sql_parse_expression(&arena, slice_of_string("- 9223372036854775808"), &expr, &error));
    assert_int_equal(AST_INTEGER, expr->kind);
    assert_true(expr->integer == INT64_MIN);
    assert_int_equal(1, expr->position);
    arena_deinit(&arena);
}

TEST("2", 0, comparisons_between_and_like_do_not_chain) {
    assert_string_equal("42601@14 syntax error at or near \"=\"", parse("select 1 = 2 = 3"));
    assert_string_equal("42601@14 syntax error at or near \"<\"", parse("select 1 < 2 < 3"));
    assert_string_equal("42601@17 syntax error at or near \"like\"",
                        parse("select a like b like c"));
    assert_string_equal("42601@26 syntax error at or near \"between\"",
                        parse("select 1 between 2 and 3 between 4 and 5"));
    assert_string_equal("((\"a\" IS TRUE) IS FALSE)", parse_expr("a is true is false"));
}

TEST("2", 0, between_takes_its_own_and) {
    assert_string_equal("((\"a\" BETWEEN 1 AND 2) AND \"b\")",
                        parse_expr("a between 1 and 2 and b"));
    assert_string_equal("(\"a\" NOT BETWEEN SYMMETRIC (1 + 1) AND 2)",
                        parse_expr("a not between symmetric 1 + 1 and 2"));
}

TEST("2", 0, predicates_keep_what_was_written) {
    assert_string_equal("(\"a\" NOT IN (1, (2 + 3)))", parse_expr("a not in (1, 2 + 3)"));
    assert_string_equal("(\"a\" IS NOT DISTINCT FROM (\"b\" + 1))",
                        parse_expr("a is not distinct from b + 1"));
    assert_string_equal("(\"a\" NOT ILIKE 'x')", parse_expr("a not ilike 'x'"));
    assert_string_equal("((\"a\" IS NULL) AND (\"b\" IS NOT NULL))",
                        parse_expr("a isnull and b notnull"));
    assert_string_equal("(\"a\" IS NOT UNKNOWN)", parse_expr("a is not unknown"));
}

TEST("2", 0, casts_have_three_spellings) {
    assert_string_equal("CAST(\"a\" AS \"int4\")", parse_expr("cast(a as integer)"));
    assert_string_equal("CAST(CAST(\"a\" AS \"varchar\"(3)) AS \"text\")",
                        parse_expr("a::character varying(3)::text"));
    assert_string_equal("CAST('1' AS \"int8\")", parse_expr("bigint '1'"));
    assert_string_equal("CAST('1' AS \"float8\")", parse_expr("double precision '1'"));
    assert_string_equal("CAST('x' AS \"date\")", parse_expr("date 'x'"));
}

TEST("2", 0, calls_and_conditionals) {
    assert_string_equal("\"count\"(*)", parse_expr("count(*)"));
    assert_string_equal("\"count\"(DISTINCT \"a\") FILTER (WHERE (\"b\" > 1))",
                        parse_expr("count(distinct a) filter (where b > 1)"));
    assert_string_equal("CASE \"a\" WHEN 1 THEN 'x' ELSE 'y' END",
                        parse_expr("case a when 1 then 'x' else 'y' end"));
    assert_string_equal("COALESCE(\"a\", NULLIF(1, 2), GREATEST(3), LEAST(4))",
                        parse_expr("coalesce(a, nullif(1, 2), greatest(3), least(4))"));
    assert_string_equal("\"substring\"(\"a\", 2, 3)", parse_expr("substring(a from 2 for 3)"));
    assert_string_equal("\"ltrim\"(\"b\", 'x')", parse_expr("trim(leading 'x' from b)"));
    assert_string_equal("\"left\"('abc', 1)", parse_expr("left('abc', 1)"));
}

/* ---- statements ----------------------------------------------------------------------------- */

TEST("2", 0, select_has_its_clauses) {
    assert_string_equal(
        "SELECT DISTINCT \"a\" AS \"x\", \"t\".*, * FROM \"t\" WHERE (\"a\" > 1) GROUP BY 1, "
        "\"b\" HAVING (\"count\"(*) > 2) ORDER BY \"a\" DESC NULLS LAST, 2 NULLS FIRST "
        "LIMIT 10 OFFSET 5",
        parse("select distinct a x, t.*, * from t where a > 1 group by 1, b having "
              "count(*) > 2 order by a desc nulls last, 2 asc nulls first offset 5 "
              "rows fetch first 10 rows only"));
    assert_string_equal("SELECT FROM \"t\"", parse("select from t"));
    assert_string_equal("VALUES (1, 'a'), (2, DEFAULT) ORDER BY 1 LIMIT 1",
                        parse("values (1, 'a'), (2, default) order by 1 limit 1"));
    assert_string_equal("SELECT * FROM \"t\"", parse("table t"));
}

TEST("2", 0, joins_nest_to_the_left_and_by_parentheses) {
    assert_string_equal(
        "SELECT * FROM ((\"a\" JOIN \"b\" ON (\"a\".\"x\" = \"b\".\"x\")) JOIN \"c\" AS \"d\" "
        "USING "
        "(\"x\", \"y\")), \"e\"",
        parse("select * from a join b on a.x = b.x inner join c as d using (x, y), e"));
    assert_string_equal("SELECT * FROM (\"a\" CROSS JOIN (\"b\" JOIN \"c\" ON TRUE))",
                        parse("select * from a cross join (b join c on true)"));
    assert_string_equal("SELECT * FROM (SELECT 1 AS \"x\") AS \"s\"(\"y\")",
                        parse("select * from (select 1 as x) s(y)"));
}

TEST("2", 0, a_label_needs_as_only_where_it_would_be_ambiguous) {
    assert_string_equal("SELECT \"a\" AS \"from\", \"b\" AS \"end\", \"c\" AS \"select\"",
                        parse("select a as from, b end, c select"));
    assert_string_equal("42601@10 syntax error at or near \"over\"", parse("select 1 over"));
}

TEST("2", 0, insert_update_delete) {
    assert_string_equal(
        "INSERT INTO \"s\".\"t\" (\"a\", \"b\") VALUES (1, DEFAULT), ($1, 'x') RETURNING *, \"a\" "
        "AS "
        "\"y\"",
        parse("insert into s.t (a, b) values (1, default), ($1, 'x') returning *, a y"));
    assert_string_equal("INSERT INTO \"t\" DEFAULT VALUES", parse("insert into t default values"));
    assert_string_equal("INSERT INTO \"t\" SELECT 1", parse("insert into t (select 1)"));
    assert_string_equal(
        "UPDATE \"t\" AS \"x\" SET \"a\" = (\"a\" + 1), \"b\" = DEFAULT WHERE (\"x\".\"c\" = 2)",
        parse("update t x set a = a + 1, b = default where x.c = 2"));
    assert_string_equal("DELETE FROM \"t\" WHERE TRUE", parse("delete from only t where true"));
}

TEST("2", 0, create_and_drop_table) {
    assert_string_equal(
        "CREATE TABLE IF NOT EXISTS \"t\" (\"a\" \"int8\" PRIMARY KEY, \"b\" \"varchar\"(10) NOT "
        "NULL DEFAULT ('x' || 'y'), \"c\" \"float8\" NULL, \"d\" \"numeric\"(8, 2))",
        parse("create table if not exists t (a bigint primary key, b varchar(10) "
              "default 'x' || 'y' not null, c double precision null, d decimal(8, 2))"));
    assert_string_equal(
        "CREATE TABLE \"t\" (\"a\" \"int2\", \"b\" \"text\", CONSTRAINT \"k\" PRIMARY KEY (\"b\", "
        "\"a\"))",
        parse("create table t (a smallint, b text, constraint k primary key (b, a))"));
    assert_string_equal("DROP TABLE IF EXISTS \"a\", \"s\".\"b\"",
                        parse("drop table if exists a, s.b cascade"));
}

TEST("2", 0, a_default_keeps_its_source_text) {
    struct arena arena;
    arena_init(&arena, 0);
    struct ast_script script;
    struct sql_error error = {0};
    struct slice text = slice_of_string("create table t (a int default 1 + /**/ 2 not null)");
    assert_int_equal(STATUS_OK, sql_parse(&arena, text, &script, &error));
    assert_slice_equal(slice_of_string("1 + /**/ 2"),
                       script.statements[0]->create_table->columns[0].default_text);
    arena_deinit(&arena);
}

TEST("2", 0, transactions_and_variables) {
    assert_string_equal("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; COMMIT AND CHAIN; ROLLBACK",
                        parse("begin transaction isolation level serializable, read only; end and "
                              "chain; abort work"));
    assert_string_equal("START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ WRITE",
                        parse("start transaction read write isolation level repeatable read"));
    assert_string_equal(
        "SET \"search_path\" TO 'public, Foo'; SET LOCAL \"x.y\" TO '-1'; SET \"timezone\" TO "
        "DEFAULT",
        parse("set search_path = public, 'Foo'; set local X.y to -1; set time zone default"));
    assert_string_equal(
        "SHOW ALL; SHOW \"transaction_isolation\"; RESET \"timezone\"; DISCARD ALL",
        parse("show all; show transaction isolation level; reset time zone; discard all"));
    assert_string_equal("EXPLAIN (ANALYZE 1, VERBOSE 0, COSTS 0) SELECT 1",
                        parse("explain (analyze, costs off) select 1"));
}

TEST("2", 0, statements_know_their_text_and_their_parameters) {
    struct arena arena;
    arena_init(&arena, 0);
    struct ast_script script;
    struct sql_error error = {0};
    struct slice text = slice_of_string(" ; select $2 ;; /* x */ select $1, 'a;b' -- y\n;");
    assert_int_equal(STATUS_OK, sql_parse(&arena, text, &script, &error));
    assert_int_equal(2, script.count);
    assert_slice_equal(slice_of_string("select $2"), script.statements[0]->text);
    assert_slice_equal(slice_of_string("select $1, 'a;b'"), script.statements[1]->text);
    assert_int_equal(2, script.statements[0]->param_count);
    assert_int_equal(1, script.statements[1]->param_count);
    arena_deinit(&arena);
}

/* ---- refusals ------------------------------------------------------------------------------- */

TEST("2", 1, a_syntax_error_anywhere_refuses_the_whole_text) {
    assert_string_equal("42601@11 syntax error at or near \"foo\"", parse("select 1; foo"));
}

TEST("2", 0, syntax_errors_name_the_token_and_where_it_is) {
    assert_string_equal("42601@1 syntax error at or near \"selec\"", parse("selec 1"));
    assert_string_equal("42601@11 syntax error at end of input", parse("select 1 +"));
    assert_string_equal("42601@13 syntax error at or near \"where\"",
                        parse("delete from where a = 1"));
    assert_string_equal("42601@14 syntax error at or near \"\xc3\xa9\"",
                        parse("select '\xc3\xa9' \xc3\xa9 \xc3\xa9 1"));
    assert_string_equal("42601@12 syntax error at or near \"'b'\"", parse("select 'a' 'b'"));
    assert_string_equal("42601@10 syntax error at or near \":=\"", parse("select 1 := 2"));
    assert_string_equal("42601@23 syntax error at or near \")\"", parse("create table t (a int,)"));
    assert_string_equal("42601@29 syntax error at or near \"where\"",
                        parse("select 1 from t where a = 1 where b = 2"));
    assert_string_equal("42601@21 LIMIT #,# syntax is not supported",
                        parse("select t.* from tab limit 1, 2"));
    assert_string_equal("42601@15 subquery in FROM must have an alias",
                        parse("select * from (select 1)"));
    assert_string_equal(
        "42601@28 conflicting NULL/NOT NULL declarations for column \"a\" of table \"t\"",
        parse("create table t (a int null not null)"));
}

TEST("2", 2, what_postgresql_has_and_cairn_has_not_is_refused_by_name) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"select * from a left join b on true", "0A000@17 LEFT JOIN is not supported"},
        {"select * from a natural join b", "0A000@17 NATURAL JOIN is not supported"},
        {"select 1 union select 2", "0A000@10 UNION is not supported"},
        {"with x as (select 1) select * from x", "0A000@1 WITH is not supported"},
        {"select (select 1)", "0A000@8 subqueries in expressions are not supported"},
        {"select 1 in (select 1)", "0A000@13 subqueries in expressions are not supported"},
        {"select exists (select 1)", "0A000@8 EXISTS is not supported"},
        {"select sum(a) over () from t", "0A000@15 window functions are not supported"},
        {"select distinct on (a) a from t", "0A000@17 DISTINCT ON is not supported"},
        {"select array[1]", "0A000@8 arrays are not supported"},
        {"select * from t for update", "0A000@17 FOR UPDATE is not supported"},
        {"insert into t values (1) on conflict do nothing",
         "0A000@26 ON CONFLICT is not supported"},
        {"update t set a = 1 from u", "0A000@20 UPDATE ... FROM is not supported"},
        {"create index i on t (a)", "0A000@1 CREATE INDEX is not supported"},
        {"create table t (a int unique)", "0A000@23 UNIQUE constraints are not supported"},
        {"create table t as select 1", "0A000@16 CREATE TABLE AS is not supported"},
        {"alter table t add b int", "0A000@1 ALTER is not supported"},
        {"copy t from stdin", "0A000@1 COPY is not supported"},
        {"savepoint s", "0A000@1 SAVEPOINT is not supported"},
        {"select x'ff'", "0A000@8 bit string constants are not supported"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_string_equal(cases[i].expected, parse(cases[i].text));
    }
}

/* ---- bounds --------------------------------------------------------------------------------- */

static struct slice repeat(struct buf *out, const char *head, const char *part, const char *middle,
                           const char *tail, size_t count) {
    buf_clear(out);
    buf_append_string(out, head);
    for (size_t i = 0; i < count; i++)
        buf_append_string(out, part);
    buf_append_string(out, middle);
    for (size_t i = 0; i < count; i++)
        buf_append_string(out, tail);
    return buf_slice(out);
}

TEST("2", 3, nesting_without_end_is_refused_not_a_crash) {
    static const char *const shapes[][4] = {
        {"select ", "(", "1", ")"},
        {"select ", "not ", "true", ""},
        {"select ", "- ", "a", ""},
        {"select a", "::int", "", ""},
        {"select ", "1 + ", "1", ""},
        {"select ", "case when ", "a", " then 1 end"},
        {"select ", "f(", "a", ")"},
        {"select ", "a in (", "a", ")"},
        {"select ", "a between (", "1", ") and 2"},
        {"select * from ", "(select * from ", "a", ") x"},
        {"select * from ", "(", "a join b on true", ")"},
        {"select * from a ", "cross join a ", "", ""},
        {"", "(", "select 1", ")"},
    };
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const char *const *shape = shapes[i];
        const char *answer =
            parse_slice(repeat(&text, shape[0], shape[1], shape[2], shape[3], 10000));
        assert_string_equal("54001@0 stack depth limit exceeded", answer);
    }
    buf_deinit(&text);
}

TEST("2", 3, moderate_nesting_is_fine) {
    struct buf text = BUF_INIT;
    assert_string_equal("SELECT 1", parse_slice(repeat(&text, "select ", "(", "1", ")", 100)));
    buf_deinit(&text);
}

static struct ast_statement *parse_one(struct arena *arena, struct slice text) {
    struct ast_script script;
    struct sql_error error = {0};
    assert_int_equal(STATUS_OK, sql_parse(arena, text, &script, &error));
    assert_int_equal(1, script.count);
    return script.statements[0];
}

TEST("2", 3, long_lists_cost_no_depth) {
    struct buf text = BUF_INIT;
    struct arena arena;
    arena_init(&arena, 0);
    struct ast_statement *statement =
        parse_one(&arena, repeat(&text, "select a ", "and b ", "", "", 100000));
    assert_int_equal(100001, statement->select->targets[0].value->args.count);
    assert_int_equal(2, statement->select->targets[0].value->depth);
    statement = parse_one(&arena, repeat(&text, "values (1)", ", (1, 'x')", "", "", 100000));
    assert_int_equal(100001, statement->select->row_count);
    statement = parse_one(&arena, repeat(&text, "select a in (1", ", 2", ")", "", 100000));
    assert_int_equal(100002, statement->select->targets[0].value->args.count);
    arena_deinit(&arena);
    buf_deinit(&text);
}

TEST("2", 0, a_text_beyond_the_arenas_budget_is_refused) {
    struct buf text = BUF_INIT;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    struct ast_script script;
    struct sql_error error = {0};
    struct slice sql = repeat(&text, "values (1)", ", (1, 'x')", "", "", 100000);
    assert_int_equal(STATUS_TOO_LARGE, sql_parse(&arena, sql, &script, &error));
    assert_true(arena.used_bytes < 256 * 1024);
    assert_string_not_equal("", error.sqlstate);
    arena_deinit(&arena);
    buf_deinit(&text);
}

/* ---- random texts --------------------------------------------------------------------------- */

static const char *const soup[] = {
    "select", "from",      "where",  "t",         "a",        "b",         "\"C\"",    "(",
    ")",      ",",         ".",      "*",         "+",        "-",         "/",        "=",
    "<>",     "<",         "::",     "int",       "varchar",  "(3)",       "1",        "2.5",
    "'x'",    "$1",        "null",   "true",      "not",      "and",       "or",       "is",
    "in",     "between",   "like",   "escape",    "case",     "when",      "then",     "else",
    "end",    "cast",      "as",     "group",     "by",       "having",    "order",    "limit",
    "offset", "fetch",     "first",  "rows",      "only",     "values",    "insert",   "into",
    "update", "set",       "delete", "default",   "create",   "table",     "primary",  "key",
    "drop",   "if",        "exists", "begin",     "commit",   "isolation", "level",    "explain",
    "show",   "join",      "on",     "using",     "cross",    "inner",     "left",     "distinct",
    "count",  "coalesce",  "nullif", "substring", "trim",     "position",  "filter",   "over",
    ";",      "||",        "@",      "operator",  "[",        "]",         "E'\\x41'", "$$q$$",
    "double", "precision", "union",  "returning", "interval", "time",      "zone",     "of",
    "for",    "to",
};

/* Mostly a sentence of the grammar with some words replaced, else words at random. */
static void random_text(struct prng *prng, struct buf *out) {
    static const char *const seeds[] = {
        "select a , count ( * ) from t where a = 1 and b is null group by a having a > 2",
        "insert into t ( a , b ) values ( 1 , 'x' ) , ( default , $1 ) returning a",
        "create table t ( a int primary key , b varchar (3) not null default 'x' )",
        "update t set a = case when b then 1 else a end where a between 1 and 2 or b in ( 1 , 2 )",
        "select * from a join b using ( x ) cross join ( select 1 as y ) as c limit 1 offset 2",
    };
    buf_clear(out);
    const char *seed = seeds[prng_below(prng, 5)];
    bool random = prng_below(prng, 4) == 0;
    for (size_t words = 0; *seed != '\0' && words < 60; words++) {
        size_t len = strcspn(seed, " ");
        if (random || prng_below(prng, 6) == 0) {
            buf_append_string(out, soup[prng_below(prng, sizeof(soup) / sizeof(soup[0]))]);
        } else {
            buf_append(out, seed, len);
        }
        buf_append_byte(out, ' ');
        seed += len + (seed[len] == ' ' ? 1 : 0);
    }
}

TEST("2", 0, random_sentences_parse_to_what_prints_and_parses_again_or_fail_cleanly) {
    struct prng prng;
    prng_seed(&prng, 11);
    struct buf text = BUF_INIT;
    size_t understood = 0;
    for (int i = 0; i < 20000; i++) {
        random_text(&prng, &text);
        char first[8192];
        snprintf(first, sizeof(first), "%s", parse_slice(buf_slice(&text)));
        if (first[5] == '@') {
            assert_true(memcmp(first, "42601", 5) == 0 || memcmp(first, "0A000", 5) == 0 ||
                        memcmp(first, "42P02", 5) == 0);
            continue;
        }
        understood++;
        assert_string_equal(first, parse(first));
    }
    assert_true(understood > 500);
    buf_deinit(&text);
}

TEST("2", 0, random_bytes_never_crash) {
    struct prng prng;
    prng_seed(&prng, 12);
    static const char alphabet[] = "'\"$\\;()/*-+.:e E0a1xu&\n\xc3\xa9\xf0{";
    for (int i = 0; i < 20000; i++) {
        char text[40];
        size_t len = prng_below(&prng, sizeof(text));
        for (size_t j = 0; j < len; j++)
            text[j] = alphabet[prng_below(&prng, sizeof(alphabet) - 1)];
        (void)parse_slice(slice_of(text, len));
    }
}
