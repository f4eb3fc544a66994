/* primary_backup.c - the rules of a pair of nodes (primary_backup.h), as many systems have them:
 * ordered writes, acknowledgements, and a timeout that decides. Must not do I/O or look at a clock.
 *
 * Read it with a question in mind: which line keeps two nodes from being primary at once? There is
 * none, and no line that could be added here would be one. Chapter 04 has a third node. */
#include "primary_backup.h"

#include <assert.h>

#include "mem.h"

/* What a primary knows of its backup: ALONE -> COPYING -> FOLLOWED, back to COPYING when the backup
 * has lost its place, and from anywhere to ALONE when it falls silent. */
enum pb_bond { BOND_ALONE, BOND_COPYING, BOND_FOLLOWED };

/* A write that the backup has not acknowledged. */
struct unacked {
    uint64_t position;
    uint64_t request;
    bool answered;
    struct buf write;
};

struct primary_backup {
    struct pb_options options;
    enum pb_role role;
    uint64_t history;  /* that `position` belongs to; 0: a backup that has nothing yet */
    uint64_t position; /* of the last write applied here */
    uint64_t heard_ns; /* when the other node was heard last */

    /* Of a primary. */
    enum pb_bond bond;
    struct unacked unacked[PB_UNACKED_MAX]; /* in order, without a gap, up to `position` */
    size_t unacked_count;
    uint64_t oldest_at_tick; /* the first one's position at the last tick; 0: there was none */
    uint64_t copy_sent_ns;   /* when a copy was last asked for; 0: never */
};

/* ---- effects -------------------------------------------------------------------------------- */

static struct pb_effect *add(struct pb_effects *effects, enum pb_effect_kind kind) {
    if (effects->count == effects->capacity) {
        effects->capacity = effects->capacity ? 2 * effects->capacity : 16;
        effects->items = mem_realloc(effects->items, effects->capacity * sizeof *effects->items);
    }
    struct pb_effect *effect = &effects->items[effects->count++];
    *effect = (struct pb_effect){.kind = kind};
    return effect;
}

static void send(const struct primary_backup *pb, enum pb_message_kind kind, uint64_t position,
                 struct slice payload, struct pb_effects *effects) {
    add(effects, PB_SEND)->message = (struct pb_message){kind, pb->history, position, payload};
}

static void answer(uint64_t request, enum status status, struct pb_effects *effects) {
    struct pb_effect *effect = add(effects, PB_ANSWER);
    effect->request = request;
    effect->status = status;
}

static void apply(struct slice write, struct pb_effects *effects) {
    add(effects, PB_APPLY)->message.payload = write;
}

void pb_effects_clear(struct pb_effects *effects) { effects->count = 0; }

void pb_effects_deinit(struct pb_effects *effects) {
    mem_free(effects->items);
    *effects = (struct pb_effects){0};
}

/* ---- writes that wait for the backup -------------------------------------------------------- */

/* Drops those up to `position`, answering the clients that still wait. */
static void settle(struct primary_backup *pb, uint64_t position, enum status status,
                   struct pb_effects *effects) {
    size_t done = 0;
    for (; done < pb->unacked_count && pb->unacked[done].position <= position; done++) {
        struct unacked *unacked = &pb->unacked[done];
        if (!unacked->answered) answer(unacked->request, status, effects);
        buf_deinit(&unacked->write);
    }
    pb->unacked_count -= done;
    memmove(pb->unacked, pb->unacked + done, pb->unacked_count * sizeof *pb->unacked);
}

/* The list keeps the write: effects borrow from it. */
static struct unacked *remember(struct primary_backup *pb, uint64_t request, struct slice write) {
    struct unacked *unacked = &pb->unacked[pb->unacked_count++];
    *unacked = (struct unacked){.position = pb->position, .request = request};
    buf_append_slice(&unacked->write, write);
    return unacked;
}

