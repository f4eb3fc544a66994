/* wal.c - appending records, and making many of them durable with one sync. What lives here: the
 * batch being built, the sync under way, the marker, reading a record back. What must not: the
 * choice and upkeep of segment files (wal_segments.c, wal_trim.c), opening (wal_recover.c). */
#include "wal.h"

#include <assert.h>

#include "mem.h"
#include "wal_internal.h"

enum {
    READ_AHEAD_BYTES = 4096,
    /* A batch's memory above this is given back after the batch is written. */
    SPARE_BYTES_MAX = 4 * 1024 * 1024
};

/* ---- batches -------------------------------------------------------------------------------- */

static struct wal_batch *batch_begin(struct wal *wal) {
    struct wal_batch *batch = wal->spare != NULL ? wal->spare : MEM_NEW(struct wal_batch);
    wal->spare = NULL;
    batch->next = NULL;
    batch->segment = wal_current(wal);
    batch->position = wal->last != NULL ? wal_align(wal->end) : wal->written;
    buf_clear(&batch->bytes);
    buf_append_zeros(&batch->bytes, WAL_BATCH_HEADER_BYTES);
    if (wal->last != NULL)
        wal->last->next = batch;
    else
        wal->first = batch;
    wal->last = batch;
    wal->pending_bytes += WAL_BATCH_HEADER_BYTES;
    return batch;
}

static void batch_free(struct wal_batch *batch) {
    if (batch == NULL) return;
    buf_deinit(&batch->bytes);
    mem_free(batch);
}

/* Takes the oldest batch off the queue, once it is written. */
static void batch_end(struct wal *wal) {
    struct wal_batch *batch = wal->first;
    wal->first = batch->next;
    if (wal->first == NULL) wal->last = NULL;
    wal->pending_bytes -= batch->bytes.len;
    if (wal->spare == NULL && batch->bytes.capacity <= SPARE_BYTES_MAX)
        wal->spare = batch;
    else
        batch_free(batch);
}

/* Where a record appended now would stand. */
static uint64_t next_position(const struct wal *wal) {
    return wal->last != NULL ? wal->end : wal->written + WAL_BATCH_HEADER_BYTES;
}

/* The rest of a segment always has room for a marker. */
static bool fits(const struct wal *wal, uint64_t record_bytes) {
    uint64_t needed = wal_align(next_position(wal) + record_bytes) + WAL_BATCH_HEADER_BYTES;
    return needed <= wal_segment_limit(wal_current(wal));
}

static uint64_t current_data(const struct wal *wal) {
    return wal_current(wal)->header.base + WAL_SEGMENT_DATA_OFFSET;
}

/* Goes on in a new segment. Batches for the old one stay queued in front. One that holds nothing
 * gets an empty batch: every segment but the last has one, so that recovery can tell an unused
 * segment from a damaged one. */
static enum status roll(struct wal *wal, uint64_t record_bytes, struct error *error) {
    bool unused = wal->last == NULL && wal->written == current_data(wal);
    if (unused) {
        batch_begin(wal);
        wal->end = wal->written + WAL_BATCH_HEADER_BYTES;
    }
    TRY(wal_add_segment(wal, record_bytes, error));
    /* `written` names the place of the next batch; batches still queued have theirs already. */
    wal->end = current_data(wal);
    if (wal->last == NULL) wal->written = wal->end;
    batch_begin(wal);
    wal->end += WAL_BATCH_HEADER_BYTES;
    if (wal->preamble == NULL) return STATUS_OK;
    wal->in_preamble = true;
    wal->preamble(wal->preamble_arg, wal);
    wal->in_preamble = false;
    return STATUS_OK;
}

static enum status make_room(struct wal *wal, uint64_t record_bytes, struct error *error) {
    if (fits(wal, record_bytes)) return STATUS_OK;
    if (wal->in_preamble)
        return error_set(error, STATUS_TOO_LARGE,
                         "the preamble is larger than a log segment of %zu bytes",
                         wal->options.segment_bytes);
    TRY(roll(wal, record_bytes, error));
    if (fits(wal, record_bytes)) return STATUS_OK;
    return error_set(error, STATUS_TOO_LARGE,
                     "the preamble leaves no room in a log segment of %zu bytes",
                     wal->options.segment_bytes);
}

