/* engine_fixture.c - opening, closing and writing for the suites of the engines. */
#include "engine_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"

#if defined(__SANITIZE_THREAD__)
/* RocksDB is not built with ThreadSanitizer, which therefore does not see how its threads agree. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) {
    return "race:librocksdb.so\nmutex:librocksdb.so\ncalled_from_lib:librocksdb.so\n";
}
#endif

void open_engine(struct fixture *f) {
    assert_ok(engine_open(f->env, f->kind, &f->options, &f->engine, &f->error), &f->error);
    f->error.message[0] = '\0'; /* "no such file" of a fresh store explains nothing that follows */
}

/* dir NULL: a fresh one. */
void setup_in(struct fixture *f, const char *kind, bool own_log, const char *dir) {
    memset(f, 0, sizeof(*f));
    f->kind = kind;
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    f->env = env_uv_new(&log);
    snprintf(f->dir, sizeof(f->dir), "%s/store", dir != NULL ? dir : harness_tmpdir());
    f->options.dir = f->dir;
    f->options.own_log = own_log;
    write_batch_init(&f->batch);
    open_engine(f);
}

void setup_with(struct fixture *f, const char *kind, bool own_log) {
    setup_in(f, kind, own_log, NULL);
}

void setup(struct fixture *f, const char *kind) { setup_with(f, kind, false); }

void teardown(struct fixture *f) {
    engine_close(f->engine);
    env_uv_free(f->env);
    buf_deinit(&f->value);
    write_batch_deinit(&f->batch);
}

void reopen(struct fixture *f) {
    engine_close(f->engine);
    f->engine = NULL;
    open_engine(f);
}

struct slice text(const char *string) {
    return slice_of_string(string);
}

void commit(struct fixture *f) {
    enum status status;
    while ((status = engine_write(f->engine, &f->batch, &f->error)) == STATUS_BUSY)
        assert_ok(engine_flush(f->engine, &f->error), &f->error);
    assert_ok(status, &f->error);
    write_batch_clear(&f->batch);
}

void put(struct fixture *f, const char *key, const char *value) {
    write_batch_put(&f->batch, text(key), text(value));
    commit(f);
}
