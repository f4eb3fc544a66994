/* Types, values and their formats. */
#include <math.h>

#include "expr_fixture.h"
#include "mem.h"
#include "prng.h"
#include "sql_column.h"

static const char *print(struct arena *arena, struct sql_datum datum) {
    return fixture_print(arena, &datum);
}

TEST("1", 0, types_are_found_by_oid_and_by_name) {
    static const struct {
        const char *name;
        uint32_t oid;
        enum sql_type type;
    } known[] = {{"bool", 16, SQL_BOOL},      {"int2", 21, SQL_INT2},
                 {"int4", 23, SQL_INT4},      {"int8", 20, SQL_INT8},
                 {"float8", 701, SQL_FLOAT8}, {"numeric", 1700, SQL_NUMERIC},
                 {"text", 25, SQL_TEXT},      {"varchar", 1043, SQL_VARCHAR}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        enum sql_type type;
        assert_true(sql_type_by_oid(known[i].oid, &type));
        assert_int_equal(known[i].type, type);
        assert_true(sql_type_by_name(slice_of_string(known[i].name), &type));
        assert_int_equal(known[i].type, type);
    }
    enum sql_type type;
    assert_false(sql_type_by_oid(114, &type));
    assert_false(sql_type_by_name(SLICE_LITERAL("json"), &type));
}

TEST("1", 0, modifiers_are_packed_and_shown_as_postgresql_does) {
    struct arena arena;
    struct sql_error error;
    int32_t typmod;
    arena_init(&arena, 0);
    assert_ok(sql_type_make_typmod(SQL_VARCHAR, (const int64_t[]){10}, 1, 0, &typmod, &error),
              NULL);
    assert_int_equal(14, typmod);
    assert_string_equal("character varying(10)", sql_type_format(&arena, SQL_VARCHAR, typmod));
    assert_ok(sql_type_make_typmod(SQL_NUMERIC, (const int64_t[]){8, 2}, 2, 0, &typmod, &error),
              NULL);
    assert_int_equal((8 << 16 | 2) + 4, typmod);
    assert_string_equal("numeric(8,2)", sql_type_format(&arena, SQL_NUMERIC, typmod));
    assert_ok(sql_type_make_typmod(SQL_NUMERIC, (const int64_t[]){3, -2}, 2, 0, &typmod, &error),
              NULL);
    assert_string_equal("numeric(3,-2)", sql_type_format(&arena, SQL_NUMERIC, typmod));
    assert_string_equal("double precision", sql_type_format(&arena, SQL_FLOAT8, -1));
    arena_deinit(&arena);
}

TEST("1", 0, modifiers_out_of_range_are_refused) {
    struct sql_error error;
    int32_t typmod;
    assert_status(STATUS_INVALID,
                  sql_type_make_typmod(SQL_VARCHAR, (const int64_t[]){0}, 1, 7, &typmod, &error));
    assert_string_equal("length for type varchar must be at least 1", error.message);
    assert_string_equal("22023", error.sqlstate);
    assert_int_equal(7, error.position);
    assert_status(STATUS_INVALID, sql_type_make_typmod(SQL_NUMERIC, (const int64_t[]){1001}, 1, 0,
                                                       &typmod, &error));
    assert_string_equal("NUMERIC precision 1001 must be between 1 and 1000", error.message);
    assert_status(STATUS_INVALID,
                  sql_type_make_typmod(SQL_INT4, (const int64_t[]){4}, 1, 0, &typmod, &error));
    assert_string_equal("type modifier is not allowed for type \"int4\"", error.message);
}

/* ---- doubles --------------------------------------------------------------------------------- */

TEST("1", 0, doubles_print_the_shortest_digits_in_postgresqls_form) {
    static const struct {
        double value;
        const char *text;
    } known[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {0.1, "0.1"},
                 {1e14, "100000000000000"},
                 {1e15, "1e+15"},
                 {1e-4, "0.0001"},
                 {1e-5, "1e-05"},
                 {123.456, "123.456"},
                 {-1.5e-7, "-1.5e-07"},
                 {1e100, "1e+100"},
                 {1234567890123456, "1.234567890123456e+15"},
                 {5e-324, "5e-324"},
                 {2.212954718e+19, "2.2129547180000002e+19"},
                 {INFINITY, "Infinity"},
                 {-INFINITY, "-Infinity"},
                 {NAN, "NaN"},
                 {0.30000000000000004, "0.30000000000000004"}};
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_string_equal(known[i].text, print(&arena, sql_datum_float(known[i].value)));
    }
    arena_deinit(&arena);
}

