/* node.c - chapter 02's node: the prompt of chapter 01, on an engine of choice.
 *
 * The engine keeps a log of its own here: what answered OK is there after a crash. Beside the
 * prompt it shows what a store is made of: a picture of it (engine_draw.h), one of its tables, its
 * manifest. What lives here: flags and commands. What must not: any engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "engine_draw.h"
#include "env_fault.h"
#include "env_uv.h"
#include "internal_key.h"
#include "lsm_describe.h"
#include "prompt.h"
#include "sstable_reader.h"

enum {
    FILL_MAX = 10000000,
    FILL_VALUE_BYTES = 100,
    FAULT_SEED = 1,
    SNAPSHOTS_MAX = 9,
    TABLE_ROWS_MAX = 24, /* a table with more entries is shown a line a block */
    SHOWN_BYTES = 512
};

struct node {
    struct env *env;  /* the one below the engine */
    struct env *real; /* the machine */
    struct engine *engine;
    struct engine_options options;
    const char *kind;
    bool on_faulty_disk;
    struct write_batch batch; /* between begin and commit */
    bool collecting;
    struct engine_snapshot *snapshots[SNAPSHOTS_MAX];
};

/* ---- the prompt's own commands -------------------------------------------------------------- */

/* The loop does not run while somebody types: what the engine would flush in the background is
 * flushed here, when it says that it is behind. */
static enum status write_now(struct node *node, struct write_batch *batch, struct error *error) {
    enum status status = engine_write(node->engine, batch, error);
    if (status == STATUS_BUSY && engine_flush(node->engine, error) == STATUS_OK)
        status = engine_write(node->engine, batch, error);
    write_batch_clear(batch);
    return status;
}

static enum status commit(struct node *node, struct error *error) {
    TRY(write_now(node, &node->batch, error));
    return engine_sync(node->engine, error);
}

static enum status put(void *arg, struct slice key, struct slice value, struct error *error) {
    struct node *node = arg;
    if (key.len > WRITE_KEY_MAX || value.len > WRITE_VALUE_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "the limits are %d bytes for a key, %d for a value", WRITE_KEY_MAX,
                         WRITE_VALUE_MAX);
    write_batch_put(&node->batch, key, value);
    return node->collecting ? STATUS_OK : commit(node, error);
}

static enum status get(void *arg, struct slice key, struct buf *value, struct error *error) {
    return engine_get(((struct node *)arg)->engine, NULL, key, 0, value, error);
}

static enum status delete_key(void *arg, struct slice key, struct error *error) {
    struct node *node = arg;
    if (key.len > WRITE_KEY_MAX) return STATUS_NOT_FOUND;
    write_batch_delete(&node->batch, key);
    return node->collecting ? STATUS_OK : commit(node, error);
}

static enum status scan(void *arg, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg, struct error *error) {
    struct node *node = arg;
    struct engine_iterator *it = engine_iterator_new(
        node->engine, &(struct engine_iterator_options){.lower = start, .upper = end});
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        if (!visit(visit_arg, engine_iterator_key(it), engine_iterator_value(it))) break;
    enum status status = engine_iterator_status(it, error);
    engine_iterator_free(it);
    return status;
}

static enum status save(void *arg, struct error *error) {
    return engine_flush(((struct node *)arg)->engine, error);
}

/* ---- batches -------------------------------------------------------------------------------- */

static enum status begin_batch(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    (void)words;
    if (node->collecting) return error_set(error, STATUS_INVALID, "a batch was begun already");
    node->collecting = true;
    puts("OK");
    return STATUS_OK;
}

static enum status end_batch(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    if (!node->collecting) return error_set(error, STATUS_INVALID, "no batch was begun");
    node->collecting = false;
    if (slice_equal(words[0], SLICE_LITERAL("abort")))
        write_batch_clear(&node->batch);
    else
        TRY(commit(node, error));
    puts("OK");
    return STATUS_OK;
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static void print_bytes(struct slice bytes) {
    char shown[SHOWN_BYTES];
    fputs(slice_print(bytes, shown, sizeof(shown)), stdout);
}

static void print_row(struct slice key, struct slice value) {
    print_bytes(key);
    fputs(" = ", stdout);
    print_bytes(value);
    putchar('\n');
}

static enum status make_snapshot(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    (void)words;
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        if (node->snapshots[i] != NULL) continue;
        node->snapshots[i] = engine_snapshot_new(node->engine);
        printf("snapshot %zu\n", i + 1);
        return STATUS_OK;
    }
    return error_set(error, STATUS_TOO_LARGE, "%d snapshots are enough", SNAPSHOTS_MAX);
}