/* Again what has not been acknowledged for a whole tick: the connection may have lost it. */
static void send_again(struct primary_backup *pb, struct pb_effects *effects) {
    uint64_t oldest = pb->unacked_count > 0 ? pb->unacked[0].position : 0;
    bool stuck = pb->bond == BOND_FOLLOWED && oldest == pb->oldest_at_tick;
    for (size_t i = 0; stuck && i < pb->unacked_count; i++)
        send(pb, PB_UPDATE, pb->unacked[i].position, buf_slice(&pb->unacked[i].write), effects);
    pb->oldest_at_tick = oldest;
}

/* ---- the primary ---------------------------------------------------------------------------- */

void pb_write(struct primary_backup *pb, uint64_t request, struct slice write,
              struct pb_effects *effects) {
    if (pb->role != PB_PRIMARY) {
        answer(request, STATUS_NOT_LEADER, effects);
        return;
    }
    if (pb->unacked_count == PB_UNACKED_MAX) {
        answer(request, STATUS_BUSY, effects);
        return;
    }
    pb->position++;
    apply(write, effects);
    bool waits = pb->bond == BOND_FOLLOWED && pb->options.wait_for_backup;
    if (pb->bond != BOND_ALONE) {
        struct unacked *unacked = remember(pb, request, write);
        unacked->answered = !waits;
        send(pb, PB_UPDATE, pb->position, buf_slice(&unacked->write), effects);
    }
    if (!waits) answer(request, STATUS_OK, effects);
}

/* The backup lacks more than the list holds. One copy at a time: it may take a while, and one that
 * could not be sent is not tried again at once. Writes that come meanwhile are kept for it, and
 * wait for nobody. */
static void send_copy(struct primary_backup *pb, uint64_t now_ns, struct pb_effects *effects) {
    bool sent_lately = pb->copy_sent_ns > 0 && now_ns - pb->copy_sent_ns < pb->options.silence_ns;
    if (pb->bond != BOND_FOLLOWED && sent_lately) return;
    pb->bond = BOND_COPYING;
    pb->copy_sent_ns = now_ns;
    add(effects, PB_SEND_COPY)->message =
        (struct pb_message){PB_COPY, pb->history, pb->position, SLICE_EMPTY};
}

/* Whether everything that a backup at `position` lacks is in the list. */
static bool can_follow(const struct primary_backup *pb, const struct pb_message *ack) {
    return ack->history == pb->history && ack->position <= pb->position &&
           ack->position + pb->unacked_count >= pb->position;
}

static void on_ack(struct primary_backup *pb, const struct pb_message *ack, uint64_t now_ns,
                   struct pb_effects *effects) {
    if (!can_follow(pb, ack)) {
        send_copy(pb, now_ns, effects);
        return;
    }
    settle(pb, ack->position, STATUS_OK, effects);
    if (pb->bond != BOND_FOLLOWED) add(effects, PB_JOINED);
    pb->bond = BOND_FOLLOWED;
}

/* The backup is dead, or so it seems: go on without it. Who waits for it is answered. */
static void give_up_backup(struct primary_backup *pb, struct pb_effects *effects) {
    add(effects, PB_ALONE);
    pb->bond = BOND_ALONE;
    settle(pb, pb->position, STATUS_OK, effects);
}

/* ---- the backup ----------------------------------------------------------------------------- */

static void on_update(struct primary_backup *pb, const struct pb_message *update,
                      struct pb_effects *effects) {
    if (update->history == pb->history && update->position == pb->position + 1) {
        pb->position = update->position;
        apply(update->payload, effects);
    }
    send(pb, PB_ACK, pb->position, SLICE_EMPTY, effects);
}

static void on_copy(struct primary_backup *pb, const struct pb_message *copy,
                    struct pb_effects *effects) {
    pb->history = copy->history;
    pb->position = copy->position;
    add(effects, PB_LOAD_COPY)->message = *copy;
    send(pb, PB_ACK, pb->position, SLICE_EMPTY, effects);
}

