/* test_sql_session.c - the whole stack in one process: statements in, answers and errors out. */
#include <stdio.h>

#include "co.h"
#include "harness.h"
#include "session_fixture.h"

/* ---- tables ---------------------------------------------------------------------------------- */

SQL_TEST("1", 3, a_table_is_created_filled_and_read) {
    assert_answer("CREATE TABLE\n", client, "CREATE TABLE t (id int PRIMARY KEY, name text)");
    assert_answer("INSERT 0 2\n", client, "INSERT INTO t VALUES (2, 'b'), (1, NULL)");
    assert_answer("id|name\n1|null\n2|b\nSELECT 2\n", client, "SELECT * FROM t");
}

SQL_TEST("1", 0, tables_come_and_go_with_postgresqls_errors_and_notices) {
    run(client, "CREATE TABLE t (id int)");
    assert_answer("ERROR:  42P07: relation \"t\" already exists\n", client,
                  "CREATE TABLE t (x int)");
    assert_answer("NOTICE:  42P07: relation \"t\" already exists, skipping\nCREATE TABLE\n", client,
                  "CREATE TABLE IF NOT EXISTS t (x int)");
    assert_answer("DROP TABLE\n", client, "DROP TABLE t");
    assert_answer("ERROR:  42P01: table \"t\" does not exist\n", client, "DROP TABLE t");
    assert_answer("NOTICE:  00000: table \"t\" does not exist, skipping\nDROP TABLE\n", client,
                  "DROP TABLE IF EXISTS t");
    assert_fails("42P01", client, "SELECT * FROM t");
}

SQL_TEST("1", 0, dropping_several_tables_drops_all_or_none) {
    run(client, "CREATE TABLE a (x int); CREATE TABLE b (x int)");
    assert_fails("42P01", client, "DROP TABLE a, nosuch, b");
    assert_answer("x\nSELECT 0\n", client, "SELECT * FROM a");
    assert_answer("DROP TABLE\n", client, "DROP TABLE a, b, a");
    assert_fails("42P01", client, "SELECT * FROM b");
}

SQL_TEST("1", 0, a_table_of_the_same_name_starts_empty) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    run(client, "DROP TABLE t");
    run(client, "CREATE TABLE t (id text PRIMARY KEY)");
    assert_answer("id\nSELECT 0\n", client, "SELECT * FROM t");
}

SQL_TEST("1", 0, the_rows_of_a_dropped_table_are_deleted_in_the_end) {
    struct metrics *metrics = sql_solo_metrics(client->fixture->solo);
    struct counter *swept = metrics_counter(metrics, "cairn_sql_swept_rows_total", "");
    run(client, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
    run(client, "INSERT INTO u VALUES (1), (2)");
    run(client, "INSERT INTO t VALUES (1)");
    for (int i = 0; i < 11; i++) /* 2,048 rows: more than one slice */
        run(client, "INSERT INTO t SELECT a.id + b.m FROM t a, (SELECT max(id) AS m FROM t) b");
    assert_answer("count\n2048\nSELECT 1\n", client, "SELECT count(*) FROM t");
    run(client, "BEGIN; DROP TABLE t; ROLLBACK");
    assert_answer("count\n2048\nSELECT 1\n", client, "SELECT count(*) FROM t");
    assert_answer("DROP TABLE\n", client, "DROP TABLE t");
    while (swept->value < 2048) /* the test's limit ends it */
        assert_status(STATUS_OK, co_sleep(client->fixture->env, NS_PER_MS));
    assert_int_equal(2048, swept->value);
    assert_answer("id\n1\n2\nSELECT 2\n", client, "SELECT * FROM u");
}

SQL_TEST("1", 0, the_catalog_can_be_listed) {
    run(client, "CREATE TABLE b (x int); CREATE TABLE a (n numeric(5,2) DEFAULT 1 NOT NULL, k "
                "varchar(3), PRIMARY KEY (k, n))");
    assert_answer("schema|name\npublic|a\npublic|b\nSHOW\n", client, "SHOW TABLES");
    assert_answer("column|type|nullable|default|primary_key\nn|numeric(5,2)|not null|1|2\n"
                  "k|character varying(3)|not null|null|1\nSHOW\n",
                  client, "SHOW COLUMNS FROM a");
    assert_answer("column|type|nullable|default|primary_key\nx|integer||null|null\nSHOW\n", client,
                  "SHOW COLUMNS FROM b");
    assert_fails("42P01", client, "SHOW COLUMNS FROM c");
}

/* ---- writing --------------------------------------------------------------------------------- */

SQL_TEST("2", 0, null_where_it_may_not_be_is_refused_with_the_row) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b text)");
    assert_answer("ERROR:  23502: null value in column \"a\" of relation \"t\" violates not-null "
                  "constraint\nDETAIL:  Failing row contains (1, null, abc).\n",
                  client, "INSERT INTO t VALUES (1, NULL, 'abc')");
    run(client, "INSERT INTO t VALUES (1, 'x', 'y')");
    assert_fails("23502", client, "UPDATE t SET a = NULL");
    assert_fails("23502", client, "INSERT INTO t (a) VALUES ('x')");
}

