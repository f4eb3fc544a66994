/* sql_sweep.c - deletes the rows of dropped tables, a slice at a time, behind the clients' backs.
 *
 * DROP TABLE only notes the table's id (sql_catalog_store.h), so that it costs the same for every
 * table. One coroutine of each node looks for such notes: when a statement of its own node changed
 * the catalog, and now and then, for what a node that has died left behind. Two nodes at work on
 * one table meet in a conflict, and one of them comes back later. */
#include "co.h"
#include "mem.h"
#include "row_codec.h"
#include "sql_session_internal.h"

enum { SLICE_ROWS = 1000 };
#define REST_NS (60 * NS_PER_S)
#define SLICE_LIMIT_NS (10 * NS_PER_S)

struct sql_sweep {
    struct sql_server *server;
    struct co *co;
    struct env_timer timer;
    bool wanted;
    struct counter *rows;
};

/* ---- one slice ------------------------------------------------------------------------------ */

static enum status delete_rows(struct txn *txn, uint64_t table_id, size_t *deleted,
                               struct error *error) {
    struct buf start = BUF_INIT;
    struct buf end = BUF_INIT;
    row_key_prefix(&start, table_id, SQL_PRIMARY_INDEX_ID);
    row_key_prefix(&end, table_id, SQL_PRIMARY_INDEX_ID + 1);
    struct txn_scan scan = {
        .start = buf_slice(&start), .end = buf_slice(&end), .limit = SLICE_ROWS};
    struct txn_cursor *cursor = txn_scan_open(txn, &scan);
    const struct txn_row *rows;
    size_t count;
    enum status status;
    *deleted = 0;
    do {
        count = 0;
        status = txn_scan_next(cursor, &rows, &count, error);
        for (size_t i = 0; i < count && status == STATUS_OK; i++)
            status = txn_delete(txn, rows[i].key, error);
        *deleted += count;
    } while (status == STATUS_OK && count > 0);
    txn_scan_close(cursor);
    buf_deinit(&start);
    buf_deinit(&end);
    return status;
}

/* NOT_FOUND: there is nothing to sweep. */
static enum status sweep_slice(struct txn *txn, size_t *deleted, struct error *error) {
    uint64_t table_id;
    TRY(sql_catalog_first_dropped(txn, &table_id, error));
    TRY(delete_rows(txn, table_id, deleted, error));
    if (*deleted < SLICE_ROWS) TRY(sql_catalog_forget_dropped(txn, table_id, error));
    return txn_commit(txn, error);
}

static enum status sweep_once(struct sql_sweep *sweep) {
    struct env *env = sweep->server->options.env;
    struct request request = request_init(env_deadline_ns(env, SLICE_LIMIT_NS));
    struct error error = {.status = STATUS_OK};
    size_t deleted = 0;
    request.priority = PRIORITY_LOW;
    struct txn *txn = txn_begin(sweep->server->options.txns, &request);
    enum status status = sweep_slice(txn, &deleted, &error);
    txn_free(txn);
    if (status == STATUS_OK) counter_add(sweep->rows, deleted);
    if (status == STATUS_CORRUPT) log_error(env_log(env), "sql", "cannot sweep: %s", error.message);
    return status;
}

/* ---- the coroutine -------------------------------------------------------------------------- */

static void on_timer(void *arg) {
    struct sql_sweep *sweep = arg;
    sweep->wanted = true;
    co_wake(sweep->co);
}

/* False: the server goes away. */
static bool rest(struct sql_sweep *sweep) {
    struct env *env = sweep->server->options.env;
    env_timer_start(env, &sweep->timer, env_deadline_ns(env, REST_NS));
    while (!sweep->wanted) {
        if (co_await() != STATUS_OK) return false;
    }
    return !co_cancelled(sweep->co);
}

static void run(void *arg) {
    struct sql_sweep *sweep = arg;
    while (rest(sweep)) {
        sweep->wanted = false;
        while (!co_cancelled(sweep->co) && sweep_once(sweep) == STATUS_OK) {
        }
    }
}

void sql_sweep_start(struct sql_server *server) {
    if (server->options.coroutines == NULL) return;
    struct sql_sweep *sweep = MEM_NEW(struct sql_sweep);
    sweep->server = server;
    sweep->rows = metrics_counter(server->options.metrics, "cairn_sql_swept_rows_total",
                                  "Rows of dropped tables deleted by this node.");
    env_timer_init(&sweep->timer, on_timer, sweep);
    if (co_spawn(server->options.coroutines, run, sweep, &sweep->co) != STATUS_OK) {
        mem_free(sweep); /* as many coroutines as there may be: other nodes sweep */
        return;
    }
    server->sweep = sweep;
}

void sql_sweep_stop(struct sql_server *server) {
    struct sql_sweep *sweep = server->sweep;
    if (sweep == NULL) return;
    co_finish(sweep->co);
    env_timer_stop(&sweep->timer);
    mem_free(sweep);
    server->sweep = NULL;
}

void sql_sweep_wake(struct sql_server *server) {
    if (server->sweep == NULL) return;
    server->sweep->wanted = true;
    co_wake(server->sweep->co);
}
