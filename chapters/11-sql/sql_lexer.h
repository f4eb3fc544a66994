/* sql_lexer.h - a statement's text cut into tokens, by PostgreSQL's lexical rules (its chapter
 * 4.1).
 *
 * Pure: reads the text, allocates names and unescaped strings in the arena, keeps no other state
 * than struct sql_lexer. The text must be valid UTF-8 without NUL bytes: sql_text_check first. */
#ifndef CAIRN_SQL_LEXER_H
#define CAIRN_SQL_LEXER_H

#include "arena.h"
#include "slice.h"
#include "sql_error.h"
#include "sql_keywords.h"

enum sql_token_kind {
    TOKEN_END,        /* of the text */
    TOKEN_IDENTIFIER, /* name */
    TOKEN_KEYWORD,    /* keyword; name: its spelling */
    TOKEN_INTEGER,    /* integer: an integer that fits int8 */
    TOKEN_NUMERIC,    /* any other number: its text */
    TOKEN_STRING,     /* value: unescaped */
    TOKEN_PARAM,      /* integer: n of $n */
    TOKEN_OPERATOR,   /* name: "+", "<=", "||"...; `!=` comes as "<>" */
    TOKEN_SELF,       /* one of ( ) [ ] , ; . : in `self` */
    TOKEN_TYPECAST,   /* :: */
    TOKEN_OTHER       /* a character or sequence (".." ":=" "=>") that no statement of ours has */
};

struct sql_token {
    enum sql_token_kind kind;
    enum sql_keyword keyword; /* KW_NO_KEYWORD unless TOKEN_KEYWORD */
    char self;                /* 0 unless TOKEN_SELF */
    int position;             /* 1-based character */
    struct slice source;      /* as written */
    const char *name;
    struct slice value;
    int64_t integer;
};

struct sql_lexer {
    struct arena *arena;
    struct slice text;
    size_t at;      /* next byte */
    size_t counted; /* bytes of which the characters are counted... */
    int characters; /* ...this many */
};

/* 22021 with PostgreSQL's message if the text is not UTF-8 or holds a NUL byte. */
enum status sql_text_check(struct slice text, struct sql_error *error) MUST_CHECK;

/* The text and the arena outlive the lexer. */
void sql_lexer_init(struct sql_lexer *lexer, struct arena *arena, struct slice text);
/* The next token; after the last one TOKEN_END for ever. 42601 (unterminated string, junk after a
 * number...), 22025 (escapes) or 0A000 with the position; then the lexer is of no further use. */
enum status sql_lexer_next(struct sql_lexer *lexer, struct sql_token *token,
                           struct sql_error *error) MUST_CHECK;

/* For sql_lexer.c and sql_lexer_string.c: "MESSAGE at or near "TEXT"", 42601, where TEXT is the
 * source from byte `begin` to `end`. */
enum status sql_lexer_error(struct sql_lexer *lexer, size_t begin, size_t end, const char *message,
                            struct sql_error *error);
/* The character at byte `at`, counted from 1. Only ever moves forward, except for a short way. */
int sql_lexer_position(struct sql_lexer *lexer, size_t at);
/* The string that starts at `lexer->at` (a quote): into token->value. `escapes`: E'...'. */
enum status sql_lexer_string(struct sql_lexer *lexer, size_t begin, bool escapes,
                             struct sql_token *token, struct sql_error *error) MUST_CHECK;
/* $tag$...$tag$; sets *matched false and consumes nothing if it is no dollar quote. */
enum status sql_lexer_dollar_string(struct sql_lexer *lexer, bool *matched, struct sql_token *token,
                                    struct sql_error *error) MUST_CHECK;
/* Past white space and comments. Fails on a comment that does not end. */
enum status sql_lexer_skip_space(struct sql_lexer *lexer, struct sql_error *error) MUST_CHECK;

/* KW_NO_KEYWORD if `name` (lower case) is not a keyword. */
enum sql_keyword sql_keyword_find(const char *name);
enum sql_keyword_class sql_keyword_class(enum sql_keyword keyword);
/* May label a column without AS. */
bool sql_keyword_is_bare_label(enum sql_keyword keyword);
/* Lower case. */
const char *sql_keyword_spelling(enum sql_keyword keyword);

#endif