SQL_TEST("2", 0, values_are_cut_in_the_detail_at_whole_characters) {
    run(client, "CREATE TABLE t (a text, b int NOT NULL)");
    char script[256], expected[512];
    const char *many = "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
                       "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9";
    snprintf(script, sizeof script, "INSERT INTO t VALUES ('x%s%s', NULL)", many, many);
    snprintf(expected, sizeof expected,
             "ERROR:  23502: null value in column \"b\" of relation \"t\" violates not-null "
             "constraint\nDETAIL:  Failing row contains (x%s%.30s..., null).\n",
             many, many);
    assert_answer(expected, client, script);
}

SQL_TEST("2", 0, a_key_exists_once) {
    const char *error = "ERROR:  23505: duplicate key value violates unique constraint \"t_pkey\"\n"
                        "DETAIL:  Key (a, b)=(1, x) already exists.\n";
    run(client, "CREATE TABLE t (a int, b text, c int, PRIMARY KEY (a, b))");
    run(client, "INSERT INTO t VALUES (1, 'x', 1)");
    assert_answer(error, client, "INSERT INTO t VALUES (2, 'x', 2), (1, 'x', 2)");
    run(client, "BEGIN");
    assert_answer(error, client, "INSERT INTO t VALUES (1, 'x', 3)");
    run(client, "ROLLBACK");
    assert_answer("ERROR:  23505: duplicate key value violates unique constraint \"t_pkey\"\n"
                  "DETAIL:  Key (a, b)=(5, y) already exists.\n",
                  client, "INSERT INTO t VALUES (5, 'y', 1), (5, 'y', 2)");
    assert_answer("count\n1\nSELECT 1\n", client, "SELECT count(*) FROM t");
}

SQL_TEST("2", 0, a_key_that_was_deleted_is_free) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    assert_answer("BEGIN\nDELETE 1\nINSERT 0 1\nCOMMIT\n", client,
                  "BEGIN; DELETE FROM t; INSERT INTO t VALUES (1); COMMIT");
    assert_answer("DELETE 1\n", client, "DELETE FROM t WHERE id = 1");
    assert_answer("INSERT 0 1\n", client, "INSERT INTO t VALUES (1)");
}

SQL_TEST("2", 0, a_table_without_a_key_keeps_equal_rows_in_order_of_insertion) {
    run(client, "CREATE TABLE t (a int, b text)");
    run(client, "INSERT INTO t VALUES (3, 'x'), (1, 'x'), (3, 'x')");
    run(client, "INSERT INTO t VALUES (2, NULL)");
    assert_answer("a|b\n3|x\n1|x\n3|x\n2|null\nSELECT 4\n", client, "SELECT * FROM t");
    assert_answer("UPDATE 2\n", client, "UPDATE t SET b = 'y' WHERE a = 3");
    assert_answer("DELETE 1\n", client, "DELETE FROM t WHERE b IS NULL");
    assert_answer("a|b\n3|y\n1|x\n3|y\nSELECT 3\n", client, "SELECT * FROM t");
}

