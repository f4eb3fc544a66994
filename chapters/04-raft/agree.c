/* agree.c - a shell in memory: payloads in an array, messages over chapter 03's calls. */
#include "agree.h"

#include <assert.h>
#include <inttypes.h>

#include "agree.pb-c.h"
#include "mem.h"
#include "raft_wire.h"

enum { LINE_MAX_BYTES = 64 * 1024, CALL_TIMEOUT_S = 2, TURN_ROUNDS_MAX = 8 };

/* A request that this node serves as the leader, until it is applied or read. */
struct waiting {
    struct rpc_call *call; /* NULL: from our own prompt */
    agree_callback done;
    void *arg;
    bool is_read;
    uint64_t index, term; /* SAY: of its entry. READ: index 0 until it may proceed */
    uint64_t read_id;
    struct waiting *next;
};

struct peer {
    uint64_t node_id;
    struct rpc_client *client;
};

struct agree {
    struct env *env;
    struct raft *raft;
    struct raft_update update;
    bool touched;
    struct env_turn_hook hook;
    struct env_task again;
    struct env_timer timer;
    struct peer peers[RAFT_MAX_VOTERS];
    size_t peer_count;
    uint64_t node_id, next_read_id, applied;
    struct buf *lines; /* payloads[i] is that of entry i + 1 */
    size_t line_capacity;
    struct waiting *waiting;
    struct buf scratch;
};

static void answer(struct agree *agree, struct waiting *waiting, enum status status);

/* ---- into the core -------------------------------------------------------------------------- */

static void keep_payload(struct agree *agree, uint64_t index, struct slice payload) {
    while (index > agree->line_capacity) {
        size_t capacity = agree->line_capacity ? agree->line_capacity * 2 : 64;
        agree->lines = mem_realloc(agree->lines, capacity * sizeof(*agree->lines));
        for (size_t i = agree->line_capacity; i < capacity; i++)
            buf_init(&agree->lines[i]);
        agree->line_capacity = capacity;
    }
    buf_clear(&agree->lines[index - 1]);
    if (payload.len > 0) buf_append_slice(&agree->lines[index - 1], payload);
}

/* `payloads` are those of the event's entries; the core says which of them it stored. */
static enum status step(struct agree *agree, struct raft_event event,
                        const struct slice *payloads) {
    event.now_ns = env_now_ns(agree->env);
    enum status status = raft_step(agree->raft, &event, &agree->update);
    agree->touched = true;
    struct raft_range stored = raft_stored(agree->raft);
    const struct raft_message *message = event.message;
    /* A vote that makes us leader stores the no-op, which has none. */
    if (message && message->type != RAFT_MESSAGE_APPEND) payloads = NULL;
    uint64_t first = message ? message->first_index : stored.first;
    for (uint64_t i = stored.first; i <= stored.last; i++)
        keep_payload(agree, i, payloads ? payloads[i - first] : SLICE_EMPTY);
    return status;
}

static void step_surely(struct agree *agree, struct raft_event event) {
    enum status status = step(agree, event, NULL);
    assert(status == STATUS_OK);
    (void)status;
}

static void on_timer(void *arg) { step_surely(arg, (struct raft_event){.type = RAFT_EVENT_TICK}); }

static void on_raft_message(void *arg, const struct rpc_identity *from, struct slice bytes) {
    struct agree *agree = arg;
    struct arena arena;
    struct raft_wire_message wire;
    (void)from;
    arena_init(&arena, 0);
    enum status status = raft_wire_decode(bytes, &arena, &wire);
    if (status == STATUS_OK)
        status =
            step(agree, (struct raft_event){.type = RAFT_EVENT_MESSAGE, .message = &wire.message},
                 wire.payloads);
    if (status != STATUS_OK)
        log_warn(env_log(agree->env), "agree", "message refused status=%s", status_name(status));
    arena_deinit(&arena);
}

/* ---- out of the core ------------------------------------------------------------------------ */

static struct rpc_client *client_of(struct agree *agree, uint64_t node_id) {
    for (size_t i = 0; i < agree->peer_count; i++)
        if (agree->peers[i].node_id == node_id) return agree->peers[i].client;
    return NULL;
}

