/* env_timer.c - the timer heap that all implementations of env share.
 *
 * A binary heap by (deadline, sequence), indexed from 1, with each timer knowing its place, so that
 * a stop is O(log n). No clock here: whoever runs the loop says what time it is. */
#include <assert.h>

#include "env_impl.h"
#include "mem.h"

static bool earlier(const struct env_timer *a, const struct env_timer *b) {
    if (a->deadline_ns != b->deadline_ns) return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

static void place(struct env_core *core, size_t index, struct env_timer *timer) {
    core->heap[index] = timer;
    timer->heap_index = index;
}

static void sift_up(struct env_core *core, size_t index, struct env_timer *timer) {
    while (index > 1 && earlier(timer, core->heap[index / 2])) {
        place(core, index, core->heap[index / 2]);
        index /= 2;
    }
    place(core, index, timer);
}

static void sift_down(struct env_core *core, size_t index, struct env_timer *timer) {
    for (;;) {
        size_t child = index * 2;
        if (child > core->heap_len) break;
        if (child < core->heap_len && earlier(core->heap[child + 1], core->heap[child])) child++;
        if (!earlier(core->heap[child], timer)) break;
        place(core, index, core->heap[child]);
        index = child;
    }
    place(core, index, timer);
}

static void heap_insert(struct env_core *core, struct env_timer *timer) {
    if (core->heap_len + 1 >= core->heap_capacity) {
        core->heap_capacity = core->heap_capacity > 0 ? core->heap_capacity * 2 : 64;
        core->heap = mem_realloc(core->heap, core->heap_capacity * sizeof(struct env_timer *));
    }
    core->heap_len++;
    sift_up(core, core->heap_len, timer);
}

static void heap_remove(struct env_core *core, struct env_timer *timer) {
    size_t index = timer->heap_index;
    assert(index >= 1 && index <= core->heap_len && core->heap[index] == timer);
    struct env_timer *last = core->heap[core->heap_len];
    core->heap_len--;
    timer->heap_index = 0;
    if (last == timer) return;
    if (index > 1 && earlier(last, core->heap[index / 2])) {
        sift_up(core, index, last);
    } else {
        sift_down(core, index, last);
    }
}

void env_timer_init(struct env_timer *timer, void (*callback)(void *arg), void *arg) {
    *timer = (struct env_timer){.callback = callback, .arg = arg};
}

void env_timer_start(struct env *env, struct env_timer *timer, uint64_t deadline_ns) {
    assert(timer->callback != NULL);
    env_timer_stop(timer);
    timer->env = env;
    timer->deadline_ns = deadline_ns;
    timer->sequence = env->core->next_sequence++;
    heap_insert(env->core, timer);
}

void env_timer_stop(struct env_timer *timer) {
    if (timer->heap_index == 0) return;
    heap_remove(timer->env->core, timer);
}

bool env_timer_started(const struct env_timer *timer) { return timer->heap_index != 0; }

uint64_t env_core_next_deadline_ns(const struct env_core *core) {
    return core->heap_len > 0 ? core->heap[1]->deadline_ns : UINT64_MAX;
}

void env_core_fire_timers(struct env_core *core, uint64_t now_ns) {
    uint64_t first_new = core->next_sequence;
    while (core->heap_len > 0 && core->heap[1]->deadline_ns <= now_ns &&
           core->heap[1]->sequence < first_new) {
        struct env_timer *timer = core->heap[1];
        heap_remove(core, timer);
        timer->callback(timer->arg);
    }
}