SQL_TEST("2", 0, assignments_see_the_row_as_it_was) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, a int, b int)");
    run(client, "INSERT INTO t VALUES (1, 10, 20), (2, 30, 40)");
    assert_answer("UPDATE 2\n", client, "UPDATE t SET a = b, b = a");
    assert_answer("id|a|b\n1|20|10\n2|40|30\nSELECT 2\n", client, "SELECT * FROM t");
}

SQL_TEST("2", 0, keys_may_pass_over_one_another_within_a_statement) {
    run(client,
        "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1,1),(2,2),(3,3)");
    assert_answer("UPDATE 3\n", client, "UPDATE t SET id = id + 1");
    assert_answer("id|v\n2|1\n3|2\n4|3\nSELECT 3\n", client, "SELECT * FROM t");
    assert_answer("UPDATE 3\n", client, "UPDATE t SET id = 6 - id");
    assert_answer("id|v\n2|3\n3|2\n4|1\nSELECT 3\n", client, "SELECT * FROM t");
    assert_fails("23505", client, "UPDATE t SET id = 7");
    assert_fails("23505", client, "UPDATE t SET id = 4 WHERE id = 2");
    assert_fails("23505", client, "BEGIN; UPDATE t SET id = 4 WHERE id = 2");
    run(client, "ROLLBACK");
    assert_answer("id|v\n2|3\n3|2\n4|1\nSELECT 3\n", client, "SELECT * FROM t");
}

SQL_TEST("2", 0, an_update_of_keys_meets_each_row_once) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    assert_answer("UPDATE 3\n", client, "UPDATE t SET id = id + 100 WHERE id > 0");
    assert_answer("id\n101\n102\n103\nSELECT 3\n", client, "SELECT * FROM t");
    assert_answer("INSERT 0 3\n", client, "INSERT INTO t SELECT id + 1000 FROM t");
}

SQL_TEST("2", 0, keys_come_back_exactly_as_written) {
    run(client, "CREATE TABLE t (n numeric, f float8, v int, PRIMARY KEY (n, f))");
    run(client, "INSERT INTO t VALUES (1.50, '-0', 1), (2, 0, 2), (100.00, 1.5, 3)");
    assert_answer("n|f|v\n1.50|-0|1\n2|0|2\n100.00|1.5|3\nSELECT 3\n", client, "SELECT * FROM t");
    assert_answer("n|f\n1.50|-0\nSELECT 1\n", client, "SELECT n, f FROM t WHERE n = 1.5 AND f = 0");
    assert_fails("23505", client, "INSERT INTO t VALUES (1.5, 0, 9)");
}

SQL_TEST("2", 0, a_failed_statement_writes_nothing) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, a int)");
    run(client, "INSERT INTO t VALUES (1, 1), (2, 0)");
    assert_fails("22012", client, "UPDATE t SET a = 1 / a");
    assert_fails("23505", client, "INSERT INTO t VALUES (3, 3), (1, 1)");
    assert_answer("id|a\n1|1\n2|0\nSELECT 2\n", client, "SELECT * FROM t");
}

SQL_TEST("2", 0, thousands_of_rows_pass_through) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, v int)");
    struct buf script = BUF_INIT;
    buf_append_string(&script, "INSERT INTO t VALUES (0, 0)");
    for (int i = 1; i < 5000; i++)
        buf_printf(&script, ", (%d, %d)", i, i % 7);
    buf_append_byte(&script, 0);
    assert_answer("INSERT 0 5000\n", client, (const char *)script.data);
    buf_deinit(&script);
    assert_answer("count|sum|max\n5000|14995|4999\nSELECT 1\n", client,
                  "SELECT count(*), sum(v), max(id) FROM t");
    assert_answer("id\n4999\n4998\nSELECT 2\n", client,
                  "SELECT id FROM t ORDER BY id DESC LIMIT 2");
    assert_answer("id\n2047\n2048\nSELECT 2\n", client,
                  "SELECT id FROM t WHERE id >= 2047 AND id < 2049");
    assert_answer("count\n3\nSELECT 1\n", client,
                  "SELECT count(*) FROM t WHERE id IN (1, 4000, 4000, 77, -5, 99999)");
    assert_answer("DELETE 4999\n", client, "DELETE FROM t WHERE id > 0");
}

/* ---- transactions ---------------------------------------------------------------------------- */

