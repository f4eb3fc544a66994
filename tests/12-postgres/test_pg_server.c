/* test_pg_server.c - conversations between clients and a SQL server, byte for byte over loopback
 * (pg_server.h). */
#include "codec.h"
#include "mem.h"
#include "pg_fixture.h"

struct conversation {
    struct pg_fixture fixture;
    struct pg_peer peer;
    struct buf out;
};

static void begin(struct conversation *c) {
    *c = (struct conversation){0};
    pg_fixture_init(&c->fixture, 0);
    pg_peer_connect(&c->fixture, &c->peer);
}

static void end(struct conversation *c) {
    pg_peer_deinit(&c->peer);
    buf_deinit(&c->out);
    pg_fixture_deinit(&c->fixture);
}

static void say(struct conversation *c, const char *expected) {
    pg_peer_send(&c->peer, &c->out);
    pg_peer_expect(&c->peer, expected);
}

#define SQL(text) SLICE_LITERAL(text)

/* ---- simple queries ------------------------------------------------------------------------- */

TEST("2", 1, query_is_answered_by_columns_rows_tag_and_ready) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "SELECT 1 AS one, 'x'::text AS t, NULL::int8 AS n",
                  "T one:23 t:25 n:20\nD 1|x|NULL\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("2", 1, each_statement_of_a_script_has_its_tag_and_the_script_one_ready) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "SELECT 1 AS a; SELECT 2 AS b",
                  "T a:23\nD 1\nC SELECT 1\nT b:23\nD 2\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("2", 1, empty_query_says_so) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "", "I\nZ I\n");
    pg_peer_query(&c.peer, "  -- nothing\n", "I\nZ I\n");
    end(&c);
}

TEST("2", 1, error_ends_the_script_and_undoes_what_it_wrote) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "CREATE TABLE t (a int PRIMARY KEY)", "C CREATE TABLE\nZ I\n");
    pg_peer_query(&c.peer, "INSERT INTO t VALUES (1); SELECT nonsense; INSERT INTO t VALUES (2)",
                  "C INSERT 0 1\nE 42703 column \"nonsense\" does not exist @34\nZ I\n");
    pg_peer_query(&c.peer, "SELECT a FROM t", "T a:23\nC SELECT 0\nZ I\n");
    end(&c);
}

TEST("2", 1, syntax_error_has_its_position) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "SELECT 1; SELEC 2",
                  "E 42601 syntax error at or near \"SELEC\" @11\nZ I\n");
    end(&c);
}

TEST("2", 1, transaction_status_follows_begin_failure_and_rollback) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "BEGIN", "C BEGIN\nZ T\n");
    pg_peer_query(&c.peer, "SELECT nonsense",
                  "E 42703 column \"nonsense\" does not exist @8\nZ E\n");
    pg_peer_query(&c.peer, "SELECT 1",
                  "E 25P02 current transaction is aborted, commands ignored until end of "
                  "transaction block\nZ E\n");
    pg_peer_query(&c.peer, "ROLLBACK", "C ROLLBACK\nZ I\n");
    end(&c);
}

TEST("2", 1, query_without_its_nul_is_malformed_and_the_connection_lives) {
    struct conversation c;
    begin(&c);
    buf_append(&c.out, "Q\0\0\0\7abc", 8);
    say(&c, "E 08P01 invalid message format\nZ I\n");
    pg_peer_query(&c.peer, "SELECT 1 AS a", "T a:23\nD 1\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("2", 0, function_call_is_refused) {
    struct conversation c;
    begin(&c);
    buf_append(&c.out, "F\0\0\0\4", 5);
    say(&c, "E 0A000 function calls of the protocol are not supported\nZ I\n");
    end(&c);
}

/* ---- the extended protocol ------------------------------------------------------------------ */

TEST("3", 1, statement_is_parsed_bound_described_and_executed) {
    struct conversation c;
    begin(&c);
    const struct slice value = SLICE_LITERAL("41");
    pg_send_parse(&c.out, "", SQL("SELECT $1::int4 + 1 AS sum"), NULL, 0);
    pg_send_bind(&c.out, "", "", &value, 1, PG_TEXT);
    pg_send_describe(&c.out, 'P', "");
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nT sum:23\nD 42\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("3", 0, statement_described_tells_its_parameters_and_columns) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "s", SQL("SELECT $1::int8 AS a, $2::text AS b"), NULL, 0);
    pg_send_describe(&c.out, 'S', "s");
    pg_send_parse(&c.out, "u", SQL("BEGIN"), NULL, 0);
    pg_send_describe(&c.out, 'S', "u");
    pg_send_sync(&c.out);
    say(&c, "1\nt 20 25\nT a:20 b:25\n1\nt\nn\nZ I\n");
    end(&c);
}

