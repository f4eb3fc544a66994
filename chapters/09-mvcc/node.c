/* node.c - chapter 09's node: a prompt that reads at any timestamp.
 *
 *     node [--data=DIR] [--engine=KIND]
 *
 * Every write is answered with its commit timestamp; get and scan take @TIMESTAMP, or @-SECONDS
 * for a moment ago. One node, no Raft: what was answered is in the engine's own log. */
#include <stdio.h>
#include <stdlib.h>

#include "env_uv.h"
#include "rpc.h"
#include "solo_node.h"

struct session {
    struct solo_node node;
    struct line_input input;
    uint32_t command;
};

static int usage(void) {
    fprintf(stderr, "usage: node [--data=data/09-mvcc] [--engine=KIND]   kinds: %s\n",
            engine_kinds());
    return 2;
}

static void print_help(void) {
    printf("put KEY VALUE         delete KEY\n"
           "get KEY [@WHEN]       scan [FIRST [BEYOND]] [@WHEN]\n"
           "now                   the timestamp of the last commit\n"
           "help                  quit\n"
           "WHEN: a timestamp, or -SECONDS: that long ago\n");
}

/* ---- answers -------------------------------------------------------------------------------- */

static void print_bytes(ProtobufCBinaryData bytes) { fwrite(bytes.data, 1, bytes.len, stdout); }

static void print_values(const Cairn__KvGetReply *reply) {
    for (size_t i = 0; i < reply->n_values; i++) {
        const Cairn__KvValue *value = reply->values[i];
        if (value->found)
            print_bytes(value->value);
        else
            printf("(nothing)");
        if (value->timestamp != 0) printf("   written @%llu", (unsigned long long)value->timestamp);
        printf("\n");
    }
}

static void print_rows(const Cairn__KvScanReply *reply) {
    for (size_t i = 0; i < reply->n_rows; i++) {
        print_bytes(reply->rows[i]->key);
        printf(" = ");
        print_bytes(reply->rows[i]->value);
        printf("\n");
    }
    printf("(%zu%s) @%llu\n", reply->n_rows, reply->more ? ", and more" : "",
           (unsigned long long)reply->read_timestamp);
}

static void print_reply(uint32_t command, struct slice bytes) {
    struct arena arena;
    arena_init(&arena, 0);
    const ProtobufCMessageDescriptor *type = command == MVCC_GET ? &cairn__kv_get_reply__descriptor
                                             : command == MVCC_SCAN
                                                 ? &cairn__kv_scan_reply__descriptor
                                                 : &cairn__kv_write_reply__descriptor;
    ProtobufCMessage *reply = rpc_unpack(type, bytes, &arena);
    if (reply == NULL)
        printf("malformed reply\n");
    else if (command == MVCC_GET)
        print_values((Cairn__KvGetReply *)reply);
    else if (command == MVCC_SCAN)
        print_rows((Cairn__KvScanReply *)reply);
    else
        printf("OK @%llu\n", (unsigned long long)((Cairn__KvWriteReply *)reply)->commit_timestamp);
    arena_deinit(&arena);
}

