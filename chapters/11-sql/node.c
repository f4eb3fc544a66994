/* node.c - chapter 11's node: SQL on one machine, in one process, at a prompt.
 *
 *   node --data=DIR --engine=mem|lsm|rocksdb
 *
 * A statement ends with a semicolon at the end of a line; \q or the end of the input ends the node.
 * What was answered is durable: the engine's log is synced before the answer is shown. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "env_uv.h"
#include "sql_printer.h"
#include "sql_solo.h"

enum { LINE_BYTES_MAX = 64 * 1024, SCRIPT_BYTES_MAX = 16 * 1024 * 1024 };

struct prompt {
    struct env *env;
    struct sql_solo *solo;
    struct sql_session *session;
    struct sql_printer printer;
    struct buf script;
    bool terminal;
};

/* ---- one script, on a coroutine -------------------------------------------------------------- */

static void run_script(void *arg) {
    struct prompt *prompt = arg;
    struct sql_error error = {0};
    enum status status = sql_session_run(prompt->session, buf_slice(&prompt->script), &error);
    if (status != STATUS_OK) sql_printer_error(&prompt->printer, &error);
    env_stop(prompt->env);
}

static bool execute(struct prompt *prompt) {
    struct error error;
    buf_clear(&prompt->printer.out);
    if (co_spawn(sql_solo_coroutines(prompt->solo), run_script, prompt, NULL) != STATUS_OK) {
        return false;
    }
    env_run(prompt->env);
    if (sql_solo_sync(prompt->solo, &error) != STATUS_OK) {
        log_error(env_log(prompt->env), "node", "cannot sync: %s", error.message);
        return false;
    }
    fwrite(prompt->printer.out.data, 1, prompt->printer.out.len, stdout);
    fflush(stdout);
    return true;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool ends_statement(const struct buf *script) {
    size_t len = script->len;
    while (len > 0 && strchr(" \t\r\n", script->data[len - 1]) != NULL)
        len--;
    return len > 0 && script->data[len - 1] == ';';
}

/* False at the end of the input. */
static bool read_script(struct prompt *prompt) {
    char line[LINE_BYTES_MAX];
    buf_clear(&prompt->script);
    do {
        if (prompt->terminal) {
            fputs(prompt->script.len == 0 ? "sql> " : "  -> ", stdout);
            fflush(stdout);
        }
        if (fgets(line, sizeof line, stdin) == NULL) return prompt->script.len > 0;
        if (prompt->script.len == 0 && strncmp(line, "\\q", 2) == 0) return false;
        buf_append_string(&prompt->script, line);
        if (prompt->script.len > SCRIPT_BYTES_MAX) return false;
    } while (!ends_statement(&prompt->script));
    return true;
}

static int run_prompt(struct prompt *prompt) {
    bool alive = true;
    prompt->terminal = isatty(STDIN_FILENO) == 1;
    prompt->session = sql_session_new(sql_solo_server(prompt->solo), "cairn", "cairn",
                                      &sql_printer_sink, &prompt->printer);
    while (alive && read_script(prompt))
        alive = execute(prompt);
    sql_session_free(prompt->session);
    buf_deinit(&prompt->printer.out);
    buf_deinit(&prompt->script);
    return alive ? 0 : 1;
}

int main(int argc, char **argv) {
    struct engine_options options = {.dir = "data/11-sql", .own_log = true};
    const char *kind = "mem";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--data=", 7) == 0) {
            options.dir = argv[i] + 7;
        } else if (strncmp(argv[i], "--engine=", 9) == 0) {
            kind = argv[i] + 9;
        } else {
            fprintf(stderr, "usage: node --data=DIR --engine=KIND   kinds: %s\n", engine_kinds());
            return 2;
        }
    }
    struct log log;
    struct error error;
    log_init_stderr(&log, LOG_INFO);
    struct env *env = env_uv_new(&log);
    struct prompt prompt = {.env = env};
    int exit_status = 1;
    if (sql_solo_open(env, kind, &options, &prompt.solo, &error) == STATUS_OK) {
        log_info(&log, "node", "open data=%s engine=%s", options.dir, kind);
        exit_status = run_prompt(&prompt);
        sql_solo_close(prompt.solo);
    } else {
        log_error(&log, "node", "cannot open the store: %s", error.message);
    }
    env_uv_free(env);
    return exit_status;
}