static void send_message(struct agree *agree, const struct raft_message *message) {
    uint32_t count = message->type == RAFT_MESSAGE_APPEND ? message->entry_count : 0;
    struct raft_entry *entries = mem_alloc(count * sizeof(*entries));
    struct slice *payloads = mem_alloc(count * sizeof(*payloads));
    for (uint32_t i = 0; i < count; i++) {
        bool there = raft_entry_at(agree->raft, message->first_index + i, &entries[i]);
        assert(there);
        (void)there;
        payloads[i] = buf_slice(&agree->lines[message->first_index + i - 1]);
    }
    buf_clear(&agree->scratch);
    raft_wire_encode(1, message, entries, count > 0 ? payloads : NULL, &agree->scratch);
    mem_free(entries);
    mem_free(payloads);
    if (!rpc_send(client_of(agree, message->to), AGREE_METHOD__AGREE_RAFT,
                  buf_slice(&agree->scratch)))
        step_surely(agree,
                    (struct raft_event){.type = RAFT_EVENT_UNREACHABLE, .node = message->to});
}

static void apply(struct agree *agree, uint64_t commit) {
    if (commit <= agree->applied) return;
    agree->applied = commit;
    step_surely(agree, (struct raft_event){.type = RAFT_EVENT_APPLIED, .index = commit});
}

static void mark_reads(struct agree *agree, const struct raft_update *update) {
    for (size_t i = 0; i < update->read_count; i++)
        for (struct waiting *each = agree->waiting; each; each = each->next)
            if (each->is_read && each->read_id == update->reads[i].read_id)
                each->index = update->reads[i].index;
}

/* Whoever's entry or read index is applied gets an answer; when we lead no more, everyone does. */
static void answer_waiting(struct agree *agree) {
    struct raft_status status = raft_status(agree->raft);
    for (struct waiting **at = &agree->waiting; *at;) {
        struct waiting *waiting = *at;
        bool leads = status.role == RAFT_LEADER && status.term == waiting->term;
        bool due = waiting->index > 0 && waiting->index <= agree->applied;
        if (leads && !due) {
            at = &waiting->next;
            continue;
        }
        *at = waiting->next;
        answer(agree, waiting, leads ? STATUS_OK : STATUS_UNKNOWN_OUTCOME);
    }
}

/* What is to be persisted counts as persisted: nothing here survives the process. */
static void take_update(struct agree *agree) {
    struct raft_update update = agree->update;
    raft_update_init(&agree->update); /* sending steps the core again */
    if (update.persist_first <= update.persist_last) {
        struct raft_entry last;
        bool there = raft_entry_at(agree->raft, update.persist_last, &last);
        assert(there);
        (void)there;
        step_surely(agree, (struct raft_event){.type = RAFT_EVENT_PERSISTED,
                                               .index = update.persist_last,
                                               .term = last.term});
    }
    for (size_t i = 0; i < update.message_count; i++)
        send_message(agree, &update.messages[i].message);
    if (update.role_changed) {
        struct raft_status status = raft_status(agree->raft);
        log_info(env_log(agree->env), "agree", "role=%s term=%" PRIu64 " leader=%" PRIu64,
                 raft_role_name(status.role), status.term, status.leader);
    }
    apply(agree, update.commit);
    mark_reads(agree, &update);
    env_timer_start(agree->env, &agree->timer, update.deadline_ns);
    raft_update_deinit(&update);
}

static void on_turn(void *arg) {
    struct agree *agree = arg;
    for (int i = 0; agree->touched && i < TURN_ROUNDS_MAX; i++) {
        agree->touched = false;
        raft_finish(agree->raft, &agree->update);
        take_update(agree);
    }
    answer_waiting(agree);
    if (agree->touched) env_post(agree->env, &agree->again);
}

static void nothing(void *arg) { (void)arg; } /* a task, so that the turn goes on */

/* ---- requests ------------------------------------------------------------------------------- */

static void fill_lines(struct agree *agree, AgreeReply *reply, ProtobufCBinaryData *lines) {
    for (uint64_t i = 1; i <= agree->applied; i++) {
        struct raft_entry entry;
        if (raft_entry_at(agree->raft, i, &entry) && entry.type == RAFT_ENTRY_NORMAL)
            lines[reply->n_lines++] = rpc_bytes(buf_slice(&agree->lines[i - 1]));
    }
    reply->lines = lines;
}

