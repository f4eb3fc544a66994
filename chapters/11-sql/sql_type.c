/* sql_type.c - the table of types, and names with modifiers. What values do is in sql_datum.c. */
#include "sql_type.h"

#include <assert.h>

#include "mem.h"
#include "numeric.h"

static const struct sql_type_info types[] = {
    [SQL_UNKNOWN] = {"unknown", "unknown", 705, -2, 'X', false, SQL_STORE_BYTES},
    [SQL_BOOL] = {"bool", "boolean", 16, 1, 'B', true, SQL_STORE_BOOL},
    [SQL_INT2] = {"int2", "smallint", 21, 2, 'N', false, SQL_STORE_INT},
    [SQL_INT4] = {"int4", "integer", 23, 4, 'N', false, SQL_STORE_INT},
    [SQL_INT8] = {"int8", "bigint", 20, 8, 'N', false, SQL_STORE_INT},
    [SQL_FLOAT8] = {"float8", "double precision", 701, 8, 'N', true, SQL_STORE_FLOAT},
    [SQL_NUMERIC] = {"numeric", "numeric", 1700, -1, 'N', false, SQL_STORE_NUMERIC},
    [SQL_TEXT] = {"text", "text", 25, -1, 'S', true, SQL_STORE_BYTES},
    [SQL_VARCHAR] = {"varchar", "character varying", 1043, -1, 'S', false, SQL_STORE_BYTES},
    [SQL_ANY] = {"any", "\"any\"", 2276, 4, 'P', false, SQL_STORE_BYTES},
    [SQL_ANYNONARRAY] = {"anynonarray", "anynonarray", 2776, 4, 'P', false, SQL_STORE_BYTES},
};

const struct sql_type_info *sql_type_info(enum sql_type type) {
    assert((size_t)type < ARRAY_LEN(types));
    return &types[type];
}

enum sql_storage sql_type_storage(enum sql_type type) { return sql_type_info(type)->storage; }

bool sql_type_is_integer(enum sql_type type) { return sql_type_storage(type) == SQL_STORE_INT; }

bool sql_type_is_string(enum sql_type type) { return sql_type_info(type)->category == 'S'; }

bool sql_type_by_oid(uint32_t oid, enum sql_type *out) {
    for (int type = 0; type < SQL_TYPE_COUNT; type++) {
        if (types[type].oid == oid) {
            *out = (enum sql_type)type;
            return true;
        }
    }
    return false;
}

/* Spellings other than the catalog's own. */
static const struct {
    const char *name;
    enum sql_type type;
} aliases[] = {
    {"boolean", SQL_BOOL},
    {"smallint", SQL_INT2},
    {"int", SQL_INT4},
    {"integer", SQL_INT4},
    {"bigint", SQL_INT8},
    {"float", SQL_FLOAT8},
    {"double precision", SQL_FLOAT8},
    {"decimal", SQL_NUMERIC},
    {"dec", SQL_NUMERIC},
    {"character varying", SQL_VARCHAR},
};

bool sql_type_by_name(struct slice name, enum sql_type *out) {
    for (int type = SQL_BOOL; type < SQL_TYPE_COUNT; type++) {
        if (slice_equal(name, slice_of_string(types[type].name))) {
            *out = (enum sql_type)type;
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
        if (slice_equal(name, slice_of_string(aliases[i].name))) {
            *out = aliases[i].type;
            return true;
        }
    }
    return false;
}

/* ---- modifiers ------------------------------------------------------------------------------ */

enum {
    TYPMOD_BASE = 4, /* VARHDRSZ: modifiers count from there */
    VARCHAR_MAX = 10485760,
    SCALE_BITS = 11,
    SCALE_SIGN = 1 << (SCALE_BITS - 1),
    SCALE_MASK = (1 << SCALE_BITS) - 1
};

int32_t sql_varchar_limit(int32_t typmod) {
    return typmod < TYPMOD_BASE ? -1 : typmod - TYPMOD_BASE;
}

bool sql_numeric_limits(int32_t typmod, int32_t *precision, int32_t *scale) {
    *precision = *scale = 0;
    if (typmod < TYPMOD_BASE) return false;
    int32_t packed = typmod - TYPMOD_BASE;
    *precision = packed >> 16;
    *scale = ((packed & SCALE_MASK) ^ SCALE_SIGN) - SCALE_SIGN;
    return true;
}

const char *sql_type_format(struct arena *arena, enum sql_type type, int32_t typmod) {
    const char *name = sql_type_info(type)->format_name;
    int32_t precision, scale;
    if (type == SQL_VARCHAR && sql_varchar_limit(typmod) >= 0) {
        return arena_printf(arena, "%s(%d)", name, sql_varchar_limit(typmod));
    }
    if (type == SQL_NUMERIC && sql_numeric_limits(typmod, &precision, &scale)) {
        return arena_printf(arena, "%s(%d,%d)", name, precision, scale);
    }
    return name;
}

static enum status make_varchar(const int64_t *values, size_t count, int position, int32_t *out,
                                struct sql_error *error) {
    if (count != 1) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "invalid type modifier");
    }
    if (values[0] < 1) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "length for type varchar must be at least 1");
    }
    if (values[0] > VARCHAR_MAX) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "length for type varchar cannot exceed %d", VARCHAR_MAX);
    }
    *out = (int32_t)values[0] + TYPMOD_BASE;
    return STATUS_OK;
}

static enum status make_numeric(const int64_t *values, size_t count, int position, int32_t *out,
                                struct sql_error *error) {
    if (count > 2) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "invalid NUMERIC type modifier");
    }
    int64_t scale = count == 2 ? values[1] : 0;
    if (values[0] < 1 || values[0] > NUMERIC_MAX_PRECISION) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "NUMERIC precision %lld must be between 1 and %d",
                                (long long)values[0], NUMERIC_MAX_PRECISION);
    }
    if (scale < -NUMERIC_MAX_PRECISION || scale > NUMERIC_MAX_PRECISION) {
        return sql_error_set_at(error, position, SQLSTATE_INVALID_PARAMETER_VALUE,
                                "NUMERIC scale %lld must be between %d and %d", (long long)scale,
                                -NUMERIC_MAX_PRECISION, NUMERIC_MAX_PRECISION);
    }
    *out = (((int32_t)values[0] << 16) | ((int32_t)scale & SCALE_MASK)) + TYPMOD_BASE;
    return STATUS_OK;
}

enum status sql_type_make_typmod(enum sql_type type, const int64_t *values, size_t count,
                                 int position, int32_t *out, struct sql_error *error) {
    *out = -1;
    if (count == 0) return STATUS_OK;
    if (type == SQL_VARCHAR) return make_varchar(values, count, position, out, error);
    if (type == SQL_NUMERIC) return make_numeric(values, count, position, out, error);
    return sql_error_set_at(error, position, SQLSTATE_SYNTAX_ERROR,
                            "type modifier is not allowed for type \"%s\"",
                            sql_type_info(type)->name);
}
