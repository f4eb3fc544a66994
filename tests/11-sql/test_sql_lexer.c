/* test_sql_lexer.c - PostgreSQL's lexical rules, token by token. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "sql_lexer.h"

/* The tokens of a text as one line: "KEYWORD:select INTEGER:1", or the error. */
static const char *lex(const char *text) {
    static char out[4096];
    static const char *const kinds[] = {"END",     "NAME",   "KEYWORD", "INTEGER",
                                        "NUMERIC", "STRING", "PARAM",   "OPERATOR",
                                        "SELF",    "CAST",   "OTHER"};
    struct arena arena;
    arena_init(&arena, 0);
    struct sql_lexer lexer;
    sql_lexer_init(&lexer, &arena, slice_of_string(text));
    struct sql_token token = {0};
    struct sql_error error = {0};
    size_t len = 0;
    out[0] = '\0';
    do {
        if (sql_lexer_next(&lexer, &token, &error) != STATUS_OK) {
            snprintf(out, sizeof(out), "%s@%d %s", error.sqlstate, error.position, error.message);
            break;
        }
        if (token.kind == TOKEN_END) break;
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%s:", len > 0 ? " " : "",
                                kinds[token.kind]);
        struct slice shown = token.source;
        if (token.name != NULL) shown = slice_of_string(token.name);
        if (token.kind == TOKEN_STRING) shown = token.value;
        len += (size_t)snprintf(out + len, sizeof(out) - len, "%.*s", (int)shown.len,
                                (const char *)shown.data);
    } while (true);
    arena_deinit(&arena);
    return out;
}

TEST("1", 0, words_fold_to_lower_case_unless_quoted) {
    assert_string_equal("KEYWORD:select NAME:foo NAME:Foo NAME:a\"b",
                        lex("SeLect FOO \"Foo\" \"a\"\"b\""));
    assert_string_equal("NAME:_a1$ NAME:\xc3\xa9t\xc3\xa9", lex("_A1$ \xc3\xa9t\xc3\xa9"));
}

TEST("1", 0, a_quoted_keyword_is_a_name) { assert_string_equal("NAME:select", lex("\"select\"")); }

TEST("1", 0, names_are_cut_to_63_bytes_at_a_characters_boundary) {
    char text[80];
    memset(text, 'a', 62);
    memcpy(text + 62, "\xc3\xa9xyz", 6);
    assert_int_equal(strlen("NAME:") + 62, strlen(lex(text)));
}

TEST("1", 0, numbers_are_integers_while_they_fit_eight_bytes) {
    assert_string_equal("INTEGER:0 INTEGER:9223372036854775807 NUMERIC:9223372036854775808",
                        lex("0 9223372036854775807 9223372036854775808"));
    assert_string_equal("NUMERIC:1. NUMERIC:.5 NUMERIC:1e3 NUMERIC:1.5E-7",
                        lex("1. .5 1e3 1.5E-7"));
}

TEST("1", 0, two_dots_do_not_belong_to_a_number) {
    assert_string_equal("INTEGER:1 OTHER:.. INTEGER:2", lex("1..2"));
}

TEST("1", 0, letters_right_behind_a_number_are_refused) {
    assert_string_equal("42601@8 trailing junk after numeric literal at or near \"12abc\"",
                        lex("select 12abc"));
    assert_string_equal("42601@1 trailing junk after numeric literal at or near \"1.5e+\"",
                        lex("1.5e+"));
    assert_string_equal("42601@1 trailing junk after parameter at or near \"$1a\"", lex("$1a"));
}

TEST("1", 0, a_doubled_quote_is_one_and_a_backslash_is_itself) {
    assert_string_equal("STRING:it's\\n", lex("'it''s\\n'"));
}

TEST("1", 0, strings_on_consecutive_lines_are_one) {
    assert_string_equal("STRING:ab", lex("'a' \n 'b'"));
    assert_string_equal("STRING:a STRING:b", lex("'a' 'b'"));
    assert_string_equal("STRING:ab", lex("'a' -- comment\n'b'"));
}

TEST("1", 0, e_strings_have_escapes) {
    assert_string_equal("STRING:a\nA\t'\\z", lex("E'a\\n\\x41\\t\\'\\\\\\z'"));
    assert_string_equal("STRING:\xc3\xa9\xf0\x9f\x98\x80 ", lex("e'\\u00e9\\ud83d\\ude00\\040'"));
}

