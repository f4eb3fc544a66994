/* engine_bench.c - one engine by itself: how fast it takes writes, finds keys, walks; how many
 * bytes it writes for each byte that it is given, and keeps for each byte that is alive.
 *
 *   engine_bench --engine=KIND [--keys=N] [--value=BYTES] [--buffer=BYTES] [--cache=BYTES]
 *                [--dir=DIR] [--tsv]
 *
 * Keys of 16 bytes in batches of 100, without a log of its own, as under Raft. The loop runs
 * whenever the engine says BUSY. The last flush counts. Values do not compress. `mixed` reads a key
 * and overwrites another, in turn, each write a batch. final/bench/engines.py runs this for all. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine.h"
#include "env_uv.h"
#include "mem.h"

enum { BATCH_KEYS = 100, KEY_BYTES = 16, KEY_ROOM = 24, OPERATIONS_MAX = 200000 };

struct bench {
    const char *kind;
    const char *dir;
    uint64_t keys;
    size_t value_bytes;
    size_t buffer_bytes; /* of a memtable; 0: the engine's default */
    size_t cache_bytes;
    bool tsv;
    char store[600];
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

static void apply(struct bench *bench, const struct write_batch *batch) {
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

static void put(struct bench *bench, struct write_batch *batch, uint64_t number) {
    char key[KEY_ROOM];
    for (size_t k = 0; k < bench->value_bytes; k += 8) {
        uint64_t bits = prng_u64(&bench->prng);
        memcpy(bench->value + k, &bits, sizeof(bits));
    }
    write_batch_put(batch, key_of(number, key), slice_of(bench->value, bench->value_bytes));
}

static void fill(struct bench *bench, bool random) {
    struct write_batch batch;
    write_batch_init(&batch);
    for (uint64_t i = 0; i < bench->keys; i++) {
        put(bench, &batch, random ? scattered(i) : i);
        if (batch.count < BATCH_KEYS && i + 1 < bench->keys) continue;
        apply(bench, &batch);
        write_batch_clear(&batch);
        if (i % 5000 < BATCH_KEYS) run_loop(bench, 0); /* as a node's loop would */
    }
    write_batch_deinit(&batch);
    flush(bench);
}

static void get(struct bench *bench, uint64_t number, struct buf *value) {
    struct error error;
    char key[KEY_ROOM];
    enum status status = engine_get(bench->engine, NULL, key_of(number, key), 0, value, &error);
    if (status == STATUS_OK) return;
    fprintf(stderr, "engine_bench: key %s: %s\n", key, status_name(status));
    exit(1);
}

static uint64_t any_key(struct bench *bench) {
    return scattered(prng_below(&bench->prng, bench->keys));
}

static void get_many(struct bench *bench, uint64_t count) {
    struct buf value = BUF_INIT;
    for (uint64_t i = 0; i < count; i++)
        get(bench, any_key(bench), &value);
    buf_deinit(&value);
}

static void mix(struct bench *bench, uint64_t count) {
    struct buf value = BUF_INIT;
    struct write_batch batch;
    write_batch_init(&batch);
    for (uint64_t i = 0; i < count; i += 2) {
        get(bench, any_key(bench), &value);
        put(bench, &batch, any_key(bench));
        apply(bench, &batch);
        write_batch_clear(&batch);
        if (i % 200 == 0) run_loop(bench, 0);
    }
    write_batch_deinit(&batch);
    buf_deinit(&value);
    flush(bench);
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

/* What the files of the store take on the disk, its directories included. */
static uint64_t bytes_on_disk(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0) return 0;
    uint64_t bytes = (uint64_t)info.st_blocks * 512;
    DIR *dir = S_ISDIR(info.st_mode) ? opendir(path) : NULL;
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        char below[1024];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        bytes += bytes_on_disk(below);
    }
    if (dir != NULL) closedir(dir);
    return bytes;
}

static void open_store(struct bench *bench, const char *name) {
    struct error error;
    snprintf(bench->store, sizeof(bench->store), "%s/%s-%s", bench->dir, bench->kind, name);
    struct engine_options options = {.dir = bench->store,
                                     .write_buffer_bytes = bench->buffer_bytes,
                                     .cache_bytes = bench->cache_bytes};
    if (engine_open(bench->env, bench->kind, &options, &bench->engine, &error) != STATUS_OK)
        fail(&error);
}

static void say(struct bench *bench, const char *what, double value, const char *unit) {
    if (bench->tsv)
        printf("%s\t%s\t%.6g\t%s\n", bench->kind, what, value, unit);
    else
        printf("%-8s %-16s %12.*f %s\n", bench->kind, what, value < 1000 ? 2 : 0, value, unit);
    fflush(stdout);
}

struct measure {
    struct bench *bench;
    const char *name;
    uint64_t started_ns, written_bytes;
};

static struct measure begin(struct bench *bench, const char *name) {
    return (struct measure){.bench = bench,
                            .name = name,
                            .started_ns = env_now_ns(bench->env),
                            .written_bytes = written_bytes()};
}

static void end(const struct measure *measure, uint64_t count) {
    uint64_t ns = env_now_ns(measure->bench->env) - measure->started_ns;
    say(measure->bench, measure->name, (double)count * (double)NS_PER_S / (double)ns, "ops/s");
}

/* After the compactions that are due. */
static void end_writes(const struct measure *measure, uint64_t count) {
    struct bench *bench = measure->bench;
    run_loop(bench, 2 * NS_PER_S);
    double given = (double)(count * (KEY_BYTES + bench->value_bytes));
    say(bench, measure->name, (double)(written_bytes() - measure->written_bytes) / given,
        "bytes written for each given");
}

static void say_space(struct bench *bench, const char *what) {
    double live = (double)(bench->keys * (KEY_BYTES + bench->value_bytes));
    say(bench, what, (double)bytes_on_disk(bench->store) / live, "bytes on disk for each alive");
}

static void run(struct bench *bench) {
    uint64_t count = bench->keys < OPERATIONS_MAX ? bench->keys : OPERATIONS_MAX;
    open_store(bench, "sequential");
    struct measure measure = begin(bench, "fill sequential");
    fill(bench, false);
    end(&measure, bench->keys);
    end_writes(&measure, bench->keys);
    say_space(bench, "fill sequential");
    engine_close(bench->engine);

    open_store(bench, "random");
    measure = begin(bench, "fill random");
    fill(bench, true);
    end(&measure, bench->keys);
    end_writes(&measure, bench->keys);
    say_space(bench, "fill random");

    measure = begin(bench, "point get");
    get_many(bench, count);
    end(&measure, count);
    measure = begin(bench, "scan");
    scan(bench);
    end(&measure, bench->keys);

    measure = begin(bench, "mixed");
    mix(bench, count);
    end(&measure, count);
    end_writes(&measure, count / 2);
    say_space(bench, "mixed");
    engine_close(bench->engine);
}

static int usage(void) {
    fprintf(stderr, "usage: engine_bench --engine=KIND [--keys=N] [--value=BYTES] [--buffer=BYTES] "
                    "[--cache=BYTES] [--dir=DIR] [--tsv]\n"
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
        else if (strncmp(argv[i], "--cache=", 8) == 0)
            bench.cache_bytes = (size_t)strtoull(argv[i] + 8, NULL, 10);
        else if (strcmp(argv[i], "--tsv") == 0)
            bench.tsv = true;
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
