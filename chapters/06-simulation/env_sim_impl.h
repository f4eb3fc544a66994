/* env_sim_impl.h - shared by the files of env_sim: machines and events (env_sim.c), streams
 * (env_sim_net.c), files in memory (env_sim_disk.c). Nobody else includes it. */
#ifndef CAIRN_ENV_SIM_IMPL_H
#define CAIRN_ENV_SIM_IMPL_H

#include "env_impl.h"
#include "env_sim.h"

struct sim_stream;
struct sim_listener;
struct sim_disk;

enum sim_event_kind {
    SIM_TURN,      /* a machine's turn is due */
    SIM_SEGMENT,   /* something of a connection arrives */
    SIM_PUMP,      /* a stream reads on */
    SIM_WORK_RUN,  /* work on a lane is over */
    SIM_WORK_DONE, /* and reported */
    SIM_DIAL_FAILED
};

struct sim_event {
    uint64_t at_ns, sequence;
    enum sim_event_kind kind;
    struct sim_machine *machine;
    uint64_t boot;   /* delivered only to this boot of the machine; 0: to any */
    uint64_t detail; /* for the trace */
    void (*deliver)(void *arg);
    void (*drop)(void *arg); /* instead of deliver; NULL: nothing to free */
    void *arg;
};

struct sim_work;

struct sim_machine {
    struct env base; /* the env below env_fault */
    struct sim *sim;
    uint64_t id, boot;
    char address[16];
    bool up, in_turn, wants_stop;
    const struct node_ops *ops;
    const void *options;
    void *node;
    struct env *env; /* env_fault around `base`: what the node sees */
    struct env_core core;
    struct log log;
    struct prng prng;

    uint64_t clock_offset_ns; /* of the monotonic clock */
    int64_t wall_offset_ns;

    /* The next turn: SIM_NEVER if none is due. */
    uint64_t turn_ns, busy_until_ns;
    struct sim_event *inbox; /* delivered in the next turn */
    size_t inbox_count, inbox_capacity;
    struct sim_work *works, **works_tail; /* submitted and not reported, in order */
    unsigned lanes_busy[LANE_COUNT];
    bool settling;

    struct sim_listener *listeners;
    struct sim_stream *streams;
    struct sim_stream *dirty, *dead; /* to be written, to be freed, at the end of the turn */
    uint16_t next_port;
    bool silent; /* it went off without a word */

    struct sim_disk *disk;
};

#define SIM_NEVER UINT64_MAX
enum { SIM_FIRST_FREE_PORT = 40000 };

struct sim {
    struct sim_options options;
    uint64_t now_ns, sequence, event_count, trace_hash;
    struct prng prng, scenario_prng;
    struct sim_machine *machines[SIM_MAX_MACHINES + 1];
    uint64_t machine_count;
    bool cut[SIM_MAX_MACHINES + 1][SIM_MAX_MACHINES + 1];
    struct sim_event *heap;
    size_t heap_count, heap_capacity;
    struct sim_segment *held, **held_tail; /* behind a cut, in order */
};

static inline struct sim_machine *sim_machine_of(struct env *env) {
    return (struct sim_machine *)env;
}

/* ---- env_sim.c ------------------------------------------------------------------------------ */

void sim_schedule(struct sim *sim, struct sim_event event);
/* The machine needs a turn. */
void sim_wake(struct sim_machine *machine);
uint64_t sim_draw_latency(struct sim *sim);

/* ---- env_sim_net.c -------------------------------------------------------------------------- */

enum status sim_listen(struct env *env, const char *host, uint16_t port,
                       void (*on_accept)(void *arg, struct stream *stream), void *arg,
                       struct listener **out, struct error *error);
uint16_t sim_listener_port(const struct listener *listener);
void sim_listener_close(struct listener *listener);
struct stream *sim_dial(struct env *env, const char *host, uint16_t port, uint64_t timeout_ns,
                        const struct stream_handler *handler, void *arg);
/* The end of a turn: writes the output, frees streams that are over. */
void sim_net_flush(struct sim_machine *machine);
/* The machine goes off: its streams are cut off from the network; freed when the node is gone. */
void sim_net_disconnect(struct sim_machine *machine);
void sim_net_clear(struct sim_machine *machine);
/* What was held back by cuts that are no more. */
void sim_net_release_held(struct sim *sim);
void sim_net_drop_held(struct sim *sim);

/* ---- env_sim_disk.c ------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(void);
void sim_disk_free(struct sim_disk *disk);
void sim_disk_unlock_all(struct sim_disk *disk);

enum status sim_file_open(struct env *env, const char *path, enum file_mode mode, struct file **out,
                          struct error *error);
enum status sim_file_rename(struct env *env, const char *from, const char *to, struct error *error);
enum status sim_file_remove(struct env *env, const char *path, struct error *error);
bool sim_file_exists(struct env *env, const char *path);
uint64_t sim_disk_free_bytes(struct env *env, const char *path);
enum status sim_dir_create(struct env *env, const char *path, struct error *error);
enum status sim_dir_list(struct env *env, const char *path,
                         void (*visit)(void *arg, const char *name), void *arg,
                         struct error *error);
enum status sim_dir_sync(struct env *env, const char *path, struct error *error);
enum status sim_dir_lock(struct env *env, const char *path, struct dir_lock **out,
                         struct error *error);
void sim_dir_unlock(struct dir_lock *lock);

#endif
