/* test_kv_await.c - calls of a store from coroutines. */
#include "co.h"
#include "harness.h"
#include "kv.h"
#include "store_fixture.h"

struct caller {
    struct box *box;
    struct kv *kv;
    struct co *co;
    enum status status;
    struct buf reply;
    bool over;
};

static void call_append(void *arg) {
    struct caller *caller = arg;
    char payload[] = "k=v"; /* on this stack: gone when the coroutine has left */
    struct request request = request_init(REQUEST_NO_DEADLINE);
    caller->status = kv_await(caller->kv, CMD_APPEND, slice_of_string(payload), false, &request,
                              &caller->reply, NULL);
    memset(payload, 'x', sizeof payload);
    caller->over = true;
}

static void spawn(struct caller *caller, struct co_pool *pool) {
    assert_status(STATUS_OK, co_spawn(pool, call_append, caller, &caller->co));
}

TEST("8", 0, a_coroutine_awaits_the_answer) {
    struct box box;
    box_start(&box, NULL, 0);
    struct co_pool *pool = co_pool_new(box.env, 4);
    struct caller caller = {.box = &box, .kv = kv_local_new(box.store)};
    spawn(&caller, pool);
    while (!caller.over)
        box_turns(&box, 1);
    assert_status(STATUS_OK, caller.status);
    assert_slice_equal(SLICE_LITERAL("v"), buf_slice(&caller.reply));
    buf_deinit(&caller.reply);
    co_pool_free(pool);
    kv_local_free(caller.kv);
    box_stop(&box);
}

TEST("8", 0, a_cancelled_coroutine_leaves_and_the_call_ends_without_it) {
    struct box box;
    box_start(&box, NULL, 0);
    struct co_pool *pool = co_pool_new(box.env, 4);
    struct kv *kv = kv_local_new(box.store);
    /* One is proposed, one waits for the latch. */
    struct caller callers[] = {{.box = &box, .kv = kv}, {.box = &box, .kv = kv}};
    solo_replicator_hold(box.solo, true);
    for (int i = 0; i < 2; i++)
        spawn(&callers[i], pool);
    box_turns(&box, 2);
    for (int i = 0; i < 2; i++)
        co_cancel(callers[i].co);
    while (!callers[0].over || !callers[1].over)
        box_turns(&box, 1);
    for (int i = 0; i < 2; i++)
        assert_status(STATUS_CANCELLED, callers[i].status);
    assert_int_equal(1, store_status(box.store).requests);
    solo_replicator_hold(box.solo, false);
    struct ask read;
    ask(&box, &read, CMD_READ, "k");
    box_settle(&box);
    assert_string_equal("v", read.reply); /* the one that was proposed took place */
    for (int i = 0; i < 2; i++)
        buf_deinit(&callers[i].reply);
    co_pool_free(pool);
    kv_local_free(kv);
    box_stop(&box);
}
