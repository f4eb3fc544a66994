/* harness.c - main of every suite: picks the tests, runs each in a forked process, names how it
 * ended and writes the counts for run_suites.py. Nothing of Cairn is called here: a broken lib/
 * must not be able to break the verdict about itself. */
#include "harness.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature) /* clang; gcc defines the two names itself */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
static const bool memory_checked = true, slowed_down = true;
#elif defined(__SANITIZE_THREAD__)
static const bool memory_checked = false, slowed_down = true;
#else
static const bool memory_checked = false, slowed_down = false;
#endif

enum {
    DEFAULT_LIMIT_MS = 10000,
    SANITIZER_FACTOR = 4,
    WATCH_INTERVAL_US = 50000,
    LAST_WORDS_MS = 5000,    /* after a limit: for a sanitizer's stack */
    EXIT_CMOCKA_FAILED = 90, /* an assertion failed */
    EXIT_SANITIZER = 99,     /* set by the options below; leaks are found at exit */
    SLICE_SHOWN_MAX = 96
};

/* What the child tells the parent; in memory that both map. */
struct report {
    pid_t child; /* only it reports: what it has forked may run on into here */
    unsigned limit_ms;
    bool returned;  /* the test came to its end */
    bool cmocka_ok; /* and cmocka counts no failure */
    char tmpdir[PATH_MAX];
};

static struct {
    struct harness_test *first, *last;
    struct report *report; /* of the test that runs */
    const struct harness_test *running;
    char program[PATH_MAX];
    char todo[64]; /* the file that TODO() writes to */
    pid_t todo_owner;
    unsigned tmpdirs;
    pid_t child; /* and its process group; 0: none */
    bool timed_out, left_running;
    volatile sig_atomic_t terminated_by;
    uint64_t started_ns;
    struct sigaction crash_actions[5];
} harness;

static const int crash_signals[5] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS};

/* Read by the sanitizers' runtimes at start. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "exitcode=99:detect_stack_use_after_return=0:abort_on_error=0";
}
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "exitcode=99:print_stacktrace=1"; }
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "exitcode=99"; }

/* ---- what tests call ------------------------------------------------------------------------ */

void harness_register(struct harness_test *test) {
    if (harness.last) {
        harness.last->next = test;
    } else {
        harness.first = test;
    }
    harness.last = test;
}

static unsigned long number_from_environment(const char *name) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 10) : 0;
}

/* Under a sanitizer, and on a machine that the environment declares slow, limits are longer; where
 * somebody waits for many tests that may hang (grading), they are shorter. */
static unsigned limit_scaled(unsigned limit_ms) {
    unsigned long least_ms = number_from_environment("CAIRN_TEST_LIMIT");
    unsigned long most_ms = number_from_environment("CAIRN_TEST_LIMIT_MAX");
    if (slowed_down) limit_ms *= SANITIZER_FACTOR;
    if (least_ms > limit_ms && least_ms <= UINT_MAX) limit_ms = (unsigned)least_ms;
    return most_ms > 0 && most_ms < limit_ms ? (unsigned)most_ms : limit_ms;
}

void harness_limit(unsigned limit_ms) {
    if (harness.report) harness.report->limit_ms = limit_scaled(limit_ms);
}

bool harness_sanitized(void) { return slowed_down; }
bool harness_memory_checked(void) { return memory_checked; }

const char *harness_program(void) { return harness.program; }

const char *harness_build_dir(void) {
    static char dir[PATH_MAX];
    snprintf(dir, sizeof(dir), "%s", harness.program);
    char *below = dir; /* BUILD/tests/NN-name/test_x, or one folder deeper */
    for (char *next = strstr(below, "/tests/"); next; next = strstr(below + 1, "/tests/"))
        below = next;
    *below = '\0';
    return dir;
}

static void harness_die(const char *what) {
    fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
    exit(2);
}

