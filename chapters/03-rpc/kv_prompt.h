/* kv_prompt.h - the interactive client of every node that serves SimpleKv: put get delete scan.
 *
 * Chapter 03's node serves it, alone or as one of a pair, and so does chapter 05's. Given several
 * addresses it finds the node that answers, and follows NOT_LEADER to the one that leads. */
#ifndef CAIRN_KV_PROMPT_H
#define CAIRN_KV_PROMPT_H

#include "rpc.h"

enum {
    KV_PROMPT_TIMEOUT_S = 10, /* of a command, all its attempts together */
    KV_PROMPT_ATTEMPTS = 20   /* long enough to sit out a failover */
};

/* `addresses`: HOST:PORT,...; `max_attempts` of a command, at least 1. Reads commands from the
 * standard input, with a prompt if that is a terminal, and runs the loop until the input ends.
 * Returns the exit status: 0; 1 if a command failed; 2, with a line on stderr, if the addresses are
 * malformed. */
int kv_prompt_run(struct rpc_context *context, const char *addresses, unsigned max_attempts);

#endif
