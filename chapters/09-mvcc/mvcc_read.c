/* mvcc_read.c - reading as of a timestamp: one key, a walk in either direction, "has it changed?".
 *
 * A walk steps over the versions of a key one by one only a few times: then it seeks, so that a row
 * that was updated a million times costs a scan no more than a handful of steps (RocksDB's own
 * iterators do the same: max_sequential_skip_in_iterations). */
#include <assert.h>

#include "codec.h"
#include "mem.h"
#include "mvcc_internal.h"

enum { MAX_STEPS = 4 };

struct mvcc_scan {
    struct engine_iterator *it;
    hlc_timestamp timestamp;
    bool reverse, tombstones;
    bool started, has_row;
    bool corrupt;
    uint64_t moves;     /* of the engine's iterator */
    struct buf prefix;  /* of the current row's engine key */
    struct buf seek;    /* scratch */
    struct buf key;     /* the current row's user key */
    struct buf stored;  /* reverse: the current row's stored value */
    struct slice value; /* with its kind in front */
    hlc_timestamp version;
};

static struct engine_iterator *open_iterator(const struct store_reader *reader, struct slice lower,
                                             struct slice upper) {
    struct engine_iterator_options options = {.lower = lower,
                                              .upper = upper,
                                              .snapshot = reader->snapshot,
                                              .flags = reader->no_wait ? ENGINE_NO_WAIT : 0};
    return engine_iterator_new(reader->engine, &options);
}

static enum status corrupt_version(struct error *error) {
    return error_set(error, STATUS_CORRUPT, "the engine holds a malformed version");
}

/* ---- single keys ----------------------------------------------------------------------------- */

void mvcc_points_init(struct mvcc_points *points, const struct store_reader *reader) {
    *points = (struct mvcc_points){.reader = *reader};
}

void mvcc_points_deinit(struct mvcc_points *points) {
    if (points->it != NULL) engine_iterator_free(points->it);
    points->it = NULL;
    buf_deinit(&points->seek);
}

/* True if the engine key belongs to the same user key as the one that was sought. */
static bool same_prefix(const struct mvcc_points *points, struct slice found) {
    size_t len = points->seek.len - sizeof(hlc_timestamp);
    return found.len == points->seek.len && memcmp(found.data, points->seek.data, len) == 0;
}

enum status mvcc_points_read(struct mvcc_points *points, struct slice key, hlc_timestamp timestamp,
                             struct mvcc_version *out, struct error *error) {
    static const uint8_t lower[] = {STORE_SPACE_DATA}, upper[] = {STORE_SPACE_DATA + 1};
    if (points->it == NULL)
        points->it = open_iterator(&points->reader, slice_of(lower, 1), slice_of(upper, 1));
    *out = (struct mvcc_version){0};
    buf_clear(&points->seek);
    mvcc_encode(&points->seek, key, timestamp);
    if (!engine_iterator_seek(points->it, buf_slice(&points->seek)))
        return engine_iterator_status(points->it, error);
    struct slice encoded = engine_iterator_key(points->it), prefix;
    if (!same_prefix(points, encoded)) return STATUS_OK;
    struct slice stored = engine_iterator_value(points->it);
    if (!mvcc_split(encoded, &prefix, &out->timestamp) || stored.len == 0)
        return corrupt_version(error);
    out->found = stored.data[0] == MVCC_VALUE;
    out->value = slice_from(stored, 1);
    return STATUS_OK;
}

/* ---- walking -------------------------------------------------------------------------------- */

struct mvcc_scan *mvcc_scan_new(const struct store_reader *reader,
                                const struct mvcc_scan_options *options) {
    struct mvcc_scan *scan = MEM_NEW(struct mvcc_scan);
    scan->timestamp = options->timestamp;
    scan->reverse = options->reverse;
    scan->tombstones = options->tombstones;
    struct buf upper = BUF_INIT;
    mvcc_encode_prefix(&scan->seek, options->start);
    if (options->end.len > 0)
        mvcc_encode_prefix(&upper, options->end);
    else
        put_u8(&upper, STORE_SPACE_DATA + 1);
    scan->it = open_iterator(reader, buf_slice(&scan->seek), buf_slice(&upper));
    buf_deinit(&upper);
    return scan;
}

