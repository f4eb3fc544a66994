/* Rows as keys and values: order, round trips, columns that come and go, damage. */
#include "row_codec.h"

#include <math.h>

#include "harness.h"
#include "mem.h"
#include "prng.h"

static const enum sql_type all_types[] = {SQL_BOOL,   SQL_INT2,    SQL_INT4, SQL_INT8,
                                          SQL_FLOAT8, SQL_NUMERIC, SQL_TEXT, SQL_VARCHAR};

static struct slice random_text(struct prng *prng, struct arena *arena) {
    static const char *const pieces[] = {"a", "b", "ab", "\x01", "\xC3\xA9", "zz", " ", "\x7F"};
    struct buf text = BUF_INIT;
    for (uint64_t i = prng_below(prng, 6); i > 0; i--) {
        buf_append_string(&text, pieces[prng_below(prng, ARRAY_LEN(pieces))]);
    }
    struct slice copy = arena_dup_slice(arena, buf_slice(&text));
    buf_deinit(&text);
    return copy;
}

static struct numeric random_numeric(struct prng *prng, struct arena *arena) {
    static const char *const special[] = {"0", "NaN", "Infinity", "-Infinity", "1e30", "-1e-9"};
    struct numeric value;
    const char *text = special[prng_below(prng, ARRAY_LEN(special))];
    if (prng_below(prng, 4) > 0) {
        text = arena_printf(arena, "%s%d.%03d", prng_below(prng, 2) ? "-" : "",
                            (int)prng_below(prng, 20000), (int)prng_below(prng, 1000));
    }
    assert_ok(numeric_parse(arena, slice_of_string(text), &value), NULL);
    return value;
}

static struct sql_datum random_datum(struct prng *prng, struct arena *arena, enum sql_type type) {
    static const double floats[] = {0, -0.0, 1.5, -1.5, 1e300, -1e-300, INFINITY, -INFINITY, NAN};
    if (prng_below(prng, 8) == 0) return sql_datum_null(type);
    uint64_t bits = prng_u64(prng) >> prng_below(prng, 64);
    switch (type) {
    case SQL_BOOL:
        return sql_datum_bool(bits & 1);
    case SQL_INT2:
        return sql_datum_int(type, (int16_t)bits);
    case SQL_INT4:
        return sql_datum_int(type, (int32_t)bits);
    case SQL_INT8:
        return sql_datum_int(type, prng_below(prng, 2) ? (int64_t)bits : -(int64_t)(bits >> 1));
    case SQL_FLOAT8:
        return sql_datum_float(floats[prng_below(prng, ARRAY_LEN(floats))]);
    case SQL_NUMERIC:
        return sql_datum_numeric(random_numeric(prng, arena));
    default:
        return sql_datum_text(type, random_text(prng, arena));
    }
}

/* Ascending, NULLs last. */
static int compare(const struct sql_datum *a, const struct sql_datum *b) {
    if (a->is_null || b->is_null) return a->is_null - b->is_null;
    int order = sql_datum_compare(a, b);
    return (order > 0) - (order < 0);
}

static int sign(int order) { return (order > 0) - (order < 0); }

TEST("4", 0, keys_order_as_their_columns_do) {
    struct prng prng;
    prng_seed(&prng, 11);
    for (int round = 0; round < 20000; round++) {
        struct arena arena;
        arena_init(&arena, 0);
        struct buf keys[2] = {BUF_INIT, BUF_INIT};
        int expected = 0;
        for (int c = 0; c < 3; c++) {
            enum sql_type type = all_types[prng_below(&prng, ARRAY_LEN(all_types))];
            struct sql_datum a = random_datum(&prng, &arena, type);
            struct sql_datum b = prng_below(&prng, 2) ? a : random_datum(&prng, &arena, type);
            if (expected == 0) expected = compare(&a, &b);
            row_key_put(&keys[0], &a);
            row_key_put(&keys[1], &b);
        }
        assert_int_equal(expected, sign(slice_compare(buf_slice(&keys[0]), buf_slice(&keys[1]))));
        buf_deinit(&keys[0]);
        buf_deinit(&keys[1]);
        arena_deinit(&arena);
    }
}

