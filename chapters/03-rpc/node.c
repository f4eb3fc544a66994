/* node.c - chapter 03's node: a key-value store that answers on the network, and its client.
 *
 *     node --port=9001 --data=data/kv [--engine=rocksdb]     the store
 *     node --client 127.0.0.1:9001                           a prompt: put get delete scan help */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "env_uv.h"
#include "mem.h"
#include "rpc_client.h"
#include "simple_kv.h"
#include "simple_kv.pb-c.h"

struct options {
    const char *host;
    uint16_t port;
    const char *data;
    const char *engine;
    const char *client; /* host:port; NULL: be the store */
};

static int usage(void) {
    fprintf(stderr,
            "usage: node [--host=127.0.0.1] [--port=9001] [--data=data/03-rpc] [--engine=KIND]\n"
            "       node --client HOST:PORT\n"
            "engines: %s\n",
            engine_kinds());
    return 2;
}

/* The value if `argument` is --name=value. */
static const char *value_of(const char *argument, const char *name) {
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static bool parse_port(const char *text, uint16_t *out) {
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (*text == 0 || *end != 0 || port > UINT16_MAX) return false;
    *out = (uint16_t)port;
    return true;
}

static bool parse_options(int argc, char **argv, struct options *out) {
    *out = (struct options){"127.0.0.1", 9001, "data/03-rpc", "mem", NULL};
    for (int i = 1; i < argc; i++) {
        const char *value;
        if ((value = value_of(argv[i], "--host")))
            out->host = value;
        else if ((value = value_of(argv[i], "--data")))
            out->data = value;
        else if ((value = value_of(argv[i], "--engine")))
            out->engine = value;
        else if ((value = value_of(argv[i], "--client")))
            out->client = value;
        else if (strcmp(argv[i], "--client") == 0 && i + 1 < argc)
            out->client = argv[++i];
        else if ((value = value_of(argv[i], "--port"))) {
            if (!parse_port(value, &out->port)) return false;
        } else {
            return false;
        }
    }
    return true;
}

static void stop(void *env) { env_stop(env); }

/* ---- the store ------------------------------------------------------------------------------ */

static void serve(struct env *env, struct rpc_context *context, struct engine *engine,
                  struct port *port) {
    struct rpc_server *server = rpc_server_new(context);
    struct simple_kv *kv = simple_kv_new(env, engine, server);
    struct port_protocol protocol = rpc_server_protocol(server);
    port_add(port, &protocol);
    env_uv_on_terminate(env, stop, env);
    log_info(env_log(env), "node", "ready port=%u", (unsigned)port_number(port));
    env_run(env);
    port_free(port);
    rpc_server_free(server);
    simple_kv_free(kv);
}

static int run_store(struct env *env, struct rpc_context *context, const struct options *options) {
    struct error error;
    struct engine *engine;
    struct engine_options engine_options = {.dir = options->data, .own_log = true};
    if (engine_open(env, options->engine, &engine_options, &engine, &error) != STATUS_OK) {
        log_error(env_log(env), "node", "cannot open the store: %s", error.message);
        return 1;
    }
    struct port_options port_options = port_options_default();
    port_options.host = options->host;
    port_options.port = options->port;
    struct port *port;
    if (port_listen(env, &port_options, &port, &error) != STATUS_OK) {
        log_error(env_log(env), "node", "cannot listen: %s", error.message);
        engine_close(engine);
        return 1;
    }
    serve(env, context, engine, port);
    engine_close(engine);
    return 0;
}

/* ---- the prompt ----------------------------------------------------------------------------- */

enum { LINE_MAX_BYTES = 64 * 1024, CALL_TIMEOUT_S = 5, MAX_WORDS = 4 };

/* Lines are read on a work lane, so that the loop goes on (pings, reconnecting) while a person
 * thinks. One command at a time: read, call, print, read again. */
struct prompt {
    struct env *env;
    struct rpc_client *client;
    struct env_work read;
    char line[LINE_MAX_BYTES];
    bool end; /* of the input */
    uint32_t method;
    int failures;
};

static void read_line(void *arg) {
    struct prompt *prompt = arg;
    if (isatty(STDIN_FILENO)) printf("kv> ");
    fflush(stdout);
    prompt->end = !fgets(prompt->line, sizeof prompt->line, stdin);
}

static void next_command(struct prompt *prompt) {
    env_work_submit(prompt->env, LANE_BACKGROUND, &prompt->read);
}

static void print_bytes(ProtobufCBinaryData bytes) { fwrite(bytes.data, 1, bytes.len, stdout); }

static void print_reply(const struct prompt *prompt, struct slice payload) {
    struct arena arena;
    arena_init(&arena, 0);
    const SimpleKvReply *reply =
        (const SimpleKvReply *)rpc_unpack(&simple_kv_reply__descriptor, payload, &arena);
    if (!reply) {
        printf("malformed reply\n");
    } else if (prompt->method == SIMPLE_KV_METHOD__SIMPLE_KV_SCAN) {
        for (size_t i = 0; i < reply->n_pairs; i++) {
            print_bytes(reply->pairs[i]->key);
            printf(" = ");
            print_bytes(reply->pairs[i]->value);
            printf("\n");
        }
        printf("(%zu%s)\n", reply->n_pairs, reply->more ? ", and more" : "");
    } else if (reply->n_pairs == 1) {
        print_bytes(reply->pairs[0]->value);
        printf("\n");
    } else {
        printf("ok\n");
    }
    arena_deinit(&arena);
}

static void on_reply(void *arg, enum status status, struct slice payload,
                     const struct error *error) {
    struct prompt *prompt = arg;
    if (status == STATUS_OK) {
        print_reply(prompt, payload);
    } else {
        printf("%s: %s\n", status_name(status), error->message);
        prompt->failures++;
    }
    next_command(prompt);
}

static void print_help(void) {
    printf("put KEY VALUE      get KEY      delete KEY\n"
           "scan [FIRST [BEYOND]]      help      quit\n");
}

/* Splits at blanks; the last word takes the rest of the line. */
static size_t split(char *line, char *words[MAX_WORDS], size_t max_words) {
    size_t count = 0;
    line[strcspn(line, "\n")] = 0;
    for (;;) {
        line += strspn(line, " ");
        if (*line == 0) return count;
        words[count++] = line;
        if (count == max_words) return count;
        line += strcspn(line, " ");
        if (*line) *line++ = 0;
    }
}

static ProtobufCBinaryData bytes_of(const char *word) { return rpc_bytes(slice_of_string(word)); }

/* False if the words are no call. */
static bool fill_request(char *words[MAX_WORDS], size_t count, uint32_t *method,
                         SimpleKvRequest *request) {
    const char *verb = words[0];
    if (count > 1) request->key = bytes_of(words[1]);
    if (strcmp(verb, "put") == 0 && count == 3) {
        *method = SIMPLE_KV_METHOD__SIMPLE_KV_PUT;
        request->value = bytes_of(words[2]);
    } else if (strcmp(verb, "get") == 0 && count == 2) {
        *method = SIMPLE_KV_METHOD__SIMPLE_KV_GET;
    } else if (strcmp(verb, "delete") == 0 && count == 2) {
        *method = SIMPLE_KV_METHOD__SIMPLE_KV_DELETE;
    } else if (strcmp(verb, "scan") == 0 && count <= 3) {
        *method = SIMPLE_KV_METHOD__SIMPLE_KV_SCAN;
        if (count == 3) request->end = bytes_of(words[2]);
    } else {
        return false;
    }
    return true;
}

static void run_command(void *arg) {
    struct prompt *prompt = arg;
    char *words[MAX_WORDS];
    size_t count = prompt->end ? 0 : split(prompt->line, words, 3);
    if (prompt->end || (count > 0 && strcmp(words[0], "quit") == 0)) {
        env_stop(prompt->env);
        return;
    }
    SimpleKvRequest message = SIMPLE_KV_REQUEST__INIT;
    if (count == 0 || !fill_request(words, count, &prompt->method, &message)) {
        if (count > 0) print_help();
        next_command(prompt);
        return;
    }
    struct request request = request_init(env_now_ns(prompt->env) + CALL_TIMEOUT_S * NS_PER_S);
    rpc_call_message(prompt->client, prompt->method, &message.base, &request, on_reply, prompt);
}

static int run_client(struct env *env, struct rpc_context *context, const char *address) {
    char host[RPC_ADDRESS_MAX];
    uint16_t port;
    const char *colon = strrchr(address, ':');
    size_t len = colon ? (size_t)(colon - address) : 0;
    if (len == 0 || len >= sizeof host || !parse_port(colon + 1, &port)) return usage();
    memcpy(host, address, len);
    host[len] = 0;
    struct prompt *prompt = MEM_NEW(struct prompt);
    prompt->env = env;
    prompt->read = (struct env_work){.run = read_line, .done = run_command, .arg = prompt};
    prompt->client = rpc_client_new(context, host, port, NULL);
    next_command(prompt);
    env_run(env);
    int failures = prompt->failures;
    rpc_client_free(prompt->client);
    mem_free(prompt);
    return failures > 0;
}

int main(int argc, char **argv) {
    struct options options;
    if (!parse_options(argc, argv, &options)) return usage();
    struct log log;
    log_init_stderr(&log, options.client ? LOG_WARN : LOG_INFO);
    struct env *env = env_uv_new(&log);
    struct metrics *metrics = metrics_new();
    struct hlc clock;
    hlc_init(&clock, 500 * NS_PER_MS);
    struct rpc_context context;
    rpc_context_init(&context, env, &clock, metrics);
    context.self.node_id = options.client ? 0 : 1;
    int result = options.client ? run_client(env, &context, options.client)
                                : run_store(env, &context, &options);
    env_uv_free(env);
    metrics_free(metrics);
    return result;
}
