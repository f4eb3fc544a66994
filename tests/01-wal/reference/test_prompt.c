/* test_prompt.c - the prompt's words. No exercise asks for a prompt: this is never graded. */
#include "prompt.h"

#include <stdio.h>

#include "harness.h"

TEST("1", 0, words_are_split_at_blanks_and_quotes_keep_what_is_inside) {
    struct buf storage = BUF_INIT;
    struct slice words[4];
    size_t count;
    assert_status(STATUS_OK, prompt_split("  put a\t\"b \\\"c\\\" \\x00\\\\\" \n", &storage, words,
                                          4, &count, NULL));
    assert_int_equal(3, count);
    assert_slice_equal(SLICE_LITERAL("put"), words[0]);
    assert_slice_equal(SLICE_LITERAL("a"), words[1]);
    assert_slice_equal(SLICE_LITERAL("b \"c\" \0\\"), words[2]);
    assert_status(STATUS_OK, prompt_split("", &storage, words, 4, &count, NULL));
    assert_int_equal(0, count);
    assert_status(STATUS_INVALID, prompt_split("get \"open", &storage, words, 4, &count, NULL));
    assert_status(STATUS_INVALID, prompt_split("get \"\\q\"", &storage, words, 4, &count, NULL));
    assert_status(STATUS_INVALID, prompt_split("a b c d e", &storage, words, 4, &count, NULL));
    buf_deinit(&storage);
}
