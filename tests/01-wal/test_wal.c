/* test_wal.c - the log on the real machine: what was synced is replayed, what is damaged is told
 * apart. */
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env_uv.h"
#include "harness.h"
#include "mem.h"
#include "wal_format.h"

struct fixture {
    struct env *env;
    char dir[512];
    struct wal *wal;
    struct wal_options options;
    struct error error;
    /* what replay delivered */
    size_t count;
    uint64_t positions[4096];
    uint64_t sum;
    struct buf last;
    uint64_t synced; /* from the callback */
    uint64_t stop_at;
    size_t preambles;
};

static void setup(struct fixture *f) {
    memset(f, 0, sizeof(*f));
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    f->env = env_uv_new(&log);
    snprintf(f->dir, sizeof(f->dir), "%s/wal", harness_tmpdir());
    f->options.segment_bytes = 16384;
}

static void teardown(struct fixture *f) {
    wal_close(f->wal);
    env_uv_free(f->env);
    buf_deinit(&f->last);
}

static enum status remember(void *arg, uint64_t position, uint8_t type, struct slice payload,
                            struct error *error) {
    struct fixture *f = arg;
    (void)error;
    f->positions[f->count++ % ARRAY_LEN(f->positions)] = position;
    f->sum += type;
    buf_clear(&f->last);
    buf_append_slice(&f->last, payload);
    return STATUS_OK;
}

static enum status open_wal(struct fixture *f) {
    f->count = 0;
    f->sum = 0;
    return wal_open(f->env, f->dir, &f->options, remember, f, &f->wal, &f->error);
}

static void reopen(struct fixture *f) {
    wal_close(f->wal);
    f->wal = NULL;
    assert_ok(open_wal(f), &f->error);
}

static uint64_t append(struct fixture *f, const char *payload) {
    uint64_t position;
    assert_ok(wal_append(f->wal, 1, slice_of_string(payload), &position, &f->error), &f->error);
    return position;
}

static void sync_log(struct fixture *f) {
    assert_ok(wal_sync_blocking(f->wal, &f->error), &f->error);
}

static void segment_path(const struct fixture *f, uint64_t base, char out[600]) {
    snprintf(out, 600, "%s/wal-%016llx.seg", f->dir, (unsigned long long)base);
}

static void flip_byte(const struct fixture *f, uint64_t base, uint64_t offset) {
    char path[600];
    segment_path(f, base, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, (long)offset, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, (long)offset, SEEK_SET);
    fputc(byte ^ 0x40, file);
    fclose(file);
}

TEST("3.1", 1, records_that_were_synced_are_replayed_in_order_at_their_positions) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t first = append(&f, "one");
    uint64_t second = append(&f, "two");
    sync_log(&f);
    uint64_t third = append(&f, "three");
    sync_log(&f);
    reopen(&f);
    assert_int_equal(3, f.count);
    assert_int_equal(first, f.positions[0]);
    assert_int_equal(second, f.positions[1]);
    assert_int_equal(third, f.positions[2]);
    assert_slice_equal(slice_of_string("three"), buf_slice(&f.last));
    teardown(&f);
}

TEST("2.1", 1, synced_position_passes_a_record_only_after_its_sync) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t position = append(&f, "one");
    assert_true(wal_synced(f.wal) <= position);
    sync_log(&f);
    assert_true(wal_synced(f.wal) > position);
    teardown(&f);
}

TEST("2.2", 0, record_is_read_back_before_and_after_it_is_written) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    struct buf payload = BUF_INIT;
    uint8_t type = 0;
    char big[9000];
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    uint64_t small_position = append(&f, "small");
    uint64_t big_position = append(&f, big);
    for (int round = 0; round < 2; round++) {
        assert_ok(wal_read(f.wal, small_position, &type, &payload, &f.error), &f.error);
        assert_slice_equal(slice_of_string("small"), buf_slice(&payload));
        assert_int_equal(1, type);
        assert_ok(wal_read(f.wal, big_position, &type, &payload, &f.error), &f.error);
        assert_slice_equal(slice_of_string(big), buf_slice(&payload));
        sync_log(&f);
    }
    assert_status(STATUS_NOT_FOUND, wal_read(f.wal, 1u << 30, NULL, &payload, &f.error));
    buf_deinit(&payload);
    teardown(&f);
}

