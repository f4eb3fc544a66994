/* env.h - everything nondeterministic: time, timers, randomness, network, disk, background work.
 *
 * An `env` is one node's machine. Two implementations: env_uv.h (libuv, the real one) and
 * env_sim.h (chapter 06: a cluster in one process, driven by a seed); env_fault.h wraps the files
 * of either. Node code is written against this header alone, so that it runs unchanged on all.
 *
 * Invariants
 *  1. Everything here is called on the loop's thread, except what says "any thread".
 *  2. No callback runs inside the call that asks for it; it comes in a later step of the loop.
 *  3. A turn of the loop: deliver all input and timers that are due, run posted tasks until none
 *     is left, run the turn hooks in order; repeat the last two while tasks are posted; then write
 *     each stream's output once and wait.
 *  4. What env hands to a callback is valid until the callback returns, unless it says otherwise.
 */
#ifndef CAIRN_ENV_H
#define CAIRN_ENV_H

#include <stdbool.h>

#include "buf.h"
#include "log.h"
#include "prng.h"
#include "slice.h"
#include "status.h"

struct env;
struct stream;
struct listener;
struct file;
struct dir_lock;

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* ---- clock ---------------------------------------------------------------------------------- */

/* Monotonic; its zero means nothing. */
uint64_t env_now_ns(struct env *env);
/* env_now_ns + duration_ns, or UINT64_MAX where that would overflow ("for ever"). */
uint64_t env_deadline_ns(struct env *env, uint64_t duration_ns);
/* Since 1970; may jump either way. For hlc and for people. */
uint64_t env_wall_ns(struct env *env);

/* ---- timers --------------------------------------------------------------------------------- */

/* Embedded in its owner; zero-filled is "not started". One shot. */
struct env_timer {
    void (*callback)(void *arg);
    void *arg;
    uint64_t deadline_ns;
    uint64_t sequence; /* env's: equal deadlines fire in the order in which they were started */
    size_t heap_index; /* env's: 0 when not started */
    struct env *env;   /* env's: where it is started */
};

void env_timer_init(struct env_timer *timer, void (*callback)(void *arg), void *arg);
/* Fires once when env_now_ns >= deadline_ns. Restarts a timer that is started. */
void env_timer_start(struct env *env, struct env_timer *timer, uint64_t deadline_ns);
/* No-op if not started. Must be called before the timer's memory goes away. */
void env_timer_stop(struct env_timer *timer);
bool env_timer_started(const struct env_timer *timer);

/* ---- randomness ----------------------------------------------------------------------------- */

/* Seeds a component's own stream. In simulation a function of the seed, the node and the name. */
void env_random(struct env *env, const char *component, struct prng *out);
/* Unpredictable bytes on the real machine (cluster ids, cancel keys); seeded in simulation. */
void env_random_bytes(struct env *env, void *out, size_t len);

/* ---- tasks and turns ------------------------------------------------------------------------ */

/* Embedded in its owner; zero-filled is idle. */
struct env_task {
    void (*callback)(void *arg);
    void *arg;
    struct env_task *next; /* env's */
    bool queued;           /* env's */
};

/* Runs the task's callback once, later in this turn. No-op if it is queued already. Its memory must
 * live until then; env_unpost takes it back (linear in the number of queued tasks). */
void env_post(struct env *env, struct env_task *task);
void env_unpost(struct env *env, struct env_task *task);

/* The order in which turn hooks run; each consumes what those before it produced. */
enum turn_order {
    TURN_RAFT,  /* take the updates of the groups that were touched */
    TURN_WAL,   /* write the batch */
    TURN_APPLY, /* one engine batch */
    TURN_REPLY  /* answers to clients */
};

struct env_turn_hook {
    void (*callback)(void *arg);
    void *arg;
    enum turn_order order;
    struct env_turn_hook *next; /* env's */
};

/* Called at the end of every turn until removed. */
void env_turn_hook_add(struct env *env, struct env_turn_hook *hook);
void env_turn_hook_remove(struct env *env, struct env_turn_hook *hook);

