/* node.c - chapter 03's node: a key-value store that answers on the network, alone or as one of a
 * pair, and the client of every node that serves SimpleKv.
 *
 *     node --port=9301 --data=data/a                               the store
 *     node --port=9301 --data=data/a --primary                     with a backup, if one comes:
 *     node --port=9302 --data=data/b --backup-of=127.0.0.1:9301
 *     node --client 127.0.0.1:9301,127.0.0.1:9302                  a prompt: put get delete scan */
#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"
#include "kv_pair.h"
#include "kv_prompt.h"

struct options {
    const char *host;
    uint16_t port;
    const char *data;
    const char *engine;
    bool primary;
    const char *backup_of; /* host:port */
    bool wait_for_backup;
    const char *client; /* host:port,...; NULL: be the store */
    unsigned attempts;  /* of the client */
};

static void print_usage(FILE *out) {
    fprintf(out,
            "usage: node [flags]                      the store\n"
            "       node --client HOST:PORT[,...]     a prompt at a store: put get delete scan\n"
            "  --attempts=%d            the client tries a command so often\n"
            "  --host=127.0.0.1         where it listens\n"
            "  --port=9301\n"
            "  --data=data/03-rpc       its directory\n"
            "  --engine=mem             one of: %s\n"
            "  --primary                takes a backup if one comes\n"
            "  --backup-of=HOST:PORT    follows that primary, and takes over when it is silent\n"
            "  --wait-for-backup        a primary answers a write when the backup has it, too\n",
            KV_PROMPT_ATTEMPTS, engine_kinds());
}

static int usage(void) {
    print_usage(stderr);
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
    *out = (struct options){.host = "127.0.0.1",
                            .port = 9301,
                            .data = "data/03-rpc",
                            .engine = "mem",
                            .attempts = KV_PROMPT_ATTEMPTS};
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
        else if ((value = value_of(argv[i], "--attempts")))
            out->attempts = (unsigned)strtoul(value, NULL, 10);
        else if ((value = value_of(argv[i], "--backup-of")))
            out->backup_of = value;
        else if (strcmp(argv[i], "--primary") == 0)
            out->primary = true;
        else if (strcmp(argv[i], "--wait-for-backup") == 0)
            out->wait_for_backup = true;
        else if ((value = value_of(argv[i], "--port"))) {
            if (!parse_port(value, &out->port)) return false;
        } else {
            return false;
        }
    }
    return out->attempts > 0;
}

static void stop(void *env) { env_stop(env); }

/* ---- the store ------------------------------------------------------------------------------ */

/* The service that the flags ask for; one of the two is NULL. */
struct service {
    struct simple_kv *kv;
    struct kv_pair *pair;
};

static enum status open_service(struct rpc_context *context, const struct options *options,
                                struct engine *engine, struct rpc_server *server,
                                struct service *out, struct error *error) {
    *out = (struct service){0};
    if (!options->primary && !options->backup_of) {
        out->kv = simple_kv_new(context->env, engine, server);
        return STATUS_OK;
    }
    struct kv_pair_options pair = {.rpc = context,
                                   .engine = engine,
                                   .server = server,
                                   .backup_of = options->backup_of,
                                   .wait_for_backup = options->wait_for_backup};
    return kv_pair_new(&pair, &out->pair, error);
}

static int serve(struct rpc_context *context, const struct options *options, struct engine *engine,
                 struct port *port) {
    struct env *env = context->env;
    struct error error;
    struct service service;
    (void)snprintf(context->self.listen_address, RPC_ADDRESS_MAX, "%s:%u", options->host,
                   (unsigned)port_number(port));
    struct rpc_server *server = rpc_server_new(context);
    enum status status = open_service(context, options, engine, server, &service, &error);
    if (status == STATUS_OK) {
        struct port_protocol protocol = rpc_server_protocol(server);
        port_add(port, &protocol);
        env_uv_on_terminate(env, stop, env);
        log_info(env_log(env), "node", "ready port=%u", (unsigned)port_number(port));
        env_run(env);
    } else {
        log_error(env_log(env), "node", "%s", error.message);
    }
    port_free(port);
    rpc_server_free(server);
    kv_pair_free(service.pair);
    simple_kv_free(service.kv);
    return status == STATUS_OK ? 0 : 1;
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
    int result = serve(context, options, engine, port);
    engine_close(engine);
    return result;
}

int main(int argc, char **argv) {
    struct options options;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (!parse_options(argc, argv, &options)) return usage();
    struct log log;
    log_init_stderr(&log, options.client ? LOG_WARN : LOG_INFO);
    struct env *env = env_uv_new(&log);
    struct metrics *metrics = metrics_new();
    struct hlc clock;
    hlc_init(&clock, 500 * NS_PER_MS);
    struct rpc_context context;
    rpc_context_init(&context, env, &clock, metrics);
    context.self.node_id = options.client ? 0 : options.backup_of ? 2 : 1;
    int result = options.client ? kv_prompt_run(&context, options.client, options.attempts)
                                : run_store(env, &context, &options);
    env_uv_free(env);
    metrics_free(metrics);
    return result;
}
