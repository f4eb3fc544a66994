/* raft_world.c - see raft_world.h. The happenings of all nodes stand in one heap by virtual time;
 * equal times keep the order in which they were scheduled, so that a seed is one history. */
#include "raft_world_impl.h"

#include <string.h>

#include "harness.h"
#include "mem.h"

static bool chance(struct world *world, unsigned thousandths) {
    return prng_below(&world->prng, 1000) < thousandths;
}

/* ---- the heap ------------------------------------------------------------------------------- */

static bool before(const struct happening *a, const struct happening *b) {
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->sequence < b->sequence);
}

static void schedule(struct world *world, struct happening happening) {
    happening.sequence = world->sequence++;
    if (world->heap_count == world->heap_capacity) {
        world->heap_capacity = world->heap_capacity ? world->heap_capacity * 2 : 256;
        world->heap = mem_realloc(world->heap, world->heap_capacity * sizeof(*world->heap));
    }
    size_t at = world->heap_count++;
    for (; at > 0 && before(&happening, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = happening;
}

static struct happening take_next(struct world *world) {
    struct happening next = world->heap[0], moved = world->heap[--world->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->heap_count) break;
        if (child + 1 < world->heap_count && before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!before(&world->heap[child], &moved)) break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    world->heap[at] = moved;
    return next;
}

/* ---- the durable log ------------------------------------------------------------------------ */

static void terms_replace(struct terms *log, uint64_t first, const struct raft_entry *entries,
                          size_t count) {
    size_t keep = (size_t)(first - log->start - 1);
    if (keep + count > log->capacity) {
        log->capacity = (keep + count) * 2;
        log->entries = mem_realloc(log->entries, log->capacity * sizeof(*log->entries));
    }
    memcpy(log->entries + keep, entries, count * sizeof(*entries));
    log->count = keep + count;
}

static void terms_compact(struct terms *log, uint64_t index) {
    size_t dropped = (size_t)(index - log->start);
    log->start_term = log->entries[dropped - 1].term;
    log->count -= dropped;
    memmove(log->entries, log->entries + dropped, log->count * sizeof(*log->entries));
    log->start = index;
}

/* ---- the shell of a node -------------------------------------------------------------------- */

static enum status step(struct world *world, struct node *node, struct raft_event event) {
    event.now_ns = world->now_ns;
    enum status status = raft_step(node->raft, &event, &node->update);
    node->touched = true;
    world_check_step(world, node);
    return status;
}

static void send(struct world *world, struct node *node, const struct raft_message *message) {
    bool cut = ((world->side_mask >> message->from) & 1) != ((world->side_mask >> message->to) & 1);
    world->counts.messages++;
    struct raft_entry *entries = NULL;
    if (message->type == RAFT_MESSAGE_APPEND && message->entry_count > 0) {
        entries = mem_alloc(message->entry_count * sizeof(*entries));
        for (uint32_t i = 0; i < message->entry_count; i++)
            CHECK(world, raft_entry_at(node->raft, message->first_index + i, &entries[i]));
    }
    unsigned copies = cut || chance(world, world->options.drop) ? 0
                      : chance(world, world->options.duplicate) ? 2
                                                                : 1;
    for (unsigned i = 0; i < copies; i++) {
        struct happening happening = {.kind = DELIVER, .node = message->to, .message = *message};
        happening.at_ns =
            world->now_ns + MS / 10 + prng_below(&world->prng, world->options.max_delay_ns);
        if (entries) happening.entries = mem_dup(entries, message->entry_count * sizeof(*entries));
        schedule(world, happening);
    }
    mem_free(entries);
}

static void write_free(struct write *write) {
    mem_free(write->entries);
    mem_free(write->messages);
    mem_free(write);
}

static void start_sync(struct world *world, struct node *node) {
    if (node->syncing || !node->writes) return;
    node->syncing = true;
    schedule(world,
             (struct happening){.kind = SYNCED,
                                .at_ns = world->now_ns + 1 +
                                         prng_below(&world->prng, world->options.max_sync_ns),
                                .node = node->id,
                                .incarnation = node->incarnation});
}

static void queue_write(struct world *world, struct node *node) {
    struct raft_update *update = &node->update;
    struct write *write = MEM_NEW(struct write);
    write->hard_state_changed = update->hard_state_changed;
    write->hard_state = update->hard_state;
    write->first = update->persist_first;
    write->last = update->persist_last;
    CHECK(world, write->first > write->last || update->install.index == 0);
    if (write->first <= write->last)
        write->entries =
            mem_alloc((size_t)(write->last - write->first + 1) * sizeof(*write->entries));
    for (uint64_t i = write->first; i <= write->last; i++)
        CHECK(world, raft_entry_at(node->raft, i, &write->entries[i - write->first]));
    write->install_index = update->install.index;
    write->install_term = update->install.term;
    write->messages = mem_alloc(update->message_count * sizeof(*write->messages));
    for (size_t i = 0; i < update->message_count; i++)
        if (update->messages[i].after_persist)
            write->messages[write->message_count++] = update->messages[i];
    *node->writes_tail = write;
    node->writes_tail = &write->next;
}

static struct write *take_write(struct node *node) {
    struct write *write = node->writes;
    node->writes = write->next;
    if (!node->writes) node->writes_tail = &node->writes;
    return write;
}

static void make_durable(struct node *node, const struct write *write) {
    if (write->hard_state_changed) node->hard_state = write->hard_state;
    if (write->first <= write->last)
        terms_replace(&node->log, write->first, write->entries,
                      (size_t)(write->last - write->first + 1));
    if (write->install_index > 0) {
        node->log.start = write->install_index;
        node->log.start_term = write->install_term;
        node->log.count = 0;
        node->flushed = write->install_index;
    }
}

static void apply(struct world *world, struct node *node) {
    CHECK(world, node->update.commit >= node->told_commit);
    node->told_commit = node->update.commit;
    while (node->applied < node->update.commit) {
        struct raft_entry entry;
        node->applied++;
        CHECK(world, raft_entry_at(node->raft, node->applied, &entry));
        CHECK(world, node->applied <= world->committed_count); /* 5 */
        CHECK(world, world_same_entry(&entry, &world->committed[node->applied - 1].entry));
    }
}

/* A read sees all that was committed anywhere when it was asked for. */
static void settle_reads(struct world *world, struct node *node) {
    for (size_t i = 0; i < node->update.read_count; i++) {
        for (size_t j = 0; j < world->read_count; j++) {
            if (world->reads[j].id != node->update.reads[i].read_id) continue;
            CHECK(world, node->update.reads[i].index >= world->reads[j].least_index);
            world->reads[j] = world->reads[--world->read_count];
            world->counts.reads++;
            break;
        }
    }
}

static void stage_snapshots(struct world *world, struct node *node) {
    for (size_t i = 0; i < node->update.snapshot_to_count; i++) {
        struct happening happening = {.kind = STAGED,
                                      .node = node->id,
                                      .incarnation = node->incarnation,
                                      .term = raft_status(node->raft).term};
        happening.at_ns = world->now_ns + 1 + prng_below(&world->prng, 20 * MS);
        happening.message.to = node->update.snapshot_to[i];
        schedule(world, happening);
    }
}

static void wake_at(struct world *world, struct node *node, uint64_t at_ns) {
    if (node->wake_ns > world->now_ns && node->wake_ns <= at_ns) return;
    node->wake_ns = at_ns;
    schedule(world,
             (struct happening){
                 .kind = WAKE, .at_ns = at_ns, .node = node->id, .incarnation = node->incarnation});
}

static void maybe_compact(struct world *world, struct node *node) {
    if (!chance(world, world->options.compact)) return;
    node->flushed = node->applied > node->flushed ? node->applied : node->flushed;
    uint64_t limit = node->flushed < node->log.start + node->log.count
                         ? node->flushed
                         : node->log.start + node->log.count;
    if (limit <= node->log.start) return;
    uint64_t index = prng_between(&world->prng, node->log.start + 1, limit);
    if (raft_status(node->raft).applied < index) return;
    terms_compact(&node->log, index);
    CHECK(world,
          step(world, node, (struct raft_event){.type = RAFT_EVENT_COMPACT, .index = index}) ==
              STATUS_OK);
}

static void finish_turn(struct world *world, struct node *node) {
    struct raft_update *update = &node->update;
    raft_finish(node->raft, update);
    node->touched = false;
    bool waits = update->hard_state_changed || update->persist_first <= update->persist_last ||
                 update->install.index > 0;
    for (size_t i = 0; i < update->message_count; i++) {
        if (update->messages[i].after_persist && (waits || node->writes))
            waits = true;
        else
            send(world, node, &update->messages[i].message);
    }
    if (waits) queue_write(world, node);
    start_sync(world, node);
    apply(world, node);
    settle_reads(world, node);
    stage_snapshots(world, node);
    uint64_t deadline_ns = update->deadline_ns;
    raft_update_clear(update);
    if (node->applied > raft_status(node->raft).applied) {
        CHECK(world, step(world, node,
                          (struct raft_event){.type = RAFT_EVENT_APPLIED,
                                              .index = node->applied}) == STATUS_OK);
        maybe_compact(world, node);
    }
    wake_at(world, node, deadline_ns > world->now_ns ? deadline_ns : world->now_ns + 1);
}

/* Mostly a turn holds one event, sometimes several. */
static void end_turn(struct world *world, struct node *node) {
    if (chance(world, 700))
        finish_turn(world, node);
    else
        wake_at(world, node, world->now_ns + 1 + prng_below(&world->prng, MS / 2));
}

/* ---- happenings ----------------------------------------------------------------------------- */

static void on_deliver(struct world *world, struct node *node, const struct happening *happening) {
    struct raft_message message = happening->message;
    message.entries = happening->entries;
    struct raft_event event = {.type = RAFT_EVENT_MESSAGE, .message = &message};
    /* A node that lost a staged file drops the message. */
    if (message.type == RAFT_MESSAGE_SNAPSHOT &&
        (node->staged_index != message.log_index || node->staged_term != message.log_term))
        return;
    CHECK(world, step(world, node, event) == STATUS_OK);
    end_turn(world, node);
}

static void on_synced(struct world *world, struct node *node) {
    node->syncing = false;
    size_t count = 0;
    for (struct write *w = node->writes; w; w = w->next)
        count++;
    count = (size_t)prng_between(&world->prng, 1, count);
    for (; count > 0; count--) {
        struct write *write = take_write(node);
        make_durable(node, write);
        for (size_t i = 0; i < write->message_count; i++)
            send(world, node, &write->messages[i].message);
        if (write->first <= write->last) {
            struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .index = write->last};
            event.term = write->entries[write->last - write->first].term;
            CHECK(world, step(world, node, event) == STATUS_OK);
        }
        if (write->install_index > 0) {
            node->applied = write->install_index;
            world->counts.snapshots++;
            struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_INSTALLED,
                                       .index = write->install_index,
                                       .term = write->install_term};
            CHECK(world, step(world, node, event) == STATUS_OK);
        }
        write_free(write);
    }
    start_sync(world, node);
    end_turn(world, node);
}

