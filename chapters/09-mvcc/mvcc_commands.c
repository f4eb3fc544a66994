/* mvcc_commands.c - get, scan, put and delete as commands of the store.
 *
 * A read names a timestamp, or asks for "now": then it waits for the read barrier and reads at the
 * last applied commit, so it is linearizable. Writes are blind: one proposal, no read at all. */
#include "mvcc_commands.h"
#include "codec.h"

#include "recent_writes.h"

#include "rpc.h"

enum {
    DEFAULT_PAGE_ROWS = 256,
    MAX_KEYS_VISITED = 4 * MVCC_MAX_PAGE_ROWS /* tombstones too: bounds the time of one page */
};

enum status mvcc_check_key(struct slice key, struct error *error) {
    if (key.len == 0) return error_set(error, STATUS_INVALID, "a key may not be empty");
    if (key.len > MVCC_MAX_KEY_BYTES)
        return error_set(error, STATUS_TOO_LARGE, "a key of %zu bytes; the limit is %d", key.len,
                         MVCC_MAX_KEY_BYTES);
    return STATUS_OK;
}

enum status mvcc_check_value(struct slice value, struct error *error) {
    if (value.len > MVCC_MAX_VALUE_BYTES)
        return error_set(error, STATUS_TOO_LARGE, "a value of %zu bytes; the limit is %d",
                         value.len, MVCC_MAX_VALUE_BYTES);
    return STATUS_OK;
}

static enum status decode(struct evaluation *evaluation, const ProtobufCMessageDescriptor *type,
                          struct error *error) {
    evaluation->decoded = rpc_unpack(type, evaluation->payload, evaluation->arena);
    if (evaluation->decoded != NULL) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "malformed %s", evaluation->command->name);
}

/* ---- reads ---------------------------------------------------------------------------------- */

enum status mvcc_check_applied(const struct evaluation *evaluation, hlc_timestamp timestamp,
                               struct error *error) {
    if (timestamp <= evaluation->applied_timestamp) return STATUS_OK;
    return error_set(error, STATUS_UNAVAILABLE, "the moment to be read is not applied here");
}

static enum status choose_timestamp(const struct evaluation *evaluation, hlc_timestamp asked,
                                    hlc_timestamp *out, struct error *error) {
    *out = asked != 0 ? asked : evaluation->applied_timestamp;
    return mvcc_check_applied(evaluation, *out, error);
}

static enum status any_changed(const struct evaluation *evaluation, hlc_timestamp timestamp,
                               Cairn__KvUnchanged *const *keys, size_t count,
                               protobuf_c_boolean *changed, struct error *error) {
    struct mvcc_points points;
    mvcc_points_init(&points, &evaluation->reader);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        struct span span = span_point(STORE_SPACE_DATA, rpc_slice(keys[i]->key));
        bool key_changed;
        status = mvcc_changed(&points, &span, keys[i]->since, timestamp, &key_changed, NULL, error);
        if (key_changed) *changed = true;
    }
    mvcc_points_deinit(&points);
    return status;
}

static enum status read_values(struct evaluation *evaluation, hlc_timestamp timestamp,
                               const Cairn__KvGet *request, Cairn__KvGetReply *reply,
                               struct error *error) {
    struct arena *arena = evaluation->arena;
    size_t bytes = 0;
    struct mvcc_points points;
    mvcc_points_init(&points, &evaluation->reader);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < request->n_keys && status == STATUS_OK; i++) {
        Cairn__KvValue *out = reply->values[i] = ARENA_NEW(arena, Cairn__KvValue);
        cairn__kv_value__init(out);
        struct mvcc_version version;
        status = mvcc_points_read(&points, rpc_slice(request->keys[i]), timestamp, &version, error);
        out->timestamp = version.timestamp;
        if (status != STATUS_OK || !version.found) continue;
        bytes += version.value.len;
        if (bytes > MVCC_MAX_REPLY_BYTES)
            status = error_set(error, STATUS_TOO_LARGE, "the values are over %d bytes in all",
                               MVCC_MAX_REPLY_BYTES);
        out->found = true;
        out->value = rpc_bytes(arena_dup_slice(arena, version.value));
    }
    mvcc_points_deinit(&points);
    return status;
}