static struct engine_snapshot **find_snapshot(struct node *node, struct slice word,
                                              struct error *error) {
    size_t index = word.len == 1 ? (size_t)word.data[0] - '1' : SNAPSHOTS_MAX;
    if (index < SNAPSHOTS_MAX && node->snapshots[index] != NULL) return &node->snapshots[index];
    enum status ignored = error_set(error, STATUS_INVALID, "there is no such snapshot");
    (void)ignored;
    return NULL;
}

static enum status read_snapshot(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    struct engine_snapshot **snapshot = find_snapshot(node, words[1], error);
    if (snapshot == NULL) return STATUS_INVALID;
    struct engine_iterator *it = engine_iterator_new(
        node->engine, &(struct engine_iterator_options){
                          .lower = words[2], .upper = words[3], .snapshot = *snapshot});
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        print_row(engine_iterator_key(it), engine_iterator_value(it));
    enum status status = engine_iterator_status(it, error);
    engine_iterator_free(it);
    return status;
}

static enum status release_snapshot(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    struct engine_snapshot **snapshot = find_snapshot(node, words[1], error);
    if (snapshot == NULL) return STATUS_INVALID;
    engine_snapshot_release(node->engine, *snapshot);
    *snapshot = NULL;
    puts("OK");
    return STATUS_OK;
}

static void release_all(struct node *node) {
    for (size_t i = 0; i < SNAPSHOTS_MAX; i++) {
        engine_snapshot_release(node->engine, node->snapshots[i]);
        node->snapshots[i] = NULL;
    }
}

/* ---- many writes ---------------------------------------------------------------------------- */

/* True if the whole word is a number from 1 to `max`. */
static bool number_of(struct slice word, uint64_t max, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || *out > max) return false;
        *out = 10 * *out + (uint64_t)(word.data[i] - '0');
    }
    return *out >= 1 && *out <= max;
}

/* A batch has one commit: the keys of each are there together or not at all. */
static enum status fill(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    uint64_t count, per_batch = 1;
    if (!number_of(words[1], FILL_MAX, &count) ||
        (words[2].len > 0 && !number_of(words[2], FILL_MAX, &per_batch)))
        return error_set(error, STATUS_INVALID, "a number from 1 to %d is expected", FILL_MAX);
    uint64_t before = env_now_ns(node->env);
    for (uint64_t i = 0; i < count; i++) {
        char key[32], value[FILL_VALUE_BYTES];
        int len = snprintf(key, sizeof(key), "fill-%08llu", (unsigned long long)i);
        memset(value, '.', sizeof(value));
        write_batch_put(&node->batch, slice_of(key, (size_t)len), slice_of(value, sizeof(value)));
        if ((i + 1) % per_batch == 0 || i + 1 == count) TRY(commit(node, error));
    }
    double seconds = (double)(env_now_ns(node->env) - before) / (double)NS_PER_S;
    printf("%llu writes, %.3f s: %.0f writes/s\n", (unsigned long long)count, seconds,
           (double)count / seconds);
    return STATUS_OK;
}

static enum status say_size(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    struct buf text = BUF_INIT;
    (void)error;
    draw_bytes(&text, engine_size_estimate(node->engine, words[1], words[2]));
    printf("about %.*s\n", (int)text.len, (const char *)text.data);
    buf_deinit(&text);
    return STATUS_OK;
}

/* A scan that shows nothing but its time. */
static enum status walk(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    struct engine_iterator *it = engine_iterator_new(
        node->engine, &(struct engine_iterator_options){.lower = words[1], .upper = words[2]});
    uint64_t rows = 0, before = env_now_ns(node->env);
    for (bool valid = engine_iterator_seek_first(it); valid; valid = engine_iterator_next(it))
        rows++;
    double seconds = (double)(env_now_ns(node->env) - before) / (double)NS_PER_S;
    enum status status = engine_iterator_status(it, error);
    engine_iterator_free(it);
    if (status != STATUS_OK) return status;
    printf("%llu rows, %.3f s: %.0f rows/s\n", (unsigned long long)rows, seconds,
           (double)rows / seconds);
    return STATUS_OK;
}

