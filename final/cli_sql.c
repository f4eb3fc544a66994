/* cli_sql.c - the SQL prompt: lines, history, backslash commands, aligned tables, timing.
 *
 * Statements end with a semicolon; lines are gathered until one does. Ctrl-C cancels the statement
 * that runs, or drops what was typed. A prompt that loses its node goes on at the next one. */
#include <editline/readline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "env_uv.h"
#include "pg_frontend.h"
#include "sql_client.h"

#define CONNECT_TIMEOUT_NS (5 * NS_PER_S)
enum { HISTORY_LINES = 1000, PATH_BYTES = 512 };

static volatile int interrupted;

struct prompt {
    const struct cli_options *options;
    struct env *env;
    struct sql_client *client;
    struct cli_table table;
    bool has_table;
    bool timing;
    bool quit;
    struct slice sql; /* being run, for positions of errors */
};

/* ---- what a query yields --------------------------------------------------------------------- */

static bool is_number_type(uint32_t oid) {
    static const uint32_t numbers[] = {20, 21, 23, 26, 700, 701, 1700};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] == oid) return true;
    }
    return false;
}

static void on_columns(void *arg, const struct slice *names, const uint32_t *type_oids,
                       size_t count) {
    struct prompt *prompt = arg;
    cli_table_init(&prompt->table, count);
    prompt->has_table = true;
    for (size_t i = 0; i < count; i++) {
        cli_table_add(&prompt->table, names[i]);
        prompt->table.right_aligned[i] = is_number_type(type_oids[i]);
    }
}

static void on_row(void *arg, const struct slice *values, size_t count) {
    struct prompt *prompt = arg;
    prompt->table.rows++;
    for (size_t i = 0; i < count; i++) {
        if (values[i].data == NULL) {
            cli_table_add_null(&prompt->table);
        } else {
            cli_table_add(&prompt->table, values[i]);
        }
    }
}

static void drop_table(struct prompt *prompt) {
    if (prompt->has_table) cli_table_deinit(&prompt->table);
    prompt->has_table = false;
}

static void on_complete(void *arg, struct slice tag) {
    struct prompt *prompt = arg;
    if (prompt->has_table) {
        struct buf out = BUF_INIT;
        cli_table_render(&prompt->table, true, &out);
        fwrite(out.data, 1, out.len, stdout);
        buf_deinit(&out);
        drop_table(prompt);
    } else {
        printf("%.*s\n", (int)tag.len, (const char *)tag.data);
    }
}

/* The line of the statement with a caret below the character that the error names. */
static void print_position(struct slice sql, unsigned position) {
    size_t at = 0;
    for (unsigned c = 1; c < position && at < sql.len; c++) {
        do
            at++;
        while (at < sql.len && (sql.data[at] & 0xc0) == 0x80);
    }
    size_t start = at, end = at;
    unsigned line = 1;
    while (start > 0 && sql.data[start - 1] != '\n')
        start--;
    while (end < sql.len && sql.data[end] != '\n')
        end++;
    for (size_t i = 0; i < start; i++)
        line += sql.data[i] == '\n';
    int indent = fprintf(stderr, "LINE %u: ", line);
    fprintf(stderr, "%.*s\n", (int)(end - start), (const char *)sql.data + start);
    indent += (int)cli_text_width(slice_of(sql.data + start, at - start));
    fprintf(stderr, "%*s^\n", indent, "");
}

static unsigned to_number(struct slice digits) {
    unsigned number = 0;
    for (size_t i = 0; i < digits.len && i < 9; i++)
        number = number * 10 + (unsigned)(digits.data[i] - '0');
    return number;
}

static void print_field(struct slice body, char field, const char *label) {
    struct slice text = pg_answer_field(body, field);
    if (text.len > 0) fprintf(stderr, "%s:  %.*s\n", label, (int)text.len, (const char *)text.data);
}

