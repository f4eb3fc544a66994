/* wal_recover.c - opening a log: read every batch in order, and where that ends decide between a
 * torn tail and damage. What lives here: invariants 2 and 4 of wal.h. What must not: appending.
 *
 * The decision. Reading stops at position P, at the first thing that is not the next batch. If any
 * whole batch beyond P says that more than P was synced when it was written, then what stood at P
 * had been acknowledged: CORRUPT. If none says so, P is where a crash interrupted writes that
 * nobody had been promised: the tail is cut. (Alagappan et al., "Protocol-Aware Recovery for
 * Consensus-Based Storage", FAST 2018, on why the two must not be mixed up.)
 *
 * Rewriting a sector that holds synced data next to a new batch is taken to leave the synced bytes
 * alone, whatever happens to the new ones (SQLite calls this "powersafe overwrite"). */

#include "mem.h"
#include "wal_internal.h"

#define MARKER_DELAY_NS_DEFAULT NS_PER_S

struct name_list {
    char **items;
    size_t count;
    size_t capacity;
};

struct recovery {
    struct wal *wal;
    wal_replay replay;
    void *arg;
    struct buf bytes; /* the segment being read, whole */
    bool any_batch;
    uint64_t next_sequence; /* known once any_batch */
    uint64_t stop;          /* P */
    size_t stop_segment;
    size_t stop_junk_end;   /* offset beyond the last byte that is not zero in that segment */
    uint64_t synced_seen;   /* the highest synced position that any batch beyond P tells of */
    uint64_t synced_before; /* the same for the batches that were replayed */
    bool last_is_marker;
};

static void collect_name(void *arg, const char *name) {
    struct name_list *names = arg;
    if (!wal_segment_is_name(name) && !wal_segment_is_temporary(name)) return;
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? 2 * names->capacity : 16;
        names->items = mem_realloc(names->items, names->capacity * sizeof(*names->items));
    }
    names->items[names->count++] = mem_strdup(name);
}

static void free_names(struct name_list *names) {
    for (size_t i = 0; i < names->count; i++)
        mem_free(names->items[i]);
    mem_free(names->items);
}

static enum status remove_temporary(struct wal *wal, const char *name, struct error *error) {
    struct buf path = BUF_INIT;
    buf_printf(&path, "%s/%s", wal->dir, name);
    buf_append_byte(&path, 0);
    enum status status = env_file_remove(wal->env, (const char *)path.data, error);
    buf_deinit(&path);
    return status;
}

/* The directory is listed in order of name, which is the order of position. */
static enum status open_segments(struct wal *wal, struct error *error) {
    struct name_list names = {0};
    enum status status = env_dir_list(wal->env, wal->dir, collect_name, &names, error);
    for (size_t i = 0; i < names.count && status == STATUS_OK; i++) {
        if (wal_segment_is_temporary(names.items[i])) {
            status = remove_temporary(wal, names.items[i], error);
            continue;
        }
        struct wal_segment *before = wal_current(wal);
        struct wal_segment *segment;
        status = wal_segment_open(wal->env, wal->dir, names.items[i], &segment, error);
        if (status != STATUS_OK) break;
        wal_segments_add(&wal->segments, segment);
        if (before != NULL && segment->header.base != wal_segment_limit(before))
            status = error_set(error, STATUS_CORRUPT, "%s: a segment is missing before this one",
                               segment->path);
    }
    free_names(&names);
    return status;
}

static enum status read_segment(struct recovery *recovery, const struct wal_segment *segment,
                                struct error *error) {
    size_t read = 0;
    buf_clear(&recovery->bytes);
    size_t capacity = (size_t)segment->header.capacity;
    uint8_t *at = buf_extend(&recovery->bytes, capacity);
    TRY(file_read_at(segment->file, 0, at, capacity, &read, error));
    if (read == capacity) return STATUS_OK;
    return error_set(error, STATUS_CORRUPT, "%s: the segment ends early, at offset %zu",
                     segment->path, read);
}

static bool batch_at(const struct recovery *recovery, const struct wal_segment *segment,
                     uint64_t offset, struct wal_batch_header *out) {
    if (offset >= recovery->bytes.len) return false;
    struct slice rest = slice_from(buf_slice(&recovery->bytes), (size_t)offset);
    return wal_batch_decode(rest, segment->header.salt, segment->header.base + offset, out);
}

