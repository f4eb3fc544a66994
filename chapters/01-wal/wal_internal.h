/* wal_internal.h - what the files of the log share: wal.c (appending, syncing), wal_recover.c
 * (opening), wal_segments.c (the list, the next segment), wal_trim.c (old segments). Nobody else
 * includes it. */
#ifndef CAIRN_WAL_INTERNAL_H
#define CAIRN_WAL_INTERNAL_H

#include "wal.h"
#include "wal_format.h"
#include "wal_segment.h"

/* A batch that is being built, or waits for the sync under way to end. */
struct wal_batch {
    struct wal_batch *next;
    struct wal_segment *segment;
    uint64_t position; /* of its header */
    struct buf bytes;  /* header (filled in when it is written) and records */
};

struct wal_segment_list {
    struct wal_segment **items; /* by base, without gaps */
    size_t count;
    size_t capacity;
};

struct wal {
    struct env *env;
    char *dir;
    struct wal_options options;

    struct wal_segment_list segments; /* the last one is current */
    struct wal_batch *first;          /* batches not written; the last one is being built */
    struct wal_batch *last;
    struct wal_batch *spare; /* keeps its memory for the next batch */
    size_t pending_bytes;

    uint64_t sequence; /* of the next batch */
    uint64_t end;      /* above every record appended */
    uint64_t written;  /* end of the last batch written, aligned: where the next one goes */
    uint64_t synced;
    bool marked; /* the last batch written is a marker, or none was written */
    bool failed; /* after env_fatal: nothing is done any more */
    bool closed; /* freed when the last work under way has reported */

    bool sync_running;
    uint64_t sync_target;
    uint64_t sync_started_ns;
    struct file_sync_op sync_op;
    struct env_turn_hook hook;
    struct env_timer marker_timer;

    void (*on_synced)(void *arg, uint64_t synced);
    void *on_synced_arg;
    void (*preamble)(void *arg, struct wal *wal);
    void *preamble_arg;
    bool in_preamble;

    struct wal_preparation preparation;
    bool no_space; /* the last preparation failed for lack of disk */
    struct env_timer retry_timer;

    struct wal_segment_list doomed; /* to be removed, oldest first */
    bool trim_running;
    enum status trim_status;
    struct error trim_error;
    struct env_work trim_work;

    struct counter *syncs;
    struct counter *bytes_written;
    struct histogram *sync_time;
    struct histogram *batch_size;
};

/* wal_segments.c */
void wal_segments_add(struct wal_segment_list *list, struct wal_segment *segment);
struct wal_segment *wal_segments_take(struct wal_segment_list *list, size_t index);
struct wal_segment *wal_segment_of(const struct wal *wal, uint64_t position); /* NULL: not kept */
static inline struct wal_segment *wal_current(const struct wal *wal) {
    return wal->segments.count > 0 ? wal->segments.items[wal->segments.count - 1] : NULL;
}
/* Appends a segment that has room for a record of record_bytes. */
enum status wal_add_segment(struct wal *wal, uint64_t record_bytes, struct error *error) MUST_CHECK;
/* Starts preparing the next segment, unless there is one or no loop to do it. */
void wal_prepare_next(struct wal *wal);

/* wal.c */
void wal_fail(struct wal *wal, const char *doing, const struct error *error);
/* Frees a closed log once nothing is under way. */
void wal_release(struct wal *wal);
/* The last thing that opening a log on a loop does: from here on the loop calls. */
void wal_go_on_loop(struct wal *wal);

#endif