enum status mvcc_evaluate_get(struct evaluation *evaluation, hlc_timestamp timestamp,
                              const Cairn__KvGet *request, struct error *error) {
    Cairn__KvGetReply reply = CAIRN__KV_GET_REPLY__INIT;
    reply.read_timestamp = timestamp;
    reply.n_values = request->n_keys;
    reply.values = ARENA_ARRAY(evaluation->arena, Cairn__KvValue *, request->n_keys);
    TRY(any_changed(evaluation, timestamp, request->unchanged, request->n_unchanged, &reply.changed,
                    error));
    TRY(read_values(evaluation, timestamp, request, &reply, error));
    rpc_pack(evaluation->reply, &reply.base);
    return STATUS_OK;
}

enum status mvcc_check_get(const Cairn__KvGet *get, struct error *error) {
    for (size_t i = 0; i < get->n_keys; i++)
        TRY(mvcc_check_key(rpc_slice(get->keys[i]), error));
    return STATUS_OK;
}

static enum status get_declare(struct evaluation *evaluation, struct error *error) {
    TRY(decode(evaluation, &cairn__kv_get__descriptor, error));
    const Cairn__KvGet *get = evaluation->decoded;
    evaluation->needs_barrier = get->read_timestamp == 0;
    return mvcc_check_get(get, error);
}

static enum status get_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__KvGet *get = evaluation->decoded;
    hlc_timestamp timestamp;
    TRY(choose_timestamp(evaluation, get->read_timestamp, &timestamp, error));
    return mvcc_evaluate_get(evaluation, timestamp, get, error);
}

/* ---- scans ---------------------------------------------------------------------------------- */

static void add_row(struct arena *arena, Cairn__KvScanReply *reply, const struct mvcc_scan *scan) {
    Cairn__KvRow *row = ARENA_NEW(arena, Cairn__KvRow);
    cairn__kv_row__init(row);
    row->key = rpc_bytes(arena_dup_slice(arena, mvcc_scan_key(scan)));
    row->value = rpc_bytes(arena_dup_slice(arena, mvcc_scan_value(scan)));
    reply->rows[reply->n_rows++] = row;
}

/* Where the next page begins. Forward: just behind the last key seen; backward: that key is the
 * end. */
static struct slice resume_key(struct arena *arena, bool reverse, struct slice last) {
    if (reverse) return arena_dup_slice(arena, last);
    uint8_t *key = arena_alloc(arena, last.len + 1);
    if (last.len > 0) memcpy(key, last.data, last.len);
    key[last.len] = 0;
    return slice_of(key, last.len + 1);
}

enum status mvcc_evaluate_scan(struct evaluation *evaluation, hlc_timestamp timestamp,
                               const Cairn__KvScan *request, Cairn__KvScanReply *reply,
                               struct error *error) {
    struct arena *arena = evaluation->arena;
    size_t limit_rows = request->limit_rows != 0 ? request->limit_rows : DEFAULT_PAGE_ROWS;
    size_t limit_bytes = request->limit_bytes != 0 ? request->limit_bytes : MVCC_MAX_PAGE_BYTES;
    if (limit_rows > MVCC_MAX_PAGE_ROWS) limit_rows = MVCC_MAX_PAGE_ROWS;
    if (limit_bytes > MVCC_MAX_PAGE_BYTES) limit_bytes = MVCC_MAX_PAGE_BYTES;
    cairn__kv_scan_reply__init(reply);
    reply->read_timestamp = timestamp;
    reply->rows = ARENA_ARRAY(arena, Cairn__KvRow *, limit_rows);
    TRY(any_changed(evaluation, timestamp, request->unchanged, request->n_unchanged,
                    &reply->changed, error));
    struct mvcc_scan_options options = {.start = rpc_slice(request->start),
                                        .end = rpc_slice(request->end),
                                        .reverse = request->reverse,
                                        .tombstones = true,
                                        .timestamp = timestamp};
    struct mvcc_scan *scan = mvcc_scan_new(&evaluation->reader, &options);
    size_t bytes = 0, visited = 0;
    while (mvcc_scan_next(scan)) {
        if (mvcc_scan_version(scan) > reply->newest) reply->newest = mvcc_scan_version(scan);
        if (!mvcc_scan_is_tombstone(scan)) {
            add_row(arena, reply, scan);
            bytes += mvcc_scan_key(scan).len + mvcc_scan_value(scan).len;
        }
        if (reply->n_rows < limit_rows && bytes < limit_bytes && ++visited < MAX_KEYS_VISITED)
            continue;
        reply->more = true;
        reply->resume_key = rpc_bytes(resume_key(arena, request->reverse, mvcc_scan_key(scan)));
        break;
    }
    enum status status = reply->more ? STATUS_OK : mvcc_scan_status(scan, error);
    mvcc_scan_free(scan);
    return status;
}

