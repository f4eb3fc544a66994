/* todo.h - what stands in the body of a function that a learner is to write. Included ahead of
 * every file of an exercise by the tool (exercises/tool), by nothing else.
 *
 * TODO("2.1", "append the record") leaves a line in the file that $CAIRN_TODO names, where the
 * harness finds it, says so on stderr and ends the process. It may run in a node that a test has
 * started, or on a lane: so no exit handlers, and a line is written in one piece. */
#ifndef CAIRN_TODO_H
#define CAIRN_TODO_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TODO_EXIT_STATUS = 98 };

#define TODO(step, task) todo_reached((step), (task), __func__)

_Noreturn static inline void todo_reached(const char *step, const char *task,
                                          const char *function) {
    const char *path = getenv("CAIRN_TODO");
    int log = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CREAT, 0600) : -1;
    char line[512];
    int len = snprintf(line, sizeof(line), "TODO step %s, %s: %s\n", step, function, task);
    size_t size = len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1;
    ssize_t ignored = write(STDERR_FILENO, line, size);
    if (log >= 0) ignored = write(log, line, size);
    (void)ignored;
    _exit(TODO_EXIT_STATUS);
}

#endif
