/* env_fault.c - the wrapper: counts operations, decides which fails, and passes the rest on.
 *
 * Everything but files is the inner env's. What must be taken back after a power failure is kept
 * by env_fault_disk.c. Syncs may come from another thread, hence the atomics; everything else is on
 * the loop. */
#include "env_fault.h"

#include <stdatomic.h>

#include "env_fault_disk.h"
#include "env_impl.h"
#include "mem.h"

enum { NO_FAULT = -1 };

struct fault_sync;

struct fault_env {
    struct env base;
    struct env *inner;
    struct fault_disk *disk;
    struct prng prng;
    atomic_uint_least64_t operations;
    atomic_int fault; /* enum fault_kind or NO_FAULT */
    atomic_uint_least64_t fault_at;
    struct fault_sync *syncs; /* under way */
    bool died;
};

struct fault_file {
    struct file base;
    struct file *inner;
    struct fault_inode *inode;
};

static struct fault_env *fault_of(struct env *env) { return (struct fault_env *)env; }

/* ---- operations ----------------------------------------------------------------------------- */

enum operation { OPERATION_WRITE, OPERATION_SYNC, OPERATION_OTHER };

/* A fault that strikes once is spent. */
static bool strikes_once(struct fault_env *fault, int kind) {
    return atomic_compare_exchange_strong(&fault->fault, &kind, NO_FAULT);
}

/* Counts an operation; OK if it may go on. */
static enum status begin(struct env *env, enum operation operation, const char *path,
                         struct error *error) {
    struct fault_env *fault = fault_of(env);
    uint64_t number = atomic_fetch_add(&fault->operations, 1);
    int kind = atomic_load(&fault->fault);
    if (kind == NO_FAULT || number < atomic_load(&fault->fault_at)) return STATUS_OK;
    if (kind == FAULT_CRASH) {
        return error_set(error, STATUS_IO, "%s: the machine has crashed", path);
    }
    if (kind == FAULT_NO_SPACE && operation == OPERATION_WRITE) {
        return error_set(error, STATUS_NO_SPACE, "cannot write %s: no space left", path);
    }
    if (kind == FAULT_WRITE_ERROR && operation == OPERATION_WRITE && strikes_once(fault, kind)) {
        return error_set(error, STATUS_IO, "cannot write %s: injected error", path);
    }
    if (kind == FAULT_SYNC_ERROR && operation == OPERATION_SYNC && strikes_once(fault, kind)) {
        return error_set(error, STATUS_IO, "cannot sync %s: injected error", path);
    }
    return STATUS_OK;
}

/* A disk that says OK before it has written anything, or a program that has turned syncs off. */
static bool sync_lies(struct env *env) {
    struct fault_env *fault = fault_of(env);
    return atomic_load(&fault->fault) == FAULT_SYNC_LIES &&
           atomic_load(&fault->operations) > atomic_load(&fault->fault_at);
}

uint64_t env_fault_operations(struct env *env) { return atomic_load(&fault_of(env)->operations); }

void env_fault_arm(struct env *env, enum fault_kind kind, uint64_t at) {
    struct fault_env *fault = fault_of(env);
    atomic_store(&fault->fault_at, at);
    atomic_store(&fault->fault, (int)kind);
}

void env_fault_clear(struct env *env) { atomic_store(&fault_of(env)->fault, NO_FAULT); }

