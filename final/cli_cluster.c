/* cli_cluster.c - a cluster of processes on this machine: start, stop, status.
 *
 * Node k keeps its data in DIR/nk, its output in DIR/nk.log, its process id in DIR/nk.pid. A pid
 * file counts only while that process is a cairnd of ours. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "env_uv.h"
#include "sql_client.h"

enum { PATH_BYTES = 512, STOP_POLLS = 100, READY_TRIES = 300 };
#define POLL_NS (100 * NS_PER_MS)

static void node_path(const struct cli_options *options, unsigned node, const char *suffix,
                      char *out) {
    snprintf(out, PATH_BYTES, "%.400s/n%u%s", options->dir, node, suffix);
}

/* The pid of a running node; 0: it does not run. The node holds a lock on its data directory; its
 * file names it. */
static pid_t running(const struct cli_options *options, unsigned node) {
    char path[PATH_BYTES];
    long pid = 0;
    node_path(options, node, ".pid", path);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    if (fscanf(file, "%ld", &pid) != 1) pid = 0;
    fclose(file);
    if (pid <= 0 || kill((pid_t)pid, 0) != 0) return 0;
    node_path(options, node, "/LOCK", path);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    if (lock < 0) return (pid_t)pid; /* just started */
    bool held = flock(lock, LOCK_EX | LOCK_NB) != 0;
    close(lock);
    return held ? (pid_t)pid : 0;
}

static void write_pid(const struct cli_options *options, unsigned node, pid_t pid) {
    char path[PATH_BYTES];
    node_path(options, node, ".pid", path);
    FILE *file = fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%ld\n", (long)pid);
    fclose(file);
}

/* cairnd stands beside this program. */
static void cairnd_path(const struct cli_options *options, char *out) {
    char self[PATH_BYTES];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (len > 0) {
        self[len] = '\0';
    } else {
        snprintf(self, sizeof self, "%s", options->program);
    }
    snprintf(out, PATH_BYTES, "%.480s/cairnd", dirname(self));
}

static void join_list(const struct cli_options *options, char *out, size_t size) {
    size_t len = 0;
    for (unsigned k = 1; k <= options->nodes && len < size; k++) {
        len += (size_t)snprintf(out + len, size - len, "%s127.0.0.1:%u", k > 1 ? "," : "",
                                options->port + k - 1);
    }
}

/* In the child: becomes the node. */
static void exec_node(const struct cli_options *options, unsigned node) {
    char program[PATH_BYTES], log[PATH_BYTES], data[PATH_BYTES + 16], id[64], port[64], join[1024],
        engine[128];
    cairnd_path(options, program);
    node_path(options, node, ".log", log);
    snprintf(id, sizeof id, "--node-id=%u", node);
    snprintf(port, sizeof port, "--port=%u", options->port + node - 1);
    snprintf(data, sizeof data, "--data=%.400s/n%u", options->dir, node);
    snprintf(join, sizeof join, "--join=");
    join_list(options, join + strlen(join), sizeof join - strlen(join));
    snprintf(engine, sizeof engine, "--engine=%.100s",
             options->engine == NULL ? "" : options->engine);
    int output = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int input = open("/dev/null", O_RDONLY);
    if (output < 0 || input < 0) _exit(1);
    dup2(input, 0);
    dup2(output, 1);
    dup2(output, 2);
    setsid();
    char *argv[] = {program, id, port, data, join, options->engine == NULL ? NULL : engine, NULL};
    execv(program, argv);
    fprintf(stderr, "cairn: cannot run %s: %s\n", program, strerror(errno));
    _exit(127);
}

/* With the directories above it. */
static bool make_dir(const char *path) {
    char above[PATH_BYTES];
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
        mkdir(above, 0755); /* "" and what is there fail; the last one says what matters */
    }
    if (mkdir(path, 0755) == 0 || errno == EEXIST) return true;
    fprintf(stderr, "cairn: cannot create %s: %s\n", path, strerror(errno));
    return false;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static void wake(void *arg) { env_stop(arg); }

static void pause_loop(struct env *env, uint64_t duration_ns) {
    struct env_timer timer = {0};
    env_timer_init(&timer, wake, env);
    env_timer_start(env, &timer, env_now_ns(env) + duration_ns);
    env_run(env);
    env_timer_stop(&timer);
}

/* The last lines of a node's log, for a person who wants to know why it does not run. */
static void show_log_tail(const struct cli_options *options, unsigned node) {
    char path[PATH_BYTES];
    node_path(options, node, ".log", path);
    FILE *file = fopen(path, "re");
    if (file == NULL) return;
    char lines[5][256] = {{0}};
    unsigned count = 0;
    while (fgets(lines[count % 5], sizeof lines[0], file) != NULL)
        count++;
    fclose(file);
    fprintf(stderr, "cairn: the end of %s:\n", path);
    for (unsigned i = count < 5 ? 0 : count - 5; i < count; i++)
        fprintf(stderr, "  %s", lines[i % 5]);
}

