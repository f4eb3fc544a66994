/* sql_functions_text.c - text: operators and functions.
 *
 * Text is valid UTF-8; positions and lengths count characters. Upper and lower case are those of
 * ASCII, as in PostgreSQL with the collation "C". Pattern matching is in
 * sql_functions_pattern.c. */
#include <stdio.h>

#include "sql_registry.h"

#define FUNCTION(name)                                                                             \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error)

#define UNUSED_CONTEXT                                                                             \
    do {                                                                                           \
        (void)context;                                                                             \
        (void)arg_count;                                                                           \
        (void)error;                                                                               \
    } while (0)

/* ---- lengths and case ----------------------------------------------------------------------- */

FUNCTION(length) {
    UNUSED_CONTEXT;
    out->integer = (int64_t)sql_utf8_length(args[0].text);
    return STATUS_OK;
}

FUNCTION(octet_length) {
    UNUSED_CONTEXT;
    out->integer = (int64_t)args[0].text.len;
    return STATUS_OK;
}

FUNCTION(bit_length) {
    UNUSED_CONTEXT;
    out->integer = (int64_t)args[0].text.len * 8;
    return STATUS_OK;
}

static bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
static bool is_lower(uint8_t c) { return c >= 'a' && c <= 'z'; }
static bool is_word(uint8_t c) { return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9'); }

FUNCTION(upper) {
    (void)arg_count;
    TRY(sql_text_result(context, args[0].text, out, error));
    uint8_t *text = (uint8_t *)(uintptr_t)out->text.data;
    for (size_t i = 0; i < out->text.len; i++)
        text[i] = (uint8_t)(text[i] - (is_lower(text[i]) ? 32 : 0));
    return STATUS_OK;
}

FUNCTION(lower) {
    (void)arg_count;
    TRY(sql_text_result(context, args[0].text, out, error));
    uint8_t *text = (uint8_t *)(uintptr_t)out->text.data;
    for (size_t i = 0; i < out->text.len; i++)
        text[i] = (uint8_t)(text[i] + (is_upper(text[i]) ? 32 : 0));
    return STATUS_OK;
}

FUNCTION(initcap) {
    TRY(lower(context, args, arg_count, out, error));
    uint8_t *text = (uint8_t *)(uintptr_t)out->text.data;
    bool inside = false;
    for (size_t i = 0; i < out->text.len; i++) {
        if (!inside && is_lower(text[i])) text[i] = (uint8_t)(text[i] - 32);
        inside = is_word(text[i]);
    }
    return STATUS_OK;
}

/* ---- joining -------------------------------------------------------------------------------- */

static enum status join(struct sql_eval_context *context, struct slice a, struct slice b,
                        struct sql_datum *out, struct sql_error *error) {
    uint8_t *room;
    TRY(sql_text_room(context, (uint64_t)a.len + b.len, &room, error));
    if (a.len > 0) memcpy(room, a.data, a.len);
    if (b.len > 0) memcpy(room + a.len, b.data, b.len);
    out->text = slice_of(room, a.len + b.len);
    return STATUS_OK;
}

FUNCTION(concatenate) {
    (void)arg_count;
    return join(context, args[0].text, args[1].text, out, error);
}

/* || with a value of another type: it is cast to text, so that a boolean reads "true". */
FUNCTION(concatenate_any) {
    (void)arg_count;
    struct sql_datum sides[2];
    for (int i = 0; i < 2; i++) {
        TRY(sql_cast_datum(context, &args[i], SQL_TYPED(SQL_TEXT), SQL_CAST_EXPLICIT, &sides[i],
                           error));
    }
    return join(context, sides[0].text, sides[1].text, out, error);
}

/* concat and concat_ws print values as clients see them ("t"), and skip NULLs. */
static enum status concatenate_values(struct sql_eval_context *context,
                                      const struct sql_datum *args, uint32_t arg_count,
                                      struct slice separator, struct sql_datum *out,
                                      struct sql_error *error) {
    struct buf text = BUF_INIT;
    bool first = true;
    for (uint32_t i = 0; i < arg_count; i++) {
        if (args[i].is_null) continue;
        if (!first) buf_append_slice(&text, separator);
        sql_datum_print(&args[i], &text);
        first = false;
    }
    enum status status = sql_text_result(context, buf_slice(&text), out, error);
    buf_deinit(&text);
    return status;
}

FUNCTION(concat) { return concatenate_values(context, args, arg_count, SLICE_EMPTY, out, error); }

FUNCTION(concat_ws) {
    out->is_null = args[0].is_null;
    if (out->is_null) return STATUS_OK;
    return concatenate_values(context, args + 1, arg_count - 1, args[0].text, out, error);
}

FUNCTION(repeat) {
    (void)arg_count;
    uint64_t times = args[1].integer > 0 ? (uint64_t)args[1].integer : 0;
    struct slice piece = args[0].text;
    uint8_t *room;
    TRY(sql_text_room(context, times * piece.len, &room, error)); /* below 2^31 * 2^30 */
    out->text = slice_of(room, piece.len * times);
    for (uint64_t i = 0; i < times && piece.len > 0; i++) {
        memcpy(room + i * piece.len, piece.data, piece.len);
    }
    return STATUS_OK;
}

/* ---- parts ---------------------------------------------------------------------------------- */

/* Characters first .. end-1, counted from 1; borrows. */
static struct slice characters(struct slice text, int64_t first, int64_t end) {
    if (first < 1) first = 1;
    if (end <= first) return SLICE_EMPTY;
    struct slice rest = slice_from(text, sql_utf8_offset(text, (size_t)(first - 1)));
    rest.len = sql_utf8_offset(rest, (size_t)(end - first));
    return rest;
}

FUNCTION(substring_from) {
    UNUSED_CONTEXT;
    out->text = characters(args[0].text, args[1].integer, INT32_MAX + INT64_C(1));
    return STATUS_OK;
}

FUNCTION(substring_for) {
    UNUSED_CONTEXT;
    if (args[2].integer < 0) {
        return sql_error_set(error, SQLSTATE_SUBSTRING_ERROR,
                             "negative substring length not allowed");
    }
    out->text = characters(args[0].text, args[1].integer, args[1].integer + args[2].integer);
    return STATUS_OK;
}

FUNCTION(left) {
    UNUSED_CONTEXT;
    int64_t count = args[1].integer;
    if (count < 0) count += (int64_t)sql_utf8_length(args[0].text);
    out->text = characters(args[0].text, 1, count + 1);
    return STATUS_OK;
}

FUNCTION(right) {
    UNUSED_CONTEXT;
    int64_t length_chars = (int64_t)sql_utf8_length(args[0].text);
    int64_t skip = args[1].integer < 0 ? -args[1].integer : length_chars - args[1].integer;
    out->text = characters(args[0].text, skip + 1, length_chars + 1);
    return STATUS_OK;
}

/* ---- trimming ------------------------------------------------------------------------------- */

static size_t last_character(struct slice text) {
    size_t len = 1;
    while (len < text.len && (text.data[text.len - len] & 0xC0) == 0x80)
        len++;
    return len;
}

static bool contains_character(struct slice set, struct slice character) {
    while (set.len > 0) {
        size_t len = sql_utf8_offset(set, 1);
        if (slice_equal(slice_of(set.data, len), character)) return true;
        set = slice_from(set, len);
    }
    return false;
}

static struct slice trim(struct slice text, struct slice set, bool front, bool back) {
    while (front && text.len > 0) {
        size_t len = sql_utf8_offset(text, 1);
        if (!contains_character(set, slice_of(text.data, len))) break;
        text = slice_from(text, len);
    }
    while (back && text.len > 0) {
        size_t len = last_character(text);
        if (!contains_character(set, slice_from(text, text.len - len))) break;
        text.len -= len;
    }
    return text;
}

#define TRIM(name, front, back)                                                                    \
    FUNCTION(name) {                                                                               \
        UNUSED_CONTEXT;                                                                            \
        struct slice set = arg_count == 2 ? args[1].text : SLICE_LITERAL(" ");                     \
        out->text = trim(args[0].text, set, front, back);                                          \
        return STATUS_OK;                                                                          \
    }

TRIM(ltrim, true, false)
TRIM(rtrim, false, true)
TRIM(btrim, true, true)

/* ---- padding -------------------------------------------------------------------------------- */

/* `count` characters of `fill`, repeated. */
static void append_fill(struct buf *out, struct slice fill, int64_t count) {
    struct slice rest = fill;
    while (count-- > 0) {
        size_t len = sql_utf8_offset(rest, 1);
        buf_append(out, rest.data, len);
        rest = len == rest.len ? fill : slice_from(rest, len);
    }
}

static enum status pad(struct sql_eval_context *context, const struct sql_datum *args,
                       uint32_t arg_count, bool left_side, struct sql_datum *out,
                       struct sql_error *error) {
    enum { CHARACTER_MAX_BYTES = 4 };
    struct slice fill = arg_count == 3 ? args[2].text : SLICE_LITERAL(" ");
    int64_t wanted = args[1].integer > 0 ? args[1].integer : 0;
    struct slice kept = characters(args[0].text, 1, wanted + 1);
    int64_t missing = fill.len == 0 ? 0 : wanted - (int64_t)sql_utf8_length(kept);
    uint8_t *room; /* refuses what is too large before it is built */
    TRY(sql_text_room(context, (uint64_t)missing * CHARACTER_MAX_BYTES + kept.len, &room, error));
    struct buf text = BUF_INIT;
    if (left_side) append_fill(&text, fill, missing);
    buf_append_slice(&text, kept);
    if (!left_side) append_fill(&text, fill, missing);
    memcpy(room, text.data != NULL ? text.data : room, text.len);
    out->text = slice_of(room, text.len);
    buf_deinit(&text);
    return STATUS_OK;
}

FUNCTION(lpad) { return pad(context, args, arg_count, true, out, error); }
FUNCTION(rpad) { return pad(context, args, arg_count, false, out, error); }

/* ---- finding and replacing ------------------------------------------------------------------ */

/* Byte offset of `needle` at or after `from`; SIZE_MAX if there is none. */
static size_t find(struct slice text, struct slice needle, size_t from) {
    if (from > text.len || needle.len > text.len - from) return SIZE_MAX;
    if (needle.len == 0) return from;
    const uint8_t *at = memmem(text.data + from, text.len - from, needle.data, needle.len);
    return at == NULL ? SIZE_MAX : (size_t)(at - text.data);
}

FUNCTION(strpos) {
    UNUSED_CONTEXT;
    size_t at = find(args[0].text, args[1].text, 0);
    out->integer =
        at == SIZE_MAX ? 0 : (int64_t)sql_utf8_length(slice_of(args[0].text.data, at)) + 1;
    return STATUS_OK;
}

FUNCTION(starts_with) {
    UNUSED_CONTEXT;
    out->boolean = slice_has_prefix(args[0].text, args[1].text);
    return STATUS_OK;
}

FUNCTION(replace) {
    (void)arg_count;
    struct slice text = args[0].text;
    struct slice from = args[1].text;
    size_t hits = 0;
    for (size_t at = 0; from.len > 0 && (at = find(text, from, at)) != SIZE_MAX; at += from.len) {
        hits++;
    }
    out->text = text;
    if (hits == 0) return STATUS_OK;
    uint8_t *room;
    uint64_t size = text.len - hits * from.len + (uint64_t)hits * args[2].text.len;
    TRY(sql_text_room(context, size, &room, error));
    out->text = slice_of(room, size);
    size_t done = 0;
    for (; hits > 0; hits--) {
        size_t at = find(text, from, done);
        memcpy(room, text.data + done, at - done);
        room += at - done;
        if (args[2].text.len > 0) memcpy(room, args[2].text.data, args[2].text.len);
        room += args[2].text.len;
        done = at + from.len;
    }
    if (done < text.len) memcpy(room, text.data + done, text.len - done);
    return STATUS_OK;
}

/* Position of a character within `set`, counted in characters; -1 if it is not there. */
static int64_t index_of_character(struct slice set, struct slice character) {
    for (int64_t i = 0; set.len > 0; i++) {
        size_t len = sql_utf8_offset(set, 1);
        if (slice_equal(slice_of(set.data, len), character)) return i;
        set = slice_from(set, len);
    }
    return -1;
}

FUNCTION(translate) {
    (void)arg_count;
    struct buf text = BUF_INIT;
    for (struct slice rest = args[0].text; rest.len > 0;) {
        size_t len = sql_utf8_offset(rest, 1);
        struct slice character = slice_of(rest.data, len);
        int64_t index = index_of_character(args[1].text, character);
        if (index >= 0) character = characters(args[2].text, index + 1, index + 2);
        buf_append_slice(&text, character);
        rest = slice_from(rest, len);
    }
    enum status status = sql_text_result(context, buf_slice(&text), out, error);
    buf_deinit(&text);
    return status;
}

FUNCTION(split_part) {
    UNUSED_CONTEXT;
    struct slice text = args[0].text;
    struct slice delimiter = args[1].text;
    int64_t wanted = args[2].integer;
    if (wanted == 0) {
        return sql_error_set(error, SQLSTATE_INVALID_PARAMETER_VALUE,
                             "field position must not be zero");
    }
    if (wanted < 0) { /* from the end */
        int64_t fields = 1;
        for (size_t at = 0; delimiter.len > 0 && (at = find(text, delimiter, at)) != SIZE_MAX;
             at += delimiter.len) {
            fields++;
        }
        wanted += fields + 1;
    }
    out->text = SLICE_EMPTY;
    for (int64_t field = 1; field <= wanted; field++) {
        size_t at = delimiter.len > 0 ? find(text, delimiter, 0) : SIZE_MAX;
        if (field == wanted) out->text = slice_of(text.data, at == SIZE_MAX ? text.len : at);
        if (at == SIZE_MAX) break;
        text = slice_from(text, at + delimiter.len);
    }
    return STATUS_OK;
}

/* ---- characters ----------------------------------------------------------------------------- */

FUNCTION(reverse) {
    (void)arg_count;
    uint8_t *room;
    struct slice text = args[0].text;
    TRY(sql_text_room(context, text.len, &room, error));
    out->text = slice_of(room, text.len);
    while (text.len > 0) {
        size_t len = last_character(text);
        memcpy(room, text.data + text.len - len, len);
        room += len;
        text.len -= len;
    }
    return STATUS_OK;
}

FUNCTION(ascii) {
    UNUSED_CONTEXT;
    struct slice text = args[0].text;
    out->integer = 0;
    if (text.len == 0) return STATUS_OK;
    size_t len = sql_utf8_offset(text, 1);
    static const uint8_t lead_mask[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    if (len >= sizeof lead_mask) len = sizeof lead_mask - 1; /* only in malformed text */
    out->integer = text.data[0] & lead_mask[len];
    for (size_t i = 1; i < len; i++)
        out->integer = out->integer << 6 | (text.data[i] & 0x3F);
    return STATUS_OK;
}

static size_t encode_utf8(uint32_t code, uint8_t *out) {
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (uint8_t)(lead[len] | code);
    return len;
}

FUNCTION(chr) {
    (void)arg_count;
    int64_t code = args[0].integer;
    if (code == 0) {
        return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "null character not permitted");
    }
    if (code < 0) {
        return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "character number must be positive");
    }
    if (code > 0x10FFFF) {
        return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "requested character too large for encoding: %u", (unsigned)code);
    }
    if (code >= 0xD800 && code <= 0xDFFF) {
        return sql_error_set(error, SQLSTATE_PROGRAM_LIMIT_EXCEEDED,
                             "requested character not valid for encoding: %u", (unsigned)code);
    }
    uint8_t bytes[4];
    size_t len = encode_utf8((uint32_t)code, bytes);
    return sql_text_result(context, slice_of(bytes, len), out, error);
}

