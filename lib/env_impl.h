/* env_impl.h - for those who implement an env: the tables, the base structs, the shared parts.
 *
 * Nobody else includes this. An implementation embeds `struct env`, `struct stream`, `struct file`,
 * `struct listener` and `struct dir_lock` first in its own structs and fills in the tables; timers,
 * tasks, turn hooks and the rules of streams are shared code, so that all implementations agree.
 *
 * A wrapper (env_fault) shares the core of the env it wraps. A stream made of another stream (TLS)
 * is an implementation of `struct stream_ops`. */
#ifndef CAIRN_ENV_IMPL_H
#define CAIRN_ENV_IMPL_H

#include "env.h"

/* ---- the core: timers, tasks, hooks --------------------------------------------------------- */

struct env_core {
    struct env_timer **heap; /* heap[1] is the earliest; heap[0] is not used */
    size_t heap_len;         /* timers in it */
    size_t heap_capacity;
    uint64_t next_sequence;

    struct env_task *first_task;
    struct env_task *last_task;

    struct env_turn_hook *hooks;       /* in order */
    struct env_turn_hook *hook_cursor; /* the next to run, so that hooks may be removed meanwhile */
};

void env_core_init(struct env_core *core);
/* Drops what is queued and started. */
void env_core_deinit(struct env_core *core);
/* UINT64_MAX: no timer is started. */
uint64_t env_core_next_deadline_ns(const struct env_core *core);
/* Fires the timers that were due when it was called, in order; not those that they start. */
void env_core_fire_timers(struct env_core *core, uint64_t now_ns);
/* The middle of a turn (env.h, invariant 3): tasks and hooks until no task is left. */
void env_core_run_turn(struct env_core *core);
bool env_core_has_tasks(const struct env_core *core);

/* ---- tables --------------------------------------------------------------------------------- */

/* Each entry is the function of env.h with the same name. */
struct env_ops {
    uint64_t (*now_ns)(struct env *env);
    uint64_t (*wall_ns)(struct env *env);
    void (*random)(struct env *env, const char *component, struct prng *out);
    void (*random_bytes)(struct env *env, void *out, size_t len);
    void (*work_submit)(struct env *env, enum work_lane lane, struct env_work *work);

    enum status (*listen)(struct env *env, const char *host, uint16_t port,
                          void (*on_accept)(void *arg, struct stream *stream), void *arg,
                          struct listener **out, struct error *error);
    uint16_t (*listener_port)(const struct listener *listener);
    void (*listener_close)(struct listener *listener);
    struct stream *(*dial)(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                           const struct stream_handler *handler, void *arg);

    enum status (*file_open)(struct env *env, const char *path, enum file_mode mode,
                             struct file **out, struct error *error);
    enum status (*file_rename)(struct env *env, const char *from, const char *to,
                               struct error *error);
    enum status (*file_remove)(struct env *env, const char *path, struct error *error);
    bool (*file_exists)(struct env *env, const char *path);
    enum status (*dir_create)(struct env *env, const char *path, struct error *error);
    enum status (*dir_list)(struct env *env, const char *path,
                            void (*visit)(void *arg, const char *name), void *arg,
                            struct error *error);
    enum status (*dir_sync)(struct env *env, const char *path, struct error *error);
    uint64_t (*disk_free_bytes)(struct env *env, const char *path);
    enum status (*dir_lock)(struct env *env, const char *path, struct dir_lock **out,
                            struct error *error);
    void (*dir_unlock)(struct dir_lock *lock);

    void (*run)(struct env *env);
    void (*stop)(struct env *env);
    /* The message is in the log already. */
    void (*fatal)(struct env *env);
};

struct env {
    const struct env_ops *ops;
    struct env_core *core;
    struct log *log;
};

struct listener {
    struct env *env;
};

struct dir_lock {
    struct env *env;
};

struct file_ops {
    void (*close)(struct file *file);
    enum status (*write_at)(struct file *file, uint64_t offset, struct slice data,
                            struct error *error);
    enum status (*read_at)(struct file *file, uint64_t offset, void *out, size_t len, size_t *read,
                           struct error *error);
    enum status (*size)(struct file *file, uint64_t *out, struct error *error);
    enum status (*truncate)(struct file *file, uint64_t size, struct error *error);
    enum status (*sync)(struct file *file, struct error *error);
    void (*sync_start)(struct file *file, struct file_sync_op *op);
};

struct file {
    const struct file_ops *ops;
    struct env *env;
    char *path; /* owned */
};

/* For sync_start: calls ops->sync on the sync lane of the file's env. */
void file_sync_start_on_lane(struct file *file, struct file_sync_op *op);

/* ---- streams -------------------------------------------------------------------------------- */

/* What a transport does for its streams. Each may be called at any time between stream_init and
 * close, except that `read` is first called after stream_opened. */
struct stream_ops {
    /* Start or stop calling stream_received. */
    void (*read)(struct stream *stream, bool on);
    /* `output` has become non-empty: write it at the end of the turn, then call stream_sent. */
    void (*flush)(struct stream *stream);
    /* The owner is gone, or the stream ended. Unless `at_once`, send what is pending first. Free
     * the stream in a later step of the loop (stream_deinit, then its memory). */
    void (*close)(struct stream *stream, bool at_once);
};

struct stream {
    const struct stream_ops *ops;
    struct env *env;
    struct stream_handler handler;
    void *arg;

    uint8_t *input; /* unread: input[input_start .. input_end) */
    size_t input_start;
    size_t input_end;
    size_t input_capacity;
    size_t read_limit;

    struct buf output; /* not yet taken by the transport */
    size_t in_flight;  /* taken by the transport, not yet by the system */

    struct env_task task; /* delivers what may not be delivered inside a call */
    enum status end_reason;
    bool opened;
    bool open_announced; /* or there is nothing to announce: accepted streams */
    bool reading;        /* what the transport was last told */
    bool paused;
    bool unannounced; /* unread input that the handler has not been told about */
    bool above_high;  /* on_drain is owed */
    bool drained;     /* on_drain is due */
    bool ended;       /* no more input; end_reason says why */
    bool closing;     /* no more callbacks */
    bool delivering;  /* inside a callback */
    bool filled_up;   /* input once filled its buffer: a bulk stream */

    char peer[64];
};

/* A stream without a connection yet; an accepted one is opened at once by stream_opened. */
void stream_init(struct stream *stream, const struct stream_ops *ops, struct env *env);
void stream_deinit(struct stream *stream);
void stream_set_peer(struct stream *stream, const char *host, uint16_t port);

/* From the transport, in a step of the loop of its own (not inside a call of the owner). */
void stream_opened(struct stream *stream, bool announce);
/* Room for input, at least 4 KiB; stream_received then takes `len` bytes written there. */
uint8_t *stream_input_space(struct stream *stream, size_t *len);
void stream_received(struct stream *stream, size_t len);
/* `output` or `in_flight` became smaller. May be called at the end of a turn. */
void stream_sent(struct stream *stream);
/* No more input will come. CLOSED: in order, after all input. Any other reason: it broke. Reported
 * in a later step, so that it may be called inside a call of the owner. */
void stream_ended(struct stream *stream, enum status reason);

#endif
