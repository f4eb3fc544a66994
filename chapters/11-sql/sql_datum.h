/* sql_datum.h - one SQL value.
 *
 * Where values come one at a time: constants, parameters, defaults, results to be printed. Rows in
 * bulk travel as columns (sql_column.h). A datum borrows text and digits; whoever makes one says
 * from where. Also the conversions that drivers see: PostgreSQL's text and binary formats. */
#ifndef CAIRN_SQL_DATUM_H
#define CAIRN_SQL_DATUM_H

#include "buf.h"
#include "numeric.h"
#include "sql_type.h"

struct sql_datum {
    enum sql_type type;
    bool is_null;
    union {
        int64_t integer;        /* SQL_STORE_INT */
        double float8;          /* SQL_STORE_FLOAT */
        bool boolean;           /* SQL_STORE_BOOL */
        struct slice text;      /* SQL_STORE_BYTES; valid UTF-8, no NUL byte */
        struct numeric numeric; /* SQL_STORE_NUMERIC */
    };
};

struct sql_datum sql_datum_null(enum sql_type type);
struct sql_datum sql_datum_int(enum sql_type type, int64_t value); /* INT2, INT4, INT8; in range */
struct sql_datum sql_datum_float(double value);
struct sql_datum sql_datum_bool(bool value);
struct sql_datum sql_datum_numeric(struct numeric value);
struct sql_datum sql_datum_text(enum sql_type type, struct slice text); /* borrows */

/* Copies text and digits into `arena`. */
struct sql_datum sql_datum_dup(struct arena *arena, const struct sql_datum *datum);

/* Order within a type as ORDER BY and the B-tree operators have it: text by bytes, NaN last and
 * equal to itself, false before true. Both not NULL, of types with the same storage. */
int sql_datum_compare(const struct sql_datum *a, const struct sql_datum *b);
/* NaN equals itself and is greater than all else; -0 equals 0. */
int sql_float8_compare(double a, double b);
uint64_t sql_float8_hash(double value);
/* A well-mixed hash of an integer, the same for all widths. */
uint64_t sql_integer_hash(int64_t value);
/* Equal values hash equal. NULL hashes too. */
uint64_t sql_datum_hash(const struct sql_datum *datum);

/* Text format, as PostgreSQL's type output functions: appends. NULL is the caller's matter. */
void sql_datum_print(const struct sql_datum *datum, struct buf *out);
/* Text format in, as the type input functions; applies the modifier (22001 for a text too long,
 * numeric rounds or 22003). 22P02 with PostgreSQL's wording if malformed, 22003 if out of range,
 * 22021 if not UTF-8. The result may borrow from `text`. */
enum status sql_datum_parse(struct arena *arena, struct sql_typed type, struct slice text,
                            struct sql_datum *out, struct sql_error *error) MUST_CHECK;

/* PostgreSQL's binary formats (typsend, typreceive). 22P03 if malformed. recv applies the modifier
 * and may borrow from `bytes`. */
void sql_datum_send(const struct sql_datum *datum, struct buf *out);
enum status sql_datum_recv(struct arena *arena, struct sql_typed type, struct slice bytes,
                           struct sql_datum *out, struct sql_error *error) MUST_CHECK;

/* Makes a value of the right type obey a modifier: varchar(n) cuts when explicit, else only blanks
 * may go (22001); numeric(p,s) rounds or 22003 "numeric field overflow". */
enum status sql_datum_apply_typmod(struct arena *arena, int32_t typmod, bool explicit_cast,
                                   struct sql_datum *datum, struct sql_error *error) MUST_CHECK;

/* The shortest digits that read back as the same double, in PostgreSQL's form: "0.1", "1e+20",
 * "Infinity", "NaN". */
void sql_float8_print(double value, struct buf *out);
/* Whole UTF-8 as RFC 3629 has it, no NUL byte. */
bool sql_text_valid(struct slice text);

#endif