TEST("3", 0, named_statement_is_bound_many_times) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "s", SQL("SELECT $1::text AS a"), NULL, 0);
    struct slice value = SLICE_LITERAL("x");
    pg_send_bind(&c.out, "", "s", &value, 1, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    value = SLICE_EMPTY; /* NULL */
    pg_send_bind(&c.out, "", "s", &value, 1, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nD x\nC SELECT 1\n2\nD NULL\nC SELECT 1\nZ I\n");
    end(&c);
}

static void make_numbers(struct conversation *c) {
    pg_peer_query(&c->peer, "CREATE TABLE n (a int PRIMARY KEY)", "C CREATE TABLE\nZ I\n");
    pg_peer_query(&c->peer, "INSERT INTO n VALUES (1), (2), (3), (4), (5)", "C INSERT 0 5\nZ I\n");
}

TEST("3", 0, execute_with_a_row_limit_suspends_and_goes_on) {
    struct conversation c;
    begin(&c);
    make_numbers(&c);
    pg_send_parse(&c.out, "", SQL("SELECT a FROM n ORDER BY a"), NULL, 0);
    pg_send_bind(&c.out, "p", "", NULL, 0, PG_TEXT);
    pg_send_execute(&c.out, "p", 2);
    pg_send_execute(&c.out, "p", 2);
    pg_send_execute(&c.out, "p", 2);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nD 1\nD 2\ns\nD 3\nD 4\ns\nD 5\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("3", 0, results_come_in_binary_when_asked) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "", SQL("SELECT 258::int2 AS a, 1::int4 AS b, true AS c, 'x'::text AS d"),
                  NULL, 0);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_BINARY);
    pg_send_describe(&c.out, 'P', "");
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nT a:21/b b:23/b c:16/b d:25/b\nD \\x0102|\\x00000001|\\x01|x\nC SELECT 1\n"
            "Z I\n");
    end(&c);
}

TEST("3", 0, values_are_taken_in_binary) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "", SQL("SELECT $1::int4 + 1 AS a"), NULL, 0);
    buf_append(&c.out, "B\0\0\0\26\0\0\0\1\0\1\0\1\0\0\0\4\0\0\0\6\0\0", 23);
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nD 7\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("3", 2, messages_after_an_error_are_dropped_until_sync) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "", SQL("SELECT nonsense"), NULL, 0);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    pg_send_parse(&c.out, "", SQL("SELECT 1 AS a"), NULL, 0);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "E 42703 column \"nonsense\" does not exist @8\nZ I\n1\n2\nD 1\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("3", 2, error_inside_a_transaction_fails_it) {
    struct conversation c;
    begin(&c);
    pg_peer_query(&c.peer, "BEGIN", "C BEGIN\nZ T\n");
    pg_send_bind(&c.out, "", "nowhere", NULL, 0, PG_TEXT);
    pg_send_sync(&c.out);
    say(&c, "E 26000 prepared statement \"nowhere\" does not exist\nZ E\n");
    pg_peer_query(&c.peer, "ROLLBACK", "C ROLLBACK\nZ I\n");
    end(&c);
}

