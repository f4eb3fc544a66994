/* sql_format.c - values as clients see them: PostgreSQL's text and binary formats, both ways.
 *
 * Input comes from outside: every byte is checked, and errors carry PostgreSQL's words. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "sql_datum.h"

/* ---- text out ------------------------------------------------------------------------------- */

static void print_integer(int64_t value, struct buf *out) {
    char text[24];
    char *at = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) *--at = '-';
    buf_append(out, at, (size_t)(text + sizeof text - at));
}

/* Does the text lie exactly between two doubles? Then it reads back only thanks to ties going to
 * even, which PostgreSQL does not count on. (Seen where long double is wider than double.) */
static bool is_boundary(const char *text, double value) {
    long double exact = strtold(text, NULL);
    long double below = ((long double)value + (long double)nextafter(value, -INFINITY)) / 2;
    long double above = ((long double)value + (long double)nextafter(value, INFINITY)) / 2;
    return exact != (long double)value && (exact == below || exact == above);
}

/* "d.ddde-xx", with as few significant digits as read back as `value`. */
static void shortest(double value, char *out, size_t size) {
    /* Below the normal range fewer than 15 digits may be all that there are. */
    int first = fabs(value) < 2.3e-308 ? 1 : 15;
    for (int digits = first; digits <= 17; digits++) {
        (void)snprintf(out, size, "%.*e", digits - 1, value);
        if (strtod(out, NULL) == value && !is_boundary(out, value)) return;
    }
}

/* PostgreSQL shows plain digits for exponents -4 .. 14, scientific notation beyond. */
void sql_float8_print(double value, struct buf *out) {
    if (isnan(value)) {
        buf_append_string(out, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_append_string(out, value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    if (fabs(value) < 1e15 && value == floor(value) && (value != 0 || !signbit(value))) {
        print_integer((int64_t)value, out); /* the common case, and it costs a tenth */
        return;
    }
    char text[40];
    shortest(value, text, sizeof text);
    char digits[24];
    size_t count = 0;
    const char *at = text;
    if (*at == '-') {
        buf_append_byte(out, '-');
        at++;
    }
    for (; *at != 'e'; at++) {
        if (*at != '.') digits[count++] = *at;
    }
    long exponent = strtol(at + 1, NULL, 10);
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (exponent < -4 || exponent >= 15) {
        buf_append_byte(out, (uint8_t)digits[0]);
        if (count > 1) buf_append_byte(out, '.');
        buf_append(out, digits + 1, count - 1);
        buf_printf(out, "e%+03ld", exponent);
        return;
    }
    if (exponent < 0) buf_append_string(out, "0.");
    for (long i = exponent + 1; i < 0; i++)
        buf_append_byte(out, '0');
    for (long i = 0; i < (long)count || i <= exponent; i++) {
        if (i > 0 && i == exponent + 1) buf_append_byte(out, '.');
        buf_append_byte(out, (uint8_t)(i < (long)count ? digits[i] : '0'));
    }
}

void sql_datum_print(const struct sql_datum *datum, struct buf *out) {
    assert(!datum->is_null);
    switch (sql_type_storage(datum->type)) {
    case SQL_STORE_INT:
        print_integer(datum->integer, out);
        break;
    case SQL_STORE_FLOAT:
        sql_float8_print(datum->float8, out);
        break;
    case SQL_STORE_BOOL:
        buf_append_byte(out, datum->boolean ? 't' : 'f');
        break;
    case SQL_STORE_NUMERIC:
        numeric_print(&datum->numeric, out);
        break;
    case SQL_STORE_BYTES:
        buf_append_slice(out, datum->text);
        break;
    }
}

/* ---- text in -------------------------------------------------------------------------------- */

static enum status bad_syntax(enum sql_type type, struct slice text, struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_INVALID_TEXT_REPRESENTATION,
                         "invalid input syntax for type %s: \"%.*s\"",
                         sql_type_info(type)->format_name, (int)text.len, (const char *)text.data);
}

static enum status out_of_range(enum sql_type type, struct slice text, struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                         "value \"%.*s\" is out of range for type %s", (int)text.len,
                         (const char *)text.data, sql_type_info(type)->format_name);
}

static bool is_blank(uint8_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static struct slice trim(struct slice text) {
    while (text.len > 0 && is_blank(text.data[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

static enum status parse_integer(enum sql_type type, struct slice text, int64_t *out,
                                 struct sql_error *error) {
    struct slice rest = trim(text);
    bool negative = rest.len > 0 && rest.data[0] == '-';
    if (rest.len > 0 && (rest.data[0] == '-' || rest.data[0] == '+')) rest = slice_from(rest, 1);
    if (rest.len == 0) return bad_syntax(type, text, error);
    int64_t value = 0; /* at or below zero, because that side reaches one further */
    bool overflow = false;
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] < '0' || rest.data[i] > '9') return bad_syntax(type, text, error);
        overflow |= __builtin_mul_overflow(value, (int64_t)10, &value);
        overflow |= __builtin_sub_overflow(value, (int64_t)(rest.data[i] - '0'), &value);
    }
    if (!negative) overflow |= __builtin_sub_overflow((int64_t)0, value, &value);
    if (type == SQL_INT2) overflow |= value != (int16_t)value;
    if (type == SQL_INT4) overflow |= value != (int32_t)value;
    *out = value;
    return overflow ? out_of_range(type, text, error) : STATUS_OK;
}

static enum status parse_float(struct arena *arena, struct slice text, double *out,
                               struct sql_error *error) {
    struct slice body = trim(text);
    const char *string = arena_string(arena, body);
    char *end;
    errno = 0;
    *out = strtod(string, &end);
    if (body.len == 0 || end != string + body.len) return bad_syntax(SQL_FLOAT8, text, error);
    if (errno == ERANGE && (*out == 0 || isinf(*out))) {
        return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                             "\"%s\" is out of range for type double precision", string);
    }
    return STATUS_OK;
}

/* A beginning of `word`, at least `least` characters. */
static bool abbreviates(struct slice text, const char *word, size_t least) {
    if (text.len < least || text.len > strlen(word)) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c >= 'A' && c <= 'Z') c = (uint8_t)(c | 0x20);
        if (c != (uint8_t)word[i]) return false;
    }
    return true;
}

