/* store_fixture.h - a store on an in-memory engine, with three small commands of its own:
 *
 *   APPEND "key=text"   writes: adds text to what key holds; the reply is the new value
 *   READ   "key"        reads now; the reply is the value, or nothing
 *   LOCK   "n:key,key"  locks the keys for transaction n; the reply names them
 *   UNLOCK "n:"         releases what transaction n has */
#ifndef CAIRN_STORE_FIXTURE_H
#define CAIRN_STORE_FIXTURE_H

#include "engine.h"
#include "env_uv.h"
#include "solo_replicator.h"
#include "store.h"

enum { CMD_APPEND = 101, CMD_READ = 102, CMD_LOCK = 103, CMD_UNLOCK = 104 };

struct box {
    struct env *env;
    struct engine *engine;
    struct metrics *metrics;
    struct hlc hlc;
    struct store *store;
    struct solo_replicator *solo;
    struct command commands[4];
    size_t open; /* requests without an answer */
    unsigned evaluations;
    hlc_timestamp last_timestamp; /* of the last APPEND evaluated */
};

void box_start(struct box *box, const struct store_options *options, unsigned would_block_percent);
void box_stop(struct box *box);

/* One request and its answer. */
struct ask {
    struct box *box;
    int answers;
    enum status status;
    uint64_t leader;
    char reply[256];
    int order; /* of its answer among all */
};

void ask(struct box *box, struct ask *ask, uint32_t command, const char *payload);
void ask_with(struct box *box, struct ask *ask, uint32_t command, const char *payload,
              const struct request *request);
/* Runs the loop until no request is open, or (steps > 0) for so many turns. */
void box_settle(struct box *box);
void box_turns(struct box *box, int turns);

#endif
