/* lsm_store.h - what the files of an LSM tree's directory say, for the suites: the version that the
 * manifest describes, and how many tables there are. */
#ifndef CAIRN_LSM_STORE_H
#define CAIRN_LSM_STORE_H

#include "engine_faulty.h"
#include "lsm_manifest.h"

/* Of the manifest that CURRENT names; one reference for the caller. The tables are not open. */
struct lsm_version *lsm_store_version(struct faulty *f);
size_t lsm_store_tables(struct faulty *f, unsigned level);
/* Files with this ending in the store's directory, or in `sub` below it. */
size_t lsm_store_files(struct faulty *f, const char *sub, const char *ending);
/* Runs the loop until there is a file for each table of the manifest and no other. The limit of the
 * test ends it if that never comes. */
void lsm_store_settle(struct faulty *f);

/* Keys "000000" and on with the number as value; flushes when the engine is busy. */
void lsm_store_fill(struct faulty *f, uint64_t from, uint64_t to, uint64_t value);
void lsm_store_expect(struct faulty *f, const struct engine_snapshot *snapshot, uint64_t i,
                      uint64_t value);
void lsm_store_run_loop(struct faulty *f, uint64_t ns);
/* Memtables of 4 KiB, on a disk in memory. */
void lsm_store_setup(struct faulty *f);
void lsm_store_flush(struct faulty *f);
void lsm_store_reopen(struct faulty *f);

#endif
