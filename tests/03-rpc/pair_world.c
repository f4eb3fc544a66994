/* pair_world.c - see pair_world.h. A copy's payload is the list of writes, a line each. */
#include "pair_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "mem.h"

/* ---- the store ------------------------------------------------------------------------------ */

static void store_add(struct pair_node *node, struct slice write) {
    assert_true(node->store_len < WRITES_MAX);
    char *text = mem_alloc(write.len + 1);
    memcpy(text, write.data, write.len);
    text[write.len] = 0;
    node->store[node->store_len++] = text;
}

static void store_clear(struct pair_node *node) {
    for (size_t i = 0; i < node->store_len; i++)
        mem_free(node->store[i]);
    node->store_len = 0;
}

static void store_dump(const struct pair_node *node, char separator, struct buf *out) {
    for (size_t i = 0; i < node->store_len; i++) {
        if (out->len > 0) buf_append_byte(out, (uint8_t)separator);
        buf_append_string(out, node->store[i]);
    }
}

static void store_load(struct pair_node *node, struct slice copy) {
    store_clear(node);
    while (copy.len > 0) {
        const uint8_t *end = memchr(copy.data, '\n', copy.len);
        size_t len = end ? (size_t)(end - copy.data) : copy.len;
        store_add(node, slice_of(copy.data, len));
        copy = slice_from(copy, end ? len + 1 : len);
    }
}

/* ---- the network ---------------------------------------------------------------------------- */

static void post(struct pair_world *world, int to, const struct pb_message *message,
                 struct slice payload) {
    struct pair_node *node = &world->nodes[to];
    if (world->cut[to] || node->down) return;
    assert_true(node->inbox_len < MESSAGES_MAX);
    struct flight *flight = &node->inbox[node->inbox_len++];
    *flight = (struct flight){.arrives_ns = world->now_ns + world->delay_ns, .message = *message};
    buf_append_slice(&flight->payload, payload);
}

static void drop_inbox(struct pair_node *node) {
    for (size_t i = 0; i < node->inbox_len; i++)
        buf_deinit(&node->inbox[i].payload);
    node->inbox_len = 0;
}

static void carry_out(struct pair_world *world, int at, struct pb_effects *effects) {
    struct pair_node *node = &world->nodes[at];
    for (size_t i = 0; i < effects->count; i++) {
        const struct pb_effect *effect = &effects->items[i];
        struct buf copy = BUF_INIT;
        switch (effect->kind) {
        case PB_APPLY:
            store_add(node, effect->message.payload);
            break;
        case PB_ANSWER:
            assert_false(world->answered[effect->request]); /* each request once */
            world->answered[effect->request] = true;
            world->answers[effect->request] = effect->status;
            break;
        case PB_SEND:
            post(world, 1 - at, &effect->message, effect->message.payload);
            break;
        case PB_SEND_COPY:
            store_dump(node, '\n', &copy);
            post(world, 1 - at, &effect->message, buf_slice(&copy));
            buf_deinit(&copy);
            break;
        case PB_LOAD_COPY:
            store_load(node, effect->message.payload);
            break;
        case PB_TAKE_OVER:
            node->took_over = true;
            break;
        case PB_JOINED:
            node->joined++;
            break;
        case PB_RIVAL:
            node->rival_seen = true;
            break;
        case PB_ALONE:
            break;
        }
    }
    pb_effects_deinit(effects);
}

void world_inject(struct pair_world *world, int to, const struct pb_message *message) {
    struct pb_effects effects = {0};
    pb_receive(world->nodes[to].pb, message, world->now_ns, &effects);
    carry_out(world, to, &effects);
}

/* The oldest message that is due at the node. */
static void deliver_one(struct pair_world *world, int to) {
    struct pair_node *node = &world->nodes[to];
    struct flight flight = node->inbox[0];
    node->inbox_len--;
    memmove(node->inbox, node->inbox + 1, node->inbox_len * sizeof *node->inbox);
    flight.message.payload = buf_slice(&flight.payload);
    world_inject(world, to, &flight.message);
    buf_deinit(&flight.payload);
}

