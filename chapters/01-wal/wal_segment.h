/* wal_segment.h - the files of the log: making them, opening them, preparing the next one ahead,
 * and removing old ones. Internal to the log (wal.c, wal_recover.c).
 *
 * A segment comes into being under a temporary name and is renamed when it is complete and synced:
 * a file with a segment's name whose header or size is wrong was damaged later. */
#ifndef CAIRN_WAL_SEGMENT_H
#define CAIRN_WAL_SEGMENT_H

#include "env.h"
#include "wal_format.h"

struct wal_segment {
    struct file *file;
    char *path;
    struct wal_segment_header header;
    bool dirty; /* written since its last sync was started */
};

static inline uint64_t wal_segment_limit(const struct wal_segment *segment) {
    return segment->header.base + segment->header.capacity;
}

/* Writes, syncs and renames a segment of `capacity` bytes (a multiple of 4096), waiting for the
 * disk. */
enum status wal_segment_create(struct env *env, const char *dir, uint64_t base, uint64_t capacity,
                               struct wal_segment **out, struct error *error) MUST_CHECK;
/* CORRUPT if the header or the size is not what it must be. */
enum status wal_segment_open(struct env *env, const char *dir, const char *name,
                             struct wal_segment **out, struct error *error) MUST_CHECK;
void wal_segment_close(struct wal_segment *segment);
/* Closes it and removes the file. */
enum status wal_segment_remove(struct env *env, struct wal_segment *segment,
                               struct error *error) MUST_CHECK;
bool wal_segment_is_name(const char *name);
bool wal_segment_is_temporary(const char *name);

/* The making of the next segment while the current one fills: zeros are written on the loop, a
 * chunk at a time; each chunk is synced on the background lane, which also paces it. */
struct wal_preparation {
    struct env *env;
    const char *dir; /* the owner's */
    void (*done)(void *arg, enum status status, const struct error *error);
    void *arg;
    /* being made; after `done` with OK, the result: the owner takes it */
    struct wal_segment *segment;
    uint64_t zeroed;
    bool running;
    bool named;     /* renamed; only the directory's sync is outstanding */
    bool cancelled; /* not wanted any more: ends with CANCELLED and leaves no file */
    bool detached;  /* the log is closed: ends with CANCELLED and touches no file, which may be the
                       next owner's by now */
    enum status status;
    struct error error;
    struct env_work work;
};

/* `done` comes in a later step. One at a time. */
void wal_preparation_start(struct wal_preparation *preparation, uint64_t base, uint64_t capacity);
/* Gives the segment in `out` if it is ready, or nearly (then the directory is synced here and now:
 * a failure is IO); else cancels the preparation and gives NULL: the caller makes a segment itself.
 */
enum status wal_preparation_take(struct wal_preparation *preparation, struct wal_segment **out,
                                 struct error *error) MUST_CHECK;

#endif
