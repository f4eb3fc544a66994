/* sql_run.c - a plan under way: the executor, reading through the session's transaction.
 *
 * Rows come at most as many as a portal asks for; the rest of a batch waits here. */
#include "mem.h"
#include "sql_exec.h"
#include "sql_session_internal.h"
#include "sql_source.h"

struct sql_run {
    struct arena arena; /* of the context alone: operators have arenas of their own */
    struct sql_source source;
    struct sql_row_source rows;
    struct sql_exec *exec;
    const struct sql_batch *batch; /* the last one of the executor; NULL: used up */
    uint32_t given;                /* rows of its selection that were given out */
    struct sql_batch part;         /* what the caller sees */
    uint16_t selected[SQL_BATCH_ROWS];
};

struct sql_eval_context sql_run_eval_context(const struct sql_session *session,
                                             const struct sql_prepared *prepared,
                                             const struct sql_datum *values, struct arena *arena) {
    return (struct sql_eval_context){.params = values,
                                     .param_count =
                                         values == NULL ? 0 : prepared->build.param_count,
                                     .arena = arena,
                                     .version = "PostgreSQL 15.0 (Cairn)",
                                     .database = session->database,
                                     .schema = "public",
                                     .user = session->user};
}

static const struct sql_plan *reading_part(const struct sql_plan *plan) {
    bool writes = plan->kind == SQL_PLAN_INSERT || plan->kind == SQL_PLAN_UPDATE ||
                  plan->kind == SQL_PLAN_DELETE;
    return writes ? plan->left : plan;
}

enum status sql_run_start(struct sql_session *session, const struct sql_prepared *prepared,
                          const struct sql_datum *values, struct sql_run **out,
                          struct sql_error *error) {
    struct sql_run *run = MEM_NEW(struct sql_run);
    arena_init(&run->arena, 0);
    run->source = (struct sql_source){.txn = sql_transaction(session),
                                      .env = session->server->options.env,
                                      .request = &session->request};
    run->rows = sql_source_rows(&run->source);
    struct sql_eval_context context = sql_run_eval_context(session, prepared, values, &run->arena);
    struct sql_exec_options options = {.plan = reading_part(prepared->plan),
                                       .source = &run->rows,
                                       .eval = &context,
                                       .memory_bytes =
                                           session->server->options.statement_memory_bytes};
    enum status status = sql_exec_open(&options, &run->exec, error);
    if (status != STATUS_OK) {
        sql_run_free(run);
        run = NULL;
    }
    *out = run;
    return status;
}

static void take_part(struct sql_run *run, uint64_t max_rows) {
    struct sql_selection whole = run->batch->selection;
    uint32_t count = whole.count - run->given;
    run->part = *run->batch;
    if (max_rows > 0 && count > max_rows) count = (uint32_t)max_rows;
    if (count == whole.count) { /* all of it, as it is */
        run->batch = NULL;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        run->selected[i] = (uint16_t)sql_selected(whole, run->given + i);
    run->part.selection = (struct sql_selection){run->selected, count};
    run->given += count;
    if (run->given == whole.count) run->batch = NULL;
}

enum status sql_run_next(struct sql_run *run, uint64_t max_rows, const struct sql_batch **batch,
                         struct sql_error *error) {
    run->part = (struct sql_batch){0};
    *batch = &run->part;
    if (run->batch == NULL) {
        struct sql_batch *next;
        TRY(sql_exec_next(run->exec, &next, error));
        if (next == NULL) return STATUS_OK;
        run->batch = next;
        run->given = 0;
    }
    take_part(run, max_rows);
    return STATUS_OK;
}

void sql_run_free(struct sql_run *run) {
    if (run == NULL) return;
    sql_exec_close(run->exec);
    arena_deinit(&run->arena);
    mem_free(run);
}