TEST("1", 0, escapes_never_make_text_that_is_not_utf8) {
    assert_string_equal("22021@0 invalid byte sequence for encoding \"UTF8\": 0xff",
                        lex("E'a\\xff'"));
    assert_string_equal("22021@0 invalid byte sequence for encoding \"UTF8\": 0x00",
                        lex("E'a\\0'"));
    assert_string_equal("42601@4 invalid Unicode escape value at or near \"\\U00110000\"",
                        lex("E'a\\U00110000'"));
    assert_string_equal("42601@10 invalid Unicode surrogate pair at or near \"'\"",
                        lex("E'a\\ud800'"));
    assert_string_equal("22025@4 invalid Unicode escape", lex("E'a\\u12'"));
}

TEST("1", 0, dollar_quotes_take_everything_up_to_the_same_tag) {
    assert_string_equal("STRING:it's", lex("$$it's$$"));
    assert_string_equal("STRING:x$$y$b$", lex("$a$x$$y$b$$a$"));
    assert_string_equal("42601@1 unterminated dollar-quoted string at or near \"$a$x$$\"",
                        lex("$a$x$$"));
}

TEST("1", 0, what_does_not_end_is_named_from_its_start) {
    assert_string_equal("42601@3 unterminated quoted string at or near \"'abc\"", lex("a 'abc"));
    assert_string_equal("42601@1 unterminated quoted identifier at or near \"\"abc\"",
                        lex("\"abc"));
    assert_string_equal("42601@1 unterminated /* comment at or near \"/* /* */ \"",
                        lex("/* /* */ "));
    assert_string_equal("42601@1 zero-length delimited identifier at or near \"\"\"\"",
                        lex("\"\""));
}

TEST("1", 0, comments_nest_and_end_operators) {
    assert_string_equal("INTEGER:1 INTEGER:2", lex("1 /* a /* b */ c */ 2 -- d"));
    assert_string_equal("INTEGER:1 OPERATOR:+ INTEGER:2", lex("1 +/**/2"));
    assert_string_equal("INTEGER:1 OPERATOR:+ INTEGER:2", lex("1 +--\n2"));
}

TEST("1", 0, an_operator_ends_in_a_sign_only_if_it_holds_an_unusual_character) {
    assert_string_equal("NAME:a OPERATOR:= OPERATOR:- INTEGER:1", lex("a=-1"));
    assert_string_equal("NAME:a OPERATOR:@- INTEGER:1", lex("a@-1"));
    assert_string_equal("OPERATOR:<> OPERATOR:<> OPERATOR:<= OPERATOR:||", lex("!= <> <= ||"));
}

TEST("1", 0, casts_parameters_and_punctuation) {
    assert_string_equal("PARAM:$12 CAST::: NAME:t SELF:( SELF:, SELF:) SELF:; SELF:.",
                        lex("$12::t(,);."));
    assert_string_equal("OTHER:\\ OTHER:{ OTHER::= OTHER:=>", lex("\\ { := =>"));
}

TEST("1", 0, positions_count_characters_not_bytes) {
    assert_string_equal("42601@5 unterminated quoted string at or near \"'x\"",
                        lex("'\xc3\xa9' 'x"));
}

TEST("1", 0, text_that_is_not_utf8_is_refused_with_its_bytes) {
    struct sql_error error = {0};
    assert_int_equal(STATUS_INVALID,
                     sql_text_check(slice_of_string("select '\xe2\x28\xa1'"), &error));
    assert_string_equal("22021", error.sqlstate);
    assert_string_equal("invalid byte sequence for encoding \"UTF8\": 0xe2 0x28 0xa1",
                        error.message);
    assert_int_equal(STATUS_INVALID, sql_text_check(slice_of("a\0b", 3), &error));
    assert_string_equal("invalid byte sequence for encoding \"UTF8\": 0x00", error.message);
    assert_int_equal(STATUS_OK, sql_text_check(slice_of_string("\xf0\x9f\x98\x80"), &error));
}

TEST("1", 0, keywords_are_sorted_so_that_each_is_found) {
    for (int keyword = KW_NO_KEYWORD + 1; keyword < KW_COUNT; keyword++) {
        const char *spelling = sql_keyword_spelling((enum sql_keyword)keyword);
        assert_int_equal(keyword, sql_keyword_find(spelling));
    }
    assert_int_equal(KW_NO_KEYWORD, sql_keyword_find("banana"));
}