static void on_message(void *arg, bool is_error, struct slice body) {
    struct prompt *prompt = arg;
    struct slice severity = pg_answer_field(body, 'S');
    char label[32];
    unsigned position = to_number(pg_answer_field(body, 'P'));
    fflush(stdout);
    snprintf(label, sizeof label, "%.*s", (int)severity.len, (const char *)severity.data);
    print_field(body, 'M', label);
    if (is_error && position > 0) print_position(prompt->sql, position);
    print_field(body, 'D', "DETAIL");
    print_field(body, 'H', "HINT");
}

/* ---- running --------------------------------------------------------------------------------- */

static bool connect_to(struct prompt *prompt, unsigned port, struct error *error) {
    const char *user = getenv("USER");
    if (sql_client_connect(prompt->env, prompt->options->host, (uint16_t)port,
                           user == NULL ? "cairn" : user, "cairn", CONNECT_TIMEOUT_NS,
                           &prompt->client, error) != STATUS_OK) {
        prompt->client = NULL;
        return false;
    }
    sql_client_cancel_on(prompt->client, &interrupted);
    return true;
}

/* To the node that was asked for, or to the first that answers of those beside it. */
static bool connect_again(struct prompt *prompt) {
    const struct cli_options *options = prompt->options;
    struct error error, other;
    if (connect_to(prompt, options->port, &error)) return true;
    for (unsigned k = 1; k < options->nodes && options->port + k <= UINT16_MAX; k++) {
        if (!connect_to(prompt, options->port + k, &other)) continue;
        fprintf(stderr, "cairn: connected to %s:%u\n", options->host, options->port + k);
        return true;
    }
    fprintf(stderr, "cairn: %s\n", error.message);
    return false;
}

/* False if a statement failed. */
static bool run(struct prompt *prompt, struct slice sql) {
    static const struct sql_client_handler handler = {
        .columns = on_columns, .row = on_row, .complete = on_complete, .message = on_message};
    struct error error;
    bool failed = false;
    if (prompt->client == NULL && !connect_again(prompt)) return false;
    interrupted = 0;
    prompt->sql = sql;
    uint64_t start_ns = env_now_ns(prompt->env);
    enum status status =
        sql_client_query(prompt->client, sql, &handler, prompt, 0, &failed, &error);
    drop_table(prompt);
    if (status != STATUS_OK) {
        fprintf(stderr, "cairn: %s; the next statement connects again\n", error.message);
        sql_client_close(prompt->client);
        prompt->client = NULL;
        return false;
    }
    if (prompt->timing)
        printf("Time: %.3f ms\n", (double)(env_now_ns(prompt->env) - start_ns) / (double)NS_PER_MS);
    return !failed;
}

/* ---- backslash commands ---------------------------------------------------------------------- */

static const char help_text[] =
    "  \\dt          tables\n"
    "  \\d NAME      columns of a table\n"
    "  \\timing      show how long statements take, or stop showing it\n"
    "  \\q           quit\n"
    "Everything else is SQL, up to a semicolon.\n";

static void describe(struct prompt *prompt, const char *name) {
    struct buf sql = BUF_INIT;
    buf_append_string(&sql, "SHOW COLUMNS FROM \"");
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"') buf_append_byte(&sql, '"');
        buf_append_byte(&sql, (uint8_t)*c);
    }
    buf_append_string(&sql, "\"");
    run(prompt, buf_slice(&sql));
    buf_deinit(&sql);
}

static void backslash(struct prompt *prompt, char *line) {
    char *name = line + strcspn(line, " \t;");
    while (*name == ' ' || *name == '\t')
        *name++ = '\0';
    line[strcspn(line, ";")] = '\0';
    name[strcspn(name, "; \t")] = '\0';
    if (strcmp(line, "\\q") == 0) {
        prompt->quit = true;
    } else if (strcmp(line, "\\dt") == 0 || (strcmp(line, "\\d") == 0 && *name == '\0')) {
        run(prompt, SLICE_LITERAL("SHOW TABLES"));
    } else if (strcmp(line, "\\d") == 0) {
        describe(prompt, name);
    } else if (strcmp(line, "\\timing") == 0) {
        prompt->timing = !prompt->timing;
        printf("Timing is %s.\n", prompt->timing ? "on" : "off");
    } else {
        if (strcmp(line, "\\?") != 0 && strcmp(line, "\\h") != 0)
            printf("There is no command %s.\n", line);
        fputs(help_text, stdout);
    }
}

