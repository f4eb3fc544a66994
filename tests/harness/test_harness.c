/* The harness must never turn a failure green. Here it runs itself: when CAIRN_VICTIMS is set this
 * program holds tests that end badly, each in its own way, and the tests run it so. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "todo.h"

/* ---- the victims ----------------------------------------------------------------------------- */

#define VICTIM(name_)                                                                              \
    static void victim_##name_(void);                                                              \
    __attribute__((constructor)) static void register_victim_##name_(void) {                       \
        static struct harness_test test = {.step = "1",                                            \
                                           .name = #name_,                                         \
                                           .file = __FILE__,                                       \
                                           .line = __LINE__,                                       \
                                           .function = victim_##name_};                            \
        if (getenv("CAIRN_VICTIMS")) harness_register(&test);                                      \
    }                                                                                              \
    static void victim_##name_(void)

static volatile int zero;
static int *volatile nowhere;

VICTIM(passes) { assert_true(zero == 0); }
VICTIM(fails_an_assertion) { assert_int_equal(1, zero); }
VICTIM(crashes) { *nowhere = 1; }
VICTIM(aborts) { abort(); }
VICTIM(hangs) {
    TEST_LIMIT(200);
    for (;;)
        pause();
}
VICTIM(exits_early) { exit(0); }
VICTIM(exits_at_once) { _exit(0); }
VICTIM(skips) { skip(); }
VICTIM(leaks_what_cmocka_counts) { assert_non_null(test_malloc(10)); }
VICTIM(leaks) {
    nowhere = malloc(sizeof(int));
    nowhere = NULL;
}
VICTIM(reads_behind_its_memory) {
    char *volatile memory = malloc(8);
    zero = memory[8 + zero] == 1;
    free(memory);
}
VICTIM(gets_a_wrong_status) { assert_status(STATUS_NOT_FOUND, STATUS_CORRUPT); }
VICTIM(gets_an_error) {
    struct error error = {.status = STATUS_IO, .message = "the disk is on fire"};
    assert_ok(error.status, &error);
}
VICTIM(gets_a_wrong_slice) { assert_slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("ab\x01")); }
static void meets_todo(void) { TODO("3", "write the body"); }
VICTIM(meets_a_todo) { meets_todo(); }
VICTIM(meets_a_todo_in_a_process_and_does_not_mind) {
    pid_t pid = fork();
    if (pid == 0) meets_todo();
    waitpid(pid, NULL, 0);
}
VICTIM(leaves_a_process) {
    if (fork() == 0) {
        for (;;)
            pause();
    }
}
VICTIM(goes_on_in_a_process_of_its_own) {
    if (fork() > 0) _exit(0);
}
VICTIM(gets_a_wrong_number) { assert_int_equal(sizeof(int32_t), zero - 1); }
VICTIM(gets_a_wrong_string) { assert_string_equal("granite", zero == 0 ? "slate" : ""); }
VICTIM(fails_with_a_directory) {
    printf("dir=%s\n", harness_tmpdir());
    assert_true(zero == 1);
}

/* ---- running them ---------------------------------------------------------------------------- */

struct outcome {
    int exit_status;
    char output[8192];
};

