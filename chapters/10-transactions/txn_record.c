/* txn_record.c - what is remembered of a commit, and for how long.
 *
 * A record is written in the batch of its commit: who does not know how a commit ended sends it
 * again and learns it from the record. Records are collected when they are old; from then on
 * commits with such old ids are refused (the floor), because whether they happened can no longer
 * be told. */
#include "codec.h"
#include "mem.h"
#include "txn_internal.h"

#define COLLECT_INTERVAL_NS (60 * NS_PER_S)
#define RECORD_LIFE_NS (600 * NS_PER_S)

static const uint8_t floor_key[] = {STORE_SPACE_RECORD, 'f'};

struct slice txn_record_key(struct txn_id commit_id, struct arena *arena) {
    struct buf key = BUF_INIT;
    put_u8(&key, STORE_SPACE_RECORD);
    put_u8(&key, 'r');
    put_ordered_u64(&key, commit_id.begin);
    put_ordered_u64(&key, commit_id.random);
    struct slice copy = arena_dup_slice(arena, buf_slice(&key));
    buf_deinit(&key);
    return copy;
}

struct span txn_record_span(struct txn_id commit_id, struct arena *arena) {
    return span_point(STORE_SPACE_RECORD, txn_record_key(commit_id, arena));
}

struct span txn_floor_span(void) {
    return span_point(STORE_SPACE_RECORD, slice_of(floor_key, sizeof floor_key));
}

static unsigned read_flags(const struct evaluation *evaluation) {
    return evaluation->reader.no_wait ? ENGINE_NO_WAIT : 0;
}

enum status txn_record_read(struct evaluation *evaluation, struct txn_id commit_id,
                            Cairn__TxnRecord **record, struct error *error) {
    *record = NULL;
    struct buf value = BUF_INIT;
    enum status status = engine_get(evaluation->reader.engine, evaluation->reader.snapshot,
                                    txn_record_key(commit_id, evaluation->arena),
                                    read_flags(evaluation), &value, error);
    if (status == STATUS_OK) {
        *record = (Cairn__TxnRecord *)rpc_unpack(&cairn__txn_record__descriptor, buf_slice(&value),
                                                 evaluation->arena);
        if (*record == NULL)
            status = error_set(error, STATUS_CORRUPT, "the record of a commit is malformed");
    }
    buf_deinit(&value);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

void txn_record_write(struct evaluation *evaluation, struct txn_id commit_id,
                      const Cairn__TxnRecord *record) {
    struct buf value = BUF_INIT;
    rpc_pack(&value, &record->base);
    write_batch_put(evaluation->batch, txn_record_key(commit_id, evaluation->arena),
                    buf_slice(&value));
    buf_deinit(&value);
}

/* ---- the floor ------------------------------------------------------------------------------ */

enum status txn_floor(struct evaluation *evaluation, hlc_timestamp *floor, struct error *error) {
    struct txn_commands *commands = evaluation->command->context;
    if (!evaluation->rehearsal && commands->floor_term == evaluation->term) {
        *floor = commands->floor;
        return STATUS_OK;
    }
    struct buf value = BUF_INIT;
    enum status status =
        engine_get(evaluation->reader.engine, evaluation->reader.snapshot,
                   slice_of(floor_key, sizeof floor_key), read_flags(evaluation), &value, error);
    *floor = 0;
    if (status == STATUS_NOT_FOUND) {
        status = STATUS_OK;
    } else if (status == STATUS_OK && value.len == 8) {
        *floor = load_u64le(value.data);
    } else if (status == STATUS_OK) {
        status = error_set(error, STATUS_CORRUPT, "the floor of commit records is malformed");
    }
    buf_deinit(&value);
    if (status == STATUS_OK && !evaluation->rehearsal) {
        commands->floor = *floor;
        commands->floor_term = evaluation->term;
    }
    return status;
}

/* Every commit holds a read latch on the floor: while it is raised, none is between look-up and
 * apply. */
enum status txn_collect_declare(struct evaluation *evaluation, struct error *error) {
    TRY(txn_decode(evaluation, &cairn__txn_collect__descriptor, error));
    declaration_add(evaluation, txn_floor_span(), SPAN_WRITE);
    return STATUS_OK;
}

enum status txn_collect_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__TxnCollect *collect = evaluation->decoded;
    struct txn_commands *commands = evaluation->command->context;
    hlc_timestamp floor;
    TRY(txn_floor(evaluation, &floor, error));
    if (collect->floor <= floor) return STATUS_OK;
    uint8_t value[8];
    store_u64le(value, collect->floor);
    write_batch_put(evaluation->batch, slice_of(floor_key, sizeof floor_key),
                    slice_of(value, sizeof value));
    write_batch_delete_range(evaluation->batch,
                             txn_record_key((struct txn_id){0, 0}, evaluation->arena),
                             txn_record_key((struct txn_id){collect->floor, 0}, evaluation->arena));
    /* If the proposal fails, so does this leadership: the next one reads the floor again. */
    if (!evaluation->rehearsal) commands->floor = collect->floor;
    return STATUS_OK;
}

/* ---- the collector -------------------------------------------------------------------------- */

struct txn_collector {
    struct env *env;
    struct store *store;
    struct env_timer timer;
    bool running, freed;
};

static void collected(void *arg, const struct store_result *result) {
    struct txn_collector *collector = arg;
    collector->running = false;
    if (collector->freed) {
        mem_free(collector);
    } else if (result->status != STATUS_OK) {
        log_debug(env_log(collector->env), "txn", "records were not collected: %s",
                  result->error->message);
    }
}

static void collect(void *arg) {
    struct txn_collector *collector = arg;
    uint64_t now_ns = env_now_ns(collector->env), wall_ns = env_wall_ns(collector->env);
    env_timer_start(collector->env, &collector->timer, now_ns + COLLECT_INTERVAL_NS);
    if (collector->running || wall_ns < RECORD_LIFE_NS || !store_leads(collector->store, NULL))
        return;
    Cairn__TxnCollect message = CAIRN__TXN_COLLECT__INIT;
    message.floor = hlc_from_wall(wall_ns - RECORD_LIFE_NS);
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, &message.base);
    struct request request = request_init(now_ns + COLLECT_INTERVAL_NS);
    collector->running = true;
    store_execute(collector->store, TXN_COLLECT, buf_slice(&payload), &request, collected,
                  collector);
    buf_deinit(&payload);
}

struct txn_collector *txn_collector_new(struct env *env, struct store *store) {
    struct txn_collector *collector = MEM_NEW(struct txn_collector);
    collector->env = env;
    collector->store = store;
    env_timer_init(&collector->timer, collect, collector);
    env_timer_start(env, &collector->timer, env_now_ns(env) + COLLECT_INTERVAL_NS);
    return collector;
}

void txn_collector_free(struct txn_collector *collector) {
    if (collector == NULL) return;
    env_timer_stop(&collector->timer);
    collector->freed = true;
    if (!collector->running) mem_free(collector);
}
