/* sql_dml.c - INSERT, UPDATE and DELETE: the rows that the plan's input finds are written through
 * the session's transaction.
 *
 * All expressions of a statement see the rows as they were before it (SQL's assignment rule):
 * cursors do not see later writes, and rows that move to another key are put last. Keys must be
 * free when the statement is done, not row by row, as the standard has it: UPDATE t SET id = id + 1
 * works. A statement that fails halfway leaves its writes in the transaction's buffer: the session
 * then fails the transaction. */
#include "mem.h"
#include "sql_row_writer.h"

struct dml {
    struct sql_session *session;
    const struct sql_prepared *prepared;
    const struct sql_datum *values;
    struct sql_run *run;
    struct arena arena;   /* of the execution */
    struct arena scratch; /* of one batch: results of expressions */
    struct sql_row_writer writer;
    struct sql_datum *row; /* one value for each column of the table */
    uint64_t count;        /* rows written */
};

/* What is done with one batch of the input. */
typedef enum status (*take_batch)(struct dml *dml, const struct sql_batch *batch,
                                  struct sql_error *error);

static enum status for_each_batch(struct dml *dml, take_batch take, struct sql_error *error) {
    for (;;) {
        const struct sql_batch *batch;
        TRY(sql_run_next(dml->run, 0, &batch, error));
        if (sql_batch_rows(batch) == 0) return STATUS_OK;
        TRY(take(dml, batch, error));
        dml->count += sql_batch_rows(batch);
    }
}

/* ---- INSERT ---------------------------------------------------------------------------------- */

static enum status insert_batch(struct dml *dml, const struct sql_batch *batch,
                                struct sql_error *error) {
    const struct sql_table *table = dml->writer.table;
    for (uint32_t i = 0; i < sql_batch_rows(batch); i++) {
        uint32_t at = sql_selected(batch->selection, i);
        uint32_t from = 0;
        for (uint32_t c = 0; c < table->column_count; c++) {
            dml->row[c] = table->columns[c].hidden
                              ? sql_datum_int(SQL_INT8, sql_rowid_next(dml->session->server))
                              : sql_column_get(&batch->columns[from++], at);
        }
        TRY(sql_row_writer_check(&dml->writer, dml->row, error));
        struct slice key = sql_row_writer_key(&dml->writer, dml->row);
        struct slice value = sql_row_writer_value(&dml->writer, dml->row);
        TRY(sql_row_writer_add(&dml->writer, key, value, error));
    }
    return sql_row_writer_flush(&dml->writer, error);
}

/* ---- UPDATE ---------------------------------------------------------------------------------- */

struct update {
    struct dml dml;
    const struct sql_plan_update *plan;
    struct sql_expr_state **states; /* by assignment */
    const struct sql_column **results;
    struct buf old_key;
};

/* The row as it is; then as it will be. */
static void load_row(struct dml *dml, const struct sql_batch *batch, uint32_t at) {
    for (uint32_t c = 0; c < dml->writer.table->column_count; c++)
        dml->row[c] = sql_column_get(&batch->columns[c], at);
}

static void assign(const struct update *update, uint32_t at) {
    for (uint32_t a = 0; a < update->plan->assignment_count; a++) {
        update->dml.row[update->plan->assignments[a].column] =
            sql_column_get(update->results[a], at);
    }
}

static enum status update_row(struct update *update, const struct sql_batch *batch, uint32_t at,
                              struct sql_error *error) {
    struct dml *dml = &update->dml;
    load_row(dml, batch, at);
    buf_clear(&update->old_key);
    buf_append_slice(&update->old_key, sql_row_writer_key(&dml->writer, dml->row));
    assign(update, at);
    TRY(sql_row_writer_check(&dml->writer, dml->row, error));
    struct slice value = sql_row_writer_value(&dml->writer, dml->row);
    struct slice old_key = buf_slice(&update->old_key);
    struct slice key =
        update->plan->changes_key ? sql_row_writer_key(&dml->writer, dml->row) : old_key;
    if (slice_equal(key, old_key)) return sql_row_writer_put(&dml->writer, key, value, error);
    TRY(sql_row_writer_add(&dml->writer, key, value, error));
    return sql_row_writer_delete(&dml->writer, old_key, error);
}

