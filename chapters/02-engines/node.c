/* node.c - chapter 02's node: the prompt of chapter 01, on an engine of choice.
 *
 *   node --data=DIR --engine=mem|lsm|btree|rocksdb
 *
 * The engine keeps a log of its own here: what answered OK is there after a crash. */
#include <stdio.h>
#include <string.h>

#include "engine.h"
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

static int usage(void) {
    fprintf(stderr, "usage: node --data=DIR --engine=KIND   kinds: %s\n", engine_kinds());
    return 2;
}

int main(int argc, char **argv) {
    struct engine_options options = {.dir = "data/02-engines", .own_log = true};
    const char *kind = "mem";
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--data=", 7) == 0)
            options.dir = argv[i] + 7;
        else if (strncmp(argv[i], "--engine=", 9) == 0)
            kind = argv[i] + 9;
        else
            return usage();
    }
    struct log log;
    struct error error;
    struct engine *engine;
    log_init_stderr(&log, LOG_INFO);
    struct env *env = env_uv_new(&log);
    int exit_status = 1;
    if (engine_open(env, kind, &options, &engine, &error) == STATUS_OK) {
        log_info(env_log(env), "node", "open data=%s engine=%s", options.dir,
                 engine_kind_of(engine));
        exit_status = prompt_run(&(struct prompt_store){.arg = engine,
                                                        .name = kind,
                                                        .put = put,
                                                        .get = get,
                                                        .delete_key = delete_key,
                                                        .scan = scan,
                                                        .save_command = "flush",
                                                        .save = save});
        engine_close(engine);
    } else {
        log_error(env_log(env), "node", "cannot open the store: %s", error.message);
    }
    env_uv_free(env);
    return exit_status;
}
