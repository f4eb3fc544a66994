/* sync_bench.c - how often the disk syncs: the bound of everything durable.
 *
 *   sync_bench FILE SECONDS
 *
 * Overwrites 512 bytes at a time in a file that is allocated, as the log does, and syncs each. */
#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"
#include "mem.h"

enum { FILE_BYTES = 8 * 1024 * 1024, WRITE_BYTES = 512 };

static enum status measure(struct env *env, const char *path, uint64_t seconds, double *rate,
                           struct error *error) {
    static const uint8_t zeros[FILE_BYTES];
    struct file *file;
    TRY(env_file_open(env, path, FILE_READ_WRITE, &file, error));
    enum status status = file_write_at(file, 0, slice_of(zeros, sizeof zeros), error);
    if (status == STATUS_OK) status = file_sync(file, error);
    uint64_t start_ns = env_now_ns(env);
    uint64_t end_ns = start_ns + seconds * NS_PER_S;
    uint64_t count = 0;
    for (; status == STATUS_OK && env_now_ns(env) < end_ns; count++) {
        uint64_t offset = count * WRITE_BYTES % FILE_BYTES;
        status = file_write_at(file, offset, slice_of(zeros, WRITE_BYTES), error);
        if (status == STATUS_OK) status = file_sync(file, error);
    }
    *rate = (double)count * (double)NS_PER_S / (double)(env_now_ns(env) - start_ns);
    file_close(file);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: sync_bench FILE SECONDS\n");
        return 2;
    }
    struct log log;
    struct error error;
    double rate;
    log_init_null(&log);
    struct env *env = env_uv_new(&log);
    enum status status = measure(env, argv[1], strtoull(argv[2], NULL, 10), &rate, &error);
    if (status == STATUS_OK) {
        printf("%.0f syncs/s\n", rate);
    } else {
        fprintf(stderr, "sync_bench: %s\n", error.message);
    }
    env_uv_free(env);
    return status == STATUS_OK ? 0 : 1;
}