enum status wal_append_parts(struct wal *wal, uint8_t type, const struct slice *parts, size_t count,
                             uint64_t *position, struct error *error) {
    if (wal->failed) return error_set(error, STATUS_IO, "the log in %s has failed", wal->dir);
    size_t payload_bytes = 0;
    for (size_t i = 0; i < count; i++)
        payload_bytes += parts[i].len;
    if (payload_bytes > WAL_PAYLOAD_MAX)
        return error_set(error, STATUS_TOO_LARGE,
                         "a log record of %zu bytes is over the limit of %d", payload_bytes,
                         WAL_PAYLOAD_MAX);
    size_t record_bytes = WAL_RECORD_HEADER_BYTES + payload_bytes;
    TRY(make_room(wal, record_bytes, error));
    struct wal_batch *batch = wal->last;
    if (batch == NULL) {
        batch = batch_begin(wal);
        wal->end = batch->position + WAL_BATCH_HEADER_BYTES;
    }
    size_t at = batch->bytes.len;
    assert(batch->position + at == wal->end);
    buf_reserve(&batch->bytes, record_bytes);
    buf_append_zeros(&batch->bytes, WAL_RECORD_HEADER_BYTES);
    for (size_t i = 0; i < count; i++)
        buf_append_slice(&batch->bytes, parts[i]);
    wal_record_seal(batch->bytes.data + at, type, payload_bytes, wal->end);
    if (position != NULL) *position = wal->end;
    wal->end += record_bytes;
    wal->pending_bytes += record_bytes;
    return STATUS_OK;
}

enum status wal_append(struct wal *wal, uint8_t type, struct slice payload, uint64_t *position,
                       struct error *error) {
    return wal_append_parts(wal, type, &payload, 1, position, error);
}

enum status wal_roll(struct wal *wal, struct error *error) {
    if (wal->failed) return error_set(error, STATUS_IO, "the log in %s has failed", wal->dir);
    bool holds_record = wal->end > current_data(wal) + WAL_BATCH_HEADER_BYTES;
    return holds_record ? roll(wal, 0, error) : STATUS_OK;
}

enum status wal_writable(const struct wal *wal) {
    if (wal->failed) return STATUS_IO;
    if (wal->no_space) return STATUS_NO_SPACE;
    return wal->pending_bytes > wal->options.unsynced_max_bytes ? STATUS_BUSY : STATUS_OK;
}

/* ---- writing and syncing -------------------------------------------------------------------- */

void wal_fail(struct wal *wal, const char *doing, const struct error *error) {
    wal->failed = true;
    env_timer_stop(&wal->marker_timer);
    env_timer_stop(&wal->retry_timer);
    env_fatal(wal->env, "wal: %s: %s", doing, error->message);
}

static bool write_batch(struct wal *wal, struct wal_batch *batch) {
    struct wal_batch_header header = {
        .sequence = wal->sequence,
        .synced = wal->synced,
        .body_bytes = (uint32_t)(batch->bytes.len - WAL_BATCH_HEADER_BYTES),
    };
    struct wal_segment *segment = batch->segment;
    struct error error;
    assert(batch->position >= wal->written); /* invariant 4: behind the last one */
    wal_batch_seal(batch->bytes.data, segment->header.salt, batch->position, &header);
    uint64_t offset = batch->position - segment->header.base;
    if (file_write_at(segment->file, offset, buf_slice(&batch->bytes), &error) != STATUS_OK) {
        wal_fail(wal, "cannot write", &error);
        return false;
    }
    segment->dirty = true;
    wal->sequence++;
    wal->marked = header.body_bytes == 0;
    wal->written = wal_align(batch->position + batch->bytes.len);
    if (wal->bytes_written != NULL) {
        counter_add(wal->bytes_written, batch->bytes.len);
        histogram_record(wal->batch_size, batch->bytes.len);
    }
    return true;
}

static void check_positions(const struct wal *wal) {
    assert(wal_start(wal) <= wal->synced); /* invariant 1 */
    assert(wal->synced <= wal->written);
    assert(wal->written <= wal->end);
}

/* Writes all that is queued. False after a failure. */
static bool write_pending(struct wal *wal) {
    if (wal->first == NULL) return true;
    while (wal->first != NULL) {
        if (!write_batch(wal, wal->first)) return false;
        batch_end(wal);
    }
    wal->end = wal->written;
    check_positions(wal);
    return true;
}

