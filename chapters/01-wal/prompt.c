/* prompt.c - reading commands from a person or a pipe. What lives here: lines, words, and what is
 * printed. What must not: any store. */
#include "prompt.h"

#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"

enum { WORDS_MAX = 4, HISTORY_LINES = 500, PRINTED_BYTES = 4096, SCAN_ROWS_MAX = 1000 };

/* ---- words ---------------------------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* One escape, from behind the backslash; returns what is behind it, or NULL. */
static const char *read_escape(const char *at, struct buf *word) {
    if (*at == '"' || *at == '\\') {
        buf_append_byte(word, (uint8_t)*at);
        return at + 1;
    }
    if (*at == 'n') {
        buf_append_byte(word, '\n');
        return at + 1;
    }
    if (*at != 'x' || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0) return NULL;
    buf_append_byte(word, (uint8_t)(hex_digit(at[1]) * 16 + hex_digit(at[2])));
    return at + 3;
}

/* One word; returns what is behind it, or NULL. */
static const char *read_word(const char *at, struct buf *word) {
    if (*at != '"') {
        size_t len = strcspn(at, " \t\r\n");
        buf_append(word, at, len);
        return at + len;
    }
    for (at++; *at != '"';) {
        if (*at == '\0') return NULL;
        if (*at == '\\') {
            at = read_escape(at + 1, word);
            if (at == NULL) return NULL;
        } else {
            buf_append_byte(word, (uint8_t)*at++);
        }
    }
    return at + 1;
}

enum status prompt_split(const char *line, struct buf *storage, struct slice *words, size_t max,
                         size_t *count, struct error *error) {
    size_t lens[WORDS_MAX + 1];
    *count = 0;
    buf_clear(storage);
    for (line += strspn(line, " \t\r\n"); *line != '\0'; line += strspn(line, " \t\r\n")) {
        size_t start = storage->len;
        if (*count == max || *count > WORDS_MAX)
            return error_set(error, STATUS_INVALID, "too many words");
        line = read_word(line, storage);
        if (line == NULL)
            return error_set(error, STATUS_INVALID, "a quote is not closed, or an escape unknown");
        lens[(*count)++] = storage->len - start;
    }
    /* Only now: the storage moved while it grew. */
    size_t start = 0;
    for (size_t i = 0; i < *count; i++) {
        words[i] = slice_of(storage->data != NULL ? storage->data + start : NULL, lens[i]);
        start += lens[i];
    }
    return STATUS_OK;
}

/* ---- commands ------------------------------------------------------------------------------- */

struct prompt {
    const struct prompt_store *store;
    struct buf value;
    struct buf words;
    size_t rows;
    bool quit;
    bool broken;
    char shown[64]; /* "wal> " */
};

static void print_bytes(struct slice bytes) {
    char printed[PRINTED_BYTES];
    fputs(slice_print(bytes, printed, sizeof(printed)), stdout);
}

static bool print_row(void *arg, struct slice key, struct slice value) {
    struct prompt *prompt = arg;
    if (prompt->rows == SCAN_ROWS_MAX) {
        printf("... (more than %d; give a start)\n", SCAN_ROWS_MAX);
        return false;
    }
    prompt->rows++;
    print_bytes(key);
    fputs(" = ", stdout);
    print_bytes(value);
    putchar('\n');
    return true;
}

static enum status do_put(struct prompt *prompt, const struct slice *words, struct error *error) {
    return prompt->store->put(prompt->store->arg, words[1], words[2], error);
}

static enum status do_get(struct prompt *prompt, const struct slice *words, struct error *error) {
    TRY(prompt->store->get(prompt->store->arg, words[1], &prompt->value, error));
    print_bytes(buf_slice(&prompt->value));
    putchar('\n');
    return STATUS_OK;
}

static enum status do_delete(struct prompt *prompt, const struct slice *words,
                             struct error *error) {
    return prompt->store->delete_key(prompt->store->arg, words[1], error);
}

static enum status do_scan(struct prompt *prompt, const struct slice *words, struct error *error) {
    prompt->rows = 0;
    return prompt->store->scan(prompt->store->arg, words[1], words[2], print_row, prompt, error);
}

static enum status do_save(struct prompt *prompt, const struct slice *words, struct error *error) {
    (void)words;
    return prompt->store->save(prompt->store->arg, error);
}

static enum status do_quit(struct prompt *prompt, const struct slice *words, struct error *error) {
    (void)words, (void)error;
    prompt->quit = true;
    return STATUS_OK;
}

static enum status do_help(struct prompt *prompt, const struct slice *words, struct error *error);

struct command {
    const char *name; /* NULL: the store's own save command */
    size_t words_min;
    size_t words_max;
    enum status (*run)(struct prompt *prompt, const struct slice *words, struct error *error);
    bool says_ok;
    const char *usage;
};