static enum status parse_bool(struct slice text, bool *out, struct sql_error *error) {
    struct slice word = trim(text);
    *out = abbreviates(word, "true", 1) || abbreviates(word, "yes", 1) ||
           abbreviates(word, "on", 2) || abbreviates(word, "1", 1);
    bool no = abbreviates(word, "false", 1) || abbreviates(word, "no", 1) ||
              abbreviates(word, "off", 2) || abbreviates(word, "0", 1);
    return *out || no ? STATUS_OK : bad_syntax(SQL_BOOL, text, error);
}

static enum status parse_numeric(struct arena *arena, struct slice text, struct numeric *out,
                                 struct sql_error *error) {
    switch (numeric_parse(arena, text, out)) {
    case STATUS_OK:
        return STATUS_OK;
    case STATUS_TOO_LARGE:
        return sql_error_set(error, SQLSTATE_NUMERIC_VALUE_OUT_OF_RANGE,
                             "value overflows numeric format");
    default:
        return bad_syntax(SQL_NUMERIC, text, error);
    }
}

/* Length of the character at the start of `text`, 0 if it is malformed (RFC 3629, section 4). */
static size_t character_length(struct slice text) {
    uint8_t lead = text.data[0];
    if (lead < 0x80) return lead != 0;
    size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.len < len) return 0;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text.data[1] < low || text.data[1] > high) return 0;
    for (size_t i = 2; i < len; i++) {
        if ((text.data[i] & 0xC0) != 0x80) return 0;
    }
    return len;
}

/* The part from the first malformed character on; empty if there is none. */
static struct slice find_malformed(struct slice text) {
    while (text.len > 0) {
        size_t len = character_length(text);
        if (len == 0) break;
        text = slice_from(text, len);
    }
    return text;
}

bool sql_text_valid(struct slice text) { return find_malformed(text).len == 0; }