static size_t read_segment(const struct fixture *f, uint8_t *out, size_t size) {
    char path[600];
    segment_path(f, 0, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t read = fread(out, 1, size, file);
    fclose(file);
    return read;
}

/* wal_format.h promises where each field stands. */
static void expect_batch(const uint8_t *batch, uint64_t position,
                         const struct wal_batch_header *expected) {
    assert_int_equal(expected->sequence, load_u64le(batch + 16));
    assert_int_equal(expected->synced, load_u64le(batch + 24));
    assert_int_equal(expected->body_bytes, load_u32le(batch + 32));
    assert_int_equal(0, load_u32le(batch + 36));
    size_t covered = WAL_BATCH_HEADER_BYTES - 16 + (size_t)expected->body_bytes;
    assert_int_equal(checksum64(slice_of(batch + 16, covered), position), load_u64le(batch + 8));
}

TEST("2.1", 4, batches_stand_in_the_file_as_the_header_says_and_are_numbered) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t one = append(&f, "one");
    append(&f, "two");
    sync_log(&f);
    uint64_t three = append(&f, "three");
    sync_log(&f);
    uint8_t bytes[2048];
    assert_int_equal(sizeof(bytes), read_segment(&f, bytes, sizeof(bytes)));
    struct wal_segment_header segment;
    assert_true(wal_segment_header_decode(bytes, &segment));
    uint64_t first = one - WAL_BATCH_HEADER_BYTES, second = three - WAL_BATCH_HEADER_BYTES;
    assert_int_equal(WAL_SEGMENT_DATA_OFFSET, first);
    assert_int_equal(segment.salt, load_u64le(bytes + first));
    assert_int_equal(segment.salt, load_u64le(bytes + second));
    struct wal_batch_header expected = {.sequence = 1, .synced = first, .body_bytes = 24};
    expect_batch(bytes + first, first, &expected);
    assert_int_equal(wal_align(first + WAL_BATCH_HEADER_BYTES + 24), second);
    expected = (struct wal_batch_header){.sequence = 2, .synced = second, .body_bytes = 14};
    expect_batch(bytes + second, second, &expected);
    teardown(&f);
}

TEST("4.1", 1, log_runs_on_over_many_segments_and_truncation_removes_the_oldest) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t position = 0;
    char payload[600];
    memset(payload, 'p', sizeof(payload));
    payload[599] = '\0';
    for (int i = 0; i < 200; i++) {
        uint64_t now = append(&f, payload);
        assert_true(now > position);
        position = now;
        if (i % 7 == 0) sync_log(&f);
    }
    sync_log(&f);
    reopen(&f);
    assert_int_equal(200, f.count);
    uint64_t keep = f.positions[150];
    wal_truncate_before(f.wal, keep);
    assert_int_equal(wal_segment_start(f.wal, keep), wal_start(f.wal));
    assert_true(wal_start(f.wal) > 0);
    reopen(&f);
    assert_true(f.count >= 50 && f.count < 100);
    assert_true(f.positions[0] <= keep);
    teardown(&f);
}

TEST("3.1", 0, record_larger_than_a_segment_gets_one_of_its_own_size) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    size_t size = 100000;
    uint8_t *payload = mem_zalloc(size);
    payload[size - 1] = 7;
    uint64_t position;
    assert_ok(wal_append(f.wal, 3, slice_of(payload, size), &position, &f.error), &f.error);
    append(&f, "after");
    sync_log(&f);
    reopen(&f);
    assert_int_equal(2, f.count);
    struct buf read = BUF_INIT;
    assert_ok(wal_read(f.wal, position, NULL, &read, &f.error), &f.error);
    assert_slice_equal(slice_of(payload, size), buf_slice(&read));
    buf_deinit(&read);
    mem_free(payload);
    teardown(&f);
}

TEST("3.1", 0, record_over_the_limit_is_refused_and_the_log_goes_on) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    size_t size = (size_t)WAL_PAYLOAD_MAX + 1;
    uint8_t *payload = mem_zalloc(size);
    assert_status(STATUS_TOO_LARGE, wal_append(f.wal, 1, slice_of(payload, size), NULL, &f.error));
    mem_free(payload);
    append(&f, "fine");
    sync_log(&f);
    reopen(&f);
    assert_int_equal(1, f.count);
    teardown(&f);
}