TEST("4", 0, a_key_column_reads_back_as_it_was_written) {
    struct prng prng;
    prng_seed(&prng, 12);
    for (int round = 0; round < 5000; round++) {
        struct arena arena;
        struct buf key = BUF_INIT;
        arena_init(&arena, 0);
        enum sql_type type = all_types[prng_below(&prng, ARRAY_LEN(all_types))];
        struct sql_datum a = random_datum(&prng, &arena, type);
        row_key_put(&key, &a);
        struct reader reader = reader_of(buf_slice(&key));
        struct sql_datum b = row_key_get(&reader, type, &arena);
        assert_true(reader_done(&reader));
        assert_int_equal(0, compare(&a, &b));
        buf_deinit(&key);
        arena_deinit(&arena);
    }
}

TEST("4", 0, a_prefix_of_the_columns_is_a_prefix_of_the_key) {
    struct buf one = BUF_INIT;
    struct buf two = BUF_INIT;
    struct sql_datum a = sql_datum_text(SQL_TEXT, SLICE_LITERAL("abc"));
    struct sql_datum b = sql_datum_int(SQL_INT4, 7);
    uint64_t table;
    uint32_t index;
    row_key_prefix(&one, 42, 1);
    row_key_put(&one, &a);
    row_key_prefix(&two, 42, 1);
    row_key_put(&two, &a);
    row_key_put(&two, &b);
    assert_true(slice_has_prefix(buf_slice(&two), buf_slice(&one)));
    assert_true(row_key_read_prefix(buf_slice(&two), &table, &index));
    assert_int_equal(42, table);
    assert_int_equal(1, index);
    buf_deinit(&one);
    buf_deinit(&two);
}

/* ---- values --------------------------------------------------------------------------------- */

/* A table with a key of one column (id 1) and one column of every type (ids 2 ..). */
struct table {
    struct arena arena;
    struct row_decoder decoder;
    struct sql_batch batch;
    uint32_t wanted[ARRAY_LEN(all_types)];
};

static void table_init(struct table *table) {
    static const uint32_t key_id = 1;
    static const enum sql_type key_type = SQL_INT8;
    arena_init(&table->arena, 0);
    for (uint32_t i = 0; i < ARRAY_LEN(all_types); i++)
        table->wanted[i] = i + 2;
    row_decoder_init(&table->decoder, &table->arena, 9, &key_id, &key_type, 1, table->wanted,
                     all_types, ARRAY_LEN(all_types));
    sql_batch_init(&table->batch, &table->arena, all_types, ARRAY_LEN(all_types), 1);
}

static void put_key(struct buf *key, int64_t id) {
    struct sql_datum value = sql_datum_int(SQL_INT8, id);
    row_key_prefix(key, 9, 1);
    row_key_put(key, &value);
}

static uint32_t random_fields(struct prng *prng, struct arena *arena, struct row_field *fields) {
    for (uint32_t i = 0; i < ARRAY_LEN(all_types); i++) {
        fields[i] = (struct row_field){i + 2, random_datum(prng, arena, all_types[i])};
    }
    return ARRAY_LEN(all_types);
}

TEST("4", 0, a_row_reads_back_as_it_was_written) {
    struct prng prng;
    prng_seed(&prng, 13);
    for (int round = 0; round < 3000; round++) {
        struct table table;
        struct row_field fields[ARRAY_LEN(all_types)];
        struct buf key = BUF_INIT;
        struct buf value = BUF_INIT;
        struct error error;
        table_init(&table);
        put_key(&key, round);
        row_value_encode(&value, fields, random_fields(&prng, &table.arena, fields));
        assert_ok(row_decode(&table.decoder, buf_slice(&key), buf_slice(&value), &table.batch, 0,
                             &table.arena, &error),
                  &error);
        for (uint32_t i = 0; i < ARRAY_LEN(all_types); i++) {
            struct sql_datum read = sql_column_get(&table.batch.columns[i], 0);
            assert_int_equal(0, compare(&fields[i].value, &read));
            if (all_types[i] == SQL_NUMERIC && !read.is_null) {
                assert_int_equal(fields[i].value.numeric.scale, read.numeric.scale);
            }
        }
        buf_deinit(&key);
        buf_deinit(&value);
        arena_deinit(&table.arena);
    }
}

