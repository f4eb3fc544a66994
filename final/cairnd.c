/* cairnd.c - the node as a process: flags, signals, exit status. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn_node.h"
#include "engine.h"
#include "env_uv.h"
#include "mem.h"

struct flags {
    struct cairn_node_options node;
    const char *join[RAFT_MAX_VOTERS];
    char *join_text; /* a copy to take apart: ps shows argv */
    enum log_level level;
};

static void usage(FILE *out) {
    fprintf(out,
            "usage: cairnd --node-id=N --port=P --data=DIR [--join=host:port,...]\n"
            "\n"
            "  --node-id=N        1 or more, one number for each node\n"
            "  --port=P           the port for everything: SQL, other nodes\n"
            "  --data=DIR         where this node keeps its data; created if missing\n"
            "  --join=A,B,...     host:port of every node of the cluster; without it: a cluster of "
            "one\n"
            "  --host=H           the address to listen on (127.0.0.1)\n"
            "  --advertise=A      host:port at which the other nodes reach this one\n"
            "  --engine=KIND      %s (rocksdb)\n"
            "  --log-level=L      debug, info, warn, error (info)\n",
            engine_kinds());
}

static bool parse_number(const char *text, uint64_t max, uint64_t *out) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > max) return false;
    *out = value;
    return true;
}

static bool parse_join(struct flags *flags, char *text) {
    char *rest = text;
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        if (*part == '\0') continue;
        if (flags->node.join_count == RAFT_MAX_VOTERS) return false;
        flags->join[flags->node.join_count++] = part;
    }
    flags->node.join = flags->join;
    return true;
}

static bool parse_flag(struct flags *flags, int flag, char *value) {
    uint64_t number;
    switch (flag) {
    case 'n':
        return parse_number(value, UINT32_MAX, &flags->node.node_id) && flags->node.node_id > 0;
    case 'p':
        if (!parse_number(value, UINT16_MAX, &number)) return false;
        flags->node.port = (uint16_t)number;
        return true;
    case 'd':
        flags->node.data_dir = value;
        return *value != '\0';
    case 'j':
        flags->join_text = mem_strdup(value);
        return parse_join(flags, flags->join_text);
    case 'H':
        flags->node.host = value;
        return true;
    case 'a':
        flags->node.advertise = value;
        return true;
    case 'e':
        flags->node.engine = value;
        return true;
    case 'l':
        return log_level_parse(value, &flags->level);
    default:
        return false;
    }
}

/* Exits with status 2 and a line that names the flag. */
static void parse_flags(int argc, char **argv, struct flags *flags) {
    static const struct option options[] = {
        {"node-id", required_argument, NULL, 'n'}, {"port", required_argument, NULL, 'p'},
        {"data", required_argument, NULL, 'd'},    {"join", required_argument, NULL, 'j'},
        {"host", required_argument, NULL, 'H'},    {"advertise", required_argument, NULL, 'a'},
        {"engine", required_argument, NULL, 'e'},  {"log-level", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int flag;
    while ((flag = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (flag == 'h') {
            usage(stdout);
            exit(0);
        }
        if (flag == '?' || !parse_flag(flags, flag, optarg)) {
            if (flag != '?')
                fprintf(stderr, "cairnd: \"%s\" is not a value for that flag\n", optarg);
            fprintf(stderr, "cairnd: see cairnd --help\n");
            exit(2);
        }
    }
    const char *missing = flags->node.node_id == 0       ? "--node-id"
                          : flags->node.port == 0        ? "--port"
                          : flags->node.data_dir == NULL ? "--data"
                                                         : NULL;
    if (missing != NULL || optind < argc) {
        if (missing != NULL) fprintf(stderr, "cairnd: %s is missing\n", missing);
        if (optind < argc) fprintf(stderr, "cairnd: what is \"%s\"?\n", argv[optind]);
        fprintf(stderr, "cairnd: see cairnd --help\n");
        exit(2);
    }
}

struct process {
    struct env *env;
    struct cairn_node *node;
};

static void on_clients_gone(void *arg) {
    struct process *process = arg;
    env_stop(process->env);
}

static void on_terminate(void *arg) {
    struct process *process = arg;
    log_info(env_log(process->env), "node", "stopping");
    cairn_node_shutdown(process->node, on_clients_gone, process);
}

int main(int argc, char **argv) {
    struct flags flags = {.level = LOG_INFO};
    parse_flags(argc, argv, &flags);

    struct log log;
    struct error error;
    log_init_stderr(&log, flags.level);
    log.node_id = flags.node.node_id;
    struct process process = {.env = env_uv_new(&log)};
    if (cairn_node_start(process.env, &flags.node, &process.node, &error) != STATUS_OK) {
        fprintf(stderr, "cairnd: %s\n", error.message);
        env_uv_free(process.env);
        mem_free(flags.join_text);
        return 1;
    }
    env_uv_on_terminate(process.env, on_terminate, &process);
    env_run(process.env);
    env_uv_settle(process.env);
    cairn_node_stop(process.node);
    env_uv_free(process.env);
    mem_free(flags.join_text);
    return 0;
}
