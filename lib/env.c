/* env.c - the part of env that all implementations share: tasks, turn hooks, and the thin calls
 * through the tables. No system calls here. */
#include "env.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "env_impl.h"
#include "mem.h"

/* ---- core ----------------------------------------------------------------------------------- */

void env_core_init(struct env_core *core) { *core = (struct env_core){0}; }

void env_core_deinit(struct env_core *core) {
    for (size_t i = 1; i <= core->heap_len; i++) {
        core->heap[i]->heap_index = 0;
    }
    mem_free(core->heap);
    while (core->first_task != NULL) {
        struct env_task *task = core->first_task;
        core->first_task = task->next;
        task->next = NULL;
        task->queued = false;
    }
    env_core_init(core);
}

bool env_core_has_tasks(const struct env_core *core) { return core->first_task != NULL; }

static void run_tasks(struct env_core *core) {
    while (core->first_task != NULL) {
        struct env_task *task = core->first_task;
        core->first_task = task->next;
        if (core->first_task == NULL) core->last_task = NULL;
        task->next = NULL;
        task->queued = false;
        task->callback(task->arg);
    }
}

static void run_hooks(struct env_core *core) {
    core->hook_cursor = core->hooks;
    while (core->hook_cursor != NULL) {
        struct env_turn_hook *hook = core->hook_cursor;
        core->hook_cursor = hook->next;
        hook->callback(hook->arg);
    }
}

void env_core_run_turn(struct env_core *core) {
    do {
        run_tasks(core);
        run_hooks(core);
    } while (core->first_task != NULL);
}

/* ---- tasks and hooks ------------------------------------------------------------------------ */

void env_post(struct env *env, struct env_task *task) {
    struct env_core *core = env->core;
    assert(task->callback != NULL);
    if (task->queued) return;
    task->queued = true;
    task->next = NULL;
    if (core->last_task != NULL) {
        core->last_task->next = task;
    } else {
        core->first_task = task;
    }
    core->last_task = task;
}

void env_unpost(struct env *env, struct env_task *task) {
    struct env_core *core = env->core;
    if (!task->queued) return;
    struct env_task *previous = NULL;
    struct env_task *at = core->first_task;
    while (at != task) {
        assert(at != NULL);
        previous = at;
        at = at->next;
    }
    if (previous != NULL) {
        previous->next = task->next;
    } else {
        core->first_task = task->next;
    }
    if (core->last_task == task) core->last_task = previous;
    task->next = NULL;
    task->queued = false;
}

void env_turn_hook_add(struct env *env, struct env_turn_hook *hook) {
    struct env_turn_hook **at = &env->core->hooks;
    while (*at != NULL && (*at)->order <= hook->order) {
        at = &(*at)->next;
    }
    hook->next = *at;
    *at = hook;
}

void env_turn_hook_remove(struct env *env, struct env_turn_hook *hook) {
    struct env_core *core = env->core;
    for (struct env_turn_hook **at = &core->hooks; *at != NULL; at = &(*at)->next) {
        if (*at != hook) continue;
        if (core->hook_cursor == hook) core->hook_cursor = hook->next;
        *at = hook->next;
        hook->next = NULL;
        return;
    }
}

/* ---- through the table ---------------------------------------------------------------------- */

uint64_t env_now_ns(struct env *env) { return env->ops->now_ns(env); }

uint64_t env_deadline_ns(struct env *env, uint64_t duration_ns) {
    uint64_t now = env_now_ns(env);
    return duration_ns < UINT64_MAX - now ? now + duration_ns : UINT64_MAX;
}

uint64_t env_wall_ns(struct env *env) { return env->ops->wall_ns(env); }

void env_random(struct env *env, const char *component, struct prng *out) {
    env->ops->random(env, component, out);
}

void env_random_bytes(struct env *env, void *out, size_t len) {
    env->ops->random_bytes(env, out, len);
}

void env_work_submit(struct env *env, enum work_lane lane, struct env_work *work) {
    assert((unsigned)lane < (unsigned)LANE_COUNT);
    env->ops->work_submit(env, lane, work);
}

