/* test_common.c - random numbers, log lines, cancel tokens. */
#include "buf.h"
#include "harness.h"
#include "log.h"
#include "mem.h"
#include "prng.h"
#include "request.h"

/* ---- random numbers ------------------------------------------------------------------------ */

TEST("1", 0, a_seed_gives_one_sequence) {
    struct prng a, b, c;
    prng_seed(&a, 42);
    prng_seed(&b, 42);
    prng_seed(&c, 43);
    int differences = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = prng_u64(&a);
        assert_int_equal(x, prng_u64(&b));
        differences += x != prng_u64(&c);
    }
    assert_true(differences > 90);
}

TEST("1", 0, it_is_xoshiro256_starstar) {
    /* From the authors' reference code with the state {1, 2, 3, 4}. */
    struct prng prng = {{1, 2, 3, 4}};
    assert_int_equal(11520, prng_u64(&prng));
    assert_int_equal(0, prng_u64(&prng));
    assert_int_equal(1509978240, prng_u64(&prng));
    assert_int_equal(UINT64_C(1215971899390074240), prng_u64(&prng));
}

TEST("1", 0, numbers_below_a_bound_are_uniform) {
    struct prng prng;
    int counts[7] = {0};
    prng_seed(&prng, 1);
    for (int i = 0; i < 70000; i++) {
        counts[prng_below(&prng, 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 9500, 10500);
    }
    for (int i = 0; i < 1000; i++) {
        assert_in_range(prng_between(&prng, 5, 7), 5, 7);
        double unit = prng_unit(&prng);
        assert_true(unit >= 0 && unit < 1);
        assert_int_equal(0, prng_below(&prng, 1));
    }
    (void)prng_between(&prng, 0, UINT64_MAX);
}

/* ---- log ----------------------------------------------------------------------------------- */

static struct buf written;

static void collect(void *arg, struct slice line) {
    (void)arg;
    buf_append_slice(&written, line);
}

static uint64_t noon(void *arg) {
    (void)arg;
    return UINT64_C(1769860800123456789);
}

static struct log test_log = {.level = LOG_INFO, .node_id = 1, .wall_ns = noon, .write = collect};

static void assert_written(const char *expected) {
    assert_slice_equal(slice_of_string(expected), buf_slice(&written));
    buf_deinit(&written);
}

TEST("2", 0, a_line_has_time_level_module_message_and_pairs) {
    log_info(&test_log, "raft", "became leader group=%d term=%d", 1, 4);
    assert_written("2026-01-31T12:00:00.123Z info  raft: became leader node=1 group=1 term=4\n");
    log_error(&test_log, "wal", "disk is full");
    assert_written("2026-01-31T12:00:00.123Z error wal: disk is full node=1\n");
}

TEST("2", 0, lines_below_the_level_are_dropped) {
    log_debug(&test_log, "raft", "step");
    assert_int_equal(0, written.len);
    log_error(NULL, "raft", "nobody listens");
    struct log null;
    log_init_null(&null);
    log_error(&null, "raft", "nobody listens");
}

TEST("2", 0, a_message_cannot_forge_a_line) {
    log_warn(&test_log, "pg", "bad name\n2026 error \033[2J");
    assert_written("2026-01-31T12:00:00.123Z warn  pg: bad name 2026 error  [2J node=1\n");
}

TEST("2", 0, colour_marks_the_level) {
    struct log log = {.colour = true, .write = collect};
    log_warn(&log, "a", "b");
    assert_written("\033[33mwarn \033[0m a: b\n");
}

TEST("2", 0, levels_parse_by_name) {
    enum log_level level;
    assert_true(log_level_parse("warn", &level));
    assert_int_equal(LOG_WARN, level);
    assert_false(log_level_parse("loud", &level));
}

/* ---- cancel tokens ------------------------------------------------------------------------- */

struct watcher {
    struct cancel_waiter waiter;
    struct cancel_token *token;
    struct watcher *drops; /* unregistered when this one is called */
    int called_as;
};

static int calls;

static void on_cancel(struct cancel_waiter *waiter) {
    struct watcher *watcher = CONTAINER_OF(waiter, struct watcher, waiter);
    watcher->called_as = ++calls;
    if (watcher->drops != NULL) cancel_token_unwait(watcher->token, &watcher->drops->waiter);
}

static void watch(struct watcher *watcher, struct cancel_token *token) {
    *watcher = (struct watcher){.waiter = {.on_cancel = on_cancel}, .token = token};
    cancel_token_wait(token, &watcher->waiter);
}

TEST("3", 0, cancel_calls_each_waiter_once_in_order) {
    struct cancel_token token;
    struct watcher watchers[4];
    cancel_token_init(&token);
    for (int i = 0; i < 4; i++) {
        watch(&watchers[i], &token);
    }
    cancel_token_unwait(&token, &watchers[1].waiter);
    cancel_token_unwait(&token, &watchers[1].waiter);
    cancel_token_cancel(&token);
    cancel_token_cancel(&token);
    assert_int_equal(1, watchers[0].called_as);
    assert_int_equal(0, watchers[1].called_as);
    assert_int_equal(2, watchers[2].called_as);
    assert_int_equal(3, watchers[3].called_as);
}

TEST("3", 0, a_waiter_may_drop_another_while_the_token_is_cancelled) {
    struct cancel_token token;
    struct watcher first, second;
    cancel_token_init(&token);
    watch(&first, &token);
    watch(&second, &token);
    first.drops = &second;
    cancel_token_cancel(&token);
    assert_int_equal(1, first.called_as);
    assert_int_equal(0, second.called_as);
}

TEST("3", 0, waiting_on_a_cancelled_token_calls_back_at_once) {
    struct cancel_token token;
    struct watcher watcher;
    cancel_token_init(&token);
    cancel_token_cancel(&token);
    watch(&watcher, &token);
    assert_int_equal(0, watcher.called_as - calls);
    watch(&watcher, NULL);
    assert_int_equal(0, watcher.called_as);
}

TEST("3", 0, a_request_is_checked_for_cancel_then_deadline) {
    struct cancel_token token;
    struct request request = request_init(100);
    assert_status(STATUS_OK, request_check(&request, 99));
    assert_status(STATUS_DEADLINE, request_check(&request, 100));
    cancel_token_init(&token);
    request.cancel = &token;
    cancel_token_cancel(&token);
    assert_status(STATUS_CANCELLED, request_check(&request, 100));
    request = request_init(REQUEST_NO_DEADLINE);
    assert_status(STATUS_OK, request_check(&request, UINT64_MAX - 1));
}