static struct wal_segment *oldest_dirty(struct wal *wal) {
    for (size_t i = 0; i < wal->segments.count; i++)
        if (wal->segments.items[i]->dirty) return wal->segments.items[i];
    return NULL;
}

static void sync_finished(struct wal *wal) {
    uint64_t target = wal->sync_target;
    if (wal->marker_timer.callback != NULL && !wal->marked)
        env_timer_start(wal->env, &wal->marker_timer,
                        env_now_ns(wal->env) + wal->options.marker_delay_ns);
    if (target <= wal->synced) return; /* wal_sync_blocking was faster */
    wal->synced = target;
    check_positions(wal);
    if (wal->on_synced != NULL) wal->on_synced(wal->on_synced_arg, target);
}

static void sync_done(void *arg, enum status status, const struct error *error);

static void start_sync(struct wal *wal, struct wal_segment *segment) {
    segment->dirty = false;
    wal->sync_op = (struct file_sync_op){.done = sync_done, .arg = wal};
    wal->sync_running = true;
    wal->sync_started_ns = env_now_ns(wal->env);
    file_sync_start(segment->file, &wal->sync_op);
}

/* A batch may have closed one segment and the next one opened another: all are synced, oldest
 * first, before the position moves. Nothing is written meanwhile. */
static void sync_done(void *arg, enum status status, const struct error *error) {
    struct wal *wal = arg;
    wal->sync_running = false;
    if (wal->closed) {
        wal_release(wal);
        return;
    }
    if (wal->failed) return;
    if (status != STATUS_OK) {
        wal_fail(wal, "cannot sync", error);
        return;
    }
    if (wal->syncs != NULL) {
        counter_add(wal->syncs, 1);
        histogram_record(wal->sync_time, env_now_ns(wal->env) - wal->sync_started_ns);
    }
    struct wal_segment *segment = oldest_dirty(wal);
    if (segment != NULL)
        start_sync(wal, segment);
    else
        sync_finished(wal);
}

void wal_flush(struct wal *wal) {
    if (wal->failed || wal->sync_running || wal->first == NULL) return;
    if (!write_pending(wal)) return;
    wal->sync_target = wal->written;
    start_sync(wal, oldest_dirty(wal));
}

enum status wal_sync_blocking(struct wal *wal, struct error *error) {
    if (wal->failed || !write_pending(wal))
        return error_set(error, STATUS_IO, "the log in %s has failed", wal->dir);
    for (struct wal_segment *segment = oldest_dirty(wal); segment != NULL;
         segment = oldest_dirty(wal)) {
        segment->dirty = false;
        enum status status = file_sync(segment->file, error);
        if (status != STATUS_OK) {
            struct error reason = {.status = status};
            if (error != NULL) reason = *error;
            wal_fail(wal, "cannot sync", &reason);
            return status;
        }
        if (wal->syncs != NULL) counter_add(wal->syncs, 1);
    }
    wal->synced = wal->written;
    return STATUS_OK;
}

enum status wal_mark(struct wal *wal, struct error *error) {
    TRY(wal_sync_blocking(wal, error));
    if (wal->marked) return STATUS_OK;
    batch_begin(wal);
    return wal_sync_blocking(wal, error);
}

static void marker_due(void *arg) {
    struct wal *wal = arg;
    if (wal->failed || wal->marked || wal->first != NULL || wal->sync_running) return;
    batch_begin(wal);
    wal_flush(wal);
}

static void turn_end(void *arg) { wal_flush(arg); }

/* ---- reading -------------------------------------------------------------------------------- */

static enum status damaged(const struct wal_segment *segment, uint64_t position,
                           struct error *error) {
    return error_set(error, STATUS_CORRUPT, "%s: no intact record at offset %llu", segment->path,
                     (unsigned long long)(position - segment->header.base));
}

static enum status deliver(const struct wal_segment *segment, struct slice bytes, uint64_t position,
                           uint8_t *type, struct buf *payload, struct error *error) {
    struct wal_record record;
    if (!wal_record_decode(bytes, position, &record)) return damaged(segment, position, error);
    if (type != NULL) *type = record.type;
    buf_clear(payload);
    buf_append_slice(payload, record.payload);
    return STATUS_OK;
}

