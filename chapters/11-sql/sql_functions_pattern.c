/* sql_functions_pattern.c - LIKE and ILIKE.
 *
 * `%` matches any number of characters, `_` one, a backslash takes the next character as it is.
 * The matcher remembers the last `%` only and goes back there on a mismatch, which suffices because
 * what comes before has matched already: no exponential patterns. */
#include "sql_registry.h"

static uint8_t fold(uint8_t c, bool ignore_case) {
    return ignore_case && c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

struct matcher {
    struct slice text, pattern;
    size_t t, p;   /* where we are */
    size_t back_t; /* where the last % began to swallow, and has got to */
    size_t back_p; /* behind that %; SIZE_MAX: there was none */
    bool ignore_case;
};

enum step { STEP_ON, STEP_MISMATCH, STEP_BAD_ESCAPE };

static size_t character_end(struct slice text, size_t at) {
    do
        at++;
    while (at < text.len && (text.data[at] & 0xC0) == 0x80);
    return at;
}

/* Matches one element of the pattern against the text; both have something left. */
static enum step match_one(struct matcher *m) {
    uint8_t c = m->pattern.data[m->p];
    if (c == '_') {
        m->p++;
        m->t = character_end(m->text, m->t);
        return STEP_ON;
    }
    if (c == '\\') {
        if (++m->p == m->pattern.len) return STEP_BAD_ESCAPE;
        c = m->pattern.data[m->p];
    }
    if (fold(c, m->ignore_case) != fold(m->text.data[m->t], m->ignore_case)) return STEP_MISMATCH;
    m->p++;
    m->t++;
    return STEP_ON;
}

static enum status match(struct matcher *m, bool *out, struct sql_error *error) {
    *out = false;
    m->back_p = SIZE_MAX;
    while (m->t < m->text.len) {
        enum step step = STEP_MISMATCH;
        if (m->p < m->pattern.len && m->pattern.data[m->p] == '%') {
            m->back_p = ++m->p;
            m->back_t = m->t;
            continue;
        }
        if (m->p < m->pattern.len) step = match_one(m);
        if (step == STEP_BAD_ESCAPE) {
            return sql_error_set(error, SQLSTATE_INVALID_ESCAPE_SEQUENCE,
                                 "LIKE pattern must not end with escape character");
        }
        if (step == STEP_ON) continue;
        if (m->back_p == SIZE_MAX) return STATUS_OK;
        m->p = m->back_p;
        m->t = m->back_t = character_end(m->text, m->back_t);
    }
    while (m->p < m->pattern.len && m->pattern.data[m->p] == '%')
        m->p++;
    *out = m->p == m->pattern.len;
    return STATUS_OK;
}

#define PATTERN(name, fold_case, negate)                                                           \
    static enum status name(struct sql_eval_context *context, const struct sql_datum *args,        \
                            uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {  \
        (void)context;                                                                             \
        (void)arg_count;                                                                           \
        struct matcher matcher = {                                                                 \
            .text = args[0].text, .pattern = args[1].text, .ignore_case = (fold_case)};            \
        TRY(match(&matcher, &out->boolean, error));                                                \
        out->boolean = out->boolean != (negate);                                                   \
        return STATUS_OK;                                                                          \
    }

PATTERN(like, false, false)
PATTERN(not_like, false, true)
PATTERN(ilike, true, false)
PATTERN(not_ilike, true, true)

/* LIKE ... ESCAPE: rewrites the pattern to use the backslash. */
static enum status like_escape(struct sql_eval_context *context, const struct sql_datum *args,
                               uint32_t arg_count, struct sql_datum *out, struct sql_error *error) {
    (void)arg_count;
    struct slice pattern = args[0].text;
    struct slice escape = args[1].text;
    if (sql_utf8_length(escape) > 1) {
        (void)sql_error_set(error, SQLSTATE_INVALID_ESCAPE_SEQUENCE, "invalid escape string");
        sql_error_hint(error, "Escape string must be empty or one character.");
        return STATUS_INVALID;
    }
    struct buf text = BUF_INIT;
    bool escaped = false;
    while (pattern.len > 0) {
        struct slice character = slice_of(pattern.data, sql_utf8_offset(pattern, 1));
        pattern = slice_from(pattern, character.len);
        if (!escaped && escape.len > 0 && slice_equal(character, escape)) {
            buf_append_byte(&text, '\\');
            escaped = true;
            continue;
        }
        if (!escaped && character.data[0] == '\\') buf_append_byte(&text, '\\');
        buf_append_slice(&text, character);
        escaped = false;
    }
    enum status status = sql_text_result(context, buf_slice(&text), out, error);
    buf_deinit(&text);
    return status;
}

#define ROW(spelled, to, function)                                                                 \
    {                                                                                              \
        .name = (spelled), .result = (to), .arg_count = 2, .args = {SQL_TEXT, SQL_TEXT},           \
        .scalar = (function)                                                                       \
    }

static const struct sql_function functions[] = {
    ROW("~~", SQL_BOOL, like),
    ROW("!~~", SQL_BOOL, not_like),
    ROW("~~*", SQL_BOOL, ilike),
    ROW("!~~*", SQL_BOOL, not_ilike),
    ROW("like", SQL_BOOL, like),
    ROW("notlike", SQL_BOOL, not_like),
    ROW("like_escape", SQL_TEXT, like_escape),
};

const struct sql_function_table sql_functions_pattern = {functions, ARRAY_LEN(functions)};