/* Until the node answers a query. */
static bool wait_serving(const struct cli_options *options, struct env *env, unsigned node,
                         pid_t pid) {
    struct error error = {.message = ""};
    uint16_t port = (uint16_t)(options->port + node - 1);
    for (unsigned i = 0; i < READY_TRIES; i++) {
        int exit_status;
        if (pid > 0 && waitpid(pid, &exit_status, WNOHANG) == pid) {
            fprintf(stderr, "cairn: node %u has ended\n", node);
            show_log_tail(options, node);
            return false;
        }
        struct sql_client *client;
        if (sql_client_connect(env, "127.0.0.1", port, "cairn", "cairn", NS_PER_S, &client,
                               &error) == STATUS_OK) {
            bool failed = true;
            enum status status = sql_client_query(client, SLICE_LITERAL("SELECT 1"), NULL, NULL,
                                                  5 * NS_PER_S, &failed, &error);
            sql_client_close(client);
            if (status == STATUS_OK && !failed) return true;
        }
        pause_loop(env, POLL_NS);
    }
    fprintf(stderr, "cairn: node %u does not answer: %s\n", node, error.message);
    show_log_tail(options, node);
    return false;
}

/* Whoever listens on a node's port would be taken for that node. */
static bool ports_are_free(const struct cli_options *options, struct env *env) {
    for (unsigned node = 1; node <= options->nodes; node++) {
        struct listener *listener;
        struct error error;
        if (running(options, node) > 0) continue;
        if (env_listen(env, "127.0.0.1", (uint16_t)(options->port + node - 1), NULL, NULL,
                       &listener, &error) != STATUS_OK) {
            fprintf(stderr, "cairn: node %u cannot start: %s\n", node, error.message);
            return false;
        }
        listener_close(listener);
    }
    return true;
}

/* ---- commands -------------------------------------------------------------------------------- */

/* 0: it could not be started; a line on stderr says why. */
static pid_t start_node(const struct cli_options *options, unsigned node) {
    char path[PATH_BYTES];
    node_path(options, node, "", path);
    if (!make_dir(path)) return 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) exec_node(options, node);
    if (pid < 0) {
        fprintf(stderr, "cairn: cannot start node %u: %s\n", node, strerror(errno));
        return 0;
    }
    write_pid(options, node, pid);
    return pid;
}

int cli_cluster_start(const struct cli_options *options) {
    pid_t started[CLI_NODES_MAX + 1] = {0};
    if (options->port + options->nodes - 1 > UINT16_MAX) {
        fprintf(stderr, "cairn: there are no %u ports from %u on\n", options->nodes, options->port);
        return 1;
    }
    if (!make_dir(options->dir)) return 1;
    struct log log;
    log_init_null(&log);
    struct env *env = env_uv_new(&log);
    bool serving = ports_are_free(options, env);
    for (unsigned node = 1; node <= options->nodes && serving; node++) {
        pid_t pid = running(options, node);
        if (pid > 0) {
            printf("node %u runs already (pid %ld)\n", node, (long)pid);
        } else {
            started[node] = start_node(options, node);
            serving = started[node] > 0;
        }
    }
    for (unsigned node = 1; node <= options->nodes && serving; node++) {
        serving = wait_serving(options, env, node, started[node]);
        if (serving) printf("node %u serves on 127.0.0.1:%u\n", node, options->port + node - 1);
    }
    env_uv_free(env);
    return serving ? 0 : 1;
}

/* True once the process is gone. */
static bool await_end(const struct cli_options *options, struct env *env, unsigned node,
                      pid_t pid) {
    for (unsigned i = 0; i < STOP_POLLS; i++) {
        if (kill(pid, 0) != 0 || running(options, node) == 0) return true;
        pause_loop(env, POLL_NS);
    }
    return false;
}

int cli_cluster_stop(const struct cli_options *options) {
    pid_t pids[CLI_NODES_MAX + 1];
    char path[PATH_BYTES];
    struct log log;
    log_init_null(&log);
    struct env *env = env_uv_new(&log);
    for (unsigned node = 1; node <= options->nodes; node++) {
        pids[node] = running(options, node);
        if (pids[node] > 0) kill(pids[node], SIGTERM);
    }
    for (unsigned node = 1; node <= options->nodes; node++) {
        if (pids[node] == 0) continue;
        if (!await_end(options, env, node, pids[node])) kill(pids[node], SIGKILL);
        node_path(options, node, ".pid", path);
        unlink(path);
        printf("node %u stopped\n", node);
    }
    env_uv_free(env);
    return 0;
}

int cli_cluster_status(const struct cli_options *options) {
    unsigned up = 0;
    for (unsigned node = 1; node <= options->nodes; node++) {
        pid_t pid = running(options, node);
        if (pid > 0) {
            up++;
            printf("node %u runs, pid %ld, port %u\n", node, (long)pid, options->port + node - 1);
        } else {
            printf("node %u does not run\n", node);
        }
    }
    if (up == 0) return 1;
    return cli_status(options) == 0 && up == options->nodes ? 0 : 1;
}
