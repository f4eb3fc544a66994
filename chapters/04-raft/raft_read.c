/* raft_read.c - linearizable reads without writing to the log (ReadIndex; Thesis 6.4).
 *
 * A read may be answered from the state at the commit index of a moment at which this node was
 * surely the leader. It was if a majority answers, in its term, a message sent after that moment.
 * All reads of a turn share one round of such messages; the number of the round travels with every
 * append and comes back with every answer, so that a lost round is made up for by the next one. */
#include <string.h>

#include "mem.h"
#include "raft_internal.h"

enum { READS_MIN_CAPACITY = 64 };

/* Before that the commit index may lag behind what earlier leaders acknowledged. */
bool raft_leader_ready(const struct raft *raft) {
    return raft->role == RAFT_LEADER && raft->commit >= raft->noop_index;
}

static void make_room(struct raft *raft) {
    if (raft->read_head + raft->read_count < raft->read_capacity) return;
    if (raft->read_head > raft->read_capacity / 2) {
        memmove(raft->reads, raft->reads + raft->read_head,
                raft->read_count * sizeof(*raft->reads));
        raft->read_head = 0;
        return;
    }
    raft->read_capacity = raft->read_capacity ? raft->read_capacity * 2 : READS_MIN_CAPACITY;
    raft->reads = mem_realloc(raft->reads, raft->read_capacity * sizeof(*raft->reads));
}

enum status raft_on_read(struct raft *raft, const struct raft_event *event,
                         struct raft_update *update) {
    (void)update;
    if (raft->role != RAFT_LEADER) return STATUS_NOT_LEADER;
    make_room(raft);
    raft->reads[raft->read_head + raft->read_count++] = (struct raft_read){.id = event->read_id};
    return STATUS_OK;
}

void raft_begin_read_round(struct raft *raft, struct raft_update *update) {
    if (raft->read_count == 0 || !raft_leader_ready(raft)) return;
    struct raft_read *read = &raft->reads[raft->read_head + raft->read_count - 1];
    if (read->round > 0) return; /* none is new */
    raft->read_round++;
    for (;; read--) {
        read->round = raft->read_round;
        read->index = raft->commit;
        if (read == &raft->reads[raft->read_head] || read[-1].round > 0) break;
    }
    if (raft->voter_count == 1) raft_release_reads(raft, update);
}

void raft_release_reads(struct raft *raft, struct raft_update *update) {
    uint64_t rounds[RAFT_MAX_VOTERS];
    for (size_t i = 0; i < raft->voter_count; i++)
        rounds[i] = i == raft->self ? raft->read_round : raft->progress[i].read_round;
    uint64_t confirmed = raft_quorum_reached(rounds, raft->voter_count);
    while (raft->read_count > 0) {
        const struct raft_read *oldest = &raft->reads[raft->read_head];
        if (oldest->round == 0 || oldest->round > confirmed) break;
        raft_update_read(update, oldest->id, oldest->index);
        raft->read_head++;
        raft->read_count--;
    }
    if (raft->read_count == 0) raft->read_head = 0;
}

void raft_fail_reads(struct raft *raft, struct raft_update *update) {
    for (size_t i = 0; i < raft->read_count; i++)
        raft_update_failed_read(update, raft->reads[raft->read_head + i].id);
    raft->read_head = raft->read_count = 0;
}