SQL_TEST("3", 1, a_failed_transaction_refuses_all_but_its_end) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY)");
    assert_answer("BEGIN\nINSERT 0 1\n", client, "BEGIN; INSERT INTO t VALUES (1)");
    assert_int_equal('T', sql_session_transaction_status(client->session));
    assert_fails("22012", client, "SELECT 1 / 0");
    assert_int_equal('E', sql_session_transaction_status(client->session));
    assert_fails("25P02", client, "SELECT 1");
    assert_fails("25P02", client, "CREATE TABLE x (a int)");
    assert_answer("ROLLBACK\n", client, "COMMIT");
    assert_int_equal('I', sql_session_transaction_status(client->session));
    assert_answer("id\nSELECT 0\n", client, "SELECT * FROM t");
}

SQL_TEST("3", 1, a_syntax_error_fails_the_transaction_too) {
    run(client, "BEGIN");
    assert_fails("42601", client, "SELEC 1");
    assert_fails("25P02", client, "SELECT 1");
    assert_answer("ROLLBACK\n", client, "ROLLBACK");
}

SQL_TEST("3", 1, a_script_is_one_transaction) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY)");
    assert_fails("23505", client, "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)");
    assert_answer("id\nSELECT 0\n", client, "SELECT * FROM t");
    assert_answer("INSERT 0 1\nid\n1\nSELECT 1\n", client,
                  "INSERT INTO t VALUES (1); SELECT * FROM t");
}

SQL_TEST("3", 0, tables_made_in_a_transaction_vanish_with_it) {
    assert_answer(
        "BEGIN\nCREATE TABLE\nINSERT 0 1\na\n1\nSELECT 1\nROLLBACK\n", client,
        "BEGIN; CREATE TABLE t (a int); INSERT INTO t VALUES (1); SELECT * FROM t; ROLLBACK");
    assert_fails("42P01", client, "SELECT * FROM t");
}

SQL_TEST("3", 1, ending_and_beginning_twice_is_warned_about) {
    assert_answer("WARNING:  25P01: there is no transaction in progress\nCOMMIT\n", client,
                  "COMMIT");
    assert_answer("BEGIN\n", client, "BEGIN");
    assert_answer("WARNING:  25001: there is already a transaction in progress\nBEGIN\n", client,
                  "BEGIN");
    run(client, "ROLLBACK");
}

/* ---- two sessions ---------------------------------------------------------------------------- */

SQL_TEST("4", 2, a_session_sees_what_others_committed_and_nothing_else) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY)");
    run(&other, "BEGIN; INSERT INTO t VALUES (1)");
    assert_answer("id\nSELECT 0\n", client, "SELECT * FROM t");
    run(&other, "COMMIT");
    assert_answer("id\n1\nSELECT 1\n", client, "SELECT * FROM t");
    client_close(&other);
}

SQL_TEST("4", 2, a_transaction_whose_reads_changed_cannot_commit) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)");
    run(client, "BEGIN; SELECT sum(v) FROM t");
    assert_answer("INSERT 0 1\n", &other, "INSERT INTO t VALUES (3, 3)");
    run(client, "INSERT INTO t VALUES (4, 3)");
    assert_fails("40001", client, "COMMIT");
    assert_int_equal('I', sql_session_transaction_status(client->session));
    assert_answer("sum\n6\nSELECT 1\n", client, "SELECT sum(v) FROM t");
    client_close(&other);
}

SQL_TEST("4", 2, what_was_only_read_commits_whatever_others_did) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    run(client, "BEGIN; SELECT * FROM t");
    run(&other, "DELETE FROM t");
    assert_answer("id\n1\nSELECT 1\nCOMMIT\n", client, "SELECT * FROM t; COMMIT");
    client_close(&other);
}

SQL_TEST("4", 0, a_table_dropped_by_another_session_is_gone_at_once) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    assert_answer("id\n1\nSELECT 1\n", &other, "SELECT * FROM t");
    run(client, "DROP TABLE t");
    assert_fails("42P01", &other, "INSERT INTO t VALUES (2)");
    run(client, "CREATE TABLE t (id int PRIMARY KEY, more text)");
    assert_answer("INSERT 0 1\n", &other, "INSERT INTO t VALUES (2, 'x')");
    client_close(&other);
}

