/* wal.h - a write-ahead log: records are appended, one disk sync makes many of them durable.
 *
 * The log is a directory of segments `wal-<position>.seg`, each filled with zeros before it is
 * used: overwriting blocks that exist needs no metadata in the sync, which doubles the rate of
 * fdatasync. Records go into a *batch*; the batch is what is written, checksummed and synced.
 * Everything appended while a sync is under way becomes the next batch (group commit: Gawlick and
 * Kinkade, "Varieties of Concurrency Control in IMS/VS Fast Path", 1985).
 *
 *   segment: header | batch | batch | ... | zeros
 *   batch:   salt of its segment, sequence number, length, position known to be synced when it was
 *            written, checksum | record | record | ... | padding to 8 bytes
 *   record:  length, checksum, type | payload
 *
 * A *position* is a byte offset in the log since its birth: it grows from record to record and from
 * segment to segment, and names a record for good.
 *
 * Invariants
 *  1. start <= synced <= written <= end. Records below `synced` survive a power failure.
 *  2. Damage below the synced position of any later batch is CORRUPT, with file and offset; the log
 *     does not open and nothing is skipped. Damage elsewhere is a torn tail: a write that nobody
 *     waited for to the end. It is cut, and the log says so (warn).
 *  3. A log that falls idle writes one empty batch, the marker, so that its last records lie below
 *     a synced position too. Within the last batch before a marker damage and torn tail cannot be
 *     told apart.
 *  4. Batches are numbered without a gap, across segments. What is cut is overwritten with zeros
 *     before anything is appended: no old batch can come back to life behind a new one.
 *  5. A sync or a write of a batch that fails ends the node (env_fatal). It is never retried: after
 *     a failed fsync the kernel may have dropped the pages and the next one reports success
 *     (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
 *
 * Everything here is called on the loop. Nothing suspends. */
#ifndef CAIRN_WAL_H
#define CAIRN_WAL_H

#include "env.h"
#include "metrics.h"
#include "slice.h"
#include "status.h"

struct wal;

enum {
    WAL_PAYLOAD_MAX = 64 * 1024 * 1024,
    WAL_SEGMENT_BYTES_DEFAULT = 16 * 1024 * 1024,
    WAL_SEGMENT_BYTES_MIN = 4096,
    WAL_UNSYNCED_BYTES_DEFAULT = 64 * 1024 * 1024
};

struct wal_options {
    size_t segment_bytes;      /* 0: the default. A larger record gets a segment of its own size */
    size_t unsynced_max_bytes; /* 0: the default. Above it wal_writable says BUSY */
    uint64_t marker_delay_ns;  /* idle time before the marker; 0: 1 s */
    /* Registers a hook (TURN_WAL) that calls wal_flush at the end of every turn and prepares the
     * next segment and the marker in the background. Without it the owner syncs by
     * wal_sync_blocking and needs no running loop. */
    bool on_loop;
    struct metrics *metrics; /* may be NULL */
};

/* Called by wal_open for every record, oldest first. payload is valid during the call. A status
 * other than OK ends wal_open with that status. */
typedef enum status (*wal_replay)(void *arg, uint64_t position, uint8_t type, struct slice payload,
                                  struct error *error);

/* Opens the log in `dir` (created if missing; the caller holds its lock), replays it, cuts a torn
 * tail, and makes durable what was replayed. `replay` may be NULL. CORRUPT, IO, NO_SPACE, or what
 * `replay` returned; the message names file and offset. */
enum status wal_open(struct env *env, const char *dir, const struct wal_options *options,
                     wal_replay replay, void *arg, struct wal **out,
                     struct error *error) MUST_CHECK;
/* Drops what was not written (see wal_sync_blocking). A sync under way ends on its own; no callback
 * follows. NULL is fine. */
void wal_close(struct wal *wal);

/* ---- appending ------------------------------------------------------------------------------ */

/* Copies a record into the batch being built; `position` (may be NULL) receives its name. The
 * record is readable at once and durable when wal_synced > position. TOO_LARGE above
 * WAL_PAYLOAD_MAX; NO_SPACE when a new segment is needed and the disk is full; nothing is appended
 * then. May call the preamble callback, whose records come first. */
enum status wal_append(struct wal *wal, uint8_t type, struct slice payload, uint64_t *position,
                       struct error *error) MUST_CHECK;
/* The same, the payload in parts. */
enum status wal_append_parts(struct wal *wal, uint8_t type, const struct slice *parts, size_t count,
                             uint64_t *position, struct error *error) MUST_CHECK;

/* Writes what was appended and starts a sync, unless one is under way. */
void wal_flush(struct wal *wal);
/* Writes and syncs all that was appended, on the caller's thread. The on_synced callback is not
 * called. A failure ends the node. */
enum status wal_sync_blocking(struct wal *wal, struct error *error) MUST_CHECK;

/* The same, and then writes and syncs the marker (invariant 3) unless it is there. For an owner
 * without a loop, when it closes the log or waits for a person. */
enum status wal_mark(struct wal *wal, struct error *error) MUST_CHECK;

/* Called on the loop whenever the synced position grew: records below `synced` are durable. One
 * callback a log. */
void wal_on_synced(struct wal *wal, void (*callback)(void *arg, uint64_t synced), void *arg);

/* Called when a segment is begun, before any other record goes into it, so that the owner appends
 * what must be found in every segment (the state that truncating the log below would lose). The
 * callback appends with wal_append, to at most a quarter of the segment. Not called for the
 * segment that wal_open continues. */
void wal_set_segment_preamble(struct wal *wal, void (*callback)(void *arg, struct wal *wal),
                              void *arg);

/* OK; NO_SPACE while the next segment cannot be prepared for lack of disk (what is left of this one
 * serves records that cannot wait; the log tries again every second); BUSY above
 * unsynced_max_bytes. Ask before taking work in: wal_append itself does not refuse for these. */
enum status wal_writable(const struct wal *wal) MUST_CHECK;

/* ---- reading and trimming ------------------------------------------------------------------- */

/* Reads the record at a position that wal_append or replay gave, into `payload` (replaced), from
 * memory while it is not written, else from its file (may wait for the disk). NOT_FOUND below
 * wal_start; CORRUPT with file and offset. `type` may be NULL. */
enum status wal_read(struct wal *wal, uint64_t position, uint8_t *type, struct buf *payload,
                     struct error *error) MUST_CHECK;

/* Removes the segments that lie wholly below `position`; never the current one. Files go in the
 * order of age, each removal durable before the next, in the background (without a loop: at
 * once). wal_start moves at once. */
void wal_truncate_before(struct wal *wal, uint64_t position);
/* Ends the current segment: the next record opens a new one (and calls the preamble), so that
 * wal_truncate_before can drop what was written so far. No-op when the segment holds no record. */
enum status wal_roll(struct wal *wal, struct error *error) MUST_CHECK;

uint64_t wal_start(const struct wal *wal); /* the oldest position kept: start of a segment */
uint64_t wal_end(const struct wal *wal);   /* above every record appended */
uint64_t wal_synced(const struct wal *wal);
/* Where the segment that holds `position` begins: what must be kept to keep that record. */
uint64_t wal_segment_start(const struct wal *wal, uint64_t position);

#endif
