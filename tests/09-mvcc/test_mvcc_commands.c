/* test_mvcc_commands.c - get, scan, put and delete through a store. */
#include <stdio.h>

#include "env_uv.h"
#include "harness.h"
#include "rpc.h"
#include "solo_node.h"

struct fixture {
    struct env *env;
    struct solo_node node;
    const char *dir;
    bool answered;
    enum status status;
    struct buf reply;
    struct arena arena;
};

static void start(struct fixture *fixture) {
    *fixture = (struct fixture){0};
    struct log log;
    log_init_null(&log);
    fixture->env = env_uv_new(&log);
    arena_init(&fixture->arena, 0);
    fixture->dir = harness_tmpdir();
    struct error error;
    assert_ok(solo_node_open(&fixture->node, fixture->env, fixture->dir, "mem", &error), &error);
    solo_node_lead(&fixture->node);
}

static void finish(struct fixture *fixture) {
    solo_node_close(&fixture->node);
    env_uv_free(fixture->env);
    arena_deinit(&fixture->arena);
    buf_deinit(&fixture->reply);
}

static void on_answer(void *arg, const struct store_result *result) {
    struct fixture *fixture = arg;
    fixture->answered = true;
    fixture->status = result->status;
    buf_clear(&fixture->reply);
    buf_append_slice(&fixture->reply, result->reply);
    env_stop(fixture->env);
}

static enum status call(struct fixture *fixture, uint32_t command,
                        const ProtobufCMessage *message) {
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, message);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    fixture->answered = false;
    store_execute(fixture->node.store, command, buf_slice(&payload), &request, on_answer, fixture);
    buf_deinit(&payload);
    while (!fixture->answered)
        env_run(fixture->env);
    return fixture->status;
}

static ProtobufCMessage *answer(struct fixture *fixture, const ProtobufCMessageDescriptor *type) {
    ProtobufCMessage *message = rpc_unpack(type, buf_slice(&fixture->reply), &fixture->arena);
    assert_non_null(message);
    return message;
}

static hlc_timestamp put(struct fixture *fixture, const char *key, const char *value) {
    Cairn__KvPut message = CAIRN__KV_PUT__INIT;
    message.key = rpc_bytes(slice_of_string(key));
    message.value = rpc_bytes(slice_of_string(value));
    assert_status(STATUS_OK, call(fixture, MVCC_PUT, &message.base));
    return ((Cairn__KvWriteReply *)answer(fixture, &cairn__kv_write_reply__descriptor))
        ->commit_timestamp;
}

static hlc_timestamp delete_key(struct fixture *fixture, const char *key) {
    Cairn__KvDelete message = CAIRN__KV_DELETE__INIT;
    message.key = rpc_bytes(slice_of_string(key));
    assert_status(STATUS_OK, call(fixture, MVCC_DELETE, &message.base));
    return ((Cairn__KvWriteReply *)answer(fixture, &cairn__kv_write_reply__descriptor))
        ->commit_timestamp;
}

static Cairn__KvGetReply *get(struct fixture *fixture, const char *key, hlc_timestamp timestamp) {
    ProtobufCBinaryData keys[] = {rpc_bytes(slice_of_string(key))};
    Cairn__KvGet message = CAIRN__KV_GET__INIT;
    message.read_timestamp = timestamp;
    message.n_keys = 1;
    message.keys = keys;
    assert_status(STATUS_OK, call(fixture, MVCC_GET, &message.base));
    return (Cairn__KvGetReply *)answer(fixture, &cairn__kv_get_reply__descriptor);
}

TEST("5", 0, a_get_tells_the_value_its_version_and_the_moment) {
    struct fixture fixture;
    start(&fixture);
    hlc_timestamp first = put(&fixture, "k", "1"), second = put(&fixture, "k", "2");
    hlc_timestamp deleted = delete_key(&fixture, "k");
    assert_true(first < second && second < deleted);
    Cairn__KvGetReply *reply = get(&fixture, "k", first);
    assert_slice_equal(SLICE_LITERAL("1"), rpc_slice(reply->values[0]->value));
    assert_true(reply->values[0]->timestamp == first && reply->read_timestamp == first);
    reply = get(&fixture, "k", 0);
    assert_false(reply->values[0]->found);
    assert_true(reply->values[0]->timestamp == deleted);
    assert_true(reply->read_timestamp >= deleted);
    finish(&fixture);
}

TEST("5", 0, a_read_beyond_what_is_applied_is_refused) {
    struct fixture fixture;
    start(&fixture);
    hlc_timestamp last = put(&fixture, "k", "1");
    Cairn__KvScan scan = CAIRN__KV_SCAN__INIT;
    scan.read_timestamp = last + 1;
    assert_status(STATUS_UNAVAILABLE, call(&fixture, MVCC_SCAN, &scan.base));
    finish(&fixture);
}

