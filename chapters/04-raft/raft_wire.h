/* raft_wire.h - Raft messages as bytes (raft_message.proto). Pure. */
#ifndef CAIRN_RAFT_WIRE_H
#define CAIRN_RAFT_WIRE_H

#include "arena.h"
#include "buf.h"
#include "raft.h"

/* payloads: one for each entry of an APPEND (message->entry_count), with the entries' terms and
 * types in `entries`; NULL for other messages. Appends to `out`. */
void raft_wire_encode(uint64_t group, const struct raft_message *message,
                      const struct raft_entry *entries, const struct slice *payloads,
                      struct buf *out);

/* A decoded message. Everything lives in the arena; payload bytes too. */
struct raft_wire_message {
    uint64_t group;
    struct raft_message message;  /* message.entries is set */
    const struct slice *payloads; /* message.entry_count */
};

/* INVALID: malformed, or a type that this version does not know. */
enum status raft_wire_decode(struct slice bytes, struct arena *arena,
                             struct raft_wire_message *out) MUST_CHECK;

#endif
