/* wal_trim.c - the old end of the log. What lives here: giving up segments, one at a time, oldest
 * first. What must not: the records in them, and when to give them up. */
#include "wal_internal.h"

static void trim_next(struct wal *wal);

static void trim_run(void *arg) {
    struct wal *wal = arg;
    wal->trim_status = env_dir_sync(wal->env, wal->dir, &wal->trim_error);
}

static void trim_done(void *arg) {
    struct wal *wal = arg;
    wal->trim_running = false;
    if (wal->closed)
        wal_release(wal);
    else if (wal->trim_status != STATUS_OK)
        wal_fail(wal, "cannot sync the directory", &wal->trim_error);
    else
        trim_next(wal);
}

/* One at a time, each removal durable before the next: a crash must not leave a gap. */
static void trim_next(struct wal *wal) {
    while (wal->doomed.count > 0 && !wal->trim_running && !wal->failed) {
        struct wal_segment *segment = wal_segments_take(&wal->doomed, 0);
        log_debug(env_log(wal->env), "wal", "removing a segment file=%s", segment->path);
        wal->trim_status = wal_segment_remove(wal->env, segment, &wal->trim_error);
        if (wal->trim_status != STATUS_OK) {
            wal_fail(wal, "cannot remove a segment", &wal->trim_error);
            return;
        }
        wal->trim_running = wal->options.on_loop;
        wal->trim_work = (struct env_work){.run = trim_run, .done = trim_done, .arg = wal};
        if (wal->options.on_loop) {
            env_work_submit(wal->env, LANE_BACKGROUND, &wal->trim_work);
        } else if (env_dir_sync(wal->env, wal->dir, &wal->trim_error) != STATUS_OK) {
            wal_fail(wal, "cannot sync the directory", &wal->trim_error);
        }
    }
}

void wal_truncate_before(struct wal *wal, uint64_t position) {
    while (wal->segments.count > 1) {
        struct wal_segment *oldest = wal->segments.items[0];
        if (wal_segment_limit(oldest) > position || wal_segment_limit(oldest) > wal->synced) break;
        wal_segments_add(&wal->doomed, wal_segments_take(&wal->segments, 0));
    }
    trim_next(wal);
}
