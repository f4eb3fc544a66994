/* node.c - chapter 02's node: the prompt of chapter 01, on an engine of choice.
 *
 *   node --data=DIR --engine=mem|lsm|btree|rocksdb [--write-buffer=BYTES] [--dot]
 *
 * With --dot it prints a picture of the store (engine_draw.h) and ends. The engine keeps a log of its own here: what answered OK is there after a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "engine_draw.h"
#include "env_uv.h"
#include "prompt.h"

static enum status commit(struct engine *engine, struct write_batch *batch, struct error *error) {
    enum status status = engine_write(engine, batch, error);
    write_batch_deinit(batch);
    return status == STATUS_OK ? engine_sync(engine, error) : status;
}

static enum status put(void *arg, struct slice key, struct slice value, struct error *error) {
    if (key.len > WRITE_KEY_MAX || value.len > WRITE_VALUE_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "the limits are %d bytes for a key, %d for a value", WRITE_KEY_MAX,
                         WRITE_VALUE_MAX);
    struct write_batch batch;
    write_batch_init(&batch);
    write_batch_put(&batch, key, value);
    return commit(arg, &batch, error);
}

static enum status get(void *arg, struct slice key, struct buf *value, struct error *error) {
    return engine_get(arg, NULL, key, 0, value, error);
}

static enum status delete_key(void *arg, struct slice key, struct error *error) {
    struct write_batch batch;
    if (key.len > WRITE_KEY_MAX) return STATUS_NOT_FOUND;
    write_batch_init(&batch);
    write_batch_delete(&batch, key);
    return commit(arg, &batch, error);
}

static enum status scan(void *arg, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg, struct error *error) {
    struct engine_iterator *it =
        engine_iterator_new(arg, &(struct engine_iterator_options){.lower = start, .upper = end});
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        if (!visit(visit_arg, engine_iterator_key(it), engine_iterator_value(it))) break;
    enum status status = engine_iterator_status(it, error);
    engine_iterator_free(it);
    return status;
}

static enum status save(void *arg, struct error *error) { return engine_flush(arg, error); }

static enum status draw(struct engine *engine, struct error *error) {
    struct buf picture = BUF_INIT;
    enum status status = engine_draw(engine, &picture, error);
    if (status == STATUS_OK) fwrite(picture.data, 1, picture.len, stdout);
    buf_deinit(&picture);
    return status;
}

static int run_prompt(struct engine *engine) {
    return prompt_run(&(struct prompt_store){.arg = engine,
                                             .name = engine_kind_of(engine),
                                             .put = put,
                                             .get = get,
                                             .delete_key = delete_key,
                                             .scan = scan,
                                             .save_command = "flush",
                                             .save = save});
}

struct node_options {
    struct engine_options engine;
    const char *kind;
    bool dot;
};

static int usage(void) {
    fprintf(stderr,
            "usage: node --data=DIR --engine=KIND [--write-buffer=BYTES] [--dot]   kinds: %s\n",
            engine_kinds());
    return 2;
}

static bool parse_bytes(const char *text, size_t *bytes) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *bytes = (size_t)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool parse(int argc, char **argv, struct node_options *options) {
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--data=", 7) == 0)
            options->engine.dir = argv[i] + 7;
        else if (strncmp(argv[i], "--engine=", 9) == 0)
            options->kind = argv[i] + 9;
        else if (strncmp(argv[i], "--write-buffer=", 15) == 0) {
            if (!parse_bytes(argv[i] + 15, &options->engine.write_buffer_bytes)) return false;
        } else if (strcmp(argv[i], "--dot") == 0)
            options->dot = true;
        else
            return false;
    }
    return true;
}

/* Returns the exit status. */
static int run(struct env *env, const struct node_options *options) {
    struct engine *engine;
    struct error error;
    if (engine_open(env, options->kind, &options->engine, &engine, &error) != STATUS_OK) {
        log_error(env_log(env), "node", "cannot open the store: %s", error.message);
        return 1;
    }
    int exit_status = 0;
    if (!options->dot) {
        log_info(env_log(env), "node", "open data=%s engine=%s", options->engine.dir,
                 engine_kind_of(engine));
        exit_status = run_prompt(engine);
    } else if (draw(engine, &error) != STATUS_OK) {
        log_error(env_log(env), "node", "cannot draw the store: %s", error.message);
        exit_status = 1;
    }
    engine_close(engine);
    return exit_status;
}

int main(int argc, char **argv) {
    struct node_options options = {.engine = {.dir = "data/02-engines", .own_log = true},
                                   .kind = "mem"};
    if (!parse(argc, argv, &options)) return usage();
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    struct env *env = env_uv_new(&log);
    int exit_status = run(env, &options);
    env_uv_free(env);
    return exit_status;
}