TEST("1", 0, doubles_read_back_exactly) {
    struct prng prng;
    prng_seed(&prng, 21);
    for (int i = 0; i < 20000; i++) {
        struct arena arena;
        struct sql_error error;
        struct sql_datum again;
        uint64_t bits = prng_u64(&prng);
        double value;
        memcpy(&value, &bits, sizeof value);
        arena_init(&arena, 0);
        const char *text = print(&arena, sql_datum_float(value));
        assert_ok(
            sql_datum_parse(&arena, SQL_TYPED(SQL_FLOAT8), slice_of_string(text), &again, &error),
            NULL);
        struct sql_datum original = sql_datum_float(value);
        assert_int_equal(0, sql_datum_compare(&original, &again));
        arena_deinit(&arena);
    }
}

/* ---- text ------------------------------------------------------------------------------------ */

TEST("1", 0, text_must_be_utf8) {
    assert_true(sql_text_valid(SLICE_LITERAL("")));
    assert_true(sql_text_valid(SLICE_LITERAL("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80")));
    static const char *const bad[] = {"\xFF",         "\xC3",         "\xC0\x80",
                                      "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                      "\x80",         "a\xE2\x82"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(sql_text_valid(slice_of_string(bad[i])));
    }
    assert_false(sql_text_valid(slice_of("a\0b", 3)));
}

TEST("1", 0, malformed_text_is_reported_with_its_bytes) {
    struct arena arena;
    struct sql_error error;
    struct sql_datum out;
    arena_init(&arena, 0);
    assert_status(STATUS_INVALID, sql_datum_parse(&arena, SQL_TYPED(SQL_TEXT),
                                                  SLICE_LITERAL("a\xE3\x28x"), &out, &error));
    assert_string_equal("22021", error.sqlstate);
    assert_string_equal("invalid byte sequence for encoding \"UTF8\": 0xe3 0x28 0x78",
                        error.message);
    arena_deinit(&arena);
}

TEST("1", 0, a_long_message_is_cut_at_a_character) {
    struct sql_error error;
    struct buf text = BUF_INIT;
    for (int i = 0; i < 400; i++)
        buf_append_string(&text, "\xE2\x82\xAC");
    (void)sql_error_set(&error, SQLSTATE_SYNTAX_ERROR, "x%.*s", (int)text.len, (char *)text.data);
    assert_true(strlen(error.message) > SQL_MESSAGE_MAX - 5);
    assert_true(sql_text_valid(slice_of_string(error.message)));
    buf_deinit(&text);
}

TEST("1", 0, varchar_drops_blanks_only_unless_the_cast_is_explicit) {
    struct arena arena;
    struct sql_error error;
    arena_init(&arena, 0);
    struct sql_datum datum = sql_datum_text(SQL_VARCHAR, SLICE_LITERAL("ab\xC3\xA9   "));
    assert_ok(sql_datum_apply_typmod(&arena, 3 + 4, false, &datum, &error), NULL);
    assert_string_equal("ab\xC3\xA9", print(&arena, datum));
    datum = sql_datum_text(SQL_VARCHAR, SLICE_LITERAL("abcd"));
    assert_status(STATUS_INVALID, sql_datum_apply_typmod(&arena, 3 + 4, false, &datum, &error));
    assert_string_equal("22001", error.sqlstate);
    assert_string_equal("value too long for type character varying(3)", error.message);
    assert_ok(sql_datum_apply_typmod(&arena, 3 + 4, true, &datum, &error), NULL);
    assert_string_equal("abc", print(&arena, datum));
    arena_deinit(&arena);
}

