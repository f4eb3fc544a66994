/* test_guestbook.c - the guest book: who is counted, what is copied, what is refused. */
#include "guestbook.h"

#include <stdio.h>

#include "codec.h"
#include "harness.h"

static struct error error;

static uint64_t greet(struct guestbook *book, struct slice name) {
    uint64_t visits = 0;
    assert_ok(guestbook_greet(book, name, &visits, &error), &error);
    return visits;
}

static uint64_t hello(struct guestbook *book, const char *name) {
    return greet(book, slice_of_string(name));
}

TEST("1", 1, a_guest_is_counted_each_time_and_entered_once) {
    struct guestbook *book = guestbook_new(10);
    assert_int_equal(1, hello(book, "granite"));
    assert_int_equal(1, hello(book, "slate"));
    assert_int_equal(2, hello(book, "granite"));
    assert_int_equal(3, hello(book, "granite"));
    assert_int_equal(2, guestbook_count(book));
    guestbook_free(book);
}

TEST("1", 1, names_that_begin_alike_and_names_with_zero_bytes_are_told_apart) {
    struct guestbook *book = guestbook_new(10);
    assert_int_equal(1, greet(book, SLICE_LITERAL("slate")));
    assert_int_equal(1, greet(book, SLICE_LITERAL("slates")));
    assert_int_equal(1, greet(book, SLICE_LITERAL("slate\0")));
    assert_int_equal(1, greet(book, SLICE_LITERAL("Slate")));
    assert_int_equal(4, guestbook_count(book));
    guestbook_free(book);
}

TEST("1", 2, the_book_keeps_a_copy_of_a_name) {
    struct guestbook *book = guestbook_new(10);
    char line[8] = "granite";
    assert_int_equal(1, greet(book, slice_of(line, 7)));
    memcpy(line, "basalt!", 7); /* the next line is read into the same memory */
    assert_int_equal(1, greet(book, slice_of(line, 7)));
    assert_int_equal(2, hello(book, "granite"));
    assert_int_equal(2, guestbook_count(book));
    guestbook_free(book);
}

TEST("1", 1, two_thousand_guests_come_twice) {
    struct guestbook *book = guestbook_new(2000);
    char name[32];
    for (uint64_t round = 1; round <= 2; round++) {
        for (int i = 0; i < 2000; i++) {
            snprintf(name, sizeof(name), "guest-%d", i);
            assert_int_equal(round, hello(book, name));
        }
    }
    assert_int_equal(2000, guestbook_count(book));
    guestbook_free(book);
}

TEST("1", 4, a_full_book_refuses_who_is_new_and_greets_who_is_known) {
    struct guestbook *book = guestbook_new(2);
    uint64_t visits = 77;
    hello(book, "granite");
    hello(book, "slate");
    assert_status(STATUS_BUSY, guestbook_greet(book, SLICE_LITERAL("chalk"), &visits, &error));
    assert_int_equal(77, visits);
    assert_int_equal(2, guestbook_count(book));
    assert_int_equal(2, hello(book, "slate"));
    guestbook_free(book);
}

TEST("1", 3, a_name_that_is_empty_or_too_long_is_refused_and_changes_nothing) {
    struct guestbook *book = guestbook_new(2);
    static const uint8_t letters[GUESTBOOK_NAME_MAX + 1] = {'x'};
    uint64_t visits = 77;
    assert_status(STATUS_INVALID, guestbook_greet(book, SLICE_EMPTY, &visits, &error));
    assert_status(STATUS_TOO_LARGE,
                  guestbook_greet(book, slice_of(letters, sizeof(letters)), &visits, &error));
    assert_int_equal(77, visits);
    assert_int_equal(0, guestbook_count(book));
    assert_int_equal(1, greet(book, slice_of(letters, GUESTBOOK_NAME_MAX)));
    guestbook_free(book);
}

TEST("1", 0, the_bytes_of_a_book_are_names_and_visits_and_a_checksum) {
    struct guestbook *book = guestbook_new(10);
    hello(book, "slate");
    hello(book, "slate");
    hello(book, "chalk");
    struct buf bytes = BUF_INIT;
    guestbook_encode(book, &bytes);
    struct slice expected = SLICE_LITERAL("\005slate\002\005chalk\001");
    assert_int_equal(expected.len + 8, bytes.len);
    assert_slice_equal(expected, slice_of(bytes.data, expected.len));
    assert_int_equal(checksum64(expected, 0), load_u64le(bytes.data + expected.len));
    buf_deinit(&bytes);
    guestbook_free(book);
}