enum status env_listen(struct env *env, const char *host, uint16_t port,
                       void (*on_accept)(void *arg, struct stream *stream), void *arg,
                       struct listener **out, struct error *error) {
    return env->ops->listen(env, host, port, on_accept, arg, out, error);
}

uint16_t listener_port(const struct listener *listener) {
    return listener->env->ops->listener_port(listener);
}

void listener_close(struct listener *listener) {
    if (listener != NULL) listener->env->ops->listener_close(listener);
}

struct stream *env_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                        const struct stream_handler *handler, void *arg) {
    return env->ops->dial(env, host, port, timeout_ns, handler, arg);
}

void env_run(struct env *env) { env->ops->run(env); }

void env_stop(struct env *env) { env->ops->stop(env); }

struct log *env_log(struct env *env) {
    return env->log;
}

void env_fatal(struct env *env, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    log_error(env->log, "env", "fatal: %s", message);
    env->ops->fatal(env);
}

/* ---- files ---------------------------------------------------------------------------------- */

enum status env_file_open(struct env *env, const char *path, enum file_mode mode, struct file **out,
                          struct error *error) {
    return env->ops->file_open(env, path, mode, out, error);
}

void file_close(struct file *file) {
    if (file != NULL) file->ops->close(file);
}

const char *file_path(const struct file *file) { return file->path; }

enum status file_write_at(struct file *file, uint64_t offset, struct slice data,
                          struct error *error) {
    return file->ops->write_at(file, offset, data, error);
}

enum status file_read_at(struct file *file, uint64_t offset, void *out, size_t len, size_t *read,
                         struct error *error) {
    return file->ops->read_at(file, offset, out, len, read, error);
}

enum status file_size(struct file *file, uint64_t *out, struct error *error) {
    return file->ops->size(file, out, error);
}

enum status file_truncate(struct file *file, uint64_t size, struct error *error) {
    return file->ops->truncate(file, size, error);
}

enum status file_sync(struct file *file, struct error *error) {
    return file->ops->sync(file, error);
}

void file_sync_start(struct file *file, struct file_sync_op *op) {
    op->file = file;
    file->ops->sync_start(file, op);
}

static void sync_on_lane(void *arg) {
    struct file_sync_op *op = arg;
    op->status = file_sync(op->file, &op->error);
}

static void sync_is_done(void *arg) {
    struct file_sync_op *op = arg;
    op->done(op->arg, op->status, &op->error);
}

void file_sync_start_on_lane(struct file *file, struct file_sync_op *op) {
    op->work = (struct env_work){.run = sync_on_lane, .done = sync_is_done, .arg = op};
    env_work_submit(file->env, LANE_SYNC, &op->work);
}

enum status env_file_rename(struct env *env, const char *from, const char *to,
                            struct error *error) {
    return env->ops->file_rename(env, from, to, error);
}

enum status env_file_remove(struct env *env, const char *path, struct error *error) {
    return env->ops->file_remove(env, path, error);
}

bool env_file_exists(struct env *env, const char *path) { return env->ops->file_exists(env, path); }

enum status env_dir_create(struct env *env, const char *path, struct error *error) {
    return env->ops->dir_create(env, path, error);
}

enum status env_dir_list(struct env *env, const char *path,
                         void (*visit)(void *arg, const char *name), void *arg,
                         struct error *error) {
    return env->ops->dir_list(env, path, visit, arg, error);
}

uint64_t env_disk_free_bytes(struct env *env, const char *path) {
    return env->ops->disk_free_bytes(env, path);
}

enum status env_dir_sync(struct env *env, const char *path, struct error *error) {
    return env->ops->dir_sync(env, path, error);
}

enum status env_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                         struct error *error) {
    return env->ops->dir_lock(env, path, out, error);
}

void dir_unlock(struct dir_lock *lock) {
    if (lock != NULL) lock->env->ops->dir_unlock(lock);
}