const char *harness_tmpdir(void) {
    static char dirs[16][PATH_MAX + 16];
    struct report *report = harness.report;
    if (report->tmpdir[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(report->tmpdir, sizeof(report->tmpdir), "%s/cairn-test-XXXXXX",
                 base && base[0] == '/' ? base : "/tmp");
        if (!mkdtemp(report->tmpdir)) harness_die(report->tmpdir);
    }
    if (harness.tmpdirs == 16) {
        fprintf(stderr, "harness_tmpdir: at most 16 in a test\n");
        exit(2);
    }
    char *dir = dirs[harness.tmpdirs];
    snprintf(dir, sizeof(dirs[0]), "%s/%u", report->tmpdir, harness.tmpdirs++);
    if (mkdir(dir, 0700) != 0) harness_die(dir);
    return dir;
}

const char *harness_memory_tmpdir(void) {
    if (access("/dev/shm", W_OK | X_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    return harness_tmpdir();
}

static const char *status_label(enum status status) {
    static const char *const names[] = {
#define STATUS_LABEL(name, text) #name,
        STATUS_LIST(STATUS_LABEL)
#undef STATUS_LABEL
    };
    return (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status] : "(no status)";
}

void harness_assert_status(enum status expected, enum status actual, const char *expression,
                           const struct error *error, const char *file, int line) {
    if (expected == actual) return;
    print_error("%s\n  is %s, expected %s\n", expression, status_label(actual),
                status_label(expected));
    if (error && actual != STATUS_OK && error->message[0] != '\0')
        print_error("  because: %s\n", error->message);
    _fail(file, line);
}

static void print_bytes(const char *label, struct slice slice) {
    size_t shown = slice.len < SLICE_SHOWN_MAX ? slice.len : SLICE_SHOWN_MAX;
    char text[SLICE_SHOWN_MAX * 4 + 1] = "";
    size_t used = 0;
    for (size_t i = 0; i < shown; i++) {
        uint8_t byte = slice.data[i];
        bool plain = byte >= 0x20 && byte < 0x7f && byte != '\\';
        used += (size_t)snprintf(text + used, sizeof(text) - used, plain ? "%c" : "\\x%02x", byte);
    }
    print_error("  %s %zu bytes \"%s\"%s\n", label, slice.len, text,
                shown < slice.len ? "..." : "");
}

void harness_assert_slice(struct slice expected, struct slice actual, const char *expression,
                          const char *file, int line) {
    bool same_len = expected.len == actual.len;
    if (same_len && (actual.len == 0 || memcmp(expected.data, actual.data, actual.len) == 0))
        return;
    size_t at = 0;
    while (at < expected.len && at < actual.len && expected.data[at] == actual.data[at])
        at++;
    print_error("%s differs at byte %zu\n", expression, at);
    print_bytes("is      ", actual);
    print_bytes("expected", expected);
    _fail(file, line);
}

static bool is_number(const char *text) { return *text == '-' || (*text >= '0' && *text <= '9'); }

static void print_integer(uintmax_t value) {
    print_error(value > INT64_MAX ? "%jd" : "%ju", value);
}

void harness_assert_integer(uintmax_t expected, uintmax_t actual, const char *expected_text,
                            const char *actual_text, const char *file, int line) {
    if (expected == actual) return;
    print_error("%s\n  is ", actual_text);
    print_integer(actual);
    print_error(", expected ");
    print_integer(expected);
    if (!is_number(expected_text)) print_error(" (%s)", expected_text);
    print_error("\n");
    _fail(file, line);
}

void harness_assert_string(const char *expected, const char *actual, const char *actual_text,
                           const char *file, int line) {
    if (strcmp(expected, actual) == 0) return;
    print_error("%s\n  is       \"%s\"\n  expected \"%s\"\n", actual_text, actual, expected);
    _fail(file, line);
}

/* ---- one test, in its own process ------------------------------------------------------------ */

/* cmocka calls this. It has just put handlers on the signals of a crash, which would hide the
 * signal and a sanitizer's report; the ones from before are put back. */
static void run_body(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        sigaction(crash_signals[i], &harness.crash_actions[i], NULL);
    harness.running->function();
    if (harness.report->child == getpid()) harness.report->returned = true;
}

static bool run_under_cmocka(const struct harness_test *test) {
    for (int i = 0; i < 5; i++)
        sigaction(crash_signals[i], NULL, &harness.crash_actions[i]);
    harness.running = test;
    const struct CMUnitTest unit = {.name = test->name, .test_func = run_body};
    int failed = _cmocka_run_group_tests(test->name, &unit, 1, NULL, NULL);
    if (harness.report->child == getpid()) harness.report->cmocka_ok = failed == 0;
    return failed == 0 && harness.report->returned;
}

/* A test that passed calls exit, where leaks are looked for and coverage is written. One that
 * failed left its memory behind, and that is not worth a report. */
static void child_main(const struct harness_test *test, int output) {
    setpgid(0, 0);
    harness.report->child = getpid();
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (run_under_cmocka(test)) exit(0);
    fflush(NULL);
    _exit(EXIT_CMOCKA_FAILED);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void remove_todo_log(void) {
    if (harness.todo_owner == getpid()) unlink(harness.todo);
}

/* The child and what it started are one process group. */
static void kill_child(void) {
    if (harness.child > 0) kill(-harness.child, SIGKILL);
}

/* Signals only interrupt waitpid; what they mean is done in wait_for_child. ThreadSanitizer may put
 * off a handler for as long as a system call is restarted. The timer ticks, so that no tick that
 * comes just before waitpid is missed for long. */
static void on_tick(int signal_number) { (void)signal_number; }
static void on_terminate(int signal_number) { harness.terminated_by = signal_number; }

static void watch(bool on) {
    struct itimerval timer = {0};
    if (on) timer.it_value.tv_usec = timer.it_interval.tv_usec = WATCH_INTERVAL_US;
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* The first line that a TODO() of this test has left (todo.h). */
static bool met_todo(char *text, size_t size) {
    FILE *file = fopen(harness.todo, "r");
    if (!file) return false;
    bool met = fgets(text, (int)size, file) != NULL;
    fclose(file);
    if (met) text[strcspn(text, "\n")] = '\0';
    return met;
}

/* How the child ended, in words; NULL if it passed. */
static const char *verdict(int status, char *text, size_t size) {
    const struct report *report = harness.report;
    if (met_todo(text, size)) {
        return text; /* whatever the test made of it */
    } else if (harness.timed_out) {
        snprintf(text, size, "did not end within %u ms", report->limit_ms);
    } else if (WIFSIGNALED(status)) {
        int number = WTERMSIG(status);
        snprintf(text, size, number == SIGABRT ? "aborted: %s" : "crashed: %s", strsignal(number));
    } else if (WEXITSTATUS(status) == EXIT_SANITIZER) {
        snprintf(text, size,
                 report->returned ? "leaks, or a sanitizer's finding at exit"
                                  : "a sanitizer stopped it");
    } else if (report->returned && report->cmocka_ok && WEXITSTATUS(status) == 0) {
        if (!harness.left_running) return NULL;
        snprintf(text, size, "left a process running");
    } else if (!report->returned && report->cmocka_ok) {
        snprintf(text, size, "skipped: no verdict");
    } else if (WEXITSTATUS(status) == EXIT_CMOCKA_FAILED) {
        snprintf(text, size,
                 report->returned ? "cmocka found a fault after its end" : "an assertion failed");
    } else {
        snprintf(text, size, "called exit(%d) before its end", WEXITSTATUS(status));
    }
    return text;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *ftw) {
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

/* cmocka's frame around its one test says nothing new; its [  ERROR   ] and [   LINE   ] do. */
static bool is_frame(const char *line) {
    static const char *const frames[] = {"[==========]",
                                         "[ RUN      ]",
                                         "[  FAILED  ]",
                                         "[       OK ]",
                                         "[  PASSED  ]",
                                         " 1 FAILED TEST(S)",
                                         "\n"};
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        if (strncmp(line, frames[i], strlen(frames[i])) == 0) return true;
    }
    return false;
}

static void show_output(FILE *output, FILE *to) {
    char line[4096];
    rewind(output);
    while (fgets(line, sizeof(line), output)) {
        if (is_frame(line)) continue;
        fprintf(to, "      %s%s", line, strchr(line, '\n') ? "" : "\n");
    }
}

static void print_sentence(FILE *out, const char *mark, const struct harness_test *test) {
    fprintf(out, "%s step %s", mark, test->step);
    if (test->invariant) fprintf(out, " (invariant %d)", test->invariant);
    fprintf(out, ": ");
    for (const char *c = test->name; *c; c++)
        fputc(*c == '_' ? ' ' : *c, out);
}

/* As short as it can be said from here: people paste it. */
static const char *program_from_here(void) {
    char here[PATH_MAX];
    size_t len = getcwd(here, sizeof(here)) ? strlen(here) : 0;
    bool below = len > 1 && strncmp(harness.program, here, len) == 0 && harness.program[len] == '/';
    return below ? harness.program + len + 1 : harness.program;
}

static void explain_failure(const struct harness_test *test, const char *why, FILE *output) {
    fflush(stdout);
    print_sentence(stderr, "FAIL", test);
    fprintf(stderr, "\n      %s:%d: %s\n", test->file, test->line, why);
    show_output(output, stderr);
    if (harness.report->tmpdir[0]) fprintf(stderr, "      kept: %s\n", harness.report->tmpdir);
    fprintf(stderr, "      again: %s %s\n", program_from_here(), test->name);
}

static int wait_for_child(pid_t pid) {
    int status = 0;
    watch(true);
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) harness_die("waitpid");
        if (harness.terminated_by) {
            kill_child();
            signal(harness.terminated_by, SIG_DFL);
            remove_todo_log();
            raise(harness.terminated_by);
        }
        uint64_t spent_ms = (now_ns() - harness.started_ns) / 1000000u;
        if (spent_ms > (uint64_t)harness.report->limit_ms + LAST_WORDS_MS) {
            kill_child();
        } else if (spent_ms > harness.report->limit_ms && !harness.timed_out) {
            harness.timed_out = true;
            kill(pid, SIGABRT); /* under a sanitizer it says where it was */
        }
    }
    watch(false);
    harness.left_running = kill(-pid, 0) == 0;
    kill_child();
    harness.child = 0;
    return status;
}

static bool run_forked(const struct harness_test *test, bool verbose) {
    FILE *output = tmpfile();
    if (!output) harness_die("tmpfile");
    memset(harness.report, 0, sizeof(*harness.report));
    harness.report->limit_ms = limit_scaled(DEFAULT_LIMIT_MS);
    if (truncate(harness.todo, 0) != 0) harness_die(harness.todo);
    harness.timed_out = false;
    harness.started_ns = now_ns();
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) harness_die("fork");
    if (pid == 0) child_main(test, fileno(output));
    setpgid(pid, pid); /* both sides: whoever comes first */
    harness.child = pid;
    int status = wait_for_child(pid);

    char text[256];
    const char *why = verdict(status, text, sizeof(text));
    if (why) {
        explain_failure(test, why, output);
    } else {
        if (harness.report->tmpdir[0])
            nftw(harness.report->tmpdir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        if (verbose) {
            print_sentence(stdout, "pass", test);
            printf("  (%.3f s)\n", (double)(now_ns() - harness.started_ns) / 1e9);
            show_output(output, stdout);
        }
    }
    fclose(output);
    return why == NULL;
}

static bool run_in_process(const struct harness_test *test) {
    memset(harness.report, 0, sizeof(*harness.report));
    harness.report->child = getpid();
    bool ok = run_under_cmocka(test);
    print_sentence(stdout, ok ? "pass" : "FAIL", test);
    putchar('\n');
    return ok;
}

/* ---- the suite ------------------------------------------------------------------------------- */

struct options {
    bool list, no_fork, verbose;
    char **names; /* none: all */
    int name_count;
};

static struct options parse_options(int argc, char **argv) {
    struct options options = {0};
    int next = 1;
    for (; next < argc && argv[next][0] == '-'; next++) {
        if (strcmp(argv[next], "--list") == 0) {
            options.list = true;
        } else if (strcmp(argv[next], "--no-fork") == 0) {
            options.no_fork = true;
        } else if (strcmp(argv[next], "-v") == 0) {
            options.verbose = true;
        } else {
            fprintf(stderr, "usage: %s [--list] [--no-fork] [-v] [name...]\n", argv[0]);
            exit(2);
        }
    }
    options.names = argv + next;
    options.name_count = argc - next;
    return options;
}

static bool picked(const struct options *options, const struct harness_test *test) {
    for (int i = 0; i < options->name_count; i++) {
        if (strcmp(options->names[i], test->name) == 0) return true;
    }
    return options->name_count == 0;
}

static unsigned count_picked(const struct options *options) {
    unsigned count = 0;
    for (const struct harness_test *test = harness.first; test; test = test->next) {
        if (picked(options, test)) count++;
    }
    for (int i = 0; i < options->name_count; i++) {
        bool known = false;
        for (const struct harness_test *test = harness.first; test; test = test->next) {
            if (strcmp(test->name, options->names[i]) == 0) known = true;
        }
        if (!known) {
            fprintf(stderr, "%s: no test named %s (see --list)\n", harness.program,
                    options->names[i]);
            exit(2);
        }
    }
    return count;
}

static void install_handlers(void) {
    struct sigaction action = {.sa_handler = on_tick}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    action.sa_handler = on_terminate;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

/* "registered passed failed", for run_suites.py, which believes no suite without it. */
static void write_result(unsigned registered, unsigned passed, unsigned failed) {
    const char *path = getenv("CAIRN_RESULT");
    if (!path || path[0] == '\0') return;
    FILE *file = fopen(path, "w");
    if (!file || fprintf(file, "%u %u %u\n", registered, passed, failed) < 0 || fclose(file) != 0)
        harness_die(path);
}

/* One for all tests, emptied before each; the environment hands it to what a test starts. */
static void make_todo_log(void) {
    snprintf(harness.todo, sizeof(harness.todo), "/tmp/cairn-todo-XXXXXX");
    int file = mkstemp(harness.todo);
    if (file < 0) harness_die(harness.todo);
    close(file);
    harness.todo_owner = getpid();
    atexit(remove_todo_log);
    setenv("CAIRN_TODO", harness.todo, 1);
}

static void find_program(const char *argv0) {
    if (!realpath(argv0, harness.program))
        snprintf(harness.program, sizeof(harness.program), "%s", argv0);
}

/* With -v as fields: what a tool that groups tests by step wants to know. */
static void print_listed(const struct harness_test *test, bool verbose) {
    if (verbose) printf("%s\t%d\t%s:%d\t", test->step, test->invariant, test->file, test->line);
    printf("%s\n", test->name);
}

int main(int argc, char **argv) {
    struct options options = parse_options(argc, argv);
    find_program(argv[0]);
    if (options.list) {
        for (const struct harness_test *test = harness.first; test; test = test->next)
            print_listed(test, options.verbose);
        return 0;
    }
    harness.report =
        mmap(NULL, sizeof(struct report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    if (harness.report == MAP_FAILED) harness_die("mmap");
    install_handlers();
    if (!options.no_fork) make_todo_log();

    unsigned registered = count_picked(&options);
    unsigned passed = 0, failed = 0;
    for (const struct harness_test *test = harness.first; test; test = test->next) {
        if (!picked(&options, test)) continue;
        bool ok = options.no_fork ? run_in_process(test) : run_forked(test, options.verbose);
        *(ok ? &passed : &failed) += 1;
    }
    printf("%u passed, %u failed\n", passed, failed);
    write_result(registered, passed, failed);
    return failed == 0 && passed == registered && passed > 0 ? 0 : 1;
}