TEST("5", 0, limits_of_keys_are_enforced) {
    struct fixture fixture;
    start(&fixture);
    static uint8_t large[MVCC_MAX_KEY_BYTES + 1];
    Cairn__KvPut message = CAIRN__KV_PUT__INIT;
    assert_status(STATUS_INVALID, call(&fixture, MVCC_PUT, &message.base));
    message.key = rpc_bytes(slice_of(large, sizeof large));
    assert_status(STATUS_TOO_LARGE, call(&fixture, MVCC_PUT, &message.base));
    finish(&fixture);
}

/* Reads [start, end) in pages; every key once, in order, whatever the page size and direction. */
static void scan_all(struct fixture *fixture, bool reverse, uint32_t limit_rows,
                     uint32_t limit_bytes, int first, int count) {
    Cairn__KvScan scan = CAIRN__KV_SCAN__INIT;
    struct buf from = BUF_INIT, to = BUF_INIT;
    char name[8];
    scan.reverse = reverse;
    scan.limit_rows = limit_rows;
    scan.limit_bytes = limit_bytes;
    int met = 0;
    for (bool more = true; more;) {
        scan.start = rpc_bytes(buf_slice(&from));
        scan.end = rpc_bytes(buf_slice(&to));
        assert_status(STATUS_OK, call(fixture, MVCC_SCAN, &scan.base));
        Cairn__KvScanReply *reply =
            (Cairn__KvScanReply *)answer(fixture, &cairn__kv_scan_reply__descriptor);
        if (limit_rows != 0) assert_true(reply->n_rows <= limit_rows);
        for (size_t i = 0; i < reply->n_rows; i++, met++) {
            int expected = reverse ? first + count - 1 - met : first + met;
            snprintf(name, sizeof name, "k%04d", expected % 10000);
            assert_slice_equal(slice_of_string(name), rpc_slice(reply->rows[i]->key));
        }
        more = reply->more;
        struct buf *bound = reverse ? &to : &from;
        buf_clear(bound);
        buf_append_slice(bound, rpc_slice(reply->resume_key));
        arena_reset(&fixture->arena);
    }
    assert_int_equal(count, met);
    buf_deinit(&from);
    buf_deinit(&to);
}

TEST("5", 0, pages_cover_a_range_once_in_both_directions) {
    enum { ROWS = 300 };
    struct fixture fixture;
    start(&fixture);
    char name[8];
    for (int i = 0; i < ROWS; i++) {
        snprintf(name, sizeof name, "k%04d", i % 10000);
        put(&fixture, name, "some value");
    }
    static const uint32_t limits[] = {0, 1, 7, 299, 300, 301};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        scan_all(&fixture, false, limits[i], 0, 0, ROWS);
        scan_all(&fixture, true, limits[i], 0, 0, ROWS);
    }
    scan_all(&fixture, false, 0, 1, 0, ROWS);
    scan_all(&fixture, true, 0, 100, 0, ROWS);
    finish(&fixture);
}

TEST("5", 0, a_page_ends_after_many_deleted_keys_and_can_go_on) {
    enum { DELETED = 4 * MVCC_MAX_PAGE_ROWS + 50 };
    struct fixture fixture;
    start(&fixture);
    struct write_batch batch;
    write_batch_init(&batch);
    char name[8];
    hlc_timestamp past = put(&fixture, "k9999", "the only one") - 1;
    for (int i = 0; i < DELETED; i++) {
        snprintf(name, sizeof name, "k%04d", i % 10000);
        mvcc_write_delete(&batch, slice_of_string(name), past);
    }
    struct error error;
    assert_ok(engine_write(fixture.node.engine, &batch, &error), &error);
    write_batch_deinit(&batch);
    Cairn__KvScan scan = CAIRN__KV_SCAN__INIT;
    assert_status(STATUS_OK, call(&fixture, MVCC_SCAN, &scan.base));
    Cairn__KvScanReply *reply =
        (Cairn__KvScanReply *)answer(&fixture, &cairn__kv_scan_reply__descriptor);
    assert_true(reply->more);
    assert_int_equal(0, reply->n_rows);
    scan_all(&fixture, false, 0, 0, 9999, 1);
    scan_all(&fixture, true, 0, 0, 9999, 1);
    finish(&fixture);
}

TEST("5", 0, versions_and_the_clock_survive_a_restart) {
    struct fixture fixture;
    start(&fixture);
    hlc_timestamp first = put(&fixture, "k", "1");
    put(&fixture, "k", "2");
    solo_node_close(&fixture.node);
    struct error error;
    assert_ok(solo_node_open(&fixture.node, fixture.env, fixture.dir, "mem", &error), &error);
    solo_node_lead(&fixture.node);
    assert_slice_equal(SLICE_LITERAL("1"), rpc_slice(get(&fixture, "k", first)->values[0]->value));
    assert_slice_equal(SLICE_LITERAL("2"), rpc_slice(get(&fixture, "k", 0)->values[0]->value));
    assert_true(put(&fixture, "k", "3") > first);
    finish(&fixture);
}