/* ---- background work ------------------------------------------------------------------------ */

enum work_lane { LANE_SYNC, LANE_READ, LANE_BACKGROUND, LANE_COUNT };

/* Embedded in its owner, which must live until `done` has run. */
struct env_work {
    void (*run)(void *arg);  /* on a thread of the lane; touches nothing that the loop touches */
    void (*done)(void *arg); /* on the loop, afterwards */
    void *arg;
    struct env_work *next; /* env's */
    struct env *env;       /* env's */
};

/* Lanes have threads of their own (sync 1, read 2, background 1), first in first out. A submitted
 * work always runs and always reports; there is no cancel. */
void env_work_submit(struct env *env, enum work_lane lane, struct env_work *work);

/* ---- streams -------------------------------------------------------------------------------- */

/* A stream delivers bytes in order, or breaks. Input is kept in the stream until it is consumed, so
 * that a reader may peek, and a stream may be handed to another owner with bytes unread. */
struct stream_handler {
    /* A dialled stream is connected. Optional. */
    void (*on_open)(void *arg, struct stream *stream);
    /* New input arrived (stream_input has all that is unread), or resumed reading. */
    void (*on_input)(void *arg, struct stream *stream);
    /* Pending output fell below the low watermark after having been above the high one. Optional.
     */
    void (*on_drain)(void *arg, struct stream *stream);
    /* The last call: the stream is freed when it returns. CLOSED: the peer or we closed it in
     * order; UNAVAILABLE: could not connect; DEADLINE: the dial took too long; IO: it broke. Input
     * that arrived before has been announced by on_input; for a paused owner CLOSED waits with it
     * until stream_resume, IO does not wait. Output pending at CLOSED is still sent. Not called
     * after stream_close. */
    void (*on_close)(void *arg, struct stream *stream, enum status reason);
};

enum {
    STREAM_READ_LIMIT_DEFAULT = 256 * 1024, /* unread bytes at which reading pauses */
    STREAM_HIGH_WATERMARK = 1024 * 1024,    /* pending output: the owner should stop producing */
    STREAM_LOW_WATERMARK = 256 * 1024
};

/* host: a numeric address or a name ("" or "0.0.0.0": all interfaces). port 0: any free port.
 * on_accept owns the new stream and must set a handler before it returns. IN_USE if the port is
 * taken, with a message that names it. */
enum status env_listen(struct env *env, const char *host, uint16_t port,
                       void (*on_accept)(void *arg, struct stream *stream), void *arg,
                       struct listener **out, struct error *error) MUST_CHECK;
uint16_t listener_port(const struct listener *listener);
void listener_close(struct listener *listener);

/* Never fails at once: the outcome is on_open or on_close. The caller may stream_close it earlier.
 */
struct stream *env_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                        const struct stream_handler *handler, void *arg);

/* Hands the stream over. If input is unread, on_input is called in a later step. */
void stream_set_handler(struct stream *stream, const struct stream_handler *handler, void *arg);
/* The unread input; valid until stream_consume or until the callback returns. */
struct slice stream_input(const struct stream *stream);
void stream_consume(struct stream *stream, size_t len);
/* At least one whole message must fit. */
void stream_set_read_limit(struct stream *stream, size_t limit_bytes);
/* No on_input until stream_resume. Input goes on arriving up to the read limit. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);

/* Copies into the output, which is written at the end of the turn. Never blocks and never fails: a
 * broken stream says so by on_close. Above STREAM_HIGH_WATERMARK a producer must wait for on_drain.
 */
void stream_write(struct stream *stream, struct slice data);
/* Output not yet handed to the system, in bytes. */
size_t stream_pending(const struct stream *stream);
bool stream_writable(const struct stream *stream); /* below the high watermark */
/* For logs: "127.0.0.1:5432". Valid while the stream is. */
const char *stream_peer(const struct stream *stream);

/* Stops input, sends what is pending, then closes, all within 5 s: our end first, the socket when
 * the peer has ended too, so that unread input does not cost the peer our last bytes. No callback
 * follows; the stream is valid until the callback that is running returns. */