void env_fault_power_loss(struct env *env, enum crash_loss loss) {
    struct fault_env *fault = fault_of(env);
    fault_disk_power_loss(fault->disk, loss, &fault->prng);
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct fault_file *file_of(struct file *file) { return (struct fault_file *)file; }

static void fault_file_close(struct file *base) {
    struct fault_file *file = file_of(base);
    file_close(file->inner);
    mem_free(base->path);
    mem_free(file);
}

static enum status fault_file_write_at(struct file *base, uint64_t offset, struct slice data,
                                       struct error *error) {
    struct fault_file *file = file_of(base);
    TRY(begin(base->env, OPERATION_WRITE, base->path, error));
    fault_inode_will_write(file->inode, file->inner, offset, data.len);
    return file_write_at(file->inner, offset, data, error);
}

static enum status fault_file_read_at(struct file *file, uint64_t offset, void *out, size_t len,
                                      size_t *read, struct error *error) {
    return file_read_at(file_of(file)->inner, offset, out, len, read, error);
}

static enum status fault_file_size(struct file *file, uint64_t *out, struct error *error) {
    return file_size(file_of(file)->inner, out, error);
}

static enum status fault_file_truncate(struct file *base, uint64_t size, struct error *error) {
    struct fault_file *file = file_of(base);
    TRY(begin(base->env, OPERATION_OTHER, base->path, error));
    fault_inode_will_truncate(file->inode, file->inner, size);
    return file_truncate(file->inner, size, error);
}

static enum status fault_file_sync(struct file *base, struct error *error) {
    struct fault_file *file = file_of(base);
    TRY(begin(base->env, OPERATION_SYNC, base->path, error));
    if (sync_lies(base->env)) return STATUS_OK;
    uint64_t covered = fault_inode_sequence(file->inode);
    TRY(file_sync(file->inner, error));
    fault_inode_synced(file->inode, covered);
    return STATUS_OK;
}

/* A sync on the lane: what it covers is settled when it is asked for. */
struct fault_sync {
    struct file_sync_op inner_op;
    struct env_work work; /* reports an injected failure */
    struct file_sync_op *op;
    struct fault_inode *inode;
    uint64_t covered;
    struct fault_sync *next, **at; /* in the list of those under way */
};

static struct fault_sync *new_sync(struct fault_env *fault) {
    struct fault_sync *sync = MEM_NEW(struct fault_sync);
    sync->next = fault->syncs;
    sync->at = &fault->syncs;
    if (sync->next != NULL) sync->next->at = &sync->next;
    fault->syncs = sync;
    return sync;
}

static void free_sync(struct fault_sync *sync) {
    *sync->at = sync->next;
    if (sync->next != NULL) sync->next->at = sync->at;
    mem_free(sync);
}

static void report_failed_sync(void *arg) {
    struct fault_sync *sync = arg;
    struct file_sync_op *op = sync->op;
    free_sync(sync);
    op->done(op->arg, op->status, &op->error);
}

static void on_inner_sync(void *arg, enum status status, const struct error *error) {
    struct fault_sync *sync = arg;
    struct file_sync_op *op = sync->op;
    op->status = status;
    op->error = *error;
    if (status == STATUS_OK) fault_inode_synced(sync->inode, sync->covered);
    free_sync(sync);
    op->done(op->arg, op->status, &op->error);
}

static void fail_on_lane(void *sync) { (void)sync; }

static void fault_file_sync_start(struct file *base, struct file_sync_op *op) {
    struct fault_file *file = file_of(base);
    struct fault_sync *sync = new_sync(fault_of(base->env));
    sync->op = op;
    sync->inode = file->inode;
    sync->covered = fault_inode_sequence(file->inode);
    op->status = begin(base->env, OPERATION_SYNC, base->path, &op->error);
    if (sync_lies(base->env)) sync->covered = 0;
    if (op->status != STATUS_OK) {
        /* By way of the lane, as a sync that works: whoever settles the lanes hears of it. */
        sync->work =
            (struct env_work){.run = fail_on_lane, .done = report_failed_sync, .arg = sync};
        env_work_submit(base->env, LANE_SYNC, &sync->work);
        return;
    }
    sync->inner_op.done = on_inner_sync;
    sync->inner_op.arg = sync;
    file_sync_start(file->inner, &sync->inner_op);
}

static const struct file_ops fault_file_ops = {
    .close = fault_file_close,
    .write_at = fault_file_write_at,
    .read_at = fault_file_read_at,
    .size = fault_file_size,
    .truncate = fault_file_truncate,
    .sync = fault_file_sync,
    .sync_start = fault_file_sync_start,
};

static enum status fault_file_open(struct env *env, const char *path, enum file_mode mode,
                                   struct file **out, struct error *error) {
    struct fault_env *fault = fault_of(env);
    struct file *inner;
    bool creates = mode != FILE_READ && !env_file_exists(fault->inner, path);
    if (creates) TRY(begin(env, OPERATION_OTHER, path, error));
    struct fault_entry *entry = creates ? fault_disk_will_create(fault->disk, path) : NULL;
    enum status status = env_file_open(fault->inner, path, mode, &inner, error);
    if (entry != NULL) fault_disk_changed(fault->disk, entry, status == STATUS_OK);
    if (status != STATUS_OK) return status;
    struct fault_file *file = MEM_NEW(struct fault_file);
    file->base = (struct file){&fault_file_ops, env, mem_strdup(path)};
    file->inner = inner;
    file->inode = fault_disk_inode(fault->disk, path);
    *out = &file->base;
    return STATUS_OK;
}

/* ---- names and directories ------------------------------------------------------------------ */

static enum status fault_file_rename(struct env *env, const char *from, const char *to,
                                     struct error *error) {
    struct fault_env *fault = fault_of(env);
    TRY(begin(env, OPERATION_OTHER, from, error));
    struct fault_entry *entry = fault_disk_will_rename(fault->disk, from, to);
    enum status status = env_file_rename(fault->inner, from, to, error);
    fault_disk_changed(fault->disk, entry, status == STATUS_OK);
    return status;
}

static enum status fault_file_remove(struct env *env, const char *path, struct error *error) {
    struct fault_env *fault = fault_of(env);
    TRY(begin(env, OPERATION_OTHER, path, error));
    struct fault_entry *entry = fault_disk_will_remove(fault->disk, path);
    enum status status = env_file_remove(fault->inner, path, error);
    fault_disk_changed(fault->disk, entry, status == STATUS_OK);
    return status;
}

static uint64_t fault_disk_free_bytes(struct env *env, const char *path) {
    return env_disk_free_bytes(fault_of(env)->inner, path);
}

static bool fault_file_exists(struct env *env, const char *path) {
    return env_file_exists(fault_of(env)->inner, path);
}

static enum status fault_dir_create(struct env *env, const char *path, struct error *error) {
    TRY(begin(env, OPERATION_OTHER, path, error));
    return env_dir_create(fault_of(env)->inner, path, error);
}

static enum status fault_dir_list(struct env *env, const char *path,
                                  void (*visit)(void *arg, const char *name), void *arg,
                                  struct error *error) {
    return env_dir_list(fault_of(env)->inner, path, visit, arg, error);
}

static enum status fault_dir_sync(struct env *env, const char *path, struct error *error) {
    struct fault_env *fault = fault_of(env);
    TRY(begin(env, OPERATION_SYNC, path, error));
    if (sync_lies(env)) return STATUS_OK;
    uint64_t covered = fault_disk_sequence(fault->disk);
    TRY(env_dir_sync(fault->inner, path, error));
    fault_disk_dir_synced(fault->disk, path, covered);
    return STATUS_OK;
}

static enum status fault_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                                  struct error *error) {
    return env_dir_lock(fault_of(env)->inner, path, out, error);
}

