/* lsm_flush.c - a flush: all sealed memtables become one table of level 0. What lives here: what it
 * reads, what it leaves out, what its edit says. What must not: the stages (lsm_job.c). */
#include "internal_key.h"
#include "lsm_job.h"

/* By a range that was deleted while the memtables took writes. Ranges of the version are older than
 * anything in a memtable. */
static bool is_hidden(const struct lsm_job *job, struct slice user, uint64_t sequence) {
    const struct lsm_view *view = job->view;
    for (size_t i = view->memtable_count - job->flushed; i < view->memtable_count; i++)
        if (lsm_ranges_hidden_at(view->memtables[i]->ranges, user, UINT64_MAX) > sequence)
            return true;
    return false;
}

/* A deletion mark is of use only if there is something in the tables for it to hide. */
static bool flush_keeps(struct lsm_job *job, struct slice internal_key) {
    struct slice user = internal_key_user(internal_key);
    if (lsm_filter_is_shadowed(&job->filter, user)) return false;
    if (is_hidden(job, user, internal_key_sequence(internal_key))) return false;
    return internal_key_kind(internal_key) == WRITE_PUT ||
           lsm_version_may_hold(job->view->version, 0, user);
}

static const struct lsm_job_kind flush_kind = {.name = "flush", .keeps = flush_keeps};

static void add_memtable(struct lsm_job *job, const struct lsm_memtable *memtable) {
    lsm_merge_add(&job->merge, lsm_source_of_memtable(memtable->table));
    struct memtable_iterator it = memtable_iterator_of(memtable->ranges);
    for (memtable_seek_first(&it); memtable_valid(&it); memtable_next(&it))
        lsm_edit_add_tombstone(&job->edit, internal_key_user(memtable_key(&it)),
                               memtable_value(&it), internal_key_sequence(memtable_key(&it)));
}

struct lsm_job *lsm_job_new_flush(struct engine_lsm *engine) {
    struct lsm_job *job = lsm_job_new(engine, &flush_kind);
    job->flushed = job->view->memtable_count - 1; /* all but the one that takes the writes */
    for (size_t i = 1; i < job->view->memtable_count; i++)
        add_memtable(job, job->view->memtables[i]);
    if (job->flushed > 0) {
        const struct lsm_memtable *newest = job->view->memtables[1];
        job->edit.flushed_sequence = job->clean_sequence = newest->last_sequence;
        job->edit.log_position = newest->log_position;
    }
    return job;
}
