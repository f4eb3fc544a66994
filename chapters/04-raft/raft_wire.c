/* raft_wire.c - struct raft_message to bytes and back, by raft_message.proto.
 *
 * Decoding trusts nothing: counts and types are checked before the core sees them. What the fields
 * mean is raft.h's business. */
#include "raft_wire.h"

#include "mem.h"
#include "raft_message.pb-c.h"

enum { ENTRIES_ON_STACK = 64 };

static void fill_entries(RaftEntry *wire, RaftEntry **pointers, const struct raft_entry *entries,
                         const struct slice *payloads, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        raft_entry__init(&wire[i]);
        wire[i].term = entries[i].term;
        wire[i].type = entries[i].type;
        wire[i].payload.len = payloads[i].len;
        /* protobuf-c's struct is not const-correct; packing only reads. */
        wire[i].payload.data = (uint8_t *)(uintptr_t)payloads[i].data;
        pointers[i] = &wire[i];
    }
}

void raft_wire_encode(uint64_t group, const struct raft_message *message,
                      const struct raft_entry *entries, const struct slice *payloads,
                      struct buf *out) {
    uint32_t count = payloads == NULL ? 0 : message->entry_count;
    RaftEntry stack_entries[ENTRIES_ON_STACK];
    RaftEntry *stack_pointers[ENTRIES_ON_STACK];
    bool on_heap = count > ENTRIES_ON_STACK;
    RaftEntry *wire_entries = on_heap ? mem_alloc(count * sizeof *wire_entries) : stack_entries;
    RaftEntry **pointers = on_heap ? mem_alloc(count * sizeof *pointers) : stack_pointers;
    fill_entries(wire_entries, pointers, entries, payloads, count);

    RaftMessage wire = RAFT_MESSAGE__INIT;
    wire.group = group;
    wire.type = message->type;
    wire.from = message->from;
    wire.to = message->to;
    wire.term = message->term;
    wire.log_index = message->log_index;
    wire.log_term = message->log_term;
    wire.commit = message->commit;
    wire.first_index = message->first_index;
    wire.n_entries = count;
    wire.entries = pointers;
    wire.reject = message->reject;
    wire.match_index = message->match_index;
    wire.hint_index = message->hint_index;
    wire.hint_term = message->hint_term;
    wire.read_round = message->read_round;
    raft_message__pack(&wire, buf_extend(out, raft_message__get_packed_size(&wire)));
    if (on_heap) {
        mem_free(wire_entries);
        mem_free(pointers);
    }
}

static void *allocate(void *arena, size_t size) { return arena_alloc(arena, size); }

static void release(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

static void copy_fields(const RaftMessage *wire, struct raft_message *message) {
    *message = (struct raft_message){
        .type = (enum raft_message_type)wire->type,
        .from = wire->from,
        .to = wire->to,
        .term = wire->term,
        .log_index = wire->log_index,
        .log_term = wire->log_term,
        .commit = wire->commit,
        .first_index = wire->first_index,
        .entry_count = (uint32_t)wire->n_entries,
        .reject = wire->reject,
        .match_index = wire->match_index,
        .hint_index = wire->hint_index,
        .hint_term = wire->hint_term,
        .read_round = wire->read_round,
    };
}

enum status raft_wire_decode(struct slice bytes, struct arena *arena,
                             struct raft_wire_message *out) {
    ProtobufCAllocator allocator = {.alloc = allocate, .free = release, .allocator_data = arena};
    RaftMessage *wire = raft_message__unpack(&allocator, bytes.len, bytes.data);
    if (wire == NULL || wire->type >= RAFT_MESSAGE_COUNT || wire->n_entries > UINT32_MAX) {
        return STATUS_INVALID;
    }
    struct raft_entry *entries = ARENA_ARRAY(arena, struct raft_entry, wire->n_entries);
    struct slice *payloads = ARENA_ARRAY(arena, struct slice, wire->n_entries);
    for (size_t i = 0; i < wire->n_entries; i++) {
        const RaftEntry *entry = wire->entries[i];
        if (entry->type > UINT8_MAX || entry->payload.len > UINT32_MAX) return STATUS_INVALID;
        payloads[i] = slice_of(entry->payload.data, entry->payload.len);
        entries[i] = (struct raft_entry){.term = entry->term,
                                         .size_bytes = (uint32_t)entry->payload.len,
                                         .type = (uint8_t)entry->type};
    }
    out->group = wire->group;
    copy_fields(wire, &out->message);
    out->message.entries = entries;
    out->payloads = payloads;
    return STATUS_OK;
}
