/* env_uv_work.c - the work lanes: threads of our own, so that a long job never delays a sync.
 *
 * libuv's pool is one queue for everything, hence not used. These queues are the only place in
 * Cairn with locks; the work itself touches nothing that the loop touches. */
#include <assert.h>

#include "env_uv_impl.h"

static const int lane_threads[LANE_COUNT] = {
    [LANE_SYNC] = 1, [LANE_READ] = 2, [LANE_BACKGROUND] = 1};

static void append(struct env_work **first, struct env_work **last, struct env_work *work) {
    work->next = NULL;
    if (*last != NULL) {
        (*last)->next = work;
    } else {
        *first = work;
    }
    *last = work;
}

/* Waits for work; NULL when the lane is stopping and the queue is empty. */
static struct env_work *take(struct uv_lane *lane) {
    uv_mutex_lock(&lane->mutex);
    while (lane->first == NULL && !lane->stopping) {
        uv_cond_wait(&lane->wake, &lane->mutex);
    }
    struct env_work *work = lane->first;
    if (work != NULL) {
        lane->first = work->next;
        if (lane->first == NULL) lane->last = NULL;
    }
    uv_mutex_unlock(&lane->mutex);
    return work;
}

static void lane_thread(void *arg) {
    struct uv_lane *lane = arg;
    struct uv_machine *machine = lane->machine;
    struct env_work *work;
    while ((work = take(lane)) != NULL) {
        work->run(work->arg);
        uv_mutex_lock(&machine->done_mutex);
        bool first = machine->done_first == NULL;
        append(&machine->done_first, &machine->done_last, work);
        uv_mutex_unlock(&machine->done_mutex);
        if (first) uv_async_send(&machine->work_done);
    }
}

static void report_done(struct uv_machine *machine) {
    uv_mutex_lock(&machine->done_mutex);
    struct env_work *work = machine->done_first;
    machine->done_first = NULL;
    machine->done_last = NULL;
    uv_mutex_unlock(&machine->done_mutex);
    while (work != NULL) {
        struct env_work *next = work->next; /* `done` may submit it again, or free it */
        machine->work_under_way--;
        work->done(work->arg);
        work = next;
    }
}

static void on_work_done(uv_async_t *async) { report_done(async->data); }

void machine_work_submit(struct env *env, enum work_lane lane_id, struct env_work *work) {
    struct uv_lane *lane = &machine_of(env)->lanes[lane_id];
    work->env = env;
    machine_of(env)->work_under_way++;
    uv_mutex_lock(&lane->mutex);
    assert(!lane->stopping);
    append(&lane->first, &lane->last, work);
    uv_cond_signal(&lane->wake);
    uv_mutex_unlock(&lane->mutex);
}

static void must(int result) {
    assert(result == 0);
    (void)result;
}

void machine_work_start(struct uv_machine *machine) {
    must(uv_mutex_init(&machine->done_mutex));
    must(uv_async_init(&machine->loop, &machine->work_done, on_work_done));
    machine->work_done.data = machine;
    for (int i = 0; i < LANE_COUNT; i++) {
        struct uv_lane *lane = &machine->lanes[i];
        lane->machine = machine;
        must(uv_mutex_init(&lane->mutex));
        must(uv_cond_init(&lane->wake));
        for (int k = 0; k < lane_threads[i]; k++) {
            must(uv_thread_create(&lane->threads[k], lane_thread, lane));
            lane->thread_count++;
        }
    }
}

static void stop_lane(struct uv_lane *lane) {
    uv_mutex_lock(&lane->mutex);
    lane->stopping = true;
    uv_cond_broadcast(&lane->wake);
    uv_mutex_unlock(&lane->mutex);
    for (int i = 0; i < lane->thread_count; i++) {
        must(uv_thread_join(&lane->threads[i]));
    }
}

void machine_work_stop(struct uv_machine *machine) {
    for (int i = 0; i < LANE_COUNT; i++) {
        stop_lane(&machine->lanes[i]);
    }
    report_done(machine);
    for (int i = 0; i < LANE_COUNT; i++) {
        uv_cond_destroy(&machine->lanes[i].wake);
        uv_mutex_destroy(&machine->lanes[i].mutex);
    }
}
