/* test_simple_kv.c - the key-value service over the network (simple_kv.h). */
#include "simple_kv.h"

#include "rpc_fixture.h"
#include "simple_kv.pb-c.h"

struct kv_fixture {
    struct fixture base;
    const char *dir;
    struct engine *engine;
    struct simple_kv *kv;
    struct rpc_client *client;
    struct outcome outcome;
};

static void kv_init(struct kv_fixture *f) {
    *f = (struct kv_fixture){0};
    fixture_init(&f->base);
    f->dir = harness_tmpdir();
    struct error error;
    struct engine_options options = {.dir = f->dir, .own_log = true};
    assert_ok(engine_open(f->base.env, "mem", &options, &f->engine, &error), &error);
    f->kv = simple_kv_new(f->base.env, f->engine, f->base.server);
    f->client = fixture_client(&f->base, NULL);
}

static void kv_deinit(struct kv_fixture *f) {
    rpc_client_free(f->client);
    simple_kv_free(f->kv);
    engine_close(f->engine);
    buf_deinit(&f->outcome.reply);
    fixture_deinit(&f->base);
}

static enum status kv_call(struct kv_fixture *f, uint32_t method, const char *key,
                           const char *value, const char *end) {
    SimpleKvRequest request = SIMPLE_KV_REQUEST__INIT;
    request.key = rpc_bytes(slice_of_string(key));
    request.value = rpc_bytes(slice_of_string(value));
    request.end = rpc_bytes(slice_of_string(end));
    f->outcome.count = 0;
    rpc_call_message(f->client, method, &request.base, NULL, outcome_record, &f->outcome);
    fixture_run(&f->base, outcome_known, &f->outcome);
    return f->outcome.status;
}

static enum status kv_put(struct kv_fixture *f, const char *key, const char *value) {
    return kv_call(f, SIMPLE_KV_METHOD__SIMPLE_KV_PUT, key, value, "");
}
static enum status kv_get(struct kv_fixture *f, const char *key) {
    return kv_call(f, SIMPLE_KV_METHOD__SIMPLE_KV_GET, key, "", "");
}

/* "a=1 b=2" of the reply at hand. */
static void assert_pairs(struct kv_fixture *f, const char *expected) {
    struct arena arena;
    arena_init(&arena, 0);
    const SimpleKvReply *reply = (const SimpleKvReply *)rpc_unpack(
        &simple_kv_reply__descriptor, buf_slice(&f->outcome.reply), &arena);
    assert_non_null(reply);
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < reply->n_pairs; i++) {
        if (i > 0) buf_append_string(&text, " ");
        buf_append_slice(&text, rpc_slice(reply->pairs[i]->key));
        buf_append_string(&text, "=");
        buf_append_slice(&text, rpc_slice(reply->pairs[i]->value));
    }
    assert_slice_equal(slice_of_string(expected), buf_slice(&text));
    buf_deinit(&text);
    arena_deinit(&arena);
}

TEST("2", 2, value_that_was_put_is_got) {
    struct kv_fixture f;
    kv_init(&f);
    assert_status(STATUS_OK, kv_put(&f, "a", "1"));
    assert_status(STATUS_OK, kv_get(&f, "a"));
    assert_pairs(&f, "a=1");
    kv_deinit(&f);
}

TEST("2", 2, key_that_was_deleted_is_not_found) {
    struct kv_fixture f;
    kv_init(&f);
    assert_status(STATUS_OK, kv_put(&f, "a", "1"));
    assert_status(STATUS_OK, kv_call(&f, SIMPLE_KV_METHOD__SIMPLE_KV_DELETE, "a", "", ""));
    assert_status(STATUS_NOT_FOUND, kv_get(&f, "a"));
    kv_deinit(&f);
}

TEST("2", 0, scan_gives_the_keys_of_its_range_in_order) {
    struct kv_fixture f;
    kv_init(&f);
    assert_status(STATUS_OK, kv_put(&f, "c", "3"));
    assert_status(STATUS_OK, kv_put(&f, "a", "1"));
    assert_status(STATUS_OK, kv_put(&f, "b", "2"));
    assert_status(STATUS_OK, kv_call(&f, SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, "a", "", "c"));
    assert_pairs(&f, "a=1 b=2");
    assert_status(STATUS_OK, kv_call(&f, SIMPLE_KV_METHOD__SIMPLE_KV_SCAN, "", "", ""));
    assert_pairs(&f, "a=1 b=2 c=3");
    kv_deinit(&f);
}

TEST("2", 1, put_that_was_answered_is_there_after_a_crash) {
    struct kv_fixture f;
    kv_init(&f);
    assert_status(STATUS_OK, kv_put(&f, "a", "1"));
    engine_close(f.engine); /* neither flushes nor syncs */
    struct error error;
    struct engine_options options = {.dir = f.dir, .own_log = true};
    assert_ok(engine_open(f.base.env, "mem", &options, &f.engine, &error), &error);
    struct buf value = BUF_INIT;
    assert_ok(engine_get(f.engine, NULL, SLICE_LITERAL("a"), 0, &value, &error), &error);
    assert_slice_equal(SLICE_LITERAL("1"), buf_slice(&value));
    buf_deinit(&value);
    kv_deinit(&f);
}

TEST("2", 0, malformed_request_is_invalid_and_the_node_lives) {
    struct kv_fixture f;
    kv_init(&f);
    rpc_call(f.client, SIMPLE_KV_METHOD__SIMPLE_KV_PUT, SLICE_LITERAL("\xff\xff\xff"), NULL,
             outcome_record, &f.outcome);
    fixture_run(&f.base, outcome_known, &f.outcome);
    assert_status(STATUS_INVALID, f.outcome.status);
    assert_status(STATUS_OK, kv_put(&f, "a", "1"));
    kv_deinit(&f);
}
