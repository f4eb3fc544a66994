/* engine_faulty.c - opening, closing and writing on a disk with faults. */
#include "engine_faulty.h"

#include <stdio.h>

#include "codec.h"
#include "env_uv.h"

void faulty_setup_in(struct faulty *f, const char *kind, const char *dir, uint64_t seed) {
    memset(f, 0, sizeof(*f));
    f->kind = kind;
    struct log log;
    log_init_null(&log);
    f->inner = env_uv_new(&log);
    f->env = env_fault_new(f->inner, seed);
    snprintf(f->dir, sizeof(f->dir), "%s/store-%llu", dir, (unsigned long long)seed);
    f->options.dir = f->dir;
    f->options.cache_bytes = 1 << 20; /* opened so often that 64 MiB each take sanitizers seconds */
    write_batch_init(&f->batch);
}

enum status faulty_open(struct faulty *f) {
    return engine_open(f->env, f->kind, &f->options, &f->engine, &f->error);
}

void faulty_setup(struct faulty *f, const char *kind) {
    faulty_setup_in(f, kind, harness_tmpdir(), 1);
    assert_ok(faulty_open(f), &f->error);
}

void faulty_teardown(struct faulty *f) {
    engine_close(f->engine);
    env_uv_free(f->inner); /* waits for what is under way */
    env_fault_free(f->env);
    buf_deinit(&f->value);
    write_batch_deinit(&f->batch);
}

struct slice faulty_text(const char *string) {
    return slice_of_string(string);
}

enum status faulty_put_number(struct faulty *f, const char *key, uint64_t number) {
    struct buf value = BUF_INIT;
    put_u64be(&value, number);
    write_batch_clear(&f->batch);
    write_batch_put(&f->batch, faulty_text(key), buf_slice(&value));
    buf_deinit(&value);
    return engine_write(f->engine, &f->batch, &f->error);
}