static enum status replay_records(struct recovery *recovery, const struct wal_segment *segment,
                                  uint64_t offset, uint32_t body_bytes, struct error *error) {
    struct slice body =
        slice_of(recovery->bytes.data + offset + WAL_BATCH_HEADER_BYTES, body_bytes);
    uint64_t position = segment->header.base + offset + WAL_BATCH_HEADER_BYTES;
    while (body.len > 0) {
        struct wal_record record;
        if (!wal_record_decode(body, position, &record))
            return error_set(error, STATUS_CORRUPT, "%s: a record is malformed at offset %llu",
                             segment->path, (unsigned long long)(position - segment->header.base));
        if (recovery->replay != NULL)
            TRY(recovery->replay(recovery->arg, position, record.type, record.payload, error));
        size_t size = WAL_RECORD_HEADER_BYTES + record.payload.len;
        body = slice_from(body, size);
        position += size;
    }
    return STATUS_OK;
}

/* Replays the batches of a segment that follow on; sets `stop` to where that ends. */
static enum status replay_segment(struct recovery *recovery, size_t index, struct error *error) {
    const struct wal_segment *segment = recovery->wal->segments.items[index];
    uint64_t offset = WAL_SEGMENT_DATA_OFFSET;
    struct wal_batch_header header;
    while (batch_at(recovery, segment, offset, &header)) {
        if (recovery->any_batch && header.sequence != recovery->next_sequence) break;
        TRY(replay_records(recovery, segment, offset, header.body_bytes, error));
        recovery->any_batch = true;
        recovery->next_sequence = header.sequence + 1;
        recovery->last_is_marker = header.body_bytes == 0;
        if (header.synced > recovery->synced_before) recovery->synced_before = header.synced;
        offset = wal_align(offset + WAL_BATCH_HEADER_BYTES + header.body_bytes);
    }
    recovery->stop_segment = index;
    recovery->stop = segment->header.base + offset;
    return STATUS_OK;
}

/* Looks at everything from `offset` on for whole batches, and for the last byte that is not zero.
 */
static void scan_rest(struct recovery *recovery, const struct wal_segment *segment, uint64_t offset,
                      size_t *junk_end) {
    *junk_end = (size_t)offset;
    const uint8_t *bytes = recovery->bytes.data;
    for (size_t at = (size_t)offset; at + 8 <= recovery->bytes.len; at += WAL_BATCH_ALIGNMENT) {
        uint64_t word = load_u64le(bytes + at);
        if (word == 0) continue;
        *junk_end = at + 8;
        struct wal_batch_header header;
        if (word == segment->header.salt && batch_at(recovery, segment, at, &header) &&
            header.synced > recovery->synced_seen)
            recovery->synced_seen = header.synced;
    }
}

static bool first_batch_follows(const struct recovery *recovery,
                                const struct wal_segment *segment) {
    struct wal_batch_header header;
    return recovery->any_batch && batch_at(recovery, segment, WAL_SEGMENT_DATA_OFFSET, &header) &&
           header.sequence == recovery->next_sequence;
}

/* Reads all segments; afterwards stop, stop_segment, stop_junk_end and synced_seen tell the end. */
static enum status read_all(struct recovery *recovery, struct error *error) {
    struct wal_segment_list *segments = &recovery->wal->segments;
    bool stopped = false;
    for (size_t i = 0; i < segments->count; i++) {
        const struct wal_segment *segment = segments->items[i];
        TRY(read_segment(recovery, segment, error));
        if (i > 0 && (stopped || !first_batch_follows(recovery, segment))) {
            size_t ignored;
            stopped = true;
            scan_rest(recovery, segment, WAL_SEGMENT_DATA_OFFSET, &ignored);
            continue;
        }
        if (i > 0) recovery->synced_seen = 0; /* what was seen lies behind batches that follow on */
        TRY(replay_segment(recovery, i, error));
        scan_rest(recovery, segment, recovery->stop - segment->header.base,
                  &recovery->stop_junk_end);
    }
    return STATUS_OK;
}

static enum status check_damage(const struct recovery *recovery, struct error *error) {
    const struct wal_segment *segment = recovery->wal->segments.items[recovery->stop_segment];
    if (recovery->synced_seen <= recovery->stop) return STATUS_OK;
    return error_set(
        error, STATUS_CORRUPT,
        "%s: damaged at offset %llu, below position %llu that was synced: restore this node "
        "from its peers or a backup",
        segment->path, (unsigned long long)(recovery->stop - segment->header.base),
        (unsigned long long)recovery->synced_seen);
}