TEST("1", 0, a_numeric_that_does_not_fit_its_column_says_why) {
    struct arena arena;
    struct sql_error error;
    struct sql_datum out;
    int32_t typmod;
    arena_init(&arena, 0);
    assert_ok(sql_type_make_typmod(SQL_NUMERIC, (const int64_t[]){4, 2}, 2, 0, &typmod, &error),
              NULL);
    struct sql_typed type = {SQL_NUMERIC, typmod};
    assert_ok(sql_datum_parse(&arena, type, SLICE_LITERAL("99.994"), &out, &error), NULL);
    assert_string_equal("99.99", print(&arena, out));
    assert_status(STATUS_INVALID,
                  sql_datum_parse(&arena, type, SLICE_LITERAL("99.995"), &out, &error));
    assert_string_equal("22003", error.sqlstate);
    assert_string_equal("numeric field overflow", error.message);
    assert_string_equal("A field with precision 4, scale 2 must round to an absolute value less "
                        "than 10^2.",
                        error.detail);
    arena_deinit(&arena);
}

/* ---- binary ---------------------------------------------------------------------------------- */

/* As psycopg and node-postgres know them; the bytes come from PostgreSQL 15's COPY BINARY. */
static const struct {
    enum sql_type type;
    const char *text;
    const char *hex;
} binary[] = {
    {SQL_BOOL, "t", "01"},
    {SQL_INT2, "-2", "fffe"},
    {SQL_INT4, "258", "00000102"},
    {SQL_INT8, "-1", "ffffffffffffffff"},
    {SQL_FLOAT8, "1.5", "3ff8000000000000"},
    {SQL_TEXT, "h\xC3\xA9", "68c3a9"},
    {SQL_NUMERIC, "0", "0000000000000000"},
    {SQL_NUMERIC, "-12345.6789", "0003000140000004000109291a85"},
    {SQL_NUMERIC, "1.50", "000200000000000200011388"},
    {SQL_NUMERIC, "0.0001", "0001ffff000000040001"},
    {SQL_NUMERIC, "NaN", "00000000c0000000"},
};

TEST("1", 0, binary_formats_are_postgresqls) {
    for (size_t i = 0; i < ARRAY_LEN(binary); i++) {
        struct arena arena;
        struct sql_error error;
        struct sql_datum value, again;
        struct buf bytes = BUF_INIT;
        struct buf hex = BUF_INIT;
        arena_init(&arena, 0);
        struct sql_typed type = SQL_TYPED(binary[i].type);
        assert_ok(sql_datum_parse(&arena, type, slice_of_string(binary[i].text), &value, &error),
                  NULL);
        sql_datum_send(&value, &bytes);
        for (size_t b = 0; b < bytes.len; b++)
            buf_printf(&hex, "%02x", bytes.data[b]);
        assert_slice_equal(slice_of_string(binary[i].hex), buf_slice(&hex));
        assert_ok(sql_datum_recv(&arena, type, buf_slice(&bytes), &again, &error), NULL);
        assert_string_equal(binary[i].text, print(&arena, again));
        buf_deinit(&bytes);
        buf_deinit(&hex);
        arena_deinit(&arena);
    }
}

TEST("1", 0, malformed_binary_values_are_refused_never_a_crash) {
    struct prng prng;
    prng_seed(&prng, 22);
    for (int i = 0; i < 20000; i++) {
        struct arena arena;
        struct sql_error error;
        struct sql_datum value;
        arena_init(&arena, 0);
        size_t len = prng_below(&prng, 20);
        uint8_t *bytes = mem_alloc(len);
        for (size_t b = 0; b < len; b++) {
            bytes[b] = (uint8_t)(prng_below(&prng, 3) ? prng_below(&prng, 4) : prng_u64(&prng));
        }
        enum sql_type type = (enum sql_type)prng_between(&prng, SQL_BOOL, SQL_VARCHAR);
        enum status status =
            sql_datum_recv(&arena, SQL_TYPED(type), slice_of(bytes, len), &value, &error);
        if (status == STATUS_OK)
            (void)print(&arena, value);
        else
            assert_true(strcmp(error.sqlstate, "22P03") == 0 ||
                        strcmp(error.sqlstate, "22021") == 0);
        mem_free(bytes);
        arena_deinit(&arena);
    }
}

