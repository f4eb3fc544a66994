/* prompt.h - the prompt of the first chapters: put, get, delete, scan on whatever stores bytes.
 *
 * On a terminal lines are edited and remembered (libedit); otherwise they are read as they come and
 * no prompt is shown, so that a script can drive a node. Words are separated by blanks; "..." holds
 * blanks, with \" \\ \n and \xNN inside. */
#ifndef CAIRN_PROMPT_H
#define CAIRN_PROMPT_H

#include "buf.h"
#include "slice.h"
#include "status.h"

/* A command of the node's own. Words that were not given are empty. */
struct prompt_command {
    const char *name;
    size_t words_min; /* its name included */
    size_t words_max; /* at most 4 */
    enum status (*run)(void *arg, const struct slice *words, struct error *error);
    const char *usage; /* "crash HOW   what it does", for help */
};

/* What the prompt works on. A write is durable when it returns OK. */
struct prompt_store {
    void *arg;
    const char *name; /* shown in the prompt */
    enum status (*put)(void *arg, struct slice key, struct slice value, struct error *error);
    enum status (*get)(void *arg, struct slice key, struct buf *value, struct error *error);
    enum status (*delete_key)(void *arg, struct slice key, struct error *error);
    /* Calls `visit` for [start, end) in order until it returns false; an empty end: to the last. */
    enum status (*scan)(void *arg, struct slice start, struct slice end,
                        bool (*visit)(void *visit_arg, struct slice key, struct slice value),
                        void *visit_arg, struct error *error);
    /* "snapshot" or "flush": what the command is called and does. */
    const char *save_command;
    enum status (*save)(void *arg, struct error *error);
    /* Ends with a NULL name; may be NULL. */
    const struct prompt_command *more;
};

/* Runs until the end of the input or `quit`. Returns the exit status of the node: 0, or 1 if the
 * store failed in a way that it cannot go on from. */
int prompt_run(const struct prompt_store *store);

/* Cuts a line into words, which live in `storage` (cleared). INVALID for an open quote, an unknown
 * escape or more than `max` words. For tests. */
enum status prompt_split(const char *line, struct buf *storage, struct slice *words, size_t max,
                         size_t *count, struct error *error) MUST_CHECK;

#endif