static void on_wake(struct world *world, struct node *node) {
    CHECK(world, step(world, node, (struct raft_event){.type = RAFT_EVENT_TICK}) == STATUS_OK);
    finish_turn(world, node);
}

/* The snapshot is the leader's state as flushed: nothing newer may be in it than in its log. */
static void on_staged(struct world *world, struct node *node, const struct happening *happening) {
    struct node *to = &world->nodes[happening->message.to];
    struct raft_status status = raft_status(node->raft);
    if (status.term != happening->term || status.role != RAFT_LEADER) return;
    struct raft_event event = {.type = RAFT_EVENT_SNAPSHOT_SENT, .node = to->id};
    event.ok = to->up && !chance(world, 100) &&
               ((world->side_mask >> node->id) & 1) == ((world->side_mask >> to->id) & 1);
    if (event.ok) {
        event.index = to->staged_index = node->applied;
        event.term = to->staged_term = world->committed[node->applied - 1].entry.term;
    }
    CHECK(world, step(world, node, event) == STATUS_OK);
    end_turn(world, node);
}

static void ask_to_read(struct world *world, struct node *node) {
    struct raft_event event = {.type = RAFT_EVENT_READ, .read_id = ++world->next_read};
    if (step(world, node, event) != STATUS_OK) return;
    if (world->read_count == world->read_capacity) {
        world->read_capacity = world->read_capacity ? world->read_capacity * 2 : 64;
        world->reads = mem_realloc(world->reads, world->read_capacity * sizeof(*world->reads));
    }
    world->reads[world->read_count++] =
        (struct pending_read){event.read_id, world->committed_count};
}

