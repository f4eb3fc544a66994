/* env_uv.h - the real machine: libuv's loop and streams, POSIX files, threads for the lanes. */
#ifndef CAIRN_ENV_UV_H
#define CAIRN_ENV_UV_H

#include "env.h"

/* `log` is copied. Ignores SIGPIPE for the process. */
struct env *env_uv_new(const struct log *log);
/* Waits for work under way; open streams, listeners and started timers are dropped. */
void env_uv_free(struct env *env);
/* Runs the loop until no work is under way on the lanes: what owns such work may be freed then. */
void env_uv_settle(struct env *env);
/* Calls back on the loop when the process gets SIGINT or SIGTERM. */
void env_uv_on_terminate(struct env *env, void (*callback)(void *arg), void *arg);

#endif