static enum status read_from_file(struct wal_segment *segment, uint64_t position, uint8_t *type,
                                  struct buf *payload, struct error *error) {
    uint8_t start[READ_AHEAD_BYTES];
    uint64_t offset = position - segment->header.base;
    size_t read = 0;
    TRY(file_read_at(segment->file, offset, start, sizeof(start), &read, error));
    if (read < WAL_RECORD_HEADER_BYTES) return damaged(segment, position, error);
    size_t size = WAL_RECORD_HEADER_BYTES + (size_t)wal_record_length(start);
    if (size <= read)
        return deliver(segment, slice_of(start, size), position, type, payload, error);
    if (size > segment->header.capacity - offset) return damaged(segment, position, error);
    struct buf whole = BUF_INIT;
    uint8_t *at = buf_extend(&whole, size);
    memcpy(at, start, read);
    size_t more = 0;
    enum status status =
        file_read_at(segment->file, offset + read, at + read, size - read, &more, error);
    if (status == STATUS_OK)
        status = deliver(segment, slice_of(at, read + more), position, type, payload, error);
    buf_deinit(&whole);
    return status;
}

enum status wal_read(struct wal *wal, uint64_t position, uint8_t *type, struct buf *payload,
                     struct error *error) {
    struct wal_segment *segment = wal_segment_of(wal, position);
    if (segment == NULL)
        return error_set(error, STATUS_NOT_FOUND, "the log in %s does not hold position %llu",
                         wal->dir, (unsigned long long)position);
    for (struct wal_batch *batch = wal->first; batch != NULL; batch = batch->next) {
        if (position < batch->position || position >= batch->position + batch->bytes.len) continue;
        struct slice rest =
            slice_from(buf_slice(&batch->bytes), (size_t)(position - batch->position));
        return deliver(segment, rest, position, type, payload, error);
    }
    return read_from_file(segment, position, type, payload, error);
}

uint64_t wal_start(const struct wal *wal) { return wal->segments.items[0]->header.base; }

uint64_t wal_end(const struct wal *wal) { return wal->end; }

uint64_t wal_synced(const struct wal *wal) { return wal->synced; }

uint64_t wal_segment_start(const struct wal *wal, uint64_t position) {
    const struct wal_segment *segment = wal_segment_of(wal, position);
    return segment != NULL ? segment->header.base : wal_start(wal);
}

/* ---- life ----------------------------------------------------------------------------------- */

void wal_on_synced(struct wal *wal, void (*callback)(void *arg, uint64_t synced), void *arg) {
    wal->on_synced = callback;
    wal->on_synced_arg = arg;
}

void wal_set_segment_preamble(struct wal *wal, void (*callback)(void *arg, struct wal *wal),
                              void *arg) {
    wal->preamble = callback;
    wal->preamble_arg = arg;
}

static void retry_due(void *arg) { wal_prepare_next(arg); }

/* Hooks and timers start once the log is open: a failed open leaves nothing behind. */
void wal_go_on_loop(struct wal *wal) {
    wal->hook = (struct env_turn_hook){.callback = turn_end, .arg = wal, .order = TURN_WAL};
    env_turn_hook_add(wal->env, &wal->hook);
    env_timer_init(&wal->marker_timer, marker_due, wal);
    env_timer_init(&wal->retry_timer, retry_due, wal);
    if (!wal->marked)
        env_timer_start(wal->env, &wal->marker_timer,
                        env_now_ns(wal->env) + wal->options.marker_delay_ns);
    wal_prepare_next(wal);
}

void wal_release(struct wal *wal) {
    assert(wal->closed);
    if (wal->sync_running || wal->preparation.running || wal->trim_running) return;
    while (wal->first != NULL)
        batch_end(wal);
    batch_free(wal->spare);
    wal_segment_close(wal->preparation.segment);
    while (wal->segments.count > 0)
        wal_segment_close(wal_segments_take(&wal->segments, 0));
    while (wal->doomed.count > 0)
        wal_segment_close(wal_segments_take(&wal->doomed, 0));
    mem_free(wal->segments.items);
    mem_free(wal->doomed.items);
    mem_free(wal->dir);
    mem_free(wal);
}

void wal_close(struct wal *wal) {
    if (wal == NULL) return;
    wal->closed = true;
    wal->preparation.detached = true;
    if (wal->options.on_loop) {
        env_turn_hook_remove(wal->env, &wal->hook);
        env_timer_stop(&wal->marker_timer);
        env_timer_stop(&wal->retry_timer);
    }
    wal_release(wal);
}
