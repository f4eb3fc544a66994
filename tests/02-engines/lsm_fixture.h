/* lsm_fixture.h - memtables and tables made of a line of text, for the suites about reading them.
 *
 * A version of a key is written "b7=new", key, sequence number and value, or "b7-", a deletion; a
 * run is versions with a space between them. */
#ifndef CAIRN_LSM_FIXTURE_H
#define CAIRN_LSM_FIXTURE_H

#include "harness.h"
#include "lsm_view.h"

enum { LSM_FIXTURE_TABLES_MAX = 64, LSM_FIXTURE_MEMTABLES_MAX = 4 };

struct lsm_fixture {
    struct env *env;
    const char *dir;
    struct error error;
    struct buf key;                                   /* the version that was parsed last */
    struct buf value;                                 /* and its value */
    struct lsm_table *tables[LSM_FIXTURE_TABLES_MAX]; /* a reference of its own each */
    size_t table_count;
    struct lsm_memtable *memtables[LSM_FIXTURE_MEMTABLES_MAX]; /* of the view to come */
    size_t memtable_count;
    struct lsm_version *version; /* of the view to come */
    struct engine_snapshot snapshot;
};

void lsm_setup(struct lsm_fixture *f);
void lsm_teardown(struct lsm_fixture *f);

/* The next version of a run, as an internal key in f->key and its value in f->value. */
bool lsm_parse(struct lsm_fixture *f, const char **run);
/* A table in a file; the run is in order. The fixture's. */
struct lsm_table *lsm_table_of(struct lsm_fixture *f, const char *run);
void lsm_fill(struct lsm_fixture *f, struct memtable *table, const char *run);

/* What the view will hold, newest memtable first; tables in the order of their level. */
struct lsm_memtable *lsm_add_memtable(struct lsm_fixture *f, const char *run);
struct lsm_table *lsm_add_table(struct lsm_fixture *f, unsigned level, const char *run);
/* The snapshot of all that was added, at the sequence number. Once per test. */
struct engine_snapshot *lsm_view_at(struct lsm_fixture *f, uint64_t sequence);

/* Flips a bit in the table's first data block. */
void lsm_damage(struct lsm_fixture *f, const struct lsm_table *table);

/* Appends "b7 " for an internal key, "b " for a user key; for comparing walks. */
void lsm_note_internal(char *out, size_t size, struct slice internal);
void lsm_note_user(char *out, size_t size, struct slice user);

#endif
