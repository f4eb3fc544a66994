/* test_pg_wire.c - PostgreSQL's messages as bytes (pg_wire.h, pg_frontend.h). */
#include "pg_wire.h"

#include "harness.h"
#include "mem.h"
#include "pg_frontend.h"
#include "prng.h"

#define GOLDEN(text) SLICE_LITERAL(text)

/* ---- golden bytes of the server ------------------------------------------------------------- */

TEST("1", 0, greeting_is_the_bytes_of_the_manual) {
    struct buf out = BUF_INIT;
    pg_put_authentication_ok(&out);
    pg_put_parameter_status(&out, "TimeZone", "UTC");
    pg_put_backend_key(&out, 7, 0x01020304);
    pg_put_ready(&out, 'I');
    assert_slice_equal(GOLDEN("R\0\0\0\10\0\0\0\0"
                              "S\0\0\0\21TimeZone\0UTC\0"
                              "K\0\0\0\14\0\0\0\7\1\2\3\4"
                              "Z\0\0\0\5I"),
                       buf_slice(&out));
    buf_deinit(&out);
}

TEST("1", 0, result_is_the_bytes_of_the_manual) {
    struct buf out = BUF_INIT;
    struct pg_column column = {.name = SLICE_LITERAL("a"),
                               .table_oid = 1,
                               .column_number = 2,
                               .type_oid = 23,
                               .type_length = 4,
                               .typmod = -1,
                               .format = PG_TEXT};
    pg_put_row_description(&out, &column, 1);
    size_t row = pg_row_begin(&out, 2);
    size_t value = pg_value_begin(&out);
    buf_append_string(&out, "42");
    pg_value_end(&out, value);
    pg_row_null(&out);
    pg_row_end(&out, row);
    pg_put_command_complete(&out, "SELECT 1");
    assert_slice_equal(GOLDEN("T\0\0\0\32\0\1a\0\0\0\0\1\0\2\0\0\0\27\0\4\377\377\377\377\0\0"
                              "D\0\0\0\20\0\2\0\0\0\2"
                              "42\377\377\377\377"
                              "C\0\0\0\15SELECT 1\0"),
                       buf_slice(&out));
    buf_deinit(&out);
}

TEST("1", 0, answers_of_the_extended_protocol_are_the_bytes_of_the_manual) {
    struct buf out = BUF_INIT;
    pg_put_parse_complete(&out);
    pg_put_bind_complete(&out);
    pg_put_close_complete(&out);
    pg_put_no_data(&out);
    pg_put_portal_suspended(&out);
    pg_put_empty_query(&out);
    pg_put_parameter_description(&out, (const uint32_t[]){23, 25}, 2);
    struct slice option = SLICE_LITERAL("_pq_.x");
    pg_put_negotiate_version(&out, &option, 1);
    assert_slice_equal(GOLDEN("1\0\0\0\4"
                              "2\0\0\0\4"
                              "3\0\0\0\4"
                              "n\0\0\0\4"
                              "s\0\0\0\4"
                              "I\0\0\0\4"
                              "t\0\0\0\16\0\2\0\0\0\27\0\0\0\31"
                              "v\0\0\0\23\0\0\0\0\0\0\0\1_pq_.x\0"),
                       buf_slice(&out));
    buf_deinit(&out);
}

TEST("1", 0, error_has_severity_code_message_and_only_the_fields_that_are_set) {
    struct buf out = BUF_INIT;
    struct sql_error error;
    (void)sql_error_set_at(&error, 8, SQLSTATE_SYNTAX_ERROR, "syntax error at or near \"x\"");
    pg_put_error(&out, "ERROR", &error);
    assert_slice_equal(GOLDEN("E\0\0\0\72SERROR\0VERROR\0C42601\0Msyntax error at or near \"x\"\0"
                              "P8\0\0"),
                       buf_slice(&out));
    buf_clear(&out);
    sql_error_clear(&error);
    pg_put_error(&out, "ERROR", &error); /* nothing was set: still an error with a code */
    struct slice body = slice_from(buf_slice(&out), 5);
    assert_slice_equal(SLICE_LITERAL("XX000"), pg_answer_field(body, 'C'));
    buf_deinit(&out);
}

/* ---- the first message ---------------------------------------------------------------------- */

