/* engine_bench.c - one engine by itself: how fast it takes writes, finds keys, walks; and how many
 * bytes it writes for each byte that it is given.
 *
 *   engine_bench --engine=KIND [--keys=N] [--value=BYTES] [--buffer=BYTES] [--dir=DIR]
 *
 * Batches of 100 keys of 16 bytes, without a log of its own, as under Raft. The loop runs whenever
 * the engine says BUSY. The last flush counts. Values do not compress. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "env_uv.h"
#include "mem.h"

enum { BATCH_KEYS = 100, KEY_BYTES = 16, KEY_ROOM = 24, GETS_MAX = 200000 };

struct bench {
    const char *kind;
    const char *dir;
    uint64_t keys;
    size_t value_bytes;
    size_t buffer_bytes; /* of a memtable; 0: the engine's default */
    struct env *env;
    struct engine *engine;
    uint8_t *value;
    struct prng prng;
    bool flushed;
};

static void fail(const struct error *error) {
    fprintf(stderr, "engine_bench: %s\n", error->message);
    exit(1);
}

static void stop_loop(void *arg) { env_stop(arg); }

static void run_loop(struct bench *bench, uint64_t ns) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, bench->env);
    env_timer_start(bench->env, &timer, env_now_ns(bench->env) + ns);
    env_run(bench->env);
    env_timer_stop(&timer);
}

static void on_flushed(void *arg, enum status status, const struct error *error) {
    struct bench *bench = arg;
    if (status != STATUS_OK) fail(error);
    bench->flushed = true;
    env_stop(bench->env);
}

static void flush(struct bench *bench) {
    struct engine_flush_op op = {.done = on_flushed, .arg = bench};
    bench->flushed = false;
    engine_flush_start(bench->engine, &op);
    while (!bench->flushed)
        env_run(bench->env);
}

static void write_batch(struct bench *bench, const struct write_batch *batch) {
    struct error error;
    enum status status;
    while ((status = engine_write(bench->engine, batch, &error)) == STATUS_BUSY)
        run_loop(bench, NS_PER_MS);
    if (status != STATUS_OK) fail(&error);
}

/* A bijection of the numbers below 2^32: random order, each key once. */
static uint64_t scattered(uint64_t i) { return i * UINT64_C(2654435761) & UINT32_MAX; }

static struct slice key_of(uint64_t number, char out[KEY_ROOM]) {
    snprintf(out, KEY_ROOM, "%016llu", (unsigned long long)number);
    return slice_of(out, KEY_BYTES);
}

static void fill(struct bench *bench, bool random) {
    struct write_batch batch;
    char key[KEY_ROOM];
    write_batch_init(&batch);
    for (uint64_t i = 0; i < bench->keys; i++) {
        for (size_t k = 0; k + 8 <= bench->value_bytes; k += 8) {
            uint64_t bits = prng_u64(&bench->prng);
            memcpy(bench->value + k, &bits, sizeof(bits));
        }
        write_batch_put(&batch, key_of(random ? scattered(i) : i, key),
                        slice_of(bench->value, bench->value_bytes));
        if (batch.count < BATCH_KEYS && i + 1 < bench->keys) continue;
        write_batch(bench, &batch);
        write_batch_clear(&batch);
        if (i % 5000 < BATCH_KEYS) run_loop(bench, 0); /* as a node's loop would */
    }
    write_batch_deinit(&batch);
    flush(bench);
}

static void get(struct bench *bench, uint64_t count) {
    struct buf value = BUF_INIT;
    struct error error;
    char key[KEY_ROOM];
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = scattered(prng_below(&bench->prng, bench->keys));
        enum status status =
            engine_get(bench->engine, NULL, key_of(number, key), 0, &value, &error);
        if (status != STATUS_OK) {
            fprintf(stderr, "engine_bench: key %s: %s\n", key, status_name(status));
            exit(1);
        }
    }
    buf_deinit(&value);
}