static enum status update_batch(struct dml *dml, const struct sql_batch *batch,
                                struct sql_error *error) {
    struct update *update = CONTAINER_OF(dml, struct update, dml);
    struct sql_eval_context context =
        sql_run_eval_context(dml->session, dml->prepared, dml->values, &dml->scratch);
    arena_reset(&dml->scratch);
    for (uint32_t a = 0; a < update->plan->assignment_count; a++)
        TRY(sql_expr_eval(update->states[a], &context, batch, &update->results[a], error));
    for (uint32_t i = 0; i < sql_batch_rows(batch); i++)
        TRY(update_row(update, batch, sql_selected(batch->selection, i), error));
    return STATUS_OK;
}

static enum status update_rows(struct update *update, struct sql_error *error) {
    struct dml *dml = &update->dml;
    uint32_t count = update->plan->assignment_count;
    update->states = ARENA_ARRAY(&dml->arena, struct sql_expr_state *, (size_t)count + 1);
    update->results = ARENA_ARRAY(&dml->arena, const struct sql_column *, (size_t)count + 1);
    for (uint32_t a = 0; a < count; a++)
        update->states[a] = sql_expr_state_new(&dml->arena, update->plan->assignments[a].value);
    TRY(for_each_batch(dml, update_batch, error));
    return sql_row_writer_flush(&dml->writer, error);
}

/* ---- DELETE ---------------------------------------------------------------------------------- */

static enum status delete_batch(struct dml *dml, const struct sql_batch *batch,
                                struct sql_error *error) {
    const struct sql_table *table = dml->writer.table;
    const uint32_t *key_columns = dml->prepared->plan->delete_.key_columns;
    for (uint32_t i = 0; i < sql_batch_rows(batch); i++) {
        uint32_t at = sql_selected(batch->selection, i);
        for (uint32_t k = 0; k < table->key_count; k++)
            dml->row[table->key[k]] = sql_column_get(&batch->columns[key_columns[k]], at);
        TRY(sql_row_writer_delete(&dml->writer, sql_row_writer_key(&dml->writer, dml->row), error));
    }
    return STATUS_OK;
}

/* ---- all three ------------------------------------------------------------------------------- */

static const struct sql_table *table_of(const struct sql_plan *plan) {
    return plan->kind == SQL_PLAN_INSERT   ? plan->insert.table
           : plan->kind == SQL_PLAN_UPDATE ? plan->update.table
                                           : plan->delete_.table;
}

static enum status write_rows(struct update *update, struct sql_error *error) {
    struct dml *dml = &update->dml;
    const struct sql_plan *plan = dml->prepared->plan;
    switch (plan->kind) {
    case SQL_PLAN_INSERT:
        return for_each_batch(dml, insert_batch, error);
    case SQL_PLAN_UPDATE:
        update->plan = &plan->update;
        return update_rows(update, error);
    default:
        return for_each_batch(dml, delete_batch, error);
    }
}

enum status sql_dml_execute(struct sql_session *session, const struct sql_prepared *prepared,
                            const struct sql_datum *values, bool alone, uint64_t *rows,
                            struct sql_error *error) {
    const struct sql_table *table = table_of(prepared->plan);
    struct update update = {.dml = {.session = session, .prepared = prepared, .values = values}};
    struct dml *dml = &update.dml;
    uint64_t memory_bytes = session->server->options.statement_memory_bytes;
    arena_init(&dml->arena, memory_bytes);
    arena_init(&dml->scratch, memory_bytes);
    dml->row = ARENA_ARRAY(&dml->arena, struct sql_datum, table->column_count);
    sql_row_writer_init(&dml->writer, &dml->arena, sql_transaction(session), table,
                        alone && session->state == TRANSACTION_IDLE, memory_bytes);
    enum status status = sql_run_start(session, prepared, values, &dml->run, error);
    if (status == STATUS_OK) status = write_rows(&update, error);
    *rows = dml->count;
    sql_run_free(dml->run);
    buf_deinit(&update.old_key);
    sql_row_writer_deinit(&dml->writer);
    arena_deinit(&dml->scratch);
    arena_deinit(&dml->arena);
    return status;
}
