/* raft_update.c - the lists of an update: they grow, are cleared and are used again, so that a
 * steady state allocates nothing. */
#include <assert.h>
#include <string.h>

#include "mem.h"
#include "raft_internal.h"

enum { UPDATE_MIN_CAPACITY = 16 };

static void *grow(void *array, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) return array;
    *capacity = *capacity ? *capacity * 2 : UPDATE_MIN_CAPACITY;
    return mem_realloc(array, *capacity * item_bytes);
}

void raft_update_init(struct raft_update *update) {
    *update = (struct raft_update){.persist_first = 1};
}

void raft_update_deinit(struct raft_update *update) {
    mem_free(update->messages);
    mem_free(update->reads);
    mem_free(update->failed_reads);
    raft_update_init(update);
}

void raft_update_clear(struct raft_update *update) {
    struct raft_update old = *update;
    raft_update_init(update);
    update->messages = old.messages;
    update->message_capacity = old.message_capacity;
    update->reads = old.reads;
    update->read_capacity = old.read_capacity;
    update->failed_reads = old.failed_reads;
    update->failed_read_capacity = old.failed_read_capacity;
}

struct raft_message *raft_post(const struct raft *raft, struct raft_update *update,
                               enum raft_message_type type, uint64_t to, bool after_persist) {
    assert(to != raft->node_id);
    update->messages = grow(update->messages, update->message_count, &update->message_capacity,
                            sizeof(*update->messages));
    struct raft_outgoing *outgoing = &update->messages[update->message_count++];
    *outgoing = (struct raft_outgoing){
        .message = {.type = type, .from = raft->node_id, .to = to, .term = raft->term},
        .after_persist = after_persist};
    return &outgoing->message;
}

void raft_update_read(struct raft_update *update, uint64_t read_id, uint64_t index) {
    update->reads =
        grow(update->reads, update->read_count, &update->read_capacity, sizeof(*update->reads));
    update->reads[update->read_count++] = (struct raft_read_ready){read_id, index};
}

void raft_update_failed_read(struct raft_update *update, uint64_t read_id) {
    update->failed_reads = grow(update->failed_reads, update->failed_read_count,
                                &update->failed_read_capacity, sizeof(*update->failed_reads));
    update->failed_reads[update->failed_read_count++] = read_id;
}
