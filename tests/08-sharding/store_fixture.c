/* store_fixture.c - see store_fixture.h. */
#include "store_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "mem.h"

/* ---- the commands --------------------------------------------------------------------------- */

static struct slice before(struct slice text, char mark) {
    const uint8_t *at = memchr(text.data, mark, text.len);
    return slice_of(text.data, at == NULL ? text.len : (size_t)(at - text.data));
}

static struct slice engine_key(struct evaluation *evaluation, struct slice key) {
    uint8_t *copy = arena_alloc(evaluation->arena, key.len + 1);
    copy[0] = STORE_SPACE_DATA;
    memcpy(copy + 1, key.data, key.len);
    return slice_of(copy, key.len + 1);
}

static enum status read_key(struct evaluation *evaluation, struct slice key, struct buf *value,
                            struct error *error) {
    enum status status = engine_get(evaluation->reader.engine, evaluation->reader.snapshot,
                                    engine_key(evaluation, key),
                                    evaluation->reader.no_wait ? ENGINE_NO_WAIT : 0, value, error);
    if (status != STATUS_NOT_FOUND) return status;
    buf_clear(value);
    return STATUS_OK;
}

static enum status append_declare(struct evaluation *evaluation, struct error *error) {
    struct slice key = before(evaluation->payload, '=');
    if (key.len == evaluation->payload.len)
        return error_set(error, STATUS_INVALID, "append: key=text");
    declaration_add(evaluation, span_point(STORE_SPACE_DATA, key), SPAN_WRITE);
    return STATUS_OK;
}

static enum status append_evaluate(struct evaluation *evaluation, struct error *error) {
    struct box *box = evaluation->command->context;
    struct slice key = before(evaluation->payload, '=');
    struct buf value = BUF_INIT;
    enum status status = read_key(evaluation, key, &value, error);
    if (status == STATUS_OK) {
        buf_append_slice(&value, slice_from(evaluation->payload, key.len + 1));
        hlc_timestamp timestamp = evaluation_allot_timestamp(evaluation);
        if (!evaluation->rehearsal) {
            box->evaluations++;
            assert_true(timestamp > box->last_timestamp);
            box->last_timestamp = timestamp;
        }
        write_batch_put(evaluation->batch, engine_key(evaluation, key), buf_slice(&value));
        buf_append_slice(evaluation->reply, buf_slice(&value));
    }
    buf_deinit(&value);
    return status;
}

static enum status read_declare(struct evaluation *evaluation, struct error *error) {
    (void)error;
    evaluation->needs_barrier = true;
    return STATUS_OK;
}

static enum status read_evaluate(struct evaluation *evaluation, struct error *error) {
    return read_key(evaluation, evaluation->payload, evaluation->reply, error);
}

static enum status nothing_to_declare(struct evaluation *evaluation, struct error *error) {
    (void)evaluation, (void)error;
    return STATUS_OK;
}

static struct txn_id txn_of(const struct evaluation *evaluation) {
    uint64_t n = strtoull((const char *)evaluation->payload.data, NULL, 10);
    return (struct txn_id){n, n};
}

static enum status lock_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    struct txn_id txn = txn_of(evaluation);
    struct slice rest = slice_from(evaluation->payload, before(evaluation->payload, ':').len + 1);
    buf_append_slice(evaluation->reply, rest);
    while (rest.len > 0) {
        struct slice key = before(rest, ',');
        (void)evaluation_lock(evaluation, txn, key);
        rest = slice_from(rest, key.len < rest.len ? key.len + 1 : key.len);
    }
    evaluation_touch(evaluation, txn);
    return STATUS_OK;
}

static enum status unlock_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    evaluation_release(evaluation, txn_of(evaluation));
    return STATUS_OK;
}

/* ---- the box -------------------------------------------------------------------------------- */

void box_start(struct box *box, const struct store_options *options, unsigned would_block_percent) {
    *box = (struct box){0};
    struct log log;
    log_init_null(&log);
    box->env = env_uv_new(&log);
    struct error error;
    struct engine_options engine_options = {.dir = harness_tmpdir(),
                                            .would_block_percent = would_block_percent};
    assert_ok(engine_open(box->env, "mem", &engine_options, &box->engine, &error), &error);
    box->metrics = metrics_new();
    hlc_init(&box->hlc, NS_PER_S);
    struct store_options own = options != NULL ? *options : (struct store_options){0};
    own.env = box->env;
    own.engine = box->engine;
    own.hlc = &box->hlc;
    own.metrics = box->metrics;
    box->store = store_new(&own);
    struct command commands[] = {
        {CMD_APPEND, COMMAND_WRITE, "append", box, append_declare, append_evaluate},
        {CMD_READ, COMMAND_READ, "read", box, read_declare, read_evaluate},
        {CMD_LOCK, COMMAND_LOCK, "lock", box, nothing_to_declare, lock_evaluate},
        {CMD_UNLOCK, COMMAND_LOCK, "unlock", box, nothing_to_declare, unlock_evaluate},
    };
    memcpy(box->commands, commands, sizeof commands);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        store_register(box->store, &box->commands[i]);
    box->solo = solo_replicator_new(box->env, box->engine, &store_state_machine, box->store);
    assert_ok(store_attach(box->store, solo_replicator_replicator(box->solo), &error), &error);
    solo_replicator_lead(box->solo);
}

void box_stop(struct box *box) {
    store_free(box->store);
    solo_replicator_free(box->solo);
    engine_close(box->engine);
    metrics_free(box->metrics);
    env_uv_free(box->env);
}

static void answered(void *arg, const struct store_result *result) {
    static int order;
    struct ask *ask = arg;
    ask->answers++;
    ask->order = ++order;
    ask->status = result->status;
    ask->leader = result->leader;
    if (result->status != STATUS_OK) assert_int_equal(result->status, result->error->status);
    snprintf(ask->reply, sizeof ask->reply, "%.*s", (int)result->reply.len,
             (const char *)result->reply.data);
    if (--ask->box->open == 0) env_stop(ask->box->env);
}

void ask_with(struct box *box, struct ask *ask, uint32_t command, const char *payload,
              const struct request *request) {
    *ask = (struct ask){.box = box};
    box->open++;
    store_execute(box->store, command, slice_of_string(payload), request, answered, ask);
}

void ask(struct box *box, struct ask *ask, uint32_t command, const char *payload) {
    struct request request = request_init(REQUEST_NO_DEADLINE);
    ask_with(box, ask, command, payload, &request);
}

void box_settle(struct box *box) {
    while (box->open > 0)
        env_run(box->env);
}

static void stop(void *arg) { env_stop(arg); }

void box_turns(struct box *box, int turns) {
    for (int i = 0; i < turns; i++) {
        struct env_timer timer;
        env_timer_init(&timer, stop, box->env);
        env_timer_start(box->env, &timer, env_now_ns(box->env));
        env_run(box->env);
        env_timer_stop(&timer);
    }
}
