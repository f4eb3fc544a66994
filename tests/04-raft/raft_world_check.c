/* raft_world_check.c - what must hold in a world after every step. */
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "raft_world_impl.h"

void world_violation(const struct world *world, const char *condition, const char *file, int line) {
    struct buf text = BUF_INIT;
    for (size_t i = 1; i <= world->options.nodes; i++)
        if (world->nodes[i].up) raft_dump(world->nodes[i].raft, &text);
    fprintf(stderr, "seed %llu, %zu nodes, %.3f ms: %s (%s:%d)\n%.*s",
            (unsigned long long)world->options.seed, world->options.nodes,
            (double)world->now_ns / 1e6, condition, file, line, (int)text.len,
            (const char *)text.data);
    abort();
}

/* ---- checks across nodes -------------------------------------------------------------------- */

bool world_same_entry(const struct raft_entry *a, const struct raft_entry *b) {
    return a->term == b->term && a->type == b->type && a->size_bytes == b->size_bytes;
}

/* 3: equal terms at an index mean equal entries there and before. */
static void check_log_matching(struct world *world, const struct node *a, const struct node *b) {
    struct raft_status sa = raft_status(a->raft), sb = raft_status(b->raft);
    uint64_t last = sa.last_index < sb.last_index ? sa.last_index : sb.last_index;
    bool equal = false;
    struct raft_entry ea, eb;
    for (uint64_t i = last; raft_entry_at(a->raft, i, &ea) && raft_entry_at(b->raft, i, &eb); i--) {
        if (equal || ea.term == eb.term) {
            CHECK(world, world_same_entry(&ea, &eb));
            equal = true;
        }
    }
}

static void record_commit(struct world *world, const struct node *node) {
    struct raft_status status = raft_status(node->raft);
    for (uint64_t i = world->committed_count + 1; i <= status.commit; i++) {
        struct raft_entry entry;
        CHECK(world, raft_entry_at(node->raft, i, &entry));
        if (world->committed_count == world->committed_capacity) {
            world->committed_capacity =
                world->committed_capacity ? world->committed_capacity * 2 : 1024;
            world->committed = mem_realloc(world->committed,
                                           world->committed_capacity * sizeof(*world->committed));
        }
        world->committed[world->committed_count++] = (struct committed_entry){entry, status.term};
    }
}

/* 4: a new leader has every entry that was committed before its term. */
static void check_leader_completeness(struct world *world, const struct node *node) {
    struct raft_status status = raft_status(node->raft);
    for (uint64_t i = status.first_index; i <= world->committed_count; i++) {
        const struct committed_entry *committed = &world->committed[i - 1];
        if (committed->by_term >= status.term) continue;
        struct raft_entry own;
        CHECK(world, raft_entry_at(node->raft, i, &own));
        CHECK(world, world_same_entry(&own, &committed->entry));
    }
}

static void check_leader(struct world *world, struct node *node, struct raft_range stored) {
    struct raft_status status = raft_status(node->raft);
    if (status.role != RAFT_LEADER) return;
    CHECK(world, status.term < MAX_TERMS);
    if (world->leaders[status.term] != node->id) { /* 1 */
        CHECK(world, world->leaders[status.term] == 0);
        world->leaders[status.term] = node->id;
        world->counts.elections++;
        check_leader_completeness(world, node);
    } else { /* 2 */
        CHECK(world, status.last_index >= node->seen.last_index);
        CHECK(world, stored.first > stored.last || stored.first == node->seen.last_index + 1);
    }
}

void world_check_step(struct world *world, struct node *node) {
    struct raft_status status = raft_status(node->raft);
    struct raft_range stored = raft_stored(node->raft);
    raft_check_invariants(node->raft);
    CHECK(world, status.term >= node->seen.term && status.commit >= node->seen.commit); /* 6 */
    CHECK(world,
          status.term > node->seen.term || node->seen.vote == 0 || status.vote == node->seen.vote);
    check_leader(world, node, stored);
    if (stored.first <= stored.last) {
        for (size_t i = 1; i <= world->options.nodes; i++)
            if (i != node->id && world->nodes[i].up)
                check_log_matching(world, node, &world->nodes[i]);
    }
    record_commit(world, node);
    node->seen = status;
    world->counts.steps++;
}