void stream_close(struct stream *stream);
/* Closes at once, pending output is dropped. No callback follows. */
void stream_abort(struct stream *stream);

/* ---- files ---------------------------------------------------------------------------------- */

/* Paths are plain strings. Every call blocks; the loop calls those that only touch the page cache,
 * and file_sync_start for the one that waits for the disk. Calls on one file from several threads
 * are allowed for file_read_at only. Messages name the path. */
enum file_mode {
    FILE_READ,       /* must exist */
    FILE_READ_WRITE, /* created if missing */
    FILE_CREATE      /* must not exist: EXISTS */
};

enum status env_file_open(struct env *env, const char *path, enum file_mode mode, struct file **out,
                          struct error *error) MUST_CHECK;
void file_close(struct file *file);
const char *file_path(const struct file *file);
/* All of `data` or an error: IO, NO_SPACE. Extends the file. */
enum status file_write_at(struct file *file, uint64_t offset, struct slice data,
                          struct error *error) MUST_CHECK;
/* Any thread. Reads up to `len` bytes; *read < len only at the end of the file. */
enum status file_read_at(struct file *file, uint64_t offset, void *out, size_t len, size_t *read,
                         struct error *error) MUST_CHECK;
enum status file_size(struct file *file, uint64_t *out, struct error *error) MUST_CHECK;
enum status file_truncate(struct file *file, uint64_t size, struct error *error) MUST_CHECK;
/* Data and size are on the disk when it returns OK. Any thread. After a failure what is on the disk
 * is unknown, and another sync does not tell: the node must stop. */
enum status file_sync(struct file *file, struct error *error) MUST_CHECK;

/* The same on the sync lane: covers what was written before the call. */
struct file_sync_op {
    void (*done)(void *arg, enum status status, const struct error *error);
    void *arg;
    struct file *file;    /* env's */
    enum status status;   /* env's */
    struct error error;   /* env's */
    struct env_work work; /* env's */
};
void file_sync_start(struct file *file, struct file_sync_op *op);

enum status env_file_rename(struct env *env, const char *from, const char *to,
                            struct error *error) MUST_CHECK;
enum status env_file_remove(struct env *env, const char *path, struct error *error) MUST_CHECK;
bool env_file_exists(struct env *env, const char *path);
/* Creates it and its parents; fine if it exists. */
enum status env_dir_create(struct env *env, const char *path, struct error *error) MUST_CHECK;
/* Calls `visit` for each entry but "." and "..", in order of name. */
enum status env_dir_list(struct env *env, const char *path,
                         void (*visit)(void *arg, const char *name), void *arg,
                         struct error *error) MUST_CHECK;
/* Makes creations, renames and removals in the directory, as of the call, durable. Any thread. */
enum status env_dir_sync(struct env *env, const char *path, struct error *error) MUST_CHECK;
/* Room on the disk that holds `path`; UINT64_MAX if nobody knows. */
uint64_t env_disk_free_bytes(struct env *env, const char *path);
/* IN_USE, with the holder's pid if it is known, when another process (or node) has it. */
enum status env_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                         struct error *error) MUST_CHECK;
void dir_unlock(struct dir_lock *lock);

/* ---- the loop ------------------------------------------------------------------------------- */

/* Runs turns until env_stop. In simulation the simulator drives the turns instead. */
void env_run(struct env *env);
void env_stop(struct env *env);

/* The node's own damage is beyond repair (a failed sync, corruption): says why in the log and ends
 * the process with exit status 1; in simulation the node crashes. Does not return on the real
 * machine; in simulation the caller must return at once. */
void env_fatal(struct env *env, const char *format, ...) PRINTF_LIKE(2, 3);

/* The log of this node. */
struct log *env_log(struct env *env);

/* ---- for implementers ----------------------------------------------------------------------- */

/* The table of one implementation; each entry is the function above of the same name. The functions
 * above are thin calls through it. `struct env`, `struct stream`, `struct file` are embedded first
 * in the implementation's own structs. See env_impl.h. */

#endif
