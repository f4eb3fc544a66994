/* node.c - chapter 01's node: a key-value prompt that survives a crash.
 *
 *   node [--data=DIR] [--memory] [--faulty-disk]
 *
 * Every command that answers OK is on the disk: kill the process at any time and start it again.
 * Two flags show what that is worth: --memory leaves the log away, --faulty-disk puts a disk under
 * the store whose power can be cut. What lives here: flags and commands. What must not: any part of
 * the store. */
#include <stdio.h>
#include <string.h>

#include "env_fault.h"
#include "env_uv.h"
#include "kvstore.h"
#include "memtable.h"
#include "prompt.h"

enum { FILL_MAX = 10000000, FILL_VALUE_BYTES = 100, FAULT_SEED = 1 };

struct node {
    struct env *env;       /* the one below the store */
    struct env *real;      /* the machine */
    struct kvstore *store; /* NULL with --memory */
    struct memtable *memory;
    struct kvstore_options options;
    bool in_memory;
    bool on_faulty_disk;
};

/* ---- the store, or a bare memtable ---------------------------------------------------------- */

static enum status write_one(struct node *node, struct slice key, struct slice value,
                             struct error *error) {
    if (!node->in_memory) return kvstore_put(node->store, key, value, error);
    return memtable_put(node->memory, key, value);
}

static enum status commit(struct node *node, struct error *error) {
    return node->in_memory ? STATUS_OK : kvstore_commit(node->store, error);
}

static enum status put(void *arg, struct slice key, struct slice value, struct error *error) {
    TRY(write_one(arg, key, value, error));
    return commit(arg, error);
}

static enum status get(void *arg, struct slice key, struct buf *value, struct error *error) {
    struct node *node = arg;
    struct slice found;
    (void)error;
    if (!node->in_memory)
        TRY(kvstore_get(node->store, key, &found));
    else if (!memtable_get(node->memory, key, &found))
        return STATUS_NOT_FOUND;
    buf_clear(value);
    buf_append_slice(value, found);
    return STATUS_OK;
}

static enum status delete_key(void *arg, struct slice key, struct error *error) {
    struct node *node = arg;
    if (node->in_memory) return memtable_remove(node->memory, key) ? STATUS_OK : STATUS_NOT_FOUND;
    TRY(kvstore_delete(node->store, key, error));
    return kvstore_commit(node->store, error);
}

static void scan_memory(const struct memtable *memory, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg) {
    struct memtable_iterator it = memtable_iterator_of(memory);
    for (memtable_seek(&it, start); memtable_valid(&it); memtable_next(&it)) {
        struct slice key = memtable_key(&it);
        if (end.len > 0 && slice_compare(key, end) >= 0) return;
        if (!visit(visit_arg, key, memtable_value(&it))) return;
    }
}

static enum status scan(void *arg, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg, struct error *error) {
    struct node *node = arg;
    (void)error;
    if (node->in_memory)
        scan_memory(node->memory, start, end, visit, visit_arg);
    else
        kvstore_scan(node->store, start, end, visit, visit_arg);
    return STATUS_OK;
}

static enum status save(void *arg, struct error *error) {
    struct node *node = arg;
    if (node->in_memory)
        return error_set(error, STATUS_UNSUPPORTED, "a store in memory has nowhere to put it");
    return kvstore_snapshot(node->store, error);
}

/* ---- opening -------------------------------------------------------------------------------- */

static enum status open_store(struct node *node, struct error *error) {
    uint64_t before = env_now_ns(node->env);
    TRY(kvstore_open(node->env, &node->options, &node->store, error));
    log_info(env_log(node->env), "node", "open data=%s keys=%zu replayed_bytes=%llu ms=%llu",
             node->options.dir, kvstore_count(node->store),
             (unsigned long long)kvstore_log_bytes(node->store),
             (unsigned long long)((env_now_ns(node->env) - before) / NS_PER_MS));
    return STATUS_OK;
}

static enum status open_any(struct node *node, struct error *error) {
    if (!node->in_memory) return open_store(node, error);
    struct prng prng;
    env_random(node->env, "memtable", &prng);
    node->memory = memtable_new(&(struct memtable_options){.seed = prng_u64(&prng)});
    return STATUS_OK;
}

static void close_any(struct node *node) {
    kvstore_close(node->store);
    memtable_free(node->memory);
    node->store = NULL;
}

/* ---- commands of this node ------------------------------------------------------------------ */

/* True if the whole word is a number from 1 to `max`. */
static bool number_of(struct slice word, uint64_t max, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] < '0' || word.data[i] > '9' || *out > max) return false;
        *out = 10 * *out + (uint64_t)(word.data[i] - '0');
    }
    return *out >= 1 && *out <= max;
}

static enum status fill_key(struct node *node, uint64_t i, struct error *error) {
    char key[32], value[FILL_VALUE_BYTES];
    int len = snprintf(key, sizeof(key), "fill-%08llu", (unsigned long long)i);
    memset(value, '.', sizeof(value));
    return write_one(node, slice_of(key, (size_t)len), slice_of(value, sizeof(value)), error);
}

