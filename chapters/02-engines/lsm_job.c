/* lsm_job.c - the stages of a flush or a compaction. What lives here: from the merge to synced
 * tables and an installed edit. What must not: when jobs start, wait for each other, or report
 * (lsm_schedule.c). */
#include "lsm_job.h"

#include <assert.h>

#include "mem.h"

enum { SLICE_BYTES = 512 * 1024 };

/* ---- making a job --------------------------------------------------------------------------- */

struct lsm_job *lsm_job_new(struct engine_lsm *engine, const struct lsm_job_kind *kind) {
    struct lsm_job *job = MEM_NEW(struct lsm_job);
    job->kind = kind;
    job->engine = engine;
    job->env = engine->env;
    job->dir = mem_strdup(engine->dir);
    job->view = engine->view;
    job->view->refs++;
    lsm_merge_init(&job->merge);
    sstable_writer_init(&job->writer);
    lsm_edit_init(&job->edit);
    return job;
}

void lsm_job_free(struct lsm_job *job) {
    assert(!job->on_lane);
    lsm_merge_deinit(&job->merge);
    lsm_filter_deinit(&job->filter);
    if (job->kind->deinit != NULL) job->kind->deinit(job);
    sstable_writer_deinit(&job->writer);
    lsm_edit_deinit(&job->edit);
    if (job->file != NULL) file_close(job->file);
    for (size_t i = 0; i < job->output_count; i++) {
        if (job->outputs[i].file != NULL) file_close(job->outputs[i].file);
        if (job->outputs[i].table != NULL) lsm_table_free(job->outputs[i].table);
    }
    lsm_view_unref(job->view, job->env, job->engine != NULL ? job->dir : NULL);
    lsm_manifest_unref(job->manifest);
    mem_free(job->outputs);
    mem_free(job->dir);
    mem_free(job);
}

/* ---- on the lane ---------------------------------------------------------------------------- */

static void end_table(struct lsm_job *job) {
    if (job->writer.entries == 0) return;
    sstable_writer_finish(&job->writer);
    job->table_full = true;
}

/* Up to a slice, or to the end of a table. A table ends between two keys, and of each key there is
 * one version: so tables of a level share no key. */
static void produce(struct lsm_job *job) {
    struct lsm_merge *merge = &job->merge;
    if (!job->started) lsm_merge_seek_first(merge);
    job->started = true;
    size_t taken = 0;
    for (; lsm_merge_valid(merge) && taken < SLICE_BYTES; lsm_merge_next(merge)) {
        if (job->table_bytes > 0 && sstable_writer_bytes(&job->writer) >= job->table_bytes) {
            end_table(job);
            return;
        }
        struct slice key = lsm_merge_key(merge), value = lsm_merge_value(merge);
        taken += key.len + value.len;
        if (job->kind->keeps(job, key)) sstable_writer_add(&job->writer, key, value);
    }
    if (lsm_merge_valid(merge)) return;
    job->status = merge->status;
    if (merge->status != STATUS_OK) {
        job->error = merge->error;
        return;
    }
    end_table(job);
    job->exhausted = true;
}

static enum status sync_outputs(struct lsm_job *job, struct error *error) {
    for (size_t i = 0; i < job->output_count; i++) {
        struct lsm_output *output = &job->outputs[i];
        TRY(file_sync(output->file, error));
        TRY(sstable_open(output->file, output->table->meta.number, &output->table->reader, error));
        output->file = NULL;
    }
    return job->output_count > 0 ? env_dir_sync(job->env, job->dir, error) : STATUS_OK;
}

void lsm_job_work(struct lsm_job *job) {
    if (job->stage == LSM_PRODUCE && !job->exhausted)
        produce(job);
    else if (job->stage == LSM_SYNC)
        job->status = sync_outputs(job, &job->error);
    else if (job->stage == LSM_COMMIT)
        job->status = lsm_manifest_sync(job->manifest, &job->error);
}

/* ---- on the loop ---------------------------------------------------------------------------- */

static enum status open_output(struct lsm_job *job, struct error *error) {
    job->number = job->engine->next_number++;
    job->written = 0;
    char *path = lsm_table_path(job->dir, job->number);
    enum status status = env_file_open(job->env, path, FILE_CREATE, &job->file, error);
    mem_free(path);
    return status;
}

