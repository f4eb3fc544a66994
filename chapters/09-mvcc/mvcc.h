/* mvcc.h - versioned keys: each write adds a version, reads are as of a timestamp.
 *
 * (Bernstein and Goodman, "Multiversion Concurrency Control", TODS 1983. The encoding is
 * CockroachDB's and TiKV's: the versions of a key are neighbours, newest first.)
 *
 * An engine key is
 *     STORE_SPACE_DATA | the user key in ordered bytes (codec.h) | ~timestamp, big-endian
 * and its value one byte, VALUE or TOMBSTONE, then the user's bytes. So the version that a reader
 * at T sees is the first one at or after (key, T): one seek.
 *
 * Invariants
 *  1. A version, once applied, never changes.
 *  2. A read at T returns for each key the newest version at or below T, or nothing if that is a
 * tombstone.
 *  3. A scan costs O(rows returned + tombstones met) seeks, however many versions the keys have.
 *
 * Pure over a store_reader: runs on the loop and on the read lane. */
#ifndef CAIRN_MVCC_H
#define CAIRN_MVCC_H

#include "arena.h"
#include "buf.h"
#include "hlc.h"
#include "slice.h"
#include "status.h"
#include "store.h"

/* Ids of this chapter's commands. */
enum { MVCC_GET = 1, MVCC_SCAN = 2, MVCC_PUT = 3, MVCC_DELETE = 4 };

enum {
    MVCC_MAX_KEY_BYTES = 16 * 1024,
    MVCC_MAX_VALUE_BYTES = 16 * 1024 * 1024,
    MVCC_MAX_PAGE_ROWS = 1024,
    MVCC_MAX_PAGE_BYTES = 4 * 1024 * 1024,
    MVCC_MAX_REPLY_BYTES = 32 * 1024 * 1024
};

/* ---- keys ----------------------------------------------------------------------------------- */

/* Append the engine key of a version, or the prefix that all versions of a key share. */
void mvcc_encode(struct buf *out, struct slice key, hlc_timestamp timestamp);
void mvcc_encode_prefix(struct buf *out, struct slice key);
/* Takes an engine key apart; the user key is appended to `key`. False if it is none of ours. */
bool mvcc_decode(struct slice encoded, struct buf *key, hlc_timestamp *timestamp) MUST_CHECK;

/* ---- writing -------------------------------------------------------------------------------- */

void mvcc_write_put(struct write_batch *batch, struct slice key, hlc_timestamp timestamp,
                    struct slice value);
void mvcc_write_delete(struct write_batch *batch, struct slice key, hlc_timestamp timestamp);

/* ---- reading -------------------------------------------------------------------------------- */

/* Reads of single keys, over one iterator: the more keys, the more it saves. They all see the
 * state at the first read. Keys in ascending order are cheapest. */
struct mvcc_points {
    struct store_reader reader;
    struct engine_iterator *it; /* NULL before the first read */
    struct buf seek;
};
void mvcc_points_init(struct mvcc_points *points, const struct store_reader *reader);
void mvcc_points_deinit(struct mvcc_points *points);

struct mvcc_version {
    hlc_timestamp timestamp; /* 0: there is none */
    bool found;              /* false also for a tombstone */
    struct slice value;      /* valid until the next read */
};
/* The version that a read at `timestamp` sees. OK, WOULD_BLOCK, IO, CORRUPT. */
enum status mvcc_points_read(struct mvcc_points *points, struct slice key, hlc_timestamp timestamp,
                             struct mvcc_version *out, struct error *error) MUST_CHECK;

/* A walk over the newest visible version of each key in [start, end), at a timestamp. */
struct mvcc_scan_options {
    struct slice start, end; /* borrowed while the scan lives; end empty: no bound */
    bool reverse;
    bool tombstones; /* also stop at deleted keys */
    hlc_timestamp timestamp;
};
struct mvcc_scan;
struct mvcc_scan *mvcc_scan_new(const struct store_reader *reader,
                                const struct mvcc_scan_options *options);
void mvcc_scan_free(struct mvcc_scan *scan);
/* To the next key. False at the end or on an error: ask mvcc_scan_status. */
bool mvcc_scan_next(struct mvcc_scan *scan);
enum status mvcc_scan_status(const struct mvcc_scan *scan, struct error *error) MUST_CHECK;
/* Valid until the next call of mvcc_scan_next. */
struct slice mvcc_scan_key(const struct mvcc_scan *scan);
struct slice mvcc_scan_value(const struct mvcc_scan *scan);
bool mvcc_scan_is_tombstone(const struct mvcc_scan *scan);
hlc_timestamp mvcc_scan_version(const struct mvcc_scan *scan);
/* How often it moved the engine's iterator: what invariant 3 bounds. */
uint64_t mvcc_scan_moves(const struct mvcc_scan *scan);

/* True in *changed if a key of the span has a version in (after, upto]. `key` (may be NULL)
 * receives it. */
enum status mvcc_changed(struct mvcc_points *points, const struct span *span, hlc_timestamp after,
                         hlc_timestamp upto, bool *changed, struct buf *key,
                         struct error *error) MUST_CHECK;

#endif