static enum status fill(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    uint64_t count, batch = 1, commits = 0;
    if (!number_of(words[1], FILL_MAX, &count) ||
        (words[2].len > 0 && !number_of(words[2], FILL_MAX, &batch)))
        return error_set(error, STATUS_INVALID, "a number from 1 to %d is expected", FILL_MAX);
    uint64_t before = env_now_ns(node->env);
    for (uint64_t i = 0; i < count; i++) {
        TRY(fill_key(node, i, error));
        if ((i + 1) % batch != 0 && i + 1 != count) continue;
        TRY(commit(node, error));
        commits++;
    }
    double seconds = (double)(env_now_ns(node->env) - before) / (double)NS_PER_S;
    printf("%llu writes, ", (unsigned long long)count);
    if (!node->in_memory) printf("%llu commits, ", (unsigned long long)commits);
    printf("%.3f s: %.0f writes/s\n", seconds, (double)count / seconds);
    return STATUS_OK;
}

static enum status needs_faulty_disk(const struct node *node, struct error *error) {
    if (node->on_faulty_disk) return STATUS_OK;
    return error_set(error, STATUS_UNSUPPORTED, "start the node with --faulty-disk for that");
}

/* The machine dies and starts again, all in this process: what was only in the memory of the store
 * is gone, and of the files what `loss` says. A machine without power says nothing. */
static enum status die_and_start(struct node *node, enum crash_loss loss, struct error *error) {
    struct log *log = env_log(node->env);
    struct log kept = *log;
    log_init_null(log);
    env_fault_arm(node->env, FAULT_CRASH, 0);
    close_any(node);
    env_fault_clear(node->env);
    env_fault_power_loss(node->env, loss);
    *log = kept;
    return open_store(node, error);
}

static enum status crash(void *arg, const struct slice *words, struct error *error) {
    TRY(needs_faulty_disk(arg, error));
    if (slice_equal(words[1], SLICE_LITERAL("kill"))) return die_and_start(arg, LOSE_NONE, error);
    if (slice_equal(words[1], SLICE_LITERAL("power")))
        return die_and_start(arg, LOSE_ALL_UNSYNCED, error);
    if (slice_equal(words[1], SLICE_LITERAL("torn"))) return die_and_start(arg, LOSE_SOME, error);
    return error_set(error, STATUS_INVALID, "crash how? kill, power or torn");
}

static enum status set_fault(void *arg, const struct slice *words, struct error *error) {
    struct node *node = arg;
    TRY(needs_faulty_disk(node, error));
    uint64_t now = env_fault_operations(node->env);
    env_fault_clear(node->env);
    if (slice_equal(words[1], SLICE_LITERAL("lie")))
        env_fault_arm(node->env, FAULT_SYNC_LIES, now);
    else if (slice_equal(words[1], SLICE_LITERAL("fail")))
        env_fault_arm(node->env, FAULT_SYNC_ERROR, now);
    else if (!slice_equal(words[1], SLICE_LITERAL("none")))
        return error_set(error, STATUS_INVALID, "which fault? lie, fail or none");
    puts("OK");
    return STATUS_OK;
}

static const struct prompt_command commands[] = {
    {"fill", 2, 3, fill, "fill COUNT [BATCH]   COUNT writes, a commit for every BATCH of them"},
    {"crash", 2, 2, crash,
     "crash HOW            die and start again; HOW is kill (loses nothing),\n"
     "                     power (all that is not synced) or torn (some of it)"},
    {"fault", 2, 2, set_fault,
     "fault KIND           lie (syncs only say OK), fail (the next sync fails) or none\n"
     "                     crash and fault need --faulty-disk"},
    {NULL, 0, 0, NULL, NULL},
};

/* ---- the process ---------------------------------------------------------------------------- */

static int usage(FILE *out, int exit_status) {
    fputs("usage: node [--data=DIR] [--memory] [--faulty-disk]\n"
          "  --data=DIR     where the store lives; data/01-wal if not given\n"
          "  --memory       the memtable alone: nothing is written anywhere\n"
          "  --faulty-disk  a disk whose power can be cut: see crash and fault in help\n",
          out);
    return exit_status;
}

static bool parse(struct node *node, const char *flag) {
    if (strncmp(flag, "--data=", 7) == 0 && flag[7] != '\0')
        node->options.dir = flag + 7;
    else if (strcmp(flag, "--memory") == 0)
        node->in_memory = true;
    else if (strcmp(flag, "--faulty-disk") == 0)
        node->on_faulty_disk = true;
    else
        return false;
    return !(node->in_memory && node->on_faulty_disk);
}

static int run_node(struct node *node) {
    struct error error;
    int exit_status = 1;
    node->env = node->on_faulty_disk ? env_fault_new(node->real, FAULT_SEED) : node->real;
    if (open_any(node, &error) == STATUS_OK)
        exit_status = prompt_run(&(struct prompt_store){.arg = node,
                                                        .name = "wal",
                                                        .put = put,
                                                        .get = get,
                                                        .delete_key = delete_key,
                                                        .scan = scan,
                                                        .save_command = "snapshot",
                                                        .save = save,
                                                        .more = commands});
    else
        log_error(env_log(node->env), "node", "cannot open the store: %s", error.message);
    close_any(node);
    if (node->on_faulty_disk) env_fault_free(node->env);
    return exit_status;
}

int main(int argc, char **argv) {
    struct node node = {.options.dir = "data/01-wal"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) return usage(stdout, 0);
        if (!parse(&node, argv[i])) return usage(stderr, 2);
    }
    struct log log;
    log_init_stderr(&log, LOG_INFO);
    node.real = env_uv_new(&log);
    int exit_status = run_node(&node);
    env_uv_free(node.real);
    return exit_status;
}
