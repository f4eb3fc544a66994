/* test_bytes.c - status, slices, bufs, arenas: the ground that everything stands on. */
#include <errno.h>

#include "arena.h"
#include "buf.h"
#include "harness.h"
#include "mem.h"

/* ---- status -------------------------------------------------------------------------------- */

TEST("1", 0, every_status_has_a_name_and_a_meaning) {
    for (int i = 0; i < STATUS_COUNT; i++) {
        assert_true(strlen(status_name((enum status)i)) > 0);
        assert_true(strlen(status_text((enum status)i)) > 0);
    }
    assert_string_equal("NOT_FOUND", status_name(STATUS_NOT_FOUND));
    assert_non_null(status_name((enum status)12345));
    assert_non_null(status_text((enum status) - 1));
}

TEST("1", 0, errno_becomes_the_status_that_callers_tell_apart) {
    assert_status(STATUS_NO_SPACE, status_from_errno(ENOSPC));
    assert_status(STATUS_NOT_FOUND, status_from_errno(ENOENT));
    assert_status(STATUS_EXISTS, status_from_errno(EEXIST));
    assert_status(STATUS_IN_USE, status_from_errno(EADDRINUSE));
    assert_status(STATUS_IO, status_from_errno(EIO));
}

TEST("1", 0, a_message_is_cut_and_may_quote_the_one_before_it) {
    struct error error;
    assert_status(STATUS_IO, error_set(&error, STATUS_IO, "disk %d", 7));
    assert_false(error.retryable);
    assert_status(STATUS_BUSY, error_set(&error, STATUS_BUSY, "after: %s", error.message));
    assert_string_equal("after: disk 7", error.message);
    assert_true(error.retryable);
    for (int i = 0; i < 100; i++) {
        assert_status(STATUS_BUSY, error_prefix(&error, "level %d", i));
    }
    assert_int_equal(ERROR_MESSAGE_MAX - 1, strlen(error.message));
    assert_memory_equal("level 99: level 98: ", error.message, 20);
    assert_status(STATUS_IO, error_set(NULL, STATUS_IO, "nobody reads this"));
}

/* ---- slices -------------------------------------------------------------------------------- */

TEST("2", 0, slices_compare_as_unsigned_bytes_with_prefixes_first) {
    assert_true(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("b")) < 0);
    assert_true(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("ab")) < 0);
    assert_true(slice_compare(SLICE_LITERAL("\xff"), SLICE_LITERAL("a")) > 0);
    assert_true(slice_compare(SLICE_EMPTY, SLICE_LITERAL("")) == 0);
    assert_true(slice_compare(SLICE_EMPTY, SLICE_LITERAL("\0")) < 0);
    assert_true(slice_equal(SLICE_EMPTY, SLICE_LITERAL("")));
    assert_true(slice_has_prefix(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
    assert_false(slice_has_prefix(SLICE_LITERAL("a"), SLICE_LITERAL("ab")));
    assert_true(slice_has_prefix(SLICE_EMPTY, SLICE_EMPTY));
    assert_slice_equal(SLICE_LITERAL("c"), slice_from(SLICE_LITERAL("abc"), 2));
}

TEST("2", 0, a_slice_prints_escaped_and_cut_to_fit) {
    char out[16];
    assert_string_equal("a\\x00\\x5cz", slice_print(SLICE_LITERAL("a\0\\z"), out, sizeof(out)));
    for (size_t size = 1; size <= sizeof(out); size++) {
        slice_print(SLICE_LITERAL("abc\0\0\0\0defghijkl"), out, size);
        assert_true(strlen(out) < size);
    }
    assert_string_equal("abc\\x00\\x00...", slice_print(SLICE_LITERAL("abc\0\0\0\0def"), out, 16));
}

/* ---- bufs ---------------------------------------------------------------------------------- */

TEST("3", 0, a_buf_grows_and_keeps_what_was_appended) {
    struct buf buf = BUF_INIT;
    for (int i = 0; i < 10000; i++) {
        buf_printf(&buf, "%04d", i);
    }
    assert_int_equal(40000, buf.len);
    assert_memory_equal("99989999", buf.data + 39992, 8);
    buf_consume(&buf, 39996);
    assert_slice_equal(SLICE_LITERAL("9999"), buf_slice(&buf));
    buf_append_zeros(&buf, 2);
    *buf_extend(&buf, 1) = 'x';
    assert_slice_equal(SLICE_LITERAL("9999\0\0x"), buf_slice(&buf));
    struct buf other = BUF_INIT;
    buf_swap(&buf, &other);
    assert_int_equal(0, buf.len);
    buf_append_slice(&buf, SLICE_EMPTY);
    assert_int_equal(0, buf.len);
    buf_deinit(&other);
    buf_deinit(&buf);
}

TEST("3", 0, printing_fits_exactly_at_every_fill) {
    for (size_t fill = 0; fill < 130; fill++) {
        struct buf buf = BUF_INIT;
        buf_append_zeros(&buf, fill);
        buf_printf(&buf, "%s", "sixteen letters!");
        assert_int_equal(fill + 16, buf.len);
        assert_memory_equal("sixteen letters!", buf.data + fill, 16);
        buf_deinit(&buf);
    }
}

/* ---- arenas -------------------------------------------------------------------------------- */

TEST("4", 0, allocations_are_aligned_and_do_not_overlap) {
    struct arena arena;
    arena_init(&arena, 0);
    enum { COUNT = 2000 };
    static uint8_t *memory[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = i * 37 % 3001;
        memory[i] = arena_alloc(&arena, size);
        assert_int_equal(0, (uintptr_t)memory[i] % 16);
        memset(memory[i], (int)(i & 0xff), size);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < i * 37 % 3001; k++) {
            assert_int_equal(i & 0xff, memory[i][k]);
        }
    }
    arena_deinit(&arena);
}