TEST("1", 0, startup_gives_its_parameters_in_order) {
    struct buf bytes = BUF_INIT;
    pg_send_startup(&bytes, "bob", "shop", (const char *const[]){"a", "1", "b", "", NULL});
    struct pg_startup startup;
    size_t size;
    assert_status(STATUS_OK, pg_startup_decode(buf_slice(&bytes), &startup, &size, NULL));
    assert_int_equal(bytes.len, size);
    assert_int_equal(PG_STARTUP, startup.kind);
    assert_int_equal(3, startup.major);
    struct buf text = BUF_INIT;
    struct slice rest = startup.parameters, name, value;
    while (pg_startup_next(&rest, &name, &value)) {
        buf_append_slice(&text, name);
        buf_append_string(&text, "=");
        buf_append_slice(&text, value);
        buf_append_string(&text, ";");
    }
    assert_slice_equal(SLICE_LITERAL("user=bob;database=shop;a=1;b=;"), buf_slice(&text));
    buf_deinit(&text);
    buf_deinit(&bytes);
}

TEST("1", 0, encryption_and_cancel_requests_are_told_apart) {
    struct buf bytes = BUF_INIT;
    struct pg_startup startup;
    size_t size;
    pg_send_ssl_request(&bytes);
    assert_status(STATUS_OK, pg_startup_decode(buf_slice(&bytes), &startup, &size, NULL));
    assert_int_equal(PG_SSL_REQUEST, startup.kind);
    assert_status(STATUS_OK,
                  pg_startup_decode(GOLDEN("\0\0\0\10\4\322\26\60"), &startup, &size, NULL));
    assert_int_equal(PG_GSSENC_REQUEST, startup.kind);
    buf_clear(&bytes);
    pg_send_cancel(&bytes, 5, 0xfffffff0);
    assert_status(STATUS_OK, pg_startup_decode(buf_slice(&bytes), &startup, &size, NULL));
    assert_int_equal(PG_CANCEL_REQUEST, startup.kind);
    assert_int_equal(5, startup.cancel_pid);
    assert_true(startup.cancel_key == 0xfffffff0);
    buf_deinit(&bytes);
}

TEST("1", 1, startup_over_its_limit_is_refused_from_its_length_alone) {
    struct pg_startup startup;
    size_t size;
    assert_status(STATUS_TOO_LARGE,
                  pg_startup_decode(GOLDEN("\0\0\x27\x11"), &startup, &size, NULL));
    assert_status(STATUS_WOULD_BLOCK,
                  pg_startup_decode(GOLDEN("\0\0\x27\x10"), &startup, &size, NULL));
    assert_int_equal(PG_STARTUP_LIMIT, size);
    assert_status(STATUS_INVALID, pg_startup_decode(GOLDEN("\0\0\0\7"), &startup, &size, NULL));
}

TEST("1", 3, startup_without_its_terminator_is_malformed) {
    struct pg_startup startup;
    size_t size;
    assert_status(STATUS_INVALID,
                  pg_startup_decode(GOLDEN("\0\0\0\17\0\3\0\0user\0b\0"), &startup, &size, NULL));
    assert_status(STATUS_INVALID, pg_startup_decode(GOLDEN("\0\0\0\21\0\3\0\0user\0b\0\0x"),
                                                    &startup, &size, NULL));
    assert_status(STATUS_OK,
                  pg_startup_decode(GOLDEN("\0\0\0\20\0\3\0\0user\0b\0\0"), &startup, &size, NULL));
}

TEST("1", 0, first_bytes_are_recognized_as_soon_as_they_can_be) {
    struct buf bytes = BUF_INIT;
    pg_send_startup(&bytes, "u", "d", NULL);
    bool certain;
    for (size_t len = 1; len <= bytes.len; len++) {
        assert_true(pg_startup_recognize(slice_of(bytes.data, len), &certain));
        assert_int_equal(len >= 8, certain);
    }
    assert_false(pg_startup_recognize(GOLDEN("G"), &certain));
    assert_false(pg_startup_recognize(GOLDEN("\0\0\0\0"), &certain));
    assert_false(pg_startup_recognize(GOLDEN("\0\0\0\10\0\0\0\1"), &certain));
    buf_deinit(&bytes);
}

/* ---- messages of a client ------------------------------------------------------------------- */

TEST("1", 0, message_cut_at_any_byte_is_incomplete) {
    struct buf bytes = BUF_INIT;
    pg_send_query(&bytes, SLICE_LITERAL("SELECT 1"));
    for (size_t cut = 0; cut < bytes.len; cut++) {
        struct pg_message message;
        size_t size;
        assert_status(STATUS_WOULD_BLOCK,
                      pg_message_decode(slice_of(bytes.data, cut), 100, &message, &size, NULL));
        assert_true(size > cut && size <= bytes.len);
    }
    buf_deinit(&bytes);
}

