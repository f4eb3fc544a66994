/* sql_lexer.c - cuts a statement's text into tokens as PostgreSQL's scan.l does.
 *
 * Here: white space and comments, words, numbers, parameters, operators. Strings of all kinds are
 * in sql_lexer_string.c. Nothing here knows the grammar; the only state is where in the text we
 * are. */
#include "sql_lexer.h"

#include <assert.h>

#include "sql_ast.h"

struct keyword_info {
    const char *spelling;
    enum sql_keyword_class class;
    bool bare;
};

#define LABEL_BARE true
#define LABEL_AS false
static const struct keyword_info keywords[KW_COUNT] = {
#define KEYWORD_INFO(name, spelling, class, label)                                                 \
    [KW_##name] = {spelling, SQL_KEYWORD_##class, LABEL_##label},
    SQL_KEYWORD_LIST(KEYWORD_INFO)
#undef KEYWORD_INFO
};

enum sql_keyword sql_keyword_find(const char *name) {
    int low = KW_NO_KEYWORD + 1;
    int high = KW_COUNT - 1;
    while (low <= high) {
        int middle = (low + high) / 2;
        int order = strcmp(name, keywords[middle].spelling);
        if (order == 0) return (enum sql_keyword)middle;
        if (order < 0) {
            high = middle - 1;
        } else {
            low = middle + 1;
        }
    }
    return KW_NO_KEYWORD;
}

enum sql_keyword_class sql_keyword_class(enum sql_keyword keyword) {
    return keywords[keyword].class;
}

bool sql_keyword_is_bare_label(enum sql_keyword keyword) { return keywords[keyword].bare; }

const char *sql_keyword_spelling(enum sql_keyword keyword) { return keywords[keyword].spelling; }

static bool is_digit(int c) { return c >= '0' && c <= '9'; }
static bool is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
/* Every byte of a character beyond ASCII counts as a letter. */
static bool is_name_start(int c) { return is_letter(c) || c == '_' || c >= 0x80; }
static bool is_name_part(int c) { return is_name_start(c) || is_digit(c) || c == '$'; }
static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
static bool is_operator(int c) {
    return c > 0 && c < 0x80 && strchr("~!@#^&|`?+-*/%<>=", c) != NULL;
}

/* The byte at `at`, or -1 past the end. */
static int byte_at(const struct sql_lexer *lexer, size_t at) {
    return at < lexer->text.len ? lexer->text.data[at] : -1;
}

void sql_lexer_init(struct sql_lexer *lexer, struct arena *arena, struct slice text) {
    *lexer = (struct sql_lexer){.arena = arena, .text = text};
}

int sql_lexer_position(struct sql_lexer *lexer, size_t at) {
    while (lexer->counted < at) {
        if ((lexer->text.data[lexer->counted++] & 0xc0) != 0x80) lexer->characters++;
    }
    while (lexer->counted > at) {
        if ((lexer->text.data[--lexer->counted] & 0xc0) != 0x80) lexer->characters--;
    }
    return lexer->characters + 1;
}

enum status sql_lexer_error(struct sql_lexer *lexer, size_t begin, size_t end, const char *message,
                            struct sql_error *error) {
    int len = end - begin > SQL_MESSAGE_MAX ? SQL_MESSAGE_MAX : (int)(end - begin);
    return sql_error_set_at(error, sql_lexer_position(lexer, begin), SQLSTATE_SYNTAX_ERROR,
                            "%s at or near \"%.*s\"", message, len,
                            (const char *)lexer->text.data + begin);
}

/* At the opening of a comment that may hold others. */
static enum status skip_block_comment(struct sql_lexer *lexer, struct sql_error *error) {
    size_t begin = lexer->at;
    size_t nesting = 0;
    do {
        int c = byte_at(lexer, lexer->at);
        int next = byte_at(lexer, lexer->at + 1);
        if (c < 0) {
            return sql_lexer_error(lexer, begin, lexer->text.len, "unterminated /* comment", error);
        }
        if (c == '/' && next == '*') {
            nesting++;
            lexer->at += 2;
        } else if (c == '*' && next == '/') {
            nesting--;
            lexer->at += 2;
        } else {
            lexer->at++;
        }
    } while (nesting > 0);
    return STATUS_OK;
}

enum status sql_lexer_skip_space(struct sql_lexer *lexer, struct sql_error *error) {
    for (;;) {
        int c = byte_at(lexer, lexer->at);
        int next = byte_at(lexer, lexer->at + 1);
        if (is_space(c)) {
            lexer->at++;
        } else if (c == '-' && next == '-') {
            while (c >= 0 && c != '\n' && c != '\r')
                c = byte_at(lexer, ++lexer->at);
        } else if (c == '/' && next == '*') {
            TRY(skip_block_comment(lexer, error));
        } else {
            return STATUS_OK;
        }
    }
}

/* Identifiers are cut to SQL_NAME_MAX bytes, at a character's boundary. */
static size_t name_length(const uint8_t *bytes, size_t len) {
    if (len <= SQL_NAME_MAX) return len;
    len = SQL_NAME_MAX;
    while ((bytes[len] & 0xc0) == 0x80)
        len--;
    return len;
}

static enum status lex_word(struct sql_lexer *lexer, struct sql_token *token) {
    const uint8_t *word = lexer->text.data + lexer->at;
    size_t begin = lexer->at;
    while (is_name_part(byte_at(lexer, lexer->at)))
        lexer->at++;
    size_t len = name_length(word, lexer->at - begin);
    char folded[SQL_NAME_MAX + 1];
    for (size_t i = 0; i < len; i++) {
        folded[i] = (char)(word[i] >= 'A' && word[i] <= 'Z' ? word[i] - 'A' + 'a' : word[i]);
    }
    folded[len] = '\0';
    token->keyword = sql_keyword_find(folded);
    if (token->keyword != KW_NO_KEYWORD) {
        token->kind = TOKEN_KEYWORD;
        token->name = sql_keyword_spelling(token->keyword);
    } else {
        token->kind = TOKEN_IDENTIFIER;
        token->name = arena_strdup(lexer->arena, folded);
    }
    return STATUS_OK;
}

static enum status lex_quoted_name(struct sql_lexer *lexer, struct sql_token *token,
                                   struct sql_error *error) {
    size_t begin = lexer->at;
    size_t end = begin + 1;
    while (byte_at(lexer, end) >= 0 &&
           (byte_at(lexer, end) != '"' || byte_at(lexer, end + 1) == '"')) {
        end += byte_at(lexer, end) == '"' ? 2 : 1;
    }
    if (byte_at(lexer, end) < 0) {
        return sql_lexer_error(lexer, begin, end, "unterminated quoted identifier", error);
    }
    end++;
    uint8_t *raw = arena_alloc(lexer->arena, end - begin);
    size_t len = 0;
    for (size_t i = begin + 1; i < end - 1; i++) {
        raw[len++] = lexer->text.data[i];
        if (lexer->text.data[i] == '"') i++;
    }
    if (len == 0) {
        return sql_lexer_error(lexer, begin, end, "zero-length delimited identifier", error);
    }
    raw[name_length(raw, len)] = '\0';
    token->name = (const char *)raw;
    token->kind = TOKEN_IDENTIFIER;
    lexer->at = end;
    return STATUS_OK;
}

/* A letter right behind a number is an error: `123abc` was meant as something else. */
static enum status refuse_junk(struct sql_lexer *lexer, size_t begin, const char *message,
                               struct sql_error *error) {
    if (!is_name_start(byte_at(lexer, lexer->at))) return STATUS_OK;
    while (is_name_part(byte_at(lexer, lexer->at)))
        lexer->at++;
    return sql_lexer_error(lexer, begin, lexer->at, message, error);
}

static void skip_digits(struct sql_lexer *lexer) {
    while (is_digit(byte_at(lexer, lexer->at)))
        lexer->at++;
}

static enum status lex_number(struct sql_lexer *lexer, struct sql_token *token,
                              struct sql_error *error) {
    static const char junk[] = "trailing junk after numeric literal";
    size_t begin = lexer->at;
    bool integer = true;
    skip_digits(lexer);
    /* "1..2" is an integer and two dots. */
    if (byte_at(lexer, lexer->at) == '.' && byte_at(lexer, lexer->at + 1) != '.') {
        integer = false;
        lexer->at++;
        skip_digits(lexer);
    }
    if ((byte_at(lexer, lexer->at) | 0x20) == 'e') {
        int sign = byte_at(lexer, lexer->at + 1);
        size_t exponent = lexer->at + (sign == '+' || sign == '-' ? 2 : 1);
        if (is_digit(byte_at(lexer, exponent))) {
            integer = false;
            lexer->at = exponent;
            skip_digits(lexer);
        } else if (exponent > lexer->at + 1) {
            return sql_lexer_error(lexer, begin, exponent, junk, error);
        }
    }
    TRY(refuse_junk(lexer, begin, junk, error));
    token->kind = integer ? TOKEN_INTEGER : TOKEN_NUMERIC;
    token->value = slice_of(lexer->text.data + begin, lexer->at - begin);
    for (size_t i = begin; integer && i < lexer->at; i++) {
        if (__builtin_mul_overflow(token->integer, 10, &token->integer) ||
            __builtin_add_overflow(token->integer, lexer->text.data[i] - '0', &token->integer)) {
            token->kind = TOKEN_NUMERIC;
            break;
        }
    }
    return STATUS_OK;
}

static enum status lex_param(struct sql_lexer *lexer, struct sql_token *token,
                             struct sql_error *error) {
    size_t begin = lexer->at++;
    token->kind = TOKEN_PARAM;
    while (is_digit(byte_at(lexer, lexer->at))) {
        if (token->integer <= SQL_PARAM_MAX) {
            token->integer = token->integer * 10 + (byte_at(lexer, lexer->at) - '0');
        }
        lexer->at++;
    }
    return refuse_junk(lexer, begin, "trailing junk after parameter", error);
}

/* How much of a run of operator characters is one operator: a comment ends it, and one of several
 * characters ends in + or - only if it holds a character that no SQL operator has, so that `a=-1`
 * reads as it does on paper. */
static size_t operator_length(const uint8_t *text, size_t len) {
    bool unusual = false;
    for (size_t i = 0; i < len; i++) {
        if (i + 1 < len &&
            ((text[i] == '/' && text[i + 1] == '*') || (text[i] == '-' && text[i + 1] == '-'))) {
            len = i;
            break;
        }
        if (strchr("~!@#%^&|`?", text[i]) != NULL) unusual = true;
    }
    while (len > 1 && !unusual && (text[len - 1] == '+' || text[len - 1] == '-'))
        len--;
    return len;
}

static enum status lex_operator(struct sql_lexer *lexer, struct sql_token *token,
                                struct sql_error *error) {
    size_t begin = lexer->at;
    while (is_operator(byte_at(lexer, lexer->at)))
        lexer->at++;
    size_t len = operator_length(lexer->text.data + begin, lexer->at - begin);
    lexer->at = begin + len;
    if (len > SQL_NAME_MAX) {
        return sql_lexer_error(lexer, begin, lexer->at, "operator too long", error);
    }
    const char *name = arena_string(lexer->arena, slice_of(lexer->text.data + begin, len));
    token->kind = strcmp(name, "=>") == 0 ? TOKEN_OTHER : TOKEN_OPERATOR;
    token->name = strcmp(name, "!=") == 0 ? "<>" : name;
    return STATUS_OK;
}

static enum status lex_punctuation(struct sql_lexer *lexer, struct sql_token *token) {
    int c = byte_at(lexer, lexer->at++);
    int next = byte_at(lexer, lexer->at);
    token->kind = TOKEN_OTHER;
    if (c == ':' && next == ':') {
        token->kind = TOKEN_TYPECAST;
        lexer->at++;
    } else if ((c == ':' && next == '=') || (c == '.' && next == '.')) {
        lexer->at++;
    } else if (c < 0x80 && strchr("()[],;.:", c) != NULL) {
        token->kind = TOKEN_SELF;
        token->self = (char)c;
    }
    return STATUS_OK;
}

/* Letters that change the string right behind them: E'' here, others refused. */
static enum status lex_prefixed_string(struct sql_lexer *lexer, struct sql_token *token,
                                       bool *matched, struct sql_error *error) {
    int c = byte_at(lexer, lexer->at) | 0x20;
    int next = byte_at(lexer, lexer->at + 1);
    const char *what = NULL;
    *matched = true;
    if (c == 'e' && next == '\'') {
        size_t begin = lexer->at++;
        return sql_lexer_string(lexer, begin, true, token, error);
    }
    if ((c == 'b' || c == 'x') && next == '\'') what = "bit string constants";
    if (c == 'n' && next == '\'') what = "national character constants";
    if (c == 'u' && next == '&') {
        int quote = byte_at(lexer, lexer->at + 2);
        if (quote == '\'' || quote == '"') what = "Unicode escape constants (U&)";
    }
    *matched = what != NULL;
    if (what == NULL) return STATUS_OK;
    return sql_error_set_at(error, token->position, SQLSTATE_FEATURE_NOT_SUPPORTED,
                            "%s are not supported", what);
}

static enum status lex_token(struct sql_lexer *lexer, struct sql_token *token,
                             struct sql_error *error) {
    int c = byte_at(lexer, lexer->at);
    int next = byte_at(lexer, lexer->at + 1);
    bool matched = false;
    if (is_name_start(c)) {
        TRY(lex_prefixed_string(lexer, token, &matched, error));
        return matched ? STATUS_OK : lex_word(lexer, token);
    }
    if (c == '"') return lex_quoted_name(lexer, token, error);
    if (c == '\'') return sql_lexer_string(lexer, lexer->at, false, token, error);
    if (is_digit(c) || (c == '.' && is_digit(next))) return lex_number(lexer, token, error);
    if (c == '$' && is_digit(next)) return lex_param(lexer, token, error);
    if (c == '$') {
        TRY(sql_lexer_dollar_string(lexer, &matched, token, error));
        if (matched) return STATUS_OK;
    }
    if (is_operator(c)) return lex_operator(lexer, token, error);
    return lex_punctuation(lexer, token);
}

enum status sql_lexer_next(struct sql_lexer *lexer, struct sql_token *token,
                           struct sql_error *error) {
    TRY(sql_lexer_skip_space(lexer, error));
    size_t begin = lexer->at;
    *token = (struct sql_token){.kind = TOKEN_END, .position = sql_lexer_position(lexer, begin)};
    token->source = slice_of(lexer->text.data + begin, 0);
    if (begin == lexer->text.len) return STATUS_OK;
    TRY(lex_token(lexer, token, error));
    assert(lexer->at > begin);
    token->source.len = lexer->at - begin;
    return STATUS_OK;
}
