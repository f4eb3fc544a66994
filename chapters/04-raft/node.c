/* node.c - chapter 04's node: nodes that agree on a list of lines, in memory.
 *
 *     node --node-id=1 --port=9101 --peers=2@127.0.0.1:9102,3@127.0.0.1:9103 [--quiet]
 *
 * With a prompt on its standard input: say, read, status. `make node CH=04` starts three. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agree.h"
#include "agree.pb-c.h"
#include "env_uv.h"
#include "mem.h"

enum { LINE_BYTES = 4096, HOST_BYTES = 128 };

struct options {
    uint64_t node_id;
    uint16_t port;
    struct agree_peer peers[RAFT_MAX_VOTERS];
    char hosts[RAFT_MAX_VOTERS][HOST_BYTES];
    size_t peer_count;
    bool quiet; /* no prompt */
};

static int usage(void) {
    fputs("usage: node --node-id=N --port=PORT --peers=ID@HOST:PORT,... [--quiet]\n", stderr);
    return 2;
}

/* "2@127.0.0.1:9102" at the front of `text`; the rest, or NULL if it is malformed. */
static const char *parse_peer(const char *text, struct options *out) {
    unsigned long long id;
    unsigned port;
    int len = 0;
    if (out->peer_count == RAFT_MAX_VOTERS) return NULL;
    char *host = out->hosts[out->peer_count];
    if (sscanf(text, "%llu@%127[^:,]:%u%n", &id, host, &port, &len) != 3 || port > UINT16_MAX)
        return NULL;
    out->peers[out->peer_count++] = (struct agree_peer){id, host, (uint16_t)port};
    return text + len;
}

static bool parse_peers(const char *text, struct options *out) {
    while (*text) {
        text = parse_peer(text, out);
        if (!text || (*text && *text != ',')) return false;
        text += *text == ',';
    }
    return true;
}

static bool parse_options(int argc, char **argv, struct options *out) {
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (strncmp(argument, "--node-id=", 10) == 0)
            out->node_id = strtoull(argument + 10, NULL, 10);
        else if (strncmp(argument, "--port=", 7) == 0)
            out->port = (uint16_t)strtoul(argument + 7, NULL, 10);
        else if (strncmp(argument, "--peers=", 8) == 0) {
            if (!parse_peers(argument + 8, out)) return false;
        } else if (strcmp(argument, "--quiet") == 0)
            out->quiet = true;
        else
            return false;
    }
    return out->node_id > 0 && out->port > 0;
}

/* ---- the prompt ----------------------------------------------------------------------------- */

/* Lines are read on a work lane, so that the loop goes on while a person thinks. One command at a
 * time: read, ask, print, read again. */
struct prompt {
    struct env *env;
    struct agree *agree;
    struct env_work read;
    char line[LINE_BYTES];
    bool end;
};

static void read_line(void *arg) {
    struct prompt *prompt = arg;
    if (isatty(STDIN_FILENO)) printf("raft> ");
    fflush(stdout);
    prompt->end = !fgets(prompt->line, sizeof(prompt->line), stdin);
}

static void print_reply(struct slice bytes) {
    struct arena arena;
    arena_init(&arena, 0);
    const AgreeReply *reply =
        (const AgreeReply *)rpc_unpack(&agree_reply__descriptor, bytes, &arena);
    for (size_t i = 0; reply && i < reply->n_lines; i++)
        printf("%.*s\n", (int)reply->lines[i].len, (const char *)reply->lines[i].data);
    if (reply && reply->n_lines == 0) printf("ok, at %" PRIu64 "\n", reply->index);
    arena_deinit(&arena);
}

static void on_answer(void *arg, enum status status, struct slice reply,
                      const struct error *error) {
    struct prompt *prompt = arg;
    if (status == STATUS_OK)
        print_reply(reply);
    else
        printf("%s: %s\n", status_name(status), error->message);
    env_work_submit(prompt->env, LANE_BACKGROUND, &prompt->read);
}

static void print_status(const struct prompt *prompt) {
    struct buf text = BUF_INIT;
    raft_dump(agree_raft(prompt->agree), &text);
    fwrite(text.data, 1, text.len, stdout);
    buf_deinit(&text);
}

static void run_command(void *arg) {
    struct prompt *prompt = arg;
    prompt->line[strcspn(prompt->line, "\n")] = '\0';
    if (prompt->end || strcmp(prompt->line, "quit") == 0) {
        env_stop(prompt->env);
        return;
    }
    if (strncmp(prompt->line, "say ", 4) == 0) {
        agree_say(prompt->agree, slice_of_string(prompt->line + 4), on_answer, prompt);
        return;
    }
    if (strcmp(prompt->line, "read") == 0) {
        agree_read(prompt->agree, on_answer, prompt);
        return;
    }
    if (strcmp(prompt->line, "status") == 0)
        print_status(prompt);
    else if (prompt->line[0] != '\0')
        printf("say LINE      read      status      quit\n");
    env_work_submit(prompt->env, LANE_BACKGROUND, &prompt->read);
}

/* ---- the node ------------------------------------------------------------------------------- */

static void stop(void *env) { env_stop(env); }

static void run(struct env *env, struct agree *agree, bool quiet) {
    struct prompt prompt = {.env = env, .agree = agree};
    prompt.read = (struct env_work){.run = read_line, .done = run_command, .arg = &prompt};
    if (!quiet) env_work_submit(env, LANE_BACKGROUND, &prompt.read);
    env_run(env);
}

static int start(struct env *env, struct rpc_context *context, const struct options *options) {
    struct error error;
    struct port_options port_options = port_options_default();
    struct port *port;
    /* Before anybody can see that it runs. With a prompt a blocked read would hold it up. */
    if (options->quiet) env_uv_on_terminate(env, stop, env);
    port_options.port = options->port;
    if (port_listen(env, &port_options, &port, &error) != STATUS_OK) {
        log_error(env_log(env), "node", "%s", error.message);
        return 1;
    }
    struct rpc_server *server = rpc_server_new(context);
    struct port_protocol protocol = rpc_server_protocol(server);
    port_add(port, &protocol);
    struct agree_options agree_options = {.env = env,
                                          .rpc = context,
                                          .server = server,
                                          .node_id = options->node_id,
                                          .peers = options->peers,
                                          .peer_count = options->peer_count};
    struct agree *agree;
    int result = 1;
    if (agree_new(&agree_options, &agree, &error) == STATUS_OK) {
        run(env, agree, options->quiet);
        result = 0;
    } else {
        log_error(env_log(env), "node", "%s", error.message);
    }
    port_free(port);
    rpc_server_free(server);
    if (result == 0) agree_free(agree);
    return result;
}

int main(int argc, char **argv) {
    struct options options = {0};
    if (!parse_options(argc, argv, &options)) return usage();
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    log.node_id = options.node_id;
    struct env *env = env_uv_new(&log);
    struct metrics *metrics = metrics_new();
    struct hlc clock;
    hlc_init(&clock, 500 * NS_PER_MS);
    struct rpc_context context;
    rpc_context_init(&context, env, &clock, metrics);
    context.self.node_id = options.node_id;
    int result = start(env, &context, &options);
    env_uv_free(env);
    metrics_free(metrics);
    return result;
}