static bool deliver_due(struct pair_world *world) {
    bool any = false;
    for (int to = 0; to < NODES; to++) {
        struct pair_node *node = &world->nodes[to];
        while (node->inbox_len > 0 && node->inbox[0].arrives_ns <= world->now_ns) {
            deliver_one(world, to);
            any = true;
        }
    }
    return any;
}

static void tick(struct pair_world *world) {
    for (int i = 0; i < NODES; i++) {
        struct pb_effects effects = {0};
        if (world->nodes[i].down) continue;
        pb_tick(world->nodes[i].pb, world->now_ns, &effects);
        carry_out(world, i, &effects);
    }
    world->next_tick_ns += (uint64_t)TICK_MS * MS;
}

void world_run_ms(struct pair_world *world, uint64_t duration_ms) {
    uint64_t end_ns = world->now_ns + duration_ms * MS;
    for (;; world->now_ns += MS) {
        if (world->now_ns >= world->next_tick_ns) tick(world);
        while (deliver_due(world)) {
        }
        if (world->now_ns >= end_ns) return;
    }
}

void world_partition(struct pair_world *world) { world->cut[A] = world->cut[B] = true; }
void world_heal(struct pair_world *world) { world->cut[A] = world->cut[B] = false; }

/* ---- nodes ---------------------------------------------------------------------------------- */

void world_start(struct pair_world *world, int at, enum pb_role role, bool wait_for_backup) {
    static uint64_t histories = 100;
    struct pb_options options = {.role = role,
                                 .history = ++histories,
                                 .wait_for_backup = wait_for_backup,
                                 .silence_ns = (uint64_t)SILENCE_MS * MS};
    struct pair_node *node = &world->nodes[at];
    pb_free(node->pb);
    node->pb = pb_new(&options, world->now_ns);
    node->down = node->took_over = node->rival_seen = false;
}

void world_kill(struct pair_world *world, int node) {
    world->nodes[node].down = true;
    drop_inbox(&world->nodes[node]);
}

void world_init(struct pair_world *world, bool wait_for_backup) {
    memset(world, 0, sizeof *world);
    world->now_ns = world->next_tick_ns = (uint64_t)1000 * MS;
    world->delay_ns = MS;
    world_start(world, A, PB_PRIMARY, wait_for_backup);
    world_start(world, B, PB_BACKUP, wait_for_backup);
    world_run_ms(world, (uint64_t)4 * TICK_MS);
    assert_false(pb_alone(world->nodes[A].pb));
}

void world_deinit(struct pair_world *world) {
    for (int i = 0; i < NODES; i++) {
        drop_inbox(&world->nodes[i]);
        store_clear(&world->nodes[i]);
        pb_free(world->nodes[i].pb);
    }
}

/* ---- clients -------------------------------------------------------------------------------- */

uint64_t world_write(struct pair_world *world, int node, const char *write) {
    uint64_t request = ++world->requests;
    assert_true(request < REQUESTS_MAX);
    struct pb_effects effects = {0};
    pb_write(world->nodes[node].pb, request, slice_of_string(write), &effects);
    carry_out(world, node, &effects);
    return request;
}

bool world_acknowledged(const struct pair_world *world, uint64_t request) {
    return world->answered[request] && world->answers[request] == STATUS_OK;
}

const char *world_read(const struct pair_world *world, int node) {
    const struct pair_node *at = &world->nodes[node];
    return at->store_len > 0 ? at->store[at->store_len - 1] : "";
}

bool world_holds(const struct pair_world *world, int node, const char *write) {
    const struct pair_node *at = &world->nodes[node];
    for (size_t i = 0; i < at->store_len; i++)
        if (strcmp(at->store[i], write) == 0) return true;
    return false;
}

bool world_primary(const struct pair_world *world, int node) {
    return !world->nodes[node].down && pb_role(world->nodes[node].pb) == PB_PRIMARY;
}

void assert_store(const struct pair_world *world, int node, const char *expected) {
    struct buf text = BUF_INIT;
    store_dump(&world->nodes[node], ' ', &text);
    assert_slice_equal(slice_of_string(expected), buf_slice(&text));
    buf_deinit(&text);
}