static enum status say_levels(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    struct buf text = BUF_INIT;
    (void)words;
    if (strcmp(node->kind, "lsm") != 0)
        return error_set(error, STATUS_UNSUPPORTED, "only an LSM tree has levels");
    enum status status = lsm_describe_levels(node->env, node->options.dir, &text, error);
    if (status == STATUS_OK) fwrite(text.data, 1, text.len, stdout);
    buf_deinit(&text);
    return status;
}

/* ---- the machine dies ----------------------------------------------------------------------- */

static enum status open_engine(struct node *node, struct error *error) {
    uint64_t before = env_now_ns(node->env);
    TRY(engine_open(node->env, node->kind, &node->options, &node->engine, error));
    log_info(env_log(node->env), "node", "open data=%s engine=%s ms=%llu", node->options.dir,
             engine_kind_of(node->engine),
             (unsigned long long)((env_now_ns(node->env) - before) / NS_PER_MS));
    return STATUS_OK;
}

static void close_engine(struct node *node) {
    if (node->engine == NULL) return;
    release_all(node);
    engine_close(node->engine);
    node->engine = NULL;
}

static void stop_loop(void *arg) { env_stop(arg); }

/* What is under way on a lane lets go of its files. */
static void settle(struct env *env) {
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, env);
    env_timer_start(env, &timer, env_now_ns(env) + 5 * NS_PER_MS);
    env_run(env);
    env_timer_stop(&timer);
}

/* It starts again in the same process: what was only in memory is gone, and of the files what
 * `loss` says. A machine without power says nothing. */
static enum status die_and_start(struct node *node, enum crash_loss loss, struct error *error) {
    struct log *log = env_log(node->env);
    struct log kept = *log;
    log_init_null(log);
    env_fault_arm(node->env, FAULT_CRASH, env_fault_operations(node->env));
    close_engine(node);
    settle(node->env);
    env_fault_power_loss(node->env, loss);
    env_fault_clear(node->env);
    write_batch_clear(&node->batch);
    node->collecting = false;
    *log = kept;
    return open_engine(node, error);
}

static enum status crash(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    if (!node->on_faulty_disk)
        return error_set(error, STATUS_UNSUPPORTED, "start the node with --faulty-disk for that");
    if (slice_equal(words[1], SLICE_LITERAL("kill"))) return die_and_start(arg, LOSE_NONE, error);
    if (slice_equal(words[1], SLICE_LITERAL("power")))
        return die_and_start(arg, LOSE_ALL_UNSYNCED, error);
    if (slice_equal(words[1], SLICE_LITERAL("torn"))) return die_and_start(arg, LOSE_SOME, error);
    return error_set(error, STATUS_INVALID, "crash how? kill, power or torn");
}

static const struct prompt_command commands[] = {
    {"begin", 1, 1, begin_batch, "begin                what comes is one batch, until commit"},
    {"commit", 1, 1, end_batch, "commit               writes the batch, all or nothing"},
    {"abort", 1, 1, end_batch, "abort                forgets the batch"},
    {"snapshot", 1, 1, make_snapshot, "snapshot             keeps this moment, and numbers it"},
    {"at", 2, 4, read_snapshot, "at N [START [END]]   scan, as it was at snapshot N"},
    {"release", 2, 2, release_snapshot, "release N"},
    {"fill", 2, 3, fill, "fill COUNT [BATCH]   COUNT writes, BATCH of them at a time"},
    {"walk", 1, 3, walk, "walk [START [END]]   scans without showing it, and says how fast"},
    {"levels", 1, 1, say_levels, "levels               lsm: the tables of each level"},
    {"size", 1, 3, say_size, "size [START [END]]   about how much the engine holds there"},
    {"crash", 2, 2, crash,
     "crash kill|power|torn  the machine dies and starts again, and loses nothing, all that is "
     "not synced, or some sectors of it (--faulty-disk)"},
    {NULL, 0, 0, NULL, NULL},
};

/* ---- a table by itself ---------------------------------------------------------------------- */

static void print_version(struct slice internal, struct slice value) {
    print_bytes(internal_key_user(internal));
    printf(" @%llu", (unsigned long long)internal_key_sequence(internal));
    fputs(internal_key_kind(internal) == WRITE_PUT ? " = " : " deleted", stdout);
    print_bytes(value);
    putchar('\n');
}