static void answer(struct agree *agree, struct waiting *waiting, enum status status) {
    struct error error = {0};
    AgreeReply reply = AGREE_REPLY__INIT;
    reply.index = waiting->index;
    ProtobufCBinaryData *lines = mem_alloc(agree->applied * sizeof(*lines));
    if (waiting->is_read) fill_lines(agree, &reply, lines);
    if (status != STATUS_OK)
        error_set(&error, status, "node %" PRIu64 " is no longer the leader", agree->node_id);
    buf_clear(&agree->scratch);
    rpc_pack(&agree->scratch, &reply.base);
    if (!waiting->call)
        waiting->done(waiting->arg, status, buf_slice(&agree->scratch), &error);
    else if (status == STATUS_OK)
        rpc_reply(waiting->call, buf_slice(&agree->scratch));
    else
        rpc_reply_error(waiting->call, &error);
    mem_free(lines);
    mem_free(waiting);
}

/* Takes over `waiting` if this node leads. */
static enum status begin(struct agree *agree, struct waiting *waiting, struct slice line) {
    enum status status;
    waiting->term = raft_status(agree->raft).term;
    if (waiting->is_read) {
        waiting->read_id = ++agree->next_read_id;
        status = step(
            agree, (struct raft_event){.type = RAFT_EVENT_READ, .read_id = waiting->read_id}, NULL);
    } else {
        struct raft_entry entry = {.type = RAFT_ENTRY_NORMAL, .size_bytes = (uint32_t)line.len};
        status = step(
            agree, (struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {&entry, 1}}, &line);
        waiting->index = raft_stored(agree->raft).first;
    }
    if (status != STATUS_OK) return status;
    waiting->next = agree->waiting;
    agree->waiting = waiting;
    return STATUS_OK;
}

static void on_call(struct agree *agree, struct rpc_call *call, bool is_read, struct slice line) {
    struct waiting *waiting = MEM_NEW(struct waiting);
    waiting->call = call;
    waiting->is_read = is_read;
    if (begin(agree, waiting, line) == STATUS_OK) return;
    struct error error;
    error_set(&error, STATUS_NOT_LEADER, "node %" PRIu64 " does not lead", agree->node_id);
    rpc_reply_error(call, &error);
    mem_free(waiting);
}

static void on_say(void *arg, struct rpc_call *call, struct slice payload) {
    struct arena arena;
    arena_init(&arena, 0);
    const AgreeSay *say = (const AgreeSay *)rpc_unpack(&agree_say__descriptor, payload, &arena);
    struct error error;
    if (say && say->line.len <= LINE_MAX_BYTES) {
        on_call(arg, call, false, rpc_slice(say->line));
    } else {
        error_set(&error, STATUS_INVALID, "a line has at most %d bytes", LINE_MAX_BYTES);
        rpc_reply_error(call, &error);
    }
    arena_deinit(&arena);
}

static void on_read(void *arg, struct rpc_call *call, struct slice payload) {
    (void)payload;
    on_call(arg, call, true, SLICE_EMPTY);
}

/* A request that cannot be served is answered in a later step, too. */
struct refusal {
    struct env *env;
    struct env_task task;
    agree_callback done;
    void *arg;
};

static void on_refusal(void *arg) {
    struct refusal *refusal = arg;
    struct error error;
    error_set(&error, STATUS_UNAVAILABLE, "no leader is known");
    refusal->done(refusal->arg, STATUS_UNAVAILABLE, SLICE_EMPTY, &error);
    mem_free(refusal);
}

