/* harness.h - how a suite is written: sentences that can fail, each in a process of its own.
 *
 *   TEST("2.3", 1, follower_rejects_entries_that_do_not_match_its_log) {
 *       ...
 *       assert_status(STATUS_NOT_FOUND, memtable_get(table, key, &value));
 *   }
 *
 * Beneath is cmocka: its assertions (assert_true, assert_int_equal, ...) and mocks work as always.
 * What is added:
 *  1. TEST registers the test by itself; main is here.
 *  2. Each test runs in a forked process, with a time limit (10 s). Ending in any way but by
 *     returning from the test is a failure and is named: a failed assertion, a signal, a limit
 *     passed, a call of exit, a leak or another finding of a sanitizer, a skip, a process that was
 *     left running. What a test has forked cannot speak for it.
 *  3. What a test prints is shown only if it fails, with the command that runs it alone,
 *     or with -v.
 *
 * The command line of a suite: [--list] [--no-fork] [-v] [name...]. Run it with --no-fork under a
 * debugger; --list -v shows step, invariant and place too. CAIRN_TEST_LIMIT=ms raises the limit of
 * every test to at least that, CAIRN_TEST_LIMIT_MAX=ms lowers it. A test in which a TODO() is met
 * (todo.h) has failed, whatever it says. */
#ifndef CAIRN_HARNESS_H
#define CAIRN_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "slice.h"
#include "status.h"

struct harness_test {
    const char *step; /* of the chapter: "1", "2.3" */
    int invariant;    /* of the module's header that it shows; 0: none */
    const char *name;
    const char *file;
    int line;
    void (*function)(void);
    struct harness_test *next; /* the harness's */
};

void harness_register(struct harness_test *test);

#define TEST(step_, invariant_, name_)                                                             \
    static void test_##name_(void);                                                                \
    __attribute__((constructor)) static void register_##name_(void) {                              \
        static struct harness_test test = {                                                        \
            .step = (step_),                                                                       \
            .invariant = (invariant_),                                                             \
            .name = #name_,                                                                        \
            .file = __FILE__,                                                                      \
            .line = __LINE__,                                                                      \
            .function = test_##name_,                                                              \
        };                                                                                         \
        harness_register(&test);                                                                   \
    }                                                                                              \
    static void test_##name_(void)

/* First statement of a test that needs more (or wants less) time than the default. */
#define TEST_LIMIT(limit_ms) harness_limit((limit_ms))
void harness_limit(unsigned limit_ms);

/* A fresh, empty directory (absolute path, valid until the test ends). Removed if the test
 * passes; kept, and named, if it fails. */
const char *harness_tmpdir(void);
/* The same on a file system in memory, where there is one: for tests that bring their own faulty
 * disk (env_fault) and need not wait for a real one. First call of a test decides. */
const char *harness_memory_tmpdir(void);

/* The path of the running suite, and of the build directory that it lies in: programs under test
 * are "<harness_build_dir()>/01-wal/node" and the like. */
const char *harness_program(void);
const char *harness_build_dir(void);

/* Built with ASan or TSan, several times slower: a long test may do less. */
bool harness_sanitized(void);
/* Built with ASan, which sees leaks and stray reads and writes. */
bool harness_memory_checked(void);

/* ---- assertions in Cairn's terms; expected first -------------------------------------------- */

#define assert_status(expected, actual)                                                            \
    harness_assert_status((expected), (actual), #actual, NULL, __FILE__, __LINE__)
/* STATUS_OK, or fails with the error's message; `error_pointer` may be NULL. */
#define assert_ok(expression, error_pointer)                                                       \
    harness_assert_status(STATUS_OK, (expression), #expression, (error_pointer), __FILE__, __LINE__)
#define assert_slice_equal(expected, actual)                                                       \
    harness_assert_slice((expected), (actual), #actual, __FILE__, __LINE__)

/* cmocka's two most used say "0x3 != 0x4"; these name what was computed, and which is which. */
#undef assert_int_equal
#define assert_int_equal(expected, actual)                                                         \
    harness_assert_integer((uintmax_t)(expected), (uintmax_t)(actual), #expected, #actual,         \
                           __FILE__, __LINE__)
#undef assert_string_equal
#define assert_string_equal(expected, actual)                                                      \
    harness_assert_string((expected), (actual), #actual, __FILE__, __LINE__)

/* `error` is read after `actual` was computed. */
void harness_assert_status(enum status expected, enum status actual, const char *expression,
                           const struct error *error, const char *file, int line);
void harness_assert_integer(uintmax_t expected, uintmax_t actual, const char *expected_text,
                            const char *actual_text, const char *file, int line);
void harness_assert_string(const char *expected, const char *actual, const char *actual_text,
                           const char *file, int line);
void harness_assert_slice(struct slice expected, struct slice actual, const char *expression,
                          const char *file, int line);

#endif