/* ---- passed on ------------------------------------------------------------------------------ */

static uint64_t fault_now_ns(struct env *env) { return env_now_ns(fault_of(env)->inner); }

static uint64_t fault_wall_ns(struct env *env) { return env_wall_ns(fault_of(env)->inner); }

static void fault_random(struct env *env, const char *component, struct prng *out) {
    env_random(fault_of(env)->inner, component, out);
}

static void fault_random_bytes(struct env *env, void *out, size_t len) {
    env_random_bytes(fault_of(env)->inner, out, len);
}

static void fault_work_submit(struct env *env, enum work_lane lane, struct env_work *work) {
    env_work_submit(fault_of(env)->inner, lane, work);
}

static enum status fault_listen(struct env *env, const char *host, uint16_t port,
                                void (*on_accept)(void *arg, struct stream *stream), void *arg,
                                struct listener **out, struct error *error) {
    return env_listen(fault_of(env)->inner, host, port, on_accept, arg, out, error);
}

static struct stream *fault_dial(struct env *env, const char *host, uint16_t port,
                                 uint64_t timeout_ns, const struct stream_handler *handler,
                                 void *arg) {
    return env_dial(fault_of(env)->inner, host, port, timeout_ns, handler, arg);
}

static void fault_run(struct env *env) { env_run(fault_of(env)->inner); }

static void fault_stop(struct env *env) { env_stop(fault_of(env)->inner); }

/* As in simulation: the caller returns at once, and the test goes on to look at the disk. */
static void fault_fatal(struct env *env) {
    fault_of(env)->died = true;
    env_stop(fault_of(env)->inner);
}

bool env_fault_died(struct env *env) { return fault_of(env)->died; }

/* Listeners and locks belong to the inner env, which answers for them. */
static const struct env_ops fault_ops = {
    .now_ns = fault_now_ns,
    .wall_ns = fault_wall_ns,
    .random = fault_random,
    .random_bytes = fault_random_bytes,
    .work_submit = fault_work_submit,
    .listen = fault_listen,
    .dial = fault_dial,
    .file_open = fault_file_open,
    .file_rename = fault_file_rename,
    .file_remove = fault_file_remove,
    .file_exists = fault_file_exists,
    .dir_create = fault_dir_create,
    .dir_list = fault_dir_list,
    .dir_sync = fault_dir_sync,
    .disk_free_bytes = fault_disk_free_bytes,
    .dir_lock = fault_dir_lock,
    .run = fault_run,
    .stop = fault_stop,
    .fatal = fault_fatal,
};

struct env *env_fault_new(struct env *inner, uint64_t seed) {
    struct fault_env *fault = MEM_NEW(struct fault_env);
    fault->base = (struct env){&fault_ops, inner->core, inner->log};
    fault->inner = inner;
    fault->disk = fault_disk_new(inner);
    prng_seed(&fault->prng, seed);
    atomic_init(&fault->fault, NO_FAULT);
    return &fault->base;
}

void env_fault_free(struct env *env) {
    struct fault_env *fault = fault_of(env);
    while (fault->syncs != NULL) {
        free_sync(fault->syncs); /* in simulation a crash ends them unreported */
    }
    fault_disk_free(fault->disk);
    mem_free(fault);
}
