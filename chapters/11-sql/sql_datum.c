/* sql_datum.c - one value: making, comparing, hashing, modifiers. Formats are in sql_format.c. */
#include "sql_datum.h"

#include <assert.h>
#include <math.h>

struct sql_datum sql_datum_null(enum sql_type type) {
    return (struct sql_datum){.type = type, .is_null = true};
}

struct sql_datum sql_datum_int(enum sql_type type, int64_t value) {
    assert(sql_type_is_integer(type));
    return (struct sql_datum){.type = type, .integer = value};
}

struct sql_datum sql_datum_float(double value) {
    return (struct sql_datum){.type = SQL_FLOAT8, .float8 = value};
}

struct sql_datum sql_datum_bool(bool value) {
    return (struct sql_datum){.type = SQL_BOOL, .boolean = value};
}

struct sql_datum sql_datum_numeric(struct numeric value) {
    return (struct sql_datum){.type = SQL_NUMERIC, .numeric = value};
}

struct sql_datum sql_datum_text(enum sql_type type, struct slice text) {
    assert(sql_type_storage(type) == SQL_STORE_BYTES);
    return (struct sql_datum){.type = type, .text = text};
}

struct sql_datum sql_datum_dup(struct arena *arena, const struct sql_datum *datum) {
    struct sql_datum copy = *datum;
    if (datum->is_null) return copy;
    switch (sql_type_storage(datum->type)) {
    case SQL_STORE_BYTES:
        copy.text = arena_dup_slice(arena, datum->text);
        break;
    case SQL_STORE_NUMERIC:
        copy.numeric = numeric_dup(arena, &datum->numeric);
        break;
    case SQL_STORE_INT:
    case SQL_STORE_FLOAT:
    case SQL_STORE_BOOL:
        break;
    }
    return copy;
}

int sql_float8_compare(double a, double b) {
    if (isnan(a) || isnan(b)) return (isnan(a) != 0) - (isnan(b) != 0);
    return (a > b) - (a < b);
}

int sql_datum_compare(const struct sql_datum *a, const struct sql_datum *b) {
    assert(!a->is_null && !b->is_null);
    switch (sql_type_storage(a->type)) {
    case SQL_STORE_INT:
        return (a->integer > b->integer) - (a->integer < b->integer);
    case SQL_STORE_FLOAT:
        return sql_float8_compare(a->float8, b->float8);
    case SQL_STORE_BOOL:
        return a->boolean - b->boolean;
    case SQL_STORE_NUMERIC:
        return numeric_compare(&a->numeric, &b->numeric);
    case SQL_STORE_BYTES:
        break;
    }
    return slice_compare(a->text, b->text);
}

/* Finalizer of splitmix64 (Steele et al. 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t sql_integer_hash(int64_t value) { return mix((uint64_t)value); }

uint64_t sql_float8_hash(double value) {
    if (value == 0) value = 0; /* -0 equals 0 */
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return mix(isnan(value) ? UINT64_C(0x7ff8000000000000) : bits);
}

uint64_t sql_datum_hash(const struct sql_datum *datum) {
    enum { NULL_SEED = 0x6e756c6c };
    if (datum->is_null) return mix(NULL_SEED);
    switch (sql_type_storage(datum->type)) {
    case SQL_STORE_INT:
        return sql_integer_hash(datum->integer);
    case SQL_STORE_FLOAT:
        return sql_float8_hash(datum->float8);
    case SQL_STORE_BOOL:
        return mix(datum->boolean);
    case SQL_STORE_NUMERIC:
        return numeric_hash(&datum->numeric);
    case SQL_STORE_BYTES:
        break;
    }
    return checksum64(datum->text, 0);
}

/* ---- modifiers ------------------------------------------------------------------------------ */

/* Bytes of the first `limit` characters; all of them if there are fewer. */
static size_t bytes_of_characters(struct slice text, size_t limit) {
    size_t at = 0;
    for (; at < text.len; at++) {
        if ((text.data[at] & 0xC0) == 0x80) continue;
        if (limit-- == 0) break;
    }
    return at;
}

static enum status limit_varchar(int32_t limit, bool explicit_cast, struct sql_datum *datum,
                                 struct sql_error *error) {
    size_t keep = bytes_of_characters(datum->text, (size_t)limit);
    for (size_t i = keep; i < datum->text.len && !explicit_cast; i++) {
        if (datum->text.data[i] != ' ') {
            return sql_error_set(error, SQLSTATE_STRING_DATA_RIGHT_TRUNCATION,
                                 "value too long for type character varying(%d)", limit);
        }
    }
    datum->text.len = keep;
    return STATUS_OK;
}

static enum status limit_numeric(struct arena *arena, int32_t precision, int32_t scale,
                                 struct sql_datum *datum, struct sql_error *error) {
    struct numeric limited;
    if (numeric_limit(arena, &datum->numeric, precision, scale, &limited) == STATUS_OK) {
        datum->numeric = limited;
        return STATUS_OK;
    }
    enum status status =
        sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
    if (numeric_is_special(&datum->numeric)) {
        sql_error_detail(error,
                         "A field with precision %d, scale %d cannot hold an infinite value.",
                         precision, scale);
    } else {
        int32_t digits = precision - scale;
        sql_error_detail(error,
                         "A field with precision %d, scale %d must round to an absolute value "
                         "less than %s%d.",
                         precision, scale, digits != 0 ? "10^" : "", digits != 0 ? digits : 1);
    }
    return status;
}

enum status sql_datum_apply_typmod(struct arena *arena, int32_t typmod, bool explicit_cast,
                                   struct sql_datum *datum, struct sql_error *error) {
    if (datum->is_null || typmod < 0) return STATUS_OK;
    int32_t precision, scale;
    if (datum->type == SQL_VARCHAR && sql_varchar_limit(typmod) >= 0) {
        return limit_varchar(sql_varchar_limit(typmod), explicit_cast, datum, error);
    }
    if (datum->type == SQL_NUMERIC && sql_numeric_limits(typmod, &precision, &scale)) {
        return limit_numeric(arena, precision, scale, datum, error);
    }
    return STATUS_OK;
}