/* The table is whole: its description joins the outputs. */
static void keep_output(struct lsm_job *job) {
    struct lsm_table *table = lsm_table_new(job->number);
    table->meta.size_bytes = job->written;
    table->meta.clean_sequence = job->clean_sequence;
    buf_swap(&table->meta.smallest, &job->writer.smallest);
    buf_swap(&table->meta.largest, &job->writer.largest);
    job->outputs = mem_realloc(job->outputs, (job->output_count + 1) * sizeof(struct lsm_output));
    job->outputs[job->output_count++] = (struct lsm_output){job->file, table};
    job->file = NULL;
    sstable_writer_deinit(&job->writer);
    sstable_writer_init(&job->writer);
    job->table_full = false;
}

static enum status write_slice(struct lsm_job *job, struct error *error) {
    struct slice made = buf_slice(&job->writer.out);
    if (made.len > 0) {
        if (job->file == NULL) TRY(open_output(job, error));
        TRY(file_write_at(job->file, job->written, made, error));
        job->written += made.len;
        job->engine->written_bytes += made.len;
        buf_clear(&job->writer.out);
    }
    if (job->table_full) keep_output(job);
    return STATUS_OK;
}

/* Everything that the edit names is durable: tables by now, and the own log up to where the edit
 * says that it is done with, for positions behind its end could be given out again. */
static enum status append_edit(struct lsm_job *job, struct error *error) {
    struct engine_lsm *engine = job->engine;
    if (engine->wal != NULL && wal_synced(engine->wal) < job->edit.log_position)
        TRY(wal_sync_blocking(engine->wal, error));
    for (size_t i = 0; i < job->output_count; i++) {
        lsm_edit_add(&job->edit, job->output_level, job->outputs[i].table);
        job->outputs[i].table = NULL;
    }
    job->edit.next_number = engine->next_number;
    job->manifest = engine->manifest;
    lsm_manifest_ref(job->manifest);
    return lsm_manifest_append(job->manifest, &job->edit, error);
}

/* A flush of nothing. */
static bool has_nothing_to_commit(const struct lsm_job *job) {
    return job->flushed == 0 && job->edit.removed_count == 0;
}

bool lsm_job_advance(struct lsm_job *job) {
    if (job->stage == LSM_PRODUCE) {
        job->status = write_slice(job, &job->error);
        if (job->status == STATUS_OK && job->exhausted) job->stage = LSM_SYNC;
        return false;
    }
    if (has_nothing_to_commit(job)) return true;
    job->stage = LSM_COMMIT;
    job->status = append_edit(job, &job->error);
    return false;
}

/* The memtables that were sealed since, and the one that takes the writes, stay. */
static struct lsm_view *next_view(const struct lsm_job *job, struct lsm_version *version) {
    const struct lsm_view *now = job->engine->view;
    return lsm_view_new(version, now->memtables, now->memtable_count - job->flushed);
}

enum status lsm_job_install(struct lsm_job *job, struct error *error) {
    struct engine_lsm *engine = job->engine;
    lsm_manifest_synced(job->manifest);
    struct lsm_version *version = lsm_version_apply(engine->view->version, &job->edit, error);
    if (version == NULL) return STATUS_CORRUPT;
    lsm_set_view(engine, next_view(job, version));
    lsm_version_unref(version, engine->env, engine->dir); /* the view holds it */
    if (engine->wal != NULL) wal_truncate_before(engine->wal, engine->view->version->log_position);
    return STATUS_OK;
}

void lsm_job_remove_outputs(struct lsm_job *job) {
    struct error ignored;
    uint64_t last = job->file != NULL ? job->number : 0;
    if (job->file != NULL) file_close(job->file);
    job->file = NULL;
    for (size_t i = 0; i <= job->output_count; i++) {
        bool is_last = i == job->output_count;
        if (is_last && last == 0) break;
        if (!is_last && job->outputs[i].table == NULL) continue;
        char *path = lsm_table_path(job->dir, is_last ? last : job->outputs[i].table->meta.number);
        if (env_file_remove(job->env, path, &ignored) != STATUS_OK)
            log_debug(env_log(job->env), "lsm", "could not remove file=%s", path);
        mem_free(path);
    }
}
