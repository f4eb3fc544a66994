/* env_uv_impl.h - what the files of env_uv share with one another. Nobody else includes this. */
#ifndef CAIRN_ENV_UV_IMPL_H
#define CAIRN_ENV_UV_IMPL_H

#include <uv.h>

#include "env_impl.h"

enum { LANE_THREADS_MAX = 2 };

/* Threads that take work from one queue, first in first out. */
struct uv_lane {
    struct uv_machine *machine;
    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t wake;
    struct env_work *first;
    struct env_work *last;
    bool stopping; /* threads end when the queue is empty */
    uv_thread_t threads[LANE_THREADS_MAX];
    int thread_count;
};

/* The real machine of one node. */
struct uv_machine {
    struct env base;
    struct env_core core;
    struct log log;

    uv_loop_t loop;
    uv_prepare_t turn_end;
    uv_idle_t busy;        /* active while tasks wait for the next turn: polling must not block */
    uv_timer_t wake_timer; /* wakes the poll for the earliest deadline */
    uint64_t armed_ms;     /* what wake_timer is set to; UINT64_MAX: nothing */
    bool stopped;

    uv_signal_t signals[2];
    void (*on_terminate)(void *arg);
    void *terminate_arg;

    struct uv_lane lanes[LANE_COUNT];
    uv_async_t work_done;
    size_t work_under_way; /* submitted, not yet reported */
    uv_mutex_t done_mutex; /* guards the list of work that has run */
    struct env_work *done_first;
    struct env_work *done_last;

    struct uv_stream *streams; /* all of them */
    struct uv_stream *dirty;   /* with output to write at the end of the turn */
    struct uv_listener *listeners;
};

struct uv_stream {
    struct stream base;
    struct uv_machine *machine;
    struct uv_stream *next, *prev;
    struct uv_stream *next_dirty;
    bool dirty;

    uv_tcp_t tcp;
    bool tcp_closed;           /* its close callback has run */
    bool released;             /* to be freed when nothing of libuv refers to it */
    bool finishing;            /* closed by its owner: pending output, then the end, then release */
    bool shut_down;            /* our end is sent; input is discarded until the peer's end */
    struct env_timer deadline; /* of the dial, or of finishing */

    uv_write_t write;
    struct buf sending; /* what `write` points into; in_flight bytes of it are left */
    uv_shutdown_t shutdown;

    /* A dial that is under way. */
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    bool resolving;
    struct addrinfo *addresses; /* to be freed */
    struct addrinfo *next_address;
    struct sockaddr_storage numeric; /* when host is an address */
    bool try_numeric;
};

struct uv_listener {
    struct listener base;
    struct uv_machine *machine;
    struct uv_listener *next, *prev;
    uv_tcp_t tcp;
    uint16_t port;
    void (*on_accept)(void *arg, struct stream *stream);
    void *arg;
};

static inline struct uv_machine *machine_of(struct env *env) { return (struct uv_machine *)env; }

/* env_uv_work.c */
void machine_work_start(struct uv_machine *machine);
/* Runs what is queued, reports it, ends the threads. */
void machine_work_stop(struct uv_machine *machine);
void machine_work_submit(struct env *env, enum work_lane lane, struct env_work *work);

/* env_uv_stream.c */
struct uv_stream *uv_stream_new(struct uv_machine *machine);
void uv_stream_release(struct uv_stream *stream);
void uv_stream_free_if_unused(struct uv_stream *stream);
void uv_stream_broke(struct uv_stream *stream);
void machine_flush(struct uv_machine *machine);

/* env_uv_net.c */
enum status machine_listen(struct env *env, const char *host, uint16_t port,
                           void (*on_accept)(void *arg, struct stream *stream), void *arg,
                           struct listener **out, struct error *error);
uint16_t machine_listener_port(const struct listener *listener);
void machine_listener_close(struct listener *listener);
struct stream *machine_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                            const struct stream_handler *handler, void *arg);

/* env_uv_file.c */
enum status machine_file_open(struct env *env, const char *path, enum file_mode mode,
                              struct file **out, struct error *error);

/* env_uv_dir.c */
enum status machine_file_rename(struct env *env, const char *from, const char *to,
                                struct error *error);
enum status machine_file_remove(struct env *env, const char *path, struct error *error);
bool machine_file_exists(struct env *env, const char *path);
enum status machine_dir_create(struct env *env, const char *path, struct error *error);
enum status machine_dir_list(struct env *env, const char *path,
                             void (*visit)(void *arg, const char *name), void *arg,
                             struct error *error);
enum status machine_dir_sync(struct env *env, const char *path, struct error *error);
uint64_t machine_disk_free_bytes(struct env *env, const char *path);
enum status machine_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                             struct error *error);
void machine_dir_unlock(struct dir_lock *lock);

/* "cannot VERB PATH: reason", with the status that errno stands for. */
enum status error_from_errno(struct error *error, const char *verb, const char *path);
/* What makes a file or directory durable on this system: 0, or -1 with errno. */
int sync_descriptor(int descriptor);

#endif