TEST("4", 0, a_large_allocation_leaves_the_current_block_in_use) {
    struct arena arena;
    arena_init(&arena, 0);
    uint8_t *before = arena_alloc(&arena, 16);
    (void)arena_alloc(&arena, 1024 * 1024);
    uint8_t *after = arena_alloc(&arena, 16);
    assert_ptr_equal(before + 16, after);
    arena_deinit(&arena);
}

TEST("4", 0, a_reset_arena_starts_anew_and_reuses_memory) {
    struct arena arena;
    arena_init(&arena, 100);
    char *first = arena_strdup(&arena, "text");
    (void)arena_alloc(&arena, 200);
    assert_true(arena.over_budget);
    arena_reset(&arena);
    assert_int_equal(0, arena.used_bytes);
    assert_false(arena.over_budget);
    assert_ptr_equal(first, arena_zalloc(&arena, 8));
    assert_string_equal("", first);
    arena_deinit(&arena);
}

TEST("4", 0, going_over_the_budget_is_reported_not_refused) {
    struct arena arena;
    struct error error;
    arena_init(&arena, 1000);
    (void)arena_alloc(&arena, 900);
    assert_status(STATUS_OK, arena_check(&arena, &error));
    assert_non_null(arena_alloc(&arena, 200));
    assert_status(STATUS_TOO_LARGE, arena_check(&arena, &error));
    assert_non_null(strstr(error.message, "1000"));
    arena_deinit(&arena);
}

TEST("4", 0, copies_are_independent_of_their_source) {
    struct arena arena;
    arena_init(&arena, 0);
    char source[] = "abc";
    struct slice copy = arena_dup_slice(&arena, slice_of_string(source));
    char *text = arena_string(&arena, slice_of(source, 2));
    source[0] = 'x';
    assert_slice_equal(SLICE_LITERAL("abc"), copy);
    assert_string_equal("ab", text);
    assert_string_equal("a=1", arena_printf(&arena, "a=%d", 1));
    int *numbers = ARENA_ARRAY(&arena, int, 3);
    assert_int_equal(0, numbers[2]);
    arena_deinit(&arena);
}

/* ---- mem ----------------------------------------------------------------------------------- */

TEST("5", 0, memory_of_size_zero_is_valid) {
    void *a = mem_alloc(0);
    void *b = mem_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    mem_free(a);
    mem_free(b);
    mem_free(NULL);
    mem_free(mem_dup(NULL, 0));
}
