/* sql_type.h - the types of SQL values: names, PostgreSQL's OIDs, categories, storage.
 *
 * A type is a row of one table (sql_type.c); what differs between types hangs off that row, and a
 * new type is a new row. Names, OIDs, categories and preferred types are those of PostgreSQL 15's
 * pg_type. Catalog and wire protocol name types by OID; the enum is internal and may be reordered.
 */
#ifndef CAIRN_SQL_TYPE_H
#define CAIRN_SQL_TYPE_H

#include "arena.h"
#include "slice.h"
#include "sql_error.h"

enum sql_type {
    SQL_UNKNOWN, /* an untyped literal or NULL whose type the context decides */
    SQL_BOOL,
    SQL_INT2,
    SQL_INT4,
    SQL_INT8,
    SQL_FLOAT8,
    SQL_NUMERIC,
    SQL_TEXT,
    SQL_VARCHAR,
    SQL_TYPE_COUNT,
    /* Only in signatures of functions: "any type", "any type that is not an array". */
    SQL_ANY = SQL_TYPE_COUNT,
    SQL_ANYNONARRAY
};

/* How a column vector holds the type. */
enum sql_storage {
    SQL_STORE_INT,     /* int64_t: INT2, INT4, INT8 */
    SQL_STORE_FLOAT,   /* double */
    SQL_STORE_BOOL,    /* uint8_t, 0 or 1 */
    SQL_STORE_NUMERIC, /* struct numeric */
    SQL_STORE_BYTES    /* struct slice: TEXT, VARCHAR, UNKNOWN */
};

/* A type with its modifier, as columns and expressions have it. typmod -1: none; VARCHAR: n + 4;
 * NUMERIC: ((precision << 16) | scale) + 4, as in PostgreSQL. */
struct sql_typed {
    enum sql_type type;
    int32_t typmod;
};
#define SQL_TYPED(type) ((struct sql_typed){(type), -1})

struct sql_type_info {
    const char *name;        /* pg_type.typname: "int4" */
    const char *format_name; /* as format_type prints it: "integer" */
    uint32_t oid;
    int16_t length_bytes; /* pg_type.typlen: -1 variable, -2 C string */
    char category;        /* 'B' boolean, 'N' numeric, 'S' string, 'X' unknown, 'P' pseudo */
    bool preferred;       /* within its category */
    enum sql_storage storage;
};

/* Valid for every type and pseudo type. Never NULL. */
const struct sql_type_info *sql_type_info(enum sql_type type);
enum sql_storage sql_type_storage(enum sql_type type);
bool sql_type_is_integer(enum sql_type type);
bool sql_type_is_string(enum sql_type type); /* TEXT, VARCHAR */

/* False if we have no type with this OID. */
bool sql_type_by_oid(uint32_t oid, enum sql_type *out) MUST_CHECK;
/* By a name as the parser sees it, lower case: "int", "integer", "int4", "float8", "decimal",
 * "varchar", "character varying", "double precision", "text", "bool", ... */
bool sql_type_by_name(struct slice name, enum sql_type *out) MUST_CHECK;

/* "character varying(10)", "numeric(8,2)", "integer": allocated in `arena`. */
const char *sql_type_format(struct arena *arena, enum sql_type type, int32_t typmod);

/* The modifier for `varchar(n)`, `numeric(p)`, `numeric(p,s)`, with PostgreSQL's errors: 22023 for
 * a value out of range, 42601 for a type that takes none or for too many. count 0: *out = -1. */
enum status sql_type_make_typmod(enum sql_type type, const int64_t *values, size_t count,
                                 int position, int32_t *out, struct sql_error *error) MUST_CHECK;
/* -1 if unlimited. Characters, not bytes. */
int32_t sql_varchar_limit(int32_t typmod);
/* False if the modifier sets no precision. */
bool sql_numeric_limits(int32_t typmod, int32_t *precision, int32_t *scale);

#endif