TEST("4", 0, a_column_added_later_reads_as_null_and_a_dropped_one_is_passed_over) {
    struct arena arena;
    arena_init(&arena, 0);
    const uint32_t key_id = 1;
    const enum sql_type key_type = SQL_INT8;
    /* Written with columns 2 and 3; read with 1, 3 and 4. */
    struct row_field fields[] = {{2, sql_datum_text(SQL_TEXT, SLICE_LITERAL("gone"))},
                                 {3, sql_datum_int(SQL_INT4, 33)}};
    const uint32_t wanted[] = {4, 1, 3};
    const enum sql_type types[] = {SQL_TEXT, SQL_INT8, SQL_INT4};
    struct row_decoder decoder;
    struct sql_batch batch;
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    struct error error;
    put_key(&key, 5);
    row_value_encode(&value, fields, 2);
    row_decoder_init(&decoder, &arena, 9, &key_id, &key_type, 1, wanted, types, 3);
    sql_batch_init(&batch, &arena, types, 3, 1);
    assert_ok(row_decode(&decoder, buf_slice(&key), buf_slice(&value), &batch, 0, &arena, &error),
              &error);
    assert_true(sql_column_is_null(&batch.columns[0], 0));
    assert_int_equal(5, sql_column_get(&batch.columns[1], 0).integer);
    assert_int_equal(33, sql_column_get(&batch.columns[2], 0).integer);
    buf_deinit(&key);
    buf_deinit(&value);
    arena_deinit(&arena);
}

TEST("4", 0, a_widened_integer_column_reads_old_rows) {
    struct arena arena;
    arena_init(&arena, 0);
    const uint32_t key_id = 1, wanted = 2;
    const enum sql_type key_type = SQL_INT8, type = SQL_INT8;
    struct row_field field = {2, sql_datum_int(SQL_INT2, -7)};
    struct row_decoder decoder;
    struct sql_batch batch;
    struct buf key = BUF_INIT;
    struct buf value = BUF_INIT;
    put_key(&key, 5);
    row_value_encode(&value, &field, 1);
    row_decoder_init(&decoder, &arena, 9, &key_id, &key_type, 1, &wanted, &type, 1);
    sql_batch_init(&batch, &arena, &type, 1, 1);
    assert_ok(row_decode(&decoder, buf_slice(&key), buf_slice(&value), &batch, 0, &arena, NULL),
              NULL);
    assert_int_equal(-7, sql_column_get(&batch.columns[0], 0).integer);
    buf_deinit(&key);
    buf_deinit(&value);
    arena_deinit(&arena);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static void damage(struct prng *prng, struct buf *bytes) {
    if (bytes->len == 0) return;
    size_t at = prng_below(prng, bytes->len);
    switch (prng_below(prng, 3)) {
    case 0:
        bytes->data[at] = (uint8_t)prng_u64(prng);
        break;
    case 1:
        bytes->data[at] ^= (uint8_t)(1u << prng_below(prng, 8));
        break;
    default:
        bytes->len = at;
        break;
    }
}

TEST("4", 0, damaged_rows_are_corrupt_or_other_rows_but_never_crash) {
    struct prng prng;
    prng_seed(&prng, 14);
    size_t refused = 0;
    for (int round = 0; round < 20000; round++) {
        struct table table;
        struct row_field fields[ARRAY_LEN(all_types)];
        struct buf key = BUF_INIT;
        struct buf value = BUF_INIT;
        struct error error;
        table_init(&table);
        put_key(&key, round);
        row_value_encode(&value, fields, random_fields(&prng, &table.arena, fields));
        for (uint64_t i = prng_between(&prng, 1, 3); i > 0; i--) {
            damage(&prng, prng_below(&prng, 8) == 0 ? &key : &value);
        }
        /* Exact allocations, so that a sanitizer sees a read too far. */
        uint8_t *copy = mem_dup(value.data, value.len);
        enum status status = row_decode(&table.decoder, buf_slice(&key), slice_of(copy, value.len),
                                        &table.batch, 0, &table.arena, &error);
        assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
        if (status == STATUS_CORRUPT) {
            refused++;
            assert_non_null(strstr(error.message, "of a row of table 9"));
        }
        mem_free(copy);
        buf_deinit(&key);
        buf_deinit(&value);
        arena_deinit(&table.arena);
    }
    assert_true(refused > 5000);
}

TEST("4", 0, random_bytes_as_a_numeric_are_refused_or_canonical) {
    struct prng prng;
    prng_seed(&prng, 15);
    for (int round = 0; round < 20000; round++) {
        struct arena arena;
        uint8_t bytes[12];
        arena_init(&arena, 0);
        size_t len = prng_below(&prng, sizeof bytes + 1);
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)prng_below(&prng, 8);
        struct reader reader = reader_of(slice_of(bytes, len));
        struct numeric value = get_ordered_numeric(&reader, &arena);
        if (reader_done(&reader)) {
            struct buf again = BUF_INIT;
            put_ordered_numeric(&again, &value);
            assert_slice_equal(slice_of(bytes, len), buf_slice(&again));
            buf_deinit(&again);
        }
        arena_deinit(&arena);
    }
}
