/* solo_node.h - a node of one: engine, store and the commands on versions, for the prompts of
 * chapters 09 and 10.
 *
 * What was answered is synced in the engine's own log. Loop only. */
#ifndef CAIRN_SOLO_NODE_H
#define CAIRN_SOLO_NODE_H

#include "env.h"
#include "mvcc_commands.h"
#include "recent_writes.h"
#include "solo_replicator.h"

struct solo_node {
    struct env *env;
    struct engine *engine;
    struct metrics *metrics;
    struct hlc hlc;
    struct recent_writes *recent;
    struct mvcc_commands mvcc;
    struct store *store;
    struct solo_replicator *solo;
};

/* Opens the data and registers the commands; more may be registered before solo_node_lead. As
 * engine_open. */
enum status solo_node_open(struct solo_node *node, struct env *env, const char *dir,
                           const char *engine, struct error *error) MUST_CHECK;
void solo_node_lead(struct solo_node *node);
void solo_node_close(struct solo_node *node);

/* ---- lines from standard input -------------------------------------------------------------- */

enum { LINE_WORDS_MAX = 8 };

/* Read on a work lane, so that the loop goes on while a person thinks. */
struct line_input {
    struct env *env;
    const char *prompt; /* shown on a terminal */
    /* The words of a line; valid during the call. Ask for the next one by line_input_next. */
    void (*on_line)(void *arg, struct slice *words, size_t count);
    void (*on_end)(void *arg);
    void *arg;
    /* its own: */
    struct env_work work;
    char line[4096];
    bool end;
};

void line_input_next(struct line_input *input);

/* "--name=value" -> value, else NULL. */
const char *option_value(const char *argument, const char *name);

#endif