void mvcc_scan_free(struct mvcc_scan *scan) {
    if (scan == NULL) return;
    engine_iterator_free(scan->it);
    buf_deinit(&scan->prefix);
    buf_deinit(&scan->seek);
    buf_deinit(&scan->key);
    buf_deinit(&scan->stored);
    mem_free(scan);
}

static bool move(struct mvcc_scan *scan, bool valid) {
    scan->moves++;
    return valid;
}

/* The version under the iterator; false (and corrupt) if it is none. */
static bool current(struct mvcc_scan *scan, struct slice *prefix, hlc_timestamp *timestamp) {
    if (mvcc_split(engine_iterator_key(scan->it), prefix, timestamp) &&
        engine_iterator_value(scan->it).len > 0)
        return true;
    scan->corrupt = true;
    return false;
}

static bool same_key(const struct mvcc_scan *scan, struct slice prefix) {
    return slice_equal(prefix, buf_slice(&scan->prefix));
}

static void remember_key(struct mvcc_scan *scan, struct slice prefix) {
    buf_clear(&scan->prefix);
    buf_append_slice(&scan->prefix, prefix);
}

/* To the version of the remembered key that is visible at `timestamp`, or beyond the key. */
static void seek_version(struct mvcc_scan *scan, hlc_timestamp timestamp) {
    buf_clear(&scan->seek);
    buf_append_slice(&scan->seek, buf_slice(&scan->prefix));
    put_ordered_u64_desc(&scan->seek, timestamp);
    move(scan, engine_iterator_seek(scan->it, buf_slice(&scan->seek)));
}

/* Makes the row under the iterator (or `value`, a copy of it) the current one. */
static bool take_row(struct mvcc_scan *scan, struct slice value, hlc_timestamp version) {
    struct reader reader = reader_of(slice_from(buf_slice(&scan->prefix), 1));
    buf_clear(&scan->key);
    get_ordered_bytes(&reader, &scan->key);
    if (!reader_done(&reader)) {
        scan->corrupt = true;
        return false;
    }
    scan->value = value;
    scan->version = version;
    scan->has_row = true;
    return true;
}

/* From somewhere on the remembered key to the first version of the next one. */
static void skip_forward(struct mvcc_scan *scan) {
    for (int steps = 0; steps < MAX_STEPS; steps++) {
        struct slice prefix;
        hlc_timestamp timestamp;
        if (!move(scan, engine_iterator_next(scan->it)) || !current(scan, &prefix, &timestamp))
            return;
        if (!same_key(scan, prefix)) return;
    }
    seek_version(scan, 0);
}

static bool next_forward(struct mvcc_scan *scan) {
    if (!scan->started)
        move(scan, engine_iterator_seek_first(scan->it));
    else
        skip_forward(scan);
    scan->started = true;
    int steps = 0;
    while (!scan->corrupt && engine_iterator_valid(scan->it)) {
        struct slice prefix;
        hlc_timestamp version;
        if (!current(scan, &prefix, &version)) return false;
        if (!same_key(scan, prefix)) {
            remember_key(scan, prefix);
            steps = 0;
        }
        if (version > scan->timestamp) {
            if (++steps < MAX_STEPS)
                move(scan, engine_iterator_next(scan->it));
            else
                seek_version(scan, scan->timestamp);
            continue;
        }
        struct slice stored = engine_iterator_value(scan->it);
        if (stored.data[0] == MVCC_VALUE || scan->tombstones)
            return take_row(scan, stored, version);
        skip_forward(scan);
    }
    return false;
}

/* From somewhere on the remembered key to the last (oldest) version of the key before it. */
static void skip_backward(struct mvcc_scan *scan) {
    for (int steps = 0; steps < MAX_STEPS; steps++) {
        struct slice prefix;
        hlc_timestamp timestamp;
        if (!engine_iterator_valid(scan->it) || !current(scan, &prefix, &timestamp)) return;
        if (!same_key(scan, prefix)) return;
        move(scan, engine_iterator_prev(scan->it));
    }
    move(scan, engine_iterator_seek_for_prev(scan->it, buf_slice(&scan->prefix)));
}