/* All entries, or a line for the first of each block. */
static enum status print_table(const struct sstable *table, struct error *error) {
    struct sstable_iterator it;
    uint64_t block = UINT64_MAX, blocks = 0;
    bool all = sstable_entries(table) <= TABLE_ROWS_MAX;
    sstable_iterator_init(&it, table, &(struct block_access){0});
    for (sstable_iterator_seek_first(&it); it.valid; sstable_iterator_next(&it)) {
        uint64_t at = sstable_offset_of(table, sstable_iterator_key(&it));
        if (at != block) printf("block at %llu\n", (unsigned long long)at);
        if (at != block || all) {
            fputs("  ", stdout);
            print_version(sstable_iterator_key(&it), sstable_iterator_value(&it));
        }
        blocks += at != block;
        block = at;
    }
    enum status status = it.status;
    if (status == STATUS_OK)
        printf("entries: %llu, blocks: %llu\n", (unsigned long long)sstable_entries(table),
               (unsigned long long)blocks);
    else if (error != NULL)
        *error = it.error;
    sstable_iterator_deinit(&it);
    return status;
}

/* What the filter, the index and the block say of a key. */
static enum status print_search(const struct sstable *table, struct slice key,
                                struct error *error) {
    bool may_hold = sstable_may_contain(table, key);
    printf("filter: %s\n", may_hold ? "may be here" : "surely not here");
    if (!may_hold) return STATUS_OK;
    struct buf internal = BUF_INIT;
    struct sstable_iterator it;
    struct slice sought = internal_key_make(&internal, key, UINT64_MAX, WRITE_PUT);
    sstable_iterator_init(&it, table, &(struct block_access){0});
    printf("index: block at %llu\n", (unsigned long long)sstable_offset_of(table, sought));
    sstable_iterator_seek(&it, sought);
    if (it.valid && slice_equal(internal_key_user(sstable_iterator_key(&it)), key)) {
        fputs("block: ", stdout);
        print_version(sstable_iterator_key(&it), sstable_iterator_value(&it));
    } else if (it.status == STATUS_OK) {
        puts("block: not here");
    }
    enum status status = it.status;
    if (status != STATUS_OK && error != NULL) *error = it.error;
    sstable_iterator_deinit(&it);
    buf_deinit(&internal);
    return status;
}

static enum status show_table(struct env *env, const char *path, const char *key,
                              struct error *error) {
    struct file *file;
    struct sstable *table;
    TRY(env_file_open(env, path, FILE_READ, &file, error));
    enum status status = sstable_open(file, 0, &table, error);
    if (status != STATUS_OK) {
        file_close(file);
        return status;
    }
    status =
        key != NULL ? print_search(table, slice_of_string(key), error) : print_table(table, error);
    sstable_close(table);
    return status;
}

/* ---- the process ---------------------------------------------------------------------------- */

static enum status show_manifest(struct node *node, struct error *error) {
    struct buf text = BUF_INIT;
    enum status status = lsm_describe_manifest(node->env, node->options.dir, &text, error);
    if (status == STATUS_NOT_FOUND)
        status = error_set(error, STATUS_NOT_FOUND, "%s holds no LSM tree", node->options.dir);
    if (status == STATUS_OK) fwrite(text.data, 1, text.len, stdout);
    buf_deinit(&text);
    return status;
}

static enum status draw(struct engine *engine, struct error *error) {
    struct buf picture = BUF_INIT;
    enum status status = engine_draw(engine, &picture, error);
    if (status == STATUS_OK) fwrite(picture.data, 1, picture.len, stdout);
    buf_deinit(&picture);
    return status;
}

struct flags {
    const char *table; /* show it, and nothing else */
    const char *key;
    bool manifest;
    bool dot;
    bool help;
};

static int usage(FILE *out, int exit_status) {
    fprintf(out,
            "usage: node [--data=DIR] [--engine=KIND] [OPTION...]   kinds: %s\n"
            "  --data=DIR            where the store lives; data/02-engines if not given\n"
            "  --engine=KIND         what keeps it; mem if not given\n"
            "  --write-buffer=BYTES  lsm, btree, rocksdb: so much in memory before it is flushed\n"
            "  --log-segment=BYTES   mem, lsm, btree: so long is a file of the log\n"
            "  --memory-limit=BYTES  mem: all that it may hold\n"
            "  --no-compaction       lsm: tables stay as the flushes left them\n"
            "  --faulty-disk         a disk whose power can be cut: see crash in help\n"
            "  --dot                 prints a picture of the store, for Graphviz\n"
            "  --manifest            prints the edits of an LSM tree's manifest\n"
            "  --table=FILE          prints a table of an LSM tree\n"
            "  --key=KEY             with --table: how the key is looked for in it\n",
            engine_kinds());
    return exit_status;
}