/* ---- numeric: formats read back -------------------------------------------------------------- */

TEST("2", 0, numerics_read_back_from_every_encoding) {
    struct prng prng;
    prng_seed(&prng, 23);
    for (int i = 0; i < 5000; i++) {
        struct arena arena;
        struct sql_error error;
        struct sql_datum value, again;
        struct buf text = BUF_INIT;
        struct buf bytes = BUF_INIT;
        arena_init(&arena, 0);
        if (prng_below(&prng, 2)) buf_append_byte(&text, '-');
        for (uint64_t n = prng_between(&prng, 1, 30); n > 0; n--) {
            buf_append_byte(&text, (uint8_t)('0' + prng_below(&prng, 10)));
        }
        if (prng_below(&prng, 2)) buf_printf(&text, ".%06d", (int)prng_below(&prng, 1000000));
        struct sql_typed type = SQL_TYPED(SQL_NUMERIC);
        assert_ok(sql_datum_parse(&arena, type, buf_slice(&text), &value, &error), NULL);
        const char *shown = print(&arena, value);
        sql_datum_send(&value, &bytes);
        assert_ok(sql_datum_recv(&arena, type, buf_slice(&bytes), &again, &error), NULL);
        assert_string_equal(shown, print(&arena, again));
        buf_clear(&bytes);
        put_numeric(&bytes, &value.numeric);
        struct reader reader = reader_of(buf_slice(&bytes));
        again.numeric = get_numeric(&reader, &arena);
        assert_true(reader_done(&reader));
        assert_string_equal(shown, print(&arena, again));
        assert_ok(sql_datum_parse(&arena, type, slice_of_string(shown), &again, &error), NULL);
        assert_int_equal(0, sql_datum_compare(&value, &again));
        assert_int_equal(sql_datum_hash(&value), sql_datum_hash(&again));
        buf_deinit(&text);
        buf_deinit(&bytes);
        arena_deinit(&arena);
    }
}

TEST("2", 0, a_numeric_beyond_the_format_is_refused) {
    struct arena arena;
    struct numeric value;
    arena_init(&arena, 0);
    assert_ok(numeric_parse(&arena, SLICE_LITERAL("1e131071"), &value), NULL);
    assert_status(STATUS_TOO_LARGE, numeric_parse(&arena, SLICE_LITERAL("1e131072"), &value));
    assert_ok(numeric_parse(&arena, SLICE_LITERAL("1e-16383"), &value), NULL);
    assert_status(STATUS_TOO_LARGE, numeric_parse(&arena, SLICE_LITERAL("1e-16384"), &value));
    assert_status(STATUS_TOO_LARGE, numeric_parse(&arena, SLICE_LITERAL("1e999999999999"), &value));
    assert_ok(numeric_parse(&arena, SLICE_LITERAL("1e131071"), &value), NULL);
    struct numeric product;
    assert_status(STATUS_TOO_LARGE, numeric_mul(&arena, &value, &value, &product));
    arena_deinit(&arena);
}

TEST("2", 0, numeric_sums_agree_with_adding_one_by_one) {
    struct prng prng;
    prng_seed(&prng, 24);
    for (int round = 0; round < 300; round++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct numeric_sum sum = {.digits = NULL};
        struct numeric total = numeric_zero;
        for (uint64_t n = prng_between(&prng, 1, 40); n > 0; n--) {
            struct numeric value;
            const char *text =
                arena_printf(&arena, "%s%u.%02ue%d", prng_below(&prng, 2) ? "-" : "",
                             (unsigned)prng_below(&prng, 100000), (unsigned)prng_below(&prng, 100),
                             (int)prng_below(&prng, 12) - 6);
            assert_ok(numeric_parse(&arena, slice_of_string(text), &value), NULL);
            numeric_sum_add(&sum, &arena, &value);
            assert_ok(numeric_add(&arena, &total, &value, &total), NULL);
        }
        struct numeric result;
        assert_ok(numeric_sum_result(&sum, &arena, &result), NULL);
        assert_string_equal(print(&arena, sql_datum_numeric(total)),
                            print(&arena, sql_datum_numeric(result)));
        arena_deinit(&arena);
    }
}
