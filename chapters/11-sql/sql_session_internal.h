/* sql_session_internal.h - what the files of the session share. Not for other modules. */
#ifndef CAIRN_SQL_SESSION_INTERNAL_H
#define CAIRN_SQL_SESSION_INTERNAL_H

#include "hlc.h"
#include "prng.h"
#include "sql_binder.h"
#include "sql_catalog_store.h"
#include "sql_planner.h"
#include "sql_session.h"

struct sql_server {
    struct sql_server_options options;
    struct sql_catalog_cache *catalog;
    struct prng prng;         /* backoff */
    uint64_t last_rowid_time; /* sql_row_writer.c */
    size_t sessions;
    struct sql_sweep *sweep; /* NULL: this node sweeps nothing */
    struct counter *statements, *errors, *retries;
    struct histogram *latency_ns;
};

/* sql_sweep.c: the rows of dropped tables. */
void sql_sweep_start(struct sql_server *server);
void sql_sweep_stop(struct sql_server *server);
/* A table may have been dropped. */
void sql_sweep_wake(struct sql_server *server);

/* ---- prepared statements --------------------------------------------------------------------- */

struct sql_prepared {
    struct sql_prepared *next;
    unsigned references; /* the session's list, and portals */
    char *name;
    struct buf text;
    struct arena syntax;                   /* the text's tree; outlives bindings */
    const struct ast_statement *statement; /* NULL: the text holds none */
    uint32_t *type_oids;                   /* as declared */
    uint32_t type_count;
    bool simple; /* of a simple query: it can have no parameters */

    /* The columns that the client was told at first: NULL before the first binding. */
    struct arena told_arena;
    struct sql_result_column *told;
    size_t told_count;

    /* The binding, made again when the catalog has changed. */
    struct arena arena;
    struct sql_catalog_pins pins;
    uint64_t catalog_version; /* 0: not bound, or bound to a catalog that is not committed */
    struct sql_build build;
    struct bound_statement *bound; /* of CREATE TABLE */
    struct sql_plan *plan;         /* of what is planned */
    struct sql_result_column *columns;
    size_t column_count;
};

/* ---- portals --------------------------------------------------------------------------------- */

struct sql_portal {
    struct sql_portal *next;
    struct sql_session *session;
    char *name;
    struct sql_prepared *prepared;
    struct arena values_arena;
    struct sql_datum *values;
    struct sql_run *run; /* under way, suspended; NULL otherwise */
    bool done;
    char tag[SQL_TAG_MAX];
};

/* ---- the session ----------------------------------------------------------------------------- */

enum transaction_state { TRANSACTION_IDLE, TRANSACTION_OPEN, TRANSACTION_FAILED };

struct sql_setting_value {
    struct sql_setting_value *next; /* custom settings only */
    char *name;
    char *value;
};

enum { SQL_SETTINGS_MAX = 32 };

struct sql_session {
    struct sql_server *server;
    const struct sql_sink_ops *sink;
    void *sink_arg;
    char *user, *database;
    char *settings
        [SQL_SETTINGS_MAX]; /* by index into the table of sql_settings.c; NULL: the default */
    struct sql_setting_value *custom;
    struct sql_setting_undo *setting_undo; /* newest first */

    enum transaction_state state;
    struct txn *txn; /* open block, or the implicit transaction of a script or pipeline */
    struct sql_catalog_view catalog;
    unsigned statements_done; /* in this transaction */
    bool gave_out;            /* something of this transaction has reached the sink */

    struct sql_prepared *prepared;
    struct sql_portal *portals;

    struct request request; /* of the running statement */
    struct cancel_token cancel;
    struct env_timer timeout;
    bool running, user_cancel, timed_out, disconnected;
};

/* sql_settings.c */
/* SET and RESET in a transaction: the value comes back when the transaction is rolled back, and, if
 * it is set for the transaction only (SET LOCAL), at its end in any case. Before the change;
 * unknown names are none. NULL: all of them. */
void sql_settings_remember(struct sql_session *session, const char *name, bool local);
/* The transaction has ended. */
void sql_settings_end_transaction(struct sql_session *session, bool committed);
void sql_settings_deinit(struct sql_session *session);
void sql_settings_reset_all(struct sql_session *session);
enum status sql_settings_reset(struct sql_session *session, const char *name,
                               struct sql_error *error) MUST_CHECK;
size_t sql_settings_count(void);
const char *sql_settings_name(size_t i);
/* 0: none. */
uint64_t sql_settings_statement_timeout_ns(const struct sql_session *session);

/* sql_prepare.c */
/* Parses nothing: takes a statement that `syntax` holds already. */
struct sql_prepared *sql_prepared_new(const struct sql_server *server, const char *name,
                                      const struct ast_statement *statement);
void sql_prepared_release(struct sql_prepared *prepared);
/* Binds and plans for the session's transaction, unless that has been done for this catalog. 0A000
 * when a client was told other columns before. */
