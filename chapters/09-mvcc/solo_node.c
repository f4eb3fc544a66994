/* solo_node.c - see solo_node.h: putting the layers up to here together, on one node. */
#include "solo_node.h"

#include <stdio.h>
#include <unistd.h>

#include "prompt.h"

enum { REMEMBERED_WRITES = 1024 };

enum status solo_node_open(struct solo_node *node, struct env *env, const char *dir,
                           const char *engine, struct error *error) {
    *node = (struct solo_node){.env = env};
    struct engine_options engine_options = {.dir = dir, .own_log = true};
    TRY(engine_open(env, engine, &engine_options, &node->engine, error));
    node->metrics = metrics_new();
    hlc_init(&node->hlc, NS_PER_S);
    node->recent = recent_writes_new(REMEMBERED_WRITES);
    struct store_options options = {
        .env = env, .engine = node->engine, .hlc = &node->hlc, .metrics = node->metrics};
    node->store = store_new(&options);
    mvcc_commands_init(&node->mvcc, node->recent);
    mvcc_commands_register(&node->mvcc, node->store);
    node->solo = solo_replicator_new(env, node->engine, &store_state_machine, node->store);
    solo_replicator_sync(node->solo, true);
    enum status status = store_attach(node->store, solo_replicator_replicator(node->solo), error);
    if (status != STATUS_OK) solo_node_close(node);
    return status;
}

void solo_node_lead(struct solo_node *node) { solo_replicator_lead(node->solo); }

void solo_node_close(struct solo_node *node) {
    store_free(node->store);
    solo_replicator_free(node->solo);
    recent_writes_free(node->recent);
    metrics_free(node->metrics);
    engine_close(node->engine);
}

/* ---- lines ---------------------------------------------------------------------------------- */

static void read_line(void *arg) {
    struct line_input *input = arg;
    if (isatty(STDIN_FILENO)) printf("%s", input->prompt);
    fflush(stdout);
    input->end = fgets(input->line, sizeof input->line, stdin) == NULL;
}

static void line_done(void *arg) {
    struct line_input *input = arg;
    if (input->end) {
        input->on_end(input->arg);
        return;
    }
    struct slice words[LINE_WORDS_MAX];
    size_t count;
    struct buf storage = BUF_INIT;
    struct error error;
    if (prompt_split(input->line, &storage, words, LINE_WORDS_MAX, &count, &error) != STATUS_OK) {
        printf("%s\n", error.message);
        line_input_next(input);
    } else if (count == 0) {
        line_input_next(input);
    } else {
        input->on_line(input->arg, words, count);
    }
    buf_deinit(&storage);
}

void line_input_next(struct line_input *input) {
    input->work = (struct env_work){.run = read_line, .done = line_done, .arg = input};
    env_work_submit(input->env, LANE_BACKGROUND, &input->work);
}

const char *option_value(const char *argument, const char *name) {
    size_t len = strlen(name);
    return strncmp(argument, name, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}