/* ---- reading lines --------------------------------------------------------------------------- */

/* True when the text ends with a semicolon outside of quotes and comments. */
static bool is_complete(struct slice text) {
    char quote = 0;
    bool complete = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.data[i];
        if (quote != 0) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
            complete = false;
        } else if (c == '-' && i + 1 < text.len && text.data[i + 1] == '-') {
            while (i < text.len && text.data[i] != '\n')
                i++;
        } else if (c == ';') {
            complete = true;
        } else if (c != ' ' && c != '\t' && c != '\n') {
            complete = false;
        }
    }
    return complete && quote == 0;
}

static bool is_blank(struct slice text) {
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\n", text.data[i]) == NULL) return false;
    }
    return true;
}

static char *read_line(bool terminal, const char *text) {
    interrupted = 0;
    if (terminal) return readline(text);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t len = getline(&line, &capacity, stdin);
    if (len < 0) {
        free(line);
        return NULL;
    }
    if (len > 0 && line[len - 1] == '\n') line[len - 1] = '\0';
    return line;
}

static const char *prompt_text(const struct prompt *prompt, bool more) {
    char status = prompt->client == NULL ? 'I' : sql_client_transaction_status(prompt->client);
    if (more) return "cairn-> ";
    return status == 'T' ? "cairn=*> " : status == 'E' ? "cairn=!> " : "cairn=> ";
}

/* False if the last statement failed. */
static bool prompt_loop(struct prompt *prompt, bool terminal) {
    struct buf sql = BUF_INIT;
    bool succeeded = true;
    while (!prompt->quit) {
        char *line = read_line(terminal, prompt_text(prompt, sql.len > 0));
        if (line == NULL && !interrupted) break;
        if (line == NULL) { /* Ctrl-C */
            buf_clear(&sql);
            putchar('\n');
            continue;
        }
        if (sql.len == 0 && line[0] == '\\') {
            if (terminal) add_history(line);
            backslash(prompt, line);
        } else {
            if (sql.len > 0) buf_append_byte(&sql, '\n');
            buf_append_string(&sql, line);
            if (is_blank(buf_slice(&sql))) buf_clear(&sql);
        }
        free(line);
        if (!is_complete(buf_slice(&sql))) continue;
        if (terminal) {
            buf_append_byte(&sql, 0);
            add_history((const char *)sql.data);
            sql.len--;
        }
        succeeded = run(prompt, buf_slice(&sql));
        buf_clear(&sql);
    }
    if (sql.len > 0 && !prompt->quit) succeeded = run(prompt, buf_slice(&sql));
    buf_deinit(&sql);
    return succeeded;
}

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static void history_path(char *out) {
    const char *home = getenv("HOME");
    snprintf(out, PATH_BYTES, "%.480s/.cairn_history", home == NULL ? "." : home);
}

int cli_sql(const struct cli_options *options) {
    struct log log;
    log_init_null(&log);
    struct prompt prompt = {.options = options, .env = env_uv_new(&log)};
    bool terminal = isatty(0) != 0;
    char history[PATH_BYTES];
    struct error error;
    bool succeeded = connect_to(&prompt, options->port, &error);
    if (!succeeded) fprintf(stderr, "cairn: %s\n", error.message);
    if (succeeded && options->sql != NULL) {
        succeeded = run(&prompt, slice_of_string(options->sql));
    } else if (succeeded) {
        signal(SIGINT, on_interrupt);
        if (terminal) {
            history_path(history);
            using_history();
            stifle_history(HISTORY_LINES);
            read_history(history);
            printf("Cairn on %s:%u. \\? helps, \\q quits.\n", options->host, options->port);
        }
        succeeded = prompt_loop(&prompt, terminal);
        if (terminal) {
            write_history(history);
            succeeded = true; /* a person has seen what failed */
        }
    }
    sql_client_close(prompt.client);
    env_uv_free(prompt.env);
    return succeeded ? 0 : 1;
}
