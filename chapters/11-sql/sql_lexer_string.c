/* sql_lexer_string.c - the string constants: '...', E'...' and $tag$...$tag$.
 *
 * They differ in what a backslash means and in how they end; all yield the unescaped bytes, which
 * are valid UTF-8 without NUL, whatever the escapes say. */
#include <assert.h>

#include "sql_datum.h"
#include "sql_lexer.h"

/* An E'' string that is being unescaped. */
struct unescape {
    struct sql_lexer *lexer;
    uint8_t *out;
    size_t len;
    size_t capacity;
    uint32_t surrogate; /* the first half of a pair that awaits the second, or 0 */
};

static int byte_at(const struct sql_lexer *lexer, size_t at) {
    return at < lexer->text.len ? lexer->text.data[at] : -1;
}

static int hex_value(int c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* Length of the UTF-8 sequence that a first byte announces; 1 for a byte that cannot be one. */
static size_t utf8_announced(uint8_t first) {
    if ((first & 0xe0) == 0xc0) return 2;
    if ((first & 0xf0) == 0xe0) return 3;
    if ((first & 0xf8) == 0xf0) return 4;
    return 1;
}

/* Length of the valid character at `data`, 0 if there is none (RFC 3629; no NUL). */
static size_t utf8_length(const uint8_t *data, size_t len) {
    size_t announced = utf8_announced(data[0]);
    return announced <= len && sql_text_valid(slice_of(data, announced)) ? announced : 0;
}

enum status sql_text_check(struct slice text, struct sql_error *error) {
    size_t at = 0;
    while (at < text.len) {
        uint8_t c = text.data[at];
        size_t len = c > 0 && c < 0x80 ? 1 : utf8_length(text.data + at, text.len - at);
        if (len == 0) {
            char bytes[4 * 5 + 1] = "";
            size_t shown = utf8_announced(c);
            for (size_t i = 0; i < shown && at + i < text.len; i++) {
                static const char digits[] = "0123456789abcdef";
                uint8_t byte = text.data[at + i];
                memcpy(bytes + 5 * i, " 0x", 3);
                bytes[5 * i + 3] = digits[byte >> 4];
                bytes[5 * i + 4] = digits[byte & 15];
            }
            return sql_error_set(error, SQLSTATE_CHARACTER_NOT_IN_REPERTOIRE,
                                 "invalid byte sequence for encoding \"UTF8\":%s", bytes);
        }
        at += len;
    }
    return STATUS_OK;
}

/* Past white space that holds a line's end, to another quote: the two strings are one (SQL-92
 * 5.3). */
static enum status continues(struct sql_lexer *lexer, bool *out, struct sql_error *error) {
    struct sql_lexer ahead = *lexer;
    size_t begin = ahead.at;
    TRY(sql_lexer_skip_space(&ahead, error));
    bool new_line = false;
    for (size_t i = begin; i < ahead.at; i++) {
        if (lexer->text.data[i] == '\n' || lexer->text.data[i] == '\r') new_line = true;
    }
    *out = new_line && byte_at(&ahead, ahead.at) == '\'';
    if (*out) lexer->at = ahead.at;
    return STATUS_OK;
}

static void put_utf8(struct unescape *unescape, uint32_t code) {
    uint8_t *out = unescape->out + unescape->len;
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        unescape->len += 1;
    } else if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        unescape->len += 2;
    } else if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        unescape->len += 3;
    } else {
        out[0] = (uint8_t)(0xf0 | code >> 18);
        out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[3] = (uint8_t)(0x80 | (code & 0x3f));
        unescape->len += 4;
    }
}

/* \uXXXX and \UXXXXXXXX; at the backslash. Two halves of a surrogate pair make one character. */
static enum status unescape_unicode(struct unescape *unescape, struct sql_error *error) {
    static const char bad_pair[] = "invalid Unicode surrogate pair";
    struct sql_lexer *lexer = unescape->lexer;
    size_t begin = lexer->at;
    size_t digits = byte_at(lexer, begin + 1) == 'u' ? 4 : 8;
    uint32_t code = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = hex_value(byte_at(lexer, begin + 2 + i));
        if (digit < 0) {
            (void)sql_error_set_at(error, sql_lexer_position(lexer, begin),
                                   SQLSTATE_INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape");
            sql_error_hint(error, "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.");
            return STATUS_INVALID;
        }
        code = code << 4 | (uint32_t)digit;
    }
    lexer->at = begin + 2 + digits;
    bool first = code >= 0xd800 && code < 0xdc00;
    bool second = code >= 0xdc00 && code < 0xe000;
    if ((unescape->surrogate != 0) != second) {
        return sql_lexer_error(lexer, begin, lexer->at, bad_pair, error);
    }
    if (first) {
        unescape->surrogate = code;
        return STATUS_OK;
    }
    if (second) code = 0x10000 + ((unescape->surrogate & 0x3ff) << 10) + (code & 0x3ff);
    unescape->surrogate = 0;
    if (code == 0 || code > 0x10ffff) {
        return sql_lexer_error(lexer, begin, lexer->at, "invalid Unicode escape value", error);
    }
    put_utf8(unescape, code);
    return STATUS_OK;
}