static void on_propose(struct world *world) {
    uint64_t id = prng_between(&world->prng, 1, world->options.nodes);
    struct node *node = &world->nodes[id];
    if (node->up) {
        world_propose(world, id, (uint32_t)prng_between(&world->prng, 1, 4));
        if (chance(world, 500)) ask_to_read(world, node);
        end_turn(world, node);
    }
    schedule(world,
             (struct happening){
                 .kind = PROPOSE,
                 .at_ns = world->now_ns + 1 +
                          prng_below(&world->prng, 2 * world->options.proposal_interval_ns)});
}

static void on_faults(struct world *world) {
    uint64_t id = prng_between(&world->prng, 1, world->options.nodes);
    if (chance(world, world->options.crash)) {
        if (world->nodes[id].up)
            world_crash(world, id);
        else
            world_start(world, id);
    }
    if (chance(world, world->options.partition))
        world->side_mask = chance(world, 500) ? 0 : (unsigned)prng_below(&world->prng, 256);
    schedule(world, (struct happening){.kind = FAULTS, .at_ns = world->now_ns + 50 * MS});
}

static void happen(struct world *world, struct happening *happening) {
    struct node *node = &world->nodes[happening->node];
    bool stale =
        happening->node > 0 &&
        (!node->up || (happening->kind != DELIVER && happening->incarnation != node->incarnation));
    if (happening->kind == WAKE && happening->at_ns != node->wake_ns) stale = true;
    if (!stale) {
        switch (happening->kind) {
        case DELIVER:
            on_deliver(world, node, happening);
            break;
        case SYNCED:
            on_synced(world, node);
            break;
        case WAKE:
            on_wake(world, node);
            break;
        case STAGED:
            on_staged(world, node, happening);
            break;
        case PROPOSE:
            on_propose(world);
            break;
        case FAULTS:
            on_faults(world);
            break;
        }
    }
    mem_free(happening->entries);
}

