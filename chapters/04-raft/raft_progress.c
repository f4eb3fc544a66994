/* raft_progress.c - a follower as its leader sees it. Forms no messages: it says what may be sent
 * and learns what was sent, answered and lost. */
#include "raft_progress.h"

#include <assert.h>

#include "mem.h"

const char *progress_state_name(enum progress_state state) {
    static const char *const names[] = {"probe", "replicate", "snapshot"};
    return names[state];
}

void progress_init(struct progress *progress, uint64_t node, size_t window_capacity,
                   uint64_t window_limit_bytes) {
    *progress = (struct progress){.node = node,
                                  .next = 1,
                                  .window_capacity = window_capacity,
                                  .window_limit_bytes = window_limit_bytes};
    progress->window = mem_alloc(window_capacity * sizeof(*progress->window));
}

void progress_deinit(struct progress *progress) {
    mem_free(progress->window);
    *progress = (struct progress){0};
}

static void window_clear(struct progress *progress) {
    progress->window_head = progress->window_count = 0;
    progress->window_bytes = 0;
}

static void enter(struct progress *progress, enum progress_state state) {
    progress->state = state;
    progress->probe_sent = false;
    progress->snapshot_index = progress->snapshot_term = 0;
    window_clear(progress);
}

void progress_reset(struct progress *progress, uint64_t next, uint64_t now_ns) {
    enter(progress, PROGRESS_PROBE);
    progress->match = 0;
    progress->next = next;
    progress->heard_ns = progress->sent_ns = now_ns;
    progress->sent_commit = progress->sent_round = progress->read_round = 0;
}

bool progress_may_send(const struct progress *progress) {
    switch (progress->state) {
    case PROGRESS_PROBE:
        return !progress->probe_sent;
    case PROGRESS_REPLICATE:
        return progress->window_count < progress->window_capacity &&
               progress->window_bytes < progress->window_limit_bytes;
    case PROGRESS_SNAPSHOT:
        return false;
    }
    return false;
}

void progress_sent(struct progress *progress, uint64_t last_index, uint64_t size_bytes) {
    assert(progress_may_send(progress) && last_index >= progress->next);
    if (progress->state == PROGRESS_PROBE) {
        progress->probe_sent = true;
        return;
    }
    size_t tail = (progress->window_head + progress->window_count) % progress->window_capacity;
    progress->window[tail] = (struct inflight_append){last_index, size_bytes};
    progress->window_count++;
    progress->window_bytes += size_bytes;
    progress->next = last_index + 1;
}

static void window_acknowledge(struct progress *progress, uint64_t match) {
    while (progress->window_count > 0) {
        const struct inflight_append *oldest = &progress->window[progress->window_head];
        if (oldest->last_index > match) return;
        progress->window_bytes -= oldest->size_bytes;
        progress->window_head = (progress->window_head + 1) % progress->window_capacity;
        progress->window_count--;
    }
}

static void accepted_probe(struct progress *progress, uint64_t previous) {
    if (previous + 1 == progress->next) { /* the answer to this probe */
        enter(progress, PROGRESS_REPLICATE);
    } else if (previous == 0 || progress->match + 1 >= progress->next) {
        /* A heartbeat that proved nothing, or proof of more than was asked for. Any other answer is
         * of an append sent before the probe. */
        enter(progress, PROGRESS_REPLICATE);
        progress->next = progress->match + 1;
    }
}

bool progress_accepted(struct progress *progress, uint64_t previous, uint64_t match) {
    bool rose = match > progress->match;
    if (rose) progress->match = match;
    switch (progress->state) {
    case PROGRESS_PROBE:
        accepted_probe(progress, previous);
        break;
    case PROGRESS_REPLICATE:
        window_acknowledge(progress, progress->match);
        break;
    case PROGRESS_SNAPSHOT:
        if (progress->snapshot_index > 0 && progress->match >= progress->snapshot_index)
            enter(progress, PROGRESS_REPLICATE);
        break;
    }
    if (progress->next <= progress->match) progress->next = progress->match + 1;
    return rose;
}

bool progress_refused(struct progress *progress, uint64_t previous, uint64_t agree) {
    if (progress->state == PROGRESS_SNAPSHOT) return false;
    /* What is below match was accepted in this term: the refusal is older. A probe waits for the
     * answer to itself alone. */
    if (previous <= progress->match) return false;
    if (progress->state == PROGRESS_PROBE && previous + 1 != progress->next) return false;
    enter(progress, PROGRESS_PROBE);
    progress->next = agree < previous ? agree + 1 : previous;
    if (progress->next <= progress->match) progress->next = progress->match + 1;
    return true;
}

void progress_unreachable(struct progress *progress) {
    if (progress->state != PROGRESS_REPLICATE) return;
    enter(progress, PROGRESS_PROBE);
    progress->next = progress->match + 1;
    progress->probe_sent = true;
}

void progress_need_snapshot(struct progress *progress) { enter(progress, PROGRESS_SNAPSHOT); }

void progress_snapshot_staged(struct progress *progress, uint64_t index, uint64_t term,
                              uint64_t now_ns) {
    assert(progress->state == PROGRESS_SNAPSHOT);
    progress->snapshot_index = index;
    progress->snapshot_term = term;
    progress->snapshot_ns = now_ns;
}

void progress_snapshot_failed(struct progress *progress) {
    assert(progress->state == PROGRESS_SNAPSHOT);
    enter(progress, PROGRESS_PROBE);
    progress->next = progress->match + 1;
    progress->probe_sent = true;
}

void progress_check(const struct progress *progress) {
    assert(progress->match < progress->next);
    assert(progress->window_count <= progress->window_capacity);
    assert(progress->state == PROGRESS_REPLICATE || progress->window_count == 0);
    uint64_t previous = 0;
    for (size_t i = 0; i < progress->window_count; i++) {
        size_t at = (progress->window_head + i) % progress->window_capacity;
        assert(progress->window[at].last_index > previous);
        previous = progress->window[at].last_index;
        assert(previous > progress->match && previous < progress->next);
    }
    (void)previous;
}