TEST("1", 1, message_over_the_limit_is_refused_from_its_header_alone) {
    struct pg_message message;
    size_t size;
    struct error error;
    assert_status(STATUS_TOO_LARGE,
                  pg_message_decode(GOLDEN("Q\0\0\0\145"), 100, &message, &size, &error));
    assert_string_equal("message of 101 bytes, the limit is 100", error.message);
    assert_int_equal(PG_QUERY, message.type);
    assert_int_equal(102, size);
    assert_status(STATUS_INVALID,
                  pg_message_decode(GOLDEN("Q\100\0\0\1"), 100, &message, &size, &error));
    assert_status(STATUS_INVALID,
                  pg_message_decode(GOLDEN("Q\0\0\0\3"), 100, &message, &size, &error));
    assert_status(STATUS_INVALID, pg_message_decode(GOLDEN("?"), 100, &message, &size, &error));
}

static struct slice body_of(const struct buf *bytes) { return slice_from(buf_slice(bytes), 5); }

TEST("1", 0, query_is_the_text_before_the_only_nul) {
    struct slice query;
    assert_true(pg_query_decode(GOLDEN("SELECT 1\0"), &query));
    assert_slice_equal(SLICE_LITERAL("SELECT 1"), query);
    assert_false(pg_query_decode(GOLDEN("SELECT 1"), &query));
    assert_false(pg_query_decode(GOLDEN("SELECT\0 1\0"), &query));
    assert_false(pg_query_decode(SLICE_EMPTY, &query));
}

TEST("1", 0, parse_comes_back_as_it_was_sent) {
    struct buf bytes = BUF_INIT;
    pg_send_parse(&bytes, "s", SLICE_LITERAL("SELECT $1"), (const uint32_t[]){23, 0}, 2);
    struct pg_parse parse;
    assert_true(pg_parse_decode(body_of(&bytes), &parse));
    assert_slice_equal(SLICE_LITERAL("s"), parse.statement);
    assert_slice_equal(SLICE_LITERAL("SELECT $1"), parse.query);
    assert_int_equal(2, parse.type_count);
    assert_int_equal(23, pg_type_at(&parse, 0));
    assert_int_equal(0, pg_type_at(&parse, 1));
    buf_deinit(&bytes);
}

TEST("1", 2, bind_comes_back_as_it_was_sent) {
    struct buf bytes = BUF_INIT;
    const struct slice values[] = {SLICE_LITERAL("42"), {NULL, 0}, {(const uint8_t *)"", 0}};
    pg_send_bind(&bytes, "p", "s", values, 3, PG_BINARY);
    struct pg_bind bind;
    assert_true(pg_bind_decode(body_of(&bytes), &bind));
    assert_slice_equal(SLICE_LITERAL("p"), bind.portal);
    assert_slice_equal(SLICE_LITERAL("s"), bind.statement);
    assert_int_equal(3, bind.value_count);
    struct slice rest = bind.values, value;
    bool is_null;
    assert_true(pg_value_next(&rest, &is_null, &value));
    assert_false(is_null);
    assert_slice_equal(values[0], value);
    assert_true(pg_value_next(&rest, &is_null, &value));
    assert_true(is_null);
    assert_true(pg_value_next(&rest, &is_null, &value));
    assert_false(is_null);
    assert_int_equal(0, value.len);
    assert_false(pg_value_next(&rest, &is_null, &value));
    assert_int_equal(PG_TEXT, pg_format_at(bind.formats, bind.format_count, 2));
    assert_int_equal(PG_BINARY, pg_format_at(bind.result_formats, bind.result_format_count, 7));
    buf_deinit(&bytes);
}

TEST("1", 0, describe_close_and_execute_come_back_as_they_were_sent) {
    struct buf bytes = BUF_INIT;
    struct pg_target target;
    pg_send_describe(&bytes, 'S', "name");
    assert_true(pg_target_decode(body_of(&bytes), &target));
    assert_int_equal('S', target.kind);
    assert_slice_equal(SLICE_LITERAL("name"), target.name);
    buf_clear(&bytes);
    pg_send_close(&bytes, 'X', "name");
    assert_false(pg_target_decode(body_of(&bytes), &target));
    buf_clear(&bytes);
    pg_send_execute(&bytes, "p", 5);
    struct pg_execute execute;
    assert_true(pg_execute_decode(body_of(&bytes), &execute));
    assert_slice_equal(SLICE_LITERAL("p"), execute.portal);
    assert_int_equal(5, execute.max_rows);
    buf_deinit(&bytes);
}