/* ---- the world ------------------------------------------------------------------------------ */

void world_start(struct world *world, uint64_t id) {
    struct node *node = &world->nodes[id];
    if (node->up) return;
    struct raft_options options = {.node_id = id,
                                   .voters = world->voters,
                                   .voter_count = world->options.nodes,
                                   .seed = prng_u64(&world->prng),
                                   .now_ns = world->now_ns,
                                   .max_append_bytes = world->options.max_append_bytes,
                                   .max_inflight_appends = world->options.max_inflight_appends,
                                   .hard_state = node->hard_state,
                                   .log_start_index = node->log.start,
                                   .log_start_term = node->log.start_term,
                                   .entries = node->log.entries,
                                   .entry_count = node->log.count,
                                   .applied_index = node->flushed};
    struct error error = {0};
    assert_ok(raft_new(&options, &node->raft, &error), &error);
    node->up = true;
    node->incarnation++;
    node->applied = node->told_commit = node->flushed;
    node->seen = raft_status(node->raft);
    node->wake_ns = 0;
    node->writes_tail = &node->writes;
    raft_update_init(&node->update);
    finish_turn(world, node);
}

/* Of what waited for the disk a part may have reached it: the first so many updates. */
void world_crash(struct world *world, uint64_t id) {
    struct node *node = &world->nodes[id];
    if (!node->up) return;
    bool reached = true;
    while (node->writes) {
        struct write *write = take_write(node);
        reached = reached && chance(world, 500);
        if (reached)
            make_durable(node, write);
        else if (write->first <= write->last)
            world->counts.lost_entries += write->last - write->first + 1;
        write_free(write);
    }
    raft_free(node->raft);
    raft_update_deinit(&node->update);
    node->raft = NULL;
    node->up = node->syncing = node->touched = false;
    if (chance(world, 300)) node->staged_index = 0;
    world->counts.crashes++;
}

