/* cairn.c - the command line: reads flags, calls the command. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const char usage_text[] =
    "usage: cairn COMMAND [flags]\n"
    "\n"
    "  cluster start    start the nodes of a cluster on this machine\n"
    "  cluster stop     stop them\n"
    "  cluster status   which of them run, and what they say\n"
    "  sql              a SQL prompt; -c SQL runs it and ends\n"
    "  status           node, role, term, commit, applied and lag of every member\n"
    "\n"
    "  --port=P         of the first node, or of the node to talk to (9001); node k listens on "
    "P+k-1\n"
    "  --host=H         of the node to talk to (127.0.0.1)\n"
    "  --nodes=N        how many nodes (3)\n"
    "  --dir=DIR        data, logs and pid files of the cluster (data)\n"
    "  --engine=KIND    of the nodes that are started\n";

static int usage_error(const char *format, const char *what) {
    fprintf(stderr, "cairn: ");
    fprintf(stderr, format, what);
    fprintf(stderr, "\ncairn: see cairn help\n");
    return 2;
}

static bool number(const char *text, unsigned long max, unsigned long *out) {
    char *end;
    *out = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == '\0' && *out > 0 && *out <= max;
}

/* 0, or the exit status. */
static int parse_flags(int argc, char **argv, struct cli_options *options) {
    static const struct option flags[] = {
        {"port", required_argument, NULL, 'p'},   {"host", required_argument, NULL, 'h'},
        {"nodes", required_argument, NULL, 'n'},  {"dir", required_argument, NULL, 'd'},
        {"engine", required_argument, NULL, 'e'}, {"command", required_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'H'},         {NULL, 0, NULL, 0},
    };
    unsigned long value;
    int flag;
    while ((flag = getopt_long(argc, argv, "c:p:h:", flags, NULL)) != -1) {
        switch (flag) {
        case 'p':
            if (!number(optarg, UINT16_MAX, &value))
                return usage_error("--port=%s is not a port", optarg);
            options->port = (uint16_t)value;
            break;
        case 'n':
            if (!number(optarg, CLI_NODES_MAX, &value))
                return usage_error("--nodes=%s: 1 to 15 nodes", optarg);
            options->nodes = (unsigned)value;
            break;
        case 'h':
            options->host = optarg;
            break;
        case 'd':
            options->dir = optarg;
            break;
        case 'e':
            options->engine = optarg;
            break;
        case 'c':
            options->sql = optarg;
            break;
        case 'H':
            fputs(usage_text, stdout);
            exit(0);
        default: /* getopt has said what is wrong */
            fputs("cairn: see cairn help\n", stderr);
            return 2;
        }
    }
    return 0;
}

struct command {
    const char *name, *action; /* "cluster", "start" */
    int (*run)(const struct cli_options *options);
};

static const struct command commands[] = {
    {"cluster", "start", cli_cluster_start},
    {"cluster", "stop", cli_cluster_stop},
    {"cluster", "status", cli_cluster_status},
    {"sql", NULL, cli_sql},
    {"status", NULL, cli_status},
};

int main(int argc, char **argv) {
    struct cli_options options = {
        .host = "127.0.0.1", .port = 9001, .nodes = 3, .dir = "data", .program = argv[0]};
    int status = parse_flags(argc, argv, &options);
    if (status != 0) return status;
    const char *name = optind < argc ? argv[optind] : "help";
    const char *action = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (strcmp(name, "help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *command = &commands[i];
        if (strcmp(command->name, name) != 0) continue;
        bool matches = command->action == NULL
                           ? action == NULL
                           : action != NULL && strcmp(command->action, action) == 0;
        if (matches) return command->run(&options);
    }
    return usage_error("there is no command \"%s\"", name);
}