/* True if the flag is `name`; *value is what stands behind it. */
static bool is_flag(const char *given, const char *name, const char **value) {
    size_t len = strlen(name);
    *value = given + len;
    return strncmp(given, name, len) == 0 && **value != '\0';
}

static bool parse_bytes(const char *text, size_t *bytes) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *bytes = (size_t)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

/* RocksDB does its own I/O. */
static bool fit_together(const struct node *node, const struct flags *flags) {
    return !(node->on_faulty_disk && strcmp(node->kind, "rocksdb") == 0) &&
           (flags->key == NULL || flags->table != NULL);
}

static bool parse(struct node *node, struct flags *flags, const char *given) {
    const char *value;
    if (is_flag(given, "--data=", &value))
        node->options.dir = value;
    else if (is_flag(given, "--engine=", &value))
        node->kind = value;
    else if (is_flag(given, "--write-buffer=", &value))
        return parse_bytes(value, &node->options.write_buffer_bytes);
    else if (is_flag(given, "--log-segment=", &value))
        return parse_bytes(value, &node->options.log_segment_bytes);
    else if (is_flag(given, "--memory-limit=", &value))
        return parse_bytes(value, &node->options.memory_limit_bytes);
    else if (is_flag(given, "--table=", &value))
        flags->table = value;
    else if (is_flag(given, "--key=", &value))
        flags->key = value;
    else if (strcmp(given, "--faulty-disk") == 0)
        node->on_faulty_disk = true;
    else if (strcmp(given, "--no-compaction") == 0)
        node->options.no_compaction = true;
    else if (strcmp(given, "--manifest") == 0)
        flags->manifest = true;
    else if (strcmp(given, "--dot") == 0)
        flags->dot = true;
    else if (strcmp(given, "--help") == 0)
        flags->help = true;
    else
        return false;
    return true;
}

static int complain(struct node *node, const char *what, const struct error *error) {
    log_error(env_log(node->env), "node", "cannot %s: %s", what, error->message);
    return 1;
}

static int run_node(struct node *node, const struct flags *flags) {
    struct error error;
    if (flags->table != NULL)
        return show_table(node->env, flags->table, flags->key, &error) == STATUS_OK
                   ? 0
                   : complain(node, "read the table", &error);
    if (flags->manifest)
        return show_manifest(node, &error) == STATUS_OK
                   ? 0
                   : complain(node, "read the manifest", &error);
    if (flags->dot) env_log(node->env)->level = LOG_WARN;
    if (open_engine(node, &error) != STATUS_OK) return complain(node, "open the store", &error);
    if (flags->dot)
        return draw(node->engine, &error) == STATUS_OK ? 0
                                                       : complain(node, "draw the store", &error);
    return prompt_run(&(struct prompt_store){.arg = node,
                                             .name = node->kind,
                                             .put = put,
                                             .get = get,
                                             .delete_key = delete_key,
                                             .scan = scan,
                                             .save_command = "flush",
                                             .save = save,
                                             .more = commands});
}

int main(int argc, char **argv) {
    struct node node = {.options = {.dir = "data/02-engines", .own_log = true}, .kind = "mem"};
    struct flags flags = {0};
    for (int i = 1; i < argc; i++)
        if (!parse(&node, &flags, argv[i])) return usage(stderr, 2);
    if (flags.help) return usage(stdout, 0);
    if (!fit_together(&node, &flags)) return usage(stderr, 2);
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    node.real = env_uv_new(&log);
    node.env = node.on_faulty_disk ? env_fault_new(node.real, FAULT_SEED) : node.real;
    write_batch_init(&node.batch);
    int exit_status = run_node(&node, &flags);
    close_engine(&node);
    write_batch_deinit(&node.batch);
    if (node.on_faulty_disk) settle(node.env);
    env_uv_free(node.real);
    if (node.on_faulty_disk) env_fault_free(node.env);
    return exit_status;
}