static void write_preamble(void *arg, struct wal *wal) {
    struct fixture *f = arg;
    f->preambles++;
    assert_ok(wal_append(wal, 100, slice_of_string("preamble"), NULL, &f->error), &f->error);
}

TEST("4.1", 0, every_new_segment_opens_with_the_preamble) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    wal_set_segment_preamble(f.wal, write_preamble, &f);
    append(&f, "in the first segment");
    assert_ok(wal_roll(f.wal, &f.error), &f.error);
    assert_int_equal(1, f.preambles);
    uint64_t position = append(&f, "in the second");
    sync_log(&f);
    wal_truncate_before(f.wal, position);
    reopen(&f);
    assert_int_equal(2, f.count);
    assert_int_equal(101, f.sum);
    teardown(&f);
}

TEST("3.2", 2, torn_tail_is_cut_and_what_follows_the_cut_survives) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    append(&f, "kept");
    sync_log(&f);
    uint64_t torn = append(&f, "torn");
    append(&f, "torn as well");
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    flip_byte(&f, 0, torn + WAL_RECORD_HEADER_BYTES);
    assert_ok(open_wal(&f), &f.error);
    assert_int_equal(1, f.count);
    append(&f, "new");
    sync_log(&f);
    reopen(&f);
    assert_int_equal(2, f.count);
    assert_slice_equal(slice_of_string("new"), buf_slice(&f.last));
    teardown(&f);
}

static void expect_corrupt_at(struct fixture *f, uint64_t base, uint64_t offset) {
    char expected[700], path[600];
    segment_path(f, base, path);
    snprintf(expected, sizeof(expected), "%s: damaged at offset %llu", path,
             (unsigned long long)offset);
    assert_status(STATUS_CORRUPT, open_wal(f));
    if (strstr(f->error.message, expected) == NULL)
        fail_msg("message is \"%s\", not \"%s\"", f->error.message, expected);
}

TEST("3.3", 2, flipped_byte_below_the_synced_position_is_reported_with_file_and_offset) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    append(&f, "first");
    sync_log(&f);
    uint64_t second = append(&f, "second");
    sync_log(&f);
    append(&f, "third");
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    flip_byte(&f, 0, second + WAL_RECORD_HEADER_BYTES + 2);
    expect_corrupt_at(&f, 0, second - WAL_BATCH_HEADER_BYTES);
    teardown(&f);
}

TEST("3.3", 2, flipped_byte_anywhere_in_a_synced_batch_is_corruption_never_a_cut) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t first = append(&f, "first") - WAL_BATCH_HEADER_BYTES;
    sync_log(&f);
    uint64_t end = append(&f, "second") - WAL_BATCH_HEADER_BYTES;
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    uint64_t used = first + WAL_BATCH_HEADER_BYTES + WAL_RECORD_HEADER_BYTES + 5;
    for (uint64_t offset = first; offset < used; offset++) {
        flip_byte(&f, 0, offset);
        expect_corrupt_at(&f, 0, first);
        flip_byte(&f, 0, offset);
    }
    assert_true(used <= end);
    assert_ok(open_wal(&f), &f.error);
    assert_int_equal(2, f.count);
    teardown(&f);
}

TEST("3.3", 2, damage_in_an_earlier_segment_is_found_from_a_later_one) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t first = append(&f, "only record of the first segment");
    sync_log(&f);
    assert_ok(wal_roll(f.wal, &f.error), &f.error);
    append(&f, "second segment");
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    flip_byte(&f, 0, first + WAL_RECORD_HEADER_BYTES);
    expect_corrupt_at(&f, 0, first - WAL_BATCH_HEADER_BYTES);
    teardown(&f);
}

TEST("2.4", 2, missing_segment_and_damaged_segment_header_are_corruption) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    for (int i = 0; i < 3; i++) {
        append(&f, "record");
        assert_ok(wal_roll(f.wal, &f.error), &f.error);
    }
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    char path[600];
    flip_byte(&f, 16384, 20);
    assert_status(STATUS_CORRUPT, open_wal(&f));
    assert_non_null(strstr(f.error.message, "offset 0"));
    segment_path(&f, 16384, path);
    assert_int_equal(0, unlink(path));
    assert_status(STATUS_CORRUPT, open_wal(&f));
    assert_non_null(strstr(f.error.message, "missing"));
    teardown(&f);
}

