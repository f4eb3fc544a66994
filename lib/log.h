/* log.h - what a node tells its operator: levels, logfmt, colour on a terminal.
 *
 *   2026-01-31T12:00:00.123Z info  raft: became leader node=1 group=1 term=4
 *
 * Each node has its own log (several may live in one process, in simulation), which knows the
 * clock of its env. A message is a short sentence; facts go into key=value pairs. */
#ifndef CAIRN_LOG_H
#define CAIRN_LOG_H

#include "slice.h"
#include "status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log {
    enum log_level level; /* below this nothing is written */
    bool colour;
    uint64_t node_id;               /* 0: not shown */
    uint64_t (*wall_ns)(void *arg); /* NULL: no time stamp */
    void *wall_arg;
    void (*write)(void *arg, struct slice line); /* the line ends with '\n' */
    void *write_arg;
};

/* Writes to file descriptor 2, colour if it is a terminal and NO_COLOR is not set. */
void log_init_stderr(struct log *log, enum log_level level);
/* Discards everything. */
void log_init_null(struct log *log);

/* `module` as in the file that speaks: "wal", "raft". The format is the message followed by
 * key=value pairs; values with blanks are the caller's to quote. log may be NULL: discarded. */
void log_write(struct log *log, enum log_level level, const char *module, const char *format, ...)
    PRINTF_LIKE(4, 5);

#define log_debug(log, module, ...) log_write((log), LOG_DEBUG, (module), __VA_ARGS__)
#define log_info(log, module, ...) log_write((log), LOG_INFO, (module), __VA_ARGS__)
#define log_warn(log, module, ...) log_write((log), LOG_WARN, (module), __VA_ARGS__)
#define log_error(log, module, ...) log_write((log), LOG_ERROR, (module), __VA_ARGS__)

/* False if `text` names no level ("debug", "info", "warn", "error"). */
bool log_level_parse(const char *text, enum log_level *out) MUST_CHECK;

#endif
