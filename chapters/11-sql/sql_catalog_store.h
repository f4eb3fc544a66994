/* sql_catalog_store.h - where table descriptors live, and each node's cache of them.
 *
 * Descriptors are rows like all others, read and written by the statement's own transaction, so
 * that DDL and DML are serializable with each other. In the key space of transactions (user keys of
 * chapter 09):
 *
 *   table 0 | 1             the catalog's version, a number that every DDL statement raises
 *   table 0 | 2             the last table id given out
 *   table 0 | 3 | name      the descriptor of a table (sql_catalog.proto)
 *   table 0 | 4 | id      a table that was dropped, whose rows are still to be deleted
 *   table N | 1 | key ...   the rows of table N (row_codec.h)
 *
 * The cache. A node keeps the descriptors that it has read, together with the catalog version they
 * belong to and the timestamp at which that version was last seen. A transaction that reads asks
 * for the version first, at its own read timestamp; one that only writes may instead trust the
 * cache and have the leader check at commit that the version has not changed since
 * (txn_expect_unchanged): so an INSERT is one round trip.
 *
 * Runs on a coroutine; functions that take a transaction may suspend. */
#ifndef CAIRN_SQL_CATALOG_STORE_H
#define CAIRN_SQL_CATALOG_STORE_H

#include "sql_catalog.h"
#include "txn.h"

enum { SQL_CATALOG_TABLE_ID = 0, SQL_PRIMARY_INDEX_ID = 1 };

struct sql_catalog_cache; /* one per node */

struct sql_catalog_cache *sql_catalog_cache_new(void);
/* Every view must be released. */
void sql_catalog_cache_free(struct sql_catalog_cache *cache);

/* ---- the catalog as one transaction sees it -------------------------------------------------- */

/* Keeps descriptors alive, for as long as a plan needs them. Embedded in its owner; zero-filled is
 * empty. */
struct sql_catalog_pins {
    struct sql_catalog_entry **entries;
    size_t count, capacity;
};
void sql_catalog_pins_release(struct sql_catalog_pins *pins);

/* Embedded in its owner. */
struct sql_catalog_view {
    struct sql_catalog_cache *cache;
    struct txn *txn;
    struct sql_catalog_pins *pins; /* of whoever looks: set before a find */
    uint64_t version;              /* 0: not known yet */
    bool trusted; /* taken from the cache; the transaction's first read, or its commit, checks it */
    bool changed; /* this transaction has changed the catalog: the cache is bypassed */
};

void sql_catalog_view_init(struct sql_catalog_view *view, struct sql_catalog_cache *cache);
/* Begins to look through `txn`, which has not read yet. trust: use the cache without asking, and
 * make the transaction fail with CONFLICT if the cache is out of date. */
void sql_catalog_view_begin(struct sql_catalog_view *view, struct txn *txn, bool trust);
/* Fit for struct sql_catalog: context is the view. */
enum status sql_catalog_view_find(void *context, const char *schema, const char *name,
                                  const struct sql_table **out, struct sql_error *error);
/* The version this transaction sees (reads it if need be); a plan made under another one must be
 * made again. */
enum status sql_catalog_view_version(struct sql_catalog_view *view, uint64_t *version,
                                     struct sql_error *error) MUST_CHECK;
/* CONFLICT if what the view trusted is out of date; then whatever was concluded from it may be
 * wrong. OK if it was not, or nothing was trusted. Reads. */
enum status sql_catalog_view_confirm(struct sql_catalog_view *view,
                                     struct sql_error *error) MUST_CHECK;

/* ---- changes --------------------------------------------------------------------------------- */

/* Stores a new table: gives it an id, column ids from 1 and version 1; the name must be free
 * (42P07: checked by the caller with find). `table->columns` and `key` as the binder made them. */
enum status sql_catalog_create_table(struct sql_catalog_view *view, const struct sql_table *table,
                                     struct sql_error *error) MUST_CHECK;
/* Removes the descriptor and notes that the rows are to be deleted (sql_sweep.c): as no transaction
 * that saw the table can commit after this one, and ids are not reused, nobody meets them
 * meanwhile. */
enum status sql_catalog_drop_table(struct sql_catalog_view *view, const struct sql_table *table,
                                   struct sql_error *error) MUST_CHECK;
/* A dropped table whose rows are still to be deleted: the one with the lowest id. NOT_FOUND if
 * there is none; the error is the transaction's. */
enum status sql_catalog_first_dropped(struct txn *txn, uint64_t *id,
                                      struct error *error) MUST_CHECK;
/* They are deleted. */
enum status sql_catalog_forget_dropped(struct txn *txn, uint64_t id,
                                       struct error *error) MUST_CHECK;
/* Names of all tables in order, into the arena. */
enum status sql_catalog_list_tables(struct sql_catalog_view *view, struct arena *arena,
                                    const char ***names, size_t *count,
                                    struct sql_error *error) MUST_CHECK;
/* The view's transaction has committed at this time (0: it wrote nothing) without a change of the
 * catalog, and so found it unchanged until then: the next check begins there. */
void sql_catalog_view_committed(struct sql_catalog_view *view, hlc_timestamp commit_timestamp);
/* The transaction that changed the catalog has committed: drop what the node cached. */
void sql_catalog_cache_invalidate(struct sql_catalog_cache *cache);

#endif
