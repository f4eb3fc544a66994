/* engine_faulty.h - an engine whose disk fails when told to: for suites about crashes. */
#ifndef CAIRN_ENGINE_FAULTY_H
#define CAIRN_ENGINE_FAULTY_H

#include "engine.h"
#include "env_fault.h"
#include "harness.h"

struct faulty {
    const char *kind;
    struct env *inner;
    struct env *env; /* with faults */
    struct engine *engine;
    struct engine_options options;
    char dir[512];
    struct error error;
    struct buf value;
    struct write_batch batch;
};

/* In dir/store-SEED; not opened. */
void faulty_setup_in(struct faulty *f, const char *kind, const char *dir, uint64_t seed);
enum status faulty_open(struct faulty *f);
/* Opened, in a directory of its own. */
void faulty_setup(struct faulty *f, const char *kind);
void faulty_teardown(struct faulty *f);
struct slice faulty_text(const char *string);
/* Writes the number under the key, 8 bytes big-endian. */
enum status faulty_put_number(struct faulty *f, const char *key, uint64_t number);

#endif
