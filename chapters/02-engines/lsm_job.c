/* lsm_job.c - the stages of a flush or a compaction. What lives here: from the merge to synced
 * tables and an installed edit. What must not: when jobs start, wait for each other, or report
 * (lsm_schedule.c). */
#include "lsm_job.h"

#include <assert.h>

#include "internal_key.h"
#include "mem.h"

enum { SLICE_BYTES = 512 * 1024 };

/* ---- making a job --------------------------------------------------------------------------- */

static struct lsm_job *job_new(struct engine_lsm *engine) {
    struct lsm_job *job = MEM_NEW(struct lsm_job);
    job->engine = engine;
    job->env = engine->env;
    job->dir = mem_strdup(engine->dir);
    job->view = engine->view;
    job->view->refs++;
    job->filter.version = job->view->version;
    lsm_merge_init(&job->merge);
    sstable_writer_init(&job->writer);
    lsm_edit_init(&job->edit);
    return job;
}

static void flush_memtable(struct lsm_job *job, const struct lsm_memtable *memtable) {
    lsm_merge_add(&job->merge, lsm_source_of_memtable(memtable->table));
    job->ranges = mem_realloc(job->ranges, (job->filter.range_count + 1) * sizeof(*job->ranges));
    job->ranges[job->filter.range_count++] = memtable->ranges;
    struct memtable_iterator it = memtable_iterator_of(memtable->ranges);
    for (memtable_seek_first(&it); memtable_valid(&it); memtable_next(&it))
        lsm_edit_add_tombstone(&job->edit, internal_key_user(memtable_key(&it)),
                               memtable_value(&it), internal_key_sequence(memtable_key(&it)));
}

struct lsm_job *lsm_job_new_flush(struct engine_lsm *engine) {
    struct lsm_job *job = job_new(engine);
    job->is_flush = true;
    for (size_t i = 1; i < job->view->memtable_count; i++)
        flush_memtable(job, job->view->memtables[i]);
    job->filter.ranges = job->ranges;
    job->filter.level_below = 0;
    if (job->view->memtable_count > 1) {
        const struct lsm_memtable *newest = job->view->memtables[1];
        job->edit.flushed_sequence = job->clean_sequence = newest->last_sequence;
        job->edit.log_position = newest->log_position;
    }
    return job;
}

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
    struct lsm_job *job = job_new(engine);
    job->compaction = *compaction;
    *compaction = (struct lsm_compaction){0};
    job->clean_sequence = job->view->version->flushed_sequence;
    job->filter.level_below = job->compaction.output_level + 1;
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

void lsm_job_free(struct lsm_job *job) {
    assert(!job->on_lane);
    lsm_merge_deinit(&job->merge);
    lsm_filter_deinit(&job->filter);
    lsm_compaction_deinit(&job->compaction);
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
    mem_free(job->ranges);
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
        if (lsm_filter_keeps(&job->filter, key)) sstable_writer_add(&job->writer, key, value);
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
    unsigned level = job->is_flush ? 0 : job->compaction.output_level;
    if (engine->wal != NULL && wal_synced(engine->wal) < job->edit.log_position)
        TRY(wal_sync_blocking(engine->wal, error));
    for (size_t i = 0; i < job->output_count; i++) {
        lsm_edit_add(&job->edit, level, job->outputs[i].table);
        job->outputs[i].table = NULL;
    }
    job->edit.next_number = engine->next_number;
    job->manifest = engine->manifest;
    lsm_manifest_ref(job->manifest);
    return lsm_manifest_append(job->manifest, &job->edit, error);
}

static bool has_nothing_to_commit(const struct lsm_job *job) {
    return job->is_flush && job->view->memtable_count == 1;
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
    size_t flushed = job->is_flush ? job->view->memtable_count - 1 : 0;
    return lsm_view_new(version, now->memtables, now->memtable_count - flushed);
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