SQL_TEST("4", 0, a_write_into_a_table_that_was_dropped_meanwhile_fails) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY)");
    run(client, "BEGIN; INSERT INTO t VALUES (1)");
    assert_answer("DROP TABLE\n", &other, "DROP TABLE t");
    assert_fails("40001", client, "COMMIT");
    client_close(&other);
}

enum { INCREMENTS = 20, WRITERS = 8 };

static void increment(void *arg) {
    struct client client;
    client_open(&client, arg);
    for (int i = 0; i < INCREMENTS; i++)
        assert_answer("UPDATE 1\n", &client, "UPDATE t SET v = v + 1 WHERE id = 1");
    client_close(&client);
}

static void prepare_counter(void *arg) {
    struct client client;
    client_open(&client, arg);
    run(&client, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)");
    client_close(&client);
}

static void check_counter(void *arg) {
    struct client client;
    client_open(&client, arg);
    assert_answer("v\n160\nSELECT 1\n", &client, "SELECT v FROM t");
    client_close(&client);
}

TEST("4", 2, concurrent_updates_of_one_row_all_count) {
    struct fixture fixture;
    fixture_start(&fixture);
    fixture_spawn(&fixture, prepare_counter, &fixture);
    fixture_run(&fixture);
    for (int i = 0; i < WRITERS; i++)
        fixture_spawn(&fixture, increment, &fixture);
    fixture_run(&fixture);
    fixture_spawn(&fixture, check_counter, &fixture);
    fixture_run(&fixture);
    fixture_stop(&fixture);
}

/* Read, then write what follows from it: conflicts, which the session hides by repeating. */
static void move(void *arg) {
    struct client client;
    client_open(&client, arg);
    for (int i = 0; i < INCREMENTS; i++)
        assert_answer("INSERT 0 1\n", &client, "INSERT INTO t SELECT max(id) + 1, count(*) FROM t");
    client_close(&client);
}

static void check_moves(void *arg) {
    struct client client;
    client_open(&client, arg);
    assert_answer("count|max|sum\n161|161|12880\nSELECT 1\n", &client,
                  "SELECT count(*), max(id), sum(v) FROM t");
    client_close(&client);
}

TEST("4", 2, statements_that_met_a_conflict_are_repeated_unseen) {
    TEST_LIMIT(60000);
    struct fixture fixture;
    fixture_start(&fixture);
    fixture_spawn(&fixture, prepare_counter, &fixture);
    fixture_run(&fixture);
    for (int i = 0; i < WRITERS; i++)
        fixture_spawn(&fixture, move, &fixture);
    fixture_run(&fixture);
    fixture_spawn(&fixture, check_moves, &fixture);
    fixture_run(&fixture);
    assert_true(fixture_retries(&fixture) > 0);
    fixture_stop(&fixture);
}

/* ---- prepared statements --------------------------------------------------------------------- */

static struct sql_prepared *prepare(struct client *client, const char *name, const char *text) {
    struct sql_prepared *prepared = NULL;
    struct sql_error error = {0};
    enum status status = sql_session_prepare(client->session, name, slice_of_string(text), NULL, 0,
                                             &prepared, &error);
    buf_clear(&client->printer.out);
    if (status != STATUS_OK) {
        sql_printer_error(&client->printer, &error);
        return NULL;
    }
    return prepared;
}

/* Binds, executes, syncs; the answer as run() gives it. */
static const char *execute(struct client *client, struct sql_prepared *prepared,
                           const struct sql_datum *values, uint64_t max_rows) {
    char tag[SQL_TAG_MAX] = "";
    bool suspended = false;
    struct sql_portal *portal;
    struct sql_error error = {0};
    struct buf *out = &client->printer.out;
    buf_clear(out);
    enum status status = sql_session_bind(client->session, "", prepared, values, &portal, &error);
    while (status == STATUS_OK) {
        status = sql_portal_execute(portal, max_rows, true, &suspended, tag, &error);
        if (!suspended) break;
        buf_append_string(out, "...\n");
    }
    if (status == STATUS_OK) status = sql_session_sync(client->session, &error);
    if (status == STATUS_OK) {
        buf_printf(out, "%s\n", tag);
    } else {
        sql_printer_error(&client->printer, &error);
    }
    buf_append_byte(out, 0);
    return (const char *)out->data;
}

