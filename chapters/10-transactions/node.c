/* node.c - chapter 10's node: several transactions at one prompt, interleaved by hand.
 *
 *     node [--data=DIR] [--engine=KIND]
 *
 *     txn> a begin            each session is a word: a, b, c ...
 *     txn> a lock x           a reads x FOR UPDATE
 *     txn> b lock x           b waits; the prompt goes on
 *
 * A session runs its commands on a coroutine of its own, one after another. */
#include <stdio.h>

#include "co.h"
#include "env_uv.h"
#include "mem.h"
#include "solo_node.h"
#include "txn.h"
#include "txn_commands.h"

enum { MAX_SESSIONS = 8, PATIENCE_MS = 100 };

struct console;

struct session {
    struct console *console;
    char name[16];
    struct co *co;
    struct txn *txn; /* NULL: between transactions */
    struct buf storage;
    struct slice words[LINE_WORDS_MAX];
    size_t count; /* words of the command to run; 0: none */
    bool busy, quit;
};

struct console {
    struct solo_node node;
    struct txn_commands commands;
    struct txn_collector *collector;
    struct kv *kv;
    struct txn_manager *txns;
    struct co_pool *pool;
    struct line_input input;
    struct env_timer patience;
    struct session sessions[MAX_SESSIONS];
    size_t session_count, live;
    struct session *awaited; /* whose command the next line waits for */
};

static void print_help(void) {
    printf("SESSION begin          SESSION commit        SESSION rollback\n"
           "SESSION get KEY        SESSION lock KEY      SESSION scan [FIRST [BEYOND]]\n"
           "SESSION put KEY VALUE  SESSION insert KEY VALUE  SESSION delete KEY\n"
           "help                   quit\n"
           "SESSION is any word. Without begin a command is a transaction of its own.\n");
}

/* ---- commands, on the session's coroutine --------------------------------------------------- */

static bool verb_is(const struct session *session, const char *verb, size_t arguments) {
    return session->count == arguments + 2 && slice_equal(session->words[1], slice_of_string(verb));
}

static void print_row(const struct session *session, struct slice key, struct slice value) {
    printf("%s: %.*s = %.*s\n", session->name, (int)key.len, (const char *)key.data, (int)value.len,
           (const char *)value.data);
}