/* At the oldest version of a key: copies the newest one that is visible and leaves the key. */
static bool pick_backward(struct mvcc_scan *scan, hlc_timestamp *picked) {
    *picked = 0;
    for (int steps = 0; engine_iterator_valid(scan->it); steps++) {
        struct slice prefix;
        hlc_timestamp version;
        if (!current(scan, &prefix, &version)) return false;
        if (!same_key(scan, prefix) || version > scan->timestamp) break;
        if (steps == MAX_STEPS) {
            seek_version(scan, scan->timestamp);
            if (!engine_iterator_valid(scan->it) || !current(scan, &prefix, &version)) return false;
            assert(same_key(scan, prefix) && version <= scan->timestamp);
        }
        *picked = version;
        buf_clear(&scan->stored);
        buf_append_slice(&scan->stored, engine_iterator_value(scan->it));
        if (steps == MAX_STEPS) {
            move(scan, engine_iterator_seek_for_prev(scan->it, buf_slice(&scan->prefix)));
            return true;
        }
        move(scan, engine_iterator_prev(scan->it));
    }
    skip_backward(scan);
    return *picked != 0;
}

static bool next_backward(struct mvcc_scan *scan) {
    if (!scan->started) move(scan, engine_iterator_seek_last(scan->it));
    scan->started = true;
    while (!scan->corrupt && engine_iterator_valid(scan->it)) {
        struct slice prefix;
        hlc_timestamp version;
        if (!current(scan, &prefix, &version)) return false;
        remember_key(scan, prefix);
        if (!pick_backward(scan, &version)) continue;
        /* What the pick found counts, unless the way there was cut short. */
        if (!engine_iterator_valid(scan->it) && engine_iterator_status(scan->it, NULL) != STATUS_OK)
            return false;
        if (scan->stored.data[0] == MVCC_VALUE || scan->tombstones)
            return take_row(scan, buf_slice(&scan->stored), version);
    }
    return false;
}

bool mvcc_scan_next(struct mvcc_scan *scan) {
    scan->has_row = false;
    return scan->reverse ? next_backward(scan) : next_forward(scan);
}

enum status mvcc_scan_status(const struct mvcc_scan *scan, struct error *error) {
    if (scan->corrupt) return corrupt_version(error);
    return engine_iterator_valid(scan->it) ? STATUS_OK : engine_iterator_status(scan->it, error);
}

struct slice mvcc_scan_key(const struct mvcc_scan *scan) {
    return buf_slice(&scan->key);
}
struct slice mvcc_scan_value(const struct mvcc_scan *scan) {
    return slice_from(scan->value, 1);
}
uint64_t mvcc_scan_moves(const struct mvcc_scan *scan) { return scan->moves; }
hlc_timestamp mvcc_scan_version(const struct mvcc_scan *scan) { return scan->version; }
bool mvcc_scan_is_tombstone(const struct mvcc_scan *scan) {
    assert(scan->has_row);
    return scan->value.data[0] == MVCC_TOMBSTONE;
}

/* ---- has it changed? ------------------------------------------------------------------------ */

static enum status range_changed(const struct store_reader *reader, const struct span *span,
                                 hlc_timestamp after, hlc_timestamp upto, bool *changed,
                                 struct buf *key, struct error *error) {
    struct mvcc_scan_options options = {
        .start = span->start, .end = span->end, .tombstones = true, .timestamp = upto};
    struct mvcc_scan *scan = mvcc_scan_new(reader, &options);
    enum status status = STATUS_OK;
    while (!*changed && mvcc_scan_next(scan)) {
        *changed = mvcc_scan_version(scan) > after;
        if (*changed && key != NULL) {
            buf_clear(key);
            buf_append_slice(key, mvcc_scan_key(scan));
        }
    }
    if (!*changed) status = mvcc_scan_status(scan, error);
    mvcc_scan_free(scan);
    return status;
}

enum status mvcc_changed(struct mvcc_points *points, const struct span *span, hlc_timestamp after,
                         hlc_timestamp upto, bool *changed, struct buf *key, struct error *error) {
    *changed = false;
    if (!span->point) return range_changed(&points->reader, span, after, upto, changed, key, error);
    struct mvcc_version version;
    TRY(mvcc_points_read(points, span->start, upto, &version, error));
    *changed = version.timestamp > after;
    if (*changed && key != NULL) {
        buf_clear(key);
        buf_append_slice(key, span->start);
    }
    return STATUS_OK;
}