SQL_TEST("5", 0, a_prepared_statement_takes_values) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, name text)");
    struct sql_prepared *insert = prepare(client, "i", "INSERT INTO t VALUES ($1, $2)");
    assert_int_equal(2, sql_prepared_parameter_count(insert));
    assert_int_equal(SQL_INT4, sql_prepared_parameter(insert, 0).type);
    assert_int_equal(SQL_TEXT, sql_prepared_parameter(insert, 1).type);
    for (int i = 0; i < 3; i++) {
        struct sql_datum values[] = {sql_datum_int(SQL_INT4, i),
                                     sql_datum_text(SQL_TEXT, SLICE_LITERAL("n"))};
        assert_string_equal("INSERT 0 1\n", execute(client, insert, values, 0));
    }
    struct sql_datum one = sql_datum_int(SQL_INT4, 1);
    struct sql_prepared *select = prepare(client, "s", "SELECT name, id FROM t WHERE id >= $1");
    assert_string_equal("n|1\nn|2\nSELECT 2\n", execute(client, select, &one, 0));
    struct sql_datum values[] = {one, sql_datum_null(SQL_TEXT)};
    assert_string_equal("ERROR:  23505: duplicate key value violates unique constraint \"t_pkey\"\n"
                        "DETAIL:  Key (id)=(1) already exists.\n",
                        execute(client, insert, values, 0));
}

SQL_TEST("5", 0, a_portal_gives_its_rows_in_portions) {
    run(client,
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)");
    struct sql_prepared *select = prepare(client, "", "SELECT id FROM t WHERE id <> 3 ORDER BY id");
    assert_string_equal("1\n2\n4\n...\n5\nSELECT 1\n", execute(client, select, NULL, 3));
    assert_string_equal("1\n...\n2\n...\n4\n...\n5\n...\nSELECT 0\n",
                        execute(client, select, NULL, 1));
}

SQL_TEST("5", 0, a_prepared_statement_follows_changes_of_the_catalog) {
    struct client other;
    client_open(&other, client->fixture);
    run(client, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 10)");
    struct sql_prepared *select = prepare(client, "s", "SELECT * FROM t");
    assert_string_equal("1|10\nSELECT 1\n", execute(client, select, NULL, 0));
    run(&other, "DROP TABLE t");
    assert_string_equal("ERROR:  42P01: relation \"t\" does not exist at character 15\n",
                        execute(client, select, NULL, 0));
    run(&other, "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (2, 20)");
    assert_string_equal("2|20\nSELECT 1\n", execute(client, select, NULL, 0));
    run(&other, "DROP TABLE t");
    run(&other, "CREATE TABLE t (id int PRIMARY KEY, v text)");
    assert_string_equal("ERROR:  0A000: cached plan must not change result type\n",
                        execute(client, select, NULL, 0));
    client_close(&other);
}

SQL_TEST("5", 0, statements_are_prepared_once_under_a_name) {
    assert_non_null(prepare(client, "p", "SELECT 1"));
    assert_null(prepare(client, "p", "SELECT 2"));
    assert_non_null(prepare(client, "", "SELECT 1"));
    assert_non_null(prepare(client, "", "SELECT 2"));
    assert_null(prepare(client, "q", "SELECT 1; SELECT 2"));
    assert_null(prepare(client, "q", "SELECT $1 + nosuch"));
    sql_session_close_prepared(client->session, "p");
    assert_non_null(prepare(client, "p", "SELECT 2"));
}

/* ---- settings, EXPLAIN ----------------------------------------------------------------------- */

