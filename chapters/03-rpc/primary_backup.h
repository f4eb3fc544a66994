/* primary_backup.h - two nodes, one of which repeats what the other does and takes over when it
 * falls silent. The rules only: events in, effects out; no clock, no network, no store.
 *
 * The scheme is Alsberg and Day's (1976), cut down to what many systems run: a primary orders the
 * writes, a backup follows, and a timeout is all that decides who is alive. That is not enough.
 *
 * Invariants
 *  1. A backup applies the writes of one primary in the primary's order and without a gap: what it
 *     holds is what the primary held after its `position`-th write.
 *  2. With wait_for_backup a write is answered when both have it, or when the primary has given the
 *     backup up; without, when the primary has it.
 *  3. At most PB_UNACKED_MAX writes wait for the backup; more are BUSY.
 *  4. A backup without a whole copy never takes over.
 *
 * What does NOT hold, and tests/03-rpc/test_primary_backup.c shows it: that there is one primary at
 * most; that an answered write is never lost; that a read sees the last answered write. A node
 * cannot tell a dead peer from one that it does not hear, and two cannot outvote each other. */
#ifndef CAIRN_PRIMARY_BACKUP_H
#define CAIRN_PRIMARY_BACKUP_H

#include "buf.h"
#include "slice.h"
#include "status.h"

enum { PB_UNACKED_MAX = 1024 };

enum pb_role { PB_BACKUP, PB_PRIMARY };

enum pb_message_kind {
    PB_UPDATE = 1, /* primary: the write at `position` */
    PB_HEARTBEAT,  /* primary: I live, and am at `position` */
    PB_ACK,        /* backup: I have everything up to `position` of `history` */
    PB_COPY        /* primary: all data as of `position` */
};

/* Between the two; may be lost, never overtakes another. */
struct pb_message {
    enum pb_message_kind kind;
    uint64_t history; /* whose numbers `position` is one of; 0: nobody's, I have nothing */
    uint64_t position;
    struct slice payload; /* UPDATE: the write; COPY: the shell's */
};

/* What the shell has to do, in this order. */
enum pb_effect_kind {
    PB_APPLY,     /* message.payload is the write; durable before what follows is done */
    PB_ANSWER,    /* tell the client of `request`: `status` */
    PB_SEND,      /* `message` to the other node */
    PB_SEND_COPY, /* likewise, with all data as its payload */
    PB_LOAD_COPY, /* replace all data by message.payload */
    PB_TAKE_OVER, /* this node is the primary now */
    PB_ALONE,     /* the backup has been given up */
    PB_JOINED,    /* a backup follows */
    PB_RIVAL      /* the other node says that it is the primary, too */
};

struct pb_effect {
    enum pb_effect_kind kind;
    struct pb_message message;
    uint64_t request;
    enum status status;
};

struct pb_effects { /* zero-filled is empty */
    struct pb_effect *items;
    size_t count, capacity;
};

struct pb_options {
    enum pb_role role; /* to begin with */
    uint64_t history;  /* random, not 0: names the writes that this node numbers as a primary */
    bool wait_for_backup;
    uint64_t silence_ns; /* a peer not heard for so long is taken for dead */
};

struct primary_backup;

/* A primary starts without a backup and waits for one to report; a backup starts without a copy. */
struct primary_backup *pb_new(const struct pb_options *options, uint64_t now_ns);
void pb_free(struct primary_backup *pb); /* NULL is fine */

/* The three events. Effects are appended; their slices are valid until the next event. */

/* A client's write; `request` names it in the answer. A backup answers NOT_LEADER. */
void pb_write(struct primary_backup *pb, uint64_t request, struct slice write,
              struct pb_effects *effects);
/* A message of the other node. */
void pb_receive(struct primary_backup *pb, const struct pb_message *message, uint64_t now_ns,
                struct pb_effects *effects);
/* Several times in silence_ns: sends signs of life and what was not acknowledged, gives up, takes
 * over. */
void pb_tick(struct primary_backup *pb, uint64_t now_ns, struct pb_effects *effects);

/* The shell could not carry out an APPLY, a LOAD_COPY or a SEND_COPY: nothing of it happened. To be
 * called at once, in the place of the effects behind it, which are dropped. A write that was not
 * applied was never numbered: the primary's client is to be told by the shell, a backup gets it
 * again. Without the copy to load a backup has nothing; with none to send a primary goes on alone,
 * and the next one is tried after silence_ns. */
void pb_not_done(struct primary_backup *pb, enum pb_effect_kind effect, struct pb_effects *effects);

/* The node stops: clients that still wait for the backup are answered UNKNOWN_OUTCOME. */
void pb_stop(struct primary_backup *pb, struct pb_effects *effects);

enum pb_role pb_role(const struct primary_backup *pb);
/* The primary has no backup that follows. */
bool pb_alone(const struct primary_backup *pb);
uint64_t pb_position(const struct primary_backup *pb);
/* Writes that wait for the backup. */
size_t pb_unacked(const struct primary_backup *pb);

void pb_effects_clear(struct pb_effects *effects); /* keeps the memory */
void pb_effects_deinit(struct pb_effects *effects);

#endif
