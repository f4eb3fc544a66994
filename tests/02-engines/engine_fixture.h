/* engine_fixture.h - an engine of any kind in a directory of its own, for the suites. */
#ifndef CAIRN_ENGINE_FIXTURE_H
#define CAIRN_ENGINE_FIXTURE_H

#include "engine.h"
#include "harness.h"

/* A test of an engine belongs to the step of the chapter at which that engine is complete. An LSM
 * tree answers at step 4; a suite whose work lets it compact says "5" before it includes this. */
#define MEM_STEP "1"
#ifndef LSM_STEP
#define LSM_STEP "4"
#endif
#define BTREE_STEP "7"
#define ROCKSDB_STEP "8"

/* The test once for each kind that does its I/O through env. */
#define TESTS_OF_OURS(invariant, name)                                                             \
    static void name(const char *kind);                                                            \
    TEST(MEM_STEP, invariant, mem_##name) { name("mem"); }                                         \
    TEST(LSM_STEP, invariant, lsm_##name) { name("lsm"); }                                         \
    TEST(BTREE_STEP, invariant, btree_##name) { name("btree"); }
#define EVERY_ENGINE_OF_OURS(invariant, name)                                                      \
    TESTS_OF_OURS(invariant, name)                                                                 \
    static void name(const char *kind)

/* The test once for each kind. */
#define EVERY_ENGINE(invariant, name)                                                              \
    TESTS_OF_OURS(invariant, name)                                                                 \
    TEST(ROCKSDB_STEP, invariant, rocksdb_##name) { name("rocksdb"); }                             \
    static void name(const char *kind)

struct fixture {
    const char *kind;
    struct env *env;
    struct engine *engine;
    struct engine_options options;
    char dir[512];
    struct error error;
    struct buf value;
    struct write_batch batch;
};

void open_engine(struct fixture *f);
/* dir NULL: a fresh one. */
void setup_in(struct fixture *f, const char *kind, bool own_log, const char *dir);
void setup_with(struct fixture *f, const char *kind, bool own_log);
void setup(struct fixture *f, const char *kind);
void teardown(struct fixture *f);
void reopen(struct fixture *f);
/* Writes the fixture's batch and clears it. */
void commit(struct fixture *f);
void put(struct fixture *f, const char *key, const char *value);
struct slice text(const char *string);

#endif