SQL_TEST("6", 0, settings_are_set_shown_and_reset) {
    assert_answer("SET\napplication_name\nme\nSHOW\n", client,
                  "SET application_name = 'me'; SHOW application_name");
    assert_answer("RESET\napplication_name\n\nSHOW\n", client,
                  "RESET application_name; SHOW application_name");
    assert_answer("TimeZone\nUTC\nSHOW\n", client, "SHOW timezone");
    assert_fails("42704", client, "SHOW nosuch");
    assert_fails("42704", client, "SET nosuch = 1");
    assert_fails("22023", client, "SET client_encoding = 'latin1'");
    assert_answer("WARNING:  25P01: SET LOCAL can only be used in transaction blocks\nSET\n",
                  client, "SET LOCAL application_name = 'x'");
    assert_non_null(strstr(run(client, "SHOW ALL"), "server_encoding|UTF8|"));
    assert_answer("DISCARD ALL\n", client, "DISCARD ALL");
    assert_answer("DISCARD PLANS\nDISCARD TEMP\n", client, "discard plans; DISCARD TEMPORARY");
    run(client, "BEGIN");
    assert_fails("25001", client, "DISCARD ALL");
}

SQL_TEST("6", 1, settings_follow_their_transaction) {
    run(client, "SET application_name = 'a'");
    run(client, "BEGIN; SET application_name = 'b'; SET LOCAL statement_timeout = 5000");
    assert_answer("application_name\nb\nSHOW\nstatement_timeout\n5000\nSHOW\n", client,
                  "SHOW application_name; SHOW statement_timeout");
    assert_answer("COMMIT\nstatement_timeout\n0\nSHOW\n", client, "COMMIT; SHOW statement_timeout");
    run(client, "BEGIN; RESET ALL; SET application_name = 'c'; SET my.own = 'x'");
    assert_answer("ROLLBACK\napplication_name\nb\nSHOW\n", client,
                  "ROLLBACK; SHOW application_name");
    assert_answer("my.own\n\nSHOW\n", client, "SHOW my.own");
    assert_fails("22012", client, "SET application_name = 'd'; SELECT 1 / 0");
    assert_answer("application_name\nb\nSHOW\n", client, "SHOW application_name");
}

SQL_TEST("6", 0, explain_shows_which_part_of_the_key_is_read) {
    run(client, "CREATE TABLE t (id int PRIMARY KEY, v int)");
    const char *plan = run(client, "EXPLAIN (COSTS OFF) SELECT v FROM t WHERE id = 5");
    assert_non_null(strstr(plan, "QUERY PLAN\n"));
    assert_non_null(strstr(plan, "Index Cond: (id = 5)"));
    assert_non_null(strstr(plan, "EXPLAIN\n"));
    assert_non_null(strstr(run(client, "EXPLAIN DELETE FROM t"), "Delete on t"));
    assert_answer("count\n0\nSELECT 1\n", client, "SELECT count(*) FROM t");
}

/* ---- cancel ---------------------------------------------------------------------------------- */

static void cancel_soon(void *arg) {
    struct client *client = arg;
    for (int i = 0; i < 50; i++)
        assert_status(STATUS_OK, co_yield());
    sql_session_cancel(client->session);
}

SQL_TEST("7", 0, a_running_statement_can_be_cancelled) {
    struct buf script = BUF_INIT;
    run(client, "CREATE TABLE t (id int PRIMARY KEY)");
    buf_append_string(&script, "INSERT INTO t VALUES (0)");
    for (int i = 1; i < 1000; i++)
        buf_printf(&script, ", (%d)", i);
    buf_append_byte(&script, 0);
    assert_answer("INSERT 0 1000\n", client, (const char *)script.data);
    buf_deinit(&script);
    sql_session_cancel(client->session); /* none is running: nothing happens */
    fixture_spawn(client->fixture, cancel_soon, client);
    assert_answer("count\nERROR:  57014: canceling statement due to user request\n", client,
                  "SELECT count(*) FROM t a, t b, t c WHERE a.id + b.id < c.id");
    assert_answer("count\n1000\nSELECT 1\n", client, "SELECT count(*) FROM t");
}

SQL_TEST("7", 0, a_statement_ends_when_its_time_is_up) {
    run(client,
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3),(4),(5),(6)");
    run(client, "SET statement_timeout = 30");
    assert_answer("count\nERROR:  57014: canceling statement due to statement timeout\n", client,
                  "SELECT count(*) FROM t a, t b, t c, t d, t e, t f, t g, t h, t i, t j, t k");
    assert_int_equal('I', sql_session_transaction_status(client->session));
}