struct world *world_new(const struct world_options *options) {
    struct world *world = MEM_NEW(struct world);
    world->options = *options;
    world->now_ns = 1000 * MS;
    world->leaders = mem_zalloc(MAX_TERMS * sizeof(*world->leaders));
    prng_seed(&world->prng, options->seed);
    for (size_t i = 0; i < options->nodes; i++)
        world->voters[i] = i + 1;
    for (uint64_t id = 1; id <= options->nodes; id++) {
        world->nodes[id].id = id;
        world_start(world, id);
    }
    schedule(world, (struct happening){.kind = FAULTS, .at_ns = world->now_ns + 50 * MS});
    if (options->proposal_interval_ns > 0)
        schedule(world, (struct happening){.kind = PROPOSE, .at_ns = world->now_ns + MS});
    return world;
}

void world_free(struct world *world) {
    for (uint64_t id = 1; id <= world->options.nodes; id++) {
        world_crash(world, id);
        mem_free(world->nodes[id].log.entries);
    }
    for (size_t i = 0; i < world->heap_count; i++)
        mem_free(world->heap[i].entries);
    mem_free(world->heap);
    mem_free(world->leaders);
    mem_free(world->committed);
    mem_free(world->reads);
    mem_free(world);
}

void world_run(struct world *world, uint64_t duration_ns) {
    uint64_t end_ns = world->now_ns + duration_ns;
    while (world->heap_count > 0 && world->heap[0].at_ns <= end_ns) {
        struct happening next = take_next(world);
        world->now_ns = next.at_ns;
        happen(world, &next);
    }
    world->now_ns = end_ns;
}

void world_heal(struct world *world) {
    world->options.drop = world->options.duplicate = 0;
    world->options.crash = world->options.partition = 0;
    world->side_mask = 0;
    for (uint64_t id = 1; id <= world->options.nodes; id++)
        world_start(world, id);
}

void world_check_progress(struct world *world) {
    uint64_t leader = 0;
    for (int i = 0; i < 40 && leader == 0; i++) {
        world_run(world, 250 * MS);
        leader = world_leader(world);
        if (leader && !world_status(world, leader).leader_ready) leader = 0;
    }
    CHECK(world, leader != 0);
    CHECK(world, world_propose(world, leader, 1));
    finish_turn(world, &world->nodes[leader]);
    uint64_t index = world_status(world, leader).last_index;
    for (int i = 0; i < 40; i++) {
        world_run(world, 250 * MS);
        bool everywhere = true;
        for (uint64_t id = 1; id <= world->options.nodes; id++)
            everywhere = everywhere && world->nodes[id].applied >= index;
        if (everywhere) return;
    }
    world_violation(world, "all nodes apply what was proposed after the faults ended", __FILE__,
                    __LINE__);
}

bool world_propose(struct world *world, uint64_t id, uint32_t count) {
    struct raft_entry entries[16];
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct raft_entry){.type = RAFT_ENTRY_NORMAL,
                                         .size_bytes = (uint32_t)++world->next_payload};
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE,
                               .propose = {.entries = entries, .count = count}};
    if (!world->nodes[id].up) return false;
    return step(world, &world->nodes[id], event) == STATUS_OK;
}

void world_cut(struct world *world, unsigned side_mask) { world->side_mask = side_mask; }

uint64_t world_leader(const struct world *world) {
    uint64_t leader = 0, term = 0;
    for (uint64_t id = 1; id <= world->options.nodes; id++) {
        if (!world->nodes[id].up) continue;
        struct raft_status status = raft_status(world->nodes[id].raft);
        if (status.role != RAFT_LEADER || status.term <= term) continue;
        leader = id;
        term = status.term;
    }
    return leader;
}

struct raft_status world_status(const struct world *world, uint64_t node) {
    return raft_status(world->nodes[node].raft);
}

struct world_counts world_counts(const struct world *world) {
    struct world_counts counts = world->counts;
    counts.committed = world->committed_count;
    return counts;
}

uint64_t world_committed(const struct world *world) { return world->committed_count; }
uint64_t world_now(const struct world *world) { return world->now_ns; }