static enum status run_get(struct session *session, unsigned flags, struct error *error) {
    struct buf value = BUF_INIT;
    enum status status = txn_get(session->txn, session->words[2], flags, &value, error);
    if (status == STATUS_OK) print_row(session, session->words[2], buf_slice(&value));
    if (status == STATUS_NOT_FOUND) printf("%s: (nothing)\n", session->name);
    buf_deinit(&value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status run_scan(struct session *session, struct error *error) {
    struct txn_scan scan = {0};
    if (session->count > 2) scan.start = session->words[2];
    if (session->count > 3) scan.end = session->words[3];
    struct txn_cursor *cursor = txn_scan_open(session->txn, &scan);
    enum status status;
    size_t count, total = 0;
    do {
        const struct txn_row *rows;
        status = txn_scan_next(cursor, &rows, &count, error);
        for (size_t i = 0; i < count; i++)
            print_row(session, rows[i].key, rows[i].value);
        total += count;
    } while (status == STATUS_OK && count > 0);
    txn_scan_close(cursor);
    if (status == STATUS_OK) printf("%s: (%zu)\n", session->name, total);
    return status;
}

static enum status run_in_txn(struct session *session, struct error *error) {
    struct slice *words = session->words;
    if (verb_is(session, "get", 1)) return run_get(session, 0, error);
    if (verb_is(session, "lock", 1)) return run_get(session, TXN_FOR_UPDATE, error);
    if (slice_equal(words[1], SLICE_LITERAL("scan")) && session->count <= 4)
        return run_scan(session, error);
    if (verb_is(session, "put", 2)) return txn_put(session->txn, words[2], words[3], error);
    if (verb_is(session, "insert", 2))
        return txn_put_absent(session->txn, words[2], words[3], TXN_IMMEDIATE, error);
    if (verb_is(session, "delete", 1)) return txn_delete(session->txn, words[2], error);
    return error_set(error, STATUS_INVALID, "no such command; try help");
}

static enum status end_txn(struct session *session, bool commit, struct error *error) {
    enum status status = STATUS_OK;
    if (commit)
        status = txn_commit(session->txn, error);
    else
        txn_rollback(session->txn);
    if (status == STATUS_OK && txn_commit_timestamp(session->txn) != 0) {
        printf("%s: committed @%llu\n", session->name,
               (unsigned long long)txn_commit_timestamp(session->txn));
    } else if (status == STATUS_OK) {
        printf("%s: %s\n", session->name, commit ? "committed, nothing written" : "rolled back");
    }
    txn_free(session->txn);
    session->txn = NULL;
    return status;
}

static enum status run_command(struct session *session, struct error *error) {
    bool open = session->txn != NULL;
    bool commit = verb_is(session, "commit", 0), rollback = verb_is(session, "rollback", 0);
    if ((commit || rollback) && open) return end_txn(session, commit, error);
    if (commit || rollback) return error_set(error, STATUS_INVALID, "no transaction is open");
    bool begin = verb_is(session, "begin", 0);
    if (begin && open) return error_set(error, STATUS_INVALID, "a transaction is open already");
    if (!open) {
        struct request request = request_init(REQUEST_NO_DEADLINE);
        session->txn = txn_begin(session->console->txns, &request);
    }
    enum status status = begin ? STATUS_OK : run_in_txn(session, error);
    if (begin || open) {
        if (status == STATUS_OK) printf("%s: ok\n", session->name);
    } else if (status == STATUS_OK) {
        status = end_txn(session, true, error);
    } else {
        txn_free(session->txn);
        session->txn = NULL;
    }
    return status;
}

static void next_line(struct console *console) {
    env_timer_stop(&console->patience);
    console->awaited = NULL;
    line_input_next(&console->input);
}

static void run_session(void *arg) {
    struct session *session = arg;
    struct console *console = session->console;
    while (!session->quit) {
        if (session->count == 0) {
            if (co_await() != STATUS_OK) break;
            continue;
        }
        struct error error;
        enum status status = run_command(session, &error);
        if (status != STATUS_OK)
            printf("%s: %s: %s\n", session->name, status_name(status), error.message);
        session->count = 0;
        session->busy = false;
        if (console->awaited == session) next_line(console);
    }
    txn_free(session->txn);
    buf_deinit(&session->storage);
    if (--console->live == 0) env_stop(console->node.env);
}

/* ---- the console ---------------------------------------------------------------------------- */

static struct session *find_session(struct console *console, struct slice name) {
    for (size_t i = 0; i < console->session_count; i++) {
        if (slice_equal(slice_of_string(console->sessions[i].name), name))
            return &console->sessions[i];
    }
    if (console->session_count == MAX_SESSIONS || name.len >= sizeof console->sessions[0].name)
        return NULL;
    struct session *session = &console->sessions[console->session_count];
    *session = (struct session){.console = console};
    memcpy(session->name, name.data, name.len);
    if (co_spawn(console->pool, run_session, session, &session->co) != STATUS_OK) return NULL;
    console->session_count++;
    console->live++;
    return session;
}

/* The words live in the line: the session keeps copies. */
static void give_command(struct session *session, const struct slice *words, size_t count) {
    buf_clear(&session->storage);
    for (size_t i = 0; i < count; i++)
        buf_append_slice(&session->storage, words[i]);
    const uint8_t *at = session->storage.data;
    for (size_t i = 0; i < count; i++) {
        session->words[i] = slice_of(at, words[i].len);
        at += words[i].len;
    }
    session->count = count;
    session->busy = true;
    co_wake(session->co);
}

static void lose_patience(void *arg) {
    struct console *console = arg;
    printf("%s: (waits)\n", console->awaited->name);
    next_line(console);
}

static void on_end(void *arg) {
    struct console *console = arg;
    if (console->live == 0) env_stop(console->node.env);
    for (size_t i = 0; i < console->session_count; i++) {
        console->sessions[i].quit = true;
        co_cancel(console->sessions[i].co);
    }
}

static void on_line(void *arg, struct slice *words, size_t count) {
    struct console *console = arg;
    if (count == 1 && slice_equal(words[0], SLICE_LITERAL("quit"))) {
        on_end(console);
        return;
    }
    struct session *session = count > 1 ? find_session(console, words[0]) : NULL;
    if (session == NULL || session->busy) {
        if (session == NULL)
            print_help();
        else
            printf("%s: still waits\n", session->name);
        line_input_next(&console->input);
        return;
    }
    give_command(session, words, count);
    console->awaited = session;
    struct env *env = console->node.env;
    env_timer_start(env, &console->patience, env_now_ns(env) + PATIENCE_MS * NS_PER_MS);
}

static void run(struct console *console, struct env *env) {
    solo_node_lead(&console->node);
    console->collector = txn_collector_new(env, console->node.store);
    console->kv = kv_local_new(console->node.store);
    struct txn_manager_options options = {
        .kv = console->kv, .env = env, .hlc = &console->node.hlc, .metrics = console->node.metrics};
    console->txns = txn_manager_new(&options);
    console->pool = co_pool_new(env, MAX_SESSIONS);
    console->input = (struct line_input){
        .env = env, .prompt = "txn> ", .on_line = on_line, .on_end = on_end, .arg = console};
    env_timer_init(&console->patience, lose_patience, console);
    line_input_next(&console->input);
    env_run(env);
    env_uv_settle(env);
    co_pool_free(console->pool);
    txn_manager_free(console->txns);
    txn_collector_free(console->collector);
    solo_node_close(&console->node);
    kv_local_free(console->kv);
}

static int usage(void) {
    fprintf(stderr, "usage: node [--data=data/10-transactions] [--engine=KIND]   kinds: %s\n",
            engine_kinds());
    return 2;
}

int main(int argc, char **argv) {
    const char *data = "data/10-transactions", *engine = "mem", *value;
    for (int i = 1; i < argc; i++) {
        if ((value = option_value(argv[i], "--data")) != NULL)
            data = value;
        else if ((value = option_value(argv[i], "--engine")) != NULL)
            engine = value;
        else
            return usage();
    }
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    struct env *env = env_uv_new(&log);
    struct console *console = MEM_NEW(struct console);
    struct error error;
    int exit_status = 0;
    if (solo_node_open(&console->node, env, data, engine, &error) == STATUS_OK) {
        txn_commands_init(&console->commands, console->node.recent, console->node.metrics);
        txn_commands_register(&console->commands, console->node.store);
        run(console, env);
    } else {
        fprintf(stderr, "node: %s\n", error.message);
        exit_status = 1;
    }
    env_uv_free(env);
    mem_free(console);
    return exit_status;
}