static void on_result(void *arg, const struct store_result *result) {
    struct session *session = arg;
    if (result->status == STATUS_OK)
        print_reply(session->command, result->reply);
    else
        printf("%s: %s\n", status_name(result->status), result->error->message);
    line_input_next(&session->input);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void execute(struct session *session, uint32_t command, const ProtobufCMessage *message) {
    struct buf payload = BUF_INIT;
    rpc_pack(&payload, message);
    struct request request = request_init(REQUEST_NO_DEADLINE);
    session->command = command;
    store_execute(session->node.store, command, buf_slice(&payload), &request, on_result, session);
    buf_deinit(&payload);
}

/* Takes "@WHEN" off the end of the words. 0: now. */
static bool take_timestamp(struct session *session, struct slice *words, size_t *count,
                           hlc_timestamp *out) {
    *out = 0;
    struct slice last = words[*count - 1];
    if (last.data[0] != '@') return true;
    char text[32], *end;
    if (last.len < 2 || last.len > sizeof text) return false;
    memcpy(text, last.data + 1, last.len - 1);
    text[last.len - 1] = '\0';
    (*count)--;
    if (text[0] == '-') {
        uint64_t ago_ns = strtoull(text + 1, &end, 10) * NS_PER_S;
        *out = hlc_from_wall(env_wall_ns(session->node.env) - ago_ns);
    } else {
        *out = strtoull(text, &end, 10);
    }
    return *end == '\0' && *out != 0;
}

static bool word_is(struct slice word, const char *text) {
    return slice_equal(word, slice_of_string(text));
}

static bool run_read(struct session *session, struct slice *words, size_t count) {
    hlc_timestamp timestamp;
    if (!take_timestamp(session, words, &count, &timestamp)) return false;
    if (timestamp > store_applied_timestamp(session->node.store)) timestamp = 0; /* nothing newer */
    if (word_is(words[0], "get") && count == 2) {
        ProtobufCBinaryData keys[] = {rpc_bytes(words[1])};
        Cairn__KvGet get = CAIRN__KV_GET__INIT;
        get.read_timestamp = timestamp;
        get.n_keys = 1;
        get.keys = keys;
        execute(session, MVCC_GET, &get.base);
    } else if (word_is(words[0], "scan") && count <= 3) {
        Cairn__KvScan scan = CAIRN__KV_SCAN__INIT;
        scan.read_timestamp = timestamp;
        if (count > 1) scan.start = rpc_bytes(words[1]);
        if (count > 2) scan.end = rpc_bytes(words[2]);
        execute(session, MVCC_SCAN, &scan.base);
    } else {
        return false;
    }
    return true;
}

static bool run_write(struct session *session, struct slice *words, size_t count) {
    if (word_is(words[0], "put") && count == 3) {
        Cairn__KvPut put = CAIRN__KV_PUT__INIT;
        put.key = rpc_bytes(words[1]);
        put.value = rpc_bytes(words[2]);
        execute(session, MVCC_PUT, &put.base);
    } else if (word_is(words[0], "delete") && count == 2) {
        Cairn__KvDelete delete = CAIRN__KV_DELETE__INIT;
        delete.key = rpc_bytes(words[1]);
        execute(session, MVCC_DELETE, &delete.base);
    } else {
        return false;
    }
    return true;
}

static void on_line(void *arg, struct slice *words, size_t count) {
    struct session *session = arg;
    if (word_is(words[0], "quit")) {
        env_stop(session->node.env);
        return;
    }
    if (run_write(session, words, count) || run_read(session, words, count)) return;
    if (word_is(words[0], "now"))
        printf("@%llu\n", (unsigned long long)store_applied_timestamp(session->node.store));
    else
        print_help();
    line_input_next(&session->input);
}

static void on_end(void *arg) {
    const struct session *session = arg;
    env_stop(session->node.env);
}

int main(int argc, char **argv) {
    const char *data = "data/09-mvcc", *engine = "mem", *value;
    for (int i = 1; i < argc; i++) {
        if ((value = option_value(argv[i], "--data")) != NULL)
            data = value;
        else if ((value = option_value(argv[i], "--engine")) != NULL)
            engine = value;
        else
            return usage();
    }
    struct log log;
    log_init_stderr(&log, LOG_WARN);
    struct env *env = env_uv_new(&log);
    struct session session = {0};
    struct error error;
    if (solo_node_open(&session.node, env, data, engine, &error) != STATUS_OK) {
        fprintf(stderr, "node: %s\n", error.message);
        env_uv_free(env);
        return 1;
    }
    solo_node_lead(&session.node);
    session.input = (struct line_input){
        .env = env, .prompt = "mvcc> ", .on_line = on_line, .on_end = on_end, .arg = &session};
    line_input_next(&session.input);
    env_run(env);
    env_uv_settle(env);
    solo_node_close(&session.node);
    env_uv_free(env);
    return 0;
}