static void ask(struct agree *agree, bool is_read, struct slice line, agree_callback done,
                void *arg) {
    struct waiting *waiting = MEM_NEW(struct waiting);
    *waiting = (struct waiting){.done = done, .arg = arg, .is_read = is_read};
    if (begin(agree, waiting, line) == STATUS_OK) {
        env_post(agree->env, &agree->again);
        return;
    }
    mem_free(waiting);
    struct rpc_client *leader = client_of(agree, raft_status(agree->raft).leader);
    if (leader) {
        AgreeSay say = AGREE_SAY__INIT;
        say.line = rpc_bytes(line);
        struct request request =
            request_init(env_deadline_ns(agree->env, CALL_TIMEOUT_S * NS_PER_S));
        rpc_call_message(leader, is_read ? AGREE_METHOD__AGREE_READ : AGREE_METHOD__AGREE_SAY,
                         &say.base, &request, done, arg);
        return;
    }
    struct refusal *refusal = MEM_NEW(struct refusal);
    *refusal = (struct refusal){.env = agree->env, .done = done, .arg = arg};
    refusal->task = (struct env_task){.callback = on_refusal, .arg = refusal};
    env_post(agree->env, &refusal->task);
}

void agree_say(struct agree *agree, struct slice line, agree_callback done, void *arg) {
    ask(agree, false, line, done, arg);
}

void agree_read(struct agree *agree, agree_callback done, void *arg) {
    ask(agree, true, SLICE_EMPTY, done, arg);
}

const struct raft *agree_raft(const struct agree *agree) { return agree->raft; }

/* ---- life ----------------------------------------------------------------------------------- */

static void register_methods(struct agree *agree, struct rpc_server *server) {
    const struct rpc_method methods[] = {
        {.id = AGREE_METHOD__AGREE_RAFT,
         .name = "agree.raft",
         .on_message = on_raft_message,
         .arg = agree},
        {.id = AGREE_METHOD__AGREE_SAY, .name = "agree.say", .on_call = on_say, .arg = agree},
        {.id = AGREE_METHOD__AGREE_READ, .name = "agree.read", .on_call = on_read, .arg = agree}};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        rpc_server_register(server, &methods[i]);
}

enum status agree_new(const struct agree_options *options, struct agree **out,
                      struct error *error) {
    uint64_t voters[RAFT_MAX_VOTERS];
    if (options->peer_count >= RAFT_MAX_VOTERS)
        return error_set(error, STATUS_INVALID, "at most %d nodes can agree", RAFT_MAX_VOTERS);
    struct prng prng;
    env_random(options->env, "agree", &prng);
    struct raft_options raft_options = {.node_id = options->node_id,
                                        .voters = voters,
                                        .voter_count = options->peer_count + 1,
                                        .seed = prng_u64(&prng),
                                        .now_ns = env_now_ns(options->env)};
    for (size_t i = 0; i < options->peer_count; i++)
        voters[i] = options->peers[i].node_id;
    voters[options->peer_count] = options->node_id;
    struct raft *raft;
    TRY(raft_new(&raft_options, &raft, error));
    struct agree *agree = MEM_NEW(struct agree);
    agree->env = options->env;
    agree->raft = raft;
    agree->node_id = options->node_id;
    agree->touched = true;
    agree->hook = (struct env_turn_hook){.callback = on_turn, .arg = agree, .order = TURN_RAFT};
    agree->again = (struct env_task){.callback = nothing, .arg = agree};
    raft_update_init(&agree->update);
    env_timer_init(&agree->timer, on_timer, agree);
    env_turn_hook_add(agree->env, &agree->hook);
    for (size_t i = 0; i < options->peer_count; i++) {
        const struct agree_peer *peer = &options->peers[i];
        agree->peers[agree->peer_count++] = (struct peer){
            peer->node_id, rpc_client_new(options->rpc, peer->host, peer->port, NULL)};
    }
    register_methods(agree, options->server);
    *out = agree;
    return STATUS_OK;
}

void agree_free(struct agree *agree) {
    env_turn_hook_remove(agree->env, &agree->hook);
    env_timer_stop(&agree->timer);
    env_unpost(agree->env, &agree->again);
    for (size_t i = 0; i < agree->peer_count; i++)
        rpc_client_free(agree->peers[i].client);
    while (agree->waiting) {
        struct waiting *waiting = agree->waiting;
        agree->waiting = waiting->next;
        answer(agree, waiting, STATUS_UNKNOWN_OUTCOME);
    }
    for (size_t i = 0; i < agree->line_capacity; i++)
        buf_deinit(&agree->lines[i]);
    mem_free(agree->lines);
    buf_deinit(&agree->scratch);
    raft_update_deinit(&agree->update);
    raft_free(agree->raft);
    mem_free(agree);
}