static const struct command commands[] = {
    {"put", 3, 3, do_put, true, "put KEY VALUE        durable when it answers OK"},
    {"get", 2, 2, do_get, false, "get KEY"},
    {"delete", 2, 2, do_delete, true, "delete KEY"},
    {"scan", 1, 3, do_scan, false, "scan [START [END]]   keys from START up to END, without END"},
    {NULL, 1, 1, do_save, true, NULL},
    {"help", 1, 1, do_help, false, "help"},
    {"quit", 1, 1, do_quit, false, "quit                 so does the end of the input"},
};

static enum status do_help(struct prompt *prompt, const struct slice *words, struct error *error) {
    (void)words, (void)error;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        puts(commands[i].name != NULL ? commands[i].usage : prompt->store->save_command);
    for (const struct prompt_command *more = prompt->store->more; more != NULL && more->name;
         more++)
        puts(more->usage);
    puts("A word in double quotes may hold blanks and \\\" \\\\ \\n \\xNN.");
    return STATUS_OK;
}

static const struct command *find_command(const struct prompt *prompt, struct slice word) {
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        const char *name =
            commands[i].name != NULL ? commands[i].name : prompt->store->save_command;
        if (slice_equal(slice_of_string(name), word)) return &commands[i];
    }
    return NULL;
}

static const struct prompt_command *find_more(const struct prompt *prompt, struct slice word) {
    for (const struct prompt_command *more = prompt->store->more; more != NULL && more->name;
         more++)
        if (slice_equal(slice_of_string(more->name), word)) return more;
    return NULL;
}

static enum status run_more(struct prompt *prompt, const struct prompt_command *more,
                            const struct slice *words, size_t count, struct error *error) {
    if (count < more->words_min || count > more->words_max)
        return error_set(error, STATUS_INVALID, "usage: %s", more->usage);
    return more->run(prompt->store->arg, words, error);
}

static enum status run_words(struct prompt *prompt, const struct slice *words, size_t count,
                             struct error *error) {
    const struct prompt_command *more = find_more(prompt, words[0]);
    if (more != NULL) return run_more(prompt, more, words, count, error);
    const struct command *command = find_command(prompt, words[0]);
    if (command == NULL) return error_set(error, STATUS_INVALID, "no such command; try help");
    if (count < command->words_min || count > command->words_max)
        return error_set(error, STATUS_INVALID, "usage: %s",
                         command->usage != NULL ? command->usage : prompt->store->save_command);
    TRY(command->run(prompt, words, error));
    if (command->says_ok) puts("OK");
    return STATUS_OK;
}

static void run_line(struct prompt *prompt, const char *line) {
    struct error error = {.message = ""};
    struct slice words[WORDS_MAX] = {SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY, SLICE_EMPTY};
    size_t count;
    enum status status = prompt_split(line, &prompt->words, words, WORDS_MAX, &count, &error);
    if (status == STATUS_OK && count > 0) status = run_words(prompt, words, count, &error);
    if (status == STATUS_NOT_FOUND)
        puts("(none)");
    else if (status != STATUS_OK)
        printf("%s: %s\n", status_name(status), error.message);
    prompt->broken = status == STATUS_IO || status == STATUS_CORRUPT;
    fflush(stdout);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static char *show_prompt(EditLine *editor) {
    struct prompt *prompt = NULL;
    el_get(editor, EL_CLIENTDATA, &prompt);
    return prompt->shown;
}

static void run_terminal(struct prompt *prompt) {
    EditLine *editor = el_init("cairn", stdin, stdout, stderr);
    History *lines = history_init();
    HistEvent event;
    history(lines, &event, H_SETSIZE, HISTORY_LINES);
    el_set(editor, EL_CLIENTDATA, prompt);
    el_set(editor, EL_PROMPT, show_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, lines);
    int len;
    while (!prompt->quit && !prompt->broken) {
        const char *line = el_gets(editor, &len);
        if (line == NULL || len <= 0) break;
        if (len > 1) history(lines, &event, H_ENTER, line);
        run_line(prompt, line);
    }
    history_end(lines);
    el_end(editor);
}

static void run_pipe(struct prompt *prompt) {
    char *line = NULL;
    size_t capacity = 0;
    while (!prompt->quit && !prompt->broken && getline(&line, &capacity, stdin) > 0)
        run_line(prompt, line);
    free(line);
}

int prompt_run(const struct prompt_store *store) {
    struct prompt prompt = {.store = store};
    snprintf(prompt.shown, sizeof(prompt.shown), "%s> ", store->name);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        puts("Type help for help.");
        run_terminal(&prompt);
    } else {
        run_pipe(&prompt);
    }
    buf_deinit(&prompt.value);
    buf_deinit(&prompt.words);
    return prompt.broken ? 1 : 0;
}