static void scan(struct bench *bench) {
    uint64_t count = 0;
    struct engine_iterator *it = engine_iterator_new(bench->engine, NULL);
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        count++;
    engine_iterator_free(it);
    if (count == bench->keys) return;
    fprintf(stderr, "engine_bench: scanned %llu keys\n", (unsigned long long)count);
    exit(1);
}

/* What this process has handed to the kernel for writing, or 0 where that cannot be asked. */
static uint64_t written_bytes(void) {
    char line[128];
    unsigned long long bytes = 0;
    FILE *file = fopen("/proc/self/io", "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "wchar: %llu", &bytes) == 1) break;
    fclose(file);
    return bytes;
}

static void open_store(struct bench *bench, const char *name) {
    char dir[600];
    struct error error;
    snprintf(dir, sizeof(dir), "%s/%s-%s", bench->dir, bench->kind, name);
    struct engine_options options = {.dir = dir, .write_buffer_bytes = bench->buffer_bytes};
    if (engine_open(bench->env, bench->kind, &options, &bench->engine, &error) != STATUS_OK)
        fail(&error);
}

static void say(struct bench *bench, const char *what, uint64_t count, uint64_t started_ns) {
    double seconds = (double)(env_now_ns(bench->env) - started_ns) / (double)NS_PER_S;
    printf("%-8s %-16s %10.0f ops/s\n", bench->kind, what, (double)count / seconds);
    fflush(stdout);
}

static void fill_and_say(struct bench *bench, bool random) {
    const char *name = random ? "fill random" : "fill sequential";
    open_store(bench, random ? "random" : "sequential");
    uint64_t before = written_bytes(), started_ns = env_now_ns(bench->env);
    fill(bench, random);
    say(bench, name, bench->keys, started_ns);
    run_loop(bench, 2 * NS_PER_S); /* compactions that are due */
    double given = (double)(bench->keys * (KEY_BYTES + bench->value_bytes));
    printf("%-8s %-16s %10.2f bytes written for each given\n", bench->kind, name,
           (double)(written_bytes() - before) / given);
}

static void run(struct bench *bench) {
    fill_and_say(bench, false);
    engine_close(bench->engine);
    fill_and_say(bench, true);
    uint64_t gets = bench->keys < GETS_MAX ? bench->keys : GETS_MAX;
    uint64_t started_ns = env_now_ns(bench->env);
    get(bench, gets);
    say(bench, "get random", gets, started_ns);
    started_ns = env_now_ns(bench->env);
    scan(bench);
    say(bench, "scan", bench->keys, started_ns);
    engine_close(bench->engine);
}

static int usage(void) {
    fprintf(stderr, "usage: engine_bench --engine=KIND [--keys=N] [--value=BYTES] [--buffer=BYTES] "
                    "[--dir=DIR]\n"
                    "the directory must be empty; kinds: ");
    fprintf(stderr, "%s\n", engine_kinds());
    return 2;
}

int main(int argc, char **argv) {
    struct bench bench = {.dir = "data/engine-bench", .keys = 1000000, .value_bytes = 100};
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--engine=", 9) == 0)
            bench.kind = argv[i] + 9;
        else if (strncmp(argv[i], "--keys=", 7) == 0)
            bench.keys = strtoull(argv[i] + 7, NULL, 10);
        else if (strncmp(argv[i], "--value=", 8) == 0)
            bench.value_bytes = (size_t)strtoull(argv[i] + 8, NULL, 10);
        else if (strncmp(argv[i], "--buffer=", 9) == 0)
            bench.buffer_bytes = (size_t)strtoull(argv[i] + 9, NULL, 10);
        else if (strncmp(argv[i], "--dir=", 6) == 0)
            bench.dir = argv[i] + 6;
        else
            return usage();
    }
    if (bench.kind == NULL || bench.keys == 0 || bench.value_bytes > WRITE_VALUE_MAX)
        return usage();
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    bench.env = env_uv_new(&log);
    bench.value = mem_zalloc(bench.value_bytes + 8);
    prng_seed(&bench.prng, 1);
    run(&bench);
    mem_free(bench.value);
    env_uv_free(bench.env);
    return 0;
}