TEST("1", 3, body_that_is_cut_or_too_long_is_malformed) {
    struct buf bytes = BUF_INIT;
    const struct slice value = SLICE_LITERAL("42");
    pg_send_bind(&bytes, "p", "s", &value, 1, PG_TEXT);
    struct slice body = body_of(&bytes);
    struct pg_bind bind;
    for (size_t cut = 0; cut < body.len; cut++)
        assert_false(pg_bind_decode(slice_of(body.data, cut), &bind));
    buf_append_byte(&bytes, 0);
    assert_false(pg_bind_decode(body_of(&bytes), &bind));

    buf_clear(&bytes);
    pg_send_parse(&bytes, "s", value, (const uint32_t[]){1}, 1);
    struct pg_parse parse;
    body = body_of(&bytes);
    for (size_t cut = 0; cut < body.len; cut++)
        assert_false(pg_parse_decode(slice_of(body.data, cut), &parse));
    buf_deinit(&bytes);
}

/* Decodes a body as everything it could be, and walks what was accepted. */
static size_t decode_as_all(struct slice body) {
    size_t accepted = 0;
    struct slice text, rest;
    struct pg_parse parse;
    struct pg_bind bind;
    struct pg_target target;
    struct pg_execute execute;
    bool is_null;
    accepted += pg_query_decode(body, &text);
    accepted += pg_target_decode(body, &target);
    accepted += pg_execute_decode(body, &execute);
    if (pg_parse_decode(body, &parse)) {
        accepted++;
        for (uint16_t i = 0; i < parse.type_count; i++)
            accepted += pg_type_at(&parse, i) == 77777;
    }
    if (pg_bind_decode(body, &bind)) {
        accepted++;
        uint16_t count = 0;
        rest = bind.values;
        while (pg_value_next(&rest, &is_null, &text))
            count++;
        assert_int_equal(bind.value_count, count);
    }
    return accepted;
}

TEST("1", 2, bytes_from_strangers_are_never_read_past_their_end) {
    struct prng prng;
    prng_seed(&prng, 12);
    size_t accepted = 0;
    for (int round = 0; round < 50000; round++) {
        /* Small values make counts and lengths that sometimes fit; allocated exactly, so that a
         * sanitizer sees a read past the end. */
        size_t len = prng_below(&prng, 40);
        uint8_t *bytes = mem_alloc(len);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(prng_below(&prng, 3) ? 0 : prng_below(&prng, 6));
        struct slice body = slice_of(bytes, len);
        accepted += decode_as_all(body);
        struct pg_startup startup;
        struct pg_message message;
        size_t size;
        if (pg_startup_decode(body, &startup, &size, NULL) == STATUS_OK && startup.major == 3) {
            struct slice rest = startup.parameters, name, value;
            while (pg_startup_next(&rest, &name, &value))
                accepted++;
        }
        if (pg_message_decode(body, 100, &message, &size, NULL) == STATUS_OK) accepted++;
        mem_free(bytes);
    }
    assert_true(accepted > 0);
}

/* ---- what a client reads -------------------------------------------------------------------- */

TEST("2", 0, client_reads_the_columns_and_rows_that_the_server_wrote) {
    struct buf out = BUF_INIT;
    struct pg_column columns[] = {{SLICE_LITERAL("a"), 9, 1, 23, 4, -1, PG_TEXT},
                                  {SLICE_LITERAL("b"), 0, 0, 1043, -1, 14, PG_BINARY}};
    pg_put_row_description(&out, columns, 2);
    struct pg_answer answer;
    size_t size;
    assert_status(STATUS_OK, pg_answer_decode(buf_slice(&out), 1000, &answer, &size, NULL));
    assert_int_equal('T', answer.type);
    uint16_t count;
    struct slice rest;
    assert_true(pg_answer_count(answer.body, &count, &rest));
    assert_int_equal(2, count);
    for (size_t i = 0; i < 2; i++) {
        struct pg_column got;
        assert_true(pg_answer_next_column(&rest, &got));
        assert_slice_equal(columns[i].name, got.name);
        assert_int_equal(columns[i].type_oid, got.type_oid);
        assert_int_equal(columns[i].type_length, got.type_length);
        assert_int_equal(columns[i].typmod, got.typmod);
        assert_int_equal(columns[i].format, got.format);
    }
    assert_int_equal(0, rest.len);
    buf_deinit(&out);
}