enum status sql_prepared_bind(struct sql_session *session, struct sql_prepared *prepared,
                              struct sql_error *error) MUST_CHECK;

/* sql_transaction.c */
/* The session's transaction; begins one if there is none. */
struct txn *sql_transaction(struct sql_session *session);
enum status sql_transaction_commit(struct sql_session *session, const struct sql_table *table,
                                   struct sql_error *error) MUST_CHECK;
void sql_transaction_rollback(struct sql_session *session);
/* Drops the transaction, and what was cached if it was trusted: to be begun again. */
void sql_transaction_restart(struct sql_session *session);
/* A statement failed: the implicit transaction is gone, an open block is failed. */
void sql_transaction_fail(struct sql_session *session);
/* BEGIN, COMMIT, ROLLBACK, SET TRANSACTION. */
enum status sql_transaction_command(struct sql_session *session,
                                    const struct ast_statement *statement, char *tag,
                                    struct sql_error *error) MUST_CHECK;
bool sql_is_transaction_command(const struct ast_statement *statement);
void sql_notice(struct sql_session *session, enum sql_notice_severity severity,
                const char *sqlstate, const char *message);

/* sql_statement.c: one statement, with its limits and retries. */
/* Every statement stands between these; the end translates a cancel into its error. */
void sql_statement_begin(struct sql_session *session);
enum status sql_statement_end(struct sql_session *session, enum status status,
                              struct sql_error *error) MUST_CHECK;
/* What a failed statement ends with: its own status; or CONFLICT (try again) if it was judged by a
 * catalog that is out of date. */
enum status sql_statement_confirm(struct sql_session *session, enum status status,
                                  struct sql_error *error) MUST_CHECK;
/* 25P02. */
enum status sql_refuse_failed(struct sql_error *error);

struct sql_execution_request {
    struct sql_prepared *prepared;
    const struct sql_datum *values;
    bool describe;             /* tell the sink the columns */
    bool last;                 /* outside a block: commit when it is done */
    struct sql_portal *portal; /* NULL: all rows at once */
    uint64_t max_rows;         /* 0: all */
};
enum status sql_statement_execute(struct sql_session *session,
                                  const struct sql_execution_request *request, bool *suspended,
                                  char *tag, struct sql_error *error) MUST_CHECK;
/* Give to the sink; a row given out ends the time for retries. */
enum status sql_give_columns(struct sql_session *session, const struct sql_prepared *prepared,
                             struct sql_error *error) MUST_CHECK;
enum status sql_give_rows(struct sql_session *session, const struct sql_batch *batch,
                          struct sql_error *error) MUST_CHECK;

/* sql_run.c: a plan under way, on the session's transaction. */
struct sql_run;
/* Of INSERT, UPDATE and DELETE: the part that finds the rows. The plan's arena must outlive it;
 * values too. */
enum status sql_run_start(struct sql_session *session, const struct sql_prepared *prepared,
                          const struct sql_datum *values, struct sql_run **out,
                          struct sql_error *error) MUST_CHECK;
/* The next rows, at most max_rows of them (0: as many as a batch holds); selection.count 0: none
 * are left. Valid until the next call. */
enum status sql_run_next(struct sql_run *run, uint64_t max_rows, const struct sql_batch **batch,
                         struct sql_error *error) MUST_CHECK;
/* NULL is fine. */
void sql_run_free(struct sql_run *run);
/* What expressions of the statement may ask for. `arena`: for their results. */
struct sql_eval_context sql_run_eval_context(const struct sql_session *session,
                                             const struct sql_prepared *prepared,
                                             const struct sql_datum *values, struct arena *arena);

/* sql_dml.c: INSERT, UPDATE, DELETE to the end. alone: the commit follows at once, so that a
 * duplicate key may be found there (txn_put_absent without TXN_IMMEDIATE) if the session is
 * idle. */
enum status sql_dml_execute(struct sql_session *session, const struct sql_prepared *prepared,
                            const struct sql_datum *values, bool alone, uint64_t *rows,
                            struct sql_error *error) MUST_CHECK;
/* The error of a commit that met an existing key: 23505, with the key's values. CONFLICT (40001) if
 * the key is a hidden one, which another attempt chooses anew. */
enum status sql_duplicate_key_error(const struct sql_table *table, struct slice key,
                                    struct sql_error *error);

/* sql_utility.c: everything that has no plan. */
/* At binding: the columns of SHOW; none for the rest. Fills in prepared->columns. */
enum status sql_utility_describe(struct sql_prepared *prepared, struct sql_error *error) MUST_CHECK;
/* Gives out columns (if request->describe) and rows itself. */
enum status sql_utility_execute(struct sql_session *session,
                                const struct sql_execution_request *request, char *tag,
                                struct sql_error *error) MUST_CHECK;

#endif