static struct outcome run_victims(const char *arguments) {
    struct outcome outcome = {0};
    char command[5000];
    snprintf(command, sizeof(command),
             "CAIRN_VICTIMS=1 CAIRN_RESULT= CAIRN_TEST_LIMIT= '%s' %s 2>&1", harness_program(),
             arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t used = fread(outcome.output, 1, sizeof(outcome.output) - 1, pipe);
    outcome.output[used] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    outcome.exit_status = WEXITSTATUS(status);
    return outcome;
}

static void assert_says(const struct outcome *outcome, const char *text) {
    if (strstr(outcome->output, text)) return;
    print_error("expected \"%s\" in:\n%s\n", text, outcome->output);
    fail();
}

static void assert_red(const char *victim, const char *why) {
    struct outcome outcome = run_victims(victim);
    assert_int_equal(1, outcome.exit_status);
    assert_says(&outcome, why);
    assert_says(&outcome, "again: ");
    assert_says(&outcome, "0 passed, 1 failed\n");
}

TEST("1", 0, a_test_that_passes_is_green) {
    struct outcome outcome = run_victims("passes");
    assert_int_equal(0, outcome.exit_status);
    assert_says(&outcome, "1 passed, 0 failed\n");
}

TEST("1", 0, a_failed_assertion_is_red_and_says_where) {
    assert_red("fails_an_assertion", "step 1: fails an assertion");
    assert_red("fails_an_assertion", "an assertion failed");
    assert_red("fails_an_assertion", "test_harness.c:");
}

TEST("1", 0, a_crash_is_red) {
    struct outcome outcome = run_victims("crashes");
    assert_int_equal(1, outcome.exit_status);
    bool named = strstr(outcome.output, "crashed: Segmentation fault") ||
                 strstr(outcome.output, "a sanitizer stopped it");
    assert_true(named);
}

TEST("1", 0, an_abort_is_red) { assert_red("aborts", "aborted: "); }
TEST("1", 0, a_hang_is_red_and_ends_at_its_limit) { assert_red("hangs", "did not end within "); }
TEST("1", 0, an_early_exit_with_status_0_is_red) {
    assert_red("exits_early", "called exit(0) before its end");
    assert_red("exits_at_once", "called exit(0) before its end");
}
TEST("1", 0, a_fork_that_runs_to_the_end_does_not_speak_for_its_parent) {
    assert_red("goes_on_in_a_process_of_its_own", "called exit(0) before its end");
}
TEST("1", 0, a_skip_is_red) { assert_red("skips", "skipped: no verdict"); }
TEST("1", 0, memory_that_cmocka_counts_must_be_freed) {
    assert_red("leaks_what_cmocka_counts", "cmocka found a fault after its end");
}

TEST("1", 0, a_todo_is_red_and_named_whatever_the_test_says) {
    assert_red("meets_a_todo", "TODO step 3, meets_todo: write the body");
    assert_red("meets_a_todo_in_a_process_and_does_not_mind", "TODO step 3, meets_todo");
    struct outcome outcome = run_victims("meets_a_todo passes");
    assert_says(&outcome, "1 passed, 1 failed\n"); /* the next test starts with a clean slate */
}

/* Only a sanitizer can tell; without one the victims are left alone. */
TEST("1", 0, what_a_sanitizer_finds_is_red) {
    if (!harness_memory_checked()) return;
    assert_red("leaks", "leaks, or a sanitizer's finding at exit");
    assert_red("leaks", "LeakSanitizer");
    assert_red("reads_behind_its_memory", "a sanitizer stopped it");
    assert_red("reads_behind_its_memory", "heap-buffer-overflow");
}

TEST("2", 0, a_wrong_status_is_shown_by_name) {
    assert_red("gets_a_wrong_status", "is CORRUPT, expected NOT_FOUND");
}
TEST("2", 0, an_unexpected_error_shows_its_message) {
    assert_red("gets_an_error", "because: the disk is on fire");
}
TEST("2", 0, a_wrong_number_is_shown_with_what_was_computed) {
    assert_red("gets_a_wrong_number", "zero - 1\n        is -1, expected 4 (sizeof(int32_t))");
}
TEST("2", 0, a_wrong_string_is_shown_beside_the_right_one) {
    assert_red("gets_a_wrong_string", "is       \"slate\"\n        expected \"granite\"");
}
TEST("2", 0, a_wrong_slice_is_shown_with_the_place_where_it_differs) {
    assert_red("gets_a_wrong_slice", "differs at byte 2");
    assert_red("gets_a_wrong_slice", "3 bytes \"ab\\x01\"");
}

TEST("3", 0, one_failure_among_passes_makes_the_suite_red) {
    struct outcome outcome = run_victims("passes fails_an_assertion");
    assert_int_equal(1, outcome.exit_status);
    assert_says(&outcome, "1 passed, 1 failed\n");
}

TEST("3", 0, an_unknown_name_is_refused) {
    struct outcome outcome = run_victims("no_such_test");
    assert_int_equal(2, outcome.exit_status);
    assert_says(&outcome, "no test named no_such_test");
}

TEST("3", 0, list_names_the_tests) {
    struct outcome outcome = run_victims("--list");
    assert_int_equal(0, outcome.exit_status);
    assert_says(&outcome, "leaves_a_process\n");
    outcome = run_victims("--list -v");
    assert_says(&outcome, "\tleaves_a_process\n");
    assert_says(&outcome, "1\t0\t");
}

TEST("4", 0, a_directory_is_empty_removed_on_success_and_kept_on_failure) {
    const char *first = harness_tmpdir();
    const char *second = harness_tmpdir();
    assert_string_not_equal(first, second);
    struct stat info;
    assert_int_equal(0, stat(first, &info));
    assert_true(S_ISDIR(info.st_mode));

    struct outcome outcome = run_victims("fails_with_a_directory");
    assert_says(&outcome, "kept: ");
    char *kept = strstr(outcome.output, "dir=");
    assert_non_null(kept);
    kept += strlen("dir=");
    *strchr(kept, '\n') = '\0';
    assert_int_equal(0, rmdir(kept));
    *strrchr(kept, '/') = '\0';
    assert_int_equal(0, rmdir(kept));
}

/* Had it survived, it would hold the pipe open and run_victims would not return in time. */
TEST("4", 0, a_process_left_behind_is_killed_and_the_test_red) {
    assert_red("leaves_a_process", "left a process running");
}