/* \ooo and \xhh: a byte, of which the whole string must make UTF-8. At the first digit. */
static void unescape_byte(struct unescape *unescape, int base_bits, int max_digits) {
    struct sql_lexer *lexer = unescape->lexer;
    int byte = 0;
    for (int i = 0; i < max_digits; i++) {
        int digit = hex_value(byte_at(lexer, lexer->at));
        if (digit < 0 || digit >= 1 << base_bits) break;
        byte = byte << base_bits | digit;
        lexer->at++;
    }
    unescape->out[unescape->len++] = (uint8_t)byte;
}

/* At the backslash, which is not the last byte. */
static enum status unescape_one(struct unescape *unescape, struct sql_error *error) {
    struct sql_lexer *lexer = unescape->lexer;
    int c = byte_at(lexer, lexer->at + 1);
    if (c == 'u' || c == 'U') return unescape_unicode(unescape, error);
    if (c >= '0' && c <= '7') {
        lexer->at++;
        unescape_byte(unescape, 3, 3);
        return STATUS_OK;
    }
    if (c == 'x' && hex_value(byte_at(lexer, lexer->at + 2)) >= 0) {
        lexer->at += 2;
        unescape_byte(unescape, 4, 2);
        return STATUS_OK;
    }
    static const char names[] = "bfnrtv";
    static const char values[] = "\b\f\n\r\t\v";
    const char *named = strchr(names, c);
    unescape->out[unescape->len++] = (uint8_t)(named != NULL ? values[named - names] : c);
    lexer->at += 2;
    return STATUS_OK;
}

/* For one more character. */
static void make_room(struct unescape *unescape) {
    if (unescape->capacity - unescape->len >= 4) return;
    unescape->capacity = unescape->capacity * 2 + 64;
    uint8_t *larger = arena_alloc(unescape->lexer->arena, unescape->capacity);
    if (unescape->len > 0) memcpy(larger, unescape->out, unescape->len);
    unescape->out = larger;
}

/* One character of the string, or one escape, or the end of a part. */
static enum status string_step(struct unescape *unescape, bool escapes, bool *done,
                               struct sql_error *error) {
    struct sql_lexer *lexer = unescape->lexer;
    int c = byte_at(lexer, lexer->at);
    int next = byte_at(lexer, lexer->at + 1);
    bool escape = escapes && c == '\\' && next >= 0;
    make_room(unescape);
    if (unescape->surrogate != 0 && !(escape && (next == 'u' || next == 'U'))) {
        return sql_lexer_error(lexer, lexer->at, lexer->at + 1, "invalid Unicode surrogate pair",
                               error);
    }
    if (escape) return unescape_one(unescape, error);
    if (c == '\'' && next != '\'') {
        lexer->at++;
        bool more = false;
        TRY(continues(lexer, &more, error));
        *done = !more;
        if (more) lexer->at++;
        return STATUS_OK;
    }
    unescape->out[unescape->len++] = (uint8_t)c;
    lexer->at += c == '\'' ? 2 : 1;
    return STATUS_OK;
}

enum status sql_lexer_string(struct sql_lexer *lexer, size_t begin, bool escapes,
                             struct sql_token *token, struct sql_error *error) {
    assert(byte_at(lexer, lexer->at) == '\'');
    size_t scan = ++lexer->at;
    while (byte_at(lexer, scan) >= 0 && byte_at(lexer, scan) != '\'')
        scan++;
    if (byte_at(lexer, scan) < 0) {
        return sql_lexer_error(lexer, begin, scan, "unterminated quoted string", error);
    }
    /* Most strings hold neither a quote nor an escape: borrow those from the text. */
    bool done = false;
    struct unescape unescape = {.lexer = lexer};
    if (!escapes && byte_at(lexer, scan + 1) != '\'') {
        size_t first = lexer->at;
        lexer->at = scan + 1;
        bool more = false;
        TRY(continues(lexer, &more, error));
        if (!more) {
            token->kind = TOKEN_STRING;
            token->value = slice_of(lexer->text.data + first, scan - first);
            return STATUS_OK;
        }
        lexer->at = first;
    }
    while (!done) {
        if (byte_at(lexer, lexer->at) < 0) {
            return sql_lexer_error(lexer, begin, lexer->text.len, "unterminated quoted string",
                                   error);
        }
        TRY(string_step(&unescape, escapes, &done, error));
    }
    token->kind = TOKEN_STRING;
    token->value = slice_of(unescape.out, unescape.len);
    return escapes ? sql_text_check(token->value, error) : STATUS_OK;
}

enum status sql_lexer_dollar_string(struct sql_lexer *lexer, bool *matched, struct sql_token *token,
                                    struct sql_error *error) {
    size_t begin = lexer->at;
    size_t open = begin + 1; /* the byte behind the opening tag's second dollar, in the end */
    for (int c = byte_at(lexer, open); c != '$'; c = byte_at(lexer, ++open)) {
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
        bool digit = c >= '0' && c <= '9' && open > begin + 1;
        if (!letter && !digit) {
            *matched = false;
            return STATUS_OK;
        }
    }
    *matched = true;
    open++;
    size_t tag_len = open - begin;
    for (size_t at = open; at + tag_len <= lexer->text.len; at++) {
        if (lexer->text.data[at] == '$' &&
            memcmp(lexer->text.data + at, lexer->text.data + begin, tag_len) == 0) {
            token->kind = TOKEN_STRING;
            token->value = slice_of(lexer->text.data + open, at - open);
            lexer->at = at + tag_len;
            return STATUS_OK;
        }
    }
    return sql_lexer_error(lexer, begin, lexer->text.len, "unterminated dollar-quoted string",
                           error);
}
