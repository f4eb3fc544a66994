/* node.c - chapter 01's node: a key-value prompt that survives a crash.
 *
 *   node --data=DIR
 *
 * Every command that answers OK is on the disk: kill the process at any time and start it again. */
#include <stdio.h>
#include <string.h>

#include "env_uv.h"
#include "kvstore.h"
#include "prompt.h"

static enum status put(void *arg, struct slice key, struct slice value, struct error *error) {
    TRY(kvstore_put(arg, key, value, error));
    return kvstore_commit(arg, error);
}

static enum status get(void *arg, struct slice key, struct buf *value, struct error *error) {
    struct slice found;
    (void)error;
    TRY(kvstore_get(arg, key, &found));
    buf_clear(value);
    buf_append_slice(value, found);
    return STATUS_OK;
}

static enum status delete_key(void *arg, struct slice key, struct error *error) {
    TRY(kvstore_delete(arg, key, error));
    return kvstore_commit(arg, error);
}

static enum status scan(void *arg, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg, struct error *error) {
    (void)error;
    kvstore_scan(arg, start, end, visit, visit_arg);
    return STATUS_OK;
}

static enum status save(void *arg, struct error *error) { return kvstore_snapshot(arg, error); }

static int usage(void) {
    fputs("usage: node --data=DIR\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    struct kvstore_options options = {0};
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--data=", 7) != 0) return usage();
        options.dir = argv[i] + 7;
    }
    if (options.dir == NULL || options.dir[0] == '\0') options.dir = "data/01-wal";

    struct log log;
    struct error error;
    struct kvstore *store;
    log_init_stderr(&log, LOG_INFO);
    struct env *env = env_uv_new(&log);
    int exit_status = 1;
    if (kvstore_open(env, &options, &store, &error) == STATUS_OK) {
        log_info(env_log(env), "node", "open data=%s keys=%zu replayed_bytes=%llu", options.dir,
                 kvstore_count(store), (unsigned long long)kvstore_log_bytes(store));
        exit_status = prompt_run(&(struct prompt_store){.arg = store,
                                                        .name = "wal",
                                                        .put = put,
                                                        .get = get,
                                                        .delete_key = delete_key,
                                                        .scan = scan,
                                                        .save_command = "snapshot",
                                                        .save = save});
        kvstore_close(store);
    } else {
        log_error(env_log(env), "node", "cannot open the store: %s", error.message);
    }
    env_uv_free(env);
    return exit_status;
}