enum status mvcc_check_scan(const Cairn__KvScan *scan, struct error *error) {
    if (scan->start.len > MVCC_MAX_KEY_BYTES + 1 || scan->end.len > MVCC_MAX_KEY_BYTES + 1)
        return error_set(error, STATUS_TOO_LARGE, "the bound of a scan is over the limit of %d",
                         MVCC_MAX_KEY_BYTES);
    return STATUS_OK;
}

static enum status scan_declare(struct evaluation *evaluation, struct error *error) {
    TRY(decode(evaluation, &cairn__kv_scan__descriptor, error));
    const Cairn__KvScan *scan = evaluation->decoded;
    evaluation->needs_barrier = scan->read_timestamp == 0;
    return mvcc_check_scan(scan, error);
}

static enum status scan_evaluate(struct evaluation *evaluation, struct error *error) {
    const Cairn__KvScan *scan = evaluation->decoded;
    hlc_timestamp timestamp;
    TRY(choose_timestamp(evaluation, scan->read_timestamp, &timestamp, error));
    Cairn__KvScanReply reply;
    TRY(mvcc_evaluate_scan(evaluation, timestamp, scan, &reply, error));
    rpc_pack(evaluation->reply, &reply.base);
    return STATUS_OK;
}

/* ---- blind writes --------------------------------------------------------------------------- */

static enum status put_declare(struct evaluation *evaluation, struct error *error) {
    TRY(decode(evaluation, &cairn__kv_put__descriptor, error));
    const Cairn__KvPut *put = evaluation->decoded;
    TRY(mvcc_check_key(rpc_slice(put->key), error));
    TRY(mvcc_check_value(rpc_slice(put->value), error));
    declaration_add(evaluation, span_point(STORE_SPACE_DATA, rpc_slice(put->key)), SPAN_WRITE);
    return STATUS_OK;
}

static enum status delete_declare(struct evaluation *evaluation, struct error *error) {
    TRY(decode(evaluation, &cairn__kv_delete__descriptor, error));
    const Cairn__KvDelete *delete = evaluation->decoded;
    TRY(mvcc_check_key(rpc_slice(delete->key), error));
    declaration_add(evaluation, span_point(STORE_SPACE_DATA, rpc_slice(delete->key)), SPAN_WRITE);
    return STATUS_OK;
}

/* The timestamp of this write, of which the ring takes note. */
static hlc_timestamp begin_write(struct evaluation *evaluation, struct slice key) {
    hlc_timestamp timestamp = evaluation_allot_timestamp(evaluation);
    struct recent_writes *recent = evaluation->command->context;
    if (recent != NULL && !evaluation->rehearsal) {
        recent_writes_enter_term(recent, evaluation->term, evaluation->applied_timestamp);
        recent_writes_add(recent, key, timestamp);
    }
    Cairn__KvWriteReply reply = CAIRN__KV_WRITE_REPLY__INIT;
    reply.commit_timestamp = timestamp;
    rpc_pack(evaluation->reply, &reply.base);
    return timestamp;
}

static enum status put_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    const Cairn__KvPut *put = evaluation->decoded;
    struct slice key = rpc_slice(put->key);
    mvcc_write_put(evaluation->batch, key, begin_write(evaluation, key), rpc_slice(put->value));
    return STATUS_OK;
}

static enum status delete_evaluate(struct evaluation *evaluation, struct error *error) {
    (void)error;
    const Cairn__KvDelete *delete = evaluation->decoded;
    struct slice key = rpc_slice(delete->key);
    mvcc_write_delete(evaluation->batch, key, begin_write(evaluation, key));
    return STATUS_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

void mvcc_commands_init(struct mvcc_commands *commands, struct recent_writes *recent) {
    *commands = (struct mvcc_commands){{
        {MVCC_GET, COMMAND_READ, "mvcc_get", NULL, get_declare, get_evaluate},
        {MVCC_SCAN, COMMAND_READ, "mvcc_scan", NULL, scan_declare, scan_evaluate},
        {MVCC_PUT, COMMAND_WRITE, "mvcc_put", recent, put_declare, put_evaluate},
        {MVCC_DELETE, COMMAND_WRITE, "mvcc_delete", recent, delete_declare, delete_evaluate},
    }};
}

void mvcc_commands_register(struct mvcc_commands *commands, struct store *store) {
    for (size_t i = 0; i < sizeof commands->table / sizeof commands->table[0]; i++)
        store_register(store, &commands->table[i]);
}