/* Writes a batch with one record by hand, as a crash could have left it. */
static uint64_t craft_batch(const struct fixture *f, uint64_t offset, uint64_t sequence,
                            uint64_t synced, const char *payload) {
    char path[600];
    uint8_t header[WAL_SEGMENT_HEADER_BYTES];
    struct wal_segment_header segment;
    segment_path(f, 0, path);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(1, fread(header, sizeof(header), 1, file));
    assert_true(wal_segment_header_decode(header, &segment));
    struct buf batch = BUF_INIT;
    size_t len = strlen(payload);
    buf_append_zeros(&batch, WAL_BATCH_HEADER_BYTES + WAL_RECORD_HEADER_BYTES);
    buf_append_string(&batch, payload);
    wal_record_seal(batch.data + WAL_BATCH_HEADER_BYTES, 1, len, offset + WAL_BATCH_HEADER_BYTES);
    wal_batch_seal(
        batch.data, segment.salt, offset,
        &(struct wal_batch_header){.sequence = sequence,
                                   .synced = synced,
                                   .body_bytes = (uint32_t)(batch.len - WAL_BATCH_HEADER_BYTES)});
    fseek(file, (long)offset, SEEK_SET);
    assert_int_equal(1, fwrite(batch.data, batch.len, 1, file));
    fclose(file);
    uint64_t end = wal_align(offset + batch.len);
    buf_deinit(&batch);
    return end;
}

/* A log whose first batch, number 1, is synced; returns where the next one goes. */
static uint64_t one_batch(struct fixture *f) {
    assert_ok(open_wal(f), &f->error);
    append(f, "first");
    sync_log(f);
    uint64_t end = wal_end(f->wal);
    wal_close(f->wal);
    f->wal = NULL;
    return end;
}

TEST("3.2", 4, batch_that_does_not_follow_on_is_not_replayed) {
    struct fixture f;
    setup(&f);
    uint64_t end = one_batch(&f);
    craft_batch(&f, end, 3, end, "number 2 is missing");
    assert_ok(open_wal(&f), &f.error);
    assert_int_equal(1, f.count);
    assert_slice_equal(slice_of_string("first"), buf_slice(&f.last));
    teardown(&f);
}

TEST("3.2", 4, batch_behind_a_torn_one_does_not_come_back_to_life) {
    struct fixture f;
    setup(&f);
    uint64_t end = one_batch(&f);
    uint64_t third = craft_batch(&f, end, 2, end, "torn");
    craft_batch(&f, third, 3, end, "intact");
    flip_byte(&f, 0, end + WAL_BATCH_HEADER_BYTES + WAL_RECORD_HEADER_BYTES);
    assert_ok(open_wal(&f), &f.error);
    assert_int_equal(1, f.count);
    append(&f, "last"); /* as long as the torn one: what stood behind it would follow on */
    sync_log(&f);
    reopen(&f);
    assert_int_equal(2, f.count);
    assert_slice_equal(slice_of_string("last"), buf_slice(&f.last));
    teardown(&f);
}

TEST("3.3", 3, marker_turns_damage_in_the_last_batch_from_a_torn_tail_into_corruption) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    uint64_t last = append(&f, "last");
    assert_ok(wal_mark(f.wal, &f.error), &f.error);
    wal_close(f.wal);
    f.wal = NULL;
    flip_byte(&f, 0, last + WAL_RECORD_HEADER_BYTES);
    expect_corrupt_at(&f, 0, last - WAL_BATCH_HEADER_BYTES);
    teardown(&f);
}

static enum status refuse(void *arg, uint64_t position, uint8_t type, struct slice payload,
                          struct error *error) {
    (void)arg, (void)position, (void)type, (void)payload;
    return error_set(error, STATUS_INVALID, "no such record");
}

TEST("3.1", 0, replay_that_refuses_a_record_ends_the_opening_with_its_status) {
    struct fixture f;
    setup(&f);
    assert_ok(open_wal(&f), &f.error);
    append(&f, "record");
    sync_log(&f);
    wal_close(f.wal);
    f.wal = NULL;
    struct wal *wal;
    assert_status(STATUS_INVALID, wal_open(f.env, f.dir, &f.options, refuse, &f, &wal, &f.error));
    assert_string_equal("no such record", f.error.message);
    teardown(&f);
}