/* The primary is dead, or so it seems. It may think the same of us. */
static void take_over(struct primary_backup *pb, struct pb_effects *effects) {
    pb->role = PB_PRIMARY;
    pb->history = pb->options.history;
    pb->bond = BOND_ALONE;
    add(effects, PB_TAKE_OVER);
}

/* ---- events --------------------------------------------------------------------------------- */

void pb_receive(struct primary_backup *pb, const struct pb_message *message, uint64_t now_ns,
                struct pb_effects *effects) {
    if (pb->role == PB_PRIMARY && message->kind != PB_ACK) {
        add(effects, PB_RIVAL)->message = *message;
        return; /* both say "I am": nothing here tells who is right */
    }
    if (pb->role == PB_BACKUP && message->kind == PB_ACK) return; /* two backups */
    pb->heard_ns = now_ns;
    switch (message->kind) {
    case PB_ACK:
        on_ack(pb, message, now_ns, effects);
        break;
    case PB_UPDATE:
        on_update(pb, message, effects);
        break;
    case PB_COPY:
        on_copy(pb, message, effects);
        break;
    case PB_HEARTBEAT:
        break; /* heard_ns is what it is for */
    }
}

void pb_tick(struct primary_backup *pb, uint64_t now_ns, struct pb_effects *effects) {
    bool silent = now_ns - pb->heard_ns >= pb->options.silence_ns;
    if (pb->role == PB_BACKUP && silent && pb->history != 0) take_over(pb, effects);
    if (pb->role == PB_BACKUP) {
        send(pb, PB_ACK, pb->position, SLICE_EMPTY, effects);
        return;
    }
    if (pb->bond != BOND_ALONE && silent) give_up_backup(pb, effects);
    send_again(pb, effects);
    send(pb, PB_HEARTBEAT, pb->position, SLICE_EMPTY, effects);
}

/* The write of the event that has just been. */
static void take_back_write(struct primary_backup *pb) {
    size_t last = pb->unacked_count;
    if (last > 0 && pb->unacked[last - 1].position == pb->position) {
        buf_deinit(&pb->unacked[last - 1].write);
        pb->unacked_count--;
    }
    pb->position--;
}

void pb_not_done(struct primary_backup *pb, enum pb_effect_kind effect,
                 struct pb_effects *effects) {
    assert(effect == PB_APPLY || effect == PB_LOAD_COPY || effect == PB_SEND_COPY);
    if (effect == PB_APPLY)
        take_back_write(pb);
    else if (effect == PB_LOAD_COPY)
        pb->history = 0;
    else
        give_up_backup(pb, effects);
}

void pb_stop(struct primary_backup *pb, struct pb_effects *effects) {
    settle(pb, pb->position, STATUS_UNKNOWN_OUTCOME, effects);
}

/* ---- lifetime ------------------------------------------------------------------------------- */

struct primary_backup *pb_new(const struct pb_options *options, uint64_t now_ns) {
    assert(options->history != 0);
    struct primary_backup *pb = MEM_NEW(struct primary_backup);
    pb->options = *options;
    pb->role = options->role;
    pb->history = options->role == PB_PRIMARY ? options->history : 0;
    pb->heard_ns = now_ns;
    return pb;
}

void pb_free(struct primary_backup *pb) {
    if (!pb) return;
    for (size_t i = 0; i < pb->unacked_count; i++)
        buf_deinit(&pb->unacked[i].write);
    mem_free(pb);
}

enum pb_role pb_role(const struct primary_backup *pb) { return pb->role; }
bool pb_alone(const struct primary_backup *pb) {
    return pb->role == PB_PRIMARY && pb->bond != BOND_FOLLOWED;
}
uint64_t pb_position(const struct primary_backup *pb) { return pb->position; }
size_t pb_unacked(const struct primary_backup *pb) { return pb->unacked_count; }
