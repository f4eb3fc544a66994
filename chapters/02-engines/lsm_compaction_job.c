/* lsm_compaction_job.c - a compaction as a job: tables of one level merged into the next. What
 * lives here: what it reads and what its edit removes. What must not: which tables to merge and
 * what to drop (lsm_compaction.c), the stages (lsm_job.c). */
#include "lsm_job.h"

static bool keeps(struct lsm_job *job, struct slice internal_key) {
    return lsm_compaction_keeps(&job->filter, job->view->version, job->output_level + 1,
                                internal_key);
}

static void deinit(struct lsm_job *job) { lsm_compaction_deinit(&job->compaction); }

static const struct lsm_job_kind compaction_kind = {
    .name = "compaction", .keeps = keeps, .deinit = deinit};

/* The same file under another level: only the manifest changes. */
static void move_tables(struct lsm_job *job) {
    const struct lsm_compaction *compaction = &job->compaction;
    for (size_t i = 0; i < compaction->counts[0]; i++) {
        const struct lsm_table_meta *meta = &compaction->inputs[0][i]->meta;
        struct lsm_table *table = lsm_table_new(meta->number);
        table->meta.size_bytes = meta->size_bytes;
        table->meta.clean_sequence = meta->clean_sequence;
        buf_append_slice(&table->meta.smallest, buf_slice(&meta->smallest));
        buf_append_slice(&table->meta.largest, buf_slice(&meta->largest));
        lsm_edit_add(&job->edit, compaction->output_level, table);
    }
    job->exhausted = true;
}

struct lsm_job *lsm_job_new_compaction(struct engine_lsm *engine,
                                       struct lsm_compaction *compaction) {
    struct lsm_job *job = lsm_job_new(engine, &compaction_kind);
    job->compaction = *compaction;
    *compaction = (struct lsm_compaction){0};
    job->output_level = job->compaction.output_level;
    job->clean_sequence = job->view->version->flushed_sequence;
    job->table_bytes = engine->shape.table_bytes;
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < job->compaction.counts[side]; i++)
            lsm_edit_remove(&job->edit, job->compaction.inputs[side][i]->meta.number);
    if (job->compaction.is_move)
        move_tables(job);
    else
        lsm_compaction_add_sources(&job->compaction, &job->merge);
    return job;
}