static enum status check_text(struct slice text, struct sql_error *error) {
    struct slice bad = find_malformed(text);
    if (bad.len == 0) return STATUS_OK;
    size_t len = bad.data[0] >= 0xF0 ? 4 : bad.data[0] >= 0xE0 ? 3 : bad.data[0] >= 0xC0 ? 2 : 1;
    char hex[24] = "";
    for (size_t i = 0; i < len && i < bad.len; i++) {
        (void)snprintf(hex + 5 * i, sizeof hex - 5 * i, " 0x%02x", bad.data[i]);
    }
    return sql_error_set(error, SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE,
                         "invalid byte sequence for encoding \"UTF8\":%s", hex);
}

enum status sql_datum_parse(struct arena *arena, struct sql_typed type, struct slice text,
                            struct sql_datum *out, struct sql_error *error) {
    *out = (struct sql_datum){.type = type.type};
    TRY(check_text(text, error));
    switch (sql_type_storage(type.type)) {
    case SQL_STORE_INT:
        return parse_integer(type.type, text, &out->integer, error);
    case SQL_STORE_FLOAT:
        return parse_float(arena, text, &out->float8, error);
    case SQL_STORE_BOOL:
        return parse_bool(text, &out->boolean, error);
    case SQL_STORE_NUMERIC:
        TRY(parse_numeric(arena, text, &out->numeric, error));
        break;
    case SQL_STORE_BYTES:
        out->text = text;
        break;
    }
    return sql_datum_apply_typmod(arena, type.typmod, false, out, error);
}

/* ---- binary --------------------------------------------------------------------------------- */

void sql_datum_send(const struct sql_datum *datum, struct buf *out) {
    assert(!datum->is_null);
    uint64_t bits;
    switch (sql_type_storage(datum->type)) {
    case SQL_STORE_INT:
        if (datum->type == SQL_INT2)
            put_u16be(out, (uint16_t)datum->integer);
        else if (datum->type == SQL_INT4)
            put_u32be(out, (uint32_t)datum->integer);
        else
            put_u64be(out, (uint64_t)datum->integer);
        break;
    case SQL_STORE_FLOAT:
        memcpy(&bits, &datum->float8, sizeof bits);
        put_u64be(out, bits);
        break;
    case SQL_STORE_BOOL:
        put_u8(out, datum->boolean);
        break;
    case SQL_STORE_NUMERIC:
        numeric_send(&datum->numeric, out);
        break;
    case SQL_STORE_BYTES:
        buf_append_slice(out, datum->text);
        break;
    }
}

static enum status bad_binary(enum sql_type type, struct sql_error *error) {
    return sql_error_set(error, SQLSTATE_INVALID_BINARY_REPRESENTATION,
                         "incorrect binary data format for type %s",
                         sql_type_info(type)->format_name);
}

enum status sql_datum_recv(struct arena *arena, struct sql_typed type, struct slice bytes,
                           struct sql_datum *out, struct sql_error *error) {
    *out = (struct sql_datum){.type = type.type};
    struct reader reader = reader_of(bytes);
    uint64_t bits;
    switch (sql_type_storage(type.type)) {
    case SQL_STORE_INT:
        if (type.type == SQL_INT2)
            out->integer = (int16_t)get_u16be(&reader);
        else if (type.type == SQL_INT4)
            out->integer = (int32_t)get_u32be(&reader);
        else
            out->integer = (int64_t)get_u64be(&reader);
        break;
    case SQL_STORE_FLOAT:
        bits = get_u64be(&reader);
        memcpy(&out->float8, &bits, sizeof bits);
        break;
    case SQL_STORE_BOOL:
        out->boolean = get_u8(&reader) != 0;
        break;
    case SQL_STORE_NUMERIC:
        if (numeric_recv(arena, bytes, &out->numeric) != STATUS_OK) {
            return bad_binary(type.type, error);
        }
        return sql_datum_apply_typmod(arena, type.typmod, false, out, error);
    case SQL_STORE_BYTES:
        TRY(check_text(bytes, error));
        out->text = bytes;
        return sql_datum_apply_typmod(arena, type.typmod, false, out, error);
    }
    return reader_done(&reader) ? STATUS_OK : bad_binary(type.type, error);
}
