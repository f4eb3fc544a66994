/* lsm_store.c - reading an LSM tree's directory, and filling its tree. */
#include "lsm_store.h"

#include <stdio.h>

#include "codec.h"
#include "mem.h"

static enum status apply(void *arg, struct lsm_edit *edit, struct error *error) {
    struct lsm_version **version = arg;
    struct lsm_version *next = lsm_version_apply(*version, edit, error);
    if (next == NULL) return STATUS_CORRUPT;
    lsm_version_unref(*version, NULL, NULL);
    *version = next;
    return STATUS_OK;
}

struct lsm_version *lsm_store_version(struct faulty *f) {
    struct lsm_version *version = lsm_version_new();
    assert_ok(lsm_manifest_read(f->env, f->dir, apply, &version, &f->error), &f->error);
    lsm_version_check_invariants(version);
    return version;
}

size_t lsm_store_tables(struct faulty *f, unsigned level) {
    struct lsm_version *version = lsm_store_version(f);
    size_t count = version->table_count[level];
    lsm_version_unref(version, NULL, NULL);
    return count;
}

struct counted {
    const char *ending;
    size_t count;
};

static void count_file(void *arg, const char *name) {
    struct counted *counted = arg;
    size_t len = strlen(name), ending = strlen(counted->ending);
    if (len > ending && strcmp(name + len - ending, counted->ending) == 0) counted->count++;
}

size_t lsm_store_files(struct faulty *f, const char *sub, const char *ending) {
    struct counted counted = {ending, 0};
    char dir[600];
    snprintf(dir, sizeof(dir), "%s/%s", f->dir, sub);
    assert_ok(env_dir_list(f->env, dir, count_file, &counted, &f->error), &f->error);
    return counted.count;
}

void lsm_store_settle(struct faulty *f) {
    for (;;) {
        size_t live = 0;
        for (unsigned level = 0; level < LSM_LEVELS; level++)
            live += lsm_store_tables(f, level);
        if (lsm_store_files(f, ".", ".sst") == live) return;
        lsm_store_run_loop(f, NS_PER_MS);
    }
}

void lsm_store_fill(struct faulty *f, uint64_t from, uint64_t to, uint64_t value) {
    char key[16];
    for (uint64_t i = from; i < to; i++) {
        enum status status;
        snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
        while ((status = faulty_put_number(f, key, value)) == STATUS_BUSY)
            lsm_store_flush(f);
        assert_ok(status, &f->error);
    }
}

void lsm_store_expect(struct faulty *f, const struct engine_snapshot *snapshot, uint64_t i,
                      uint64_t value) {
    char key[16];
    snprintf(key, sizeof(key), "%06llu", (unsigned long long)i);
    assert_ok(engine_get(f->engine, snapshot, faulty_text(key), 0, &f->value, &f->error),
              &f->error);
    assert_int_equal(value, load_u64be(f->value.data));
}

static void stop_loop(void *arg) { env_stop(arg); }

void lsm_store_run_loop(struct faulty *f, uint64_t ns) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, f->env);
    env_timer_start(f->env, &timer, env_now_ns(f->env) + ns);
    env_run(f->env);
    env_timer_stop(&timer);
}

void lsm_store_setup(struct faulty *f) {
    faulty_setup_in(f, "lsm", harness_memory_tmpdir(), 1);
    f->options.write_buffer_bytes = 4096;
    assert_ok(faulty_open(f), &f->error);
}

void lsm_store_flush(struct faulty *f) { assert_ok(engine_flush(f->engine, &f->error), &f->error); }

void lsm_store_reopen(struct faulty *f) {
    engine_close(f->engine);
    f->engine = NULL;
    assert_ok(faulty_open(f), &f->error);
}