TEST("3", 0, wrong_counts_and_values_in_bind_are_told_apart) {
    struct conversation c;
    begin(&c);
    const struct slice values[] = {SLICE_LITERAL("x"), SLICE_LITERAL("2")};
    pg_send_parse(&c.out, "s", SQL("SELECT $1::int4 AS a"), NULL, 0);
    pg_send_bind(&c.out, "", "s", values, 2, PG_TEXT);
    pg_send_sync(&c.out);
    pg_send_bind(&c.out, "", "s", values, 1, PG_TEXT);
    pg_send_sync(&c.out);
    pg_send_execute(&c.out, "nowhere", 0);
    pg_send_sync(&c.out);
    say(&c,
        "1\nE 08P01 bind message supplies 2 parameters, but prepared statement \"s\" requires 1\n"
        "Z I\n"
        "E 22P02 invalid input syntax for type integer: \"x\"\nZ I\n"
        "E 34000 portal \"nowhere\" does not exist\nZ I\n");
    end(&c);
}

TEST("3", 0, closed_statements_and_portals_are_gone) {
    struct conversation c;
    begin(&c);
    pg_send_parse(&c.out, "s", SQL("SELECT 1 AS a"), NULL, 0);
    pg_send_bind(&c.out, "p", "s", NULL, 0, PG_TEXT);
    pg_send_close(&c.out, 'P', "p");
    pg_send_close(&c.out, 'S', "s");
    pg_send_close(&c.out, 'S', "never was");
    pg_send_describe(&c.out, 'S', "s");
    pg_send_sync(&c.out);
    say(&c, "1\n2\n3\n3\n3\nE 26000 prepared statement \"s\" does not exist\nZ I\n");
    end(&c);
}

TEST("3", 1, pipeline_up_to_sync_is_one_transaction) {
    struct conversation c;
    begin(&c);
    make_numbers(&c);
    pg_send_parse(&c.out, "", SQL("INSERT INTO n VALUES (6)"), NULL, 0);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    pg_send_parse(&c.out, "", SQL("SELECT 1/0"), NULL, 0);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_TEXT);
    pg_send_execute(&c.out, "", 0);
    pg_send_sync(&c.out);
    say(&c, "1\n2\nC INSERT 0 1\n1\n2\nE 22012 division by zero\nZ I\n");
    pg_peer_query(&c.peer, "SELECT count(*) FROM n", "T count:20\nD 5\nC SELECT 1\nZ I\n");
    end(&c);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static void dial_raw(struct conversation *c) {
    *c = (struct conversation){0};
    pg_fixture_init(&c->fixture, 0);
    pg_peer_dial(&c->fixture, &c->peer);
}

static bool has_received(void *arg) { return ((struct pg_peer *)arg)->received.len > 0; }

TEST("1", 0, greeting_tells_what_drivers_need) {
    struct conversation c;
    dial_raw(&c);
    pg_send_startup(&c.out, "bob", "shop", NULL);
    say(&c, "R\n"
            "S application_name=\n"
            "S client_encoding=UTF8\n"
            "S DateStyle=ISO, MDY\n"
            "S default_transaction_read_only=off\n"
            "S in_hot_standby=off\n"
            "S integer_datetimes=on\n"
            "S IntervalStyle=postgres\n"
            "S is_superuser=on\n"
            "S server_encoding=UTF8\n"
            "S server_version=15.0 (Cairn)\n"
            "S session_authorization=bob\n"
            "S standard_conforming_strings=on\n"
            "S TimeZone=UTC\n"
            "K\nZ I\n");
    end(&c);
}

TEST("1", 0, encryption_is_refused_and_the_client_may_go_on) {
    struct conversation c;
    dial_raw(&c);
    c.peer.raw = true;
    pg_send_ssl_request(&c.out);
    pg_peer_send(&c.peer, &c.out);
    pg_fixture_run(&c.fixture, has_received, &c.peer);
    assert_slice_equal(SLICE_LITERAL("N"), buf_slice(&c.peer.received));
    buf_clear(&c.peer.received);
    c.peer.raw = false;
    pg_send_startup(&c.out, "bob", "shop", NULL);
    pg_send_query(&c.out, SQL("SELECT 1 AS a"));
    pg_peer_send(&c.peer, &c.out);
    c.peer.wanted = 2;
    end(&c);
}

TEST("1", 0, bytes_behind_an_encryption_request_are_refused) {
    struct conversation c;
    dial_raw(&c);
    pg_send_ssl_request(&c.out);
    pg_send_startup(&c.out, "bob", "shop", NULL);
    say(&c, "E FATAL 08P01 received unencrypted data after encryption request\nclosed\n");
    end(&c);
}