/* ---- on the loop ---------------------------------------------------------------------------- */

static void note_synced(void *arg, uint64_t synced) {
    struct fixture *f = arg;
    assert_true(synced > f->synced);
    f->synced = synced;
    if (f->stop_at > 0 && synced > f->stop_at) env_stop(f->env);
}

struct load {
    struct fixture *f;
    struct env_task task;
    int left;
    uint64_t last;
};

/* One record a turn, whatever the disk does. */
static void one_more(void *arg) {
    struct load *load = arg;
    char payload[300];
    memset(payload, 'l', sizeof(payload));
    assert_ok(wal_append(load->f->wal, 2, slice_of(payload, sizeof(payload)), &load->last,
                         &load->f->error),
              &load->f->error);
    load->left--;
    load->f->stop_at = load->left > 0 ? 0 : load->last;
}

struct ticker {
    struct load *load;
    struct env_timer timer;
};

static void tick(void *arg) {
    struct ticker *ticker = arg;
    for (int i = 0; i < 5 && ticker->load->left > 0; i++)
        one_more(ticker->load);
    if (ticker->load->left > 0)
        env_timer_start(ticker->load->f->env, &ticker->timer,
                        env_now_ns(ticker->load->f->env) + 100000);
}

TEST("2.3", 1, records_appended_while_a_sync_runs_share_the_next_one) {
    struct fixture f;
    setup(&f);
    f.options.on_loop = true;
    f.options.metrics = metrics_new();
    assert_ok(open_wal(&f), &f.error);
    wal_on_synced(f.wal, note_synced, &f);
    struct load load = {.f = &f, .left = 500};
    struct ticker ticker = {.load = &load};
    env_timer_init(&ticker.timer, tick, &ticker);
    env_timer_start(f.env, &ticker.timer, 0);
    env_run(f.env);
    assert_true(wal_synced(f.wal) > load.last);
    assert_true(metrics_counter(f.options.metrics, "cairn_wal_syncs_total", "")->value <= 110);
    struct buf payload = BUF_INIT;
    assert_ok(wal_read(f.wal, load.last, NULL, &payload, &f.error), &f.error);
    assert_int_equal(300, payload.len);
    buf_deinit(&payload);
    struct metrics *metrics = f.options.metrics;
    teardown(&f);
    metrics_free(metrics);
}

static void stop_loop(void *arg) { env_stop(((struct fixture *)arg)->env); }

TEST("3.3", 3, idle_log_writes_its_marker_and_then_nothing_more) {
    struct fixture f;
    setup(&f);
    f.options.on_loop = true;
    f.options.marker_delay_ns = 5 * NS_PER_MS;
    assert_ok(open_wal(&f), &f.error);
    wal_on_synced(f.wal, note_synced, &f);
    uint64_t last = append(&f, "last");
    f.stop_at = last + 40; /* beyond the record's batch: the marker's sync */
    env_run(f.env);
    uint64_t end = wal_end(f.wal);
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, &f);
    env_timer_start(f.env, &timer, env_now_ns(f.env) + 30 * NS_PER_MS);
    env_run(f.env);
    assert_int_equal(end, wal_end(f.wal));
    wal_close(f.wal);
    f.wal = NULL;
    flip_byte(&f, 0, last + WAL_RECORD_HEADER_BYTES);
    assert_status(STATUS_CORRUPT, open_wal(&f));
    teardown(&f);
}

TEST("2.3", 0, closing_while_a_sync_is_under_way_frees_everything_and_calls_nothing) {
    struct fixture f;
    setup(&f);
    f.options.on_loop = true;
    assert_ok(open_wal(&f), &f.error);
    wal_on_synced(f.wal, note_synced, &f);
    append(&f, "record");
    wal_flush(f.wal);
    wal_close(f.wal);
    f.wal = NULL;
    struct env_timer timer;
    env_timer_init(&timer, stop_loop, &f);
    env_timer_start(f.env, &timer, env_now_ns(f.env) + 50 * NS_PER_MS);
    env_run(f.env);
    assert_int_equal(0, f.synced);
    teardown(&f);
}
