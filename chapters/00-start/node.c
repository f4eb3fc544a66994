/* node.c - hello, node: the smallest program of Cairn that runs.
 *
 *   node [--guests=N]
 *
 * It reads commands, a line each, answers from the guest book and forgets everything when it ends.
 * What lives here: lines and answers. Time and log come from env, as in every node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env_uv.h"
#include "guestbook.h"

enum { GUESTS_DEFAULT = 100000, PRINTED_BYTES = 4096 };

struct node {
    struct env *env;
    struct guestbook *book;
    uint64_t started_ns;
    bool quit;
};

static void print_bytes(struct slice bytes) {
    char printed[PRINTED_BYTES];
    fputs(slice_print(bytes, printed, sizeof(printed)), stdout);
}

static void say_hello(struct node *node, struct slice name) {
    struct error error;
    uint64_t visits;
    enum status status = guestbook_greet(node->book, name, &visits, &error);
    if (status != STATUS_OK) {
        printf("%s: %s\n", status_name(status), error.message);
        return;
    }
    double seconds = (double)(env_now_ns(node->env) - node->started_ns) / (double)NS_PER_S;
    fputs("hello, ", stdout);
    print_bytes(name);
    printf(": visit %llu, %zu in the book, %.3f s after the start\n", (unsigned long long)visits,
           guestbook_count(node->book), seconds);
}

static void print_guest(void *arg, struct slice name, uint64_t visits) {
    (void)arg;
    print_bytes(name);
    printf(" %llu\n", (unsigned long long)visits);
}

static void show_guests(struct node *node, struct slice name) {
    (void)name;
    guestbook_each(node->book, print_guest, NULL);
}

static void show_bytes(struct node *node, struct slice name) {
    (void)name;
    struct buf bytes = BUF_INIT;
    guestbook_encode(node->book, &bytes);
    print_bytes(buf_slice(&bytes));
    putchar('\n');
    buf_deinit(&bytes);
}

static void show_help(struct node *node, struct slice name) {
    (void)node, (void)name;
    puts("hello NAME   greet a guest\n"
         "guests       who was here, and how often\n"
         "bytes        the book as the bytes that a disk would get\n"
         "quit         so does the end of the input");
}

static void quit(struct node *node, struct slice name) {
    (void)name;
    node->quit = true;
}

static const struct {
    const char *name;
    void (*run)(struct node *node, struct slice name);
} commands[] = {
    {"hello", say_hello}, {"guests", show_guests}, {"bytes", show_bytes},
    {"help", show_help},  {"quit", quit},
};

/* `line` ends without its newline. */
static void run_line(struct node *node, const char *line) {
    size_t word = strcspn(line, " ");
    const char *rest = line + word + strspn(line + word, " ");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strlen(commands[i].name) != word || strncmp(commands[i].name, line, word) != 0)
            continue;
        commands[i].run(node, slice_of_string(rest));
        return;
    }
    if (*line != '\0') puts("INVALID: no such command; try help");
}

static void run_lines(struct node *node) {
    bool person = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    char *line = NULL;
    size_t capacity = 0;
    if (person) puts("Type help for help.");
    while (!node->quit) {
        if (person) fputs("hello> ", stdout);
        fflush(stdout);
        ssize_t len = getline(&line, &capacity, stdin);
        if (len <= 0) break;
        if (line[len - 1] == '\n') line[len - 1] = '\0';
        run_line(node, line);
    }
    free(line);
}

static int usage(FILE *out, int exit_status) {
    fputs("usage: node [--guests=N]\n"
          "  --guests=N  the book holds at most N names; 100000 if not given\n",
          out);
    return exit_status;
}

int main(int argc, char **argv) {
    size_t guests_max = GUESTS_DEFAULT;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return usage(stdout, 0);
        char *end = NULL;
        if (strncmp(argv[i], "--guests=", 9) != 0) return usage(stderr, 2);
        guests_max = strtoul(argv[i] + 9, &end, 10);
        if (guests_max == 0 || *end != '\0') return usage(stderr, 2);
    }
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    struct node node = {.env = env_uv_new(&log), .book = guestbook_new(guests_max)};
    node.started_ns = env_now_ns(node.env);
    log_info(env_log(node.env), "node", "hello guests_max=%zu", guests_max);
    run_lines(&node);
    guestbook_free(node.book);
    env_uv_free(node.env);
    return 0;
}