static bool is_ready(void *peer) { return ((struct pg_peer *)peer)->ready_count > 0; }

TEST("1", 0, newer_minor_version_is_negotiated_down) {
    struct conversation c;
    dial_raw(&c);
    buf_append(&c.out, "\0\0\0\22\0\3\0\2user\0bob\0\0", 18);
    pg_peer_send(&c.peer, &c.out);
    pg_fixture_run(&c.fixture, is_ready, &c.peer);
    assert_true(slice_has_prefix(buf_slice(&c.peer.transcript), SLICE_LITERAL("v\nR\nS ")));
    end(&c);
}

TEST("1", 0, startup_that_cannot_be_served_is_refused_with_the_reason) {
    static const struct {
        struct slice bytes;
        const char *answer;
    } cases[] = {
        {SLICE_LITERAL("\0\0\0\11\0\2\0\0\0"),
         "E FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.0\nclosed\n"},
        {SLICE_LITERAL("\0\0\0\11\0\3\0\0\0"),
         "E FATAL 28000 no PostgreSQL user name specified in startup packet\nclosed\n"},
        {SLICE_LITERAL("\0\0\0\36\0\3\0\0user\0b\0replication\0"
                       "1\0\0"),
         "E FATAL 0A000 replication connections are not supported\nclosed\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conversation c;
        dial_raw(&c);
        buf_append_slice(&c.out, cases[i].bytes);
        say(&c, cases[i].answer);
        end(&c);
    }
}

TEST("1", 0, unknown_message_ends_the_connection_with_the_reason) {
    struct conversation c;
    begin(&c);
    buf_append(&c.out, "?\0\0\0\4", 5);
    say(&c, "E FATAL 08P01 invalid frontend message type 63\nclosed\n");
    end(&c);
}

static void put_big_message(struct buf *out, char type, size_t size) {
    buf_append_byte(out, (uint8_t)type);
    uint8_t length[4];
    store_u32be(length, (uint32_t)size);
    buf_append(out, length, sizeof length);
    memset(buf_extend(out, size - sizeof length), 'x', size - sizeof length);
}

TEST("1", 0, statement_of_a_hundred_megabytes_is_refused_and_the_connection_lives) {
    struct conversation c;
    begin(&c);
    put_big_message(&c.out, 'Q', 100000000);
    say(&c, "E 54000 message of 100000000 bytes, the limit is 67108864\nZ I\n");
    put_big_message(&c.out, 'P', 100000000);
    pg_send_bind(&c.out, "", "", NULL, 0, PG_TEXT);
    pg_send_sync(&c.out);
    say(&c, "E 54000 message of 100000000 bytes, the limit is 67108864\nZ I\n");
    pg_peer_query(&c.peer, "SELECT 1 AS a", "T a:23\nD 1\nC SELECT 1\nZ I\n");
    end(&c);
}

TEST("1", 0, length_that_cannot_be_meant_ends_the_connection) {
    struct conversation c;
    begin(&c);
    buf_append(&c.out, "Q\100\0\0\1", 5);
    say(&c, "E FATAL 08P01 invalid message length\nclosed\n");
    end(&c);
}

TEST("1", 0, connection_over_the_limit_is_refused) {
    struct pg_fixture fixture;
    pg_fixture_init(&fixture, 1);
    struct pg_peer first, second;
    pg_peer_connect(&fixture, &first);
    pg_peer_dial(&fixture, &second);
    struct buf out = BUF_INIT;
    pg_send_startup(&out, "bob", "shop", NULL);
    pg_peer_send(&second, &out);
    pg_peer_expect(&second, "E FATAL 53300 sorry, too many clients already\nclosed\n");
    pg_peer_query(&first, "SELECT 1 AS a", "T a:23\nD 1\nC SELECT 1\nZ I\n");
    buf_deinit(&out);
    pg_peer_deinit(&first);
    pg_peer_deinit(&second);
    pg_fixture_deinit(&fixture);
}

TEST("1", 0, shutdown_tells_the_clients) {
    struct conversation c;
    begin(&c);
    pg_server_shutdown(c.fixture.server, NULL, NULL);
    pg_peer_expect(&c.peer,
                   "E FATAL 57P01 terminating connection due to administrator command\nclosed\n");
    end(&c);
}

static bool nobody_is_connected(void *server) { return pg_server_connections(server) == 0; }

TEST("4", 3, client_that_leaves_takes_its_transaction_with_it) {
    struct conversation c;
    begin(&c);
    make_numbers(&c);
    struct pg_peer other;
    pg_peer_connect(&c.fixture, &other);
    pg_peer_query(&c.peer, "BEGIN; UPDATE n SET a = a + 10 WHERE a = 5",
                  "C BEGIN\nC UPDATE 1\nZ T\n");
    stream_abort(c.peer.stream);
    c.peer.stream = NULL;
    /* Waits for the row until the first transaction is gone. */
    pg_peer_query(&other, "UPDATE n SET a = a + 20 WHERE a = 5", "C UPDATE 1\nZ I\n");
    pg_peer_query(&other, "SELECT max(a) FROM n", "T max:23\nD 25\nC SELECT 1\nZ I\n");
    pg_peer_deinit(&other);
    end(&c);
}

TEST("4", 3, client_that_says_goodbye_is_forgotten) {
    struct conversation c;
    begin(&c);
    pg_send_terminate(&c.out);
    say(&c, "closed\n");
    pg_fixture_run(&c.fixture, nobody_is_connected, c.fixture.server);
    end(&c);
}

static void send_cancel(struct conversation *c, uint32_t pid, uint32_t key) {
    struct pg_peer messenger;
    pg_peer_dial(&c->fixture, &messenger);
    pg_send_cancel(&c->out, pid, key);
    pg_peer_send(&messenger, &c->out);
    pg_fixture_run(&c->fixture, pg_peer_closed, &messenger);
    assert_slice_equal(SLICE_LITERAL("closed\n"), buf_slice(&messenger.transcript));
    pg_peer_deinit(&messenger);
}

TEST("4", 5, cancel_request_with_the_key_ends_the_statement_and_one_without_does_not) {
    struct conversation c;
    begin(&c);
    make_numbers(&c);
    struct pg_peer waiter;
    pg_peer_connect(&c.fixture, &waiter);
    pg_peer_query(&c.peer, "BEGIN; UPDATE n SET a = 50 WHERE a = 5", "C BEGIN\nC UPDATE 1\nZ T\n");
    pg_send_query(&c.out, SQL("UPDATE n SET a = 60 WHERE a = 5"));
    pg_peer_send(&waiter, &c.out);
    send_cancel(&c, waiter.pid, waiter.key + 1);
    assert_int_equal(0, waiter.ready_count);
    send_cancel(&c, waiter.pid, waiter.key);
    pg_peer_expect(&waiter, "E 57014 canceling statement due to user request\nZ I\n");
    pg_peer_query(&waiter, "SELECT 1 AS a", "T a:23\nD 1\nC SELECT 1\nZ I\n");
    pg_peer_query(&c.peer, "ROLLBACK", "C ROLLBACK\nZ I\n");
    pg_peer_deinit(&waiter);
    end(&c);
}

TEST("4", 4, client_that_does_not_read_holds_up_nobody_else) {
    struct conversation c;
    begin(&c);
    make_numbers(&c);
    struct pg_peer other;
    pg_peer_connect(&c.fixture, &other);
    stream_pause(c.peer.stream);
    /* 5^8 rows of some 30 bytes: far more than sockets and watermarks hold. */
    pg_send_query(
        &c.out,
        SQL("SELECT 'a row of some thirty bytes ..' FROM n a, n b, n c, n d, n e, n f, n g, n h"));
    pg_peer_send(&c.peer, &c.out);
    for (int i = 0; i < 20; i++)
        pg_peer_query(&other, "SELECT 1 AS a", "T a:23\nD 1\nC SELECT 1\nZ I\n");
    assert_int_equal(0, c.peer.ready_count);
    pg_peer_deinit(&other);
    end(&c);
}