/* Overwrites the rest of the segment with zeros, and drops the segments behind it, newest first. */
static enum status cut_tail(struct recovery *recovery, struct error *error) {
    struct wal *wal = recovery->wal;
    while (wal->segments.count > recovery->stop_segment + 1) {
        struct wal_segment *newest = wal_segments_take(&wal->segments, wal->segments.count - 1);
        TRY(wal_segment_remove(wal->env, newest, error));
        TRY(env_dir_sync(wal->env, wal->dir, error));
    }
    struct wal_segment *segment = wal_current(wal);
    uint64_t offset = recovery->stop - segment->header.base;
    if (recovery->stop_junk_end <= offset) return STATUS_OK;
    size_t len = recovery->stop_junk_end - (size_t)offset;
    log_warn(env_log(wal->env), "wal",
             "cut a torn tail that was never synced file=%s offset=%llu bytes=%zu", segment->path,
             (unsigned long long)offset, len);
    uint8_t *zeros = mem_zalloc(len);
    enum status status = file_write_at(segment->file, offset, slice_of(zeros, len), error);
    mem_free(zeros);
    return status;
}

/* What was replayed may have been only in the page cache, as after kill -9. */
static enum status sync_replayed(struct recovery *recovery, struct error *error) {
    struct wal *wal = recovery->wal;
    for (size_t i = 0; i < wal->segments.count; i++) {
        struct wal_segment *segment = wal->segments.items[i];
        if (wal_segment_limit(segment) > recovery->synced_before)
            TRY(file_sync(segment->file, error));
    }
    return env_dir_sync(wal->env, wal->dir, error);
}

static enum status recover(struct recovery *recovery, struct error *error) {
    struct wal *wal = recovery->wal;
    TRY(open_segments(wal, error));
    if (wal->segments.count == 0) {
        TRY(wal_add_segment(wal, 0, error));
        recovery->stop = wal_current(wal)->header.base + WAL_SEGMENT_DATA_OFFSET;
    } else {
        TRY(read_all(recovery, error));
        TRY(check_damage(recovery, error));
        TRY(cut_tail(recovery, error));
        TRY(sync_replayed(recovery, error));
    }
    wal->sequence = recovery->any_batch ? recovery->next_sequence : 1;
    wal->end = wal->written = wal->synced = recovery->stop;
    wal->marked = !recovery->any_batch || recovery->last_is_marker;
    return STATUS_OK;
}

static enum status recover_all(struct wal *wal, wal_replay replay, void *arg, struct error *error) {
    struct recovery recovery = {.wal = wal, .replay = replay, .arg = arg};
    enum status status = recover(&recovery, error);
    buf_deinit(&recovery.bytes);
    return status;
}

/* ---- opening -------------------------------------------------------------------------------- */

static void set_options(struct wal *wal, const struct wal_options *options) {
    if (options != NULL) wal->options = *options;
    struct wal_options *o = &wal->options;
    if (o->segment_bytes == 0) o->segment_bytes = WAL_SEGMENT_BYTES_DEFAULT;
    if (o->segment_bytes < WAL_SEGMENT_BYTES_MIN) o->segment_bytes = WAL_SEGMENT_BYTES_MIN;
    o->segment_bytes = (o->segment_bytes + 4095) / 4096 * 4096;
    if (o->unsynced_max_bytes == 0) o->unsynced_max_bytes = WAL_UNSYNCED_BYTES_DEFAULT;
    if (o->marker_delay_ns == 0) o->marker_delay_ns = MARKER_DELAY_NS_DEFAULT;
    if (o->metrics == NULL) return;
    wal->syncs = metrics_counter(o->metrics, "cairn_wal_syncs_total", "Syncs of log segments.");
    wal->bytes_written = metrics_counter(o->metrics, "cairn_wal_written_bytes_total",
                                         "Bytes of batches written to the log.");
    wal->sync_time =
        metrics_histogram(o->metrics, "cairn_wal_sync_ns", "Duration of a sync of the log.");
    wal->batch_size =
        metrics_histogram(o->metrics, "cairn_wal_batch_bytes", "Size of a batch of the log.");
}

enum status wal_open(struct env *env, const char *dir, const struct wal_options *options,
                     wal_replay replay, void *arg, struct wal **out, struct error *error) {
    struct wal *wal = MEM_NEW(struct wal);
    wal->env = env;
    wal->dir = mem_strdup(dir);
    set_options(wal, options);
    bool on_loop = wal->options.on_loop;
    wal->options.on_loop = false; /* nothing in the background before it is open */
    enum status status = env_dir_create(env, dir, error);
    if (status == STATUS_OK) status = recover_all(wal, replay, arg, error);
    if (status != STATUS_OK) {
        wal->closed = true;
        wal_release(wal);
        return status;
    }
    wal->options.on_loop = on_loop;
    if (on_loop) wal_go_on_loop(wal);
    *out = wal;
    return STATUS_OK;
}