FUNCTION(to_hex) {
    (void)arg_count;
    char text[20];
    uint64_t bits =
        args[0].type == SQL_INT8 ? (uint64_t)args[0].integer : (uint32_t)(int32_t)args[0].integer;
    (void)snprintf(text, sizeof text, "%llx", (unsigned long long)bits);
    return sql_text_result(context, slice_of_string(text), out, error);
}

/* ---- the table ------------------------------------------------------------------------------ */

#define T SQL_TEXT
#define I SQL_INT4
#define ROW(spelled, to, count, function, ...)                                                     \
    {                                                                                              \
        .name = (spelled), .result = (to), .arg_count = (count), .args = {__VA_ARGS__},            \
        .scalar = (function)                                                                       \
    }

static const struct sql_function functions[] = {
    ROW("||", T, 2, concatenate, T, T),
    ROW("||", T, 2, concatenate_any, T, SQL_ANYNONARRAY),
    ROW("||", T, 2, concatenate_any, SQL_ANYNONARRAY, T),
    ROW("^@", SQL_BOOL, 2, starts_with, T, T),
    ROW("length", I, 1, length, T),
    ROW("char_length", I, 1, length, T),
    ROW("character_length", I, 1, length, T),
    ROW("octet_length", I, 1, octet_length, T),
    ROW("bit_length", I, 1, bit_length, T),
    ROW("upper", T, 1, upper, T),
    ROW("lower", T, 1, lower, T),
    ROW("initcap", T, 1, initcap, T),
    ROW("substr", T, 2, substring_from, T, I),
    ROW("substr", T, 3, substring_for, T, I, I),
    ROW("substring", T, 2, substring_from, T, I),
    ROW("substring", T, 3, substring_for, T, I, I),
    ROW("left", T, 2, left, T, I),
    ROW("right", T, 2, right, T, I),
    ROW("ltrim", T, 1, ltrim, T),
    ROW("ltrim", T, 2, ltrim, T, T),
    ROW("rtrim", T, 1, rtrim, T),
    ROW("rtrim", T, 2, rtrim, T, T),
    ROW("btrim", T, 1, btrim, T),
    ROW("btrim", T, 2, btrim, T, T),
    ROW("lpad", T, 2, lpad, T, I),
    ROW("lpad", T, 3, lpad, T, I, T),
    ROW("rpad", T, 2, rpad, T, I),
    ROW("rpad", T, 3, rpad, T, I, T),
    ROW("strpos", I, 2, strpos, T, T),
    ROW("position", I, 2, strpos, T, T),
    ROW("starts_with", SQL_BOOL, 2, starts_with, T, T),
    ROW("replace", T, 3, replace, T, T, T),
    ROW("translate", T, 3, translate, T, T, T),
    ROW("split_part", T, 3, split_part, T, T, I),
    ROW("repeat", T, 2, repeat, T, I),
    ROW("reverse", T, 1, reverse, T),
    ROW("ascii", I, 1, ascii, T),
    ROW("chr", T, 1, chr, I),
    ROW("to_hex", T, 1, to_hex, I),
    ROW("to_hex", T, 1, to_hex, SQL_INT8),
    {.name = "concat",
     .result = T,
     .arg_count = 1,
     .args = {SQL_ANY},
     .variadic = true,
     .not_strict = true,
     .scalar = concat},
    {.name = "concat_ws",
     .result = T,
     .arg_count = 2,
     .args = {T, SQL_ANY},
     .variadic = true,
     .not_strict = true,
     .scalar = concat_ws},
};

const struct sql_function_table sql_functions_text = {functions, ARRAY_LEN(functions)};
